/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG by libjpeg-turbo: accurate integer DCT, smooth ("fancy") upsampling, which are its defaults. */
#include "io/io_codec.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

#define MAX_SCANS 100 /* progressive files have about ten; each scan costs a pass over the whole photo */

typedef struct reader {
    struct jpeg_decompress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const physad__encoded *in;
    unsigned char *cmyk_row;
    physad_status status;
} reader;

static size_t place(const reader *r)
{
    return r->c.src == NULL ? 0 : r->in->size - r->c.src->bytes_in_buffer;
}

_Noreturn static void fail(reader *r, physad_status status, const char *text)
{
    r->status = physad__decode_error(r->in, status, place(r), "JPEG: %s", text);
    longjmp(r->jump, 1);
}

static physad_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE: /* max_memory_to_use is reached */ return PHYSAD_ERR_NOMEM;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL: return PHYSAD_ERR_UNSUPPORTED;
    default: return PHYSAD_ERR_FORMAT;
    }
}

static void on_error(j_common_ptr c)
{
    reader *r = c->client_data;
    char text[JMSG_LENGTH_MAX];
    c->err->format_message(c, text);
    const int code = c->err->msg_code;
    if (code == JERR_BAD_PRECISION)
        physad__snprintf(text, sizeof(text), "%d bits per sample; only 8 are read", c->err->msg_parm.i[0]);
    if (code == JERR_NO_BACKING_STORE)
        physad__snprintf(text, sizeof(text), "decoding needs more than the context's memory limit leaves");
    fail(r, status_of(code), text);
}

/* libjpeg paints over damage and calls it a warning. Pixels that were never in the file are worse than no photo. */
static void on_message(j_common_ptr c, int level)
{
    if (level >= 0)
        return;
    switch (c->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION: on_error(c); break;
    default: c->err->num_warnings++; break;
    }
}

static void no_output(j_common_ptr c)
{
}

static void on_progress(j_common_ptr c)
{
    reader *r = c->client_data;
    if (r->c.input_scan_number > MAX_SCANS)
        fail(r, PHYSAD_ERR_FORMAT, "more than 100 scans");
    r->status = physad__cancelled(r->in->ctx);
    if (r->status != PHYSAD_OK)
        longjmp(r->jump, 1);
}

static void read_orientation(reader *r, physad__pixels *out)
{
    out->info.orientation = 1;
    for (jpeg_saved_marker_ptr m = r->c.marker_list; m != NULL; m = m->next) {
        if (m->marker != JPEG_APP0 + 1 || m->data_length < 6 || memcmp(m->data, "Exif\0\0", 6) != 0)
            continue;
        out->info.orientation = physad__exif_orientation(m->data + 6, m->data_length - 6);
        return;
    }
}

