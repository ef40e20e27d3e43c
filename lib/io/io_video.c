/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of videos, and the thread that reads ahead. */
#include "io/io_image.h"
#include "io/io_video_source.h"

#include "physad_config.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { USUAL_AHEAD = 8, MOST_AHEAD = 1024, MOST_THREADS = 16 };
static const int64_t ahead_bytes = INT64_C(256) << 20;

typedef struct slot {
    void *pixels;
    physad__frame_mark mark;
    bool end; /* behind the last frame, or `fault` */
    physad__fault fault;
} slot;

struct physad_video {
    physad_context *ctx;
    physad__video_source *source;
    physad__video_input input; /* path and name are ours */
    physad_video_options options;
    double asked_rate; /* what the caller's options say of the frame rate, 0: nothing */
    physad_video_info info; /* the caller's side of source->info */
    slot *slots;
    int64_t slot_count;
    int64_t position; /* of the frame that the next read gives */
    int64_t count;    /* -1: not known */
    bool ended;
    physad__fault failed;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running;         /* the thread is to be joined */
    bool pause;           /* it is to end after the present frame */
    atomic_int stop;      /* it is to end at once */
    int64_t head, filled; /* the ring: first filled slot, how many; slot head - 1 is in use by the caller */
};

/* --- sources -------------------------------------------------------------------------------------------------------
 */

physad_status physad__video_stopped(const physad__video_source *s)
{
    if (s->stop != NULL && atomic_load(s->stop) != 0)
        return physad__error(PHYSAD_ERR_CANCELLED, "%s: closed while it was read", s->name);
    return physad__cancelled(s->ctx);
}

physad_status physad__video_size(physad__video_source *s, int64_t height, int64_t width)
{
    const physad_video_options *o = &s->options;
    if (height < 1 || width < 1 || (uint64_t)height > o->max_pixels / (uint64_t)width)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: frames of %lld x %lld pixels; the limit is %llu in all", s->name,
                             (long long)width, (long long)height, (unsigned long long)o->max_pixels);
    s->info.height = o->height;
    s->info.width = o->width;
    if (o->height == 0 && o->width == 0) {
        s->info.height = height;
        s->info.width = width;
    } else if (o->height == 0) {
        s->info.height = physad__max(1, (int64_t)((double)o->width * (double)height / (double)width + 0.5));
    } else if (o->width == 0) {
        s->info.width = physad__max(1, (int64_t)((double)o->height * (double)width / (double)height + 0.5));
    }
    if ((uint64_t)s->info.height > o->max_pixels / (uint64_t)s->info.width)
        return physad__error(PHYSAD_ERR_ARG, "%s: frames of %lld x %lld pixels are asked for; the limit is %llu in all",
                             s->name, (long long)s->info.width, (long long)s->info.height,
                             (unsigned long long)o->max_pixels);
    return PHYSAD_OK;
}

int64_t physad__video_frame_bytes(const physad__video_source *s)
{
    return s->info.height * s->info.width * s->info.channels * (int64_t)physad_dtype_size(s->info.dtype);
}

#ifndef PHYSAD_HAVE_VIDEO
physad_status physad__video_source_file(physad__video_source **out, physad_context *ctx,
                                        const physad__video_input *input, const physad_video_options *options,
                                        atomic_int *stop)
{
    *out = NULL;
    return physad__error(PHYSAD_ERR_UNSUPPORTED,
                         "%s: this build reads no video files (-Dvideo=disabled); folders of frames are read",
                         input->name);
}

bool physad__video_available(void)
{
    (void)physad__error(PHYSAD_ERR_UNSUPPORTED, "video: this build has no FFmpeg (-Dvideo=disabled)");
    return false;
}

physad_status physad__video_writer_open(physad__video_writer **out, physad_context *ctx, const char *path,
                                        const physad__video_writer_options *options)
{
    *out = NULL;
    return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: this build writes no video files (-Dvideo=disabled)", path);
}

