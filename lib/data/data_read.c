/* SPDX-License-Identifier: Apache-2.0 */
/* A sample's photo and its mask. */
#include "data/data_dataset.h"

#include <physad/video.h>

static physad_status find_sample(const physad_dataset *ds, int64_t index, const char *what)
{
    if (ds == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: dataset is NULL", what);
    PHYSAD__TRY(physad__context_check(ds->ctx, what));
    if (index < 0 || index >= ds->count)
        return physad__error(PHYSAD_ERR_ARG, "%s: index is %lld, but there are %lld samples", what, (long long)index,
                             (long long)ds->count);
    return PHYSAD_OK;
}

/* One frame of a video as a photo. */
static physad_status read_frame(const physad_dataset *ds, const physad__record *r, physad_image **out)
{
    physad_video *video;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.ahead = -1;
    PHYSAD__TRY(physad_video_open(&video, ds->ctx, r->sample.file, &o));
    physad_status status = physad_video_seek(video, r->frame);
    if (status == PHYSAD_OK)
        status = physad_video_read(video, &f);
    if (status == PHYSAD_OK && f.pixels.data == NULL)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: it has no frame %lld any more", r->sample.file,
                               (long long)r->frame);
    if (status == PHYSAD_OK)
        status = physad__image_copy(out, ds->ctx, &f.pixels);
    physad_video_free(video);
    return status;
}

/* Lists name files that nobody has looked at. */
static physad_status read_named(const physad_dataset *ds, const char *file, int32_t jpeg_scale, physad_image **out)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    o.jpeg_scale = jpeg_scale;
    if (physad__path_is_special(file))
        return physad__error(PHYSAD_ERR_IO, "%s: is not a regular file", file);
    return physad_image_read(out, ds->ctx, file, &o);
}

/* A file's photo. */
static physad_status read_file(const physad_dataset *ds, const physad__record *r, int32_t jpeg_scale,
                               physad_image **out)
{
    return r->of_video ? read_frame(ds, r, out) : read_named(ds, r->sample.file, jpeg_scale, out);
}

static physad_status want_image(const physad_sample *s)
{
    if (s->kind != PHYSAD_KIND_IMAGE)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s is a video, not a photo; video methods read it", s->path);
    return PHYSAD_OK;
}

physad_status physad__dataset_photo(const physad_dataset *ds, int64_t index, int32_t jpeg_scale, physad_image **image,
                                    physad_view *view)
{
    const physad__record *r = ds->records[index];
    *image = NULL;
    PHYSAD__TRY(want_image(&r->sample));
    if (r->photo.data != NULL) {
        *view = r->photo;
        return PHYSAD_OK;
    }
    PHYSAD__TRY(read_file(ds, r, jpeg_scale, image));
    *view = physad_image_view(*image);
    if (view->shape[2] == 2)
        view->shape[2] = 1; /* grey with opacity: the strides stay */
    return PHYSAD_OK;
}

static physad_status read_image(const physad_dataset *dataset, int64_t index, int32_t jpeg_scale, physad_image **out,
                                const char *what)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: out is NULL", what);
    *out = NULL;
    PHYSAD__TRY(find_sample(dataset, index, what));
    const physad__record *r = dataset->records[index];
    PHYSAD__TRY(want_image(&r->sample));
    /* Told alike for every sample, not by the files alone. */
    if (jpeg_scale != 0 && jpeg_scale != 1 && jpeg_scale != 2 && jpeg_scale != 4 && jpeg_scale != 8)
        return physad__error(PHYSAD_ERR_ARG, "%s: jpeg_scale is %d, want 1, 2, 4 or 8", what, jpeg_scale);
    return r->photo.data != NULL ? physad__image_copy(out, dataset->ctx, &r->photo)
                                 : read_file(dataset, r, jpeg_scale, out);
}

