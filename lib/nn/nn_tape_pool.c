/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of two and three places, means over all places, and resampling of height and width. */
#include "nn/nn_tape_node.h"

#include <math.h>

/* --- windows ---------------------------------------------------------------------------------------------------------
 */

/* Extents as D, H, W, whatever the number of places. */
typedef struct field {
    int64_t images, in[3], out[3], channels;
} field;

static field field_of(const physad__tape *t, const physad__tape_node *n)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    field f = { .images = n->shape[0], .in = { 1, 1, 1 }, .out = { 1, 1, 1 }, .channels = n->channels };
    for (int32_t i = 0; i < n->ndim - 2; i++) {
        f.in[3 - (n->ndim - 2) + i] = x->shape[1 + i];
        f.out[3 - (n->ndim - 2) + i] = n->shape[1 + i];
    }
    return f;
}

/* The places of the input under the window of output place `o` along one axis. */
static void under(const physad__tape_node *n, const field *f, int axis, int64_t o, int64_t *from, int64_t *to)
{
    const physad__tape_window *w = &n->window;
    const int64_t start = o * w->stride[axis] - w->pad[axis];
    *from = physad__max(start, 0);
    *to = physad__min(start + w->kernel[axis], f->in[axis]);
}

/* One output place: calls for every input place under it. */
typedef struct spot {
    int64_t image, at[3][2]; /* from, to */
} spot;

static spot spot_of(const physad__tape_node *n, const field *f, int64_t row)
{
    spot s = { .image = row / (f->out[0] * f->out[1] * f->out[2]) };
    const int64_t place[3] = { row / (f->out[1] * f->out[2]) % f->out[0], row / f->out[2] % f->out[1],
                               row % f->out[2] };
    for (int a = 0; a < 3; a++)
        under(n, f, a, place[a], &s.at[a][0], &s.at[a][1]);
    return s;
}

static int64_t input_row(const field *f, const spot *s, int64_t d, int64_t h, int64_t w)
{
    return ((s->image * f->in[0] + d) * f->in[1] + h) * f->in[2] + w;
}

/* The index of the k-th place under a window, or -1. */
static int64_t nth_row(const field *f, const spot *s, int64_t k)
{
    const int64_t dw = s->at[2][1] - s->at[2][0], dh = s->at[1][1] - s->at[1][0], dd = s->at[0][1] - s->at[0][0];
    if (k >= dd * dh * dw)
        return -1;
    return input_row(f, s, s->at[0][0] + k / (dh * dw), s->at[1][0] + k / dw % dh, s->at[2][0] + k % dw);
}

/* --- max pooling: which place of the window was greatest is saved in a byte
 * --------------------------------------------- */

static physad_status max_prepare(physad__tape *t, physad__tape_node *n)
{
    n->saved_bytes = n->count;
    if (n->bf16) /* of each lane: a row that is read, and one that is made */
        n->scratch_bytes = 2 * PHYSAD__TAPE_LANES * n->channels * (int64_t)sizeof(float);
    return PHYSAD_OK;
}

/* Output row `r` from the rows of x under its window; `in` is room for one of them where they are bf16. */
static void max_row(const physad__tape_node *n, const field *f, const float *x, int64_t r, float *in, float *y)
{
    const spot s = spot_of(n, f, r);
    uint8_t *at = (uint8_t *)n->saved + r * f->channels;
    const float *row = physad__tape_span(n->bf16, x, nth_row(f, &s, 0) * f->channels, f->channels, in);
    memcpy(y, row, (size_t)f->channels * sizeof(float));
    memset(at, 0, (size_t)f->channels);
    for (int64_t k = 1, i; (i = nth_row(f, &s, k)) >= 0; k++) {
        row = physad__tape_span(n->bf16, x, i * f->channels, f->channels, in);
        for (int64_t c = 0; c < f->channels; c++) {
            at[c] = row[c] > y[c] ? (uint8_t)k : at[c];
            y[c] = row[c] > y[c] ? row[c] : y[c];
        }
    }
}

