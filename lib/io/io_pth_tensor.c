/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in a checkpoint: calls of a few functions of torch, known by name, that place shape and strides over a
 * storage. */
#include "io/io_pth.h"

#include <stdlib.h>

static const physad__pth_type types[] = {
    { "FloatStorage", "float32", PHYSAD_F32, 4, NULL },
    { "DoubleStorage", "float64", PHYSAD_F64, 8, NULL },
    { "HalfStorage", "float16", PHYSAD_F16, 2, NULL },
    { "BFloat16Storage", "bfloat16", PHYSAD_BF16, 2, NULL },
    { "LongStorage", "int64", PHYSAD_I64, 8, NULL },
    { "IntStorage", "int32", PHYSAD_I32, 4, NULL },
    { "ShortStorage", "int16", PHYSAD_I16, 2, NULL },
    { "CharStorage", "int8", PHYSAD_I8, 1, NULL },
    { "ByteStorage", "uint8", PHYSAD_U8, 1, NULL },
    { "BoolStorage", "bool", PHYSAD_BOOL, 1, NULL },
    { "UntypedStorage", "", PHYSAD_U8, 1, NULL },
    { "", "uint16", PHYSAD_U16, 2, NULL },
    { "", "uint32", PHYSAD_U32, 4, NULL },
    { "", "uint64", PHYSAD_U64, 8, NULL },
    { "ComplexFloatStorage", "complex64", 0, 8, "complex elements" },
    { "ComplexDoubleStorage", "complex128", 0, 16, "complex elements" },
    { "QInt8Storage", "qint8", 0, 1, "quantised elements" },
    { "QUInt8Storage", "quint8", 0, 1, "quantised elements" },
    { "QInt32Storage", "qint32", 0, 4, "quantised elements" },
    { "QUInt4x2Storage", "quint4x2", 0, 1, "quantised elements" },
    { "QUInt2x4Storage", "quint2x4", 0, 1, "quantised elements" },
    { "", "float8_e4m3fn", 0, 1, "elements of 8-bit floating point" },
    { "", "float8_e4m3fnuz", 0, 1, "elements of 8-bit floating point" },
    { "", "float8_e5m2", 0, 1, "elements of 8-bit floating point" },
    { "", "float8_e5m2fnuz", 0, 1, "elements of 8-bit floating point" },
    { "", "float8_e8m0fnu", 0, 1, "elements of 8-bit floating point" },
};

/* --- storages --- */

static const physad__pth_type *storage_type(const physad__pickle *p, int32_t id)
{
    const physad__pickle_value *g = physad__pickle_at(p, id);
    if (g->kind != PHYSAD__PICKLE_GLOBAL)
        return NULL;
    if (!physad__pickle_text_is(p, g->function, "torch") && !physad__pickle_text_is(p, g->function, "torch.cuda") &&
        !physad__pickle_text_is(p, g->function, "torch.storage"))
        return NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(types); i++)
        if (types[i].name[0] != '\0' && physad__pickle_text_is(p, g->arguments, types[i].name))
            return &types[i];
    return NULL;
}

const physad__pth_type *physad__pth_scalar_type(const physad__pickle *p, int32_t id)
{
    const physad__pickle_value *g = physad__pickle_at(p, id);
    if (g->kind != PHYSAD__PICKLE_GLOBAL || !physad__pickle_text_is(p, g->function, "torch"))
        return NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(types); i++)
        if (types[i].scalar[0] != '\0' && physad__pickle_text_is(p, g->arguments, types[i].scalar))
            return &types[i];
    return NULL;
}

static physad_status bad(const physad__pth *f, const char *what)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.200s\": %s", f->t->path, f->name, what);
}

static bool get_integer(const physad__pickle *p, int32_t id, int64_t *value)
{
    *value = physad__pickle_at(p, id)->integer;
    return physad__pickle_at(p, id)->kind == PHYSAD__PICKLE_INT;
}

