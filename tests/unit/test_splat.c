/* SPDX-License-Identifier: Apache-2.0 */
/* The renderer of 3D Gaussians against a slow one in double, its gradients against central differences of that one. */
#include "failing.h"
#include "test.h"

#include "splat_scene.h"

static const uint32_t disabled[] = { UINT32_MAX, PHYSAD_CPU_AVX512, 0 };

static physad_context *context(uint32_t disable, int32_t threads)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.cpu_disable = disable;
    o.threads = threads;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static float *pixels(const scene *s)
{
    return calloc((size_t)(s->ref.width * s->ref.height * (5 + s->ref.extra)), sizeof(float));
}

static physad__splat_images images_at(const scene *s, float *memory)
{
    const int64_t plane = s->ref.width * s->ref.height;
    const physad__splat_images images = { memory, memory + 3 * plane, memory + 4 * plane,
                                          s->ref.extra > 0 ? memory + 5 * plane : NULL };
    return images;
}

static void check_picture(physad_context *ctx, scene *s)
{
    const int64_t n = s->ref.width * s->ref.height * (5 + s->ref.extra);
    physad__splat *splat = NULL;
    float *got = pixels(s);
    double *want = calloc((size_t)n, sizeof(double)), sum = 0;
    const physad__splat_images images = images_at(s, got);
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_forward(splat, &s->input, &images));
    ref_render(want, &s->ref);
    for (int64_t i = 0; i < n; i++) {
        const double error = fabs((double)got[i] - want[i]);
        /* a pixel at the edge of a Gaussian (alpha about 1/255) may fall on either side */
        if (!(error <= 0.04))
            fail_msg("picture of %lld x %lld, number %lld is %g, want %g", (long long)s->ref.width,
                     (long long)s->ref.height, (long long)i, (double)got[i], want[i]);
        sum += error;
    }
    assert_true(sum / (double)n < 2e-5);
    free(got);
    free(want);
    physad__splat_free(splat);
}

static void test_pictures(void **state)
{
    static const struct {
        int64_t count, width, height;
        int degree, extra;
        double solid;
    } cases[] = { { 1, 16, 16, 0, 0, 1 },   { 0, 5, 3, 0, 0, 1 },     { 15, 1, 1, 1, 1, 0 },
                  { 40, 33, 17, 2, 0, -1 }, { 300, 70, 51, 3, 3, 0 }, { 700, 40, 64, 3, 0, 4 } };
    for (int64_t d = 0; d < PHYSAD__COUNT(disabled); d++) {
        physad_context *ctx = context(disabled[d], 2);
        for (int64_t k = 0; k < PHYSAD__COUNT(cases); k++) {
            scene s = scene_make(cases[k].count, cases[k].degree, cases[k].extra, cases[k].width, cases[k].height,
                                 cases[k].solid, (uint64_t)k);
            check_picture(ctx, &s);
            scene_free(&s);
        }
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
}

/* --- depth of the middle half of the light --- */

/* Against the slow renderer; all else as without it. */
static void check_middle(physad_context *ctx, scene *s)
{
    const int64_t plane = s->ref.width * s->ref.height, n = plane * (5 + s->ref.extra);
    physad__splat *splat = NULL;
    float *got = pixels(s), *plain = pixels(s);
    double *want = calloc((size_t)n, sizeof(double));
    const physad__splat_images images = images_at(s, got), others = images_at(s, plain);
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_forward(splat, &s->input, &others));
    s->input.middle = true;
    s->ref.middle = 1;
    assert_ok(physad__splat_forward(splat, &s->input, &images));
    ref_render(want, &s->ref);
    int64_t solid = 0;
    for (int64_t i = 0; i < plane; i++) {
        const double depth = (double)images.depth[i], taken = want[4 * plane + i] - 0.25;
        if (taken < -0.01 && depth != 0)
            fail_msg("pixel %lld, of opacity %g, has depth %g", (long long)i, want[4 * plane + i], depth);
        if (taken > 0.02 && !(fabs(depth - want[3 * plane + i]) <= 0.04 / fmin(taken, 0.5)))
            fail_msg("pixel %lld, of opacity %g, has depth %g, want %g", (long long)i, want[4 * plane + i], depth,
                     want[3 * plane + i]);
        solid += taken > 0.02;
    }
    assert_true(solid > 0);
    memcpy(images.depth, others.depth, (size_t)plane * sizeof(float));
    assert_memory_equal(got, plain, (size_t)n * sizeof(float));
    physad__splat_back back = { 0 };
    assert_fails(PHYSAD_ERR_ARG, "its sum",
                 physad__splat_backward(splat, &(physad__splat_images){ .depth = got }, &back));
    free(got);
    free(plain);
    free(want);
    physad__splat_free(splat);
}

