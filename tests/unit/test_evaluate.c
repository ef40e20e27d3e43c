/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way on made-up photos, with a network of random weights: what is computed must hang together, whatever it
 * is. */
#include "metrics_help.h"

#include "detect/detect.h"
#include "report/report.h"
#include "schema.h"

#include <sys/stat.h>
#include <unistd.h>

enum { H = 48, W = 56 };

static void draw_photo(uint8_t *photo, uint8_t *mask, uint64_t seed, bool bad)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 0);
    memset(mask, 0, H * W);
    for (int i = 0; i < H * W * 3; i++)
        photo[i] = (uint8_t)(100 + (i / 3 % W) + physad__rng_below(&rng, 30));
    if (!bad)
        return;
    const int64_t y = 4 + physad__rng_below(&rng, H - 20), x = 4 + physad__rng_below(&rng, W - 20);
    for (int64_t j = y; j < y + 12; j++)
        for (int64_t i = x; i < x + 12; i++) {
            mask[j * W + i] = 1;
            memset(photo + (j * W + i) * 3, (int)((i + j) % 2 * 255), 3);
        }
}

static void add_photo(physad_dataset *ds, const char *category, int number, int32_t split, bool bad)
{
    uint8_t photo[H * W * 3], mask[H * W];
    char name[64], group[32];
    draw_photo(photo, mask, (uint64_t)(number * 2 + (category[0] == 'b')), bad);
    const int64_t shape[3] = { H, W, 3 };
    const physad_view p = physad_view_array(photo, PHYSAD_U8, 3, shape),
                      m = physad_view_array(mask, PHYSAD_U8, 2, shape);
    physad_item item = PHYSAD_ITEM_INIT;
    snprintf(name, sizeof(name), "%s/%d.png", category, number);
    snprintf(group, sizeof(group), "g%d", number / 2);
    item.flags = PHYSAD_ITEM_COPY;
    item.photo = &p;
    item.mask = bad ? &m : NULL;
    item.name = name;
    item.category = category;
    item.type = bad ? (number % 3 ? "spot" : "blot") : "good";
    item.group = group;
    item.split = split;
    item.label = bad;
    assert_ok(physad_dataset_add(ds, &item));
}

static physad_dataset *make_set(physad_context *ctx)
{
    static const char *const category[] = { "a", "b" };
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < 8; i++)
            add_photo(ds, category[c], i, PHYSAD_SPLIT_TRAIN, false);
        for (int i = 8; i < 20; i++)
            add_photo(ds, category[c], i, PHYSAD_SPLIT_TEST, i >= 13);
    }
    return ds;
}

static const char *const quick[] = { "weights=random:1", "input=64", "patchcore.coreset_ratio=0.2", NULL };
static const char *const patchcore[] = { "patchcore" };

static physad_evaluate_options quick_options(void)
{
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    o.settings = quick;
    o.replicates = 50;
    return o;
}

static physad_evaluation *evaluate(physad_context *ctx, const physad_dataset *ds, const physad_evaluate_options *o)
{
    physad_evaluation *e = NULL;
    assert_ok(physad_evaluate(&e, ctx, ds, patchcore, 1, o, NULL));
    return e;
}

/* Photos lie in pairs of one thing: the greater score counts, and one odd photo makes an odd thing. */
static void assert_instances(const physad_evaluation *e, int64_t result, physad_context *ctx)
{
    physad_scores *scores = NULL;
    physad_metrics *m = NULL;
    physad_metric metric = PHYSAD_METRIC_INIT;
    physad_measure_options mo = PHYSAD_MEASURE_OPTIONS_INIT;
    assert_ok(physad_scores_new(&scores, ctx));
    for (int64_t i = 0; i < 12; i += 2) {
        physad_evaluated s = PHYSAD_EVALUATED_INIT, t = PHYSAD_EVALUATED_INIT;
        assert_ok(physad_evaluation_sample(e, result, i, &s));
        assert_ok(physad_evaluation_sample(e, result, i + 1, &t));
        assert_string_equal(s.group, t.group);
        assert_ok(
            physad_scores_add(scores, fmax(s.score, t.score), s.label > t.label ? s.label : t.label, "any", s.group));
    }
    mo.replicates = -1;
    assert_ok(physad_scores_measure(&m, scores, &mo, NULL));
    assert_ok(physad_evaluation_metric(e, result, "instance_auroc", &metric));
    assert_near(metric.value, metric_of(m, "auroc").value, 0);
    physad_metrics_free(m);
    physad_scores_free(scores);
}

