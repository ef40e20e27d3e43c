/* SPDX-License-Identifier: Apache-2.0 */
/* A small known scene, cameras around it, and a folder of its photos with poses. */
#ifndef PHYSAD__TEST_SCENE_HELP_H
#define PHYSAD__TEST_SCENE_HELP_H

#include "test.h"

#include "io/io.h"
#include "own_context.h"
#include "scene/scene.h"
#include "scratch.h"

#include <physad/image.h>

enum { WIDTH = 48, HEIGHT = 40, VIEWS = 12, COUNT = 160 };

/* --- a folder of photos --- */

/* Around the origin, looking at it. */
static inline physad_camera camera_at(int view)
{
    physad_camera c = { .fx = 50, .fy = 50, .cx = WIDTH / 2.0, .cy = HEIGHT / 2.0, .width = WIDTH, .height = HEIGHT };
    const double angle = 2 * M_PI * view / VIEWS, rise = 0.3 * sin(3 * angle);
    const double ahead[3] = { -cos(angle) * cos(rise), -sin(rise), -sin(angle) * cos(rise) };
    const double right[3] = { ahead[2] / cos(rise), 0, -ahead[0] / cos(rise) };
    for (int k = 0; k < 3; k++) {
        c.rotation[k] = right[k];
        c.rotation[6 + k] = ahead[k];
    }
    for (int k = 0; k < 3; k++) /* down: ahead x right */
        c.rotation[3 + k] = ahead[(k + 1) % 3] * right[(k + 2) % 3] - ahead[(k + 2) % 3] * right[(k + 1) % 3];
    c.translation[2] = 4;
    return c;
}

static inline void write_ply(const char *path)
{
    FILE *f = fopen(path, "w");
    physad__rng rng;
    assert_non_null(f);
    physad__rng_seed(&rng, 7, 7);
    fprintf(f, "ply\nformat ascii 1.0\nelement vertex %d\n", COUNT);
    static const char *const names[] = { "x",       "y",       "z",       "f_dc_0", "f_dc_1", "f_dc_2", "opacity",
                                         "scale_0", "scale_1", "scale_2", "rot_0",  "rot_1",  "rot_2",  "rot_3" };
    for (int64_t k = 0; k < PHYSAD__COUNT(names); k++)
        fprintf(f, "property float %s\n", names[k]);
    fprintf(f, "end_header\n");
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < 14; k++) {
            const double v = physad__rng_normal(&rng);
            fprintf(f, "%d ", (int)(1000 * (k < 3 ? 0.5 * v : k < 6 ? v : k == 6 ? 2 + v : k < 10 ? -2 + 0.3 * v : v)));
        }
        fprintf(f, "\n");
    }
    fclose(f);
}

/* Thousandths, so that no locale gets between: brought down by reading them as they are and dividing here. */
static inline physad_scene *known_scene(physad_context *ctx, const char *folder)
{
    char path[512];
    physad_scene *scene = NULL;
    snprintf(path, sizeof(path), "%s/known.ply", folder);
    write_ply(path);
    physad__gaussians g;
    assert_ok(physad__gaussians_read(&g, &ctx->mem, path, 16));
    for (int64_t i = 0; i < 14 * g.stride; i++)
        g.planes[i] /= 1000;
    assert_ok(physad__gaussians_write(&ctx->mem, path, &g));
    physad__free(g.planes);
    assert_ok(physad_scene_load(&scene, ctx, path));
    assert_int_equal(physad_scene_gaussians(scene), COUNT);
    assert_int_equal(physad_scene_cameras(scene), 0);
    return scene;
}

static inline physad_view picture(uint8_t *memory)
{
    const int64_t shape[3] = { HEIGHT, WIDTH, 3 };
    return physad_view_array(memory, PHYSAD_U8, 3, shape);
}

/* The photos go to `within` (such as "train/good/"), an existing folder of `folder`; of the last `extra` there are
 * poses alone. */
static inline void write_photos_in(physad_context *ctx, const char *folder, const char *within, int extra)
{
    uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view view = picture(memory);
    char path[512];
    physad_scene *scene = known_scene(ctx, folder);
    json_t *root = json_object(), *frames = json_array();
    json_object_set_new(root, "fl_x", json_real(50));
    json_object_set_new(root, "w", json_integer(WIDTH));
    json_object_set_new(root, "h", json_integer(HEIGHT));
    for (int i = 0; i < VIEWS + extra; i++) {
        const physad_camera c = camera_at(i);
        assert_ok(physad_scene_render(scene, &c, NULL, &view, NULL, NULL));
        snprintf(path, sizeof(path), "%s/%s%d.png", folder, within, i);
        if (i < VIEWS)
            assert_ok(physad_image_write(ctx, path, &view, NULL));
        json_t *frame = json_object(), *matrix = json_array();
        for (int row = 0; row < 4; row++) {
            json_t *numbers = json_array();
            for (int k = 0; k < 4; k++) { /* camera to world; y and z the other way */
                double value = k < 3 && row < 3 ? c.rotation[k * 3 + row] * (k == 0 ? 1 : -1) : row == 3 && k == 3;
                if (k == 3 && row < 3)
                    value = -c.rotation[6 + row] * c.translation[2];
                json_array_append_new(numbers, json_real(value));
            }
            json_array_append_new(matrix, numbers);
        }
        if (i < VIEWS)
            snprintf(path, sizeof(path), "%s%d", within, i);
        else
            snprintf(path, sizeof(path), "test/good/q%d.png", i);
        json_object_set_new(frame, "file_path", json_string(path));
        json_object_set_new(frame, "transform_matrix", matrix);
        json_array_append_new(frames, frame);
    }
    json_object_set_new(root, "frames", frames);
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    assert_ok(physad__json_write(&ctx->mem, path, root));
    json_decref(root);
    physad_scene_free(scene);
}

static inline void write_photos(physad_context *ctx, const char *folder)
{
    write_photos_in(ctx, folder, "", 0);
}

static inline physad_status open_views(physad__scene_views *v, physad_context *ctx, const char *folder, int32_t side,
                                       const physad__scene_choice *chosen)
{
    physad__call call;
    physad__scene_choice trusting = chosen != NULL ? *chosen : (physad__scene_choice){ 0 };
    trusting.trusted = true; /* these tests are about what files say, not about what photos show */
    assert_ok(physad__call_begin(&call, ctx, NULL, "views"));
    const physad_status status = physad__scene_views_open(v, ctx, folder, side, 0, &trusting, &call);
    physad__call_end(&call);
    return status;
}

#endif
