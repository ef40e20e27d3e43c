/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to frames, in the order they are shown. */
#include "io/io_video_av.h"

#include <math.h>

/* Recordings that were cut out of a stream begin with packets that refer to what was before: every player passes over
 * them. */
enum { MOST_PASSED_OVER = 1000 };

int64_t physad__av_frame_time(const AVFrame *frame)
{
    return frame->pts != AV_NOPTS_VALUE ? frame->pts : frame->best_effort_timestamp;
}

static int32_t frame_is_key(const AVFrame *frame)
{
#ifdef AV_FRAME_FLAG_KEY
    return (frame->flags & AV_FRAME_FLAG_KEY) != 0;
#else
    return frame->key_frame != 0;
#endif
}

/* --- decoding ------------------------------------------------------------------------------------------------------
 */

/* The video ends here, after the frames that the decoder still holds. */
static void note_damage(physad__av_source *s, physad_status status)
{
    physad__fault_take(&s->damage, status);
    s->draining = true;
}

/* Whether a packet is to be used. */
static physad_status check_packet(physad__av_source *s)
{
    const AVPacket *p = s->packet;
    const bool lost = s->bare && physad__h264_lost(&s->order, p->data, p->size);
    if (!s->begun)
        return PHYSAD_OK;
    if ((p->flags & AV_PKT_FLAG_CORRUPT) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the packet at byte %lld is %s", s->base.name, (long long)p->pos,
                             physad__av_input_cut(&s->input) ? "cut off" : "damaged");
    return lost ? physad__error(PHYSAD_ERR_FORMAT, "%s: damaged: frames are missing before byte %lld", s->base.name,
                                (long long)p->pos)
                : PHYSAD_OK;
}

/* One packet to the decoder, or the news that there are no more. */
static physad_status feed(physad__av_source *s)
{
    bool end = false;
    physad_status status = physad__av_input_read(&s->input, s->packet, &end);
    PHYSAD__TRY(physad__video_stopped(&s->base));
    if (status == PHYSAD_OK && !end)
        status = check_packet(s);
    if (status == PHYSAD_ERR_NOMEM)
        return status;
    if (status != PHYSAD_OK || end) {
        note_damage(s, status);
        s->av.av_packet_unref(s->packet);
        s->av.avcodec_send_packet(s->codec, NULL);
        return PHYSAD_OK;
    }
    const int64_t place = s->packet->pos;
    const int code = s->av.avcodec_send_packet(s->codec, s->packet);
    s->av.av_packet_unref(s->packet);
    if (code == AVERROR(ENOMEM))
        return physad__av_error(&s->av, code, s->base.name, "decoding");
    if (code >= 0 || (!s->begun && ++s->passed_over < MOST_PASSED_OVER))
        return PHYSAD_OK;
    char what[64];
    physad__snprintf(what, sizeof(what), "the packet at byte %lld cannot be decoded", (long long)place);
    physad__av_error(&s->av, code, s->base.name, what);
    note_damage(s, PHYSAD_ERR_FORMAT);
    s->av.avcodec_send_packet(s->codec, NULL);
    return PHYSAD_OK;
}

/* What the decoder says of the frame that it gave. */
static physad_status check_frame(physad__av_source *s)
{
    const AVFrame *f = s->frame;
    if ((f->flags & AV_FRAME_FLAG_CORRUPT) != 0 || f->decode_error_flags != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: frame %lld is damaged", s->base.name, (long long)s->base.position);
    if (s->base.position >= s->base.options.max_frames)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: more than max_frames (%lld) frames", s->base.name,
                             (long long)s->base.options.max_frames);
    if (f->width < 1 || f->height < 1 || (uint64_t)f->height > s->base.options.max_pixels / (uint64_t)f->width)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: frame %lld has %d x %d pixels; the limit is %llu in all",
                             s->base.name, (long long)s->base.position, f->width, f->height,
                             (unsigned long long)s->base.options.max_pixels);
    return PHYSAD_OK;
}

/* Where the container says that the stream ends, in seconds; 0 where it does not. */
static double said_end(const physad__av_source *s)
{
    const AVFormatContext *f = s->input.format;
    const AVStream *stream = s->input.stream;
    const double start =
        stream->start_time != AV_NOPTS_VALUE ? (double)stream->start_time * av_q2d(stream->time_base) : 0;
    if (s->input.guessed && f->duration_estimation_method != AVFMT_DURATION_FROM_STREAM)
        return 0;
    if (stream->duration > 0)
        return start + (double)stream->duration * av_q2d(stream->time_base);
    return f->nb_streams == 1 && f->duration > 0 ? start + (double)f->duration / AV_TIME_BASE : 0;
}

/* Some containers that lack their end do not notice: a good part of what was said never came. Where packets came up to
 * the end, or more of the file follows, frames were lost in between instead. */
