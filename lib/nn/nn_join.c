/* SPDX-License-Identifier: Apache-2.0 */
/* Every sum runs in one fixed order for each value, so the split into rows does not show. Values lie channels last
 * throughout: the inner loops run over channels. */
#include "nn/nn_join.h"

#include <physad/features.h>

#include <math.h>

/* Channels of a layer once pooled. */
static int64_t pooled_width(const physad__join *j, int64_t layer)
{
    return j->pool == PHYSAD_FEATURES_POOL_UNFOLD ? j->unfold_dim : j->shape[layer][2];
}

static int64_t joined_width(const physad__join *j)
{
    int64_t width = 0;
    for (int64_t i = 0; i < j->layer_count; i++)
        width += pooled_width(j, i);
    return width;
}

int64_t physad__join_width(const physad__join *j)
{
    return j->pool == PHYSAD_FEATURES_POOL_UNFOLD ? j->unfold_dim : joined_width(j);
}

/* --- pooling of one place --- */

/* The mean of 3 x 3 places, those outside being zero. */
static void average3(const float *map, const int64_t shape[3], int64_t y, int64_t x, float *restrict out)
{
    const int64_t h = shape[0], w = shape[1], c = shape[2];
    for (int64_t k = 0; k < c; k++)
        out[k] = 0;
    for (int64_t yy = physad__max(y - 1, 0); yy <= physad__min(y + 1, h - 1); yy++) {
        for (int64_t xx = physad__max(x - 1, 0); xx <= physad__min(x + 1, w - 1); xx++) {
            const float *restrict in = map + (yy * w + xx) * c;
#pragma omp simd
            for (int64_t k = 0; k < c; k++)
                out[k] += in[k];
        }
    }
#pragma omp simd
    for (int64_t k = 0; k < c; k++)
        out[k] /= 9;
}

/* `from` values averaged down (or spread) to `to`: bin i covers floor(i from / to) to ceil((i + 1) from / to). */
static void adapt(const float *in, int64_t from, float *out, int64_t to)
{
    const int64_t step = from / to, rest = from % to;
    int64_t begin = 0, over = 0; /* i from / to is begin + over / to */
    for (int64_t i = 0; i < to; i++) {
        int64_t next = begin + step;
        over += rest;
        if (over >= to) {
            over -= to;
            next++;
        }
        const int64_t end = next + (over > 0);
        float sum = 0;
        for (int64_t k = begin; k < end; k++)
            sum += in[k];
        out[i] = sum / (float)(end - begin);
        begin = next;
    }
}

/* 3 x 3 places unfolded channel by channel into `patch` (9 C values), then averaged down. */
static void unfold(const float *map, const int64_t shape[3], int64_t y, int64_t x, float *patch, float *out, int64_t to)
{
    const int64_t h = shape[0], w = shape[1], c = shape[2];
    for (int64_t place = 0; place < 9; place++) {
        const int64_t yy = y + place / 3 - 1, xx = x + place % 3 - 1;
        const bool inside = yy >= 0 && yy < h && xx >= 0 && xx < w;
        const float *in = inside ? map + (yy * w + xx) * c : NULL;
        for (int64_t k = 0; k < c; k++)
            patch[k * 9 + place] = inside ? in[k] : 0;
    }
    adapt(patch, 9 * c, out, to);
}

/* --- upsampling of one place --- */

typedef struct span {
    int64_t low, high;
    float weight; /* of `high` */
} span;

static span source(int64_t at, int64_t in, int64_t out, int32_t upsample)
{
    if (upsample == PHYSAD_UPSAMPLE_NEAREST)
        return (span){ at * in / out, at * in / out, 0 };
    const float scale = (float)in / (float)out;
    const float s = fmaxf(((float)at + 0.5f) * scale - 0.5f, 0);
    const int64_t low = physad__min((int64_t)s, in - 1);
    return (span){ low, physad__min(low + 1, in - 1), s - (float)low };
}

static void sample(const float *map, int64_t w, int64_t c, span y, span x, float *restrict out)
{
    const float *restrict a = map + (y.low * w + x.low) * c, *restrict b = map + (y.low * w + x.high) * c;
    const float *restrict d = map + (y.high * w + x.low) * c, *restrict e = map + (y.high * w + x.high) * c;
    const float wy = y.weight, wx = x.weight, uy = 1 - wy, ux = 1 - wx;
    if (wy == 0 && wx == 0) {
        memcpy(out, a, (size_t)c * sizeof(*out));
        return;
    }
#pragma omp simd
    for (int64_t k = 0; k < c; k++)
        out[k] = uy * (ux * a[k] + wx * b[k]) + wy * (ux * d[k] + wx * e[k]);
}

