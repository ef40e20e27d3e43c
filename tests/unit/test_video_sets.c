/* SPDX-License-Identifier: Apache-2.0 */
/* Video sets: recordings with labels of their frames, instances, texts, protocols, frames as photos; evaluations of
 * them. */
#include "metrics_help.h"
#include "schema.h"
#include "scratch.h"

#include "detect/detect.h"

#include <physad/evaluate.h>
#include <physad/image.h>
#include <physad/synth.h>

#include <errno.h>
#include <sys/stat.h>

static char root[256];

static int make_root(void **state)
{
    scratch_make(root, sizeof(root));
    return 0;
}

static int remove_root(void **state)
{
    scratch_remove(root);
    return 0;
}

static const char *full(const char *path)
{
    static char out[4][1024];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(out[turn], sizeof(out[0]), "%s/%s", root, path);
    return out[turn];
}

static void make_folders(const char *path)
{
    char part[1024];
    snprintf(part, sizeof(part), "%s", full(path));
    for (char *p = part + strlen(root) + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        assert_true(mkdir(part, 0700) == 0 || errno == EEXIST);
        *p = '/';
    }
}

static void file(const char *path, const void *bytes, size_t size)
{
    make_folders(path);
    FILE *f = fopen(full(path), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void text(const char *path, const char *content)
{
    file(path, content, strlen(content));
}

/* Empty files from a list with blanks between. */
static void files(const char *folder, const char *names)
{
    char path[512];
    while (*names != '\0') {
        const size_t n = strcspn(names, " ");
        snprintf(path, sizeof(path), "%s/%.*s", folder, (int)n, names);
        text(path, "");
        names += n + (names[n] == ' ');
    }
}

static physad_context *new_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static void end(physad_context *ctx, physad_dataset *ds)
{
    physad_dataset_free(ds);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static int64_t find(const physad_dataset *ds, const char *path)
{
    for (int64_t i = 0; i < physad_dataset_count(ds); i++)
        if (strcmp(physad_dataset_sample(ds, i)->path, path) == 0)
            return i;
    fail_msg("there is no %s", path);
    return -1;
}

/* --- what is read --- */

static void recordings_have_labels(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds, *part;
    uint8_t labels[4];
    int64_t count;
    files("w", "train/good/a.mp4 test/good/b.mp4 test/bad/c.mp4 whole/d.mp4 whole/e.mp4");
    text("w/whole/frame_labels.json", "{\"d.mp4\": [0, 1, 1], \"e.mp4\": [0]}");
    assert_ok(physad_dataset_open(&ds, ctx, full("w"), NULL));
    assert_int_equal(physad_dataset_count(ds), 5);
    assert_ok(physad_dataset_select(&part, ds, NULL, 0));
    assert_int_equal(physad_dataset_count(part), 3); /* they are for measuring alone */
    physad_dataset_free(part);
    assert_ok(physad_dataset_select(&part, ds, NULL, PHYSAD_SPLIT_WHOLE));
    assert_int_equal(physad_dataset_count(part), 2);
    const physad_sample *s = physad_dataset_sample(part, 0);
    assert_int_equal(s->label, -1);
    assert_string_equal(s->frame_file, full("w/whole/frame_labels.json"));
    assert_ok(physad_dataset_read_frame_labels(part, 0, NULL, 0, &count));
    assert_int_equal(count, 3);
    assert_ok(physad_dataset_read_frame_labels(part, 0, labels, 4, &count));
    assert_memory_equal(labels, "\0\1\1", 3);
    assert_fails(PHYSAD_ERR_SHAPE, "room for 2", physad_dataset_read_frame_labels(part, 0, labels, 2, &count));
    assert_fails(PHYSAD_ERR_STATE, "nothing is known", physad_dataset_read_frame_labels(ds, 0, NULL, 0, &count));
    assert_fails(PHYSAD_ERR_ARG, "index is 2", physad_dataset_read_frame_labels(part, 2, NULL, 0, &count));
    assert_fails(PHYSAD_ERR_ARG, "count is NULL", physad_dataset_read_frame_labels(part, 0, NULL, 0, NULL));
    text("w/whole/frame_labels.json", "{\"e.mp4\": [0]}");
    assert_fails(PHYSAD_ERR_FORMAT, "no labels for w", physad_dataset_read_frame_labels(part, 0, NULL, 0, &count));
    physad_dataset_free(part);
    end(ctx, ds);
}

/* An .npy of one row of int64, as NumPy writes it. */
static void write_npy(const char *path, const int64_t *values, int count)
{
    char bytes[128 + 8 * 32] = "\x93NUMPY\1\0\x76";
    const int n = snprintf(bytes + 10, 118, "{'descr': '<i8', 'fortran_order': False, 'shape': (1, %d), }", count);
    memset(bytes + 10 + n, ' ', (size_t)(118 - n));
    bytes[127] = '\n';
    memcpy(bytes + 128, values, (size_t)count * 8);
    file(path, bytes, 128 + (size_t)count * 8);
}

static void arrays_label_folders_of_frames(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds;
    uint8_t labels[8];
    int64_t count;
    const int64_t values[] = { 0, 1, 1, 0, 1 };
    files("u/ped", "training/frames/01/0.jpg testing/frames/2/0.jpg testing/frames/2/1.jpg testing/frames/10/0.jpg "
                   "testing/frames/10/1.jpg testing/frames/10/2.jpg");
    write_npy("u/frame_labels_ped.npy", values, 5); /* beside the set */
    assert_ok(physad_dataset_open(&ds, ctx, full("u/ped"), NULL));
    assert_string_equal(physad_dataset_format(ds), "frames");
    assert_ok(physad_dataset_read_frame_labels(ds, find(ds, "testing/frames/10"), labels, 8, &count));
    assert_int_equal(count, 3);
    assert_memory_equal(labels, "\1\0\1", 3); /* videos in the order of their numbers */
    assert_ok(physad_dataset_read_frame_labels(ds, find(ds, "testing/frames/2"), labels, 8, &count));
    assert_int_equal(count, 2);
    assert_memory_equal(labels, "\0\1", 2);
    write_npy("u/frame_labels_ped.npy", values, 4);
    assert_fails(PHYSAD_ERR_FORMAT, "4 labels",
                 physad_dataset_read_frame_labels(ds, find(ds, "testing/frames/10"), labels, 8, &count));
    end(ctx, ds);
}

static void mask(physad_context *ctx, const char *path, bool set)
{
    uint8_t pixels[6 * 4] = { 0 };
    physad_view v = physad_view_gray8(pixels, 6, 4, 4);
    pixels[17] = set ? 255 : 0;
    make_folders(path);
    assert_ok(physad_image_write(ctx, full(path), &v, NULL));
}

static void masks_label_frames(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds;
    uint8_t labels[8];
    int64_t count;
    char path[64];
    files("ucsd/UCSDped2", "Train/Train001/001.tif Train/Train001/002.tif Train/Train002/001.tif Test/Test001/001.tif "
                           "Test/Test001/002.tif "
                           "Test/Test001/003.tif Test/Test002/001.tif");
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "ucsd/UCSDped2/Test/Test001_gt/%03d.png", i + 1);
        mask(ctx, path, i == 1);
    }
    assert_ok(physad_dataset_open(&ds, ctx, full("ucsd"), NULL));
    assert_string_equal(physad_dataset_format(ds), "ucsd");
    assert_int_equal(physad_dataset_count(ds), 4);
    const physad_sample *train = physad_dataset_sample(ds, find(ds, "UCSDped2/Train/Train002"));
    assert_int_equal(train->split, PHYSAD_SPLIT_TRAIN);
    assert_int_equal(train->label, 0);
    assert_int_equal(train->kind, PHYSAD_KIND_FRAMES);
    const int64_t test = find(ds, "UCSDped2/Test/Test001");
    assert_int_equal(physad_dataset_sample(ds, test)->label, -1);
    assert_ok(physad_dataset_read_frame_labels(ds, test, NULL, 0, &count));
    assert_int_equal(count, 3);
    assert_ok(physad_dataset_read_frame_labels(ds, test, labels, 8, &count));
    assert_memory_equal(labels, "\0\1\0", 3);
    assert_fails(PHYSAD_ERR_SHAPE, "room for 2 labels", physad_dataset_read_frame_labels(ds, test, labels, 2, &count));
    assert_fails(PHYSAD_ERR_STATE, "nothing is known",
                 physad_dataset_read_frame_labels(ds, find(ds, "UCSDped2/Test/Test002"), labels, 8, &count));
    file("ucsd/UCSDped2/Test/Test001_gt/002.png", "no photo", 8);
    assert_fails(PHYSAD_ERR_FORMAT, "002.png", physad_dataset_read_frame_labels(ds, test, labels, 8, &count));
    physad_dataset_free(ds);
    assert_ok(physad_dataset_open(&ds, ctx, full("ucsd/UCSDped2"), NULL)); /* one of them */
    assert_int_equal(physad_dataset_count(ds), 4);
    end(ctx, ds);
}

static void videos_carry_what_is_told(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds;
    files("p/lock", "train/normal/brass/0.mp4 train/normal/steel/0.mp4 test/normal/brass/1.mp4 test/stuck/steel/2.mp4 "
                    "test/loose/brass/3.mp4");
    files("p/lock/test/stuck/steel/9", "0.png 1.png");
    text("p/lock/text_labels.json",
         "{\"interaction\": \"a key turns it\", \"stuck\": {\"persistence\": \"persistent\"}}");
    text("p/lock/physad.json", "{\"interactions\": {\"test/loose\": \"it is shaken\"}}");
    text("p/lock/priors.md", "A lock turns by a quarter.\n");
    assert_ok(physad_dataset_open(&ds, ctx, full("p"), NULL));
    assert_int_equal(physad_dataset_count(ds), 6);
    const physad_sample *s = physad_dataset_sample(ds, find(ds, "lock/test/stuck/steel/2.mp4"));
    assert_string_equal(s->instance, "steel");
    assert_string_equal(s->type, "stuck");
    assert_string_equal(s->persistence, "persistent");
    assert_string_equal(s->interaction, "a key turns it");
    assert_string_equal(s->text_file, full("p/lock/text_labels.json"));
    assert_string_equal(s->prior_file, full("p/lock/priors.md"));
    assert_int_equal(physad_dataset_sample(ds, find(ds, "lock/test/stuck/steel/9"))->kind, PHYSAD_KIND_FRAMES);
    s = physad_dataset_sample(ds, find(ds, "lock/test/loose/brass/3.mp4"));
    assert_string_equal(s->interaction, "it is shaken");
    assert_null(s->persistence);
    physad_dataset_free(ds);
    text("p/lock/text_labels.json", "{\"interaction\": 3}");
    assert_fails(PHYSAD_ERR_FORMAT, "text_labels.json", physad_dataset_open(&ds, ctx, full("p"), NULL));
    end(ctx, NULL);
}

/* --- protocols --- */

static void make_protocol_set(void)
{
    char path[64];
    for (int i = 0; i < 12; i++) {
        snprintf(path, sizeof(path), "q/gear/train/normal/%s/%02d.mp4", i % 2 ? "a" : "b", i);
        text(path, "");
        snprintf(path, sizeof(path), "q/gear/test/skip/%02d.mp4", i);
        text(path, "");
        snprintf(path, sizeof(path), "q/gear/test/slip/%02d.mp4", i);
        text(path, "");
        snprintf(path, sizeof(path), "q/gear/test/normal/%02d.mp4", i);
        text(path, "");
    }
}

static int64_t count_of(const physad_dataset *ds, int32_t split, const char *type, const char *instance)
{
    int64_t n = 0;
    for (int64_t i = 0; i < physad_dataset_count(ds); i++) {
        const physad_sample *s = physad_dataset_sample(ds, i);
        n +=
            s->split == split && strcmp(s->type, type) == 0 && (instance == NULL || strcmp(s->instance, instance) == 0);
    }
    return n;
}

static void protocols_move_videos(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds, *weak, *again;
    physad_protocol_options o = PHYSAD_PROTOCOL_OPTIONS_INIT;
    int64_t seen[8] = { 0 };
    make_protocol_set();
    assert_ok(physad_dataset_open(&ds, ctx, full("q"), NULL));
    for (o.seed = 0; o.seed < 40; o.seed++) {
        o.protocol = PHYSAD_PROTOCOL_WEAK_PER_TYPE;
        assert_ok(physad_dataset_protocol(&weak, ds, &o));
        const int64_t skip = count_of(weak, PHYSAD_SPLIT_TRAIN, "skip", NULL),
                      slip = count_of(weak, PHYSAD_SPLIT_TRAIN, "slip", NULL);
        assert_in_range(skip, 2, 4);
        assert_in_range(slip, 2, 4);
        seen[skip]++;
        assert_int_equal(count_of(weak, PHYSAD_SPLIT_TEST, "skip", NULL), 12 - skip);
        assert_int_equal(physad_dataset_count(weak), 48);
        physad_dataset_free(weak);
        o.protocol = PHYSAD_PROTOCOL_WEAK_IN_ALL;
        assert_ok(physad_dataset_protocol(&weak, ds, &o));
        assert_in_range(
            count_of(weak, PHYSAD_SPLIT_TRAIN, "skip", NULL) + count_of(weak, PHYSAD_SPLIT_TRAIN, "slip", NULL), 2, 4);
        physad_dataset_free(weak);
    }
    assert_true(seen[2] > 0 && seen[3] > 0 && seen[4] > 0);
    o = (physad_protocol_options){ sizeof(o), PHYSAD_PROTOCOL_UNDERSTANDING, 3, 3, 1 };
    assert_ok(physad_dataset_protocol(&weak, ds, &o));
    assert_int_equal(count_of(weak, PHYSAD_SPLIT_TRAIN, "normal", "a"), 3);
    assert_int_equal(count_of(weak, PHYSAD_SPLIT_TRAIN, "normal", "b"), 3);
    assert_ok(physad_dataset_protocol(&again, ds, &o));
    for (int64_t i = 0; i < physad_dataset_count(weak); i++)
        assert_string_equal(physad_dataset_sample(weak, i)->path, physad_dataset_sample(again, i)->path);
    physad_dataset_free(again);
    physad_dataset_free(weak);
    o.protocol = 7;
    assert_fails(PHYSAD_ERR_ARG, "protocol is 7", physad_dataset_protocol(&weak, ds, &o));
    o = (physad_protocol_options){ sizeof(o), PHYSAD_PROTOCOL_WEAK_IN_ALL, 5, 2, 1 };
    assert_fails(PHYSAD_ERR_ARG, "from 5 to 2", physad_dataset_protocol(&weak, ds, &o));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_dataset_protocol(&weak, NULL, NULL));
    assert_ok(physad_dataset_select(&again, ds, NULL, PHYSAD_SPLIT_TRAIN));
    o.most = 5;
    assert_fails(PHYSAD_ERR_STATE, "anomalous test sample", physad_dataset_protocol(&weak, again, &o));
    physad_dataset_free(again);
    end(ctx, ds);
}

