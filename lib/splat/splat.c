/* SPDX-License-Identifier: Apache-2.0 */
/* The renderer as a handle: images with channels last, of any strides, over the planar ones of splat_render.c. */
#include "splat/splat_internal.h"

#include <math.h>

enum { PARTS = 4 }; /* of a picture: colour, depth, opacity, channels */

static const char *const names[2][PARTS] = { { "colour", "depth", "opacity", "channels" },
                                             { "by_colour", "by_depth", "by_opacity", "by_channels" } };

struct physad_splat {
    physad_context *ctx;
    physad__splat *renderer;
    physad_gaussians *of; /* the last picture's, or NULL */
    uint64_t version;     /* of these, then */
    physad__splat_input input;
    bool ready, has_gradients;
    double pose[6];
    /* grown, never shrunk; capacities in elements */
    float *images, *values, *planes, *by_values;
    int64_t images_size, values_size, planes_size, by_values_size;
};

physad_status physad_splat_new(physad_splat **out, physad_context *ctx)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_splat_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, "physad_splat_new"));
    physad_splat *s = physad__alloc_zero(&ctx->mem, sizeof(*s), "renderer");
    if (s == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad__splat_new(&s->renderer, ctx);
    if (status != PHYSAD_OK) {
        physad__free(s);
        return status;
    }
    s->ctx = physad__context_retain(ctx);
    *out = s;
    return PHYSAD_OK;
}

void physad_splat_free(physad_splat *s)
{
    if (s == NULL)
        return;
    physad_context *ctx = s->ctx;
    physad__splat_free(s->renderer);
    physad_gaussians_free(s->of);
    physad__free(s->images);
    physad__free(s->values);
    physad__free(s->planes);
    physad__free(s->by_values);
    physad__free(s);
    physad_context_free(ctx);
}

static physad_status check_handle(const physad_splat *s, const char *call)
{
    if (s == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: splat is NULL", call);
    return physad__context_check(s->ctx, call);
}

/* --- cameras --- */

physad_status physad__camera_check(const physad_camera *c, const char *what)
{
    if (c == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: camera is NULL", what);
    if (c->width < 1 || c->height < 1 || c->width > 32768 || c->height > 32768)
        return physad__error(PHYSAD_ERR_ARG, "%s: a picture of %lld x %lld pixels, want 1 to 32768 each way", what,
                             (long long)c->width, (long long)c->height);
    const double *r = c->rotation;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b <= a; b++) {
            const double dot = r[a * 3] * r[b * 3] + r[a * 3 + 1] * r[b * 3 + 1] + r[a * 3 + 2] * r[b * 3 + 2];
            if (!(fabs(dot - (a == b)) < 1e-3))
                return physad__error(PHYSAD_ERR_ARG,
                                     "%s: the camera's rotation is none: rows %d and %d have the product %g", what, a,
                                     b, dot);
        }
    const double det = r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) +
                       r[2] * (r[3] * r[7] - r[4] * r[6]);
    if (det < 0)
        return physad__error(PHYSAD_ERR_ARG,
                             "%s: the camera's rotation is a mirror image (determinant -1): want x right, y down, z "
                             "ahead",
                             what);
    return PHYSAD_OK;
}

physad_status physad_camera_move(const physad_camera *camera, const double tangent[6], physad_camera *moved)
{
    if (camera == NULL || tangent == NULL || moved == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_camera_move: %s is NULL",
                             camera == NULL    ? "camera"
                             : tangent == NULL ? "tangent"
                                               : "moved");
    for (int k = 0; k < 6; k++)
        if (!isfinite(tangent[k]))
            return physad__error(PHYSAD_ERR_NUMERIC, "physad_camera_move: number %d of the tangent is %g", k,
                                 tangent[k]);
    physad_camera c = *camera;
    physad__splat_camera_move(c.rotation, c.translation, tangent);
    for (int k = 0; k < 12; k++)
        if (!isfinite(k < 9 ? c.rotation[k] : c.translation[k - 9]))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "physad_camera_move: the camera would be nowhere: %s holds a number "
                                 "that is not finite, or the tangent one that is too large",
                                 k < 9 ? "its rotation" : "its translation");
    *moved = c;
    return PHYSAD_OK;
}

/* --- images --- */

static bool is_finite(const float *numbers, int64_t n)
{
    bool finite = true;
    for (int64_t i = 0; i < n; i++)
        finite = finite && isfinite(numbers[i]);
    return finite;
}

