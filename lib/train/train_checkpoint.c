/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: a safetensors file of parameters, moments and where the run stands. Written beside and renamed, so that
 * an interruption leaves the last whole one. */
#include "train/train.h"

#include "io/io.h"

#include <math.h>

enum { STATE = 7, NAME_MOST = 320 };

static const char *const prefixes[3] = { "parameter.", "first.", "second." };

/* The arrays of parameter i: its numbers and its moments, NULL where there is none. */
static void arrays_of(const physad__optimizer *o, int64_t i, float *arrays[3])
{
    arrays[0] = o->params->items[i].data;
    arrays[1] = o->first[i];
    arrays[2] = o->second[i];
}

static physad_status add(physad_tensors *file, const physad__optimizer *o, int64_t i)
{
    const physad__param *p = &o->params->items[i];
    char name[NAME_MOST];
    float *arrays[3];
    arrays_of(o, i, arrays);
    for (int k = 0; k < 3; k++) {
        if (arrays[k] == NULL)
            continue;
        const physad_view view = physad_view_array(arrays[k], PHYSAD_F32, p->ndim, p->shape);
        physad__snprintf(name, sizeof(name), "%s%s", prefixes[k], p->name);
        PHYSAD__TRY(physad_tensors_add(file, name, &view));
    }
    return PHYSAD_OK;
}

physad_status physad__checkpoint_write(physad_context *ctx, const char *path, const char *signature,
                                       const physad__optimizer *o, const physad__progress_state *state)
{
    physad_tensors *file = NULL;
    double numbers[STATE] = { (double)state->batch, (double)o->steps,  state->sum,      state->best,
                              (double)state->since, state->first_loss, state->last_loss };
    const int64_t shape[1] = { STATE };
    const physad_view view = physad_view_array(numbers, PHYSAD_F64, 1, shape);
    PHYSAD__TRY(physad_tensors_new(&file, ctx));
    physad_status status = physad_tensors_set_metadata(file, "physad-training", signature);
    if (status == PHYSAD_OK)
        status = physad_tensors_add(file, "state", &view);
    for (int64_t i = 0; status == PHYSAD_OK && i < o->count; i++)
        status = add(file, o, i);
    if (status == PHYSAD_OK)
        status = physad_tensors_save(file, path);
    physad_tensors_free(file);
    return status;
}

static physad_status find(const physad_tensors *file, const physad__param *p, int k, physad_view *view)
{
    char name[NAME_MOST];
    physad__snprintf(name, sizeof(name), "%s%s", prefixes[k], p->name);
    return physad__tensors_need(file, name, PHYSAD_F32, p->ndim, p->shape, view);
}

/* All arrays first looked for, then (`copy`) read. */
static physad_status visit(const physad_tensors *file, const physad__optimizer *o, bool copy)
{
    for (int64_t i = 0; i < o->count; i++) {
        const physad__param *p = &o->params->items[i];
        float *arrays[3];
        arrays_of(o, i, arrays);
        for (int k = 0; k < 3; k++) {
            physad_view from;
            if (arrays[k] == NULL)
                continue;
            PHYSAD__TRY(find(file, p, k, &from));
            const physad_view to = physad_view_array(arrays[k], PHYSAD_F32, p->ndim, p->shape);
            if (copy)
                PHYSAD__TRY(physad__view_copy(&to, &from));
        }
    }
    return PHYSAD_OK;
}

static physad_status read(const physad_tensors *file, const char *path, const char *signature, physad__optimizer *o,
                          physad__progress_state *state)
{
    const char *was = physad_tensors_metadata(file, "physad-training");
    double n[STATE];
    const int64_t shape[1] = { STATE };
    physad_view from;
    const physad_view to = physad_view_array(n, PHYSAD_F64, 1, shape);
    if (was == NULL || strcmp(was, signature) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %s; remove it to start anew", path,
                             was == NULL ? "no checkpoint of a training"
                                         : "the checkpoint of another training (other data or options)");
    PHYSAD__TRY(physad__tensors_need(file, "state", PHYSAD_F64, 1, shape, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int i = 0; i < STATE; i++)
        if (i != 3 && !isfinite(n[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: state[%d] is %g", path, i, n[i]);
    if (n[0] < 0 || n[0] > 0x1p53 || n[1] < 0 || n[1] > 0x1p53 || n[4] < 0 || n[4] > 0x1p53)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: state counts %g batches and %g steps", path, n[0], n[1]);
    PHYSAD__TRY(visit(file, o, false));
    PHYSAD__TRY(visit(file, o, true));
    o->steps = (int64_t)n[1];
    o->params->version++;
    *state = (physad__progress_state){
        .batch = (int64_t)n[0], .sum = n[2], .best = n[3], .since = (int64_t)n[4], .first_loss = n[5], .last_loss = n[6]
    };
    return PHYSAD_OK;
}

physad_status physad__checkpoint_read(physad_context *ctx, const char *path, const char *signature,
                                      physad__optimizer *o, physad__progress_state *state)
{
    physad_tensors *file = NULL;
    PHYSAD__TRY(physad_tensors_open(&file, ctx, path, NULL));
    const physad_status status = read(file, path, signature, o, state);
    physad_tensors_free(file);
    return status;
}
