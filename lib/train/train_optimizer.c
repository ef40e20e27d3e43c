/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) and SGD with momentum, number by number as
 * PyTorch does them. */
#include "train/train.h"

#include <math.h>

enum { LANES = 64 };

static physad_status allocate(physad__optimizer *o)
{
    physad__mem *mem = o->params->mem;
    const bool adam = o->options.kind != PHYSAD__SGD;
    o->first = physad__alloc_zero(mem, (size_t)o->count * sizeof(*o->first), "optimiser");
    o->second = physad__alloc_zero(mem, (size_t)o->count * sizeof(*o->second), "optimiser");
    if (o->first == NULL || o->second == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < o->count; i++) {
        const physad__param *p = &o->params->items[i];
        const size_t bytes = (size_t)p->count * sizeof(float);
        if (p->grad == NULL)
            continue;
        if (adam || o->options.momentum != 0) {
            o->first[i] = physad__alloc_zero(mem, bytes, "optimiser");
            if (o->first[i] == NULL)
                return PHYSAD_ERR_NOMEM;
        }
        if (adam) {
            o->second[i] = physad__alloc_zero(mem, bytes, "optimiser");
            if (o->second[i] == NULL)
                return PHYSAD_ERR_NOMEM;
        }
    }
    return PHYSAD_OK;
}

physad_status physad__optimizer_new(physad__optimizer **out, physad__params *params,
                                    const physad__optimizer_options *options)
{
    physad__optimizer *o = physad__alloc_zero(params->mem, sizeof(*o), "optimiser");
    if (o == NULL)
        return PHYSAD_ERR_NOMEM;
    o->options = *options;
    o->options.beta1 = options->beta1 != 0 ? options->beta1 : 0.9;
    o->options.beta2 = options->beta2 != 0 ? options->beta2 : 0.999;
    o->options.eps = options->eps != 0 ? options->eps : 1e-8;
    o->params = params;
    o->count = params->count;
    const physad_status status = allocate(o);
    if (status != PHYSAD_OK) {
        physad__optimizer_free(o);
        return status;
    }
    *out = o;
    return PHYSAD_OK;
}

void physad__optimizer_free(physad__optimizer *o)
{
    if (o == NULL)
        return;
    for (int64_t i = 0; i < o->count; i++) {
        if (o->first != NULL)
            physad__free(o->first[i]);
        if (o->second != NULL)
            physad__free(o->second[i]);
    }
    physad__free(o->first);
    physad__free(o->second);
    physad__free(o);
}

/* Of all gradients together, in fixed parts. */
static double norm(const physad__optimizer *o)
{
    double sum = 0;
    for (int64_t i = 0; i < o->count; i++) {
        const physad__param *p = &o->params->items[i];
        double lanes[LANES] = { 0 };
        if (p->grad == NULL)
            continue;
#pragma omp parallel for schedule(static)
        for (int64_t l = 0; l < LANES; l++)
            for (int64_t k = p->count * l / LANES; k < p->count * (l + 1) / LANES; k++)
                lanes[l] += (double)p->grad[k] * (double)p->grad[k];
        for (int64_t l = 0; l < LANES; l++)
            sum += lanes[l];
    }
    return sqrt(sum);
}

static void adam(const physad__optimizer *o, int64_t i, float rate, float scale)
{
    const physad__optimizer_options *s = &o->options;
    const physad__param *p = &o->params->items[i];
    const double steps = (double)o->steps, root = sqrt(1 - pow(s->beta2, steps));
    const float step = (float)((double)rate / (1 - pow(s->beta1, steps))), eps = (float)s->eps,
                inverse = (float)(1 / root);
    const float b1 = (float)(1 - s->beta1), b2 = (float)s->beta2, c2 = (float)(1 - s->beta2);
    const float added = s->kind == PHYSAD__ADAM ? (float)s->decay : 0;
    const float kept = s->kind == PHYSAD__ADAMW ? (float)(1 - (double)rate * s->decay) : 1;
    float *x = p->data, *m = o->first[i], *v = o->second[i];
    const float *grad = p->grad;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p->count; k++) {
        const float w = x[k] * kept, g = grad[k] * scale + added * w;
        m[k] += b1 * (g - m[k]);
        v[k] = v[k] * b2 + c2 * g * g;
        x[k] = w - step * (m[k] / (sqrtf(v[k]) * inverse + eps));
    }
}

static void sgd(const physad__optimizer *o, int64_t i, float rate, float scale)
{
    const physad__param *p = &o->params->items[i];
    const float decay = (float)o->options.decay, momentum = (float)o->options.momentum;
    float *x = p->data, *m = o->first[i];
    const float *grad = p->grad;
#pragma omp parallel for schedule(static)
    for (int64_t k = 0; k < p->count; k++) {
        float g = grad[k] * scale + decay * x[k];
        if (m != NULL)
            g = m[k] = momentum * m[k] + g;
        x[k] -= rate * g;
    }
}

physad_status physad__optimizer_step(physad__optimizer *o, double factor)
{
    const double length = norm(o);
    float scale = 1;
    if (o->params->count != o->count)
        return physad__error(PHYSAD_ERR_STATE, "training: a parameter was added after the optimiser was made");
    if (!isfinite(length))
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "training: the gradients are not finite after %lld steps; a smaller learning rate "
                             "or clipping may help",
                             (long long)o->steps);
    if (o->options.clip > 0 && length > o->options.clip)
        scale = (float)(o->options.clip / (length + 1e-6));
    o->steps++;
    for (int64_t i = 0; i < o->count; i++) {
        if (o->params->items[i].grad == NULL)
            continue;
        if (o->options.kind == PHYSAD__SGD)
            sgd(o, i, (float)(o->options.rate * factor), scale);
        else
            adam(o, i, (float)(o->options.rate * factor), scale);
    }
    o->params->version++;
    return PHYSAD_OK;
}

double physad__schedule_factor(const physad__schedule *s, int64_t epoch)
{
    const int64_t every = physad__max(s->every, 1);
    switch (s->kind) {
    case PHYSAD__STEPS: return pow(s->gamma, (double)(epoch / every));
    case PHYSAD__COSINE:
        return 0.5 * (1 + cos(3.14159265358979323846 * (double)physad__min(epoch, every) / (double)every));
    default: return 1;
    }
}
