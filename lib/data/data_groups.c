/* SPDX-License-Identifier: Apache-2.0 */
/* Which samples are of one thing, and splits that keep them together. */
#include "data/data_dataset.h"

#include <math.h>
#include <stdlib.h>

enum { EXPOSURE_GAP = 60, SIDECAR_LIMIT = 1 << 28 };

/* --- names --- */

/* Digits at *p (at least one, at most 18), moved over; -1 when there is none. */
static int64_t take_number(const char **p)
{
    int64_t n = 0;
    const char *from = *p;
    while (**p >= '0' && **p <= '9' && *p - from < 18)
        n = n * 10 + (*(*p)++ - '0');
    return *p > from ? n : -1;
}

static bool take_text(const char **p, const char *text)
{
    const size_t n = strlen(text);
    if (strncmp(*p, text, n) != 0)
        return false;
    *p += n;
    return true;
}

/* "exp2_num_1836": the counter, or -1. */
static int64_t exposure_number(const char *stem)
{
    if (!take_text(&stem, "exp") || take_number(&stem) < 0 || !take_text(&stem, "_num_"))
        return -1;
    const int64_t n = take_number(&stem);
    return *stem == '\0' ? n : -1;
}

/* "i07_q12": the place behind the underscore, or NULL. */
static const char *instance_view(const char *stem)
{
    const char *view;
    if (!take_text(&stem, "i") || take_number(&stem) < 0 || !take_text(&stem, "_"))
        return NULL;
    view = stem;
    return take_text(&stem, "q") && take_number(&stem) >= 0 && *stem == '\0' ? view : NULL;
}

static bool is_view(const char *stem)
{
    return take_text(&stem, "q") && take_number(&stem) >= 0 && *stem == '\0';
}

/* "v07_060": the place of the underscore, or NULL. */
static const char *recording_end(const char *stem)
{
    const char *p = stem, *end;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))
        p++;
    if (p == stem || take_number(&p) < 0)
        return NULL;
    end = p;
    return take_text(&p, "_") && take_number(&p) >= 0 && *p == '\0' ? end : NULL;
}

/* --- groups by name --- */

typedef struct numbered {
    int64_t number;
    physad_sample *sample;
} numbered;

