/* SPDX-License-Identifier: Apache-2.0 */
/* The pixels of a tile, Gaussian after Gaussian, near to far, a block of 4 x 4 pixels (or a part of it) at a time. Backward goes
 * the same way again: with what lies behind known from the start (rest), each step takes its share away. */

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

/* Blocks of the tile that a Gaussian may reach. */
typedef struct splat_blocks {
    int x0, x1, y0, y1; /* ends included */
} splat_blocks;

SPLAT_INLINE splat_blocks splat_reach(const physad__splat_record *r, float x, float y)
{
    const float left = (x - r->reach_x) * 0.25f, right = (x + r->reach_x) * 0.25f;
    const float top = (y - r->reach_y) * 0.25f, bottom = (y + r->reach_y) * 0.25f;
    const splat_blocks b = { left > 0 ? left < 4 ? (int)left : 4 : 0, right < 4 ? right >= 0 ? (int)right : -1 : 3,
                             top > 0 ? top < 4 ? (int)top : 4 : 0, bottom < 4 ? bottom >= 0 ? (int)bottom : -1 : 3 };
    return b;
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

/* A Gaussian as seen from a tile. */
typedef struct splat_gaussian {
    float x, y; /* of the centre, from the tile's first pixel */
    V a, b, c, level;
    const float *feature;
} splat_gaussian;

SPLAT_INLINE splat_gaussian splat_gaussian_of(const physad__splat_tile *t, int64_t g, const int channels)
{
    const physad__splat_record *r = t->records + g;
    const splat_gaussian out = { r->x - (float)t->x, r->y - (float)t->y, v_set(r->a), v_set(r->b), v_set(r->c), v_set(r->level),
                                 t->features + g * channels };
    return out;
}

/* What a Gaussian does to LANES pixels. */
typedef struct splat_touch {
    V dx, dy, raw, alpha, before, weight; /* before: the transmittance; weight is 0 where it adds nothing */
    M on, off;                            /* adds; would pass the end and stops the pixel */
} splat_touch;

/* False where alpha is below 1/255 in all of them; else the transmittance has been taken on. */
SPLAT_INLINE int splat_touch_at(splat_touch *p, const splat_gaussian *g, int bx, int by, int k, float *transmittance)
{
    p->dx = v_load(splat_offsets_x[bx] + k) - g->x;
    p->dy = v_load(splat_offsets_y[by] + k) - g->y;
    const V e = v_fma(v_fma(g->a, p->dx, g->b * p->dy), p->dx, v_fma(g->c * p->dy, p->dy, g->level));
    const M near = m_ge(e, v_set(SPLAT_LEAST));
    if (!m_any(near))
        return 0;
    p->raw = v_exp2(e);
    p->alpha = v_min(p->raw, v_set(0.99f));
    p->before = v_load(transmittance);
    const V after = v_fnma(p->alpha, p->before, p->before);
    p->on = m_and(near, m_ge(after, v_set(SPLAT_STOP)));
    p->off = m_without(near, p->on);
    p->weight = v_keep(p->on, p->alpha * p->before);
    v_store(transmittance, v_if(p->on, after, v_if(p->off, -v_abs(p->before), p->before)));
    return 1;
}

/* One block; whether a pixel of it stopped. */
SPLAT_INLINE int splat_block(const physad__splat_tile *t, const splat_gaussian *g, int bx, int by, const int channels)
{
    int stopped = 0;
    for (int k = 0; k < 16; k += LANES) {
        const int at = (by * 4 + bx) * 16 + k;
        splat_touch p;
        if (!splat_touch_at(&p, g, bx, by, k, t->transmittance + at))
            continue;
        stopped |= m_any(p.off);
        for (int ch = 0; ch < channels; ch++) {
            float *out = t->out + ch * PHYSAD__SPLAT_PIXELS + at;
            v_store(out, v_fma(p.weight, v_set(g->feature[ch]), v_load(out)));
        }
    }
    return stopped;
}

SPLAT_INLINE void splat_tile_run(const physad__splat_tile *t, const int channels)
{
    unsigned live = splat_live_blocks(t->transmittance);
    for (int64_t i = 0; i < t->n && live; i++) {
        const splat_gaussian g = splat_gaussian_of(t, t->list[i], channels);
        const splat_blocks reach = splat_reach(t->records + t->list[i], g.x, g.y);
        for (int by = reach.y0; by <= reach.y1; by++)
            for (int bx = reach.x0; bx <= reach.x1; bx++) {
                const unsigned bit = 1u << (by * 4 + bx);
                if ((live & bit) && splat_block(t, &g, bx, by, channels) && splat_is_over(t->transmittance + (by * 4 + bx) * 16))
                    live &= ~bit;
            }
    }
}

static void SPLAT_ENTRY(tile)(const physad__splat_tile *t)
{
    if (t->channels == 3)
        splat_tile_run(t, 3);
    else if (t->channels == 4)
        splat_tile_run(t, 4);
    else
        splat_tile_run(t, t->channels);
}

/* out[k] = the sum of sums[k]'s lanes. */
SPLAT_INLINE void splat_sum_lanes(float *out, const V *sums, const int n)
{
    int k = 0;
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

/* One block; whether a pixel of it stopped. */
SPLAT_INLINE int splat_block_back(const physad__splat_tile *t, V *sums, const splat_gaussian *g, int bx, int by, const int channels)
{
    int stopped = 0;
    for (int k = 0; k < 16; k += LANES) {
        const int at = (by * 4 + bx) * 16 + k;
        splat_touch p;
        if (!splat_touch_at(&p, g, bx, by, k, t->transmittance + at))
            continue;
        stopped |= m_any(p.off);
        V q = v_load(t->base + at);
        for (int ch = 0; ch < channels; ch++) {
            const V grad = v_load(t->grads + ch * PHYSAD__SPLAT_PIXELS + at);
            q = v_fma(grad, v_set(g->feature[ch]), q);
            sums[PHYSAD__SPLAT_MOMENTS + ch] = v_fma(p.weight, grad, sums[PHYSAD__SPLAT_MOMENTS + ch]);
        }
        const V rest = v_fnma(p.weight, q, v_load(t->rest + at));
        v_store(t->rest + at, rest);
        /* by alpha, times alpha: only where it is not cut at 0.99 */
        const V by_alpha = v_fnma(rest, v_set(1) / (v_set(1) - p.alpha), p.before * q);
        const V s = v_keep(m_without(p.on, m_ge(p.raw, v_set(0.99f))), by_alpha * p.alpha), sx = s * p.dx, sy = s * p.dy;
        sums[0] = sums[0] + s;
        sums[1] = sums[1] + sx;
        sums[2] = sums[2] + sy;
        sums[3] = v_fma(sx, p.dx, sums[3]);
        sums[4] = v_fma(sx, p.dy, sums[4]);
        sums[5] = v_fma(sy, p.dy, sums[5]);
    }
    return stopped;
}

/* The place of the sums of a Gaussian's pair with this tile. */
SPLAT_INLINE float *splat_pair(const physad__splat_tile *t, const physad__splat_record *r, int size)
{
    const int64_t column = t->x / PHYSAD__SPLAT_TILE - r->tile_x, row = t->y / PHYSAD__SPLAT_TILE - r->tile_y;
    return t->sums + (r->first + row * r->tiles_x + column) * size;
}

SPLAT_INLINE void splat_tile_back_run(const physad__splat_tile *t, const int channels)
{
    const int size = PHYSAD__SPLAT_MOMENTS + channels;
    unsigned live = splat_live_blocks(t->transmittance);
    for (int64_t i = 0; i < t->n; i++) {
        float *const place = splat_pair(t, t->records + t->list[i], size);
        const splat_gaussian g = splat_gaussian_of(t, t->list[i], channels);
        const splat_blocks reach = splat_reach(t->records + t->list[i], g.x, g.y);
        V sums[PHYSAD__SPLAT_MOMENTS + PHYSAD__SPLAT_MAX_CHANNELS];
        for (int k = 0; k < size; k++)
            sums[k] = v_set(0);
        for (int by = reach.y0; by <= reach.y1 && live; by++)
            for (int bx = reach.x0; bx <= reach.x1; bx++) {
                const unsigned bit = 1u << (by * 4 + bx);
                if ((live & bit) && splat_block_back(t, sums, &g, bx, by, channels) &&
                    splat_is_over(t->transmittance + (by * 4 + bx) * 16))
                    live &= ~bit;
            }
        splat_sum_lanes(place, sums, size);
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
