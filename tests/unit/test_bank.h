/* SPDX-License-Identifier: Apache-2.0 */
/* What the bank's tests share: references, made-up rows, short forms. */
#ifndef PHYSAD__TEST_BANK_H
#define PHYSAD__TEST_BANK_H

#include "test.h"

#include "bank/bank.h"

#include <physad/bank.h>

/* --- references: the definition in the header, word by word --- */

static inline double truth(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) {
        const double difference = (double)a[j] - (double)b[j];
        sum += difference * difference;
    }
    return sum;
}

static inline void brute_search(const float *rows, int64_t n, int64_t d, const float *query, int k, double *distance,
                                int64_t *index)
{
    for (int i = 0; i < k; i++) {
        distance[i] = INFINITY;
        index[i] = -1;
    }
    for (int64_t r = 0; r < n; r++) {
        const double t = truth(query, rows + r * d, d);
        int at = 0;
        while (at < k && index[at] >= 0 && distance[at] <= t)
            at++;
        for (int i = k - 1; i > at; i--) {
            distance[i] = distance[i - 1];
            index[i] = index[i - 1];
        }
        if (at < k) {
            distance[at] = t;
            index[at] = r;
        }
    }
}

static inline void brute_coreset(const float *rows, int64_t n, int64_t d, int64_t first, int64_t count, int64_t *picks,
                                 double *radii)
{
    double *least = malloc((size_t)n * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        least[i] = INFINITY;
    int64_t next = first;
    for (int64_t p = 0; p < count; p++) {
        picks[p] = next;
        radii[p] = sqrt(least[next]);
        least[next] = -1;
        for (int64_t i = 0; i < n; i++) {
            const double t = truth(rows + next * d, rows + i * d, d);
            if (t < least[i])
                least[i] = t;
        }
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++)
            if (least[i] > least[best])
                best = i;
        next = best;
    }
    free(least);
}

/* --- made-up data --- */

enum { RANDOM, CLUSTERED, LOW_RANK, DUPLICATES, GRID, HUGE_VALUES, TINY, DENORMAL, OUTLIERS, CONSTANT, MIXED, KINDS };

static inline float *make_rows(int kind, int64_t n, int64_t d, uint64_t seed)
{
    float *rows = malloc((size_t)(n * d + 1) * sizeof(float));
    physad__rng rng;
    physad__rng_seed(&rng, 77, 1); /* one set of centres and directions for rows and queries */
    float centres[16][32], basis[4][32];
    for (int c = 0; c < 16; c++)
        for (int j = 0; j < 32; j++)
            centres[c][j] = (float)(4 * physad__rng_normal(&rng));
    for (int c = 0; c < 4; c++)
        for (int j = 0; j < 32; j++)
            basis[c][j] = (float)physad__rng_normal(&rng);
    physad__rng_seed(&rng, seed, 2);
    for (int64_t i = 0; i < n; i++) {
        const int c = (int)physad__rng_below(&rng, 16);
        double weight[4];
        for (int w = 0; w < 4; w++)
            weight[w] = 5 * physad__rng_normal(&rng);
        const double size = kind == OUTLIERS && physad__rng_below(&rng, 20) == 0 ? 1000
                            : kind == MIXED                                       ? exp(12 * physad__rng_normal(&rng))
                                                                                  : 1;
        for (int64_t j = 0; j < d; j++) {
            double v = physad__rng_normal(&rng);
            if (kind == CLUSTERED)
                v = 0.3 * v + (double)centres[c][(j * 7 + j / 32) % 32];
            else if (kind == LOW_RANK)
                v = 0.05 * v + weight[0] * (double)basis[0][j % 32] + weight[1] * (double)basis[1][(j * 3) % 32] +
                    weight[2] * (double)basis[2][(j * 5 + 1) % 32] + weight[3] * (double)basis[3][(j + 7) % 32];
            else if (kind == DUPLICATES)
                v = (double)centres[c % 5][j % 32];
            else if (kind == GRID)
                v = (double)(int)v;
            else if (kind == HUGE_VALUES)
                v *= 3e37;
            else if (kind == TINY)
                v *= 1e-30;
            else if (kind == DENORMAL)
                v *= 1e-43;
            else if (kind == CONSTANT)
                v = 3;
            rows[i * d + j] = (float)(v * size);
        }
    }
    return rows;
}

static inline physad_context *new_context(int threads, uint32_t disable)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = threads;
    o.cpu_disable = disable;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static inline void free_context(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static inline physad_view view2(const void *data, int32_t dtype, int64_t n, int64_t d)
{
    return physad_view_array((void *)(uintptr_t)data, dtype, 2, (int64_t[]){ n, d });
}

static inline physad_view view1(const void *data, int32_t dtype, int64_t n)
{
    return physad_view_array((void *)(uintptr_t)data, dtype, 1, (int64_t[]){ n });
}

static inline physad_bank *new_bank(physad_context *ctx, const float *rows, int64_t n, int64_t d)
{
    physad_bank *bank = NULL;
    const physad_view v = view2(rows, PHYSAD_F32, n, d);
    assert_ok(physad_bank_new(&bank, ctx, d, NULL));
    assert_ok(physad_bank_add(bank, &v, NULL, NULL));
    return bank;
}

#endif
