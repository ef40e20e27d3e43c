/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_help.h"

#include "report/report.h"
#include "schema.h"

#include <locale.h>

/* --- a made-up evaluation --- */

static const char *const types[] = { "good", "scratched", "b\xff,\"nt\"" }; /* a folder's name may be anything */

static physad_status fill(physad__report *r, physad_context *ctx, const char *method, const char *category,
                          double shift)
{
    physad__mem *mem = &ctx->mem;
    physad_scores *scores = NULL;
    *r = (physad__report){ .seed = 7,
                           .threads = 2,
                           .n_train = 40,
                           .n_test = 60,
                           .fit_seconds = 1.5,
                           .score_seconds = 0.1,
                           .metrics_seconds = 0.25,
                           .score_ms_median = 1.0 / 3,
                           .peak_rss_mib = 100,
                           .threshold = NAN,
                           .pixel_reason = "the method makes no map" };
    r->dataset = physad__strdup(mem, "tiles");
    r->category = physad__strdup(mem, category);
    r->method = physad__strdup(mem, method);
    r->precision = physad__strdup(mem, "f32");
    r->options = physad__alloc_zero(mem, 4 * sizeof(*r->options), "options");
    if (r->dataset == NULL || r->category == NULL || r->method == NULL || r->precision == NULL || r->options == NULL)
        return PHYSAD_ERR_NOMEM;
    static const char *const option[4][2] = {
        { "k", "9" }, { "ratio", "0.1" }, { "keep", "true" }, { "layers", "a,b" }
    };
    static const int32_t kind[4] = { PHYSAD__VALUE_INT, PHYSAD__VALUE_REAL, PHYSAD__VALUE_BOOL, PHYSAD__VALUE_TEXT };
    for (; r->option_count < 4; r->option_count++) {
        physad__report_option *o = &r->options[r->option_count];
        *o = (physad__report_option){ physad__strdup(mem, option[r->option_count][0]),
                                      physad__strdup(mem, option[r->option_count][1]), kind[r->option_count], 0 };
        if (o->name == NULL || o->value == NULL) {
            r->option_count++;
            return PHYSAD_ERR_NOMEM;
        }
    }
    PHYSAD__TRY(physad_scores_new(&scores, ctx));
    physad_status status = PHYSAD_OK;
    for (int i = 0; i < 60 && status == PHYSAD_OK; i++) {
        char path[64], group[16];
        snprintf(path, sizeof(path), "test/%d.png", i);
        snprintf(group, sizeof(group), "%d", i / 2);
        const int type = (i / 2) % 3;
        const physad__report_sample s = { path,
                                          (char *)(uintptr_t)types[type],
                                          group,
                                          i % 2 ? "front" : NULL,
                                          (i * 37) % 60 / 30.0 + (type > 0) * shift,
                                          type > 0,
                                          0, NULL, NULL, NULL };
        status = physad__report_add_sample(r, mem, &s);
        if (status == PHYSAD_OK)
            status = physad_scores_add(scores, s.score, s.label, s.type, s.group);
    }
    if (status == PHYSAD_OK)
        status = physad__report_skip_sample(r, mem, "test/broken.png", "test/broken.png: \"it\"\nends early");
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    o.replicates = 50;
    if (status == PHYSAD_OK)
        status = physad_scores_measure(&r->images, scores, &o, NULL);
    physad_scores_free(scores);
    return status;
}

static physad_status make(physad_evaluation *e, physad_context *ctx, int methods, int categories)
{
    static const char *const method[] = { "patchcore", "padim" }, *const category[] = { "can", "box", "cup" };
    *e = (physad_evaluation){ .ctx = ctx, .methods = methods };
    e->reports = physad__alloc_zero(&ctx->mem, 6 * sizeof(*e->reports), "reports");
    if (e->reports == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int i = 0; i < methods * categories; i++) {
        e->count = i + 1;
        PHYSAD__TRY(fill(&e->reports[i], ctx, method[i / categories], category[i % categories], 0.2 + 0.1 * i));
    }
    return PHYSAD_OK;
}

static void unmake(physad_evaluation *e)
{
    for (int64_t i = 0; i < e->count; i++)
        physad__report_free(&e->reports[i]);
    physad__free(e->reports);
}

