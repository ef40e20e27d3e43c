/* SPDX-License-Identifier: Apache-2.0 */
/* scene: which photos a folder has, and who tells where they were taken from. For this room only. */
#ifndef PHYSAD__SCENE_PHOTOS_H
#define PHYSAD__SCENE_PHOTOS_H

#include "scene/scene.h"

/* The first file of folder/stem + suffix, stem by stem; NULL where there is none. */
physad_status physad__stem_find(char **out, physad__mem *mem, const char *folder, const char *const *stems, int64_t n,
                                const char *const *suffixes, int64_t n_suffixes);
/* The photo's path, or NULL where it is nowhere: in the folder, images, train/good, train or input, perhaps without its
 * suffix in `name`. */
physad_status physad__photo_find(char **out, physad__mem *mem, const char *data, const char *name);
bool physad__photo_is_chosen(const physad__scene_choice *chosen, const char *path);

/* Cameras of the folder's photos: transforms.json, else a COLMAP model, else poses as robots write them. Where there is
 * transforms.json, for it is what a set's users mean, `model` keeps what COLMAP found beside. */
physad_status physad__photos_poses(physad__poses *out, physad__poses *model, physad_context *ctx, const char *data,
                                   const physad__scene_choice *chosen);

/* Robots' files alone; *there is false where there are none. Poses of photos that are not chosen are not looked at. */
physad_status physad__photos_robot_poses(physad__poses *out, bool *there, physad_context *ctx, const char *data,
                                         const physad__scene_choice *chosen);

/* Warns of a photo that has a pose and is not there, the `*count`-th: of the first few by name, and of how many more
 * there are once all were looked for. */
void physad__photo_absent(physad_context *ctx, const char *data, const char *name, int64_t *count);
void physad__photos_absent(physad_context *ctx, const char *data, int64_t count);

/* Warns (the log) of cameras that look away from the place where all axes meet. */
physad_status physad__photos_check_looks(const physad__scene_views *v, physad_context *ctx, const char *data);

/* Leaves out, with a warning (the log), photos whose poses contradict what those beside them show; NUMERIC where all
 * do. Held out photos stay (scene_contradict.c). */
physad_status physad__scene_contradictions(physad__scene_views *v, physad_context *ctx, const char *data,
                                           physad__call *call);

/* Photos of a folder, by their names from there on. */
typedef struct physad__photo_list {
    char **names; /* sorted as people number them */
    int64_t count, size;
} physad__photo_list;

#define PHYSAD__PHOTO_FOLDERS 5
extern const char *const physad__photo_folders[PHYSAD__PHOTO_FOLDERS];
/* Of folder `index` of those; empty where it is not there. */
physad_status physad__photos_list(physad__photo_list *out, physad__mem *mem, const char *data, int64_t index);
void physad__photo_list_free(physad__photo_list *list);

#endif
