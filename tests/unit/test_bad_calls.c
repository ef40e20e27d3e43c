/* SPDX-License-Identifier: Apache-2.0 */
/* The table of bad calls, tests/golden/bad_calls.jsonl: each ends in this status with exactly this message. Other
 * languages read the same table. A line is {id, call, on, args, status, message}: call      a public function on its
 * handle, one of those that world_make() makes; absent where it takes none but the context args      what follows in C,
 * without `out` parameters, contexts and call options. Views are {dtype, shape, data}, zeros without data; options and
 * items are objects of their fields; numbers that JSON lacks are texts such as "nan". Calls are made in a folder of
 * their own that holds empty/, text.txt and images, tensors: those of tests/golden. */
#include "bad_calls.h"

/* --- arguments --- */

static const json_t *arg(const world *w, size_t i)
{
    const json_t *args = json_object_get(w->call, "args");
    if (i >= json_array_size(args))
        fail_msg("%s: no argument %d", json_string_value(json_object_get(w->call, "id")), (int)i);
    return json_array_get(args, i);
}

static double number(const json_t *v)
{
    return json_is_string(v) ? strtod(json_string_value(v), NULL)
                             : json_number_value(v); /* "nan" and "inf" have no point */
}

static const char *text(const world *w, size_t i)
{
    return json_string_value(arg(w, i)); /* NULL for null */
}

static int64_t integer(const world *w, size_t i)
{
    assert_true(json_is_integer(arg(w, i)));
    return json_integer_value(arg(w, i));
}

static bool is_on(const world *w, const char *name)
{
    const char *on = json_string_value(json_object_get(w->call, "on"));
    return on != NULL && strcmp(on, name) == 0;
}

static void put(const physad_view *v, int64_t i, double value)
{
    switch (v->dtype) {
    case PHYSAD_F32: ((float *)v->data)[i] = (float)value; break;
    case PHYSAD_F64: ((double *)v->data)[i] = value; break;
    case PHYSAD_I64: ((int64_t *)v->data)[i] = (int64_t)value; break;
    case PHYSAD_I32: ((int32_t *)v->data)[i] = (int32_t)value; break;
    default: ((uint8_t *)v->data)[i] = (uint8_t)value; break;
    }
}

/* The array stays until the call is over; NULL for null. */
static physad_view *array(world *w, const json_t *spec)
{
    int64_t shape[8], count = 1;
    int32_t dtype = PHYSAD_U8;
    const json_t *sizes = json_object_get(spec, "shape"), *data = json_object_get(spec, "data");
    if (!json_is_object(spec))
        return NULL;
    assert_true(w->view_count < MOST_VIEWS && json_array_size(sizes) <= 8);
    for (int32_t t = 1; t < 16; t++)
        if (physad_dtype_name(t) != NULL &&
            strcmp(physad_dtype_name(t), json_string_value(json_object_get(spec, "dtype"))) == 0)
            dtype = t;
    for (size_t i = 0; i < json_array_size(sizes); i++) {
        shape[i] = json_integer_value(json_array_get(sizes, i));
        count *= shape[i];
    }
    physad_view *v = &w->views[w->view_count++];
    *v = physad_view_array(calloc((size_t)count + 1, physad_dtype_size(dtype)), dtype, (int32_t)json_array_size(sizes),
                           shape);
    for (size_t i = 0; i < json_array_size(data); i++)
        put(v, (int64_t)i, number(json_array_get(data, i)));
    return v;
}

static physad_view *view(world *w, size_t i)
{
    return array(w, arg(w, i));
}

static void take_i32(const json_t *v, int32_t *out)
{
    *out = (int32_t)json_integer_value(v);
}

static void take_i64(const json_t *v, int64_t *out)
{
    *out = json_integer_value(v);
}

static void take_f32(const json_t *v, float *out)
{
    *out = (float)number(v);
}

static void take_f64(const json_t *v, double *out)
{
    *out = number(v);
}

static void take_text(const json_t *v, const char **out)
{
    *out = json_string_value(v);
}