static json_t *load_schema(physad_context *ctx)
{
    char path[4096];
    json_t *schema = NULL;
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    if (folder == NULL) {
        print_message("PHYSAD_TEST_GOLDEN is not set\n");
        physad_context_free(ctx);
        skip();
    }
    snprintf(path, sizeof(path), "%s/../../docs/eval.schema.json", folder);
    assert_ok(physad__json_read(&schema, &ctx->mem, path, 1 << 20));
    return schema;
}

/* The evaluation's JSON, which must keep the schema. */
static json_t *json_of(const physad_evaluation *e, const json_t *schema)
{
    json_t *root = NULL;
    char why[512] = "";
    char *text = physad__report_json(e);
    assert_non_null(text);
    assert_ok(physad__json_parse(&root, text, strlen(text), "report"));
    physad__free(text);
    if (!schema_valid(schema, schema, root, why, sizeof(why)))
        fail_msg("the JSON does not keep the schema: %s", why);
    return root;
}

static void one_result_is_the_bare_object(void **state)
{
    physad_context *ctx = context_with(1, 0);
    json_t *schema = load_schema(ctx);
    physad_evaluation e;
    assert_ok(make(&e, ctx, 1, 1));
    json_t *root = json_of(&e, schema);
    physad_metric auroc = metric_of(e.reports[0].images, "auroc");
    assert_near(number(root, "image_auroc"), auroc.value, 0); /* to the bit */
    const json_t *interval = json_object_get(json_object_get(root, "intervals"), "image_auroc");
    assert_near(number_at(interval, 0), auroc.lower, 0);
    assert_near(number_at(interval, 1), auroc.upper, 0);
    assert_near(number(root, "score_ms_median"), 1.0 / 3, 0);
    assert_true(json_is_null(json_object_get(root, "aupro")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "reasons"), "aupro")),
                        "the method makes no map");
    assert_int_equal(json_array_size(json_object_get(root, "samples")), 60);
    const json_t *sample = json_array_get(json_object_get(root, "samples"), 1);
    assert_string_equal(json_string_value(json_object_get(sample, "view")), "front");
    assert_near(number(sample, "score"), e.reports[0].samples[1].score, 0);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(json_object_get(root, "skipped"), 0), "reason")),
        "test/broken.png: \"it\"\nends early");
    const json_t *options = json_object_get(root, "options");
    assert_true(json_is_integer(json_object_get(options, "k")) && json_is_real(json_object_get(options, "ratio")) &&
                json_is_true(json_object_get(options, "keep")));
    assert_non_null(json_object_get(json_object_get(root, "per_type"), "b\xef\xbf\xbd,\"nt\""));
    json_decref(root);
    json_decref(schema);
    unmake(&e);
    context_done(ctx);
}

static void several_results_have_means(void **state)
{
    physad_context *ctx = context_with(1, 0);
    json_t *schema = load_schema(ctx);
    physad_evaluation e;
    for (int methods = 1; methods <= 2; methods++) {
        assert_ok(make(&e, ctx, methods, 3));
        json_t *root = json_of(&e, schema);
        const json_t *mean = json_object_get(root, "mean");
        assert_int_equal(json_array_size(json_object_get(root, "results")), 3 * methods);
        if (methods == 2)
            mean = json_object_get(mean, "padim");
        double want = 0;
        for (int i = 3 * methods - 3; i < 3 * methods; i++)
            want += metric_of(e.reports[i].images, "auroc").value / 3;
        assert_near(number(mean, "image_auroc"), want, 1e-15);
        assert_true(json_is_null(json_object_get(mean, "aupro")));
        json_decref(root);
        unmake(&e);
    }
    json_decref(schema);
    context_done(ctx);
}

static void the_threshold_is_put_to_the_test(void **state)
{
    physad_context *ctx = context_with(1, 0);
    json_t *schema = load_schema(ctx);
    physad_evaluation e;
    assert_ok(make(&e, ctx, 1, 1));
    physad__report *r = &e.reports[0];
    r->threshold = 1.5;
    r->alpha = 0.05;
    r->threshold_groups = 25;
    r->rate_low = 0.01;
    r->rate_high = 0.2;
    r->seed = UINT64_MAX;
    r->samples[0].score = INFINITY;
    double alarms[2] = { 0, 0 }, count[2] = { 0, 0 };
    for (int64_t i = 0; i < r->sample_count; i++) {
        count[r->samples[i].label]++;
        alarms[r->samples[i].label] += r->samples[i].score > 1.5;
    }
    json_t *root = json_of(&e, schema);
    const json_t *threshold = json_object_get(root, "threshold");
    assert_near(number(threshold, "false_alarm_rate"), alarms[0] / count[0], 0);
    assert_near(number(threshold, "detection_rate"), alarms[1] / count[1], 0);
    assert_true(alarms[0] > 0 && alarms[1] > alarms[0]);
    assert_string_equal(json_string_value(json_object_get(root, "seed")), "18446744073709551615");
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "samples"), 0), "score")));
    json_decref(root);
    json_decref(schema);
    unmake(&e);
    context_done(ctx);
}

