/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io.h"
#include "scene/scene_file.h"
#include "scene/scene_points.h"
#include "scene/scene_train.h"

#include <math.h>

struct physad_scene {
    physad_context *ctx;
    physad__scene_parts parts;
    physad__scene_fitted fitted;
};

static physad_status scene_new(physad_scene **out, physad_context *ctx)
{
    *out = physad__alloc_zero(&ctx->mem, sizeof(**out), "scene");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->ctx = physad__context_retain(ctx);
    return PHYSAD_OK;
}

void physad_scene_free(physad_scene *scene)
{
    if (scene == NULL)
        return;
    physad__scene_parts_free(&scene->parts);
    physad__free(scene->fitted.history);
    physad_context *ctx = scene->ctx;
    physad__free(scene);
    physad_context_free(ctx);
}

/* --- options --- */

static physad_status range(const char *name, int64_t value, int64_t least, int64_t most)
{
    if (value >= least && value <= most)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_ARG, "physad_scene_options: %s is %lld, want %lld to %lld", name, (long long)value,
                         (long long)least, (long long)most);
}

static int32_t or_default(int32_t value, int32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static physad_status read_options(physad_scene_options *o, const physad_scene_options *in)
{
    *o = (physad_scene_options)PHYSAD_SCENE_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), in, "physad_scene_options"));
    o->steps = or_default(o->steps, 7000);
    o->harmonics = or_default(o->harmonics, 16);
    o->max_gaussians = or_default(o->max_gaussians, 300000);
    o->random_points = or_default(o->random_points, 100000);
    o->swept_points = or_default(o->swept_points, 20000);
    o->densify_from = or_default(o->densify_from, o->steps / 14 < 500 ? o->steps / 14 : 500);
    const int32_t share = o->densify == PHYSAD_SCENE_DENSIFY_MCMC ? 25000 : 15000; /* of 30000 steps, as published */
    const int32_t until = (int32_t)((int64_t)o->steps * share / 30000);
    o->densify_until = or_default(o->densify_until, until < share ? until : share);
    o->densify_every = or_default(o->densify_every, 100);
    o->densify_gradient = o->densify_gradient != 0 ? o->densify_gradient : 2.5e-4f;
    PHYSAD__TRY(range("steps", o->steps, 1, 10000000));
    PHYSAD__TRY(range("max_side", o->max_side, 0, 32768));
    PHYSAD__TRY(range("max_gaussians", o->max_gaussians, 1, 20000000));
    PHYSAD__TRY(range("random_points", o->random_points, 1, 20000000));
    PHYSAD__TRY(range("swept_points", o->swept_points, INT32_MIN, 20000000));
    PHYSAD__TRY(range("densify_every", o->densify_every, 1, 1000000));
    o->checkpoint_every = or_default(o->checkpoint_every, 1000);
    PHYSAD__TRY(range("densify", o->densify, 0, PHYSAD_SCENE_DENSIFY_MCMC));
    PHYSAD__TRY(range("exposure", o->exposure, 0, 1));
    PHYSAD__TRY(range("coarse", o->coarse, 0, PHYSAD__COARSE_MOST));
    PHYSAD__TRY(range("trust_poses", o->trust_poses, 0, 1));
    PHYSAD__TRY(range("checkpoint_every", o->checkpoint_every, 1, 10000000));
    PHYSAD__TRY(range("resume", o->resume, 0, 1));
    if (o->resume && o->checkpoint == NULL)
        return physad__error(
            PHYSAD_ERR_ARG, "physad_scene_options: resume without checkpoint: want the file that the fit was to leave");
    if (o->harmonics != 1 && o->harmonics != 4 && o->harmonics != 9 && o->harmonics != 16)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_options: harmonics is %d, want 1, 4, 9 or 16", o->harmonics);
    if (!(o->densify_gradient > 0))
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_options: densify_gradient is %g, want a positive number",
                             (double)o->densify_gradient);
    for (int k = 0; k < 3; k++)
        if (!(o->background[k] >= 0 && o->background[k] <= 1))
            return physad__error(PHYSAD_ERR_ARG, "physad_scene_options: background is %g, want 0 to 1",
                                 (double)o->background[k]);
    return PHYSAD_OK;
}

