/* SPDX-License-Identifier: Apache-2.0 */
/* A scene to be looked at: a page that turns it, a video around it. */
#include "tool.h"

static const char *const outlook[] = { "from", "to", "up" };

/* The camera where one of its options is given; *camera NULL: the library's choice. */
static int read_outlook(const tool *t, const physad_camera **camera, const double **centre, physad_camera *memory,
                        double place[3])
{
    bool given = false;
    for (int k = 0; k < TOOL_COUNT(outlook); k++)
        given |= tool_given(t, outlook[k]);
    *camera = NULL;
    *centre = NULL;
    if (!given)
        return TOOL_DONE;
    const int done = tool_camera(t, memory);
    if (done != TOOL_DONE || !tool_place(t, "to", place))
        return TOOL_USAGE;
    *camera = memory;
    *centre = place;
    return TOOL_DONE;
}

int cmd_scene_view(tool *t)
{
    physad_scene_html_options o = PHYSAD_SCENE_HTML_OPTIONS_INIT;
    physad_camera camera;
    double place[3] = { 0 };
    physad_scene *scene = NULL;
    const char *output = tool_text(t, "output", NULL);
    if (output == NULL)
        return tool_usage(t, "-o FILE is missing");
    if (!tool_background(t, o.background) || read_outlook(t, &o.camera, &o.centre, &camera, place) != TOOL_DONE)
        return TOOL_USAGE;
    o.title = tool_text(t, "title", NULL);
    physad_status status = physad_scene_load(&scene, t->ctx, t->operands[0]);
    if (status == PHYSAD_OK)
        status = physad_scene_html(scene, output, &o);
    physad_scene_free(scene);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

int cmd_scene_turntable(tool *t)
{
    physad_scene_turntable_options o = PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT;
    physad_camera camera;
    double place[3] = { 0 };
    int64_t frames = 120, rate = 30, width = 640, height = 480;
    physad_scene *scene = NULL;
    const char *output = tool_text(t, "output", NULL);
    if (output == NULL)
        return tool_usage(t, "-o FILE is missing");
    if (!tool_background(t, o.background) || read_outlook(t, &o.camera, &o.centre, &camera, place) != TOOL_DONE ||
        !tool_int(t, "frames", &frames, 1, 100000) || !tool_int(t, "rate", &rate, 1, 240) ||
        !tool_int(t, "width", &width, 16, 8192) || !tool_int(t, "height", &height, 16, 8192))
        return TOOL_USAGE;
    o.frames = (int32_t)frames;
    o.rate = (int32_t)rate;
    o.width = (int32_t)width;
    o.height = (int32_t)height;
    const physad_call_options call = tool_progress();
    physad_status status = physad_scene_load(&scene, t->ctx, t->operands[0]);
    if (status == PHYSAD_OK)
        status = physad_scene_turntable(scene, output, &o, &call);
    tool_progress_end();
    physad_scene_free(scene);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}
