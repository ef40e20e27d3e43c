/* SPDX-License-Identifier: Apache-2.0 */
/* The feature family: leaves some samples aside, hands the cells of the rest to the method, and scores. */
#include "detect/detect_feature.h"
#include "detect/detect_learn.h"

/* --- scoring --- */

static physad_status new_verdict(physad__verdict *v, const physad__frontend *front, physad__mem *mem)
{
    const int64_t cells = front->height * front->width;
    *v = (physad__verdict){ .map_height = front->input_height, .map_width = front->input_width };
    v->map = physad__alloc_array(mem, v->map_height * v->map_width, sizeof(*v->map), "score map");
    v->sample = physad__alloc_array(mem, cells, sizeof(*v->sample), "nearest patches");
    v->position = physad__alloc_array(mem, cells, sizeof(*v->position), "nearest patches");
    v->distance = physad__alloc_array(mem, cells, sizeof(*v->distance), "nearest patches");
    if (v->map == NULL || v->sample == NULL || v->position == NULL || v->distance == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < cells; i++)
        v->sample[i] = -1;
    return PHYSAD_OK;
}

static void free_verdict(physad__verdict *v)
{
    physad__free(v->map);
    physad__free(v->sample);
    physad__free(v->position);
    physad__free(v->distance);
}

/* From the cells of one photo; `valid` has room for one flag each. */
static physad_status score_cells(const physad_detector *det, const float *input, const float *data, uint8_t *valid,
                                 const int64_t photo[2], physad_result *result, physad__call *call)
{
    const physad__feature_model *m = det->model;
    const physad__frontend *front = &m->front;
    const physad__cells c = { data, valid, front->height, front->width, front->dim };
    physad__verdict v = { 0 };
    PHYSAD__TRY(physad__frontend_valid(front, det->ctx, photo[0], photo[1], valid));
    PHYSAD__TRY(physad__frontend_check(front, input, data));
    physad_status status = new_verdict(&v, front, &det->ctx->mem);
    if (status == PHYSAD_OK)
        status = det->method->features->score(det, m->state, &c, &v, call);
    if (status != PHYSAD_OK) {
        free_verdict(&v);
        return status;
    }
    result->score = v.score;
    result->photo_height = photo[0];
    result->photo_width = photo[1];
    result->map_height = v.map_height;
    result->map_width = v.map_width;
    result->map = v.map;
    result->grid_height = front->height;
    result->grid_width = front->width;
    result->nearest_sample = v.sample;
    result->nearest_position = v.position;
    result->nearest_distance = v.distance;
    return PHYSAD_OK;
}

physad_status physad__feature_score_inputs(const physad_detector *det, const float *inputs, const int64_t (*photo)[2],
                                           int64_t count, physad_result *const *results, physad__fault *faults,
                                           physad__call *call)
{
    const physad__frontend *front = &((const physad__feature_model *)det->model)->front;
    physad__mem *mem = &det->ctx->mem;
    const int64_t cells = front->height * front->width, pixels = front->input_height * front->input_width * 3;
    float *data = physad__alloc_array(mem, count * cells, (size_t)front->dim * sizeof(*data), "features");
    uint8_t *valid = physad__alloc(mem, (size_t)cells, "features");
    physad_status status =
        data != NULL && valid != NULL ? physad__frontend_cells(front, inputs, count, data) : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < count && status == PHYSAD_OK; i++) {
        status =
            score_cells(det, inputs + i * pixels, data + i * cells * front->dim, valid, photo[i], results[i], call);
        if (physad__may_skip(status)) {
            physad__fault_take(&faults[i], status);
            status = PHYSAD_OK;
        }
    }
    physad__free(data);
    physad__free(valid);
    return status;
}

