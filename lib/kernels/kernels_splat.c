/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels_splat.h"

#include <physad/context.h>

const physad__splat_kernels *physad__splat_kernels_get(uint32_t cpu_flags)
{
#if defined(__x86_64__)
    if ((cpu_flags & PHYSAD_CPU_AVX2) && (cpu_flags & PHYSAD_CPU_AVX512))
        return &physad__splat_kernels_avx512;
    if (cpu_flags & PHYSAD_CPU_AVX2)
        return &physad__splat_kernels_avx2;
#endif
    return &physad__splat_kernels_c;
}
