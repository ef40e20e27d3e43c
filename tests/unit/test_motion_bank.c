/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: flow against known shifts, rules against takes that break them, models on disk, rules edited, streams
 * against files. */
#include "drawers_help.h"
#include "failing.h"

#include "detect/motion.h"
#include "io/io.h"

#include <physad/evaluate.h>
#include <physad/image.h>
#include <physad/tensors.h>

#include "physad_config.h"

#include <math.h>
#include <stdlib.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

static physad_detector *fitted, *streamed; /* to episodes, to a stream */

static const physad_sample *sample_of(const char *type)
{
    for (int64_t i = 0; i < physad_dataset_count(drawers); i++) {
        const physad_sample *s = physad_dataset_sample(drawers, i);
        if (s->split == PHYSAD_SPLIT_TEST && strcmp(s->type, type) == 0)
            return s;
    }
    fail_msg("no %s", type);
    return NULL;
}

static physad_result *score(const physad_detector *det, const char *file)
{
    physad_video *v;
    physad_result *r;
    assert_ok(physad_video_open(&v, shared, file, NULL));
    assert_ok(physad_detector_score_video(det, v, 0, &r));
    physad_video_free(v);
    return r;
}

/* --- flow --- */

/* A smooth pattern, shifted. */
static void paint(uint8_t *out, int h, int w, double dy, double dx)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const double a = y - dy, b = x - dx;
            out[y * w + x] =
                (uint8_t)(128 + 40 * sin(a * 0.31) * cos(b * 0.23) + 40 * sin(b * 0.17 + 0.9 * sin(a * 0.11)));
        }
}

static void flow_follows_a_shift(void **state)
{
    enum { H = 96, W = 120 };
    static const double shifts[][2] = { { 0, 1 }, { 1.5, -0.5 }, { -3, 4 }, { 1, 0.8 } };
    static uint8_t a[H * W];
    static float planes[2][H * W];
    static physad__cell cells[(H / 8) * (W / 8)];
    float tiny[PHYSAD__TINY];
    for (int64_t k = 0; k < PHYSAD__COUNT(shifts); k++) {
        physad__motion_front front;
        assert_ok(physad__motion_front_open(&front, shared, H, W));
        for (int i = 0; i < 2; i++) {
            paint(a, H, W, i * shifts[k][0], i * shifts[k][1]);
            for (int64_t at = 0; at < H * W; at++)
                planes[i][at] = a[at];
            physad__motion_front_push(&front, planes[i], cells, tiny);
        }
        double u = 0, v = 0, moving = 0;
        for (int64_t y = 2; y < front.rows - 2; y++)
            for (int64_t x = 2; x < front.columns - 2; x++) {
                const physad__cell *c = &cells[y * front.columns + x];
                u += (double)c->u;
                v += (double)c->v;
                moving += (double)c->moving;
            }
        assert_true(moving > 5);
        assert_near(u / moving, shifts[k][1], 0.15 + 0.05 * fabs(shifts[k][1]));
        assert_near(v / moving, shifts[k][0], 0.15 + 0.05 * fabs(shifts[k][0]));
        physad__motion_front_close(&front);
    }
    int64_t h, w;
    assert_fails(PHYSAD_ERR_SHAPE, "want sides", physad__motion_size(31, 100, 240, &h, &w));
    assert_ok(physad__motion_size(1080, 1920, 240, &h, &w));
    assert_int_equal(h, 240);
    assert_int_equal(w, 427);
}

/* Light that goes up and down is no motion, and hides none. */
static void light_is_no_motion(void **state)
{
    enum { H = 96, W = 120 };
    static const double lights[] = { 1, 1.07, 0.95, 1.2, 0.8, 1.001 };
    static uint8_t grey[H * W];
    static float plane[H * W];
    static physad__cell cells[(H / 8) * (W / 8)];
    float tiny[PHYSAD__TINY];
    for (int moves = 0; moves < 2; moves++) {
        physad__motion_front front;
        assert_ok(physad__motion_front_open(&front, shared, H, W));
        for (int64_t k = 0; k < PHYSAD__COUNT(lights); k++) {
            double energy = 0, u = 0, moving = 0;
            paint(grey, H, W, 0, moves * 1.5 * (double)k);
            for (int64_t i = 0; i < H * W; i++)
                plane[i] = (float)(lights[k] * grey[i]);
            physad__motion_front_push(&front, plane, cells, tiny);
            for (int64_t i = 0; k > 0 && i < front.rows * front.columns; i++) {
                energy += (double)cells[i].energy / (double)(front.rows * front.columns);
                u += (double)cells[i].u;
                moving += (double)cells[i].moving;
            }
            if (moves == 0)
                assert_true(energy == 0 && moving == 0);
            else if (k > 0)
                assert_near(u / moving, 1.5, 0.25);
        }
        physad__motion_front_close(&front);
    }
}

