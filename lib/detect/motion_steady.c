/* SPDX-License-Identifier: Apache-2.0 */
/* A camera that shakes or drifts by a little: each plane is brought back to where the first one looked, so that what
 * moves before the camera is measured and not the camera.
 *
 * Where a plane looks is Lucas and Kanade's shift (1981) of all of it against a slow mean of those before, at a quarter
 * and a half of its size, its pixels weighed by Cauchy's function so that things that move by themselves hardly count.
 * The shift is believed where some blocks in at least three quarters of the picture, and a fourth of all, agree better
 * with it than with the one before, and next to none agrees worse: a thing that moves before a plain wall is no camera.
 * Of a camera that moved a moment ago less is asked, for it is seldom still, and its small steps are not clear.
 * A camera that stands still leaves every plane as it is, to the bit. */
#include "detect/motion.h"

#include <math.h>

enum { ROUNDS = 4, LEAST_SIDE = 64, BLOCK = 12, MARGIN = 2, HISTOGRAM = 512 };
enum { RECENT = 16 };                  /* planes */
static const double SMALL = 0.015;     /* of the shorter side: a step that need not be clear */
static const double BETTER = 0.8;      /* share of the squared difference, from which a block agrees */
static const double MUCH_BETTER = 0.6; /* than as far off on the other side, where the error is twice as large */
static const double MOST_SHARE = 0.1;  /* of the shorter side: farther off it looks elsewhere */
static const double LEARN = 0.125;    /* of a plane, into the mean */
static const float LEAST_SCALE = 1;   /* grey levels of difference that are noise */

typedef physad__motion_steady steady;

/* --- sizes ---------------------------------------------------------------------------------------------------------
 */

physad_status physad__motion_steady_open(physad__motion_steady *s, physad_context *ctx, int64_t height, int64_t width)
{
    *s = (physad__motion_steady){ .mem = &ctx->mem, .height = height, .width = width };
    if (physad__min(height, width) < LEAST_SIDE)
        return PHYSAD_OK;
    s->plane = physad__alloc_array(s->mem, height * width, sizeof(float), "a frame");
    s->room = physad__alloc_array(s->mem, height * width, sizeof(float), "a frame");
    bool all = s->plane != NULL && s->room != NULL;
    for (int k = 0; k < PHYSAD__STEADY_LEVELS; k++) {
        physad__steady_level *l = &s->level[k];
        l->height = height >> (k + 1);
        l->width = width >> (k + 1);
        float **const planes[] = { &l->now, &l->usual, &l->gx, &l->gy };
        for (int64_t i = 0; i < PHYSAD__COUNT(planes); i++) {
            *planes[i] = physad__alloc_zero(s->mem, (size_t)(l->height * l->width) * sizeof(float), "a frame");
            all = all && *planes[i] != NULL;
        }
    }
    s->on = true;
    if (all)
        return PHYSAD_OK;
    physad__motion_steady_close(s);
    return PHYSAD_ERR_NOMEM;
}

void physad__motion_steady_close(physad__motion_steady *s)
{
    for (int k = 0; k < PHYSAD__STEADY_LEVELS; k++) {
        physad__free(s->level[k].now);
        physad__free(s->level[k].usual);
        physad__free(s->level[k].gx);
        physad__free(s->level[k].gy);
    }
    physad__free(s->plane);
    physad__free(s->room);
    *s = (physad__motion_steady){ 0 };
}

static void halve(const float *in, int64_t width, physad__steady_level *l)
{
    for (int64_t y = 0; y < l->height; y++)
        for (int64_t x = 0; x < l->width; x++) {
            const float *p = in + 2 * y * width + 2 * x;
            l->now[y * l->width + x] = 0.25f * (p[0] + p[1] + p[width] + p[width + 1]);
        }
}

static void gradients(physad__steady_level *l)
{
    const int64_t w = l->width;
    for (int64_t y = 1; y + 1 < l->height; y++)
        for (int64_t x = 1; x + 1 < w; x++) {
            const float *p = l->usual + y * w + x;
            l->gx[y * w + x] = (p[1] - p[-1]) / 2;
            l->gy[y * w + x] = (p[w] - p[-w]) / 2;
        }
}

/* --- the shift -----------------------------------------------------------------------------------------------------
 */

/* Between the pixels of a level, where all four are within it. */
static float between(const physad__steady_level *l, int64_t y, int64_t x, double dy, double dx)
{
    const double py = (double)y + dy, px = (double)x + dx;
    const int64_t y0 = (int64_t)py, x0 = (int64_t)px;
    const float fy = (float)(py - (double)y0), fx = (float)(px - (double)x0);
    const float *p = l->now + y0 * l->width + x0;
    const float top = p[0] + fx * (p[1] - p[0]), bottom = p[l->width] + fx * (p[l->width + 1] - p[l->width]);
    return top + fy * (bottom - top);
}

