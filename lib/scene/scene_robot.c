/* SPDX-License-Identifier: Apache-2.0 */
/* Poses as robots leave them: one file for all photos, or one for each; and a file with the camera. */
#include "scene/scene_photos.h"

#include "io/io.h"

#include <math.h>
#include <stdlib.h>

static const char *const suffixes[] = { ".json", ".csv", ".txt", ".npy" };

/* --- the photos that take part, each with its row --- */

typedef struct robot {
    physad_context *ctx;
    const char *data;
    const physad__scene_choice *chosen;
    physad__poses *out;
    const physad__pose_row **rows; /* of out's photos */
    int64_t rows_size, absent;
} robot;

/* `name` as the photo is found by; copied. */
static physad_status add_photo(robot *r, const char *name, const physad__pose_row *row)
{
    physad__poses *out = r->out;
    PHYSAD__TRY(physad__grow(out->mem, &out->photos, &out->photos_size, out->n_photos + 1, sizeof(*out->photos),
                             "photos"));
    PHYSAD__TRY(physad__grow(out->mem, &r->rows, &r->rows_size, out->n_photos + 1, sizeof(*r->rows), "poses"));
    out->photos[out->n_photos] = (physad__posed){ .name = physad__strdup(out->mem, name) };
    if (out->photos[out->n_photos].name == NULL)
        return PHYSAD_ERR_NOMEM;
    r->rows[out->n_photos++] = row;
    return PHYSAD_OK;
}

/* Adds it where the photo is there and chosen; *there where it is there at all. */
static physad_status try_photo(robot *r, const char *name, const physad__pose_row *row, bool *there)
{
    char *path;
    PHYSAD__TRY(physad__photo_find(&path, r->out->mem, r->data, name));
    *there = path != NULL;
    physad_status status = PHYSAD_OK;
    if (path != NULL && physad__photo_is_chosen(r->chosen, path))
        status = add_photo(r, name, row);
    physad__free(path);
    return status;
}

/* --- one file for all --- */

static physad_status add_named(robot *r, const physad__pose_row *row)
{
    bool there;
    const char *name = strncmp(row->name, "./", 2) == 0 ? row->name + 2 : row->name;
    PHYSAD__TRY(try_photo(r, name, row, &there));
    const char *last = physad__path_name(name);
    if (!there && last != name) /* a path of the robot's own disk */
        PHYSAD__TRY(try_photo(r, last, row, &there));
    if (!there)
        physad__photo_absent(r->ctx, r->data, row->name, &r->absent);
    return PHYSAD_OK;
}

/* Rows without names are in the order of the photos of the folder that has as many. */
static physad_status add_in_order(robot *r, const physad__pose_rows *rows, const char *path)
{
    char counts[256] = "";
    for (int64_t f = 0; f < PHYSAD__PHOTO_FOLDERS; f++) {
        physad__photo_list list;
        bool there;
        PHYSAD__TRY(physad__photos_list(&list, r->out->mem, r->data, f));
        const bool fits = list.count == rows->count;
        physad_status status = PHYSAD_OK;
        for (int64_t i = 0; i < list.count && fits && status == PHYSAD_OK; i++)
            status = try_photo(r, list.names[i], &rows->rows[i], &there);
        const size_t used = strlen(counts);
        if (list.count > 0)
            physad__snprintf(counts + used, sizeof(counts) - used, "%s%s has %lld", used > 0 ? ", " : "",
                             physad__photo_folders[f], (long long)list.count);
        physad__photo_list_free(&list);
        PHYSAD__TRY(status);
        if (fits)
            return PHYSAD_OK;
    }
    return physad__error(PHYSAD_ERR_FORMAT,
                         "%s: %lld poses without names, which are in the order of the photos; no folder has as many "
                         "photos (%s): name them, a name before the numbers of each",
                         path, (long long)rows->count, counts[0] != '\0' ? counts : "there are none");
}

