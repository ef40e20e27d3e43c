/* SPDX-License-Identifier: Apache-2.0 */
/* The feature family's way from photos to the rows of a bank, and back to a photo's grid. */
#include "detect/detect_feature.h"

physad_status physad__cells_append(physad_bank *bank, physad__mem *mem, const float *cells, const uint8_t *valid,
                                   int64_t count, int64_t dim, int64_t sample)
{
    int64_t *samples = physad__alloc_array(mem, count, sizeof(*samples), "cells");
    int32_t *positions = physad__alloc_array(mem, count, sizeof(*positions), "cells");
    physad_status status = samples != NULL && positions != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < count;) {
        int64_t n = 0;
        while (i + n < count && valid[i + n] == valid[i])
            n++;
        for (int64_t k = 0; k < n; k++) {
            samples[k] = sample;
            positions[k] = (int32_t)(i + k);
        }
        const int64_t shape[2] = { n, dim };
        const physad_view rows = physad_view_array((void *)(uintptr_t)(cells + i * dim), PHYSAD_F32, 2, shape);
        const physad_view s = physad_view_array(samples, PHYSAD_I64, 1, &n),
                          p = physad_view_array(positions, PHYSAD_I32, 1, &n);
        if (valid[i])
            status = physad_bank_add(bank, &rows, &s, &p);
        i += n;
    }
    physad__free(samples);
    physad__free(positions);
    return status;
}

/* --- reading --- */

typedef struct reading {
    physad_detector *det;
    const physad__frontend *front;
    const physad__reading *what;
    physad__call *call;
    float *data; /* cells of a batch */
    uint8_t *valid;
    int64_t done, skipped; /* samples */
} reading;

static physad_status take_photo(reading *r, const physad__batch *batch, int64_t b)
{
    const physad__frontend *front = r->front;
    const physad__reading *w = r->what;
    const int64_t i = batch->indices[b], cells = front->height * front->width;
    const float *data = r->data + b * cells * front->dim;
    w->sizes[w->first + i][0] = batch->photo[b][0];
    w->sizes[w->first + i][1] = batch->photo[b][1];
    PHYSAD__TRY(physad__frontend_valid(front, r->det->ctx, batch->photo[b][0], batch->photo[b][1], r->valid));
    PHYSAD__TRY(physad__frontend_check(front, batch->pixels + b * front->input_height * front->input_width * 3, data));
    return physad__cells_append(w->banks[w->aside != NULL && w->aside[i]], &r->det->ctx->mem, data, r->valid, cells,
                                front->dim, w->first + i);
}

/* Once a sample has been left out, the others are only looked at: all will come again. */
static physad_status take_batch(reading *r, const physad__batch *batch)
{
    if (r->skipped == 0)
        PHYSAD__TRY(physad__frontend_cells(r->front, batch->pixels, batch->count, r->data));
    for (int64_t b = 0; b < batch->count; b++) {
        physad_status status = r->skipped == 0 ? take_photo(r, batch, b) : PHYSAD_OK;
        if (physad__may_skip(status)) {
            physad__error_prefix(status, "%s", physad_dataset_sample(r->what->samples, batch->indices[b])->path);
            if (r->call->on_error == PHYSAD_ERRORS_SKIP) {
                status = physad__skip_sample(r->det, r->what->samples, batch->indices[b]);
                r->skipped++;
            }
        }
        PHYSAD__TRY(status);
        PHYSAD__TRY(physad__call_tick(r->call, ++r->done));
    }
    return PHYSAD_OK;
}

/* Those that the loader left out since the last time. */
static physad_status take_skipped(reading *r, const physad__loader *loader, int64_t *seen)
{
    for (; *seen < physad__loader_skipped_count(loader); ++*seen) {
        const physad__skipped *s = physad__loader_skipped(loader, *seen);
        physad__error(s->status, "%s", s->reason);
        PHYSAD__TRY(physad__skip_sample(r->det, r->what->samples, s->index));
        r->skipped++;
        r->done++;
    }
    return PHYSAD_OK;
}

