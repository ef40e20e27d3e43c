/* SPDX-License-Identifier: Apache-2.0 */
/* Points to begin with where the poses bring none: the depths that photos agree on. Where a photo has no texture,
 * depths are those of what is around, and stay where all photos that see the place show its colour; else it lies far
 * away, if that is so there. */
#include "scene/scene_depths.h"
#include "scene/scene_points.h"

#include <math.h>

#define SIDE 256        /* photos are halved until they are smaller than this */
#define SIDE_BESIDE 160 /* where other points are known: a fifth of the time */
#define ALIKE 0.06f     /* of colours, mean of the three */
#define LEAST_POINTS 200
#define PLAIN_SHARE 3 /* one point in so many may have no texture */
#define FAR_SHARE 10    /* and one in so many may be far away */
#define FAR_AWAY 10

/* --- where there is no texture --- */

/* Whether those that see a place all show the colour it has here, two of them at least. */
static bool is_alike(const physad__depths *s, const physad__eye *e, int64_t i, double z)
{
    const physad_camera *c = &e->view.camera;
    const int64_t plane = physad__eye_plane(e);
    int64_t seen = 0;
    for (int64_t k = 0; k < s->count; k++) {
        const physad__eye *o = &s->eyes[k];
        const int64_t theirs = physad__eye_plane(o);
        double q[3];
        float apart = 0;
        if (o == e ||
            !physad__camera_carry(c, &o->view.camera, (double)(i % c->width) + 0.5, (double)(i / c->width) + 0.5, z, q))
            continue;
        const int64_t at = (int64_t)q[1] * o->view.camera.width + (int64_t)q[0];
        if (o->sure[at] && (double)o->depth[at] < 0.95 * q[2]) /* hidden */
            continue;
        for (int ch = 0; ch < 3; ch++)
            apart += fabsf(o->view.pixels[ch * theirs + at] - e->view.pixels[ch * plane + i]) / 3;
        if (apart > ALIKE || (o->sure[at] && q[2] < 0.95 * (double)o->depth[at]))
            return false;
        seen++;
    }
    return seen >= 2;
}

/* Depths where there is no texture: from both sides of its row, or its column, whichever is nearer. */
static double depth_around(const physad__eye *e, int64_t i)
{
    static const int64_t ways[4][2] = { { -1, 0 }, { 1, 0 }, { 0, -1 }, { 0, 1 } };
    const int64_t w = e->view.camera.width, h = e->view.camera.height;
    double sum = 0, total = 0;
    for (int k = 0; k < 4; k++) {
        int64_t x = i % w, y = i / w, steps = 0;
        for (; x >= 0 && y >= 0 && x < w && y < h && !e->sure[y * w + x]; x += ways[k][0], y += ways[k][1])
            steps++;
        if (x < 0 || y < 0 || x >= w || y >= h)
            continue;
        total += 1 / (double)steps;
        sum += 1 / ((double)steps * (double)e->depth[y * w + x]);
    }
    return total > 0 ? total / sum : 0;
}

/* --- points --- */

typedef struct found {
    float *points, *colours;
    int64_t count, most, met; /* met: how many there would be */
    physad__rng rng;
} found;

/* Each of those that are met has the same chance to stay. */
static void add_point(found *f, const physad__eye *e, int64_t i, double z)
{
    const physad_camera *c = &e->view.camera;
    const int64_t plane = physad__eye_plane(e);
    const int64_t at = f->met < f->most ? f->met : physad__rng_below(&f->rng, f->met + 1);
    double p[3];
    f->met++;
    if (at >= f->most)
        return;
    f->count = physad__max(f->count, at + 1);
    physad__camera_unproject(c, (double)(i % c->width) + 0.5, (double)(i / c->width) + 0.5, z, p);
    for (int k = 0; k < 3; k++) {
        f->points[3 * at + k] = (float)p[k];
        f->colours[3 * at + k] = e->view.pixels[k * plane + i];
    }
}

static void collect_sure(found *f, const physad__depths *s)
{
    for (int64_t k = 0; k < s->count; k++)
        for (int64_t i = 0; i < physad__eye_plane(&s->eyes[k]); i++)
            if (s->eyes[k].sure[i])
                add_point(f, &s->eyes[k], i, (double)s->eyes[k].depth[i]);
}

/* One pixel of three each way. */
static physad_status collect_plain(found *f, const physad__depths *s)
{
    for (int64_t k = 0; k < s->count; k++) {
        PHYSAD__TRY(physad__cancelled(s->ctx));
        const physad__eye *e = &s->eyes[k];
        const int64_t w = e->view.camera.width;
        for (int64_t i = 0; i < physad__eye_plane(e); i++) {
            const bool known = e->depth[i] > 0 || (e->view.missing != NULL && e->view.missing[i]);
            const double z = !known && i % w % 3 == 1 && i / w % 3 == 1 ? depth_around(e, i) : 0;
            if (z > 0 && is_alike(s, e, i, z))
                add_point(f, e, i, z);
        }
    }
    return PHYSAD_OK;
}

