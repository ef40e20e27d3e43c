/* SPDX-License-Identifier: Apache-2.0 */
/* A vector of LANES floats as V and a mask of it as M, for the loops of splatting: 16, 8 or 1. Who includes this has
 * set SPLAT_LANES, and SPLAT_ENTRY(name), what the table's functions are called for this instruction set. Plain
 * arithmetic is the compiler's
 * (+ - * / between V and V or V and float); what has no operator is named here. */
#ifndef PHYSAD__SPLAT_VECTOR_H
#define PHYSAD__SPLAT_VECTOR_H

#include <stdint.h>
#include <string.h>

#define SPLAT_INLINE static inline __attribute__((always_inline))

#if SPLAT_LANES == 16

#include <immintrin.h>
#define LANES 16
typedef __m512 V;
typedef __mmask16 M;
SPLAT_INLINE V v_set(float a) { return _mm512_set1_ps(a); }
SPLAT_INLINE V v_load(const float *p) { return _mm512_loadu_ps(p); }
SPLAT_INLINE void v_store(float *p, V a) { _mm512_storeu_ps(p, a); }
SPLAT_INLINE V v_fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
SPLAT_INLINE V v_fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
SPLAT_INLINE V v_sqrt(V a) { return _mm512_sqrt_ps(a); }
SPLAT_INLINE V v_min(V a, V b) { return _mm512_min_ps(a, b); }
SPLAT_INLINE V v_max(V a, V b) { return _mm512_max_ps(a, b); }
SPLAT_INLINE V v_abs(V a) { return _mm512_abs_ps(a); }
SPLAT_INLINE V v_round(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
SPLAT_INLINE V v_ceil(V a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
SPLAT_INLINE V v_scale(V a, V n) { return _mm512_scalef_ps(a, n); }
SPLAT_INLINE M m_ge(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
SPLAT_INLINE M m_gt(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
SPLAT_INLINE M m_and(M a, M b) { return (M)(a & b); }
SPLAT_INLINE M m_without(M a, M b) { return (M)(a & ~b); }
SPLAT_INLINE int m_any(M a) { return a != 0; }
SPLAT_INLINE unsigned m_bits(M a) { return a; }
SPLAT_INLINE V v_if(M m, V a, V b) { return _mm512_mask_blend_ps(m, b, a); }
SPLAT_INLINE V v_keep(M m, V a) { return _mm512_maskz_mov_ps(m, a); }
SPLAT_INLINE float v_sum(V a) { return _mm512_reduce_add_ps(a); }
/* 1 / a and 1 / sqrt(a) of normal positive numbers, to some 3e-7: an estimate, and one step of Newton's */
SPLAT_INLINE V v_inverse(V a)
{
    const V r = _mm512_rcp14_ps(a);
    return r * _mm512_fnmadd_ps(a, r, _mm512_set1_ps(2));
}
SPLAT_INLINE V v_inverse_sqrt(V a)
{
    const V r = _mm512_rsqrt14_ps(a);
    return r * _mm512_fnmadd_ps(a * r * 0.5f, r, _mm512_set1_ps(1.5f));
}
/* a in [1, 2) with value = a * 2^exponent, for normal positive numbers */
SPLAT_INLINE V v_split(V value, V *exponent)
{
    *exponent = _mm512_getexp_ps(value);
    return _mm512_getmant_ps(value, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
}
SPLAT_INLINE __m128 v_quarter(V a)
{
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
/* The sums of eight vectors' lanes. */
SPLAT_INLINE __m256 v_sum8(const V *a)
{
    V half[4], quarter[2];
    for (int k = 0; k < 4; k++)
        half[k] = _mm512_shuffle_f32x4(a[k], a[k + 4], 0x44) + _mm512_shuffle_f32x4(a[k], a[k + 4], 0xee);
    for (int k = 0; k < 2; k++) /* parts of vectors k, k + 2, k + 4, k + 6 */
        quarter[k] =
            _mm512_shuffle_f32x4(half[k], half[k + 2], 0x88) + _mm512_shuffle_f32x4(half[k], half[k + 2], 0xdd);
    const V pairs = _mm512_unpacklo_ps(quarter[0], quarter[1]) +
                    _mm512_unpackhi_ps(quarter[0], quarter[1]); /* 0 1 0 1 of each four */
    const V sums = pairs + _mm512_permute_ps(pairs, 0x4e);
    const __m512i order = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 13, 12, 5, 4, 9, 8, 1, 0);
    return _mm512_castps512_ps256(_mm512_permutexvar_ps(order, sums));
}
/* Which of 64 numbers have a bit. */
SPLAT_INLINE uint64_t v_column(const uint16_t numbers[64], int bit)
{
    const __m512i mask = _mm512_set1_epi16((short)(1 << bit));
    const uint64_t low = _mm512_test_epi16_mask(_mm512_loadu_si512(numbers), mask);
    return low | (uint64_t)_mm512_test_epi16_mask(_mm512_loadu_si512(numbers + 32), mask) << 32;
}

#elif SPLAT_LANES == 8

#include <immintrin.h>
#define LANES 8
typedef __m256 V;
typedef __m256 M;
SPLAT_INLINE V v_set(float a) { return _mm256_set1_ps(a); }
SPLAT_INLINE V v_load(const float *p) { return _mm256_loadu_ps(p); }
SPLAT_INLINE void v_store(float *p, V a) { _mm256_storeu_ps(p, a); }
SPLAT_INLINE V v_fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
SPLAT_INLINE V v_fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
SPLAT_INLINE V v_sqrt(V a) { return _mm256_sqrt_ps(a); }
SPLAT_INLINE V v_min(V a, V b) { return _mm256_min_ps(a, b); }
SPLAT_INLINE V v_max(V a, V b) { return _mm256_max_ps(a, b); }
SPLAT_INLINE V v_abs(V a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
SPLAT_INLINE V v_round(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
SPLAT_INLINE V v_ceil(V a) { return _mm256_round_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }
SPLAT_INLINE V v_scale(V a, V n)
{
    n = _mm256_min_ps(_mm256_max_ps(n, _mm256_set1_ps(-126)), _mm256_set1_ps(127));
    return a *
           _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
SPLAT_INLINE M m_ge(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
SPLAT_INLINE M m_gt(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
SPLAT_INLINE M m_and(M a, M b) { return _mm256_and_ps(a, b); }
SPLAT_INLINE M m_without(M a, M b) { return _mm256_andnot_ps(b, a); }
SPLAT_INLINE int m_any(M a) { return _mm256_movemask_ps(a) != 0; }
SPLAT_INLINE unsigned m_bits(M a) { return (unsigned)_mm256_movemask_ps(a); }
SPLAT_INLINE V v_if(M m, V a, V b) { return _mm256_blendv_ps(b, a, m); }
SPLAT_INLINE V v_keep(M m, V a) { return _mm256_and_ps(m, a); }
SPLAT_INLINE __m128 v_quarter(V a) { return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)); }
SPLAT_INLINE float v_sum(V a)
{
    __m128 q = v_quarter(a);
    q = _mm_hadd_ps(q, q);
    return _mm_cvtss_f32(_mm_hadd_ps(q, q));
}
SPLAT_INLINE V v_inverse(V a)
{
    const V r = _mm256_rcp_ps(a);
    return r * _mm256_fnmadd_ps(a, r, _mm256_set1_ps(2));
}
SPLAT_INLINE V v_inverse_sqrt(V a)
{
    const V r = _mm256_rsqrt_ps(a);
    return r * _mm256_fnmadd_ps(a * r * 0.5f, r, _mm256_set1_ps(1.5f));
}
SPLAT_INLINE V v_split(V value, V *exponent)
{
    const __m256i bits = _mm256_castps_si256(value);
    *exponent = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127)));
    return _mm256_castsi256_ps(
        _mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff)), _mm256_set1_epi32(0x3f800000)));
}
SPLAT_INLINE uint64_t v_column(const uint16_t numbers[64], int bit)
{
    const __m256i mask = _mm256_set1_epi16((short)(1 << bit));
    uint64_t out = 0;
    for (int k = 0; k < 64; k += 32) {
        const __m256i a = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(numbers + k)), mask);
        const __m256i b = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(numbers + k + 16)), mask);
        const __m256i bytes = _mm256_packs_epi16(_mm256_cmpeq_epi16(a, mask), _mm256_cmpeq_epi16(b, mask));
        out |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xd8)) << k;
    }
    return out;
}