physad_status physad__feature_score(const physad_detector *det, const physad_view *photo, physad_result *result,
                                    physad__call *call)
{
    const physad__frontend *front = &((const physad__feature_model *)det->model)->front;
    const int64_t shape[3] = { front->input_height, front->input_width, 3 },
                  size[1][2] = { { photo->shape[0], photo->shape[1] } };
    physad__fault fault = { PHYSAD_OK, "" };
    float *input = physad__alloc_array(&det->ctx->mem, shape[0] * shape[1] * 3, sizeof(*input), "photo");
    if (input == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_view out = physad_view_array(input, PHYSAD_F32, 3, shape);
    physad_status status = physad_transform_apply(front->transform, photo, &out);
    if (status == PHYSAD_OK)
        status = physad__feature_score_inputs(det, input, size, 1, &result, &fault, call);
    physad__free(input);
    return status == PHYSAD_OK ? physad__fault_publish(&fault) : status;
}

/* Scores of the samples in `apart`, as physad__feature_score() would give them. */
static physad_status score_apart(const physad_detector *det, const physad__feature_model *m, const physad_bank *apart,
                                 double *scores, physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const physad__frontend *front = &m->front;
    const int64_t cells = front->height * front->width, count = physad_bank_count(apart);
    physad__verdict v = { 0 };
    float *data = physad__alloc_array(mem, cells * front->dim, sizeof(*data), "features");
    uint8_t *valid = physad__alloc(mem, (size_t)cells, "features");
    physad_status status = data != NULL && valid != NULL ? new_verdict(&v, front, mem) : PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "calibration", count);
    for (int64_t row = 0; status == PHYSAD_OK && row < count;) {
        const int64_t sample = physad_bank_sample(apart, row);
        const physad__cells c = { data, valid, front->height, front->width, front->dim };
        row += physad__cells_spread(apart, row, front, data, valid);
        status = det->method->features->score(det, m->state, &c, &v, call);
        scores[sample] = v.score;
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, row);
    }
    free_verdict(&v);
    physad__free(data);
    physad__free(valid);
    return status;
}

/* --- fitting --- */

/* The rows of `all` whose sample is aside or not. */
static physad_status select_side(physad_bank **out, const physad_bank *all, const uint8_t *aside, uint8_t side,
                                 physad__mem *mem)
{
    const int64_t count = physad_bank_count(all);
    int64_t n = 0;
    int64_t *rows = physad__alloc_array(mem, count, sizeof(*rows), "rows");
    if (rows == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < count; i++)
        if (aside[physad_bank_sample(all, i)] == side)
            rows[n++] = i;
    const physad_view v = physad_view_array(rows, PHYSAD_I64, 1, &n);
    const physad_status status = physad_bank_select(out, all, &v);
    physad__free(rows);
    return status;
}

/* Fits the method on store, teaches it the lesson if there is one, scores apart. */
static physad_status fit_method(physad_detector *det, physad__feature_model *m, const physad_bank *store,
                                const physad_bank *apart, const physad_bank *lesson, double *scores, physad__call *call)
{
    PHYSAD__TRY(det->method->features->fit(det, &m->front, store, call, &m->state));
    if (lesson != NULL)
        PHYSAD__TRY(det->method->features->learn(det, &m->front, store, lesson, call, m->state));
    return physad_bank_count(apart) > 0 ? score_apart(det, m, apart, scores, call) : PHYSAD_OK;
}

/* From all features, which the model keeps. */
static physad_status fit_kept(physad_detector *det, physad__feature_model *m, const uint8_t *aside, double *scores,
                              physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    physad_bank *store = NULL, *apart = NULL;
    physad_status status = select_side(&store, m->kept, aside, 0, mem);
    if (status == PHYSAD_OK)
        status = select_side(&apart, m->kept, aside, 1, mem);
    if (status == PHYSAD_OK)
        status = fit_method(det, m, store, apart, NULL, scores, call);
    physad_bank_free(store);
    physad_bank_free(apart);
    return status;
}

void physad__feature_free(void *model)
{
    physad__feature_model *m = model;
    if (m == NULL)
        return;
    if (m->state != NULL)
        m->method->free(m->state);
    physad__frontend_close(&m->front);
    physad_bank_free(m->kept);
    if (m->weights != m->file)
        physad_tensors_free(m->weights);
    physad_tensors_free(m->file); /* after the banks that map it */
    json_decref(m->origin_of_weights);
    physad__free(m);
}

physad_status physad__feature_model_new(physad__feature_model **out, const physad_detector *det)
{
    *out = physad__alloc_zero(&det->ctx->mem, sizeof(**out), "model");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->method = det->method->features;
    return PHYSAD_OK;
}

/* Keeping everything is asked for, or comes for free. */
static bool keeps_features(const physad_detector *det)
{
    return physad__option_bool(det, "keep_features") || physad__option_real(det, "coreset_ratio") == 1;
}

/* What stands in the way of the texture; NULL: nothing. Its weight comes from all samples: it would be another without
 * one of them. */
static const char *no_texture(const physad_detector *det, bool keep)
{
    if (keep)
        return "keep_features=true (or coreset_ratio=1): the features of a sample would hang on all others";
    return physad__option_is(det, "fit", "letterbox") ? "fit=letterbox: the bars have no texture" : NULL;
}

static physad_status open_texture(const physad_detector *det, physad__frontend *front, bool keep)
{
    const char *reason = no_texture(det, keep);
    if (!det->method->features->texture || physad__option_is(det, "texture", "none"))
        return PHYSAD_OK;
    if (reason != NULL)
        return physad__option_is(det, "texture", "auto")
                   ? PHYSAD_OK
                   : physad__error(PHYSAD_ERR_ARG, "%s: texture=local does not go with %s; want texture=none or auto",
                                   det->method->name, reason);
    return physad__texture_open(front, 1);
}

