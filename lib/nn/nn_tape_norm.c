/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisations with means and variances: batch norm (with its activation), and layer, group and instance norm. */
#include "nn/nn_tape_node.h"

#include <math.h>

enum { BLOCK = 8192 }; /* numbers of a block of rows that stays in the cache while its mean and variance are taken */

static const double MOMENTUM = 0.1, EPS = 1e-5;

/* --- batch norm ------------------------------------------------------------------------------------------------------
 */

/* Mean and summed squares around it of some rows, per channel: joined with those of other rows (Chan et al. 1979). */
typedef struct moments {
    double count, *mean, *m2;
} moments;

static void join(moments *a, double count, const double *mean, const double *m2, int64_t channels)
{
    const double total = a->count + count, share = total > 0 ? count / total : 0;
    for (int64_t c = 0; c < channels; c++) {
        const double d = mean[c] - a->mean[c];
        a->mean[c] += d * share;
        a->m2[c] += m2[c] + d * d * a->count * share;
    }
    a->count = total;
}

PHYSAD__TAPE_WIDE static void block_moments(const float *x, int64_t rows, int64_t channels, float *sum, double *mean,
                                            double *m2)
{
    memset(sum, 0, (size_t)channels * sizeof(float));
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t c = 0; c < channels; c++)
            sum[c] += x[r * channels + c];
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) {
        mean[c] = (double)sum[c] / (double)rows;
        sum[c] = (float)mean[c];
    }
    float *squares = sum + channels;
    memset(squares, 0, (size_t)channels * sizeof(float));
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float d = x[r * channels + c] - sum[c];
            squares[c] += d * d;
        }
    }
#pragma omp simd
    for (int64_t c = 0; c < channels; c++) /* around the mean as rounded */
        m2[c] = (double)squares[c] - (double)rows * (mean[c] - (double)sum[c]) * (mean[c] - (double)sum[c]);
}

/* What a lane needs: two moments of its own, two of a block, and two rows of f32. */
static int64_t lane_doubles(int64_t channels)
{
    return 5 * channels;
}

/* Rows of a block. */
static int64_t rows_of(const physad__tape_node *n)
{
    return physad__max(1, BLOCK / n->channels);
}

enum { ROOM_X, ROOM_GRADIENT, ROOM_OUT, ROOMS };

/* Bytes behind the scratch of f32: of each lane a block of numbers in f32 for each of what it reads and writes. */
static int64_t rooms_bytes(const physad__tape_node *n)
{
    return n->bf16 ? PHYSAD__TAPE_LANES * ROOMS * rows_of(n) * n->channels * (int64_t)sizeof(float) : 0;
}

static int64_t bn_doubles(const physad__tape_node *n)
{
    return lane_doubles(n->channels) * PHYSAD__TAPE_LANES + 2 * n->channels;
}

static float *room_of(const physad__tape *t, const physad__tape_node *n, int64_t lane, int which)
{
    float *rooms = (float *)(void *)(t->scratch + bn_doubles(n) * (int64_t)sizeof(double));
    return rooms + (lane * ROOMS + which) * rows_of(n) * n->channels;
}

/* Moments of all rows into `mean` and `m2`. */
static void all_moments(const physad__tape *t, const physad__tape_node *n, double *mean, double *m2, double *scratch)
{
    const float *x = physad__tape_x(t, n, 0);
    const int64_t rows = n->rows, channels = n->channels, step = rows_of(n), room = lane_doubles(channels);
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        double *at = scratch + l * room;
        moments lane = { 0, at, at + channels };
        int64_t from, to;
        physad__tape_lane(rows, l, &from, &to);
        memset(at, 0, (size_t)(2 * channels) * sizeof(double));
        for (int64_t r = from; r < to; r += step) {
            const int64_t count = physad__min(step, to - r);
            const float *in = physad__tape_span(n->bf16, x, r * channels, count * channels, room_of(t, n, l, ROOM_X));
            block_moments(in, count, channels, (float *)(void *)(at + 4 * channels), at + 2 * channels,
                          at + 3 * channels);
            join(&lane, (double)count, at + 2 * channels, at + 3 * channels, channels);
        }
    }
    moments all = { 0, mean, m2 };
    memset(mean, 0, (size_t)channels * sizeof(double));
    memset(m2, 0, (size_t)channels * sizeof(double));
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        int64_t from, to;
        physad__tape_lane(rows, l, &from, &to);
        if (to > from)
            join(&all, (double)(to - from), scratch + l * room, scratch + l * room + channels, channels);
    }
}

