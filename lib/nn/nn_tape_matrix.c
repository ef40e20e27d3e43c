/* SPDX-License-Identifier: Apache-2.0 */
/* Linear layers, products of matrices, softmax, rows of norm one. */
#include "nn/nn_tape_node.h"

#include <math.h>

/* --- linear: rows x I times (O, I) turned
 * ------------------------------------------------------------------------------ */

static physad_status linear_prepare(physad__tape *t, physad__tape_node *n)
{
    const int64_t in = physad__tape_in(t, n, 0)->channels, out = n->channels;
    n->scratch_bytes =
        physad__max(physad__tape_gemm_scratch(n->rows, out, in), physad__tape_gemm_scratch(out, in, n->rows));
    n->scratch_bytes = physad__max(n->scratch_bytes, physad__tape_gemm_scratch(n->rows, in, out));
    n->scratch_bytes = physad__max(n->scratch_bytes, 2 * PHYSAD__TAPE_LANES * out * (int64_t)sizeof(float));
    return PHYSAD_OK;
}

static physad_status linear_forward(physad__tape *t, physad__tape_node *n)
{
    const int64_t in = physad__tape_in(t, n, 0)->channels, out = n->channels;
    const float *bias = n->param[1] >= 0 ? physad__tape_p(t, n, 1)->data : NULL;
    const physad__tape_gemm g = { .turn_b = true,
                                  .m = n->rows,
                                  .n = out,
                                  .k = in,
                                  .a = physad__tape_x(t, n, 0),
                                  .lda = in,
                                  .b = physad__tape_p(t, n, 0)->data,
                                  .ldb = in,
                                  .c = n->data,
                                  .ldc = out,
                                  .add = bias != NULL };
    for (int64_t r = 0; bias != NULL && r < n->rows; r++)
        memcpy(n->data + r * out, bias, (size_t)out * sizeof(float));
    physad__tape_gemm_run(&g, (float *)(void *)t->scratch);
    return PHYSAD_OK;
}

static physad_status linear_backward(physad__tape *t, physad__tape_node *n)
{
    const int64_t in = physad__tape_in(t, n, 0)->channels, out = n->channels;
    float *scratch = (float *)(void *)t->scratch, *dx = physad__tape_dx(t, n, 0);
    const physad__tape_gemm w = { .turn_a = true,
                                  .m = out,
                                  .n = in,
                                  .k = n->rows,
                                  .a = n->grad,
                                  .lda = out,
                                  .b = physad__tape_x(t, n, 0),
                                  .ldb = in,
                                  .c = physad__tape_p(t, n, 0)->grad,
                                  .ldc = in,
                                  .add = true };
    physad__tape_gemm_run(&w, scratch);
    if (n->param[1] >= 0)
        physad__tape_add_columns(false, n->grad, n->rows, out, physad__tape_p(t, n, 1)->grad, scratch);
    if (dx == NULL)
        return PHYSAD_OK;
    const physad__tape_gemm x = { .m = n->rows,
                                  .n = in,
                                  .k = out,
                                  .a = n->grad,
                                  .lda = out,
                                  .b = physad__tape_p(t, n, 0)->data,
                                  .ldb = in,
                                  .c = dx,
                                  .ldc = in,
                                  .add = !n->fresh[0] };
    physad__tape_gemm_run(&x, scratch);
    return PHYSAD_OK;
}

static const physad__tape_op op_linear = {
    .name = "linear", .needs = 1, .prepare = linear_prepare, .forward = linear_forward, .backward = linear_backward
};

int32_t physad__tape_linear(physad__tape *t, int32_t x, const char *name, int64_t channels, bool bias)
{
    physad__tape_node n = { .op = &op_linear, .input = { x }, .inputs = 1, .param = { -1, -1, -1, -1 } };
    if (!physad__tape_good(t, x))
        return -1;
    if (t->mixed) { /* a convolution of one place: oneDNN's */
        n.op = &physad__tape_op_conv;
        n.kind = PHYSAD__TAPE_ROWS;
    }
    const physad__tape_node *in = &t->nodes[x];
    const int64_t shape[2] = { channels, in->channels };
    const physad__param_init init = { PHYSAD__DRAW_UNIFORM, 0, 1 / sqrt((double)in->channels) };
    n.ndim = in->ndim;
    memcpy(n.shape, in->shape, sizeof(n.shape));
    n.shape[n.ndim - 1] = channels;
    n.wants = t->train;
    n.param[0] = physad__tape_want(t, name, "weight", 2, shape, &init, true);
    if (bias)
        n.param[1] = physad__tape_want(t, name, "bias", 1, &channels, &init, true);
    return physad__tape_push(t, &n);
}

/* --- products: kind 1 turns a, 2 turns b; `from`: how many products, b the same for all where axis is 1
 * ------------------ */

