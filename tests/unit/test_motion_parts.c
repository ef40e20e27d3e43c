/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: a camera that shakes against known shifts; takes that show a part of the action, all of it hurried, or
 * more; frames that look odd; what of these a model file may hold. */
#include "drawers_help.h"
#include "failing.h"

#include "detect/motion.h"
#include "io/io.h"

#include <physad/image.h>

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

static physad_detector *fitted;

/* --- cameras --- */

enum { H = 144, W = 192 };

static uint32_t noise = 12345; /* each frame's own, as it goes on */

/* A pattern that a camera sees from (dy, dx); a disc that goes by itself. */
static void look(float *out, double dy, double dx, double disc, bool wall)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const double a = y + dy, b = x + dx;
            double v = wall ? 128 : 128 + 30 * sin(a * 0.31) * cos(b * 0.23) + 30 * sin(b * 0.17 + 0.9 * sin(a * 0.11));
            if (hypot(a - 70, b - disc) < 22)
                v = 60 + 25 * sin((b - disc) * 0.9);
            noise = noise * 1664525u + 1013904223u;
            out[y * W + x] = (float)(v + (double)(noise >> 24) / 64 - 2);
        }
}

static void shaking_is_taken_out(void **state)
{
    static const double way[][2] = { { 0, 0 }, { 0.8, -1.2 }, { -1.5, 0.6 }, { 2.5, 2 }, { 0.4, -0.3 }, { 0, 0 } };
    static float plane[H * W];
    physad__motion_steady s;
    assert_ok(physad__motion_steady_open(&s, shared, H, W));
    for (int64_t i = 0; i < PHYSAD__COUNT(way); i++) {
        look(plane, way[i][0], way[i][1], 60 + 2 * (double)i, false);
        const float *steady = physad__motion_steady_push(&s, plane);
        assert_near(s.y, -way[i][0], 0.15);
        assert_near(s.x, -way[i][1], 0.15);
        double off = 0;
        static float first[H * W];
        look(first, 0, 0, 60 + 2 * (double)i, false);
        for (int y = 20; y < H - 20; y++)
            for (int x = 20; x < W - 20; x++)
                off += fabs((double)(steady[y * W + x] - first[y * W + x])) / ((H - 40) * (W - 40));
        assert_true(off < 2.5); /* noise alone: 1.3 */
    }
    physad__motion_steady_close(&s);
}

/* Small steps behind a large one, which noise half hides, and something that moves too. */
static void shaking_is_followed_throughout(void **state)
{
    static float plane[H * W];
    physad__motion_steady s;
    double y = 0, x = 0, off = 0;
    assert_ok(physad__motion_steady_open(&s, shared, H, W));
    for (int i = 0; i < 60; i++) {
        y = i == 0 ? 0 : i % 10 == 1 ? 2.5 : y - 0.45;
        x = i == 0 ? 0 : i % 10 == 1 ? -2 : x + 0.45;
        look(plane, y, x, 40 + 2 * (double)i, false);
        for (int k = 0; k < H * W; k++) {
            noise = noise * 1664525u + 1013904223u;
            plane[k] = 128 + 0.3f * (plane[k] - 128) + (float)(noise >> 24) / 32 - 4;
        }
        physad__motion_steady_push(&s, plane);
        off += hypot(s.y + y, s.x + x) / 60;
    }
    print_message("%.3f pixels off on the mean\n", off);
    assert_true(off < 0.17); /* 0.207 where each step must be clear by itself */
    physad__motion_steady_close(&s);
}

/* To the bit, with each frame's noise its own or all the same, and whatever moves before a camera that stands still. */
static void still_cameras_change_nothing(void **state)
{
    static float plane[H * W];
    for (int which = 0; which < 4; which++) {
        const bool wall = which % 2 != 0, own_noise = which > 1;
        physad__motion_steady s;
        assert_ok(physad__motion_steady_open(&s, shared, H, W));
        for (int i = 0; i < 12; i++) {
            if (!own_noise)
                noise = 12345;
            look(plane, 0, 0, 40 + 4 * i, wall);
            assert_ptr_equal(physad__motion_steady_push(&s, plane), plane);
            assert_true(s.step == 0);
        }
        physad__motion_steady_close(&s);
    }
}

