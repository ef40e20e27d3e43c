/* SPDX-License-Identifier: Apache-2.0 */
#include "own_context.h"
#include "test.h"

#include "nn/nn.h"

#include "detect/detect.h"

#include <physad/dataset.h>
#include <physad/detect.h>
#include <physad/weights.h>
#include <physad/tensors.h>

#include <unistd.h>

enum { SIDE = 64 };

/* A textured grey photo with its own noise; a dark square at (24, 24) when defective. */
static void draw(uint8_t *pixels, uint64_t seed, bool defective)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 7);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int wave = 120 + 40 * ((x / 8 + y / 8) % 2) + (int)(10 * physad__rng_uniform(&rng));
            const bool hole = defective && y >= 24 && y < 36 && x >= 24 && x < 36;
            for (int c = 0; c < 3; c++)
                pixels[(y * SIDE + x) * 3 + c] = (uint8_t)(hole ? 10 : wave);
        }
}

static physad_view photo(uint8_t *pixels, uint64_t seed, bool defective)
{
    draw(pixels, seed, defective);
    return physad_view_rgb8(pixels, SIDE, SIDE, SIDE * 3);
}

/* Normal photos number `from` to `to` - 1, without `skipped`. */
static physad_dataset *normals(physad_context *ctx, int from, int to, int skipped)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = from; i < to; i++) {
        char name[16];
        const physad_view v = photo(pixels, (uint64_t)i, false);
        physad_item item = PHYSAD_ITEM_INIT;
        snprintf(name, sizeof(name), "n%02d.png", i);
        item.flags = PHYSAD_ITEM_COPY;
        item.photo = &v;
        item.name = name;
        if (i != skipped)
            assert_ok(physad_dataset_add(ds, &item));
    }
    return ds;
}

static physad_detector *new_detector(physad_context *ctx, const char *method)
{
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, method));
    assert_ok(physad_detector_set(det, "weights", "random:1"));
    assert_ok(physad_detector_set(det, "input", "64"));
    return det;
}

static physad_detector *fitted(physad_context *ctx, const char *method, int count)
{
    physad_detector *det = new_detector(ctx, method);
    physad_dataset *ds = normals(ctx, 0, count, -1);
    assert_ok(physad_detector_fit(det, ds, NULL));
    physad_dataset_free(ds);
    return det;
}

static double score_of(const physad_detector *det, uint64_t seed, bool defective)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_result *r = NULL;
    const physad_view v = photo(pixels, seed, defective);
    assert_ok(physad_detector_score(det, &v, &r));
    const double s = physad_result_score(r);
    physad_result_free(r);
    return s;
}

static const char *const methods[] = { "patchcore", "padim" };

