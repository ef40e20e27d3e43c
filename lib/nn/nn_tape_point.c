/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on single numbers: activations, sums, differences, products. */
#include "nn/nn_tape_node.h"

#include <math.h>

/* Adds v to *g, or sets it. */
static inline void give(float *g, bool fresh, float v)
{
    *g = fresh ? v : *g + v;
}

/* --- activations --- */

static const float TURN = 0.70710678f; /* sqrt(1/2) */

static float act(int32_t kind, float slope, float x)
{
    switch (kind) {
    case PHYSAD__TAPE_SIGMOID: return 1 / (1 + expf(-x));
    case PHYSAD__TAPE_TANH: return tanhf(x);
    case PHYSAD__TAPE_SILU: return x / (1 + expf(-x));
    case PHYSAD__TAPE_GELU: return 0.5f * x * (1 + erff(x * TURN));
    default: return x > 0 ? x : x * slope;
    }
}

/* From the output (y) of those that are told by it, else from the input (x). */
static float act_slope(int32_t kind, float slope, float x, float y)
{
    float s;
    switch (kind) {
    case PHYSAD__TAPE_SIGMOID: return y * (1 - y);
    case PHYSAD__TAPE_TANH: return 1 - y * y;
    case PHYSAD__TAPE_SILU: s = 1 / (1 + expf(-x)); return s * (1 + x * (1 - s));
    case PHYSAD__TAPE_GELU: return 0.5f * (1 + erff(x * TURN)) + x * 0.39894228f * expf(-0.5f * x * x);
    default: return y > 0 ? 1 : slope;
    }
}

static bool is_rectifier(const physad__tape_node *n)
{
    return n->kind == PHYSAD__TAPE_RELU || n->kind == PHYSAD__TAPE_LEAKY;
}

static physad_status act_prepare(physad__tape *t, physad__tape_node *n)
{
    if (t->holdable && is_rectifier(n))
        n->saved_bytes = n->count;
    return PHYSAD_OK;
}

/* Rectifiers that remember which inputs they let pass. */
static void held_forward(const physad__tape *t, const physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), slope = (float)n->a;
    uint8_t *pass = n->saved;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++) {
        if (!t->held)
            pass[i] = x[i] > 0;
        n->data[i] = pass[i] ? x[i] : x[i] * slope;
    }
}

static void held_backward(const physad__tape *t, const physad__tape_node *n)
{
    const uint8_t *pass = n->saved;
    const float slope = (float)n->a;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++)
        give(&dx[i], n->fresh[0], pass[i] ? n->grad[i] : n->grad[i] * slope);
}

/* Rectifiers between arrays of bf16: their slopes are 1 and another, which leaves what is not zero on its side. */
static void narrow_forward(const physad__tape *t, const physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), slope = (float)n->a;
#pragma omp parallel for schedule(static)
    for (int64_t from = 0; from < n->count; from += PHYSAD__TAPE_BLOCK) {
        const int64_t count = physad__min(PHYSAD__TAPE_BLOCK, n->count - from);
        float room[PHYSAD__TAPE_BLOCK];
        physad__bf16_read(physad__tape_narrow_const(x) + from, count, room);
        for (int64_t i = 0; i < count; i++)
            room[i] = room[i] > 0 ? room[i] : room[i] * slope;
        physad__bf16_write(room, count, physad__tape_narrow(n->data) + from);
    }
}

static void narrow_backward(const physad__tape *t, const physad__tape_node *n)
{
    uint16_t *dx = physad__tape_narrow(physad__tape_dx(t, n, 0));
    const float slope = (float)n->a;
#pragma omp parallel for schedule(static)
    for (int64_t from = 0; from < n->count; from += PHYSAD__TAPE_BLOCK) {
        const int64_t count = physad__min(PHYSAD__TAPE_BLOCK, n->count - from);
        float y[PHYSAD__TAPE_BLOCK], g[PHYSAD__TAPE_BLOCK];
        physad__bf16_read(physad__tape_narrow_const(n->data) + from, count, y);
        physad__bf16_read(physad__tape_narrow_const(n->grad) + from, count, g);
        for (int64_t i = 0; i < count; i++)
            g[i] = y[i] > 0 ? g[i] : g[i] * slope;
        physad__bf16_give(dx + from, n->fresh[0], g, count);
    }
}

