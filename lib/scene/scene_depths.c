/* SPDX-License-Identifier: Apache-2.0 */
/* Depths that photos show without any points: each photo is compared with its neighbours plane by plane (Collins, A
 * space-sweep approach to true multi-image matching, 1996), by correlation of small windows, so that neither exposure
 * nor a pixel's noise counts. A depth is sure where other photos found the same place from their side. */
#include "scene/scene_depths.h"

#include <math.h>
#include <stdlib.h>

#define REACH 3  /* of windows, pixels */
#define LEAST_PLANES 32
#define MOST_PLANES 128
#define LEAST_SPREAD 0.012f /* of a window's grey: less is no texture */
#define LEAST_LIKENESS 0.7f
#define SAME 1.5     /* planes that two photos' depths of a place may differ by */
#define NEAREST 1e-3 /* and FARTHEST: times the cameras' extent, where the search for the nearest plane begins */
#define FARTHEST 1e3
#define LEAST_KNOWN 50    /* points in a photo that tell how far it reaches */
#define MOST_KNOWN 20000 /* that are asked, evenly among all: more tell the same */

int64_t physad__eye_plane(const physad__eye *e)
{
    return e->view.camera.width * e->view.camera.height;
}

/* --- photos --- */

void physad__depths_close(physad__depths *s)
{
    for (int64_t i = 0; s->eyes != NULL && i < s->count; i++) {
        physad__eye *e = &s->eyes[i];
        if (!e->whole)
            physad__scene_view_clear(&e->view);
        physad__free(e->grey);
        physad__free(e->sure);
    }
    physad__free(s->eyes);
    physad__free(s->order);
    physad__free(s->reached);
}

/* Means over windows; borders repeat. */
static void box(float *out, const float *in, float *room, int64_t height, int64_t width)
{
    const float share = 1.0f / ((2 * REACH + 1) * (2 * REACH + 1));
    for (int64_t y = 0; y < height; y++) {
        const float *row = in + y * width;
        float sum = 0;
        for (int64_t k = -REACH; k <= REACH; k++)
            sum += row[physad__min(physad__max(k, 0), width - 1)];
        for (int64_t x = 0; x < width; x++) {
            room[y * width + x] = sum;
            sum += row[physad__min(x + REACH + 1, width - 1)] - row[physad__max(x - REACH, 0)];
        }
    }
    for (int64_t y = 0; y < height; y++) {
        float *to = out + y * width;
        memset(to, 0, (size_t)width * sizeof(float));
        for (int64_t k = -REACH; k <= REACH; k++) {
            const float *row = room + physad__min(physad__max(y + k, 0), height - 1) * width;
            for (int64_t x = 0; x < width; x++)
                to[x] += row[x];
        }
        for (int64_t x = 0; x < width; x++)
            to[x] *= share;
    }
}

