/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

/* Everything in the accumulator as plain arrays, in the order of adding; groups in an order that adding does not touch.
 */
typedef struct table {
    int64_t n, groups;
    double *score;
    uint8_t *label;
    int32_t *group;
} table;

typedef struct item_order {
    const physad_scores *scores;
    const int32_t *type_rank;
} item_order;

static int compare_doubles(double a, double b)
{
    return a < b ? -1 : a > b;
}

static int compare_items(int32_t a, int32_t b, const void *user)
{
    const item_order *o = user;
    const physad__score_item *x = &o->scores->item[a], *y = &o->scores->item[b];
    int c = compare_doubles(x->score, y->score);
    if (c == 0)
        c = x->label - y->label;
    if (c == 0 && x->label == 1)
        c = o->type_rank[x->type] - o->type_rank[y->type];
    if (c == 0)
        c = x->typed_count - y->typed_count;
    for (int32_t i = 0; c == 0 && i < x->typed_count; i++) {
        c = o->type_rank[o->scores->typed_name[x->typed_first + i]] -
            o->type_rank[o->scores->typed_name[y->typed_first + i]];
        if (c == 0)
            c = compare_doubles(o->scores->typed_score[x->typed_first + i], o->scores->typed_score[y->typed_first + i]);
    }
    return c;
}

/* Named groups by name, then the samples without a group by what they are: equal ones are interchangeable. */
static physad_status number_groups(const physad_scores *s, table *t)
{
    physad__mem *mem = &s->ctx->mem;
    physad_status status = PHYSAD_ERR_NOMEM;
    int32_t *type_rank = physad__alloc_array(mem, s->types.count, sizeof(*type_rank), "order of types");
    int32_t *group_rank = physad__alloc_array(mem, s->groups.count, sizeof(*group_rank), "order of groups");
    int32_t *order = physad__alloc_array(mem, 2 * s->count, sizeof(*order), "order of samples");
    if (type_rank == NULL || group_rank == NULL || order == NULL)
        goto done;
    if ((status = physad__names_rank(&s->types, type_rank)) != PHYSAD_OK ||
        (status = physad__names_rank(&s->groups, group_rank)) != PHYSAD_OK)
        goto done;
    for (int64_t i = 0; i < s->count; i++)
        order[i] = (int32_t)i;
    const item_order by = { s, type_rank };
    physad__sort_ids(order, order + s->count, s->count, compare_items, &by);
    t->groups = s->groups.count;
    for (int64_t i = 0; i < s->count; i++) {
        const int32_t group = s->item[order[i]].group;
        t->group[order[i]] = group >= 0 ? group_rank[group] : (int32_t)t->groups++;
    }
done:
    physad__free(type_rank);
    physad__free(group_rank);
    physad__free(order);
    return status;
}

static void table_free(table *t)
{
    physad__free(t->score);
    physad__free(t->label);
    physad__free(t->group);
}

static physad_status table_new(table *t, const physad_scores *s)
{
    physad__mem *mem = &s->ctx->mem;
    *t = (table){ .n = s->count };
    t->score = physad__alloc_array(mem, t->n, sizeof(*t->score), "scores");
    t->label = physad__alloc_array(mem, t->n, sizeof(*t->label), "labels");
    t->group = physad__alloc_array(mem, t->n, sizeof(*t->group), "groups");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (t->score != NULL && t->label != NULL && t->group != NULL) {
        for (int64_t i = 0; i < t->n; i++) {
            t->score[i] = s->item[i].score;
            t->label[i] = (uint8_t)s->item[i].label;
        }
        status = number_groups(s, t);
    }
    if (status != PHYSAD_OK)
        table_free(t);
    return status;
}

/* --- bootstrap of one ranking, or of the difference of two --- */

typedef struct replicates {
    const physad__ranked *first, *second; /* second: NULL, or the AUROC subtracted */
    int64_t cut;
    bool all; /* not the AUROC alone */
    double *auroc, *ap, *f1_max, *accuracy;
} replicates;

static void work_on_replicate(void *user, int64_t index, const uint32_t *weight)
{
    replicates *r = user;
    physad__sweep sweep;
    if (!r->all) {
        r->auroc[index] = physad__ranked_auroc(r->first, weight);
        if (r->second != NULL)
            r->auroc[index] -= physad__ranked_auroc(r->second, weight);
        return;
    }
    physad__ranked_sweep(r->first, weight, r->cut, &sweep);
    r->auroc[index] = sweep.auroc;
    r->ap[index] = sweep.ap;
    r->f1_max[index] = sweep.f1_max;
    r->accuracy[index] = sweep.accuracy;
}