/* ('storage', class, key, location, count) and, in the legacy container, (view key, first, count) or None behind. */
physad_status physad__pth_identity_read(const physad__pth *f, int32_t id, physad__pth_identity *out, bool *is_storage)
{
    const physad__pickle *p = &f->p;
    const physad__pickle_value *v = physad__pickle_at(p, id);
    physad__pth_storage *s = &out->storage;
    *is_storage = v->kind == PHYSAD__PICKLE_TUPLE && v->count > 0 && physad__pickle_text_is(p, v->items[0], "storage");
    if (!*is_storage)
        return PHYSAD_OK;
    if (v->count < 5 || v->count > 6)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a storage's identity has %lld parts, want 5 or 6", f->t->path,
                             (long long)v->count);
    const physad__pickle_value *key = physad__pickle_at(p, v->items[2]);
    *s = (physad__pth_storage){ (const char *)key->text, key->length, storage_type(p, v->items[1]), 0, NULL };
    if (s->type == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: a storage of an unknown class", f->t->path);
    if (key->kind != PHYSAD__PICKLE_TEXT || !get_integer(p, v->items[4], &s->count) || s->count < 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a storage's identity has no key or no count", f->t->path);
    out->view_first = 0;
    out->view_count = s->count;
    if (v->count == 5 || physad__pickle_at(p, v->items[5])->kind == PHYSAD__PICKLE_NONE)
        return PHYSAD_OK;
    const physad__pickle_value *view = physad__pickle_at(p, v->items[5]);
    if (view->kind != PHYSAD__PICKLE_TUPLE || view->count != 3 || !get_integer(p, view->items[1], &out->view_first) ||
        !get_integer(p, view->items[2], &out->view_count) || out->view_first < 0 || out->view_count < 0 ||
        out->view_first > s->count || out->view_count > s->count - out->view_first)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a view of storage \"%.*s\" goes beyond it", f->t->path,
                             (int)physad__min(s->key_length, 100), s->key);
    return PHYSAD_OK;
}

static int by_key(const void *a, const void *b)
{
    const physad__pth_storage *x = a, *y = b;
    const int order = memcmp(x->key, y->key, (size_t)physad__min(x->key_length, y->key_length));
    return order != 0 ? order : (x->key_length > y->key_length) - (x->key_length < y->key_length);
}

physad__pth_storage *physad__pth_find_storage(const physad__pth *f, const char *key, int64_t length)
{
    const physad__pth_storage want = { .key = key, .key_length = length };
    if (f->storage_count == 0)
        return NULL;
    return bsearch(&want, f->storages, (size_t)f->storage_count, sizeof(want), by_key);
}

physad_status physad__pth_scan_storages(physad__pth *f)
{
    for (int64_t i = 0; i < f->p.value_count; i++) {
        physad__pth_identity identity;
        bool is_storage;
        if (f->p.values[i].kind != PHYSAD__PICKLE_PERSISTENT)
            continue;
        PHYSAD__TRY(physad__pth_identity_read(f, f->p.values[i].arguments, &identity, &is_storage));
        if (!is_storage)
            continue;
        PHYSAD__TRY(physad__grow(f->t->mem, &f->storages, &f->storage_capacity, f->storage_count + 1,
                                 sizeof(*f->storages), "storages"));
        f->storages[f->storage_count++] = identity.storage;
    }
    if (f->storage_count == 0)
        return PHYSAD_OK;
    qsort(f->storages, (size_t)f->storage_count, sizeof(*f->storages), by_key);
    int64_t kept = 1;
    for (int64_t i = 1; i < f->storage_count; i++) {
        const physad__pth_storage *last = &f->storages[kept - 1], *s = &f->storages[i];
        if (by_key(last, s) != 0)
            f->storages[kept++] = *s;
        else if (last->type->size != s->type->size || last->count != s->count)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: tensors disagree on the size of storage \"%.*s\"", f->t->path,
                                 (int)physad__min(s->key_length, 100), s->key);
    }
    f->storage_count = kept;
    return PHYSAD_OK;
}

/* --- tensors --- */

/* A tuple or list of numbers, also as a torch.Size. */
static const physad__pickle_value *numbers(const physad__pickle *p, int32_t id)
{
    const physad__pickle_value *v = physad__pickle_at(p, id);
    if (v->kind == PHYSAD__PICKLE_OBJECT && physad__pickle_is_global(p, v->function, "torch", "Size")) {
        const physad__pickle_value *args = physad__pickle_at(p, v->arguments);
        if (args->kind != PHYSAD__PICKLE_TUPLE || args->count != 1)
            return NULL;
        v = physad__pickle_at(p, args->items[0]);
    }
    return v->kind == PHYSAD__PICKLE_TUPLE || v->kind == PHYSAD__PICKLE_LIST ? v : NULL;
}

typedef struct layout {
    int64_t first, ndim, count; /* count: 0 or at least 1 element */
    int64_t shape[PHYSAD_MAX_DIMS], stride[PHYSAD_MAX_DIMS]; /* in elements; the leading ones where there are more */
    int64_t last; /* the farthest element */
} layout;

