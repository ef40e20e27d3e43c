/* SPDX-License-Identifier: Apache-2.0 */
/* Figures by attribute and by the size of defects: against sums over the samples, and files that lie. */
#include "failing.h"
#include "own_context.h"
#include "scratch.h"

#include "data/data.h"
#include "report/report.h"

#include <physad/dataset.h>
#include <physad/image.h>

#include <sys/stat.h>

enum { SIDE = 48 };

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static void put_photo(physad_context *ctx, const char *folder, const char *name, uint64_t seed, int side, bool mask)
{
    uint8_t pixels[SIDE * SIDE * 3];
    char path[600];
    physad__rng rng;
    physad__rng_seed(&rng, seed, 5);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = mask ? 0 : (uint8_t)(90 + i / 3 % SIDE + physad__rng_below(&rng, 60));
    for (int y = 5; y < 5 + side; y++)
        for (int x = 7; x < 7 + side; x++)
            memset(pixels + 3 * (y * SIDE + x), mask ? 255 : (int)physad__rng_below(&rng, 256), 3);
    const physad_view view = physad_view_array(pixels, PHYSAD_U8, 3, (const int64_t[3]){ SIDE, SIDE, 3 });
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_ok(physad_image_write(ctx, path, &view, NULL));
}

/* Two categories; defects of 3, 5 and 20 pixels a side: 0.4, 1.1 and 17 % of the photo. */
static void make_set(physad_context *ctx, const char *folder)
{
    static const char *const folders[] = { "", "/train", "/train/good", "/test", "/test/good", "/test/spot",
                                           "/ground_truth", "/ground_truth/spot" };
    static const int sides[3] = { 3, 5, 20 };
    for (int c = 0; c < 2; c++) {
        char name[128];
        for (int64_t k = 0; k < PHYSAD__COUNT(folders); k++) {
            char path[600];
            snprintf(path, sizeof(path), "%s/%c%s", folder, 'a' + c, folders[k]);
            assert_int_equal(mkdir(path, 0700), 0);
        }
        for (int i = 0; i < 18; i++) {
            const int side = i >= 12 ? sides[i % 3] : 0;
            snprintf(name, sizeof(name), "%c/%s/%02d.png", 'a' + c,
                     i < 6    ? "train/good"
                     : i < 12 ? "test/good"
                              : "test/spot",
                     i);
            put_photo(ctx, folder, name, (uint64_t)(c * 100 + i), side, false);
            snprintf(name, sizeof(name), "%c/ground_truth/spot/%02d_mask.png", 'a' + c, i);
            if (i >= 12)
                put_photo(ctx, folder, name, 0, side, true);
        }
    }
}

static physad_evaluation *evaluate(physad_context *ctx, const char *folder, physad_status want, const char *says)
{
    static const char *const settings[] = { "weights=random:1", "input=48", "patchcore.coreset_ratio=0.3", NULL };
    static const char *const methods[] = { "patchcore" };
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    physad_dataset *ds = NULL;
    physad_evaluation *e = NULL;
    o.settings = settings;
    o.replicates = 50;
    assert_ok(physad_dataset_open(&ds, ctx, folder, NULL));
    if (want == PHYSAD_OK)
        assert_ok(physad_evaluate(&e, ctx, ds, methods, 1, &o, NULL));
    else
        assert_fails(want, says, physad_evaluate(&e, ctx, ds, methods, 1, &o, NULL));
    physad_dataset_free(ds);
    return e;
}

/* Pairs of a normal and an anomalous sample in the right order; `keep` says who takes part. */
static double auroc(const physad__report *r, bool (*keep)(const physad__report_sample *s, int which), int which)
{
    double pairs = 0, right = 0;
    for (int64_t i = 0; i < r->sample_count; i++)
        for (int64_t k = 0; k < r->sample_count; k++) {
            const physad__report_sample *a = &r->samples[i], *b = &r->samples[k];
            if (a->label != 0 || b->label != 1 || !keep(a, which) || !keep(b, which))
                continue;
            pairs++;
            right += b->score > a->score ? 1 : b->score == a->score ? 0.5 : 0;
        }
    return right / pairs;
}

static int number_of(const physad__report_sample *s)
{
    return atoi(strrchr(s->path, '/') + 1);
}

static bool has_size(const physad__report_sample *s, int which)
{
    return s->label == 0 || number_of(s) % 3 == which;
}

static bool has_light(const physad__report_sample *s, int which)
{
    return number_of(s) % 2 == which;
}

