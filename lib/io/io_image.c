/* SPDX-License-Identifier: Apache-2.0 */
/* Public functions of photos: reading. */
#include "io/io_codec.h"
#include "io/io_file.h"

struct physad_image {
    physad_context *ctx;
    physad_image_info info;
    unsigned char *data;
    int64_t height, width;
};

typedef physad_status (*decode_fn)(physad__pixels *out, const physad__encoded *in);

static const uint64_t default_pixels = UINT64_C(1) << 28, default_bytes = UINT64_C(1) << 31;
static const uint64_t most_pixels = INT64_MAX / 256; /* so that the bits of four samples of 64 can be counted */

static physad_status read_options(physad_image_options *o, const physad_image_options *given)
{
    *o = (physad_image_options)PHYSAD_IMAGE_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), given, "physad_image_options"));
    if (o->channels != PHYSAD_IMAGE_AS_IS && o->channels != PHYSAD_IMAGE_GRAY && o->channels != PHYSAD_IMAGE_RGB)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_image_options: channels is %d, want 0 (as stored), 1 (grey) or 3 (RGB)",
                             o->channels);
    if (o->dtype != 0 && o->dtype != PHYSAD_U8)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_options: dtype is %d, want 0 (as stored) or PHYSAD_U8",
                             o->dtype);
    if (o->jpeg_scale == 0)
        o->jpeg_scale = 1;
    if (o->jpeg_scale != 1 && o->jpeg_scale != 2 && o->jpeg_scale != 4 && o->jpeg_scale != 8)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_options: jpeg_scale is %d, want 1, 2, 4 or 8",
                             o->jpeg_scale);
    if (o->page < 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_options: page is %d, want 0 or more", o->page);
    if (o->max_pixels == 0)
        o->max_pixels = default_pixels;
    if (o->max_pixels > most_pixels)
        o->max_pixels = most_pixels;
    if (o->max_bytes == 0)
        o->max_bytes = default_bytes;
    return PHYSAD_OK;
}

/* What the first bytes say, or NULL. */
static decode_fn recognise(const unsigned char *d, size_t n)
{
    if (n >= 3 && memcmp(d, "\xFF\xD8\xFF", 3) == 0)
        return physad__jpeg_decode;
    if (n >= 8 && memcmp(d, "\x89PNG\r\n\x1A\n", 8) == 0)
        return physad__png_decode;
    if (n >= 4 && (memcmp(d, "II*\0", 4) == 0 || memcmp(d, "MM\0*", 4) == 0 || memcmp(d, "II+\0", 4) == 0 ||
                   memcmp(d, "MM\0+", 4) == 0))
        return physad__tiff_decode;
    if (n >= 2 && memcmp(d, "BM", 2) == 0)
        return physad__bmp_decode;
    if (n >= 3 && d[0] == 'P' && ((d[1] >= '1' && d[1] <= '6') || d[1] == 'f' || d[1] == 'F') &&
        (d[2] == '#' || d[2] == ' ' || (d[2] >= '\t' && d[2] <= '\r')))
        return physad__pnm_decode;
    return NULL;
}

/* Formats that people try, to be told by name. */
static const char *foreign_name(const unsigned char *d, size_t n)
{
    if (n >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0)
        return "WebP";
    if (n >= 6 && memcmp(d, "GIF8", 4) == 0)
        return "GIF";
    if (n >= 12 && memcmp(d + 4, "ftypavi", 7) == 0)
        return "AVIF";
    if (n >= 12 && (memcmp(d + 4, "ftyphei", 7) == 0 || memcmp(d + 4, "ftypmif", 7) == 0))
        return "HEIF";
    if (n >= 12 && memcmp(d, "\0\0\0\x0CjP  \r\n\x87\n", 12) == 0)
        return "JPEG 2000";
    if (n >= 4 && memcmp(d, "\x76\x2F\x31\x01", 4) == 0)
        return "OpenEXR";
    if (n >= 6 && memcmp(d, "\x93NUMPY", 6) == 0)
        return ".npy";
    return NULL;
}

static physad_status decode(physad__pixels *out, const physad__encoded *in, const physad_image_options *o)
{
    static const char wanted[] = "JPEG, PNG, TIFF, BMP and PNM are read";
    const decode_fn decoder = recognise(in->data, in->size);
    if (in->size > o->max_bytes)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %zu bytes, the limit is %llu", in->name, in->size,
                             (unsigned long long)o->max_bytes);
    if (in->size == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the file is empty", in->name);
    if (decoder == NULL) {
        const char *foreign = foreign_name(in->data, in->size);
        if (foreign != NULL)
            return physad__decode_error(in, PHYSAD_ERR_UNSUPPORTED, 0, "%s; %s", foreign, wanted);
        return physad__decode_error(in, PHYSAD_ERR_FORMAT, 0, "no photo of a known format; %s", wanted);
    }
    if (in->page != 0 && decoder != physad__tiff_decode)
        return physad__error(PHYSAD_ERR_ARG, "%s: page %d wanted; it has 1, counted from 0", in->name, in->page);
    PHYSAD__TRY(decoder(out, in));
    if (in->header_only)
        return PHYSAD_OK;
    if (o->dtype == PHYSAD_U8)
        PHYSAD__TRY(physad__pixels_to_u8(out, in));
    PHYSAD__TRY(physad__pixels_channels(out, in, o->channels));
    return o->apply_orientation != 0 ? physad__pixels_orient(out, in, out->info.orientation) : PHYSAD_OK;
}

