/* SPDX-License-Identifier: Apache-2.0 */
/* Patches of space and time: 3 x 3 cells over five frames, at every cell. Motion by direction, speed and its spread;
 * looks by edges and contrast. Roots of sums, so that much and little are told apart by their ratio. */
#include "detect/motion.h"

#include <math.h>

enum { SIDE = PHYSAD__PATCH_SIDE, FRAMES = PHYSAD__PATCH_FRAMES, LATENCY = PHYSAD__PATCH_LATENCY };
static const float LEAST_MOVING = 0.02f; /* share of its pixels and frames from which a patch counts as moving */

physad_status physad__patches_open(physad__patches *p, physad__mem *mem, int64_t rows, int64_t columns)
{
    const int64_t cells = rows * columns;
    *p = (physad__patches){ .mem = mem, .rows = rows, .columns = columns };
    p->ring = physad__alloc_array(mem, FRAMES * cells, sizeof(*p->ring), "cells");
    p->rows_of = physad__alloc_array(mem, cells * PHYSAD__PATCH_DIM, sizeof(float), "patches");
    p->place = physad__alloc_array(mem, cells, sizeof(int32_t), "patches");
    if (p->ring != NULL && p->rows_of != NULL && p->place != NULL)
        return PHYSAD_OK;
    physad__patches_close(p);
    return PHYSAD_ERR_NOMEM;
}

void physad__patches_close(physad__patches *p)
{
    physad__free(p->ring);
    physad__free(p->rows_of);
    physad__free(p->place);
    *p = (physad__patches){ 0 };
}

void physad__patches_push(physad__patches *p, const physad__cell *cells)
{
    const int64_t n = p->rows * p->columns;
    memcpy(p->ring + (p->pushed++ % FRAMES) * n, cells, (size_t)n * sizeof(*cells));
}

static void add_cell(float *sum, const physad__cell *c)
{
    const float *values = (const float *)(const void *)c;
    for (int k = 0; k < PHYSAD__CELL_FLOATS; k++)
        sum[k] += values[k];
}

static void describe(const physad__cell *m, float *out)
{
    for (int k = 0; k < PHYSAD__MOTION_DIRECTIONS; k++)
        *out++ = sqrtf(m->toward[k]);
    *out++ = m->flow / (m->moving + 0.02f);
    *out++ = sqrtf(m->square / (m->moving + 0.02f));
    *out++ = sqrtf(m->square);
    for (int k = 0; k < PHYSAD__MOTION_EDGES; k++)
        *out++ = sqrtf(m->edges[k]);
    *out++ = sqrtf(m->contrast);
}

/* The patch at a place over frames from..to; false when it hardly moves. */
static bool make_patch(const physad__patches *p, int64_t y, int64_t x, int64_t from, int64_t to, float *out)
{
    physad__cell mean = { 0 };
    float *sum = (float *)(void *)&mean;
    for (int64_t t = from; t <= to; t++) {
        const physad__cell *cells = p->ring + (t % FRAMES) * p->rows * p->columns;
        for (int64_t i = y; i < y + SIDE; i++)
            for (int64_t k = x; k < x + SIDE; k++)
                add_cell(sum, &cells[i * p->columns + k]);
    }
    const float share = 1 / (float)((to - from + 1) * SIDE * SIDE);
    for (int k = 0; k < PHYSAD__CELL_FLOATS; k++)
        sum[k] *= share;
    if (mean.moving <= LEAST_MOVING)
        return false;
    describe(&mean, out);
    return true;
}

bool physad__patches_next(physad__patches *p, bool end)
{
    const int64_t t = p->given, last = p->pushed - 1;
    if (t > last || (!end && t + LATENCY > last))
        return false;
    const int64_t from = physad__max(0, t - LATENCY), to = physad__min(last, t + LATENCY);
    p->count = 0;
    for (int64_t y = 0; y + SIDE <= p->rows; y++)
        for (int64_t x = 0; x + SIDE <= p->columns; x++)
            if (make_patch(p, y, x, from, to, p->rows_of + p->count * PHYSAD__PATCH_DIM))
                p->place[p->count++] = (int32_t)(y * p->columns + x);
    p->given++;
    return true;
}

/* --- scores --------------------------------------------------------------------------------------------------------
 */

/* Keeps the greatest few of a stream of numbers, ascending. */
static void keep_greatest(double *kept, int64_t *count, double value)
{
    int64_t i = *count;
    if (i == PHYSAD__TOP_PATCHES) {
        if (value <= kept[0])
            return;
        memmove(kept, kept + 1, (size_t)(--i) * sizeof(*kept));
    }
    for (; i > 0 && kept[i - 1] > value; i--)
        kept[i] = kept[i - 1];
    kept[i] = value;
    *count = physad__min(*count + 1, PHYSAD__TOP_PATCHES);
}

/* A thing that moves lies in about nine patches, each a cell further: the mean of the nine oddest. */
static double judge(const physad__patches *p, const physad_bank *bank, const double *squared, const int64_t *nearest,
                    physad__oddest *oddest)
{
    double kept[PHYSAD__TOP_PATCHES], sum = 0, most = -1;
    int64_t count = 0;
    for (int64_t i = 0; i < p->count; i++) {
        keep_greatest(kept, &count, sqrt(squared[i]));
        if (squared[i] > most) {
            most = squared[i];
            *oddest = (physad__oddest){ sqrt(squared[i]), physad_bank_sample(bank, nearest[i]),
                                        physad_bank_position(bank, nearest[i]), p->place[i] };
        }
    }
    for (int64_t i = count - 1; i >= 0; i--)
        sum += kept[i];
    return sum / PHYSAD__TOP_PATCHES;
}

physad_status physad__patches_score(const physad__patches *p, const physad_bank *bank, physad__mem *mem,
                                    physad__call *call, double *score, physad__oddest *oddest)
{
    *score = 0;
    *oddest = (physad__oddest){ 0, -1, -1, 0 };
    if (p->count == 0)
        return PHYSAD_OK;
    double *squared = physad__alloc_array(mem, p->count, sizeof(*squared), "distances");
    int64_t *nearest = physad__alloc_array(mem, p->count, sizeof(*nearest), "distances");
    physad_status status = squared != NULL && nearest != NULL
                               ? physad__bank_search(bank, p->rows_of, p->count, 1, squared, nearest, call)
                               : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        *score = judge(p, bank, squared, nearest, oddest);
    physad__free(squared);
    physad__free(nearest);
    return status;
}
