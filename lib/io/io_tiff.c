/* SPDX-License-Identifier: Apache-2.0 */
/* TIFF by libtiff over memory. Its process-wide error handlers print; those per file (libtiff 4.5) are used instead, so
 * that no global state is touched. What libtiff unpacks are packed samples; depth, colour and layout are settled here.
 */
#include "io/io_codec.h"

#include <limits.h>
#include <stdio.h>

#include <tiffio.h>

typedef struct reader {
    const physad__encoded *in;
    TIFF *tiff;
    uint64_t at;
    unsigned char *block; /* a strip or tile */
    int64_t height, width;
    uint16_t bits, samples, format, photometric, planar, compression;
    int64_t block_height, block_width;
    bool tiled, no_memory;
    uint16_t *colors[3];
    char text[256]; /* libtiff's first complaint */
} reader;

/* --- libtiff over memory --- */

static tmsize_t on_read(thandle_t handle, void *data, tmsize_t size)
{
    reader *r = handle;
    if (r->at >= r->in->size || size <= 0)
        return 0;
    const uint64_t left = r->in->size - r->at;
    const size_t n = (uint64_t)size < left ? (size_t)size : (size_t)left;
    memcpy(data, r->in->data + r->at, n);
    r->at += n;
    return (tmsize_t)n;
}

static tmsize_t on_no_write(thandle_t handle, void *data, tmsize_t size)
{
    return 0;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    reader *r = handle;
    r->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? r->at + offset : r->in->size + offset;
    return r->at;
}

static int on_close(thandle_t handle)
{
    return 0;
}

static toff_t on_size(thandle_t handle)
{
    return ((reader *)handle)->in->size;
}

__attribute__((format(printf, 4, 0))) static int on_error(TIFF *tiff, void *user, const char *module,
                                                          const char *format, va_list args)
{
    reader *r = user;
    if (r->text[0] == '\0')
        physad__vsnprintf(r->text, sizeof(r->text), format, args);
    r->no_memory = r->no_memory || strstr(r->text, "emory allocation of") != NULL; /* beyond the limit set on opening */
    return 1; /* the handlers of the process are not asked */
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    return 1;
}

static physad_status complain(const reader *r, const char *what)
{
    return physad__decode_error(r->in, r->no_memory ? PHYSAD_ERR_NOMEM : PHYSAD_ERR_FORMAT, (size_t)r->at,
                                "TIFF: %s%s%s", what, r->text[0] != '\0' ? ": " : "", r->text);
}

static physad_status refuse(const reader *r, const char *format, ...) PHYSAD__PRINTF(2, 3);
static physad_status refuse(const reader *r, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return physad__decode_error(r->in, PHYSAD_ERR_UNSUPPORTED, (size_t)TIFFCurrentDirOffset(r->tiff), "TIFF: %s", text);
}

