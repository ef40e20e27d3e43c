/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as 3D Gaussians in PLY: what is read is finite to the last number. */
#include "fuzz.h"

#include "io/io.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context(64);
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
