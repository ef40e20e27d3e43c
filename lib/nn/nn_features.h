/* SPDX-License-Identifier: Apache-2.0 */
/* What the public handle holds. Within lib/nn only. */
#ifndef PHYSAD__NN_FEATURES_H
#define PHYSAD__NN_FEATURES_H

#include "nn/nn_join.h"
#include "nn/nn_state.h"

#include <pthread.h>

/* What one running thread needs for one photo after the other. */
typedef struct physad__features_worker {
    struct physad__features_worker *next; /* in the handle's list of idle ones */
    physad__nn_scratch *net, *projection;
    float *maps[PHYSAD__JOIN_LAYERS];     /* the layers' outputs, in one block */
    float *scratch, *joined;              /* of physad__join_run(); of the vectors before they are reduced */
} physad__features_worker;

struct physad_features {
    physad_context *ctx;
    const physad__backbone *backbone;
    physad__nn_graph graph;
    physad__nn_net *net;
    int64_t height, width;
    int64_t layer_count;
    int32_t taps[PHYSAD__JOIN_LAYERS];
    physad__join join;
    char *weights;            /* the file, or "random:SEED" */
    physad_tensors *tensors;  /* the file's; NULL: random or given */
    const physad_tensors *given; /* the caller's, under `prefix` */
    char *prefix;
    uint64_t seed;            /* of random weights */
    int32_t reduce;
    int64_t dim;              /* of the vectors that come out */
    int64_t *channels;        /* of PHYSAD_REDUCE_SUBSET */
    physad__nn_net *projection;
    pthread_mutex_t lock; /* of the list below */
    physad__features_worker *idle;
};

void physad__features_worker_free(const physad_features *f, physad__features_worker *worker);

#endif
