/* SPDX-License-Identifier: Apache-2.0 */
/* The posed family: reads photos with poses, fits the scene, finds poses, and hands the rest to the method. */
#include "detect/detect_posed.h"

#include "detect/detect_feature.h"
#include "detect/detect_sight.h"
#include "nn/nn.h"

#include <math.h>

static const physad__option posed_rows[] = {
    { "side", PHYSAD_OPTION_INT, "480", 64, 4096, NULL, "photos are undistorted and shrunk to this longer side, pixels",
      NULL },
    { "steps", PHYSAD_OPTION_INT, "4000", 1, 10000000, NULL, "photos shown while the scene is fitted", "3DGS: 30000" },
    { "max_gaussians", PHYSAD_OPTION_INT, "150000", 100, 20000000, NULL, "of the scene, at most", NULL },
    { "poses", PHYSAD_OPTION_CHOICE, "checked", 0, 0, "checked|trusted",
      "what becomes of training photos whose poses contradict what those beside them show: left out, with a warning, "
      "or "
      "used",
      NULL },
    { "random_points", PHYSAD_OPTION_INT, "30000", 10, 20000000, NULL,
      "Gaussians to begin with where the poses bring no points, at most", "SplatPose: 100000" },
    { "harmonics", PHYSAD_OPTION_INT, "3", 0, 3, NULL, "degree of the colours' change with direction", "3DGS" },
    { "background", PHYSAD_OPTION_REAL, "0", 0, 1, NULL, "grey behind everything", NULL },
    { "backbone", PHYSAD_OPTION_TEXT, "efficientnet-lite0", 0, 0, NULL,
      "network whose features are compared; see `physad backbones`", "RAD, SplatPose, PIAD: efficientnet-b4" },
    { "weights", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "weights file or name, or random:SEED; empty: the backbone's known weights", NULL },
    { "layers", PHYSAD_OPTION_TEXT, "", 0, 0, NULL,
      "layers taken, fine to coarse, with commas; empty: the backbone's usual ones", NULL },
    { "pool", PHYSAD_OPTION_CHOICE, "avg3", 0, 0, "avg3|none", "pooling of each layer over 3x3 neighbours", NULL },
};
const physad__option_table physad__options_posed = { posed_rows, PHYSAD__COUNT(posed_rows) };

/* --- the model --- */

void physad__posed_free(void *model)
{
    physad__posed_model *m = model;
    if (m == NULL)
        return;
    if (m->state != NULL)
        m->method->free(m->state);
    physad__locator_close(&m->locator);
    physad_features_free(m->finder);
    physad_features_free(m->network);
    physad__scene_views_free(&m->views);
    physad__scene_views_free(&m->fine);
    physad__free(m->scene.planes);
    physad__free(m->samples);
    physad__free(m->undistorted);
    if (m->weights != m->file)
        physad_tensors_free(m->weights);
    physad_tensors_free(m->file);
    json_decref(m->origin_of_weights);
    physad__free(m);
}

physad_status physad__posed_new(physad__posed_model **out, const physad_detector *det)
{
    *out = physad__alloc_zero(&det->ctx->mem, sizeof(**out), "model");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->ctx = det->ctx;
    (*out)->method = det->method->posed;
    for (int k = 0; k < 3; k++)
        (*out)->background[k] = (float)physad__option_real(det, "background");
    return PHYSAD_OK;
}

/* Where in the undistorted photo the pixels of the photo as taken lie. */
static physad_status learn_undistortion(physad__posed_model *m)
{
    const physad_camera *c = &m->views.views[0].camera;
    const physad__lens *lens = &m->locator.lens;
    m->undistorted = physad__alloc_array(&m->ctx->mem, 2 * m->height * m->width, sizeof(float), "undistortion");
    if (m->undistorted == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < m->height * m->width; i++) {
        const double u = ((double)(i % m->width) + 0.5) * (double)lens->width / (double)m->width;
        const double v = ((double)(i / m->width) + 0.5) * (double)lens->height / (double)m->height;
        double x, y;
        physad__lens_unproject(lens, u, v, &x, &y);
        m->undistorted[2 * i] = (float)(x * c->fx + c->cx);
        m->undistorted[2 * i + 1] = (float)(y * c->fy + c->cy);
    }
    return PHYSAD_OK;
}