/* Planar, for the renderer and as views with channels last. */
static physad__splat_images images_of(float *memory, const physad__splat_input *in, physad_view views[PARTS])
{
    const int64_t width = in->camera.width, height = in->camera.height, plane = width * height;
    const int64_t first[PARTS] = { 0, 3, 4, 5 }, channels[PARTS] = { 3, 0, 0, in->extra };
    for (int k = 0; k < PARTS; k++)
        views[k] = (physad_view){ .data = memory != NULL ? memory + first[k] * plane : NULL,
                                  .shape = { height, width, channels[k] },
                                  .stride = { width * (int64_t)sizeof(float), sizeof(float),
                                              plane * (int64_t)sizeof(float) },
                                  .dtype = PHYSAD_F32,
                                  .ndim = channels[k] > 0 ? 3 : 2 };
    const physad__splat_images images = { views[0].data, views[1].data, views[2].data, views[3].data };
    return images;
}

static physad_status check_images(const physad_view *const given[PARTS], const physad__splat_input *in,
                                  const char *call, bool gradients)
{
    physad_view own[PARTS];
    images_of(NULL, in, own);
    if (given[3] != NULL && in->extra == 0)
        return physad__error(gradients ? PHYSAD_ERR_STATE : PHYSAD_ERR_ARG, "%s: %s without values of the Gaussians",
                             call, names[gradients][3]);
    for (int k = 0; k < PARTS; k++)
        if (given[k] != NULL)
            PHYSAD__TRY(physad__splat_view_want(given[k], call, names[gradients][k], !gradients, own[k].ndim,
                                                own[k].shape));
    return PHYSAD_OK;
}

/* --- forward --- */

static physad_status read_options(physad__splat_input *in, const physad_splat_options *options, int32_t degree)
{
    physad_splat_options o = PHYSAD_SPLAT_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_splat_options"));
    in->degree = o.harmonics == 0 ? degree : physad__splat_degree(o.harmonics);
    if (in->degree < 0 || in->degree > degree)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_splat_options: harmonics is %d, want 1, 4, 9 or 16, and the %d of the set at most",
                             o.harmonics, physad__splat_coefficients(degree));
    for (int k = 0; k < 3; k++)
        if (!isfinite(o.background[k]))
            return physad__error(PHYSAD_ERR_ARG, "physad_splat_options: background is %g, want finite numbers",
                                 (double)o.background[k]);
    memcpy(in->background, o.background, sizeof(in->background));
    if (!(o.nearest >= 0 && isfinite(o.nearest)))
        return physad__error(PHYSAD_ERR_ARG, "physad_splat_options: nearest is %g, want 0 or a distance",
                             (double)o.nearest);
    in->camera.nearest = o.nearest > 0 ? o.nearest : in->camera.nearest;
    return PHYSAD_OK;
}

static physad_status take_values(physad_splat *s, physad__splat_input *in, const physad_view *values)
{
    const char *const call = "physad_splat_forward";
    const int64_t any[2] = { in->count, -1 };
    if (values == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__splat_view_want(values, call, "values", false, 2, any));
    const int64_t n = values->shape[1];
    if (n < 1 || n > PHYSAD_SPLAT_MOST_CHANNELS)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: values: %lld of each Gaussian, want 1 to %d; render more in parts",
                             call, (long long)n, PHYSAD_SPLAT_MOST_CHANNELS);
    PHYSAD__TRY(physad__grow(&s->ctx->mem, &s->values, &s->values_size, in->count * n + 1, sizeof(float),
                             "values of Gaussians"));
    const physad_view own = physad_view_array(s->values, PHYSAD_F32, 2, (const int64_t[2]){ in->count, n });
    if (in->count > 0)
        PHYSAD__TRY(physad__view_copy(&own, values));
    if (!is_finite(s->values, in->count * n))
        return physad__error(PHYSAD_ERR_NUMERIC, "%s: values holds a number that is not finite", call);
    in->extra = (int32_t)n;
    in->extra_values = s->values;
    return PHYSAD_OK;
}

/* Places and sizes of any amount are seen or not; colours, values and a background near what f32 holds add up to more
 * than that. */
