/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_tensors_internal.h"

#include <stdlib.h>

#define MAX_NAME 4096

/* --- building --- */

bool physad__tensor_bytes(int32_t dtype, int32_t ndim, const int64_t *shape, int64_t *bytes)
{
    *bytes = (int64_t)physad_dtype_size(dtype);
    bool empty = false;
    for (int32_t i = 0; i < ndim; i++)
        empty = empty || shape[i] == 0;
    for (int32_t i = 0; i < ndim; i++) /* an empty array may still have extents whose product is beyond everything */
        if (shape[i] < 0 || (!empty && physad__mul_overflow(*bytes, shape[i], bytes)))
            return false;
    if (empty)
        *bytes = 0;
    return true;
}

bool physad__utf8_valid(const char *text, int64_t length)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + length;
    while (p < end) {
        const uint8_t c = *p++;
        if (c < 0x80)
            continue;
        const int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        uint32_t code = c & (0x3fu >> more);
        if (c < 0xc2 || c > 0xf4 || end - p < more)
            return false;
        for (int i = 0; i < more; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (p[i] & 0x3fu);
        }
        p += more;
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
            (more == 3 && (code < 0x10000 || code > 0x10ffff)))
            return false;
    }
    return true;
}

physad_status physad__tensor_name_check(const char *name)
{
    if (name == NULL)
        return physad__error(PHYSAD_ERR_ARG, "the array's name is NULL");
    const size_t n = strlen(name);
    if (n == 0 || n > MAX_NAME)
        return physad__error(PHYSAD_ERR_ARG, "the array's name has %zu bytes, want 1 to %d", n, MAX_NAME);
    if (strcmp(name, "__metadata__") == 0)
        return physad__error(PHYSAD_ERR_ARG, "an array cannot be called \"__metadata__\"");
    if (!physad__utf8_valid(name, (int64_t)n))
        return physad__error(PHYSAD_ERR_ARG, "the array's name is not UTF-8");
    return PHYSAD_OK;
}

physad_status physad__tensors_push(physad_tensors *t, char *name, const physad_view *view, bool swap,
                                   const char *problem)
{
    if (name == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status =
        physad__grow(t->mem, &t->items, &t->capacity, t->count + 1, sizeof(*t->items), "list of arrays");
    if (status != PHYSAD_OK) {
        physad__free(name);
        return status;
    }
    physad__tensor *item = &t->items[t->count++];
    *item = (physad__tensor){ .name = name, .view = *view, .problem = problem, .swap = swap };
    item->view.flags |= PHYSAD_VIEW_READONLY;
    return PHYSAD_OK;
}

physad_status physad__tensors_keep(physad_tensors *t, void *block)
{
    const physad_status status = physad__grow(t->mem, &t->blocks, &t->block_capacity, t->block_count + 1,
                                              sizeof(*t->blocks), "list of memory blocks");
    if (status != PHYSAD_OK)
        physad__free(block);
    else
        t->blocks[t->block_count++] = block;
    return status;
}

physad_status physad__tensors_metadata_push(physad_tensors *t, const char *key, int64_t key_length, const char *value,
                                            int64_t value_length)
{
    PHYSAD__TRY(physad__grow(t->mem, &t->metadata, &t->metadata_capacity, t->metadata_count + 1, sizeof(*t->metadata),
                             "metadata"));
    physad__pair pair = { physad__strndup(t->mem, key, (size_t)key_length),
                          physad__strndup(t->mem, value, (size_t)value_length) };
    if (pair.key == NULL || pair.value == NULL) {
        physad__free(pair.key);
        physad__free(pair.value);
        return PHYSAD_ERR_NOMEM;
    }
    t->metadata[t->metadata_count++] = pair;
    return PHYSAD_OK;
}

static int tensors_by_name(const void *a, const void *b)
{
    return strcmp(((const physad__tensor *)a)->name, ((const physad__tensor *)b)->name);
}

static int pairs_by_key(const void *a, const void *b)
{
    const physad__pair *x = a, *y = b;
    const int order = strcmp(x->key, y->key);
    return order != 0 ? order : strcmp(x->value, y->value);
}

physad_status physad__tensors_seal(physad_tensors *t)
{
    if (t->count > 0)
        qsort(t->items, (size_t)t->count, sizeof(*t->items), tensors_by_name);
    for (int64_t i = 1; i < t->count; i++)
        if (strcmp(t->items[i - 1].name, t->items[i].name) == 0)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: there are two arrays called \"%.200s\"", t->path,
                                 t->items[i].name);
    if (t->metadata_count > 0)
        qsort(t->metadata, (size_t)t->metadata_count, sizeof(*t->metadata), pairs_by_key);
    /* Joined names of a checkpoint's numbers and texts may meet; they are no reason to refuse its arrays. */
    int64_t kept = 0;
    for (int64_t i = 0; i < t->metadata_count; i++) {
        if (kept > 0 && strcmp(t->metadata[kept - 1].key, t->metadata[i].key) == 0) {
            physad__free(t->metadata[i].key);
            physad__free(t->metadata[i].value);
        } else {
            t->metadata[kept++] = t->metadata[i];
        }
    }
    t->metadata_count = kept;
    return PHYSAD_OK;
}

