/* SPDX-License-Identifier: Apache-2.0 */
/* io: tables as comma-separated values. */
#ifndef PHYSAD__IO_CSV_H
#define PHYSAD__IO_CSV_H

#include "base/base.h"

/* A table; the first row holds the names of the columns. */
typedef struct physad__csv {
    char *text;   /* every cell, each with a NUL behind it */
    char **cells; /* (rows + 1) x columns, the names first */
    int64_t rows, columns;
} physad__csv;

/* RFC 4180: cells in quotes may hold commas, quotes (doubled) and line breaks; lines end in LF or CR LF. A byte-order
 * mark and empty lines are passed over. A NUL, a lone quote, a row with more or fewer cells than the first are FORMAT,
 * with the line. `name` is said in messages. */
physad_status physad__csv_parse(physad__csv *csv, physad__mem *mem, const void *text, size_t size, const char *name);
physad_status physad__csv_read(physad__csv *csv, physad__mem *mem, const char *path, uint64_t max_bytes);
void physad__csv_free(physad__csv *csv);                              /* zeroed is fine */
int64_t physad__csv_column(const physad__csv *csv, const char *name); /* -1: none; ASCII case is ignored */
const char *physad__csv_cell(const physad__csv *csv, int64_t row, int64_t column);

#endif
