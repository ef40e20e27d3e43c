/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's .npy files. Their header is a Python literal; a strict parser of the few forms that occur reads it here, and
 * nothing evaluates it. Source: NumPy enhancement proposal 1 and numpy.lib.format. */
#include "io/io_file.h"
#include "io/io_image.h"

#define MAX_HEADER (1 << 16) /* NumPy itself trusts 10,000 bytes */

typedef struct parser {
    const unsigned char *data;
    const char *name;
    size_t at, end; /* of the header's text */
    int32_t dtype, ndim;
    int64_t shape[PHYSAD_MAX_DIMS];
    bool big, fortran;
    bool seen[3]; /* descr, fortran_order, shape */
} parser;

static physad_status complain(const parser *p, physad_status status, size_t at, const char *format, ...)
    PHYSAD__PRINTF(4, 5);
static physad_status complain(const parser *p, physad_status status, size_t at, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    physad__vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return physad__error(status, "%s: byte %zu: npy: %s", p->name, at, text);
}

/* --- the literal --- */

static int peek(parser *p) /* behind white space; -1 at the end */
{
    while (p->at < p->end &&
           (p->data[p->at] == ' ' || p->data[p->at] == '\t' || p->data[p->at] == '\n' || p->data[p->at] == '\r'))
        p->at++;
    return p->at < p->end ? p->data[p->at] : -1;
}

