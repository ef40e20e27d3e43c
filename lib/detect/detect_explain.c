/* SPDX-License-Identifier: Apache-2.0 */
/* Why: verdicts in words, the oddest moment, rules that can be read, edited and taken elsewhere. */
#include "detect/detect.h"

const char *physad_result_verdict(const physad_result *result)
{
    return result != NULL && result->verdict != NULL ? result->verdict : "";
}

physad_status physad_result_worst(const physad_result *result, physad_worst *out)
{
    if (result == NULL || out == NULL || out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG, "physad_result_worst: %s", result == NULL ? "the result is NULL"
                                                                        : out == NULL  ? "out is NULL"
                                                                                       : "use PHYSAD_WORST_INIT");
    if (result->verdict == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_result_worst: the method does not keep it");
    const int64_t sample = result->near_sample;
    const bool known = sample >= 0 && sample < result->origin->count;
    *out = (physad_worst){ sizeof(*out),
                           0,
                           result->worst_frame,
                           result->worst_y,
                           result->worst_x,
                           result->worst_distance,
                           known ? sample : -1,
                           known ? result->near_frame : -1,
                           known ? result->origin->paths[sample] : NULL };
    return PHYSAD_OK;
}

static physad_status check(const physad_detector *det, const void *other, const char *what)
{
    if (det == NULL || other == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: %s is NULL", what, det == NULL ? "the detector" : "json");
    PHYSAD__TRY(physad__context_check(det->ctx, what));
    if (det->method->rules == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: %s has no rules", what, det->method->name);
    if (det->model == NULL)
        return physad__error(PHYSAD_ERR_STATE, "%s: the detector is not fitted", what);
    return PHYSAD_OK;
}

static int put(const char *data, size_t size, void *user)
{
    struct {
        physad__mem *mem;
        char *text;
        int64_t size, capacity;
    } *t = user;
    if (physad__grow(t->mem, &t->text, &t->capacity, t->size + (int64_t)size + 1, 1, "rules") != PHYSAD_OK)
        return -1;
    memcpy(t->text + t->size, data, size);
    t->size += (int64_t)size;
    t->text[t->size] = '\0';
    return 0;
}

physad_status physad_detector_rules(physad_detector *detector, const char **json)
{
    struct {
        physad__mem *mem;
        char *text;
        int64_t size, capacity;
    } t = { 0 };
    PHYSAD__TRY(check(detector, json, "physad_detector_rules"));
    *json = NULL;
    t.mem = &detector->ctx->mem;
    json_t *root =
        json_pack("{ss so}", "method", detector->method->name, "rules", detector->method->rules(detector->model));
    const bool done = root != NULL && json_dump_callback(root, put, &t, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0 &&
                      put("\n", 1, &t) == 0;
    json_decref(root);
    if (!done) {
        physad__free(t.text);
        return physad__error(PHYSAD_ERR_NOMEM, "physad_detector_rules: no memory for the text");
    }
    physad__free(detector->rules);
    *json = detector->rules = t.text;
    return PHYSAD_OK;
}

physad_status physad_detector_set_rules(physad_detector *detector, const char *json)
{
    json_t *root;
    PHYSAD__TRY(check(detector, json, "physad_detector_set_rules"));
    PHYSAD__TRY(physad__json_parse(&root, json, strlen(json), "rules"));
    const physad_status status = detector->method->set_rules(detector->model, root);
    json_decref(root);
    return status;
}
