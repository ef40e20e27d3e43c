/* SPDX-License-Identifier: Apache-2.0 */
/* Texture: columns behind the network's that say how bright, how rough and how grained a cell's surroundings are
 * against the photo as a whole. Networks learn to overlook just that. On a surface (ground metal, cloth, wood) it is
 * what a worn or badly worked place differs in; on a thing before a background it tells the thing from the background
 * and nothing else, so that `auto` leaves it off.
 *
 * All is measured on the logarithm of the brightness: lamp and exposure are factors there, and the photo's median takes
 * them away. */
#include "detect/detect.h"

#include <math.h>

enum { SUMS = 6 }; /* pixels, logarithm, its square, the square of its steps along x, along y, of its bends */

static const float FLOOR = 0.02f;     /* added to the brightness: what is darker is noise */
static const double LEAST = 1e-5;     /* added to each energy */
static const double SURFACE =
    0.5; /* photos whose contrast strays less, in natural logarithms (a factor of 1.65), are of a surface */
static const double SHARE = 0.5; /* variance of the texture's columns together, in units of that of the network's */

physad_status physad__texture_open(physad__frontend *front, float factor)
{
    PHYSAD__TRY(physad__frontend_levels(front));
    front->texture = factor;
    front->dim = front->network_dim + PHYSAD__TEXTURE_DIM;
    return PHYSAD_OK;
}

void physad__texture_close(physad__frontend *front)
{
    front->texture = 0;
    front->dim = front->network_dim;
}

/* --- one photo --- */

typedef struct look {
    const physad__frontend *front;
    float *light;  /* logarithm of the brightness of each input pixel */
    double *plane; /* SUMS of (height, width), one for smoothing behind them */
    float *sorted; /* height * width */
} look;

static void take_light(const look *l, const float *input)
{
    const physad__frontend *f = l->front;
    for (int64_t i = 0; i < f->input_height * f->input_width; i++) {
        float grey = 0;
        for (int c = 0; c < 3; c++)
            grey += input[3 * i + c] * f->std[c] + f->mean[c];
        l->light[i] = logf(fmaxf(grey / 3, 0) + FLOOR);
    }
}

/* Adds a pixel to its cell's sums. Beyond the border nothing changes. */
static void take_pixel(const look *l, int64_t y, int64_t x, double *sum)
{
    const int64_t height = l->front->input_height, width = l->front->input_width;
    const float *at = l->light + y * width + x;
    const double v = (double)at[0];
    sum[1] += v;
    sum[2] += v * v;
    if (x + 1 < width)
        sum[3] += ((double)at[1] - v) * ((double)at[1] - v);
    if (y + 1 < height)
        sum[4] += ((double)at[width] - v) * ((double)at[width] - v);
    if (x > 0 && x + 1 < width) {
        const double bend = (double)at[1] - 2 * v + (double)at[-1];
        sum[5] += bend * bend;
    }
    if (y > 0 && y + 1 < height) {
        const double bend = (double)at[width] - 2 * v + (double)at[-width];
        sum[5] += bend * bend;
    }
}

/* Means over each cell's pixels; plane 0 becomes 1 everywhere. */
static void take_cells(const look *l)
{
    const physad__frontend *f = l->front;
    const int64_t cells = f->height * f->width;
    for (int64_t i = 0; i < cells; i++) {
        const int64_t cy = i / f->width, cx = i % f->width;
        const int64_t top = cy * f->input_height / f->height, bottom = (cy + 1) * f->input_height / f->height;
        const int64_t left = cx * f->input_width / f->width, right = (cx + 1) * f->input_width / f->width;
        double sum[SUMS] = { 0 };
        for (int64_t y = top; y < bottom; y++)
            for (int64_t x = left; x < right; x++)
                take_pixel(l, y, x, sum);
        l->plane[i] = 1;
        for (int k = 1; k < SUMS; k++)
            l->plane[k * cells + i] = sum[k] / (double)((bottom - top) * (right - left));
    }
}

/* Gaussian over one cell, of which only what lies in the photo counts (plane 0 has been 1, and divides the others). */
static void smooth(const look *l)
{
    static const double kernel[3] = { 0.3989, 0.2420, 0.0540 };
    const int64_t h = l->front->height, w = l->front->width, cells = h * w;
    double *turned = l->plane + SUMS * cells;
    for (int k = 0; k < SUMS; k++) {
        double *p = l->plane + k * cells;
        for (int64_t i = 0; i < cells; i++) {
            turned[i] = 0;
            for (int64_t d = -2; d <= 2; d++)
                if (i / w + d >= 0 && i / w + d < h)
                    turned[i] += kernel[d < 0 ? -d : d] * p[i + d * w];
        }
        for (int64_t i = 0; i < cells; i++) {
            p[i] = 0;
            for (int64_t d = -2; d <= 2; d++)
                if (i % w + d >= 0 && i % w + d < w)
                    p[i] += kernel[d < 0 ? -d : d] * turned[i + d];
            p[i] = k > 0 ? p[i] / l->plane[i] : p[i];
        }
    }
}

