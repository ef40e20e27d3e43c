/* SPDX-License-Identifier: Apache-2.0 */
/* The same bits as the reference, for weights as filters make them: positive and negative ones that add up to one. */
#include "checkasm.h"

#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static void fill_bytes(uint8_t *out, int64_t n)
{
    const int kind = (int)check_below(4);
    for (int64_t i = 0; i < n; i++)
        out[i] = kind == 0 ? 255 : kind == 1 ? 0 : (uint8_t)check_random();
}

/* Weights that add up to 2^22, up to 1.4 * 2^22 in magnitude. */
static void fill_weights(int32_t *out, int64_t n)
{
    const int32_t one = 1 << PHYSAD__FIXED_BITS;
    int32_t left = one;
    for (int64_t k = 0; k < n; k++) {
        const int32_t share = (int32_t)check_below(one / (int32_t)n + 1);
        out[k] = check_below(5) == 0 ? -share / 4 : share;
        left -= out[k];
    }
    if (n > 0)
        out[check_below(n)] += left;
}

static void check_narrow(const physad_kernels *reference, const physad_kernels *tested)
{
    static const int64_t outputs[] = { 0, 1, 2, 7, 33 }, taps[] = { 1, 2, 3, 4, 5, 8, 15, 16, 31 },
                         channels[] = { 1, 3, 4 };
    for (int a = 0; a < COUNT(outputs); a++)
        for (int b = 0; b < COUNT(taps); b++)
            for (int c = 0; c < COUNT(channels); c++) {
                const int64_t n = outputs[a], most = taps[b], stride = (most + 3) / 4 * 4,
                              pixels = most + check_below(40);
                const size_t size = (size_t)(n * channels[c]), row_size = (size_t)(pixels * channels[c]);
                uint8_t *row = check_alloc(row_size, 0), *want = check_output(size), *got = check_output(size);
                int32_t *first = check_alloc((size_t)n * sizeof(int32_t), 0),
                        *count = check_alloc((size_t)n * sizeof(int32_t), 0);
                int32_t *weight = check_alloc((size_t)(n * stride) * sizeof(int32_t), 0);
                fill_bytes(row, (int64_t)row_size);
                memset(weight, 0, (size_t)(n * stride) * sizeof(int32_t));
                for (int64_t i = 0; i < n; i++) {
                    count[i] = (int32_t)(check_below(4) == 0 ? check_below(most + 1) : most);
                    first[i] = (int32_t)(i == 0 ? pixels - count[i]
                                                : check_below(pixels - count[i] + 1)); /* one ends with the row */
                    fill_weights(weight + i * stride, count[i]);
                }
                reference->narrow_u8(want, row, pixels, first, count, weight, stride, n, channels[c]);
                tested->narrow_u8(got, row, pixels, first, count, weight, stride, n, channels[c]);
                if (memcmp(want, got, size) != 0)
                    check_failed("%lld outputs of %lld taps, %lld channels: other bytes", (long long)n, (long long)most,
                                 (long long)channels[c]);
                if (!check_guards(got, size))
                    check_failed("%lld outputs of %lld taps, %lld channels: wrote outside", (long long)n,
                                 (long long)most, (long long)channels[c]);
                check_free_all();
            }
}

static const int64_t widths[] = { 0, 1, 15, 16, 17, 31, 32, 33, 100, 777 }, heights[] = { 0, 1, 2, 3, 4, 5, 15, 16 };

static void check_sum(const physad_kernels *reference, const physad_kernels *tested)
{
    for (int a = 0; a < COUNT(widths); a++)
        for (int b = 0; b < COUNT(heights); b++) {
            const int64_t n = widths[a], count = heights[b], stride = n + check_below(5);
            uint8_t *rows = check_alloc((size_t)(count > 0 ? (count - 1) * stride + n : 0), 0);
            uint8_t *want = check_output((size_t)n), *got = check_output((size_t)n);
            int32_t *weight = check_alloc((size_t)count * sizeof(int32_t), 0);
            for (int64_t k = 0; k < count; k++)
                fill_bytes(rows + k * stride, n);
            fill_weights(weight, count);
            reference->sum_rows_u8(want, rows, stride, weight, count, n);
            tested->sum_rows_u8(got, rows, stride, weight, count, n);
            if (memcmp(want, got, (size_t)n) != 0)
                check_failed("%lld of %lld rows: other bytes", (long long)n, (long long)count);
            if (!check_guards(got, (size_t)n))
                check_failed("%lld of %lld rows: wrote outside", (long long)n, (long long)count);
            check_free_all();
        }
}

