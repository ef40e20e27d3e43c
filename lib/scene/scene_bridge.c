/* SPDX-License-Identifier: Apache-2.0 */
/* Cameras of one file, points of another: the two worlds differ by turn, scale and shift, which the places of cameras
 * that both know tell. A lens with another middle turns all cameras a little, so points are then found anew from where
 * photos show them. */
#include "scene/scene.h"

#include <math.h>

#define TRIES 256           /* triples of cameras that a first similarity comes from */
#define ROUNDS 10
#define MOST_APART 0.02     /* of cameras, as a share of how far they lie around their middle */
#define LEAST_WIDTH 1e-3    /* cameras beside a line, as a share of their spread along it */
#define MOST_ERROR 4.0      /* pixels that a point may be off in its photos, on average */
#define PULL 2.0            /* pixels beyond which a photo's word counts less */
#define MOST_MOVED 0.1      /* of its distance: a point that goes farther has no depth */

/* --- the similarity --- */

typedef struct pairs {
    int64_t n;
    const double *from, *to; /* (n, 3) */
} pairs;

/* Eigenvector of the largest eigenvalue by Jacobi's turns; `second` is the next eigenvalue's share of it, after the
 * least is taken off. */
static void main_axis(double axis[4], double a[16], double *second)
{
    double v[16] = { 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1 };
    for (int sweep = 0; sweep < 30; sweep++)
        for (int pair = 0; pair < 6; pair++) {
            static const int of[6][2] = { { 0, 1 }, { 0, 2 }, { 0, 3 }, { 1, 2 }, { 1, 3 }, { 2, 3 } };
            const int p = of[pair][0], q = of[pair][1];
            const double angle = 0.5 * atan2(2 * a[4 * p + q], a[5 * q] - a[5 * p]), c = cos(angle), s = sin(angle);
            for (int k = 0; k < 4; k++) {
                const double x = a[4 * k + p], y = a[4 * k + q], vx = v[4 * k + p], vy = v[4 * k + q];
                a[4 * k + p] = c * x - s * y;
                a[4 * k + q] = s * x + c * y;
                v[4 * k + p] = c * vx - s * vy;
                v[4 * k + q] = s * vx + c * vy;
            }
            for (int k = 0; k < 4; k++) {
                const double x = a[4 * p + k], y = a[4 * q + k];
                a[4 * p + k] = c * x - s * y;
                a[4 * q + k] = s * x + c * y;
            }
        }
    int best = 0, next = 1;
    double least = a[0];
    for (int k = 1; k < 4; k++) {
        least = fmin(least, a[5 * k]);
        best = a[5 * k] > a[5 * best] ? k : best;
    }
    next = best == 0;
    for (int k = 0; k < 4; k++)
        next = k != best && a[5 * k] > a[5 * next] ? k : next;
    for (int k = 0; k < 4; k++)
        axis[k] = v[4 * k + best];
    *second = (a[5 * next] - least) / (a[5 * best] - least);
}

static void turn_of(double r[9], const double q[4])
{
    const double w = q[0], x = q[1], y = q[2], z = q[3];
    const double out[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                            2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                            2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y) };
    memcpy(r, out, sizeof(out));
}

void physad__similarity_apply(const physad__similarity *s, const double in[3], double out[3])
{
    double p[3];
    for (int k = 0; k < 3; k++)
        p[k] =
            s->scale * (s->rotation[3 * k] * in[0] + s->rotation[3 * k + 1] * in[1] + s->rotation[3 * k + 2] * in[2]) +
            s->translation[k];
    memcpy(out, p, sizeof(p));
}

static void middle_of(double middle[3], const double *points, const double *weight, int64_t n)
{
    double total = 0;
    memset(middle, 0, 3 * sizeof(double));
    for (int64_t i = 0; i < n; i++) {
        total += weight[i];
        for (int k = 0; k < 3; k++)
            middle[k] += weight[i] * points[3 * i + k];
    }
    for (int k = 0; k < 3; k++)
        middle[k] /= total;
}

/* Horn, Closed-form solution of absolute orientation using unit quaternions, 1987. False where the points lie on one
 * line. */
