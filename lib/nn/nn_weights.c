/* SPDX-License-Identifier: Apache-2.0 */
/* The weights store: what is known, where files lie, whether they are the right ones. Converting is in
 * nn_weights_convert.c. */
#include "core/core.h"
#include "io/io.h"
#include "nn/nn_weights_table.h"
#include "physad_config.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>

/* --- the table --- */

int64_t physad_weights_count(void)
{
    return PHYSAD__WEIGHTS_COUNT;
}

static physad_status give(const physad_weights_info *row, physad_weights_info *info, const char *what)
{
    if (info == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: info is NULL", what);
    if (info->struct_size < sizeof(*info) || info->struct_size > 4096)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_weights_info: struct_size is %u; initialise it with PHYSAD_WEIGHTS_INFO_INIT",
                             info->struct_size);
    const uint32_t size = info->struct_size;
    *info = *row;
    info->struct_size = size;
    return PHYSAD_OK;
}

static const physad_weights_info *row_of(const char *name)
{
    for (int64_t i = 0; i < PHYSAD__WEIGHTS_COUNT; i++)
        if (strcmp(physad__weights_table[i].name, name) == 0)
            return &physad__weights_table[i];
    return NULL;
}

const char *physad_weights_name(int64_t index)
{
    return index >= 0 && index < PHYSAD__WEIGHTS_COUNT ? physad__weights_table[index].name : NULL;
}

