/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and resizing a video, beside FFmpeg's own command at equal threads, in turns in one run.
 *
 *   ninja bench/bench_video && build/bench/bench_video VIDEO [HEIGHT [THREADS [ROUNDS]]]
 *
 * The command is `ffmpeg -threads T -i VIDEO -vf scale=W:H -f null -`, with its usual scaler and output pixels; ours
 * comes out as RGB. Prints frames per second of each round and the ratio of the medians. */
#include <physad/physad.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Frames per second, or a negative number. */
static double ours(physad_context *ctx, const char *path, int height, int threads, long long *frames, int64_t *width)
{
    physad_video *v = NULL;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    physad_frame f = PHYSAD_FRAME_INIT;
    o.height = height;
    o.threads = threads;
    *frames = 0;
    const double start = seconds();
    int failed = physad_video_open(&v, ctx, path, &o) || physad_video_describe(v, &info);
    while (!failed && !(failed = physad_video_read(v, &f) != PHYSAD_OK) && f.pixels.data != NULL)
        ++*frames;
    physad_video_free(v);
    *width = info.width;
    return failed ? -1 : (double)*frames / (seconds() - start);
}

static double theirs(const char *path, long long width, int height, int threads, long long frames)
{
    char command[4096];
    snprintf(command, sizeof(command),
             "ffmpeg -nostdin -v error -threads %d -i '%s' -vf scale=%lld:%d -f null - </dev/null", threads, path,
             width, height);
    const double start = seconds();
    return system(command) != 0 ? -1 : (double)frames / (seconds() - start);
}

int main(int argc, char **argv)
{
    enum { MOST = 64 };
    double a[MOST], b[MOST];
    physad_context *ctx = NULL;
    const int height = argc > 2 ? atoi(argv[2]) : 256, threads = argc > 3 ? atoi(argv[3]) : 2,
              rounds = argc > 4 ? atoi(argv[4]) : 5;
    if (argc < 2 || height < 1 || threads < 1 || rounds < 1 || rounds > MOST) {
        fprintf(stderr, "usage: bench_video VIDEO [HEIGHT [THREADS [ROUNDS]]]\n");
        return 2;
    }
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return 1;
    for (int i = 0; i < rounds; i++) {
        long long frames;
        int64_t width;
        a[i] = ours(ctx, argv[1], height, threads, &frames, &width);
        if (a[i] < 0) {
            fprintf(stderr, "%s\n", physad_last_error());
            return 1;
        }
        b[i] = theirs(argv[1], (long long)width, height, threads, frames);
        printf("physad %8.1f frames/s    ffmpeg %8.1f frames/s\n", a[i], b[i]);
    }
    physad_context_free(ctx);
    qsort(a, (size_t)rounds, sizeof(*a), compare);
    qsort(b, (size_t)rounds, sizeof(*b), compare);
    if (b[rounds / 2] > 0)
        printf("median ratio %.3f at %d threads, height %d\n", a[rounds / 2] / b[rounds / 2], threads, height);
    else
        printf("ffmpeg did not run\n");
    return 0;
}
