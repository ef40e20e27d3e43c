/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: 8 bytes of header length N (little-endian), N bytes of JSON, then the data, which the JSON must account
 * for byte by byte. */
#include "io/io_tensors_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_HEADER 100000000

static const struct {
    const char *name;
    int32_t dtype; /* 0: no view can have it */
    int32_t bits;
    const char *problem;
} dtypes[] = {
    { "F32", PHYSAD_F32, 32, NULL },
    { "F16", PHYSAD_F16, 16, NULL },
    { "BF16", PHYSAD_BF16, 16, NULL },
    { "F64", PHYSAD_F64, 64, NULL },
    { "I64", PHYSAD_I64, 64, NULL },
    { "I32", PHYSAD_I32, 32, NULL },
    { "I16", PHYSAD_I16, 16, NULL },
    { "I8", PHYSAD_I8, 8, NULL },
    { "U8", PHYSAD_U8, 8, NULL },
    { "U16", PHYSAD_U16, 16, NULL },
    { "U32", PHYSAD_U32, 32, NULL },
    { "U64", PHYSAD_U64, 64, NULL },
    { "BOOL", PHYSAD_BOOL, 8, NULL },
    { "F8_E4M3", 0, 8, "elements of type F8_E4M3" },
    { "F8_E5M2", 0, 8, "elements of type F8_E5M2" },
    { "F8_E8M0", 0, 8, "elements of type F8_E8M0" },
    { "F6_E2M3", 0, 6, "elements of type F6_E2M3" },
    { "F6_E3M2", 0, 6, "elements of type F6_E3M2" },
    { "F4", 0, 4, "elements of type F4" },
    { "C64", 0, 64, "elements of type C64" },
};

typedef struct range {
    int64_t begin, end;
    const char *name;
} range;

static physad_status bad(const physad_tensors *t, const char *name, const char *what)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: safetensors header: \"%.200s\" %s", t->path, name, what);
}

static physad_status read_metadata(physad_tensors *t, json_t *object)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return bad(t, "__metadata__", "is no object");
    json_object_foreach (object, key, value) {
        if (!json_is_string(value))
            return bad(t, key, "in __metadata__ is no string");
        PHYSAD__TRY(physad__tensors_metadata_push(t, key, (int64_t)strlen(key), json_string_value(value),
                                                  (int64_t)json_string_length(value)));
    }
    return PHYSAD_OK;
}

/* The bits of an array, or -1 when they are more than an int64 counts. */
static int64_t count_bits(const json_t *shape, int64_t bits)
{
    bool empty = false;
    for (size_t i = 0; i < json_array_size(shape); i++)
        empty = empty || json_integer_value(json_array_get(shape, i)) == 0;
    for (size_t i = 0; !empty && i < json_array_size(shape); i++)
        if (physad__mul_overflow(bits, json_integer_value(json_array_get(shape, i)), &bits))
            return -1;
    return empty ? 0 : bits;
}

static physad_status read_range(const physad_tensors *t, const char *name, const json_t *offsets, int64_t data_bytes,
                                range *r)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return bad(t, name, "has data_offsets that are not two whole numbers");
    *r = (range){ json_integer_value(begin), json_integer_value(end), name };
    if (r->begin < 0 || r->end < r->begin || r->end > data_bytes)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: safetensors header: \"%.200s\" has data_offsets %lld to %lld, the data end at %lld",
                             t->path, name, (long long)r->begin, (long long)r->end, (long long)data_bytes);
    return PHYSAD_OK;
}

