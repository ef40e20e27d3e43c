/* SPDX-License-Identifier: Apache-2.0 */
/* Videos scored: the method without learning against brute force, methods on photos frame by frame, models on disk. */
#include "test.h"

#include "detect/detect.h"

#include <physad/detect.h>
#include <physad/image.h>
#include <physad/metrics.h>
#include <physad/synth.h>

#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static physad_dataset *fans;
static physad_context *shared;

static physad_detector *fitted(const char *sides)
{
    physad_detector *det;
    assert_ok(physad_detector_new(&det, shared, "motion-energy"));
    assert_ok(physad_detector_set(det, "sides", sides));
    assert_ok(physad_detector_set(det, "calibration", "0.25"));
    assert_ok(physad_detector_set(det, "alpha", "0.3"));
    assert_ok(physad_detector_fit(det, fans, NULL));
    return det;
}

static int compare(const void *a, const void *b)
{
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static physad_result *score(const physad_detector *det, const char *file, int32_t pool)
{
    physad_video *v;
    physad_result *r;
    assert_ok(physad_video_open(&v, shared, file, NULL));
    assert_ok(physad_detector_score_video(det, v, pool, &r));
    physad_video_free(v);
    return r;
}

static const physad_sample *sample_of(const char *type)
{
    for (int64_t i = 0; i < physad_dataset_count(fans); i++) {
        const physad_sample *s = physad_dataset_sample(fans, i);
        if (s->split == PHYSAD_SPLIT_TEST && strcmp(s->type, type) == 0)
            return s;
    }
    fail_msg("no %s", type);
    return NULL;
}

static void test_energy(void **state)
{
    physad_detector *det = fitted("high");
    const physad_sample *s = sample_of("stalls");
    physad_result *r = score(det, s->file, 0);
    physad_video *v;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 1;
    assert_ok(physad_video_open(&v, shared, s->file, &o));
    static uint8_t before[64 * 64];
    static int d[64 * 64];
    double want[32];
    int n = 0;
    for (physad_frame f = PHYSAD_FRAME_INIT;; n++) {
        assert_ok(physad_video_read(v, &f));
        if (f.pixels.data == NULL)
            break;
        for (int i = 0; i < 64 * 64; i++)
            d[i] = abs(((const uint8_t *)f.pixels.data)[i] - before[i]);
        memcpy(before, f.pixels.data, sizeof(before));
        qsort(d, 64 * 64, sizeof(int), compare);
        const double at = 0.99 * (64 * 64 - 1);
        want[n] = (d[(int)at] + (at - floor(at)) * (d[(int)at + 1] - d[(int)at])) / 255;
    }
    physad_video_free(v);
    want[0] = want[1];
    assert_int_equal(physad_result_frame_count(r), n);
    double first = 0, second = 0;
    for (int i = 0; i < n; i++) {
        assert_near(physad_result_frame_scores(r)[i], want[i], 1e-12);
        if (want[i] > first) {
            second = first;
            first = want[i];
        } else if (want[i] > second) {
            second = want[i];
        }
    }
    assert_int_equal(n, 32);
    assert_near(physad_result_score(r), (first + second) / 2, 1e-12); /* the greatest sixteenth of 32 */
    assert_int_not_equal(physad_result_is_anomalous(r), -1);
    physad_result_free(r);
    physad_detector_free(det);
}

/* A fan that stands still moves less than any: odd on both sides, not odd where only much motion counts. */
static void test_sides(void **state)
{
    static const uint8_t grey[64 * 64 * 3] = { 0 };
    char path[160];
    const physad_view photo = physad_view_rgb8(grey, 64, 64, 64 * 3);
    snprintf(path, sizeof(path), "%s/still", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "%s/still/%d.png", folder, i);
        assert_ok(physad_image_write(shared, path, &photo, NULL));
    }
    snprintf(path, sizeof(path), "%s/still", folder);
    for (int both = 0; both < 2; both++) {
        physad_detector *det = fitted(both ? "both" : "high");
        physad_result *still = score(det, path, 0), *good = score(det, sample_of("good")->file, 0);
        assert_int_equal(physad_result_score(still) > physad_result_score(good), both);
        assert_int_equal(physad_result_is_anomalous(still), both);
        physad_result_free(still);
        physad_result_free(good);
        physad_detector_free(det);
    }
}

static void test_saved(void **state)
{
    physad_detector *det = fitted("both"), *back;
    char path[128];
    snprintf(path, sizeof(path), "%s/model", folder);
    assert_ok(physad_detector_save(det, path));
    assert_ok(physad_detector_load(&back, shared, path));
    physad_result *a = score(det, sample_of("slow")->file, 0), *b = score(back, sample_of("slow")->file, 0);
    assert_true(physad_result_score(a) == physad_result_score(b));
    assert_true(physad_result_threshold(a) == physad_result_threshold(b));
    assert_memory_equal(physad_result_frame_scores(a), physad_result_frame_scores(b), 32 * sizeof(double));
    physad_result_free(a);
    physad_result_free(b);
    physad_detector_free(det);
    physad_detector_free(back);
}

