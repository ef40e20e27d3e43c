/* SPDX-License-Identifier: Apache-2.0 */
/* scene: the parts of a fit. For this room only. */
#ifndef PHYSAD__SCENE_TRAIN_H
#define PHYSAD__SCENE_TRAIN_H

#include "scene/scene.h"

#define PHYSAD__COARSE_MOST 3 /* halvings */

/* A change of colour per photo, 3 x 4: the photo shows matrix x colour + offset. */
typedef struct physad__exposures {
    float *value;  /* (count, 12) */
    int64_t count; /* of all photos; 0: there are none */
} physad__exposures;

typedef struct physad__trainer {
    physad_context *ctx;
    const physad__scene_views *views;
    physad__scene_view *half[PHYSAD__COARSE_MOST]; /* the photos once, twice, ... halved; NULL: not wanted */
    const physad_scene_options *o;
    physad__scene_model *model;
    physad__splat *splat;
    float *picture, *grad;    /* of the largest photo */
    float *shown;             /* the picture with its photo's change of colour; NULL without exposures */
    physad__scene_view shift; /* of the photo that is looked at */
    int64_t *order;           /* of the photos that are trained on */
    int64_t n_train, at;      /* the next one's place in the order; n_train: a new order is due */
    physad__rng rng;
    physad__exposures exposures;
    int64_t step; /* done */
    double seconds;
    physad_scene_quality *history; /* what was measured on the way */
    int64_t n_history, history_size;
} physad__trainer;

/* --- exposures (scene_exposure.c) --- */

physad_status physad__exposures_open(physad__exposures *out, physad__mem *mem, int64_t count); /* all identities */
void physad__exposures_close(physad__exposures *e);                                            /* zeroed is fine */
/* `shown` becomes the picture (3, plane) as photo `index` shows it. */
void physad__exposure_apply(float *shown, const physad__exposures *e, int64_t index, const float *picture,
                            int64_t plane);
/* `grad`, by what is shown, becomes that by the picture; the photo's change of colour goes a part of the way to the one
 * that turns the picture into the photo, and the mean over the photos that are trained on is made the identity again,
 * for the scene's colours are free but for it. `photo`: the view as large as the picture. */
void physad__exposure_step(physad__exposures *e, int64_t index, float *grad, const float *picture,
                           const physad__scene_view *photo, const physad__scene_views *views);

/* --- Gaussians as samples (scene_mcmc.c) --- */

/* Opacities and scales to begin with. */
void physad__mcmc_begin(physad__scene_model *m);
/* Before Adam: to the gradients of Gaussians begin..end-1 (planes of PHYSAD__SPLAT_PIECE) those of the means of opacity
 * and of scale. */
void physad__mcmc_weigh(float *grads, const physad__scene_model *m, int64_t begin, int64_t end);
/* After Adam: faint Gaussians wander. `rate`: the place's. */
void physad__mcmc_wander(physad__scene_model *m, double rate, uint64_t seed, uint64_t step);
/* Moves dead Gaussians to live ones, and adds a twentieth within the budget. */
physad_status physad__mcmc_relocate(physad__scene_model *m, const physad__density *d);

/* --- an interrupted fit (scene_checkpoint.c) --- */

/* Writes where the fit stands. */
physad_status physad__fit_write(const physad__trainer *t, const char *path, const char fit[65]);
/* Takes it up from there; `fit` must be that of the file. */
physad_status physad__fit_read(physad__trainer *t, const char *path, const char fit[65]);
/* What the fit's outcome depends on, as 64 digits. */
physad_status physad__fit_digest(char fit[65], const physad__trainer *t);

#endif
