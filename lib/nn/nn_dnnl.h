/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to oneDNN: whoever includes this sees neither its headers nor which generation of its API is there. */
#ifndef PHYSAD__NN_DNNL_H
#define PHYSAD__NN_DNNL_H

#include "base/base.h"

typedef struct physad__dnn physad__dnn;               /* the engine: creates everything below; any number of threads */
typedef struct physad__dnn_layout physad__dnn_layout; /* extents, element type and order in memory of an array */
typedef struct physad__dnn_op physad__dnn_op;         /* a compiled operation; constant, any thread may run it */
typedef struct physad__dnn_stream physad__dnn_stream; /* where calls run; one thread at a time */
typedef struct physad__dnn_call physad__dnn_call;     /* an operation with its arrays bound: one thread at a time */

physad_status physad__dnn_new(physad__dnn **out, physad__mem *mem);
void physad__dnn_free(physad__dnn *dnn);

/* --- layouts --- */

typedef enum physad__dnn_order {
    PHYSAD__DNN_ANY,           /* the operation chooses */
    PHYSAD__DNN_CHANNELS_LAST, /* N, H, W, C */
    PHYSAD__DNN_CHANNELS_FIRST
} physad__dnn_order;

physad_status physad__dnn_layout_new(physad__dnn *dnn, physad__dnn_layout **out, int32_t dtype, physad__dnn_order order,
                                     const int64_t nchw[4]);
physad_status physad__dnn_layout_copy(physad__dnn *dnn, physad__dnn_layout **out, const physad__dnn_layout *layout);
void physad__dnn_layout_free(physad__dnn_layout *layout);
bool physad__dnn_layout_equal(const physad__dnn_layout *a, const physad__dnn_layout *b);
size_t physad__dnn_layout_bytes(const physad__dnn_layout *layout);

/* --- operations --- */

typedef enum physad__dnn_activation {
    PHYSAD__DNN_LINEAR,
    PHYSAD__DNN_RELU,
    PHYSAD__DNN_RELU6,
    PHYSAD__DNN_SILU,
    PHYSAD__DNN_SIGMOID
} physad__dnn_activation;

typedef struct physad__dnn_conv {
    const physad__dnn_layout *src, *dst; /* either may be of order ANY */
    int64_t kernel, stride, groups;
    int64_t pad[4];                      /* top, left, bottom, right */
    int32_t dtype;                       /* of the weights; the bias is f32 */
    physad__dnn_activation activation;
    bool add; /* dst = activation(conv + bias + what dst held before) */
} physad__dnn_conv;

typedef enum physad__dnn_binary { PHYSAD__DNN_ADD, PHYSAD__DNN_MULTIPLY } physad__dnn_binary;

/* UNSUPPORTED where oneDNN has no implementation. Compiled for the calling thread's present number of OpenMP threads.
 */
physad_status physad__dnn_conv_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_conv *conv);
physad_status physad__dnn_pool_new(physad__dnn *dnn, physad__dnn_op **out, bool max, const physad__dnn_layout *src,
                                   const physad__dnn_layout *dst, const int64_t kernel[2], int64_t stride,
                                   const int64_t pad[4]);
physad_status physad__dnn_activation_new(physad__dnn *dnn, physad__dnn_op **out, physad__dnn_activation activation,
                                         const physad__dnn_layout *layout);
/* The second operand's height and width may be 1: the same for all places. */
physad_status physad__dnn_binary_new(physad__dnn *dnn, physad__dnn_op **out, physad__dnn_binary kind,
                                     const physad__dnn_layout *a, const physad__dnn_layout *b,
                                     const physad__dnn_layout *dst);
physad_status physad__dnn_reorder_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_layout *src,
                                      const physad__dnn_layout *dst);
void physad__dnn_op_free(physad__dnn_op *op);

typedef enum physad__dnn_slot {
    PHYSAD__DNN_SRC,
    PHYSAD__DNN_SRC2,
    PHYSAD__DNN_WEIGHTS,
    PHYSAD__DNN_BIAS,
    PHYSAD__DNN_DST,
    PHYSAD__DNN_SCRATCH,
    PHYSAD__DNN_SLOTS
} physad__dnn_slot;

/* The layout that the operation takes or gives in a slot. */
physad_status physad__dnn_op_layout(physad__dnn *dnn, const physad__dnn_op *op, physad__dnn_slot slot,
                                    physad__dnn_layout **out);
size_t physad__dnn_op_bytes(const physad__dnn_op *op, physad__dnn_slot slot);
/* oneDNN's name of the implementation: "ref..." is a slow one. Valid as long as the operation. */
const char *physad__dnn_op_name(const physad__dnn_op *op);
/* Weights (O, I / groups, k, k) row-major f32 into the operation's own order and type. */
physad_status physad__dnn_pack(physad__dnn *dnn, const physad__dnn_op *op, const physad__dnn_conv *conv,
                               const int64_t oi[2], const float *weights, void *packed);

/* --- convolutions to train (nn_dnnl_pair.c) --- */

/* A convolution between a `large` and a `small` side, channels last: a strided one goes from large to small, a
 * transposed one from small to large, and the gradient of each is the other. Weights (small channels, large channels /
 * groups, kernel), row-major, are what PyTorch keeps of both. Extents of 2 or 3 places, depth first where there are 3.
 */
typedef struct physad__dnn_pair {
    int32_t places;
    int64_t images, groups;
    int64_t large_channels, small_channels;
    int64_t large[3], small[3];
    int64_t kernel[3], stride[3], pad[3]; /* padding of the large side, at both ends */
    bool bias;                            /* of DOWN; f32 */
    int32_t dtype; /* of both sides and the weights (not of their gradient, which is f32): PHYSAD_F32 or PHYSAD_BF16 */
} physad__dnn_pair;

typedef enum physad__dnn_way {
    PHYSAD__DNN_DOWN, /* SRC large, WEIGHTS, BIAS; DST small */
    PHYSAD__DNN_UP,   /* SRC small, WEIGHTS; DST large: transposed, without bias */
    PHYSAD__DNN_WEIGH /* SRC large, SRC2 gradient of small; DST gradient of the weights, in an order of the operation's
                         own */
} physad__dnn_way;

physad_status physad__dnn_pair_new(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_pair *pair,
                                   physad__dnn_way way);
/* Whether the operation wants its weights with the sides of the kernel and the two channels turned round. */
bool physad__dnn_pair_turned(const physad__dnn_op *op);
/* From row-major f32 weights (turned where the operation wants that) to what `op` takes in WEIGHTS, or, of WEIGH, from
 * what it gives in DST to row-major. */
physad_status physad__dnn_pair_reorder(physad__dnn *dnn, physad__dnn_op **out, const physad__dnn_pair *pair,
                                       const physad__dnn_op *op);

/* --- running --- */

/* `data[slot]` is NULL where the operation has no such slot, or where physad__dnn_call_set() follows. */
physad_status physad__dnn_call_new(physad__dnn *dnn, physad__dnn_call **out, const physad__dnn_op *op,
                                   void *const data[PHYSAD__DNN_SLOTS]);
void physad__dnn_call_free(physad__dnn_call *call);
physad_status physad__dnn_call_set(physad__dnn_call *call, physad__dnn_slot slot, void *data);
physad_status physad__dnn_call_run(physad__dnn_call *call, physad__dnn_stream *stream);
physad_status physad__dnn_stream_new(physad__dnn *dnn, physad__dnn_stream **out);
void physad__dnn_stream_free(physad__dnn_stream *stream);

#endif
