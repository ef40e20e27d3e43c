/* SPDX-License-Identifier: Apache-2.0 */
/* PNG by libpng. Gamma and colour profiles are left alone. */
#include "io/io_codec.h"

#include <setjmp.h>

#include <png.h>

typedef struct reader {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    const physad__encoded *in;
    size_t at;
    bool no_memory;
    physad_status status;
} reader;

static const bool little_endian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

_Noreturn static void on_error(png_structp png, png_const_charp text)
{
    reader *r = png_get_error_ptr(png);
    if (r->no_memory) /* the message of the allocation stands */
        r->status = physad__error_prefix(PHYSAD_ERR_NOMEM, "%s", r->in->name);
    else
        r->status = physad__decode_error(r->in, PHYSAD_ERR_FORMAT, r->at, "PNG: %s", text);
    longjmp(r->jump, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
}

static png_voidp take_memory(png_structp png, png_alloc_size_t size)
{
    reader *r = png_get_mem_ptr(png);
    void *block = physad__alloc(&r->in->ctx->mem, size, "PNG decoder");
    r->no_memory = r->no_memory || block == NULL;
    return block;
}

static void give_memory(png_structp png, png_voidp block)
{
    physad__free(block);
}

static void on_read(png_structp png, png_bytep data, size_t size)
{
    reader *r = png_get_io_ptr(png);
    if (size > r->in->size - r->at)
        png_error(png, "the file ends within the photo");
    memcpy(data, r->in->data + r->at, size);
    r->at += size;
}

static void read_kind(reader *r, physad__pixels *out)
{
    const int color = png_get_color_type(r->png, r->info), depth = png_get_bit_depth(r->png, r->info);
    const bool transparent = png_get_valid(r->png, r->info, PNG_INFO_tRNS) != 0;
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    if (color == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(r->png);
    if (transparent)
        png_set_tRNS_to_alpha(r->png);
    if (depth == 16 && little_endian)
        png_set_swap(r->png);
    const int32_t channels =
        (color & PNG_COLOR_MASK_COLOR ? 3 : 1) + (color & PNG_COLOR_MASK_ALPHA || transparent ? 1 : 0);
    physad__decode_kind(out, channels, depth == 16 ? PHYSAD_U16 : PHYSAD_U8, depth == 16 ? 16 : 8);
    out->info.format = PHYSAD_IMAGE_PNG;
    out->info.pages = 1;
}

static void read_orientation(reader *r, physad__pixels *out)
{
    png_bytep exif;
    png_uint_32 size;
    if (png_get_eXIf_1(r->png, r->info, &size, &exif) != 0)
        out->info.orientation = physad__exif_orientation(exif, size);
}

static physad_status read_header(reader *r, physad__pixels *out)
{
    /* What is not looked at is not unpacked. */
    static const png_byte unused[] = "iCCP\0iTXt\0tEXt\0zTXt\0sPLT\0hIST";
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, unused, 6);
    png_set_user_limits(r->png, 0x7FFFFFFF, 0x7FFFFFFF); /* max_pixels decides */
    png_set_read_fn(r->png, r, on_read);
    png_read_info(r->png, r->info);
    const int64_t height = png_get_image_height(r->png, r->info), width = png_get_image_width(r->png, r->info);
    PHYSAD__TRY(physad__decode_size(out, r->in, r->at, height, width));
    /* Deflate gives at most 1032 bytes for one: a photo that claims more is refused before its memory is taken. */
    const int64_t bits = (int64_t)png_get_channels(r->png, r->info) * png_get_bit_depth(r->png, r->info);
    if ((double)height * (double)width * (double)bits / 8 > 1032.0 * (double)r->in->size)
        return physad__decode_error(r->in, PHYSAD_ERR_FORMAT, r->at, "PNG: %lld x %lld pixels cannot be in %zu bytes",
                                    (long long)width, (long long)height, r->in->size);
    read_kind(r, out);
    out->info.orientation = 1;
    read_orientation(r, out);
    return PHYSAD_OK;
}

static physad_status read_rows(reader *r, physad__pixels *out)
{
    const int passes = png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    const size_t row_bytes = (size_t)out->width * (size_t)out->info.channels * physad_dtype_size(out->info.dtype);
    if (png_get_rowbytes(r->png, r->info) != row_bytes)
        return physad__decode_error(r->in, PHYSAD_ERR_INTERNAL, r->at, "PNG: rows of %zu bytes, want %zu",
                                    png_get_rowbytes(r->png, r->info), row_bytes);
    PHYSAD__TRY(physad__decode_alloc(out, r->in));
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < out->height; y++)
            png_read_row(r->png, out->data + (size_t)y * row_bytes, NULL);
        PHYSAD__TRY(physad__cancelled(r->in->ctx));
    }
    png_read_end(r->png, r->info);
    read_orientation(r, out); /* its chunk may follow the pixels */
    return PHYSAD_OK;
}

