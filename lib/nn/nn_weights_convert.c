/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints into safetensors files of the store. */
#include "core/core.h"
#include "io/io.h"

#include <physad/weights.h>

#include <limits.h>

/* --- converting an open checkpoint --- */

typedef struct conversion {
    physad_context *ctx;
    const physad_tensors *from;
    physad__tensors_writer *to;
    bool f32;
} conversion;

static int32_t target_dtype(const conversion *c, int32_t dtype)
{
    return c->f32 && (dtype == PHYSAD_F16 || dtype == PHYSAD_BF16 || dtype == PHYSAD_F64) ? PHYSAD_F32 : dtype;
}

static physad_status convert_array(const conversion *c, int64_t index)
{
    physad_view in;
    const char *name = physad_tensors_name(c->from, index);
    PHYSAD__TRY(physad_tensors_view(c->from, index, &in));
    const int32_t dtype = target_dtype(c, in.dtype);
    if (dtype == in.dtype)
        return physad__tensors_writer_append(c->to, name, &in);
    float *data = physad__alloc_array(&c->ctx->mem, physad__view_count(&in), sizeof(*data), "converted array");
    if (data == NULL)
        return PHYSAD_ERR_NOMEM;
    const int64_t one = 1;
    const physad_view out =
        in.ndim > 0 ? physad_view_array(data, dtype, in.ndim, in.shape) : physad_view_array(data, dtype, 1, &one);
    physad_status status = physad__view_copy(&out, &in);
    if (status == PHYSAD_OK)
        status = physad__tensors_writer_append(c->to, name, &out);
    physad__free(data);
    return status;
}

static physad_status convert_all(const conversion *c)
{
    const int64_t count = physad_tensors_count(c->from);
    physad_view view;
    for (int64_t i = 0; i < count; i++) {
        PHYSAD__TRY(physad_tensors_view(c->from, i, &view));
        PHYSAD__TRY(physad__tensors_writer_declare(c->to, physad_tensors_name(c->from, i), target_dtype(c, view.dtype),
                                                   view.ndim, view.shape));
    }
    for (int64_t i = 0; i < count; i++) {
        PHYSAD__TRY(physad__cancelled(c->ctx));
        PHYSAD__TRY(convert_array(c, i));
    }
    return physad__tensors_writer_finish(c->to);
}

/* --- metadata --- */

#define OWN_KEYS 9

static physad_status put_metadata(const conversion *c, const physad_weights_info *known, const char *sha256)
{
    const char *const pairs[OWN_KEYS][2] = {
        { "format", "physad-weights" }, { "format_version", "1" },
        { "sha256_original", sha256 },  { "name", known != NULL ? known->name : NULL },
        { "file", known != NULL ? known->file : NULL },       { "backbone", known != NULL ? known->backbone : NULL },
        { "trained", known != NULL ? known->trained : NULL }, { "licence", known != NULL ? known->licence : NULL },
        { "origin", known != NULL ? known->origin : NULL },
    };
    for (int i = 0; i < OWN_KEYS; i++)
        if (pairs[i][1] != NULL)
            PHYSAD__TRY(physad__tensors_writer_set_metadata(c->to, pairs[i][0], pairs[i][1]));
    for (int64_t i = 0; i < physad_tensors_metadata_count(c->from); i++) {
        const char *key = physad_tensors_metadata_key(c->from, i);
        bool own = false;
        for (int k = 0; k < OWN_KEYS; k++)
            own = own || strcmp(key, pairs[k][0]) == 0;
        if (!own)
            PHYSAD__TRY(physad__tensors_writer_set_metadata(c->to, key, physad_tensors_metadata(c->from, key)));
    }
    return PHYSAD_OK;
}

/* --- from bytes to a file --- */

typedef struct source {
    const unsigned char *data;
    size_t size;
    const char *label; /* for messages */
} source;

static physad_status check_digest(const source *s, const physad_weights_info *known, char digest[65])
{
    PHYSAD__TRY(physad__sha256(digest, s->data, s->size));
    if (known == NULL || strncmp(digest, known->sha256, strlen(known->sha256)) == 0)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_FORMAT, "%s: is not the file %s of weights \"%s\": its SHA-256 is %s, want %s%s",
                         s->label, known->file, known->name, digest, known->sha256,
                         strlen(known->sha256) < 64 ? "..." : "");
}

static physad_status convert_source(physad_context *ctx, const source *s, const char *to,
                                    const physad_weights_info *known, const physad_weights_convert_options *o)
{
    char digest[65];
    physad_tensors *from = NULL;
    physad_tensors_options reading = PHYSAD_TENSORS_OPTIONS_INIT;
    conversion c = { .ctx = ctx, .f32 = o->f32 != 0 };
    reading.root = o->root;
    PHYSAD__TRY(check_digest(s, known, digest));
    PHYSAD__TRY(physad_tensors_open_memory(&from, ctx, s->data, s->size, s->label, &reading));
    c.from = from;
    physad_status status = physad__tensors_writer_new(&c.to, ctx, to);
    if (status == PHYSAD_OK)
        status = put_metadata(&c, known, digest);
    if (status == PHYSAD_OK)
        status = convert_all(&c);
    physad__tensors_writer_free(c.to);
    physad_tensors_free(from);
    return status;
}

