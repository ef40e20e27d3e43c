/* SPDX-License-Identifier: Apache-2.0 */
/* exact_distances, exact_pairs: the same bits as the reference. distances, tile_distances: within the bound of
 * kernels.h around the double reference; all terms are positive, so the bound is relative, and terms that leave the
 * normal numbers add at most 2^-149 each. */
#include "checkasm.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { NORMAL, EQUAL, SUBNORMAL, LARGE, INFINITE, FILLS };

static void fill(float *out, int64_t n, int how)
{
    for (int64_t i = 0; i < n; i++) {
        const float v = check_normal();
        out[i] = how == EQUAL ? 1.5f : how == SUBNORMAL ? v * 1e-42f : how == LARGE ? v * 1e38f : v;
        if (how == INFINITE && check_below(9) == 0)
            out[i] = INFINITY;
    }
}

typedef struct input {
    float *query, *rows;
    int64_t *index, n, d, stride;
} input;

static const int64_t counts[] = { 0, 1, 3, 4, 5, 7, 8, 9, 16, 17, 61 };
static const int64_t widths[] = { 0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 152, 257, 1031, 4096 };

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

/* `gap` bytes more lie before the page that cannot be touched: masked loads that reach into it are right, but take
 * hundreds of cycles. */
static input make(int64_t n, int64_t d, int how, bool listed, size_t gap)
{
    input in = { .n = n, .d = d, .stride = d + check_below(4) };
    const int64_t held = n + 3;
    in.query = check_alloc((size_t)d * sizeof(float), (size_t)check_below(5) * 4 + gap);
    in.rows = check_alloc((size_t)(held * in.stride) * sizeof(float), gap); /* NaNs between the rows */
    in.rows += in.stride - d;                                            /* the last row ends at the guard page */
    fill(in.query, d, how == INFINITE ? NORMAL : how);
    for (int64_t i = 0; i < held; i++)
        fill(in.rows + i * in.stride, d, how);
    in.index = NULL;
    if (listed) {
        in.index = check_alloc((size_t)n * sizeof(int64_t), 8);
        for (int64_t i = 0; i < n; i++)
            in.index[i] = i == 0 ? held - 1 : check_below(held);
    }
    return in;
}

static void check_exact(const physad_kernels *reference, const physad_kernels *tested)
{
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(widths); b++) {
            const input in = make(counts[a], widths[b], (a + b) % FILLS, (a + b) % 2, 0);
            const size_t size = (size_t)in.n * sizeof(double);
            double *want = check_output(size), *got = check_output(size);
            reference->exact_distances(want, in.query, in.rows, in.stride, in.index, in.n, in.d);
            tested->exact_distances(got, in.query, in.rows, in.stride, in.index, in.n, in.d);
            for (int64_t i = 0; i < in.n; i++)
                if (memcmp(want + i, got + i, sizeof(double)) != 0)
                    check_failed("n %lld, d %lld: [%lld] is %.17g, want %.17g", (long long)in.n, (long long)in.d,
                                 (long long)i, got[i], want[i]);
            if (!check_guards(got, size))
                check_failed("n %lld, d %lld: wrote outside", (long long)in.n, (long long)in.d);
            check_free_all();
        }
}

static void compare_near(const float *got, const double *want, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        const double bound = (double)(d + 4) * 0x1p-23 * want[i] + (double)d * 0x1p-149;
        const bool over = want[i] > (double)FLT_MAX * (1 - (double)(d + 4) * 0x1p-23); /* may round to infinity */
        if (!(fabs((double)got[i] - want[i]) <= bound) && !(over && got[i] == INFINITY))
            check_failed("n %lld, d %lld: [%lld] is %.9g, want %.9g", (long long)n, (long long)d, (long long)i,
                         (double)got[i], want[i]);
    }
}

static void check_near(const physad_kernels *reference, const physad_kernels *tested)
{
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(widths); b++) {
            const input in = make(counts[a], widths[b], (a + b) % FILLS, (a + b) % 2, 0);
            const size_t size = (size_t)in.n * sizeof(float);
            double *want = check_output((size_t)in.n * sizeof(double));
            float *got = check_output(size);
            reference->exact_distances(want, in.query, in.rows, in.stride, in.index, in.n, in.d);
            tested->distances(got, in.query, in.rows, in.stride, in.index, in.n, in.d);
            compare_near(got, want, in.n, in.d);
            if (!check_guards(got, size))
                check_failed("n %lld, d %lld: wrote outside", (long long)in.n, (long long)in.d);
            check_free_all();
        }
}

static void check_pairs(const physad_kernels *reference, const physad_kernels *tested)
{
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(widths); b++) {
            const int how = (a + b) % FILLS;
            const input in = make(counts[a], widths[b], how, true, 0),
                        other = make(counts[a], widths[b], how == INFINITE ? NORMAL : how, true, 0);
            const size_t size = (size_t)in.n * sizeof(double);
            double *want = check_output(size), *got = check_output(size);
            reference->exact_pairs(want, in.rows, in.stride, in.index, other.rows, other.stride, other.index, in.n,
                                   in.d);
            tested->exact_pairs(got, in.rows, in.stride, in.index, other.rows, other.stride, other.index, in.n, in.d);
            for (int64_t i = 0; i < in.n; i++)
                if (memcmp(want + i, got + i, sizeof(double)) != 0)
                    check_failed("n %lld, d %lld: [%lld] is %.17g, want %.17g", (long long)in.n, (long long)in.d,
                                 (long long)i, got[i], want[i]);
            if (!check_guards(got, size))
                check_failed("n %lld, d %lld: wrote outside", (long long)in.n, (long long)in.d);
            check_free_all();
        }
}

