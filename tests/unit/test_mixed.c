/* SPDX-License-Identifier: Apache-2.0 */
/* Mixed precision: every operation that takes bf16 against itself in f32, on numbers that bf16 holds exactly. What
 * differs then is the rounding of what is stored, and nothing where the result is f32. */
#include "test.h"

#include "nn/nn.h"
#include "nn/nn_tape_node.h"

#include <math.h>

/* Of a number of eight bits: half of the distance to its neighbours, over the least that are as far apart. */
static const double UNIT = 0x1p-8;

static physad_context *shared;

typedef struct sample {
    const char *name;
    int32_t ndim;
    int64_t shape[PHYSAD__TAPE_DIMS];
    int32_t (*build)(physad__tape *t, int32_t x);
    int rounds, back; /* of what is stored on the way to the output, and to the input's gradient */
} sample;

static bool has_bf16(void)
{
    return (shared->cpu_flags & PHYSAD_CPU_AVX512_BF16) != 0;
}

/* --- cases --- */

static bool mixed; /* what is being built */

static int32_t rounded(physad__tape *t, int32_t x)
{
    return mixed ? physad__tape_round(t, x) : x;
}

#define BUILD(name) static int32_t name(physad__tape *t, int32_t x)
static const physad__tape_window flat = { { 3, 3, 3 }, { 1, 2, 2 }, { 1, 1, 1 }, { 0, 0, 0 } };
static const physad__tape_window flat_up = { { 3, 3, 3 }, { 1, 2, 2 }, { 1, 1, 1 }, { 0, 1, 1 } };

static int32_t conv_of(physad__tape *t, int32_t x, int64_t channels, int64_t k, int64_t s, int64_t p)
{
    const physad__tape_window w = physad__tape_square(k, s, p, 0);
    return physad__tape_conv(t, x, "m", channels, &w, true);
}

static int32_t deconv_of(physad__tape *t, int32_t x, int64_t channels, int64_t s)
{
    const physad__tape_window w = physad__tape_square(3, s, 1, s - 1);
    return physad__tape_deconv(t, x, "m", channels, &w, true);
}

static int32_t pool_of(physad__tape *t, int32_t x, int64_t k, int64_t s, int64_t p)
{
    const physad__tape_window w = physad__tape_square(k, s, p, 0);
    return physad__tape_max_pool(t, rounded(t, x), &w);
}

BUILD(conv)
{
    return conv_of(t, x, 8, 3, 1, 1);
}
BUILD(conv_wide)
{
    return conv_of(t, x, 64, 3, 1, 1);
}
BUILD(conv_stride)
{
    return conv_of(t, x, 6, 3, 2, 1);
}
BUILD(conv_one)
{
    return conv_of(t, x, 3, 1, 1, 0);
}
BUILD(conv_flat)
{
    return physad__tape_conv(t, x, "m", 6, &flat, true);
}
BUILD(deconv)
{
    return deconv_of(t, x, 5, 2);
}
BUILD(deconv_one)
{
    return deconv_of(t, x, 5, 1);
}
BUILD(deconv_flat)
{
    return physad__tape_deconv(t, x, "m", 1, &flat_up, true);
}
BUILD(linear)
{
    return physad__tape_linear(t, x, "m", 7, true);
}
BUILD(linear_bare)
{
    return physad__tape_linear(t, x, "m", 70, false);
}
BUILD(batch_norm)
{
    return physad__tape_batch_norm(t, rounded(t, x), "n", PHYSAD__TAPE_NONE, 0);
}
BUILD(batch_norm_relu)
{
    return physad__tape_batch_norm(t, rounded(t, x), "n", PHYSAD__TAPE_RELU, 0);
}
BUILD(batch_norm_leaky)
{
    return physad__tape_batch_norm(t, rounded(t, x), "n", PHYSAD__TAPE_LEAKY, 0.2);
}
BUILD(relu)
{
    return physad__tape_activation(t, rounded(t, x), PHYSAD__TAPE_RELU, 0);
}
BUILD(leaky)
{
    return physad__tape_activation(t, rounded(t, x), PHYSAD__TAPE_LEAKY, 0.2);
}
BUILD(max_pool)
{
    return pool_of(t, x, 2, 2, 0);
}
BUILD(max_pool_overlap)
{
    return pool_of(t, x, 3, 2, 1);
}
BUILD(concat)
{
    const int64_t rows[4] = { 2, 6, 7, 5 };
    const int32_t y = rounded(t, x);
    return physad__tape_concat(t, y, physad__tape_concat(t, physad__tape_reshape(t, y, 4, rows), y));
}
/* Two convolutions and a rectifier read what one made: their gradients add up in bf16. */
BUILD(shared_input)
{
    const int32_t y = rounded(t, x), relu_of = physad__tape_activation(t, y, PHYSAD__TAPE_RELU, 0);
    const physad__tape_window w = physad__tape_square(3, 1, 1, 0);
    const int32_t a = physad__tape_conv(t, y, "a", 4, &w, false), b = physad__tape_conv(t, y, "b", 4, &w, false);
    return physad__tape_concat(t, physad__tape_concat(t, a, b), relu_of);
}
/* From f32 to bf16 and back and to both: one cast each, whoever asks. */
BUILD(casts)
{
    const int32_t y = rounded(t, x), z = physad__tape_single(t, y);
    assert_int_equal(rounded(t, x), y);
    assert_int_equal(physad__tape_single(t, y), z);
    return physad__tape_add(t, z, physad__tape_sub(t, physad__tape_scale(t, x, 0.5, 0), y));
}
/* Behind bf16 sums and products are of f32. */
BUILD(product)
{
    const int32_t y = rounded(t, x);
    return physad__tape_softmax(t, physad__tape_matmul(t, y, y, false, true), false);
}