/* --- time --- */

enum { SMALL_H = 64, SMALL_W = 80 };

/* A pattern that goes 24 pixels a second to the right, looked at at other times than it was taken: each plane's mean
 * error in grey levels against the pattern at its time. */
static double error_of_planes(double from_rate, double to_rate, bool say, int64_t *count)
{
    static uint8_t grey[SMALL_H * SMALL_W];
    physad_view v = physad_view_gray8(grey, SMALL_H, SMALL_W, SMALL_W);
    physad__motion_pace pace;
    const float *plane;
    double sum = 0, n = 0;
    *count = 0;
    assert_ok(physad__motion_pace_open(&pace, shared, SMALL_H, SMALL_W, to_rate, from_rate));
    for (int64_t k = 0; (double)k / from_rate < 1; k++) {
        paint(grey, SMALL_H, SMALL_W, 0, 24 * (double)k / from_rate);
        assert_ok(physad__motion_pace_push(&pace, &v, say ? 7 + (double)k / from_rate : NAN));
        for (;;) {
            assert_ok(physad__motion_pace_next(&pace, false, &plane));
            if (plane == NULL)
                break;
            paint(grey, SMALL_H, SMALL_W, 0, 24 * (double)(*count)++ / to_rate);
            for (int64_t y = 8; y < SMALL_H - 8; y++)
                for (int64_t x = 8; x < SMALL_W - 8; x++, n++)
                    sum += fabs((double)plane[y * SMALL_W + x] - grey[y * SMALL_W + x]);
        }
    }
    physad__motion_pace_close(&pace);
    return sum / n;
}

static void planes_come_at_one_rate(void **state)
{
    static const struct {
        double from, to, error;
        int64_t low, high;
    } wants[] = {
        { 30, 30, 0, 30, 30 }, { 60, 30, 0, 30, 30 },         { 15, 30, 2, 29, 29 }, { 25, 30, 2, 29, 30 },
        { 30, 12, 2, 12, 12 }, { 29.97, 30, 0.1, 30, 30 },    { 30, 29.97, 0.1, 30, 30 },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(wants); i++)
        for (int said = 0; said < 2; said++) {
            int64_t count;
            const double error = error_of_planes(wants[i].from, wants[i].to, said == 1, &count);
            print_message("%g to %g: %lld planes, %.3f grey levels off\n", wants[i].from, wants[i].to,
                          (long long)count, error);
            assert_true(error <= wants[i].error);
            assert_in_range(count, wants[i].low, wants[i].high);
        }
}

/* Times that stand, go back, leap or are none give few planes, and an end. */
static void odd_times_are_bounded(void **state)
{
    static const double times[] = { 0, 0.04, 0.04, 0.02, 0.06, 1e300, 1e300, NAN, INFINITY, -1e300, 0, 0.04, 99999 };
    static uint8_t grey[SMALL_H * SMALL_W];
    physad_view v = physad_view_gray8(grey, SMALL_H, SMALL_W, SMALL_W);
    physad__motion_pace pace;
    const float *plane;
    double before = -1;
    assert_ok(physad__motion_pace_open(&pace, shared, SMALL_H, SMALL_W, 25, 25));
    for (int64_t k = 0; k < PHYSAD__COUNT(times); k++) {
        const int64_t planes = pace.planes;
        assert_ok(physad__motion_pace_push(&pace, &v, times[k]));
        assert_true(pace.seconds > before && isfinite(pace.seconds));
        before = pace.seconds;
        do
            assert_ok(physad__motion_pace_next(&pace, false, &plane));
        while (plane != NULL);
        assert_in_range(pace.planes - planes, 0, 100);
    }
    assert_in_range(pace.planes, 8, 500);
    v = physad_view_gray8(grey, SMALL_H, SMALL_W - 8, SMALL_W);
    assert_fails(PHYSAD_ERR_SHAPE, "follows ones", physad__motion_pace_push(&pace, &v, NAN));
    physad__motion_pace_close(&pace);
}

