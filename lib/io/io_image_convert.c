/* SPDX-License-Identifier: Apache-2.0 */
/* Orientation, depth and channels of decoded pixels. */
#include "io/io_codec.h"

/* Row and column of the turned photo, as steps in the stored one. */
typedef struct turn {
    int64_t start, row, column; /* in pixels */
} turn;

static turn turn_of(int32_t orientation, int64_t h, int64_t w)
{
    switch (orientation) {
    case 2: return (turn){ w - 1, w, -1 };               /* mirrored left-right */
    case 3: return (turn){ h * w - 1, -w, -1 };          /* turned by 180 degrees */
    case 4: return (turn){ (h - 1) * w, -w, 1 };         /* mirrored top-bottom */
    case 5: return (turn){ 0, 1, w };                    /* transposed */
    case 6: return (turn){ (h - 1) * w, 1, -w };         /* to be turned clockwise */
    case 7: return (turn){ h * w - 1, -1, -w };          /* transposed across the other diagonal */
    case 8: return (turn){ w - 1, -1, w };               /* to be turned anticlockwise */
    default: return (turn){ 0, w, 1 };
    }
}

physad_status physad__pixels_orient(physad__pixels *out, const physad__encoded *in, int32_t orientation)
{
    if (orientation <= 1 || orientation > 8)
        return PHYSAD_OK;
    const size_t pixel = (size_t)out->info.channels * physad_dtype_size(out->info.dtype);
    const turn t = turn_of(orientation, out->height, out->width);
    const int64_t h = orientation >= 5 ? out->width : out->height, w = orientation >= 5 ? out->height : out->width;
    unsigned char *turned = physad__alloc_array(&in->ctx->mem, h * w, pixel, in->name);
    if (turned == NULL)
        return PHYSAD_ERR_NOMEM;
    unsigned char *to = turned;
    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++, to += pixel)
            memcpy(to, out->data + (size_t)(t.start + y * t.row + x * t.column) * pixel, pixel);
    }
    physad__free(out->data);
    out->data = turned;
    out->height = h;
    out->width = w;
    return PHYSAD_OK;
}

physad_status physad__pixels_to_u8(physad__pixels *out, const physad__encoded *in)
{
    if (out->info.dtype == PHYSAD_U8)
        return PHYSAD_OK;
    if (out->info.dtype != PHYSAD_U16)
        return physad__error(PHYSAD_ERR_DTYPE,
                             "%s: the photo holds %s, whose range nothing tells: read it as stored and scale it",
                             in->name, physad_dtype_name(out->info.dtype));
    const int64_t count = out->height * out->width * out->info.channels;
    unsigned char *bytes = physad__alloc(&in->ctx->mem, (size_t)count, in->name);
    if (bytes == NULL)
        return PHYSAD_ERR_NOMEM;
    const uint16_t *words = (const uint16_t *)(const void *)out->data;
    const int shift = out->info.bits - 8;
    for (int64_t i = 0; i < count; i++) {
        const int v = words[i] >> shift;
        bytes[i] = (unsigned char)(v < 255 ? v : 255);
    }
    physad__free(out->data);
    out->data = bytes;
    out->info.dtype = PHYSAD_U8;
    out->info.bits = 8;
    return PHYSAD_OK;
}

/* The luma of `count` pixels of `from` channels, or their first channel where they are grey already. */
#define DEFINE_GRAY(type, luma)                                                          \
    static void gray_##type(type *to, const type *px, int64_t count, int32_t from)       \
    {                                                                                    \
        for (int64_t i = 0; i < count; i++, px += from)                                  \
            to[i] = from < 3 ? px[0] : (type)(luma);                                     \
    }
/* u16 needs 32 bits unsigned: 65535 * 65536 + 32768 is below 2^32. */
DEFINE_GRAY(uint8_t, (19595u * px[0] + 38470u * px[1] + 7471u * px[2] + 32768u) >> 16)
DEFINE_GRAY(uint16_t, (19595u * px[0] + 38470u * px[1] + 7471u * px[2] + 32768u) >> 16)
DEFINE_GRAY(float, (19595.0f * px[0] + 38470.0f * px[1] + 7471.0f * px[2]) / 65536.0f)

#define DEFINE_RGB(type)                                                                 \
    static void rgb_##type(type *to, const type *px, int64_t count, int32_t from)        \
    {                                                                                    \
        const int green = from >= 3 ? 1 : 0, blue = from >= 3 ? 2 : 0;                   \
        for (int64_t i = 0; i < count; i++, px += from, to += 3) {                       \
            to[0] = px[0];                                                               \
            to[1] = px[green];                                                           \
            to[2] = px[blue];                                                            \
        }                                                                                \
    }
DEFINE_RGB(uint8_t)
DEFINE_RGB(uint16_t)
DEFINE_RGB(float)

physad_status physad__pixels_channels(physad__pixels *out, const physad__encoded *in, int32_t channels)
{
    const int32_t from = out->info.channels;
    if (channels == from || channels == PHYSAD_IMAGE_AS_IS)
        return PHYSAD_OK;
    const int64_t count = out->height * out->width;
    void *to =
        physad__alloc_array(&in->ctx->mem, count, (size_t)channels * physad_dtype_size(out->info.dtype), in->name);
    if (to == NULL)
        return PHYSAD_ERR_NOMEM;
    const void *data = out->data;
    const bool gray = channels == PHYSAD_IMAGE_GRAY;
    if (out->info.dtype == PHYSAD_U8)
        (gray ? gray_uint8_t : rgb_uint8_t)(to, data, count, from);
    else if (out->info.dtype == PHYSAD_U16)
        (gray ? gray_uint16_t : rgb_uint16_t)(to, data, count, from);
    else
        (gray ? gray_float : rgb_float)(to, data, count, from);
    physad__free(out->data);
    out->data = to;
    out->info.channels = channels;
    return PHYSAD_OK;
}