/* The place of `name`, or where it would be, as -1 - place. */
static int64_t place_of(const physad_tensors *t, const char *name)
{
    int64_t low = 0, high = t->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const int order = strcmp(t->items[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1 - low;
}

static int64_t place_of_key(const physad_tensors *t, const char *key)
{
    int64_t i = 0;
    while (i < t->metadata_count && strcmp(t->metadata[i].key, key) < 0)
        i++;
    return i < t->metadata_count && strcmp(t->metadata[i].key, key) == 0 ? i : -1 - i;
}

/* --- the handle --- */

physad_status physad__tensors_create(physad_tensors **out, physad_context *ctx, const char *path, const char *format)
{
    physad_tensors *t = physad__alloc_zero(&ctx->mem, sizeof(*t), "set of arrays");
    if (t == NULL)
        return PHYSAD_ERR_NOMEM;
    t->mem = &ctx->mem;
    t->format = format;
    t->path = physad__strdup(t->mem, path);
    if (t->path == NULL) {
        physad__free(t);
        return PHYSAD_ERR_NOMEM;
    }
    if (pthread_mutex_init(&t->lock, NULL) != 0) {
        physad__free(t->path);
        physad__free(t);
        return physad__error(PHYSAD_ERR_NOMEM, "%s: no memory for a lock", path);
    }
    t->ctx = physad__context_retain(ctx);
    *out = t;
    return PHYSAD_OK;
}

physad_status physad_tensors_new(physad_tensors **out, physad_context *context)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_tensors_new"));
    return physad__tensors_create(out, context, "(arrays in memory)", "memory");
}

void physad__tensors_rest(const physad_tensors *tensors)
{
    if (tensors->mapped)
        physad__file_map_rest(&tensors->map);
}

void physad_tensors_free(physad_tensors *tensors)
{
    if (tensors == NULL)
        return;
    physad_context *ctx = tensors->ctx;
    for (int64_t i = 0; i < tensors->count; i++) {
        physad__free(tensors->items[i].name);
        physad__free(tensors->items[i].copy);
    }
    for (int64_t i = 0; i < tensors->metadata_count; i++) {
        physad__free(tensors->metadata[i].key);
        physad__free(tensors->metadata[i].value);
    }
    for (int64_t i = 0; i < tensors->block_count; i++)
        physad__free(tensors->blocks[i]);
    if (tensors->mapped)
        physad__file_map_close(&tensors->map);
    pthread_mutex_destroy(&tensors->lock);
    physad__free(tensors->items);
    physad__free(tensors->metadata);
    physad__free(tensors->blocks);
    physad__free(tensors->path);
    physad__free(tensors);
    physad_context_free(ctx);
}

const char *physad_tensors_format(const physad_tensors *tensors)
{
    return tensors != NULL ? tensors->format : "";
}

int64_t physad_tensors_count(const physad_tensors *tensors)
{
    return tensors != NULL ? tensors->count : 0;
}

const char *physad_tensors_name(const physad_tensors *tensors, int64_t index)
{
    return tensors != NULL && index >= 0 && index < tensors->count ? tensors->items[index].name : NULL;
}

static physad_status check(const physad_tensors *t, const char *what)
{
    if (t == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the set of arrays is NULL", what);
    return physad__context_check(t->ctx, what);
}

/* --- looking --- */

static void swap_bytes(uint8_t *data, int64_t count, int64_t size)
{
    for (int64_t i = 0; i < count; i++, data += size)
        for (int64_t a = 0, b = size - 1; a < b; a++, b--) {
            const uint8_t byte = data[a];
            data[a] = data[b];
            data[b] = byte;
        }
}

/* Under the lock: a row-major, native copy of what cannot be used where it lies. */
static physad_status make_copy(const physad_tensors *t, physad__tensor *item)
{
    int64_t bytes;
    const int64_t size = (int64_t)physad_dtype_size(item->view.dtype);
    if (item->copy != NULL)
        return PHYSAD_OK;
    if (!physad__tensor_bytes(item->view.dtype, item->view.ndim, item->view.shape, &bytes))
        return physad__error(PHYSAD_ERR_NOMEM, "%s: \"%.200s\" is larger than any memory", t->path, item->name);
    void *copy = physad__alloc(t->mem, (size_t)bytes, "array copied from a file");
    if (copy == NULL)
        return physad__error_prefix(PHYSAD_ERR_NOMEM, "%s: \"%.200s\"", t->path, item->name);
    physad__view_gather(copy, &item->view);
    if (item->swap)
        swap_bytes(copy, bytes / size, size);
    item->copy = copy;
    return PHYSAD_OK;
}

static physad_status get_view(const physad_tensors *t, int64_t index, physad_view *view)
{
    physad__tensor *item = &t->items[index];
    const size_t size = physad_dtype_size(item->view.dtype);
    if (item->problem != NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: \"%.200s\" cannot be read: %s", t->path, item->name,
                             item->problem);
    if (!item->swap && ((uintptr_t)item->view.data % size == 0 || physad__view_count(&item->view) == 0)) {
        *view = item->view;
        return PHYSAD_OK;
    }
    pthread_mutex_t *lock =
        (pthread_mutex_t *)(uintptr_t)&t->lock; /* a set that is looked at does not change to the outside */
    pthread_mutex_lock(lock);
    const physad_status status = make_copy(t, item);
    pthread_mutex_unlock(lock);
    if (status != PHYSAD_OK)
        return status;
    *view = physad_view_array(item->copy, item->view.dtype, item->view.ndim, item->view.shape);
    view->flags = PHYSAD_VIEW_READONLY;
    return PHYSAD_OK;
}

physad_status physad_tensors_view(const physad_tensors *tensors, int64_t index, physad_view *view)
{
    PHYSAD__TRY(check(tensors, "physad_tensors_view"));
    if (view == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_view: view is NULL");
    if (index < 0 || index >= tensors->count)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_view: index is %lld, want 0 to %lld", (long long)index,
                             (long long)tensors->count - 1);
    return get_view(tensors, index, view);
}

static physad_status no_such(const physad_tensors *t, const char *name)
{
    const char *near = NULL;
    const char **names = physad__alloc_array(t->mem, t->count, sizeof(*names), "names");
    if (names != NULL) { /* only a hint: goes without */
        for (int64_t i = 0; i < t->count; i++)
            names[i] = t->items[i].name;
        near = physad__nearest_name(name, names, t->count);
    }
    physad__free(names);
    if (near != NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: no array is called \"%.200s\"; did you mean \"%.200s\"?", t->path,
                             name, near);
    return physad__error(PHYSAD_ERR_ARG, "%s: no array is called \"%.200s\" (it has %lld)", t->path, name,
                         (long long)t->count);
}

physad_status physad_tensors_find(const physad_tensors *tensors, const char *name, physad_view *view)
{
    PHYSAD__TRY(check(tensors, "physad_tensors_find"));
    if (name == NULL || view == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_find: %s is NULL", name == NULL ? "name" : "view");
    const int64_t place = place_of(tensors, name);
    return place >= 0 ? get_view(tensors, place, view) : no_such(tensors, name);
}

int32_t physad_tensors_has(const physad_tensors *tensors, const char *name)
{
    return tensors != NULL && name != NULL && place_of(tensors, name) >= 0;
}

physad_status physad_tensors_copy(const physad_tensors *tensors, const char *name, const physad_view *out)
{
    PHYSAD__TRY(check(tensors, "physad_tensors_copy"));
    if (name == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_copy: name is NULL");
    const int64_t place = place_of(tensors, name);
    if (place < 0)
        return no_such(tensors, name);
    physad_view in = tensors->items[place].view;
    if (tensors->items[place].swap ||
        tensors->items[place].problem != NULL) /* misaligned data are copied from where they lie */
        PHYSAD__TRY(get_view(tensors, place, &in));
    const physad_status status = physad__view_copy(out, &in);
    return status == PHYSAD_OK ? status : physad__error_prefix(status, "%s: \"%.200s\"", tensors->path, name);
}

physad_status physad__tensors_want(const physad_tensors *tensors, const char *name, int32_t dtype, int32_t ndim,
                                   const int64_t *shape, physad_view *view)
{
    char got[160], want[160];
    PHYSAD__TRY(physad_tensors_find(tensors, name, view));
    if (dtype != 0 && view->dtype != dtype)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: \"%.200s\" has dtype %s, want %s", tensors->path, name,
                             physad_dtype_name(view->dtype), physad_dtype_name(dtype));
    bool fits = view->ndim == ndim;
    for (int32_t i = 0; fits && i < ndim; i++)
        fits = shape[i] < 0 || shape[i] == view->shape[i];
    if (!fits)
        return physad__error(PHYSAD_ERR_SHAPE, "%s: \"%.200s\" has shape %s, want %s", tensors->path, name,
                             physad__shape_text(got, sizeof(got), view->ndim, view->shape),
                             physad__shape_text(want, sizeof(want), ndim, shape));
    return PHYSAD_OK;
}

physad_status physad__tensors_need(const physad_tensors *tensors, const char *name, int32_t dtype, int32_t ndim,
                                   const int64_t *shape, physad_view *view)
{
    const physad_status status = physad__tensors_want(tensors, name, dtype, ndim, shape, view);
    const bool other = status == PHYSAD_ERR_ARG || status == PHYSAD_ERR_DTYPE || status == PHYSAD_ERR_SHAPE;
    return other ? PHYSAD_ERR_FORMAT : status;
}

int64_t physad_tensors_metadata_count(const physad_tensors *tensors)
{
    return tensors != NULL ? tensors->metadata_count : 0;
}

const char *physad_tensors_metadata_key(const physad_tensors *tensors, int64_t index)
{
    return tensors != NULL && index >= 0 && index < tensors->metadata_count ? tensors->metadata[index].key : NULL;
}

const char *physad_tensors_metadata(const physad_tensors *tensors, const char *key)
{
    const int64_t place = tensors != NULL && key != NULL ? place_of_key(tensors, key) : -1;
    return place >= 0 ? tensors->metadata[place].value : NULL;
}

/* --- changing --- */

physad_status physad_tensors_add(physad_tensors *tensors, const char *name, const physad_view *view)
{
    int64_t bytes;
    PHYSAD__TRY(check(tensors, "physad_tensors_add"));
    PHYSAD__TRY(physad__tensor_name_check(name));
    if (view == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_add: view is NULL");
    physad_view in = *view;
    if (in.ndim == 0) { /* checked as one element */
        in.ndim = 1;
        in.shape[0] = 1;
    }
    PHYSAD__TRY(physad__view_check(&in, name));
    const int64_t place = -1 - place_of(tensors, name);
    if (place < 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_add: there is an array called \"%.200s\" already", name);
    in.ndim = view->ndim;
    if (!physad__tensor_bytes(in.dtype, in.ndim, in.shape, &bytes))
        return physad__error(PHYSAD_ERR_SHAPE, "physad_tensors_add: \"%.200s\" is larger than any memory", name);
    void *copy = physad__alloc(tensors->mem, (size_t)bytes, "array");
    if (copy == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__view_gather(copy, &in);
    in = physad_view_array(copy, in.dtype, in.ndim, in.shape);
    const physad_status status = physad__tensors_push(tensors, physad__strdup(tensors->mem, name), &in, false, NULL);
    if (status != PHYSAD_OK) {
        physad__free(copy);
        return status;
    }
    physad__tensor item = tensors->items[tensors->count - 1];
    item.copy = copy;
    memmove(tensors->items + place + 1, tensors->items + place, (size_t)(tensors->count - 1 - place) * sizeof(item));
    tensors->items[place] = item;
    return PHYSAD_OK;
}

physad_status physad_tensors_set_metadata(physad_tensors *tensors, const char *key, const char *value)
{
    PHYSAD__TRY(check(tensors, "physad_tensors_set_metadata"));
    if (key == NULL || !physad__utf8_valid(key, (int64_t)strlen(key)))
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_set_metadata: key is %s",
                             key == NULL ? "NULL" : "not UTF-8");
    if (value != NULL && !physad__utf8_valid(value, (int64_t)strlen(value)))
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_set_metadata: the value of \"%.200s\" is not UTF-8", key);
    int64_t place = place_of_key(tensors, key);
    if (place >= 0 && value != NULL) {
        char *copy = physad__strdup(tensors->mem, value);
        if (copy == NULL)
            return PHYSAD_ERR_NOMEM;
        physad__free(tensors->metadata[place].value);
        tensors->metadata[place].value = copy;
        return PHYSAD_OK;
    }
    if (place >= 0) {
        physad__free(tensors->metadata[place].key);
        physad__free(tensors->metadata[place].value);
        tensors->metadata_count--;
        memmove(tensors->metadata + place, tensors->metadata + place + 1,
                (size_t)(tensors->metadata_count - place) * sizeof(*tensors->metadata));
        return PHYSAD_OK;
    }
    if (value == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__tensors_metadata_push(tensors, key, (int64_t)strlen(key), value, (int64_t)strlen(value)));
    place = -1 - place;
    const physad__pair pair = tensors->metadata[tensors->metadata_count - 1];
    memmove(tensors->metadata + place + 1, tensors->metadata + place,
            (size_t)(tensors->metadata_count - 1 - place) * sizeof(pair));
    tensors->metadata[place] = pair;
    return PHYSAD_OK;
}
