/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of photos read as videos. */
#include "io/io_image.h"
#include "io/io_video_source.h"

#include <math.h>

typedef struct folder_source {
    physad__video_source base;
    char *path;
    char **names;
    int64_t count, capacity;
    /* Resizing: antialiased bilinear, first along rows, then along columns. */
    float *row;
    bool limited; /* max_frames left frames out */
} folder_source;

/* --- resizing ------------------------------------------------------------------------------------------------------
 */

typedef struct span {
    int64_t from, to;
    double centre, reach;
} span;

/* The source samples under a triangle around target `i`. */
static span span_of(int64_t i, int64_t from_size, int64_t to_size)
{
    const double scale = (double)from_size / (double)to_size, reach = scale > 1 ? scale : 1;
    span s = { 0, 0, ((double)i + 0.5) * scale, reach };
    s.from = physad__max(0, (int64_t)floor(s.centre - reach));
    s.to = physad__min(from_size, (int64_t)ceil(s.centre + reach));
    return s;
}

static double span_weight(const span *s, int64_t k)
{
    const double d = fabs((double)k + 0.5 - s->centre) / s->reach;
    return d < 1 ? 1 - d : 0;
}

static float sample(const physad_view *v, int64_t offset)
{
    const char *at = (const char *)v->data;
    return v->dtype == PHYSAD_U8 ? (float)((const uint8_t *)at)[offset] * 257
                                 : (float)((const uint16_t *)(const void *)at)[offset];
}

static void resize_row(const physad_view *v, int64_t y, float *out, int64_t width)
{
    const int64_t channels = v->shape[2], stored = v->shape[1];
    for (int64_t x = 0; x < width; x++) {
        const span s = span_of(x, stored, width);
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0, weights = 0;
            for (int64_t k = s.from; k < s.to; k++) {
                const double w = span_weight(&s, k);
                sum += w * sample(v, (y * stored + k) * channels + c);
                weights += w;
            }
            out[x * channels + c] = (float)(sum / weights);
        }
    }
}

static void put_row(void *out, int32_t dtype, int64_t first, const float *row, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (dtype == PHYSAD_U8)
            ((uint8_t *)out)[first + i] = (uint8_t)(row[i] / 257 + 0.5f);
        else
            ((uint16_t *)out)[first + i] = (uint16_t)(row[i] + 0.5f);
    }
}

static physad_status resize(folder_source *f, const physad_view *v, void *out)
{
    const physad_video_info *info = &f->base.info;
    const int64_t values = info->width * info->channels;
    float *rows =
        physad__alloc_array(&f->base.ctx->mem, v->shape[0], (size_t)values * sizeof(float), "resizing a frame");
    if (rows == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t y = 0; y < v->shape[0]; y++)
        resize_row(v, y, rows + y * values, info->width);
    for (int64_t y = 0; y < info->height; y++) {
        const span s = span_of(y, v->shape[0], info->height);
        for (int64_t i = 0; i < values; i++) {
            double sum = 0, weights = 0;
            for (int64_t k = s.from; k < s.to; k++) {
                const double w = span_weight(&s, k);
                sum += w * rows[k * values + i];
                weights += w;
            }
            f->row[i] = (float)(sum / weights);
        }
        put_row(out, info->dtype, y * values, f->row, values);
    }
    physad__free(rows);
    return PHYSAD_OK;
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static physad_status read_photo(folder_source *f, int64_t index, physad_image **out)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    o.channels = f->base.options.channels == 1 ? PHYSAD_IMAGE_GRAY : PHYSAD_IMAGE_RGB;
    o.dtype = f->base.options.dtype == PHYSAD_U8 ? PHYSAD_U8 : 0;
    o.apply_orientation = 1;
    o.max_pixels = f->base.options.max_pixels;
    char *path = physad__path_join(&f->base.ctx->mem, f->path, f->names[index]);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad_image_read(out, f->base.ctx, path, &o);
    physad__free(path);
    return status;
}

static physad_status deliver(folder_source *f, const physad_view *v, void *pixels)
{
    const physad_video_info *info = &f->base.info;
    if (v->dtype != PHYSAD_U8 && v->dtype != PHYSAD_U16)
        return physad__error(PHYSAD_ERR_DTYPE, "%s/%s: pixels of %s; frames are u8 or u16", f->path,
                             f->names[f->base.position], physad_dtype_name(v->dtype));
    if (v->shape[0] != info->height || v->shape[1] != info->width || v->dtype != info->dtype)
        return resize(f, v, pixels);
    memcpy(pixels, v->data, (size_t)physad__video_frame_bytes(&f->base));
    return PHYSAD_OK;
}

static bool ends_video(physad_status status)
{
    return status == PHYSAD_ERR_FORMAT || status == PHYSAD_ERR_IO || status == PHYSAD_ERR_UNSUPPORTED ||
           status == PHYSAD_ERR_DTYPE;
}