static TIFF *open_memory(reader *r)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL)
        return NULL;
    const int64_t left = physad__decode_memory_left(r->in);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)physad__max(1, physad__min(left, INT64_C(1) << 32)));
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, r);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, r);
    /* m: not mapped, so that all reading is bounded by on_read. */
    TIFF *tiff =
        TIFFClientOpenExt(r->in->name, "rm", r, on_read, on_no_write, on_seek, on_close, on_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

/* --- the directory --- */

static physad_status check_photometric(const reader *r)
{
    switch (r->photometric) {
    case PHOTOMETRIC_MINISWHITE:
        return r->samples == 1 ? PHYSAD_OK : refuse(r, "white as 0 with %d samples per pixel; 1 is read", r->samples);
    case PHOTOMETRIC_MINISBLACK:
        if (r->samples >= 1 && r->samples <= 4)
            return PHYSAD_OK;
        return refuse(r, "%d samples per pixel; 1 to 4 are read", r->samples);
    case PHOTOMETRIC_RGB:
        if (r->samples == 3 || r->samples == 4)
            return PHYSAD_OK;
        return refuse(r, "RGB of %d samples per pixel; 3 and 4 are read", r->samples);
    case PHOTOMETRIC_PALETTE:
        if (r->samples == 1 && r->bits <= 8 && r->format == SAMPLEFORMAT_UINT)
            return PHYSAD_OK;
        return refuse(r, "a palette with %d samples of %d bits; one of at most 8 is read", r->samples, r->bits);
    case PHOTOMETRIC_SEPARATED:
        if (r->samples == 4 && r->bits == 8 && r->format == SAMPLEFORMAT_UINT)
            return PHYSAD_OK;
        return refuse(r, "ink of %d samples of %d bits; CMYK of 8 is read", r->samples, r->bits);
    case PHOTOMETRIC_YCBCR:
        if (r->compression == COMPRESSION_JPEG && r->samples == 3 && r->bits == 8)
            return PHYSAD_OK;
        return refuse(r, "YCbCr without JPEG compression");
    default: return refuse(r, "photometric interpretation %d", r->photometric);
    }
}

static physad_status check_samples(const reader *r)
{
    const uint16_t b = r->bits;
    if (r->format == SAMPLEFORMAT_IEEEFP && (b == 16 || b == 32 || b == 64))
        return PHYSAD_OK;
    if (r->format == SAMPLEFORMAT_UINT && (b == 1 || b == 2 || b == 4 || (b >= 8 && b <= 16)))
        return PHYSAD_OK;
    return refuse(r, "%s samples of %d bits; unsigned of 1, 2, 4 and 8 to 16 and floats of 16, 32 and 64 are read",
                  r->format == SAMPLEFORMAT_INT      ? "signed"
                  : r->format == SAMPLEFORMAT_IEEEFP ? "float"
                  : r->format == SAMPLEFORMAT_UINT   ? "unsigned"
                                                     : "complex or unknown",
                  b);
}

static physad_status read_fields(reader *r)
{
    uint32_t width = 0, height = 0;
    TIFF *t = r->tiff;
    r->photometric = UINT16_MAX;
    if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &height))
        return complain(r, "no width or height");
    r->width = width;
    r->height = height;
    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &r->bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &r->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &r->format);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &r->planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &r->compression);
    if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &r->photometric))
        return complain(r, "no photometric interpretation");
    if (r->format == SAMPLEFORMAT_VOID)
        r->format = SAMPLEFORMAT_UINT;
    if (r->compression == COMPRESSION_OJPEG || !TIFFIsCODECConfigured(r->compression))
        return refuse(r, "compression %d", r->compression);
    PHYSAD__TRY(check_samples(r));
    PHYSAD__TRY(check_photometric(r));
    if (r->photometric == PHOTOMETRIC_YCBCR && r->planar != PLANARCONFIG_CONTIG)
        return refuse(r, "YCbCr in planes");
    if (r->photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (r->photometric == PHOTOMETRIC_PALETTE &&
        !TIFFGetField(t, TIFFTAG_COLORMAP, &r->colors[0], &r->colors[1], &r->colors[2]))
        return complain(r, "no palette");
    return PHYSAD_OK;
}

static int32_t orientation_of(TIFF *tiff)
{
    uint16_t orientation = 1;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

static physad_status read_header(reader *r, physad__pixels *out)
{
    r->tiff = open_memory(r);
    if (r->tiff == NULL)
        return complain(r, "cannot open");
    const int64_t pages = TIFFNumberOfDirectories(r->tiff);
    if (r->in->page >= pages)
        return physad__error(PHYSAD_ERR_ARG, "%s: page %d wanted; it has %lld, counted from 0", r->in->name,
                             r->in->page, (long long)pages);
    if (r->in->page != 0 && !TIFFSetDirectory(r->tiff, (tdir_t)r->in->page))
        return complain(r, "cannot read the page");
    PHYSAD__TRY(read_fields(r));
    PHYSAD__TRY(physad__decode_size(out, r->in, (size_t)TIFFCurrentDirOffset(r->tiff), r->height, r->width));
    const bool colored = r->photometric == PHOTOMETRIC_PALETTE || r->photometric == PHOTOMETRIC_SEPARATED;
    const int32_t channels = colored ? 3 : r->samples;
    if (r->format == SAMPLEFORMAT_IEEEFP)
        physad__decode_kind(out, channels, PHYSAD_F32, 32);
    else
        physad__decode_kind(out, channels, r->bits > 8 ? PHYSAD_U16 : PHYSAD_U8, r->bits > 8 ? r->bits : 8);
    out->info.format = PHYSAD_IMAGE_TIFF;
    out->info.orientation = orientation_of(r->tiff);
    out->info.pages = (int32_t)physad__min(pages, 65535);
    return PHYSAD_OK;
}

/* --- samples --- */

static float half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
    uint32_t v;
    float f;
    if (exponent == 0) { /* zero and subnormals: fraction * 2^-24, exact */
        f = (float)fraction * 0x1p-24f;
        return sign != 0 ? -f : f;
    }
    v = sign | (exponent == 31 ? 255u : exponent + 112u) << 23 | fraction << 13;
    memcpy(&f, &v, sizeof(f));
    return f;
}

