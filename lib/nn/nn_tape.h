/* SPDX-License-Identifier: Apache-2.0 */
/* nn: networks that learn. A tape is a list of operations on arrays of fixed shape, written once, then run forward and
 * backward any number of times; its parameters live in a set that several tapes may share (one to train, one to score).
 * Arrays are row-major f32 with channels last: N H W C, N D H W C, or any shape of up to five extents; "rows" are all
 * extents but the last. In a mixed tape some are bf16 between operations; who stands outside sees f32 alone.
 *
 * Results do not depend on the number of threads: sums are split by shape alone and added in one order. */
#ifndef PHYSAD__NN_TAPE_H
#define PHYSAD__NN_TAPE_H

#include "core/core.h"

enum { PHYSAD__TAPE_DIMS = 5 };

/* --- parameters (nn_tape_params.c) --- */

typedef struct physad__param {
    char *name;
    int32_t ndim;
    int64_t shape[PHYSAD__TAPE_DIMS];
    int64_t count;
    float *data;
    float *grad; /* NULL: not trained, such as running means */
} physad__param;

typedef struct physad__params {
    physad__mem *mem;
    uint64_t seed;
    /* Deviation of convolutions' weights and of batch norms' around 1; 0: uniform within 1 / sqrt(fan-in), and 1
     * (PyTorch's). */
    double deviation;
    uint64_t version; /* grows whenever numbers change: whoever changes them counts it up */
    physad__param *items;
    int64_t count, capacity;
} physad__params;

typedef enum physad__draw { PHYSAD__DRAW_UNIFORM, PHYSAD__DRAW_NORMAL } physad__draw;
typedef struct physad__param_init {
    physad__draw draw;
    double middle, spread; /* half the width of a uniform range, deviation of a normal one; 0: all are `middle` */
} physad__param_init;

void physad__params_init(physad__params *params, physad__mem *mem, uint64_t seed);
void physad__params_clear(physad__params *params);
/* The parameter of this name, made and drawn (by seed and name alone) where there is none; SHAPE where it has another
 * shape. */
physad_status physad__params_get(physad__params *params, int32_t *index, const char *name, int32_t ndim,
                                 const int64_t *shape, const physad__param_init *init, bool trained);
int32_t physad__params_find(const physad__params *params, const char *name); /* -1: none */
void physad__params_zero_grad(physad__params *params);
void physad__params_freeze(physad__params *params);           /* frees the gradients: tapes that train are no more */
int64_t physad__params_trained(const physad__params *params); /* numbers that are trained */

/* --- building (nn_tape.c): as graphs are, without a check after each addition; -1 once one has failed --- */

typedef struct physad__tape physad__tape;

/* A window over up to three places; those of an array with fewer are the last ones. */
typedef struct physad__tape_window {
    int64_t kernel[3], stride[3], pad[3];
    int64_t extra[3]; /* transposed: how much larger the output is at its end */
} physad__tape_window;
physad__tape_window physad__tape_square(int64_t kernel, int64_t stride, int64_t pad, int64_t extra);

/* `params` is borrowed and outlives the tape. `train`: batch norms use and learn the batch's statistics, gradients can
 * be had. */
physad_status physad__tape_new(physad__tape **out, physad_context *ctx, physad__params *params, bool train);
void physad__tape_free(physad__tape *t);
/* Before the first operation: mixed precision. UNSUPPORTED where the processor has no AVX-512 BF16.
 *
 *   operation                       arrays   why
 *   convolutions, linear layers     bf16     nearly all of the time; oneDNN adds the products up in f32
 *   batch norm, rectifiers,         bf16     between two convolutions nothing is reordered, and half the memory is
 *   max pooling, concatenation,              moved; computed in f32 from what is read, statistics as of f32 tapes
 *   reshaping                                (all these only behind bf16: they follow their first input)
 *   products of two arrays,         f32      in memories they choose (the nearest item, what a threshold leaves), and
 *   softmax, rows of norm one                8 bits would choose others; a small part of the time
 *   losses, other norms, means,     f32      sums of many numbers, and what little lies behind the last convolution
 *   resampling, all else
 *
 * Parameters, their gradients, moments, running statistics and losses are f32; the weights of a convolution are rounded
 * anew in each run. bf16 has f32's range: what overflows in one overflows in the other, so losses are not scaled. */
