/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN: the engine, layouts, operations of inference, and running any operation. */
#include "nn/nn_dnnl_api.h"

physad_status physad__dnn_report(dnnl_status_t status, const char *what)
{
    switch (status) {
    case dnnl_success: return PHYSAD_OK;
    case dnnl_out_of_memory: return physad__error(PHYSAD_ERR_NOMEM, "oneDNN: no memory for %s", what);
    case dnnl_unimplemented: return physad__error(PHYSAD_ERR_UNSUPPORTED, "oneDNN: no implementation of %s here", what);
    default: return physad__error(PHYSAD_ERR_INTERNAL, "oneDNN: %s failed with status %d", what, (int)status);
    }
}

physad_status physad__dnn_new(physad__dnn **out, physad__mem *mem)
{
    physad__dnn *dnn = physad__alloc_zero(mem, sizeof(*dnn), "network engine");
    if (dnn == NULL)
        return PHYSAD_ERR_NOMEM;
    dnn->mem = mem;
    const dnnl_status_t status = dnnl_engine_create(&dnn->engine, dnnl_cpu, 0);
    if (status != dnnl_success) {
        physad__free(dnn);
        return physad__dnn_report(status, "the engine");
    }
    *out = dnn;
    return PHYSAD_OK;
}

void physad__dnn_free(physad__dnn *dnn)
{
    if (dnn == NULL)
        return;
    dnnl_engine_destroy(dnn->engine);
    physad__free(dnn);
}

/* --- layouts --- */

dnnl_data_type_t physad__dnn_type(int32_t dtype)
{
    return dtype == PHYSAD_BF16 ? dnnl_bf16 : dnnl_f32;
}

dnnl_status_t physad__dnn_layout_make(layout_t *out, int ndims, const int64_t *dims, dnnl_data_type_t type,
                                      dnnl_format_tag_t tag)
{
    dnnl_dims_t d = { 0 };
    for (int i = 0; i < ndims; i++)
        d[i] = dims[i];
#if V3
    return dnnl_memory_desc_create_with_tag(out, ndims, d, type, tag);
#else
    return dnnl_memory_desc_init_by_tag(out, ndims, d, type, tag);
#endif
}

void physad__dnn_layout_drop(layout_t *md)
{
#if V3
    dnnl_memory_desc_destroy(*md);
#else
    (void)md;
#endif
}

physad_status physad__dnn_layout_new(physad__dnn *dnn, physad__dnn_layout **out, int32_t dtype, physad__dnn_order order,
                                     const int64_t nchw[4])
{
    static const dnnl_format_tag_t tags[] = { dnnl_format_tag_any, dnnl_nhwc, dnnl_nchw };
    physad__dnn_layout *layout = physad__alloc_zero(dnn->mem, sizeof(*layout), "network layout");
    if (layout == NULL)
        return PHYSAD_ERR_NOMEM;
    const dnnl_status_t status = physad__dnn_layout_make(&layout->md, 4, nchw, physad__dnn_type(dtype), tags[order]);
    if (status != dnnl_success) {
        physad__free(layout);
        return physad__dnn_report(status, "an array layout");
    }
    *out = layout;
    return PHYSAD_OK;
}

static physad_status layout_from(physad__dnn *dnn, physad__dnn_layout **out, layout_ref md)
{
    physad__dnn_layout *layout = physad__alloc_zero(dnn->mem, sizeof(*layout), "network layout");
    if (layout == NULL)
        return PHYSAD_ERR_NOMEM;
#if V3
    const dnnl_status_t status = dnnl_memory_desc_clone(&layout->md, md);
    if (status != dnnl_success) {
        physad__free(layout);
        return physad__dnn_report(status, "an array layout");
    }
#else
    layout->md = *md;
#endif
    *out = layout;
    return PHYSAD_OK;
}

physad_status physad__dnn_layout_copy(physad__dnn *dnn, physad__dnn_layout **out, const physad__dnn_layout *layout)
{
    return layout_from(dnn, out, REF(layout));
}

void physad__dnn_layout_free(physad__dnn_layout *layout)
{
    if (layout == NULL)
        return;
    physad__dnn_layout_drop(&layout->md);
    physad__free(layout);
}

bool physad__dnn_layout_equal(const physad__dnn_layout *a, const physad__dnn_layout *b)
{
    return dnnl_memory_desc_equal(REF(a), REF(b)) != 0;
}

size_t physad__dnn_layout_bytes(const physad__dnn_layout *layout)
{
    return dnnl_memory_desc_get_size(REF(layout));
}

