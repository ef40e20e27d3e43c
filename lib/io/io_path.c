/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

char *physad__path_join(physad__mem *mem, const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    if (n == 0 || name[0] == '/')
        return physad__strdup(mem, name);
    if (name[0] == '\0')
        return physad__strdup(mem, folder);
    return physad__format(mem, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/", name);
}

const char *physad__path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

const char *physad__path_suffix(const char *path)
{
    const char *name = physad__path_name(path);
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? dot : name + strlen(name);
}

char *physad__path_stem(physad__mem *mem, const char *path)
{
    const char *name = physad__path_name(path);
    return physad__strndup(mem, name, (size_t)(physad__path_suffix(path) - name));
}

char *physad__path_parent(physad__mem *mem, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') /* "a/b/" names b */
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return physad__strdup(mem, ".");
    while (n > 1 && path[n - 1] == '/')
        n--;
    return physad__strndup(mem, path, n);
}

bool physad__path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool physad__path_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool physad__path_is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool physad__path_is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

static physad_status folder_error(const char *path, const char *verb)
{
    char reason[128];
    return physad__error(PHYSAD_ERR_IO, "%s: cannot %s: %s", path, verb, strerror_r(errno, reason, sizeof(reason)));
}

static physad_status make_one(const char *path)
{
    if (mkdir(path, 0777) == 0)
        return PHYSAD_OK;
    if (physad__path_is_dir(path)) /* whatever errno says: EEXIST, or EROFS and EACCES above a folder that is there */
        return PHYSAD_OK;
    return folder_error(path, "make the folder");
}

physad_status physad__dir_make(physad__mem *mem, const char *path)
{
    char *partial = physad__strdup(mem, path);
    if (partial == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    for (char *p = partial + 1; status == PHYSAD_OK && partial[0] != '\0' && *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        status = make_one(partial);
        *p = '/';
    }
    physad__free(partial);
    return status == PHYSAD_OK ? make_one(path) : status;
}

static int by_name(const void *a, const void *b)
{
    return physad__natural_compare(((const physad__dir_entry *)a)->name, ((const physad__dir_entry *)b)->name);
}

static physad_status list_open(physad__dir *dir, physad__mem *mem, const char *path, DIR *stream)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(stream);
        if (e == NULL)
            return errno == 0 ? PHYSAD_OK : folder_error(path, "list");
        if (e->d_name[0] == '.')
            continue;
        bool is_dir = e->d_type == DT_DIR, special = !is_dir && e->d_type != DT_REG;
        if (e->d_type == DT_UNKNOWN || e->d_type == DT_LNK) {
            char *full = physad__path_join(mem, path, e->d_name);
            if (full == NULL)
                return PHYSAD_ERR_NOMEM;
            is_dir = physad__path_is_dir(full);
            special = physad__path_is_special(full);
            physad__free(full);
        }
        if (special)
            continue;
        PHYSAD__TRY(
            physad__grow(mem, &dir->entries, &dir->capacity, dir->count + 1, sizeof(*dir->entries), "folder listing"));
        char *name = physad__strdup(mem, e->d_name);
        if (name == NULL)
            return PHYSAD_ERR_NOMEM;
        dir->entries[dir->count++] = (physad__dir_entry){ name, is_dir };
    }
}

physad_status physad__dir_list(physad__dir *dir, physad__mem *mem, const char *path)
{
    *dir = (physad__dir){ NULL, 0, 0 };
    DIR *stream = opendir(path);
    if (stream == NULL)
        return folder_error(path, "list");
    const physad_status status = list_open(dir, mem, path, stream);
    closedir(stream);
    if (status != PHYSAD_OK) {
        physad__dir_free(dir);
        return status;
    }
    if (dir->count > 1)
        qsort(dir->entries, (size_t)dir->count, sizeof(*dir->entries), by_name);
    return PHYSAD_OK;
}

void physad__dir_free(physad__dir *dir)
{
    for (int64_t i = 0; i < dir->count; i++)
        physad__free(dir->entries[i].name);
    physad__free(dir->entries);
    *dir = (physad__dir){ NULL, 0, 0 };
}
