/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of videos as bytes at a model's size, and clips of them as numbers. */
#include "detect/detect_clip.h"

void physad__clip_frames_init(physad__clip_frames *f, physad__mem *mem, int64_t size, int64_t channels, int64_t length)
{
    *f = (physad__clip_frames){ .mem = mem, .height = size, .width = size, .channels = channels, .length = length };
}

void physad__clip_frames_clear(physad__clip_frames *f)
{
    physad__free(f->pixels);
    physad__free(f->first);
    *f = (physad__clip_frames){ .mem = f->mem };
}

static int64_t frame_bytes(const physad__clip_frames *f)
{
    return f->height * f->width * f->channels;
}

/* All frames of an open video, behind those that are there. */
static physad_status read_all(physad__clip_frames *f, physad_video *v, int64_t *count)
{
    physad_frame frame = PHYSAD_FRAME_INIT;
    const int64_t bytes = frame_bytes(f);
    *count = 0;
    for (;;) {
        PHYSAD__TRY(physad_video_read(v, &frame));
        if (frame.pixels.data == NULL)
            return PHYSAD_OK;
        PHYSAD__TRY(physad__grow(f->mem, &f->pixels, &f->capacity, f->count + bytes, 1, "frames of videos"));
        memcpy(f->pixels + f->count, frame.pixels.data, (size_t)bytes);
        f->count += bytes;
        ++*count;
    }
}

physad_status physad__clip_frames_add(physad__clip_frames *f, physad_video *v)
{
    int64_t count;
    const int64_t before = f->count;
    PHYSAD__TRY(
        physad__grow(f->mem, &f->first, &f->video_capacity, f->videos + 2, sizeof(*f->first), "frames of videos"));
    if (f->videos == 0)
        f->first[0] = 0;
    physad_status status = read_all(f, v, &count);
    if (status == PHYSAD_OK && count == 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "a video without frames");
    if (status != PHYSAD_OK) {
        f->count = before;
        return status;
    }
    f->videos++;
    f->first[f->videos] = f->first[f->videos - 1] + count;
    return PHYSAD_OK;
}

int64_t physad__clip_frames_of(const physad__clip_frames *f, int64_t video)
{
    return f->first[video + 1] - f->first[video];
}

int64_t physad__clip_count(const physad__clip_frames *f, int64_t video)
{
    return physad__max(physad__clip_frames_of(f, video) - f->length + 1, 1);
}

void physad__clip_take(const physad__clip_frames *f, int64_t video, int64_t from, int64_t count, bool apart, float *out)
{
    const int64_t bytes = frame_bytes(f), pixels = f->height * f->width, channels = f->channels;
    const int64_t step = apart ? channels : count * channels, last = physad__clip_frames_of(f, video) - 1;
    for (int64_t k = 0; k < count; k++) {
        const uint8_t *in = f->pixels + (f->first[video] + physad__min(from + k, last)) * bytes;
        float *to = out + (apart ? k * bytes : k * channels);
        for (int64_t i = 0; i < pixels; i++)
            for (int64_t c = 0; c < channels; c++)
                to[i * step + c] = (float)in[i * channels + c] / 127.5f - 1;
    }
}
