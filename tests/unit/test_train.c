/* SPDX-License-Identifier: Apache-2.0 */
/* Training: losses of 20 steps as PyTorch has them, the same bits on any number of threads and after an interruption,
 * and what goes wrong. */
#include "test.h"

#include "train/train.h"

#include <physad/tensors.h>

#include <unistd.h>

enum { STEPS = 20, BATCH = 4, SIDE = 8, PIXELS = BATCH * SIDE * SIDE * 2 };

static physad_tensors *golden;
static physad_context *shared;
static char folder[64];
static bool mixed; /* networks to be made: in mixed precision */

static const float *find(const char *name, int64_t count)
{
    physad_view v;
    assert_ok(physad_tensors_find(golden, name, &v));
    assert_int_equal(physad__view_count(&v), count);
    return v.data;
}

/* --- the network of the golden
 * ----------------------------------------------------------------------------------------------- */

typedef struct net {
    physad_context *ctx;
    physad__params params;
    physad__tape *t;
    int32_t x, labels, loss;
    const float *pixels, *marks;
    int64_t fail_at; /* batch whose filling fails; -1: none */
} net;

static physad_status build(net *n)
{
    const int64_t image[4] = { BATCH, SIDE, SIDE, 2 }, rows[1] = { BATCH };
    const physad__tape_window same = physad__tape_square(3, 1, 1, 0), half = physad__tape_square(2, 2, 0, 0),
                              up = physad__tape_square(3, 2, 1, 1);
    physad__tape *t;
    PHYSAD__TRY(physad__tape_new(&n->t, n->ctx, &n->params, true));
    t = n->t;
    if (mixed)
        PHYSAD__TRY(physad__tape_mix(t));
    n->x = physad__tape_input(t, 4, image, false);
    n->labels = physad__tape_input(t, 1, rows, false);
    const int32_t a =
        physad__tape_batch_norm(t, physad__tape_conv(t, n->x, "c1", 6, &same, true), "n1", PHYSAD__TAPE_RELU, 0);
    const int32_t p = physad__tape_conv(t, physad__tape_max_pool(t, a, &half), "c2", 8, &same, true);
    const int32_t b = physad__tape_batch_norm(t, p, "n2", PHYSAD__TAPE_LEAKY, 0.2);
    const int32_t c = physad__tape_concat(t, a, physad__tape_deconv(t, b, "up", 6, &up, true));
    const int32_t y = physad__tape_activation(t, physad__tape_conv(t, c, "c3", 2, &same, true), PHYSAD__TAPE_TANH, 0);
    const int32_t logits = physad__tape_linear(t, physad__tape_global_pool(t, b), "head", 3, true);
    const int32_t e = physad__tape_scale(t, physad__tape_cross_entropy(t, logits, n->labels), 0.1, 0);
    n->loss = physad__tape_add(t, physad__tape_mse(t, y, physad__tape_scale(t, n->x, 0.5, 0)), e);
    return physad__tape_compile(t, n->loss, NULL, 0);
}

static void load(net *n)
{
    char name[64];
    for (int64_t i = 0; i < n->params.count; i++) {
        physad__param *p = &n->params.items[i];
        snprintf(name, sizeof(name), "p.%s", p->name);
        if (p->grad != NULL)
            memcpy(p->data, find(name, p->count), (size_t)p->count * sizeof(float));
    }
}

static physad_status fill(void *user, int64_t epoch, int64_t batch, float *const *arrays)
{
    const net *n = user;
    const int64_t k = (epoch * 5 + batch) % STEPS;
    if (epoch * 5 + batch == n->fail_at)
        return physad__error(PHYSAD_ERR_IO, "no batch %lld", (long long)n->fail_at);
    memcpy(arrays[0], n->pixels + k * PIXELS, PIXELS * sizeof(float));
    memcpy(arrays[1], n->marks + k * BATCH, BATCH * sizeof(float));
    return PHYSAD_OK;
}

