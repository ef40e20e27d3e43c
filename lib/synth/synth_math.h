/* SPDX-License-Identifier: Apache-2.0 */
/* synth: vectors, noise and hashes, as small as a ray marcher needs them. */
#ifndef PHYSAD__SYNTH_MATH_H
#define PHYSAD__SYNTH_MATH_H

#include "base/base.h"

#include <math.h>

static const float PHYSAD__PI = 3.14159265358979f;

typedef struct physad__v3 {
    float x, y, z;
} physad__v3;

static inline physad__v3 physad__v3_make(float x, float y, float z) { return (physad__v3){ x, y, z }; }
static inline physad__v3 physad__v3_from(const float v[3]) { return (physad__v3){ v[0], v[1], v[2] }; }
static inline physad__v3 physad__v3_add(physad__v3 a, physad__v3 b)
{
    return (physad__v3){ a.x + b.x, a.y + b.y, a.z + b.z };
}
static inline physad__v3 physad__v3_sub(physad__v3 a, physad__v3 b)
{
    return (physad__v3){ a.x - b.x, a.y - b.y, a.z - b.z };
}
static inline physad__v3 physad__v3_mul(physad__v3 a, physad__v3 b)
{
    return (physad__v3){ a.x * b.x, a.y * b.y, a.z * b.z };
}
static inline physad__v3 physad__v3_scale(physad__v3 a, float s) { return (physad__v3){ a.x * s, a.y * s, a.z * s }; }
/* a + b * s */
static inline physad__v3 physad__v3_along(physad__v3 a, physad__v3 b, float s)
{
    return (physad__v3){ a.x + b.x * s, a.y + b.y * s, a.z + b.z * s };
}
static inline physad__v3 physad__v3_mix(physad__v3 a, physad__v3 b, float s)
{
    return (physad__v3){ a.x + (b.x - a.x) * s, a.y + (b.y - a.y) * s, a.z + (b.z - a.z) * s };
}
static inline float physad__v3_dot(physad__v3 a, physad__v3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static inline physad__v3 physad__v3_cross(physad__v3 a, physad__v3 b)
{
    return (physad__v3){ a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x };
}
static inline float physad__v3_length(physad__v3 a) { return sqrtf(physad__v3_dot(a, a)); }
static inline physad__v3 physad__v3_unit(physad__v3 a)
{
    const float length = physad__v3_length(a);
    return length > 0 ? physad__v3_scale(a, 1 / length) : (physad__v3){ 0, 0, 1 };
}
/* Of the light that goes along `d` onto a surface with normal `n`, where it goes on. */
static inline physad__v3 physad__v3_mirror(physad__v3 d, physad__v3 n)
{
    return physad__v3_along(d, n, -2 * physad__v3_dot(d, n));
}

/* Not fminf(): the machine's own instruction, without a thought for NaN. */
static inline float physad__minf(float a, float b) { return a < b ? a : b; }
static inline float physad__maxf(float a, float b) { return a > b ? a : b; }
static inline float physad__clampf(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
static inline float physad__mixf(float a, float b, float s) { return a + (b - a) * s; }
/* 0 below `a`, 1 above `b`, smooth between. */
static inline float physad__ramp(float a, float b, float x)
{
    const float s = physad__clampf((x - a) / (b - a), 0, 1);
    return s * s * (3 - 2 * s);
}

static inline uint32_t physad__hash32(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}
static inline uint32_t physad__hash3(int32_t x, int32_t y, int32_t z)
{
    return physad__hash32((uint32_t)x * 0x8da6b343u ^ (uint32_t)y * 0xd8163841u ^ (uint32_t)z * 0xcb1ab31fu);
}
/* 0..1 from a hash. */
static inline float physad__hash_unit(uint32_t h) { return (float)(h >> 8) * 0x1p-24f; }

/* Smooth value noise in 0..1, one knot per unit. */
float physad__noise(physad__v3 p);
/* Its sum over `octaves` with halving weights, scaled back to 0..1. */
float physad__noise_sum(physad__v3 p, int octaves);

#endif
