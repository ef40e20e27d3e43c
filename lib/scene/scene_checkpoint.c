/* SPDX-License-Identifier: Apache-2.0 */
/* Where a fit stands, as safetensors: with it an interrupted fit ends at the bits that it would have ended at. */
#include "scene/scene_train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define KIND "scene-fit"

/* --- what a fit depends on --- */

typedef struct digest {
    char *text;
    int64_t size, capacity;
    physad__mem *mem;
} digest;

static physad_status add(digest *d, const void *data, size_t size)
{
    char hex[65];
    PHYSAD__TRY(physad__sha256(hex, data, size));
    PHYSAD__TRY(physad__grow(d->mem, &d->text, &d->capacity, d->size + 64, 1, "digest of a fit"));
    memcpy(d->text + d->size, hex, 64);
    d->size += 64;
    return PHYSAD_OK;
}

static physad_status add_view(digest *d, const physad__scene_view *v)
{
    const physad_camera *c = &v->camera;
    const double numbers[] = { c->fx, c->fy, c->cx, c->cy, (double)c->width, (double)c->height, v->held_out };
    const size_t plane = (size_t)(c->width * c->height);
    PHYSAD__TRY(add(d, numbers, sizeof(numbers)));
    PHYSAD__TRY(add(d, c->rotation, sizeof(c->rotation)));
    PHYSAD__TRY(add(d, c->translation, sizeof(c->translation)));
    PHYSAD__TRY(add(d, v->pixels, 3 * plane * sizeof(float)));
    return v->missing != NULL ? add(d, v->missing, plane) : PHYSAD_OK;
}

static physad_status add_all(digest *d, const physad__trainer *t)
{
    const physad_scene_options *o = t->o;
    const int64_t numbers[] = {
        o->steps,         o->harmonics, o->max_gaussians, o->densify_from, o->densify_until,
        o->densify_every, o->densify,   o->exposure,      o->coarse,       (int64_t)t->ctx->seed
    };
    PHYSAD__TRY(add(d, numbers, sizeof(numbers)));
    PHYSAD__TRY(add(d, &o->densify_gradient, sizeof(o->densify_gradient)));
    PHYSAD__TRY(add(d, o->background, sizeof(o->background)));
    PHYSAD__TRY(add(d, t->views->points, (size_t)(3 * t->views->n_points) * sizeof(float)));
    PHYSAD__TRY(add(d, t->views->colours, (size_t)(3 * t->views->n_points) * sizeof(float)));
    for (int64_t i = 0; i < t->views->count; i++)
        PHYSAD__TRY(add_view(d, &t->views->views[i]));
    return PHYSAD_OK;
}

physad_status physad__fit_digest(char fit[65], const physad__trainer *t)
{
    digest d = { .mem = &t->ctx->mem };
    physad_status status = add_all(&d, t);
    if (status == PHYSAD_OK)
        status = physad__sha256(fit, d.text, (size_t)d.size);
    physad__free(d.text);
    return status;
}

/* --- the file's arrays --- */

enum { MAX_PARTS = 8 };

typedef struct part {
    const char *name;
    void *data;
    int32_t dtype, ndim;
    int64_t shape[2];
} part;

/* Of a trainer, as it is with a model and a history of that size. */
static int parts_of(part out[MAX_PARTS], const physad__trainer *t, const physad__scene_model *m, int64_t n_history)
{
    const int64_t history = n_history * (int64_t)(sizeof(physad_scene_quality) / sizeof(int64_t));
    const part all[] = {
        { "value", m->value, PHYSAD_F32, 2, { m->planes, m->stride } },
        { "mean", m->mean, PHYSAD_F32, 2, { m->planes, m->stride } },
        { "square", m->square, PHYSAD_F32, 2, { m->planes, m->stride } },
        { "sums", m->pull, PHYSAD_F32, 2, { 3, m->stride } },
        { "order", t->order, PHYSAD_I64, 1, { t->n_train } },
        { "random", (void *)t->rng.state, PHYSAD_I64, 1, { 4 } },
        { "history", t->history, PHYSAD_I64, 1, { history } },
        { "exposures", t->exposures.value, PHYSAD_F32, 2, { t->exposures.count, 12 } },
    };
    memcpy(out, all, sizeof(all));
    return MAX_PARTS - (t->exposures.count == 0);
}

static physad_status put_number(physad__tensors_writer *w, const char *key, int64_t value)
{
    char text[32];
    physad__snprintf(text, sizeof(text), "%lld", (long long)value);
    return physad__tensors_writer_set_metadata(w, key, text);
}

static physad_status put_parts(physad__tensors_writer *w, const part *parts, int n)
{
    for (int k = 0; k < n; k++)
        PHYSAD__TRY(physad__tensors_writer_declare(w, parts[k].name, parts[k].dtype, parts[k].ndim, parts[k].shape));
    for (int k = 0; k < n; k++) {
        const physad_view view = physad_view_array(parts[k].data, parts[k].dtype, parts[k].ndim, parts[k].shape);
        if (physad__view_count(&view) > 0)
            PHYSAD__TRY(physad__tensors_writer_append(w, parts[k].name, &view));
    }
    return physad__tensors_writer_finish(w);
}

static physad_status put_all(physad__tensors_writer *w, const physad__trainer *t, const char fit[65])
{
    part parts[MAX_PARTS];
    PHYSAD__TRY(physad__tensors_writer_set_metadata(w, "physad", KIND));
    PHYSAD__TRY(physad__tensors_writer_set_metadata(w, "fit", fit));
    PHYSAD__TRY(put_number(w, "step", t->step));
    PHYSAD__TRY(put_number(w, "at", t->at));
    PHYSAD__TRY(put_number(w, "count", t->model->count));
    PHYSAD__TRY(put_number(w, "measured", t->n_history));
    PHYSAD__TRY(put_number(w, "microseconds", (int64_t)(t->seconds * 1e6)));
    return put_parts(w, parts, parts_of(parts, t, t->model, t->n_history));
}

