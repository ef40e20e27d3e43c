/* SPDX-License-Identifier: Apache-2.0 */
/* Fitting: which normals take part, which are kept aside, and the threshold that these give. */
#include "detect/detect.h"

#include <math.h>
#include <stdlib.h>

/* --- who is kept aside --- */

typedef struct ranked {
    uint64_t hash;
    const char *group;
} ranked;

static uint64_t hash_group(uint64_t seed, const char *group)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *p = group; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    physad__rng rng;
    physad__rng_seed(&rng, seed, h);
    return physad__rng_next(&rng);
}

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->group, y->group);
}

/* Length of the folders that all groups begin with: where a set lies must not say which of its photos are kept aside.
 */
static size_t common_folders(const char *const *groups, int64_t count)
{
    size_t common = count > 0 ? strlen(groups[0]) : 0;
    for (int64_t i = 1; i < count; i++) {
        size_t k = 0;
        while (k < common && groups[i][k] == groups[0][k])
            k++;
        common = k;
    }
    while (common > 0 && groups[0][common - 1] != '/')
        common--;
    return common;
}

/* Distinct groups in the order of their hashes. */
static int64_t rank_groups(const physad_detector *det, const char *const *groups, int64_t count, size_t skip,
                           ranked *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++)
        out[i] = (ranked){ hash_group(det->seed, groups[i] + skip), groups[i] };
    qsort(out, (size_t)count, sizeof(*out), compare_ranked);
    for (int64_t i = 0; i < count; i++)
        if (n == 0 || strcmp(out[n - 1].group, out[i].group) != 0)
            out[n++] = out[i];
    return n;
}

physad_status physad__calibration_split(const physad_detector *det, const char *const *groups, int64_t count,
                                        uint8_t *aside)
{
    const double share = physad__option_real(det, "calibration"), alpha = physad__option_real(det, "alpha");
    const int64_t needed = physad_conformal_needed(alpha);
    const bool asked = physad__option_given(det, "alpha");
    memset(aside, 0, (size_t)count);
    if (!(share > 0))
        return PHYSAD_OK;
    ranked *order = physad__alloc_array(&det->ctx->mem, count, sizeof(*order), "groups");
    if (order == NULL)
        return PHYSAD_ERR_NOMEM;
    const size_t skip = common_folders(groups, count);
    const int64_t distinct = rank_groups(det, groups, count, skip, order);
    const int64_t taken = (int64_t)((double)distinct * share + 0.5);
    physad_status status = PHYSAD_OK;
    if (taken >= needed && taken < distinct) {
        for (int64_t i = 0; i < count; i++) {
            const ranked key = { hash_group(det->seed, groups[i] + skip), groups[i] };
            aside[i] = compare_ranked(&key, &order[taken]) < 0;
        }
    } else if (asked) {
        status = physad__error(
            PHYSAD_ERR_ARG,
            "%s: alpha %g needs %lld calibration groups, but %g of %lld groups of normal samples are %lld; give "
            "at least %lld normal groups, a larger alpha or a larger calibration share",
            det->method->name, alpha, (long long)needed, share, (long long)distinct, (long long)taken,
            (long long)ceil((double)needed / share));
    }
    physad__free(order);
    return status;
}

/* --- the threshold --- */

/* The greatest score of each group kept aside, in the order in which the groups appear. */
static int64_t group_maxima(const char *const *groups, const uint8_t *aside, const double *scores, int64_t count,
                            double *out, const char **names)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t k = 0;
        if (!aside[i])
            continue;
        while (k < n && strcmp(names[k], groups[i]) != 0)
            k++;
        if (k == n) {
            names[n] = groups[i];
            out[n++] = scores[i];
        } else if (scores[i] > out[k]) {
            out[k] = scores[i];
        }
    }
    return n;
}

