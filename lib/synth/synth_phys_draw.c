/* SPDX-License-Identifier: Apache-2.0 */
/* Flat shapes with a bevel and a soft shadow, antialiased by their distance. */
#include "synth/synth_phys.h"

#include <math.h>

enum { DISC, RING, ROD, BLOCK, GEAR };

typedef struct shape {
    int kind, teeth;
    double x, y, dx, dy; /* centre; of rods the way to the other end */
    double a, b;         /* radius and thickness, half sides */
    double sine, cosine; /* of the turn */
    double reach;        /* nothing is farther from the centre */
} shape;

static double distance(const shape *s, double x, double y)
{
    double u = x - s->x, v = y - s->y;
    switch (s->kind) {
    case DISC: return hypot(u, v) - s->a;
    case RING: return fabs(hypot(u, v) - s->a) - s->b;
    case ROD: {
        const double length = s->dx * s->dx + s->dy * s->dy;
        const double t = length > 0 ? fmin(fmax((u * s->dx + v * s->dy) / length, 0), 1) : 0;
        return hypot(u - t * s->dx, v - t * s->dy) - s->a;
    }
    case BLOCK: {
        const double p = fabs(u * s->cosine + v * s->sine) - s->a, q = fabs(v * s->cosine - u * s->sine) - s->b;
        return hypot(fmax(p, 0), fmax(q, 0)) + fmin(fmax(p, q), 0) - 0.015;
    }
    default: { /* a gear: a disc whose radius swings; the slope is allowed for roughly */
        const double r = hypot(u, v), angle = atan2(v * s->cosine - u * s->sine, u * s->cosine + v * s->sine);
        const double tooth = fmin(fmax(2.2 * cos(s->teeth * angle), -1), 1);
        return (r - s->a * (1 + 0.09 * tooth)) * 0.8;
    }
    }
}

static void mix(float *pixel, const physad__tone *tone, double light, double cover)
{
    const double values[3] = { tone->r * light, tone->g * light, tone->b * light };
    for (int c = 0; c < 3; c++)
        pixel[c] += (float)(cover * (values[c] - pixel[c]));
}

/* The pixels that the shape, moved by (ox, oy), may touch. */
static void bounds(const physad__flat_view *v, const shape *s, double more, int64_t box[4])
{
    const double c = cos(v->turn), n = sin(v->turn);
    const double px = v->x + v->scale * (c * s->x - n * s->y), py = v->y - v->scale * (n * s->x + c * s->y);
    const double reach = v->scale * (s->reach + more) + 2;
    box[0] = physad__max(0, (int64_t)floor(py - reach));
    box[1] = physad__min(v->height, (int64_t)ceil(py + reach));
    box[2] = physad__max(0, (int64_t)floor(px - reach));
    box[3] = physad__min(v->width, (int64_t)ceil(px + reach));
}

static void to_world(const physad__flat_view *v, int64_t py, int64_t px, double *x, double *y)
{
    const double c = cos(v->turn), n = sin(v->turn);
    const double u = ((double)px + 0.5 - v->x) / v->scale, w = (v->y - (double)py - 0.5) / v->scale;
    *x = c * u + n * w;
    *y = c * w - n * u;
}

static void draw_shadow(physad__flat *f, const shape *s)
{
    const physad__flat_view *v = f->view;
    const double blur = 0.06;
    shape moved = *s;
    int64_t box[4];
    moved.x -= 0.05 * v->light[0];
    moved.y -= 0.05 * v->light[1];
    bounds(v, &moved, blur, box);
    for (int64_t py = box[0]; py < box[1]; py++)
        for (int64_t px = box[2]; px < box[3]; px++) {
            double x, y;
            float *pixel = f->pixels + 3 * (py * v->width + px);
            const float *back = f->back + 3 * (py * v->width + px);
            to_world(v, py, px, &x, &y);
            const double d = distance(&moved, x, y), shade = d >= blur ? 0 : d <= -blur ? 1 : 0.5 - 0.5 * d / blur;
            for (int c = 0; c < 3; c++) /* not twice where two shadows meet */
                pixel[c] = fminf(pixel[c], (float)(back[c] * (1 - 0.35 * shade)));
        }
}

