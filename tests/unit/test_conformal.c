/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_help.h"

static physad_view vector(const void *data, int32_t dtype, int64_t n)
{
    return physad_view_array((void *)(uintptr_t)data, dtype, 1, &n);
}

static void beta_equals_scipy(void **state)
{
    physad_context *ctx = context_with(0, 0);
    json_t *root = golden(ctx);
    const json_t *cases = json_object_get(root, "beta");
    assert_true(json_array_size(cases) >= 80);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *g = json_array_get(cases, i);
        const double a = number(g, "a"), b = number(g, "b");
        if (json_object_get(g, "cdf") != NULL) {
            const double want = number(g, "cdf");
            assert_near(physad__beta_cdf(number(g, "x"), a, b), want, 1e-12 + 1e-10 * want);
        } else {
            const double want = number(g, "quantile");
            assert_near(physad__beta_quantile(number(g, "p"), a, b), want, 1e-9 * want + 1e-15);
        }
    }
    assert_near(physad__beta_cdf(0, 2, 3), 0, 0);
    assert_near(physad__beta_cdf(1, 2, 3), 1, 0);
    assert_near(physad__beta_quantile(0, 2, 3), 0, 0);
    assert_near(physad__beta_quantile(1, 2, 3), 1, 0);
    json_decref(root);
    context_done(ctx);
}

static void the_rank_is_the_formulas(void **state)
{
    physad_context *ctx = context_with(0, 0);
    double score[200];
    for (int i = 0; i < 200; i++)
        score[i] = (i * 37) % 200; /* 0 .. 199 in some order; the k-th smallest is k - 1 */
    static const struct {
        double alpha;
        int n, rank;
    } cases[] = { { 0.05, 19, 19 }, { 0.05, 20, 20 }, { 0.05, 39, 38 }, { 0.05, 200, 191 }, { 0.1, 9, 9 },
                  { 0.1, 99, 90 },  { 0.01, 99, 99 }, { 0.3, 9, 7 },    { 0.5, 1, 1 },      { 0.999, 5, 1 } };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        double part[200];
        int n = 0;
        for (int i = 0; i < 200; i++)
            if (score[i] < cases[c].n)
                part[n++] = score[i];
        physad_conformal f = PHYSAD_CONFORMAL_INIT;
        const physad_view v = vector(part, PHYSAD_F64, n);
        assert_ok(physad_conformal_fit(&f, ctx, &v, NULL, cases[c].alpha));
        assert_int_equal(f.count, cases[c].n);
        assert_int_equal(f.rank, cases[c].rank);
        assert_near(f.threshold, cases[c].rank - 1, 0);
        assert_true(f.rate_mean <= cases[c].alpha * (1 + 1e-9));
        assert_true(f.rate_lower < f.rate_mean && f.rate_mean < f.rate_upper);
    }
    context_done(ctx);
}

static void too_few_groups_are_refused_with_the_number(void **state)
{
    physad_context *ctx = context_with(0, 0);
    const float score[18] = { 0 };
    physad_conformal f = PHYSAD_CONFORMAL_INIT;
    physad_view v = vector(score, PHYSAD_F32, 18);
    assert_fails(PHYSAD_ERR_NUMERIC, "0.05 cannot be promised with 18 calibration groups: at least 19",
                 physad_conformal_fit(&f, ctx, &v, NULL, 0.05));
    v.shape[0] = 0;
    assert_fails(PHYSAD_ERR_NUMERIC, "with 0 calibration groups: at least 1 are",
                 physad_conformal_fit(&f, ctx, &v, NULL, 0.5));
    assert_int_equal(physad_conformal_needed(0.05), 19);
    assert_int_equal(physad_conformal_needed(0.1), 9);
    assert_int_equal(physad_conformal_needed(0.01), 99);
    assert_int_equal(physad_conformal_needed(0.3), 3);
    assert_int_equal(physad_conformal_needed(0.9), 1);
    assert_int_equal(physad_conformal_needed(0), -1);
    assert_int_equal(physad_conformal_needed(1), -1);
    assert_int_equal(physad_conformal_needed(NAN), -1);
    for (int n = 1; n < 3000; n++) /* the number asked for is enough, and one less is not */
        assert_int_equal(physad_conformal_needed(1.0 / (n + 1)), n);
    context_done(ctx);
}

