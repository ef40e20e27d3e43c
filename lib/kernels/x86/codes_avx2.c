/* SPDX-License-Identifier: Apache-2.0 */
/* Products of byte codes by VPMADDUBSW, whose 16-bit sums of two products saturate: callers keep queries within 63, and
 * 2 * 255 * 63 fits. Layouts are in kernels.h. Accumulator: 32 bits, exact.
 * Scan: a tile is half a panel (four vectors of 8 rows) against two queries. No tails in rows: panels are full. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i dot_four(__m256i sum, __m256i rows, __m256i query)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(rows, query), _mm256_set1_epi16(1)));
}

/* 32 rows against one or two queries; `count` is a constant at each call. */
INLINE void scan_tile(uint32_t *bits, const uint8_t *panel, const int32_t *bias, const int8_t *queries, int64_t query_stride,
                      const int32_t *limits, int64_t groups, int count)
{
    __m256i sum[2][4];
#pragma GCC unroll 2
    for (int q = 0; q < count; q++)
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            sum[q][v] = _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * v));
    for (int64_t g = 0; g < groups; g++) {
        const uint8_t *p = panel + g * 256;
#pragma GCC unroll 2
        for (int q = 0; q < count; q++) {
            int32_t four;
            __builtin_memcpy(&four, queries + q * query_stride + g * 4, 4);
            const __m256i b = _mm256_set1_epi32(four);
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++)
                sum[q][v] = dot_four(sum[q][v], _mm256_loadu_si256((const __m256i *)(const void *)(p + 32 * v)), b);
        }
    }
#pragma GCC unroll 2
    for (int q = 0; q < count; q++) {
        const __m256i limit = _mm256_set1_epi32(limits[q]);
        uint32_t below = 0; /* sums under the limit */
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++)
            below |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, sum[q][v]))) << (8 * v);
        bits[q] = ~below;
    }
}

int64_t physad__code_scan_avx2(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    int64_t found = 0, q = 0;
    for (; q + 2 <= n_queries; q += 2) {
        uint32_t low[2], high[2];
        scan_tile(low, panel, bias, queries + q * query_stride, query_stride, limits + q, groups, 2);
        scan_tile(high, panel + 128, bias + 32, queries + q * query_stride, query_stride, limits + q, groups, 2);
        hits[q] = (uint64_t)high[0] << 32 | low[0];
        hits[q + 1] = (uint64_t)high[1] << 32 | low[1];
        found += (hits[q] != 0) + (hits[q + 1] != 0);
    }
    if (q < n_queries) {
        uint32_t low, high;
        scan_tile(&low, panel, bias, queries + q * query_stride, query_stride, limits + q, groups, 1);
        scan_tile(&high, panel + 128, bias + 32, queries + q * query_stride, query_stride, limits + q, groups, 1);
        hits[q] = (uint64_t)high << 32 | low;
        found += hits[q] != 0;
    }
    return found;
}

INLINE int32_t sum_lanes(__m256i v)
{
    const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
}

void physad__code_dots_avx2(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        __m256i a = _mm256_setzero_si256(), b = a;
        for (int64_t j = 0; j < size; j += 64) {
            const __m256i *r = (const __m256i *)(const void *)(row + j), *q = (const __m256i *)(const void *)(query + j);
            a = dot_four(a, _mm256_loadu_si256(r), _mm256_loadu_si256(q));
            b = dot_four(b, _mm256_loadu_si256(r + 1), _mm256_loadu_si256(q + 1));
        }
        out[i] = sum_lanes(_mm256_add_epi32(a, b));
    }
}