/* Frames of other sizes than the planes': what is smooth stays. */
static void frames_are_resized(void **state)
{
    static const int sizes[][2] = { { 64, 80 }, { 128, 160 }, { 32, 40 }, { 96, 50 }, { 33, 200 } };
    static uint8_t grey[200 * 200];
    for (int64_t i = 0; i < PHYSAD__COUNT(sizes); i++) {
        const int h = sizes[i][0], w = sizes[i][1];
        physad__motion_pace pace;
        const float *plane;
        physad_view v = physad_view_gray8(grey, h, w, w);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                grey[y * w + x] = (uint8_t)(20 + 100 * (y + 0.5) / h + 80 * (x + 0.5) / w);
        assert_ok(physad__motion_pace_open(&pace, shared, SMALL_H, SMALL_W, 25, 25));
        assert_ok(physad__motion_pace_push(&pace, &v, NAN));
        assert_ok(physad__motion_pace_next(&pace, true, &plane));
        for (int y = 1; y < SMALL_H - 1; y++)
            for (int x = 1; x < SMALL_W - 1; x++)
                assert_near(plane[y * SMALL_W + x], 20 + 100 * (y + 0.5) / SMALL_H + 80 * (x + 0.5) / SMALL_W, 1.5);
        physad__motion_pace_close(&pace);
    }
}

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

static void same_result(const physad_result *a, const physad_result *b)
{
    assert_true(physad_result_score(a) == physad_result_score(b));
    assert_int_equal(physad_result_frame_count(a), physad_result_frame_count(b));
    assert_memory_equal(physad_result_frame_scores(a), physad_result_frame_scores(b),
                        (size_t)physad_result_frame_count(a) * sizeof(double));
    assert_string_equal(physad_result_verdict(a), physad_result_verdict(b));
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

/* --- streams --- */

static void streams_equal_files(void **state)
{
    for (int i = 0; i < 2; i++) {
        physad_detector *det = i == 0 ? fitted : streamed;
        physad_stream *stream;
        assert_ok(physad_stream_new(&stream, det, NULL));
        const int64_t latency = physad_stream_latency(stream);
        assert_in_range(latency, 2, 12);
        for (int take = 0; take < 2; take++) { /* the second begins anew */
            const char *file = sample_of(take == 0 ? "sticks" : "slow")->file;
            physad_result *whole = score(det, file), *end;
            physad_video *v;
            physad_frame f = PHYSAD_FRAME_INIT;
            physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
            int64_t frame, given = 0, pushed = 0;
            double s;
            o.channels = 1;
            assert_ok(physad_video_open(&v, shared, file, &o));
            for (;;) {
                assert_ok(physad_video_read(v, &f));
                if (f.pixels.data == NULL)
                    break;
                assert_ok(physad_stream_push(stream, &f.pixels));
                pushed++;
                while (physad_stream_next(stream, &frame, &s)) {
                    assert_int_equal(frame, given);
                    assert_true(s == physad_result_frame_scores(whole)[given]);
                    given++;
                }
                assert_true(pushed < 2 || given >= pushed - latency);
            }
            assert_true(given > 20);
            assert_ok(physad_stream_end(stream, &end));
            assert_true(physad_result_score(end) == physad_result_score(whole));
            assert_string_equal(physad_result_verdict(end), physad_result_verdict(whole));
            assert_int_equal(physad_result_frame_count(end), pushed - given);
            for (int64_t k = given; k < pushed; k++)
                assert_true(physad_result_frame_scores(end)[k - given] == physad_result_frame_scores(whole)[k]);
            physad_result_free(end);
            physad_result_free(whole);
            physad_video_free(v);
        }
        physad_stream_free(stream);
    }
}

/* All frames of a folder that come at `rate`, into a stream that is told so by its options or frame by frame, whose
 * scores must be those of the folder opened at that rate. Where a take is no whole one, scores that are taken on the
 * way know less than those at its end. */
static void same_as_whole(const physad_result *whole, physad_video *v, double rate, bool say, bool take)
{
    const bool known = !take || fabs(rate / 25 - 1) < 0.1;
    physad_stream_options so = PHYSAD_STREAM_OPTIONS_INIT;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_stream *stream;
    physad_result *end;
    int64_t frame, given = 0, pushed = 0;
    double s;
    so.frame_rate = rate;
    assert_ok(physad_video_seek(v, 0));
    assert_ok(physad_stream_new(&stream, fitted, &so));
    const int64_t latency = physad_stream_latency(stream);
    for (;; pushed++) {
        assert_ok(physad_video_read(v, &f));
        if (f.pixels.data == NULL)
            break;
        assert_ok(say ? physad_stream_push_at(stream, &f.pixels, f.seconds + 3)
                      : physad_stream_push(stream, &f.pixels));
        for (; take && physad_stream_next(stream, &frame, &s); given++) {
            assert_int_equal(frame, given);
            assert_true(!known || s == physad_result_frame_scores(whole)[given]);
        }
        assert_true(!take || given >= pushed + 1 - latency);
    }
    assert_ok(physad_stream_end(stream, &end));
    assert_int_equal(physad_result_frame_count(whole), pushed);
    assert_int_equal(physad_result_frame_count(end), pushed - given);
    for (int64_t k = given; k < pushed; k++)
        assert_true(physad_result_frame_scores(end)[k - given] == physad_result_frame_scores(whole)[k]);
    assert_true(physad_result_score(end) == physad_result_score(whole));
    if (known)
        assert_string_equal(physad_result_verdict(end), physad_result_verdict(whole));
    physad_result_free(end);
    physad_stream_free(stream);
}

/* The score at a rate; `ways` of streaming are compared with it. */
static double score_at_rate(const char *type, double rate, int ways)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    physad_video *v;
    physad_result *whole;
    o.channels = 1;
    o.frame_rate = rate;
    assert_ok(physad_video_open(&v, shared, sample_of(type)->file, &o));
    assert_ok(physad_detector_score_video(fitted, v, 0, &whole));
    for (int i = 0; i < ways; i++)
        same_as_whole(whole, v, rate, i != 0, i == 2);
    const double score = physad_result_score(whole);
    physad_result_free(whole);
    physad_video_free(v);
    return score;
}