static void slow_drift_is_followed_up_to_a_limit(void **state)
{
    static float plane[H * W];
    physad__motion_steady s;
    double most = 0;
    assert_ok(physad__motion_steady_open(&s, shared, H, W));
    for (int i = 0; i < 120; i++) {
        look(plane, 0, 0.15 * i, 60, false);
        physad__motion_steady_push(&s, plane);
        most = fmax(most, hypot(s.y, s.x));
        if (0.15 * i < 0.09 * H)
            assert_near(s.x, -0.15 * i, 0.5);
    }
    assert_true(most <= 0.1 * H);
    physad__motion_steady_close(&s);
    assert_ok(physad__motion_steady_open(&s, shared, 63, 200)); /* too small for it */
    assert_true(!s.on && physad__motion_steady_push(&s, plane) == plane);
    physad__motion_steady_close(&s);
}

/* Four takes in which a disc goes by while the camera shakes by a pixel and goes `pan` pixels a frame. */
static void draw_takes(const char *name, double pan)
{
    static float plane[H * W];
    static uint8_t grey[H * W];
    const int64_t shape[2] = { H, W };
    char path[64];
    static const char *const above[] = { "", "/train", "/train/good" };
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof(path), "%s%s", name, above[k]);
        assert_int_equal(mkdir(full(path), 0777), 0);
    }
    for (int take = 0; take < 4; take++) {
        snprintf(path, sizeof(path), "%s/train/good/%03d", name, take);
        assert_int_equal(mkdir(full(path), 0777), 0);
        for (int i = 0; i < 20; i++) {
            look(plane, sin(i * 2.1 + take), pan * i + cos(i * 1.7 + take), 40 + 5 * i + pan * i + take, false);
            for (int k = 0; k < H * W; k++)
                grey[k] = (uint8_t)fmin(fmax((double)plane[k], 0), 255);
            snprintf(path, sizeof(path), "%s/train/good/%03d/%03d.png", name, take, i);
            const physad_view v = physad_view_array(grey, PHYSAD_U8, 2, shape);
            assert_ok(physad_image_write(shared, full(path), &v, NULL));
        }
    }
}

