/* SPDX-License-Identifier: Apache-2.0 */
/* The greedy k-center rule by the plan of the rows. */
#ifndef PHYSAD__BANK_GREEDY_H
#define PHYSAD__BANK_GREEDY_H

#include "bank/bank_plan.h"

/* picks (count), radii (count) or NULL; 1 <= count <= rows; ticks once a pick. */
physad_status physad__greedy(const physad__plan *plan, const physad__rows *rows, int64_t first, int64_t count,
                             int64_t *picks, double *radii, physad__call *call);

/* --- projections (bank_project.c) --- */

/* Components of the sparse projection of n rows. */
int64_t physad__projection_width(int64_t n, double eps);
/* Fills `region` with the projection that the options ask for; `out` comes with its kernels set and then describes the
 * rows. */
physad_status physad__project(physad__region *region, const physad_bank *bank, const physad_coreset_options *o,
                              uint64_t seed, physad__rows *out, physad__call *call);

#endif