/* --- evaluations, on folders of frames: no decoder takes part --- */

static void make_fans(physad_context *ctx)
{
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    char labels[1024] = "{\"000\": [0", from[512];
    struct stat st;
    if (stat(full("fans"), &st) == 0)
        return;
    o.flags = PHYSAD_SYNTH_FRAMES;
    o.categories = "fan";
    o.train_videos = 6;
    o.test_videos = 3;
    o.defect_videos = 1;
    o.frames = 16;
    o.width = o.height = 32;
    assert_ok(physad_synth_phys(ctx, full("fans"), &o, NULL));
    text("fans/fan/whole/none", "");
    snprintf(from, sizeof(from), "%s", full("fans/fan/test/stalls/000"));
    assert_int_equal(rename(from, full("fans/fan/whole/000")), 0);
    for (int i = 1; i < 16; i++)
        snprintf(labels + strlen(labels), 16, ", %d", i > 7);
    snprintf(labels + strlen(labels), 16, "]}");
    text("fans/fan/whole/frame_labels.json", labels);
}

static void frames_are_photos(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds, *train, *frames;
    physad_image *image;
    make_fans(ctx);
    assert_ok(physad_dataset_open(&ds, ctx, full("fans"), NULL));
    assert_ok(physad_dataset_select(&train, ds, NULL, PHYSAD_SPLIT_TRAIN));
    assert_ok(physad_dataset_frames(&frames, train, 4));
    assert_int_equal(physad_dataset_count(frames), 24);
    const physad_sample *s = physad_dataset_sample(frames, 1);
    assert_string_equal(s->path, "fan/train/good/000#6"); /* the middle of the second quarter of 16 */
    assert_int_equal(s->kind, PHYSAD_KIND_IMAGE);
    assert_string_equal(s->group, physad_dataset_sample(train, 0)->group);
    assert_ok(physad_dataset_read_image(frames, 1, &image));
    const physad_view got = physad_image_view(image);
    physad_image *want;
    assert_ok(physad_image_read(&want, ctx, full("fans/fan/train/good/000/0006.png"), NULL));
    const physad_view w = physad_image_view(want);
    assert_memory_equal(got.data, w.data, 32 * 32 * 3);
    physad_image_free(want);
    physad_image_free(image);
    physad_dataset_free(frames);
    assert_ok(physad_dataset_frames(&frames, train, 1000));
    assert_int_equal(physad_dataset_count(frames), 6 * 16);
    physad_dataset_free(frames);
    assert_fails(PHYSAD_ERR_ARG, "count is 0", physad_dataset_frames(&frames, train, 0));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_dataset_frames(&frames, NULL, 1));
    physad_dataset_free(train);
    end(ctx, ds);
}

