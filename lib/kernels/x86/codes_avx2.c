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

/* Sums of one query with 32 rows. Fields, not an array: compilers keep these in registers. */
typedef struct sums {
    __m256i a, b, c, d;
} sums;

INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

INLINE sums start_of(const int32_t *bias)
{
    return (sums){ load(bias), load(bias + 8), load(bias + 16), load(bias + 24) };
}

INLINE void add_four(sums *s, const uint8_t *rows, const int8_t *query)
{
    int32_t four;
    __builtin_memcpy(&four, query, 4);
    const __m256i q = _mm256_set1_epi32(four);
    s->a = dot_four(s->a, load(rows), q);
    s->b = dot_four(s->b, load(rows + 32), q);
    s->c = dot_four(s->c, load(rows + 64), q);
    s->d = dot_four(s->d, load(rows + 96), q);
}

INLINE uint32_t below(__m256i limit, __m256i sum)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, sum)));
}

INLINE uint32_t finish(const sums *s, int32_t limit)
{
    const __m256i l = _mm256_set1_epi32(limit);
    return ~(below(l, s->a) | below(l, s->b) << 8 | below(l, s->c) << 16 | below(l, s->d) << 24);
}

static void scan_two(uint32_t bits[2], const uint8_t *panel, const int32_t *bias, const int8_t *queries, int64_t stride,
                     const int32_t *limits, int64_t groups)
{
    sums s0 = start_of(bias), s1 = s0;
    for (int64_t g = 0; g < groups; g++) {
        add_four(&s0, panel + g * 256, queries + g * 4);
        add_four(&s1, panel + g * 256, queries + stride + g * 4);
    }
    bits[0] = finish(&s0, limits[0]);
    bits[1] = finish(&s1, limits[1]);
}

static uint32_t scan_one(const uint8_t *panel, const int32_t *bias, const int8_t *query, int32_t limit, int64_t groups)
{
    sums s = start_of(bias);
    for (int64_t g = 0; g < groups; g++)
        add_four(&s, panel + g * 256, query + g * 4);
    return finish(&s, limit);
}

int64_t physad__code_scan_avx2(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    int64_t found = 0, q = 0;
    for (; q + 2 <= n_queries; q += 2) {
        uint32_t low[2], high[2];
        scan_two(low, panel, bias, queries + q * query_stride, query_stride, limits + q, groups);
        scan_two(high, panel + 128, bias + 32, queries + q * query_stride, query_stride, limits + q, groups);
        hits[q] = (uint64_t)high[0] << 32 | low[0];
        hits[q + 1] = (uint64_t)high[1] << 32 | low[1];
        found += (hits[q] != 0) + (hits[q + 1] != 0);
    }
    if (q < n_queries) {
        const uint32_t low = scan_one(panel, bias, queries + q * query_stride, limits[q], groups);
        const uint32_t high = scan_one(panel + 128, bias + 32, queries + q * query_stride, limits[q], groups);
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

void physad__code_dots_avx2(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        __m256i a = _mm256_setzero_si256(), b = a;
        for (int64_t j = 0; j < size; j += 64) {
            a = dot_four(a, load(row + j), load(query + j));
            b = dot_four(b, load(row + j + 32), load(query + j + 32));
        }
        out[i] = sum_lanes(_mm256_add_epi32(a, b));
    }
}
