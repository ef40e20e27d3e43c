/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, strided and transposed, of two and three places. The gradient of the weights is taken image by image,
 * each by one thread, and added in fixed lanes, so that it does not depend on the number of threads. */
#include "nn/nn_tape_node.h"

#include <math.h>
#include <string.h>

enum { LANES = 8, ALIGN = 64 };

/* An operation with the reordering of its weights. */
typedef struct routed {
    physad__dnn_op *op, *reorder;
    physad__dnn_call *call, *reorder_call;
    int64_t packed; /* bytes of the weights in the operation's order */
    bool alone;     /* run by one thread */
} routed;

typedef struct conv {
    physad__dnn_pair pair;
    bool transposed;
    int64_t width; /* bytes of a number of both sides */
    routed run, back, weigh;
    physad__dnn_call *lane_calls[LANES];
    physad__dnn_stream *streams[LANES];
    int64_t lanes;
    void *packed; /* of `run`, kept while the parameters do not change; tapes that only run */
    uint64_t version;
} conv;

static int64_t round_up(int64_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int64_t scratch_of(const physad__dnn_op *op)
{
    return op != NULL ? round_up((int64_t)physad__dnn_op_bytes(op, PHYSAD__DNN_SCRATCH)) : 0;
}

/* --- compiling --- */

static void routed_drop(routed *r)
{
    physad__dnn_call_free(r->call);
    physad__dnn_call_free(r->reorder_call);
    physad__dnn_op_free(r->op);
    physad__dnn_op_free(r->reorder);
}

static void conv_drop(physad__tape_node *n)
{
    conv *c = n->state;
    routed_drop(&c->run);
    routed_drop(&c->back);
    routed_drop(&c->weigh);
    for (int64_t l = 0; l < LANES; l++) {
        physad__dnn_call_free(c->lane_calls[l]);
        physad__dnn_stream_free(c->streams[l]);
    }
    physad__free(c->packed);
}

/* oneDNN's product of matrices splits its sums among the threads. Where nothing else can do a shape (AVX2 and odd
 * numbers of channels), one thread does it, so that the bits are those of any number of threads. */
static physad_status by_one_thread(physad__tape *t, const physad__dnn_pair *pair, physad__dnn_way way, routed *r)
{
    const int threads = physad__call_narrow();
    physad__dnn_op_free(r->op);
    r->op = NULL;
    r->alone = true;
    const physad_status status = physad__dnn_pair_new(t->dnn, &r->op, pair, way);
    physad__call_widen(threads);
    return status;
}

static physad_status routed_make(physad__tape *t, const physad__dnn_pair *pair, physad__dnn_way way, routed *r)
{
    void *const none[PHYSAD__DNN_SLOTS] = { NULL };
    PHYSAD__TRY(physad__dnn_pair_new(t->dnn, &r->op, pair, way));
    if (strstr(physad__dnn_op_name(r->op), "gemm") != NULL)
        PHYSAD__TRY(by_one_thread(t, pair, way, r));
    PHYSAD__TRY(physad__dnn_pair_reorder(t->dnn, &r->reorder, pair, r->op));
    r->packed = round_up(
        (int64_t)physad__dnn_op_bytes(r->op, way == PHYSAD__DNN_WEIGH ? PHYSAD__DNN_DST : PHYSAD__DNN_WEIGHTS));
    PHYSAD__TRY(physad__dnn_call_new(t->dnn, &r->call, r->op, none));
    return physad__dnn_call_new(t->dnn, &r->reorder_call, r->reorder, none);
}

/* One image, one thread; each lane has a call of its own. */
static physad_status weigh_make(physad__tape *t, conv *c)
{
    void *const none[PHYSAD__DNN_SLOTS] = { NULL };
    physad__dnn_pair one = c->pair;
    one.images = 1;
    const int threads = physad__call_narrow();
    physad_status status = routed_make(t, &one, PHYSAD__DNN_WEIGH, &c->weigh);
    physad__call_widen(threads);
    c->lanes = physad__min(c->pair.images, LANES);
    for (int64_t l = 0; l < c->lanes && status == PHYSAD_OK; l++) {
        status = physad__dnn_call_new(t->dnn, &c->lane_calls[l], c->weigh.op, none);
        if (status == PHYSAD_OK)
            status = physad__dnn_stream_new(t->dnn, &c->streams[l]);
    }
    return status;
}

static void describe(const physad__tape *t, const physad__tape_node *n, conv *c)
{
    const physad__tape_node *x = physad__tape_in(t, n, 0), *large = c->transposed ? n : x,
                            *small = c->transposed ? x : n;
    physad__dnn_pair *p = &c->pair;
    const int32_t places = n->kind == PHYSAD__TAPE_ROWS ? 2 : n->ndim - 2;
    *p = (physad__dnn_pair){ .places = places,
                             .images = n->shape[0],
                             .groups = 1,
                             .large_channels = large->channels,
                             .small_channels = small->channels,
                             .bias = !c->transposed && n->param[1] >= 0,
                             .dtype = n->bf16 ? PHYSAD_BF16 : PHYSAD_F32 };
    if (n->kind == PHYSAD__TAPE_ROWS) { /* rows are places of as many images as share them evenly */
        for (p->images = LANES; n->rows % p->images != 0; p->images--)
            ;
        p->large[0] = p->small[0] = n->rows / p->images;
        p->large[1] = p->small[1] = 1;
        p->kernel[0] = p->kernel[1] = p->stride[0] = p->stride[1] = 1;
        return;
    }
    for (int32_t i = 0; i < places; i++) {
        const int32_t at = 3 - places + i;
        p->large[i] = large->shape[1 + i];
        p->small[i] = small->shape[1 + i];
        p->kernel[i] = n->window.kernel[at];
        p->stride[i] = n->window.stride[at];
        p->pad[i] = n->window.pad[at];
    }
}

/* Bytes for the packed weights (turned ones before) and the scratch of the operation and of its reordering. */
static int64_t run_scratch(const routed *r, int64_t weights)
{
    return r->packed + (physad__dnn_pair_turned(r->op) ? round_up(weights * (int64_t)sizeof(float)) : 0) +
           physad__max(scratch_of(r->op), scratch_of(r->reorder));
}

static physad_status conv_prepare(physad__tape *t, physad__tape_node *n)
{
    conv *c = physad__alloc_zero(t->mem, sizeof(*c), "a convolution");
    if (c == NULL)
        return PHYSAD_ERR_NOMEM;
    n->state = c;
    c->transposed = n->kind == PHYSAD__TAPE_TRANSPOSED;
    c->width = (int64_t)(n->bf16 ? sizeof(uint16_t) : sizeof(float));
    describe(t, n, c);
    const int64_t weights = physad__tape_p(t, n, 0)->count, floats = (int64_t)sizeof(float);
    PHYSAD__TRY(routed_make(t, &c->pair, c->transposed ? PHYSAD__DNN_UP : PHYSAD__DNN_DOWN, &c->run));
    n->scratch_bytes = run_scratch(&c->run, weights);
    if (!t->train && (c->packed = physad__alloc(t->mem, (size_t)c->run.packed, "weights of a convolution")) == NULL)
        return PHYSAD_ERR_NOMEM;
    if (!n->on_path)
        return PHYSAD_OK;
    PHYSAD__TRY(weigh_make(t, c));
    int64_t bytes = c->lanes * (2 * c->weigh.packed + scratch_of(c->weigh.op)) + round_up(weights * floats) +
                    scratch_of(c->weigh.reorder);
    bytes = physad__max(bytes, 2 * PHYSAD__TAPE_LANES * n->channels * floats);
    n->scratch_bytes = physad__max(n->scratch_bytes, bytes);
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    if (!x->wants)
        return PHYSAD_OK;
    PHYSAD__TRY(routed_make(t, &c->pair, c->transposed ? PHYSAD__DNN_DOWN : PHYSAD__DNN_UP, &c->back));
    n->scratch_bytes = physad__max(n->scratch_bytes, run_scratch(&c->back, weights) + round_up(x->count * c->width));
    return PHYSAD_OK;
}

/* --- running --- */

static void turn(const float *w, int64_t outputs, int64_t inputs, int64_t kernel, float *out)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < inputs; i++)
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t k = 0; k < kernel; k++)
                out[(i * outputs + o) * kernel + kernel - 1 - k] = w[(o * inputs + i) * kernel + k];
}