/* The frames' figure by itself: the recording scored by a detector fitted alike. */
static double frame_auroc(physad_context *ctx, const physad_dataset *ds)
{
    physad_detector *det;
    physad_dataset *train;
    physad_video *v;
    physad_result *r;
    double wins = 0;
    assert_ok(physad_dataset_select(&train, ds, NULL, PHYSAD_SPLIT_TRAIN));
    assert_ok(physad_detector_new(&det, ctx, "motion-energy"));
    assert_ok(physad_detector_fit(det, train, NULL));
    assert_ok(physad_video_open(&v, ctx, full("fans/fan/whole/000"), NULL));
    assert_ok(physad_detector_score_video(det, v, 0, &r));
    const double *s = physad_result_frame_scores(r);
    for (int i = 8; i < 16; i++)
        for (int k = 0; k < 8; k++)
            wins += s[i] > s[k] ? 1 : s[i] == s[k] ? 0.5 : 0;
    physad_result_free(r);
    physad_video_free(v);
    physad_detector_free(det);
    physad_dataset_free(train);
    return wins / 64;
}

static void keeps_the_schema(const physad_evaluation *e)
{
    char why[512] = "", path[512];
    snprintf(path, sizeof(path), "%s/../../docs/eval.schema.json", getenv("PHYSAD_TEST_GOLDEN"));
    json_t *schema = json_load_file(path, 0, NULL), *value = json_loads(physad_evaluation_json(e), 0, NULL);
    assert_non_null(schema);
    assert_non_null(value);
    if (!schema_valid(schema, schema, value, why, sizeof(why)))
        fail_msg("%s", why);
    json_decref(schema);
    json_decref(value);
}

