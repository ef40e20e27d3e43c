/* SPDX-License-Identifier: Apache-2.0 */
/* Videos written through FFmpeg's encoders, in memory, then to the file at once. */
#include "io/io_av.h"
#include "io/io_file.h"
#include "io/io_video.h"

struct physad__video_writer {
    physad_context *ctx;
    char *path;
    physad__video_writer_options o;
    physad__av av;
    AVClass format_class, scale_class;
    AVFormatContext *format;
    AVStream *stream;
    AVCodecContext *codec;
    AVFrame *frame;
    AVPacket *packet;
    struct SwsContext *scale;
    int64_t count;
};

static physad_status failed(const physad__video_writer *w, int code, const char *what)
{
    return physad__av_error(&w->av, code, w->path, what);
}

static physad_status no_memory(const physad__video_writer *w)
{
    return physad__error(PHYSAD_ERR_NOMEM, "%s: FFmpeg gets no memory", w->path);
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static physad_status read_options(physad__video_writer_options *o, const char *path)
{
    o->rate_per = o->rate_per == 0 ? 1 : o->rate_per;
    o->quality = o->quality == 0 ? 18 : o->quality;
    o->key_every = o->key_every == 0 ? 30 : o->key_every;
    o->bits = o->bits == 0 ? 8 : o->bits;
    if (o->width < 2 || o->height < 2 || o->width > 16384 || o->height > 16384 || o->rate < 1 || o->rate_per < 1 ||
        (o->full_color == 0 && (o->width % 2 != 0 || o->height % 2 != 0)))
        return physad__error(PHYSAD_ERR_ARG, "%s: video of %d x %d at %d/%d per second; want even sizes of 2 to 16384",
                             path, o->width, o->height, o->rate, o->rate_per);
    if (o->quality < 1 || o->quality > 51 || (o->bits != 8 && o->bits != 10) || o->rotation % 90 != 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: quality %d, bits %d or rotation %d of a video is out of range", path,
                             o->quality, o->bits, o->rotation);
    return PHYSAD_OK;
}

static physad_status find_encoder(const physad__video_writer *w, const AVCodec **out)
{
    static const char *const usual[] = { "libx264", "mpeg4" };
    *out = NULL;
    for (int64_t i = 0; *out == NULL && w->o.codec == NULL && i < PHYSAD__COUNT(usual); i++)
        *out = w->av.avcodec_find_encoder_by_name(usual[i]);
    if (w->o.codec != NULL)
        *out = w->av.avcodec_find_encoder_by_name(w->o.codec);
    return *out != NULL ? PHYSAD_OK
                        : physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: this FFmpeg has no encoder %s", w->path,
                                        w->o.codec != NULL ? w->o.codec : "libx264 or mpeg4");
}

static int pixel_format(const physad__video_writer *w, const AVCodec *encoder)
{
    if (strcmp(encoder->name, "ffv1") == 0)
        return w->o.full_color != 0 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    if (w->o.full_color != 0)
        return w->o.bits == 10 ? AV_PIX_FMT_YUV444P10 : AV_PIX_FMT_YUV444P;
    return w->o.bits == 10 ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
}

static physad_status open_encoder(physad__video_writer *w, const AVCodec *encoder)
{
    AVDictionary *options = NULL;
    AVCodecContext *c = w->codec = w->av.avcodec_alloc_context3(encoder);
    if (c == NULL)
        return no_memory(w);
    const bool x264 = strcmp(encoder->name, "libx264") == 0;
    c->log_level_offset = PHYSAD__AV_SILENT;
    c->width = w->o.width;
    c->height = w->o.height;
    c->pix_fmt = pixel_format(w, encoder);
    c->time_base = w->o.variable != 0 ? (AVRational){ 1, 1000 } : (AVRational){ w->o.rate_per, w->o.rate };
    c->framerate = (AVRational){ w->o.rate, w->o.rate_per };
    c->gop_size = w->o.key_every;
    c->max_b_frames = w->o.between;
    c->thread_count = 1; /* one answer on every machine */
    c->flags |= AV_CODEC_FLAG_BITEXACT;
    c->colorspace = AVCOL_SPC_BT709;
    c->color_range = AVCOL_RANGE_MPEG;
    if ((w->format->oformat->flags & AVFMT_GLOBALHEADER) != 0)
        c->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (!x264) {
        c->flags |= AV_CODEC_FLAG_QSCALE;
        c->global_quality = FF_QP2LAMBDA * physad__max(1, w->o.quality / 6);
    }
    int code = x264 ? w->av.av_dict_set(&options, "preset", "veryfast", 0) : 0;
    if (code >= 0 && x264) {
        char quality[16];
        physad__snprintf(quality, sizeof(quality), "%d", w->o.quality);
        code = w->av.av_dict_set(&options, "crf", quality, 0);
    }
    if (code >= 0 && x264)
        code = w->av.av_dict_set(&options, "x264-params", "cpu-independent=1", 0);
    if (code >= 0 && w->o.extra != NULL)
        code = w->av.av_dict_parse_string(&options, w->o.extra, "=", ":", 0);
    if (code >= 0)
        code = w->av.avcodec_open2(c, encoder, &options);
    w->av.av_dict_free(&options);
    return code < 0 ? failed(w, code, "the encoder cannot be opened") : PHYSAD_OK;
}

