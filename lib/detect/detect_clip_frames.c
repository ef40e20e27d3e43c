/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of videos as bytes at a model's size, in memory up to a limit and in a temporary file beyond it, and clips of
 * them as numbers. */
#include "detect/detect_clip.h"

enum { BLOCK_BYTES = 4 << 20 };

void physad__clip_frames_init(physad__clip_frames *f, physad__mem *mem, int64_t size, int64_t channels, int64_t length)
{
    *f = (physad__clip_frames){ .mem = mem,
                                .height = size,
                                .width = size,
                                .channels = channels,
                                .length = length,
                                .most_held = INT64_MAX,
                                .rest = { .fd = -1 } };
}

void physad__clip_frames_for(physad__clip_frames *f, const physad_detector *det)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const int64_t limit = (int64_t)physad__min(det->ctx->mem.limit / 4, (uint64_t)INT64_MAX);
    physad__clip_frames_init(f, &det->ctx->mem, physad__option_int(det, "size"), m->channels, m->length);
    f->most_held = physad__option_int(det, "memory") << 20;
    if (limit > 0)
        f->most_held = physad__min(f->most_held, limit);
}

void physad__clip_frames_clear(physad__clip_frames *f)
{
    for (int64_t i = 0; i < f->block_count; i++)
        physad__free(f->blocks[i]);
    physad__free(f->blocks);
    physad__free(f->first);
    physad__spill_close(&f->rest);
    *f = (physad__clip_frames){ .mem = f->mem, .rest = { .fd = -1 } };
}

static int64_t frame_bytes(const physad__clip_frames *f)
{
    return f->height * f->width * f->channels;
}

static int64_t block_frames(const physad__clip_frames *f)
{
    return physad__max(BLOCK_BYTES / frame_bytes(f), 1);
}

static uint8_t *held_frame(const physad__clip_frames *f, int64_t k)
{
    const int64_t n = block_frames(f);
    return f->blocks[k / n] + k % n * frame_bytes(f);
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

/* Memory fills first; once a frame is in the file, so are all behind it. */
static physad_status push(physad__clip_frames *f, const void *frame)
{
    const int64_t bytes = frame_bytes(f), n = block_frames(f), blocks = f->held / n + 1;
    int64_t offset;
    if (f->rest.size > 0 || (blocks > f->block_count && blocks * n * bytes > f->most_held))
        return physad__spill_write(&f->rest, frame, bytes, &offset);
    if (blocks > f->block_count) {
        PHYSAD__TRY(
            physad__grow(f->mem, &f->blocks, &f->block_capacity, blocks, sizeof(*f->blocks), "frames of videos"));
        f->blocks[blocks - 1] = physad__alloc_array(f->mem, n, (size_t)bytes, "frames of videos");
        if (f->blocks[blocks - 1] == NULL)
            return PHYSAD_ERR_NOMEM;
        f->block_count = blocks;
    }
    memcpy(held_frame(f, f->held++), frame, (size_t)bytes);
    return PHYSAD_OK;
}

/* All frames of an open video, behind those that are there. */
static physad_status read_all(physad__clip_frames *f, physad_video *v, int64_t *count)
{
    physad_frame frame = PHYSAD_FRAME_INIT;
    *count = 0;
    for (;;) {
        PHYSAD__TRY(physad_video_read(v, &frame));
        if (frame.pixels.data == NULL)
            return PHYSAD_OK;
        PHYSAD__TRY(push(f, frame.pixels.data));
        ++*count;
    }
}

physad_status physad__clip_frames_add(physad__clip_frames *f, physad_video *v)
{
    int64_t count;
    const int64_t held = f->held, written = f->rest.size;
    PHYSAD__TRY(
        physad__grow(f->mem, &f->first, &f->video_capacity, f->videos + 2, sizeof(*f->first), "frames of videos"));
    if (f->videos == 0)
        f->first[0] = 0;
    physad_status status = read_all(f, v, &count);
    if (status == PHYSAD_OK && count == 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "a video without frames");
    if (status != PHYSAD_OK) {
        f->held = held;
        f->rest.size = written;
        return status;
    }
    f->videos++;
    f->first[f->videos] = f->first[f->videos - 1] + count;
    return PHYSAD_OK;
}

/* --- taking --------------------------------------------------------------------------------------------------------
 */

int64_t physad__clip_frames_of(const physad__clip_frames *f, int64_t video)
{
    return f->first[video + 1] - f->first[video];
}

int64_t physad__clip_count(const physad__clip_frames *f, int64_t video)
{
    return physad__max(physad__clip_frames_of(f, video) - f->length + 1, 1);
}

physad_status physad__clip_frame(const physad__clip_frames *f, int64_t video, int64_t k, uint8_t *room,
                                 const uint8_t **out)
{
    const int64_t bytes = frame_bytes(f), last = physad__clip_frames_of(f, video) - 1;
    const int64_t at = f->first[video] + physad__min(k, last);
    *out = at < f->held ? held_frame(f, at) : room;
    return at < f->held ? PHYSAD_OK : physad__spill_read(&f->rest, (at - f->held) * bytes, room, bytes);
}

physad_status physad__clip_take(const physad__clip_frames *f, const physad__clip_place *place, int64_t skip,
                                int64_t count, bool apart, float *out)
{
    const int64_t channels = f->channels, side = place->side > 0 ? place->side : f->height, row = f->width * channels;
    const int64_t step = apart ? channels : count * channels, bytes = side * side * channels;
    uint8_t *room = f->rest.size > 0 ? physad__alloc(f->mem, (size_t)frame_bytes(f), "a frame") : NULL;
    physad_status status = f->rest.size > 0 && room == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    for (int64_t k = 0; status == PHYSAD_OK && k < count; k++) {
        const uint8_t *in;
        float *to = out + (apart ? k * bytes : k * channels);
        status = physad__clip_frame(f, place->video, place->from + skip + k, room, &in);
        for (int64_t y = 0; status == PHYSAD_OK && y < side; y++)
            for (int64_t x = 0; x < side; x++, to += step)
                for (int64_t c = 0; c < channels; c++)
                    to[c] = (float)in[(place->top + y) * row + (place->left + x) * channels + c] / 127.5f - 1;
    }
    physad__free(room);
    return status;
}