/* A wall 4 away behind a veil, with something far away shining through: the wall's depth, whatever the two do. */
static void check_wall(physad_context *ctx)
{
    enum { COUNT = 3 };
    static const float depths[COUNT] = { 1, 4, 40 }, opacities[COUNT] = { 0.2f, 0.8f, 0.95f };
    scene s = scene_make(COUNT, 0, 0, 8, 8, 0, 1);
    for (int k = 0; k < 9; k++)
        s.ref.rotation[k] = k % 4 == 0;
    memset(s.ref.translation, 0, sizeof(s.ref.translation));
    for (int i = 0; i < COUNT; i++) {
        const float values[11] = { 0, 0, depths[i], 3, 3, -9, 1, 0, 0, 0, logf(opacities[i] / (1 - opacities[i])) };
        for (int k = 0; k < 11; k++)
            s.planes[k * s.stride + i] = values[k];
    }
    scene_refresh(&s);
    s.input.middle = true;
    physad__splat *splat = NULL;
    float *got = pixels(&s);
    const physad__splat_images images = images_at(&s, got);
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_forward(splat, &s.input, &images));
    for (int i = 0; i < 64; i++)
        assert_float_equal(images.depth[i], 4, 1e-3);
    physad__splat_free(splat);
    free(got);
    scene_free(&s);
}

static void test_middle(void **state)
{
    for (int64_t d = 0; d < PHYSAD__COUNT(disabled); d++) {
        physad_context *ctx = context(disabled[d], 2);
        for (int extra = 0; extra < 3; extra += 2) {
            scene s = scene_make(300, 1, extra, 70, 51, 0, 3);
            check_middle(ctx, &s);
            scene_free(&s);
        }
        check_wall(ctx);
        physad_context_free(ctx);
    }
}

/* --- gradients --- */

static double functional(const scene *s, const float *weights, double *scratch)
{
    const int64_t n = s->ref.width * s->ref.height * (5 + s->ref.extra);
    double sum = 0;
    ref_render(scratch, &s->ref);
    for (int64_t i = 0; i < n; i++)
        sum += (double)weights[i] * scratch[i];
    return sum;
}

static void check_close(const char *what, const double *want, const float *got, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= 2e-4 * most + 2e-4 * fabs(want[i]) + 1e-6))
            fail_msg("gradient by %s, number %lld is %.9g, want %.9g (largest %g)", what, (long long)i, (double)got[i],
                     want[i], most);
}

typedef struct gradients {
    float *planes, *extra;
    physad__splat_back back;
} gradients;

static gradients gradients_of(physad_context *ctx, scene *s, float *weights)
{
    gradients g = { .planes = calloc((size_t)(physad__splat_plane_count(s->ref.degree) * s->stride), sizeof(float)),
                    .extra = calloc((size_t)(s->ref.count * s->ref.extra + 1), sizeof(float)) };
    float *got = pixels(s);
    physad__splat *splat = NULL;
    const physad__splat_images images = images_at(s, got), by = images_at(s, weights);
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_forward(splat, &s->input, &images));
    g.back.planes = physad__splat_planes_at(g.planes, s->stride);
    g.back.extra = s->ref.extra > 0 ? g.extra : NULL;
    assert_ok(physad__splat_backward(splat, &by, &g.back));
    physad__splat_free(splat);
    free(got);
    return g;
}

static void gradients_free(gradients *g)
{
    free(g->planes);
    free(g->extra);
}

static float *random_weights(const scene *s, uint64_t seed)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 2);
    float *weights = pixels(s);
    for (int64_t i = 0; i < s->ref.width * s->ref.height * (5 + s->ref.extra); i++)
        weights[i] = (float)physad__rng_normal(&rng);
    return weights;
}