typedef struct product {
    bool turn_a, turn_b, shared;
    int64_t count, m, n, k, a_rows, a_columns, b_rows, b_columns;
} product;

static product product_of(const physad__tape *t, const physad__tape_node *n)
{
    const physad__tape_node *a = physad__tape_in(t, n, 0), *b = physad__tape_in(t, n, 1);
    product p = {
        .turn_a = (n->kind & 1) != 0, .turn_b = (n->kind & 2) != 0, .shared = n->axis != 0, .count = n->from
    };
    p.a_rows = a->shape[a->ndim - 2];
    p.a_columns = a->channels;
    p.b_rows = b->shape[b->ndim - 2];
    p.b_columns = b->channels;
    p.m = n->shape[n->ndim - 2];
    p.n = n->channels;
    p.k = p.turn_a ? p.a_rows : p.a_columns;
    return p;
}

static physad_status product_prepare(physad__tape *t, physad__tape_node *n)
{
    const product p = product_of(t, n);
    n->scratch_bytes = physad__tape_gemm_scratch(p.m, p.n, p.k);
    n->scratch_bytes = physad__max(n->scratch_bytes, physad__tape_gemm_scratch(p.m, p.k, p.n));
    n->scratch_bytes = physad__max(n->scratch_bytes, physad__tape_gemm_scratch(p.k, p.m, p.n));
    n->scratch_bytes = physad__max(n->scratch_bytes, physad__tape_gemm_scratch(p.k, p.n, p.m));
    n->scratch_bytes = physad__max(n->scratch_bytes, physad__tape_gemm_scratch(p.n, p.k, p.m));
    return PHYSAD_OK;
}

static physad_status product_forward(physad__tape *t, physad__tape_node *n)
{
    const product p = product_of(t, n);
    physad__tape_gemm g = { .turn_a = p.turn_a,
                            .turn_b = p.turn_b,
                            .m = p.m,
                            .n = p.n,
                            .k = p.k,
                            .lda = p.a_columns,
                            .ldb = p.b_columns,
                            .ldc = p.n };
    for (int64_t i = 0; i < p.count; i++) {
        g.a = physad__tape_x(t, n, 0) + i * p.a_rows * p.a_columns;
        g.b = physad__tape_x(t, n, 1) + (p.shared ? 0 : i * p.b_rows * p.b_columns);
        g.c = n->data + i * p.m * p.n;
        physad__tape_gemm_run(&g, (float *)(void *)t->scratch);
    }
    return PHYSAD_OK;
}

/* da = g op(b)ᵀ, turned where a is. */
static void product_back_a(physad__tape *t, const physad__tape_node *n, const product *p, float *da)
{
    for (int64_t i = 0; i < p->count; i++) {
        const float *b = physad__tape_x(t, n, 1) + (p->shared ? 0 : i * p->b_rows * p->b_columns),
                    *g = n->grad + i * p->m * p->n;
        physad__tape_gemm x = { .m = p->a_rows,
                                .n = p->a_columns,
                                .k = p->n,
                                .c = da + i * p->a_rows * p->a_columns,
                                .ldc = p->a_columns,
                                .add = !n->fresh[0] };
        if (p->turn_a) {
            x.a = b;
            x.lda = p->b_columns;
            x.turn_a = p->turn_b;
            x.b = g;
            x.ldb = p->n;
            x.turn_b = true;
        } else {
            x.a = g;
            x.lda = p->n;
            x.b = b;
            x.ldb = p->b_columns;
            x.turn_b = !p->turn_b;
        }
        physad__tape_gemm_run(&x, (float *)(void *)t->scratch);
    }
}

/* db = op(a)ᵀ g, turned where b is. */
static void product_back_b(physad__tape *t, const physad__tape_node *n, const product *p, float *db)
{
    for (int64_t i = 0; i < p->count; i++) {
        const float *a = physad__tape_x(t, n, 0) + i * p->a_rows * p->a_columns, *g = n->grad + i * p->m * p->n;
        physad__tape_gemm x = { .m = p->b_rows,
                                .n = p->b_columns,
                                .k = p->m,
                                .c = db + (p->shared ? 0 : i * p->b_rows * p->b_columns),
                                .ldc = p->b_columns,
                                .add = !n->fresh[1] || (p->shared && i > 0) };
        if (p->turn_b) {
            x.a = g;
            x.lda = p->n;
            x.turn_a = true;
            x.b = a;
            x.ldb = p->a_columns;
            x.turn_b = p->turn_a;
        } else {
            x.a = a;
            x.lda = p->a_columns;
            x.turn_a = !p->turn_a;
            x.b = g;
            x.ldb = p->n;
        }
        physad__tape_gemm_run(&x, (float *)(void *)t->scratch);
    }
}