physad_status physad__tape_mix(physad__tape *t);
/* x in f32, for who reads it: in a tape that is not mixed, x. */
int32_t physad__tape_single(physad__tape *t, int32_t x);
/* x in bf16, of a mixed tape; tapes do it themselves where an operation wants it. */
int32_t physad__tape_round(physad__tape *t, int32_t x);

/* An array that the caller fills before each run; `gradient`: wanted of it as well. */
int32_t physad__tape_input(physad__tape *t, int32_t ndim, const int64_t *shape, bool gradient);
/* A parameter as an array; one that is not `trained` may be changed between runs by whoever holds the set. */
int32_t physad__tape_param(physad__tape *t, const char *name, int32_t ndim, const int64_t *shape,
                           const physad__param_init *init, bool trained);
/* <name>.weight (O, I, kernel), .bias (O); drawn uniformly within 1 / sqrt(fan-in) unless the set says otherwise. */
int32_t physad__tape_conv(physad__tape *t, int32_t x, const char *name, int64_t channels, const physad__tape_window *w,
                          bool bias);
/* <name>.weight (I, O, kernel), .bias (O). */
int32_t physad__tape_deconv(physad__tape *t, int32_t x, const char *name, int64_t channels,
                            const physad__tape_window *w, bool bias);
int32_t physad__tape_linear(physad__tape *t, int32_t x, const char *name, int64_t channels, bool bias);

typedef enum physad__tape_act {
    PHYSAD__TAPE_NONE,
    PHYSAD__TAPE_RELU,
    PHYSAD__TAPE_LEAKY, /* slope `a` below zero */
    PHYSAD__TAPE_SIGMOID,
    PHYSAD__TAPE_TANH,
    PHYSAD__TAPE_SILU,
    PHYSAD__TAPE_GELU
} physad__tape_act;
int32_t physad__tape_activation(physad__tape *t, int32_t x, physad__tape_act act, double slope);
/* <name>.weight, .bias, .running_mean, .running_var (momentum 0.1), eps 1e-5, then NONE, RELU or LEAKY. */
int32_t physad__tape_batch_norm(physad__tape *t, int32_t x, const char *name, physad__tape_act act, double slope);
int32_t physad__tape_layer_norm(physad__tape *t, int32_t x, const char *name,
                                double eps); /* over the channels of a row */
/* Over all places of an image and the channels of a group; groups == channels: instance norm. NULL name: without
 * parameters. */
int32_t physad__tape_group_norm(physad__tape *t, int32_t x, const char *name, int64_t groups, double eps);

int32_t physad__tape_max_pool(physad__tape *t, int32_t x,
                              const physad__tape_window *w); /* the padding counts as minus infinity */
int32_t physad__tape_avg_pool(physad__tape *t, int32_t x,
                              const physad__tape_window *w);  /* as zero; divides by the kernel */
int32_t physad__tape_global_pool(physad__tape *t, int32_t x); /* mean over the places: N x C */
/* Height and width of N H W C: PyTorch's interpolate. */
typedef enum physad__tape_how {
    PHYSAD__TAPE_NEAREST,
    PHYSAD__TAPE_BILINEAR,
    PHYSAD__TAPE_BILINEAR_CORNERS
} physad__tape_how;
int32_t physad__tape_resample(physad__tape *t, int32_t x, int64_t height, int64_t width, physad__tape_how how);

int32_t physad__tape_add(physad__tape *t, int32_t a, int32_t b); /* of one shape, as the two below */
int32_t physad__tape_sub(physad__tape *t, int32_t a, int32_t b);
int32_t physad__tape_mul(physad__tape *t, int32_t a, int32_t b);
int32_t physad__tape_scale(physad__tape *t, int32_t x, double factor, double shift); /* factor x + shift */
/* op(A) op(B) of the last two extents, for each of those before; b may have just two: the same for all. */
int32_t physad__tape_matmul(physad__tape *t, int32_t a, int32_t b, bool turn_a, bool turn_b);
int32_t physad__tape_softmax(physad__tape *t, int32_t x,
                             bool rows); /* over the channels; `rows`: over the last extent but one */
