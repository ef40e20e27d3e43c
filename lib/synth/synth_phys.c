/* SPDX-License-Identifier: Apache-2.0 */
/* physad_synth_phys(): takes of every scene, drawn in parallel, a stream of random numbers for each. */
#include "synth/synth.h"
#include "synth/synth_phys.h"

#include <physad/image.h>

#include "physad_config.h"

#include <math.h>
#include <stdio.h>
#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#endif

typedef struct phys {
    physad_context *ctx;
    physad__call *call;
    physad__phys_knobs knobs;
    int64_t scene;
    char *folder;      /* of the category */
    json_t *instances; /* by path in it */
    int64_t done, total;
} phys;

/* One video to be drawn. */
typedef struct job {
    const char *part;
    int32_t defect, number, instance;
} job;

/* --- one video -----------------------------------------------------------------------------------------------------
 */

static double around(physad__rng *rng, double spread)
{
    return spread * (2 * physad__rng_uniform(rng) - 1);
}

static void direct(physad__take *t, physad__flat_view *v, const phys *p, const job *j, physad__rng *rng)
{
    static const physad__tone mains[2] = { { 0.62f, 0.13f, 0.10f }, { 0.10f, 0.28f, 0.58f } };
    static const physad__tone seconds[2] = { { 0.78f, 0.66f, 0.22f }, { 0.22f, 0.50f, 0.24f } };
    const physad_synth_phys_options *o = &p->knobs.o;
    const double much = o->variation, tint = 1 + around(rng, 0.1 * much);
    *t = (physad__take){ .defect = j->defect, .frames = o->frames, .rate = o->frame_rate };
    t->speed = 1 + around(rng, 0.08 * much);
    t->delay = 0.12 + around(rng, 0.1 * much);
    t->start = 1 + around(rng, 0.06 * much);
    t->size = (j->instance == 0 ? 1 : 0.92) + around(rng, 0.03 * much);
    t->severity = o->severity * (1 + around(rng, 0.15));
    t->when = physad__rng_uniform(rng);
    t->main = mains[j->instance];
    t->second = seconds[j->instance];
    t->main.r *= (float)tint;
    t->second.g *= (float)tint;
    const double scale = 0.46 * (double)physad__min(o->width, o->height) * (1 + around(rng, 0.05 * much)),
                 lamp = 2.2 + around(rng, 0.5 * much);
    v->width = o->width;
    v->height = o->height;
    v->scale = scale;
    v->x = o->width / 2.0 + around(rng, 0.06 * scale * much);
    v->y = o->height / 2.0 + around(rng, 0.06 * scale * much);
    v->turn = around(rng, 0.05 * much);
    v->light[0] = cos(lamp);
    v->light[1] = sin(lamp);
    v->power = 1 + around(rng, 0.12 * much);
}

/* Where frames go: a video file, or a folder of photos. */
typedef struct sink {
    physad_context *ctx;
    physad__video_writer *video;
    const char *folder;
    int64_t shape[3];
} sink;

static physad_status put_frame(sink *s, uint8_t *rgb, int32_t number)
{
    if (s->video != NULL)
        return physad__video_writer_put(s->video, rgb, 0);
    const physad_view view = physad_view_array(rgb, PHYSAD_U8, 3, s->shape);
    char *path = physad__format(&s->ctx->mem, "%s/%04d.png", s->folder, number);
    const physad_status status = path != NULL ? physad_image_write(s->ctx, path, &view, NULL) : PHYSAD_ERR_NOMEM;
    physad__free(path);
    return status;
}

typedef struct canvas {
    double (*state)[PHYSAD__MOST_STATE];
    float *back, *pixels;
    uint8_t *rgb;
} canvas;

