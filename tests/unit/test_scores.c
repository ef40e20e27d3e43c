/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_help.h"

#include <sys/wait.h>
#include <unistd.h>

static physad_measure_options no_intervals(void)
{
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    o.replicates = -1;
    return o;
}

static void goldens_of_scikit_learn(void **state)
{
    physad_context *ctx = context_with(0, 0);
    json_t *root = golden(ctx);
    const json_t *cases = json_object_get(root, "scores");
    assert_true(json_array_size(cases) >= 7);
    for (size_t c = 0; c < json_array_size(cases); c++) {
        const json_t *g = json_array_get(cases, c), *scores = json_object_get(g, "scores");
        physad_scores *s = NULL;
        physad_metrics *m = NULL;
        physad_view curve;
        physad_measure_options o = no_intervals();
        assert_ok(physad_scores_new(&s, ctx));
        for (size_t i = 0; i < json_array_size(scores); i++)
            assert_ok(physad_scores_add(s, number_at(scores, i), (int32_t)number_at(json_object_get(g, "labels"), i),
                                        NULL, NULL));
        assert_ok(physad_scores_measure(&m, s, &o, NULL));
        assert_near(metric_of(m, "auroc").value, number(g, "auroc"), 1e-12);
        assert_near(metric_of(m, "ap").value, number(g, "ap"), 1e-12);
        assert_near(metric_of(m, "f1_max").value, number(g, "f1_max"), 1e-12);
        assert_near(metric_of(m, "f1_max").threshold, number(g, "f1_threshold"), 0);
        assert_ok(physad_metrics_curve(m, &curve));
        const double *row = curve.data;
        assert_int_equal(curve.shape[0], json_array_size(json_object_get(g, "fpr")));
        for (int64_t i = 0; i < curve.shape[0]; i++, row += PHYSAD_CURVE_COLUMNS) {
            assert_near(row[1], number_at(json_object_get(g, "fpr"), (size_t)i), 1e-12);
            assert_near(row[2], number_at(json_object_get(g, "tpr"), (size_t)i), 1e-12);
        }
        physad_metrics_free(m);
        o.use_threshold = 1;
        o.threshold = number(g, "threshold");
        assert_ok(physad_scores_measure(&m, s, &o, NULL));
        assert_near(metric_of(m, "accuracy").value, number(g, "accuracy"), 1e-12);
        assert_near(metric_of(m, "accuracy").threshold, o.threshold, 0);
        physad_metrics_free(m);
        physad_scores_free(s);
    }
    json_decref(root);
    context_done(ctx);
}

/* --- made-up samples with types, groups and ties --- */

typedef struct sample {
    double score;
    int32_t label;
    const char *type;
    char group[16];
} sample;

enum { SAMPLES = 240 };

static void make_samples(sample *s, uint64_t seed, double shift, bool named)
{
    static const char *const types[] = { "scratched", "missing", "bent" };
    physad__rng rng;
    physad__rng_seed(&rng, seed, 0);
    for (int i = 0; i < SAMPLES; i++) {
        s[i].label = i % 3 == 0;
        s[i].type = s[i].label ? types[(i / 3) % 3] : "good";
        s[i].score = floor(8 * (physad__rng_normal(&rng) + s[i].label * shift)) / 8;
        snprintf(s[i].group, sizeof(s[i].group), "%s%d", named || i % 2 ? "g" : "", named || i % 2 ? i / 7 : -1);
    }
}

static const char *group_of(const sample *s)
{
    return s->group[0] == 'g' ? s->group : NULL;
}

static physad_scores *accumulate(physad_context *ctx, const sample *s, const int64_t *order, int64_t first, int64_t end)
{
    physad_scores *out = NULL;
    assert_ok(physad_scores_new(&out, ctx));
    for (int64_t i = first; i < end; i++) {
        const sample *x = &s[order != NULL ? order[i] : i];
        assert_ok(physad_scores_add(out, x->score, x->label, x->type, group_of(x)));
    }
    return out;
}

static double pairs_won(const sample *s, bool (*positive)(const sample *), bool (*negative)(const sample *))
{
    double won = 0, pairs = 0;
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < SAMPLES; j++)
            if (positive(&s[i]) && negative(&s[j])) {
                pairs += 1;
                won += s[i].score > s[j].score ? 1 : (s[i].score == s[j].score ? 0.5 : 0);
            }
    return won / pairs;
}