static physad_status halve_photo(physad__eye *e, physad__mem *mem, const physad__scene_view *photo, int64_t side)
{
    e->view = *photo;
    e->whole = true;
    while (physad__max(e->view.camera.width, e->view.camera.height) >= side &&
           physad__min(e->view.camera.width, e->view.camera.height) >= 32) {
        physad__scene_view half;
        const physad_status status = physad__scene_view_halve(&half, mem, &e->view);
        if (!e->whole)
            physad__scene_view_clear(&e->view);
        e->view = half;
        e->whole = false;
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

static physad_status open_eye(physad__eye *e, physad__mem *mem, const physad__scene_view *photo, int64_t side)
{
    PHYSAD__TRY(halve_photo(e, mem, photo, side));
    const int64_t plane = physad__eye_plane(e), height = e->view.camera.height, width = e->view.camera.width;
    float *room = physad__alloc_array(mem, plane, sizeof(float), "photos that are swept");
    e->grey = physad__alloc_array(mem, 4 * plane, sizeof(float), "photos that are swept");
    e->sure = physad__alloc_zero(mem, (size_t)plane, "photos that are swept");
    if (room == NULL || e->grey == NULL || e->sure == NULL) {
        physad__free(room);
        return PHYSAD_ERR_NOMEM;
    }
    e->mean = e->grey + plane;
    e->spread = e->grey + 2 * plane;
    e->depth = e->grey + 3 * plane;
    const float *p = e->view.pixels;
    for (int64_t i = 0; i < plane; i++) {
        e->grey[i] = (p[i] + p[plane + i] + p[2 * plane + i]) / 3;
        e->depth[i] = e->grey[i] * e->grey[i];
    }
    box(e->mean, e->grey, room, height, width);
    box(e->spread, e->depth, room, height, width);
    for (int64_t i = 0; i < plane; i++)
        e->spread[i] = sqrtf(fmaxf(e->spread[i] - e->mean[i] * e->mean[i], 0));
    physad__free(room);
    return PHYSAD_OK;
}

/* --- which photos, and which planes --- */

typedef struct physad__eye_order {
    double cost;
    int64_t view;
} ranked;

static int compare(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost) : (x->view > y->view) - (x->view < y->view);
}

/* Those that look the same way from near by, but not from the same place. */
static void find_neighbours(const physad__depths *s, int64_t own)
{
    ranked *order = s->order;
    physad__eye *e = &s->eyes[own];
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const double far = physad__pose_distance(&e->view.camera, &s->eyes[i].view.camera) / s->extent;
        if (i != own && !s->eyes[i].out && far > 0.01)
            order[n++] = (ranked){ physad__pose_angle(&e->view.camera, &s->eyes[i].view.camera) + far, i };
    }
    if (n > 0)
        qsort(order, (size_t)n, sizeof(*order), compare);
    e->n = physad__min(n, PHYSAD__NEIGHBOURS);
    for (int64_t k = 0; k < e->n; k++)
        e->near[k] = order[k].view;
}

bool physad__camera_carry(const physad_camera *from, const physad_camera *to, double u, double v, double z,
                          double out[3])
{
    double p[3];
    physad__camera_unproject(from, u, v, z, p);
    return physad__camera_project(to, p, out) && out[2] > 1e-9;
}

/* Whether two neighbours (one, of one) see anything at a depth: five by five pixels are tried. */
static bool is_common(const physad__depths *s, const physad__eye *e, double z)
{
    const physad_camera *c = &e->view.camera;
    for (int at = 0; at < 25; at++) {
        const double u = ((at % 5) + 0.5) / 5 * (double)c->width, v = ((at / 5) + 0.5) / 5 * (double)c->height;
        int64_t seen = 0;
        double out[3];
        for (int64_t k = 0; k < e->n; k++)
            seen += physad__camera_carry(c, &s->eyes[e->near[k]].view.camera, u, v, z, out);
        if (seen >= physad__min(2, e->n) && seen > 0)
            return true;
    }
    return false;
}

static int64_t known_step(const physad__depths *s)
{
    return physad__max((s->n_known + MOST_KNOWN - 1) / MOST_KNOWN, 1);
}

/* Narrows the depths to those of the points that came with the poses, but for the outermost fiftieths, and a quarter
 * more. */
static void keep_to_known(const physad__depths *s, const physad__eye *e, double *near, double *far)
{
    float *depths = s->reached;
    const physad_camera *c = &e->view.camera;
    const int64_t step = known_step(s);
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_known; i += step) {
        const float *f = s->known + 3 * i;
        const double p[3] = { (double)f[0], (double)f[1], (double)f[2] };
        double at[3];
        if (physad__camera_project(c, p, at))
            depths[n++] = (float)at[2];
    }
    if (n < LEAST_KNOWN)
        return;
    physad__sort_floats(depths, n);
    *near = fmax(*near, (double)depths[n / 50] / 1.25);
    *far = fmin(*far, (double)depths[n - 1 - n / 50] * 1.25);
}

/* Planes from the nearest to the farthest that neighbours share, even in one over depth, a pixel apart in the neighbour
 * where they lie farthest apart. None where nothing is shared. */
