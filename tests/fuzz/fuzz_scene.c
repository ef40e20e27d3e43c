/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a scene in safetensors: its Gaussians are finite, its cameras can be looked through, each has its name.
 */
#include "fuzz.h"

#include "scene/scene_file.h"

#include <math.h>

/* The header's length is mended, so that the JSON behind it is reached: byte 0 says how far the data are from the end.
 */
static void take(const uint8_t *data, size_t size)
{
    physad_context *ctx = limited_context(64);
    physad_tensors *file = NULL;
    physad__scene_parts p;
    if (physad_tensors_open_memory(&file, ctx, data, size, "fuzz", NULL) == PHYSAD_OK) {
        if (physad__scene_parts_take(&p, ctx, file, "fuzz") == PHYSAD_OK) {
            const physad__gaussians *g = &p.gaussians;
            check(g->degree >= 0 && g->degree <= 3 && g->count >= 0 && g->stride >= g->count && g->stride % 16 == 0);
            for (int64_t i = 0; i < physad__splat_plane_count(g->degree) * g->stride; i++)
                check(isfinite(g->planes[i]));
            for (int64_t i = 0; i < p.n_cameras; i++)
                check(p.names[i] != NULL && p.cameras[i].fx > 0 && p.cameras[i].width >= 1 &&
                      p.cameras[i].width <= 32768);
            physad__scene_parts_free(&p);
        } else {
            check(physad_last_error()[0] != 0);
        }
        physad_tensors_free(file);
    }
    check(physad_context_memory_used(ctx) == 0);
    physad_context_free(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    take(data, size);
    uint8_t *mended = size > 9 ? malloc(size) : NULL;
    if (mended == NULL)
        return 0;
    uint64_t n = size - 8;
    n -= data[0] < n ? data[0] : n;
    for (size_t i = 0; i < size; i++)
        mended[i] = i < 8 ? (uint8_t)(n >> (8 * i)) : data[i];
    take(mended, size);
    free(mended);
    return 0;
}