static bool is_bad(const sample *s)
{
    return s->label == 1;
}
static bool is_good(const sample *s)
{
    return s->label == 0;
}
static bool is_bent(const sample *s)
{
    return strcmp(s->type, "bent") == 0;
}
static bool is_other(const sample *s)
{
    return s->label == 1 && !is_bent(s);
}

static void types_against_all_pairs(void **state)
{
    physad_context *ctx = context_with(0, 0);
    sample s[SAMPLES];
    physad_metrics *m = NULL;
    physad_metric good = PHYSAD_METRIC_INIT, rest = PHYSAD_METRIC_INIT;
    make_samples(s, 5, 1, true);
    physad_scores *scores = accumulate(ctx, s, NULL, 0, SAMPLES);
    assert_int_equal(physad_scores_count(scores), SAMPLES);
    assert_ok(physad_scores_measure(&m, scores, NULL, NULL));
    assert_near(metric_of(m, "auroc").value, pairs_won(s, is_bad, is_good), 1e-12);
    assert_int_equal(physad_metrics_positives(m), SAMPLES / 3);
    assert_int_equal(physad_metrics_negatives(m), SAMPLES - SAMPLES / 3);
    assert_int_equal(physad_metrics_groups(m), (SAMPLES + 6) / 7);
    assert_int_equal(physad_metrics_type_count(m), 3);
    assert_string_equal(physad_metrics_type_name(m, 0), "bent");
    assert_null(physad_metrics_type_name(m, 3));
    assert_ok(physad_metrics_type(m, 0, &good, &rest));
    assert_near(good.value, pairs_won(s, is_bent, is_good), 1e-12);
    assert_near(rest.value, pairs_won(s, is_bent, is_other), 1e-12);
    assert_true(good.lower < good.value && good.value < good.upper);
    double mean = 0;
    for (int64_t i = 0; i < 3; i++) {
        assert_ok(physad_metrics_type(m, i, &good, NULL));
        mean += good.value / 3;
    }
    assert_near(metric_of(m, "type_auroc_vs_good").value, mean, 1e-12);
    assert_fails(PHYSAD_ERR_ARG, "index is 3", physad_metrics_type(m, 3, &good, NULL));
    physad_metrics_free(m);
    physad_scores_free(scores);
    context_done(ctx);
}

static void order_split_and_threads_do_not_show(void **state)
{
    sample s[SAMPLES];
    int64_t order[SAMPLES];
    physad__rng rng;
    make_samples(s, 6, 0.7, false);
    physad__rng_seed(&rng, 1, 2);
    physad_context *one = context_with(1, 0), *many = context_with(3, 0);
    physad_scores *whole = accumulate(one, s, NULL, 0, SAMPLES);
    physad_metrics *want = NULL, *got = NULL;
    assert_ok(physad_scores_measure(&want, whole, NULL, NULL));
    for (int round = 0; round < 5; round++) {
        for (int64_t i = 0; i < SAMPLES; i++)
            order[i] = i;
        physad__rng_shuffle(&rng, order, SAMPLES);
        physad_scores *a = accumulate(many, s, order, 0, 50), *b = accumulate(many, s, order, 50, 51);
        physad_scores *c = accumulate(many, s, order, 51, SAMPLES), *empty = accumulate(many, s, order, 0, 0);
        physad_scores *to = round % 2 ? a : c, *from = round % 2 ? c : a;
        assert_ok(physad_scores_merge(to, b));
        assert_ok(physad_scores_merge(to, empty));
        assert_ok(physad_scores_merge(to, from));
        assert_ok(physad_scores_measure(&got, to, NULL, NULL));
        assert_same_metrics(want, got);
        physad_metrics_free(got);
        physad_scores_free(a);
        physad_scores_free(b);
        physad_scores_free(c);
        physad_scores_free(empty);
    }
    physad_metrics_free(want);
    physad_scores_free(whole);
    context_done(one);
    context_done(many);
}