static void check_gradients(physad_context *ctx, scene *s)
{
    static const char *const names[11] = { "x",   "y",   "z",   "scale 0", "scale 1", "scale 2",
                                           "q w", "q x", "q y", "q z",     "opacity" };
    const double h = 1e-6;
    const int64_t count = s->ref.count, n = s->ref.width * s->ref.height * (5 + s->ref.extra);
    float *weights = random_weights(s, 3);
    double *scratch = calloc((size_t)n, sizeof(double)),
           *want = calloc((size_t)(count * (s->ref.extra + 1)), sizeof(double));
    gradients g = gradients_of(ctx, s, weights);
    for (int k = 0; k < physad__splat_plane_count(s->ref.degree); k++) {
        for (int64_t i = 0; i < count; i++) {
            double *value = s->ref.planes + k * count + i;
            const double before = *value;
            *value = before + h;
            want[i] = functional(s, weights, scratch);
            *value = before - h;
            want[i] = (want[i] - functional(s, weights, scratch)) / (2 * h);
            *value = before;
        }
        check_close(k < 11 ? names[k] : "harmonics", want, g.planes + k * s->stride, count);
    }
    for (int64_t i = 0; i < count * s->ref.extra; i++) {
        s->ref.values[i] += h;
        want[i] = functional(s, weights, scratch);
        s->ref.values[i] -= 2 * h;
        want[i] = (want[i] - functional(s, weights, scratch)) / (2 * h);
        s->ref.values[i] += h;
    }
    check_close("further channels", want, g.extra, count * s->ref.extra);
    double pose[6];
    float got[6];
    for (int k = 0; k < 6; k++) {
        const ref_scene before = s->ref;
        double tangent[6] = { 0 };
        tangent[k] = h;
        physad__splat_camera_move(s->ref.rotation, s->ref.translation, tangent);
        pose[k] = functional(s, weights, scratch);
        s->ref = before;
        tangent[k] = -h;
        physad__splat_camera_move(s->ref.rotation, s->ref.translation, tangent);
        pose[k] = (pose[k] - functional(s, weights, scratch)) / (2 * h);
        s->ref = before;
        got[k] = (float)g.back.pose[k];
    }
    check_close("pose", pose, got, 6);
    gradients_free(&g);
    free(weights);
    free(scratch);
    free(want);
}

static void test_gradients(void **state)
{
    for (int64_t d = 0; d < PHYSAD__COUNT(disabled); d++) {
        physad_context *ctx = context(disabled[d], 2);
        scene s = scene_make(9, 3, 2, 25, 19, 0, 11), solid = scene_make(24, 1, 0, 18, 20, 3, 12);
        check_gradients(ctx, &s);
        check_gradients(ctx, &solid);
        scene_free(&s);
        scene_free(&solid);
        physad_context_free(ctx);
    }
}

/* <picture of f, v> = <f, v lifted onto Gaussians> */
static void test_adjoint(void **state)
{
    physad_context *ctx = context(0, 2);
    scene s = scene_make(500, 0, 4, 75, 60, 1, 5);
    const int64_t plane = s.ref.width * s.ref.height;
    float *got = pixels(&s), *v = random_weights(&s, 8), *lifted = calloc((size_t)s.ref.count * 4, sizeof(float));
    const physad__splat_images images = images_at(&s, got), by = { NULL, NULL, NULL, v };
    physad__splat_back back = { .extra = lifted };
    physad__splat *splat = NULL;
    double there = 0, here = 0, size = 0;
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_forward(splat, &s.input, &images));
    assert_ok(physad__splat_backward(splat, &by, &back));
    for (int64_t i = 0; i < 4 * plane; i++) {
        there += (double)images.extra[i] * (double)v[i];
        size += fabs((double)images.extra[i] * (double)v[i]);
    }
    for (int64_t i = 0; i < 4 * s.ref.count; i++)
        here += (double)lifted[i] * (double)s.values[i];
    assert_near(here, there, 1e-6 * size);
    physad__splat_free(splat);
    free(got);
    free(v);
    free(lifted);
    scene_free(&s);
    physad_context_free(ctx);
}

