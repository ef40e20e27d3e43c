/* SPDX-License-Identifier: Apache-2.0 */
/* Exact k nearest neighbours: the public call, the split over threads, and the way that compares all rows. */
#include "bank/bank_approx.h"
#include "bank/bank_plan.h"

#include "physad_config.h"

#include <float.h>

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif

#define PARTS_FROM 16 /* panels for each thread from which it pays to share one query */
#define ROUNDS 4 /* units of each thread between two looks at cancelling */

/* --- few rows: all of them, in f32, then in double what rounding leaves open --- */

#define MOST_ROWS 1024       /* beyond so many, and half of them where rows are wide, a plan is faster */
#define FEW 32               /* queries of one unit of work */
#define GROUP 32             /* distances looked at together */
#define PAIRS 64
#define PART 512             /* elements taken together: rows of so many stay in the nearest cache for all queries */
#define PART_BYTES (24 << 10)

/* The lowest of each GROUP of n numbers that are not negative: such are ordered as their bits are, of which compilers
 * make vectors. */
static void lowest_of_groups(const float *values, int64_t n, float *lowest)
{
    for (int64_t first = 0; first < n; first += GROUP, lowest++) {
        const int64_t count = physad__min(GROUP, n - first);
        int32_t least = INT32_MAX;
        for (int64_t i = 0; i < count; i++) {
            int32_t bits;
            memcpy(&bits, values + first + i, sizeof(bits));
            least = bits < least ? bits : least;
        }
        memcpy(lowest, &least, sizeof(least));
    }
}

/* The k-th lowest of n numbers, k <= n. */
static float kth_lowest(const float *values, int64_t n, int32_t k)
{
    float lowest[PHYSAD_BANK_MAX_K];
    int32_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (kept == k && values[i] >= lowest[k - 1])
            continue;
        int32_t at = kept < k ? kept++ : k - 1;
        for (; at > 0 && lowest[at - 1] > values[i]; at--)
            lowest[at] = lowest[at - 1];
        lowest[at] = values[i];
    }
    return lowest[kept - 1];
}

/* The f32 distance beyond which a row cannot be among the k nearest, where the k-th lowest is `near`: both may be off
 * by (d + 4) * 2^-23. */
static float limit_beside(float near, int64_t d)
{
    const double limit = fmax((double)near * (1 + (double)(2 * d + 32) * 0x1p-23), 1e-30) * (1 + 0x1p-19);
    return limit < 0.25 * (double)FLT_MAX ? (float)limit
                                          : INFINITY; /* an infinite distance is beyond half of FLT_MAX */
}

/* Pairs that wait to be decided: eight at a time cost little more than one. */
typedef struct pairs {
    int64_t n, query[PAIRS], row[PAIRS];
} pairs;

static void decide_pairs(pairs *p, physad__top *top, const physad__rows *rows, const float *queries)
{
    double exact[PAIRS];
    rows->kernels->exact_pairs(exact, queries, rows->d, p->query, rows->data, rows->d, p->row, p->n, rows->d);
    for (int64_t i = 0; i < p->n; i++)
        physad__top_insert(&top[p->query[i]], exact[i], p->row[i]);
    p->n = 0;
}

/* Queries of a unit against all rows. `near` holds FEW x MOST_ROWS. */
static void search_all_rows(const physad__rows *rows, const float *queries, int64_t n, int32_t k, double *squared,
                            int64_t *indices, float *near)
{
    physad__top top[FEW];
    pairs waiting = { .n = 0 };
    const int64_t d = rows->d,
                  step = physad__max(4, PART_BYTES / (int64_t)sizeof(float) / physad__min(d, PART) / 4 * 4);
    memset(near, 0, (size_t)(n * rows->n) * sizeof(float));
    for (int64_t j = 0; j < d; j += PART)
        for (int64_t first = 0; first < rows->n; first += step)
            rows->kernels->tile_distances(near + first, rows->n, queries + j, d, n, rows->data + first * d + j, d,
                                          physad__min(step, rows->n - first), physad__min(PART, d - j));
    for (int64_t q = 0; q < n; q++) {
        float lowest[MOST_ROWS / GROUP];
        const float *own = near + q * rows->n;
        lowest_of_groups(own, rows->n, lowest);
        const float nearest =
            k == 1 ? kth_lowest(lowest, (rows->n + GROUP - 1) / GROUP, 1) : kth_lowest(own, rows->n, k);
        const float limit = limit_beside(nearest, d);
        physad__top_init(&top[q], k, squared + q * k, indices + q * k);
        for (int64_t i = 0; i < rows->n; i++) {
            if (i % GROUP == 0 && lowest[i / GROUP] > limit) {
                i += GROUP - 1;
                continue;
            }
            if (own[i] > limit)
                continue;
            waiting.query[waiting.n] = q;
            waiting.row[waiting.n++] = i;
            if (waiting.n == PAIRS)
                decide_pairs(&waiting, top, rows, queries);
        }
    }
    decide_pairs(&waiting, top, rows, queries);
}

/* --- the split --- */

