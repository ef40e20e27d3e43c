/* SPDX-License-Identifier: Apache-2.0 */
/* What the targets share: the entry that libFuzzer calls, a check that stays in every build, a context with little
 * memory. */
#ifndef PHYSAD__FUZZ_H
#define PHYSAD__FUZZ_H

#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool ok)
{
    if (!ok)
        abort();
}

static inline physad_context *limited_context(uint64_t mebibytes)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    co.threads = 1;
    co.memory_limit = mebibytes << 20;
    check(physad_context_new(&ctx, &co) == PHYSAD_OK);
    return ctx;
}

#endif
