/* SPDX-License-Identifier: Apache-2.0 */
/* Squared distances with NEON. Shapes and layout as in c/distances_c.c; no alignment.
 * exact_distances, exact_pairs: lanes hold one row or pair each, which adds its own terms in index order,
 * multiplication and addition apart: the same bits as the reference. Tails of d and n in scalar code, in the same
 * order. distances, tile_distances: f32, partial sums by FMA; terms are positive, so the bound of the reference holds.
 */
#include "kernels/kernels_internal.h"

#include <arm_neon.h>
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

static inline float64x2_t add_term(float64x2_t sum, float64x2_t a, float64x2_t b)
{
    const float64x2_t difference = vsubq_f64(a, b);
    return vaddq_f64(sum, vmulq_f64(difference, difference));
}

/* Element j of two rows, for j = 0 to 3. */
typedef struct columns {
    float64x2_t c0, c1, c2, c3;
} columns;

static inline columns load_columns(const float *r0, const float *r1)
{
    const float32x4_t a = vld1q_f32(r0), b = vld1q_f32(r1), low = vzip1q_f32(a, b), high = vzip2q_f32(a, b);
    return (columns){ vcvt_f64_f32(vget_low_f32(low)), vcvt_high_f64_f32(low), vcvt_f64_f32(vget_low_f32(high)),
                      vcvt_high_f64_f32(high) };
}

void physad__exact_distances_neon(double *out, const float *query, const float *rows, int64_t stride,
                                  const int64_t *index, int64_t n, int64_t d)
{
    const int64_t whole = d - d % 4;
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float *r0 = row_at(rows, stride, index, i), *r1 = row_at(rows, stride, index, i + 1);
        const float *r2 = row_at(rows, stride, index, i + 2), *r3 = row_at(rows, stride, index, i + 3);
        float64x2_t a = vdupq_n_f64(0), b = a;
        for (int64_t j = 0; j < whole; j += 4) {
            const columns p = load_columns(r0 + j, r1 + j), q = load_columns(r2 + j, r3 + j);
            const float64x2_t q0 = vdupq_n_f64((double)query[j]), q1 = vdupq_n_f64((double)query[j + 1]);
            const float64x2_t q2 = vdupq_n_f64((double)query[j + 2]), q3 = vdupq_n_f64((double)query[j + 3]);
            a = add_term(add_term(add_term(add_term(a, q0, p.c0), q1, p.c1), q2, p.c2), q3, p.c3);
            b = add_term(add_term(add_term(add_term(b, q0, q.c0), q1, q.c1), q2, q.c2), q3, q.c3);
        }
        out[i] = exact_one(vgetq_lane_f64(a, 0), query, r0, whole, d);
        out[i + 1] = exact_one(vgetq_lane_f64(a, 1), query, r1, whole, d);
        out[i + 2] = exact_one(vgetq_lane_f64(b, 0), query, r2, whole, d);
        out[i + 3] = exact_one(vgetq_lane_f64(b, 1), query, r3, whole, d);
    }
    for (; i < n; i++)
        out[i] = exact_one(0, query, row_at(rows, stride, index, i), 0, d);
}

void physad__exact_pairs_neon(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                              int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d)
{
    const int64_t whole = d - d % 4;
    int64_t i = 0;
    for (; i + 2 <= n; i += 2) {
        const float *a0 = row_at(a, a_stride, a_index, i), *a1 = row_at(a, a_stride, a_index, i + 1);
        const float *b0 = row_at(b, b_stride, b_index, i), *b1 = row_at(b, b_stride, b_index, i + 1);
        float64x2_t sum = vdupq_n_f64(0);
        for (int64_t j = 0; j < whole; j += 4) {
            const columns p = load_columns(a0 + j, a1 + j), q = load_columns(b0 + j, b1 + j);
            sum = add_term(add_term(add_term(add_term(sum, p.c0, q.c0), p.c1, q.c1), p.c2, q.c2), p.c3, q.c3);
        }
        out[i] = exact_one(vgetq_lane_f64(sum, 0), a0, b0, whole, d);
        out[i + 1] = exact_one(vgetq_lane_f64(sum, 1), a1, b1, whole, d);
    }
    if (i < n)
        out[i] = exact_one(0, row_at(a, a_stride, a_index, i), row_at(b, b_stride, b_index, i), 0, d);
}

static inline float32x4_t add_square(float32x4_t sum, float32x4_t a, float32x4_t b)
{
    const float32x4_t difference = vsubq_f32(a, b);
    return vfmaq_f32(sum, difference, difference);
}

static float tail(float sum, const float *a, const float *b, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++) {
        const float difference = a[j] - b[j];
        sum += difference * difference;
    }
    return sum;
}

static float distance_one(const float *query, const float *row, int64_t d)
{
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
    int64_t j = 0;
    for (; j + 16 <= d; j += 16) {
        s0 = add_square(s0, vld1q_f32(query + j), vld1q_f32(row + j));
        s1 = add_square(s1, vld1q_f32(query + j + 4), vld1q_f32(row + j + 4));
        s2 = add_square(s2, vld1q_f32(query + j + 8), vld1q_f32(row + j + 8));
        s3 = add_square(s3, vld1q_f32(query + j + 12), vld1q_f32(row + j + 12));
    }
    for (; j + 4 <= d; j += 4)
        s0 = add_square(s0, vld1q_f32(query + j), vld1q_f32(row + j));
    return tail(vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3))), query, row, j, d);
}

void physad__distances_neon(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                            int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = distance_one(query, row_at(rows, stride, index, i), d);
}

/* Two queries against four rows: each loaded vector serves two or four pairs. */
static void tile(float *out0, float *out1, const float *q0, const float *q1, const float *rows, int64_t stride,
                 int64_t d)
{
    const float *r0 = rows, *r1 = rows + stride, *r2 = rows + 2 * stride, *r3 = rows + 3 * stride;
    const int64_t whole = d - d % 4;
    float32x4_t a0 = vdupq_n_f32(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (int64_t j = 0; j < whole; j += 4) {
        const float32x4_t a = vld1q_f32(q0 + j), b = vld1q_f32(q1 + j);
        const float32x4_t v0 = vld1q_f32(r0 + j), v1 = vld1q_f32(r1 + j), v2 = vld1q_f32(r2 + j),
                          v3 = vld1q_f32(r3 + j);
        a0 = add_square(a0, a, v0);
        b0 = add_square(b0, b, v0);
        a1 = add_square(a1, a, v1);
        b1 = add_square(b1, b, v1);
        a2 = add_square(a2, a, v2);
        b2 = add_square(b2, b, v2);
        a3 = add_square(a3, a, v3);
        b3 = add_square(b3, b, v3);
    }
    float sums[8];
    vst1q_f32(sums, vpaddq_f32(vpaddq_f32(a0, a1), vpaddq_f32(a2, a3)));
    vst1q_f32(sums + 4, vpaddq_f32(vpaddq_f32(b0, b1), vpaddq_f32(b2, b3)));
    for (int k = 0; k < 4; k++) {
        out0[k] += tail(sums[k], q0, rows + k * stride, whole, d);
        out1[k] += tail(sums[4 + k], q1, rows + k * stride, whole, d);
    }
}

static void add_row(float *out, const float *query, const float *rows, int64_t stride, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        out[i] += distance_one(query, rows + i * stride, d);
}

void physad__tile_distances_neon(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
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
