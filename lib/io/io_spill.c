/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* The system's reason, in the caller's room (GNU's strerror_r may answer with a text of its own). */
static const char *reason_of(int code, char room[128])
{
    return strerror_r(code, room, 128);
}

static physad_status open_file(physad__spill_file *spill)
{
    char path[PATH_MAX], room[128];
    const char *directory = getenv("TMPDIR");
    if (directory == NULL || directory[0] == '\0')
        directory = "/tmp";
#ifdef O_TMPFILE
    spill->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spill->fd >= 0)
        return PHYSAD_OK;
#endif
    const int n = physad__snprintf(path, sizeof(path), "%s/physad-XXXXXX", directory);
    if (n >= 0 && (size_t)n < sizeof(path))
        spill->fd = mkostemp(path, O_CLOEXEC);
    else
        errno = ENAMETOOLONG;
    if (spill->fd < 0)
        return physad__error(PHYSAD_ERR_IO,
                             "cannot make a temporary file in %s: %s; set TMPDIR to a folder with room, or raise "
                             "the memory limit",
                             directory, reason_of(errno, room));
    unlink(path);
    return PHYSAD_OK;
}

void physad__spill_close(physad__spill_file *spill)
{
    if (spill->fd >= 0)
        close(spill->fd);
    spill->fd = -1;
}

physad_status physad__spill_write(physad__spill_file *spill, const void *data, int64_t size, int64_t *offset)
{
    const char *p = data;
    char room[128];
    if (spill->fd < 0)
        PHYSAD__TRY(open_file(spill));
    for (int64_t done = 0; done < size;) {
        const ssize_t n = pwrite(spill->fd, p + done, (size_t)(size - done), (off_t)(spill->size + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return physad__error(PHYSAD_ERR_IO,
                                 "cannot write %lld bytes to the temporary file: %s; set TMPDIR to a folder with room",
                                 (long long)size, n < 0 ? reason_of(errno, room) : "nothing was written");
        done += n;
    }
    *offset = spill->size;
    spill->size += size;
    return PHYSAD_OK;
}

physad_status physad__spill_read(const physad__spill_file *spill, int64_t offset, void *data, int64_t size)
{
    char *p = data, room[128];
    for (int64_t done = 0; done < size;) {
        const ssize_t n = pread(spill->fd, p + done, (size_t)(size - done), (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return physad__error(PHYSAD_ERR_IO, "cannot read the temporary file at byte %lld: %s",
                                 (long long)(offset + done), n < 0 ? reason_of(errno, room) : "it ends there");
        done += n;
    }
    return PHYSAD_OK;
}
