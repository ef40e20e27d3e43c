/* SPDX-License-Identifier: Apache-2.0 */
/* A scene as safetensors: what PLY holds, as arrays with names, and the photos' cameras. */
#include "scene/scene_file.h"

#include <math.h>

#define KIND "scene"
#define NEAREST "nearest" /* from where on cameras see */
#define LENS 6 /* fx fy cx cy width height */
#define MOST_LENS 1e7

void physad__scene_parts_free(physad__scene_parts *p)
{
    for (int64_t i = 0; i < p->n_cameras && p->names != NULL; i++)
        physad__free(p->names[i]);
    physad__free(p->names);
    physad__free(p->cameras);
    physad__free(p->gaussians.planes);
    *p = (physad__scene_parts){ 0 };
}

/* --- arrays --- */

enum { ARRAYS = PHYSAD__SPLAT_ARRAYS };

static void arrays_of(physad_view out[ARRAYS], const physad__gaussians *g)
{
    physad__splat_arrays(out, g->planes, g->stride, g->count, g->degree);
}

/* --- writing --- */

static physad_status add_cameras(physad_tensors *file, physad__mem *mem, const physad__scene_parts *p)
{
    const int64_t n = p->n_cameras;
    const int64_t shapes[3][3] = { { n, 3, 3 }, { n, 3 }, { n, LENS } };
    double *numbers = physad__alloc_array(mem, n * (9 + 3 + LENS), sizeof(double), "cameras of a scene");
    if (numbers == NULL)
        return PHYSAD_ERR_NOMEM;
    double *const rotation = numbers, *const translation = rotation + 9 * n, *const lens = translation + 3 * n;
    for (int64_t i = 0; i < n; i++) {
        const physad_camera *c = &p->cameras[i];
        const double values[LENS] = { c->fx, c->fy, c->cx, c->cy, (double)c->width, (double)c->height };
        memcpy(rotation + 9 * i, c->rotation, sizeof(c->rotation));
        memcpy(translation + 3 * i, c->translation, sizeof(c->translation));
        memcpy(lens + LENS * i, values, sizeof(values));
    }
    const physad_view r = physad_view_array(rotation, PHYSAD_F64, 3, shapes[0]),
                      t = physad_view_array(translation, PHYSAD_F64, 2, shapes[1]);
    const physad_view l = physad_view_array(lens, PHYSAD_F64, 2, shapes[2]);
    physad_status status = physad_tensors_add(file, "cameras.rotation", &r);
    if (status == PHYSAD_OK)
        status = physad_tensors_add(file, "cameras.translation", &t);
    if (status == PHYSAD_OK)
        status = physad_tensors_add(file, "cameras.lens", &l);
    physad__free(numbers);
    return status;
}

static physad_status put_list(physad_tensors *file, physad__mem *mem, const json_t *list)
{
    const size_t size = json_dumpb(list, NULL, 0, JSON_COMPACT);
    char *text = physad__alloc_zero(mem, size + 1, "names of photos");
    if (text == NULL)
        return PHYSAD_ERR_NOMEM;
    json_dumpb(list, text, size, JSON_COMPACT);
    const physad_status status = physad_tensors_set_metadata(file, "photos", text);
    physad__free(text);
    return status;
}

static physad_status add_names(physad_tensors *file, physad__mem *mem, const physad__scene_parts *p)
{
    json_t *list = json_array();
    physad_status status = list != NULL ? PHYSAD_OK
                                        : physad__error(PHYSAD_ERR_NOMEM, "no memory for the names of %lld photos",
                                                        (long long)p->n_cameras);
    for (int64_t i = 0; i < p->n_cameras && status == PHYSAD_OK; i++)
        if (json_array_append_new(list, json_string(p->names[i])) != 0)
            status = physad__error(PHYSAD_ERR_FORMAT, "photo %lld: its name is no UTF-8 and cannot be written",
                                   (long long)i);
    if (status == PHYSAD_OK)
        status = put_list(file, mem, list);
    json_decref(list);
    return status;
}

