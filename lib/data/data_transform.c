/* SPDX-License-Identifier: Apache-2.0 */
#include "data/data_transform.h"

#include "data/data_resize.h"

#include <math.h>

enum { DEFAULT_SIZE = 256, LARGEST = 65536 };

static const struct {
    float mean[3], std[3];
} presets[] = {
    [PHYSAD_NORMALISE_IMAGENET] = { { 0.485f, 0.456f, 0.406f }, { 0.229f, 0.224f, 0.225f } },
    [PHYSAD_NORMALISE_HALF] = { { 0.5f, 0.5f, 0.5f }, { 0.5f, 0.5f, 0.5f } },
    [PHYSAD_NORMALISE_CLIP] = { { 0.48145466f, 0.4578275f, 0.40821073f }, { 0.26862954f, 0.26130258f, 0.27577711f } },
    [PHYSAD_NORMALISE_NONE] = { { 0, 0, 0 }, { 1, 1, 1 } },
};

/* --- options --- */

static physad_status check_choice(int32_t value, int32_t last, const char *name)
{
    if (value < 0 || value > last)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_options: %s is %d, want 0 to %d", name, value, last);
    return PHYSAD_OK;
}

static physad_status check_extent(int64_t value, int64_t least, int64_t most, const char *name)
{
    if (value < least || value > most)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_options: %s is %lld, want %lld to %lld", name,
                             (long long)value, (long long)least, (long long)most);
    return PHYSAD_OK;
}

static physad_status check_sizes(physad_transform_options *o)
{
    o->height = o->height != 0 ? o->height : DEFAULT_SIZE;
    o->width = o->width != 0 ? o->width : o->height;
    PHYSAD__TRY(check_extent(o->height, 1, LARGEST, "height"));
    PHYSAD__TRY(check_extent(o->width, 1, LARGEST, "width"));
    if (o->crop_width != 0 && o->crop_height == 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_options: crop_width is set without crop_height");
    if (o->crop_height != 0) {
        o->crop_width = o->crop_width != 0 ? o->crop_width : o->crop_height;
        PHYSAD__TRY(check_extent(o->crop_height, 1, o->height, "crop_height"));
        PHYSAD__TRY(check_extent(o->crop_width, 1, o->width, "crop_width"));
    }
    if ((o->roi_height == 0) != (o->roi_width == 0))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_transform_options: roi_height is %lld and roi_width %lld, want both or neither",
                             (long long)o->roi_height, (long long)o->roi_width);
    if (o->roi_height == 0 && (o->roi_y != 0 || o->roi_x != 0))
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_options: roi_y and roi_x need roi_height and roi_width");
    PHYSAD__TRY(check_extent(o->roi_y, 0, INT32_MAX, "roi_y"));
    PHYSAD__TRY(check_extent(o->roi_x, 0, INT32_MAX, "roi_x"));
    PHYSAD__TRY(check_extent(o->roi_height, 0, INT32_MAX, "roi_height"));
    return check_extent(o->roi_width, 0, INT32_MAX, "roi_width");
}

static physad_status check_colours(physad_transform_options *o)
{
    for (int c = 0; c < 3; c++) {
        if (o->normalise != PHYSAD_NORMALISE_CUSTOM) {
            o->mean[c] = presets[o->normalise].mean[c];
            o->std[c] = presets[o->normalise].std[c];
        }
        if (!isfinite(o->mean[c]) || !isfinite(o->std[c]) || !(o->std[c] > 0))
            return physad__error(PHYSAD_ERR_ARG,
                                 "physad_transform_options: mean[%d] is %g and std[%d] %g, want numbers, std above 0",
                                 c, o->mean[c], c, o->std[c]);
        if (!(o->pad[c] >= 0 && o->pad[c] <= 1))
            return physad__error(PHYSAD_ERR_ARG, "physad_transform_options: pad[%d] is %g, want 0 to 1", c, o->pad[c]);
    }
    return PHYSAD_OK;
}

