/* SPDX-License-Identifier: Apache-2.0 */
/* kernels: the inner loops, a table of them per instruction set. They see pointers, sizes and strides alone: no
 * handles, no allocation, no errors. Pointers need no alignment beyond their element's, unless said; n and d may be 0.
 *
 * Rows and queries come in two forms:
 *  - f32, row-major, `stride` elements from row to row;
 *  - codes: rounded, scaled coordinates of one byte; rows as u8 (code + 128), queries as i8 within [-code_max,
 * code_max]. */
#ifndef PHYSAD__KERNELS_H
#define PHYSAD__KERNELS_H

#include "kernels/kernels_splat.h"

#include <stdint.h>

#define PHYSAD__PANEL 64      /* rows of a panel */
#define PHYSAD__FIXED_BITS 22 /* of weights on bytes: 2^22 is one */

typedef struct physad_kernels {
    const char *name;   /* of the widest instruction set in it */
    int32_t code_max;   /* largest magnitude of a query's code that no step of the integer kernels overflows at */

    /* out[i] = sum over j < d, in order, of (query[j] - row[j])^2, every operation rounded in double, for row = rows +
     * index[i] * stride (index NULL: i). The same bits from every table: this is the truth of physad_bank. */
    void (*exact_distances)(double *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                            int64_t n, int64_t d);

    /* The same of n pairs: of row a_index[i] of a and row b_index[i] of b. */
    void (*exact_pairs)(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                        int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d);

    /* As exact_distances in f32, in any order of summation. Relative error of a finite result of at least 1e-30: (d +
     * 4) * 2^-23. */
    void (*distances)(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                      int64_t n, int64_t d);

    /* The same for all pairs, added to out[q * out_stride + i] of query q and row i, both with a stride of their own.
     * Where a distance is gathered from parts of the d elements, the error is that of the whole. */
    void (*tile_distances)(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                           int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d);

    /* out[i] = sum over j < size of rows[index[i] * size + j] * query[j] (index NULL: i); size is a multiple of 64 and
     * at most 2^14. Exact. */
    void (*code_dots)(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                      int64_t n);

    /* A panel holds 64 rows as groups x 64 x 4 bytes: four consecutive codes of each row, then the next four. Bit r of
     * hits[q] is set where bias[r] + dot(row r, query q) >= limits[q]; queries are query_stride bytes apart, groups is
     * at most 2^12. Exact as long as bias + dot fits in 32 bits. Returns how many hits[] are not 0. */
    int64_t (*code_scan)(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                         int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups);

    /* Resizing. out[i][c] = sum over k < count[i] of weight[i * stride + k] * row[first[i] + k][c], rounded to nearest
     * and clamped to a byte; the row has `pixels` of `channels` bytes. Weights are below 2^23 in magnitude, those of an
     * output add up to 2^22; stride is a multiple of 4, and weights from count[i] up to the next multiple of 4 are 0.
     * Exact. */
    void (*narrow_u8)(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                      const int32_t *weight, int64_t stride, int64_t n, int64_t channels);
    /* out[i] = sum over k < count of weight[k] * rows[k * stride + i], likewise. */
    void (*sum_rows_u8)(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                        int64_t n);
    /* out[i] = sum over k < count of weight[k] * rows[k][i], in the order of k, every operation rounded. The same bits
     * from every table. */
    void (*blend_rows_u8)(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n);
} physad_kernels;

/* The best table for a processor with these PHYSAD_CPU_* flags; static, never NULL. */
const physad_kernels *physad__kernels_get(uint32_t cpu_flags);

#endif
