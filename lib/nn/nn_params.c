/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters drawn at random, for tests and measurements: only where they are asked for by that name. */
#include "nn/nn.h"

#include <math.h>

/* The i-th of a sequence of which any element can be had alone: splitmix64 at `key` + (i + 1) steps. */
static uint64_t element(uint64_t key, uint64_t i)
{
    uint64_t z = key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t hash_name(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return h;
}

/* Two by two (Box and Muller 1958). */
void physad__nn_draw_normal(uint64_t seed, const char *name, double deviation, float *out, int64_t count)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, hash_name(name));
    const uint64_t key = physad__rng_next(&rng);
    const double turn = 6.283185307179586476925;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < count; i += 2) {
        const double u = (double)((element(key, (uint64_t)i) >> 11) + 1) * 0x1p-53;
        const double v = (double)(element(key, (uint64_t)i + 1) >> 11) * 0x1p-53;
        const double r = deviation * sqrt(-2 * log(u));
        out[i] = (float)(r * cos(turn * v));
        if (i + 1 < count)
            out[i + 1] = (float)(r * sin(turn * v));
    }
}

void physad__nn_draw_uniform(uint64_t seed, const char *name, double low, double high, float *out, int64_t count)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, hash_name(name));
    const uint64_t key = physad__rng_next(&rng);
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(low + (high - low) * ((double)(element(key, (uint64_t)i) >> 11) * 0x1p-53));
}

static physad_status random_get(void *user, const char *name, int32_t ndim, const int64_t *shape, float *buffer,
                                const float **data)
{
    const uint64_t *seed = user;
    int64_t count = 1, fan_in = 1;
    for (int32_t i = 0; i < ndim; i++) {
        count *= shape[i];
        fan_in *= i > 0 ? shape[i] : 1;
    }
    *data = buffer;
    if (ndim > 1) {
        physad__nn_draw_normal(*seed, name, sqrt((ndim == 4 ? 2.0 : 1.0) / (double)fan_in), buffer, count);
        return PHYSAD_OK;
    }
    const bool one = physad__has_suffix(name, ".running_var") || physad__has_suffix(name, ".weight");
    for (int64_t i = 0; i < count; i++)
        buffer[i] = one ? 1.0f : 0.0f;
    return PHYSAD_OK;
}

physad__nn_source physad__nn_random_source(const uint64_t *seed)
{
    return (physad__nn_source){ random_get, (void *)(uintptr_t)seed };
}
