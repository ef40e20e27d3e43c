/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

/* A region's part found is summed in units of 2^-96, so that the sum does not depend on the order: it stays below 2^128
 * with 2^31 regions, and is wrong by less than 2^-96 a pixel. */
static const double UNIT = 0x1p-96;

/* The area under the PRO curve up to a false-positive rate. */
typedef struct area {
    double limit;
    physad__sum sum;
} area;

typedef struct sweep {
    int64_t positives, negatives; /* all */
    int64_t found;                /* anomalous pixels so far */
    int64_t best[2];              /* counts by class at F1-max */
    uint32_t best_key;
    physad__u128 won;
    physad__u128 *share, *saturated_share; /* of one pixel, by region; the second NULL without saturation */
    physad__u128 pro, spro;
    int64_t regions;
    int limits;
    area pro_area[PHYSAD_MAX_LIMITS], spro_area[PHYSAD_MAX_LIMITS];
    physad__sum ap;
    double fpr, tpr, pro_rate, spro_rate; /* the last point */
    double kept[3], step;                 /* the last row of the curve */
} sweep;

/* Adds the trapezoid from (x0, y0) to (x1, y1), as far as the limit. */
static void add_segment(area *a, double x0, double y0, double x1, double y1)
{
    if (x0 >= a->limit || x1 <= x0)
        return;
    if (x1 > a->limit) {
        y1 = y0 + (y1 - y0) * ((a->limit - x0) / (x1 - x0));
        x1 = a->limit;
    }
    physad__sum_add(&a->sum, (x1 - x0) * (y0 + y1) / 2);
}

static void add_point(sweep *s, double fpr, double pro, double spro)
{
    for (int i = 0; i < s->limits; i++) {
        add_segment(&s->pro_area[i], s->fpr, s->pro_rate, fpr, pro);
        if (s->saturated_share != NULL)
            add_segment(&s->spro_area[i], s->fpr, s->spro_rate, fpr, spro);
    }
    s->fpr = fpr;
    s->pro_rate = pro;
    s->spro_rate = spro;
}

static physad_status keep_row(sweep *s, physad_metrics *m, double threshold, double fpr, double tpr, double precision)
{
    s->kept[0] = fpr;
    s->kept[1] = tpr;
    s->kept[2] = s->pro_rate;
    return physad__metrics_row(m, threshold, fpr, tpr, precision, s->pro_rate);
}

static double share_of(int64_t part, int64_t whole)
{
    return (double)part / (double)whole;
}

/* One tie: `above` normal pixels score higher, `equal` the same, `found` anomalous ones are new. */
static physad_status step(sweep *s, physad_metrics *m, const physad__range *r, int64_t k, bool last)
{
    const int64_t count = r->start[k + 1] - r->start[k], false_alarms = s->negatives - r->below[k];
    const int64_t above = false_alarms - r->equal[k];
    const double before = share_of(above, s->negatives), fpr = share_of(false_alarms, s->negatives);
    const float score = physad__key_float(r->key[k]);
    for (int64_t i = r->start[k]; i < r->start[k + 1]; i++) {
        const uint32_t region = (uint32_t)r->pixel[i] & ~PHYSAD__SATURATED;
        s->pro += s->share[region];
        if (s->saturated_share != NULL && ((uint32_t)r->pixel[i] & PHYSAD__SATURATED) == 0)
            s->spro += s->saturated_share[region];
    }
    add_point(s, before, s->pro_rate, s->spro_rate);
    const double from = s->tpr;
    const bool keep_before = above > 0 && before - s->kept[0] >= s->step;
    if (keep_before)
        PHYSAD__TRY(
            keep_row(s, m, (double)nextafterf(score, INFINITY), before, from, share_of(s->found, s->found + above)));
    s->found += count;
    s->tpr = share_of(s->found, s->positives);
    s->won += (physad__u128)(uint64_t)count * (uint64_t)(2 * r->below[k] + r->equal[k]);
    physad__sum_add(&s->ap, (double)count * share_of(s->found, s->found + false_alarms));
    if ((physad__u128)(uint64_t)s->found * (uint64_t)(s->best[0] + s->best[1] + s->positives) >=
        (physad__u128)(uint64_t)s->best[1] * (uint64_t)(false_alarms + s->found + s->positives)) {
        s->best[0] = false_alarms;
        s->best[1] = s->found;
        s->best_key = r->key[k];
    }
    add_point(s, fpr, (double)s->pro * UNIT / (double)s->regions, (double)s->spro * UNIT / (double)s->regions);
    if (last || fpr - s->kept[0] >= s->step || s->tpr - s->kept[1] >= s->step || s->pro_rate - s->kept[2] >= s->step)
        PHYSAD__TRY(keep_row(s, m, (double)score, fpr, s->tpr, share_of(s->found, s->found + false_alarms)));
    return PHYSAD_OK;
}

