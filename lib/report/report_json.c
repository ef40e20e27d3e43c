/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of an evaluation, after docs/eval.schema.json. jansson keeps its objects in memory of its own; it writes a
 * decimal point whatever the locale. Every json_t that could not be made is NULL, and setting NULL fails: `bad`
 * collects it. */
#include "report/report.h"

#include <physad/version.h>

#include <jansson.h>
#include <math.h>

typedef struct maker {
    bool bad; /* something could not be made: no memory, or text that is no UTF-8 */
} maker;

static void set(maker *m, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        m->bad = true;
}

/* Names of files need not be UTF-8: a byte that is not comes as U+FFFD. */
static json_t *text(const char *value)
{
    if (value == NULL)
        return json_null();
    json_t *string = json_string(value);
    if (string != NULL)
        return string;
    char room[4400]; /* longer than any path */
    size_t n = 0;
    for (const char *p = value; *p != '\0' && n + 4 < sizeof(room);) {
        size_t length = 1;
        json_t *probe = NULL;
        while (length <= 4 && memchr(p, '\0', length) == NULL && (probe = json_stringn(p, length)) == NULL)
            length++;
        if (probe != NULL) {
            memcpy(room + n, p, length);
            n += length;
            p += length;
        } else {
            memcpy(room + n, "\xef\xbf\xbd", 3);
            n += 3;
            p++;
        }
        json_decref(probe);
    }
    return json_stringn(room, n);
}

/* The same under a name that need not be UTF-8. */
static void set_named(maker *m, json_t *object, const char *name, json_t *value)
{
    json_t *key = text(name);
    if (json_object_set_new(object, json_string_value(key), value) != 0)
        m->bad = true;
    json_decref(key);
}

static void append(maker *m, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        m->bad = true;
}

/* null for what JSON has no number for. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval(double lower, double upper)
{
    return isfinite(lower) && isfinite(upper) ? json_pack("[f,f]", lower, upper) : json_null();
}

static json_t *option_value(const physad__report_option *o)
{
    int64_t integer;
    double number;
    bool boolean;
    if (o->kind == PHYSAD__VALUE_INT && physad__parse_int(o->value, &integer))
        return json_integer(integer);
    if (o->kind == PHYSAD__VALUE_REAL && physad__parse_double(o->value, &number) && isfinite(number))
        return json_real(number);
    if (o->kind == PHYSAD__VALUE_BOOL && physad__parse_bool(o->value, &boolean))
        return json_boolean(boolean);
    return text(o->value);
}

static json_t *options_object(maker *m, const physad__report *r)
{
    json_t *object = json_object();
    for (int64_t i = 0; i < r->option_count; i++)
        set(m, object, r->options[i].name, option_value(&r->options[i]));
    return object;
}

static void put_figures(maker *m, json_t *object, const physad__report *r)
{
    json_t *reasons = json_object(), *intervals = json_object();
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        if (!physad__figure_fits(f, r))
            continue;
        const physad_metric metric = physad__figure_of(f, r);
        set(m, object, f->name, real(metric.value));
        if (isnan(metric.value))
            set(m, reasons, f->name, text(metric.reason));
        if (!f->interval)
            continue;
        set(m, intervals, f->name, interval(metric.lower, metric.upper));
        if (!isnan(metric.value) && isnan(metric.lower)) {
            char key[64];
            physad__snprintf(key, sizeof(key), "intervals.%s", f->name);
            set(m, reasons, key, text(metric.interval_reason));
        }
    }
    set(m, object, "intervals", intervals);
    set(m, object, "reasons", reasons);
}

/* A value's figures, with their intervals and why what is null is so. */
static void put_break_figures(maker *m, json_t *object, const physad__report *reports, int64_t count,
                              const physad__report_break *b)
{
    json_t *reasons = json_object(), *intervals = json_object();
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        if (!physad__break_figure_fits(f, reports))
            continue;
        const physad_metric metric =
            count == 0 ? physad__break_figure(f, reports, b) : physad__break_mean(f, reports, count, b);
        set(m, object, f->name, real(metric.value));
        if (isnan(metric.value))
            set(m, reasons, f->name, text(metric.reason));
        if (f->interval)
            set(m, intervals, f->name, interval(metric.lower, metric.upper));
    }
    set(m, object, "intervals", intervals);
    set(m, object, "reasons", reasons);
}