/* Saved: factor and shift of each channel (y = x factor + shift), then mean and 1 / deviation. */
enum { FACTOR, SHIFT, MEAN, INVERSE, SAVED };

static float *saved(const physad__tape_node *n, int what)
{
    return (float *)n->saved + what * n->channels;
}

static physad_status bn_prepare(physad__tape *t, physad__tape_node *n)
{
    n->saved_bytes = SAVED * n->channels * (int64_t)sizeof(float);
    n->scratch_bytes = bn_doubles(n) * (int64_t)sizeof(double) + rooms_bytes(n);
    return PHYSAD_OK;
}

static void learn_statistics(physad__tape *t, physad__tape_node *n)
{
    double *mean = (double *)(void *)t->scratch, *m2 = mean + n->channels;
    float *running_mean = physad__tape_p(t, n, 2)->data, *running_var = physad__tape_p(t, n, 3)->data;
    const double rows = (double)n->rows;
    all_moments(t, n, mean, m2, m2 + n->channels);
    for (int64_t c = 0; c < n->channels; c++) {
        const double var = m2[c] / rows, unbiased = n->rows > 1 ? m2[c] / (rows - 1) : var;
        saved(n, MEAN)[c] = (float)mean[c];
        saved(n, INVERSE)[c] = (float)(1 / sqrt(var + EPS));
        running_mean[c] = (float)((1 - MOMENTUM) * (double)running_mean[c] + MOMENTUM * mean[c]);
        running_var[c] = (float)((1 - MOMENTUM) * (double)running_var[c] + MOMENTUM * unbiased);
    }
}

PHYSAD__TAPE_WIDE static void scale_rows(const float *x, int64_t rows, int64_t channels, const float *factor,
                                         const float *shift, float slope, float *y)
{
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float z = x[r * channels + c] * factor[c] + shift[c];
            y[r * channels + c] = z > 0 ? z : z * slope;
        }
    }
}

static float slope_of(const physad__tape_node *n)
{
    return n->kind == PHYSAD__TAPE_NONE ? 1 : (float)n->a;
}

static void bn_apply(const physad__tape *t, const physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), *factor = saved(n, FACTOR), *shift = saved(n, SHIFT);
    const int64_t channels = n->channels, step = rows_of(n);
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        int64_t from, to;
        physad__tape_lane(n->rows, l, &from, &to);
        for (int64_t r = from; r < to; r += step) {
            const int64_t rows = physad__min(step, to - r), count = rows * channels;
            const float *in = physad__tape_span(n->bf16, x, r * channels, count, room_of(t, n, l, ROOM_X));
            float *out = n->bf16 ? room_of(t, n, l, ROOM_OUT) : n->data + r * channels;
            scale_rows(in, rows, channels, factor, shift, slope_of(n), out);
            if (n->bf16)
                physad__bf16_write(out, count, physad__tape_narrow(n->data) + r * channels);
        }
    }
}