/* A field of options where the object has it. */
#define TAKE(o, object, field) \
    do { \
        const json_t *v_ = json_object_get((object), #field); \
        if (v_ != NULL) \
            _Generic(&(o).field, int32_t *: take_i32, int64_t *: take_i64, float *: take_f32, double *: take_f64, \
                     const char **: take_text)(v_, &(o).field); \
    } while (0)

/* Lists of texts, ended by NULL. */
static int64_t texts(const json_t *list, const char *out[8])
{
    int64_t n = 0;
    for (; n < (int64_t)json_array_size(list) && n < 7; n++)
        out[n] = json_string_value(json_array_get(list, (size_t)n));
    out[n] = NULL;
    return n;
}

/* --- calls: what a bad one makes nevertheless is freed --- */

#define MADE(type, call)                  \
    do {                                  \
        type *made_ = NULL;               \
        const physad_status s_ = (call);  \
        type##_free(made_);               \
        return s_;                        \
    } while (0)

static physad_status context_new(world *w)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    TAKE(o, arg(w, 0), threads);
    MADE(physad_context, physad_context_new(&made_, &o));
}

static physad_status image_read(world *w)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    TAKE(o, arg(w, 1), channels);
    TAKE(o, arg(w, 1), page);
    TAKE(o, arg(w, 1), jpeg_scale);
    MADE(physad_image, physad_image_read(&made_, w->ctx, text(w, 0), &o));
}

static physad_status image_read_memory(world *w)
{
    const char *bytes = text(w, 0);
    MADE(physad_image, physad_image_read_memory(&made_, w->ctx, bytes, strlen(bytes), text(w, 1), NULL));
}

static physad_status image_write(world *w)
{
    return physad_image_write(w->ctx, text(w, 0), view(w, 1), NULL);
}

static physad_status dataset_open(world *w)
{
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    TAKE(o, arg(w, 1), format);
    TAKE(o, arg(w, 1), holdout);
    MADE(physad_dataset, physad_dataset_open(&made_, w->ctx, text(w, 0), &o));
}

static physad_status dataset_from_files(world *w)
{
    const char *paths[8];
    const int64_t n = texts(arg(w, 0), paths);
    MADE(physad_dataset,
         physad_dataset_from_files(&made_, w->ctx, paths, n, (int32_t)integer(w, 1), (int32_t)integer(w, 2)));
}

static physad_status dataset_add(world *w)
{
    physad_item item = PHYSAD_ITEM_INIT;
    TAKE(item, arg(w, 0), file);
    TAKE(item, arg(w, 0), label);
    TAKE(item, arg(w, 0), split);
    item.photo = array(w, json_object_get(arg(w, 0), "photo"));
    item.mask = array(w, json_object_get(arg(w, 0), "mask"));
    return physad_dataset_add(w->empty_dataset, &item);
}

static physad_status dataset_select(world *w)
{
    MADE(physad_dataset, physad_dataset_select(&made_, w->dataset, text(w, 0), (int32_t)integer(w, 1)));
}

static physad_status dataset_subset(world *w)
{
    const physad_view *v = view(w, 0);
    MADE(physad_dataset, physad_dataset_subset(&made_, w->dataset, v->data, v->shape[0]));
}

static physad_status dataset_split(world *w)
{
    physad_dataset *second = NULL;
    MADE(physad_dataset, physad_dataset_split(&made_, &second, w->dataset, number(arg(w, 0)), (uint64_t)integer(w, 1)));
}

static physad_status dataset_read_image(world *w)
{
    MADE(physad_image, physad_dataset_read_image(w->dataset, integer(w, 0), &made_));
}

static physad_status transform_new(world *w)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    const json_t *j = arg(w, 0), *std = json_object_get(j, "std");
    TAKE(o, j, height);
    TAKE(o, j, width);
    TAKE(o, j, resize);
    TAKE(o, j, normalise);
    for (size_t i = 0; i < json_array_size(std) && i < 3; i++)
        take_f32(json_array_get(std, i), &o.std[i]);
    MADE(physad_transform, physad_transform_new(&made_, w->ctx, &o));
}

