/* SPDX-License-Identifier: Apache-2.0 */
/* What this build consists of, and under which licences. */
#include "core/core.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_VIDEO
#include <dlfcn.h>
#include <libavcodec/version.h>
#endif

static const char *const PARTS[][2] = {
    { "libphysad", "Apache-2.0" },
    { "oneDNN", "Apache-2.0" },
    { "OpenBLAS", "BSD-3-Clause" },
    { "LAPACKE", "BSD-3-Clause" },
    { "libjpeg-turbo", "IJG AND BSD-3-Clause AND Zlib" },
    { "libpng", "libpng-2.0" },
    { "libtiff", "libtiff" },
    { "zlib", "Zlib" },
    { "libcrypto", "Apache-2.0" },
    { "jansson", "MIT" },
#ifdef PHYSAD_HAVE_OPENMP
    { "OpenMP runtime", "GPL-3.0-or-later WITH GCC-exception-3.1 (libgomp)" },
#endif
#ifdef PHYSAD_HAVE_APPROX
    { "FAISS", "MIT" },
#endif
#ifdef PHYSAD_HAVE_VIDEO
    { "FFmpeg", NULL }, /* it tells itself how it was built */
#endif
};

#ifdef PHYSAD_HAVE_VIDEO
/* It is loaded when it is needed, see lib/io/io_av.h, and stays: so does its text. */
static const char *ffmpeg_licence(void)
{
    char soname[32];
    const char *(*licence)(void);
    physad__snprintf(soname, sizeof(soname), "libavcodec.so.%d", LIBAVCODEC_VERSION_MAJOR);
    void *library = dlopen(soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    void *address = library != NULL ? dlsym(library, "avcodec_license") : NULL;
    memcpy(&licence, &address, sizeof(licence));
    const char *text = address != NULL ? licence() : "not installed";
    if (library != NULL)
        dlclose(library);
    return text;
}
#endif

int64_t physad_part_count(void)
{
    return PHYSAD__COUNT(PARTS);
}

const char *physad_part_name(int64_t index)
{
    return index >= 0 && index < physad_part_count() ? PARTS[index][0] : NULL;
}

const char *physad_part_licence(int64_t index)
{
    if (index < 0 || index >= physad_part_count())
        return NULL;
#ifdef PHYSAD_HAVE_VIDEO
    if (PARTS[index][1] == NULL)
        return ffmpeg_licence();
#endif
    return PARTS[index][1];
}
