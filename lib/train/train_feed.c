/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that makes batches while the last ones are computed with. */
#include "train/train.h"

#include <pthread.h>
#include <signal.h>

enum { USUAL_AHEAD = 2, MOST_AHEAD = 16 };

typedef struct slot {
    float **arrays;
    physad__fault fault;
} slot;

struct physad__feed {
    physad_context *ctx;
    physad__feed_plan plan;
    slot slots[MOST_AHEAD + 1]; /* one is with the caller */
    int64_t slot_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t made, taken; /* batches; guarded by the lock, as `stop` */
    bool stop;
    bool started;
    pthread_t thread;
};

static physad_status make(physad__feed *f, int64_t batch, float *const *arrays)
{
    PHYSAD__TRY(physad__cancelled(f->ctx));
    return f->plan.fill(f->plan.user, batch / f->plan.batches, batch % f->plan.batches, arrays);
}

static void *work(void *user)
{
    physad__feed *f = user;
    bool going = true;
    for (int64_t b = f->plan.first; going && b < f->plan.last; b++) {
        slot *s = &f->slots[b % f->slot_count];
        pthread_mutex_lock(&f->lock);
        while (!f->stop && b - f->taken >= f->slot_count - 1)
            pthread_cond_wait(&f->changed, &f->lock);
        going = !f->stop;
        pthread_mutex_unlock(&f->lock);
        if (!going)
            break;
        physad__fault_take(&s->fault, make(f, b, s->arrays));
        going = s->fault.status == PHYSAD_OK;
        pthread_mutex_lock(&f->lock);
        f->made = b + 1;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

static physad_status start(physad__feed *f)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&f->thread, NULL, work, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    f->started = failed == 0;
    return failed == 0 ? PHYSAD_OK
                       : physad__error(PHYSAD_ERR_NOMEM, "training: the system gives no thread (error %d)", failed);
}

static physad_status allocate(physad__feed *f)
{
    physad__mem *mem = &f->ctx->mem;
    for (int64_t i = 0; i < f->slot_count; i++) {
        slot *s = &f->slots[i];
        s->arrays = physad__alloc_zero(mem, (size_t)f->plan.arrays * sizeof(*s->arrays), "batches");
        for (int64_t k = 0; s->arrays != NULL && k < f->plan.arrays; k++) {
            s->arrays[k] = physad__alloc_array(mem, f->plan.counts[k], sizeof(float), "batches");
            if (s->arrays[k] == NULL)
                return PHYSAD_ERR_NOMEM;
        }
        if (s->arrays == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

physad_status physad__feed_new(physad__feed **out, physad_context *ctx, const physad__feed_plan *plan)
{
    physad__feed *f = physad__alloc_zero(&ctx->mem, sizeof(*f), "batches");
    if (f == NULL)
        return PHYSAD_ERR_NOMEM;
    f->ctx = physad__context_retain(ctx);
    f->plan = *plan;
    f->made = f->taken = plan->first;
    f->slot_count = 1 + physad__min(plan->ahead > 0 ? plan->ahead : USUAL_AHEAD, MOST_AHEAD);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    physad_status status = allocate(f);
    if (status == PHYSAD_OK && plan->first < plan->last)
        status = start(f);
    if (status != PHYSAD_OK) {
        physad__feed_free(f);
        return status;
    }
    *out = f;
    return PHYSAD_OK;
}

physad_status physad__feed_next(physad__feed *f, float *const **arrays)
{
    if (f->taken >= f->plan.last)
        return physad__error(PHYSAD_ERR_STATE, "training: no batch is left");
    slot *s = &f->slots[f->taken % f->slot_count];
    pthread_mutex_lock(&f->lock);
    while (f->made <= f->taken)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    PHYSAD__TRY(physad__fault_publish(&s->fault));
    /* The slot given before is free from now on: the thread may be one slot less than all of them ahead of `taken`. */
    pthread_mutex_lock(&f->lock);
    f->taken++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    *arrays = s->arrays;
    return PHYSAD_OK;
}

void physad__feed_free(physad__feed *f)
{
    if (f == NULL)
        return;
    if (f->started) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    for (int64_t i = 0; i < f->slot_count; i++) {
        for (int64_t k = 0; f->slots[i].arrays != NULL && k < f->plan.arrays; k++)
            physad__free(f->slots[i].arrays[k]);
        physad__free(f->slots[i].arrays);
    }
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    physad_context *ctx = f->ctx;
    physad__free(f);
    physad_context_free(ctx);
}
