/* SPDX-License-Identifier: Apache-2.0 */
/* PyTorch checkpoints: what both containers (io_pth.c, io_pth_zip.c) and the walk over the values (io_pth_tree.c)
 * share. */
#ifndef PHYSAD__IO_PTH_H
#define PHYSAD__IO_PTH_H

#include "io/io_pickle.h"
#include "io/io_tensors_internal.h"

typedef struct physad__pth_type {
    const char *name;    /* of the storage's class */
    const char *scalar;  /* of torch.dtype */
    int32_t dtype;       /* 0: no view can have it */
    int32_t size;        /* bytes of an element */
    const char *problem; /* why not */
} physad__pth_type;

/* A run of elements that tensors lie in, known by its key. */
typedef struct physad__pth_storage {
    const char *key; /* in the pickle, not NUL-terminated */
    int64_t key_length;
    const physad__pth_type *type;
    int64_t count; /* elements */
    const uint8_t *data; /* NULL: not found yet */
} physad__pth_storage;

/* What a tensor's persistent identity tells. */
typedef struct physad__pth_identity {
    physad__pth_storage storage;
    int64_t view_first, view_count; /* the part of the storage that counts, in elements; usually all */
} physad__pth_identity;

typedef struct physad__pth {
    physad_tensors *t;
    physad__pickle p;
    int32_t top;
    const char *root;     /* the caller's choice; NULL: automatic */
    const physad__zip *zip; /* NULL: the legacy container */
    const char *prefix;   /* of the zip's members */
    int64_t prefix_length;
    bool swap;
    physad__pth_storage *storages; /* sorted by key */
    int64_t storage_count, storage_capacity;
    char name[4096];
    int64_t name_length;
    int64_t visits, text; /* bounds of the walk */
} physad__pth;

/* Fills f->storages from every persistent identity in the pickle. */
physad_status physad__pth_scan_storages(physad__pth *f);
physad__pth_storage *physad__pth_find_storage(const physad__pth *f, const char *key, int64_t length);
/* The identity in value `id`; *is_storage false when it is none of a storage. */
physad_status physad__pth_identity_read(const physad__pth *f, int32_t id, physad__pth_identity *out, bool *is_storage);
/* The element type of a torch.dtype's name, or NULL. */
const physad__pth_type *physad__pth_scalar_type(const physad__pickle *p, int32_t id);
/* Finds the bytes of a storage in the zip. */
physad_status physad__pth_zip_storage(const physad__pth *f, physad__pth_storage *s);

/* The tensor that `object` (a call of a rebuilding function) stands for goes to the set as f->name. */
physad_status physad__pth_tensor(physad__pth *f, int32_t object, bool *is_tensor);
/* Collects tensors and metadata. */
physad_status physad__pth_walk(physad__pth *f);
void physad__pth_close(physad__pth *f);

#endif
