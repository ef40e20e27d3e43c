/* SPDX-License-Identifier: Apache-2.0 */
/* From a Gaussian in space to one on the image, and back with gradients: LANES Gaussians at a time. Zwicker et al., EWA
 * splatting, 2002, with the constants of Kerbl et al., 3D Gaussian splatting, 2023. */

#define SPLAT_BLUR 0.3f
#define SPLAT_LOG2E 1.44269504f
#define SPLAT_LN2 0.693147181f

/* What both ways need of a Gaussian. */
typedef struct splat_shape {
    V view[3], inverse_z, u, w; /* u, w: x/z and y/z, held within 1.3 of the image's half angle */
    M free_u, free_w;           /* not held */
    V scale[3], q[4], inverse_q; /* q of length 1 */
    V rotation[9], axes[9];      /* of the Gaussian; its scaled axes in the camera's space, as columns */
    V flat[6];                   /* those on the image: 2 x 3 */
    V cxx, cxy, cyy;             /* covariance on the image */
    V a, b, c;                   /* its inverse */
    V opacity;
    V ray[3], inverse_ray; /* from the camera's centre, length 1 */
    M seen;
} splat_shape;

SPLAT_INLINE V splat_plane(const float *planes, int64_t stride, int plane, int64_t i)
{
    return v_load(planes + plane * stride + i);
}

/* The Gaussians behind these are fetched while these are worked on. */
SPLAT_INLINE void splat_fetch(const physad__splat_project *job, int64_t i)
{
    const physad__splat_planes *p = &job->planes;
    const int n = 3 * (job->degree + 1) * (job->degree + 1);
    if (i % PHYSAD__SPLAT_GROUP != 0 || i + 2 * PHYSAD__SPLAT_GROUP > p->stride)
        return;
    for (int k = 0; k < 3; k++) {
        __builtin_prefetch(p->xyz + k * p->stride + i + PHYSAD__SPLAT_GROUP);
        __builtin_prefetch(p->log_scale + k * p->stride + i + PHYSAD__SPLAT_GROUP);
    }
    for (int k = 0; k < 4; k++)
        __builtin_prefetch(p->quaternion + k * p->stride + i + PHYSAD__SPLAT_GROUP);
    __builtin_prefetch(p->opacity + i + PHYSAD__SPLAT_GROUP);
    for (int k = 0; k < n; k++)
        __builtin_prefetch(p->sh + k * p->stride + i + PHYSAD__SPLAT_GROUP);
}

SPLAT_INLINE void splat_rotation(V r[9], const V q[4])
{
    const V w = q[0], x = q[1], y = q[2], z = q[3];
    r[0] = 1.0f - 2.0f * (y * y + z * z);
    r[1] = 2.0f * (x * y - w * z);
    r[2] = 2.0f * (x * z + w * y);
    r[3] = 2.0f * (x * y + w * z);
    r[4] = 1.0f - 2.0f * (x * x + z * z);
    r[5] = 2.0f * (y * z - w * x);
    r[6] = 2.0f * (x * z - w * y);
    r[7] = 2.0f * (y * z + w * x);
    r[8] = 1.0f - 2.0f * (x * x + y * y);
}

SPLAT_INLINE void splat_view(splat_shape *s, const physad__splat_project *job, int64_t i)
{
    const physad__splat_camera *c = &job->camera;
    const float *planes = job->planes.xyz;
    const int64_t stride = job->planes.stride;
    V p[3];
    for (int k = 0; k < 3; k++)
        p[k] = splat_plane(planes, stride, k, i);
    for (int k = 0; k < 3; k++)
        s->view[k] = c->rotation[k * 3] * p[0] + c->rotation[k * 3 + 1] * p[1] + c->rotation[k * 3 + 2] * p[2] +
                     c->translation[k];
    s->seen = m_gt(s->view[2], v_set(c->nearest));
    s->inverse_z = v_set(1) / v_if(s->seen, s->view[2], v_set(1));
    const float most_u = 1.3f * 0.5f * (float)c->width / c->fx, most_w = 1.3f * 0.5f * (float)c->height / c->fy;
    const V u = s->view[0] * s->inverse_z, w = s->view[1] * s->inverse_z;
    s->u = v_clamp(u, v_set(-most_u), v_set(most_u));
    s->w = v_clamp(w, v_set(-most_w), v_set(most_w));
    s->free_u = m_gt(v_set(most_u), v_abs(u));
    s->free_w = m_gt(v_set(most_w), v_abs(w));
    V square = v_set(0);
    for (int k = 0; k < 3; k++) {
        s->ray[k] = p[k] - c->centre[k];
        square = square + s->ray[k] * s->ray[k];
    }
    s->inverse_ray = v_set(1) / v_sqrt(v_max(square, v_set(1e-20f)));
    for (int k = 0; k < 3; k++)
        s->ray[k] = s->ray[k] * s->inverse_ray;
}

