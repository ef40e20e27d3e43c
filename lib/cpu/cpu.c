/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu/cpu.h"

#include <physad/context.h>

#include <sched.h>

uint32_t physad__cpu_detect(void)
{
    uint32_t flags = 0;
#if defined(__x86_64__)
    /* The compiler's run-time also asks the system whether it saves the wide registers. */
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        flags |= PHYSAD_CPU_AVX2;
    if ((flags & PHYSAD_CPU_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        flags |= PHYSAD_CPU_AVX512;
        if (__builtin_cpu_supports("avx512bf16"))
            flags |= PHYSAD_CPU_AVX512_BF16;
        if (__builtin_cpu_supports("avx512vnni"))
            flags |= PHYSAD_CPU_AVX512_VNNI;
    }
#elif defined(__aarch64__)
    flags |= PHYSAD_CPU_NEON; /* part of the architecture */
#endif
    return flags;
}

int physad__cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}