static physad_status read_all(reading *r, physad__loader *loader)
{
    int64_t seen = 0;
    for (;;) {
        physad__batch batch;
        PHYSAD__TRY(physad__loader_next(loader, &batch));
        PHYSAD__TRY(take_skipped(r, loader, &seen));
        if (batch.count == 0)
            break;
        PHYSAD__TRY(take_batch(r, &batch));
    }
    return physad__all_samples_read(r->det, r->det->skipped_count - r->skipped);
}

physad_status physad__cells_read(physad_detector *det, const physad__frontend *front, const physad__reading *what,
                                 physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t cells = front->height * front->width, n = physad_dataset_count(what->samples);
    const physad__loader_options lo = {
        .batch = physad__min(call->batch > 0 ? call->batch : physad__frontend_batch(front), physad__max(n, 1)),
        .jpeg_scale = physad__jpeg_scale(det),
        .on_error = call->on_error == PHYSAD_ERRORS_SKIP ? PHYSAD__ON_ERROR_SKIP : PHYSAD__ON_ERROR_STOP,
    };
    physad__loader *loader = NULL;
    reading r = { .det = det, .front = front, .what = what, .call = call };
    r.data = physad__alloc_array(mem, lo.batch * cells, (size_t)front->dim * sizeof(*r.data), "features");
    r.valid = physad__alloc(mem, (size_t)cells, "features");
    physad_status status = r.data != NULL && r.valid != NULL
                               ? physad__loader_new(&loader, what->samples, front->transform, &lo)
                               : PHYSAD_ERR_NOMEM;
    physad__call_stage(call, "features", n);
    if (status == PHYSAD_OK)
        status = read_all(&r, loader);
    physad__loader_free(loader);
    physad__free(r.data);
    physad__free(r.valid);
    return status;
}

/* --- back --- */

physad_status physad__cells_check(const physad_bank *bank, const physad__frontend *front, int64_t samples)
{
    const int64_t cells = front->height * front->width, count = physad_bank_count(bank);
    if (physad_bank_dim(bank) != front->dim || count < 1)
        return physad__error(PHYSAD_ERR_FORMAT, "features.rows has shape (%lld,%lld), want (n,%lld) with n > 0",
                             (long long)count, (long long)physad_bank_dim(bank), (long long)front->dim);
    for (int64_t i = 0, before = 0; i < count; i++) {
        const int64_t s = physad_bank_sample(bank, i), at = physad_bank_position(bank, i);
        if (s < before || s >= samples || at < 0 || at >= cells)
            return physad__error(
                PHYSAD_ERR_FORMAT,
                "features row %lld comes from sample %lld, cell %lld, after sample %lld; there are %lld "
                "samples of %lld cells",
                (long long)i, (long long)s, (long long)at, (long long)before, (long long)samples, (long long)cells);
        before = s;
    }
    return PHYSAD_OK;
}

int64_t physad__cells_spread(const physad_bank *bank, int64_t row, const physad__frontend *front, float *data,
                             uint8_t *valid)
{
    physad_view rows;
    const int64_t sample = physad_bank_sample(bank, row), count = physad_bank_count(bank);
    int64_t n = 0;
    memset(valid, 0, (size_t)(front->height * front->width));
    memset(data, 0, (size_t)(front->height * front->width * front->dim) * sizeof(*data));
    if (physad_bank_rows(bank, &rows) != PHYSAD_OK)
        return count - row;
    for (; row + n < count && physad_bank_sample(bank, row + n) == sample; n++) {
        const int64_t p = physad_bank_position(bank, row + n);
        valid[p] = 1;
        memcpy(data + p * front->dim, (const char *)rows.data + (row + n) * rows.stride[0],
               (size_t)front->dim * sizeof(*data));
    }
    return n;
}
