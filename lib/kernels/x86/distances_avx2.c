/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances of one query to listed rows with AVX2. Shapes and layout as in c/distances_c.c; no alignment.
 * exact_distances: four rows at a time are transposed, so that each lane adds its own row's terms in index order,
 * multiplication and addition apart: the same bits as the reference. Tails of d and n in scalar code, in the same
 * order. distances: f32, four partial sums of eight lanes by FMA; terms are positive, so the bound of the reference
 * holds. tile_distances: two queries against four rows, a partial sum of eight lanes for each pair, so that each loaded
 * vector serves two or four pairs; what is left over goes one by one. */
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

void physad__exact_distances_avx2(double *out, const float *query, const float *rows, int64_t stride,
                                  const int64_t *index, int64_t n, int64_t d)
{
    const int64_t whole = d - d % 4;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *r0 = row_at(rows, stride, index, i), *r1 = row_at(rows, stride, index, i + 1);
        const float *r2 = row_at(rows, stride, index, i + 2), *r3 = row_at(rows, stride, index, i + 3);
        __m256d sum = _mm256_setzero_pd();
        for (int64_t j = 0; j < whole; j += 4) {
            __m128 c0 = _mm_loadu_ps(r0 + j), c1 = _mm_loadu_ps(r1 + j), c2 = _mm_loadu_ps(r2 + j),
                   c3 = _mm_loadu_ps(r3 + j);
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

/* Adds the squared difference of one column of four pairs. */
static inline __m256d add_columns(__m256d sum, __m128 a, __m128 b)
{
    const __m256d difference = _mm256_sub_pd(_mm256_cvtps_pd(a), _mm256_cvtps_pd(b));
    return _mm256_add_pd(sum, _mm256_mul_pd(difference, difference));
}

void physad__exact_pairs_avx2(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                              int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d)
{
    const int64_t whole = d - d % 4;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *a0 = row_at(a, a_stride, a_index, i), *a1 = row_at(a, a_stride, a_index, i + 1);
        const float *a2 = row_at(a, a_stride, a_index, i + 2), *a3 = row_at(a, a_stride, a_index, i + 3);
        const float *b0 = row_at(b, b_stride, b_index, i), *b1 = row_at(b, b_stride, b_index, i + 1);
        const float *b2 = row_at(b, b_stride, b_index, i + 2), *b3 = row_at(b, b_stride, b_index, i + 3);
        __m256d sum = _mm256_setzero_pd();
        for (int64_t j = 0; j < whole; j += 4) {
            __m128 p0 = _mm_loadu_ps(a0 + j), p1 = _mm_loadu_ps(a1 + j), p2 = _mm_loadu_ps(a2 + j),
                   p3 = _mm_loadu_ps(a3 + j);
            __m128 q0 = _mm_loadu_ps(b0 + j), q1 = _mm_loadu_ps(b1 + j), q2 = _mm_loadu_ps(b2 + j),
                   q3 = _mm_loadu_ps(b3 + j);
            _MM_TRANSPOSE4_PS(p0, p1, p2, p3);
            _MM_TRANSPOSE4_PS(q0, q1, q2, q3);
            sum = add_columns(sum, p0, q0);
            sum = add_columns(sum, p1, q1);
            sum = add_columns(sum, p2, q2);
            sum = add_columns(sum, p3, q3);
        }
        _mm256_storeu_pd(out + i, sum);
        if (whole < d) {
            out[i] = exact_one(out[i], a0, b0, whole, d);
            out[i + 1] = exact_one(out[i + 1], a1, b1, whole, d);
            out[i + 2] = exact_one(out[i + 2], a2, b2, whole, d);
            out[i + 3] = exact_one(out[i + 3], a3, b3, whole, d);
        }
    }
    for (; i < n; i++)
        out[i] = exact_one(0, row_at(a, a_stride, a_index, i), row_at(b, b_stride, b_index, i), 0, d);
}

static inline __m256 add_square(__m256 sum, const float *a, const float *b)
{
    const __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b));
    return _mm256_fmadd_ps(difference, difference, sum);
}

void physad__distances_avx2(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                            int64_t n, int64_t d)
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

/* Lane i of the result is the sum of vector i. */
static inline __m128 sum_four(__m256 a, __m256 b, __m256 c, __m256 d)
{
    const __m256 abcd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1));
}

static inline __m256 add_difference(__m256 sum, __m256 a, __m256 b)
{
    const __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
}

/* Two queries and four rows; the last d % 8 elements one by one. */
static void tile(float *out0, float *out1, const float *q0, const float *q1, const float *rows, int64_t stride,
                 int64_t d)
{
    const float *r0 = rows, *r1 = rows + stride, *r2 = rows + 2 * stride, *r3 = rows + 3 * stride;
    __m256 a0 = _mm256_setzero_ps(), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    int64_t j = 0;
    for (; j + 8 <= d; j += 8) {
        const __m256 a = _mm256_loadu_ps(q0 + j), b = _mm256_loadu_ps(q1 + j);
        __m256 row = _mm256_loadu_ps(r0 + j);
        a0 = add_difference(a0, a, row);
        b0 = add_difference(b0, b, row);
        row = _mm256_loadu_ps(r1 + j);
        a1 = add_difference(a1, a, row);
        b1 = add_difference(b1, b, row);
        row = _mm256_loadu_ps(r2 + j);
        a2 = add_difference(a2, a, row);
        b2 = add_difference(b2, b, row);
        row = _mm256_loadu_ps(r3 + j);
        a3 = add_difference(a3, a, row);
        b3 = add_difference(b3, b, row);
    }
    __m128 a = sum_four(a0, a1, a2, a3), b = sum_four(b0, b1, b2, b3);
    for (; j < d; j++) {
        const __m128 row = _mm_setr_ps(r0[j], r1[j], r2[j], r3[j]);
        const __m128 da = _mm_sub_ps(_mm_set1_ps(q0[j]), row), db = _mm_sub_ps(_mm_set1_ps(q1[j]), row);
        a = _mm_fmadd_ps(da, da, a);
        b = _mm_fmadd_ps(db, db, b);
    }
    _mm_storeu_ps(out0, _mm_add_ps(_mm_loadu_ps(out0), a));
    _mm_storeu_ps(out1, _mm_add_ps(_mm_loadu_ps(out1), b));
}

/* One query, one row at a time. */
static void add_row(float *out, const float *query, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        float sum;
        physad__distances_avx2(&sum, query, rows + i * stride, stride, NULL, 1, d);
        out[i] += sum;
    }
}

void physad__tile_distances_avx2(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                                 int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    const int64_t whole = n - n % 4;
    int64_t q = 0;
    for (; q + 2 <= n_queries; q += 2) {
        const float *q0 = queries + q * query_stride, *q1 = q0 + query_stride;
        float *out0 = out + q * out_stride, *out1 = out0 + out_stride;
        for (int64_t i = 0; i < whole; i += 4)
            tile(out0 + i, out1 + i, q0, q1, rows + i * stride, stride, d);
        add_row(out0 + whole, q0, rows + whole * stride, stride, n - whole, d);
        add_row(out1 + whole, q1, rows + whole * stride, stride, n - whole, d);
    }
    if (q < n_queries)
        add_row(out + q * out_stride, queries + q * query_stride, rows, stride, n, d);
}