int32_t physad__tape_normalize(physad__tape *t, int32_t x, int p); /* rows over max(their 1- or 2-norm, 1e-12) */
/* relu(x - a) x / (|x - a| + 1e-12): what is below `a` goes to zero, the rest stays. */
int32_t physad__tape_shrink(physad__tape *t, int32_t x, double a);

int32_t physad__tape_concat(physad__tape *t, int32_t a, int32_t b); /* along the channels */
int32_t physad__tape_slice(physad__tape *t, int32_t x, int32_t axis, int64_t from, int64_t count);
int32_t physad__tape_permute(physad__tape *t, int32_t x, const int32_t *axes);
int32_t physad__tape_reshape(physad__tape *t, int32_t x, int32_t ndim, const int64_t *shape);
int32_t physad__tape_detach(physad__tape *t, int32_t x); /* the same array, no gradient goes back */
/* Where each row is greatest (`rank` 0) or second greatest (1), as numbers; ties to the lowest. No gradient. */
int32_t physad__tape_top(physad__tape *t, int32_t x, int32_t rank);
/* Rows of `table` (B rows C, or rows C for all) by the numbers in `index` (one per row of the result). */
int32_t physad__tape_gather(physad__tape *t, int32_t table, int32_t index);

/* Losses: one number each. Means over all elements, or over rows where said. */
int32_t physad__tape_mse(physad__tape *t, int32_t a, int32_t b);
int32_t physad__tape_l1(physad__tape *t, int32_t a, int32_t b);
int32_t physad__tape_bce(physad__tape *t, int32_t logits, int32_t target);           /* binary cross-entropy */
int32_t physad__tape_cross_entropy(physad__tape *t, int32_t logits, int32_t labels); /* labels: one number per row */
int32_t physad__tape_cosine(physad__tape *t, int32_t a, int32_t b);                  /* mean over rows of 1 - cos */
int32_t physad__tape_entropy(physad__tape *t, int32_t p); /* mean over rows of -sum p log(p + 1e-12) */
int32_t physad__tape_triplet(physad__tape *t, int32_t anchor, int32_t near, int32_t far, double margin);
int32_t physad__tape_spread(physad__tape *t, int32_t x,
                            double margin); /* mean over pairs of rows of (margin - ||a - b||^2)+ */
int32_t physad__tape_mean(physad__tape *t, int32_t x);
int32_t physad__tape_dot(physad__tape *t, int32_t a, int32_t b); /* sum of a b */

/* Before compiling: lets physad__tape_hold() keep what is piecewise of a run (which side of zero a rectifier's inputs
 * lie on, which row is greatest) for the runs that follow, so that differences of gradients are those of one smooth
 * piece: second derivatives as differentiating twice gives them. */
void physad__tape_holdable(physad__tape *t);
void physad__tape_hold(physad__tape *t, bool held);
physad_status physad__tape_failed(const physad__tape *t); /* the first failure; its message is the thread's last one */
void physad__tape_shape(const physad__tape *t, int32_t value, int32_t *ndim, int64_t shape[PHYSAD__TAPE_DIMS]);
int64_t physad__tape_count(const physad__tape *t, int32_t value);

/* --- running (nn_tape_plan.c, nn_tape_run.c): between physad__call_begin() and _end() --- */

/* Plans memory and compiles. `keep`: values of f32 that stay readable after a run (inputs and the loss always do).
 * `loss`: one number whose gradient goes back; -1: forward only. */
physad_status physad__tape_compile(physad__tape *t, int32_t loss, const int32_t *keep, int64_t keep_count);
float *physad__tape_data(const physad__tape *t, int32_t value);
float *physad__tape_grad(const physad__tape *t, int32_t value); /* of an input that wanted it, until the next run */
physad_status physad__tape_forward(physad__tape *t);
/* After forward: adds to the gradients of the parameters. */
physad_status physad__tape_backward(physad__tape *t);

#endif