static void monotone_maps_do_not_show(void **state)
{
    physad_context *ctx = context_with(0, 0);
    sample s[SAMPLES];
    physad_metrics *want = NULL, *got = NULL;
    make_samples(s, 7, 0.5, false);
    physad_scores *a = accumulate(ctx, s, NULL, 0, SAMPLES);
    for (int i = 0; i < SAMPLES; i++)
        s[i].score = exp(s[i].score);
    physad_scores *b = accumulate(ctx, s, NULL, 0, SAMPLES);
    assert_ok(physad_scores_measure(&want, a, NULL, NULL));
    assert_ok(physad_scores_measure(&got, b, NULL, NULL));
    static const char *const names[] = { "auroc", "ap", "f1_max", "accuracy" };
    for (int i = 0; i < 4; i++) {
        const physad_metric p = metric_of(want, names[i]), q = metric_of(got, names[i]);
        assert_near(p.value, q.value, 0);
        assert_near(p.lower, q.lower, 0);
        assert_near(p.upper, q.upper, 0);
    }
    physad_metrics_free(want);
    physad_metrics_free(got);
    physad_scores_free(a);
    physad_scores_free(b);
    context_done(ctx);
}

static void infinities_rank_and_nan_is_refused(void **state)
{
    physad_context *ctx = context_with(0, 0);
    physad_scores *s = NULL;
    physad_metrics *m = NULL;
    assert_ok(physad_scores_new(&s, ctx));
    assert_ok(physad_scores_add(s, -INFINITY, 0, NULL, NULL));
    assert_ok(physad_scores_add(s, INFINITY, 1, NULL, NULL));
    assert_ok(physad_scores_add(s, 0.0, 1, NULL, NULL));
    assert_ok(physad_scores_add(s, -0.0, 0, NULL, NULL));
    assert_fails(PHYSAD_ERR_NUMERIC, "sample 4 is NaN", physad_scores_add(s, NAN, 0, NULL, "x"));
    assert_int_equal(physad_scores_count(s), 4);
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_near(metric_of(m, "auroc").value, 3.5 / 4, 0); /* +0 and -0 are equal */
    assert_true(metric_of(m, "auroc").lower <= 3.5 / 4);
    physad_metrics_free(m);
    physad_scores_free(s);
    context_done(ctx);
}

static void undefined_metrics_say_why(void **state)
{
    physad_context *ctx = context_with(0, 0);
    physad_scores *s = NULL;
    physad_metrics *m = NULL;
    assert_ok(physad_scores_new(&s, ctx));
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_true(isnan(metric_of(m, "auroc").value));
    assert_string_equal(metric_of(m, "auroc").reason, "nothing was added");
    physad_metrics_free(m);
    assert_ok(physad_scores_add(s, 1, 1, "bent", "a"));
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_string_equal(metric_of(m, "f1_max").reason, "nothing normal was added");
    assert_true(isnan(metric_of(m, "type_auroc_vs_good").value));
    physad_metrics_free(m);
    assert_ok(physad_scores_add(s, 0, 0, NULL, "b"));
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_near(metric_of(m, "auroc").value, 1, 0);
    assert_null(metric_of(m, "auroc").reason);
    assert_true(isnan(metric_of(m, "auroc").lower));
    assert_string_equal(metric_of(m, "auroc").interval_reason, "a class lies in fewer than two groups");
    physad_metric rest = PHYSAD_METRIC_INIT;
    assert_ok(physad_metrics_type(m, 0, NULL, &rest));
    assert_string_equal(rest.reason, "no other type was added");
    physad_metrics_free(m);
    physad_scores_free(s);
    context_done(ctx);
}

/* --- intervals --- */

