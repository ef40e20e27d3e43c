/* SPDX-License-Identifier: Apache-2.0 */
/* Reading zip archives that lie whole in memory (mapped): the central directory rules, and what contradicts it is
 * refused. */
#ifndef PHYSAD__IO_ZIP_H
#define PHYSAD__IO_ZIP_H

#include "base/base.h"

typedef struct physad__zip_entry {
    const char *name; /* in the archive, not NUL-terminated */
    const uint8_t *data; /* as stored */
    int64_t offset;      /* of data in the archive */
    int64_t packed, size;
    int64_t header; /* offset of the local header */
    uint32_t crc;
    int32_t name_length;
    uint16_t method, flags;
} physad__zip_entry;

typedef struct physad__zip {
    physad__mem *mem;
    const char *path; /* for messages; borrowed */
    const uint8_t *data;
    int64_t size;
    physad__zip_entry *entries; /* sorted by name */
    int64_t count;
} physad__zip;

/* Refuses entries that overlap, lie about their place or come twice, several disks, and bytes before the first entry.
 */
physad_status physad__zip_open(physad__zip *zip, physad__mem *mem, const uint8_t *data, int64_t size, const char *path);
void physad__zip_close(physad__zip *zip); /* zeroed is fine */
const physad__zip_entry *physad__zip_find(const physad__zip *zip, const char *name, int64_t length); /* NULL: none */
/* The bytes of an entry: where they lie for a stored one (*owned is NULL), else inflated memory of zip->mem. Checks the
 * CRC-32 of inflated ones, and of stored ones where `verify`. More than `limit` bytes are FORMAT (0: no limit). */
physad_status physad__zip_entry_read(const physad__zip *zip, const physad__zip_entry *entry, bool verify, int64_t limit,
                                     const uint8_t **data, void **owned);

/* zlib's memory from `mem`, through its `opaque`. */
void *physad__zlib_alloc(void *mem, unsigned items, unsigned size);
void physad__zlib_free(void *mem, void *block);

#endif
