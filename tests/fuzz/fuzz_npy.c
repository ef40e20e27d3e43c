/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a .npy file: a status and no leak; every element of what is read can be reached. */
#include "fuzz.h"

#include "io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context(16);
    physad__npy npy;
    char hex[65];
    if (physad__npy_read(&npy, ctx, data, size, "fuzz") == PHYSAD_OK) {
        check(physad__view_check(&npy.view, "npy") == PHYSAD_OK && physad__view_is_contiguous(&npy.view));
        check(physad__sha256(hex, npy.view.data,
                             (size_t)physad__view_count(&npy.view) * physad_dtype_size(npy.view.dtype)) == PHYSAD_OK);
    }
    physad__npy_free(&npy);
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
    return 0;
}
