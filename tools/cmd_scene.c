/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- fit --- */

static bool read_int(const tool *t, const char *name, int32_t *value, int64_t least, int64_t most)
{
    int64_t n = *value;
    if (!tool_int(t, name, &n, least, most))
        return false;
    *value = (int32_t)n;
    return true;
}

static bool read_fit(const tool *t, physad_scene_options *o)
{
    static const char *const degrees[] = { "0", "1", "2", "3" }, *const ways[] = { "split", "mcmc" };
    int degree = 3, densify = 0;
    if (!tool_choice(t, "harmonics", degrees, TOOL_COUNT(degrees), &degree) ||
        !tool_choice(t, "densify", ways, TOOL_COUNT(ways), &densify) || !tool_background(t, o->background))
        return false;
    o->harmonics = (degree + 1) * (degree + 1);
    o->densify = densify;
    o->exposure = tool_given(t, "exposure");
    o->trust_poses = tool_given(t, "trust-poses");
    o->resume = tool_given(t, "resume");
    o->checkpoint = tool_text(t, "checkpoint", NULL);
    o->masks = tool_text(t, "masks", NULL);
    return read_int(t, "steps", &o->steps, 1, 10000000) && read_int(t, "max-side", &o->max_side, 1, 32768) &&
           read_int(t, "hold-out", &o->hold_out, 2, 1000000) &&
           read_int(t, "max-gaussians", &o->max_gaussians, 1, 20000000) &&
           read_int(t, "random-points", &o->random_points, 1, 20000000) &&
           read_int(t, "swept-points", &o->swept_points, -1, 20000000) && read_int(t, "coarse", &o->coarse, 0, 3) &&
           read_int(t, "measure-every", &o->measure_every, 1, 10000000) &&
           read_int(t, "checkpoint-every", &o->checkpoint_every, 1, 10000000);
}

/* A picture from a camera, to a file. */
static int write_picture(tool *t, const physad_scene *scene, const physad_camera *camera, const char *path)
{
    const int64_t shape[3] = { camera->height, camera->width, 3 };
    uint8_t *pixels = malloc((size_t)(camera->height * camera->width) * 3);
    if (pixels == NULL)
        return tool_error("no memory for a picture of %lld x %lld pixels", (long long)camera->width,
                          (long long)camera->height);
    const physad_view view = physad_view_array(pixels, PHYSAD_U8, 3, shape);
    physad_status status = physad_scene_render(scene, camera, NULL, &view, NULL, NULL);
    if (status == PHYSAD_OK)
        status = physad_image_write(t->ctx, path, &view, NULL);
    free(pixels);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

static int write_pictures(tool *t, const physad_scene *scene, const char *folder)
{
    mkdir(folder, 0777); /* what is wrong with it, writing says */
    for (int64_t i = 0; i < physad_scene_cameras(scene); i++) {
        char path[4096];
        physad_camera camera;
        const physad_status status = physad_scene_camera(scene, i, &camera);
        if (status != PHYSAD_OK)
            return tool_failed(status);
        snprintf(path, sizeof(path), "%s/%04lld.png", folder, (long long)i);
        const int done = write_picture(t, scene, &camera, path);
        if (done != TOOL_DONE)
            return done;
    }
    return TOOL_DONE;
}

static json_t *held_json(const physad_scene_quality *q)
{
    return q->held_out > 0
               ? json_pack("{s:f, s:f, s:f, s:f}", "psnr", q->psnr, "ssim", q->ssim, "l1", q->l1, "loss", q->loss)
               : json_null();
}

static json_t *history_json(const physad_scene *scene)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < physad_scene_history_count(scene); i++) {
        const physad_scene_quality q = physad_scene_history_describe(scene, i);
        json_array_append_new(list,
                              json_pack("{s:I, s:f, s:I, s:o}", "steps", (json_int_t)q.steps, "seconds", q.seconds,
                                        "gaussians", (json_int_t)q.gaussians, "quality", held_json(&q)));
    }
    return list;
}

static json_t *quality_json(const physad_scene *scene)
{
    const physad_scene_quality q = physad_scene_describe(scene);
    json_t *history = physad_scene_history_count(scene) > 0 ? history_json(scene) : NULL;
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:o, s:o*}", "photos", (json_int_t)q.photos, "held_out",
                     (json_int_t)q.held_out, "gaussians", (json_int_t)q.gaussians, "steps", (json_int_t)q.steps,
                     "seconds", q.seconds, "quality", held_json(&q), "history", history);
}

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

int cmd_scene_fit(tool *t)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    physad_scene *scene = NULL;
    const char *output = tool_text(t, "output", NULL), *folder = tool_text(t, "renders", NULL);
    if (output == NULL)
        return tool_usage(t, "-o FILE is missing");
    if (!ends_in(output, ".ply") && !ends_in(output, ".safetensors"))
        return tool_usage(t, "-o is \"%s\", want a name that ends in .ply or .safetensors", output);
    if (!read_fit(t, &o))
        return TOOL_USAGE;
    const int writable = tool_check_output(output);
    if (writable != TOOL_DONE)
        return writable;
    const physad_call_options call = tool_progress();
    physad_status status = physad_scene_fit(&scene, t->ctx, t->operands[0], &o, &call);
    tool_progress_end();
    if (status == PHYSAD_OK)
        status = physad_scene_save(scene, output);
    int done = status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
    if (done == TOOL_DONE && folder != NULL)
        done = write_pictures(t, scene, folder);
    if (done == TOOL_DONE)
        done = tool_write_json(tool_text(t, "json", "-"), quality_json(scene));
    physad_scene_free(scene);
    return done;
}