/* Pixels y0 .. y1 - 1, x0 .. x1 - 1 of a level that lie within it when shifted by up to `reach`. */
typedef struct inner {
    int64_t y0, y1, x0, x1;
} inner;

static inner inner_of(const physad__steady_level *l, double reach)
{
    const int64_t m = MARGIN + (int64_t)ceil(reach);
    return (inner){ m, l->height - m, m, l->width - m };
}

static float light_of(const physad__steady_level *l)
{
    double now = 0, usual = 0;
    for (int64_t i = 0; i < l->height * l->width; i++) {
        now += (double)l->now[i];
        usual += (double)l->usual[i];
    }
    return now > 1 ? (float)(usual / now) : 1;
}

/* The median difference at a shift, to quarters of a grey level. */
static float scale_of(const physad__steady_level *l, inner in, double dy, double dx, float light)
{
    int64_t bins[HISTOGRAM] = { 0 }, all = 0, seen = 0;
    for (int64_t y = in.y0; y < in.y1; y++)
        for (int64_t x = in.x0; x < in.x1; x++, all++)
            bins[(int)fminf(4 * fabsf(l->usual[y * l->width + x] - light * between(l, y, x, dy, dx)), HISTOGRAM - 1)]++;
    for (int i = 0; i < HISTOGRAM; i++) {
        seen += bins[i];
        if (2 * seen >= all)
            return fmaxf(((float)i + 0.5f) / 4, LEAST_SCALE);
    }
    return LEAST_SCALE;
}

/* One round of Gauss and Newton's; false where there is nothing to hold on to. */
static bool improve(const physad__steady_level *l, inner in, double *dy, double *dx, float light, float scale)
{
    double xx = 0, xy = 0, yy = 0, tx = 0, ty = 0;
    const float unit = 1 / (2 * scale);
    for (int64_t y = in.y0; y < in.y1; y++)
        for (int64_t x = in.x0; x < in.x1; x++) {
            const int64_t i = y * l->width + x;
            const float e = l->usual[i] - light * between(l, y, x, *dy, *dx);
            const float w = 1 / (1 + e * unit * e * unit), gx = w * l->gx[i], gy = w * l->gy[i];
            xx += (double)(gx * l->gx[i]);
            xy += (double)(gx * l->gy[i]);
            yy += (double)(gy * l->gy[i]);
            tx += (double)(gx * e);
            ty += (double)(gy * e);
        }
    const double det = xx * yy - xy * xy;
    if (!(det > 1e-3 * (xx + yy) * (xx + yy)) || !(xx + yy > 1))
        return false;
    *dx += fmin(fmax((yy * tx - xy * ty) / det, -1), 1);
    *dy += fmin(fmax((xx * ty - xy * tx) / det, -1), 1);
    return true;
}

static double reach_of(double dy, double dx)
{
    return fmax(fabs(dy), fabs(dx)) + ROUNDS;
}

/* Shift of the plane, in its pixels, found from that of the one before. */
static bool find_shift(const steady *s, double *dy, double *dx, float light)
{
    for (int k = PHYSAD__STEADY_LEVELS - 1; k >= 0; k--) {
        const physad__steady_level *l = &s->level[k];
        const double size = (double)(2 << k);
        double y = *dy / size, x = *dx / size;
        const inner in = inner_of(l, reach_of(y, x));
        const float scale = scale_of(l, in, y, x, light);
        for (int round = 0; round < ROUNDS; round++)
            if (!improve(l, in, &y, &x, light, scale))
                return false;
        *dy = y * size;
        *dx = x * size;
    }
    return fmax(fabs(*dy), fabs(*dx)) < 2 * MOST_SHARE * (double)physad__min(s->height, s->width);
}

static double difference(const physad__steady_level *l, inner b, double dy, double dx, float light)
{
    double sum = 0;
    for (int64_t y = b.y0; y < b.y1; y++)
        for (int64_t x = b.x0; x < b.x1; x++) {
            const double d = (double)(l->usual[y * l->width + x] - light * between(l, y, x, dy, dx));
            sum += d * d;
        }
    return sum;
}

/* Whether blocks all over the picture agree with a shift: more than with the one before, and more than with what lies
 * as far off on its other side. Between pixels noise is averaged away, by as much on either side, and each shift there
 * would agree better than a camera that stands still. Of one that `shakes`, as many may agree less as
 * more. */
