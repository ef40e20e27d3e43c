/* SPDX-License-Identifier: Apache-2.0 */
/* What a region looks like beside a picture of what should be there: what a colour that is off explains of the
 * difference, what pixels that moved explain, and what is left of the structure. Everything is told against the ring
 * around the region, where the picture is as far off as it is anyhow. */
#include "detect/detect_region.h"

#include <math.h>

enum { LEAST_SHIFT = 2, MOST_SHIFT = 6, MOST_BLOCK = 4 };
static const double FOREIGN = 1.75; /* deviations of the ring's differences */
static const double LEAST_SPREAD = 0.03;
static const double LEAST_SIGNAL = 0.01; /* added to what is divided or made a logarithm */
static const double LEAST_ERROR = 1e-3;  /* the same, of squared differences */
static const double FAR = 2e-5;          /* what a squared pixel of a shift costs */

typedef struct beside {
    physad__region_window *w;
    int64_t n, count[3];   /* places; of the window, by part */
    float *photo, *should; /* (3, n): colours */
    float *plain, *best;   /* (n): squared differences around, where the picture stands and where it fits best */
    float *moved;          /* (n): how far that is, pixels */
    float *room;           /* (n) */
    int64_t shift, block;  /* pixels that may have moved at most; of the blocks that move as one */
} beside;

static physad_status beside_make(beside *b, physad__region_window *w, physad__mem *mem)
{
    const int64_t n = w->height * w->width;
    *b = (beside){ .w = w, .n = n };
    b->shift = physad__min(physad__max(w->radius / 2, LEAST_SHIFT), MOST_SHIFT);
    b->block = physad__min(physad__max(w->radius / 4, 1), MOST_BLOCK);
    b->photo = physad__alloc_array(mem, 10 * n, sizeof(float), "a region's looks");
    if (b->photo == NULL)
        return PHYSAD_ERR_NOMEM;
    b->should = b->photo + 3 * n;
    b->plain = b->photo + 6 * n;
    b->best = b->photo + 7 * n;
    b->moved = b->photo + 8 * n;
    b->room = b->photo + 9 * n;
    for (int64_t i = 0; i < n; i++) {
        const int64_t plane = w->s->height * w->s->width,
                      at = (w->top + i / w->width) * w->s->width + w->left + i % w->width;
        b->count[w->part[i]]++;
        for (int c = 0; c < 3; c++) {
            b->photo[c * n + i] = w->s->colour[c * plane + at];
            b->should[c * n + i] = w->s->reference[c * plane + at];
        }
    }
    return PHYSAD_OK;
}

static double difference(const beside *b, int c, int64_t i)
{
    return (double)b->photo[c * b->n + i] - (double)b->should[c * b->n + i];
}

/* The mean of a plane over a part. */
static double mean_over(const beside *b, const float *plane, uint8_t part)
{
    double sum = 0;
    for (int64_t i = 0; i < b->n; i++)
        sum += b->w->part[i] == part ? (double)plane[i] : 0;
    return sum / (double)b->count[part];
}

/* --- how far off it is --- */

typedef struct ring {
    double mean[3], spread[3];
} ring;

static ring differences_of_ring(const beside *b)
{
    ring r = { { 0 }, { 0 } };
    for (int c = 0; c < 3; c++) {
        for (int64_t i = 0; i < b->n; i++)
            r.mean[c] += b->w->part[i] == PHYSAD__RING ? difference(b, c, i) : 0;
        r.mean[c] /= (double)b->count[PHYSAD__RING];
        for (int64_t i = 0; i < b->n; i++) {
            const double d = difference(b, c, i) - r.mean[c];
            r.spread[c] += b->w->part[i] == PHYSAD__RING ? d * d : 0;
        }
        r.spread[c] = fmax(sqrt(r.spread[c] / (double)b->count[PHYSAD__RING]), LEAST_SPREAD);
    }
    return r;
}

