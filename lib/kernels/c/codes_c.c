/* SPDX-License-Identifier: Apache-2.0 */
/* Products of byte codes: of one query with listed rows, and of many queries with a panel of 64 rows.
 * Layouts are in kernels.h. Accumulator: 32 bits; 255 * 127 * 2^14 fits, so the sums are exact. No tails: sizes are
 * multiples of 64 bytes (rows) and of 4 (panels), padded with codes of 0 by the caller. */
#include "kernels/kernels_internal.h"

#include <stddef.h>

void physad__code_dots_c(int32_t *out, const int8_t *query, const uint8_t *rows, int64_t size, const int32_t *index,
                         int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = rows + (index != NULL ? index[i] : i) * size;
        int32_t sum = 0;
        for (int64_t j = 0; j < size; j++)
            sum += (int32_t)row[j] * query[j];
        out[i] = sum;
    }
}

int64_t physad__code_scan_c(uint64_t *hits, const uint8_t *panel, const int32_t *bias, const int8_t *queries,
                            int64_t query_stride, const int32_t *limits, int64_t n_queries, int64_t groups)
{
    int64_t found = 0;
    for (int64_t q = 0; q < n_queries; q++) {
        const int8_t *query = queries + q * query_stride;
        uint64_t bits = 0;
        for (int r = 0; r < PHYSAD__PANEL; r++) {
            int32_t sum = bias[r];
            for (int64_t g = 0; g < groups; g++)
                for (int j = 0; j < 4; j++)
                    sum += (int32_t)panel[(g * PHYSAD__PANEL + r) * 4 + j] * query[g * 4 + j];
            if (sum >= limits[q])
                bits |= (uint64_t)1 << r;
        }
        hits[q] = bits;
        found += bits != 0;
    }
    return found;
}
