/* SPDX-License-Identifier: Apache-2.0 */
/* A context of a test's own, that nothing may be left of. */
#ifndef PHYSAD__OWN_CONTEXT_H
#define PHYSAD__OWN_CONTEXT_H

#include "test.h"

static inline physad_context *new_context(int32_t threads)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = threads;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static inline void end_context(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

#endif
