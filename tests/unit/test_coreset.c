/* SPDX-License-Identifier: Apache-2.0 */
#include "test_bank.h"

static void coresets_equal_the_naive_rule(void **state)
{
    static const int64_t sizes[][2] = { { 1, 3 }, { 9, 1 }, { 120, 4 }, { 700, 17 }, { 1100, 40 }, { 500, 152 } };
    static const uint32_t masks[] = { 0, PHYSAD_CPU_AVX512_VNNI, PHYSAD_CPU_AVX512, PHYSAD_CPU_AVX2 };
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t s = 0; s < PHYSAD__COUNT(sizes); s++) {
            const int64_t n = sizes[s][0], d = sizes[s][1], count = n < 200 ? n : n / 4;
            physad_context *ctx = new_context(1 + (int)(s % 3), masks[(kind + s) % 4]);
            float *rows = make_rows(kind, n, d, 8);
            physad_bank *bank = new_bank(ctx, rows, n, d);
            int64_t *picks = malloc((size_t)count * 16), *want = picks + count;
            double *radii = malloc((size_t)count * 16), *want_radii = radii + count;
            physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
            o.flags = PHYSAD_CORESET_FIRST;
            o.first = n / 3;
            o.count = count;
            const physad_view pv = view1(picks, PHYSAD_I64, count), rv = view1(radii, PHYSAD_F64, count);
            assert_ok(physad_bank_coreset(bank, &pv, &rv, &o, NULL));
            brute_coreset(rows, n, d, o.first, count, want, want_radii);
            for (int64_t i = 0; i < count; i++)
                if (picks[i] != want[i] || memcmp(radii + i, want_radii + i, sizeof(double)) != 0)
                    fail_msg("kind %d, n %lld, d %lld: pick %lld is %lld at %.17g, want %lld at %.17g", kind,
                             (long long)n, (long long)d, (long long)i, (long long)picks[i], radii[i],
                             (long long)want[i], want_radii[i]);
            free(picks);
            free(radii);
            free(rows);
            physad_bank_free(bank);
            free_context(ctx);
        }
    }
}

static physad_status pick(const physad_bank *bank, int64_t *picks, double *radii, int64_t count,
                          physad_coreset_options o, const physad_call_options *call)
{
    const physad_view pv = view1(picks, PHYSAD_I64, count), rv = view1(radii, PHYSAD_F64, count);
    o.count = count;
    return physad_bank_coreset(bank, &pv, radii != NULL ? &rv : NULL, &o, call);
}

static void more_picks_extend_fewer(void **state)
{
    enum { N = 900, D = 30 };
    float *rows = make_rows(LOW_RANK, N, D, 3);
    int64_t few[40], many[400], seeded[40];
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    for (int threads = 1; threads <= 4; threads *= 2) {
        physad_context *ctx = new_context(threads, threads == 2 ? PHYSAD_CPU_AVX512_VNNI : 0);
        physad_bank *bank = new_bank(ctx, rows, N, D);
        o.flags = 0;
        assert_ok(pick(bank, many, NULL, 400, o, NULL));
        assert_ok(pick(bank, few, NULL, 40, o, NULL));
        assert_memory_equal(few, many, sizeof(few));
        if (threads == 1)
            memcpy(seeded, few, sizeof(few));
        assert_memory_equal(few, seeded, sizeof(few));
        o.flags = PHYSAD_CORESET_SEED;
        o.seed = 12345;
        assert_ok(pick(bank, few, NULL, 40, o, NULL));
        assert_int_not_equal(few[0], seeded[0]);
        physad_bank_free(bank);
        free_context(ctx);
    }
    free(rows);
}

/* Projected by a given matrix: as picked naively among rows that were projected by the definition. */
static void projections_are_what_the_header_says(void **state)
{
    enum { N = 600, D = 50, M = 11 };
    float *rows = make_rows(CLUSTERED, N, D, 4), *matrix = make_rows(RANDOM, M, D, 5),
          *projected = malloc(N * M * sizeof(float));
    matrix[3] = matrix[60] = 0;
    for (int i = 0; i < N; i++)
        for (int m = 0; m < M; m++) {
            double sum = 0;
            for (int j = 0; j < D; j++)
                sum += (double)matrix[m * D + j] * (double)rows[i * D + j];
            projected[i * M + m] = (float)sum;
        }
    int64_t picks[100], want[100];
    double radii[100], want_radii[100];
    physad_context *ctx = new_context(2, 0);
    physad_bank *bank = new_bank(ctx, rows, N, D);
    const physad_view mv = view2(matrix, PHYSAD_F32, M, D);
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    o.flags = PHYSAD_CORESET_FIRST;
    o.first = 17;
    o.projection = PHYSAD_PROJECTION_GIVEN;
    o.matrix = &mv;
    assert_ok(pick(bank, picks, radii, 100, o, NULL));
    brute_coreset(projected, N, M, 17, 100, want, want_radii);
    assert_memory_equal(picks, want, sizeof(picks));
    assert_memory_equal(radii, want_radii, sizeof(radii));
    matrix[0] = 3e38f;
    rows[0] = 3e38f;
    physad_bank_free(bank);
    bank = new_bank(ctx, rows, N, D);
    assert_fails(PHYSAD_ERR_NUMERIC, "the projection", pick(bank, picks, radii, 100, o, NULL));
    physad_bank_free(bank);
    free(rows);
    free(matrix);
    free(projected);
    free_context(ctx);
}

