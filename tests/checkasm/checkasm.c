/* SPDX-License-Identifier: Apache-2.0 */
/* checkasm [--bench] [--once] [--seed N]       --once: what --bench runs, once, and no checks: for counting
 * instructions */
#include "checkasm.h"

#include "cpu/cpu.h"

#include <physad/context.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define GUARD 64
#define PATTERN 0xa5

static int failures;
static bool once;
static const char *running = "";
static uint64_t random_state;

static struct {
    void *at;
    size_t size;
} maps[256];
static int n_maps;

void check_failed(const char *format, ...)
{
    va_list args;
    if (++failures > 20)
        return;
    printf("%s: ", running);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

uint64_t check_random(void)
{
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t check_below(int64_t n)
{
    return (int64_t)(check_random() % (uint64_t)n);
}

float check_normal(void)
{
    double sum = 0;
    for (int i = 0; i < 6; i++)
        sum += (double)(check_random() >> 11) * 0x1p-53 - 0.5;
    return (float)(sum * 1.4142135623730951);
}

void *check_alloc(size_t size, size_t gap)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + gap + page - 1) / page * page + page;
    char *at = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || n_maps == 256 || mprotect(at + whole - page, page, PROT_NONE) != 0) {
        printf("no memory for the check\n");
        exit(1);
    }
    maps[n_maps].at = at;
    maps[n_maps++].size = whole;
    memset(at, 0xff, whole - page); /* NaNs, and -1 */
    return at + whole - page - gap - size;
}

void check_free_all(void)
{
    while (n_maps > 0) {
        n_maps--;
        munmap(maps[n_maps].at, maps[n_maps].size);
    }
}

void *check_output(size_t size)
{
    char *at = check_alloc(size + 2 * GUARD, 0);
    memset(at, PATTERN, size + 2 * GUARD);
    return at + GUARD;
}

bool check_guards(void *output, size_t size)
{
    const unsigned char *before = (unsigned char *)output - GUARD, *behind = (unsigned char *)output + size;
    for (int i = 0; i < GUARD; i++)
        if (before[i] != PATTERN || behind[i] != PATTERN)
            return false;
    return true;
}

bool check_untouched(const void *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)at)[i] != PATTERN)
            return false;
    return true;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void check_time(const char *kernel, const char *what, double elements, void (*run)(void *), void *user)
{
    double best = INFINITY;
    if (once) {
        run(user);
        return;
    }
    for (int64_t runs = 1, rounds = 0; rounds < 5;) { /* asking the time costs more than a small run: many at once */
        const double start = seconds();
        for (int64_t i = 0; i < runs; i++)
            run(user);
        const double taken = seconds() - start;
        if (taken < 0.01) {
            runs *= 2;
            continue;
        }
        best = fmin(best, taken / (double)runs);
        rounds++;
    }
    printf("%-12s %-44s %10.4f ns\n", kernel, what, best / elements * 1e9);
}

/* Every function of a table has its check: a table holds a name, perhaps a number, then functions alone. */
static void check_coverage(const size_t *entries, int n, size_t first, size_t size)
{
    running = "coverage";
    for (size_t at = first; at < size; at += sizeof(void (*)(void))) {
        bool covered = false;
        for (int i = 0; i < n; i++)
            covered = covered || entries[i] == at;
        if (!covered)
            check_failed("the table's entry at offset %zu has no check", at);
    }
}

static const char *name_running(const char *table, const char *name)
{
    static char text[64];
    snprintf(text, sizeof(text), "%s %s", table, name);
    return text;
}

static const uint32_t sets[] = { PHYSAD_CPU_AVX2, PHYSAD_CPU_AVX2 | PHYSAD_CPU_AVX512,
                                 PHYSAD_CPU_AVX2 | PHYSAD_CPU_AVX512 | PHYSAD_CPU_AVX512_VNNI, ~0u };

static void run_all(uint32_t flags, uint64_t seed, bool bench)
{
    const check *const checks[] = { &distances_checks[0], &distances_checks[1], &distances_checks[2],
                                    &distances_checks[3], &codes_checks[0],     &codes_checks[1],
                                    &resize_checks[0],    &resize_checks[1],    &resize_checks[2] };
    enum { N = sizeof(checks) / sizeof(checks[0]) };
    const physad_kernels *reference = physad__kernels_get(0), *last = NULL;
    size_t entries[N];
    for (int i = 0; i < N; i++)
        entries[i] = checks[i]->entry;
    check_coverage(entries, N, offsetof(physad_kernels, exact_distances), sizeof(physad_kernels));
    for (int i = 0; bench && i < N; i++)
        checks[i]->bench(reference);
    for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
        const physad_kernels *tested = physad__kernels_get(sets[s] & flags);
        if (tested == reference || tested == last)
            continue;
        last = tested;
        for (int i = 0; i < N; i++) {
            running = name_running(tested->name, checks[i]->name);
            random_state = seed;
            if (!once)
                checks[i]->run(reference, tested);
            check_free_all();
            if (bench)
                checks[i]->bench(tested);
            check_free_all();
        }
        printf("%s: done\n", tested->name);
    }
}

static void run_splat(uint32_t flags, uint64_t seed, bool bench)
{
    const splat_check *const checks[] = { &splat_checks[0], &splat_checks[1], &splat_checks[2], &splat_checks[3],
                                          &loss_checks[0], &loss_checks[1], &loss_checks[2] };
    enum { N = sizeof(checks) / sizeof(checks[0]) };
    const physad__splat_kernels *reference = physad__splat_kernels_get(0), *last = NULL;
    size_t entries[N];
    for (int i = 0; i < N; i++)
        entries[i] = checks[i]->entry;
    check_coverage(entries, N, offsetof(physad__splat_kernels, project), sizeof(physad__splat_kernels));
    for (int i = 0; bench && i < N; i++) {
        random_state = 1;
        checks[i]->bench(reference);
        check_free_all();
    }
    for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
        const physad__splat_kernels *tested = physad__splat_kernels_get(sets[s] & flags);
        if (tested == reference || tested == last)
            continue;
        last = tested;
        for (int i = 0; i < N; i++) {
            running = name_running(tested->name, checks[i]->name);
            random_state = seed;
            if (!once)
                checks[i]->run(reference, tested);
            check_free_all();
            random_state = 1; /* one amount of work, whatever the seed */
            if (bench)
                checks[i]->bench(tested);
            check_free_all();
        }
        printf("%s of splatting: done\n", tested->name);
    }
}

int main(int argc, char **argv)
{
    const uint32_t flags = physad__cpu_detect();
    bool bench = false;
    uint64_t seed = (uint64_t)time(NULL);
    random_state = 1;
    for (int i = 1; i < argc; i++) {
        once = once || strcmp(argv[i], "--once") == 0;
        bench = bench || once || strcmp(argv[i], "--bench") == 0;
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
    }
    printf("seed %llu, processor flags 0x%x\n", (unsigned long long)seed, flags);
    run_all(flags, seed, bench);
    run_splat(flags, seed, bench);
    if (failures > 0)
        printf("%d failures with --seed %llu\n", failures, (unsigned long long)seed);
    return failures > 0;
}