static int64_t channels_of(const physad__dnn_layout *layout)
{
#if V3
    dnnl_dims_t *dims = NULL;
    return dnnl_memory_desc_query(layout->md, dnnl_query_dims, &dims) == dnnl_success ? (*dims)[1] : 0;
#else
    return layout->md.dims[1];
#endif
}

/* --- attributes --- */

typedef struct elementwise {
    dnnl_alg_kind_t kind;
    float alpha, beta;
} elementwise;

static elementwise elementwise_of(physad__dnn_activation activation)
{
    switch (activation) {
    case PHYSAD__DNN_RELU6: return (elementwise){ dnnl_eltwise_clip, 0, 6 };
    case PHYSAD__DNN_SILU: return (elementwise){ dnnl_eltwise_swish, 1, 0 };
    case PHYSAD__DNN_SIGMOID: return (elementwise){ dnnl_eltwise_logistic, 0, 0 };
    default: return (elementwise){ dnnl_eltwise_relu, 0, 0 };
    }
}

static dnnl_status_t append_activation(dnnl_post_ops_t post, physad__dnn_activation activation)
{
    const elementwise e = elementwise_of(activation);
    if (activation == PHYSAD__DNN_LINEAR)
        return dnnl_success;
#if V3
    return dnnl_post_ops_append_eltwise(post, e.kind, e.alpha, e.beta);
#else
    return dnnl_post_ops_append_eltwise(post, 1.0f, e.kind, e.alpha, e.beta);
#endif
}

static dnnl_status_t append_add(dnnl_post_ops_t post)
{
#if V3
    return dnnl_post_ops_append_sum(post, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(post, 1.0f);
#endif
}

dnnl_status_t physad__dnn_attr_make(dnnl_primitive_attr_t *out, bool add, physad__dnn_activation activation)
{
    dnnl_post_ops_t post = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&post);
    if (status == dnnl_success && add)
        status = append_add(post);
    if (status == dnnl_success)
        status = append_activation(post, activation);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attr, post); /* copied */
    if (post != NULL)
        dnnl_post_ops_destroy(post);
    if (status == dnnl_success)
        *out = attr;
    else
        dnnl_primitive_attr_destroy(attr);
    return status;
}

/* --- operations --- */

physad_status physad__dnn_op_from(physad__dnn *dnn, physad__dnn_op **out, dnnl_primitive_desc_t desc, const char *what)
{
    physad__dnn_op *op = physad__alloc_zero(dnn->mem, sizeof(*op), "network operation");
    if (op == NULL) {
        dnnl_primitive_desc_destroy(desc);
        return PHYSAD_ERR_NOMEM;
    }
    dnnl_status_t status = dnnl_primitive_create(&op->primitive, desc);
    dnnl_primitive_desc_destroy(desc);
    if (status == dnnl_success)
        status = dnnl_primitive_get_primitive_desc(op->primitive, &op->desc);
    if (status != dnnl_success) {
        physad__dnn_op_free(op);
        return physad__dnn_report(status, what);
    }
    op->with[PHYSAD__DNN_SRC] = op->with[PHYSAD__DNN_DST] = true;
    *out = op;
    op->with[PHYSAD__DNN_SCRATCH] = physad__dnn_op_bytes(op, PHYSAD__DNN_SCRATCH) > 0;
    return PHYSAD_OK;
}

typedef struct conv_args {
    layout_t weights, bias;
    dnnl_dims_t stride, dilation, pad_low, pad_high;
} conv_args;

static dnnl_status_t conv_desc(physad__dnn *dnn, dnnl_primitive_desc_t *out, const physad__dnn_conv *c,
                               const conv_args *a, dnnl_primitive_attr_t attr)
{
#if V3
    return dnnl_convolution_forward_primitive_desc_create(
        out, dnn->engine, dnnl_forward_inference, dnnl_convolution_direct, c->src->md, a->weights, a->bias, c->dst->md,
        a->stride, a->dilation, a->pad_low, a->pad_high, attr);
#else
    dnnl_convolution_desc_t desc;
    const dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_inference, dnnl_convolution_direct, &c->src->md, &a->weights, &a->bias, &c->dst->md,
        a->stride, a->dilation, a->pad_low, a->pad_high);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, NULL);
#endif
}

