/* SPDX-License-Identifier: Apache-2.0 */
/* The model of the feature family. Within lib/detect only. */
#ifndef PHYSAD__DETECT_FEATURE_H
#define PHYSAD__DETECT_FEATURE_H

#include "detect/detect.h"

typedef struct physad__feature_model {
    const physad__feature_method *method;
    physad__frontend front;
    void *state;             /* the method's */
    physad_bank *kept;       /* all cells, those kept aside too, with keep_features; else NULL */
    physad_tensors *weights; /* arrays "backbone.*" that the model file carries; NULL: named by their hash only */
    physad_tensors *file;    /* the model file that this was read from: banks map it; NULL when fitted */
    json_t *origin_of_weights;
} physad__feature_model;

physad_status physad__feature_model_new(physad__feature_model **out, const physad_detector *det);

/* --- weights in the model file (detect_model.c) --- */

/* After a fit: the weights that the model will carry (NULL: only their hash), and where they came from. */
physad_status physad__weights_take(const physad_detector *det, const physad_features *features, physad_tensors **out,
                                   json_t **origin);
/* Declares or appends those arrays of a set whose names begin with "backbone.". */
physad_status physad__weights_put(const physad_tensors *weights, physad__tensors_writer *w, bool append);
/* Weights that the model does not carry must be those it was made with. */
physad_status physad__weights_check(const physad_detector *det, const json_t *weights);
physad_status physad__feature_take_weights(const physad_detector *det, physad__feature_model *model);

/* --- from photos to the rows of a bank, and back (detect_cells.c) --- */

/* Appends the cells of one sample to a bank; `valid` says which. */
physad_status physad__cells_append(physad_bank *bank, physad__mem *mem, const float *cells, const uint8_t *valid,
                                   int64_t count, int64_t dim, int64_t sample);

/* The cells of all samples, sample i as number first + i, go into banks[aside[i]]; `aside` may be NULL. */
typedef struct physad__reading {
    const physad_dataset *samples;
    int64_t first;
    const uint8_t *aside;
    physad_bank *const *banks;
    int64_t (*sizes)[2]; /* of the photos, by number */
} physad__reading;
physad_status physad__cells_read(physad_detector *det, const physad__frontend *front, const physad__reading *what,
                                 physad__call *call);

/* FORMAT where a bank that a file held does not fit the grid: other dims, a sample that is none of `samples` or comes
 * before the row above's, a place beyond the grid. */
physad_status physad__cells_check(const physad_bank *bank, const physad__frontend *front, int64_t samples);
/* The rows from `row` on that belong to one sample, spread over its grid again. Returns how many rows. The bank fits
 * the grid. */
int64_t physad__cells_spread(const physad_bank *bank, int64_t row, const physad__frontend *front, float *data,
                             uint8_t *valid);

#endif
