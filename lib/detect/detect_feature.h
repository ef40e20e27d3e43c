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

/* After a fit: the weights that the model will carry, and where they came from (detect_model.c). */
physad_status physad__feature_take_weights(const physad_detector *det, physad__feature_model *model);

#endif
