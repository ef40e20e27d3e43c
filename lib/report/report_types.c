/* SPDX-License-Identifier: Apache-2.0 */
/* The type of defect that each photo's map shows, for the samples of a report and for the AUROC of a type against the
 * rest. */
#include "report/report_run.h"

#include <math.h>

/* Which of the told types a type of the data set is: by its name among the examples', else by its kind; -1: none. */
static int64_t told_as(const physad_types *types, bool examples, const char *type)
{
    if (!examples)
        return physad_defect_of_type(type);
    for (int64_t i = 0; i < physad_types_count(types); i++)
        if (strcmp(physad_types_name(types, i), type) == 0)
            return i;
    return -1;
}

static bool is_listed(const physad__run_state *run, const char *type)
{
    for (int64_t i = 0; i < run->typed_count; i++)
        if (strcmp(run->typed_name[i], type) == 0)
            return true;
    return false;
}

/* The test set's types that are told. */
static physad_status list_types(physad__run_state *run)
{
    const int64_t n = physad_dataset_count(run->test);
    run->typed_name = physad__alloc_array(&run->ctx->mem, n, sizeof(*run->typed_name), "types of defect");
    run->typed_index = physad__alloc_array(&run->ctx->mem, n, sizeof(*run->typed_index), "types of defect");
    run->typed_score = physad__alloc_array(&run->ctx->mem, n, sizeof(*run->typed_score), "types of defect");
    if (run->typed_name == NULL || run->typed_index == NULL || run->typed_score == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        const physad_sample *s = physad_dataset_sample(run->test, i);
        const int64_t index = s->label == 1 ? told_as(run->types, run->options->examples != NULL, s->type) : -1;
        if (index < 0 || is_listed(run, s->type))
            continue;
        run->typed_name[run->typed_count] = s->type;
        run->typed_index[run->typed_count++] = index;
    }
    return PHYSAD_OK;
}

static physad_status name_told(physad__run_state *run)
{
    physad__report *r = run->report;
    const int64_t count = physad_types_count(run->types);
    r->told = physad__alloc_zero(&run->ctx->mem, (size_t)count * sizeof(*r->told), "types of defect");
    if (r->told == NULL)
        return PHYSAD_ERR_NOMEM;
    for (r->told_count = 0; r->told_count < count; r->told_count++) {
        r->told[r->told_count] = physad__strdup(&run->ctx->mem, physad_types_name(run->types, r->told_count));
        if (r->told[r->told_count] == NULL)
            return PHYSAD_ERR_NOMEM;
    }
    return PHYSAD_OK;
}

physad_status physad__run_types_begin(physad__run_state *run)
{
    if (run->options->types == 0 || run->report->video)
        return PHYSAD_OK;
    PHYSAD__TRY(physad_types_new(&run->types, run->ctx));
    if (run->options->examples != NULL)
        PHYSAD__TRY(physad_types_add_folder(run->types, run->detector, run->options->examples));
    PHYSAD__TRY(name_told(run));
    return list_types(run);
}

void physad__run_types_end(physad__run_state *run)
{
    physad_types_free(run->types);
    physad__free(run->typed_name);
    physad__free(run->typed_index);
    physad__free(run->typed_score);
}

physad_status physad__run_tell(physad__run_state *run, const physad_scored *s, const physad_view *photo, double **told)
{
    physad_image *image = NULL;
    physad_regions *regions = NULL;
    physad_view pixels;
    *told = NULL;
    if (run->types == NULL || s->result->map == NULL)
        return PHYSAD_OK;
    physad_status status = physad__run_photo(run, s, photo, &image, &pixels);
    if (status == PHYSAD_OK)
        status = physad_regions_find(&regions, s->result, &pixels, NAN);
    if (status == PHYSAD_OK) {
        *told = physad__alloc_array(&run->ctx->mem, run->report->told_count, sizeof(**told), "types of defect");
        status = *told != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; status == PHYSAD_OK && i < run->report->told_count; i++)
        (*told)[i] = physad_types_likeness(run->types, regions, i);
    for (int64_t i = 0; status == PHYSAD_OK && i < run->typed_count; i++)
        run->typed_score[i] = (*told)[run->typed_index[i]];
    physad_regions_free(regions);
    physad_image_free(image);
    return status;
}
