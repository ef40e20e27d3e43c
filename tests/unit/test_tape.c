/* SPDX-License-Identifier: Apache-2.0 */
/* Every layer that trains: its value and gradients against PyTorch's and against differences, for any number of
 * threads. */
#include "test.h"

#include "nn/nn.h"

#include <physad/tensors.h>

static physad_tensors *golden;
static physad_context *shared;

typedef struct sample {
    const char *name;
    int32_t (*build)(physad__tape *t, const int32_t *x);
    bool kinked; /* not smooth: differences are taken where no kink is near */
} sample;

/* --- what the cases are made of
 * --------------------------------------------------------------------------------------- */

#define BUILD(name) static int32_t name(physad__tape *t, const int32_t *x)
static const physad__tape_window half3 = { { 3, 3, 3 }, { 1, 2, 2 }, { 1, 1, 1 }, { 0, 0, 0 } };
static const physad__tape_window half3_up = { { 3, 3, 3 }, { 1, 2, 2 }, { 1, 1, 1 }, { 0, 1, 1 } };

static int32_t square(physad__tape *t, int32_t x, int64_t channels, int64_t k, int64_t s, int64_t p, bool bias)
{
    const physad__tape_window w = physad__tape_square(k, s, p, 0);
    return physad__tape_conv(t, x, "m", channels, &w, bias);
}

static int32_t square_up(physad__tape *t, int32_t x, int64_t channels, int64_t s)
{
    const physad__tape_window w = physad__tape_square(3, s, 1, s - 1);
    return physad__tape_deconv(t, x, "m", channels, &w, true);
}

BUILD(conv)
{
    return square(t, x[0], 8, 3, 1, 1, true);
}
BUILD(conv_stride)
{
    return square(t, x[0], 6, 3, 2, 1, false);
}
BUILD(conv_one)
{
    return square(t, x[0], 3, 1, 1, 0, true);
}
BUILD(conv_five)
{
    return square(t, x[0], 4, 5, 1, 2, true);
}
BUILD(conv_valid)
{
    return square(t, x[0], 16, 4, 1, 0, true);
}
BUILD(conv3)
{
    return square(t, x[0], 5, 3, 1, 1, true);
}
BUILD(conv3_stride)
{
    return physad__tape_conv(t, x[0], "m", 6, &half3, true);
}
BUILD(deconv)
{
    return square_up(t, x[0], 4, 2);
}
BUILD(deconv_flat)
{
    return square_up(t, x[0], 5, 1);
}
BUILD(deconv3)
{
    return square_up(t, x[0], 3, 2);
}
BUILD(deconv3_stride)
{
    return physad__tape_deconv(t, x[0], "m", 1, &half3_up, true);
}

static int32_t pool(physad__tape *t, int32_t x, int64_t k, int64_t s, int64_t p, bool max)
{
    const physad__tape_window w = physad__tape_square(k, s, p, 0);
    return max ? physad__tape_max_pool(t, x, &w) : physad__tape_avg_pool(t, x, &w);
}

BUILD(max_pool)
{
    return pool(t, x[0], 2, 2, 0, true);
}
BUILD(max_pool_overlap)
{
    return pool(t, x[0], 3, 2, 1, true);
}
BUILD(avg_pool)
{
    return pool(t, x[0], 3, 2, 1, false);
}
BUILD(avg_pool3)
{
    return pool(t, x[0], 2, 2, 0, false);
}
BUILD(global_pool)
{
    return physad__tape_global_pool(t, x[0]);
}
BUILD(nearest)
{
    return physad__tape_resample(t, x[0], 7, 9, PHYSAD__TAPE_NEAREST);
}
BUILD(bilinear)
{
    return physad__tape_resample(t, x[0], 7, 9, PHYSAD__TAPE_BILINEAR);
}
BUILD(bilinear_down)
{
    return physad__tape_resample(t, x[0], 3, 2, PHYSAD__TAPE_BILINEAR);
}
BUILD(corners)
{
    return physad__tape_resample(t, x[0], 7, 9, PHYSAD__TAPE_BILINEAR_CORNERS);
}

