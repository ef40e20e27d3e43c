/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_run.h"

#include <physad/detect.h>

/* --- what to run --- */

static physad_status check_settings(const char *const *settings, const char *const *methods, int64_t count)
{
    for (const char *const *s = settings; s != NULL && *s != NULL; s++) {
        const char *equals = strchr(*s, '=');
        if (equals == NULL || equals == *s)
            return physad__error(PHYSAD_ERR_ARG, "setting \"%s\": want key=value or method.key=value", *s);
        const char *dot = memchr(*s, '.', (size_t)(equals - *s));
        bool known = dot == NULL;
        for (int64_t i = 0; i < count && !known; i++)
            known = strlen(methods[i]) == (size_t)(dot - *s) && strncmp(methods[i], *s, (size_t)(dot - *s)) == 0;
        if (!known)
            return physad__error(PHYSAD_ERR_ARG, "setting \"%s\": \"%.*s\" is none of the methods evaluated", *s,
                                 (int)(dot - *s), *s);
    }
    return PHYSAD_OK;
}

static physad_status check(physad_evaluation **out, physad_context *context, const physad_dataset *dataset,
                           const char *const *methods, int64_t count, const physad_evaluate_options *o)
{
    PHYSAD__TRY(physad__context_check(context, "physad_evaluate"));
    if (dataset == NULL || methods == NULL || count < 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: %s",
                             dataset == NULL ? "dataset is NULL" : "want at least one method");
    for (int64_t i = 0; i < count; i++) {
        physad_method_info info = PHYSAD_METHOD_INFO_INIT;
        if (methods[i] == NULL)
            return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: methods[%lld] is NULL", (long long)i);
        PHYSAD__TRY(physad_method_describe(methods[i], &info));
        for (int64_t k = 0; k < i; k++)
            if (strcmp(methods[i], methods[k]) == 0)
                return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: method \"%s\" is given twice", methods[i]);
    }
    if (o->metrics_size != PHYSAD_METRICS_PHOTO && o->metrics_size != PHYSAD_METRICS_INPUT)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_evaluate_options: metrics_size is %d, want PHYSAD_METRICS_PHOTO or _INPUT",
                             o->metrics_size);
    if (o->on_error != PHYSAD_ERRORS_STOP && o->on_error != PHYSAD_ERRORS_SKIP)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_evaluate_options: on_error is %d, want PHYSAD_ERRORS_STOP or _SKIP", o->on_error);
    if (o->replicates < -1 || o->replicates > 100000)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: replicates is %d, want -1 to 100000",
                             o->replicates);
    if (o->gallery < 0 || o->gallery > 10000)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: gallery is %d, want 0 to 10000", o->gallery);
    if (o->gallery_side != 0 && (o->gallery_side < 32 || o->gallery_side > 1024))
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: gallery_side is %d, want 0 or 32 to 1024",
                             o->gallery_side);
    if (o->pool < PHYSAD_POOL_TOP || o->pool > PHYSAD_POOL_MEAN)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: pool is %d, want PHYSAD_POOL_TOP, _MAX or _MEAN",
                             o->pool);
    if (o->types != 0 && o->types != 1)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: types is %d, want 0 or 1", o->types);
    if (o->examples != NULL && o->types == 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate_options: examples are given, but no types asked for");
    return check_settings(o->settings, methods, count);
}

/* The categories asked for, in the order asked for; each must exist. */
typedef struct categories {
    char *text;
    const char **name;
    int64_t count, capacity;
} categories;

static physad_status add_category(categories *c, physad__mem *mem, const physad_dataset *dataset, const char *name)
{
    physad_dataset *probe = NULL;
    PHYSAD__TRY(physad_dataset_select(&probe, dataset, name, PHYSAD_SPLIT_ANY)); /* names the nearest */
    physad_dataset_free(probe);
    for (int64_t i = 0; i < c->count; i++)
        if (strcmp(c->name[i], name) == 0)
            return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: category \"%s\" is given twice", name);
    PHYSAD__TRY(physad__grow(mem, &c->name, &c->capacity, c->count + 1, sizeof(*c->name), "categories"));
    c->name[c->count++] = name;
    return PHYSAD_OK;
}

