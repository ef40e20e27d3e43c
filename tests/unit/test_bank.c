/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "bank/bank.h"

#include <physad/bank.h>

/* --- references: the definition in the header, word by word --- */

static double truth(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) {
        const double difference = (double)a[j] - (double)b[j];
        sum += difference * difference;
    }
    return sum;
}

static void brute_search(const float *rows, int64_t n, int64_t d, const float *query, int k, double *distance, int64_t *index)
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

static void brute_coreset(const float *rows, int64_t n, int64_t d, int64_t first, int64_t count, int64_t *picks, double *radii)
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

static float *make_rows(int kind, int64_t n, int64_t d, uint64_t seed)
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

static physad_context *new_context(int threads, uint32_t disable)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = threads;
    o.cpu_disable = disable;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static void free_context(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static physad_view view2(const void *data, int32_t dtype, int64_t n, int64_t d)
{
    return physad_view_array((void *)(uintptr_t)data, dtype, 2, (int64_t[]){ n, d });
}

static physad_view view1(const void *data, int32_t dtype, int64_t n)
{
    return physad_view_array((void *)(uintptr_t)data, dtype, 1, (int64_t[]){ n });
}

static physad_bank *new_bank(physad_context *ctx, const float *rows, int64_t n, int64_t d)
{
    physad_bank *bank = NULL;
    const physad_view v = view2(rows, PHYSAD_F32, n, d);
    assert_ok(physad_bank_new(&bank, ctx, d, NULL));
    assert_ok(physad_bank_add(bank, &v, NULL, NULL));
    return bank;
}

/* --- nearest neighbours --- */

static void check_search(const physad_bank *bank, const float *rows, int64_t n, int64_t d, const float *queries, int64_t nq, int k,
                         const char *what)
{
    double *distance = malloc((size_t)(nq * k) * sizeof(double)), want[PHYSAD_BANK_MAX_K];
    int64_t *index = malloc((size_t)(nq * k) * sizeof(int64_t)), want_index[PHYSAD_BANK_MAX_K];
    const physad_view q = view2(queries, PHYSAD_F32, nq, d), dv = view2(distance, PHYSAD_F64, nq, k), iv = view2(index, PHYSAD_I64, nq, k);
    const physad_search_options o = { sizeof(o), PHYSAD_SEARCH_SQUARED };
    assert_ok(physad_bank_search(bank, &q, k, &dv, &iv, &o, NULL));
    for (int64_t i = 0; i < nq; i++) {
        brute_search(rows, n, d, queries + i * d, k, want, want_index);
        for (int j = 0; j < k; j++)
            if (index[i * k + j] != want_index[j] || memcmp(&distance[i * k + j], &want[j], sizeof(double)) != 0)
                fail_msg("%s, n %lld, d %lld, k %d: query %lld, neighbour %d is row %lld at %.17g, want %lld at %.17g", what,
                         (long long)n, (long long)d, k, (long long)i, j, (long long)index[i * k + j], distance[i * k + j],
                         (long long)want_index[j], want[j]);
    }
    free(distance);
    free(index);
}

static void searches_equal_brute_force(void **state)
{
    static const int64_t sizes[][2] = { { 1, 1 }, { 3, 2 }, { 70, 5 }, { 257, 16 }, { 900, 17 }, { 2100, 33 }, { 1300, 152 }, { 400, 300 } };
    static const int ks[] = { 1, 2, 9, 50 };
    static const uint32_t masks[] = { 0, PHYSAD_CPU_AVX512_VNNI, PHYSAD_CPU_AVX512, PHYSAD_CPU_AVX2 };
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t s = 0; s < PHYSAD__COUNT(sizes); s++) {
            const int64_t n = sizes[s][0], d = sizes[s][1], nq = 40;
            physad_context *ctx = new_context(1 + (int)(s % 3), masks[(kind + s) % 4]);
            float *rows = make_rows(kind, n, d, 5), *queries = make_rows(kind, nq, d, 6);
            memcpy(queries, rows + (n / 2) * d, (size_t)d * sizeof(float)); /* a query that is a row */
            physad_bank *bank = new_bank(ctx, rows, n, d);
            char what[64];
            snprintf(what, sizeof(what), "kind %d", kind);
            check_search(bank, rows, n, d, queries, nq, ks[(kind + s) % 4], what);
            physad_bank_free(bank);
            free(rows);
            free(queries);
            free_context(ctx);
        }
    }
}

/* --- coresets --- */

static void coresets_equal_the_naive_rule(void **state)
{
    static const int64_t sizes[][2] = { { 1, 3 }, { 9, 1 }, { 120, 4 }, { 700, 17 }, { 1100, 40 }, { 500, 152 } };
    static const uint32_t masks[] = { 0, PHYSAD_CPU_AVX512_VNNI, PHYSAD_CPU_AVX512, PHYSAD_CPU_AVX2 };
    for (int kind = 0; kind < KINDS; kind++) {
        for (int64_t s = 0; s < PHYSAD__COUNT(sizes); s++) {
            const int64_t n = sizes[s][0], d = sizes[s][1], count = n < 200 ? n : n / 4;
            physad_context *ctx = new_context(1 + (int)(s % 3), masks[(kind + s) % 4]);
            float *rows = make_rows(kind, n, d, 8);
            physad_bank *bank = new_bank(ctx, rows, n, d);
            int64_t *picks = malloc((size_t)count * 16), *want = picks + count;
            double *radii = malloc((size_t)count * 16), *want_radii = radii + count;
            physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
            o.flags = PHYSAD_CORESET_FIRST;
            o.first = n / 3;
            o.count = count;
            const physad_view pv = view1(picks, PHYSAD_I64, count), rv = view1(radii, PHYSAD_F64, count);
            assert_ok(physad_bank_coreset(bank, &pv, &rv, &o, NULL));
            brute_coreset(rows, n, d, o.first, count, want, want_radii);
            for (int64_t i = 0; i < count; i++)
                if (picks[i] != want[i] || memcmp(radii + i, want_radii + i, sizeof(double)) != 0)
                    fail_msg("kind %d, n %lld, d %lld: pick %lld is %lld at %.17g, want %lld at %.17g", kind, (long long)n, (long long)d,
                             (long long)i, (long long)picks[i], radii[i], (long long)want[i], want_radii[i]);
            free(picks);
            free(radii);
            free(rows);
            physad_bank_free(bank);
            free_context(ctx);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_equal_brute_force),
        cmocka_unit_test(coresets_equal_the_naive_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
