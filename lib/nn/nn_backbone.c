/* SPDX-License-Identifier: Apache-2.0 */
/* The table of backbones. A new one of a known family is a row here. */
#include "nn/nn_backbone.h"

#include <physad/weights.h>

/* --- layers that can be had, from the input on --- */

static const physad_backbone_layer lite0_layers[] = {
    { "stem", 32, 2 },  { "b0", 16, 2 },    { "b1", 24, 4 },      { "b2", 24, 4 },     { "b3", 40, 8 },
    { "b4", 40, 8 },    { "b5", 80, 16 },   { "b6", 80, 16 },     { "b7", 80, 16 },    { "b8", 112, 16 },
    { "b9", 112, 16 },  { "b10", 112, 16 }, { "b11", 192, 32 },   { "b12", 192, 32 },  { "b13", 192, 32 },
    { "b14", 192, 32 }, { "b15", 320, 32 }, { "head", 1280, 32 }, { "pool", 1280, 0 }, { "logits", 1000, 0 },
};

static const physad_backbone_layer b4_layers[] = {
    { "stem", 48, 2 },     { "b0", 24, 2 },    { "b1", 24, 2 },    { "b2", 32, 4 },      { "b3", 32, 4 },
    { "b4", 32, 4 },       { "b5", 32, 4 },    { "b6", 56, 8 },    { "b7", 56, 8 },      { "b8", 56, 8 },
    { "b9", 56, 8 },       { "b10", 112, 16 }, { "b11", 112, 16 }, { "b12", 112, 16 },   { "b13", 112, 16 },
    { "b14", 112, 16 },    { "b15", 112, 16 }, { "b16", 160, 16 }, { "b17", 160, 16 },   { "b18", 160, 16 },
    { "b19", 160, 16 },    { "b20", 160, 16 }, { "b21", 160, 16 }, { "b22", 272, 32 },   { "b23", 272, 32 },
    { "b24", 272, 32 },    { "b25", 272, 32 }, { "b26", 272, 32 }, { "b27", 272, 32 },   { "b28", 272, 32 },
    { "b29", 272, 32 },    { "b30", 448, 32 }, { "b31", 448, 32 }, { "head", 1792, 32 }, { "pool", 1792, 0 },
    { "logits", 1000, 0 },
};

static const physad_backbone_layer basic_layers[] = { { "stem", 64, 2 },     { "layer1", 64, 4 },
                                                      { "layer2", 128, 8 },  { "layer3", 256, 16 },
                                                      { "layer4", 512, 32 }, { "pool", 512, 0 },
                                                      { "logits", 1000, 0 } };

static const physad_backbone_layer bottleneck_layers[] = { { "stem", 64, 2 },      { "layer1", 256, 4 },
                                                           { "layer2", 512, 8 },   { "layer3", 1024, 16 },
                                                           { "layer4", 2048, 32 }, { "pool", 2048, 0 },
                                                           { "logits", 1000, 0 } };

/* --- networks --- */

static const physad__efficientnet lite0 = {
    32,
    1280,
    224,
    PHYSAD__NN_RELU6,
    false,
    PHYSAD_PADDING_SYMMETRIC,
    { { 3, 1, 1, 16, 1 },
      { 3, 2, 6, 24, 2 },
      { 5, 2, 6, 40, 2 },
      { 3, 2, 6, 80, 3 },
      { 5, 1, 6, 112, 3 },
      { 5, 2, 6, 192, 4 },
      { 3, 1, 6, 320, 1 } },
};

static const physad__efficientnet b4 = {
    48,
    1792,
    380,
    PHYSAD__NN_SILU,
    true,
    PHYSAD_PADDING_STATIC,
    { { 3, 1, 1, 24, 2 },
      { 3, 2, 6, 32, 4 },
      { 5, 2, 6, 56, 4 },
      { 3, 2, 6, 112, 6 },
      { 5, 1, 6, 160, 6 },
      { 5, 2, 6, 272, 8 },
      { 3, 1, 6, 448, 2 } },
};

static const physad__resnet r18 = { false, 64, { 2, 2, 2, 2 } };
static const physad__resnet r34 = { false, 64, { 3, 4, 6, 3 } };
static const physad__resnet r50 = { true, 64, { 3, 4, 6, 3 } };
static const physad__resnet wr50 = { true, 128, { 3, 4, 6, 3 } };

static const physad__nn_names efficientnet_names[] = {
    { "_conv_stem.weight", NULL },
    { "conv_stem.weight", physad__efficientnet_timm_name },
};
static const physad__nn_names resnet_names[] = { { "conv1.weight", NULL } };

