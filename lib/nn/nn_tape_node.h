/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of tapes: nodes, and what an operation is made of. For nn_tape*.c only. */
#ifndef PHYSAD__NN_TAPE_NODE_H
#define PHYSAD__NN_TAPE_NODE_H

#include "nn/nn_dnnl.h"
#include "nn/nn_tape.h"

enum {
    PHYSAD__TAPE_INPUTS = 3,
    PHYSAD__TAPE_LANES = 64, /* parts that a sum over rows is split into, whatever the number of threads */
    PHYSAD__TAPE_OUTPUT = 8  /* of the mask `needs`, beside 1 << input */
};

typedef struct physad__tape_node physad__tape_node;

/* Whether an operation of a mixed tape has its inputs, its output and the gradients of both in bf16. */
typedef enum physad__tape_width {
    PHYSAD__TAPE_SINGLE,  /* all are f32 */
    PHYSAD__TAPE_FOLLOWS, /* as its first input is */
    PHYSAD__TAPE_NARROW,  /* always, in a mixed tape */
    PHYSAD__TAPE_CAST     /* the one that takes numbers from one to the other */
} physad__tape_width;

/* An operation. Arrays of node n: physad__tape_x(t, n, k) its inputs, n->data its output, n->grad the output's
 * gradient; of bf16 where n->bf16, which then is n's inputs' as well. */
typedef struct physad__tape_op {
    const char *name;
    physad__tape_width width;
    uint32_t needs;   /* arrays that backward reads: 1 << input, PHYSAD__TAPE_OUTPUT */
    bool data_shared; /* the output may lie where input 0 lay */
    bool grad_shared; /* the gradient of input 0 may be written over the output's */
    bool view;        /* the output is input 0 */
    /* Compiles, allocates, sets saved_bytes (from forward to backward) and scratch_bytes (of one direction). */
    physad_status (*prepare)(physad__tape *t, physad__tape_node *n);
    physad_status (*forward)(physad__tape *t, physad__tape_node *n);
    physad_status (*backward)(physad__tape *t, physad__tape_node *n);
    void (*drop)(physad__tape_node *n);
} physad__tape_op;

struct physad__tape_node {
    const physad__tape_op *op;
    int32_t input[PHYSAD__TAPE_INPUTS];
    int32_t inputs;
    int32_t ndim;
    int64_t shape[PHYSAD__TAPE_DIMS];
    int64_t rows, channels, count; /* channels: the last extent */
    int32_t param[4];
    physad__tape_window window;
    int32_t kind, axis;
    int32_t axes[PHYSAD__TAPE_DIMS];
    int64_t from;
    double a, b;
    bool wants;     /* a gradient of the output is of use */
    bool grad_free; /* its gradient stays readable */
    bool bf16;      /* output and its gradient are of bf16, in 16 bits each */
    int32_t other;  /* the cast of this value to the other width; 0: none was needed yet */
    /* of the plan */
    bool used, on_path;              /* run at all; takes part in backward */
    bool fresh[PHYSAD__TAPE_INPUTS]; /* backward writes this input's gradient first, instead of adding to it */
    int32_t data_root, grad_root;
    float *data, *grad;
    void *saved, *state;
    int64_t saved_bytes, scratch_bytes;
};

struct physad__tape {
    physad_context *ctx;
    physad__mem *mem;
    physad__params *params;
    bool train;
    bool mixed;
    bool holdable, held;
    physad__tape_node *nodes;
    int64_t count, capacity;
    physad_status failed;
    int32_t loss; /* -1: none */
    int64_t arena_bytes, scratch_bytes;
    char *arena, *scratch;
    physad__dnn *dnn;
    physad__dnn_stream *stream;
};

static inline const float *physad__tape_x(const physad__tape *t, const physad__tape_node *n, int k)
{
    return t->nodes[n->input[k]].data;
}

static inline const physad__tape_node *physad__tape_in(const physad__tape *t, const physad__tape_node *n, int k)
{
    return &t->nodes[n->input[k]];
}

/* The gradient of input k, or NULL where none is wanted. */
static inline float *physad__tape_dx(const physad__tape *t, const physad__tape_node *n, int k)
{
    const physad__tape_node *in = &t->nodes[n->input[k]];
    return in->wants ? in->grad : NULL;
}