static physad_status bind_and_run(physad__dnn_call *call, physad__dnn_stream *stream,
                                  void *const data[PHYSAD__DNN_SLOTS])
{
    for (int slot = 0; slot < PHYSAD__DNN_SLOTS; slot++)
        if (data[slot] != NULL)
            PHYSAD__TRY(physad__dnn_call_set(call, (physad__dnn_slot)slot, data[slot]));
    return physad__dnn_call_run(call, stream);
}

#define ARRAY(pointer) ((void *)(uintptr_t)(pointer))

static physad_status pack(physad__tape *t, const physad__tape_node *n, const routed *r, char *packed, char *scratch)
{
    const physad__param *w = physad__tape_p(t, n, 0);
    const float *from = w->data;
    if (physad__dnn_pair_turned(r->op)) {
        turn(from, w->shape[0], w->shape[1], w->count / w->shape[0] / w->shape[1], (float *)(void *)scratch);
        from = (const float *)(void *)scratch;
        scratch += round_up(w->count * (int64_t)sizeof(float));
    }
    void *const data[PHYSAD__DNN_SLOTS] = { [PHYSAD__DNN_SRC] = ARRAY(from),
                                            [PHYSAD__DNN_DST] = packed,
                                            [PHYSAD__DNN_SCRATCH] = scratch_of(r->reorder) > 0 ? scratch : NULL };
    return bind_and_run(r->reorder_call, t->stream, data);
}