static physad_status check_options(physad_transform_options *o)
{
    PHYSAD__TRY(check_choice(o->resize, PHYSAD_RESIZE_NEAREST, "resize"));
    PHYSAD__TRY(check_choice(o->fit, PHYSAD_FIT_COVER, "fit"));
    PHYSAD__TRY(check_choice(o->arithmetic, PHYSAD_ARITHMETIC_BYTES_12, "arithmetic"));
    PHYSAD__TRY(check_choice(o->normalise, PHYSAD_NORMALISE_CUSTOM, "normalise"));
    PHYSAD__TRY(check_choice(o->outside, PHYSAD_OUTSIDE_NAN, "outside"));
    if (o->reserved != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_transform_options: reserved is %u, want 0", o->reserved);
    PHYSAD__TRY(check_sizes(o));
    return check_colours(o);
}

physad_status physad_transform_new(physad_transform **out, physad_context *ctx, const physad_transform_options *options)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_transform_new"));
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_transform_options"));
    PHYSAD__TRY(check_options(&o));
    physad_transform *t = physad__alloc_zero(&ctx->mem, sizeof(*t), "transform");
    if (t == NULL)
        return PHYSAD_ERR_NOMEM;
    t->ctx = physad__context_retain(ctx);
    t->o = o;
    t->o.struct_size = sizeof(o);
    t->height = o.crop_height != 0 ? o.crop_height : o.height;
    t->width = o.crop_width != 0 ? o.crop_width : o.width;
    for (int c = 0; c < 3; c++) {
        t->deviation[c] = 1 / o.std[c];
        for (int i = 0; i < 256; i++)
            t->bytes[c][i] = ((float)i / 255.0f - o.mean[c]) / o.std[c];
    }
    *out = t;
    return PHYSAD_OK;
}

void physad_transform_free(physad_transform *transform)
{
    if (transform == NULL)
        return;
    physad_context *ctx = transform->ctx;
    physad__free(transform->ignore);
    physad__free(transform);
    physad_context_free(ctx);
}

physad_status physad_transform_get(const physad_transform *transform, physad_transform_options *options)
{
    if (transform == NULL || options == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_get: %s is NULL",
                             transform == NULL ? "transform" : "options");
    if (options->struct_size < sizeof(*options))
        return physad__error(
            PHYSAD_ERR_ARG,
            "physad_transform_get: struct_size is %u, want at least %zu; initialise it with its _INIT macro",
            options->struct_size, sizeof(*options));
    const uint32_t size = options->struct_size;
    *options = transform->o;
    options->struct_size = size;
    return PHYSAD_OK;
}