physad_status physad__calibrate(physad_detector *det, const char *const *groups, const uint8_t *aside,
                                const double *scores, int64_t count)
{
    physad__mem *mem = &det->ctx->mem;
    const double alpha = physad__option_real(det, "alpha");
    double *maxima = physad__alloc_array(mem, count, sizeof(double), "calibration");
    const char **names = physad__alloc_array(mem, count, sizeof(*names), "calibration");
    physad_status status = maxima != NULL && names != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        physad_conformal c = PHYSAD_CONFORMAL_INIT;
        const int64_t n = group_maxima(groups, aside, scores, count, maxima, names);
        const physad_view v = physad_view_array(maxima, PHYSAD_F64, 1, &n);
        det->threshold = (physad_threshold){ sizeof(physad_threshold), 0, NAN, alpha, NAN, NAN, n };
        det->no_threshold[0] = '\0';
        if (n == 0 && !(physad__option_real(det, "calibration") > 0)) {
            physad__snprintf(det->no_threshold, sizeof(det->no_threshold),
                             "%s: no threshold: the detector was fitted with calibration=0", det->method->name);
        } else if (n == 0) {
            const double needed = (double)physad_conformal_needed(alpha);
            physad__snprintf(
                det->no_threshold, sizeof(det->no_threshold),
                "%s: no threshold: alpha %g needs %g calibration groups, and a share of %g of the normal samples has "
                "fewer, so that none was kept aside; give %g groups of normal samples, a larger alpha or a larger "
                "calibration",
                det->method->name, alpha, needed, physad__option_real(det, "calibration"),
                ceil(needed / physad__option_real(det, "calibration")));
        } else {
            status = physad_conformal_fit(&c, det->ctx, &v, NULL, alpha);
            det->threshold.value = c.threshold;
            det->threshold.low = c.rate_lower;
            det->threshold.high = c.rate_upper;
        }
        if (status == PHYSAD_OK) {
            physad__free(det->calibration);
            det->calibration = maxima;
            det->calibration_count = n;
            maxima = NULL;
        }
    }
    physad__free(maxima);
    physad__free(names);
    return status;
}

/* --- samples that are left out --- */

physad_status physad__skip_sample(physad_detector *det, const physad_dataset *samples, int64_t index)
{
    physad__mem *mem = &det->ctx->mem;
    PHYSAD__TRY(physad__grow(mem, &det->skipped, &det->skipped_capacity, det->skipped_count + 1, sizeof(*det->skipped),
                             "samples left out"));
    const physad__skip s = { index, physad__strdup(mem, physad_dataset_sample(samples, index)->path),
                             physad__strdup(mem, physad_last_error()) };
    det->skipped[det->skipped_count++] = s;
    return s.path != NULL && s.reason != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__sample_read(physad_detector *det, const physad_dataset *samples, int64_t index,
                                  const physad__call *call, physad_status status)
{
    const physad_sample *s = physad_dataset_sample(samples, index);
    if (physad__may_skip(status) && call->on_error == PHYSAD_ERRORS_SKIP)
        return physad__skip_sample(det, samples, index);
    if (status == PHYSAD_OK || strncmp(physad_last_error(), s->file, strlen(s->file)) == 0)
        return status;
    return physad__error_prefix(status, "%s", s->path);
}

physad_status physad__all_samples_read(const physad_detector *det, int64_t before)
{
    const int64_t count = det->skipped_count - before;
    return count > 0 ? physad__error(PHYSAD_ERR_IO, "%lld samples cannot be used; the first: %s", (long long)count,
                                     det->skipped[before].reason)
                     : PHYSAD_OK;
}

void physad__skipped_clear(physad_detector *det)
{
    for (int64_t i = 0; i < det->skipped_count; i++) {
        physad__free(det->skipped[i].path);
        physad__free(det->skipped[i].reason);
    }
    physad__free(det->skipped);
    det->skipped = NULL;
    det->skipped_count = det->skipped_capacity = 0;
}

int64_t physad_detector_skipped_count(const physad_detector *detector)
{
    return detector != NULL ? detector->skipped_count : 0;
}

const char *physad_detector_skipped(const physad_detector *detector, int64_t index, const char **reason)
{
    if (reason != NULL)
        *reason = NULL;
    if (index < 0 || index >= physad_detector_skipped_count(detector))
        return NULL;
    if (reason != NULL)
        *reason = detector->skipped[index].reason;
    return detector->skipped[index].path;
}

/* The samples without those that were noted after the first `before`, in place of the whole. */
static physad_status drop_skipped(physad_dataset **samples, const physad_detector *det, int64_t before)
{
    const int64_t n = physad_dataset_count(*samples);
    int64_t kept = 0;
    physad_dataset *rest = NULL;
    uint8_t *drop = physad__alloc_zero(&det->ctx->mem, (size_t)n, "samples");
    int64_t *indices = physad__alloc_array(&det->ctx->mem, n, sizeof(*indices), "samples");
    physad_status status = drop != NULL && indices != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = before; status == PHYSAD_OK && i < det->skipped_count; i++)
        drop[det->skipped[i].index] = 1;
    for (int64_t i = 0; status == PHYSAD_OK && i < n; i++)
        if (!drop[i])
            indices[kept++] = i;
    if (status == PHYSAD_OK && kept == 0)
        status = physad__error(PHYSAD_ERR_ARG, "%s: none of the %lld samples can be used; the first: %s",
                               det->method->name, (long long)n, det->skipped[before].reason);
    if (status == PHYSAD_OK)
        status = physad_dataset_subset(&rest, *samples, indices, kept);
    if (status == PHYSAD_OK) {
        physad_dataset_free(*samples);
        *samples = rest;
    }
    physad__free(drop);
    physad__free(indices);
    return status;
}

