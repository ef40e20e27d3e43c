/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoders share: limits, messages, EXIF, ink. */
#include "io/io_codec.h"

physad_status physad__decode_error(const physad__encoded *in, physad_status status, size_t at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return physad__error(status, "%s: byte %zu: %s", in->name, at, text);
}

physad_status physad__decode_size(physad__pixels *out, const physad__encoded *in, size_t at, int64_t height,
                                  int64_t width)
{
    int64_t pixels;
    if (height <= 0 || width <= 0)
        return physad__decode_error(in, PHYSAD_ERR_FORMAT, at, "the photo has %lld x %lld pixels (width x height)",
                                    (long long)width, (long long)height);
    if (physad__mul_overflow(height, width, &pixels) || pixels > in->max_pixels)
        return physad__decode_error(in, PHYSAD_ERR_FORMAT, at,
                                    "%lld x %lld pixels (width x height) are more than max_pixels, %lld",
                                    (long long)width, (long long)height, (long long)in->max_pixels);
    out->info.height = out->height = height;
    out->info.width = out->width = width;
    return PHYSAD_OK;
}

void physad__decode_kind(physad__pixels *out, int32_t channels, int32_t dtype, int32_t bits)
{
    out->info.channels = channels;
    out->info.dtype = dtype;
    out->info.bits = bits;
}

physad_status physad__decode_alloc(physad__pixels *out, const physad__encoded *in)
{
    const size_t pixel = (size_t)out->info.channels * physad_dtype_size(out->info.dtype);
    out->data = physad__alloc_array(&in->ctx->mem, out->height * out->width, pixel, in->name);
    return out->data != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

int64_t physad__decode_memory_left(const physad__encoded *in)
{
    const uint64_t limit = in->ctx->mem.limit, used = in->ctx->mem.used;
    if (limit == 0 || limit > (uint64_t)INT64_MAX)
        return INT64_MAX;
    return used < limit ? (int64_t)(limit - used) : 0;
}

/* --- EXIF: a TIFF structure, of which one number is wanted --- */

typedef struct exif {
    const unsigned char *data;
    size_t size;
    bool big;
} exif;

static uint32_t exif_number(const exif *e, size_t at, int bytes) /* the caller has checked the bounds */
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v |= (uint32_t)e->data[at + (size_t)i] << 8 * (e->big ? bytes - 1 - i : i);
    return v;
}

int32_t physad__exif_orientation(const unsigned char *data, size_t size)
{
    const exif e = { data, size, size > 0 && data[0] == 'M' };
    if (size < 8 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0))
        return 1;
    const size_t at = exif_number(&e, 4, 4);
    if (at > size - 2)
        return 1;
    const size_t entries = exif_number(&e, at, 2);
    for (size_t i = 0; i < entries && (size - at - 2) / 12 > i; i++) {
        const size_t entry = at + 2 + 12 * i;
        if (exif_number(&e, entry, 2) != 0x0112)
            continue;
        /* A SHORT, or the LONG that some cameras write. */
        const uint32_t type = exif_number(&e, entry + 2, 2);
        const uint32_t value = type == 3   ? exif_number(&e, entry + 8, 2)
                               : type == 4 ? exif_number(&e, entry + 8, 4)
                                           : 1;
        return value >= 1 && value <= 8 ? (int32_t)value : 1;
    }
    return 1;
}

/* --- ink --- */

static inline int product_255(int a, int b) /* a * b / 255, rounded */
{
    const int t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

void physad__cmyk_to_rgb(unsigned char *rgb, const unsigned char *cmyk, int64_t count, bool inverted)
{
    const int flip = inverted ? 255 : 0;
    for (int64_t i = 0; i < count; i++) {
        const int light = 255 - (cmyk[4 * i + 3] ^ flip);
        for (int c = 0; c < 3; c++)
            rgb[3 * i + c] = (unsigned char)(light - product_255(cmyk[4 * i + c] ^ flip, light));
    }
}
