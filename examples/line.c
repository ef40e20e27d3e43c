/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection program on a line: a model is loaded once, frames come from a camera's buffer, odd parts are put aside.
 *
 *   cc line.c $(pkg-config --cflags --libs physad) -o line
 *   physad fit tiles/ --method patchcore -o tiles.physad
 *   ./line tiles.physad
 *
 * Without a model it draws a small data set and fits one, so that it can be tried on its own. */
#include <physad/physad.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEIGHT = 256, WIDTH = 256, FRAMES = 8 };

static int failed(const char *what)
{
    fprintf(stderr, "line: %s: %s\n", what, physad_last_error());
    return 1;
}

/* Stands for the camera's driver: fills the buffer with the next frame. Every fourth part has a dark hole. */
static void grab(unsigned char *pixels, int number)
{
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            const int hole = number % 4 == 3 && (y - 128) * (y - 128) + (x - 128) * (x - 128) < 400;
            memset(pixels + 3 * (y * WIDTH + x), hole ? 10 : 120 + (x * 7 + y * 3 + number) % 16, 3);
        }
    }
}

/* A model of some drawn things, for want of a real one. */
static int make_model(physad_context *ctx, const char *path)
{
    physad_dataset *drawn = NULL;
    physad_detector *det = NULL;
    physad_synth_rad_options o = PHYSAD_SYNTH_RAD_OPTIONS_INIT;
    o.flags = PHYSAD_SYNTH_REPLACE;
    o.categories = "bowl";
    o.train_views = 30;
    o.test_views = -1;
    o.defects = "";
    const int bad = physad_synth_rad(ctx, "line-drawn", &o, NULL) ||
                    physad_dataset_open(&drawn, ctx, "line-drawn/bowl", NULL) ||
                    physad_detector_new(&det, ctx, "patchcore") || physad_detector_set(det, "coreset_ratio", "0.1") ||
                    physad_detector_fit(det, drawn, NULL) || physad_detector_save(det, path);
    physad_detector_free(det);
    physad_dataset_free(drawn);
    return bad;
}

static int inspect(const physad_detector *det)
{
    unsigned char *pixels = malloc((size_t)HEIGHT * WIDTH * 3);
    int odd = 0, bad = pixels == NULL;
    for (int i = 0; i < FRAMES && !bad; i++) {
        physad_result *res = NULL;
        grab(pixels, i);
        const physad_view frame = physad_view_rgb8(pixels, HEIGHT, WIDTH, WIDTH * 3); /* no copy */
        if (physad_detector_score(det, &frame, &res) != PHYSAD_OK) {
            bad = failed("score");
            break;
        }
        const int reject = physad_result_is_anomalous(res) == 1;
        printf("frame %d: score %.4f, threshold %.4f%s\n", i, physad_result_score(res), physad_result_threshold(res),
               reject ? ", put aside" : "");
        odd += reject;
        physad_result_free(res);
    }
    printf("%d of %d put aside\n", odd, FRAMES);
    free(pixels);
    return bad;
}

int main(int argc, char **argv)
{
    physad_context *ctx = NULL;
    physad_detector *det = NULL;
    const char *model = argc > 1 ? argv[1] : "line.physad";
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return failed("context");
    int bad = argc < 2 && make_model(ctx, model) ? failed("model") : 0;
    if (!bad && physad_detector_load(&det, ctx, model) != PHYSAD_OK)
        bad = failed(model);
    if (!bad)
        bad = inspect(det);
    physad_detector_free(det);
    physad_context_free(ctx);
    return bad;
}
