/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: rules against takes that break them, models on disk, rules edited, memory. */
#include "drawers_fitted.h"
#include "failing.h"

#include "detect/motion.h"
#include "io/io.h"

#include <physad/evaluate.h>
#include <physad/tensors.h>

#include <math.h>
#include <stdlib.h>
/* --- episodes --- */

static void defects_are_odd_and_named(void **state)
{
    physad_result *good = score(fitted, sample_of("good")->file);
    static const struct {
        const char *type, *word;
    } wants[] = { { "slow", "too slow (" },
                  { "short", "stops early (" },
                  { "sticks", "stalls (" },
                  { "returns", "turns back (" } };
    for (int64_t i = 0; i < PHYSAD__COUNT(wants); i++) {
        physad_worst worst = PHYSAD_WORST_INIT;
        physad_result *r = score(fitted, sample_of(wants[i].type)->file);
        print_message("%s %.3f against %.3f: %s\n", wants[i].type, physad_result_score(r), physad_result_score(good),
                      physad_result_verdict(r));
        assert_true(physad_result_score(r) > physad_result_score(good));
        assert_true(strstr(physad_result_verdict(r), wants[i].word) != NULL);
        assert_int_equal(physad_result_frame_count(r), 32);
        assert_ok(physad_result_worst(r, &worst));
        assert_in_range(worst.frame, 0, 31);
        for (int64_t t = 0; t < 32; t++)
            assert_true(physad_result_frame_scores(r)[t] <= physad_result_frame_scores(r)[worst.frame]);
        if (worst.sample >= 0)
            assert_string_equal(worst.path, physad_detector_training_path(fitted, worst.sample));
        physad_result_free(r);
    }
    physad_result_free(good);
}

static void models_are_kept(void **state)
{
    for (int i = 0; i < 2; i++) {
        physad_detector *back, *det = i == 0 ? fitted : streamed;
        assert_ok(physad_detector_save(det, full("model")));
        assert_ok(physad_detector_load(&back, shared, full("model")));
        physad_result *a = score(det, sample_of("slow")->file), *b = score(back, sample_of("slow")->file);
        same_result(a, b);
        physad_result_free(a);
        physad_result_free(b);
        physad_detector_free(back);
    }
}

