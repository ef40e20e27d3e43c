/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static physad_status open_file(physad__spill *spill)
{
    char path[PATH_MAX];
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
                             directory, strerror(errno));
    unlink(path);
    return PHYSAD_OK;
}

void physad__spill_close(physad__spill *spill)
{
    if (spill->fd >= 0)
        close(spill->fd);
    spill->fd = -1;
}

physad_status physad__spill_write(physad__spill *spill, const void *data, int64_t size, int64_t *offset)
{
    const char *p = data;
    if (spill->fd < 0)
        PHYSAD__TRY(open_file(spill));
    for (int64_t done = 0; done < size;) {
        const ssize_t n = pwrite(spill->fd, p + done, (size_t)(size - done), (off_t)(spill->size + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return physad__error(PHYSAD_ERR_IO,
                                 "cannot write %lld bytes to the temporary file: %s; set TMPDIR to a folder with room",
                                 (long long)size, n < 0 ? strerror(errno) : "nothing was written");
        done += n;
    }
    *offset = spill->size;
    spill->size += size;
    return PHYSAD_OK;
}

physad_status physad__spill_read(const physad__spill *spill, int64_t offset, void *data, int64_t size)
{
    char *p = data;
    for (int64_t done = 0; done < size;) {
        const ssize_t n = pread(spill->fd, p + done, (size_t)(size - done), (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return physad__error(PHYSAD_ERR_IO, "cannot read the temporary file at byte %lld: %s",
                                 (long long)(offset + done), n < 0 ? strerror(errno) : "it ends there");
        done += n;
    }
    return PHYSAD_OK;
}
