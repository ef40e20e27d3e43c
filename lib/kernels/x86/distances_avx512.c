/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances of one query to listed rows with AVX-512. Shapes and layout as in c/distances_c.c; no alignment.
 * exact_distances: eight rows at a time are transposed, so that each lane adds its own row's terms in index order,
 * multiplication and addition apart: the same bits as the reference. Masked loads serve the tail of d; rows beyond n
 * repeat the last one. distances: f32, four rows at a time, two partial sums of 16 lanes each by FMA; terms are
 * positive, so the bound of the reference holds. Masked loads serve the tail of d and touch nothing beyond it.
 * tile_distances: four queries against four rows, a partial sum of 16 lanes for each pair, so that each loaded vector
 * serves four pairs; what is left over goes one by one. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

INLINE const float *row_at(const float *rows, int64_t stride, const int64_t *index, int64_t i)
{
    return rows + (index != NULL ? index[i] : i) * stride;
}

/* In: field i holds eight elements of row i. Out: field j holds element j of the eight rows. Fields, not an array:
 * compilers keep these in registers. */
typedef struct square {
    __m256 r0, r1, r2, r3, r4, r5, r6, r7;
} square;

INLINE void transpose(square *s)
{
    const __m256 a0 = _mm256_unpacklo_ps(s->r0, s->r1), a1 = _mm256_unpackhi_ps(s->r0, s->r1);
    const __m256 a2 = _mm256_unpacklo_ps(s->r2, s->r3), a3 = _mm256_unpackhi_ps(s->r2, s->r3);
    const __m256 a4 = _mm256_unpacklo_ps(s->r4, s->r5), a5 = _mm256_unpackhi_ps(s->r4, s->r5);
    const __m256 a6 = _mm256_unpacklo_ps(s->r6, s->r7), a7 = _mm256_unpackhi_ps(s->r6, s->r7);
    const __m256 b0 = _mm256_shuffle_ps(a0, a2, 0x44), b1 = _mm256_shuffle_ps(a0, a2, 0xee);
    const __m256 b2 = _mm256_shuffle_ps(a1, a3, 0x44), b3 = _mm256_shuffle_ps(a1, a3, 0xee);
    const __m256 b4 = _mm256_shuffle_ps(a4, a6, 0x44), b5 = _mm256_shuffle_ps(a4, a6, 0xee);
    const __m256 b6 = _mm256_shuffle_ps(a5, a7, 0x44), b7 = _mm256_shuffle_ps(a5, a7, 0xee);
    s->r0 = _mm256_permute2f128_ps(b0, b4, 0x20);
    s->r1 = _mm256_permute2f128_ps(b1, b5, 0x20);
    s->r2 = _mm256_permute2f128_ps(b2, b6, 0x20);
    s->r3 = _mm256_permute2f128_ps(b3, b7, 0x20);
    s->r4 = _mm256_permute2f128_ps(b0, b4, 0x31);
    s->r5 = _mm256_permute2f128_ps(b1, b5, 0x31);
    s->r6 = _mm256_permute2f128_ps(b2, b6, 0x31);
    s->r7 = _mm256_permute2f128_ps(b3, b7, 0x31);
}

INLINE __m512d add_column(__m512d sum, __m256 column, float value)
{
    const __m512d difference = _mm512_sub_pd(_mm512_set1_pd((double)value), _mm512_cvtps_pd(column));
    return _mm512_add_pd(sum, _mm512_mul_pd(difference, difference));
}

INLINE square load_rows(const float *const row[8], int64_t j, __mmask8 mask)
{
    square s = { _mm256_maskz_loadu_ps(mask, row[0] + j), _mm256_maskz_loadu_ps(mask, row[1] + j),
                 _mm256_maskz_loadu_ps(mask, row[2] + j), _mm256_maskz_loadu_ps(mask, row[3] + j),
                 _mm256_maskz_loadu_ps(mask, row[4] + j), _mm256_maskz_loadu_ps(mask, row[5] + j),
                 _mm256_maskz_loadu_ps(mask, row[6] + j), _mm256_maskz_loadu_ps(mask, row[7] + j) };
    transpose(&s);
    return s;
}

INLINE __m512d add_eight(__m512d sum, const float *query, const float *const row[8], int64_t j)
{
    const square s = load_rows(row, j, 0xff);
    sum = add_column(sum, s.r0, query[j]);
    sum = add_column(sum, s.r1, query[j + 1]);
    sum = add_column(sum, s.r2, query[j + 2]);
    sum = add_column(sum, s.r3, query[j + 3]);
    sum = add_column(sum, s.r4, query[j + 4]);
    sum = add_column(sum, s.r5, query[j + 5]);
    sum = add_column(sum, s.r6, query[j + 6]);
    return add_column(sum, s.r7, query[j + 7]);
}

