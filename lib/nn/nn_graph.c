/* SPDX-License-Identifier: Apache-2.0 */
/* Building and checking graphs, and the sizes of their values. */
#include "nn/nn_plan.h"

enum { NODES_MOST = 1 << 20 };

static const struct {
    const char *name;
    int32_t inputs;
} ops[PHYSAD__NN_OP_COUNT] = {
    [PHYSAD__NN_INPUT] = { "input", 0 },       [PHYSAD__NN_CONV] = { "conv", 1 },
    [PHYSAD__NN_BATCH_NORM] = { "batch norm", 1 }, [PHYSAD__NN_RELU] = { "relu", 1 },
    [PHYSAD__NN_RELU6] = { "relu6", 1 },       [PHYSAD__NN_SILU] = { "silu", 1 },
    [PHYSAD__NN_SIGMOID] = { "sigmoid", 1 },   [PHYSAD__NN_ADD] = { "add", 2 },
    [PHYSAD__NN_SCALE] = { "scale", 2 },       [PHYSAD__NN_MAX_POOL] = { "max pool", 1 },
    [PHYSAD__NN_AVG_POOL] = { "average pool", 1 }, [PHYSAD__NN_GLOBAL_POOL] = { "global pool", 1 },
    [PHYSAD__NN_LINEAR] = { "linear", 1 },
};

const char *physad__nn_op_name(physad__nn_op op)
{
    return op >= 0 && op < PHYSAD__NN_OP_COUNT ? ops[op].name : "?";
}

void physad__nn_graph_init(physad__nn_graph *g, physad__mem *mem)
{
    *g = (physad__nn_graph){ .mem = mem };
}

void physad__nn_graph_clear(physad__nn_graph *g)
{
    for (int64_t i = 0; i < g->count; i++) {
        physad__free((void *)(uintptr_t)g->nodes[i].name);
        physad__free((void *)(uintptr_t)g->nodes[i].param);
    }
    physad__free(g->nodes);
    *g = (physad__nn_graph){ .mem = g->mem };
}

static int32_t fail(physad__nn_graph *g, physad_status status)
{
    g->failed = status;
    return -1;
}

int32_t physad__nn_add(physad__nn_graph *g, const physad__nn_node *node)
{
    if (g->failed != PHYSAD_OK)
        return -1;
    if (g->count >= NODES_MOST)
        return fail(g, physad__error(PHYSAD_ERR_ARG, "network: more than %d nodes", NODES_MOST));
    const physad_status status =
        physad__grow(g->mem, &g->nodes, &g->capacity, g->count + 1, sizeof(*g->nodes), "network");
    if (status != PHYSAD_OK)
        return fail(g, status);
    physad__nn_node n = *node;
    n.name = node->name != NULL ? physad__strdup(g->mem, node->name) : NULL;
    n.param = node->param != NULL ? physad__strdup(g->mem, node->param) : NULL;
    g->nodes[g->count++] = n; /* counted even when half made: clear() frees both texts */
    if ((node->name != NULL && n.name == NULL) || (node->param != NULL && n.param == NULL))
        return fail(g, PHYSAD_ERR_NOMEM);
    return (int32_t)(g->count - 1);
}

static int64_t channels_of(const physad__nn_graph *g, int32_t value)
{
    return value >= 0 && value < g->count ? g->nodes[value].channels : 0;
}

int32_t physad__nn_input(physad__nn_graph *g, int64_t channels)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = PHYSAD__NN_INPUT, .input = { -1, -1 }, .channels = channels });
}

int32_t physad__nn_conv(physad__nn_graph *g, int32_t input, const char *param, int64_t channels, int64_t kernel,
                        int64_t stride, int64_t groups)
{
    const int64_t p = kernel / 2;
    return physad__nn_add(g, &(physad__nn_node){ .op = PHYSAD__NN_CONV,
                                                 .input = { input, -1 },
                                                 .param = param,
                                                 .channels = channels,
                                                 .kernel = kernel,
                                                 .stride = stride,
                                                 .groups = groups,
                                                 .pad = { p, p, p, p } });
}