static physad_status run_routed(physad__tape *t, const physad__tape_node *n, const routed *r, char *packed,
                                const float *src, float *dst, const float *bias, char *scratch)
{
    void *const data[PHYSAD__DNN_SLOTS] = { [PHYSAD__DNN_SRC] = ARRAY(src),
                                            [PHYSAD__DNN_WEIGHTS] = packed,
                                            [PHYSAD__DNN_BIAS] = ARRAY(bias),
                                            [PHYSAD__DNN_DST] = dst,
                                            [PHYSAD__DNN_SCRATCH] = scratch_of(r->op) > 0 ? scratch : NULL };
    if (!r->alone)
        return bind_and_run(r->call, t->stream, data);
    const int threads = physad__call_narrow();
    const physad_status status = bind_and_run(r->call, t->stream, data);
    physad__call_widen(threads);
    return status;
}

static void add_bias(const physad__tape_node *n, const float *bias)
{
    const int64_t channels = n->channels;
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < n->rows; r++) {
        if (n->bf16)
            physad__bf16_give(physad__tape_narrow(n->data) + r * channels, false, bias, channels);
        for (int64_t c = 0; !n->bf16 && c < channels; c++)
            n->data[r * channels + c] += bias[c];
    }
}

static physad_status conv_forward(physad__tape *t, physad__tape_node *n)
{
    conv *c = n->state;
    const float *bias = n->param[1] >= 0 ? physad__tape_p(t, n, 1)->data : NULL;
    char *packed = c->packed != NULL ? c->packed : t->scratch,
         *scratch = c->packed != NULL ? t->scratch : t->scratch + c->run.packed;
    if (c->packed == NULL || c->version != t->params->version)
        PHYSAD__TRY(pack(t, n, &c->run, packed, scratch));
    c->version = t->params->version;
    PHYSAD__TRY(
        run_routed(t, n, &c->run, packed, physad__tape_x(t, n, 0), n->data, c->transposed ? NULL : bias, scratch));
    if (c->transposed && bias != NULL)
        add_bias(n, bias);
    return PHYSAD_OK;
}