static physad_status product_backward(physad__tape *t, physad__tape_node *n)
{
    const product p = product_of(t, n);
    float *da = physad__tape_dx(t, n, 0), *db = physad__tape_dx(t, n, 1);
    if (da != NULL)
        product_back_a(t, n, &p, da);
    if (db != NULL)
        product_back_b(t, n, &p, db);
    return PHYSAD_OK;
}

static const physad__tape_op op_product = { .name = "matrix product",
                                            .needs = 3,
                                            .prepare = product_prepare,
                                            .forward = product_forward,
                                            .backward = product_backward };

int32_t physad__tape_matmul(physad__tape *t, int32_t a, int32_t b, bool turn_a, bool turn_b)
{
    char first[160], second[160];
    physad__tape_node n = { .op = &op_product, .input = { a, b }, .inputs = 2, .kind = turn_a + 2 * turn_b, .from = 1 };
    if (!physad__tape_good(t, a) || !physad__tape_good(t, b))
        return -1;
    const physad__tape_node *x = &t->nodes[a], *y = &t->nodes[b];
    bool fits = x->ndim >= 2 && y->ndim >= 2 && (y->ndim == 2 || y->ndim == x->ndim);
    for (int32_t i = 0; fits && i < x->ndim - 2; i++) {
        fits = y->ndim == 2 || x->shape[i] == y->shape[i];
        n.from *= x->shape[i];
    }
    n.axis = y->ndim == 2;
    if (fits) {
        const int64_t *p = x->shape + x->ndim - 2, *q = y->shape + y->ndim - 2;
        fits = p[!turn_a] == q[turn_b];
        n.ndim = x->ndim;
        memcpy(n.shape, x->shape, sizeof(n.shape));
        n.shape[n.ndim - 2] = p[turn_a];
        n.shape[n.ndim - 1] = q[!turn_b];
        n.wants = x->wants || y->wants;
    }
    if (!fits)
        return physad__tape_refuse(
            t, physad__error(PHYSAD_ERR_SHAPE, "tape: matrix product of %s%s and %s%s",
                             physad__shape_text(first, sizeof(first), x->ndim, x->shape), turn_a ? " turned" : "",
                             physad__shape_text(second, sizeof(second), y->ndim, y->shape), turn_b ? " turned" : ""));
    return physad__tape_push(t, &n);
}

/* --- softmax
 * ------------------------------------------------------------------------------------------------------------- */

/* Over `length` numbers `step` apart, for each of `width` neighbours: in passes along the rows. */
static void softmax_columns(const float *x, int64_t length, int64_t width, float *y, double *sum, float *top)
{
    for (int64_t c = 0; c < width; c++) {
        top[c] = x[c];
        sum[c] = 0;
    }
    for (int64_t r = 1; r < length; r++)
        for (int64_t c = 0; c < width; c++)
            top[c] = x[r * width + c] > top[c] ? x[r * width + c] : top[c];
    for (int64_t r = 0; r < length; r++) {
        for (int64_t c = 0; c < width; c++) {
            y[r * width + c] = expf(x[r * width + c] - top[c]);
            sum[c] += (double)y[r * width + c];
        }
    }
    for (int64_t r = 0; r < length; r++)
        for (int64_t c = 0; c < width; c++)
            y[r * width + c] = (float)((double)y[r * width + c] / sum[c]);
}

static int64_t softmax_blocks(const physad__tape_node *n)
{
    return n->rows / n->shape[n->ndim - 2];
}

static physad_status softmax_prepare(physad__tape *t, physad__tape_node *n)
{
    if (n->kind != 0)
        n->scratch_bytes = softmax_blocks(n) * n->channels * (int64_t)(sizeof(double) + sizeof(float));
    return PHYSAD_OK;
}

static physad_status softmax_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0);
    if (n->kind != 0) {
        const int64_t blocks = softmax_blocks(n), length = n->shape[n->ndim - 2], width = n->channels;
        double *sums = (double *)(void *)t->scratch;
        float *tops = (float *)(void *)(sums + blocks * width);
#pragma omp parallel for schedule(static)
        for (int64_t b = 0; b < blocks; b++)
            softmax_columns(x + b * length * width, length, width, n->data + b * length * width, sums + b * width,
                            tops + b * width);
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const float *in = x + r * n->channels;
        float *out = n->data + r * n->channels, top = in[0];
        double sum = 0;
        for (int64_t c = 1; c < n->channels; c++)
            top = in[c] > top ? in[c] : top;
        for (int64_t c = 0; c < n->channels; c++) {
            out[c] = expf(in[c] - top);
            sum += (double)out[c];
        }
        for (int64_t c = 0; c < n->channels; c++)
            out[c] = (float)((double)out[c] / sum);
    }
    return PHYSAD_OK;
}