static void find_planes(const physad__depths *s, physad__eye *e)
{
    const physad_camera *c = &e->view.camera;
    double near = 0, far = 0, way = 0;
    for (double z = NEAREST * s->extent; z < FARTHEST * s->extent; z *= 1.08)
        if (is_common(s, e, z)) {
            near = near > 0 ? near : z;
            far = z;
        }
    e->planes = 0;
    keep_to_known(s, e, &near, &far);
    if (!(far > near))
        return;
    near = fmax(near, far * 1e-4);
    e->first = 1 / near;
    e->last = 1 / far;
    for (int64_t k = 0; k < e->n; k++) {
        const physad_camera *to = &s->eyes[e->near[k]].view.camera;
        double sum = 0, at[3], was[3] = { 0 };
        bool before = false;
        for (int i = 0; i < 64; i++) {
            const double z = 1 / (e->first + (e->last - e->first) * (i + 0.5) / 64);
            const bool now = physad__camera_carry(c, to, (double)c->width / 2, (double)c->height / 2, z, at);
            sum += now && before ? hypot(at[0] - was[0], at[1] - was[1]) : 0;
            memcpy(was, at, sizeof(was));
            before = now;
        }
        way = fmax(way, sum);
    }
    e->planes = physad__max(LEAST_PLANES, physad__min(MOST_PLANES, (int64_t)(1.3 * way)));
}

static double depth_of(const physad__eye *e, double plane)
{
    return 1 / (e->first + (e->last - e->first) * plane / (double)(e->planes - 1));
}

static double plane_at(const physad__eye *e, double depth)
{
    return (1 / depth - e->first) / (e->last - e->first) * (double)(e->planes - 1);
}

/* --- the sweep of one photo --- */

typedef struct room {
    float *other, *square, *both, *scratch; /* of one neighbour on one plane */
    float *likeness;                        /* (PHYSAD__NEIGHBOURS) planes */
    float *best, *before, *after, *last;    /* of the planes so far; `last`: of the plane before */
    float *inside;
    int32_t *at;
} room;

static physad_status make_room(room *r, physad__mem *mem, int64_t plane)
{
    float *at = physad__alloc_array(mem, (10 + PHYSAD__NEIGHBOURS) * plane, sizeof(float), "a sweep");
    *r = (room){ .other = at };
    if (at == NULL)
        return PHYSAD_ERR_NOMEM;
    r->square = at + plane;
    r->both = at + 2 * plane;
    r->scratch = at + 3 * plane;
    r->best = at + 4 * plane;
    r->before = at + 5 * plane;
    r->after = at + 6 * plane;
    r->last = at + 7 * plane;
    r->inside = at + 8 * plane;
    r->at = (int32_t *)(void *)(at + 9 * plane);
    r->likeness = at + 10 * plane;
    return PHYSAD_OK;
}

/* The neighbour as it looks if all of it lay on a plane of the photo's camera: a homography. */
static void warp(const physad__eye *e, const physad__eye *o, double z, room *r)
{
    const physad_camera *c = &e->view.camera, *to = &o->view.camera;
    const int64_t w = c->width, theirs = to->width;
    double corner[3][3], h[3][3];
    for (int k = 0; k < 3; k++) { /* in the other's camera: the plane's pixel (0, 0), and steps along x and y */
        const double x[3] = { (k == 1) - c->cx, -c->cx, 0 }, y[3] = { (k == 2) - c->cy, -c->cy, 0 };
        const double p[3] = { x[0] / c->fx * z - c->translation[0], y[0] / c->fy * z - c->translation[1],
                              z - c->translation[2] };
        double q[3];
        for (int i = 0; i < 3; i++)
            q[i] = c->rotation[i] * p[0] + c->rotation[3 + i] * p[1] + c->rotation[6 + i] * p[2];
        for (int i = 0; i < 3; i++)
            corner[k][i] = to->rotation[3 * i] * q[0] + to->rotation[3 * i + 1] * q[1] +
                           to->rotation[3 * i + 2] * q[2] + to->translation[i];
    }
    for (int k = 0; k < 3; k++) {
        const double d[3] = { corner[k][0] - (k > 0 ? corner[0][0] : 0), corner[k][1] - (k > 0 ? corner[0][1] : 0),
                              corner[k][2] - (k > 0 ? corner[0][2] : 0) };
        h[k][0] = to->fx * d[0] + (to->cx - 0.5) * d[2];
        h[k][1] = to->fy * d[1] + (to->cy - 0.5) * d[2];
        h[k][2] = d[2];
    }
    for (int64_t y = 0; y < c->height; y++)
        for (int64_t x = 0; x < w; x++) {
            const double a = (double)x + 0.5, b = (double)y + 0.5, d = h[0][2] + a * h[1][2] + b * h[2][2];
            const float u = (float)((h[0][0] + a * h[1][0] + b * h[2][0]) / d),
                        v = (float)((h[0][1] + a * h[1][1] + b * h[2][1]) / d);
            const int64_t i = y * w + x;
            r->inside[i] = r->other[i] = 0;
            if (!(d > 0 && u >= 0 && v >= 0 && u < (float)(theirs - 1) && v < (float)(to->height - 1)))
                continue;
            const int64_t at = (int64_t)v * theirs + (int64_t)u;
            const float fx = u - (float)(int64_t)u, fy = v - (float)(int64_t)v, *p = o->grey + at;
            const float top = p[0] + fx * (p[1] - p[0]), bottom = p[theirs] + fx * (p[theirs + 1] - p[theirs]);
            r->other[i] = top + fy * (bottom - top);
            r->inside[i] = o->view.missing == NULL || !o->view.missing[at];
        }
}

