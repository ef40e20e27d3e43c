/* SPDX-License-Identifier: Apache-2.0 */
/* PatchCore and PaDiM against anomalib's, by tests/golden/parity.json: first on the same features, then from photo to
 * map. */
#include "test.h"

#include "detect/detect.h"

#include <jansson.h>

enum { SIDE = 64, GRID = 8, CELLS = GRID * GRID };
static const double TOLERANCE = 1e-4; /* relative to the score, and to the map's greatest value */

static json_t *golden(const char *part)
{
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof(path), "%s/parity.json", getenv("PHYSAD_TEST_GOLDEN"));
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: %s", path, error.text);
    json_t *found = json_incref(json_object_get(root, part));
    assert_non_null(found);
    json_decref(root);
    return found;
}

static int64_t integer(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static uint64_t element(uint64_t key, int64_t i)
{
    uint64_t z = key + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Multiples of 1/32: exact, and their sums in double. */
static float *draw_rows(uint64_t key, int64_t count, float scale)
{
    float *out = malloc((size_t)count * sizeof(*out));
    for (int64_t i = 0; i < count; i++)
        out[i] = ((float)(element(key, i) >> 56) - 128) / 32 * scale;
    return out;
}

static void draw_photo(uint64_t key, bool hole, uint8_t *pixels)
{
    for (int64_t y = 0; y < SIDE; y++)
        for (int64_t x = 0; x < SIDE; x++)
            for (int64_t c = 0; c < 3; c++)
                pixels[(y * SIDE + x) * 3 + c] = hole && y >= 24 && y < 40 && x >= 24 && x < 40
                                                     ? 10
                                                     : (uint8_t)(element(key, (y / 4 * 16 + x / 4) * 3 + c) >> 56);
}

static physad_bank *new_bank(physad_context *ctx, int64_t dim)
{
    physad_bank *bank = NULL;
    assert_ok(physad_bank_new(&bank, ctx, dim, NULL));
    return bank;
}

static void add_sample(physad_bank *bank, const float *data, int64_t n, int64_t sample)
{
    const int64_t shape[2] = { n, physad_bank_dim(bank) };
    int64_t *samples = malloc((size_t)n * sizeof(*samples));
    int32_t *positions = malloc((size_t)n * sizeof(*positions));
    for (int64_t i = 0; i < n; i++) {
        samples[i] = sample;
        positions[i] = (int32_t)(i % CELLS);
    }
    const physad_view v = physad_view_array((void *)(uintptr_t)data, PHYSAD_F32, 2, shape);
    const physad_view s = physad_view_array(samples, PHYSAD_I64, 1, &n),
                      p = physad_view_array(positions, PHYSAD_I32, 1, &n);
    assert_ok(physad_bank_add(bank, &v, &s, &p));
    free(samples);
    free(positions);
}

/* --- coresets --- */

/* Squared distance of row `i` to the nearest of picks[0 .. count-1], in double, after the projection. */
static double to_nearest(const float *projected, int64_t m, int64_t i, const int64_t *picks, int64_t count)
{
    double least = INFINITY;
    for (int64_t k = 0; k < count; k++) {
        double d = 0;
        for (int64_t j = 0; j < m; j++) {
            const double step = (double)projected[i * m + j] - (double)projected[picks[k] * m + j];
            d += step * step;
        }
        least = fmin(least, d);
    }
    return least;
}

/* Equal picks; or, at the first that differs, two candidates that are as far as f32 can tell. */
static void check_picks(const float *data, int64_t n, int64_t dim, const float *matrix, int64_t m, const int64_t *got,
                        const json_t *want)
{
    const int64_t count = (int64_t)json_array_size(want);
    int64_t k = 0;
    while (k < count && got[k] == json_integer_value(json_array_get(want, (size_t)k)))
        k++;
    if (k == count)
        return;
    float *projected = malloc((size_t)(n * m) * sizeof(*projected));
    for (int64_t i = 0; i < n * m; i++) {
        double sum = 0;
        for (int64_t j = 0; j < dim; j++)
            sum += (double)matrix[i % m * dim + j] * (double)data[i / m * dim + j];
        projected[i] = (float)sum;
    }
    const double ours = to_nearest(projected, m, got[k], got, k);
    const double theirs = to_nearest(projected, m, json_integer_value(json_array_get(want, (size_t)k)), got, k);
    free(projected);
    print_message("pick %lld of %lld differs: %.17g and %.17g\n", (long long)k, (long long)count, ours, theirs);
    assert_true(ours >= theirs && ours - theirs <= 1e-6 * ours);
}

static void the_coresets_are_equal(void **state)
{
    json_t *cases = golden("coresets"), *item;
    size_t index;
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    json_array_foreach(cases, index, item)
    {
        const int64_t n = integer(item, "rows"), dim = integer(item, "dim"), m = integer(item, "components"),
                      shape[2] = { m, dim };
        const json_t *picks = json_object_get(item, "picks");
        const char *signs = json_string_value(json_object_get(item, "signs"));
        const float scale = (float)json_number_value(json_object_get(item, "scale"));
        int64_t count = (int64_t)json_array_size(picks), *got = malloc((size_t)count * sizeof(*got));
        float *data = draw_rows((uint64_t)integer(item, "case"), n * dim, 1),
              *matrix = malloc((size_t)(m * dim) * sizeof(*matrix));
        for (int64_t i = 0; i < m * dim; i++)
            matrix[i] = signs[i] == '0' ? 0 : signs[i] == '+' ? scale : -scale;
        const physad_view given = physad_view_array(matrix, PHYSAD_F32, 2, shape),
                          out = physad_view_array(got, PHYSAD_I64, 1, &count);
        physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
        o.count = count;
        o.flags = PHYSAD_CORESET_FIRST;
        o.first = json_integer_value(json_array_get(picks, 0));
        o.projection = PHYSAD_PROJECTION_GIVEN;
        o.matrix = &given;
        physad_bank *bank = new_bank(ctx, dim);
        add_sample(bank, data, n, 0);
        assert_ok(physad_bank_coreset(bank, &out, NULL, &o, NULL));
        check_picks(data, n, dim, matrix, m, got, picks);
        physad_bank_free(bank);
        free(matrix);
        free(data);
        free(got);
    }
    json_decref(cases);
    physad_context_free(ctx);
}

/* --- scores and maps --- */

/* `want` holds every fourth row and column of the map. */
static void check_scored(const char *what, double score, const float *map, const json_t *want)
{
    const json_t *values = json_object_get(want, "map");
    const double wanted = json_number_value(json_object_get(want, "score"));
    double greatest = 0, off = 0;
    assert_int_equal(json_array_size(values), SIDE / 4 * (SIDE / 4));
    for (size_t i = 0; i < json_array_size(values); i++) {
        const double v = json_number_value(json_array_get(values, i));
        greatest = fmax(greatest, fabs(v));
        off = fmax(off, fabs((double)map[i / (SIDE / 4) * 4 * SIDE + i % (SIDE / 4) * 4] - v));
    }
    if (!(fabs(score - wanted) <= TOLERANCE * wanted) || !(off <= TOLERANCE * greatest))
        fail_msg("%s: score %.9g, want %.9g; map off by %g of %g", what, score, wanted, off, greatest);
}

static physad_detector *new_detector(physad_context *ctx, const char *method)
{
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, method));
    if (strcmp(method, "patchcore") == 0) {
        assert_ok(physad_detector_set(det, "preset", "anomalib"));
        assert_ok(physad_detector_set(det, "coreset_ratio", "1"));
    }
    assert_ok(physad_detector_set(det, "backbone", "resnet18"));
    assert_ok(physad_detector_set(det, "weights", "random:20"));
    assert_ok(physad_detector_set(det, "input", "64"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    return det;
}

/* The method's part alone, on the cells of `store`; queries are drawn from 1000 * case + 1 and + 2, the second scaled.
 */
static void check_on_cells(physad_context *ctx, const char *method, const physad_bank *store, const json_t *item,
                           float second_scale)
{
    physad_detector *det = new_detector(ctx, method);
    const physad__feature_method *m = det->method->features;
    const int64_t dim = physad_bank_dim(store);
    const physad__frontend front = {
        .input_height = SIDE, .input_width = SIDE, .height = GRID, .width = GRID, .dim = dim
    };
    static float map[SIDE * SIDE], distance[CELLS];
    static int64_t sample[CELLS];
    static int32_t position[CELLS];
    static uint8_t valid[CELLS];
    void *model = NULL;
    physad__call call;
    memset(valid, 1, sizeof(valid));
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    assert_ok(m->fit(det, &front, store, &call, &model));
    for (uint64_t q = 1; q <= 2; q++) {
        float *data = draw_rows(1000 * (uint64_t)integer(item, "case") + q, CELLS * dim, q == 2 ? second_scale : 1);
        const physad__cells cells = { data, valid, GRID, GRID, dim };
        physad__verdict v = { map, SIDE, SIDE, 0, sample, position, distance };
        assert_ok(m->score(det, model, &cells, &v, &call));
        check_scored(method, v.score, map, json_array_get(json_object_get(item, "results"), q - 1));
        free(data);
    }
    physad__call_end(&call);
    m->free(model);
    physad_detector_free(det);
}

static void patchcore_scores_equal_features_equally(void **state)
{
    json_t *cases = golden("patchcore"), *item;
    size_t index;
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    json_array_foreach(cases, index, item)
    {
        const int64_t n = integer(item, "rows"), dim = integer(item, "dim");
        float *data = draw_rows((uint64_t)integer(item, "case"), n * dim, 1);
        physad_bank *store = new_bank(ctx, dim);
        add_sample(store, data, n, 0);
        check_on_cells(ctx, "patchcore", store, item, 0.5f);
        physad_bank_free(store);
        free(data);
    }
    json_decref(cases);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void padim_scores_equal_features_equally(void **state)
{
    json_t *cases = golden("padim"), *item;
    size_t index;
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    json_array_foreach(cases, index, item)
    {
        const int64_t photos = integer(item, "photos"), dim = integer(item, "dim");
        physad_bank *store = new_bank(ctx, dim);
        for (int64_t i = 0; i < photos; i++) {
            float *data = draw_rows(1000 * (uint64_t)integer(item, "case") + 10 + (uint64_t)i, CELLS * dim, 1);
            add_sample(store, data, CELLS, i);
            free(data);
        }
        check_on_cells(ctx, "padim", store, item, 1);
        physad_bank_free(store);
    }
    json_decref(cases);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* From photo to map, with the whole network. */
static void check_on_photos(const char *method, const char *part, const char *const *settings)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    static float map[SIDE * SIDE];
    const int64_t shape[2] = { SIDE, SIDE };
    const physad_view photo = physad_view_rgb8(pixels, SIDE, SIDE, SIDE * 3),
                      out = physad_view_array(map, PHYSAD_F32, 2, shape);
    json_t *want = golden(part);
    physad_context *ctx = NULL;
    physad_dataset *normals = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    assert_ok(physad_dataset_new(&normals, ctx));
    for (int64_t i = 0; i < integer(want, "photos"); i++) {
        physad_item item = PHYSAD_ITEM_INIT;
        item.photo = &photo;
        item.flags = PHYSAD_ITEM_COPY;
        draw_photo(500 + (uint64_t)i, false, pixels);
        assert_ok(physad_dataset_add(normals, &item));
    }
    physad_detector *det = new_detector(ctx, method);
    for (const char *const *s = settings; *s != NULL; s += 2)
        assert_ok(physad_detector_set(det, s[0], s[1]));
    assert_ok(physad_detector_fit(det, normals, NULL));
    for (size_t q = 0; q < 2; q++) {
        physad_result *r = NULL;
        draw_photo(q == 0 ? 600 : 500, q == 1, pixels);
        assert_ok(physad_detector_score(det, &photo, &r));
        assert_ok(physad_result_map(r, &out));
        check_scored(part, physad_result_score(r), map, json_array_get(json_object_get(want, "results"), q));
        physad_result_free(r);
    }
    physad_detector_free(det);
    physad_dataset_free(normals);
    physad_context_free(ctx);
    json_decref(want);
}

static void patchcore_scores_photos_equally(void **state)
{
    static const char *const settings[] = { "layers", "layer2,layer3", NULL };
    check_on_photos("patchcore", "patchcore_photos", settings);
}

static void padim_scores_photos_equally(void **state)
{
    static const char *const settings[] = { "layers", "layer1,layer2", "dim", "192", NULL };
    check_on_photos("padim", "padim_photos", settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_coresets_are_equal),
        cmocka_unit_test(patchcore_scores_equal_features_equally),
        cmocka_unit_test(padim_scores_equal_features_equally),
        cmocka_unit_test(patchcore_scores_photos_equally),
        cmocka_unit_test(padim_scores_photos_equally),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
