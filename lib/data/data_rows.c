/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the resize. Every sum has one order, whatever the width of the vector unit: it runs over the taps
 * within one element, never across elements. */
#include "data/data_resize.h"

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
