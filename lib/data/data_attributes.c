/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a data set's categories and photos beside their labels: attributes.json or attributes.csv in its
 * root, such as {"categories": {"can": {"material": "glossy"}}, "photos": {"can/test/good/01.png": {"light": "dim"}}}.
 */
#include "data/data_dataset.h"

#define MAX_FILE ((uint64_t)64 << 20)
#define MOST_NAMES 32

struct physad__attributes {
    json_t *all, *categories, *photos; /* name: {attribute: text}; of `all` the attributes themselves */
    const char *names[MOST_NAMES];     /* the JSON's, in the order of bytes */
    int64_t count;
};

void physad__attributes_free(physad__attributes *a)
{
    if (a == NULL)
        return;
    json_decref(a->all);
    json_decref(a->categories);
    json_decref(a->photos);
    physad__free(a);
}

/* --- names --- */

static physad_status add_name(physad__attributes *a, const char *name, const char *file)
{
    int64_t at = 0;
    while (at < a->count && strcmp(a->names[at], name) < 0)
        at++;
    if (at < a->count && strcmp(a->names[at], name) == 0)
        return PHYSAD_OK;
    if (a->count == MOST_NAMES)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: more than %d attributes", file, MOST_NAMES);
    memmove(a->names + at + 1, a->names + at, (size_t)(a->count - at) * sizeof(*a->names));
    a->names[at] = name;
    a->count++;
    return PHYSAD_OK;
}

static physad_status add_names(physad__attributes *a, const json_t *values, const char *of, const char *file)
{
    const char *name;
    json_t *value;
    if (!json_is_object(values))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is no object of attributes", file, of);
    json_object_foreach((json_t *)(uintptr_t)values, name, value) {
        if (!json_is_string(value) || name[0] == '\0' || json_string_length(value) == 0)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\": the attribute \"%s\" is no text", file, of, name);
        if (strcmp(name, "defect_size") == 0) /* else its photos would be counted twice */
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: \"%s\": \"defect_size\" is told by the masks; want another name", file, of);
        PHYSAD__TRY(add_name(a, name, file));
    }
    return PHYSAD_OK;
}

static physad_status add_all(physad__attributes *a, const char *file)
{
    json_t *const tables[] = { a->categories, a->photos };
    const char *of;
    json_t *values;
    if (a->all != NULL)
        PHYSAD__TRY(add_names(a, a->all, "all", file));
    for (int64_t i = 0; i < PHYSAD__COUNT(tables); i++) {
        if (tables[i] != NULL && !json_is_object(tables[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is no object", file, i == 0 ? "categories" : "photos");
        json_object_foreach(tables[i], of, values)
            PHYSAD__TRY(add_names(a, values, of, file));
    }
    return PHYSAD_OK;
}

/* --- files --- */

static physad_status read_json(physad__attributes *a, physad__mem *mem, const char *file)
{
    json_t *root;
    const char *key;
    json_t *value;
    physad_status status = PHYSAD_OK;
    PHYSAD__TRY(physad__json_read(&root, mem, file, MAX_FILE));
    if (!json_is_object(root))
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: is no JSON object", file);
    json_object_foreach(root, key, value) {
        json_t **to = strcmp(key, "categories") == 0 ? &a->categories
                      : strcmp(key, "photos") == 0   ? &a->photos
                      : strcmp(key, "all") == 0      ? &a->all
                                                     : NULL;
        if (to != NULL)
            *to = json_incref(value);
        else if (status == PHYSAD_OK)
            status = physad__error(PHYSAD_ERR_FORMAT, "%s: got \"%s\", want \"categories\", \"photos\" or \"all\"",
                                   file, key);
    }
    json_decref(root);
    return status;
}

/* One row: the name, then its values; empty cells say nothing. */
static physad_status take_row(json_t *table, const physad__csv *csv, int64_t row, int64_t key, const char *file)
{
    json_t *values = json_object();
    bool made = values != NULL;
    for (int64_t c = 0; c < csv->columns && made; c++) {
        const char *cell = physad__csv_cell(csv, row, c);
        if (c != key && cell[0] != '\0')
            made = json_object_set_new(values, physad__csv_cell(csv, -1, c), json_string(cell)) == 0;
    }
    if (!made)
        json_decref(values);
    if (!made || json_object_set_new(table, physad__csv_cell(csv, row, key), values) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: row %lld holds text that is no UTF-8", file, (long long)row + 1);
    return PHYSAD_OK;
}

static physad_status read_csv(physad__attributes *a, physad__mem *mem, const char *file)
{
    physad__csv csv;
    PHYSAD__TRY(physad__csv_read(&csv, mem, file, MAX_FILE));
    const int64_t category = physad__csv_column(&csv, "category"), path = physad__csv_column(&csv, "path"),
                  key = path >= 0 ? path : category;
    json_t **table = path >= 0 ? &a->photos : &a->categories;
    physad_status status = PHYSAD_OK;
    *table = json_object();
    if (key < 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: has neither a column \"category\" nor \"path\"", file);
    else if (*table == NULL)
        status = physad__error(PHYSAD_ERR_NOMEM, "%s: no memory for its attributes", file);
    for (int64_t row = 0; row < csv.rows && status == PHYSAD_OK; row++)
        status = take_row(*table, &csv, row, key, file);
    physad__csv_free(&csv);
    return status;
}

physad_status physad__attributes_open(physad__attributes **out, const physad_dataset *ds)
{
    static const char *const names[] = { "attributes.json", "attributes.csv" };
    physad__mem *mem = &ds->ctx->mem;
    *out = NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(names) && ds->root[0] != '\0' && *out == NULL; i++) {
        char *file = physad__path_join(mem, ds->root, names[i]);
        if (file == NULL)
            return PHYSAD_ERR_NOMEM;
        physad_status status = PHYSAD_OK;
        if (physad__path_is_file(file)) {
            *out = physad__alloc_zero(mem, sizeof(**out), "attributes");
            status = *out == NULL ? PHYSAD_ERR_NOMEM : i == 0 ? read_json(*out, mem, file) : read_csv(*out, mem, file);
            if (status == PHYSAD_OK)
                status = add_all(*out, file);
        }
        physad__free(file);
        if (status != PHYSAD_OK) {
            physad__attributes_free(*out);
            *out = NULL;
            return status;
        }
    }
    return PHYSAD_OK;
}

/* --- what they say --- */

int64_t physad__attributes_count(const physad__attributes *a)
{
    return a != NULL ? a->count : 0;
}

const char *physad__attributes_name(const physad__attributes *a, int64_t index)
{
    return a->names[index];
}

const char *physad__attributes_value(const physad__attributes *a, int64_t index, const physad_sample *s)
{
    const json_t *const from[] = { json_object_get(a->photos, s->path), json_object_get(a->categories, s->category),
                                   a->all };
    const char *value = NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(from) && value == NULL; i++)
        value = json_string_value(json_object_get(from[i], a->names[index]));
    return value;
}
