/* SPDX-License-Identifier: Apache-2.0 */
/* What a number usually is at each cell of the grid. */
#include "detect/detect_learn.h"

#include <math.h>

physad_status physad__moments_new(physad__moments *m, physad__mem *mem, int64_t cells)
{
    double *block = physad__alloc_zero(mem, (size_t)(3 * cells) * sizeof(*block), "positions");
    *m = (physad__moments){ block, NULL, NULL };
    if (block == NULL)
        return PHYSAD_ERR_NOMEM;
    m->squares = block + cells;
    m->count = block + 2 * cells;
    return PHYSAD_OK;
}

void physad__moments_free(physad__moments *m)
{
    physad__free(m->sum);
    *m = (physad__moments){ NULL, NULL, NULL };
}

void physad__moments_add(physad__moments *m, int64_t cell, double value)
{
    m->sum[cell] += value;
    m->squares[cell] += value * value;
    m->count[cell] += 1;
}

/* Gaussian over 1 cell, then drawn towards the whole by the weight of ten photos: few photos say little about one cell.
 */
bool physad__moments_settle(const physad__moments *m, int64_t height, int64_t width, float *mean_out, float *inverse)
{
    static const double kernel[3] = { 0.3989, 0.2420, 0.0540 };
    const double prior = 10;
    double sum = 0, squares = 0, count = 0;
    for (int64_t i = 0; i < height * width; i++) {
        sum += m->sum[i];
        squares += m->squares[i];
        count += m->count[i];
    }
    const double mean = sum / count;
    const double variance = fmax(squares / count - mean * mean, 0);
    if (!(variance > 0))
        return false;
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            double s = 0, q = 0, n = 0;
            for (int64_t dy = -2; dy <= 2; dy++) {
                for (int64_t dx = -2; dx <= 2; dx++) {
                    const int64_t yy = y + dy, xx = x + dx;
                    const double w = kernel[dy < 0 ? -dy : dy] * kernel[dx < 0 ? -dx : dx];
                    if (yy < 0 || xx < 0 || yy >= height || xx >= width)
                        continue;
                    s += w * m->sum[yy * width + xx];
                    q += w * m->squares[yy * width + xx];
                    n += w * m->count[yy * width + xx];
                }
            }
            const double own = n > 0 ? s / n : mean;
            const double own_variance = n > 0 ? fmax(q / n - own * own, 0) : variance;
            mean_out[y * width + x] = (float)((n * own + prior * mean) / (n + prior));
            inverse[y * width + x] = (float)(1 / sqrt((n * own_variance + prior * variance) / (n + prior)));
        }
    }
    return true;
}
