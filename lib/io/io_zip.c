/* SPDX-License-Identifier: Apache-2.0 */
/* Layout: APPNOTE.TXT 6.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14-16 (its end), 4.5.3
 * (zip64). */
#include "io/io_zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define END_BYTES 22
#define END64_BYTES 56
#define LOCATOR_BYTES 20
#define FLAG_ENCRYPTED 1u
#define FLAG_DESCRIPTOR 8u /* sizes and CRC follow the data; the local header may hold zeros */

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static physad_status bad(const physad__zip *zip, int64_t at, const char *what)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: zip at byte %lld: %s", zip->path, (long long)at, what);
}

static physad_status bad_entry(const physad__zip *zip, const physad__zip_entry *e, const char *what)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: zip member \"%.*s\" at byte %lld: %s", zip->path,
                         (int)physad__min(e->name_length, 200), e->name, (long long)e->header, what);
}

/* --- the end of the archive --- */

typedef struct directory {
    uint64_t offset, size, count;
} directory;

static physad_status find_end64(const physad__zip *zip, int64_t end, directory *dir)
{
    const uint8_t *locator = zip->data + end - LOCATOR_BYTES;
    if (end < LOCATOR_BYTES || get32(locator) != 0x07064b50)
        return bad(zip, end, "it needs a zip64 directory, which is not there");
    const uint64_t at = get64(locator + 8);
    if (at > (uint64_t)end || (uint64_t)end - at < END64_BYTES || get32(zip->data + at) != 0x06064b50)
        return bad(zip, end - LOCATOR_BYTES, "the zip64 directory's end is not where it should be");
    const uint8_t *p = zip->data + at;
    if (get32(p + 16) != 0 || get32(p + 20) != 0 || get64(p + 24) != get64(p + 32))
        return bad(zip, (int64_t)at, "archives of several disks are not read");
    *dir = (directory){ get64(p + 48), get64(p + 40), get64(p + 32) };
    if (dir->offset > at || dir->size != at - dir->offset)
        return bad(zip, (int64_t)at, "the directory is not where it should be");
    return PHYSAD_OK;
}

static physad_status find_end(const physad__zip *zip, directory *dir)
{
    int64_t end = zip->size - END_BYTES;
    const int64_t least = physad__max(0, end - UINT16_MAX);
    /* The last bytes are a comment of as many bytes as the record says. */
    while (end >= least &&
           (get32(zip->data + end) != 0x06054b50 || get16(zip->data + end + 20) != zip->size - END_BYTES - end))
        end--;
    if (end < least)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: the zip directory is missing; the file (%lld bytes) was probably cut off", zip->path,
                             (long long)zip->size);
    const uint8_t *p = zip->data + end;
    *dir = (directory){ get32(p + 16), get32(p + 12), get16(p + 10) };
    const bool wide = dir->offset == UINT32_MAX || dir->size == UINT32_MAX || dir->count == UINT16_MAX;
    if (wide || (end >= LOCATOR_BYTES && get32(zip->data + end - LOCATOR_BYTES) == 0x07064b50))
        return find_end64(zip, end, dir);
    if (get16(p + 4) != 0 || get16(p + 6) != 0 || get16(p + 8) != get16(p + 10))
        return bad(zip, end, "archives of several disks are not read");
    if (dir->offset > (uint64_t)end || dir->size != (uint64_t)end - dir->offset)
        return bad(zip, end, "the directory is not where it should be");
    return PHYSAD_OK;
}

/* --- entries --- */

/* The 64-bit values in the zip64 extra field stand for the 32-bit ones that are all ones, in this order. */
static physad_status read_zip64(const physad__zip *zip, int64_t at, const uint8_t *extra, int64_t length,
                                uint64_t **values, int count)
{
    if (count == 0)
        return PHYSAD_OK;
    while (length >= 4) {
        const int64_t n = get16(extra + 2);
        if (n > length - 4)
            break;
        if (get16(extra) == 1) {
            if (n < 8 * count)
                break;
            for (int i = 0; i < count; i++)
                *values[i] = get64(extra + 4 + 8 * i);
            return PHYSAD_OK;
        }
        extra += 4 + n;
        length -= 4 + n;
    }
    return bad(zip, at, "the zip64 sizes are missing");
}

