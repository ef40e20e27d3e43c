/* SPDX-License-Identifier: Apache-2.0 */
/* TIFF written by libtiff into memory: deflate, lossless; differences of neighbours for integers (predictor 2). */
#include "io/io_codec.h"

#include <stdio.h>

#include <tiffio.h>

typedef struct writer {
    physad__bytes *out;
    const physad__source *s;
    int64_t at;
    physad_status status; /* of the memory */
    char text[256];
} writer;

static tmsize_t on_no_read(thandle_t handle, void *data, tmsize_t size)
{
    return 0;
}

/* libtiff goes back to fill in offsets. */
static tmsize_t on_write(thandle_t handle, void *data, tmsize_t size)
{
    writer *w = handle;
    physad__bytes *b = w->out;
    const int64_t end = w->at + size;
    if (end > b->size) {
        w->status = physad__grow(b->mem, &b->data, &b->capacity, end, 1, "TIFF encoder");
        if (w->status != PHYSAD_OK)
            return 0;
        if (w->at > b->size)
            memset(b->data + b->size, 0, (size_t)(w->at - b->size));
        b->size = end;
    }
    memcpy(b->data + w->at, data, (size_t)size);
    w->at = end;
    return size;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    writer *w = handle;
    const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? w->at : w->out->size;
    w->at = base + (int64_t)offset;
    return (toff_t)w->at;
}

static int on_close(thandle_t handle)
{
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return (toff_t)((writer *)handle)->out->size;
}

__attribute__((format(printf, 4, 0))) static int on_error(TIFF *tiff, void *user, const char *module,
                                                          const char *format, va_list args)
{
    writer *w = user;
    if (w->text[0] == '\0')
        physad__vsnprintf(w->text, sizeof(w->text), format, args);
    return 1;
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    return 1;
}

static TIFF *open_memory(writer *w)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL)
        return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, w);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, w);
    TIFF *tiff =
        TIFFClientOpenExt(w->s->name, "wm", w, on_no_read, on_write, on_seek, on_close, on_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static bool set_fields(TIFF *t, const physad__source *s)
{
    const bool real = s->dtype == PHYSAD_F32, color = s->channels >= 3;
    const uint16_t extra[1] = { EXTRASAMPLE_UNASSALPHA };
    bool ok = TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)s->width) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)s->height) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, (int)(8 * physad_dtype_size(s->dtype))) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, s->channels) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, real ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_PHOTOMETRIC, color ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK) == 1;
    if (s->channels == 2 || s->channels == 4)
        ok = ok && TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, extra) == 1;
    ok = ok && TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE) == 1;
    ok = ok && (real || TIFFSetField(t, TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL) == 1);
    return ok && TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, TIFFDefaultStripSize(t, 0)) == 1;
}

physad_status physad__tiff_encode(physad__bytes *out, const physad__source *s)
{
    if (s->height > UINT32_MAX - 1 || s->width > INT32_MAX)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: %lld x %lld pixels are more than TIFF holds", s->name,
                             (long long)s->width, (long long)s->height);
    writer w = { .out = out, .s = s, .status = PHYSAD_OK };
    TIFF *t = open_memory(&w);
    bool ok = t != NULL && set_fields(t, s);
    for (int64_t y = 0; ok && y < s->height; y++) {
        /* It may turn bytes in place: the row is ours and packed anew each time. */
        ok = TIFFWriteScanline(t, (void *)(uintptr_t)physad__source_row(s, y), (uint32_t)y, 0) == 1;
    }
    ok = ok && TIFFFlush(t) == 1;
    if (t != NULL)
        TIFFClose(t);
    if (w.status != PHYSAD_OK)
        return physad__error_prefix(w.status, "%s", s->name);
    if (ok && w.text[0] == '\0')
        return PHYSAD_OK;
    return physad__error(t == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_ERR_INTERNAL, "%s: TIFF: cannot write: %s", s->name,
                         w.text);
}
