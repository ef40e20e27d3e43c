/* SPDX-License-Identifier: Apache-2.0 */
/* The camera of photos whose poses a robot wrote: intrinsics, and what the poses mean. */
#include "io/io_file.h"
#include "io/io_pose_rows.h"

#include <math.h>

#define MAX_FILE ((uint64_t)1 << 20)

/* --- JSON --- */

static const json_t *any_of(const json_t *root, const char *const *names)
{
    const json_t *found = NULL;
    for (; *names != NULL && found == NULL; names++)
        found = json_object_get(root, *names);
    return found;
}

static physad_status number(double *out, const json_t *root, const char *const *names, const char *name)
{
    const json_t *value = any_of(root, names);
    if (value == NULL || json_is_null(value))
        return PHYSAD_OK;
    *out = json_number_value(value);
    if (!json_is_number(value) || !isfinite(*out) || fabs(*out) > 1e9)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is no finite number", name, names[0]);
    return PHYSAD_OK;
}

/* The numbers of an array or of arrays in it; -1 where there is something else or more than `room`. */
static int64_t numbers(double *out, int64_t room, const json_t *value)
{
    int64_t n = 0;
    const json_t *data = json_object_get(value, "data"); /* ROS */
    value = data != NULL ? data : value;
    if (!json_is_array(value))
        return -1;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        const bool row = json_is_array(item);
        for (size_t k = 0; k < (row ? json_array_size(item) : 1); k++) {
            const json_t *one = row ? json_array_get(item, k) : item;
            if (!json_is_number(one) || !isfinite(json_number_value(one)) || n == room)
                return -1;
            out[n++] = json_number_value(one);
        }
    }
    return n;
}

/* 1 or 2 for the first or second text; a third and fourth say the same. */
static physad_status choice(int32_t *out, const json_t *root, const char *key, const char *const texts[4],
                            const char *name)
{
    const json_t *value = json_object_get(root, key);
    if (value == NULL)
        return PHYSAD_OK;
    for (int k = 0; k < 4; k++)
        if (texts[k] != NULL && json_is_string(value) && strcmp(json_string_value(value), texts[k]) == 0) {
            *out = k % 2 + 1;
            return PHYSAD_OK;
        }
    return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is \"%s\", want \"%s\" or \"%s\"", name, key,
                         json_is_string(value) ? json_string_value(value) : "no text", texts[0], texts[1]);
}

static physad_status read_frame(physad__pose_frame *frame, const json_t *root, const char *name)
{
    static const char *const directions[4] = { "camera-to-world", "world-to-camera", "c2w", "w2c" };
    static const char *const axes[4] = { "opencv", "opengl", "OpenCV", "OpenGL" };
    static const char *const orders[4] = { "xyzw", "wxyz", NULL, NULL };
    static const char *const firsts[4] = { "position", "quaternion", NULL, NULL };
    static const char *const scales[] = { "scale", NULL };
    PHYSAD__TRY(choice(&frame->direction, root, "pose", directions, name));
    PHYSAD__TRY(choice(&frame->axes, root, "axes", axes, name));
    PHYSAD__TRY(choice(&frame->order, root, "quaternion", orders, name));
    PHYSAD__TRY(choice(&frame->first, root, "first", firsts, name));
    PHYSAD__TRY(number(&frame->scale, root, scales, name));
    if (frame->scale < 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"scale\" is %g, want a positive number (1000: metres become "
                                                "millimetres)", name, frame->scale);
    return PHYSAD_OK;
}

static physad_status take_matrix(physad__lens *lens, const double *k, int64_t n, const char *name)
{
    if (n != 9 || fabs(k[1]) > 1e-3 * fabs(k[0]) || fabs(k[3]) + fabs(k[6]) + fabs(k[7]) > 1e-9 ||
        fabs(k[8] - 1) > 1e-9)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the matrix is not fx 0 cx, 0 fy cy, 0 0 1", name);
    lens->fx = k[0];
    lens->cx = k[2];
    lens->fy = k[4];
    lens->cy = k[5];
    return PHYSAD_OK;
}

static physad_status take_distortion(physad__lens *lens, const double *d, int64_t n, const char *name)
{
    if (n < 0 || n > 8)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the distortion is not up to 8 numbers", name);
    for (int64_t k = 4; k < n; k++)
        if (d[k] != 0)
            return physad__error(
                PHYSAD_ERR_UNSUPPORTED,
                "%s: a lens with more than k1, k2, p1, p2 (number %lld of its distortion is %g) is not "
                "supported; undistort the photos, or fit the lens with four",
                name, (long long)k + 1, d[k]);
    double *const to[4] = { &lens->k1, &lens->k2, &lens->p1, &lens->p2 };
    for (int64_t k = 0; k < physad__min(n, 4); k++)
        *to[k] = d[k];
    return PHYSAD_OK;
}

