/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"
/* The engine: every operation against a direct computation in double, the graph's checks, memory reuse, equal bits. */
#include "test_formula.h"

#include "nn/nn_plan.h"

#include <pthread.h>

enum { TAPS = 8 };

static float *parameter(const physad__nn_node *n, const char *part, int32_t ndim, const int64_t *shape)
{
    char name[128];
    int64_t count = 1;
    const float *data;
    for (int32_t i = 0; i < ndim; i++)
        count *= shape[i];
    float *p = malloc((size_t)count * sizeof(*p));
    snprintf(name, sizeof(name), "%s.%s", n->param, part);
    assert_ok(formula(NULL, name, ndim, shape, p, &data));
    return p;
}

/* --- the direct computation: values H x W x C in double --- */

typedef struct value {
    int64_t h, w, c;
    double *x;
} value;

static double at(const value *v, int64_t y, int64_t x, int64_t c)
{
    return v->x[(y * v->w + x) * v->c + c];
}

static bool inside(const value *v, int64_t y, int64_t x)
{
    return y >= 0 && y < v->h && x >= 0 && x < v->w;
}

static void direct_conv(const physad__nn_node *n, const value *in, value *out)
{
    const int64_t k = n->kernel, per = in->c / n->groups, outs = n->channels / n->groups;
    const int64_t shape[4] = { n->channels, per, k, k };
    /* "Same": what is missing for out = ceil(in / stride), half of it above and to the left, the odd one not. */
    const bool same = n->padding == PHYSAD__NN_PAD_SAME;
    const int64_t lack_y = (out->h - 1) * n->stride + k - in->h, lack_x = (out->w - 1) * n->stride + k - in->w;
    const int64_t top = same ? physad__max(lack_y, 0) / 2 : n->pad[0],
                  left = same ? physad__max(lack_x, 0) / 2 : n->pad[1];
    if (same)
        assert_true(out->h == (in->h + n->stride - 1) / n->stride && out->w == (in->w + n->stride - 1) / n->stride);
    float *w = parameter(n, "weight", n->op == PHYSAD__NN_LINEAR ? 2 : 4, shape);
    float *b = n->bias ? parameter(n, "bias", 1, shape) : NULL;
    for (int64_t i = 0; i < out->h * out->w * out->c; i++) {
        const int64_t o = i % out->c, x = i / out->c % out->w, y = i / out->c / out->w;
        double sum = b != NULL ? b[o] : 0;
        for (int64_t t = 0; t < per * k * k; t++) {
            const int64_t c = t / (k * k), ky = t / k % k, kx = t % k;
            const int64_t yy = y * n->stride + ky - top, xx = x * n->stride + kx - left;
            if (inside(in, yy, xx))
                sum += (double)w[(o * per + c) * k * k + ky * k + kx] * at(in, yy, xx, o / outs * per + c);
        }
        out->x[i] = sum;
    }
    free(w);
    free(b);
}

static void direct_norm(const physad__nn_node *n, const value *in, value *out)
{
    float *g = parameter(n, "weight", 1, &n->channels), *b = parameter(n, "bias", 1, &n->channels);
    float *m = parameter(n, "running_mean", 1, &n->channels), *v = parameter(n, "running_var", 1, &n->channels);
    for (int64_t i = 0; i < out->h * out->w * out->c; i++) {
        const int64_t c = i % out->c;
        out->x[i] = (in->x[i] - m[c]) / sqrt((double)v[c] + n->eps) * g[c] + b[c];
    }
    free(g);
    free(b);
    free(m);
    free(v);
}

static void direct_pool(const physad__nn_node *n, const value *in, value *out)
{
    const bool global = n->op == PHYSAD__NN_GLOBAL_POOL, max = n->op == PHYSAD__NN_MAX_POOL;
    const int64_t kh = global ? in->h : n->kernel, kw = global ? in->w : n->kernel;
    for (int64_t i = 0; i < out->h * out->w * out->c; i++) {
        const int64_t c = i % out->c, x = i / out->c % out->w, y = i / out->c / out->w;
        double best = -INFINITY, sum = 0;
        for (int64_t t = 0; t < kh * kw; t++) {
            const int64_t yy = y * n->stride + t / kw - n->pad[0], xx = x * n->stride + t % kw - n->pad[1];
            if (inside(in, yy, xx)) {
                best = fmax(best, at(in, yy, xx, c));
                sum += at(in, yy, xx, c);
            }
        }
        out->x[i] = max ? best : sum / (double)(kh * kw);
    }
}

