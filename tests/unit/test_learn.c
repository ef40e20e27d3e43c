/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up defects, what PatchCore learns from them, and when. */
#include "scratch.h"
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "detect/detect_learn.h"

#include <physad/dataset.h>

#include <math.h>

enum { SIDE = 96, CELL = 8, CELLS = (SIDE / CELL) * (SIDE / CELL), PIXELS = SIDE * SIDE };

static char folder[256];

static int set_up(void **state)
{
    scratch_make(folder, sizeof(folder));
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* --- painting --- */

static physad__frontend front_of(physad_context *ctx)
{
    return (physad__frontend){ .ctx = ctx,
                               .input_height = SIDE,
                               .input_width = SIDE,
                               .height = SIDE / CELL,
                               .width = SIDE / CELL,
                               .dim = 4,
                               .network_dim = 4,
                               .mean = { 0.5f, 0.4f, 0.3f },
                               .std = { 0.2f, 0.25f, 0.3f } };
}

/* Inputs whose brightness is `level` in all channels, with grain. */
static void fill_input(const physad__frontend *front, float *input, double level, uint64_t seed)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 1);
    for (int64_t i = 0; i < PIXELS; i++) {
        const double v = level * (1 + 0.1 * (physad__rng_uniform(&rng) - 0.5));
        for (int c = 0; c < 3; c++)
            input[3 * i + c] = (float)((v - (double)front->mean[c]) / (double)front->std[c]);
    }
}

static void paint_changes_what_it_covers(void **state)
{
    static float input[3 * PIXELS], other[3 * PIXELS], out[3 * PIXELS], again[3 * PIXELS], cover[CELLS], covered[CELLS];
    physad_context *ctx = new_context(1);
    const physad__frontend front = front_of(ctx);
    int64_t defective = 0, different = 0;
    fill_input(&front, input, 0.5, 1);
    fill_input(&front, other, 0.3, 2);
    for (uint64_t stream = 0; stream < 40; stream++) {
        assert_ok(physad__paint(&front, input, other, 7, stream, 2, out, cover));
        assert_ok(physad__paint(&front, input, other, 7, stream, 2, again, covered));
        assert_memory_equal(out, again, sizeof(out));
        assert_memory_equal(cover, covered, sizeof(cover));
        bool any = false;
        for (int64_t k = 0; k < CELLS; k++) {
            double change = 0;
            for (int64_t i = 0; i < CELL * CELL * 3; i++) {
                const int64_t y = k / (SIDE / CELL) * CELL + i / 3 / CELL, x = k % (SIDE / CELL) * CELL + i / 3 % CELL;
                const int64_t at = 3 * (y * SIDE + x) + i % 3;
                const double light = (double)(out[at] * front.std[i % 3] + front.mean[i % 3]);
                assert_true(light > -1e-5 && light < 1 + 1e-5);
                change = fmax(change, fabs((double)(out[at] - input[at])));
            }
            assert_true(cover[k] >= 0 && cover[k] <= 1);
            if (cover[k] > 0) { /* what is painted may by chance be what was there, but not everywhere */
                any = true;
                different += change > 1e-3;
                defective++;
            }
        }
        assert_true(any);
    }
    assert_true(different > defective * 9 / 10);
    assert_true(defective > 40 && defective < 40 * CELLS * 9 / 10);
    end_context(ctx);
}

static void streams_and_seeds_differ(void **state)
{
    static float input[3 * PIXELS], out[3][3 * PIXELS], cover[CELLS];
    physad_context *ctx = new_context(1);
    const physad__frontend front = front_of(ctx);
    fill_input(&front, input, 0.5, 1);
    assert_ok(physad__paint(&front, input, input, 7, 1, 1, out[0], cover));
    assert_ok(physad__paint(&front, input, input, 7, 2, 1, out[1], cover));
    assert_ok(physad__paint(&front, input, input, 8, 1, 1, out[2], cover));
    assert_true(memcmp(out[0], out[1], sizeof(out[0])) != 0);
    assert_true(memcmp(out[0], out[2], sizeof(out[0])) != 0);
    end_context(ctx);
}

