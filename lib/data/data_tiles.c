/* SPDX-License-Identifier: Apache-2.0 */
#include "data/data.h"

/* All in units. */
static int64_t tiles_along(int64_t whole, int64_t tile, int64_t overlap)
{
    return whole <= tile ? 1 : 1 + (whole - tile + (tile - overlap) - 1) / (tile - overlap);
}

/* First position of tile `i` of `n`: evenly spread, the last one flush. */
static int64_t tile_start(int64_t whole, int64_t tile, int64_t n, int64_t unit, int64_t i)
{
    return n == 1 ? 0 : i * ((whole - tile) / unit) / (n - 1) * unit;
}

physad_status physad__tiles_plan(physad__tiles *out, int64_t height, int64_t width, int64_t tile_height,
                                 int64_t tile_width, int64_t overlap, int64_t unit)
{
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
        return physad__error(PHYSAD_ERR_SHAPE, "tiles: the photo has %lld x %lld pixels", (long long)height,
                             (long long)width);
    if (tile_height < 1 || tile_width < 1 || overlap < 0 || overlap >= tile_height || overlap >= tile_width)
        return physad__error(PHYSAD_ERR_ARG,
                             "tiles: %lld x %lld with an overlap of %lld, want tiles of at least one pixel, and an "
                             "overlap below their size",
                             (long long)tile_height, (long long)tile_width, (long long)overlap);
    tile_height = physad__min(tile_height, height);
    tile_width = physad__min(tile_width, width);
    if (unit < 1 || height % unit != 0 || width % unit != 0 || tile_height % unit != 0 || tile_width % unit != 0)
        return physad__error(PHYSAD_ERR_ARG, "tiles: %lld x %lld of %lld x %lld are not all multiples of %lld",
                             (long long)tile_height, (long long)tile_width, (long long)height, (long long)width,
                             (long long)unit);
    const int64_t shared = (overlap + unit - 1) / unit, most_y = tile_height / unit - 1, most_x = tile_width / unit - 1;
    *out = (physad__tiles){ height,
                            width,
                            tile_height,
                            tile_width,
                            tiles_along(height / unit, tile_height / unit, physad__min(shared, most_y)),
                            tiles_along(width / unit, tile_width / unit, physad__min(shared, most_x)),
                            overlap,
                            unit };
    return PHYSAD_OK;
}

int64_t physad__tiles_count(const physad__tiles *tiles)
{
    return tiles->rows * tiles->columns;
}

physad__rect physad__tiles_rect(const physad__tiles *tiles, int64_t index)
{
    return (
        physad__rect){ tile_start(tiles->height, tiles->tile_height, tiles->rows, tiles->unit, index / tiles->columns),
                       tile_start(tiles->width, tiles->tile_width, tiles->columns, tiles->unit, index % tiles->columns),
                       tiles->tile_height, tiles->tile_width };
}

/* Weight of position `i` of a tile: rises from the border inwards, pixel by pixel. It needs no end of the ramp: where
 * only one tile lies, any weight gives that tile. */
static float ramp(int64_t i, int64_t tile)
{
    return (float)physad__min(i + 1, tile - i);
}

/* Tiles [*from, *to) of one direction that hold position `at`. */
static void tiles_at(int64_t whole, int64_t tile, int64_t n, int64_t unit, int64_t at, int64_t *from, int64_t *to)
{
    *from = 0;
    while (*from + 1 < n && tile_start(whole, tile, n, unit, *from) + tile <= at)
        ++*from;
    *to = *from + 1;
    while (*to < n && tile_start(whole, tile, n, unit, *to) <= at)
        ++*to;
}

/* Tiles that hold a pixel: rows [top, bottom) and columns [left, right). */
typedef struct holders {
    int64_t top, bottom, left, right;
} holders;

static void merge_at(const physad__tiles *t, const float *const *maps, int64_t channels, int64_t y, int64_t x,
                     const holders *h, float *out)
{
    const int64_t first = h->top * t->columns + h->left;
    const physad__rect origin = physad__tiles_rect(t, first);
    const float *base = maps[first] + ((y - origin.y) * t->tile_width + x - origin.x) * channels;
    float weights = 0;
    if (h->bottom - h->top == 1 && h->right - h->left == 1) {
        memcpy(out, base, (size_t)channels * sizeof(*out));
        return;
    }
    /* Differences from the first tile: equal tiles give their value to the bit. */
    memset(out, 0, (size_t)channels * sizeof(*out));
    for (int64_t i = h->top; i < h->bottom; i++) {
        for (int64_t j = h->left; j < h->right; j++) {
            const physad__rect r = physad__tiles_rect(t, i * t->columns + j);
            const float w = ramp(y - r.y, t->tile_height) * ramp(x - r.x, t->tile_width);
            const float *from = maps[i * t->columns + j] + ((y - r.y) * t->tile_width + x - r.x) * channels;
            for (int64_t c = 0; c < channels; c++)
                out[c] += w * (from[c] - base[c]);
            weights += w;
        }
    }
    for (int64_t c = 0; c < channels; c++)
        out[c] = base[c] + out[c] / weights;
}

void physad__tiles_merge(const physad__tiles *tiles, const float *const *maps, int64_t channels, float *out)
{
    holders h;
    for (int64_t y = 0; y < tiles->height; y++) {
        tiles_at(tiles->height, tiles->tile_height, tiles->rows, tiles->unit, y, &h.top, &h.bottom);
        for (int64_t x = 0; x < tiles->width; x++) {
            tiles_at(tiles->width, tiles->tile_width, tiles->columns, tiles->unit, x, &h.left, &h.right);
            merge_at(tiles, maps, channels, y, x, &h, out + (y * tiles->width + x) * channels);
        }
    }
}
