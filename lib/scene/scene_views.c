/* SPDX-License-Identifier: Apache-2.0 */
/* Photos and their cameras: undistorted and shrunk in one pass, each pixel the mean of the photo under
 * it; masks. */
#include "data/data.h"
#include "io/io.h"
#include "scene/scene_photos.h"

#include <math.h>

/* --- pixels --- */

typedef struct sampling {
    const physad_view *photo; /* u8, H x W x 3 */
    const uint8_t *mask;      /* H x W: 0 where the photo is not looked at; NULL: nowhere */
    physad__lens lens;        /* of the photo */
    int64_t fine;             /* samples of a pixel, each way */
} sampling;

static bool sample(float sum[3], const sampling *s, double u, double v)
{
    const int64_t width = s->photo->shape[1], height = s->photo->shape[0];
    if (!(u >= 0 && u <= (double)width && v >= 0 && v <= (double)height))
        return false;
    if (s->mask != NULL && !s->mask[physad__min((int64_t)v, height - 1) * width + physad__min((int64_t)u, width - 1)])
        return false;
    const double x = fmin(fmax(u - 0.5, 0), (double)(width - 1)), y = fmin(fmax(v - 0.5, 0), (double)(height - 1));
    const int64_t x0 = (int64_t)x, y0 = (int64_t)y, x1 = physad__min(x0 + 1, width - 1),
                  y1 = physad__min(y0 + 1, height - 1);
    const float fx = (float)(x - (double)x0), fy = (float)(y - (double)y0);
    const uint8_t *top = (const uint8_t *)s->photo->data + y0 * s->photo->stride[0];
    const uint8_t *bottom = (const uint8_t *)s->photo->data + y1 * s->photo->stride[0];
    for (int ch = 0; ch < 3; ch++) {
        const float a = (float)top[3 * x0 + ch] + fx * (float)(top[3 * x1 + ch] - top[3 * x0 + ch]);
        const float b = (float)bottom[3 * x0 + ch] + fx * (float)(bottom[3 * x1 + ch] - bottom[3 * x0 + ch]);
        sum[ch] += a + fy * (b - a);
    }
    return true;
}

/* One pixel; false where some of it lies outside the photo or its mask. */
static bool pixel(float out[3], const sampling *s, const physad_camera *camera, int64_t px, int64_t py)
{
    float sum[3] = { 0 };
    for (int64_t k = 0; k < s->fine * s->fine; k++) {
        const double step = 1.0 / (double)s->fine;
        const double x = (double)px + ((double)(k % s->fine) + 0.5) * step,
                     y = (double)py + ((double)(k / s->fine) + 0.5) * step;
        double u, v;
        physad__lens_project(&s->lens, (x - camera->cx) / camera->fx, (y - camera->cy) / camera->fy, &u, &v);
        if (!sample(sum, s, u, v))
            return false;
    }
    for (int ch = 0; ch < 3; ch++)
        out[ch] = sum[ch] / (255.0f * (float)(s->fine * s->fine));
    return true;
}

static physad_status resample(physad__scene_view *view, physad_context *ctx, const sampling *s)
{
    const physad_camera *camera = &view->camera;
    const int64_t plane = camera->width * camera->height;
    int64_t missing = 0;
    view->pixels = physad__alloc_array(&ctx->mem, 3 * plane, sizeof(float), "photos of a scene");
    view->missing = physad__alloc_zero(&ctx->mem, (size_t)plane, "photos of a scene");
    if (view->pixels == NULL || view->missing == NULL)
        return PHYSAD_ERR_NOMEM;
#pragma omp parallel for schedule(static) reduction(+ : missing)
    for (int64_t y = 0; y < camera->height; y++)
        for (int64_t x = 0; x < camera->width; x++) {
            float rgb[3] = { 0 };
            const int64_t at = y * camera->width + x;
            view->missing[at] = !pixel(rgb, s, camera, x, y);
            missing += view->missing[at];
            for (int ch = 0; ch < 3; ch++)
                view->pixels[ch * plane + at] = rgb[ch];
        }
    if (missing == 0) {
        physad__free(view->missing);
        view->missing = NULL;
    }
    return PHYSAD_OK;
}