static bool accept(parser *p, int c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static physad_status expect(parser *p, int c)
{
    if (accept(p, c))
        return PHYSAD_OK;
    return complain(p, PHYSAD_ERR_FORMAT, p->at, "want '%c' in the header", c);
}

/* A quoted word without escapes. */
static physad_status read_word(parser *p, char *out, size_t room)
{
    const int quote = peek(p);
    if (quote != '\'' && quote != '"')
        return complain(p, PHYSAD_ERR_FORMAT, p->at, "want a quoted word in the header");
    size_t n = 0;
    for (p->at++; p->at < p->end && p->data[p->at] != quote; p->at++) {
        const int c = p->data[p->at];
        if (c == '\\' || c < ' ' || c > '~' || n + 1 >= room)
            return complain(p, PHYSAD_ERR_FORMAT, p->at, "a bad or long word in the header");
        out[n++] = (char)c;
    }
    out[n] = '\0';
    if (p->at == p->end)
        return complain(p, PHYSAD_ERR_FORMAT, p->at, "a word without its end in the header");
    p->at++;
    return PHYSAD_OK;
}

static physad_status read_descr(parser *p)
{
    static const struct {
        const char *code;
        int32_t dtype;
    } codes[] = {
        { "b1", PHYSAD_BOOL }, { "u1", PHYSAD_U8 },  { "i1", PHYSAD_I8 },  { "u2", PHYSAD_U16 },
        { "i2", PHYSAD_I16 },  { "u4", PHYSAD_U32 }, { "i4", PHYSAD_I32 }, { "u8", PHYSAD_U64 },
        { "i8", PHYSAD_I64 },  { "f2", PHYSAD_F16 }, { "f4", PHYSAD_F32 }, { "f8", PHYSAD_F64 },
    };
    char word[32];
    const int first = peek(p);
    const size_t at = p->at;
    if (first == '[' || first == '(')
        return complain(p, PHYSAD_ERR_UNSUPPORTED, at, "records; arrays of one element type are read");
    PHYSAD__TRY(read_word(p, word, sizeof(word)));
    const char order = word[0];
    if (order != '\0' && strcmp(word + 1, "O") == 0)
        return complain(p, PHYSAD_ERR_UNSUPPORTED, at, "Python objects, which only running code could read");
    for (int i = 0; i < PHYSAD__COUNT(codes); i++) {
        if (order == '\0' || strcmp(word + 1, codes[i].code) != 0)
            continue;
        const bool bytes = physad_dtype_size(codes[i].dtype) == 1;
        if (order != '<' && order != '>' && order != '=' && !(order == '|' && bytes))
            break;
        p->dtype = codes[i].dtype;
        p->big = order == '>';
        return PHYSAD_OK;
    }
    return complain(p, PHYSAD_ERR_UNSUPPORTED, at,
                    "elements of '%s'; '<' or '>' with b1, u1 to u8, i1 to i8, f2, f4, f8 are read", word);
}

static physad_status read_order(parser *p)
{
    const int first = peek(p);
    const char *const word = first == 'T' ? "True" : "False";
    const size_t n = strlen(word);
    if (p->end - p->at < n || memcmp(p->data + p->at, word, n) != 0)
        return complain(p, PHYSAD_ERR_FORMAT, p->at, "fortran_order must be True or False");
    p->at += n;
    p->fortran = first == 'T';
    return PHYSAD_OK;
}

static physad_status read_extent(parser *p, int64_t *extent)
{
    const size_t at = p->at;
    int64_t v = 0;
    while (p->at < p->end && p->data[p->at] >= '0' && p->data[p->at] <= '9') {
        if (physad__mul_overflow(v, 10, &v) || __builtin_add_overflow(v, p->data[p->at] - '0', &v))
            return complain(p, PHYSAD_ERR_FORMAT, at, "an extent beyond 2^63");
        p->at++;
    }
    if (p->at == at)
        return complain(p, PHYSAD_ERR_FORMAT, at, "want an extent");
    if (p->at < p->end && p->data[p->at] == 'L') /* as Python 2 wrote them */
        p->at++;
    *extent = v;
    return PHYSAD_OK;
}

static physad_status read_shape(parser *p)
{
    PHYSAD__TRY(expect(p, '('));
    while (!accept(p, ')')) {
        int64_t extent = 0;
        peek(p);
        PHYSAD__TRY(read_extent(p, &extent));
        if (p->ndim == PHYSAD_MAX_DIMS)
            return complain(p, PHYSAD_ERR_UNSUPPORTED, p->at, "more than %d dimensions", PHYSAD_MAX_DIMS);
        p->shape[p->ndim++] = extent;
        if (peek(p) != ')')
            PHYSAD__TRY(expect(p, ','));
    }
    return PHYSAD_OK;
}

static physad_status read_literal(parser *p)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    PHYSAD__TRY(expect(p, '{'));
    while (!accept(p, '}')) {
        char key[32];
        int k = 0;
        peek(p);
        const size_t at = p->at;
        PHYSAD__TRY(read_word(p, key, sizeof(key)));
        while (k < 3 && strcmp(key, keys[k]) != 0)
            k++;
        if (k == 3 || p->seen[k])
            return complain(p, PHYSAD_ERR_FORMAT, at, "the header's key '%s' is %s", key,
                            k == 3 ? "unknown" : "there twice");
        p->seen[k] = true;
        PHYSAD__TRY(expect(p, ':'));
        PHYSAD__TRY(k == 0 ? read_descr(p) : k == 1 ? read_order(p) : read_shape(p));
        if (peek(p) != '}')
            PHYSAD__TRY(expect(p, ','));
    }
    for (int k = 0; k < 3; k++)
        if (!p->seen[k])
            return complain(p, PHYSAD_ERR_FORMAT, p->at, "the header lacks '%s'", keys[k]);
    if (peek(p) != -1)
        return complain(p, PHYSAD_ERR_FORMAT, p->at, "more in the header than its literal");
    return PHYSAD_OK;
}

static physad_status read_header(parser *p, size_t size)
{
    const unsigned char *d = p->data;
    if (size < 10 || memcmp(d, "\x93NUMPY", 6) != 0)
        return complain(p, PHYSAD_ERR_FORMAT, 0, "no .npy file");
    const int version = d[6];
    if (version < 1 || version > 3 || d[7] != 0)
        return complain(p, PHYSAD_ERR_UNSUPPORTED, 6, "version %d.%d; 1.0, 2.0 and 3.0 are read", version, d[7]);
    const size_t begin = version == 1 ? 10 : 12;
    if (size < begin)
        return complain(p, PHYSAD_ERR_FORMAT, size, "the file ends within the header");
    size_t length = (size_t)d[8] | (size_t)d[9] << 8;
    if (version > 1)
        length |= (size_t)d[10] << 16 | (size_t)d[11] << 24;
    if (length > MAX_HEADER)
        return complain(p, PHYSAD_ERR_FORMAT, 8, "a header of %zu bytes; at most %d are read", length, MAX_HEADER);
    if (length > size - begin)
        return complain(p, PHYSAD_ERR_FORMAT, size, "the file ends within the header");
    p->at = begin;
    p->end = begin + length;
    return read_literal(p);
}