static physad_status read_layout(const physad__pth *f, const int32_t *args, layout *l)
{
    const physad__pickle *p = &f->p;
    const physad__pickle_value *shape = numbers(p, args[2]), *stride = numbers(p, args[3]);
    if (shape == NULL || stride == NULL || shape->count != stride->count || !get_integer(p, args[1], &l->first) ||
        l->first < 0)
        return bad(f, "shape, strides or offset are not what a tensor has");
    l->ndim = shape->count;
    l->count = 1;
    l->last = l->first;
    for (int64_t i = 0; i < shape->count; i++) {
        int64_t extent, step, reach;
        if (!get_integer(p, shape->items[i], &extent) || !get_integer(p, stride->items[i], &step) || extent < 0 ||
            step < 0)
            return bad(f, "shape and strides must be whole numbers from 0");
        if (extent == 0)
            l->count = 0;
        else if (physad__mul_overflow(extent - 1, step, &reach) || __builtin_add_overflow(l->last, reach, &l->last))
            return bad(f, "its strides go beyond any storage");
        if (i < PHYSAD_MAX_DIMS) {
            l->shape[i] = extent;
            l->stride[i] = step;
        }
    }
    return PHYSAD_OK;
}

/* The storage that an argument names, its data found and the layout held against it. */
static physad_status bind(physad__pth *f, int32_t argument, const physad__pth_type *type, const layout *l,
                          physad_view *view, const char **problem)
{
    physad__pth_identity identity;
    bool is_storage = false;
    const physad__pickle_value *v = physad__pickle_at(&f->p, argument);
    int64_t bytes;
    if (v->kind == PHYSAD__PICKLE_PERSISTENT)
        PHYSAD__TRY(physad__pth_identity_read(f, v->arguments, &identity, &is_storage));
    if (!is_storage)
        return bad(f, "a tensor without a storage");
    physad__pth_storage *s = physad__pth_find_storage(f, identity.storage.key, identity.storage.key_length);
    if (s == NULL)
        return bad(f, "its storage is unknown");
    if (s->data == NULL && f->zip != NULL)
        PHYSAD__TRY(physad__pth_zip_storage(f, s));
    if (s->data == NULL)
        return bad(f, "its storage is not in the file");
    if (type == NULL)
        type = identity.storage.type;
    /* All in bytes: a storage may be untyped. */
    const int64_t size = s->type->size, view_bytes = identity.view_count * size;
    if (l->count > 0 && (physad__mul_overflow(l->last, type->size, &bytes) || bytes > view_bytes - type->size))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.200s\": its element %lld is beyond its storage of %lld bytes",
                             f->t->path, f->name, (long long)l->last, (long long)view_bytes);
    const uint8_t *data = s->data + identity.view_first * size + (l->count > 0 ? l->first * type->size : 0);
    *view = (physad_view){ .data = (void *)(uintptr_t)data, .dtype = type->dtype, .ndim = (int32_t)l->ndim };
    *problem = type->problem != NULL ? type->problem : l->ndim > PHYSAD_MAX_DIMS ? "more than 6 dimensions" : NULL;
    if (*problem != NULL)
        return PHYSAD_OK;
    for (int64_t i = 0; i < l->ndim; i++) {
        view->shape[i] = l->shape[i];
        if (l->shape[i] > 1 && l->count > 0) /* strides along one element mean nothing and may be anything */
            view->stride[i] = l->stride[i] * type->size;
        else
            view->stride[i] = type->size;
    }
    return PHYSAD_OK;
}

static physad_status push(physad__pth *f, const physad_view *view, bool swap, const char *problem)
{
    if (f->name_length == 0)
        memcpy(f->name, "tensor", 7);
    if (!physad__utf8_valid(f->name, (int64_t)strlen(f->name)))
        return bad(f, "the name is not UTF-8");
    const physad_status status = physad__tensors_push(f->t, physad__strdup(f->t->mem, f->name), view, swap, problem);
    f->name[f->name_length] = '\0';
    return status;
}

static physad_status push_problem(physad__pth *f, const char *problem)
{
    const physad_view nothing = { .dtype = PHYSAD_U8, .ndim = 0 };
    return push(f, &nothing, false, problem);
}