static physad_status add_all(robot *r, const physad__pose_rows *rows, const char *path)
{
    int64_t named = 0;
    for (int64_t i = 0; i < rows->count; i++)
        named += rows->rows[i].name != NULL;
    if (named == 0)
        return add_in_order(r, rows, path);
    if (named < rows->count)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %lld of %lld poses have no name of a photo: name all or none",
                             path, (long long)(rows->count - named), (long long)rows->count);
    for (int64_t i = 0; i < rows->count; i++)
        PHYSAD__TRY(add_named(r, &rows->rows[i]));
    physad__photos_absent(r->ctx, r->data, r->absent);
    return PHYSAD_OK;
}

/* --- a file for each --- */

/* Beside the photo, or in poses/ or pose/ under the photo's name. */
static physad_status find_own(char **out, physad__mem *mem, const char *data, const char *photo)
{
    const size_t stem = strlen(photo) - strlen(physad__path_suffix(photo));
    const char *name = physad__path_name(photo);
    char *own[3] = { physad__strndup(mem, photo, stem),
                     physad__format(mem, "poses/%.*s", (int)(stem - (size_t)(name - photo)), name),
                     physad__format(mem, "pose/%.*s", (int)(stem - (size_t)(name - photo)), name) };
    const physad_status status =
        own[0] != NULL && own[1] != NULL && own[2] != NULL
            ? physad__stem_find(out, mem, data, (const char *const *)own, 3, suffixes, PHYSAD__COUNT(suffixes))
            : PHYSAD_ERR_NOMEM;
    for (int k = 0; k < 3; k++)
        physad__free(own[k]);
    return status;
}

/* `room`: a row for each photo of the list, from `first` on. */
static physad_status read_own(robot *r, physad__pose_rows *room, const char *photo, int64_t *missing)
{
    physad__pose_rows one;
    char *path;
    bool there;
    *missing = 0;
    PHYSAD__TRY(find_own(&path, r->out->mem, r->data, photo));
    if (path == NULL) {
        *missing = 1;
        return PHYSAD_OK;
    }
    physad_status status = physad__pose_rows_read(&one, r->ctx, path);
    if (status == PHYSAD_OK && one.count != 1)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: %lld poses beside one photo, want one", path,
                               (long long)one.count);
    if (status == PHYSAD_OK) {
        room->rows[room->count] = one.rows[0];
        room->rows[room->count].name = NULL;
        status = try_photo(r, photo, &room->rows[room->count++], &there);
    }
    physad__pose_rows_free(&one);
    physad__free(path);
    return status;
}

/* Photos of the first folder in which one has a pose of its own. */
static physad_status add_own(robot *r, physad__pose_rows *room, bool *there)
{
    for (int64_t f = 0; f < PHYSAD__PHOTO_FOLDERS && !*there; f++) {
        physad__photo_list list;
        int64_t without = 0;
        PHYSAD__TRY(physad__photos_list(&list, r->out->mem, r->data, f));
        physad__free(room->rows);
        *room = (physad__pose_rows){ .mem = r->out->mem };
        room->rows = physad__alloc_array(r->out->mem, list.count + 1, sizeof(*room->rows), "poses");
        physad_status status = room->rows != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
        for (int64_t i = 0; i < list.count && status == PHYSAD_OK; i++) {
            int64_t missing = 0;
            char *path = physad__format(r->out->mem, "%s/%s", r->data, list.names[i]);
            if (path == NULL)
                status = PHYSAD_ERR_NOMEM;
            else if (physad__photo_is_chosen(r->chosen, path)) /* no other photo's pose is read */
                status = read_own(r, room, list.names[i], &missing);
            physad__free(path);
            without += missing;
        }
        physad__photo_list_free(&list);
        PHYSAD__TRY(status);
        *there = room->count > 0;
        if (*there && without > 0)
            physad__log(r->ctx, PHYSAD_LOG_WARNING, "%s: %lld photos have no pose and are left out", r->data,
                        (long long)without);
    }
    return PHYSAD_OK;
}

/* --- together --- */

