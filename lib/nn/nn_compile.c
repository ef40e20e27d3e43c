/* SPDX-License-Identifier: Apache-2.0 */
/* Making a net: an operation per step with the layout that suits it, a reorder where two disagree, parameters packed.
 */
#include "nn/nn_plan.h"

#include <math.h>

typedef struct compiler {
    physad__nn_net *net;
    const physad__nn_graph *g;
    const physad__nn_config *config;
    const physad__nn_source *source;
    physad__nn_step *steps;
    int64_t step_count;
    int64_t *size;        /* height and width of every node's value */
    int32_t *last_step;   /* the last step that reads the node's value; -1: none */
    bool *kept;           /* a tap */
    int32_t *operation;   /* of each step */
} compiler;

/* --- values --- */

static physad_status add_value(physad__nn_net *net, int32_t *out)
{
    PHYSAD__TRY(physad__grow(&net->ctx->mem, &net->values, &net->value_capacity, net->value_count + 1,
                             sizeof(*net->values), "network values"));
    net->values[net->value_count] = (physad__nn_value){ .first = -1, .last = -1, .same = -1 };
    *out = (int32_t)net->value_count++;
    return PHYSAD_OK;
}

static void extents(const compiler *c, int32_t value, int64_t nchw[4])
{
    nchw[0] = 1;
    nchw[1] = c->g->nodes[value].channels;
    nchw[2] = c->size[2 * value];
    nchw[3] = c->size[2 * value + 1];
}

static physad_status node_layout(const compiler *c, physad__dnn_layout **out, int32_t node, int32_t dtype,
                                 physad__dnn_order order)
{
    int64_t nchw[4];
    extents(c, node, nchw);
    return physad__dnn_layout_new(c->net->dnn, out, dtype, order, nchw);
}

/* Gives a value its layout (taken over). */
static void settle(physad__nn_net *net, int32_t value, int32_t dtype, physad__dnn_layout *layout)
{
    net->values[value].layout = layout;
    net->values[value].dtype = dtype;
    net->values[value].bytes = (int64_t)physad__dnn_layout_bytes(layout);
}

static physad_status add_operation(physad__nn_net *net, physad__dnn_op *op, int32_t src, int32_t src2, int32_t dst)
{
    const physad_status status = physad__grow(&net->ctx->mem, &net->operations, &net->operation_capacity,
                                              net->operation_count + 1, sizeof(*net->operations), "network operations");
    if (status != PHYSAD_OK) {
        physad__dnn_op_free(op);
        return status;
    }
    net->operations[net->operation_count++] = (physad__nn_operation){ op, src, src2, dst, -1, -1 };
    return PHYSAD_OK;
}

static physad_status add_reorder(physad__nn_net *net, int32_t src, int32_t dst)
{
    physad__dnn_op *op;
    PHYSAD__TRY(physad__dnn_reorder_new(net->dnn, &op, net->values[src].layout, net->values[dst].layout));
    return add_operation(net, op, src, -1, dst);
}

/* The value in the layout that `op` reads it in: itself, or a reordered copy. */
static physad_status as_wanted(physad__nn_net *net, const physad__dnn_op *op, int32_t dtype, int32_t *value)
{
    physad__dnn_layout *want;
    int32_t copy;
    PHYSAD__TRY(physad__dnn_op_layout(net->dnn, op, PHYSAD__DNN_SRC, &want));
    if (physad__dnn_layout_equal(want, net->values[*value].layout)) {
        physad__dnn_layout_free(want);
        return PHYSAD_OK;
    }
    const physad_status status = add_value(net, &copy);
    if (status != PHYSAD_OK) {
        physad__dnn_layout_free(want);
        return status;
    }
    settle(net, copy, dtype, want);
    PHYSAD__TRY(add_reorder(net, *value, copy));
    *value = copy;
    return PHYSAD_OK;
}

/* --- convolutions and linear layers --- */