static bool find_similarity(physad__similarity *s, const pairs *p, const double *weight)
{
    double a[3], b[3], m[9] = { 0 }, axis[4], second, spread = 0, agree = 0;
    middle_of(a, p->from, weight, p->n);
    middle_of(b, p->to, weight, p->n);
    for (int64_t i = 0; i < p->n; i++)
        for (int k = 0; k < 9; k++)
            m[k] += weight[i] * (p->from[3 * i + k / 3] - a[k / 3]) * (p->to[3 * i + k % 3] - b[k % 3]);
    double n[16] = { m[0] + m[4] + m[8], m[5] - m[7],        m[6] - m[2],         m[1] - m[3],
                     m[5] - m[7],        m[0] - m[4] - m[8], m[1] + m[3],         m[6] + m[2],
                     m[6] - m[2],        m[1] + m[3],        -m[0] + m[4] - m[8], m[5] + m[7],
                     m[1] - m[3],        m[6] + m[2],        m[5] + m[7],         -m[0] - m[4] + m[8] };
    main_axis(axis, n, &second);
    turn_of(s->rotation, axis);
    for (int64_t i = 0; i < p->n; i++)
        for (int k = 0; k < 3; k++) {
            const double *r = s->rotation + 3 * k, *x = p->from + 3 * i;
            spread += weight[i] * (x[k] - a[k]) * (x[k] - a[k]);
            agree += weight[i] * (p->to[3 * i + k] - b[k]) *
                     (r[0] * (x[0] - a[0]) + r[1] * (x[1] - a[1]) + r[2] * (x[2] - a[2]));
        }
    s->scale = agree / spread;
    memset(s->translation, 0, sizeof(s->translation));
    double moved[3];
    physad__similarity_apply(s, a, moved);
    for (int k = 0; k < 3; k++)
        s->translation[k] = b[k] - moved[k];
    return s->scale > 0 && isfinite(s->scale) && second < 1 - LEAST_WIDTH;
}

static double apart(const physad__similarity *s, const pairs *p, int64_t i)
{
    double q[3], square = 0;
    physad__similarity_apply(s, p->from + 3 * i, q);
    for (int k = 0; k < 3; k++)
        square += (q[k] - p->to[3 * i + k]) * (q[k] - p->to[3 * i + k]);
    return sqrt(square);
}