#else

#include <math.h>
#define LANES 1
typedef float V;
typedef int M;
SPLAT_INLINE V v_set(float a) { return a; }
SPLAT_INLINE V v_load(const float *p) { return *p; }
SPLAT_INLINE void v_store(float *p, V a) { *p = a; }
SPLAT_INLINE V v_fma(V a, V b, V c) { return a * b + c; }
SPLAT_INLINE V v_fnma(V a, V b, V c) { return c - a * b; }
SPLAT_INLINE V v_sqrt(V a) { return sqrtf(a); }
SPLAT_INLINE V v_min(V a, V b) { return a < b ? a : b; }
SPLAT_INLINE V v_max(V a, V b) { return a > b ? a : b; }
SPLAT_INLINE V v_abs(V a) { return fabsf(a); }
SPLAT_INLINE V v_round(V a) { return rintf(a); }
SPLAT_INLINE V v_ceil(V a) { return ceilf(a); }
SPLAT_INLINE V v_scale(V a, V n) { return ldexpf(a, (int)v_min(v_max(n, -200), 200)); }
SPLAT_INLINE M m_ge(V a, V b) { return a >= b; }
SPLAT_INLINE M m_gt(V a, V b) { return a > b; }
SPLAT_INLINE M m_and(M a, M b) { return a & b; }
SPLAT_INLINE M m_without(M a, M b) { return a & !b; }
SPLAT_INLINE int m_any(M a) { return a; }
SPLAT_INLINE unsigned m_bits(M a) { return (unsigned)a; }
SPLAT_INLINE V v_if(M m, V a, V b) { return m ? a : b; }
SPLAT_INLINE V v_keep(M m, V a) { return m ? a : 0; }
SPLAT_INLINE float v_sum(V a) { return a; }
SPLAT_INLINE V v_inverse(V a) { return 1 / a; }
SPLAT_INLINE V v_inverse_sqrt(V a) { return 1 / sqrtf(a); }
SPLAT_INLINE V v_split(V value, V *exponent)
{
    int e;
    const float m = frexpf(value, &e);
    *exponent = (float)(e - 1);
    return m * 2;
}
SPLAT_INLINE uint64_t v_column(const uint16_t numbers[64], int bit)
{
    uint64_t out = 0;
    for (int k = 0; k < 64; k++)
        out |= (uint64_t)(numbers[k] >> bit & 1) << k;
    return out;
}