physad_status physad__posed_open_networks(physad__posed_model *m, const physad_detector *det,
                                          const physad_tensors *file)
{
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    const physad_camera *c = &m->views.views[0].camera;
    const char *weights = *physad__option_text(det, "weights") != '\0' ? physad__option_text(det, "weights") : NULL;
    int64_t shape[3];
    o.backbone = physad__option_text(det, "backbone");
    o.weights = weights;
    o.layers = *physad__option_text(det, "layers") != '\0' ? physad__option_text(det, "layers") : NULL;
    o.height = m->height = c->height;
    o.width = m->width = c->width;
    o.pool = physad__option_is(det, "pool", "none") ? PHYSAD_FEATURES_POOL_NONE : PHYSAD_FEATURES_POOL_AVG3;
    PHYSAD__TRY(file != NULL ? physad__features_new_from(&m->network, m->ctx, &o, file, "backbone.")
                             : physad_features_new(&m->network, m->ctx, &o));
    PHYSAD__TRY(physad__matcher_network(&m->finder, m->ctx, c, o.backbone, weights, file));
    physad_features_shape(m->network, shape);
    m->grid_height = shape[0];
    m->grid_width = shape[1];
    m->dim = shape[2];
    return PHYSAD_OK;
}

/* What follows from the rest. */
physad_status physad__posed_finish(physad__posed_model *m, physad_detector *det)
{
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    o.height = m->height;
    o.width = m->width;
    o.normalise = PHYSAD_NORMALISE_NONE;
    o.outside = PHYSAD_OUTSIDE_NAN;
    PHYSAD__TRY(learn_undistortion(m));
    return det->origin->transform != NULL ? PHYSAD_OK : physad_transform_new(&det->origin->transform, det->ctx, &o);
}

/* --- reading photos --- */

/* The folder that has the poses: the data set's, or its category's. */
static physad_status find_folder(char **out, const physad_detector *det, const physad_dataset *normals)
{
    physad__mem *mem = &det->ctx->mem;
    const physad_sample *s = physad_dataset_sample(normals, 0);
    const char *root = physad_dataset_root(normals);
    *out = NULL;
    if (root == NULL || s->file == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s needs camera poses: fit it on a folder of photos with transforms.json or a COLMAP "
                             "model in sparse/0, not on photos in memory",
                             det->method->name);
    *out = s->category != NULL && *s->category != '\0' ? physad__path_join(mem, root, s->category) : NULL;
    if (*out != NULL && physad__path_is_dir(*out))
        return PHYSAD_OK;
    physad__free(*out);
    *out = physad__strdup(mem, root);
    return *out != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status read_views(physad__scene_views *out, const physad_detector *det, const physad_dataset *normals,
                                physad__call *call)
{
    const int64_t n = physad_dataset_count(normals);
    char *folder;
    PHYSAD__TRY(find_folder(&folder, det, normals));
    const char **paths = physad__alloc_array(&det->ctx->mem, n, sizeof(*paths), "photos");
    physad_status status = paths != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        paths[i] = physad_dataset_sample(normals, i)->file;
    const physad__scene_choice chosen = {
        .paths = paths, .count = n, .trusted = physad__option_is(det, "poses", "trusted"), .shifts = true
    };
    if (status == PHYSAD_OK)
        status =
            physad__scene_views_open(out, det->ctx, folder, (int32_t)physad__option_int(det, "side"), 0, &chosen, call);
    physad__free(paths);
    physad__free(folder);
    return status;
}

static int64_t sample_of(const physad_dataset *normals, const char *path)
{
    for (int64_t i = 0; i < physad_dataset_count(normals); i++)
        if (strcmp(physad_dataset_sample(normals, i)->file, path) == 0)
            return i;
    return -1;
}

/* Numbers the views' samples, brings pixels to bytes' values, and puts the views kept aside last. */
static physad_status arrange(physad__posed_model *m, physad_detector *det, const physad_dataset *normals,
                             const uint8_t *aside, int64_t *kept)
{
    physad__scene_views *v = &m->views;
    const int64_t n = physad_dataset_count(normals);
    physad__scene_view *views = physad__alloc_zero(&det->ctx->mem, (size_t)v->count * sizeof(*views), "photos");
    m->samples = physad__alloc_array(&det->ctx->mem, v->count, sizeof(int64_t), "photos");
    if (views == NULL || m->samples == NULL) {
        physad__free(views);
        return PHYSAD_ERR_NOMEM;
    }
    int64_t at = 0;
    for (int side = 0; side < 2; side++) {
        for (int64_t i = 0; i < v->count; i++) {
            const int64_t sample = sample_of(normals, v->views[i].path);
            if (aside[sample] != side)
                continue;
            m->samples[at] = sample;
            views[at++] = v->views[i];
        }
        *kept = side == 0 ? at : *kept;
    }
    physad__free(v->views);
    v->views = views;
    for (int64_t i = 0; i < v->count; i++) {
        physad__scene_view *view = &views[i];
        for (int64_t k = 0; k < 3 * view->camera.width * view->camera.height; k++)
            view->pixels[k] = roundf(view->pixels[k] * 255) / 255;
        det->origin->sizes[m->samples[i]][0] = view->lens.height;
        det->origin->sizes[m->samples[i]][1] = view->lens.width;
    }
    if (v->count < n)
        physad__log(det->ctx, PHYSAD_LOG_WARNING,
                    "%s: %lld of %lld training photos have no pose that serves, and are not used", det->method->name,
                    (long long)(n - v->count), (long long)n);
    if (*kept < 2)
        return physad__error(PHYSAD_ERR_ARG, "%s: %lld training photos with poses, want 2 at least", det->method->name,
                             (long long)*kept);
    return PHYSAD_OK;
}

/* --- photos at their own size --- */

int64_t physad__posed_detail(const physad_detector *det)
{
    return det->method->posed->fine ? physad__option_int(det, "detail") : 0;
}

/* From the pixels of the photo as taken; the pose is left as it is. */
static physad_status fill_fine(physad__scene_view *fine, const physad_detector *det, const physad__lens *lens,
                               const physad_view *photo, const char *name)
{
    PHYSAD__TRY(physad__scene_view_fill(fine, det->ctx, lens, photo, (int32_t)physad__posed_detail(det), name));
    for (int64_t k = 0; k < 3 * fine->camera.width * fine->camera.height; k++)
        fine->pixels[k] = roundf(fine->pixels[k] * 255) / 255;
    return PHYSAD_OK;
}

static physad_status read_fine(physad__scene_view *fine, const physad_detector *det, const physad__scene_view *view)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    physad_image *image = NULL;
    o.channels = PHYSAD_IMAGE_RGB;
    o.dtype = PHYSAD_U8;
    PHYSAD__TRY(physad_image_read(&image, det->ctx, view->path, &o));
    const physad_view photo = physad_image_view(image);
    const physad_status status = fill_fine(fine, det, &view->lens, &photo, view->path);
    memcpy(fine->camera.rotation, view->camera.rotation, sizeof(fine->camera.rotation));
    memcpy(fine->camera.translation, view->camera.translation, sizeof(fine->camera.translation));
    physad_image_free(image);
    return status;
}

