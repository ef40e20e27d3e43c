/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <stdlib.h>

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void physad__sort_floats(float *values, int64_t n)
{
    if (n > 1)
        qsort(values, (size_t)n, sizeof(*values), compare_floats);
}

void physad__sort_doubles(double *values, int64_t n)
{
    if (n > 1)
        qsort(values, (size_t)n, sizeof(*values), compare_doubles);
}
