/* SPDX-License-Identifier: Apache-2.0 */
#define SPLAT_LANES 8
#define SPLAT_NAME "avx2"
#define SPLAT_ENTRY(name) physad__splat_##name##_avx2
#include "kernels/kernels_splat.h"
#include "kernels/splat_vector.h"

#include "kernels/splat_image.h"
#include "kernels/splat_project.h"
#include "kernels/splat_tile.h"
#include "kernels/splat_table.h"
