/* SPDX-License-Identifier: Apache-2.0 */
/* EfficientNets (Tan and Le 2019) and their lite form (no squeeze-and-excitation, ReLU6, stem and head not widened).
 * Our parameter names are those of efficientnet_pytorch; timm's are translated. */
#include "nn/nn_backbone.h"

static const float EPS = 1e-3f;

typedef struct builder {
    physad__nn_graph *g;
    const physad__efficientnet *e;
    int32_t padding;
    int64_t size; /* of the photo's side here, had it the size the network was trained on: for static padding */
} builder;

/* "Same" padding of the size trained on, written down as numbers. */
static void pad_static(physad__nn_node *n, int64_t size)
{
    const int64_t out = (size + n->stride - 1) / n->stride;
    const int64_t total = physad__max((out - 1) * n->stride + n->kernel - size, 0);
    n->pad[0] = n->pad[1] = total / 2;
    n->pad[2] = n->pad[3] = total - total / 2;
}

static int32_t conv(builder *b, int32_t x, const char *param, int64_t channels, int64_t kernel, int64_t stride,
                    int64_t groups)
{
    const int32_t y = physad__nn_conv(b->g, x, param, channels, kernel, stride, groups);
    if (y < 0)
        return y;
    if (b->padding == PHYSAD_PADDING_SAME)
        b->g->nodes[y].padding = PHYSAD__NN_PAD_SAME;
    if (b->padding == PHYSAD_PADDING_STATIC)
        pad_static(&b->g->nodes[y], b->size);
    b->size = (b->size + stride - 1) / stride;
    return y;
}

static int32_t conv_norm(builder *b, int32_t x, const char *param, const char *norm, int64_t channels, int64_t kernel,
                         int64_t stride, int64_t groups)
{
    return physad__nn_batch_norm(b->g, conv(b, x, param, channels, kernel, stride, groups), norm, EPS);
}

static int32_t activate(builder *b, int32_t x)
{
    return physad__nn_unary(b->g, b->e->activation, x);
}

static const char *join(char *out, size_t size, const char *block, const char *part)
{
    physad__snprintf(out, size, "%s.%s", block, part);
    return out;
}

/* x times sigmoid(expand(act(reduce(mean(x))))), per channel. */
static int32_t squeeze(builder *b, int32_t x, const char *block, int64_t inner, int64_t channels)
{
    char name[64];
    const int64_t size = b->size;
    int32_t s = physad__nn_unary(b->g, PHYSAD__NN_GLOBAL_POOL, x);
    s = physad__nn_conv(b->g, s, join(name, sizeof(name), block, "_se_reduce"), inner, 1, 1, 1);
    if (s >= 0)
        b->g->nodes[s].bias = true;
    s = physad__nn_conv(b->g, activate(b, s), join(name, sizeof(name), block, "_se_expand"), channels, 1, 1, 1);
    if (s >= 0)
        b->g->nodes[s].bias = true;
    b->size = size;
    return physad__nn_binary(b->g, PHYSAD__NN_SCALE, x, physad__nn_unary(b->g, PHYSAD__NN_SIGMOID, s));
}

static int32_t block(builder *b, int32_t x, const char *name, const physad__mbconv_stage *s, int64_t in, int64_t stride)
{
    char p[64], q[64];
    const int64_t wide = in * s->expand;
    int32_t y = x;
    if (s->expand != 1)
        y = activate(b, conv_norm(b, y, join(p, sizeof(p), name, "_expand_conv"), join(q, sizeof(q), name, "_bn0"),
                                  wide, 1, 1, 1));
    y = activate(b, conv_norm(b, y, join(p, sizeof(p), name, "_depthwise_conv"), join(q, sizeof(q), name, "_bn1"), wide,
                              s->kernel, stride, wide));
    if (b->e->squeeze)
        y = squeeze(b, y, name, physad__max(in / 4, 1), wide);
    y = conv_norm(b, y, join(p, sizeof(p), name, "_project_conv"), join(q, sizeof(q), name, "_bn2"), s->channels, 1, 1,
                  1);
    return stride == 1 && in == s->channels ? physad__nn_binary(b->g, PHYSAD__NN_ADD, y, x) : y;
}

