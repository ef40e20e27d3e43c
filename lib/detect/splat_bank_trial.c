/* SPDX-License-Identifier: Apache-2.0 */
/* Which part to trust: every fourth photo is kept from a second, shorter fit of everything (scene, poses, what is
 * usual), which then looks at them as at photos to be tested, as they are and with made-up defects painted over them.
 * A scene of few photos, poses that are off or lost, a thing without texture or one that looks another way from every
 * side show in how well each part tells the painted photos from the clean ones. */
#include "detect/detect_learn.h"
#include "detect/splat_bank.h"

#include <math.h>

#define EVERY 4        /* photos of which one is kept from the trial */
#define MOST_KEPT 12   /* photos */
#define LEAST_TAUGHT 3 /* with fewer photos left there is no trial */
#define LIKELY 0.5     /* spread of scores, in decades, that a part begins with, for two photos */
#define TRUST 1e-4     /* of the plain bank, which needs no pose, before gains are compared */
#define RAREST 1e-4    /* share of clean pixels below which nothing becomes rarer */
#define SMALL 0.02     /* share of the photo that a painting may cover: larger ones tell little */
#define CHANGED 0.02   /* brightness by which a painted pixel differs at least */
#define TRIES 16       /* to paint one as small */

typedef struct trial {
    const physad_detector *det;
    const physad__posed_model *main; /* whose photos these are */
    physad__posed_model model;       /* photos are borrowed */
    int64_t *taught, *kept;          /* photos of `main` */
    int64_t n_taught, n_kept, paintings;
    physad__pose *poses;           /* (n_kept, POSES) */
    int64_t *n_poses;              /* (n_kept) */
    double *scores[PHYSAD__PARTS]; /* (n_kept), of clean photos; not a number: says nothing */
    float *clean[PHYSAD__PARTS];   /* (n_kept, height, width), less what is usual for each photo */
    float *sorted[PHYSAD__PARTS];  /* all of these, ascending */
    int64_t n_sorted[PHYSAD__PARTS];
    float *maps;                /* (PARTS, height, width), of the photo that is looked at */
    bool *painted;              /* (height, width): what differs from the clean photo */
    double gain[PHYSAD__PARTS]; /* mean, decades */
} trial;

static void close_trial(trial *t)
{
    physad__posed_model *m = &t->model;
    if (m->state != NULL)
        physad__splat_bank_free(m->state);
    physad__locator_close(&m->locator);
    physad__free(m->scene.planes);
    physad__free(m->views.views);
    physad__free(m->fine.views);
    physad__free(t->taught);
    physad__free(t->kept);
    physad__free(t->poses);
    physad__free(t->n_poses);
    physad__free(t->scores[0]);
    physad__free(t->maps);
    physad__free(t->painted);
}

/* Every fourth photo that has the model's size, evenly thinned to `MOST_KEPT`. */
static void choose_kept(trial *t, const physad__splat_bank *b)
{
    const int64_t n = t->main->views.count, quarter = (n + EVERY - 1 - EVERY / 2) / EVERY;
    int64_t quarters = 0;
    for (int64_t i = 0; i < n; i++) {
        const bool due = i % EVERY == EVERY / 2 && physad__splat_bank_usable(b, i);
        const int64_t k = quarters, most = physad__min(quarter, MOST_KEPT);
        quarters += i % EVERY == EVERY / 2;
        if (due && (k + 1) * most / quarter != k * most / quarter)
            t->kept[t->n_kept++] = i;
        else
            t->taught[t->n_taught++] = i;
    }
}

static physad_status take_views(physad__scene_views *out, physad__mem *mem, const physad__scene_views *all,
                                const trial *t)
{
    physad__scene_view *views = physad__alloc_array(mem, t->n_taught, sizeof(*views), "photos of a trial");
    *out = *all;
    out->views = views;
    out->count = t->n_taught;
    if (views == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < t->n_taught; i++)
        views[i] = all->views[t->taught[i]];
    return PHYSAD_OK;
}

