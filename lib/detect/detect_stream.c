/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: frames that come one by one, scored by the methods for videos as they tell, and by those on photos one by
 * one. */
#include "detect/detect.h"

#include <math.h>

struct physad_stream {
    const physad_detector *det;
    physad_stream_options o;
    void *state;           /* of methods for videos */
    physad_result *photos; /* of methods on photos: what came so far */
    int64_t given;         /* scores taken of these */
    uint8_t *grey;
    int64_t height, width; /* of `grey` */
    bool failed;
};

static const physad__stream_method *methods_of(const physad_stream *s)
{
    return s->det->method->stream;
}

/* --- takes ---------------------------------------------------------------------------------------------------------
 */

static physad_status open_take(physad_stream *s)
{
    if (methods_of(s) != NULL)
        return s->state != NULL ? PHYSAD_OK : methods_of(s)->open(s->det, s->o.frame_rate, &s->state);
    if (s->photos != NULL)
        return PHYSAD_OK;
    s->photos = physad__alloc_zero(&s->det->ctx->mem, sizeof(*s->photos), "result");
    if (s->photos == NULL)
        return PHYSAD_ERR_NOMEM;
    s->photos->origin = physad__origin_retain(s->det->origin);
    s->given = 0;
    return PHYSAD_OK;
}

static void close_take(physad_stream *s)
{
    if (s->state != NULL)
        methods_of(s)->free(s->state);
    physad_result_free(s->photos);
    s->state = NULL;
    s->photos = NULL;
    s->failed = false;
}

static physad_status check_detector(const physad_detector *det)
{
    if (det == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_stream_new: the detector is NULL");
    PHYSAD__TRY(physad__context_check(det->ctx, "physad_stream_new"));
    if (det->model == NULL)
        return physad__error(PHYSAD_ERR_STATE, "physad_stream_new: the detector is not fitted");
    if (det->method->stream == NULL && (det->method->score == NULL || det->method->input != PHYSAD_INPUT_IMAGE))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_stream_new: %s does not score streams", det->method->name);
    return PHYSAD_OK;
}

physad_status physad_stream_new(physad_stream **out, const physad_detector *detector,
                                const physad_stream_options *options)
{
    physad_stream_options o = PHYSAD_STREAM_OPTIONS_INIT;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_stream_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(check_detector(detector));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_stream_options"));
    if (o.pool < PHYSAD_POOL_TOP || o.pool > PHYSAD_POOL_MEAN ||
        !(o.frame_rate == 0 || (o.frame_rate >= 1e-6 && o.frame_rate < 1e6)))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_stream_options: pool is %d, frame_rate %g; want PHYSAD_POOL_*, 0 or 1e-6 on",
                             o.pool, o.frame_rate);
    physad_stream *s = physad__alloc_zero(&detector->ctx->mem, sizeof(*s), "stream");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    s->det = detector;
    s->o = o;
    *out = s;
    return PHYSAD_OK;
}

void physad_stream_free(physad_stream *stream)
{
    if (stream == NULL)
        return;
    close_take(stream);
    physad__free(stream->grey);
    physad__free(stream);
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static physad_status check_frame(const physad_view *frame)
{
    char text[160];
    PHYSAD__TRY(physad__view_check(frame, "frame"));
    const int64_t channels = frame->ndim == 3 ? frame->shape[2] : 1;
    if (frame->dtype != PHYSAD_U8)
        return physad__error(PHYSAD_ERR_DTYPE, "frame has dtype %s, want u8", physad_dtype_name(frame->dtype));
    if ((frame->ndim != 2 && frame->ndim != 3) || frame->shape[0] < 1 || frame->shape[1] < 1 ||
        (channels != 1 && channels != 3 && channels != 4))
        return physad__error(PHYSAD_ERR_SHAPE, "frame has shape %s, want H x W, or H x W x 1, 3 or 4, none of them 0",
                             physad__shape_text(text, sizeof(text), frame->ndim, frame->shape));
    return PHYSAD_OK;
}

/* The frame's grey, packed: its own, or BT.601's luma in 8 bits. */
static physad_status make_grey(physad_stream *s, const physad_view *frame, physad_view *out)
{
    const int64_t h = frame->shape[0], w = frame->shape[1], channels = frame->ndim == 3 ? frame->shape[2] : 1;
    const int64_t shape[2] = { h, w };
    if (s->grey == NULL || s->height != h || s->width != w) {
        physad__free(s->grey);
        s->grey = physad__alloc_array(&s->det->ctx->mem, h * w, 1, "a frame");
        if (s->grey == NULL)
            return PHYSAD_ERR_NOMEM;
        s->height = h;
        s->width = w;
    }
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const uint8_t *p = (const uint8_t *)frame->data + y * frame->stride[0] + x * frame->stride[1];
            const int64_t c = frame->ndim == 3 ? frame->stride[2] : 0;
            s->grey[y * w + x] = channels == 1 ? p[0] : (uint8_t)((77 * p[0] + 150 * p[c] + 29 * p[2 * c] + 128) >> 8);
        }
    *out = physad_view_array(s->grey, PHYSAD_U8, 2, shape);
    return PHYSAD_OK;
}