static physad_status group_counts(const physad__ranked *r, physad__mem *mem, int64_t **positives, int64_t **negatives)
{
    int64_t *p = physad__alloc_array(mem, 2 * r->groups, sizeof(*p), "counts by group");
    if (p == NULL)
        return PHYSAD_ERR_NOMEM;
    memset(p, 0, (size_t)(2 * r->groups) * sizeof(*p));
    for (int64_t i = 0; i < r->count; i++)
        p[r->group[i] + (r->label[i] ? 0 : r->groups)]++;
    *positives = p;
    *negatives = p + r->groups;
    return PHYSAD_OK;
}

/* Sets the intervals of metric[4] (auroc, ap, f1_max, accuracy), or of metric[0] alone. */
static physad_status intervals(physad__call *call, const physad__ranked *first, const physad__ranked *second,
                               int64_t cut, const physad_measure_options *options, bool all, physad_metric *metric)
{
    physad__mem *mem = &call->ctx->mem;
    const int64_t n = options->replicates;
    int64_t *positives, *negatives;
    physad__strata strata;
    PHYSAD__TRY(group_counts(first, mem, &positives, &negatives));
    physad_status status = physad__strata_new(&strata, mem, positives, negatives, first->groups);
    physad__free(positives);
    PHYSAD__TRY(status);
    const char *reason = physad__no_interval(&strata, options);
    for (int i = 0; i < (all ? 4 : 1); i++)
        if (!isnan(metric[i].value))
            metric[i].interval_reason = reason;
    double *values = NULL;
    if (reason == NULL && (values = physad__alloc_array(mem, 4 * n, sizeof(*values), "bootstrap")) == NULL)
        status = PHYSAD_ERR_NOMEM;
    if (values != NULL) {
        replicates r = { first, second, cut, all, values, values + n, values + 2 * n, values + 3 * n };
        status = physad__bootstrap(call, &strata, first->groups, first->count, options, work_on_replicate, &r);
        for (int i = 0; i < (all ? 4 : 1) && status == PHYSAD_OK; i++)
            physad__interval(&metric[i], values + i * n, n, options->level);
    }
    physad__free(values);
    physad__strata_free(&strata);
    return status;
}

/* --- types --- */

/* Picks the normal or the other anomalous samples beside those of `type`, and ranks them. */
static physad_status rank_type(physad__ranked *out, const physad_scores *s, const table *t, int32_t type, bool vs_rest,
                               const double *score)
{
    physad__mem *mem = &s->ctx->mem;
    table part = { .n = 0 };
    part.score = physad__alloc_array(mem, t->n, sizeof(*part.score), "scores of a type");
    part.label = physad__alloc_array(mem, t->n, sizeof(*part.label), "labels of a type");
    part.group = physad__alloc_array(mem, t->n, sizeof(*part.group), "groups of a type");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (part.score != NULL && part.label != NULL && part.group != NULL) {
        for (int64_t i = 0; i < t->n; i++) {
            const bool positive = s->item[i].label == 1 && s->item[i].type == type;
            if (!positive && (s->item[i].label == 1) != vs_rest)
                continue;
            part.score[part.n] = score[i];
            part.label[part.n] = positive;
            part.group[part.n++] = t->group[i];
        }
        status = physad__ranked_new(out, mem, part.n, part.score, part.label, part.group, t->groups);
    }
    table_free(&part);
    return status;
}

/* The type's own scores of the anomalous samples: how many have one. */
static int64_t typed_scores(const physad_scores *s, int32_t type, double *out)
{
    int64_t found = 0;
    for (int64_t i = 0; i < s->count; i++) {
        const physad__score_item *item = &s->item[i];
        out[i] = item->score;
        for (int64_t j = item->typed_first; item->label == 1 && j < item->typed_first + item->typed_count; j++) {
            if (s->typed_name[j] == type) {
                out[i] = s->typed_score[j];
                found++;
                break;
            }
        }
    }
    return found;
}

