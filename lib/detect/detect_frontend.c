/* SPDX-License-Identifier: Apache-2.0 */
/* From a photo to cells of features: the options that every method on a backbone shares. */
#include "detect/detect.h"

#include "nn/nn.h"

#include <math.h>

static const physad__option backbone_rows[] = {
    { "backbone", PHYSAD_OPTION_TEXT, "efficientnet-lite0", 0, 0, NULL,
      "network whose features are compared; see `physad backbones`", NULL },
    { "weights", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "weights file or name, or random:SEED; empty: the backbone's known weights", NULL },
    { "layers", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "layers taken, fine to coarse, with commas; empty: the backbone's usual ones", NULL },
    { "input", PHYSAD_OPTION_TEXT, "320", 0, 0, NULL,
      "size the photo is brought to: a side, or HEIGHTxWIDTH, in pixels", NULL },
    { "crop", PHYSAD_OPTION_INT, "0", 0, 8192, NULL, "side of the centre cut out after the resize; 0: none", NULL },
    { "jpeg_scale", PHYSAD_OPTION_CHOICE, "1", 0, 0, "1|2|4|8",
      "JPEG files are decoded at one such part of their size, from their frequencies: faster, and other pixels than a "
      "resize of the whole "
      "gives; photo, map, mask and region of interest are then of the smaller size. Photos in memory are taken as they "
      "are",
      NULL },
    { "fit", PHYSAD_OPTION_CHOICE, "stretch", 0, 0, "stretch|letterbox|cover", "how the photo comes to that size",
      "anomalib's default" },
    { "resize", PHYSAD_OPTION_CHOICE, "bilinear", 0, 0, "bilinear|bicubic|box|nearest",
      "filter of the resize, antialiased", "anomalib's default" },
    { "roi", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "region of interest Y,X,HEIGHT,WIDTH in photo pixels; empty: the whole photo", NULL },
    { "ignore", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "image file, stretched to each photo: where it is not black nothing counts", NULL },
    { "pool", PHYSAD_OPTION_CHOICE, "avg3", 0, 0, "avg3|none|unfold", "pooling of each layer over 3x3 neighbours",
      "PatchCore, section 3.1" },
    { "video_frames", PHYSAD_OPTION_INT, "16", 1, 100000, NULL,
      "frames of each training video, evenly spaced, where the samples are videos", NULL },
    { "tiles", PHYSAD_OPTION_INT, "0", 0, 8192, NULL,
      "side of the tiles of the input that the network sees one at a time: needs less memory for large inputs; 0: none",
      NULL },
    { "tile_overlap", PHYSAD_OPTION_INT, "64", 0, 4096, NULL,
      "input pixels that neighbouring tiles share: from one to the other features fade", NULL },
    { "precision", PHYSAD_OPTION_CHOICE, "f32", 0, 0, "f32|bf16", "arithmetic of the network", NULL },
};
const physad__option_table physad__options_backbone = { backbone_rows, PHYSAD__COUNT(backbone_rows) };

int32_t physad__jpeg_scale(const physad_detector *det)
{
    return (int32_t)physad__max(physad__option_int(det, "jpeg_scale"),
                                1); /* methods without a backbone have no such option */
}

static int32_t choice(const physad_detector *det, const char *option, const char *const *names, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (physad__option_is(det, option, names[i]))
            return i;
    return 0;
}

/* "320" or "240x320". */
static physad_status parse_size(const physad_detector *det, int64_t *height, int64_t *width)
{
    const char *text = physad__option_text(det, "input");
    char copy[32];
    const char *x = strchr(text, 'x');
    const size_t n = x != NULL ? (size_t)(x - text) : strlen(text);
    bool good = n < sizeof(copy);
    if (good) {
        memcpy(copy, text, n);
        copy[n] = '\0';
        good = physad__parse_int(copy, height) && (x == NULL || physad__parse_int(x + 1, width));
        if (x == NULL)
            *width = *height;
    }
    if (!good || *height < 32 || *width < 32 || *height > 8192 || *width > 8192)
        return physad__error(PHYSAD_ERR_ARG,
                             "%s: option input is \"%s\", want a side or HEIGHTxWIDTH, 32 to 8192 pixels each",
                             det->method->name, text);
    return PHYSAD_OK;
}

