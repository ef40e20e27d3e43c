/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank's planes: flow against known shifts, times that are odd, sizes. */
#include "test.h"

#include "detect/motion.h"

#include "physad_config.h"

#include <math.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif
static physad_context *shared;

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

static int make(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = 1;
#ifdef PHYSAD_HAVE_OPENMP
    omp_set_num_threads(1); /* parts of the library are called by themselves */
#endif
    return physad_context_new(&shared, &o);
}

static int drop(void **state)
{
    const bool leaks = physad_context_memory_used(shared) != 0;
    physad_context_free(shared);
    return leaks ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flow_follows_a_shift),
        cmocka_unit_test(planes_come_at_one_rate),
        cmocka_unit_test(odd_times_are_bounded),
        cmocka_unit_test(frames_are_resized),
        cmocka_unit_test(light_is_no_motion),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
