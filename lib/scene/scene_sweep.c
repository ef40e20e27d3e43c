/* SPDX-License-Identifier: Apache-2.0 */
/* Points to begin with where the poses bring none: the depths that photos agree on. Where a photo has no texture,
 * depths are those of what is around, and stay where all photos that see the place show its colour. */
#include "scene/scene_depths.h"
#include "scene/scene_points.h"

#include <math.h>

#define SIDE 256        /* photos are halved until they are smaller than this */
#define SIDE_BESIDE 160 /* where other points are known: a fifth of the time */
#define ALIKE 0.06f /* of colours, mean of the three */
#define LEAST_POINTS 200
#define PLAIN_SHARE 3 /* one point in so many may have no texture */

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

static physad_status take_points(physad__scene_views *v, const physad__depths *s, int64_t most)
{
    physad__mem *mem = &s->ctx->mem;
    found plain = { .most = most / PLAIN_SHARE }, sure = { 0 };
    physad__free(v->points);
    physad__free(v->colours);
    v->points = physad__alloc_array(mem, 3 * most + 1, sizeof(float), "points of a scene");
    v->colours = physad__alloc_array(mem, 3 * most + 1, sizeof(float), "points of a scene");
    if (v->points == NULL || v->colours == NULL)
        return PHYSAD_ERR_NOMEM;
    plain.points = v->points;
    plain.colours = v->colours;
    physad__rng_seed(&plain.rng, s->ctx->seed, 0x91a1);
    PHYSAD__TRY(collect_plain(&plain, s));
    sure.points = v->points + 3 * plain.count;
    sure.colours = v->colours + 3 * plain.count;
    sure.most = most - plain.count;
    physad__rng_seed(&sure.rng, s->ctx->seed, 0x53ee9);
    collect_sure(&sure, s);
    v->n_points = sure.met >= LEAST_POINTS ? plain.count + sure.count : 0;
    physad__log(s->ctx, PHYSAD_LOG_INFO,
                "%lld places that photos agree on, %lld without texture: %lld points to begin with",
                (long long)sure.met, (long long)plain.met, (long long)v->n_points);
    return PHYSAD_OK;
}

/* --- all of it --- */

physad_status physad__scene_sweep(physad__scene_views *v, physad_context *ctx, const physad__scene_views *known,
                                  int64_t most, physad__call *call)
{
    physad__depths s = { .ctx = ctx, .extent = v->extent, .known = known->points, .n_known = known->n_points };
    physad_status status = physad__depths_open(&s, v, s.n_known > 0 ? SIDE_BESIDE : SIDE);
    if (status == PHYSAD_OK)
        status = physad__depths_find(&s, call);
    if (status == PHYSAD_OK)
        status = take_points(v, &s, most);
    physad__depths_close(&s);
    return status;
}