/* --- render --- */

/* From where the photo of that name was taken. */
static int camera_of(const tool *t, const physad_scene *scene, const char *name, physad_camera *camera)
{
    const int64_t n = physad_scene_cameras(scene);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(physad_scene_camera_name(scene, i), name) == 0) {
            const physad_status status = physad_scene_camera(scene, i, camera);
            return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
        }
    if (n == 0)
        return tool_error("%s has no photos' cameras; scenes written as .safetensors keep them", t->operands[0]);
    return tool_error("%s: no photo is called \"%s\"; \"%s\" is one of %lld", t->operands[0], name,
                      physad_scene_camera_name(scene, 0), (long long)n);
}

int cmd_scene_render(tool *t)
{
    static const char *const others[] = { "from", "to", "up", "angle", "width", "height" };
    physad_camera camera = { .width = 0 };
    physad_scene *scene = NULL;
    const char *output = tool_text(t, "output", NULL), *photo = tool_text(t, "photo", NULL);
    if (output == NULL)
        return tool_usage(t, "-o FILE is missing");
    for (int i = 0; photo != NULL && i < TOOL_COUNT(others); i++)
        if (tool_given(t, others[i]))
            return tool_usage(t, "--photo says all that --%s could", others[i]);
    int done = tool_camera(t, &camera);
    if (done != TOOL_DONE)
        return done;
    const physad_status status = physad_scene_load(&scene, t->ctx, t->operands[0]);
    done = status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
    if (done == TOOL_DONE && photo != NULL)
        done = camera_of(t, scene, photo, &camera);
    if (done == TOOL_DONE)
        done = write_picture(t, scene, &camera, output);
    physad_scene_free(scene);
    return done;
}

/* --- locate --- */

static json_t *numbers(const double *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i]));
    return list;
}

static json_t *pose_json(const physad_pose *p)
{
    const physad_camera *c = &p->camera;
    return json_pack("{s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:I}", "rotation",
                     numbers(c->rotation, 9), "translation", numbers(c->translation, 3), "fx", c->fx, "fy", c->fy, "cx",
                     c->cx, "cy", c->cy, "width", (json_int_t)c->width, "height", (json_int_t)c->height, "loss",
                     p->loss, "agreement", p->agreement, "confidence", p->confidence, "view", (json_int_t)p->view);
}

/* One photo's entry; a photo that fits nowhere has its reason and status 1. */
static int locate_photo(tool *t, const physad_locator *locator, const char *path, json_t *photos)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    physad_image *image = NULL;
    physad_pose poses[3];
    int64_t count = 0;
    physad_status status = physad_image_read(&image, t->ctx, path, &o);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    const physad_view view = physad_image_view(image);
    status = physad_locator_find(locator, &view, poses, 3, &count);
    physad_image_free(image);
    if (status != PHYSAD_OK && status != PHYSAD_ERR_NUMERIC)
        return tool_failed(status);
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++)
        json_array_append_new(list, pose_json(&poses[i]));
    json_array_append_new(
        photos, json_pack("{s:o, s:b, s:o*, s:o}", "path", tool_json_text(path), "found", status == PHYSAD_OK, "reason",
                          status == PHYSAD_OK ? NULL : json_string(physad_last_error()), "poses", list));
    return TOOL_DONE;
}

int cmd_scene_locate(tool *t)
{
    physad_locator_options o = PHYSAD_LOCATOR_OPTIONS_INIT;
    physad_scene *scene = NULL;
    physad_locator *locator = NULL;
    if (!read_int(t, "max-side", &o.max_side, 32, 32768) || !tool_real(t, "least-fit", &o.least_fit, 0, 1))
        return TOOL_USAGE;
    if (tool_text(t, "least-fit", NULL) != NULL && !(o.least_fit > 0))
        o.least_fit = -1;
    o.backbone = tool_text(t, "backbone", NULL);
    o.weights = tool_text(t, "weights", NULL);
    const physad_call_options call = tool_progress();
    physad_status status = physad_scene_load(&scene, t->ctx, t->operands[0]);
    if (status == PHYSAD_OK)
        status = physad_locator_new(&locator, scene, t->operands[1], &o, &call);
    tool_progress_end();
    int done = status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
    json_t *photos = json_array();
    for (int i = 2; i < t->operand_count && done == TOOL_DONE; i++)
        done = locate_photo(t, locator, t->operands[i], photos);
    if (done == TOOL_DONE)
        done = tool_write_json(tool_text(t, "json", "-"), json_pack("{s:o}", "photos", photos));
    else
        json_decref(photos);
    physad_locator_free(locator);
    physad_scene_free(scene);
    return done;
}
