/* SPDX-License-Identifier: Apache-2.0 */
/* Large arrays in memory or, beyond a limit, in a mapped temporary file without a name: the system writes it back under
 * pressure, and it is gone with the process. */
#include "bank/bank_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The system's reason, in the caller's room (GNU's strerror_r may answer with a text of its own). */
static const char *reason_of(int code, char room[128])
{
    return strerror_r(code, room, 128);
}

/* A part of the limit stays for the working memory of calls. */
static bool near_limit(const physad_context *ctx, size_t size)
{
    const uint64_t limit = ctx->mem.limit;
    return limit != 0 && atomic_load(&ctx->mem.used) + size > limit / 4 * 3;
}

static physad_status open_file(physad_context *ctx, const physad__spill *spill, int *file)
{
    char room[128];
    const char *dir = spill->dir != NULL ? spill->dir : getenv("TMPDIR");
    if (dir == NULL || dir[0] == '\0')
        dir = "/tmp";
#ifdef O_TMPFILE
    *file = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*file >= 0)
        return PHYSAD_OK;
#endif
    char *path = physad__format(&ctx->mem, "%s/physad-XXXXXX", dir);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    *file = mkostemp(path, O_CLOEXEC);
    const int error = errno;
    if (*file >= 0)
        unlink(path);
    physad__free(path);
    if (*file < 0)
        return physad__error(PHYSAD_ERR_IO, "no temporary file in %s: %s; set spill_dir or TMPDIR", dir,
                             reason_of(error, room));
    return PHYSAD_OK;
}

/* Room is taken on the disk at once: a full disk is an error here, not a signal at some later write. */
static physad_status map_file(int file, size_t size, const char *what, void **data)
{
    char room[128];
    const int error = posix_fallocate(file, 0, (off_t)size);
    if (error != 0)
        return physad__error(PHYSAD_ERR_IO, "%s: no room for %zu bytes in a temporary file: %s", what, size,
                             reason_of(error, room));
    *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (*data == MAP_FAILED)
        return physad__error(PHYSAD_ERR_IO, "%s: cannot map %zu bytes of a temporary file: %s", what, size,
                             reason_of(errno, room));
    return PHYSAD_OK;
}

void physad__region_free(physad__region *region)
{
    if (region->file >= 0) {
        munmap(region->data, region->size);
        close(region->file);
    } else {
        physad__free(region->data);
    }
    *region = (physad__region)PHYSAD__REGION_EMPTY;
}

static physad_status resize_file(physad__region *region, size_t size, const char *what)
{
    void *data;
    PHYSAD__TRY(map_file(region->file, size, what, &data));
    munmap(region->data, region->size);
    region->data = data;
    region->size = size;
    return PHYSAD_OK;
}

physad_status physad__region_resize(physad__region *region, physad_context *ctx, const physad__spill *spill,
                                    size_t size, const char *what)
{
    physad__region fresh = PHYSAD__REGION_EMPTY;
    if (size == 0) {
        physad__region_free(region);
        return PHYSAD_OK;
    }
    if (region->file >= 0)
        return resize_file(region, size, what);
    fresh.size = size;
    if (size > spill->bytes || near_limit(ctx, size)) {
        PHYSAD__TRY(open_file(ctx, spill, &fresh.file));
        const physad_status status = map_file(fresh.file, size, what, &fresh.data);
        if (status != PHYSAD_OK) {
            close(fresh.file);
            return status;
        }
        physad__log(ctx, PHYSAD_LOG_INFO, "%s: %zu bytes in a temporary file", what, size);
    } else {
        void *data = physad__realloc(&ctx->mem, region->data, size, what);
        if (data == NULL)
            return PHYSAD_ERR_NOMEM;
        region->data = data;
        region->size = size;
        return PHYSAD_OK;
    }
    if (region->size > 0)
        memcpy(fresh.data, region->data, region->size < size ? region->size : size);
    physad__region_free(region);
    *region = fresh;
    return PHYSAD_OK;
}
