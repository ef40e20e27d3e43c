/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances of one query to listed rows, in double and in f32.
 * Shapes: query (d), rows (n, d) with `stride` elements between rows, index (n) or NULL, out (n); tiles: out
 * (n_queries, n). No alignment, no tails. Accumulator: double, in index order (exact_distances: the definition of the
 * bank's truth); f32, in index order (distances). Error of the f32 form: each difference and square is off by 2^-24
 * relatively, and all terms are positive, so the sum is off by at most (d + 2) * 2^-24 plus second order terms: below
 * (d + 4) * 2^-23 for d <= 4096. Higham, Accuracy and Stability, 3.1. */
#include "kernels/kernels_internal.h"

#include <stddef.h>

void physad__exact_distances_c(double *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                               int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + (index != NULL ? index[i] : i) * stride;
        double sum = 0;
        for (int64_t j = 0; j < d; j++) {
            const double difference = (double)query[j] - (double)row[j];
            sum += difference * difference;
        }
        out[i] = sum;
    }
}

void physad__exact_pairs_c(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                           int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        physad__exact_distances_c(out + i, a + a_index[i] * a_stride, b, b_stride, b_index + i, 1, d);
}

void physad__distances_c(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                         int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = rows + (index != NULL ? index[i] : i) * stride;
        float sum = 0;
        for (int64_t j = 0; j < d; j++) {
            const float difference = query[j] - row[j];
            sum += difference * difference;
        }
        out[i] = sum;
    }
}

void physad__tile_distances_c(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                              int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    for (int64_t q = 0; q < n_queries; q++)
        for (int64_t i = 0; i < n; i++) {
            float sum;
            physad__distances_c(&sum, queries + q * query_stride, rows + i * stride, stride, NULL, 1, d);
            out[q * out_stride + i] += sum;
        }
}
