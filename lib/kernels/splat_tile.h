/* SPDX-License-Identifier: Apache-2.0 */
/* The pixels of a tile, Gaussian after Gaussian, near to far, a block of 4 x 4 pixels (or a part of it) at a time.
 * Backward goes the same way again: with what lies behind known from the start (rest), each step takes its share away.
 */

#define SPLAT_LEAST (-7.99435344f) /* log2(1/255) */
#define SPLAT_STOP 1e-4f

static const float splat_offsets_x[4][16] = { { 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3 },
                                              { 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7 },
                                              { 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11, 8, 9, 10, 11 },
                                              { 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15 } };
static const float splat_offsets_y[4][16] = { { 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3 },
                                              { 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7 },
                                              { 8, 8, 8, 8, 9, 9, 9, 9, 10, 10, 10, 10, 11, 11, 11, 11 },
                                              { 12, 12, 12, 12, 13, 13, 13, 13, 14, 14, 14, 14, 15, 15, 15, 15 } };

/* The first pixels of the blocks. */
static const float splat_blocks_x[16] = { 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12 };
static const float splat_blocks_y[16] = { 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12 };

/* A Gaussian as seen from a tile. */
typedef struct splat_gaussian {
    float x, y; /* of the centre, from the tile's first pixel */
    float a, b, c, level, lean_x, lean_y;
    const float *feature;
} splat_gaussian;

SPLAT_INLINE splat_gaussian splat_gaussian_of(const physad__splat_tile *t, int64_t g, const int channels)
{
    const physad__splat_record *r = t->records + g;
    const splat_gaussian out = { r->x - (float)t->x, r->y - (float)t->y,        r->a, r->b, r->c, r->level, r->lean_x,
                                 r->lean_y,          t->features + g * channels };
    return out;
}

SPLAT_INLINE V splat_exponent(V dx, V dy, V a, V b, V c)
{
    return v_fma(v_fma(a, dx, b * dy), dx, c * dy * dy);
}

/* Blocks of the tile that a Gaussian may reach, a bit each: those with a place between their pixels where alpha is
 * 1/255 and a hair less. Alpha is largest in the centre; seen from outside, on a side of the block that faces it. */
SPLAT_INLINE unsigned splat_reach(const splat_gaussian *g)
{
    const V a = v_set(g->a), b = v_set(g->b), c = v_set(g->c), least = v_set(SPLAT_LEAST - 0.0625f - g->level),
            zero = v_set(0);
    unsigned bits = 0;
    for (int k = 0; k < 16; k += LANES) {
        const V left = v_load(splat_blocks_x + k) - g->x, top = v_load(splat_blocks_y + k) - g->y;
        const V right = left + 3.0f, bottom = top + 3.0f, dx = v_clamp(zero, left, right),
                dy = v_clamp(zero, top, bottom);
        const V along_y = splat_exponent(dx, v_clamp(g->lean_y * dx, top, bottom), a, b, c);
        const V along_x = splat_exponent(v_clamp(g->lean_x * dy, left, right), dy, a, b, c);
        bits |= m_bits(m_ge(v_max(along_x, along_y), least)) << k;
    }
    return bits;
}

/* The block has no pixel left that goes on. */
SPLAT_INLINE int splat_is_over(const float *transmittance)
{
    unsigned live = 0;
    for (int k = 0; k < 16; k += LANES)
        live |= m_bits(m_gt(v_load(transmittance + k), v_set(0)));
    return live == 0;
}

SPLAT_INLINE unsigned splat_live_blocks(const float *transmittance)
{
    unsigned live = 0;
    for (int block = 0; block < 16; block++)
        live |= splat_is_over(transmittance + block * 16) ? 0 : 1u << block;
    return live;
}

/* What a Gaussian does to LANES pixels. */
typedef struct splat_touch {
    V dx, dy, raw, alpha, before, weight; /* before: the transmittance; weight is 0 where it adds nothing */
    M on, off;                            /* adds; would pass the end and stops the pixel */
} splat_touch;

/* Pixels k.. of a block; what is left there is taken on. False where nothing happens, unless that would not be worth a
 * branch. */
SPLAT_INLINE int splat_touch_at(splat_touch *p, const splat_gaussian *g, int block, int k, V *transmittance)
{
    p->dx = v_load(splat_offsets_x[block & 3] + k) - g->x;
    p->dy = v_load(splat_offsets_y[block >> 2] + k) - g->y;
    const V e = v_fma(v_fma(v_set(g->a), p->dx, g->b * p->dy), p->dx, v_fma(g->c * p->dy, p->dy, v_set(g->level)));
    const M near = m_ge(e, v_set(SPLAT_LEAST));
    if (LANES < 16 && !m_any(near))
        return 0;
    p->raw = v_exp2(e);
    p->alpha = v_min(p->raw, v_set(0.99f));
    p->before = *transmittance;
    const V after = v_fnma(p->alpha, p->before, p->before);
    p->on = m_and(near, m_ge(after, v_set(SPLAT_STOP)));
    p->off = m_without(near, p->on);
    p->weight = v_keep(p->on, p->alpha * p->before);
    *transmittance = v_if(p->on, after, v_if(p->off, -v_abs(p->before), p->before));
    return 1;
}