/* The generator's stratified draw done slowly: every replicate is built sample by sample and ranked by all pairs. */
static double slow_replicate(const sample *s, const uint32_t *weight)
{
    double won = 0, pairs = 0;
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < SAMPLES; j++)
            if (s[i].label == 1 && s[j].label == 0) {
                const double w = (double)weight[atoi(s[i].group + 1)] * weight[atoi(s[j].group + 1)];
                pairs += w;
                won += w * (s[i].score > s[j].score ? 1 : (s[i].score == s[j].score ? 0.5 : 0));
            }
    return won / pairs;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void an_interval_equals_the_slow_bootstrap(void **state)
{
    enum { GROUPS = 35, REPLICATES = 41 };
    physad_context *ctx = context_with(0, 0);
    sample s[SAMPLES];
    make_samples(s, 8, 0.6, true);
    for (int i = 0; i < SAMPLES; i++) { /* two digits, so that names sort as numbers; some groups of one class */
        snprintf(s[i].group, sizeof(s[i].group), "g%02d", i / 7);
        if (i / 7 < 20) {
            s[i].label = i / 7 < 8;
            s[i].type = s[i].label ? "bent" : "good";
        }
    }
    physad_scores *scores = accumulate(ctx, s, NULL, 0, SAMPLES);
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    physad_metrics *m = NULL;
    o.replicates = REPLICATES;
    o.seed = 99;
    o.level = 0.9;
    assert_ok(physad_scores_measure(&m, scores, &o, NULL));
    int64_t positives[GROUPS] = { 0 }, negatives[GROUPS] = { 0 };
    for (int i = 0; i < SAMPLES; i++)
        (s[i].label ? positives : negatives)[i / 7]++;
    physad__strata strata;
    uint32_t weight[GROUPS];
    double value[REPLICATES];
    assert_ok(physad__strata_new(&strata, &ctx->mem, positives, negatives, GROUPS));
    assert_int_equal(strata.count[0], 13);
    assert_int_equal(strata.count[1], 8);
    assert_int_equal(strata.count[2], 14);
    for (int i = 0; i < REPLICATES; i++) {
        uint32_t sum = 0;
        physad__strata_draw(&strata, o.seed, i, weight, GROUPS);
        for (int g = 0; g < 8; g++)
            sum += weight[g];
        assert_int_equal(sum, 8);
        value[i] = slow_replicate(s, weight);
    }
    physad__strata_free(&strata);
    qsort(value, REPLICATES, sizeof(value[0]), by_value);
    assert_near(metric_of(m, "auroc").lower, value[2], 1e-12); /* 0.05 * 40 */
    assert_near(metric_of(m, "auroc").upper, value[38], 1e-12);
    physad_metrics_free(m);
    physad_scores_free(scores);
    context_done(ctx);
}

static void intervals_cover(void **state)
{
    /* Groups of three equal samples: intervals over samples would be too narrow by sqrt(3) and cover about 74 %. */
    enum { ROUNDS = 300, GROUPS = 60 };
    physad_context *ctx = context_with(1, 0);
    const double truth = 0.5 * erfc(-1 / 2.0); /* P(N(1,1) > N(0,1)) = Phi(1 / sqrt 2) */
    int covered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        physad_scores *s = NULL;
        physad_metrics *m = NULL;
        physad__rng rng;
        physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
        physad__rng_seed(&rng, (uint64_t)round, 3);
        o.replicates = 200;
        assert_ok(physad_scores_new(&s, ctx));
        for (int g = 0; g < 2 * GROUPS; g++) {
            char name[16];
            const double score = physad__rng_normal(&rng) + g % 2;
            snprintf(name, sizeof(name), "%d", g);
            for (int k = 0; k < 3; k++)
                assert_ok(physad_scores_add(s, score, g % 2, NULL, name));
        }
        assert_ok(physad_scores_measure(&m, s, &o, NULL));
        const physad_metric auroc = metric_of(m, "auroc");
        covered += auroc.lower <= truth && truth <= auroc.upper;
        physad_metrics_free(m);
        physad_scores_free(s);
    }
    assert_true(covered >= 0.90 * ROUNDS && covered <= 0.985 * ROUNDS);
    context_done(ctx);
}

