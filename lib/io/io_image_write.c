/* SPDX-License-Identifier: Apache-2.0 */
/* Photos to bytes and files. */
#include "io/io_codec.h"
#include "io/io_file.h"

physad_status physad__bytes_put(physad__bytes *b, const void *data, size_t size)
{
    PHYSAD__TRY(physad__grow(b->mem, &b->data, &b->capacity, b->size + (int64_t)size, 1, "encoded photo"));
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += (int64_t)size;
    return PHYSAD_OK;
}

const unsigned char *physad__source_row(const physad__source *s, int64_t y)
{
    const physad_view *v = s->view;
    const size_t element = physad_dtype_size(s->dtype);
    const unsigned char *from = (const unsigned char *)v->data + y * v->stride[0];
    const int64_t channel_step = v->ndim == 3 ? v->stride[2] : (int64_t)element;
    if (v->stride[1] == (int64_t)element * s->channels && channel_step == (int64_t)element) {
        memcpy(s->row, from, (size_t)s->width * (size_t)s->channels * element);
    } else {
        unsigned char *to = s->row;
        for (int64_t x = 0; x < s->width; x++)
            for (int32_t c = 0; c < s->channels; c++, to += element)
                memcpy(to, from + x * v->stride[1] + c * channel_step, element);
    }
    if (v->dtype == PHYSAD_BOOL)
        for (int64_t i = 0; i < s->width * s->channels; i++)
            s->row[i] = s->row[i] != 0 ? 255 : 0;
    return s->row;
}

/* What each format holds. */
typedef struct kind {
    const char *suffix;
    int32_t format;
    bool u8, u16, f32;
    uint32_t channels; /* bit c: c channels */
    const char *holds;
} kind;

static const kind kinds[] = {
    { ".png", PHYSAD_IMAGE_PNG, true, true, false, 0x1E, "u8, u16 and bool with 1 to 4 channels" },
    { ".jpg", PHYSAD_IMAGE_JPEG, true, false, false, 0x0A, "u8 and bool with 1 or 3 channels" },
    { ".jpeg", PHYSAD_IMAGE_JPEG, true, false, false, 0x0A, "u8 and bool with 1 or 3 channels" },
    { ".tif", PHYSAD_IMAGE_TIFF, true, true, true, 0x1E, "u8, u16, f32 and bool with 1 to 4 channels" },
    { ".tiff", PHYSAD_IMAGE_TIFF, true, true, true, 0x1E, "u8, u16, f32 and bool with 1 to 4 channels" },
    { ".pgm", PHYSAD_IMAGE_PNM, true, true, false, 0x02, "u8, u16 and bool with 1 channel" },
    { ".ppm", PHYSAD_IMAGE_PNM, true, true, false, 0x08, "u8 and u16 with 3 channels" },
    { ".pfm", PHYSAD_IMAGE_PNM, false, false, true, 0x0A, "f32 with 1 or 3 channels" },
};
static const kind any_pnm = {
    ".pnm", PHYSAD_IMAGE_PNM, true, true, true, 0x0A, "u8, u16, f32 and bool with 1 or 3 channels"
};

static const kind *kind_of_path(const char *path)
{
    for (int i = 0; i < PHYSAD__COUNT(kinds); i++)
        if (physad__has_suffix(path, kinds[i].suffix))
            return &kinds[i];
    return NULL;
}

static const kind *kind_of_format(int32_t format)
{
    if (format == PHYSAD_IMAGE_PNM)
        return &any_pnm;
    for (int i = 0; i < PHYSAD__COUNT(kinds); i++)
        if (kinds[i].format == format)
            return &kinds[i];
    return NULL;
}

