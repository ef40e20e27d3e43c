/* SPDX-License-Identifier: Apache-2.0 */
/* Products of byte codes by VPDPBUSD: 64 products of u8 and i8 per instruction, added four by four into 32-bit lanes
 * without saturation. Layouts are in kernels.h; panels and rows need no alignment. Accumulator: 32 bits, exact. Scan: a
 * tile is one panel (four vectors of 16 rows) against six queries, 24 accumulators, so that each loaded vector is used
 * six times and each broadcast four times; queries beyond a multiple of six go in narrower tiles. No tails in rows:
 * panels are full. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <stddef.h>

#define INLINE static inline __attribute__((always_inline))

/* The intrinsic makes GCC 12 keep every sum a second time in memory, at a third of the speed; this says the same. */
INLINE __m512i dot_four(__m512i sum, __m512i rows, __m512i query)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(rows), "v"(query));
    return sum;
}

INLINE __m512i broadcast(const int8_t *query)
{
    int32_t four;
    __builtin_memcpy(&four, query, 4);
    return _mm512_set1_epi32(four);
}

INLINE int64_t finish(uint64_t *hits, __m512i a, __m512i b, __m512i c, __m512i d, int32_t limit)
{
    const __m512i l = _mm512_set1_epi32(limit);
    const __mmask32 low = _mm512_kunpackw(_mm512_cmpge_epi32_mask(b, l), _mm512_cmpge_epi32_mask(a, l));
    const __mmask32 high = _mm512_kunpackw(_mm512_cmpge_epi32_mask(d, l), _mm512_cmpge_epi32_mask(c, l));
    *hits = _mm512_kunpackd(high, low);
    return *hits != 0;
}

/* Sums of query n with the 64 rows are a##n to d##n: names, not arrays or structures, which compilers leave in memory.
 */
#define START(n) __m512i a##n = bias_a, b##n = bias_b, c##n = bias_c, d##n = bias_d
#define ADD(n)                                                       \
    do {                                                             \
        const __m512i four = broadcast(queries + n * stride + g * 4); \
        a##n = dot_four(a##n, row_a, four);               \
        b##n = dot_four(b##n, row_b, four);               \
        c##n = dot_four(c##n, row_c, four);               \
        d##n = dot_four(d##n, row_d, four);               \
    } while (0)
#define FINISH(n) finish(hits + n, a##n, b##n, c##n, d##n, limits[n])
#define LOAD_BIAS                                                                                             \
    const __m512i bias_a = _mm512_loadu_si512(bias), bias_b = _mm512_loadu_si512(bias + 16),                   \
                  bias_c = _mm512_loadu_si512(bias + 32), bias_d = _mm512_loadu_si512(bias + 48)
#define LOAD_ROWS                                                                                             \
    const __m512i row_a = _mm512_loadu_si512(panel + g * 256), row_b = _mm512_loadu_si512(panel + g * 256 + 64), \
                  row_c = _mm512_loadu_si512(panel + g * 256 + 128), row_d = _mm512_loadu_si512(panel + g * 256 + 192)

static int64_t scan_six(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                        int64_t stride, const int32_t *limits, int64_t groups)
{
    LOAD_BIAS;
    START(0);
    START(1);
    START(2);
    START(3);
    START(4);
    START(5);
    for (int64_t g = 0; g < groups; g++) {
        LOAD_ROWS;
        ADD(0);
        ADD(1);
        ADD(2);
        ADD(3);
        ADD(4);
        ADD(5);
    }
    return FINISH(0) + FINISH(1) + FINISH(2) + FINISH(3) + FINISH(4) + FINISH(5);
}

static int64_t scan_two(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                        int64_t stride, const int32_t *limits, int64_t groups)
{
    LOAD_BIAS;
    START(0);
    START(1);
    for (int64_t g = 0; g < groups; g++) {
        LOAD_ROWS;
        ADD(0);
        ADD(1);
    }
    return FINISH(0) + FINISH(1);
}

static int64_t scan_one(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                        int64_t stride, const int32_t *limits, int64_t groups)
{
    LOAD_BIAS;
    START(0);
    for (int64_t g = 0; g < groups; g++) {
        LOAD_ROWS;
        ADD(0);
    }
    return FINISH(0);
}

int64_t physad__code_scan_vnni(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    int64_t found = 0, q = 0;
    for (; q + 6 <= n_queries; q += 6)
        found += scan_six(hits + q, panel, bias, queries + q * query_stride, query_stride, limits + q, groups);
    for (; q + 2 <= n_queries; q += 2)
        found += scan_two(hits + q, panel, bias, queries + q * query_stride, query_stride, limits + q, groups);
    if (q < n_queries)
        found += scan_one(hits + q, panel, bias, queries + q * query_stride, query_stride, limits + q, groups);
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

void physad__code_dots_vnni(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n)
{
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const uint8_t *r0 = rows + (index != NULL ? index[i] : i) * size,
                      *r1 = rows + (index != NULL ? index[i + 1] : i + 1) * size;
        const uint8_t *r2 = rows + (index != NULL ? index[i + 2] : i + 2) * size,
                      *r3 = rows + (index != NULL ? index[i + 3] : i + 3) * size;
        __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
        for (int64_t j = 0; j < size; j += 64) {
            const __m512i q = _mm512_loadu_si512(query + j);
            a = dot_four(a, _mm512_loadu_si512(r0 + j), q);
            b = dot_four(b, _mm512_loadu_si512(r1 + j), q);
            c = dot_four(c, _mm512_loadu_si512(r2 + j), q);
            d = dot_four(d, _mm512_loadu_si512(r3 + j), q);
        }
        _mm_storeu_si128((__m128i *)(void *)(out + i), sum_four(a, b, c, d));
    }
    for (; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        __m512i sum = _mm512_setzero_si512();
        for (int64_t j = 0; j < size; j += 64)
            sum = dot_four(sum, _mm512_loadu_si512(row + j), _mm512_loadu_si512(query + j));
        out[i] = _mm512_reduce_add_epi32(sum);
    }
}