static double median(double *values, int64_t n)
{
    if (n == 0)
        return 0;
    physad__sort_doubles(values, n);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double median_apart(const physad__similarity *s, const pairs *p, double *room)
{
    for (int64_t i = 0; i < p->n; i++)
        room[i] = apart(s, p, i);
    return median(room, p->n);
}

/* The triple of cameras whose similarity leaves the others least apart. */
static bool begin_similarity(physad__similarity *s, const pairs *p, double *weight, double *room)
{
    physad__rng rng;
    double least = INFINITY;
    physad__rng_seed(&rng, 1, 1);
    for (int t = 0; t < TRIES; t++) {
        physad__similarity one;
        memset(weight, 0, (size_t)p->n * sizeof(*weight));
        for (int k = 0; k < 3; k++)
            weight[physad__rng_below(&rng, p->n)] = 1;
        if (!find_similarity(&one, p, weight)) /* also where one was drawn twice */
            continue;
        const double m = median_apart(&one, p, room);
        if (m < least) {
            least = m;
            *s = one;
        }
    }
    return isfinite(least);
}

/* Least squares that let go of cameras far off; `weight` and `room` hold n each. `off`: the median, as a share of how
 * far cameras lie around their middle. */
static bool fit_similarity(physad__similarity *s, double *off, const pairs *p, double *weight, double *room)
{
    double middle[3];
    if (p->n < 3 || !begin_similarity(s, p, weight, room))
        return false;
    for (int round = 0; round < ROUNDS; round++) {
        const double scale = 3 * median_apart(s, p, room);
        for (int64_t i = 0; i < p->n; i++) {
            const double far = scale > 0 ? apart(s, p, i) / scale : 0;
            weight[i] = 1 / ((1 + far * far) * (1 + far * far));
        }
        if (!find_similarity(s, p, weight))
            return false;
    }
    *off = median_apart(s, p, room);
    for (int64_t i = 0; i < p->n; i++)
        weight[i] = 1;
    middle_of(middle, p->to, weight, p->n);
    for (int64_t i = 0; i < p->n; i++) {
        const double *x = p->to + 3 * i;
        room[i] = sqrt((x[0] - middle[0]) * (x[0] - middle[0]) + (x[1] - middle[1]) * (x[1] - middle[1]) +
                       (x[2] - middle[2]) * (x[2] - middle[2]));
    }
    *off /= median(room, p->n);
    return isfinite(*off);
}

/* --- points --- */

/* Where a photo shows a point: without its lens, at distance 1. */
typedef struct ray {
    const physad_camera *camera;
    double x, y, fx, fy; /* fx, fy: of the photo as it was taken */
} ray;

/* Reprojection error in pixels and its slope; false behind the camera. */
static bool miss(const ray *r, const double p[3], double error[2], double slope[2][3])
{
    const double *m = r->camera->rotation, *t = r->camera->translation;
    const double x = m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + t[0], y = m[3] * p[0] + m[4] * p[1] + m[5] * p[2] + t[1];
    const double z = m[6] * p[0] + m[7] * p[1] + m[8] * p[2] + t[2];
    if (!(z > 1e-9))
        return false;
    error[0] = r->fx * (x / z - r->x);
    error[1] = r->fy * (y / z - r->y);
    for (int k = 0; k < 3; k++) {
        slope[0][k] = r->fx * (m[k] - x / z * m[6 + k]) / z;
        slope[1][k] = r->fy * (m[3 + k] - y / z * m[6 + k]) / z;
    }
    return true;
}

/* Mean error in pixels; infinite behind a camera. */
static double mean_miss(const ray *rays, int64_t n, const double p[3])
{
    double sum = 0, e[2], slope[2][3];
    for (int64_t i = 0; i < n; i++) {
        if (!miss(&rays[i], p, e, slope))
            return INFINITY;
        sum += sqrt(e[0] * e[0] + e[1] * e[1]);
    }
    return sum / (double)n;
}

/* One step of Gauss and Newton. */
static bool move_point(const ray *rays, int64_t n, double p[3])
{
    double a[9] = { 0 }, g[3] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        double e[2], slope[2][3];
        if (!miss(&rays[i], p, e, slope))
            return false;
        const double w = 1 / (1 + (e[0] * e[0] + e[1] * e[1]) / (PULL * PULL));
        for (int k = 0; k < 9; k++)
            a[k] += w * (slope[0][k / 3] * slope[0][k % 3] + slope[1][k / 3] * slope[1][k % 3]);
        for (int k = 0; k < 3; k++)
            g[k] += w * (slope[0][k] * e[0] + slope[1][k] * e[1]);
    }
    const double c[3] = { a[4] * a[8] - a[5] * a[7], a[5] * a[6] - a[3] * a[8], a[3] * a[7] - a[4] * a[6] };
    const double det = a[0] * c[0] + a[1] * c[1] + a[2] * c[2], trace = a[0] + a[4] + a[8];
    if (!(det > 1e-12 * trace * trace * trace))
        return false;
    const double d[3] = { g[0], g[1], g[2] };
    p[0] -= (c[0] * d[0] + (a[2] * a[7] - a[1] * a[8]) * d[1] + (a[1] * a[5] - a[2] * a[4]) * d[2]) / det;
    p[1] -= (c[1] * d[0] + (a[0] * a[8] - a[2] * a[6]) * d[1] + (a[2] * a[3] - a[0] * a[5]) * d[2]) / det;
    p[2] -= (c[2] * d[0] + (a[1] * a[6] - a[0] * a[7]) * d[1] + (a[0] * a[4] - a[1] * a[3]) * d[2]) / det;
    return true;
}

/* False where the photos do not agree on a place near the one it had. */
static bool find_point(const ray *rays, int64_t n, double p[3], double *error)
{
    const double was[3] = { p[0], p[1], p[2] };
    const physad_camera *c = rays[0].camera;
    const double far = c->rotation[6] * p[0] + c->rotation[7] * p[1] + c->rotation[8] * p[2] + c->translation[2];
    double square = 0;
    for (int step = 0; step < ROUNDS; step++)
        if (!move_point(rays, n, p))
            return false;
    for (int k = 0; k < 3; k++)
        square += (p[k] - was[k]) * (p[k] - was[k]);
    *error = mean_miss(rays, n, p);
    return *error <= MOST_ERROR && sqrt(square) <= MOST_MOVED * far;
}

typedef struct tracks {
    int64_t *first; /* (points + 1) of `rays` */
    ray *rays;
    double *before, *after; /* errors of points */
} tracks;

static void free_tracks(tracks *t)
{
    physad__free(t->first);
    physad__free(t->rays);
    physad__free(t->before);
}

