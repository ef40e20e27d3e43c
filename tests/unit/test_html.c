/* SPDX-License-Identifier: Apache-2.0 */
/* The page of an evaluation. With a folder as its argument it only writes a page there, for tests/report. */
#include "metrics_help.h"

#include "report/report_html.h"
#include "scratch.h"

#include <math.h>

enum { H = 80, W = 96, TRAIN = 8, TEST = 20 };

/* Names as an attacker would choose them. */
static const char hostile_category[] = "<script>alert(1)</script>";
static const char *const hostile_type[] = { "\"><img src=x onerror=alert(2)>", "</title>' onload='alert(3)" };

static void draw_photo(uint8_t *photo, uint8_t *mask, int number, bool bad)
{
    physad__rng rng;
    physad__rng_seed(&rng, (uint64_t)number, 0);
    memset(mask, 0, H * W);
    for (int i = 0; i < H * W; i++)
        for (int c = 0; c < 3; c++)
            photo[3 * i + c] = (uint8_t)(90 + (i % W) + 20 * c + physad__rng_below(&rng, 16));
    if (!bad)
        return;
    const int64_t y = 4 + physad__rng_below(&rng, H - 24), x = 4 + physad__rng_below(&rng, W - 24);
    for (int64_t j = y; j < y + 16; j++)
        for (int64_t i = x; i < x + 16; i++) {
            mask[j * W + i] = 1;
            memset(photo + (j * W + i) * 3, (int)((i / 2 + j / 2) % 2 * 255), 3);
        }
}

static void add_photo(physad_dataset *ds, const char *category, int number, bool train)
{
    uint8_t photo[H * W * 3], mask[H * W];
    char name[64];
    const bool bad = !train && number % TEST >= TEST / 2;
    draw_photo(photo, mask, number + 100 * (category == hostile_category) + 50 * train, bad);
    const int64_t shape[3] = { H, W, 3 };
    const physad_view p = physad_view_array(photo, PHYSAD_U8, 3, shape),
                      m = physad_view_array(mask, PHYSAD_U8, 2, shape);
    physad_item item = PHYSAD_ITEM_INIT;
    snprintf(name, sizeof(name), "%s%d%s.png", train ? "train" : "a&'\"<b>", number, number == 3 ? "\xff" : "");
    item.flags = PHYSAD_ITEM_COPY;
    item.photo = &p;
    item.mask = bad ? &m : NULL;
    item.name = name;
    item.category = category;
    item.type = bad ? hostile_type[number % 2] : "good";
    item.split = train ? PHYSAD_SPLIT_TRAIN : PHYSAD_SPLIT_TEST;
    item.label = bad;
    assert_ok(physad_dataset_add(ds, &item));
}

static physad_evaluation *evaluate(physad_context *ctx, int32_t gallery, int64_t methods)
{
    static const char *const names[] = { "patchcore", "padim" };
    static const char *const settings[] = { "weights=random:1", "input=64", "alpha=0.4", "patchcore.coreset_ratio=0.2",
                                            NULL };
    static const char *const category[] = { "plain", hostile_category };
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    physad_evaluation *e = NULL;
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int c = 0; c < 2; c++)
        for (int i = 0; i < TRAIN + TEST; i++)
            add_photo(ds, category[c], i < TRAIN ? i : i - TRAIN, i < TRAIN);
    o.settings = settings;
    o.replicates = 50;
    o.gallery = gallery;
    o.gallery_side = 64;
    assert_ok(physad_evaluate(&e, ctx, ds, names, methods, &o, NULL));
    physad_dataset_free(ds);
    return e;
}

static char *read_in(physad_context *ctx, const char *folder, const char *name)
{
    unsigned char *data = NULL;
    size_t size = 0;
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_ok(physad__file_read(&data, &size, &ctx->mem, path, 0));
    return (char *)data;
}

static int64_t times(const char *text, const char *part)
{
    int64_t n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p++)
        n++;
    return n;
}

