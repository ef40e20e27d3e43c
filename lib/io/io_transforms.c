/* SPDX-License-Identifier: Apache-2.0 */
/* transforms.json as Blender's NeRF exporters, instant-ngp and nerfstudio write it. */
#include "io/io_file.h"
#include "io/io_poses.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FILE ((uint64_t)256 << 20)

/* A number of the frame, else of the whole file, else `otherwise`. */
static physad_status number(double *out, const json_t *frame, const json_t *root, const char *key, double otherwise,
                            const char *name)
{
    const json_t *value = json_object_get(frame, key);
    value = value != NULL ? value : json_object_get(root, key);
    *out = otherwise;
    if (value == NULL || json_is_null(value))
        return PHYSAD_OK;
    *out = json_number_value(value);
    if (!json_is_number(value) || !isfinite(*out) || fabs(*out) > 1e9)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %s is not a finite number", name, key);
    return PHYSAD_OK;
}

static physad_status check_model(const json_t *frame, const json_t *root, const char *name)
{
    static const char *const known[] = {
        "OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE"
    };
    const json_t *value = json_object_get(frame, "camera_model");
    value = value != NULL ? value : json_object_get(root, "camera_model");
    const char *text = json_string_value(value);
    if (value == NULL)
        return PHYSAD_OK;
    for (int64_t i = 0; i < PHYSAD__COUNT(known) && text != NULL; i++)
        if (strcmp(known[i], text) == 0)
            return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_UNSUPPORTED,
                         "%s: the camera_model %s is not supported; want OPENCV, PINHOLE, SIMPLE_PINHOLE, "
                         "SIMPLE_RADIAL, RADIAL or PERSPECTIVE",
                         name, text != NULL ? text : "(no text)");
}

static physad_status read_lens(physad__lens *lens, const json_t *frame, const json_t *root, const char *name)
{
    double width, height, k3;
    PHYSAD__TRY(check_model(frame, root, name));
    PHYSAD__TRY(number(&width, frame, root, "w", 0, name));
    PHYSAD__TRY(number(&height, frame, root, "h", 0, name));
    if (width < 0 || height < 0 || width > 1e6 || height > 1e6)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: w and h are not within 0 to 1000000 pixels", name);
    lens->width = (int64_t)width;
    lens->height = (int64_t)height;
    PHYSAD__TRY(number(&lens->angle_x, frame, root, "camera_angle_x", 0, name));
    PHYSAD__TRY(number(&lens->fx, frame, root, "fl_x", 0, name));
    PHYSAD__TRY(number(&lens->fy, frame, root, "fl_y", lens->fx, name));
    PHYSAD__TRY(number(&lens->cx, frame, root, "cx", width / 2, name));
    PHYSAD__TRY(number(&lens->cy, frame, root, "cy", height / 2, name));
    PHYSAD__TRY(number(&lens->k1, frame, root, "k1", 0, name));
    PHYSAD__TRY(number(&lens->k2, frame, root, "k2", 0, name));
    PHYSAD__TRY(number(&lens->p1, frame, root, "p1", 0, name));
    PHYSAD__TRY(number(&lens->p2, frame, root, "p2", 0, name));
    PHYSAD__TRY(number(&k3, frame, root, "k3", 0, name));
    if (k3 != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: a lens with k3 = %g is not supported; want k1, k2, p1, p2 alone", name, k3);
    const bool angle = lens->angle_x > 0 && lens->angle_x < M_PI;
    if (lens->fx < 0 || lens->fy < 0 || (lens->fx == 0 && !angle))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: neither fl_x nor camera_angle_x is a focal length", name);
    return PHYSAD_OK;
}

static double determinant(const double m[9])
{
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}

/* Camera to world, y up and z behind, becomes world to camera, y down and z ahead. */
static physad_status read_pose(physad__posed *photo, const json_t *matrix, const char *name)
{
    double m[12], r[9];
    for (size_t i = 0; i < 12; i++) {
        const json_t *value = json_array_get(json_array_get(matrix, i / 4), i % 4);
        m[i] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(m[i]) || fabs(m[i]) > 1e12)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: transform_matrix is not 4 x 4 finite numbers", name);
    }
    for (int row = 0; row < 3; row++)
        for (int k = 0; k < 3; k++)
            r[k * 3 + row] = k == 0 ? m[row * 4] : -m[row * 4 + k];
    const double det = determinant(r);
    if (det < 0)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: transform_matrix mirrors the world (determinant %g): its axes are left-handed; "
                             "want OpenGL's, x right, y up, z behind the camera",
                             name, det);
    for (int a = 0; a < 3; a++)
        for (int b = 0; b <= a; b++) {
            const double dot = r[a * 3] * r[b * 3] + r[a * 3 + 1] * r[b * 3 + 1] + r[a * 3 + 2] * r[b * 3 + 2];
            if (fabs(dot - (a == b)) > 0.01)
                return physad__error(
                    PHYSAD_ERR_FORMAT,
                    "%s: transform_matrix is no rotation: its axes %d and %d have the product %g, want %d", name, a, b,
                    dot, a == b);
        }
    memcpy(photo->rotation, r, sizeof(r));
    for (int k = 0; k < 3; k++)
        photo->translation[k] = -(r[k * 3] * m[3] + r[k * 3 + 1] * m[7] + r[k * 3 + 2] * m[11]);
    return PHYSAD_OK;
}