physad_status physad_weights_describe(const char *name, physad_weights_info *info)
{
    if (name == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_describe: name is NULL");
    const physad_weights_info *row = row_of(name);
    if (row != NULL)
        return give(row, info, "physad_weights_describe");
    const char *names[PHYSAD__WEIGHTS_COUNT];
    for (int64_t i = 0; i < PHYSAD__WEIGHTS_COUNT; i++)
        names[i] = physad__weights_table[i].name;
    const char *near = physad__nearest_name(name, names, PHYSAD__WEIGHTS_COUNT);
    if (near != NULL)
        return physad__error(PHYSAD_ERR_ARG, "no weights are known as \"%.100s\"; did you mean \"%s\"?", name, near);
    return physad__error(PHYSAD_ERR_ARG, "no weights are known as \"%.100s\"; \"physad weights list\" tells which are",
                         name);
}

/* --- finding --- */

typedef struct search {
    physad__mem *mem;
    const char *name;
    const physad_weights_info *row; /* NULL: not in the table */
    char *found;
    char *places; /* that were searched, for the message */
} search;

static physad_status add_place(search *s, const char *place)
{
    char *longer =
        s->places != NULL ? physad__format(s->mem, "%s, %s", s->places, place) : physad__strdup(s->mem, place);
    if (longer == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__free(s->places);
    s->places = longer;
    return PHYSAD_OK;
}

static physad_status try_file(search *s, const char *folder, const char *stem, const char *suffix)
{
    char *path = physad__format(s->mem, "%s/%s%s", folder, stem, suffix);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    if (physad__path_is_file(path))
        s->found = path;
    else
        physad__free(path);
    return PHYSAD_OK;
}

static physad_status try_folder(search *s, const char *folder)
{
    if (s->found != NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(try_file(s, folder, s->name, ".safetensors"));
    if (s->found == NULL && s->row != NULL)
        PHYSAD__TRY(try_file(s, folder, s->row->file, ""));
    if (s->found == NULL)
        PHYSAD__TRY(try_file(s, folder, s->name, ".pth"));
    if (s->found == NULL)
        PHYSAD__TRY(try_file(s, folder, s->name, ".pt"));
    return s->found == NULL ? add_place(s, folder) : PHYSAD_OK;
}

/* A path that somebody chose: it must be there. `what` names the choice. */
static physad_status try_chosen(search *s, const char *path, const char *what)
{
    if (physad__path_is_dir(path))
        return try_folder(s, path);
    if (!physad__path_is_file(path))
        return physad__error(PHYSAD_ERR_IO,
                             "weights \"%.100s\": %s is \"%s\", and there is neither a file nor a folder", s->name,
                             what, path);
    s->found = physad__strdup(s->mem, path);
    return s->found != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad_weights_folder(physad_context *context, char *path, size_t size)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    PHYSAD__TRY(physad__context_check(context, "physad_weights_folder"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_folder: path is NULL");
    int length;
    if (data != NULL && data[0] == '/') /* the standard has relative ones ignored */
        length = physad__snprintf(path, size, "%s/physad/weights", data);
    else if (home != NULL && home[0] == '/')
        length = physad__snprintf(path, size, "%s/.local/share/physad/weights", home);
    else
        return physad__error(PHYSAD_ERR_STATE,
                             "the user's weights folder is not known: neither XDG_DATA_HOME nor HOME is set");
    if (length < 0 || (size_t)length >= size)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_folder: path has %zu bytes, want %d", size, length + 1);
    return PHYSAD_OK;
}

static physad_status try_library(search *s)
{
    Dl_info info;
    char path[PATH_MAX + 16];
    if (dladdr((const void *)&physad__weights_table, &info) == 0 || info.dli_fname == NULL ||
        realpath(info.dli_fname, path) == NULL)
        return PHYSAD_OK; /* a static program: there is no such folder */
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return PHYSAD_OK;
    memcpy(slash, "/weights", sizeof("/weights"));
    return try_folder(s, path);
}

static physad_status search_all(search *s, physad_context *ctx, const char *given)
{
    char folder[PATH_MAX];
    const char *chosen = getenv("PHYSAD_WEIGHTS");
    if (given != NULL && given[0] != '\0')
        return try_chosen(s, given, "the path given");
    if (chosen != NULL && chosen[0] != '\0')
        PHYSAD__TRY(try_chosen(s, chosen, "PHYSAD_WEIGHTS"));
    if (s->found == NULL && physad_weights_folder(ctx, folder, sizeof(folder)) == PHYSAD_OK)
        PHYSAD__TRY(try_folder(s, folder));
    PHYSAD__TRY(try_folder(s, PHYSAD_DATADIR "/weights"));
    return s->found == NULL ? try_library(s) : PHYSAD_OK;
}

static physad_status missing(const search *s)
{
    if (s->row == NULL)
        return physad__error(PHYSAD_ERR_IO,
                             "weights \"%.100s\" are not known, and there is no %.100s.safetensors, .pth or .pt in %s",
                             s->name, s->name, s->places);
    if (s->row->package[0] != '\0')
        return physad__error(
            PHYSAD_ERR_IO, "weights \"%s\" are not there (searched in %s); fetch them once by: physad weights fetch %s",
            s->name, s->places, s->name);
    return physad__error(
        PHYSAD_ERR_IO,
        "weights \"%s\" are not there (searched in %s); get %s from %s and install it once by: physad weights fetch %s "
        "--from FILE",
        s->name, s->places, s->row->file, s->row->origin, s->name);
}

static physad_status copy_path(const search *s, char *path, size_t size)
{
    const size_t length = strlen(s->found);
    if (length >= size)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_find: path has %zu bytes, want %zu", size, length + 1);
    memcpy(path, s->found, length + 1);
    return PHYSAD_OK;
}

physad_status physad_weights_find(physad_context *context, const char *name, const char *given, char *path, size_t size)
{
    PHYSAD__TRY(physad__context_check(context, "physad_weights_find"));
    if (name == NULL || path == NULL || size == 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_find: %s",
                             name == NULL ? "name is NULL" : "path is NULL or has no room");
    path[0] = '\0';
    if (name[0] == '\0' || strchr(name, '/') != NULL)
        return physad__error(PHYSAD_ERR_ARG, "\"%.100s\" is no name of weights; a path is given in its own place",
                             name);
    search s = { .mem = &context->mem, .name = name, .row = row_of(name) };
    physad_status status = search_all(&s, context, given);
    if (status == PHYSAD_OK)
        status = s.found != NULL ? copy_path(&s, path, size) : missing(&s);
    physad__free(s.found);
    physad__free(s.places);
    return status;
}

/* --- verifying --- */

physad_status physad_weights_verify(physad_context *context, const char *name, const char *path, char *sha256)
{
    char digest[65];
    physad_weights_info info = PHYSAD_WEIGHTS_INFO_INIT;
    PHYSAD__TRY(physad__context_check(context, "physad_weights_verify"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_weights_verify: path is NULL");
    PHYSAD__TRY(physad_weights_describe(name, &info));
    PHYSAD__TRY(physad__sha256_file(digest, path));
    if (sha256 != NULL)
        memcpy(sha256, digest, sizeof(digest));
    const bool original = info.sha256[0] != '\0', converted = info.sha256_converted[0] != '\0';
    if ((original && strncmp(digest, info.sha256, strlen(info.sha256)) == 0) ||
        (converted && strcmp(digest, info.sha256_converted) == 0))
        return PHYSAD_OK;
    if (!original || (!converted && physad__has_suffix(path, ".safetensors")))
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: its SHA-256 is %s; that of %s is not known for %s", path,
                             digest, name, original ? "the converted file, only for the original" : "any file");
    return physad__error(PHYSAD_ERR_FORMAT, "%s: is not %s: its SHA-256 is %s, want %s%s%s%s", path, name, digest,
                         info.sha256, strlen(info.sha256) < 64 ? "..." : "", converted ? " or, converted, " : "",
                         info.sha256_converted);
}
