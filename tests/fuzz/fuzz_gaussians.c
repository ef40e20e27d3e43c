/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as 3D Gaussians in PLY: what is read is finite to the last number. */
#include "io/io.h"

#include "core/core.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static physad_context *limited_context(void)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    co.threads = 1;
    co.memory_limit = 64 << 20;
    check(physad_context_new(&ctx, &co) == PHYSAD_OK);
    return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context();
    physad__gaussians g;
    if (physad__gaussians_parse(&g, &ctx->mem, data, size, 16, "fuzz") == PHYSAD_OK) {
        check(g.degree >= 0 && g.degree <= 3 && g.count >= 0 && g.stride >= g.count && g.stride % 16 == 0);
        for (int64_t i = 0; i < (11 + 3 * (g.degree + 1) * (g.degree + 1)) * g.stride; i++)
            check(isfinite(g.planes[i]));
    }
    physad__free(g.planes);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