BUILD(batch_norm)
{
    return physad__tape_batch_norm(t, x[0], "n", PHYSAD__TAPE_NONE, 0);
}
BUILD(batch_norm_relu)
{
    return physad__tape_batch_norm(t, x[0], "n", PHYSAD__TAPE_RELU, 0);
}
BUILD(batch_norm_leaky)
{
    return physad__tape_batch_norm(t, x[0], "n", PHYSAD__TAPE_LEAKY, 0.2);
}
BUILD(layer_norm)
{
    return physad__tape_layer_norm(t, x[0], "m", 1e-5);
}
BUILD(group_norm)
{
    return physad__tape_group_norm(t, x[0], "m", 2, 1e-5);
}
BUILD(instance_norm)
{
    return physad__tape_group_norm(t, x[0], NULL, 3, 1e-5);
}

BUILD(relu)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_RELU, 0);
}
BUILD(leaky)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_LEAKY, 0.2);
}
BUILD(sigmoid)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_SIGMOID, 0);
}
BUILD(tanh_of)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_TANH, 0);
}
BUILD(silu)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_SILU, 0);
}
BUILD(gelu)
{
    return physad__tape_activation(t, x[0], PHYSAD__TAPE_GELU, 0);
}
BUILD(arithmetic)
{
    const int32_t p = physad__tape_mul(t, physad__tape_add(t, x[0], x[1]), physad__tape_sub(t, x[0], x[1]));
    const int32_t q = physad__tape_add(t, physad__tape_mul(t, x[0], x[0]), physad__tape_add(t, x[0], x[0]));
    return physad__tape_add(t, physad__tape_scale(t, p, 1.5, -0.25), q);
}
BUILD(shrink)
{
    return physad__tape_shrink(t, x[0], 0.1);
}
BUILD(normalize)
{
    return physad__tape_normalize(t, x[0], 2);
}
BUILD(normalize_sum)
{
    return physad__tape_normalize(t, x[0], 1);
}
BUILD(softmax)
{
    return physad__tape_softmax(t, x[0], false);
}
BUILD(softmax_rows)
{
    return physad__tape_softmax(t, x[0], true);
}

BUILD(linear)
{
    return physad__tape_linear(t, x[0], "m", 4, true);
}
BUILD(linear_long)
{
    return physad__tape_linear(t, x[0], "m", 2, true);
}
BUILD(product)
{
    return physad__tape_matmul(t, x[0], x[1], false, false);
}
BUILD(product_turn_a)
{
    return physad__tape_matmul(t, x[0], x[1], true, false);
}
BUILD(product_turn_b)
{
    return physad__tape_matmul(t, x[0], x[1], false, true);
}
BUILD(product_turn_both)
{
    return physad__tape_matmul(t, x[0], x[1], true, true);
}
BUILD(attention)
{
    const int64_t split[5] = { 2, 6, 3, 2, 4 }, heads[4] = { 2, 2, 6, 4 }, joined[3] = { 2, 6, 8 };
    const int32_t axes[5] = { 2, 0, 3, 1, 4 }, back[4] = { 0, 2, 1, 3 };
    const int32_t all =
        physad__tape_permute(t, physad__tape_reshape(t, physad__tape_linear(t, x[0], "qkv", 24, true), 5, split), axes);
    int32_t part[3];
    for (int32_t i = 0; i < 3; i++)
        part[i] = physad__tape_reshape(t, physad__tape_slice(t, all, 0, i, 1), 4, heads);
    const int32_t scores = physad__tape_scale(t, physad__tape_matmul(t, part[0], part[1], false, true), 0.5, 0);
    const int32_t mixed = physad__tape_matmul(t, physad__tape_softmax(t, scores, false), part[2], false, false);
    return physad__tape_linear(t, physad__tape_reshape(t, physad__tape_permute(t, mixed, back), 3, joined), "out", 8,
                               true);
}

BUILD(concat)
{
    return physad__tape_concat(t, x[0], x[1]);
}
BUILD(slice)
{
    return physad__tape_slice(t, x[0], 1, 1, 2);
}
BUILD(slice_channels)
{
    return physad__tape_slice(t, x[0], 2, 2, 3);
}
BUILD(permute)
{
    const int32_t axes[4] = { 2, 0, 3, 1 };
    return physad__tape_permute(t, x[0], axes);
}
BUILD(reshape)
{
    const int64_t shape[2] = { 4, 6 };
    const int32_t y = physad__tape_reshape(t, x[0], 2, shape);
    return physad__tape_add(t, physad__tape_activation(t, y, PHYSAD__TAPE_TANH, 0), y);
}
BUILD(gather)
{
    return physad__tape_gather(t, x[0], x[1]);
}
BUILD(detach)
{
    return physad__tape_mul(t, x[0], physad__tape_detach(t, x[0]));
}

