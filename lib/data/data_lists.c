/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts that are read from lists: VisA's tables, Real-IAD's JSON. A list names files that nothing has looked at, so
 * its paths must stay within the data set. */
#include "data/data_dataset.h"

enum { LIST_LIMIT = 1 << 30 };

/* Relative, without "..", not empty. */
static bool is_inner_path(const char *path)
{
    if (*path == '\0' || *path == '/')
        return false;
    while (*path != '\0') {
        const size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.')
            return false;
        path += n + (path[n] == '/');
    }
    return true;
}

static physad_status push_listed(physad_dataset *ds, physad__record *r, const char *path, const char *mask)
{
    physad_sample *s = &r->sample;
    s->path = path;
    s->file = physad__store_format(ds->store, "%s/%s", ds->root, path);
    s->kind = PHYSAD_KIND_IMAGE;
    s->truth = s->label == 0 ? PHYSAD_TRUTH_ZERO : PHYSAD_TRUTH_NONE;
    if (s->file == NULL)
        return PHYSAD_ERR_NOMEM;
    if (mask != NULL && s->label != 0) {
        const char **files = physad__store_alloc(ds->store, sizeof(*files));
        if (files == NULL)
            return PHYSAD_ERR_NOMEM;
        files[0] = physad__store_format(ds->store, "%s/%s", ds->root, mask);
        if (files[0] == NULL)
            return PHYSAD_ERR_NOMEM;
        s->mask_files = files;
        s->mask_count = 1;
        s->truth = PHYSAD_TRUTH_MASKS;
    }
    return physad__dataset_push(ds, r);
}

