/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize with AVX2: the same bits as c/resize_c.c. Shapes and layouts as there.
 * Bytes: a weight is split, w = low + 2^11 * high with 0 <= low < 2^11 and |high| <= 2^11, so that products of two
 * neighbours with bytes are added by VPMADDWD without overflow; the sums of both parts are joined at the end (modulo
 * 2^32, as the reference's sum, which fits). Tails: four taps are taken at a time, those beyond the count with their
 * weights of 0; where 16 bytes would reach beyond the row they are gathered. Floats: lanes hold neighbouring elements;
 * each is a product and a sum per tap, in the order of the taps. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define SPLIT 11

/* Bytes of four pixels (RGB), as words: in the low half the pairs of pixels 0 and 1 of each channel, in the high half
 * those of 2 and 3. */
INLINE __m256i rgb_pairs(__m128i bytes)
{
    const __m256i order = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                                           -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), order);
}

/* Four weights as eight words: the low parts, then the high parts. */
INLINE __m128i split_four(__m128i w)
{
    return _mm_packs_epi32(_mm_and_si128(w, _mm_set1_epi32((1 << SPLIT) - 1)), _mm_srai_epi32(w, SPLIT));
}

INLINE __m128i join(__m128i low, __m128i high)
{
    const __m128i half = _mm_set1_epi32(1 << (PHYSAD__FIXED_BITS - 1));
    return _mm_srai_epi32(_mm_add_epi32(_mm_add_epi32(low, _mm_slli_epi32(high, SPLIT)), half), PHYSAD__FIXED_BITS);
}

/* Taps near the row's end, `left` of them, with zeros behind. */
INLINE void gather(const uint8_t *from, const int32_t *weight, int64_t left, int64_t channels, __m128i *bytes,
                   __m128i *weights)
{
    uint8_t some[16] = { 0 };
    int32_t own[4] = { 0 };
    memcpy(some, from, (size_t)(left * channels));
    memcpy(own, weight, (size_t)left * sizeof(int32_t));
    *bytes = _mm_loadu_si128((const __m128i *)(const void *)some);
    *weights = _mm_loadu_si128((const __m128i *)(const void *)own);
}

static void narrow_rgb(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                       const int32_t *weight, int64_t stride, int64_t n)
{
    const __m256i low_parts = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1),
                  high_parts = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
    const uint8_t *end = row + pixels * 3;
    for (int64_t i = 0; i < n; i++) {
        __m256i low = _mm256_setzero_si256(), high = low;
        for (int64_t k = 0; k < count[i]; k += 4) {
            const uint8_t *from = row + (first[i] + k) * 3;
            const int32_t *w = weight + i * stride + k;
            __m128i bytes, weights;
            if (end - from >= 16) {
                bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
                weights = _mm_loadu_si128((const __m128i *)(const void *)w);
            } else {
                gather(from, w, count[i] - k < 4 ? count[i] - k : 4, 3, &bytes, &weights);
            }
            const __m256i pairs = rgb_pairs(bytes), both = _mm256_castsi128_si256(split_four(weights));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(pairs, _mm256_permutevar8x32_epi32(both, low_parts)));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(pairs, _mm256_permutevar8x32_epi32(both, high_parts)));
        }
        const __m128i sum = join(_mm_add_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)),
                                 _mm_add_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)));
        const __m128i words = _mm_packs_epi32(sum, sum);
        const uint32_t rgb = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        memcpy(out + 3 * i, &rgb, 2);
        out[3 * i + 2] = (uint8_t)(rgb >> 16);
    }
}