static void softmax_back_columns(const float *y, const float *g, int64_t length, int64_t width, bool fresh, float *dx,
                                 double *sum)
{
    memset(sum, 0, (size_t)width * sizeof(double));
    for (int64_t i = 0; i < length * width; i++)
        sum[i % width] += (double)(y[i] * g[i]);
    for (int64_t i = 0; i < length * width; i++) {
        const float d = y[i] * (g[i] - (float)sum[i % width]);
        dx[i] = fresh ? d : dx[i] + d;
    }
}

static physad_status softmax_backward(physad__tape *t, physad__tape_node *n)
{
    float *dx = physad__tape_dx(t, n, 0);
    if (n->kind != 0) {
        const int64_t blocks = softmax_blocks(n), size = n->shape[n->ndim - 2] * n->channels;
        double *sums = (double *)(void *)t->scratch;
#pragma omp parallel for schedule(static)
        for (int64_t b = 0; b < blocks; b++)
            softmax_back_columns(n->data + b * size, n->grad + b * size, n->shape[n->ndim - 2], n->channels,
                                 n->fresh[0], dx + b * size, sums + b * n->channels);
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const float *y = n->data + r * n->channels, *g = n->grad + r * n->channels;
        float *d = dx + r * n->channels;
        double sum = 0;
        for (int64_t c = 0; c < n->channels; c++)
            sum += (double)(y[c] * g[c]);
        for (int64_t c = 0; c < n->channels; c++) {
            const float v = y[c] * (g[c] - (float)sum);
            d[c] = n->fresh[0] ? v : d[c] + v;
        }
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_softmax = { .name = "softmax",
                                            .needs = PHYSAD__TAPE_OUTPUT,
                                            .grad_shared = true,
                                            .prepare = softmax_prepare,
                                            .forward = softmax_forward,
                                            .backward = softmax_backward };

/* --- rows of norm one
 * ------------------------------------------------------------------------------------------------------ */

static physad_status norm_prepare(physad__tape *t, physad__tape_node *n)
{
    n->saved_bytes = n->rows * (int64_t)sizeof(float);
    return PHYSAD_OK;
}

static physad_status norm_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0);
    float *norms = n->saved;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const float *in = x + r * n->channels;
        double sum = 0;
        for (int64_t c = 0; c < n->channels; c++)
            sum += n->kind == 1 ? fabs((double)in[c]) : (double)in[c] * (double)in[c];
        norms[r] = (float)fmax(n->kind == 1 ? sum : sqrt(sum), 1e-12);
        for (int64_t c = 0; c < n->channels; c++)
            n->data[r * n->channels + c] = in[c] / norms[r];
    }
    return PHYSAD_OK;
}

/* From y = x / s: dx = (g - q sum(g y)) / s with q = y (2-norm) or sign(x) (1-norm); a norm at its least is a constant.
 */
static physad_status norm_backward(physad__tape *t, physad__tape_node *n)
{
    const float *norms = n->saved;
    float *dx = physad__tape_dx(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const float *y = n->data + r * n->channels, *g = n->grad + r * n->channels, s = norms[r];
        float *d = dx + r * n->channels;
        double sum = 0;
        for (int64_t c = 0; c < n->channels && s > 1e-12f; c++)
            sum += (double)(g[c] * y[c]);
        for (int64_t c = 0; c < n->channels; c++) {
            const float q = n->kind == 2 ? y[c] : (float)((y[c] > 0) - (y[c] < 0));
            const float v = (g[c] - q * (float)sum) / s;
            d[c] = n->fresh[0] ? v : d[c] + v;
        }
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_norm = { .name = "normalise",
                                         .needs = PHYSAD__TAPE_OUTPUT,
                                         .grad_shared = true,
                                         .prepare = norm_prepare,
                                         .forward = norm_forward,
                                         .backward = norm_backward };

/* --- building
 * -------------------------------------------------------------------------------------------------------------- */

static int32_t like(physad__tape *t, const physad__tape_op *op, int32_t x, int32_t kind)
{
    physad__tape_node n = { .op = op, .input = { x }, .inputs = 1, .kind = kind };
    if (!physad__tape_good(t, x))
        return -1;
    n.ndim = t->nodes[x].ndim;
    memcpy(n.shape, t->nodes[x].shape, sizeof(n.shape));
    n.wants = t->nodes[x].wants;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_softmax(physad__tape *t, int32_t x, bool rows)
{
    if (physad__tape_good(t, x) && rows && t->nodes[x].ndim < 2)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: softmax over the rows of one row"));
    return like(t, &op_softmax, x, rows);
}

int32_t physad__tape_normalize(physad__tape *t, int32_t x, int p)
{
    if (p != 1 && p != 2)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG, "tape: rows of %d-norm one", p));
    return like(t, &op_norm, x, p);
}