/* Sidecars and groups, category by category; samples of one category follow one another. */
static physad_status finish_all(physad__scan *scan)
{
    physad_dataset *ds = scan->ds;
    for (int64_t i = 0; i < ds->category_count; i++) {
        const char *category = ds->categories[i];
        const int64_t total = ds->count;
        int64_t from = 0, to;
        while (from < total && strcmp(ds->records[from]->sample.category, category) != 0)
            from++;
        for (to = from; to < total && strcmp(ds->records[to]->sample.category, category) == 0; to++)
            ;
        const char *folder = physad__store_format(ds->store, "%s/%s", ds->root, category);
        const char *prefix = physad__store_format(ds->store, "%s/", category);
        if (folder == NULL || prefix == NULL)
            return PHYSAD_ERR_NOMEM;
        /* The calls below go to the end: let it be the category's. */
        ds->count = to;
        const physad_status status = physad__scan_finish(scan, from, folder, prefix);
        ds->count = total;
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

/* --- VisA --- */

static physad_status visa_table(physad__scan *scan, const char **path)
{
    *path = physad__store_format(scan->ds->store, "%s/split_csv/%s", scan->root,
                                 scan->o->list != NULL ? scan->o->list : "1cls.csv");
    return *path != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status probe_visa(physad__scan *scan, bool *found)
{
    const char *path = physad__store_format(scan->ds->store, "%s/split_csv", scan->root);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    *found = physad__path_is_dir(path);
    return PHYSAD_OK;
}

typedef struct visa {
    physad__csv csv;
    int64_t object, split, label, image, mask;
} visa;

static physad_status visa_columns(visa *v, const char *path)
{
    const struct {
        const char *name;
        int64_t *at;
    } columns[] = { { "object", &v->object },
                    { "split", &v->split },
                    { "label", &v->label },
                    { "image", &v->image },
                    { "mask", &v->mask } };
    for (int64_t i = 0; i < PHYSAD__COUNT(columns); i++) {
        *columns[i].at = physad__csv_column(&v->csv, columns[i].name);
        if (*columns[i].at < 0)
            return physad__error(PHYSAD_ERR_FORMAT,
                                 "%s: there is no column \"%s\"; want object, split, label, image, mask", path,
                                 columns[i].name);
    }
    return PHYSAD_OK;
}

static int32_t split_named(const char *name)
{
    return physad__equal_nocase(name, "train")                                             ? PHYSAD_SPLIT_TRAIN
           : physad__equal_nocase(name, "test")                                            ? PHYSAD_SPLIT_TEST
           : physad__equal_nocase(name, "validation") || physad__equal_nocase(name, "val") ? PHYSAD_SPLIT_VALIDATION
                                                                                           : 0;
}

static physad_status visa_row(physad__scan *scan, const visa *v, int64_t row, const char *table)
{
    physad__store *store = scan->ds->store;
    const char *object = physad__csv_cell(&v->csv, row, v->object), *label = physad__csv_cell(&v->csv, row, v->label);
    const char *image = physad__csv_cell(&v->csv, row, v->image), *mask = physad__csv_cell(&v->csv, row, v->mask);
    physad__record r = { .sample = { .split = split_named(physad__csv_cell(&v->csv, row, v->split)),
                                     .label = physad__is_normal_type(label) ? 0 : 1 } };
    if (r.sample.split == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: row %lld: split is \"%s\", want train, test or validation", table,
                             (long long)row + 1, physad__csv_cell(&v->csv, row, v->split));
    if (!is_inner_path(image) || (*mask != '\0' && !is_inner_path(mask)))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: row %lld: \"%s\" is no path within the data set", table,
                             (long long)row + 1, is_inner_path(image) ? mask : image);
    if (!is_inner_path(object)) /* names the folder of the category's groups and poses */
        return physad__error(PHYSAD_ERR_FORMAT, "%s: row %lld: object is \"%s\", want the name of a folder", table,
                             (long long)row + 1, object);
    if (!physad__scan_wants(scan, object))
        return PHYSAD_OK;
    r.sample.category = physad__store_text(store, object);
    r.sample.type = physad__store_text(store, label);
    const char *path = physad__store_text(store, image), *mask_path = physad__store_text(store, mask);
    if (r.sample.category == NULL || r.sample.type == NULL || path == NULL || mask_path == NULL)
        return PHYSAD_ERR_NOMEM;
    return push_listed(scan->ds, &r, path, *mask != '\0' ? mask_path : NULL);
}

static physad_status read_table(physad__scan *scan, const char *path, visa *v)
{
    PHYSAD__TRY(visa_columns(v, path));
    for (int64_t i = 0; i < v->csv.rows; i++)
        PHYSAD__TRY(visa_row(scan, v, i, path));
    physad__dataset_sort(scan->ds, 0); /* one category after the other, whatever the order of the rows */
    return finish_all(scan);
}

static physad_status read_visa(physad__scan *scan)
{
    const char *path;
    visa v;
    PHYSAD__TRY(visa_table(scan, &path));
    PHYSAD__TRY(physad__csv_read(&v.csv, &scan->ds->ctx->mem, path, LIST_LIMIT));
    const physad_status status = read_table(scan, path, &v);
    physad__csv_free(&v.csv);
    return status;
}

const physad__layout physad__layout_visa = { "visa", "split_csv/1cls.csv", probe_visa, read_visa };

/* --- Real-IAD --- */

/* The folder of lists, NULL when there is none. */
static physad_status realiad_lists(physad__scan *scan, const char **out)
{
    static const char *const places[] = { "realiad_jsons", ".", "../realiad_jsons", ".." };
    const char *list = scan->o->list != NULL ? scan->o->list : "realiad_jsons";
    *out = NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(places) && *out == NULL; i++) {
        const char *path = physad__store_format(scan->ds->store, "%s/%s/%s", scan->root, places[i], list);
        if (path == NULL)
            return PHYSAD_ERR_NOMEM;
        if (physad__path_is_dir(path))
            *out = path;
    }
    return PHYSAD_OK;
}

/* Where the photos are: the root itself, or its largest `realiad_<size>`; "" or "realiad_1024/". */
static const char *realiad_photos(const physad__scan *scan)
{
    static const char *const sizes[] = { "realiad_1024", "realiad_512", "realiad_256" };
    static const char *const prefixes[] = { "realiad_1024/", "realiad_512/", "realiad_256/" };
    for (int64_t i = 0; i < PHYSAD__COUNT(sizes); i++)
        for (int64_t k = 0; k < scan->top.count; k++)
            if (scan->top.entries[k].is_dir && strcmp(scan->top.entries[k].name, sizes[i]) == 0)
                return prefixes[i];
    return "";
}

static physad_status probe_realiad(physad__scan *scan, bool *found)
{
    const char *lists;
    PHYSAD__TRY(realiad_lists(scan, &lists));
    *found = lists != NULL;
    return PHYSAD_OK;
}

typedef struct realiad {
    const char *name;     /* of the list, for messages */
    const char *category; /* by the list's name */
    const char *photos;   /* see realiad_photos() */
    const char *prefix;   /* of the list's paths: `meta.prefix`, or "<category>/" */
    const char *normal;   /* `meta.normal_class` */
} realiad;

/* The camera in "..._C3_...": "C3" in the store, or NULL. */
static physad_status camera_of(physad_dataset *ds, const char *path, const char **view)
{
    const char *name = physad__path_name(path);
    for (const char *p = strstr(name, "_C"); p != NULL; p = strstr(p + 1, "_C")) {
        size_t digits = 0;
        while (p[2 + digits] >= '0' && p[2 + digits] <= '9')
            digits++;
        if (digits == 0 || (p[2 + digits] != '_' && p[2 + digits] != '.'))
            continue;
        *view = physad__store_format(ds->store, "%.*s", (int)(digits + 1), p + 1);
        return *view != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

/* A path of the list relative to the root. */
static physad_status listed_path(physad_dataset *ds, const realiad *l, const char *text, const char **out)
{
    if (!is_inner_path(text))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is no path within the data set", l->name, text);
    const bool whole = strncmp(text, l->prefix, strlen(l->prefix)) == 0;
    *out = physad__store_format(ds->store, "%s%s%s", l->photos, whole ? "" : l->prefix, text);
    return *out != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* The sample's folder: what lies above the photo, without the category. */
static physad_status object_of(physad_dataset *ds, const realiad *l, const char *path, const char **group)
{
    const char *from = path + strlen(l->photos);
    if (strncmp(from, l->prefix, strlen(l->prefix)) == 0)
        from += strlen(l->prefix);
    const char *name = physad__path_name(from);
    if (name <= from + 1)
        return PHYSAD_OK; /* no folder: its own group */
    *group = physad__store_format(ds->store, "%.*s", (int)(name - 1 - from), from);
    return *group != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status realiad_entry(physad_dataset *ds, const realiad *l, const json_t *entry, int32_t split,
                                   int64_t number)
{
    const char *image = json_string_value(json_object_get(entry, "image_path"));
    const char *type = json_string_value(json_object_get(entry, "anomaly_class"));
    const char *category = json_string_value(json_object_get(entry, "category"));
    const char *mask = json_string_value(json_object_get(entry, "mask_path"));
    const char *path, *mask_path = NULL;
    if (image == NULL || type == NULL || *type == '\0')
        return physad__error(PHYSAD_ERR_FORMAT, "%s: entry %lld of \"%s\" lacks \"%s\"", l->name, (long long)number,
                             split == PHYSAD_SPLIT_TRAIN ? "train" : "test",
                             image == NULL ? "image_path" : "anomaly_class");
    if (category != NULL && *category != '\0' && !is_inner_path(category))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: entry %lld: category is \"%s\", want the name of a folder",
                             l->name, (long long)number, category);
    physad__record r = { .sample = { .split = split } };
    r.sample.label = strcmp(type, l->normal) == 0 ? 0 : 1;
    r.sample.category = physad__store_text(ds->store, category != NULL && *category != '\0' ? category : l->category);
    r.sample.type = physad__store_text(ds->store, type);
    if (r.sample.category == NULL || r.sample.type == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(listed_path(ds, l, image, &path));
    if (mask != NULL && *mask != '\0')
        PHYSAD__TRY(listed_path(ds, l, mask, &mask_path));
    PHYSAD__TRY(camera_of(ds, image, &r.sample.view));
    PHYSAD__TRY(object_of(ds, l, path, &r.sample.group));
    return push_listed(ds, &r, path, mask_path);
}

physad_status physad__realiad_read(physad_dataset *ds, const char *name, const char *category, const char *photos,
                                   const json_t *json)
{
    static const struct {
        const char *key;
        int32_t split;
    } lists[] = { { "train", PHYSAD_SPLIT_TRAIN }, { "test", PHYSAD_SPLIT_TEST } };
    const json_t *meta = json_object_get(json, "meta");
    const char *prefix = json_string_value(json_object_get(meta, "prefix"));
    const char *normal = json_string_value(json_object_get(meta, "normal_class"));
    realiad l = { name, category, photos, prefix, normal != NULL ? normal : "OK" };
    if (prefix == NULL || *prefix == '\0' || !is_inner_path(prefix))
        l.prefix = physad__store_format(ds->store, "%s/", category);
    else if (prefix[strlen(prefix) - 1] != '/')
        l.prefix = physad__store_format(ds->store, "%s/", prefix);
    if (l.prefix == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < PHYSAD__COUNT(lists); i++) {
        const json_t *list = json_object_get(json, lists[i].key);
        if (!json_is_array(list))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: there is no list \"%s\"", name, lists[i].key);
        for (size_t k = 0; k < json_array_size(list); k++)
            PHYSAD__TRY(realiad_entry(ds, &l, json_array_get(list, k), lists[i].split, (int64_t)k));
    }
    return PHYSAD_OK;
}

static physad_status realiad_file(physad__scan *scan, const char *folder, const char *name, const char *photos)
{
    physad_dataset *ds = scan->ds;
    json_t *json = NULL;
    const int64_t first = ds->count;
    char *category = physad__path_stem(&ds->ctx->mem, name);
    const char *path = physad__store_format(ds->store, "%s/%s", folder, name);
    physad_status status = category != NULL && path != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK && physad__scan_wants(scan, category)) {
        status = physad__json_read(&json, &ds->ctx->mem, path, LIST_LIMIT);
        if (status == PHYSAD_OK)
            status = physad__realiad_read(ds, path, category, photos, json);
        json_decref(json);
        const char *own = physad__store_format(ds->store, "%s/%s%s", ds->root, photos, category);
        const char *prefix = physad__store_format(ds->store, "%s%s/", photos, category);
        if (status == PHYSAD_OK)
            status = own != NULL && prefix != NULL ? physad__scan_finish(scan, first, own, prefix) : PHYSAD_ERR_NOMEM;
    }
    physad__free(category);
    return status;
}

static physad_status read_realiad(physad__scan *scan)
{
    const char *folder, *photos = realiad_photos(scan);
    physad__dir dir;
    PHYSAD__TRY(realiad_lists(scan, &folder));
    if (folder == NULL)
        return physad__error(PHYSAD_ERR_IO, "%s: there is no folder of lists \"%s\" in or beside it", scan->root,
                             scan->o->list != NULL ? scan->o->list : "realiad_jsons");
    PHYSAD__TRY(physad__dir_list(&dir, &scan->ds->ctx->mem, folder));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++)
        if (!dir.entries[i].is_dir && physad__has_suffix(dir.entries[i].name, ".json"))
            status = realiad_file(scan, folder, dir.entries[i].name, photos);
    physad__dir_free(&dir);
    return status;
}

const physad__layout physad__layout_realiad = { "realiad", "realiad_jsons/<category>.json", probe_realiad,
                                                read_realiad };