static physad_status draw_frames(const phys *p, const job *j, canvas *c, sink *s)
{
    const physad__phys_scene *scene = physad__phys_scenes[p->scene];
    const int64_t count = (int64_t)p->knobs.o.width * p->knobs.o.height * 3;
    physad__take take;
    physad__flat_view view;
    physad__rng rng;
    const uint64_t stream =
        (((uint64_t)p->scene * 64 + (uint64_t)(j->defect + 1)) * 2 + (j->part[1] == 'e')) * 4096 + (uint64_t)j->number;
    physad__rng_seed(&rng, p->knobs.seed, stream ^ UINT64_C(0x7068797300000000));
    direct(&take, &view, p, j, &rng);
    scene->run(&take, c->state);
    physad__flat_back(c->back, &view, &rng);
    physad_status status = PHYSAD_OK;
    for (int32_t i = 0; i < take.frames && status == PHYSAD_OK; i++) {
        physad__flat flat = { &view, c->pixels, c->back, true };
        memcpy(c->pixels, c->back, (size_t)count * sizeof(float));
        scene->draw(&take, c->state[i], &flat);
        flat.shadows = false;
        scene->draw(&take, c->state[i], &flat);
        physad__flat_develop(c->rgb, &flat, p->knobs.o.noise, &rng);
        status = physad__cancelled(p->ctx);
        if (status == PHYSAD_OK)
            status = put_frame(s, c->rgb, i);
    }
    return status;
}

static physad_status draw_to(const phys *p, const job *j, canvas *c, const char *path)
{
    const physad_synth_phys_options *o = &p->knobs.o;
    sink s = { p->ctx, NULL, path, { o->height, o->width, 3 } };
    if (!p->knobs.files) {
        PHYSAD__TRY(physad__dir_make(&p->ctx->mem, path));
        return draw_frames(p, j, c, &s);
    }
    const physad__video_writer_options w = {
        .width = o->width, .height = o->height, .rate = (int32_t)(o->frame_rate * 1000 + 0.5), .rate_per = 1000
    };
    PHYSAD__TRY(physad__video_writer_open(&s.video, p->ctx, path, &w));
    const physad_status status = draw_frames(p, j, c, &s);
    if (status == PHYSAD_OK)
        return physad__video_writer_commit(s.video);
    physad__video_writer_abort(s.video);
    return status;
}

static const char *type_of(const phys *p, const job *j)
{
    return j->defect < 0 ? "good" : physad__phys_scenes[p->scene]->defects[j->defect].name;
}