static void test_threads(void **state)
{
    gradients first = { 0 };
    float *weights = NULL;
    for (int32_t threads = 1; threads <= 4; threads++) {
        physad_context *ctx = context(0, threads);
        scene s = scene_make(1500, 3, 2, 131, 90, 0, 21);
        weights = weights != NULL ? weights : random_weights(&s, 4);
        gradients g = gradients_of(ctx, &s, weights);
        if (threads == 1) {
            first = g;
        } else {
            assert_memory_equal(g.planes, first.planes,
                                (size_t)(physad__splat_plane_count(3) * s.stride) * sizeof(float));
            assert_memory_equal(g.extra, first.extra, (size_t)s.ref.count * 2 * sizeof(float));
            assert_memory_equal(g.back.pose, first.back.pose, sizeof(g.back.pose));
            gradients_free(&g);
        }
        scene_free(&s);
        physad_context_free(ctx);
    }
    gradients_free(&first);
    free(weights);
}

typedef struct taken {
    scene *scene;
    float *planes, *screen;
    int64_t pieces[64]; /* how often each has come */
} taken;

static void take(void *user, int64_t begin, int64_t end, float *grads, const float *screen)
{
    taken *t = user;
    for (int k = 0; k < physad__splat_plane_count(t->scene->ref.degree); k++)
        memcpy(t->planes + k * t->scene->stride + begin, grads + k * PHYSAD__SPLAT_PIECE,
               (size_t)(end - begin) * sizeof(float));
    memcpy(t->screen + begin, screen, (size_t)(end - begin) * sizeof(float));
#pragma omp atomic
    t->pieces[begin / PHYSAD__SPLAT_PIECE]++;
}

/* Handed out piece by piece, gradients are the same bits. */
static void test_pieces(void **state)
{
    physad_context *ctx = context(0, 3);
    for (int degree = 0; degree <= 3; degree++) {
        scene s = scene_make(1500, degree, 0, 131, 90, 0, 22);
        const size_t planes = (size_t)(physad__splat_plane_count(degree) * s.stride), bytes = planes * sizeof(float);
        float *got = pixels(&s), *weights = random_weights(&s, 5), *whole = calloc(planes, sizeof(float)),
              *screen = calloc((size_t)s.stride, sizeof(float));
        taken t = { &s, calloc(planes, sizeof(float)), calloc((size_t)s.stride, sizeof(float)), { 0 } };
        physad__splat *splat = NULL;
        physad__splat_back all = { .planes = physad__splat_planes_at(whole, s.stride), .screen = screen },
                           parts = { .take = take, .user = &t };
        const physad__splat_images images = images_at(&s, got), by = images_at(&s, weights);
        assert_ok(physad__splat_new(&splat, ctx));
        assert_ok(physad__splat_forward(splat, &s.input, &images));
        assert_ok(physad__splat_backward(splat, &by, &all));
        assert_ok(physad__splat_backward(splat, &by, &parts));
        assert_memory_equal(t.planes, whole, bytes);
        assert_memory_equal(t.screen, screen, (size_t)s.stride * sizeof(float));
        assert_memory_equal(parts.pose, all.pose, sizeof(all.pose));
        for (int64_t k = 0; k < 64; k++)
            assert_int_equal(t.pieces[k], k * PHYSAD__SPLAT_PIECE < s.stride);
        physad__splat_free(splat);
        void *const parts_of[] = { got, weights, whole, screen, t.planes, t.screen };
        for (int64_t k = 0; k < PHYSAD__COUNT(parts_of); k++)
            free(parts_of[k]);
        scene_free(&s);
    }
    physad_context_free(ctx);
}

/* --- the loss and the optimiser --- */