static inline physad__param *physad__tape_p(const physad__tape *t, const physad__tape_node *n, int k)
{
    return &t->params->items[n->param[k]];
}

/* Rows [*from, *to) of lane `lane`. */
static inline void physad__tape_lane(int64_t rows, int64_t lane, int64_t *from, int64_t *to)
{
    *from = rows * lane / PHYSAD__TAPE_LANES;
    *to = rows * (lane + 1) / PHYSAD__TAPE_LANES;
}

static inline int64_t physad__tape_bytes(const physad__tape_node *n)
{
    return n->count * (int64_t)(n->bf16 ? sizeof(uint16_t) : sizeof(float));
}

/* Loops over channels, compiled for each width of vectors that the processor may have: the same operations on each
 * number in the same order, so the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define PHYSAD__TAPE_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define PHYSAD__TAPE_WIDE
#endif

/* --- building (nn_tape.c) --- */

/* Adds a copy; fills rows, channels, count, wants, bf16; casts inputs to the width that the operation takes. */
int32_t physad__tape_push(physad__tape *t, const physad__tape_node *node);
int32_t physad__tape_refuse(physad__tape *t, physad_status status); /* remembers the failure; -1 */
bool physad__tape_good(const physad__tape *t, int32_t value);
/* A parameter <name>.<part>; returns its index or -1. */
int32_t physad__tape_want(physad__tape *t, const char *name, const char *part, int32_t ndim, const int64_t *shape,
                          const physad__param_init *init, bool trained);

/* --- convolutions (nn_tape_conv.c): what `kind` may be. ROWS: a linear layer, whose weights are (O, I) --- */

enum { PHYSAD__TAPE_STRIDED, PHYSAD__TAPE_TRANSPOSED, PHYSAD__TAPE_ROWS };
extern const physad__tape_op physad__tape_op_conv;

/* --- numbers in 16 bits (nn_tape_bf16.c): the upper half of an f32, rounded to the nearest, ties to even. What is
 * computed with them is computed in f32, a block at a time --- */

enum { PHYSAD__TAPE_BLOCK = 4096 }; /* numbers of a block that stays in the cache nearest to the processor */

void physad__bf16_read(const uint16_t *x, int64_t count, float *out);
void physad__bf16_write(const float *x, int64_t count, uint16_t *out);
/* Where it lies in memory as what it is. */
static inline uint16_t *physad__tape_narrow(float *array)
{
    return (uint16_t *)(void *)array;
}
static inline const uint16_t *physad__tape_narrow_const(const float *array)
{
    return (const uint16_t *)(const void *)array;
}
/* `count` numbers of an array from number `from` on, as f32: where they lie, or read into `room`. */
static inline const float *physad__tape_span(bool bf16, const float *array, int64_t from, int64_t count, float *room)
{
    if (!bf16)
        return array + from;
    physad__bf16_read(physad__tape_narrow_const(array) + from, count, room);
    return room;
}
/* to += from, or to = from, `count` numbers of bf16; any one thread. */
void physad__bf16_give(uint16_t *to, bool fresh, const float *from, int64_t count);

/* --- sums (nn_tape_math.c) --- */

/* out += the sum of the rows (rows x channels, `bf16` or f32). `scratch`: 2 x LANES x channels f32. */
void physad__tape_add_columns(bool bf16, const float *x, int64_t rows, int64_t channels, float *out, float *scratch);
/* The sum of values of lanes in their order, each of `stride` numbers of f32, added to `out`. */
void physad__tape_add_lanes(const float *lanes, int64_t count, int64_t stride, float *out);
double physad__tape_sum_lanes(const double lanes[PHYSAD__TAPE_LANES]);

/* C = op(A) op(B) + beta C, row-major, split by shape alone. `scratch`: physad__tape_gemm_scratch() bytes. */
typedef struct physad__tape_gemm {
    bool turn_a, turn_b;
    int64_t m, n, k;
    const float *a, *b;
    float *c;
    int64_t lda, ldb, ldc;
    bool add; /* beta 1, else 0 */
} physad__tape_gemm;
void physad__tape_gemm_run(const physad__tape_gemm *g, float *scratch);
int64_t physad__tape_gemm_scratch(int64_t m, int64_t n, int64_t k);

#endif
