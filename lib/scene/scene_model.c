/* SPDX-License-Identifier: Apache-2.0 */
#include "scene/scene.h"

#include <math.h>
#include <stdlib.h>

void physad__scene_model_free(physad__scene_model *m)
{
    physad__free(m->value);
    physad__free(m->pull);
    *m = (physad__scene_model){ 0 };
}

physad_status physad__scene_model_make(physad__scene_model *out, physad__mem *mem, int64_t count, int32_t degree)
{
    const int64_t stride = physad__splat_stride(count), planes = physad__splat_plane_count(degree);
    *out = (physad__scene_model){
        .mem = mem, .count = count, .stride = stride, .degree = degree, .planes = (int32_t)planes
    };
    out->value =
        physad__alloc_zero(mem, (size_t)(3 * planes * stride + 1) * sizeof(float), "Gaussians and their optimiser");
    out->pull = physad__alloc_zero(mem, (size_t)(3 * stride + 1) * sizeof(float), "Gaussians and their optimiser");
    if (out->value == NULL || out->pull == NULL) {
        physad__scene_model_free(out);
        return PHYSAD_ERR_NOMEM;
    }
    out->mean = out->value + planes * stride;
    out->square = out->mean + planes * stride;
    out->shown = out->pull + stride;
    out->radius = out->shown + stride;
    return PHYSAD_OK;
}

void physad__scene_model_copy(physad__scene_model *to, int64_t at, const physad__scene_model *from, int64_t i,
                              bool moments)
{
    for (int k = 0; k < to->planes; k++) {
        to->value[k * to->stride + at] = from->value[k * from->stride + i];
        to->mean[k * to->stride + at] = moments ? from->mean[k * from->stride + i] : 0;
        to->square[k * to->stride + at] = moments ? from->square[k * from->stride + i] : 0;
    }
}

typedef struct by_x {
    float x;
    int32_t index;
} by_x;

static int compare(const void *a, const void *b)
{
    const by_x *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->index > q->index) - (p->index < q->index);
}

/* One candidate into the three smallest. */
static void keep_three(float best[3], float square)
{
    if (square >= best[2])
        return;
    best[2] = square;
    for (int k = 2; k > 0 && best[k] < best[k - 1]; k--) {
        const float swap = best[k];
        best[k] = best[k - 1];
        best[k - 1] = swap;
    }
}

/* Mean squared distance to the three nearest points: outward along x until x alone is farther. */
enum { FARTHEST = 4096 }; /* points looked at on each side: where all have one x, the walk would be over all */

static float three_nearest(const float *points, const by_x *order, int64_t n, int64_t at)
{
    const float *p = points + 3 * order[at].index;
    float best[3] = { INFINITY, INFINITY, INFINITY };
    for (int64_t side = -1; side <= 1; side += 2)
        for (int64_t i = at + side; i >= 0 && i < n && (i - at) * side <= FARTHEST; i += side) {
            const float dx = order[i].x - order[at].x;
            if (!(dx * dx < best[2]))
                break;
            const float *q = points + 3 * order[i].index, dy = q[1] - p[1], dz = q[2] - p[2];
            keep_three(best, dx * dx + dy * dy + dz * dz);
        }
    float sum = 0;
    int found = 0;
    for (; found < 3 && isfinite(best[found]); found++)
        sum += best[found];
    return found > 0 ? sum / (float)found : 1;
}

static void begin_one(physad__scene_model *m, const float *point, const float *colour, float square, int64_t i)
{
    const int64_t stride = m->stride;
    float *v = m->value;
    for (int k = 0; k < 3; k++) {
        v[k * stride + i] = point[k];
        v[(3 + k) * stride + i] = 0.5f * logf(fmaxf(square, 1e-7f));
        v[(11 + k) * stride + i] = (colour[k] - 0.5f) / 0.28209479177387814f;
    }
    v[6 * stride + i] = 1;
    v[10 * stride + i] = logf(0.1f / 0.9f);
}