static physad_status type_auroc(physad_metric *out, physad__call *call, const physad_scores *s, const table *t,
                                int32_t type, bool vs_rest, const double *score, const physad_measure_options *options)
{
    physad__ranked ranked;
    PHYSAD__TRY(rank_type(&ranked, s, t, type, vs_rest, score));
    *out = physad__metric_none(vs_rest ? "no other type was added" : "nothing normal was added");
    physad_status status = PHYSAD_OK;
    if (ranked.negatives > 0) {
        out->reason = NULL;
        out->value = physad__ranked_auroc(&ranked, NULL);
        status = intervals(call, &ranked, NULL, 0, options, false, out);
    }
    physad__ranked_free(&ranked);
    return status;
}

static physad_status measure_type(physad_metrics *m, physad__call *call, const physad_scores *s, const table *t,
                                  int32_t type, double *scratch, const physad_measure_options *options)
{
    physad__type_metric *slot = &m->type[m->type_count];
    slot->name = physad__strdup(&s->ctx->mem, s->types.text[type]);
    if (slot->name == NULL)
        return PHYSAD_ERR_NOMEM;
    m->type_count++;
    PHYSAD__TRY(type_auroc(&slot->vs_good, call, s, t, type, false, t->score, options));
    const int64_t typed = typed_scores(s, type, scratch);
    if (typed > 0 && typed < m->positives) {
        slot->vs_rest = physad__metric_none("some anomalous samples have no score for this type");
        return PHYSAD_OK;
    }
    return type_auroc(&slot->vs_rest, call, s, t, type, true, scratch, options);
}

static void put_mean(physad_metric *mean, double sum, int64_t count)
{
    *mean = physad__metric_none("no type has one");
    if (count > 0) {
        mean->value = sum / (double)count;
        mean->reason = NULL;
        mean->interval_reason = "means over types have none";
    }
}

static physad_status type_means(physad_metrics *m)
{
    double sum[2] = { 0, 0 };
    int64_t count[2] = { 0, 0 };
    physad_metric mean;
    for (int64_t i = 0; i < m->type_count; i++) {
        const double value[2] = { m->type[i].vs_good.value, m->type[i].vs_rest.value };
        for (int k = 0; k < 2; k++) {
            sum[k] += isnan(value[k]) ? 0 : value[k];
            count[k] += !isnan(value[k]);
        }
    }
    put_mean(&mean, sum[0], count[0]);
    PHYSAD__TRY(physad__metrics_put(m, "type_auroc_vs_good", &mean));
    put_mean(&mean, sum[1], count[1]);
    return physad__metrics_put(m, "type_auroc_vs_rest", &mean);
}

static physad_status measure_types(physad_metrics *m, physad__call *call, const physad_scores *s, const table *t,
                                   const physad_measure_options *options)
{
    physad__mem *mem = &s->ctx->mem;
    physad_status status = PHYSAD_ERR_NOMEM;
    const int64_t names = s->types.count;
    int32_t *rank = physad__alloc_array(mem, names, sizeof(*rank), "order of types");
    int32_t *by_rank = physad__alloc_array(mem, names, sizeof(*by_rank), "order of types");
    uint8_t *used = physad__alloc_zero(mem, (size_t)names, "types");
    double *scratch = physad__alloc_array(mem, t->n, sizeof(*scratch), "scores of a type");
    m->type = physad__alloc_array(mem, names, sizeof(*m->type), "types");
    if (rank == NULL || by_rank == NULL || used == NULL || scratch == NULL || m->type == NULL)
        goto done;
    if ((status = physad__names_rank(&s->types, rank)) != PHYSAD_OK)
        goto done;
    for (int64_t i = 0; i < names; i++)
        by_rank[rank[i]] = (int32_t)i;
    for (int64_t i = 0; i < t->n; i++)
        if (s->item[i].label == 1)
            used[s->item[i].type] = 1;
    for (int64_t i = 0; i < names && status == PHYSAD_OK; i++)
        if (used[by_rank[i]])
            status = measure_type(m, call, s, t, by_rank[i], scratch, options);
done:
    physad__free(rank);
    physad__free(by_rank);
    physad__free(used);
    physad__free(scratch);
    return status == PHYSAD_OK ? type_means(m) : status;
}

/* --- all --- */