static physad_status push_frame(physad_stream *s, const physad_view *frame, double seconds, physad__call *call)
{
    physad_view grey;
    PHYSAD__TRY(physad__cancelled(s->det->ctx));
    PHYSAD__TRY(open_take(s));
    if (methods_of(s) == NULL) {
        s->photos->photo_height = frame->shape[0];
        s->photos->photo_width = frame->shape[1];
        return physad__score_frame(s->det, frame, s->photos, call);
    }
    PHYSAD__TRY(make_grey(s, frame, &grey));
    return methods_of(s)->push(s->det, s->state, &grey, seconds, call);
}

static physad_status push(physad_stream *stream, const physad_view *frame, double seconds, const char *who)
{
    physad__call call;
    if (stream == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the stream is NULL", who);
    if (stream->failed)
        return physad__error(PHYSAD_ERR_STATE, "%s: an earlier frame failed; end the take or free the stream", who);
    PHYSAD__TRY(check_frame(frame));
    PHYSAD__TRY(physad__call_begin(&call, stream->det->ctx, NULL, who));
    const physad_status status = push_frame(stream, frame, seconds, &call);
    physad__call_end(&call);
    stream->failed = status != PHYSAD_OK;
    return status;
}

physad_status physad_stream_push(physad_stream *stream, const physad_view *frame)
{
    return push(stream, frame, NAN, "physad_stream_push");
}

physad_status physad_stream_push_at(physad_stream *stream, const physad_view *frame, double seconds)
{
    if (!isfinite(seconds))
        return physad__error(PHYSAD_ERR_ARG, "physad_stream_push_at: seconds is %g, want a number; "
                                             "physad_stream_push() is for frames that do not say when they are",
                             seconds);
    return push(stream, frame, seconds, "physad_stream_push_at");
}

int32_t physad_stream_next(physad_stream *stream, int64_t *frame, double *score)
{
    int64_t at;
    double value;
    if (stream == NULL)
        return 0;
    if (stream->photos != NULL && stream->given < stream->photos->frame_count) {
        at = stream->given++;
        value = stream->photos->frame_scores[at];
    } else if (stream->state == NULL || !methods_of(stream)->next(stream->det, stream->state, &at, &value)) {
        return 0;
    }
    if (frame != NULL)
        *frame = at;
    if (score != NULL)
        *score = value;
    return 1;
}

int64_t physad_stream_latency(const physad_stream *stream)
{
    return stream != NULL && methods_of(stream) != NULL ? methods_of(stream)->latency(stream->det, stream->o.frame_rate)
                                                        : 0;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static physad_status end_photos(physad_stream *s, physad_result **out)
{
    physad_result *r = s->photos;
    PHYSAD__TRY(physad__pool_frames(&r->score, &s->det->ctx->mem, r->frame_scores, r->frame_count, s->o.pool));
    r->frame_count -= s->given;
    memmove(r->frame_scores, r->frame_scores + s->given, (size_t)r->frame_count * sizeof(double));
    PHYSAD__TRY(physad__decide(s->det, r));
    r->threshold = r->p_value = NAN; /* those of photos promise nothing on videos */
    r->anomalous = -1;
    s->photos = NULL;
    *out = r;
    return PHYSAD_OK;
}

static physad_status end_video(physad_stream *s, physad_result **out, physad__call *call)
{
    physad_result *r = physad__alloc_zero(&s->det->ctx->mem, sizeof(*r), "result");
    if (r == NULL)
        return PHYSAD_ERR_NOMEM;
    r->origin = physad__origin_retain(s->det->origin);
    physad_status status = methods_of(s)->end(s->det, s->state, r, call);
    if (status == PHYSAD_OK)
        status = physad__decide(s->det, r);
    if (status != PHYSAD_OK) {
        physad_result_free(r);
        return status;
    }
    *out = r;
    return PHYSAD_OK;
}

physad_status physad_stream_end(physad_stream *stream, physad_result **out)
{
    physad__call call;
    if (stream == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_stream_end: %s is NULL", stream == NULL ? "the stream" : "out");
    *out = NULL;
    if (stream->failed || (stream->state == NULL && stream->photos == NULL)) {
        const bool failed = stream->failed;
        close_take(stream);
        return physad__error(failed ? PHYSAD_ERR_STATE : PHYSAD_ERR_SHAPE, "physad_stream_end: %s",
                             failed ? "a frame failed" : "no frame came");
    }
    PHYSAD__TRY(physad__call_begin(&call, stream->det->ctx, NULL, "physad_stream_end"));
    const physad_status status = methods_of(stream) == NULL ? end_photos(stream, out) : end_video(stream, out, &call);
    physad__call_end(&call);
    close_take(stream);
    return status;
}