static void unpack_floats(const reader *r, float *to, int64_t step, const unsigned char *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++, to += step) {
        uint16_t half;
        double wide;
        if (r->bits == 32) {
            memcpy(to, from + 4 * i, 4);
        } else if (r->bits == 64) {
            memcpy(&wide, from + 8 * i, 8);
            *to = (float)wide;
        } else {
            memcpy(&half, from + 2 * i, 2);
            *to = half_to_float(half);
        }
    }
}

/* `n` packed samples, high bits first, spread over 0..255 where they have fewer than 8 bits and are no palette's. */
static void unpack_bytes(const reader *r, unsigned char *to, int64_t step, const unsigned char *from, int64_t n)
{
    const int bits = r->bits, most = (1 << bits) - 1;
    const int flip = r->photometric == PHOTOMETRIC_MINISWHITE ? most : 0;
    const int spread = r->photometric == PHOTOMETRIC_PALETTE ? 1 : 255 / most;
    for (int64_t i = 0; i < n; i++, to += step) {
        const int64_t bit = i * bits;
        *to = (unsigned char)((((from[bit / 8] >> (8 - bits - bit % 8)) & most) ^ flip) * spread);
    }
}

static void unpack_words(const reader *r, uint16_t *to, int64_t step, const unsigned char *from, int64_t n)
{
    const int bits = r->bits;
    const uint32_t most = (1u << bits) - 1;
    const uint32_t flip = r->photometric == PHOTOMETRIC_MINISWHITE ? most : 0;
    for (int64_t i = 0; i < n; i++, to += step) {
        uint16_t whole; /* of 16 bits libtiff gives the machine's byte order */
        uint32_t v = 0;
        if (bits == 16) {
            memcpy(&whole, from + 2 * i, 2);
            v = whole;
        } else {
            const int64_t first = i * bits, last = first + bits - 1;
            for (int64_t b = first / 8; b <= last / 8; b++)
                v = v << 8 | from[b];
            v = v >> (7 - last % 8) & most;
        }
        *to = (uint16_t)(v ^ flip);
    }
}

static void unpack(const reader *r, unsigned char *to, int64_t step, const unsigned char *from, int64_t n)
{
    const bool whole = r->bits == 8 || (r->bits == 16 && r->format == SAMPLEFORMAT_UINT) || r->bits == 32;
    if (whole && step == 1 && r->photometric != PHOTOMETRIC_MINISWHITE)
        memcpy(to, from, (size_t)n * (r->bits / 8));
    else if (r->format == SAMPLEFORMAT_IEEEFP)
        unpack_floats(r, (float *)(void *)to, step, from, n);
    else if (r->bits > 8)
        unpack_words(r, (uint16_t *)(void *)to, step, from, n);
    else
        unpack_bytes(r, to, step, from, n);
}

static void look_up(const reader *r, unsigned char *rgb, unsigned char *index, int64_t n)
{
    for (int64_t i = n - 1; i >= 0; i--) {
        const int k = index[i];
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (unsigned char)(r->colors[c][k] >> 8);
    }
}

/* --- strips and tiles --- */

/* Bytes of `n` pixels of one block row, as libtiff unpacks them. */
static size_t packed_bytes(const reader *r, int64_t n)
{
    const int64_t samples = r->planar == PLANARCONFIG_CONTIG ? r->samples : 1;
    return ((size_t)n * (size_t)samples * r->bits + 7) / 8;
}

