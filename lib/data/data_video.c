/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of videos beside their frames: texts of a category, and where the labels of single frames lie. */
#include "data/data_dataset.h"

#include <physad/image.h>
#include <physad/tensors.h>

static const uint64_t TEXTS_LIMIT = UINT64_C(64) << 20;

/* --- texts ---------------------------------------------------------------------------------------------------------
 */

/* The first of `names` that is a file in `folder`, in the store; NULL when there is none. */
static physad_status find_file(physad_dataset *ds, const char *folder, const char *const *names, int64_t count,
                               const char **out)
{
    *out = NULL;
    for (int64_t i = 0; i < count && *out == NULL; i++) {
        char *path = physad__path_join(&ds->ctx->mem, folder, names[i]);
        if (path == NULL)
            return PHYSAD_ERR_NOMEM;
        const bool is = physad__path_is_file(path);
        if (is)
            *out = physad__store_text(ds->store, path);
        physad__free(path);
        if (is && *out == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

static physad_status take_text(physad_dataset *ds, const char **out, const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (value == NULL || json_is_null(value))
        return PHYSAD_OK;
    if (json_string_value(value) == NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "\"%s\" is no text", key);
    *out = physad__store_text(ds->store, json_string_value(value));
    return *out != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status apply_texts(physad_dataset *ds, int64_t first, const json_t *json)
{
    const char *interaction = NULL;
    if (!json_is_object(json))
        return physad__error(PHYSAD_ERR_FORMAT, "want {\"<type>\": {\"description\": [...], ...}, ...}");
    PHYSAD__TRY(take_text(ds, &interaction, json, "interaction"));
    for (int64_t i = first; i < ds->count; i++) {
        physad_sample *s = &ds->records[i]->sample;
        s->interaction = interaction;
        const json_t *type = json_object_get(json, s->type);
        if (type != NULL)
            PHYSAD__TRY(take_text(ds, &s->persistence, type, "persistence"));
    }
    return PHYSAD_OK;
}

physad_status physad__read_texts(physad_dataset *ds, int64_t first, const char *folder)
{
    static const char *const texts[] = { "text_labels.json" };
    static const char *const priors[] = { "priors.json", "priors.md", "priors.txt" };
    const char *text_file, *prior_file;
    json_t *json = NULL;
    PHYSAD__TRY(find_file(ds, folder, texts, PHYSAD__COUNT(texts), &text_file));
    PHYSAD__TRY(find_file(ds, folder, priors, PHYSAD__COUNT(priors), &prior_file));
    for (int64_t i = first; i < ds->count; i++) {
        ds->records[i]->sample.text_file = text_file;
        ds->records[i]->sample.prior_file = prior_file;
    }
    if (text_file == NULL)
        return PHYSAD_OK;
    physad_status status = physad__json_read(&json, &ds->ctx->mem, text_file, TEXTS_LIMIT);
    if (status == PHYSAD_OK) {
        status = apply_texts(ds, first, json);
        if (status == PHYSAD_ERR_FORMAT)
            physad__error_prefix(status, "%s", text_file);
    }
    json_decref(json);
    return status;
}

/* --- labels of frames ----------------------------------------------------------------------------------------------
 */

/* In an array the frames of all videos follow one another: notes where each begins. */
static physad_status number_frames(physad_dataset *ds, int64_t first)
{
    int64_t at = 0;
    for (int64_t i = first; i < ds->count; i++) {
        physad__record *r = ds->records[i];
        physad__dir dir;
        if (r->sample.kind != PHYSAD_KIND_FRAMES)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: labels in an array are for folders of frames",
                                 r->sample.frame_file);
        PHYSAD__TRY(physad__dir_list(&dir, &ds->ctx->mem, r->sample.file));
        r->label_start = at;
        for (int64_t k = 0; k < dir.count; k++)
            r->label_count += !dir.entries[k].is_dir && physad__media_kind(dir.entries[k].name) == PHYSAD_KIND_IMAGE;
        at += r->label_count;
        physad__dir_free(&dir);
    }
    return PHYSAD_OK;
}

physad_status physad__find_frame_labels(physad_dataset *ds, int64_t first, const char *folder, const char *part,
                                        const char *name)
{
    char local[2][256], beside[256];
    const char *file;
    if (strlen(part) > 64 || strlen(name) > 128)
        return PHYSAD_OK;
    physad__snprintf(local[0], sizeof(local[0]), "%s/frame_labels.json", part);
    physad__snprintf(local[1], sizeof(local[1]), "%s/frame_labels.npy", part);
    physad__snprintf(beside, sizeof(beside), "frame_labels_%s.npy", name);
    const char *const names[] = { local[0], local[1], "frame_labels.json", "frame_labels.npy", beside };
    PHYSAD__TRY(find_file(ds, folder, names, PHYSAD__COUNT(names), &file));
    if (file == NULL) {
        char *parent = physad__path_parent(&ds->ctx->mem, folder);
        const char *const last[] = { beside };
        if (parent == NULL)
            return PHYSAD_ERR_NOMEM;
        const physad_status status = find_file(ds, parent, last, 1, &file);
        physad__free(parent);
        PHYSAD__TRY(status);
    }
    for (int64_t i = first; i < ds->count; i++)
        ds->records[i]->sample.frame_file = file;
    return file != NULL && physad__has_suffix(file, ".npy") ? number_frames(ds, first) : PHYSAD_OK;
}

/* Folders `<video>_gt` of masks, one per frame. */
physad_status physad__find_frame_masks(physad_dataset *ds, int64_t first)
{
    for (int64_t i = first; i < ds->count; i++) {
        physad_sample *s = &ds->records[i]->sample;
        const char *path = physad__store_format(ds->store, "%s_gt", s->file);
        if (path == NULL)
            return PHYSAD_ERR_NOMEM;
        if (physad__path_is_dir(path))
            s->frame_file = path;
    }
    return PHYSAD_OK;
}

/* Whether a pixel of the mask is set. */
static physad_status label_of_mask(const physad_dataset *ds, const char *path, uint8_t *label)
{
    physad_image *image;
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    o.channels = PHYSAD_IMAGE_GRAY;
    o.dtype = PHYSAD_U8;
    PHYSAD__TRY(physad_image_read(&image, ds->ctx, path, &o));
    const physad_view v = physad_image_view(image);
    *label = 0;
    for (int64_t y = 0; y < v.shape[0] && *label == 0; y++)
        for (int64_t x = 0; x < v.shape[1] && *label == 0; x++)
            *label = ((const uint8_t *)v.data)[y * v.stride[0] + x * v.stride[1]] != 0;
    physad_image_free(image);
    return PHYSAD_OK;
}

static physad_status no_room(const physad_sample *s, int64_t capacity, int64_t count)
{
    return physad__error(PHYSAD_ERR_SHAPE, "physad_dataset_read_frame_labels: room for %lld labels; %s has %lld",
                         (long long)capacity, s->path, (long long)count);
}

/* Masks in the order of their names, as the frames are. */
static physad_status labels_of_masks(const physad_dataset *ds, const physad_sample *s, uint8_t *labels,
                                     int64_t capacity, int64_t *count)
{
    physad__dir dir;
    PHYSAD__TRY(physad__dir_list(&dir, &ds->ctx->mem, s->frame_file));
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++) {
        const physad__dir_entry *e = &dir.entries[i];
        if (e->is_dir || physad__media_kind(e->name) != PHYSAD_KIND_IMAGE)
            continue;
        if (labels != NULL && *count < capacity) {
            char *path = physad__path_join(&ds->ctx->mem, s->frame_file, e->name);
            status = path != NULL ? label_of_mask(ds, path, &labels[*count]) : PHYSAD_ERR_NOMEM;
            physad__free(path);
        }
        ++*count;
    }
    physad__dir_free(&dir);
    if (status == PHYSAD_OK && labels != NULL && *count > capacity)
        status = no_room(s, capacity, *count);
    return status;
}

static double element(const physad_view *v, int64_t i)
{
    const char *p = (const char *)v->data + i * v->stride[v->ndim - 1];
    switch (v->dtype) {
    case PHYSAD_I64: return (double)*(const int64_t *)(const void *)p;
    case PHYSAD_I32: return *(const int32_t *)(const void *)p;
    case PHYSAD_F64: return *(const double *)(const void *)p;
    case PHYSAD_F32: return (double)*(const float *)(const void *)p;
    default: return *(const uint8_t *)p;
    }
}

static physad_status read_array(const physad__record *r, const physad_view *v, uint8_t *labels)
{
    const char *file = r->sample.frame_file;
    const int64_t n = physad__view_count(v);
    const bool row = v->ndim == 1 || (v->ndim == 2 && v->shape[0] == 1);
    const bool known = v->dtype == PHYSAD_I64 || v->dtype == PHYSAD_I32 || v->dtype == PHYSAD_F64 ||
                       v->dtype == PHYSAD_F32 || v->dtype == PHYSAD_U8 || v->dtype == PHYSAD_BOOL;
    if (!row || !known)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: want one row of labels", file);
    if (r->label_start + r->label_count > n)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %lld labels, but %s ends with frame %lld", file, (long long)n,
                             r->sample.path, (long long)(r->label_start + r->label_count));
    for (int64_t i = 0; i < r->label_count; i++) {
        const double x = element(v, r->label_start + i);
        if (x != 0 && x != 1)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: label %lld is neither 0 nor 1", file,
                                 (long long)(r->label_start + i));
        labels[i] = x != 0;
    }
    return PHYSAD_OK;
}