static void video_sets_have_their_own_figures(void **state)
{
    physad_context *ctx = context_with(1, 0);
    json_t *schema = load_schema(ctx);
    physad_evaluation e;
    assert_ok(make(&e, ctx, 1, 1));
    e.reports[0].video = 1;
    e.reports[0].frame_reason = "the data set has no labels of frames";
    json_t *root = json_of(&e, schema);
    assert_non_null(json_object_get(root, "video_auroc"));
    assert_null(json_object_get(root, "image_auroc"));
    assert_true(json_is_null(json_object_get(root, "frame_auroc")));
    json_decref(root);
    json_decref(schema);
    unmake(&e);
    context_done(ctx);
}

static void the_schema_refuses_what_it_should(void **state)
{
    physad_context *ctx = context_with(1, 0);
    json_t *schema = load_schema(ctx);
    physad_evaluation e;
    char why[512];
    assert_ok(make(&e, ctx, 1, 1));
    json_t *root = json_of(&e, schema);
    const json_t *result = json_object_get(json_object_get(schema, "$defs"), "result");
    assert_true(schema_valid(schema, result, root, why, sizeof(why)));
    json_object_set_new(root, "image_auroc", json_real(1.5));
    assert_false(schema_valid(schema, result, root, why, sizeof(why)));
    assert_non_null(strstr(why, "image_auroc"));
    json_object_set_new(root, "image_auroc", json_real(0.5));
    json_object_set_new(root, "surprise", json_true());
    assert_false(schema_valid(schema, result, root, why, sizeof(why)));
    json_object_del(root, "surprise");
    json_object_set_new(json_array_get(json_object_get(root, "samples"), 3), "label", json_integer(2));
    assert_false(schema_valid(schema, result, root, why, sizeof(why)));
    json_object_set_new(json_array_get(json_object_get(root, "samples"), 3), "label", json_integer(1));
    assert_true(schema_valid(schema, result, root, why, sizeof(why)));
    json_object_del(root, "aupro");
    assert_false(schema_valid(schema, result, root, why, sizeof(why)));
    json_decref(root);
    json_decref(schema);
    unmake(&e);
    context_done(ctx);
}

static void csv_has_a_line_per_result(void **state)
{
    physad_context *ctx = context_with(1, 0);
    physad_evaluation e;
    assert_ok(make(&e, ctx, 1, 2));
    physad__free(e.reports[0].dataset);
    e.reports[0].dataset = physad__strdup(&ctx->mem, "a \"b\", c");
    char *csv = physad__report_csv(&e);
    assert_non_null(csv);
    int lines = 0, header = 0, commas = 0;
    const char *second = strstr(csv, "\r\n") + 2;
    for (const char *p = csv; *p != '\0'; p++) {
        lines += *p == '\n';
        header += p < second && *p == ',';
    }
    assert_int_equal(lines, 3);
    static const char start[] = "\"a \"\"b\"\", c\",can,patchcore,7,40,60,";
    assert_memory_equal(second, start, sizeof(start) - 1);
    for (const char *p = second; *p != '\n'; p++)
        commas += *p == ',';
    assert_int_equal(commas, header + 1); /* one lies in quotes */
    char auroc[64];
    physad__snprintf(auroc, sizeof(auroc), ",60,%.15g", metric_of(e.reports[0].images, "auroc").value);
    assert_non_null(strstr(second, auroc));
    assert_null(strstr(csv, "nan"));
    physad__free(csv);
    unmake(&e);
    context_done(ctx);
}

