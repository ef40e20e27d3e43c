/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

/* The continued fraction of DLMF 8.17.22, from the front by Lentz's method; quick for x < (a + 1) / (a + b + 2). */
static double continued_fraction(double x, double a, double b)
{
    enum { MOST = 100000 };
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m < MOST; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        const double factor = d * c;
        value *= factor;
        if (fabs(factor - 1) < 1e-16)
            break;
    }
    return value;
}

double physad__beta_cdf(double x, double a, double b)
{
    int sign;
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    const double front =
        exp(a * log(x) + b * log1p(-x) + lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign));
    if (x < (a + 1) / (a + b + 2))
        return front * continued_fraction(x, a, b) / a;
    return 1 - front * continued_fraction(1 - x, b, a) / b;
}

double physad__beta_quantile(double p, double a, double b)
{
    double low = 0, high = 1;
    if (p <= 0 || p >= 1)
        return p <= 0 ? 0 : 1;
    for (int i = 0; i < 1100 && low < high; i++) { /* halving reaches the last bit even of a denormal */
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (physad__beta_cdf(middle, a, b) < p)
            low = middle;
        else
            high = middle;
    }
    return high;
}
