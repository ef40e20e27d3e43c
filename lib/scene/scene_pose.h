/* SPDX-License-Identifier: Apache-2.0 */
/* From a photo without a pose to poses. Within lib/scene only; others use scene.h. */
#ifndef PHYSAD__SCENE_POSE_H
#define PHYSAD__SCENE_POSE_H

#include "scene/scene.h"

/* Sums over residuals: cost, 6 of the gradient, 21 of the matrix below and on its diagonal, row by row. */
#define PHYSAD__POSE_TERMS 28
/* x of (A + lambda diag A) x = -b by Cholesky; false where A is not positive. */
bool physad__pose_solve(const double sums[PHYSAD__POSE_TERMS], double lambda, double x[6]);

/* --- by the renderer (scene_align.c) --- */

#define PHYSAD__ALIGN_LEVELS 6

typedef struct physad__align_level {
    physad_camera camera; /* the pose in it says nothing */
    float *pixels;        /* (3, height, width) */
    float *weight;        /* (height, width): 1 where the photo counts, else 0 */
} physad__align_level;

/* A photo at its size, at half of it, and so on. */
typedef struct physad__align_photo {
    physad__align_level levels[PHYSAD__ALIGN_LEVELS];
    int32_t count;
} physad__align_photo;

physad_status physad__align_photo_make(physad__align_photo *out, physad__mem *mem, const physad__scene_view *view);
void physad__align_photo_free(physad__align_photo *photo); /* zeroed is fine */

typedef struct physad__aligner {
    physad_context *ctx;
    const physad__gaussians *scene;
    float background[3];
    physad__splat *splat;
    int64_t room;  /* pixels of the largest picture */
    float *images; /* colour, depth, opacity, gradient */
    double *rows;
    float *planes; /* gradients that nobody reads */
} physad__aligner;

physad_status physad__aligner_open(physad__aligner *a, physad_context *ctx, const physad__gaussians *scene,
                                   const float background[3], int64_t width, int64_t height);
void physad__aligner_close(physad__aligner *a); /* zeroed is fine */
/* Moves `pose` (its rotation and translation) for at most `steps` steps; the cost, 0..1, is the mean over the photo's
 * pixels at that level. `exact`: with the renderer's own gradient, else one from depth and the picture's slope
 * (faster). */
physad_status physad__align(physad__aligner *a, const physad__align_photo *photo, int32_t level, int32_t steps,
                            bool exact, physad_camera *pose, double *cost);
/* Mean correlation of small windows of photo and picture, -1..1, each by its contrast in the photo. */
physad_status physad__align_agreement(physad__aligner *a, const physad__align_photo *photo, int32_t level,
                                      const physad_camera *pose, double *agreement);

/* --- by features (scene_match.c) --- */

typedef struct physad__guess {
    physad_camera pose;
    int64_t view; /* that it comes from */
    double likeness, cost;
} physad__guess;

physad_status physad__matcher_learn(physad__matcher *m, physad__aligner *a, const physad__scene_views *views,
                                    physad__call *call);
void physad__matcher_close(physad__matcher *m); /* zeroed is fine */
#define PHYSAD__JOINT_GUESSES 4

/* Poses from the `most` views that are most alike: the view's own and that which its matches give; then those that the
 * matches of all of them give together, from the first few. `out` has room for 2 * most + PHYSAD__JOINT_GUESSES. */
physad_status physad__matcher_guess(const physad__matcher *m, const physad__scene_view *photo, int64_t most,
                                    physad__guess *out, int64_t *n);

#endif
