/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

static int64_t normal_offset(const physad__run *run)
{
    return run->offset + run->positives * (int64_t)sizeof(uint64_t);
}

void physad__cursor_open(physad__cursor *c, const physad_pixels *pixels, const physad__run *run, uint32_t *buffer)
{
    *c = (physad__cursor){ .total = run->negatives, .status = PHYSAD_OK };
    if (run->block != NULL) {
        c->keys = (const uint32_t *)(const void *)((const uint64_t *)run->block + run->positives);
        c->count = run->negatives;
    } else {
        c->spill = &pixels->spill;
        c->offset = normal_offset(run);
        c->keys = c->buffer = buffer;
    }
}

/* The first place in keys[begin, end) whose key is not less: steps that double, then halving; cheap when it is near. */
static int64_t gallop(const uint32_t *keys, int64_t begin, int64_t end, uint32_t key)
{
    int64_t step = 1, low = begin;
    while (low < end && keys[low] < key) {
        begin = low + 1;
        low += step;
        step *= 2;
    }
    int64_t high = physad__min(low, end);
    while (begin < high) {
        const int64_t middle = begin + (high - begin) / 2;
        if (keys[middle] < key)
            begin = middle + 1;
        else
            high = middle;
    }
    return begin;
}

/* Moves the window of a file's run so that the answer lies in it or at its end. */
static void seek(physad__cursor *c, uint32_t key, int64_t from)
{
    int64_t low = from, high = c->total;
    uint32_t probe;
    while (high - low > PHYSAD__CURSOR_KEYS / 2 && c->status == PHYSAD_OK) {
        const int64_t middle = low + (high - low) / 2;
        c->status = physad__spill_read(c->spill, c->offset + middle * (int64_t)sizeof(probe), &probe, sizeof(probe));
        if (c->status == PHYSAD_OK && probe < key)
            low = middle + 1;
        else
            high = middle;
    }
    c->first = low;
    c->count = physad__min(PHYSAD__CURSOR_KEYS, c->total - low);
    if (c->status == PHYSAD_OK)
        c->status = physad__spill_read(c->spill, c->offset + low * (int64_t)sizeof(uint32_t), c->buffer,
                                       c->count * (int64_t)sizeof(uint32_t));
    if (c->status != PHYSAD_OK)
        c->count = 0;
}

int64_t physad__cursor_below(physad__cursor *c, uint32_t key, int64_t from)
{
    if (c->spill == NULL)
        return gallop(c->keys, from, c->count, key);
    const int64_t end = c->first + c->count;
    const bool inside = from >= c->first && from < end && c->keys[c->count - 1] >= key;
    if (!inside && from < c->total && c->status == PHYSAD_OK)
        seek(c, key, from);
    if (c->status != PHYSAD_OK || from >= c->total)
        return from;
    return c->first + gallop(c->keys, physad__max(0, from - c->first), c->count, key);
}

physad_status physad__run_positives(const physad_pixels *pixels, const physad__run *run, int64_t first, int64_t count,
                                    uint64_t *out)
{
    if (run->block == NULL)
        return physad__spill_read(&pixels->spill, run->offset + first * (int64_t)sizeof(*out), out,
                                  count * (int64_t)sizeof(*out));
    if (count > 0)
        memcpy(out, (const uint64_t *)run->block + first, (size_t)count * sizeof(*out));
    return PHYSAD_OK;
}
