/* SPDX-License-Identifier: Apache-2.0 */
/* The posed family's part of the model file: the scene, the training photos with their cameras, and what finds poses.
 */
#include "detect/detect_posed.h"

#include "detect/detect_feature.h"

#include <math.h>

enum { CAMERA = 18, FACTS = 16 };

/* --- what is written: the same list is declared and appended --- */

typedef struct listed {
    const char *name;
    const void *data;
    int32_t dtype, ndim;
    int64_t shape[3];
} listed;

static int64_t total_pixels(const physad__scene_views *v)
{
    int64_t n = 0;
    for (int64_t i = 0; i < v->count; i++)
        n += v->views[i].camera.width * v->views[i].camera.height;
    return n;
}

/* Photos with their cameras, as blocks for writing. */
typedef struct packed {
    double *cameras;
    uint8_t *pixels, *missing;
} packed;

static void pack_cameras(double *out, const physad__scene_views *v)
{
    for (int64_t i = 0; i < v->count; i++) {
        const physad_camera *c = &v->views[i].camera;
        double *row = out + i * CAMERA;
        memcpy(row, c->rotation, 9 * sizeof(double));
        memcpy(row + 9, c->translation, 3 * sizeof(double));
        const double rest[6] = { c->fx, c->fy, c->cx, c->cy, (double)c->width, (double)c->height };
        memcpy(row + 12, rest, sizeof(rest));
    }
}

static void pack_pixels(packed *p, const physad__scene_views *v)
{
    int64_t at = 0;
    for (int64_t i = 0; i < v->count; i++) {
        const physad__scene_view *view = &v->views[i];
        const int64_t plane = view->camera.width * view->camera.height;
        for (int64_t k = 0; k < 3 * plane; k++)
            p->pixels[3 * at + k] = (uint8_t)(view->pixels[k] * 255 + 0.5f);
        for (int64_t k = 0; k < plane; k++)
            p->missing[at + k] = view->missing != NULL && view->missing[k];
        at += plane;
    }
}

static physad_status pack(packed *p, physad__mem *mem, const physad__scene_views *v, bool content)
{
    const int64_t n = content ? total_pixels(v) : 0;
    p->cameras = physad__alloc_array(mem, v->count * CAMERA, sizeof(double), "model");
    p->pixels = physad__alloc(mem, (size_t)(3 * n), "model");
    p->missing = physad__alloc(mem, (size_t)n, "model");
    if (p->cameras == NULL || p->pixels == NULL || p->missing == NULL)
        return PHYSAD_ERR_NOMEM;
    pack_cameras(p->cameras, v);
    if (content)
        pack_pixels(p, v);
    return PHYSAD_OK;
}

static void unpack(packed *p)
{
    physad__free(p->cameras);
    physad__free(p->pixels);
    physad__free(p->missing);
}

static physad_status write_all(physad__tensors_writer *w, const listed *all, int64_t n, bool append)
{
    for (int64_t i = 0; i < n; i++) {
        const physad_view view =
            physad_view_array((void *)(uintptr_t)all[i].data, all[i].dtype, all[i].ndim, all[i].shape);
        PHYSAD__TRY(append ? physad__tensors_writer_append(w, all[i].name, &view)
                           : physad__tensors_writer_declare(w, all[i].name, all[i].dtype, all[i].ndim, all[i].shape));
    }
    return PHYSAD_OK;
}

static physad_status write_fine(const physad__posed_model *m, physad__tensors_writer *w, bool append)
{
    const int64_t n = m->fine.count, pixels = total_pixels(&m->fine);
    packed p = { 0 };
    if (n == 0)
        return PHYSAD_OK;
    physad_status status = pack(&p, &m->ctx->mem, &m->fine, append);
    const listed all[] = {
        { "fine.cameras", p.cameras, PHYSAD_F64, 2, { n, CAMERA } },
        { "fine.pixels", p.pixels, PHYSAD_U8, 1, { 3 * pixels } },
        { "fine.missing", p.missing, PHYSAD_U8, 1, { pixels } },
    };
    if (status == PHYSAD_OK)
        status = write_all(w, all, PHYSAD__COUNT(all), append);
    unpack(&p);
    return status;
}

