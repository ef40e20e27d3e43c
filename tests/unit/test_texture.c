/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of local brightness and contrast, and when PatchCore takes them in. */
#include "scratch.h"
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "detect/detect.h"

#include <physad/dataset.h>

enum { SIDE = 96 };

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

/* --- the columns --- */

enum { HEIGHT = 44, WIDTH = 70, GRID_H = 5, GRID_W = 7, CELLS = GRID_H * GRID_W, NETWORK = 3, COUNT = 3 };

static const double mean_of[3] = { 0.4, 0.5, 0.45 }, std_of[3] = { 0.2, 0.25, 0.3 };

static void open_front(physad__frontend *front, physad_context *ctx, physad_transform **transform)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    o.height = HEIGHT;
    o.width = WIDTH;
    o.normalise = PHYSAD_NORMALISE_CUSTOM;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = (float)mean_of[c];
        o.std[c] = (float)std_of[c];
    }
    assert_ok(physad_transform_new(transform, ctx, &o));
    *front = (physad__frontend){ .ctx = ctx,
                                 .transform = *transform,
                                 .input_height = HEIGHT,
                                 .input_width = WIDTH,
                                 .height = GRID_H,
                                 .width = GRID_W,
                                 .dim = NETWORK,
                                 .network_dim = NETWORK };
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double log_at(const float *input, int64_t y, int64_t x)
{
    double grey = 0;
    for (int c = 0; c < 3; c++)
        grey += ((double)input[(y * WIDTH + x) * 3 + c] * std_of[c] + mean_of[c]) / 3;
    return log(fmax(grey, 0) + 0.02);
}

/* By the definition: a cell's weighted mean over the pixels of all cells at most two away, divided by the weights' sum.
 */
static void slow_texture(const float *input, double factor, double out[CELLS][5])
{
    static const double kernel[3] = { 0.3989, 0.2420, 0.0540 };
    for (int64_t cell = 0; cell < CELLS; cell++) {
        double sum[6] = { 0 };
        for (int64_t other = 0; other < CELLS; other++) {
            const int64_t oy = other / GRID_W, ox = other % GRID_W, dy = llabs(oy - cell / GRID_W),
                          dx = llabs(ox - cell % GRID_W);
            const int64_t top = oy * HEIGHT / GRID_H, bottom = (oy + 1) * HEIGHT / GRID_H;
            const int64_t left = ox * WIDTH / GRID_W, right = (ox + 1) * WIDTH / GRID_W;
            if (dy > 2 || dx > 2)
                continue;
            const double w = kernel[dy] * kernel[dx] / (double)((bottom - top) * (right - left));
            for (int64_t y = top; y < bottom; y++)
                for (int64_t x = left; x < right; x++) {
                    const double v = log_at(input, y, x);
                    const double e = x + 1 < WIDTH ? log_at(input, y, x + 1) : NAN,
                                 s = y + 1 < HEIGHT ? log_at(input, y + 1, x) : NAN;
                    const double west = x > 0 ? log_at(input, y, x - 1) : NAN,
                                 n = y > 0 ? log_at(input, y - 1, x) : NAN;
                    sum[0] += w;
                    sum[1] += w * v;
                    sum[2] += w * v * v;
                    sum[3] += isnan(e) ? 0 : w * pow(e - v, 2);
                    sum[4] += isnan(s) ? 0 : w * pow(s - v, 2);
                    sum[5] += isnan(e) || isnan(west) ? 0 : w * pow(e - 2 * v + west, 2);
                    sum[5] += isnan(s) || isnan(n) ? 0 : w * pow(s - 2 * v + n, 2);
                }
        }
        const double m = sum[1] / sum[0];
        out[cell][0] = m;
        out[cell][1] = 0.5 * log(sum[2] / sum[0] - m * m + 1e-5);
        for (int k = 2; k < 5; k++)
            out[cell][k] = 0.5 * log(sum[k + 1] / sum[0] + 1e-5);
    }
    for (int k = 0; k < 5; k++) {
        double sorted[CELLS];
        for (int64_t i = 0; i < CELLS; i++)
            sorted[i] = out[i][k];
        qsort(sorted, CELLS, sizeof(*sorted), ascending);
        for (int64_t i = 0; i < CELLS; i++)
            out[i][k] = (out[i][k] - sorted[CELLS / 2]) * factor; /* an odd number of cells */
    }
}

