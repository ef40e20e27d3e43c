/* SPDX-License-Identifier: Apache-2.0 */
/* physad predict --types: where the defects are and what they look like. */
#include "predict.h"

#include <math.h>

enum { MOST_REGIONS = 16 };

int predict_types_begin(predict *p)
{
    const char *examples = tool_text(p->t, "examples", NULL);
    if (examples == NULL && !tool_given(p->t, "types"))
        return TOOL_DONE;
    if (p->wants_videos)
        return tool_error("--types and --examples are for photos, and %s is a method for videos",
                          physad_detector_method(p->detector));
    physad_status status = physad_types_new(&p->types, p->t->ctx);
    if (status == PHYSAD_OK && examples != NULL)
        status = physad_types_add_folder(p->types, p->detector, examples);
    return status == PHYSAD_OK ? TOOL_DONE : tool_failed(status);
}

int predict_regions(predict *p, const physad_result *result, const physad_view *photo, physad_regions **out)
{
    *out = NULL;
    if (p->types == NULL || physad_result_is_anomalous(result) == 0)
        return TOOL_DONE;
    const physad_status status = physad_regions_find(out, result, photo, NAN);
    return status == PHYSAD_OK || status == PHYSAD_ERR_UNSUPPORTED ? TOOL_DONE : tool_failed(status);
}

static int64_t likeliest(const predict *p, const physad_regions *regions)
{
    int64_t best = 0;
    double most = -1;
    for (int64_t i = 0; i < physad_types_count(p->types); i++) {
        const double likeness = physad_types_likeness(p->types, regions, i);
        best = likeness > most ? i : best;
        most = likeness > most ? likeness : most;
    }
    return best;
}

void predict_put_type(const predict *p, const physad_regions *regions)
{
    physad_region first = PHYSAD_REGION_INIT;
    if (physad_regions_get(regions, 0, &first) != PHYSAD_OK)
        return;
    const int64_t best = likeliest(p, regions);
    printf("\t");
    tool_put_name(physad_types_name(p->types, best));
    printf(" (%.0f %%) at %.0f,%.0f", 100 * physad_types_likeness(p->types, regions, best), first.peak_x, first.peak_y);
    if (physad_regions_count(regions) > 1)
        printf(" and %lld more", (long long)physad_regions_count(regions) - 1);
}

static json_t *region_object(const physad_region *r)
{
    return json_pack("{s[ffff] sf sf s[ff] sf sf sf s{sf sf sf sf}}", "box", r->left, r->top, r->right, r->bottom,
                     "area", r->area, "peak", r->peak, "at", r->peak_x, r->peak_y, "length", r->length, "width",
                     r->width, "angle", r->angle, "kinds", "hole", r->hole, "line", r->line, "tint", r->tint,
                     "deformation", r->deformation);
}

int predict_add_types(const predict *p, json_t *sample, const physad_regions *regions)
{
    json_t *array = json_array(), *told = json_object();
    bool done = true;
    for (int64_t i = 0; done && i < physad_regions_count(regions) && i < MOST_REGIONS; i++) {
        physad_region r = PHYSAD_REGION_INIT;
        done = physad_regions_get(regions, i, &r) == PHYSAD_OK && json_array_append_new(array, region_object(&r)) == 0;
    }
    for (int64_t i = 0; done && i < physad_types_count(p->types); i++) {
        json_t *key = tool_json_text(physad_types_name(p->types, i)); /* names of folders need not be UTF-8 */
        done = json_object_set_new(told, json_string_value(key),
                                   tool_json_real(physad_types_likeness(p->types, regions, i))) == 0;
        json_decref(key);
    }
    const bool kept = json_object_set_new(sample, "regions", array) == 0;
    if (!(json_object_set_new(sample, "type_scores", told) == 0 && kept && done))
        return tool_error("no memory for regions");
    return TOOL_DONE;
}
