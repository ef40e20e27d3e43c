/* SPDX-License-Identifier: Apache-2.0 */
/* Losses: one number each. Every one is a sum over rows (or numbers) that is split into fixed lanes, and a gradient per
 * row. */
#include "nn/nn_tape_node.h"

#include <math.h>

enum { MSE, L1, BCE, DOT, MEAN, ENTROPY, CROSS_ENTROPY, COSINE, TRIPLET };

static const double ROW_EPS = 1e-8, LOG_EPS = 1e-12;

/* --- per number
 * ---------------------------------------------------------------------------------------------------------- */

static double value_of(int32_t kind, double a, double b)
{
    switch (kind) {
    case MSE: return (a - b) * (a - b);
    case L1: return fabs(a - b);
    case BCE: return fmax(a, 0) - a * b + log1p(exp(-fabs(a)));
    case DOT: return a * b;
    case ENTROPY: return -a * log(a + LOG_EPS);
    default: return a;
    }
}

/* By the first (k 0) or the second argument. */
static double slope_of(int32_t kind, int k, double a, double b)
{
    switch (kind) {
    case MSE: return k == 0 ? 2 * (a - b) : 2 * (b - a);
    case L1: return (k == 0 ? 1 : -1) * ((a > b) - (a < b));
    case BCE: return k == 0 ? 1 / (1 + exp(-a)) - b : -a;
    case DOT: return k == 0 ? b : a;
    case ENTROPY: return -log(a + LOG_EPS) - a / (a + LOG_EPS);
    default: return 1;
    }
}

static bool by_number(int32_t kind)
{
    return kind <= ENTROPY;
}

static double squares(int32_t kind, const float *a, const float *b, int64_t from, int64_t to)
{
    double sum = 0;
    if (kind == MSE) {
        for (int64_t i = from; i < to; i++) {
            const double d = (double)a[i] - (double)b[i];
            sum += d * d;
        }
        return sum;
    }
    for (int64_t i = from; i < to; i++)
        sum += value_of(kind, (double)a[i], b != NULL ? (double)b[i] : 0);
    return sum;
}

/* --- per row
 * --------------------------------------------------------------------------------------------------------------- */

typedef struct row_args {
    const float *a, *b, *c;
    int64_t channels;
    double margin;
} row_args;

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* PyTorch's pairwise distance: 1e-6 is added to each difference. */
static double distance(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i] + 1e-6;
        sum += d * d;
    }
    return sqrt(sum);
}

static double log_sum_exp(const float *a, int64_t n)
{
    double top = (double)a[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        top = fmax(top, (double)a[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)a[i] - top);
    return top + log(sum);
}

static double row_value(int32_t kind, const row_args *r)
{
    switch (kind) {
    case CROSS_ENTROPY: return log_sum_exp(r->a, r->channels) - (double)r->a[(int64_t)r->b[0]];
    case COSINE:
        return 1 - dot(r->a, r->b, r->channels) / (fmax(sqrt(dot(r->a, r->a, r->channels)), ROW_EPS) *
                                                   fmax(sqrt(dot(r->b, r->b, r->channels)), ROW_EPS));
    default: return fmax(distance(r->a, r->b, r->channels) - distance(r->a, r->c, r->channels) + r->margin, 0);
    }
}

/* Adds `g` times the gradient of a row to each of d[k] that is there. */
static void cross_entropy_back(const row_args *r, float g, float *const d[3])
{
    const double all = log_sum_exp(r->a, r->channels);
    for (int64_t c = 0; c < r->channels; c++)
        d[0][c] += g * (float)(exp((double)r->a[c] - all) - (c == (int64_t)r->b[0]));
}

static void cosine_back(const row_args *r, float g, float *const d[3])
{
    const double na = fmax(sqrt(dot(r->a, r->a, r->channels)), ROW_EPS),
                 nb = fmax(sqrt(dot(r->b, r->b, r->channels)), ROW_EPS);
    const double cosine = dot(r->a, r->b, r->channels) / (na * nb);
    for (int64_t c = 0; c < r->channels; c++) {
        const double a = (double)r->a[c] / na, b = (double)r->b[c] / nb;
        if (d[0] != NULL)
            d[0][c] -= g * (float)((b - cosine * a) / na);
        if (d[1] != NULL)
            d[1][c] -= g * (float)((a - cosine * b) / nb);
    }
}

static void triplet_back(const row_args *r, float g, float *const d[3])
{
    const double near = distance(r->a, r->b, r->channels), far = distance(r->a, r->c, r->channels);
    if (near - far + r->margin <= 0)
        return;
    for (int64_t c = 0; c < r->channels; c++) {
        const double p = near > 0 ? ((double)r->a[c] - (double)r->b[c] + 1e-6) / near : 0;
        const double q = far > 0 ? ((double)r->a[c] - (double)r->c[c] + 1e-6) / far : 0;
        if (d[0] != NULL)
            d[0][c] += g * (float)(p - q);
        if (d[1] != NULL)
            d[1][c] -= g * (float)p;
        if (d[2] != NULL)
            d[2][c] += g * (float)q;
    }
}

/* --- running
 * ----------------------------------------------------------------------------------------------------------------- */

static row_args row_of(const physad__tape *t, const physad__tape_node *n, int64_t r)
{
    const physad__tape_node *a = physad__tape_in(t, n, 0);
    row_args row = { .a = a->data + r * a->channels, .channels = a->channels, .margin = n->a };
    row.b = physad__tape_x(t, n, 1) + (n->kind == CROSS_ENTROPY ? r : r * a->channels);
    row.c = n->inputs > 2 ? physad__tape_x(t, n, 2) + r * a->channels : NULL;
    return row;
}

/* What the sum is divided by. */
static double share_of(const physad__tape *t, const physad__tape_node *n)
{
    const physad__tape_node *a = physad__tape_in(t, n, 0);
    if (n->kind == DOT)
        return 1;
    return (double)(by_number(n->kind) && n->kind != ENTROPY ? a->count : a->rows);
}

static physad_status loss_forward(physad__tape *t, physad__tape_node *n)
{
    const physad__tape_node *a = physad__tape_in(t, n, 0);
    const float *b = n->inputs > 1 ? physad__tape_x(t, n, 1) : NULL;
    double lanes[PHYSAD__TAPE_LANES];
    for (int64_t r = 0; n->kind == CROSS_ENTROPY && r < a->rows; r++)
        if (!(b[r] >= 0 && b[r] < (float)a->channels))
            return physad__error(PHYSAD_ERR_NUMERIC, "tape: label %g of %lld classes", (double)b[r],
                                 (long long)a->channels);
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < PHYSAD__TAPE_LANES; l++) {
        int64_t from, to;
        physad__tape_lane(by_number(n->kind) ? a->count : a->rows, l, &from, &to);
        lanes[l] = by_number(n->kind) ? squares(n->kind, a->data, b, from, to) : 0;
        for (int64_t r = from; !by_number(n->kind) && r < to; r++) {
            const row_args row = row_of(t, n, r);
            lanes[l] += row_value(n->kind, &row);
        }
    }
    n->data[0] = (float)(physad__tape_sum_lanes(lanes) / share_of(t, n));
    return PHYSAD_OK;
}

