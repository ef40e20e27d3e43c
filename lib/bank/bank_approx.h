/* SPDX-License-Identifier: Apache-2.0 */
/* Approximate indexes of FAISS, through its C interface. */
#ifndef PHYSAD__BANK_APPROX_H
#define PHYSAD__BANK_APPROX_H

#include "bank/bank_internal.h"

physad_status physad__approx_new(physad__approx **out, physad_context *ctx, const physad__rows *rows,
                                 const char *factory);
void physad__approx_free(physad__approx *approx);
/* Candidates of the index, measured exactly and sorted: what there are fewer is +inf and -1. */
physad_status physad__approx_search(const physad__approx *approx, const physad__rows *rows, const float *queries,
                                    int64_t n, int32_t k, double *squared, int64_t *indices, physad__call *call);

#endif