physad_status physad_dataset_read_image(const physad_dataset *dataset, int64_t index, physad_image **out)
{
    return read_image(dataset, index, 1, out, "physad_dataset_read_image");
}

physad_status physad_dataset_read_scaled(const physad_dataset *dataset, int64_t index, int32_t jpeg_scale,
                                         physad_image **out)
{
    return read_image(dataset, index, jpeg_scale, out, "physad_dataset_read_scaled");
}

/* --- masks --- */

/* Whether a mask's pixel says defective: any colour that is not zero. JPEG blurs the border of a mask, so there from
 * the middle on. */
static bool is_set(const unsigned char *p, const physad_view *v, int64_t colours, bool blurred)
{
    for (int64_t c = 0; c < colours; c++, p += v->stride[2]) {
        uint16_t word;
        float value;
        switch (v->dtype) {
        case PHYSAD_U16: memcpy(&word, p, sizeof(word)); break;
        case PHYSAD_F32:
            memcpy(&value, p, sizeof(value));
            word = value != 0;
            break;
        default: word = blurred ? *p >= 128 : *p; break;
        }
        if (word != 0)
            return true;
    }
    return false;
}

/* Adds a mask to `out`, each pixel from floor(position * mask / out). */
static void add_mask(physad_view *out, const physad_view *mask, bool blurred)
{
    const int64_t height = out->shape[0], width = out->shape[1];
    const int64_t channels = mask->ndim == 3 ? mask->shape[2] : 1;
    const int64_t colours = channels == 2 || channels == 4 ? channels - 1 : channels; /* opacity says nothing */
    unsigned char *to = out->data;
    for (int64_t y = 0; y < height; y++) {
        const int64_t sy =
            physad__min((int64_t)((double)y * (double)mask->shape[0] / (double)height), mask->shape[0] - 1);
        const unsigned char *row = (const unsigned char *)mask->data + sy * mask->stride[0];
        for (int64_t x = 0; x < width; x++, to++) {
            const int64_t sx =
                physad__min((int64_t)((double)x * (double)mask->shape[1] / (double)width), mask->shape[1] - 1);
            if (is_set(row + sx * mask->stride[1], mask, colours, blurred))
                *to = 1;
        }
    }
}

static physad_status add_mask_file(const physad_dataset *ds, const char *file, physad_view *out)
{
    physad_image *image = NULL;
    PHYSAD__TRY(read_named(ds, file, 1, &image));
    const physad_view view = physad_image_view(image);
    add_mask(out, &view, physad_image_describe(image).format == PHYSAD_IMAGE_JPEG);
    physad_image_free(image);
    return PHYSAD_OK;
}

physad_status physad_dataset_read_mask(const physad_dataset *dataset, int64_t index, physad_view *mask)
{
    static const int64_t any[] = { -1, -1 };
    PHYSAD__TRY(find_sample(dataset, index, "physad_dataset_read_mask"));
    PHYSAD__TRY(
        physad__view_want(mask, "mask", mask != NULL && mask->dtype == PHYSAD_BOOL ? PHYSAD_BOOL : PHYSAD_U8, 2, any));
    if (mask->flags & PHYSAD_VIEW_READONLY)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_read_mask: mask is read-only");
    const physad__record *r = dataset->records[index];
    const physad_sample *s = &r->sample;
    if (s->truth == PHYSAD_TRUTH_NONE)
        return physad__error(PHYSAD_ERR_STATE,
                             "%s has no mask, and is not known to be normal: nothing is known of its pixels", s->path);
    memset(mask->data, 0, (size_t)(mask->shape[0] * mask->shape[1]));
    if (r->mask.data != NULL) {
        physad_view given = r->mask;
        given.stride[2] = 1;
        add_mask(mask, &given, false);
    }
    for (int64_t i = 0; i < s->mask_count; i++)
        PHYSAD__TRY(add_mask_file(dataset, s->mask_files[i], mask));
    return PHYSAD_OK;
}
