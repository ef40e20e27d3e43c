/* SPDX-License-Identifier: Apache-2.0 */
/* The container of torch.save before 1.6: five pickles (magic, version, system, the object, storage keys), then for
 * each key the number of elements (int64) and the elements, both little-endian whatever machine wrote them. */
#include "io/io_pth.h"

#include <stdio.h>

#define PROTOCOL 1001

typedef struct cursor {
    physad_tensors *t;
    int64_t at;
} cursor;

static physad_status next_pickle(cursor *c, physad__pickle *p, int32_t *root)
{
    int64_t used;
    PHYSAD__TRY(
        physad__pickle_read(p, c->t->mem, c->t->data + c->at, c->t->size - c->at, c->at, c->t->path, root, &used));
    c->at += used;
    return PHYSAD_OK;
}

static physad_status read_magic(cursor *c)
{
    static const uint8_t magic[10] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
    physad__pickle p;
    int32_t id;
    PHYSAD__TRY(next_pickle(c, &p, &id));
    const physad__pickle_value *v = physad__pickle_at(&p, id);
    const bool right =
        v->kind == PHYSAD__PICKLE_BIG && v->length == sizeof(magic) && memcmp(v->text, magic, sizeof(magic)) == 0;
    physad__pickle_free(&p);
    if (right)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_FORMAT, "%s: is a pickle, but no PyTorch checkpoint (the magic number is missing)",
                         c->t->path);
}

static physad_status read_version(cursor *c)
{
    physad__pickle p;
    int32_t id;
    PHYSAD__TRY(next_pickle(c, &p, &id));
    const physad__pickle_value *v = physad__pickle_at(&p, id);
    const int64_t version = v->kind == PHYSAD__PICKLE_INT ? v->integer : -1;
    physad__pickle_free(&p);
    if (version == PROTOCOL)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: checkpoint protocol %lld, want %d", c->t->path,
                         (long long)version, PROTOCOL);
}

static physad_status skip_system(cursor *c)
{
    physad__pickle p;
    int32_t id;
    PHYSAD__TRY(next_pickle(c, &p, &id));
    const bool right = physad__pickle_at(&p, id)->kind == PHYSAD__PICKLE_DICT;
    physad__pickle_free(&p);
    return right ? PHYSAD_OK
                 : physad__error(PHYSAD_ERR_FORMAT, "%s: the checkpoint's third pickle is no dictionary", c->t->path);
}

/* One storage: its data begin at c->at. */
static physad_status place_storage(physad__pth *f, cursor *c, const physad__pickle *keys, int32_t key)
{
    const physad__pickle_value *v = physad__pickle_at(keys, key);
    int64_t count, bytes;
    if (v->kind != PHYSAD__PICKLE_TEXT)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a storage's key is no text", c->t->path);
    physad__pth_storage *s = physad__pth_find_storage(f, (const char *)v->text, v->length);
    if (s == NULL || s->data != NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the storage \"%.*s\" is %s", c->t->path,
                             (int)physad__min(v->length, 100), (const char *)v->text,
                             s == NULL ? "in the file but belongs to no tensor" : "in the file twice");
    if (c->t->size - c->at < 8)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: cut off at byte %lld, before storage \"%.*s\"", c->t->path,
                             (long long)c->at, (int)physad__min(v->length, 100), (const char *)v->text);
    memcpy(&count, c->t->data + c->at, 8);
    if (count != s->count)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: storage \"%.*s\" at byte %lld has %lld elements, its tensors say %lld", c->t->path,
                             (int)physad__min(v->length, 100), (const char *)v->text, (long long)c->at,
                             (long long)count, (long long)s->count);
    c->at += 8;
    if (physad__mul_overflow(count, s->type->size, &bytes) || bytes > c->t->size - c->at)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: storage \"%.*s\" at byte %lld has %lld elements, but the file ends at %lld: cut off?",
                             c->t->path, (int)physad__min(v->length, 100), (const char *)v->text, (long long)c->at,
                             (long long)count, (long long)c->t->size);
    s->data = c->t->data + c->at;
    c->at += bytes;
    return PHYSAD_OK;
}

static physad_status place_storages(physad__pth *f, cursor *c)
{
    physad__pickle keys;
    int32_t id;
    PHYSAD__TRY(next_pickle(c, &keys, &id));
    const physad__pickle_value *list = physad__pickle_at(&keys, id);
    physad_status status = PHYSAD_OK;
    if (list->kind != PHYSAD__PICKLE_LIST)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: the checkpoint's fifth pickle is no list of storage keys",
                               c->t->path);
    for (int64_t i = 0; status == PHYSAD_OK && i < list->count; i++)
        status = place_storage(f, c, &keys, list->items[i]);
    physad__pickle_free(&keys);
    return status;
}

physad_status physad__pth_legacy_read(physad_tensors *t, const char *root)
{
    cursor c = { t, 0 };
    physad__pth f = { .t = t, .root = root };
    t->format = "pth";
    PHYSAD__TRY(read_magic(&c));
    PHYSAD__TRY(read_version(&c));
    PHYSAD__TRY(skip_system(&c));
    PHYSAD__TRY(next_pickle(&c, &f.p, &f.top));
    physad_status status = physad__pth_scan_storages(&f);
    if (status == PHYSAD_OK)
        status = place_storages(&f, &c);
    if (status == PHYSAD_OK)
        status = physad__pth_walk(&f);
    physad__pth_close(&f);
    return status;
}

void physad__pth_close(physad__pth *f)
{
    physad__free(f->storages);
    physad__pickle_free(&f->p);
}
