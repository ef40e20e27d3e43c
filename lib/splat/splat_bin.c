/* SPDX-License-Identifier: Apache-2.0 */
/* The Gaussians of each tile, near to far: one radix sort by depth, then a counting sort by tile, both stable. */
#include "splat/splat_internal.h"

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

static void sort_keys(splat_key *keys, splat_key *other, int64_t n)
{
    int64_t counts[3][DIGITS];
    memset(counts, 0, sizeof(counts));
    for (int64_t i = 0; i < n; i++)
        for (int pass = 0; pass < 3; pass++)
            counts[pass][keys[i].depth >> (pass * DIGIT_BITS) & (DIGITS - 1)]++;
    for (int pass = 0; pass < 3; pass++) {
        int64_t start = 0;
        for (int d = 0; d < DIGITS; d++) {
            const int64_t count = counts[pass][d];
            counts[pass][d] = start;
            start += count;
        }
        for (int64_t i = 0; i < n; i++)
            other[counts[pass][keys[i].depth >> (pass * DIGIT_BITS) & (DIGITS - 1)]++] = keys[i];
        splat_key *swap = keys;
        keys = other;
        other = swap;
    }
}

/* Numbers the pairs of each Gaussian, counts those of each tile; returns the number of Gaussians seen. */
static int64_t count_pairs(physad__splat *s, splat_key *keys)
{
    int64_t seen = 0, pairs = 0;
    for (int64_t g = 0; g < s->input.count; g++) {
        physad__splat_record *r = s->records + g;
        if (r->tiles_x == 0)
            continue;
        memcpy(&keys[seen].depth, &r->depth, sizeof(uint32_t));
        keys[seen++].index = (int32_t)g;
        r->first = (int32_t)pairs;
        pairs += (int64_t)r->tiles_x * r->tiles_y;
        if (pairs > INT32_MAX)
            break;
        for (int y = r->tile_y; y < r->tile_y + r->tiles_y; y++)
            for (int x = r->tile_x; x < r->tile_x + r->tiles_x; x++)
                s->starts[y * s->tiles_x + x + 1]++;
    }
    s->n_pairs = pairs;
    return seen;
}

physad_status physad__splat_bin(physad__splat *s)
{
    physad__mem *mem = &s->ctx->mem;
    const int64_t tiles = s->tiles_x * s->tiles_y;
    PHYSAD__TRY(physad__grow(mem, &s->keys, &s->keys_size, 2 * s->input.count + 2, sizeof(splat_key), "depths of Gaussians"));
    PHYSAD__TRY(physad__grow(mem, &s->starts, &s->starts_size, tiles + 1, sizeof(int64_t), "tiles"));
    memset(s->starts, 0, (size_t)(tiles + 1) * sizeof(int64_t));
    splat_key *keys = s->keys, *other = s->keys + s->input.count + 1;
    const int64_t seen = count_pairs(s, keys);
    if (s->n_pairs > INT32_MAX)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "the Gaussians cover more than %d tiles together; use fewer, or a smaller picture",
                             INT32_MAX);
    PHYSAD__TRY(physad__grow(mem, &s->lists, &s->lists_size, s->n_pairs + 1, sizeof(int32_t), "Gaussians of tiles"));
    sort_keys(keys, other, seen); /* three passes: the result lies in `other` */
    for (int64_t t = 0; t < tiles; t++)
        s->starts[t + 1] += s->starts[t];
    for (int64_t i = 0; i < seen; i++) {
        const int32_t g = other[i].index;
        const physad__splat_record *r = s->records + g;
        for (int y = r->tile_y; y < r->tile_y + r->tiles_y; y++)
            for (int x = r->tile_x; x < r->tile_x + r->tiles_x; x++)
                s->lists[s->starts[y * s->tiles_x + x]++] = g;
    }
    for (int64_t t = tiles; t > 0; t--) /* each start has run to its end, the next one's start */
        s->starts[t] = s->starts[t - 1];
    s->starts[0] = 0;
    return PHYSAD_OK;
}
