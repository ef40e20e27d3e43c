/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of Gaussians as handles: arrays in, planes inside, arrays out. */
#include "splat/splat_internal.h"

#include <math.h>

enum { ARRAYS = PHYSAD__SPLAT_ARRAYS };

const char *const physad__splat_array_names[PHYSAD__SPLAT_ARRAYS] = { "xyz", "log_scale", "quaternion", "opacity",
                                                                      "harmonics" };

void physad__splat_arrays(physad_view out[PHYSAD__SPLAT_ARRAYS], float *planes, int64_t stride, int64_t count,
                          int32_t degree)
{
    static const int64_t first[ARRAYS] = { 0, 3, 6, 10, 11 }, parts[ARRAYS] = { 3, 3, 4, 1, 3 };
    const int64_t row = stride * (int64_t)sizeof(float);
    for (int k = 0; k < ARRAYS; k++)
        out[k] = (physad_view){ .data = planes != NULL ? planes + first[k] * stride : NULL,
                                .shape = { count, parts[k] },
                                .stride = { sizeof(float), row },
                                .dtype = PHYSAD_F32,
                                .ndim = k == 3 ? 1 : 2 };
    physad_view *const h = &out[4];
    h->ndim = 3;
    h->shape[1] = physad__splat_coefficients(degree);
    h->shape[2] = 3;
    h->stride[1] = 3 * row;
    h->stride[2] = row;
}

int32_t physad__splat_degree(int64_t coefficients)
{
    return coefficients == 1 ? 0 : coefficients == 4 ? 1 : coefficients == 9 ? 2 : coefficients == 16 ? 3 : -1;
}

physad_status physad__splat_view_want(const physad_view *view, const char *call, const char *name, bool written,
                                      int32_t ndim, const int64_t *shape)
{
    char what[96], got[160], wanted[160];
    physad__snprintf(what, sizeof(what), "%s: %s", call, name);
    PHYSAD__TRY(physad__view_check(view, what));
    if (written && (view->flags & PHYSAD_VIEW_READONLY))
        return physad__error(PHYSAD_ERR_ARG, "%s: the view is read-only", what);
    if (view->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: got %s, want f32", what, physad_dtype_name(view->dtype));
    bool equal = view->ndim == ndim;
    for (int32_t k = 0; equal && k < ndim; k++)
        equal = shape[k] < 0 || view->shape[k] == shape[k];
    if (!equal)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: got %s, want %s", what,
                             physad__shape_text(got, sizeof(got), view->ndim, view->shape),
                             physad__shape_text(wanted, sizeof(wanted), ndim, shape));
    return PHYSAD_OK;
}

/* Those given have the shapes of `to`. */
static physad_status check_arrays(const physad_view *const given[ARRAYS], const physad_view to[ARRAYS],
                                  const char *call, bool written)
{
    for (int k = 0; k < ARRAYS; k++)
        if (given[k] != NULL)
            PHYSAD__TRY(physad__splat_view_want(given[k], call, physad__splat_array_names[k], written, to[k].ndim,
                                                to[k].shape));
    return PHYSAD_OK;
}

physad_status physad__splat_arrays_give(const physad_view *const to[PHYSAD__SPLAT_ARRAYS],
                                        const physad_view from[PHYSAD__SPLAT_ARRAYS], const char *call)
{
    PHYSAD__TRY(check_arrays(to, from, call, true));
    for (int k = 0; k < ARRAYS; k++)
        if (to[k] != NULL)
            PHYSAD__TRY(physad__view_copy(to[k], &from[k]));
    return PHYSAD_OK;
}

/* --- the handle --- */