static int64_t map_size(const trial *t)
{
    return t->main->height * t->main->width;
}

static physad_status open_trial(trial *t, const physad__splat_bank *b)
{
    const physad__posed_model *m = t->main;
    physad__mem *mem = &m->ctx->mem;
    const int64_t n = m->views.count;
    t->taught = physad__alloc_array(mem, n, sizeof(int64_t), "photos of a trial");
    t->kept = physad__alloc_array(mem, n, sizeof(int64_t), "photos of a trial");
    if (t->taught == NULL || t->kept == NULL)
        return PHYSAD_ERR_NOMEM;
    choose_kept(t, b);
    const int64_t kept = t->n_kept, plane = map_size(t);
    t->poses = physad__alloc_array(mem, kept * PHYSAD__POSES, sizeof(*t->poses), "poses of a trial");
    t->n_poses = physad__alloc_array(mem, kept, sizeof(*t->n_poses), "poses of a trial");
    t->scores[0] = physad__alloc_array(mem, PHYSAD__PARTS * kept, sizeof(double), "scores of a trial");
    t->maps = physad__alloc_array(mem, PHYSAD__PARTS * (1 + 2 * kept) * plane, sizeof(float), "maps of a trial");
    t->painted = physad__alloc_array(mem, plane, sizeof(bool), "maps of a trial");
    if (t->poses == NULL || t->n_poses == NULL || t->scores[0] == NULL || t->maps == NULL || t->painted == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int k = 0; k < PHYSAD__PARTS; k++) {
        t->scores[k] = t->scores[0] + k * kept;
        t->clean[k] = t->maps + (PHYSAD__PARTS + k * kept) * plane;
        t->sorted[k] = t->clean[k] + PHYSAD__PARTS * kept * plane;
    }
    return PHYSAD_OK;
}

/* --- the second fit --- */

static physad_status fit_trial(trial *t, physad__call *call)
{
    const physad__posed_model *from = t->main;
    physad__posed_model *m = &t->model;
    physad__splat_bank *b = NULL;
    const int64_t steps =
        (int64_t)((double)physad__option_int(t->det, "steps") * physad__option_real(t->det, "fold_steps") + 0.5);
    *m = (physad__posed_model){ .ctx = from->ctx,
                                .method = from->method,
                                .finder = from->finder,
                                .network = from->network,
                                .height = from->height,
                                .width = from->width,
                                .grid_height = from->grid_height,
                                .grid_width = from->grid_width,
                                .dim = from->dim };
    memcpy(m->background, from->background, sizeof(m->background));
    PHYSAD__TRY(take_views(&m->views, &m->ctx->mem, &from->views, t));
    if (from->fine.count > 0)
        PHYSAD__TRY(take_views(&m->fine, &m->ctx->mem, &from->fine, t));
    PHYSAD__TRY(physad__posed_fit_scene(&m->scene, t->det, &m->views, physad__max(steps, 1), call));
    PHYSAD__TRY(physad__locator_open(&m->locator, m->ctx, &m->scene, m->background, &m->views, m->finder, call));
    const physad_status status = physad__splat_bank_new(&b, t->det, m);
    m->state = b;
    PHYSAD__TRY(status);
    return physad__splat_bank_learn(b, t->det, call);
}

/* --- painted photos --- */

typedef struct canvas {
    physad__scene_view photo, fine; /* pixels are the canvas's, the rest is borrowed */
    float *clean, *other, *painted; /* (height, width, 3) of the finer one */
} canvas;

static void close_canvas(canvas *c)
{
    physad__free(c->photo.pixels);
    physad__free(c->fine.pixels);
    physad__free(c->clean);
}

static int64_t plane_of(const physad__scene_view *v)
{
    return v->camera.width * v->camera.height;
}

