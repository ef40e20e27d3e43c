/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that gives a number of blocks and no more. */
#ifndef PHYSAD__SCARCE_H
#define PHYSAD__SCARCE_H

#include "test.h"

typedef struct scarce {
    _Atomic int64_t left; /* allocations until they fail */
    _Atomic int64_t held; /* bytes */
} scarce;

static inline void *scarce_alloc(size_t size, void *user)
{
    scarce *s = user;
    if (atomic_fetch_sub(&s->left, 1) <= 0)
        return NULL;
    atomic_fetch_add(&s->held, (int64_t)size);
    return malloc(size);
}

static inline void scarce_free(void *ptr, size_t size, void *user)
{
    atomic_fetch_sub(&((scarce *)user)->held, (int64_t)size);
    free(ptr);
}

static inline physad_allocator scarce_allocator(scarce *s)
{
    return (physad_allocator){ scarce_alloc, scarce_free, s };
}

#endif