static const sample samples[] = {
    { "conv", 4, { 3, 7, 6, 5 }, conv, 1, 1 },
    { "conv wide", 4, { 9, 5, 4, 48 }, conv_wide, 1, 1 },
    { "conv stride", 4, { 2, 9, 8, 4 }, conv_stride, 1, 1 },
    { "conv one", 4, { 2, 4, 5, 16 }, conv_one, 1, 1 },
    { "conv 3", 5, { 2, 4, 5, 6, 2 }, conv, 1, 1 },
    { "conv 3 flat", 5, { 2, 4, 6, 6, 1 }, conv_flat, 1, 1 },
    { "deconv", 4, { 2, 4, 5, 6 }, deconv, 2, 1 },
    { "deconv one", 4, { 2, 4, 5, 6 }, deconv_one, 2, 1 },
    { "deconv 3", 5, { 2, 2, 3, 3, 4 }, deconv, 2, 1 },
    { "deconv 3 flat", 5, { 2, 3, 3, 4, 3 }, deconv_flat, 2, 1 },
    { "linear", 3, { 2, 5, 9 }, linear, 1, 1 },
    { "linear long", 2, { 3001, 3 }, linear, 1, 1 },
    { "linear bare", 2, { 24, 33 }, linear_bare, 1, 1 },
    { "batch norm", 4, { 3, 4, 6, 5 }, batch_norm, 1, 1 },
    { "batch norm relu", 4, { 3, 40, 60, 5 }, batch_norm_relu, 1, 1 },
    { "batch norm leaky", 5, { 2, 2, 3, 4, 4 }, batch_norm_leaky, 1, 1 },
    { "relu", 2, { 70, 77 }, relu, 1, 1 },
    { "leaky", 2, { 70, 77 }, leaky, 1, 1 },
    { "max pool", 4, { 2, 6, 8, 3 }, max_pool, 1, 1 },
    { "max pool overlap", 4, { 70, 7, 8, 3 }, max_pool_overlap, 1, 4 },
    { "max pool 3", 5, { 2, 4, 4, 6, 3 }, max_pool, 1, 1 },
    { "concat", 4, { 2, 6, 7, 5 }, concat, 1, 3 },
    { "shared input", 4, { 2, 6, 7, 5 }, shared_input, 1, 3 },
    { "casts", 2, { 65, 66 }, casts, 1, 2 },
    { "product", 2, { 5, 6 }, product, 0, 1 },
};

/* --- a case as a tape --- */

typedef struct rig {
    physad__params params;
    physad__tape *t;
    int32_t x, y, g;
} rig;

/* Numbers that bf16 holds. */
static void draw(const char *name, float *out, int64_t count)
{
    uint16_t *narrow = test_malloc((size_t)count * sizeof(uint16_t));
    physad__nn_draw_uniform(5, name, -1, 1, out, count);
    physad__bf16_write(out, count, narrow);
    physad__bf16_read(narrow, count, out);
    test_free(narrow);
}