static physad_status read_all_fine(const physad_detector *det, physad__posed_model *m, physad__call *call)
{
    if (physad__posed_detail(det) == 0)
        return PHYSAD_OK;
    m->fine.views = physad__alloc_zero(&m->ctx->mem, (size_t)m->views.count * sizeof(*m->fine.views), "photos");
    if (m->fine.views == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "photos", m->views.count);
    for (int64_t i = 0; i < m->views.count; i++) {
        m->fine.count = i + 1; /* one that was read in part is freed with the others */
        PHYSAD__TRY(read_fine(&m->fine.views[i], det, &m->views.views[i]));
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    return PHYSAD_OK;
}

/* --- scoring --- */

/* From the undistorted photo's map to one of the photo as taken. */
static void distort(float *out, const physad__posed_model *m, const float *map)
{
    for (int64_t i = 0; i < m->height * m->width; i++) {
        const float u = m->undistorted[2 * i] - 0.5f, v = m->undistorted[2 * i + 1] - 0.5f;
        const float x = fminf(fmaxf(u, 0), (float)(m->width - 1)), y = fminf(fmaxf(v, 0), (float)(m->height - 1));
        const int64_t x0 = (int64_t)x, y0 = (int64_t)y, x1 = physad__min(x0 + 1, m->width - 1),
                      y1 = physad__min(y0 + 1, m->height - 1);
        const float fx = x - (float)x0, fy = y - (float)y0;
        const float a = map[y0 * m->width + x0] * (1 - fx) + map[y0 * m->width + x1] * fx;
        const float b = map[y1 * m->width + x0] * (1 - fx) + map[y1 * m->width + x1] * fx;
        out[i] = a * (1 - fy) + b * fy;
    }
}

/* In the first photo's colours, which the scene was fitted to: they may be brighter or darker than the photo's. */
physad_status physad__result_render(const physad_detector *det, const physad_result *r, uint8_t **pixels,
                                    int64_t *height, int64_t *width)
{
    const physad__posed_model *m = det->model;
    physad__posed_look look = { 0 };
    *pixels = NULL;
    if (det->method->posed == NULL || r->sight == NULL)
        return PHYSAD_OK;
    const int64_t plane = m->height * m->width;
    float *taken = physad__alloc_array(&m->ctx->mem, plane, sizeof(float), "picture of a scene");
    uint8_t *out = physad__alloc_array(&m->ctx->mem, plane, 3, "picture of a scene");
    physad_status status = taken != NULL && out != NULL
                               ? physad__posed_look_make(&look, m, &m->scene, &r->sight->camera)
                               : PHYSAD_ERR_NOMEM;
    for (int64_t ch = 0; status == PHYSAD_OK && ch < 3; ch++) {
        distort(taken, m, look.colour + ch * plane);
        for (int64_t i = 0; i < plane; i++)
            out[3 * i + ch] = (uint8_t)(fminf(fmaxf(taken[i], 0), 1) * 255 + 0.5f);
    }
    physad__posed_look_free(&look);
    physad__free(taken);
    if (status != PHYSAD_OK) {
        physad__free(out);
        return status;
    }
    *pixels = out;
    *height = m->height;
    *width = m->width;
    return PHYSAD_OK;
}

/* What the scene shows, through the photo's lens; where it shows nothing, or the photo is missing, the photo itself. */
static physad_status take_reference(physad_result *r, const physad__posed_model *m, const physad__scene_view *photo,
                                    const physad_camera *camera)
{
    physad__mem *mem = &m->ctx->mem;
    const int64_t plane = m->height * m->width;
    physad__posed_look look = { 0 };
    float *taken = physad__alloc_array(mem, plane, sizeof(float), "picture of a scene");
    r->reference = physad__alloc_array(mem, plane, 3, "picture of a scene");
    physad_status status =
        taken != NULL && r->reference != NULL ? physad__posed_look_make(&look, m, &m->scene, camera) : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < 3 * plane; i++)
        if (look.opacity[i % plane] < 0.5f || (photo->missing != NULL && photo->missing[i % plane]))
            look.colour[i] = photo->pixels[i];
    for (int64_t ch = 0; status == PHYSAD_OK && ch < 3; ch++) {
        distort(taken, m, look.colour + ch * plane);
        for (int64_t i = 0; i < plane; i++)
            r->reference[3 * i + ch] = (uint8_t)(fminf(fmaxf(taken[i], 0), 1) * 255 + 0.5f);
    }
    physad__posed_look_free(&look);
    physad__free(taken);
    return status;
}

