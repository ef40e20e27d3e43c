/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up defects: a place of random shape (a blob, a line, specks) is filled with something that was not there (other
 * light, one tone, less or more grain, a piece of another photo). They need not look like real ones: what learns from
 * them is to learn which differences between photos are of no account. Lengths are for an input of 320 x 320 and grow
 * with it. */
#include "detect/detect_learn.h"

#include <math.h>

static const double SEEN = 0.35;  /* where more than this is painted the place counts as defective */
static const double FAINT = 0.03; /* less mean change than this, in units of the photo's brightness, is tried again */
enum { TRIES = 8, MOST_PLACES = 3 };

typedef struct painter {
    const physad__frontend *front;
    physad__mem *mem;
    physad__rng *rng;
    int64_t height, width;
    double unit;                            /* pixels per pixel of an input of 320 x 320 */
    const float *photo, *other;             /* brightness 0 to 1, (height, width, 3) */
    float *out, *fill;                      /* likewise */
    float *shape, *mask, *noise, *lattice; /* (height, width); the lattice has three rows and columns more */
} painter;

static double between(painter *p, double from, double to)
{
    return from + (to - from) * physad__rng_uniform(p->rng);
}

static double about(painter *p, double from, double to) /* evenly among orders of magnitude */
{
    return from * exp(log(to / from) * physad__rng_uniform(p->rng));
}

static double either(painter *p)
{
    return physad__rng_below(p->rng, 2) == 0 ? -1 : 1;
}

static float clip(double v)
{
    return (float)(v < 0 ? 0 : v > 1 ? 1 : v);
}

/* Smooth noise of mean 0 and deviation 1: quadratic B-splines over random numbers `down` and `across` pixels apart. */
static void make_noise(painter *p, double down, double across)
{
    const int64_t n = p->height * p->width;
    down = fmax(down, 1);
    across = fmax(across, 1);
    const int64_t rows = (int64_t)((double)p->height / down) + 3, columns = (int64_t)((double)p->width / across) + 3;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < rows * columns; i++)
        p->lattice[i] = (float)physad__rng_normal(p->rng);
    for (int64_t y = 0; y < p->height; y++) {
        const double v = (double)y / down, fy = v - floor(v);
        const double wy[3] = { (1 - fy) * (1 - fy) / 2, 0.5 + fy * (1 - fy), fy * fy / 2 };
        for (int64_t x = 0; x < p->width; x++) {
            const double u = (double)x / across, fx = u - floor(u);
            const double wx[3] = { (1 - fx) * (1 - fx) / 2, 0.5 + fx * (1 - fx), fx * fx / 2 };
            const float *at = p->lattice + (int64_t)v * columns + (int64_t)u;
            double value = 0;
            for (int k = 0; k < 3; k++, at += columns)
                value += wy[k] * (wx[0] * (double)at[0] + wx[1] * (double)at[1] + wx[2] * (double)at[2]);
            p->noise[y * p->width + x] = (float)value;
            sum += value;
            squares += value * value;
        }
    }
    const double mean = sum / (double)n, scale = 1 / sqrt(fmax(squares / (double)n - mean * mean, 1e-12));
    for (int64_t i = 0; i < n; i++)
        p->noise[i] = (float)(((double)p->noise[i] - mean) * scale);
}

/* --- shapes: p->shape, 0 to 1 --- */

