/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as labels of frames: a status and no leak; what is read is refused nowhere later. */
#include "data/data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx;
    physad__frame_labels *labels;
    const uint8_t *of;
    int64_t count;
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return 0;
    if (physad__frame_labels_parse(&labels, ctx, data, size, "fuzz") == PHYSAD_OK) {
        if (physad__frame_labels_of(labels, "a.mp4", &of, &count) == PHYSAD_OK)
            for (int64_t i = 0; i < count; i++)
                if (of[i] > 1)
                    abort();
        physad__frame_labels_free(labels);
    }
    if (physad_context_memory_used(ctx) != 0)
        abort();
    physad_context_free(ctx);
    return 0;
}