/* Pose, then the method; `map` of the undistorted photo, `best` its pose. */
static physad_status score_view(const physad_detector *det, const physad__posed_model *m,
                                const physad__scene_view *view, const physad__scene_view *fine, float *map,
                                double *score, physad__pose *best, physad__call *call)
{
    physad__pose poses[PHYSAD__POSES];
    physad__posed_query query = {
        .photo = view, .fine = fine->pixels != NULL ? fine : NULL, .poses = poses, .view = -1
    };
    if (view->camera.width != m->width || view->camera.height != m->height)
        return physad__error(
            PHYSAD_ERR_UNSUPPORTED,
            "%s: the photo is %lld x %lld pixels when shrunk, the model's are %lld x %lld; turn it, or "
            "fit another model",
            det->method->name, (long long)view->camera.width, (long long)view->camera.height, (long long)m->width,
            (long long)m->height);
    PHYSAD__TRY(m->method->find != NULL ? m->method->find(det, m, view, poses, &query.n)
                                        : physad__locator_find(&m->locator, view, -1, poses, &query.n));
    *best = poses[0];
    return m->method->score(det, m, &query, map, score, call);
}

physad_status physad__posed_score(const physad_detector *det, const physad_view *photo, physad_result *r,
                                  physad__call *call)
{
    const physad__posed_model *m = det->model;
    physad__mem *mem = &det->ctx->mem;
    physad__scene_view view = { 0 }, fine = { 0 };
    physad__pose pose;
    if (photo->ndim < 2)
        return physad__error(PHYSAD_ERR_SHAPE, "the photo has %d dimensions, want 2 or 3", photo->ndim);
    float *map = physad__alloc_array(mem, m->height * m->width, sizeof(float), "score map");
    r->map = physad__alloc_array(mem, m->height * m->width, sizeof(float), "score map");
    physad_status status = map != NULL && r->map != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__scene_view_fill(&view, det->ctx, &m->locator.lens, photo,
                                         (int32_t)physad__option_int(det, "side"), "the photo");
    if (status == PHYSAD_OK && m->fine.count > 0)
        status = fill_fine(&fine, det, &m->locator.lens, photo, "the photo");
    if (status == PHYSAD_OK)
        status = score_view(det, m, &view, &fine, map, &r->score, &pose, call);
    if (status == PHYSAD_OK && pose.fit >= PHYSAD__LEAST_FIT)
        status = physad__sight_make(&r->sight, m, &view, &pose.camera, map);
    if (status == PHYSAD_OK && r->sight != NULL)
        status = take_reference(r, m, &view, &pose.camera);
    if (status == PHYSAD_OK) {
        distort(r->map, m, map);
        r->photo_height = photo->shape[0];
        r->photo_width = photo->shape[1];
        r->map_height = m->height;
        r->map_width = m->width;
    }
    physad__scene_view_clear(&view);
    physad__scene_view_clear(&fine);
    physad__free(map);
    return status;
}