static physad_status max_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0);
    const field f = field_of(t, n);
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        float *rooms = (float *)(void *)t->scratch + 2 * l * f.channels;
        int64_t from, to;
        physad__tape_lane(n->rows, l, &from, &to);
        for (int64_t r = from; r < to; r++) {
            float *y = n->bf16 ? rooms + f.channels : n->data + r * f.channels;
            max_row(n, &f, x, r, rooms, y);
            if (n->bf16)
                physad__bf16_write(y, f.channels, physad__tape_narrow(n->data) + r * f.channels);
        }
    }
    return PHYSAD_OK;
}

/* Windows may overlap: one thread per image. Fresh gradients start from zero. */
static void scatter(const physad__tape *t, const physad__tape_node *n, bool max)
{
    const field f = field_of(t, n);
    const int64_t rows = n->rows / f.images, size = physad__tape_in(t, n, 0)->count / f.images;
    const float share = 1 / (float)(n->window.kernel[0] * n->window.kernel[1] * n->window.kernel[2]);
    const uint8_t *which = n->saved;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < f.images; i++) {
        if (n->fresh[0])
            memset(dx + i * size, 0, (size_t)size * sizeof(float));
        for (int64_t r = i * rows; r < (i + 1) * rows; r++) {
            const spot s = spot_of(n, &f, r);
            const float *g = n->grad + r * f.channels;
            const uint8_t *at = max ? which + r * f.channels : NULL;
            for (int64_t k = 0, row; (row = nth_row(&f, &s, k)) >= 0; k++)
                for (int64_t c = 0; c < f.channels; c++)
                    dx[row * f.channels + c] += max ? (at[c] == (uint8_t)k ? g[c] : 0) : g[c] * share;
        }
    }
}

/* The same of one image between arrays of bf16; `g` and `part` are room for a row each. */
static void scatter_narrow(const physad__tape *t, const physad__tape_node *n, int64_t image, float *g, float *part)
{
    const field f = field_of(t, n);
    const int64_t rows = n->rows / f.images, size = physad__tape_in(t, n, 0)->count / f.images;
    uint16_t *dx = physad__tape_narrow(physad__tape_dx(t, n, 0));
    if (n->fresh[0])
        memset(dx + image * size, 0, (size_t)size * sizeof(uint16_t));
    for (int64_t r = image * rows; r < (image + 1) * rows; r++) {
        const spot s = spot_of(n, &f, r);
        const uint8_t *at = (const uint8_t *)n->saved + r * f.channels;
        physad__bf16_read(physad__tape_narrow_const(n->grad) + r * f.channels, f.channels, g);
        for (int64_t k = 0, row; (row = nth_row(&f, &s, k)) >= 0; k++) {
            for (int64_t c = 0; c < f.channels; c++)
                part[c] = at[c] == (uint8_t)k ? g[c] : 0;
            physad__bf16_give(dx + row * f.channels, false, part, f.channels);
        }
    }
}

static physad_status max_backward(physad__tape *t, physad__tape_node *n)
{
    if (!n->bf16) {
        scatter(t, n, true);
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        float *room = (float *)(void *)t->scratch + 2 * l * n->channels;
        for (int64_t i = l; i < n->shape[0]; i += PHYSAD__TAPE_LANES)
            scatter_narrow(t, n, i, room, room + n->channels);
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_max = { .name = "max pooling",
                                        .width = PHYSAD__TAPE_FOLLOWS,
                                        .prepare = max_prepare,
                                        .forward = max_forward,
                                        .backward = max_backward };

/* --- mean pooling
 * -------------------------------------------------------------------------------------------------------- */

static physad_status avg_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0),
                share = 1 / (float)(n->window.kernel[0] * n->window.kernel[1] * n->window.kernel[2]);
    const field f = field_of(t, n);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const spot s = spot_of(n, &f, r);
        float *y = n->data + r * f.channels;
        memset(y, 0, (size_t)f.channels * sizeof(float));
        for (int64_t k = 0, row; (row = nth_row(&f, &s, k)) >= 0; k++)
            for (int64_t c = 0; c < f.channels; c++)
                y[c] += x[row * f.channels + c];
        for (int64_t c = 0; c < f.channels; c++)
            y[c] *= share;
    }
    return PHYSAD_OK;
}

