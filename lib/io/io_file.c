/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)1 << 16)

static physad_status system_error(const char *path, const char *verb)
{
    char reason[128];
    const int code = errno;
    /* The GNU strerror_r: thread-safe, and the text may lie elsewhere. */
    return physad__error(code == ENOMEM ? PHYSAD_ERR_NOMEM : PHYSAD_ERR_IO, "%s: cannot %s: %s", path, verb,
                         strerror_r(code, reason, sizeof(reason)));
}

static physad_status too_large(const char *path, uint64_t size, uint64_t max_bytes)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: %llu bytes or more, the limit is %llu", path, (unsigned long long)size,
                         (unsigned long long)max_bytes);
}

static physad_status open_to_read(int *fd, struct stat *info, const char *path)
{
    do
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return system_error(path, "open");
    physad_status status = PHYSAD_OK;
    if (fstat(*fd, info) != 0)
        status = system_error(path, "examine");
    else if (S_ISDIR(info->st_mode))
        status = physad__error(PHYSAD_ERR_IO, "%s: is a folder, want a file", path);
    if (status != PHYSAD_OK)
        close(*fd);
    return status;
}

/* --- mapping --- */

static const unsigned char no_bytes[1];

static physad_status map_fd(physad__file_map *map, int fd, const struct stat *info, const char *path,
                            uint64_t max_bytes)
{
    if (!S_ISREG(info->st_mode))
        return physad__error(PHYSAD_ERR_IO, "%s: is not a regular file and cannot be mapped", path);
    const uint64_t size = (uint64_t)info->st_size;
    if (max_bytes != 0 && size > max_bytes)
        return too_large(path, size, max_bytes);
    if (size > SIZE_MAX / 2)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: %llu bytes do not fit in memory", path, (unsigned long long)size);
    *map = (physad__file_map){ no_bytes, (size_t)size };
    if (size == 0)
        return PHYSAD_OK;
    void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        *map = (physad__file_map){ NULL, 0 };
        return system_error(path, "map");
    }
    map->data = data;
    return PHYSAD_OK;
}

physad_status physad__file_map_open(physad__file_map *map, const char *path, uint64_t max_bytes)
{
    int fd;
    struct stat info;
    *map = (physad__file_map){ NULL, 0 };
    PHYSAD__TRY(open_to_read(&fd, &info, path));
    const physad_status status = map_fd(map, fd, &info, path, max_bytes);
    close(fd);
    return status;
}

void physad__file_map_rest(const physad__file_map *map)
{
    if (map->size > 0) /* posix_madvise() would do nothing here; a system without this call keeps the pages */
        (void)madvise((void *)(uintptr_t)map->data, map->size, MADV_DONTNEED);
}

void physad__file_map_close(physad__file_map *map)
{
    if (map->size > 0)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (physad__file_map){ NULL, 0 };
}

/* --- reading --- */

/* Up to `room` bytes, fewer only at the end of the file. */
static physad_status read_up_to(size_t *got, int fd, unsigned char *data, size_t room, const char *path)
{
    *got = 0;
    while (*got < room) {
        const size_t wish = room - *got < (size_t)1 << 30 ? room - *got : (size_t)1 << 30;
        const ssize_t n = read(fd, data + *got, wish);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(path, "read");
        *got += (size_t)n;
    }
    return PHYSAD_OK;
}

/* `guess` is what the file claims to hold; what it really holds decides. */
static physad_status read_fd(unsigned char **data, size_t *size, physad__mem *mem, int fd, uint64_t guess,
                             const char *path, uint64_t max_bytes)
{
    int64_t capacity = 0;
    size_t filled = 0, got = 0;
    unsigned char *bytes = NULL;
    physad_status status = PHYSAD_OK;
    uint64_t wish = guess + 1; /* one byte more, so that the end is seen without a second buffer */
    for (;;) {
        if (max_bytes != 0 && wish > max_bytes + 1)
            wish = max_bytes + 1;
        status = physad__grow(mem, &bytes, &capacity, (int64_t)wish, 1, path);
        if (status == PHYSAD_OK)
            status = read_up_to(&got, fd, bytes + filled, (size_t)wish - filled, path);
        if (status != PHYSAD_OK)
            break;
        filled += got;
        if (filled < wish)
            break;
        if (max_bytes != 0 && filled > max_bytes) {
            status = too_large(path, filled, max_bytes);
            break;
        }
        wish = (uint64_t)filled + filled / 2 + BUFFER_BYTES;
    }
    if (status != PHYSAD_OK) {
        physad__free(bytes);
        return status;
    }
    bytes[filled] = 0;
    *data = bytes;
    *size = filled;
    return PHYSAD_OK;
}

