/* SPDX-License-Identifier: Apache-2.0 */
#include "test_bank.h"
#include "failing.h"

#include <unistd.h>

/* --- nearest neighbours --- */

static void check_search(const physad_bank *bank, const float *rows, int64_t n, int64_t d, const float *queries,
                         int64_t nq, int k, const char *what)
{
    double *distance = malloc((size_t)(nq * k) * sizeof(double)), want[PHYSAD_BANK_MAX_K];
    int64_t *index = malloc((size_t)(nq * k) * sizeof(int64_t)), want_index[PHYSAD_BANK_MAX_K];
    const physad_view q = view2(queries, PHYSAD_F32, nq, d), dv = view2(distance, PHYSAD_F64, nq, k),
                      iv = view2(index, PHYSAD_I64, nq, k);
    const physad_search_options o = { sizeof(o), PHYSAD_SEARCH_SQUARED };
    assert_ok(physad_bank_search(bank, &q, k, &dv, &iv, &o, NULL));
    for (int64_t i = 0; i < nq; i++) {
        brute_search(rows, n, d, queries + i * d, k, want, want_index);
        for (int j = 0; j < k; j++)
            if (index[i * k + j] != want_index[j] || memcmp(&distance[i * k + j], &want[j], sizeof(double)) != 0)
                fail_msg("%s, n %lld, d %lld, k %d: query %lld, neighbour %d is row %lld at %.17g, want %lld at %.17g",
                         what, (long long)n, (long long)d, k, (long long)i, j, (long long)index[i * k + j],
                         distance[i * k + j], (long long)want_index[j], want[j]);
    }
    free(distance);
    free(index);
}