static physad_status avg_backward(physad__tape *t, physad__tape_node *n)
{
    scatter(t, n, false);
    return PHYSAD_OK;
}

static const physad__tape_op op_avg = { .name = "mean pooling", .forward = avg_forward, .backward = avg_backward };

/* --- mean over all places
 * ------------------------------------------------------------------------------------------------ */

static physad_status global_forward(physad__tape *t, physad__tape_node *n)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    const int64_t images = n->shape[0], places = x->rows / images, channels = n->channels;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < images * channels; i++) {
        const float *in = x->data + i / channels * places * channels + i % channels;
        double sum = 0;
        for (int64_t p = 0; p < places; p++)
            sum += (double)in[p * channels];
        n->data[i] = (float)(sum / (double)places);
    }
    return PHYSAD_OK;
}

static physad_status global_backward(physad__tape *t, physad__tape_node *n)
{
    const int64_t rows = physad__tape_in(t, n, 0)->rows, places = rows / n->shape[0], channels = n->channels;
    const float share = 1 / (float)places;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < channels; c++) {
            const float d = n->grad[r / places * channels + c] * share;
            dx[r * channels + c] = n->fresh[0] ? d : dx[r * channels + c] + d;
        }
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_global = { .name = "mean over places",
                                           .forward = global_forward,
                                           .backward = global_backward };

/* --- resampling
 * ------------------------------------------------------------------------------------------------------------ */

/* Two neighbours along an axis and the second one's weight. */
typedef struct tap {
    int64_t low, high;
    float weight;
} tap;

static tap tap_of(int32_t how, int64_t out, int64_t in, int64_t i)
{
    double at;
    if (how == PHYSAD__TAPE_NEAREST) {
        const int64_t near = physad__min(i * in / out, in - 1);
        return (tap){ near, near, 0 };
    }
    if (how == PHYSAD__TAPE_BILINEAR_CORNERS)
        at = out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
    else
        at = fmax(((double)i + 0.5) * (double)in / (double)out - 0.5, 0);
    const int64_t low = physad__min((int64_t)at, in - 1);
    return (tap){ low, physad__min(low + 1, in - 1), (float)(at - (double)low) };
}

/* The four rows of an image's input that a row of its output mixes, and their weights. */
static void mix_of(const physad__tape *t, const physad__tape_node *n, int64_t place, int64_t rows[4], float weights[4])
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    const tap y = tap_of(n->kind, n->shape[1], x->shape[1], place / n->shape[2]);
    const tap z = tap_of(n->kind, n->shape[2], x->shape[2], place % n->shape[2]);
    for (int k = 0; k < 4; k++) {
        rows[k] = (k < 2 ? y.low : y.high) * x->shape[2] + (k % 2 == 0 ? z.low : z.high);
        weights[k] = (k < 2 ? 1 - y.weight : y.weight) * (k % 2 == 0 ? 1 - z.weight : z.weight);
    }
}

static physad_status resample_forward(physad__tape *t, physad__tape_node *n)
{
    const int64_t out = n->shape[1] * n->shape[2], in = physad__tape_in(t, n, 0)->rows / n->shape[0],
                  channels = n->channels;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        int64_t rows[4];
        float w[4];
        mix_of(t, n, r % out, rows, w);
        const float *x = physad__tape_x(t, n, 0) + r / out * in * channels;
        for (int64_t c = 0; c < channels; c++)
            n->data[r * channels + c] = w[0] * x[rows[0] * channels + c] + w[1] * x[rows[1] * channels + c] +
                                        w[2] * x[rows[2] * channels + c] + w[3] * x[rows[3] * channels + c];
    }
    return PHYSAD_OK;
}