static physad_status read_camera(physad__lens *lens, physad__pose_frame *frame, physad__mem *mem, const char *data)
{
    static const char *const stems[] = { "camera", "intrinsics" };
    static const char *const tried[] = { ".json", ".txt" };
    for (int64_t i = 0; i < PHYSAD__COUNT(stems); i++)
        for (int64_t k = 0; k < PHYSAD__COUNT(tried); k++) {
            char *path = physad__format(mem, "%s/%s%s", data, stems[i], tried[k]);
            if (path == NULL)
                return PHYSAD_ERR_NOMEM;
            const bool there = physad__path_is_file(path);
            const physad_status status = there ? physad__pose_camera_read(lens, frame, mem, path) : PHYSAD_OK;
            physad__free(path);
            if (there)
                return status;
        }
    return physad__error(PHYSAD_ERR_IO,
                         "%s: has poses, and nothing tells the camera: want camera.json with fx, fy, cx, cy, width and "
                         "height (pixels), or camera.txt with the matrix",
                         data);
}

static int by_name(const void *a, const void *b)
{
    return physad__natural_compare(((const physad__posed *)a)->name, ((const physad__posed *)b)->name);
}

static void say(const robot *r, const physad__pose_found *found)
{
    char what[96];
    bool quaternions = false;
    for (int64_t i = 0; i < r->out->n_photos; i++)
        quaternions = quaternions || r->rows[i]->count == 7;
    physad__pose_words(what, sizeof(what), &found->frame, quaternions);
    if (!found->looked)
        physad__log(r->ctx, PHYSAD_LOG_INFO, "%s: poses are %s, as told", r->data, what);
    else
        physad__log(r->ctx, PHYSAD_LOG_INFO,
                    "%s: poses are %s: so the cameras look at one place within %.1f degrees (the next best reading: "
                    "%.0f), %.4g units away: by its size %s",
                    r->data, what, found->angle * 180 / M_PI, fmin(found->next * 180 / M_PI, 180), found->distance,
                    found->distance > 20 ? "millimetres" : "metres");
}

static physad_status settle(robot *r, const physad__pose_frame *told, const physad__lens *lens, const char *name)
{
    physad__mem *mem = r->out->mem;
    physad__pose_found found;
    const int64_t n = r->out->n_photos;
    if (n == 0)
        return physad__error(PHYSAD_ERR_IO, "%s: not one photo with a pose is there", name);
    physad__posed **photos = physad__alloc_array(mem, n, sizeof(*photos), "photos");
    if (photos == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        photos[i] = &r->out->photos[i];
        photos[i]->lens = *lens;
    }
    const physad_status status = physad__pose_settle(mem, photos, r->rows, n, told, &found, name);
    physad__free(photos);
    PHYSAD__TRY(status);
    say(r, &found);
    qsort(r->out->photos, (size_t)n, sizeof(*r->out->photos), by_name);
    for (int64_t i = 1; i < n; i++)
        if (strcmp(r->out->photos[i - 1].name, r->out->photos[i].name) == 0)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: %s has two poses, want one for each photo", name,
                                 r->out->photos[i].name);
    return PHYSAD_OK;
}

physad_status physad__photos_robot_poses(physad__poses *out, bool *there, physad_context *ctx, const char *data,
                                         const physad__scene_choice *chosen)
{
    static const char *const stems[] = { "poses", "pose", "trajectory" };
    robot r = { .ctx = ctx, .data = data, .chosen = chosen, .out = out };
    physad__pose_rows rows = { 0 };
    physad__lens lens;
    physad__pose_frame told;
    char *path;
    *out = (physad__poses){ .mem = &ctx->mem };
    PHYSAD__TRY(
        physad__stem_find(&path, &ctx->mem, data, stems, PHYSAD__COUNT(stems), suffixes, PHYSAD__COUNT(suffixes)));
    *there = path != NULL;
    physad_status status = *there ? physad__pose_rows_read(&rows, ctx, path) : add_own(&r, &rows, there);
    if (status == PHYSAD_OK && path != NULL)
        status = add_all(&r, &rows, path);
    if (status == PHYSAD_OK && *there)
        status = read_camera(&lens, &told, &ctx->mem, data);
    if (status == PHYSAD_OK && *there)
        status = settle(&r, &told, &lens, path != NULL ? path : data);
    physad__pose_rows_free(&rows);
    physad__free(r.rows);
    physad__free(path);
    if (status != PHYSAD_OK)
        physad__poses_free(out);
    return status;
}
