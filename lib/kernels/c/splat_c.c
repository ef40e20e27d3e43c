/* SPDX-License-Identifier: Apache-2.0 */
#define SPLAT_LANES 1
#define SPLAT_NAME "c"
#define SPLAT_ENTRY(name) physad__splat_##name##_c
#include "kernels/kernels_splat.h"
#include "kernels/splat_vector.h"

#include "kernels/splat_image.h"
#include "kernels/splat_project.h"
#include "kernels/splat_tile.h"
#include "kernels/splat_table.h"