static void check_tile(const physad_kernels *reference, const physad_kernels *tested)
{
    static const int64_t queries[] = { 0, 1, 2, 3, 4, 5, 9 };
    for (int a = 0; a < COUNT(counts); a++)
        for (int b = 0; b < COUNT(widths); b++) {
            const input in = make(counts[a], widths[b], (a + b) % FILLS, false, 0);
            const int64_t n_queries = queries[(a + b) % COUNT(queries)], stride = in.d + check_below(4),
                          out_stride = in.n + 3;
            float *q = check_alloc((size_t)(n_queries * stride) * sizeof(float), (size_t)check_below(5) * 4);
            q += n_queries > 0 ? stride - in.d : 0;
            for (int64_t i = 0; i < n_queries; i++)
                fill(q + i * stride, in.d, (a + b) % FILLS == INFINITE ? NORMAL : (a + b) % FILLS);
            const size_t size = (size_t)(n_queries * out_stride) * sizeof(float);
            double *want = check_output((size_t)in.n * sizeof(double));
            float *got = check_output(size);
            for (int64_t k = 0; k < n_queries * in.n; k++)
                got[k / in.n * out_stride + k % in.n] = 0;
            for (int64_t j = 0, part = 0; j < in.d; j += part) { /* in parts of any width */
                part = 1 + check_below(in.d - j);
                tested->tile_distances(got, out_stride, q + j, stride, n_queries, in.rows + j, in.stride, in.n, part);
            }
            for (int64_t k = 0; k < n_queries; k++) {
                reference->exact_distances(want, q + k * stride, in.rows, in.stride, NULL, in.n, in.d);
                compare_near(got + k * out_stride, want, in.n, in.d);
                for (int64_t i = in.n; i < out_stride; i++)
                    if (!check_untouched(got + k * out_stride + i, sizeof(float)))
                        check_failed("n %lld, d %lld: wrote between the rows of the output", (long long)in.n,
                                     (long long)in.d);
            }
            if (!check_guards(got, size))
                check_failed("n %lld, d %lld: wrote outside", (long long)in.n, (long long)in.d);
            check_free_all();
        }
}

typedef struct timed {
    const physad_kernels *kernels;
    input in;
    void *out;
} timed;

static void run_exact(void *user)
{
    timed *t = user;
    t->kernels->exact_distances(t->out, t->in.query, t->in.rows, t->in.stride, NULL, t->in.n, t->in.d);
}

static void run_pairs(void *user)
{
    timed *t = user;
    t->kernels->exact_pairs(t->out, t->in.rows, t->in.stride, t->in.index, t->in.rows, t->in.stride, t->in.index,
                            t->in.n, t->in.d);
}

static void run_near(void *user)
{
    timed *t = user;
    t->kernels->distances(t->out, t->in.query, t->in.rows, t->in.stride, NULL, t->in.n, t->in.d);
}

enum { TILE = 16 };

static void run_tile(void *user)
{
    timed *t = user;
    t->kernels->tile_distances(t->out, t->in.n, t->in.rows, t->in.stride, TILE, t->in.rows, t->in.stride, t->in.n,
                               t->in.d);
}

static void bench_tile(const physad_kernels *kernels)
{
    timed t = { kernels, make(64, 152, NORMAL, false, 256), check_output((size_t)TILE * 64 * sizeof(float)) };
    check_time(kernels->name, "tile_distances, 16 by 64 rows of 152: a pair", TILE * 64, run_tile, &t);
}

static void bench_exact(const physad_kernels *kernels)
{
    timed t = { kernels, make(64, 152, NORMAL, false, 256), check_output(64 * sizeof(double)) };
    check_time(kernels->name, "exact_distances, 64 rows of 152: a row", 64, run_exact, &t);
}

static void bench_pairs(const physad_kernels *kernels)
{
    timed t = { kernels, make(64, 152, NORMAL, true, 256), check_output(64 * sizeof(double)) };
    check_time(kernels->name, "exact_pairs, 64 of 152: a pair", 64, run_pairs, &t);
}

static void bench_near(const physad_kernels *kernels)
{
    timed t = { kernels, make(64, 152, NORMAL, false, 256), check_output(64 * sizeof(float)) };
    check_time(kernels->name, "distances, 64 rows of 152: a row", 64, run_near, &t);
}

const check distances_checks[4] = {
    { "exact_distances", offsetof(physad_kernels, exact_distances), check_exact, bench_exact },
    { "exact_pairs", offsetof(physad_kernels, exact_pairs), check_pairs, bench_pairs },
    { "distances", offsetof(physad_kernels, distances), check_near, bench_near },
    { "tile_distances", offsetof(physad_kernels, tile_distances), check_tile, bench_tile },
};