static physad_status find_categories(categories *c, physad__mem *mem, const physad_dataset *dataset, const char *wanted)
{
    *c = (categories){ .text = physad__strdup(mem, wanted != NULL ? wanted : "") };
    if (c->text == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; wanted == NULL && i < physad_dataset_category_count(dataset); i++)
        PHYSAD__TRY(add_category(c, mem, dataset, physad_dataset_category(dataset, i)));
    for (char *p = wanted != NULL ? c->text : NULL; p != NULL;) {
        char *comma = strchr(p, ',');
        if (comma != NULL)
            *comma++ = '\0';
        PHYSAD__TRY(add_category(c, mem, dataset, p));
        p = comma;
    }
    if (c->count == 0)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: the data set has no samples");
    return PHYSAD_OK;
}

static physad_status name_report(physad__report *r, physad_context *ctx, const physad_dataset *dataset,
                                 const char *method, const char *category, int32_t metrics_size)
{
    physad__mem *mem = &ctx->mem;
    r->dataset = physad__strdup(mem, physad_dataset_name(dataset));
    r->category = physad__strdup(mem, category);
    r->method = physad__strdup(mem, method);
    r->seed = ctx->seed;
    r->threads = ctx->threads;
    r->metrics_size = metrics_size;
    return r->dataset != NULL && r->category != NULL && r->method != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status run_all(physad_evaluation *e, const physad_dataset *dataset, const char *const *methods,
                             const categories *c, const physad_evaluate_options *options, physad__call *call,
                             const physad_call_options *call_options)
{
    e->reports = physad__alloc_zero(&e->ctx->mem, (size_t)(e->methods * c->count) * sizeof(*e->reports), "reports");
    if (e->reports == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < e->methods * c->count; i++) {
        physad__report *report = &e->reports[e->count++];
        PHYSAD__TRY(
            name_report(report, e->ctx, dataset, methods[i / c->count], c->name[i % c->count], options->metrics_size));
        physad__run_state run = {
            .ctx = e->ctx, .options = options, .call = call, .call_options = call_options, .report = report
        };
        PHYSAD__TRY(physad__run_method(&run, dataset));
    }
    e->json = physad__report_json(e);
    e->csv = physad__report_csv(e);
    return e->json != NULL && e->csv != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad_evaluate(physad_evaluation **out, physad_context *context, const physad_dataset *dataset,
                              const char *const *methods, int64_t count, const physad_evaluate_options *options,
                              const physad_call_options *call)
{
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    physad__call running;
    categories c = { NULL, NULL, 0, 0 };
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluate: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), options, "physad_evaluate_options"));
    PHYSAD__TRY(check(out, context, dataset, methods, count, &o));
    PHYSAD__TRY(physad__call_begin(&running, context, call, "physad_evaluate"));
    physad_evaluation *e = physad__alloc_zero(&context->mem, sizeof(*e), "evaluation");
    physad_status status = PHYSAD_ERR_NOMEM;
    if (e != NULL) {
        e->ctx = physad__context_retain(context);
        e->methods = count;
        status = find_categories(&c, &context->mem, dataset, o.categories);
        if (status == PHYSAD_OK)
            status = run_all(e, dataset, methods, &c, &o, &running, call);
    }
    physad__call_end(&running);
    physad__free(c.text);
    physad__free(c.name);
    if (status == PHYSAD_OK)
        *out = e;
    else
        physad_evaluation_free(e);
    return status;
}

/* --- what came of it --- */

void physad_evaluation_free(physad_evaluation *evaluation)
{
    if (evaluation == NULL)
        return;
    physad_context *ctx = evaluation->ctx;
    for (int64_t i = 0; i < evaluation->count; i++)
        physad__report_free(&evaluation->reports[i]);
    physad__free(evaluation->reports);
    physad__free(evaluation->json);
    physad__free(evaluation->csv);
    physad__free(evaluation);
    physad_context_free(ctx);
}