static void open_net(net *n, physad_context *ctx)
{
    *n = (net){
        .ctx = ctx, .fail_at = -1, .pixels = find("x", (int64_t)STEPS * PIXELS), .marks = find("labels", STEPS * BATCH)
    };
    physad__params_init(&n->params, &ctx->mem, 1);
    assert_ok(build(n));
    load(n);
}

static void close_net(net *n)
{
    physad__tape_free(n->t);
    physad__params_clear(&n->params);
}

static physad_status train_with(net *n, const physad__train_options *o, physad_call_options *call_options,
                                double *losses, physad__train_result *result)
{
    physad__call call;
    physad__train_result r;
    const physad__job job = { .params = &n->params,
                              .tape = n->t,
                              .loss = n->loss,
                              .inputs = { n->x, n->labels },
                              .arrays = 2,
                              .fill = fill,
                              .user = n };
    PHYSAD__TRY(physad__call_begin(&call, n->ctx, call_options, "test"));
    const physad_status status = physad__train(n->ctx, &job, o, &call, result != NULL ? result : &r, losses);
    physad__call_end(&call);
    return status;
}

static const struct {
    const char *name;
    physad__train_options o;
} kinds[] = {
    { "losses.adam",
      { .optimizer = { .kind = PHYSAD__ADAM, .rate = 3e-3, .decay = 1e-3 }, .epochs = 4, .batches = 5 } },
    { "losses.adamw_cosine",
      { .optimizer = { .kind = PHYSAD__ADAMW, .rate = 5e-3, .beta1 = 0.5, .decay = 0.01 },
        .schedule = { PHYSAD__COSINE, 4, 0 },
        .epochs = 4,
        .batches = 5 } },
    { "losses.sgd_steps",
      { .optimizer = { .kind = PHYSAD__SGD, .rate = 0.1, .momentum = 0.9, .decay = 1e-3 },
        .schedule = { PHYSAD__STEPS, 2, 0.3 },
        .epochs = 4,
        .batches = 5 } },
    { "losses.sgd_clip",
      { .optimizer = { .kind = PHYSAD__SGD, .rate = 0.1, .clip = 0.25 }, .epochs = 4, .batches = 5 } },
};

static void test_golden(void **state)
{
    for (int64_t k = 0; k < PHYSAD__COUNT(kinds); k++) {
        double losses[STEPS];
        physad__train_result result;
        net n;
        open_net(&n, shared);
        assert_ok(train_with(&n, &kinds[k].o, NULL, losses, &result));
        const float *want = find(kinds[k].name, STEPS);
        for (int i = 0; i < STEPS; i++)
            assert_near(losses[i], (double)want[i], 1e-4 * (double)want[i]);
        assert_int_equal(result.epochs, 4);
        assert_true(result.whole && !result.early);
        assert_near(result.last_loss, (losses[15] + losses[16] + losses[17] + losses[18] + losses[19]) / 5, 1e-12);
        close_net(&n);
    }
}

static void assert_same(const net *a, const net *b)
{
    assert_int_equal(a->params.count, b->params.count);
    for (int64_t i = 0; i < a->params.count; i++)
        assert_memory_equal(a->params.items[i].data, b->params.items[i].data,
                            (size_t)a->params.items[i].count * sizeof(float));
}

