/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to cells: how much each place changes, and whereto it moves.
 *
 * Flow is Lucas and Kanade's (An Iterative Image Registration Technique, 1981), dense, coarse to fine over three sizes,
 * two rounds at each, the normal equations regularised so that places without texture keep the coarser answer. Threads
 * share rows; every pixel is computed the same way whichever thread has it. */
#include "detect/motion.h"

#include "physad_config.h"

#include <math.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

enum { CELL = PHYSAD__MOTION_CELL, RADIUS = 3, ROUNDS = 2, LEAST_SIDE = 32, HISTOGRAM = 256, LIGHT_BINS = 1024 };
static const float REGULAR = 20, LEAST_FLOW = 0.25f, MOST_STEP = 2;
static const float LEAST_CHANGE = 3, MOST_CHANGE = 5; /* grey levels that count as change, by the noise */
static const float LEAST_NOISE = 1, MOST_NOISE = 2;   /* mean change of a cell that counts as none */
static const float DARKEST = 12, WHITEST = 250;       /* grey levels between which light is measured */
static const float LEAST_LIGHT = 0.004f, MOST_LIGHT = 2; /* by how much it changes from frame to frame */
static const float BLUR[4] = { 0.39905f, 0.24204f, 0.05401f,
                               0.00443f }; /* Gaussian of 1 pixel, sums to 1 over both sides */

#ifdef PHYSAD_HAVE_OPENMP
#define ROWS_IN_PARALLEL _Pragma("omp parallel for schedule(static)")
#else
#define ROWS_IN_PARALLEL
#endif

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* --- sizes ---------------------------------------------------------------------------------------------------------
 */

physad_status physad__motion_size(int64_t height, int64_t width, int64_t most, int64_t *out_height, int64_t *out_width)
{
    *out_height = physad__min(height, most);
    *out_width = (int64_t)((double)width * (double)*out_height / (double)height + 0.5);
    if (*out_height < LEAST_SIDE || *out_width < LEAST_SIDE || *out_width > 8192)
        return physad__error(PHYSAD_ERR_SHAPE,
                             "frames of %lld x %lld pixels become %lld x %lld; want sides of 32 to 8192",
                             (long long)width, (long long)height, (long long)*out_width, (long long)*out_height);
    return PHYSAD_OK;
}

static physad_status open_level(physad__motion_level *l, physad__mem *mem, int64_t height, int64_t width)
{
    float **const planes[] = { &l->image[0], &l->image[1], &l->u, &l->v, &l->gx, &l->gy, &l->xx, &l->xy, &l->yy, &l->tx,
                               &l->ty, &l->row };
    l->height = height;
    l->width = width;
    for (int64_t i = 0; i < PHYSAD__COUNT(planes); i++) {
        *planes[i] = physad__alloc_zero(mem, (size_t)(height * width) * sizeof(float), "flow");
        if (*planes[i] == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

void physad__motion_front_close(physad__motion_front *front)
{
    for (int64_t i = 0; i < PHYSAD__MOTION_LEVELS; i++) {
        physad__motion_level *l = &front->level[i];
        float *const planes[] = { l->image[0], l->image[1], l->u,  l->v,  l->gx, l->gy,
                                  l->xx,       l->xy,       l->yy, l->tx, l->ty, l->row };
        for (int64_t k = 0; k < PHYSAD__COUNT(planes); k++)
            physad__free(planes[k]);
    }
    *front = (physad__motion_front){ 0 };
}

physad_status physad__motion_front_open(physad__motion_front *front, physad_context *ctx, int64_t height, int64_t width)
{
    *front = (physad__motion_front){ .height = height, .width = width };
    front->rows = height / CELL;
    front->columns = width / CELL;
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; i < PHYSAD__MOTION_LEVELS && status == PHYSAD_OK; i++) {
        if (i > 0 && physad__min(height, width) < LEAST_SIDE)
            break;
        status = open_level(&front->level[i], &ctx->mem, height, width);
        front->levels = i + 1;
        height /= 2;
        width /= 2;
    }
    if (status != PHYSAD_OK)
        physad__motion_front_close(front);
    return status;
}

/* --- blurring and halving -------------------------------------------------------------------------------------------
 */

static void blur(const float *in, float *room, float *out, int64_t height, int64_t width)
{
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const float *r = in + y * width;
            float sum = BLUR[0] * r[x];
            for (int64_t k = 1; k < 4; k++)
                sum += BLUR[k] * (r[clamp(x - k, width)] + r[clamp(x + k, width)]);
            room[y * width + x] = sum;
        }
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            float sum = BLUR[0] * room[y * width + x];
            for (int64_t k = 1; k < 4; k++)
                sum += BLUR[k] * (room[clamp(y - k, height) * width + x] + room[clamp(y + k, height) * width + x]);
            out[y * width + x] = sum;
        }
}