static void describe_conv(const compiler *c, const physad__nn_step *s, physad__dnn_conv *conv)
{
    const physad__nn_node *n = &c->g->nodes[s->main];
    *conv = (physad__dnn_conv){ .kernel = n->kernel,
                                .stride = n->stride,
                                .groups = n->groups,
                                .dtype = c->config->precision,
                                .activation = s->activation,
                                .add = s->residual >= 0 };
    physad__nn_node_pad(n, c->size + 2 * s->src, conv->pad);
}

static bool is_slow(const physad__dnn_op *op)
{
    return strncmp(physad__dnn_op_name(op), "ref", 3) == 0;
}

/* An operation that reads the source as it lies, or else as oneDNN likes it best. */
static physad_status make_conv(compiler *c, const physad__nn_step *s, physad__dnn_conv *conv, physad__dnn_op **out)
{
    physad__nn_net *net = c->net;
    physad__dnn_layout *free_src = NULL;
    const physad__dnn_layout *lies = net->values[s->src].layout;
    physad__dnn_op *op = NULL;
    /* The image lies channels last, which would settle the layout of all that follows, and is f32 always: oneDNN
     * chooses. */
    if (net->values[s->src].place != PHYSAD__NN_IMAGE) {
        conv->src = lies;
        const physad_status status = physad__dnn_conv_new(net->dnn, &op, conv);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_UNSUPPORTED)
            return status;
        if (op != NULL && !is_slow(op)) {
            *out = op;
            return PHYSAD_OK;
        }
    }
    physad__dnn_op_free(op);
    op = NULL;
    PHYSAD__TRY(node_layout(c, &free_src, s->src, c->config->precision, PHYSAD__DNN_ANY));
    conv->src = free_src;
    const physad_status status = physad__dnn_conv_new(net->dnn, &op, conv);
    physad__dnn_layout_free(free_src);
    *out = op;
    return status;
}

/* Where dst is to hold the residual before the convolution adds to it: the residual's own memory when nobody else reads
 * it any more, else a copy. */
static physad_status place_residual(compiler *c, int64_t step, int32_t operation_src)
{
    physad__nn_net *net = c->net;
    const physad__nn_step *s = &c->steps[step];
    const bool dies = !c->kept[s->residual] && c->last_step[s->residual] == step && operation_src != s->residual &&
                      s->src != s->residual && net->values[s->residual].place == PHYSAD__NN_ARENA &&
                      physad__dnn_layout_equal(net->values[s->residual].layout, net->values[s->dst].layout);
    if (!dies)
        return add_reorder(net, s->residual, s->dst);
    net->values[s->dst].same = s->residual;
    return PHYSAD_OK;
}

static physad_status compile_conv(compiler *c, int64_t step)
{
    physad__nn_net *net = c->net;
    const physad__nn_step *s = &c->steps[step];
    physad__dnn_conv conv;
    physad__dnn_layout *dst = NULL;
    physad__dnn_op *op = NULL;
    int32_t src = s->src;
    describe_conv(c, s, &conv);
    if (s->residual >= 0)
        PHYSAD__TRY(physad__dnn_layout_copy(net->dnn, &dst, net->values[s->residual].layout));
    else
        PHYSAD__TRY(node_layout(c, &dst, s->dst, c->config->precision, PHYSAD__DNN_ANY));
    conv.dst = dst;
    physad_status status = make_conv(c, s, &conv, &op);
    physad__dnn_layout_free(dst);
    if (status == PHYSAD_OK) {
        status = physad__dnn_op_layout(net->dnn, op, PHYSAD__DNN_DST, &dst);
        if (status == PHYSAD_OK)
            settle(net, s->dst, c->config->precision, dst);
    }
    if (status == PHYSAD_OK)
        status = as_wanted(net, op, c->config->precision, &src);
    if (status == PHYSAD_OK && s->residual >= 0)
        status = place_residual(c, step, src);
    if (status != PHYSAD_OK) {
        physad__dnn_op_free(op);
        return status;
    }
    PHYSAD__TRY(add_operation(net, op, src, -1, s->dst));
    physad__nn_operation *o = &net->operations[net->operation_count - 1];
    o->weights = net->packed_bytes;
    net->packed_bytes += ((int64_t)physad__dnn_op_bytes(op, PHYSAD__DNN_WEIGHTS) + 63) / 64 * 64;
    o->bias = net->packed_bytes;
    net->packed_bytes += (c->g->nodes[s->main].channels * (int64_t)sizeof(float) + 63) / 64 * 64;
    c->operation[step] = (int32_t)net->operation_count - 1;
    return PHYSAD_OK;
}

