/* SPDX-License-Identifier: Apache-2.0 */
/* A set of photos with poses in the layout of data sets, detectors that are quick to fit to it, and a photo with a
 * patch painted over. */
#ifndef PHYSAD__TEST_POSED_HELP_H
#define PHYSAD__TEST_POSED_HELP_H

#include "scene_help.h"

#include <physad/dataset.h>
#include <physad/detect.h>

#include <sys/stat.h>

enum { PATCH_X = 20, PATCH_Y = 16, PATCH = 9 };

static inline void make_set(physad_context *ctx, char *folder, size_t size, int extra)
{
    static const char *const within[] = { "train", "train/good" };
    char path[512];
    scratch_make(folder, size);
    for (int64_t i = 0; i < PHYSAD__COUNT(within); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, within[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    write_photos_in(ctx, folder, "train/good/", extra);
}

static inline physad_detector *new_detector(physad_context *ctx, const char *method)
{
    static const char *const options[][2] = { { "steps", "120" },         { "random_points", "500" },
                                              { "max_gaussians", "900" }, { "weights", "random:1" },
                                              { "harmonics", "1" },       { "calibration", "0" } };
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, method));
    for (int64_t i = 0; i < PHYSAD__COUNT(options); i++)
        assert_ok(physad_detector_set(det, options[i][0], options[i][1]));
    if (strcmp(method, "splat-bank") == 0) /* without a second fit */
        assert_ok(physad_detector_set(det, "plain", "fallback"));
    return det;
}

static inline physad_detector *fitted(physad_context *ctx, const char *folder, const char *method)
{
    physad_dataset *set = NULL;
    physad_detector *det = new_detector(ctx, method);
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_ok(physad_detector_fit(det, set, NULL));
    physad_dataset_free(set);
    return det;
}

/* From between the training cameras; `painted`: with a patch that is not the scene's. */
static inline void draw_query(physad_context *ctx, const char *folder, uint8_t *memory, bool painted)
{
    const double tangent[6] = { 0.05, 0.02, -0.04, 0.01, -0.02, 0.01 };
    const physad_view photo = picture(memory);
    physad_scene *scene = known_scene(ctx, folder);
    physad_camera c = camera_at(4);
    physad__splat_camera_move(c.rotation, c.translation, tangent);
    assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
    physad_scene_free(scene);
    for (int y = 0; painted && y < PATCH; y++)
        for (int x = 0; x < PATCH; x++)
            memcpy(memory + ((PATCH_Y + y) * WIDTH + PATCH_X + x) * 3,
                   (x + y) % 4 < 2 ? "\xff\x00\xff" : "\x00\xff\x00", 3);
}

static inline double score(const physad_detector *det, uint8_t *memory, float *map)
{
    const int64_t shape[2] = { HEIGHT, WIDTH };
    const physad_view photo = picture(memory), out = physad_view_array(map, PHYSAD_F32, 2, shape);
    physad_result *r = NULL;
    assert_ok(physad_detector_score(det, &photo, &r));
    assert_ok(physad_result_map(r, &out));
    const double value = physad_result_score(r);
    physad_result_free(r);
    return value;
}

#endif
