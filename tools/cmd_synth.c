/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

/* "256" or "320x240"; left as they are without the option. */
static bool read_size(const tool *t, int32_t *out_width, int32_t *out_height, long most)
{
    const char *text = tool_text(t, "size", NULL);
    char *end;
    if (text == NULL)
        return true;
    long width = strtol(text, &end, 10), height = width;
    const bool first = end != text;
    if (first && *end == 'x') {
        const char *second = end + 1;
        height = strtol(second, &end, 10);
        if (end == second)
            height = 0;
    }
    if (!first || *end != '\0' || width < 32 || width > most || height < 32 || height > most) {
        tool_usage(t, "--size is \"%s\", want N or WxH with 32 to %ld pixels each", text, most);
        return false;
    }
    *out_width = (int32_t)width;
    *out_height = (int32_t)height;
    return true;
}

/* The library's zero means "default": a zero that was typed is "none". */
static bool read_count(const tool *t, const char *name, int32_t *value, int64_t least, int64_t most)
{
    int64_t n = 0;
    if (!tool_int(t, name, &n, least, most))
        return false;
    *value = tool_given(t, name) && n == 0 ? -1 : (int32_t)n;
    return true;
}

static bool read_knob(const tool *t, const char *name, double *value, double least, double most)
{
    if (!tool_real(t, name, value, least, most))
        return false;
    if (tool_given(t, name) && *value == 0)
        *value = -1;
    return true;
}

/* Names a wrong element of a list with commas. */
static bool check_names(const tool *t, const char *option, const char *const *names, int count)
{
    for (const char *at = tool_text(t, option, ""); *at != '\0';) {
        const size_t length = strcspn(at, ",");
        char word[64];
        int i = 0;
        snprintf(word, sizeof(word), "%.*s", (int)(length < 60 ? length : 60), at);
        while (i < count && strcmp(names[i], word) != 0)
            i++;
        if (i == count) {
            const char *near = tool_nearest(word, names, count);
            tool_usage(t, "--%s: there is no \"%s\"%s%s%s", option, word, near != NULL ? "; did you mean " : "",
                       near != NULL ? near : "", near != NULL ? "?" : "");
            return false;
        }
        at += length + (at[length] == ',');
    }
    return true;
}

static bool read_options(const tool *t, physad_synth_rad_options *o)
{
    static const char *const grounds[] = { "table", "plain" }, *const defects[] = { "scratched", "missing", "stained",
                                                                                    "squeezed" };
    const char *names[64];
    int count = 0, ground = 0;
    while (count < 64 && physad_synth_rad_category(count) != NULL) {
        names[count] = physad_synth_rad_category(count);
        count++;
    }
    if (!check_names(t, "category", names, count) || !check_names(t, "defects", defects, TOOL_COUNT(defects)) ||
        !tool_choice(t, "background", grounds, TOOL_COUNT(grounds), &ground) ||
        !read_size(t, &o->width, &o->height, 4096))
        return false;
    o->categories = tool_text(t, "category", NULL);
    o->defects = tool_text(t, "defects", NULL);
    o->background = ground == 0 ? PHYSAD_SYNTH_TABLE : PHYSAD_SYNTH_PLAIN;
    o->flags = (tool_given(t, "replace") ? PHYSAD_SYNTH_REPLACE : 0) |
               (tool_given(t, "symmetric") ? PHYSAD_SYNTH_SYMMETRIC : 0);
    return read_count(t, "train-views", &o->train_views, 1, 1000) &&
           read_count(t, "test-views", &o->test_views, 0, 1000) && read_count(t, "instances", &o->instances, 1, 24) &&
           read_count(t, "instance-views", &o->instance_views, 1, 1000) &&
           read_knob(t, "pose-jitter", &o->pose_jitter, 0, 30) && read_knob(t, "pose-noise", &o->pose_noise, 0, 30) &&
           read_knob(t, "light-change", &o->light_change, 0, 1) && read_knob(t, "gloss", &o->gloss, 0, 3) &&
           read_knob(t, "defect-size", &o->defect_size, 0.25, 3) &&
           read_knob(t, "defect-strength", &o->defect_strength, 0.1, 3) && read_knob(t, "noise", &o->noise, 0, 0.5) &&
           read_knob(t, "exposure", &o->exposure, 0, 2);
}

int cmd_synth_rad(tool *t)
{
    physad_synth_rad_options o = PHYSAD_SYNTH_RAD_OPTIONS_INIT;
    if (tool_given(t, "list")) {
        for (int64_t i = 0; physad_synth_rad_category(i) != NULL; i++)
            printf("%s\n", physad_synth_rad_category(i));
        return TOOL_DONE;
    }
    if (t->operand_count == 0)
        return tool_usage(t, "OUT is missing");
    if (!read_options(t, &o))
        return TOOL_USAGE;
    const physad_call_options call = tool_progress();
    const physad_status status = physad_synth_rad(t->ctx, t->operands[0], &o, &call);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

int cmd_synth_phys(tool *t)
{
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    const char *names[64];
    int count = 0;
    while (count < 64 && physad_synth_phys_category(count) != NULL) {
        names[count] = physad_synth_phys_category(count);
        count++;
    }
    if (tool_given(t, "list")) {
        for (int i = 0; i < count; i++)
            printf("%s\n", names[i]);
        return TOOL_DONE;
    }
    if (t->operand_count == 0)
        return tool_usage(t, "OUT is missing");
    if (!check_names(t, "category", names, count) || !read_size(t, &o.width, &o.height, 2048) ||
        !read_count(t, "train-videos", &o.train_videos, 1, 1000) ||
        !read_count(t, "test-videos", &o.test_videos, 0, 1000) ||
        !read_count(t, "defect-videos", &o.defect_videos, 0, 1000) || !read_count(t, "frames", &o.frames, 16, 1000) ||
        !read_knob(t, "variation", &o.variation, 0, 2) || !read_knob(t, "severity", &o.severity, 0.2, 1.5) ||
        !read_knob(t, "noise", &o.noise, 0, 0.5) || !tool_real(t, "rate", &o.frame_rate, 1, 240))
        return TOOL_USAGE;
    o.categories = tool_text(t, "category", NULL);
    o.flags =
        (tool_given(t, "replace") ? PHYSAD_SYNTH_REPLACE : 0) | (tool_given(t, "folders") ? PHYSAD_SYNTH_FRAMES : 0);
    const physad_call_options call = tool_progress();
    const physad_status status = physad_synth_phys(t->ctx, t->operands[0], &o, &call);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}
