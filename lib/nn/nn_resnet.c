/* SPDX-License-Identifier: Apache-2.0 */
/* ResNets (He et al. 2016; the stride on the 3x3 convolution, as torchvision has it) and wide ones (Zagoruyko and
 * Komodakis 2016). Parameter names: torchvision's, which are timm's as well. */
#include "nn/nn_backbone.h"

static const float EPS = 1e-5f;

static int32_t conv_norm(physad__nn_graph *g, int32_t x, const char *conv, const char *norm, int64_t channels,
                         int64_t kernel, int64_t stride)
{
    return physad__nn_batch_norm(g, physad__nn_conv(g, x, conv, channels, kernel, stride, 1), norm, EPS);
}

/* The `part`-th convolution of a block with its norm. */
static int32_t part(physad__nn_graph *g, int32_t x, const char *block, int which, int64_t channels, int64_t kernel,
                    int64_t stride)
{
    char conv[64], norm[64];
    physad__snprintf(conv, sizeof(conv), "%s.conv%d", block, which);
    physad__snprintf(norm, sizeof(norm), "%s.bn%d", block, which);
    return conv_norm(g, x, conv, norm, channels, kernel, stride);
}

static int32_t residual_block(physad__nn_graph *g, const physad__resnet *r, int32_t x, const char *block,
                              int64_t planes, int64_t stride, bool first)
{
    const int64_t out = r->bottleneck ? 4 * planes : planes,
                  inner = r->bottleneck ? planes * r->base_width / 64 : planes;
    int32_t y, shortcut = x;
    if (r->bottleneck) {
        y = physad__nn_unary(g, PHYSAD__NN_RELU, part(g, x, block, 1, inner, 1, 1));
        y = physad__nn_unary(g, PHYSAD__NN_RELU, part(g, y, block, 2, inner, 3, stride));
        y = part(g, y, block, 3, out, 1, 1);
    } else {
        y = physad__nn_unary(g, PHYSAD__NN_RELU, part(g, x, block, 1, out, 3, stride));
        y = part(g, y, block, 2, out, 3, 1);
    }
    if (first && (stride != 1 || g->failed != PHYSAD_OK || g->nodes[x].channels != out)) {
        char conv[64], norm[64];
        physad__snprintf(conv, sizeof(conv), "%s.downsample.0", block);
        physad__snprintf(norm, sizeof(norm), "%s.downsample.1", block);
        shortcut = conv_norm(g, x, conv, norm, out, 1, stride);
    }
    return physad__nn_unary(g, PHYSAD__NN_RELU, physad__nn_binary(g, PHYSAD__NN_ADD, y, shortcut));
}

void physad__resnet_build(const physad__resnet *r, physad__nn_graph *g)
{
    char name[64];
    int32_t x = physad__nn_input(g, 3);
    x = physad__nn_unary(g, PHYSAD__NN_RELU, conv_norm(g, x, "conv1", "bn1", 64, 7, 2));
    physad__nn_name(g, x, "stem");
    x = physad__nn_pool(g, PHYSAD__NN_MAX_POOL, x, 3, 2, 1);
    for (int64_t layer = 0; layer < 4; layer++) {
        for (int64_t i = 0; i < r->repeats[layer]; i++) {
            physad__snprintf(name, sizeof(name), "layer%lld.%lld", (long long)layer + 1, (long long)i);
            x = residual_block(g, r, x, name, (int64_t)64 << layer, i == 0 && layer > 0 ? 2 : 1, i == 0);
        }
        physad__snprintf(name, sizeof(name), "layer%lld", (long long)layer + 1);
        physad__nn_name(g, x, name);
    }
    x = physad__nn_unary(g, PHYSAD__NN_GLOBAL_POOL, x);
    physad__nn_name(g, x, "pool");
    x = physad__nn_linear(g, x, "fc", 1000);
    physad__nn_name(g, x, "logits");
}
