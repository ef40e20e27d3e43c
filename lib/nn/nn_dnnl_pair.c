/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN: convolutions to train, both ways, and the gradients of their weights. */
#include "nn/nn_dnnl_api.h"

/* The arrays and extents of a pair as oneDNN wants them. */
typedef struct sides {
    layout_t large, small, weights, gradient, bias; /* `gradient`: of the weights */
    dnnl_dims_t stride, dilation, low, high;
} sides;

static dnnl_status_t side_layout(layout_t *out, const physad__dnn_pair *p, int64_t channels, const int64_t *extents)
{
    int64_t dims[5] = { p->images, channels };
    memcpy(dims + 2, extents, (size_t)p->places * sizeof(int64_t));
    return physad__dnn_layout_make(out, p->places + 2, dims, physad__dnn_type(p->dtype),
                                   p->places == 3 ? dnnl_ndhwc : dnnl_nhwc);
}

/* In an order of the operation's own, or row-major. */
static dnnl_status_t weights_layout(layout_t *out, const physad__dnn_pair *p, bool turned, dnnl_data_type_t type,
                                    bool any)
{
    static const dnnl_format_tag_t plain[2][2] = { { dnnl_oihw, dnnl_goihw }, { dnnl_oidhw, dnnl_goidhw } };
    const int64_t outputs = turned ? p->large_channels : p->small_channels,
                  inputs = turned ? p->small_channels : p->large_channels;
    int64_t dims[6];
    int n = 0;
    if (p->groups > 1)
        dims[n++] = p->groups;
    dims[n++] = outputs / p->groups;
    dims[n++] = inputs / p->groups;
    for (int32_t i = 0; i < p->places; i++)
        dims[n++] = p->kernel[i];
    return physad__dnn_layout_make(out, n, dims, type,
                                   any ? dnnl_format_tag_any : plain[p->places == 3][p->groups > 1]);
}

static void sides_drop(sides *s)
{
    physad__dnn_layout_drop(&s->large);
    physad__dnn_layout_drop(&s->small);
    physad__dnn_layout_drop(&s->weights);
    physad__dnn_layout_drop(&s->gradient);
    physad__dnn_layout_drop(&s->bias);
}

static dnnl_status_t sides_make(sides *s, const physad__dnn_pair *p, bool turned)
{
    const int64_t outputs = turned ? p->large_channels : p->small_channels;
    memset(s, 0, sizeof(*s));
    for (int32_t i = 0; i < p->places; i++) {
        s->stride[i] = p->stride[i];
        s->low[i] = turned ? p->kernel[i] - 1 - p->pad[i] : p->pad[i];
        s->high[i] = turned ? p->large[i] + p->kernel[i] - 1 - p->small[i] - s->low[i] : p->pad[i];
    }
    dnnl_status_t status = side_layout(&s->large, p, p->large_channels, p->large);
    if (status == dnnl_success)
        status = side_layout(&s->small, p, p->small_channels, p->small);
    if (status == dnnl_success)
        status = weights_layout(&s->weights, p, turned, physad__dnn_type(p->dtype), true);
    if (status == dnnl_success)
        status = weights_layout(&s->gradient, p, turned, dnnl_f32, true);
    if (status == dnnl_success)
        status = physad__dnn_layout_make(&s->bias, 1, &outputs, dnnl_f32, dnnl_x);
    if (status != dnnl_success)
        sides_drop(s);
    return status;
}

#if V3
#define MD(layout) (layout)
#else
#define MD(layout) (&(layout))
#endif

static dnnl_status_t forward(physad__dnn *dnn, dnnl_primitive_desc_t *out, const sides *s, bool turned, bool bias,
                             dnnl_primitive_attr_t attr)
{
    const layout_t *src = turned ? &s->small : &s->large, *dst = turned ? &s->large : &s->small;
#if V3
    return dnnl_convolution_forward_primitive_desc_create(
        out, dnn->engine, dnnl_forward_training, dnnl_convolution_direct, MD(*src), MD(s->weights),
        bias ? MD(s->bias) : NULL, MD(*dst), s->stride, s->dilation, s->low, s->high, attr);
#else
    dnnl_convolution_desc_t desc;
    const dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_training, dnnl_convolution_direct, src, MD(s->weights), bias ? MD(s->bias) : NULL, dst,
        s->stride, s->dilation, s->low, s->high);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, NULL);
#endif
}