#define LEAST_FINER 1.5 /* pixels of the photo under one of the view for shifts to tell anything */

static physad_status resample_shifted(physad__scene_view *view, physad_context *ctx, const sampling *s)
{
    const int64_t width = view->camera.width, height = view->camera.height;
    view->shifted = physad__alloc_array(&ctx->mem, PHYSAD__SHIFTS * height * width, 4, "photos of a scene");
    if (view->shifted == NULL)
        return PHYSAD_ERR_NOMEM;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < PHYSAD__SHIFTS * height; row++) {
        const int64_t k = row / height, y = row % height;
        physad_camera camera = view->camera;
        camera.cx -= PHYSAD__SHIFT_X(k);
        camera.cy -= PHYSAD__SHIFT_Y(k);
        uint8_t *out = view->shifted + 4 * row * width;
        for (int64_t x = 0; x < width; x++, out += 4) {
            float rgb[3] = { 0 };
            out[3] = !pixel(rgb, s, &camera, x, y);
            for (int ch = 0; ch < 3; ch++)
                out[ch] = (uint8_t)(255 * rgb[ch] + 0.5f);
        }
    }
    return PHYSAD_OK;
}

void physad__scene_view_shift(float *picture, uint8_t *missing, const physad__scene_view *view, int64_t k)
{
    const int64_t plane = view->camera.width * view->camera.height;
    const uint8_t *in = view->shifted + 4 * k * plane;
    for (int64_t i = 0; i < plane; i++, in += 4) {
        for (int64_t ch = 0; ch < 3; ch++)
            picture[ch * plane + i] = (float)in[ch] * (1 / 255.0f);
        missing[i] = in[3];
    }
}

/* How a photo becomes a view. */
typedef struct filling {
    const physad__lens *lens;
    const uint8_t *mask; /* as in sampling */
    int32_t max_side;    /* 0: as it is */
    bool shifts;
    const char *name;
} filling;

static physad_status fill_view(physad__scene_view *view, physad_context *ctx, const physad_view *photo,
                               const filling *f)
{
    const int64_t height = photo->shape[0], width = photo->shape[1], side = physad__max(width, height);
    const double shrink = f->max_side > 0 && side > f->max_side ? (double)f->max_side / (double)side : 1;
    physad_camera *c = &view->camera;
    c->width = physad__max(1, (int64_t)((double)width * shrink + 0.5));
    c->height = physad__max(1, (int64_t)((double)height * shrink + 0.5));
    view->lens = *f->lens;
    PHYSAD__TRY(physad__lens_fit(&view->lens, width, height, f->name));
    const double sx = (double)c->width / (double)width, sy = (double)c->height / (double)height;
    c->fx = view->lens.fx * sx;
    c->fy = view->lens.fy * sy;
    c->cx = view->lens.cx * sx;
    c->cy = view->lens.cy * sy;
    const sampling s = {
        .photo = photo, .mask = f->mask, .lens = view->lens, .fine = (int64_t)ceil(1 / shrink - 0.01)
    };
    PHYSAD__TRY(resample(view, ctx, &s));
    return f->shifts && shrink * LEAST_FINER <= 1 ? resample_shifted(view, ctx, &s) : PHYSAD_OK;
}

/* Bytes of red, green and blue without gaps, from any kind of photo. */
static physad_status to_bytes(uint8_t *out, physad_context *ctx, const physad_view *photo)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    physad_transform *transform;
    const int64_t shape[3] = { photo->shape[0], photo->shape[1], 3 }, n = shape[0] * shape[1] * 3;
    o.height = shape[0];
    o.width = shape[1];
    o.normalise = PHYSAD_NORMALISE_NONE;
    float *values = physad__alloc_array(&ctx->mem, n, sizeof(float), "photo");
    if (values == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_view target = physad_view_array(values, PHYSAD_F32, 3, shape);
    physad_status status = physad_transform_new(&transform, ctx, &o);
    if (status == PHYSAD_OK) {
        status = physad_transform_apply(transform, photo, &target);
        physad_transform_free(transform);
    }
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        out[i] = (uint8_t)(fminf(fmaxf(values[i], 0), 1) * 255 + 0.5f);
    physad__free(values);
    return status;
}