static physad_status bn_forward(physad__tape *t, physad__tape_node *n)
{
    const float *weight = physad__tape_p(t, n, 0)->data, *bias = physad__tape_p(t, n, 1)->data;
    float *factor = saved(n, FACTOR), *shift = saved(n, SHIFT);
    const int64_t channels = n->channels;
    if (t->train) {
        learn_statistics(t, n);
    } else {
        for (int64_t c = 0; c < channels; c++) {
            saved(n, MEAN)[c] = physad__tape_p(t, n, 2)->data[c];
            saved(n, INVERSE)[c] = (float)(1 / sqrt((double)physad__tape_p(t, n, 3)->data[c] + EPS));
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        factor[c] = weight[c] * saved(n, INVERSE)[c];
        shift[c] = bias[c] - saved(n, MEAN)[c] * factor[c];
    }
    bn_apply(t, n);
    return PHYSAD_OK;
}

/* Of some rows: added to `sums`, channels of the gradient's sums, then of the products'. */
PHYSAD__TAPE_WIDE static void block_sums(const physad__tape_node *n, const float *x, const float *g, int64_t rows,
                                         float slope, float *sums)
{
    const float *factor = saved(n, FACTOR), *shift = saved(n, SHIFT), *mean = saved(n, MEAN),
                *inverse = saved(n, INVERSE);
    const int64_t channels = n->channels;
    float *products = sums + channels;
    for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const float v = x[i * channels + c], z = v * factor[c] + shift[c], d = g[i * channels + c];
            const float dz = z > 0 ? d : d * slope;
            sums[c] += dz;
            products[c] += dz * ((v - mean[c]) * inverse[c]);
        }
    }
}

/* Sums over rows of the gradient behind the activation, and of that times the normalised input. */
static void bn_sums(const physad__tape *t, const physad__tape_node *n, double *sums, double *scratch)
{
    const float *x = physad__tape_x(t, n, 0), *g = n->grad;
    const int64_t channels = n->channels, step = rows_of(n), room = lane_doubles(channels);
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        double *lane = scratch + l * room;
        float *a = (float *)(void *)(lane + 2 * channels);
        int64_t from, to;
        physad__tape_lane(n->rows, l, &from, &to);
        memset(lane, 0, (size_t)(2 * channels) * sizeof(double));
        for (int64_t r = from; r < to; r += step) {
            const int64_t rows = physad__min(step, to - r), count = rows * channels;
            const float *in = physad__tape_span(n->bf16, x, r * channels, count, room_of(t, n, l, ROOM_X)),
                        *d = physad__tape_span(n->bf16, g, r * channels, count, room_of(t, n, l, ROOM_GRADIENT));
            memset(a, 0, (size_t)(2 * channels) * sizeof(float));
            block_sums(n, in, d, rows, slope_of(n), a);
            for (int64_t c = 0; c < 2 * channels; c++)
                lane[c] += (double)a[c];
        }
    }
    memset(sums, 0, (size_t)(2 * channels) * sizeof(double));
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++)
        for (int64_t c = 0; c < 2 * channels; c++)
            sums[c] += scratch[l * room + c];
}

/* From the coefficients that lie where mean and inverse were. */
PHYSAD__TAPE_WIDE static void gradient_rows(const physad__tape_node *n, const float *x, const float *g, int64_t rows,
                                            float slope, bool fresh, float *dx)
{
    const float *factor = saved(n, FACTOR), *shift = saved(n, SHIFT), *times = saved(n, MEAN),
                *plus = saved(n, INVERSE);
    const int64_t channels = n->channels;
    for (int64_t r = 0; r < rows; r++) {
#pragma omp simd
        for (int64_t c = 0; c < channels; c++) {
            const int64_t i = r * channels + c;
            const float v = x[i], z = v * factor[c] + shift[c], dz = z > 0 ? g[i] : g[i] * slope;
            const float d = factor[c] * dz + times[c] * v + plus[c];
            dx[i] = fresh ? d : dx[i] + d;
        }
    }
}

/* dx = factor (dz - mean of dz - normalised input times the mean of their product), as three coefficients per channel.
 */