/* Puts rows of the block whose top left pixel is (y, x) into the photo; `plane` is -1 when all samples are together. */
static void place_block(const reader *r, physad__pixels *out, int64_t y, int64_t x, int plane)
{
    const size_t from_bytes = packed_bytes(r, r->block_width), element = physad_dtype_size(out->info.dtype);
    const int64_t rows = physad__min(r->block_height, r->height - y),
                  columns = physad__min(r->block_width, r->width - x);
    const int64_t channels = out->info.channels;
    for (int64_t i = 0; i < rows; i++) {
        unsigned char *to = out->data + (size_t)(((y + i) * r->width + x) * channels) * element;
        unsigned char *from = r->block + (size_t)i * from_bytes;
        if (r->photometric == PHOTOMETRIC_PALETTE) {
            unpack(r, to, 1, from, columns); /* the wide row has room for the indices; backwards in place */
            look_up(r, to, to, columns);
        } else if (r->photometric == PHOTOMETRIC_SEPARATED && plane < 0) {
            physad__cmyk_to_rgb(to, from, columns, false);
        } else if (plane < 0) {
            unpack(r, to, 1, from, columns * channels);
        } else {
            unpack(r, to + (size_t)plane * element, channels, from, columns);
        }
    }
}

static physad_status read_block(reader *r, physad__pixels *out, int64_t y, int64_t x, int plane)
{
    const uint16_t sample = plane < 0 ? 0 : (uint16_t)plane;
    const int64_t rows = r->tiled ? r->block_height : physad__min(r->block_height, r->height - y);
    const tmsize_t want = (tmsize_t)packed_bytes(r, r->block_width) * rows;
    tmsize_t got;
    if (r->tiled)
        got =
            TIFFReadEncodedTile(r->tiff, TIFFComputeTile(r->tiff, (uint32_t)x, (uint32_t)y, 0, sample), r->block, want);
    else
        got = TIFFReadEncodedStrip(r->tiff, TIFFComputeStrip(r->tiff, (uint32_t)y, sample), r->block, want);
    if (got != want || r->text[0] != '\0')
        return complain(r, got >= 0 && got < want ? "a strip or tile is too short" : "cannot unpack a strip or tile");
    place_block(r, out, y, x, plane);
    return physad__cancelled(r->in->ctx);
}

static physad_status read_layout(reader *r)
{
    uint32_t rows = UINT32_MAX, width = 0, height = 0;
    int64_t pixels;
    r->tiled = TIFFIsTiled(r->tiff) != 0;
    if (r->tiled) {
        if (!TIFFGetField(r->tiff, TIFFTAG_TILEWIDTH, &width) || !TIFFGetField(r->tiff, TIFFTAG_TILELENGTH, &height) ||
            width == 0 || height == 0)
            return complain(r, "no size of tiles");
        r->block_width = width;
        r->block_height = height;
    } else {
        TIFFGetFieldDefaulted(r->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
        r->block_width = r->width;
        r->block_height = physad__min(rows, r->height);
        if (rows == 0)
            return complain(r, "strips of no rows");
    }
    if (physad__mul_overflow(r->block_width, r->block_height, &pixels) ||
        pixels > physad__max(r->in->max_pixels, 1 << 20))
        return complain(r, "tiles larger than max_pixels");
    const size_t bytes = packed_bytes(r, r->block_width);
    const tmsize_t says = r->tiled ? TIFFTileRowSize(r->tiff) : TIFFScanlineSize(r->tiff);
    if (says != (tmsize_t)bytes)
        return complain(r, "rows of another size than width and samples give");
    r->block = physad__alloc_array(&r->in->ctx->mem, r->block_height, bytes, r->in->name);
    return r->block != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status read_pixels(reader *r, physad__pixels *out)
{
    const bool planes = r->planar == PLANARCONFIG_SEPARATE && r->samples > 1;
    if (planes && r->photometric == PHOTOMETRIC_SEPARATED)
        return refuse(r, "CMYK in planes");
    PHYSAD__TRY(read_layout(r));
    PHYSAD__TRY(physad__decode_alloc(out, r->in));
    r->text[0] = '\0'; /* a complaint about another page is none about this one */
    r->no_memory = false;
    for (int plane = planes ? 0 : -1; plane < (planes ? r->samples : 0); plane++)
        for (int64_t y = 0; y < r->height; y += r->block_height)
            for (int64_t x = 0; x < r->width; x += r->block_width)
                PHYSAD__TRY(read_block(r, out, y, x, plane));
    return PHYSAD_OK;
}

physad_status physad__tiff_decode(physad__pixels *out, const physad__encoded *in)
{
    reader r = { .in = in };
    physad_status status = read_header(&r, out);
    if (status == PHYSAD_OK && !in->header_only)
        status = read_pixels(&r, out);
    if (r.tiff != NULL)
        TIFFClose(r.tiff);
    physad__free(r.block);
    return status;
}