static void the_locale_does_not_show(void **state)
{
    static const char *const comma[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8" };
    bool found = false;
    physad_context *ctx = context_with(1, 0);
    physad_evaluation e;
    assert_ok(make(&e, ctx, 1, 1));
    char *json = physad__report_json(&e), *csv = physad__report_csv(&e);
    for (int i = 0; i < 4 && !found; i++)
        found = setlocale(LC_ALL, comma[i]) != NULL;
    char *other_json = physad__report_json(&e), *other_csv = physad__report_csv(&e);
    setlocale(LC_ALL, "C");
    assert_string_equal(json, other_json);
    assert_string_equal(csv, other_csv);
    physad__free(json);
    physad__free(csv);
    physad__free(other_json);
    physad__free(other_csv);
    unmake(&e);
    context_done(ctx);
    if (!found) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
}

static physad_status write_both(physad_context *ctx)
{
    physad_evaluation e;
    physad_status status = make(&e, ctx, 1, 1);
    char *json = status == PHYSAD_OK ? physad__report_json(&e) : NULL;
    char *csv = json != NULL ? physad__report_csv(&e) : NULL;
    if (status == PHYSAD_OK && csv == NULL)
        status = PHYSAD_ERR_NOMEM;
    physad__free(json);
    physad__free(csv);
    unmake(&e);
    return status;
}

static void no_memory_leaves_no_trace(void **state)
{
    fail_each_allocation(write_both);
}

/* --- pictures --- */

static void oklab(const uint8_t rgb[3], double lab[3])
{
    double c[3];
    for (int i = 0; i < 3; i++) {
        const double v = rgb[i] / 255.0;
        c[i] = v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
    }
    const double l = cbrt(0.4122214708 * c[0] + 0.5363325363 * c[1] + 0.0514459929 * c[2]);
    const double m = cbrt(0.2119034982 * c[0] + 0.6806995451 * c[1] + 0.1073969566 * c[2]);
    const double s = cbrt(0.0883024619 * c[0] + 0.2817188376 * c[1] + 0.6299787005 * c[2]);
    lab[0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
    lab[1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
    lab[2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
}

static void colours_rise_in_equal_steps(void **state)
{
    enum { STEPS = 32 };
    double lab[STEPS + 1][3], least = 1, most = 0;
    uint8_t rgb[3], end[3];
    for (int i = 0; i <= STEPS; i++) {
        physad_overlay_color(i / (double)STEPS, rgb);
        oklab(rgb, lab[i]);
        if (i == 0)
            continue;
        const double step = sqrt(pow(lab[i][0] - lab[i - 1][0], 2) + pow(lab[i][1] - lab[i - 1][1], 2) +
                                 pow(lab[i][2] - lab[i - 1][2], 2));
        assert_true(lab[i][0] > lab[i - 1][0]);
        least = fmin(least, step);
        most = fmax(most, step);
    }
    assert_true(most / least < 1.35); /* rounding to bytes alone moves a step by 10 % */
    physad_overlay_color(NAN, rgb);
    physad_overlay_color(-1, end);
    assert_memory_equal(rgb, end, 3);
    physad_overlay_color(9, rgb);
    physad_overlay_color(1, end);
    assert_memory_equal(rgb, end, 3);
}

enum { H = 9, W = 12, OUT_W = 2 * W + PHYSAD_OVERLAY_GAP };

static physad_view view3(void *data, int32_t dtype, int64_t h, int64_t w, int64_t c)
{
    const int64_t shape[3] = { h, w, c };
    return physad_view_array(data, dtype, c > 0 ? 3 : 2, shape);
}

static void overlays_show_what_they_should(void **state)
{
    uint8_t photo[H * W * 3], mask[H * W] = { 0 }, out[H * OUT_W * 3], top[3];
    float map[H * W];
    for (int i = 0; i < H * W; i++) {
        map[i] = (float)(i % W); /* rises to the right */
        photo[3 * i] = 100;
        photo[3 * i + 1] = 50;
        photo[3 * i + 2] = 200;
    }
    map[8 * W + 11] = NAN;
    for (int y = 2; y < 6; y++)
        memset(mask + y * W + 3, 255, 4);
    const physad_view p = view3(photo, PHYSAD_U8, H, W, 3), m = view3(map, PHYSAD_F32, H, W, 0),
                      k = view3(mask, PHYSAD_U8, H, W, 0);
    const physad_view o = view3(out, PHYSAD_U8, H, OUT_W, 3);
    assert_ok(physad_overlay_draw(&p, &m, &k, 2, 10, &o));
    const uint8_t *left = out, *right = out + 3 * (W + PHYSAD_OVERLAY_GAP);
    assert_memory_equal(left, photo, 3);
    assert_memory_equal(right, photo, 3); /* below `low`: the photo */
    assert_int_equal(left[3 * W], 255);   /* the gap */
    physad_overlay_color(1, top);
    for (int c = 0; c < 3; c++)
        assert_near(right[3 * 11 + c], photo[c] + 0.8 * (top[c] - photo[c]), 0.51);
    const uint8_t *corner = right + (8 * OUT_W + 11) * 3;
    assert_true(corner[0] == corner[1] && corner[1] == corner[2] && corner[0] < 50); /* NaN: grey */
    assert_int_equal(left[(2 * OUT_W + 3) * 3], 255);                                /* the outline's inner side */
    assert_int_equal(left[(1 * OUT_W + 3) * 3], 0);                                  /* and outer side */
    assert_int_equal(right[(2 * OUT_W + 6) * 3 + 1], 255);
    assert_int_equal(left[(3 * OUT_W + 4) * 3], 100); /* inside: the photo */
    /* The same photo as words, floats and grey. */
    uint16_t words[H * W * 3];
    float reals[H * W * 3];
    uint8_t again[H * OUT_W * 3];
    for (int i = 0; i < H * W * 3; i++) {
        words[i] = (uint16_t)(photo[i] * 257);
        reals[i] = (float)photo[i] / 255;
    }
    const physad_view pw = view3(words, PHYSAD_U16, H, W, 3), pr = view3(reals, PHYSAD_F32, H, W, 3);
    const physad_view oa = view3(again, PHYSAD_U8, H, OUT_W, 3);
    assert_ok(physad_overlay_draw(&pw, &m, &k, 2, 10, &oa));
    assert_memory_equal(out, again, sizeof(out));
    assert_ok(physad_overlay_draw(&pr, &m, &k, 2, 10, &oa));
    assert_memory_equal(out, again, sizeof(out));
    const physad_view grey = view3(photo, PHYSAD_U8, H, W, 0);
    assert_ok(physad_overlay_draw(&grey, &m, NULL, 2, 10, &oa));
}

static void overlays_refuse_what_does_not_fit(void **state)
{
    uint8_t photo[H * W * 3] = { 0 }, out[H * OUT_W * 3];
    float map[H * W] = { 0 };
    physad_view p = view3(photo, PHYSAD_U8, H, W, 3), m = view3(map, PHYSAD_F32, H, W, 0),
                o = view3(out, PHYSAD_U8, H, OUT_W, 3);
    assert_fails(PHYSAD_ERR_ARG, "range is 1 to 1", physad_overlay_draw(&p, &m, NULL, 1, 1, &o));
    assert_fails(PHYSAD_ERR_ARG, "range is nan", physad_overlay_draw(&p, &m, NULL, NAN, 1, &o));
    assert_fails(PHYSAD_ERR_ARG, "photo", physad_overlay_draw(NULL, &m, NULL, 0, 1, &o));
    assert_fails(PHYSAD_ERR_ARG, "map", physad_overlay_draw(&p, NULL, NULL, 0, 1, &o));
    assert_fails(PHYSAD_ERR_ARG, "out", physad_overlay_draw(&p, &m, NULL, 0, 1, NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "mask has dtype f32", physad_overlay_draw(&p, &m, &m, 0, 1, &o));
    m.shape[1]--;
    assert_fails(PHYSAD_ERR_SHAPE, "map has shape (9,11), want the photo's (9,12)",
                 physad_overlay_draw(&p, &m, NULL, 0, 1, &o));
    m.shape[1]++;
    o.shape[1]--;
    assert_fails(PHYSAD_ERR_SHAPE, "out has shape", physad_overlay_draw(&p, &m, NULL, 0, 1, &o));
    p.shape[2] = 2;
    assert_fails(PHYSAD_ERR_SHAPE, "photo has shape (9,12,2)", physad_overlay_draw(&p, &m, NULL, 0, 1, &o));
    p.dtype = PHYSAD_F64;
    assert_fails(PHYSAD_ERR_DTYPE, "photo has dtype f64", physad_overlay_draw(&p, &m, NULL, 0, 1, &o));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_result_is_the_bare_object),     cmocka_unit_test(several_results_have_means),
        cmocka_unit_test(the_threshold_is_put_to_the_test),  cmocka_unit_test(video_sets_have_their_own_figures),
        cmocka_unit_test(the_schema_refuses_what_it_should), cmocka_unit_test(csv_has_a_line_per_result),
        cmocka_unit_test(the_locale_does_not_show),          cmocka_unit_test(no_memory_leaves_no_trace),
        cmocka_unit_test(colours_rise_in_equal_steps),       cmocka_unit_test(overlays_show_what_they_should),
        cmocka_unit_test(overlays_refuse_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