/* Marks what differs as nothing around does; the mean deviation inside. */
static double take_foreign(const beside *b, const ring *r)
{
    double sum = 0;
    for (int64_t i = 0; i < b->n; i++) {
        double square = 0;
        for (int c = 0; c < 3; c++) {
            const double z = (difference(b, c, i) - r->mean[c]) / r->spread[c];
            square += z * z / 3;
        }
        b->w->foreign[i] = b->w->part[i] == PHYSAD__INSIDE && sqrt(square) > FOREIGN;
        sum += b->w->part[i] == PHYSAD__INSIDE ? sqrt(square) : 0;
    }
    return sum / (double)b->count[PHYSAD__INSIDE];
}

/* --- what explains it --- */

/* The share of the squared differences inside that a gain and an offset of each colour leave, as a logarithm. */
static double left_by_colour(const beside *b, const ring *r)
{
    const double n = (double)b->count[PHYSAD__INSIDE], prior = LEAST_ERROR * n;
    double before = 0, after = 0;
    for (int c = 0; c < 3; c++) {
        const float *p = b->should + c * b->n, *q = b->photo + c * b->n;
        const double x = mean_over(b, p, PHYSAD__INSIDE), y = mean_over(b, q, PHYSAD__INSIDE);
        double xx = 0, xy = 0, yy = 0;
        for (int64_t i = 0; i < b->n; i++) {
            if (b->w->part[i] != PHYSAD__INSIDE)
                continue;
            const double u = (double)p[i] - x, v = (double)q[i] - y, d = difference(b, c, i) - r->mean[c];
            xx += u * u;
            xy += u * v;
            yy += v * v;
            before += d * d;
        }
        const double gain = (xy + prior) / (xx + prior);
        after += yy - 2 * gain * xy + gain * gain * xx;
    }
    return log((after / n + LEAST_ERROR) / (before / n + LEAST_ERROR));
}

/* Mean squared differences of blocks, when the picture is moved by (dy, dx), into the window's sums. */
static void differences_at(const beside *b, int64_t dy, int64_t dx)
{
    const physad__region_window *w = b->w;
    const physad__scenery *s = w->s;
    const int64_t plane = s->height * s->width;
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t y = physad__min(physad__max(w->top + i / w->width + dy, 0), s->height - 1);
        const int64_t x = physad__min(physad__max(w->left + i % w->width + dx, 0), s->width - 1);
        float sum = 0;
        for (int c = 0; c < 3; c++) {
            const float d = b->photo[c * b->n + i] - s->reference[c * plane + y * s->width + x];
            sum += d * d;
        }
        b->room[i] = sum;
    }
    physad__region_integrate(b->w, b->room);
}

static void take_shifts(const beside *b)
{
    const int64_t wide = 2 * b->shift + 1;
    for (int64_t k = 0; k < wide * wide; k++) {
        const int64_t half = wide * wide / 2, which = k == 0 ? half : k <= half ? k - 1 : k; /* as it stands, first */
        const int64_t dy = which / wide - b->shift, dx = which % wide - b->shift;
        differences_at(b, dy, dx);
        for (int64_t i = 0; i < b->n; i++) {
            int64_t places;
            const double sum = physad__region_box(b->w, i / b->w->width, i % b->w->width, b->block, &places);
            const float cost = (float)(sum / (double)places + FAR * (double)(dy * dy + dx * dx));
            if (k == 0)
                b->plain[i] = cost;
            if (k == 0 || cost < b->best[i]) {
                b->best[i] = cost;
                b->moved[i] = sqrtf((float)(dy * dy + dx * dx));
            }
        }
    }
}

static double left_by_shift(const beside *b, uint8_t part)
{
    return log((mean_over(b, b->best, part) + LEAST_ERROR) / (mean_over(b, b->plain, part) + LEAST_ERROR));
}

/* --- structure --- */