static int by_number(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static physad_status name_one(physad_dataset *ds, physad_sample *s, const char *stem, numbered *exposures,
                              int64_t *count)
{
    const char *view = instance_view(stem), *end = s->kind != PHYSAD_KIND_IMAGE ? recording_end(stem) : NULL;
    const int64_t number = exposure_number(stem);
    if (s->view == NULL && (view != NULL || is_view(stem))) {
        s->view = physad__store_text(ds->store, view != NULL ? view : stem);
        if (s->view == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    if (s->group != NULL)
        return PHYSAD_OK;
    if (number >= 0) {
        exposures[(*count)++] = (numbered){ number, s };
        return PHYSAD_OK;
    }
    if (view != NULL)
        s->group = physad__store_format(ds->store, "%.*s", (int)(view - 1 - stem), stem);
    else if (end != NULL)
        s->group = physad__store_format(ds->store, "%.*s", (int)(end - stem), stem);
    else
        s->group = s->path;
    return s->group != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status name_runs(physad_dataset *ds, numbered *e, int64_t count)
{
    const char *group = NULL;
    if (count > 1)
        qsort(e, (size_t)count, sizeof(*e), by_number);
    for (int64_t i = 0; i < count; i++) {
        if (i == 0 || e[i].number - e[i - 1].number > EXPOSURE_GAP)
            group = physad__store_format(ds->store, "num_%lld", (long long)e[i].number);
        if (group == NULL)
            return PHYSAD_ERR_NOMEM;
        e[i].sample->group = group;
    }
    return PHYSAD_OK;
}

physad_status physad__group_samples(physad_dataset *ds, int64_t first)
{
    int64_t count = 0;
    numbered *exposures = physad__alloc_array(&ds->ctx->mem, ds->count - first, sizeof(*exposures), "groups");
    if (exposures == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    for (int64_t i = first; status == PHYSAD_OK && i < ds->count; i++) {
        physad_sample *s = &ds->records[i]->sample;
        char *stem = physad__path_stem(&ds->ctx->mem, s->path);
        status = stem != NULL ? name_one(ds, s, stem, exposures, &count) : PHYSAD_ERR_NOMEM;
        physad__free(stem);
    }
    if (status == PHYSAD_OK)
        status = name_runs(ds, exposures, count);
    physad__free(exposures);
    return status;
}

/* --- physad.json --- */

/* What the table says of `path`, or of the nearest folder above it; NULL when nothing. */
static const json_t *look_up(const json_t *table, physad__mem *mem, const char *path, bool folders,
                             physad_status *status)
{
    const json_t *found = json_object_get(table, path);
    if (found != NULL || !folders)
        return found;
    char *part = physad__strdup(mem, path);
    if (part == NULL) {
        *status = PHYSAD_ERR_NOMEM;
        return NULL;
    }
    for (char *slash = strrchr(part, '/'); slash != NULL && found == NULL; slash = strrchr(part, '/')) {
        *slash = '\0';
        found = json_object_get(table, part);
    }
    physad__free(part);
    return found;
}

static physad_status set_from(physad_dataset *ds, const char **field, const json_t *table, const char *path,
                              bool folders)
{
    physad_status status = PHYSAD_OK;
    const json_t *value = look_up(table, &ds->ctx->mem, path, folders, &status);
    if (value == NULL)
        return status;
    const char *text = json_string_value(value);
    if (text == NULL || *text == '\0')
        return physad__error(PHYSAD_ERR_FORMAT, "\"%s\" has no text", path);
    *field = physad__store_text(ds->store, text);
    return *field != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status apply_sidecar(physad_dataset *ds, int64_t first, const char *prefix, const json_t *json)
{
    static const char *const keys[] = { "groups", "views", "instances", "interactions", "persistence" };
    const json_t *table[PHYSAD__COUNT(keys)];
    const size_t skip = strlen(prefix);
    bool fine = json_is_object(json);
    for (int64_t k = 0; k < PHYSAD__COUNT(keys); k++) {
        table[k] = json_object_get(json, keys[k]);
        fine = fine && (table[k] == NULL || json_is_object(table[k]));
    }
    if (!fine)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "want {\"groups\": {\"path\": \"group\", ...}, \"views\": {\"path\": \"view\", ...}}");
    for (int64_t i = first; i < ds->count; i++) {
        physad_sample *s = &ds->records[i]->sample;
        if (strncmp(s->path, prefix, skip) != 0)
            continue;
        PHYSAD__TRY(set_from(ds, &s->group, table[0], s->path + skip, true));
        PHYSAD__TRY(set_from(ds, &s->view, table[1], s->path + skip, false));
        PHYSAD__TRY(set_from(ds, &s->instance, table[2], s->path + skip, true));
        PHYSAD__TRY(set_from(ds, &s->interaction, table[3], s->path + skip, true));
        PHYSAD__TRY(set_from(ds, &s->persistence, table[4], s->path + skip, true));
    }
    return PHYSAD_OK;
}

physad_status physad__read_sidecar(physad_dataset *ds, int64_t first, const char *folder, const char *prefix)
{
    json_t *json = NULL;
    char *path = physad__path_join(&ds->ctx->mem, folder, "physad.json");
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    if (physad__path_is_file(path)) {
        status = physad__json_read(&json, &ds->ctx->mem, path, SIDECAR_LIMIT);
        if (status == PHYSAD_OK) {
            status = apply_sidecar(ds, first, prefix, json);
            if (status == PHYSAD_ERR_FORMAT)
                physad__error_prefix(status, "%s", path);
        }
    }
    json_decref(json);
    physad__free(path);
    return status;
}

/* --- numbers --- */

typedef struct keyed {
    const physad_sample *sample;
    int64_t index;
} keyed;

static int same_group(const physad_sample *a, const physad_sample *b)
{
    const int c = strcmp(a->category, b->category);
    return c != 0 ? c : strcmp(a->group, b->group);
}

static int by_group(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    const int c = same_group(x->sample, y->sample);
    return c != 0 ? c : x->index < y->index ? -1 : 1;
}

physad_status physad__dataset_groups(const physad_dataset *dataset, int64_t *out, int64_t *groups)
{
    const int64_t n = dataset->count;
    keyed *k = physad__alloc_array(&dataset->ctx->mem, n, sizeof(*k), "groups");
    if (k == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        k[i] = (keyed){ &dataset->records[i]->sample, i };
    if (n > 1)
        qsort(k, (size_t)n, sizeof(*k), by_group);
    /* First each sample's leader, the group's lowest index; then numbers in the order of the leaders. */
    int64_t leader = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || same_group(k[i].sample, k[i - 1].sample) != 0)
            leader = k[i].index;
        out[k[i].index] = leader;
    }
    *groups = 0;
    for (int64_t i = 0; i < n; i++)
        out[i] = out[i] == i ? (*groups)++ : out[out[i]];
    physad__free(k);
    return PHYSAD_OK;
}

/* --- splitting --- */

/* Marks with 1 the samples of groups that are drawn until `target` samples are reached, never all groups. */
static physad_status draw(const physad_dataset *ds, int64_t target, uint64_t seed, int64_t *group, int64_t *order,
                          int64_t *size)
{
    int64_t groups, drawn = 0;
    physad__rng rng;
    PHYSAD__TRY(physad__dataset_groups(ds, group, &groups));
    if (groups < 2)
        return physad__error(PHYSAD_ERR_STATE,
                             "physad_dataset_split: the %lld samples are of %lld group, want at least two",
                             (long long)ds->count, (long long)groups);
    for (int64_t i = 0; i < groups; i++) {
        order[i] = i;
        size[i] = 0;
    }
    for (int64_t i = 0; i < ds->count; i++)
        size[group[i]]++;
    physad__rng_seed(&rng, seed, 0x73706c6974); /* "split" */
    physad__rng_shuffle(&rng, order, groups);
    int64_t taken = 0;
    do
        drawn += size[order[taken++]];
    while (drawn < target && taken < groups - 1);
    for (int64_t i = 0; i < groups; i++)
        size[order[i]] = i < taken;
    for (int64_t i = 0; i < ds->count; i++)
        group[i] = size[group[i]];
    return PHYSAD_OK;
}

physad_status physad__dataset_draw(const physad_dataset *dataset, double fraction, uint64_t seed, int64_t *marks)
{
    physad__mem *mem = &dataset->ctx->mem;
    int64_t *order = physad__alloc_array(mem, dataset->count, sizeof(*order), "split");
    int64_t *size = physad__alloc_array(mem, dataset->count, sizeof(*size), "split");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (order != NULL && size != NULL)
        status = draw(dataset, (int64_t)floor(fraction * (double)dataset->count + 0.5), seed, marks, order, size);
    physad__free(order);
    physad__free(size);
    return status;
}

static physad_status part(physad_dataset **out, const physad_dataset *ds, const int64_t *marks, int64_t mark,
                          int64_t *indices)
{
    int64_t count = 0;
    for (int64_t i = 0; i < ds->count; i++)
        if (marks[i] == mark)
            indices[count++] = i;
    return physad_dataset_subset(out, ds, indices, count);
}

physad_status physad_dataset_split(physad_dataset **first, physad_dataset **second, const physad_dataset *dataset,
                                   double fraction, uint64_t seed)
{
    if (first == NULL || second == NULL || dataset == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_split: %s is NULL",
                             first == NULL    ? "first"
                             : second == NULL ? "second"
                                              : "dataset");
    *first = *second = NULL;
    PHYSAD__TRY(physad__context_check(dataset->ctx, "physad_dataset_split"));
    if (!(fraction > 0 && fraction < 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_split: fraction is %g, want more than 0 and less than 1",
                             fraction);
    physad__mem *mem = &dataset->ctx->mem;
    int64_t *marks = physad__alloc_array(mem, dataset->count, sizeof(*marks), "split");
    int64_t *indices = physad__alloc_array(mem, dataset->count, sizeof(*indices), "split");
    physad_status status = marks != NULL && indices != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__dataset_draw(dataset, fraction, seed, marks);
    if (status == PHYSAD_OK)
        status = part(first, dataset, marks, 0, indices);
    if (status == PHYSAD_OK)
        status = part(second, dataset, marks, 1, indices);
    if (status != PHYSAD_OK) {
        physad_dataset_free(*first);
        *first = NULL;
    }
    physad__free(marks);
    physad__free(indices);
    return status;
}