/* The model is of folders at 25. Told otherwise, a take is slower or faster. */
static void streams_keep_time(void **state)
{
    physad_stream *stream;
    static uint8_t grey[64 * 64];
    const physad_view view = physad_view_gray8(grey, 64, 64, 64);
    const double as_is = score_at_rate("good", 25, 3);
    assert_near(score_at_rate("good", 24.95, 0), as_is, 0.3);
    assert_true(score_at_rate("good", 50, 0) > as_is + 1);
    assert_true(score_at_rate("good", 10, 3) > as_is + 1);
    static const double rates[] = { 50, 12.5, 31, 24.95 };
    for (int64_t i = 0; i < PHYSAD__COUNT(rates); i++)
        score_at_rate(i % 2 == 1 ? "good" : "sticks", rates[i], 3);
    assert_ok(physad_stream_new(&stream, fitted, NULL));
    assert_fails(PHYSAD_ERR_ARG, "seconds is", physad_stream_push_at(stream, &view, NAN));
    assert_fails(PHYSAD_ERR_ARG, "the stream is NULL", physad_stream_push_at(NULL, &view, 0));
    physad_stream_free(stream);
}

/* The same take with frames left out, or shown twice, and their rate told, is the same take. */
static void frame_rates_do_not_show(void **state)
{
    static const struct {
        const char *type;
        double shares[3];
    } wants[] = { { "good", { 0.5, 2, 3 } }, { "sticks", { 0.5, 2, 3 } } };
    for (int64_t i = 0; i < PHYSAD__COUNT(wants); i++) {
        physad_result *plain = score(fitted, sample_of(wants[i].type)->file);
        for (int k = 0; k < 3; k++) {
            physad_stream_options so = PHYSAD_STREAM_OPTIONS_INIT;
            physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
            physad_frame f = PHYSAD_FRAME_INIT;
            physad_video *v;
            physad_stream *stream;
            physad_result *r;
            o.channels = 1;
            so.frame_rate = 25 * wants[i].shares[k];
            assert_ok(physad_stream_new(&stream, fitted, &so));
            assert_ok(physad_video_open(&v, shared, sample_of(wants[i].type)->file, &o));
            for (int64_t t = 0; t < 32; t++) {
                assert_ok(physad_video_read(v, &f));
                for (int n = 0; n < (int)fmax(1, wants[i].shares[k]) && (so.frame_rate > 25 || t % 2 == 0); n++)
                    assert_ok(physad_stream_push(stream, &f.pixels));
            }
            assert_ok(physad_stream_end(stream, &r));
            print_message("%s at %g per second: %.3f, as it is %.3f\n", wants[i].type, so.frame_rate,
                          physad_result_score(r), physad_result_score(plain));
            if (so.frame_rate > 25)
                assert_true(physad_result_score(r) == physad_result_score(plain));
            else
                assert_near(physad_result_score(r), physad_result_score(plain), 1.5);
            physad_result_free(r);
            physad_stream_free(stream);
            physad_video_free(v);
        }
        physad_result_free(plain);
    }
}