physad_status physad_weights_convert(physad_context *context, const char *from, const char *to,
                                     const physad_weights_convert_options *options)
{
    physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    physad_weights_info known = PHYSAD_WEIGHTS_INFO_INIT;
    physad__file_map map;
    PHYSAD__TRY(physad__context_check(context, "physad_weights_convert"));
    if (from == NULL || to == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_convert: %s is NULL", from == NULL ? "from" : "to");
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_weights_convert_options"));
    if (o.f32 != 0 && o.f32 != 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_convert_options: f32 is %d, want 0 or 1", o.f32);
    if (o.name != NULL)
        PHYSAD__TRY(physad_weights_describe(o.name, &known));
    PHYSAD__TRY(physad__file_map_open(&map, from, 0));
    const source s = { map.data, map.size, from };
    const physad_status status = convert_source(context, &s, to, o.name != NULL ? &known : NULL, &o);
    physad__file_map_close(&map);
    return status;
}

/* --- installing --- */

/* The member that is called `file`, in whatever folder. */
static const physad__zip_entry *find_member(const physad__zip *zip, const char *file)
{
    const int64_t n = (int64_t)strlen(file);
    for (int64_t i = 0; i < zip->count; i++) {
        const physad__zip_entry *e = &zip->entries[i];
        if (e->name_length >= n && memcmp(e->name + e->name_length - n, file, (size_t)n) == 0 &&
            (e->name_length == n || e->name[e->name_length - n - 1] == '/'))
            return e;
    }
    return NULL;
}

static bool is_checkpoint(const physad__zip *zip)
{
    return find_member(zip, "data.pkl") != NULL;
}

/* The original inside an archive, or the file itself. `*owned` is for physad__free(). */
static physad_status unpack(physad_context *ctx, source *s, const physad_weights_info *known, void **owned)
{
    physad__zip zip;
    const uint8_t *data;
    *owned = NULL;
    if (s->size < 4 || memcmp(s->data, "PK\003\004", 4) != 0)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__zip_open(&zip, &ctx->mem, s->data, (int64_t)s->size, s->label));
    physad_status status = PHYSAD_OK;
    if (!is_checkpoint(&zip)) {
        const physad__zip_entry *e = find_member(&zip, known->file);
        if (e == NULL)
            status = physad__error(PHYSAD_ERR_FORMAT, "%s: the archive has no file %s", s->label, known->file);
        else
            status = physad__zip_entry_read(&zip, e, true, 0, &data, owned);
        if (status == PHYSAD_OK) {
            s->data = data;
            s->size = (size_t)e->size;
        }
    }
    physad__zip_close(&zip);
    return status;
}

static physad_status install_source(physad_context *ctx, source *s, const physad_weights_info *known, const char *path)
{
    void *owned;
    const physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    PHYSAD__TRY(unpack(ctx, s, known, &owned));
    const physad_status status = convert_source(ctx, s, path, known, &o);
    physad__free(owned);
    return status;
}

physad_status physad_weights_install(physad_context *context, const char *name, const char *from, const char *folder,
                                     char *path, size_t size)
{
    char user_folder[PATH_MAX], target[PATH_MAX];
    physad_weights_info known = PHYSAD_WEIGHTS_INFO_INIT;
    physad__file_map map;
    PHYSAD__TRY(physad__context_check(context, "physad_weights_install"));
    if (from == NULL || (path == NULL && size > 0))
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_install: %s is NULL", from == NULL ? "from" : "path");
    PHYSAD__TRY(physad_weights_describe(name, &known));
    if (folder == NULL) {
        PHYSAD__TRY(physad_weights_folder(context, user_folder, sizeof(user_folder)));
        folder = user_folder;
    }
    const int length = physad__snprintf(target, sizeof(target), "%s/%s.safetensors", folder, known.name);
    if (length < 0 || (size_t)length >= sizeof(target) || (path != NULL && (size_t)length >= size))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_weights_install: the path \"%.100s...\" takes %d bytes, there is room for %zu",
                             folder, length + 1, path != NULL ? size : sizeof(target));
    PHYSAD__TRY(physad__file_map_open(&map, from, 0));
    source s = { map.data, map.size, from };
    physad_status status = physad__dir_make(&context->mem, folder);
    if (status == PHYSAD_OK)
        status = install_source(context, &s, &known, target);
    physad__file_map_close(&map);
    if (status == PHYSAD_OK && path != NULL)
        memcpy(path, target, (size_t)length + 1);
    return status;
}
