/* SPDX-License-Identifier: Apache-2.0 */
/* The renderer's memory, shared by the files of this room. */
#ifndef PHYSAD__SPLAT_INTERNAL_H
#define PHYSAD__SPLAT_INTERNAL_H

#include "splat/splat.h"

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
    splat_key *keys;
    int32_t *lists;
    int64_t *starts; /* of the tiles' lists; tiles + 1 */
    double *rows;
    int64_t records_size, features_size, sums_size, tiles_size, loss_size, keys_size, lists_size, starts_size, rows_size;
};

/* Fills starts and lists from the records: near to far, ties by index; numbers the pairs. */
physad_status physad__splat_bin(physad__splat *s);

#endif
