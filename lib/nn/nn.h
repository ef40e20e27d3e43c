/* SPDX-License-Identifier: Apache-2.0 */
/* nn: networks, those that only run here and those that learn in nn_tape.h. A graph says what is computed (nodes,
 * attributes, names of parameters); a net is a graph compiled for one input size, precision and set of taps, with its
 * weights packed. */
#ifndef PHYSAD__NN_H
#define PHYSAD__NN_H

#include "core/core.h"
#include "nn/nn_tape.h"

#include <physad/features.h>

/* --- graph (nn_graph.c): a list of nodes, inputs before users; node i computes value i, N x C x H x W in meaning ---
 */

typedef enum physad__nn_op {
    PHYSAD__NN_INPUT,
    PHYSAD__NN_CONV,        /* parameters <param>.weight (O, I / groups, k, k), with `bias` <param>.bias */
    PHYSAD__NN_BATCH_NORM,  /* <param>.weight, .bias, .running_mean, .running_var; `eps` */
    PHYSAD__NN_RELU,
    PHYSAD__NN_RELU6,
    PHYSAD__NN_SILU,
    PHYSAD__NN_SIGMOID,
    PHYSAD__NN_ADD,         /* of two values of one shape */
    PHYSAD__NN_SCALE,       /* first input times the second, which is C x 1 x 1 */
    PHYSAD__NN_MAX_POOL,    /* the padding counts as minus infinity */
    PHYSAD__NN_AVG_POOL,    /* the padding counts as zero, the divisor is kernel^2 everywhere */
    PHYSAD__NN_GLOBAL_POOL, /* mean over H x W: C x 1 x 1 */
    PHYSAD__NN_LINEAR,      /* of a C x 1 x 1 value: <param>.weight (O, C), with `bias` <param>.bias */
    PHYSAD__NN_OP_COUNT
} physad__nn_op;

typedef enum physad__nn_padding {
    PHYSAD__NN_PAD_EXPLICIT, /* `pad` */
    PHYSAD__NN_PAD_SAME, /* output = ceil(input / stride), an odd pixel right and below, from the input's own size */
} physad__nn_padding;

typedef struct physad__nn_node {
    physad__nn_op op;
    int32_t input[2];   /* values; -1: none */
    const char *name;   /* of the value, for taps; owned by the graph; NULL: unnamed */
    const char *param;  /* prefix of the parameters' names; owned by the graph */
    int64_t channels;   /* of the output */
    int64_t kernel, stride, groups;
    int64_t pad[4];     /* top, left, bottom, right */
    physad__nn_padding padding;
    bool bias;
    float eps;
} physad__nn_node;

typedef struct physad__nn_graph {
    physad__mem *mem;
    physad__nn_node *nodes;
    int64_t count, capacity;
    physad_status failed; /* of the first failed addition; later ones do nothing */
} physad__nn_graph;

/* A list is built without a check after each addition: each returns the new value's number, or -1 once one has failed,
 * and physad__nn_graph_check() tells. Texts are copied. */
void physad__nn_graph_init(physad__nn_graph *g, physad__mem *mem);
void physad__nn_graph_clear(physad__nn_graph *g);
int32_t physad__nn_add(physad__nn_graph *g, const physad__nn_node *node);
int32_t physad__nn_input(physad__nn_graph *g, int64_t channels);
/* Square kernel, symmetric padding; edit the node afterwards for anything else. */
int32_t physad__nn_conv(physad__nn_graph *g, int32_t input, const char *param, int64_t channels, int64_t kernel,
                        int64_t stride, int64_t groups);
int32_t physad__nn_batch_norm(physad__nn_graph *g, int32_t input, const char *param, float eps);
int32_t physad__nn_unary(physad__nn_graph *g, physad__nn_op op, int32_t input); /* activations, global pool */
int32_t physad__nn_binary(physad__nn_graph *g, physad__nn_op op, int32_t a, int32_t b);
int32_t physad__nn_pool(physad__nn_graph *g, physad__nn_op op, int32_t input, int64_t kernel, int64_t stride,
                        int64_t pad);