static physad_status labels_of_array(const physad_dataset *ds, const physad__record *r, uint8_t *labels)
{
    physad_tensors *file;
    physad_view v;
    PHYSAD__TRY(physad_tensors_open(&file, ds->ctx, r->sample.frame_file, NULL));
    physad_status status = physad_tensors_find(file, "array", &v);
    if (status == PHYSAD_OK)
        status = read_array(r, &v, labels);
    physad_tensors_free(file);
    return status;
}

static physad_status labels_by_name(const physad_dataset *ds, const physad_sample *s, uint8_t *labels,
                                    int64_t capacity, int64_t *count)
{
    physad__frame_labels *all;
    const uint8_t *found;
    PHYSAD__TRY(physad__frame_labels_open(&all, ds->ctx, s->frame_file));
    physad_status status = physad__frame_labels_of(all, s->path, &found, count);
    if (status == PHYSAD_ERR_ARG)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: there are no labels for %s", s->frame_file, s->path);
    if (status == PHYSAD_OK && labels != NULL) {
        if (*count > capacity)
            status = no_room(s, capacity, *count);
        else
            memcpy(labels, found, (size_t)*count);
    }
    physad__frame_labels_free(all);
    return status;
}

physad_status physad_dataset_read_frame_labels(const physad_dataset *dataset, int64_t index, uint8_t *labels,
                                               int64_t capacity, int64_t *count)
{
    if (dataset == NULL || count == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_read_frame_labels: %s is NULL",
                             dataset == NULL ? "dataset" : "count");
    *count = 0;
    PHYSAD__TRY(physad__context_check(dataset->ctx, "physad_dataset_read_frame_labels"));
    if (index < 0 || index >= dataset->count)
        return physad__error(PHYSAD_ERR_ARG, "physad_dataset_read_frame_labels: index is %lld of %lld samples",
                             (long long)index, (long long)dataset->count);
    const physad__record *r = dataset->records[index];
    if (r->sample.frame_file == NULL)
        return physad__error(PHYSAD_ERR_STATE, "%s: nothing is known of its single frames", r->sample.path);
    if (physad__path_is_dir(r->sample.frame_file))
        return labels_of_masks(dataset, &r->sample, labels, capacity, count);
    if (r->label_count == 0)
        return labels_by_name(dataset, &r->sample, labels, capacity, count);
    *count = r->label_count;
    if (labels == NULL)
        return PHYSAD_OK;
    return r->label_count > capacity ? no_room(&r->sample, capacity, r->label_count)
                                     : labels_of_array(dataset, r, labels);
}