static physad_status for_all(const physad__posed_model *m, physad__tensors_writer *w, bool append)
{
    const physad__locator *l = &m->locator;
    const physad__matcher *k = &l->matcher;
    const int64_t planes = physad__splat_plane_count(m->scene.degree), n = m->views.count,
                  pixels = total_pixels(&m->views);
    const double facts[FACTS] = { (double)m->scene.count,
                                  (double)m->scene.degree,
                                  (double)l->side,
                                  l->normal,
                                  l->foreign,
                                  m->views.extent,
                                  (double)l->lens.width,
                                  (double)l->lens.height,
                                  l->lens.fx,
                                  l->lens.fy,
                                  l->lens.cx,
                                  l->lens.cy,
                                  l->lens.k1,
                                  l->lens.k2,
                                  l->lens.p1,
                                  l->lens.p2 };
    packed p = { 0 };
    physad_status status = pack(&p, &m->ctx->mem, &m->views, append);
    const listed all[] = {
        { "scene.facts", facts, PHYSAD_F64, 1, { FACTS } },
        { "scene.gaussians", m->scene.planes, PHYSAD_F32, 2, { planes, m->scene.stride } },
        { "views.cameras", p.cameras, PHYSAD_F64, 2, { n, CAMERA } },
        { "views.samples", m->samples, PHYSAD_I64, 1, { n } },
        { "views.pixels", p.pixels, PHYSAD_U8, 1, { 3 * pixels } },
        { "views.missing", p.missing, PHYSAD_U8, 1, { pixels } },
        { "locator.cells", k->cells, PHYSAD_F32, 3, { n, k->height * k->width, k->dim } },
        { "locator.points", k->points, PHYSAD_F32, 3, { n, k->height * k->width, 3 } },
        { "locator.scale", k->mean, PHYSAD_F32, 2, { 2, k->dim } },
    };
    if (status == PHYSAD_OK)
        status = write_all(w, all, PHYSAD__COUNT(all), append);
    unpack(&p);
    return status == PHYSAD_OK ? write_fine(m, w, append) : status;
}

physad_status physad__posed_declare(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    const physad__posed_model *m = det->model;
    if (json_object_set(config, "weights", m->origin_of_weights) != 0)
        return physad__error(PHYSAD_ERR_NOMEM, "no memory for the model's description");
    PHYSAD__TRY(for_all(m, w, false));
    if (m->weights != NULL)
        PHYSAD__TRY(physad__weights_put(m->weights, w, false));
    return m->method->declare != NULL ? m->method->declare(det, m, w, config) : PHYSAD_OK;
}

physad_status physad__posed_write(const physad_detector *det, physad__tensors_writer *w)
{
    const physad__posed_model *m = det->model;
    PHYSAD__TRY(for_all(m, w, true));
    if (m->weights != NULL)
        PHYSAD__TRY(physad__weights_put(m->weights, w, true));
    return m->method->write != NULL ? m->method->write(det, m, w) : PHYSAD_OK;
}

/* --- reading --- */