physad_status physad__video_writer_put(physad__video_writer *w, const uint8_t *rgb, int64_t milliseconds)
{
    return physad__error(PHYSAD_ERR_STATE, "video writer: not open");
}

physad_status physad__video_writer_commit(physad__video_writer *w)
{
    return physad__error(PHYSAD_ERR_STATE, "video writer: not open");
}

void physad__video_writer_abort(physad__video_writer *w)
{
}
#endif

static physad_status source_open(physad__video_source **out, physad_context *ctx, const physad__video_input *input,
                                 const physad_video_options *options, atomic_int *stop)
{
    if (input->path != NULL && physad__path_is_dir(input->path))
        return physad__video_source_folder(out, ctx, input, options, stop);
    return physad__video_source_file(out, ctx, input, options, stop);
}

/* --- reading ahead -------------------------------------------------------------------------------------------------
 */

static void fill(physad__video_source *source, slot *s)
{
    s->end = false;
    s->fault.status = PHYSAD_OK;
    physad__fault_take(&s->fault, source->next(source, s->pixels, &s->mark, &s->end));
    s->end = s->end || s->fault.status != PHYSAD_OK;
}

static void *reader(void *user)
{
    physad_video *v = user;
    bool end = false;
    pthread_mutex_lock(&v->lock);
    while (!end) {
        /* One slot stays with the caller. */
        while (!v->pause && v->filled >= v->slot_count - 1)
            pthread_cond_wait(&v->changed, &v->lock);
        if (v->pause)
            break;
        slot *s = &v->slots[(v->head + v->filled) % v->slot_count];
        pthread_mutex_unlock(&v->lock);
        fill(v->source, s);
        end = s->end;
        pthread_mutex_lock(&v->lock);
        v->filled++;
        pthread_cond_broadcast(&v->changed);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

/* Readers take no signals: those are for the program's own threads. */
static physad_status start(physad_video *v)
{
    sigset_t all, before;
    v->pause = false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&v->thread, NULL, reader, v);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: the system gives no thread (error %d)", v->input.name, failed);
    v->running = true;
    return PHYSAD_OK;
}

static void join(physad_video *v)
{
    if (!v->running)
        return;
    pthread_mutex_lock(&v->lock);
    v->pause = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->thread, NULL);
    v->running = false;
}

/* --- making --------------------------------------------------------------------------------------------------------
 */

static physad_status read_options(physad_video_options *o, double *asked_rate, const physad_context *ctx,
                                  const physad_video_options *given)
{
    static const int64_t most_extent = 1 << 20;
    *o = (physad_video_options)PHYSAD_VIDEO_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), given, "physad_video_options"));
    o->channels = o->channels == 0 ? 3 : o->channels;
    o->dtype = o->dtype == 0 ? PHYSAD_U8 : o->dtype;
    o->threads = o->threads == 0 ? (int32_t)physad__min(ctx->threads, MOST_THREADS) : o->threads;
    o->ahead = o->ahead == 0 ? USUAL_AHEAD : o->ahead;
    o->max_frames = o->max_frames == 0 ? INT64_C(1) << 20 : o->max_frames;
    o->max_pixels = o->max_pixels == 0 ? UINT64_C(1) << 26 : o->max_pixels;
    o->max_bytes = o->max_bytes == 0 ? UINT64_C(1) << 40 : o->max_bytes;
    o->max_seconds = o->max_seconds == 0 ? 30 : o->max_seconds;
    *asked_rate = o->frame_rate;
    o->frame_rate = o->frame_rate == 0 ? 25 : o->frame_rate;
    if (o->channels != 1 && o->channels != 3)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_options: channels is %d, want 1 (grey) or 3 (RGB)",
                             o->channels);
    if (o->dtype != PHYSAD_U8 && o->dtype != PHYSAD_U16)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_options: dtype is %s, want u8 or u16",
                             physad_dtype_name(o->dtype));
    if (o->threads < 1 || o->threads > MOST_THREADS || o->ahead > MOST_AHEAD)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_video_options: threads is %d, want 0 to %d; ahead is %d, want at most %d",
                             o->threads, MOST_THREADS, o->ahead, MOST_AHEAD);
    if (o->on_error != PHYSAD_VIDEO_STOP && o->on_error != PHYSAD_VIDEO_SHORTEN)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_options: on_error is %d, want PHYSAD_VIDEO_STOP or _SHORTEN",
                             o->on_error);
    if (o->height < 0 || o->width < 0 || o->height > most_extent || o->width > most_extent)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_options: frames of %lld x %lld are asked for",
                             (long long)o->width, (long long)o->height);
    if (o->max_frames < 1 || o->max_pixels > UINT64_C(1) << 40 || !(o->max_seconds > 0 && o->max_seconds <= 1e9) ||
        !(o->frame_rate > 0 && o->frame_rate <= 1e6))
        return physad__error(
            PHYSAD_ERR_ARG,
            "physad_video_options: max_frames %lld, max_pixels %llu, max_seconds %g or frame_rate %g is out of range",
            (long long)o->max_frames, (unsigned long long)o->max_pixels, o->max_seconds, o->frame_rate);
    return PHYSAD_OK;
}

