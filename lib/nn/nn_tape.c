/* SPDX-License-Identifier: Apache-2.0 */
/* Tapes: making, freeing, leaves, and what every operation's addition needs. */
#include "nn/nn_tape_node.h"

enum { NODES_MOST = 1 << 16, NAME_MOST = 256 };

physad_status physad__tape_new(physad__tape **out, physad_context *ctx, physad__params *params, bool train)
{
    physad__tape *t = physad__alloc_zero(&ctx->mem, sizeof(*t), "tape");
    if (t == NULL)
        return PHYSAD_ERR_NOMEM;
    t->ctx = physad__context_retain(ctx);
    t->mem = &ctx->mem;
    t->params = params;
    t->train = train;
    t->loss = -1;
    *out = t;
    return PHYSAD_OK;
}

void physad__tape_free(physad__tape *t)
{
    if (t == NULL)
        return;
    for (int64_t i = 0; i < t->count; i++) {
        physad__tape_node *n = &t->nodes[i];
        if (n->op->drop != NULL && n->state != NULL)
            n->op->drop(n);
        physad__free(n->state);
    }
    physad__dnn_stream_free(t->stream);
    physad__dnn_free(t->dnn);
    physad__free(t->nodes);
    physad__free(t->arena);
    physad__free(t->scratch);
    physad_context *ctx = t->ctx;
    physad__free(t);
    physad_context_free(ctx);
}

int32_t physad__tape_refuse(physad__tape *t, physad_status status)
{
    if (t->failed == PHYSAD_OK)
        t->failed = status;
    return -1;
}

bool physad__tape_good(const physad__tape *t, int32_t value)
{
    return t->failed == PHYSAD_OK && value >= 0 && value < t->count;
}

static physad_status measure(physad__tape_node *n)
{
    char text[160];
    n->count = 1;
    for (int32_t i = 0; i < n->ndim; i++)
        if (n->shape[i] < 1 || physad__mul_overflow(n->count, n->shape[i], &n->count) || n->count > INT64_C(1) << 40)
            return physad__error(PHYSAD_ERR_SHAPE, "tape: %s gives the shape %s", n->op->name,
                                 physad__shape_text(text, sizeof(text), n->ndim, n->shape));
    n->channels = n->shape[n->ndim - 1];
    n->rows = n->count / n->channels;
    return PHYSAD_OK;
}

/* Input k of `n`, in the width that `n` takes it in. */
static int32_t widen(physad__tape *t, const physad__tape_node *n, int32_t k)
{
    if (n->op->width == PHYSAD__TAPE_CAST || n->bf16 == t->nodes[n->input[k]].bf16)
        return n->input[k];
    return n->bf16 ? physad__tape_round(t, n->input[k]) : physad__tape_single(t, n->input[k]);
}

int32_t physad__tape_push(physad__tape *t, const physad__tape_node *node)
{
    physad__tape_node n = *node;
    if (t->failed != PHYSAD_OK)
        return -1;
    for (int32_t k = 0; k < n.inputs; k++)
        if (!physad__tape_good(t, n.input[k]))
            return physad__tape_refuse(t,
                                       physad__error(PHYSAD_ERR_ARG, "tape: %s: input %d is no value", n.op->name, k));
    if (n.op->width == PHYSAD__TAPE_FOLLOWS)
        n.bf16 = t->nodes[n.input[0]].bf16;
    else if (n.op->width == PHYSAD__TAPE_NARROW)
        n.bf16 = t->mixed;
    for (int32_t k = 0; k < n.inputs; k++)
        if ((n.input[k] = widen(t, &n, k)) < 0)
            return -1;
    if (t->count >= NODES_MOST)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG, "tape: more than %d operations", NODES_MOST));
    physad_status status = measure(&n);
    if (status == PHYSAD_OK)
        status = physad__grow(t->mem, &t->nodes, &t->capacity, t->count + 1, sizeof(n), "tape");
    if (status != PHYSAD_OK)
        return physad__tape_refuse(t, status);
    n.data_root = n.grad_root = (int32_t)t->count;
    if (n.op->view) {
        n.data_root = t->nodes[n.input[0]].data_root;
        if (n.wants)
            n.grad_root = t->nodes[n.input[0]].grad_root;
    }
    t->nodes[t->count] = n;
    return (int32_t)t->count++;
}

int32_t physad__tape_want(physad__tape *t, const char *name, const char *part, int32_t ndim, const int64_t *shape,
                          const physad__param_init *init, bool trained)
{
    char full[NAME_MOST];
    int32_t index = -1;
    if (t->failed != PHYSAD_OK)
        return -1;
    const int length = physad__snprintf(full, sizeof(full), "%s%s%s", name, *part != '\0' ? "." : "", part);
    if (length < 0 || length >= NAME_MOST)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG, "tape: a parameter's name has %d bytes", length));
    const physad_status status = physad__params_get(t->params, &index, full, ndim, shape, init, trained && t->train);
    return status == PHYSAD_OK ? index : physad__tape_refuse(t, status);
}

