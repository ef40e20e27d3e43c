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

SPLAT_INLINE void splat_tile_run(const physad__splat_tile *t, const int channels)
{
    float *const transmittance = t->transmittance;
    unsigned live = splat_live_blocks(transmittance);
    for (int64_t i = 0; i < t->n && live; i++) {
        const int64_t g = t->list[i];
        const physad__splat_record *r = t->records + g;
        const float *feature = t->features + g * channels;
        const float x = r->x - (float)t->x, y = r->y - (float)t->y;
        const splat_blocks reach = splat_reach(r, x, y);
        const V a = v_set(r->a), b = v_set(r->b), c = v_set(r->c), level = v_set(r->level);
        for (int by = reach.y0; by <= reach.y1; by++)
            for (int bx = reach.x0; bx <= reach.x1; bx++) {
                const int block = by * 4 + bx;
                if (!(live >> block & 1))
                    continue;
                int stopped = 0;
                for (int k = 0; k < 16; k += LANES) {
                    const V dx = v_load(splat_offsets_x[bx] + k) - x, dy = v_load(splat_offsets_y[by] + k) - y;
                    const V e = v_fma(v_fma(a, dx, b * dy), dx, v_fma(c * dy, dy, level));
                    const M near = m_ge(e, v_set(SPLAT_LEAST));
                    if (!m_any(near))
                        continue;
                    float *const at = transmittance + block * 16 + k;
                    const V alpha = v_min(v_exp2(e), v_set(0.99f)), before = v_load(at), after = v_fnma(alpha, before, before);
                    const M on = m_and(near, m_ge(after, v_set(SPLAT_STOP))), off = m_without(near, on);
                    const V weight = v_keep(on, alpha * before);
                    v_store(at, v_if(on, after, v_if(off, -v_abs(before), before)));
                    stopped |= m_any(off);
                    float *out = t->out + block * 16 + k;
                    for (int ch = 0; ch < channels; ch++, out += PHYSAD__SPLAT_PIXELS)
                        v_store(out, v_fma(weight, v_set(feature[ch]), v_load(out)));
                }
                if (stopped && splat_is_over(transmittance + block * 16))
                    live &= ~(1u << block);
            }
    }
}

static void splat_tile(const physad__splat_tile *t)
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

SPLAT_INLINE void splat_tile_back_run(const physad__splat_tile *t, const int channels)
{
    const int size = PHYSAD__SPLAT_MOMENTS + channels;
    float *const transmittance = t->transmittance;
    unsigned live = splat_live_blocks(transmittance);
    for (int64_t i = 0; i < t->n; i++) {
        const int64_t g = t->list[i];
        const physad__splat_record *r = t->records + g;
        const int64_t column = t->x / PHYSAD__SPLAT_TILE - r->tile_x, row = t->y / PHYSAD__SPLAT_TILE - r->tile_y;
        float *const place = t->sums + (r->first + row * r->tiles_x + column) * size;
        if (!live) {
            memset(place, 0, (size_t)size * sizeof(float));
            continue;
        }
        const float *feature = t->features + g * channels;
        const float x = r->x - (float)t->x, y = r->y - (float)t->y;
        const splat_blocks reach = splat_reach(r, x, y);
        const V a = v_set(r->a), b = v_set(r->b), c = v_set(r->c), level = v_set(r->level);
        V sums[PHYSAD__SPLAT_MOMENTS + PHYSAD__SPLAT_MAX_CHANNELS];
        for (int k = 0; k < size; k++)
            sums[k] = v_set(0);
        for (int by = reach.y0; by <= reach.y1; by++)
            for (int bx = reach.x0; bx <= reach.x1; bx++) {
                const int block = by * 4 + bx;
                if (!(live >> block & 1))
                    continue;
                int stopped = 0;
                for (int k = 0; k < 16; k += LANES) {
                    const V dx = v_load(splat_offsets_x[bx] + k) - x, dy = v_load(splat_offsets_y[by] + k) - y;
                    const V e = v_fma(v_fma(a, dx, b * dy), dx, v_fma(c * dy, dy, level));
                    const M near = m_ge(e, v_set(SPLAT_LEAST));
                    if (!m_any(near))
                        continue;
                    const int at = block * 16 + k;
                    const V raw = v_exp2(e), alpha = v_min(raw, v_set(0.99f));
                    const V before = v_load(transmittance + at), after = v_fnma(alpha, before, before);
                    const M on = m_and(near, m_ge(after, v_set(SPLAT_STOP))), off = m_without(near, on);
                    const V weight = v_keep(on, alpha * before);
                    v_store(transmittance + at, v_if(on, after, v_if(off, -v_abs(before), before)));
                    stopped |= m_any(off);
                    V q = v_load(t->base + at);
                    for (int ch = 0; ch < channels; ch++) {
                        const V grad = v_load(t->grads + ch * PHYSAD__SPLAT_PIXELS + at);
                        q = v_fma(grad, v_set(feature[ch]), q);
                        sums[PHYSAD__SPLAT_MOMENTS + ch] = v_fma(weight, grad, sums[PHYSAD__SPLAT_MOMENTS + ch]);
                    }
                    const V rest = v_fnma(weight, q, v_load(t->rest + at));
                    v_store(t->rest + at, rest);
                    /* by alpha, times alpha: only where it is not cut at 0.99 */
                    const V by_alpha = v_fnma(rest, v_set(1) / (v_set(1) - alpha), before * q);
                    const V s = v_keep(m_without(on, m_ge(raw, v_set(0.99f))), by_alpha * alpha);
                    const V sx = s * dx, sy = s * dy;
                    sums[0] = sums[0] + s;
                    sums[1] = sums[1] + sx;
                    sums[2] = sums[2] + sy;
                    sums[3] = v_fma(sx, dx, sums[3]);
                    sums[4] = v_fma(sx, dy, sums[4]);
                    sums[5] = v_fma(sy, dy, sums[5]);
                }
                if (stopped && splat_is_over(transmittance + block * 16))
                    live &= ~(1u << block);
            }
        splat_sum_lanes(place, sums, size);
    }
}

static void splat_tile_back(const physad__splat_tile *t)
{
    if (t->channels == 3)
        splat_tile_back_run(t, 3);
    else if (t->channels == 4)
        splat_tile_back_run(t, 4);
    else
        splat_tile_back_run(t, t->channels);
}