static dnnl_status_t to_data(physad__dnn *dnn, dnnl_primitive_desc_t *out, const sides *s, dnnl_primitive_desc_t hint,
                             dnnl_primitive_attr_t attr)
{
#if V3
    return dnnl_convolution_backward_data_primitive_desc_create(out, dnn->engine, dnnl_convolution_direct, MD(s->large),
                                                                MD(s->weights), MD(s->small), s->stride, s->dilation,
                                                                s->low, s->high, hint, attr);
#else
    dnnl_convolution_desc_t desc;
    const dnnl_status_t status =
        dnnl_dilated_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, MD(s->large), MD(s->weights),
                                                         MD(s->small), s->stride, s->dilation, s->low, s->high);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, hint);
#endif
}

static dnnl_status_t to_weights(physad__dnn *dnn, dnnl_primitive_desc_t *out, const sides *s,
                                dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr)
{
#if V3
    return dnnl_convolution_backward_weights_primitive_desc_create(out, dnn->engine, dnnl_convolution_direct,
                                                                   MD(s->large), MD(s->gradient), NULL, MD(s->small),
                                                                   s->stride, s->dilation, s->low, s->high, hint, attr);
#else
    dnnl_convolution_desc_t desc;
    const dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &desc, dnnl_convolution_direct, MD(s->large), MD(s->gradient), NULL, MD(s->small), s->stride, s->dilation,
        s->low, s->high);
    return status != dnnl_success ? status : dnnl_primitive_desc_create(out, &desc, attr, dnn->engine, hint);
#endif
}

static dnnl_status_t make_desc(physad__dnn *dnn, dnnl_primitive_desc_t *out, const sides *s, bool turned, bool bias,
                               physad__dnn_way way)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t status = physad__dnn_attr_make(&attr, false, PHYSAD__DNN_LINEAR);
    if (status != dnnl_success)
        return status;
    if (way == PHYSAD__DNN_DOWN || turned) {
        status = forward(dnn, out, s, turned, bias && way == PHYSAD__DNN_DOWN, attr);
    } else {
        status = forward(dnn, &hint, s, false, false, attr);
        if (status == dnnl_success)
            status = way == PHYSAD__DNN_UP ? to_data(dnn, out, s, hint, attr) : to_weights(dnn, out, s, hint, attr);
        if (hint != NULL)
            dnnl_primitive_desc_destroy(hint);
    }
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* The way up without strides is a convolution as well, with its weights turned round: the faster code in oneDNN. */
static bool may_turn(const physad__dnn_pair *p)
{
    bool may = p->groups == 1;
    for (int32_t i = 0; i < p->places; i++)
        may = may && p->stride[i] == 1 && p->pad[i] < p->kernel[i];
    return may;
}

physad_status physad__dnn_pair_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_pair *pair,
                                   physad__dnn_way way)
{
    sides s;
    dnnl_primitive_desc_t desc = NULL;
    const bool turned = way == PHYSAD__DNN_UP && may_turn(pair);
    DNNL_TRY(sides_make(&s, pair, turned), "a convolution's arrays");
    const dnnl_status_t status = make_desc(dnn, &desc, &s, turned, pair->bias, way);
    sides_drop(&s);
    DNNL_TRY(status, "a convolution to train");
    PHYSAD__TRY(physad__dnn_op_from(dnn, out, desc, "a convolution to train"));
    physad__dnn_op *op = *out;
    op->turned = turned;
    op->kind = way == PHYSAD__DNN_DOWN || turned ? PHYSAD__DNN_FORWARD
               : way == PHYSAD__DNN_UP           ? PHYSAD__DNN_TO_DATA
                                                 : PHYSAD__DNN_TO_WEIGHTS;
    op->with[PHYSAD__DNN_WEIGHTS] = way != PHYSAD__DNN_WEIGH;
    op->with[PHYSAD__DNN_SRC2] = way == PHYSAD__DNN_WEIGH;
    op->with[PHYSAD__DNN_BIAS] = way == PHYSAD__DNN_DOWN && pair->bias;
    return PHYSAD_OK;
}

bool physad__dnn_pair_turned(const physad__dnn_op *op)
{
    return op->turned;
}

physad_status physad__dnn_pair_reorder(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_pair *pair,
                                       const physad__dnn_op *op)
{
    physad__dnn_layout plain = { 0 }, *own = NULL;
    const bool gradient = op->kind == PHYSAD__DNN_TO_WEIGHTS;
    DNNL_TRY(weights_layout(&plain.md, pair, op->turned, dnnl_f32, false), "a convolution's weights");
    physad_status status = physad__dnn_op_layout(dnn, op, gradient ? PHYSAD__DNN_DST : PHYSAD__DNN_WEIGHTS, &own);
    if (status == PHYSAD_OK)
        status = physad__dnn_reorder_new(dnn, out, gradient ? own : &plain, gradient ? &plain : own);
    physad__dnn_layout_free(own);
    physad__dnn_layout_drop(&plain.md);
    return status;
}