BUILD(mse)
{
    return physad__tape_mse(t, x[0], x[1]);
}
BUILD(l1)
{
    return physad__tape_l1(t, x[0], x[1]);
}
BUILD(bce)
{
    return physad__tape_bce(t, x[0], x[1]);
}
BUILD(cross_entropy)
{
    return physad__tape_cross_entropy(t, x[0], x[1]);
}
BUILD(cosine)
{
    return physad__tape_cosine(t, x[0], x[1]);
}
BUILD(entropy)
{
    return physad__tape_entropy(t, x[0]);
}
BUILD(triplet)
{
    return physad__tape_triplet(t, x[0], x[1], x[2], 1);
}
BUILD(spread)
{
    return physad__tape_spread(t, x[0], 1);
}
BUILD(mean)
{
    return physad__tape_mean(t, x[0]);
}

static const sample samples[] = {
    { "conv", conv, false },
    { "conv_stride", conv_stride, false },
    { "conv_one", conv_one, false },
    { "conv_five", conv_five, false },
    { "conv_valid", conv_valid, false },
    { "conv3", conv3, false },
    { "conv3_stride", conv3_stride, false },
    { "deconv", deconv, false },
    { "deconv_flat", deconv_flat, false },
    { "deconv3", deconv3, false },
    { "deconv3_stride", deconv3_stride, false },
    { "max_pool", max_pool, true },
    { "max_pool_overlap", max_pool_overlap, true },
    { "max_pool3", max_pool, true },
    { "avg_pool", avg_pool, false },
    { "avg_pool3", avg_pool3, false },
    { "global_pool", global_pool, false },
    { "nearest", nearest, false },
    { "bilinear", bilinear, false },
    { "bilinear_down", bilinear_down, false },
    { "corners", corners, false },
    { "batch_norm", batch_norm, false },
    { "batch_norm_relu", batch_norm_relu, true },
    { "batch_norm_leaky", batch_norm_leaky, true },
    { "layer_norm", layer_norm, false },
    { "group_norm", group_norm, false },
    { "instance_norm", instance_norm, false },
    { "relu", relu, true },
    { "leaky", leaky, true },
    { "sigmoid", sigmoid, false },
    { "tanh", tanh_of, false },
    { "silu", silu, false },
    { "gelu", gelu, false },
    { "arithmetic", arithmetic, false },
    { "shrink", shrink, true },
    { "normalize", normalize, false },
    { "normalize_sum", normalize_sum, true },
    { "softmax", softmax, false },
    { "softmax_rows", softmax_rows, false },
    { "linear", linear, false },
    { "linear_long", linear_long, false },
    { "product", product, false },
    { "product_turn_a", product_turn_a, false },
    { "product_turn_b", product_turn_b, false },
    { "product_turn_both", product_turn_both, false },
    { "product_shared", product_turn_b, false },
    { "attention", attention, false },
    { "concat", concat, false },
    { "slice", slice, false },
    { "slice_channels", slice_channels, false },
    { "permute", permute, false },
    { "reshape", reshape, false },
    { "gather", gather, false },
    { "gather_tables", gather, false },
    { "detach", detach, true }, /* differences see what gradients must not */
    { "mse", mse, false },
    { "l1", l1, true },
    { "bce", bce, false },
    { "cross_entropy", cross_entropy, false },
    { "cosine", cosine, false },
    { "entropy", entropy, true }, /* steep near zero */
    { "triplet", triplet, true },
    { "spread", spread, true },
    { "mean", mean, false },
};

/* --- a case as a tape
 * ---------------------------------------------------------------------------------------------------- */

typedef struct rig {
    const sample *s;
    physad_context *ctx;
    physad__params params;
    physad__tape *t;
    int32_t x[3], count, y, g, loss;
} rig;

static const float *find(const char *name, const char *part, int64_t count)
{
    char key[128];
    physad_view v;
    snprintf(key, sizeof(key), "%s.%s", name, part);
    if (!physad_tensors_has(golden, key))
        return NULL;
    assert_ok(physad_tensors_find(golden, key, &v));
    assert_int_equal(v.dtype, PHYSAD_F32);
    if (count >= 0)
        assert_int_equal(physad__view_count(&v), count);
    return v.data;
}

