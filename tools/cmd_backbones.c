/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

static json_t *backbone_json(const physad_backbone_info *b)
{
    json_t *layers = json_array();
    for (int32_t i = 0; i < b->layer_count; i++)
        json_array_append_new(layers,
                              json_pack("{ss sI sI}", "name", b->layers[i].name, "channels",
                                        (json_int_t)b->layers[i].channels, "stride", (json_int_t)b->layers[i].stride));
    return json_pack("{ss ss ss* ss* ss sI sI so}", "name", b->name, "default_layers", b->default_layers, "weights",
                     b->weights, "weights_licence", b->weights_licence, "source", b->source, "parameters",
                     (json_int_t)b->params, "input_size", (json_int_t)b->input_size, "layers", layers);
}

int cmd_backbones(tool *t)
{
    const char *json = tool_text(t, "json", NULL);
    json_t *all = json != NULL ? json_array() : NULL;
    for (int64_t i = 0; i < physad_backbone_count(); i++) {
        physad_backbone_info b = PHYSAD_BACKBONE_INFO_INIT;
        const physad_status status = physad_backbone_describe(physad_backbone_name(i), &b);
        if (status != PHYSAD_OK) {
            json_decref(all);
            return tool_failed(status);
        }
        if (json != NULL)
            json_array_append_new(all, backbone_json(&b));
        else
            printf("%-20s %7.2f M parameters, %4lld px, layers %-22s weights: %s\n", b.name, (double)b.params / 1e6,
                   (long long)b.input_size, b.default_layers, b.weights != NULL ? b.weights : "(to be supplied)");
    }
    return json != NULL ? tool_write_json(json, all) : TOOL_DONE;
}
