/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

physad_status physad_scores_new(physad_scores **out, physad_context *context)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_scores_new"));
    physad_scores *s = physad__alloc_zero(&context->mem, sizeof(*s), "scores");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    s->ctx = physad__context_retain(context);
    s->types.mem = s->groups.mem = &context->mem;
    *out = s;
    return PHYSAD_OK;
}

void physad_scores_free(physad_scores *scores)
{
    if (scores == NULL)
        return;
    physad_context *ctx = scores->ctx;
    physad__names_free(&scores->types);
    physad__names_free(&scores->groups);
    physad__free(scores->item);
    physad__free(scores->typed_name);
    physad__free(scores->typed_score);
    physad__free(scores);
    physad_context_free(ctx);
}

int64_t physad_scores_count(const physad_scores *scores)
{
    return scores != NULL ? scores->count : 0;
}

static physad_status check_handle(const physad_scores *scores, const char *what)
{
    if (scores == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: scores is NULL", what);
    return physad__context_check(scores->ctx, what);
}

physad_status physad__scores_reserve(physad_scores *scores, int64_t items, int64_t typed)
{
    physad__mem *mem = &scores->ctx->mem;
    if (items > INT32_MAX / 2 - scores->count)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "scores: more than %d samples", INT32_MAX / 2);
    PHYSAD__TRY(
        physad__grow(mem, &scores->item, &scores->capacity, scores->count + items, sizeof(*scores->item), "scores"));
    if (typed == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__grow(mem, &scores->typed_name, &scores->typed_name_capacity, scores->typed_count + typed,
                             sizeof(*scores->typed_name), "scores by type"));
    return physad__grow(mem, &scores->typed_score, &scores->typed_score_capacity, scores->typed_count + typed,
                        sizeof(*scores->typed_score), "scores by type");
}

static physad_status check_typed(int64_t count, const char *const *names, const double *values)
{
    if (count < 0 || count > INT32_MAX || (count > 0 && (names == NULL || values == NULL)))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_scores_add_typed: %lld types, with type_names %s and type_scores %s",
                             (long long)count, names == NULL ? "NULL" : "set", values == NULL ? "NULL" : "set");
    for (int64_t i = 0; i < count; i++) {
        if (names[i] == NULL)
            return physad__error(PHYSAD_ERR_ARG, "physad_scores_add_typed: type_names[%lld] is NULL", (long long)i);
        if (isnan(values[i]))
            return physad__error(PHYSAD_ERR_NUMERIC, "physad_scores_add_typed: the score for type \"%s\" is NaN",
                                 names[i]);
        for (int64_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                return physad__error(PHYSAD_ERR_ARG, "physad_scores_add_typed: type \"%s\" is given twice", names[i]);
    }
    return PHYSAD_OK;
}

/* Sorted by name, so that equal samples compare equal. The room is reserved. Adding 0.0 turns -0 into +0. */
static physad_status append_typed(physad_scores *s, int64_t count, const char *const *names, const double *values)
{
    int32_t *id = s->typed_name + s->typed_count;
    double *value = s->typed_score + s->typed_count;
    for (int64_t i = 0; i < count; i++) {
        int32_t name;
        PHYSAD__TRY(physad__names_intern(&s->types, names[i], &name));
        int64_t j = i;
        for (; j > 0 && strcmp(s->types.text[id[j - 1]], names[i]) > 0; j--) {
            id[j] = id[j - 1];
            value[j] = value[j - 1];
        }
        id[j] = name;
        value[j] = values[i] + 0.0;
    }
    return PHYSAD_OK;
}

physad_status physad_scores_add_typed(physad_scores *scores, double score, int32_t label, const char *type,
                                      const char *group, int64_t count, const char *const *type_names,
                                      const double *type_scores)
{
    physad__score_item item = { .score = score + 0.0, .type = -1, .group = -1, .label = label };
    PHYSAD__TRY(check_handle(scores, "physad_scores_add"));
    if (label != 0 && label != 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_add: label is %d, want 0 (normal) or 1 (anomalous)", label);
    if (isnan(score))
        return physad__error(PHYSAD_ERR_NUMERIC, "physad_scores_add: the score of sample %lld is NaN",
                             (long long)scores->count);
    PHYSAD__TRY(check_typed(count, type_names, type_scores));
    if (label == 1)
        PHYSAD__TRY(physad__names_intern(&scores->types, type != NULL ? type : "anomaly", &item.type));
    if (group != NULL)
        PHYSAD__TRY(physad__names_intern(&scores->groups, group, &item.group));
    PHYSAD__TRY(physad__scores_reserve(scores, 1, count));
    PHYSAD__TRY(append_typed(scores, count, type_names, type_scores));
    item.typed_first = scores->typed_count;
    item.typed_count = (int32_t)count;
    scores->typed_count += count;
    scores->item[scores->count++] = item;
    return PHYSAD_OK;
}

physad_status physad_scores_add(physad_scores *scores, double score, int32_t label, const char *type, const char *group)
{
    return physad_scores_add_typed(scores, score, label, type, group, 0, NULL, NULL);
}

/* --- arrays --- */

static double real_at(const physad_view *v, int64_t i)
{
    const char *p = (const char *)v->data + i * v->stride[0];
    float f;
    double d;
    if (v->dtype == PHYSAD_F32) {
        memcpy(&f, p, sizeof(f));
        return (double)f;
    }
    memcpy(&d, p, sizeof(d));
    return d;
}

static int64_t integer_at(const physad_view *v, int64_t i)
{
    const char *p = (const char *)v->data + i * v->stride[0];
    int32_t narrow;
    int64_t wide;
    switch (v->dtype) {
    case PHYSAD_BOOL: return *p != 0;
    case PHYSAD_U8: return (unsigned char)*p;
    case PHYSAD_I32: memcpy(&narrow, p, sizeof(narrow)); return narrow;
    default: memcpy(&wide, p, sizeof(wide)); return wide;
    }
}

static physad_status check_vector(const physad_view *v, const char *name, int64_t n, const int32_t *dtypes,
                                  const char *wanted)
{
    char shape[160];
    PHYSAD__TRY(physad__view_check(v, name));
    bool known = false;
    for (int i = 0; dtypes[i] != 0; i++)
        known = known || v->dtype == dtypes[i];
    if (!known)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want %s", name, physad_dtype_name(v->dtype), wanted);
    if (v->ndim != 1 || (n >= 0 && v->shape[0] != n))
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want (%s)", name,
                             physad__shape_text(shape, sizeof(shape), v->ndim, v->shape),
                             n < 0 ? "n" : "n, as the scores");
    return PHYSAD_OK;
}