void physad__tape_holdable(physad__tape *t)
{
    t->holdable = true;
}

void physad__tape_hold(physad__tape *t, bool held)
{
    t->held = held;
}

physad_status physad__tape_failed(const physad__tape *t)
{
    return t->failed;
}

void physad__tape_shape(const physad__tape *t, int32_t value, int32_t *ndim, int64_t shape[PHYSAD__TAPE_DIMS])
{
    const physad__tape_node *n = &t->nodes[value];
    *ndim = n->ndim;
    memcpy(shape, n->shape, sizeof(n->shape));
}

int64_t physad__tape_count(const physad__tape *t, int32_t value)
{
    return t->nodes[value].count;
}

float *physad__tape_data(const physad__tape *t, int32_t value)
{
    return t->nodes[value].data;
}

float *physad__tape_grad(const physad__tape *t, int32_t value)
{
    return t->nodes[value].grad;
}

physad__tape_window physad__tape_square(int64_t kernel, int64_t stride, int64_t pad, int64_t extra)
{
    const physad__tape_window w = {
        { kernel, kernel, kernel }, { stride, stride, stride }, { pad, pad, pad }, { extra, extra, extra }
    };
    return w;
}

/* --- leaves --- */

static physad_status nothing(physad__tape *t, physad__tape_node *n)
{
    return PHYSAD_OK;
}

const physad__tape_op physad__tape_op_input = { .name = "input", .forward = nothing, .backward = nothing };
const physad__tape_op physad__tape_op_param = { .name = "parameter", .forward = nothing, .backward = nothing };
static const physad__tape_op op_reshape = {
    .name = "reshape", .width = PHYSAD__TAPE_FOLLOWS, .view = true, .forward = nothing, .backward = nothing
};
static const physad__tape_op op_detach = {
    .name = "detach", .width = PHYSAD__TAPE_FOLLOWS, .view = true, .forward = nothing, .backward = nothing
};

static bool take_shape(physad__tape *t, physad__tape_node *n, int32_t ndim, const int64_t *shape)
{
    n->ndim = ndim;
    if (ndim < 1 || ndim > PHYSAD__TAPE_DIMS) {
        physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE, "tape: %s has %d axes, want 1 to %d", n->op->name, ndim,
                                             PHYSAD__TAPE_DIMS));
        return false;
    }
    memcpy(n->shape, shape, (size_t)ndim * sizeof(int64_t));
    return true;
}

int32_t physad__tape_input(physad__tape *t, int32_t ndim, const int64_t *shape, bool gradient)
{
    physad__tape_node n = { .op = &physad__tape_op_input, .wants = gradient, .grad_free = gradient };
    return take_shape(t, &n, ndim, shape) ? physad__tape_push(t, &n) : -1;
}

int32_t physad__tape_param(physad__tape *t, const char *name, int32_t ndim, const int64_t *shape,
                           const physad__param_init *init, bool trained)
{
    physad__tape_node n = { .op = &physad__tape_op_param };
    if (!take_shape(t, &n, ndim, shape))
        return -1;
    n.param[0] = physad__tape_want(t, name, "", ndim, shape, init, trained);
    if (n.param[0] < 0)
        return -1;
    n.wants = t->train && t->params->items[n.param[0]].grad != NULL;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_reshape(physad__tape *t, int32_t x, int32_t ndim, const int64_t *shape)
{
    char got[160], want[160];
    physad__tape_node n = { .op = &op_reshape, .input = { x }, .inputs = 1 };
    if (!physad__tape_good(t, x) || !take_shape(t, &n, ndim, shape))
        return -1;
    n.wants = t->nodes[x].wants;
    const int64_t before = t->nodes[x].count;
    const int32_t value = physad__tape_push(t, &n);
    if (value >= 0 && t->nodes[value].count != before)
        return physad__tape_refuse(
            t, physad__error(PHYSAD_ERR_SHAPE, "tape: %s cannot become %s",
                             physad__shape_text(got, sizeof(got), t->nodes[x].ndim, t->nodes[x].shape),
                             physad__shape_text(want, sizeof(want), ndim, shape)));
    return value;
}

int32_t physad__tape_detach(physad__tape *t, int32_t x)
{
    physad__tape_node n = { .op = &op_detach, .input = { x }, .inputs = 1 };
    if (!physad__tape_good(t, x))
        return -1;
    n.ndim = t->nodes[x].ndim;
    memcpy(n.shape, t->nodes[x].shape, sizeof(n.shape));
    return physad__tape_push(t, &n);
}
