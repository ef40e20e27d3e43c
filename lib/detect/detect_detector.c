/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detect.h"

#include <math.h>

/* --- origin --- */

physad__origin *physad__origin_retain(physad__origin *origin)
{
    if (origin != NULL)
        atomic_fetch_add(&origin->references, 1);
    return origin;
}

void physad__origin_release(physad__origin *origin)
{
    if (origin == NULL || atomic_fetch_sub(&origin->references, 1) != 1)
        return;
    for (int64_t i = 0; i < origin->count; i++) {
        physad__free(origin->paths[i]);
        physad__free(origin->groups[i]);
    }
    physad__free(origin->paths);
    physad__free(origin->groups);
    physad__free(origin->sizes);
    physad_transform_free(origin->transform);
    physad_context *ctx = origin->ctx;
    physad__free(origin);
    physad_context_free(ctx);
}

physad_status physad__origin_make(physad__origin **out, physad_context *ctx, int64_t count)
{
    physad__origin *o = physad__alloc_zero(&ctx->mem, sizeof(*o), "detector");
    *out = NULL;
    if (o == NULL)
        return PHYSAD_ERR_NOMEM;
    atomic_init(&o->references, 1);
    o->ctx = physad__context_retain(ctx);
    o->paths = physad__alloc_zero(&ctx->mem, (size_t)count * sizeof(char *), "paths of the training samples");
    o->groups = physad__alloc_zero(&ctx->mem, (size_t)count * sizeof(char *), "groups of the training samples");
    o->sizes = physad__alloc_zero(&ctx->mem, (size_t)count * sizeof(*o->sizes), "sizes of the training samples");
    if (o->paths == NULL || o->groups == NULL || o->sizes == NULL) {
        physad__origin_release(o);
        return PHYSAD_ERR_NOMEM;
    }
    o->count = count;
    *out = o;
    return PHYSAD_OK;
}