static void threads_do_not_show(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *other;
    o.threads = 3;
    o.seed = 5;
    assert_ok(physad_context_new(&other, &o));
    physad_dataset *ds;
    assert_ok(physad_dataset_open(&ds, other, full("set"), NULL));
    physad_detector *det;
    assert_ok(physad_detector_new(&det, other, "motion-bank"));
    assert_ok(physad_detector_set(det, "mode", "episodes"));
    assert_ok(physad_detector_set(det, "bank_rows", "500"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_fit(det, ds, NULL));
    physad_result *a = score(fitted, sample_of("sticks")->file), *b = score(det, sample_of("sticks")->file);
    same_result(a, b);
    physad_result_free(a);
    physad_result_free(b);
    physad_detector_free(det);
    physad_dataset_free(ds);
    assert_int_equal(physad_context_memory_used(other), 0);
    physad_context_free(other);
}

/* --- rules --- */

/* A rule whose spread may be nothing is broken by every take. */
static void rules_have_a_least_spread(void **state)
{
    for (int k = 0; k < PHYSAD__RULES; k++) {
        const physad__rule_kind *kind = &physad__rule_kinds[k];
        assert_true(kind->least > 0 && kind->name != NULL && kind->unit != NULL);
        assert_true(kind->clip == (strstr(kind->name, "speed") != NULL)); /* what goes on in a stream is no rule */
    }
}

/* What a crafted model says of its rate can be neither 0 nor endless. */
static void rates_are_bounded(void **state)
{
    assert_true(physad__motion_is_rate(1e-6) && physad__motion_is_rate(29.97) && physad__motion_is_rate(1000));
    assert_false(physad__motion_is_rate(0) || physad__motion_is_rate(-25) || physad__motion_is_rate(1e-300) ||
                 physad__motion_is_rate(1e9) || physad__motion_is_rate(NAN) || physad__motion_is_rate(INFINITY));
}

/* The model again with number `at` of an array of f64 changed. */
static void craft(const char *array, int64_t at, double value, const char *path)
{
    physad_tensors *from, *to;
    double *changed = NULL;
    assert_ok(physad_detector_save(fitted, full("whole")));
    assert_ok(physad_tensors_open(&from, shared, full("whole"), NULL));
    assert_ok(physad_tensors_new(&to, shared));
    for (int64_t i = 0; i < physad_tensors_count(from); i++) {
        physad_view view;
        assert_ok(physad_tensors_view(from, i, &view));
        if (strcmp(physad_tensors_name(from, i), array) == 0) {
            const size_t size = (size_t)physad__view_count(&view) * sizeof(double);
            changed = test_malloc(size);
            memcpy(changed, view.data, size);
            changed[at] = value;
            view.data = changed;
        }
        assert_ok(physad_tensors_add(to, physad_tensors_name(from, i), &view));
    }
    for (int64_t i = 0; i < physad_tensors_metadata_count(from); i++) {
        const char *key = physad_tensors_metadata_key(from, i);
        assert_ok(physad_tensors_set_metadata(to, key, physad_tensors_metadata(from, key)));
    }
    assert_non_null(changed);
    assert_ok(physad_tensors_save(to, path));
    test_free(changed);
    physad_tensors_free(to);
    physad_tensors_free(from);
}

static void crafted_models_are_refused(void **state)
{
    enum { TAKES = 8, SPEED_LOW = 3 * 5 + 2, SPEED_HIGH };
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    physad_detector *det;
    o.memory_limit = UINT64_C(64) << 20;
    assert_ok(physad_context_new(&ctx, &o));
    /* No room is made for takes that the file does not have. */
    craft("motion.numbers", TAKES, 9e6, full("crafted"));
    assert_fails(PHYSAD_ERR_FORMAT, ".rows", physad_detector_load(&det, ctx, full("crafted")));
    assert_true(physad_context_memory_peak(ctx) < UINT64_C(32) << 20);
    static const struct {
        int64_t at;
        double value;
        const char *said;
    } odd[] = { { 0, 31, "height is 31, want 32 to 1080" },  { 1, 1e5, "width is 100000, want 32 to 8192" },
                { 3, 2, "episodes is 2, want 0 to 1" },      { 3, 0, "a model of streams with" },
                { 4, 0, "rate is 0, want 1e-06 to 1000" },   { 5, 0.5, "scale.frames is 0.5, want 1" },
                { 6, 0, "scale.energy is 0" },               { TAKES, -1, "count is -1" },
                { 0, 40.5, "height is 40.5, want a whole" }, { 10, 0.5, "steady is 0.5, want a whole" },
                { 11, 1e6, "takes of 1e+06 to" },            { 13, NAN, "number 13 is not finite" } };
    for (int64_t i = 0; i < PHYSAD__COUNT(odd); i++) {
        craft("motion.numbers", odd[i].at, odd[i].value, full("crafted"));
        assert_fails(PHYSAD_ERR_FORMAT, odd[i].said, physad_detector_load(&det, ctx, full("crafted")));
    }
    /* Logarithms of what no number holds. */
    assert_string_equal(physad__rule_kinds[3].unit, "log px/frame");
    craft("motion.rules", SPEED_HIGH, 710, full("crafted"));
    assert_fails(PHYSAD_ERR_FORMAT, "row 3 goes by the logarithm", physad_detector_load(&det, ctx, full("crafted")));
    craft("motion.rules", SPEED_HIGH, 700, full("crafted"));
    assert_ok(physad_detector_load(&det, ctx, full("crafted")));
    physad_detector_free(det);
    craft("motion.rules", SPEED_LOW, 1e6, full("crafted"));
    assert_fails(PHYSAD_ERR_FORMAT, "row 3 is no rule", physad_detector_load(&det, ctx, full("crafted")));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* A score that is no number is above no threshold: it must not pass for normal. */
static void scores_beyond_range_are_no_verdict(void **state)
{
    physad_detector *det;
    physad_video *v;
    physad_result *r = NULL;
    craft("motion.usual", 1, 1e-320, full("crafted"));
    assert_ok(physad_detector_load(&det, shared, full("crafted")));
    assert_ok(physad_video_open(&v, shared, sample_of("good")->file, NULL));
    assert_fails(PHYSAD_ERR_NUMERIC, "the score is inf", physad_detector_score_video(det, v, 0, &r));
    assert_null(r);
    physad_video_free(v);
    physad_detector_free(det);
}

/* A rhythm where normal takes have none is not too fast a one. */
static void rhythms_are_told(void **state)
{
    enum { RATE = 10 };
    static const struct {
        physad__rule rule;
        double value;
        const char *words;
    } wants[] = {
        { { 0, 0.02, -0.06, 0.06, true },
          1.25,
          "has a rhythm, and normal ones none (rate 1.25 Hz; normal: 0 to 0.06)" },
        { { 2, 0.1, 1.7, 2.3, true }, 3, "its rhythm is too fast (rate 3 Hz; normal: 1.7 to 2.3)" },
        { { 2, 0.1, 1.7, 2.3, true }, 1, "its rhythm is too slow (rate 1 Hz; normal: 1.7 to 2.3)" },
        { { 2, 0.1, 1.7, 2.3, true }, 0, "has no rhythm (rate 0 Hz; normal: 1.7 to 2.3)" },
    };
    assert_string_equal(physad__rule_kinds[RATE].name, "rate");
    for (int64_t i = 0; i < PHYSAD__COUNT(wants); i++) {
        char text[256];
        physad__rule_say(text, sizeof(text), RATE, &wants[i].rule, wants[i].value);
        assert_string_equal(text, wants[i].words);
    }
}

/* Nothing is said of a normal take, which in one of so many views lies two spreads off often. */
static void what_is_odd_is_told(void **state)
{
    static const struct {
        double odd, score;
        const char *words;
    } wants[] = {
        { 2.4, 1.8, "" }, { 3.1, 2, "the course of its speed" }, { 2.4, 2.6, "the course of its speed" },
    };
    enum { SPEED = 2 };
    const physad__motion_model *m = fitted->model;
    physad__take_finding finding = { 0 };
    assert_string_equal(physad__view_kinds[SPEED].name, "speed");
    for (int64_t k = 0; k < PHYSAD__RULES; k++)
        finding.values[k] = (m->rules[k].low + m->rules[k].high) / 2;
    for (int64_t i = 0; i < PHYSAD__COUNT(wants); i++) {
        char text[512];
        finding.odds[SPEED] = wants[i].odd;
        finding.score = wants[i].score;
        physad__motion_say(m, finding.values, &finding, 0, 5, text, sizeof(text));
        assert_true(*wants[i].words != '\0' ? strstr(text, wants[i].words) != NULL : *text == '\0');
    }
    char text[512]; /* of a thing that does not move all else comes of that */
    enum { SPEED_RULE = 3, END_RULE = 7 };
    finding.values[END_RULE] = 0;
    finding.values[SPEED_RULE] = m->rules[SPEED_RULE].low - 9;
    physad__motion_say(m, finding.values, &finding, 0, 25, text, sizeof(text));
    assert_int_equal(strncmp(text, "does not move (end 0 s; normal: ", 32), 0);
    assert_null(strstr(text, "too slow"));
}

static void rules_can_be_edited(void **state)
{
    const char *json;
    physad_detector *det;
    assert_ok(physad_detector_save(fitted, full("rules-model")));
    assert_ok(physad_detector_load(&det, shared, full("rules-model")));
    assert_ok(physad_detector_rules(det, &json));
    assert_non_null(strstr(json, "\"rule\": \"speed\""));
    FILE *f = fopen(full("rules.json"), "w");
    fputs(json, f);
    fclose(f);
    physad_result *before = score(det, sample_of("good")->file);
    assert_ok(physad_detector_set_rules(det, "[{\"rule\": \"duration\", \"low\": 4, \"high\": 5}]"));
    physad_result *after = score(det, sample_of("good")->file);
    assert_true(physad_result_score(after) > physad_result_score(before));
    assert_non_null(strstr(physad_result_verdict(after), "over too early"));
    const double edited = physad_result_score(after);
    physad_result_free(after);
    assert_ok(physad_detector_set_rules(det, "[{\"rule\": \"duration\", \"used\": false}]")); /* its range stays */
    after = score(det, sample_of("good")->file);
    assert_true(physad_result_score(after) < edited);
    assert_null(strstr(physad_result_verdict(after), "over too early"));
    physad_result_free(after);
    assert_ok(physad_detector_set_rules(det, "[{\"rule\": \"duration\", \"used\": true}]"));
    assert_fails(PHYSAD_ERR_FORMAT, "did you mean \"speed\"",
                 physad_detector_set_rules(det, "[{\"rule\": \"sped\", \"low\": 2, \"high\": 3}]"));
    static const struct {
        const char *json, *said;
    } bad[] = {
        { "3", "it is 3, want a list of rules" },
        { "{\"rules\": \"none\"}", "\"rules\" is \"none\", want a list" },
        { "{}", "\"rules\" is nothing, want a list" },
        { "[{\"rule\": \"speed\", \"low\": 2, \"high\": 3}, 7]", "entry 2 of the rules: it is 7, want {" },
        { "[[]]", "entry 1 of the rules: it is a list, want {" },
        { "[{\"low\": 2}]", "entry 1 of the rules: \"rule\" is nothing, want the name of a rule" },
        { "[{\"rule\": null}]", "\"rule\" is null, want the name" },
        { "[{\"rule\": \"speed\"}]", "rule \"speed\": low is nothing, want a number" },
        { "[{\"rule\": \"speed\", \"high\": 3, \"used\": true}]", "rule \"speed\": low is nothing, want a number" },
        { "[{\"rule\": \"speed\", \"high\": 3}]", "rule \"speed\": low is nothing, want a number" },
        { "[{\"rule\": \"speed\", \"low\": 2, \"high\": \"fast\"}]", "high is \"fast\", want a number" },
        { "[{\"rule\": \"speed\", \"low\": 4, \"high\": 3}]", "low is 4 and high is 3, want low < high" },
        { "[{\"rule\": \"speed\", \"low\": 1, \"high\": 1e308}]", "high is 1e+308, want 1e+100 at most" },
        { "[{\"rule\": \"speed\", \"low\": -4, \"high\": -3}]", "high is -3, want more than 0" },
        { "[{\"rule\": \"speed\", \"low\": 2, \"high\": 3, \"used\": {}}]", "used is an object, want true or false" },
        { "[{\"rule\": \"end\", \"low\": 2, \"high\": 3}, {\"rule\": \"end\", \"low\": 2, \"high\": 3}]",
          "entry 2 of the rules: rule \"end\" is there twice" },
        { "[{\"rule\": \"speed\", \"low\": 2, \"high\": 3, \"usd\": false}]",
          "entry 1 of the rules: rule \"speed\" has no \"usd\"; did you mean \"used\"?" },
        { "[{\"rule\": \"speed\", \"low\": 2, \"high\": 3, \"importance\": 2}]",
          "has no \"importance\"; it has low, high and used" },
        { "[{\"rule\": \"end\", \"unit\": \"ms\", \"low\": 2, \"high\": 3}]", "unit is \"ms\", want \"s\"" },
        { "[{\"rule\": \"end\", \"unit\": 1, \"low\": 2, \"high\": 3}]", "unit is 1, want \"s\"" },
        { "[{\"rule\": \"velocity\", \"low\": 2, \"high\": 3}]",
          "there is no rule \"velocity\"; there are duration, energy, way, speed," },
    };
    for (size_t i = 0; i < PHYSAD__COUNT(bad); i++)
        assert_fails(PHYSAD_ERR_FORMAT, bad[i].said, physad_detector_set_rules(det, bad[i].json));
    physad_result *still = score(det, sample_of("good")->file); /* what failed changed nothing */
    assert_true(physad_result_score(still) == edited);
    physad_result_free(still);
    physad_detector_free(det);
    /* as a file, for another fit */
    assert_ok(physad_detector_new(&det, shared, "motion-bank"));
    f = fopen(full("odd-rules.json"), "w");
    fputs("[{\"rule\": \"speed\", \"low\": 3, \"high\": 2}]", f);
    fclose(f);
    assert_ok(physad_detector_set(det, "rules", full("odd-rules.json")));
    assert_fails(PHYSAD_ERR_FORMAT, "odd-rules.json: entry 1 of the rules: rule \"speed\": low is 3 and high is 2",
                 physad_detector_fit(det, drawers, NULL));
    assert_ok(physad_detector_set(det, "rules", full("rules.json")));
    assert_ok(physad_detector_set(det, "fps", "0.0000001"));
    assert_fails(PHYSAD_ERR_ARG, "fps is 1e-07", physad_detector_fit(det, drawers, NULL));
    assert_ok(physad_detector_set(det, "fps", "0"));
    assert_ok(physad_detector_set(det, "bank_rows", "500"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_fit(det, drawers, NULL));
    after = score(det, sample_of("good")->file);
    assert_near(physad_result_score(after), physad_result_score(before), 1e-3); /* six digits */
    physad_result_free(after);
    physad_result_free(before);
    physad_detector_free(det);
    assert_ok(physad_detector_new(&det, shared, "motion-energy"));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "no rules", physad_detector_rules(det, &json));
    physad_detector_free(det);
}

/* Normal takes that do not differ teach nothing of how much they may; what is said is true of them. */
static void takes_that_are_alike_are_told(void **state)
{
    const physad_sample *normal = physad_dataset_sample(drawers, 0);
    for (int copies = 1; copies <= 2; copies++) {
        physad_dataset *ds;
        physad_detector *det;
        physad_item item = PHYSAD_ITEM_INIT;
        assert_int_equal(normal->split, PHYSAD_SPLIT_TRAIN);
        item.file = normal->file;
        assert_ok(physad_dataset_new(&ds, shared));
        for (int i = 0; i < copies; i++)
            assert_ok(physad_dataset_add(ds, &item));
        assert_ok(physad_detector_new(&det, shared, "motion-bank"));
        assert_ok(physad_detector_set(det, "calibration", "0"));
        assert_fails(PHYSAD_ERR_NUMERIC,
                     copies == 1 ? "one normal video does not tell" : "the 2 normal videos are copies of each other",
                     physad_detector_fit(det, ds, NULL));
        physad_detector_free(det);
        physad_dataset_free(ds);
    }
}

/* --- memory --- */

static physad_status fit_rationed(physad_context *ctx, const char *file, double *score)
{
    physad_dataset *all = NULL, *train = NULL;
    physad_detector *det = NULL;
    physad_video *v = NULL;
    physad_result *r = NULL;
    const int64_t few[2] = { 0, 1 };
    physad_status status = physad_dataset_open(&all, ctx, full("set"), NULL);
    if (status == PHYSAD_OK)
        status = physad_dataset_select(&train, all, NULL, PHYSAD_SPLIT_TRAIN);
    physad_dataset_free(all);
    all = NULL;
    if (status == PHYSAD_OK)
        status = physad_dataset_subset(&all, train, few, 2);
    if (status == PHYSAD_OK)
        status = physad_detector_new(&det, ctx, "motion-bank");
    if (status == PHYSAD_OK)
        status = physad_detector_set(det, "mode", "episodes");
    if (status == PHYSAD_OK)
        status = physad_detector_set(det, "bank_rows", "128");
    if (status == PHYSAD_OK)
        status = physad_detector_set(det, "calibration", "0");
    if (status == PHYSAD_OK)
        status = physad_detector_fit(det, all, NULL);
    if (status == PHYSAD_OK)
        status = physad_video_open(&v, ctx, file, NULL);
    if (status == PHYSAD_OK)
        status = physad_detector_score_video(det, v, 0, &r);
    *score = physad_result_score(r);
    physad_result_free(r);
    physad_video_free(v);
    physad_detector_free(det);
    physad_dataset_free(train);
    physad_dataset_free(all);
    return status;
}

/* The n-th allocation of a fit and a score fails: NOMEM each time, and nothing is kept. n grows by steps, for there are
 * thousands. */
static void failing_allocations_leave_nothing(void **state)
{
    char file[1024];
    double score = 0;
    physad_context *ctx;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_status status;
    int64_t n = 0;
    snprintf(file, sizeof(file), "%s", sample_of("good")->file);
    o.threads = 1;
    o.allocator = &failing_allocator;
    assert_ok(physad_context_new(&ctx, &o));
    do {
        allocations_left = n;
        status = fit_rationed(ctx, file, &score);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("at allocation %lld: %s", (long long)n, physad_last_error());
        assert_int_equal(physad_context_memory_used(ctx), 0);
        n += 1 + n / 4;
    } while (status != PHYSAD_OK);
    assert_true(n > 200);
    allocations_left = INT64_MAX;
    physad_context_free(ctx);
}

static void a_limit_of_memory_is_kept(void **state)
{
    physad_context *ctx;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    double score;
    char file[1024];
    snprintf(file, sizeof(file), "%s", sample_of("good")->file);
    o.threads = 1;
    o.memory_limit = 200 << 10;
    assert_ok(physad_context_new(&ctx, &o));
    assert_int_equal(fit_rationed(ctx, file, &score), PHYSAD_ERR_NOMEM);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    assert_true(physad_context_memory_peak(ctx) <= 200 << 10);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defects_are_odd_and_named),
        cmocka_unit_test(models_are_kept),
        cmocka_unit_test(threads_do_not_show),
        cmocka_unit_test(rules_have_a_least_spread),
        cmocka_unit_test(rates_are_bounded),
        cmocka_unit_test(crafted_models_are_refused),
        cmocka_unit_test(scores_beyond_range_are_no_verdict),
        cmocka_unit_test(rhythms_are_told),
        cmocka_unit_test(what_is_odd_is_told),
        cmocka_unit_test(rules_can_be_edited),
        cmocka_unit_test(takes_that_are_alike_are_told),
        cmocka_unit_test(failing_allocations_leave_nothing),
        cmocka_unit_test(a_limit_of_memory_is_kept),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