static double direct_one(const physad__nn_node *n, const value *a, const value *b, int64_t i)
{
    const double x = a->x[i];
    switch (n->op) {
    case PHYSAD__NN_RELU: return fmax(x, 0);
    case PHYSAD__NN_RELU6: return fmin(fmax(x, 0), 6);
    case PHYSAD__NN_SILU: return x / (1 + exp(-x));
    case PHYSAD__NN_SIGMOID: return 1 / (1 + exp(-x));
    case PHYSAD__NN_ADD: return x + b->x[i];
    case PHYSAD__NN_SCALE: return x * b->x[i % a->c];
    default: return NAN;
    }
}

static value *direct(const physad__nn_graph *g, const float *image, int64_t height, int64_t width)
{
    value *v = calloc((size_t)g->count, sizeof(*v));
    int64_t *size = calloc((size_t)g->count, 2 * sizeof(*size));
    assert_ok(physad__nn_sizes(g, height, width, size));
    for (int64_t i = 0; i < g->count; i++) {
        const physad__nn_node *n = &g->nodes[i];
        v[i] = (value){ size[2 * i], size[2 * i + 1], n->channels, NULL };
        const int64_t count = v[i].h * v[i].w * v[i].c;
        v[i].x = malloc((size_t)count * sizeof(double));
        const value *a = n->input[0] >= 0 ? &v[n->input[0]] : NULL, *b = n->input[1] >= 0 ? &v[n->input[1]] : NULL;
        if (n->op == PHYSAD__NN_INPUT)
            for (int64_t k = 0; k < count; k++)
                v[i].x[k] = image[k];
        else if (n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_LINEAR)
            direct_conv(n, a, &v[i]);
        else if (n->op == PHYSAD__NN_BATCH_NORM)
            direct_norm(n, a, &v[i]);
        else if (n->op == PHYSAD__NN_MAX_POOL || n->op == PHYSAD__NN_AVG_POOL || n->op == PHYSAD__NN_GLOBAL_POOL)
            direct_pool(n, a, &v[i]);
        else
            for (int64_t k = 0; k < count; k++)
                v[i].x[k] = direct_one(n, a, b, k);
    }
    free(size);
    return v;
}

/* --- running a graph through the engine --- */

typedef struct outputs {
    int64_t count;
    int64_t shape[TAPS][3];
    float *x[TAPS];
} outputs;

static int64_t values_of(const int64_t shape[3])
{
    return shape[0] * shape[1] * shape[2];
}

static physad_status run_once(const physad__nn_net *net, const float *image, outputs *out)
{
    physad__nn_scratch *scratch;
    PHYSAD__TRY(physad__nn_scratch_take(net, &scratch));
    const physad_status status = physad__nn_run(net, scratch, image, out->x);
    physad__nn_scratch_give(net, scratch);
    return status;
}

static void make_outputs(const physad__nn_net *net, int64_t count, outputs *out)
{
    out->count = count;
    for (int64_t i = 0; i < count; i++) {
        physad__nn_net_shape(net, i, out->shape[i]);
        out->x[i] = calloc((size_t)values_of(out->shape[i]), sizeof(float));
    }
}

static void free_outputs(outputs *out)
{
    for (int64_t i = 0; i < out->count; i++)
        free(out->x[i]);
}

static void compute(const physad__nn_graph *g, const physad__nn_config *config, const float *image, int threads,
                    outputs *out)
{
    physad_context *ctx = context_of(threads);
    physad__call call;
    physad__nn_net *net;
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    assert_ok(physad__nn_net_new(&net, ctx, g, config, &FORMULA));
    make_outputs(net, config->tap_count, out);
    assert_ok(run_once(net, image, out));
    physad__call_end(&call);
    physad__nn_net_free(net);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* Largest difference over a tap, in units of its root mean square. */
static double error_of(const float *got, const value *want)
{
    const int64_t count = want->h * want->w * want->c;
    double most = 0, square = 0;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs(got[i] - want->x[i]));
        square += want->x[i] * want->x[i];
    }
    return isfinite(most) ? most / sqrt(square / (double)count + 1e-30) : INFINITY;
}