SPLAT_INLINE void splat_shape_of(splat_shape *s, const physad__splat_project *job, int64_t i)
{
    const physad__splat_camera *c = &job->camera;
    const physad__splat_planes *planes = &job->planes;
    splat_view(s, job, i);
    V square = v_set(0);
    for (int k = 0; k < 4; k++) {
        s->q[k] = splat_plane(planes->quaternion, planes->stride, k, i);
        square = square + s->q[k] * s->q[k];
    }
    s->inverse_q = v_set(1) / v_sqrt(square);
    for (int k = 0; k < 4; k++)
        s->q[k] = s->q[k] * s->inverse_q;
    for (int k = 0; k < 3; k++)
        s->scale[k] = v_exp2(splat_plane(planes->log_scale, planes->stride, k, i) * SPLAT_LOG2E);
    splat_rotation(s->rotation, s->q);
    for (int row = 0; row < 3; row++)
        for (int k = 0; k < 3; k++)
            s->axes[row * 3 + k] =
                s->scale[k] * (c->rotation[row * 3] * s->rotation[k] + c->rotation[row * 3 + 1] * s->rotation[3 + k] +
                               c->rotation[row * 3 + 2] * s->rotation[6 + k]);
    for (int k = 0; k < 3; k++) {
        s->flat[k] = c->fx * s->inverse_z * (s->axes[k] - s->u * s->axes[6 + k]);
        s->flat[3 + k] = c->fy * s->inverse_z * (s->axes[3 + k] - s->w * s->axes[6 + k]);
    }
    const V *f = s->flat;
    s->cxx = f[0] * f[0] + f[1] * f[1] + f[2] * f[2] + SPLAT_BLUR;
    s->cxy = f[0] * f[3] + f[1] * f[4] + f[2] * f[5];
    s->cyy = f[3] * f[3] + f[4] * f[4] + f[5] * f[5] + SPLAT_BLUR;
    const V det = s->cxx * s->cyy - s->cxy * s->cxy, inverse = v_set(1) / det;
    s->a = s->cyy * inverse;
    s->b = -s->cxy * inverse;
    s->c = s->cxx * inverse;
    s->opacity = v_set(1) / (1.0f + v_exp2(splat_plane(planes->opacity, planes->stride, 0, i) * -SPLAT_LOG2E));
    s->seen = m_and(s->seen, m_gt(det, v_set(0)));
    s->seen = m_and(s->seen, m_ge(s->opacity * 255.0f, v_set(1)));
}