/* --- everything else --- */

static physad_status compile_pool(compiler *c, const physad__nn_step *s)
{
    physad__nn_net *net = c->net;
    const physad__nn_node *n = &c->g->nodes[s->main];
    const int64_t *in = c->size + 2 * s->src;
    const bool global = s->op == PHYSAD__NN_GLOBAL_POOL;
    const int64_t kernel[2] = { global ? in[0] : n->kernel, global ? in[1] : n->kernel }, none[4] = { 0 };
    physad__dnn_layout *dst = NULL;
    physad__dnn_op *op = NULL;
    const int32_t dtype = net->values[s->src].dtype;
    PHYSAD__TRY(node_layout(c, &dst, s->dst, dtype, PHYSAD__DNN_ANY));
    physad_status status = physad__dnn_pool_new(net->dnn, &op, s->op == PHYSAD__NN_MAX_POOL, net->values[s->src].layout,
                                                dst, kernel, global ? 1 : n->stride, global ? none : n->pad);
    physad__dnn_layout_free(dst);
    if (status == PHYSAD_OK) {
        status = physad__dnn_op_layout(net->dnn, op, PHYSAD__DNN_DST, &dst);
        if (status == PHYSAD_OK)
            settle(net, s->dst, dtype, dst);
        else
            physad__dnn_op_free(op);
    }
    return status == PHYSAD_OK ? add_operation(net, op, s->src, -1, s->dst) : status;
}

static physad_status compile_binary(compiler *c, const physad__nn_step *s)
{
    physad__nn_net *net = c->net;
    const physad__dnn_binary kind = s->op == PHYSAD__NN_ADD ? PHYSAD__DNN_ADD : PHYSAD__DNN_MULTIPLY;
    physad__dnn_layout *dst;
    physad__dnn_op *op;
    PHYSAD__TRY(physad__dnn_layout_copy(net->dnn, &dst, net->values[s->src].layout));
    settle(net, s->dst, net->values[s->src].dtype, dst);
    PHYSAD__TRY(physad__dnn_binary_new(net->dnn, &op, kind, dst, net->values[s->src2].layout, dst));
    return add_operation(net, op, s->src, s->src2, s->dst);
}

static physad_status compile_activation(compiler *c, const physad__nn_step *s)
{
    physad__nn_net *net = c->net;
    physad__dnn_layout *dst;
    physad__dnn_op *op;
    PHYSAD__TRY(physad__dnn_layout_copy(net->dnn, &dst, net->values[s->src].layout));
    settle(net, s->dst, net->values[s->src].dtype, dst);
    PHYSAD__TRY(physad__dnn_activation_new(net->dnn, &op, s->activation, dst));
    return add_operation(net, op, s->src, -1, s->dst);
}

static physad_status compile_step(compiler *c, int64_t step)
{
    const physad__nn_step *s = &c->steps[step];
    switch (s->op) {
    case PHYSAD__NN_CONV:
    case PHYSAD__NN_LINEAR: return compile_conv(c, step);
    case PHYSAD__NN_MAX_POOL:
    case PHYSAD__NN_AVG_POOL:
    case PHYSAD__NN_GLOBAL_POOL: return compile_pool(c, s);
    case PHYSAD__NN_ADD:
    case PHYSAD__NN_SCALE: return compile_binary(c, s);
    default: return compile_activation(c, s);
    }
}