static void check_length(physad__av_source *s)
{
    const AVRational rate = s->input.stream->avg_frame_rate;
    const double frame = rate.num > 0 && rate.den > 0 ? 1 / av_q2d(rate) : 0.2, said = said_end(s);
    if (s->damage.status != PHYSAD_OK || !(said > 0) || s->last_seconds + 2.5 * frame >= said * 0.99)
        return;
    if (s->input.until + 2.5 * frame >= said * 0.99 || !physad__av_input_cut(&s->input))
        physad__fault_take(&s->damage, physad__error(PHYSAD_ERR_FORMAT,
                                                     "%s: damaged: nothing after %.2f s can be decoded, its header "
                                                     "says %.2f s",
                                                     s->base.name, s->last_seconds + frame, said));
    else
        physad__fault_take(&s->damage,
                           physad__error(PHYSAD_ERR_FORMAT, "%s: cut off: it ends at %.2f s, its header says %.2f s",
                                         s->base.name, s->last_seconds + frame, said));
}

/* The end: of the video, or of what is whole of it. */
static physad_status finish(physad__av_source *s, bool *end)
{
    *end = true;
    check_length(s);
    if (s->damage.status == PHYSAD_OK)
        return PHYSAD_OK;
    if (s->base.options.on_error == PHYSAD_VIDEO_STOP || !s->begun)
        return physad__fault_publish(&s->damage);
    s->base.info.shortened = 1;
    return PHYSAD_OK;
}

physad_status physad__av_source_pull(physad__av_source *s, bool *end)
{
    *end = false;
    s->input.deadline = physad__seconds() + s->base.options.max_seconds;
    for (;;) {
        PHYSAD__TRY(physad__video_stopped(&s->base));
        const int code = s->av.avcodec_receive_frame(s->codec, s->frame);
        if (code == 0) {
            const physad_status status = check_frame(s);
            if (status == PHYSAD_OK) {
                const int64_t time = physad__av_frame_time(s->frame);
                s->last_seconds = time != AV_NOPTS_VALUE ? (double)time * av_q2d(s->input.stream->time_base) : INFINITY;
                s->begun = true;
                return PHYSAD_OK;
            }
            s->av.av_frame_unref(s->frame);
            if (!s->begun && !s->draining && ++s->passed_over < MOST_PASSED_OVER)
                continue;
            note_damage(s, status);
            return finish(s, end);
        }
        if (code == AVERROR(ENOMEM))
            return physad__av_error(&s->av, code, s->base.name, "decoding");
        if (code == AVERROR_EOF)
            return finish(s, end);
        if (code == AVERROR(EAGAIN) && !s->draining) {
            PHYSAD__TRY(feed(s));
            continue;
        }
        if (!s->begun && !s->draining && ++s->passed_over < MOST_PASSED_OVER)
            continue;
        physad__av_error(&s->av, code, s->base.name, "decoding");
        note_damage(s, physad__error_prefix(PHYSAD_ERR_FORMAT, "frame %lld", (long long)s->base.position));
        return finish(s, end);
    }
}

static double frame_seconds(const physad__av_source *s)
{
    const int64_t time = physad__av_frame_time(s->frame);
    if (time == AV_NOPTS_VALUE || s->first_time == AV_NOPTS_VALUE)
        return (double)s->base.position / s->base.info.frame_rate;
    return (double)(time - s->first_time) * av_q2d(s->input.stream->time_base);
}