static void wrong_arguments_are_named(void **state)
{
    physad_context *ctx = context_with(0, 0);
    float score[4] = { 1, 2, NAN, 4 };
    int64_t group[4] = { 0, 0, 1, 1 };
    double p;
    physad_conformal f = PHYSAD_CONFORMAL_INIT;
    physad_view v = vector(score, PHYSAD_F32, 4), g = vector(group, PHYSAD_I64, 4);
    assert_fails(PHYSAD_ERR_NUMERIC, "scores[2] is NaN", physad_conformal_fit(&f, ctx, &v, NULL, 0.5));
    assert_fails(PHYSAD_ERR_NUMERIC, "scores[2] is NaN", physad_conformal_p_value(&p, ctx, &v, NULL, 1));
    score[2] = 3;
    assert_fails(PHYSAD_ERR_NUMERIC, "score is NaN", physad_conformal_p_value(&p, ctx, &v, NULL, NAN));
    assert_fails(PHYSAD_ERR_ARG, "alpha is 1", physad_conformal_fit(&f, ctx, &v, NULL, 1));
    assert_fails(PHYSAD_ERR_ARG, "conformal is NULL", physad_conformal_fit(NULL, ctx, &v, NULL, 0.5));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_conformal_fit(&f, NULL, &v, NULL, 0.5));
    assert_fails(PHYSAD_ERR_ARG, "scores", physad_conformal_fit(&f, ctx, NULL, NULL, 0.5));
    assert_fails(PHYSAD_ERR_ARG, "p_value is NULL", physad_conformal_p_value(NULL, ctx, &v, NULL, 1));
    g.shape[0] = 3;
    assert_fails(PHYSAD_ERR_SHAPE, "groups have shape (3), want (4)", physad_conformal_fit(&f, ctx, &v, &g, 0.5));
    g.dtype = PHYSAD_F64;
    assert_fails(PHYSAD_ERR_DTYPE, "groups have dtype f64", physad_conformal_fit(&f, ctx, &v, &g, 0.5));
    v.dtype = PHYSAD_U8;
    assert_fails(PHYSAD_ERR_DTYPE, "scores have dtype u8", physad_conformal_fit(&f, ctx, &v, NULL, 0.5));
    f.struct_size = 3;
    assert_fails(PHYSAD_ERR_ARG, "struct_size is 3", physad_conformal_fit(&f, ctx, &v, NULL, 0.5));
    context_done(ctx);
}

static void p_values_count_groups(void **state)
{
    physad_context *ctx = context_with(0, 0);
    const float score[6] = { 1, 9, 2, 3, 3, -INFINITY };
    const int64_t group[6] = { 1, 1, 2, 3, 3, 4 }; /* greatest: 9, 2, 3, -inf */
    const physad_view v = vector(score, PHYSAD_F32, 6), g = vector(group, PHYSAD_I64, 6);
    double p;
    assert_ok(physad_conformal_p_value(&p, ctx, &v, &g, 10));
    assert_near(p, 1.0 / 5, 0);
    assert_ok(physad_conformal_p_value(&p, ctx, &v, &g, 3));
    assert_near(p, 3.0 / 5, 0);
    assert_ok(physad_conformal_p_value(&p, ctx, &v, &g, -INFINITY));
    assert_near(p, 1, 0);
    assert_ok(physad_conformal_p_value(&p, ctx, &v, NULL, 3));
    assert_near(p, 4.0 / 7, 0);
    context_done(ctx);
}