static void the_page_has_all_and_runs_nothing(void **state)
{
    char folder[256], deep[280];
    physad_context *ctx = context_with(2, 0);
    physad_evaluation *e = evaluate(ctx, 1000, 2);
    scratch_make(folder, sizeof(folder));
    snprintf(deep, sizeof(deep), "%s/x/y", folder);
    assert_ok(physad_evaluation_html(e, deep, NULL));
    assert_int_equal(scratch_count(deep), 3);
    char *page = read_in(ctx, deep, "report.html"), *json = read_in(ctx, deep, "results.json"),
         *csv = read_in(ctx, deep, "results.csv");
    assert_string_equal(json, physad_evaluation_json(e));
    assert_string_equal(csv, physad_evaluation_csv(e));
    assert_int_equal(times(page, "<article "), 2 * TEST);
    assert_int_equal(times(page, "<div class=\"method\">"), 2 * 2 * TEST);
    assert_int_equal(times(page, "alt=\"photo\""), 2 * TEST);
    assert_int_equal(times(page, "alt=\"ground truth, outlined\""), TEST);
    assert_int_equal(times(page, "alt=\"score map\""), 2 * 2 * TEST);
    assert_true(times(page, "alt=\"nearest normal:\"") >= 2 * TEST); /* padim keeps none */
    assert_int_equal(times(page, "<script>"), 1);
    assert_int_equal(times(page, "alert(1)"), times(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_true(times(page, "alert(1)") > 0);
    assert_int_equal(times(page, "<img src=x"), 0);
    assert_int_equal(times(page, "' onload"), 0);
    assert_int_equal(times(page, "http:") + times(page, "https:") + times(page, "url("), 0);
    assert_true(times(page, "a&amp;&#39;&quot;&lt;b&gt;3\xef\xbf\xbd.png") > 0);
    physad__free(page);
    physad__free(json);
    physad__free(csv);
    scratch_remove(folder);
    physad_evaluation_free(e);
    context_done(ctx);
}

static void equal_runs_make_equal_pages(void **state)
{
    char folder[256], *page[2];
    physad_context *ctx[2];
    scratch_make(folder, sizeof(folder));
    for (int i = 0; i < 2; i++) {
        ctx[i] = context_with(i ? 3 : 1, 0);
        physad_evaluation *e = evaluate(ctx[i], 4, 1);
        assert_ok(physad_evaluation_html(e, folder, NULL));
        page[i] = read_in(ctx[i], folder, "report.html");
        physad_evaluation_free(e);
    }
    assert_string_equal(page[0], page[1]);
    for (int i = 0; i < 2; i++) {
        physad__free(page[i]);
        context_done(ctx[i]);
    }
    scratch_remove(folder);
}

/* Of each type as many as asked for: half the highest and half the lowest. */
static void the_gallery_keeps_the_extremes(void **state)
{
    enum { ROOM = 3 };
    physad_context *ctx = context_with(2, 0);
    physad_evaluation *e = evaluate(ctx, ROOM, 1);
    for (int64_t r = 0; r < e->count; r++) {
        const physad__report *report = &e->reports[r];
        for (int64_t i = 0; i < report->sample_count; i++) {
            const physad__report_sample *s = &report->samples[i];
            int64_t above = 0, below = 0;
            for (int64_t k = 0; k < report->sample_count; k++) {
                const physad__report_sample *o = &report->samples[k];
                if (strcmp(o->type, s->type) != 0)
                    continue;
                above += o->score > s->score || (o->score == s->score && k > i);
                below += o->score < s->score || (o->score == s->score && k < i);
            }
            assert_int_equal(s->thumbs != NULL, above < ROOM - ROOM / 2 || below < ROOM / 2);
            if (s->thumbs == NULL)
                continue;
            const physad__thumb *t = &s->thumbs->image[PHYSAD__THUMB_PHOTO];
            physad_image *image = NULL;
            assert_ok(physad_image_read_memory(&image, ctx, t->bytes, t->size, NULL, NULL));
            assert_int_equal(physad_image_view(image).shape[0], 53); /* 80 x 96 in 64 x 64 */
            assert_int_equal(physad_image_view(image).shape[1], 64);
            assert_int_equal(s->thumbs->image[PHYSAD__THUMB_TRUTH].bytes != NULL, s->label != 0);
            physad_image_free(image);
        }
    }
    physad_evaluation_free(e);
    context_done(ctx);
}

static void misuse_is_told(void **state)
{
    char folder[256], path[280];
    physad_context *ctx = context_with(1, 0);
    physad_evaluation *e = evaluate(ctx, 0, 1);
    physad_html_options o = PHYSAD_HTML_OPTIONS_INIT;
    assert_fails(PHYSAD_ERR_ARG, "evaluation is NULL", physad_evaluation_html(NULL, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "folder", physad_evaluation_html(e, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "folder", physad_evaluation_html(e, "", NULL));
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/file", folder);
    fclose(fopen(path, "w"));
    assert_fails(PHYSAD_ERR_IO, "file", physad_evaluation_html(e, path, NULL));
    o.struct_size = 4;
    assert_fails(PHYSAD_ERR_ARG, "physad_html_options", physad_evaluation_html(e, folder, &o));
    o = (physad_html_options)PHYSAD_HTML_OPTIONS_INIT;
    o.title = "</title><script>";
    assert_ok(physad_evaluation_html(e, folder, &o)); /* and without any picture */
    char *page = read_in(ctx, folder, "report.html");
    assert_int_equal(times(page, "<title>&lt;/title&gt;&lt;script&gt;</title>"), 1);
    assert_int_equal(times(page, "<img"), 0);
    assert_int_equal(times(page, "<article "), 2 * TEST);
    physad__free(page);
    scratch_remove(folder);
    physad_evaluation_free(e);
    context_done(ctx);
}

static void text_is_escaped_byte_by_byte(void **state)
{
    static const char *const cases[][2] = {
        { "<>&\"'", "&lt;&gt;&amp;&quot;&#39;" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\xc0\xbc" "a", "\xef\xbf\xbd\xef\xbf\xbd" "a" },         /* an overlong '<' */
        { "\xe2\x82<", "\xef\xbf\xbd\xef\xbf\xbd&lt;" },            /* cut off: the '<' is not swallowed */
        { "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
        { "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\x01\x7f\n\xc2\x85", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xf0", "\xef\xbf\xbd" },
    };
    static const char *const sixty_four[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
                                                 { "\xff\xfe\xfb/?", "//77Lz8=" } };
    physad_context *ctx = context_with(1, 0);
    for (int i = 0; i < 8 + 5; i++) {
        physad__text out = { .mem = &ctx->mem };
        const char *const *c = i < 8 ? cases[i] : sixty_four[i - 8];
        physad__html_raw(&out, "");
        if (i < 8)
            physad__html_text(&out, c[0]);
        else
            physad__html_base64(&out, (const unsigned char *)c[0], strlen(c[0]));
        assert_int_equal(out.status, PHYSAD_OK);
        assert_string_equal(out.data, c[1]);
        physad__free(out.data);
    }
    context_done(ctx);
}

/* Memory that runs out while the page is written. */
static void no_memory_leaves_no_trace(void **state)
{
    char folder[256];
    scratch_make(folder, sizeof(folder));
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.allocator = &failing_allocator;
    o.threads = 1;
    assert_ok(physad_context_new(&ctx, &o));
    physad_evaluation *e = evaluate(ctx, 2, 2);
    const int64_t before = allocations_live;
    for (int64_t n = 1;; n++) {
        allocations_left = n - 1;
        const physad_status status = physad_evaluation_html(e, folder, NULL);
        assert_int_equal(allocations_live, before);
        if (status == PHYSAD_OK)
            break;
        assert_int_equal(status, PHYSAD_ERR_NOMEM);
    }
    assert_int_equal(scratch_count(folder), 3);
    allocations_left = INT64_MAX;
    physad_evaluation_free(e);
    context_done(ctx);
    assert_int_equal(allocations_live, 0);
    scratch_remove(folder);
}

static int write_page(const char *folder)
{
    physad_context *ctx = context_with(2, 0);
    physad_evaluation *e = evaluate(ctx, 6, 2);
    const physad_status status = physad_evaluation_html(e, folder, NULL);
    physad_evaluation_free(e);
    physad_context_free(ctx);
    return status == PHYSAD_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_all_and_runs_nothing), cmocka_unit_test(equal_runs_make_equal_pages),
        cmocka_unit_test(the_gallery_keeps_the_extremes),    cmocka_unit_test(misuse_is_told),
        cmocka_unit_test(text_is_escaped_byte_by_byte),      cmocka_unit_test(no_memory_leaves_no_trace),
    };
    if (argc > 1)
        return write_page(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