static physad_status next(physad__video_source *source, void *pixels, physad__frame_mark *mark, bool *end)
{
    physad__av_source *s = (physad__av_source *)source;
    *end = false;
    if (s->sunk.status != PHYSAD_OK)
        return physad__fault_publish(&s->sunk);
    physad_status status = s->pending ? PHYSAD_OK : physad__av_source_pull(s, end);
    s->pending = false;
    if (status == PHYSAD_OK && !*end) {
        *mark = (physad__frame_mark){ source->position, frame_seconds(s), frame_is_key(s->frame) };
        if (pixels != NULL)
            status = physad__av_convert_run(s, s->frame, pixels);
        s->av.av_frame_unref(s->frame);
        source->position += status == PHYSAD_OK;
    }
    physad__fault_take(&s->sunk, status);
    return status;
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static physad_status open_codec(physad__av_source *s)
{
    const physad__av *av = &s->av;
    const physad_video_options *o = &s->base.options;
    s->codec = av->avcodec_alloc_context3(s->input.decoder);
    s->packet = av->av_packet_alloc();
    s->frame = av->av_frame_alloc();
    if (s->codec == NULL || s->packet == NULL || s->frame == NULL ||
        av->avcodec_parameters_to_context(s->codec, s->input.stream->codecpar) < 0)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: FFmpeg gets no memory", s->base.name);
    s->codec->log_level_offset = PHYSAD__AV_SILENT;
    s->codec->pkt_timebase = s->input.stream->time_base;
    s->codec->thread_count = o->threads;
    s->codec->max_pixels = (int64_t)o->max_pixels;
    if (s->codec->codec_id == AV_CODEC_ID_MJPEG) /* a photo whose data end too early passes for a whole one else */
        s->codec->err_recognition |= AV_EF_EXPLODE;
    const int code = av->avcodec_open2(s->codec, s->input.decoder, NULL);
    return code < 0 ? physad__av_error(av, code, s->base.name, "the decoder cannot be opened") : PHYSAD_OK;
}

static const int32_t *display_matrix(const physad__av_source *s)
{
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    const AVCodecParameters *p = s->input.stream->codecpar;
    for (int i = 0; i < p->nb_coded_side_data; i++)
        if (p->coded_side_data[i].type == AV_PKT_DATA_DISPLAYMATRIX && p->coded_side_data[i].size >= 36)
            return (const int32_t *)(const void *)p->coded_side_data[i].data;
    return NULL;
#else
    size_t size = 0;
    const uint8_t *data = s->av.av_stream_get_side_data(s->input.stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return size >= 36 ? (const int32_t *)(const void *)data : NULL;
#endif
}

/* What container, codec and the first frame say. */
static physad_status describe(physad__av_source *s)
{
    static const struct {
        int32_t rotation, mirrored;
    } turns[9] = { { 0, 0 }, { 0, 0 }, { 0, 1 }, { 180, 0 }, { 180, 1 }, { 270, 1 }, { 90, 0 }, { 90, 1 }, { 270, 0 } };
    physad_video_info *info = &s->base.info;
    const AVPixFmtDescriptor *format = s->av.av_pix_fmt_desc_get(s->frame->format);
    const AVRational rate = s->input.stream->avg_frame_rate;
    const int32_t *matrix = display_matrix(s);
    s->orientation = matrix != NULL ? physad__av_orientation(matrix) : 1;
    info->channels = s->base.options.channels;
    info->dtype = s->base.options.dtype;
    info->bits = format != NULL ? format->comp[0].depth : 8;
    info->stored_height = s->frame->height;
    info->stored_width = s->frame->width;
    info->rotation = turns[s->orientation].rotation;
    info->mirrored = turns[s->orientation].mirrored;
    info->frames_said = physad__max(s->input.stream->nb_frames, 0);
    info->frame_rate = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : s->base.options.frame_rate;
    info->codec = s->av.avcodec_get_name(s->codec->codec_id);
    info->container = s->input.format->iformat->name;
    s->base.seekable = s->input.regular;
    s->first_time = physad__av_frame_time(s->frame);
    return s->orientation >= 5 ? physad__video_size(&s->base, s->frame->width, s->frame->height)
                               : physad__video_size(&s->base, s->frame->height, s->frame->width);
}

physad_status physad__av_source_begin(physad__av_source *s)
{
    bool end = false;
    s->base.position = 0;
    s->pending = s->draining = s->begun = false;
    s->passed_over = 0;
    s->damage.status = s->sunk.status = PHYSAD_OK;
    PHYSAD__TRY(physad__av_input_open(&s->input, &s->av, &s->base, &s->from));
    PHYSAD__TRY(open_codec(s));
    s->bare = strcmp(s->input.format->iformat->name, "h264") == 0;
    s->order = (physad__h264_order){ 0 };
    PHYSAD__TRY(physad__av_source_pull(s, &end));
    if (end)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: no frame of it can be decoded (codec %s)", s->base.name,
                             s->av.avcodec_get_name(s->codec->codec_id));
    s->pending = true;
    return PHYSAD_OK;
}

void physad__av_source_close(physad__av_source *s)
{
    if (s->av.libraries[0] == NULL)
        return;
    s->av.av_frame_free(&s->frame);
    s->av.av_packet_free(&s->packet);
    s->av.avcodec_free_context(&s->codec);
    physad__av_input_close(&s->input);
}

static void source_free(physad__video_source *source)
{
    physad__av_source *s = (physad__av_source *)source;
    physad__av_source_close(s);
    physad__av_convert_free(s);
    physad__av_unload(&s->av);
    physad__free(s->times);
    physad__free(s->keys);
    physad__free(s);
}

physad_status physad__video_source_file(physad__video_source **out, physad_context *ctx,
                                        const physad__video_input *input, const physad_video_options *options,
                                        atomic_int *stop)
{
    *out = NULL;
    physad__av_source *s = physad__alloc_zero(&ctx->mem, sizeof(*s), "video");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    s->base = (physad__video_source){ .ctx = ctx,
                                      .options = *options,
                                      .name = input->name,
                                      .stop = stop,
                                      .next = next,
                                      .seek = physad__av_source_seek,
                                      .free = source_free };
    s->from = *input;
    physad_status status = physad__av_load(&s->av);
    if (status == PHYSAD_OK)
        status = physad__av_source_begin(s);
    if (status == PHYSAD_OK)
        status = describe(s);
    if (status != PHYSAD_OK) {
        source_free(&s->base);
        return status;
    }
    *out = &s->base;
    return PHYSAD_OK;
}

bool physad__video_available(void)
{
    physad__av av;
    if (physad__av_load(&av) != PHYSAD_OK)
        return false;
    physad__av_unload(&av);
    return true;
}
