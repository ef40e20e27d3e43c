/* SPDX-License-Identifier: Apache-2.0 */
/* What a region looks like against the ring around it, and which kind of defect that speaks for.
 *
 * A map's regions are wider than the defect, for a map is as coarse as the network's cells. So the places of a region
 * whose colour is foreign to the ring are taken apart, and their shape counts beside the region's. Nothing depends on
 * how many pixels a defect has: that is the camera's distance. */
#include "detect/detect_region.h"
#include "detect/detect_region_beside_table.h"
#include "detect/detect_region_table.h"
#include "metrics/metrics.h"

#include <math.h>

enum { LEAST_RADIUS = 4, MOST_RADIUS = 64, LEAST_RING = 8 };
static const double FOREIGN = 1.75;    /* deviations of the ring's colour */
static const double LEAST_SPREAD = 0.03;
static const double LEAST_SIGNAL = 0.01; /* added to what is divided or made a logarithm */

typedef physad__region_window window;

static float lightness(const window *w, int64_t y, int64_t x)
{
    const physad__scenery *s = w->s;
    y = physad__min(physad__max(w->top + y, 0), s->height - 1);
    x = physad__min(physad__max(w->left + x, 0), s->width - 1);
    return s->colour[y * s->width + x];
}

static physad_status window_make(window *w, physad__mem *mem, const physad__scenery *s, const int64_t box[4],
                                 int64_t places)
{
    const int64_t radius = physad__min(physad__max((int64_t)(sqrt((double)places) / 2), LEAST_RADIUS), MOST_RADIUS);
    *w = (window){ .s = s, .radius = radius };
    w->top = physad__max(box[0] - radius, 0);
    w->left = physad__max(box[1] - radius, 0);
    w->height = physad__min(box[2] + radius, s->height) - w->top;
    w->width = physad__min(box[3] + radius, s->width) - w->left;
    const int64_t n = w->height * w->width;
    w->part = physad__alloc_zero(mem, (size_t)n, "a region's looks");
    w->foreign = physad__alloc_zero(mem, (size_t)n, "a region's looks");
    w->gradient = physad__alloc_array(mem, n, sizeof(*w->gradient), "a region's looks");
    w->fine = physad__alloc_array(mem, n, sizeof(*w->fine), "a region's looks");
    w->sums = physad__alloc_array(mem, (w->height + 1) * (w->width + 1), sizeof(*w->sums), "a region's looks");
    w->sorted = physad__alloc_array(mem, n, sizeof(*w->sorted), "a region's looks");
    w->piece = physad__alloc_array(mem, n, sizeof(*w->piece), "a region's looks");
    const bool all = w->part != NULL && w->foreign != NULL && w->gradient != NULL && w->fine != NULL &&
                     w->sums != NULL && w->sorted != NULL && w->piece != NULL;
    return all ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static void window_free(window *w)
{
    physad__free(w->part);
    physad__free(w->foreign);
    physad__free(w->gradient);
    physad__free(w->fine);
    physad__free(w->sums);
    physad__free(w->sorted);
    physad__free(w->piece);
}

double physad__region_box(const window *w, int64_t y, int64_t x, int64_t radius, int64_t *places)
{
    const int64_t y0 = physad__max(y - radius, 0), y1 = physad__min(y + radius + 1, w->height);
    const int64_t x0 = physad__max(x - radius, 0), x1 = physad__min(x + radius + 1, w->width), row = w->width + 1;
    *places = (y1 - y0) * (x1 - x0);
    return w->sums[y1 * row + x1] - w->sums[y0 * row + x1] - w->sums[y1 * row + x0] + w->sums[y0 * row + x0];
}

void physad__region_integrate(window *w, const float *plane)
{
    const int64_t row = w->width + 1;
    for (int64_t x = 0; x <= w->width; x++)
        w->sums[x] = 0;
    for (int64_t y = 0; y < w->height; y++) {
        double sum = 0;
        w->sums[(y + 1) * row] = 0;
        for (int64_t x = 0; x < w->width; x++) {
            sum += (double)plane[y * w->width + x];
            w->sums[(y + 1) * row + x + 1] = w->sums[y * row + x + 1] + sum;
        }
    }
}

/* The ring: within the radius of the region, but not touching it, nor of another region or where nothing counts. */
static void take_parts(window *w, int32_t number)
{
    const physad__scenery *s = w->s;
    const int64_t n = w->height * w->width;
    for (int64_t i = 0; i < n; i++)
        w->part[i] =
            s->region[(w->top + i / w->width) * s->width + w->left + i % w->width] == number ? PHYSAD__INSIDE : 0;
    for (int64_t i = 0; i < n; i++)
        w->fine[i] = w->part[i];
    physad__region_integrate(w, w->fine);
    for (int64_t i = 0; i < n; i++) {
        const int64_t y = i / w->width, x = i % w->width, at = (w->top + y) * s->width + w->left + x;
        int64_t places;
        if (s->region[at] == 0 && !isnan(s->map[at]) && physad__region_box(w, y, x, w->radius, &places) > 0.5 &&
            physad__region_box(w, y, x, 1, &places) < 0.5)
            w->part[i] = PHYSAD__RING;
    }
}

static void take_light(window *w)
{
    for (int64_t i = 0; i < w->height * w->width; i++)
        w->fine[i] = lightness(w, i / w->width, i % w->width);
    physad__region_integrate(w, w->fine);
    for (int64_t i = 0; i < w->height * w->width; i++) {
        const int64_t y = i / w->width, x = i % w->width;
        const double gy = (double)(lightness(w, y + 1, x) - lightness(w, y - 1, x)) / 2;
        const double gx = (double)(lightness(w, y, x + 1) - lightness(w, y, x - 1)) / 2;
        int64_t places;
        const double mean = physad__region_box(w, y, x, w->radius / 2, &places) / (double)places;
        w->gradient[i] = (float)sqrt(gy * gy + gx * gx);
        w->fine[i] = (float)fabs((double)lightness(w, y, x) - mean);
    }
}

/* Mean and deviation of each colour, mean gradient and fine structure of a part. */
typedef struct summary {
    int64_t count;
    double mean[3], spread[3], gradient, fine;
} summary;

static summary summarise(const window *w, uint8_t part)
{
    summary t = { 0 };
    const physad__scenery *s = w->s;
    const int64_t plane = s->height * s->width;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < w->height * w->width; i++) {
            if (w->part[i] != part)
                continue;
            const float *at = s->colour + (w->top + i / w->width) * s->width + w->left + i % w->width;
            for (int c = 0; c < 3; c++) {
                const double v = (double)at[c * plane], d = v - t.mean[c] / (double)physad__max(t.count, 1);
                if (pass == 0)
                    t.mean[c] += v;
                else
                    t.spread[c] += d * d;
            }
            if (pass == 0) {
                t.count++;
                t.gradient += (double)w->gradient[i];
                t.fine += (double)w->fine[i];
            }
        }
    const double n = (double)physad__max(t.count, 1);
    t.gradient /= n;
    t.fine /= n;
    for (int c = 0; c < 3; c++) {
        t.mean[c] /= n;
        t.spread[c] = sqrt(t.spread[c] / n);
    }
    return t;
}