static physad_status check_picture(const physad__splat_images *images, const physad__splat_input *in)
{
    const int64_t plane = in->camera.width * in->camera.height;
    const float *const parts[PARTS] = { images->colour, images->depth, images->opacity, images->extra };
    const int64_t sizes[PARTS] = { 3 * plane, plane, plane, in->extra * plane };
    for (int k = 0; k < PARTS; k++)
        if (parts[k] != NULL && !is_finite(parts[k], sizes[k]))
            return physad__error(PHYSAD_ERR_NUMERIC,
                                 "physad_splat_forward: %s would hold a number that is not finite: harmonics, values "
                                 "or background are too large (below 1e30 they never are)",
                                 names[0][k]);
    return PHYSAD_OK;
}

/* The picture that was goes, and with it its Gaussians. */
static void forget(physad_splat *s)
{
    physad_gaussians_free(s->of);
    s->of = NULL;
    s->ready = s->has_gradients = false;
}

physad_status physad_splat_forward(physad_splat *s, physad_gaussians *gaussians, const physad_camera *camera,
                                   const physad_splat_options *options, const physad_view *values,
                                   const physad_view *colour, const physad_view *depth, const physad_view *opacity,
                                   const physad_view *channels)
{
    const char *const call = "physad_splat_forward";
    const physad_view *const to[PARTS] = { colour, depth, opacity, channels };
    physad_view own[PARTS];
    PHYSAD__TRY(check_handle(s, call));
    forget(s); /* also when what follows fails: nothing goes back through an older picture */
    PHYSAD__TRY(physad__gaussians_check(gaussians, call));
    PHYSAD__TRY(physad__camera_check(camera, call));
    const physad__gaussians *const g = physad__gaussians_set_of(gaussians);
    physad__splat_input in = { .planes = physad__splat_planes_at(g->planes, g->stride), .count = g->count,
                               .with_depth = depth != NULL };
    in.camera = physad__splat_camera_make(camera->rotation, camera->translation, camera->fx, camera->fy, camera->cx,
                                          camera->cy, camera->width, camera->height);
    in.camera.nearest = g->nearest > 0 ? g->nearest : in.camera.nearest;
    PHYSAD__TRY(read_options(&in, options, g->degree));
    PHYSAD__TRY(take_values(s, &in, values));
    PHYSAD__TRY(check_images(to, &in, call, false));
    PHYSAD__TRY(physad__grow(&s->ctx->mem, &s->images, &s->images_size,
                             (5 + in.extra) * camera->width * camera->height, sizeof(float), "picture"));
    physad__splat_images images = images_of(s->images, &in, own);
    images.depth = in.with_depth ? images.depth : NULL;
    images.extra = in.extra > 0 ? images.extra : NULL;
    PHYSAD__TRY(physad__splat_forward(s->renderer, &in, &images));
    PHYSAD__TRY(check_picture(&images, &in));
    for (int k = 0; k < PARTS; k++)
        if (to[k] != NULL)
            PHYSAD__TRY(physad__view_copy(to[k], &own[k]));
    s->of = physad__gaussians_retain(gaussians);
    s->version = gaussians->version;
    s->input = in;
    s->ready = true;
    return PHYSAD_OK;
}

/* --- back --- */

static physad_status check_ready(const physad_splat *s, const char *call)
{
    if (!s->ready)
        return physad__error(PHYSAD_ERR_STATE, "%s: no picture was rendered; call physad_splat_forward() first", call);
    if (s->version != s->of->version)
        return physad__error(PHYSAD_ERR_STATE,
                             "%s: the Gaussians were changed after the picture; render them again first", call);
    return PHYSAD_OK;
}

static physad_status take_gradients(physad_splat *s, const physad_view *const by[PARTS], physad__splat_images *images)
{
    const char *const call = "physad_splat_backward";
    const int64_t plane = (int64_t)s->input.camera.width * s->input.camera.height;
    const int64_t sizes[PARTS] = { 3 * plane, plane, plane, s->input.extra * plane };
    float **const parts[PARTS] = { &images->colour, &images->depth, &images->opacity, &images->extra };
    physad_view own[PARTS];
    PHYSAD__TRY(check_images(by, &s->input, call, true));
    if (by[1] != NULL && !s->input.with_depth)
        return physad__error(PHYSAD_ERR_STATE, "%s: by_depth, but the picture was rendered without a depth", call);
    *images = images_of(s->images, &s->input, own);
    for (int k = 0; k < PARTS; k++) {
        if (by[k] == NULL) {
            *parts[k] = NULL;
            continue;
        }
        PHYSAD__TRY(physad__view_copy(&own[k], by[k]));
        if (!is_finite(*parts[k], sizes[k]))
            return physad__error(PHYSAD_ERR_NUMERIC, "%s: %s holds a number that is not finite", call, names[1][k]);
    }
    return PHYSAD_OK;
}

