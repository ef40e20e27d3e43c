/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_run.h"

#include <physad/weights.h>

#include <math.h>
#include <sys/resource.h>

/* --- before: settings and fit --- */

/* "method.key=value" is for that method only. Whether the method exists has been checked. */
static physad_status apply_setting(physad__run_state *run, const char *setting)
{
    const char *equals = strchr(setting, '=');
    const char *dot = memchr(setting, '.', (size_t)(equals - setting));
    const char *method = run->report->method, *key = setting;
    if (dot != NULL) {
        if (strlen(method) != (size_t)(dot - setting) || strncmp(method, setting, (size_t)(dot - setting)) != 0)
            return PHYSAD_OK;
        key = dot + 1;
    }
    char *name = physad__strndup(&run->ctx->mem, key, (size_t)(equals - key));
    if (name == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_status status = physad_detector_set(run->detector, name, equals + 1);
    physad__free(name);
    return status;
}

static int32_t kind_of(int32_t type)
{
    switch (type) {
    case PHYSAD_OPTION_INT: return PHYSAD__VALUE_INT;
    case PHYSAD_OPTION_REAL: return PHYSAD__VALUE_REAL;
    case PHYSAD_OPTION_BOOL: return PHYSAD__VALUE_BOOL;
    default: return PHYSAD__VALUE_TEXT;
    }
}

static physad_status note_options(physad__run_state *run)
{
    physad__report *r = run->report;
    physad__mem *mem = &run->ctx->mem;
    physad_method_info info = PHYSAD_METHOD_INFO_INIT;
    PHYSAD__TRY(physad_method_describe(r->method, &info));
    r->options = physad__alloc_zero(mem, (size_t)info.option_count * sizeof(*r->options), "options");
    if (r->options == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int32_t i = 0; i < info.option_count; i++) {
        physad_option_info o = PHYSAD_OPTION_INFO_INIT;
        PHYSAD__TRY(physad_method_option(r->method, i, &o));
        const char *value = physad_detector_get(run->detector, o.name);
        physad__report_option *slot = &r->options[r->option_count++];
        slot->name = physad__strdup(mem, o.name);
        slot->value = physad__strdup(mem, value != NULL ? value : "");
        slot->kind = kind_of(o.type);
        if (slot->name == NULL || slot->value == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    const char *precision = physad_detector_get(run->detector, "precision");
    r->precision = physad__strdup(mem, precision != NULL ? precision : "f32");
    return r->precision != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* What the network's numbers were. Its file has just been read, so that it comes from memory; one that has gone since
 * leaves the digest out. */
static void note_weights(physad__run_state *run)
{
    char path[4096];
    const char *backbone = physad_detector_get(run->detector, "backbone");
    const char *weights = physad_detector_get(run->detector, "weights");
    if (run->options->gallery < 1 || backbone == NULL || (weights != NULL && strncmp(weights, "random:", 7) == 0))
        return;
    if (physad_weights_find(run->ctx, backbone, weights, path, sizeof(path)) != PHYSAD_OK ||
        physad__sha256_file(run->report->weights_sha256, path) != PHYSAD_OK)
        run->report->weights_sha256[0] = '\0';
}

static physad_status note_threshold(physad__run_state *run)
{
    physad__report *r = run->report;
    physad_threshold t = PHYSAD_THRESHOLD_INIT;
    r->threshold = NAN;
    if (physad_detector_threshold(run->detector, &t) != PHYSAD_OK) {
        r->threshold_reason = physad__strdup(&run->ctx->mem, physad_last_error());
        return r->threshold_reason != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    r->threshold = t.value;
    r->alpha = t.alpha;
    r->rate_low = t.low;
    r->rate_high = t.high;
    r->threshold_groups = t.groups;
    return PHYSAD_OK;
}

static physad_status fit(physad__run_state *run, const physad_dataset *dataset)
{
    physad__report *r = run->report;
    physad_dataset *train = NULL;
    PHYSAD__TRY(physad_detector_new(&run->detector, run->ctx, r->method));
    for (const char *const *s = run->options->settings; s != NULL && *s != NULL; s++)
        PHYSAD__TRY(apply_setting(run, *s));
    PHYSAD__TRY(note_options(run));
    PHYSAD__TRY(physad_dataset_select(&train, dataset, r->category, PHYSAD_SPLIT_TRAIN));
    run->train = train;
    for (int64_t i = 0; i < physad_dataset_count(train); i++)
        r->n_train += physad_dataset_sample(train, i)->label == 0;
    const double start = physad__seconds();
    physad_status status = PHYSAD_OK;
    physad_call_options o = PHYSAD_CALL_OPTIONS_INIT;
    PHYSAD__TRY(physad__options_read(&o, sizeof(o), sizeof(o), run->call_options, "physad_call_options"));
    o.on_error = run->options->on_error;
    if (!physad_detector_is_fitted(run->detector))
        status = physad_detector_fit(run->detector, train, &o);
    r->fit_seconds = physad__seconds() - start;
    if (status != PHYSAD_OK)
        return physad__error_prefix(status, "%s on \"%s\"", r->method, r->category);
    for (int64_t i = 0; i < physad_detector_skipped_count(run->detector); i++) {
        const char *reason, *path = physad_detector_skipped(run->detector, i, &reason);
        PHYSAD__TRY(physad__report_skip_sample(r, &run->ctx->mem, path, reason));
        r->n_train--;
    }
    note_weights(run);
    return note_threshold(run);
}

/* --- one sample --- */

physad_status physad__run_count(physad__run_state *run, const physad_scored *s, double *told)
{
    const int64_t typed = told != NULL ? run->typed_count : 0;
    const physad__report_sample kept = {
        .path = (char *)(uintptr_t)s->sample->path,
        .type = (char *)(uintptr_t)s->sample->type,
        .group = (char *)(uintptr_t)s->sample->group,
        .view = (char *)(uintptr_t)s->sample->view,
        .score = s->score,
        .label = s->sample->label,
    };
    physad_status status = physad_scores_add_typed(run->scores, s->score, s->sample->label, s->sample->type,
                                                   s->sample->group, typed, run->typed_name, run->typed_score);
    if (status == PHYSAD_OK)
        status = physad__run_breaks_count(run, s);
    if (status == PHYSAD_OK)
        status = physad__report_add_sample(run->report, &run->ctx->mem, &kept);
    if (status == PHYSAD_OK)
        run->report->samples[run->report->sample_count - 1].told = told;
    else
        physad__free(told);
    return status;
}

/* What is done with a photo's result; `photo` is NULL where it was read ahead and only its result is here. */
static physad_status take_result(physad__run_state *run, int64_t index, physad_result *result, const physad_view *photo,
                                 double seconds)
{
    const physad_scored s = {
        run->report->method,        run->test, index, physad_dataset_sample(run->test, index), run->detector, result,
        physad_result_score(result)
    };
    if (isnan(s.score))
        return physad__error(PHYSAD_ERR_NUMERIC, "the score is NaN");
    PHYSAD__TRY(physad__run_pixels(run, &s));
    PHYSAD__TRY(physad__run_picture(run, &s, photo));
    double *told;
    PHYSAD__TRY(physad__run_tell(run, &s, photo, &told));
    PHYSAD__TRY(physad__run_count(run, &s, told));
    PHYSAD__TRY(physad__run_gallery(run, &s, photo));
    run->milliseconds[run->report->n_test++] = 1000 * seconds;
    if (run->options->scored != NULL && run->options->scored(&s, run->options->scored_user) != 0)
        return physad__error(PHYSAD_ERR_CANCELLED, "cancelled by the callback for scored samples");
    return physad__run_keep(run, index, result);
}

static physad_status score_photo(physad__run_state *run, int64_t index, const physad_image *image)
{
    physad_result *result = NULL;
    const physad_view photo = physad_image_view(image);
    const double start = physad__seconds();
    PHYSAD__TRY(physad_detector_score(run->detector, &photo, &result));
    const physad_status status = take_result(run, index, result, &photo, physad__seconds() - start);
    physad_result_free(result);
    return status;
}

/* Leaves the sample out where that was asked for and the failure is its own. */
static physad_status skip_or_fail(physad__run_state *run, int64_t index, physad_status status)
{
    if (run->options->on_error != PHYSAD_ERRORS_SKIP || !physad__may_skip(status))
        return physad__error_prefix(status, "%s", physad_dataset_sample(run->test, index)->path);
    run->reasons[index] = physad__strdup(&run->ctx->mem, physad_last_error());
    return run->reasons[index] != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status score_sample(physad__run_state *run, int64_t index)
{
    physad_image *image = NULL;
    physad_status status;
    if (run->report->video) {
        status = physad__run_video(run, run->test, index);
    } else {
        status = physad_dataset_read_scaled(run->test, index, physad__jpeg_scale(run->detector), &image);
        if (status == PHYSAD_OK)
            status = score_photo(run, index, image);
        physad_image_free(image);
    }
    return status == PHYSAD_OK ? PHYSAD_OK : skip_or_fail(run, index, status);
}

static bool is_measured(const physad__run_state *run, int64_t index)
{
    const physad_sample *s = physad_dataset_sample(run->test, index);
    return s->label == 0 || s->label == 1 || s->frame_file != NULL;
}

/* --- photos that are read ahead --- */

static physad_status take_batch(physad__run_state *run, const physad__batch *batch, int64_t done,
                                physad_result **results, physad__fault *faults)
{
    physad__call part = physad__call_part(run->call, done);
    const double start = physad__seconds();
    physad_status status =
        physad__detector_score_inputs(run->detector, batch->pixels, batch->photo, batch->count, results, faults, &part);
    const double each = (physad__seconds() - start) / (double)batch->count;
    for (int64_t i = 0; i < batch->count; i++) {
        if (status == PHYSAD_OK) {
            status = faults[i].status != PHYSAD_OK ? physad__fault_publish(&faults[i])
                                                   : take_result(run, batch->indices[i], results[i], NULL, each);
            if (status != PHYSAD_OK)
                status = skip_or_fail(run, batch->indices[i], status);
        }
        physad_result_free(results[i]);
    }
    return status;
}

static physad_status take_all(physad__run_state *run, physad__loader *loader, physad_result **results,
                              physad__fault *faults)
{
    for (int64_t done = 0, seen = 0;;) {
        physad__batch batch;
        PHYSAD__TRY(physad__loader_next(loader, &batch));
        for (; seen < physad__loader_skipped_count(loader); seen++) {
            const physad__skipped *s = physad__loader_skipped(loader, seen);
            physad__error(s->status, "%s", s->reason);
            PHYSAD__TRY(skip_or_fail(run, s->index, s->status));
        }
        if (batch.count == 0)
            return PHYSAD_OK;
        PHYSAD__TRY(take_batch(run, &batch, done, results, faults));
        done += batch.count;
        PHYSAD__TRY(physad__call_tick(run->call, done));
    }
}

/* Photos are decoded and brought to the model's input by a few threads, ahead of the network; so many are in memory. */
static physad_status score_ahead(physad__run_state *run, const physad_transform *transform)
{
    physad__mem *mem = &run->ctx->mem;
    const int64_t n = physad_dataset_count(run->test), batch = run->call->batch > 0 ? run->call->batch : 8;
    physad__loader *loader = NULL;
    int64_t *indices = physad__alloc_array(mem, n, sizeof(*indices), "samples");
    physad_result **results = physad__alloc_array(mem, batch, sizeof(*results), "results");
    physad__fault *faults = physad__alloc_array(mem, batch, sizeof(*faults), "results");
    physad__loader_options o = { .indices = indices, .batch = batch, .jpeg_scale = physad__jpeg_scale(run->detector) };
    o.on_error = run->options->on_error == PHYSAD_ERRORS_SKIP ? PHYSAD__ON_ERROR_SKIP : PHYSAD__ON_ERROR_STOP;
    physad_status status = indices != NULL && results != NULL && faults != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        if (is_measured(run, i))
            indices[o.count++] = i;
    if (status == PHYSAD_OK)
        status = physad__loader_new(&loader, run->test, transform, &o);
    if (status == PHYSAD_OK)
        status = take_all(run, loader, results, faults);
    physad__loader_free(loader);
    physad__free(indices);
    physad__free(results);
    physad__free(faults);
    return status;
}

static physad_status score_each(physad__run_state *run)
{
    for (int64_t i = 0; i < physad_dataset_count(run->test); i++) {
        if (is_measured(run, i))
            PHYSAD__TRY(score_sample(run, i));
        PHYSAD__TRY(physad__call_tick(run->call, i + 1));
    }
    return PHYSAD_OK;
}

/* The report lists what was left out in the order of the data set. */
static physad_status note_skipped(physad__run_state *run)
{
    for (int64_t i = 0; i < physad_dataset_count(run->test); i++) {
        const char *reason = run->reasons[i] != NULL ? run->reasons[i]
                             : is_measured(run, i)   ? NULL
                                                     : "its label is not known";
        if (reason != NULL)
            PHYSAD__TRY(physad__report_skip_sample(run->report, &run->ctx->mem,
                                                   physad_dataset_sample(run->test, i)->path, reason));
    }
    return PHYSAD_OK;
}

/* --- all --- */

static void note_times(physad__run_state *run)
{
    physad__report *r = run->report;
    struct rusage usage;
    r->score_ms_median = NAN;
    if (r->n_test > 0)
        r->score_ms_median = physad__median(run->milliseconds, r->n_test);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        r->peak_rss_mib = (double)usage.ru_maxrss / 1024;
}

static physad_measure_options measuring(const physad__run_state *run)
{
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    o.replicates = run->options->replicates;
    o.seed = run->ctx->seed;
    o.limits[0] = 0.3;
    o.limits[1] = 0.05;
    return o;
}

static physad_status measure(physad__run_state *run)
{
    const physad_measure_options o = measuring(run);
    physad__report *r = run->report;
    const double start = physad__seconds();
    PHYSAD__TRY(physad_scores_measure(&r->images, run->scores, &o, run->call_options));
    if (r->video)
        r->pixel_reason = "the samples are videos";
    if (r->pixel_reason == NULL && run->counted == 0)
        r->pixel_reason = "no sample has a mask";
    if (r->pixel_reason == NULL)
        PHYSAD__TRY(physad_pixels_measure(&r->pixels, run->pixels, &o, run->call_options));
    PHYSAD__TRY(physad__run_breaks_measure(run, &o));
    if (!r->video)
        PHYSAD__TRY(physad__run_groups(run, &o));
    r->metrics_seconds = physad__seconds() - start;
    return PHYSAD_OK;
}

static physad_status score_all(physad__run_state *run)
{
    const int64_t n = physad_dataset_count(run->test);
    const physad_transform *transform = run->report->video ? NULL : physad__detector_transform(run->detector);
    run->milliseconds = physad__alloc_array(&run->ctx->mem, n, sizeof(double), "times");
    run->reasons = physad__alloc_zero(&run->ctx->mem, (size_t)n * sizeof(*run->reasons), "samples left out");
    if (run->milliseconds == NULL || run->reasons == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__call_stage(run->call, "scoring", n);
    const double start = physad__seconds();
    PHYSAD__TRY(transform != NULL ? score_ahead(run, transform) : score_each(run));
    PHYSAD__TRY(note_skipped(run));
    run->report->score_seconds = physad__seconds() - start;
    note_times(run);
    return measure(run);
}

physad_status physad__run_method(physad__run_state *run, const physad_dataset *dataset)
{
    physad__report *r = run->report;
    physad_dataset *test = NULL, *whole = NULL;
    const physad_measure_options o = measuring(run);
    physad_status status = fit(run, dataset);
    if (status == PHYSAD_OK)
        status = physad_dataset_select(&test, dataset, r->category, PHYSAD_SPLIT_TEST);
    if (status == PHYSAD_OK && physad_dataset_count(test) == 0)
        status = physad__error(PHYSAD_ERR_ARG, "category \"%s\" of data set \"%s\" has no test samples", r->category,
                               r->dataset);
    run->test = test;
    r->video = test != NULL && physad__run_is_video(test);
    if (status == PHYSAD_OK)
        status = physad__run_whole_begin(run, dataset, &whole);
    if (status == PHYSAD_OK)
        status = physad_scores_new(&run->scores, run->ctx);
    if (status == PHYSAD_OK)
        status = physad_pixels_new(&run->pixels, run->ctx);
    if (status == PHYSAD_OK)
        status = physad__run_types_begin(run);
    if (status == PHYSAD_OK)
        status = physad__run_breaks_begin(run);
    if (status == PHYSAD_OK)
        status = score_all(run);
    if (status == PHYSAD_OK && r->video)
        status = physad__run_whole(run, whole, &o);
    for (int64_t i = 0; run->reasons != NULL && i < physad_dataset_count(test); i++)
        physad__free(run->reasons[i]);
    physad__free(run->reasons);
    physad__free(run->milliseconds);
    physad_scores_free(run->scores);
    physad_scores_free(run->frames);
    physad__run_types_end(run);
    physad__run_breaks_end(run);
    physad__run_kept_free(run);
    physad_dataset_free(whole);
    physad_pixels_free(run->pixels);
    physad_dataset_free(test);
    physad_dataset_free((physad_dataset *)(uintptr_t)run->train);
    physad_detector_free(run->detector);
    return status;
}