/* The harmonics of a direction, and their derivatives by it where `d` is not NULL. */
SPLAT_INLINE void splat_harmonics(V basis[16], V (*d)[3], const V ray[3], int degree)
{
    static const float c2[5] = { 1.0925484305920792f, -1.0925484305920792f, 0.31539156525252005f, -1.0925484305920792f,
                                 0.5462742152960396f };
    static const float c3[7] = { -0.5900435899266435f, 2.890611442640554f,  -0.4570457994644658f, 0.3731763325901154f,
                                 -0.4570457994644658f, 1.445305721320277f, -0.5900435899266435f };
    const float c1 = 0.4886025119029199f;
    const V x = ray[0], y = ray[1], z = ray[2], zero = v_set(0);
    basis[0] = v_set(0.28209479177387814f);
    if (degree > 0) {
        basis[1] = -c1 * y;
        basis[2] = c1 * z;
        basis[3] = -c1 * x;
    }
    if (degree > 1) {
        basis[4] = c2[0] * x * y;
        basis[5] = c2[1] * y * z;
        basis[6] = c2[2] * (2.0f * z * z - x * x - y * y);
        basis[7] = c2[3] * x * z;
        basis[8] = c2[4] * (x * x - y * y);
    }
    if (degree > 2) {
        basis[9] = c3[0] * y * (3.0f * x * x - y * y);
        basis[10] = c3[1] * x * y * z;
        basis[11] = c3[2] * y * (4.0f * z * z - x * x - y * y);
        basis[12] = c3[3] * z * (2.0f * z * z - 3.0f * x * x - 3.0f * y * y);
        basis[13] = c3[4] * x * (4.0f * z * z - x * x - y * y);
        basis[14] = c3[5] * z * (x * x - y * y);
        basis[15] = c3[6] * x * (x * x - 3.0f * y * y);
    }
    if (d == NULL)
        return;
    const V rows[16][3] = {
        { zero, zero, zero },
        { zero, v_set(-c1), zero },
        { zero, zero, v_set(c1) },
        { v_set(-c1), zero, zero },
        { c2[0] * y, c2[0] * x, zero },
        { zero, c2[1] * z, c2[1] * y },
        { -2.0f * c2[2] * x, -2.0f * c2[2] * y, 4.0f * c2[2] * z },
        { c2[3] * z, zero, c2[3] * x },
        { 2.0f * c2[4] * x, -2.0f * c2[4] * y, zero },
        { 6.0f * c3[0] * x * y, 3.0f * c3[0] * (x * x - y * y), zero },
        { c3[1] * y * z, c3[1] * x * z, c3[1] * x * y },
        { -2.0f * c3[2] * x * y, c3[2] * (4.0f * z * z - x * x - 3.0f * y * y), 8.0f * c3[2] * y * z },
        { -6.0f * c3[3] * x * z, -6.0f * c3[3] * y * z, c3[3] * (6.0f * z * z - 3.0f * x * x - 3.0f * y * y) },
        { c3[4] * (4.0f * z * z - 3.0f * x * x - y * y), -2.0f * c3[4] * x * y, 8.0f * c3[4] * x * z },
        { 2.0f * c3[5] * x * z, -2.0f * c3[5] * y * z, c3[5] * (x * x - y * y) },
        { 3.0f * c3[6] * (x * x - y * y), -6.0f * c3[6] * x * y, zero },
    };
    memcpy(d, rows, sizeof(rows));
}

/* Colours before they are cut at 0. */
SPLAT_INLINE void splat_colours(V colours[3], const V basis[16], const physad__splat_project *job, int64_t i)
{
    const int n = (job->degree + 1) * (job->degree + 1);
    for (int ch = 0; ch < 3; ch++)
        colours[ch] = v_set(0.5f);
    for (int k = 0; k < n; k++)
        for (int ch = 0; ch < 3; ch++)
            colours[ch] = v_fma(basis[k], splat_plane(job->planes.sh, job->planes.stride, k * 3 + ch, i), colours[ch]);
}

/* First and count of the tiles within [low, high] pixels, by the published square around the centre as well. */
static void splat_tiles(int16_t *first, int16_t *count, float centre, float reach, float radius, int32_t size)
{
    const float tiles = (float)((size + PHYSAD__SPLAT_TILE - 1) / PHYSAD__SPLAT_TILE);
    float low = __builtin_floorf((centre - radius) / PHYSAD__SPLAT_TILE);
    float high = __builtin_floorf((centre + radius + PHYSAD__SPLAT_TILE - 1) / PHYSAD__SPLAT_TILE);
    const float tight_low = __builtin_floorf((centre - reach) / PHYSAD__SPLAT_TILE);
    const float tight_high = __builtin_floorf((centre + reach) / PHYSAD__SPLAT_TILE) + 1;
    low = tight_low > low ? tight_low : low;
    high = tight_high < high ? tight_high : high;
    low = low > 0 ? low : 0;
    high = high < tiles ? high : tiles;
    const int some = high > low && !__builtin_isnan(centre); /* which would be in all */
    *first = some ? (int16_t)low : 0;
    *count = some ? (int16_t)(high - low) : 0;
}