physad_status physad_splat_backward(physad_splat *s, const physad_view *by_colour, const physad_view *by_depth,
                                    const physad_view *by_opacity, const physad_view *by_channels)
{
    const physad_view *const by[PARTS] = { by_colour, by_depth, by_opacity, by_channels };
    physad__splat_images images;
    PHYSAD__TRY(check_handle(s, "physad_splat_backward"));
    PHYSAD__TRY(check_ready(s, "physad_splat_backward"));
    s->has_gradients = false;
    PHYSAD__TRY(take_gradients(s, by, &images));
    const physad__gaussians *const g = physad__gaussians_set_of(s->of);
    const int64_t size = physad__splat_plane_count(g->degree) * g->stride;
    PHYSAD__TRY(
        physad__grow(&s->ctx->mem, &s->planes, &s->planes_size, size + 1, sizeof(float), "gradients of Gaussians"));
    PHYSAD__TRY(physad__grow(&s->ctx->mem, &s->by_values, &s->by_values_size, g->count * s->input.extra + 1,
                             sizeof(float), "gradients of values"));
    memset(s->planes, 0, (size_t)size * sizeof(float));
    physad__splat_back back = { .planes = physad__splat_planes_at(s->planes, g->stride),
                                .extra = s->input.extra > 0 ? s->by_values : NULL };
    PHYSAD__TRY(physad__splat_backward(s->renderer, &images, &back));
    bool finite = is_finite(s->planes, size) && is_finite(s->by_values, g->count * s->input.extra);
    for (int k = 0; k < 6; k++)
        finite = finite && isfinite(back.pose[k]);
    if (!finite)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "physad_splat_backward: a gradient would not be finite: what was given by pixel, or the "
                             "camera's focal length, is too large");
    memcpy(s->pose, back.pose, sizeof(s->pose));
    s->has_gradients = true;
    return PHYSAD_OK;
}

static physad_status check_gradients(const physad_splat *s, const char *call)
{
    PHYSAD__TRY(check_handle(s, call));
    if (!s->has_gradients)
        return physad__error(PHYSAD_ERR_STATE,
                             "%s: the last picture has no gradients; call physad_splat_backward() first", call);
    return PHYSAD_OK;
}

physad_status physad_splat_gradient(const physad_splat *s, const physad_view *to_xyz, const physad_view *to_log_scale,
                                    const physad_view *to_quaternion, const physad_view *to_opacity,
                                    const physad_view *to_harmonics)
{
    const physad_view *const to[PHYSAD__SPLAT_ARRAYS] = { to_xyz, to_log_scale, to_quaternion, to_opacity,
                                                          to_harmonics };
    physad_view own[PHYSAD__SPLAT_ARRAYS];
    PHYSAD__TRY(check_gradients(s, "physad_splat_gradient"));
    const physad__gaussians *const g = physad__gaussians_set_of(s->of);
    physad__splat_arrays(own, s->planes, g->stride, g->count, g->degree);
    return physad__splat_arrays_give(to, own, "physad_splat_gradient");
}

physad_status physad_splat_gradient_values(const physad_splat *s, const physad_view *to_values)
{
    const char *const call = "physad_splat_gradient_values";
    PHYSAD__TRY(check_gradients(s, call));
    if (s->input.extra == 0)
        return physad__error(PHYSAD_ERR_STATE, "%s: the last picture was rendered without values", call);
    const physad_view own =
        physad_view_array(s->by_values, PHYSAD_F32, 2, (const int64_t[2]){ s->input.count, s->input.extra });
    PHYSAD__TRY(physad__splat_view_want(to_values, call, "to_values", true, 2, own.shape));
    return physad__view_copy(to_values, &own);
}

physad_status physad_splat_gradient_pose(const physad_splat *s, double pose[6])
{
    PHYSAD__TRY(check_gradients(s, "physad_splat_gradient_pose"));
    if (pose == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_splat_gradient_pose: pose is NULL");
    memcpy(pose, s->pose, sizeof(s->pose));
    return PHYSAD_OK;
}