static physad_status decode(reader *r, physad__pixels *out)
{
    if (setjmp(r->jump) != 0)
        return r->status;
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, take_memory, give_memory);
    r->info = r->png != NULL ? png_create_info_struct(r->png) : NULL;
    if (r->info == NULL)
        return physad__error_prefix(PHYSAD_ERR_NOMEM, "%s", r->in->name);
    PHYSAD__TRY(read_header(r, out));
    return r->in->header_only ? PHYSAD_OK : read_rows(r, out);
}

physad_status physad__png_decode(physad__pixels *out, const physad__encoded *in)
{
    reader r = { .in = in, .status = PHYSAD_ERR_INTERNAL };
    const physad_status status = decode(&r, out);
    if (r.png != NULL)
        png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}

/* --- encoding --- */

typedef struct writer {
    png_structp png;
    png_infop info;
    jmp_buf jump;
    physad__bytes *out;
    const physad__source *s;
    bool no_memory;
    physad_status status;
} writer;

_Noreturn static void on_write_error(png_structp png, png_const_charp text)
{
    writer *w = png_get_error_ptr(png);
    if (w->no_memory)
        w->status = physad__error_prefix(PHYSAD_ERR_NOMEM, "%s", w->s->name);
    else
        w->status = physad__error(PHYSAD_ERR_ARG, "%s: PNG: %s", w->s->name, text);
    longjmp(w->jump, 1);
}

static png_voidp take_write_memory(png_structp png, png_alloc_size_t size)
{
    writer *w = png_get_mem_ptr(png);
    void *block = physad__alloc(w->out->mem, size, "PNG encoder");
    w->no_memory = w->no_memory || block == NULL;
    return block;
}

static void on_write(png_structp png, png_bytep data, size_t size)
{
    writer *w = png_get_io_ptr(png);
    w->no_memory = physad__bytes_put(w->out, data, size) != PHYSAD_OK;
    if (w->no_memory)
        png_error(png, "no memory");
}

static void on_flush(png_structp png)
{
}

static physad_status encode(writer *w)
{
    static const int colors[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGB_ALPHA };
    const physad__source *s = w->s;
    if (setjmp(w->jump) != 0)
        return w->status;
    w->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, w, on_write_error, on_warning, w, take_write_memory,
                                       give_memory);
    w->info = w->png != NULL ? png_create_info_struct(w->png) : NULL;
    if (w->info == NULL)
        return physad__error_prefix(PHYSAD_ERR_NOMEM, "%s", s->name);
    png_set_user_limits(w->png, 0x7FFFFFFF, 0x7FFFFFFF);
    png_set_write_fn(w->png, w, on_write, on_flush);
    png_set_compression_level(w->png, s->compression);
    png_set_IHDR(w->png, w->info, (png_uint_32)s->width, (png_uint_32)s->height, s->dtype == PHYSAD_U16 ? 16 : 8,
                 colors[s->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    if (s->dtype == PHYSAD_U16 && little_endian)
        png_set_swap(w->png);
    for (int64_t y = 0; y < s->height; y++)
        png_write_row(w->png, physad__source_row(s, y));
    png_write_end(w->png, w->info);
    return PHYSAD_OK;
}

physad_status physad__png_encode(physad__bytes *out, const physad__source *s)
{
    if (s->height > 0x7FFFFFFF || s->width > 0x7FFFFFFF)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: %lld x %lld pixels; PNG holds at most 2147483647 each way", s->name,
                             (long long)s->width, (long long)s->height);
    writer w = { .out = out, .s = s, .status = PHYSAD_ERR_INTERNAL };
    const physad_status status = encode(&w);
    if (w.png != NULL)
        png_destroy_write_struct(&w.png, &w.info);
    return status;
}