/* Marks what is foreign inside; the mean deviation there. */
static double take_foreign(window *w, const summary *ring)
{
    const physad__scenery *s = w->s;
    const int64_t plane = s->height * s->width;
    double sum = 0, count = 0;
    for (int64_t i = 0; i < w->height * w->width; i++) {
        if (w->part[i] != PHYSAD__INSIDE)
            continue;
        const float *at = s->colour + (w->top + i / w->width) * s->width + w->left + i % w->width;
        double square = 0;
        for (int c = 0; c < 3; c++) {
            const double z = ((double)at[c * plane] - ring->mean[c]) / fmax(ring->spread[c], LEAST_SPREAD);
            square += z * z / 3;
        }
        w->foreign[i] = sqrt(square) > FOREIGN;
        sum += sqrt(square);
        count++;
    }
    return sum / fmax(count, 1);
}

physad_status physad__region_piece(window *w, physad__mem *mem, double *elongation, double *places)
{
    int32_t count = 0, best = 0;
    int64_t most = 0;
    double axes[3];
    const int64_t all[4] = { 0, 0, w->height, w->width };
    PHYSAD__TRY(physad__regions(mem, w->foreign, w->height, w->width, w->piece, &count));
    int64_t *size = physad__alloc_zero(mem, ((size_t)count + 1) * sizeof(*size), "a region's looks");
    if (size == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < w->height * w->width; i++)
        size[w->piece[i]] += w->piece[i] != 0;
    for (int32_t k = 1; k <= count; k++)
        if (size[k] > most) {
            most = size[k];
            best = k;
        }
    physad__free(size);
    *elongation = 0;
    *places = (double)most;
    if (best != 0) {
        physad__region_axes(w->piece, w->width, best, all, axes);
        *elongation = log(axes[0] / axes[1]);
    }
    return PHYSAD_OK;
}

