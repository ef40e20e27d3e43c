/* SPDX-License-Identifier: Apache-2.0 */
/* What the table of bad calls is called on. */
#ifndef PHYSAD__BAD_CALLS_H
#define PHYSAD__BAD_CALLS_H

#include "scratch.h"

#include <physad/physad.h>

#include <jansson.h>
#include <sys/stat.h>

enum { SIDE = 64, MOST_VIEWS = 8 };

typedef struct world {
    physad_context *ctx;
    physad_dataset *dataset, *empty_dataset; /* six photos n0.png ... of 64 x 64; none */
    physad_transform *transform;             /* to 32 x 32 */
    physad_features *features;               /* efficientnet-lite0, random:1, 64 x 64 */
    physad_bank *bank, *empty_bank;          /* four rows of two numbers; none, of two numbers */
    physad_detector *detector, *fitted;      /* patchcore, random:1, input 64; the other fitted on `dataset` */
    physad_result *result;                   /* of n0.png */
    physad_scores *scores;                   /* 0.0 of a normal and 1.0 of an anomalous sample */
    physad_pixels *pixels;
    physad_metrics *metrics; /* of scores */
    physad_tensors *tensors; /* none */
    uint8_t photos[6][SIDE * SIDE * 3];
    const json_t *call; /* in progress */
    physad_view views[MOST_VIEWS];
    int view_count;
} world;

static inline void world_photos(world *w)
{
    assert_ok(physad_dataset_new(&w->dataset, w->ctx));
    assert_ok(physad_dataset_new(&w->empty_dataset, w->ctx));
    for (int i = 0; i < 6; i++) {
        physad__rng rng;
        char name[16];
        physad__rng_seed(&rng, (uint64_t)i, 7);
        for (int p = 0; p < SIDE * SIDE * 3; p++)
            w->photos[i][p] = (uint8_t)(256 * physad__rng_uniform(&rng));
        snprintf(name, sizeof(name), "n%d.png", i);
        const physad_view photo = physad_view_rgb8(w->photos[i], SIDE, SIDE, SIDE * 3);
        physad_item item = PHYSAD_ITEM_INIT;
        item.photo = &photo;
        item.name = name;
        assert_ok(physad_dataset_add(w->dataset, &item));
    }
}

static inline physad_detector *new_patchcore(world *w)
{
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, w->ctx, "patchcore"));
    assert_ok(physad_detector_set(det, "weights", "random:1"));
    assert_ok(physad_detector_set(det, "input", "64"));
    return det;
}

static inline void world_make(world *w)
{
    static float rows[4][2] = { { 0, 1 }, { 2, 3 }, { 4, 5 }, { 6, 7 } };
    const int64_t shape[2] = { 4, 2 };
    const physad_view bank_rows = physad_view_array(rows, PHYSAD_F32, 2, shape);
    physad_transform_options t = PHYSAD_TRANSFORM_OPTIONS_INIT;
    physad_features_options f = PHYSAD_FEATURES_OPTIONS_INIT;
    memset(w, 0, sizeof(*w));
    assert_ok(physad_context_new(&w->ctx, NULL));
    world_photos(w);
    t.height = t.width = 32;
    assert_ok(physad_transform_new(&w->transform, w->ctx, &t));
    f.weights = "random:1";
    f.height = f.width = 64;
    assert_ok(physad_features_new(&w->features, w->ctx, &f));
    assert_ok(physad_bank_new(&w->empty_bank, w->ctx, 2, NULL));
    assert_ok(physad_bank_new(&w->bank, w->ctx, 2, NULL));
    assert_ok(physad_bank_add(w->bank, &bank_rows, NULL, NULL));
    w->detector = new_patchcore(w);
    w->fitted = new_patchcore(w);
    assert_ok(physad_detector_fit(w->fitted, w->dataset, NULL));
    const physad_view photo = physad_view_rgb8(w->photos[0], SIDE, SIDE, SIDE * 3);
    assert_ok(physad_detector_score(w->fitted, &photo, &w->result));
    assert_ok(physad_scores_new(&w->scores, w->ctx));
    assert_ok(physad_scores_add(w->scores, 0, 0, NULL, NULL));
    assert_ok(physad_scores_add(w->scores, 1, 1, NULL, NULL));
    assert_ok(physad_scores_measure(&w->metrics, w->scores, NULL, NULL));
    assert_ok(physad_pixels_new(&w->pixels, w->ctx));
    assert_ok(physad_tensors_new(&w->tensors, w->ctx));
}

static inline void world_free(world *w)
{
    physad_tensors_free(w->tensors);
    physad_pixels_free(w->pixels);
    physad_metrics_free(w->metrics);
    physad_scores_free(w->scores);
    physad_result_free(w->result);
    physad_detector_free(w->fitted);
    physad_detector_free(w->detector);
    physad_bank_free(w->bank);
    physad_bank_free(w->empty_bank);
    physad_features_free(w->features);
    physad_transform_free(w->transform);
    physad_dataset_free(w->empty_dataset);
    physad_dataset_free(w->dataset);
    assert_int_equal(physad_context_memory_used(w->ctx), 0);
    physad_context_free(w->ctx);
}

/* The folder in which the calls are made; the tests go on there. */
static inline void enter_folder(char *folder, size_t size)
{
    char golden[4096], target[4200];
    assert_non_null(realpath(getenv("PHYSAD_TEST_GOLDEN"), golden));
    scratch_make(folder, size);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("empty", 0777), 0);
    snprintf(target, sizeof(target), "%s/images", golden);
    assert_int_equal(symlink(target, "images"), 0);
    snprintf(target, sizeof(target), "%s/tensors", golden);
    assert_int_equal(symlink(target, "tensors"), 0);
    FILE *f = fopen("text.txt", "w");
    assert_non_null(f);
    fputs("no photo, no model\n", f);
    assert_int_equal(fclose(f), 0);
}

#endif