static physad_status parse_roi(const physad_detector *det, physad_transform_options *o)
{
    const char *text = physad__option_text(det, "roi");
    int64_t v[4];
    char part[32];
    const char *p = text;
    if (*text == '\0')
        return PHYSAD_OK;
    for (int i = 0; i < 4; i++) {
        const size_t n = strcspn(p, ",");
        if (n >= sizeof(part) || (i < 3) != (p[n] == ','))
            return physad__error(PHYSAD_ERR_ARG, "%s: option roi is \"%s\", want Y,X,HEIGHT,WIDTH", det->method->name,
                                 text);
        memcpy(part, p, n);
        part[n] = '\0';
        if (!physad__parse_int(part, &v[i]) || v[i] < (i >= 2))
            return physad__error(PHYSAD_ERR_ARG, "%s: option roi is \"%s\", want Y,X,HEIGHT,WIDTH in whole pixels",
                                 det->method->name, text);
        p += n + 1;
    }
    o->roi_y = v[0];
    o->roi_x = v[1];
    o->roi_height = v[2];
    o->roi_width = v[3];
    return PHYSAD_OK;
}

static physad_status read_ignore(const physad_detector *det, physad_transform *transform)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    physad_image *image = NULL;
    const char *path = physad__option_text(det, "ignore");
    if (*path == '\0')
        return PHYSAD_OK;
    o.channels = 1;
    o.dtype = PHYSAD_U8;
    PHYSAD__TRY(physad_image_read(&image, det->ctx, path, &o));
    physad_view v = physad_image_view(image);
    v.ndim = 2; /* one channel: the last dimension is 1 */
    const physad_status status = physad_transform_set_ignore(transform, &v);
    physad_image_free(image);
    return status;
}

physad_status physad__transform_make(physad_transform **out, const physad_detector *det)
{
    physad_backbone_info backbone = PHYSAD_BACKBONE_INFO_INIT;
    static const char *const fits[] = { "stretch", "letterbox", "cover" };
    static const char *const filters[] = { "bilinear", "bicubic", "box", "nearest" };
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    PHYSAD__TRY(physad_backbone_describe(physad__option_text(det, "backbone"), &backbone));
    PHYSAD__TRY(parse_size(det, &o.height, &o.width));
    PHYSAD__TRY(parse_roi(det, &o));
    o.fit = choice(det, "fit", fits, 3);
    o.resize = choice(det, "resize", filters, 4);
    o.crop_height = o.crop_width = physad__option_int(det, "crop");
    o.outside = PHYSAD_OUTSIDE_NAN;
    o.normalise = PHYSAD_NORMALISE_CUSTOM;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = backbone.mean[c];
        o.std[c] = backbone.std[c];
        o.pad[c] = backbone.mean[c]; /* bars of the mean colour say nothing to the network */
    }
    PHYSAD__TRY(physad_transform_new(out, det->ctx, &o));
    const physad_status status = read_ignore(det, *out);
    if (status != PHYSAD_OK) {
        physad_transform_free(*out);
        *out = NULL;
    }
    return status;
}

/* Input pixels per place of the first layer, whose grid is the front end's, and of the coarsest. */
static physad_status find_strides(const physad__frontend *front, int64_t *first, int64_t *coarsest)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    PHYSAD__TRY(physad_backbone_describe(physad_features_backbone(front->features), &info));
    *first = *coarsest = 0;
    for (int64_t k = 0; k < physad_features_layer_count(front->features); k++) {
        const char *name = physad_features_layer_name(front->features, k);
        for (int32_t i = 0; i < info.layer_count; i++) {
            if (strcmp(info.layers[i].name, name) != 0)
                continue;
            if (info.layers[i].stride == 0)
                return physad__error(PHYSAD_ERR_UNSUPPORTED, "tiles: layer %s has no places", name);
            *first = *first == 0 ? info.layers[i].stride : *first;
            *coarsest = physad__max(*coarsest, info.layers[i].stride);
        }
    }
    return PHYSAD_OK;
}

/* Tiles begin at multiples of the coarsest stride, so that every layer of a tile has its places where the whole's has
 * them. */
