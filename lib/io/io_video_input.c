/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to packets: a file, pipe or memory under FFmpeg's demuxers, with limits and a way out of every wait. */
#include "io/io_video_av.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 16, POLL_MILLISECONDS = 50 };
enum { LEAST_REST = 64, MOST_AROUND = 256 }; /* bytes that a container has around a packet */

/* --- called by FFmpeg ----------------------------------------------------------------------------------------------
 */

static int give_up(void *user)
{
    physad__av_input *in = user;
    if (in->source->stop != NULL && atomic_load(in->source->stop) != 0)
        return 1;
    if (atomic_load(&in->source->ctx->cancelled) != 0)
        return 1;
    if (physad__seconds() > in->deadline) {
        in->cut = "no frame came in time";
        in->late = true;
        return 1;
    }
    return 0;
}

static int read_memory(physad__av_input *in, uint8_t *out, int size)
{
    const int64_t n = physad__min(size, in->size - in->offset);
    if (n <= 0)
        return AVERROR_EOF;
    memcpy(out, (const uint8_t *)in->from.bytes + in->offset, (size_t)n);
    in->offset += n;
    return (int)n;
}

static int read_bytes(void *user, uint8_t *out, int size)
{
    physad__av_input *in = user;
    if (in->fd < 0)
        return read_memory(in, out, size);
    for (;;) {
        struct pollfd wait = { in->fd, POLLIN, 0 };
        if (give_up(in))
            return AVERROR_EXIT;
        if (!in->regular && poll(&wait, 1, POLL_MILLISECONDS) <= 0)
            continue;
        const ssize_t n = read(in->fd, out, (size_t)size);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return AVERROR(EIO);
        if (n == 0)
            return AVERROR_EOF;
        in->total += (uint64_t)n;
        if (!in->regular && in->total > in->source->options.max_bytes) {
            in->cut = "it is longer than max_bytes";
            return AVERROR_EXIT;
        }
        return (int)n;
    }
}

static int64_t seek_bytes(void *user, int64_t offset, int whence)
{
    physad__av_input *in = user;
    if (whence == AVSEEK_SIZE)
        return in->size;
    if (in->fd >= 0) {
        const off_t at = lseek(in->fd, (off_t)offset, whence & ~AVSEEK_FORCE);
        return at < 0 ? AVERROR(errno) : at;
    }
    whence &= ~AVSEEK_FORCE;
    const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? in->offset : in->size;
    if (offset < -base || offset > in->size - base)
        return AVERROR(EINVAL);
    in->offset = base + offset;
    return in->offset;
}