static physad_status describe(physad__source *s, const kind *k, const physad_view *view, const char *name)
{
    char shape[96];
    PHYSAD__TRY(physad__view_check(view, "view"));
    const bool plain = view->ndim == 2 || view->ndim == 3;
    *s = (physad__source){ .view = view, .name = name };
    s->channels = view->ndim == 3 && view->shape[2] <= 4 ? (int32_t)view->shape[2] : view->ndim == 2 ? 1 : 0;
    if (!plain || view->shape[0] == 0 || view->shape[1] == 0 || (k->channels >> s->channels & 1) == 0)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: the view has shape %s; H x W x C is wanted, and a %s file holds %s",
                             name, physad__shape_text(shape, sizeof(shape), view->ndim, view->shape), k->suffix,
                             k->holds);
    s->dtype = view->dtype == PHYSAD_BOOL ? PHYSAD_U8 : view->dtype;
    const bool fits = s->dtype == PHYSAD_U8    ? k->u8
                      : s->dtype == PHYSAD_U16 ? k->u16
                                               : s->dtype == PHYSAD_F32 && k->f32;
    if (!fits)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: the view holds %s, but a %s file holds %s", name,
                             physad_dtype_name(view->dtype), k->suffix, k->holds);
    s->height = view->shape[0];
    s->width = view->shape[1];
    return PHYSAD_OK;
}

static physad_status read_options(physad__source *s, const physad_image_write_options *given)
{
    physad_image_write_options o = PHYSAD_IMAGE_WRITE_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), given, "physad_image_write_options"));
    if (o.jpeg_quality < 0 || o.jpeg_quality > 100)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_image_write_options: jpeg_quality is %d, want 1 to 100, or 0 for 95",
                             o.jpeg_quality);
    if (o.png_compression < 0 || o.png_compression > 9)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_image_write_options: png_compression is %d, want 1 to 9, or 0 for 6",
                             o.png_compression);
    if (o.reserved != 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_write_options: reserved is %d, want 0", o.reserved);
    s->quality = o.jpeg_quality != 0 ? o.jpeg_quality : 95;
    s->compression = o.png_compression != 0 ? o.png_compression : 6;
    return PHYSAD_OK;
}

static physad_status encode(physad__bytes *out, physad_context *ctx, const kind *k, const char *name,
                            const physad_view *view, const physad_image_write_options *options)
{
    physad__source s;
    PHYSAD__TRY(describe(&s, k, view, name));
    PHYSAD__TRY(read_options(&s, options));
    s.row = physad__alloc_array(&ctx->mem, s.width * s.channels, physad_dtype_size(s.dtype), "row of pixels");
    if (s.row == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status;
    switch (k->format) {
    case PHYSAD_IMAGE_JPEG: status = physad__jpeg_encode(out, &s); break;
    case PHYSAD_IMAGE_PNG: status = physad__png_encode(out, &s); break;
    case PHYSAD_IMAGE_TIFF: status = physad__tiff_encode(out, &s); break;
    default: status = physad__pnm_encode(out, &s); break;
    }
    physad__free(s.row);
    return status;
}

physad_status physad__image_encode(unsigned char **bytes, size_t *size, physad_context *ctx, int32_t format,
                                   const char *name, const physad_view *view, const physad_image_write_options *options)
{
    physad__bytes out = { .mem = &ctx->mem };
    const kind *k = kind_of_format(format);
    *bytes = NULL;
    *size = 0;
    if (k == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: format is %d, want a PHYSAD_IMAGE_* other than BMP", name, format);
    const physad_status status = encode(&out, ctx, k, name, view, options);
    if (status != PHYSAD_OK) {
        physad__free(out.data);
        return status;
    }
    *bytes = out.data;
    *size = (size_t)out.size;
    return PHYSAD_OK;
}

physad_status physad_image_write(physad_context *ctx, const char *path, const physad_view *view,
                                 const physad_image_write_options *options)
{
    PHYSAD__TRY(physad__context_check(ctx, "physad_image_write"));
    if (path == NULL || view == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_image_write: %s is NULL", path == NULL ? "path" : "view");
    const kind *k = kind_of_path(path);
    if (k == NULL)
        return physad__error(PHYSAD_ERR_ARG,
                             "%s: the suffix must be .png, .jpg, .jpeg, .tif, .tiff, .pgm, .ppm or .pfm", path);
    physad__bytes out = { .mem = &ctx->mem };
    physad_status status = encode(&out, ctx, k, path, view, options);
    if (status == PHYSAD_OK)
        status = physad__file_write_atomic(&ctx->mem, path, out.data, (size_t)out.size);
    physad__free(out.data);
    return status;
}