static void fill_matrix(int32_t *matrix, int32_t rotation)
{
    static const int32_t turns[4][4] = { { 1, 0, 0, 1 }, { 0, 1, -1, 0 }, { -1, 0, 0, -1 }, { 0, -1, 1, 0 } };
    const int32_t *t = turns[(rotation / 90 % 4 + 4) % 4];
    memset(matrix, 0, 9 * sizeof(*matrix));
    matrix[0] = t[0] * 65536;
    matrix[1] = t[1] * 65536;
    matrix[3] = t[2] * 65536;
    matrix[4] = t[3] * 65536;
    matrix[8] = 1 << 30;
}

static physad_status open_format(physad__video_writer *w)
{
    const AVCodec *encoder;
    PHYSAD__TRY(find_encoder(w, &encoder));
    /* asked first, for the other call prints what it does not find */
    if (w->av.av_guess_format(NULL, w->path, NULL) == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: no container of videos has this suffix; .mp4 is one", w->path);
    if (w->av.avformat_alloc_output_context2(&w->format, NULL, NULL, w->path) < 0 || w->format == NULL)
        return no_memory(w);
    w->format->max_streams = PHYSAD__AV_SILENT;
    physad__av_silence(&w->format_class, &w->format->av_class, offsetof(AVFormatContext, max_streams));
    w->format->flags |= AVFMT_FLAG_BITEXACT;
    PHYSAD__TRY(open_encoder(w, encoder));
    w->stream = w->av.avformat_new_stream(w->format, NULL);
    if (w->stream == NULL || w->av.avcodec_parameters_from_context(w->stream->codecpar, w->codec) < 0)
        return no_memory(w);
    w->stream->time_base = w->codec->time_base;
    w->stream->avg_frame_rate = w->codec->framerate;
#if LIBAVFORMAT_VERSION_MAJOR < 61
    if (w->o.rotation != 0) {
        uint8_t *data = w->av.av_stream_new_side_data(w->stream, AV_PKT_DATA_DISPLAYMATRIX, 36);
        if (data == NULL)
            return no_memory(w);
        fill_matrix((int32_t *)(void *)data, w->o.rotation);
    }
#endif
    if (w->av.avio_open_dyn_buf(&w->format->pb) < 0)
        return no_memory(w);
    const int code = w->av.avformat_write_header(w->format, NULL);
    return code < 0 ? failed(w, code, "its header cannot be written") : PHYSAD_OK;
}

static physad_status open_frame(physad__video_writer *w)
{
    const physad__av *av = &w->av;
    w->packet = av->av_packet_alloc();
    w->frame = av->av_frame_alloc();
    w->scale = av->sws_alloc_context();
    if (w->packet == NULL || w->frame == NULL || w->scale == NULL)
        return no_memory(w);
    w->frame->width = w->o.width;
    w->frame->height = w->o.height;
    w->frame->format = w->codec->pix_fmt;
    w->frame->colorspace = w->codec->colorspace;
    w->frame->color_range = w->codec->color_range;
    if (av->av_frame_get_buffer(w->frame, 0) < 0)
        return no_memory(w);
    av->av_opt_set_int(w->scale, "srcw", w->o.width, 0);
    av->av_opt_set_int(w->scale, "srch", w->o.height, 0);
    av->av_opt_set_int(w->scale, "src_format", AV_PIX_FMT_RGB24, 0);
    av->av_opt_set_int(w->scale, "src_range", 1, 0);
    av->av_opt_set_int(w->scale, "dstw", w->o.width, 0);
    av->av_opt_set_int(w->scale, "dsth", w->o.height, 0);
    av->av_opt_set_int(w->scale, "dst_format", w->codec->pix_fmt, 0);
    av->av_opt_set_int(w->scale, "sws_flags", SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP, 0);
    if (av->sws_init_context(w->scale, NULL, NULL) < 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: FFmpeg cannot convert RGB to the encoder's pixels", w->path);
    const int *matrix = av->sws_getCoefficients(SWS_CS_ITU709);
    (void)av->sws_setColorspaceDetails(w->scale, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
    return PHYSAD_OK;
}

physad_status physad__video_writer_open(physad__video_writer **out, physad_context *ctx, const char *path,
                                        const physad__video_writer_options *options)
{
    *out = NULL;
    physad__video_writer_options o = *options;
    PHYSAD__TRY(read_options(&o, path));
    physad__video_writer *w = physad__alloc_zero(&ctx->mem, sizeof(*w), "video");
    if (w == NULL)
        return PHYSAD_ERR_NOMEM;
    w->ctx = ctx;
    w->o = o;
    w->path = physad__strdup(&ctx->mem, path);
    physad_status status = w->path != NULL ? physad__av_load(&w->av) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = open_format(w);
    if (status == PHYSAD_OK)
        status = open_frame(w);
    if (status != PHYSAD_OK) {
        physad__video_writer_abort(w);
        return status;
    }
    *out = w;
    return PHYSAD_OK;
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

/* One frame to the encoder (NULL: the end), and what comes out to the container. */
static physad_status encode(physad__video_writer *w, const AVFrame *frame)
{
    const physad__av *av = &w->av;
    int code = av->avcodec_send_frame(w->codec, frame);
    while (code >= 0) {
        code = av->avcodec_receive_packet(w->codec, w->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return PHYSAD_OK;
        if (code < 0)
            break;
        if (w->packet->duration == 0 && w->o.variable == 0)
            w->packet->duration = 1;
        av->av_packet_rescale_ts(w->packet, w->codec->time_base, w->stream->time_base);
        w->packet->stream_index = w->stream->index;
        code = av->av_interleaved_write_frame(w->format, w->packet);
    }
    return failed(w, code, "encoding");
}

physad_status physad__video_writer_put(physad__video_writer *w, const uint8_t *rgb, int64_t milliseconds)
{
    const uint8_t *planes[4] = { rgb, NULL, NULL, NULL };
    const int strides[4] = { 3 * w->o.width, 0, 0, 0 };
    int code = w->av.av_frame_make_writable(w->frame);
    if (code >= 0)
        code = w->av.sws_scale(w->scale, planes, strides, 0, w->o.height, w->frame->data, w->frame->linesize);
    if (code < 0)
        return failed(w, code, "converting a frame");
    w->frame->pts = w->o.variable != 0 ? milliseconds : w->count;
    w->count++;
    return encode(w, w->frame);
}

physad_status physad__video_writer_commit(physad__video_writer *w)
{
    uint8_t *bytes = NULL;
    physad_status status = encode(w, NULL);
    if (status == PHYSAD_OK) {
        const int code = w->av.av_write_trailer(w->format);
        status = code < 0 ? failed(w, code, "its end cannot be written") : PHYSAD_OK;
    }
    if (status == PHYSAD_OK) {
        const int size = w->av.avio_close_dyn_buf(w->format->pb, &bytes);
        w->format->pb = NULL;
        status = size > 0 && bytes != NULL ? physad__file_write_atomic(&w->ctx->mem, w->path, bytes, (size_t)size)
                                           : no_memory(w);
        w->av.av_free(bytes);
    }
    physad__video_writer_abort(w);
    return status;
}

void physad__video_writer_abort(physad__video_writer *w)
{
    uint8_t *bytes = NULL;
    if (w == NULL)
        return;
    if (w->av.libraries[0] != NULL) {
        if (w->format != NULL && w->format->pb != NULL) {
            w->av.avio_close_dyn_buf(w->format->pb, &bytes);
            w->format->pb = NULL;
            w->av.av_free(bytes);
        }
        w->av.sws_freeContext(w->scale);
        w->av.av_frame_free(&w->frame);
        w->av.av_packet_free(&w->packet);
        w->av.avcodec_free_context(&w->codec);
        w->av.avformat_free_context(w->format);
        physad__av_unload(&w->av);
    }
    physad__free(w->path);
    physad__free(w);
}