static double ratio(double inside, double ring)
{
    return log((inside + LEAST_SIGNAL) / (ring + LEAST_SIGNAL));
}

/* The gradient that one place in twenty inside exceeds. */
static double sharpest(const window *w)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->height * w->width; i++)
        if (w->part[i] == PHYSAD__INSIDE)
            w->sorted[n++] = (double)w->gradient[i];
    physad__sort_doubles(w->sorted, n);
    return n > 0 ? w->sorted[(n - 1) * 19 / 20] : 0;
}

static physad_status take_look(physad__look *out, window *w, physad__mem *mem, const double axes[3])
{
    const summary inside = summarise(w, PHYSAD__INSIDE), ring = summarise(w, PHYSAD__RING);
    double elongation, places, foreign = 0;
    out->known = ring.count >= LEAST_RING && inside.count > 0;
    if (!out->known)
        return PHYSAD_OK;
    const double deviation = take_foreign(w, &ring), n = (double)inside.count;
    PHYSAD__TRY(physad__region_piece(w, mem, &elongation, &places));
    for (int64_t i = 0; i < w->height * w->width; i++)
        foreign += w->foreign[i];
    double step[3], spread[2] = { 0, 0 };
    for (int c = 0; c < 3; c++) {
        step[c] = inside.mean[c] - ring.mean[c];
        spread[0] += inside.spread[c] / 3;
        spread[1] += ring.spread[c] / 3;
    }
    const double value[PHYSAD__LOOKS] = {
        log(axes[0] / axes[1]),
        elongation,
        places / n,
        foreign / n,
        step[0],
        fabs(step[0]),
        sqrt(step[1] * step[1] + step[2] * step[2]),
        ratio(inside.gradient, ring.gradient),
        ratio(inside.fine, ring.fine),
        ratio(spread[0], spread[1]),
        log(sharpest(w) + LEAST_SIGNAL),
        log(deviation + LEAST_SIGNAL),
    };
    memcpy(out->value, value, sizeof(value));
    out->has_reference = w->s->reference != NULL;
    return out->has_reference ? physad__region_beside(out->beside, w, mem, value[0]) : PHYSAD_OK;
}

physad_status physad__region_look(physad__look *out, physad__mem *mem, const physad__scenery *s, int32_t number,
                                  const int64_t box[4])
{
    window w;
    double axes[3];
    int64_t places = 0;
    *out = (physad__look){ .known = false };
    for (int64_t y = box[0]; y < box[2]; y++)
        for (int64_t x = box[1]; x < box[3]; x++)
            places += s->region[y * s->width + x] == number;
    physad__region_axes(s->region, s->width, number, box, axes);
    physad_status status = window_make(&w, mem, s, box, places);
    if (status == PHYSAD_OK) {
        take_parts(&w, number);
        take_light(&w);
        status = take_look(out, &w, mem, axes);
    }
    window_free(&w);
    return status;
}

/* --- what it speaks for --- */

void physad__region_kinds(const physad__look *look, double out[PHYSAD_DEFECTS])
{
    double sum = 0;
    for (int k = 0; k < PHYSAD_DEFECTS; k++) {
        double z = 0;
        if (look->known && look->has_reference) {
            z = BESIDE_BIAS[k];
            for (int i = 0; i < PHYSAD__BESIDES; i++)
                z += BESIDE_WEIGHT[k][i] * (look->beside[i] - BESIDE_MEAN[i]) / BESIDE_SPREAD[i];
        } else if (look->known) {
            z = LOOK_BIAS[k];
            for (int i = 0; i < PHYSAD__LOOKS; i++)
                z += LOOK_WEIGHT[k][i] * (look->value[i] - LOOK_MEAN[i]) / LOOK_SPREAD[i];
        }
        out[k] = exp(fmin(z, 50));
        sum += out[k];
    }
    for (int k = 0; k < PHYSAD_DEFECTS; k++)
        out[k] /= sum;
}

double physad__look_distance(const physad__look *a, const physad__look *b)
{
    double sum = 0;
    for (int i = 0; i < PHYSAD__LOOKS; i++) {
        const double d = (a->value[i] - b->value[i]) / LOOK_SPREAD[i];
        sum += d * d;
    }
    return sum / PHYSAD__LOOKS;
}