static physad_status transform_apply(world *w)
{
    return physad_transform_apply(w->transform, view(w, 0), view(w, 1));
}

static physad_status transform_map_back(world *w)
{
    return physad_transform_map_back(w->transform, view(w, 0), view(w, 1));
}

static physad_status backbone_describe(world *w)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    return physad_backbone_describe(text(w, 0), &info);
}

static physad_status features_new(world *w)
{
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    const json_t *j = arg(w, 0);
    TAKE(o, j, backbone);
    TAKE(o, j, weights);
    TAKE(o, j, layers);
    TAKE(o, j, height);
    TAKE(o, j, pool);
    MADE(physad_features, physad_features_new(&made_, w->ctx, &o));
}

static physad_status features_compute(world *w)
{
    return physad_features_compute(w->features, view(w, 0), view(w, 1), NULL);
}

static physad_status bank_new(world *w)
{
    MADE(physad_bank, physad_bank_new(&made_, w->ctx, integer(w, 0), NULL));
}

static physad_status bank_add(world *w)
{
    return physad_bank_add(w->bank, view(w, 0), view(w, 1), view(w, 2));
}

static physad_status bank_select(world *w)
{
    MADE(physad_bank, physad_bank_select(&made_, w->bank, view(w, 0)));
}

static physad_status bank_search(world *w)
{
    const int64_t k = integer(w, 1);
    return physad_bank_search(is_on(w, "empty_bank") ? w->empty_bank : w->bank, view(w, 0), (int32_t)k, view(w, 2),
                              NULL, NULL, NULL);
}

static physad_status bank_coreset(world *w)
{
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    const json_t *j = arg(w, 1);
    TAKE(o, j, ratio);
    TAKE(o, j, count);
    TAKE(o, j, first);
    TAKE(o, j, projection);
    return physad_bank_coreset(w->bank, view(w, 0), NULL, &o, NULL);
}

static physad_status bank_load(world *w)
{
    MADE(physad_bank, physad_bank_load(&made_, w->ctx, text(w, 0)));
}

static physad_status method_describe(world *w)
{
    physad_method_info info = PHYSAD_METHOD_INFO_INIT;
    return physad_method_describe(text(w, 0), &info);
}

static physad_status method_option(world *w)
{
    physad_option_info info = PHYSAD_OPTION_INFO_INIT;
    return physad_method_option(text(w, 0), integer(w, 1), &info);
}

static physad_detector *detector(world *w)
{
    return is_on(w, "fitted") ? w->fitted : w->detector;
}

static physad_status detector_new(world *w)
{
    MADE(physad_detector, physad_detector_new(&made_, w->ctx, text(w, 0)));
}

static physad_status detector_set(world *w)
{
    return physad_detector_set(detector(w), text(w, 0), text(w, 1));
}

/* On a detector of its own with {option: value} set, for options that only a fit can judge. */
static physad_status detector_fit(world *w)
{
    physad_detector *det = NULL;
    const char *key;
    json_t *value;
    assert_ok(physad_detector_new(&det, w->ctx, "patchcore"));
    assert_ok(physad_detector_set(det, "weights", "random:1"));
    assert_ok(physad_detector_set(det, "input", "64"));
    json_object_foreach((json_t *)(uintptr_t)arg(w, 1), key, value)
        assert_ok(physad_detector_set(det, key, json_string_value(value)));
    const bool empty = strcmp(text(w, 0), "empty_dataset") == 0;
    const physad_status status = physad_detector_fit(det, empty ? w->empty_dataset : w->dataset, NULL);
    assert_int_equal(physad_detector_is_fitted(det), 0);
    physad_detector_free(det);
    return status;
}

static physad_status detector_score(world *w)
{
    MADE(physad_result, physad_detector_score(detector(w), view(w, 0), &made_));
}

static physad_status detector_save(world *w)
{
    return physad_detector_save(detector(w), text(w, 0));
}

static physad_status detector_load(world *w)
{
    MADE(physad_detector, physad_detector_load(&made_, w->ctx, text(w, 0)));
}

static physad_status detector_threshold(world *w)
{
    physad_threshold t = PHYSAD_THRESHOLD_INIT;
    return physad_detector_threshold(detector(w), &t);
}

