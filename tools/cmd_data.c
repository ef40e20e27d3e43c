/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_model.h"

#include <stdlib.h>
#include <string.h>

int cmd_data_stats(tool *t)
{
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    physad_dataset *data = NULL;
    o.format = tool_text(t, "format", NULL);
    o.categories = tool_text(t, "category", NULL);
    physad_status status = physad_dataset_open(&data, t->ctx, t->operands[0], &o);
    if (status != PHYSAD_OK)
        return tool_failed(status);
    const physad_call_options call = tool_progress();
    const char *json = NULL;
    status = physad_dataset_stats(data, &call, &json);
    int code = TOOL_FAILED;
    if (status != PHYSAD_OK) {
        code = tool_failed(status);
    } else {
        tool_progress_end();
        code = tool_write_json(tool_text(t, "json", "-"), json_loads(json, 0, NULL));
    }
    physad_dataset_free(data);
    return code;
}

/* --- splits ------------------------------------------------------------------------------------------ */

static const char *split_name(int32_t split)
{
    return split == PHYSAD_SPLIT_TRAIN        ? "train"
           : split == PHYSAD_SPLIT_VALIDATION ? "validation"
           : split == PHYSAD_SPLIT_TEST       ? "test"
                                              : "whole";
}

static const char *kind_name(int32_t kind)
{
    return kind == PHYSAD_KIND_IMAGE ? "image" : kind == PHYSAD_KIND_VIDEO ? "video" : "frames";
}

/* What is known of a sample; what is not is left out. */
static json_t *describe(const physad_sample *s)
{
    const struct {
        const char *key, *value;
    } known[] = { { "instance", s->instance },   { "interaction", s->interaction }, { "persistence", s->persistence },
                  { "view", s->view },           { "texts", s->text_file },         { "priors", s->prior_file },
                  { "frame_labels", s->frame_file } };
    json_t *o = json_pack("{so so so so so so so}", "path", tool_json_text(s->path), "category",
                          tool_json_text(s->category), "split", tool_json_text(split_name(s->split)), "label",
                          s->label < 0 ? json_null() : json_integer(s->label), "type", tool_json_text(s->type), "group",
                          tool_json_text(s->group), "kind", tool_json_text(kind_name(s->kind)));
    for (int i = 0; o != NULL && i < TOOL_COUNT(known); i++)
        if (known[i].value != NULL)
            json_object_set_new(o, known[i].key, tool_json_text(known[i].value));
    return o;
}

int cmd_data_split(tool *t)
{
    physad_dataset *data = NULL;
    physad_protocol_options o = PHYSAD_PROTOCOL_OPTIONS_INIT;
    int code = tool_open_data(t, &data, t->operands[0]);
    if (code == TOOL_DONE && !tool_protocol(t, &o))
        code = TOOL_USAGE;
    if (code == TOOL_DONE) {
        json_t *samples = json_array();
        for (int64_t i = 0; i < physad_dataset_count(data); i++)
            json_array_append_new(samples, describe(physad_dataset_sample(data, i)));
        code =
            tool_write_json(tool_text(t, "json", "-"), json_pack("{ss ss so so}", "format", physad_dataset_format(data),
                                                                 "protocol", TOOL_PROTOCOLS[o.protocol], "seed",
                                                                 json_integer((json_int_t)o.seed), "samples", samples));
    }
    physad_dataset_free(data);
    return code;
}