/* A file of the take's frames at their times, with those left out that `left_out` has a bit of. */
static bool write_take(const char *take, const char *file, uint32_t left_out)
{
    physad__video_writer_options o = { .width = 64, .height = 64, .rate = 25, .variable = 1, .quality = 4 };
    physad__video_writer *w;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video *v;
    if (!physad__video_available() || physad__video_writer_open(&w, shared, file, &o) != PHYSAD_OK)
        return false;
    assert_ok(physad_video_open(&v, shared, take, NULL));
    for (int64_t t = 0; t < 32; t++) {
        assert_ok(physad_video_read(v, &f));
        if ((left_out >> t & 1) == 0)
            assert_ok(physad__video_writer_put(w, f.pixels.data, 40 * t));
    }
    physad_video_free(v);
    assert_ok(physad__video_writer_commit(w));
    return true;
}

/* A video of variable frame rate is judged by its frames' times: like the one with all frames, and as a stream that is
 * told them. */
static void variable_frame_rates_are_kept(void **state)
{
    static const char *const types[] = { "good", "sticks" };
    for (int64_t i = 0; i < PHYSAD__COUNT(types); i++) {
        const char *take = sample_of(types[i])->file;
        if (!write_take(take, full("all.mkv"), 0) || !write_take(take, full("some.mkv"), UINT32_C(0x24A91252)))
            skip();
        physad_result *all = score(fitted, full("all.mkv")), *some = score(fitted, full("some.mkv")), *end;
        print_message("%s: all frames %.3f, two in three %.3f\n", types[i], physad_result_score(all),
                      physad_result_score(some));
        assert_near(physad_result_score(some), physad_result_score(all), 1.5);
        physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
        physad_frame f = PHYSAD_FRAME_INIT;
        physad_stream *stream;
        physad_video *v;
        o.channels = 1;
        assert_ok(physad_stream_new(&stream, fitted, NULL));
        assert_ok(physad_video_open(&v, shared, full("some.mkv"), &o));
        for (;;) {
            assert_ok(physad_video_read(v, &f));
            if (f.pixels.data == NULL)
                break;
            assert_ok(physad_stream_push_at(stream, &f.pixels, f.seconds));
        }
        assert_ok(physad_stream_end(stream, &end));
        same_result(end, some);
        physad_result_free(end);
        physad_result_free(all);
        physad_result_free(some);
        physad_stream_free(stream);
        physad_video_free(v);
    }
}

/* Of folders that do not say their rate, and were not said to have one, frames are compared with frames, whatever rate
 * a file claims. */
