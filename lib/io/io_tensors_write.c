/* SPDX-License-Identifier: Apache-2.0 */
/* Writing safetensors, whole or in pieces. The header is settled by the first piece; each array's bytes go to their
 * place. */
#include "io/io_tensors_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define DATA_ALIGN 64
#define MAX_HEADER 100000000
#define PIECE_BYTES ((int64_t)1 << 20)

typedef struct declared {
    char *name;
    int32_t dtype, ndim;
    int64_t shape[PHYSAD_MAX_DIMS];
    int64_t bytes, offset, filled; /* the offset is from the start of the data */
} declared;

struct physad__tensors_writer {
    physad_context *ctx;
    physad__mem *mem;
    char *path;
    declared *items; /* in the order of the data once begun */
    int64_t count, capacity;
    physad__pair *metadata;
    int64_t metadata_count, metadata_capacity;
    char *header;
    int64_t header_length, header_capacity;
    physad__file_writer file;
    uint8_t *piece;
    bool begun, finished;
};

/* --- the header --- */

static physad_status put(physad__tensors_writer *w, const char *text, int64_t length)
{
    PHYSAD__TRY(
        physad__grow(w->mem, &w->header, &w->header_capacity, w->header_length + length, 1, "safetensors header"));
    memcpy(w->header + w->header_length, text, (size_t)length);
    w->header_length += length;
    return PHYSAD_OK;
}

static physad_status put_text(physad__tensors_writer *w, const char *text)
{
    return put(w, text, (int64_t)strlen(text));
}

static physad_status put_quoted(physad__tensors_writer *w, const char *text)
{
    PHYSAD__TRY(put_text(w, "\""));
    for (const char *p = text; *p != '\0'; p++) {
        char escaped[8];
        const uint8_t c = (uint8_t)*p;
        if (c == '"' || c == '\\')
            physad__snprintf(escaped, sizeof(escaped), "\\%c", c);
        else if (c < 0x20)
            physad__snprintf(escaped, sizeof(escaped), "\\u%04x", c);
        else
            physad__snprintf(escaped, sizeof(escaped), "%c", c);
        PHYSAD__TRY(put_text(w, escaped));
    }
    return put_text(w, "\"");
}

static physad_status put_number(physad__tensors_writer *w, int64_t value, const char *behind)
{
    char text[32];
    physad__snprintf(text, sizeof(text), "%lld%s", (long long)value, behind);
    return put_text(w, text);
}

static const char *dtype_text(int32_t dtype)
{
    static const char *const names[] = {
        [PHYSAD_U8] = "U8",   [PHYSAD_I8] = "I8",   [PHYSAD_U16] = "U16",   [PHYSAD_I16] = "I16", [PHYSAD_I32] = "I32",
        [PHYSAD_I64] = "I64", [PHYSAD_F16] = "F16", [PHYSAD_BF16] = "BF16", [PHYSAD_F32] = "F32", [PHYSAD_F64] = "F64",
        [PHYSAD_BOOL] = "BOOL", [PHYSAD_U32] = "U32", [PHYSAD_U64] = "U64",
    };
    return names[dtype];
}

static physad_status put_metadata(physad__tensors_writer *w)
{
    PHYSAD__TRY(put_text(w, "\"__metadata__\":{"));
    for (int64_t i = 0; i < w->metadata_count; i++) {
        PHYSAD__TRY(put_text(w, i > 0 ? "," : ""));
        PHYSAD__TRY(put_quoted(w, w->metadata[i].key));
        PHYSAD__TRY(put_text(w, ":"));
        PHYSAD__TRY(put_quoted(w, w->metadata[i].value));
    }
    return put_text(w, "}");
}

static physad_status put_array(physad__tensors_writer *w, const declared *d)
{
    PHYSAD__TRY(put_quoted(w, d->name));
    PHYSAD__TRY(put_text(w, ":{\"dtype\":\""));
    PHYSAD__TRY(put_text(w, dtype_text(d->dtype)));
    PHYSAD__TRY(put_text(w, "\",\"shape\":["));
    for (int32_t i = 0; i < d->ndim; i++)
        PHYSAD__TRY(put_number(w, d->shape[i], i + 1 < d->ndim ? "," : ""));
    PHYSAD__TRY(put_text(w, "],\"data_offsets\":["));
    PHYSAD__TRY(put_number(w, d->offset, ","));
    return put_number(w, d->offset + d->bytes, "]}");
}