typedef struct splat_lanes {
    float x[LANES], y[LANES], a[LANES], b[LANES], c[LANES], level[LANES], lean_x[LANES], lean_y[LANES], reach_x[LANES],
        reach_y[LANES];
    float depth[LANES], radius[LANES], opacity[LANES], colours[3][LANES];
} splat_lanes;

static void splat_records(const physad__splat_project *job, const splat_lanes *l, unsigned seen, int64_t i)
{
    for (int k = 0; k < LANES; k++) {
        physad__splat_record *r = job->records + i + k;
        memset(r, 0, sizeof(*r));
        if (!(seen >> k & 1))
            continue;
        r->x = l->x[k];
        r->y = l->y[k];
        r->a = l->a[k];
        r->b = l->b[k];
        r->c = l->c[k];
        r->level = l->level[k];
        r->lean_x = l->lean_x[k];
        r->lean_y = l->lean_y[k];
        r->reach_x = l->reach_x[k];
        r->reach_y = l->reach_y[k];
        r->depth = l->depth[k];
        r->radius = l->radius[k];
        r->opacity = l->opacity[k];
        splat_tiles(&r->tile_x, &r->tiles_x, r->x, r->reach_x, r->radius, job->camera.width);
        splat_tiles(&r->tile_y, &r->tiles_y, r->y, r->reach_y, r->radius, job->camera.height);
        if (r->tiles_x == 0 || r->tiles_y == 0)
            r->tiles_x = r->tiles_y = 0;
        float *feature = job->features + (i + k) * job->channels;
        for (int ch = 0; ch < 3; ch++)
            feature[ch] = l->colours[ch][k];
        if (job->with_depth)
            feature[3] = r->depth;
    }
}

static void splat_project_some(const physad__splat_project *job, int64_t i)
{
    const physad__splat_camera *c = &job->camera;
    splat_lanes l;
    splat_shape s;
    V basis[16], colours[3];
    splat_fetch(job, i);
    splat_shape_of(&s, job, i);
    if (!m_any(s.seen)) {
        memset(job->records + i, 0, LANES * sizeof(*job->records));
        return;
    }
    splat_harmonics(basis, NULL, s.ray, job->degree);
    splat_colours(colours, basis, job, i);
    for (int ch = 0; ch < 3; ch++)
        v_store(l.colours[ch], v_max(colours[ch], v_set(0)));
    const V level = v_log2(v_max(s.opacity, v_set(1e-6f)));
    const V reach = 2.0f * SPLAT_LN2 * (level + 7.995f); /* twice log(255 opacity), and a little */
    const V mid = 0.5f * (s.cxx + s.cyy), det = s.cxx * s.cyy - s.cxy * s.cxy;
    const V largest = mid + v_sqrt(v_max(mid * mid - det, v_set(0.1f)));
    v_store(l.x, c->fx * s.view[0] * s.inverse_z + (c->cx - 0.5f));
    v_store(l.y, c->fy * s.view[1] * s.inverse_z + (c->cy - 0.5f));
    v_store(l.a, -0.5f * SPLAT_LOG2E * s.a);
    v_store(l.b, -SPLAT_LOG2E * s.b);
    v_store(l.c, -0.5f * SPLAT_LOG2E * s.c);
    v_store(l.level, level);
    v_store(l.lean_x, -s.b / s.a);
    v_store(l.lean_y, -s.b / s.c);
    v_store(l.reach_x, v_sqrt(v_max(reach * s.cxx, v_set(0))) * 1.0001f + 0.01f);
    v_store(l.reach_y, v_sqrt(v_max(reach * s.cyy, v_set(0))) * 1.0001f + 0.01f);
    v_store(l.depth, s.view[2]);
    v_store(l.radius, v_ceil(3.0f * v_sqrt(largest)));
    v_store(l.opacity, s.opacity);
    splat_records(job, &l, m_bits(s.seen), i);
}

static void SPLAT_ENTRY(project)(const physad__splat_project *job, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i += LANES)
        splat_project_some(job, i);
}

/* --- back --- */

/* Gradients by what the pixels see of a Gaussian; LANES of them. */
typedef struct splat_pixel_grads {
    V moments[PHYSAD__SPLAT_MOMENTS], colours[3], depth;
} splat_pixel_grads;

enum { SPLAT_SUMS = 16 }; /* at least a pair's, with depth and no further channel */