static physad_status detector_set_threshold(world *w)
{
    return physad_detector_set_threshold(detector(w), number(arg(w, 0)));
}

static physad_status detector_remove(world *w)
{
    return physad_detector_remove(detector(w), text(w, 0), NULL);
}

static physad_status detector_add(world *w)
{
    return physad_detector_add(detector(w), w->dataset, NULL);
}

static physad_status result_map(world *w)
{
    return physad_result_map(w->result, view(w, 0));
}

static physad_status result_nearest(world *w)
{
    physad_nearest nearest = PHYSAD_NEAREST_INIT;
    return physad_result_nearest(w->result, integer(w, 0), integer(w, 1), &nearest);
}

static physad_status scores_add(world *w)
{
    return physad_scores_add(w->scores, number(arg(w, 0)), (int32_t)integer(w, 1), NULL, NULL);
}

static physad_measure_options measuring(const json_t *j)
{
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    const json_t *limits = json_object_get(j, "limits");
    TAKE(o, j, replicates);
    TAKE(o, j, level);
    for (size_t i = 0; i < json_array_size(limits) && i < PHYSAD_MAX_LIMITS; i++)
        take_f64(json_array_get(limits, i), &o.limits[i]);
    return o;
}

static physad_status scores_measure(world *w)
{
    const physad_measure_options o = measuring(arg(w, 0));
    MADE(physad_metrics, physad_scores_measure(&made_, w->scores, &o, NULL));
}

static physad_status pixels_measure(world *w)
{
    const physad_measure_options o = measuring(arg(w, 0));
    MADE(physad_metrics, physad_pixels_measure(&made_, w->pixels, &o, NULL));
}

static physad_status pixels_add(world *w)
{
    return physad_pixels_add(w->pixels, view(w, 0), view(w, 1), NULL, NULL, number(arg(w, 2)));
}

static physad_status metrics_get(world *w)
{
    physad_metric m = PHYSAD_METRIC_INIT;
    return physad_metrics_get(w->metrics, text(w, 0), &m);
}

static physad_status conformal_fit(world *w)
{
    physad_conformal c = PHYSAD_CONFORMAL_INIT;
    return physad_conformal_fit(&c, w->ctx, view(w, 0), view(w, 1), number(arg(w, 2)));
}

static physad_status tensors_open(world *w)
{
    MADE(physad_tensors, physad_tensors_open(&made_, w->ctx, text(w, 0), NULL));
}

static physad_status tensors_find(world *w)
{
    physad_view v;
    return physad_tensors_find(w->tensors, text(w, 0), &v);
}

static physad_status tensors_add(world *w)
{
    return physad_tensors_add(w->tensors, text(w, 0), view(w, 1));
}

static physad_status weights_describe(world *w)
{
    physad_weights_info info = PHYSAD_WEIGHTS_INFO_INIT;
    return physad_weights_describe(text(w, 0), &info);
}

static physad_status weights_find(world *w)
{
    char path[4096];
    return physad_weights_find(w->ctx, text(w, 0), text(w, 1), path, sizeof(path));
}

static physad_status synth_rad(world *w)
{
    physad_synth_rad_options o = PHYSAD_SYNTH_RAD_OPTIONS_INIT;
    TAKE(o, arg(w, 1), categories);
    TAKE(o, arg(w, 1), defects);
    TAKE(o, arg(w, 1), gloss);
    return physad_synth_rad(w->ctx, text(w, 0), &o, NULL);
}

static physad_status evaluate(world *w)
{
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    const char *methods[8], *settings[8];
    const int64_t n = texts(arg(w, 0), methods);
    texts(json_object_get(arg(w, 1), "settings"), settings);
    TAKE(o, arg(w, 1), metrics_size);
    o.settings = settings;
    MADE(physad_evaluation, physad_evaluate(&made_, w->ctx, w->dataset, methods, n, &o, NULL));
}

static physad_status overlay_draw(world *w)
{
    return physad_overlay_draw(view(w, 0), view(w, 1), NULL, number(arg(w, 2)), number(arg(w, 3)), view(w, 4));
}