static void black_photos_can_be_painted(void **state)
{
    static float input[3 * PIXELS], out[3 * PIXELS], cover[CELLS];
    physad_context *ctx = new_context(1);
    const physad__frontend front = front_of(ctx);
    fill_input(&front, input, 0, 1);
    for (uint64_t stream = 0; stream < 10; stream++) {
        assert_ok(physad__paint(&front, input, input, 7, stream, 2, out, cover));
        for (int64_t i = 0; i < 3 * PIXELS; i++)
            assert_true(isfinite(out[i]));
    }
    end_context(ctx);
}

static void painting_says_when_memory_is_short(void **state)
{
    static float input[3 * PIXELS], out[3 * PIXELS], cover[CELLS];
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad_status status = PHYSAD_ERR_NOMEM;
    int failures = 0;
    o.threads = 1;
    o.allocator = &failing_allocator;
    assert_ok(physad_context_new(&ctx, &o));
    const physad__frontend front = front_of(ctx);
    const uint64_t before = physad_context_memory_used(ctx);
    fill_input(&front, input, 0.5, 1);
    for (; failures < 100; failures++) {
        allocations_left = failures;
        status = physad__paint(&front, input, input, 7, 3, 2, out, cover);
        assert_int_equal(physad_context_memory_used(ctx), before);
        if (status != PHYSAD_ERR_NOMEM)
            break;
    }
    assert_ok(status);
    assert_true(failures > 0);
    allocations_left = INT64_MAX;
    end_context(ctx);
}

/* --- moments --- */

static void moments_are_drawn_together(void **state)
{
    float mean[9], inverse[9];
    physad_context *ctx = new_context(1);
    physad__moments m;
    assert_ok(physad__moments_new(&m, &ctx->mem, 9));
    for (int64_t i = 0; i < 9; i++)
        physad__moments_add(&m, i, 2);
    assert_false(physad__moments_settle(&m, 3, 3, mean, inverse)); /* all equal: no spread */
    for (int64_t i = 0; i < 9; i++)
        for (int k = 0; k < 1000; k++)
            physad__moments_add(&m, i, i == 4 ? 5 + k % 2 : 1 + k % 2);
    assert_true(physad__moments_settle(&m, 3, 3, mean, inverse));
    for (int64_t i = 0; i < 9; i++) {
        assert_true(isfinite(mean[i]) && inverse[i] > 0);
        assert_true(i == 4 || mean[i] < mean[4]);
    }
    physad__moments_free(&m);
    end_context(ctx);
}

/* --- PatchCore --- */

enum { SURFACE, THING, PHOTOS = 8 };

/* A grained surface, worn smooth within a square when defective; or a grained thing on plain ground. */
static physad_view photo(uint8_t *pixels, int kind, uint64_t seed, bool defective)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 5);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const bool within = y >= 32 && y < 64 && x >= 32 && x < 64;
            const double grain = kind == SURFACE ? (defective && within ? 0.02 : 0.2) : (within ? 0.4 : 0.005);
            const double value = 120 * (1 + grain * (physad__rng_uniform(&rng) - 0.5));
            for (int c = 0; c < 3; c++)
                pixels[(y * SIDE + x) * 3 + c] = (uint8_t)value;
        }
    return physad_view_rgb8(pixels, SIDE, SIDE, SIDE * 3);
}

static physad_dataset *normals(physad_context *ctx, int kind, bool one_group)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = 0; i < PHOTOS; i++) {
        char name[16];
        const physad_view v = photo(pixels, kind, (uint64_t)i, false);
        physad_item item = PHYSAD_ITEM_INIT;
        snprintf(name, sizeof(name), "n%02d.png", i);
        item.flags = PHYSAD_ITEM_COPY;
        item.photo = &v;
        item.name = name;
        item.group = one_group ? "one" : NULL;
        assert_ok(physad_dataset_add(ds, &item));
    }
    return ds;
}

typedef const char *options_list[4][2];

static physad_detector *new_detector(physad_context *ctx, const char *const (*options)[2])
{
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, "patchcore"));
    assert_ok(physad_detector_set(det, "weights", "random:1"));
    assert_ok(physad_detector_set(det, "input", "96"));
    for (; options != NULL && (*options)[0] != NULL; options++)
        assert_ok(physad_detector_set(det, (*options)[0], (*options)[1]));
    return det;
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* Fits, saves, and tells whether the model has learned. */
static bool fit_and_look(physad_detector *det, physad_context *ctx, int kind, bool one_group, const char *path)
{
    physad_tensors *file = NULL;
    physad_dataset *ds = normals(ctx, kind, one_group);
    assert_ok(physad_detector_fit(det, ds, NULL));
    physad_dataset_free(ds);
    assert_ok(physad_detector_save(det, path));
    assert_ok(physad_tensors_open(&file, ctx, path, NULL));
    const bool has = physad_tensors_has(file, "learned.weights");
    assert_int_equal(physad_tensors_has(file, "learned.mean"), has);
    assert_int_equal(physad_tensors_has(file, "learned.inverse"), has);
    physad_tensors_free(file);
    return has;
}