static void open_rig(rig *r, const sample *s, physad_context *ctx, bool bf16)
{
    int32_t ndim;
    int64_t shape[PHYSAD__TAPE_DIMS];
    *r = (rig){ .x = -1 };
    mixed = bf16;
    physad__params_init(&r->params, &ctx->mem, 1);
    assert_ok(physad__tape_new(&r->t, ctx, &r->params, true));
    if (bf16)
        assert_ok(physad__tape_mix(r->t));
    r->x = physad__tape_input(r->t, s->ndim, s->shape, true);
    r->y = physad__tape_single(r->t, s->build(r->t, r->x));
    physad__tape_shape(r->t, r->y, &ndim, shape);
    r->g = physad__tape_input(r->t, ndim, shape, false);
    assert_ok(physad__tape_compile(r->t, physad__tape_dot(r->t, r->y, r->g), &r->y, 1));
    for (int64_t i = 0; i < r->params.count; i++)
        if (r->params.items[i].grad != NULL)
            draw(r->params.items[i].name, r->params.items[i].data, r->params.items[i].count);
    draw("x", physad__tape_data(r->t, r->x), physad__tape_count(r->t, r->x));
    draw("g", physad__tape_data(r->t, r->g), physad__tape_count(r->t, r->g));
}

static void close_rig(rig *r)
{
    physad__tape_free(r->t);
    physad__params_clear(&r->params);
}

static void run(const rig *r, physad_context *ctx)
{
    physad__call call;
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    assert_ok(physad__tape_forward(r->t));
    assert_ok(physad__tape_backward(r->t));
    physad__call_end(&call);
}

/* `rounds` roundings of what is at most the largest number; sums of f32 differ by their order. */
static void compare(const char *name, const char *what, const float *got, const float *want, int64_t n, int rounds)
{
    double most = 1e-3;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++) {
        const double own = rounds == 1 ? fabs((double)want[i]) : most; /* of one rounding, the number's own */
        if (!(fabs((double)got[i] - (double)want[i]) <= 1.01 * rounds * UNIT * own + 2e-6 * most))
            fail_msg("%s: %s[%d] is %.9g in bf16, %.9g in f32", name, what, (int)i, (double)got[i], (double)want[i]);
    }
}

static void test_operations(void **state)
{
    if (!has_bf16())
        skip();
    for (int64_t i = 0; i < PHYSAD__COUNT(samples); i++) {
        const sample *s = &samples[i];
        rig a, b;
        open_rig(&a, s, shared, false);
        open_rig(&b, s, shared, true);
        run(&a, shared);
        run(&b, shared);
        compare(s->name, "y", physad__tape_data(b.t, b.y), physad__tape_data(a.t, a.y), physad__tape_count(a.t, a.y),
                s->rounds);
        compare(s->name, "dx", physad__tape_grad(b.t, b.x), physad__tape_grad(a.t, a.x), physad__tape_count(a.t, a.x),
                s->back);
        assert_int_equal(a.params.count, b.params.count);
        for (int64_t k = 0; k < a.params.count; k++) {
            const physad__param *p = &a.params.items[k], *q = &b.params.items[k];
            assert_string_equal(p->name, q->name);
            compare(s->name, p->name, p->grad != NULL ? q->grad : q->data, p->grad != NULL ? p->grad : p->data,
                    p->count, 0);
        }
        close_rig(&a);
        close_rig(&b);
    }
    assert_int_equal(physad_context_memory_used(shared), 0);
}

