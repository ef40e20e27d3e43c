/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that runs out: it gives `allocations_left` times, to whatever thread, and then no more. */
#ifndef PHYSAD__TEST_FAILING_H
#define PHYSAD__TEST_FAILING_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/base.h"

static _Atomic int64_t allocations_left = INT64_MAX; /* below zero: some were refused */
static _Atomic int64_t allocations_live; /* bytes */

static inline void *failing_alloc(size_t size, void *user)
{
    void *ptr = atomic_fetch_sub(&allocations_left, 1) > 0 ? malloc(size) : NULL;
    if (ptr != NULL)
        atomic_fetch_add(&allocations_live, (int64_t)size);
    return ptr;
}

static inline void failing_free(void *ptr, size_t size, void *user)
{
    if (ptr != NULL)
        atomic_fetch_sub(&allocations_live, (int64_t)size);
    free(ptr);
}

static const physad_allocator failing_allocator = { failing_alloc, failing_free, NULL };

#endif
