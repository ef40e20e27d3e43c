/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what the headers before it compiled; included last, once for each SPLAT_ENTRY. */

const physad__splat_kernels SPLAT_ENTRY(kernels) = {
    .name = SPLAT_NAME,
    .project = SPLAT_ENTRY(project),
    .project_back = SPLAT_ENTRY(project_back),
    .tile = SPLAT_ENTRY(tile),
    .tile_back = SPLAT_ENTRY(tile_back),
    .loss = SPLAT_ENTRY(loss),
    .loss_back = SPLAT_ENTRY(loss_back),
    .adam = SPLAT_ENTRY(adam),
};
