/* SPDX-License-Identifier: Apache-2.0 */
/* Frame n exactly. One pass over the packets tells when each frame is shown and which are key frames; the decoder then
 * starts at the last key frame shown at or before the wanted one, and what it gives is checked against that list. Where
 * the list cannot be trusted (no times, times that repeat, damage) or does not hold, the video is decoded from its
 * start. */
#include "io/io_video_av.h"

#include <math.h>
#include <stdlib.h>

enum { NEAR_FRAMES = 4 }; /* decoding these is cheaper than anything else */

/* --- where frames lie ----------------------------------------------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_rank(const void *a, const void *b)
{
    const physad__av_key *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static physad_status note_packet(physad__av_source *s, const AVPacket *p)
{
    physad__mem *mem = &s->base.ctx->mem;
    if ((p->flags & AV_PKT_FLAG_DISCARD) != 0)
        return PHYSAD_OK;
    s->trusted = s->trusted && p->pts != AV_NOPTS_VALUE && (p->flags & AV_PKT_FLAG_CORRUPT) == 0;
    PHYSAD__TRY(physad__grow(mem, &s->times, &s->time_capacity, s->time_count + 1, sizeof(*s->times), "video index"));
    s->times[s->time_count++] = p->pts;
    if ((p->flags & AV_PKT_FLAG_KEY) == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__grow(mem, &s->keys, &s->key_capacity, s->key_count + 1, sizeof(*s->keys), "video index"));
    /* Until all times are known the time stands for the rank. Some containers seek by decoding time, which is the
     * earlier. */
    s->keys[s->key_count++] = (physad__av_key){ p->pts, p->dts != AV_NOPTS_VALUE && p->dts < p->pts ? p->dts : p->pts };
    return PHYSAD_OK;
}

static int64_t rank_of(const physad__av_source *s, int64_t time)
{
    int64_t low = 0, high = s->time_count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (s->times[middle] < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sort_index(physad__av_source *s)
{
    if (s->time_count == 0 || s->key_count == 0) {
        s->trusted = false;
        return;
    }
    qsort(s->times, (size_t)s->time_count, sizeof(*s->times), by_time);
    for (int64_t i = 1; i < s->time_count; i++)
        s->trusted = s->trusted && s->times[i] != s->times[i - 1];
    s->trusted = s->trusted && s->times[0] == s->first_time;
    for (int64_t i = 0; i < s->key_count; i++)
        s->keys[i].rank = rank_of(s, s->keys[i].rank);
    qsort(s->keys, (size_t)s->key_count, sizeof(*s->keys), by_rank);
}

static physad_status read_packets(physad__av_source *s, physad__av_input *in, AVPacket *packet)
{
    bool end = false;
    for (;;) {
        in->deadline = physad__seconds() + s->base.options.max_seconds;
        const physad_status status = physad__av_input_read(in, packet, &end);
        if (status == PHYSAD_ERR_FORMAT || status == PHYSAD_ERR_IO)
            s->trusted = false; /* decoding from the start comes to the damage and tells it */
        if (end || status == PHYSAD_ERR_FORMAT || status == PHYSAD_ERR_IO || s->time_count > s->base.options.max_frames)
            return PHYSAD_OK;
        PHYSAD__TRY(status);
        const physad_status noted = note_packet(s, packet);
        s->av.av_packet_unref(packet);
        PHYSAD__TRY(noted);
    }
}

static physad_status make_index(physad__av_source *s)
{
    physad__av_input in;
    if (s->indexed)
        return PHYSAD_OK;
    s->trusted = true;
    s->time_count = s->key_count = 0;
    PHYSAD__TRY(physad__av_input_open(&in, &s->av, &s->base, &s->from));
    AVPacket *packet = s->av.av_packet_alloc();
    physad_status status = packet != NULL ? read_packets(s, &in, packet)
                                          : physad__error(PHYSAD_ERR_NOMEM, "%s: FFmpeg gets no memory", s->base.name);
    s->av.av_packet_free(&packet);
    physad__av_input_close(&in);
    PHYSAD__TRY(status);
    sort_index(s);
    s->indexed = true;
    return PHYSAD_OK;
}

/* --- going there ---------------------------------------------------------------------------------------------------
 */

static physad_status skip_to(physad__av_source *s, int64_t index)
{
    physad__frame_mark mark;
    bool end = false;
    while (s->base.position < index && !end)
        PHYSAD__TRY(s->base.next(&s->base, NULL, &mark, &end));
    return PHYSAD_OK;
}

static physad_status from_start(physad__av_source *s, int64_t index)
{
    physad__av_source_close(s);
    const physad_status status = physad__av_source_begin(s);
    if (status != PHYSAD_OK) {
        physad__fault_take(&s->sunk, status);
        return status;
    }
    return skip_to(s, index);
}

static const physad__av_key *key_before(const physad__av_source *s, int64_t index)
{
    const physad__av_key *key = NULL;
    for (int64_t i = 0; i < s->key_count && s->keys[i].rank <= index; i++)
        key = &s->keys[i];
    return key;
}

/* Decodes from `key` on to the frame; `there`: it has come, and is what the next read gives. */
static physad_status by_key(physad__av_source *s, const physad__av_key *key, int64_t index, bool *there)
{
    bool end = false;
    *there = false;
    s->av.av_frame_unref(s->frame);
    s->pending = s->draining = s->begun = false;
    s->passed_over = 0;
    s->base.position = key->rank;
    s->input.reached = 0; /* what comes next does not follow what came */
    s->input.until = -INFINITY;
    s->order.begun = false;
    if (s->av.av_seek_frame(s->input.format, s->input.stream->index, key->seek, AVSEEK_FLAG_BACKWARD) < 0)
        return PHYSAD_OK;
    s->av.avcodec_flush_buffers(s->codec);
    for (;;) {
        const physad_status status = physad__av_source_pull(s, &end);
        if (status == PHYSAD_ERR_NOMEM || status == PHYSAD_ERR_CANCELLED)
            return status;
        if (status != PHYSAD_OK || end || physad__av_frame_time(s->frame) > s->times[index])
            return PHYSAD_OK;
        if (physad__av_frame_time(s->frame) == s->times[index])
            break;
        s->av.av_frame_unref(s->frame);
    }
    s->base.position = index;
    s->pending = true;
    *there = true;
    return PHYSAD_OK;
}

physad_status physad__av_source_seek(physad__video_source *source, int64_t index)
{
    physad__av_source *s = (physad__av_source *)source;
    const bool sound = s->sunk.status == PHYSAD_OK && s->damage.status == PHYSAD_OK;
    bool there = false;
    if (sound && index >= source->position && (!source->seekable || index - source->position <= NEAR_FRAMES))
        return skip_to(s, index);
    if (!source->seekable)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: a pipe cannot go back to frame %lld; it is at %lld",
                             source->name, (long long)index, (long long)source->position);
    PHYSAD__TRY(make_index(s));
    if (!sound || !s->trusted)
        return sound && index >= source->position ? skip_to(s, index) : from_start(s, index);
    /* Behind the end: the last frame tells it. */
    const int64_t wanted = physad__min(index, s->time_count - 1);
    const physad__av_key *key = key_before(s, wanted);
    if (index >= source->position && (key == NULL || key->rank <= source->position))
        return skip_to(s, index);
    if (key != NULL)
        PHYSAD__TRY(by_key(s, key, wanted, &there));
    return there ? skip_to(s, index) : from_start(s, index);
}
