/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_av.h"

#include <dlfcn.h>

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)
#define SONAME(lib, major) "lib" lib ".so." STRINGIFY(major)

typedef struct symbol {
    const char *name;
    size_t offset;
} symbol;

#define SYMBOL(function) { #function, offsetof(physad__av, function) },

static const symbol util_symbols[] = { PHYSAD__AV_UTIL(SYMBOL) };
static const symbol codec_symbols[] = { PHYSAD__AV_CODEC(SYMBOL) };
static const symbol format_symbols[] = { PHYSAD__AV_FORMAT(SYMBOL) };
static const symbol scale_symbols[] = { PHYSAD__AV_SCALE(SYMBOL) };

/* The first symbol of each tells the version. Structures of FFmpeg are used as the headers lay them out, so the major
 * version must be the headers'; its SONAME is that number. */
static const struct library {
    const char *soname;
    unsigned major;
    const symbol *symbols;
    int64_t count;
} libraries[] = {
    { SONAME("avutil", LIBAVUTIL_VERSION_MAJOR), LIBAVUTIL_VERSION_MAJOR, util_symbols, PHYSAD__COUNT(util_symbols) },
    { SONAME("avcodec", LIBAVCODEC_VERSION_MAJOR), LIBAVCODEC_VERSION_MAJOR, codec_symbols,
      PHYSAD__COUNT(codec_symbols) },
    { SONAME("avformat", LIBAVFORMAT_VERSION_MAJOR), LIBAVFORMAT_VERSION_MAJOR, format_symbols,
      PHYSAD__COUNT(format_symbols) },
    { SONAME("swscale", LIBSWSCALE_VERSION_MAJOR), LIBSWSCALE_VERSION_MAJOR, scale_symbols,
      PHYSAD__COUNT(scale_symbols) },
};

static physad_status load_library(physad__av *av, int64_t i)
{
    const struct library *l = &libraries[i];
    unsigned (*version)(void);
    /* Unloading and loading again would cost the start each time, and some codec libraries do not bear it. */
    av->libraries[i] = dlopen(l->soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (av->libraries[i] == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "video: FFmpeg's %s cannot be loaded (%s); install it to read video files", l->soname,
                             dlerror());
    for (int64_t k = 0; k < l->count; k++) {
        void *address = dlsym(av->libraries[i], l->symbols[k].name);
        if (address == NULL)
            return physad__error(PHYSAD_ERR_UNSUPPORTED, "video: %s has no %s", l->soname, l->symbols[k].name);
        memcpy((char *)av + l->symbols[k].offset, &address, sizeof(address));
    }
    memcpy(&version, (char *)av + l->symbols[0].offset, sizeof(version));
    if (version() >> 16 != l->major)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "video: %s is of version %u, but this library was built for %u",
                             l->soname, version() >> 16, l->major);
    return PHYSAD_OK;
}

physad_status physad__av_load(physad__av *av)
{
    physad_status status = PHYSAD_OK;
    memset(av, 0, sizeof(*av));
    for (int64_t i = 0; i < PHYSAD__COUNT(libraries) && status == PHYSAD_OK; i++)
        status = load_library(av, i);
    if (status != PHYSAD_OK)
        physad__av_unload(av);
    return status;
}

void physad__av_unload(physad__av *av)
{
    for (int64_t i = PHYSAD__COUNT(libraries) - 1; i >= 0; i--)
        if (av->libraries[i] != NULL)
            dlclose(av->libraries[i]);
    memset(av, 0, sizeof(*av));
}

physad_status physad__av_error(const physad__av *av, int code, const char *name, const char *what)
{
    char reason[AV_ERROR_MAX_STRING_SIZE] = "";
    physad_status status = PHYSAD_ERR_FORMAT;
    av->av_strerror(code, reason, sizeof(reason));
    if (code == AVERROR(ENOMEM))
        status = PHYSAD_ERR_NOMEM;
    else if (code == AVERROR(EIO) || code == AVERROR(EPERM) || code == AVERROR(EACCES))
        status = PHYSAD_ERR_IO;
    else if (code == AVERROR_DECODER_NOT_FOUND || code == AVERROR_ENCODER_NOT_FOUND || code == AVERROR_PATCHWELCOME)
        status = PHYSAD_ERR_UNSUPPORTED;
    return physad__error(status, "%s: %s: %s", name, what, reason);
}

void physad__av_silence(AVClass *class, const AVClass **object_class, int offset)
{
    *class = **object_class;
    class->log_level_offset_offset = offset;
    *object_class = class;
}