/* Every tap in f32 and, where the processor can, in bf16, against the direct computation; the same bits with 1, 2, 4
 * threads. */
static void check_graph(const physad__nn_graph *g, const int32_t *taps, int64_t count, int64_t height, int64_t width,
                        double bf16)
{
    float *image = draw_image(height, width, g->nodes[0].channels);
    value *want = direct(g, image, height, width);
    for (int precision = 0; precision < (has_bf16() ? 2 : 1); precision++) {
        const physad__nn_config config = { height, width, precision == 0 ? PHYSAD_F32 : PHYSAD_BF16, taps, count };
        outputs first, other;
        compute(g, &config, image, 1, &first);
        for (int64_t i = 0; i < count; i++) {
            const double error = error_of(first.x[i], &want[taps[i]]);
            if (!(error <= (precision == 0 ? 2e-5 : bf16)))
                fail_msg("tap %d (value %d) in %s: error %g", (int)i, taps[i], precision == 0 ? "f32" : "bf16", error);
        }
        for (int threads = 2; threads <= 4; threads += 2) {
            compute(g, &config, image, threads, &other);
            for (int64_t i = 0; i < count; i++)
                assert_memory_equal(first.x[i], other.x[i], (size_t)values_of(first.shape[i]) * sizeof(float));
            free_outputs(&other);
        }
        free_outputs(&first);
    }
    for (int64_t i = 0; i < g->count; i++)
        free(want[i].x);
    free(want);
    free(image);
}

static physad__mem *plain_memory(void)
{
    static physad__mem mem;
    physad__mem_init(&mem, NULL, 0);
    return &mem;
}

static const double BF16 =
    0.06; /* some layers deep, largest difference over the mean square: 2^-8 a rounding, and sums of them */

/* --- operations one by one --- */

static void convolutions(void **state)
{
    static const struct {
        int64_t in, out, kernel, stride, groups, pad[4];
        bool same, bias;
    } cases[] = {
        { 3, 16, 3, 2, 1, { 1, 1, 1, 1 }, false, false },   { 3, 64, 7, 2, 1, { 3, 3, 3, 3 }, false, true },
        { 24, 40, 1, 1, 1, { 0, 0, 0, 0 }, false, false },  { 17, 5, 3, 1, 1, { 1, 1, 1, 1 }, false, true },
        { 24, 24, 3, 1, 24, { 1, 1, 1, 1 }, false, false }, { 40, 40, 5, 2, 40, { 2, 2, 2, 2 }, false, true },
        { 24, 24, 3, 2, 24, { 0, 0, 1, 1 }, false, false }, { 20, 20, 5, 2, 20, { 1, 1, 2, 2 }, false, false },
        { 16, 32, 3, 2, 1, { 0, 0, 1, 1 }, false, true },   { 32, 64, 3, 1, 4, { 1, 1, 1, 1 }, false, false },
        { 3, 8, 3, 2, 1, { 0, 0, 0, 0 }, true, false },     { 24, 24, 5, 2, 24, { 0, 0, 0, 0 }, true, false },
        { 8, 48, 1, 2, 1, { 0, 0, 0, 0 }, false, false },   { 1, 1, 1, 1, 1, { 0, 0, 0, 0 }, false, true },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        physad__nn_graph g;
        physad__nn_graph_init(&g, plain_memory());
        int32_t x = physad__nn_input(&g, cases[i].in), taps[2];
        /* One convolution reads the image, the next one what lies inside: other implementations. */
        x = physad__nn_conv(&g, x, "first", cases[i].in, 1, 1, 1);
        taps[0] = x = physad__nn_conv(&g, x, "second", cases[i].out, cases[i].kernel, cases[i].stride, cases[i].groups);
        g.nodes[x].bias = cases[i].bias;
        g.nodes[x].padding = cases[i].same ? PHYSAD__NN_PAD_SAME : PHYSAD__NN_PAD_EXPLICIT;
        memcpy(g.nodes[x].pad, cases[i].pad, sizeof(cases[i].pad));
        taps[1] = physad__nn_conv(&g, 0, "third", cases[i].out, cases[i].kernel, cases[i].stride, cases[i].groups);
        memcpy(g.nodes[taps[1]].pad, cases[i].pad, sizeof(cases[i].pad));
        check_graph(&g, taps, 2, 14, 19, BF16);
        physad__nn_graph_clear(&g);
    }
}