static void interleave(float *out, const physad__scene_view *v)
{
    const int64_t plane = plane_of(v);
    for (int64_t i = 0; i < 3 * plane; i++)
        out[i] = v->pixels[i % 3 * plane + i / 3];
}

static physad_status copy_pixels(physad__scene_view *out, physad__mem *mem, const physad__scene_view *in)
{
    *out = *in;
    out->pixels = physad__alloc_array(mem, 3 * plane_of(in), sizeof(float), "painted photos");
    if (out->pixels == NULL)
        return PHYSAD_ERR_NOMEM;
    memcpy(out->pixels, in->pixels, (size_t)(3 * plane_of(in)) * sizeof(float));
    return PHYSAD_OK;
}

/* The photo to be painted, and one of which a piece may be taken: of the model's size, or itself. */
static physad_status open_canvas(canvas *c, const trial *t, int64_t k)
{
    const physad__posed_model *m = t->main;
    physad__mem *mem = &m->ctx->mem;
    const bool fine = m->fine.count > 0;
    const physad__scene_views *finer = fine ? &m->fine : &m->views;
    const physad__scene_view *mine = &finer->views[t->kept[k]],
                             *other = &finer->views[t->taught[(k + 1) * t->n_taught / (t->n_kept + 1)]];
    const int64_t plane = plane_of(mine);
    if (other->camera.width != mine->camera.width || other->camera.height != mine->camera.height)
        other = mine;
    PHYSAD__TRY(copy_pixels(&c->photo, mem, &m->views.views[t->kept[k]]));
    if (fine)
        PHYSAD__TRY(copy_pixels(&c->fine, mem, mine));
    c->clean = physad__alloc_array(mem, 9 * plane, sizeof(float), "painted photos");
    if (c->clean == NULL)
        return PHYSAD_ERR_NOMEM;
    c->other = c->clean + 3 * plane;
    c->painted = c->clean + 6 * plane;
    interleave(c->clean, mine);
    interleave(c->other, other);
    return PHYSAD_OK;
}

static float to_byte(double v)
{
    return (float)(floor(fmin(fmax(v, 0), 1) * 255 + 0.5) / 255);
}

/* Adds the mean of what was painted in each pixel of `to`; `from` is of the painted size. */
static void take_paint(physad__scene_view *to, const physad__scene_view *original, const canvas *c,
                       const physad_camera *from)
{
    const int64_t h = to->camera.height, w = to->camera.width, plane = h * w;
    for (int64_t i = 0; i < plane; i++) {
        const int64_t y0 = i / w * from->height / h, y1 = physad__max((i / w + 1) * from->height / h, y0 + 1);
        const int64_t x0 = i % w * from->width / w, x1 = physad__max((i % w + 1) * from->width / w, x0 + 1);
        double sum[3] = { 0 };
        for (int64_t y = y0; y < y1; y++)
            for (int64_t at = 3 * (y * from->width + x0); at < 3 * (y * from->width + x1); at++)
                sum[at % 3] += (double)(c->painted[at] - c->clean[at]);
        for (int ch = 0; ch < 3; ch++)
            to->pixels[ch * plane + i] =
                to_byte((double)original->pixels[ch * plane + i] + sum[ch] / (double)((y1 - y0) * (x1 - x0)));
    }
}

static void mark_painted(const trial *t, const physad__scene_view *painted, const physad__scene_view *clean)
{
    const int64_t plane = map_size(t);
    for (int64_t i = 0; i < plane; i++) {
        double change = 0;
        for (int ch = 0; ch < 3; ch++)
            change = fmax(change, fabs((double)(painted->pixels[ch * plane + i] - clean->pixels[ch * plane + i])));
        t->painted[i] = change > CHANGED;
    }
}