/* Made-up defects are of use on a surface, where they may lie anywhere: there the texture is in use. */
static bool wants_lesson(const physad_detector *det, const physad__frontend *front)
{
    if (!det->method->features->learns || physad__option_is(det, "learn", "none"))
        return false;
    return physad__option_is(det, "learn", "painted") ||
           (front->texture != 0 && physad__option_is(det, "calibrate", "position"));
}

static physad_status check_lesson(const physad_detector *det, bool keep)
{
    const char *reason =
        keep ? "keep_features=true (or coreset_ratio=1): what is learned of a sample would hang on all others" : NULL;
    if (!det->method->features->learns || !physad__option_is(det, "learn", "painted"))
        return PHYSAD_OK;
    if (physad__option_is(det, "calibrate", "none"))
        reason = "calibrate=none: distances and what is learned would have no common unit";
    return reason == NULL
               ? PHYSAD_OK
               : physad__error(PHYSAD_ERR_ARG, "%s: learn=painted does not go with %s; want learn=none or auto",
                               det->method->name, reason);
}

/* *lesson stays NULL where none is wanted. */
static physad_status read_lesson(const physad_detector *det, physad__frontend *front, const physad_dataset *normals,
                                 const uint8_t *aside, physad_bank **lesson, physad__call *call)
{
    if (!wants_lesson(det, front))
        return PHYSAD_OK;
    PHYSAD__TRY(physad__frontend_levels(front));
    PHYSAD__TRY(physad_bank_new(lesson, det->ctx, front->dim, NULL));
    return physad__lesson_read(det, front, normals, aside, *lesson, call);
}

physad_status physad__feature_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                  double *scores, physad__call *call, void **model)
{
    physad__feature_model *m;
    physad_bank *banks[2] = { NULL, NULL };
    const bool keep = keeps_features(det);
    const physad__reading what = { normals, 0, keep ? NULL : aside, banks, det->origin->sizes };
    PHYSAD__TRY(check_lesson(det, keep));
    PHYSAD__TRY(physad__feature_model_new(&m, det));
    physad_status status = physad__transform_make(&det->origin->transform, det);
    if (status == PHYSAD_OK)
        status = physad__frontend_open(&m->front, det, det->origin->transform, NULL, NULL);
    if (status == PHYSAD_OK)
        status = open_texture(det, &m->front, keep);
    if (status == PHYSAD_OK)
        status = physad_bank_new(&banks[0], det->ctx, m->front.dim, NULL);
    if (status == PHYSAD_OK && !keep)
        status = physad_bank_new(&banks[1], det->ctx, m->front.dim, NULL);
    if (status == PHYSAD_OK)
        status = physad__cells_read(det, &m->front, &what, call);
    if (status == PHYSAD_OK && m->front.texture != 0)
        status = physad__texture_settle(&m->front, banks[0], banks[1], physad__option_is(det, "texture", "local"));
    if (status == PHYSAD_OK && keep) {
        m->kept = banks[0];
        banks[0] = NULL;
        status = fit_kept(det, m, aside, scores, call);
    } else if (status == PHYSAD_OK) {
        physad_bank *lesson = NULL;
        status = read_lesson(det, &m->front, normals, aside, &lesson, call);
        if (status == PHYSAD_OK)
            status = fit_method(det, m, banks[0], banks[1], lesson, scores, call);
        physad_bank_free(lesson);
    }
    if (status == PHYSAD_OK)
        status = physad__feature_take_weights(det, m);
    physad_bank_free(banks[0]);
    physad_bank_free(banks[1]);
    if (status != PHYSAD_OK) {
        physad__feature_free(m);
        return status;
    }
    *model = m;
    return PHYSAD_OK;
}

/* --- adding and removing --- */

/* The kept rows without the dropped samples, these renumbered. */
static physad_status copy_kept(physad_bank *out, const physad_bank *kept, const physad__frontend *front,
                               const uint8_t *drop, physad__mem *mem)
{
    const int64_t cells = front->height * front->width, count = physad_bank_count(kept);
    float *data = physad__alloc_array(mem, cells * front->dim, sizeof(*data), "features");
    uint8_t *valid = physad__alloc(mem, (size_t)cells, "features");
    physad_status status = data != NULL && valid != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    int64_t before = 0, numbered = 0;
    for (int64_t row = 0; status == PHYSAD_OK && row < count;) {
        const int64_t sample = physad_bank_sample(kept, row);
        row += physad__cells_spread(kept, row, front, data, valid);
        for (; before < sample; before++)
            numbered += drop == NULL || !drop[before];
        if (drop == NULL || !drop[sample])
            status = physad__cells_append(out, mem, data, valid, cells, front->dim, numbered);
    }
    physad__free(data);
    physad__free(valid);
    return status;
}

