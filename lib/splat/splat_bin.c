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

static void count_chunk(physad__splat *s, int64_t chunk)
{
    const int64_t end = physad__min((chunk + 1) * PHYSAD__SPLAT_PIECE, s->input.count);
    splat_tally t = { 0, 0 };
    for (int64_t g = chunk * PHYSAD__SPLAT_PIECE; g < end; g++) {
        const physad__splat_record *r = s->records + g;
        t.seen += r->tiles_x > 0;
        t.pairs += (int64_t)r->tiles_x * r->tiles_y;
    }
    s->tallies[chunk] = t;
}

/* Keys of the Gaussians seen, and the place of each one's sums. */
static void number_chunk(physad__splat *s, int64_t chunk)
{
    const int64_t end = physad__min((chunk + 1) * PHYSAD__SPLAT_PIECE, s->input.count);
    splat_tally t = s->tallies[chunk];
    for (int64_t g = chunk * PHYSAD__SPLAT_PIECE; g < end; g++) {
        physad__splat_record *r = s->records + g;
        if (r->tiles_x == 0)
            continue;
        r->first = (int32_t)t.pairs;
        t.pairs += (int64_t)r->tiles_x * r->tiles_y;
        memcpy(&s->keys[t.seen].depth, &r->depth, sizeof(uint32_t));
        s->keys[t.seen++].index = (int32_t)g;
    }
}

/* Tallies become those of all chunks before; returns that of all. */
static splat_tally add_up(splat_tally *tallies, int64_t chunks)
{
    splat_tally all = { 0, 0 };
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const splat_tally own = tallies[chunk];
        tallies[chunk] = all;
        all.seen += own.seen;
        all.pairs += own.pairs;
    }
    return all;
}

/* --- tiles: each band of rows goes through all Gaussians and takes its own --- */

static void count_band(physad__splat *s, int64_t seen, int64_t top, int64_t bottom)
{
    for (int64_t i = 0; i < seen; i++) {
        const splat_rect r = s->rects[i];
        const int64_t low = physad__max(top, r.y), high = physad__min(bottom, r.y + r.ny);
        for (int64_t y = low; y < high; y++)
            for (int64_t x = r.x; x < r.x + r.nx; x++)
                s->starts[y * s->tiles_x + x + 1]++;
    }
}

/* Each start runs to its tile's end. */
static void fill_band(physad__splat *s, const splat_key *sorted, int64_t seen, int64_t top, int64_t bottom)
{
    for (int64_t i = 0; i < seen; i++) {
        const splat_rect r = s->rects[i];
        const int64_t low = physad__max(top, r.y), high = physad__min(bottom, r.y + r.ny);
        for (int64_t y = low; y < high; y++)
            for (int64_t x = r.x; x < r.x + r.nx; x++)
                s->lists[s->starts[y * s->tiles_x + x]++] = sorted[i].index;
    }
}

static void fill_tiles(physad__splat *s, const splat_key *sorted, int64_t seen)
{
    const int64_t tiles = s->tiles_x * s->tiles_y, bands = physad__min(s->ctx->threads, s->tiles_y);
    memset(s->starts, 0, (size_t)(tiles + 1) * sizeof(int64_t));
#pragma omp parallel for schedule(static) num_threads(s->ctx->threads)
    for (int64_t i = 0; i < seen; i++) {
        const physad__splat_record *r = s->records + sorted[i].index;
        s->rects[i] = (splat_rect){ r->tile_x, r->tile_y, r->tiles_x, r->tiles_y };
    }
#pragma omp parallel for schedule(static, 1) num_threads(s->ctx->threads)
    for (int64_t band = 0; band < bands; band++)
        count_band(s, seen, band * s->tiles_y / bands, (band + 1) * s->tiles_y / bands);
    for (int64_t t = 0; t < tiles; t++)
        s->starts[t + 1] += s->starts[t];
#pragma omp parallel for schedule(static, 1) num_threads(s->ctx->threads)
    for (int64_t band = 0; band < bands; band++)
        fill_band(s, sorted, seen, band * s->tiles_y / bands, (band + 1) * s->tiles_y / bands);
    for (int64_t t = tiles; t > 0; t--) /* an end is the next one's start */
        s->starts[t] = s->starts[t - 1];
    s->starts[0] = 0;
}

physad_status physad__splat_bin(physad__splat *s)
{
    physad__mem *mem = &s->ctx->mem;
    const int64_t tiles = s->tiles_x * s->tiles_y,
                  chunks = (s->input.count + PHYSAD__SPLAT_PIECE - 1) / PHYSAD__SPLAT_PIECE;
    PHYSAD__TRY(
        physad__grow(mem, &s->tallies, &s->tallies_size, chunks + 1, sizeof(splat_tally), "depths of Gaussians"));
#pragma omp parallel for schedule(static) num_threads(s->ctx->threads)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        count_chunk(s, chunk);
    const splat_tally all = add_up(s->tallies, chunks);
    s->n_pairs = all.pairs;
    if (all.pairs > INT32_MAX)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "the Gaussians cover more than %d tiles together; use fewer, or a smaller picture",
                             INT32_MAX);
    PHYSAD__TRY(physad__grow(mem, &s->keys, &s->keys_size, 2 * all.seen + 2, sizeof(splat_key), "depths of Gaussians"));
    PHYSAD__TRY(physad__grow(mem, &s->rects, &s->rects_size, all.seen + 1, sizeof(splat_rect), "depths of Gaussians"));
    PHYSAD__TRY(physad__grow(mem, &s->starts, &s->starts_size, tiles + 1, sizeof(int64_t), "tiles"));
    PHYSAD__TRY(physad__grow(mem, &s->lists, &s->lists_size, all.pairs + 1, sizeof(int32_t), "Gaussians of tiles"));
    PHYSAD__TRY(physad__grow(mem, &s->reach, &s->reach_size, all.pairs + 1, sizeof(uint16_t), "Gaussians of tiles"));
#pragma omp parallel for schedule(static) num_threads(s->ctx->threads)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        number_chunk(s, chunk);
    splat_key *sorted = s->keys + all.seen + 1;
    sort_keys(s->keys, sorted, all.seen); /* three passes: the result lies in the second half */
    fill_tiles(s, sorted, all.seen);
    return PHYSAD_OK;
}
