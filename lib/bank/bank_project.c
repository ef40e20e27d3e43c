/* SPDX-License-Identifier: Apache-2.0 */
/* Projections of the rows, in which a coreset may be picked. A component is the f32 of its sum of products, added in
 * double in index order; zeros of the matrix are left out, which changes no sum.
 *
 * The sparse matrix follows Li, Hastie and Church (2006), with the width of Johnson and Lindenstrauss' lemma as
 * scikit-learn's SparseRandomProjection has it: int(4 ln n / (eps^2 / 2 - eps^3 / 3)) components; each of them has
 * Binomial(dim, 1 / sqrt(dim)) elements, placed without repetition, of +-sqrt(1 / density) / sqrt(components). The
 * draws are our own generator's. */
#include "bank/bank_greedy.h"

#include "physad_config.h"

#define STREAM_MATRIX 0x70726f6au /* of the seed */
#define LANES 8                   /* rows taken together */

static const double DEFAULT_EPS = 0.9;

/* Non-zero elements, row by row. */
typedef struct sparse {
    int64_t *start; /* n + 1 */
    int32_t *column;
    double *value;
    int64_t n, capacity, values;
} sparse;

static void sparse_free(sparse *m)
{
    physad__free(m->start);
    physad__free(m->column);
    physad__free(m->value);
}

static physad_status sparse_room(sparse *m, physad__mem *mem, int64_t count)
{
    PHYSAD__TRY(physad__grow(mem, &m->column, &m->capacity, count, sizeof(*m->column), "projection"));
    return physad__grow(mem, &m->value, &m->values, count, sizeof(*m->value), "projection");
}

int64_t physad__projection_width(int64_t n, double eps)
{
    const double e = eps > 0 ? eps : DEFAULT_EPS;
    const double width = 4 * log((double)n) / (e * e / 2 - e * e * e / 3);
    return width < PHYSAD_BANK_MAX_DIM + 1.0 ? (int64_t)width : PHYSAD_BANK_MAX_DIM + 1;
}

static int compare_columns(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b);
}

static physad_status draw(sparse *m, physad__mem *mem, int64_t width, int64_t d, uint64_t seed)
{
    const double density = 1 / sqrt((double)d);
    const double value = (double)(float)(sqrt(1 / density) / sqrt((double)width));
    physad__rng rng;
    physad__rng_seed(&rng, seed, STREAM_MATRIX);
    int64_t *columns = physad__alloc_array(mem, d, sizeof(int64_t), "projection");
    physad_status status = columns != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < width && status == PHYSAD_OK; i++) {
        const int64_t at = m->start[i];
        int64_t count = 0;
        for (int64_t j = 0; j < d; j++) {
            count += physad__rng_uniform(&rng) < density;
            columns[j] = j;
        }
        status = sparse_room(m, mem, at + count);
        for (int64_t j = 0; j < count && status == PHYSAD_OK; j++) {
            const int64_t k = j + physad__rng_below(&rng, d - j), kept = columns[j];
            columns[j] = columns[k];
            columns[k] = kept;
            m->column[at + j] = (int32_t)columns[j];
        }
        if (status != PHYSAD_OK)
            break;
        qsort(m->column + at, (size_t)count, sizeof(int32_t), compare_columns);
        for (int64_t j = 0; j < count; j++)
            m->value[at + j] = (physad__rng_next(&rng) >> 63) ? value : -value;
        m->start[i + 1] = at + count;
    }
    physad__free(columns);
    return status;
}

static physad_status compress(sparse *m, physad__mem *mem, const float *matrix, int64_t d)
{
    for (int64_t i = 0; i < m->n; i++) {
        int64_t at = m->start[i];
        PHYSAD__TRY(sparse_room(m, mem, at + d));
        for (int64_t j = 0; j < d; j++)
            if (matrix[i * d + j] != 0) {
                m->column[at] = (int32_t)j;
                m->value[at++] = (double)matrix[i * d + j];
            }
        m->start[i + 1] = at;
    }
    return PHYSAD_OK;
}

/* Up to LANES rows: turned, so that a product is taken for all of them at once. */
static void project(const sparse *m, const float *rows, int64_t n, int64_t d, float *out, double *turned)
{
    for (int64_t j = 0; j < d; j++)
        for (int64_t r = 0; r < LANES; r++)
            turned[j * LANES + r] = r < n ? (double)rows[r * d + j] : 0;
    for (int64_t i = 0; i < m->n; i++) {
        double sum[LANES] = { 0 };
        for (int64_t k = m->start[i]; k < m->start[i + 1]; k++) {
            const double *x = turned + (int64_t)m->column[k] * LANES, value = m->value[k];
            for (int r = 0; r < LANES; r++)
                sum[r] += value * x[r];
        }
        for (int64_t r = 0; r < n; r++)
            out[r * m->n + i] = (float)sum[r];
    }
}

static physad_status project_all(const sparse *m, const physad__rows *rows, float *out, physad__call *call)
{
    const int64_t threads = call->ctx->threads, each = rows->d * LANES, round = threads * 1024;
    double *turned = physad__alloc_array(&call->ctx->mem, threads * each, sizeof(double), "projection");
    physad_status status = turned != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t first = 0; first < rows->n && status == PHYSAD_OK; first += round) {
        const int64_t end = physad__min(rows->n, first + round), share = (end - first + threads - 1) / threads;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
        for (int64_t t = 0; t < threads; t++)
            for (int64_t i = first + t * share; i < physad__min(end, first + (t + 1) * share); i += LANES)
                project(m, rows->data + i * rows->d, physad__min(LANES, physad__min(end, first + (t + 1) * share) - i),
                        rows->d, out + i * m->n, turned + t * each);
        status = physad__call_tick(call, end);
    }
    physad__free(turned);
    return status;
}

physad_status physad__project(physad__region *region, const physad_bank *bank, const physad_coreset_options *o,
                              uint64_t seed, physad__rows *out, physad__call *call)
{
    physad__mem *mem = &bank->ctx->mem;
    const bool given = o->projection == PHYSAD_PROJECTION_GIVEN;
    const physad__rows rows = { physad__bank_rows(bank), bank->count, bank->dim, out->kernels };
    sparse m = { .n = given ? o->matrix->shape[0] : physad__projection_width(bank->count, o->eps) };
    m.start = physad__alloc_zero(mem, (size_t)(m.n + 1) * sizeof(int64_t), "projection");
    physad_status status = m.start != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = given ? compress(&m, mem, o->matrix->data, bank->dim) : draw(&m, mem, m.n, bank->dim, seed);
    if (status == PHYSAD_OK)
        status = physad__region_resize(region, bank->ctx, &bank->spill,
                                       (size_t)bank->count * (size_t)m.n * sizeof(float), "projection of the bank");
    physad__call_stage(call, "projection", bank->count);
    if (status == PHYSAD_OK)
        status = project_all(&m, &rows, region->data, call);
    if (status == PHYSAD_OK)
        status = physad__rows_finite(region->data, bank->count, m.n, m.n, "physad_bank_coreset: the projection");
    *out = (physad__rows){ region->data, bank->count, m.n, out->kernels };
    sparse_free(&m);
    return status;
}
