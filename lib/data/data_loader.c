/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that decode and transform ahead of the one that computes. Samples are claimed in order and written to
 * their place in a ring of batches, so that what comes out is the same whatever the number of threads. */
#include "data/data_dataset.h"
#include "data/data_transform.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { MOST_READERS = 64, USUAL_READERS = 4, USUAL_AHEAD = 3 };
static const uint64_t usual_bytes = UINT64_C(512) << 20;

typedef struct slot {
    float *pixels;
    int64_t *indices;
    int64_t (*photo)[2];
    physad__fault *faults; /* per place; status OK: fine */
    int64_t done;
} slot;

struct physad__loader {
    const physad_dataset *dataset;
    const physad_transform *transform;
    physad_context *ctx;
    int64_t *indices;
    int64_t total, batch, pixels; /* samples, samples per batch, floats per sample */
    int32_t jpeg_scale, on_error;
    slot *slots;
    int64_t slot_count;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t next; /* sample to claim */
    int64_t head; /* batch in use, or to come first */
    bool stop;
    pthread_t readers[MOST_READERS];
    int32_t reader_count;

    /* The caller's side. */
    bool in_use; /* batch `head` is with the caller */
    physad__fault failed;
    physad__skipped *skipped;
    int64_t skipped_count, skipped_capacity;
};

static int64_t batch_size(const physad__loader *l, int64_t b)
{
    return physad__min(l->batch, l->total - b * l->batch);
}

/* --- readers --- */

static physad_status read_one(physad__loader *l, slot *s, int64_t place)
{
    physad_image *image;
    physad_view view;
    PHYSAD__TRY(physad__cancelled(l->ctx));
    PHYSAD__TRY(physad__dataset_photo(l->dataset, s->indices[place], l->jpeg_scale, &image, &view));
    s->photo[place][0] = view.shape[0];
    s->photo[place][1] = view.shape[1];
    const physad_status status = physad__transform_run(l->transform, &view, s->pixels + place * l->pixels, 1);
    physad_image_free(image);
    if (status != PHYSAD_OK)
        physad__error_prefix(status, "%s", l->dataset->records[s->indices[place]]->sample.path);
    return status;
}

static void *reader(void *user)
{
    physad__loader *l = user;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->stop && l->next < l->total && l->next / l->batch >= l->head + l->slot_count)
            pthread_cond_wait(&l->changed, &l->lock);
        if (l->stop || l->next >= l->total)
            break;
        const int64_t k = l->next++, place = k % l->batch;
        slot *s = &l->slots[k / l->batch % l->slot_count];
        pthread_mutex_unlock(&l->lock);
        s->indices[place] = l->indices[k];
        s->faults[place].status = PHYSAD_OK;
        physad__fault_take(&s->faults[place], read_one(l, s, place));
        pthread_mutex_lock(&l->lock);
        s->done++;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Readers take no signals: those are for the program's own threads. */
static physad_status start_readers(physad__loader *l, int32_t count)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (failed == 0 && l->reader_count < count) {
        failed = pthread_create(&l->readers[l->reader_count], NULL, reader, l);
        l->reader_count += failed == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (l->reader_count == 0)
        return physad__error(PHYSAD_ERR_NOMEM, "reading ahead: the system gives no thread (error %d)", failed);
    return PHYSAD_OK; /* fewer than wanted will do */
}

/* --- making --- */