static void a_paired_difference_is_narrower(void **state)
{
    physad_context *ctx = context_with(0, 0);
    sample s[SAMPLES], better[SAMPLES];
    physad_metric d = PHYSAD_METRIC_INIT;
    make_samples(s, 9, 0.6, true);
    memcpy(better, s, sizeof(s));
    for (int i = 0; i < SAMPLES; i++)
        better[i].score += s[i].label * 0.25;
    physad_scores *a = accumulate(ctx, better, NULL, 0, SAMPLES), *b = accumulate(ctx, s, NULL, 0, SAMPLES);
    assert_ok(physad_scores_compare(a, b, NULL, &d, NULL));
    assert_near(d.value, pairs_won(better, is_bad, is_good) - pairs_won(s, is_bad, is_good), 1e-12);
    assert_true(d.lower > 0 && d.lower < d.value && d.value < d.upper);
    assert_ok(physad_scores_compare(a, a, NULL, &d, NULL));
    assert_near(d.lower, 0, 0);
    assert_near(d.upper, 0, 0);
    assert_ok(physad_scores_add(b, 0, 0, NULL, "g3"));
    assert_fails(PHYSAD_ERR_ARG, "group \"g3\" has", physad_scores_compare(a, b, NULL, &d, NULL));
    assert_ok(physad_scores_add(b, 0, 0, NULL, "other"));
    assert_fails(PHYSAD_ERR_ARG, "35 groups, the second 36", physad_scores_compare(a, b, NULL, &d, NULL));
    assert_ok(physad_scores_add(b, 0, 0, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "has no group", physad_scores_compare(a, b, NULL, &d, NULL));
    d.struct_size = 8;
    assert_fails(PHYSAD_ERR_ARG, "struct_size is 8", physad_scores_compare(a, a, NULL, &d, NULL));
    physad_scores_free(a);
    physad_scores_free(b);
    context_done(ctx);
}

/* --- a type's own scores, arrays, errors --- */

static void type_scores_serve_the_rest(void **state)
{
    static const char *const names[] = { "dent", "crack" };
    const double dent[] = { 2, 1 }, crack[] = { 1, 2 };
    physad_context *ctx = context_with(0, 0);
    physad_scores *s = NULL;
    physad_metrics *m = NULL;
    physad_metric rest = PHYSAD_METRIC_INIT;
    assert_ok(physad_scores_new(&s, ctx));
    for (int i = 0; i < 4; i++) {
        assert_ok(physad_scores_add_typed(s, 5, 1, "dent", NULL, 2, names, dent));
        assert_ok(physad_scores_add_typed(s, 5, 1, "crack", NULL, 2, names, crack));
    }
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_ok(physad_metrics_type(m, 1, NULL, &rest));
    assert_near(rest.value, 1, 0); /* by `score` it would be a half */
    physad_metrics_free(m);
    assert_ok(physad_scores_add(s, 5, 1, "crack", NULL));
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_ok(physad_metrics_type(m, 1, NULL, &rest));
    assert_string_equal(rest.reason, "some anomalous samples have no score for this type");
    physad_metrics_free(m);
    const double bad[] = { NAN, 1 };
    static const char *const twice[] = { "dent", "dent" };
    assert_fails(PHYSAD_ERR_NUMERIC, "type \"dent\" is NaN",
                 physad_scores_add_typed(s, 5, 1, "dent", NULL, 2, names, bad));
    assert_fails(PHYSAD_ERR_ARG, "given twice", physad_scores_add_typed(s, 5, 1, "dent", NULL, 2, twice, dent));
    assert_fails(PHYSAD_ERR_ARG, "type_names NULL", physad_scores_add_typed(s, 5, 1, "dent", NULL, 2, NULL, dent));
    physad_scores_free(s);
    context_done(ctx);
}

static void arrays_equal_single_samples(void **state)
{
    physad_context *ctx = context_with(0, 0);
    float score[6] = { 1, 2, 3, 4, 5, 6 };
    uint8_t label[3] = { 0, 1, 1 };
    int64_t group[3] = { 7, -1, 7 };
    const int64_t n = 3;
    physad_scores *a = NULL, *b = NULL;
    physad_metrics *x = NULL, *y = NULL;
    physad_view scores = physad_view_array(score, PHYSAD_F32, 1, &n),
                labels = physad_view_array(label, PHYSAD_U8, 1, &n);
    physad_view groups = physad_view_array(group, PHYSAD_I64, 1, &n);
    scores.stride[0] = 8; /* every other one */
    assert_ok(physad_scores_new(&a, ctx));
    assert_ok(physad_scores_new(&b, ctx));
    assert_ok(physad_scores_add_array(a, &scores, &labels, &groups));
    assert_ok(physad_scores_add(b, 1, 0, NULL, "7"));
    assert_ok(physad_scores_add(b, 3, 1, NULL, "-1"));
    assert_ok(physad_scores_add(b, 5, 1, NULL, "7"));
    assert_ok(physad_scores_measure(&x, a, NULL, NULL));
    assert_ok(physad_scores_measure(&y, b, NULL, NULL));
    assert_same_metrics(x, y);
    physad_metrics_free(x);
    physad_metrics_free(y);
    score[4] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "scores_view[2] is NaN", physad_scores_add_array(a, &scores, &labels, NULL));
    score[4] = 5;
    label[1] = 2;
    assert_fails(PHYSAD_ERR_ARG, "labels[1] is 2", physad_scores_add_array(a, &scores, &labels, NULL));
    labels.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_DTYPE, "labels has dtype f32", physad_scores_add_array(a, &scores, &labels, NULL));
    labels.dtype = PHYSAD_U8;
    labels.shape[0] = 2;
    assert_fails(PHYSAD_ERR_SHAPE, "want (n, as the scores)", physad_scores_add_array(a, &scores, &labels, NULL));
    assert_fails(PHYSAD_ERR_ARG, "labels", physad_scores_add_array(a, &scores, NULL, NULL));
    assert_int_equal(physad_scores_count(a), 3);
    physad_scores_free(a);
    physad_scores_free(b);
    context_done(ctx);
}