/* A blob `size` pixels across to each side, whose edge is as steep as `steep` says. */
static void draw_blob(painter *p, double size, double steep)
{
    const double h = (double)p->height, w = (double)p->width, t = physad__rng_uniform(p->rng);
    const double borders[4][2] = { { 0, t * w }, { h, t * w }, { t * h, 0 }, { t * h, w } };
    double y0 = between(p, 0.03, 0.97) * h, x0 = between(p, 0.03, 0.97) * w;
    if (between(p, 0, 1) < 0.3) {
        const int64_t side = physad__rng_below(p->rng, 4);
        y0 = borders[side][0];
        x0 = borders[side][1];
    }
    const double longer = exp(between(p, -0.7, 0.7)), turn = between(p, 0, 3.14159265), rough = between(p, 0.05, 0.4);
    const double c = cos(turn), s = sin(turn), grain = 2 * fmax(size / about(p, 2, 6), 0.8);
    make_noise(p, grain, grain);
    for (int64_t y = 0; y < p->height; y++) {
        for (int64_t x = 0; x < p->width; x++) {
            const double dy = (double)y - y0, dx = (double)x - x0;
            const double u = (dx * c + dy * s) / (size * longer), v = (dy * c - dx * s) / (size / longer);
            const int64_t i = y * p->width + x;
            p->shape[i] = clip((1 - sqrt(u * u + v * v) + rough * (double)p->noise[i]) * steep);
        }
    }
}

static physad_status draw_line(painter *p)
{
    static const double bends[3] = { 0, 0.02, 0.06 };
    const double bend = bends[physad__rng_below(p->rng, 3)];
    double y = between(p, 0.03, 0.97) * (double)p->height, x = between(p, 0.03, 0.97) * (double)p->width;
    double heading = between(p, 0, 6.2831853), turn = 0;
    float most = 0;
    memset(p->shape, 0, (size_t)(p->height * p->width) * sizeof(*p->shape));
    for (int64_t steps = (int64_t)(2 * p->unit * about(p, 20, 250)); steps > 0; steps--) {
        turn = 0.9 * turn + bend * physad__rng_normal(p->rng);
        heading += turn;
        y += 0.5 * sin(heading);
        x += 0.5 * cos(heading);
        if (y < 0 || x < 0 || y >= (double)p->height || x >= (double)p->width)
            break;
        p->shape[(int64_t)y * p->width + (int64_t)x] = 1;
    }
    PHYSAD__TRY(
        physad__map_blur(p->mem, p->shape, p->height, p->width, p->unit * about(p, 0.6, 2), PHYSAD__BORDER_REPEAT));
    for (int64_t i = 0; i < p->height * p->width; i++)
        most = p->shape[i] > most ? p->shape[i] : most;
    for (int64_t i = 0; most > 0 && i < p->height * p->width; i++)
        p->shape[i] = clip(1.3 * (double)(p->shape[i] / most));
    return PHYSAD_OK;
}

static physad_status draw_specks(painter *p)
{
    draw_blob(p, p->unit * about(p, 8, 90), 3);
    const double grain = 2 * p->unit * about(p, 0.7, 2), level = between(p, 0.5, 2);
    make_noise(p, grain, grain);
    for (int64_t i = 0; i < p->height * p->width; i++)
        if ((double)p->noise[i] <= level)
            p->shape[i] = 0;
    return physad__map_blur(p->mem, p->shape, p->height, p->width, 0.5 * p->unit, PHYSAD__BORDER_REPEAT);
}

static physad_status draw_shape(painter *p)
{
    const double kind = between(p, 0, 1);
    if (kind >= 0.75)
        return draw_specks(p);
    if (kind >= 0.5)
        return draw_line(p);
    const double size = p->unit * about(p, 3, 130);
    draw_blob(p, size, size / about(p, 1, fmax(size, 1.1)));
    return PHYSAD_OK;
}

/* --- what fills them: p->fill --- */

static void mean_of(const painter *p, const float *photo, double mean[3])
{
    const int64_t n = p->height * p->width;
    mean[0] = mean[1] = mean[2] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            mean[c] += (double)photo[3 * i + c] / (double)n;
}

static void fill_tone(painter *p)
{
    double mean[3];
    const double grain = 2 * p->unit * about(p, 0.6, 3), tone = between(p, 0.1, 1.7), rough = between(p, 0, 0.25);
    mean_of(p, p->photo, mean);
    make_noise(p, grain, grain);
    for (int64_t i = 0; i < p->height * p->width; i++)
        for (int c = 0; c < 3; c++)
            p->fill[3 * i + c] = (float)(mean[c] * tone * (1 + rough * (double)p->noise[i]));
}

