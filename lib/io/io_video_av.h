/* SPDX-License-Identifier: Apache-2.0 */
/* Video files through FFmpeg: the file's own header of io_video_{input,decode,convert,seek}.c. */
#ifndef PHYSAD__IO_VIDEO_AV_H
#define PHYSAD__IO_VIDEO_AV_H

#include "io/io_av.h"
#include "io/io_h264.h"
#include "io/io_video_source.h"

/* --- io_video_input.c: bytes to packets --- */

/* FFmpeg keeps its address: it must not move while open. */
typedef struct physad__av_input {
    const physad__av *av;
    physad__video_source *source; /* for its limits and whether to stop */
    physad__video_input from;
    int fd;          /* -1: memory */
    bool regular;    /* can be read again */
    int64_t size;    /* of memory or a regular file */
    int64_t offset;  /* in memory */
    uint64_t total;  /* bytes read from a pipe */
    double deadline; /* physad__seconds() */
    bool guessed;    /* FFmpeg read a little to find out what the header lacks */
    int64_t reached; /* where the last packet's bytes end; 0: not told */
    int64_t largest; /* bytes of a packet of any stream */
    double until;    /* end of the last packet of the stream, seconds as they are stored; -INFINITY: not told */
    const char *cut; /* why reading was ended by us; NULL: it was not */
    bool late;       /* that is because no frame came within max_seconds */
    AVClass class;   /* of the format context */
    AVIOContext *io;
    AVFormatContext *format;
    const AVCodec *decoder;
    AVStream *stream;
} physad__av_input;

physad_status physad__av_input_open(physad__av_input *in, const physad__av *av, physad__video_source *source,
                                    const physad__video_input *from);
void physad__av_input_close(physad__av_input *in); /* zeroed is fine */
/* The next packet of the stream. `end`: there is none. FORMAT when the file is damaged or cut off, a limit included. */
physad_status physad__av_input_read(physad__av_input *in, AVPacket *packet, bool *end);
/* Whether no more of the file than part of a packet lies behind what was read: what is missing was cut off, else it is
 * damaged. */
bool physad__av_input_cut(const physad__av_input *in);

/* --- io_video_convert.c: frames to pixels --- */

/* Orientation as in EXIF, from a display matrix. */
int32_t physad__av_orientation(const int32_t *matrix);

typedef struct physad__av_convert {
    struct SwsContext *scale;
    AVClass class;
    int width, height, format, matrix, range; /* of the frames it is for */
    unsigned char *upright;                   /* a frame before its turn */
} physad__av_convert;

/* --- the source (io_video_decode.c) --- */

typedef struct physad__av_key {
    int64_t rank; /* frames shown before it */
    int64_t seek; /* where to seek to */
} physad__av_key;

typedef struct physad__av_source {
    physad__video_source base;
    physad__av av;
    physad__video_input from;
    physad__av_input input;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    bool pending;        /* `frame` is the one that next() gives */
    bool draining;       /* no more packets */
    bool begun;          /* a frame has come out since the codec was opened */
    bool bare;           /* a stream of H.264 in no container */
    physad__h264_order order; /* of that */
    int32_t passed_over; /* packets that did not decode before the first frame */
    physad__fault damage;
    physad__fault sunk;  /* of reading on */
    int64_t first_time;  /* of the first frame, in units of the stream */
    double last_seconds; /* of the last frame that came out, from the stream's start on */
    int32_t orientation;
    physad__av_convert convert;
    /* Where frames lie (io_video_seek.c). */
    bool indexed, trusted;
    int64_t *times; /* of all frames in the order they are shown */
    int64_t time_count, time_capacity;
    physad__av_key *keys;
    int64_t key_count, key_capacity;
} physad__av_source;

/* Opens input and codec and decodes the first frame. */
physad_status physad__av_source_begin(physad__av_source *s);
void physad__av_source_close(physad__av_source *s);
/* The next frame into s->frame. */
physad_status physad__av_source_pull(physad__av_source *s, bool *end);
int64_t physad__av_frame_time(const AVFrame *frame); /* AV_NOPTS_VALUE: not known */

physad_status physad__av_source_seek(physad__video_source *source, int64_t index);

physad_status physad__av_convert_run(physad__av_source *s, const AVFrame *frame, void *pixels);
void physad__av_convert_free(physad__av_source *s);

#endif