static int32_t add_input(rig *r, const char *part, bool gradient)
{
    char key[128];
    physad_view v;
    snprintf(key, sizeof(key), "%s.%s", r->s->name, part);
    assert_ok(physad_tensors_find(golden, key, &v));
    return physad__tape_input(r->t, v.ndim, v.shape, gradient);
}

/* Our "m.weight" is "weight" in the file. */
static const float *find_param(const rig *r, const char *what, const char *name, int64_t count)
{
    char part[96];
    snprintf(part, sizeof(part), "%s.%s", what, strncmp(name, "m.", 2) == 0 ? name + 2 : name);
    return find(r->s->name, part, count);
}

static void fill(const rig *r)
{
    char part[16];
    for (int32_t i = 0; i < r->count; i++) {
        const int64_t n = physad__tape_count(r->t, r->x[i]);
        snprintf(part, sizeof(part), "x%d", i);
        memcpy(physad__tape_data(r->t, r->x[i]), find(r->s->name, part, n), (size_t)n * sizeof(float));
    }
    const int64_t n = physad__tape_count(r->t, r->g);
    memcpy(physad__tape_data(r->t, r->g), find(r->s->name, "g", n), (size_t)n * sizeof(float));
}

static void open_rig(rig *r, const sample *s, physad_context *ctx)
{
    char part[16];
    *r = (rig){ .s = s, .ctx = ctx };
    physad__params_init(&r->params, &ctx->mem, 1);
    assert_ok(physad__tape_new(&r->t, ctx, &r->params, true));
    for (; r->count < 3; r->count++) {
        snprintf(part, sizeof(part), "x%d", r->count);
        if (find(s->name, part, -1) == NULL)
            break;
        char slope[16];
        snprintf(slope, sizeof(slope), "d.x%d", r->count);
        r->x[r->count] = add_input(r, part, find(s->name, slope, -1) != NULL);
    }
    r->y = s->build(r->t, r->x);
    r->g = add_input(r, "g", false);
    r->loss = physad__tape_dot(r->t, r->y, r->g);
    assert_ok(physad__tape_failed(r->t));
    for (int64_t i = 0; i < r->params.count; i++) {
        physad__param *p = &r->params.items[i];
        const float *data = find_param(r, "p", p->name, p->count);
        if (data != NULL)
            memcpy(p->data, data, (size_t)p->count * sizeof(float));
    }
    assert_ok(physad__tape_compile(r->t, r->loss, &r->y, 1));
    fill(r);
}

static void close_rig(rig *r)
{
    physad__tape_free(r->t);
    physad__params_clear(&r->params);
}

static void run(rig *r)
{
    physad__call call;
    assert_ok(physad__call_begin(&call, r->ctx, NULL, "test"));
    assert_ok(physad__tape_forward(r->t));
    assert_ok(physad__tape_backward(r->t));
    physad__call_end(&call);
}

static void compare(const rig *r, const char *what, const float *got, const float *want, int64_t n)
{
    double most = 1e-3;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= 2e-5 * most))
            fail_msg("%s: %s[%d] is %.9g, PyTorch says %.9g", r->s->name, what, (int)i, (double)got[i],
                     (double)want[i]);
}

static void compare_with_golden(const rig *r)
{
    const int64_t n = physad__tape_count(r->t, r->y);
    char part[16];
    compare(r, "y", physad__tape_data(r->t, r->y), find(r->s->name, "y", n), n);
    for (int32_t i = 0; i < r->count; i++) {
        const int64_t m = physad__tape_count(r->t, r->x[i]);
        snprintf(part, sizeof(part), "d.x%d", i);
        const float *want = find(r->s->name, part, -1);
        if (want != NULL)
            compare(r, part, physad__tape_grad(r->t, r->x[i]), want, m);
    }
    for (int64_t i = 0; i < r->params.count; i++) {
        const physad__param *p = &r->params.items[i];
        if (p->grad != NULL) {
            const float *want = find_param(r, "d", p->name, p->count);
            assert_non_null(want);
            compare(r, p->name, p->grad, want, p->count);
        } else {
            compare(r, p->name, p->data, find_param(r, "s", p->name, p->count), p->count);
        }
    }
}

static void test_golden(void **state)
{
    for (int64_t i = 0; i < PHYSAD__COUNT(samples); i++) {
        rig r;
        open_rig(&r, &samples[i], shared);
        run(&r);
        compare_with_golden(&r);
        /* A second run: nothing is left over, but parameters' gradients add up. */
        physad__params_zero_grad(&r.params);
        fill(&r);
        for (int64_t k = 0; k < r.params.count; k++)
            if (r.params.items[k].grad == NULL)
                for (int64_t j = 0; j < r.params.items[k].count; j++)
                    r.params.items[k].data[j] = physad__has_suffix(r.params.items[k].name, "var") ? 1.0f : 0.0f;
        run(&r);
        compare_with_golden(&r);
        close_rig(&r);
    }
}