/* Calibrates and tests over many seeds; the mean rate of a new group's alarms, and its standard error. */
static void alarm_rate(physad_context *ctx, int groups, int most_members, double step, double alpha, double *rate,
                       double *error)
{
    enum { SEEDS = 1000, TESTS = 40, MOST = 400 };
    double sum = 0, squares = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        double score[MOST];
        int64_t group[MOST], n = 0;
        physad__rng rng;
        physad_conformal f = PHYSAD_CONFORMAL_INIT;
        physad__rng_seed(&rng, (uint64_t)seed, 4);
        int alarms = 0;
        for (int g = 0; g < groups + TESTS; g++) {
            const double shared = exp(physad__rng_normal(&rng)); /* of the group: its members are alike */
            const int64_t members = 1 + physad__rng_below(&rng, most_members);
            bool alarm = false;
            if (g == groups) {
                const physad_view v = vector(score, PHYSAD_F64, n), k = vector(group, PHYSAD_I64, n);
                assert_ok(physad_conformal_fit(&f, ctx, &v, &k, alpha));
                assert_int_equal(f.count, groups);
            }
            for (int64_t i = 0; i < members; i++) {
                double s = shared + 0.3 * physad__rng_normal(&rng);
                s = step > 0 ? floor(s / step) * step : s;
                if (g < groups) {
                    group[n] = g * 1000 - 7;
                    score[n++] = s;
                }
                alarm = alarm || (g >= groups && s > f.threshold);
            }
            alarms += alarm;
        }
        const double r = (double)alarms / TESTS;
        sum += r;
        squares += r * r;
    }
    *rate = sum / SEEDS;
    *error = sqrt((squares / SEEDS - *rate * *rate) / SEEDS);
}

static void the_promise_holds(void **state)
{
    physad_context *ctx = context_with(1, 0);
    double rate, error;
    static const struct {
        int groups, members;
        double step, alpha;
    } cases[] = { { 39, 1, 0, 0.05 }, { 60, 1, 0, 0.1 }, { 40, 6, 0, 0.05 }, { 40, 1, 0.5, 0.1 }, { 19, 4, 1, 0.2 } };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        alarm_rate(ctx, cases[c].groups, cases[c].members, cases[c].step, cases[c].alpha, &rate, &error);
        assert_true(rate <= cases[c].alpha + 3 * error);
        if (cases[c].step == 0) /* and is not bought by never raising an alarm */
            assert_true(rate >= cases[c].alpha - 1.0 / (cases[c].groups + 1) - 3 * error);
    }
    context_done(ctx);
}

static void the_realised_rate_lies_in_its_interval(void **state)
{
    enum { SEEDS = 1000, N = 99 };
    physad_context *ctx = context_with(1, 0);
    int inside = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
        double score[N];
        physad__rng rng;
        physad_conformal f = PHYSAD_CONFORMAL_INIT;
        physad__rng_seed(&rng, (uint64_t)seed, 5);
        for (int i = 0; i < N; i++)
            score[i] = physad__rng_uniform(&rng);
        const physad_view v = vector(score, PHYSAD_F64, N);
        assert_ok(physad_conformal_fit(&f, ctx, &v, NULL, 0.05));
        const double rate = 1 - f.threshold; /* of a uniform score */
        inside += f.rate_lower <= rate && rate <= f.rate_upper;
    }
    assert_near(inside / (double)SEEDS, 0.95, 3 * sqrt(0.95 * 0.05 / SEEDS));
    context_done(ctx);
}

static physad_status fit_some(physad_context *ctx)
{
    const double score[20] = { 1, 2, 3 };
    physad_conformal f = PHYSAD_CONFORMAL_INIT;
    const physad_view v = vector(score, PHYSAD_F64, 20);
    double p;
    const physad_status status = physad_conformal_fit(&f, ctx, &v, NULL, 0.1);
    return status == PHYSAD_OK ? physad_conformal_p_value(&p, ctx, &v, NULL, 2) : status;
}

static void no_memory_leaves_no_trace(void **state)
{
    fail_each_allocation(fit_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beta_equals_scipy),
        cmocka_unit_test(the_rank_is_the_formulas),
        cmocka_unit_test(too_few_groups_are_refused_with_the_number),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(p_values_count_groups),
        cmocka_unit_test(the_promise_holds),
        cmocka_unit_test(the_realised_rate_lies_in_its_interval),
        cmocka_unit_test(no_memory_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
