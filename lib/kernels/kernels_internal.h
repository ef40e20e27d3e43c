/* SPDX-License-Identifier: Apache-2.0 */
/* Between kernels.c and the instruction sets: each writes over the entries it does better. */
#ifndef PHYSAD__KERNELS_INTERNAL_H
#define PHYSAD__KERNELS_INTERNAL_H

#include "kernels/kernels.h"

/* c/ */
void physad__exact_distances_c(double *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                               int64_t n, int64_t d);
void physad__exact_pairs_c(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                           int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d);
void physad__distances_c(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                         int64_t n, int64_t d);
void physad__tile_distances_c(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                              int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d);
void physad__code_dots_c(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                         int64_t n);
int64_t physad__code_scan_c(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                            int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups);
void physad__narrow_u8_c(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                         const int32_t *weight, int64_t stride, int64_t n, int64_t channels);
void physad__sum_rows_u8_c(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                           int64_t n);
void physad__blend_rows_u8_c(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n);

/* x86/, AVX2 with FMA */
void physad__exact_distances_avx2(double *out, const float *query, const float *rows, int64_t stride,
                                  const int64_t *index, int64_t n, int64_t d);
void physad__exact_pairs_avx2(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                              int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d);
void physad__distances_avx2(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                            int64_t n, int64_t d);
void physad__tile_distances_avx2(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                                 int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d);
void physad__code_dots_avx2(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n);
int64_t physad__code_scan_avx2(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups);
void physad__narrow_u8_avx2(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first,
                            const int32_t *count, const int32_t *weight, int64_t stride, int64_t n, int64_t channels);
void physad__sum_rows_u8_avx2(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                              int64_t n);
void physad__blend_rows_u8_avx2(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n);

/* x86/, AVX-512 F, BW, DQ, VL */
void physad__exact_distances_avx512(double *out, const float *query, const float *rows, int64_t stride,
                                    const int64_t *index, int64_t n, int64_t d);
void physad__exact_pairs_avx512(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                                int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d);
void physad__distances_avx512(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                              int64_t n, int64_t d);
void physad__tile_distances_avx512(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                                   int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d);

/* x86/, AVX-512 VNNI besides */
void physad__code_dots_vnni(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n);
int64_t physad__code_scan_vnni(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups);

/* arm/, NEON, which every 64-bit ARM has */
void physad__exact_distances_neon(double *out, const float *query, const float *rows, int64_t stride,
                                  const int64_t *index, int64_t n, int64_t d);
void physad__exact_pairs_neon(double *out, const float *a, int64_t a_stride, const int64_t *a_index, const float *b,
                              int64_t b_stride, const int64_t *b_index, int64_t n, int64_t d);
void physad__distances_neon(float *out, const float *query, const float *rows, int64_t stride, const int64_t *index,
                            int64_t n, int64_t d);
void physad__tile_distances_neon(float *out, int64_t out_stride, const float *queries, int64_t query_stride,
                                 int64_t n_queries, const float *rows, int64_t stride, int64_t n, int64_t d);
void physad__code_dots_neon(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n);
int64_t physad__code_scan_neon(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups);
void physad__narrow_u8_neon(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first,
                            const int32_t *count, const int32_t *weight, int64_t stride, int64_t n, int64_t channels);
void physad__sum_rows_u8_neon(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                              int64_t n);
void physad__blend_rows_u8_neon(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n);

#endif
