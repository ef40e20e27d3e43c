/* SPDX-License-Identifier: Apache-2.0 */
/* Building the plan: axes, order, codes. */
#include "bank/bank_approx.h"
#include "bank/bank_plan.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

static int most_threads(void)
{
#ifdef PHYSAD_HAVE_OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

static int this_thread(void)
{
#ifdef PHYSAD_HAVE_OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Scratch of each thread: `count` elements apiece. */
static void *thread_scratch(physad_context *ctx, int64_t count, size_t size)
{
    int64_t all;
    if (physad__mul_overflow(count, most_threads(), &all))
        all = -1;
    return physad__alloc_array(&ctx->mem, all, size, "working memory of the bank");
}

#define ROUND 4096 /* panels between two looks at cancelling */

/* The places: rows whose leading coordinates the scale cuts go last, where their large errors loosen no other panel. */
static void order_places(physad__plan *plan, const float *points, int64_t dims, float edge)
{
    int64_t front = 0, back = plan->n;
    for (int64_t i = 0; i < plan->n; i++) {
        bool inside = true;
        for (int64_t j = 0; j < dims; j++)
            inside = inside && fabsf(points[i * dims + j]) <= edge;
        plan->row[inside ? front++ : --back] = (int32_t)i;
    }
    physad__order_near(plan->row, front, points, dims);
    physad__order_near(plan->row + back, plan->n - back, points, dims);
    for (int64_t i = plan->n; i < plan->panels * PHYSAD__PANEL; i++)
        plan->row[i] = -1;
}

static physad_status find_order(physad__plan *plan, const physad__rows *rows, physad__call *call)
{
    physad_context *ctx = call->ctx;
    physad_status status = PHYSAD_OK;
    const physad__axes *axes = &plan->axes;
    const int64_t dims = axes->lead_dims, scratch_size = physad__axes_scratch(axes);
    const float edge = (float)(127.5 / axes->scale) * (axes->basis != NULL ? 3.0f : 1.0f);
    float *points = physad__alloc_array(&ctx->mem, rows->n * dims, sizeof(float), "order of the bank");
    double *scratch = thread_scratch(ctx, scratch_size, sizeof(double));
    if (points == NULL || scratch == NULL) {
        physad__free(points);
        physad__free(scratch);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t done = 0; done < rows->n && status == PHYSAD_OK; done += ROUND * PHYSAD__PANEL) {
        const int64_t end = physad__min(rows->n, done + ROUND * PHYSAD__PANEL);
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
        for (int64_t first = done; first < end; first += PHYSAD__PANEL) {
            const float *x[PHYSAD__PANEL];
            const int64_t n = physad__min(PHYSAD__PANEL, rows->n - first);
            for (int64_t i = 0; i < n; i++)
                x[i] = rows->data + (first + i) * rows->d;
            physad__axes_lead(axes, x, n, points + first * dims, scratch + this_thread() * scratch_size);
        }
        status = physad__call_tick(call, end);
    }
    physad__free(scratch);
    if (status == PHYSAD_OK)
        order_places(plan, points, dims, edge);
    physad__free(points);
    return status;
}

/* One panel: codes of its rows, then the same turned for the scan. */
static void encode_panel(physad__plan *plan, const physad__rows *rows, int64_t p, int8_t *z, double *scratch)
{
    const physad__axes *axes = &plan->axes;
    const int64_t first = p * PHYSAD__PANEL, n = physad__min(PHYSAD__PANEL, plan->n - first), size = axes->size;
    const float *x[PHYSAD__PANEL];
    float scan_error[PHYSAD__PANEL], most = 0;
    int32_t scan_norm[PHYSAD__PANEL];
    for (int64_t i = 0; i < n; i++)
        x[i] = rows->data + plan->row[first + i] * rows->d;
    const physad__codes out = { .z = z,
                                .error = plan->error + first,
                                .scan_error = scan_error,
                                .norm = plan->norm + first,
                                .scan_norm = scan_norm };
    memset(z, 0, (size_t)(PHYSAD__PANEL * size));
    physad__axes_encode(axes, x, n, 1, 127, &out, scratch);
    uint8_t *codes = plan->codes + first * size, *scan = plan->scan + p * axes->scan_dims * PHYSAD__PANEL;
    for (int64_t i = 0; i < PHYSAD__PANEL * size; i++)
        codes[i] = (uint8_t)(z[i] + 128);
    for (int64_t g = 0; g < axes->scan_dims / 4; g++)
        for (int64_t i = 0; i < PHYSAD__PANEL; i++)
            memcpy(scan + (g * PHYSAD__PANEL + i) * 4, codes + i * size + g * 4, 4);
    for (int64_t i = 0; i < PHYSAD__PANEL; i++) {
        plan->bias[first + i] = i < n ? -(scan_norm[i] / (2 * plan->step)) : PHYSAD__BIAS_NEVER;
        if (i < n)
            most = fmaxf(most, scan_error[i]);
        else
            plan->error[first + i] = 0, plan->norm[first + i] = 0;
    }
    plan->scan_error[p] = most;
}

static void average_leaf(physad__plan *plan, int64_t leaf)
{
    const int64_t size = plan->axes.size, first = leaf * PHYSAD__LEAF, n = physad__min(PHYSAD__LEAF, plan->n - first);
    uint8_t *out = plan->leaf + leaf * size;
    int32_t norm = 0;
    for (int64_t j = 0; j < size; j++) {
        int64_t sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += plan->codes[(first + i) * size + j];
        out[j] = (uint8_t)((sum + n / 2) / n);
        norm += (out[j] - 128) * (out[j] - 128);
    }
    plan->leaf_norm[leaf] = norm;
}

static physad_status encode_rows(physad__plan *plan, const physad__rows *rows, physad__call *call)
{
    physad_context *ctx = call->ctx;
    const int64_t scratch_size = physad__axes_scratch(&plan->axes), z_size = PHYSAD__PANEL * plan->axes.size;
    double *scratch = thread_scratch(ctx, scratch_size, sizeof(double));
    int8_t *z = thread_scratch(ctx, z_size, 1);
    physad_status status = scratch != NULL && z != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t done = 0; done < plan->panels && status == PHYSAD_OK; done += ROUND) {
        const int64_t end = physad__min(plan->panels, done + ROUND);
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
        for (int64_t p = done; p < end; p++)
            encode_panel(plan, rows, p, z + this_thread() * z_size, scratch + this_thread() * scratch_size);
        status = physad__call_tick(call, rows->n + physad__min(rows->n, end * PHYSAD__PANEL));
    }
    if (status == PHYSAD_OK) {
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
        for (int64_t leaf = 0; leaf < plan->leaves; leaf++)
            average_leaf(plan, leaf);
    }
    physad__free(scratch);
    physad__free(z);
    return status;
}

/* Cuts the region into the arrays; called with NULL it only adds their sizes up. */
static size_t lay_out(physad__plan *plan, uint8_t *base)
{
    const int64_t places = plan->panels * PHYSAD__PANEL, size = plan->axes.size;
    size_t at = 0;
#define TAKE(field, count)                                                       \
    do {                                                                         \
        plan->field = base != NULL ? (void *)(base + at) : NULL;                 \
        at += ((size_t)(count) * sizeof(*plan->field) + 63) / 64 * 64;           \
    } while (0)
    TAKE(codes, places * size);
    TAKE(scan, places * plan->axes.scan_dims);
    TAKE(leaf, plan->leaves * size);
    TAKE(row, places);
    TAKE(norm, places);
    TAKE(bias, places);
    TAKE(error, places);
    TAKE(scan_error, plan->panels);
    TAKE(leaf_norm, plan->leaves);
#undef TAKE
    return at;
}

static physad_status build(physad__plan *plan, const physad__spill *spill, const physad__rows *rows,
                           const int64_t *samples, physad__call *call)
{
    physad_context *ctx = call->ctx;
    plan->n = rows->n;
    plan->step = rows->kernels->code_max >= 127 ? 1 : 2;
    plan->panels = (rows->n + PHYSAD__PANEL - 1) / PHYSAD__PANEL;
    plan->leaves = (rows->n + PHYSAD__LEAF - 1) / PHYSAD__LEAF;
    PHYSAD__TRY(physad__axes_find(&plan->axes, ctx, rows, samples));
    PHYSAD__TRY(physad__call_tick(call, 0));
    PHYSAD__TRY(physad__region_resize(&plan->region, ctx, spill, lay_out(plan, NULL), "search structure of the bank"));
    lay_out(plan, plan->region.data);
    PHYSAD__TRY(find_order(plan, rows, call));
    return encode_rows(plan, rows, call);
}

physad_status physad__plan_new(physad__plan **out, const physad__spill *spill, const physad__rows *rows,
                               const int64_t *samples, physad__call *call)
{
    const char *stage = call->stage;
    const int64_t total = call->total;
    physad__plan *plan = physad__alloc_zero(&call->ctx->mem, sizeof(*plan), "search structure of the bank");
    *out = NULL;
    if (plan == NULL)
        return PHYSAD_ERR_NOMEM;
    plan->region = (physad__region)PHYSAD__REGION_EMPTY;
    physad__call_stage(call, "index", 2 * rows->n);
    const physad_status status = build(plan, spill, rows, samples, call);
    physad__call_stage(call, stage, total);
    if (status != PHYSAD_OK) {
        physad__plan_free(plan);
        return status;
    }
    *out = plan;
    return PHYSAD_OK;
}

void physad__plan_free(physad__plan *plan)
{
    if (plan == NULL)
        return;
    physad__region_free(&plan->region);
    physad__axes_free(&plan->axes);
    physad__free(plan);
}

void physad__bank_changed(physad_bank *bank)
{
    physad__plan_free(bank->plan);
    bank->plan = NULL;
    physad__approx_free(bank->approx);
    bank->approx = NULL;
}

physad_status physad__bank_plan(const physad_bank *bank, const physad__plan **plan, physad__call *call)
{
    physad_bank *own = (physad_bank *)(uintptr_t)bank; /* the plan is no part of what the bank is */
    physad_status status = PHYSAD_OK;
    *plan = NULL;
    if (bank->count < PHYSAD__PLAN_FEWEST)
        return PHYSAD_OK;
    pthread_mutex_lock(&own->lock);
    if (own->plan == NULL) {
        const physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim,
                                    physad__kernels_get(bank->ctx->cpu_flags) };
        status = physad__plan_new(&own->plan, &bank->spill, &rows, bank->samples, call);
    }
    *plan = own->plan;
    pthread_mutex_unlock(&own->lock);
    return status;
}