/* Distances among sparse projections are those of the rows, up to the distortion that the lemma allows. */
static void sparse_projections_keep_distances(void **state)
{
    enum { N = 300, D = 600 };
    float *rows = make_rows(LOW_RANK, N, D, 4);
    int64_t picks[30];
    double radii[30], sum = 0;
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = new_bank(ctx, rows, N, D);
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    o.projection = PHYSAD_PROJECTION_SPARSE;
    assert_ok(pick(bank, picks, radii, 30, o, NULL));
    for (int i = 1; i < 30; i++) {
        double nearest = INFINITY;
        for (int j = 0; j < i; j++)
            nearest = fmin(nearest, truth(rows + picks[i] * D, rows + picks[j] * D, D));
        sum += radii[i] / sqrt(nearest) / 29;
        assert_near(radii[i] / sqrt(nearest), 1, 0.5);
    }
    assert_near(sum, 1, 0.2);
    physad_bank_free(bank);
    free(rows);
    free_context(ctx);
}

static int stop_soon(const physad_progress *p, void *user)
{
    assert_string_equal(p->stage, "coreset");
    return ++*(int *)user > 1;
}

static void wrong_calls_are_told(void **state)
{
    float *rows = make_rows(RANDOM, 400, 4, 1);
    int64_t picks[400], count = 0;
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = NULL;
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    assert_ok(physad_bank_new(&bank, ctx, 4, NULL));
    assert_fails(PHYSAD_ERR_STATE, "empty", physad_bank_coreset_count(bank, NULL, &count));
    physad_bank_free(bank);
    bank = new_bank(ctx, rows, 400, 4);
    assert_ok(physad_bank_coreset_count(bank, NULL, &count));
    assert_int_equal(count, 40);
    o.ratio = 0.0001;
    assert_ok(physad_bank_coreset_count(bank, &o, &count));
    assert_int_equal(count, 1);
    o.ratio = 1.5;
    assert_fails(PHYSAD_ERR_ARG, "ratio is 1.5", physad_bank_coreset_count(bank, &o, &count));
    o.ratio = 0;
    assert_fails(PHYSAD_ERR_ARG, "count is 401", pick(bank, picks, NULL, 401, o, NULL));
    o.flags = PHYSAD_CORESET_FIRST;
    o.first = 400;
    assert_fails(PHYSAD_ERR_ARG, "first is 400, want 0 to 399", pick(bank, picks, NULL, 4, o, NULL));
    o.flags = 64;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "flags 0x40", pick(bank, picks, NULL, 4, o, NULL));
    o.flags = 0;
    o.projection = 3;
    assert_fails(PHYSAD_ERR_ARG, "projection is 3", pick(bank, picks, NULL, 4, o, NULL));
    o.projection = PHYSAD_PROJECTION_GIVEN;
    assert_fails(PHYSAD_ERR_ARG, "matrix is NULL", pick(bank, picks, NULL, 4, o, NULL));
    o.projection = 0;
    o.eps = 1;
    assert_fails(PHYSAD_ERR_ARG, "eps is 1", pick(bank, picks, NULL, 4, o, NULL));
    o.eps = 0;
    assert_fails(PHYSAD_ERR_ARG, "the bank is NULL", pick(NULL, picks, NULL, 4, o, NULL));
    const physad_view short_view = view1(picks, PHYSAD_I64, 3);
    assert_fails(PHYSAD_ERR_SHAPE, "picks has shape (3), want (40)",
                 physad_bank_coreset(bank, &short_view, NULL, NULL, NULL));
    int reports = 0;
    const physad_call_options call = { .struct_size = sizeof(call), .progress = stop_soon, .progress_user = &reports };
    assert_ok(pick(bank, picks, NULL, 4, o, NULL)); /* the index is there now */
    assert_fails(PHYSAD_ERR_CANCELLED, "callback", pick(bank, picks, NULL, 400, o, &call));
    assert_ok(pick(bank, picks, NULL, 400, o, NULL));
    bool met[400] = { false };
    for (int i = 0; i < 400; i++)
        met[picks[i]] = true;
    for (int i = 0; i < 400; i++)
        assert_true(met[i]);
    physad_bank_free(bank);
    free(rows);
    free_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coresets_equal_the_naive_rule),
        cmocka_unit_test(more_picks_extend_fewer),
        cmocka_unit_test(projections_are_what_the_header_says),
        cmocka_unit_test(sparse_projections_keep_distances),
        cmocka_unit_test(wrong_calls_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
