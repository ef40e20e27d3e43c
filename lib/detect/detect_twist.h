/* SPDX-License-Identifier: Apache-2.0 */
/* Poses refined as SplatPose and PIAD publish it: Adam on the seven numbers of a twist, through the renderer. Within
 * lib/detect only. */
#ifndef PHYSAD__DETECT_TWIST_H
#define PHYSAD__DETECT_TWIST_H

#include "detect/detect_posed.h"

/* A picture that the pose is to meet. */
typedef struct physad__twist_target {
    const physad__gaussians *scene;
    const float *pixels; /* (3, height, width) */
    double weight;       /* in the loss */
    double ssim;         /* share of 1 - SSIM; the rest is L1 */
} physad__twist_target;

typedef struct physad__twist_plan {
    int64_t steps;
    double first_rate;   /* of the first step */
    double rate;         /* of step i from the second on: rate * 0.8^((i + 1) / 100) */
    bool moves_scene;    /* the twist moves the Gaussians (SplatPose); else the camera (PIAD) */
    int64_t check_every; /* 0: never */
    double least_change; /* of the loss between two checks; less ends it */
    uint64_t seed;       /* of the first twist, which is almost nothing */
} physad__twist_plan;

/* Moves the camera's pose; the last loss to *loss. */
physad_status physad__twist_refine(const physad__posed_model *m, const physad__twist_target *targets, int64_t n,
                                   const physad__twist_plan *plan, physad_camera *camera, double *loss);

/* Distances of features, at the photo's size: per layer the summed squares of q - r. `multiply` NULL: added up; else
 * each layer's are multiplied by those of the second pair (PIAD). */
typedef struct physad__twist_pair {
    const float *photo, *picture; /* (3, height, width) */
} physad__twist_pair;
physad_status physad__twist_compare(const physad__posed_model *m, const physad__twist_pair *first,
                                    const physad__twist_pair *second, float *map);

#endif
