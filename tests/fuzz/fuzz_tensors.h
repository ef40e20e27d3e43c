/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a tensor file from bytes, and looking at all that it has. */
#ifndef PHYSAD__FUZZ_TENSORS_H
#define PHYSAD__FUZZ_TENSORS_H

#include <physad/physad.h>

#include <stdlib.h>

/* Reads every element that the view promises. */
static inline uint64_t fuzz_sum(const physad_view *v, const char *data, int32_t dim)
{
    uint64_t sum = 0;
    if (dim == v->ndim) {
        for (size_t i = 0; i < physad_dtype_size(v->dtype); i++)
            sum += (unsigned char)data[i];
        return sum;
    }
    const int64_t n = v->shape[dim] < 64 ? v->shape[dim] : 64; /* the first ones, and the last */
    for (int64_t i = 0; i < n; i++)
        sum += fuzz_sum(v, data + i * v->stride[dim], dim + 1);
    return n > 0 ? sum + fuzz_sum(v, data + (v->shape[dim] - 1) * v->stride[dim], dim + 1) : sum;
}

static inline void fuzz_tensors(const uint8_t *data, size_t size, int32_t verify)
{
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad_tensors *t = NULL;
    physad_view view;
    volatile uint64_t sum = 0;
    c.threads = 1;
    c.memory_limit = 256 << 20;
    o.verify = verify;
    if (physad_context_new(&ctx, &c) != PHYSAD_OK)
        abort();
    if (physad_tensors_open_memory(&t, ctx, data, size, "fuzz", &o) == PHYSAD_OK) {
        for (int64_t i = 0; i < physad_tensors_count(t) && i < 64; i++)
            if (physad_tensors_view(t, i, &view) == PHYSAD_OK)
                sum += fuzz_sum(&view, view.data, 0);
    } else if (physad_last_error()[0] == '\0') {
        abort(); /* every failure says why */
    }
    (void)sum; /* only so that every byte is read */
    physad_tensors_free(t);
    if (physad_context_memory_used(ctx) != 0)
        abort();
    physad_context_free(ctx);
}

#endif