static float median(float *values, int64_t n)
{
    physad__sort_floats(values, n);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

/* Column `k` of the texture: the logarithm itself, or half that of an energy. */
static double value_of(const look *l, int k, int64_t i)
{
    const int64_t cells = l->front->height * l->front->width;
    const double mean = l->plane[cells + i];
    if (k == 0)
        return mean;
    const double energy = l->plane[(k + 1) * cells + i];
    return 0.5 * log(fmax(k == 1 ? energy - mean * mean : energy, 0) + LEAST);
}

static physad_status look_at(const physad__frontend *front, const float *input, float *cells)
{
    physad__mem *mem = &front->ctx->mem;
    const int64_t n = front->height * front->width;
    look l = { front, physad__alloc_array(mem, front->input_height * front->input_width, sizeof(*l.light), "texture"),
               physad__alloc_array(mem, (SUMS + 1) * n, sizeof(*l.plane), "texture"),
               physad__alloc_array(mem, n, sizeof(*l.sorted), "texture") };
    const bool room = l.light != NULL && l.plane != NULL && l.sorted != NULL;
    if (room) {
        take_light(&l, input);
        take_cells(&l);
        smooth(&l);
    }
    for (int k = 0; room && k < PHYSAD__TEXTURE_DIM; k++) {
        float *column = cells + front->network_dim + k;
        for (int64_t i = 0; i < n; i++)
            l.sorted[i] = column[i * front->dim] = (float)value_of(&l, k, i);
        const float usual = median(l.sorted, n);
        for (int64_t i = 0; i < n; i++)
            column[i * front->dim] = (column[i * front->dim] - usual) * front->texture;
    }
    physad__free(l.light);
    physad__free(l.plane);
    physad__free(l.sorted);
    return room ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__texture_add(const physad__frontend *front, const float *inputs, int64_t count, float *cells)
{
    const int64_t n = front->height * front->width, pixels = front->input_height * front->input_width * 3;
    physad__fault fault = { PHYSAD_OK, "" };
    for (int64_t i = count * n - 1; i > 0; i--) /* the network's columns lie close together */
        memmove(cells + i * front->dim, cells + i * front->network_dim, (size_t)front->network_dim * sizeof(*cells));
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) if (count > 1)
#endif
    for (int64_t i = 0; i < count; i++) {
        const physad_status status = look_at(front, inputs + i * pixels, cells + i * n * front->dim);
        if (status != PHYSAD_OK) {
#ifdef _OPENMP
#pragma omp critical(physad_texture)
#endif
            physad__fault_take(&fault, status);
        }
    }
    return physad__fault_publish(&fault);
}

/* --- what a fit makes of it --- */

/* Variance of column `column` over rows spread evenly. */
static double variance_of(const float *rows, int64_t count, int64_t dim, int64_t column)
{
    enum { MOST = 65536 };
    const int64_t step = (count + MOST - 1) / MOST;
    const double first = (double)rows[column];
    double sum = 0, squares = 0, n = 0;
    for (int64_t i = 0; i < count; i += step, n++) {
        const double v = (double)rows[i * dim + column] - first;
        sum += v;
        squares += v * v;
    }
    return fmax(squares / n - sum / n * (sum / n), 0);
}

physad_status physad__texture_settle(physad__frontend *front, physad_bank *store, physad_bank *apart, bool always)
{
    physad_view v;
    double network = 0, texture = 0, contrast = 0;
    PHYSAD__TRY(physad_bank_rows(store, &v));
    if (v.shape[0] == 0)
        return PHYSAD_OK; /* the method says so */
    for (int64_t c = 0; c < front->dim; c++) {
        const double variance = variance_of(v.data, v.shape[0], front->dim, c);
        *(c < front->network_dim ? &network : &texture) += variance;
        if (c > front->network_dim)
            contrast += sqrt(variance) / (PHYSAD__TEXTURE_DIM - 1);
    }
    const float factor = texture > 0 ? (float)sqrt(SHARE * network / texture) : 0;
    if (!(factor > 0) || !isfinite(factor) || (!always && contrast >= SURFACE)) {
        physad__texture_close(front);
        PHYSAD__TRY(physad__bank_narrow(store, front->dim));
        return physad__bank_narrow(apart, front->dim);
    }
    front->texture = factor;
    PHYSAD__TRY(physad__bank_scale(store, front->network_dim, factor));
    return physad__bank_scale(apart, front->network_dim, factor);
}