static physad_status fill_any(physad__scene_view *view, physad_context *ctx, const physad_view *photo, const filling *f)
{
    const bool colours = photo->ndim == 3 && photo->dtype == PHYSAD_U8 && photo->shape[2] == 3 &&
                         photo->stride[2] == 1 && photo->stride[1] == 3;
    if (colours)
        return fill_view(view, ctx, photo, f);
    if (photo->ndim != 2 && photo->ndim != 3)
        return physad__error(PHYSAD_ERR_SHAPE, "%s has %d dimensions, want 2 or 3", f->name, photo->ndim);
    const int64_t shape[3] = { photo->shape[0], photo->shape[1], 3 };
    uint8_t *bytes = physad__alloc_array(&ctx->mem, 3 * shape[0] * shape[1], 1, "photo");
    if (bytes == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view packed = physad_view_array(bytes, PHYSAD_U8, 3, shape);
    physad_status status = to_bytes(bytes, ctx, photo);
    if (status == PHYSAD_OK)
        status = fill_view(view, ctx, &packed, f);
    physad__free(bytes);
    return status;
}

physad_status physad__scene_view_fill(physad__scene_view *view, physad_context *ctx, const physad__lens *lens,
                                      const physad_view *photo, int32_t max_side, const char *name)
{
    return fill_any(view, ctx, photo, &(filling){ .lens = lens, .max_side = max_side, .name = name });
}

/* --- masks and alpha --- */

/* The photo's mask as grey of its size; *out stays NULL where there is none. */
static physad_status read_mask(physad_image **out, physad_context *ctx, const char *folder, const char *name,
                               const physad_view *photo)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    physad__mem *mem = &ctx->mem;
    const size_t stem = strlen(name) - strlen(physad__path_suffix(name));
    *out = NULL;
    o.channels = PHYSAD_IMAGE_GRAY;
    o.dtype = PHYSAD_U8;
    for (int k = 0; k < 2 && *out == NULL; k++) {
        char *path = k == 0 ? physad__format(mem, "%s/%s.png", folder, name)
                            : physad__format(mem, "%s/%.*s.png", folder, (int)stem, name);
        if (path == NULL)
            return PHYSAD_ERR_NOMEM;
        physad_status status = physad__path_is_file(path) ? physad_image_read(out, ctx, path, &o) : PHYSAD_OK;
        const physad_view view = *out != NULL ? physad_image_view(*out) : *photo;
        if (status == PHYSAD_OK && (view.shape[0] != photo->shape[0] || view.shape[1] != photo->shape[1]))
            status = physad__error(PHYSAD_ERR_SHAPE, "%s: the mask has %lld x %lld pixels, its photo %lld x %lld", path,
                                   (long long)view.shape[1], (long long)view.shape[0], (long long)photo->shape[1],
                                   (long long)photo->shape[0]);
        physad__free(path);
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

/* Colours over a background, in place of `bytes`; grey or colour, the last channel alpha. */
static void lay_over(uint8_t *bytes, const physad_view *photo, const float background[3])
{
    const int64_t channels = photo->shape[2];
    for (int64_t i = 0; i < photo->shape[0] * photo->shape[1]; i++) {
        const uint8_t *at = (const uint8_t *)photo->data + i / photo->shape[1] * photo->stride[0] +
                            i % photo->shape[1] * photo->stride[1];
        const float alpha = (float)at[channels - 1] / 255.0f;
        for (int64_t ch = 0; ch < 3; ch++)
            bytes[3 * i + ch] =
                (uint8_t)((float)at[channels == 4 ? ch : 0] * alpha + 255 * background[ch] * (1 - alpha) + 0.5f);
    }
}

/* What a photo's file holds goes to the view: over the background where it has alpha, within its mask where there is
 * one. */
static physad_status fill_photo(physad__scene_view *view, physad_context *ctx, const physad__posed *posed,
                                const physad_view *photo, int32_t max_side, const physad__scene_choice *chosen)
{
    physad_image *mask = NULL;
    uint8_t *bytes = NULL;
    physad_view shown = *photo;
    const int64_t shape[3] = { photo->shape[0], photo->shape[1], 3 };
    physad_status status = chosen->masks != NULL ? read_mask(&mask, ctx, chosen->masks, posed->name, photo) : PHYSAD_OK;
    if (status == PHYSAD_OK && chosen->background != NULL && photo->ndim == 3 && photo->shape[2] % 2 == 0) {
        bytes = physad__alloc_array(&ctx->mem, 3 * shape[0] * shape[1], 1, "photo");
        if (bytes == NULL)
            status = PHYSAD_ERR_NOMEM;
        else
            lay_over(bytes, photo, chosen->background);
        shown = physad_view_array(bytes, PHYSAD_U8, 3, shape);
    }
    const physad_view cover = mask != NULL ? physad_image_view(mask) : *photo;
    const filling f = { .lens = &posed->lens,
                        .mask = mask != NULL ? cover.data : NULL,
                        .max_side = max_side,
                        .shifts = chosen->shifts,
                        .name = view->path };
    if (status == PHYSAD_OK)
        status = fill_any(view, ctx, &shown, &f);
    physad__free(bytes);
    physad_image_free(mask);
    return status;
}

static physad_status read_view(physad__scene_view *view, physad_context *ctx, const physad__posed *posed,
                               int32_t max_side, const physad__scene_choice *chosen)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    physad_image *image = NULL;
    o.channels = chosen->background != NULL ? PHYSAD_IMAGE_AS_IS : PHYSAD_IMAGE_RGB;
    o.dtype = PHYSAD_U8;
    PHYSAD__TRY(physad_image_read(&image, ctx, view->path, &o));
    const physad_view photo = physad_image_view(image);
    const physad_status status = fill_photo(view, ctx, posed, &photo, max_side, chosen);
    memcpy(view->camera.rotation, posed->rotation, sizeof(posed->rotation));
    memcpy(view->camera.translation, posed->translation, sizeof(posed->translation));
    physad_image_free(image);
    return status;
}

/* --- half as large --- */

static void halve_pixel(float out[3], const physad__scene_view *in, int64_t x, int64_t y)
{
    const int64_t width = in->camera.width, plane = width * in->camera.height, at = 2 * y * width + 2 * x;
    for (int64_t ch = 0; ch < 3; ch++) {
        const float *p = in->pixels + ch * plane + at;
        out[ch] = 0.25f * (p[0] + p[1] + p[width] + p[width + 1]);
    }
}

physad_status physad__scene_view_halve(physad__scene_view *out, physad__mem *mem, const physad__scene_view *in)
{
    const int64_t by = in->camera.width < 32 || in->camera.height < 32 ? 1 : 2, width = in->camera.width / by,
                  height = in->camera.height / by;
    const int64_t plane = width * height, row = in->camera.width;
    *out = (physad__scene_view){ .camera = in->camera, .held_out = in->held_out };
    physad_camera *c = &out->camera;
    c->width = width;
    c->height = height;
    c->fx /= (double)by;
    c->fy /= (double)by;
    c->cx /= (double)by;
    c->cy /= (double)by;
    out->pixels = physad__alloc_array(mem, 3 * plane, sizeof(float), "halved photos");
    out->missing = in->missing != NULL ? physad__alloc_array(mem, plane, 1, "halved photos") : NULL;
    if (out->pixels == NULL || (in->missing != NULL && out->missing == NULL))
        return PHYSAD_ERR_NOMEM;
    if (by == 1) {
        memcpy(out->pixels, in->pixels, (size_t)(3 * plane) * sizeof(float));
        if (in->missing != NULL)
            memcpy(out->missing, in->missing, (size_t)plane);
        return PHYSAD_OK;
    }
    for (int64_t at = 0; at < plane; at++) {
        const int64_t x = at % width, y = at / width;
        float rgb[3];
        halve_pixel(rgb, in, x, y);
        for (int64_t ch = 0; ch < 3; ch++)
            out->pixels[ch * plane + at] = rgb[ch];
        if (in->missing != NULL) {
            const uint8_t *m = in->missing + 2 * y * row + 2 * x;
            out->missing[at] = m[0] | m[1] | m[row] | m[row + 1];
        }
    }
    return PHYSAD_OK;
}

/* --- the set --- */

void physad__scene_view_clear(physad__scene_view *view)
{
    physad__free(view->name);
    physad__free(view->path);
    physad__free(view->pixels);
    physad__free(view->missing);
    physad__free(view->shifted);
    *view = (physad__scene_view){ 0 };
}

void physad__scene_views_free(physad__scene_views *v)
{
    for (int64_t i = 0; i < v->count; i++)
        physad__scene_view_clear(&v->views[i]);
    physad__free(v->views);
    physad__free(v->points);
    physad__free(v->colours);
    *v = (physad__scene_views){ 0 };
}

static physad_status measure_extent(physad__scene_views *v, const char *data)
{
    v->extent = v->count > 0 ? physad__cameras_extent(&v->views[0].camera, v->count, sizeof(*v->views)) : 0;
    if (v->count < 2 || !(v->extent > 1e-9))
        return physad__error(
            PHYSAD_ERR_NUMERIC,
            "%s: %lld photos with poses, and all from one place: depth cannot be seen; want two places "
            "at least",
            data, (long long)v->count);
    return PHYSAD_OK;
}

static const double MOST_COORDINATE = 1e15; /* its square is still a float */

static physad_status copy_points(physad__scene_views *v, physad__mem *mem, const physad__poses *poses)
{
    v->n_points = poses->n_points;
    v->points = physad__alloc_array(mem, 3 * v->n_points + 1, sizeof(float), "points of a scene");
    v->colours = physad__alloc_array(mem, 3 * v->n_points + 1, sizeof(float), "points of a scene");
    if (v->points == NULL || v->colours == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < 3 * v->n_points; i++) {
        if (!(fabs(poses->points[i]) < MOST_COORDINATE))
            return physad__error(PHYSAD_ERR_FORMAT, "point %lld of the poses lies at %g, want less than %g",
                                 (long long)(i / 3), poses->points[i], MOST_COORDINATE);
        v->points[i] = (float)poses->points[i];
        v->colours[i] = (float)poses->colours[i] / 255.0f;
    }
    return PHYSAD_OK;
}

/* The view with this file, or -1. */
static int64_t view_with(const physad__scene_views *v, const char *path)
{
    for (int64_t i = 0; i < v->count; i++)
        if (strcmp(v->views[i].path, path) == 0)
            return i;
    return -1;
}

static physad_status check_same(const double rotation[9], const double translation[3], const physad__posed *posed,
                                const char *data)
{
    if (memcmp(rotation, posed->rotation, sizeof(posed->rotation)) == 0 &&
        memcmp(translation, posed->translation, sizeof(posed->translation)) == 0)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_FORMAT, "%s: the photo %s has two poses that contradict each other", data,
                         posed->name);
}