static void draw_shape(physad__flat *f, const shape *s, const physad__tone *tone)
{
    const physad__flat_view *v = f->view;
    const double bevel = 0.05, step = 0.004;
    int64_t box[4];
    if (f->shadows) {
        draw_shadow(f, s);
        return;
    }
    bounds(v, s, 0, box);
    for (int64_t py = box[0]; py < box[1]; py++)
        for (int64_t px = box[2]; px < box[3]; px++) {
            double x, y, light = v->power * 0.85;
            to_world(v, py, px, &x, &y);
            const double d = distance(s, x, y), cover = fmin(fmax(0.5 - d * v->scale, 0), 1);
            if (cover <= 0)
                continue;
            if (d > -bevel) {
                const double gx = (distance(s, x + step, y) - d) / step, gy = (distance(s, x, y + step) - d) / step;
                light += v->power * 0.35 * (1 + d / bevel) * (gx * v->light[0] + gy * v->light[1]);
            }
            mix(f->pixels + 3 * (py * v->width + px), tone, light, cover);
        }
}

void physad__flat_disc(physad__flat *f, double x, double y, double radius, physad__tone tone)
{
    const shape s = { .kind = DISC, .x = x, .y = y, .a = radius, .reach = radius };
    draw_shape(f, &s, &tone);
}

void physad__flat_ring(physad__flat *f, double x, double y, double radius, double thick, physad__tone tone)
{
    const shape s = { .kind = RING, .x = x, .y = y, .a = radius, .b = thick, .reach = radius + thick };
    draw_shape(f, &s, &tone);
}

void physad__flat_rod(physad__flat *f, double x0, double y0, double x1, double y1, double radius, physad__tone tone)
{
    const shape s = { .kind = ROD,
                      .x = x0,
                      .y = y0,
                      .dx = x1 - x0,
                      .dy = y1 - y0,
                      .a = radius,
                      .reach = hypot(x1 - x0, y1 - y0) + radius };
    draw_shape(f, &s, &tone);
}

void physad__flat_block(physad__flat *f, double x, double y, double half_width, double half_height, double turn,
                        physad__tone tone)
{
    const shape s = { .kind = BLOCK,
                      .x = x,
                      .y = y,
                      .a = half_width,
                      .b = half_height,
                      .sine = sin(turn),
                      .cosine = cos(turn),
                      .reach = hypot(half_width, half_height) + 0.02 };
    draw_shape(f, &s, &tone);
}

void physad__flat_gear(physad__flat *f, double x, double y, double radius, int32_t teeth, double turn,
                       physad__tone tone)
{
    const shape s = { .kind = GEAR,
                      .teeth = teeth,
                      .x = x,
                      .y = y,
                      .a = radius,
                      .sine = sin(turn),
                      .cosine = cos(turn),
                      .reach = 1.15 * radius };
    draw_shape(f, &s, &tone);
}

/* --- wall and sensor -----------------------------------------------------------------------------------------------
 */

void physad__flat_back(float *out, const physad__flat_view *view, physad__rng *rng)
{
    enum { CELLS = 24 };
    float grain[CELLS + 1][CELLS + 1];
    const double hue = physad__rng_uniform(rng);
    const double tone[3] = { 0.42 + 0.06 * hue, 0.44, 0.48 - 0.06 * hue };
    for (int i = 0; i <= CELLS; i++)
        for (int k = 0; k <= CELLS; k++)
            grain[i][k] = (float)(0.05 * physad__rng_normal(rng));
    for (int64_t y = 0; y < view->height; y++)
        for (int64_t x = 0; x < view->width; x++) {
            const double v = (double)y / view->height * CELLS, u = (double)x / view->width * CELLS;
            const int i = (int)v, k = (int)u;
            const double fv = v - i, fu = u - k;
            const double g = (1 - fv) * ((1 - fu) * grain[i][k] + fu * grain[i][k + 1]) +
                             fv * ((1 - fu) * grain[i + 1][k] + fu * grain[i + 1][k + 1]);
            const double fall = 1 + 0.18 * (view->light[0] * (u / CELLS - 0.5) - view->light[1] * (v / CELLS - 0.5));
            for (int c = 0; c < 3; c++)
                out[3 * (y * view->width + x) + c] = (float)(view->power * fall * (tone[c] + g));
        }
}

void physad__flat_develop(uint8_t *rgb, const physad__flat *f, double noise, physad__rng *rng)
{
    static const double spread = 3.4641016151377544; /* of a uniform number with standard deviation 1 */
    const int64_t count = (int64_t)f->view->height * f->view->width * 3;
    uint64_t bits = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            bits = physad__rng_next(rng);
        const double n = ((double)(bits & 0xffff) / 65536 - 0.5) * spread;
        bits >>= 16;
        const double value = sqrt(fmax(f->pixels[i], 0)) + noise * n; /* about a display's curve */
        rgb[i] = (uint8_t)(fmin(fmax(value, 0), 1) * 255 + 0.5);
    }
}