static void test_threads(void **state)
{
    if (!has_bf16())
        skip();
    for (int64_t i = 0; i < PHYSAD__COUNT(samples); i++) {
        rig one;
        open_rig(&one, &samples[i], shared, true);
        run(&one, shared);
        for (int32_t threads = 1; threads <= 5; threads += 2) {
            physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
            physad_context *ctx;
            rig r;
            o.threads = threads;
            assert_ok(physad_context_new(&ctx, &o));
            open_rig(&r, &samples[i], ctx, true);
            run(&r, ctx);
            assert_memory_equal(physad__tape_data(r.t, r.y), physad__tape_data(one.t, one.y),
                                (size_t)physad__tape_count(r.t, r.y) * sizeof(float));
            assert_memory_equal(physad__tape_grad(r.t, r.x), physad__tape_grad(one.t, one.x),
                                (size_t)physad__tape_count(r.t, r.x) * sizeof(float));
            for (int64_t k = 0; k < r.params.count; k++)
                if (r.params.items[k].grad != NULL)
                    assert_memory_equal(r.params.items[k].grad, one.params.items[k].grad,
                                        (size_t)r.params.items[k].count * sizeof(float));
            close_rig(&r);
            assert_int_equal(physad_context_memory_used(ctx), 0);
            physad_context_free(ctx);
        }
        close_rig(&one);
    }
}

/* --- numbers --- */

static float as_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

/* The neighbours in bf16 of every number tried, in double: the nearer one, the even one of two as near. */
static void test_rounding(void **state)
{
    physad__rng rng;
    physad__rng_seed(&rng, 7, 0);
    for (int i = 0; i < 200000; i++) {
        uint32_t u = (uint32_t)physad__rng_next(&rng);
        if (i % 4 == 0) /* halfway, or next to it */
            u = (u & 0xffff0000) + 0x8000 + (uint32_t)(i / 4 % 3) - 1;
        const float x = as_float(u), low = as_float(u & 0xffff0000), high = as_float((u & 0xffff0000) + 0x10000);
        uint16_t got;
        physad__bf16_write(&x, 1, &got);
        if (isnan(x)) {
            assert_true((got & 0x7fff) > 0x7f80);
            continue;
        }
        if (isinf(high) || isinf(x))
            continue;
        const double down = fabs((double)x - (double)low), up = fabs((double)high - (double)x);
        const uint16_t want = (uint16_t)(u >> 16), next = (uint16_t)(want + 1);
        assert_int_equal(got, down < up || (down == up && want % 2 == 0) ? want : next);
    }
    const float edges[] = { 0.0f, -0.0f, INFINITY, -INFINITY, 3.4028235e38f, -3.4028235e38f, 3.3895314e38f, 1e-45f };
    const uint16_t want[] = { 0, 0x8000, 0x7f80, 0xff80, 0x7f80, 0xff80, 0x7f7f, 0 };
    uint16_t got[PHYSAD__COUNT(edges)];
    float back[PHYSAD__COUNT(edges)];
    physad__bf16_write(edges, PHYSAD__COUNT(edges), got);
    assert_memory_equal(got, want, sizeof(want));
    physad__bf16_read(got, PHYSAD__COUNT(edges), back);
    assert_true(back[2] == INFINITY && back[3] == -INFINITY && back[0] == 0 && signbit(back[1]));
}

/* What is not finite goes through as in f32, and so does what only f32's range holds. */
static void test_range(void **state)
{
    static const double values[] = { NAN, INFINITY, 1e30, 1e-30 };
    if (!has_bf16())
        skip();
    for (int k = 0; k < PHYSAD__COUNT(values); k++) {
        float y[2], d[2];
        for (int bf16 = 0; bf16 < 2; bf16++) {
            rig r;
            open_rig(&r, &samples[0], shared, bf16 != 0);
            for (int64_t i = 0; i < physad__tape_count(r.t, r.x); i++)
                physad__tape_data(r.t, r.x)[i] = (float)values[k];
            run(&r, shared);
            y[bf16] = physad__tape_data(r.t, r.y)[100];
            d[bf16] = r.params.items[0].grad[3];
            close_rig(&r);
        }
        assert_int_equal(isfinite(y[0]), isfinite(y[1]));
        assert_int_equal(isfinite(d[0]), isfinite(d[1]));
        if (isfinite(y[0])) {
            assert_near(y[1], (double)y[0], 2 * UNIT * fabs((double)y[0]));
            assert_near(d[1], (double)d[0], 2 * UNIT * fabs((double)d[0]));
        }
    }
}

/* --- what does not fit --- */