static void draw_inputs(float *inputs, uint64_t seed, double gain)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 3);
    for (int64_t i = 0; i < (int64_t)COUNT * HEIGHT * WIDTH; i++) {
        const double base = 0.35 + 0.15 * sin(0.11 * (double)(i % WIDTH)) + 0.08 * physad__rng_normal(&rng);
        for (int c = 0; c < 3; c++)
            inputs[3 * i + c] = (float)((gain * fmax(base, 0.1) - mean_of[c]) / std_of[c]);
    }
}

static void columns_are_as_defined(void **state)
{
    static float inputs[COUNT * HEIGHT * WIDTH * 3], cells[COUNT * CELLS * (NETWORK + 5)], alone[CELLS * (NETWORK + 5)];
    static double want[CELLS][5];
    physad_context *ctx = new_context(2);
    physad_transform *transform = NULL;
    physad__frontend front;
    open_front(&front, ctx, &transform);
    assert_ok(physad__texture_open(&front, 2));
    assert_int_equal(front.dim, NETWORK + 5);
    draw_inputs(inputs, 1, 1);
    for (int64_t i = 0; i < COUNT * CELLS * NETWORK; i++)
        cells[i] = (float)i;
    assert_ok(physad__texture_add(&front, inputs, COUNT, cells));
    for (int64_t p = 0; p < COUNT; p++) {
        slow_texture(inputs + p * HEIGHT * WIDTH * 3, 2, want);
        for (int64_t i = 0; i < CELLS; i++) {
            const float *row = cells + (p * CELLS + i) * front.dim;
            for (int k = 0; k < NETWORK; k++)
                assert_true(row[k] == (float)((p * CELLS + i) * NETWORK + k));
            for (int k = 0; k < 5; k++)
                assert_near((double)row[NETWORK + k], want[i][k], 2e-5);
        }
    }
    /* One photo alone gives its bits. */
    for (int64_t i = 0; i < CELLS * NETWORK; i++)
        alone[i] = (float)(CELLS * NETWORK + i);
    assert_ok(physad__texture_add(&front, inputs + HEIGHT * WIDTH * 3, 1, alone));
    assert_memory_equal(alone, cells + CELLS * front.dim, sizeof(alone));
    physad_transform_free(transform);
    end_context(ctx);
}

static void too_little_memory_is_told(void **state)
{
    static float inputs[COUNT * HEIGHT * WIDTH * 3], cells[COUNT * CELLS * (NETWORK + 5)];
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad_transform *transform = NULL;
    physad__frontend front;
    physad_status status = PHYSAD_ERR_NOMEM;
    o.threads = 1;
    o.allocator = &failing_allocator;
    assert_ok(physad_context_new(&ctx, &o));
    open_front(&front, ctx, &transform);
    assert_ok(physad__texture_open(&front, 1));
    draw_inputs(inputs, 1, 1);
    const uint64_t before = physad_context_memory_used(ctx);
    int failures = 0;
    for (; failures < 100; failures++) {
        allocations_left = failures;
        status = physad__texture_add(&front, inputs, COUNT, cells);
        assert_int_equal(physad_context_memory_used(ctx), before);
        if (status != PHYSAD_ERR_NOMEM)
            break;
    }
    assert_ok(status);
    assert_int_equal(failures, 3 * COUNT);
    physad_transform_free(transform);
    end_context(ctx);
}

static void exposure_is_taken_away(void **state)
{
    static float inputs[2][COUNT * HEIGHT * WIDTH * 3], cells[2][COUNT * CELLS * (NETWORK + 5)];
    physad_context *ctx = new_context(1);
    physad_transform *transform = NULL;
    physad__frontend front;
    open_front(&front, ctx, &transform);
    assert_ok(physad__texture_open(&front, 1));
    for (int k = 0; k < 2; k++) {
        draw_inputs(inputs[k], 1, k == 0 ? 0.9 : 1.8);
        assert_ok(physad__texture_add(&front, inputs[k], COUNT, cells[k]));
    }
    for (int64_t i = 0; i < COUNT * CELLS; i++)
        for (int64_t k = i * front.dim + NETWORK; k < (i + 1) * front.dim; k++)
            assert_near((double)cells[0][k], (double)cells[1][k], 0.1);
    /* An even photo has nothing local. */
    memset(inputs, 0, sizeof(inputs));
    assert_ok(physad__texture_add(&front, inputs[0], 1, cells[0]));
    for (int64_t i = 0; i < CELLS; i++)
        for (int k = 0; k < 5; k++)
            assert_true(fabsf(cells[0][i * front.dim + NETWORK + k]) < 1e-6f);
    physad_transform_free(transform);
    end_context(ctx);
}