static void fill_grain(painter *p)
{
    const double down = 2 * p->unit * about(p, 0.6, 5), across = 2 * p->unit * about(p, 0.6, 5);
    const double gain = 1 + between(p, -0.1, 0.1), rough = about(p, 0.04, 0.35);
    make_noise(p, down, across);
    for (int64_t i = 0; i < 3 * p->height * p->width; i++)
        p->fill[i] = (float)((double)p->photo[i] * (gain + rough * (double)p->noise[i / 3]));
}

/* Blurred, or with more contrast. */
static physad_status fill_contrast(painter *p)
{
    const double sigma = p->unit * about(p, 1, 5), gain = 1 + between(p, -0.1, 0.1),
                 contrast = exp(between(p, -2, 1.2));
    for (int c = 0; c < 3; c++) {
        for (int64_t i = 0; i < p->height * p->width; i++)
            p->noise[i] = p->photo[3 * i + c];
        PHYSAD__TRY(physad__map_blur(p->mem, p->noise, p->height, p->width, sigma, PHYSAD__BORDER_REPEAT));
        for (int64_t i = 0; i < p->height * p->width; i++) {
            const double low = (double)p->noise[i];
            p->fill[3 * i + c] = (float)(low * gain + ((double)p->photo[3 * i + c] - low) * contrast);
        }
    }
    return PHYSAD_OK;
}

/* Another photo, shifted, mirrored, turned, and as bright as this one or not. */
static void fill_piece(painter *p)
{
    double own[3], theirs[3];
    const int64_t down = physad__rng_below(p->rng, p->height), across = physad__rng_below(p->rng, p->width);
    const int64_t mirror = physad__rng_below(p->rng, 4);
    const bool turned = between(p, 0, 1) < 0.3 && p->height == p->width, level = between(p, 0, 1) < 0.6;
    mean_of(p, p->photo, own);
    mean_of(p, p->other, theirs);
    for (int64_t y = 0; y < p->height; y++) {
        for (int64_t x = 0; x < p->width; x++) {
            int64_t fy = (y + down) % p->height, fx = (x + across) % p->width;
            fy = (mirror & 1) != 0 ? p->height - 1 - fy : fy;
            fx = (mirror & 2) != 0 ? p->width - 1 - fx : fx;
            const float *from = p->other + 3 * (turned ? fx * p->width + fy : fy * p->width + fx);
            for (int c = 0; c < 3; c++)
                p->fill[3 * (y * p->width + x) + c] =
                    (float)((double)from[c] * (level ? own[c] / fmax(theirs[c], 1e-3) : 1));
        }
    }
}

static physad_status make_fill(painter *p)
{
    double factor;
    switch (physad__rng_below(p->rng, 5)) {
    case 0:
        factor = 1 + either(p) * about(p, 0.08, 0.6);
        for (int64_t i = 0; i < 3 * p->height * p->width; i++)
            p->fill[i] = (float)((double)p->photo[i] * factor);
        return PHYSAD_OK;
    case 1: fill_tone(p); return PHYSAD_OK;
    case 2: fill_grain(p); return PHYSAD_OK;
    case 3: fill_piece(p); return PHYSAD_OK;
    default: return fill_contrast(p);
    }
}

/* --- one defect, and all of a photo --- */

/* Into p->out; p->mask keeps the greatest share painted at each pixel. */
static physad_status paint_once(painter *p)
{
    const int64_t places = physad__max(1, physad__rng_below(p->rng, MOST_PLACES + 2) - 1); /* mostly one */
    PHYSAD__TRY(make_fill(p));
    for (int64_t k = 0; k < places; k++) {
        PHYSAD__TRY(draw_shape(p));
        for (int64_t i = 0; i < p->height * p->width; i++) {
            const float a = p->shape[i];
            for (int c = 0; c < 3 && a > 0; c++)
                p->out[3 * i + c] = clip((double)(p->out[3 * i + c] * (1 - a) + p->fill[3 * i + c] * a));
            p->mask[i] = a > p->mask[i] ? a : p->mask[i];
        }
    }
    return PHYSAD_OK;
}