/* Queries of one unit of work: whole blocks, but some for every thread. */
static int64_t unit_size(int64_t n, int64_t threads, bool planned)
{
    return planned ? physad__max(1, physad__min(PHYSAD__BLOCK, (n + threads - 1) / threads)) : FEW;
}

/* The plan that a search needs; NULL with OK where the rows are few. */
static physad_status search_plan(const physad_bank *bank, const physad__plan **plan, physad__call *call)
{
    *plan = NULL;
    return bank->count > (bank->dim > PART ? MOST_ROWS / 2 : MOST_ROWS) ? physad__bank_plan(bank, plan, call)
                                                                        : PHYSAD_OK;
}

/* One search and how it is spread. */
typedef struct job {
    physad__rows rows;
    const physad__plan *plan;
    int64_t threads, each; /* scratch bytes of a thread */
    char *scratch;
} job;

static void search_unit(const job *j, const float *queries, int64_t n, int32_t k, double *squared, int64_t *indices)
{
    char *scratch = j->scratch + THREAD * j->each;
    if (j->plan != NULL)
        physad__plan_search(j->plan, &j->rows, queries, n, k, 0, j->plan->panels, squared, indices, scratch);
    else
        search_all_rows(&j->rows, queries, n, k, squared, indices, (void *)scratch);
}

/* Fewer queries than threads: each thread takes a part of the rows, and the parts' nearest are put together. */
static void search_parts(const job *j, const float *queries, int64_t n, int32_t k, double *squared, int64_t *indices)
{
    const int64_t panels = j->plan->panels, answers = n * k * (int64_t)(sizeof(double) + sizeof(int64_t));
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (int64_t t = 0; t < j->threads; t++) {
        double *own = (void *)(j->scratch + t * j->each);
        physad__plan_search(j->plan, &j->rows, queries, n, k, panels * t / j->threads, panels * (t + 1) / j->threads,
                            own, (int64_t *)(void *)(own + n * k), (char *)own + (answers + 63) / 64 * 64);
    }
    for (int64_t q = 0; q < n; q++) {
        physad__top top;
        physad__top_init(&top, k, squared + q * k, indices + q * k);
        for (int64_t t = 0; t < j->threads; t++) {
            const double *own = (void *)(j->scratch + t * j->each);
            const int64_t *index = (const int64_t *)(const void *)(own + n * k);
            for (int32_t i = 0; i < k && index[q * k + i] >= 0; i++)
                physad__top_insert(&top, own[q * k + i], index[q * k + i]);
        }
    }
}

physad_status physad__bank_search(const physad_bank *bank, const float *queries, int64_t n, int32_t k, double *squared,
                                  int64_t *indices, physad__call *call)
{
    const int64_t d = bank->dim;
    job j = { .rows = { physad__bank_rows(bank), bank->count, d, physad__kernels_get(bank->ctx->cpu_flags) },
              .threads = bank->ctx->threads };
    PHYSAD__TRY(search_plan(bank, &j.plan, call));
    const int64_t unit = unit_size(n, j.threads, j.plan != NULL), round = j.threads * unit * ROUNDS;
    const bool parts = j.plan != NULL && n < j.threads && j.plan->panels >= PARTS_FROM * j.threads;
    j.each = j.plan != NULL ? physad__plan_scratch(j.plan) : FEW * j.rows.n * (int64_t)sizeof(float);
    if (parts)
        j.each += (n * k * (int64_t)(sizeof(double) + sizeof(int64_t)) + 63) / 64 * 64;
    j.scratch = physad__alloc_array(&bank->ctx->mem, j.threads * j.each, 1, "working memory of the search");
    physad_status status = j.scratch != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && parts) {
        search_parts(&j, queries, n, k, squared, indices);
        status = physad__call_tick(call, n);
    }
    for (int64_t first = 0; first < n && status == PHYSAD_OK && !parts; first += round) {
        const int64_t end = physad__min(n, first + round);
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(dynamic) num_threads((int)j.threads)
#endif
        for (int64_t q = first; q < end; q += unit)
            search_unit(&j, queries + q * d, physad__min(unit, end - q), k, squared + q * k, indices + q * k);
        status = physad__call_tick(call, end);
    }
    physad__free(j.scratch);
    return status;
}