int64_t physad_evaluation_count(const physad_evaluation *evaluation)
{
    return evaluation != NULL ? evaluation->count : 0;
}

static const physad__report *report_at(const physad_evaluation *evaluation, int64_t result)
{
    return evaluation != NULL && result >= 0 && result < evaluation->count ? &evaluation->reports[result] : NULL;
}

const char *physad_evaluation_method(const physad_evaluation *evaluation, int64_t result)
{
    const physad__report *r = report_at(evaluation, result);
    return r != NULL ? r->method : NULL;
}

const char *physad_evaluation_category(const physad_evaluation *evaluation, int64_t result)
{
    const physad__report *r = report_at(evaluation, result);
    return r != NULL ? r->category : NULL;
}

const physad_metrics *physad_evaluation_metrics(const physad_evaluation *evaluation, int64_t result, int32_t pixels)
{
    const physad__report *r = report_at(evaluation, result);
    return r == NULL ? NULL : (pixels ? r->pixels : r->images);
}

static physad_status no_result(const physad_evaluation *evaluation, int64_t result, const char *what)
{
    if (evaluation == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: evaluation is NULL", what);
    return physad__error(PHYSAD_ERR_ARG, "%s: result is %lld, want 0 to %lld", what, (long long)result,
                         (long long)evaluation->count - 1);
}

physad_status physad_evaluation_metric(const physad_evaluation *evaluation, int64_t result, const char *name,
                                       physad_metric *metric)
{
    const physad__report *r = report_at(evaluation, result);
    const char *names[32] = { "" };
    int64_t count = 0;
    if (r == NULL)
        return no_result(evaluation, result, "physad_evaluation_metric");
    if (name == NULL || metric == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluation_metric: %s is NULL", name == NULL ? "name" : "metric");
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        if (!physad__figure_fits(f, r))
            continue;
        if (strcmp(f->name, name) == 0) {
            const physad_metric found = physad__figure_of(f, r);
            return physad__metric_write(metric, &found, "physad_evaluation_metric");
        }
        names[count++] = f->name;
    }
    const char *near = physad__nearest_name(name, names, count);
    return physad__error(PHYSAD_ERR_ARG, "physad_evaluation_metric: no metric \"%s\"; did you mean \"%s\"?", name,
                         near != NULL ? near : names[0]);
}

int64_t physad_evaluation_sample_count(const physad_evaluation *evaluation, int64_t result)
{
    const physad__report *r = report_at(evaluation, result);
    return r != NULL ? r->sample_count : 0;
}

physad_status physad_evaluation_sample(const physad_evaluation *evaluation, int64_t result, int64_t index,
                                       physad_evaluated *sample)
{
    const physad__report *r = report_at(evaluation, result);
    if (r == NULL)
        return no_result(evaluation, result, "physad_evaluation_sample");
    if (sample == NULL || sample->struct_size < sizeof(*sample))
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluation_sample: sample is NULL or not initialised with "
                                             "PHYSAD_EVALUATED_INIT");
    if (index < 0 || index >= r->sample_count)
        return physad__error(PHYSAD_ERR_ARG, "physad_evaluation_sample: index is %lld, want 0 to %lld",
                             (long long)index, (long long)r->sample_count - 1);
    const physad__report_sample *s = &r->samples[index];
    const uint32_t size = sample->struct_size;
    *sample = (physad_evaluated){ size, s->label, s->score, s->path, s->type, s->group, s->view };
    return PHYSAD_OK;
}

const char *physad_evaluation_json(const physad_evaluation *evaluation)
{
    return evaluation != NULL ? evaluation->json : NULL;
}

const char *physad_evaluation_csv(const physad_evaluation *evaluation)
{
    return evaluation != NULL ? evaluation->csv : NULL;
}