static void results_hang_together(void **state)
{
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    const physad_evaluate_options o = quick_options();
    physad_evaluation *e = evaluate(ctx, ds, &o);
    assert_int_equal(physad_evaluation_count(e), 2);
    assert_string_equal(physad_evaluation_method(e, 1), "patchcore");
    assert_string_equal(physad_evaluation_category(e, 1), "b");
    assert_null(physad_evaluation_category(e, 2));
    for (int64_t r = 0; r < 2; r++) {
        physad_scores *scores = NULL;
        physad_metrics *m = NULL;
        physad_metric metric = PHYSAD_METRIC_INIT;
        assert_int_equal(physad_evaluation_sample_count(e, r), 12);
        assert_ok(physad_scores_new(&scores, ctx));
        for (int64_t i = 0; i < 12; i++) {
            physad_evaluated s = PHYSAD_EVALUATED_INIT;
            char path[16];
            assert_ok(physad_evaluation_sample(e, r, i, &s));
            snprintf(path, sizeof(path), "%s/%d.png", r ? "b" : "a", (int)i + 8);
            assert_string_equal(s.path, path);
            assert_int_equal(s.label, i >= 5);
            assert_ok(physad_scores_add(scores, s.score, s.label, s.type, s.group));
        }
        physad_measure_options mo = PHYSAD_MEASURE_OPTIONS_INIT;
        mo.replicates = 50;
        assert_ok(physad_scores_measure(&m, scores, &mo, NULL));
        assert_same_metrics(m, physad_evaluation_metrics(e, r, 0));
        assert_ok(physad_evaluation_metric(e, r, "image_auroc", &metric));
        assert_near(metric.value, metric_of(m, "auroc").value, 0);
        assert_true(metric.value > 0.9); /* a checkered square is seen even by random features */
        assert_ok(physad_evaluation_metric(e, r, "aupro", &metric));
        assert_true(metric.value > 0.5);
        assert_instances(e, r, ctx);
        assert_int_equal(physad_metrics_positives(physad_evaluation_metrics(e, r, 1)), 7 * 144);
        assert_int_equal(physad_metrics_negatives(physad_evaluation_metrics(e, r, 1)), 12 * H * W - 7 * 144);
        physad_metrics_free(m);
        physad_scores_free(scores);
    }
    physad_metric metric = PHYSAD_METRIC_INIT;
    physad_evaluated s = PHYSAD_EVALUATED_INIT;
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"image_auroc\"",
                 physad_evaluation_metric(e, 0, "image_aurok", &metric));
    assert_fails(PHYSAD_ERR_ARG, "result is 2", physad_evaluation_metric(e, 2, "image_auroc", &metric));
    assert_fails(PHYSAD_ERR_ARG, "index is 12", physad_evaluation_sample(e, 0, 12, &s));
    assert_fails(PHYSAD_ERR_ARG, "evaluation is NULL", physad_evaluation_sample(NULL, 0, 0, &s));
    physad_evaluation_free(e);
    physad_evaluation_free(NULL);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void the_json_keeps_the_schema(void **state)
{
    physad_context *ctx = context_with(2, 0);
    char path[4096], why[512] = "";
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    json_t *schema = NULL, *root = NULL;
    if (folder == NULL) {
        physad_context_free(ctx);
        skip();
    }
    snprintf(path, sizeof(path), "%s/../../docs/eval.schema.json", folder);
    assert_ok(physad__json_read(&schema, &ctx->mem, path, 1 << 20));
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    o.categories = "b";
    physad_evaluation *e = evaluate(ctx, ds, &o);
    const char *text = physad_evaluation_json(e);
    assert_ok(physad__json_parse(&root, text, strlen(text), "evaluation"));
    if (!schema_valid(schema, json_object_get(json_object_get(schema, "$defs"), "result"), root, why, sizeof(why)))
        fail_msg("%s", why);
    assert_string_equal(json_string_value(json_object_get(root, "category")), "b");
    const json_t *groups = json_object_get(root, "groups"), *mixed = json_array_get(groups, 2);
    assert_int_equal(json_array_size(groups), 6);
    assert_string_equal(json_string_value(json_object_get(mixed, "group")), "g6");
    assert_int_equal(json_integer_value(json_object_get(mixed, "label")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(mixed, "photos"), 1)), "b/13.png");
    assert_int_equal(json_array_size(json_object_get(mixed, "places")), 0); /* nobody knows where */
    assert_near(number(json_object_get(root, "options"), "coreset_ratio"), 0.2, 0);
    assert_int_equal((int)number(root, "n_train"), 8);
    assert_int_equal((int)number(root, "n_test"), 12);
    assert_true(strstr(physad_evaluation_csv(e), ",b,patchcore,0,8,12,") != NULL);
    json_decref(root);
    json_decref(schema);
    physad_evaluation_free(e);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void threads_do_not_show(void **state)
{
    physad_evaluation *e[2];
    physad_context *ctx[2];
    physad_evaluate_options o = quick_options();
    o.categories = "a";
    for (int i = 0; i < 2; i++) {
        ctx[i] = context_with(i ? 3 : 1, 0);
        physad_dataset *ds = make_set(ctx[i]);
        e[i] = evaluate(ctx[i], ds, &o);
        physad_dataset_free(ds);
    }
    assert_same_metrics(physad_evaluation_metrics(e[0], 0, 0), physad_evaluation_metrics(e[1], 0, 0));
    assert_same_metrics(physad_evaluation_metrics(e[0], 0, 1), physad_evaluation_metrics(e[1], 0, 1));
    for (int i = 0; i < 2; i++) {
        physad_evaluation_free(e[i]);
        context_done(ctx[i]);
    }
}