/* The last count < 8 columns. */
INLINE __m512d add_tail(__m512d sum, const float *query, const float *const row[8], int64_t j, int64_t count)
{
    const square s = load_rows(row, j, (__mmask8)((1u << count) - 1));
    const __m256 columns[7] = { s.r0, s.r1, s.r2, s.r3, s.r4, s.r5, s.r6 };
    for (int64_t k = 0; k < count; k++)
        sum = add_column(sum, columns[k], query[j + k]);
    return sum;
}

void physad__exact_distances_avx512(double *out, const float *query, const float *rows, int64_t stride,
                                    const int64_t *index, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t count = n - i < 8 ? n - i : 8;
        const float *row[8];
        for (int64_t k = 0; k < 8; k++)
            row[k] = row_at(rows, stride, index, i + (k < count ? k : count - 1));
        __m512d sum = _mm512_setzero_pd();
        int64_t j = 0;
        for (; j + 8 <= d; j += 8)
            sum = add_eight(sum, query, row, j);
        if (j < d)
            sum = add_tail(sum, query, row, j, d - j);
        _mm512_mask_storeu_pd(out + i, (__mmask8)((1u << count) - 1), sum);
    }
}

INLINE __m512d add_columns(__m512d sum, __m256 a, __m256 b)
{
    const __m512d difference = _mm512_sub_pd(_mm512_cvtps_pd(a), _mm512_cvtps_pd(b));
    return _mm512_add_pd(sum, _mm512_mul_pd(difference, difference));
}

INLINE __m512d add_eight_pairs(__m512d sum, const float *const a[8], const float *const b[8], int64_t j)
{
    const square p = load_rows(a, j, 0xff), q = load_rows(b, j, 0xff);
    sum = add_columns(sum, p.r0, q.r0);
    sum = add_columns(sum, p.r1, q.r1);
    sum = add_columns(sum, p.r2, q.r2);
    sum = add_columns(sum, p.r3, q.r3);
    sum = add_columns(sum, p.r4, q.r4);
    sum = add_columns(sum, p.r5, q.r5);
    sum = add_columns(sum, p.r6, q.r6);
    return add_columns(sum, p.r7, q.r7);
}

/* The last count < 8 columns. */
INLINE __m512d add_tail_pairs(__m512d sum, const float *const a[8], const float *const b[8], int64_t j, int64_t count)
{
    const __mmask8 mask = (__mmask8)((1u << count) - 1);
    const square p = load_rows(a, j, mask), q = load_rows(b, j, mask);
    const __m256 left[7] = { p.r0, p.r1, p.r2, p.r3, p.r4, p.r5, p.r6 },
                 right[7] = { q.r0, q.r1, q.r2, q.r3, q.r4, q.r5, q.r6 };
    for (int64_t k = 0; k < count; k++)
        sum = add_columns(sum, left[k], right[k]);
    return sum;
}

void physad__exact_pairs_avx512(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                                int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i += 8) {
        const int64_t count = n - i < 8 ? n - i : 8;
        const float *left[8], *right[8];
        for (int64_t k = 0; k < 8; k++) {
            left[k] = row_at(a, a_stride, a_index, i + (k < count ? k : count - 1));
            right[k] = row_at(b, b_stride, b_index, i + (k < count ? k : count - 1));
        }
        __m512d sum = _mm512_setzero_pd();
        int64_t j = 0;
        for (; j + 8 <= d; j += 8)
            sum = add_eight_pairs(sum, left, right, j);
        if (j < d)
            sum = add_tail_pairs(sum, left, right, j, d - j);
        _mm512_mask_storeu_pd(out + i, (__mmask8)((1u << count) - 1), sum);
    }
}

INLINE __m512 add_square(__m512 sum, __m512 a, __m512 b)
{
    const __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
}

/* Two partial sums of one row. */
typedef struct sums {
    __m512 even, odd;
} sums;

INLINE void add_32(sums *s, __m512 q0, __m512 q1, const float *row)
{
    s->even = add_square(s->even, q0, _mm512_loadu_ps(row));
    s->odd = add_square(s->odd, q1, _mm512_loadu_ps(row + 16));
}

INLINE void add_masked(sums *s, __mmask16 mask, __m512 q, const float *row)
{
    s->even = add_square(s->even, q, _mm512_maskz_loadu_ps(mask, row));
}

INLINE float total(const sums *s)
{
    return _mm512_reduce_add_ps(_mm512_add_ps(s->even, s->odd));
}

INLINE __mmask16 tail_mask(int64_t left)
{
    return left < 16 ? (__mmask16)((1u << left) - 1) : 0xffff;
}

