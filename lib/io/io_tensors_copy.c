/* SPDX-License-Identifier: Apache-2.0 */
/* Copying and converting elements between views of any strides. Elements are read bytewise: a file's data may be
 * misaligned. */
#include "io/io_tensors_internal.h"

typedef void run_fn(char *out, int64_t out_step, const char *in, int64_t in_step, int64_t count);

static float f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    uint32_t bits;
    float value;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24, exact in f32 */
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static float bf16_to_f32(uint16_t h)
{
    const uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

#define DEFINE_CONVERT(name, type, expression)                                                       \
    static void name(char *out, int64_t out_step, const char *in, int64_t in_step, int64_t count)    \
    {                                                                                                \
        for (int64_t i = 0; i < count; i++) {                                                        \
            type x;                                                                                  \
            memcpy(&x, in + i * in_step, sizeof(x));                                                 \
            const float y = (expression);                                                            \
            memcpy(out + i * out_step, &y, sizeof(y));                                               \
        }                                                                                            \
    }

DEFINE_CONVERT(from_u8, uint8_t, (float)x)
DEFINE_CONVERT(from_i8, int8_t, (float)x)
DEFINE_CONVERT(from_u16, uint16_t, (float)x)
DEFINE_CONVERT(from_i16, int16_t, (float)x)
DEFINE_CONVERT(from_u32, uint32_t, (float)x)
DEFINE_CONVERT(from_i32, int32_t, (float)x)
DEFINE_CONVERT(from_u64, uint64_t, (float)x)
DEFINE_CONVERT(from_i64, int64_t, (float)x)
DEFINE_CONVERT(from_f16, uint16_t, f16_to_f32(x))
DEFINE_CONVERT(from_bf16, uint16_t, bf16_to_f32(x))
DEFINE_CONVERT(from_f64, double, (float)x)
DEFINE_CONVERT(from_bool, uint8_t, x != 0 ? 1.0f : 0.0f)

#define DEFINE_MOVE(name, size)                                                                      \
    static void name(char *out, int64_t out_step, const char *in, int64_t in_step, int64_t count)    \
    {                                                                                                \
        for (int64_t i = 0; i < count; i++)                                                          \
            memcpy(out + i * out_step, in + i * in_step, size);                                      \
    }

DEFINE_MOVE(move1, 1)
DEFINE_MOVE(move2, 2)
DEFINE_MOVE(move4, 4)
DEFINE_MOVE(move8, 8)

static run_fn *choose(int32_t out, int32_t in)
{
    static run_fn *const convert[] = {
        [PHYSAD_U8] = from_u8,   [PHYSAD_I8] = from_i8,     [PHYSAD_U16] = from_u16, [PHYSAD_I16] = from_i16,
        [PHYSAD_I32] = from_i32, [PHYSAD_I64] = from_i64,   [PHYSAD_F16] = from_f16, [PHYSAD_BF16] = from_bf16,
        [PHYSAD_F64] = from_f64, [PHYSAD_BOOL] = from_bool, [PHYSAD_U32] = from_u32, [PHYSAD_U64] = from_u64,
    };
    static run_fn *const move[] = { [1] = move1, [2] = move2, [4] = move4, [8] = move8 };
    return out == in ? move[physad_dtype_size(in)] : convert[in];
}

/* A loop nest: dimensions of 1 are left out, neighbours that run on are joined. */
typedef struct nest {
    int32_t depth;
    int64_t count[PHYSAD_MAX_DIMS], out_step[PHYSAD_MAX_DIMS], in_step[PHYSAD_MAX_DIMS];
} nest;

static void plan(nest *n, const physad_view *out, const physad_view *in)
{
    n->depth = 0;
    for (int32_t i = 0; i < in->ndim; i++) {
        const int32_t last = n->depth - 1;
        if (in->shape[i] == 1)
            continue;
        if (last >= 0 && n->out_step[last] == out->stride[i] * in->shape[i] &&
            n->in_step[last] == in->stride[i] * in->shape[i]) {
            n->count[last] *= in->shape[i];
            n->out_step[last] = out->stride[i];
            n->in_step[last] = in->stride[i];
            continue;
        }
        n->count[n->depth] = in->shape[i];
        n->out_step[n->depth] = out->stride[i];
        n->in_step[n->depth] = in->stride[i];
        n->depth++;
    }
    if (n->depth == 0) {
        n->count[0] = 1;
        n->out_step[0] = n->in_step[0] = 0;
        n->depth = 1;
    }
}

/* Shapes are equal and hold at least one element. */
static void copy_elements(const physad_view *out, const physad_view *in)
{
    nest n;
    int64_t place[PHYSAD_MAX_DIMS] = { 0 };
    char *to = out->data;
    const char *from = in->data;
    run_fn *run = choose(out->dtype, in->dtype);
    plan(&n, out, in);
    const int32_t inner = n.depth - 1;
    const int64_t size = (int64_t)physad_dtype_size(in->dtype);
    const bool whole = out->dtype == in->dtype && n.out_step[inner] == size && n.in_step[inner] == size;
    for (;;) {
        if (whole)
            memcpy(to, from, (size_t)(n.count[inner] * size));
        else
            run(to, n.out_step[inner], from, n.in_step[inner], n.count[inner]);
        int32_t d = inner - 1;
        for (; d >= 0; d--) {
            to += n.out_step[d];
            from += n.in_step[d];
            if (++place[d] < n.count[d])
                break;
            to -= n.out_step[d] * n.count[d];
            from -= n.in_step[d] * n.count[d];
            place[d] = 0;
        }
        if (d < 0)
            return;
    }
}

void physad__view_gather(void *out, const physad_view *in)
{
    const physad_view row_major = physad_view_array(out, in->dtype, in->ndim, in->shape);
    if (physad__view_count(in) > 0)
        copy_elements(&row_major, in);
}

physad_status physad__view_copy(const physad_view *out, const physad_view *in)
{
    char got[160], want[160];
    physad_view scalar = *in;
    if (in->ndim == 0) {
        scalar.ndim = 1;
        scalar.shape[0] = 1;
        scalar.stride[0] = 0;
    }
    PHYSAD__TRY(physad__view_check(&scalar, "the array to copy"));
    PHYSAD__TRY(physad__view_check(out, "out"));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "out is read-only");
    if (out->dtype != in->dtype && out->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "out has dtype %s, want f32 or %s", physad_dtype_name(out->dtype),
                             physad_dtype_name(in->dtype));
    bool equal = out->ndim == scalar.ndim;
    for (int32_t i = 0; equal && i < out->ndim; i++)
        equal = out->shape[i] == scalar.shape[i];
    if (!equal)
        return physad__error(PHYSAD_ERR_SHAPE, "out has shape %s, want %s",
                             physad__shape_text(got, sizeof(got), out->ndim, out->shape),
                             physad__shape_text(want, sizeof(want), scalar.ndim, scalar.shape));
    if (physad__view_count(&scalar) > 0)
        copy_elements(out, &scalar);
    return PHYSAD_OK;
}