static physad_status plan_tiles(physad__frontend *front, const physad_detector *det, int64_t tile_height,
                                int64_t tile_width)
{
    int64_t stride, coarsest;
    PHYSAD__TRY(find_strides(front, &stride, &coarsest));
    const int64_t overlap = physad__option_int(det, "tile_overlap"), tile = physad__option_int(det, "tiles");
    if (tile_height % coarsest != 0 || tile_width % coarsest != 0 || front->input_height % coarsest != 0 ||
        front->input_width % coarsest != 0 || overlap >= tile_height || overlap >= tile_width)
        return physad__error(
            PHYSAD_ERR_ARG,
            "%s: tiles of %lld for an input of %lld x %lld, overlapping by %lld: want multiples of %lld, "
            "the stride of the coarsest layer, and less overlap than a tile has pixels",
            det->method->name, (long long)tile, (long long)front->input_height, (long long)front->input_width,
            (long long)overlap, (long long)coarsest);
    front->height = front->input_height / stride;
    front->width = front->input_width / stride;
    return physad__tiles_plan(&front->tiles, front->height, front->width, tile_height / stride, tile_width / stride,
                              (overlap + stride - 1) / stride, coarsest / stride);
}

physad_status physad__frontend_open(physad__frontend *front, const physad_detector *det,
                                    const physad_transform *transform, const physad_tensors *file,
                                    const int64_t *channels)
{
    static const char *const pools[] = { "avg3", "none", "unfold" };
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    char text[256];
    int64_t shape[3];
    memset(front, 0, sizeof(*front));
    front->ctx = det->ctx;
    front->transform = transform;
    PHYSAD__TRY(physad_transform_shape(transform, &front->input_height, &front->input_width));
    o.backbone = physad__option_text(det, "backbone");
    o.weights = *physad__option_text(det, "weights") != '\0' ? physad__option_text(det, "weights") : NULL;
    if (det->weights != NULL)
        o.weights = det->weights;
    o.layers = *physad__option_text(det, "layers") != '\0' ? physad__option_text(det, "layers") : NULL;
    const int64_t tile = physad__option_int(det, "tiles");
    o.height = tile > 0 ? physad__min(tile, front->input_height) : front->input_height;
    o.width = tile > 0 ? physad__min(tile, front->input_width) : front->input_width;
    o.pool = choice(det, "pool", pools, 3);
    o.precision = physad__option_is(det, "precision", "bf16") ? PHYSAD_BF16 : PHYSAD_F32;
    if (det->method->features->configure != NULL)
        det->method->features->configure(det, &o, text, sizeof(text));
    if (channels != NULL)
        o.channels = channels;
    if (file != NULL)
        PHYSAD__TRY(physad__features_new_from(&front->features, det->ctx, &o, file, "backbone."));
    else
        PHYSAD__TRY(physad_features_new(&front->features, det->ctx, &o));
    physad_features_shape(front->features, shape);
    front->height = shape[0];
    front->width = shape[1];
    front->dim = front->network_dim = shape[2];
    if (o.height == front->input_height && o.width == front->input_width)
        return PHYSAD_OK;
    const physad_status status = plan_tiles(front, det, o.height, o.width);
    if (status != PHYSAD_OK)
        physad__frontend_close(front);
    return status;
}

physad_status physad__frontend_levels(physad__frontend *front)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    PHYSAD__TRY(physad_transform_get(front->transform, &o));
    for (int c = 0; c < 3; c++) {
        front->mean[c] = o.mean[c];
        front->std[c] = o.std[c];
    }
    return PHYSAD_OK;
}

void physad__frontend_close(physad__frontend *front)
{
    physad_features_free(front->features);
    memset(front, 0, sizeof(*front));
}

physad_status physad__frontend_valid(const physad__frontend *front, physad_context *ctx, int64_t photo_height,
                                     int64_t photo_width, uint8_t *valid)
{
    const int64_t shape[2] = { front->height, front->width }, n = front->height * front->width;
    float *share = physad__alloc_array(&ctx->mem, n, sizeof(*share), "valid cells");
    if (share == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_view v = physad_view_array(share, PHYSAD_F32, 2, shape);
    const physad_status status = physad_transform_valid_grid(front->transform, photo_height, photo_width, &v);
    int64_t any = 0;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        valid[i] = share[i] >= 0.5f;
        any += valid[i];
    }
    physad__free(share);
    if (status == PHYSAD_OK && any == 0)
        return physad__error(PHYSAD_ERR_ARG,
                             "nothing of the photo counts: the region of interest and the ignore mask leave no cell");
    return status;
}

static physad_status run_network(const physad__frontend *front, const float *inputs, int64_t count, float *cells)
{
    int64_t shape[3], size[2];
    physad_features_shape(front->features, shape);
    physad_features_input_size(front->features, size);
    const int64_t in[4] = { count, size[0], size[1], 3 }, out[4] = { count, shape[0], shape[1], shape[2] };
    const physad_view images = physad_view_array((void *)(uintptr_t)inputs, PHYSAD_F32, 4, in);
    const physad_view target = physad_view_array(cells, PHYSAD_F32, 4, out);
    return physad_features_compute(front->features, &images, &target, NULL);
}