/* Correlation of windows; -1 where the neighbour does not reach or shows no texture. */
static void correlate(const physad__eye *e, room *r, float *out)
{
    const int64_t plane = physad__eye_plane(e), height = e->view.camera.height, width = e->view.camera.width;
    for (int64_t i = 0; i < plane; i++) {
        r->square[i] = r->other[i] * r->other[i];
        r->both[i] = r->other[i] * e->grey[i];
    }
    box(r->other, r->other, r->scratch, height, width);
    box(r->square, r->square, r->scratch, height, width);
    box(r->both, r->both, r->scratch, height, width);
    box(r->inside, r->inside, r->scratch, height, width);
    for (int64_t i = 0; i < plane; i++) {
        const float spread = sqrtf(fmaxf(r->square[i] - r->other[i] * r->other[i], 0));
        const bool fine = r->inside[i] > 0.999f && spread > LEAST_SPREAD;
        out[i] = fine ? (r->both[i] - r->other[i] * e->mean[i]) / (spread * e->spread[i]) : -1;
    }
}

/* The mean of the better half of those that reach, two at least where there are two. */
static float agreement(const float *likeness, int64_t n, int64_t plane, int64_t i)
{
    float sorted[PHYSAD__NEIGHBOURS], sum = 0;
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        const float x = likeness[k * plane + i];
        int64_t at = count;
        if (x <= -1)
            continue;
        for (; at > 0 && sorted[at - 1] < x; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = x;
        count++;
    }
    const int64_t half = physad__min(count, physad__max(2, (count + 1) / 2));
    if (half < physad__min(2, n))
        return -1;
    for (int64_t k = 0; k < half; k++)
        sum += sorted[k];
    return half > 0 ? sum / (float)half : -1;
}

static physad_status sweep_one(const physad__depths *s, physad__eye *e)
{
    const int64_t plane = physad__eye_plane(e);
    room r;
    PHYSAD__TRY(make_room(&r, &s->ctx->mem, plane));
    for (int64_t i = 0; i < plane; i++) {
        r.best[i] = r.before[i] = r.after[i] = r.last[i] = -1;
        r.at[i] = -2;
    }
    for (int64_t d = 0; d < e->planes; d++) {
        for (int64_t k = 0; k < e->n; k++) {
            warp(e, &s->eyes[e->near[k]], depth_of(e, (double)d), &r);
            correlate(e, &r, r.likeness + k * plane);
        }
        for (int64_t i = 0; i < plane; i++) {
            const float now = agreement(r.likeness, e->n, plane, i);
            if (now > r.best[i]) {
                r.best[i] = now;
                r.before[i] = r.last[i];
                r.after[i] = now;
                r.at[i] = (int32_t)d;
            } else if (r.at[i] == d - 1) {
                r.after[i] = now;
            }
            r.last[i] = now;
        }
    }
    for (int64_t i = 0; i < plane; i++) {
        const float bend = 2 * r.best[i] - r.before[i] - r.after[i];
        const bool within = r.at[i] > 0 && r.at[i] + 1 < e->planes && r.before[i] > -1 && r.after[i] > -1;
        const bool found = within && r.best[i] >= LEAST_LIKENESS && e->spread[i] > LEAST_SPREAD &&
                           !(e->view.missing != NULL && e->view.missing[i]);
        const float shift = bend > 1e-6f ? 0.5f * (r.after[i] - r.before[i]) / bend : 0;
        e->depth[i] = found ? (float)depth_of(e, (double)((float)r.at[i] + shift)) : 0;
    }
    physad__free(r.other);
    return PHYSAD_OK;
}

