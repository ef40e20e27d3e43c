/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: what the room offers to others beyond <physad/metrics.h>. */
#ifndef PHYSAD__METRICS_H
#define PHYSAD__METRICS_H

#include <physad/metrics.h>

#include "core/core.h"

/* The regularised incomplete beta function I_x(a, b) and its inverse in x; a, b > 0, 0 <= x, p <= 1. */
double physad__beta_cdf(double x, double a, double b);
double physad__beta_quantile(double p, double a, double b);

#endif