static dnnl_status_t weights_layout(layout_t *out, const physad__dnn_conv *c, const int64_t oi[2],
                                    dnnl_data_type_t type, bool any)
{
    /* oi: outputs, inputs per group. Groups are a dimension of their own, before the outputs of one group. */
    const int64_t grouped[5] = { c->groups, oi[0] / c->groups, oi[1], c->kernel, c->kernel };
    const int64_t plain[4] = { oi[0], oi[1], c->kernel, c->kernel };
    if (c->groups > 1)
        return physad__dnn_layout_make(out, 5, grouped, type, any ? dnnl_format_tag_any : dnnl_goihw);
    return physad__dnn_layout_make(out, 4, plain, type, any ? dnnl_format_tag_any : dnnl_oihw);
}

physad_status physad__dnn_conv_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_conv *c)
{
    const int64_t channels = channels_of(c->dst), oi[2] = { channels, channels_of(c->src) / c->groups };
    conv_args a = { .stride = { c->stride, c->stride },
                    .pad_low = { c->pad[0], c->pad[1] },
                    .pad_high = { c->pad[2], c->pad[3] } };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY(weights_layout(&a.weights, c, oi, physad__dnn_type(c->dtype), true), "a convolution's weights");
    dnnl_status_t status = physad__dnn_layout_make(&a.bias, 1, &channels, dnnl_f32, dnnl_x);
    if (status == dnnl_success) {
        status = physad__dnn_attr_make(&attr, c->add, c->activation);
        if (status == dnnl_success) {
            status = conv_desc(dnn, &desc, c, &a, attr);
            dnnl_primitive_attr_destroy(attr);
        }
        physad__dnn_layout_drop(&a.bias);
    }
    physad__dnn_layout_drop(&a.weights);
    DNNL_TRY(status, "a convolution");
    PHYSAD__TRY(physad__dnn_op_from(dnn, out, desc, "a convolution"));
    (*out)->with[PHYSAD__DNN_WEIGHTS] = (*out)->with[PHYSAD__DNN_BIAS] = true;
    return PHYSAD_OK;
}

static dnnl_status_t pool_desc(physad__dnn *dnn, dnnl_primitive_desc_t *out, bool max, const physad__dnn_layout *src,
                               const physad__dnn_layout *dst, const dnnl_dims_t kernel, const dnnl_dims_t stride,
                               const int64_t pad[4], dnnl_primitive_attr_t attr)
{
    const dnnl_alg_kind_t kind = max ? dnnl_pooling_max : dnnl_pooling_avg_include_padding;
    const dnnl_dims_t low = { pad[0], pad[1] }, high = { pad[2], pad[3] };
#if V3
    const dnnl_dims_t dilation = { 0, 0 };
    return dnnl_pooling_forward_primitive_desc_create(out, dnn->engine, dnnl_forward_inference, kind, src->md, dst->md,
                                                      stride, kernel, dilation, low, high, attr);
#else
    dnnl_pooling_desc_t desc;
    const dnnl_status_t status = dnnl_pooling_forward_desc_init(&desc, dnnl_forward_inference, kind, &src->md, &dst->md,
                                                                stride, kernel, low, high);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, NULL);
#endif
}

physad_status physad__dnn_pool_new(physad__dnn *dnn, physad__dnn_op **out, bool max, const physad__dnn_layout *src,
                                   const physad__dnn_layout *dst, const int64_t kernel[2], int64_t stride,
                                   const int64_t pad[4])
{
    const dnnl_dims_t k = { kernel[0], kernel[1] }, s = { stride, stride };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY(physad__dnn_attr_make(&attr, false, PHYSAD__DNN_LINEAR), "a pooling");
    const dnnl_status_t status = pool_desc(dnn, &desc, max, src, dst, k, s, pad, attr);
    dnnl_primitive_attr_destroy(attr);
    DNNL_TRY(status, "a pooling");
    return physad__dnn_op_from(dnn, out, desc, "a pooling");
}

static dnnl_status_t binary_desc(physad__dnn *dnn, dnnl_primitive_desc_t *out, dnnl_alg_kind_t kind,
                                 const physad__dnn_layout *a, const physad__dnn_layout *b,
                                 const physad__dnn_layout *dst, dnnl_primitive_attr_t attr)
{
#if V3
    return dnnl_binary_primitive_desc_create(out, dnn->engine, kind, a->md, b->md, dst->md, attr);
#else
    dnnl_binary_desc_t desc;
    const dnnl_status_t status = dnnl_binary_desc_init(&desc, kind, &a->md, &b->md, &dst->md);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, NULL);
#endif
}

