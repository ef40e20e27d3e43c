/* SPDX-License-Identifier: Apache-2.0 */
/* Which file tells where a category's photos were taken from. */
#include "data/data_dataset.h"

static bool has(const physad__dir *dir, const char *name, bool is_dir)
{
    for (int64_t i = 0; i < dir->count; i++)
        if (dir->entries[i].is_dir == is_dir && strcmp(dir->entries[i].name, name) == 0)
            return true;
    return false;
}

/* One file of a robot's for all photos, or a folder of files for each. */
static const char *robot_poses(const physad__dir *dir)
{
    static const char *const names[] = { "poses.json",      "poses.csv",      "poses.txt",      "poses.npy",
                                         "pose.json",       "pose.csv",       "pose.txt",       "pose.npy",
                                         "trajectory.json", "trajectory.csv", "trajectory.txt", "trajectory.npy" };
    for (int64_t i = 0; i < PHYSAD__COUNT(names); i++)
        if (has(dir, names[i], false))
            return names[i];
    return has(dir, "poses", true) ? "poses" : NULL;
}

physad_status physad__find_poses(physad__store *store, const char *folder, const physad__dir *dir, const char **poses,
                                 bool *by_name)
{
    const bool transforms = has(dir, "transforms.json", false), sparse = has(dir, "sparse", true);
    const char *name = transforms ? "transforms.json" : sparse ? "sparse/0" : robot_poses(dir);
    *poses = NULL;
    if (name == NULL)
        return PHYSAD_OK;
    const char *path = physad__store_format(store, "%s/%s", folder, name);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    *by_name = !transforms && sparse;
    *poses = *by_name && !physad__path_is_dir(path) ? NULL : path;
    return PHYSAD_OK;
}