static double slow_loss(const double *a, const double *b, int64_t width, int64_t height, double lambda)
{
    double l1 = 0, ssim = 0, w[11], total = 0;
    for (int k = 0; k < 11; k++)
        total += w[k] = exp(-(k - 5) * (k - 5) / 4.5);
    for (int64_t ch = 0; ch < 3; ch++)
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                double s[5] = { 0 };
                for (int64_t v = y - 5; v <= y + 5; v++)
                    for (int64_t u = x - 5; u <= x + 5; u++) {
                        if (u < 0 || v < 0 || u >= width || v >= height)
                            continue;
                        const double weight = w[v - y + 5] * w[u - x + 5] / (total * total);
                        const double p = a[(ch * height + v) * width + u], q = b[(ch * height + v) * width + u];
                        s[0] += weight * p;
                        s[1] += weight * q;
                        s[2] += weight * p * p;
                        s[3] += weight * q * q;
                        s[4] += weight * p * q;
                    }
                const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03;
                ssim += (2 * s[0] * s[1] + c1) * (2 * (s[4] - s[0] * s[1]) + c2) /
                        ((s[0] * s[0] + s[1] * s[1] + c1) * (s[2] - s[0] * s[0] + s[3] - s[1] * s[1] + c2));
                l1 += fabs(a[(ch * height + y) * width + x] - b[(ch * height + y) * width + x]);
            }
    const double n = 3 * (double)(width * height);
    return (1 - lambda) * l1 / n + lambda * (1 - ssim / n);
}

static void check_loss(physad_context *ctx, int64_t width, int64_t height)
{
    const int64_t n = 3 * width * height;
    float *a = calloc((size_t)n, sizeof(float)), *b = calloc((size_t)n, sizeof(float)),
          *grad = calloc((size_t)n, sizeof(float));
    double *da = calloc((size_t)n, sizeof(double)), *db = calloc((size_t)n, sizeof(double)),
           *want = calloc((size_t)n, sizeof(double));
    physad__rng rng;
    physad__splat *splat = NULL;
    physad__splat_loss_result result;
    physad__rng_seed(&rng, 5, (uint64_t)width);
    for (int64_t i = 0; i < n; i++) {
        db[i] = (double)(b[i] = (float)physad__rng_uniform(&rng));
        da[i] = (double)(a[i] = b[i] + 0.2f * (float)physad__rng_normal(&rng));
    }
    assert_ok(physad__splat_new(&splat, ctx));
    assert_ok(physad__splat_compare(splat, &result, grad, a, b, width, height, 0.2));
    assert_near(result.loss, slow_loss(da, db, width, height, 0.2), 2e-6);
    const int64_t step = n > 60 ? n / 37 : 1;
    for (int64_t i = 0; i < n; i += step) {
        const double h = 1e-6, before = da[i];
        da[i] = before + h;
        const double up = slow_loss(da, db, width, height, 0.2);
        da[i] = before - h;
        want[i] = (up - slow_loss(da, db, width, height, 0.2)) / (2 * h);
        da[i] = before;
        assert_near((double)grad[i], want[i], 1e-3 / (double)n + 1e-3 * fabs(want[i]));
    }
    physad__splat_free(splat);
    free(a);
    free(b);
    free(grad);
    free(da);
    free(db);
    free(want);
}

static void test_loss(void **state)
{
    for (int64_t d = 0; d < PHYSAD__COUNT(disabled); d++) {
        physad_context *ctx = context(disabled[d], 2);
        check_loss(ctx, 1, 1);
        check_loss(ctx, 3, 12);
        check_loss(ctx, 33, 18);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
    }
}

static void test_adam(void **state)
{
    enum { N = 37 };
    for (int64_t d = 0; d < PHYSAD__COUNT(disabled); d++) {
        physad_context *ctx = context(disabled[d], 2);
        physad__splat *splat = NULL;
        physad__rng rng;
        float value[N], mean[N] = { 0 }, square[N] = { 0 }, grad[N];
        double v[N], m[N] = { 0 }, s[N] = { 0 };
        physad__rng_seed(&rng, 1, 1);
        assert_ok(physad__splat_new(&splat, ctx));
        for (int i = 0; i < N; i++)
            v[i] = (double)(value[i] = (float)physad__rng_normal(&rng));
        for (int t = 1; t <= 20; t++) {
            for (int i = 0; i < N; i++) {
                grad[i] = i == 0 ? 0 : (float)(physad__rng_normal(&rng) * (i % 5 == 0 ? 1e-9 : 1));
                m[i] = 0.9 * m[i] + 0.1 * (double)grad[i];
                s[i] = 0.999 * s[i] + 0.001 * (double)grad[i] * (double)grad[i];
                v[i] -= 0.01 * (m[i] / (1 - pow(0.9, t))) / (sqrt(s[i] / (1 - pow(0.999, t))) + 1e-15);
            }
            const physad__splat_adam adam = physad__splat_adam_at(0.01, t);
            physad__splat_adam_step(splat, &adam, value, mean, square, grad, N);
        }
        for (int i = 0; i < N; i++)
            assert_near((double)value[i], v[i], 1e-5);
        physad__splat_free(splat);
        physad_context_free(ctx);
    }
}

