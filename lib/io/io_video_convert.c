/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to pixels: resizing and colour in one pass of swscale, then the turn that the display matrix asks for. */
#include "io/io_video_av.h"

enum { ROW_ALIGN = 64 }; /* swscale writes whole vectors */

int32_t physad__av_orientation(const int32_t *matrix)
{
    const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    const int64_t straight = (a < 0 ? -a : a) + (d < 0 ? -d : d), crossed = (b < 0 ? -b : b) + (c < 0 ? -c : c);
    if (straight >= crossed)
        return a >= 0 ? (d >= 0 ? 1 : 4) : (d >= 0 ? 2 : 3);
    return b >= 0 ? (c >= 0 ? 5 : 6) : (c >= 0 ? 8 : 7);
}

/* --- swscale -------------------------------------------------------------------------------------------------------
 */

/* The formats whose name says the range; swscale has a warning for them and wants the range by itself. */
static int plain_format(int format, int *full)
{
    switch (format) {
    case AV_PIX_FMT_YUVJ420P: *full = 1; return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ411P: *full = 1; return AV_PIX_FMT_YUV411P;
    case AV_PIX_FMT_YUVJ422P: *full = 1; return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ440P: *full = 1; return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ444P: *full = 1; return AV_PIX_FMT_YUV444P;
    default: return format;
    }
}

static int wanted_format(const physad__av_source *s)
{
    const bool wide = s->base.info.dtype == PHYSAD_U16;
    return s->base.info.channels == 1 ? (wide ? AV_PIX_FMT_GRAY16 : AV_PIX_FMT_GRAY8)
                                      : (wide ? AV_PIX_FMT_RGB48 : AV_PIX_FMT_RGB24);
}

/* swscale has no level of its own to its messages. Where colour has half the rows, the option that says where these
 * lie, at its default of 128 (halfway, in 256ths of a row), happens to be what silences an object. */
static void silence(physad__av_source *s, int format)
{
    const AVPixFmtDescriptor *d = s->av.av_pix_fmt_desc_get(format);
    const AVClass **class = (const AVClass **)s->convert.scale;
    if (d == NULL || d->log2_chroma_h != 1 ||
        s->av.av_opt_set_int(s->convert.scale, "src_v_chr_pos", PHYSAD__AV_SILENT, 0) < 0)
        return;
    for (const AVOption *o = (*class)->option; o != NULL && o->name != NULL; o++)
        if (strcmp(o->name, "src_v_chr_pos") == 0) {
            physad__av_silence(&s->convert.class, class, o->offset);
            return;
        }
}

static int coefficients(const AVFrame *frame)
{
    switch (frame->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return SWS_CS_DEFAULT;
    }
}

static physad_status make_scale(physad__av_source *s, const AVFrame *frame, int height, int width)
{
    const physad__av *av = &s->av;
    physad__av_convert *c = &s->convert;
    int full = frame->color_range == AVCOL_RANGE_JPEG;
    const int format = plain_format(frame->format, &full);
    /* The quick ways of unscaled frames take colour from the nearest sample; that is what FFmpeg's own tools give. */
    const bool scaled = frame->height != height || frame->width != width;
    const int flags = SWS_BILINEAR | (scaled ? SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND | SWS_BITEXACT : SWS_BITEXACT);
    av->sws_freeContext(c->scale);
    c->scale = av->sws_alloc_context();
    if (c->scale == NULL)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: FFmpeg gets no memory", s->base.name);
    const struct {
        const char *name;
        int64_t value;
    } values[] = {
        { "srcw", frame->width }, { "srch", frame->height }, { "src_format", format },           { "src_range", full },
        { "dstw", width },        { "dsth", height },        { "dst_format", wanted_format(s) }, { "dst_range", 1 },
        { "sws_flags", flags }
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(values); i++)
        av->av_opt_set_int(c->scale, values[i].name, values[i].value, 0);
    silence(s, format);
    const int code = av->sws_init_context(c->scale, NULL, NULL);
    if (code < 0)
        return physad__error(
            PHYSAD_ERR_UNSUPPORTED, "%s: its pixels (%s) cannot be converted", s->base.name,
            av->av_pix_fmt_desc_get(frame->format) != NULL ? av->av_pix_fmt_desc_get(frame->format)->name : "?");
    const int *matrix = av->sws_getCoefficients(coefficients(frame));
    /* Refused for RGB sources, where there is nothing to set. */
    (void)av->sws_setColorspaceDetails(c->scale, matrix, full, matrix, 1, 0, 1 << 16, 1 << 16);
    c->width = frame->width;
    c->height = frame->height;
    c->format = frame->format;
    c->matrix = frame->colorspace;
    c->range = frame->color_range;
    return PHYSAD_OK;
}