static physad_status make_slots(physad_video *v)
{
    const int64_t bytes = physad__video_frame_bytes(v->source);
    int64_t count = v->options.ahead < 0 ? 1 : v->options.ahead + 1;
    if (count > 1)
        count = physad__max(physad__min(count, ahead_bytes / bytes), 2);
    v->slots = physad__alloc_zero(&v->ctx->mem, (size_t)count * sizeof(*v->slots), "video");
    if (v->slots == NULL)
        return PHYSAD_ERR_NOMEM;
    v->slot_count = count;
    for (int64_t i = 0; i < count; i++) {
        v->slots[i].pixels = physad__alloc(&v->ctx->mem, (size_t)bytes, "frames read ahead");
        if (v->slots[i].pixels == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

static physad_status prepare(physad_video *v, const physad__video_input *input, const physad_video_options *options)
{
    PHYSAD__TRY(read_options(&v->options, &v->asked_rate, v->ctx, options));
    v->input.bytes = input->bytes;
    v->input.size = input->size;
    v->input.path = input->path != NULL ? physad__strdup(&v->ctx->mem, input->path) : NULL;
    v->input.name = physad__strdup(&v->ctx->mem, input->name);
    if (v->input.name == NULL || (input->path != NULL && v->input.path == NULL))
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(source_open(&v->source, v->ctx, &v->input, &v->options, &v->stop));
    v->info = v->source->info;
    return make_slots(v);
}

static physad_status make(physad_video **out, physad_context *ctx, const physad__video_input *input,
                          const physad_video_options *options)
{
    physad_video *v = physad__alloc_zero(&ctx->mem, sizeof(*v), "video");
    if (v == NULL)
        return PHYSAD_ERR_NOMEM;
    v->ctx = physad__context_retain(ctx);
    v->count = -1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->changed, NULL);
    const physad_status status = prepare(v, input, options);
    if (status != PHYSAD_OK) {
        physad_video_free(v);
        return status;
    }
    *out = v;
    return PHYSAD_OK;
}

physad_status physad_video_open(physad_video **out, physad_context *ctx, const char *path,
                                const physad_video_options *options)
{
    if (out == NULL || path == NULL || *path == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_video_open: %s", out == NULL ? "out is NULL" : "no path is given");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_video_open"));
    return make(out, ctx, &(physad__video_input){ .path = path, .name = path }, options);
}

physad_status physad_video_open_memory(physad_video **out, physad_context *ctx, const void *bytes, size_t size,
                                       const char *name, const physad_video_options *options)
{
    if (out == NULL || (bytes == NULL && size > 0))
        return physad__error(PHYSAD_ERR_ARG, "physad_video_open_memory: %s is NULL", out == NULL ? "out" : "bytes");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_video_open_memory"));
    const physad__video_input input = { .bytes = bytes, .size = size, .name = name != NULL ? name : "video" };
    return make(out, ctx, &input, options);
}

void physad_video_free(physad_video *video)
{
    if (video == NULL)
        return;
    physad_context *ctx = video->ctx;
    /* After a fork the reader is not here to be joined, and may have held the lock and FFmpeg's threads. */
    if (ctx->pid == getpid()) {
        atomic_store(&video->stop, 1);
        join(video);
        pthread_cond_destroy(&video->changed);
        pthread_mutex_destroy(&video->lock);
        if (video->source != NULL)
            video->source->free(video->source);
    }
    for (int64_t i = 0; i < video->slot_count; i++)
        physad__free(video->slots[i].pixels);
    physad__free(video->slots);
    physad__free((void *)(uintptr_t)video->input.path);
    physad__free((void *)(uintptr_t)video->input.name);
    physad__free(video);
    physad_context_free(ctx);
}

const char *physad__video_name(const physad_video *video)
{
    return video->input.name;
}

physad_status physad__video_beside(physad_video **out, const physad_video *video, const physad_video_options *options)
{
    *out = NULL;
    PHYSAD__TRY(physad__context_check(video->ctx, "video"));
    if (!video->source->seekable)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: a pipe can be read once only; write it to a file first",
                             video->input.name);
    physad_video_options o = options != NULL ? *options : video->options;
    const double asked_rate = options != NULL && options->frame_rate > 0 ? options->frame_rate : video->asked_rate;
    o.on_error = video->options.on_error;
    o.max_frames = o.max_frames != 0 ? o.max_frames : video->options.max_frames;
    o.max_pixels = o.max_pixels != 0 ? o.max_pixels : video->options.max_pixels;
    o.max_bytes = o.max_bytes != 0 ? o.max_bytes : video->options.max_bytes;
    o.max_seconds = o.max_seconds > 0 ? o.max_seconds : video->options.max_seconds;
    o.frame_rate = asked_rate;
    return make(out, video->ctx, &video->input, &o);
}

