/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: what is usual among the normal videos: of views, points of time, rules and patches. */
#include "detect/motion_fit.h"

#include <math.h>

/* Mean, and spread within instances (between them by half, as with the rules), of one number of a view. */
static void learn_number(const physad__motion_gathered *f, const physad__view_model *v, int64_t dim, int64_t k,
                         double *mean, double *square)
{
    double sum = 0, free = 0;
    *square = 0;
    for (int64_t i = 0; i < f->count; i++)
        sum += (double)v->rows[i * dim + k] / (double)f->count;
    for (int64_t lead = 0; lead < f->count; lead++) {
        double own = 0, n = 0;
        if (f->instance[lead] != lead)
            continue;
        for (int64_t i = lead; i < f->count; i++)
            if (f->instance[i] == lead) {
                own += (double)v->rows[i * dim + k];
                n++;
            }
        own /= n;
        for (int64_t i = lead; i < f->count; i++)
            if (f->instance[i] == lead)
                *square += pow((double)v->rows[i * dim + k] - own, 2) + pow(own - sum, 2) / 4;
        free += n - 1;
    }
    *mean = sum;
    *square /= fmax(1, free);
}

/* Numbers that hardly vary count no more than a third of what the view's others do on the mean. */
physad_status physad__learn_view(physad__motion_gathered *f, int64_t view)
{
    physad__view_model *v = &f->m->view[view];
    const int64_t dim = physad__view_kinds[view].dim;
    double whole = 0, *square = physad__alloc_array(f->mem, physad__max(dim, f->count), sizeof(*square), "views");
    if (square == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t k = 0; k < dim; k++) {
        double mean;
        learn_number(f, v, dim, k, &mean, &square[k]);
        v->mean[k] = (float)mean;
        whole += square[k] / (double)dim;
    }
    for (int64_t k = 0; k < dim; k++)
        v->inverse[k] = (float)(1 / sqrt(square[k] + 0.09 * whole + 1e-12));
    f->m->count = f->count;
    for (int64_t i = 0; i < f->count; i++)
        square[i] = physad__view_distance(f->m, view, v->rows + i * dim, i);
    physad__usual_learn(&v->usual, square, f->count);
    physad__free(square);
    return PHYSAD_OK;
}

physad_status physad__learn_points(physad__motion_gathered *f)
{
    enum { POINTS = PHYSAD__VIEW_POINTS };
    double *all = physad__alloc_zero(f->mem, (size_t)(f->count * POINTS) * sizeof(*all), "views");
    if (all == NULL)
        return PHYSAD_ERR_NOMEM;
    int views = 0;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        const physad__view_kind *kind = &physad__view_kinds[v];
        views += kind->curve != NULL;
        for (int64_t i = 0; kind->curve != NULL && i < f->count * POINTS; i++)
            all[i] += physad__motion_deviation(
                f->m, v, i % POINTS, f->m->view[v].rows + i / POINTS * kind->dim + i % POINTS * kind->channels);
    }
    for (int64_t i = 0; i < f->count * POINTS; i++)
        all[i] /= views;
    physad__usual_learn(&f->m->point, all, f->count * POINTS);
    physad__free(all);
    return PHYSAD_OK;
}

/* The rules, and how well takes keep to rules that were learned without them. */
physad_status physad__learn_rules(physad__motion_gathered *f)
{
    physad__motion_model *m = f->m;
    int64_t worst, *instance = physad__alloc_array(f->mem, f->takes, sizeof(*instance), "rules");
    double *odd = physad__alloc_array(f->mem, f->takes, sizeof(*odd), "rules");
    if (instance == NULL || odd == NULL) {
        physad__free(instance);
        physad__free(odd);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < f->takes; i++) { /* the first take of the same thing */
        instance[i] = i;
        for (int64_t k = 0; k < i && instance[i] == i; k++)
            instance[i] = f->instance[f->take[k]] == f->instance[f->take[i]] ? instance[k] : i;
    }
    for (int64_t i = 0; i < f->takes; i++) {
        if (i == 0 || f->take[i] != f->take[i - 1])
            physad__rules_learn(m->rules, f->values, f->takes, instance, f->take, f->count > 1 ? f->take[i] : -1,
                                !m->episodes);
        odd[i] = physad__rules_oddness(m->rules, f->values + i * PHYSAD__RULES, &worst);
    }
    physad__usual_learn(&m->rule, odd, f->takes);
    physad__rules_learn(m->rules, f->values, f->takes, instance, f->take, -1, !m->episodes);
    physad__free(instance);
    physad__free(odd);
    return PHYSAD_OK;
}

/* All that moves was met again exactly in the others: how much normal takes differ cannot be told. */
static physad_status all_alike(const physad__motion_gathered *f)
{
    const char *name = f->det->method->name;
    int64_t moving = 0;
    for (int64_t v = 0; v < f->count; v++)
        moving += f->kept[v] > 0;
    if (f->count == 1)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "%s: one normal video does not tell how much normal takes differ; want two or more that "
                             "were recorded apart",
                             name);
    if (moving == 1)
        return physad__error(PHYSAD_ERR_NUMERIC,
                             "%s: in one of the %lld normal videos alone something moves; want two or more that show "
                             "the thing in use",
                             name, (long long)f->count);
    return physad__error(PHYSAD_ERR_NUMERIC,
                         "%s: the %lld normal videos are copies of each other, which do not tell how much normal "
                         "takes differ; want two or more that were recorded apart",
                         name, (long long)f->count);
}

physad_status physad__learn_patches(physad__motion_gathered *f)
{
    double *one = physad__alloc_array(f->mem, f->takes, sizeof(*one), "scores");
    if (one == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int p = 0; p < PHYSAD__POOLS; p++) {
        for (int64_t i = 0; i < f->takes; i++)
            one[i] = f->pools[i * PHYSAD__POOLS + p];
        physad__usual_learn(&f->m->pool[p], one, f->takes);
    }
    physad__free(one);
    if (f->frame_count == 0)
        return all_alike(f);
    physad__usual_learn(&f->m->frame, f->frames, f->frame_count);
    return PHYSAD_OK;
}
