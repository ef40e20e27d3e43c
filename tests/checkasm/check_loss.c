/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of splatting's loss and optimiser: sums in other orders, so that numbers are compared within what
 * rounding may do. */
#include "checkasm.h"

#include <math.h>
#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

enum { RADIUS = PHYSAD__SSIM_RADIUS, WINDOW = 2 * RADIUS + 1 };

typedef struct loss {
    physad__splat_loss job;
    float *image, *target, weights[WINDOW];
    int64_t pixels;
} loss;

static size_t scratch_size(int64_t width)
{
    return (size_t)(5 * (width + 2 * RADIUS + 16)) * sizeof(float);
}

/* Two pictures that differ by a little noise; in the second kind they are smooth, where the derivatives are largest. */
static loss make_loss(int64_t width, int64_t height, bool smooth)
{
    loss l = { .pixels = width * height };
    double sum = 0;
    l.image = check_alloc((size_t)l.pixels * sizeof(float), 0);
    l.target = check_alloc((size_t)l.pixels * sizeof(float), 0);
    for (int64_t i = 0; i < l.pixels; i++) {
        const float base = 0.5f + 0.3f * sinf((float)(i % width) * 0.21f) * cosf((float)(i / width) * 0.17f);
        l.target[i] = smooth ? base : 0.5f + 0.2f * check_normal();
        l.image[i] = check_below(10) == 0 ? l.target[i] : l.target[i] + (smooth ? 0.02f : 0.1f) * check_normal();
    }
    for (int k = 0; k < WINDOW; k++)
        sum += exp(-(k - RADIUS) * (k - RADIUS) / 4.5);
    for (int k = 0; k < WINDOW; k++)
        l.weights[k] = (float)(exp(-(k - RADIUS) * (k - RADIUS) / 4.5) / sum);
    l.job = (physad__splat_loss){ .image = l.image,
                                  .target = l.target,
                                  .width = width,
                                  .height = height,
                                  .l1_weight = 0.8f / 3,
                                  .ssim_weight = -0.2f / 3 };
    return l;
}

static void give_outputs(physad__splat_loss *job, const loss *l)
{
    const size_t size = (size_t)l->pixels * sizeof(float);
    job->weights = l->weights;
    job->d_mean = check_output(size);
    job->d_square = check_output(size);
    job->d_cross = check_output(size);
    job->grad = check_output(size);
    job->scratch = check_output(scratch_size(job->width));
}

static void check_outside(const physad__splat_loss *job, const loss *l)
{
    const size_t size = (size_t)l->pixels * sizeof(float);
    if (!check_guards(job->d_mean, size) || !check_guards(job->d_square, size) || !check_guards(job->d_cross, size) ||
        !check_guards(job->grad, size) || !check_guards(job->scratch, scratch_size(job->width)))
        check_failed("%lld x %lld: wrote outside", (long long)job->width, (long long)job->height);
}

/* Against the largest element: where its own terms cancel out, one may be off by more than its own share. */
static void compare(const char *what, const float *want, const float *got, int64_t n, double tolerance)
{
    double largest = 0.1;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)want[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance * largest))
            check_failed("%s %lld of %lld is %.9g, want %.9g", what, (long long)i, (long long)n, (double)got[i],
                         (double)want[i]);
}

static const int64_t widths[] = { 1, 5, 15, 16, 17, 100 }, heights[] = { 1, 3, 11, 20 };

static void check_loss(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    for (int a = 0; a < COUNT(widths); a++)
        for (int b = 0; b < COUNT(heights); b++) {
            const bool smooth = (a + b) & 1;
            const double tolerance = smooth ? 2e-2 : 1e-3; /* a small variance is a difference of large sums */
            const loss l = make_loss(widths[a], heights[b], smooth);
            physad__splat_loss want = l.job, got = l.job;
            give_outputs(&want, &l);
            give_outputs(&got, &l);
            for (int64_t y = 0; y < heights[b]; y++) {
                double sums[2], mine[2];
                reference->loss(&want, y, sums);
                tested->loss(&got, y, mine);
                if (!(fabs(mine[0] - sums[0]) <= 1e-5 * (1e-3 + sums[0])) ||
                    !(fabs(mine[1] - sums[1]) <= 1e-4 * (double)widths[a]))
                    check_failed("%lld x %lld, row %lld: sums %.9g %.9g, want %.9g %.9g", (long long)widths[a],
                                 (long long)heights[b], (long long)y, mine[0], mine[1], sums[0], sums[1]);
            }
            compare("derivative by the mean", want.d_mean, got.d_mean, l.pixels, tolerance);
            compare("derivative by the square", want.d_square, got.d_square, l.pixels, tolerance);
            compare("derivative by the product", want.d_cross, got.d_cross, l.pixels, tolerance);
            if (!check_untouched(got.grad, (size_t)l.pixels * sizeof(float)))
                check_failed("the loss wrote gradients");
            check_outside(&got, &l);
            check_free_all();
        }
}