/* A tap is computed right into the caller's array where its layout is the caller's, else it is copied there. */
static physad_status compile_tap(compiler *c, int64_t tap)
{
    physad__nn_net *net = c->net;
    int32_t value = c->config->taps[tap], copy;
    physad__dnn_layout *plain;
    int64_t nchw[4];
    extents(c, value, nchw);
    memcpy(net->taps[tap].shape, (int64_t[]){ nchw[2], nchw[3], nchw[1] }, sizeof(net->taps[tap].shape));
    PHYSAD__TRY(node_layout(c, &plain, value, PHYSAD_F32, PHYSAD__DNN_CHANNELS_LAST));
    /* With the whole line of values that lie in the same memory: none of the others is a tap, or they would not share
     * it. */
    physad__nn_value *v = &net->values[physad__nn_root_of(net, value)];
    if (v->place == PHYSAD__NN_ARENA && physad__dnn_layout_equal(plain, v->layout) &&
        physad__dnn_layout_equal(plain, net->values[value].layout)) {
        physad__dnn_layout_free(plain);
        v->place = PHYSAD__NN_TAP;
        v->tap = tap;
        return PHYSAD_OK;
    }
    const physad_status status = add_value(net, &copy);
    if (status != PHYSAD_OK) {
        physad__dnn_layout_free(plain);
        return status;
    }
    settle(net, copy, PHYSAD_F32, plain);
    net->values[copy].place = PHYSAD__NN_TAP;
    net->values[copy].tap = tap;
    return add_reorder(net, value, copy);
}

static physad_status compile_all(compiler *c)
{
    physad__nn_net *net = c->net;
    int32_t value;
    for (int64_t i = 0; i < c->g->count; i++) {
        PHYSAD__TRY(add_value(net, &value));
        c->last_step[i] = -1;
        if (c->g->nodes[i].op != PHYSAD__NN_INPUT)
            continue;
        physad__dnn_layout *layout;
        PHYSAD__TRY(node_layout(c, &layout, value, PHYSAD_F32, PHYSAD__DNN_CHANNELS_LAST));
        settle(net, value, PHYSAD_F32, layout);
        net->values[value].place = PHYSAD__NN_IMAGE;
    }
    for (int64_t i = 0; i < c->step_count; i++) {
        const int32_t read[3] = { c->steps[i].src, c->steps[i].src2, c->steps[i].residual };
        for (int k = 0; k < 3; k++)
            if (read[k] >= 0)
                c->last_step[read[k]] = (int32_t)i;
    }
    for (int64_t i = 0; i < net->tap_count; i++)
        c->kept[c->config->taps[i]] = true;
    for (int64_t i = 0; i < c->step_count; i++)
        PHYSAD__TRY(compile_step(c, i));
    for (int64_t i = 0; i < net->tap_count; i++)
        PHYSAD__TRY(compile_tap(c, i));
    return PHYSAD_OK;
}

/* --- parameters --- */

static physad_status get_vector(const compiler *c, const physad__nn_node *n, const char *part, float *buffer,
                                const float **data)
{
    char name[512];
    physad__snprintf(name, sizeof(name), "%s.%s", n->param, part);
    *data = buffer;
    return c->source->get(c->source->user, name, 1, &n->channels, buffer, data);
}

/* y = gamma (x - mean) / sqrt(var + eps) + beta becomes a factor per channel of the weights, and the bias. */
static physad_status fold_norm(const compiler *c, const physad__nn_step *s, float *factor, float *bias)
{
    const int64_t channels = c->g->nodes[s->main].channels;
    const physad__nn_node *norm = s->norm >= 0 ? &c->g->nodes[s->norm] : NULL;
    const float *gamma, *beta, *mean, *var, *given;
    for (int64_t i = 0; i < channels; i++) {
        factor[i] = 1;
        bias[i] = 0;
    }
    if (c->g->nodes[s->main].bias) {
        PHYSAD__TRY(get_vector(c, &c->g->nodes[s->main], "bias", bias, &given));
        memmove(bias, given, (size_t)channels * sizeof(float));
    }
    if (norm == NULL)
        return PHYSAD_OK;
    float *room = physad__alloc_array(&c->net->ctx->mem, 4 * channels, sizeof(float), "batch norm");
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = get_vector(c, norm, "weight", room, &gamma);
    if (status == PHYSAD_OK)
        status = get_vector(c, norm, "bias", room + channels, &beta);
    if (status == PHYSAD_OK)
        status = get_vector(c, norm, "running_mean", room + 2 * channels, &mean);
    if (status == PHYSAD_OK)
        status = get_vector(c, norm, "running_var", room + 3 * channels, &var);
    for (int64_t i = 0; i < channels && status == PHYSAD_OK; i++) {
        const double f = gamma[i] / sqrt((double)var[i] + norm->eps);
        factor[i] = (float)f;
        bias[i] = (float)(beta[i] + (bias[i] - (double)mean[i]) * f);
    }
    physad__free(room);
    return status;
}

