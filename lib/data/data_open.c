/* SPDX-License-Identifier: Apache-2.0 */
/* Which layout a folder has, and what is common to all of them. */
#include "data/data_dataset.h"

#include <limits.h>
#include <stdlib.h>

/* In the order in which "auto" tries them: the more particular first. */
static const physad__layout *const layouts[] = {
    &physad__layout_visa,   &physad__layout_realiad, &physad__layout_mvtec3d,
    &physad__layout_frames, &physad__layout_ucsd,    &physad__layout_mvtec,   &physad__layout_folder,
};

/* A list may name a category again with each row. */
static void note_other(physad__scan *scan, const char *category)
{
    const size_t used = strlen(scan->others), n = strlen(category);
    for (const char *p = scan->others; *p != '\0'; p += strcspn(p + 2, ",") + 2)
        if (strncmp(p + 2, category, n) == 0 && (p[2 + n] == ',' || p[2 + n] == '\0'))
            return;
    const bool full = used >= 5 && strcmp(scan->others + used - 5, ", ...") == 0;
    if (!full)
        physad__snprintf(scan->others + used, sizeof(scan->others) - used, ", %s",
                         used + n + 8 < sizeof(scan->others) ? category : "...");
}

bool physad__scan_wants(physad__scan *scan, const char *category)
{
    const char *p = scan->o->categories;
    const size_t n = strlen(category);
    if (p == NULL)
        return true;
    while (*p != '\0') {
        const size_t length = strcspn(p, ",");
        if (length == n && memcmp(p, category, n) == 0)
            return true;
        p += length + (p[length] == ',');
    }
    scan->skipped++;
    note_other(scan, category);
    return false;
}

/* --- one category --- */

static int by_place(const void *a, const void *b)
{
    const physad_sample *x = &(*(physad__record *const *)a)->sample, *y = &(*(physad__record *const *)b)->sample;
    int c = physad__natural_compare(x->category, y->category);
    if (c == 0)
        c = x->split - y->split;
    if (c == 0)
        c = physad__natural_compare(x->type, y->type);
    return c != 0 ? c : physad__natural_compare(x->path, y->path);
}

void physad__dataset_sort(physad_dataset *ds, int64_t first)
{
    if (ds->count - first > 1)
        qsort(ds->records + first, (size_t)(ds->count - first), sizeof(ds->records[0]), by_place);
}

/* Normal training samples to the test split where there are no normal ones to test with. */
static physad_status hold_out(physad_dataset *ds, int64_t first, double fraction)
{
    physad_dataset *normals = NULL;
    int64_t count = 0;
    for (int64_t i = first; i < ds->count; i++)
        if (ds->records[i]->sample.split == PHYSAD_SPLIT_TEST && ds->records[i]->sample.label == 0)
            return PHYSAD_OK;
    int64_t *indices = physad__alloc_array(&ds->ctx->mem, ds->count - first, sizeof(*indices), "split");
    if (indices == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = first; i < ds->count; i++)
        if (ds->records[i]->sample.split == PHYSAD_SPLIT_TRAIN && ds->records[i]->sample.label == 0)
            indices[count++] = i;
    physad_status status = physad_dataset_subset(&normals, ds, indices, count);
    if (status == PHYSAD_OK)
        status = physad__dataset_draw(normals, fraction, ds->ctx->seed, indices);
    for (int64_t i = 0; status == PHYSAD_OK && i < count; i++)
        if (indices[i] == 1)
            normals->records[i]->sample.split = PHYSAD_SPLIT_TEST;
    physad_dataset_free(normals);
    physad__free(indices);
    return status;
}

physad_status physad__scan_finish(physad__scan *scan, int64_t first, const char *folder, const char *prefix)
{
    physad_dataset *ds = scan->ds;
    if (ds->count == first)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__read_texts(ds, first, folder));
    PHYSAD__TRY(physad__read_sidecar(ds, first, folder, prefix));
    PHYSAD__TRY(physad__group_samples(ds, first));
    physad__dataset_sort(ds, first);
    return scan->o->holdout > 0 ? hold_out(ds, first, scan->o->holdout) : PHYSAD_OK;
}

/* --- the whole --- */

static physad_status check_categories(physad__scan *scan, const char *wanted)
{
    const physad_dataset *ds = scan->ds;
    const char *p = wanted;
    while (p != NULL && *p != '\0') {
        const size_t length = strcspn(p, ",");
        bool known = false;
        for (int64_t i = 0; i < ds->category_count; i++)
            known = known || (strlen(ds->categories[i]) == length && memcmp(ds->categories[i], p, length) == 0);
        if (!known) {
            for (int64_t i = 0; i < ds->category_count; i++)
                note_other(scan, ds->categories[i]);
            return physad__error(PHYSAD_ERR_ARG, "%s: there is no category \"%.*s\"%s%s", ds->root, (int)length, p,
                                 scan->others[0] != '\0' ? "; want of" : "",
                                 scan->others[0] != '\0' ? scan->others + 1 : "");
        }
        p += length + (p[length] == ',');
    }
    return PHYSAD_OK;
}