/* One Gaussian's pairs, in the order of its tiles. */
SPLAT_INLINE void splat_gather_one(float out[SPLAT_SUMS], const float *sums, int64_t pairs, int64_t size,
                                   const int wanted)
{
    float own[SPLAT_SUMS] = { 0 };
    for (int64_t pair = 0; pair < pairs; pair++, sums += size)
        for (int j = 0; j < wanted; j++)
            own[j] += sums[j];
    memcpy(out, own, sizeof(own));
}

/* Sums up each Gaussian's pairs. */
static unsigned splat_gather(splat_pixel_grads *out, const physad__splat_project *job,
                             const physad__splat_project_back *back, int64_t i)
{
    enum { COLOUR = PHYSAD__SPLAT_MOMENTS, DEPTH = COLOUR + 3 };
    float rows[LANES][SPLAT_SUMS], lanes[DEPTH + 1][LANES];
    const int size = PHYSAD__SPLAT_MOMENTS + job->channels;
    unsigned seen = 0;
    for (int k = 0; k < LANES; k++) {
        const physad__splat_record *r = job->records + i + k;
        const int64_t n = (int64_t)r->tiles_x * r->tiles_y;
        const float *sums = back->sums + (int64_t)r->first * size;
        seen |= n > 0 ? 1u << k : 0;
        if (job->with_depth)
            splat_gather_one(rows[k], sums, n, size, DEPTH + 1);
        else
            splat_gather_one(rows[k], sums, n, size, DEPTH);
    }
    for (int k = 0; k < LANES; k++)
        for (int j = 0; j <= DEPTH; j++)
            lanes[j][k] = rows[k][j];
    for (int j = 0; j < PHYSAD__SPLAT_MOMENTS; j++)
        out->moments[j] = v_load(lanes[j]);
    for (int j = 0; j < 3; j++)
        out->colours[j] = v_load(lanes[COLOUR + j]);
    out->depth = v_load(lanes[DEPTH]);
    return seen;
}

/* Number i of the gradients' plane. */
SPLAT_INLINE void splat_put(float *planes, const physad__splat_project_back *back, int plane, int64_t i, V value)
{
    v_store(planes + plane * back->grads.stride + (i - back->first), value);
}

/* Colour to harmonics and the ray; by_ray is the gradient by the Gaussian's place through its ray. */
static void splat_colour_back(V by_place[3], const splat_shape *s, const splat_pixel_grads *g,
                              const physad__splat_project *job, const physad__splat_project_back *back, int64_t i,
                              M seen)
{
    const int n = (job->degree + 1) * (job->degree + 1);
    V basis[16], slopes[16][3], colours[3], grads[3], by_ray[3] = { v_set(0), v_set(0), v_set(0) };
    splat_harmonics(basis, job->degree > 0 ? slopes : NULL, s->ray, job->degree);
    splat_colours(colours, basis, job, i);
    for (int ch = 0; ch < 3; ch++)
        grads[ch] = v_keep(m_and(seen, m_gt(colours[ch], v_set(0))), g->colours[ch]);
    for (int k = 0; k < n; k++) {
        V along = v_set(0);
        for (int ch = 0; ch < 3; ch++) {
            splat_put(back->grads.sh, back, k * 3 + ch, i, grads[ch] * basis[k]);
            along = v_fma(grads[ch], splat_plane(job->planes.sh, job->planes.stride, k * 3 + ch, i), along);
        }
        for (int axis = 0; k > 0 && axis < 3; axis++)
            by_ray[axis] = v_fma(along, slopes[k][axis], by_ray[axis]);
    }
    const V radial = by_ray[0] * s->ray[0] + by_ray[1] * s->ray[1] + by_ray[2] * s->ray[2];
    for (int axis = 0; axis < 3; axis++)
        by_place[axis] = v_keep(seen, (by_ray[axis] - radial * s->ray[axis]) * s->inverse_ray);
}