static void searches_equal_brute_force(void **state)
{
    static const int64_t sizes[][2] = { { 1, 1 },      { 3, 2 },     { 70, 5 },    { 257, 16 },
                                        { 900, 17 },   { 1024, 5 },  { 1025, 12 }, { 2100, 33 },
                                        { 1300, 152 }, { 400, 300 }, { 600, 530 } };
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


/* D of real feature maps, and wider than what is rotated whole. */
static void wide_rows_are_found_too(void **state)
{
    static const int kinds[] = { RANDOM, LOW_RANK, CLUSTERED };
    for (int i = 0; i < 3; i++) {
        physad_context *ctx = new_context(2, 0);
        float *rows = make_rows(kinds[i], 1200, 1536, 1), *queries = make_rows(kinds[i], 20, 1536, 2);
        physad_bank *bank = new_bank(ctx, rows, 1200, 1536);
        check_search(bank, rows, 1200, 1536, queries, 20, 3, "wide");
        physad_bank_free(bank);
        free(rows);
        free(queries);
        free_context(ctx);
    }
    physad_context *ctx = new_context(2, 0);
    float *rows = make_rows(LOW_RANK, 700, PHYSAD_BANK_MAX_DIM, 1),
          *queries = make_rows(LOW_RANK, 3, PHYSAD_BANK_MAX_DIM, 2);
    for (int64_t n = 200; n <= 700; n += 500) { /* few rows, and enough for an index */
        physad_bank *bank = new_bank(ctx, rows, n, PHYSAD_BANK_MAX_DIM);
        check_search(bank, rows, n, PHYSAD_BANK_MAX_DIM, queries, 3, PHYSAD_BANK_MAX_K, "widest");
        physad_bank_free(bank);
    }
    free(rows);
    free(queries);
    free_context(ctx);
}

/* Fewer queries than threads: the rows are shared out. */
static void one_query_finds_the_same(void **state)
{
    enum { N = 6000, D = 24 };
    float *rows = make_rows(CLUSTERED, N, D, 1), *queries = make_rows(CLUSTERED, 3, D, 2);
    memcpy(queries, rows + 4000 * D, D * sizeof(float));
    memcpy(rows + 100 * D, rows + 4000 * D,
           D * sizeof(float)); /* equally near in two parts: the lower row comes first */
    for (int threads = 1; threads <= 5; threads += 2) {
        physad_context *ctx = new_context(threads, 0);
        physad_bank *bank = new_bank(ctx, rows, N, D);
        for (int k = 1; k <= PHYSAD_BANK_MAX_K; k += 7)
            for (int q = 0; q < 3; q++)
                check_search(bank, rows, N, D, queries + q * D, 1, k, "one query");
        check_search(bank, rows, N, D, queries, 3, 4, "three queries");
        physad_bank_free(bank);
        free_context(ctx);
    }
    free(rows);
    free(queries);
}

/* Any split of the queries, any thread count, any instruction set: the same bits. */
static void answers_depend_on_nothing_else(void **state)
{
    enum { N = 1500, D = 40, Q = 300, K = 5 };
    float *rows = make_rows(LOW_RANK, N, D, 1), *queries = make_rows(LOW_RANK, Q, D, 2);
    float want[Q * K], got[Q * K];
    int64_t want_index[Q * K], index[Q * K];
    for (int variant = 0; variant < 5; variant++) {
        static const uint32_t masks[] = { 0, 0, PHYSAD_CPU_AVX512_VNNI, PHYSAD_CPU_AVX512, PHYSAD_CPU_AVX2 };
        const int64_t batch = variant == 0 ? Q : variant == 1 ? 1 : 77;
        physad_context *ctx = new_context(1 << variant % 3, masks[variant]);
        physad_bank *bank = new_bank(ctx, rows, N, D);
        for (int64_t q = 0; q < Q; q += batch) {
            const int64_t n = physad__min(batch, Q - q);
            const physad_view qv = view2(queries + q * D, PHYSAD_F32, n, D), dv = view2(got + q * K, PHYSAD_F32, n, K),
                              iv = view2(index + q * K, PHYSAD_I64, n, K);
            assert_ok(physad_bank_search(bank, &qv, K, &dv, &iv, NULL, NULL));
        }
        if (variant == 0) {
            memcpy(want, got, sizeof(want));
            memcpy(want_index, index, sizeof(index));
        }
        assert_memory_equal(got, want, sizeof(got));
        assert_memory_equal(index, want_index, sizeof(index));
        physad_bank_free(bank);
        free_context(ctx);
    }
    free(rows);
    free(queries);
}

static void distances_are_rounded_from_the_truth(void **state)
{
    const float rows[] = { 0, 0, 3, 4 }, query[] = { 0, 0 };
    float f[2];
    double d[2];
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = new_bank(ctx, rows, 2, 2);
    const physad_view q = view2(query, PHYSAD_F32, 1, 2), fv = view2(f, PHYSAD_F32, 1, 2),
                      dv = view2(d, PHYSAD_F64, 1, 2);
    const physad_search_options o = { sizeof(o), PHYSAD_SEARCH_SQUARED };
    assert_ok(physad_bank_search(bank, &q, 2, &fv, NULL, NULL, NULL));
    assert_true(f[0] == 0 && f[1] == 5);
    assert_ok(physad_bank_search(bank, &q, 2, &dv, NULL, &o, NULL));
    assert_true(d[0] == 0 && d[1] == 25);
    physad_bank_free(bank);
    free_context(ctx);
}

static void strided_queries_and_rows_are_taken(void **state)
{
    enum { N = 300, D = 6 };
    float *rows = make_rows(RANDOM, N, D, 1), turned[N * D], distance[4], want[4];
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = new_bank(ctx, rows, N, D), *other = NULL;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            turned[j * N + i] = rows[i * D + j];
    physad_view v = view2(turned, PHYSAD_F32, N, D);
    v.stride[0] = 4;
    v.stride[1] = 4 * N;
    assert_ok(physad_bank_new(&other, ctx, D, NULL));
    assert_ok(physad_bank_add(other, &v, NULL, NULL));
    physad_view all;
    assert_ok(physad_bank_rows(other, &all));
    assert_memory_equal(all.data, rows, sizeof(turned));
    physad_view q = v;
    q.shape[0] = 4;
    q.stride[0] = 8;
    const physad_view out = view2(distance, PHYSAD_F32, 4, 1), wanted = view2(want, PHYSAD_F32, 4, 1);
    assert_ok(physad_bank_search(bank, &q, 1, &out, NULL, NULL, NULL));
    q = view2(rows, PHYSAD_F32, 4, D);
    q.stride[0] = 2 * D * 4;
    assert_ok(physad_bank_search(other, &q, 1, &wanted, NULL, NULL, NULL));
    assert_memory_equal(distance, want, sizeof(want));
    physad_bank_free(bank);
    physad_bank_free(other);
    free(rows);
    free_context(ctx);
}

/* --- the handle --- */

static void rows_keep_their_origin(void **state)
{
    float *rows = make_rows(RANDOM, 10, 3, 1);
    int64_t samples[10], removed = -1;
    int32_t positions[10];
    for (int i = 0; i < 10; i++) {
        samples[i] = i / 4;
        positions[i] = i % 4;
    }
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = NULL, *part = NULL, *other = NULL;
    const physad_view rv = view2(rows, PHYSAD_F32, 10, 3), sv = view1(samples, PHYSAD_I64, 10),
                      pv = view1(positions, PHYSAD_I32, 10);
    assert_ok(physad_bank_new(&bank, ctx, 3, NULL));
    assert_ok(physad_bank_add(bank, &rv, &sv, &pv));
    assert_int_equal(physad_bank_count(bank), 10);
    assert_int_equal(physad_bank_dim(bank), 3);
    assert_int_equal(physad_bank_sample(bank, 9), 2);
    assert_int_equal(physad_bank_position(bank, 7), 3);
    assert_int_equal(physad_bank_sample(bank, 10), -1);
    assert_int_equal(physad_bank_position(bank, -1), -1);
    assert_ok(physad_bank_remove(bank, 1, &removed));
    assert_int_equal(removed, 4);
    assert_int_equal(physad_bank_count(bank), 6);
    assert_int_equal(physad_bank_sample(bank, 4), 2);
    physad_view all;
    assert_ok(physad_bank_rows(bank, &all));
    assert_memory_equal((float *)all.data + 12, rows + 24, 6 * sizeof(float));
    assert_ok(physad_bank_remove(bank, 99, &removed));
    assert_int_equal(removed, 0);
    const int64_t chosen[] = { 5, 0, 5 };
    const physad_view cv = view1(chosen, PHYSAD_I64, 3);
    assert_ok(physad_bank_select(&part, bank, &cv));
    assert_int_equal(physad_bank_count(part), 3);
    assert_int_equal(physad_bank_position(part, 2), 1);
    assert_ok(physad_bank_merge(part, bank));
    assert_ok(physad_bank_merge(part, part));
    assert_int_equal(physad_bank_count(part), 18);
    assert_ok(physad_bank_rows(part, &all));
    assert_memory_equal(all.data, (float *)all.data + 27, 27 * sizeof(float));
    assert_ok(physad_bank_clear(part));
    assert_int_equal(physad_bank_count(part), 0);
    assert_ok(physad__bank_add_sample(part, rows, 5, 3, 42));
    assert_int_equal(physad_bank_sample(part, 4), 42);
    assert_int_equal(physad_bank_position(part, 4), 4);
    assert_ok(physad_bank_new(&other, ctx, 4, NULL));
    assert_fails(PHYSAD_ERR_SHAPE, "rows of 4 elements, want 3", physad_bank_merge(part, other));
    physad_bank_free(other);
    physad_bank_free(part);
    physad_bank_free(bank);
    physad_bank_free(NULL);
    free(rows);
    free_context(ctx);
}

static void wrong_calls_are_told(void **state)
{
    float data[12] = { 0 }, distance[3];
    int64_t index[3] = { 0, 1, 9 };
    physad_context *ctx = new_context(1, 0);
    physad_bank *bank = NULL, *part = NULL;
    physad_view rows = view2(data, PHYSAD_F32, 3, 4), out = view2(distance, PHYSAD_F32, 3, 1),
                list = view1(index, PHYSAD_I64, 3), got;
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_bank_new(NULL, ctx, 4, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_bank_new(&bank, NULL, 4, NULL));
    assert_fails(PHYSAD_ERR_ARG, "dim is 0", physad_bank_new(&bank, ctx, 0, NULL));
    assert_fails(PHYSAD_ERR_ARG, "dim is 4097, want 1 to 4096", physad_bank_new(&bank, ctx, 4097, NULL));
    assert_null(bank);
    assert_ok(physad_bank_new(&bank, ctx, 4, NULL));
    assert_fails(PHYSAD_ERR_STATE, "empty", physad_bank_search(bank, &rows, 1, &out, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "empty", physad_bank_save(bank, "/nonexistent/x"));
    assert_fails(PHYSAD_ERR_ARG, "bank is NULL", physad_bank_add(NULL, &rows, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "rows is NULL", physad_bank_add(bank, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "want f32", physad_bank_add(bank, &list, NULL, NULL));
    rows.shape[1] = 3;
    assert_fails(PHYSAD_ERR_SHAPE, "has shape (3,3), want (n,4)", physad_bank_add(bank, &rows, NULL, NULL));
    rows.shape[1] = 4;
    assert_fails(PHYSAD_ERR_DTYPE, "samples has dtype f32, want i64", physad_bank_add(bank, &rows, &rows, NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "positions has dtype i64, want i32", physad_bank_add(bank, &rows, NULL, &list));
    list.shape[0] = 2;
    assert_fails(PHYSAD_ERR_SHAPE, "samples has shape (2), want (3)", physad_bank_add(bank, &rows, &list, NULL));
    list.shape[0] = 3;
    data[9] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "row 2 holds a NaN at element 1", physad_bank_add(bank, &rows, NULL, NULL));
    assert_int_equal(physad_bank_count(bank), 0);
    data[9] = 0;
    assert_ok(physad_bank_add(bank, &rows, NULL, NULL));
    data[4] = -INFINITY;
    assert_fails(PHYSAD_ERR_NUMERIC, "row 1 holds an infinity",
                 physad_bank_search(bank, &rows, 1, &out, NULL, NULL, NULL));
    data[4] = 0;
    assert_fails(PHYSAD_ERR_ARG, "k is 51, want 1 to 50", physad_bank_search(bank, &rows, 51, &out, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "k is 0", physad_bank_search(bank, &rows, 0, &out, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_SHAPE, "distances has shape (3,1), want (3,2)",
                 physad_bank_search(bank, &rows, 2, &out, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "indices has dtype f32, want i64",
                 physad_bank_search(bank, &rows, 1, NULL, &out, NULL, NULL));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "flags 0x80",
                 physad_bank_search(bank, &rows, 1, &out, NULL,
                                    &(physad_search_options){ sizeof(physad_search_options), 128 }, NULL));
    assert_fails(PHYSAD_ERR_ARG, "rows[2] is 9, want 0 to 2", physad_bank_select(&part, bank, &list));
    assert_null(part);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_bank_rows(bank, NULL));
    assert_fails(PHYSAD_ERR_ARG, "the bank is NULL", physad_bank_rows(NULL, &got));
    rows.shape[0] = 0;
    out.shape[0] = 0;
    assert_ok(physad_bank_search(bank, &rows, 1, &out, NULL, NULL, NULL));
    assert_ok(physad_bank_add(bank, &rows, NULL, NULL));
    assert_int_equal(physad_bank_count(bank), 3);
    physad_bank_free(bank);
    free_context(ctx);
}

/* --- approximate indexes --- */

static void approximate_answers_are_measured_exactly(void **state)
{
    enum { N = 2000, D = 16, Q = 50, K = 3 };
    float *rows = make_rows(CLUSTERED, N, D, 1), *queries = make_rows(CLUSTERED, Q, D, 2);
    double distance[Q * K];
    int64_t index[Q * K], hits = 0;
    physad_context *ctx = new_context(2, 0);
    physad_bank *bank = new_bank(ctx, rows, N, D);
    const physad_view q = view2(queries, PHYSAD_F32, Q, D), dv = view2(distance, PHYSAD_F64, Q, K),
                      iv = view2(index, PHYSAD_I64, Q, K);
    const physad_search_options o = { sizeof(o), PHYSAD_SEARCH_SQUARED | PHYSAD_SEARCH_APPROX };
    assert_fails(PHYSAD_ERR_STATE, "has no approximate index", physad_bank_search(bank, &q, K, &dv, &iv, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "factory is NULL", physad_bank_build_approx(bank, NULL));
    if (strstr(physad_build_info(), "no approximate") != NULL) {
        assert_fails(PHYSAD_ERR_UNSUPPORTED, "without FAISS", physad_bank_build_approx(bank, "Flat"));
    } else {
        assert_fails(PHYSAD_ERR_ARG, "FAISS: ", physad_bank_build_approx(bank, "no such index"));
        assert_fails(PHYSAD_ERR_ARG,
                     "FAISS: ", physad_bank_build_approx(bank, "IVF100000,Flat")); /* more cells than rows */
        assert_ok(physad_bank_build_approx(bank, "IVF16,Flat"));
        assert_ok(physad_bank_search(bank, &q, K, &dv, &iv, &o, NULL));
        for (int i = 0; i < Q; i++) {
            double want[K];
            int64_t want_index[K];
            brute_search(rows, N, D, queries + i * D, K, want, want_index);
            for (int j = 0; j < K && index[i * K + j] >= 0; j++) {
                const double t = truth(queries + i * D, rows + index[i * K + j] * D, D);
                assert_memory_equal(&t, &distance[i * K + j], sizeof(t));
                assert_true(distance[i * K + j] >= want[j]);
                hits += index[i * K + j] == want_index[j];
            }
        }
        assert_true(hits > Q * K / 2);
        assert_ok(physad__bank_add_sample(bank, rows, 1, D, 0)); /* drops it */
        assert_fails(PHYSAD_ERR_STATE, "has no approximate index", physad_bank_search(bank, &q, K, &dv, &iv, &o, NULL));
    }
    physad_bank_free(bank);
    free(rows);
    free(queries);
    free_context(ctx);
}

/* --- files --- */

static void a_saved_bank_answers_the_same(void **state)
{
    enum { N = 700, D = 24, Q = 30 };
    char path[] = "/tmp/physad-test-bank-XXXXXX";
    float *rows = make_rows(CLUSTERED, N, D, 1), *queries = make_rows(CLUSTERED, Q, D, 2);
    physad_context *ctx = new_context(2, 0);
    physad_bank *bank = NULL, *loaded = NULL;
    close(mkstemp(path));
    assert_ok(physad_bank_new(&bank, ctx, D, NULL));
    for (int i = 0; i < 7; i++)
        assert_ok(physad__bank_add_sample(bank, rows + i * 100 * D, 100, D, i));
    assert_ok(physad_bank_save(bank, path));
    assert_ok(physad_bank_load(&loaded, ctx, path));
    assert_int_equal(physad_bank_count(loaded), N);
    assert_int_equal(physad_bank_sample(loaded, 650), 6);
    assert_int_equal(physad_bank_position(loaded, 650), 50);
    check_search(loaded, rows, N, D, queries, Q, 4, "loaded");
    int64_t removed = 0;
    assert_ok(physad_bank_remove(loaded, 0, &removed)); /* leaves the file for memory of its own */
    assert_int_equal(removed, 100);
    check_search(loaded, rows + 100 * D, N - 100, D, queries, Q, 4, "changed after loading");
    physad_bank_free(loaded);
    assert_ok(physad_bank_load(&loaded, ctx, path)); /* the file is as it was */
    assert_ok(physad_bank_merge(loaded, bank));
    assert_int_equal(physad_bank_count(loaded), 2 * N);
    physad_bank_free(loaded);
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_bank_load(&loaded, ctx, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_bank_save(bank, NULL));
    assert_fails(PHYSAD_ERR_IO, "/nonexistent/bank", physad_bank_load(&loaded, ctx, "/nonexistent/bank"));
    assert_fails(PHYSAD_ERR_IO, "/nonexistent", physad_bank_save(bank, "/nonexistent/bank"));
    FILE *file = fopen(path, "wb");
    fputs("not a bank", file);
    fclose(file);
    assert_fails(PHYSAD_ERR_FORMAT, path, physad_bank_load(&loaded, ctx, path));
    unlink(path);
    physad_bank_free(bank);
    free(rows);
    free(queries);
    free_context(ctx);
}

static void files_that_are_no_banks_are_refused(void **state)
{
    char path[] = "/tmp/physad-test-bank-XXXXXX";
    float rows[6] = { 0, 1, 2, 3, 4, 5 };
    const int64_t samples[3] = { 0 };
    const int32_t positions[3] = { 0 };
    physad_context *ctx = new_context(1, 0);
    close(mkstemp(path));
    for (int fault = 0; fault < 5; fault++) {
        physad_tensors *t = NULL;
        physad_bank *bank = NULL;
        rows[3] = fault == 4 ? INFINITY : 3;
        const physad_view rv = view2(rows, PHYSAD_F32, 3, 2), sv = view1(samples, PHYSAD_I64, fault == 2 ? 2 : 3),
                          pv = view1(positions, fault == 3 ? PHYSAD_U32 : PHYSAD_I32, 3);
        assert_ok(physad_tensors_new(&t, ctx));
        assert_ok(physad_tensors_add(t, fault == 0 ? "other" : "bank.rows", &rv));
        if (fault != 1)
            assert_ok(physad_tensors_add(t, "bank.samples", &sv));
        assert_ok(physad_tensors_add(t, "bank.positions", &pv));
        assert_ok(physad_tensors_save(t, path));
        physad_tensors_free(t);
        assert_fails(fault == 4 ? PHYSAD_ERR_NUMERIC : PHYSAD_ERR_FORMAT, path, physad_bank_load(&bank, ctx, path));
        assert_null(bank);
    }
    unlink(path);
    free_context(ctx);
}

/* --- memory --- */

static void beyond_the_limit_rows_live_in_a_file(void **state)
{
    enum { N = 6000, D = 64, Q = 20 };
    float *rows = make_rows(LOW_RANK, N, D, 1), *queries = make_rows(LOW_RANK, Q, D, 2);
    physad_context *ctx = NULL;
    physad_bank *bank = NULL;
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_bank_options o = PHYSAD_BANK_OPTIONS_INIT;
    co.threads = 2;
    co.memory_limit = 6 << 20;
    assert_ok(physad_context_new(&ctx, &co));
    o.spill_bytes = 100000;
    assert_ok(physad_bank_new(&bank, ctx, D, &o));
    for (int64_t i = 0; i < N; i += 500)
        assert_ok(physad__bank_add_sample(bank, rows + i * D, 500, D, i));
    assert_true(physad_context_memory_used(ctx) < 400000);
    check_search(bank, rows, N, D, queries, Q, 3, "spilled");
    int64_t picks[50], want[50];
    double radii[50];
    physad_coreset_options co2 = PHYSAD_CORESET_OPTIONS_INIT;
    const physad_view pv = view1(picks, PHYSAD_I64, 50);
    co2.count = 50;
    co2.flags = PHYSAD_CORESET_FIRST;
    assert_ok(physad_bank_coreset(bank, &pv, NULL, &co2, NULL));
    brute_coreset(rows, N, D, 0, 50, want, radii);
    assert_memory_equal(picks, want, sizeof(picks));
    physad_bank_free(bank);
    o.spill_dir = "/nonexistent";
    assert_ok(physad_bank_new(&bank, ctx, D, &o));
    assert_fails(PHYSAD_ERR_IO, "no temporary file in /nonexistent", physad__bank_add_sample(bank, rows, N, D, 0));
    assert_int_equal(physad_bank_count(bank), 0);
    assert_ok(physad__bank_add_sample(bank, rows, 10, D, 0));
    physad_bank_free(bank);
    free(rows);
    free(queries);
    free_context(ctx);
}

static physad_status everything(physad_context *ctx, const float *rows, int64_t n, int64_t d)
{
    physad_bank *bank = NULL, *part = NULL;
    float distance[8];
    int64_t picks[20];
    const physad_view rv = view2(rows, PHYSAD_F32, n, d), qv = view2(rows, PHYSAD_F32, 4, d),
                      dv = view2(distance, PHYSAD_F32, 4, 2), pv = view1(picks, PHYSAD_I64, 20);
    physad_coreset_options o = PHYSAD_CORESET_OPTIONS_INIT;
    o.count = 20;
    o.projection = PHYSAD_PROJECTION_SPARSE;
    o.eps = 0.999;
    physad_status status = physad_bank_new(&bank, ctx, d, NULL);
    if (status == PHYSAD_OK)
        status = physad_bank_add(bank, &rv, NULL, NULL);
    if (status == PHYSAD_OK)
        status = physad_bank_search(bank, &qv, 2, &dv, NULL, NULL, NULL);
    if (status == PHYSAD_OK)
        status = physad_bank_coreset(bank, &pv, NULL, &o, NULL);
    if (status == PHYSAD_OK)
        status = physad_bank_select(&part, bank, &pv);
    if (status == PHYSAD_OK)
        status = physad_bank_merge(part, bank);
    physad_bank_free(bank);
    physad_bank_free(part);
    return status;
}

static void every_failed_allocation_is_told(void **state)
{
    float *rows = make_rows(LOW_RANK, 400, 180, 1);
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.allocator = &failing_allocator;
    o.threads = 1;
    assert_ok(physad_context_new(&ctx, &o));
    int failures = 0;
    for (;; failures++) {
        allocations_left = failures;
        const physad_status status = everything(ctx, rows, 400, 180);
        allocations_left = INT64_MAX;
        assert_int_equal(physad_context_memory_used(ctx), 0);
        if (status == PHYSAD_OK)
            break;
        assert_int_equal(status, PHYSAD_ERR_NOMEM);
    }
    assert_true(failures > 30);
    free_context(ctx);
    free(rows);
}

static void a_cancelled_search_leaves_the_bank(void **state)
{
    float *rows = make_rows(RANDOM, 300, 8, 1), distance[300];
    physad_context *ctx = new_context(2, 0);
    physad_bank *bank = new_bank(ctx, rows, 300, 8);
    const physad_view q = view2(rows, PHYSAD_F32, 300, 8), out = view2(distance, PHYSAD_F32, 300, 1);
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", physad_bank_search(bank, &q, 1, &out, NULL, NULL, NULL));
    physad_context_resume(ctx);
    assert_ok(physad_bank_search(bank, &q, 1, &out, NULL, NULL, NULL));
    for (int i = 0; i < 300; i++)
        assert_true(distance[i] == 0);
    physad_bank_free(bank);
    free(rows);
    free_context(ctx);
}

typedef struct watched {
    int stops_at, calls; /* the call that says no; 0: none */
    bool grows, is_index;
    int64_t last;
} watched;

static int watch(const physad_progress *p, void *user)
{
    watched *w = user;
    w->grows = w->grows && p->done >= w->last && p->done <= p->total;
    w->is_index = w->is_index && strcmp(p->stage, "index") == 0;
    w->last = p->done;
    return ++w->calls == w->stops_at;
}

static void preparing_tells_and_stops(void **state)
{
    enum { N = 3000, D = 32 };
    float *rows = make_rows(LOW_RANK, N, D, 1);
    physad_context *ctx = new_context(2, 0);
    physad_bank *bank = new_bank(ctx, rows, N, D);
    watched w = { .stops_at = 1, .grows = true, .is_index = true };
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.progress = watch;
    call.progress_user = &w;
    assert_fails(PHYSAD_ERR_CANCELLED, "index: cancelled", physad_bank_prepare(bank, &call));
    assert_int_equal(w.calls, 1);
    w = (watched){ .grows = true, .is_index = true };
    assert_ok(physad_bank_prepare(bank, &call));
    assert_true(w.grows && w.is_index);
    assert_int_equal(w.last, 2 * N);
    check_search(bank, rows, N, D, rows, 20, 2, "prepared");
    physad_bank_free(bank);
    free(rows);
    free_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_equal_brute_force),
        cmocka_unit_test(wide_rows_are_found_too),
        cmocka_unit_test(one_query_finds_the_same),
        cmocka_unit_test(answers_depend_on_nothing_else),
        cmocka_unit_test(distances_are_rounded_from_the_truth),
        cmocka_unit_test(strided_queries_and_rows_are_taken),
        cmocka_unit_test(rows_keep_their_origin),
        cmocka_unit_test(wrong_calls_are_told),
        cmocka_unit_test(approximate_answers_are_measured_exactly),
        cmocka_unit_test(a_saved_bank_answers_the_same),
        cmocka_unit_test(files_that_are_no_banks_are_refused),
        cmocka_unit_test(beyond_the_limit_rows_live_in_a_file),
        cmocka_unit_test(every_failed_allocation_is_told),
        cmocka_unit_test(a_cancelled_search_leaves_the_bank),
        cmocka_unit_test(preparing_tells_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
