/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize with NEON: the same bits as c/resize_c.c, whose shapes and layouts these are. Bytes:
 * 32-bit sums, as the reference's. Along a row lanes hold the channels of one output (RGB) or four taps of it (grey),
 * four taps a step; where 16 bytes would reach beyond the row they are gathered. Down the rows lanes hold neighbouring
 * elements, tails in scalar code. Floats: a product and a sum per tap, in the order of the taps. */
#include "kernels/kernels_internal.h"

#include <arm_neon.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Byte `at` and the next two as the first three lanes. */
INLINE int32x4_t pixel(uint8x16_t bytes, uint8_t at)
{
    const uint8_t order[16] = { at,  255, 255, 255, (uint8_t)(at + 1), 255, 255, 255, (uint8_t)(at + 2), 255, 255, 255,
                                255, 255, 255, 255 };
    return vreinterpretq_s32_u8(vqtbl1q_u8(bytes, vld1q_u8(order)));
}

/* The bytes of up to four taps, zeros behind those that the row has not. */
INLINE uint8x16_t bytes_at(const uint8_t *from, const uint8_t *end)
{
    uint8_t some[16] = { 0 };
    if (end - from >= 16)
        return vld1q_u8(from);
    memcpy(some, from, (size_t)(end - from));
    return vld1q_u8(some);
}

static void narrow_rgb(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                       const int32_t *weight, int64_t stride, int64_t n)
{
    const uint8_t *end = row + pixels * 3;
    for (int64_t i = 0; i < n; i++) {
        int32x4_t sum = vdupq_n_s32(1 << (PHYSAD__FIXED_BITS - 1));
        for (int64_t k = 0; k < count[i]; k += 4) {
            const uint8x16_t bytes = bytes_at(row + (first[i] + k) * 3, end);
            const int32x4_t w = vld1q_s32(weight + i * stride + k);
            sum = vmlaq_laneq_s32(sum, pixel(bytes, 0), w, 0);
            sum = vmlaq_laneq_s32(sum, pixel(bytes, 3), w, 1);
            sum = vmlaq_laneq_s32(sum, pixel(bytes, 6), w, 2);
            sum = vmlaq_laneq_s32(sum, pixel(bytes, 9), w, 3);
        }
        const int16x4_t words = vqmovn_s32(vshrq_n_s32(sum, PHYSAD__FIXED_BITS));
        const uint8x8_t rgb = vqmovun_s16(vcombine_s16(words, words));
        vst1_lane_u8(out + 3 * i, rgb, 0);
        vst1_lane_u8(out + 3 * i + 1, rgb, 1);
        vst1_lane_u8(out + 3 * i + 2, rgb, 2);
    }
}

static void narrow_grey(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                        const int32_t *weight, int64_t stride, int64_t n)
{
    const uint8_t *end = row + pixels;
    for (int64_t i = 0; i < n; i++) {
        int32x4_t sums = vdupq_n_s32(0);
        for (int64_t k = 0; k < count[i]; k += 4) {
            const uint8x8_t bytes = vget_low_u8(bytes_at(row + first[i] + k, end));
            const uint32x4_t words = vmovl_u16(vget_low_u16(vmovl_u8(bytes)));
            sums = vmlaq_s32(sums, vreinterpretq_s32_u32(words), vld1q_s32(weight + i * stride + k));
        }
        const int32_t v = (vaddvq_s32(sums) + (1 << (PHYSAD__FIXED_BITS - 1))) >> PHYSAD__FIXED_BITS;
        out[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void physad__narrow_u8_neon(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first,
                            const int32_t *count, const int32_t *weight, int64_t stride, int64_t n, int64_t channels)
{
    if (channels == 3)
        narrow_rgb(out, row, pixels, first, count, weight, stride, n);
    else if (channels == 1)
        narrow_grey(out, row, pixels, first, count, weight, stride, n);
    else
        physad__narrow_u8_c(out, row, pixels, first, count, weight, stride, n, channels);
}

void physad__sum_rows_u8_neon(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                              int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        int32x4_t a = vdupq_n_s32(1 << (PHYSAD__FIXED_BITS - 1)), b = a;
        for (int64_t k = 0; k < count; k++) {
            const uint16x8_t words = vmovl_u8(vld1_u8(rows + k * stride + i));
            a = vmlaq_n_s32(a, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words))), weight[k]);
            b = vmlaq_n_s32(b, vreinterpretq_s32_u32(vmovl_high_u16(words)), weight[k]);
        }
        const int16x8_t v = vcombine_s16(vqmovn_s32(vshrq_n_s32(a, PHYSAD__FIXED_BITS)),
                                         vqmovn_s32(vshrq_n_s32(b, PHYSAD__FIXED_BITS)));
        vst1_u8(out + i, vqmovun_s16(v));
    }
    physad__sum_rows_u8_c(out + i, rows + i, stride, weight, count, n - i);
}

void physad__blend_rows_u8_neon(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        float32x4_t a = vdupq_n_f32(0), b = a;
        for (int64_t k = 0; k < count; k++) {
            const uint16x8_t words = vmovl_u8(vld1_u8(rows[k] + i));
            a = vaddq_f32(a, vmulq_n_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))), weight[k]));
            b = vaddq_f32(b, vmulq_n_f32(vcvtq_f32_u32(vmovl_high_u16(words)), weight[k]));
        }
        vst1q_f32(out + i, a);
        vst1q_f32(out + i + 4, b);
    }
    for (; i < n; i++) {
        float sum = 0;
        for (int64_t k = 0; k < count; k++)
            sum += weight[k] * (float)rows[k][i];
        out[i] = sum;
    }
}
