/* SPDX-License-Identifier: Apache-2.0 */
/* io: writing videos, for the other rooms; reading them is public. */
#ifndef PHYSAD__IO_VIDEO_H
#define PHYSAD__IO_VIDEO_H

#include "core/core.h"

#include <physad/video.h>

/* Whether this build and this machine have FFmpeg; false leaves the reason in physad_last_error(). */
bool physad__video_available(void);

/* A reader of what `video` reads, from its start, with options of its own (NULL: the same); what becomes of damage, and
 * limits that these leave at 0, are the video's. UNSUPPORTED for pipes. Any thread. */
physad_status physad__video_beside(physad_video **out, const physad_video *video, const physad_video_options *options);

/* The frame rate that whoever opened it said, for folders of frames and streams without times; 0: none. */
double physad__video_asked_rate(const physad_video *video);

/* Its path, or the name that it was given. */
const char *physad__video_name(const physad_video *video);

/* Writes a video whose suffix says the container (.mp4, .mkv, .avi, .ts, ...). Equal frames and options give equal
 * bytes. The file is held in memory and written whole. */
typedef struct physad__video_writer physad__video_writer;
typedef struct physad__video_writer_options {
    int32_t width, height;
    int32_t rate, rate_per; /* frames per second as a fraction; rate_per 0: 1 */
    const char *codec;      /* FFmpeg's encoder name; NULL: libx264, else mpeg4 */
    int32_t quality;        /* 1 best .. 51; 0: 18 */
    int32_t key_every;      /* frames from one key frame to the next; 0: 30 */
    int32_t between;        /* frames that refer to both sides; 0: none */
    int32_t bits;           /* 8 or 10; 0: 8 */
    int32_t full_color;     /* 1: colour at full resolution (4:4:4) */
    int32_t rotation;       /* display matrix: degrees clockwise to turn by when shown, 0, 90, 180, 270 */
    int32_t variable;       /* 1: each frame has its own time */
    const char *extra;      /* further options of the encoder, "a=1:b=2"; NULL: none */
} physad__video_writer_options;
physad_status physad__video_writer_open(physad__video_writer **out, physad_context *ctx, const char *path,
                                        const physad__video_writer_options *options);
/* `rgb`: height x width x 3 bytes, packed. `milliseconds`: when it is shown, where the options say `variable`; must
 * grow. */
physad_status physad__video_writer_put(physad__video_writer *w, const uint8_t *rgb, int64_t milliseconds);
physad_status physad__video_writer_commit(physad__video_writer *w); /* frees it, whatever the outcome */
void physad__video_writer_abort(physad__video_writer *w);           /* NULL is fine */

#endif