int32_t physad__nn_batch_norm(physad__nn_graph *g, int32_t input, const char *param, float eps)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = PHYSAD__NN_BATCH_NORM, .input = { input, -1 }, .param = param,
                                                 .channels = channels_of(g, input), .eps = eps });
}

int32_t physad__nn_unary(physad__nn_graph *g, physad__nn_op op, int32_t input)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = op, .input = { input, -1 }, .channels = channels_of(g, input) });
}

int32_t physad__nn_binary(physad__nn_graph *g, physad__nn_op op, int32_t a, int32_t b)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = op, .input = { a, b }, .channels = channels_of(g, a) });
}

int32_t physad__nn_pool(physad__nn_graph *g, physad__nn_op op, int32_t input, int64_t kernel, int64_t stride,
                        int64_t pad)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = op, .input = { input, -1 }, .channels = channels_of(g, input),
                                                 .kernel = kernel, .stride = stride, .pad = { pad, pad, pad, pad } });
}

int32_t physad__nn_linear(physad__nn_graph *g, int32_t input, const char *param, int64_t channels)
{
    return physad__nn_add(g, &(physad__nn_node){ .op = PHYSAD__NN_LINEAR,
                                                 .input = { input, -1 },
                                                 .param = param,
                                                 .channels = channels,
                                                 .kernel = 1,
                                                 .stride = 1,
                                                 .groups = 1,
                                                 .bias = true });
}

void physad__nn_name(physad__nn_graph *g, int32_t value, const char *name)
{
    if (g->failed != PHYSAD_OK || value < 0 || value >= g->count)
        return;
    physad__free((void *)(uintptr_t)g->nodes[value].name);
    g->nodes[value].name = physad__strdup(g->mem, name);
    if (g->nodes[value].name == NULL)
        fail(g, PHYSAD_ERR_NOMEM);
}

static bool window_is_sane(const physad__nn_node *n)
{
    bool sane = n->kernel >= 1 && n->kernel <= 64 && n->stride >= 1 && n->stride <= 64;
    for (int i = 0; i < 4; i++)
        sane = sane && n->pad[i] >= 0 && n->pad[i] < physad__max(n->kernel, 1);
    return sane;
}

static physad_status check_node(const physad__nn_graph *g, int64_t i)
{
    const physad__nn_node *n = &g->nodes[i];
    const char *op = physad__nn_op_name(n->op);
    if (n->op < 0 || n->op >= PHYSAD__NN_OP_COUNT)
        return physad__error(PHYSAD_ERR_ARG, "network: node %lld has no known operation (%d)", (long long)i,
                             (int)n->op);
    if (n->channels < 1 || n->channels > 1 << 20)
        return physad__error(PHYSAD_ERR_ARG, "network: node %lld (%s) has %lld channels", (long long)i, op,
                             (long long)n->channels);
    for (int32_t k = 0; k < 2; k++)
        if ((k < ops[n->op].inputs) != (n->input[k] >= 0) || n->input[k] >= i)
            return physad__error(PHYSAD_ERR_ARG, "network: node %lld (%s) has input %d, want %d earlier ones",
                                 (long long)i, op, n->input[k], ops[n->op].inputs);
    const bool window = n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_MAX_POOL || n->op == PHYSAD__NN_AVG_POOL;
    const bool weighs = n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_LINEAR;
    if (window && !window_is_sane(n))
        return physad__error(PHYSAD_ERR_ARG,
                             "network: node %lld (%s) has kernel %lld, stride %lld, padding %lld %lld %lld %lld",
                             (long long)i, op, (long long)n->kernel, (long long)n->stride, (long long)n->pad[0],
                             (long long)n->pad[1], (long long)n->pad[2], (long long)n->pad[3]);
    if ((weighs || n->op == PHYSAD__NN_BATCH_NORM) && n->param == NULL)
        return physad__error(PHYSAD_ERR_ARG, "network: node %lld (%s) names no parameter", (long long)i, op);
    if (n->op == PHYSAD__NN_INPUT)
        return PHYSAD_OK;
    const int64_t in = g->nodes[n->input[0]].channels;
    if (weighs && (n->groups < 1 || in % n->groups != 0 || n->channels % n->groups != 0))
        return physad__error(PHYSAD_ERR_ARG, "network: node %lld (%s, %s) has %lld groups for %lld to %lld channels",
                             (long long)i, op, n->param, (long long)n->groups, (long long)in, (long long)n->channels);
    if (!weighs && (n->channels != in || (n->input[1] >= 0 && g->nodes[n->input[1]].channels != in)))
        return physad__error(PHYSAD_ERR_ARG, "network: node %lld (%s) has %lld channels, its inputs others",
                             (long long)i, op, (long long)n->channels);
    return PHYSAD_OK;
}

