/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that move numbers: concatenation, slices, permutations, gathering rows, where rows are greatest. */
#include "nn/nn_tape_node.h"

/* --- concatenation along the channels
 * ------------------------------------------------------------------------------------ */

static void copy_columns(const float *from, int64_t from_step, float *to, int64_t to_step, int64_t rows, int64_t width,
                         bool fresh)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const float *in = from + r * from_step;
        float *out = to + r * to_step;
        if (fresh)
            memcpy(out, in, (size_t)width * sizeof(float));
        for (int64_t c = 0; !fresh && c < width; c++)
            out[c] += in[c];
    }
}

/* The same of bf16. */
static void copy_narrow(const uint16_t *from, int64_t from_step, uint16_t *to, int64_t to_step, int64_t rows,
                        int64_t width, bool fresh)
{
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        const uint16_t *in = from + r * from_step;
        uint16_t *out = to + r * to_step;
        if (fresh)
            memcpy(out, in, (size_t)width * sizeof(uint16_t));
        for (int64_t at = 0; !fresh && at < width; at += PHYSAD__TAPE_BLOCK) {
            const int64_t count = physad__min(PHYSAD__TAPE_BLOCK, width - at);
            float room[PHYSAD__TAPE_BLOCK];
            physad__bf16_read(in + at, count, room);
            physad__bf16_give(out + at, false, room, count);
        }
    }
}

static physad_status concat_forward(physad__tape *t, physad__tape_node *n)
{
    int64_t at = 0;
    for (int k = 0; k < 2; k++) {
        const physad__tape_node *x = physad__tape_in(t, n, k);
        if (n->bf16)
            copy_narrow(physad__tape_narrow(x->data), x->channels, physad__tape_narrow(n->data) + at, n->channels,
                        n->rows, x->channels, true);
        else
            copy_columns(x->data, x->channels, n->data + at, n->channels, n->rows, x->channels, true);
        at += x->channels;
    }
    return PHYSAD_OK;
}

static physad_status concat_backward(physad__tape *t, physad__tape_node *n)
{
    int64_t at = 0;
    for (int k = 0; k < 2; k++) {
        const int64_t width = physad__tape_in(t, n, k)->channels;
        float *dx = physad__tape_dx(t, n, k);
        if (dx != NULL && n->bf16)
            copy_narrow(physad__tape_narrow(n->grad) + at, n->channels, physad__tape_narrow(dx), width, n->rows, width,
                        n->fresh[k]);
        else if (dx != NULL)
            copy_columns(n->grad + at, n->channels, dx, width, n->rows, width, n->fresh[k]);
        at += width;
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_concat = {
    .name = "concatenation", .width = PHYSAD__TAPE_FOLLOWS, .forward = concat_forward, .backward = concat_backward
};

int32_t physad__tape_concat(physad__tape *t, int32_t a, int32_t b)
{
    char first[160], second[160];
    physad__tape_node n = { .op = &op_concat, .input = { a, b }, .inputs = 2 };
    if (!physad__tape_good(t, a) || !physad__tape_good(t, b))
        return -1;
    const physad__tape_node *x = &t->nodes[a], *y = &t->nodes[b];
    if (x->ndim != y->ndim || memcmp(x->shape, y->shape, (size_t)(x->ndim - 1) * sizeof(int64_t)) != 0)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: concatenation of %s and %s",
                                                    physad__shape_text(first, sizeof(first), x->ndim, x->shape),
                                                    physad__shape_text(second, sizeof(second), y->ndim, y->shape)));
    n.ndim = x->ndim;
    memcpy(n.shape, x->shape, sizeof(n.shape));
    n.shape[n.ndim - 1] = x->channels + y->channels;
    n.wants = x->wants || y->wants;
    return physad__tape_push(t, &n);
}

/* --- slices: `from` on of axis `axis`, as blocks that lie together
 * -------------------------------------------------------- */

typedef struct blocks {
    int64_t count, width, step, start;
} blocks;

static blocks blocks_of(const physad__tape *t, const physad__tape_node *n)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    blocks b = { .count = 1, .width = 1 };
    for (int32_t i = 0; i < n->axis; i++)
        b.count *= n->shape[i];
    for (int32_t i = n->axis + 1; i < n->ndim; i++)
        b.width *= n->shape[i];
    b.start = n->from * b.width;
    b.step = x->shape[n->axis] * b.width;
    b.width *= n->shape[n->axis];
    return b;
}

