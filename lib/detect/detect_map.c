/* SPDX-License-Identifier: Apache-2.0 */
/* Score maps: from the feature grid to the model's input size, and the customary blur. */
#include "detect/detect.h"

#include <math.h>

/* Where an output place lies between two input places. */
static float between(int64_t i, int64_t in, int64_t out, int64_t *low, int64_t *high)
{
    const double at = fmax(((double)i + 0.5) * ((double)in / (double)out) - 0.5, 0);
    *low = (int64_t)at;
    *high = physad__min(*low + 1, in - 1);
    return (float)(at - (double)*low);
}

static void upsample_bilinear(const float *in, int64_t h, int64_t w, float *out, int64_t height, int64_t width)
{
    for (int64_t y = 0; y < height; y++) {
        int64_t y0, y1;
        const float wy = between(y, h, height, &y0, &y1);
        const float *a = in + y0 * w, *b = in + y1 * w;
        float *row = out + y * width;
        for (int64_t x = 0; x < width; x++) {
            int64_t x0, x1;
            const float wx = between(x, w, width, &x0, &x1);
            const float top = a[x0] * (1 - wx) + a[x1] * wx, bottom = b[x0] * (1 - wx) + b[x1] * wx;
            row[x] = top * (1 - wy) + bottom * wy;
        }
    }
}

void physad__map_upsample(const float *in, int64_t h, int64_t w, float *out, int64_t height, int64_t width, int how)
{
    if (how == PHYSAD__UPSAMPLE_BILINEAR) {
        upsample_bilinear(in, h, w, out, height, width);
        return;
    }
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            out[y * width + x] = in[(y * h / height) * w + x * w / width];
}

/* Index of a neighbour beyond the border. */
static int64_t reflect(int64_t i, int64_t n, int border)
{
    const int64_t period = border == PHYSAD__BORDER_MIRROR ? 2 * n - 2 : 2 * n;
    if (period <= 0)
        return 0;
    i = (i % period + period) % period;
    return i < n ? i : period - i - (border == PHYSAD__BORDER_REPEAT);
}

/* out += tap * (a + b), by elements: the order of sums, and so each bit, is the same whatever the vector width. */
static void add_pair(float *out, const float *a, const float *b, float tap, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        out[i] += tap * (a[i] + b[i]);
}

static void scale_row(float *out, const float *in, float tap, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        out[i] = tap * in[i];
}

static void blur_columns(const float *in, float *out, int64_t height, int64_t width, const float *taps, int64_t radius,
                         int border)
{
    for (int64_t y = 0; y < height; y++) {
        float *row = out + y * width;
        scale_row(row, in + y * width, taps[0], width);
        for (int64_t t = 1; t <= radius; t++)
            add_pair(row, in + reflect(y - t, height, border) * width, in + reflect(y + t, height, border) * width,
                     taps[t], width);
    }
}

/* `padded` has room for width + 2 * radius. */
static void blur_rows(const float *in, float *out, int64_t height, int64_t width, const float *taps, int64_t radius,
                      int border, float *padded)
{
    for (int64_t y = 0; y < height; y++) {
        const float *from = in + y * width;
        float *row = out + y * width;
        for (int64_t i = 0; i < radius; i++) {
            padded[radius - 1 - i] = from[reflect(-1 - i, width, border)];
            padded[radius + width + i] = from[reflect(width + i, width, border)];
        }
        memcpy(padded + radius, from, (size_t)width * sizeof(float));
        scale_row(row, padded + radius, taps[0], width);
        for (int64_t t = 1; t <= radius; t++)
            add_pair(row, padded + radius - t, padded + radius + t, taps[t], width);
    }
}

physad_status physad__map_blur(physad__mem *mem, float *map, int64_t height, int64_t width, double sigma, int border)
{
    if (!(sigma > 0))
        return PHYSAD_OK;
    const int64_t radius = (int64_t)(4 * sigma + 0.5);
    float *taps = physad__alloc_array(mem, radius + 1 + width + 2 * radius, sizeof(float), "blur");
    float *half = physad__alloc_array(mem, height * width, sizeof(float), "blur");
    const bool room = taps != NULL && half != NULL;
    if (room) {
        double sum = 0;
        for (int64_t i = -radius; i <= radius; i++)
            sum += exp(-0.5 * (double)(i * i) / (sigma * sigma));
        for (int64_t i = 0; i <= radius; i++)
            taps[i] = (float)(exp(-0.5 * (double)(i * i) / (sigma * sigma)) / sum);
        blur_columns(map, half, height, width, taps, radius, border);
        blur_rows(half, map, height, width, taps, radius, border, taps + radius + 1);
    }
    physad__free(taps);
    physad__free(half);
    return room ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}
