/* SPDX-License-Identifier: Apache-2.0 */
/* The video files' own header: where frames come from. Not for other rooms. */
#ifndef PHYSAD__IO_VIDEO_SOURCE_H
#define PHYSAD__IO_VIDEO_SOURCE_H

#include "io/io_file.h"
#include "io/io_video.h"

typedef struct physad__frame_mark {
    int64_t index;
    double seconds;
    int32_t key;
} physad__frame_mark;

/* A video as it is read by one thread: a file or a folder. */
typedef struct physad__video_source physad__video_source;
struct physad__video_source {
    physad_context *ctx;
    physad_video_options options; /* with every default filled in */
    physad_video_info info;
    const char *name; /* for messages */
    bool seekable;
    int64_t position; /* of the frame that next() gives */
    atomic_int *stop; /* not zero: give up; NULL: never */
    /* The next frame into `pixels` (packed, info's size), or passed over where that is NULL. `end`: there is none. */
    physad_status (*next)(physad__video_source *s, void *pixels, physad__frame_mark *mark, bool *end);
    physad_status (*seek)(physad__video_source *s, int64_t index);
    void (*free)(physad__video_source *s);
};

typedef struct physad__video_input {
    const char *path; /* NULL: memory */
    const void *bytes;
    size_t size;
    const char *name;
} physad__video_input;

physad_status physad__video_source_file(physad__video_source **out, physad_context *ctx,
                                        const physad__video_input *input, const physad_video_options *options,
                                        atomic_int *stop);
physad_status physad__video_source_folder(physad__video_source **out, physad_context *ctx,
                                          const physad__video_input *input, const physad_video_options *options,
                                          atomic_int *stop);

/* Sets info's height and width from the turned video's and what the options want. */
physad_status physad__video_size(physad__video_source *s, int64_t height, int64_t width);
int64_t physad__video_frame_bytes(const physad__video_source *s);
/* CANCELLED when the caller gave up. */
physad_status physad__video_stopped(const physad__video_source *s);

#endif