/* dx += what lies in `from`. */
static void add_gradient(const physad__tape_node *n, float *dx, const float *from, int64_t count)
{
    if (!n->bf16) {
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < count; i++)
            dx[i] += from[i];
        return;
    }
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < (count + PHYSAD__TAPE_BLOCK - 1) / PHYSAD__TAPE_BLOCK; b++) {
        const int64_t at = b * PHYSAD__TAPE_BLOCK, part = physad__min(PHYSAD__TAPE_BLOCK, count - at);
        float room[PHYSAD__TAPE_BLOCK];
        physad__bf16_give(physad__tape_narrow(dx) + at, false, physad__tape_span(true, from, at, part, room), part);
    }
}

static physad_status data_gradient(physad__tape *t, physad__tape_node *n, float *dx)
{
    const conv *c = n->state;
    const int64_t count = physad__tape_in(t, n, 0)->count;
    char *scratch = t->scratch + c->back.packed;
    float *to = dx;
    if (!n->fresh[0]) {
        to = (float *)(void *)scratch;
        scratch += round_up(count * c->width);
    }
    PHYSAD__TRY(pack(t, n, &c->back, t->scratch, scratch));
    PHYSAD__TRY(run_routed(t, n, &c->back, t->scratch, n->grad, to, NULL, scratch));
    if (to != dx)
        add_gradient(n, dx, to, count);
    return PHYSAD_OK;
}

/* The images of one lane: each after the first into a second array, then added. */
static physad_status weigh_lane(const physad__tape *t, const physad__tape_node *n, int64_t l)
{
    const conv *c = n->state;
    const physad__tape_node *x = physad__tape_in(t, n, 0);
    const char *large = (const char *)(c->transposed ? n->grad : x->data),
               *small = (const char *)(c->transposed ? x->data : n->grad);
    const int64_t images = c->pair.images, large_step = (c->transposed ? n->count : x->count) / images * c->width,
                  small_step = (c->transposed ? x->count : n->count) / images * c->width,
                  lane_bytes = scratch_of(c->weigh.op);
    float *sum = (float *)(void *)(t->scratch + l * c->weigh.packed);
    float *one = (float *)(void *)(t->scratch + (c->lanes + l) * c->weigh.packed);
    char *scratch = t->scratch + 2 * c->lanes * c->weigh.packed + l * lane_bytes;
    for (int64_t i = l; i < images; i += c->lanes) {
        void *const data[PHYSAD__DNN_SLOTS] = { [PHYSAD__DNN_SRC] = ARRAY(large + i * large_step),
                                                [PHYSAD__DNN_SRC2] = ARRAY(small + i * small_step),
                                                [PHYSAD__DNN_DST] = i == l ? sum : one,
                                                [PHYSAD__DNN_SCRATCH] = lane_bytes > 0 ? scratch : NULL };
        PHYSAD__TRY(bind_and_run(c->lane_calls[l], c->streams[l], data));
        for (int64_t k = 0; i > l && k < c->weigh.packed / (int64_t)sizeof(float); k++)
            sum[k] += one[k];
    }
    return PHYSAD_OK;
}

static physad_status weights_gradient(physad__tape *t, physad__tape_node *n)
{
    const conv *c = n->state;
    physad__param *w = physad__tape_p(t, n, 0);
    physad__fault fault = { 0 };
#pragma omp parallel for schedule(static)
    for (int64_t l = 0; l < c->lanes; l++) {
        const physad_status status = weigh_lane(t, n, l);
        if (status != PHYSAD_OK) {
#pragma omp critical(physad_tape_fault)
            physad__fault_take(&fault, status);
        }
    }
    PHYSAD__TRY(physad__fault_publish(&fault));
    float *sum = (float *)(void *)t->scratch, *plain = (float *)(void *)(t->scratch + c->lanes * c->weigh.packed);
    const int64_t numbers = c->weigh.packed / (int64_t)sizeof(float);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < numbers; i++)
        for (int64_t l = 1; l < c->lanes; l++)
            sum[i] += sum[l * numbers + i];
    char *scratch = (char *)plain + round_up(w->count * (int64_t)sizeof(float));
    void *const data[PHYSAD__DNN_SLOTS] = { [PHYSAD__DNN_SRC] = sum,
                                            [PHYSAD__DNN_DST] = plain,
                                            [PHYSAD__DNN_SCRATCH] = scratch_of(c->weigh.reorder) > 0 ? scratch : NULL };
    PHYSAD__TRY(bind_and_run(c->weigh.reorder_call, t->stream, data));
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < w->count; i++)
        w->grad[i] += plain[i];
    return PHYSAD_OK;
}