static physad_status scene_fit(world *w)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    TAKE(o, arg(w, 1), harmonics);
    MADE(physad_scene, physad_scene_fit(&made_, w->ctx, text(w, 0), &o, NULL));
}

static physad_status scene_load(world *w)
{
    MADE(physad_scene, physad_scene_load(&made_, w->ctx, text(w, 0)));
}

#define CALL(name) { "physad_" #name, name }
static const struct {
    const char *name;
    physad_status (*make)(world *w);
} calls[] = {
    CALL(context_new),     CALL(image_read),         CALL(image_read_memory),
    CALL(image_write),     CALL(dataset_open),       CALL(dataset_from_files),
    CALL(dataset_add),     CALL(dataset_select),     CALL(dataset_subset),
    CALL(dataset_split),   CALL(dataset_read_image), CALL(transform_new),
    CALL(transform_apply), CALL(transform_map_back), CALL(backbone_describe),
    CALL(features_new),    CALL(features_compute),   CALL(bank_new),
    CALL(bank_add),        CALL(bank_select),        CALL(bank_search),
    CALL(bank_coreset),    CALL(bank_load),          CALL(method_describe),
    CALL(method_option),   CALL(detector_new),       CALL(detector_set),
    CALL(detector_fit),    CALL(detector_score),     CALL(detector_save),
    CALL(detector_load),   CALL(detector_threshold), CALL(detector_set_threshold),
    CALL(detector_remove), CALL(detector_add),       CALL(result_map),
    CALL(result_nearest),  CALL(scores_add),         CALL(scores_measure),
    CALL(pixels_measure),  CALL(pixels_add),         CALL(metrics_get),
    CALL(conformal_fit),   CALL(tensors_open),       CALL(tensors_find),
    CALL(tensors_add),     CALL(weights_describe),   CALL(weights_find),
    CALL(synth_rad),       CALL(evaluate),           CALL(overlay_draw),
    CALL(scene_fit),       CALL(scene_load),
};

/* --- the table --- */

/* Whether the call ended as the table says; prints the line as it should be where not. */
static bool holds(world *w, const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "call"));
    const char *status = json_string_value(json_object_get(line, "status"));
    const char *message = json_string_value(json_object_get(line, "message"));
    assert_true(name != NULL && status != NULL && message != NULL);
    size_t i = 0;
    while (i < PHYSAD__COUNT(calls) && strcmp(calls[i].name, name) != 0)
        i++;
    if (i == PHYSAD__COUNT(calls))
        fail_msg("the table calls %s, which the test does not know", name);
    w->call = line;
    w->view_count = 0;
    const physad_status got = calls[i].make(w);
    const bool good =
        got != PHYSAD_OK && strcmp(physad_status_name(got), status) == 0 && strcmp(physad_last_error(), message) == 0;
    if (!good)
        print_error("%s: got %s: %s\n", json_string_value(json_object_get(line, "id")), physad_status_name(got),
                    got != PHYSAD_OK ? physad_last_error() : "");
    while (w->view_count > 0)
        free(w->views[--w->view_count].data);
    return good;
}

static void bad_calls_end_as_the_table_says(void **state)
{
    static world w;
    char line[4096], folder[256], path[4096];
    int count = 0, wrong = 0;
    snprintf(path, sizeof(path), "%s/bad_calls.jsonl", getenv("PHYSAD_TEST_GOLDEN"));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    enter_folder(folder, sizeof(folder));
    world_make(&w);
    for (; fgets(line, sizeof(line), f) != NULL; count++) {
        json_error_t where;
        json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, &where);
        if (entry == NULL)
            fail_msg("line %d of the table: %s", count + 1, where.text);
        wrong += !holds(&w, entry);
        json_decref(entry);
    }
    fclose(f);
    world_free(&w);
    assert_int_equal(chdir("/"), 0);
    scratch_remove(folder);
    assert_true(count >= 60);
    if (wrong > 0)
        fail_msg("%d of %d calls end otherwise", wrong, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bad_calls_end_as_the_table_says) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
