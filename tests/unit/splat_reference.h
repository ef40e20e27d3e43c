/* SPDX-License-Identifier: Apache-2.0 */
/* A slow renderer of 3D Gaussians in double, pixel by pixel over all of them: what lib/splat is compared with. */
#ifndef PHYSAD__SPLAT_REFERENCE_H
#define PHYSAD__SPLAT_REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct ref_scene {
    int64_t count;
    int degree, extra, middle;
    double *planes; /* 11 + 3 (degree + 1)^2 planes of count, in the order of physad__splat_planes_at() */
    double *values; /* (count, extra) */
    double background[3];
    double rotation[9], translation[3], fx, fy, cx, cy;
    int64_t width, height;
} ref_scene;

typedef struct ref_splat {
    double x, y, a, b, c, opacity, depth, colour[3];
    int64_t index, x0, x1, y0, y1; /* pixels of its tiles, ends excluded */
} ref_splat;

static void ref_basis(double *out, const double *d)
{
    const double x = d[0], y = d[1], z = d[2];
    const double all[16] = {
        sqrt(1 / (4 * M_PI)),
        -sqrt(3 / (4 * M_PI)) * y,
        sqrt(3 / (4 * M_PI)) * z,
        -sqrt(3 / (4 * M_PI)) * x,
        sqrt(15 / (4 * M_PI)) * x * y,
        -sqrt(15 / (4 * M_PI)) * y * z,
        sqrt(5 / (16 * M_PI)) * (2 * z * z - x * x - y * y),
        -sqrt(15 / (4 * M_PI)) * x * z,
        sqrt(15 / (16 * M_PI)) * (x * x - y * y),
        -sqrt(35 / (32 * M_PI)) * y * (3 * x * x - y * y),
        sqrt(105 / (4 * M_PI)) * x * y * z,
        -sqrt(21 / (32 * M_PI)) * y * (4 * z * z - x * x - y * y),
        sqrt(7 / (16 * M_PI)) * z * (2 * z * z - 3 * x * x - 3 * y * y),
        -sqrt(21 / (32 * M_PI)) * x * (4 * z * z - x * x - y * y),
        sqrt(105 / (16 * M_PI)) * z * (x * x - y * y),
        -sqrt(35 / (32 * M_PI)) * x * (x * x - 3 * y * y),
    };
    memcpy(out, all, sizeof(all));
}

static double ref_limit(double a, double most)
{
    return a > most ? most : a < -most ? -most : a;
}

static int ref_project(ref_splat *out, const ref_scene *s, int64_t i)
{
    const int64_t n = s->count;
    double p[3], v[3], q[4], m[9], w[9], j[6], flat[6] = { 0 }, length = 0, centre[3], d[3], basis[16];
    for (int k = 0; k < 3; k++)
        p[k] = s->planes[k * n + i];
    for (int k = 0; k < 3; k++)
        v[k] = s->rotation[k * 3] * p[0] + s->rotation[k * 3 + 1] * p[1] + s->rotation[k * 3 + 2] * p[2] +
               s->translation[k];
    if (!(v[2] > 0.2))
        return 0;
    for (int k = 0; k < 4; k++)
        length += pow(s->planes[(6 + k) * n + i], 2);
    for (int k = 0; k < 4; k++)
        q[k] = s->planes[(6 + k) * n + i] / sqrt(length);
    const double r[9] = { 1 - 2 * (q[2] * q[2] + q[3] * q[3]), 2 * (q[1] * q[2] - q[0] * q[3]),
                          2 * (q[1] * q[3] + q[0] * q[2]),     2 * (q[1] * q[2] + q[0] * q[3]),
                          1 - 2 * (q[1] * q[1] + q[3] * q[3]), 2 * (q[2] * q[3] - q[0] * q[1]),
                          2 * (q[1] * q[3] - q[0] * q[2]),     2 * (q[2] * q[3] + q[0] * q[1]),
                          1 - 2 * (q[1] * q[1] + q[2] * q[2]) };
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            m[a * 3 + b] = r[a * 3 + b] * exp(s->planes[(3 + b) * n + i]);
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++)
            w[a * 3 + b] =
                s->rotation[a * 3] * m[b] + s->rotation[a * 3 + 1] * m[3 + b] + s->rotation[a * 3 + 2] * m[6 + b];
    const double tx = ref_limit(v[0] / v[2], 1.3 * (double)s->width / (2 * s->fx)) * v[2];
    const double ty = ref_limit(v[1] / v[2], 1.3 * (double)s->height / (2 * s->fy)) * v[2];
    const double jacobian[6] = {
        s->fx / v[2], 0, -s->fx * tx / (v[2] * v[2]), 0, s->fy / v[2], -s->fy * ty / (v[2] * v[2])
    };
    memcpy(j, jacobian, sizeof(j));
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 3; b++)
            for (int k = 0; k < 3; k++)
                flat[a * 3 + b] += j[a * 3 + k] * w[k * 3 + b];
    const double xx = flat[0] * flat[0] + flat[1] * flat[1] + flat[2] * flat[2] + 0.3;
    const double xy = flat[0] * flat[3] + flat[1] * flat[4] + flat[2] * flat[5];
    const double yy = flat[3] * flat[3] + flat[4] * flat[4] + flat[5] * flat[5] + 0.3, det = xx * yy - xy * xy;
    out->a = yy / det;
    out->b = -xy / det;
    out->c = xx / det;
    out->x = s->fx * v[0] / v[2] + s->cx - 0.5;
    out->y = s->fy * v[1] / v[2] + s->cy - 0.5;
    out->opacity = 1 / (1 + exp(-s->planes[10 * n + i]));
    out->depth = v[2];
    out->index = i;
    const double mid = (xx + yy) / 2, radius = ceil(3 * sqrt(mid + sqrt(fmax(0.1, mid * mid - det))));
    out->x0 = (int64_t)floor((out->x - radius) / 16) * 16;
    out->x1 = (int64_t)floor((out->x + radius + 15) / 16) * 16;
    out->y0 = (int64_t)floor((out->y - radius) / 16) * 16;
    out->y1 = (int64_t)floor((out->y + radius + 15) / 16) * 16;
    length = 0;
    for (int k = 0; k < 3; k++) {
        centre[k] = -(s->rotation[k] * s->translation[0] + s->rotation[3 + k] * s->translation[1] +
                      s->rotation[6 + k] * s->translation[2]);
        d[k] = p[k] - centre[k];
        length += d[k] * d[k];
    }
    for (int k = 0; k < 3; k++)
        d[k] /= sqrt(length);
    ref_basis(basis, d);
    for (int ch = 0; ch < 3; ch++) {
        out->colour[ch] = 0.5;
        for (int k = 0; k < (s->degree + 1) * (s->degree + 1); k++)
            out->colour[ch] += basis[k] * s->planes[(11 + 3 * k + ch) * n + i];
        out->colour[ch] = fmax(0, out->colour[ch]);
    }
    return 1;
}

