/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize. Every sum has one order, whatever the width of the vector unit: it runs over the taps
 * within one element, never across elements. */
#include "data/data_resize.h"

enum { FIXED_BITS = 22 };

/* One to four taps at a time, so that `acc` is read and written a quarter as often. */
#define DEFINE_ROWS_SUM(suffix, type)                                                                                  \
    void physad__rows_sum_##suffix(float *restrict acc, const type *const *rows, const float *weight, int64_t count,   \
                                   int64_t n)                                                                          \
    {                                                                                                                  \
        int64_t k = 0;                                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                                \
            acc[i] = 0;                                                                                                \
        for (; k + 4 <= count; k += 4) {                                                                               \
            const type *restrict a = rows[k], *restrict b = rows[k + 1], *restrict c = rows[k + 2],                    \
                                 *restrict d = rows[k + 3];                                                            \
            const float p = weight[k], q = weight[k + 1], r = weight[k + 2], s = weight[k + 3];                        \
            for (int64_t i = 0; i < n; i++)                                                                            \
                acc[i] = (((acc[i] + p * (float)a[i]) + q * (float)b[i]) + r * (float)c[i]) + s * (float)d[i];         \
        }                                                                                                              \
        for (; k < count; k++) {                                                                                       \
            const type *restrict a = rows[k];                                                                          \
            const float p = weight[k];                                                                                 \
            for (int64_t i = 0; i < n; i++)                                                                            \
                acc[i] += p * (float)a[i];                                                                             \
        }                                                                                                              \
    }

DEFINE_ROWS_SUM(u8, uint8_t)
DEFINE_ROWS_SUM(u16, uint16_t)
DEFINE_ROWS_SUM(f32, float)

void physad__row_squeeze_f32(float *restrict out, const float *restrict row, const physad__axis *axis, int64_t channels)
{
    for (int64_t i = 0; i < axis->outputs; i++) {
        const float *w = axis->weight + i * axis->stride;
        const float *p = row + (axis->first[i] - axis->low) * channels;
        const int64_t n = axis->count[i];
        if (channels == 3) {
            float r = 0, g = 0, b = 0;
            for (int64_t k = 0; k < n; k++, p += 3) {
                r += w[k] * p[0];
                g += w[k] * p[1];
                b += w[k] * p[2];
            }
            out[3 * i] = r;
            out[3 * i + 1] = g;
            out[3 * i + 2] = b;
        } else {
            float v = 0;
            for (int64_t k = 0; k < n; k++)
                v += w[k] * p[k];
            out[i] = v;
        }
    }
}

static inline uint8_t to_byte(int32_t sum)
{
    const int32_t v = sum >> FIXED_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

void physad__row_squeeze_u8(uint8_t *restrict out, const uint8_t *restrict row, const physad__axis *axis,
                            int64_t channels)
{
    const int32_t half = 1 << (FIXED_BITS - 1);
    for (int64_t i = 0; i < axis->outputs; i++) {
        const int32_t *w = axis->fixed + i * axis->stride;
        const uint8_t *p = row + (axis->first[i] - axis->low) * channels;
        const int64_t n = axis->count[i];
        if (channels == 3) {
            int32_t r = half, g = half, b = half;
            for (int64_t k = 0; k < n; k++, p += 3) {
                r += w[k] * p[0];
                g += w[k] * p[1];
                b += w[k] * p[2];
            }
            out[3 * i] = to_byte(r);
            out[3 * i + 1] = to_byte(g);
            out[3 * i + 2] = to_byte(b);
        } else {
            int32_t v = half;
            for (int64_t k = 0; k < n; k++)
                v += w[k] * p[k];
            out[i] = to_byte(v);
        }
    }
}

void physad__rows_sum_fixed(uint8_t *restrict out, const uint8_t *restrict rows, int64_t stride, const int32_t *weight,
                            int64_t count, int64_t n)
{
    enum { STEP = 64 };
    int32_t acc[STEP];
    for (int64_t at = 0; at < n; at += STEP) {
        const int64_t m = n - at < STEP ? n - at : STEP;
        for (int64_t i = 0; i < m; i++)
            acc[i] = 1 << (FIXED_BITS - 1);
        for (int64_t k = 0; k < count; k++) {
            const uint8_t *p = rows + k * stride + at;
            const int32_t w = weight[k];
            for (int64_t i = 0; i < m; i++)
                acc[i] += w * p[i];
        }
        for (int64_t i = 0; i < m; i++)
            out[at + i] = to_byte(acc[i]);
    }
}