/* Rotation matrix to quaternion before it was made of length 1. */
SPLAT_INLINE void splat_rotation_back(V out[4], const V d[9], const splat_shape *s)
{
    const V w = s->q[0], x = s->q[1], y = s->q[2], z = s->q[3];
    V g[4];
    g[0] = 2.0f * (z * (d[3] - d[1]) + y * (d[2] - d[6]) + x * (d[7] - d[5]));
    g[1] = 2.0f * (y * (d[1] + d[3]) + z * (d[2] + d[6]) + w * (d[7] - d[5])) - 4.0f * x * (d[4] + d[8]);
    g[2] = 2.0f * (x * (d[1] + d[3]) + z * (d[5] + d[7]) + w * (d[2] - d[6])) - 4.0f * y * (d[0] + d[8]);
    g[3] = 2.0f * (x * (d[2] + d[6]) + y * (d[5] + d[7]) + w * (d[3] - d[1])) - 4.0f * z * (d[0] + d[4]);
    const V radial = g[0] * w + g[1] * x + g[2] * y + g[3] * z;
    for (int k = 0; k < 4; k++)
        out[k] = (g[k] - radial * s->q[k]) * s->inverse_q;
}

/* Covariance on the image to scale, rotation, view; adds to by_view and by_turn. */
static void splat_shape_back(V by_view[3], V by_turn[3], const splat_shape *s, const splat_pixel_grads *g,
                             const physad__splat_project *job, const physad__splat_project_back *back, int64_t i,
                             M seen)
{
    const physad__splat_camera *c = &job->camera;
    /* by the inverse [a b; b c], then -inverse * that * inverse */
    const V g1 = -0.5f * g->moments[3], g2 = -0.5f * g->moments[4], g3 = -0.5f * g->moments[5];
    const V k11 = s->a * g1 + s->b * g2, k12 = s->a * g2 + s->b * g3, k21 = s->b * g1 + s->c * g2,
            k22 = s->b * g2 + s->c * g3;
    const V hxx = -(k11 * s->a + k12 * s->b), hxy = -(k11 * s->b + k12 * s->c), hyy = -(k21 * s->b + k22 * s->c);
    V flat[6], axes[9], turn[9], by_q[4], by_rotation[9];
    for (int k = 0; k < 3; k++) {
        flat[k] = 2.0f * (hxx * s->flat[k] + hxy * s->flat[3 + k]);
        flat[3 + k] = 2.0f * (hxy * s->flat[k] + hyy * s->flat[3 + k]);
    }
    /* flat = (f / z) (axes - u * axes of z) */
    const V x = c->fx * s->inverse_z, y = c->fy * s->inverse_z;
    V by_u = v_set(0), by_w = v_set(0), by_x = v_set(0), by_y = v_set(0);
    for (int k = 0; k < 3; k++) {
        axes[k] = x * flat[k];
        axes[3 + k] = y * flat[3 + k];
        axes[6 + k] = -(s->u * axes[k] + s->w * axes[3 + k]);
        by_u = by_u - axes[k] * s->axes[6 + k];
        by_w = by_w - axes[3 + k] * s->axes[6 + k];
        by_x = by_x + flat[k] * s->flat[k];
        by_y = by_y + flat[3 + k] * s->flat[3 + k];
    }
    by_u = v_keep(s->free_u, by_u);
    by_w = v_keep(s->free_w, by_w);
    by_view[0] = by_view[0] + by_u * s->inverse_z;
    by_view[1] = by_view[1] + by_w * s->inverse_z;
    by_view[2] = by_view[2] - (by_x + by_y + by_u * s->u + by_w * s->w) * s->inverse_z;
    for (int row = 0; row < 3; row++)
        for (int k = 0; k < 3; k++)
            turn[row * 3 + k] = axes[row * 3] * s->axes[k * 3] + axes[row * 3 + 1] * s->axes[k * 3 + 1] +
                                axes[row * 3 + 2] * s->axes[k * 3 + 2];
    by_turn[0] = by_turn[0] + turn[7] - turn[5];
    by_turn[1] = by_turn[1] + turn[2] - turn[6];
    by_turn[2] = by_turn[2] + turn[3] - turn[1];
    for (int k = 0; k < 3; k++) {
        V sum = v_set(0);
        for (int row = 0; row < 3; row++) {
            by_rotation[row * 3 + k] = s->scale[k] * (c->rotation[row] * axes[k] + c->rotation[3 + row] * axes[3 + k] +
                                                      c->rotation[6 + row] * axes[6 + k]);
            sum = sum + axes[row * 3 + k] * s->axes[row * 3 + k];
        }
        splat_put(back->grads.log_scale, back, k, i, v_keep(seen, sum));
    }
    splat_rotation_back(by_q, by_rotation, s);
    for (int k = 0; k < 4; k++)
        splat_put(back->grads.quaternion, back, k, i, v_keep(seen, by_q[k]));
}

