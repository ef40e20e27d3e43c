/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a program of the README's example: draws the folder "tiles" first, and has a grey frame to score. */
#include <stdio.h>
#include <stdlib.h>

static int rejected;

static void reject_part(void)
{
    rejected++;
}

/* The example as it stands in the README. */
static int example(const unsigned char *pixels, int64_t height, int64_t width, int64_t row_bytes)
{
/* SNIPPET */
; /* not under its last if */
    const int done = res != NULL;
    physad_result_free(res);
    physad_detector_free(det);
    physad_dataset_free(tiles);
    physad_context_free(ctx);
    return done ? 0 : 1;
}

static int draw_tiles(void)
{
    physad_context *ctx = NULL;
    physad_synth_rad_options o = PHYSAD_SYNTH_RAD_OPTIONS_INIT;
    o.categories = "bowl";
    o.train_views = 95;
    o.width = o.height = 64;
    o.test_views = -1;
    o.defects = "";
    const int failed =
        physad_context_new(&ctx, NULL) || physad_synth_rad(ctx, "drawn", &o, NULL) || rename("drawn/bowl", "tiles");
    if (failed)
        fprintf(stderr, "%s\n", physad_last_error());
    physad_context_free(ctx);
    return failed;
}

int main(void)
{
    static unsigned char pixels[256 * 256 * 3];
    return draw_tiles() || example(pixels, 256, 256, 256 * 3);
}