static void norms_and_activations(void **state)
{
    static const physad__nn_op acts[] = { PHYSAD__NN_RELU, PHYSAD__NN_RELU6, PHYSAD__NN_SILU, PHYSAD__NN_SIGMOID };
    for (int64_t i = 0; i < PHYSAD__COUNT(acts); i++) {
        physad__nn_graph g;
        int32_t taps[4];
        physad__nn_graph_init(&g, plain_memory());
        const int32_t image = physad__nn_input(&g, 3);
        const int32_t a = physad__nn_batch_norm(&g, physad__nn_conv(&g, image, "a", 24, 3, 1, 1), "na", 1e-3f);
        taps[0] = physad__nn_unary(&g, acts[i], a); /* joined with the convolution */
        taps[1] = physad__nn_batch_norm(&g, physad__nn_conv(&g, taps[0], "b", 20, 1, 1, 1), "nb", 1e-5f);
        taps[2] = physad__nn_unary(&g, acts[i], taps[1]); /* alone: its input is a tap */
        taps[3] = physad__nn_unary(&g, acts[i], image);
        check_graph(&g, taps, 4, 9, 10, BF16);
        physad__nn_graph_clear(&g);
    }
}

static void pools_and_linear(void **state)
{
    physad__nn_graph g;
    int32_t taps[7];
    physad__nn_graph_init(&g, plain_memory());
    const int32_t image = physad__nn_input(&g, 3);
    const int32_t x = physad__nn_conv(&g, image, "x", 40, 3, 1, 1);
    taps[0] = physad__nn_pool(&g, PHYSAD__NN_MAX_POOL, x, 3, 2, 1);
    taps[1] = physad__nn_pool(&g, PHYSAD__NN_AVG_POOL, x, 3, 1, 1);
    taps[2] = physad__nn_unary(&g, PHYSAD__NN_GLOBAL_POOL, x);
    taps[3] = physad__nn_linear(&g, taps[2], "fc", 11);
    taps[4] = physad__nn_pool(&g, PHYSAD__NN_AVG_POOL, image, 2, 2, 0);
    taps[5] = physad__nn_conv(&g, taps[4], "after", 8, 3, 1, 1);
    taps[6] = image;
    check_graph(&g, taps, 7, 15, 12, BF16);
    physad__nn_graph_clear(&g);
}

/* The gate of EfficientNets. */
static void squeeze_and_excitation(void **state)
{
    physad__nn_graph g;
    int32_t taps[2];
    physad__nn_graph_init(&g, plain_memory());
    const int32_t x =
        physad__nn_unary(&g, PHYSAD__NN_SILU, physad__nn_conv(&g, physad__nn_input(&g, 3), "x", 36, 3, 2, 1));
    int32_t s = physad__nn_conv(&g, physad__nn_unary(&g, PHYSAD__NN_GLOBAL_POOL, x), "reduce", 6, 1, 1, 1);
    s = physad__nn_conv(&g, physad__nn_unary(&g, PHYSAD__NN_SILU, s), "expand", 36, 1, 1, 1);
    taps[0] = physad__nn_binary(&g, PHYSAD__NN_SCALE, x, physad__nn_unary(&g, PHYSAD__NN_SIGMOID, s));
    taps[1] = physad__nn_conv(&g, taps[0], "project", 12, 1, 1, 1);
    check_graph(&g, taps, 2, 21, 18, BF16);
    physad__nn_graph_clear(&g);
}

/* Additions in every situation: with what dies there, with what is read later, with a tap, with itself, of two
 * convolutions, twice in a row, and one that cannot be joined to a convolution. */
