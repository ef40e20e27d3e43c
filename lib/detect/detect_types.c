/* SPDX-License-Identifier: Apache-2.0 */
/* Types of defect: the four kinds by their names, or those of labelled examples, by the nearest one. */
#include "detect/detect_region.h"
#include "metrics/metrics.h"

#include <math.h>

typedef struct example {
    physad__look look;
    int32_t type, reserved;
} example;

struct physad_types {
    physad_context *ctx;
    physad__names names; /* of the examples' types, in the order they came */
    example *examples;
    int64_t example_count, example_capacity;
};

static const char *const KINDS[PHYSAD_DEFECTS] = { "hole", "line", "tint", "deformation" };

const char *physad_defect_name(int32_t kind)
{
    return kind >= 0 && kind < PHYSAD_DEFECTS ? KINDS[kind] : NULL;
}

/* ASCII's, whatever the locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int32_t physad_defect_of_type(const char *type)
{
    /* Beginnings of words; the first that is found decides. */
    static const struct {
        const char *stem;
        int32_t kind;
    } words[] = {
        { "scratch", PHYSAD_DEFECT_LINE },       { "crack", PHYSAD_DEFECT_LINE },
        { "line", PHYSAD_DEFECT_LINE },          { "cut", PHYSAD_DEFECT_LINE },
        { "thread", PHYSAD_DEFECT_LINE },        { "hair", PHYSAD_DEFECT_LINE },
        { "stain", PHYSAD_DEFECT_TINT },         { "tint", PHYSAD_DEFECT_TINT },
        { "colo", PHYSAD_DEFECT_TINT },          { "discolo", PHYSAD_DEFECT_TINT },
        { "contamin", PHYSAD_DEFECT_TINT },      { "dirt", PHYSAD_DEFECT_TINT },
        { "oil", PHYSAD_DEFECT_TINT },           { "print", PHYSAD_DEFECT_TINT },
        { "missing", PHYSAD_DEFECT_HOLE },       { "hole", PHYSAD_DEFECT_HOLE },
        { "blowhole", PHYSAD_DEFECT_HOLE },      { "break", PHYSAD_DEFECT_HOLE },
        { "broken", PHYSAD_DEFECT_HOLE },        { "chip", PHYSAD_DEFECT_HOLE },
        { "squeez", PHYSAD_DEFECT_DEFORMATION }, { "dent", PHYSAD_DEFECT_DEFORMATION },
        { "bent", PHYSAD_DEFECT_DEFORMATION },   { "bend", PHYSAD_DEFECT_DEFORMATION },
        { "deform", PHYSAD_DEFECT_DEFORMATION }, { "fold", PHYSAD_DEFECT_DEFORMATION },
        { "warp", PHYSAD_DEFECT_DEFORMATION },
    };
    for (const char *p = type; p != NULL && *p != '\0'; p++) {
        if (p > type && lower(p[-1]) >= 'a' && lower(p[-1]) <= 'z')
            continue; /* within a word */
        for (int64_t i = 0; i < PHYSAD__COUNT(words); i++) {
            size_t n = 0;
            while (words[i].stem[n] != '\0' && lower(p[n]) == words[i].stem[n])
                n++;
            if (words[i].stem[n] == '\0')
                return words[i].kind;
        }
    }
    return -1;
}

physad_status physad_types_new(physad_types **out, physad_context *context)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_types_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_types_new"));
    physad_types *t = physad__alloc_zero(&context->mem, sizeof(*t), "types of defect");
    if (t == NULL)
        return PHYSAD_ERR_NOMEM;
    t->ctx = physad__context_retain(context);
    t->names.mem = &context->mem;
    *out = t;
    return PHYSAD_OK;
}

void physad_types_free(physad_types *types)
{
    if (types == NULL)
        return;
    physad__names_free(&types->names);
    physad__free(types->examples);
    physad_context *ctx = types->ctx;
    physad__free(types);
    physad_context_free(ctx);
}

physad_status physad_types_add(physad_types *types, const char *type, const physad_regions *regions)
{
    if (types == NULL || type == NULL || regions == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_types_add: %s is NULL",
                             types == NULL  ? "types"
                             : type == NULL ? "type"
                                            : "regions");
    PHYSAD__TRY(physad__context_check(types->ctx, "physad_types_add"));
    if (*type == '\0')
        return physad__error(PHYSAD_ERR_ARG, "physad_types_add: the type has no name");
    if (regions->count == 0 || !regions->look[0].known)
        return physad__error(PHYSAD_ERR_ARG, "physad_types_add: this example of \"%s\" %s", type,
                             regions->count == 0 ? "shows no region"
                                                 : "shows a region with nothing around it to compare with");
    int32_t index;
    PHYSAD__TRY(physad__grow(&types->ctx->mem, &types->examples, &types->example_capacity, types->example_count + 1,
                             sizeof(*types->examples), "types of defect"));
    PHYSAD__TRY(physad__names_intern(&types->names, type, &index));
    types->examples[types->example_count++] = (example){ .look = regions->look[0], .type = index };
    return PHYSAD_OK;
}

