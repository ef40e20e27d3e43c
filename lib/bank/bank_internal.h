/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of this room only. */
#ifndef PHYSAD__BANK_INTERNAL_H
#define PHYSAD__BANK_INTERNAL_H

#include "bank/bank.h"
#include "kernels/kernels.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* --- memory that may live in a file (bank_region.c) --- */

/* Where large arrays go: beyond `bytes` held by the region, or when the context's memory limit is near, into an
 * unlinked file. */
typedef struct physad__spill {
    uint64_t bytes; /* UINT64_MAX: never */
    const char *dir;
} physad__spill;

typedef struct physad__region {
    void *data;
    size_t size;
    int file; /* < 0: memory */
} physad__region;

#define PHYSAD__REGION_EMPTY { NULL, 0, -1 }

/* Makes the region `size` bytes large and keeps what it held; on failure it is as before. */
physad_status physad__region_resize(physad__region *region, physad_context *ctx, const physad__spill *spill,
                                    size_t size, const char *what);
void physad__region_free(physad__region *region);

/* --- the nearest so far of one query (bank_top.c) --- */

/* Sorted by (distance, index); both arrays hold k entries. */
typedef struct physad__top {
    int32_t k, filled;
    double *distance; /* squared, the truth */
    int64_t *index;
} physad__top;

void physad__top_init(physad__top *top, int32_t k, double *distance, int64_t *index);
/* The squared distance beyond which a row cannot enter any more; +inf while there is room. */
static inline double physad__top_worst(const physad__top *top)
{
    return top->filled == top->k ? top->distance[top->k - 1] : INFINITY;
}

/* What the rows are, for comparing: n rows of d elements in index order. */
typedef struct physad__rows {
    const float *data;
    int64_t n, d;
    const physad_kernels *kernels;
} physad__rows;

/* A row whose distance is the truth. One that is in already stays once. */
void physad__top_insert(physad__top *top, double distance, int64_t index);
/* Offers the listed rows to `top`: a distance in f32 sorts out what cannot enter, the truth decides on the rest. One
 * that is in already stays once. */
void physad__top_offer(physad__top *top, const physad__rows *rows, const float *query, const int64_t *index, int64_t n);
/* A bound from below of the truth, given the f32 distance of rows of d elements. */
static inline double physad__distance_floor(float distance, int64_t d)
{
    return distance >= 1e-30f && distance < INFINITY ? (double)distance * (1 - (double)(d + 8) * 0x1p-23) : 0;
}

/* --- the search structure (bank_plan.c) --- */

typedef struct physad__plan physad__plan;
typedef struct physad__approx physad__approx;

struct physad_bank {
    physad_context *ctx;
    int64_t dim, count, capacity; /* rows */
    physad__region rows;          /* own rows; empty while `borrowed` is set */
    const float *borrowed;        /* rows in a mapped file */
    physad_tensors *file;         /* freed with the bank or when the rows become its own; may be NULL */
    int64_t *samples;
    int32_t *positions;
    int64_t samples_capacity, positions_capacity;
    char *spill_dir;
    physad__spill spill;
    pthread_mutex_t lock; /* of `plan`, which the first search builds */
    physad__plan *plan;
    physad__approx *approx;
};

static inline const float *physad__bank_rows(const physad_bank *bank)
{
    return bank->borrowed != NULL ? bank->borrowed : bank->rows.data;
}

/* Room for `count` rows, own and writable. */
physad_status physad__bank_reserve(physad_bank *bank, int64_t count);
/* The rows, samples and positions have changed: forget what was built of them. */
void physad__bank_changed(physad_bank *bank);
/* NUMERIC naming the first row with a NaN or an infinity; `stride` in elements. */
physad_status physad__rows_finite(const float *rows, int64_t n, int64_t d, int64_t stride, const char *what);

#endif
