/* SPDX-License-Identifier: Apache-2.0 */
/* io: whole files in and out, paths, folders, hashes, JSON. Every message names the path and the system's reason. */
#ifndef PHYSAD__IO_FILE_H
#define PHYSAD__IO_FILE_H

#include "base/base.h"

#include <jansson.h>

/* --- reading (io_file.c) --- */

/* A whole regular file mapped read-only. Another process that shortens the file meanwhile ends this one (SIGBUS): map
 * what is large and owned (weights, models), read what comes from anywhere (photos). */
typedef struct physad__file_map {
    const unsigned char *data; /* never NULL once open; page aligned */
    size_t size;
} physad__file_map;

/* `max_bytes` 0: no limit. IO: the system's reason; FORMAT: larger than the limit. */
physad_status physad__file_map_open(physad__file_map *map, const char *path, uint64_t max_bytes);
/* Its pages need no memory until somebody reads them again. */
void physad__file_map_rest(const physad__file_map *map);
void physad__file_map_close(physad__file_map *map); /* zeroed is fine */

/* The whole of a file, pipe or device in memory of `mem`, a NUL behind its last byte; physad__free(*data). */
physad_status physad__file_read(unsigned char **data, size_t *size, physad__mem *mem, const char *path,
                                uint64_t max_bytes);

/* --- writing: the path has its old content or the whole of the new one, never a part --- */

/* A temporary file beside `path`, which commit flushes to disk and renames. A link is followed; what is neither a file
 * nor absent (/dev/stdout, a pipe) is written to directly. An existing file's permissions are kept. */
typedef struct physad__file_writer {
    char *path;      /* where the bytes go at last, links resolved; NULL: not open */
    char *temporary; /* NULL: written directly */
    unsigned char *buffer;
    size_t filled;
    uint64_t written;
    int fd;
    physad_status status; /* of the first failure; later calls repeat it */
} physad__file_writer;

physad_status physad__file_writer_open(physad__file_writer *w, physad__mem *mem, const char *path);
physad_status physad__file_writer_put(physad__file_writer *w, const void *data, size_t size);
/* To a place of the file, in any order; what is not written before the commit reads as zeros. Onto a device or pipe
 * only where the last write ended, else UNSUPPORTED. Do not mix with _put() behind the first use. */
physad_status physad__file_writer_put_at(physad__file_writer *w, uint64_t offset, const void *data, size_t size);
/* Flush, fsync, rename, fsync of the folder. Whatever the outcome, it is closed and no temporary file is left. */
physad_status physad__file_writer_commit(physad__file_writer *w);
/* Removes the temporary file; after commit or zeroed: does nothing. */
void physad__file_writer_abort(physad__file_writer *w);

physad_status physad__file_write_atomic(physad__mem *mem, const char *path, const void *data, size_t size);

/* --- paths and folders (io_path.c) --- */

char *physad__path_join(physad__mem *mem, const char *folder, const char *name); /* an absolute `name` stands alone */
const char *physad__path_name(const char *path);   /* behind the last '/'; within `path` */
const char *physad__path_suffix(const char *path); /* ".png" of "a/b.png", "" without one (".hidden" has none) */
char *physad__path_stem(physad__mem *mem, const char *path);   /* "b.tar" of "a/b.tar.gz" */
char *physad__path_parent(physad__mem *mem, const char *path); /* "a" of "a/b", "." of "b", "/" of "/b" */
bool physad__path_exists(const char *path);
bool physad__path_is_dir(const char *path);
bool physad__path_is_file(const char *path);
/* There, and neither file nor folder: a pipe would keep its reader for ever, a device may have no end. */
bool physad__path_is_special(const char *path);
/* Makes a folder and those above it; one that exists already is fine. */
physad_status physad__dir_make(physad__mem *mem, const char *path);

typedef struct physad__dir_entry {
    char *name; /* without the folder */
    bool is_dir;
} physad__dir_entry;
typedef struct physad__dir {
    physad__dir_entry *entries;
    int64_t count;
    int64_t capacity;
} physad__dir;
/* What a folder holds, in physad__natural_compare's order, links followed. Names that begin with '.' are left out. */
physad_status physad__dir_list(physad__dir *dir, physad__mem *mem, const char *path);
void physad__dir_free(physad__dir *dir); /* zeroed is fine */

/* --- SHA-256 (io_hash.c), as 64 lower-case hexadecimal digits and a NUL --- */

physad_status physad__sha256(char out[65], const void *data, size_t size);
physad_status physad__sha256_file(char out[65], const char *path);

/* --- JSON (io_json.c), by jansson; its objects are not counted in `mem`, so the size limit bounds them --- */

/* Duplicate keys, bytes behind the end and nesting beyond 2,048 are refused; FORMAT names line and column.
 * json_decref(*out). `name` is said in messages. */
physad_status physad__json_parse(json_t **out, const void *text, size_t size, const char *name);
/* NOMEM where what jansson would take for this text, beside the context's memory, is beyond its limit. */
physad_status physad__json_room(const physad__mem *mem, const void *text, size_t size, const char *name);
physad_status physad__json_read(json_t **out, physad__mem *mem, const char *path, uint64_t max_bytes);
/* Indented by two, keys in the order they were set, 17 significant digits, a newline at the end; atomic. */
physad_status physad__json_write(physad__mem *mem, const char *path, const json_t *value);

#endif
