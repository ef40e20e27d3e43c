/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers and writers of tensor files share; only for io_tensors*.c, io_safetensors.c, io_pth*.c, io_npz.c. */
#ifndef PHYSAD__IO_TENSORS_INTERNAL_H
#define PHYSAD__IO_TENSORS_INTERNAL_H

#include "io/io_file.h"
#include "io/io_tensors.h"
#include "io/io_zip.h"

#include <pthread.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensor files are little-endian and are used as they are mapped");

/* One array of a set. Its bytes are in the file (`data` is borrowed) until something needs a copy of them. */
typedef struct physad__tensor {
    char *name;
    physad_view view;    /* as in the file; data may be misaligned or byte-swapped */
    void *copy;          /* row-major, native; made under the set's lock, never changed afterwards */
    const char *problem; /* static text: why there can be no view, such as "complex64"; else NULL */
    bool swap;           /* the file's elements are big-endian */
} physad__tensor;

typedef struct physad__pair {
    char *key;
    char *value;
} physad__pair;

struct physad_tensors {
    physad_context *ctx;
    physad__mem *mem; /* the context's */
    char *path;       /* for messages */
    const char *format;
    physad__file_map map;
    bool mapped;
    const uint8_t *data; /* the file's bytes, mapped or the caller's */
    int64_t size;
    physad__tensor *items; /* sorted by name once reading is done */
    int64_t count, capacity;
    physad__pair *metadata; /* sorted by key */
    int64_t metadata_count, metadata_capacity;
    void **blocks; /* memory that views point into: inflated members */
    int64_t block_count, block_capacity;
    pthread_mutex_t lock; /* guards the making of copies */
};

/* --- building, for the readers (io_tensors.c) --- */

/* Takes `name` over, also on failure. `view->data` stays where it is, in the file or in one of the set's blocks. */
physad_status physad__tensors_push(physad_tensors *t, char *name, const physad_view *view, bool swap,
                                   const char *problem);
/* Memory that goes with the set: takes a block over, also on failure. */
physad_status physad__tensors_keep(physad_tensors *t, void *block);
/* An empty handle; `format` is static. */
physad_status physad__tensors_create(physad_tensors **out, physad_context *ctx, const char *path, const char *format);
/* Sorts and refuses names that come twice. */
physad_status physad__tensors_seal(physad_tensors *t);
physad_status physad__tensors_metadata_push(physad_tensors *t, const char *key, int64_t key_length, const char *value,
                                            int64_t value_length);

/* --- the formats; `t->data` and `t->size` are set --- */

physad_status physad__safetensors_read(physad_tensors *t);
physad_status physad__pth_legacy_read(physad_tensors *t, const char *root);
physad_status physad__pth_zip_read(physad_tensors *t, const physad__zip *zip, const char *root);
physad_status physad__npz_read(physad_tensors *t, const physad__zip *zip);
physad_status physad__npy_tensor_read(physad_tensors *t, const char *name, int64_t name_length, const uint8_t *data,
                                      int64_t size);

/* Bytes of a row-major array of this dtype and shape; false when they exceed an int64. */
bool physad__tensor_bytes(int32_t dtype, int32_t ndim, const int64_t *shape, int64_t *bytes);
/* Writes the elements of `in` row-major to `out`. */
void physad__view_gather(void *out, const physad_view *in);
/* Checks that the name can be in a file: UTF-8, not empty, at most 4096 bytes, not "__metadata__". */
physad_status physad__tensor_name_check(const char *name);
bool physad__utf8_valid(const char *text, int64_t length);

#endif