static bool steady_after(const char *name, const char *wanted, bool *camera)
{
    physad_dataset *ds;
    physad_detector *det;
    assert_ok(physad_dataset_open(&ds, shared, full(name), NULL));
    assert_ok(physad_detector_new(&det, shared, "motion-bank"));
    assert_ok(physad_detector_set(det, "bank_rows", "500"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_set(det, "fps", "25"));
    assert_ok(physad_detector_set(det, "steady", wanted));
    assert_ok(physad_detector_fit(det, ds, NULL));
    const physad__motion_model *m = det->model;
    const bool steady = m->steady;
    assert_string_equal(physad__rule_kinds[PHYSAD__RULES - 1].name, "camera");
    *camera = m->rules[PHYSAD__RULES - 1].used;
    /* a shaking that was taken out is known, and none is where none was */
    assert_true((m->rules[PHYSAD__RULES - 1].middle > 0.3) == steady);
    physad_detector_free(det);
    physad_dataset_free(ds);
    return steady;
}

/* Where the normal videos' camera goes far, and where it is asked not to be, nothing is taken out. */
static void cameras_that_go_far_are_left(void **state)
{
    bool camera;
    draw_takes("shakes", 0);
    draw_takes("pans", 3);
    assert_true(steady_after("shakes", "true", &camera));
    assert_false(camera); /* no fault of the thing's, unless the rules that are given say so */
    assert_false(steady_after("shakes", "false", &camera));
    assert_false(steady_after("pans", "true", &camera));
}

/* --- parts --- */

static const physad_sample *sample_of(const char *type, int64_t number)
{
    for (int64_t i = 0; i < physad_dataset_count(drawers); i++) {
        const physad_sample *s = physad_dataset_sample(drawers, i);
        if (s->split == PHYSAD_SPLIT_TEST && strcmp(s->type, type) == 0 && number-- == 0)
            return s;
    }
    fail_msg("no %s", type);
    return NULL;
}

/* Frames from .. to - 1 of a take, `before` of the first in front; every `step`-th alone; with a spot or without. */
typedef struct cut {
    int from, to, before, step;
    bool spot;
} cut;

static physad_result *score_cut(const char *type, int64_t number, cut c)
{
    static uint8_t copy[512 * 512];
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video *v;
    physad_stream *stream;
    physad_result *r;
    o.channels = 1;
    assert_ok(physad_video_open(&v, shared, sample_of(type, number)->file, &o));
    assert_ok(physad_stream_new(&stream, fitted, NULL));
    for (int i = 0; i < c.to; i++) {
        assert_ok(physad_video_read(v, &f));
        if (f.pixels.data == NULL)
            break;
        const int64_t h = f.pixels.shape[0], w = f.pixels.shape[1];
        if (i < c.from || (i - c.from) % c.step != 0)
            continue;
        for (int64_t y = 0; y < h; y++)
            memcpy(copy + y * w, (const uint8_t *)f.pixels.data + y * f.pixels.stride[0], (size_t)w);
        for (int64_t y = h / 8; c.spot && y < h / 8 + 10; y++)
            memset(copy + y * w + w / 8, 250, 10);
        const physad_view grey = physad_view_gray8(copy, h, w, w);
        for (int k = 0; k < (i == c.from ? 1 + c.before : 1); k++)
            assert_ok(physad_stream_push(stream, &grey));
    }
    assert_ok(physad_stream_end(stream, &r));
    physad_stream_free(stream);
    physad_video_free(v);
    return r;
}

/* `word`: in the verdict, unless that is empty because nothing is odd. */
static double number_of(const char *type, int64_t number, cut c, const char *word)
{
    physad_result *r = score_cut(type, number, c);
    const double score = physad_result_score(r);
    print_message("%s %lld, %d..%d: %.3f; %s\n", type, (long long)number, c.from, c.to, score,
                  physad_result_verdict(r));
    if (word != NULL)
        assert_true((score < 1.5 && *physad_result_verdict(r) == '\0') ||
                    strstr(physad_result_verdict(r), word) != NULL);
    assert_true(score < 2.5 || *physad_result_verdict(r) != '\0'); /* what is odd is told in words */
    physad_result_free(r);
    return score;
}

static void parts_are_judged_where_they_fit(void **state)
{
    static const cut cuts[] = { { 0, 20, 0, 1, false }, { 6, 26, 0, 1, false } };
    for (int64_t i = 0; i < PHYSAD__COUNT(cuts); i++) {
        double good = 0;
        for (int64_t n = 0; n < 2; n++)
            good = fmax(good, number_of("good", n, cuts[i], "a part of the action"));
        assert_true(good < 4);
        assert_true(number_of("sticks", 0, cuts[i], NULL) > good + 2);
    }
}

/* Mean difference of the frames' scores from those of the whole take. */
static double frames_off(const char *type, int64_t number, cut c)
{
    const cut all = { 0, 1000, 0, 1, false };
    physad_result *whole = score_cut(type, number, all), *part = score_cut(type, number, c);
    const int64_t count = physad_result_frame_count(part);
    double sum = 0;
    for (int64_t i = 4 + c.before; i < count - 4; i++) /* what lies around a cut is not known */
        sum += fabs(physad_result_frame_scores(part)[i] - physad_result_frame_scores(whole)[i + c.from - c.before]) /
               (double)(count - 8 - c.before);
    print_message("%s %lld, %d..%d: frames %.3f off\n", type, (long long)number, c.from, c.to, sum);
    physad_result_free(whole);
    physad_result_free(part);
    return sum;
}

/* The frames of a part of the action, or of one that begins late, are odd by what they do in the action. */
static void frames_go_by_their_place_in_the_action(void **state)
{
    static const cut cuts[] = {
        { 6, 26, 0, 1, false }, { 10, 30, 0, 1, false }, { 12, 24, 0, 1, false }, { 0, 1000, 20, 1, false }
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cuts); i++)
        for (int64_t n = 0; n < 2; n++)
            assert_true(frames_off("good", n, cuts[i]) < 0.8); /* by the time from the first frame: 1.2 or more */
}

/* How fast a part goes is told by the moments at which both it and the normal take beside it move. */
static void slow_parts_are_called_slow(void **state)
{
    const cut most = { 0, 26, 0, 1, false };
    number_of("slow", 0, most, "too slow");
}

/* All of it in half the time is no part. */
static void hurried_takes_are_no_parts(void **state)
{
    const cut all = { 0, 1000, 0, 1, false }, hurried = { 0, 1000, 0, 2, false };
    physad_result *r = score_cut("good", 0, hurried);
    assert_null(strstr(physad_result_verdict(r), "a part of"));
    assert_true(physad_result_score(r) > number_of("good", 0, all, NULL) + 2);
    physad_result_free(r);
}