static bool is_any(const physad__report_sample *s, int which)
{
    return true;
}

static double value_of(const physad__report *r, const char *attribute, const char *value, const char *figure)
{
    const physad__report_break *b = physad__break_find(r, attribute, value);
    assert_non_null(b);
    for (int64_t i = 0; i < physad__figure_count; i++)
        if (strcmp(physad__figures[i].name, figure) == 0)
            return physad__break_figure(&physad__figures[i], r, b).value;
    fail_msg("no figure %s", figure);
    return 0;
}

static void write_attributes(const char *folder)
{
    char text[4096] = "{\"all\": {\"line\": \"one\"}, \"categories\": {\"a\": {\"material\": \"glossy\"}, \"b\": "
                      "{\"material\": \"matte\"}}, \"photos\": {";
    for (int c = 0; c < 2; c++)
        for (int i = 6; i < 18; i++) {
            const size_t used = strlen(text);
            snprintf(text + used, sizeof(text) - used, "%s\"%c/test/%s/%02d.png\": {\"light\": \"%s\"}",
                     c + i > 6 ? ", " : "", 'a' + c, i < 12 ? "good" : "spot", i, i % 2 ? "dim" : "bright");
        }
    strcat(text, "}}");
    put_file(folder, "attributes.json", text);
}

static void test_figures(void **state)
{
    physad_context *ctx = new_context(2);
    char folder[256];
    scratch_make(folder, sizeof(folder));
    make_set(ctx, folder);
    write_attributes(folder);
    physad_evaluation *e = evaluate(ctx, folder, PHYSAD_OK, NULL);
    assert_int_equal(e->count, 2);
    static const char *const sizes[3] = { "small", "medium", "large" };
    for (int64_t c = 0; c < 2; c++) {
        const physad__report *r = &e->reports[c];
        assert_int_equal(r->break_count, 3 + 2 + 1 + 1);
        for (int k = 0; k < 3; k++) {
            const physad__report_break *b = &r->breaks[k]; /* small ones first */
            assert_string_equal(b->attribute, "defect_size");
            assert_string_equal(b->value, sizes[k]);
            assert_int_equal(b->count[0], 6);
            assert_int_equal(b->count[1], 2);
            assert_near(value_of(r, "defect_size", sizes[k], "image_auroc"), auroc(r, has_size, k), 1e-12);
            assert_true(value_of(r, "defect_size", sizes[k], "pixel_auroc") >= 0);
        }
        for (int k = 0; k < 2; k++)
            assert_near(value_of(r, "light", k ? "dim" : "bright", "image_auroc"), auroc(r, has_light, k), 1e-12);
        /* what all share is the whole */
        assert_near(value_of(r, "line", "one", "image_auroc"), auroc(r, is_any, 0), 1e-12);
        physad_metric whole = PHYSAD_METRIC_INIT;
        assert_ok(physad_evaluation_metric(e, c, "aupro", &whole));
        assert_near(value_of(r, "line", "one", "aupro"), whole.value, 0);
        assert_non_null(physad__break_find(r, "material", c == 0 ? "glossy" : "matte"));
        assert_null(physad__break_find(r, "material", c == 0 ? "matte" : "glossy"));
    }
    /* means over the categories that have the value */
    const physad__figure *f = &physad__figures[0];
    const physad__report_break *light = physad__break_find(&e->reports[0], "light", "dim"),
                               *matte = physad__break_find(&e->reports[1], "material", "matte");
    const physad_metric mean = physad__break_mean(f, e->reports, 2, light);
    assert_near(mean.value,
                (value_of(&e->reports[0], "light", "dim", "image_auroc") +
                 value_of(&e->reports[1], "light", "dim", "image_auroc")) / 2, 1e-12);
    assert_near(physad__break_mean(f, e->reports, 2, matte).value,
                value_of(&e->reports[1], "material", "matte", "image_auroc"), 0);
    assert_true(physad__break_is_first(e->reports, 1, 5) == (strcmp(e->reports[1].breaks[5].attribute, "line") != 0 &&
                                                             strcmp(e->reports[1].breaks[5].attribute, "light") != 0));
    json_t *root = json_loads(physad_evaluation_json(e), 0, NULL);
    assert_non_null(root);
    assert_int_equal(json_array_size(json_object_get(root, "breakdowns")), 3 + 2 + 1 + 2);
    json_decref(root);
    physad_evaluation_free(e);
    scratch_remove(folder);
    end_context(ctx);
}

