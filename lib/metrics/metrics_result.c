/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

physad_status physad__metrics_new(physad_metrics **out, physad_context *ctx)
{
    *out = physad__alloc_zero(&ctx->mem, sizeof(**out), "metrics");
    if (*out == NULL)
        return PHYSAD_ERR_NOMEM;
    (*out)->ctx = physad__context_retain(ctx);
    return PHYSAD_OK;
}

void physad_metrics_free(physad_metrics *metrics)
{
    if (metrics == NULL)
        return;
    physad_context *ctx = metrics->ctx;
    for (int64_t i = 0; i < metrics->type_count; i++)
        physad__free(metrics->type[i].name);
    physad__free(metrics->type);
    physad__free(metrics->metric);
    physad__free(metrics->curve);
    physad__free(metrics);
    physad_context_free(ctx);
}

physad_metric physad__metric_none(const char *reason)
{
    return (physad_metric){ .struct_size = sizeof(physad_metric),
                            .value = NAN,
                            .lower = NAN,
                            .upper = NAN,
                            .threshold = NAN,
                            .reason = reason,
                            .interval_reason = reason };
}

physad_status physad__metrics_put(physad_metrics *m, const char *name, const physad_metric *metric)
{
    PHYSAD__TRY(physad__grow(&m->ctx->mem, &m->metric, &m->capacity, m->count + 1, sizeof(*m->metric), "metrics"));
    physad__named_metric *slot = &m->metric[m->count++];
    physad__snprintf(slot->name, sizeof(slot->name), "%s", name);
    slot->metric = *metric;
    return PHYSAD_OK;
}

physad_status physad__metrics_row(physad_metrics *m, double threshold, double fpr, double tpr, double precision,
                                  double pro)
{
    const double row[PHYSAD_CURVE_COLUMNS] = { threshold, fpr, tpr, precision, pro };
    PHYSAD__TRY(physad__grow(&m->ctx->mem, &m->curve, &m->row_capacity, m->rows + 1, sizeof(row), "curve"));
    memcpy(m->curve + m->rows++ * PHYSAD_CURVE_COLUMNS, row, sizeof(row));
    return PHYSAD_OK;
}

physad_status physad__metric_write(physad_metric *out, const physad_metric *metric, const char *what)
{
    const uint32_t size = out->struct_size;
    if (size < sizeof(*metric) || size > 4096)
        return physad__error(PHYSAD_ERR_ARG, "%s: struct_size is %u; initialise it with PHYSAD_METRIC_INIT", what,
                             size);
    memset(out, 0, size);
    memcpy(out, metric, sizeof(*metric));
    out->struct_size = size;
    return PHYSAD_OK;
}

physad_status physad__measure_options(physad_measure_options *out, const physad_measure_options *in)
{
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), in, "physad_measure_options"));
    if (o.replicates < -1 || o.replicates > 100000)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_measure_options: replicates is %d, want 1 to 100000, 0 (1000) or -1 (none)",
                             o.replicates);
    if (o.replicates == 0)
        o.replicates = 1000;
    if (!(o.level >= 0 && o.level < 1))
        return physad__error(PHYSAD_ERR_ARG, "physad_measure_options: level is %g, want 0 (0.95) or a share below 1",
                             o.level);
    if (o.level == 0)
        o.level = 0.95;
    if (o.use_threshold != 0 && isnan(o.threshold))
        return physad__error(PHYSAD_ERR_ARG, "physad_measure_options: threshold is NaN");
    if (o.curve_points < 0 || o.curve_points > 1000000)
        return physad__error(PHYSAD_ERR_ARG, "physad_measure_options: curve_points is %d, want 0 (1000) to 1000000",
                             o.curve_points);
    if (o.curve_points == 0)
        o.curve_points = 1000;
    bool given = false;
    for (int i = 0; i < PHYSAD_MAX_LIMITS; i++) {
        if (!(o.limits[i] >= 0 && o.limits[i] <= 1) || (i > 0 && o.limits[i] > 0 && o.limits[i - 1] == 0))
            return physad__error(PHYSAD_ERR_ARG,
                                 "physad_measure_options: limits[%d] is %g, want a rate in (0, 1], zeros last", i,
                                 o.limits[i]);
        given = given || o.limits[i] > 0;
    }
    if (!given) {
        o.limits[0] = 0.3;
        o.limits[1] = 0.05;
    }
    *out = o;
    return PHYSAD_OK;
}

int64_t physad_metrics_count(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->count : 0;
}

const char *physad_metrics_name(const physad_metrics *metrics, int64_t index)
{
    return metrics != NULL && index >= 0 && index < metrics->count ? metrics->metric[index].name : NULL;
}

physad_status physad_metrics_get(const physad_metrics *metrics, const char *name, physad_metric *metric)
{
    if (metrics == NULL || name == NULL || metric == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_metrics_get: %s is NULL",
                             metrics == NULL ? "metrics" : (name == NULL ? "name" : "metric"));
    for (int64_t i = 0; i < metrics->count; i++)
        if (strcmp(metrics->metric[i].name, name) == 0)
            return physad__metric_write(metric, &metrics->metric[i].metric, "physad_metrics_get");
    const char *names[32] = { "" };
    const int64_t count = physad__min(metrics->count, PHYSAD__COUNT(names));
    for (int64_t i = 0; i < count; i++)
        names[i] = metrics->metric[i].name;
    const char *near = physad__nearest_name(name, names, count);
    return physad__error(PHYSAD_ERR_ARG, "physad_metrics_get: no metric \"%s\"; did you mean \"%s\"?", name,
                         near != NULL ? near : (count > 0 ? names[0] : ""));
}

int64_t physad_metrics_positives(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->positives : 0;
}

int64_t physad_metrics_negatives(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->negatives : 0;
}

int64_t physad_metrics_groups(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->groups : 0;
}

int64_t physad_metrics_regions(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->regions : 0;
}

int64_t physad_metrics_type_count(const physad_metrics *metrics)
{
    return metrics != NULL ? metrics->type_count : 0;
}

const char *physad_metrics_type_name(const physad_metrics *metrics, int64_t index)
{
    return metrics != NULL && index >= 0 && index < metrics->type_count ? metrics->type[index].name : NULL;
}

physad_status physad_metrics_type(const physad_metrics *metrics, int64_t index, physad_metric *vs_good,
                                  physad_metric *vs_rest)
{
    if (metrics == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_metrics_type: metrics is NULL");
    if (index < 0 || index >= metrics->type_count)
        return physad__error(PHYSAD_ERR_ARG, "physad_metrics_type: index is %lld, want 0 to %lld", (long long)index,
                             (long long)metrics->type_count - 1);
    if (vs_good != NULL)
        PHYSAD__TRY(physad__metric_write(vs_good, &metrics->type[index].vs_good, "physad_metrics_type"));
    if (vs_rest != NULL)
        PHYSAD__TRY(physad__metric_write(vs_rest, &metrics->type[index].vs_rest, "physad_metrics_type"));
    return PHYSAD_OK;
}

physad_status physad_metrics_curve(const physad_metrics *metrics, physad_view *curve)
{
    if (metrics == NULL || curve == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_metrics_curve: %s is NULL", metrics == NULL ? "metrics" : "curve");
    const int64_t shape[2] = { metrics->rows, PHYSAD_CURVE_COLUMNS };
    *curve = physad_view_array(metrics->curve, PHYSAD_F64, 2, shape);
    curve->flags |= PHYSAD_VIEW_READONLY;
    return PHYSAD_OK;
}