static void test_threads(void **state)
{
    net one;
    open_net(&one, shared);
    assert_ok(train_with(&one, &kinds[0].o, NULL, NULL, NULL));
    for (int32_t threads = 1; threads <= 4; threads++) {
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        net n;
        o.threads = threads;
        assert_ok(physad_context_new(&ctx, &o));
        open_net(&n, ctx);
        assert_ok(train_with(&n, &kinds[0].o, NULL, NULL, NULL));
        assert_same(&one, &n);
        close_net(&n);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
    close_net(&one);
}

/* --- checkpoints
 * ------------------------------------------------------------------------------------------------------------- */

/* Interrupted after 3, 8 and 17 batches, each time with everything made anew. */
static void test_resume(void **state)
{
    static const int64_t pieces[] = { 3, 5, 9, 20 };
    char path[128];
    snprintf(path, sizeof(path), "%s/run", folder);
    for (int64_t k = 0; k < PHYSAD__COUNT(kinds); k++) {
        net whole, parts = { 0 };
        physad__train_result a, b;
        physad__train_options o = kinds[k].o;
        open_net(&whole, shared);
        assert_ok(train_with(&whole, &o, NULL, NULL, &a));
        o.checkpoint = path;
        for (int64_t i = 0; i < PHYSAD__COUNT(pieces); i++) {
            if (i > 0)
                close_net(&parts);
            open_net(&parts, shared);
            o.stop_after = pieces[i];
            assert_ok(train_with(&parts, &o, NULL, NULL, &b));
            assert_int_equal(b.whole, i == PHYSAD__COUNT(pieces) - 1);
        }
        assert_same(&whole, &parts);
        assert_true(a.last_loss == b.last_loss && a.first_loss == b.first_loss);
        /* A finished run does nothing more. */
        assert_ok(train_with(&parts, &o, NULL, NULL, &b));
        assert_same(&whole, &parts);
        close_net(&whole);
        close_net(&parts);
        assert_int_equal(unlink(path), 0);
    }
}

static void test_other_checkpoint(void **state)
{
    char path[128];
    net n;
    physad__train_options o = kinds[0].o;
    snprintf(path, sizeof(path), "%s/other", folder);
    open_net(&n, shared);
    o.checkpoint = path;
    o.signature = "one";
    assert_ok(train_with(&n, &o, NULL, NULL, NULL));
    o.signature = "two";
    assert_fails(PHYSAD_ERR_FORMAT, "another training", train_with(&n, &o, NULL, NULL, NULL));
    FILE *f = fopen(path, "wb");
    fputs("no such thing", f);
    fclose(f);
    assert_int_not_equal(train_with(&n, &o, NULL, NULL, NULL), PHYSAD_OK);
    assert_int_equal(unlink(path), 0);
    close_net(&n);
}

/* --- mixed precision
 * ---------------------------------------------------------------------------------------------------------- */

static bool mix(void)
{
    mixed = (shared->cpu_flags & PHYSAD_CPU_AVX512_BF16) != 0;
    return mixed;
}

static int unmix(void **state)
{
    mixed = false;
    return 0;
}

/* A number of bf16 is off by at most 2^-8 of itself. A loss is a mean over hundreds that were rounded independently of
 * each other, so that less than one number's rounding is left of it; and as steps follow the gradient's direction, not
 * its last digits, the runs stay together. */
static const double OFF = 0x1p-8;

static void test_mixed_golden(void **state)
{
    if (!mix())
        skip();
    for (int64_t k = 0; k < PHYSAD__COUNT(kinds); k++) {
        double losses[STEPS];
        char name[64];
        net n;
        open_net(&n, shared);
        assert_ok(train_with(&n, &kinds[k].o, NULL, losses, NULL));
        snprintf(name, sizeof(name), "mixed.%s", kinds[k].name + strlen("losses."));
        const float *single = find(kinds[k].name, STEPS), *theirs = find(name, STEPS);
        double most = 0;
        for (int i = 0; i < STEPS; i++) {
            assert_near(losses[i], (double)single[i], OFF * (double)single[i]);
            assert_near(losses[i], (double)theirs[i], OFF * (double)theirs[i]);
            most = fmax(most, fabs(losses[i] - (double)single[i]));
        }
        assert_true(most > 1e-6); /* it was no f32 */
        close_net(&n);
    }
}

static void test_mixed_threads(void **state)
{
    if (mix())
        test_threads(state);
    else
        skip();
}

static void test_mixed_resume(void **state)
{
    if (mix())
        test_resume(state);
    else
        skip();
}

/* --- what ends a training
 * ------------------------------------------------------------------------------------------------------ */

static void test_patience(void **state)
{
    physad__train_result result;
    net n;
    physad__train_options o = kinds[0].o;
    open_net(&n, shared);
    o.optimizer.rate = 1e-30; /* nothing moves, but the batches differ: the first epoch that is no better is the last */
    o.epochs = 9;
    o.patience = 1;
    assert_ok(train_with(&n, &o, NULL, NULL, &result));
    assert_true(result.early && result.whole && result.epochs < 9);
    close_net(&n);
}

typedef struct listener {
    int64_t calls, cancel_at;
    bool told;
} listener;

static int listen(const physad_progress *progress, void *user)
{
    listener *l = user;
    l->told = l->told || (strstr(progress->stage, "loss ") != NULL && strstr(progress->stage, " left") != NULL);
    assert_int_equal(progress->total, 20);
    return ++l->calls == l->cancel_at;
}

static void test_progress_and_cancel(void **state)
{
    net n;
    listener l = { 0 };
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.progress = listen;
    call.progress_user = &l;
    open_net(&n, shared);
    assert_ok(train_with(&n, &kinds[0].o, &call, NULL, NULL));
    assert_true(l.told);
    l = (listener){ .cancel_at = 1 };
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", train_with(&n, &kinds[0].o, &call, NULL, NULL));
    close_net(&n);
}

static void test_failures(void **state)
{
    net n;
    physad__train_options o = kinds[0].o;
    open_net(&n, shared);
    n.fail_at = 7;
    assert_fails(PHYSAD_ERR_IO, "no batch 7", train_with(&n, &o, NULL, NULL, NULL));
    n.fail_at = -1;
    o.epochs = 0;
    assert_fails(PHYSAD_ERR_ARG, "0 epochs", train_with(&n, &o, NULL, NULL, NULL));
    o.epochs = 4;
    o.optimizer = (physad__optimizer_options){ .kind = PHYSAD__SGD, .rate = 1e30 };
    assert_fails(PHYSAD_ERR_NUMERIC, "learning rate", train_with(&n, &o, NULL, NULL, NULL));
    close_net(&n);
}

/* Also where all of it is of bf16, whose range is f32's: too large a step is seen in the gradients. */
static void test_mixed_failures(void **state)
{
    if (mix())
        test_failures(state);
    else
        skip();
}

/* --- no memory
 * --------------------------------------------------------------------------------------------------------------------
 */

static int64_t left;

static void *counted_alloc(size_t size, void *user)
{
    return left-- > 0 ? malloc(size) : NULL;
}

static void counted_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

static void test_no_memory(void **state)
{
    const physad_allocator allocator = { counted_alloc, counted_free, NULL };
    bool done = false;
    physad__train_options o = kinds[0].o;
    o.epochs = 1;
    for (int64_t n = 4; !done; n += 3) {
        physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        net run = { .fail_at = -1,
                    .pixels = find("x", (int64_t)STEPS * PIXELS),
                    .marks = find("labels", STEPS * BATCH) };
        c.allocator = &allocator;
        left = 1000;
        assert_ok(physad_context_new(&ctx, &c));
        left = n;
        run.ctx = ctx;
        physad__params_init(&run.params, &ctx->mem, 1);
        physad_status status = build(&run);
        if (status == PHYSAD_OK)
            status = train_with(&run, &o, NULL, NULL, NULL);
        done = status == PHYSAD_OK;
        assert_true(done || status == PHYSAD_ERR_NOMEM);
        close_net(&run);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_true(n < 1000);
    }
}

static int setup(void **state)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/train/runs.safetensors", getenv("PHYSAD_TEST_GOLDEN"));
    snprintf(folder, sizeof(folder), "/tmp/physad-train-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_ok(physad_context_new(&shared, NULL));
    assert_ok(physad_tensors_open(&golden, shared, path, NULL));
    return 0;
}

static int teardown(void **state)
{
    physad_tensors_free(golden);
    rmdir(folder);
    assert_int_equal(physad_context_memory_used(shared), 0);
    physad_context_free(shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_other_checkpoint),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_progress_and_cancel),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test_teardown(test_mixed_golden, unmix),
        cmocka_unit_test_teardown(test_mixed_threads, unmix),
        cmocka_unit_test_teardown(test_mixed_resume, unmix),
        cmocka_unit_test_teardown(test_mixed_failures, unmix),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
