/* SPDX-License-Identifier: Apache-2.0 */
/* Where an explanation's pixels lie beside the photo's: depths, lenses and poses are a few pixels off, a defect is not.
 * Lucas and Kanade over a pyramid that stops at half size, in windows of about 30 pixels of the photo: what is smaller
 * stays where it is. */
#include "detect/splat_bank.h"

#include <math.h>

#define LEVELS 5   /* the photo's size and its halves */
#define FINEST 1   /* level that flow is found at */
#define ROUNDS 3
#define RADIUS 7   /* of windows, pixels of a level */
#define TIDY 2     /* of the flow's own smoothing */
#define REGULAR 2e-5f
#define WIDE 0.01f /* squared differences beyond it lose their pull */

typedef struct level {
    int64_t height, width;
    const float *photo, *other, *weight;
} level;

/* --- planes --- */

static int64_t clamp(int64_t i, int64_t n)
{
    return physad__min(physad__max(i, 0), n - 1);
}

void physad__splat_bank_box(float *plane, float *room, int64_t height, int64_t width, int64_t radius)
{
    const float share = 1 / (float)((2 * radius + 1) * (2 * radius + 1));
    for (int64_t y = 0; y < height; y++) {
        const float *row = plane + y * width;
        float sum = 0;
        for (int64_t k = -radius; k <= radius; k++)
            sum += row[clamp(k, width)];
        for (int64_t x = 0; x < width; x++) {
            room[y * width + x] = sum;
            sum += row[clamp(x + radius + 1, width)] - row[clamp(x - radius, width)];
        }
    }
    for (int64_t y = 0; y < height; y++) {
        float *out = plane + y * width;
        memset(out, 0, (size_t)width * sizeof(float));
        for (int64_t k = -radius; k <= radius; k++) {
            const float *row = room + clamp(y + k, height) * width;
            for (int64_t x = 0; x < width; x++)
                out[x] += row[x];
        }
        for (int64_t x = 0; x < width; x++)
            out[x] *= share;
    }
}

float physad__splat_bank_at(const float *plane, int64_t height, int64_t width, float x, float y)
{
    x = fminf(fmaxf(x, 0), (float)(width - 1));
    y = fminf(fmaxf(y, 0), (float)(height - 1));
    const int64_t x0 = (int64_t)x, y0 = (int64_t)y, x1 = physad__min(x0 + 1, width - 1),
                  y1 = physad__min(y0 + 1, height - 1);
    const float fx = x - (float)x0, fy = y - (float)y0;
    const float top = plane[y0 * width + x0] + fx * (plane[y0 * width + x1] - plane[y0 * width + x0]);
    const float bottom = plane[y1 * width + x0] + fx * (plane[y1 * width + x1] - plane[y1 * width + x0]);
    return top + fy * (bottom - top);
}

/* Mean of each 2 x 2. */
static void halve(float *out, const float *in, int64_t height, int64_t width)
{
    for (int64_t y = 0; y < height / 2; y++)
        for (int64_t x = 0; x < width / 2; x++) {
            const float *p = in + 2 * y * width + 2 * x;
            out[y * (width / 2) + x] = ((p[0] + p[1]) + (p[width] + p[width + 1])) / 4;
        }
}

/* --- flow --- */

typedef struct flow {
    float *u, *v, *xx, *xy, *yy, *tx, *ty, *room; /* of one level */
} flow;

static void slope(const level *l, int64_t y, int64_t x, float *gx, float *gy)
{
    const float *p = l->photo;
    *gx = (p[y * l->width + clamp(x + 1, l->width)] - p[y * l->width + clamp(x - 1, l->width)]) / 2;
    *gy = (p[clamp(y + 1, l->height) * l->width + x] - p[clamp(y - 1, l->height) * l->width + x]) / 2;
}

static void find_slopes(const level *l, flow *f)
{
    for (int64_t y = 0; y < l->height; y++)
        for (int64_t x = 0; x < l->width; x++) {
            const int64_t i = y * l->width + x;
            float gx, gy;
            slope(l, y, x, &gx, &gy);
            f->xx[i] = l->weight[i] * gx * gx;
            f->xy[i] = l->weight[i] * gx * gy;
            f->yy[i] = l->weight[i] * gy * gy;
        }
    physad__splat_bank_box(f->xx, f->room, l->height, l->width, RADIUS);
    physad__splat_bank_box(f->xy, f->room, l->height, l->width, RADIUS);
    physad__splat_bank_box(f->yy, f->room, l->height, l->width, RADIUS);
}