/* Without a file there are sizes alone, and no pixels of theirs. */
static void test_without(void **state)
{
    physad_context *ctx = new_context(2);
    char folder[256];
    scratch_make(folder, sizeof(folder));
    make_set(ctx, folder);
    physad_evaluation *e = evaluate(ctx, folder, PHYSAD_OK, NULL);
    assert_int_equal(e->reports[0].break_count, 3);
    assert_null(e->reports[0].breaks[0].pixels);
    assert_true(isnan(value_of(&e->reports[0], "defect_size", "small", "pixel_auroc")));
    physad_evaluation_free(e);
    put_file(folder, "attributes.json", "{\"shape\": {}}");
    assert_null(evaluate(ctx, folder, PHYSAD_ERR_FORMAT, "got \"shape\", want"));
    scratch_remove(folder);
    end_context(ctx);
}

static void test_files(void **state)
{
    static const struct {
        const char *name, *text, *says;
    } bad[] = {
        { "attributes.json", "[", "line 1" },
        { "attributes.json", "[]", "no JSON object" },
        { "attributes.json", "{\"all\": 3}", "\"all\" is no object" },
        { "attributes.json", "{\"categories\": []}", "\"categories\" is no object" },
        { "attributes.json", "{\"categories\": {\"a\": \"glossy\"}}", "\"a\" is no object of attributes" },
        { "attributes.json", "{\"photos\": {\"a\": {\"light\": 3}}}", "\"light\" is no text" },
        { "attributes.json", "{\"photos\": {\"a\": {\"light\": \"\"}}}", "\"light\" is no text" },
        { "attributes.json", "{\"all\": {\"defect_size\": \"small\"}}", "told by the masks" },
        { "attributes.csv", "path,defect_size\na,small\n", "told by the masks" },
        { "attributes.csv", "name,light\na,dim\n", "neither a column" },
        { "attributes.csv", "path,light\na\n", "line 2" },
        { "attributes.csv", "path,light\na,\xff\n", "no UTF-8" },
    };
    physad_context *ctx = new_context(1);
    physad_dataset *ds = NULL;
    physad__attributes *a = NULL;
    char folder[256], path[600];
    scratch_make(folder, sizeof(folder));
    make_set(ctx, folder);
    assert_ok(physad_dataset_open(&ds, ctx, folder, NULL));
    assert_ok(physad__attributes_open(&a, ds));
    assert_null(a);
    assert_int_equal(physad__attributes_count(a), 0);
    for (int64_t k = 0; k < PHYSAD__COUNT(bad); k++) {
        put_file(folder, bad[k].name, bad[k].text);
        assert_fails(PHYSAD_ERR_FORMAT, bad[k].says, physad__attributes_open(&a, ds));
        assert_non_null(strstr(physad_last_error(), bad[k].name));
        snprintf(path, sizeof(path), "%s/%s", folder, bad[k].name);
        remove(path);
    }
    put_file(folder, "attributes.csv", "material,category,shape\nglossy,a,\nmatte,b,round\n");
    assert_ok(physad__attributes_open(&a, ds));
    assert_int_equal(physad__attributes_count(a), 2);
    assert_string_equal(physad__attributes_name(a, 0), "material");
    for (int64_t i = 0; i < physad_dataset_count(ds); i++) {
        const physad_sample *s = physad_dataset_sample(ds, i);
        const char *shape = physad__attributes_value(a, 1, s);
        assert_string_equal(physad__attributes_value(a, 0, s), s->category[0] == 'a' ? "glossy" : "matte");
        assert_true(s->category[0] == 'a' ? shape == NULL : strcmp(shape, "round") == 0);
    }
    physad__attributes_free(a);
    physad_dataset_free(ds);
    end_context(ctx);
    for (int64_t n = 0;; n++) { /* scarce memory */
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        o.allocator = &failing_allocator;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &o));
        assert_ok(physad_dataset_open(&ds, ctx, folder, NULL));
        allocations_left = n;
        const physad_status status = physad__attributes_open(&a, ds);
        allocations_left = INT64_MAX;
        assert_true(status == PHYSAD_OK || (status == PHYSAD_ERR_NOMEM && a == NULL));
        physad__attributes_free(a);
        physad_dataset_free(ds);
        end_context(ctx);
        if (status == PHYSAD_OK)
            break;
    }
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_figures), cmocka_unit_test(test_without),
                                        cmocka_unit_test(test_files) };
    return cmocka_run_group_tests_name("breaks", tests, NULL, NULL);
}
