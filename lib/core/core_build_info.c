/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"

#include "physad_config.h"

#include <physad/version.h>

#ifdef PHYSAD_HAVE_OPENMP
#define OPENMP_TEXT "OpenMP"
#else
#define OPENMP_TEXT "no OpenMP"
#endif
#ifdef PHYSAD_HAVE_VIDEO
#define VIDEO_TEXT "video (FFmpeg)"
#else
#define VIDEO_TEXT "no video"
#endif
#ifdef PHYSAD_HAVE_APPROX
#define APPROX_TEXT "approximate indexes (FAISS)"
#else
#define APPROX_TEXT "no approximate indexes"
#endif
#if defined(__x86_64__)
#define KERNELS_TEXT "kernels c avx2 avx512"
#elif defined(__aarch64__)
#define KERNELS_TEXT "kernels c neon"
#else
#define KERNELS_TEXT "kernels c"
#endif

const char *physad_build_info(void)
{
    return "physad " PHYSAD_VERSION_STRING "; " PHYSAD_COMPILER "; " KERNELS_TEXT "; " OPENMP_TEXT
           "; OpenBLAS; oneDNN; " VIDEO_TEXT "; " APPROX_TEXT;
}
