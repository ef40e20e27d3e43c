/* SPDX-License-Identifier: Apache-2.0 */
/* From graph to net: steps (nn_plan.c: nodes joined into what runs as one), operations (nn_compile.c: layouts and
 * weights), memory (nn_arena.c). Within lib/nn only. */
#ifndef PHYSAD__NN_PLAN_H
#define PHYSAD__NN_PLAN_H

#include "nn/nn.h"
#include "nn/nn_dnnl.h"

#include <pthread.h>

const char *physad__nn_op_name(physad__nn_op op);
/* The padding of a node for an input of this height and width: top, left, bottom, right. */
void physad__nn_node_pad(const physad__nn_node *n, const int64_t size[2], int64_t pad[4]);

/* --- steps --- */

/* What runs as one: node `main`, then the batch norm folded into its weights, then an addition, then an activation. */
typedef struct physad__nn_step {
    physad__nn_op op;     /* of `main` */
    int32_t main, norm;   /* nodes; norm -1: none */
    int32_t src, src2;    /* values read; src2 -1: none */
    int32_t residual;     /* value added before the activation; -1: none */
    int32_t dst;          /* the value that comes out: that of the last node joined */
    physad__dnn_activation activation;
} physad__nn_step;

/* Steps that the taps need, in order; `steps` has room for one per node. */
physad_status physad__nn_plan(const physad__nn_graph *g, const physad__nn_config *config, physad__mem *mem,
                              physad__nn_step *steps, int64_t *count);

/* --- memory (nn_arena.c) --- */

typedef struct physad__nn_item {
    int64_t bytes;
    int64_t first, last; /* when it lives */
    int64_t offset;
} physad__nn_item;

/* --- values and operations of a net --- */

typedef enum physad__nn_place {
    PHYSAD__NN_ARENA,
    PHYSAD__NN_IMAGE, /* the caller's image */
    PHYSAD__NN_TAP    /* the caller's array of tap `tap` */
} physad__nn_place;

typedef struct physad__nn_value {
    physad__dnn_layout *layout; /* NULL: not computed */
    int64_t bytes;
    int32_t dtype;
    int32_t first, last; /* operations that write it first and read it last */
    int32_t same;        /* the value whose memory it shares; -1: its own */
    physad__nn_place place;
    int64_t tap;
    int64_t offset; /* in the arena */
} physad__nn_value;

typedef struct physad__nn_operation {
    physad__dnn_op *op;
    int32_t src, src2, dst; /* values; src2 -1: none */
    int64_t weights, bias;  /* offsets in the packed parameters; -1: none */
} physad__nn_operation;

typedef struct physad__nn_tap {
    int64_t shape[3]; /* H, W, C */
} physad__nn_tap;

struct physad__nn_net {
    physad_context *ctx;
    physad__dnn *dnn;
    physad__nn_value *values;
    int64_t value_count, value_capacity;
    physad__nn_operation *operations;
    int64_t operation_count, operation_capacity;
    physad__nn_tap *taps;
    int64_t tap_count;
    char *packed; /* parameters */
    int64_t packed_bytes, arena_bytes, scratch_bytes;
    pthread_mutex_t lock; /* of the list below */
    physad__nn_scratch *idle;
};

/* Gives every item an offset, so that no two overlap in time (both ends count) and place; `total`: bytes of the whole.
 */
physad_status physad__nn_items_place(physad__mem *mem, physad__nn_item *items, int64_t count, int64_t *total);

/* The value whose memory this one has: itself, or the first of its line. */
int32_t physad__nn_root_of(const physad__nn_net *net, int32_t value);
/* Gives every value of the net that lives in the arena its offset, so that no two overlap in time and place; those that
 * share memory get the place of the first. */
physad_status physad__nn_arena_place(physad__nn_net *net);

void physad__nn_scratch_free(physad__nn_scratch *scratch);

#endif