static json_t *breaks_array(maker *m, const physad__report *r)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < r->break_count; i++) {
        const physad__report_break *b = &r->breaks[i];
        json_t *object = json_object();
        set(m, object, "attribute", text(b->attribute));
        set(m, object, "value", text(b->value));
        set(m, object, "n_normal", json_integer(b->count[0]));
        set(m, object, "n_anomalous", json_integer(b->count[1]));
        put_break_figures(m, object, r, 0, b);
        append(m, array, object);
    }
    return array;
}

/* Of one method: the mean over the categories that have the value. */
static json_t *break_means(maker *m, const physad__report *reports, int64_t count)
{
    json_t *array = json_array();
    for (int64_t at = 0; at < count; at++)
        for (int64_t i = 0; i < reports[at].break_count; i++) {
            const physad__report_break *b = &reports[at].breaks[i];
            int64_t categories = 0, normal = 0, anomalous = 0;
            if (!physad__break_is_first(reports, at, i))
                continue;
            for (int64_t k = at; k < count; k++) {
                const physad__report_break *own = physad__break_find(&reports[k], b->attribute, b->value);
                categories += own != NULL;
                normal += own != NULL ? own->count[0] : 0;
                anomalous += own != NULL ? own->count[1] : 0;
            }
            json_t *object = json_object();
            set(m, object, "attribute", text(b->attribute));
            set(m, object, "value", text(b->value));
            set(m, object, "categories", json_integer(categories));
            set(m, object, "n_normal", json_integer(normal));
            set(m, object, "n_anomalous", json_integer(anomalous));
            put_break_figures(m, object, reports, count, b);
            append(m, array, object);
        }
    return array;
}

static json_t *type_object(maker *m, const physad__report *r, int64_t index)
{
    physad_metric good = PHYSAD_METRIC_INIT, rest = PHYSAD_METRIC_INIT;
    json_t *object = json_object();
    if (physad_metrics_type(r->images, index, &good, &rest) != PHYSAD_OK)
        m->bad = true;
    set(m, object, "vs_good", real(good.value));
    set(m, object, "vs_rest", real(rest.value));
    set(m, object, "vs_good_interval", interval(good.lower, good.upper));
    set(m, object, "vs_rest_interval", interval(rest.lower, rest.upper));
    return object;
}

static json_t *types_object(maker *m, const physad__report *r)
{
    json_t *object = json_object();
    for (int64_t i = 0; i < physad_metrics_type_count(r->images); i++)
        set_named(m, object, physad_metrics_type_name(r->images, i), type_object(m, r, i));
    return object;
}

/* What the detector's own threshold comes to on this test set: chosen without it. */
static json_t *threshold_object(maker *m, const physad__report *r)
{
    int64_t count[2] = { 0, 0 }, alarms[2] = { 0, 0 };
    json_t *object = json_object();
    if (isnan(r->threshold)) {
        set(m, object, "value", json_null());
        set(m, object, "reason", text(r->threshold_reason));
        return object;
    }
    for (int64_t i = 0; i < r->sample_count; i++) {
        const int32_t label = r->samples[i].label;
        count[label]++;
        alarms[label] += r->samples[i].score > r->threshold;
    }
    set(m, object, "value", real(r->threshold));
    set(m, object, "alpha", real(r->alpha));
    set(m, object, "groups", json_integer(r->threshold_groups));
    set(m, object, "rate_interval", interval(r->rate_low, r->rate_high));
    set(m, object, "false_alarm_rate", real((double)alarms[0] / (double)count[0]));
    set(m, object, "detection_rate", real((double)alarms[1] / (double)count[1]));
    set(m, object, "accuracy", real((double)(count[0] - alarms[0] + alarms[1]) / (double)(count[0] + count[1])));
    return object;
}