static physad_status make_slots(physad__loader *l)
{
    physad__mem *mem = &l->ctx->mem;
    l->slots = physad__alloc_zero(mem, (size_t)l->slot_count * sizeof(*l->slots), "reading ahead");
    if (l->slots == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < l->slot_count; i++) {
        slot *s = &l->slots[i];
        int64_t count;
        if (physad__mul_overflow(l->batch, l->pixels, &count))
            return physad__error(PHYSAD_ERR_NOMEM, "reading ahead: a batch of %lld is too large", (long long)l->batch);
        s->pixels = physad__alloc_array(mem, count, sizeof(float), "reading ahead");
        s->indices = physad__alloc_array(mem, l->batch, sizeof(*s->indices), "reading ahead");
        s->photo = physad__alloc_array(mem, l->batch, sizeof(*s->photo), "reading ahead");
        s->faults = physad__alloc_array(mem, l->batch, sizeof(*s->faults), "reading ahead");
        if (s->pixels == NULL || s->indices == NULL || s->photo == NULL || s->faults == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

static physad_status take_indices(physad__loader *l, const physad__loader_options *o)
{
    const int64_t all = l->dataset->count;
    l->total = o->indices != NULL ? o->count : all;
    if (l->total < 0)
        return physad__error(PHYSAD_ERR_ARG, "reading ahead: count is %lld", (long long)l->total);
    l->indices = physad__alloc_array(&l->ctx->mem, l->total, sizeof(*l->indices), "reading ahead");
    if (l->indices == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < l->total; i++) {
        l->indices[i] = o->indices != NULL ? o->indices[i] : i;
        if (l->indices[i] < 0 || l->indices[i] >= all)
            return physad__error(PHYSAD_ERR_ARG, "reading ahead: indices[%lld] is %lld, but there are %lld samples",
                                 (long long)i, (long long)l->indices[i], (long long)all);
    }
    return PHYSAD_OK;
}

static physad_status prepare(physad__loader *l, const physad__loader_options *o)
{
    if (o->batch < 0 || o->ahead < 0 || o->threads < 0 || o->threads > MOST_READERS ||
        (o->on_error != PHYSAD__ON_ERROR_STOP && o->on_error != PHYSAD__ON_ERROR_SKIP))
        return physad__error(PHYSAD_ERR_ARG,
                             "reading ahead: batch %lld, ahead %lld, threads %d or on_error %d is out of range",
                             (long long)o->batch, (long long)o->ahead, o->threads, o->on_error);
    PHYSAD__TRY(take_indices(l, o));
    l->jpeg_scale = o->jpeg_scale;
    l->on_error = o->on_error;
    l->batch = physad__max(physad__min(o->batch, l->total), 1);
    l->pixels = l->transform->height * l->transform->width * 3;
    const int64_t batches = (l->total + l->batch - 1) / l->batch;
    const uint64_t limit = o->ahead_bytes != 0 ? o->ahead_bytes : usual_bytes;
    const uint64_t fit = limit / ((uint64_t)l->batch * (uint64_t)l->pixels * sizeof(float));
    l->slot_count = o->ahead != 0 ? o->ahead : USUAL_AHEAD;
    l->slot_count = physad__max(physad__min(l->slot_count, (int64_t)physad__min((int64_t)fit, INT32_MAX)), 2);
    l->slot_count = physad__max(physad__min(l->slot_count, batches), 1);
    return make_slots(l);
}

physad_status physad__loader_new(physad__loader **out, const physad_dataset *dataset, const physad_transform *transform,
                                 const physad__loader_options *options)
{
    static const physad__loader_options defaults = { 0 };
    const physad__loader_options *o = options != NULL ? options : &defaults;
    *out = NULL;
    PHYSAD__TRY(physad__context_check(dataset->ctx, "reading ahead"));
    physad__loader *l = physad__alloc_zero(&dataset->ctx->mem, sizeof(*l), "reading ahead");
    if (l == NULL)
        return PHYSAD_ERR_NOMEM;
    l->dataset = dataset;
    l->transform = transform;
    l->ctx = physad__context_retain(dataset->ctx);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    physad_status status = prepare(l, o);
    if (status == PHYSAD_OK && l->total > 0)
        status = start_readers(
            l,
            (int32_t)physad__min(o->threads != 0 ? o->threads : physad__min(l->ctx->threads, USUAL_READERS), l->total));
    if (status != PHYSAD_OK) {
        physad__loader_free(l);
        return status;
    }
    *out = l;
    return PHYSAD_OK;
}

void physad__loader_free(physad__loader *loader)
{
    if (loader == NULL)
        return;
    physad_context *ctx = loader->ctx;
    /* After a fork the readers are not here to be joined, and may have held the lock. */
    if (ctx->pid == getpid()) {
        pthread_mutex_lock(&loader->lock);
        loader->stop = true;
        pthread_cond_broadcast(&loader->changed);
        pthread_mutex_unlock(&loader->lock);
        for (int32_t i = 0; i < loader->reader_count; i++)
            pthread_join(loader->readers[i], NULL);
        pthread_cond_destroy(&loader->changed);
        pthread_mutex_destroy(&loader->lock);
    }
    for (int64_t i = 0; loader->slots != NULL && i < loader->slot_count; i++) {
        physad__free(loader->slots[i].pixels);
        physad__free(loader->slots[i].indices);
        physad__free(loader->slots[i].photo);
        physad__free(loader->slots[i].faults);
    }
    for (int64_t i = 0; i < loader->skipped_count; i++)
        physad__free((void *)(uintptr_t)loader->skipped[i].reason);
    physad__free(loader->skipped);
    physad__free(loader->slots);
    physad__free(loader->indices);
    physad__free(loader);
    physad_context_free(ctx);
}

/* --- delivering --- */

static physad_status note_skipped(physad__loader *l, int64_t index, const physad__fault *fault)
{
    PHYSAD__TRY(physad__grow(&l->ctx->mem, &l->skipped, &l->skipped_capacity, l->skipped_count + 1, sizeof(*l->skipped),
                             "reading ahead"));
    char *reason = physad__strdup(&l->ctx->mem, fault->text);
    if (reason == NULL)
        return PHYSAD_ERR_NOMEM;
    l->skipped[l->skipped_count++] = (physad__skipped){ index, fault->status, reason };
    return PHYSAD_OK;
}

/* Closes the gaps that skipped samples leave. */
static physad_status close_gaps(physad__loader *l, slot *s, int64_t size, int64_t *count)
{
    *count = 0;
    for (int64_t i = 0; i < size; i++) {
        if (s->faults[i].status != PHYSAD_OK) {
            if (l->on_error == PHYSAD__ON_ERROR_STOP || !physad__may_skip(s->faults[i].status))
                return physad__fault_publish(&s->faults[i]);
            PHYSAD__TRY(note_skipped(l, s->indices[i], &s->faults[i]));
            continue;
        }
        if (*count != i) {
            memcpy(s->pixels + *count * l->pixels, s->pixels + i * l->pixels, (size_t)l->pixels * sizeof(float));
            memcpy(s->photo[*count], s->photo[i], sizeof(s->photo[i]));
            s->indices[*count] = s->indices[i];
        }
        ++*count;
    }
    return PHYSAD_OK;
}

/* Gives the batch in use back and waits for the next; NULL at the end. */
static slot *wait_next(physad__loader *l, int64_t *size)
{
    slot *s = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->in_use) {
        l->slots[l->head % l->slot_count].done = 0;
        l->head++;
        l->in_use = false;
        pthread_cond_broadcast(&l->changed);
    }
    *size = batch_size(l, l->head);
    if (*size > 0) {
        s = &l->slots[l->head % l->slot_count];
        while (s->done < *size)
            pthread_cond_wait(&l->changed, &l->lock);
        l->in_use = true;
    }
    pthread_mutex_unlock(&l->lock);
    return s;
}

static physad_status next(physad__loader *l, physad__batch *out)
{
    slot *s;
    int64_t size;
    do {
        PHYSAD__TRY(physad__cancelled(l->ctx));
        s = wait_next(l, &size);
        if (s == NULL)
            return PHYSAD_OK;
        PHYSAD__TRY(close_gaps(l, s, size, &out->count));
    } while (out->count == 0);
    out->indices = s->indices;
    out->photo = (const int64_t(*)[2])s->photo;
    out->pixels = s->pixels;
    return PHYSAD_OK;
}

physad_status physad__loader_next(physad__loader *loader, physad__batch *out)
{
    *out = (physad__batch){ 0 };
    PHYSAD__TRY(physad__context_check(loader->ctx, "reading ahead"));
    if (loader->failed.status != PHYSAD_OK)
        return physad__fault_publish(&loader->failed);
    const physad_status status = next(loader, out);
    if (status != PHYSAD_OK) {
        *out = (physad__batch){ 0 };
        physad__fault_take(&loader->failed, status);
    }
    return status;
}

int64_t physad__loader_skipped_count(const physad__loader *loader)
{
    return loader->skipped_count;
}

const physad__skipped *physad__loader_skipped(const physad__loader *loader, int64_t i)
{
    return i >= 0 && i < loader->skipped_count ? &loader->skipped[i] : NULL;
}