physad_status physad__nn_graph_check(const physad__nn_graph *g)
{
    if (g->failed != PHYSAD_OK)
        return g->failed;
    for (int64_t i = 0; i < g->count; i++)
        PHYSAD__TRY(check_node(g, i));
    return PHYSAD_OK;
}

int32_t physad__nn_find(const physad__nn_graph *g, const char *name)
{
    for (int64_t i = 0; i < g->count; i++)
        if (g->nodes[i].name != NULL && strcmp(g->nodes[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

void physad__nn_node_pad(const physad__nn_node *n, const int64_t size[2], int64_t pad[4])
{
    memcpy(pad, n->pad, sizeof(n->pad));
    if (n->padding != PHYSAD__NN_PAD_SAME)
        return;
    for (int i = 0; i < 2; i++) {
        const int64_t out = (size[i] + n->stride - 1) / n->stride;
        const int64_t total = physad__max((out - 1) * n->stride + n->kernel - size[i], 0);
        pad[i] = total / 2;
        pad[i + 2] = total - total / 2;
    }
}

static void window_size(const physad__nn_node *n, const int64_t in[2], int64_t out[2])
{
    int64_t pad[4];
    physad__nn_node_pad(n, in, pad);
    for (int i = 0; i < 2; i++) {
        const int64_t room = in[i] + pad[i] + pad[i + 2] - n->kernel;
        out[i] = room < 0 ? 0 : room / n->stride + 1;
    }
}

physad_status physad__nn_sizes(const physad__nn_graph *g, int64_t height, int64_t width, int64_t *size)
{
    for (int64_t i = 0; i < g->count; i++) {
        const physad__nn_node *n = &g->nodes[i];
        int64_t *s = size + 2 * i;
        const int64_t *in = n->input[0] >= 0 ? size + 2 * n->input[0] : NULL;
        s[0] = in != NULL ? in[0] : height;
        s[1] = in != NULL ? in[1] : width;
        if (n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_MAX_POOL || n->op == PHYSAD__NN_AVG_POOL)
            window_size(n, in, s);
        if (n->op == PHYSAD__NN_GLOBAL_POOL)
            s[0] = s[1] = 1;
        const int64_t *other = n->input[1] >= 0 ? size + 2 * n->input[1] : s;
        const bool fits =
            n->op == PHYSAD__NN_SCALE ? other[0] == 1 && other[1] == 1 : other[0] == s[0] && other[1] == s[1];
        if (s[0] < 1 || s[1] < 1 || !fits || (n->op == PHYSAD__NN_LINEAR && s[0] * s[1] != 1))
            return physad__error(PHYSAD_ERR_SHAPE,
                                 "network: an input of %lld x %lld leaves node %lld (%s%s%s) the size %lld x %lld%s",
                                 (long long)height, (long long)width, (long long)i, physad__nn_op_name(n->op),
                                 n->param != NULL ? " " : "", n->param != NULL ? n->param : "", (long long)s[0],
                                 (long long)s[1], fits ? "" : ", unlike its other input");
    }
    return PHYSAD_OK;
}