static int pairs_by_key(const void *a, const void *b)
{
    return strcmp(((const physad__pair *)a)->key, ((const physad__pair *)b)->key);
}

/* Larger elements first, so that each array is aligned to its own when the data are; then by name. */
static int by_size_and_name(const void *a, const void *b)
{
    const declared *x = a, *y = b;
    const size_t p = physad_dtype_size(x->dtype), q = physad_dtype_size(y->dtype);
    return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

static physad_status make_header(physad__tensors_writer *w)
{
    int64_t offset = 0;
    if (w->count > 0)
        qsort(w->items, (size_t)w->count, sizeof(*w->items), by_size_and_name);
    if (w->metadata_count > 0)
        qsort(w->metadata, (size_t)w->metadata_count, sizeof(*w->metadata), pairs_by_key);
    PHYSAD__TRY(put(w, "\0\0\0\0\0\0\0\0{", 9));
    if (w->metadata_count > 0)
        PHYSAD__TRY(put_metadata(w));
    for (int64_t i = 0; i < w->count; i++) {
        declared *d = &w->items[i];
        d->offset = offset;
        if (__builtin_add_overflow(offset, d->bytes, &offset))
            return physad__error(PHYSAD_ERR_ARG, "%s: the arrays are larger than any file", w->path);
        if (i > 0 && strcmp(d[-1].name, d->name) == 0)
            return physad__error(PHYSAD_ERR_ARG, "%s: there are two arrays called \"%.200s\"", w->path, d->name);
        PHYSAD__TRY(put_text(w, i > 0 || w->metadata_count > 0 ? "," : ""));
        PHYSAD__TRY(put_array(w, d));
    }
    PHYSAD__TRY(put_text(w, "}"));
    while (w->header_length % DATA_ALIGN != 0)
        PHYSAD__TRY(put_text(w, " "));
    const uint64_t n = (uint64_t)w->header_length - 8;
    if (n > MAX_HEADER)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: names and metadata take %llu bytes, the format has room for %d", w->path,
                             (unsigned long long)n, MAX_HEADER);
    memcpy(w->header, &n, 8);
    return PHYSAD_OK;
}

static physad_status begin(physad__tensors_writer *w)
{
    if (w->begun)
        return PHYSAD_OK;
    PHYSAD__TRY(make_header(w));
    w->piece = physad__alloc(w->mem, (size_t)PIECE_BYTES, "write buffer");
    if (w->piece == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__file_writer_open(&w->file, w->mem, w->path));
    w->begun = true;
    return physad__file_writer_put(&w->file, w->header, (size_t)w->header_length);
}

/* --- the writer --- */

physad_status physad__tensors_writer_new(physad__tensors_writer **out, physad_context *ctx, const char *path)
{
    *out = NULL;
    physad__tensors_writer *w = physad__alloc_zero(&ctx->mem, sizeof(*w), "writer of arrays");
    if (w == NULL)
        return PHYSAD_ERR_NOMEM;
    w->mem = &ctx->mem;
    w->file.fd = -1;
    w->path = physad__strdup(w->mem, path);
    if (w->path == NULL) {
        physad__free(w);
        return PHYSAD_ERR_NOMEM;
    }
    w->ctx = physad__context_retain(ctx);
    *out = w;
    return PHYSAD_OK;
}

void physad__tensors_writer_free(physad__tensors_writer *writer)
{
    if (writer == NULL)
        return;
    physad_context *ctx = writer->ctx;
    physad__file_writer_abort(&writer->file);
    for (int64_t i = 0; i < writer->count; i++)
        physad__free(writer->items[i].name);
    for (int64_t i = 0; i < writer->metadata_count; i++) {
        physad__free(writer->metadata[i].key);
        physad__free(writer->metadata[i].value);
    }
    physad__free(writer->items);
    physad__free(writer->metadata);
    physad__free(writer->header);
    physad__free(writer->piece);
    physad__free(writer->path);
    physad__free(writer);
    physad_context_free(ctx);
}

