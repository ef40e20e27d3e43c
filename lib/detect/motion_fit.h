/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: what a fit gathers, for motion_fit.c, motion_learn.c, motion_look.c and motion_part.c alone. */
#ifndef PHYSAD__MOTION_FIT_H
#define PHYSAD__MOTION_FIT_H

#include "detect/motion.h"

/* What a fit gathers. Videos that take part are numbered 0 .. count - 1. */
typedef struct physad__motion_gathered {
    physad_detector *det;
    const physad_dataset *normals;
    physad__call *call;
    physad__mem *mem;
    physad__motion_model *m;
    int64_t count, done;
    int64_t *sample, *fold, *instance;
    int64_t folds;
    int64_t quota;
    float *patches;  /* quota rows for each video */
    int32_t *frame;  /* where they come from */
    int64_t *kept;   /* rows of each */
    double *length, *energy, *flow;
    double *values;  /* of the rules: of each video, or of each clip */
    double *pools;
    int64_t *take;   /* the video of each of these */
    int64_t takes, value_capacity, pool_capacity, take_capacity;
    double *frames;  /* patch scores of all frames where something moves */
    int64_t frame_count, frame_capacity;
    /* of the takes that parts are laid beside: */
    float *row; /* of their points, not yet multiplied */
    int64_t *points;
    double *curve;     /* patch scores of all their frames */
    int64_t *curve_at; /* where each take's begin; one more than there are */
    int64_t part_takes, part_points, row_capacity, curve_capacity;
    double *begin;     /* frames before anything moves */
    int64_t look_at[PHYSAD__PART_TAKES + 1]; /* where each take's begin among the looks */
} physad__motion_gathered;

/* The calls need views and rules in order: views, then points; each once. */
physad_status physad__learn_view(physad__motion_gathered *f, int64_t view);
physad_status physad__learn_points(physad__motion_gathered *f);
/* The rules, and how well takes keep to rules that were learned without them. */
physad_status physad__learn_rules(physad__motion_gathered *f);
physad_status physad__learn_patches(physad__motion_gathered *f);
physad_status physad__learn_parts(physad__motion_gathered *f);
physad_status physad__looks_add(physad__motion_gathered *f, const physad__look *look);
void physad__learn_looks(physad__motion_gathered *f);

#endif