static physad_status make_tracks(tracks *t, const physad__poses *model, const int64_t *view_of,
                                 const physad__scene_views *v)
{
    physad__mem *mem = model->mem;
    t->first = physad__alloc_zero(mem, (size_t)(model->n_points + 2) * sizeof(*t->first), "points of photos");
    t->rays = physad__alloc_array(mem, model->n_seen + 1, sizeof(*t->rays), "points of photos");
    t->before = physad__alloc_array(mem, 2 * model->n_points + 1, sizeof(double), "points of photos");
    if (t->first == NULL || t->rays == NULL || t->before == NULL)
        return PHYSAD_ERR_NOMEM;
    t->after = t->before + model->n_points;
    int64_t *at = t->first + 1; /* while it is filled: where the next ray of a point goes, one behind */
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < model->n_photos; i++) {
            const physad__posed *photo = &model->photos[i];
            const physad__scene_view *view = view_of[i] >= 0 ? &v->views[view_of[i]] : NULL;
            for (int64_t k = 0; view != NULL && k < photo->n_seen; k++) {
                const physad__seen *s = &model->seen[photo->first_seen + k];
                const double sx = (double)view->lens.width / (double)photo->lens.width,
                             sy = (double)view->lens.height / (double)photo->lens.height;
                ray r = { .camera = &view->camera, .fx = view->lens.fx, .fy = view->lens.fy };
                if (s->point < 0)
                    continue;
                if (pass == 0) {
                    at[s->point + 1]++;
                    continue;
                }
                physad__lens_unproject(&view->lens, sx * s->x, sy * s->y, &r.x, &r.y);
                t->rays[at[s->point]++] = r;
            }
        }
        for (int64_t i = 1; pass == 0 && i <= model->n_points; i++)
            at[i] += at[i - 1];
    }
    return PHYSAD_OK;
}

/* Moves all points, finds them anew where two photos or more show them, and takes out those that fail. */
static void move_points(physad__bridge *out, physad__poses *model, const tracks *t)
{
    int64_t kept = 0, n = 0;
    for (int64_t i = 0; i < model->n_points; i++) {
        const ray *rays = t->rays + t->first[i];
        const int64_t count = t->first[i + 1] - t->first[i];
        double p[3];
        physad__similarity_apply(&out->to, model->points + 3 * i, p);
        if (count >= 2) {
            t->before[n] = mean_miss(rays, count, p);
            if (!find_point(rays, count, p, &t->after[n]))
                continue;
            n++;
        }
        memcpy(model->points + 3 * kept, p, sizeof(p));
        memmove(model->colours + 3 * kept, model->colours + 3 * i, 3);
        kept++;
    }
    out->dropped = model->n_points - kept;
    out->before = median(t->before, n);
    out->after = median(t->after, n);
    model->n_points = kept;
}

/* --- all of it --- */

physad_status physad__scene_bridge(physad__bridge *out, physad__poses *model, const int64_t *view_of,
                                   const physad__scene_views *v)
{
    tracks t = { 0 };
    *out = (physad__bridge){ 0 };
    double *room = physad__alloc_array(model->mem, 8 * model->n_photos + 1, sizeof(double), "cameras");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    double *to = room + 3 * model->n_photos;
    for (int64_t i = 0; i < model->n_photos; i++)
        if (view_of[i] >= 0) {
            const physad_camera *c = &v->views[view_of[i]].camera;
            physad__pose_centre(model->photos[i].rotation, model->photos[i].translation, room + 3 * out->cameras);
            physad__camera_centre(c, to + 3 * out->cameras);
            out->cameras++;
        }
    const pairs p = { out->cameras, room, to };
    out->fits = fit_similarity(&out->to, &out->apart, &p, room + 6 * model->n_photos, room + 7 * model->n_photos) &&
                out->apart <= MOST_APART;
    physad__free(room);
    if (!out->fits)
        return PHYSAD_OK;
    const physad_status status = make_tracks(&t, model, view_of, v);
    if (status == PHYSAD_OK)
        move_points(out, model, &t);
    free_tracks(&t);
    return status;
}

void physad__similarity_pose(const physad__similarity *s, double rotation[9], double translation[3])
{
    double r[9], t[3];
    for (int row = 0; row < 3; row++) {
        for (int k = 0; k < 3; k++)
            r[3 * row + k] = rotation[3 * row] * s->rotation[3 * k] + rotation[3 * row + 1] * s->rotation[3 * k + 1] +
                             rotation[3 * row + 2] * s->rotation[3 * k + 2];
        t[row] = s->scale * translation[row] - (r[3 * row] * s->translation[0] + r[3 * row + 1] * s->translation[1] +
                                                r[3 * row + 2] * s->translation[2]);
    }
    memcpy(rotation, r, sizeof(r));
    memcpy(translation, t, sizeof(t));
}
