/* SPDX-License-Identifier: Apache-2.0 */
/* Which library is this, and does it work here?
 *
 *   cc hello.c $(pkg-config --cflags --libs physad) -o hello && ./hello */
#include <physad/physad.h>

#include <stdio.h>

int main(void)
{
    physad_context *ctx = NULL;
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK) {
        fprintf(stderr, "%s\n", physad_last_error());
        return 1;
    }
    printf("libphysad %s\n%s\n%d threads\n", physad_version(), physad_build_info(), (int)physad_context_threads(ctx));
    physad_context_free(ctx);
    return 0;
}
