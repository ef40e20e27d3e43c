/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of parameters. */
#include "nn/nn.h"

#include <math.h>

void physad__params_init(physad__params *params, physad__mem *mem, uint64_t seed)
{
    *params = (physad__params){ .mem = mem, .seed = seed };
}

static void param_clear(physad__param *p)
{
    physad__free(p->name);
    physad__free(p->data);
    physad__free(p->grad);
}

void physad__params_clear(physad__params *params)
{
    for (int64_t i = 0; i < params->count; i++)
        param_clear(&params->items[i]);
    physad__free(params->items);
    *params = (physad__params){ .mem = params->mem, .seed = params->seed };
}

int32_t physad__params_find(const physad__params *params, const char *name)
{
    for (int64_t i = 0; i < params->count; i++)
        if (strcmp(params->items[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static void draw(const physad__params *params, physad__param *p, const physad__param_init *init)
{
    if (init->spread > 0 && init->draw == PHYSAD__DRAW_UNIFORM)
        physad__nn_draw_uniform(params->seed, p->name, -init->spread, init->spread, p->data, p->count);
    else if (init->spread > 0)
        physad__nn_draw_normal(params->seed, p->name, init->spread, p->data, p->count);
    else
        memset(p->data, 0, (size_t)p->count * sizeof(float));
    for (int64_t i = 0; init->middle != 0 && i < p->count; i++)
        p->data[i] += (float)init->middle;
}

static physad_status make(physad__params *params, const char *name, int32_t ndim, const int64_t *shape,
                          const physad__param_init *init, bool trained)
{
    physad__param p = { .ndim = ndim, .count = 1 };
    PHYSAD__TRY(
        physad__grow(params->mem, &params->items, &params->capacity, params->count + 1, sizeof(p), "parameters"));
    for (int32_t i = 0; i < ndim; i++) {
        p.shape[i] = shape[i];
        if (physad__mul_overflow(p.count, shape[i], &p.count) || p.count < 1 || p.count > INT64_C(1) << 40)
            return physad__error(PHYSAD_ERR_SHAPE, "parameter %s: extent %lld of axis %d", name, (long long)shape[i],
                                 ndim);
    }
    p.name = physad__strdup(params->mem, name);
    p.data = physad__alloc_array(params->mem, p.count, sizeof(float), "parameters");
    p.grad = trained ? physad__alloc_zero(params->mem, (size_t)p.count * sizeof(float), "gradients") : NULL;
    if (p.name == NULL || p.data == NULL || (trained && p.grad == NULL)) {
        param_clear(&p);
        return PHYSAD_ERR_NOMEM;
    }
    draw(params, &p, init);
    params->version++;
    params->items[params->count++] = p;
    return PHYSAD_OK;
}

physad_status physad__params_get(physad__params *params, int32_t *index, const char *name, int32_t ndim,
                                 const int64_t *shape, const physad__param_init *init, bool trained)
{
    char got[160], want[160];
    *index = physad__params_find(params, name);
    if (*index < 0) {
        PHYSAD__TRY(make(params, name, ndim, shape, init, trained));
        *index = (int32_t)(params->count - 1);
    }
    const physad__param *p = &params->items[*index];
    if (p->ndim != ndim || memcmp(p->shape, shape, (size_t)ndim * sizeof(int64_t)) != 0)
        return physad__error(PHYSAD_ERR_SHAPE, "parameter %s has shape %s, want %s", name,
                             physad__shape_text(got, sizeof(got), p->ndim, p->shape),
                             physad__shape_text(want, sizeof(want), ndim, shape));
    return PHYSAD_OK;
}

void physad__params_zero_grad(physad__params *params)
{
    for (int64_t i = 0; i < params->count; i++)
        if (params->items[i].grad != NULL)
            memset(params->items[i].grad, 0, (size_t)params->items[i].count * sizeof(float));
}

void physad__params_freeze(physad__params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        physad__free(params->items[i].grad);
        params->items[i].grad = NULL;
    }
}

int64_t physad__params_trained(const physad__params *params)
{
    int64_t n = 0;
    for (int64_t i = 0; i < params->count; i++)
        n += params->items[i].grad != NULL ? params->items[i].count : 0;
    return n;
}
