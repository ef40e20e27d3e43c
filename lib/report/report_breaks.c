/* SPDX-License-Identifier: Apache-2.0 */
/* Figures by what is known of the photos: attributes of the data set, and how large a defect is. */
#include "report/report_run.h"

#include <math.h>
#include <stdlib.h>

#define MOST_BREAKS 256

/* Shares of the photo that a defect covers; sizes below the first are small, from the second on large. */
static const double size_bounds[2] = { 0.005, 0.02 };
static const char *const size_names[3] = { "small", "medium", "large" };

struct physad__run_break {
    const char *attribute, *value; /* the attributes', or static */
    physad_scores *scores;
    physad_pixels *pixels;
    int64_t count[2], pictures;
};

physad_status physad__run_breaks_begin(physad__run_state *run)
{
    run->defect_size = -1;
    return physad__attributes_open(&run->attributes, run->test);
}

void physad__run_breaks_end(physad__run_state *run)
{
    for (int64_t i = 0; i < run->break_count; i++) {
        physad_scores_free(run->breaks[i].scores);
        physad_pixels_free(run->breaks[i].pixels);
    }
    physad__free(run->breaks);
    physad__attributes_free(run->attributes);
}

static physad_status find_break(physad__run_break **out, physad__run_state *run, const char *attribute,
                                const char *value)
{
    for (int64_t i = 0; i < run->break_count; i++)
        if (strcmp(run->breaks[i].attribute, attribute) == 0 && strcmp(run->breaks[i].value, value) == 0) {
            *out = &run->breaks[i];
            return PHYSAD_OK;
        }
    if (run->break_count == MOST_BREAKS)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "the attribute \"%s\" has the value \"%s\" and there are %d others: too many to break "
                             "figures down by",
                             attribute, value, MOST_BREAKS);
    PHYSAD__TRY(physad__grow(&run->ctx->mem, &run->breaks, &run->break_capacity, run->break_count + 1,
                             sizeof(*run->breaks), "breakdowns"));
    physad__run_break *b = *out = &run->breaks[run->break_count];
    *b = (physad__run_break){ .attribute = attribute, .value = value };
    PHYSAD__TRY(physad_scores_new(&b->scores, run->ctx));
    run->break_count++;
    return PHYSAD_OK;
}

/* --- one sample --- */

static physad_status count_in(physad__run_break *b, const physad_scored *s)
{
    PHYSAD__TRY(physad_scores_add(b->scores, s->score, s->sample->label, s->sample->type, s->sample->group));
    b->count[s->sample->label]++;
    return PHYSAD_OK;
}

physad_status physad__run_breaks_count(physad__run_state *run, const physad_scored *s)
{
    physad__run_break *b;
    for (int64_t i = 0; i < physad__attributes_count(run->attributes); i++) {
        const char *value = physad__attributes_value(run->attributes, i, s->sample);
        if (value == NULL)
            continue;
        PHYSAD__TRY(find_break(&b, run, physad__attributes_name(run->attributes, i), value));
        PHYSAD__TRY(count_in(b, s));
    }
    for (int k = 0; k < 3 && !run->report->video; k++) { /* normal photos stand against defects of any size */
        if (s->sample->label == 1 && run->defect_size != k)
            continue;
        PHYSAD__TRY(find_break(&b, run, "defect_size", size_names[k]));
        PHYSAD__TRY(count_in(b, s));
    }
    run->defect_size = -1;
    return PHYSAD_OK;
}

static physad_status add_pixels(physad__run_break *b, physad__run_state *run, const physad_scored *s,
                                const physad_view *map, const physad_view *mask, const physad_view *valid)
{
    if (b->pixels == NULL)
        PHYSAD__TRY(physad_pixels_new(&b->pixels, run->ctx));
    b->pictures++;
    return physad_pixels_add(b->pixels, map, mask, valid, s->sample->group, 0);
}

physad_status physad__run_breaks_pixels(physad__run_state *run, const physad_scored *s, const physad_view *map,
                                        const physad_view *mask, const physad_view *valid)
{
    physad__run_break *b;
    run->defect_size = -1;
    if (mask != NULL && s->sample->label == 1) {
        const int64_t pixels = physad__view_count(mask);
        int64_t odd = 0;
        for (int64_t i = 0; i < pixels; i++)
            odd += ((const uint8_t *)mask->data)[i] != 0;
        const double share = (double)odd / (double)pixels;
        run->defect_size = (share >= size_bounds[0]) + (share >= size_bounds[1]);
    }
    if (run->attributes == NULL) /* pixels by value take time and memory of their own: for sets that ask for it */
        return PHYSAD_OK;
    for (int64_t i = 0; i < physad__attributes_count(run->attributes); i++) {
        const char *value = physad__attributes_value(run->attributes, i, s->sample);
        if (value == NULL)
            continue;
        PHYSAD__TRY(find_break(&b, run, physad__attributes_name(run->attributes, i), value));
        PHYSAD__TRY(add_pixels(b, run, s, map, mask, valid));
    }
    if (run->defect_size < 0)
        return PHYSAD_OK;
    PHYSAD__TRY(find_break(&b, run, "defect_size", size_names[run->defect_size]));
    return add_pixels(b, run, s, map, mask, valid);
}

