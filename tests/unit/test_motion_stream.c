/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank's streams against files, whatever the rate. */
#include "drawers_fitted.h"

#include "detect/motion.h"
#include "io/io.h"

#include <physad/image.h>

#include <math.h>
#include <stdlib.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_equal_files),
        cmocka_unit_test(streams_keep_time),
        cmocka_unit_test(frame_rates_do_not_show),
        cmocka_unit_test(variable_frame_rates_are_kept),
        cmocka_unit_test(without_rates_frames_are_compared),
        cmocka_unit_test(streams_refuse_nonsense),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