static physad_status slice_forward(physad__tape *t, physad__tape_node *n)
{
    const blocks b = blocks_of(t, n);
    copy_columns(physad__tape_x(t, n, 0) + b.start, b.step, n->data, b.width, b.count, b.width, true);
    return PHYSAD_OK;
}

static physad_status slice_backward(physad__tape *t, physad__tape_node *n)
{
    const blocks b = blocks_of(t, n);
    float *dx = physad__tape_dx(t, n, 0);
    if (n->fresh[0])
        memset(dx, 0, (size_t)physad__tape_in(t, n, 0)->count * sizeof(float));
    copy_columns(n->grad, b.width, dx + b.start, b.step, b.count, b.width, false);
    return PHYSAD_OK;
}

static const physad__tape_op op_slice = { .name = "slice", .forward = slice_forward, .backward = slice_backward };

int32_t physad__tape_slice(physad__tape *t, int32_t x, int32_t axis, int64_t from, int64_t count)
{
    physad__tape_node n = { .op = &op_slice, .input = { x }, .inputs = 1, .axis = axis, .from = from };
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    if (axis < 0 || axis >= in->ndim || from < 0 || count < 1 || from + count > in->shape[axis])
        return physad__tape_refuse(t,
                                   physad__error(PHYSAD_ERR_SHAPE, "tape: slice of %lld from %lld along axis %d of %d",
                                                 (long long)count, (long long)from, axis, in->ndim));
    n.ndim = in->ndim;
    memcpy(n.shape, in->shape, sizeof(n.shape));
    n.shape[axis] = count;
    n.wants = in->wants;
    return physad__tape_push(t, &n);
}

/* --- permutations
 * ----------------------------------------------------------------------------------------------------------- */

/* How far apart neighbours along each axis of the output lie in the input. */
static void steps_of(const physad__tape *t, const physad__tape_node *n, int64_t steps[PHYSAD__TAPE_DIMS])
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    for (int32_t i = 0; i < n->ndim; i++) {
        steps[i] = 1;
        for (int32_t k = n->axes[i] + 1; k < n->ndim; k++)
            steps[i] *= x->shape[k];
    }
}

static int64_t source_of(const physad__tape_node *n, const int64_t *steps, int64_t row)
{
    int64_t at = 0;
    for (int32_t i = n->ndim - 2; i >= 0; i--) {
        at += row % n->shape[i] * steps[i];
        row /= n->shape[i];
    }
    return at;
}

static physad_status permute_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0);
    int64_t steps[PHYSAD__TAPE_DIMS];
    steps_of(t, n, steps);
    const int64_t step = steps[n->ndim - 1];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        const float *in = x + source_of(n, steps, r);
        for (int64_t c = 0; c < n->channels; c++)
            n->data[r * n->channels + c] = in[c * step];
    }
    return PHYSAD_OK;
}

static physad_status permute_backward(physad__tape *t, physad__tape_node *n)
{
    float *dx = physad__tape_dx(t, n, 0);
    int64_t steps[PHYSAD__TAPE_DIMS];
    steps_of(t, n, steps);
    const int64_t step = steps[n->ndim - 1];
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        float *d = dx + source_of(n, steps, r);
        for (int64_t c = 0; c < n->channels; c++)
            d[c * step] = n->fresh[0] ? n->grad[r * n->channels + c] : d[c * step] + n->grad[r * n->channels + c];
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_permute = { .name = "permutation",
                                            .forward = permute_forward,
                                            .backward = permute_backward };

int32_t physad__tape_permute(physad__tape *t, int32_t x, const int32_t *axes)
{
    physad__tape_node n = { .op = &op_permute, .input = { x }, .inputs = 1 };
    uint32_t seen = 0;
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    n.ndim = in->ndim;
    for (int32_t i = 0; i < n.ndim; i++) {
        if (axes[i] < 0 || axes[i] >= n.ndim || (seen & 1u << axes[i]))
            return physad__tape_refuse(
                t, physad__error(PHYSAD_ERR_ARG, "tape: axis %d of a permutation is %d", i, axes[i]));
        seen |= 1u << axes[i];
        n.axes[i] = axes[i];
        n.shape[i] = in->shape[axes[i]];
    }
    n.wants = in->wants;
    return physad__tape_push(t, &n);
}

/* --- where rows are greatest
 * -------------------------------------------------------------------------------------------------- */

static physad_status top_prepare(physad__tape *t, physad__tape_node *n)
{
    if (t->holdable)
        n->saved_bytes = n->count * (int64_t)sizeof(float);
    return PHYSAD_OK;
}

static physad_status top_forward(physad__tape *t, physad__tape_node *n)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    if (t->held) {
        memcpy(n->data, n->saved, (size_t)n->count * sizeof(float));
        return PHYSAD_OK;
    }
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < x->rows; r++) {
        const float *in = x->data + r * x->channels;
        int64_t first = 0, second = -1;
        for (int64_t c = 1; c < x->channels; c++) {
            if (in[c] > in[first]) {
                second = first;
                first = c;
            } else if (second < 0 || in[c] > in[second]) {
                second = c;
            }
        }
        n->data[r] = (float)(n->kind == 0 ? first : second);
    }
    if (n->saved != NULL)
        memcpy(n->saved, n->data, (size_t)n->count * sizeof(float));
    return PHYSAD_OK;
}