static physad_status rebuild(physad__pth *f, const physad__pickle_value *args, int32_t version)
{
    layout l = { 0 };
    physad_view view;
    const physad__pth_type *type = NULL;
    const char *problem = NULL;
    if (args->count < (version == 3 ? 7 : 4))
        return bad(f, "a tensor with too few parts");
    PHYSAD__TRY(read_layout(f, args->items, &l));
    if (version == 3 && (type = physad__pth_scalar_type(&f->p, args->items[6])) == NULL)
        return push_problem(f, "elements of a type that this version does not know");
    PHYSAD__TRY(bind(f, args->items[0], type, &l, &view, &problem));
    if (problem != NULL)
        return push_problem(f, problem);
    return push(f, &view, f->swap && physad_dtype_size(view.dtype) > 1, NULL);
}

typedef enum rebuilder {
    REBUILD_V1 = 1,
    REBUILD_V2 = 2,
    REBUILD_V3 = 3,
    REBUILD_FIRST,
    REBUILD_TYPED,
    REBUILD_NEVER
} rebuilder;

static const struct {
    const char *module, *name;
    rebuilder how;
    const char *problem;
} rebuilders[] = {
    { "torch._utils", "_rebuild_tensor_v2", REBUILD_V2, NULL },
    { "torch._utils", "_rebuild_parameter", REBUILD_FIRST, NULL },
    { "torch._utils", "_rebuild_tensor", REBUILD_V1, NULL },
    { "torch._utils", "_rebuild_tensor_v3", REBUILD_V3, NULL },
    { "torch._utils", "_rebuild_parameter_with_state", REBUILD_FIRST, NULL },
    { "torch.nn.parameter", "Parameter", REBUILD_FIRST, NULL },
    { "torch.nn.parameter", "Buffer", REBUILD_FIRST, NULL },
    { "torch._tensor", "_rebuild_from_type_v2", REBUILD_TYPED, NULL },
    { "torch._utils", "_rebuild_sparse_tensor", REBUILD_NEVER, "a sparse layout" },
    { "torch._utils", "_rebuild_sparse_csr_tensor", REBUILD_NEVER, "a sparse layout" },
    { "torch._utils", "_rebuild_nested_tensor", REBUILD_NEVER, "a nested layout" },
    { "torch._utils", "_rebuild_qtensor", REBUILD_NEVER, "quantised elements" },
    { "torch._utils", "_rebuild_meta_tensor_no_storage", REBUILD_NEVER, "no data (a meta tensor)" },
    { "torch._utils", "_rebuild_device_tensor_from_numpy", REBUILD_NEVER, "data kept as a NumPy array" },
    { "torch._utils", "_rebuild_wrapper_subclass", REBUILD_NEVER, "a wrapper class" },
};

physad_status physad__pth_tensor(physad__pth *f, int32_t object, bool *is_tensor)
{
    const physad__pickle *p = &f->p;
    int32_t function = physad__pickle_at(p, object)->function, arguments = physad__pickle_at(p, object)->arguments;
    *is_tensor = false;
    /* Each wrapper holds one tensor, which may be wrapped again. */
    for (int depth = 0; depth < 8; depth++) {
        int64_t i = 0;
        while (i < PHYSAD__COUNT(rebuilders) &&
               !physad__pickle_is_global(p, function, rebuilders[i].module, rebuilders[i].name))
            i++;
        if (i == PHYSAD__COUNT(rebuilders))
            return PHYSAD_OK;
        *is_tensor = true;
        const physad__pickle_value *args = physad__pickle_at(p, arguments);
        const rebuilder how = rebuilders[i].how;
        if (how == REBUILD_NEVER)
            return push_problem(f, rebuilders[i].problem);
        if (args->kind != PHYSAD__PICKLE_TUPLE || args->count < 1)
            return bad(f, "a tensor without arguments");
        if (how <= REBUILD_V3)
            return rebuild(f, args, (int32_t)how);
        if (how == REBUILD_TYPED) { /* (function, class, arguments, state) */
            if (args->count < 3)
                return bad(f, "a tensor with too few parts");
            function = args->items[0];
            arguments = args->items[2];
            continue;
        }
        const physad__pickle_value *inner = physad__pickle_at(p, args->items[0]);
        if (inner->kind == PHYSAD__PICKLE_NONE) {
            *is_tensor = false; /* a parameter that was never made */
            return PHYSAD_OK;
        }
        if (inner->kind != PHYSAD__PICKLE_OBJECT)
            return bad(f, "a parameter without a tensor");
        function = inner->function;
        arguments = inner->arguments;
    }
    return bad(f, "a tensor wrapped too often");
}