static void distances_four(float *out, const float *query, const float *const row[4], int64_t d)
{
    const float *r0 = row[0], *r1 = row[1], *r2 = row[2], *r3 = row[3];
    sums s0 = { _mm512_setzero_ps(), _mm512_setzero_ps() }, s1 = s0, s2 = s0, s3 = s0;
    int64_t j = 0;
    for (; j + 32 <= d; j += 32) {
        const __m512 q0 = _mm512_loadu_ps(query + j), q1 = _mm512_loadu_ps(query + j + 16);
        add_32(&s0, q0, q1, r0 + j);
        add_32(&s1, q0, q1, r1 + j);
        add_32(&s2, q0, q1, r2 + j);
        add_32(&s3, q0, q1, r3 + j);
    }
    for (; j < d; j += 16) {
        const __mmask16 mask = tail_mask(d - j);
        const __m512 q = _mm512_maskz_loadu_ps(mask, query + j);
        add_masked(&s0, mask, q, r0 + j);
        add_masked(&s1, mask, q, r1 + j);
        add_masked(&s2, mask, q, r2 + j);
        add_masked(&s3, mask, q, r3 + j);
    }
    out[0] = total(&s0);
    out[1] = total(&s1);
    out[2] = total(&s2);
    out[3] = total(&s3);
}

static float distance_one(const float *query, const float *row, int64_t d)
{
    sums s = { _mm512_setzero_ps(), _mm512_setzero_ps() };
    int64_t j = 0;
    for (; j + 32 <= d; j += 32)
        add_32(&s, _mm512_loadu_ps(query + j), _mm512_loadu_ps(query + j + 16), row + j);
    for (; j < d; j += 16) {
        const __mmask16 mask = tail_mask(d - j);
        add_masked(&s, mask, _mm512_maskz_loadu_ps(mask, query + j), row + j);
    }
    return total(&s);
}

void physad__distances_avx512(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                              int64_t n, int64_t d)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *const row[4] = { row_at(rows, stride, index, i), row_at(rows, stride, index, i + 1),
                                      row_at(rows, stride, index, i + 2), row_at(rows, stride, index, i + 3) };
        distances_four(out + i, query, row, d);
    }
    for (; i < n; i++)
        out[i] = distance_one(query, row_at(rows, stride, index, i), d);
}

/* Lane i of the result is the sum of vector i. */
INLINE __m128 sum_four(__m512 a, __m512 b, __m512 c, __m512 d)
{
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512 abcd = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

INLINE void add_four(float *out, __m128 four)
{
    _mm_storeu_ps(out, _mm_add_ps(_mm_loadu_ps(out), four));
}

/* One query, one row at a time. */
static void add_row(float *out, const float *query, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += distance_one(query, rows + i * stride, d);
}

/* Sums of row n with the four queries; names, not an array, which compilers leave in memory. */
#define START(n) __m512 a##n = _mm512_setzero_ps(), b##n = a##n, c##n = a##n, e##n = a##n
#define ADD(n)                                                                                \
    do {                                                                                      \
        const __m512 row = _mm512_maskz_loadu_ps(mask, rows + n * stride + j);                \
        a##n = add_square(a##n, qa, row);                                                     \
        b##n = add_square(b##n, qb, row);                                                     \
        c##n = add_square(c##n, qc, row);                                                     \
        e##n = add_square(e##n, qe, row);                                                     \
    } while (0)

static void tile(float *out, int64_t out_stride, const float *queries, int64_t query_stride, const float *rows,
                 int64_t stride, int64_t d)
{
    START(0);
    START(1);
    START(2);
    START(3);
    for (int64_t j = 0; j < d; j += 16) {
        const __mmask16 mask = tail_mask(d - j);
        const float *q = queries + j;
        const __m512 qa = _mm512_maskz_loadu_ps(mask, q), qb = _mm512_maskz_loadu_ps(mask, q + query_stride);
        const __m512 qc = _mm512_maskz_loadu_ps(mask, q + 2 * query_stride),
                     qe = _mm512_maskz_loadu_ps(mask, q + 3 * query_stride);
        ADD(0);
        ADD(1);
        ADD(2);
        ADD(3);
    }
    add_four(out, sum_four(a0, a1, a2, a3));
    add_four(out + out_stride, sum_four(b0, b1, b2, b3));
    add_four(out + 2 * out_stride, sum_four(c0, c1, c2, c3));
    add_four(out + 3 * out_stride, sum_four(e0, e1, e2, e3));
}

void physad__tile_distances_avx512(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                                   int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    const int64_t whole = n - n % 4;
    int64_t q = 0;
    for (; q + 4 <= n_queries; q += 4) {
        float *to = out + q * out_stride;
        const float *from = queries + q * query_stride;
        for (int64_t i = 0; i < whole; i += 4)
            tile(to + i, out_stride, from, query_stride, rows + i * stride, stride, d);
        for (int64_t k = 0; k < 4 && whole < n; k++)
            add_row(to + k * out_stride + whole, from + k * query_stride, rows + whole * stride, stride, n - whole, d);
    }
    for (; q < n_queries; q++)
        add_row(out + q * out_stride, queries + q * query_stride, rows, stride, n, d);
}
