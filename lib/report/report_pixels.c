/* SPDX-License-Identifier: Apache-2.0 */
/* From a result and its sample's truth to the pixel accumulator, and to a picture. */
#include "report/report_run.h"

#include <math.h>

typedef struct planes {
    int64_t height, width;
    float *map;
    uint8_t *mask, *valid; /* mask: NULL where all is normal or nothing is known */
} planes;

static void planes_free(planes *p)
{
    physad__free(p->map);
    physad__free(p->mask);
    physad__free(p->valid);
}

static physad_view plane(void *data, int32_t dtype, int64_t height, int64_t width)
{
    const int64_t shape[2] = { height, width };
    return physad_view_array(data, dtype, 2, shape);
}

static physad_status read_map(planes *p, physad__mem *mem, const physad_result *result, bool input)
{
    PHYSAD__TRY(input ? physad_result_input_map_shape(result, &p->height, &p->width)
                      : physad_result_map_shape(result, &p->height, &p->width));
    p->map = physad__alloc_array(mem, p->height * p->width, sizeof(*p->map), "score map");
    p->valid = physad__alloc_array(mem, p->height * p->width, 1, "score map");
    if (p->map == NULL || p->valid == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view view = plane(p->map, PHYSAD_F32, p->height, p->width);
    PHYSAD__TRY(input ? physad_result_input_map(result, &view) : physad_result_map(result, &view));
    for (int64_t i = 0; i < p->height * p->width; i++)
        p->valid[i] = !isnan(p->map[i]);
    return PHYSAD_OK;
}

static physad_status read_mask(uint8_t **mask, physad__mem *mem, const physad_dataset *dataset, int64_t index,
                               int64_t height, int64_t width)
{
    if (physad_dataset_sample(dataset, index)->truth != PHYSAD_TRUTH_MASKS)
        return PHYSAD_OK;
    *mask = physad__alloc_array(mem, height * width, 1, "mask");
    if (*mask == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_view view = plane(*mask, PHYSAD_U8, height, width);
    return physad_dataset_read_mask(dataset, index, &view);
}

/* The photo's mask at the centres of the model's pixels, for inputs that are not the whole photo stretched. */
static physad_status mask_through(planes *p, physad__mem *mem, const physad_result *result, const uint8_t *photo_mask)
{
    int64_t input_height, input_width;
    const physad_transform *t = result->origin->transform;
    PHYSAD__TRY(physad_transform_shape(t, &input_height, &input_width));
    p->mask = physad__alloc_zero(mem, (size_t)(p->height * p->width), "mask");
    if (p->mask == NULL)
        return PHYSAD_ERR_NOMEM;
    const double step_y = (double)input_height / (double)p->height, step_x = (double)input_width / (double)p->width;
    for (int64_t i = 0; i < p->height * p->width; i++) {
        double y, x;
        PHYSAD__TRY(physad_transform_to_photo(t, result->photo_height, result->photo_width,
                                              ((double)(i / p->width) + 0.5) * step_y,
                                              ((double)(i % p->width) + 0.5) * step_x, &y, &x));
        const int64_t py = (int64_t)floor(y), px = (int64_t)floor(x);
        if (py >= 0 && px >= 0 && py < result->photo_height && px < result->photo_width)
            p->mask[i] = photo_mask[py * result->photo_width + px];
    }
    return PHYSAD_OK;
}

static bool is_whole_photo(const physad_detector *detector)
{
    const char *fit = physad_detector_get(detector, "fit"), *crop = physad_detector_get(detector, "crop");
    const char *roi = physad_detector_get(detector, "roi");
    return (fit == NULL || strcmp(fit, "stretch") == 0) && (crop == NULL || strcmp(crop, "0") == 0) &&
           (roi == NULL || *roi == '\0');
}

static physad_status read_planes(planes *p, const physad__run_state *run, const physad_scored *s)
{
    physad__mem *mem = &run->ctx->mem;
    const bool input = run->options->metrics_size == PHYSAD_METRICS_INPUT;
    uint8_t *photo_mask = NULL;
    PHYSAD__TRY(read_map(p, mem, s->result, input));
    if (!input || is_whole_photo(s->detector))
        return read_mask(&p->mask, mem, s->dataset, s->index, p->height, p->width);
    physad_status status =
        read_mask(&photo_mask, mem, s->dataset, s->index, s->result->photo_height, s->result->photo_width);
    if (status == PHYSAD_OK && photo_mask != NULL)
        status = mask_through(p, mem, s->result, photo_mask);
    physad__free(photo_mask);
    return status;
}

physad_status physad__run_pixels(physad__run_state *run, const physad_scored *s)
{
    planes p = { 0 };
    if (s->sample->truth == PHYSAD_TRUTH_NONE || run->report->pixel_reason != NULL)
        return PHYSAD_OK;
    physad_status status = read_planes(&p, run, s);
    if (status == PHYSAD_ERR_UNSUPPORTED && p.map != NULL && p.mask == NULL && run->counted == 0) {
        run->report->pixel_reason = "the method makes no map";
        planes_free(&p);
        return PHYSAD_OK;
    }
    if (status == PHYSAD_OK) {
        const physad_view map = plane(p.map, PHYSAD_F32, p.height, p.width),
                          valid = plane(p.valid, PHYSAD_U8, p.height, p.width);
        const physad_view mask = plane(p.mask, PHYSAD_U8, p.height, p.width);
        status = physad_pixels_add(run->pixels, &map, p.mask != NULL ? &mask : NULL, &valid, s->sample->group, 0);
        run->counted++;
        if (status == PHYSAD_OK)
            status = physad__run_breaks_pixels(run, s, &map, p.mask != NULL ? &mask : NULL, &valid);
    }
    planes_free(&p);
    return status;
}

/* --- pictures --- */

/* Where the colours begin and end: at the photo's median score, and at the threshold, or the highest score without one.
 */
physad_status physad__run_range(const float *map, int64_t count, physad__mem *mem, double threshold, double *low,
                                double *high)
{
    int64_t n = 0;
    uint32_t *key = physad__alloc_array(mem, 2 * count, sizeof(*key), "scores of a map");
    if (key == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(map[i]))
            key[n++] = physad__float_key(map[i]);
    physad__radix_sort(key, key + count, n);
    *low = n > 0 ? (double)physad__key_float(key[n / 2]) : 0;
    *high = isnan(threshold) && n > 0 ? (double)physad__key_float(key[n - 1]) : threshold;
    if (n > 0 && !(*low < *high))
        *low = (double)physad__key_float(key[0]);
    if (!(*low < *high))
        *high = *low + 1;
    physad__free(key);
    return PHYSAD_OK;
}

/* FOLDER/METHOD/PATH.png, inside FOLDER whatever the path is. */
static char *picture_path(const physad__run_state *run, const physad_scored *s)
{
    physad__mem *mem = &run->ctx->mem;
    const char *path = s->sample->path;
    while (*path == '/')
        path++;
    char *out = physad__format(mem, "%s/%s/%s.png", run->options->overlays, s->method, path);
    if (out == NULL)
        return NULL;
    char *at = out + strlen(run->options->overlays) + 1;
    while ((at = strstr(at, "/..")) != NULL) { /* no way up */
        at[1] = at[2] = '_';
        at += 3;
    }
    return out;
}

static physad_status write_picture(const physad__run_state *run, const planes *p, const physad_scored *s,
                                   const physad_view *photo)
{
    physad__mem *mem = &run->ctx->mem;
    double low, high;
    const int64_t shape[3] = { p->height, 2 * p->width + PHYSAD_OVERLAY_GAP, 3 };
    uint8_t *pixels = physad__alloc_array(mem, shape[0] * shape[1] * shape[2], 1, "picture");
    char *path = picture_path(run, s), *folder = path != NULL ? physad__path_parent(mem, path) : NULL;
    physad_status status = pixels == NULL || folder == NULL ? PHYSAD_ERR_NOMEM : physad__dir_make(mem, folder);
    if (status == PHYSAD_OK)
        status = physad__run_range(p->map, p->height * p->width, mem, physad_result_threshold(s->result), &low, &high);
    if (status == PHYSAD_OK) {
        const physad_view map = plane(p->map, PHYSAD_F32, p->height, p->width),
                          mask = plane(p->mask, PHYSAD_U8, p->height, p->width);
        const physad_view out = physad_view_array(pixels, PHYSAD_U8, 3, shape);
        status = physad_overlay_draw(photo, &map, p->mask != NULL ? &mask : NULL, low, high, &out);
        if (status == PHYSAD_OK)
            status = physad_image_write(run->ctx, path, &out, NULL);
    }
    physad__free(pixels);
    physad__free(path);
    physad__free(folder);
    return status;
}

/* Read again: pictures are few, and photos large. */
physad_status physad__run_photo(const physad__run_state *run, const physad_scored *s, const physad_view *photo,
                                physad_image **image, physad_view *out)
{
    *image = NULL;
    if (photo == NULL)
        PHYSAD__TRY(physad_dataset_read_scaled(s->dataset, s->index, physad__jpeg_scale(run->detector), image));
    *out = photo != NULL ? *photo : physad_image_view(*image);
    return PHYSAD_OK;
}

physad_status physad__run_picture(physad__run_state *run, const physad_scored *s, const physad_view *photo)
{
    planes p = { 0 };
    physad_image *image = NULL;
    physad_view pixels;
    physad__mem *mem = &run->ctx->mem;
    if (run->options->overlays == NULL || run->report->pixel_reason != NULL)
        return PHYSAD_OK;
    physad_status status = read_map(&p, mem, s->result, false);
    if (status == PHYSAD_OK)
        status = physad__run_photo(run, s, photo, &image, &pixels);
    if (status == PHYSAD_OK)
        status = read_mask(&p.mask, mem, s->dataset, s->index, p.height, p.width);
    if (status == PHYSAD_OK)
        status = write_picture(run, &p, s, &pixels);
    physad_image_free(image);
    planes_free(&p);
    return status;
}

/* The sample has been counted: its place in the report is the last one. */
physad_status physad__run_gallery(physad__run_state *run, const physad_scored *s, const physad_view *photo)
{
    planes p = { 0 };
    physad_image *image = NULL;
    physad_view pixels;
    physad__mem *mem = &run->ctx->mem;
    if (!physad__gallery_wants(run->report, run->options->gallery))
        return PHYSAD_OK;
    physad_status status = read_map(&p, mem, s->result, false);
    const bool has_map = status == PHYSAD_OK;
    if (status == PHYSAD_ERR_UNSUPPORTED)
        status = PHYSAD_OK; /* a method without a map: the photo alone */
    if (status == PHYSAD_OK && p.height > 0)
        status = read_mask(&p.mask, mem, s->dataset, s->index, p.height, p.width);
    if (status == PHYSAD_OK)
        status = physad__run_photo(run, s, photo, &image, &pixels);
    if (status == PHYSAD_OK) {
        const physad_view map = plane(p.map, PHYSAD_F32, p.height, p.width),
                          mask = plane(p.mask, PHYSAD_U8, p.height, p.width);
        status = physad__gallery_add(run, s, &pixels, has_map ? &map : NULL, p.mask != NULL ? &mask : NULL);
    }
    physad_image_free(image);
    planes_free(&p);
    return status;
}