#define SPLAT_BATCH 64
#define SPLAT_AHEAD 8 /* Gaussians fetched before they are wanted */

SPLAT_INLINE int splat_batch_size(const physad__splat_tile *t, int64_t first)
{
    return t->n - first < SPLAT_BATCH ? (int)(t->n - first) : SPLAT_BATCH;
}

SPLAT_INLINE void splat_batch_fill(splat_gaussian *out, const physad__splat_tile *t, int64_t first, int n,
                                   const int channels)
{
    for (int j = 0; j < n; j++) {
        const int64_t next = first + j + SPLAT_AHEAD < t->n ? t->list[first + j + SPLAT_AHEAD] : 0;
        __builtin_prefetch(t->records + next);
        __builtin_prefetch(t->features + next * channels);
        out[j] = splat_gaussian_of(t, t->list[first + j], channels);
    }
}

/* --- forward: a batch at a time, block after block, whose pixels stay in registers --- */

/* Of what a Gaussian takes of a pixel's light, the part in the middle half. */
SPLAT_INLINE V splat_middle(const splat_touch *p)
{
    const V least = v_set(PHYSAD__SPLAT_MIDDLE), most = v_set(1 - PHYSAD__SPLAT_MIDDLE);
    return v_clamp(p->before, least, most) - v_clamp(p->before - p->weight, least, most);
}

/* The Gaussians of `who` over one block. */
SPLAT_INLINE void splat_block(const physad__splat_tile *t, const splat_gaussian *gaussians, uint64_t who, int block,
                              const int channels, const int middle)
{
    enum { KEPT = 4 }; /* channels in registers */
    for (int k = 0; k < 16; k += LANES) {
        const int at = block * 16 + k;
        V transmittance = v_load(t->transmittance + at), kept[KEPT];
        for (int ch = 0; ch < KEPT && ch < channels; ch++)
            kept[ch] = v_load(t->out + ch * PHYSAD__SPLAT_PIXELS + at);
        for (uint64_t left = who; left != 0; left &= left - 1) {
            const splat_gaussian *g = gaussians + __builtin_ctzll(left);
            splat_touch p;
            if (!splat_touch_at(&p, g, block, k, &transmittance))
                continue;
            for (int ch = 0; ch < KEPT && ch < channels; ch++)
                kept[ch] =
                    v_fma(middle && ch == 3 ? splat_middle(&p) : p.weight, v_set(g->feature[ch]), kept[ch]);
            for (int ch = KEPT; ch < channels; ch++) {
                float *out = t->out + ch * PHYSAD__SPLAT_PIXELS + at;
                v_store(out, v_fma(p.weight, v_set(g->feature[ch]), v_load(out)));
            }
        }
        v_store(t->transmittance + at, transmittance);
        for (int ch = 0; ch < KEPT && ch < channels; ch++)
            v_store(t->out + ch * PHYSAD__SPLAT_PIXELS + at, kept[ch]);
    }
}

SPLAT_INLINE void splat_tile_run(const physad__splat_tile *t, const int channels, const int middle)
{
    splat_gaussian gaussians[SPLAT_BATCH];
    uint16_t reach[SPLAT_BATCH] = { 0 };
    unsigned live = splat_live_blocks(t->transmittance);
    for (int64_t i = 0; i < t->n; i += SPLAT_BATCH) {
        const int n = splat_batch_size(t, i);
        splat_batch_fill(gaussians, t, i, n, channels);
        for (int j = 0; j < SPLAT_BATCH; j++)
            reach[j] = j < n && live ? (uint16_t)(splat_reach(gaussians + j) & live) : 0;
        memcpy(t->reach + i, reach, (size_t)n * sizeof(*reach));
        for (unsigned blocks = live; blocks != 0; blocks &= blocks - 1) {
            const int block = __builtin_ctz(blocks);
            const uint64_t who = v_column(reach, block);
            if (who == 0)
                continue;
            splat_block(t, gaussians, who, block, channels, middle);
            if (splat_is_over(t->transmittance + block * 16))
                live &= ~(1u << block);
        }
    }
}

static void SPLAT_ENTRY(tile)(const physad__splat_tile *t)
{
    if (t->channels == 3)
        splat_tile_run(t, 3, 0);
    else if (t->channels == 4 && t->middle)
        splat_tile_run(t, 4, 1);
    else if (t->channels == 4)
        splat_tile_run(t, 4, 0);
    else
        splat_tile_run(t, t->channels, t->middle);
}

/* --- backward: Gaussian after Gaussian, whose sums stay in registers --- */

