/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances of one query to listed rows with AVX2. Shapes and layout as in c/distances_c.c; no alignment.
 * exact_distances: four rows at a time are transposed, so that each lane adds its own row's terms in index order, multiplication
 * and addition apart: the same bits as the reference. Tails of d and n in scalar code, in the same order.
 * distances: f32, four partial sums of eight lanes by FMA; terms are positive, so the bound of the reference holds. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

static const float *row_at(const float *rows, int64_t stride, const int64_t *index, int64_t i)
{
    return rows + (index != NULL ? index[i] : i) * stride;
}

static double exact_one(double sum, const float *a, const float *b, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++) {
        const double difference = (double)a[j] - (double)b[j];
        sum += difference * difference;
    }
    return sum;
}

/* Adds the squared difference of one column of four rows. */
static inline __m256d add_column(__m256d sum, __m128 column, float value)
{
    const __m256d difference = _mm256_sub_pd(_mm256_set1_pd((double)value), _mm256_cvtps_pd(column));
    return _mm256_add_pd(sum, _mm256_mul_pd(difference, difference));
}

void physad__exact_distances_avx2(double *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                                  int64_t n, int64_t d)
{
    const int64_t whole = d - d % 4;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *r0 = row_at(rows, stride, index, i), *r1 = row_at(rows, stride, index, i + 1);
        const float *r2 = row_at(rows, stride, index, i + 2), *r3 = row_at(rows, stride, index, i + 3);
        __m256d sum = _mm256_setzero_pd();
        for (int64_t j = 0; j < whole; j += 4) {
            __m128 c0 = _mm_loadu_ps(r0 + j), c1 = _mm_loadu_ps(r1 + j), c2 = _mm_loadu_ps(r2 + j), c3 = _mm_loadu_ps(r3 + j);
            _MM_TRANSPOSE4_PS(c0, c1, c2, c3);
            sum = add_column(sum, c0, query[j]);
            sum = add_column(sum, c1, query[j + 1]);
            sum = add_column(sum, c2, query[j + 2]);
            sum = add_column(sum, c3, query[j + 3]);
        }
        _mm256_storeu_pd(out + i, sum);
        if (whole < d) {
            out[i] = exact_one(out[i], query, r0, whole, d);
            out[i + 1] = exact_one(out[i + 1], query, r1, whole, d);
            out[i + 2] = exact_one(out[i + 2], query, r2, whole, d);
            out[i + 3] = exact_one(out[i + 3], query, r3, whole, d);
        }
    }
    for (; i < n; i++)
        out[i] = exact_one(0, query, row_at(rows, stride, index, i), 0, d);
}

static inline __m256 add_square(__m256 sum, const float *a, const float *b)
{
    const __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b));
    return _mm256_fmadd_ps(difference, difference, sum);
}

void physad__distances_avx2(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index, int64_t n,
                            int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = row_at(rows, stride, index, i);
        __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
        int64_t j = 0;
        for (; j + 32 <= d; j += 32) {
            s0 = add_square(s0, query + j, row + j);
            s1 = add_square(s1, query + j + 8, row + j + 8);
            s2 = add_square(s2, query + j + 16, row + j + 16);
            s3 = add_square(s3, query + j + 24, row + j + 24);
        }
        for (; j + 8 <= d; j += 8)
            s0 = add_square(s0, query + j, row + j);
        s0 = _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3));
        __m128 four = _mm_add_ps(_mm256_castps256_ps128(s0), _mm256_extractf128_ps(s0, 1));
        four = _mm_add_ps(four, _mm_movehl_ps(four, four));
        float sum = _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
        for (; j < d; j++) {
            const float difference = query[j] - row[j];
            sum += difference * difference;
        }
        out[i] = sum;
    }
}
