/* SPDX-License-Identifier: Apache-2.0 */
/* Photos found by name, and who tells their cameras. */
#include "scene/scene_photos.h"

#include "data/data.h"
#include "io/io.h"

#include <math.h>
#include <stdlib.h>

static const char *const model_folders[] = { "sparse/0", "sparse", "colmap/sparse/0", "." };
const char *const physad__photo_folders[PHYSAD__PHOTO_FOLDERS] = { ".", "images", "train/good", "train", "input" };
static const char *const photo_suffixes[] = { "", ".png", ".jpg", ".jpeg" };

static physad_status join(char **out, physad__mem *mem, const char *folder, const char *name)
{
    *out = strcmp(name, ".") == 0 ? physad__strdup(mem, folder) : physad__path_join(mem, folder, name);
    return *out != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status is_model(bool *yes, physad__mem *mem, const char *folder)
{
    static const char *const files[] = { "cameras.bin", "cameras.txt" };
    *yes = false;
    for (int64_t i = 0; i < PHYSAD__COUNT(files) && !*yes; i++) {
        char *path;
        PHYSAD__TRY(join(&path, mem, folder, files[i]));
        *yes = physad__path_is_file(path);
        physad__free(path);
    }
    return PHYSAD_OK;
}

/* Of a COLMAP model within the folder; none where there is none. */
static physad_status read_model(physad__poses *out, physad__mem *mem, const char *data)
{
    char *path;
    for (int64_t i = 0; i < PHYSAD__COUNT(model_folders); i++) {
        bool yes = false;
        PHYSAD__TRY(join(&path, mem, data, model_folders[i]));
        physad_status status = is_model(&yes, mem, path);
        if (status == PHYSAD_OK && yes)
            status = physad__colmap_read(out, mem, path);
        physad__free(path);
        if (status != PHYSAD_OK || yes)
            return status;
    }
    return PHYSAD_OK;
}

physad_status physad__stem_find(char **out, physad__mem *mem, const char *folder, const char *const *stems, int64_t n,
                                const char *const *suffixes, int64_t n_suffixes)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n_suffixes; k++) {
            *out = physad__format(mem, "%s/%s%s", folder, stems[i], suffixes[k]);
            if (*out == NULL)
                return PHYSAD_ERR_NOMEM;
            if (physad__path_is_file(*out))
                return PHYSAD_OK;
            physad__free(*out);
        }
    *out = NULL;
    return PHYSAD_OK;
}

physad_status physad__photo_find(char **out, physad__mem *mem, const char *data, const char *name)
{
    physad_status status = PHYSAD_OK;
    *out = NULL;
    for (int64_t f = 0; f < PHYSAD__PHOTO_FOLDERS && status == PHYSAD_OK && *out == NULL; f++) {
        char *folder;
        PHYSAD__TRY(join(&folder, mem, data, physad__photo_folders[f]));
        status = physad__stem_find(out, mem, folder, &name, 1, photo_suffixes, PHYSAD__COUNT(photo_suffixes));
        physad__free(folder);
    }
    return status;
}

bool physad__photo_is_chosen(const physad__scene_choice *chosen, const char *path)
{
    for (int64_t i = 0; chosen->paths != NULL && i < chosen->count; i++)
        if (strcmp(chosen->paths[i], path) == 0)
            return true;
    return chosen->paths == NULL;
}

/* --- those that are missing --- */

#define NAMED 10 /* by name; a table of another set may be full of them */

void physad__photo_absent(physad_context *ctx, const char *data, const char *name, int64_t *count)
{
    if (++*count <= NAMED)
        physad__log(ctx, PHYSAD_LOG_WARNING, "%s: the photo %s has a pose and is not there", data, name);
}

void physad__photos_absent(physad_context *ctx, const char *data, int64_t count)
{
    if (count > NAMED)
        physad__log(ctx, PHYSAD_LOG_WARNING, "%s: %lld more photos have poses and are not there", data,
                    (long long)(count - NAMED));
}

/* --- where they look --- */

static void warn(const physad__posed *photos, const double *angles, int64_t n, physad_context *ctx, const char *data)
{
    int64_t away = 0, last = -1;
    for (int64_t i = 0; i < n; i++)
        if (angles[i] > M_PI / 2) {
            away++;
            last = i;
        }
    if (away * 20 >= n * 19)
        physad__log(ctx, PHYSAD_LOG_WARNING,
                    "%s: all cameras look away from the one place where their axes meet: if they are to look at a "
                    "thing, the poses have other axes than their format's (OpenGL's in transforms.json: y up, z "
                    "behind; OpenCV's are y down, z ahead)",
                    data);
    else if (away > 0 && away * 10 <= n)
        physad__log(ctx, PHYSAD_LOG_WARNING,
                    "%s: %lld of %lld photos look away from what the others look at (%s): are their poses right?", data,
                    (long long)away, (long long)n, photos[last].name);
}