static physad_status add_photo(physad_types *t, const physad_detector *det, const physad_dataset *photos, int64_t index,
                               const char *type)
{
    physad_image *image = NULL;
    physad_result *result = NULL;
    physad_regions *regions = NULL;
    physad_status status = physad_dataset_read_scaled(photos, index, physad__jpeg_scale(det), &image);
    if (status == PHYSAD_OK) {
        const physad_view photo = physad_image_view(image);
        status = physad_detector_score(det, &photo, &result);
        if (status == PHYSAD_OK)
            status = physad_regions_find(&regions, result, &photo, NAN);
    }
    if (status == PHYSAD_OK)
        status = physad_types_add(t, type, regions);
    if (status != PHYSAD_OK)
        physad__error_prefix(status, "%s", physad_dataset_sample(photos, index)->file);
    physad_regions_free(regions);
    physad_result_free(result);
    physad_image_free(image);
    return status;
}

static physad_status add_folder(physad_types *t, const physad_detector *det, const char *folder, const char *type)
{
    physad_dataset *photos = NULL;
    char *path = physad__path_join(&t->ctx->mem, folder, type);
    physad_status status = path != NULL ? physad_dataset_open(&photos, t->ctx, path, NULL) : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; status == PHYSAD_OK && i < physad_dataset_count(photos); i++)
        status = add_photo(t, det, photos, i, type);
    physad_dataset_free(photos);
    physad__free(path);
    return status;
}

physad_status physad_types_add_folder(physad_types *types, const physad_detector *detector, const char *folder)
{
    physad__dir dir = { 0 };
    int64_t folders = 0;
    if (types == NULL || detector == NULL || folder == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_types_add_folder: %s is NULL",
                             types == NULL      ? "types"
                             : detector == NULL ? "the detector"
                                                : "folder");
    PHYSAD__TRY(physad__context_check(types->ctx, "physad_types_add_folder"));
    physad_status status = physad__dir_list(&dir, &types->ctx->mem, folder);
    for (int64_t i = 0; status == PHYSAD_OK && i < dir.count; i++) {
        if (!dir.entries[i].is_dir)
            continue;
        folders++;
        status = add_folder(types, detector, folder, dir.entries[i].name);
    }
    if (status == PHYSAD_OK && folders == 0)
        status = physad__error(PHYSAD_ERR_ARG, "%s: want a folder for each type, with photos that show it", folder);
    physad__dir_free(&dir);
    return status;
}

int64_t physad_types_count(const physad_types *types)
{
    return types == NULL ? 0 : types->example_count > 0 ? types->names.count : PHYSAD_DEFECTS;
}

const char *physad_types_name(const physad_types *types, int64_t index)
{
    if (index < 0 || index >= physad_types_count(types))
        return NULL;
    return types->example_count > 0 ? types->names.text[index] : KINDS[index];
}

/* Of the nearest example of a type. */
static double distance(const physad_types *t, const physad__look *look, int64_t type)
{
    double least = INFINITY;
    for (int64_t i = 0; i < t->example_count; i++)
        if (t->examples[i].type == type)
            least = fmin(least, physad__look_distance(look, &t->examples[i].look));
    return least;
}

/* A type's likelihood falls with the squared distance of its nearest example, as a normal density's. */
static double by_examples(const physad_types *t, const physad__look *look, int64_t type)
{
    const double own = distance(t, look, type);
    double sum = 0;
    for (int64_t i = 0; i < t->names.count; i++)
        sum += exp(own - distance(t, look, i));
    return 1 / sum;
}

double physad_types_likeness(const physad_types *types, const physad_regions *regions, int64_t index)
{
    double kinds[PHYSAD_DEFECTS];
    if (types == NULL || regions == NULL || index < 0 || index >= physad_types_count(types))
        return NAN;
    if (regions->count == 0 || !regions->look[0].known)
        return 1 / (double)physad_types_count(types);
    if (types->example_count > 0)
        return by_examples(types, &regions->look[0], index);
    physad__region_kinds(&regions->look[0], kinds);
    return kinds[index];
}