static physad_status resample_backward(physad__tape *t, physad__tape_node *n)
{
    const int64_t out = n->shape[1] * n->shape[2], in = physad__tape_in(t, n, 0)->rows / n->shape[0],
                  channels = n->channels;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->shape[0]; i++) {
        float *d = dx + i * in * channels;
        if (n->fresh[0])
            memset(d, 0, (size_t)(in * channels) * sizeof(float));
        for (int64_t p = 0; p < out; p++) {
            int64_t rows[4];
            float w[4];
            mix_of(t, n, p, rows, w);
            const float *g = n->grad + (i * out + p) * channels;
            for (int k = 0; k < 4; k++)
                for (int64_t c = 0; c < channels; c++)
                    d[rows[k] * channels + c] += w[k] * g[c];
        }
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_resample = { .name = "resampling",
                                             .forward = resample_forward,
                                             .backward = resample_backward };

/* --- building
 * -------------------------------------------------------------------------------------------------------------- */

static int32_t pool(physad__tape *t, const physad__tape_op *op, int32_t x, const physad__tape_window *w)
{
    physad__tape_node n = { .op = op, .input = { x }, .inputs = 1, .window = *w };
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    const int32_t places = in->ndim - 2;
    int64_t size = 1;
    if (places < 2 || places > 3)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE,
                                                    "tape: %s of an array of %d axes, want 4 (N H W C) or 5 "
                                                    "(N D H W C)",
                                                    op->name, in->ndim));
    n.ndim = in->ndim;
    memcpy(n.shape, in->shape, sizeof(n.shape));
    n.wants = in->wants;
    for (int32_t i = 0; i < 3; i++) {
        const int64_t k = w->kernel[i], s = w->stride[i], p = w->pad[i];
        if (i < 3 - places) {
            n.window.kernel[i] = n.window.stride[i] = 1;
            n.window.pad[i] = 0;
            continue;
        }
        const int64_t had = in->shape[1 + i - (3 - places)];
        size *= k;
        if (k < 1 || s < 1 || p < 0 || 2 * p > k || had + 2 * p < k || size > 256)
            return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG,
                                                        "tape: %s: kernel %lld, stride %lld, padding %lld for %lld "
                                                        "places",
                                                        op->name, (long long)k, (long long)s, (long long)p,
                                                        (long long)had));
        n.shape[1 + i - (3 - places)] = (had + 2 * p - k) / s + 1;
    }
    return physad__tape_push(t, &n);
}

int32_t physad__tape_max_pool(physad__tape *t, int32_t x, const physad__tape_window *w)
{
    return pool(t, &op_max, x, w);
}

int32_t physad__tape_avg_pool(physad__tape *t, int32_t x, const physad__tape_window *w)
{
    return pool(t, &op_avg, x, w);
}

int32_t physad__tape_global_pool(physad__tape *t, int32_t x)
{
    physad__tape_node n = { .op = &op_global, .input = { x }, .inputs = 1, .ndim = 2 };
    if (!physad__tape_good(t, x))
        return -1;
    n.shape[0] = t->nodes[x].shape[0];
    n.shape[1] = t->nodes[x].channels;
    n.wants = t->nodes[x].wants;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_resample(physad__tape *t, int32_t x, int64_t height, int64_t width, physad__tape_how how)
{
    physad__tape_node n = { .op = &op_resample, .input = { x }, .inputs = 1, .ndim = 4, .kind = (int32_t)how };
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    if (in->ndim != 4)
        return physad__tape_refuse(
            t, physad__error(PHYSAD_ERR_SHAPE, "tape: resampling of an array of %d axes, want N H W C", in->ndim));
    const int64_t shape[4] = { in->shape[0], height, width, in->channels };
    memcpy(n.shape, shape, sizeof(shape));
    n.wants = in->wants;
    return physad__tape_push(t, &n);
}