static void auto_learns_on_surfaces(void **state)
{
    static const struct {
        int kind;
        bool one_group, want;
        const char *option, *value;
    } cases[] = {
        { SURFACE, false, true, "learn", "auto" },       { THING, false, false, "learn", "auto" },
        { SURFACE, false, false, "learn", "none" },      { THING, false, true, "learn", "painted" },
        { SURFACE, false, false, "texture", "none" },    { SURFACE, false, false, "calibrate", "none" },
        { SURFACE, false, false, "keep_features", "true" }, { SURFACE, true, false, "learn", "painted" },
        { SURFACE, false, false, "preset", "anomalib" }, { SURFACE, false, false, "preset", "original" },
    };
    physad_context *ctx = new_context(2);
    for (size_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        const options_list options = { { cases[i].option, cases[i].value } };
        physad_detector *det = new_detector(ctx, options);
        if (fit_and_look(det, ctx, cases[i].kind, cases[i].one_group, path_of("auto.physad")) != cases[i].want)
            fail_msg("%s=%s: learned or not, want %d", cases[i].option, cases[i].value, cases[i].want);
        physad_detector_free(det);
    }
    end_context(ctx);
}

static void what_does_not_go_with_it_is_named(void **state)
{
    static const char *const others[][3] = {
        { "keep_features", "true", "learn=painted does not go with keep_features=true" },
        { "coreset_ratio", "1", "(or coreset_ratio=1)" },
        { "calibrate", "none", "learn=painted does not go with calibrate=none" },
    };
    physad_context *ctx = new_context(1);
    physad_dataset *ds = normals(ctx, SURFACE, false);
    for (size_t i = 0; i < PHYSAD__COUNT(others); i++) {
        const options_list options = { { "learn", "painted" }, { others[i][0], others[i][1] } };
        physad_detector *det = new_detector(ctx, options);
        assert_fails(PHYSAD_ERR_ARG, others[i][2], physad_detector_fit(det, ds, NULL));
        physad_detector_free(det);
    }
    physad_dataset_free(ds);
    end_context(ctx);
}

static double score(const physad_detector *det, uint64_t seed, bool defective)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_result *r = NULL;
    const physad_view v = photo(pixels, SURFACE, seed, defective);
    assert_ok(physad_detector_score(det, &v, &r));
    const double s = physad_result_score(r);
    physad_result_free(r);
    return s;
}