static void wrong_arguments_are_named(void **state)
{
    physad_context *ctx = context_with(0, 0);
    physad_scores *s = NULL;
    physad_metrics *m = NULL;
    physad_metric metric = PHYSAD_METRIC_INIT;
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_scores_new(NULL, ctx));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_scores_new(&s, NULL));
    assert_ok(physad_scores_new(&s, ctx));
    assert_fails(PHYSAD_ERR_ARG, "label is 2", physad_scores_add(s, 0, 2, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "scores is NULL", physad_scores_add(NULL, 0, 1, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "scores is NULL", physad_scores_measure(&m, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "scores is NULL", physad_scores_merge(s, NULL));
    o.level = 1;
    assert_fails(PHYSAD_ERR_ARG, "level is 1", physad_scores_measure(&m, s, &o, NULL));
    o.level = 0;
    o.limits[1] = 0.5;
    assert_fails(PHYSAD_ERR_ARG, "limits[1] is 0.5", physad_scores_measure(&m, s, &o, NULL));
    o.limits[1] = 0;
    o.replicates = -2;
    assert_fails(PHYSAD_ERR_ARG, "replicates is -2", physad_scores_measure(&m, s, &o, NULL));
    assert_null(m);
    assert_ok(physad_scores_measure(&m, s, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"auroc\"", physad_metrics_get(m, "aurocc", &metric));
    metric.struct_size = 0;
    assert_fails(PHYSAD_ERR_ARG, "struct_size is 0", physad_metrics_get(m, "auroc", &metric));
    assert_fails(PHYSAD_ERR_ARG, "metrics is NULL", physad_metrics_get(NULL, "auroc", &metric));
    assert_null(physad_metrics_name(m, -1));
    physad_metrics_free(m);
    physad_metrics_free(NULL);
    physad_scores_free(s);
    physad_scores_free(NULL);
    assert_int_equal(physad_scores_count(NULL), 0);
    context_done(ctx);
}

static void cancelling_and_forking(void **state)
{
    physad_context *ctx = context_with(1, 0);
    physad_metrics *m = NULL;
    sample s[SAMPLES];
    int how;
    make_samples(s, 10, 1, true);
    physad_scores *scores = accumulate(ctx, s, NULL, 0, SAMPLES);
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", physad_scores_measure(&m, scores, NULL, NULL));
    physad_context_resume(ctx);
    const pid_t child = fork();
    if (child == 0)
        _exit(physad_scores_measure(&m, scores, NULL, NULL) == PHYSAD_ERR_STATE &&
                      physad_scores_add(scores, 1, 1, NULL, NULL) == PHYSAD_ERR_STATE
                  ? 0
                  : 1);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    assert_ok(physad_scores_measure(&m, scores, NULL, NULL));
    physad_metrics_free(m);
    physad_scores_free(scores);
    context_done(ctx);
}

static void arrays_carry_all_and_are_not_believed(void **state)
{
    static const char *const names[] = { "scratched", "bent" };
    const double typed[] = { 1, 2 };
    physad_context *ctx = context_with(1, 0);
    sample s[SAMPLES];
    physad_scores *back = NULL, *empty = NULL;
    physad_tensors *t = NULL, *none = NULL;
    physad_metrics *want = NULL, *got = NULL;
    make_samples(s, 12, 0.5, false);
    physad_scores *a = accumulate(ctx, s, NULL, 0, SAMPLES);
    assert_ok(physad_scores_add_typed(a, 0.5, 1, "bent", NULL, 2, names, typed));
    assert_ok(physad_tensors_new(&t, ctx));
    assert_ok(physad_scores_to_tensors(a, t));
    assert_fails(PHYSAD_ERR_ARG, "holds 9 arrays already", physad_scores_to_tensors(a, t));
    assert_ok(physad_scores_from_tensors(&back, ctx, t));
    assert_ok(physad_scores_measure(&want, a, NULL, NULL));
    assert_ok(physad_scores_measure(&got, back, NULL, NULL));
    assert_same_metrics(want, got);
    physad_scores_free(back);
    physad_metrics_free(got);
    physad__rng rng;
    physad__rng_seed(&rng, 1, 1);
    int refused = 0;
    for (int i = 0; i < 500; i++) {
        physad_tensors *bad = damaged(ctx, t, &rng);
        const physad_status status = physad_scores_from_tensors(&back, ctx, bad);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_FORMAT);
        assert_true((status == PHYSAD_OK) == (back != NULL));
        refused += status != PHYSAD_OK;
        if (status == PHYSAD_OK)
            assert_int_equal(physad_scores_count(back), SAMPLES + 1);
        physad_scores_free(back);
        physad_tensors_free(bad);
    }
    assert_true(refused > 100);
    assert_ok(physad_scores_new(&empty, ctx));
    assert_ok(physad_tensors_new(&none, ctx));
    assert_fails(PHYSAD_ERR_FORMAT, "is not set, want \"scores\"", physad_scores_from_tensors(&back, ctx, none));
    assert_ok(physad_scores_to_tensors(empty, none));
    assert_ok(physad_scores_from_tensors(&back, ctx, none));
    assert_int_equal(physad_scores_count(back), 0);
    physad_scores_free(back);
    assert_fails(PHYSAD_ERR_ARG, "tensors is NULL", physad_scores_from_tensors(&back, ctx, NULL));
    assert_fails(PHYSAD_ERR_ARG, "scores is NULL", physad_scores_to_tensors(NULL, none));
    assert_ok(physad_tensors_set_metadata(none, "physad.version", "2"));
    physad_scores *newer = NULL;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "has version 2", physad_scores_from_tensors(&newer, ctx, none));
    physad_scores_free(empty);
    physad_tensors_free(none);
    physad_tensors_free(t);
    physad_metrics_free(want);
    physad_scores_free(a);
    context_done(ctx);
}

static physad_status measure_some(physad_context *ctx)
{
    static const char *const names[] = { "a", "b" };
    const double typed[] = { 1, 2 };
    physad_scores *a = NULL, *b = NULL, *c = NULL;
    physad_tensors *arrays = NULL;
    physad_metrics *m = NULL;
    physad_metric d = PHYSAD_METRIC_INIT;
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    o.replicates = 5;
    physad_status status = physad_scores_new(&a, ctx);
    if (status == PHYSAD_OK)
        status = physad_scores_new(&b, ctx);
    for (int i = 0; i < 20 && status == PHYSAD_OK; i++) {
        char group[8];
        snprintf(group, sizeof(group), "%d", i / 2);
        status = physad_scores_add_typed(a, i % 7, i % 2, names[i / 10], group, i % 3 == 0 ? 2 : 0, names, typed);
    }
    if (status == PHYSAD_OK)
        status = physad_scores_merge(b, a);
    if (status == PHYSAD_OK)
        status = physad_scores_measure(&m, b, &o, NULL);
    if (status == PHYSAD_OK)
        status = physad_scores_compare(a, b, &o, &d, NULL);
    if (status == PHYSAD_OK)
        status = physad_tensors_new(&arrays, ctx);
    if (status == PHYSAD_OK)
        status = physad_scores_to_tensors(b, arrays);
    if (status == PHYSAD_OK)
        status = physad_scores_from_tensors(&c, ctx, arrays);
    physad_tensors_free(arrays);
    physad_scores_free(c);
    physad_metrics_free(m);
    physad_scores_free(a);
    physad_scores_free(b);
    return status;
}

static void no_memory_leaves_no_trace(void **state)
{
    fail_each_allocation(measure_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens_of_scikit_learn),
        cmocka_unit_test(types_against_all_pairs),
        cmocka_unit_test(order_split_and_threads_do_not_show),
        cmocka_unit_test(monotone_maps_do_not_show),
        cmocka_unit_test(infinities_rank_and_nan_is_refused),
        cmocka_unit_test(undefined_metrics_say_why),
        cmocka_unit_test(an_interval_equals_the_slow_bootstrap),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(a_paired_difference_is_narrower),
        cmocka_unit_test(type_scores_serve_the_rest),
        cmocka_unit_test(arrays_equal_single_samples),
        cmocka_unit_test(wrong_arguments_are_named),
        cmocka_unit_test(cancelling_and_forking),
        cmocka_unit_test(arrays_carry_all_and_are_not_believed),
        cmocka_unit_test(no_memory_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