static void number_backward(physad__tape *t, physad__tape_node *n, double g)
{
    const int64_t count = physad__tape_in(t, n, 0)->count;
    const float *a = physad__tape_x(t, n, 0), *b = n->inputs > 1 ? physad__tape_x(t, n, 1) : NULL;
    for (int k = 0; k < n->inputs; k++) {
        float *dx = physad__tape_dx(t, n, k);
        const bool fresh = n->fresh[k];
        if (dx == NULL)
            continue;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < count; i++) {
            const float v = (float)(g * slope_of(n->kind, k, (double)a[i], b != NULL ? (double)b[i] : 0));
            dx[i] = fresh ? v : dx[i] + v;
        }
    }
}

static void row_backward(physad__tape *t, physad__tape_node *n, float g)
{
    static void (*const backs[])(const row_args *, float, float *const[3]) = { cross_entropy_back, cosine_back,
                                                                               triplet_back };
    const physad__tape_node *a = physad__tape_in(t, n, 0);
    float *d[3] = { NULL };
    for (int k = 0; k < n->inputs; k++) {
        d[k] = physad__tape_dx(t, n, k);
        if (d[k] != NULL && n->fresh[k])
            memset(d[k], 0, (size_t)physad__tape_in(t, n, k)->count * sizeof(float));
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < a->rows; r++) {
        const row_args row = row_of(t, n, r);
        float *at[3];
        for (int k = 0; k < 3; k++)
            at[k] = d[k] != NULL ? d[k] + r * a->channels : NULL;
        backs[n->kind - CROSS_ENTROPY](&row, g, at);
    }
}

static physad_status loss_backward(physad__tape *t, physad__tape_node *n)
{
    const double g = (double)n->grad[0] / share_of(t, n);
    if (by_number(n->kind))
        number_backward(t, n, g);
    else
        row_backward(t, n, (float)g);
    return PHYSAD_OK;
}

static const physad__tape_op op_loss = {
    .name = "loss", .needs = 7, .forward = loss_forward, .backward = loss_backward
};

/* --- pairs of rows within each table
 * ------------------------------------------------------------------------------------------- */

typedef struct tables {
    int64_t count, rows, channels;
    double pairs;
} tables;

static tables tables_of(const physad__tape *t, const physad__tape_node *n)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    tables s = { .count = x->ndim > 2 ? x->shape[0] : 1, .channels = x->channels };
    s.rows = x->rows / s.count;
    s.pairs = (double)s.count * (double)s.rows * (double)(s.rows - 1) / 2;
    return s;
}

static double apart(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += ((double)a[c] - (double)b[c]) * ((double)a[c] - (double)b[c]);
    return sum;
}