static void residuals(void **state)
{
    physad__nn_graph g;
    int32_t taps[7];
    physad__nn_graph_init(&g, plain_memory());
    const int32_t image = physad__nn_input(&g, 3);
    const int32_t a = physad__nn_unary(&g, PHYSAD__NN_RELU, physad__nn_conv(&g, image, "a", 32, 3, 1, 1));
    const int32_t b =
        physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, a, "b", 32, 3, 1, 1), a); /* reads what it adds */
    const int32_t c1 = physad__nn_conv(&g, b, "c1", 32, 3, 1, 1);
    const int32_t c2 = physad__nn_conv(&g, c1, "c2", 32, 1, 1, 1);
    const int32_t c = physad__nn_unary(&g, PHYSAD__NN_RELU, physad__nn_binary(&g, PHYSAD__NN_ADD, b, c2)); /* b dies */
    const int32_t d1 = physad__nn_conv(&g, c, "d1", 48, 3, 2, 1);
    const int32_t d2 = physad__nn_conv(&g, c, "d2", 48, 1, 2, 1);
    const int32_t d = physad__nn_binary(&g, PHYSAD__NN_ADD, d1, d2);
    taps[0] = physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, d, "e", 48, 3, 1, 1), d); /* d is read later */
    taps[1] = physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, taps[0], "f", 48, 1, 1, 1), taps[0]);
    taps[2] = physad__nn_binary(&g, PHYSAD__NN_ADD, taps[0], taps[1]);
    taps[3] = physad__nn_binary(&g, PHYSAD__NN_ADD, d, d);
    taps[4] = physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, image, "h", 3, 3, 1, 1), image);
    taps[5] = c;
    const int32_t early = physad__nn_conv(&g, a, "early", 32, 3, 1, 1),
                  mid = physad__nn_conv(&g, early, "mid", 32, 1, 1, 1);
    const int32_t sum = physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, mid, "sum", 32, 3, 1, 1), early);
    taps[6] = physad__nn_conv(&g, physad__nn_conv(&g, sum, "next", 32, 1, 1, 1), "last", 32, 1, 1, 1);
    /* `early` is read once more after it was added. */
    taps[6] = physad__nn_binary(&g, PHYSAD__NN_ADD, taps[6], physad__nn_conv(&g, early, "late", 32, 1, 1, 1));
    check_graph(&g, taps, 7, 12, 13, BF16);
    check_graph(&g, taps + 6, 1, 12, 13, BF16);
    check_graph(&g, taps + 3, 1, 12, 13, BF16);
    check_graph(&g, taps + 1, 1, 12, 13, BF16);
    physad__nn_graph_clear(&g);
}

/* Chains and forks of additions as chance makes them, with taps anywhere: whoever shares memory leaves alone what is
 * read later. */
static void graphs_of_chance(void **state)
{
    enum { GRAPHS = 60, NODES = 14, CHANNELS = 8 };
    physad__rng rng;
    physad__rng_seed(&rng, 11, 3);
    for (int k = 0; k < GRAPHS; k++) {
        physad__nn_graph g;
        int32_t taps[TAPS], node[NODES] = { 0 };
        char name[16];
        physad__nn_graph_init(&g, plain_memory());
        node[0] = physad__nn_conv(&g, physad__nn_input(&g, 3), "first", CHANNELS, 3, 1, 1);
        for (int i = 1; i < NODES; i++) {
            /* Mostly the newest, so that lines come about. */
            const int a = physad__rng_below(&rng, 3) > 0 ? i - 1 : (int)physad__rng_below(&rng, i);
            const int b = (int)physad__rng_below(&rng, i), kernel = physad__rng_below(&rng, 2) > 0 ? 3 : 1;
            const int64_t kind = physad__rng_below(&rng, 8);
            snprintf(name, sizeof(name), "n%d", i);
            node[i] = kind == 0 ? physad__nn_unary(&g, PHYSAD__NN_RELU, node[a])
                                : physad__nn_conv(&g, node[a], name, CHANNELS, kernel, 1, 1);
            if (kind > 3)
                node[i] =
                    physad__nn_binary(&g, PHYSAD__NN_ADD, kind == 4 ? node[b] : node[i], kind == 4 ? node[i] : node[b]);
            if (kind > 6)
                node[i] = physad__nn_unary(&g, PHYSAD__NN_RELU, node[i]);
        }
        const int64_t count = 1 + physad__rng_below(&rng, TAPS - 2);
        taps[0] = node[NODES - 1];
        for (int64_t i = 1; i < count; i++) /* one twice is fine */
            taps[i] = node[physad__rng_below(&rng, NODES)];
        check_graph(&g, taps, count, 5, 6, 3 * BF16); /* thrice as deep; what is overwritten is wrong by its size */
        physad__nn_graph_clear(&g);
    }
}