static void bn_input_gradient(const physad__tape *t, const physad__tape_node *n, const double *sums, float *dx)
{
    const float *x = physad__tape_x(t, n, 0), *g = n->grad, *factor = saved(n, FACTOR);
    const int64_t channels = n->channels, step = rows_of(n);
    float *times = saved(n, MEAN), *plus = saved(n, INVERSE); /* not needed any more */
    const double rows = (double)n->rows;
    for (int64_t c = 0; c < channels; c++) {
        const double mean = (double)times[c], inverse = (double)plus[c], f = (double)factor[c];
        const double product = sums[channels + c] / rows;
        times[c] = (float)(-f * inverse * product);
        plus[c] = (float)(-f * (sums[c] / rows - mean * inverse * product));
    }
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        int64_t from, to;
        physad__tape_lane(n->rows, l, &from, &to);
        for (int64_t r = from; r < to; r += step) {
            const int64_t part = physad__min(step, to - r), at = r * channels, count = part * channels;
            const float *in = physad__tape_span(n->bf16, x, at, count, room_of(t, n, l, ROOM_X)),
                        *d = physad__tape_span(n->bf16, g, at, count, room_of(t, n, l, ROOM_GRADIENT));
            float *out = n->bf16 ? room_of(t, n, l, ROOM_OUT) : dx + at;
            gradient_rows(n, in, d, part, slope_of(n), n->bf16 || n->fresh[0], out);
            if (n->bf16)
                physad__bf16_give(physad__tape_narrow(dx) + at, n->fresh[0], out, count);
        }
    }
}

static physad_status bn_backward(physad__tape *t, physad__tape_node *n)
{
    double *sums = (double *)(void *)t->scratch;
    float *dx = physad__tape_dx(t, n, 0), *weight = physad__tape_p(t, n, 0)->grad,
          *bias = physad__tape_p(t, n, 1)->grad;
    bn_sums(t, n, sums, sums + 2 * n->channels);
    for (int64_t c = 0; c < n->channels; c++) {
        bias[c] += (float)sums[c];
        weight[c] += (float)sums[n->channels + c];
    }
    if (dx != NULL)
        bn_input_gradient(t, n, sums, dx);
    return PHYSAD_OK;
}

static const physad__tape_op op_batch_norm = { .name = "batch norm",
                                               .width = PHYSAD__TAPE_FOLLOWS,
                                               .needs = 1,
                                               .data_shared = true,
                                               .grad_shared = true,
                                               .prepare = bn_prepare,
                                               .forward = bn_forward,
                                               .backward = bn_backward };

/* --- layer and group norm: over sections of numbers that lie together or in strips -----------------------------------
 */

/* Section s of image i: `strips` strips of `width` numbers, `step` apart. */
typedef struct sections {
    int64_t images, groups, strips, width, step;
} sections;

static sections sections_of(const physad__tape_node *n)
{
    if (n->axis == 0) /* layer norm: a row is an image of one strip */
        return (sections){ n->rows, 1, 1, n->channels, n->channels };
    return (sections){ n->shape[0], n->from, n->rows / n->shape[0], n->channels / n->from, n->channels };
}

static const float *section(const sections *s, const float *x, int64_t i)
{
    return x + i / s->groups * s->strips * s->step + i % s->groups * s->width;
}

static void section_moments(const sections *s, const float *x, double eps, float *mean, float *inverse)
{
    double sum = 0, squares = 0;
    const double count = (double)(s->strips * s->width);
    for (int64_t r = 0; r < s->strips; r++)
        for (int64_t c = 0; c < s->width; c++)
            sum += (double)x[r * s->step + c];
    sum /= count;
    for (int64_t r = 0; r < s->strips; r++) {
        for (int64_t c = 0; c < s->width; c++) {
            const double d = (double)x[r * s->step + c] - sum;
            squares += d * d;
        }
    }
    *mean = (float)sum;
    *inverse = (float)(1 / sqrt(squares / count + eps));
}