static float limited(float step)
{
    return fminf(fmaxf(step, -1), 1);
}

static void refine(const level *l, flow *f)
{
    for (int64_t y = 0; y < l->height; y++)
        for (int64_t x = 0; x < l->width; x++) {
            const int64_t i = y * l->width + x;
            const float d = l->photo[i] - physad__splat_bank_at(l->other, l->height, l->width, (float)x + f->u[i],
                                                                (float)y + f->v[i]);
            const float pull = l->weight[i] * d * WIDE / (WIDE + d * d);
            float gx, gy;
            slope(l, y, x, &gx, &gy);
            f->tx[i] = gx * pull;
            f->ty[i] = gy * pull;
        }
    physad__splat_bank_box(f->tx, f->room, l->height, l->width, RADIUS);
    physad__splat_bank_box(f->ty, f->room, l->height, l->width, RADIUS);
    for (int64_t i = 0; i < l->height * l->width; i++) {
        const float xx = f->xx[i] + REGULAR, yy = f->yy[i] + REGULAR, det = xx * yy - f->xy[i] * f->xy[i];
        f->u[i] += limited((yy * f->tx[i] - f->xy[i] * f->ty[i]) / det);
        f->v[i] += limited((xx * f->ty[i] - f->xy[i] * f->tx[i]) / det);
    }
    physad__splat_bank_box(f->u, f->room, l->height, l->width, TIDY);
    physad__splat_bank_box(f->v, f->room, l->height, l->width, TIDY);
}

/* From one size to another, lengths as well; `tx` and `ty` are room. */
static void resize(flow *f, const level *from, int64_t height, int64_t width, float scale)
{
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            const float cx = ((float)x + 0.5f) / scale - 0.5f, cy = ((float)y + 0.5f) / scale - 0.5f;
            f->tx[y * width + x] = scale * physad__splat_bank_at(f->u, from->height, from->width, cx, cy);
            f->ty[y * width + x] = scale * physad__splat_bank_at(f->v, from->height, from->width, cx, cy);
        }
    memcpy(f->u, f->tx, (size_t)(height * width) * sizeof(float));
    memcpy(f->v, f->ty, (size_t)(height * width) * sizeof(float));
}

physad_status physad__splat_bank_align(physad__mem *mem, const float *photo, const float *other, const float *weight,
                                       int64_t height, int64_t width, float *u, float *v)
{
    const int64_t plane = height * width;
    level l[LEVELS] = { { height, width, photo, other, weight } };
    int count = 1;
    float *memory = physad__alloc_array(mem, 7 * plane, sizeof(float), "alignment"), *next;
    if (memory == NULL)
        return PHYSAD_ERR_NOMEM;
    flow f = {
        u, v, memory, memory + plane, memory + 2 * plane, memory + 3 * plane, memory + 4 * plane, memory + 5 * plane
    };
    next = memory + 6 * plane; /* three planes at a quarter, at a sixteenth, ...: one in all */
    for (; count < LEVELS && physad__min(l[count - 1].height, l[count - 1].width) >= 4 * RADIUS; count++) {
        const level *from = &l[count - 1];
        const int64_t h = from->height / 2, w = from->width / 2;
        halve(next, from->photo, from->height, from->width);
        halve(next + h * w, from->other, from->height, from->width);
        halve(next + 2 * h * w, from->weight, from->height, from->width);
        l[count] = (level){ h, w, next, next + h * w, next + 2 * h * w };
        next += 3 * h * w;
    }
    memset(u, 0, (size_t)plane * sizeof(float));
    memset(v, 0, (size_t)plane * sizeof(float));
    for (int k = count - 1; k >= physad__min(FINEST, count - 1); k--) {
        if (k < count - 1)
            resize(&f, &l[k + 1], l[k].height, l[k].width, 2);
        find_slopes(&l[k], &f);
        for (int round = 0; round < ROUNDS; round++)
            refine(&l[k], &f);
    }
    if (count > FINEST)
        resize(&f, &l[FINEST], height, width, 1 << FINEST);
    physad__free(memory);
    return PHYSAD_OK;
}