physad_status physad__scene_model_begin(physad__scene_model *out, physad__mem *mem, const float *points,
                                        const float *colours, int64_t n, int32_t degree)
{
    by_x *order = physad__alloc_array(mem, n + 1, sizeof(*order), "points of a scene");
    *out = (physad__scene_model){ 0 };
    if (order == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        order[i] = (by_x){ points[3 * i], (int32_t)i };
    qsort(order, (size_t)n, sizeof(*order), compare);
    const physad_status status = physad__scene_model_make(out, mem, n, degree);
    if (status == PHYSAD_OK) {
#pragma omp parallel for schedule(static)
        for (int64_t at = 0; at < n; at++) {
            const int64_t i = order[at].index;
            begin_one(out, points + 3 * i, colours + 3 * i, three_nearest(points, order, n, at), i);
        }
    }
    physad__free(order);
    return status == PHYSAD_OK ? physad__scene_model_sort(out) : status;
}

/* --- neighbours in space are neighbours in memory --- */

typedef struct by_code {
    uint64_t code;
    int64_t index;
} by_code;

static int compare_codes(const void *a, const void *b)
{
    const by_code *p = a, *q = b;
    return p->code != q->code ? (p->code > q->code) - (p->code < q->code)
                              : (p->index > q->index) - (p->index < q->index);
}

/* Each bit followed by two zeros. */
static uint64_t spread_bits(uint64_t n)
{
    uint64_t out = 0;
    for (int bit = 0; bit < 16; bit++)
        out |= (n >> bit & 1) << (3 * bit);
    return out;
}

/* Adds an axis to the codes: 16 bits over four mean deviations each way, what is farther at the ends, and in the later
 * of three passes no part of mean and deviation. */
static void add_axis(by_code *codes, const float *plane, int64_t n, int axis)
{
    double mean = 0, spread = INFINITY;
    for (int pass = 0; pass < 3; pass++) {
        double sum = 0, off = 0;
        int64_t count = 0;
        for (int64_t i = 0; i < n; i++) {
            const double d = (double)plane[i] - mean;
            if (fabs(d) <= 4 * spread) {
                sum += d;
                count++;
            }
        }
        const double next = mean + sum / (double)physad__max(1, count);
        for (int64_t i = 0; i < n; i++)
            off += fabs((double)plane[i] - mean) <= 4 * spread ? fabs((double)plane[i] - next) : 0;
        mean = next;
        spread = off / (double)physad__max(1, count);
    }
    for (int64_t i = 0; i < n; i++) {
        const double at = 32768 + 8192 * ((double)plane[i] - mean) / fmax(spread, 1e-30);
        codes[i].code |= spread_bits((uint64_t)fmin(fmax(at, 0), 65535)) << axis;
    }
}

static void take_row(float *plane, float *scratch, const by_code *codes, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        scratch[i] = plane[codes[i].index];
    memcpy(plane, scratch, (size_t)n * sizeof(float));
}

physad_status physad__scene_model_sort(physad__scene_model *m)
{
    by_code *codes = physad__alloc_zero(m->mem, (size_t)(m->count + 1) * sizeof(*codes), "order of Gaussians");
    float *scratch = physad__alloc_array(m->mem, m->count + 1, sizeof(float), "order of Gaussians");
    const physad_status status = codes != NULL && scratch != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        for (int64_t i = 0; i < m->count; i++)
            codes[i].index = i;
        for (int axis = 0; axis < 3; axis++)
            add_axis(codes, m->value + axis * m->stride, m->count, axis);
        qsort(codes, (size_t)m->count, sizeof(*codes), compare_codes);
        for (int64_t k = 0; k < 3 * (int64_t)m->planes; k++) /* values, means, squares */
            take_row(m->value + k * m->stride, scratch, codes, m->count);
        for (int64_t k = 0; k < 3; k++)
            take_row(m->pull + k * m->stride, scratch, codes, m->count);
    }
    physad__free(codes);
    physad__free(scratch);
    return status;
}