static physad_status read_central(const physad__zip *zip, int64_t *at, int64_t end, physad__zip_entry *e)
{
    const uint8_t *p = zip->data + *at;
    if (end - *at < CENTRAL_BYTES || get32(p) != 0x02014b50)
        return bad(zip, *at, "a directory entry is damaged");
    const int64_t name = get16(p + 28), extra = get16(p + 30), comment = get16(p + 32);
    uint64_t packed = get32(p + 20), size = get32(p + 24), header = get32(p + 42), *wide[3];
    int count = 0;
    if (end - *at - CENTRAL_BYTES < name + extra + comment)
        return bad(zip, *at, "a directory entry goes beyond the directory");
    if (size == UINT32_MAX)
        wide[count++] = &size;
    if (packed == UINT32_MAX)
        wide[count++] = &packed;
    if (header == UINT32_MAX)
        wide[count++] = &header;
    PHYSAD__TRY(read_zip64(zip, *at, p + CENTRAL_BYTES + name, extra, wide, count));
    *e = (physad__zip_entry){ .name = (const char *)p + CENTRAL_BYTES,
                              .name_length = (int32_t)name,
                              .crc = get32(p + 16),
                              .method = get16(p + 10),
                              .flags = get16(p + 8) };
    if (name == 0 || memchr(e->name, 0, (size_t)name) != NULL)
        return bad(zip, *at, "a member's name is empty or has a NUL in it");
    if (size > INT64_MAX || packed > (uint64_t)zip->size || header > (uint64_t)zip->size)
        return bad(zip, *at, "a member is larger than the file");
    e->size = (int64_t)size;
    e->packed = (int64_t)packed;
    e->header = (int64_t)header;
    *at += CENTRAL_BYTES + name + extra + comment;
    return PHYSAD_OK;
}

/* Finds the data behind the local header and holds what that says against the directory. */
static physad_status read_local(const physad__zip *zip, physad__zip_entry *e, int64_t limit)
{
    const uint8_t *p = zip->data + e->header;
    if (limit - e->header < LOCAL_BYTES || get32(p) != 0x04034b50)
        return bad_entry(zip, e, "there is no such member at its place");
    const int64_t name = get16(p + 26), extra = get16(p + 28);
    if (limit - e->header - LOCAL_BYTES < name + extra)
        return bad_entry(zip, e, "its header goes beyond the file");
    if (name != e->name_length || memcmp(p + LOCAL_BYTES, e->name, (size_t)name) != 0 || get16(p + 8) != e->method)
        return bad_entry(zip, e, "its header contradicts the directory");
    uint64_t packed = get32(p + 18), size = get32(p + 22), *wide[2] = { &size, &packed };
    if (packed == UINT32_MAX && size == UINT32_MAX)
        PHYSAD__TRY(read_zip64(zip, e->header, p + LOCAL_BYTES + name, extra, wide, 2));
    if (!(get16(p + 6) & FLAG_DESCRIPTOR) &&
        (packed != (uint64_t)e->packed || size != (uint64_t)e->size || get32(p + 14) != e->crc))
        return bad_entry(zip, e, "its header contradicts the directory");
    e->offset = e->header + LOCAL_BYTES + name + extra;
    e->data = zip->data + e->offset;
    if (e->packed > limit - e->offset)
        return bad_entry(zip, e, "it goes beyond the file");
    if (e->method == 0 && e->packed != e->size)
        return bad_entry(zip, e, "it is stored, but its two sizes differ");
    return PHYSAD_OK;
}

