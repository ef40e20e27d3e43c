/* SPDX-License-Identifier: Apache-2.0 */
/* Mixed precision: numbers in 16 bits, and the casts between them and f32. */
#include "nn/nn.h"
#include "nn/nn_tape_node.h"

/* --- numbers --- */

typedef union bits {
    uint32_t u;
    float f;
} bits;

PHYSAD__TAPE_WIDE void physad__bf16_read(const uint16_t *x, int64_t count, float *out)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        out[i] = (bits){ .u = (uint32_t)x[i] << 16 }.f;
}

/* What is not a number stays none: rounding could carry its last bits into infinity. */
static inline uint16_t rounded(float f)
{
    const uint32_t u = (bits){ .f = f }.u, even = u >> 16 & 1;
    return (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? u >> 16 | 0x40 : (u + 0x7fff + even) >> 16);
}

PHYSAD__TAPE_WIDE void physad__bf16_write(const float *x, int64_t count, uint16_t *out)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        out[i] = rounded(x[i]);
}

PHYSAD__TAPE_WIDE static void give(uint16_t *to, const float *from, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = rounded((bits){ .u = (uint32_t)to[i] << 16 }.f + from[i]);
}

void physad__bf16_give(uint16_t *to, bool fresh, const float *from, int64_t count)
{
    if (fresh)
        physad__bf16_write(from, count, to);
    else
        give(to, from, count);
}

/* --- casts --- */

static int64_t blocks_of(const physad__tape_node *n)
{
    return (n->count + PHYSAD__TAPE_BLOCK - 1) / PHYSAD__TAPE_BLOCK;
}

static physad_status cast_forward(physad__tape *t, physad__tape_node *n)
{
    const float *x = physad__tape_x(t, n, 0);
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks_of(n); b++) {
        const int64_t from = b * PHYSAD__TAPE_BLOCK, count = physad__min(PHYSAD__TAPE_BLOCK, n->count - from);
        if (n->bf16)
            physad__bf16_write(x + from, count, physad__tape_narrow(n->data) + from);
        else
            physad__bf16_read(physad__tape_narrow_const(x) + from, count, n->data + from);
    }
    return PHYSAD_OK;
}

static physad_status cast_backward(physad__tape *t, physad__tape_node *n)
{
    float *dx = physad__tape_dx(t, n, 0);
    const bool fresh = n->fresh[0];
#pragma omp parallel for schedule(static)
    for (int64_t b = 0; b < blocks_of(n); b++) {
        const int64_t from = b * PHYSAD__TAPE_BLOCK, count = physad__min(PHYSAD__TAPE_BLOCK, n->count - from);
        float room[PHYSAD__TAPE_BLOCK];
        if (!n->bf16) {
            physad__bf16_give(physad__tape_narrow(dx) + from, fresh, n->grad + from, count);
            continue;
        }
        const float *g = physad__tape_span(true, n->grad, from, count, room);
        for (int64_t i = 0; i < count; i++)
            dx[from + i] = fresh ? g[i] : dx[from + i] + g[i];
    }
    return PHYSAD_OK;
}

static const physad__tape_op op_cast = {
    .name = "cast", .width = PHYSAD__TAPE_CAST, .forward = cast_forward, .backward = cast_backward
};

/* One cast of a value serves all who want it. */
static int32_t cast(physad__tape *t, int32_t x, bool bf16)
{
    physad__tape_node n = { .op = &op_cast, .input = { x }, .inputs = 1, .bf16 = bf16 };
    if (!physad__tape_good(t, x))
        return -1;
    const physad__tape_node *in = &t->nodes[x];
    if (in->bf16 == bf16 || in->other > 0)
        return in->bf16 == bf16 ? x : in->other;
    n.ndim = in->ndim;
    memcpy(n.shape, in->shape, sizeof(n.shape));
    n.wants = in->wants;
    const int32_t value = physad__tape_push(t, &n);
    if (value >= 0)
        t->nodes[x].other = value;
    return value;
}

/* --- building --- */

physad_status physad__tape_mix(physad__tape *t)
{
    if (t->count > 0)
        return physad__error(PHYSAD_ERR_STATE, "tape: mixed precision is for a tape without operations");
    PHYSAD__TRY(physad__nn_precision_check(t->ctx, PHYSAD_BF16));
    t->mixed = true;
    return PHYSAD_OK;
}

int32_t physad__tape_single(physad__tape *t, int32_t x)
{
    return cast(t, x, false);
}

int32_t physad__tape_round(physad__tape *t, int32_t x)
{
    if (!t->mixed)
        return physad__tape_refuse(t, physad__error(PHYSAD_ERR_STATE, "tape: bf16 in a tape that is not mixed"));
    return cast(t, x, true);
}
