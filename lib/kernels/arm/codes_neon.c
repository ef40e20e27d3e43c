/* SPDX-License-Identifier: Apache-2.0 */
/* Products of byte codes with NEON: both factors are widened to 16 bits, products added in 32. Layouts are in
 * kernels.h; no alignment. Accumulator: 32 bits, exact. No tails: sizes are multiples of 64 bytes, panels are full. */
#include "kernels/kernels_internal.h"

#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

static inline int16x8_t widen_low(uint8x16_t rows)
{
    return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(rows)));
}

static inline int16x8_t widen_high(uint8x16_t rows)
{
    return vreinterpretq_s16_u16(vmovl_high_u8(rows));
}

void physad__code_dots_neon(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                            int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        int32x4_t a = vdupq_n_s32(0), b = a, c = a, d = a;
        for (int64_t j = 0; j < size; j += 16) {
            const uint8x16_t r = vld1q_u8(row + j);
            const int8x16_t q = vld1q_s8(query + j);
            const int16x8_t r0 = widen_low(r), r1 = widen_high(r), q0 = vmovl_s8(vget_low_s8(q)), q1 = vmovl_high_s8(q);
            a = vmlal_s16(a, vget_low_s16(r0), vget_low_s16(q0));
            b = vmlal_high_s16(b, r0, q0);
            c = vmlal_s16(c, vget_low_s16(r1), vget_low_s16(q1));
            d = vmlal_high_s16(d, r1, q1);
        }
        out[i] = vaddvq_s32(vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)));
    }
}

/* Adds the products of four codes of four rows: one row to a lane. */
static inline int32x4_t dot_four(int32x4_t sum, uint8x16_t rows, int16x8_t query)
{
    const int16x8_t r0 = widen_low(rows), r1 = widen_high(rows);
    const int32x4_t a = vmull_s16(vget_low_s16(r0), vget_low_s16(query)), b = vmull_high_s16(r0, query);
    const int32x4_t c = vmull_s16(vget_low_s16(r1), vget_low_s16(query)), d = vmull_high_s16(r1, query);
    return vaddq_s32(sum, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
}

/* 16 rows against one query. */
static uint64_t scan_sixteen(const uint8_t *panel, const int32_t *bias, const int8_t *query, int32_t limit,
                             int64_t groups)
{
    static const uint32_t bit[4] = { 1, 2, 4, 8 };
    int32x4_t sums[4] = { vld1q_s32(bias), vld1q_s32(bias + 4), vld1q_s32(bias + 8), vld1q_s32(bias + 12) };
    uint64_t bits = 0;
    for (int64_t g = 0; g < groups; g++) {
        int32_t four;
        memcpy(&four, query + g * 4, 4);
        const int16x8_t q = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
        const uint8_t *rows = panel + g * PHYSAD__PANEL * 4;
        for (int k = 0; k < 4; k++)
            sums[k] = dot_four(sums[k], vld1q_u8(rows + 16 * k), q);
    }
    for (int k = 0; k < 4; k++)
        bits |= (uint64_t)vaddvq_u32(vandq_u32(vcgeq_s32(sums[k], vdupq_n_s32(limit)), vld1q_u32(bit))) << (4 * k);
    return bits;
}

int64_t physad__code_scan_neon(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                               int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    int64_t found = 0;
    for (int64_t q = 0; q < n_queries; q++) {
        uint64_t bits = 0;
        for (int64_t part = 0; part < 4; part++)
            bits |= scan_sixteen(panel + part * 64, bias + part * 16, queries + q * query_stride, limits[q], groups)
                    << (16 * part);
        hits[q] = bits;
        found += bits != 0;
    }
    return found;
}