/* A playlist or a container of references would open other files, or hosts. */
static int refuse_open(struct AVFormatContext *s, AVIOContext **pb, const char *url, int flags, AVDictionary **options)
{
    *pb = NULL;
    return AVERROR(EPERM);
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static physad_status open_bytes(physad__av_input *in)
{
    struct stat st;
    in->fd = -1;
    in->size = (int64_t)in->from.size;
    in->regular = true;
    if (in->from.path == NULL)
        return PHYSAD_OK;
    in->fd = open(in->from.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return physad__error(PHYSAD_ERR_IO, "%s: cannot be opened: error %d (%s)", in->from.name, errno,
                             errno == ENOENT   ? "no such file"
                             : errno == EACCES ? "no permission"
                                               : "see errno");
    in->regular = S_ISREG(st.st_mode);
    in->size = in->regular ? (int64_t)st.st_size : AVERROR(ENOSYS);
    if (in->regular && (uint64_t)st.st_size > in->source->options.max_bytes)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %lld bytes, the limit is %llu", in->from.name,
                             (long long)st.st_size, (unsigned long long)in->source->options.max_bytes);
    return PHYSAD_OK;
}

static physad_status no_memory(const physad__av_input *in)
{
    return physad__error(PHYSAD_ERR_NOMEM, "%s: FFmpeg gets no memory", in->from.name);
}

/* FFmpeg's failure, or ours that it passes on. */
static physad_status input_error(const physad__av_input *in, int code, const char *what)
{
    PHYSAD__TRY(physad__video_stopped(in->source));
    if (in->late) /* whatever FFmpeg was about when it was told to give up */
        return physad__error(PHYSAD_ERR_FORMAT, "%s: no frame came within %g s (max_seconds)", in->from.name,
                             in->source->options.max_seconds);
    if (in->cut != NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %s: %s", in->from.name, what, in->cut);
    if (code == AVERROR(EPERM))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %s: it names other files or hosts, which are not opened",
                             in->from.name, what);
    return physad__av_error(in->av, code, in->from.name, what);
}

static bool opens_others(const char *demuxer)
{
    static const char *const names[] = { "concat", "hls", "dash", "image2", "imf", "rtsp", "sdp", "rtp", "sap" };
    for (int64_t i = 0; i < PHYSAD__COUNT(names); i++)
        if (strcmp(demuxer, names[i]) == 0)
            return true;
    return false;
}

static physad_status open_format(physad__av_input *in)
{
    const physad__av *av = in->av;
    uint8_t *buffer = av->av_malloc(BUFFER_BYTES);
    if (buffer == NULL)
        return no_memory(in);
    in->io = av->avio_alloc_context(buffer, BUFFER_BYTES, 0, in, read_bytes, NULL, in->regular ? seek_bytes : NULL);
    in->format = in->io != NULL ? av->avformat_alloc_context() : NULL;
    if (in->io == NULL)
        av->av_free(buffer);
    if (in->format == NULL)
        return no_memory(in);
    in->format->pb = in->io;
    in->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    in->format->io_open = refuse_open;
    in->format->interrupt_callback = (AVIOInterruptCB){ give_up, in };
    /* One number, two meanings: it bounds the streams, and it lifts every message above the levels that are printed. */
    in->format->max_streams = PHYSAD__AV_SILENT;
    physad__av_silence(&in->class, &in->format->av_class, offsetof(AVFormatContext, max_streams));
    const AVInputFormat *demuxer = NULL;
    AVDictionary *options = NULL;
    int code = av->av_probe_input_buffer2(in->io, &demuxer, in->from.name, in->format, 0, 0);
    if (code >= 0 && opens_others(demuxer->name))
        code = AVERROR(EPERM);
    /* Demuxers that open files on their own account are held by the list of protocols as well. */
    if (code >= 0)
        code = av->av_dict_set(&options, "protocol_whitelist", "none", 0);
    if (code >= 0)
        code = av->avformat_open_input(&in->format, in->from.name, demuxer, &options);
    av->av_dict_free(&options);
    if (code < 0 && in->regular && in->size == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: it is empty", in->from.name);
    return code < 0 ? input_error(in, code, "not a video that FFmpeg knows") : PHYSAD_OK;
}

/* These say all that a decoder must know in their headers; of others FFmpeg decodes a little to find out. */
static bool tells_all(const physad__av_input *in)
{
    static const char *const names[] = { "mov,", "matroska," };
    bool known = false;
    for (int64_t i = 0; i < PHYSAD__COUNT(names); i++)
        known = known || strncmp(in->format->iformat->name, names[i], strlen(names[i])) == 0;
    for (unsigned i = 0; known && i < in->format->nb_streams; i++) {
        const AVCodecParameters *p = in->format->streams[i]->codecpar;
        if (p->codec_type == AVMEDIA_TYPE_VIDEO)
            known = p->codec_id != AV_CODEC_ID_NONE && p->width > 0 && p->height > 0;
    }
    return known;
}

/* FFmpeg decodes the beginning in contexts of its own, which its parsers go on to complain through: they are told to
 * be silent by the options that they are opened with. */
static physad_status guess_streams(physad__av_input *in)
{
    const unsigned count = in->format->nb_streams; /* more may come while it reads */
    AVDictionary **options =
        count > 0 ? physad__alloc_zero(&in->source->ctx->mem, count * sizeof(AVDictionary *), "video") : NULL;
    if (count > 0 && options == NULL)
        return PHYSAD_ERR_NOMEM;
    int code = 0;
    in->guessed = true;
    for (unsigned i = 0; i < count && code >= 0; i++)
        code = in->av->av_dict_set_int(&options[i], "log_level_offset", PHYSAD__AV_SILENT, 0);
    if (code >= 0)
        code = in->av->avformat_find_stream_info(in->format, options);
    for (unsigned i = 0; i < count; i++)
        in->av->av_dict_free(&options[i]);
    physad__free(options);
    return code < 0 ? input_error(in, code, "the streams cannot be told") : PHYSAD_OK;
}

/* In containers that tell all, a packet of these is a whole picture by their definition: a parser, which nobody can
 * tell to be silent there, has nothing to find. */
static bool needs_no_parser(const AVCodecParameters *p)
{
    switch (p->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC: /* with lengths, not start codes, before its units */
        return p->extradata_size > 0 && p->extradata[0] == 1;
    case AV_CODEC_ID_AV1:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9: return true;
    default: return false;
    }
}

/* Sizes that no frame of FFmpeg's has: it would say so for each packet, in a way that nobody can silence. What lies in
 * the packets tells a size as well, or the decoder cannot be opened. */
static void forget_sizes(const physad__av_input *in)
{
    for (unsigned i = 0; i < in->format->nb_streams; i++) {
        AVCodecParameters *p = in->format->streams[i]->codecpar;
        const bool none = p->width < 0 || p->height < 0 ||
                          ((int64_t)p->width + 128) * ((int64_t)p->height + 128) >= INT_MAX / 8;
        if (p->codec_type == AVMEDIA_TYPE_VIDEO && none)
            p->width = p->height = 0;
    }
}

static physad_status find_stream(physad__av_input *in)
{
    const bool all = tells_all(in);
    if (!all) {
        forget_sizes(in);
        PHYSAD__TRY(guess_streams(in));
    }
    const int best = in->av->av_find_best_stream(in->format, AVMEDIA_TYPE_VIDEO, -1, -1, &in->decoder, 0);
    if (best == AVERROR_DECODER_NOT_FOUND)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: this FFmpeg has no decoder for its video", in->from.name);
    if (best < 0 || (in->format->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: there is no video in it (container %s, %u streams)", in->from.name,
                             in->format->iformat->name, in->format->nb_streams);
    for (unsigned i = 0; i < in->format->nb_streams; i++)
        if ((int)i != best)
            in->format->streams[i]->discard = AVDISCARD_ALL;
    in->stream = in->format->streams[best];
    const AVCodecParameters *p = in->stream->codecpar;
    if (all && needs_no_parser(p))
        in->format->flags |= AVFMT_FLAG_NOPARSE;
    if (p->width > 0 && p->height > 0 && (uint64_t)p->height > in->source->options.max_pixels / (uint64_t)p->width)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: frames of %d x %d pixels; the limit is %llu in all", in->from.name,
                             p->width, p->height, (unsigned long long)in->source->options.max_pixels);
    return PHYSAD_OK;
}

physad_status physad__av_input_open(physad__av_input *in, const physad__av *av, physad__video_source *source,
                                    const physad__video_input *from)
{
    *in = (physad__av_input){ .av = av, .source = source, .from = *from, .fd = -1, .until = -INFINITY };
    in->deadline = physad__seconds() + source->options.max_seconds;
    physad_status status = open_bytes(in);
    if (status == PHYSAD_OK)
        status = open_format(in);
    if (status == PHYSAD_OK)
        status = find_stream(in);
    if (status != PHYSAD_OK)
        physad__av_input_close(in);
    return status;
}

void physad__av_input_close(physad__av_input *in)
{
    if (in->av == NULL)
        return;
    in->av->avformat_close_input(&in->format);
    if (in->io != NULL)
        in->av->av_freep(&in->io->buffer);
    in->av->avio_context_free(&in->io);
    if (in->fd >= 0)
        close(in->fd);
    *in = (physad__av_input){ .fd = -1 };
}

/* Matroska's demuxer passes over what it cannot read, up to where it can, and tells nobody. A packet that is later than
 * it should be, behind bytes that are no packet's, in a file of nothing else: those were packets. */
static bool passed_over(const physad__av_input *in, const AVPacket *packet, double seconds)
{
    const AVRational rate = in->stream->avg_frame_rate;
    const double frame = rate.num > 0 && rate.den > 0 ? 1 / av_q2d(rate) : 0.2;
    return in->format->nb_streams == 1 && strncmp(in->format->iformat->name, "matroska,", 9) == 0 && in->reached > 0 &&
           packet->pos > in->reached + MOST_AROUND && seconds > in->until + 1.5 * frame;
}

static physad_status note_packet(physad__av_input *in, AVPacket *packet)
{
    const AVStream *stream = in->format->streams[packet->stream_index];
    const int64_t at = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (at != AV_NOPTS_VALUE && passed_over(in, packet, (double)at * av_q2d(stream->time_base))) {
        in->av->av_packet_unref(packet);
        return physad__error(PHYSAD_ERR_FORMAT, "%s: damaged: what follows byte %lld cannot be read", in->from.name,
                             (long long)in->reached);
    }
    in->largest = physad__max(in->largest, packet->size);
    if (packet->pos >= 0)
        in->reached = physad__max(in->reached, packet->pos + packet->size);
    if (stream == in->stream && at != AV_NOPTS_VALUE)
        in->until = fmax(in->until, ((double)at + (double)packet->duration) * av_q2d(stream->time_base));
    return PHYSAD_OK;
}

bool physad__av_input_cut(const physad__av_input *in)
{
    return !in->regular || in->size - in->reached < LEAST_REST + in->largest;
}

physad_status physad__av_input_read(physad__av_input *in, AVPacket *packet, bool *end)
{
    *end = false;
    for (;;) {
        const int code = in->av->av_read_frame(in->format, packet);
        if (code == AVERROR(EAGAIN) && !give_up(in))
            continue;
        if (code == AVERROR_EOF && in->cut == NULL && in->io->error >= 0) {
            *end = true;
            return PHYSAD_OK;
        }
        if (code < 0)
            return input_error(in, code == AVERROR_EOF ? AVERROR(EIO) : code,
                               physad__av_input_cut(in) ? "cut off" : "damaged");
        PHYSAD__TRY(note_packet(in, packet));
        if (packet->stream_index == in->stream->index)
            return PHYSAD_OK;
        in->av->av_packet_unref(packet);
        if (give_up(in)) /* other streams without end */
            return input_error(in, AVERROR_EXIT, "cut off");
    }
}
