/* SPDX-License-Identifier: Apache-2.0 */
/* Poses as JSON, in the several shapes that programs give it: a list of entries or entries by photo; an entry is a
 * matrix, seven numbers, or an object with either. */
#include "io/io_file.h"
#include "io/io_pose_rows.h"

#include <math.h>

#define MOST_DEPTH 4 /* of objects in an entry: {"pose": {"position": {"x": ...}}} */

typedef struct key {
    const char *name;
    int32_t direction;
} key;

static const char *const names_of_photo[] = { "file_path", "file", "filename", "file_name", "image",
                                              "image_path", "photo", "name", "path" };
static const key names_of_matrix[] = {
    { "matrix", 0 },
    { "transform_matrix", 0 },
    { "transform", 0 },
    { "pose", 0 },
    { "T", 0 },
    { "c2w", PHYSAD__POSE_TO_WORLD },
    { "cam2world", PHYSAD__POSE_TO_WORLD },
    { "camera_to_world", PHYSAD__POSE_TO_WORLD },
    { "w2c", PHYSAD__POSE_TO_CAMERA },
    { "world2cam", PHYSAD__POSE_TO_CAMERA },
    { "world_to_camera", PHYSAD__POSE_TO_CAMERA },
    { "extrinsic", 0 },
    { "extrinsics", 0 },
};
static const char *const names_of_position[] = { "position", "translation", "trans", "t", "tvec", "xyz" };
static const char *const names_of_turn[] = { "orientation", "quaternion", "rotation", "quat", "q", "qvec" };

static const json_t *find(const json_t *object, const char *const *names, int64_t n)
{
    const json_t *found = NULL;
    for (int64_t i = 0; i < n && found == NULL; i++)
        found = json_object_get(object, names[i]);
    return found;
}

/* Appends the numbers of nested arrays; false where there is something else, or more than `room`. */
static bool flatten(double *values, int64_t *n, int64_t room, const json_t *array, int depth)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (json_is_array(item)) {
            if (depth == 0 || !flatten(values, n, room, item, depth - 1))
                return false;
        } else if (!json_is_number(item) || *n == room) {
            return false;
        } else {
            values[(*n)++] = json_number_value(item);
        }
    }
    return true;
}

static bool by_letters(double *values, const json_t *object, const char *letters)
{
    for (int k = 0; letters[k] != '\0'; k++) {
        const json_t *value = json_object_get(object, (char[2]){ letters[k], '\0' });
        if (!json_is_number(value))
            return false;
        values[k] = json_number_value(value);
    }
    return true;
}

/* A position and a quaternion, each an array or an object of x, y, z (w). */
static physad_status read_parts(physad__pose_row *like, double values[7], const json_t *position, const json_t *turn,
                                const char *place)
{
    int64_t n = 0, m = 0;
    double matrix[9];
    like->first = PHYSAD__POSE_POSITION;
    if (json_is_object(position) ? !by_letters(values, position, "xyz")
                                 : !flatten(values, &n, 3, position, 0) || n != 3)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: its position is not three numbers", place);
    if (json_is_object(turn)) {
        like->order = PHYSAD__POSE_XYZW;
        return by_letters(values + 3, turn, "xyzw")
                   ? PHYSAD_OK
                   : physad__error(PHYSAD_ERR_FORMAT, "%s: its quaternion has not the numbers x, y, z, w", place);
    }
    if (!flatten(matrix, &m, 9, turn, 1) || m != 4)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: its quaternion is not four numbers", place);
    memcpy(values + 3, matrix, 4 * sizeof(double));
    return PHYSAD_OK;
}

/* What is not a pose at all is FORMAT. */
static physad_status read_entry(physad__pose_rows *out, const json_t *entry, const char *photo, int32_t direction,
                                const char *place, int depth)
{
    physad__pose_row like = { .direction = direction };
    double values[16];
    int64_t n = 0;
    if (json_is_array(entry)) {
        if (!flatten(values, &n, 16, entry, 1))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: its matrix is not 3 x 4 or 4 x 4 numbers", place);
        return physad__pose_rows_add(out, &like, photo, values, n, place);
    }
    const json_t *name = find(entry, names_of_photo, PHYSAD__COUNT(names_of_photo));
    photo = photo == NULL && json_is_string(name) ? json_string_value(name) : photo;
    const json_t *position = find(entry, names_of_position, PHYSAD__COUNT(names_of_position));
    const json_t *turn = find(entry, names_of_turn, PHYSAD__COUNT(names_of_turn));
    if (position != NULL && turn != NULL) {
        PHYSAD__TRY(read_parts(&like, values, position, turn, place));
        return physad__pose_rows_add(out, &like, photo, values, 7, place);
    }
    for (int64_t i = 0; i < PHYSAD__COUNT(names_of_matrix) && depth > 0; i++) {
        const json_t *value = json_object_get(entry, names_of_matrix[i].name);
        if (value != NULL)
            return read_entry(out, value, photo,
                              names_of_matrix[i].direction != 0 ? names_of_matrix[i].direction : direction, place,
                              depth - 1);
    }
    return physad__error(PHYSAD_ERR_FORMAT,
                         "%s: has neither a matrix (\"matrix\", \"pose\", \"c2w\", ...) nor \"position\" and "
                         "\"quaternion\"",
                         place);
}

static bool is_single(const json_t *root)
{
    const json_t *first = json_array_get(root, 0);
    if (json_is_array(root)) /* numbers, or rows of numbers */
        return json_is_number(first) || (json_is_array(first) && json_is_number(json_array_get(first, 0)) &&
                                         json_array_size(first) == 4 && json_array_size(root) <= 4);
    if (find(root, names_of_position, PHYSAD__COUNT(names_of_position)) != NULL)
        return true;
    for (int64_t i = 0; i < PHYSAD__COUNT(names_of_matrix); i++)
        if (json_object_get(root, names_of_matrix[i].name) != NULL)
            return true;
    return false;
}

static physad_status read_root(physad__pose_rows *out, json_t *root, const char *name)
{
    static const char *const lists[] = { "frames", "poses", "images", "views" };
    char place[1200];
    const char *photo;
    json_t *value;
    if (is_single(root))
        return read_entry(out, root, NULL, 0, name, MOST_DEPTH);
    const json_t *list = find(root, lists, PHYSAD__COUNT(lists));
    list = list != NULL ? list : root;
    if (json_is_array(list)) {
        for (size_t i = 0; i < json_array_size(list); i++) {
            physad__snprintf(place, sizeof(place), "%s: entry %zu", name, i);
            PHYSAD__TRY(read_entry(out, json_array_get(list, i), NULL, 0, place, MOST_DEPTH));
        }
        return PHYSAD_OK;
    }
    json_object_foreach((json_t *)(uintptr_t)list, photo, value) {
        physad__snprintf(place, sizeof(place), "%s: \"%.500s\"", name, photo);
        PHYSAD__TRY(read_entry(out, value, photo, 0, place, MOST_DEPTH));
    }
    return PHYSAD_OK;
}

physad_status physad__pose_rows_parse_json(physad__pose_rows *out, const void *data, size_t size, const char *name)
{
    json_t *root;
    PHYSAD__TRY(physad__json_room(out->mem, data, size, name));
    PHYSAD__TRY(physad__json_parse(&root, data, size, name));
    const physad_status status = read_root(out, root, name);
    json_decref(root);
    return status;
}