physad_status physad__fit_write(const physad__trainer *t, const char *path, const char fit[65])
{
    physad__tensors_writer *w;
    PHYSAD__TRY(physad__tensors_writer_new(&w, t->ctx, path));
    const physad_status status = put_all(w, t, fit);
    physad__tensors_writer_free(w);
    return status;
}

/* --- taking it up --- */

static physad_status take_number(int64_t *out, const physad_tensors *file, const char *key, int64_t least, int64_t most,
                                 const char *path)
{
    const char *text = physad_tensors_metadata(file, key);
    if (text == NULL || !physad__parse_int(text, out) || *out < least || *out > most)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" is %s, want %lld to %lld", path, key,
                             text != NULL ? text : "not there", (long long)least, (long long)most);
    return PHYSAD_OK;
}

/* All are there, before there is room for any. */
static physad_status want_parts(const physad__trainer *t, const physad__scene_model *m, int64_t n_history,
                                const physad_tensors *file)
{
    part parts[MAX_PARTS];
    physad_view there;
    const int n = parts_of(parts, t, m, n_history);
    for (int k = 0; k < n; k++)
        PHYSAD__TRY(
            physad__tensors_need(file, parts[k].name, parts[k].dtype, parts[k].ndim, parts[k].shape, &there));
    return PHYSAD_OK;
}

static physad_status check_floats(const part *p, const char *path)
{
    const float *v = p->data;
    const bool square = strcmp(p->name, "square") == 0;
    for (int64_t i = 0; i < p->shape[0] * p->shape[1]; i++)
        if (!isfinite(v[i]) || (square && v[i] < 0))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: \"%s\" holds %g at %lld", path, p->name, (double)v[i],
                                 (long long)i);
    return PHYSAD_OK;
}

static physad_status take_parts(const physad__trainer *t, const physad_tensors *file, const char *path)
{
    part parts[MAX_PARTS];
    const int n = parts_of(parts, t, t->model, t->n_history);
    for (int k = 0; k < n; k++) {
        physad_view from;
        const physad_view to = physad_view_array(parts[k].data, parts[k].dtype, parts[k].ndim, parts[k].shape);
        PHYSAD__TRY(physad__tensors_need(file, parts[k].name, parts[k].dtype, parts[k].ndim, parts[k].shape, &from));
        if (physad__view_count(&to) > 0)
            PHYSAD__TRY(physad__view_copy(&to, &from));
        if (parts[k].dtype == PHYSAD_F32)
            PHYSAD__TRY(check_floats(&parts[k], path));
    }
    return PHYSAD_OK;
}

/* Each photo that is trained on, once. */
static physad_status check_order(const physad__trainer *t, const char *path)
{
    uint8_t *seen = physad__alloc_zero(&t->ctx->mem, (size_t)t->views->count, "order of photos");
    bool good = seen != NULL;
    for (int64_t i = 0; i < t->n_train && good; i++) {
        const int64_t k = t->order[i];
        good = k >= 0 && k < t->views->count && !t->views->views[k].held_out && !seen[k]++;
    }
    const bool memory = seen != NULL;
    physad__free(seen);
    if (!memory)
        return PHYSAD_ERR_NOMEM;
    return good ? PHYSAD_OK
                : physad__error(PHYSAD_ERR_FORMAT, "%s: \"order\" is none of the %lld photos", path,
                                (long long)t->n_train);
}

static physad_status take_all(physad__trainer *t, const physad_tensors *file, const char *path, const char fit[65])
{
    const char *kind = physad_tensors_metadata(file, "physad"), *of = physad_tensors_metadata(file, "fit");
    int64_t count, microseconds, n_history;
    if (kind == NULL || strcmp(kind, KIND) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: this is no interrupted fit of a scene", path);
    if (of == NULL || strcmp(of, fit) != 0)
        return physad__error(
            PHYSAD_ERR_ARG,
            "%s: this is a fit of other photos, options or seed: remove it, or give what it was begun with", path);
    PHYSAD__TRY(take_number(&t->step, file, "step", 0, t->o->steps, path));
    PHYSAD__TRY(take_number(&t->at, file, "at", 0, t->n_train, path));
    PHYSAD__TRY(take_number(&count, file, "count", 1, INT32_MAX, path));
    PHYSAD__TRY(take_number(&n_history, file, "measured", 0, t->o->steps, path));
    PHYSAD__TRY(take_number(&microseconds, file, "microseconds", 0, INT64_MAX, path));
    t->seconds = (double)microseconds * 1e-6;
    physad__scene_model next = { .planes = t->model->planes, .stride = physad__splat_stride(count) };
    PHYSAD__TRY(want_parts(t, &next, n_history, file));
    PHYSAD__TRY(physad__grow(&t->ctx->mem, &t->history, &t->history_size, n_history + 1, sizeof(*t->history),
                             "measures of a fit"));
    PHYSAD__TRY(physad__scene_model_make(&next, t->model->mem, count, t->model->degree));
    physad__scene_model_free(t->model);
    *t->model = next;
    t->n_history = n_history;
    PHYSAD__TRY(take_parts(t, file, path));
    return check_order(t, path);
}

physad_status physad__fit_read(physad__trainer *t, const char *path, const char fit[65])
{
    physad_tensors *file;
    PHYSAD__TRY(physad_tensors_open(&file, t->ctx, path, NULL));
    const physad_status status = take_all(t, file, path, fit);
    physad_tensors_free(file);
    return status;
}