static void a_hole_scores_higher_than_none(void **state)
{
    for (int m = 0; m < 2; m++) {
        physad_context *ctx = new_context(0);
        physad_detector *det = fitted(ctx, methods[m], 24);
        const double good = score_of(det, 1000, false), bad = score_of(det, 1000, true);
        if (!(bad > good))
            fail_msg("%s: %g for a hole, %g for none", methods[m], bad, good);
        physad_detector_free(det);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
}

static void the_map_points_at_the_hole(void **state)
{
    uint8_t pixels[SIDE * SIDE * 3];
    float map[SIDE * SIDE];
    const int64_t shape[2] = { SIDE, SIDE };
    physad_context *ctx = new_context(0);
    physad_detector *det = fitted(ctx, "patchcore", 24);
    physad_result *r = NULL;
    const physad_view v = photo(pixels, 1000, true), out = physad_view_array(map, PHYSAD_F32, 2, shape);
    int64_t h, w;
    int most = 0;
    assert_ok(physad_detector_score(det, &v, &r));
    assert_ok(physad_result_map_shape(r, &h, &w));
    assert_int_equal(h, SIDE);
    assert_int_equal(w, SIDE);
    assert_ok(physad_result_map(r, &out));
    for (int i = 0; i < SIDE * SIDE; i++)
        if (map[i] > map[most])
            most = i;
    assert_in_range(most / SIDE, 16, 44);
    assert_in_range(most % SIDE, 16, 44);
    physad_nearest nearest = PHYSAD_NEAREST_INIT;
    physad_detector_free(det); /* results outlive it */
    assert_ok(physad_result_nearest(r, 30, 30, &nearest));
    assert_int_equal(nearest.path[0], 'n');
    assert_true(nearest.distance > 0 && nearest.y > 0 && nearest.y < SIDE);
    assert_fails(PHYSAD_ERR_ARG, "(64,0) lies outside the photo of 64 x 64", physad_result_nearest(r, 64, 0, &nearest));
    physad_result_free(r);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void a_training_patch_is_its_own_nearest(void **state)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_context *ctx = new_context(0);
    physad_detector *det = new_detector(ctx, "patchcore");
    physad_dataset *ds = normals(ctx, 0, 6, -1);
    physad_result *r = NULL;
    physad_nearest nearest = PHYSAD_NEAREST_INIT;
    assert_ok(physad_detector_set(det, "coreset_ratio", "1"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_fit(det, ds, NULL));
    const physad_view v = photo(pixels, 3, false);
    assert_ok(physad_detector_score(det, &v, &r));
    assert_ok(physad_result_nearest(r, 36, 12, &nearest));
    assert_string_equal(nearest.path, "n03.png");
    assert_true(nearest.distance == 0);
    assert_near(nearest.y, 36, 4);
    assert_near(nearest.x, 12, 4);
    physad_result_free(r);
    physad_dataset_free(ds);
    physad_detector_free(det);
    physad_context_free(ctx);
}

static void read_all(const char *path, char **out, long *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    *out = malloc((size_t)*size);
    assert_int_equal(fread(*out, 1, (size_t)*size, f), *size);
    fclose(f);
}

static void assert_same_model(const physad_detector *a, const physad_detector *b)
{
    char *x, *y;
    long n, m;
    char pa[64], pb[64];
    snprintf(pa, sizeof(pa), "test_detect_%d_a.physad", (int)getpid());
    snprintf(pb, sizeof(pb), "test_detect_%d_b.physad", (int)getpid());
    assert_ok(physad_detector_save(a, pa));
    assert_ok(physad_detector_save(b, pb));
    read_all(pa, &x, &n);
    read_all(pb, &y, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, (size_t)n);
    free(x);
    free(y);
    remove(pa);
    remove(pb);
}

static void threads_and_loading_change_no_bit(void **state)
{
    const char *path = "test_detect_model.physad";
    for (int m = 0; m < 2; m++) {
        physad_context *one = new_context(1), *three = new_context(3);
        physad_detector *a = fitted(one, methods[m], 24), *b = fitted(three, methods[m], 24), *c = NULL;
        assert_same_model(a, b);
        assert_ok(physad_detector_save(a, path));
        assert_ok(physad_detector_load(&c, three, path));
        assert_same_model(a, c);
        for (uint64_t s = 100; s < 104; s++) {
            const double want = score_of(a, s, s % 2);
            assert_true(score_of(b, s, s % 2) == want);
            assert_true(score_of(c, s, s % 2) == want);
        }
        remove(path);
        physad_detector_free(a);
        physad_detector_free(b);
        physad_detector_free(c);
        assert_int_equal(physad_context_memory_used(one), 0);
        assert_int_equal(physad_context_memory_used(three), 0);
        physad_context_free(one);
        physad_context_free(three);
    }
}

/* Weights drawn with a seed, in a file. */
static void write_weights(physad_context *ctx, const char *spec, const char *path)
{
    physad_features *features = NULL;
    physad_tensors *tensors = NULL;
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    o.weights = spec;
    o.height = SIDE;
    assert_ok(physad_features_new(&features, ctx, &o));
    assert_ok(physad_tensors_new(&tensors, ctx));
    assert_ok(physad__features_export(features, tensors, ""));
    assert_ok(physad_tensors_save(tensors, path));
    physad_tensors_free(tensors);
    physad_features_free(features);
}

static void weights_of_a_file_must_stay_the_same(void **state)
{
    const char *path = "test_detect_named.physad", *weights = "./test_detect_weights.safetensors";
    physad_context *ctx = new_context(1);
    physad_detector *drawn = fitted(ctx, "patchcore", 24), *det = new_detector(ctx, "patchcore"), *loaded = NULL;
    physad_dataset *ds = normals(ctx, 0, 24, -1);
    write_weights(ctx, "random:1", weights);
    assert_ok(physad_detector_set(det, "weights", weights));
    assert_ok(physad_detector_fit(det, ds, NULL));
    assert_ok(physad_detector_save(det, path));
    assert_ok(physad_detector_load(&loaded, ctx, path));
    assert_true(score_of(det, 100, true) == score_of(drawn, 100, true));
    assert_true(score_of(loaded, 100, true) == score_of(drawn, 100, true));
    physad_detector_free(loaded);
    write_weights(ctx, "random:2", weights);
    assert_fails(PHYSAD_ERR_FORMAT, "SHA-256", physad_detector_load(&loaded, ctx, path));
    physad_load_options moved = PHYSAD_LOAD_OPTIONS_INIT;
    moved.weights = "./test_detect_moved.safetensors";
    write_weights(ctx, "random:1", moved.weights);
    remove(weights);
    assert_fails(PHYSAD_ERR_IO, weights, physad_detector_load(&loaded, ctx, path));
    assert_ok(physad_detector_load_with(&loaded, ctx, path, &moved));
    assert_true(score_of(loaded, 100, true) == score_of(drawn, 100, true));
    physad_detector_free(loaded);
    assert_ok(physad_detector_save(drawn, path));
    assert_fails(PHYSAD_ERR_ARG, "made with random ones", physad_detector_load_with(&loaded, ctx, path, &moved));
    remove(moved.weights);
    remove(path);
    physad_dataset_free(ds);
    physad_detector_free(det);
    physad_detector_free(drawn);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static float *map_of(const physad_detector *det, int64_t side, double *score)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_result *r = NULL;
    const int64_t shape[2] = { side, side };
    const physad_view v = photo(pixels, 1000, true);
    float *map = malloc((size_t)(side * side) * sizeof(*map));
    const physad_view out = physad_view_array(map, PHYSAD_F32, 2, shape);
    assert_ok(physad_detector_score(det, &v, &r));
    assert_ok(physad_result_input_map(r, &out));
    *score = physad_result_score(r);
    physad_result_free(r);
    return map;
}

static physad_detector *fitted_in_tiles(physad_context *ctx, const char *method, const char *tiles,
                                        const char *calibrate)
{
    physad_detector *det = new_detector(ctx, method);
    physad_dataset *ds = normals(ctx, 0, 8, -1);
    assert_ok(physad_detector_set(det, "input", "192"));
    assert_ok(physad_detector_set(det, "layers", "b2,b4")); /* what they see is less than a tile */
    assert_ok(physad_detector_set(det, "tiles", tiles));
    assert_ok(strcmp(method, "padim") == 0 ? physad_detector_set(det, "dim", "32")
                                           : physad_detector_set(det, "calibrate", calibrate));
    assert_ok(physad_detector_fit(det, ds, NULL));
    physad_dataset_free(ds);
    return det;
}

/* Greatest step between neighbours of a row. */
static double steepest(const float *map, int64_t side)
{
    double most = 0;
    for (int64_t i = 0; i + 1 < side * side; i++)
        if (i % side != side - 1)
            most = fmax(most, fabs((double)map[i + 1] - (double)map[i]));
    return most;
}

static void tiles_leave_no_seam(void **state)
{
    enum { INPUT = 192 };
    physad_context *ctx = new_context(2), *one = new_context(1);
    for (int m = 0; m < 2; m++) {
        physad_detector *whole = fitted_in_tiles(ctx, methods[m], "0", "none"),
                        *tiled = fitted_in_tiles(ctx, methods[m], "96", "none");
        physad_detector *large = fitted_in_tiles(ctx, methods[m], "192", "none"),
                        *alone = fitted_in_tiles(one, methods[m], "96", "none");
        double want, got, same;
        float *a = map_of(whole, INPUT, &want), *b = map_of(tiled, INPUT, &got), *c = map_of(large, INPUT, &same);
        assert_true(same == want); /* one tile is the whole */
        assert_memory_equal(a, c, INPUT * INPUT * sizeof(float));
        assert_same_model(tiled, alone);
        assert_near(got, want, 0.1 * want);
        assert_true(steepest(b, INPUT) <= 1.3 * steepest(a, INPUT));
        double sum[5] = { 0 };
        for (int64_t i = 0; i < INPUT * INPUT; i++) {
            sum[0] += a[i];
            sum[1] += b[i];
            sum[2] += a[i] * a[i];
            sum[3] += b[i] * b[i];
            sum[4] += a[i] * b[i];
        }
        const double n = INPUT * INPUT;
        const double r =
            (n * sum[4] - sum[0] * sum[1]) / sqrt((n * sum[2] - sum[0] * sum[0]) * (n * sum[3] - sum[1] * sum[1]));
        if (!(r > 0.99))
            fail_msg("%s: the maps with and without tiles correlate by %g", methods[m], r);
        free(a);
        free(b);
        free(c);
        physad_detector_free(whole);
        physad_detector_free(tiled);
        physad_detector_free(large);
        physad_detector_free(alone);
    }
    physad_detector *det = new_detector(ctx, "patchcore");
    physad_dataset *ds = normals(ctx, 0, 3, -1);
    assert_ok(physad_detector_set(det, "input", "192"));
    assert_ok(physad_detector_set(det, "tiles", "100"));
    assert_fails(PHYSAD_ERR_ARG, "tiles of 100 for an input of 192 x 192, overlapping by 64: want multiples of 16",
                 physad_detector_fit(det, ds, NULL));
    assert_ok(physad_detector_set(det, "tiles", "64"));
    assert_fails(PHYSAD_ERR_ARG, "less overlap", physad_detector_fit(det, ds, NULL));
    physad_dataset_free(ds);
    physad_detector_free(det);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    assert_int_equal(physad_context_memory_used(one), 0);
    physad_context_free(ctx);
    physad_context_free(one);
}

/* In deviations of normal distances: normal photos stay where they were, though at a tile's border a patch looks
 * otherwise. What the hole is in these is less there, for the normals differ more. */
static void tiles_keep_the_scale_of_positions(void **state)
{
    physad_context *ctx = new_context(2);
    physad_detector *whole = fitted_in_tiles(ctx, "patchcore", "0", "position"),
                    *tiled = fitted_in_tiles(ctx, "patchcore", "96", "position");
    double usual = 0;
    for (uint64_t i = 500; i < 508; i++) {
        const double a = score_of(whole, i, false), b = score_of(tiled, i, false);
        assert_near(a, b, 0.5);
        usual = fmax(usual, fmax(a, b));
    }
    assert_true(usual < 3);
    assert_true(score_of(whole, 1000, true) > 20 * usual && score_of(tiled, 1000, true) > 20 * usual);
    physad_detector_free(whole);
    physad_detector_free(tiled);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void another_precision_takes_the_promise_away(void **state)
{
    const char *path = "test_detect_precision.physad";
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, "patchcore"), *rough = NULL;
    physad_dataset *ds = normals(ctx, 0, 12, -1);
    physad_load_options o = PHYSAD_LOAD_OPTIONS_INIT;
    physad_threshold t = PHYSAD_THRESHOLD_INIT;
    assert_ok(physad_detector_set(det, "alpha", "0.34"));
    assert_ok(physad_detector_fit(det, ds, NULL));
    assert_ok(physad_detector_threshold(det, &t));
    const double value = t.value, want = score_of(det, 100, true);
    assert_ok(physad_detector_save(det, path));
    o.precision = "f16";
    assert_fails(PHYSAD_ERR_ARG, "option precision is \"f16\", want one of f32|bf16",
                 physad_detector_load_with(&rough, ctx, path, &o));
    o.precision = "f32";
    assert_ok(physad_detector_load_with(&rough, ctx, path, &o));
    assert_ok(physad_detector_threshold(rough, &t));
    assert_true(t.given == 0 && score_of(rough, 100, true) == want);
    physad_detector_free(rough);
    rough = NULL;
    o.precision = "bf16";
    const physad_status status = physad_detector_load_with(&rough, ctx, path, &o);
    if (status != PHYSAD_ERR_UNSUPPORTED) { /* a processor without bf16 */
        assert_ok(status);
        assert_ok(physad_detector_threshold(rough, &t));
        assert_true(t.given == 1 && t.value == value && isnan(t.alpha) && t.groups == 0);
        const double got = score_of(rough, 100, true);
        assert_true(got != want);
        assert_near(got, want, 0.05 * want);
    }
    remove(path);
    physad_dataset_free(ds);
    physad_detector_free(rough);
    physad_detector_free(det);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* With the default weights, which the model carries; skipped where they are not on this machine. */
static void a_model_that_carries_its_weights_saves_equally(void **state)
{
    char where[4096];
    const char *path = "test_detect_carried.physad";
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, "patchcore"), *loaded = NULL;
    physad_dataset *ds = normals(ctx, 0, 6, -1);
    physad_load_options o = PHYSAD_LOAD_OPTIONS_INIT;
    if (physad_weights_find(ctx, "efficientnet-lite0", NULL, where, sizeof(where)) == PHYSAD_OK) {
        assert_ok(physad_detector_set(det, "weights", ""));
        assert_ok(physad_detector_fit(det, ds, NULL));
        assert_ok(physad_detector_save(det, path));
        assert_ok(physad_detector_load(&loaded, ctx, path));
        assert_same_model(det, loaded);
        assert_ok(physad_detector_save(loaded, path)); /* over the file that it maps */
        assert_same_model(det, loaded);
        physad_detector_free(loaded);
        assert_ok(physad_detector_load(&loaded, ctx, path));
        assert_same_model(det, loaded);
        physad_detector_free(loaded);
        loaded = NULL;
        o.weights = where;
        assert_fails(PHYSAD_ERR_ARG, "the model carries its own", physad_detector_load_with(&loaded, ctx, path, &o));
        remove(path);
    }
    physad_dataset_free(ds);
    physad_detector_free(det);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void batches_change_no_bit(void **state)
{
    static uint8_t pixels[7][SIDE * SIDE * 3];
    physad_view views[7];
    physad_result *r[7];
    physad_context *ctx = new_context(2);
    physad_detector *det = fitted(ctx, "patchcore", 12);
    for (int i = 0; i < 7; i++)
        views[i] = photo(pixels[i], (uint64_t)(50 + i), i % 2);
    assert_ok(physad_detector_score_batch(det, views, 7, r));
    for (int i = 0; i < 7; i++) {
        assert_true(physad_result_score(r[i]) == score_of(det, (uint64_t)(50 + i), i % 2));
        physad_result_free(r[i]);
    }
    physad_detector_free(det);
    physad_context_free(ctx);
}

static void removing_equals_never_having_had_it(void **state)
{
    for (int m = 0; m < 2; m++) {
        physad_context *ctx = new_context(0);
        physad_detector *a = new_detector(ctx, methods[m]), *b = new_detector(ctx, methods[m]);
        physad_dataset *all = normals(ctx, 0, 12, -1), *some = normals(ctx, 0, 12, 5),
                       *lacking = normals(ctx, 0, 10, 5);
        physad_dataset *last = normals(ctx, 10, 12, -1);
        assert_ok(physad_detector_set(a, "keep_features", "true"));
        assert_ok(physad_detector_set(b, "keep_features", "true"));
        assert_ok(physad_detector_set(a, "alpha", "0.34"));
        assert_ok(physad_detector_set(b, "alpha", "0.34"));
        assert_ok(physad_detector_fit(a, all, NULL));
        assert_ok(physad_detector_remove(a, "n05.png", NULL));
        assert_ok(physad_detector_fit(b, some, NULL));
        assert_same_model(a, b);
        physad_detector_free(b);
        b = new_detector(ctx, methods[m]);
        assert_ok(physad_detector_set(b, "keep_features", "true"));
        assert_ok(physad_detector_set(b, "alpha", "0.34"));
        assert_ok(physad_detector_fit(b, lacking, NULL));
        assert_ok(physad_detector_add(b, last, NULL));
        assert_same_model(a, b);
        assert_fails(PHYSAD_ERR_ARG, "was not fitted on \"n05.png\"", physad_detector_remove(a, "n05.png", NULL));
        physad_dataset_free(all);
        physad_dataset_free(some);
        physad_dataset_free(lacking);
        physad_dataset_free(last);
        physad_detector_free(a);
        physad_detector_free(b);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
}

/* `count` normals and, after the third and at the end, photos that are not there. */
static physad_dataset *normals_with_gaps(physad_context *ctx, int count)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = 0; i <= count; i++) {
        char name[32];
        physad_item item = PHYSAD_ITEM_INIT, gone = PHYSAD_ITEM_INIT;
        const physad_view v = photo(pixels, (uint64_t)i, false);
        gone.file = i == 3 ? "/no/such/third.png" : "/no/such/last.png";
        if (i == 3 || i == count)
            assert_ok(physad_dataset_add(ds, &gone));
        snprintf(name, sizeof(name), "n%02d.png", i);
        item.flags = PHYSAD_ITEM_COPY;
        item.photo = &v;
        item.name = name;
        if (i < count)
            assert_ok(physad_dataset_add(ds, &item));
    }
    return ds;
}

static void broken_photos_are_left_out_as_if_never_there(void **state)
{
    for (int m = 0; m < 2; m++) {
        physad_context *ctx = new_context(2);
        physad_detector *a = new_detector(ctx, methods[m]), *b = new_detector(ctx, methods[m]);
        physad_dataset *gaps = normals_with_gaps(ctx, 12), *whole = normals(ctx, 0, 12, -1);
        physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
        const char *reason = NULL;
        assert_ok(physad_detector_set(a, "alpha", "0.34"));
        assert_ok(physad_detector_set(b, "alpha", "0.34"));
        assert_ok(physad_detector_set(a, "keep_features", "true"));
        assert_ok(physad_detector_set(b, "keep_features", "true"));
        assert_fails(PHYSAD_ERR_IO, "/no/such/third.png", physad_detector_fit(a, gaps, NULL));
        assert_int_equal(physad_detector_skipped_count(a), 0);
        call.on_error = PHYSAD_ERRORS_SKIP;
        assert_ok(physad_detector_fit(a, gaps, &call));
        assert_int_equal(physad_detector_skipped_count(a), 2);
        assert_string_equal(physad_detector_skipped(a, 0, NULL), "/no/such/third.png");
        assert_string_equal(physad_detector_skipped(a, 1, &reason), "/no/such/last.png");
        assert_non_null(strstr(reason, "/no/such/last.png: cannot open"));
        assert_null(physad_detector_skipped(a, 2, &reason));
        assert_null(reason);
        assert_int_equal(physad_detector_training_count(a), 12);
        assert_ok(physad_detector_fit(b, whole, NULL));
        assert_same_model(a, b);
        assert_ok(physad_detector_add(b, gaps, &call));
        assert_int_equal(physad_detector_skipped_count(b), 2);
        assert_ok(physad_detector_add(a, whole, &call));
        assert_int_equal(physad_detector_skipped_count(a), 0);
        assert_same_model(a, b);
        physad_dataset_free(gaps);
        physad_dataset_free(whole);
        physad_detector_free(a);
        physad_detector_free(b);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
}

static void nothing_but_broken_photos_is_an_error(void **state)
{
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, "patchcore");
    physad_dataset *gaps = normals_with_gaps(ctx, 0);
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.on_error = PHYSAD_ERRORS_SKIP;
    assert_fails(PHYSAD_ERR_ARG, "none of the 1 samples can be used; the first: /no/such/last.png",
                 physad_detector_fit(det, gaps, &call));
    assert_int_equal(physad_detector_is_fitted(det), 0);
    assert_int_equal(physad_detector_skipped_count(det), 1);
    call.on_error = 2;
    assert_fails(PHYSAD_ERR_ARG, "on_error is 2", physad_detector_fit(det, gaps, &call));
    call.on_error = 0;
    call.batch = -1;
    assert_fails(PHYSAD_ERR_ARG, "batch is -1", physad_detector_fit(det, gaps, &call));
    physad_dataset_free(gaps);
    physad_detector_free(det);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void the_batch_of_a_fit_changes_no_bit(void **state)
{
    static const int32_t batches[] = { 1, 7, 32 };
    physad_context *ctx = new_context(2);
    physad_detector *want = fitted(ctx, "patchcore", 20);
    for (int b = 0; b < 3; b++) {
        physad_detector *det = new_detector(ctx, "patchcore");
        physad_dataset *ds = normals(ctx, 0, 20, -1);
        physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
        call.batch = batches[b];
        assert_ok(physad_detector_fit(det, ds, &call));
        assert_same_model(det, want);
        physad_dataset_free(ds);
        physad_detector_free(det);
    }
    physad_detector_free(want);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void where_photos_lie_does_not_say_who_is_kept_aside(void **state)
{
    enum { N = 30 };
    static const char *const folders[] = { "", "/data/set/", "/photos/of/it/", "C:/set/good/" };
    physad_context *ctx = new_context(0);
    physad_detector *det = new_detector(ctx, "patchcore");
    uint8_t first[N], aside[N];
    assert_ok(physad_detector_set(det, "calibration", "0.4"));
    assert_ok(physad_detector_set(det, "alpha", "0.1"));
    for (int f = 0; f < PHYSAD__COUNT(folders); f++) {
        char names[N][64];
        const char *groups[N];
        int n = 0;
        for (int i = 0; i < N; i++) {
            snprintf(names[i], sizeof(names[i]), "%s%c/%02d.png", folders[f], 'a' + i % 3, i);
            groups[i] = names[i];
        }
        assert_ok(physad__calibration_split(det, groups, N, f == 0 ? first : aside));
        for (int i = 0; i < N && f == 0; i++)
            n += first[i];
        assert_true(f > 0 || n == 12);
        if (f > 0)
            assert_memory_equal(aside, first, N);
    }
    physad_detector_free(det);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void thresholds_promise_only_what_they_hold(void **state)
{
    physad_context *ctx = new_context(0);
    physad_detector *det = fitted(ctx, "patchcore", 24), *strict = new_detector(ctx, "patchcore");
    physad_dataset *few = normals(ctx, 0, 24, -1), *many = normals(ctx, 0, 100, -1);
    physad_threshold t = PHYSAD_THRESHOLD_INIT;
    assert_fails(PHYSAD_ERR_STATE, "needs 19 calibration groups", physad_detector_threshold(det, &t));
    assert_ok(physad_detector_set(strict, "alpha", "0.05"));
    assert_fails(PHYSAD_ERR_ARG, "give at least 95 normal groups", physad_detector_fit(strict, few, NULL));
    assert_int_equal(physad_detector_is_fitted(strict), 0);
    assert_ok(physad_detector_fit(strict, many, NULL));
    assert_ok(physad_detector_threshold(strict, &t));
    assert_int_equal(t.groups, 20);
    assert_true(isfinite(t.value) && t.alpha == 0.05 && t.low < t.high && t.given == 0);
    assert_ok(physad_detector_set_threshold(det, 3.5));
    assert_ok(physad_detector_threshold(det, &t));
    assert_true(t.value == 3.5 && t.given == 1);
    physad_dataset_free(few);
    physad_dataset_free(many);
    physad_detector_free(det);
    physad_detector_free(strict);
    physad_context_free(ctx);
}

static void bad_calls_say_what_is_wrong(void **state)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_context *ctx = new_context(0);
    physad_detector *det = NULL;
    physad_result *r = NULL;
    const physad_view v = photo(pixels, 0, false);
    physad_dataset *empty = NULL;
    static const char *const no_scales[] = { "3", "16", "0", "02", "-1", "", "|", "2|", "1|2", "2|4", "1|2|4|8" };
    assert_fails(PHYSAD_ERR_ARG, "did you mean patchcore?", physad_detector_new(&det, ctx, "patchcor"));
    assert_fails(PHYSAD_ERR_ARG, "method is NULL", physad_detector_new(&det, ctx, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_detector_new(&det, NULL, "patchcore"));
    det = new_detector(ctx, "patchcore");
    assert_fails(PHYSAD_ERR_ARG, "did you mean coreset_ratio?", physad_detector_set(det, "coreset_rato", "0.1"));
    assert_fails(PHYSAD_ERR_ARG, "option coreset_ratio is \"2\", want a number from 1e-06 to 1",
                 physad_detector_set(det, "coreset_ratio", "2"));
    assert_fails(PHYSAD_ERR_ARG, "\"0,5\"", physad_detector_set(det, "coreset_ratio", "0,5"));
    assert_fails(PHYSAD_ERR_ARG, "want a whole number from 1 to 50", physad_detector_set(det, "neighbors", "0"));
    assert_fails(PHYSAD_ERR_ARG, "want one of physad|anomalib|original", physad_detector_set(det, "preset", "best"));
    for (int i = 0; i < PHYSAD__COUNT(no_scales); i++)
        assert_fails(PHYSAD_ERR_ARG, "want one of 1|2|4|8", physad_detector_set(det, "jpeg_scale", no_scales[i]));
    assert_fails(PHYSAD_ERR_ARG, "want true or false", physad_detector_set(det, "keep_features", "perhaps"));
    assert_fails(PHYSAD_ERR_STATE, "not fitted", physad_detector_score(det, &v, &r));
    assert_fails(PHYSAD_ERR_STATE, "not fitted", physad_detector_save(det, "x.physad"));
    assert_ok(physad_dataset_new(&empty, ctx));
    assert_fails(PHYSAD_ERR_ARG, "no normal training samples", physad_detector_fit(det, empty, NULL));
    physad_dataset_free(empty);
    physad_detector_free(det);
    det = fitted(ctx, "patchcore", 6);
    assert_fails(PHYSAD_ERR_STATE, "fitted; make a new one", physad_detector_set(det, "blur", "2"));
    assert_fails(PHYSAD_ERR_ARG, "photo is NULL", physad_detector_score(det, NULL, &r));
    physad_view bad = v;
    bad.dtype = PHYSAD_I64;
    assert_fails(PHYSAD_ERR_DTYPE, "i64", physad_detector_score(det, &bad, &r));
    assert_null(r);
    static float holes[SIDE * SIDE];
    const int64_t grey[2] = { SIDE, SIDE };
    const physad_view damaged = physad_view_array(holes, PHYSAD_F32, 2, grey);
    holes[20 * SIDE + 30] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "holds NaN or infinite values, near (19,29) of the 64 x 64",
                 physad_detector_score(det, &damaged, &r));
    holes[20 * SIDE + 30] = INFINITY;
    assert_fails(PHYSAD_ERR_NUMERIC, "NaN or infinite", physad_detector_score(det, &damaged, &r));
    for (int64_t i = 0; i < SIDE * SIDE; i++)
        holes[i] = (float)(i % 256); /* bytes as floats: white all over to the network */
    assert_fails(PHYSAD_ERR_NUMERIC, "want 0..1: divide by", physad_detector_score(det, &damaged, &r));
    for (int64_t i = 0; i < SIDE * SIDE; i++)
        holes[i] = (float)(i % 256) / 64; /* highlights of linear light */
    assert_null(r);
    assert_ok(physad_detector_score(det, &damaged, &r));
    physad_result_free(r);
    r = NULL;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "keep_features=true", physad_detector_remove(det, "n01.png", NULL));
    physad_detector_free(det);
    assert_fails(PHYSAD_ERR_IO, "no/such/file", physad_detector_load(&det, ctx, "no/such/file"));
    physad_context_free(ctx);
}

static void presets_yield_to_what_is_set_by_name(void **state)
{
    physad_context *ctx = new_context(0);
    physad_detector *det = new_detector(ctx, "patchcore");
    assert_ok(physad_detector_set(det, "neighbors", "5"));
    assert_ok(physad_detector_set(det, "preset", "anomalib"));
    assert_string_equal(physad_detector_get(det, "neighbors"), "5");
    assert_string_equal(physad_detector_get(det, "projection"), "sparse");
    assert_ok(physad_detector_set(det, "preset", "physad"));
    assert_string_equal(physad_detector_get(det, "projection"), "none");
    assert_null(physad_detector_get(det, "nonsense"));
    physad_detector_free(det);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_scores_higher_than_none),
        cmocka_unit_test(the_map_points_at_the_hole),
        cmocka_unit_test(a_training_patch_is_its_own_nearest),
        cmocka_unit_test(threads_and_loading_change_no_bit),
        cmocka_unit_test(weights_of_a_file_must_stay_the_same),
        cmocka_unit_test(tiles_leave_no_seam),
        cmocka_unit_test(tiles_keep_the_scale_of_positions),
        cmocka_unit_test(another_precision_takes_the_promise_away),
        cmocka_unit_test(a_model_that_carries_its_weights_saves_equally),
        cmocka_unit_test(batches_change_no_bit),
        cmocka_unit_test(removing_equals_never_having_had_it),
        cmocka_unit_test(broken_photos_are_left_out_as_if_never_there),
        cmocka_unit_test(nothing_but_broken_photos_is_an_error),
        cmocka_unit_test(the_batch_of_a_fit_changes_no_bit),
        cmocka_unit_test(where_photos_lie_does_not_say_who_is_kept_aside),
        cmocka_unit_test(thresholds_promise_only_what_they_hold),
        cmocka_unit_test(bad_calls_say_what_is_wrong),
        cmocka_unit_test(presets_yield_to_what_is_set_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