/* 2^96 / area, rounded down. */
static physad__u128 unit_share(int64_t area_of_region)
{
    return ((physad__u128)1 << 96) / (uint64_t)area_of_region;
}

static physad_status sweep_new(sweep *s, const physad_pixels *pixels, const physad_measure_options *options)
{
    physad__mem *mem = &pixels->ctx->mem;
    *s = (sweep){ .positives = pixels->positives,
                  .negatives = pixels->negatives,
                  .regions = pixels->regions,
                  .step = 1.0 / options->curve_points };
    s->share = physad__alloc_array(mem, pixels->regions, sizeof(*s->share), "regions");
    if (s->share == NULL)
        return PHYSAD_ERR_NOMEM;
    if (pixels->saturated) {
        s->saturated_share = physad__alloc_array(mem, pixels->regions, sizeof(*s->share), "regions");
        if (s->saturated_share == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < pixels->regions; i++) {
        s->share[i] = unit_share(pixels->region[i].area);
        if (s->saturated_share != NULL)
            s->saturated_share[i] = unit_share(pixels->region[i].saturation);
    }
    while (s->limits < PHYSAD_MAX_LIMITS && options->limits[s->limits] > 0) {
        s->pro_area[s->limits].limit = s->spro_area[s->limits].limit = options->limits[s->limits];
        s->limits++;
    }
    return PHYSAD_OK;
}

static void sweep_free(sweep *s)
{
    physad__free(s->share);
    physad__free(s->saturated_share);
}

/* The ranges from the highest scores down. */
static physad_status run_sweep(sweep *s, physad_metrics *m, const physad_pixels *pixels, physad__pair_counts *pairs,
                               physad__call *call)
{
    enum { BYTES = 64 }; /* of memory for an anomalous pixel, while its range is worked on */
    const uint64_t limit = pixels->ctx->mem.limit;
    const int64_t most = limit == 0 ? INT64_MAX : (int64_t)(limit / 4 / BYTES);
    uint64_t *bounds;
    int64_t ranges;
    PHYSAD__TRY(physad__range_bounds(pixels, physad__max(most, 1), &bounds, &ranges));
    physad_status status = physad__metrics_row(m, INFINITY, 0, 0, 1, 0);
    physad__call_stage(call, "pixel metrics", ranges);
    for (int64_t i = ranges - 1; i >= 0 && status == PHYSAD_OK; i--) {
        physad__range range;
        status = physad__range_new(&range, pixels, bounds[i], bounds[i + 1]);
        if (status != PHYSAD_OK)
            break;
        for (int64_t k = range.ties - 1; k >= 0 && status == PHYSAD_OK; k--)
            status = step(s, m, &range, k, s->found + range.start[k + 1] - range.start[k] == s->positives);
        if (status == PHYSAD_OK && pairs->reason == NULL)
            status = physad__pair_counts_add(pairs, pixels, &range);
        physad__range_free(&range);
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, ranges - i);
    }
    physad__free(bounds);
    if (status == PHYSAD_OK) {
        add_point(s, 1, s->pro_rate, s->spro_rate);
        if (s->kept[0] < 1)
            status = physad__metrics_row(m, -INFINITY, 1, 1, share_of(s->positives, s->positives + s->negatives),
                                         s->pro_rate);
    }
    return status;
}

