/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** of Blackman and Vigna (2018), seeded by splitmix64 as its authors advise. */
#include "base/base.h"

#include <math.h>

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void physad__rng_seed(physad__rng *rng, uint64_t seed, uint64_t stream)
{
    uint64_t other = stream;
    uint64_t x = seed ^ splitmix64(&other);
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix64(&x);
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t physad__rng_next(physad__rng *rng)
{
    uint64_t *s = rng->state;
    const uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

int64_t physad__rng_below(physad__rng *rng, int64_t n)
{
    if (n <= 1)
        return 0;
    const uint64_t range = (uint64_t)n;
    const uint64_t reject = (0 - range) % range; /* values below it would be met once too often */
    uint64_t x;
    do
        x = physad__rng_next(rng);
    while (x < reject);
    return (int64_t)(x % range);
}

double physad__rng_uniform(physad__rng *rng)
{
    return (double)(physad__rng_next(rng) >> 11) * 0x1p-53;
}

double physad__rng_normal(physad__rng *rng)
{
    /* Marsaglia's polar method; the second value is dropped, so that the state is the generator's alone. */
    double x, y, s;
    do {
        x = 2 * physad__rng_uniform(rng) - 1;
        y = 2 * physad__rng_uniform(rng) - 1;
        s = x * x + y * y;
    } while (s >= 1 || s == 0);
    return x * sqrt(-2 * log(s) / s);
}

void physad__rng_shuffle(physad__rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = physad__rng_below(rng, i + 1), kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}
