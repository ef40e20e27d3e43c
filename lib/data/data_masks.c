/* SPDX-License-Identifier: Apache-2.0 */
/* Which mask files belong to a photo. */
#include "data/data_dataset.h"

#include <stdlib.h>

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const physad__dir_entry *)a)->name, ((const physad__dir_entry *)b)->name);
}

physad_status physad__mask_folder_open(physad__mask_folder *m, physad__mem *mem, const char *path)
{
    *m = (physad__mask_folder){ path, { NULL, 0, 0 } };
    if (path == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__dir_list(&m->dir, mem, path));
    if (m->dir.count > 1)
        qsort(m->dir.entries, (size_t)m->dir.count, sizeof(*m->dir.entries), by_bytes);
    return PHYSAD_OK;
}

void physad__mask_folder_free(physad__mask_folder *m)
{
    physad__dir_free(&m->dir);
}

/* First entry whose name is not before the `length` bytes of `prefix`. */
static int64_t lower_bound(const physad__dir *dir, const char *prefix, size_t length)
{
    int64_t low = 0, high = dir->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strncmp(dir->entries[middle].name, prefix, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef struct found {
    const char **files;
    int64_t count;
} found;

static physad_status take(found *f, const physad__mask_folder *m, physad__store *store, const char *folder,
                          const char *name)
{
    f->files[f->count] = folder != NULL ? physad__store_format(store, "%s/%s/%s", m->path, folder, name)
                                        : physad__store_format(store, "%s/%s", m->path, name);
    return f->files[f->count++] != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* Photos named `prefix` and then anything ("_mask", "_mask2"), or, with `whole`, nothing but the suffix. */
static physad_status take_prefixed(found *f, const physad__mask_folder *m, physad__store *store, const char *prefix,
                                   bool whole)
{
    const size_t length = strlen(prefix);
    const int64_t first = lower_bound(&m->dir, prefix, length);
    int64_t last = first;
    while (last < m->dir.count && strncmp(m->dir.entries[last].name, prefix, length) == 0)
        last++;
    if (last == first)
        return PHYSAD_OK;
    f->files = physad__store_alloc(store, (size_t)(last - first) * sizeof(*f->files));
    if (f->files == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = first; i < last; i++) {
        const physad__dir_entry *e = &m->dir.entries[i];
        if (e->is_dir || physad__media_kind(e->name) != PHYSAD_KIND_IMAGE)
            continue;
        if (!whole || physad__path_suffix(e->name) == e->name + length - 1)
            PHYSAD__TRY(take(f, m, store, NULL, e->name));
    }
    return PHYSAD_OK;
}

static physad_status take_folder(found *f, const physad__mask_folder *m, physad__store *store, physad__mem *mem,
                                 const char *stem)
{
    const int64_t at = lower_bound(&m->dir, stem, strlen(stem) + 1); /* with its NUL: the whole name */
    if (at == m->dir.count || strcmp(m->dir.entries[at].name, stem) != 0 || !m->dir.entries[at].is_dir)
        return PHYSAD_OK;
    physad__dir inner;
    const char *path = physad__store_format(store, "%s/%s", m->path, stem);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__dir_list(&inner, mem, path));
    physad_status status = PHYSAD_OK;
    f->files = physad__store_alloc(store, (size_t)(inner.count + 1) * sizeof(*f->files));
    if (f->files == NULL)
        status = PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < inner.count; i++)
        if (!inner.entries[i].is_dir && physad__media_kind(inner.entries[i].name) == PHYSAD_KIND_IMAGE)
            status = take(f, m, store, stem, inner.entries[i].name);
    physad__dir_free(&inner);
    return status;
}

static physad_status find(found *f, const physad__mask_folder *m, physad__store *store, physad__mem *mem,
                          const char *stem, bool marked_only)
{
    const char *marked = physad__store_format(store, "%s_mask", stem),
               *whole = physad__store_format(store, "%s.", stem);
    if (marked == NULL || whole == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(take_prefixed(f, m, store, marked, false));
    if (f->count == 0 && !marked_only)
        PHYSAD__TRY(take_prefixed(f, m, store, whole, true));
    if (f->count == 0 && !marked_only)
        PHYSAD__TRY(take_folder(f, m, store, mem, stem));
    return PHYSAD_OK;
}

physad_status physad__mask_find(const physad__mask_folder *m, physad__store *store, physad__mem *mem, const char *photo,
                                bool marked_only, const char *const **files, int64_t *count)
{
    found f = { NULL, 0 };
    *files = NULL;
    *count = 0;
    if (m->dir.count == 0)
        return PHYSAD_OK;
    char *stem = physad__path_stem(mem, photo);
    if (stem == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = find(&f, m, store, mem, stem, marked_only);
    physad__free(stem);
    *files = f.files;
    *count = f.count;
    return status;
}