/* What is said of each video: a method with words names a normal moment, one without names the frame alone. */
static void moments_are_told(const physad_evaluation *e, const char *page)
{
    json_t *all = json_loads(physad_evaluation_json(e), 0, NULL), *results = json_object_get(all, "results");
    assert_int_equal(json_array_size(results), 2);
    for (size_t m = 0; m < 2; m++) {
        json_t *samples = json_object_get(json_array_get(results, m), "samples");
        assert_int_equal(json_array_size(samples), 6);
        for (size_t i = 0; i < 6; i++) {
            json_t *video = json_object_get(json_array_get(samples, i), "video");
            json_t *scores = json_object_get(video, "frame_scores"), *worst = json_object_get(video, "worst");
            const json_int_t at = json_integer_value(json_object_get(worst, "frame"));
            assert_int_equal(json_array_size(scores), 16);
            for (size_t k = 0; k < 16; k++)
                assert_true(json_real_value(json_array_get(scores, k)) <=
                            json_real_value(json_array_get(scores, (size_t)at)));
            assert_int_equal(json_is_string(json_object_get(video, "verdict")), m == 1);
            assert_int_equal(json_is_object(json_object_get(worst, "nearest")), m == 1);
            assert_near(json_real_value(json_object_get(video, "frame_rate")), 25, 0);
        }
    }
    json_decref(all);
    FILE *f = fopen(page, "rb");
    static char text[1 << 20];
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_non_null(strstr(text, "<svg class=\"line\""));
    assert_non_null(strstr(text, "frame with the highest score"));
    /* side by side: the caption of the one, then at once the other, then the line of scores */
    const char *near = strstr(text, "nearest normal moment, frame ");
    assert_non_null(near);
    const char *worst = strstr(text, "<figcaption>frame with the highest score, "),
               *line = strstr(near, "<svg class=\"line\"");
    assert_true(worst != NULL && worst < near && line != NULL);
}