static physad_status paint(canvas *c, const trial *t, int64_t k, int64_t painting)
{
    const physad__posed_model *m = t->main;
    const int64_t view = t->kept[k];
    const bool fine = m->fine.count > 0;
    const physad_camera *from = fine ? &c->fine.camera : &c->photo.camera;
    const physad__frontend front = { .ctx = m->ctx,
                                     .input_height = from->height,
                                     .input_width = from->width,
                                     .height = 1,
                                     .width = 1,
                                     .std = { 1, 1, 1 } };
    const uint64_t first = (uint64_t)(view * t->paintings + painting) * TRIES;
    float cover = 1;
    for (uint64_t i = 0; i < TRIES && (double)cover > SMALL; i++)
        PHYSAD__TRY(physad__paint(&front, c->clean, c->other, t->det->seed, first + i, 1, c->painted, &cover));
    take_paint(&c->photo, &m->views.views[view], c, from);
    if (fine)
        take_paint(&c->fine, &m->fine.views[view], c, from);
    mark_painted(t, &c->photo, &m->views.views[view]);
    return PHYSAD_OK;
}

/* --- looking --- */

/* Of clean photos the pose is sought; painted ones keep it, so that they differ by what was painted alone. */
static physad_status look(const trial *t, const canvas *c, int64_t kept, physad__splat_said *said)
{
    const physad__posed_model *m = &t->model;
    physad__posed_query q = { .photo = &c->photo,
                              .fine = c->fine.pixels != NULL ? &c->fine : NULL,
                              .poses = t->poses + kept * PHYSAD__POSES,
                              .n = t->n_poses[kept],
                              .view = -1 };
    for (int k = 0; k < PHYSAD__PARTS; k++)
        said->map[k] = t->maps + k * map_size(t);
    return physad__splat_bank_ask(t->det, m->state, &q, true, said);
}

static physad_status look_at_clean(trial *t, physad__call *call)
{
    const int64_t plane = map_size(t);
    physad__call_stage(call, "photos of a trial", t->n_kept);
    for (int64_t i = 0; i < t->n_kept; i++) {
        canvas c = { 0 };
        physad__splat_said said = { 0 };
        physad_status status = open_canvas(&c, t, i);
        if (status == PHYSAD_OK)
            status =
                physad__locator_find(&t->model.locator, &c.photo, -1, t->poses + i * PHYSAD__POSES, &t->n_poses[i]);
        if (status == PHYSAD_OK)
            status = look(t, &c, i, &said);
        close_canvas(&c);
        PHYSAD__TRY(status);
        for (int k = 0; k < PHYSAD__PARTS; k++) {
            float *clean = t->clean[k] + i * plane, *sorted = t->sorted[k] + t->n_sorted[k];
            t->scores[k][i] = said.has[k] ? said.score[k] : NAN;
            for (int64_t p = 0; said.has[k] && p < plane; p++)
                clean[p] = sorted[p] = said.map[k][p] - (float)said.own[k];
            t->n_sorted[k] += said.has[k] ? plane : 0;
        }
        PHYSAD__TRY(physad__call_tick(call, i + 1));
    }
    for (int k = 0; k < PHYSAD__PARTS; k++)
        physad__sort_floats(t->sorted[k], t->n_sorted[k]);
    return PHYSAD_OK;
}

/* The share of clean photos' pixels that surprise as much, its logarithm to the base of ten. */
static double rareness(const trial *t, int part, float surprise)
{
    int64_t from = 0, to = t->n_sorted[part];
    while (from < to) {
        const int64_t middle = (from + to) / 2;
        if (t->sorted[part][middle] < surprise)
            from = middle + 1;
        else
            to = middle;
    }
    return log10(fmax((double)(t->n_sorted[part] - from) / (double)t->n_sorted[part], RAREST));
}

/* How many times rarer, in decades, the greatest surprise of a painted place is than that of the same place clean. */
static double gain_of(const trial *t, int part, int64_t kept, const physad__splat_said *said, const bool *painted)
{
    const int64_t plane = map_size(t);
    const float *clean = t->clean[part] + kept * plane;
    float before = -INFINITY, after = -INFINITY;
    if (!said->has[part] || isnan(t->scores[part][kept]))
        return 0;
    for (int64_t p = 0; p < plane; p++)
        if (painted[p]) {
            before = fmaxf(before, clean[p]);
            after = fmaxf(after, said->map[part][p] - (float)said->own[part]);
        }
    return rareness(t, part, before) - rareness(t, part, after);
}