static physad_status conv_backward(physad__tape *t, physad__tape_node *n)
{
    float *dx = physad__tape_dx(t, n, 0);
    PHYSAD__TRY(weights_gradient(t, n));
    if (n->param[1] >= 0)
        physad__tape_add_columns(n->bf16, n->grad, n->rows, n->channels, physad__tape_p(t, n, 1)->grad,
                                 (float *)(void *)t->scratch);
    return dx != NULL ? data_gradient(t, n, dx) : PHYSAD_OK;
}

const physad__tape_op physad__tape_op_conv = { .name = "convolution",
                                               .width = PHYSAD__TAPE_NARROW,
                                               .needs = 1,
                                               .prepare = conv_prepare,
                                               .forward = conv_forward,
                                               .backward = conv_backward,
                                               .drop = conv_drop };

/* --- building --- */

static int32_t add(physad__tape *t, int32_t x, const char *name, int64_t channels, const physad__tape_window *w,
                   bool bias, bool transposed)
{
    physad__tape_node n = { .op = &physad__tape_op_conv,
                            .input = { x },
                            .inputs = 1,
                            .param = { -1, -1, -1, -1 },
                            .window = *w,
                            .kind = transposed ? PHYSAD__TAPE_TRANSPOSED : PHYSAD__TAPE_STRIDED,
                            .wants = true };
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    const int32_t places = in->ndim - 2;
    if (places < 2 || places > 3 || channels < 1)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_SHAPE,
                                                    "tape: convolution %s to %lld channels of an array of %d axes, "
                                                    "want 4 (N H W C) or 5 (N D H W C)",
                                                    name, (long long)channels, in->ndim));
    int64_t shape[5] = { transposed ? in->channels : channels, transposed ? channels : in->channels };
    n.ndim = in->ndim;
    n.shape[0] = in->shape[0];
    n.shape[places + 1] = channels;
    int64_t fan_in = shape[1];
    for (int32_t i = 0; i < places; i++) {
        const int32_t at = 3 - places + i;
        const int64_t k = w->kernel[at], s = w->stride[at], p = w->pad[at], e = w->extra[at], size = in->shape[1 + i];
        if (k < 1 || s < 1 || p < 0 || p >= k || e < 0 || e >= s || (!transposed && size + 2 * p < k))
            return physad__tape_refuse(t, physad__error(PHYSAD_ERR_ARG,
                                                        "tape: convolution %s: kernel %lld, stride %lld, padding "
                                                        "%lld, extra %lld for %lld places",
                                                        name, (long long)k, (long long)s, (long long)p, (long long)e,
                                                        (long long)size));
        n.shape[1 + i] = transposed ? (size - 1) * s - 2 * p + k + e : (size + 2 * p - k) / s + 1;
        shape[2 + i] = k;
        fan_in *= k;
    }
    const double bound = 1 / sqrt((double)fan_in), deviation = t->params->deviation;
    const physad__param_init uniform = { PHYSAD__DRAW_UNIFORM, 0, bound },
                             normal = { PHYSAD__DRAW_NORMAL, 0, deviation };
    n.param[0] = physad__tape_want(t, name, "weight", in->ndim, shape, deviation > 0 ? &normal : &uniform, true);
    if (bias)
        n.param[1] = physad__tape_want(t, name, "bias", 1, &channels, &uniform, true);
    n.wants = t->train;
    return physad__tape_push(t, &n);
}

int32_t physad__tape_conv(physad__tape *t, int32_t x, const char *name, int64_t channels, const physad__tape_window *w,
                          bool bias)
{
    return add(t, x, name, channels, w, bias, false);
}

int32_t physad__tape_deconv(physad__tape *t, int32_t x, const char *name, int64_t channels,
                            const physad__tape_window *w, bool bias)
{
    return add(t, x, name, channels, w, bias, true);
}
