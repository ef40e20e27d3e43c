/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as COLMAP's three files: the first byte says whether text, then two lengths of 16 bits, then the files. */
#include "fuzz_poses.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    physad_context *ctx = limited_context(64);
    physad__poses poses;
    const size_t left = size - 5;
    size_t first = (size_t)(data[1] | data[2] << 8), second = (size_t)(data[3] | data[4] << 8);
    first = first < left ? first : left;
    second = second < left - first ? second : left - first;
    const size_t sizes[3] = { first, second, left - first - second };
    const void *files[3] = { data + 5, data + 5 + first, data + 5 + first + second };
    if (physad__colmap_parse(&poses, &ctx->mem, files, sizes, data[0] & 1, "fuzz") == PHYSAD_OK)
        check_poses(&poses);
    physad__poses_free(&poses);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
