/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances of one query to listed rows with AVX-512. Shapes and layout as in c/distances_c.c; no alignment.
 * exact_distances: eight rows at a time are transposed, so that each lane adds its own row's terms in index order, multiplication
 * and addition apart: the same bits as the reference. Masked loads serve the tail of d; rows beyond n repeat the last one.
 * distances: f32, four rows at a time, two partial sums of 16 lanes each by FMA; terms are positive, so the bound of the
 * reference holds. Masked loads serve the tail of d and touch nothing beyond it. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

INLINE const float *row_at(const float *rows, int64_t stride, const int64_t *index, int64_t i)
{
    return rows + (index != NULL ? index[i] : i) * stride;
}

/* In: r[i] holds eight elements of row i. Out: r[j] holds element j of the eight rows. */
INLINE void transpose(__m256 r[8])
{
    const __m256 a0 = _mm256_unpacklo_ps(r[0], r[1]), a1 = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 a2 = _mm256_unpacklo_ps(r[2], r[3]), a3 = _mm256_unpackhi_ps(r[2], r[3]);
    const __m256 a4 = _mm256_unpacklo_ps(r[4], r[5]), a5 = _mm256_unpackhi_ps(r[4], r[5]);
    const __m256 a6 = _mm256_unpacklo_ps(r[6], r[7]), a7 = _mm256_unpackhi_ps(r[6], r[7]);
    const __m256 b0 = _mm256_shuffle_ps(a0, a2, 0x44), b1 = _mm256_shuffle_ps(a0, a2, 0xee);
    const __m256 b2 = _mm256_shuffle_ps(a1, a3, 0x44), b3 = _mm256_shuffle_ps(a1, a3, 0xee);
    const __m256 b4 = _mm256_shuffle_ps(a4, a6, 0x44), b5 = _mm256_shuffle_ps(a4, a6, 0xee);
    const __m256 b6 = _mm256_shuffle_ps(a5, a7, 0x44), b7 = _mm256_shuffle_ps(a5, a7, 0xee);
    r[0] = _mm256_permute2f128_ps(b0, b4, 0x20);
    r[1] = _mm256_permute2f128_ps(b1, b5, 0x20);
    r[2] = _mm256_permute2f128_ps(b2, b6, 0x20);
    r[3] = _mm256_permute2f128_ps(b3, b7, 0x20);
    r[4] = _mm256_permute2f128_ps(b0, b4, 0x31);
    r[5] = _mm256_permute2f128_ps(b1, b5, 0x31);
    r[6] = _mm256_permute2f128_ps(b2, b6, 0x31);
    r[7] = _mm256_permute2f128_ps(b3, b7, 0x31);
}

INLINE __m512d add_columns(__m512d sum, const float *query, const float *const row[8], int64_t j, int64_t count, __mmask8 mask)
{
    __m256 r[8];
    for (int k = 0; k < 8; k++)
        r[k] = _mm256_maskz_loadu_ps(mask, row[k] + j);
    transpose(r);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        if (k < count) {
            const __m512d difference = _mm512_sub_pd(_mm512_set1_pd((double)query[j + k]), _mm512_cvtps_pd(r[k]));
            sum = _mm512_add_pd(sum, _mm512_mul_pd(difference, difference));
        }
    }
    return sum;
}

void physad__exact_distances_avx512(double *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                                    int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t count = n - i < 8 ? n - i : 8;
        const float *row[8];
        for (int64_t k = 0; k < 8; k++)
            row[k] = row_at(rows, stride, index, i + (k < count ? k : count - 1));
        __m512d sum = _mm512_setzero_pd();
        int64_t j = 0;
        for (; j + 8 <= d; j += 8)
            sum = add_columns(sum, query, row, j, 8, 0xff);
        if (j < d)
            sum = add_columns(sum, query, row, j, d - j, (__mmask8)((1u << (d - j)) - 1));
        _mm512_mask_storeu_pd(out + i, (__mmask8)((1u << count) - 1), sum);
    }
}

INLINE __m512 add_square(__m512 sum, __m512 a, __m512 b)
{
    const __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
}

/* Squared distances to `count` rows, a constant at each call. */
INLINE void distances_of(float *out, const float *query, const float *const row[4], int64_t d, int count)
{
    __m512 even[4], odd[4];
    int64_t j = 0;
    for (int k = 0; k < count; k++)
        even[k] = odd[k] = _mm512_setzero_ps();
    for (; j + 32 <= d; j += 32) {
        const __m512 q0 = _mm512_loadu_ps(query + j), q1 = _mm512_loadu_ps(query + j + 16);
#pragma GCC unroll 4
        for (int k = 0; k < count; k++) {
            even[k] = add_square(even[k], q0, _mm512_loadu_ps(row[k] + j));
            odd[k] = add_square(odd[k], q1, _mm512_loadu_ps(row[k] + j + 16));
        }
    }
    for (; j < d; j += 16) {
        const __mmask16 mask = d - j < 16 ? (__mmask16)((1u << (d - j)) - 1) : 0xffff;
        const __m512 q = _mm512_maskz_loadu_ps(mask, query + j);
#pragma GCC unroll 4
        for (int k = 0; k < count; k++)
            even[k] = add_square(even[k], q, _mm512_maskz_loadu_ps(mask, row[k] + j));
    }
    for (int k = 0; k < count; k++)
        out[k] = _mm512_reduce_add_ps(_mm512_add_ps(even[k], odd[k]));
}

void physad__distances_avx512(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index, int64_t n,
                              int64_t d)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *const row[4] = { row_at(rows, stride, index, i), row_at(rows, stride, index, i + 1),
                                      row_at(rows, stride, index, i + 2), row_at(rows, stride, index, i + 3) };
        distances_of(out + i, query, row, d, 4);
    }
    for (; i < n; i++) {
        const float *const row[4] = { row_at(rows, stride, index, i), NULL, NULL, NULL };
        distances_of(out + i, query, row, d, 1);
    }
}