/* By what was learned nearly alone. */
static void a_worn_place_is_found(void **state)
{
    const options_list options = { { "learn_weight", "100" } };
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, options);
    double usual = 0;
    assert_true(fit_and_look(det, ctx, SURFACE, false, path_of("worn.physad")));
    for (uint64_t i = 100; i < 106; i++)
        usual = fmax(usual, score(det, i, false));
    for (uint64_t i = 200; i < 203; i++)
        assert_true(score(det, i, true) > usual);
    physad_detector_free(det);
    end_context(ctx);
}

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* One model on one thread and on three, and with other batches. */
static void bits_stay(void **state)
{
    physad_context *one = new_context(1), *many = new_context(3);
    physad_detector *a = new_detector(one, NULL), *b = new_detector(many, NULL), *loaded = NULL;
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    physad_dataset *ds = normals(many, SURFACE, false);
    char *text[2];
    size_t size[2];
    assert_true(fit_and_look(a, one, SURFACE, false, path_of("one.physad")));
    call.batch = 3;
    assert_ok(physad_detector_fit(b, ds, &call));
    assert_ok(physad_detector_save(b, path_of("many.physad")));
    for (int i = 0; i < 2; i++)
        text[i] = read_whole(path_of(i == 0 ? "one.physad" : "many.physad"), &size[i]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(text[0], text[1], size[0]);
    assert_ok(physad_detector_load(&loaded, many, path_of("one.physad")));
    for (uint64_t i = 0; i < 3; i++)
        assert_true(score(a, 300 + i, i % 2) == score(loaded, 300 + i, i % 2));
    free(text[0]);
    free(text[1]);
    physad_dataset_free(ds);
    physad_detector_free(a);
    physad_detector_free(b);
    physad_detector_free(loaded);
    end_context(one);
    end_context(many);
}

/* At a few places spread over a whole fit. */
static void a_fit_says_when_memory_is_short(void **state)
{
    enum { MANY = 1000000, PLACES = 6 };
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.threads = 1;
    o.allocator = &failing_allocator;
    allocations_left = MANY;
    assert_ok(physad_context_new(&ctx, &o));
    physad_dataset *ds = normals(ctx, SURFACE, false);
    physad_detector *det = new_detector(ctx, NULL);
    allocations_left = MANY;
    assert_ok(physad_detector_fit(det, ds, NULL));
    const int64_t all = MANY - allocations_left;
    for (int64_t k = 1; k <= PLACES; k++) {
        physad_detector *poor = NULL;
        allocations_left = MANY;
        poor = new_detector(ctx, NULL);
        const uint64_t before = physad_context_memory_used(ctx);
        allocations_left = all * k / (PLACES + 1);
        assert_fails(PHYSAD_ERR_NOMEM, "", physad_detector_fit(poor, ds, NULL));
        allocations_left = MANY;
        assert_int_equal(physad_context_memory_used(ctx), before);
        physad_detector_free(poor);
    }
    allocations_left = INT64_MAX;
    physad_dataset_free(ds);
    physad_detector_free(det);
    end_context(ctx);
}

static void lies_in_files_are_refused(void **state)
{
    static const struct {
        const char *name, *want;
        float value;
    } lies[] = {
        { "learned.weights", "learned.weights holds", NAN },   { "learned.mean", "learned.mean holds", INFINITY },
        { "learned.inverse", "learned.inverse holds 0", 0 },   { "learned.inverse", "learned.inverse holds", -1 },
        { "learned.mean", "learned.mean", 0 /* left out */ },
    };
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, NULL), *loaded = NULL;
    assert_true(fit_and_look(det, ctx, SURFACE, false, path_of("honest.physad")));
    for (size_t k = 0; k < PHYSAD__COUNT(lies); k++) {
        physad_tensors *in = NULL, *out = NULL;
        char path[512];
        float *copy = NULL;
        snprintf(path, sizeof(path), "%s", path_of("lying.physad"));
        assert_ok(physad_tensors_open(&in, ctx, path_of("honest.physad"), NULL));
        assert_ok(physad_tensors_new(&out, ctx));
        for (int64_t i = 0; i < physad_tensors_count(in); i++) {
            physad_view v;
            assert_ok(physad_tensors_view(in, i, &v));
            if (strcmp(physad_tensors_name(in, i), lies[k].name) == 0) {
                size_t n = sizeof(float);
                for (int32_t d = 0; d < v.ndim; d++)
                    n *= (size_t)v.shape[d];
                if (k + 1 == PHYSAD__COUNT(lies))
                    continue;
                copy = malloc(n);
                memcpy(copy, v.data, n);
                copy[n / sizeof(float) - 1] = lies[k].value;
                v.data = copy;
            }
            assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
        }
        assert_ok(physad_tensors_set_metadata(out, "physad", physad_tensors_metadata(in, "physad")));
        assert_ok(physad_tensors_save(out, path));
        assert_fails(PHYSAD_ERR_FORMAT, lies[k].want, physad_detector_load(&loaded, ctx, path));
        assert_null(loaded);
        physad_tensors_free(in);
        physad_tensors_free(out);
        free(copy);
    }
    physad_detector_free(det);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paint_changes_what_it_covers),
        cmocka_unit_test(streams_and_seeds_differ),
        cmocka_unit_test(black_photos_can_be_painted),
        cmocka_unit_test(painting_says_when_memory_is_short),
        cmocka_unit_test(moments_are_drawn_together),
        cmocka_unit_test(auto_learns_on_surfaces),
        cmocka_unit_test(what_does_not_go_with_it_is_named),
        cmocka_unit_test(a_worn_place_is_found),
        cmocka_unit_test(bits_stay),
        cmocka_unit_test(a_fit_says_when_memory_is_short),
        cmocka_unit_test(lies_in_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