static physad_status sn_prepare(physad__tape *t, physad__tape_node *n)
{
    const sections s = sections_of(n);
    n->saved_bytes = 2 * s.images * s.groups * (int64_t)sizeof(float);
    n->scratch_bytes = 2 * PHYSAD__TAPE_LANES * n->channels * (int64_t)sizeof(float);
    return PHYSAD_OK;
}

static physad_status sn_forward(physad__tape *t, physad__tape_node *n)
{
    const sections s = sections_of(n);
    const float *x = physad__tape_x(t, n, 0), *weight = n->param[0] >= 0 ? physad__tape_p(t, n, 0)->data : NULL;
    const float *bias = weight != NULL ? physad__tape_p(t, n, 1)->data : NULL;
    float *means = n->saved;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s.images * s.groups; i++) {
        const float *in = section(&s, x, i);
        float *out = n->data + (in - x), *mean = &means[2 * i], *inverse = &means[2 * i + 1];
        const int64_t first = i % s.groups * s.width;
        section_moments(&s, in, n->a, mean, inverse);
        for (int64_t r = 0; r < s.strips; r++) {
            for (int64_t c = 0; c < s.width; c++) {
                const float z = (in[r * s.step + c] - *mean) * *inverse;
                out[r * s.step + c] = weight != NULL ? z * weight[first + c] + bias[first + c] : z;
            }
        }
    }
    return PHYSAD_OK;
}

static void sn_section_back(const sections *s, const float *x, const float *g, const float *weight, const float *means,
                            bool fresh, float *dx)
{
    double sum = 0, product = 0;
    const double count = (double)(s->strips * s->width);
    for (int64_t r = 0; r < s->strips; r++) {
        for (int64_t c = 0; c < s->width; c++) {
            const int64_t i = r * s->step + c;
            const double d = (double)g[i] * (weight != NULL ? (double)weight[c] : 1);
            sum += d;
            product += d * (double)((x[i] - means[0]) * means[1]);
        }
    }
    const float mean = (float)(sum / count), slope = (float)(product / count);
    for (int64_t r = 0; r < s->strips; r++) {
        for (int64_t c = 0; c < s->width; c++) {
            const int64_t i = r * s->step + c;
            const float d = g[i] * (weight != NULL ? weight[c] : 1), z = (x[i] - means[0]) * means[1];
            const float v = means[1] * (d - mean - z * slope);
            dx[i] = fresh ? v : dx[i] + v;
        }
    }
}

static void sn_param_back(physad__tape *t, const physad__tape_node *n, const sections *s)
{
    const float *x = physad__tape_x(t, n, 0), *g = n->grad, *means = n->saved;
    float *lanes = (float *)(void *)t->scratch, *shifts = lanes + PHYSAD__TAPE_LANES * n->channels;
    const int64_t channels = n->channels, image = n->rows / s->images;
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        float *a = lanes + l * channels, *b = shifts + l * channels;
        int64_t from, to;
        physad__tape_lane(n->rows, l, &from, &to);
        memset(a, 0, (size_t)channels * sizeof(float));
        memset(b, 0, (size_t)channels * sizeof(float));
        for (int64_t r = from; r < to; r++) {
            for (int64_t c = 0; c < channels; c++) {
                const float *m = means + 2 * (r / image * s->groups + c / s->width), d = g[r * channels + c];
                a[c] += d * (x[r * channels + c] - m[0]) * m[1];
                b[c] += d;
            }
        }
    }
    physad__tape_add_lanes(lanes, PHYSAD__TAPE_LANES, channels, physad__tape_p(t, n, 0)->grad);
    physad__tape_add_lanes(shifts, PHYSAD__TAPE_LANES, channels, physad__tape_p(t, n, 1)->grad);
}