static physad_status read_array(physad_tensors *t, const char *name, const json_t *entry, const uint8_t *data,
                                int64_t data_bytes, range *r)
{
    const json_t *shape = json_object_get(entry, "shape");
    const char *dtype = json_string_value(json_object_get(entry, "dtype")), *problem;
    int64_t kind = 0, extents[PHYSAD_MAX_DIMS] = { 0 };
    if (name[0] == '\0')
        return bad(t, name, "is an empty name");
    if (!json_is_object(entry) || dtype == NULL || !json_is_array(shape))
        return bad(t, name, "lacks dtype or shape");
    PHYSAD__TRY(read_range(t, name, json_object_get(entry, "data_offsets"), data_bytes, r));
    while (kind < PHYSAD__COUNT(dtypes) && strcmp(dtypes[kind].name, dtype) != 0)
        kind++;
    if (kind == PHYSAD__COUNT(dtypes))
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: safetensors header: \"%.200s\" has the unknown dtype \"%.40s\"", t->path, name,
                             dtype);
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *extent = json_array_get(shape, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return bad(t, name, "has a shape that is not of whole numbers from 0");
        if (i < PHYSAD_MAX_DIMS)
            extents[i] = json_integer_value(extent);
    }
    const int64_t bits = count_bits(shape, dtypes[kind].bits);
    if (bits < 0 || bits % 8 != 0 || bits / 8 != r->end - r->begin)
        return bad(t, name, "has a shape that does not fit its data_offsets");
    problem = json_array_size(shape) > PHYSAD_MAX_DIMS ? "more than 6 dimensions" : dtypes[kind].problem;
    const int32_t ndim = problem != NULL ? 0 : (int32_t)json_array_size(shape);
    const physad_view view = physad_view_array((void *)(uintptr_t)(data + r->begin),
                                               problem != NULL ? PHYSAD_U8 : dtypes[kind].dtype, ndim, extents);
    return physad__tensors_push(t, physad__strdup(t->mem, name), &view, false, problem);
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* Each byte of the data belongs to one array. */
static physad_status check_cover(const physad_tensors *t, range *ranges, int64_t count, int64_t data_bytes)
{
    int64_t end = 0;
    if (count > 0)
        qsort(ranges, (size_t)count, sizeof(*ranges), by_begin);
    for (int64_t i = 0; i < count; i++) {
        if (ranges[i].begin != end)
            return bad(t, ranges[i].name, ranges[i].begin < end ? "overlaps another array" : "leaves a hole before it");
        end = ranges[i].end;
    }
    if (end != data_bytes)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: safetensors: the arrays end at %lld, the data at %lld", t->path,
                             (long long)end, (long long)data_bytes);
    return PHYSAD_OK;
}

static physad_status read_header(physad_tensors *t, json_t *header, const uint8_t *data, int64_t data_bytes)
{
    const char *name;
    json_t *entry;
    int64_t count = 0;
    physad_status status = PHYSAD_OK;
    if (!json_is_object(header))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the safetensors header is no object", t->path);
    range *ranges =
        physad__alloc_array(t->mem, (int64_t)json_object_size(header), sizeof(*ranges), "safetensors header");
    if (ranges == NULL)
        return PHYSAD_ERR_NOMEM;
    json_object_foreach (header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            status = read_metadata(t, entry);
        else
            status = read_array(t, name, entry, data, data_bytes, &ranges[count++]);
        if (status != PHYSAD_OK)
            break;
    }
    if (status == PHYSAD_OK)
        status = check_cover(t, ranges, count, data_bytes);
    physad__free(ranges);
    return status;
}

physad_status physad__safetensors_read(physad_tensors *t)
{
    uint64_t n = 0;
    json_t *header;
    t->format = "safetensors";
    for (int i = 7; i >= 0; i--) /* the caller has seen 9 bytes */
        n = n << 8 | t->data[i];
    if (n > MAX_HEADER)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: safetensors: a header of %llu bytes, the most is %d", t->path,
                             (unsigned long long)n, MAX_HEADER);
    if ((int64_t)n > t->size - 8)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: safetensors: a header of %llu bytes in a file of %lld; it was probably cut off",
                             t->path, (unsigned long long)n, (long long)t->size);
    PHYSAD__TRY(physad__json_room(t->mem, t->data + 8, (size_t)n, t->path));
    PHYSAD__TRY(physad__json_parse(&header, t->data + 8, (size_t)n, t->path));
    const physad_status status = read_header(t, header, t->data + 8 + n, t->size - 8 - (int64_t)n);
    json_decref(header);
    return status;
}
