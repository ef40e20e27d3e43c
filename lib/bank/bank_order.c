/* SPDX-License-Identifier: Apache-2.0 */
/* An order of points in which near ones are together: a k-d tree's leaves. Ties go by index: one order on every
 * machine. See Friedman, Bentley, Finkel, An algorithm for finding best matches in logarithmic expected time, 1977. */
#include "bank/bank_plan.h"

#define SMALLEST 16 /* lanes of the scan */
#define PROBED 128  /* points that tell the widest direction */

static int64_t widest(const int32_t *order, int64_t n, const float *points, int64_t dims)
{
    int64_t best = 0;
    float most = -1;
    const int64_t step = physad__max(1, n / PROBED);
    for (int64_t j = 0; j < dims; j++) {
        double sum = 0, squares = 0, count = 0;
        for (int64_t i = 0; i < n; i += step, count++) {
            const double v = (double)points[order[i] * dims + j];
            sum += v;
            squares += v * v;
        }
        const float spread = (float)(squares / count - (sum / count) * (sum / count));
        if (spread > most) {
            most = spread;
            best = j;
        }
    }
    return best;
}

static bool before(const float *points, int64_t dims, int64_t j, int32_t a, int32_t b)
{
    const float x = points[a * dims + j], y = points[b * dims + j];
    return x < y || (x == y && a < b);
}

/* Hoare's selection: the `middle` least come first. */
static void halve(int32_t *order, int64_t n, int64_t middle, const float *points, int64_t dims, int64_t j)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const int32_t pivot = order[low + (high - low) / 2];
        int64_t a = low, b = high;
        while (a <= b) {
            while (before(points, dims, j, order[a], pivot))
                a++;
            while (before(points, dims, j, pivot, order[b]))
                b--;
            if (a <= b) {
                const int32_t kept = order[a];
                order[a++] = order[b];
                order[b--] = kept;
            }
        }
        if (middle <= b)
            high = b;
        else if (middle >= a)
            low = a;
        else
            return;
    }
}

void physad__order_near(int32_t *order, int64_t n, const float *points, int64_t dims)
{
    while (n > SMALLEST) {
        int64_t middle = SMALLEST;
        while (middle * 2 < n)
            middle *= 2;
        halve(order, n, middle, points, dims, widest(order, n, points, dims));
        physad__order_near(order + middle, n - middle, points, dims); /* never the larger part: the depth is log2(n) */
        n = middle;
    }
}