/* One input: its tiles side by side, then their cells joined. */
static physad_status run_tiles(const physad__frontend *front, const float *input, float *cells)
{
    physad__mem *mem = &front->ctx->mem;
    const physad__tiles *t = &front->tiles;
    const int64_t n = physad__tiles_count(t), stride = front->input_height / front->height;
    const int64_t height = t->tile_height * stride, row = t->tile_width * stride * 3;
    const int64_t places = t->tile_height * t->tile_width * front->network_dim;
    float *pixels = physad__alloc_array(mem, n * height * row, sizeof(*pixels), "tiles");
    float *data = physad__alloc_array(mem, n * places, sizeof(*data), "tiles");
    const float **maps = physad__alloc_array(mem, n, sizeof(*maps), "tiles");
    physad_status status = pixels != NULL && data != NULL && maps != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        const physad__rect r = physad__tiles_rect(t, i);
        for (int64_t y = 0; y < height; y++)
            memcpy(pixels + (i * height + y) * row,
                   input + ((r.y * stride + y) * front->input_width + r.x * stride) * 3, (size_t)row * sizeof(*pixels));
        maps[i] = data + i * places;
    }
    if (status == PHYSAD_OK)
        status = run_network(front, pixels, n, data);
    if (status == PHYSAD_OK)
        physad__tiles_merge(t, maps, front->network_dim, cells);
    physad__free(pixels);
    physad__free(data);
    physad__free(maps);
    return status;
}

physad_status physad__frontend_cells(const physad__frontend *front, const float *inputs, int64_t count, float *cells)
{
    if (front->tiles.rows == 0)
        PHYSAD__TRY(run_network(front, inputs, count, cells));
    for (int64_t i = 0; front->tiles.rows > 0 && i < count; i++)
        PHYSAD__TRY(run_tiles(front, inputs + i * front->input_height * front->input_width * 3,
                              cells + i * front->height * front->width * front->network_dim));
    return front->texture != 0 ? physad__texture_add(front, inputs, count, cells) : PHYSAD_OK;
}

/* Bytes given as floats would be white all over to the network, and be scored as such. */
static physad_status check_range(const physad__frontend *front, const float *input)
{
    enum { MOST = 16 }; /* room for highlights of linear light, and for what a sharp resize overshoots by */
    const int64_t width = front->input_width;
    for (int64_t i = 0; i < front->input_height * width * 3; i++) {
        const double value = (double)input[i] * (double)front->std[i % 3] + (double)front->mean[i % 3];
        if (fabs(value) > MOST)
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "the photo of floats holds values such as %g, near (%lld,%lld) of the %lld x %lld "
                                 "pixels that the model sees; want 0..1: divide by the greatest value there can be "
                                 "(255 for bytes), or give u8 or u16",
                                 value, (long long)(i / 3 / width), (long long)(i / 3 % width),
                                 (long long)front->input_height, (long long)width);
    }
    return PHYSAD_OK;
}

physad_status physad__frontend_check(const physad__frontend *front, const float *input, const float *cells)
{
    const int64_t height = front->input_height, width = front->input_width;
    /* The network's clipping would make ordinary numbers of a NaN. */
    for (int64_t i = 0; i < height * width * 3; i++)
        if (!isfinite(input[i]))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "the photo holds NaN or infinite values, near (%lld,%lld) of the %lld x %lld pixels "
                                 "that the model sees; want finite numbers",
                                 (long long)(i / 3 / width), (long long)(i / 3 % width), (long long)height,
                                 (long long)width);
    PHYSAD__TRY(check_range(front, input));
    /* These would be nearest to nothing, and silently so. */
    for (int64_t i = 0; i < front->height * front->width * front->dim; i++)
        if (!isfinite(cells[i]))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "the photo gives features that are not finite: its values are huge, or the weights "
                                 "are not a network's");
    return PHYSAD_OK;
}

int64_t physad__frontend_batch(const physad__frontend *front)
{
    const int64_t floats = front->input_height * front->input_width * 3 + front->height * front->width * front->dim;
    return physad__max(1, physad__min(8, ((int64_t)64 << 20) / (floats * (int64_t)sizeof(float))));
}
