/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels_internal.h"

#include <physad/context.h>

static const physad_kernels table_c = {
    .name = "c",
    .code_max = 127,
    .exact_distances = physad__exact_distances_c,
    .exact_pairs = physad__exact_pairs_c,
    .distances = physad__distances_c,
    .tile_distances = physad__tile_distances_c,
    .code_dots = physad__code_dots_c,
    .code_scan = physad__code_scan_c,
    .narrow_u8 = physad__narrow_u8_c,
    .sum_rows_u8 = physad__sum_rows_u8_c,
    .blend_rows_u8 = physad__blend_rows_u8_c,
};

#if defined(__x86_64__)

/* Two products of neighbours are added in 16 bits there: 2 * 255 * 63 still fits. */
static const physad_kernels table_avx2 = {
    .name = "avx2",
    .code_max = 63,
    .exact_distances = physad__exact_distances_avx2,
    .exact_pairs = physad__exact_pairs_avx2,
    .distances = physad__distances_avx2,
    .tile_distances = physad__tile_distances_avx2,
    .code_dots = physad__code_dots_avx2,
    .code_scan = physad__code_scan_avx2,
    .narrow_u8 = physad__narrow_u8_avx2,
    .sum_rows_u8 = physad__sum_rows_u8_avx2,
    .blend_rows_u8 = physad__blend_rows_u8_avx2,
};

static const physad_kernels table_avx512 = {
    .name = "avx512",
    .code_max = 63,
    .exact_distances = physad__exact_distances_avx512,
    .exact_pairs = physad__exact_pairs_avx512,
    .distances = physad__distances_avx512,
    .tile_distances = physad__tile_distances_avx512,
    .code_dots = physad__code_dots_avx2,
    .code_scan = physad__code_scan_avx2,
    .narrow_u8 = physad__narrow_u8_avx2,
    .sum_rows_u8 = physad__sum_rows_u8_avx2,
    .blend_rows_u8 = physad__blend_rows_u8_avx2,
};

static const physad_kernels table_vnni = {
    .name = "avx512-vnni",
    .code_max = 127,
    .exact_distances = physad__exact_distances_avx512,
    .exact_pairs = physad__exact_pairs_avx512,
    .distances = physad__distances_avx512,
    .tile_distances = physad__tile_distances_avx512,
    .code_dots = physad__code_dots_vnni,
    .code_scan = physad__code_scan_vnni,
    .narrow_u8 = physad__narrow_u8_avx2,
    .sum_rows_u8 = physad__sum_rows_u8_avx2,
    .blend_rows_u8 = physad__blend_rows_u8_avx2,
};

const physad_kernels *physad__kernels_get(uint32_t cpu_flags)
{
    if (!(cpu_flags & PHYSAD_CPU_AVX2))
        return &table_c;
    if (!(cpu_flags & PHYSAD_CPU_AVX512))
        return &table_avx2;
    return (cpu_flags & PHYSAD_CPU_AVX512_VNNI) ? &table_vnni : &table_avx512;
}

#elif defined(__aarch64__)

static const physad_kernels table_neon = {
    .name = "neon",
    .code_max = 127,
    .exact_distances = physad__exact_distances_neon,
    .exact_pairs = physad__exact_pairs_neon,
    .distances = physad__distances_neon,
    .tile_distances = physad__tile_distances_neon,
    .code_dots = physad__code_dots_neon,
    .code_scan = physad__code_scan_neon,
    .narrow_u8 = physad__narrow_u8_neon,
    .sum_rows_u8 = physad__sum_rows_u8_neon,
    .blend_rows_u8 = physad__blend_rows_u8_neon,
};

const physad_kernels *physad__kernels_get(uint32_t cpu_flags)
{
    return (cpu_flags & PHYSAD_CPU_NEON) ? &table_neon : &table_c;
}

#else

const physad_kernels *physad__kernels_get(uint32_t cpu_flags)
{
    return &table_c;
}

#endif