static void test_pooling(void **state)
{
    double scores[40], out;
    for (int i = 0; i < 40; i++)
        scores[i] = (i * 7) % 40;
    assert_ok(physad__pool_frames(&out, &shared->mem, scores, 40, PHYSAD_POOL_MAX));
    assert_near(out, 39, 0);
    assert_ok(physad__pool_frames(&out, &shared->mem, scores, 40, PHYSAD_POOL_MEAN));
    assert_near(out, 19.5, 1e-12);
    assert_ok(physad__pool_frames(&out, &shared->mem, scores, 40, PHYSAD_POOL_TOP));
    assert_near(out, 38.5, 1e-12);
    assert_ok(physad__pool_frames(&out, &shared->mem, scores, 1, PHYSAD_POOL_TOP));
    assert_near(out, 0, 0);
    assert_fails(PHYSAD_ERR_NUMERIC, "frames", physad__pool_frames(&out, &shared->mem, scores, 0, PHYSAD_POOL_MAX));
}

static void test_arguments(void **state)
{
    physad_detector *det;
    physad_result *r;
    physad_video *v;
    assert_ok(physad_video_open(&v, shared, sample_of("good")->file, NULL));
    assert_ok(physad_detector_new(&det, shared, "motion-energy"));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_detector_score_video(NULL, v, 0, &r));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_detector_score_video(det, NULL, 0, &r));
    assert_fails(PHYSAD_ERR_ARG, "out", physad_detector_score_video(det, v, 0, NULL));
    assert_fails(PHYSAD_ERR_STATE, "not fitted", physad_detector_score_video(det, v, 0, &r));
    assert_fails(PHYSAD_ERR_ARG, "quantile", physad_detector_set(det, "quantile", "2"));
    physad_detector_free(det);
    det = fitted("high");
    assert_fails(PHYSAD_ERR_ARG, "pool", physad_detector_score_video(det, v, 9, &r));
    uint8_t pixels[12] = { 0 };
    const physad_view photo = physad_view_rgb8(pixels, 2, 2, 6);
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "photos", physad_detector_score(det, &photo, &r));
    physad_detector_free(det);
    physad_video_free(v);
    assert_int_equal(physad_result_frame_count(NULL), 0);
    assert_null(physad_result_frame_scores(NULL));
}

static void test_real(void **state)
{
    char path[4096];
    test_data(path, "ped2");
    if (!physad__video_available())
        skip();
    physad_dataset *ds;
    physad_detector *det;
    assert_ok(physad_dataset_open(&ds, shared, path, NULL));
    assert_ok(physad_detector_new(&det, shared, "motion-energy"));
    assert_ok(physad_detector_fit(det, ds, NULL));
    double good[64], odd[64], wins = 0;
    int goods = 0, odds = 0;
    for (int64_t i = 0; i < physad_dataset_count(ds); i++) {
        const physad_sample *s = physad_dataset_sample(ds, i);
        if (s->split != PHYSAD_SPLIT_TEST || s->label < 0)
            continue;
        physad_result *r = score(det, s->file, 0);
        assert_int_equal(physad_result_frame_count(r), 20);
        if (s->label == 0)
            good[goods++] = physad_result_score(r);
        else
            odd[odds++] = physad_result_score(r);
        physad_result_free(r);
    }
    for (int i = 0; i < odds; i++)
        for (int k = 0; k < goods; k++)
            wins += odd[i] > good[k] ? 1 : odd[i] == good[k] ? 0.5 : 0;
    print_message("video AUROC %.4f over %d normal and %d other clips\n", wins / odds / goods, goods, odds);
    assert_near(wins / odds / goods, 0.62, 0.04); /* what came of it, so that a change is seen */
    physad_detector_free(det);
    physad_dataset_free(ds);
}

/* Training fans, and among them where `gaps` a file that is no video and one with a single frame. */
static physad_dataset *some_fans(bool gaps)
{
    physad_dataset *ds;
    int fans_taken = 0;
    assert_ok(physad_dataset_new(&ds, shared));
    for (int64_t i = 0; i < physad_dataset_count(fans) && fans_taken < 6; i++) {
        const physad_sample *s = physad_dataset_sample(fans, i);
        physad_item item = PHYSAD_ITEM_INIT, gone = PHYSAD_ITEM_INIT;
        char path[2][160];
        if (s->split != PHYSAD_SPLIT_TRAIN)
            continue;
        snprintf(path[0], sizeof(path[0]), "%s/text.mp4", folder);
        snprintf(path[1], sizeof(path[1]), "%s/single", folder);
        item.file = s->file;
        gone.file = path[fans_taken == 4];
        if (gaps && (fans_taken == 1 || fans_taken == 4))
            assert_ok(physad_dataset_add(ds, &gone));
        assert_ok(physad_dataset_add(ds, &item));
        fans_taken++;
    }
    return ds;
}