static physad_status put_curve(physad_metrics *m, const physad__ranked *r)
{
    int64_t above[2] = { 0, 0 };
    const double positives = r->positives > 0 ? (double)r->positives : NAN;
    const double negatives = r->negatives > 0 ? (double)r->negatives : NAN;
    PHYSAD__TRY(physad__metrics_row(m, INFINITY, 0 / negatives, 0 / positives, 1, NAN));
    for (int64_t t = r->ties - 1; t >= 0; t--) {
        for (int64_t i = r->start[t]; i < r->start[t + 1]; i++)
            above[r->label[i]]++;
        PHYSAD__TRY(physad__metrics_row(m, r->value[t], (double)above[0] / negatives, (double)above[1] / positives,
                                        (double)above[1] / (double)(above[0] + above[1]), NAN));
    }
    return PHYSAD_OK;
}

/* The first tie called anomalous by "score > threshold". */
static int64_t cut_above(const physad__ranked *r, double threshold)
{
    int64_t t = r->ties;
    while (t > 0 && r->value[t - 1] > threshold)
        t--;
    return t;
}

static physad_status measure_ranked(physad_metrics *m, physad__call *call, const physad__ranked *r,
                                    const physad_measure_options *options)
{
    static const char *const names[4] = { "auroc", "ap", "f1_max", "accuracy" };
    const char *reason = physad__missing_class(r->positives, r->negatives);
    physad__sweep sweep;
    physad_metric metric[4];
    physad__ranked_sweep(r, NULL, r->ties, &sweep);
    const double f1_threshold = sweep.f1_tie >= 0 ? r->value[sweep.f1_tie] : NAN;
    const int64_t cut = options->use_threshold ? cut_above(r, options->threshold) : physad__max(sweep.f1_tie, 0);
    physad__ranked_sweep(r, NULL, cut, &sweep);
    if (!options->use_threshold && reason != NULL)
        sweep.accuracy = NAN;
    const double value[4] = { sweep.auroc, sweep.ap, sweep.f1_max, sweep.accuracy };
    for (int i = 0; i < 4; i++) {
        metric[i] = physad__metric_none(reason);
        metric[i].value = value[i];
        metric[i].reason = isnan(value[i]) ? reason : NULL;
    }
    metric[2].threshold = f1_threshold;
    metric[3].threshold = options->use_threshold ? options->threshold : f1_threshold;
    if (reason == NULL)
        PHYSAD__TRY(intervals(call, r, NULL, cut, options, true, metric));
    for (int i = 0; i < 4; i++)
        PHYSAD__TRY(physad__metrics_put(m, names[i], &metric[i]));
    return put_curve(m, r);
}

static physad_status measure(physad_metrics *m, physad__call *call, const physad_scores *s,
                             const physad_measure_options *options)
{
    physad__ranked ranked;
    table t;
    PHYSAD__TRY(table_new(&t, s));
    physad_status status = physad__ranked_new(&ranked, &s->ctx->mem, t.n, t.score, t.label, t.group, t.groups);
    if (status == PHYSAD_OK) {
        m->positives = ranked.positives;
        m->negatives = ranked.negatives;
        status = measure_ranked(m, call, &ranked, options);
        int64_t *positives, *negatives;
        if (status == PHYSAD_OK)
            status = group_counts(&ranked, &s->ctx->mem, &positives, &negatives);
        if (status == PHYSAD_OK) {
            for (int64_t g = 0; g < t.groups; g++)
                m->groups += positives[g] + negatives[g] > 0;
            physad__free(positives);
        }
        physad__ranked_free(&ranked);
    }
    if (status == PHYSAD_OK)
        status = measure_types(m, call, s, &t, options);
    table_free(&t);
    return status;
}