/* Photos are sorted by name: two poses of one lie side by side. */
static physad_status check_poses(const physad__poses *poses, const char *data)
{
    for (int64_t i = 1; i < poses->n_photos; i++) {
        const physad__posed *a = &poses->photos[i - 1], *b = &poses->photos[i];
        if (strcmp(a->name, b->name) == 0)
            PHYSAD__TRY(check_same(a->rotation, a->translation, b, data));
    }
    return PHYSAD_OK;
}

/* Adds a photo that is chosen; *path goes to the view. */
static physad_status add_view(physad__scene_views *v, physad_context *ctx, const physad__posed *posed, char *path,
                              int32_t max_side, const physad__scene_choice *chosen)
{
    physad__scene_view *view = &v->views[v->count++];
    view->name = physad__strdup(&ctx->mem, posed->name);
    view->path = path;
    return view->name != NULL ? read_view(view, ctx, posed, max_side, chosen) : PHYSAD_ERR_NOMEM;
}

/* `room`: views that may follow. */
static physad_status read_all(physad__scene_views *v, physad_context *ctx, const physad__poses *poses, const char *data,
                              int32_t max_side, const physad__scene_choice *chosen, int64_t room, physad__call *call)
{
    v->views = physad__alloc_zero(&ctx->mem, (size_t)(poses->n_photos + room) * sizeof(*v->views), "photos of a scene");
    if (v->views == NULL)
        return PHYSAD_ERR_NOMEM;
    int64_t absent = 0;
    physad__call_stage(call, "photos", poses->n_photos);
    for (int64_t i = 0; i < poses->n_photos; i++) {
        char *path;
        PHYSAD__TRY(physad__photo_find(&path, &ctx->mem, data, poses->photos[i].name));
        if (path != NULL && !physad__photo_is_chosen(chosen, path))
            physad__free(path);
        else if (path == NULL)
            physad__photo_absent(ctx, data, poses->photos[i].name, &absent);
        else if (view_with(v, path) >= 0) { /* once more, or under another name: 1.png and 1 */
            const physad_camera *had = &v->views[view_with(v, path)].camera;
            const physad_status status = check_same(had->rotation, had->translation, &poses->photos[i], data);
            physad__free(path);
            PHYSAD__TRY(status);
        } else
            PHYSAD__TRY(add_view(v, ctx, &poses->photos[i], path, max_side, chosen));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    physad__photos_absent(ctx, data, absent);
    return PHYSAD_OK;
}

/* --- cameras of transforms.json, points of COLMAP's model --- */

static physad_status match_photos(int64_t *view_of, physad_context *ctx, const physad__poses *model,
                                  const physad__scene_views *v, const char *data)
{
    for (int64_t i = 0; i < model->n_photos; i++) {
        char *path;
        PHYSAD__TRY(physad__photo_find(&path, &ctx->mem, data, model->photos[i].name));
        view_of[i] = path != NULL ? view_with(v, path) : -1;
        physad__free(path);
    }
    return PHYSAD_OK;
}

/* Photos that the model alone knows come over with its lens. */
static physad_status add_others(physad__scene_views *v, physad_context *ctx, physad__poses *model,
                                const int64_t *view_of, const physad__similarity *to, const char *data,
                                int32_t max_side, const physad__scene_choice *chosen)
{
    for (int64_t i = 0; i < model->n_photos; i++) {
        physad__posed *photo = &model->photos[i];
        char *path = NULL;
        if (view_of[i] < 0)
            PHYSAD__TRY(physad__photo_find(&path, &ctx->mem, data, photo->name));
        if (path == NULL || !physad__photo_is_chosen(chosen, path)) {
            physad__free(path);
            continue;
        }
        physad__similarity_pose(to, photo->rotation, photo->translation);
        PHYSAD__TRY(add_view(v, ctx, photo, path, max_side, chosen));
    }
    return PHYSAD_OK;
}

static physad_status join_model(physad__scene_views *v, physad_context *ctx, physad__poses *model, const char *data,
                                int32_t max_side, const physad__scene_choice *chosen)
{
    physad__bridge bridge;
    int64_t *view_of = physad__alloc_array(&ctx->mem, model->n_photos, sizeof(*view_of), "photos of a scene");
    physad_status status = view_of != NULL ? match_photos(view_of, ctx, model, v, data) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__scene_bridge(&bridge, model, view_of, v);
    if (status == PHYSAD_OK && !bridge.fits) {
        physad__log(
            ctx, PHYSAD_LOG_WARNING,
            bridge.apart > 0
                ? "%s: transforms.json and the COLMAP model contradict each other: %lld cameras that "
                  "both know are %.3g of their spread apart after turning and scaling; the model is not used"
                : "%s: transforms.json and the COLMAP "
                  "model share %lld cameras, too few or on one line, want 3 beside each other; the model is not used",
            data, (long long)bridge.cameras, bridge.apart);
        model->n_points = 0;
    } else if (status == PHYSAD_OK) {
        physad__log(
            ctx, PHYSAD_LOG_INFO,
            "%s: cameras by transforms.json; %lld points of the COLMAP model, scaled by %.6g (cameras %.2g of their "
            "spread apart), are %.3g pixels off in their photos (%.3g before they were found anew); %lld left out",
            data, (long long)model->n_points, bridge.to.scale, bridge.apart, bridge.after, bridge.before,
            (long long)bridge.dropped);
        status = add_others(v, ctx, model, view_of, &bridge.to, data, max_side, chosen);
    }
    physad__free(view_of);
    return status;
}

/* Views of `poses`, points of `model` if it has photos. */
static physad_status open_views(physad__scene_views *out, physad_context *ctx, physad__poses *poses,
                                physad__poses *model, const char *data, int32_t max_side,
                                const physad__scene_choice *chosen, physad__call *call)
{
    PHYSAD__TRY(check_poses(model, data));
    PHYSAD__TRY(read_all(out, ctx, poses, data, max_side, chosen, model->n_photos, call));
    if (out->count == 0 && model->n_photos > 0) { /* transforms.json may be of other photos */
        physad__poses_free(poses);
        physad__free(out->views);
        *poses = *model;
        *model = (physad__poses){ 0 };
        PHYSAD__TRY(read_all(out, ctx, poses, data, max_side, chosen, 0, call));
    }
    if (out->count == 0)
        return physad__error(PHYSAD_ERR_IO, "%s: not one of %lld photos with poses is there (the first: %s)", data,
                             (long long)poses->n_photos, poses->photos[0].name);
    if (model->n_photos > 0)
        PHYSAD__TRY(join_model(out, ctx, model, data, max_side, chosen));
    PHYSAD__TRY(copy_points(out, &ctx->mem, model->n_photos > 0 ? model : poses));
    PHYSAD__TRY(measure_extent(out, data));
    PHYSAD__TRY(physad__photos_check_looks(out, ctx, data));
    if (chosen->trusted)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__scene_contradictions(out, ctx, data, call));
    return measure_extent(out, data);
}