static void splat_nothing_back(const physad__splat_project *job, physad__splat_project_back *back, int64_t i)
{
    const int n = 3 * (job->degree + 1) * (job->degree + 1);
    const V zero = v_set(0);
    for (int k = 0; k < 3; k++) {
        splat_put(back->grads.xyz, back, k, i, zero);
        splat_put(back->grads.log_scale, back, k, i, zero);
    }
    for (int k = 0; k < 4; k++)
        splat_put(back->grads.quaternion, back, k, i, zero);
    splat_put(back->grads.opacity, back, 0, i, zero);
    for (int k = 0; k < n; k++)
        splat_put(back->grads.sh, back, k, i, zero);
    if (back->screen != NULL)
        v_store(back->screen + (i - back->first), zero);
}

static void splat_project_back_some(const physad__splat_project *job, physad__splat_project_back *back, int64_t i)
{
    const physad__splat_camera *c = &job->camera;
    const float *rotation = c->rotation;
    splat_shape s;
    splat_pixel_grads g;
    splat_fetch(job, i);
    const unsigned bits = splat_gather(&g, job, back, i);
    if (bits == 0) {
        splat_nothing_back(job, back, i);
        return;
    }
    splat_shape_of(&s, job, i);
    const M seen = s.seen; /* those outside the image have sums of 0 */
    V by_ray[3], by_view[3], by_turn[3] = { v_set(0), v_set(0), v_set(0) };
    const V by_x = s.a * g.moments[1] + s.b * g.moments[2], by_y = s.b * g.moments[1] + s.c * g.moments[2];
    const V x = c->fx * s.inverse_z, y = c->fy * s.inverse_z;
    by_view[0] = x * by_x;
    by_view[1] = y * by_y;
    by_view[2] = g.depth - (by_view[0] * s.view[0] + by_view[1] * s.view[1]) * s.inverse_z;
    splat_shape_back(by_view, by_turn, &s, &g, job, back, i, seen);
    splat_colour_back(by_ray, &s, &g, job, back, i, seen);
    for (int k = 0; k < 3; k++)
        by_view[k] = v_keep(seen, by_view[k]);
    for (int k = 0; k < 3; k++)
        splat_put(back->grads.xyz, back, k, i,
                  rotation[k] * by_view[0] + rotation[3 + k] * by_view[1] + rotation[6 + k] * by_view[2] + by_ray[k]);
    splat_put(back->grads.opacity, back, 0, i, v_keep(seen, g.moments[0] * (1.0f - s.opacity)));
    if (back->screen != NULL) {
        const V sx = by_x * (0.5f * (float)c->width), sy = by_y * (0.5f * (float)c->height);
        v_store(back->screen + (i - back->first), v_keep(seen, v_sqrt(sx * sx + sy * sy)));
    }
    /* The camera's own motion: through places and axes; a shift moves its centre, and with it every ray. */
    const V turn[3] = { s.view[1] * by_view[2] - s.view[2] * by_view[1],
                        s.view[2] * by_view[0] - s.view[0] * by_view[2],
                        s.view[0] * by_view[1] - s.view[1] * by_view[0] };
    for (int k = 0; k < 3; k++) {
        const V shift = by_view[k] + rotation[k * 3] * by_ray[0] + rotation[k * 3 + 1] * by_ray[1] +
                        rotation[k * 3 + 2] * by_ray[2];
        back->pose[k] += (double)v_sum(v_keep(seen, shift));
        back->pose[3 + k] += (double)v_sum(v_keep(seen, turn[k] + by_turn[k]));
    }
}

static void SPLAT_ENTRY(project_back)(const physad__splat_project *job, physad__splat_project_back *back, int64_t begin,
                                      int64_t end)
{
    for (int64_t i = begin; i < end; i += LANES)
        splat_project_back_some(job, back, i);
}