physad_status physad_scores_measure(physad_metrics **out, const physad_scores *scores,
                                    const physad_measure_options *options, const physad_call_options *call)
{
    physad_measure_options o;
    physad__call running;
    if (out == NULL || scores == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_measure: %s is NULL", out == NULL ? "out" : "scores");
    *out = NULL;
    PHYSAD__TRY(physad__measure_options(&o, options));
    PHYSAD__TRY(physad__call_begin(&running, scores->ctx, call, "physad_scores_measure"));
    physad_metrics *m = NULL;
    physad_status status = physad__metrics_new(&m, scores->ctx);
    if (status == PHYSAD_OK)
        status = measure(m, &running, scores, &o);
    physad__call_end(&running);
    if (status == PHYSAD_OK)
        *out = m;
    else
        physad_metrics_free(m);
    return status;
}

/* --- two methods --- */

/* Both rankings with the same numbers for the same groups. */
static physad_status rank_named(physad__ranked *out, const physad_scores *s)
{
    table t;
    for (int64_t i = 0; i < s->count; i++)
        if (s->item[i].group < 0)
            return physad__error(PHYSAD_ERR_ARG,
                                 "physad_scores_compare: sample %lld has no group to be paired by; name its group",
                                 (long long)i);
    PHYSAD__TRY(table_new(&t, s));
    const physad_status status = physad__ranked_new(out, &s->ctx->mem, t.n, t.score, t.label, t.group, t.groups);
    table_free(&t);
    return status;
}

static physad_status check_paired(const physad_scores *a, const physad_scores *b, const physad__ranked *x,
                                  const physad__ranked *y)
{
    physad__mem *mem = &a->ctx->mem;
    int64_t *pa = NULL, *na, *pb = NULL, *nb;
    physad_status status;
    if (a->groups.count != b->groups.count)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_compare: the first has %lld groups, the second %lld",
                             (long long)a->groups.count, (long long)b->groups.count);
    int32_t *rank = physad__alloc_array(mem, 3 * a->groups.count, sizeof(*rank), "order of groups");
    if (rank == NULL)
        return PHYSAD_ERR_NOMEM;
    int32_t *other = rank + a->groups.count, *by_rank = other + a->groups.count;
    if ((status = physad__names_rank(&a->groups, rank)) != PHYSAD_OK ||
        (status = physad__names_rank(&b->groups, other)) != PHYSAD_OK ||
        (status = group_counts(x, mem, &pa, &na)) != PHYSAD_OK ||
        (status = group_counts(y, mem, &pb, &nb)) != PHYSAD_OK)
        goto done;
    for (int64_t i = 0; i < b->groups.count; i++)
        by_rank[other[i]] = (int32_t)i;
    for (int64_t i = 0; i < a->groups.count && status == PHYSAD_OK; i++) {
        const int32_t g = rank[i];
        const char *name = a->groups.text[i], *theirs = b->groups.text[by_rank[g]];
        if (strcmp(name, theirs) != 0)
            status = physad__error(PHYSAD_ERR_ARG,
                                   "physad_scores_compare: the first has group \"%s\" where the second has \"%s\"",
                                   name, theirs);
        else if (pa[g] != pb[g] || na[g] != nb[g])
            status = physad__error(
                PHYSAD_ERR_ARG,
                "physad_scores_compare: group \"%s\" has %lld normal and %lld anomalous samples in the first, "
                "%lld and %lld in the second",
                name, (long long)na[g], (long long)pa[g], (long long)nb[g], (long long)pb[g]);
    }
done:
    physad__free(rank);
    physad__free(pa);
    physad__free(pb);
    return status;
}

static physad_status compare(const physad_scores *first, const physad_scores *second,
                             const physad_measure_options *options, physad__call *call, physad_metric *metric)
{
    physad__ranked x, y;
    PHYSAD__TRY(rank_named(&x, first));
    physad_status status = rank_named(&y, second);
    if (status != PHYSAD_OK) {
        physad__ranked_free(&x);
        return status;
    }
    status = check_paired(first, second, &x, &y);
    *metric = physad__metric_none(physad__missing_class(x.positives, x.negatives));
    if (status == PHYSAD_OK && metric->reason == NULL) {
        metric->value = physad__ranked_auroc(&x, NULL) - physad__ranked_auroc(&y, NULL);
        status = intervals(call, &x, &y, 0, options, false, metric);
    }
    physad__ranked_free(&x);
    physad__ranked_free(&y);
    return status;
}

physad_status physad_scores_compare(const physad_scores *first, const physad_scores *second,
                                    const physad_measure_options *options, physad_metric *difference,
                                    const physad_call_options *call)
{
    physad_measure_options o;
    physad__call running;
    physad_metric metric;
    if (first == NULL || second == NULL || difference == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_compare: %s is NULL",
                             first == NULL ? "first" : (second == NULL ? "second" : "difference"));
    PHYSAD__TRY(physad__context_check(second->ctx, "physad_scores_compare"));
    PHYSAD__TRY(physad__measure_options(&o, options));
    PHYSAD__TRY(physad__call_begin(&running, first->ctx, call, "physad_scores_compare"));
    const physad_status status = compare(first, second, &o, &running, &metric);
    physad__call_end(&running);
    PHYSAD__TRY(status);
    return physad__metric_write(difference, &metric, "physad_scores_compare");
}