physad_status physad_bank_prepare(const physad_bank *bank, const physad_call_options *call)
{
    physad__call state;
    const physad__plan *plan;
    if (bank == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_prepare: the bank is NULL");
    PHYSAD__TRY(physad__call_begin(&state, bank->ctx, call, "physad_bank_prepare"));
    const physad_status status = search_plan(bank, &plan, &state);
    physad__call_end(&state);
    return status;
}

static physad_status check_output(const physad_view *view, const char *name, bool is_index, int64_t n, int64_t k)
{
    const int64_t shape[2] = { n, k };
    if (view == NULL)
        return PHYSAD_OK;
    if (!is_index && view->dtype == PHYSAD_F32)
        return physad__view_want(view, name, PHYSAD_F32, 2, shape);
    return physad__view_want(view, name, is_index ? PHYSAD_I64 : PHYSAD_F64, 2, shape);
}

/* The queries row-major: theirs where they lie so, else a copy. */
static physad_status pack_queries(physad_context *ctx, const physad_view *view, int64_t d, float **copy,
                                  const float **queries)
{
    const int64_t n = view->shape[0];
    *copy = NULL;
    *queries = view->data;
    if (physad__view_is_contiguous(view) && (uintptr_t)view->data % sizeof(float) == 0)
        return PHYSAD_OK;
    *copy = physad__alloc_array(&ctx->mem, n * d, sizeof(float), "queries");
    if (*copy == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            memcpy(*copy + i * d + j, (const char *)view->data + i * view->stride[0] + j * view->stride[1],
                   sizeof(float));
    *queries = *copy;
    return PHYSAD_OK;
}

static void write_distances(const physad_view *out, const double *squared, int64_t count, bool keep_squared)
{
    for (int64_t i = 0; i < count; i++) {
        const double value = keep_squared ? squared[i] : sqrt(squared[i]);
        if (out->dtype == PHYSAD_F32)
            ((float *)out->data)[i] = (float)value;
        else
            ((double *)out->data)[i] = value;
    }
}

static physad_status search_packed(const physad_bank *bank, const float *queries, int64_t n, int32_t k,
                                   const physad_view *distances, const physad_view *indices, uint32_t flags,
                                   physad__call *call)
{
    physad_context *ctx = bank->ctx;
    PHYSAD__TRY(physad__rows_finite(queries, n, bank->dim, bank->dim, "physad_bank_search: queries"));
    double *squared = physad__alloc_array(&ctx->mem, n * k, sizeof(double), "distances");
    int64_t *index =
        indices != NULL ? indices->data : physad__alloc_array(&ctx->mem, n * k, sizeof(int64_t), "indices");
    physad_status status = squared != NULL && index != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && (flags & PHYSAD_SEARCH_APPROX)) {
        const physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim,
                                    physad__kernels_get(ctx->cpu_flags) };
        status = physad__approx_search(bank->approx, &rows, queries, n, k, squared, index, call);
    } else if (status == PHYSAD_OK) {
        status = physad__bank_search(bank, queries, n, k, squared, index, call);
    }
    if (status == PHYSAD_OK && distances != NULL)
        write_distances(distances, squared, n * k, flags & PHYSAD_SEARCH_SQUARED);
    if (indices == NULL)
        physad__free(index);
    physad__free(squared);
    return status;
}

physad_status physad_bank_search(const physad_bank *bank, const physad_view *queries, int32_t k,
                                 const physad_view *distances, const physad_view *indices,
                                 const physad_search_options *options, const physad_call_options *call)
{
    physad_search_options o = PHYSAD_SEARCH_OPTIONS_INIT;
    char text[160];
    if (bank == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_search: the bank is NULL");
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_search_options"));
    if (o.flags & ~(PHYSAD_SEARCH_SQUARED | PHYSAD_SEARCH_APPROX))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_search_options: flags 0x%x are not all known", o.flags);
    if (k < 1 || k > PHYSAD_BANK_MAX_K)
        return physad__error(PHYSAD_ERR_ARG, "physad_bank_search: k is %d, want 1 to %d", k, PHYSAD_BANK_MAX_K);
    PHYSAD__TRY(physad__view_check(queries, "physad_bank_search: queries"));
    if (queries->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "physad_bank_search: queries have dtype %s, want f32",
                             physad_dtype_name(queries->dtype));
    if (queries->ndim != 2 || queries->shape[1] != bank->dim)
        return physad__error(PHYSAD_ERR_SHAPE, "physad_bank_search: queries have shape %s, want (n,%lld)",
                             physad__shape_text(text, sizeof(text), queries->ndim, queries->shape),
                             (long long)bank->dim);
    const int64_t n = queries->shape[0];
    PHYSAD__TRY(check_output(distances, "physad_bank_search: distances", false, n, k));
    PHYSAD__TRY(check_output(indices, "physad_bank_search: indices", true, n, k));
    physad__call state;
    PHYSAD__TRY(physad__call_begin(&state, bank->ctx, call, "physad_bank_search"));
    physad__call_stage(&state, "search", n);
    float *copy = NULL;
    const float *packed = NULL;
    physad_status status = PHYSAD_OK;
    if (bank->count == 0)
        status = physad__error(PHYSAD_ERR_STATE, "physad_bank_search: the bank is empty; add rows first");
    else if ((o.flags & PHYSAD_SEARCH_APPROX) && bank->approx == NULL)
        status = physad__error(PHYSAD_ERR_STATE, "physad_bank_search: the bank has no approximate index; call "
                                                 "physad_bank_build_approx() after its last change");
    if (status == PHYSAD_OK && n > 0)
        status = pack_queries(bank->ctx, queries, bank->dim, &copy, &packed);
    if (status == PHYSAD_OK && n > 0)
        status = search_packed(bank, packed, n, k, distances, indices, o.flags, &state);
    physad__free(copy);
    physad__call_end(&state);
    return status;
}
