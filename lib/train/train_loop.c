/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: batch, forward, backward, step; checkpoints, early stop, progress. */
#include "train/train.h"

#include "io/io.h"

#include <math.h>

typedef struct run {
    physad_context *ctx;
    const physad__job *job;
    const physad__train_options *o;
    const char *signature;
    bool saves;
    physad__optimizer *optimizer;
    physad__feed *feed;
    physad__call *call;
    physad__progress_state state;
    int64_t began; /* batch with which this call began */
    double start;
    char stage[96];
} run;

/* --- one batch --- */

static physad_status compute(const run *r, float *const *arrays, double *loss)
{
    const physad__job *job = r->job;
    physad__params_zero_grad(job->params);
    if (job->compute != NULL)
        return job->compute(job->user, arrays, loss);
    for (int64_t i = 0; i < job->arrays; i++)
        memcpy(physad__tape_data(job->tape, job->inputs[i]), arrays[i],
               (size_t)physad__tape_count(job->tape, job->inputs[i]) * sizeof(float));
    PHYSAD__TRY(physad__tape_forward(job->tape));
    *loss = (double)physad__tape_data(job->tape, job->loss)[0];
    return physad__tape_backward(job->tape);
}

/* Says the loss and how long it will take still. */
static physad_status tell(run *r, double loss)
{
    const int64_t total = r->o->epochs * r->o->batches, done = r->state.batch;
    const double left = (physad__seconds() - r->start) / (double)(done - r->began) * (double)(total - done);
    char when[32];
    if (left < 120)
        physad__snprintf(when, sizeof(when), "%.0f s", left);
    else
        physad__snprintf(when, sizeof(when), "%.0f min", left / 60);
    physad__snprintf(r->stage, sizeof(r->stage), "training, loss %.4g, %s left", loss, when);
    return physad__call_tick(r->call, done);
}

static physad_status one_batch(run *r, double *loss)
{
    float *const *arrays;
    const double factor = physad__schedule_factor(&r->o->schedule, r->state.batch / r->o->batches);
    PHYSAD__TRY(physad__feed_next(r->feed, &arrays));
    PHYSAD__TRY(compute(r, arrays, loss));
    if (!isfinite(*loss))
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "training: the loss is %g after %lld batches; a smaller learning rate may help", *loss,
                             (long long)r->state.batch);
    if (r->job->seen != NULL)
        PHYSAD__TRY(r->job->seen(r->job->user));
    PHYSAD__TRY(physad__optimizer_step(r->optimizer, factor));
    r->state.batch++;
    r->state.sum += *loss;
    return tell(r, *loss);
}

/* --- the end of an epoch --- */

/* Whether it was the last by patience. */
static bool close_epoch(run *r)
{
    physad__progress_state *s = &r->state;
    s->last_loss = s->sum / (double)r->o->batches;
    s->sum = 0;
    if (s->batch == r->o->batches)
        s->first_loss = s->last_loss;
    s->since = s->last_loss < s->best ? 0 : s->since + 1;
    s->best = fmin(s->best, s->last_loss);
    return r->o->patience > 0 && s->since >= r->o->patience;
}

static physad_status save(const run *r)
{
    return r->saves ? physad__checkpoint_write(r->ctx, r->o->checkpoint, r->signature, r->optimizer, &r->state)
                    : PHYSAD_OK;
}

static physad_status epochs(run *r, physad__train_result *result, double *losses)
{
    const int64_t batches = r->o->batches, total = r->o->epochs * batches, every = physad__max(r->o->every, 1);
    const int64_t end = r->o->stop_after > 0 ? physad__min(total, r->began + r->o->stop_after) : total;
    result->early = r->o->patience > 0 && r->state.since >= r->o->patience && r->state.batch % batches == 0;
    while (r->state.batch < end && !result->early) {
        double loss;
        const int64_t at = r->state.batch - r->began;
        PHYSAD__TRY(one_batch(r, &loss));
        if (losses != NULL)
            losses[at] = loss;
        if (r->state.batch % batches != 0)
            continue;
        result->early = close_epoch(r);
        if (r->state.batch / batches % every == 0 && r->state.batch < end)
            PHYSAD__TRY(save(r));
    }
    result->epochs = r->state.batch / batches;
    result->whole = result->early || r->state.batch == total;
    result->first_loss = r->state.first_loss;
    result->last_loss = r->state.last_loss;
    return r->state.batch > r->began ? save(r) : PHYSAD_OK;
}

/* --- all of it --- */

static physad_status open(run *r)
{
    const physad__job *job = r->job;
    int64_t counts[PHYSAD__TRAIN_ARRAYS];
    PHYSAD__TRY(physad__optimizer_new(&r->optimizer, job->params, &r->o->optimizer));
    if (r->saves && physad__path_exists(r->o->checkpoint))
        PHYSAD__TRY(physad__checkpoint_read(r->ctx, r->o->checkpoint, r->signature, r->optimizer, &r->state));
    r->began = r->state.batch;
    for (int64_t i = 0; i < job->arrays; i++)
        counts[i] = job->compute != NULL ? job->counts[i] : physad__tape_count(job->tape, job->inputs[i]);
    const physad__feed_plan plan = { .fill = job->fill,
                                     .user = job->user,
                                     .arrays = job->arrays,
                                     .counts = counts,
                                     .batches = r->o->batches,
                                     .first = r->began,
                                     .last = r->o->epochs * r->o->batches };
    return physad__feed_new(&r->feed, r->ctx, &plan);
}

physad_status physad__train(physad_context *ctx, const physad__job *job, const physad__train_options *options,
                            physad__call *call, physad__train_result *result, double *losses)
{
    run r = { .ctx = ctx, .job = job, .o = options, .call = call, .state = { .best = INFINITY } };
    if (options->epochs < 1 || options->batches < 1 || job->arrays < 0 || job->arrays > PHYSAD__TRAIN_ARRAYS)
        return physad__error(PHYSAD_ERR_ARG, "training: %lld epochs of %lld batches of %lld arrays",
                             (long long)options->epochs, (long long)options->batches, (long long)job->arrays);
    r.signature = options->signature != NULL ? options->signature : "";
    r.saves = options->checkpoint != NULL && options->checkpoint[0] != '\0';
    *result = (physad__train_result){ 0 };
    physad_status status = open(&r);
    r.start = physad__seconds();
    physad__snprintf(r.stage, sizeof(r.stage), "training");
    physad__call_stage(call, r.stage, options->epochs * options->batches);
    if (status == PHYSAD_OK)
        status = epochs(&r, result, losses);
    physad__call_stage(call, "training", options->epochs * options->batches);
    physad__feed_free(r.feed);
    physad__optimizer_free(r.optimizer);
    return status;
}