static int ref_compare(const void *a, const void *b)
{
    const ref_splat *x = a, *y = b;
    const float dx = (float)x->depth, dy = (float)y->depth; /* ties as they are in single precision */
    return dx != dy ? (dx > dy) - (dx < dy) : (x->index > y->index) - (x->index < y->index);
}

static double ref_middle(double through)
{
    return fmin(fmax(through, 0.25), 0.75);
}

/* `out` is (3 + depth + opacity + extra, height, width). Depth: the sum, or the mean over the middle half of light. */
static void ref_render(double *out, const ref_scene *s)
{
    ref_splat *all = malloc(sizeof(*all) * (size_t)(s->count + 1));
    const int64_t plane = s->width * s->height;
    int64_t seen = 0;
    for (int64_t i = 0; i < s->count; i++)
        seen += ref_project(all + seen, s, i);
    qsort(all, (size_t)seen, sizeof(*all), ref_compare);
    memset(out, 0, sizeof(double) * (size_t)(plane * (5 + s->extra)));
    for (int64_t at = 0; at < plane; at++) {
        const int64_t px = at % s->width, py = at / s->width;
        double through = 1;
        for (int64_t i = 0; i < seen; i++) {
            const ref_splat *g = all + i;
            if (px < g->x0 || px >= g->x1 || py < g->y0 || py >= g->y1)
                continue;
            const double dx = (double)px - g->x, dy = (double)py - g->y;
            const double alpha =
                fmin(0.99, g->opacity * exp(-0.5 * (g->a * dx * dx + g->c * dy * dy) - g->b * dx * dy));
            if (alpha < 1.0 / 255)
                continue;
            if (through * (1 - alpha) < 1e-4)
                break;
            for (int ch = 0; ch < 3; ch++)
                out[ch * plane + at] += g->colour[ch] * alpha * through;
            out[3 * plane + at] += g->depth * (s->middle ? ref_middle(through) - ref_middle(through * (1 - alpha))
                                                         : alpha * through);
            for (int ch = 0; ch < s->extra; ch++)
                out[(5 + ch) * plane + at] += s->values[g->index * s->extra + ch] * alpha * through;
            through *= 1 - alpha;
        }
        for (int ch = 0; ch < 3; ch++)
            out[ch * plane + at] += s->background[ch] * through;
        out[4 * plane + at] = 1 - through;
        if (s->middle)
            out[3 * plane + at] /= fmax(0.75 - ref_middle(through), 1e-9);
    }
    free(all);
}

#endif