static physad_status still_open(const physad__tensors_writer *w)
{
    if (w->begun)
        return physad__error(PHYSAD_ERR_STATE, "%s: arrays and metadata must be told before the first data", w->path);
    return PHYSAD_OK;
}

physad_status physad__tensors_writer_set_metadata(physad__tensors_writer *writer, const char *key, const char *value)
{
    PHYSAD__TRY(still_open(writer));
    if (!physad__utf8_valid(key, (int64_t)strlen(key)) || !physad__utf8_valid(value, (int64_t)strlen(value)))
        return physad__error(PHYSAD_ERR_ARG, "%s: the metadata are not UTF-8", writer->path);
    for (int64_t i = 0; i < writer->metadata_count; i++)
        if (strcmp(writer->metadata[i].key, key) == 0)
            return physad__error(PHYSAD_ERR_ARG, "%s: the metadata have \"%.200s\" already", writer->path, key);
    PHYSAD__TRY(physad__grow(writer->mem, &writer->metadata, &writer->metadata_capacity, writer->metadata_count + 1,
                             sizeof(*writer->metadata), "metadata"));
    const physad__pair pair = { physad__strdup(writer->mem, key), physad__strdup(writer->mem, value) };
    if (pair.key == NULL || pair.value == NULL) {
        physad__free(pair.key);
        physad__free(pair.value);
        return PHYSAD_ERR_NOMEM;
    }
    writer->metadata[writer->metadata_count++] = pair;
    return PHYSAD_OK;
}

physad_status physad__tensors_writer_declare(physad__tensors_writer *writer, const char *name, int32_t dtype,
                                             int32_t ndim, const int64_t *shape)
{
    declared d = { .dtype = dtype, .ndim = ndim };
    PHYSAD__TRY(still_open(writer));
    PHYSAD__TRY(physad__tensor_name_check(name));
    if (physad_dtype_size(dtype) == 0 || ndim < 0 || ndim > PHYSAD_MAX_DIMS ||
        !physad__tensor_bytes(dtype, ndim, shape, &d.bytes))
        return physad__error(PHYSAD_ERR_ARG, "%s: \"%.200s\" has a dtype or shape that no array has", writer->path,
                             name);
    for (int32_t i = 0; i < ndim; i++)
        d.shape[i] = shape[i];
    PHYSAD__TRY(
        physad__grow(writer->mem, &writer->items, &writer->capacity, writer->count + 1, sizeof(d), "list of arrays"));
    d.name = physad__strdup(writer->mem, name);
    if (d.name == NULL)
        return PHYSAD_ERR_NOMEM;
    writer->items[writer->count++] = d;
    return PHYSAD_OK;
}

static declared *find(const physad__tensors_writer *w, const char *name)
{
    for (int64_t i = 0; i < w->count; i++)
        if (strcmp(w->items[i].name, name) == 0)
            return &w->items[i];
    return NULL;
}

static physad_status write_bytes(physad__tensors_writer *w, declared *d, const void *data, int64_t bytes)
{
    PHYSAD__TRY(physad__file_writer_put_at(&w->file, (uint64_t)(w->header_length + d->offset + d->filled), data,
                                           (size_t)bytes));
    d->filled += bytes;
    return PHYSAD_OK;
}

/* Row-major from any strides, through `piece` where they have gaps. */
static physad_status write_view(physad__tensors_writer *w, declared *d, const physad_view *view)
{
    int64_t bytes;
    physad_view part = *view;
    if (!physad__tensor_bytes(view->dtype, view->ndim, view->shape, &bytes) || bytes == 0)
        return PHYSAD_OK;
    if (physad__view_is_contiguous(view))
        return write_bytes(w, d, view->data, bytes);
    if (bytes <= PIECE_BYTES) {
        physad__view_gather(w->piece, view);
        return write_bytes(w, d, w->piece, bytes);
    }
    /* By slices of the first extent, as many at once as fit in the piece; a slice that does not is cut further. */
    const int64_t slice = bytes / view->shape[0], at_once = physad__max(1, PIECE_BYTES / slice);
    for (int64_t i = 0; i < view->shape[0]; i += at_once) {
        PHYSAD__TRY(physad__cancelled(w->ctx));
        part.data = (char *)view->data + i * view->stride[0];
        part.shape[0] = physad__min(at_once, view->shape[0] - i);
        if (part.shape[0] > 1 || slice <= PIECE_BYTES) {
            PHYSAD__TRY(write_view(w, d, &part));
            continue;
        }
        physad_view inner = part;
        inner.ndim--;
        memmove(inner.shape, inner.shape + 1, sizeof(inner.shape) - sizeof(*inner.shape));
        memmove(inner.stride, inner.stride + 1, sizeof(inner.stride) - sizeof(*inner.stride));
        PHYSAD__TRY(write_view(w, d, &inner));
    }
    return PHYSAD_OK;
}