/* The new list of samples: those not dropped, then those of `more`. */
static physad_status new_origin(physad__origin **out, const physad_detector *det, const physad_dataset *more,
                                const uint8_t *drop)
{
    const physad__origin *old = det->origin;
    const int64_t added = more != NULL ? physad_dataset_count(more) : 0;
    int64_t n = 0;
    for (int64_t i = 0; i < old->count; i++)
        n += drop == NULL || !drop[i];
    PHYSAD__TRY(physad__origin_make(out, det->ctx, n + added));
    physad_status status = PHYSAD_OK;
    n = 0;
    for (int64_t i = 0; i < old->count && status == PHYSAD_OK; i++) {
        if (drop != NULL && drop[i])
            continue;
        (*out)->sizes[n][0] = old->sizes[i][0];
        (*out)->sizes[n][1] = old->sizes[i][1];
        status = physad__origin_name(*out, n++, old->paths[i], old->groups[i]);
    }
    for (int64_t i = 0; i < added && status == PHYSAD_OK; i++) {
        const physad_sample *s = physad_dataset_sample(more, i);
        status = physad__origin_name(*out, n++, s->path, s->group);
    }
    if (status == PHYSAD_OK)
        status = physad__transform_make(&(*out)->transform, det);
    if (status != PHYSAD_OK) {
        physad__origin_release(*out);
        *out = NULL;
    }
    return status;
}

/* Everything that refit builds anew and that takes the old one's place when all went well. */
static physad_status refit_into(physad_detector *det, physad__feature_model *m, physad__origin *origin,
                                const physad_dataset *more, const uint8_t *drop, physad__call *call)
{
    const physad__feature_model *old = det->model;
    physad__origin *before = det->origin;
    physad__mem *mem = &det->ctx->mem;
    const int64_t n = origin->count, added = more != NULL ? physad_dataset_count(more) : 0;
    uint8_t *aside = physad__alloc_zero(mem, (size_t)n, "samples");
    double *scores = physad__alloc_zero(mem, (size_t)n * sizeof(*scores), "scores");
    physad_status status = aside != NULL && scores != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__frontend_open(&m->front, det, origin->transform, old->weights, NULL);
    if (status == PHYSAD_OK) /* once more: the transform is now the options', which a file need not hold as it was */
        status = physad__cells_check(old->kept, &m->front, before->count);
    if (status == PHYSAD_OK)
        status = physad_bank_new(&m->kept, det->ctx, m->front.dim, NULL);
    if (status == PHYSAD_OK)
        status = copy_kept(m->kept, old->kept, &m->front, drop, mem);
    if (status == PHYSAD_OK && added > 0) {
        physad_bank *const banks[2] = { m->kept, m->kept };
        const physad__reading what = { more, n - added, NULL, banks, origin->sizes };
        status = physad__cells_read(det, &m->front, &what, call);
    }
    if (status == PHYSAD_OK)
        status = physad__calibration_split(det, (const char *const *)origin->groups, n, aside);
    if (status == PHYSAD_OK) {
        det->origin = origin; /* methods name samples by it */
        status = fit_kept(det, m, aside, scores, call);
        if (status == PHYSAD_OK)
            status = physad__calibrate(det, (const char *const *)origin->groups, aside, scores, n);
        det->origin = before;
    }
    physad__free(aside);
    physad__free(scores);
    return status;
}

physad_status physad__feature_refit(physad_detector *det, const physad_dataset *more, const uint8_t *drop,
                                    physad__call *call)
{
    physad__feature_model *old = det->model, *m;
    physad__origin *origin = NULL;
    if (old->kept == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: the model does not keep the features of its samples; fit it with "
                             "keep_features=true to add or remove some",
                             det->method->name);
    PHYSAD__TRY(physad__feature_model_new(&m, det));
    physad_status status = new_origin(&origin, det, more, drop);
    if (status == PHYSAD_OK)
        status = refit_into(det, m, origin, more, drop, call);
    if (status != PHYSAD_OK) {
        physad__feature_free(m);
        physad__origin_release(origin);
        return status;
    }
    m->weights = old->weights;
    m->file = old->file;
    m->origin_of_weights = json_incref(old->origin_of_weights);
    old->weights = old->file = NULL;
    det->model = m;
    physad__feature_free(old);
    physad__origin_release(det->origin);
    det->origin = origin;
    return PHYSAD_OK;
}