/* --- the elements --- */

static void swap_elements(unsigned char *data, int64_t count, size_t element)
{
    for (int64_t i = 0; i < count; i++, data += element) {
        for (size_t k = 0; k < element / 2; k++) {
            const unsigned char b = data[k];
            data[k] = data[element - 1 - k];
            data[element - 1 - k] = b;
        }
    }
}

/* Gathers elements at any strides into row-major ones. */
static void gather(unsigned char *to, const unsigned char *from, int32_t ndim, const int64_t *shape,
                   const int64_t *stride, size_t element)
{
    int64_t index[PHYSAD_MAX_DIMS] = { 0 }, count = 1, place = 0;
    for (int32_t d = 0; d < ndim; d++)
        count *= shape[d];
    for (int64_t i = 0; i < count; i++, to += element) {
        memcpy(to, from + place, element);
        for (int32_t d = ndim - 1; d >= 0; d--) {
            place += stride[d];
            if (++index[d] < shape[d])
                break;
            place -= stride[d] * shape[d];
            index[d] = 0;
        }
    }
}

static physad_status copy_elements(physad__npy *out, physad_context *ctx, const parser *p, const unsigned char *from,
                                   int64_t count)
{
    const size_t element = physad_dtype_size(p->dtype);
    int64_t stride[PHYSAD_MAX_DIMS], step = (int64_t)element;
    for (int32_t d = 0; d < p->ndim; d++) { /* the first extent is the nearest in memory */
        stride[d] = step;
        step *= p->shape[d];
    }
    out->owned = physad__alloc_array(&ctx->mem, count, element, p->name);
    if (out->owned == NULL)
        return PHYSAD_ERR_NOMEM;
    if (p->fortran && count > 0)
        gather(out->owned, from, p->ndim, p->shape, stride, element);
    else if (count > 0)
        memcpy(out->owned, from, (size_t)count * element);
    if (p->big == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
        swap_elements(out->owned, count, element);
    return PHYSAD_OK;
}

/* Checks the shape against the bytes that are there. */
static physad_status count_elements(const parser *p, size_t size, int64_t *count)
{
    /* An extent of 0 empties the array, but the others must make sense all the same: strides are made of them. */
    int64_t span = (int64_t)physad_dtype_size(p->dtype), element = span;
    bool empty = false, too_large = false;
    for (int32_t d = 0; d < p->ndim; d++) {
        empty = empty || p->shape[d] == 0;
        too_large = too_large || physad__mul_overflow(span, physad__max(p->shape[d], 1), &span);
    }
    if (too_large)
        return complain(p, PHYSAD_ERR_FORMAT, p->end, "extents that no file holds");
    const uint64_t want = empty ? 0 : (uint64_t)span, got = size - p->end;
    if (want != got)
        return complain(p, PHYSAD_ERR_FORMAT, p->end, "%llu bytes of elements, the shape wants %llu",
                        (unsigned long long)got, (unsigned long long)want);
    *count = empty ? 0 : span / element;
    return PHYSAD_OK;
}

physad_status physad__npy_read(physad__npy *out, physad_context *ctx, const void *bytes, size_t size, const char *name)
{
    parser p = { .data = bytes, .name = name };
    *out = (physad__npy){ .owned = NULL };
    PHYSAD__TRY(read_header(&p, size));
    if (p.ndim == 0) { /* a scalar */
        p.ndim = 1;
        p.shape[0] = 1;
    }
    int64_t count = 0;
    PHYSAD__TRY(count_elements(&p, size, &count));
    const size_t element = physad_dtype_size(p.dtype);
    const unsigned char *data = p.data + p.end;
    const bool swapped = element > 1 && p.big == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    const bool in_place = !swapped && !(p.fortran && p.ndim > 1) && (uintptr_t)data % element == 0;
    if (!in_place)
        PHYSAD__TRY(copy_elements(out, ctx, &p, data, count));
    out->view = physad_view_array(in_place ? (void *)(uintptr_t)data : out->owned, p.dtype, p.ndim, p.shape);
    if (in_place)
        out->view.flags |= PHYSAD_VIEW_READONLY;
    return PHYSAD_OK;
}

void physad__npy_free(physad__npy *npy)
{
    physad__free(npy->owned);
    *npy = (physad__npy){ .owned = NULL };
}

/* --- writing --- */

static const char *code_of(int32_t dtype)
{
    switch (dtype) {
    case PHYSAD_BOOL: return "|b1";
    case PHYSAD_U8: return "|u1";
    case PHYSAD_I8: return "|i1";
    case PHYSAD_U16: return "<u2";
    case PHYSAD_I16: return "<i2";
    case PHYSAD_U32: return "<u4";
    case PHYSAD_I32: return "<i4";
    case PHYSAD_U64: return "<u8";
    case PHYSAD_I64: return "<i8";
    case PHYSAD_F16: return "<f2";
    case PHYSAD_F32: return "<f4";
    case PHYSAD_F64: return "<f8";
    default: return NULL;
    }
}

/* The longest header, six extents of 19 digits, is far below 256 bytes. */
static size_t make_header(unsigned char out[256], const physad_view *view)
{
    char text[256];
    int n = physad__snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': False, 'shape': (",
                             code_of(view->dtype));
    for (int32_t d = 0; d < view->ndim; d++)
        n += physad__snprintf(text + n, sizeof(text) - (size_t)n, "%lld,%s", (long long)view->shape[d],
                              d + 1 < view->ndim ? " " : "");
    if (view->ndim > 1)
        n--; /* (3, 4) but (3,) */
    n += physad__snprintf(text + n, sizeof(text) - (size_t)n, "), }");
    const size_t total = ((size_t)n + 11 + 63) / 64 * 64; /* the elements begin at a multiple of 64 */
    memset(out, ' ', total);
    memcpy(out, "\x93NUMPY\x01\0", 8);
    out[8] = (unsigned char)((total - 10) & 255);
    out[9] = (unsigned char)((total - 10) >> 8);
    memcpy(out + 10, text, (size_t)n);
    out[total - 1] = '\n';
    return total;
}