physad_status physad__dnn_binary_new(physad__dnn *dnn, physad__dnn_op **out, physad__dnn_binary kind,
                                     const physad__dnn_layout *a, const physad__dnn_layout *b,
                                     const physad__dnn_layout *dst)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY(physad__dnn_attr_make(&attr, false, PHYSAD__DNN_LINEAR), "an addition");
    const dnnl_status_t status =
        binary_desc(dnn, &desc, kind == PHYSAD__DNN_ADD ? dnnl_binary_add : dnnl_binary_mul, a, b, dst, attr);
    dnnl_primitive_attr_destroy(attr);
    DNNL_TRY(status, "an addition or multiplication");
    PHYSAD__TRY(physad__dnn_op_from(dnn, out, desc, "an addition or multiplication"));
    (*out)->with[PHYSAD__DNN_SRC2] = true;
    return PHYSAD_OK;
}

physad_status physad__dnn_reorder_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_layout *src,
                                      const physad__dnn_layout *dst)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY(physad__dnn_attr_make(&attr, false, PHYSAD__DNN_LINEAR), "a reorder");
    const dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&desc, REF(src), dnn->engine, REF(dst), dnn->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    DNNL_TRY(status, "a reorder");
    return physad__dnn_op_from(dnn, out, desc, "a reorder");
}

physad_status physad__dnn_activation_new(physad__dnn *dnn, physad__dnn_op **out, physad__dnn_activation activation,
                                         const physad__dnn_layout *layout)
{
    const elementwise e = elementwise_of(activation);
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    DNNL_TRY(physad__dnn_attr_make(&attr, false, PHYSAD__DNN_LINEAR), "an activation");
#if V3
    const dnnl_status_t status = dnnl_eltwise_forward_primitive_desc_create(
        &desc, dnn->engine, dnnl_forward_inference, e.kind, layout->md, layout->md, e.alpha, e.beta, attr);
#else
    dnnl_eltwise_desc_t d;
    dnnl_status_t status =
        dnnl_eltwise_forward_desc_init(&d, dnnl_forward_inference, e.kind, &layout->md, e.alpha, e.beta);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&desc, &d, attr, dnn->engine, NULL);
#endif
    dnnl_primitive_attr_destroy(attr);
    DNNL_TRY(status, "an activation");
    return physad__dnn_op_from(dnn, out, desc, "an activation");
}

void physad__dnn_op_free(physad__dnn_op *op)
{
    if (op == NULL)
        return;
    if (op->primitive != NULL)
        dnnl_primitive_destroy(op->primitive);
    physad__free(op);
}

/* How oneDNN calls what lies in a slot: as an argument, and to ask for its layout. */
typedef struct slot_name {
    int argument;
    dnnl_query_t query;
    int index;
} slot_name;

static slot_name name_of(const physad__dnn_op *op, physad__dnn_slot slot)
{
    static const slot_name names[3][PHYSAD__DNN_SLOTS] = {
        [PHYSAD__DNN_FORWARD] = { { DNNL_ARG_SRC, dnnl_query_src_md, 0 },
                                  { DNNL_ARG_SRC_1, dnnl_query_src_md, 1 },
                                  { DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0 },
                                  { DNNL_ARG_BIAS, dnnl_query_weights_md, 1 },
                                  { DNNL_ARG_DST, dnnl_query_dst_md, 0 } },
        [PHYSAD__DNN_TO_DATA] = { { DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0 },
                                  { 0 },
                                  { DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0 },
                                  { 0 },
                                  { DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0 } },
        [PHYSAD__DNN_TO_WEIGHTS] = { { DNNL_ARG_SRC, dnnl_query_src_md, 0 },
                                     { DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0 },
                                     { 0 },
                                     { 0 },
                                     { DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0 } },
    };
    if (slot == PHYSAD__DNN_SCRATCH)
        return (slot_name){ DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md, 0 };
    return names[op->kind][slot];
}

static layout_ref slot_layout(const physad__dnn_op *op, physad__dnn_slot slot)
{
    const slot_name name = name_of(op, slot);
    return dnnl_primitive_desc_query_md(op->desc, name.query, name.index);
}

physad_status physad__dnn_op_layout(physad__dnn *dnn, const physad__dnn_op *op, physad__dnn_slot slot,
                                    physad__dnn_layout **out)
{
    return layout_from(dnn, out, slot_layout(op, slot));
}

size_t physad__dnn_op_bytes(const physad__dnn_op *op, physad__dnn_slot slot)
{
    layout_ref md = slot_layout(op, slot);
    return md != NULL ? dnnl_memory_desc_get_size(md) : 0;
}

const char *physad__dnn_op_name(const physad__dnn_op *op)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(op->desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name != NULL
               ? name
               : "?";
}

/* --- running --- */

