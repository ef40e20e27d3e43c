/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a video: frames and a status, within the limits, with and without the thread that reads ahead; going
 * back gives the same. The demuxers and decoders are FFmpeg's; what is tried is what lies around them. */
#include "fuzz.h"

#include <physad/video.h>

static void read_some(physad_video *v)
{
    physad_frame f = PHYSAD_FRAME_INIT;
    int64_t frames = 0;
    while (physad_video_read(v, &f) == PHYSAD_OK && f.pixels.data != NULL) {
        check(f.index == frames && f.pixels.shape[0] == 24 && f.pixels.shape[1] == 32);
        check(++frames <= 40);
    }
    if (frames > 1 && physad_video_seek(v, frames / 2) == PHYSAD_OK && physad_video_read(v, &f) == PHYSAD_OK)
        check(f.pixels.data == NULL || f.index == frames / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx;
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return 0;
    for (int ahead = -1; ahead <= 2; ahead += 3) {
        physad_video *v;
        physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
        o.ahead = ahead;
        o.threads = 1;
        o.height = 24;
        o.width = 32;
        o.max_frames = 40;
        o.max_pixels = 1 << 16;
        o.max_seconds = 2;
        o.on_error = ahead < 0 ? PHYSAD_VIDEO_STOP : PHYSAD_VIDEO_SHORTEN;
        if (physad_video_open_memory(&v, ctx, data, size, "fuzz", &o) == PHYSAD_OK)
            read_some(v);
        physad_video_free(v);
    }
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