physad_status physad__file_read(unsigned char **data, size_t *size, physad__mem *mem, const char *path,
                                uint64_t max_bytes)
{
    int fd;
    struct stat info;
    *data = NULL;
    *size = 0;
    if (max_bytes >= (uint64_t)INT64_MAX)
        max_bytes = 0; /* none in effect, and one byte more can be counted */
    PHYSAD__TRY(open_to_read(&fd, &info, path));
    const bool regular = S_ISREG(info.st_mode);
    const uint64_t guess = regular ? (uint64_t)info.st_size : BUFFER_BYTES;
    physad_status status;
    if (regular && max_bytes != 0 && guess > max_bytes)
        status = too_large(path, guess, max_bytes);
    else
        status = read_fd(data, size, mem, fd, guess, path, max_bytes);
    close(fd);
    return status;
}

/* --- writing --- */

static physad_status write_all(int fd, const unsigned char *data, size_t size, const char *path)
{
    while (size > 0) {
        const ssize_t n = write(fd, data, size < (size_t)1 << 30 ? size : (size_t)1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(path, "write");
        data += n;
        size -= (size_t)n;
    }
    return PHYSAD_OK;
}

/* A new file beside w->path under a name that nobody has. */
static physad_status open_temporary(physad__file_writer *w, physad__mem *mem, mode_t mode, bool keep_mode)
{
    char *folder = physad__path_parent(mem, w->path);
    if (folder == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t random;
        if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
            random = (uint64_t)(physad__seconds() * 1e9) ^ (uint64_t)getpid() << 32 ^ (uint64_t)attempt;
        physad__free(w->temporary);
        w->temporary = physad__format(mem, "%s/.%.64s.%016llx.tmp", folder, physad__path_name(w->path),
                                      (unsigned long long)random);
        if (w->temporary == NULL)
            break;
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd >= 0 || (errno != EEXIST && errno != EINTR))
            break;
    }
    physad__free(folder);
    if (w->temporary == NULL)
        return PHYSAD_ERR_NOMEM;
    if (w->fd < 0) {
        const physad_status status = system_error(w->path, "write beside it");
        physad__free(w->temporary); /* not ours to remove */
        w->temporary = NULL;
        return status;
    }
    if (keep_mode)
        (void)!fchmod(w->fd, mode & 07777);
    return PHYSAD_OK;
}

static physad_status open_target(physad__file_writer *w, physad__mem *mem, const char *path)
{
    struct stat info;
    char resolved[PATH_MAX];
    const bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return physad__error(PHYSAD_ERR_IO, "%s: is a folder, want a file", path);
    const bool follow = exists && S_ISREG(info.st_mode) && realpath(path, resolved) != NULL;
    w->path = physad__strdup(mem, follow ? resolved : path);
    w->buffer = physad__alloc(mem, BUFFER_BYTES, "write buffer");
    if (w->path == NULL || w->buffer == NULL)
        return PHYSAD_ERR_NOMEM;
    if (!exists || S_ISREG(info.st_mode))
        return open_temporary(w, mem, exists ? info.st_mode : 0, exists);
    w->fd = open(path, O_WRONLY | O_CLOEXEC);
    return w->fd >= 0 ? PHYSAD_OK : system_error(path, "open");
}

physad_status physad__file_writer_open(physad__file_writer *w, physad__mem *mem, const char *path)
{
    *w = (physad__file_writer){ .fd = -1 };
    const physad_status status = open_target(w, mem, path);
    if (status != PHYSAD_OK)
        physad__file_writer_abort(w);
    return status;
}