/* --- what photos agree on --- */

/* Two neighbours (one, of one) found the same place. */
static void check_one(const physad__depths *s, physad__eye *e)
{
    const physad_camera *c = &e->view.camera;
    for (int64_t i = 0; i < physad__eye_plane(e); i++) {
        int64_t agree = 0;
        for (int64_t k = 0; k < e->n && e->depth[i] > 0; k++) {
            const physad__eye *o = &s->eyes[e->near[k]];
            double q[3];
            const double u = (double)(i % c->width) + 0.5, v = (double)(i / c->width) + 0.5;
            if (!physad__camera_carry(c, &o->view.camera, u, v, (double)e->depth[i], q))
                continue;
            const float theirs = o->depth[(int64_t)q[1] * o->view.camera.width + (int64_t)q[0]];
            agree += theirs > 0 && fabs(plane_at(o, q[2]) - plane_at(o, (double)theirs)) <= SAME;
        }
        e->sure[i] = agree >= physad__min(2, e->n) && agree > 0;
    }
}

/* --- all photos --- */

static physad_status sweep_all(const physad__depths *s, physad__call *call)
{
    const int64_t step = s->ctx->threads;
    physad__call_stage(call, "depths", s->count);
    for (int64_t from = 0; from < s->count; from += step) {
        physad__fault fault = { 0 };
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
        for (int64_t i = from; i < physad__min(from + step, s->count); i++) {
            const physad_status status = s->eyes[i].stale ? sweep_one(s, &s->eyes[i]) : PHYSAD_OK;
            if (status != PHYSAD_OK) {
#pragma omp critical(physad__scene_depths)
                physad__fault_take(&fault, status);
            }
        }
        PHYSAD__TRY(physad__fault_publish(&fault));
        PHYSAD__TRY(physad__call_tick(call, physad__min(from + step, s->count)));
    }
    return PHYSAD_OK;
}

/* Whether what is sure in a photo may have changed. */
static bool is_touched(const physad__depths *s, const physad__eye *e)
{
    bool touched = e->stale;
    for (int64_t k = 0; k < e->n; k++)
        touched = touched || s->eyes[e->near[k]].stale;
    return touched;
}

physad_status physad__depths_find(physad__depths *s, physad__call *call)
{
    PHYSAD__TRY(sweep_all(s, call));
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t i = 0; i < s->count; i++)
        if (is_touched(s, &s->eyes[i]))
            check_one(s, &s->eyes[i]);
    for (int64_t i = 0; i < s->count; i++)
        s->eyes[i].stale = false;
    return PHYSAD_OK;
}

physad_status physad__depths_renew(physad__depths *s, int64_t i)
{
    PHYSAD__TRY(physad__cancelled(s->ctx));
    find_neighbours(s, i);
    find_planes(s, &s->eyes[i]);
    s->eyes[i].stale = true;
    return PHYSAD_OK;
}

physad_status physad__depths_open(physad__depths *s, const physad__scene_views *v, int64_t side)
{
    physad__mem *mem = &s->ctx->mem;
    s->eyes = physad__alloc_zero(mem, (size_t)v->count * sizeof(*s->eyes), "photos that are swept");
    s->order = physad__alloc_array(mem, v->count, sizeof(*s->order), "photos that are swept");
    s->reached = physad__alloc_array(mem, s->n_known / known_step(s) + 1, sizeof(*s->reached), "photos that are swept");
    if (s->eyes == NULL || s->order == NULL || s->reached == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < v->count; i++) {
        PHYSAD__TRY(physad__cancelled(s->ctx));
        if (!v->views[i].held_out)
            PHYSAD__TRY(open_eye(&s->eyes[s->count++], mem, &v->views[i], side));
    }
    for (int64_t i = 0; i < s->count; i++) {
        PHYSAD__TRY(physad__depths_renew(s, i));
        memset(s->eyes[i].depth, 0, (size_t)physad__eye_plane(&s->eyes[i]) * sizeof(float));
    }
    return PHYSAD_OK;
}