/* --- checks --- */

static void graphs_that_make_no_sense(void **state)
{
    physad__nn_graph g;
    int64_t size[16];
    physad__nn_graph_init(&g, plain_memory());
    const int32_t x = physad__nn_input(&g, 3);
    physad__nn_conv(&g, x, "grouped", 4, 3, 1, 2);
    assert_fails(PHYSAD_ERR_ARG, "2 groups", physad__nn_graph_check(&g));
    physad__nn_graph_clear(&g);
    physad__nn_conv(&g, 5, "early", 4, 3, 1, 1);
    assert_fails(PHYSAD_ERR_ARG, "input 5", physad__nn_graph_check(&g));
    physad__nn_graph_clear(&g);
    physad__nn_conv(&g, physad__nn_input(&g, 3), "k", 4, 0, 1, 1);
    assert_fails(PHYSAD_ERR_ARG, "kernel 0", physad__nn_graph_check(&g));
    physad__nn_graph_clear(&g);
    physad__nn_conv(&g, physad__nn_input(&g, 3), NULL, 4, 1, 1, 1);
    assert_fails(PHYSAD_ERR_ARG, "names no parameter", physad__nn_graph_check(&g));
    physad__nn_graph_clear(&g);
    const int32_t i = physad__nn_input(&g, 3);
    physad__nn_binary(&g, PHYSAD__NN_ADD, i, physad__nn_conv(&g, i, "c", 4, 1, 1, 1));
    assert_fails(PHYSAD_ERR_ARG, "others", physad__nn_graph_check(&g));
    physad__nn_graph_clear(&g);
    const int32_t j = physad__nn_input(&g, 3);
    physad__nn_binary(&g, PHYSAD__NN_ADD, j, physad__nn_conv(&g, j, "c", 3, 3, 2, 1));
    assert_fails(PHYSAD_ERR_SHAPE, "unlike its other input", physad__nn_sizes(&g, 8, 8, size));
    physad__nn_graph_clear(&g);
    physad__nn_conv(&g, physad__nn_input(&g, 3), "c", 3, 5, 1, 1);
    memset(g.nodes[1].pad, 0, sizeof(g.nodes[1].pad));
    assert_fails(PHYSAD_ERR_SHAPE, "4 x 9", physad__nn_sizes(&g, 4, 9, size));
    physad__nn_graph_clear(&g);
}

