/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "data/data.h"
#include "io/io.h"

#include <physad/video.h>

static physad_context *new_context(void)
{
    physad_context *ctx;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static physad_status parse(physad_context *ctx, physad__frame_labels **out, const char *text)
{
    return physad__frame_labels_parse(out, ctx, text, strlen(text), "labels.json");
}

static void test_labels(void **state)
{
    physad_context *ctx = new_context();
    physad__frame_labels *l;
    const uint8_t *labels;
    int64_t count;
    assert_ok(parse(ctx, &l, "{\"a.mp4\": [0, 1, 1], \"b.mp4\": [0]}"));
    assert_int_equal(physad__frame_labels_count(l), 2);
    assert_ok(physad__frame_labels_of(l, "whole/a.mp4", &labels, &count));
    assert_int_equal(count, 3);
    assert_memory_equal(labels, "\0\1\1", 3);
    assert_ok(physad__frame_labels_of(l, "b.mp4", &labels, &count));
    assert_int_equal(count, 1);
    assert_fails(PHYSAD_ERR_ARG, "\"c.mp4\"", physad__frame_labels_of(l, "c.mp4", &labels, &count));
    assert_null(labels);
    physad__frame_labels_free(l);
    physad__frame_labels_free(NULL);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_refused(void **state)
{
    static const char *const wrong[][2] = {
        { "", "labels.json" },
        { "[0, 1]", "want {" },
        { "{\"a\": 1}", "no list" },
        { "{\"a\": []}", "empty" },
        { "{\"a\": [0, 2]}", "label 1" },
        { "{\"a\": [0.5]}", "label 0" },
        { "{\"a\": [true]}", "label 0" },
        { "{\"a\": [-1]}", "label 0" },
        { "{\"a\": [0], \"a\": [1]}", "labels.json" },
        { "{\"a\": [0]} x", "labels.json" },
    };
    physad_context *ctx = new_context();
    physad__frame_labels *l;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_fails(PHYSAD_ERR_FORMAT, wrong[i][1], parse(ctx, &l, wrong[i][0]));
        assert_null(l);
    }
    assert_fails(PHYSAD_ERR_IO, "nowhere", physad__frame_labels_open(&l, ctx, "/nowhere/frame_labels.json"));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* As many labels as the recordings have frames. */
static void test_real(void **state)
{
    char path[4096], video[4200];
    test_data(path, "ped2/whole");
    physad_context *ctx = new_context();
    physad__frame_labels *l;
    physad__dir dir;
    int videos = 0;
    snprintf(video, sizeof(video), "%s/frame_labels.json", path);
    assert_ok(physad__frame_labels_open(&l, ctx, video));
    assert_ok(physad__dir_list(&dir, &ctx->mem, path));
    for (int64_t i = 0; i < dir.count && physad__video_available(); i++) {
        physad_video *v;
        const uint8_t *labels;
        int64_t count, frames;
        if (!physad__has_suffix(dir.entries[i].name, ".mp4"))
            continue;
        snprintf(video, sizeof(video), "%s/%s", path, dir.entries[i].name);
        assert_ok(physad_video_open(&v, ctx, video, NULL));
        assert_ok(physad_video_frame_count(v, &frames));
        physad_video_free(v);
        assert_ok(physad__frame_labels_of(l, dir.entries[i].name, &labels, &count));
        assert_int_equal(count, frames);
        videos++;
    }
    assert_true(videos == 5 || !physad__video_available());
    physad__dir_free(&dir);
    physad__frame_labels_free(l);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