/* Whether enough is painted, and differs enough. */
static bool is_visible(const painter *p)
{
    double light = 0, change = 0, painted = 0;
    const int64_t n = p->height * p->width;
    for (int64_t i = 0; i < n; i++) {
        const bool in = (double)p->mask[i] > SEEN;
        painted += in;
        for (int c = 0; c < 3; c++) {
            light += (double)p->photo[3 * i + c];
            change += in ? fabs((double)(p->out[3 * i + c] - p->photo[3 * i + c])) : 0;
        }
    }
    return painted >= 30 * p->unit * p->unit && change / painted > FAINT * light / (double)n;
}

/* Share of each cell that is painted. */
static void cover_cells(const painter *p, float *cover)
{
    const physad__frontend *f = p->front;
    for (int64_t i = 0; i < f->height * f->width; i++) {
        const int64_t cy = i / f->width, cx = i % f->width;
        const int64_t top = cy * p->height / f->height, bottom = (cy + 1) * p->height / f->height;
        const int64_t left = cx * p->width / f->width, right = (cx + 1) * p->width / f->width;
        int64_t in = 0;
        for (int64_t y = top; y < bottom; y++)
            for (int64_t x = left; x < right; x++)
                in += (double)p->mask[y * p->width + x] > SEEN;
        cover[i] = (float)in / (float)physad__max((bottom - top) * (right - left), 1);
    }
}

static void to_light(const physad__frontend *f, const float *input, float *light)
{
    for (int64_t i = 0; i < 3 * f->input_height * f->input_width; i++)
        light[i] = input[i] * f->std[i % 3] + f->mean[i % 3];
}

static physad_status paint_all(painter *p, int64_t defects)
{
    const int64_t n = p->height * p->width;
    physad_status status = PHYSAD_OK;
    bool visible = false;
    for (int tries = 0; status == PHYSAD_OK && !visible && tries < TRIES; tries++) {
        memcpy(p->out, p->photo, (size_t)(3 * n) * sizeof(*p->out));
        memset(p->mask, 0, (size_t)n * sizeof(*p->mask));
        for (int64_t k = 0; status == PHYSAD_OK && k < defects; k++)
            status = paint_once(p);
        visible = is_visible(p);
    }
    return status;
}

physad_status physad__paint(const physad__frontend *front, const float *input, const float *other, uint64_t seed,
                            uint64_t stream, int64_t defects, float *out, float *cover)
{
    physad__mem *mem = &front->ctx->mem;
    const int64_t h = front->input_height, w = front->input_width, n = h * w, lattice = (h + 3) * (w + 3);
    physad__rng rng;
    float *room = physad__alloc_array(mem, 12 * n + 3 * n + lattice, sizeof(*room), "painted photos");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    painter p = { .front = front, .mem = mem, .rng = &rng, .height = h, .width = w };
    float *photo = room, *theirs = room + 3 * n;
    p.unit = sqrt((double)n) / 320;
    p.photo = photo;
    p.other = theirs;
    p.out = room + 6 * n;
    p.fill = room + 9 * n;
    p.shape = room + 12 * n;
    p.mask = room + 13 * n;
    p.noise = room + 14 * n;
    p.lattice = room + 15 * n;
    physad__rng_seed(&rng, seed, stream);
    to_light(front, input, photo);
    to_light(front, other, theirs);
    const physad_status status = paint_all(&p, defects);
    cover_cells(&p, cover);
    for (int64_t i = 0; i < 3 * n; i++)
        out[i] = (p.out[i] - front->mean[i % 3]) / front->std[i % 3];
    physad__free(room);
    return status;
}
