/* SPDX-License-Identifier: Apache-2.0 */
/* An inspection program on a line: a model is loaded once, frames come from a camera's buffer, odd parts are put aside.
 *
 *   cc line.c $(pkg-config --cflags --libs physad) -o line
 *   physad fit tiles/ --method patchcore -o tiles.physad
 *   ./line tiles.physad
 *
 * Without a model it learns from frames of its own, so that it can be tried. */
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

/* A model of such parts without holes, for want of a real one. With real weights leave the option `weights` out. */
static int make_model(physad_context *ctx, const char *path)
{
    unsigned char *pixels = malloc((size_t)HEIGHT * WIDTH * 3);
    physad_dataset *normal = NULL;
    physad_detector *det = NULL;
    int bad = pixels == NULL || physad_dataset_new(&normal, ctx);
    for (int i = 0; i < 24 && !bad; i++) {
        const physad_view photo = physad_view_rgb8(pixels, HEIGHT, WIDTH, WIDTH * 3);
        physad_item item = PHYSAD_ITEM_INIT;
        item.photo = &photo;
        item.flags = PHYSAD_ITEM_COPY;
        grab(pixels, i + i / 3); /* all but every fourth */
        bad = physad_dataset_add(normal, &item);
    }
    /* `alpha` asked for by name: too few photos to hold it are an error */
    bad = bad || physad_detector_new(&det, ctx, "patchcore") || physad_detector_set(det, "weights", "random:1") ||
          physad_detector_set(det, "input", "128") || physad_detector_set(det, "calibration", "0.4") ||
          physad_detector_set(det, "alpha", "0.1") || physad_detector_fit(det, normal, NULL) ||
          physad_detector_save(det, path);
    physad_detector_free(det);
    physad_dataset_free(normal);
    free(pixels);
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
    physad_threshold limit = PHYSAD_THRESHOLD_INIT;
    const char *model = argc > 1 ? argv[1] : "line.physad";
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return failed("context");
    int bad = argc < 2 && make_model(ctx, model) ? failed("model") : 0;
    if (!bad && physad_detector_load(&det, ctx, model) != PHYSAD_OK)
        bad = failed(model);
    if (!bad && physad_detector_threshold(det, &limit) != PHYSAD_OK)
        bad = failed(model); /* without a threshold every part would pass */
    if (!bad)
        bad = inspect(det);
    physad_detector_free(det);
    physad_context_free(ctx);
    return bad;
}