/* Whether a pass failed because it noted samples, so that another without them is due. */
static bool has_skipped(const physad_detector *det, physad_status status, int64_t before)
{
    return physad__may_skip(status) && det->skipped_count > before;
}

/* --- fit --- */

/* The normal samples that a fit takes: those of the training split where there is one. */
static physad_status select_normals(physad_dataset **out, const physad_detector *det, const physad_dataset *dataset)
{
    const int64_t n = physad_dataset_count(dataset);
    int64_t *indices = physad__alloc_array(&det->ctx->mem, n, sizeof(int64_t), "samples");
    int64_t taken = 0, training = 0;
    if (indices == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        training += physad_dataset_sample(dataset, i)->split == PHYSAD_SPLIT_TRAIN;
    for (int64_t i = 0; i < n; i++) {
        const physad_sample *s = physad_dataset_sample(dataset, i);
        if ((training == 0 || s->split == PHYSAD_SPLIT_TRAIN) && s->label <= 0)
            indices[taken++] = i;
    }
    physad_status status =
        taken > 0 ? physad_dataset_subset(out, dataset, indices, taken)
                  : physad__error(PHYSAD_ERR_ARG, "%s: the data set has no normal training samples (of %lld)",
                                  det->method->name, (long long)n);
    physad__free(indices);
    return status;
}

/* Methods on photos learn videos by their frames. */
static physad_status take_frames(physad_dataset **normals, const physad_detector *det)
{
    bool videos = false;
    for (int64_t i = 0; i < physad_dataset_count(*normals) && !videos; i++)
        videos = physad_dataset_sample(*normals, i)->kind != PHYSAD_KIND_IMAGE;
    if (!videos || det->method->score_video != NULL || det->method->input != PHYSAD_INPUT_IMAGE)
        return PHYSAD_OK;
    physad_dataset *frames;
    const int64_t each = physad__option_int(det, "video_frames");
    PHYSAD__TRY(physad_dataset_frames(&frames, *normals, each > 0 ? each : 16));
    physad_dataset_free(*normals);
    *normals = frames;
    return PHYSAD_OK;
}

static physad_status fit_normals(physad_detector *det, const physad_dataset *normals, physad__call *call)
{
    const int64_t n = physad_dataset_count(normals);
    physad__mem *mem = &det->ctx->mem;
    uint8_t *aside = physad__alloc_zero(mem, (size_t)n, "samples");
    double *scores = physad__alloc_zero(mem, (size_t)n * sizeof(double), "scores");
    physad__origin *origin = NULL, *before = det->origin;
    void *model = NULL;
    physad_status status =
        aside != NULL && scores != NULL ? physad__origin_new(&origin, det->ctx, normals) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = physad__calibration_split(det, (const char *const *)origin->groups, n, aside);
    if (status == PHYSAD_OK) {
        det->origin = origin;
        status = det->method->fit(det, normals, aside, scores, call, &model);
    }
    if (status == PHYSAD_OK)
        status = physad__calibrate(det, (const char *const *)origin->groups, aside, scores, n);
    if (status == PHYSAD_OK) {
        if (det->model != NULL)
            det->method->free(det->model);
        det->model = model;
        physad__origin_release(before);
    } else {
        if (model != NULL)
            det->method->free(model);
        det->origin = before;
        physad__origin_release(origin);
    }
    physad__free(aside);
    physad__free(scores);
    return status;
}

physad_status physad_detector_fit(physad_detector *detector, const physad_dataset *dataset,
                                  const physad_call_options *call)
{
    physad__call c;
    physad_dataset *normals = NULL;
    if (detector == NULL || dataset == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_fit: the %s is NULL",
                             detector == NULL ? "detector" : "data set");
    PHYSAD__TRY(physad__context_check(detector->ctx, "physad_detector_fit"));
    if (physad_dataset_category_count(dataset) > 1)
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_detector_fit: the data set has %lld categories (%s, %s, ...); select one by "
                             "physad_dataset_select()",
                             (long long)physad_dataset_category_count(dataset), physad_dataset_category(dataset, 0),
                             physad_dataset_category(dataset, 1));
    PHYSAD__TRY(physad__call_begin(&c, detector->ctx, call, "physad_detector_fit"));
    detector->seed = detector->ctx->seed;
    physad__skipped_clear(detector);
    physad_status status = select_normals(&normals, detector, dataset);
    if (status == PHYSAD_OK)
        status = take_frames(&normals, detector);
    while (status == PHYSAD_OK) {
        const int64_t before = detector->skipped_count;
        status = fit_normals(detector, normals, &c);
        if (!has_skipped(detector, status, before))
            break;
        status = drop_skipped(&normals, detector, before);
    }
    physad_dataset_free(normals);
    physad__call_end(&c);
    return status;
}