/* --- the fit --- */

static physad_status keep_cameras(physad_scene *scene, const physad__scene_views *views)
{
    physad__mem *mem = &scene->ctx->mem;
    scene->parts.cameras = physad__alloc_array(mem, views->count, sizeof(*scene->parts.cameras), "cameras of a scene");
    scene->parts.names =
        physad__alloc_zero(mem, (size_t)views->count * sizeof(*scene->parts.names), "cameras of a scene");
    if (scene->parts.cameras == NULL || scene->parts.names == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < views->count; i++) {
        scene->parts.cameras[i] = views->views[i].camera;
        scene->parts.names[i] = physad__strdup(mem, views->views[i].name);
        scene->parts.n_cameras = i + 1;
        if (scene->parts.names[i] == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

static physad_status fit_views(physad__gaussians *out, physad__scene_fitted *fitted, physad_context *ctx,
                               const physad__scene_views *views, const physad_scene_options *o, physad__call *call)
{
    physad__scene_model model = { 0 };
    physad__scene_views own;
    const int32_t degree = o->harmonics == 16 ? 3 : o->harmonics == 9 ? 2 : o->harmonics == 4 ? 1 : 0;
    physad_status status = physad__scene_points_begin(&own, ctx, views, o, call);
    if (status == PHYSAD_OK)
        status = physad__scene_model_begin(&model, &ctx->mem, own.points, own.colours, own.n_points, degree);
    physad__free(own.points);
    physad__free(own.colours);
    if (status == PHYSAD_OK && o->densify == PHYSAD_SCENE_DENSIFY_MCMC)
        physad__mcmc_begin(&model);
    if (status == PHYSAD_OK)
        status = physad__scene_train(fitted, &model, ctx, views, o, call);
    if (status == PHYSAD_OK) {
        *out = (physad__gaussians){ .count = model.count, .stride = model.stride, .degree = degree,
                                    .nearest = physad__scene_nearest(views->extent) };
        out->planes = physad__alloc_array(&ctx->mem, model.planes * model.stride + 1, sizeof(float), "scene");
        if (out->planes == NULL)
            status = PHYSAD_ERR_NOMEM;
        else
            memcpy(out->planes, model.value, (size_t)(model.planes * model.stride) * sizeof(float));
    }
    physad__scene_model_free(&model);
    return status;
}

physad_status physad__scene_fit_views(physad__gaussians *out, physad_context *ctx, const physad__scene_views *views,
                                      const physad_scene_options *options, physad__call *call)
{
    physad_scene_options o;
    physad__scene_fitted fitted = { 0 };
    PHYSAD__TRY(read_options(&o, options));
    const physad_status status = fit_views(out, &fitted, ctx, views, &o, call);
    physad__free(fitted.history);
    return status;
}

static physad_status fit(physad_scene *scene, const char *data, const physad_scene_options *o, physad__call *call)
{
    physad__scene_views views;
    const physad__scene_choice choice = {
        .masks = o->masks, .background = o->background, .trusted = o->trust_poses != 0, .shifts = true
    };
    PHYSAD__TRY(physad__scene_views_open(&views, scene->ctx, data, o->max_side, o->hold_out, &choice, call));
    physad_status status = physad__scene_points_check(&views, data);
    if (status == PHYSAD_OK)
        status = fit_views(&scene->parts.gaussians, &scene->fitted, scene->ctx, &views, o, call);
    if (status == PHYSAD_OK)
        status = keep_cameras(scene, &views);
    physad__scene_views_free(&views);
    return status;
}

physad_status physad_scene_fit(physad_scene **out, physad_context *ctx, const char *data,
                               const physad_scene_options *options, const physad_call_options *call_options)
{
    physad_scene_options o;
    physad__call call;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_fit: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_scene_fit"));
    if (data == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_fit: data is NULL, want a folder of photos with poses");
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__call_begin(&call, ctx, call_options, "scene"));
    physad_status status = scene_new(out, ctx);
    if (status == PHYSAD_OK)
        status = fit(*out, data, &o, &call);
    physad__call_end(&call);
    if (status != PHYSAD_OK) {
        physad_scene_free(*out);
        *out = NULL;
    }
    return status;
}

/* --- files --- */

physad_status physad_scene_load(physad_scene **out, physad_context *ctx, const char *path)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_load: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_scene_load"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_load: path is NULL, want a PLY or safetensors file");
    PHYSAD__TRY(scene_new(out, ctx));
    const physad_status status = physad__scene_parts_read(&(*out)->parts, ctx, path);
    if (status != PHYSAD_OK) {
        physad_scene_free(*out);
        *out = NULL;
    }
    return status;
}

static physad_status scene_check(const physad_scene *scene, const char *what)
{
    if (scene == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: scene is NULL", what);
    return physad__context_check(scene->ctx, what);
}

physad_status physad_scene_save(const physad_scene *scene, const char *path)
{
    PHYSAD__TRY(scene_check(scene, "physad_scene_save"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_save: path is NULL, want a file to write");
    if (physad__has_suffix(path, ".safetensors"))
        return physad__scene_parts_write(scene->ctx, path, &scene->parts);
    return physad__gaussians_write(&scene->ctx->mem, path, &scene->parts.gaussians);
}

/* --- Gaussians alone --- */

physad_status physad_scene_new(physad_scene **out, const physad_gaussians *gaussians)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__gaussians_check(gaussians, "physad_scene_new"));
    const physad__gaussians *const set = physad__gaussians_set_of(gaussians);
    physad_context *const ctx = physad__gaussians_context(gaussians);
    const size_t size = (size_t)(physad__splat_plane_count(set->degree) * set->stride + 1) * sizeof(float);
    physad_scene *scene;
    PHYSAD__TRY(scene_new(&scene, ctx));
    scene->parts.gaussians = *set;
    scene->parts.gaussians.planes = physad__alloc(&ctx->mem, size, "scene");
    if (scene->parts.gaussians.planes == NULL) {
        physad_scene_free(scene);
        return PHYSAD_ERR_NOMEM;
    }
    memcpy(scene->parts.gaussians.planes, set->planes, size);
    *out = scene;
    return PHYSAD_OK;
}

physad_status physad_gaussians_of_scene(physad_gaussians **out, const physad_scene *scene)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_gaussians_of_scene: out is NULL");
    *out = NULL;
    PHYSAD__TRY(scene_check(scene, "physad_gaussians_of_scene"));
    return physad__gaussians_handle(out, scene->ctx, &scene->parts.gaussians);
}

/* --- what it is --- */

const physad__gaussians *physad__scene_gaussians(const physad_scene *scene)
{
    return &scene->parts.gaussians;
}

physad_context *physad__scene_context(const physad_scene *scene)
{
    return scene->ctx;
}

int64_t physad_scene_gaussians(const physad_scene *scene)
{
    return scene != NULL ? scene->parts.gaussians.count : 0;
}

physad_scene_quality physad_scene_describe(const physad_scene *scene)
{
    const physad_scene_quality none = { 0 };
    return scene != NULL ? scene->fitted.quality : none;
}

int64_t physad_scene_history_count(const physad_scene *scene)
{
    return scene != NULL ? scene->fitted.n_history : 0;
}

physad_scene_quality physad_scene_history_describe(const physad_scene *scene, int64_t index)
{
    const physad_scene_quality none = { 0 };
    return index >= 0 && index < physad_scene_history_count(scene) ? scene->fitted.history[index] : none;
}

int64_t physad_scene_cameras(const physad_scene *scene)
{
    return scene != NULL ? scene->parts.n_cameras : 0;
}

const char *physad_scene_camera_name(const physad_scene *scene, int64_t index)
{
    return scene != NULL && index >= 0 && index < scene->parts.n_cameras ? scene->parts.names[index] : NULL;
}

physad_status physad_scene_camera(const physad_scene *scene, int64_t index, physad_camera *camera)
{
    PHYSAD__TRY(scene_check(scene, "physad_scene_camera"));
    if (camera == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_camera: camera is NULL");
    if (index < 0 || index >= scene->parts.n_cameras)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_camera: index is %lld, want 0 to %lld", (long long)index,
                             (long long)scene->parts.n_cameras - 1);
    *camera = scene->parts.cameras[index];
    return PHYSAD_OK;
}

/* --- pictures --- */

static physad_status check_image(const physad_view *view, const char *name, const physad_camera *c, bool colour)
{
    PHYSAD__TRY(physad__view_check(view, name));
    if (view->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "%s: the view is read-only", name);
    if (view->dtype != PHYSAD_F32 && !(colour && view->dtype == PHYSAD_U8))
        return physad__error(PHYSAD_ERR_DTYPE, "%s: got %s, want f32%s", name, physad_dtype_name(view->dtype),
                             colour ? " or u8" : "");
    if (view->ndim != 2 + colour || view->shape[0] != c->height || view->shape[1] != c->width ||
        (colour && view->shape[2] != 3)) {
        char got[128];
        return physad__error(PHYSAD_ERR_SHAPE, "%s: got %s, want (%lld,%lld%s)", name,
                             physad__shape_text(got, sizeof(got), view->ndim, view->shape), (long long)c->height,
                             (long long)c->width, colour ? ",3" : "");
    }
    return PHYSAD_OK;
}

static void put(const physad_view *view, int64_t y, int64_t x, int64_t channel, float value)
{
    char *at = (char *)view->data + y * view->stride[0] + x * view->stride[1] +
               (view->ndim == 3 ? channel * view->stride[2] : 0);
    if (view->dtype == PHYSAD_F32)
        memcpy(at, &value, sizeof(value));
    else
        *(uint8_t *)at = (uint8_t)(fminf(fmaxf(value, 0), 1) * 255 + 0.5f);
}

/* `memory`: three planes of colour, depth, opacity. */
static void put_all(const physad_view *colour, const physad_view *depth, const physad_view *opacity,
                    const float *memory, const physad_camera *c)
{
    const int64_t plane = c->width * c->height;
    for (int64_t at = 0; at < plane; at++) {
        const int64_t y = at / c->width, x = at % c->width;
        const float solid = memory[4 * plane + at];
        for (int64_t ch = 0; ch < 3; ch++)
            put(colour, y, x, ch, memory[ch * plane + at]);
        if (depth != NULL)
            put(depth, y, x, 0, memory[3 * plane + at]);
        if (opacity != NULL)
            put(opacity, y, x, 0, solid);
    }
}

static physad_status render(const physad_scene *scene, const physad_camera *camera, const float *background,
                            float *memory)
{
    const physad__gaussians *g = &scene->parts.gaussians;
    const int64_t plane = camera->width * camera->height;
    const physad__splat_images images = { memory, memory + 3 * plane, memory + 4 * plane, NULL };
    physad__splat_input in = { .planes = physad__splat_planes_at(g->planes, g->stride),
                               .count = g->count,
                               .degree = g->degree,
                               .with_depth = true,
                               .middle = true,
                               .camera = physad__scene_camera(camera, g->nearest) };
    physad__splat *splat;
    if (background != NULL)
        memcpy(in.background, background, sizeof(in.background));
    PHYSAD__TRY(physad__splat_new(&splat, scene->ctx));
    const physad_status status = physad__splat_forward(splat, &in, &images);
    physad__splat_free(splat);
    return status;
}

physad_status physad_scene_render(const physad_scene *scene, const physad_camera *camera, const float *background,
                                  const physad_view *colour, const physad_view *depth, const physad_view *opacity)
{
    PHYSAD__TRY(scene_check(scene, "physad_scene_render"));
    PHYSAD__TRY(physad__camera_check(camera, "physad_scene_render"));
    PHYSAD__TRY(check_image(colour, "physad_scene_render: colour", camera, true));
    if (depth != NULL)
        PHYSAD__TRY(check_image(depth, "physad_scene_render: depth", camera, false));
    if (opacity != NULL)
        PHYSAD__TRY(check_image(opacity, "physad_scene_render: opacity", camera, false));
    float *memory = physad__alloc_array(&scene->ctx->mem, 5 * camera->width * camera->height, sizeof(float), "picture");
    if (memory == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = render(scene, camera, background, memory);
    if (status == PHYSAD_OK)
        put_all(colour, depth, opacity, memory, camera);
    physad__free(memory);
    return status;
}
