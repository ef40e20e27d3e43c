/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include "tool_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const INPUTS[] = { "?", "image", "views", "video" };
static const char *const SUPERVISIONS[] = { "?", "unsupervised", "weak", "zero-shot", "api" };
static const char *const TYPES[] = { "?", "integer", "real", "bool", "choice", "text" };

static const char *pick(const char *const *names, int count, int32_t index)
{
    return names[index > 0 && index < count ? index : 0];
}

/* "0.1 .. 1", "a|b" or "". */
static const char *range_text(char out[96], const physad_option_info *o)
{
    char low[32], high[32];
    if (o->choices != NULL)
        snprintf(out, 96, "%s", o->choices);
    else if (o->type == PHYSAD_OPTION_INT || o->type == PHYSAD_OPTION_REAL)
        snprintf(out, 96, "%s .. %s", tool_number(low, o->least), tool_number(high, o->most));
    else
        snprintf(out, 96, "%s", o->type == PHYSAD_OPTION_BOOL ? "true|false" : "");
    return out;
}

static json_t *option_json(const physad_option_info *o)
{
    json_t *json = json_pack("{ss ss ss ss*}", "name", o->name, "type", pick(TYPES, TOOL_COUNT(TYPES), o->type),
                             "default", o->default_value, "choices", o->choices);
    if (o->type == PHYSAD_OPTION_INT || o->type == PHYSAD_OPTION_REAL) {
        json_object_set_new(json, "least", json_real(o->least));
        json_object_set_new(json, "most", json_real(o->most));
    }
    json_object_set_new(json, "help", json_string(o->help));
    if (o->source != NULL)
        json_object_set_new(json, "source", json_string(o->source));
    return json;
}

static json_t *method_json(const physad_method_info *m)
{
    json_t *options = json_array();
    for (int32_t i = 0; i < m->option_count; i++) {
        physad_option_info o = PHYSAD_OPTION_INFO_INIT;
        if (physad_method_option(m->name, i, &o) == PHYSAD_OK)
            json_array_append_new(options, option_json(&o));
    }
    return json_pack("{ss ss ss ss ss so}", "name", m->name, "title", m->title, "input",
                     pick(INPUTS, TOOL_COUNT(INPUTS), m->input), "supervision",
                     pick(SUPERVISIONS, TOOL_COUNT(SUPERVISIONS), m->supervision), "source",
                     m->source != NULL ? m->source : "", "options", options);
}

static void print_method(const physad_method_info *m)
{
    printf("%s: %s\n%s, %s%s%s\n\noptions (--set NAME=VALUE):\n", m->name, m->title,
           pick(INPUTS, TOOL_COUNT(INPUTS), m->input), pick(SUPERVISIONS, TOOL_COUNT(SUPERVISIONS), m->supervision),
           m->source != NULL ? "; " : "", m->source != NULL ? m->source : "");
    for (int32_t i = 0; i < m->option_count; i++) {
        physad_option_info o = PHYSAD_OPTION_INFO_INIT;
        char range[96];
        if (physad_method_option(m->name, i, &o) != PHYSAD_OK)
            continue;
        range_text(range, &o);
        printf("  %s = %s  (%s%s%s)\n      %s%s%s%s\n", o.name, o.default_value[0] != '\0' ? o.default_value : "\"\"",
               pick(TYPES, TOOL_COUNT(TYPES), o.type), range[0] != '\0' ? ": " : "", range, o.help,
               o.source != NULL ? " [" : "", o.source != NULL ? o.source : "", o.source != NULL ? "]" : "");
    }
}

int cmd_methods(tool *t)
{
    const char *json = tool_text(t, "json", NULL);
    physad_method_info m = PHYSAD_METHOD_INFO_INIT;
    if (t->operand_count == 1) {
        if (tool_check_method(t, t->operands[0]) != TOOL_DONE)
            return TOOL_USAGE;
        const physad_status status = physad_method_describe(t->operands[0], &m);
        if (status != PHYSAD_OK)
            return tool_failed(status);
        if (json != NULL)
            return tool_write_json(json, method_json(&m));
        print_method(&m);
        return TOOL_DONE;
    }
    json_t *all = json != NULL ? json_array() : NULL;
    for (int64_t i = 0; i < physad_method_count(); i++) {
        if (physad_method_describe(physad_method_name(i), &m) != PHYSAD_OK)
            continue;
        if (json != NULL)
            json_array_append_new(all, method_json(&m));
        else
            printf("%-22s %-6s %-13s %s\n", m.name, pick(INPUTS, TOOL_COUNT(INPUTS), m.input),
                   pick(SUPERVISIONS, TOOL_COUNT(SUPERVISIONS), m.supervision), m.title);
    }
    return json != NULL ? tool_write_json(json, all) : TOOL_DONE;
}