static physad_status read_json(physad__lens *lens, physad__pose_frame *frame, const json_t *root, const char *name)
{
    static const char *const keys[10][6] = {
        { "fx", "fl_x", "focal_length_x", "focal" }, { "fy", "fl_y", "focal_length_y" },
        { "cx", "ppx", "principal_point_x" },        { "cy", "ppy", "principal_point_y" },
        { "width", "w", "image_width" },             { "height", "h", "image_height" },
        { "k1" }, { "k2" }, { "p1" }, { "p2" } };
    static const char *const matrices[] = { "K", "camera_matrix", "intrinsic_matrix", "intrinsics", NULL };
    static const char *const distortions[] = { "distortion", "coeffs", "D", "dist", "distortion_coefficients", NULL };
    static const char *const angles[] = { "camera_angle_x", NULL };
    double width = 0, height = 0, k[9];
    double *const to[10] = { &lens->fx, &lens->fy, &lens->cx, &lens->cy, &width, &height, &lens->k1, &lens->k2,
                             &lens->p1, &lens->p2 };
    if (!json_is_object(root))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: is no JSON object", name);
    const json_t *value = any_of(root, matrices);
    if (json_is_object(value) && json_object_get(value, "data") == NULL)
        return read_json(lens, frame, value, name); /* {"intrinsics": {...}} */
    if (value != NULL)
        PHYSAD__TRY(take_matrix(lens, k, numbers(k, 9, value), name));
    value = any_of(root, distortions);
    if (value != NULL && !json_is_null(value))
        PHYSAD__TRY(take_distortion(lens, k, numbers(k, 8, value), name));
    for (int i = 0; i < 10; i++)
        PHYSAD__TRY(number(to[i], root, keys[i], name));
    PHYSAD__TRY(number(&lens->angle_x, root, angles, name));
    if (width < 0 || height < 0 || width > 1e6 || height > 1e6)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: width and height are not within 0 to 1000000 pixels", name);
    lens->width = (int64_t)width;
    lens->height = (int64_t)height;
    return PHYSAD_OK;
}

/* --- text: the matrix, fx fy cx cy, or these and width height --- */

static physad_status read_text(physad__lens *lens, char *data, const char *name)
{
    double k[10];
    int64_t n = 0;
    for (char *p = data; *p != '\0';) {
        const size_t skip = strspn(p, " \t\r\n,;[]()"), length = strcspn(p + skip, " \t\r\n,;[]()");
        char *token = p + skip;
        p = token + length;
        if (length == 0)
            continue;
        if (*p != '\0')
            *p++ = '\0';
        if (n == 10 || !physad__parse_double(token, &k[n]) || !isfinite(k[n]) || fabs(k[n]) > 1e9)
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: \"%.40s\" is not one of 9 numbers (the matrix), 4 (fx fy cx cy) or 6 (and width "
                                 "height)",
                                 name, token);
        n++;
    }
    if (n == 9)
        return take_matrix(lens, k, n, name);
    if (n != 4 && n != 6)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: %lld numbers, want 9 (the matrix), 4 (fx fy cx cy) or 6 (and width height)", name,
                             (long long)n);
    lens->fx = k[0];
    lens->fy = k[1];
    lens->cx = k[2];
    lens->cy = k[3];
    if (n == 6 && (k[4] < 1 || k[5] < 1 || k[4] > 1e6 || k[5] > 1e6))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: width and height are %g and %g", name, k[4], k[5]);
    lens->width = n == 6 ? (int64_t)k[4] : 0;
    lens->height = n == 6 ? (int64_t)k[5] : 0;
    return PHYSAD_OK;
}

physad_status physad__pose_camera_parse(physad__lens *lens, physad__pose_frame *frame, physad__mem *mem, void *data,
                                        size_t size, bool json, const char *name)
{
    json_t *root;
    *lens = (physad__lens){ 0 };
    *frame = (physad__pose_frame){ 0 };
    if (!json) {
        if (memchr(data, '\0', size) != NULL)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: holds a NUL: this is no text", name);
        PHYSAD__TRY(read_text(lens, data, name));
    } else {
        PHYSAD__TRY(physad__json_room(mem, data, size, name));
        PHYSAD__TRY(physad__json_parse(&root, data, size, name));
        physad_status status = read_json(lens, frame, root, name);
        if (status == PHYSAD_OK)
            status = read_frame(frame, root, name);
        json_decref(root);
        PHYSAD__TRY(status);
    }
    lens->fy = lens->fy == 0 ? lens->fx : lens->fy;
    const bool angle = lens->angle_x > 0 && lens->angle_x < M_PI;
    if (lens->fx < 0 || lens->fy < 0 || (lens->fx == 0 && !angle))
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: has no focal length: want fx, fy, cx, cy, width, height, or a matrix K", name);
    if (lens->width > 0 && lens->height > 0) {
        lens->cx = lens->cx != 0 ? lens->cx : (double)lens->width / 2;
        lens->cy = lens->cy != 0 ? lens->cy : (double)lens->height / 2;
    }
    return PHYSAD_OK;
}

physad_status physad__pose_camera_read(physad__lens *lens, physad__pose_frame *frame, physad__mem *mem,
                                       const char *path)
{
    unsigned char *data;
    size_t size;
    PHYSAD__TRY(physad__file_read(&data, &size, mem, path, MAX_FILE));
    const physad_status status = physad__pose_camera_parse(lens, frame, mem, data, size,
                                                           strcmp(physad__path_suffix(path), ".json") == 0, path);
    physad__free(data);
    return status;
}
