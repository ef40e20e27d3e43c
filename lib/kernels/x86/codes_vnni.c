/* SPDX-License-Identifier: Apache-2.0 */
/* Products of byte codes by VPDPBUSD: 64 products of u8 and i8 per instruction, added four by four into 32-bit lanes without
 * saturation. Layouts are in kernels.h; panels and rows need no alignment. Accumulator: 32 bits, exact.
 * Scan: a tile is one panel (four vectors of 16 rows) against six queries, 24 accumulators, so that each loaded vector is used six
 * times and each broadcast four times; queries beyond a multiple of six go in narrower tiles. No tails in rows: panels are full. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

/* Six, or fewer, queries; `count` is a constant at each call. */
INLINE int64_t scan_tile(uint64_t *hits, const uint8_t *panel, const __m512i bias[4], const int8_t *queries, int64_t query_stride,
                         const int32_t *limits, int64_t groups, int count)
{
    __m512i sum[6][4];
    int64_t found = 0;
#pragma GCC unroll 6
    for (int q = 0; q < count; q++)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            sum[q][v] = bias[v];
    for (int64_t g = 0; g < groups; g++) {
        const uint8_t *p = panel + g * 256;
        const __m512i r0 = _mm512_loadu_si512(p), r1 = _mm512_loadu_si512(p + 64);
        const __m512i r2 = _mm512_loadu_si512(p + 128), r3 = _mm512_loadu_si512(p + 192);
#pragma GCC unroll 6
        for (int q = 0; q < count; q++) {
            int32_t four;
            __builtin_memcpy(&four, queries + q * query_stride + g * 4, 4);
            const __m512i b = _mm512_set1_epi32(four);
            sum[q][0] = _mm512_dpbusd_epi32(sum[q][0], r0, b);
            sum[q][1] = _mm512_dpbusd_epi32(sum[q][1], r1, b);
            sum[q][2] = _mm512_dpbusd_epi32(sum[q][2], r2, b);
            sum[q][3] = _mm512_dpbusd_epi32(sum[q][3], r3, b);
        }
    }
#pragma GCC unroll 6
    for (int q = 0; q < count; q++) {
        const __m512i limit = _mm512_set1_epi32(limits[q]);
        const __mmask32 low = _mm512_kunpackw(_mm512_cmpge_epi32_mask(sum[q][1], limit), _mm512_cmpge_epi32_mask(sum[q][0], limit));
        const __mmask32 high = _mm512_kunpackw(_mm512_cmpge_epi32_mask(sum[q][3], limit), _mm512_cmpge_epi32_mask(sum[q][2], limit));
        const uint64_t bits = _mm512_kunpackd(high, low);
        hits[q] = bits;
        found += bits != 0;
    }
    return found;
}

int64_t physad__code_scan_vnni(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    const __m512i start[4] = { _mm512_loadu_si512(bias), _mm512_loadu_si512(bias + 16), _mm512_loadu_si512(bias + 32),
                               _mm512_loadu_si512(bias + 48) };
    int64_t found = 0, q = 0;
    for (; q + 6 <= n_queries; q += 6)
        found += scan_tile(hits + q, panel, start, queries + q * query_stride, query_stride, limits + q, groups, 6);
    for (; q + 2 <= n_queries; q += 2)
        found += scan_tile(hits + q, panel, start, queries + q * query_stride, query_stride, limits + q, groups, 2);
    for (; q < n_queries; q++)
        found += scan_tile(hits + q, panel, start, queries + q * query_stride, query_stride, limits + q, groups, 1);
    return found;
}

/* Adds the lanes of four vectors: lane i of the result is the sum of vector i. */
INLINE __m128i sum_four(__m512i a, __m512i b, __m512i c, __m512i d)
{
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64(abcd, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

void physad__code_dots_vnni(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index, int64_t n)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint8_t *r0 = rows + (index != NULL ? index[i] : i) * size, *r1 = rows + (index != NULL ? index[i + 1] : i + 1) * size;
        const uint8_t *r2 = rows + (index != NULL ? index[i + 2] : i + 2) * size, *r3 = rows + (index != NULL ? index[i + 3] : i + 3) * size;
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        for (int64_t j = 0; j < size; j += 64) {
            const __m512i q = _mm512_loadu_si512(query + j);
            a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(r0 + j), q);
            b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(r1 + j), q);
            c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(r2 + j), q);
            d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(r3 + j), q);
        }
        _mm_storeu_si128((__m128i *)(void *)(out + i), sum_four(a, b, c, d));
    }
    for (; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        __m512i sum = _mm512_setzero_si512();
        for (int64_t j = 0; j < size; j += 64)
            sum = _mm512_dpbusd_epi32(sum, _mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j));
        out[i] = _mm512_reduce_add_epi32(sum);
    }
}