physad_status physad_transform_shape(const physad_transform *transform, int64_t *height, int64_t *width)
{
    if (transform == NULL || height == NULL || width == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_shape: an argument is NULL");
    *height = transform->height;
    *width = transform->width;
    return PHYSAD_OK;
}

physad_status physad_transform_set_ignore(physad_transform *transform, const physad_view *mask)
{
    if (transform == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_set_ignore: transform is NULL");
    PHYSAD__TRY(physad__context_check(transform->ctx, "physad_transform_set_ignore"));
    unsigned char *copy = NULL;
    int64_t height = 0, width = 0;
    if (mask != NULL) {
        PHYSAD__TRY(physad__view_check(mask, "mask"));
        if (mask->dtype != PHYSAD_U8 && mask->dtype != PHYSAD_BOOL)
            return physad__error(PHYSAD_ERR_DTYPE, "mask has dtype %s, want u8 or bool",
                                 physad_dtype_name(mask->dtype));
        if (mask->ndim != 2 || mask->shape[0] < 1 || mask->shape[1] < 1)
            return physad__error(PHYSAD_ERR_SHAPE, "mask has %d dimensions, want H x W, neither of them 0", mask->ndim);
        height = mask->shape[0];
        width = mask->shape[1];
        copy = physad__alloc_array(&transform->ctx->mem, height, (size_t)width, "ignore mask");
        if (copy == NULL)
            return PHYSAD_ERR_NOMEM;
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++)
                copy[y * width + x] =
                    ((const unsigned char *)mask->data)[y * mask->stride[0] + x * mask->stride[1]] != 0;
    }
    physad__free(transform->ignore);
    transform->ignore = copy;
    transform->ignore_height = height;
    transform->ignore_width = width;
    return PHYSAD_OK;
}

physad_view physad__transform_ignore(const physad_transform *transform)
{
    const int64_t shape[] = { transform->ignore_height, transform->ignore_width };
    physad_view v = physad_view_array(transform->ignore, PHYSAD_BOOL, 2, shape);
    v.flags = PHYSAD_VIEW_READONLY;
    return v;
}

/* --- where things go --- */

/* Half of an integer, ties to even, as Python's round() in torchvision's CenterCrop. */
static int64_t half_even(int64_t n)
{
    return n % 2 == 0 ? n / 2 : (n / 2) % 2 == 0 ? n / 2 : n / 2 + 1;
}

static int64_t in_proportion(int64_t length, int64_t to, int64_t from, bool nearest)
{
    const double exact = (double)length * (double)to / (double)from;
    return (int64_t)(nearest ? floor(exact + 0.5) : exact);
}

static void place(physad__span *s, int64_t canvas, int32_t fit)
{
    const int64_t bar = fit == PHYSAD_FIT_LETTERBOX ? (canvas - s->full) / 2 : 0;
    s->offset = fit == PHYSAD_FIT_LETTERBOX ? half_even(canvas - s->model) - bar : half_even(s->full - s->model);
}

static physad_status check_span(int64_t photo, int64_t start, int64_t length, const char *what)
{
    if (photo < 1 || photo > INT32_MAX)
        return physad__error(PHYSAD_ERR_SHAPE, "photo has %s %lld, want 1 to %d", what, (long long)photo, INT32_MAX);
    if (length != 0 && start + length > photo)
        return physad__error(PHYSAD_ERR_ARG, "the region of interest ends at %s %lld, but the photo at %lld", what,
                             (long long)(start + length), (long long)photo);
    return PHYSAD_OK;
}

physad_status physad__transform_geometry(const physad_transform *t, int64_t height, int64_t width,
                                         physad__geometry *out)
{
    const physad_transform_options *o = &t->o;
    PHYSAD__TRY(check_span(height, o->roi_y, o->roi_height, "height"));
    PHYSAD__TRY(check_span(width, o->roi_x, o->roi_width, "width"));
    const int64_t h = o->roi_height != 0 ? o->roi_height : height, w = o->roi_width != 0 ? o->roi_width : width;
    physad__span y = { height, o->roi_y, h, o->height, 0, t->height };
    physad__span x = { width, o->roi_x, w, o->width, 0, t->width };
    /* Which direction reaches its wanted length at the larger scale? height / h against width / w, without division. */
    const bool taller = (double)o->height * (double)w >= (double)o->width * (double)h;
    if (o->fit == PHYSAD_FIT_COVER && taller)
        x.full = physad__max(in_proportion(w, o->height, h, false), o->width);
    else if (o->fit == PHYSAD_FIT_COVER)
        y.full = physad__max(in_proportion(h, o->width, w, false), o->height);
    else if (o->fit == PHYSAD_FIT_LETTERBOX && taller)
        y.full = physad__min(physad__max(in_proportion(h, o->width, w, true), 1), o->height);
    else if (o->fit == PHYSAD_FIT_LETTERBOX)
        x.full = physad__min(physad__max(in_proportion(w, o->height, h, true), 1), o->width);
    if (y.full > INT32_MAX || x.full > INT32_MAX)
        return physad__error(PHYSAD_ERR_SHAPE, "a photo of %lld x %lld is too narrow to cover %lld x %lld",
                             (long long)height, (long long)width, (long long)o->height, (long long)o->width);
    place(&y, o->height, o->fit);
    place(&x, o->width, o->fit);
    *out = (physad__geometry){ y, x };
    return PHYSAD_OK;
}

/* --- photos --- */

/* A distance of rows that was counted in pixels would score a sheared photo without a word. Transposed photos and
 * repeated rows (distance 0) are fine: each distance must span all that lies closer together. */
static bool overlaps(const physad_view *v)
{
    uint64_t step[3], span = physad_dtype_size(v->dtype);
    bool done[3] = { false };
    for (int32_t i = 0; i < v->ndim; i++)
        step[i] = (uint64_t)(v->stride[i] < 0 ? -v->stride[i] : v->stride[i]);
    for (int32_t k = 0; k < v->ndim; k++) {
        int32_t next = -1;
        for (int32_t i = 0; i < v->ndim; i++)
            if (!done[i] && (next < 0 || step[i] < step[next]))
                next = i;
        done[next] = true;
        if (step[next] == 0 || v->shape[next] == 1)
            continue;
        if (step[next] < span)
            return true;
        span += step[next] * (uint64_t)(v->shape[next] - 1);
    }
    return false;
}

physad_status physad__transform_check_photo(const physad_view *photo, const char *name)
{
    char text[160];
    PHYSAD__TRY(physad__view_check(photo, name));
    if (photo->dtype != PHYSAD_U8 && photo->dtype != PHYSAD_U16 && photo->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want u8, u16 or f32", name,
                             physad_dtype_name(photo->dtype));
    const int64_t channels = photo->ndim == 3 ? photo->shape[2] : 1;
    if ((photo->ndim != 2 && photo->ndim != 3) || photo->shape[0] < 1 || photo->shape[1] < 1 ||
        (channels != 1 && channels != 3 && channels != 4))
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want H x W, or H x W x 1, 3 or 4, none of them 0",
                             name, physad__shape_text(text, sizeof(text), photo->ndim, photo->shape));
    if (overlaps(photo))
        return physad__error(
            PHYSAD_ERR_ARG, "%s of shape %s has rows %lld bytes apart, so that pixels overlap; strides are in bytes",
            name, physad__shape_text(text, sizeof(text), photo->ndim, photo->shape), (long long)photo->stride[0]);
    return PHYSAD_OK;
}