static void nets_that_cannot_be(void **state)
{
    physad_context *ctx = context_of(2);
    physad__nn_graph g;
    physad__nn_net *net = NULL;
    physad__nn_graph_init(&g, &ctx->mem);
    const int32_t x = physad__nn_input(&g, 3);
    const int32_t norm = physad__nn_batch_norm(&g, x, "alone", 1e-5f);
    physad__nn_config config = { 8, 8, PHYSAD_F32, &norm, 1 };
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "alone", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    config.tap_count = 0;
    assert_fails(PHYSAD_ERR_ARG, "no tap", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    const int32_t none = 9;
    config = (physad__nn_config){ 8, 8, PHYSAD_F32, &none, 1 };
    assert_fails(PHYSAD_ERR_ARG, "value 9 of 2", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    config = (physad__nn_config){ 8, 8, PHYSAD_F16, &x, 1 };
    assert_fails(PHYSAD_ERR_ARG, "f16", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    config = (physad__nn_config){ 0, 8, PHYSAD_F32, &x, 1 };
    assert_fails(PHYSAD_ERR_ARG, "0 x 8", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    assert_null(net);
    physad__nn_graph_clear(&g);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void bf16_wants_its_instructions(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    physad__nn_graph g;
    physad__nn_net *net = NULL;
    o.cpu_disable = PHYSAD_CPU_AVX512_BF16;
    assert_ok(physad_context_new(&ctx, &o));
    physad__nn_graph_init(&g, &ctx->mem);
    const int32_t x = physad__nn_conv(&g, physad__nn_input(&g, 3), "c", 8, 3, 1, 1);
    const physad__nn_config config = { 8, 8, PHYSAD_BF16, &x, 1 };
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "use f32", physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    physad__nn_graph_clear(&g);
    physad_context_free(ctx);
}

/* --- allocations that fail, threads that share --- */

static physad_status small_net(physad_context *ctx, const float *image, outputs *out)
{
    physad__nn_graph g;
    physad__nn_net *net = NULL;
    physad__nn_graph_init(&g, &ctx->mem);
    const int32_t a = physad__nn_conv(&g, physad__nn_input(&g, 3), "a", 16, 3, 2, 1);
    const int32_t b = physad__nn_conv(&g, a, "b", 16, 3, 1, 1);
    const int32_t taps[2] = { physad__nn_unary(&g, PHYSAD__NN_RELU, physad__nn_binary(&g, PHYSAD__NN_ADD, b, a)), a };
    const physad__nn_config config = { 8, 8, PHYSAD_F32, taps, 2 };
    physad_status status = physad__nn_graph_check(&g);
    if (status == PHYSAD_OK)
        status = physad__nn_net_new(&net, ctx, &g, &config, &FORMULA);
    if (status == PHYSAD_OK)
        status = run_once(net, image, out);
    physad__nn_net_free(net);
    physad__nn_graph_clear(&g);
    return status;
}

static void allocations_may_fail(void **state)
{
    float *image = draw_image(8, 8, 3), room[2][4 * 4 * 16];
    outputs out = { .count = 2, .x = { room[0], room[1] } };
    int64_t n = 1;
    for (physad_status status = PHYSAD_ERR_NOMEM; status != PHYSAD_OK; n++) {
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        o.allocator = &failing_allocator;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &o));
        allocations_left = n - 1;
        status = small_net(ctx, image, &out);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_int_equal(allocations_live, 0);
        assert_true(n < 10000);
    }
    assert_true(n > 30); /* the loop did meet failures */
    free(image);
}

typedef struct sharer {
    const physad__nn_net *net;
    const float *image;
    const outputs *want;
    int differ;
} sharer;

static void *share(void *user)
{
    sharer *s = user;
    outputs out;
    physad__call call;
    if (physad__call_begin(&call, s->net->ctx, NULL, "test") != PHYSAD_OK) {
        s->differ = 1;
        return NULL;
    }
    make_outputs(s->net, s->want->count, &out);
    for (int round = 0; round < 4; round++) {
        s->differ += run_once(s->net, s->image, &out) != PHYSAD_OK;
        for (int64_t i = 0; i < out.count; i++)
            s->differ += memcmp(out.x[i], s->want->x[i], (size_t)values_of(out.shape[i]) * sizeof(float)) != 0;
    }
    physad__call_end(&call);
    free_outputs(&out);
    return NULL;
}

static void threads_share_a_net(void **state)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    sharer sharers[THREADS];
    physad_context *ctx = context_of(2);
    physad__nn_graph g;
    physad__nn_net *net;
    outputs want;
    physad__nn_graph_init(&g, &ctx->mem);
    const int32_t a = physad__nn_conv(&g, physad__nn_input(&g, 3), "a", 32, 3, 2, 1);
    const int32_t b = physad__nn_unary(&g, PHYSAD__NN_RELU, physad__nn_conv(&g, a, "b", 32, 3, 1, 1));
    const int32_t taps[2] = { physad__nn_binary(&g, PHYSAD__NN_ADD, physad__nn_conv(&g, b, "c", 32, 1, 1, 1), a), b };
    const physad__nn_config config = { 40, 40, PHYSAD_F32, taps, 2 };
    float *image = draw_image(40, 40, 3);
    assert_ok(physad__nn_net_new(&net, ctx, &g, &config, &FORMULA));
    make_outputs(net, 2, &want);
    assert_ok(run_once(net, image, &want));
    for (int i = 0; i < THREADS; i++) {
        sharers[i] = (sharer){ net, image, &want, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, share, &sharers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sharers[i].differ, 0);
    }
    free_outputs(&want);
    free(image);
    physad__nn_net_free(net);
    physad__nn_graph_clear(&g);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),
        cmocka_unit_test(norms_and_activations),
        cmocka_unit_test(pools_and_linear),
        cmocka_unit_test(squeeze_and_excitation),
        cmocka_unit_test(residuals),
        cmocka_unit_test(graphs_of_chance),
        cmocka_unit_test(graphs_that_make_no_sense),
        cmocka_unit_test(nets_that_cannot_be),
        cmocka_unit_test(bf16_wants_its_instructions),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(threads_share_a_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