static void verdicts_reach_the_report(void **state)
{
    static const char *const methods[] = { "motion-energy", "motion-bank" };
    static const char *const settings[] = { "motion-bank.bank_rows=200", NULL };
    physad_context *ctx = new_context();
    physad_dataset *ds, *all;
    physad_evaluation *e;
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    make_fans(ctx);
    assert_ok(physad_dataset_open(&all, ctx, full("fans"), NULL));
    assert_ok(physad_dataset_select(&ds, all, NULL, PHYSAD_SPLIT_TRAIN | PHYSAD_SPLIT_TEST));
    physad_dataset_free(all);
    o.settings = settings;
    o.replicates = -1;
    o.gallery = 2;
    assert_ok(physad_evaluate(&e, ctx, ds, methods, 2, &o, NULL));
    keeps_the_schema(e);
    assert_ok(physad_evaluation_html(e, full("words"), NULL));
    moments_are_told(e, full("words/report.html"));
    physad_evaluation_free(e);
    end(ctx, ds);
}

static void videos_are_evaluated(void **state)
{
    static const char *const methods[] = { "motion-energy", "patchcore" };
    static const char *const settings[] = { "patchcore.weights=random:1", "patchcore.input=32",
                                            "patchcore.video_frames=2", NULL };
    physad_context *ctx = new_context();
    physad_dataset *ds;
    physad_evaluation *e;
    physad_metric m = PHYSAD_METRIC_INIT;
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    make_fans(ctx);
    assert_ok(physad_dataset_open(&ds, ctx, full("fans"), NULL));
    o.settings = settings;
    o.replicates = 50;
    o.gallery = 2;
    assert_ok(physad_evaluate(&e, ctx, ds, methods, 2, &o, NULL));
    assert_int_equal(physad_evaluation_sample_count(e, 0), 6);
    assert_ok(physad_evaluation_metric(e, 0, "video_auroc", &m));
    assert_true(m.value >= 0 && m.value <= 1);
    assert_ok(physad_evaluation_metric(e, 0, "frame_auroc", &m));
    assert_near(m.value, frame_auroc(ctx, ds), 0);
    assert_ok(physad_evaluation_metric(e, 1, "frame_auroc", &m));
    assert_true(m.value >= 0 && m.value <= 1);
    assert_fails(PHYSAD_ERR_ARG, "no metric \"image_auroc\"", physad_evaluation_metric(e, 0, "image_auroc", &m));
    keeps_the_schema(e);
    assert_ok(physad_evaluation_html(e, full("page"), NULL));
    physad_evaluation_free(e);
    text("fans/fan/whole/frame_labels.json", "{\"000\": [0, 1]}");
    assert_fails(PHYSAD_ERR_FORMAT, "2 labels", physad_evaluate(&e, ctx, ds, methods, 1, NULL, NULL));
    o.pool = 9;
    assert_fails(PHYSAD_ERR_ARG, "pool is 9", physad_evaluate(&e, ctx, ds, methods, 1, &o, NULL));
    end(ctx, ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recordings_have_labels),    cmocka_unit_test(arrays_label_folders_of_frames),
        cmocka_unit_test(masks_label_frames),        cmocka_unit_test(videos_carry_what_is_told),
        cmocka_unit_test(protocols_move_videos),     cmocka_unit_test(frames_are_photos),
        cmocka_unit_test(verdicts_reach_the_report), cmocka_unit_test(videos_are_evaluated),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