/* Rest before the action is left out. */
static void a_pause_before_counts_for_nothing(void **state)
{
    const cut all = { 0, 1000, 0, 1, false }, late = { 0, 1000, 20, 1, false };
    for (int64_t n = 0; n < 2; n++)
        assert_near(number_of("good", n, late, NULL), number_of("good", n, all, NULL), 1.5);
    assert_true(number_of("sticks", 0, late, NULL) > number_of("good", 0, late, NULL) + 2);
}

static void odd_looks_count(void **state)
{
    const cut all = { 0, 1000, 0, 1, false }, spotted = { 0, 1000, 0, 1, true };
    assert_true(number_of("good", 0, spotted, "how it looks") > number_of("good", 0, all, NULL) + 0.5);
}

/* --- frames that are kept --- */

static void looks_are_kept_evenly(void **state)
{
    static float plane[H * W];
    physad__look l = { 0 };
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < H * W; k++)
            plane[k] = k < H * W / 2 ? (float)i : (float)(255 - i);
        assert_ok(physad__look_push(&l, &shared->mem, plane, H, W));
        assert_true(l.count <= PHYSAD__LOOK_KEPT && l.count >= physad__min(i + 1, PHYSAD__LOOK_KEPT / 2));
    }
    assert_int_equal(l.step, 8);
    assert_int_equal(l.count, 25);
    for (int64_t i = 0; i < l.count; i++)
        assert_int_equal(l.cells[i * l.rows * l.columns], (uint8_t)(8 * (double)i * 100 / 127.5 + 0.5));
    physad__look_free(&l);
}

/* --- the file --- */

static void odd_files_are_refused(void **state)
{
    physad__motion_model *m = fitted->model;
    physad_detector *back;
    const int64_t takes = m->looks.takes;
    const double longest = m->parts.longest;
    const physad__usual usual = m->parts.usual[2][1];
    m->looks.takes = PHYSAD__PART_TAKES + 1;
    assert_ok(physad_detector_save(fitted, full("odd.physad")));
    assert_fails(PHYSAD_ERR_FORMAT, "looks.takes is 33, want 0 to 32",
                 physad_detector_load(&back, shared, full("odd.physad")));
    m->looks.takes = takes;
    const double spread = m->looks.usual.spread;
    m->looks.usual.spread = 0;
    assert_ok(physad_detector_save(fitted, full("odd.physad")));
    assert_fails(PHYSAD_ERR_FORMAT, "takes with a spread of 0",
                 physad_detector_load(&back, shared, full("odd.physad")));
    m->looks.usual.spread = spread;
    m->parts.usual[2][1].spread = 0;
    assert_ok(physad_detector_save(fitted, full("odd.physad")));
    assert_fails(PHYSAD_ERR_FORMAT, "spread 1 of length 2", physad_detector_load(&back, shared, full("odd.physad")));
    m->parts.usual[2][1] = usual;
    m->parts.longest = m->parts.shortest - 1;
    assert_ok(physad_detector_save(fitted, full("odd.physad")));
    assert_fails(PHYSAD_ERR_FORMAT, "takes of", physad_detector_load(&back, shared, full("odd.physad")));
    m->parts.longest = longest;
}

static int make(void **state)
{
    if (!make_drawers(2))
        return -1;
    fitted = fit(shared, "auto");
    return 0;
}

static int drop(void **state)
{
    physad_detector_free(fitted);
    return drop_drawers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shaking_is_taken_out),
        cmocka_unit_test(shaking_is_followed_throughout),
        cmocka_unit_test(still_cameras_change_nothing),
        cmocka_unit_test(slow_drift_is_followed_up_to_a_limit),
        cmocka_unit_test(cameras_that_go_far_are_left),
        cmocka_unit_test(parts_are_judged_where_they_fit),
        cmocka_unit_test(frames_go_by_their_place_in_the_action),
        cmocka_unit_test(slow_parts_are_called_slow),
        cmocka_unit_test(hurried_takes_are_no_parts),
        cmocka_unit_test(a_pause_before_counts_for_nothing),
        cmocka_unit_test(odd_looks_count),
        cmocka_unit_test(looks_are_kept_evenly),
        cmocka_unit_test(odd_files_are_refused),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
