/* SPDX-License-Identifier: Apache-2.0 */
/* code_dots and code_scan: integers, equal to the reference; also at the largest codes, where an instruction could
 * saturate. */
#include "checkasm.h"

#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static void fill_rows(uint8_t *out, int64_t n, bool extreme)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = extreme ? (uint8_t)(check_below(4) ? 255 : 0) : (uint8_t)check_random();
}

static void fill_query(int8_t *out, int64_t n, bool extreme, int most)
{
    const int sign = check_below(2) ? 1 : -1;
    for (int64_t i = 0; i < n; i++)
        out[i] = extreme ? (int8_t)(sign * most) : (int8_t)(check_below(2 * most + 1) - most);
}

static void check_dots(const physad_kernels *reference, const physad_kernels *tested)
{
    static const int64_t counts[] = { 0, 1, 3, 4, 5, 7, 8, 9, 61 }, sizes[] = { 64, 128, 192, 320, 4096, 16384 };
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(sizes); b++) {
            const int64_t n = counts[a], size = sizes[b], held = n + 2;
            const bool extreme = (a + b) % 3 == 0;
            uint8_t *rows = check_alloc((size_t)(held * size), (size_t)check_below(3));
            int8_t *query = check_alloc((size_t)size, (size_t)check_below(3));
            int32_t *index = (a + b) % 2 ? check_alloc((size_t)n * sizeof(int32_t), 4) : NULL;
            int32_t *want = check_output((size_t)n * sizeof(int32_t)), *got = check_output((size_t)n * sizeof(int32_t));
            fill_rows(rows, held * size, extreme);
            fill_query(query, size, extreme, tested->code_max);
            for (int64_t i = 0; index != NULL && i < n; i++)
                index[i] = (int32_t)(i == 0 ? held - 1 : check_below(held));
            reference->code_dots(want, query, rows, size, index, n);
            tested->code_dots(got, query, rows, size, index, n);
            for (int64_t i = 0; i < n; i++)
                if (want[i] != got[i])
                    check_failed("n %lld, size %lld: [%lld] is %d, want %d", (long long)n, (long long)size,
                                 (long long)i, got[i], want[i]);
            if (!check_guards(got, (size_t)n * sizeof(int32_t)))
                check_failed("n %lld, size %lld: wrote outside", (long long)n, (long long)size);
            check_free_all();
        }
}

typedef struct scan {
    uint8_t *panel;
    int32_t *bias, *limits;
    int8_t *queries;
    int64_t stride, n, groups;
} scan;

/* Limits lie about the sums, so that each comparison may go either way, also by equality. */
static scan make_scan(int64_t n, int64_t groups, bool extreme, int most)
{
    scan s = { .stride = groups * 4 + check_below(7), .n = n, .groups = groups };
    s.panel = check_alloc((size_t)groups * PHYSAD__PANEL * 4, (size_t)check_below(3));
    s.bias = check_alloc(PHYSAD__PANEL * sizeof(int32_t), 0);
    s.queries = check_alloc((size_t)(n * s.stride), (size_t)check_below(3));
    s.limits = check_alloc((size_t)n * sizeof(int32_t), 0);
    fill_rows(s.panel, groups * PHYSAD__PANEL * 4, extreme);
    for (int64_t q = 0; q < n; q++)
        fill_query(s.queries + q * s.stride, groups * 4, extreme, most);
    for (int r = 0; r < PHYSAD__PANEL; r++)
        s.bias[r] = r % 16 == 5 ? -(1 << 30) : (int32_t)check_below(20001) - 10000;
    for (int64_t q = 0; q < n; q++) {
        const int64_t r = check_below(PHYSAD__PANEL);
        int32_t sum = r % 16 == 5 ? 0 : s.bias[r];
        for (int64_t g = 0; g < groups; g++)
            for (int j = 0; j < 4; j++)
                sum += s.panel[(g * PHYSAD__PANEL + r) * 4 + j] * s.queries[q * s.stride + g * 4 + j];
        s.limits[q] = q % 7 == 6 ? (1 << 29) : q % 7 == 5 ? -(1 << 29) : sum;
    }
    return s;
}

static void check_scan(const physad_kernels *reference, const physad_kernels *tested)
{
    static const int64_t counts[] = { 0, 1, 2, 3, 5, 6, 7, 11, 13, 128 }, groups[] = { 0, 1, 2, 3, 14, 38, 255, 1024 };
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(groups); b++) {
            const scan s = make_scan(counts[a], groups[b], (a + b) % 3 == 0, tested->code_max);
            const size_t size = (size_t)s.n * sizeof(uint64_t);
            uint64_t *want = check_output(size), *got = check_output(size);
            const int64_t want_found =
                reference->code_scan(want, s.panel, s.bias, s.queries, s.stride, s.limits, s.n, s.groups);
            const int64_t found = tested->code_scan(got, s.panel, s.bias, s.queries, s.stride, s.limits, s.n, s.groups);
            if (found != want_found)
                check_failed("n %lld, groups %lld: found %lld, want %lld", (long long)s.n, (long long)s.groups,
                             (long long)found, (long long)want_found);
            for (int64_t q = 0; q < s.n; q++)
                if (want[q] != got[q])
                    check_failed("n %lld, groups %lld: hits[%lld] is %llx, want %llx", (long long)s.n,
                                 (long long)s.groups, (long long)q, (unsigned long long)got[q],
                                 (unsigned long long)want[q]);
            if (!check_guards(got, size))
                check_failed("n %lld, groups %lld: wrote outside", (long long)s.n, (long long)s.groups);
            check_free_all();
        }
}

typedef struct timed {
    const physad_kernels *kernels;
    scan scan;
    uint8_t *rows;
    void *out;
} timed;

static void run_scan(void *user)
{
    timed *t = user;
    const scan *s = &t->scan;
    t->kernels->code_scan(t->out, s->panel, s->bias, s->queries, s->stride, s->limits, s->n, s->groups);
}

static void run_dots(void *user)
{
    timed *t = user;
    t->kernels->code_dots(t->out, t->scan.queries, t->rows, 192, NULL, 64);
}

static void bench_scan(const physad_kernels *kernels)
{
    timed t = { .kernels = kernels,
                .scan = make_scan(128, 14, false, kernels->code_max),
                .out = check_output(128 * 8) };
    check_time(kernels->name, "code_scan, 128 queries of 56: a pair", 128 * PHYSAD__PANEL, run_scan, &t);
}

static void bench_dots(const physad_kernels *kernels)
{
    timed t = { .kernels = kernels, .scan = make_scan(1, 48, false, kernels->code_max), .out = check_output(64 * 4) };
    t.rows = check_alloc(64 * 192, 0);
    fill_rows(t.rows, 64 * 192, false);
    check_time(kernels->name, "code_dots, 64 rows of 192: a row", 64, run_dots, &t);
}

const check codes_checks[2] = {
    { "code_dots", offsetof(physad_kernels, code_dots), check_dots, bench_dots },
    { "code_scan", offsetof(physad_kernels, code_scan), check_scan, bench_scan },
};