physad_status physad__posed_take(void *out, const physad_tensors *file, const char *name, int32_t dtype, int32_t ndim,
                                 const int64_t *shape, bool known)
{
    physad_view from, to = physad_view_array(out, dtype, ndim, shape);
    PHYSAD__TRY(physad__tensors_need(file, name, dtype, ndim, shape, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    const int64_t n = dtype == PHYSAD_F32 || dtype == PHYSAD_F64 ? physad__view_count(&to) : 0;
    for (int64_t i = 0; i < n; i++) {
        const double v = dtype == PHYSAD_F64 ? ((const double *)out)[i] : (double)((const float *)out)[i];
        if (isinf(v) || (known && isnan(v)))
            return physad__error(PHYSAD_ERR_FORMAT, "%s holds %g at %lld", name, v, (long long)i);
    }
    return PHYSAD_OK;
}

static bool is_count(double v, double least, double most)
{
    return v >= least && v <= most && v == floor(v);
}

static physad_status read_scene(physad__posed_model *m, const physad_tensors *file)
{
    const int64_t facts_shape[1] = { FACTS };
    double f[FACTS];
    PHYSAD__TRY(physad__posed_take(f, file, "scene.facts", PHYSAD_F64, 1, facts_shape, true));
    if (!is_count(f[0], 1, 1 << 25) || !is_count(f[1], 0, 3) || !is_count(f[2], 1, 32768) ||
        !is_count(f[6], 1, 1 << 30) || !is_count(f[7], 1, 1 << 30) || !(f[8] > 0) || !(f[9] > 0) || !(f[5] > 0) ||
        !(f[5] < 1e30))
        return physad__error(PHYSAD_ERR_FORMAT, "scene.facts holds numbers that no scene has");
    m->scene = (physad__gaussians){ .count = (int64_t)f[0],
                                    .degree = (int32_t)f[1],
                                    .stride = physad__splat_stride((int64_t)f[0]),
                                    .nearest = physad__scene_nearest(f[5]) };
    m->locator = (physad__locator){ .ctx = m->ctx, .side = (int64_t)f[2], .normal = f[3], .foreign = f[4] };
    m->views.extent = f[5];
    m->locator.lens =
        (physad__lens){ (int64_t)f[6], (int64_t)f[7], f[8], f[9], f[10], f[11], f[12], f[13], f[14], f[15], 0 };
    PHYSAD__TRY(physad__lens_check(&m->locator.lens, "scene.facts"));
    const int64_t shape[2] = { physad__splat_plane_count(m->scene.degree), m->scene.stride };
    physad_view there; /* before room is made for as much */
    PHYSAD__TRY(physad__tensors_need(file, "scene.gaussians", PHYSAD_F32, 2, shape, &there));
    m->scene.planes = physad__alloc_array(&m->ctx->mem, shape[0] * shape[1], sizeof(float), "scene");
    if (m->scene.planes == NULL)
        return PHYSAD_ERR_NOMEM;
    return physad__posed_take(m->scene.planes, file, "scene.gaussians", PHYSAD_F32, 2, shape, true);
}

static physad_status read_camera(physad_camera *c, const double *row, const char *name, int64_t i)
{
    memcpy(c->rotation, row, 9 * sizeof(double));
    memcpy(c->translation, row + 9, 3 * sizeof(double));
    if (!is_count(row[16], 1, 32768) || !is_count(row[17], 1, 32768) || !(row[12] > 0) || !(row[13] > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "%s row %lld is no camera", name, (long long)i);
    c->fx = row[12];
    c->fy = row[13];
    c->cx = row[14];
    c->cy = row[15];
    c->width = (int64_t)row[16];
    c->height = (int64_t)row[17];
    if (physad__camera_check(c, name) != PHYSAD_OK)
        return physad__error_prefix(PHYSAD_ERR_FORMAT, "row %lld", (long long)i);
    return PHYSAD_OK;
}

static physad_status read_pixels(physad__scene_view *view, physad__mem *mem, const uint8_t *pixels,
                                 const uint8_t *missing)
{
    const int64_t plane = view->camera.width * view->camera.height;
    bool any = false;
    view->pixels = physad__alloc_array(mem, 3 * plane, sizeof(float), "photos");
    view->missing = physad__alloc(mem, (size_t)plane, "photos");
    if (view->pixels == NULL || view->missing == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t k = 0; k < 3 * plane; k++)
        view->pixels[k] = (float)pixels[k] / 255;
    for (int64_t k = 0; k < plane; k++) {
        view->missing[k] = missing[k] != 0;
        any = any || missing[k] != 0;
    }
    if (!any) {
        physad__free(view->missing);
        view->missing = NULL;
    }
    return PHYSAD_OK;
}

/* `name`: of the array; as many as there are samples at most. */
static physad_status read_cameras(physad__scene_views *v, physad__mem *mem, const physad_tensors *file,
                                  const char *name, int64_t least, int64_t most)
{
    const int64_t any[2] = { -1, CAMERA };
    physad_view from;
    PHYSAD__TRY(physad__tensors_need(file, name, PHYSAD_F64, 2, any, &from));
    const int64_t n = from.shape[0], shape[2] = { n, CAMERA };
    if (n < least || n > most)
        return physad__error(PHYSAD_ERR_FORMAT, "%s has %lld rows, want %lld to %lld", name, (long long)n,
                             (long long)least, (long long)most);
    double *cameras = physad__alloc_array(mem, n * CAMERA, sizeof(double), "cameras");
    v->views = physad__alloc_zero(mem, (size_t)n * sizeof(*v->views), "photos");
    physad_status status = cameras != NULL && v->views != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__posed_take(cameras, file, name, PHYSAD_F64, 2, shape, true);
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++) {
        v->count = n;
        status = read_camera(&v->views[i].camera, cameras + i * CAMERA, name, i);
    }
    physad__free(cameras);
    return status;
}

static physad_status read_photos(physad__scene_views *v, physad__mem *mem, const physad_tensors *file,
                                 const char *pixels_name, const char *missing_name)
{
    const int64_t n = total_pixels(v), three[1] = { 3 * n }, one[1] = { n };
    physad_view pixels, missing;
    PHYSAD__TRY(physad__tensors_need(file, pixels_name, PHYSAD_U8, 1, three, &pixels));
    PHYSAD__TRY(physad__tensors_need(file, missing_name, PHYSAD_U8, 1, one, &missing));
    for (int64_t i = 0, at = 0; i < v->count; i++) {
        physad__scene_view *view = &v->views[i];
        PHYSAD__TRY(read_pixels(view, mem, (const uint8_t *)pixels.data + 3 * at, (const uint8_t *)missing.data + at));
        at += view->camera.width * view->camera.height;
    }
    return PHYSAD_OK;
}

static physad_status read_views(physad__posed_model *m, const physad_tensors *file, int64_t samples)
{
    physad__mem *mem = &m->ctx->mem;
    PHYSAD__TRY(read_cameras(&m->views, mem, file, "views.cameras", 2, samples));
    const int64_t n = m->views.count;
    m->samples = physad__alloc_array(mem, n, sizeof(int64_t), "photos");
    if (m->samples == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__posed_take(m->samples, file, "views.samples", PHYSAD_I64, 1, &n, false));
    for (int64_t i = 0; i < n; i++) {
        m->views.views[i].lens = m->locator.lens;
        if (m->samples[i] < 0 || m->samples[i] >= samples)
            return physad__error(PHYSAD_ERR_FORMAT, "views.samples holds %lld, want 0 to %lld",
                                 (long long)m->samples[i], (long long)samples - 1);
    }
    return read_photos(&m->views, mem, file, "views.pixels", "views.missing");
}

static physad_status read_fine(physad__posed_model *m, const physad_detector *det, const physad_tensors *file)
{
    const int64_t n = m->views.count;
    if (physad__posed_detail(det) == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(read_cameras(&m->fine, &m->ctx->mem, file, "fine.cameras", n, n));
    return read_photos(&m->fine, &m->ctx->mem, file, "fine.pixels", "fine.missing");
}

static physad_status read_locator(physad__posed_model *m, const physad_tensors *file)
{
    physad__locator *l = &m->locator;
    physad__matcher *k = &l->matcher;
    int64_t grid[3];
    physad_view there; /* all of it, before room is made for as much */
    physad_features_shape(m->finder, grid);
    const int64_t n = m->views.count, cells[3] = { n, grid[0] * grid[1], grid[2] },
                  points[3] = { n, grid[0] * grid[1], 3 }, scale[2] = { 2, grid[2] };
    PHYSAD__TRY(physad__tensors_need(file, "locator.cells", PHYSAD_F32, 3, cells, &there));
    PHYSAD__TRY(physad__tensors_need(file, "locator.points", PHYSAD_F32, 3, points, &there));
    PHYSAD__TRY(physad__tensors_need(file, "locator.scale", PHYSAD_F32, 2, scale, &there));
    l->scene = &m->scene;
    memcpy(l->background, m->background, sizeof(l->background));
    PHYSAD__TRY(physad__matcher_reserve(k, m->ctx, m->finder, n));
    for (int64_t i = 0; i < n; i++)
        k->cameras[i] = m->views.views[i].camera;
    PHYSAD__TRY(physad__posed_take(k->cells, file, "locator.cells", PHYSAD_F32, 3, cells, true));
    PHYSAD__TRY(physad__posed_take(k->points, file, "locator.points", PHYSAD_F32, 3, points,
                                   false)); /* some are unknown: not a number */
    return physad__posed_take(k->mean, file, "locator.scale", PHYSAD_F32, 2, scale, true);
}

static physad_status read_all(physad_detector *det, physad__posed_model *m, physad_tensors *file, const json_t *config,
                              bool embedded)
{
    PHYSAD__TRY(read_scene(m, file));
    PHYSAD__TRY(read_views(m, file, det->origin->count));
    PHYSAD__TRY(read_fine(m, det, file));
    PHYSAD__TRY(physad__posed_open_networks(m, det, embedded ? file : NULL));
    PHYSAD__TRY(read_locator(m, file));
    PHYSAD__TRY(physad__posed_finish(m, det));
    return m->method->read != NULL ? m->method->read(det, m, file, config, &m->state) : PHYSAD_OK;
}

physad_status physad__posed_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__posed_model *m;
    const json_t *weights = json_object_get(config, "weights");
    const bool embedded = json_is_true(json_object_get(weights, "embedded"));
    if (!json_is_object(weights))
        return physad__error(PHYSAD_ERR_FORMAT, "\"weights\" is missing or no object");
    if (!embedded)
        PHYSAD__TRY(physad__weights_check(det, weights));
    PHYSAD__TRY(physad__posed_new(&m, det));
    m->origin_of_weights = json_incref((json_t *)(uintptr_t)weights);
    const physad_status status = read_all(det, m, file, config, embedded);
    if (status != PHYSAD_OK) {
        physad__posed_free(m);
        return status;
    }
    m->file = file;
    if (embedded)
        m->weights = file;
    *model = m;
    return PHYSAD_OK;
}
