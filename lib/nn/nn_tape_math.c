/* SPDX-License-Identifier: Apache-2.0 */
/* Sums and products whose order of adding depends on shapes alone. */
#include "nn/nn_tape_node.h"

#include <cblas.h>

enum {
    BLOCK_ROWS = 128, /* of a product, per call of the library */
    BLOCK_COLUMNS = 2048,
    DEPTH = 1024, /* summands per lane of a long sum */
    GEMM_LANES = 16
};

/* At most this many numbers are kept in partial sums. */
static const int64_t PARTS_MOST = INT64_C(1) << 24;

void physad__tape_add_lanes(const float *lanes, int64_t count, int64_t stride, float *out)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < stride; i++) {
        double sum = 0;
        for (int64_t l = 0; l < count; l++)
            sum += lanes[l * stride + i];
        out[i] += (float)sum;
    }
}

void physad__tape_add_columns(bool bf16, const float *x, int64_t rows, int64_t channels, float *out, float *scratch)
{
    float *rooms = scratch + PHYSAD__TAPE_LANES * channels;
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        float *sum = scratch + l * channels;
        int64_t from, to;
        physad__tape_lane(rows, l, &from, &to);
        memset(sum, 0, (size_t)channels * sizeof(float));
        for (int64_t r = from; r < to; r++) {
            const float *row = physad__tape_span(bf16, x, r * channels, channels, rooms + l * channels);
            for (int64_t c = 0; c < channels; c++)
                sum[c] += row[c];
        }
    }
    physad__tape_add_lanes(scratch, PHYSAD__TAPE_LANES, channels, out);
}

double physad__tape_sum_lanes(const double lanes[PHYSAD__TAPE_LANES])
{
    double sum = 0;
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++)
        sum += lanes[l];
    return sum;
}

/* --- products --- */

static void block(const physad__tape_gemm *g, int64_t row, int64_t rows, int64_t column, int64_t columns, int64_t from,
                  int64_t depth, float *c, int64_t ldc, bool add)
{
    const float *a = g->turn_a ? g->a + from * g->lda + row : g->a + row * g->lda + from;
    const float *b = g->turn_b ? g->b + column * g->ldb + from : g->b + from * g->ldb + column;
    cblas_sgemm(CblasRowMajor, g->turn_a ? CblasTrans : CblasNoTrans, g->turn_b ? CblasTrans : CblasNoTrans, (int)rows,
                (int)columns, (int)depth, 1.0f, a, (int)g->lda, b, (int)g->ldb, add ? 1.0f : 0.0f, c, (int)ldc);
}

static int64_t lanes_of(int64_t m, int64_t n, int64_t k)
{
    const int64_t lanes = physad__min(k / DEPTH, GEMM_LANES);
    return m * n > PARTS_MOST / GEMM_LANES ? 1 : physad__max(lanes, 1);
}

int64_t physad__tape_gemm_scratch(int64_t m, int64_t n, int64_t k)
{
    const int64_t lanes = lanes_of(m, n, k);
    return lanes > 1 ? lanes * m * n * (int64_t)sizeof(float) : 0;
}

static void long_sum(const physad__tape_gemm *g, int64_t lanes, float *scratch)
{
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < lanes; l++) {
        const int64_t from = g->k * l / lanes, to = g->k * (l + 1) / lanes;
        block(g, 0, g->m, 0, g->n, from, to - from, scratch + l * g->m * g->n, g->n, false);
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->n; j++) {
            double sum = g->add ? g->c[i * g->ldc + j] : 0;
            for (int64_t l = 0; l < lanes; l++)
                sum += scratch[(l * g->m + i) * g->n + j];
            g->c[i * g->ldc + j] = (float)sum;
        }
    }
}

void physad__tape_gemm_run(const physad__tape_gemm *g, float *scratch)
{
    const int64_t lanes = lanes_of(g->m, g->n, g->k);
    if (lanes > 1) {
        long_sum(g, lanes, scratch);
        return;
    }
    const int64_t down = (g->m + BLOCK_ROWS - 1) / BLOCK_ROWS, across = (g->n + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < down * across; i++) {
        const int64_t row = i / across * BLOCK_ROWS, column = i % across * BLOCK_COLUMNS;
        block(g, row, physad__min(BLOCK_ROWS, g->m - row), column, physad__min(BLOCK_COLUMNS, g->n - column), 0, g->k,
              g->c + row * g->ldc + column, g->ldc, g->add);
    }
}