physad_status physad__dnn_stream_new(physad__dnn *dnn, physad__dnn_stream **out)
{
    physad__dnn_stream *s = physad__alloc_zero(dnn->mem, sizeof(*s), "network stream");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    const dnnl_status_t status = dnnl_stream_create(&s->stream, dnn->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        physad__free(s);
        return physad__dnn_report(status, "a stream");
    }
    *out = s;
    return PHYSAD_OK;
}

void physad__dnn_stream_free(physad__dnn_stream *stream)
{
    if (stream == NULL)
        return;
    dnnl_stream_destroy(stream->stream);
    physad__free(stream);
}

physad_status physad__dnn_call_new(physad__dnn *dnn, physad__dnn_call **out, const physad__dnn_op *op,
                                   void *const data[PHYSAD__DNN_SLOTS])
{
    physad__dnn_call *call = physad__alloc_zero(dnn->mem, sizeof(*call), "network call");
    if (call == NULL)
        return PHYSAD_ERR_NOMEM;
    call->op = op;
    for (int slot = 0; slot < PHYSAD__DNN_SLOTS; slot++) {
        if (!op->with[slot])
            continue;
        dnnl_memory_t memory = NULL;
        const dnnl_status_t status = dnnl_memory_create(&memory, slot_layout(op, (physad__dnn_slot)slot), dnn->engine,
                                                        data[slot] != NULL ? data[slot] : DNNL_MEMORY_NONE);
        if (status != dnnl_success) {
            physad__dnn_call_free(call);
            return physad__dnn_report(status, "an array");
        }
        call->place[slot] = call->count;
        call->args[call->count++] = (dnnl_exec_arg_t){ name_of(op, (physad__dnn_slot)slot).argument, memory };
    }
    *out = call;
    return PHYSAD_OK;
}

void physad__dnn_call_free(physad__dnn_call *call)
{
    if (call == NULL)
        return;
    for (int i = 0; i < call->count; i++)
        dnnl_memory_destroy(call->args[i].memory);
    physad__free(call);
}

physad_status physad__dnn_call_set(physad__dnn_call *call, physad__dnn_slot slot, void *data)
{
    DNNL_TRY(dnnl_memory_set_data_handle(call->args[call->place[slot]].memory, data), "binding an array");
    return PHYSAD_OK;
}

physad_status physad__dnn_call_run(physad__dnn_call *call, physad__dnn_stream *stream)
{
    DNNL_TRY(dnnl_primitive_execute(call->op->primitive, stream->stream, call->count, call->args), "an operation");
    DNNL_TRY(dnnl_stream_wait(stream->stream), "an operation");
    return PHYSAD_OK;
}

physad_status physad__dnn_pack(physad__dnn *dnn, const physad__dnn_op *op, const physad__dnn_conv *conv,
                               const int64_t oi[2], const float *weights, void *packed)
{
    physad__dnn_layout plain = { 0 }, *want = NULL;
    physad__dnn_op *reorder = NULL;
    physad__dnn_call *call = NULL;
    physad__dnn_stream *stream = NULL;
    void *scratch = NULL,
         *data[PHYSAD__DNN_SLOTS] = { [PHYSAD__DNN_SRC] = (void *)(uintptr_t)weights, [PHYSAD__DNN_DST] = packed };
    DNNL_TRY(weights_layout(&plain.md, conv, oi, dnnl_f32, false), "a convolution's weights");
    physad_status status = physad__dnn_op_layout(dnn, op, PHYSAD__DNN_WEIGHTS, &want);
    if (status == PHYSAD_OK)
        status = physad__dnn_reorder_new(dnn, &reorder, &plain, want);
    if (status == PHYSAD_OK && reorder->with[PHYSAD__DNN_SCRATCH]) {
        scratch = physad__alloc(dnn->mem, physad__dnn_op_bytes(reorder, PHYSAD__DNN_SCRATCH), "packing weights");
        data[PHYSAD__DNN_SCRATCH] = scratch;
        status = scratch != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    if (status == PHYSAD_OK)
        status = physad__dnn_call_new(dnn, &call, reorder, data);
    if (status == PHYSAD_OK)
        status = physad__dnn_stream_new(dnn, &stream);
    if (status == PHYSAD_OK)
        status = physad__dnn_call_run(call, stream);
    physad__dnn_stream_free(stream);
    physad__dnn_call_free(call);
    physad__free(scratch);
    physad__dnn_op_free(reorder);
    physad__dnn_layout_free(want);
    physad__dnn_layout_drop(&plain.md);
    return status;
}
