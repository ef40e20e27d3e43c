/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    { "?", 0 },   { "u8", 1 },   { "i8", 1 },  { "u16", 2 }, { "i16", 2 },  { "i32", 4 }, { "i64", 8 },
    { "f16", 2 }, { "bf16", 2 }, { "f32", 4 }, { "f64", 8 }, { "bool", 1 }, { "u32", 4 }, { "u64", 8 },
};

size_t physad_dtype_size(int32_t dtype)
{
    return dtype > 0 && dtype < PHYSAD__COUNT(dtypes) ? dtypes[dtype].size : 0;
}

const char *physad_dtype_name(int32_t dtype)
{
    return dtype > 0 && dtype < PHYSAD__COUNT(dtypes) ? dtypes[dtype].name : "?";
}

physad_view physad_view_array(void *data, int32_t dtype, int32_t ndim, const int64_t *shape)
{
    physad_view v = { .data = data, .dtype = dtype, .ndim = ndim };
    int64_t step = (int64_t)physad_dtype_size(dtype);
    if (ndim < 0 || ndim > PHYSAD_MAX_DIMS)
        return v; /* the call that gets this view says so */
    for (int32_t i = ndim - 1; i >= 0; i--) {
        v.shape[i] = shape[i];
        v.stride[i] = step;
        if (__builtin_mul_overflow(step, shape[i], &step))
            step = INT64_MAX; /* refused by every check */
    }
    return v;
}

physad_view physad_view_rgb8(const void *pixels, int64_t height, int64_t width, int64_t row_bytes)
{
    return (physad_view){ .data = (void *)(uintptr_t)pixels,
                          .shape = { height, width, 3 },
                          .stride = { row_bytes, 3, 1 },
                          .dtype = PHYSAD_U8,
                          .ndim = 3,
                          .flags = PHYSAD_VIEW_READONLY };
}

physad_view physad_view_gray8(const void *pixels, int64_t height, int64_t width, int64_t row_bytes)
{
    return (physad_view){ .data = (void *)(uintptr_t)pixels, .shape = { height, width }, .stride = { row_bytes, 1 },
                          .dtype = PHYSAD_U8, .ndim = 2, .flags = PHYSAD_VIEW_READONLY };
}

int64_t physad__view_count(const physad_view *view)
{
    int64_t n = 1;
    for (int32_t i = 0; i < view->ndim; i++)
        n *= view->shape[i];
    return n;
}

bool physad__view_is_contiguous(const physad_view *view)
{
    int64_t step = (int64_t)physad_dtype_size(view->dtype);
    for (int32_t i = view->ndim - 1; i >= 0; i--) {
        if (view->shape[i] != 1 && view->stride[i] != step)
            return false;
        step *= view->shape[i];
    }
    return true;
}

const char *physad__shape_text(char *out, size_t size, int32_t ndim, const int64_t *shape)
{
    size_t used = (size_t)physad__snprintf(out, size, "(");
    for (int32_t i = 0; i < ndim && used < size; i++) {
        if (shape[i] < 0)
            used += (size_t)physad__snprintf(out + used, size - used, i ? ",n" : "n");
        else
            used += (size_t)physad__snprintf(out + used, size - used, i ? ",%lld" : "%lld", (long long)shape[i]);
    }
    if (used < size)
        physad__snprintf(out + used, size - used, ")");
    return out;
}

physad_status physad__view_check(const physad_view *view, const char *name)
{
    if (view == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s is NULL", name);
    const size_t size = physad_dtype_size(view->dtype);
    if (size == 0)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %d, which is none of PHYSAD_U8 ... PHYSAD_U64", name,
                             view->dtype);
    if (view->ndim < 1 || view->ndim > PHYSAD_MAX_DIMS)
        return physad__error(PHYSAD_ERR_SHAPE, "%s has %d dimensions, want 1 to %d", name, view->ndim, PHYSAD_MAX_DIMS);
    if (view->reserved != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s has reserved bits set that this library does not know", name);
    int64_t count = (int64_t)size, reach = 0;
    for (int32_t i = 0; i < view->ndim; i++) {
        int64_t span;
        const int64_t stride = view->stride[i];
        if (physad__mul_overflow(count, view->shape[i], &count) || stride == INT64_MIN ||
            (view->shape[i] > 0 && __builtin_mul_overflow(stride < 0 ? -stride : stride, view->shape[i] - 1, &span)) ||
            (view->shape[i] > 0 && __builtin_add_overflow(reach, span, &reach)) || count > INT64_MAX / 2) {
            char text[160];
            return physad__error(PHYSAD_ERR_SHAPE, "%s has the impossible shape %s", name,
                                 physad__shape_text(text, sizeof(text), view->ndim, view->shape));
        }
    }
    if (view->data == NULL && count > 0)
        return physad__error(PHYSAD_ERR_ARG, "%s has data NULL", name);
    return PHYSAD_OK;
}

physad_status physad__view_want(const physad_view *view, const char *name, int32_t dtype, int32_t ndim,
                                const int64_t *want)
{
    char got[160], wanted[160];
    PHYSAD__TRY(physad__view_check(view, name));
    if (view->dtype != dtype)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want %s", name, physad_dtype_name(view->dtype),
                             physad_dtype_name(dtype));
    bool fits = view->ndim == ndim;
    for (int32_t i = 0; fits && i < ndim; i++)
        fits = want[i] < 0 || want[i] == view->shape[i];
    if (!fits)
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want %s", name,
                             physad__shape_text(got, sizeof(got), view->ndim, view->shape),
                             physad__shape_text(wanted, sizeof(wanted), ndim, want));
    if (!physad__view_is_contiguous(view))
        return physad__error(PHYSAD_ERR_SHAPE, "%s has gaps between its elements, want a row-major array", name);
    return PHYSAD_OK;
}