static physad_status next(physad__video_source *source, void *pixels, physad__frame_mark *mark, bool *end)
{
    folder_source *f = (folder_source *)source;
    physad_image *photo = NULL;
    *end = source->position >= f->count || source->info.shortened != 0;
    PHYSAD__TRY(physad__video_stopped(source));
    if (*end) {
        source->info.shortened |= f->limited;
        return PHYSAD_OK;
    }
    physad_status status = read_photo(f, source->position, &photo);
    if (status == PHYSAD_OK && pixels != NULL) {
        const physad_view view = physad_image_view(photo);
        status = deliver(f, &view, pixels);
    }
    physad_image_free(photo);
    if (status == PHYSAD_OK) {
        *mark = (physad__frame_mark){ source->position, (double)source->position / source->info.frame_rate, 1 };
        source->position++;
    } else if (ends_video(status) && source->options.on_error == PHYSAD_VIDEO_SHORTEN && source->position > 0) {
        source->info.shortened = 1;
        *end = true;
        status = PHYSAD_OK;
    }
    return status;
}

static physad_status seek(physad__video_source *source, int64_t index)
{
    source->info.shortened = 0;
    source->position = physad__min(index, ((folder_source *)source)->count);
    return PHYSAD_OK;
}

static void source_free(physad__video_source *source)
{
    folder_source *f = (folder_source *)source;
    for (int64_t i = 0; i < f->count; i++)
        physad__free(f->names[i]);
    physad__free(f->names);
    physad__free(f->row);
    physad__free(f->path);
    physad__free(f);
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static bool is_photo(const char *name)
{
    static const char *const suffixes[] = { ".png", ".jpg", ".jpeg", ".tif", ".tiff",
                                            ".bmp", ".ppm", ".pgm",  ".pbm", ".pnm" };
    for (int64_t i = 0; i < PHYSAD__COUNT(suffixes); i++)
        if (physad__has_suffix(name, suffixes[i]))
            return true;
    return false;
}

static physad_status list_frames(folder_source *f)
{
    physad__mem *mem = &f->base.ctx->mem;
    physad__dir dir;
    PHYSAD__TRY(physad__dir_list(&dir, mem, f->path));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++) {
        if (dir.entries[i].is_dir || !is_photo(dir.entries[i].name))
            continue;
        if (f->count >= f->base.options.max_frames)
            status = physad__error(PHYSAD_ERR_FORMAT, "%s: more than max_frames (%lld) frames", f->base.name,
                                   (long long)f->base.options.max_frames);
        if (status == PHYSAD_OK)
            status = physad__grow(mem, &f->names, &f->capacity, f->count + 1, sizeof(*f->names), "frames");
        if (status == PHYSAD_OK && (f->names[f->count] = physad__strdup(mem, dir.entries[i].name)) == NULL)
            status = PHYSAD_ERR_NOMEM;
        f->count += status == PHYSAD_OK;
    }
    physad__dir_free(&dir);
    if (status == PHYSAD_ERR_FORMAT && f->base.options.on_error == PHYSAD_VIDEO_SHORTEN) {
        f->limited = true;
        status = PHYSAD_OK;
    }
    if (status == PHYSAD_OK && f->count == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: there is no photo in this folder", f->base.name);
    return status;
}

/* The first frame gives the size. */
static physad_status describe(folder_source *f)
{
    physad_video_info *info = &f->base.info;
    physad_image *photo;
    PHYSAD__TRY(list_frames(f));
    PHYSAD__TRY(read_photo(f, 0, &photo));
    const physad_image_info first = physad_image_describe(photo);
    const physad_view view = physad_image_view(photo);
    const int64_t height = view.shape[0], width = view.shape[1];
    physad_image_free(photo);
    info->channels = f->base.options.channels;
    info->dtype = f->base.options.dtype;
    info->bits = first.bits;
    info->stored_height = first.height;
    info->stored_width = first.width;
    info->frames_said = f->count;
    info->frame_rate = f->base.options.frame_rate;
    info->codec = "folder";
    info->container = "folder";
    PHYSAD__TRY(physad__video_size(&f->base, height, width));
    f->row = physad__alloc_array(&f->base.ctx->mem, info->width * info->channels, sizeof(float), "frames");
    return f->row != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__video_source_folder(physad__video_source **out, physad_context *ctx,
                                          const physad__video_input *input, const physad_video_options *options,
                                          atomic_int *stop)
{
    *out = NULL;
    folder_source *f = physad__alloc_zero(&ctx->mem, sizeof(*f), "video");
    if (f == NULL)
        return PHYSAD_ERR_NOMEM;
    f->base = (physad__video_source){ .ctx = ctx,
                                      .options = *options,
                                      .name = input->name,
                                      .seekable = true,
                                      .stop = stop,
                                      .next = next,
                                      .seek = seek,
                                      .free = source_free };
    f->path = physad__strdup(&ctx->mem, input->path);
    const physad_status status = f->path != NULL ? describe(f) : PHYSAD_ERR_NOMEM;
    if (status != PHYSAD_OK) {
        source_free(&f->base);
        return status;
    }
    *out = &f->base;
    return PHYSAD_OK;
}
