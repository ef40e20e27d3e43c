/* SPDX-License-Identifier: Apache-2.0 */
/* Times of the memory bank, one JSON line per figure: the median wall and processor milliseconds of the runs.
 *   bench_bank search [QUERIES.npy BANK.npy [K]]     without files: Gaussian rows of three widths
 *   bench_bank coreset [ROWS.npy [RATIO [PICKS]]]    the picks as text, one per line, to PICKS
 * THREADS, RUNS, FIRST (pick) and VERBOSE in the environment; .npy files are f32, two dimensions, C order. */
#include <physad/physad.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct array {
    float *data;
    int64_t n, d;
} array;

static void stop(const char *what)
{
    fprintf(stderr, "bench_bank: %s %s\n", what, physad_last_error());
    exit(1);
}

static array read_npy(const char *path)
{
    array a = { 0 };
    unsigned char head[10];
    char text[4096] = "";
    long long n, d;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(head, 1, 10, file) != 10 || memcmp(head, "\x93NUMPY\x01", 7) != 0)
        stop(path);
    const size_t size = (size_t)(head[8] | head[9] << 8);
    if (size >= sizeof(text) || fread(text, 1, size, file) != size || strstr(text, "'<f4'") == NULL ||
        strstr(text, "True") != NULL || strstr(text, "'shape': (") == NULL ||
        sscanf(strstr(text, "'shape': (") + 10, "%lld, %lld", &n, &d) != 2)
        stop("want a two-dimensional f32 .npy in C order:");
    a = (array){ malloc((size_t)(n * d) * sizeof(float)), n, d };
    if (a.data == NULL || fread(a.data, sizeof(float), (size_t)(n * d), file) != (size_t)(n * d))
        stop(path);
    fclose(file);
    return a;
}

/* Sums of uniforms: near enough to Gaussian for a timing. */
static array random_rows(int64_t n, int64_t d, uint64_t seed)
{
    const array a = { malloc((size_t)(n * d) * sizeof(float)), n, d };
    for (int64_t i = 0; i < n * d; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (float)(seed >> 40) * 0x1p-24f - 0.5f;
        }
        a.data[i] = sum * 1.7320508f;
    }
    return a;
}

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double processor(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void say(int32_t level, const char *text, void *user)
{
    fprintf(stderr, "%s\n", text);
}

static physad_context *new_context(void)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = getenv("THREADS") != NULL ? atoi(getenv("THREADS")) : 0;
    o.log = say;
    o.log_level = getenv("VERBOSE") != NULL ? PHYSAD_LOG_DEBUG : PHYSAD_LOG_WARNING;
    if (physad_context_new(&ctx, &o) != PHYSAD_OK)
        stop("context:");
    return ctx;
}

static physad_bank *new_bank(physad_context *ctx, array rows)
{
    physad_bank *bank = NULL;
    const physad_view v = physad_view_array(rows.data, PHYSAD_F32, 2, (int64_t[]){ rows.n, rows.d });
    if (physad_bank_new(&bank, ctx, rows.d, NULL) != PHYSAD_OK || physad_bank_add(bank, &v, NULL, NULL) != PHYSAD_OK)
        stop("bank:");
    return bank;
}