static physad_status unknown_layout(const physad__scan *scan)
{
    char text[700];
    size_t used = 0;
    text[0] = '\0';
    for (int64_t i = 0; i < PHYSAD__COUNT(layouts); i++) {
        const int n = physad__snprintf(text + used, sizeof(text) - used, "%s%s (%s)", i == 0 ? "" : "; ",
                                       layouts[i]->wanted, layouts[i]->name);
        used = n > 0 && used + (size_t)n < sizeof(text) ? used + (size_t)n : used;
    }
    if (scan->top.count == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the folder is empty", scan->root);
    return physad__error(PHYSAD_ERR_FORMAT, "%s: no known layout; looked for %s", scan->root, text);
}

static physad_status find_layout(physad__scan *scan, const physad__layout **out)
{
    const char *names[PHYSAD__COUNT(layouts) + 1] = { "auto" };
    const char *wanted = scan->o->format != NULL ? scan->o->format : "auto";
    bool found = false;
    *out = NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(layouts); i++)
        names[i + 1] = layouts[i]->name;
    for (int64_t i = 0; i < PHYSAD__COUNT(layouts) && *out == NULL; i++) {
        if (strcmp(wanted, "auto") == 0) {
            PHYSAD__TRY(layouts[i]->probe(scan, &found));
            *out = found ? layouts[i] : NULL;
        } else if (strcmp(wanted, layouts[i]->name) == 0) {
            *out = layouts[i];
        }
    }
    if (*out != NULL)
        return PHYSAD_OK;
    if (strcmp(wanted, "auto") == 0)
        return unknown_layout(scan);
    const char *near = physad__nearest_name(wanted, names, PHYSAD__COUNT(names));
    return physad__error(
        PHYSAD_ERR_ARG, "there is no format \"%s\"%s%s%s; want auto, visa, realiad, mvtec3d, frames, mvtec or folder",
        wanted, near != NULL ? " (did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?)" : "");
}

static physad_status scan_root(physad__scan *scan)
{
    physad_dataset *ds = scan->ds;
    const physad__layout *layout;
    PHYSAD__TRY(find_layout(scan, &layout));
    ds->format = layout->name;
    PHYSAD__TRY(layout->read(scan));
    PHYSAD__TRY(check_categories(scan, scan->o->categories));
    if (ds->count == 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: no samples; as \"%s\" it would hold %s", scan->root, layout->name,
                             layout->wanted);
    physad__dataset_sort(ds, 0);
    return physad__dataset_recount(ds);
}

/* The path without slashes at its end, and the folder's own name, for which "." and links are looked through. */
static physad_status set_root(physad_dataset *ds, const char *path)
{
    char real[PATH_MAX];
    char *root = physad__store_text(ds->store, path);
    if (root == NULL)
        return PHYSAD_ERR_NOMEM;
    for (size_t n = strlen(root); n > 1 && root[n - 1] == '/'; n--)
        root[n - 1] = '\0';
    const char *name = physad__path_name(root);
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        name = realpath(root, real) != NULL ? physad__path_name(real) : name;
    ds->root = root;
    ds->name = physad__store_text(ds->store, name);
    return ds->name != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad_dataset_open(physad_dataset **out, physad_context *ctx, const char *path,
                                  const physad_dataset_options *options)
{
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    PHYSAD__TRY(physad_dataset_new(out, ctx));
    physad__scan scan = { .ds = *out, .o = &o };
    physad_status status = physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_dataset_options");
    if (status == PHYSAD_OK && (path == NULL || *path == '\0'))
        status = physad__error(PHYSAD_ERR_ARG, "physad_dataset_open: path is %s", path == NULL ? "NULL" : "empty");
    if (status == PHYSAD_OK && !(o.holdout >= 0 && o.holdout < 1))
        status = physad__error(PHYSAD_ERR_ARG, "physad_dataset_options: holdout is %g, want 0 or more and less than 1",
                               o.holdout);
    if (status == PHYSAD_OK && o.reserved != 0)
        status = physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_dataset_options: reserved is %u, want 0", o.reserved);
    if (status == PHYSAD_OK)
        status = set_root(scan.ds, path);
    scan.root = scan.ds->root;
    if (status == PHYSAD_OK)
        status = physad__dir_list(&scan.top, &ctx->mem, scan.root);
    if (status == PHYSAD_OK)
        status = scan_root(&scan);
    physad__dir_free(&scan.top);
    if (status != PHYSAD_OK) {
        physad_dataset_free(*out);
        *out = NULL;
    }
    return status;
}