/* A video's frames, what is odd about it in words, its oddest moment and the normal one most like it. */
static json_t *take_object(maker *m, const physad__take *t)
{
    json_t *object = json_object(), *scores = json_array(), *worst = json_object(), *nearest = NULL;
    for (int64_t i = 0; i < t->frames; i++)
        append(m, scores, real(t->scores[i]));
    set(m, object, "frame_rate", t->rate > 0 ? real(t->rate) : json_null());
    set(m, object, "frame_scores", scores);
    set(m, object, "verdict", text(t->verdict));
    set(m, worst, "frame", json_integer(t->worst));
    set(m, worst, "y", real(t->y));
    set(m, worst, "x", real(t->x));
    set(m, worst, "distance", real(t->distance));
    if (t->near_path != NULL) {
        nearest = json_object();
        set(m, nearest, "path", text(t->near_path));
        set(m, nearest, "frame", json_integer(t->near_frame));
    }
    set(m, worst, "nearest", nearest != NULL ? nearest : json_null());
    set(m, object, "worst", worst);
    return object;
}

static json_t *told_object(maker *m, const physad__report *r, const double *told)
{
    json_t *object = json_object();
    for (int64_t i = 0; i < r->told_count; i++)
        set_named(m, object, r->told[i], real(told[i]));
    return object;
}

static json_t *samples_array(maker *m, const physad__report *r)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < r->sample_count; i++) {
        const physad__report_sample *s = &r->samples[i];
        json_t *object = json_object();
        set(m, object, "path", text(s->path));
        set(m, object, "label", json_integer(s->label));
        set(m, object, "type", text(s->type));
        set(m, object, "score", real(s->score));
        if (s->told != NULL)
            set(m, object, "type_scores", told_object(m, r, s->told));
        set(m, object, "group", text(s->group));
        if (s->view != NULL)
            set(m, object, "view", text(s->view));
        if (s->take != NULL)
            set(m, object, "video", take_object(m, s->take));
        append(m, array, object);
    }
    return array;
}

static json_t *place_object(maker *m, const physad__report *r, const physad__report_group *g, const physad_place *p)
{
    json_t *object = json_object();
    set(m, object, "position", json_pack("[f,f,f]", p->position[0], p->position[1], p->position[2]));
    set(m, object, "radius", real(p->radius));
    set(m, object, "score", real(p->score));
    set(m, object, "agreeing", json_integer(p->agreeing));
    set(m, object, "seen_by", json_integer(p->seen_by));
    set(m, object, "path", text(r->samples[g->photos[p->photo]].path));
    set(m, object, "y", real(p->y));
    set(m, object, "x", real(p->x));
    return object;
}

static json_t *group_object(maker *m, const physad__report *r, const physad__report_group *g)
{
    json_t *object = json_object(), *places = json_array(), *paths = json_array();
    for (int64_t k = 0; k < g->place_count; k++)
        append(m, places, place_object(m, r, g, &g->places[k]));
    for (int64_t k = 0; k < g->photo_count; k++)
        append(m, paths, text(r->samples[g->photos[k]].path));
    set(m, object, "group", text(r->samples[g->photos[0]].group));
    set(m, object, "label", json_integer(g->label));
    set(m, object, "score", real(g->score));
    set(m, object, "anomalous", g->anomalous < 0 ? json_null() : json_boolean(g->anomalous));
    set(m, object, "photos", paths);
    set(m, object, "places", places);
    return object;
}

/* Things of several photos, and those whose odd places are known in space. */
static json_t *groups_array(maker *m, const physad__report *r)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < r->group_count; i++)
        if (r->groups[i].photo_count > 1 || r->groups[i].place_count > 0)
            append(m, array, group_object(m, r, &r->groups[i]));
    return array;
}

static json_t *skipped_array(maker *m, const physad__report *r)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < r->skipped_count; i++) {
        json_t *object = json_object();
        set(m, object, "path", text(r->skipped[i].path));
        set(m, object, "reason", text(r->skipped[i].reason));
        append(m, array, object);
    }
    return array;
}

static json_t *f1_object(maker *m, const physad__report *r)
{
    physad_metric f1 = PHYSAD_METRIC_INIT;
    json_t *object = json_object();
    const bool known = r->images != NULL && physad_metrics_get(r->images, "f1_max", &f1) == PHYSAD_OK;
    set(m, object, "f1_max_threshold", real(known ? f1.threshold : (double)NAN));
    return object;
}

/* JSON's readers agree on signed 64 bits only: the upper half comes as text. */
static json_t *seed_value(uint64_t seed)
{
    char digits[32];
    if (seed <= INT64_MAX)
        return json_integer((json_int_t)seed);
    physad__snprintf(digits, sizeof(digits), "%llu", (unsigned long long)seed);
    return json_string(digits);
}

