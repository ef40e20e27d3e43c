/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize. Every sum has one order, over the taps within one element, never across elements.
 * Shapes: a row has pixels of `channels` bytes; weights lie `stride` apart from output to output. No alignment.
 * Accumulator: 32 bits for bytes (weights of 2^22 in sum, so that 255 * 2^22 fits), f32 else, multiplication and
 * addition apart. */
#include "kernels/kernels_internal.h"

static inline uint8_t to_byte(int32_t sum)
{
    const int32_t v = sum >> PHYSAD__FIXED_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

void physad__narrow_u8_c(uint8_t *out, const uint8_t *row, int64_t pixels, const int32_t *first, const int32_t *count,
                         const int32_t *weight, int64_t stride, int64_t n, int64_t channels)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < channels; c++) {
            int32_t sum = 1 << (PHYSAD__FIXED_BITS - 1);
            for (int64_t k = 0; k < count[i]; k++)
                sum += weight[i * stride + k] * row[(first[i] + k) * channels + c];
            out[i * channels + c] = to_byte(sum);
        }
}

void physad__sum_rows_u8_c(uint8_t *out, const uint8_t *rows, int64_t stride, const int32_t *weight, int64_t count,
                           int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t sum = 1 << (PHYSAD__FIXED_BITS - 1);
        for (int64_t k = 0; k < count; k++)
            sum += weight[k] * rows[k * stride + i];
        out[i] = to_byte(sum);
    }
}

void physad__blend_rows_u8_c(float *out, const uint8_t *const *rows, const float *weight, int64_t count, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t k = 0; k < count; k++)
            sum += weight[k] * (float)rows[k][i];
        out[i] = sum;
    }
}
