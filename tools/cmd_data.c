/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

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