/* --- differences
 * ------------------------------------------------------------------------------------------------------------ */

/* The dot product of output and weights, in double. */
static double objective(rig *r)
{
    physad__call call;
    assert_ok(physad__call_begin(&call, r->ctx, NULL, "test"));
    assert_ok(physad__tape_forward(r->t));
    physad__call_end(&call);
    const float *y = physad__tape_data(r->t, r->y), *g = physad__tape_data(r->t, r->g);
    double sum = 0;
    for (int64_t i = 0; i < physad__tape_count(r->t, r->y); i++)
        sum += (double)y[i] * (double)g[i];
    return sum;
}

/* Central differences of two widths: where they disagree a kink lies between. */
static void check_array(rig *r, const char *what, float *data, const float *gradient, int64_t n, physad__rng *rng)
{
    double most = 1e-2;
    float *slope = test_malloc((size_t)n * sizeof(float)); /* the next run takes its place */
    run(r);
    memcpy(slope, gradient, (size_t)n * sizeof(float));
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)slope[i]));
    int64_t told = 0;
    for (int64_t k = 0; k < physad__min(n, 8); k++) {
        const int64_t i = physad__rng_below(rng, n);
        const float was = data[i];
        double d[2];
        for (int wide = 0; wide < 2; wide++) {
            const float h = wide ? 0x1p-6f : 0x1p-7f;
            data[i] = was + h;
            const double up = objective(r);
            data[i] = was - h;
            d[wide] = (up - objective(r)) / (2 * (double)h);
        }
        data[i] = was;
        if (r->s->kinked && fabs(d[0] - d[1]) > 1e-3 * most)
            continue;
        told++;
        if (!(fabs(d[0] - (double)slope[i]) <= 5e-3 * most))
            fail_msg("%s: gradient of %s[%d] is %.9g, differences say %.9g", r->s->name, what, (int)i, (double)slope[i],
                     d[0]);
    }
    test_free(slope);
    assert_true(told > 0);
}

static void test_differences(void **state)
{
    physad__rng rng;
    physad__rng_seed(&rng, 3, 0);
    for (int64_t i = 0; i < PHYSAD__COUNT(samples); i++) {
        rig r;
        if (strcmp(samples[i].name, "detach") == 0)
            continue;
        open_rig(&r, &samples[i], shared);
        for (int32_t k = 0; k < r.count; k++) {
            char part[16];
            const int64_t n = physad__tape_count(r.t, r.x[k]);
            snprintf(part, sizeof(part), "d.x%d", k);
            const float *slope = find(r.s->name, part, -1);
            if (slope != NULL)
                check_array(&r, part, physad__tape_data(r.t, r.x[k]), physad__tape_grad(r.t, r.x[k]), n, &rng);
        }
        for (int64_t k = 0; k < r.params.count; k++)
            if (r.params.items[k].grad != NULL) {
                physad__params_zero_grad(&r.params);
                check_array(&r, r.params.items[k].name, r.params.items[k].data, r.params.items[k].grad,
                            r.params.items[k].count, &rng);
            }
        close_rig(&r);
    }
}

/* --- the same bits for any number of threads
 * ---------------------------------------------------------------------------------- */