int32_t physad__nn_linear(physad__nn_graph *g, int32_t input, const char *param, int64_t channels);
void physad__nn_name(physad__nn_graph *g, int32_t value, const char *name);
/* The first failed addition, or a node that makes no sense (inputs, channels, groups). */
physad_status physad__nn_graph_check(const physad__nn_graph *g);
int32_t physad__nn_find(const physad__nn_graph *g, const char *name); /* -1: no value has this name */
/* Sizes of every value for an input of height x width: size[2 * i], size[2 * i + 1]. SHAPE where one vanishes. */
physad_status physad__nn_sizes(const physad__nn_graph *g, int64_t height, int64_t width, int64_t *size);

/* --- where parameters come from (nn_params.c) --- */

typedef struct physad__nn_source {
    /* The parameter as row-major f32 of exactly this shape: written to `buffer`, or *data set to memory that stays
     * until the source goes. FORMAT names a parameter that is missing or has another shape. Called from several threads
     * at once. */
    physad_status (*get)(void *user, const char *name, int32_t ndim, const int64_t *shape, float *buffer,
                         const float **data);
    void *user;
} physad__nn_source;

/* He-normal convolutions (variance 2 / fan-in), linear layers of variance 1 / fan-in, batch norms 1, 0, 0, 1, biases 0.
 * Each parameter is drawn by seed and name alone. `seed` must outlive the source. */
physad__nn_source physad__nn_random_source(const uint64_t *seed);
/* Normal variates of this deviation that depend on seed, name and index alone. */
void physad__nn_draw_normal(uint64_t seed, const char *name, double deviation, float *out, int64_t count);
void physad__nn_draw_uniform(uint64_t seed, const char *name, double low, double high, float *out, int64_t count);

/* --- net (nn_plan.c, nn_compile.c, nn_arena.c, nn_run.c) --- */

typedef struct physad__nn_net physad__nn_net;

typedef struct physad__nn_config {
    int64_t height, width;
    int32_t precision;      /* PHYSAD_F32 or PHYSAD_BF16 */
    const int32_t *taps;    /* values whose output is wanted */
    int64_t tap_count;
} physad__nn_config;

/* ARG for a precision that is none, UNSUPPORTED for bf16 where the processor has no AVX-512 BF16. */
physad_status physad__nn_precision_check(const physad_context *ctx, int32_t precision);

/* Compiles what the taps need, and reads and packs just those parameters. Compiled for the context's number of threads.
 */
physad_status physad__nn_net_new(physad__nn_net **out, physad_context *ctx, const physad__nn_graph *g,
                                 const physad__nn_config *config, const physad__nn_source *source);
void physad__nn_net_free(physad__nn_net *net);
/* One tap's shape: H, W, C. */
void physad__nn_net_shape(const physad__nn_net *net, int64_t tap, int64_t shape[3]);

/* Scratch of one running call: taken from the net (which keeps it for the next call), given back after. Any thread. */
typedef struct physad__nn_scratch physad__nn_scratch;
physad_status physad__nn_scratch_take(const physad__nn_net *net, physad__nn_scratch **out);
void physad__nn_scratch_give(const physad__nn_net *net, physad__nn_scratch *scratch);
/* One image (H, W, 3) f32 through the net, between physad__call_begin() and _end(): taps[i] points to H_i x W_i x C_i
 * f32. */
physad_status physad__nn_run(const physad__nn_net *net, physad__nn_scratch *scratch, const float *image,
                             float *const *taps);

/* --- features: what other rooms need beside the public calls (nn_features.c) --- */

typedef struct physad_tensors physad_tensors;

/* The file that `weights` of the options names, by a path or a name in the store; NULL: the backbone's own. Not for
 * "random". */
physad_status physad__weights_file(physad_context *ctx, const char *spec, const char *backbone, char *path,
                                   size_t size);
/* As physad_features_new(), with the parameters from `tensors` (borrowed until the handle is freed) under `prefix`, in
 * any known way of naming; options.weights is only remembered as their origin. */
physad_status physad__features_new_from(physad_features **out, physad_context *ctx,
                                        const physad_features_options *options, const physad_tensors *tensors,
                                        const char *prefix);
/* Adds the parameters in use to `tensors` as f32, each under `prefix` and our own name for it: what _new_from() reads
 * again. */
physad_status physad__features_export(const physad_features *features, physad_tensors *tensors, const char *prefix);

#endif