static physad_status add_frame(physad__poses *out, const json_t *frame, const json_t *root, size_t index,
                               const char *name)
{
    char place[512];
    physad__posed photo = { 0 };
    const char *path = json_string_value(json_object_get(frame, "file_path"));
    physad__snprintf(place, sizeof(place), "%s: frame %zu", name, index);
    if (path == NULL || path[0] == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: has no file_path", place);
    PHYSAD__TRY(read_lens(&photo.lens, frame, root, place));
    PHYSAD__TRY(read_pose(&photo, json_object_get(frame, "transform_matrix"), place));
    PHYSAD__TRY(physad__grow(out->mem, &out->photos, &out->photos_size, out->n_photos + 1, sizeof(photo), "photos"));
    photo.name = physad__strdup(out->mem, strncmp(path, "./", 2) == 0 ? path + 2 : path);
    if (photo.name == NULL)
        return PHYSAD_ERR_NOMEM;
    out->photos[out->n_photos++] = photo;
    return PHYSAD_OK;
}

static int by_name(const void *a, const void *b)
{
    return physad__natural_compare(((const physad__posed *)a)->name, ((const physad__posed *)b)->name);
}

physad_status physad__transforms_parse(physad__poses *out, physad__mem *mem, const void *data, size_t size,
                                       const char *name)
{
    json_t *root;
    *out = (physad__poses){ .mem = mem };
    PHYSAD__TRY(physad__json_room(mem, data, size, name));
    PHYSAD__TRY(physad__json_parse(&root, data, size, name));
    const json_t *frames = json_object_get(root, "frames");
    physad_status status = PHYSAD_OK;
    if (json_array_size(frames) == 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: has no frames", name);
    for (size_t i = 0; i < json_array_size(frames) && status == PHYSAD_OK; i++)
        status = add_frame(out, json_array_get(frames, i), root, i, name);
    json_decref(root);
    if (status != PHYSAD_OK)
        physad__poses_free(out);
    else
        qsort(out->photos, (size_t)out->n_photos, sizeof(*out->photos), by_name);
    return status;
}

physad_status physad__transforms_read(physad__poses *out, physad__mem *mem, const char *path)
{
    unsigned char *data;
    size_t size;
    *out = (physad__poses){ 0 };
    PHYSAD__TRY(physad__file_read(&data, &size, mem, path, MAX_FILE));
    const physad_status status = physad__transforms_parse(out, mem, data, size, path);
    physad__free(data);
    return status;
}

/* --- lenses --- */

physad_status physad__lens_check(const physad__lens *lens, const char *name)
{
    static const double least = 0.1, most = 10, away = 10;
    const double w = (double)lens->width, h = (double)lens->height;
    if (!(lens->fx > 0 && lens->fy > 0 && fabs(lens->cx) <= away * w && fabs(lens->cy) <= away * h))
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: focal lengths %.6g and %.6g, middle at (%.6g, %.6g) of %lld x %lld pixels: want "
                             "lengths above 0 and a middle within %g photos",
                             name, lens->fx, lens->fy, lens->cx, lens->cy, (long long)lens->width,
                             (long long)lens->height, away);
    for (int k = 0; k < 4; k++) {
        const double corner[2] = { (k % 2) * w, (k / 2) * h };
        const double x = (corner[0] - lens->cx) / lens->fx, y = (corner[1] - lens->cy) / lens->fy;
        double u, v;
        physad__lens_project(lens, x, y, &u, &v);
        const double bent = hypot((u - lens->cx) / lens->fx, (v - lens->cy) / lens->fy) / hypot(x, y);
        if (hypot(x, y) > 0 && !(bent >= least && bent <= most))
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: the lens (k1 %.6g, k2 %.6g, p1 %.6g, p2 %.6g) brings a corner of the photo to "
                                 "%.3g times its distance from the middle, want %g to %g",
                                 name, lens->k1, lens->k2, lens->p1, lens->p2, bent, least, most);
    }
    return PHYSAD_OK;
}