static void halve(const float *in, int64_t width, float *out, int64_t height, int64_t columns)
{
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < columns; x++) {
            const float *p = in + 2 * y * width + 2 * x;
            out[y * columns + x] = 0.25f * (p[0] + p[1] + p[width] + p[width + 1]);
        }
}

static void make_tiny(const float *in, int64_t height, int64_t width, float *tiny)
{
    double mean = 0;
    for (int64_t ty = 0; ty < PHYSAD__TINY_HEIGHT; ty++)
        for (int64_t tx = 0; tx < PHYSAD__TINY_WIDTH; tx++) {
            const int64_t y0 = ty * height / PHYSAD__TINY_HEIGHT,
                          y1 = physad__max(y0 + 1, (ty + 1) * height / PHYSAD__TINY_HEIGHT);
            const int64_t x0 = tx * width / PHYSAD__TINY_WIDTH,
                          x1 = physad__max(x0 + 1, (tx + 1) * width / PHYSAD__TINY_WIDTH);
            double sum = 0;
            for (int64_t y = y0; y < y1; y++)
                for (int64_t x = x0; x < x1; x++)
                    sum += (double)in[y * width + x];
            sum /= (double)((y1 - y0) * (x1 - x0));
            tiny[ty * PHYSAD__TINY_WIDTH + tx] = (float)sum;
            mean += sum;
        }
    for (int64_t i = 0; i < PHYSAD__TINY; i++)
        tiny[i] -= (float)(mean / PHYSAD__TINY);
}

/* --- flow ----------------------------------------------------------------------------------------------------------
 */

/* Means over windows of 7 x 7, in place. */
static void window(float *plane, float *room, int64_t height, int64_t width)
{
    const float share = 1.0f / ((2 * RADIUS + 1) * (2 * RADIUS + 1));
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            float sum = 0;
            for (int64_t k = -RADIUS; k <= RADIUS; k++)
                sum += plane[y * width + clamp(x + k, width)];
            room[y * width + x] = sum;
        }
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < height; y++) {
        float *o = plane + y * width;
        memset(o, 0, (size_t)width * sizeof(*o));
        for (int64_t k = -RADIUS; k <= RADIUS; k++) {
            const float *r = room + clamp(y + k, height) * width;
            for (int64_t x = 0; x < width; x++)
                o[x] += r[x];
        }
        for (int64_t x = 0; x < width; x++)
            o[x] *= share;
    }
}

/* Sobel's gradient, and its products as means. */
static void gradients(physad__motion_level *l, const float *image)
{
    const int64_t h = l->height, w = l->width;
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < h; y++) {
        const float *a = image + clamp(y - 1, h) * w, *b = image + y * w, *c = image + clamp(y + 1, h) * w;
        for (int64_t x = 0; x < w; x++) {
            const int64_t i = y * w + x, p = clamp(x - 1, w), n = clamp(x + 1, w);
            l->gx[i] = (a[n] - a[p] + 2 * (b[n] - b[p]) + c[n] - c[p]) / 8;
            l->gy[i] = (c[p] - a[p] + 2 * (c[x] - a[x]) + c[n] - a[n]) / 8;
            l->xx[i] = l->gx[i] * l->gx[i];
            l->xy[i] = l->gx[i] * l->gy[i];
            l->yy[i] = l->gy[i] * l->gy[i];
        }
    }
    window(l->xx, l->row, h, w);
    window(l->xy, l->row, h, w);
    window(l->yy, l->row, h, w);
}

static float at(const float *image, int64_t h, int64_t w, float y, float x)
{
    y = fminf(fmaxf(y, 0), (float)(h - 1));
    x = fminf(fmaxf(x, 0), (float)(w - 1));
    const int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = physad__min(y0 + 1, h - 1), x1 = physad__min(x0 + 1, w - 1);
    const float fy = y - (float)y0, fx = x - (float)x0;
    const float top = image[y0 * w + x0] + fx * (image[y0 * w + x1] - image[y0 * w + x0]);
    const float bottom = image[y1 * w + x0] + fx * (image[y1 * w + x1] - image[y1 * w + x0]);
    return top + fy * (bottom - top);
}

static float limited(float step)
{
    return fminf(fmaxf(step, -MOST_STEP), MOST_STEP);
}