static physad_status act_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), slope = (float)n->a;
    const int64_t count = n->count;
    const int32_t kind = n->kind;
    float *y = n->data;
    if (n->saved != NULL || n->bf16) {
        if (n->bf16)
            narrow_forward(t, n);
        else
            held_forward(t, n);
        return PHYSAD_OK;
    }
    if (is_rectifier(n)) { /* where the compiler does many at once */
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i] > 0 ? x[i] : x[i] * slope;
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++)
        y[i] = act(kind, slope, x[i]);
    return PHYSAD_OK;
}

static physad_status act_backward(physad__tape *t, physad__tape_node *n)
{
    const bool by_input = (n->op->needs & 1) != 0, fresh = n->fresh[0];
    const float *x = by_input ? physad__tape_x(t, n, 0) : n->data, *y = by_input ? x : n->data, *g = n->grad,
                slope = (float)n->a;
    float *dx = physad__tape_dx(t, n, 0);
    if (n->saved != NULL || n->bf16) {
        if (n->bf16)
            narrow_backward(t, n);
        else
            held_backward(t, n);
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++)
        give(&dx[i], fresh, g[i] * act_slope(n->kind, slope, x[i], y[i]));
    return PHYSAD_OK;
}

static const physad__tape_op op_rectifier = { .name = "rectifier",
                                              .width = PHYSAD__TAPE_FOLLOWS,
                                              .needs = PHYSAD__TAPE_OUTPUT,
                                              .data_shared = true,
                                              .grad_shared = true,
                                              .prepare = act_prepare,
                                              .forward = act_forward,
                                              .backward = act_backward };
static const physad__tape_op op_act_by_output = { .name = "activation",
                                                  .needs = PHYSAD__TAPE_OUTPUT,
                                                  .data_shared = true,
                                                  .grad_shared = true,
                                                  .forward = act_forward,
                                                  .backward = act_backward };
static const physad__tape_op op_act_by_input = { .name = "activation",
                                                 .needs = 1,
                                                 .grad_shared = true,
                                                 .data_shared = true,
                                                 .forward = act_forward,
                                                 .backward = act_backward };

/* relu(x - a) x / (|x - a| + 1e-12) */
static physad_status shrink_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), a = (float)n->a;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++) {
        const float d = x[i] - a;
        n->data[i] = d > 0 ? d * x[i] / (d + 1e-12f) : 0;
    }
    return PHYSAD_OK;
}

static physad_status shrink_backward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), a = (float)n->a;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++) {
        const float d = x[i] - a, q = d + 1e-12f;
        give(&dx[i], n->fresh[0], d > 0 ? n->grad[i] * (d / q + x[i] * (1e-12f / q) / q) : 0);
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_shrink = {
    .name = "shrink", .needs = 1, .grad_shared = true, .forward = shrink_forward, .backward = shrink_backward
};

/* --- sums and products --- */

enum { ADD, SUB, MUL };

static physad_status binary_forward(physad__tape *t, physad__tape_node *n)
{
    const float *a = physad__tape_x(t, n, 0), *b = physad__tape_x(t, n, 1), sign = n->kind == SUB ? -1 : 1;
    float *y = n->data;
    const int64_t count = n->count;
    if (n->kind == MUL) {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < count; i++)
            y[i] = a[i] * b[i];
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i++)
        y[i] = a[i] + sign * b[i];
    return PHYSAD_OK;
}