/* The last dimension at a time, packed and little-endian. */
static physad_status write_rows(physad__file_writer *w, unsigned char *row, const physad_view *view)
{
    const int32_t last = view->ndim - 1;
    const size_t element = physad_dtype_size(view->dtype);
    const int64_t n = view->shape[last], rows = n > 0 ? physad__view_count(view) / n : 0;
    int64_t index[PHYSAD_MAX_DIMS] = { 0 }, place = 0;
    for (int64_t r = 0; r < rows; r++) {
        gather(row, (const unsigned char *)view->data + place, 1, &n, &view->stride[last], element);
        if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
            swap_elements(row, n, element);
        PHYSAD__TRY(physad__file_writer_put(w, row, (size_t)n * element));
        for (int32_t d = last - 1; d >= 0; d--) {
            place += view->stride[d];
            if (++index[d] < view->shape[d])
                break;
            place -= view->stride[d] * view->shape[d];
            index[d] = 0;
        }
    }
    return PHYSAD_OK;
}

physad_status physad__npy_write(physad_context *ctx, const char *path, const physad_view *view)
{
    unsigned char header[256];
    physad__file_writer w;
    PHYSAD__TRY(physad__view_check(view, "view"));
    if (code_of(view->dtype) == NULL)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: .npy has no element type for %s", path,
                             physad_dtype_name(view->dtype));
    const int64_t n = view->shape[view->ndim - 1];
    unsigned char *row = physad__alloc_array(&ctx->mem, n, physad_dtype_size(view->dtype), "row of elements");
    if (row == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad__file_writer_open(&w, &ctx->mem, path);
    if (status == PHYSAD_OK) {
        status = physad__file_writer_put(&w, header, make_header(header, view));
        if (status == PHYSAD_OK)
            status = write_rows(&w, row, view);
        if (status == PHYSAD_OK)
            status = physad__file_writer_commit(&w);
        else
            physad__file_writer_abort(&w);
    }
    physad__free(row);
    return status;
}
