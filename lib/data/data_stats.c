/* SPDX-License-Identifier: Apache-2.0 */
/* What a data set holds, as JSON. */
#include "data/data_dataset.h"

#include <stdlib.h>

typedef struct extent {
    int64_t height, width, count;
} extent;

typedef struct area {
    const char *type;
    double share;
} area;

/* Sums of one category. */
typedef struct tally {
    const physad_dataset *ds;
    const char *category;
    json_t *splits, *views, *kinds, *unreadable;
    extent *extents;
    int64_t extent_count, extent_capacity;
    area *areas;
    int64_t area_count, area_capacity;
    int64_t without_mask;
    unsigned char *mask;
    int64_t mask_capacity;
} tally;

static physad_status no_memory(void)
{
    return physad__error(PHYSAD_ERR_NOMEM, "physad_dataset_stats: no memory for the JSON");
}

/* A JSON string of text that may hold any bytes. */
static json_t *json_text(physad__mem *mem, const char *text)
{
    char *copy = physad__strdup(mem, text);
    if (copy == NULL)
        return NULL;
    physad__make_utf8(copy);
    json_t *out = json_string(copy);
    physad__free(copy);
    return out;
}

/* object[key] += 1 */
static physad_status count_key(physad__mem *mem, json_t *object, const char *key)
{
    char *copy = physad__strdup(mem, key);
    if (copy == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__make_utf8(copy);
    const int failed =
        json_object_set_new(object, copy, json_integer(json_integer_value(json_object_get(object, copy)) + 1));
    physad__free(copy);
    return failed ? no_memory() : PHYSAD_OK;
}

static physad_status count_split(tally *t, const physad_sample *s)
{
    const char *key = s->split == PHYSAD_SPLIT_TRAIN   ? "train"
                      : s->split == PHYSAD_SPLIT_TEST  ? "test"
                      : s->split == PHYSAD_SPLIT_WHOLE ? "whole"
                                                       : "validation";
    json_t *types = json_object_get(t->splits, key);
    if (types == NULL) {
        types = json_object();
        if (json_object_set_new(t->splits, key, types) != 0)
            return no_memory();
    }
    return count_key(&t->ds->ctx->mem, types, s->type);
}

static physad_status count_extent(tally *t, int64_t height, int64_t width)
{
    for (int64_t i = 0; i < t->extent_count; i++) {
        if (t->extents[i].height == height && t->extents[i].width == width) {
            t->extents[i].count++;
            return PHYSAD_OK;
        }
    }
    PHYSAD__TRY(physad__grow(&t->ds->ctx->mem, &t->extents, &t->extent_capacity, t->extent_count + 1,
                             sizeof(*t->extents), "statistics"));
    t->extents[t->extent_count++] = (extent){ height, width, 1 };
    return PHYSAD_OK;
}

static physad_status count_area(tally *t, int64_t index, int64_t height, int64_t width)
{
    physad__mem *mem = &t->ds->ctx->mem;
    const int64_t shape[] = { height, width }, n = height * width;
    PHYSAD__TRY(physad__grow(mem, &t->mask, &t->mask_capacity, n, 1, "statistics"));
    PHYSAD__TRY(physad__grow(mem, &t->areas, &t->area_capacity, t->area_count + 1, sizeof(*t->areas), "statistics"));
    physad_view mask = physad_view_array(t->mask, PHYSAD_U8, 2, shape);
    PHYSAD__TRY(physad_dataset_read_mask(t->ds, index, &mask));
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += t->mask[i];
    t->areas[t->area_count++] = (area){ t->ds->records[index]->sample.type, (double)sum / (double)n };
    return PHYSAD_OK;
}

static physad_status measure(tally *t, int64_t index)
{
    const physad__record *r = t->ds->records[index];
    int64_t height = r->photo.shape[0], width = r->photo.shape[1];
    if (r->photo.data == NULL) {
        physad_image_info info;
        PHYSAD__TRY(physad_image_probe(&info, t->ds->ctx, r->sample.file, NULL));
        height = info.height;
        width = info.width;
    }
    PHYSAD__TRY(count_extent(t, height, width));
    return r->sample.truth == PHYSAD_TRUTH_MASKS ? count_area(t, index, height, width) : PHYSAD_OK;
}

static physad_status note_unreadable(tally *t, const physad_sample *s)
{
    physad__mem *mem = &t->ds->ctx->mem;
    json_t *entry = json_object();
    int failed = json_object_set_new(entry, "path", json_text(mem, s->path));
    failed |= json_object_set_new(entry, "reason", json_text(mem, physad_last_error()));
    failed |= json_array_append_new(t->unreadable, entry);
    return failed ? no_memory() : PHYSAD_OK;
}

static physad_status count_sample(tally *t, int64_t index)
{
    static const char *const kinds[] = { "?", "image", "video", "frames" };
    physad__mem *mem = &t->ds->ctx->mem;
    const physad_sample *s = &t->ds->records[index]->sample;
    PHYSAD__TRY(count_split(t, s));
    PHYSAD__TRY(count_key(mem, t->kinds, kinds[s->kind]));
    if (s->view != NULL)
        PHYSAD__TRY(count_key(mem, t->views, s->view));
    if (s->kind != PHYSAD_KIND_IMAGE)
        return PHYSAD_OK;
    t->without_mask += s->label == 1 && s->truth == PHYSAD_TRUTH_NONE;
    const physad_status status = measure(t, index);
    return status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM || status == PHYSAD_ERR_CANCELLED ? status
                                                                                               : note_unreadable(t, s);
}

/* --- what comes of it --- */

static int by_extent(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    if (x->height != y->height)
        return x->height < y->height ? -1 : 1;
    return x->width < y->width ? -1 : x->width > y->width;
}

static int by_area(const void *a, const void *b)
{
    const area *x = a, *y = b;
    const int c = physad__natural_compare(x->type, y->type);
    return c != 0 ? c : x->share < y->share ? -1 : x->share > y->share;
}

static json_t *extents_json(tally *t)
{
    json_t *list = json_array();
    if (t->extent_count > 1)
        qsort(t->extents, (size_t)t->extent_count, sizeof(*t->extents), by_extent);
    for (int64_t i = 0; i < t->extent_count; i++)
        json_array_append_new(list,
                              json_pack("{sIsIsI}", "height", (json_int_t)t->extents[i].height, "width",
                                        (json_int_t)t->extents[i].width, "count", (json_int_t)t->extents[i].count));
    return list;
}

/* Linear between order statistics at q (n - 1). */
static double quantile(const area *a, int64_t n, double q)
{
    const double at = q * (double)(n - 1);
    const int64_t low = (int64_t)at, high = physad__min(low + 1, n - 1);
    return a[low].share + (a[high].share - a[low].share) * (at - (double)low);
}

static physad_status areas_json(tally *t, json_t *out)
{
    if (t->area_count > 1)
        qsort(t->areas, (size_t)t->area_count, sizeof(*t->areas), by_area);
    for (int64_t i = 0, n; i < t->area_count; i += n) {
        const area *a = t->areas + i;
        for (n = 1; i + n < t->area_count && strcmp(a[n].type, a[0].type) == 0; n++)
            ;
        json_t *one =
            json_pack("{sIsfsfsfsfsf}", "count", (json_int_t)n, "min", a[0].share, "q25", quantile(a, n, 0.25),
                      "median", quantile(a, n, 0.5), "q75", quantile(a, n, 0.75), "max", a[n - 1].share);
        char *type = physad__strdup(&t->ds->ctx->mem, a[0].type);
        int failed = type == NULL;
        if (type != NULL) {
            physad__make_utf8(type);
            failed = json_object_set(out, type, one);
            physad__free(type);
        }
        json_decref(one);
        if (failed)
            return no_memory();
    }
    return PHYSAD_OK;
}

static physad_status category_json(tally *t, json_t *list, int64_t groups)
{
    json_t *one = json_object(), *areas = json_object();
    int failed = json_object_set_new(one, "name", json_text(&t->ds->ctx->mem, t->category));
    failed |= json_object_set_new(one, "groups", json_integer(groups));
    failed |= json_object_set(one, "splits", t->splits);
    failed |= json_object_set(one, "views", t->views);
    failed |= json_object_set(one, "kinds", t->kinds);
    failed |= json_object_set_new(one, "defective_without_mask", json_integer(t->without_mask));
    failed |= json_object_set_new(one, "sizes", extents_json(t));
    failed |= json_object_set(one, "defect_area", areas);
    failed |= json_array_append_new(list, one);
    const physad_status status = failed ? no_memory() : areas_json(t, areas);
    json_decref(areas);
    return status;
}

/* Groups are numbered as they first appear, and each belongs to one category: a number above all before it is a new
 * group. */
static int64_t count_groups(const physad_dataset *ds, const char *category, const int64_t *group)
{
    int64_t count = 0, highest = -1;
    for (int64_t i = 0; i < ds->count; i++) {
        const bool fresh = group[i] > highest;
        highest = physad__max(highest, group[i]);
        count += fresh && strcmp(ds->records[i]->sample.category, category) == 0;
    }
    return count;
}

typedef struct survey {
    physad__call call;
    int64_t *group;
    int64_t groups, done;
    json_t *root, *list, *unreadable;
} survey;

static physad_status survey_category(survey *v, physad_dataset *ds, const char *category)
{
    tally t = { .ds = ds, .category = category, .unreadable = v->unreadable };
    t.splits = json_object();
    t.views = json_object();
    t.kinds = json_object();
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < ds->count; i++) {
        if (strcmp(ds->records[i]->sample.category, category) != 0)
            continue;
        status = count_sample(&t, i);
        if (status == PHYSAD_OK)
            status = physad__call_tick(&v->call, ++v->done);
    }
    if (status == PHYSAD_OK)
        status = category_json(&t, v->list, count_groups(ds, category, v->group));
    json_decref(t.splits);
    json_decref(t.views);
    json_decref(t.kinds);
    physad__free(t.extents);
    physad__free(t.areas);
    physad__free(t.mask);
    return status;
}

