/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_csv.h"

#include "io/io_file.h"

typedef struct reader {
    physad__csv *csv;
    physad__mem *mem;
    const char *name;
    const unsigned char *p, *end;
    char *out; /* the next free byte of the text */
    int64_t line;
    int64_t count, capacity; /* cells */
} reader;

static physad_status fault(const reader *r, const char *what)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: line %lld: %s", r->name, (long long)r->line, what);
}

static bool at_line_end(const reader *r)
{
    return r->p == r->end || *r->p == '\n' || (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n');
}

static physad_status read_quoted(reader *r)
{
    const int64_t opened = r->line;
    for (r->p++; r->p < r->end; r->p++) {
        if (*r->p == '\0')
            return fault(r, "a NUL");
        if (*r->p == '\n')
            r->line++;
        if (*r->p == '"') {
            if (r->p + 1 == r->end || r->p[1] != '"') {
                r->p++;
                return at_line_end(r) || *r->p == ',' ? PHYSAD_OK : fault(r, "text behind a closing quote");
            }
            r->p++;
        }
        *r->out++ = (char)*r->p;
    }
    r->line = opened;
    return fault(r, "a quote that is never closed");
}

static physad_status read_plain(reader *r)
{
    for (; !at_line_end(r) && *r->p != ','; r->p++) {
        if (*r->p == '\0')
            return fault(r, "a NUL");
        if (*r->p == '"')
            return fault(r, "a quote within a cell that does not begin with one");
        *r->out++ = (char)*r->p;
    }
    return PHYSAD_OK;
}

static physad_status read_row(reader *r)
{
    int64_t cells = 0;
    for (;;) {
        PHYSAD__TRY(physad__grow(r->mem, &r->csv->cells, &r->capacity, r->count + 1, sizeof(*r->csv->cells), "table"));
        r->csv->cells[r->count++] = r->out;
        PHYSAD__TRY(r->p < r->end && *r->p == '"' ? read_quoted(r) : read_plain(r));
        *r->out++ = '\0';
        cells++;
        if (at_line_end(r))
            break;
        r->p++; /* the comma */
    }
    if (r->csv->columns == 0)
        r->csv->columns = cells;
    else if (cells != r->csv->columns)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: line %lld: %lld cells, want %lld", r->name, (long long)r->line,
                             (long long)cells, (long long)r->csv->columns);
    return PHYSAD_OK;
}

static void skip_line_ends(reader *r)
{
    while (r->p < r->end && at_line_end(r)) {
        r->p += *r->p == '\r' ? 2 : 1;
        r->line++;
    }
}

static physad_status read_all(reader *r)
{
    if (r->end - r->p >= 3 && memcmp(r->p, "\xEF\xBB\xBF", 3) == 0)
        r->p += 3;
    skip_line_ends(r);
    if (r->p == r->end)
        return fault(r, "the table is empty");
    while (r->p < r->end) {
        PHYSAD__TRY(read_row(r));
        skip_line_ends(r);
    }
    r->csv->rows = r->count / r->csv->columns - 1;
    return PHYSAD_OK;
}

physad_status physad__csv_parse(physad__csv *csv, physad__mem *mem, const void *text, size_t size, const char *name)
{
    reader r = { .csv = csv, .mem = mem, .name = name, .p = text, .line = 1 };
    *csv = (physad__csv){ NULL, NULL, 0, 0 };
    r.end = r.p + size;
    /* A cell takes a byte for its NUL, in place of the comma or line end behind it; the last one needs one more. */
    csv->text = physad__alloc(mem, size + 1, "table");
    if (csv->text == NULL)
        return PHYSAD_ERR_NOMEM;
    r.out = csv->text;
    const physad_status status = read_all(&r);
    if (status != PHYSAD_OK)
        physad__csv_free(csv);
    return status;
}

physad_status physad__csv_read(physad__csv *csv, physad__mem *mem, const char *path, uint64_t max_bytes)
{
    unsigned char *text;
    size_t size;
    *csv = (physad__csv){ NULL, NULL, 0, 0 };
    PHYSAD__TRY(physad__file_read(&text, &size, mem, path, max_bytes));
    const physad_status status = physad__csv_parse(csv, mem, text, size, path);
    physad__free(text);
    return status;
}

void physad__csv_free(physad__csv *csv)
{
    physad__free(csv->text);
    physad__free(csv->cells);
    *csv = (physad__csv){ NULL, NULL, 0, 0 };
}

int64_t physad__csv_column(const physad__csv *csv, const char *name)
{
    const size_t n = strlen(name);
    for (int64_t i = 0; i < csv->columns; i++)
        if (strlen(csv->cells[i]) == n && physad__has_suffix(csv->cells[i], name))
            return i;
    return -1;
}

const char *physad__csv_cell(const physad__csv *csv, int64_t row, int64_t column)
{
    return csv->cells[(row + 1) * csv->columns + column];
}