/* The region of interest of a photo, without its opacity. */
static physad__photo cut(const physad_view *v, const physad__geometry *g)
{
    const int64_t channels = v->ndim == 3 ? v->shape[2] : 1, size = (int64_t)physad_dtype_size(v->dtype);
    return (physad__photo){
        .data = (const unsigned char *)v->data + g->y.start * v->stride[0] + g->x.start * v->stride[1],
        .height = g->y.length,
        .width = g->x.length,
        .channels = channels == 1 ? 1 : 3,
        .row = v->stride[0],
        .pixel = v->stride[1],
        .channel = v->ndim == 3 && channels > 1 ? v->stride[2] : size,
        .dtype = v->dtype,
    };
}

typedef struct target {
    const physad_transform *t;
    float *out;              /* of the first row and column that show photo */
    int64_t width, channels; /* of a row that comes in */
    float scale;             /* from the photo's units to 0..1 */
} target;

static void take_f32(void *user, int64_t y, const float *row)
{
    const target *g = user;
    const physad_transform_options *o = &g->t->o;
    float *out = g->out + y * g->t->width * 3;
    const int64_t step = g->channels == 3 ? 1 : 0;
    for (int64_t x = 0; x < g->width; x++, row += g->channels, out += 3)
        for (int64_t c = 0; c < 3; c++)
            out[c] = (row[c * step] * g->scale - o->mean[c]) * g->t->deviation[c];
}

static void take_u8(void *user, int64_t y, const uint8_t *row)
{
    const target *g = user;
    float *out = g->out + y * g->t->width * 3;
    const int64_t step = g->channels == 3 ? 1 : 0;
    for (int64_t x = 0; x < g->width; x++, row += g->channels, out += 3)
        for (int64_t c = 0; c < 3; c++)
            out[c] = g->t->bytes[c][row[c * step]];
}

static void fill_bars(const physad_transform *t, float *out)
{
    float colour[3];
    for (int c = 0; c < 3; c++)
        colour[c] = (t->o.pad[c] - t->o.mean[c]) * t->deviation[c];
    for (int64_t i = 0; i < t->height * t->width; i++)
        memcpy(out + 3 * i, colour, sizeof(colour));
}

/* The part of a direction's model input that shows photo: [*from, *from + *count). */
static void shown(const physad__span *s, int64_t *from, int64_t *count)
{
    *from = physad__max(-s->offset, 0);
    *count = physad__min(s->full - s->offset, s->model) - *from;
}

physad_status physad__transform_run(const physad_transform *t, const physad_view *photo, float *out, int32_t threads)
{
    physad__geometry g;
    int64_t top, left;
    PHYSAD__TRY(physad__transform_check_photo(photo, "photo"));
    PHYSAD__TRY(physad__transform_geometry(t, photo->shape[0], photo->shape[1], &g));
    const bool bytes = t->o.arithmetic != PHYSAD_ARITHMETIC_FLOAT;
    if (bytes && photo->dtype != PHYSAD_U8)
        return physad__error(PHYSAD_ERR_DTYPE, "photo has dtype %s, but arithmetic on bytes takes u8 only",
                             physad_dtype_name(photo->dtype));
    const physad__photo p = cut(photo, &g);
    physad__resize want = {
        .full_height = g.y.full, .full_width = g.x.full, .filter = t->o.resize, .threads = threads,
        .kernels = physad__kernels_get(t->ctx->cpu_flags)
    };
    shown(&g.y, &top, &want.height);
    shown(&g.x, &left, &want.width);
    want.y = top + g.y.offset;
    want.x = left + g.x.offset;
    if (t->o.fit == PHYSAD_FIT_LETTERBOX)
        fill_bars(t, out);
    target to = { t, out + (top * t->width + left) * 3, want.width, p.channels, 1 };
    if (want.height < 1 || want.width < 1)
        return PHYSAD_OK; /* cut down to the bars */
    /* Pillow 13 sums rows first when the height shrinks by more than twice as many pixels as the width. */
    want.rows_first = t->o.arithmetic == PHYSAD_ARITHMETIC_BYTES && p.height > want.full_height &&
                      p.height - want.full_height > 2 * (p.width - want.full_width);
    if (bytes)
        return physad__resize_u8(&t->ctx->mem, &p, &want, take_u8, &to);
    to.scale = p.dtype == PHYSAD_U8 ? 1 / 255.0f : p.dtype == PHYSAD_U16 ? 1 / 65535.0f : 1;
    return physad__resize_f32(&t->ctx->mem, &p, &want, take_f32, &to);
}

physad_status physad_transform_apply(const physad_transform *transform, const physad_view *photo, physad_view *out)
{
    if (transform == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_apply: transform is NULL");
    const int64_t want[] = { transform->height, transform->width, 3 };
    PHYSAD__TRY(physad__context_check(transform->ctx, "physad_transform_apply"));
    PHYSAD__TRY(physad__view_want(out, "out", PHYSAD_F32, 3, want));
    if (out->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "physad_transform_apply: out is read-only");
    return physad__transform_run(transform, photo, out->data, transform->ctx->threads);
}