static physad_status draw_video(const phys *p, const job *j)
{
    physad__mem *mem = &p->ctx->mem;
    const int64_t count = (int64_t)p->knobs.o.width * p->knobs.o.height * 3;
    char *path = physad__format(mem, "%s/%s/%s/%03d%s", p->folder, j->part, type_of(p, j), j->number,
                                p->knobs.files ? ".mp4" : "");
    canvas c = { physad__alloc_array(mem, p->knobs.o.frames, sizeof(*c.state), "motion"),
                 physad__alloc_array(mem, count, sizeof(float), "a scene"),
                 physad__alloc_array(mem, count, sizeof(float), "a frame"),
                 physad__alloc_array(mem, count, 1, "a frame") };
    const bool fine = path != NULL && c.state != NULL && c.back != NULL && c.pixels != NULL && c.rgb != NULL;
    const physad_status status = fine ? draw_to(p, j, &c, path) : PHYSAD_ERR_NOMEM;
    physad__free(path);
    physad__free(c.state);
    physad__free(c.back);
    physad__free(c.pixels);
    physad__free(c.rgb);
    return status;
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

/* As many at a time as there are threads, so that progress and cancelling come between. */
static physad_status draw_jobs(phys *p, const job *jobs, int64_t count)
{
    const int64_t some = physad__max(p->ctx->threads, 1);
    for (int64_t from = 0; from < count; from += some) {
        const int64_t to = physad__min(count, from + some);
        physad__fault fault = { .status = PHYSAD_OK };
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(dynamic, 1)
#endif
        for (int64_t i = from; i < to; i++) {
            const physad_status status = draw_video(p, &jobs[i]);
            if (status != PHYSAD_OK) {
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp critical(physad_phys)
#endif
                physad__fault_take(&fault, status);
            }
        }
        PHYSAD__TRY(physad__fault_publish(&fault));
        p->done += to - from;
        PHYSAD__TRY(physad__call_tick(p->call, p->done));
    }
    return PHYSAD_OK;
}

static physad_status draw_type(phys *p, const char *part, int32_t defect, int32_t count)
{
    job *jobs = physad__alloc_array(&p->ctx->mem, count, sizeof(*jobs), "videos");
    char *folder = physad__format(&p->ctx->mem, "%s/%s/%s", p->folder, part, type_of(p, &(job){ .defect = defect }));
    physad_status status = jobs != NULL && folder != NULL ? physad__dir_make(&p->ctx->mem, folder) : PHYSAD_ERR_NOMEM;
    for (int32_t i = 0; status == PHYSAD_OK && i < count; i++) {
        char name[96];
        jobs[i] = (job){ part, defect, i, i % 2 };
        physad__snprintf(name, sizeof(name), "%s/%s/%03d%s", part, type_of(p, &jobs[i]), i,
                         p->knobs.files ? ".mp4" : "");
        if (json_object_set_new(p->instances, name, json_string(i % 2 == 0 ? "red" : "blue")) != 0)
            status = physad__error(PHYSAD_ERR_NOMEM, "physad_synth_phys: no memory");
    }
    if (status == PHYSAD_OK)
        status = draw_jobs(p, jobs, count);
    physad__free(folder);
    physad__free(jobs);
    return status;
}

static physad_status draw_category(phys *p)
{
    const physad__phys_scene *scene = physad__phys_scenes[p->scene];
    PHYSAD__TRY(draw_type(p, "train", -1, p->knobs.o.train_videos));
    if (p->knobs.o.test_videos > 0)
        PHYSAD__TRY(draw_type(p, "test", -1, p->knobs.o.test_videos));
    for (int32_t i = 0; i < scene->defect_count && p->knobs.o.defect_videos > 0; i++)
        PHYSAD__TRY(draw_type(p, "test", i, p->knobs.o.defect_videos));
    PHYSAD__TRY(physad__phys_write_texts(p->ctx, p->folder, scene));
    return physad__phys_write_instances(p->ctx, p->folder, p->instances);
}

static physad_status draw_all(phys *p, const char *out_dir)
{
    for (int64_t i = 0; i < physad__phys_scene_count; i++)
        if (p->knobs.category[i])
            p->total += p->knobs.o.train_videos + p->knobs.o.test_videos +
                        physad__phys_scenes[i]->defect_count * p->knobs.o.defect_videos;
    PHYSAD__TRY(physad__phys_write_summary(p->ctx, out_dir, &p->knobs, false));
    for (p->scene = 0; p->scene < physad__phys_scene_count; p->scene++) {
        if (!p->knobs.category[p->scene])
            continue;
        physad__call_stage(p->call, physad__phys_scenes[p->scene]->name, p->total);
        p->folder = physad__path_join(&p->ctx->mem, out_dir, physad__phys_scenes[p->scene]->name);
        p->instances = json_object();
        const physad_status status = p->folder != NULL && p->instances != NULL ? draw_category(p) : PHYSAD_ERR_NOMEM;
        json_decref(p->instances);
        physad__free(p->folder);
        PHYSAD__TRY(status);
    }
    return physad__phys_write_summary(p->ctx, out_dir, &p->knobs, true);
}

const char *physad_synth_phys_category(int64_t index)
{
    return index >= 0 && index < physad__phys_scene_count ? physad__phys_scenes[index]->name : NULL;
}

physad_status physad_synth_phys(physad_context *ctx, const char *out_dir, const physad_synth_phys_options *options,
                                const physad_call_options *call_options)
{
    physad__call call;
    phys p = { .ctx = ctx, .call = &call };
    bool made = false;
    PHYSAD__TRY(physad__context_check(ctx, "physad_synth_phys"));
    if (out_dir == NULL || *out_dir == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_synth_phys: out_dir is %s, want a folder's path",
                             out_dir == NULL ? "NULL" : "empty");
    PHYSAD__TRY(physad__phys_knobs_read(&p.knobs, ctx, options));
    PHYSAD__TRY(physad__call_begin(&call, ctx, call_options, "physad_synth_phys"));
    physad_status status = physad__synth_prepare(ctx, out_dir, (p.knobs.o.flags & PHYSAD_SYNTH_REPLACE) != 0, &made);
    if (status == PHYSAD_OK) {
        status = draw_all(&p, out_dir);
        if (status != PHYSAD_OK) {
            physad__fault fault = { .status = PHYSAD_OK };
            physad__fault_take(&fault, status);
            physad__phys_clear(ctx, out_dir);
            if (made)
                (void)remove(out_dir);
            status = physad__fault_publish(&fault);
        }
    }
    physad__call_end(&call);
    return status;
}