/* --- add, remove --- */

static physad_status refit(physad_detector *det, const physad_dataset *more, const uint8_t *drop,
                           const physad_call_options *call, const char *what)
{
    physad__call c;
    if (det->method->refit == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: %s cannot add or remove samples; fit it anew", what,
                             det->method->name);
    PHYSAD__TRY(physad__call_begin(&c, det->ctx, call, what));
    const physad_status status = det->method->refit(det, more, drop, &c);
    physad__call_end(&c);
    return status;
}

static physad_status check_refit(const physad_detector *det, const char *what)
{
    if (det == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: the detector is NULL", what);
    PHYSAD__TRY(physad__context_check(det->ctx, what));
    if (det->model == NULL)
        return physad__error(PHYSAD_ERR_STATE,
                             "%s: the detector is not fitted; call physad_detector_fit() or load a model", what);
    return PHYSAD_OK;
}

physad_status physad_detector_add(physad_detector *detector, const physad_dataset *dataset,
                                  const physad_call_options *call)
{
    physad_dataset *normals = NULL;
    PHYSAD__TRY(check_refit(detector, "physad_detector_add"));
    if (dataset == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_add: the data set is NULL");
    physad__skipped_clear(detector);
    physad_status status = select_normals(&normals, detector, dataset);
    while (status == PHYSAD_OK) {
        const int64_t before = detector->skipped_count;
        status = refit(detector, normals, NULL, call, "physad_detector_add");
        if (!has_skipped(detector, status, before))
            break;
        status = drop_skipped(&normals, detector, before);
    }
    physad_dataset_free(normals);
    return status;
}

physad_status physad_detector_remove(physad_detector *detector, const char *path, const physad_call_options *call)
{
    PHYSAD__TRY(check_refit(detector, "physad_detector_remove"));
    if (path == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_detector_remove: path is NULL");
    const int64_t n = detector->origin->count;
    uint8_t *drop = physad__alloc_zero(&detector->ctx->mem, (size_t)n, "samples");
    if (drop == NULL)
        return PHYSAD_ERR_NOMEM;
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        drop[i] = strcmp(detector->origin->paths[i], path) == 0;
        found += drop[i];
    }
    physad_status status;
    if (found == 0)
        status = physad__error(PHYSAD_ERR_ARG, "physad_detector_remove: the model was not fitted on \"%s\"; see "
                               "physad_detector_training_path()", path);
    else if (found == n)
        status = physad__error(PHYSAD_ERR_ARG, "physad_detector_remove: \"%s\" is the model's only sample", path);
    else
        status = refit(detector, NULL, drop, call, "physad_detector_remove");
    physad__free(drop);
    return status;
}
