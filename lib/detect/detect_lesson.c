/* SPDX-License-Identifier: Apache-2.0 */
/* The lesson: cells of normal photos that were painted over, and of what is beside the paint. */
#include "detect/detect_learn.h"

enum {
    PAINTINGS = 3,
    DEFECTS = 2,
    PAINTED = 80,
    BESIDE = 40
};                   /* versions of a photo, defects and cells taken of each */
enum { MOST = 256 }; /* photos, evenly from first to last: more would cost time and tell little */
static const float MOSTLY = 0.4f; /* a cell painted more than this is defective */

typedef struct lesson {
    const physad_detector *det;
    const physad__frontend *front;
    physad_bank *out;
    float *others;                 /* a batch of inputs: of the photo before the present one's group */
    float *painted, *cells, *cover; /* of a batch, the versions of a photo side by side */
    float *last[2];                /* the last input, and the last of a group before */
    int64_t last_sample;           /* -1: none yet */
    bool has_other;
    uint8_t *valid;
    int64_t *order;                /* room for the cells of a photo */
    float *rows;                   /* (PAINTED + BESIDE, dim) */
    double *mean;                  /* dim */
} lesson;

static void free_lesson(lesson *l)
{
    physad__free(l->others);
    physad__free(l->painted);
    physad__free(l->cells);
    physad__free(l->cover);
    physad__free(l->last[0]);
    physad__free(l->last[1]);
    physad__free(l->valid);
    physad__free(l->order);
    physad__free(l->rows);
    physad__free(l->mean);
}

static bool new_lesson(lesson *l, int64_t batch)
{
    physad__mem *mem = &l->det->ctx->mem;
    const physad__frontend *f = l->front;
    const int64_t cells = f->height * f->width, input = f->input_height * f->input_width * 3;
    l->others = physad__alloc_array(mem, batch * input, sizeof(float), "painted photos");
    l->painted = physad__alloc_array(mem, PAINTINGS * batch * input, sizeof(float), "painted photos");
    l->cells = physad__alloc_array(mem, PAINTINGS * batch * cells * f->dim, sizeof(float), "features");
    l->cover = physad__alloc_array(mem, PAINTINGS * batch * cells, sizeof(float), "painted photos");
    l->last[0] = physad__alloc_array(mem, input, sizeof(float), "painted photos");
    l->last[1] = physad__alloc_array(mem, input, sizeof(float), "painted photos");
    l->valid = physad__alloc(mem, (size_t)cells, "features");
    l->order = physad__alloc_array(mem, cells, sizeof(*l->order), "features");
    l->rows = physad__alloc_array(mem, (PAINTED + BESIDE) * f->dim, sizeof(float), "features");
    l->mean = physad__alloc_array(mem, f->dim, sizeof(double), "features");
    return l->others != NULL && l->painted != NULL && l->cells != NULL && l->cover != NULL && l->last[0] != NULL &&
           l->last[1] != NULL && l->valid != NULL && l->order != NULL && l->rows != NULL && l->mean != NULL;
}

/* For each photo of a batch one of another group that came before; itself where there is none. */
static void find_others(lesson *l, const physad__batch *batch)
{
    char *const *groups = l->det->origin->groups;
    const int64_t input = l->front->input_height * l->front->input_width * 3;
    const size_t size = (size_t)input * sizeof(float);
    for (int64_t b = 0; b < batch->count; b++) {
        const int64_t sample = batch->indices[b];
        if (l->last_sample >= 0 && strcmp(groups[sample], groups[l->last_sample]) != 0) {
            float *swap = l->last[1];
            l->last[1] = l->last[0];
            l->last[0] = swap;
            l->has_other = true;
        }
        memcpy(l->last[0], batch->pixels + b * input, size);
        l->last_sample = sample;
        memcpy(l->others + b * input, l->has_other ? l->last[1] : l->last[0], size);
    }
}

static physad_status paint_batch(lesson *l, const physad__batch *batch)
{
    const physad__frontend *f = l->front;
    const int64_t input = f->input_height * f->input_width * 3, cells = f->height * f->width,
                  n = batch->count * PAINTINGS;
    physad__fault fault = { PHYSAD_OK, "" };
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(l->det->ctx->threads) if (n > 1)
#endif
    for (int64_t i = 0; i < n; i++) {
        const int64_t b = i / PAINTINGS;
        const uint64_t stream = 2 * (uint64_t)(batch->indices[b] * PAINTINGS + i % PAINTINGS);
        const physad_status status = physad__paint(f, batch->pixels + b * input, l->others + b * input, l->det->seed,
                                                   stream, DEFECTS, l->painted + i * input, l->cover + i * cells);
        if (status != PHYSAD_OK) {
#ifdef _OPENMP
#pragma omp critical(physad_lesson)
#endif
            physad__fault_take(&fault, status);
        }
    }
    return physad__fault_publish(&fault);
}