static physad__encoded encoded_of(physad_context *ctx, const void *bytes, size_t size, const char *name,
                                  const physad_image_options *o, bool header_only)
{
    return (physad__encoded){ ctx, bytes, size, name, (int64_t)o->max_pixels, o->jpeg_scale, o->page, header_only };
}

static physad_status make_image(physad_image **out, physad_context *ctx, const void *bytes, size_t size,
                                const char *name, const physad_image_options *o)
{
    physad__pixels pixels = { .data = NULL };
    const physad__encoded in = encoded_of(ctx, bytes, size, name, o, false);
    physad_image *image = physad__alloc(&ctx->mem, sizeof(*image), "photo");
    physad_status status = image == NULL ? PHYSAD_ERR_NOMEM : decode(&pixels, &in, o);
    if (status != PHYSAD_OK) {
        physad__free(pixels.data);
        physad__free(image);
        return status;
    }
    *image = (physad_image){ physad__context_retain(ctx), pixels.info, pixels.data, pixels.height, pixels.width };
    *out = image;
    return PHYSAD_OK;
}

physad_status physad_image_read_memory(physad_image **out, physad_context *ctx, const void *bytes, size_t size,
                                       const char *name, const physad_image_options *options)
{
    physad_image_options o;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_read_memory: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_image_read_memory"));
    if (bytes == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_read_memory: bytes is NULL");
    PHYSAD__TRY(read_options(&o, options));
    return make_image(out, ctx, bytes, size, name != NULL ? name : "image", &o);
}

/* Read, not mapped: photos come from shared folders and cameras, and one that is rewritten meanwhile must not end us.
 */
physad_status physad_image_read(physad_image **out, physad_context *ctx, const char *path,
                                const physad_image_options *options)
{
    physad_image_options o;
    unsigned char *bytes;
    size_t size;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_read: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_image_read"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_read: path is NULL");
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__file_read(&bytes, &size, &ctx->mem, path, o.max_bytes));
    const physad_status status = make_image(out, ctx, bytes, size, path, &o);
    physad__free(bytes);
    return status;
}

physad_status physad_image_probe(physad_image_info *info, physad_context *ctx, const char *path,
                                 const physad_image_options *options)
{
    physad_image_options o;
    physad__pixels pixels = { .data = NULL };
    unsigned char *bytes;
    size_t size;
    if (info == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_probe: info is NULL");
    memset(info, 0, sizeof(*info));
    PHYSAD__TRY(physad__context_check(ctx, "physad_image_probe"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_probe: path is NULL");
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__file_read(&bytes, &size, &ctx->mem, path, o.max_bytes));
    const physad__encoded in = encoded_of(ctx, bytes, size, path, &o, true);
    const physad_status status = decode(&pixels, &in, &o);
    physad__free(bytes);
    if (status == PHYSAD_OK)
        *info = pixels.info;
    return status;
}

physad_status physad__image_copy(physad_image **out, physad_context *ctx, const physad_view *view)
{
    const int64_t channels = view->ndim == 3 ? view->shape[2] : 1, size = (int64_t)physad_dtype_size(view->dtype);
    physad_image *image = physad__alloc_zero(&ctx->mem, sizeof(*image), "photo");
    unsigned char *to = physad__alloc(&ctx->mem, (size_t)(physad__view_count(view) * size), "photo");
    *out = NULL;
    if (image == NULL || to == NULL) {
        physad__free(image);
        physad__free(to);
        return PHYSAD_ERR_NOMEM;
    }
    *image = (physad_image){
        .ctx = physad__context_retain(ctx), .data = to, .height = view->shape[0], .width = view->shape[1]
    };
    image->info = (physad_image_info){ .height = image->height,
                                       .width = image->width,
                                       .channels = (int32_t)channels,
                                       .dtype = view->dtype,
                                       .bits = (int32_t)(size * 8),
                                       .orientation = 1,
                                       .pages = 1 };
    for (int64_t y = 0; y < image->height; y++) {
        for (int64_t x = 0; x < image->width; x++) {
            const char *p = (const char *)view->data + y * view->stride[0] + x * view->stride[1];
            for (int64_t c = 0; c < channels; c++, to += size)
                memcpy(to, p + (view->ndim == 3 ? c * view->stride[2] : 0), (size_t)size);
        }
    }
    *out = image;
    return PHYSAD_OK;
}

physad_view physad_image_view(const physad_image *image)
{
    if (image == NULL)
        return (physad_view){ .data = NULL };
    const int64_t shape[3] = { image->height, image->width, image->info.channels };
    physad_view view = physad_view_array(image->data, image->info.dtype, 3, shape);
    view.flags |= PHYSAD_VIEW_READONLY;
    return view;
}

physad_image_info physad_image_describe(const physad_image *image)
{
    return image != NULL ? image->info : (physad_image_info){ 0 };
}

void physad_image_free(physad_image *image)
{
    if (image == NULL)
        return;
    physad_context *ctx = image->ctx;
    physad__free(image->data);
    physad__free(image);
    physad_context_free(ctx);
}
