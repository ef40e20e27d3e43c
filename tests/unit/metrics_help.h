/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of metrics share: goldens, contexts, memory that runs out. */
#ifndef PHYSAD__METRICS_HELP_H
#define PHYSAD__METRICS_HELP_H

#include "failing.h"
#include "test.h"

#include "io/io.h"
#include "metrics/metrics.h"

static inline physad_context *context_with(int32_t threads, uint64_t memory_limit)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = threads;
    o.memory_limit = memory_limit;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

/* Frees the context, which must hold nothing. */
static inline void context_done(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static inline json_t *golden(physad_context *ctx)
{
    char path[4096];
    json_t *root = NULL;
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    if (folder == NULL) {
        print_message("PHYSAD_TEST_GOLDEN is not set\n");
        physad_context_free(ctx);
        skip();
    }
    snprintf(path, sizeof(path), "%s/metrics.json", folder);
    assert_ok(physad__json_read(&root, &ctx->mem, path, 1 << 20));
    return root;
}

static inline double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static inline double number_at(const json_t *array, size_t i)
{
    const json_t *value = json_array_get(array, i);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static inline physad_metric metric_of(const physad_metrics *m, const char *name)
{
    physad_metric metric = PHYSAD_METRIC_INIT;
    assert_ok(physad_metrics_get(m, name, &metric));
    return metric;
}

/* Every metric, curve and type to the bit. */
static inline void assert_same_metrics(const physad_metrics *a, const physad_metrics *b)
{
    physad_view x, y;
    assert_int_equal(physad_metrics_count(a), physad_metrics_count(b));
    for (int64_t i = 0; i < physad_metrics_count(a); i++) {
        const physad_metric p = metric_of(a, physad_metrics_name(a, i)), q = metric_of(b, physad_metrics_name(b, i));
        assert_memory_equal(&p.value, &q.value, sizeof(double));
        assert_memory_equal(&p.lower, &q.lower, sizeof(double));
        assert_memory_equal(&p.upper, &q.upper, sizeof(double));
        assert_memory_equal(&p.threshold, &q.threshold, sizeof(double));
    }
    assert_int_equal(physad_metrics_groups(a), physad_metrics_groups(b));
    assert_int_equal(physad_metrics_type_count(a), physad_metrics_type_count(b));
    for (int64_t i = 0; i < physad_metrics_type_count(a); i++) {
        physad_metric p[2] = { PHYSAD_METRIC_INIT, PHYSAD_METRIC_INIT },
                      q[2] = { PHYSAD_METRIC_INIT, PHYSAD_METRIC_INIT };
        assert_string_equal(physad_metrics_type_name(a, i), physad_metrics_type_name(b, i));
        assert_ok(physad_metrics_type(a, i, &p[0], &p[1]));
        assert_ok(physad_metrics_type(b, i, &q[0], &q[1]));
        assert_memory_equal(p, q, sizeof(p));
    }
    assert_ok(physad_metrics_curve(a, &x));
    assert_ok(physad_metrics_curve(b, &y));
    assert_int_equal(x.shape[0], y.shape[0]);
    assert_memory_equal(x.data, y.data, (size_t)x.shape[0] * PHYSAD_CURVE_COLUMNS * sizeof(double));
}

/* Runs `work` with the 1st, 2nd, ... allocation failing until none fails: NOMEM each time before, and nothing leaks. */
static inline void fail_each_allocation(physad_status (*work)(physad_context *ctx))
{
    for (int64_t n = 1;; n++) {
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx = NULL;
        o.allocator = &failing_allocator;
        allocations_left = n - 1;
        o.threads = 1;
        if (physad_context_new(&ctx, &o) != PHYSAD_OK)
            continue;
        const physad_status status = work(ctx);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_int_equal(allocations_live, 0);
        assert_true(n < 10000);
        if (allocations_left >= 0) {
            allocations_left = INT64_MAX;
            assert_int_equal(status, PHYSAD_OK);
            assert_true(n > 3);
            return;
        }
        if (status != PHYSAD_ERR_NOMEM)
            fail_msg("allocation %lld failed, and the status is %d", (long long)n, status);
    }
}

/* A copy of a set of arrays with some bytes changed: the arrays keep their names and shapes. */
static inline physad_tensors *damaged(physad_context *ctx, const physad_tensors *t, physad__rng *rng)
{
    physad_tensors *out = NULL;
    const int64_t hit = physad__rng_below(rng, physad_tensors_count(t));
    assert_ok(physad_tensors_new(&out, ctx));
    for (int64_t i = 0; i < physad_tensors_metadata_count(t); i++) {
        const char *key = physad_tensors_metadata_key(t, i);
        assert_ok(physad_tensors_set_metadata(out, key, physad_tensors_metadata(t, key)));
    }
    for (int64_t i = 0; i < physad_tensors_count(t); i++) {
        physad_view view;
        assert_ok(physad_tensors_view(t, i, &view));
        const int64_t bytes = view.shape[0] * (int64_t)physad_dtype_size(view.dtype);
        unsigned char *copy = malloc((size_t)bytes + 1);
        if (bytes > 0)
            memcpy(copy, view.data, (size_t)bytes);
        for (int k = 0; k < 1 + (int)physad__rng_below(rng, 3) && i == hit && bytes > 0; k++)
            copy[physad__rng_below(rng, bytes)] =
                (unsigned char)(physad__rng_next(rng) >> (physad__rng_below(rng, 2) * 7));
        view.data = copy;
        assert_ok(physad_tensors_add(out, physad_tensors_name(t, i), &view));
        free(copy);
    }
    return out;
}

#endif