static void test_threads(void **state)
{
    for (int64_t i = 0; i < PHYSAD__COUNT(samples); i++) {
        rig one;
        open_rig(&one, &samples[i], shared);
        run(&one);
        for (int32_t threads = 1; threads <= 5; threads += 2) {
            physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
            physad_context *ctx;
            rig r;
            o.threads = threads;
            assert_ok(physad_context_new(&ctx, &o));
            open_rig(&r, &samples[i], ctx);
            run(&r);
            const size_t n = (size_t)physad__tape_count(r.t, r.y) * sizeof(float);
            assert_memory_equal(physad__tape_data(r.t, r.y), physad__tape_data(one.t, one.y), n);
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

/* --- what does not fit, what does not last
 * ------------------------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    const int64_t image[4] = { 2, 4, 4, 3 }, flat[2] = { 2, 3 }, other[2] = { 3, 2 };
    physad__params params;
    physad__tape *t;
    physad__params_init(&params, &shared->mem, 1);
    for (int k = 0; k < 14; k++) {
        static const int32_t twice[4] = { 0, 1, 1, 2 };
        const physad__tape_window wide = physad__tape_square(9, 1, 0, 0);
        assert_ok(physad__tape_new(&t, shared, &params, true));
        const int32_t x = physad__tape_input(t, 4, image, false), a = physad__tape_input(t, 2, flat, false),
                      b = physad__tape_input(t, 2, other, false);
        int32_t y = 0;
        switch (k) {
        case 0: y = physad__tape_conv(t, x, "c", 2, &wide, true); break;
        case 1: y = physad__tape_conv(t, a, "c", 2, &wide, true); break;
        case 2: y = physad__tape_add(t, a, b); break;
        case 3: y = physad__tape_matmul(t, a, a, false, false); break;
        case 4: y = physad__tape_reshape(t, x, 2, flat); break;
        case 5: y = physad__tape_slice(t, a, 1, 2, 2); break;
        case 6: y = physad__tape_permute(t, x, twice); break;
        case 7: y = physad__tape_concat(t, a, b); break;
        case 8: y = physad__tape_group_norm(t, x, "g", 2, 1e-5); break;
        case 9: y = physad__tape_mse(t, a, b); break;
        case 10: y = physad__tape_max_pool(t, x, &wide); break;
        case 11: y = physad__tape_activation(t, 77, PHYSAD__TAPE_RELU, 0); break;
        case 12: y = physad__tape_normalize(t, a, 3); break;
        default: y = physad__tape_input(t, 6, image, false); break;
        }
        assert_int_equal(y, -1);
        if (k != 11)
            assert_int_not_equal(physad__tape_failed(t), PHYSAD_OK);
        if (k != 11)
            assert_int_equal(physad__tape_mean(t, a), -1); /* later additions do nothing */
        physad__tape_free(t);
    }
    physad__params_clear(&params);
}

static bool small_fit(physad_context *ctx)
{
    rig r = { .s = &samples[0], .ctx = ctx };
    const int64_t shape[4] = { 2, 4, 4, 3 };
    const physad__tape_window w = physad__tape_square(3, 1, 1, 0);
    physad__call call;
    physad__params_init(&r.params, &ctx->mem, 1);
    physad_status status = physad__tape_new(&r.t, ctx, &r.params, true);
    if (status == PHYSAD_OK) {
        const int32_t x = physad__tape_input(r.t, 4, shape, false);
        const int32_t y =
            physad__tape_batch_norm(r.t, physad__tape_conv(r.t, x, "c", 4, &w, true), "n", PHYSAD__TAPE_RELU, 0);
        r.loss = physad__tape_mean(r.t, physad__tape_deconv(r.t, y, "d", 2, &w, true));
        status = physad__tape_compile(r.t, r.loss, NULL, 0);
    }
    if (status == PHYSAD_OK)
        status = physad__call_begin(&call, ctx, NULL, "test");
    if (status == PHYSAD_OK) {
        status = physad__tape_forward(r.t);
        if (status == PHYSAD_OK)
            status = physad__tape_backward(r.t);
        physad__call_end(&call);
    }
    physad__tape_free(r.t);
    physad__params_clear(&r.params);
    assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
    return status == PHYSAD_OK;
}

typedef struct counter {
    int64_t left;
} counter;

static void *counted_alloc(size_t size, void *user)
{
    counter *c = user;
    return c->left-- > 0 ? malloc(size) : NULL;
}

static void counted_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

static void test_no_memory(void **state)
{
    bool done = false;
    for (int64_t n = 4; !done; n++) {
        counter c = { 1000000 };
        const physad_allocator allocator = { counted_alloc, counted_free, &c };
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        o.allocator = &allocator;
        assert_ok(physad_context_new(&ctx, &o));
        c.left = n;
        done = small_fit(ctx);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_true(n < 500);
    }
}

static int setup(void **state)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/train/layers.safetensors", getenv("PHYSAD_TEST_GOLDEN"));
    assert_ok(physad_context_new(&shared, NULL));
    assert_ok(physad_tensors_open(&golden, shared, path, NULL));
    return 0;
}

static int teardown(void **state)
{
    physad_tensors_free(golden);
    assert_int_equal(physad_context_memory_used(shared), 0);
    physad_context_free(shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_differences), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