static json_t *report_object(maker *m, const physad__report *r)
{
    json_t *object = json_object(), *seconds = json_object();
    set(m, object, "dataset", text(r->dataset));
    set(m, object, "category", text(r->category));
    set(m, object, "method", text(r->method));
    set(m, object, "options", options_object(m, r));
    set(m, object, "seed", seed_value(r->seed));
    set(m, object, "threads", json_integer(r->threads));
    set(m, object, "precision", text(r->precision));
    set(m, object, "version", text(PHYSAD_VERSION_STRING));
    set(m, object, "metrics_size", text(r->metrics_size == PHYSAD_METRICS_INPUT ? "input" : "photo"));
    set(m, object, "n_train", json_integer(r->n_train));
    set(m, object, "n_test", json_integer(r->n_test));
    put_figures(m, object, r);
    set(m, object, "oracle", f1_object(m, r));
    set(m, object, "per_type", types_object(m, r));
    set(m, object, "breakdowns", breaks_array(m, r));
    set(m, object, "threshold", threshold_object(m, r));
    set(m, seconds, "fit", real(r->fit_seconds));
    set(m, seconds, "score", real(r->score_seconds));
    set(m, seconds, "metrics", real(r->metrics_seconds));
    set(m, object, "seconds", seconds);
    set(m, object, "score_ms_median", real(r->score_ms_median));
    set(m, object, "peak_rss_mib", real(r->peak_rss_mib));
    set(m, object, "samples", samples_array(m, r));
    if (!r->video)
        set(m, object, "groups", groups_array(m, r));
    set(m, object, "skipped", skipped_array(m, r));
    return object;
}

/* Unweighted means of the figures over the results of a method; null where none has it. */
static json_t *means_object(maker *m, const physad__report *reports, int64_t count)
{
    json_t *object = json_object();
    for (int64_t i = 0; i < physad__figure_count; i++) {
        physad__sum sum = { 0, 0 };
        int64_t fitting = 0, defined = 0;
        for (int64_t k = 0; k < count; k++) {
            if (!physad__figure_fits(&physad__figures[i], &reports[k]))
                continue;
            const double value = physad__figure_of(&physad__figures[i], &reports[k]).value;
            fitting++;
            defined += !isnan(value);
            physad__sum_add(&sum, isnan(value) ? 0 : value);
        }
        if (fitting > 0)
            set(m, object, physad__figures[i].name, real(physad__sum_value(&sum) / (double)defined));
    }
    return object;
}

static json_t *whole(maker *m, const physad_evaluation *e)
{
    if (e->count == 1)
        return report_object(m, &e->reports[0]);
    json_t *root = json_object(), *results = json_array(), *mean, *breaks;
    for (int64_t i = 0; i < e->count; i++)
        append(m, results, report_object(m, &e->reports[i]));
    set(m, root, "results", results);
    if (e->methods == 1) {
        mean = means_object(m, e->reports, e->count);
        breaks = break_means(m, e->reports, e->count);
    } else {
        const int64_t categories = e->count / e->methods;
        mean = json_object();
        breaks = json_object();
        for (int64_t i = 0; i < e->methods; i++) {
            const physad__report *first = e->reports + i * categories;
            set(m, mean, first->method, means_object(m, first, categories));
            set(m, breaks, first->method, break_means(m, first, categories));
        }
    }
    set(m, root, "mean", mean);
    set(m, root, "breakdowns", breaks);
    return root;
}

static int put(const char *data, size_t size, void *user)
{
    return physad__text_put(user, data, size) == PHYSAD_OK ? 0 : -1;
}

char *physad__report_json(const physad_evaluation *evaluation)
{
    maker m = { false };
    physad__text out = { .mem = &evaluation->ctx->mem };
    json_t *root = whole(&m, evaluation);
    if (m.bad || root == NULL)
        physad__error(PHYSAD_ERR_NOMEM, "report: no memory for its JSON");
    else if (json_dump_callback(root, put, &out, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) == 0 &&
             physad__text_put(&out, "\n", 1) == PHYSAD_OK) {
        json_decref(root);
        return out.data;
    }
    json_decref(root);
    physad__free(out.data);
    return NULL;
}
