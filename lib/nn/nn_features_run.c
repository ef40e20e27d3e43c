/* SPDX-License-Identifier: Apache-2.0 */
/* Computing features. Each photo is computed by itself, so that its bits do not depend on its company. A batch is
 * shared out to the threads photo by photo, which needs no waiting for each other inside the network; what is left
 * over, less than one photo per thread, is computed by all threads together. */
#include "nn/nn_features.h"

#include "physad_config.h"

#include <stdatomic.h>

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

/* --- workers --- */

void physad__features_worker_free(const physad_features *f, physad__features_worker *w)
{
    if (w == NULL)
        return;
    physad__nn_scratch_give(f->net, w->net);
    if (f->projection != NULL)
        physad__nn_scratch_give(f->projection, w->projection);
    physad__free(w->maps[0]);
    physad__free(w->scratch);
    physad__free(w->joined);
    physad__free(w);
}

static int64_t map_values(const physad_features *f, int64_t layer)
{
    const int64_t *s = f->join.shape[layer];
    return (s[0] * s[1] * s[2] + 15) / 16 * 16; /* the next one is aligned */
}

static physad_status worker_fill(const physad_features *f, physad__features_worker *w)
{
    physad__mem *mem = &f->ctx->mem;
    int64_t total = 0;
    for (int64_t i = 0; i < f->layer_count; i++)
        total += map_values(f, i);
    w->maps[0] = physad__alloc_array(mem, total, sizeof(float), "features");
    if (w->maps[0] == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 1; i < f->layer_count; i++)
        w->maps[i] = w->maps[i - 1] + map_values(f, i - 1);
    w->scratch = physad__alloc_array(mem, physad__join_scratch(&f->join), sizeof(float), "features");
    if (w->scratch == NULL)
        return PHYSAD_ERR_NOMEM;
    if (f->reduce != PHYSAD_REDUCE_NONE) {
        w->joined = physad__alloc_array(mem, f->join.shape[0][0] * f->join.shape[0][1] * physad__join_width(&f->join),
                                        sizeof(float), "features");
        if (w->joined == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    if (f->projection != NULL)
        PHYSAD__TRY(physad__nn_scratch_take(f->projection, &w->projection));
    return physad__nn_scratch_take(f->net, &w->net);
}

static physad_status worker_take(const physad_features *f, physad__features_worker **out)
{
    physad_features *owner = (physad_features *)(uintptr_t)f; /* the list alone changes, under its lock */
    pthread_mutex_lock(&owner->lock);
    physad__features_worker *w = owner->idle;
    if (w != NULL)
        owner->idle = w->next;
    pthread_mutex_unlock(&owner->lock);
    if (w == NULL) {
        w = physad__alloc_zero(&f->ctx->mem, sizeof(*w), "features");
        const physad_status status = w != NULL ? worker_fill(f, w) : PHYSAD_ERR_NOMEM;
        if (status != PHYSAD_OK) {
            physad__features_worker_free(f, w);
            return status;
        }
    }
    *out = w;
    return PHYSAD_OK;
}

static void worker_give(const physad_features *f, physad__features_worker *w)
{
    physad_features *owner = (physad_features *)(uintptr_t)f;
    if (w == NULL)
        return;
    pthread_mutex_lock(&owner->lock);
    w->next = owner->idle;
    owner->idle = w;
    pthread_mutex_unlock(&owner->lock);
}

/* --- one photo --- */

static void pick_channels(const physad_features *f, const float *joined, float *out)
{
    const int64_t places = f->join.shape[0][0] * f->join.shape[0][1], width = physad__join_width(&f->join);
    for (int64_t i = 0; i < places; i++)
        for (int64_t k = 0; k < f->dim; k++)
            out[i * f->dim + k] = joined[i * width + f->channels[k]];
}

static physad_status run_joined(const physad_features *f, physad__features_worker *w, const float *image, float *out)
{
    PHYSAD__TRY(physad__nn_run(f->net, w->net, image, w->maps));
    physad__join_run(&f->join, (const float *const *)w->maps, w->scratch, w->joined != NULL ? w->joined : out);
    if (f->reduce == PHYSAD_REDUCE_SUBSET)
        pick_channels(f, w->joined, out);
    if (f->reduce == PHYSAD_REDUCE_PROJECTION)
        PHYSAD__TRY(physad__nn_run(f->projection, w->projection, w->joined, &out));
    return PHYSAD_OK;
}

/* --- a batch --- */

typedef struct batch {
    const physad_features *f;
    const float *images;
    int64_t count;
    float *out;               /* joined features; NULL: the layers' own */
    const physad_view *outs;
    _Atomic int64_t next, done;
    _Atomic int stop;
} batch;

static physad_status run_photo(const batch *b, physad__features_worker *w, int64_t i)
{
    const physad_features *f = b->f;
    const float *image = b->images + i * f->height * f->width * 3;
    float *taps[PHYSAD__JOIN_LAYERS];
    if (b->out != NULL)
        return run_joined(f, w, image, b->out + i * f->join.shape[0][0] * f->join.shape[0][1] * f->dim);
    for (int64_t k = 0; k < f->layer_count; k++) {
        const int64_t *s = f->join.shape[k];
        taps[k] = (float *)b->outs[k].data + i * s[0] * s[1] * s[2];
    }
    return physad__nn_run(f->net, w->net, image, taps);
}

/* Takes photos until `end`; the calling thread reports and cancels for all. */
static physad_status work(batch *b, physad__call *call, int64_t end)
{
    physad__features_worker *w = NULL;
    physad_status status = worker_take(b->f, &w);
    while (status == PHYSAD_OK && !atomic_load(&b->stop)) {
        const int64_t i = atomic_fetch_add(&b->next, 1);
        if (i >= end)
            break;
        status = run_photo(b, w, i);
        const int64_t done = atomic_fetch_add(&b->done, 1) + 1;
        if (status == PHYSAD_OK && done < b->count)
            status = call != NULL ? physad__call_tick(call, done) : physad__cancelled(b->f->ctx);
    }
    if (status != PHYSAD_OK)
        atomic_store(&b->stop, 1);
    worker_give(b->f, w);
    return status;
}

#ifdef PHYSAD_HAVE_OPENMP
static physad_status work_apart(batch *b, physad__call *call, int64_t end, int threads)
{
    physad__fault fault = { PHYSAD_OK, "" };
#pragma omp parallel num_threads(threads)
    {
        const physad_status status = work(b, omp_get_thread_num() == 0 ? call : NULL, end);
#pragma omp critical(physad_features_fault)
        physad__fault_take(&fault, status);
    }
    return physad__fault_publish(&fault);
}
#endif

static physad_status work_all(batch *b, physad__call *call)
{
#ifdef PHYSAD_HAVE_OPENMP
    const int threads = omp_in_parallel() ? 1 : omp_get_max_threads();
    const int64_t whole = b->count / threads * threads;
    if (threads > 1 && whole > 0)
        PHYSAD__TRY(work_apart(b, call, whole, threads));
    atomic_store(&b->next, threads > 1 ? whole : 0);
#endif
    PHYSAD__TRY(work(b, call, b->count));
    return physad__call_tick(call, b->count);
}

static physad_status begin(physad__call *call, const physad_features *f, const physad_view *images,
                           const physad_call_options *options, const char *what)
{
    if (f == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: features is NULL", what);
    PHYSAD__TRY(physad__context_check(f->ctx, what));
    const int64_t want[4] = { -1, f->height, f->width, 3 };
    PHYSAD__TRY(physad__view_want(images, "images", PHYSAD_F32, 4, want));
    PHYSAD__TRY(physad__call_begin(call, f->ctx, options, what));
    physad__call_stage(call, "features", images->shape[0]);
    return PHYSAD_OK;
}

static physad_status check_out(const physad_view *out, const char *name, int64_t count, const int64_t shape[3],
                               int64_t dim)
{
    const int64_t want[4] = { count, shape[0], shape[1], dim };
    PHYSAD__TRY(physad__view_want(out, name, PHYSAD_F32, 4, want));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "%s is read-only", name);
    return PHYSAD_OK;
}

physad_status physad_features_compute(const physad_features *features, const physad_view *images,
                                      const physad_view *out, const physad_call_options *options)
{
    physad__call call;
    PHYSAD__TRY(begin(&call, features, images, options, "physad_features_compute"));
    physad_status status = check_out(out, "out", images->shape[0], features->join.shape[0], features->dim);
    if (status == PHYSAD_OK && images->shape[0] > 0) {
        batch b = { .f = features, .images = images->data, .count = images->shape[0], .out = out->data };
        status = work_all(&b, &call);
    }
    physad__call_end(&call);
    return status;
}

physad_status physad_features_compute_layers(const physad_features *features, const physad_view *images,
                                             const physad_view *outs, const physad_call_options *options)
{
    physad__call call;
    PHYSAD__TRY(begin(&call, features, images, options, "physad_features_compute_layers"));
    physad_status status =
        outs != NULL ? PHYSAD_OK : physad__error(PHYSAD_ERR_ARG, "physad_features_compute_layers: outs is NULL");
    for (int64_t i = 0; i < features->layer_count && status == PHYSAD_OK; i++) {
        char name[32];
        physad__snprintf(name, sizeof(name), "outs[%lld]", (long long)i);
        status = check_out(&outs[i], name, images->shape[0], features->join.shape[i], features->join.shape[i][2]);
    }
    if (status == PHYSAD_OK && images->shape[0] > 0) {
        batch b = { .f = features, .images = images->data, .count = images->shape[0], .outs = outs };
        status = work_all(&b, &call);
    }
    physad__call_end(&call);
    return status;
}