static physad_status put_areas(physad_metrics *m, const char *name, const area *areas, int limits, const char *reason)
{
    char text[32];
    for (int i = 0; i < limits; i++) {
        physad_metric metric = physad__metric_none(reason);
        if (reason == NULL) {
            metric.value = physad__sum_value(&areas[i].sum) / areas[i].limit;
            metric.interval_reason = "only auroc has one";
        }
        physad__snprintf(text, sizeof(text), "%s@%.9g", name, areas[i].limit);
        PHYSAD__TRY(physad__metrics_put(m, text, &metric));
    }
    return PHYSAD_OK;
}

static physad_status put_all(physad_metrics *m, const sweep *s, const physad__pair_counts *pairs, physad__call *call,
                             const physad_measure_options *options)
{
    const char *reason = physad__missing_class(s->positives, s->negatives);
    physad_metric auroc = physad__metric_none(reason), ap = auroc, f1 = auroc;
    if (reason == NULL) {
        auroc.value = (double)s->won / (2 * (double)s->positives * (double)s->negatives);
        ap.value = physad__sum_value(&s->ap) / (double)s->positives;
        f1.value = 2 * (double)s->best[1] / (double)(s->best[0] + s->best[1] + s->positives);
        f1.threshold = (double)physad__key_float(s->best_key);
        ap.interval_reason = f1.interval_reason = "only auroc has one";
        auroc.interval_reason = pairs->reason;
        if (pairs->reason == NULL)
            PHYSAD__TRY(physad__pair_counts_interval(pairs, call, options, &auroc));
    }
    PHYSAD__TRY(physad__metrics_put(m, "auroc", &auroc));
    PHYSAD__TRY(physad__metrics_put(m, "ap", &ap));
    PHYSAD__TRY(physad__metrics_put(m, "f1_max", &f1));
    PHYSAD__TRY(put_areas(m, "aupro", s->pro_area, s->limits, reason));
    if (s->saturated_share != NULL)
        PHYSAD__TRY(put_areas(m, "auspro", s->spro_area, s->limits, reason));
    return PHYSAD_OK;
}

static physad_status measure(physad_metrics *m, physad__call *call, const physad_pixels *pixels,
                             const physad_measure_options *options)
{
    physad__pair_counts pairs;
    sweep s;
    PHYSAD__TRY(physad__pair_counts_new(&pairs, pixels, options));
    m->positives = pixels->positives;
    m->negatives = pixels->negatives;
    m->regions = pixels->regions;
    m->groups = pairs.used;
    physad_status status = sweep_new(&s, pixels, options);
    if (status == PHYSAD_OK && physad__missing_class(s.positives, s.negatives) == NULL)
        status = run_sweep(&s, m, pixels, &pairs, call);
    else if (status == PHYSAD_OK)
        status = physad__metrics_row(m, INFINITY, s.negatives > 0 ? 0 : NAN, s.positives > 0 ? 0 : NAN, 1,
                                     s.positives > 0 ? 0 : NAN);
    if (status == PHYSAD_OK)
        status = put_all(m, &s, &pairs, call, options);
    sweep_free(&s);
    physad__pair_counts_free(&pairs);
    return status;
}

physad_status physad_pixels_measure(physad_metrics **out, const physad_pixels *pixels,
                                    const physad_measure_options *options, const physad_call_options *call)
{
    physad_measure_options o;
    physad__call running;
    if (out == NULL || pixels == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_measure: %s is NULL", out == NULL ? "out" : "pixels");
    *out = NULL;
    PHYSAD__TRY(physad__measure_options(&o, options));
    PHYSAD__TRY(physad__call_begin(&running, pixels->ctx, call, "physad_pixels_measure"));
    physad_metrics *m = NULL;
    physad_status status = physad__metrics_new(&m, pixels->ctx);
    if (status == PHYSAD_OK)
        status = measure(m, &running, pixels, &o);
    physad__call_end(&running);
    if (status == PHYSAD_OK)
        *out = m;
    else
        physad_metrics_free(m);
    return status;
}