static physad_status survey_all(survey *v, physad_dataset *ds)
{
    physad__mem *mem = &ds->ctx->mem;
    int failed = json_object_set_new(v->root, "name", json_text(mem, ds->name));
    failed |= json_object_set_new(v->root, "format", json_string(ds->format));
    failed |= json_object_set_new(v->root, "samples", json_integer(ds->count));
    failed |= json_object_set(v->root, "categories", v->list);
    failed |= json_object_set(v->root, "unreadable", v->unreadable);
    if (failed)
        return no_memory();
    v->group = physad__alloc_array(mem, ds->count, sizeof(*v->group), "statistics");
    if (v->group == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__dataset_groups(ds, v->group, &v->groups));
    physad__call_stage(&v->call, "reading", ds->count);
    for (int64_t i = 0; i < ds->category_count; i++)
        PHYSAD__TRY(survey_category(v, ds, ds->categories[i]));
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9), size = json_dumpb(v->root, NULL, 0, flags);
    char *text = physad__alloc(mem, size + 1, "statistics");
    if (text == NULL)
        return PHYSAD_ERR_NOMEM;
    json_dumpb(v->root, text, size, flags);
    text[size] = '\0';
    physad__free(ds->json);
    ds->json = text;
    return size > 0 ? PHYSAD_OK : no_memory();
}

physad_status physad_dataset_stats(physad_dataset *dataset, const physad_call_options *options, const char **json)
{
    survey v = { .group = NULL };
    if (dataset == NULL || json == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_stats: %s is NULL", dataset == NULL ? "dataset" : "json");
    *json = NULL;
    PHYSAD__TRY(physad__call_begin(&v.call, dataset->ctx, options, "physad_dataset_stats"));
    v.root = json_object();
    v.list = json_array();
    v.unreadable = json_array();
    const physad_status status = survey_all(&v, dataset);
    json_decref(v.root);
    json_decref(v.list);
    json_decref(v.unreadable);
    physad__free(v.group);
    physad__call_end(&v.call);
    if (status == PHYSAD_OK)
        *json = dataset->json;
    return status;
}