typedef struct watcher {
    int seen, stop_at;
} watcher;

static int watch(const physad_scored *scored, void *user)
{
    watcher *w = user;
    int64_t h, width;
    assert_string_equal(scored->method, "patchcore");
    assert_ptr_equal(scored->sample, physad_dataset_sample(scored->dataset, scored->index));
    assert_near(scored->score, physad_result_score(scored->result), 0);
    assert_ok(physad_result_map_shape(scored->result, &h, &width));
    assert_int_equal(h, H);
    return ++w->seen == w->stop_at;
}

static void the_callback_sees_all_and_may_stop(void **state)
{
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    physad_evaluation *e = NULL;
    watcher w = { 0, 0 };
    o.categories = "a";
    o.scored = watch;
    o.scored_user = &w;
    e = evaluate(ctx, ds, &o);
    assert_int_equal(w.seen, 12);
    physad_evaluation_free(e);
    w = (watcher){ 0, 3 };
    assert_fails(PHYSAD_ERR_CANCELLED, "callback", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    assert_int_equal(w.seen, 3);
    assert_null(e);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void input_size_and_regions_of_interest(void **state)
{
    static const char *const roi[] = { "weights=random:1", "input=64", "coreset_ratio=0.2", "roi=0,0,48,40", NULL };
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    o.categories = "a";
    o.metrics_size = PHYSAD_METRICS_INPUT;
    physad_evaluation *e = evaluate(ctx, ds, &o);
    const physad_metrics *m = physad_evaluation_metrics(e, 0, 1);
    assert_int_equal(physad_metrics_positives(m) + physad_metrics_negatives(m), 12 * 64 * 64);
    physad_evaluation_free(e);
    o.settings = roi;
    e = evaluate(ctx, ds, &o);
    m = physad_evaluation_metrics(e, 0, 1);
    assert_int_equal(physad_metrics_positives(m) + physad_metrics_negatives(m), 12 * 64 * 64);
    const int64_t at_input = physad_metrics_positives(m);
    physad_evaluation_free(e);
    o.metrics_size = PHYSAD_METRICS_PHOTO;
    e = evaluate(ctx, ds, &o);
    m = physad_evaluation_metrics(e, 0, 1);
    assert_int_equal(physad_metrics_positives(m) + physad_metrics_negatives(m), 12 * 48 * 40);
    /* Each photo pixel of the region is 64/48 by 64/40 pixels of the input. */
    assert_near((double)at_input / (double)physad_metrics_positives(m), 64.0 / 48 * 64 / 40, 0.1);
    physad_evaluation_free(e);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void what_cannot_be_read_is_skipped_or_stops(void **state)
{
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    physad_evaluation *e = NULL;
    physad_item item = PHYSAD_ITEM_INIT;
    item.file = "/no/such/photo.png";
    item.category = "a";
    item.split = PHYSAD_SPLIT_TEST;
    assert_ok(physad_dataset_add(ds, &item));
    o.categories = "a";
    assert_fails(PHYSAD_ERR_IO, "/no/such/photo.png", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o.on_error = PHYSAD_ERRORS_SKIP;
    e = evaluate(ctx, ds, &o);
    assert_int_equal(physad_evaluation_sample_count(e, 0), 12);
    assert_non_null(strstr(strstr(physad_evaluation_json(e), "\"skipped\""), "/no/such/photo.png"));
    physad_evaluation_free(e);
    item.file = "/no/such/normal.png"; /* a training photo, too */
    item.split = PHYSAD_SPLIT_TRAIN;
    assert_ok(physad_dataset_add(ds, &item));
    e = evaluate(ctx, ds, &o);
    assert_int_equal(physad_evaluation_sample_count(e, 0), 12);
    const char *skipped = strstr(physad_evaluation_json(e), "\"skipped\"");
    assert_true(strstr(skipped, "/no/such/normal.png") < strstr(skipped, "/no/such/photo.png"));
    assert_non_null(strstr(physad_evaluation_json(e), "\"n_train\": 8"));
    o.on_error = PHYSAD_ERRORS_STOP;
    physad_evaluation *none = NULL;
    assert_fails(PHYSAD_ERR_IO, "/no/such/normal.png", physad_evaluate(&none, ctx, ds, patchcore, 1, &o, NULL));
    physad_evaluation_free(e);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void the_batch_does_not_show(void **state)
{
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    o.categories = "a";
    physad_evaluation *want = evaluate(ctx, ds, &o);
    for (int32_t batch = 1; batch <= 32; batch = batch * 6 + 1) {
        physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
        physad_evaluation *e = NULL;
        call.batch = batch;
        assert_ok(physad_evaluate(&e, ctx, ds, patchcore, 1, &o, &call));
        for (int64_t i = 0; i < 12; i++) {
            physad_evaluated a = PHYSAD_EVALUATED_INIT, b = PHYSAD_EVALUATED_INIT;
            assert_ok(physad_evaluation_sample(want, 0, i, &a));
            assert_ok(physad_evaluation_sample(e, 0, i, &b));
            assert_string_equal(a.path, b.path);
            assert_true(a.score == b.score);
        }
        assert_same_metrics(physad_evaluation_metrics(e, 0, 1), physad_evaluation_metrics(want, 0, 1));
        physad_evaluation_free(e);
    }
    physad_evaluation_free(want);
    physad_dataset_free(ds);
    context_done(ctx);
}

static void pictures_stay_in_their_folder(void **state)
{
    physad_context *ctx = context_with(2, 0);
    physad_dataset *ds = make_set(ctx);
    physad_evaluate_options o = quick_options();
    char folder[] = "/tmp/physad-test-XXXXXX", path[256];
    struct stat info;
    uint8_t photo[H * W * 3] = { 0 };
    const int64_t shape[3] = { H, W, 3 };
    const physad_view view = physad_view_array(photo, PHYSAD_U8, 3, shape);
    physad_item item = PHYSAD_ITEM_INIT;
    item.photo = &view;
    item.name = "/../../up";
    item.category = "a";
    item.split = PHYSAD_SPLIT_TEST;
    assert_ok(physad_dataset_add(ds, &item));
    assert_non_null(mkdtemp(folder));
    o.categories = "a";
    o.overlays = folder;
    physad_evaluation *e = evaluate(ctx, ds, &o);
    static const char *const files[] = { "patchcore/a/8.png.png", "patchcore/a/19.png.png", "patchcore/__/__/up.png" };
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        if (stat(path, &info) != 0)
            fail_msg("no %s", path);
    }
    physad_image *image = NULL;
    snprintf(path, sizeof(path), "%s/patchcore/a/19.png.png", folder);
    assert_ok(physad_image_read(&image, ctx, path, NULL));
    assert_int_equal(physad_image_view(image).shape[1], 2 * W + PHYSAD_OVERLAY_GAP);
    physad_image_free(image);
    physad_evaluation_free(e);
    physad_dataset_free(ds);
    snprintf(path, sizeof(path), "rm -r %s", folder);
    assert_int_equal(system(path), 0);
    context_done(ctx);
}

static void wrong_arguments_are_named(void **state)
{
    static const char *const no_equals[] = { "input", NULL }, *const no_method[] = { "padin.input=64", NULL };
    static const char *const unknown[] = { "inputt=64", NULL }, *const misspelt[] = { "patchcor" },
                             *const twice[] = { "padim", "padim" };
    physad_context *ctx = context_with(1, 0);
    physad_dataset *ds = make_set(ctx), *empty = NULL;
    physad_evaluation *e = NULL;
    physad_evaluate_options o = quick_options();
    assert_ok(physad_dataset_new(&empty, ctx));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_evaluate(NULL, ctx, ds, patchcore, 1, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_evaluate(&e, NULL, ds, patchcore, 1, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "dataset is NULL", physad_evaluate(&e, ctx, NULL, patchcore, 1, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "at least one method", physad_evaluate(&e, ctx, ds, patchcore, 0, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "patchcore", physad_evaluate(&e, ctx, ds, misspelt, 1, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "\"padim\" is given twice", physad_evaluate(&e, ctx, ds, twice, 2, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "no samples", physad_evaluate(&e, ctx, empty, patchcore, 1, &o, NULL));
    o.settings = no_equals;
    assert_fails(PHYSAD_ERR_ARG, "\"input\": want key=value", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o.settings = no_method;
    assert_fails(PHYSAD_ERR_ARG, "\"padin\" is none of the methods",
                 physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o.settings = unknown;
    assert_fails(PHYSAD_ERR_ARG, "inputt", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o = quick_options();
    o.categories = "a,zz";
    assert_fails(PHYSAD_ERR_ARG, "zz", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o.categories = "a,a";
    assert_fails(PHYSAD_ERR_ARG, "\"a\" is given twice", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o = quick_options();
    o.metrics_size = 2;
    assert_fails(PHYSAD_ERR_ARG, "metrics_size is 2", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o = quick_options();
    o.on_error = 7;
    assert_fails(PHYSAD_ERR_ARG, "on_error is 7", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    o = quick_options();
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "cancel", physad_evaluate(&e, ctx, ds, patchcore, 1, &o, NULL));
    physad_context_resume(ctx);
    assert_null(e);
    assert_null(physad_evaluation_json(NULL));
    physad_dataset_free(ds);
    physad_dataset_free(empty);
    context_done(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_hang_together),
        cmocka_unit_test(the_json_keeps_the_schema),
        cmocka_unit_test(threads_do_not_show),
        cmocka_unit_test(the_callback_sees_all_and_may_stop),
        cmocka_unit_test(input_size_and_regions_of_interest),
        cmocka_unit_test(what_cannot_be_read_is_skipped_or_stops),
        cmocka_unit_test(the_batch_does_not_show),
        cmocka_unit_test(pictures_stay_in_their_folder),
        cmocka_unit_test(wrong_arguments_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
