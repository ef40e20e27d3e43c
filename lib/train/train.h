/* SPDX-License-Identifier: Apache-2.0 */
/* train: optimisers, schedules, batches made ahead, and the loop that runs them over a tape, with checkpoints to go on
 * from.
 *
 * One seed gives one model: batches are named by epoch and number, never by what came before, parameters change in one
 * order, and a run that was interrupted and goes on from its checkpoint ends in the same bits. */
#ifndef PHYSAD__TRAIN_H
#define PHYSAD__TRAIN_H

#include "core/core.h"
#include "nn/nn.h"

/* --- optimisers (train_optimizer.c) --- */

typedef enum physad__optimizer_kind {
    PHYSAD__ADAM,  /* weight decay is added to the gradient */
    PHYSAD__ADAMW, /* weight decay shrinks the weights beside the step */
    PHYSAD__SGD
} physad__optimizer_kind;

typedef struct physad__optimizer_options {
    physad__optimizer_kind kind;
    double rate;
    double beta1, beta2; /* of the Adams; 0: 0.9 and 0.999 */
    double eps;          /* 0: 1e-8 */
    double decay;
    double momentum; /* of SGD */
    double clip;     /* the gradients' 2-norm over all parameters is scaled down to this; 0: not */
} physad__optimizer_options;

typedef struct physad__optimizer {
    physad__optimizer_options options;
    physad__params *params;
    float **first, **second; /* moments, one array per trained parameter; NULL elsewhere */
    int64_t count;           /* of parameters when it was made: none may be added after */
    int64_t steps;
} physad__optimizer;

physad_status physad__optimizer_new(physad__optimizer **out, physad__params *params,
                                    const physad__optimizer_options *options);
void physad__optimizer_free(physad__optimizer *o);
/* One step by the gradients as they are, at `factor` times the rate. NUMERIC where a gradient is not finite (clipping
 * or not). */
physad_status physad__optimizer_step(physad__optimizer *o, double factor);

typedef enum physad__schedule_kind { PHYSAD__CONSTANT, PHYSAD__STEPS, PHYSAD__COSINE } physad__schedule_kind;
typedef struct physad__schedule {
    physad__schedule_kind kind;
    int64_t every; /* STEPS: epochs between two; COSINE: epochs to zero */
    double gamma;  /* STEPS: the factor of each */
} physad__schedule;
double physad__schedule_factor(const physad__schedule *s, int64_t epoch);

/* --- batches made ahead (train_feed.c) --- */

/* Fills the arrays of a batch; runs in a thread of its own, one batch after the other. */
typedef physad_status (*physad__feed_fn)(void *user, int64_t epoch, int64_t batch, float *const *arrays);

typedef struct physad__feed physad__feed;
typedef struct physad__feed_plan {
    physad__feed_fn fill;
    void *user;
    int64_t arrays;
    const int64_t *counts; /* numbers of each array */
    int64_t batches;       /* of an epoch */
    int64_t first, last;   /* batches in all: from `first` up to before `last`, counted through the epochs */
    int64_t ahead;         /* batches kept ready; 0: 2 */
} physad__feed_plan;
physad_status physad__feed_new(physad__feed **out, physad_context *ctx, const physad__feed_plan *plan);
/* The next batch: arrays that stay until the next call. The fault of its filling, where it failed. */
physad_status physad__feed_next(physad__feed *feed, float *const **arrays);
void physad__feed_free(physad__feed *feed); /* joins the thread */

/* --- the loop (train_loop.c) --- */

enum { PHYSAD__TRAIN_ARRAYS = 4 };

/* What is trained. `fill` and `arrays` are as in a feed. */
typedef struct physad__job {
    physad__params *params;
    physad__tape *tape; /* compiled, with a loss */
    int32_t loss;
    int32_t inputs[PHYSAD__TRAIN_ARRAYS]; /* values of the tape that the arrays go to */
    int64_t arrays;
    physad__feed_fn fill;
    void *user;
    /* After each run forward and backward, before the optimiser's step: to look at values or change untrained
     * parameters. May be NULL. */
    physad_status (*seen)(void *user);
    /* In place of running the tape: leaves gradients in the parameters. `counts` of the arrays then come from here. May
     * be NULL. */
    physad_status (*compute)(void *user, float *const *arrays, double *loss);
    int64_t counts[PHYSAD__TRAIN_ARRAYS];
} physad__job;

typedef struct physad__train_options {
    physad__optimizer_options optimizer;
    physad__schedule schedule;
    int64_t epochs, batches;
    int64_t patience;       /* epochs without a smaller mean loss after which it ends; 0: never */
    const char *checkpoint; /* a file to write and to go on from; NULL or "": none */
    int64_t every;          /* epochs from one checkpoint to the next; 0: 1 */
    const char *signature;  /* what must be the same for a checkpoint to fit; NULL: "" */
    int64_t stop_after;     /* batches after which it ends, with a checkpoint: to continue later; 0: all */
} physad__train_options;

typedef struct physad__train_result {
    int64_t epochs; /* that were run, by this call or those before */
    bool early, whole;
    double first_loss, last_loss; /* means of the first and the last epoch */
} physad__train_result;

/* `losses`: of each batch of this call, or NULL. */
physad_status physad__train(physad_context *ctx, const physad__job *job, const physad__train_options *options,
                            physad__call *call, physad__train_result *result, double *losses);

/* --- checkpoints (train_checkpoint.c) --- */

typedef struct physad__progress_state {
    int64_t batch; /* batches done */
    double sum;    /* of the losses of the present epoch */
    double best, first_loss, last_loss;
    int64_t since; /* epochs since `best` */
} physad__progress_state;

physad_status physad__checkpoint_write(physad_context *ctx, const char *path, const char *signature,
                                       const physad__optimizer *o, const physad__progress_state *state);
/* FORMAT where the file is no checkpoint, or one of something else. Nothing is changed unless all fits. */
physad_status physad__checkpoint_read(physad_context *ctx, const char *path, const char *signature,
                                      physad__optimizer *o, physad__progress_state *state);

#endif
