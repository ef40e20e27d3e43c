/* SPDX-License-Identifier: Apache-2.0 */
/* The renderer's memory, shared by the files of this room. */
#ifndef PHYSAD__SPLAT_INTERNAL_H
#define PHYSAD__SPLAT_INTERNAL_H

#include "io/io.h"
#include "splat/splat.h"

struct physad_gaussians {
    physad_context *ctx;
    atomic_int references;
    uint64_t version; /* one more with each change */
    physad__gaussians set;
};

/* Of a chunk, and after numbering: of all before it. */
typedef struct splat_tally {
    int64_t seen, pairs;
} splat_tally;

/* The tiles of a Gaussian. */
typedef struct splat_rect {
    int16_t x, y, nx, ny;
} splat_rect;

typedef struct splat_key {
    uint32_t depth; /* its bits: positive numbers sort as they are */
    int32_t index;
} splat_key;

struct physad__splat {
    physad_context *ctx;
    const physad__splat_kernels *kernels;
    physad__splat_project job;
    physad__splat_input input;
    bool ready; /* for backward */
    int64_t tiles_x, tiles_y, n_pairs;
    /* grown, never shrunk; capacities in elements */
    physad__splat_record *records;
    float *features, *sums, *tiles, *loss;
    splat_tally *tallies; /* of the chunks */
    splat_key *keys;
    splat_rect *rects; /* near to far */
    int32_t *lists;
    uint16_t *reach; /* of the lists' entries */
    int64_t *starts; /* of the tiles' lists; tiles + 1 */
    double *rows;
    int64_t records_size, features_size, sums_size, tiles_size, loss_size, tallies_size, keys_size, rects_size,
        lists_size, reach_size, starts_size, rows_size;
};

physad_gaussians *physad__gaussians_retain(physad_gaussians *gaussians);
/* f32, of this shape (-1: any), of any strides. */
physad_status physad__splat_view_want(const physad_view *view, const char *call, const char *name, bool written,
                                      int32_t ndim, const int64_t *shape);
/* Copies out what is not NULL, after all shapes are checked. */
physad_status physad__splat_arrays_give(const physad_view *const to[PHYSAD__SPLAT_ARRAYS],
                                        const physad_view from[PHYSAD__SPLAT_ARRAYS], const char *call);

/* Fills starts and lists from the records: near to far, ties by index; numbers the pairs. */
physad_status physad__splat_bin(physad__splat *s);

#endif