/* out[k] = the sum of sums[k]'s lanes. */
SPLAT_INLINE void splat_sum_lanes(float *out, const V *sums, const int n)
{
    int k = 0;
#if LANES == 16
    for (; k + 8 <= n; k += 8)
        _mm256_storeu_ps(out + k, v_sum8(sums + k));
#endif
#if LANES > 1
    for (; k + 4 <= n; k += 4) {
        const __m128 ab = _mm_hadd_ps(v_quarter(sums[k]), v_quarter(sums[k + 1]));
        const __m128 cd = _mm_hadd_ps(v_quarter(sums[k + 2]), v_quarter(sums[k + 3]));
        _mm_storeu_ps(out + k, _mm_hadd_ps(ab, cd));
    }
#endif
    for (; k < n; k++)
        out[k] = v_sum(sums[k]);
}

/* One block. */
SPLAT_INLINE void splat_block_back(const physad__splat_tile *t, V *sums, const splat_gaussian *g, int block,
                                   const int channels)
{
    for (int k = 0; k < 16; k += LANES) {
        const int at = block * 16 + k;
        V transmittance = v_load(t->transmittance + at), q = v_load(t->base + at);
        splat_touch p;
        if (!splat_touch_at(&p, g, block, k, &transmittance))
            continue;
        v_store(t->transmittance + at, transmittance);
        for (int ch = 0; ch < channels; ch++) {
            const V grad = v_load(t->grads + ch * PHYSAD__SPLAT_PIXELS + at);
            q = v_fma(grad, v_set(g->feature[ch]), q);
            sums[PHYSAD__SPLAT_MOMENTS + ch] = v_fma(p.weight, grad, sums[PHYSAD__SPLAT_MOMENTS + ch]);
        }
        const V rest = v_fnma(p.weight, q, v_load(t->rest + at));
        v_store(t->rest + at, rest);
        /* by alpha, times alpha: only where it is not cut at 0.99 */
        const V by_alpha = v_fnma(rest, v_set(1) / (v_set(1) - p.alpha), p.before * q);
        const V s = v_keep(m_without(p.on, m_ge(p.raw, v_set(0.99f))), by_alpha * p.alpha), sx = s * p.dx,
                sy = s * p.dy;
        sums[0] = sums[0] + s;
        sums[1] = sums[1] + sx;
        sums[2] = sums[2] + sy;
        sums[3] = v_fma(sx, p.dx, sums[3]);
        sums[4] = v_fma(sx, p.dy, sums[4]);
        sums[5] = v_fma(sy, p.dy, sums[5]);
    }
}

/* The place of the sums of a Gaussian's pair with this tile. */
SPLAT_INLINE float *splat_pair(const physad__splat_tile *t, const physad__splat_record *r, int size)
{
    const int64_t column = t->x / PHYSAD__SPLAT_TILE - r->tile_x, row = t->y / PHYSAD__SPLAT_TILE - r->tile_y;
    return t->sums + (r->first + row * r->tiles_x + column) * size;
}

SPLAT_INLINE void splat_gaussian_back(const physad__splat_tile *t, float *place, const splat_gaussian *g,
                                      unsigned reach, const int channels)
{
    const int size = PHYSAD__SPLAT_MOMENTS + channels;
    V sums[PHYSAD__SPLAT_MOMENTS + PHYSAD__SPLAT_MAX_CHANNELS];
    for (int k = 0; k < size; k++)
        sums[k] = v_set(0);
    for (; reach != 0; reach &= reach - 1)
        splat_block_back(t, sums, g, __builtin_ctz(reach), channels);
    splat_sum_lanes(place, sums, size);
}

/* Sums of nothing for all of a batch, whose places are fetched by that; returns how many reach a block: those are put
 * into `who`. */
SPLAT_INLINE int splat_batch_clear(int *who, float **places, const physad__splat_tile *t, int64_t first, int n,
                                   int size)
{
    int count = 0;
    for (int j = 0; j < n; j++) {
        places[j] = splat_pair(t, t->records + t->list[first + j], size);
        memset(places[j], 0, (size_t)size * sizeof(float));
        who[count] = j;
        count += t->reach[first + j] != 0;
    }
    return count;
}

SPLAT_INLINE void splat_tile_back_run(const physad__splat_tile *t, const int channels)
{
    splat_gaussian gaussians[SPLAT_BATCH];
    float *places[SPLAT_BATCH];
    int who[SPLAT_BATCH];
    for (int64_t i = 0; i < t->n; i += SPLAT_BATCH) {
        const int n = splat_batch_size(t, i);
        splat_batch_fill(gaussians, t, i, n, channels);
        const int count = splat_batch_clear(who, places, t, i, n, PHYSAD__SPLAT_MOMENTS + channels);
        for (int k = 0; k < count; k++)
            splat_gaussian_back(t, places[who[k]], gaussians + who[k], t->reach[i + who[k]], channels);
    }
}

static void SPLAT_ENTRY(tile_back)(const physad__splat_tile *t)
{
    if (t->channels == 3)
        splat_tile_back_run(t, 3);
    else if (t->channels == 4)
        splat_tile_back_run(t, 4);
    else
        splat_tile_back_run(t, t->channels);
}
