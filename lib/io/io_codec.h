/* SPDX-License-Identifier: Apache-2.0 */
/* The image files' own header: what a decoder gets and gives. Not for other rooms. */
#ifndef PHYSAD__IO_CODEC_H
#define PHYSAD__IO_CODEC_H

#include "io/io_image.h"

typedef struct physad__encoded {
    physad_context *ctx;
    const unsigned char *data;
    size_t size;
    const char *name;
    int64_t max_pixels;
    int32_t jpeg_scale; /* 1, 2, 4, 8 */
    int32_t page;
    bool header_only; /* fill info alone */
} physad__encoded;

typedef struct physad__pixels {
    physad_image_info info;
    int64_t height, width; /* of data: info's, or less by jpeg_scale */
    unsigned char *data;   /* height x width x info.channels of info.dtype, row-major; NULL for headers */
} physad__pixels;

/* A decoder fills info, and unless header_only allocates data; what it allocated stays the caller's on failure too. */
physad_status physad__jpeg_decode(physad__pixels *out, const physad__encoded *in);
physad_status physad__png_decode(physad__pixels *out, const physad__encoded *in);
physad_status physad__tiff_decode(physad__pixels *out, const physad__encoded *in);
physad_status physad__bmp_decode(physad__pixels *out, const physad__encoded *in);
physad_status physad__pnm_decode(physad__pixels *out, const physad__encoded *in);

/* --- what decoders share (io_image_decode.c) --- */

/* Says "name: byte N: text". */
physad_status physad__decode_error(const physad__encoded *in, physad_status status, size_t at, const char *format, ...)
    PHYSAD__PRINTF(4, 5);
/* Refuses empty and too large photos; sets info's size and the pixels' from it. */
physad_status physad__decode_size(physad__pixels *out, const physad__encoded *in, size_t at, int64_t height,
                                  int64_t width);
/* Sets info's channels, dtype and bits. */
void physad__decode_kind(physad__pixels *out, int32_t channels, int32_t dtype, int32_t bits);
/* Allocates data for height x width x channels. */
physad_status physad__decode_alloc(physad__pixels *out, const physad__encoded *in);
/* Bytes the context may still allocate, INT64_MAX without a limit. */
int64_t physad__decode_memory_left(const physad__encoded *in);
/* Orientation 1..8 from a TIFF structure as in EXIF; 1 when there is none or it is damaged. */
int32_t physad__exif_orientation(const unsigned char *data, size_t size);
/* One row of naive ink to RGB, also in place; `inverted`: 255 is no ink, as Adobe writes JPEG. */
void physad__cmyk_to_rgb(unsigned char *rgb, const unsigned char *cmyk, int64_t count, bool inverted);

/* --- turning and converting (io_image_convert.c) --- */

/* Each replaces out->data where it must; `orientation` 1..8 as in EXIF. */
physad_status physad__pixels_orient(physad__pixels *out, const physad__encoded *in, int32_t orientation);
physad_status physad__pixels_to_u8(physad__pixels *out, const physad__encoded *in);
physad_status physad__pixels_channels(physad__pixels *out, const physad__encoded *in, int32_t channels);

/* --- encoding --- */

/* Bytes that grow. */
typedef struct physad__bytes {
    physad__mem *mem;
    unsigned char *data;
    int64_t size, capacity;
} physad__bytes;
physad_status physad__bytes_put(physad__bytes *b, const void *data, size_t size);

/* What an encoder gets: packed rows, one at a time. */
typedef struct physad__source {
    const physad_view *view;
    const char *name;
    unsigned char *row; /* one packed row, 64-byte aligned */
    int64_t height, width;
    int32_t channels;
    int32_t dtype; /* PHYSAD_U8, _U16 or _F32: bool is read as u8 */
    int32_t quality, compression;
} physad__source;
/* The packed row y; valid until the next call. */
const unsigned char *physad__source_row(const physad__source *s, int64_t y);

physad_status physad__jpeg_encode(physad__bytes *out, const physad__source *s);
physad_status physad__png_encode(physad__bytes *out, const physad__source *s);
physad_status physad__tiff_encode(physad__bytes *out, const physad__source *s);
physad_status physad__pnm_encode(physad__bytes *out, const physad__source *s);

#endif