static void check_blend(const physad_kernels *reference, const physad_kernels *tested)
{
    for (int a = 0; a < COUNT(widths); a++)
        for (int b = 0; b < COUNT(heights); b++) {
            const int64_t n = widths[a], count = heights[b];
            const size_t size = (size_t)n * sizeof(float);
            const uint8_t *rows[16];
            float weight[16], *want = check_output(size), *got = check_output(size);
            for (int64_t k = 0; k < count; k++) {
                uint8_t *row = check_alloc((size_t)n, (size_t)check_below(3));
                fill_bytes(row, n);
                rows[k] = row;
                weight[k] = check_normal();
            }
            reference->blend_rows_u8(want, rows, weight, count, n);
            tested->blend_rows_u8(got, rows, weight, count, n);
            if (memcmp(want, got, size) != 0)
                check_failed("%lld of %lld rows: other bits", (long long)n, (long long)count);
            if (!check_guards(got, size))
                check_failed("%lld of %lld rows: wrote outside", (long long)n, (long long)count);
            check_free_all();
        }
}

enum { WIDE = 1920, OUT = 256, TAPS = 15, STRIDE = 16 };

typedef struct timed {
    const physad_kernels *kernels;
    uint8_t *row, *out;
    int32_t first[OUT], count[OUT], *weight;
    const uint8_t *rows[TAPS];
    float weights[TAPS], *floats;
} timed;

static void make(timed *t, const physad_kernels *kernels)
{
    t->kernels = kernels;
    t->row = check_alloc(WIDE * 3 * TAPS, 0);
    t->out = check_output(WIDE * 3);
    t->floats = check_output(WIDE * 3 * sizeof(float));
    t->weight = check_alloc(OUT * STRIDE * sizeof(int32_t), 0);
    memset(t->weight, 0, OUT * STRIDE * sizeof(int32_t));
    for (int64_t i = 0; i < WIDE * 3 * TAPS; i++)
        t->row[i] = (uint8_t)check_random();
    for (int64_t i = 0; i < OUT; i++) {
        t->first[i] = (int32_t)(i * (WIDE - TAPS) / OUT);
        t->count[i] = TAPS;
        fill_weights(t->weight + i * STRIDE, TAPS);
    }
    for (int64_t k = 0; k < TAPS; k++) {
        t->rows[k] = t->row + k * WIDE * 3;
        t->weights[k] = 1.0f / TAPS;
    }
}

static void run_narrow(void *user)
{
    timed *t = user;
    t->kernels->narrow_u8(t->out, t->row, WIDE, t->first, t->count, t->weight, STRIDE, OUT, 3);
}

static void run_sum(void *user)
{
    timed *t = user;
    t->kernels->sum_rows_u8(t->out, t->row, OUT * 3, t->weight, TAPS, OUT * 3);
}

static void run_blend(void *user)
{
    timed *t = user;
    t->kernels->blend_rows_u8(t->floats, t->rows, t->weights, TAPS, WIDE * 3);
}

static void bench_narrow(const physad_kernels *kernels)
{
    timed t;
    make(&t, kernels);
    check_time(kernels->name, "narrow_u8, 1920 to 256, RGB: an output", OUT, run_narrow, &t);
}

static void bench_sum(const physad_kernels *kernels)
{
    timed t;
    make(&t, kernels);
    check_time(kernels->name, "sum_rows_u8, 15 rows: an output", OUT * 3, run_sum, &t);
}

static void bench_blend(const physad_kernels *kernels)
{
    timed t;
    make(&t, kernels);
    check_time(kernels->name, "blend_rows_u8, 15 rows: an output", WIDE * 3, run_blend, &t);
}

const check resize_checks[3] = {
    { "narrow_u8", offsetof(physad_kernels, narrow_u8), check_narrow, bench_narrow },
    { "sum_rows_u8", offsetof(physad_kernels, sum_rows_u8), check_sum, bench_sum },
    { "blend_rows_u8", offsetof(physad_kernels, blend_rows_u8), check_blend, bench_blend },
};