/* Ten times as far as cameras lie apart or see. */
static double far_of(const physad__depths *s)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < s->count; k++)
        for (int64_t i = 0; i < physad__eye_plane(&s->eyes[k]); i++)
            if (s->eyes[k].sure[i]) {
                sum += (double)s->eyes[k].depth[i];
                n++;
            }
    return FAR_AWAY * fmax(s->extent, sum / (double)physad__max(n, 1));
}

static bool is_background(const physad__eye *e, int64_t i, const float background[3])
{
    const int64_t plane = physad__eye_plane(e);
    float apart = 0;
    for (int k = 0; k < 3; k++)
        apart += fabsf(e->view.pixels[k * plane + i] - background[k]) / 3;
    return apart <= ALIKE;
}

/* Sky, and what else is known of no depth: far away, where all photos that look there show its colour, if that is not
 * what is behind everything anyhow. With nothing there, what fills it comes from faint Gaussians that grow before the
 * cameras, and hide the scene from between them. */
static physad_status collect_far(found *f, const physad__depths *s, const float background[3])
{
    const double z = far_of(s);
    for (int64_t k = 0; k < s->count; k++) {
        PHYSAD__TRY(physad__cancelled(s->ctx));
        const physad__eye *e = &s->eyes[k];
        const int64_t w = e->view.camera.width;
        for (int64_t i = 0; i < physad__eye_plane(e); i++) {
            const bool known = e->sure[i] || (e->view.missing != NULL && e->view.missing[i]);
            if (!known && i % w % 3 == 1 && i / w % 3 == 1 && !is_background(e, i, background) && is_alike(s, e, i, z))
                add_point(f, e, i, z);
        }
    }
    return PHYSAD_OK;
}

static found open_kind(const physad__depths *s, uint64_t stream)
{
    found f = { 0 };
    physad__rng_seed(&f.rng, s->ctx->seed, stream);
    return f;
}

/* Points behind those of another kind. */
static void put_behind(found *f, const found *before, int64_t most)
{
    f->points = before->points + 3 * before->count;
    f->colours = before->colours + 3 * before->count;
    f->most = most;
}

static physad_status take_points(physad__scene_views *v, int64_t *n_far, const physad__depths *s,
                                 const float background[3], int64_t most)
{
    physad__mem *mem = &s->ctx->mem;
    found far = open_kind(s, 0xfa4), plain = open_kind(s, 0x91a1), sure = open_kind(s, 0x53ee9);
    physad__free(v->points);
    physad__free(v->colours);
    v->points = physad__alloc_array(mem, 3 * most + 1, sizeof(float), "points of a scene");
    v->colours = physad__alloc_array(mem, 3 * most + 1, sizeof(float), "points of a scene");
    if (v->points == NULL || v->colours == NULL)
        return PHYSAD_ERR_NOMEM;
    put_behind(&far, &(found){ .points = v->points, .colours = v->colours }, most / FAR_SHARE);
    PHYSAD__TRY(collect_far(&far, s, background));
    put_behind(&plain, &far, (most - far.count) / PLAIN_SHARE);
    PHYSAD__TRY(collect_plain(&plain, s));
    put_behind(&sure, &plain, most - far.count - plain.count);
    collect_sure(&sure, s);
    const bool enough = sure.met >= LEAST_POINTS;
    *n_far = enough ? far.count : 0;
    v->n_points = enough ? far.count + plain.count + sure.count : 0;
    physad__log(s->ctx, PHYSAD_LOG_INFO,
                "%lld places that photos agree on, %lld without texture, %lld far away: %lld points to begin with",
                (long long)sure.met, (long long)plain.met, (long long)far.met, (long long)v->n_points);
    return PHYSAD_OK;
}

/* --- all of it --- */

physad_status physad__scene_sweep(physad__scene_views *v, int64_t *n_far, physad_context *ctx,
                                  const physad__scene_views *known, const float background[3], int64_t most,
                                  physad__call *call)
{
    physad__depths s = { .ctx = ctx, .extent = v->extent, .known = known->points, .n_known = known->n_points };
    *n_far = 0;
    physad_status status = physad__depths_open(&s, v, s.n_known > 0 ? SIDE_BESIDE : SIDE);
    if (status == PHYSAD_OK)
        status = physad__depths_find(&s, call);
    if (status == PHYSAD_OK)
        status = take_points(v, n_far, &s, background, most);
    physad__depths_close(&s);
    return status;
}