physad_status physad__photos_check_looks(const physad__scene_views *v, physad_context *ctx, const char *data)
{
    const int64_t n = v->count;
    physad__posed *photos = physad__alloc_zero(&ctx->mem, (size_t)(n + 1) * sizeof(*photos), "photos of a scene");
    physad__posed **all = physad__alloc_array(&ctx->mem, n + 1, sizeof(*all), "photos of a scene");
    double *room = physad__alloc_array(&ctx->mem, 2 * n + 1, sizeof(*room), "photos of a scene");
    const bool made = photos != NULL && all != NULL && room != NULL;
    for (int64_t i = 0; i < n && made; i++) {
        photos[i].name = v->views[i].name;
        memcpy(photos[i].rotation, v->views[i].camera.rotation, sizeof(photos[i].rotation));
        memcpy(photos[i].translation, v->views[i].camera.translation, sizeof(photos[i].translation));
        all[i] = &photos[i];
    }
    if (made && n >= 3 && physad__pose_angles(all, n, room))
        warn(photos, room, n, ctx, data);
    physad__free(photos);
    physad__free(all);
    physad__free(room);
    return made ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* --- lists --- */

void physad__photo_list_free(physad__photo_list *l)
{
    for (int64_t i = 0; i < l->count; i++)
        physad__free(l->names[i]);
    physad__free(l->names);
    *l = (physad__photo_list){ 0 };
}

static int by_number(const void *a, const void *b)
{
    return physad__natural_compare(*(char *const *)a, *(char *const *)b);
}

static physad_status add_name(physad__photo_list *l, physad__mem *mem, const char *folder, const char *name)
{
    PHYSAD__TRY(physad__grow(mem, &l->names, &l->size, l->count + 1, sizeof(*l->names), "photos"));
    l->names[l->count] =
        strcmp(folder, ".") == 0 ? physad__strdup(mem, name) : physad__format(mem, "%s/%s", folder, name);
    l->count += l->names[l->count] != NULL;
    return l->count > 0 && l->names[l->count - 1] != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__photos_list(physad__photo_list *out, physad__mem *mem, const char *data, int64_t index)
{
    physad__dir dir;
    char *folder;
    *out = (physad__photo_list){ 0 };
    PHYSAD__TRY(join(&folder, mem, data, physad__photo_folders[index]));
    physad_status status = PHYSAD_OK;
    if (physad__path_is_dir(folder)) {
        status = physad__dir_list(&dir, mem, folder);
        for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++)
            if (!dir.entries[i].is_dir && physad__media_kind(dir.entries[i].name) == PHYSAD_KIND_IMAGE)
                status = add_name(out, mem, physad__photo_folders[index], dir.entries[i].name);
        physad__dir_free(&dir);
    }
    physad__free(folder);
    if (status != PHYSAD_OK)
        physad__photo_list_free(out);
    else if (out->count > 0)
        qsort(out->names, (size_t)out->count, sizeof(*out->names), by_number);
    return status;
}

/* --- who tells the cameras --- */

physad_status physad__photos_poses(physad__poses *out, physad__poses *model, physad_context *ctx, const char *data,
                                   const physad__scene_choice *chosen)
{
    char *path;
    bool robot = false;
    PHYSAD__TRY(read_model(model, &ctx->mem, data));
    PHYSAD__TRY(join(&path, &ctx->mem, data, "transforms.json"));
    const bool transforms = physad__path_is_file(path);
    physad_status status = transforms ? physad__transforms_read(out, &ctx->mem, path) : PHYSAD_OK;
    physad__free(path);
    if (status != PHYSAD_OK || transforms)
        return status;
    if (model->n_photos > 0) {
        *out = *model;
        *model = (physad__poses){ 0 };
        return PHYSAD_OK;
    }
    PHYSAD__TRY(physad__photos_robot_poses(out, &robot, ctx, data, chosen));
    if (robot)
        return PHYSAD_OK;
    if (!physad__path_is_dir(data))
        return physad__error(PHYSAD_ERR_IO, "%s: %s", data,
                             physad__path_exists(data) ? "no folder; want one of photos" : "there is no such folder");
    return physad__error(PHYSAD_ERR_IO,
                         "%s: no camera poses: want transforms.json; or cameras, images and points3D (.bin or .txt) in "
                         "sparse/0, sparse or the folder itself; or poses.csv, .json, .txt or .npy, or a file for each "
                         "photo beside it or in poses/, with camera.json",
                         data);
}