#endif

SPLAT_INLINE V v_clamp(V a, V low, V high)
{
    return v_min(v_max(a, low), high);
}

/* 2^a. Relative error at most 3e-7 where the result is a normal number. */
SPLAT_INLINE V v_exp2(V a)
{
    const V n = v_round(a), f = a - n;
    V p = v_fma(v_set(1.535336188319500e-4f), f, v_set(1.339887440266574e-3f));
    p = v_fma(p, f, v_set(9.618437357674640e-3f));
    p = v_fma(p, f, v_set(5.550332471162809e-2f));
    p = v_fma(p, f, v_set(2.402264791363012e-1f));
    p = v_fma(p, f, v_set(6.931472028550421e-1f));
    return v_scale(v_fma(p, f, v_set(1)), n);
}

/* log2 of a normal positive number, to some 1e-7 absolute near 1 and 2e-7 relative elsewhere. */
SPLAT_INLINE V v_log2(V a)
{
    V e, m = v_split(a, &e);
    const M upper = m_gt(m, v_set(1.41421356f));
    m = v_if(upper, m * 0.5f, m);
    e = v_if(upper, e + 1.0f, e);
    const V s = (m - 1.0f) / (m + 1.0f), t = s * s;
    V p = v_fma(v_set(2.0f / 9), t, v_set(2.0f / 7));
    p = v_fma(p, t, v_set(2.0f / 5));
    p = v_fma(p, t, v_set(2.0f / 3));
    p = v_fma(p, t, v_set(2.0f));
    return v_fma(p * s, v_set(1.44269504f), e);
}

#endif
