/* SPDX-License-Identifier: Apache-2.0 */
#define SPLAT_LANES 16
#define SPLAT_ENTRY(name) physad__splat_##name##_avx512
#include "kernels/kernels_splat.h"
#include "kernels/splat_vector.h"

#include "kernels/splat_image.h"
#include "kernels/splat_project.h"
#include "kernels/splat_tile.h"

const physad__splat_kernels physad__splat_kernels_avx512 = {
    .name = "avx512",
    .project = SPLAT_ENTRY(project),
    .project_back = SPLAT_ENTRY(project_back),
    .tile = SPLAT_ENTRY(tile),
    .tile_back = SPLAT_ENTRY(tile_back),
    .loss = SPLAT_ENTRY(loss),
    .loss_back = SPLAT_ENTRY(loss_back),
    .adam = SPLAT_ENTRY(adam),
};