physad_status physad__tensors_writer_append(physad__tensors_writer *writer, const char *name, const physad_view *rows)
{
    int64_t bytes;
    if (writer->finished)
        return physad__error(PHYSAD_ERR_STATE, "%s: is finished", writer->path);
    PHYSAD__TRY(begin(writer));
    declared *d = find(writer, name);
    if (d == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: no array \"%.200s\" was declared", writer->path, name);
    if (rows->dtype != d->dtype)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: \"%.200s\" was declared as %s, the rows are %s", writer->path, name,
                             physad_dtype_name(d->dtype), physad_dtype_name(rows->dtype));
    if (!physad__tensor_bytes(rows->dtype, rows->ndim, rows->shape, &bytes) || bytes > d->bytes - d->filled)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: \"%.200s\" has room for %lld more bytes, the rows have more",
                             writer->path, name, (long long)(d->bytes - d->filled));
    return write_view(writer, d, rows);
}

physad_status physad__tensors_writer_finish(physad__tensors_writer *writer)
{
    if (writer->finished)
        return physad__error(PHYSAD_ERR_STATE, "%s: is finished", writer->path);
    PHYSAD__TRY(begin(writer));
    for (int64_t i = 0; i < writer->count; i++)
        if (writer->items[i].filled != writer->items[i].bytes)
            return physad__error(PHYSAD_ERR_STATE, "%s: \"%.200s\" got %lld of %lld bytes", writer->path,
                                 writer->items[i].name, (long long)writer->items[i].filled,
                                 (long long)writer->items[i].bytes);
    writer->finished = true;
    return physad__file_writer_commit(&writer->file);
}

/* --- a whole set --- */

static physad_status save(physad__tensors_writer *w, const physad_tensors *t)
{
    physad_view view;
    for (int64_t i = 0; i < t->metadata_count; i++)
        PHYSAD__TRY(physad__tensors_writer_set_metadata(w, t->metadata[i].key, t->metadata[i].value));
    for (int64_t i = 0; i < t->count; i++) {
        if (t->items[i].problem != NULL)
            return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: \"%.200s\" cannot be saved: %s", t->path,
                                 t->items[i].name, t->items[i].problem);
        PHYSAD__TRY(physad__tensors_writer_declare(w, t->items[i].name, t->items[i].view.dtype, t->items[i].view.ndim,
                                                   t->items[i].view.shape));
    }
    PHYSAD__TRY(begin(w)); /* a set without arrays is a file, too */
    /* In the order of the data, so that a pipe can be written. */
    for (int64_t i = 0; i < w->count; i++) {
        PHYSAD__TRY(physad__cancelled(w->ctx));
        PHYSAD__TRY(physad_tensors_find(t, w->items[i].name, &view));
        PHYSAD__TRY(write_view(w, &w->items[i], &view));
    }
    return physad__tensors_writer_finish(w);
}

physad_status physad_tensors_save(const physad_tensors *tensors, const char *path)
{
    physad__tensors_writer *w;
    if (tensors == NULL || path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_save: %s is NULL",
                             tensors == NULL ? "the set of arrays" : "path");
    PHYSAD__TRY(physad__context_check(tensors->ctx, "physad_tensors_save"));
    PHYSAD__TRY(physad__tensors_writer_new(&w, tensors->ctx, path));
    const physad_status status = save(w, tensors);
    physad__tensors_writer_free(w);
    return status;
}