static physad_status read_header(reader *r, physad__pixels *out)
{
    const physad__encoded *in = r->in;
    struct jpeg_decompress_struct *c = &r->c;
    jpeg_mem_src(c, in->data, (unsigned long)in->size);
    jpeg_save_markers(c, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(c, TRUE);
    if (c->data_precision != 8)
        return physad__decode_error(in, PHYSAD_ERR_UNSUPPORTED, place(r), "JPEG: %d bits per sample; only 8 are read",
                                    c->data_precision);
    if (c->num_components == 2 || c->num_components > 4)
        return physad__decode_error(in, PHYSAD_ERR_UNSUPPORTED, place(r), "JPEG: %d components; 1, 3 and 4 are read",
                                    c->num_components);
    PHYSAD__TRY(physad__decode_size(out, in, place(r), c->image_height, c->image_width));
    out->info.format = PHYSAD_IMAGE_JPEG;
    out->info.pages = 1;
    physad__decode_kind(out, c->num_components == 1 ? 1 : 3, PHYSAD_U8, 8);
    read_orientation(r, out);
    return PHYSAD_OK;
}

static physad_status read_rows(reader *r, physad__pixels *out)
{
    struct jpeg_decompress_struct *c = &r->c;
    const bool ink = c->num_components == 4;
    c->out_color_space = ink ? JCS_CMYK : c->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    c->scale_num = 1;
    c->scale_denom = (unsigned)r->in->jpeg_scale;
    c->dct_method = JDCT_ISLOW;
    c->do_fancy_upsampling = TRUE;
    jpeg_calc_output_dimensions(c);
    out->height = c->output_height;
    out->width = c->output_width;
    PHYSAD__TRY(physad__decode_alloc(out, r->in));
    if (ink) {
        r->cmyk_row = physad__alloc_array(&r->in->ctx->mem, out->width, 4, "row of ink");
        if (r->cmyk_row == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    /* The coefficients of a progressive photo, which are the larger part, must fit beside the pixels. */
    c->mem->max_memory_to_use = (long)physad__max(1, physad__decode_memory_left(r->in));
    jpeg_start_decompress(c);
    const size_t row_bytes = (size_t)out->width * (size_t)out->info.channels;
    while (c->output_scanline < c->output_height) {
        unsigned char *row = out->data + row_bytes * c->output_scanline;
        JSAMPROW target = ink ? r->cmyk_row : row;
        jpeg_read_scanlines(c, &target, 1);
        if (ink)
            physad__cmyk_to_rgb(row, r->cmyk_row, out->width, true);
    }
    jpeg_finish_decompress(c);
    return PHYSAD_OK;
}

/* Everything that libjpeg may leave by longjmp; no local of this function lives across one. */
static physad_status decode(reader *r, physad__pixels *out)
{
    if (setjmp(r->jump) != 0)
        return r->status;
    jpeg_create_decompress(&r->c);
    r->c.progress = &r->progress;
    PHYSAD__TRY(read_header(r, out));
    return r->in->header_only ? PHYSAD_OK : read_rows(r, out);
}

physad_status physad__jpeg_decode(physad__pixels *out, const physad__encoded *in)
{
    reader r = { .in = in, .status = PHYSAD_ERR_INTERNAL };
    r.c.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.errors.output_message = no_output;
    r.progress.progress_monitor = on_progress;
    r.c.client_data = &r;
    const physad_status status = decode(&r, out);
    jpeg_destroy_decompress(&r.c);
    physad__free(r.cmyk_row);
    return status;
}

/* --- encoding --- */

typedef struct writer {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr target;
    jmp_buf jump;
    physad__bytes *out;
    const physad__source *s;
    physad_status status;
    unsigned char buffer[1 << 14];
} writer;

static void on_write_error(j_common_ptr c)
{
    writer *w = c->client_data;
    char text[JMSG_LENGTH_MAX];
    c->err->format_message(c, text);
    const bool memory = c->err->msg_code == JERR_OUT_OF_MEMORY;
    w->status = physad__error(memory ? PHYSAD_ERR_NOMEM : PHYSAD_ERR_ARG, "%s: JPEG: %s", w->s->name, text);
    longjmp(w->jump, 1);
}

static void take_buffer(writer *w, size_t size)
{
    w->status = physad__bytes_put(w->out, w->buffer, size);
    if (w->status != PHYSAD_OK)
        longjmp(w->jump, 1);
    w->target.next_output_byte = w->buffer;
    w->target.free_in_buffer = sizeof(w->buffer);
}

static void begin_output(j_compress_ptr c)
{
    writer *w = c->client_data;
    w->target.next_output_byte = w->buffer;
    w->target.free_in_buffer = sizeof(w->buffer);
}

static boolean more_output(j_compress_ptr c)
{
    take_buffer(c->client_data, sizeof(((writer *)c->client_data)->buffer));
    return TRUE;
}

static void end_output(j_compress_ptr c)
{
    writer *w = c->client_data;
    take_buffer(w, sizeof(w->buffer) - w->target.free_in_buffer);
}

static physad_status encode(writer *w)
{
    if (setjmp(w->jump) != 0)
        return w->status;
    struct jpeg_compress_struct *c = &w->c;
    jpeg_create_compress(c);
    c->dest = &w->target;
    c->image_height = (JDIMENSION)w->s->height;
    c->image_width = (JDIMENSION)w->s->width;
    c->input_components = w->s->channels;
    c->in_color_space = w->s->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, w->s->quality, TRUE);
    c->comp_info[0].h_samp_factor = c->comp_info[0].v_samp_factor = 1; /* 4:4:4 */
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)physad__source_row(w->s, c->next_scanline);
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return PHYSAD_OK;
}

physad_status physad__jpeg_encode(physad__bytes *out, const physad__source *s)
{
    if (s->height > JPEG_MAX_DIMENSION || s->width > JPEG_MAX_DIMENSION)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: %lld x %lld pixels; JPEG holds at most 65500 each way", s->name,
                             (long long)s->width, (long long)s->height);
    writer w = { .out = out, .s = s, .status = PHYSAD_ERR_INTERNAL };
    w.c.err = jpeg_std_error(&w.errors);
    w.errors.error_exit = on_write_error;
    w.errors.output_message = no_output;
    w.target.init_destination = begin_output;
    w.target.empty_output_buffer = more_output;
    w.target.term_destination = end_output;
    w.c.client_data = &w;
    const physad_status status = encode(&w);
    jpeg_destroy_compress(&w.c);
    return status;
}
