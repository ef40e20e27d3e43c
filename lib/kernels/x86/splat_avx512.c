/* SPDX-License-Identifier: Apache-2.0 */
#define SPLAT_LANES 16
#include "kernels/kernels_splat.h"
#include "kernels/splat_vector.h"

#include "kernels/splat_image.h"
#include "kernels/splat_project.h"
#include "kernels/splat_tile.h"

const physad__splat_kernels physad__splat_kernels_avx512 = {
    .name = "avx512",
    .project = splat_project,
    .project_back = splat_project_back,
    .tile = splat_tile,
    .tile_back = splat_tile_back,
    .loss = splat_loss,
    .loss_back = splat_loss_back,
    .adam = splat_adam,
};