static physad_status sn_backward(physad__tape *t, physad__tape_node *n)
{
    const sections s = sections_of(n);
    const float *x = physad__tape_x(t, n, 0), *means = n->saved,
                *weight = n->param[0] >= 0 ? physad__tape_p(t, n, 0)->data : NULL;
    float *dx = physad__tape_dx(t, n, 0);
    if (weight != NULL)
        sn_param_back(t, n, &s);
    if (dx == NULL)
        return PHYSAD_OK;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < s.images * s.groups; i++) {
        const float *in = section(&s, x, i);
        sn_section_back(&s, in, n->grad + (in - x), weight != NULL ? weight + i % s.groups * s.width : NULL,
                        means + 2 * i, n->fresh[0], dx + (in - x));
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_section_norm = { .name = "norm",
                                                 .needs = 1,
                                                 .data_shared = true,
                                                 .grad_shared = true,
                                                 .prepare = sn_prepare,
                                                 .forward = sn_forward,
                                                 .backward = sn_backward };

/* --- building --------------------------------------------------------------------------------------------------------
 */

static void take(physad__tape *t, physad__tape_node *n, int32_t x)
{
    n->inputs = 1;
    n->input[0] = x;
    n->ndim = t->nodes[x].ndim;
    memcpy(n->shape, t->nodes[x].shape, sizeof(n->shape));
    n->wants = t->nodes[x].wants;
    for (int k = 0; k < 4; k++)
        n->param[k] = -1;
}

static void want_affine(physad__tape *t, physad__tape_node *n, const char *name, const int64_t *channels,
                        double deviation)
{
    const physad__param_init one = { PHYSAD__DRAW_NORMAL, 1, deviation }, zero = { PHYSAD__DRAW_NORMAL, 0, 0 };
    n->param[0] = physad__tape_want(t, name, "weight", 1, channels, &one, true);
    n->param[1] = physad__tape_want(t, name, "bias", 1, channels, &zero, true);
    n->wants = n->wants || t->train;
}

int32_t physad__tape_batch_norm(physad__tape *t, int32_t x, const char *name, physad__tape_act act, double slope)
{
    physad__tape_node n = { .op = &op_batch_norm, .kind = (int32_t)act, .a = act == PHYSAD__TAPE_LEAKY ? slope : 0 };
    const physad__param_init one = { PHYSAD__DRAW_NORMAL, 1, 0 }, zero = { PHYSAD__DRAW_NORMAL, 0, 0 };
    if (!physad__tape_good(t, x))
        return -1;
    if (act != PHYSAD__TAPE_NONE && act != PHYSAD__TAPE_RELU && act != PHYSAD__TAPE_LEAKY)
        return physad__tape_refuse(
            t, physad__error(PHYSAD_ERR_ARG, "tape: batch norm %s with activation %d", name, (int)act));
    take(t, &n, x);
    const int64_t channels = t->nodes[x].channels;
    want_affine(t, &n, name, &channels, t->params->deviation);
    n.param[2] = physad__tape_want(t, name, "running_mean", 1, &channels, &zero, false);
    n.param[3] = physad__tape_want(t, name, "running_var", 1, &channels, &one, false);
    return physad__tape_push(t, &n);
}

int32_t physad__tape_layer_norm(physad__tape *t, int32_t x, const char *name, double eps)
{
    physad__tape_node n = { .op = &op_section_norm, .a = eps };
    if (!physad__tape_good(t, x))
        return -1;
    take(t, &n, x);
    if (name != NULL)
        want_affine(t, &n, name, &t->nodes[x].channels, 0);
    return physad__tape_push(t, &n);
}

int32_t physad__tape_group_norm(physad__tape *t, int32_t x, const char *name, int64_t groups, double eps)
{
    physad__tape_node n = { .op = &op_section_norm, .a = eps, .axis = 1, .from = groups };
    if (!physad__tape_good(t, x))
        return -1;
    take(t, &n, x);
    const int64_t channels = t->nodes[x].channels;
    if (groups < 1 || channels % groups != 0)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG, "tape: %lld channels in %lld groups",
                                                    (long long)channels, (long long)groups));
    if (name != NULL)
        want_affine(t, &n, name, &channels, 0);
    return physad__tape_push(t, &n);
}