static physad_status check_numbers(const physad__gaussians *g, const char *call)
{
    const int planes = physad__splat_plane_count(g->degree);
    for (int k = 0; k < planes; k++)
        for (int64_t i = 0; i < g->count; i++)
            if (!isfinite(g->planes[k * g->stride + i]))
                return physad__error(PHYSAD_ERR_NUMERIC, "%s: %s of Gaussian %lld holds %g, want finite numbers", call,
                                     physad__splat_array_names[(k > 2) + (k > 5) + (k > 9) + (k > 10)], (long long)i,
                                     (double)g->planes[k * g->stride + i]);
    for (int64_t i = 0; i < g->count; i++) {
        double square = 0;
        for (int k = 6; k < 10; k++)
            square += (double)g->planes[k * g->stride + i] * (double)g->planes[k * g->stride + i];
        if (!(square > 1e-30))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "%s: quaternion of Gaussian %lld is zero: it tells no rotation (1 0 0 0 is none)",
                                 call, (long long)i);
    }
    return PHYSAD_OK;
}

/* All zeros, room for `count`. */
static float *planes_new(physad_context *ctx, int64_t stride, int32_t degree)
{
    return physad__alloc_zero(&ctx->mem, (size_t)(physad__splat_plane_count(degree) * stride + 1) * sizeof(float),
                              "Gaussians");
}

/* New planes: the old ones' numbers, where there are any, and over them those given. */
static physad_status take_arrays(physad_gaussians *g, const physad_view *const given[ARRAYS], const char *call)
{
    physad_view to[ARRAYS];
    physad__gaussians next = g->set;
    next.planes = planes_new(g->ctx, next.stride, next.degree);
    if (next.planes == NULL)
        return PHYSAD_ERR_NOMEM;
    if (g->set.planes != NULL)
        memcpy(next.planes, g->set.planes,
               (size_t)(physad__splat_plane_count(next.degree) * next.stride) * sizeof(float));
    physad__splat_arrays(to, next.planes, next.stride, next.count, next.degree);
    physad_status status = PHYSAD_OK;
    for (int k = 0; k < ARRAYS && status == PHYSAD_OK; k++)
        if (given[k] != NULL && next.count > 0)
            status = physad__view_copy(&to[k], given[k]);
    if (status == PHYSAD_OK)
        status = check_numbers(&next, call);
    if (status != PHYSAD_OK) {
        physad__free(next.planes);
        return status;
    }
    physad__free(g->set.planes);
    g->set = next;
    g->version++;
    return PHYSAD_OK;
}

/* Count and degree from the arrays' shapes, and that all agree. */
static physad_status measure_arrays(physad__gaussians *set, const physad_view *const given[ARRAYS], const char *call)
{
    static const int64_t any[3] = { -1, -1, 3 };
    physad_view to[ARRAYS];
    for (int k = 0; k < ARRAYS; k++)
        if (given[k] == NULL)
            return physad__error(PHYSAD_ERR_ARG, "%s: %s is NULL", call, physad__splat_array_names[k]);
    PHYSAD__TRY(physad__splat_view_want(given[4], call, "harmonics", false, 3, any));
    set->count = given[4]->shape[0];
    set->degree = physad__splat_degree(given[4]->shape[1]);
    if (set->degree < 0)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: harmonics: got %lld coefficients, want 1, 4, 9 or 16", call,
                             (long long)given[4]->shape[1]);
    if (set->count > INT32_MAX / 64)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: got %lld Gaussians, want %d at most", call, (long long)set->count,
                             INT32_MAX / 64);
    set->stride = physad__splat_stride(set->count);
    physad__splat_arrays(to, NULL, set->stride, set->count, set->degree);
    return check_arrays(given, to, call, false);
}

static physad_status handle_new(physad_gaussians **out, physad_context *ctx)
{
    *out = physad__alloc_zero(&ctx->mem, sizeof(**out), "Gaussians");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->ctx = physad__context_retain(ctx);
    (*out)->references = 1;
    return PHYSAD_OK;
}