/* Departure of lightness from its mean around, into `out`. */
static void take_fine(const beside *b, const float *lightness, float *out)
{
    physad__region_integrate(b->w, lightness);
    for (int64_t i = 0; i < b->n; i++) {
        int64_t places;
        const double sum = physad__region_box(b->w, i / b->w->width, i % b->w->width, b->w->radius / 2, &places);
        out[i] = (float)((double)lightness[i] - sum / (double)places);
    }
}

/* The reference's gradient of lightness, its mean inside. */
static double gradient_inside(const beside *b)
{
    const physad__region_window *w = b->w;
    const physad__scenery *s = w->s;
    double sum = 0;
    for (int64_t i = 0; i < b->n; i++) {
        if (w->part[i] != PHYSAD__INSIDE)
            continue;
        const int64_t y = w->top + i / w->width, x = w->left + i % w->width;
        const int64_t above = physad__max(y - 1, 0), below = physad__min(y + 1, s->height - 1);
        const int64_t before = physad__max(x - 1, 0), after = physad__min(x + 1, s->width - 1);
        const double gy = (double)(s->reference[below * s->width + x] - s->reference[above * s->width + x]) / 2;
        const double gx = (double)(s->reference[y * s->width + after] - s->reference[y * s->width + before]) / 2;
        sum += sqrt(gy * gy + gx * gx);
    }
    return sum / (double)b->count[PHYSAD__INSIDE];
}

static double ratio(double photo, double should)
{
    return log((photo + LEAST_SIGNAL) / (should + LEAST_SIGNAL));
}

/* Correlation of fine structure, and the ratio of its strength. */
static double take_structure(const beside *b, double *strength)
{
    float *mine = b->best, *other = b->moved; /* used up by now */
    double both = 0, squares[2] = { 0, 0 }, sizes[2] = { 0, 0 };
    const double n = (double)b->count[PHYSAD__INSIDE];
    take_fine(b, b->photo, mine);
    take_fine(b, b->should, other);
    for (int64_t i = 0; i < b->n; i++) {
        if (b->w->part[i] != PHYSAD__INSIDE)
            continue;
        const double p = (double)mine[i], q = (double)other[i];
        both += p * q;
        squares[0] += p * p;
        squares[1] += q * q;
        sizes[0] += fabs(p) / n;
        sizes[1] += fabs(q) / n;
    }
    *strength = ratio(sizes[0], sizes[1]);
    return both / sqrt((squares[0] + 1e-4 * n) * (squares[1] + 1e-4 * n));
}

/* --- all of it --- */

physad_status physad__region_beside(double out[PHYSAD__BESIDES], physad__region_window *w, physad__mem *mem,
                                    double elongation)
{
    beside b;
    double piece, places, foreign = 0, strength;
    PHYSAD__TRY(beside_make(&b, w, mem));
    const ring r = differences_of_ring(&b);
    const double deviation = take_foreign(&b, &r), n = (double)b.count[PHYSAD__INSIDE];
    const physad_status status = physad__region_piece(w, mem, &piece, &places);
    for (int64_t i = 0; i < b.n; i++)
        foreign += w->foreign[i];
    take_shifts(&b);
    const double step = mean_over(&b, b.photo, PHYSAD__INSIDE) - mean_over(&b, b.should, PHYSAD__INSIDE) - r.mean[0];
    const double shift = left_by_shift(&b, PHYSAD__INSIDE) - left_by_shift(&b, PHYSAD__RING);
    const double moved =
        (mean_over(&b, b.moved, PHYSAD__INSIDE) - mean_over(&b, b.moved, PHYSAD__RING)) / (double)b.shift;
    const double structure = take_structure(&b, &strength);
    const double value[PHYSAD__BESIDES] = {
        elongation,
        places / n,
        foreign / n,
        fabs(step),
        ratio(mean_over(&b, w->gradient, PHYSAD__INSIDE), gradient_inside(&b)),
        strength,
        log(deviation + LEAST_SIGNAL),
        structure,
        shift,
        left_by_colour(&b, &r),
        moved,
    };
    memcpy(out, value, sizeof(value));
    physad__free(b.photo);
    return status;
}
