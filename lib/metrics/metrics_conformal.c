/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

/* 20 * 0.05 must be 1 although neither 0.05 nor the product is exact. */
static const double SLACK = 1e-12;

typedef struct calibration {
    double *score;  /* the greatest of each group, ascending */
    int64_t *group; /* scratch */
    int32_t *order;
    int64_t count;
} calibration;

static void calibration_free(calibration *c)
{
    physad__free(c->score);
    physad__free(c->group);
    physad__free(c->order);
}

static int compare_groups(int32_t a, int32_t b, const void *user)
{
    const int64_t *group = user;
    return group[a] < group[b] ? -1 : group[a] > group[b];
}

static double score_at(const physad_view *v, int64_t i)
{
    const char *p = (const char *)v->data + i * v->stride[0];
    float narrow;
    double wide;
    if (v->dtype == PHYSAD_F64) {
        memcpy(&wide, p, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, p, sizeof(narrow));
    return (double)narrow;
}

static physad_status check_views(const physad_view *scores, const physad_view *groups)
{
    char shape[160];
    PHYSAD__TRY(physad__view_check(scores, "conformal: scores"));
    if (scores->dtype != PHYSAD_F32 && scores->dtype != PHYSAD_F64)
        return physad__error(PHYSAD_ERR_DTYPE, "conformal: scores have dtype %s, want f32 or f64",
                             physad_dtype_name(scores->dtype));
    if (scores->ndim != 1 || scores->shape[0] > INT32_MAX / 2)
        return physad__error(PHYSAD_ERR_SHAPE, "conformal: scores have shape %s, want (n)",
                             physad__shape_text(shape, sizeof(shape), scores->ndim, scores->shape));
    if (groups == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__view_check(groups, "conformal: groups"));
    if (groups->dtype != PHYSAD_I64)
        return physad__error(PHYSAD_ERR_DTYPE, "conformal: groups have dtype %s, want i64",
                             physad_dtype_name(groups->dtype));
    if (groups->ndim != 1 || groups->shape[0] != scores->shape[0])
        return physad__error(PHYSAD_ERR_SHAPE, "conformal: groups have shape %s, want (%lld), as the scores",
                             physad__shape_text(shape, sizeof(shape), groups->ndim, groups->shape),
                             (long long)scores->shape[0]);
    return PHYSAD_OK;
}

/* The greatest score of each group, sorted. */
static void take_greatest(calibration *c, const physad_view *scores, const physad_view *groups, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        c->group[i] = i;
        if (groups != NULL)
            memcpy(&c->group[i], (const char *)groups->data + i * groups->stride[0], sizeof(*c->group));
        c->order[i] = (int32_t)i;
    }
    physad__sort_ids(c->order, c->order + n, n, compare_groups, c->group);
    for (int64_t i = 0; i < n; i++) {
        const double score = score_at(scores, c->order[i]);
        if (i == 0 || c->group[c->order[i]] != c->group[c->order[i - 1]])
            c->score[c->count++] = score;
        else if (score > c->score[c->count - 1])
            c->score[c->count - 1] = score;
    }
    physad__sort_doubles(c->score, c->count);
}

static physad_status calibration_new(calibration *c, physad_context *ctx, const physad_view *scores,
                                     const physad_view *groups)
{
    PHYSAD__TRY(physad__context_check(ctx, "conformal"));
    PHYSAD__TRY(check_views(scores, groups));
    const int64_t n = scores->shape[0];
    for (int64_t i = 0; i < n; i++)
        if (isnan(score_at(scores, i)))
            return physad__error(PHYSAD_ERR_NUMERIC, "conformal: scores[%lld] is NaN", (long long)i);
    *c = (calibration){ .count = 0 };
    c->score = physad__alloc_array(&ctx->mem, n, sizeof(*c->score), "calibration scores");
    c->group = physad__alloc_array(&ctx->mem, n, sizeof(*c->group), "calibration groups");
    c->order = physad__alloc_array(&ctx->mem, 2 * n, sizeof(*c->order), "calibration groups");
    if (c->score == NULL || c->group == NULL || c->order == NULL) {
        calibration_free(c);
        return PHYSAD_ERR_NOMEM;
    }
    take_greatest(c, scores, groups, n);
    return PHYSAD_OK;
}

int64_t physad_conformal_needed(double alpha)
{
    if (!(alpha > 0 && alpha < 1))
        return -1;
    const double needed = ceil(1 / alpha * (1 - SLACK)) - 1;
    return needed < 1 ? 1 : (needed > 0x1p62 ? INT64_MAX : (int64_t)needed);
}

physad_status physad_conformal_fit(physad_conformal *conformal, physad_context *context, const physad_view *scores,
                                   const physad_view *groups, double alpha)
{
    calibration c;
    if (conformal == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_conformal_fit: conformal is NULL");
    const uint32_t size = conformal->struct_size;
    if (size < sizeof(*conformal) || size > 4096)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_conformal_fit: struct_size is %u; initialise it with PHYSAD_CONFORMAL_INIT", size);
    if (!(alpha > 0 && alpha < 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_conformal_fit: alpha is %g, want a rate in (0, 1)", alpha);
    PHYSAD__TRY(calibration_new(&c, context, scores, groups));
    const double n = (double)c.count;
    /* Of the n + 1 places that a new group may take among the calibration groups, those that lie above the threshold.
     */
    const int64_t exceed = physad__min((int64_t)floor((n + 1) * alpha * (1 + SLACK)), c.count);
    if (exceed < 1 || c.count == 0) {
        const long long count = (long long)c.count;
        calibration_free(&c);
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "a false-alarm rate of %g cannot be promised with %lld calibration group%s: at least "
                             "%lld are needed (alpha >= 1 / (n + 1))",
                             alpha, count, count == 1 ? "" : "s", (long long)physad_conformal_needed(alpha));
    }
    const int64_t rank = c.count + 1 - exceed;
    memset(conformal, 0, size);
    *conformal = (physad_conformal){
        .struct_size = size,
        .alpha = alpha,
        .threshold = c.score[rank - 1],
        .count = c.count,
        .rank = rank,
        .rate_mean = (double)exceed / (n + 1),
        .rate_lower = physad__beta_quantile(0.025, (double)exceed, (double)rank),
        .rate_upper = physad__beta_quantile(0.975, (double)exceed, (double)rank),
    };
    calibration_free(&c);
    return PHYSAD_OK;
}

physad_status physad_conformal_p_value(double *p_value, physad_context *context, const physad_view *scores,
                                       const physad_view *groups, double score)
{
    calibration c;
    int64_t at_least = 0;
    if (p_value == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_conformal_p_value: p_value is NULL");
    if (isnan(score))
        return physad__error(PHYSAD_ERR_NUMERIC, "physad_conformal_p_value: score is NaN");
    PHYSAD__TRY(calibration_new(&c, context, scores, groups));
    while (at_least < c.count && c.score[c.count - 1 - at_least] >= score)
        at_least++;
    *p_value = (double)(1 + at_least) / (double)(c.count + 1);
    calibration_free(&c);
    return PHYSAD_OK;
}
