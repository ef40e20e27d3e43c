/* SPDX-License-Identifier: Apache-2.0 */
#include "splat/splat_internal.h"

#include <math.h>

#define TAPS (2 * PHYSAD__SSIM_RADIUS + 1)
#define BAND 16 /* rows of one piece of work */

static void window(float weights[TAPS])
{
    double exact[TAPS], sum = 0;
    for (int k = 0; k < TAPS; k++) {
        const double x = k - PHYSAD__SSIM_RADIUS;
        exact[k] = exp(-x * x / (2 * 1.5 * 1.5));
        sum += exact[k];
    }
    for (int k = 0; k < TAPS; k++)
        weights[k] = (float)(exact[k] / sum);
}

/* Work of a picture: each band of rows of each channel is one piece, its scratch its own. */
typedef struct bands {
    physad__splat_loss base;
    int64_t per_channel, plane, scratch;
    float *derivatives; /* 3 per channel */
    float *memory;      /* scratch of the pieces */
    double *sums;       /* 2 per row of each channel */
} bands;

static physad__splat_loss piece(const bands *b, int64_t band, int64_t *first, int64_t *last)
{
    const int64_t channel = band / b->per_channel, plane = b->plane;
    physad__splat_loss job = b->base;
    job.image += channel * plane;
    job.target += channel * plane;
    job.grad = job.grad != NULL ? job.grad + channel * plane : NULL;
    job.d_mean = b->derivatives + channel * 3 * plane;
    job.d_square = job.d_mean + plane;
    job.d_cross = job.d_square + plane;
    job.scratch = b->memory + band * b->scratch;
    *first = band % b->per_channel * BAND;
    *last = physad__min(*first + BAND, job.height);
    return job;
}

static void run(const physad__splat *s, const bands *b)
{
    const int64_t n = 3 * b->per_channel, height = b->base.height;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t band = 0; band < n; band++) {
        int64_t first, last;
        const physad__splat_loss job = piece(b, band, &first, &last);
        for (int64_t y = first; y < last; y++)
            s->kernels->loss(&job, y, b->sums + 2 * (band / b->per_channel * height + y));
    }
    if (b->base.grad == NULL)
        return;
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->ctx->threads)
    for (int64_t band = 0; band < n; band++) {
        int64_t first, last;
        const physad__splat_loss job = piece(b, band, &first, &last);
        for (int64_t y = first; y < last; y++)
            s->kernels->loss_back(&job, y);
    }
}

physad_status physad__splat_compare(physad__splat *s, physad__splat_loss_result *result, float *grad,
                                    const float *image, const float *target, int64_t width, int64_t height,
                                    double lambda)
{
    physad__mem *mem = &s->ctx->mem;
    const int64_t plane = width * height, per_channel = (height + BAND - 1) / BAND;
    const int64_t scratch = 5 * (width + 2 * PHYSAD__SSIM_RADIUS + 16);
    const double per_pixel = 1.0 / (3.0 * (double)plane);
    float weights[TAPS];
    PHYSAD__TRY(physad__grow(mem, &s->loss, &s->loss_size, 9 * plane + 3 * per_channel * scratch, sizeof(float),
                             "derivatives of the loss"));
    PHYSAD__TRY(physad__grow(mem, &s->rows, &s->rows_size, 6 * height, sizeof(double), "sums of the loss"));
    window(weights);
    const bands b = {
        .base = { .image = image,
                  .target = target,
                  .width = width,
                  .height = height,
                  .grad = grad,
                  .weights = weights,
                  .l1_weight = (float)((1 - lambda) * per_pixel),
                  .ssim_weight = (float)(-lambda * per_pixel) },
        .per_channel = per_channel,
        .plane = plane,
        .scratch = scratch,
        .derivatives = s->loss,
        .memory = s->loss + 9 * plane,
        .sums = s->rows,
    };
    run(s, &b);
    double l1 = 0, ssim = 0;
    for (int64_t row = 0; row < 3 * height; row++) {
        l1 += s->rows[2 * row];
        ssim += s->rows[2 * row + 1];
    }
    result->l1 = l1 * per_pixel;
    result->ssim = ssim * per_pixel;
    result->loss = (1 - lambda) * result->l1 + lambda * (1 - result->ssim);
    return PHYSAD_OK;
}

physad__splat_adam physad__splat_adam_at(double rate, int64_t t)
{
    const double beta1 = 0.9, beta2 = 0.999;
    const physad__splat_adam adam = { (float)beta1, (float)beta2, 1e-15f, (float)(rate / (1 - pow(beta1, (double)t))),
                                      (float)(1 / sqrt(1 - pow(beta2, (double)t))) };
    return adam;
}

void physad__splat_adam_step(const physad__splat *s, const physad__splat_adam *adam, float *value, float *mean,
                             float *square, const float *grad, int64_t n)
{
    s->kernels->adam(adam, value, mean, square, grad, n);
}