static void narrow_grey(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                        const int32_t *weight, int64_t stride, int64_t n)
{
    const uint8_t *end = row + pixels;
    for (int64_t i = 0; i < n; i++) {
        __m128i low = _mm_setzero_si128(), high = low;
        for (int64_t k = 0; k < count[i]; k += 4) {
            const uint8_t *from = row + first[i] + k;
            const int32_t *w = weight + i * stride + k;
            __m128i bytes, weights;
            if (end - from >= 4) {
                int32_t four;
                memcpy(&four, from, 4);
                bytes = _mm_cvtsi32_si128(four);
                weights = _mm_loadu_si128((const __m128i *)(const void *)w);
            } else {
                gather(from, w, count[i] - k < 4 ? count[i] - k : 4, 1, &bytes, &weights);
            }
            const __m128i words = _mm_cvtepu8_epi16(bytes), both = split_four(weights);
            low = _mm_add_epi32(low, _mm_madd_epi16(words, both));
            high = _mm_add_epi32(high, _mm_madd_epi16(words, _mm_unpackhi_epi64(both, both)));
        }
        low = _mm_add_epi32(low, _mm_shuffle_epi32(low, 1));
        high = _mm_add_epi32(high, _mm_shuffle_epi32(high, 1));
        const int32_t v = _mm_cvtsi128_si32(join(low, high));
        out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void physad__narrow_u8_avx2(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first,
                            const int32_t *count, const int32_t *weight, int64_t stride, int64_t n, int64_t channels)
{
    if (channels == 3)
        narrow_rgb(out, row, pixels, first, count, weight, stride, n);
    else if (channels == 1)
        narrow_grey(out, row, pixels, first, count, weight, stride, n);
    else
        physad__narrow_u8_c(out, row, pixels, first, count, weight, stride, n, channels);
}

/* Two weights side by side, as words: the low parts, or the high ones. */
INLINE __m256i two_low(int32_t a, int32_t b)
{
    const int32_t mask = (1 << SPLIT) - 1;
    return _mm256_set1_epi32((b & mask) << 16 | (a & mask));
}

INLINE __m256i two_high(int32_t a, int32_t b)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(b >> SPLIT) << 16 | ((uint32_t)(a >> SPLIT) & 0xffffu)));
}

INLINE __m256i join_wide(__m256i low, __m256i high)
{
    const __m256i half = _mm256_set1_epi32(1 << (PHYSAD__FIXED_BITS - 1));
    return _mm256_srai_epi32(_mm256_add_epi32(_mm256_add_epi32(low, _mm256_slli_epi32(high, SPLIT)), half),
                             PHYSAD__FIXED_BITS);
}

/* 16 elements. */
INLINE void sum_sixteen(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count)
{
    __m256i low0 = _mm256_setzero_si256(), high0 = low0, low1 = low0, high1 = low0;
    for (int64_t k = 0; k < count; k += 2) {
        const uint8_t *a = rows + k * stride, *b = k + 1 < count ? a + stride : a;
        const int32_t wa = weight[k], wb = k + 1 < count ? weight[k + 1] : 0;
        const __m256i p = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)a));
        const __m256i q = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)b));
        const __m256i pairs0 = _mm256_unpacklo_epi16(p, q), pairs1 = _mm256_unpackhi_epi16(p, q), l = two_low(wa, wb),
                      h = two_high(wa, wb);
        low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(pairs0, l));
        high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(pairs0, h));
        low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(pairs1, l));
        high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(pairs1, h));
    }
    const __m256i words = _mm256_packs_epi32(join_wide(low0, high0), join_wide(low1, high1)); /* the order of p again */
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

void physad__sum_rows_u8_avx2(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                              int64_t n)
{
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        sum_sixteen(out + i, rows + i, stride, weight, count);
    physad__sum_rows_u8_c(out + i, rows + i, stride, weight, count, n - i);
}

INLINE __m256 eight_floats(const uint8_t *from)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from)));
}

void physad__blend_rows_u8_avx2(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n)
{
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
        for (int64_t k = 0; k < count; k++) {
            const __m256 w = _mm256_set1_ps(weight[k]);
            const uint8_t *row = rows[k] + i;
            a = _mm256_add_ps(a, _mm256_mul_ps(w, eight_floats(row)));
            b = _mm256_add_ps(b, _mm256_mul_ps(w, eight_floats(row + 8)));
            c = _mm256_add_ps(c, _mm256_mul_ps(w, eight_floats(row + 16)));
            d = _mm256_add_ps(d, _mm256_mul_ps(w, eight_floats(row + 24)));
        }
        _mm256_storeu_ps(out + i, a);
        _mm256_storeu_ps(out + i + 8, b);
        _mm256_storeu_ps(out + i + 16, c);
        _mm256_storeu_ps(out + i + 24, d);
    }
    for (; i < n; i++) {
        float sum = 0;
        for (int64_t k = 0; k < count; k++)
            sum += weight[k] * (float)rows[k][i];
        out[i] = sum;
    }
}