static void check_loss_back(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    for (int a = 0; a < COUNT(widths); a++)
        for (int b = 0; b < COUNT(heights); b++) {
            const loss l = make_loss(widths[a], heights[b], false);
            physad__splat_loss want = l.job, got = l.job;
            give_outputs(&want, &l);
            give_outputs(&got, &l);
            for (int64_t i = 0; i < l.pixels; i++) {
                got.d_mean[i] = want.d_mean[i] = check_normal();
                got.d_square[i] = want.d_square[i] = check_normal();
                got.d_cross[i] = want.d_cross[i] = check_normal();
            }
            for (int64_t y = 0; y < heights[b]; y++) {
                reference->loss_back(&want, y);
                tested->loss_back(&got, y);
            }
            compare("gradient", want.grad, got.grad, l.pixels, 1e-5);
            check_outside(&got, &l);
            check_free_all();
        }
}

typedef struct weights {
    float *value, *mean, *square;
} weights;

static weights copy_weights(const weights *from, int64_t n)
{
    const size_t size = (size_t)n * sizeof(float);
    const weights w = { check_output(size), check_output(size), check_output(size) };
    memcpy(w.value, from->value, size);
    memcpy(w.mean, from->mean, size);
    memcpy(w.square, from->square, size);
    return w;
}

static weights make_weights(int64_t n, float **grad)
{
    const size_t size = (size_t)n * sizeof(float);
    const weights w = { check_alloc(size, 0), check_alloc(size, 0), check_alloc(size, 0) };
    *grad = check_alloc(size, 0);
    for (int64_t i = 0; i < n; i++) {
        w.value[i] = check_normal();
        w.mean[i] = 0.1f * check_normal();
        w.square[i] = fabsf(0.01f * check_normal());
        (*grad)[i] = check_below(10) == 0 ? 0 : check_normal();
    }
    return w;
}

static const physad__splat_adam rate = { .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-15f, .step = 0.02f, .scale = 3.2f };

static void check_adam(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    static const int64_t counts[] = { 0, 1, 7, 8, 15, 16, 17, 333 };
    for (int a = 0; a < COUNT(counts); a++) {
        const int64_t n = counts[a];
        const size_t size = (size_t)n * sizeof(float);
        float *grad;
        const weights w = make_weights(n, &grad), want = copy_weights(&w, n), got = copy_weights(&w, n);
        reference->adam(&rate, want.value, want.mean, want.square, grad, n);
        tested->adam(&rate, got.value, got.mean, got.square, grad, n);
        compare("value", want.value, got.value, n, 1e-6);
        compare("mean", want.mean, got.mean, n, 1e-6);
        compare("square", want.square, got.square, n, 1e-6);
        if (!check_guards(got.value, size) || !check_guards(got.mean, size) || !check_guards(got.square, size))
            check_failed("%lld numbers: wrote outside", (long long)n);
        check_free_all();
    }
}

/* --- times --- */

enum { WIDE = 400, ROWS = 12, NUMBERS = 4096 };

typedef struct timed {
    const physad__splat_kernels *kernels;
    loss loss;
    physad__splat_loss job;
    weights weights;
    float *grad;
} timed;

static void run_loss(void *user)
{
    timed *t = user;
    double sums[2];
    t->kernels->loss(&t->job, ROWS / 2, sums);
}

static void run_loss_back(void *user)
{
    timed *t = user;
    t->kernels->loss_back(&t->job, ROWS / 2);
}

static void run_adam(void *user)
{
    timed *t = user;
    t->kernels->adam(&rate, t->weights.value, t->weights.mean, t->weights.square, t->grad, NUMBERS);
}

static timed time_loss(const physad__splat_kernels *kernels)
{
    timed t = { .kernels = kernels, .loss = make_loss(WIDE, ROWS, false) };
    t.job = t.loss.job;
    give_outputs(&t.job, &t.loss);
    memset(t.job.d_mean, 0, (size_t)t.loss.pixels * sizeof(float));
    memset(t.job.d_square, 0, (size_t)t.loss.pixels * sizeof(float));
    memset(t.job.d_cross, 0, (size_t)t.loss.pixels * sizeof(float));
    return t;
}

static void bench_loss(const physad__splat_kernels *kernels)
{
    timed t = time_loss(kernels);
    t.job.weights = t.loss.weights;
    check_time(kernels->name, "splat_loss, a row of 400: a pixel", WIDE, run_loss, &t);
}

static void bench_loss_back(const physad__splat_kernels *kernels)
{
    timed t = time_loss(kernels);
    t.job.weights = t.loss.weights;
    check_time(kernels->name, "splat_loss_back, a row of 400: a pixel", WIDE, run_loss_back, &t);
}

static void bench_adam(const physad__splat_kernels *kernels)
{
    timed t = { .kernels = kernels };
    const weights w = make_weights(NUMBERS, &t.grad);
    t.weights = copy_weights(&w, NUMBERS);
    check_time(kernels->name, "splat_adam, 4,096 numbers: a number", NUMBERS, run_adam, &t);
}

const splat_check loss_checks[3] = {
    { "splat_loss", offsetof(physad__splat_kernels, loss), check_loss, bench_loss },
    { "splat_loss_back", offsetof(physad__splat_kernels, loss_back), check_loss_back, bench_loss_back },
    { "splat_adam", offsetof(physad__splat_kernels, adam), check_adam, bench_adam },
};
