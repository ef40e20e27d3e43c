/* SPDX-License-Identifier: Apache-2.0 */
/* Telling what a file is by its first bytes, and opening it. */
#include "io/io_tensors_internal.h"

#include <stdio.h>

static bool begins(const physad_tensors *t, const char *magic, int64_t length)
{
    return t->size >= length && memcmp(t->data, magic, (size_t)length) == 0;
}

static physad_status check_all(const physad_tensors *t, const physad__zip *zip)
{
    for (int64_t i = 0; i < zip->count; i++) {
        const uint8_t *data;
        void *owned;
        PHYSAD__TRY(physad__cancelled(t->ctx));
        PHYSAD__TRY(physad__zip_entry_read(zip, &zip->entries[i], true, 0, &data, &owned));
        physad__free(owned);
    }
    return PHYSAD_OK;
}

static physad_status read_zip(physad_tensors *t, const physad_tensors_options *o)
{
    physad__zip zip;
    physad_status status = PHYSAD_OK;
    PHYSAD__TRY(physad__zip_open(&zip, t->mem, t->data, t->size, t->path));
    if (o->verify)
        status = check_all(t, &zip);
    bool pickled = false;
    for (int64_t i = 0; i < zip.count; i++) {
        const physad__zip_entry *e = &zip.entries[i];
        pickled = pickled || (e->name_length >= 9 && memcmp(e->name + e->name_length - 9, "/data.pkl", 9) == 0);
    }
    if (status == PHYSAD_OK)
        status = pickled ? physad__pth_zip_read(t, &zip, o->root) : physad__npz_read(t, &zip);
    physad__zip_close(&zip);
    return status;
}

static physad_status unknown(const physad_tensors *t)
{
    char bytes[3 * 8 + 1] = "";
    for (int64_t i = 0; i < physad__min(t->size, 8); i++)
        physad__snprintf(bytes + 3 * i, sizeof(bytes) - (size_t)(3 * i), " %02x", t->data[i]);
    return physad__error(
        PHYSAD_ERR_FORMAT,
        "%s: is neither safetensors nor a PyTorch checkpoint nor .npz or .npy (%lld bytes, they begin with%s)", t->path,
        (long long)t->size, bytes[0] != '\0' ? bytes : " nothing");
}

static physad_status read_any(physad_tensors *t, const physad_tensors_options *o)
{
    if (begins(t, "PK\003\004", 4) || begins(t, "PK\005\006", 4))
        return read_zip(t, o);
    if (begins(t, "\x93NUMPY", 6)) {
        t->format = "npy";
        return physad__npy_tensor_read(t, "array", 5, t->data, t->size);
    }
    if (t->size > 8 && t->data[8] == '{')
        return physad__safetensors_read(t);
    if (begins(t, "\x80", 1))
        return physad__pth_legacy_read(t, o->root);
    if (t->size >= 262 && memcmp(t->data + 257, "ustar", 5) == 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: is a tar archive; checkpoints of this kind were written before PyTorch 0.4 (2018): "
                             "load it in PyTorch and "
                             "save it again",
                             t->path);
    return unknown(t);
}

static physad_status open_checked(physad_tensors *t, const physad_tensors_options *o)
{
    PHYSAD__TRY(read_any(t, o));
    for (int64_t i = 0; i < t->count; i++) { /* nothing that a view cannot tell */
        physad_view view = t->items[i].view;
        if (t->items[i].problem != NULL || view.ndim == 0)
            continue;
        const physad_status status = physad__view_check(&view, t->items[i].name);
        if (status != PHYSAD_OK)
            return physad__error_prefix(PHYSAD_ERR_FORMAT, "%s", t->path);
    }
    return physad__tensors_seal(t);
}

static physad_status begin(physad_tensors **out, physad_context *ctx, const void *path,
                           const physad_tensors_options *options, physad_tensors_options *o, const char *what)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: out is NULL", what);
    *out = NULL;
    PHYSAD__TRY(physad__context_check(ctx, what));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the path or name is NULL", what);
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), options, "physad_tensors_options"));
    if (o->verify != 0 && o->verify != 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_options: verify is %d, want 0 or 1", o->verify);
    return PHYSAD_OK;
}

static physad_status finish(physad_tensors **out, physad_tensors *t, physad_status status)
{
    if (status != PHYSAD_OK) {
        physad_tensors_free(t);
        return status;
    }
    *out = t;
    return PHYSAD_OK;
}

physad_status physad_tensors_open(physad_tensors **out, physad_context *context, const char *path,
                                  const physad_tensors_options *options)
{
    physad_tensors *t;
    physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
    PHYSAD__TRY(begin(out, context, path, options, &o, "physad_tensors_open"));
    PHYSAD__TRY(physad__tensors_create(&t, context, path, ""));
    physad_status status = physad__file_map_open(&t->map, path, 0);
    if (status == PHYSAD_OK) {
        t->mapped = true;
        t->data = t->map.data;
        t->size = (int64_t)t->map.size;
        status = open_checked(t, &o);
    }
    return finish(out, t, status);
}

physad_status physad_tensors_open_memory(physad_tensors **out, physad_context *context, const void *data, size_t size,
                                         const char *name, const physad_tensors_options *options)
{
    physad_tensors *t;
    physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
    PHYSAD__TRY(begin(out, context, name, options, &o, "physad_tensors_open_memory"));
    if ((data == NULL && size > 0) || size > (size_t)INT64_MAX / 2)
        return physad__error(PHYSAD_ERR_ARG, "physad_tensors_open_memory: data is NULL or size is %zu", size);
    PHYSAD__TRY(physad__tensors_create(&t, context, name, ""));
    t->data = data != NULL ? data : (const void *)"";
    t->size = (int64_t)size;
    return finish(out, t, open_checked(t, &o));
}