/* --- what is refused --- */

static void test_refused(void **state)
{
    physad_context *ctx = context(0, 1);
    physad__splat *splat = NULL;
    scene s = scene_make(20, 1, 0, 20, 20, 0, 1);
    float *got = pixels(&s);
    const physad__splat_images images = images_at(&s, got);
    physad__splat_back back = { 0 };
    assert_ok(physad__splat_new(&splat, ctx));
    assert_fails(PHYSAD_ERR_STATE, "before a picture", physad__splat_backward(splat, &images, &back));
    physad__splat_input in = s.input;
    in.degree = 4;
    assert_fails(PHYSAD_ERR_ARG, "degree 4", physad__splat_forward(splat, &in, &images));
    in = s.input;
    in.planes.stride = 21;
    assert_fails(PHYSAD_ERR_ARG, "planes of 21", physad__splat_forward(splat, &in, &images));
    in = s.input;
    in.camera.fx = NAN;
    assert_fails(PHYSAD_ERR_ARG, "focal", physad__splat_forward(splat, &in, &images));
    in = s.input;
    in.camera.rotation[4] = INFINITY;
    assert_fails(PHYSAD_ERR_ARG, "finite", physad__splat_forward(splat, &in, &images));
    in = s.input;
    in.camera.width = 0;
    assert_fails(PHYSAD_ERR_ARG, "0 x 20", physad__splat_forward(splat, &in, &images));
    in = s.input;
    in.with_depth = false;
    assert_fails(PHYSAD_ERR_ARG, "with_depth", physad__splat_forward(splat, &in, &images));
    /* Gaussians of numbers that are not finite are not seen, and change nothing else. */
    float *want = pixels(&s);
    const physad__splat_images other = images_at(&s, want);
    assert_ok(physad__splat_forward(splat, &s.input, &other));
    const float values[] = { NAN, INFINITY, -INFINITY, 1e38f };
    for (int64_t k = 0; k < PHYSAD__COUNT(values); k++)
        for (int plane = 0; plane < 11; plane++) {
            scene bad = scene_make(20, 1, 0, 20, 20, 0, 1);
            bad.planes[plane * bad.stride + 3] = values[k];
            assert_ok(physad__splat_forward(splat, &bad.input, &images));
            for (int i = 0; i < 400; i++)
                assert_true(isfinite(got[i]));
            scene_free(&bad);
        }
    assert_ok(physad__splat_forward(splat, &s.input, &images));
    assert_memory_equal(got, want, 400 * 5 * sizeof(float));
    physad__splat_free(splat);
    free(got);
    free(want);
    scene_free(&s);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_memory(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    scene s = scene_make(100, 1, 0, 40, 40, 0, 1);
    float *got = pixels(&s), *planes = calloc((size_t)(physad__splat_plane_count(1) * s.stride), sizeof(float));
    const physad__splat_images images = images_at(&s, got);
    physad__splat_back back = { .planes = physad__splat_planes_at(planes, s.stride) };
    physad__splat_loss_result result;
    o.allocator = &failing_allocator;
    for (int64_t n = 0;; n++) {
        physad_context *ctx = NULL;
        physad__splat *splat = NULL;
        allocations_left = 1000;
        assert_ok(physad_context_new(&ctx, &o));
        allocations_left = n;
        physad_status status = physad__splat_new(&splat, ctx);
        status = status ? status : physad__splat_forward(splat, &s.input, &images);
        status = status ? status : physad__splat_backward(splat, &images, &back);
        status = status ? status : physad__splat_compare(splat, &result, NULL, got, got, 40, 40, 0.2);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        physad__splat_free(splat);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        if (status == PHYSAD_OK) {
            assert_true(n > 5);
            break;
        }
    }
    free(got);
    free(planes);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures), cmocka_unit_test(test_middle),  cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_adjoint),  cmocka_unit_test(test_threads), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_loss),     cmocka_unit_test(test_adam),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("splat", tests, NULL, NULL);
}