/* --- turning -------------------------------------------------------------------------------------------------------
 */

typedef struct walk {
    const unsigned char *from; /* of the first pixel of the result */
    int64_t row, column;       /* bytes to the next row's and the next column's */
} walk;

static walk plan_walk(int32_t orientation, const unsigned char *pixels, int64_t height, int64_t width, int64_t row,
                      int64_t pixel)
{
    const int64_t down = (height - 1) * row, right = (width - 1) * pixel;
    switch (orientation) {
    case 2: return (walk){ pixels + right, row, -pixel };
    case 3: return (walk){ pixels + down + right, -row, -pixel };
    case 4: return (walk){ pixels + down, -row, pixel };
    case 5: return (walk){ pixels, pixel, row };
    case 6: return (walk){ pixels + down, pixel, -row };
    case 7: return (walk){ pixels + down + right, -pixel, -row };
    case 8: return (walk){ pixels + right, -pixel, row };
    default: return (walk){ pixels, row, pixel };
    }
}

static void turn(const walk *w, unsigned char *out, int64_t height, int64_t width, int64_t pixel)
{
    for (int64_t y = 0; y < height; y++) {
        const unsigned char *from = w->from + y * w->row;
        if (w->column == pixel) {
            memcpy(out, from, (size_t)(width * pixel));
            out += width * pixel;
            continue;
        }
        for (int64_t x = 0; x < width; x++, out += pixel, from += w->column)
            memcpy(out, from, (size_t)pixel);
    }
}

/* --- both ----------------------------------------------------------------------------------------------------------
 */

physad_status physad__av_convert_run(physad__av_source *s, const AVFrame *frame, void *pixels)
{
    physad__av_convert *c = &s->convert;
    const physad_video_info *info = &s->base.info;
    const int64_t pixel = info->channels * (int64_t)physad_dtype_size(info->dtype);
    const int64_t height = s->orientation >= 5 ? info->width : info->height,
                  width = s->orientation >= 5 ? info->height : info->width;
    const int64_t row = (width * pixel + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
    const bool direct = s->orientation == 1 && row == width * pixel;
    if (c->scale == NULL || c->width != frame->width || c->height != frame->height || c->format != frame->format ||
        c->matrix != (int)frame->colorspace || c->range != (int)frame->color_range)
        PHYSAD__TRY(make_scale(s, frame, (int)height, (int)width));
    if (!direct && c->upright == NULL) {
        c->upright = physad__alloc(&s->base.ctx->mem, (size_t)(row * height + ROW_ALIGN), "a frame");
        if (c->upright == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    uint8_t *planes[4] = { direct ? pixels : c->upright, NULL, NULL, NULL };
    const int strides[4] = { (int)row, 0, 0, 0 };
    const int code = s->av.sws_scale(c->scale, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height,
                                     planes, strides);
    if (code < 0)
        return physad__av_error(&s->av, code, s->base.name, "resizing a frame");
    if (!direct) {
        const walk w = plan_walk(s->orientation, c->upright, height, width, row, pixel);
        turn(&w, pixels, info->height, info->width, pixel);
    }
    return PHYSAD_OK;
}

void physad__av_convert_free(physad__av_source *s)
{
    if (s->convert.scale != NULL)
        s->av.sws_freeContext(s->convert.scale);
    physad__free(s->convert.upright);
    s->convert = (physad__av_convert){ .scale = NULL };
}