/* --- all of them --- */

static int compare(const void *x, const void *y)
{
    const physad__run_break *a = x, *b = y;
    const int order = strcmp(a->attribute, b->attribute);
    if (order != 0)
        return order;
    for (int k = 0; k < 3 && strcmp(a->attribute, "defect_size") == 0; k++) /* small ones first */
        if (strcmp(a->value, size_names[k]) == 0 || strcmp(b->value, size_names[k]) == 0)
            return strcmp(a->value, size_names[k]) == 0 ? -1 : 1;
    return strcmp(a->value, b->value);
}

/* A size that no defect has says nothing. */
static bool is_told(const physad__run_break *b)
{
    return b->count[1] > 0 || strcmp(b->attribute, "defect_size") != 0;
}

physad_status physad__run_breaks_measure(physad__run_state *run, const physad_measure_options *o)
{
    physad__report *r = run->report;
    physad__mem *mem = &run->ctx->mem;
    if (run->break_count > 1)
        qsort(run->breaks, (size_t)run->break_count, sizeof(*run->breaks), compare);
    r->breaks = physad__alloc_zero(mem, (size_t)(run->break_count + 1) * sizeof(*r->breaks), "breakdowns");
    if (r->breaks == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < run->break_count; i++) {
        const physad__run_break *from = &run->breaks[i];
        if (!is_told(from))
            continue;
        physad__report_break *b = &r->breaks[r->break_count++];
        b->attribute = physad__strdup(mem, from->attribute);
        b->value = physad__strdup(mem, from->value);
        if (b->attribute == NULL || b->value == NULL)
            return PHYSAD_ERR_NOMEM;
        b->count[0] = from->count[0];
        b->count[1] = from->count[1];
        PHYSAD__TRY(physad_scores_measure(&b->images, from->scores, o, run->call_options));
        if (from->pictures > 0 && r->pixel_reason == NULL)
            PHYSAD__TRY(physad_pixels_measure(&b->pixels, from->pixels, o, run->call_options));
    }
    return PHYSAD_OK;
}

/* --- reading them --- */

bool physad__break_figure_fits(const physad__figure *f, const physad__report *r)
{
    return f->kind == (r->video ? PHYSAD__FIGURE_VIDEO : PHYSAD__FIGURE_IMAGE) ||
           (f->kind == PHYSAD__FIGURE_PIXEL && !r->video);
}

physad_metric physad__break_figure(const physad__figure *f, const physad__report *r, const physad__report_break *b)
{
    const physad__report part = {
        .images = b->images, .pixels = b->pixels,
        .pixel_reason = r->pixel_reason != NULL ? r->pixel_reason
                                                : "pixels are measured by value where the data set has an "
                                                  "attributes.json, and the value masks"
    };
    return physad__figure_of(f, &part);
}

const physad__report_break *physad__break_find(const physad__report *r, const char *attribute, const char *value)
{
    for (int64_t i = 0; i < r->break_count; i++)
        if (strcmp(r->breaks[i].attribute, attribute) == 0 && strcmp(r->breaks[i].value, value) == 0)
            return &r->breaks[i];
    return NULL;
}

bool physad__break_is_first(const physad__report *reports, int64_t at, int64_t index)
{
    const physad__report_break *b = &reports[at].breaks[index];
    for (int64_t i = 0; i < at; i++)
        if (physad__break_find(&reports[i], b->attribute, b->value) != NULL)
            return false;
    return true;
}

physad_metric physad__break_mean(const physad__figure *f, const physad__report *reports, int64_t count,
                                 const physad__report_break *b)
{
    double sum = 0, below = 0, above = 0;
    int64_t defined = 0;
    physad_metric mean = physad__metric_none("undefined in every category");
    for (int64_t i = 0; i < count; i++) {
        const physad__report_break *own = physad__break_find(&reports[i], b->attribute, b->value);
        if (own == NULL || !physad__break_figure_fits(f, &reports[i]))
            continue;
        const physad_metric m = physad__break_figure(f, &reports[i], own);
        if (isnan(m.value))
            continue;
        defined++;
        sum += m.value;
        below += (m.value - m.lower) * (m.value - m.lower); /* not a number where one has no interval */
        above += (m.upper - m.value) * (m.upper - m.value);
    }
    if (defined == 0)
        return mean;
    mean.value = sum / (double)defined;
    mean.lower = mean.value - sqrt(below) / (double)defined;
    mean.upper = mean.value + sqrt(above) / (double)defined;
    if (isnan(mean.lower) || isnan(mean.upper)) {
        mean.lower = mean.upper = (double)NAN;
        mean.interval_reason = "a category has no interval";
    }
    return mean;
}

void physad__breaks_free(physad__report_break *breaks, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        physad__free(breaks[i].attribute);
        physad__free(breaks[i].value);
        physad_metrics_free(breaks[i].images);
        physad_metrics_free(breaks[i].pixels);
    }
    physad__free(breaks);
}