static physad_status binary_backward(physad__tape *t, physad__tape_node *n)
{
    const float *g = n->grad;
    /* The second input first: the first one's gradient may lie over the output's. */
    for (int k = 1; k >= 0; k--) {
        float *dx = physad__tape_dx(t, n, k);
        const float *other = n->kind == MUL ? physad__tape_x(t, n, 1 - k) : NULL,
                    sign = k == 1 && n->kind == SUB ? -1 : 1;
        /* Twice the same input: what `fresh` says of the first holds for whichever comes first. */
        const bool same = n->input[0] == n->input[1], fresh = same ? n->fresh[0] && k == 1 : n->fresh[k];
        if (dx == NULL)
            continue;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n->count; i++)
            give(&dx[i], fresh, other != NULL ? g[i] * other[i] : sign * g[i]);
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_add = {
    .name = "sum", .grad_shared = true, .data_shared = true, .forward = binary_forward, .backward = binary_backward
};
static const physad__tape_op op_mul = {
    .name = "product", .needs = 3, .forward = binary_forward, .backward = binary_backward
};

static physad_status scale_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0), a = (float)n->a, b = (float)n->b;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++)
        n->data[i] = a * x[i] + b;
    return PHYSAD_OK;
}

static physad_status scale_backward(physad__tape *t, physad__tape_node *n)
{
    float *dx = physad__tape_dx(t, n, 0);
    const float a = (float)n->a;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n->count; i++)
        give(&dx[i], n->fresh[0], a * n->grad[i]);
    return PHYSAD_OK;
}

static const physad__tape_op op_scale = {
    .name = "scale", .grad_shared = true, .data_shared = true, .forward = scale_forward, .backward = scale_backward
};

/* --- building --- */

static int32_t unary(physad__tape *t, const physad__tape_op *op, int32_t x, int32_t kind, double a, double b)
{
    physad__tape_node n = { .op = op, .input = { x }, .inputs = 1, .kind = kind, .a = a, .b = b };
    if (!physad__tape_good(t, x))
        return -1;
    n.ndim = t->nodes[x].ndim;
    memcpy(n.shape, t->nodes[x].shape, sizeof(n.shape));
    n.wants = t->nodes[x].wants;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_activation(physad__tape *t, int32_t x, physad__tape_act kind, double slope)
{
    const bool by_input = kind == PHYSAD__TAPE_SILU || kind == PHYSAD__TAPE_GELU,
               rectifier = kind == PHYSAD__TAPE_RELU || kind == PHYSAD__TAPE_LEAKY;
    const physad__tape_op *op = rectifier ? &op_rectifier : by_input ? &op_act_by_input : &op_act_by_output;
    if (kind == PHYSAD__TAPE_NONE)
        return x;
    return unary(t, op, x, (int32_t)kind, kind == PHYSAD__TAPE_LEAKY ? slope : 0, 0);
}

int32_t physad__tape_shrink(physad__tape *t, int32_t x, double a)
{
    return unary(t, &op_shrink, x, 0, a, 0);
}

int32_t physad__tape_scale(physad__tape *t, int32_t x, double factor, double shift)
{
    return unary(t, &op_scale, x, 0, factor, shift);
}

static int32_t binary(physad__tape *t, const physad__tape_op *op, int32_t a, int32_t b, int32_t kind)
{
    char first[160], second[160];
    physad__tape_node n = { .op = op, .input = { a, b }, .inputs = 2, .kind = kind };
    if (!physad__tape_good(t, a) || !physad__tape_good(t, b))
        return -1;
    const physad__tape_node *x = &t->nodes[a], *y = &t->nodes[b];
    if (x->ndim != y->ndim || memcmp(x->shape, y->shape, (size_t)x->ndim * sizeof(int64_t)) != 0)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: %s of %s and %s", op->name,
                                                    physad__shape_text(first, sizeof(first), x->ndim, x->shape),
                                                    physad__shape_text(second, sizeof(second), y->ndim, y->shape)));
    n.ndim = x->ndim;
    memcpy(n.shape, x->shape, sizeof(n.shape));
    n.wants = x->wants || y->wants;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_add(physad__tape *t, int32_t a, int32_t b)
{
    return binary(t, &op_add, a, b, ADD);
}

int32_t physad__tape_sub(physad__tape *t, int32_t a, int32_t b)
{
    return binary(t, &op_add, a, b, SUB);
}

int32_t physad__tape_mul(physad__tape *t, int32_t a, int32_t b)
{
    return binary(t, &op_mul, a, b, MUL);
}