static bool believed(const steady *s, double dy, double dx, float light, bool shakes)
{
    const double share = shakes ? 1 : BETTER;
    const physad__steady_level *l = &s->level[0];
    const double ny = dy / 2, nx = dx / 2, oy = s->y / 2, ox = s->x / 2, ay = 2 * oy - ny, ax = 2 * ox - nx;
    const inner in = inner_of(l, fmax(fmax(reach_of(ny, nx), reach_of(oy, ox)), reach_of(ay, ax)));
    int64_t blocks = 0, better = 0, worse = 0;
    int64_t quarter[4] = { 0 }, agreeing = 0;
    for (int64_t y = in.y0; y + BLOCK <= in.y1; y += BLOCK)
        for (int64_t x = in.x0; x + BLOCK <= in.x1; x += BLOCK, blocks++) {
            const inner b = { y, y + BLOCK, x, x + BLOCK };
            const double now = difference(l, b, ny, nx, light), before = difference(l, b, oy, ox, light);
            worse += before < share * now;
            if (now < share * before && (shakes || now < MUCH_BETTER * difference(l, b, ay, ax, light))) {
                better++;
                quarter[2 * (2 * y + BLOCK > l->height) + (2 * x + BLOCK > l->width)]++;
            }
        }
    for (int k = 0; k < 4; k++)
        agreeing += quarter[k] > blocks / 24; /* one may agree by chance */
    return agreeing >= 3 && (shakes ? better >= worse : 4 * better >= blocks && 4 * worse <= better);
}

/* --- planes --------------------------------------------------------------------------------------------------------
 */

/* Catmull and Rom's weights of four neighbours. */
static void weights_of(double part, float *w)
{
    const double t = part, t2 = t * t, t3 = t2 * t;
    w[0] = (float)((-t3 + 2 * t2 - t) / 2);
    w[1] = (float)((3 * t3 - 5 * t2 + 2) / 2);
    w[2] = (float)((-3 * t3 + 4 * t2 + t) / 2);
    w[3] = (float)((t3 - t2) / 2);
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void shift_plane(const steady *s, const float *in)
{
    const int64_t h = s->height, w = s->width, iy = (int64_t)floor(s->y), ix = (int64_t)floor(s->x);
    float wy[4], wx[4];
    weights_of(s->y - (double)iy, wy);
    weights_of(s->x - (double)ix, wx);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            float sum = 0;
            for (int k = 0; k < 4; k++)
                sum += wx[k] * in[y * w + clamp(x + ix + k - 1, w)];
            s->room[y * w + x] = sum;
        }
    for (int64_t y = 0; y < h; y++) {
        const float *r[4];
        for (int k = 0; k < 4; k++)
            r[k] = s->room + clamp(y + iy + k - 1, h) * w;
        for (int64_t x = 0; x < w; x++)
            s->plane[y * w + x] = wy[0] * r[0][x] + wy[1] * r[1][x] + wy[2] * r[2][x] + wy[3] * r[3][x];
    }
}

/* The plane, brought back, becomes part of the mean. */
static void learn(steady *s, float light)
{
    for (int k = 0; k < PHYSAD__STEADY_LEVELS; k++) {
        physad__steady_level *l = &s->level[k];
        const double dy = s->y / (double)(2 << k), dx = s->x / (double)(2 << k);
        const inner in = inner_of(l, fmax(fabs(dy), fabs(dx)));
        for (int64_t y = in.y0; y < in.y1; y++)
            for (int64_t x = in.x0; x < in.x1; x++) {
                float *p = &l->usual[y * l->width + x];
                *p += (float)LEARN * (light * between(l, y, x, dy, dx) - *p);
            }
    }
}

static void look_anew(steady *s)
{
    s->y = s->x = 0;
    for (int k = 0; k < PHYSAD__STEADY_LEVELS; k++)
        memcpy(s->level[k].usual, s->level[k].now, (size_t)(s->level[k].height * s->level[k].width) * sizeof(float));
}

const float *physad__motion_steady_push(physad__motion_steady *s, const float *plane)
{
    s->step = 0;
    if (!s->on)
        return plane;
    halve(plane, s->width, &s->level[0]);
    for (int k = 1; k < PHYSAD__STEADY_LEVELS; k++)
        halve(s->level[k - 1].now, s->level[k - 1].width, &s->level[k]);
    if (s->planes++ == 0) {
        look_anew(s);
        return plane;
    }
    const float light = light_of(&s->level[0]);
    double y = s->y, x = s->x;
    for (int k = 0; k < PHYSAD__STEADY_LEVELS; k++)
        gradients(&s->level[k]);
    const bool found = find_shift(s, &y, &x, light), clear = found && believed(s, y, x, light, false);
    if (clear)
        s->shakes = s->planes;
    const bool small = hypot(y - s->y, x - s->x) <= SMALL * (double)physad__min(s->height, s->width);
    const bool shakes = small && s->shakes > 0 && s->planes - s->shakes <= RECENT;
    if (clear || (found && shakes && believed(s, y, x, light, true))) {
        s->step = hypot(y - s->y, x - s->x);
        s->y = y;
        s->x = x;
    }
    s->farthest = fmax(s->farthest, hypot(s->y, s->x));
    if (hypot(s->y, s->x) > MOST_SHARE * (double)physad__min(s->height, s->width)) {
        look_anew(s);
        return plane;
    }
    learn(s, light);
    if (s->y == 0 && s->x == 0)
        return plane;
    shift_plane(s, plane);
    return s->plane;
}
