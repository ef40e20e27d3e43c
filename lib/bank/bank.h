/* SPDX-License-Identifier: Apache-2.0 */
/* bank: rows of features with their origin, exact nearest neighbours, greedy coresets. See <physad/bank.h>. */
#ifndef PHYSAD__BANK_H
#define PHYSAD__BANK_H

#include "core/core.h"
#include "io/io.h"

#include <physad/bank.h>

/* Appends the rows of one sample at positions 0, 1, ...; `stride` in elements. */
physad_status physad__bank_add_sample(physad_bank *bank, const float *rows, int64_t n, int64_t stride, int64_t sample);

/* Multiplies the columns from `first` on. */
physad_status physad__bank_scale(physad_bank *bank, int64_t first, float factor);
/* Keeps the first `dim` columns alone. */
physad_status physad__bank_narrow(physad_bank *bank, int64_t dim);

/* Finds the k nearest of each query as physad_bank_search() does, on plain arrays: queries row-major, squared distances
 * (the truth) and indices (n, k), neither NULL. Within a call that has begun. */
physad_status physad__bank_search(const physad_bank *bank, const float *queries, int64_t n, int32_t k, double *squared,
                                  int64_t *indices, physad__call *call);

/* Declares (before any append) and writes the bank's arrays under names that begin with `prefix`, such as "bank.". */
physad_status physad__bank_declare(const physad_bank *bank, physad__tensors_writer *writer, const char *prefix);
physad_status physad__bank_write(const physad_bank *bank, physad__tensors_writer *writer, const char *prefix);
/* A bank over the arrays of a file: the rows stay mapped, so `tensors` must outlive the bank unless `take` is set: then
 * the bank frees it, at its end or when this call fails. */
physad_status physad__bank_read(physad_bank **out, physad_context *ctx, physad_tensors *tensors, bool take,
                                const char *prefix);

#endif