/* Room for packing one layer after the other: the largest one's weights, and a factor per channel. */
typedef struct room {
    float *weights, *factor;
} room;

static physad_status pack_step(const compiler *c, int64_t step, const room *r)
{
    physad__nn_net *net = c->net;
    const physad__nn_step *s = &c->steps[step];
    const physad__nn_node *n = &c->g->nodes[s->main];
    const physad__nn_operation *o = &net->operations[c->operation[step]];
    const int64_t shape[4] = { n->channels, c->g->nodes[s->src].channels / n->groups, n->kernel, n->kernel };
    const int64_t each = shape[1] * shape[2] * shape[3];
    const float *given = r->weights;
    char name[512];
    physad__dnn_conv conv;
    describe_conv(c, s, &conv);
    PHYSAD__TRY(fold_norm(c, s, r->factor, (float *)(void *)(net->packed + o->bias)));
    physad__snprintf(name, sizeof(name), "%s.weight", n->param);
    PHYSAD__TRY(c->source->get(c->source->user, name, s->op == PHYSAD__NN_LINEAR ? 2 : 4, shape, r->weights, &given));
    if (s->norm >= 0) {
        for (int64_t i = 0; i < n->channels; i++)
            for (int64_t k = 0; k < each; k++)
                r->weights[i * each + k] = given[i * each + k] * r->factor[i];
        given = r->weights;
    }
    return physad__dnn_pack(net->dnn, o->op, &conv, shape, given, net->packed + o->weights);
}

