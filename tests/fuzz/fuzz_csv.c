/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a table: a status and no leak; every cell of what is read can be reached, and none is longer than the
 * text. */
#include "fuzz.h"

#include "io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    physad__mem mem;
    physad__csv csv;
    physad__mem_init(&mem, NULL, 64 << 20);
    if (physad__csv_parse(&csv, &mem, data, size, "fuzz") == PHYSAD_OK) {
        size_t total = 0;
        check(csv.columns > 0 && csv.rows >= 0);
        for (int64_t row = -1; row < csv.rows; row++)
            for (int64_t column = 0; column < csv.columns; column++)
                total += strlen(physad__csv_cell(&csv, row, column)) + 1;
        check(total <= size + 1);
        check(physad__csv_column(&csv, csv.cells[csv.columns - 1]) >= 0);
    }
    physad__csv_free(&csv);
    check(atomic_load(&mem.used) == 0);
    return 0;
}
