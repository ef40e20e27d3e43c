/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as transforms.json. */
#include "fuzz_poses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context(64);
    physad__poses poses;
    if (physad__transforms_parse(&poses, &ctx->mem, data, size, "fuzz") == PHYSAD_OK) {
        check_poses(&poses);
        for (int64_t i = 0; i < poses.n_photos; i++) {
            physad__lens lens = poses.photos[i].lens;
            if (physad__lens_fit(&lens, 640, 480, "fuzz") == PHYSAD_OK)
                check(lens.width == 640 && lens.height == 480 && lens.fx > 0);
        }
    }
    physad__poses_free(&poses);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