static const int32_t reals[] = { PHYSAD_F32, PHYSAD_F64, 0 };
static const int32_t group_types[] = { PHYSAD_I64, 0 };

physad_status physad_scores_add_array(physad_scores *scores, const physad_view *scores_view, const physad_view *labels,
                                      const physad_view *groups)
{
    static const int32_t label_types[] = { PHYSAD_U8, PHYSAD_BOOL, PHYSAD_I32, PHYSAD_I64, 0 };
    int32_t type, group = -1;
    char text[32];
    PHYSAD__TRY(check_handle(scores, "physad_scores_add_array"));
    PHYSAD__TRY(check_vector(scores_view, "physad_scores_add_array: scores_view", -1, reals, "f32 or f64"));
    const int64_t n = scores_view->shape[0];
    PHYSAD__TRY(check_vector(labels, "physad_scores_add_array: labels", n, label_types, "u8, bool, i32 or i64"));
    if (groups != NULL)
        PHYSAD__TRY(check_vector(groups, "physad_scores_add_array: groups", n, group_types, "i64"));
    for (int64_t i = 0; i < n; i++) {
        const int64_t label = integer_at(labels, i);
        if (isnan(real_at(scores_view, i)))
            return physad__error(PHYSAD_ERR_NUMERIC, "physad_scores_add_array: scores_view[%lld] is NaN", (long long)i);
        if (label != 0 && label != 1)
            return physad__error(PHYSAD_ERR_ARG, "physad_scores_add_array: labels[%lld] is %lld, want 0 or 1",
                                 (long long)i, (long long)label);
    }
    PHYSAD__TRY(physad__scores_reserve(scores, n, 0));
    PHYSAD__TRY(physad__names_intern(&scores->types, "anomaly", &type));
    for (int64_t i = 0; i < n; i++) {
        const int32_t label = (int32_t)integer_at(labels, i);
        if (groups != NULL) {
            physad__snprintf(text, sizeof(text), "%lld", (long long)integer_at(groups, i));
            PHYSAD__TRY(physad__names_intern(&scores->groups, text, &group));
        }
        scores->item[scores->count + i] = (physad__score_item){
            .score = real_at(scores_view, i) + 0.0, .type = label == 1 ? type : -1, .group = group, .label = label
        };
    }
    scores->count += n; /* only now that all of them are good */
    return PHYSAD_OK;
}

physad_status physad_scores_merge(physad_scores *scores, const physad_scores *other)
{
    PHYSAD__TRY(check_handle(scores, "physad_scores_merge"));
    PHYSAD__TRY(check_handle(other, "physad_scores_merge"));
    const int64_t n = other->count, typed = other->typed_count;
    PHYSAD__TRY(physad__scores_reserve(scores, n, typed));
    for (int64_t i = 0; i < n; i++) {
        physad__score_item item = other->item[i];
        if (item.type >= 0)
            PHYSAD__TRY(physad__names_intern(&scores->types, other->types.text[item.type], &item.type));
        if (item.group >= 0)
            PHYSAD__TRY(physad__names_intern(&scores->groups, other->groups.text[item.group], &item.group));
        item.typed_first += scores->typed_count;
        scores->item[scores->count + i] = item;
    }
    for (int64_t i = 0; i < typed; i++) {
        PHYSAD__TRY(physad__names_intern(&scores->types, other->types.text[other->typed_name[i]],
                                         &scores->typed_name[scores->typed_count + i]));
        scores->typed_score[scores->typed_count + i] = other->typed_score[i];
    }
    scores->count += n;
    scores->typed_count += typed;
    return PHYSAD_OK;
}