#define EFFICIENTNET_SOURCE "Tan and Le 2019; parameter names of efficientnet_pytorch and timm"
#define RESNET_SOURCE "He et al. 2016; parameter names of torchvision and timm"
#define WIDE_SOURCE "Zagoruyko and Komodakis 2016; parameter names of torchvision and timm"
#define HALF { 0.5f, 0.5f, 0.5f }
#define IMAGENET_MEAN { 0.485f, 0.456f, 0.406f }
#define IMAGENET_STD { 0.229f, 0.224f, 0.225f }
#define INFO(name, layers, chosen, source, resize, params, size, mean, std)                                            \
    {                                                                                                                  \
        sizeof(physad_backbone_info), (int32_t)(sizeof(layers) / sizeof((layers)[0])), name, layers, chosen, NULL,     \
            NULL, source, resize, params, size, mean, std                                                              \
    }

static const physad__backbone table[] = {
    { INFO("efficientnet-lite0", lite0_layers, "b4,b10", EFFICIENTNET_SOURCE, "bicubic", 4652008, 224, HALF, HALF),
      NULL, &lite0, efficientnet_names, 2 },
    { INFO("efficientnet-b4", b4_layers, "b1,b5,b9,b21", EFFICIENTNET_SOURCE, "bicubic", 19341616, 380, IMAGENET_MEAN,
           IMAGENET_STD),
      NULL, &b4, efficientnet_names, 2 },
    { INFO("resnet18", basic_layers, "layer2,layer3", RESNET_SOURCE, "bilinear", 11689512, 224, IMAGENET_MEAN,
           IMAGENET_STD),
      &r18, NULL, resnet_names, 1 },
    { INFO("resnet34", basic_layers, "layer2,layer3", RESNET_SOURCE, "bilinear", 21797672, 224, IMAGENET_MEAN,
           IMAGENET_STD),
      &r34, NULL, resnet_names, 1 },
    { INFO("resnet50", bottleneck_layers, "layer2,layer3", RESNET_SOURCE, "bilinear", 25557032, 224, IMAGENET_MEAN,
           IMAGENET_STD),
      &r50, NULL, resnet_names, 1 },
    { INFO("wide_resnet50_2", bottleneck_layers, "layer2,layer3", WIDE_SOURCE, "bilinear", 68883240, 224, IMAGENET_MEAN,
           IMAGENET_STD),
      &wr50, NULL, resnet_names, 1 },
};

int64_t physad__backbone_count(void)
{
    return PHYSAD__COUNT(table);
}

const physad__backbone *physad__backbone_at(int64_t index)
{
    return index >= 0 && index < PHYSAD__COUNT(table) ? &table[index] : NULL;
}

physad_status physad__backbone_find(const physad__backbone **out, const char *name)
{
    const char *names[PHYSAD__COUNT(table)];
    for (int64_t i = 0; i < PHYSAD__COUNT(table); i++) {
        names[i] = table[i].info.name;
        if (name == NULL || strcmp(name, names[i]) == 0) {
            *out = &table[i];
            return PHYSAD_OK;
        }
    }
    const char *near = physad__nearest_name(name, names, PHYSAD__COUNT(table));
    return physad__error(PHYSAD_ERR_ARG, "backbone \"%s\" is unknown%s%s%s; physad_backbone_name() lists them", name,
                         near != NULL ? ", did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"" : "");
}

physad_status physad__backbone_build(const physad__backbone *b, physad__nn_graph *g, int32_t padding)
{
    if (padding < PHYSAD_PADDING_DEFAULT || padding > PHYSAD_PADDING_STATIC)
        return physad__error(PHYSAD_ERR_ARG,
                             "padding is %d, want PHYSAD_PADDING_DEFAULT to PHYSAD_PADDING_STATIC (0 to %d)", padding,
                             PHYSAD_PADDING_STATIC);
    if (b->resnet != NULL && padding != PHYSAD_PADDING_DEFAULT)
        return physad__error(PHYSAD_ERR_ARG, "padding %d: %s has but one padding; leave it 0", padding, b->info.name);
    if (b->resnet != NULL)
        physad__resnet_build(b->resnet, g);
    else
        physad__efficientnet_build(b->efficientnet, g, padding);
    return physad__nn_graph_check(g);
}

/* --- the public side --- */

int64_t physad_backbone_count(void)
{
    return physad__backbone_count();
}

const char *physad_backbone_name(int64_t index)
{
    const physad__backbone *b = physad__backbone_at(index);
    return b != NULL ? b->info.name : NULL;
}

physad_status physad_backbone_describe(const char *name, physad_backbone_info *info)
{
    const physad__backbone *b = NULL;
    physad_weights_info known = PHYSAD_WEIGHTS_INFO_INIT;
    if (info == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_backbone_describe: info is NULL");
    if (info->struct_size < sizeof(*info) || info->struct_size > 4096)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_backbone_info: struct_size is %u; initialise it with PHYSAD_BACKBONE_INFO_INIT",
                             info->struct_size);
    PHYSAD__TRY(physad__backbone_find(&b, name));
    const uint32_t size = info->struct_size;
    *info = b->info;
    info->struct_size = size;
    if (physad_weights_describe(b->info.name, &known) == PHYSAD_OK) {
        info->weights = known.name;
        info->weights_licence = known.licence;
    }
    return PHYSAD_OK;
}