double physad__video_asked_rate(const physad_video *video)
{
    return video->asked_rate;
}

/* --- the caller's side ---------------------------------------------------------------------------------------------
 */

static physad_status check(const physad_video *v, const char *what)
{
    if (v == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: video is NULL", what);
    PHYSAD__TRY(physad__context_check(v->ctx, what));
    return physad__cancelled(v->ctx);
}

static physad_status check_out(const void *out, const char *what)
{
    uint32_t size = 0;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: out is NULL", what);
    memcpy(&size, out, sizeof(size));
    if (size < sizeof(uint32_t) || size > 4096)
        return physad__error(PHYSAD_ERR_ARG, "%s: struct_size is %u; initialise it with its _INIT macro", what, size);
    return PHYSAD_OK;
}

/* As much as the caller's structure holds. */
static void give(void *out, const void *from, size_t size)
{
    uint32_t given;
    memcpy(&given, out, sizeof(given));
    memcpy(out, from, given < size ? given : size);
    memcpy(out, &given, sizeof(given));
}

physad_status physad_video_describe(const physad_video *video, physad_video_info *out)
{
    if (video == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_describe: video is NULL");
    PHYSAD__TRY(check_out(out, "physad_video_describe"));
    give(out, &video->info, sizeof(video->info));
    return PHYSAD_OK;
}

/* The next filled slot; it stays with the caller until the next call. */
static physad_status take(physad_video *v, slot **out)
{
    if (v->slot_count == 1) {
        *out = &v->slots[0];
        fill(v->source, *out);
        return PHYSAD_OK;
    }
    if (!v->running)
        PHYSAD__TRY(start(v));
    pthread_mutex_lock(&v->lock);
    while (v->filled == 0)
        pthread_cond_wait(&v->changed, &v->lock);
    *out = &v->slots[v->head % v->slot_count];
    v->head++;
    v->filled--;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->lock);
    return PHYSAD_OK;
}

static void note_end(physad_video *v, const slot *s)
{
    v->ended = true;
    physad__fault_take(&v->failed, physad__fault_publish(&s->fault));
    if (s->fault.status == PHYSAD_OK) {
        v->info.shortened = v->source->info.shortened;
        v->count = v->position;
    }
}

physad_status physad_video_read(physad_video *video, physad_frame *frame)
{
    slot *s = NULL;
    physad_frame f = PHYSAD_FRAME_INIT;
    PHYSAD__TRY(check(video, "physad_video_read"));
    PHYSAD__TRY(check_out(frame, "physad_video_read"));
    give(frame, &f, sizeof(f));
    if (!video->ended) {
        PHYSAD__TRY(take(video, &s));
        if (s->end)
            note_end(video, s);
    }
    if (video->ended)
        return physad__fault_publish(&video->failed);
    const int64_t shape[] = { video->info.height, video->info.width, video->info.channels };
    f.key = s->mark.key;
    f.index = s->mark.index;
    f.seconds = s->mark.seconds;
    f.pixels = physad_view_array(s->pixels, video->info.dtype, 3, shape);
    f.pixels.flags = PHYSAD_VIEW_READONLY;
    video->position = s->mark.index + 1;
    give(frame, &f, sizeof(f));
    return PHYSAD_OK;
}

/* Drops frames that lie in the ring already; true when that was enough. */
static bool seek_in_ring(physad_video *v, int64_t index)
{
    bool found = false;
    if (!v->running || v->ended)
        return false;
    pthread_mutex_lock(&v->lock);
    if (index - v->position < v->filled) {
        for (; v->position < index && !v->slots[v->head % v->slot_count].end; v->position++) {
            v->head++;
            v->filled--;
        }
        found = v->position == index;
        pthread_cond_broadcast(&v->changed);
    }
    pthread_mutex_unlock(&v->lock);
    return found;
}

physad_status physad_video_seek(physad_video *video, int64_t index)
{
    PHYSAD__TRY(check(video, "physad_video_seek"));
    if (index < 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_seek: index is %lld, want 0 or more", (long long)index);
    if ((index == video->position && !video->ended) || (index > video->position && seek_in_ring(video, index)))
        return PHYSAD_OK;
    join(video);
    video->head = video->filled = 0;
    video->ended = false;
    video->failed.status = PHYSAD_OK;
    const physad_status status = video->source->seek(video->source, index);
    if (status == PHYSAD_OK) {
        video->position = video->source->position;
        return PHYSAD_OK;
    }
    video->ended = true; /* until a seek that does not fail */
    physad__fault_take(&video->failed, status);
    return status;
}

static physad_status count_beside(physad_video *v)
{
    physad__video_source *s;
    physad__frame_mark mark;
    bool end = false;
    int64_t count = 0;
    PHYSAD__TRY(source_open(&s, v->ctx, &v->input, &v->options, &v->stop));
    physad_status status = PHYSAD_OK;
    while (status == PHYSAD_OK && !end) {
        status = s->next(s, NULL, &mark, &end);
        count += !end;
    }
    if (status == PHYSAD_OK) {
        v->count = count;
        v->info.shortened = s->info.shortened;
    }
    s->free(s);
    return status;
}

physad_status physad_video_frame_count(physad_video *video, int64_t *count)
{
    PHYSAD__TRY(check(video, "physad_video_frame_count"));
    if (count == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_video_frame_count: count is NULL");
    *count = 0;
    if (video->count < 0 && !video->source->seekable)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: a pipe can be read once only; its frames are counted by reading them to the end",
                             video->input.name);
    if (video->count < 0)
        PHYSAD__TRY(count_beside(video));
    *count = video->count;
    return PHYSAD_OK;
}