physad_status physad__lens_fit(physad__lens *lens, int64_t width, int64_t height, const char *name)
{
    const double w = (double)width, h = (double)height;
    if (lens->width == 0 || lens->height == 0) {
        lens->width = width;
        lens->height = height;
        lens->cx = lens->cx != 0 ? lens->cx : w / 2;
        lens->cy = lens->cy != 0 ? lens->cy : h / 2;
    }
    if (lens->fx == 0) {
        lens->fx = 0.5 * (double)lens->width / tan(0.5 * lens->angle_x);
        lens->fy = lens->fy > 0 ? lens->fy : lens->fx;
    }
    const double sx = w / (double)lens->width, sy = h / (double)lens->height;
    /* a rounded size is no other proportion */
    if (fabs((double)lens->width * sy - w) > 1.5 && fabs((double)lens->height * sx - h) > 1.5)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: the photo has %lld x %lld pixels, its camera %lld x %lld: want one proportion", name,
                             (long long)width, (long long)height, (long long)lens->width, (long long)lens->height);
    lens->fx *= sx;
    lens->cx *= sx;
    lens->fy *= sy;
    lens->cy *= sy;
    lens->width = width;
    lens->height = height;
    return physad__lens_check(lens, name);
}

void physad__lens_project(const physad__lens *lens, double x, double y, double *u, double *v)
{
    const double r2 = x * x + y * y, radial = 1 + r2 * (lens->k1 + r2 * lens->k2);
    *u = lens->fx * (x * radial + 2 * lens->p1 * x * y + lens->p2 * (r2 + 2 * x * x)) + lens->cx;
    *v = lens->fy * (y * radial + lens->p1 * (r2 + 2 * y * y) + 2 * lens->p2 * x * y) + lens->cy;
}

void physad__lens_unproject(const physad__lens *lens, double u, double v, double *x, double *y)
{
    *x = (u - lens->cx) / lens->fx;
    *y = (v - lens->cy) / lens->fy;
    for (int step = 0; step < 12; step++) {
        double got_u, got_v;
        physad__lens_project(lens, *x, *y, &got_u, &got_v);
        *x += (u - got_u) / lens->fx;
        *y += (v - got_v) / lens->fy;
    }
}