static const physad__tape_op op_top = { .name = "greatest of rows", .prepare = top_prepare, .forward = top_forward };

int32_t physad__tape_top(physad__tape *t, int32_t x, int32_t rank)
{
    physad__tape_node n = { .op = &op_top, .input = { x }, .inputs = 1, .kind = rank, .ndim = 1 };
    if (!physad__tape_good(t, x))
        return -1;
    if (rank < 0 || rank > 1 || t->nodes[x].channels <= rank || t->nodes[x].channels > 1 << 24)
        return physad__tape_refuse(
            t, physad__error(PHYSAD_ERR_ARG, "tape: rank %d of rows of %lld", rank, (long long)t->nodes[x].channels));
    n.shape[0] = t->nodes[x].rows;
    return physad__tape_push(t, &n);
}

/* --- gathering: `from` tables of `window.kernel[0]` rows
 * -------------------------------------------------------------------------- */

static physad_status gather_forward(physad__tape *t, physad__tape_node *n)
{
    const float *table = physad__tape_x(t, n, 0), *index = physad__tape_x(t, n, 1);
    const int64_t each = n->rows / n->from, rows = n->window.kernel[0];
    for (int64_t r = 0; r < n->rows; r++)
        if (!(index[r] >= 0 && index[r] < (float)rows))
            return physad__error(PHYSAD_ERR_NUMERIC, "tape: row %g of a table of %lld rows", (double)index[r],
                                 (long long)rows);
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++)
        memcpy(n->data + r * n->channels, table + (r / each * rows + (int64_t)index[r]) * n->channels,
               (size_t)n->channels * sizeof(float));
    return PHYSAD_OK;
}

/* Rows in their order; each thread its own channels. */
static physad_status gather_backward(physad__tape *t, physad__tape_node *n)
{
    const float *index = physad__tape_x(t, n, 1);
    const int64_t each = n->rows / n->from, rows = n->window.kernel[0], width = 16,
                  parts = (n->channels + width - 1) / width;
    float *dx = physad__tape_dx(t, n, 0);
    if (n->fresh[0])
        memset(dx, 0, (size_t)physad__tape_in(t, n, 0)->count * sizeof(float));
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < parts; p++) {
        const int64_t from = p * width, to = physad__min(from + width, n->channels);
        for (int64_t r = 0; r < n->rows; r++) {
            float *d = dx + (r / each * rows + (int64_t)index[r]) * n->channels;
            for (int64_t c = from; c < to; c++)
                d[c] += n->grad[r * n->channels + c];
        }
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_gather = {
    .name = "gathering", .needs = 2, .forward = gather_forward, .backward = gather_backward
};

int32_t physad__tape_gather(physad__tape *t, int32_t table, int32_t index)
{
    physad__tape_node n = { .op = &op_gather, .input = { table, index }, .inputs = 2, .ndim = 2, .from = 1 };
    if (!physad__tape_good(t, table) || !physad__tape_good(t, index))
        return -1;
    const physad__tape_node *x = &t->nodes[table];
    n.shape[0] = t->nodes[index].count;
    n.shape[1] = x->channels;
    n.wants = x->wants;
    if (x->ndim > 2)
        n.from = x->shape[0];
    n.window.kernel[0] = x->rows / n.from;
    if (x->ndim < 2 || x->ndim > 3 || n.shape[0] % n.from != 0 || t->nodes[index].wants)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE,
                                                    "tape: gathering %lld rows from %lld tables of %d axes",
                                                    (long long)n.shape[0], (long long)n.from, x->ndim));
    return physad__tape_push(t, &n);
}