static physad_status add_all(physad_tensors *file, physad__mem *mem, const physad__scene_parts *p)
{
    physad_view views[ARRAYS];
    arrays_of(views, &p->gaussians);
    PHYSAD__TRY(physad_tensors_set_metadata(file, "physad", KIND));
    for (int k = 0; k < ARRAYS; k++)
        PHYSAD__TRY(physad_tensors_add(file, physad__splat_array_names[k], &views[k]));
    if (p->gaussians.nearest > 0) {
        char text[32];
        physad__snprintf(text, sizeof(text), "%.9g", (double)p->gaussians.nearest);
        PHYSAD__TRY(physad_tensors_set_metadata(file, NEAREST, text));
    }
    if (p->n_cameras == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(add_cameras(file, mem, p));
    return add_names(file, mem, p);
}

physad_status physad__scene_parts_write(physad_context *ctx, const char *path, const physad__scene_parts *parts)
{
    physad_tensors *file;
    PHYSAD__TRY(physad_tensors_new(&file, ctx));
    physad_status status = add_all(file, &ctx->mem, parts);
    if (status == PHYSAD_OK)
        status = physad_tensors_save(file, path);
    physad_tensors_free(file);
    return status;
}

/* --- reading --- */

static physad_status take_gaussians(physad__gaussians *g, physad__mem *mem, const physad_tensors *file,
                                    const char *name)
{
    static const int64_t any[3] = { -1, -1, 3 };
    physad_view harmonics, views[ARRAYS];
    PHYSAD__TRY(physad__tensors_want(file, "harmonics", PHYSAD_F32, 3, any, &harmonics));
    const int64_t n = harmonics.shape[0], k = harmonics.shape[1];
    g->degree = physad__splat_degree(k);
    if (g->degree < 0 || n > INT32_MAX)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: \"harmonics\" has %lld Gaussians of %lld coefficients, want 1, 4, 9 or 16 of them",
                             name, (long long)n, (long long)k);
    arrays_of(views, g); /* shapes alone: before any memory all arrays must be there */
    for (int a = 0; a < ARRAYS; a++) {
        physad_view from;
        views[a].shape[0] = n;
        PHYSAD__TRY(
            physad__tensors_want(file, physad__splat_array_names[a], PHYSAD_F32, views[a].ndim, views[a].shape, &from));
    }
    g->count = n;
    g->stride = physad__splat_stride(n);
    g->planes = physad__alloc_zero(mem, (size_t)(physad__splat_plane_count(g->degree) * g->stride + 1) * sizeof(float),
                                   "Gaussians");
    if (g->planes == NULL)
        return PHYSAD_ERR_NOMEM;
    arrays_of(views, g);
    for (int a = 0; a < ARRAYS && n > 0; a++) {
        physad_view from;
        PHYSAD__TRY(
            physad__tensors_want(file, physad__splat_array_names[a], PHYSAD_F32, views[a].ndim, views[a].shape, &from));
        PHYSAD__TRY(physad__view_copy(&views[a], &from));
    }
    for (int64_t i = 0; i < physad__splat_plane_count(g->degree) * g->stride; i++)
        if (!isfinite(g->planes[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: Gaussian %lld holds a number that is not finite", name,
                                 (long long)(i % g->stride));
    return PHYSAD_OK;
}

static bool is_lens(const double lens[LENS])
{
    for (int k = 0; k < 4; k++)
        if (!(fabs(lens[k]) <= MOST_LENS))
            return false;
    for (int k = 4; k < LENS; k++)
        if (!(lens[k] >= 1 && lens[k] <= 32768 && lens[k] == floor(lens[k])))
            return false;
    return lens[0] > 0 && lens[1] > 0;
}

static physad_status take_cameras(physad__scene_parts *p, physad__mem *mem, const physad_tensors *file,
                                  const char *name)
{
    static const int64_t any[3] = { -1, 3, 3 };
    physad_view rotation, translation, lens;
    PHYSAD__TRY(physad__tensors_want(file, "cameras.rotation", PHYSAD_F64, 3, any, &rotation));
    const int64_t n = rotation.shape[0], by[2][2] = { { n, 3 }, { n, LENS } };
    PHYSAD__TRY(physad__tensors_want(file, "cameras.translation", PHYSAD_F64, 2, by[0], &translation));
    PHYSAD__TRY(physad__tensors_want(file, "cameras.lens", PHYSAD_F64, 2, by[1], &lens));
    p->cameras = physad__alloc_array(mem, n + 1, sizeof(*p->cameras), "cameras of a scene");
    if (p->cameras == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        physad_camera *c = &p->cameras[i];
        double l[LENS];
        const int64_t shapes[3][2] = { { 3, 3 }, { 3 }, { LENS } };
        const physad_view *const from[3] = { &rotation, &translation, &lens };
        double *const to[3] = { c->rotation, c->translation, l };
        for (int k = 0; k < 3; k++) {
            const physad_view out = physad_view_array(to[k], PHYSAD_F64, k == 0 ? 2 : 1, shapes[k]);
            physad_view one = { .data = (char *)from[k]->data + i * from[k]->stride[0],
                                .dtype = PHYSAD_F64,
                                .ndim = out.ndim };
            memcpy(one.shape, from[k]->shape + 1, 2 * sizeof(int64_t));
            memcpy(one.stride, from[k]->stride + 1, 2 * sizeof(int64_t));
            PHYSAD__TRY(physad__view_copy(&out, &one));
        }
        if (!is_lens(l))
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: camera %lld is none: want focal lengths above 0 and a middle, %g pixels at most, "
                                 "and a picture of 1 to 32768 whole pixels each way",
                                 name, (long long)i, MOST_LENS);
        c->fx = l[0];
        c->fy = l[1];
        c->cx = l[2];
        c->cy = l[3];
        c->width = (int64_t)l[4];
        c->height = (int64_t)l[5];
        for (int k = 0; k < 3; k++)
            if (!isfinite(c->translation[k]))
                return physad__error(PHYSAD_ERR_FORMAT, "%s: camera %lld is nowhere: its translation is not finite",
                                     name, (long long)i);
        if (physad__camera_check(c, name) != PHYSAD_OK)
            return physad__error_prefix(PHYSAD_ERR_FORMAT, "camera %lld", (long long)i);
    }
    p->n_cameras = n;
    return PHYSAD_OK;
}

static physad_status take_names(physad__scene_parts *p, physad__mem *mem, const physad_tensors *file, const char *name)
{
    const char *text = physad_tensors_metadata(file, "photos");
    json_t *list = NULL;
    p->names = physad__alloc_zero(mem, (size_t)(p->n_cameras + 1) * sizeof(*p->names), "cameras of a scene");
    if (p->names == NULL)
        return PHYSAD_ERR_NOMEM;
    if (text != NULL) {
        PHYSAD__TRY(physad__json_room(mem, text, strlen(text), name));
        PHYSAD__TRY(physad__json_parse(&list, text, strlen(text), name));
    }
    physad_status status = PHYSAD_OK;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != p->n_cameras)
        status =
            physad__error(PHYSAD_ERR_FORMAT, "%s: \"photos\" is no list of %lld names", name, (long long)p->n_cameras);
    for (int64_t i = 0; i < p->n_cameras && status == PHYSAD_OK; i++) {
        const char *one = json_string_value(json_array_get(list, (size_t)i));
        if (one == NULL)
            status = physad__error(PHYSAD_ERR_FORMAT, "%s: \"photos\" is no list of %lld names", name,
                                   (long long)p->n_cameras);
        else if ((p->names[i] = physad__strdup(mem, one)) == NULL)
            status = PHYSAD_ERR_NOMEM;
    }
    json_decref(list);
    return status;
}