/* --- fitting --- */

physad_status physad__posed_fit_scene(physad__gaussians *out, const physad_detector *det,
                                      const physad__scene_views *views, int64_t steps, physad__call *call)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    const int64_t degree = physad__option_int(det, "harmonics");
    o.steps = (int32_t)steps;
    o.max_gaussians = (int32_t)physad__option_int(det, "max_gaussians");
    o.random_points = (int32_t)physad__option_int(det, "random_points");
    o.harmonics = (int32_t)((degree + 1) * (degree + 1));
    for (int k = 0; k < 3; k++)
        o.background[k] = (float)physad__option_real(det, "background");
    return physad__scene_fit_views(out, det->ctx, views, &o, call);
}

static physad_status fit_model(physad_detector *det, physad__posed_model *m, physad__call *call)
{
    PHYSAD__TRY(physad__posed_fit_scene(&m->scene, det, &m->views, physad__option_int(det, "steps"), call));
    PHYSAD__TRY(physad__posed_open_networks(m, det, NULL));
    PHYSAD__TRY(physad__locator_open(&m->locator, m->ctx, &m->scene, m->background, &m->views, m->finder, call));
    PHYSAD__TRY(physad__posed_finish(m, det));
    PHYSAD__TRY(read_all_fine(det, m, call));
    if (m->method->fit != NULL)
        PHYSAD__TRY(m->method->fit(det, m, call, &m->state));
    return PHYSAD_OK;
}

static physad_status score_aside(physad_detector *det, physad__posed_model *m, int64_t total, double *scores,
                                 physad__call *call)
{
    physad_status status = PHYSAD_OK;
    physad__pose pose;
    float *map = physad__alloc_array(&det->ctx->mem, m->height * m->width, sizeof(float), "score map");
    if (map == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "calibration", total - m->views.count);
    for (int64_t i = m->views.count; status == PHYSAD_OK && i < total; i++) {
        physad__scene_view fine = { 0 };
        if (m->fine.count > 0)
            status = read_fine(&fine, det, &m->views.views[i]);
        if (status == PHYSAD_OK)
            status = score_view(det, m, &m->views.views[i], &fine, map, &scores[m->samples[i]], &pose, call);
        physad__scene_view_clear(&fine);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, i + 1 - m->views.count);
    }
    physad__free(map);
    return status;
}

physad_status physad__posed_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                double *scores, physad__call *call, void **model)
{
    physad__posed_model *m;
    int64_t kept = 0, total = 0;
    PHYSAD__TRY(physad__posed_new(&m, det));
    physad_status status = read_views(&m->views, det, normals, call);
    if (status == PHYSAD_OK)
        status = arrange(m, det, normals, aside, &kept);
    total = m->views.count;
    if (status == PHYSAD_OK) {
        m->views.count = kept; /* those kept aside wait behind */
        status = fit_model(det, m, call);
    }
    if (status == PHYSAD_OK)
        status = score_aside(det, m, total, scores, call);
    if (status == PHYSAD_OK)
        status = physad__weights_take(det, m->network, &m->weights, &m->origin_of_weights);
    for (int64_t i = kept; status == PHYSAD_OK && i < total; i++)
        physad__scene_view_clear(&m->views.views[i]);
    if (status != PHYSAD_OK) {
        m->views.count = total;
        physad__posed_free(m);
        return status;
    }
    *model = m;
    return PHYSAD_OK;
}