physad_status physad_gaussians_new(physad_gaussians **out, physad_context *ctx, const physad_view *xyz,
                                   const physad_view *log_scale, const physad_view *quaternion,
                                   const physad_view *opacity_logit, const physad_view *harmonics)
{
    const physad_view *const given[ARRAYS] = { xyz, log_scale, quaternion, opacity_logit, harmonics };
    physad__gaussians set = { 0 };
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_gaussians_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_gaussians_new"));
    PHYSAD__TRY(measure_arrays(&set, given, "physad_gaussians_new"));
    physad_gaussians *g;
    PHYSAD__TRY(handle_new(&g, ctx));
    g->set = set;
    const physad_status status = take_arrays(g, given, "physad_gaussians_new");
    if (status != PHYSAD_OK) {
        physad_gaussians_free(g);
        return status;
    }
    *out = g;
    return PHYSAD_OK;
}

physad_status physad__gaussians_handle(physad_gaussians **out, physad_context *ctx, const physad__gaussians *set)
{
    physad_gaussians *g;
    PHYSAD__TRY(handle_new(&g, ctx));
    g->set = (physad__gaussians){ .count = set->count, .stride = set->stride, .degree = set->degree,
                                    .nearest = set->nearest };
    g->set.planes = planes_new(ctx, set->stride, set->degree);
    if (g->set.planes == NULL) {
        physad_gaussians_free(g);
        return PHYSAD_ERR_NOMEM;
    }
    memcpy(g->set.planes, set->planes, (size_t)(physad__splat_plane_count(set->degree) * set->stride) * sizeof(float));
    *out = g;
    return PHYSAD_OK;
}

physad_gaussians *physad__gaussians_retain(physad_gaussians *gaussians)
{
    gaussians->references++;
    return gaussians;
}

void physad_gaussians_free(physad_gaussians *g)
{
    if (g == NULL || --g->references > 0)
        return;
    physad_context *ctx = g->ctx;
    physad__free(g->set.planes);
    physad__free(g);
    physad_context_free(ctx);
}

physad_context *physad__gaussians_context(const physad_gaussians *gaussians)
{
    return gaussians->ctx;
}

const physad__gaussians *physad__gaussians_set_of(const physad_gaussians *gaussians)
{
    return &gaussians->set;
}

int64_t physad_gaussians_count(const physad_gaussians *gaussians)
{
    return gaussians != NULL ? gaussians->set.count : 0;
}

int32_t physad_gaussians_harmonics(const physad_gaussians *gaussians)
{
    return gaussians != NULL ? physad__splat_coefficients(gaussians->set.degree) : 0;
}

physad_status physad__gaussians_check(const physad_gaussians *gaussians, const char *what)
{
    if (gaussians == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: gaussians is NULL", what);
    return physad__context_check(gaussians->ctx, what);
}

physad_status physad_gaussians_set(physad_gaussians *g, const physad_view *xyz, const physad_view *log_scale,
                                   const physad_view *quaternion, const physad_view *opacity_logit,
                                   const physad_view *harmonics)
{
    const physad_view *const given[ARRAYS] = { xyz, log_scale, quaternion, opacity_logit, harmonics };
    physad_view own[ARRAYS];
    PHYSAD__TRY(physad__gaussians_check(g, "physad_gaussians_set"));
    physad__splat_arrays(own, g->set.planes, g->set.stride, g->set.count, g->set.degree);
    PHYSAD__TRY(check_arrays(given, own, "physad_gaussians_set", false));
    return take_arrays(g, given, "physad_gaussians_set");
}

physad_status physad_gaussians_get(const physad_gaussians *g, const physad_view *to_xyz,
                                   const physad_view *to_log_scale, const physad_view *to_quaternion,
                                   const physad_view *to_opacity, const physad_view *to_harmonics)
{
    const physad_view *const to[ARRAYS] = { to_xyz, to_log_scale, to_quaternion, to_opacity, to_harmonics };
    physad_view own[ARRAYS];
    PHYSAD__TRY(physad__gaussians_check(g, "physad_gaussians_get"));
    physad__splat_arrays(own, g->set.planes, g->set.stride, g->set.count, g->set.degree);
    return physad__splat_arrays_give(to, own, "physad_gaussians_get");
}