static void find_mean(lesson *l, const float *cells)
{
    const int64_t n = l->front->height * l->front->width, dim = l->front->dim;
    double count = 0;
    memset(l->mean, 0, (size_t)dim * sizeof(*l->mean));
    for (int64_t i = 0; i < n; i++)
        count += l->valid[i];
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; l->valid[i] && c < dim; c++)
            l->mean[c] += (double)cells[i * dim + c] / count;
}

/* Adds up to `most` random cells that are painted, or not at all. */
static physad_status take_side(lesson *l, const float *cells, const float *cover, bool painted, int64_t most,
                               int64_t sample, physad__rng *rng)
{
    const int64_t dim = l->front->dim;
    int64_t n = 0, samples[PAINTED + BESIDE];
    int32_t marks[PAINTED + BESIDE];
    for (int64_t i = 0; i < l->front->height * l->front->width; i++)
        if (l->valid[i] && (painted ? cover[i] > MOSTLY : cover[i] == 0))
            l->order[n++] = i;
    physad__rng_shuffle(rng, l->order, n);
    n = physad__min(n, most);
    for (int64_t k = 0; k < n; k++) {
        samples[k] = sample;
        marks[k] = painted;
        for (int64_t c = 0; c < dim; c++)
            l->rows[k * dim + c] = (float)((double)cells[l->order[k] * dim + c] - l->mean[c]);
    }
    const int64_t shape[2] = { n, dim };
    const physad_view rows = physad_view_array(l->rows, PHYSAD_F32, 2, shape);
    const physad_view s = physad_view_array(samples, PHYSAD_I64, 1, &n),
                      m = physad_view_array(marks, PHYSAD_I32, 1, &n);
    return n > 0 ? physad_bank_add(l->out, &rows, &s, &m) : PHYSAD_OK;
}

static physad_status take_batch(lesson *l, const physad__batch *batch)
{
    const physad__frontend *f = l->front;
    const int64_t cells = f->height * f->width, input = f->input_height * f->input_width * 3;
    find_others(l, batch);
    PHYSAD__TRY(paint_batch(l, batch));
    PHYSAD__TRY(physad__frontend_cells(f, l->painted, batch->count * PAINTINGS, l->cells));
    for (int64_t i = 0; i < batch->count * PAINTINGS; i++) {
        const float *data = l->cells + i * cells * f->dim, *cover = l->cover + i * cells;
        const int64_t b = i / PAINTINGS, sample = batch->indices[b];
        physad__rng rng;
        physad__rng_seed(&rng, l->det->seed, 2 * (uint64_t)(sample * PAINTINGS + i % PAINTINGS) + 1);
        PHYSAD__TRY(physad__frontend_valid(f, l->det->ctx, batch->photo[b][0], batch->photo[b][1], l->valid));
        PHYSAD__TRY(physad__frontend_check(f, l->painted + i * input, data));
        find_mean(l, data);
        PHYSAD__TRY(take_side(l, data, cover, true, PAINTED, sample, &rng));
        PHYSAD__TRY(take_side(l, data, cover, false, BESIDE, sample, &rng));
    }
    return PHYSAD_OK;
}

static physad_status read_all(lesson *l, physad__loader *loader, physad__call *call)
{
    for (int64_t done = 0;;) {
        physad__batch batch;
        PHYSAD__TRY(physad__loader_next(loader, &batch));
        if (batch.count == 0)
            return PHYSAD_OK;
        PHYSAD__TRY(take_batch(l, &batch));
        done += batch.count;
        PHYSAD__TRY(physad__call_tick(call, done));
    }
}

physad_status physad__lesson_read(const physad_detector *det, const physad__frontend *front,
                                  const physad_dataset *normals, const uint8_t *aside, physad_bank *out,
                                  physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t n = physad_dataset_count(normals);
    const int64_t batch = physad__min(call->batch > 0 ? call->batch : physad__frontend_batch(front), physad__max(n, 1));
    int64_t *indices = physad__alloc_array(mem, n, sizeof(*indices), "samples"), taken = 0, kept = 0;
    lesson l = { .det = det, .front = front, .out = out, .last_sample = -1 };
    physad__loader *loader = NULL;
    physad_status status = indices != NULL && new_lesson(&l, batch) ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        if (!aside[i])
            indices[taken++] = i;
    for (int64_t i = 0; status == PHYSAD_OK && i < taken; i++)
        if (taken <= MOST || i == 0 || i * MOST / taken != (i - 1) * MOST / taken)
            indices[kept++] = indices[i];
    const physad__loader_options lo = { .indices = indices,
                                        .count = kept,
                                        .batch = batch,
                                        .jpeg_scale = physad__jpeg_scale(det),
                                        .on_error = PHYSAD__ON_ERROR_STOP };
    physad__call_stage(call, "painted defects", kept);
    if (status == PHYSAD_OK)
        status = physad__loader_new(&loader, normals, front->transform, &lo);
    if (status == PHYSAD_OK)
        status = read_all(&l, loader, call);
    physad__loader_free(loader);
    free_lesson(&l);
    physad__free(indices);
    return status;
}
