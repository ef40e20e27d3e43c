/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

static void merge(const int32_t *from, int32_t *to, int64_t begin, int64_t middle, int64_t end,
                  physad__compare_fn compare, const void *user)
{
    int64_t a = begin, b = middle;
    for (int64_t i = begin; i < end; i++) {
        const bool first = b == end || (a < middle && compare(from[a], from[b], user) <= 0);
        to[i] = first ? from[a++] : from[b++];
    }
}

void physad__sort_ids(int32_t *ids, int32_t *scratch, int64_t n, physad__compare_fn compare, const void *user)
{
    int32_t *from = ids, *to = scratch;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t i = 0; i < n; i += 2 * width)
            merge(from, to, i, physad__min(i + width, n), physad__min(i + 2 * width, n), compare, user);
        int32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != ids && n > 0)
        memcpy(ids, from, (size_t)n * sizeof(*ids));
}

double physad__median(double *values, int64_t n)
{
    physad__sort_doubles(values, n);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

float physad__key_float(uint32_t key)
{
    const uint32_t bits = key ^ ((key >> 31) != 0 ? 0x80000000u : 0xffffffffu);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

enum { PASSES = 3, BITS = 11, DIGITS = 1 << BITS };

/* Turns counts into first places; false when all keys share one digit, so that the pass would move nothing. */
static bool places(int64_t count[DIGITS], int64_t n)
{
    int64_t sum = 0;
    for (int d = 0; d < DIGITS; d++) {
        const int64_t c = count[d];
        if (c == n)
            return false;
        count[d] = sum;
        sum += c;
    }
    return true;
}

void physad__radix_sort(uint32_t *keys, uint32_t *scratch, int64_t n)
{
    int64_t count[PASSES][DIGITS];
    uint32_t *from = keys, *to = scratch;
    if (n < 2)
        return;
    memset(count, 0, sizeof(count));
    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++)
            count[p][(keys[i] >> (p * BITS)) & (DIGITS - 1)]++;
    for (int p = 0; p < PASSES; p++) {
        if (!places(count[p], n))
            continue;
        for (int64_t i = 0; i < n; i++)
            to[count[p][(from[i] >> (p * BITS)) & (DIGITS - 1)]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, (size_t)n * sizeof(*keys));
}

void physad__radix_sort_pairs(uint64_t *pairs, uint64_t *scratch, int64_t n)
{
    int64_t count[PASSES][DIGITS];
    uint64_t *from = pairs, *to = scratch;
    if (n < 2)
        return;
    memset(count, 0, sizeof(count));
    for (int64_t i = 0; i < n; i++)
        for (int p = 0; p < PASSES; p++)
            count[p][(pairs[i] >> (32 + p * BITS)) & (DIGITS - 1)]++;
    for (int p = 0; p < PASSES; p++) {
        if (!places(count[p], n))
            continue;
        for (int64_t i = 0; i < n; i++)
            to[count[p][(from[i] >> (32 + p * BITS)) & (DIGITS - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != pairs)
        memcpy(pairs, from, (size_t)n * sizeof(*pairs));
}

void physad__sum_add(physad__sum *sum, double x)
{
    const double t = sum->sum + x;
    sum->rest += fabs(sum->sum) >= fabs(x) ? (sum->sum - t) + x : (x - t) + sum->sum;
    sum->sum = t;
}

double physad__sum_value(const physad__sum *sum)
{
    return sum->sum + sum->rest;
}
