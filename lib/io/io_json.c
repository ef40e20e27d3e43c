/* SPDX-License-Identifier: Apache-2.0 */
#include "io/io_file.h"

#include <stdlib.h>

physad_status physad__json_parse(json_t **out, const void *text, size_t size, const char *name)
{
    json_error_t e;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (*out != NULL)
        return PHYSAD_OK;
    if (json_error_code(&e) == json_error_out_of_memory)
        return physad__error(PHYSAD_ERR_NOMEM, "%s: no memory for its JSON", name);
    return physad__error(PHYSAD_ERR_FORMAT, "%s: line %d, column %d: %s", name, e.line, e.column, e.text);
}

/* Each value lies behind one of these: an array or object of its own takes 136 bytes with its table, and its place in
 * its parent's. */
physad_status physad__json_room(const physad__mem *mem, const void *text, size_t size, const char *name)
{
    uint64_t values = 1;
    const char *p = text;
    if (mem->limit == 0)
        return PHYSAD_OK;
    for (size_t i = 0; i < size; i++)
        values += p[i] == ',' || p[i] == '[' || p[i] == '{' || p[i] == ':';
    const uint64_t used = mem->used, want = size + values * 160;
    if (used + want <= mem->limit)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_NOMEM, "%s: its JSON may need %llu bytes; %llu are in use, the limit is %llu", name,
                         (unsigned long long)want, (unsigned long long)used, (unsigned long long)mem->limit);
}

physad_status physad__json_read(json_t **out, physad__mem *mem, const char *path, uint64_t max_bytes)
{
    unsigned char *text;
    size_t size;
    *out = NULL;
    PHYSAD__TRY(physad__file_read(&text, &size, mem, path, max_bytes));
    physad_status status = physad__json_room(mem, text, size, path);
    if (status == PHYSAD_OK)
        status = physad__json_parse(out, text, size, path);
    physad__free(text);
    return status;
}

static int put(const char *text, size_t size, void *user)
{
    return physad__file_writer_put(user, text, size) == PHYSAD_OK ? 0 : -1;
}

physad_status physad__json_write(physad__mem *mem, const char *path, const json_t *value)
{
    physad__file_writer w;
    PHYSAD__TRY(physad__file_writer_open(&w, mem, path));
    if (json_dump_callback(value, put, &w, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) != 0) {
        const physad_status status = w.status;
        physad__file_writer_abort(&w);
        return status != PHYSAD_OK ? status : physad__error(PHYSAD_ERR_ARG, "%s: the value is no valid JSON", path);
    }
    physad_status status = physad__file_writer_put(&w, "\n", 1);
    if (status == PHYSAD_OK)
        return physad__file_writer_commit(&w);
    physad__file_writer_abort(&w);
    return status;
}
