/* SPDX-License-Identifier: Apache-2.0 */
/* Poses as text and as arrays of NumPy's. */
#include "io/io_file.h"
#include "io/io_pose_rows.h"
#include "io/io_tensors.h"

#include <math.h>

#define MAX_FILE ((uint64_t)256 << 20)
#define MAX_TOKENS 32
#define MAX_ROWS 1000000

void physad__pose_rows_free(physad__pose_rows *r)
{
    for (int64_t i = 0; i < r->count; i++)
        physad__free(r->rows[i].name);
    physad__free(r->rows);
    *r = (physad__pose_rows){ 0 };
}

/* The last row of a 4 x 4 matrix is 0 0 0 1. */
static physad_status check_last_row(const double m[16], const char *place)
{
    const double zero = fabs(m[12]) + fabs(m[13]) + fabs(m[14]);
    if (zero < 1e-6 && fabs(m[15] - 1) < 1e-6)
        return PHYSAD_OK;
    const bool turned = fabs(m[3]) + fabs(m[7]) + fabs(m[11]) < 1e-6 && fabs(m[15] - 1) < 1e-6;
    return physad__error(PHYSAD_ERR_FORMAT,
                         turned ? "%s: the matrix has its translation in the last row (%g %g %g %g): it is written by "
                                  "columns; want rows, the last one 0 0 0 1"
                                : "%s: the last row of the matrix is %g %g %g %g, want 0 0 0 1",
                         place, m[12], m[13], m[14], m[15]);
}

physad_status physad__pose_rows_add(physad__pose_rows *out, const physad__pose_row *like, const char *photo,
                                    const double *values, int64_t count, const char *place)
{
    physad__pose_row row = *like;
    if (photo != NULL && photo[0] == '\0')
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the name of its photo is empty", place);
    if (count != 7 && count != 12 && count != 16)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: %lld numbers, want 7 (position and quaternion), 12 (a 3 x 4 matrix) or 16 (4 x 4)",
                             place, (long long)count);
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(values[k]) || fabs(values[k]) > 1e12)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: number %lld is %g, want finite numbers below 1e12", place,
                                 (long long)k + 1, values[k]);
    if (count == 16)
        PHYSAD__TRY(check_last_row(values, place));
    if (out->count >= MAX_ROWS)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: more than %d poses", place, MAX_ROWS);
    row.count = count == 7 ? 7 : 12;
    memcpy(row.values, values, (size_t)row.count * sizeof(double));
    PHYSAD__TRY(physad__grow(out->mem, &out->rows, &out->size, out->count + 1, sizeof(row), "poses"));
    row.name = photo != NULL ? physad__strdup(out->mem, photo) : NULL;
    if (photo != NULL && row.name == NULL)
        return PHYSAD_ERR_NOMEM;
    out->rows[out->count++] = row;
    return PHYSAD_OK;
}

/* --- text --- */

typedef struct text {
    physad__pose_rows *out;
    const char *name;
    int64_t line;
    char separator;      /* ',', ';', or 0: blanks */
    char photo[512];     /* said by a line of its own, for the matrix that follows; "" : none */
    double matrix[16];   /* of lines with four numbers, until it is whole */
    int64_t filled;
    int8_t column[8];    /* of a header: places of tx ty tz qx qy qz qw and of the name; -1: none */
    bool has_header;
} text;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Brackets of printed arrays are as good as blanks. */
static bool is_between(const text *t, char c)
{
    return c == '[' || c == ']' || c == '(' || c == ')' || (t->separator != 0 ? c == t->separator : is_blank(c));
}

/* To the next token, or to the separator that ends an empty cell. */
static char *skip(const text *t, char *p)
{
    while (is_blank(*p) || (is_between(t, *p) && (t->separator == 0 || *p != t->separator)))
        p++;
    return p;
}

/* Cuts a line into tokens in place; quotes hold together, empty cells are tokens but for the last ones. -1: too many,
 * or a quote that does not end. */
static int64_t cut(const text *t, char *line, char *tokens[MAX_TOKENS])
{
    int64_t n = 0;
    char *p = skip(t, line);
    while (*p != '\0' && *p != '#') {
        if (n == MAX_TOKENS)
            return -1;
        const bool quoted = *p == '"';
        tokens[n++] = p += quoted;
        while (*p != '\0' && (quoted ? *p != '"' : !is_between(t, *p) && *p != '#'))
            p++;
        if (quoted && *p != '"')
            return -1;
        char *end = p, stop = *p;
        *p = '\0';
        while (!quoted && end > tokens[n - 1] && is_blank(end[-1]))
            *--end = '\0';
        if (stop == '\0' || stop == '#')
            break;
        p = skip(t, p + 1);
        if (t->separator != 0 && stop != t->separator && *p == t->separator) /* behind a quote or a bracket */
            p = skip(t, p + 1);
    }
    while (n > 0 && *tokens[n - 1] == '\0')
        n--;
    return n;
}