static physad_status take_nearest(physad__gaussians *g, const physad_tensors *file, const char *name)
{
    const char *text = physad_tensors_metadata(file, NEAREST);
    double value = 0;
    if (text != NULL && !(physad__parse_double(text, &value) && (float)value > 0 && value <= 1e6))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"" NEAREST "\" is %.40s, want a distance above 0, at most 1e6",
                             name, text);
    g->nearest = (float)value;
    return PHYSAD_OK;
}

static physad_status take_all(physad__scene_parts *p, physad__mem *mem, const physad_tensors *file, const char *name)
{
    const char *kind = physad_tensors_metadata(file, "physad");
    if (kind == NULL || strcmp(kind, KIND) != 0)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: this is no scene: want PLY, or safetensors that a scene was saved as", name);
    PHYSAD__TRY(take_gaussians(&p->gaussians, mem, file, name));
    PHYSAD__TRY(take_nearest(&p->gaussians, file, name));
    if (!physad_tensors_has(file, "cameras.rotation"))
        return PHYSAD_OK;
    PHYSAD__TRY(take_cameras(p, mem, file, name));
    return take_names(p, mem, file, name);
}

physad_status physad__scene_parts_take(physad__scene_parts *out, physad_context *ctx, const physad_tensors *file,
                                       const char *name)
{
    *out = (physad__scene_parts){ 0 };
    const physad_status status = take_all(out, &ctx->mem, file, name);
    if (status != PHYSAD_OK)
        physad__scene_parts_free(out);
    return status;
}

/* PLY begins with a line of its name; what cannot be mapped (a pipe) is read as PLY, whose reader says what is wrong.
 */
static bool is_ply(const char *path)
{
    physad__file_map map;
    if (physad__file_map_open(&map, path, 0) != PHYSAD_OK)
        return true;
    const bool yes = map.size < 8 || memcmp(map.data, "ply", 3) == 0;
    physad__file_map_close(&map);
    return yes;
}

physad_status physad__scene_parts_read(physad__scene_parts *out, physad_context *ctx, const char *path)
{
    physad_tensors *file;
    *out = (physad__scene_parts){ 0 };
    if (is_ply(path))
        return physad__gaussians_read(&out->gaussians, &ctx->mem, path, PHYSAD__SPLAT_GROUP);
    PHYSAD__TRY(physad_tensors_open(&file, ctx, path, NULL));
    const bool ours = strcmp(physad_tensors_format(file), "safetensors") == 0;
    const physad_status status =
        ours ? physad__scene_parts_take(out, ctx, file, path)
             : physad__error(PHYSAD_ERR_FORMAT, "%s: this is no scene: want PLY or safetensors", path);
    physad_tensors_free(file);
    return status;
}