static void search(array queries, array rows, int k)
{
    enum { MOST = 101 };
    const int runs = getenv("RUNS") != NULL ? atoi(getenv("RUNS")) % MOST : 7;
    double walls[MOST], processors[MOST], total = 0;
    physad_context *ctx = new_context();
    physad_bank *bank = new_bank(ctx, rows);
    float *distance = malloc((size_t)(queries.n * k) * sizeof(float));
    const physad_view q = physad_view_array(queries.data, PHYSAD_F32, 2, (int64_t[]){ queries.n, queries.d });
    const physad_view out = physad_view_array(distance, PHYSAD_F32, 2, (int64_t[]){ queries.n, k });
    const double start = wall(), start_processor = processor();
    if (physad_bank_prepare(bank, NULL) != PHYSAD_OK)
        stop("prepare:");
    const double prepared = wall() - start, prepared_processor = processor() - start_processor;
    for (int r = 0; r < runs; r++) {
        const double w = wall(), p = processor();
        if (physad_bank_search(bank, &q, k, &out, NULL, NULL, NULL) != PHYSAD_OK)
            stop("search:");
        walls[r] = wall() - w;
        processors[r] = processor() - p;
    }
    for (int64_t i = 0; i < queries.n * k; i++)
        total += (double)distance[i];
    qsort(walls, (size_t)runs, sizeof(double), compare);
    qsort(processors, (size_t)runs, sizeof(double), compare);
    printf("{\"bench\": \"search\", \"queries\": %lld, \"rows\": %lld, \"dims\": %lld, \"k\": %d, \"threads\": %d, "
           "\"ms\": %.2f, "
           "\"ms_min\": %.2f, \"processor_ms\": %.2f, \"prepare_ms\": %.1f, \"prepare_processor_ms\": %.1f, "
           "\"mean_distance\": %.9g}\n",
           (long long)queries.n, (long long)rows.n, (long long)rows.d, k, physad_context_threads(ctx), walls[runs / 2],
           walls[0], processors[runs / 2], prepared, prepared_processor, total / (double)(queries.n * k));
    fflush(stdout);
    free(distance);
    physad_bank_free(bank);
    physad_context_free(ctx);
}

static void coreset(array rows, double ratio, const char *path)
{
    int64_t count = 0;
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    physad_context *ctx = new_context();
    physad_bank *bank = new_bank(ctx, rows);
    o.ratio = ratio;
    o.flags = PHYSAD_CORESET_FIRST;
    o.first = getenv("FIRST") != NULL ? atoll(getenv("FIRST")) : 0;
    if (physad_bank_coreset_count(bank, &o, &count) != PHYSAD_OK)
        stop("coreset:");
    int64_t *picks = malloc((size_t)count * sizeof(int64_t));
    double *radii = malloc((size_t)count * sizeof(double));
    const physad_view pv = physad_view_array(picks, PHYSAD_I64, 1, &count),
                      rv = physad_view_array(radii, PHYSAD_F64, 1, &count);
    const double w = wall(), p = processor();
    if (physad_bank_coreset(bank, &pv, &rv, &o, NULL) != PHYSAD_OK)
        stop("coreset:");
    printf(
        "{\"bench\": \"coreset\", \"rows\": %lld, \"dims\": %lld, \"picks\": %lld, \"threads\": %d, \"seconds\": %.3f, "
        "\"processor_seconds\": %.3f, \"last_pick\": %lld, \"last_radius\": %.9g, \"peak_mib\": %.1f}\n",
        (long long)rows.n, (long long)rows.d, (long long)count, physad_context_threads(ctx), (wall() - w) / 1e3,
        (processor() - p) / 1e3, (long long)picks[count - 1], radii[count - 1],
        (double)physad_context_memory_peak(ctx) / 1048576);
    fflush(stdout);
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    for (int64_t i = 0; file != NULL && i < count; i++)
        fprintf(file, "%lld %.17g\n", (long long)picks[i], radii[i]);
    if (file != NULL)
        fclose(file);
    free(picks);
    free(radii);
    physad_bank_free(bank);
    physad_context_free(ctx);
}

int main(int argc, char **argv)
{
    static const int64_t random[][3] = { { 784, 16000, 1536 }, { 784, 16000, 384 }, { 1600, 8320, 152 } };
    if (argc >= 2 && strcmp(argv[1], "search") == 0 && (argc == 2 || argc >= 4)) {
        if (argc >= 4)
            search(read_npy(argv[2]), read_npy(argv[3]), argc > 4 ? atoi(argv[4]) : 1);
        for (int i = 0; argc == 2 && i < 3; i++)
            search(random_rows(random[i][0], random[i][2], 1), random_rows(random[i][1], random[i][2], 2), 1);
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "coreset") == 0) {
        coreset(argc > 2 ? read_npy(argv[2]) : random_rows(20000, 152, 1), argc > 3 ? atof(argv[3]) : 0.1,
                argc > 4 ? argv[4] : NULL);
        return 0;
    }
    fprintf(stderr, "usage: bench_bank search [QUERIES.npy BANK.npy [K]] | coreset [ROWS.npy [RATIO [PICKS]]]\n");
    return 2;
}
