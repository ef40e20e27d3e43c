/* SPDX-License-Identifier: Apache-2.0 */
/* The container of torch.save since 1.6 and of TorchScript: a zip archive with one folder that holds data.pkl and,
 * stored, a member data/KEY for each storage. */
#include "io/io_pth.h"

#include <stdio.h>

#define MAX_PICKLE ((int64_t)1 << 28)

static const physad__zip_entry *member(const physad__pth *f, const char *name, int64_t length)
{
    char path[1024];
    if (f->prefix_length + length > (int64_t)sizeof(path))
        return NULL;
    memcpy(path, f->prefix, (size_t)f->prefix_length);
    memcpy(path + f->prefix_length, name, (size_t)length);
    return physad__zip_find(f->zip, path, f->prefix_length + length);
}

physad_status physad__pth_zip_storage(const physad__pth *f, physad__pth_storage *s)
{
    char name[256] = "data/";
    const uint8_t *data;
    void *owned;
    int64_t bytes;
    const physad__zip_entry *e = NULL;
    if (s->key_length < (int64_t)sizeof(name) - 5) {
        memcpy(name + 5, s->key, (size_t)s->key_length);
        e = member(f, name, 5 + s->key_length);
    }
    if (e == NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the storage \"%.*s\" is missing", f->t->path,
                             (int)physad__min(s->key_length, 100), s->key);
    if (e->method != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: the storage \"%.*s\" is compressed; checkpoints store them plainly: unpack the "
                             "archive and zip it again without compression",
                             f->t->path, (int)s->key_length, s->key);
    PHYSAD__TRY(physad__zip_entry_read(f->zip, e, false, 0, &data, &owned));
    if (physad__mul_overflow(s->count, s->type->size, &bytes) || bytes != e->size)
        return physad__error(
            PHYSAD_ERR_FORMAT,
            "%s: the storage \"%.*s\" at byte %lld has %lld bytes, its tensors say %lld elements of %d", f->t->path,
            (int)s->key_length, s->key, (long long)e->offset, (long long)e->size, (long long)s->count, s->type->size);
    s->data = data;
    return PHYSAD_OK;
}

/* The folder that has data.pkl; there is just one. */
static physad_status find_prefix(physad__pth *f)
{
    for (int64_t i = 0; i < f->zip->count; i++) {
        const physad__zip_entry *e = &f->zip->entries[i];
        const char *slash = memchr(e->name, '/', (size_t)e->name_length);
        if (slash == NULL || e->name_length - (slash + 1 - e->name) != 8 || memcmp(slash + 1, "data.pkl", 8) != 0)
            continue;
        if (f->prefix != NULL)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: there are two data.pkl", f->t->path);
        f->prefix = e->name;
        f->prefix_length = slash + 1 - e->name;
    }
    if (f->prefix == NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: data.pkl is not in the archive's top folder", f->t->path);
    return PHYSAD_OK;
}

static physad_status read_byte_order(physad__pth *f)
{
    const physad__zip_entry *e = member(f, "byteorder", 9);
    const uint8_t *text;
    void *owned;
    if (e == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__zip_entry_read(f->zip, e, true, 64, &text, &owned));
    const bool big = e->size == 3 && memcmp(text, "big", 3) == 0;
    const bool little = e->size == 6 && memcmp(text, "little", 6) == 0;
    physad__free(owned);
    if (!big && !little)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the byte order is neither \"little\" nor \"big\"", f->t->path);
    f->swap = big;
    return PHYSAD_OK;
}

static physad_status read_tree(physad__pth *f, const uint8_t *data, const physad__zip_entry *e)
{
    int64_t used;
    PHYSAD__TRY(physad__pickle_read(&f->p, f->t->mem, data, e->size, e->method == 0 ? e->offset : 0, f->t->path,
                                    &f->top, &used));
    physad_status status = physad__pth_scan_storages(f);
    if (status == PHYSAD_OK)
        status = physad__pth_walk(f);
    physad__pth_close(f);
    return status;
}

physad_status physad__pth_zip_read(physad_tensors *t, const physad__zip *zip, const char *root)
{
    physad__pth f = { .t = t, .root = root, .zip = zip };
    const uint8_t *data;
    void *owned;
    PHYSAD__TRY(find_prefix(&f));
    PHYSAD__TRY(read_byte_order(&f));
    t->format = member(&f, "constants.pkl", 13) != NULL ? "torchscript" : "pth-zip";
    const physad__zip_entry *e = member(&f, "data.pkl", 8);
    if (e == NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: data.pkl lies in a folder with too long a name", t->path);
    PHYSAD__TRY(physad__zip_entry_read(zip, e, true, MAX_PICKLE, &data, &owned));
    const physad_status status = read_tree(&f, data, e);
    physad__free(owned);
    return status;
}
