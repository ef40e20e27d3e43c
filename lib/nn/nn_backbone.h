/* SPDX-License-Identifier: Apache-2.0 */
/* The known backbones: a row each, with how its graph is built and how its parameters are called in files. Within
 * lib/nn only. */
#ifndef PHYSAD__NN_BACKBONE_H
#define PHYSAD__NN_BACKBONE_H

#include "nn/nn.h"

typedef struct physad__backbone physad__backbone;

/* One way to call the parameters. Our own names are those of the first way. */
typedef struct physad__nn_names {
    const char *probe; /* a parameter that only files of this kind have */
    /* Our name into the file's; false: as it is. NULL: all are as they are. */
    bool (*translate)(const physad__backbone *b, const char *ours, char *theirs, size_t size);
} physad__nn_names;

typedef struct physad__resnet {
    bool bottleneck;
    int64_t base_width; /* 64; 128: twice as wide inside */
    int64_t repeats[4];
} physad__resnet;

typedef struct physad__mbconv_stage {
    int64_t kernel, stride, expand, channels, repeats;
} physad__mbconv_stage;

typedef struct physad__efficientnet {
    int64_t stem, head, image_size;
    physad__nn_op activation;
    bool squeeze;
    int32_t default_padding; /* PHYSAD_PADDING_* */
    physad__mbconv_stage stages[7];
} physad__efficientnet;

struct physad__backbone {
    physad_backbone_info info; /* without the weights' licence, which the store knows */
    const physad__resnet *resnet;
    const physad__efficientnet *efficientnet;
    const physad__nn_names *names;
    int64_t name_count;
};

int64_t physad__backbone_count(void);
const physad__backbone *physad__backbone_at(int64_t index);
/* NULL: the default one. ARG with the nearest name. */
physad_status physad__backbone_find(const physad__backbone **out, const char *name);
/* The whole network, with every layer of the info named. */
physad_status physad__backbone_build(const physad__backbone *b, physad__nn_graph *g, int32_t padding);

void physad__resnet_build(const physad__resnet *r, physad__nn_graph *g);
void physad__efficientnet_build(const physad__efficientnet *e, physad__nn_graph *g, int32_t padding);
bool physad__efficientnet_timm_name(const physad__backbone *b, const char *ours, char *theirs, size_t size);

#endif
