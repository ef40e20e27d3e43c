/* SPDX-License-Identifier: Apache-2.0 */
/* physad predict: photos are read and decoded by a thread of their own while the ones before them are scored. */
#include "predict.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct slot {
    physad_image *image;
    physad_status status;
    char reason[1024]; /* of a failure; the library's message is the thread's own */
} slot;

struct predict_reader {
    physad_context *ctx;
    physad_image_options options;
    const predict_input *inputs;
    int64_t count, ahead;
    int64_t at, read, taken; /* inputs looked at; photos read and taken: those between lie in the slots */
    slot *slots;             /* photo n in n % ahead */
    bool threaded, stop, asked; /* asked: somebody waits for the next photo */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* The next photo among the inputs; NULL after the last. */
static const char *next_photo(predict_reader *r)
{
    while (r->at < r->count)
        if (r->inputs[r->at++].kind == PHYSAD_KIND_IMAGE)
            return r->inputs[r->at - 1].path;
    return NULL;
}

static void read_one(predict_reader *r, const char *path, slot *s)
{
    s->image = NULL;
    s->status = physad_image_read(&s->image, r->ctx, path, &r->options);
    snprintf(s->reason, sizeof(s->reason), "%s", s->status != PHYSAD_OK ? physad_last_error() : "");
}

/* Pipes may have no writer yet: nobody could stop the thread that waits for one. */
static bool may_block(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

static void *read_all(void *user)
{
    predict_reader *r = user;
    for (const char *path; (path = next_photo(r)) != NULL;) {
        const bool wait = may_block(path); /* not ahead: only when it is its turn */
        pthread_mutex_lock(&r->lock);
        while (!r->stop && (r->read - r->taken == r->ahead || (wait && !(r->asked && r->read == r->taken))))
            pthread_cond_wait(&r->changed, &r->lock);
        const bool stop = r->stop;
        slot *s = &r->slots[r->read % r->ahead];
        pthread_mutex_unlock(&r->lock);
        if (stop)
            break;
        read_one(r, path, s);
        pthread_mutex_lock(&r->lock);
        r->read++;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

predict_reader *predict_reader_new(physad_context *ctx, const physad_image_options *options,
                                   const predict_input *inputs, int64_t count, int64_t ahead)
{
    predict_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    *r = (predict_reader){ .ctx = ctx, .options = *options, .inputs = inputs, .count = count, .ahead = ahead };
    r->slots = calloc((size_t)ahead, sizeof(*r->slots));
    if (r->slots == NULL) {
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->threaded = pthread_create(&r->thread, NULL, read_all, r) == 0; /* without, they are read one by one */
    return r;
}

physad_status predict_reader_take(predict_reader *r, physad_image **image, char reason[1024])
{
    slot *s = &r->slots[r->taken % r->ahead];
    if (r->threaded) {
        pthread_mutex_lock(&r->lock);
        r->asked = true;
        pthread_cond_broadcast(&r->changed);
        while (r->read == r->taken)
            pthread_cond_wait(&r->changed, &r->lock);
        r->asked = false;
        pthread_mutex_unlock(&r->lock);
    } else {
        read_one(r, next_photo(r), s);
    }
    const physad_status status = s->status;
    *image = s->image;
    memcpy(reason, s->reason, sizeof(s->reason));
    pthread_mutex_lock(&r->lock);
    s->image = NULL;
    r->taken++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return status;
}

void predict_reader_free(predict_reader *r)
{
    if (r == NULL)
        return;
    if (r->threaded) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    for (int64_t i = 0; i < r->ahead; i++)
        physad_image_free(r->slots[i].image);
    free(r->slots);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
