/* SPDX-License-Identifier: Apache-2.0 */
/* .npy and .npz: the arrays themselves are read by io_npy.c. */
#include "io/io_image.h"
#include "io/io_tensors_internal.h"

physad_status physad__npy_tensor_read(physad_tensors *t, const char *name, int64_t name_length, const uint8_t *data,
                                      int64_t size)
{
    physad__npy npy = { 0 };
    if (name_length == 0 || memchr(name, 0, (size_t)name_length) != NULL || !physad__utf8_valid(name, name_length))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: a member's name is empty or not UTF-8", t->path);
    char *copy = physad__strndup(t->mem, name, (size_t)name_length);
    if (copy == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad__npy_read(&npy, t->ctx, data, (size_t)size, t->path);
    if (status != PHYSAD_OK) {
        status = physad__error_prefix(status, "\"%.200s\"", copy);
        physad__free(copy);
        return status;
    }
    if (npy.owned != NULL) {
        status = physad__tensors_keep(t, npy.owned);
        if (status != PHYSAD_OK) {
            physad__free(copy);
            return status;
        }
    }
    return physad__tensors_push(t, copy, &npy.view, false, NULL);
}

physad_status physad__npz_read(physad_tensors *t, const physad__zip *zip)
{
    t->format = "npz";
    for (int64_t i = 0; i < zip->count; i++) {
        const physad__zip_entry *e = &zip->entries[i];
        const uint8_t *data;
        void *owned;
        if (e->name_length < 5 || memcmp(e->name + e->name_length - 4, ".npy", 4) != 0)
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: is a zip archive, but neither a PyTorch checkpoint (no data.pkl) nor .npz: it "
                                 "has a member \"%.*s\"",
                                 t->path, (int)physad__min(e->name_length, 200), e->name);
        PHYSAD__TRY(physad__cancelled(t->ctx));
        PHYSAD__TRY(physad__zip_entry_read(zip, e, false, 0, &data, &owned));
        if (owned != NULL)
            PHYSAD__TRY(physad__tensors_keep(t, owned));
        PHYSAD__TRY(physad__npy_tensor_read(t, e->name, e->name_length - 4, data, e->size));
    }
    return PHYSAD_OK;
}