static physad_status flush(physad__file_writer *w)
{
    const size_t n = w->filled;
    w->filled = 0;
    if (w->status == PHYSAD_OK)
        w->status = write_all(w->fd, w->buffer, n, w->path);
    return w->status;
}

static physad_status not_usable(const physad__file_writer *w)
{
    if (w->path == NULL)
        return physad__error(PHYSAD_ERR_STATE, "the file writer is not open");
    return physad__error(w->status, "%s: not written, because an earlier write failed", w->path);
}

physad_status physad__file_writer_put(physad__file_writer *w, const void *data, size_t size)
{
    if (w->path == NULL || w->status != PHYSAD_OK)
        return not_usable(w);
    w->written += size;
    if (w->filled + size <= BUFFER_BYTES) {
        if (size > 0)
            memcpy(w->buffer + w->filled, data, size);
        w->filled += size;
        return PHYSAD_OK;
    }
    PHYSAD__TRY(flush(w));
    if (size >= BUFFER_BYTES)
        return w->status = write_all(w->fd, data, size, w->path);
    memcpy(w->buffer, data, size);
    w->filled = size;
    return PHYSAD_OK;
}

physad_status physad__file_writer_put_at(physad__file_writer *w, uint64_t offset, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    if (w->path == NULL || w->status != PHYSAD_OK)
        return not_usable(w);
    if (offset == w->written)
        return physad__file_writer_put(w, data, size);
    if (w->temporary == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: is no regular file and can only be written from front to back", w->path);
    PHYSAD__TRY(flush(w));
    while (size > 0) {
        const ssize_t n = pwrite(w->fd, bytes, size < (size_t)1 << 30 ? size : (size_t)1 << 30, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return w->status = system_error(w->path, "write");
        bytes += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return PHYSAD_OK;
}

static physad_status finish(physad__file_writer *w)
{
    PHYSAD__TRY(flush(w));
    if (w->temporary == NULL) { /* a device or pipe: nothing to flush or rename, but closing may fail */
        const int fd = w->fd;
        w->fd = -1;
        return close(fd) == 0 ? PHYSAD_OK : system_error(w->path, "close");
    }
    if (fsync(w->fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        return system_error(w->path, "flush to disk");
    const int fd = w->fd;
    w->fd = -1;
    if (close(fd) != 0)
        return system_error(w->path, "close");
    if (rename(w->temporary, w->path) != 0)
        return system_error(w->path, "rename onto");
    return PHYSAD_OK;
}

/* The rename itself reaches the disk with its folder; file systems that cannot do this are left alone. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const size_t length = (size_t)(physad__path_name(path) - path);
    if (length >= sizeof(folder))
        return;
    memcpy(folder, path, length);
    folder[length] = '\0';
    const int fd = open(length > 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
}

physad_status physad__file_writer_commit(physad__file_writer *w)
{
    if (w->path == NULL)
        return not_usable(w);
    physad_status status = w->status != PHYSAD_OK ? not_usable(w) : finish(w);
    if (status == PHYSAD_OK && w->temporary != NULL) {
        sync_folder(w->path);
        physad__free(w->temporary);
        w->temporary = NULL;
    }
    physad__file_writer_abort(w);
    return status;
}

void physad__file_writer_abort(physad__file_writer *w)
{
    if (w->path == NULL && w->buffer == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->temporary != NULL)
        unlink(w->temporary);
    physad__free(w->temporary);
    physad__free(w->buffer);
    physad__free(w->path);
    *w = (physad__file_writer){ .fd = -1 };
}

physad_status physad__file_write_atomic(physad__mem *mem, const char *path, const void *data, size_t size)
{
    physad__file_writer w;
    PHYSAD__TRY(physad__file_writer_open(&w, mem, path));
    const physad_status status = physad__file_writer_put(&w, data, size);
    if (status == PHYSAD_OK)
        return physad__file_writer_commit(&w);
    physad__file_writer_abort(&w);
    return status;
}