physad_status physad__origin_name(physad__origin *origin, int64_t index, const char *path, const char *group)
{
    origin->paths[index] = physad__strdup(&origin->ctx->mem, path);
    origin->groups[index] = physad__strdup(&origin->ctx->mem, group);
    return origin->paths[index] != NULL && origin->groups[index] != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__origin_new(physad__origin **out, physad_context *ctx, const physad_dataset *samples)
{
    const int64_t n = physad_dataset_count(samples);
    PHYSAD__TRY(physad__origin_make(out, ctx, n));
    for (int64_t i = 0; i < n; i++) {
        const physad_sample *s = physad_dataset_sample(samples, i);
        const physad_status status = physad__origin_name(*out, i, s->path, s->group);
        if (status != PHYSAD_OK) {
            physad__origin_release(*out);
            *out = NULL;
            return status;
        }
    }
    return PHYSAD_OK;
}

/* --- detector --- */

physad_status physad_detector_new(physad_detector **out, physad_context *context, const char *method)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_detector_new"));
    if (method == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_new: method is NULL");
    const physad__method *m = physad__method_find(method);
    if (m == NULL)
        return PHYSAD_ERR_ARG;
    physad_detector *det = physad__alloc_zero(&context->mem, sizeof(*det), "detector");
    if (det == NULL)
        return PHYSAD_ERR_NOMEM;
    det->ctx = physad__context_retain(context);
    det->method = m;
    det->threshold = (physad_threshold)PHYSAD_THRESHOLD_INIT;
    det->threshold.value = NAN;
    physad__snprintf(det->no_threshold, sizeof(det->no_threshold), "%s: no threshold: the detector is not fitted",
                     m->name);
    const physad_status status = physad__options_init(det);
    if (status != PHYSAD_OK) {
        physad_detector_free(det);
        return status;
    }
    *out = det;
    return PHYSAD_OK;
}

void physad_detector_free(physad_detector *detector)
{
    if (detector == NULL)
        return;
    if (detector->model != NULL)
        detector->method->free(detector->model);
    physad__origin_release(detector->origin);
    for (int64_t i = 0; detector->values != NULL && i < physad__method_options(detector->method); i++)
        physad__free(detector->values[i]);
    physad__free(detector->values);
    physad__free(detector->given);
    physad__free(detector->calibration);
    physad__skipped_clear(detector);
    physad__free(detector->rules);
    physad_context *ctx = detector->ctx;
    physad__free(detector);
    physad_context_free(ctx);
}

static physad_status check(const physad_detector *det, const char *what)
{
    if (det == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the detector is NULL", what);
    return physad__context_check(det->ctx, what);
}

static physad_status check_fitted(const physad_detector *det, const char *what)
{
    PHYSAD__TRY(check(det, what));
    if (det->model == NULL)
        return physad__error(PHYSAD_ERR_STATE,
                             "%s: the detector is not fitted; call physad_detector_fit() or load a model", what);
    return PHYSAD_OK;
}

physad_status physad_detector_set(physad_detector *detector, const char *key, const char *value)
{
    PHYSAD__TRY(check(detector, "physad_detector_set"));
    if (key == NULL || value == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_set: %s is NULL", key == NULL ? "key" : "value");
    if (detector->model != NULL)
        return physad__error(PHYSAD_ERR_STATE, "physad_detector_set: option %s: the detector is fitted; make a new one",
                             key);
    return physad__option_set(detector, key, value, true);
}

physad_status physad_detector_set_int(physad_detector *detector, const char *key, int64_t value)
{
    char text[32];
    physad__snprintf(text, sizeof(text), "%lld", (long long)value);
    return physad_detector_set(detector, key, text);
}

physad_status physad_detector_set_real(physad_detector *detector, const char *key, double value)
{
    char text[32];
    double back;
    /* The shortest text that reads back as the same number. */
    for (int digits = 15; digits <= 17; digits++) {
        physad__snprintf(text, sizeof(text), "%.*g", digits, value);
        if (physad__parse_double(text, &back) && back == value)
            break;
    }
    return physad_detector_set(detector, key, text);
}

const char *physad_detector_get(const physad_detector *detector, const char *key)
{
    if (detector == NULL || key == NULL)
        return NULL;
    for (int64_t i = 0; i < physad__method_options(detector->method); i++)
        if (strcmp(physad__method_option_at(detector->method, i)->name, key) == 0)
            return detector->values[i];
    return NULL;
}

const char *physad_detector_method(const physad_detector *detector)
{
    return detector != NULL ? detector->method->name : NULL;
}

int32_t physad_detector_is_fitted(const physad_detector *detector)
{
    return detector != NULL && detector->model != NULL;
}

int64_t physad_detector_training_count(const physad_detector *detector)
{
    return detector != NULL && detector->origin != NULL ? detector->origin->count : 0;
}

const char *physad_detector_training_path(const physad_detector *detector, int64_t index)
{
    return index >= 0 && index < physad_detector_training_count(detector) ? detector->origin->paths[index] : NULL;
}

physad_status physad_detector_threshold(const physad_detector *detector, physad_threshold *out)
{
    PHYSAD__TRY(check(detector, "physad_detector_threshold"));
    if (out == NULL || out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_threshold: %s",
                             out == NULL ? "out is NULL" : "struct_size is wrong; use PHYSAD_THRESHOLD_INIT");
    *out = detector->threshold;
    if (isnan(detector->threshold.value))
        return physad__error(PHYSAD_ERR_STATE, "%s", detector->no_threshold);
    return PHYSAD_OK;
}

physad_status physad_detector_set_threshold(physad_detector *detector, double value)
{
    PHYSAD__TRY(check(detector, "physad_detector_set_threshold"));
    if (!isfinite(value))
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_set_threshold: value is %g, want a finite number", value);
    detector->threshold = (physad_threshold){ sizeof(physad_threshold), 1, value, NAN, NAN, NAN, 0 };
    return PHYSAD_OK;
}

/* --- scoring --- */

physad_status physad__decide(const physad_detector *det, physad_result *r)
{
    int64_t above = 0;
    if (!isfinite(r->score)) /* NAN is not above a threshold, and would pass for normal */
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "the score is %g, want a finite one: the model holds numbers beyond range", r->score);
    r->threshold = det->threshold.value;
    r->anomalous = isnan(r->threshold) ? -1 : r->score > r->threshold;
    r->p_value = NAN;
    if (det->calibration_count == 0)
        return PHYSAD_OK;
    /* `calibration` holds one score per group: its greatest. */
    for (int64_t i = 0; i < det->calibration_count; i++)
        above += det->calibration[i] >= r->score;
    r->p_value = (double)(1 + above) / (double)(det->calibration_count + 1);
    return PHYSAD_OK;
}

const physad_transform *physad__detector_transform(const physad_detector *det)
{
    return det->method->score_inputs != NULL && det->origin != NULL ? det->origin->transform : NULL;
}

static physad_status new_results(const physad_detector *det, int64_t count, physad_result **out)
{
    for (int64_t i = 0; i < count; i++) {
        out[i] = physad__alloc_zero(&det->ctx->mem, sizeof(*out[i]), "result");
        if (out[i] == NULL)
            return PHYSAD_ERR_NOMEM;
        out[i]->origin = physad__origin_retain(det->origin);
    }
    return PHYSAD_OK;
}

static void drop_results(int64_t count, physad_result **out)
{
    for (int64_t i = 0; i < count; i++) {
        physad_result_free(out[i]);
        out[i] = NULL;
    }
}

physad_status physad__detector_score_inputs(const physad_detector *det, const float *inputs, const int64_t (*photo)[2],
                                            int64_t count, physad_result **out, physad__fault *faults,
                                            physad__call *call)
{
    for (int64_t i = 0; i < count; i++) {
        out[i] = NULL;
        faults[i] = (physad__fault){ PHYSAD_OK, "" };
    }
    physad_status status = new_results(det, count, out);
    if (status == PHYSAD_OK)
        status = det->method->score_inputs(det, inputs, photo, count, out, faults, call);
    for (int64_t i = 0; i < count && status == PHYSAD_OK; i++) {
        if (faults[i].status == PHYSAD_OK)
            physad__fault_take(&faults[i], physad__decide(det, out[i]));
        if (faults[i].status != PHYSAD_OK)
            drop_results(1, &out[i]);
    }
    if (status != PHYSAD_OK)
        drop_results(count, out);
    return status;
}

/* Photos at a time: their inputs are in memory together. */
enum { TOGETHER = 8 };

/* Brings photos to the model's input side by side, then scores them together. */
static physad_status score_together(const physad_detector *det, const physad_view *photos, int64_t count,
                                    physad_result **out, physad__call *call)
{
    const physad_transform *t = physad__detector_transform(det);
    physad__fault faults[TOGETHER];
    int64_t shape[3] = { 0, 0, 3 }, size[TOGETHER][2];
    PHYSAD__TRY(physad_transform_shape(t, &shape[0], &shape[1]));
    const int64_t pixels = shape[0] * shape[1] * 3;
    float *inputs = physad__alloc_array(&det->ctx->mem, count * pixels, sizeof(*inputs), "photos");
    if (inputs == NULL)
        return PHYSAD_ERR_NOMEM;
#pragma omp parallel for schedule(dynamic) if (count > 1)
    for (int64_t i = 0; i < count; i++) {
        physad_view input = physad_view_array(inputs + i * pixels, PHYSAD_F32, 3, shape);
        faults[i] = (physad__fault){ PHYSAD_OK, "" };
        size[i][0] = photos[i].shape[0];
        size[i][1] = photos[i].shape[1];
        physad__fault_take(&faults[i], physad_transform_apply(t, &photos[i], &input));
    }
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; i < count && status == PHYSAD_OK; i++)
        status = physad__fault_publish(&faults[i]);
    if (status == PHYSAD_OK)
        status = physad__detector_score_inputs(det, inputs, (const int64_t(*)[2])size, count, out, faults, call);
    for (int64_t i = 0; i < count && status == PHYSAD_OK; i++)
        status = physad__fault_publish(&faults[i]);
    physad__free(inputs);
    return status;
}

static physad_status score_one(const physad_detector *det, const physad_view *photo, physad_result **out,
                               physad__call *call)
{
    PHYSAD__TRY(new_results(det, 1, out));
    PHYSAD__TRY(det->method->score(det, photo, *out, call));
    return physad__decide(det, *out);
}

static physad_status score_all(const physad_detector *det, const physad_view *photos, int64_t count,
                               physad_result **out, physad__call *call)
{
    const int64_t step = physad__detector_transform(det) != NULL ? TOGETHER : 1;
    for (int64_t i = 0; i < count; i++)
        PHYSAD__TRY(physad__view_check(&photos[i], "photo"));
    for (int64_t i = 0; i < count; i += step) {
        PHYSAD__TRY(physad__cancelled(det->ctx));
        PHYSAD__TRY(step > 1 ? score_together(det, photos + i, physad__min(step, count - i), out + i, call)
                             : score_one(det, photos + i, out + i, call));
    }
    return PHYSAD_OK;
}

physad_status physad_detector_score_batch(const physad_detector *detector, const physad_view *photos, int64_t count,
                                          physad_result **out)
{
    physad__call call;
    if (out == NULL || count < 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_score: %s",
                             out == NULL ? "out is NULL" : "count is negative");
    for (int64_t i = 0; i < count; i++)
        out[i] = NULL;
    PHYSAD__TRY(check_fitted(detector, "physad_detector_score"));
    if (photos == NULL && count > 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_score: photo is NULL");
    if (detector->method->score == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s does not score single photos: it looks at motion; give a video to "
                             "physad_detector_score_video(), or frames as they come to physad_stream_push()",
                             detector->method->name);
    PHYSAD__TRY(physad__call_begin(&call, detector->ctx, NULL, "physad_detector_score"));
    const physad_status status = score_all(detector, photos, count, out, &call);
    physad__call_end(&call);
    if (status != PHYSAD_OK)
        drop_results(count, out);
    return status;
}

physad_status physad_detector_score(const physad_detector *detector, const physad_view *photo, physad_result **out)
{
    return physad_detector_score_batch(detector, photo, 1, out);
}
