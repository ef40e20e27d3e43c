/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and images that a test and tests/golden/make_backbones.py both compute. */
#ifndef PHYSAD__TEST_FORMULA_H
#define PHYSAD__TEST_FORMULA_H

#include "test.h"

#include "nn/nn.h"

static const uint64_t FORMULA_SEED = 20;

static inline physad_status formula(void *user, const char *name, int32_t ndim, const int64_t *shape, float *buffer,
                                    const float **data)
{
    int64_t count = 1;
    for (int32_t i = 0; i < ndim; i++)
        count *= shape[i];
    const double fan_in = (double)(count / shape[0]);
    physad__nn_draw_normal(FORMULA_SEED, name, ndim > 1 ? sqrt((ndim == 4 ? 2 : 1) / fan_in) : 1, buffer, count);
    for (int64_t i = 0; ndim == 1 && i < count; i++) {
        const double z = buffer[i];
        if (physad__has_suffix(name, ".running_var"))
            buffer[i] = (float)(0.5 + z * z);
        else
            buffer[i] = (float)((physad__has_suffix(name, ".weight") ? 1 : 0) + 0.1 * z);
    }
    *data = buffer;
    return PHYSAD_OK;
}

static const physad__nn_source FORMULA = { formula, NULL };

static inline float *draw_image(int64_t height, int64_t width, int64_t channels)
{
    char name[64];
    float *image = malloc((size_t)(height * width * channels) * sizeof(*image));
    snprintf(name, sizeof(name), "image %lld %lld", (long long)height, (long long)width);
    physad__nn_draw_normal(FORMULA_SEED, name, 1, image, height * width * channels);
    return image;
}

static inline physad_context *context_of(int threads)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    o.threads = threads;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

/* Also false where oneDNN is told to do without newer instructions (ONEDNN_MAX_CPU_ISA=AVX2), which the context does
 * not know. */
static inline bool has_bf16(void)
{
    physad_context *ctx = context_of(1);
    const bool has =
        (physad_context_cpu_flags(ctx) & PHYSAD_CPU_AVX512_BF16) != 0 && getenv("ONEDNN_MAX_CPU_ISA") == NULL;
    physad_context_free(ctx);
    return has;
}

#endif
