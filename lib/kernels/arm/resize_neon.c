/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize with NEON, over rows: the same bits as c/resize_c.c, whose shapes and layouts these are. Lanes hold
 * neighbouring elements. Bytes: 32-bit sums, as the reference's. Floats: a product and a sum per tap, in the order of the taps.
 * Tails in scalar code. */
#include "kernels/kernels_internal.h"

#include <arm_neon.h>

void physad__sum_rows_u8_neon(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        int32x4_t a = vdupq_n_s32(1 << (PHYSAD__FIXED_BITS - 1)), b = a;
        for (int64_t k = 0; k < count; k++) {
            const uint16x8_t words = vmovl_u8(vld1_u8(rows + k * stride + i));
            a = vmlaq_n_s32(a, vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words))), weight[k]);
            b = vmlaq_n_s32(b, vreinterpretq_s32_u32(vmovl_high_u16(words)), weight[k]);
        }
        const int16x8_t v = vcombine_s16(vqmovn_s32(vshrq_n_s32(a, PHYSAD__FIXED_BITS)), vqmovn_s32(vshrq_n_s32(b, PHYSAD__FIXED_BITS)));
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