/* --- whole maps --- */

/* A place of a layer, pooled. `patch` is the thread's own. */
static void pool_place(const physad__join *j, int64_t layer, const float *map, int64_t y, int64_t x, float *patch,
                       float *out)
{
    const int64_t *shape = j->shape[layer];
    if (j->pool == PHYSAD_FEATURES_POOL_AVG3)
        average3(map, shape, y, x, out);
    else if (j->pool == PHYSAD_FEATURES_POOL_UNFOLD)
        unfold(map, shape, y, x, patch, out, j->unfold_dim);
    else
        memcpy(out, map + (y * shape[1] + x) * shape[2], (size_t)shape[2] * sizeof(*out));
}

/* Values of scratch that one row of places needs for itself. */
static int64_t row_scratch(const physad__join *j)
{
    int64_t most = 0;
    for (int64_t i = 0; i < j->layer_count; i++)
        most = physad__max(most, 9 * j->shape[i][2]);
    return j->pool == PHYSAD_FEATURES_POOL_UNFOLD ? most + joined_width(j) : 0;
}

int64_t physad__join_scratch(const physad__join *j)
{
    int64_t total, rows = 0;
    for (int64_t i = 0; i < j->layer_count; i++)
        rows = physad__max(rows, j->shape[i][0]);
    if (physad__mul_overflow(rows, row_scratch(j), &total))
        return -1;
    for (int64_t i = 1; i < j->layer_count; i++) {
        int64_t size;
        if (physad__mul_overflow(j->shape[i][0] * j->shape[i][1], pooled_width(j, i), &size) ||
            size > INT64_MAX / 16 - total)
            return -1;
        total += size;
    }
    return total;
}

/* Pools a layer of its own grid into `out`. */
static void pool_layer(const physad__join *j, int64_t layer, const float *map, float *patches, float *out)
{
    const int64_t h = j->shape[layer][0], w = j->shape[layer][1], width = pooled_width(j, layer), own = row_scratch(j);
#pragma omp parallel for schedule(static) if (h * w * width > 1 << 15)
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            pool_place(j, layer, map, y, x, patches + y * own, out + (y * w + x) * width);
}

static void join_place(const physad__join *j, const float *const *maps, int64_t y, int64_t x, float *patch, float *out)
{
    const bool unfolds = j->pool == PHYSAD_FEATURES_POOL_UNFOLD;
    float *joined = unfolds ? patch + row_scratch(j) - joined_width(j) : out, *to = joined;
    pool_place(j, 0, maps[0], y, x, patch, to);
    to += pooled_width(j, 0);
    for (int64_t i = 1; i < j->layer_count; i++) {
        const int64_t width = pooled_width(j, i);
        sample(maps[i], j->shape[i][1], width, source(y, j->shape[i][0], j->shape[0][0], j->upsample),
               source(x, j->shape[i][1], j->shape[0][1], j->upsample), to);
        to += width;
    }
    if (unfolds)
        adapt(joined, to - joined, out, j->unfold_dim);
}

void physad__join_run(const physad__join *j, const float *const *maps, float *scratch, float *out)
{
    const int64_t h = j->shape[0][0], w = j->shape[0][1], width = physad__join_width(j), own = row_scratch(j);
    const float *pooled[PHYSAD__JOIN_LAYERS] = { maps[0] };
    int64_t rows = 0;
    for (int64_t i = 0; i < j->layer_count; i++)
        rows = physad__max(rows, j->shape[i][0]);
    float *patches = scratch, *next = scratch + rows * own;
    for (int64_t i = 1; i < j->layer_count; i++) {
        pooled[i] = j->pool == PHYSAD_FEATURES_POOL_NONE ? maps[i] : next;
        if (j->pool != PHYSAD_FEATURES_POOL_NONE)
            pool_layer(j, i, maps[i], patches, next);
        next += j->shape[i][0] * j->shape[i][1] * pooled_width(j, i);
    }
#pragma omp parallel for schedule(static) if (h * w * width > 1 << 15)
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            join_place(j, pooled, y, x, patches + y * own, out + (y * w + x) * width);
}