static physad_status make_room(const compiler *c, room *r)
{
    int64_t most = 1, channels = 1;
    for (int64_t i = 0; i < c->step_count; i++) {
        const physad__nn_node *n = &c->g->nodes[c->steps[i].main];
        if (c->operation[i] < 0)
            continue;
        channels = physad__max(channels, n->channels);
        most = physad__max(most,
                           n->channels * (c->g->nodes[c->steps[i].src].channels / n->groups) * n->kernel * n->kernel);
    }
    r->weights = physad__alloc_array(&c->net->ctx->mem, most, sizeof(float), "network weights being packed");
    r->factor = physad__alloc_array(&c->net->ctx->mem, channels, sizeof(float), "network weights being packed");
    return r->weights != NULL && r->factor != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* Takes layers until none is left. */
static physad_status pack_some(const compiler *c, _Atomic int64_t *next)
{
    room r = { NULL, NULL };
    physad_status status = make_room(c, &r);
    for (int64_t i = 0; status == PHYSAD_OK && (i = atomic_fetch_add(next, 1)) < c->step_count;) {
        if (c->operation[i] >= 0)
            status = pack_step(c, i, &r);
        if (status == PHYSAD_OK)
            status = physad__cancelled(c->net->ctx);
    }
    if (status != PHYSAD_OK)
        atomic_store(next, c->step_count);
    physad__free(r.weights);
    physad__free(r.factor);
    return status;
}

/* A layer is one thread's work: sharing out each layer would have the threads wait for each other twice a layer. */
static physad_status pack_all(const compiler *c)
{
    physad__nn_net *net = c->net;
    physad__fault fault = { PHYSAD_OK, "" };
    _Atomic int64_t next = 0;
    net->packed = physad__alloc_zero(&net->ctx->mem, (size_t)net->packed_bytes, "network weights");
    if (net->packed == NULL)
        return PHYSAD_ERR_NOMEM;
#pragma omp parallel
    {
        const physad_status status = pack_some(c, &next);
#pragma omp critical(physad_nn_pack)
        physad__fault_take(&fault, status);
    }
    return physad__fault_publish(&fault);
}

/* --- the net --- */

static physad_status compile(compiler *c)
{
    physad__nn_net *net = c->net;
    physad__mem *mem = &net->ctx->mem;
    const int64_t n = c->g->count;
    c->steps = physad__alloc_array(mem, n, sizeof(*c->steps), "network plan");
    c->size = physad__alloc_array(mem, n, 2 * sizeof(*c->size), "network plan");
    c->last_step = physad__alloc_array(mem, n, sizeof(*c->last_step), "network plan");
    c->operation = physad__alloc_array(mem, n, sizeof(*c->operation), "network plan");
    c->kept = physad__alloc_zero(mem, (size_t)n * sizeof(*c->kept), "network plan");
    net->taps = physad__alloc_array(mem, net->tap_count, sizeof(*net->taps), "network taps");
    if (c->steps == NULL || c->size == NULL || c->last_step == NULL || c->operation == NULL || c->kept == NULL ||
        net->taps == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        c->operation[i] = -1;
    PHYSAD__TRY(physad__nn_sizes(c->g, c->config->height, c->config->width, c->size));
    PHYSAD__TRY(physad__nn_plan(c->g, c->config, mem, c->steps, &c->step_count));
    PHYSAD__TRY(physad__dnn_new(&net->dnn, mem));
    PHYSAD__TRY(compile_all(c));
    PHYSAD__TRY(physad__nn_arena_place(net));
    return pack_all(c);
}

physad_status physad__nn_precision_check(const physad_context *ctx, int32_t precision)
{
    if (precision != PHYSAD_F32 && precision != PHYSAD_BF16)
        return physad__error(PHYSAD_ERR_ARG, "network: precision %s, want f32 or bf16", physad_dtype_name(precision));
    if (precision == PHYSAD_BF16 && !(ctx->cpu_flags & PHYSAD_CPU_AVX512_BF16))
        return physad__error(
            PHYSAD_ERR_UNSUPPORTED,
            "network: precision bf16 needs a processor with AVX-512 BF16, which this one lacks (or the context "
            "disables it); use f32");
    return PHYSAD_OK;
}

static physad_status check_config(physad_context *ctx, const physad__nn_graph *g, const physad__nn_config *config)
{
    PHYSAD__TRY(physad__nn_graph_check(g));
    if (config->tap_count < 1)
        return physad__error(PHYSAD_ERR_ARG, "network: no tap is wanted");
    if (config->height < 1 || config->width < 1 || config->height > 1 << 16 || config->width > 1 << 16)
        return physad__error(PHYSAD_ERR_ARG, "network: an input of %lld x %lld is out of range",
                             (long long)config->height, (long long)config->width);
    return physad__nn_precision_check(ctx, config->precision);
}

physad_status physad__nn_net_new(physad__nn_net **out, physad_context *ctx, const physad__nn_graph *g,
                                 const physad__nn_config *config, const physad__nn_source *source)
{
    PHYSAD__TRY(check_config(ctx, g, config));
    physad__nn_net *net = physad__alloc_zero(&ctx->mem, sizeof(*net), "network");
    if (net == NULL)
        return PHYSAD_ERR_NOMEM;
    pthread_mutex_init(&net->lock, NULL);
    net->ctx = physad__context_retain(ctx);
    net->tap_count = config->tap_count;
    compiler c = { .net = net, .g = g, .config = config, .source = source };
    const physad_status status = compile(&c);
    physad__free(c.steps);
    physad__free(c.size);
    physad__free(c.last_step);
    physad__free(c.operation);
    physad__free(c.kept);
    if (status != PHYSAD_OK) {
        physad__nn_net_free(net);
        return status;
    }
    *out = net;
    return PHYSAD_OK;
}