/* --- PatchCore --- */

enum { SURFACE, THING };

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

static physad_dataset *normals(physad_context *ctx, int kind)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = 0; i < 8; i++) {
        char name[16];
        const physad_view v = photo(pixels, kind, (uint64_t)i, false);
        physad_item item = PHYSAD_ITEM_INIT;
        snprintf(name, sizeof(name), "n%02d.png", i);
        item.flags = PHYSAD_ITEM_COPY;
        item.photo = &v;
        item.name = name;
        assert_ok(physad_dataset_add(ds, &item));
    }
    return ds;
}

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


/* Fits, saves, and tells whether the model has texture. */
static bool fit_and_look(physad_detector *det, physad_context *ctx, int kind, const char *path)
{
    physad_tensors *file = NULL;
    physad_dataset *ds = normals(ctx, kind);
    assert_ok(physad_detector_fit(det, ds, NULL));
    physad_dataset_free(ds);
    assert_ok(physad_detector_save(det, path));
    assert_ok(physad_tensors_open(&file, ctx, path, NULL));
    const bool has = physad_tensors_has(file, "texture.factor");
    physad_view rows;
    assert_ok(physad_tensors_find(file, "bank.rows", &rows));
    assert_int_equal(rows.shape[1], 40 + 112 + (has ? 5 : 0));
    physad_tensors_free(file);
    return has;
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void auto_takes_it_for_surfaces(void **state)
{
    static const struct {
        int kind;
        const char *option, *value;
        bool want;
    } cases[] = {
        { SURFACE, "texture", "auto", true },           { THING, "texture", "auto", false },
        { SURFACE, "texture", "none", false },          { THING, "texture", "local", true },
        { SURFACE, "keep_features", "true", false },    { SURFACE, "coreset_ratio", "1", false },
        { SURFACE, "fit", "letterbox", false },         { SURFACE, "preset", "anomalib", false },
        { SURFACE, "preset", "original", false },
    };
    physad_context *ctx = new_context(2);
    for (size_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        const bool original = strcmp(cases[i].value, "original") == 0; /* its pooling makes more columns */
        const char *const options[3][2] = { { cases[i].option, cases[i].value },
                                            { original ? "pool" : NULL, "avg3" },
                                            { NULL, NULL } };
        physad_detector *det = new_detector(ctx, options);
        if (fit_and_look(det, ctx, cases[i].kind, path_of("auto.physad")) != cases[i].want)
            fail_msg("%s=%s: texture is%s there", cases[i].option, cases[i].value, cases[i].want ? " not" : "");
        physad_detector_free(det);
    }
    end_context(ctx);
}

static void what_does_not_go_with_it_is_named(void **state)
{
    static const char *const others[][3] = {
        { "keep_features", "true", "does not go with keep_features=true" },
        { "coreset_ratio", "1", "(or coreset_ratio=1)" },
        { "fit", "letterbox", "does not go with fit=letterbox" },
    };
    physad_context *ctx = new_context(1);
    physad_dataset *ds = normals(ctx, SURFACE);
    for (size_t i = 0; i < PHYSAD__COUNT(others); i++) {
        const char *const options[3][2] = { { "texture", "local" }, { others[i][0], others[i][1] }, { NULL, NULL } };
        physad_detector *det = new_detector(ctx, options);
        assert_fails(PHYSAD_ERR_ARG, others[i][2], physad_detector_fit(det, ds, NULL));
        physad_detector_free(det);
    }
    physad_dataset_free(ds);
    end_context(ctx);
}

static double score(const physad_detector *det, uint64_t seed, bool defective, physad_result **result)
{
    uint8_t pixels[SIDE * SIDE * 3];
    physad_result *r = NULL;
    const physad_view v = photo(pixels, SURFACE, seed, defective);
    assert_ok(physad_detector_score(det, &v, &r));
    const double s = physad_result_score(r);
    if (result != NULL)
        *result = r;
    else
        physad_result_free(r);
    return s;
}

static void a_worn_place_is_found(void **state)
{
    static float map[SIDE * SIDE];
    const int64_t shape[2] = { SIDE, SIDE };
    physad_context *ctx = new_context(2);
    physad_detector *det = new_detector(ctx, NULL);
    physad_result *r = NULL;
    assert_true(fit_and_look(det, ctx, SURFACE, path_of("worn.physad")));
    double usual = 0;
    for (uint64_t i = 100; i < 108; i++)
        usual = fmax(usual, score(det, i, false, NULL));
    assert_true(score(det, 200, true, &r) > usual);
    const physad_view out = physad_view_array(map, PHYSAD_F32, 2, shape);
    assert_ok(physad_result_map(r, &out));
    int64_t top = 0;
    for (int64_t i = 0; i < SIDE * SIDE; i++)
        top = map[i] > map[top] ? i : top;
    assert_true(top / SIDE >= 24 && top / SIDE < 72 && top % SIDE >= 24 && top % SIDE < 72);
    physad_result_free(r);
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

static void bits_stay(void **state)
{
    physad_context *one = new_context(1), *many = new_context(3);
    physad_detector *a = new_detector(one, NULL), *b = new_detector(many, NULL), *loaded = NULL;
    char *text[2];
    size_t size[2];
    assert_true(fit_and_look(a, one, SURFACE, path_of("one.physad")));
    assert_true(fit_and_look(b, many, SURFACE, path_of("many.physad")));
    for (int i = 0; i < 2; i++)
        text[i] = read_whole(path_of(i == 0 ? "one.physad" : "many.physad"), &size[i]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(text[0], text[1], size[0]);
    assert_ok(physad_detector_load(&loaded, many, path_of("one.physad")));
    for (uint64_t i = 0; i < 4; i++)
        assert_true(score(a, 300 + i, i % 2, NULL) == score(loaded, 300 + i, i % 2, NULL));
    free(text[0]);
    free(text[1]);
    physad_detector_free(a);
    physad_detector_free(b);
    physad_detector_free(loaded);
    end_context(one);
    end_context(many);
}

static void a_lying_factor_is_refused(void **state)
{
    static const float lies[] = { 0, -1, NAN, INFINITY };
    physad_context *ctx = new_context(1);
    physad_detector *det = new_detector(ctx, NULL), *loaded = NULL;
    assert_true(fit_and_look(det, ctx, SURFACE, path_of("honest.physad")));
    for (size_t k = 0; k < PHYSAD__COUNT(lies) + 1; k++) {
        physad_tensors *in = NULL, *out = NULL;
        char path[512];
        snprintf(path, sizeof(path), "%s", path_of("lying.physad"));
        assert_ok(physad_tensors_open(&in, ctx, path_of("honest.physad"), NULL));
        assert_ok(physad_tensors_new(&out, ctx));
        for (int64_t i = 0; i < physad_tensors_count(in); i++) {
            physad_view v;
            const bool factor = strcmp(physad_tensors_name(in, i), "texture.factor") == 0;
            assert_ok(physad_tensors_view(in, i, &v));
            if (factor && k < PHYSAD__COUNT(lies))
                v.data = (void *)(uintptr_t)&lies[k];
            if (!factor || k < PHYSAD__COUNT(lies)) /* the last time it is not there */
                assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
        }
        assert_ok(physad_tensors_set_metadata(out, "physad", physad_tensors_metadata(in, "physad")));
        assert_ok(physad_tensors_save(out, path));
        assert_fails(PHYSAD_ERR_FORMAT, k < PHYSAD__COUNT(lies) ? "texture.factor" : "bank.rows",
                     physad_detector_load(&loaded, ctx, path));
        assert_null(loaded);
        physad_tensors_free(in);
        physad_tensors_free(out);
    }
    physad_detector_free(det);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_defined),
        cmocka_unit_test(too_little_memory_is_told),
        cmocka_unit_test(exposure_is_taken_away),
        cmocka_unit_test(auto_takes_it_for_surfaces),
        cmocka_unit_test(what_does_not_go_with_it_is_named),
        cmocka_unit_test(a_worn_place_is_found),
        cmocka_unit_test(bits_stay),
        cmocka_unit_test(a_lying_factor_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
