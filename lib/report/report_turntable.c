/* SPDX-License-Identifier: Apache-2.0 */
/* A video once around a scene. */
#include "io/io.h"
#include "report/report_scene.h"

#include <math.h>

#define MOST_FRAMES 100000

/* What one frame needs. */
typedef struct table {
    const physad_scene *scene;
    const physad_scene_turntable_options *o;
    physad__outlook look;
    uint8_t *pixels;
    physad__video_writer *writer;
} table;

static void about(double out[3], const double v[3], const double axis[3], double angle)
{
    const double c = cos(angle), s = sin(angle), along = (axis[0] * v[0] + axis[1] * v[1] + axis[2] * v[2]) * (1 - c);
    for (int k = 0; k < 3; k++) {
        const int a = (k + 1) % 3, b = (k + 2) % 3;
        out[k] = v[k] * c + (axis[a] * v[b] - axis[b] * v[a]) * s + axis[k] * along;
    }
}

/* The first camera, turned about the centre and scaled to the video's size. */
static physad_camera camera_at(const table *t, double angle)
{
    const physad_camera *c = &t->look.camera;
    const double scale = fmin((double)t->o->width / (double)c->width, (double)t->o->height / (double)c->height);
    physad_camera out = { .width = t->o->width, .height = t->o->height };
    double axis[3], arm[3], turned[3], length = 0;
    for (int k = 0; k < 3; k++)
        length += t->look.up[k] * t->look.up[k];
    for (int k = 0; k < 3; k++) {
        axis[k] = t->look.up[k] / sqrt(length);
        arm[k] = -t->look.centre[k];
        for (int j = 0; j < 3; j++)
            arm[k] -= c->rotation[3 * j + k] * c->translation[j];
    }
    about(turned, arm, axis, angle);
    for (int row = 0; row < 3; row++) {
        about(out.rotation + 3 * row, c->rotation + 3 * row, axis, angle);
        for (int k = 0; k < 3; k++)
            out.translation[row] -= out.rotation[3 * row + k] * (t->look.centre[k] + turned[k]);
    }
    out.fx = c->fx * scale;
    out.fy = c->fy * scale;
    out.cx = 0.5 * (double)out.width + (c->cx - 0.5 * (double)c->width) * scale;
    out.cy = 0.5 * (double)out.height + (c->cy - 0.5 * (double)c->height) * scale;
    return out;
}

static physad_status put_frame(const table *t, int64_t frame)
{
    const double full = 2 * acos(-1.0);
    const int64_t shape[3] = { t->o->height, t->o->width, 3 };
    const physad_camera camera = camera_at(t, full * (double)frame / (double)t->o->frames);
    const physad_view view = physad_view_array(t->pixels, PHYSAD_U8, 3, shape);
    PHYSAD__TRY(physad_scene_render(t->scene, &camera, t->o->background, &view, NULL, NULL));
    return physad__video_writer_put(t->writer, t->pixels, 0);
}

static physad_status put_all(table *t, physad_context *ctx, const char *path, physad__call *call)
{
    const physad__video_writer_options o = { .width = t->o->width, .height = t->o->height, .rate = t->o->rate };
    t->pixels = physad__alloc_array(&ctx->mem, 3 * (int64_t)t->o->width * t->o->height, 1, "a frame");
    if (t->pixels == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(physad__video_writer_open(&t->writer, ctx, path, &o));
    physad__call_stage(call, "frames", t->o->frames);
    for (int64_t frame = 0; frame < t->o->frames; frame++) {
        PHYSAD__TRY(put_frame(t, frame));
        PHYSAD__TRY(physad__call_tick(call, frame + 1));
    }
    physad__video_writer *const writer = t->writer;
    t->writer = NULL;
    return physad__video_writer_commit(writer);
}

static physad_status range(const char *name, int64_t value, int64_t least, int64_t most)
{
    if (value >= least && value <= most)
        return PHYSAD_OK;
    return physad__error(PHYSAD_ERR_ARG, "physad_scene_turntable_options: %s is %lld, want %lld to %lld", name,
                         (long long)value, (long long)least, (long long)most);
}

/* Encoders want even sizes. */
static physad_status read_options(physad_scene_turntable_options *o, const physad_scene_turntable_options *in)
{
    *o = (physad_scene_turntable_options)PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(o, sizeof(*o), sizeof(*o), in, "physad_scene_turntable_options"));
    o->frames = o->frames != 0 ? o->frames : 120;
    o->rate = o->rate != 0 ? o->rate : 30;
    o->width = o->width != 0 ? o->width : 640;
    o->height = o->height != 0 ? o->height : 480;
    PHYSAD__TRY(range("frames", o->frames, 1, MOST_FRAMES));
    PHYSAD__TRY(range("rate", o->rate, 1, 240));
    PHYSAD__TRY(range("width", o->width, 16, 8192));
    PHYSAD__TRY(range("height", o->height, 16, 8192));
    if (o->width % 2 != 0 || o->height % 2 != 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_turntable_options: %d x %d pixels, want even numbers",
                             o->width, o->height);
    for (int k = 0; k < 3; k++)
        if (!(o->background[k] >= 0 && o->background[k] <= 1))
            return physad__error(PHYSAD_ERR_ARG, "physad_scene_turntable_options: background is %g, want 0 to 1",
                                 (double)o->background[k]);
    return PHYSAD_OK;
}

physad_status physad_scene_turntable(const physad_scene *scene, const char *path,
                                     const physad_scene_turntable_options *options,
                                     const physad_call_options *call_options)
{
    physad_scene_turntable_options o;
    physad__call call;
    table t = { .scene = scene, .o = &o };
    if (scene == NULL || path == NULL || *path == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_scene_turntable: %s",
                             scene == NULL ? "scene is NULL" : "want the name of a file");
    physad_context *ctx = physad__scene_context(scene);
    PHYSAD__TRY(physad__context_check(ctx, "physad_scene_turntable"));
    PHYSAD__TRY(read_options(&o, options));
    PHYSAD__TRY(physad__scene_outlook(&t.look, scene, o.camera, o.centre));
    PHYSAD__TRY(physad__call_begin(&call, ctx, call_options, "physad_scene_turntable"));
    const physad_status status = put_all(&t, ctx, path, &call);
    physad__call_end(&call);
    physad__video_writer_abort(t.writer);
    physad__free(t.pixels);
    return status;
}