physad_status physad__scene_views_open(physad__scene_views *out, physad_context *ctx, const char *data,
                                       int32_t max_side, int32_t hold_out, const physad__scene_choice *chosen,
                                       physad__call *call)
{
    const physad__scene_choice all = { 0 };
    physad__poses poses = { 0 }, model = { 0 };
    *out = (physad__scene_views){ 0 };
    chosen = chosen != NULL ? chosen : &all;
    physad_status status = physad__photos_poses(&poses, &model, ctx, data, chosen);
    if (status == PHYSAD_OK)
        status = open_views(out, ctx, &poses, &model, data, max_side, chosen, call);
    for (int64_t i = 0; i < out->count && hold_out > 1; i += hold_out)
        out->views[i].held_out = true;
    physad__poses_free(&poses);
    physad__poses_free(&model);
    if (status != PHYSAD_OK)
        physad__scene_views_free(out);
    return status;
}

physad__splat_camera physad__scene_camera(const physad_camera *c, float nearest)
{
    physad__splat_camera out =
        physad__splat_camera_make(c->rotation, c->translation, c->fx, c->fy, c->cx, c->cy, c->width, c->height);
    out.nearest = nearest > 0 ? nearest : out.nearest;
    return out;
}

float physad__scene_nearest(double extent)
{
    return PHYSAD__SPLAT_NEAREST * (float)fmin(extent, 1);
}