static int by_place(const void *a, const void *b)
{
    const physad__zip_entry *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int compare_names(const char *a, int64_t a_length, const char *b, int64_t b_length)
{
    const int order = memcmp(a, b, (size_t)physad__min(a_length, b_length));
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b)
{
    const physad__zip_entry *x = a, *y = b;
    return compare_names(x->name, x->name_length, y->name, y->name_length);
}

static physad_status read_entries(physad__zip *zip, const directory *dir)
{
    int64_t at = (int64_t)dir->offset;
    const int64_t end = (int64_t)(dir->offset + dir->size);
    if (dir->count > dir->size / CENTRAL_BYTES)
        return bad(zip, at, "the directory is too small for the members that it should have");
    zip->entries = physad__alloc_array(zip->mem, (int64_t)dir->count, sizeof(*zip->entries), "zip directory");
    if (zip->entries == NULL)
        return PHYSAD_ERR_NOMEM;
    for (uint64_t i = 0; i < dir->count; i++) {
        PHYSAD__TRY(read_central(zip, &at, end, &zip->entries[i]));
        PHYSAD__TRY(read_local(zip, &zip->entries[i], (int64_t)dir->offset));
        zip->count++;
    }
    if (at != end)
        return bad(zip, at, "the directory has more members than it tells");
    if (zip->count == 0)
        return PHYSAD_OK;
    qsort(zip->entries, (size_t)zip->count, sizeof(*zip->entries), by_place);
    if (zip->entries[0].header != 0)
        return bad(zip, 0, "there are bytes before the first member");
    for (int64_t i = 1; i < zip->count; i++)
        if (zip->entries[i].header < zip->entries[i - 1].offset + zip->entries[i - 1].packed)
            return bad_entry(zip, &zip->entries[i], "it overlaps another member");
    qsort(zip->entries, (size_t)zip->count, sizeof(*zip->entries), by_name);
    for (int64_t i = 1; i < zip->count; i++)
        if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return bad_entry(zip, &zip->entries[i], "there are two of this name");
    return PHYSAD_OK;
}

physad_status physad__zip_open(physad__zip *zip, physad__mem *mem, const uint8_t *data, int64_t size, const char *path)
{
    directory dir = { 0 };
    *zip = (physad__zip){ .mem = mem, .path = path, .data = data, .size = size };
    physad_status status = find_end(zip, &dir);
    if (status == PHYSAD_OK)
        status = read_entries(zip, &dir);
    if (status != PHYSAD_OK)
        physad__zip_close(zip);
    return status;
}

void physad__zip_close(physad__zip *zip)
{
    physad__free(zip->entries);
    *zip = (physad__zip){ .mem = NULL };
}

const physad__zip_entry *physad__zip_find(const physad__zip *zip, const char *name, int64_t length)
{
    int64_t low = 0, high = zip->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const physad__zip_entry *e = &zip->entries[middle];
        const int order = compare_names(e->name, e->name_length, name, length);
        if (order == 0)
            return e;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- data --- */

void *physad__zlib_alloc(void *mem, unsigned items, unsigned size)
{
    return physad__alloc_array(mem, items, size, "inflate");
}

void physad__zlib_free(void *mem, void *block)
{
    physad__free(block);
}

static physad_status inflate_all(const physad__zip *zip, const physad__zip_entry *e, uint8_t *out)
{
    z_stream z = { .zalloc = physad__zlib_alloc, .zfree = physad__zlib_free, .opaque = zip->mem };
    int64_t fed = 0, got = 0;
    int code = inflateInit2(&z, -MAX_WBITS);
    if (code != Z_OK)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: no memory to inflate", zip->path);
    const int64_t step = 1 << 30; /* zlib counts in 32 bits */
    uint8_t spare;                /* so that an empty member has somewhere to go */
    do {
        if (z.avail_in == 0) {
            z.next_in = (Bytef *)(uintptr_t)(e->data + fed);
            z.avail_in = (uInt)physad__min(step, e->packed - fed);
            fed += z.avail_in;
        }
        z.next_out = got < e->size ? out + got : &spare;
        z.avail_out = (uInt)(got < e->size ? physad__min(step, e->size - got) : 1);
        const uInt room = z.avail_out;
        code = inflate(&z, Z_NO_FLUSH);
        got += room - z.avail_out;
    } while (code == Z_OK && got <= e->size);
    const bool whole = code == Z_STREAM_END && got == e->size && z.avail_in == 0 && fed == e->packed;
    inflateEnd(&z);
    if (code == Z_MEM_ERROR)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: no memory to inflate", zip->path);
    return whole ? PHYSAD_OK : bad_entry(zip, e, "its compressed data are damaged or not of the size told");
}

static physad_status check_crc(const physad__zip *zip, const physad__zip_entry *e, const uint8_t *data)
{
    if (crc32_z(crc32_z(0, NULL, 0), data, (size_t)e->size) == e->crc)
        return PHYSAD_OK;
    return bad_entry(zip, e, "its checksum is wrong: the data are damaged");
}

physad_status physad__zip_entry_read(const physad__zip *zip, const physad__zip_entry *entry, bool verify, int64_t limit,
                                     const uint8_t **data, void **owned)
{
    *owned = NULL;
    *data = entry->data;
    if (entry->flags & FLAG_ENCRYPTED)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: zip member \"%.*s\" is encrypted", zip->path,
                             entry->name_length, entry->name);
    if (limit > 0 && entry->size > limit)
        return bad_entry(zip, entry, "it is larger than any such member should be");
    if (entry->method == 0)
        return verify ? check_crc(zip, entry, entry->data) : PHYSAD_OK;
    if (entry->method != 8)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: zip member \"%.*s\" is compressed by method %u, only stored and deflated are read",
                             zip->path, entry->name_length, entry->name, entry->method);
    if (entry->size / 1032 > entry->packed) /* deflate cannot do better */
        return bad_entry(zip, entry, "it tells a size that its compressed data cannot have");
    uint8_t *out = physad__alloc(zip->mem, (size_t)entry->size, "inflated zip member");
    if (out == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = inflate_all(zip, entry, out);
    if (status == PHYSAD_OK)
        status = check_crc(zip, entry, out);
    if (status != PHYSAD_OK) {
        physad__free(out);
        return status;
    }
    *owned = out;
    *data = out;
    return PHYSAD_OK;
}