static void refine(physad__motion_level *l, const float *image, const float *before)
{
    const int64_t h = l->height, w = l->width;
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const int64_t i = y * w + x;
            const float d = image[i] - at(before, h, w, (float)y + l->v[i], (float)x + l->u[i]);
            l->tx[i] = l->gx[i] * d;
            l->ty[i] = l->gy[i] * d;
        }
    window(l->tx, l->row, h, w);
    window(l->ty, l->row, h, w);
    ROWS_IN_PARALLEL
    for (int64_t i = 0; i < h * w; i++) {
        const float xx = l->xx[i] + REGULAR, yy = l->yy[i] + REGULAR, det = xx * yy - l->xy[i] * l->xy[i];
        l->u[i] += limited((yy * l->tx[i] - l->xy[i] * l->ty[i]) / det);
        l->v[i] += limited((xx * l->ty[i] - l->xy[i] * l->tx[i]) / det);
    }
}

/* The coarser answer, twice as large. */
static void take_coarser(physad__motion_level *l, const physad__motion_level *coarse)
{
    const int64_t h = l->height, w = l->width;
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const float cy = ((float)y + 0.5f) / 2 - 0.5f, cx = ((float)x + 0.5f) / 2 - 0.5f;
            l->u[y * w + x] = 2 * at(coarse->u, coarse->height, coarse->width, cy, cx);
            l->v[y * w + x] = 2 * at(coarse->v, coarse->height, coarse->width, cy, cx);
        }
}

static void find_flow(physad__motion_front *f)
{
    for (int64_t k = f->levels - 1; k >= 0; k--) {
        physad__motion_level *l = &f->level[k];
        const size_t bytes = (size_t)(l->height * l->width) * sizeof(float);
        if (k == f->levels - 1) {
            memset(l->u, 0, bytes);
            memset(l->v, 0, bytes);
        } else {
            take_coarser(l, &f->level[k + 1]);
        }
        gradients(l, l->image[f->now]);
        for (int round = 0; round < ROUNDS; round++)
            refine(l, l->image[f->now], l->image[1 - f->now]);
    }
}

/* --- cells ---------------------------------------------------------------------------------------------------------
 */

/* The median of |now - before| over all pixels, to quarters of a grey level. */
static float median_change(const float *a, const float *b, int64_t count)
{
    int64_t bins[HISTOGRAM] = { 0 }, seen = 0;
    for (int64_t i = 0; i < count; i++)
        bins[(int)fminf(4 * fabsf(a[i] - b[i]), HISTOGRAM - 1)]++;
    for (int i = 0; i < HISTOGRAM; i++) {
        seen += bins[i];
        if (2 * seen >= count)
            return ((float)i + 0.5f) / 4;
    }
    return 0;
}

/* Shares `amount` between the two bins next to `place` on a circle of `count`. */
static void put_around(float *bins, int count, float place, float amount)
{
    const float low = floorf(place);
    const int i = (((int)low % count) + count) % count;
    bins[i] += amount * (1 - (place - low));
    bins[(i + 1) % count] += amount * (place - low);
}

static void add_pixel(physad__cell *c, const physad__motion_level *l, int64_t i, float change, float least)
{
    static const float turn = 6.2831853f;
    const float u = -l->u[i], v = -l->v[i], length = sqrtf(u * u + v * v); /* from the frame before to this one */
    const float gx = l->gx[i], gy = l->gy[i], steep = sqrtf(gx * gx + gy * gy);
    c->energy += change;
    put_around(c->edges, PHYSAD__MOTION_EDGES, atan2f(gy, gx) / turn * 2 * PHYSAD__MOTION_EDGES, steep);
    if (length <= LEAST_FLOW || change <= least)
        return;
    c->u += u;
    c->v += v;
    c->flow += length;
    c->moving += 1;
    c->square += length * length;
    put_around(c->toward, PHYSAD__MOTION_DIRECTIONS, atan2f(v, u) / turn * PHYSAD__MOTION_DIRECTIONS, length);
}