static void test_refusals(void **state)
{
    const int64_t image[4] = { 2, 4, 4, 3 };
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    physad__params params;
    physad__tape *t;
    o.cpu_disable = PHYSAD_CPU_AVX512_BF16;
    assert_ok(physad_context_new(&ctx, &o));
    physad__params_init(&params, &ctx->mem, 1);
    assert_ok(physad__tape_new(&t, ctx, &params, true));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "use f32", physad__tape_mix(t));
    const int32_t x = physad__tape_input(t, 4, image, false);
    assert_int_equal(physad__tape_single(t, x), x);
    assert_int_equal(physad__tape_round(t, x), -1);
    assert_fails(PHYSAD_ERR_STATE, "not mixed", physad__tape_failed(t));
    physad__tape_free(t);
    physad__params_clear(&params);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_order(void **state)
{
    const int64_t image[4] = { 2, 4, 4, 3 };
    const physad__tape_window w = physad__tape_square(3, 1, 1, 0);
    physad__params params;
    physad__tape *t;
    if (!has_bf16())
        skip();
    physad__params_init(&params, &shared->mem, 1);
    assert_ok(physad__tape_new(&t, shared, &params, true));
    (void)physad__tape_input(t, 4, image, false);
    assert_fails(PHYSAD_ERR_STATE, "without operations", physad__tape_mix(t));
    physad__tape_free(t);
    for (int held = 0; held < 2; held++) {
        assert_ok(physad__tape_new(&t, shared, &params, true));
        assert_ok(physad__tape_mix(t));
        if (held)
            physad__tape_holdable(t);
        const int32_t y = physad__tape_conv(t, physad__tape_input(t, 4, image, false), "c", 4, &w, true);
        if (held)
            assert_fails(PHYSAD_ERR_ARG, "need f32", physad__tape_compile(t, physad__tape_mean(t, y), NULL, 0));
        else
            assert_fails(PHYSAD_ERR_ARG, "is of bf16", physad__tape_compile(t, physad__tape_mean(t, y), &y, 1));
        physad__tape_free(t);
    }
    physad__params_clear(&params);
    assert_int_equal(physad_context_memory_used(shared), 0);
}

/* --- no memory --- */

static int64_t left;

static void *counted_alloc(size_t size, void *user)
{
    return left-- > 0 ? malloc(size) : NULL;
}

static void counted_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

static physad_status small_fit(physad_context *ctx, rig *r)
{
    const int64_t shape[4] = { 2, 4, 4, 3 };
    const physad__tape_window w = physad__tape_square(3, 1, 1, 0);
    physad__call call;
    *r = (rig){ 0 };
    physad__params_init(&r->params, &ctx->mem, 1);
    PHYSAD__TRY(physad__tape_new(&r->t, ctx, &r->params, true));
    PHYSAD__TRY(physad__tape_mix(r->t));
    r->x = physad__tape_input(r->t, 4, shape, false);
    const int32_t c = physad__tape_conv(r->t, r->x, "c", 4, &w, true);
    const int32_t y = physad__tape_batch_norm(r->t, c, "n", PHYSAD__TAPE_RELU, 0);
    const int32_t z = physad__tape_linear(r->t, physad__tape_deconv(r->t, y, "d", 2, &w, true), "l", 3, true);
    PHYSAD__TRY(physad__tape_compile(r->t, physad__tape_mean(r->t, z), NULL, 0));
    PHYSAD__TRY(physad__call_begin(&call, ctx, NULL, "test"));
    physad_status status = physad__tape_forward(r->t);
    if (status == PHYSAD_OK)
        status = physad__tape_backward(r->t);
    physad__call_end(&call);
    return status;
}

static void test_no_memory(void **state)
{
    const physad_allocator allocator = { counted_alloc, counted_free, NULL };
    bool done = false;
    if (!has_bf16())
        skip();
    for (int64_t n = 4; !done; n++) {
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        rig r;
        o.allocator = &allocator;
        left = 1000;
        assert_ok(physad_context_new(&ctx, &o));
        left = n;
        const physad_status status = small_fit(ctx, &r);
        done = status == PHYSAD_OK;
        assert_true(done || status == PHYSAD_ERR_NOMEM);
        physad__tape_free(r.t);
        physad__params_clear(&r.params);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_true(n < 500);
    }
}

static int setup(void **state)
{
    assert_ok(physad_context_new(&shared, NULL));
    return 0;
}

static int teardown(void **state)
{
    assert_int_equal(physad_context_memory_used(shared), 0);
    physad_context_free(shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations), cmocka_unit_test(test_threads),  cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_range),      cmocka_unit_test(test_refusals), cmocka_unit_test(test_order),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