/* A header's names; false where it is none. */
static bool read_header(text *t, char *const *tokens, int64_t n)
{
    static const char *const wanted[8][7] = {
        { "tx", "x", "px", "pos_x", "position_x" },
        { "ty", "y", "py", "pos_y", "position_y" },
        { "tz", "z", "pz", "pos_z", "position_z" },
        { "qx", "rot_x", "orientation_x" },
        { "qy", "rot_y", "orientation_y" },
        { "qz", "rot_z", "orientation_z" },
        { "qw", "rot_w", "orientation_w" },
        { "name", "file", "filename", "image", "photo", "path", "file_path" },
    };
    double number;
    for (int64_t i = 0; i < n; i++)
        if (physad__parse_double(tokens[i], &number))
            return false;
    memset(t->column, -1, sizeof(t->column));
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 8; k++)
            for (int w = 0; w < 7 && wanted[k][w] != NULL; w++)
                if (strcmp(tokens[i], wanted[k][w]) == 0 && t->column[k] < 0)
                    t->column[k] = (int8_t)i;
    t->has_header = true;
    for (int k = 0; k < 7; k++)
        t->has_header = t->has_header && t->column[k] >= 0;
    return n >= 7;
}

static physad_status add_by_header(text *t, char *const *tokens, int64_t n, const char *place)
{
    const physad__pose_row like = { .order = PHYSAD__POSE_XYZW, .first = PHYSAD__POSE_POSITION };
    double values[7];
    for (int k = 0; k < 7; k++)
        if (t->column[k] >= n || !physad__parse_double(tokens[t->column[k]], &values[k]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: column %d is no number", place, t->column[k] + 1);
    const int at = t->column[7];
    const char *photo = at < 0 ? NULL : at < n ? tokens[at] : "";
    return physad__pose_rows_add(t->out, &like, photo, values, 7, place);
}

/* A line of four numbers is a row of a matrix. */
static physad_status add_matrix_row(text *t, const double values[4], const char *place)
{
    const physad__pose_row none = { 0 };
    if (t->filled == 12 && fabs(values[0]) + fabs(values[1]) + fabs(values[2]) > 1e-6) { /* that one was 3 x 4 */
        PHYSAD__TRY(physad__pose_rows_add(t->out, &none, t->photo[0] ? t->photo : NULL, t->matrix, 12, place));
        t->filled = 0;
    }
    memcpy(t->matrix + t->filled, values, 4 * sizeof(double));
    t->filled += 4;
    if (t->filled < 16)
        return PHYSAD_OK;
    t->filled = 0;
    PHYSAD__TRY(physad__pose_rows_add(t->out, &none, t->photo[0] ? t->photo : NULL, t->matrix, 16, place));
    t->photo[0] = '\0';
    return PHYSAD_OK;
}

/* Between matrices: three rows are one. */
static physad_status end_matrix(text *t, const char *place)
{
    const physad__pose_row none = { 0 };
    if (t->filled == 0)
        return PHYSAD_OK;
    const int64_t filled = t->filled;
    t->filled = 0;
    if (filled != 12)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a matrix of %lld rows ends before here, want 3 or 4", place,
                             (long long)filled / 4);
    PHYSAD__TRY(physad__pose_rows_add(t->out, &none, t->photo[0] ? t->photo : NULL, t->matrix, 12, place));
    t->photo[0] = '\0';
    return PHYSAD_OK;
}

static physad_status read_line(text *t, char *line)
{
    const physad__pose_row none = { 0 };
    char place[600], *tokens[MAX_TOKENS];
    double values[MAX_TOKENS];
    physad__snprintf(place, sizeof(place), "%s: line %lld", t->name, (long long)t->line);
    const int64_t n = cut(t, line, tokens);
    if (n < 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: more than %d entries, or a quote that does not end", place,
                             MAX_TOKENS);
    if (n == 0)
        return end_matrix(t, place);
    if (n >= 7 && t->out->count == 0 && read_header(t, tokens, n))
        return PHYSAD_OK;
    if (t->has_header)
        return add_by_header(t, tokens, n, place);
    const bool named = n == 1 || n == 8 || n == 13 || n == 17;
    for (int64_t k = named; k < n; k++)
        if (!physad__parse_double(tokens[k], &values[k - named]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.40s\" is no number", place, tokens[k]);
    if (n == 4)
        return add_matrix_row(t, values, place);
    PHYSAD__TRY(end_matrix(t, place));
    if (n > 1)
        return physad__pose_rows_add(t->out, &none, named ? tokens[0] : NULL, values, n - named, place);
    if (strlen(tokens[0]) >= sizeof(t->photo))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a name of %zu bytes", place, strlen(tokens[0]));
    memcpy(t->photo, tokens[0], strlen(tokens[0]) + 1);
    return PHYSAD_OK;
}

static physad_status parse_text(physad__pose_rows *out, char *data, size_t size, const char *name)
{
    text t = { .out = out, .name = name };
    const char *nul = memchr(data, '\0', size);
    if (nul != NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: byte %zu is a NUL: this is no text", name, (size_t)(nul - data));
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        data += 3;
    t.separator = strchr(data, ',') != NULL ? ',' : strchr(data, ';') != NULL ? ';' : '\0';
    for (char *line = data; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        t.line++;
        PHYSAD__TRY(read_line(&t, line));
        line = end != NULL ? end + 1 : NULL;
    }
    t.line++;
    return read_line(&t, (char[1]){ "" });
}

/* --- arrays --- */

/* How many poses of how many numbers. */
static physad_status measure_npy(int64_t *n, int64_t *each, const physad_view *v, const char *name)
{
    char got[128];
    const bool rows = v->ndim >= 2 && v->shape[v->ndim - 1] == 4; /* matrices */
    const bool single = v->ndim == (rows ? 2 : 1);
    *n = single || v->ndim < 1 ? 1 : v->shape[0];
    const int64_t last = v->ndim < 1 ? 0 : v->shape[v->ndim - (rows ? 2 : 1)];
    const bool shaped = v->ndim == (rows ? 3 : 2) - single && (rows ? last == 3 || last == 4 : last == 7);
    *each = !shaped ? 0 : rows ? 4 * last : last;
    if (shaped && *n >= 1 && *n <= MAX_ROWS && (v->dtype == PHYSAD_F32 || v->dtype == PHYSAD_F64))
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_FORMAT,
                         "%s: an array of %s %s, want f32 or f64 (N,4,4), (N,3,4), (N,7), or one of them", name,
                         physad_dtype_name(v->dtype), physad__shape_text(got, sizeof(got), v->ndim, v->shape));
}

static physad_status add_npy(physad__pose_rows *out, const physad_view *v, const char *name)
{
    const physad__pose_row none = { 0 };
    int64_t n, each;
    PHYSAD__TRY(measure_npy(&n, &each, v, name));
    void *numbers = physad__alloc_array(out->mem, n * each, sizeof(double), "poses");
    if (numbers == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view packed = physad_view_array(numbers, v->dtype, v->ndim, v->shape);
    physad_status status = physad__view_copy(&packed, v);
    for (int64_t i = 0; i < n && status == PHYSAD_OK; i++) {
        char place[600];
        double values[16];
        for (int64_t k = 0; k < each; k++)
            values[k] = v->dtype == PHYSAD_F64 ? ((const double *)numbers)[i * each + k]
                                               : (double)((const float *)numbers)[i * each + k];
        physad__snprintf(place, sizeof(place), "%s: pose %lld", name, (long long)i);
        status = physad__pose_rows_add(out, &none, NULL, values, each, place);
    }
    physad__free(numbers);
    return status;
}

static physad_status parse_npy(physad__pose_rows *out, physad_context *ctx, const void *data, size_t size,
                               const char *name)
{
    physad_tensors *file;
    physad_view view;
    PHYSAD__TRY(physad_tensors_open_memory(&file, ctx, data, size, name, NULL));
    physad_status status = strcmp(physad_tensors_format(file), "npy") == 0 && physad_tensors_count(file) == 1
                               ? physad_tensors_view(file, 0, &view)
                               : physad__error(PHYSAD_ERR_FORMAT, "%s: is no .npy file of one array", name);
    if (status == PHYSAD_OK)
        status = add_npy(out, &view, name);
    physad_tensors_free(file);
    return status;
}

physad_status physad__pose_rows_parse(physad__pose_rows *out, physad_context *ctx, void *data, size_t size,
                                      const char *suffix, const char *name)
{
    *out = (physad__pose_rows){ .mem = &ctx->mem };
    physad_status status = strcmp(suffix, ".json") == 0  ? physad__pose_rows_parse_json(out, data, size, name)
                           : strcmp(suffix, ".npy") == 0 ? parse_npy(out, ctx, data, size, name)
                                                         : parse_text(out, data, size, name);
    if (status == PHYSAD_OK && out->count == 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: holds no pose", name);
    if (status != PHYSAD_OK)
        physad__pose_rows_free(out);
    return status;
}

physad_status physad__pose_rows_read(physad__pose_rows *out, physad_context *ctx, const char *path)
{
    unsigned char *data;
    size_t size;
    *out = (physad__pose_rows){ 0 };
    PHYSAD__TRY(physad__file_read(&data, &size, &ctx->mem, path, MAX_FILE));
    const physad_status status = physad__pose_rows_parse(out, ctx, data, size, physad__path_suffix(path), path);
    physad__free(data);
    return status;
}