static physad_status look_at_painted(trial *t, physad__call *call)
{
    physad__call_stage(call, "painted photos", t->n_kept * t->paintings);
    for (int64_t i = 0; i < t->n_kept; i++) {
        canvas c = { 0 };
        physad_status status = open_canvas(&c, t, i);
        for (int64_t p = 0; status == PHYSAD_OK && p < t->paintings; p++) {
            physad__splat_said said = { 0 };
            status = paint(&c, t, i, p);
            if (status == PHYSAD_OK)
                status = look(t, &c, i, &said);
            for (int k = 0; status == PHYSAD_OK && k < PHYSAD__PARTS; k++)
                t->gain[k] += gain_of(t, k, i, &said, t->painted) / (double)(t->n_kept * t->paintings);
            if (status == PHYSAD_OK)
                status = physad__call_tick(call, i * t->paintings + p + 1);
        }
        close_canvas(&c);
        PHYSAD__TRY(status);
    }
    return PHYSAD_OK;
}

/* --- the verdict --- */

static void learn_scale(physad__splat_part *part, const trial *t, int which)
{
    double n = 0, sum = 0, square = 0;
    for (int64_t i = 0; i < t->n_kept; i++) {
        const double s = t->scores[which][i];
        if (isnan(s))
            continue;
        n++;
        sum += s;
        square += s * s;
    }
    part->mean = n > 0 ? sum / n : 0;
    part->spread = sqrt((fmax(square - sum * part->mean, 0) + 2 * LIKELY * LIKELY) / (fmax(n - 1, 0) + 2));
}

/* Gains count by their fourth power: what one part sees less well than the other is mostly noise to it. */
static void decide(physad__splat_bank *b, const trial *t)
{
    double sum = 0;
    for (int k = 0; k < PHYSAD__PARTS; k++) {
        learn_scale(&b->parts[k], t, k);
        sum += b->parts[k].weight = pow(fmax(t->gain[k], 0), 4) + (k == PHYSAD__PART_PLAIN ? TRUST : 0);
    }
    for (int k = 0; k < PHYSAD__PARTS; k++)
        b->parts[k].weight /= sum;
    physad__log(
        t->det->ctx, PHYSAD_LOG_INFO,
        "splat-bank: %lld photos kept from a trial, %lld paintings of each: painted places become rarer by %.2f "
        "decades by pose and %.2f by the plain bank; they weigh %.3f and %.3f",
        (long long)t->n_kept, (long long)t->paintings, t->gain[PHYSAD__PART_POSED], t->gain[PHYSAD__PART_PLAIN],
        b->parts[PHYSAD__PART_POSED].weight, b->parts[PHYSAD__PART_PLAIN].weight);
}

physad_status physad__splat_bank_weigh(physad__splat_bank *b, const physad_detector *det, physad__call *call)
{
    trial t = { .det = det, .main = b->model, .paintings = physad__option_int(det, "paintings") };
    physad_status status = open_trial(&t, b);
    if (status == PHYSAD_OK && (t.n_kept == 0 || t.n_taught < LEAST_TAUGHT)) { /* nothing speaks for poses */
        b->parts[PHYSAD__PART_POSED].weight = 0;
        b->parts[PHYSAD__PART_PLAIN].weight = 1;
    } else {
        if (status == PHYSAD_OK)
            status = fit_trial(&t, call);
        if (status == PHYSAD_OK)
            status = look_at_clean(&t, call);
        if (status == PHYSAD_OK)
            status = look_at_painted(&t, call);
        if (status == PHYSAD_OK)
            decide(b, &t);
    }
    close_trial(&t);
    return status;
}