static void fill_cell(const physad__motion_front *f, physad__cell *c, int64_t row, int64_t column, float least,
                      float noise)
{
    const physad__motion_level *l = &f->level[0];
    const float *now = l->image[f->now], *before = l->image[1 - f->now];
    float sum = 0, square = 0;
    memset(c, 0, sizeof(*c));
    for (int64_t y = row * CELL; y < (row + 1) * CELL; y++)
        for (int64_t x = column * CELL; x < (column + 1) * CELL; x++) {
            const int64_t i = y * l->width + x;
            add_pixel(c, l, i, fabsf(now[i] - before[i]), least);
            sum += now[i];
            square += now[i] * now[i];
        }
    float *values = (float *)(void *)c;
    for (int k = 0; k < PHYSAD__CELL_FLOATS; k++)
        values[k] /= CELL * CELL;
    sum /= CELL * CELL;
    c->energy = fmaxf(c->energy - noise, 0);
    c->contrast = sqrtf(fmaxf(square / (CELL * CELL) - sum * sum, 0));
}

static void fill_cells(const physad__motion_front *f, physad__cell *cells)
{
    const physad__motion_level *l = &f->level[0];
    const float median = median_change(l->image[0], l->image[1], l->height * l->width);
    const float least = fminf(fmaxf(4 * median, LEAST_CHANGE), MOST_CHANGE);
    const float noise = fminf(fmaxf(2 * median, LEAST_NOISE), MOST_NOISE);
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < f->rows; y++)
        for (int64_t x = 0; x < f->columns; x++)
            fill_cell(f, &cells[y * f->columns + x], y, x, least, noise);
}

/* --- light ---------------------------------------------------------------------------------------------------------
 */

/* How much brighter a frame is than the one before: the median ratio of pixels that are neither dark nor white, for
 * most of what is seen keeps its place. A change too small to show beside noise is none. */
static float brightening(const float *now, const float *before, int64_t count)
{
    int64_t bins[LIGHT_BINS] = { 0 }, all = 0, seen = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!(now[i] > DARKEST && before[i] > DARKEST && now[i] < WHITEST && before[i] < WHITEST))
            continue;
        const float at = (now[i] / before[i] - 1 / MOST_LIGHT) / (MOST_LIGHT - 1 / MOST_LIGHT) * LIGHT_BINS;
        bins[(int)fminf(fmaxf(at, 0), LIGHT_BINS - 1)]++;
        all++;
    }
    for (int i = 0; i < LIGHT_BINS; i++) {
        const int64_t below = seen;
        seen += bins[i];
        if (all > 0 && 2 * seen >= all) {
            const float within = ((float)all / 2 - (float)below) / (float)bins[i];
            const float ratio = 1 / MOST_LIGHT + ((float)i + within) / LIGHT_BINS * (MOST_LIGHT - 1 / MOST_LIGHT);
            return 4 * all >= count && fabsf(ratio - 1) > LEAST_LIGHT ? ratio : 1;
        }
    }
    return 1;
}

/* Brings the frame before to the light of this one. */
static void match_light(physad__motion_front *f)
{
    physad__motion_level *l = f->level;
    const float ratio = brightening(l->image[f->now], l->image[1 - f->now], l->height * l->width);
    for (int64_t k = 0; k < f->levels && ratio != 1; k++)
        for (int64_t i = 0; i < l[k].height * l[k].width; i++)
            l[k].image[1 - f->now][i] *= ratio;
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static void take_plane(physad__motion_front *front, const float *plane)
{
    physad__motion_level *l = front->level;
    front->now = 1 - front->now;
    blur(plane, l[0].row, l[0].image[front->now], l[0].height, l[0].width);
    for (int64_t k = 1; k < front->levels; k++)
        halve(l[k - 1].image[front->now], l[k - 1].width, l[k].image[front->now], l[k].height, l[k].width);
    front->frames++;
}

void physad__motion_front_push(physad__motion_front *front, const float *plane, physad__cell *cells, float *tiny)
{
    make_tiny(plane, front->height, front->width, tiny);
    take_plane(front, plane);
    if (front->frames > 1) {
        match_light(front);
        find_flow(front);
        fill_cells(front, cells);
    }
}

void physad__motion_front_between(physad__motion_front *front, const float *before, const float *now)
{
    take_plane(front, before);
    take_plane(front, now);
    match_light(front);
    find_flow(front);
}

/* Both frames along the flow: what a pixel shows was `part` of the way from the one before. */
void physad__motion_front_blend(const physad__motion_front *front, const float *before, const float *now, float part,
                                float *out)
{
    const physad__motion_level *l = front->level;
    const int64_t h = l->height, w = l->width;
    ROWS_IN_PARALLEL
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const float u = l->u[y * w + x], v = l->v[y * w + x];
            const float a = at(before, h, w, (float)y + part * v, (float)x + part * u);
            const float b = at(now, h, w, (float)y - (1 - part) * v, (float)x - (1 - part) * u);
            out[y * w + x] = a + part * (b - a);
        }
}