static physad_status spread_forward(physad__tape *t, physad__tape_node *n)
{
    const tables s = tables_of(t, n);
    const float *x = physad__tape_x(t, n, 0);
    double sum = 0;
    for (int64_t k = 0; k < s.count; k++, x += s.rows * s.channels)
        for (int64_t i = 0; i < s.rows; i++)
            for (int64_t j = i + 1; j < s.rows; j++)
                sum += fmax(n->a - apart(x + i * s.channels, x + j * s.channels, s.channels), 0);
    n->data[0] = (float)(sum / s.pairs);
    return PHYSAD_OK;
}

static void push_pair(const float *a, const float *b, int64_t n, float g, float *da, float *db)
{
    for (int64_t c = 0; c < n; c++) {
        const float d = g * 2 * (a[c] - b[c]);
        da[c] -= d;
        db[c] += d;
    }
}

static physad_status spread_backward(physad__tape *t, physad__tape_node *n)
{
    const tables s = tables_of(t, n);
    const float g = (float)((double)n->grad[0] / s.pairs), *all = physad__tape_x(t, n, 0);
    float *dx = physad__tape_dx(t, n, 0);
    if (n->fresh[0])
        memset(dx, 0, (size_t)(s.count * s.rows * s.channels) * sizeof(float));
    for (int64_t k = 0; k < s.count; k++) {
        const float *x = all + k * s.rows * s.channels;
        float *d = dx + k * s.rows * s.channels;
        for (int64_t i = 0; i < s.rows; i++)
            for (int64_t j = i + 1; j < s.rows; j++)
                if (n->a > apart(x + i * s.channels, x + j * s.channels, s.channels))
                    push_pair(x + i * s.channels, x + j * s.channels, s.channels, g, d + i * s.channels,
                              d + j * s.channels);
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_spread = {
    .name = "spread of rows", .needs = 1, .forward = spread_forward, .backward = spread_backward
};

/* --- building
 * -------------------------------------------------------------------------------------------------------------------
 */

static int32_t add(physad__tape *t, const physad__tape_op *op, int32_t kind, int32_t inputs, int32_t a, int32_t b,
                   int32_t c, double margin)
{
    char first[160], second[160];
    const int32_t all[3] = { a, b, c };
    physad__tape_node n = { .op = op, .inputs = inputs, .ndim = 1, .shape = { 1 }, .kind = kind, .a = margin };
    for (int32_t k = 0; k < inputs; k++) {
        if (!physad__tape_good(t, all[k]))
            return -1;
        const physad__tape_node *x = &t->nodes[a], *y = &t->nodes[all[k]];
        const bool labels = kind == CROSS_ENTROPY && k == 1;
        if (labels ? y->count != x->rows || y->wants : y->count != x->count || y->channels != x->channels)
            return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: %s of %s and %s", op->name,
                                                        physad__shape_text(first, sizeof(first), x->ndim, x->shape),
                                                        physad__shape_text(second, sizeof(second), y->ndim, y->shape)));
        n.input[k] = all[k];
        n.wants = n.wants || y->wants;
    }
    return physad__tape_push(t, &n);
}

int32_t physad__tape_mse(physad__tape *t, int32_t a, int32_t b)
{
    return add(t, &op_loss, MSE, 2, a, b, -1, 0);
}

int32_t physad__tape_l1(physad__tape *t, int32_t a, int32_t b)
{
    return add(t, &op_loss, L1, 2, a, b, -1, 0);
}

int32_t physad__tape_bce(physad__tape *t, int32_t logits, int32_t target)
{
    return add(t, &op_loss, BCE, 2, logits, target, -1, 0);
}

int32_t physad__tape_cross_entropy(physad__tape *t, int32_t logits, int32_t labels)
{
    return add(t, &op_loss, CROSS_ENTROPY, 2, logits, labels, -1, 0);
}

int32_t physad__tape_cosine(physad__tape *t, int32_t a, int32_t b)
{
    return add(t, &op_loss, COSINE, 2, a, b, -1, 0);
}

int32_t physad__tape_entropy(physad__tape *t, int32_t p)
{
    return add(t, &op_loss, ENTROPY, 1, p, -1, -1, 0);
}

int32_t physad__tape_triplet(physad__tape *t, int32_t anchor, int32_t near, int32_t far, double margin)
{
    return add(t, &op_loss, TRIPLET, 3, anchor, near, far, margin);
}

int32_t physad__tape_mean(physad__tape *t, int32_t x)
{
    return add(t, &op_loss, MEAN, 1, x, -1, -1, 0);
}

int32_t physad__tape_dot(physad__tape *t, int32_t a, int32_t b)
{
    return add(t, &op_loss, DOT, 2, a, b, -1, 0);
}

int32_t physad__tape_spread(physad__tape *t, int32_t x, double margin)
{
    if (physad__tape_good(t, x) && t->nodes[x].rows / (t->nodes[x].ndim > 2 ? t->nodes[x].shape[0] : 1) < 2)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: spread of fewer than two rows"));
    return add(t, &op_spread, 0, 1, x, -1, -1, margin);
}