void physad__efficientnet_build(const physad__efficientnet *e, physad__nn_graph *g, int32_t padding)
{
    builder b = { g, e, padding != PHYSAD_PADDING_DEFAULT ? padding : e->default_padding, e->image_size };
    char name[64];
    int64_t index = 0, in = e->stem;
    int32_t x = activate(&b, conv_norm(&b, physad__nn_input(g, 3), "_conv_stem", "_bn0", e->stem, 3, 2, 1));
    physad__nn_name(g, x, "stem");
    for (int stage = 0; stage < 7; stage++) {
        const physad__mbconv_stage *s = &e->stages[stage];
        for (int64_t i = 0; i < s->repeats; i++, index++) {
            physad__snprintf(name, sizeof(name), "_blocks.%lld", (long long)index);
            x = block(&b, x, name, s, in, i == 0 ? s->stride : 1);
            in = s->channels;
            physad__snprintf(name, sizeof(name), "b%lld", (long long)index);
            physad__nn_name(g, x, name);
        }
    }
    x = activate(&b, conv_norm(&b, x, "_conv_head", "_bn1", e->head, 1, 1, 1));
    physad__nn_name(g, x, "head");
    x = physad__nn_unary(g, PHYSAD__NN_GLOBAL_POOL, x);
    physad__nn_name(g, x, "pool");
    x = physad__nn_linear(g, x, "_fc", 1000);
    physad__nn_name(g, x, "logits");
}

/* --- timm's names --- */

typedef struct rename_pair {
    const char *ours, *theirs;
} rename_pair;

/* `ours` is the part of a name before ".weight" and the like; returns timm's, or NULL. */
static const char *renamed(const rename_pair *pairs, int64_t count, const char *ours, size_t length)
{
    for (int64_t i = 0; i < count; i++)
        if (strlen(pairs[i].ours) == length && memcmp(pairs[i].ours, ours, length) == 0)
            return pairs[i].theirs;
    return NULL;
}

bool physad__efficientnet_timm_name(const physad__backbone *b, const char *ours, char *theirs, size_t size)
{
    static const rename_pair outer[] = { { "_conv_stem", "conv_stem" },
                                         { "_bn0", "bn1" },
                                         { "_conv_head", "conv_head" },
                                         { "_bn1", "bn2" },
                                         { "_fc", "classifier" } };
    /* A block that does not expand is called by other names: a depthwise-separable one. */
    static const rename_pair separable[] = { { "_depthwise_conv", "conv_dw" },   { "_bn1", "bn1" },
                                             { "_project_conv", "conv_pw" },     { "_bn2", "bn2" },
                                             { "_se_reduce", "se.conv_reduce" }, { "_se_expand", "se.conv_expand" } };
    static const rename_pair inverted[] = { { "_expand_conv", "conv_pw" },      { "_bn0", "bn1" },
                                            { "_depthwise_conv", "conv_dw" },   { "_bn1", "bn2" },
                                            { "_project_conv", "conv_pwl" },    { "_bn2", "bn3" },
                                            { "_se_reduce", "se.conv_reduce" }, { "_se_expand", "se.conv_expand" } };
    const char *dot = strrchr(ours, '.'), *start;
    if (dot == NULL)
        return false;
    if (strncmp(ours, "_blocks.", 8) != 0) {
        const char *to = renamed(outer, PHYSAD__COUNT(outer), ours, (size_t)(dot - ours));
        return to != NULL && physad__snprintf(theirs, size, "%s%s", to, dot) > 0;
    }
    int64_t index = 0;
    int stage = 0;
    for (start = ours + 8; *start >= '0' && *start <= '9' && index < 1000; start++)
        index = 10 * index + (*start - '0');
    if (*start++ != '.' || start > dot)
        return false;
    for (; stage < 6 && index >= b->efficientnet->stages[stage].repeats; stage++)
        index -= b->efficientnet->stages[stage].repeats;
    const bool expands = b->efficientnet->stages[stage].expand != 1;
    const char *to = expands ? renamed(inverted, PHYSAD__COUNT(inverted), start, (size_t)(dot - start))
                             : renamed(separable, PHYSAD__COUNT(separable), start, (size_t)(dot - start));
    return to != NULL && physad__snprintf(theirs, size, "blocks.%d.%lld.%s%s", stage, (long long)index, to, dot) > 0;
}
