/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of single frames: `{"<video>": [0, 1, ...], ...}` in a file frame_labels.json beside whole recordings. For
 * measuring only: nothing that fits or scores reads them. */
#include "data/data.h"
#include "io/io.h"

struct physad__frame_labels {
    physad_context *ctx;
    json_t *json;
    char *name;    /* of the file */
    uint8_t *last; /* what was handed out */
};

static const uint64_t LABELS_LIMIT = UINT64_C(64) << 20;

/* Every video's list holds 0 and 1 alone. */
static physad_status check_labels(const physad__frame_labels *l)
{
    const char *video;
    json_t *list;
    if (!json_is_object(l->json))
        return physad__error(PHYSAD_ERR_FORMAT, "%s: want {\"video\": [0, 1, ...], ...}", l->name);
    json_object_foreach(l->json, video, list)
    {
        if (!json_is_array(list) || json_array_size(list) == 0)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.200s\" is no list of labels, or an empty one", l->name,
                                 video);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *v = json_array_get(list, i);
            if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 1)
                return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%.200s\": label %zu is neither 0 nor 1", l->name, video,
                                     i);
        }
    }
    return PHYSAD_OK;
}

static physad_status take(physad__frame_labels **out, physad_context *ctx, json_t *json, const char *name)
{
    physad__frame_labels *l = physad__alloc_zero(&ctx->mem, sizeof(*l), "frame labels");
    if (l == NULL) {
        json_decref(json);
        return PHYSAD_ERR_NOMEM;
    }
    l->ctx = physad__context_retain(ctx);
    l->json = json;
    l->name = physad__strdup(&ctx->mem, name);
    const physad_status status = l->name != NULL ? check_labels(l) : PHYSAD_ERR_NOMEM;
    if (status != PHYSAD_OK) {
        physad__frame_labels_free(l);
        return status;
    }
    *out = l;
    return PHYSAD_OK;
}

physad_status physad__frame_labels_open(physad__frame_labels **out, physad_context *ctx, const char *path)
{
    json_t *json;
    *out = NULL;
    PHYSAD__TRY(physad__json_read(&json, &ctx->mem, path, LABELS_LIMIT));
    return take(out, ctx, json, path);
}

physad_status physad__frame_labels_parse(physad__frame_labels **out, physad_context *ctx, const void *text, size_t size,
                                         const char *name)
{
    json_t *json;
    *out = NULL;
    PHYSAD__TRY(physad__json_parse(&json, text, size, name));
    return take(out, ctx, json, name);
}

int64_t physad__frame_labels_count(const physad__frame_labels *labels)
{
    return (int64_t)json_object_size(labels->json);
}

physad_status physad__frame_labels_of(physad__frame_labels *labels, const char *video, const uint8_t **out,
                                      int64_t *count)
{
    const json_t *list = json_object_get(labels->json, physad__path_name(video));
    *out = NULL;
    *count = 0;
    if (list == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: there are no labels for \"%s\"", labels->name,
                             physad__path_name(video));
    const int64_t n = (int64_t)json_array_size(list);
    physad__free(labels->last);
    labels->last = physad__alloc(&labels->ctx->mem, (size_t)n, "frame labels");
    if (labels->last == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        labels->last[i] = (uint8_t)json_integer_value(json_array_get(list, (size_t)i));
    *out = labels->last;
    *count = n;
    return PHYSAD_OK;
}

void physad__frame_labels_free(physad__frame_labels *labels)
{
    if (labels == NULL)
        return;
    physad_context *ctx = labels->ctx;
    json_decref(labels->json);
    physad__free(labels->name);
    physad__free(labels->last);
    physad__free(labels);
    physad_context_free(ctx);
}