static void without_rates_frames_are_compared(void **state)
{
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    physad_detector *det, *back;
    physad_video *v;
    physad_result *told;
    assert_ok(physad_detector_new(&det, shared, "motion-bank"));
    assert_ok(physad_detector_set(det, "bank_rows", "500"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_fit(det, drawers, NULL));
    assert_ok(physad_detector_save(det, full("untimed")));
    assert_ok(physad_detector_load(&back, shared, full("untimed")));
    const char *take = sample_of("good")->file;
    physad_result *plain = score(fitted, take), *same = score(back, take);
    same_result(plain, same);
    o.frame_rate = 75;
    assert_ok(physad_video_open(&v, shared, take, &o));
    assert_ok(physad_detector_score_video(back, v, 0, &told));
    assert_true(physad_result_score(told) > physad_result_score(plain) + 1);
    physad_video_free(v);
    if (write_take(take, full("left.mkv"), UINT32_C(0xAAAAAAAA))) {
        physad_result *by_time = score(fitted, full("left.mkv")), *by_frames = score(back, full("left.mkv"));
        assert_near(physad_result_score(by_time), physad_result_score(plain), 2);
        assert_true(physad_result_score(by_frames) > physad_result_score(plain) + 2);
        physad_result_free(by_time);
        physad_result_free(by_frames);
    }
    physad_result_free(plain);
    physad_result_free(same);
    physad_result_free(told);
    physad_detector_free(det);
    physad_detector_free(back);
}

static void streams_refuse_nonsense(void **state)
{
    static uint8_t grey[64 * 64];
    physad_stream *stream;
    physad_result *r;
    physad_view v = physad_view_gray8(grey, 64, 64, 64);
    physad_stream_options o = PHYSAD_STREAM_OPTIONS_INIT;
    physad_detector *det;
    assert_ok(physad_detector_new(&det, shared, "motion-bank"));
    assert_fails(PHYSAD_ERR_STATE, "not fitted", physad_stream_new(&stream, det, NULL));
    physad_detector_free(det);
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_stream_new(&stream, NULL, NULL));
    o.pool = 7;
    assert_fails(PHYSAD_ERR_ARG, "pool is 7", physad_stream_new(&stream, fitted, &o));
    o.pool = PHYSAD_POOL_TOP;
    o.frame_rate = 1e-7;
    assert_fails(PHYSAD_ERR_ARG, "frame_rate 1e-07", physad_stream_new(&stream, fitted, &o));
    assert_ok(physad_stream_new(&stream, fitted, NULL));
    assert_fails(PHYSAD_ERR_SHAPE, "no frame", physad_stream_end(stream, &r));
    assert_ok(physad_stream_push(stream, &v));
    assert_fails(PHYSAD_ERR_SHAPE, "two or more", physad_stream_end(stream, &r));
    v.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_DTYPE, "u8", physad_stream_push(stream, &v));
    v.dtype = PHYSAD_U8;
    assert_ok(physad_stream_push(stream, &v));
    v = physad_view_gray8(grey, 64, 56, 64);
    assert_fails(PHYSAD_ERR_SHAPE, "follows ones", physad_stream_push(stream, &v));
    assert_fails(PHYSAD_ERR_STATE, "earlier", physad_stream_push(stream, &v));
    assert_fails(PHYSAD_ERR_STATE, "failed", physad_stream_end(stream, &r));
    assert_int_equal(physad_stream_next(stream, NULL, NULL), 0);
    assert_int_equal(physad_stream_next(NULL, NULL, NULL), 0);
    physad_stream_free(stream);
    physad_stream_free(NULL);
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

static int make(void **state)
{
#ifdef PHYSAD_HAVE_OPENMP
    omp_set_num_threads(1); /* of parts of the library that are called by themselves; contexts have their own */
#endif
    if (!make_drawers(1))
        return -1;
    fitted = fit(shared, "auto");
    streamed = fit(shared, "stream");
    return 0;
}

static int drop(void **state)
{
    physad_detector_free(fitted);
    physad_detector_free(streamed);
    return drop_drawers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_follows_a_shift),
        cmocka_unit_test(planes_come_at_one_rate),
        cmocka_unit_test(odd_times_are_bounded),
        cmocka_unit_test(frames_are_resized),
        cmocka_unit_test(light_is_no_motion),
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
        cmocka_unit_test(streams_equal_files),
        cmocka_unit_test(streams_keep_time),
        cmocka_unit_test(frame_rates_do_not_show),
        cmocka_unit_test(variable_frame_rates_are_kept),
        cmocka_unit_test(without_rates_frames_are_compared),
        cmocka_unit_test(streams_refuse_nonsense),
        cmocka_unit_test(failing_allocations_leave_nothing),
        cmocka_unit_test(a_limit_of_memory_is_kept),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