static void write_gaps(void)
{
    static uint8_t grey[64 * 64];
    char path[160];
    const physad_view v = physad_view_gray8(grey, 64, 64, 64);
    snprintf(path, sizeof(path), "%s/text.mp4", folder);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs("no video", f) >= 0 && fclose(f) == 0);
    snprintf(path, sizeof(path), "%s/single", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/single/0.png", folder);
    assert_ok(physad_image_write(shared, path, &v, NULL));
}

static void same_files(const physad_detector *a, const physad_detector *b)
{
    char path[2][160];
    uint8_t *bytes[2];
    long sizes[2];
    for (int k = 0; k < 2; k++) {
        snprintf(path[k], sizeof(path[k]), "%s/%d.physad", folder, k);
        assert_ok(physad_detector_save(k == 0 ? a : b, path[k]));
        FILE *f = fopen(path[k], "rb");
        assert_non_null(f);
        fseek(f, 0, SEEK_END);
        sizes[k] = ftell(f);
        rewind(f);
        bytes[k] = malloc((size_t)sizes[k]);
        assert_int_equal(fread(bytes[k], 1, (size_t)sizes[k], f), sizes[k]);
        fclose(f);
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], (size_t)sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

/* By every method that learns from videos; calibrated on some, so that one that is kept aside may be what is left out.
 */
static void broken_videos_are_left_out(void **state)
{
    static const struct {
        const char *method;
        int broken; /* a video of one frame is enough for networks that see one */
        const char *settings[6][2];
    } cases[] = {
        { "motion-energy", 1, { { "calibration", "0.34" }, { "alpha", "0.34" } } },
        { "motion-bank", 2, { { "calibration", "0.34" }, { "alpha", "0.34" }, { "bank_rows", "200" } } },
        { "mnad-recon",
          1,
          { { "calibration", "0.34" },
            { "alpha", "0.34" },
            { "size", "32" },
            { "width", "4" },
            { "epochs", "1" },
            { "epoch_clips", "32" } } },
    };
    write_gaps();
    for (size_t m = 0; m < sizeof(cases) / sizeof(cases[0]); m++) {
        physad_detector *det[2];
        physad_dataset *gaps = some_fans(true), *whole = some_fans(false);
        physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
        for (int k = 0; k < 2; k++) {
            assert_ok(physad_detector_new(&det[k], shared, cases[m].method));
            for (int i = 0; i < 6 && cases[m].settings[i][0] != NULL; i++)
                assert_ok(physad_detector_set(det[k], cases[m].settings[i][0], cases[m].settings[i][1]));
        }
        assert_int_not_equal(physad_detector_fit(det[0], gaps, NULL), PHYSAD_OK);
        assert_non_null(strstr(physad_last_error(), "text.mp4"));
        assert_int_equal(physad_detector_skipped_count(det[0]), 0);
        call.on_error = PHYSAD_ERRORS_SKIP;
        assert_ok(physad_detector_fit(det[0], gaps, &call));
        assert_int_equal(physad_detector_skipped_count(det[0]), cases[m].broken);
        assert_non_null(strstr(physad_detector_skipped(det[0], 0, NULL), "text.mp4"));
        if (cases[m].broken > 1) {
            assert_non_null(strstr(physad_detector_skipped(det[0], 1, NULL), "single"));
            assert_ok(physad_detector_fit(det[1], whole, NULL));
            same_files(det[0], det[1]);
        }
        for (int k = 0; k < 2; k++)
            physad_detector_free(det[k]);
        physad_dataset_free(gaps);
        physad_dataset_free(whole);
    }
}

static int make(void **state)
{
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    char path[128];
    snprintf(folder, sizeof(folder), "/tmp/physad-score-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    c.seed = 11;
    snprintf(path, sizeof(path), "%s/set", folder);
    o.categories = "fan";
    o.train_videos = 12;
    o.test_videos = 1;
    o.defect_videos = 1;
    o.frames = 32;
    o.width = o.height = 64;
    return physad_context_new(&shared, &c) || physad_synth_phys(shared, path, &o, NULL) ||
           physad_dataset_open(&fans, shared, path, NULL);
}

static int drop(void **state)
{
    char command[128];
    physad_dataset_free(fans);
    const bool leaks = physad_context_memory_used(shared) != 0;
    physad_context_free(shared);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command) || leaks;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_energy),    cmocka_unit_test(test_sides),     cmocka_unit_test(test_saved),
        cmocka_unit_test(test_pooling), cmocka_unit_test(test_arguments), cmocka_unit_test(test_real),
        cmocka_unit_test(broken_videos_are_left_out),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
