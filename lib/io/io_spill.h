/* SPDX-License-Identifier: Apache-2.0 */
/* io: a file without a name, for what memory may not hold. It lies in $TMPDIR (else /tmp) and is gone with the process.
 */
#ifndef PHYSAD__IO_SPILL_H
#define PHYSAD__IO_SPILL_H

#include "core/core.h"

typedef struct physad__spill_file {
    int fd; /* -1: not opened */
    int64_t size;
} physad__spill_file;

/* Appends, and opens the file where that was not done; `offset`: where it was written. IO where the disk is full. */
physad_status physad__spill_write(physad__spill_file *spill, const void *data, int64_t size, int64_t *offset);
/* Any thread, several at once. */
physad_status physad__spill_read(const physad__spill_file *spill, int64_t offset, void *data, int64_t size);
void physad__spill_close(physad__spill_file *spill);

#endif
