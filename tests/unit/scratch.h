/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of a test's own. */
#ifndef PHYSAD__SCRATCH_H
#define PHYSAD__SCRATCH_H

#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <unistd.h>

static inline void scratch_make(char *folder, size_t size)
{
    const char *root = getenv("TMPDIR");
    snprintf(folder, size, "%s/physad-test-XXXXXX", root != NULL ? root : "/tmp");
    assert_non_null(mkdtemp(folder));
}

static inline int scratch_remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    return remove(path);
}

static inline void scratch_remove(const char *folder)
{
    assert_int_equal(nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Entries but "." and "..". */
static inline int scratch_count(const char *folder)
{
    int count = -2;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

#endif
