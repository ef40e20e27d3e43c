/* SPDX-License-Identifier: Apache-2.0 */
/* Accumulators as named arrays and back. What comes in may have been through any hands: nothing of it is believed. */
#include "metrics/metrics.h"

#include "io/io.h"

#include <math.h>

static const char KIND[] = "physad.kind", VERSION[] = "1";

/* --- out --- */

static physad_status put(physad_tensors *t, const char *name, const void *data, int32_t dtype, int64_t n)
{
    const physad_view view = physad_view_array((void *)(uintptr_t)data, dtype, 1, &n);
    return physad_tensors_add(t, name, &view);
}

/* Names one after the other, each with its NUL. */
static physad_status put_names(physad_tensors *t, const char *name, const physad__names *names)
{
    int64_t size = 0;
    for (int64_t i = 0; i < names->count; i++)
        size += (int64_t)strlen(names->text[i]) + 1;
    char *text = physad__alloc(names->mem, (size_t)size, "names");
    if (text == NULL)
        return PHYSAD_ERR_NOMEM;
    char *at = text;
    for (int64_t i = 0; i < names->count; i++) {
        const size_t length = strlen(names->text[i]) + 1;
        memcpy(at, names->text[i], length);
        at += length;
    }
    const physad_status status = put(t, name, text, PHYSAD_U8, size);
    physad__free(text);
    return status;
}

static physad_status begin_out(physad_context *ctx, physad_tensors *t, const char *kind, const char *what)
{
    PHYSAD__TRY(physad__context_check(ctx, what));
    if (t == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: tensors is NULL", what);
    if (physad_tensors_count(t) != 0)
        return physad__error(PHYSAD_ERR_ARG, "%s: the set holds %lld arrays already, want an empty one", what,
                             (long long)physad_tensors_count(t));
    PHYSAD__TRY(physad_tensors_set_metadata(t, KIND, kind));
    return physad_tensors_set_metadata(t, "physad.version", VERSION);
}

physad_status physad_scores_to_tensors(const physad_scores *scores, physad_tensors *tensors)
{
    if (scores == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_to_tensors: scores is NULL");
    PHYSAD__TRY(begin_out(scores->ctx, tensors, "scores", "physad_scores_to_tensors"));
    const int64_t n = scores->count;
    double *value = physad__alloc_array(&scores->ctx->mem, n, sizeof(*value), "scores");
    int32_t *number = physad__alloc_array(&scores->ctx->mem, 4 * n, sizeof(*number), "scores");
    physad_status status = value == NULL || number == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    for (int64_t i = 0; i < n && status == PHYSAD_OK; i++) {
        const physad__score_item *item = &scores->item[i];
        value[i] = item->score;
        number[i] = item->label;
        number[n + i] = item->type;
        number[2 * n + i] = item->group;
        number[3 * n + i] = item->typed_count;
    }
    static const char *const names[4] = { "label", "type", "group", "typed" };
    if (status == PHYSAD_OK)
        status = put(tensors, "score", value, PHYSAD_F64, n);
    for (int i = 0; i < 4 && status == PHYSAD_OK; i++)
        status = put(tensors, names[i], number + i * n, PHYSAD_I32, n);
    physad__free(value);
    physad__free(number);
    if (status == PHYSAD_OK)
        status = put(tensors, "typed_name", scores->typed_name, PHYSAD_I32, scores->typed_count);
    if (status == PHYSAD_OK)
        status = put(tensors, "typed_score", scores->typed_score, PHYSAD_F64, scores->typed_count);
    if (status == PHYSAD_OK)
        status = put_names(tensors, "types", &scores->types);
    return status == PHYSAD_OK ? put_names(tensors, "groups", &scores->groups) : status;
}

/* --- in --- */

static physad_status bad(const char *array, int64_t place, const char *reason)
{
    return physad__error(PHYSAD_ERR_FORMAT, "accumulator: %s[%lld] %s", array, (long long)place, reason);
}

/* A vector without gaps, `n` long unless that is negative. */
static physad_status want(const physad_tensors *t, const char *name, int32_t dtype, int64_t n, const void **data,
                          int64_t *count)
{
    physad_view view;
    PHYSAD__TRY(physad__tensors_want(t, name, dtype, 1, &n, &view));
    if (view.shape[0] > 0 && !physad__view_is_contiguous(&view))
        return physad__error(PHYSAD_ERR_FORMAT, "accumulator: %s has gaps between its elements", name);
    if ((uintptr_t)view.data % physad_dtype_size(dtype) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "accumulator: %s does not lie at a multiple of its elements' size",
                             name);
    *data = view.data;
    if (count != NULL)
        *count = view.shape[0];
    return PHYSAD_OK;
}

static physad_status begin_in(physad_context *ctx, const physad_tensors *t, const char *kind, const char *what)
{
    PHYSAD__TRY(physad__context_check(ctx, what));
    if (t == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: tensors is NULL", what);
    const char *got = physad_tensors_metadata(t, KIND), *version = physad_tensors_metadata(t, "physad.version");
    if (got == NULL || strcmp(got, kind) != 0)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: the set's \"%s\" is %s%s%s, want \"%s\"", what, KIND,
                             got != NULL ? "\"" : "", got != NULL ? got : "not set", got != NULL ? "\"" : "", kind);
    if (version == NULL || strcmp(version, VERSION) != 0)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "%s: the set has version %s, this library reads %s", what,
                             version != NULL ? version : "none", VERSION);
    return PHYSAD_OK;
}

static physad_status take_names(const physad_tensors *t, const char *array, physad__names *names)
{
    const void *data;
    int64_t size;
    PHYSAD__TRY(want(t, array, PHYSAD_U8, -1, &data, &size));
    const char *text = data;
    for (int64_t at = 0; at < size;) {
        int32_t id;
        const char *end = memchr(text + at, '\0', (size_t)(size - at));
        if (end == NULL)
            return bad(array, at, "begins a text without an end");
        const int64_t before = names->count;
        PHYSAD__TRY(physad__names_intern(names, text + at, &id));
        if (names->count == before)
            return bad(array, at, "is a text that was there before");
        at = end + 1 - text;
    }
    return PHYSAD_OK;
}

typedef struct score_arrays {
    int64_t count, typed_count;
    const double *score, *typed_score;
    const int32_t *label, *type, *group, *typed, *typed_name;
} score_arrays;

static physad_status take_score_arrays(score_arrays *a, const physad_tensors *t)
{
    const void *data;
    PHYSAD__TRY(want(t, "score", PHYSAD_F64, -1, &data, &a->count));
    a->score = data;
    PHYSAD__TRY(want(t, "label", PHYSAD_I32, a->count, &data, NULL));
    a->label = data;
    PHYSAD__TRY(want(t, "type", PHYSAD_I32, a->count, &data, NULL));
    a->type = data;
    PHYSAD__TRY(want(t, "group", PHYSAD_I32, a->count, &data, NULL));
    a->group = data;
    PHYSAD__TRY(want(t, "typed", PHYSAD_I32, a->count, &data, NULL));
    a->typed = data;
    PHYSAD__TRY(want(t, "typed_name", PHYSAD_I32, -1, &data, &a->typed_count));
    a->typed_name = data;
    PHYSAD__TRY(want(t, "typed_score", PHYSAD_F64, a->typed_count, &data, NULL));
    a->typed_score = data;
    return PHYSAD_OK;
}

/* One sample through the front door, which checks it. */
static physad_status add_sample(physad_scores *s, const score_arrays *a, const physad__names *types,
                                const physad__names *groups, int64_t i, int64_t first)
{
    enum { MOST = 256 };
    const char *names[MOST];
    if (a->group[i] < -1 || a->group[i] >= groups->count)
        return bad("group", i, "is no group");
    if (a->label[i] == 1 && (a->type[i] < 0 || a->type[i] >= types->count))
        return bad("type", i, "is no type");
    if (a->typed[i] < 0 || a->typed[i] > MOST || a->typed[i] > a->typed_count - first)
        return bad("typed", i, "is no number of scores");
    for (int32_t k = 0; k < a->typed[i]; k++) {
        const int32_t name = a->typed_name[first + k];
        if (name < 0 || name >= types->count)
            return bad("typed_name", first + k, "is no type");
        names[k] = types->text[name];
    }
    const physad_status status =
        physad_scores_add_typed(s, a->score[i], a->label[i], a->label[i] == 1 ? types->text[a->type[i]] : NULL,
                                a->group[i] >= 0 ? groups->text[a->group[i]] : NULL, a->typed[i], names,
                                a->typed[i] > 0 ? a->typed_score + first : (const double[]){ 0 });
    if (status == PHYSAD_ERR_ARG || status == PHYSAD_ERR_NUMERIC)
        return physad__error(PHYSAD_ERR_FORMAT, "accumulator: sample %lld: %s", (long long)i, physad_last_error());
    return status;
}

static physad_status fill_scores(physad_scores *s, const physad_tensors *t)
{
    physad__names types = { .mem = &s->ctx->mem }, groups = { .mem = &s->ctx->mem };
    score_arrays a;
    int64_t first = 0;
    physad_status status = take_score_arrays(&a, t);
    if (status == PHYSAD_OK)
        status = take_names(t, "types", &types);
    if (status == PHYSAD_OK)
        status = take_names(t, "groups", &groups);
    for (int64_t i = 0; status == PHYSAD_OK && i < a.count; i++) {
        status = add_sample(s, &a, &types, &groups, i, first);
        first += status == PHYSAD_OK ? a.typed[i] : 0;
    }
    if (status == PHYSAD_OK && first != a.typed_count)
        status = bad("typed_score", first, "belongs to no sample");
    physad__names_free(&types);
    physad__names_free(&groups);
    return status;
}

physad_status physad_scores_from_tensors(physad_scores **out, physad_context *context, const physad_tensors *tensors)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_scores_from_tensors: out is NULL");
    *out = NULL;
    PHYSAD__TRY(begin_in(context, tensors, "scores", "physad_scores_from_tensors"));
    physad_scores *s = NULL;
    PHYSAD__TRY(physad_scores_new(&s, context));
    const physad_status status = fill_scores(s, tensors);
    if (status == PHYSAD_OK)
        *out = s;
    else
        physad_scores_free(s);
    return status;
}

/* --- pixels --- */

/* The photos' blocks, taken apart: all anomalous pixels, then all normal ones. */
static physad_status put_blocks(const physad_pixels *pixels, physad_tensors *t)
{
    physad__mem *mem = &pixels->ctx->mem;
    uint64_t *anomalous = physad__alloc_array(mem, pixels->positives, sizeof(*anomalous), "anomalous pixels");
    uint32_t *normal = physad__alloc_array(mem, pixels->negatives, sizeof(*normal), "normal pixels");
    physad_status status = anomalous == NULL || normal == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    int64_t p = 0, n = 0;
    for (int64_t i = 0; i < pixels->count && status == PHYSAD_OK; i++) {
        const physad__run *run = &pixels->run[i];
        const int64_t size = run->positives * (int64_t)sizeof(*anomalous);
        status = physad__run_positives(pixels, run, 0, run->positives, anomalous + p);
        if (status == PHYSAD_OK && run->block == NULL)
            status = physad__spill_read(&pixels->spill, run->offset + size, normal + n,
                                        run->negatives * (int64_t)sizeof(*normal));
        else if (status == PHYSAD_OK && run->negatives > 0)
            memcpy(normal + n, (const char *)run->block + size, (size_t)run->negatives * sizeof(*normal));
        p += run->positives;
        n += run->negatives;
    }
    if (status == PHYSAD_OK)
        status = put(t, "anomalous", anomalous, PHYSAD_U64, p);
    if (status == PHYSAD_OK)
        status = put(t, "normal", normal, PHYSAD_U32, n);
    physad__free(anomalous);
    physad__free(normal);
    return status;
}

physad_status physad_pixels_to_tensors(const physad_pixels *pixels, physad_tensors *tensors)
{
    static const char *const names[4] = { "photo_anomalous", "photo_normal", "photo_regions", "photo_group" };
    if (pixels == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_to_tensors: pixels is NULL");
    PHYSAD__TRY(begin_out(pixels->ctx, tensors, "pixels", "physad_pixels_to_tensors"));
    const int64_t n = pixels->count, r = pixels->regions;
    int64_t *number = physad__alloc_array(&pixels->ctx->mem, 4 * n + 2 * r, sizeof(*number), "photos");
    if (number == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        number[i] = pixels->run[i].positives;
        number[n + i] = pixels->run[i].negatives;
        number[2 * n + i] = pixels->run[i].region_count;
        number[3 * n + i] = pixels->run[i].group;
    }
    for (int64_t i = 0; i < r; i++) {
        number[4 * n + i] = pixels->region[i].area;
        number[4 * n + r + i] = pixels->region[i].saturation;
    }
    physad_status status = PHYSAD_OK;
    for (int i = 0; i < 4 && status == PHYSAD_OK; i++)
        status = put(tensors, names[i], number + i * n, PHYSAD_I64, n);
    if (status == PHYSAD_OK)
        status = put(tensors, "region_area", number + 4 * n, PHYSAD_I64, r);
    if (status == PHYSAD_OK)
        status = put(tensors, "region_saturation", number + 4 * n + r, PHYSAD_I64, r);
    physad__free(number);
    if (status == PHYSAD_OK)
        status = physad_tensors_set_metadata(tensors, "physad.saturated", pixels->saturated ? "1" : "0");
    if (status == PHYSAD_OK)
        status = put_names(tensors, "groups", &pixels->groups);
    return status == PHYSAD_OK ? put_blocks(pixels, tensors) : status;
}

typedef struct pixel_arrays {
    int64_t photos, regions, positives, negatives;
    const int64_t *anomalous, *normal, *region_count, *group, *area, *saturation;
    const uint64_t *anomalous_pixel;
    const uint32_t *normal_pixel;
} pixel_arrays;

static physad_status take_pixel_arrays(pixel_arrays *a, const physad_tensors *t)
{
    const void *data;
    PHYSAD__TRY(want(t, "photo_anomalous", PHYSAD_I64, -1, &data, &a->photos));
    a->anomalous = data;
    PHYSAD__TRY(want(t, "photo_normal", PHYSAD_I64, a->photos, &data, NULL));
    a->normal = data;
    PHYSAD__TRY(want(t, "photo_regions", PHYSAD_I64, a->photos, &data, NULL));
    a->region_count = data;
    PHYSAD__TRY(want(t, "photo_group", PHYSAD_I64, a->photos, &data, NULL));
    a->group = data;
    PHYSAD__TRY(want(t, "region_area", PHYSAD_I64, -1, &data, &a->regions));
    a->area = data;
    PHYSAD__TRY(want(t, "region_saturation", PHYSAD_I64, a->regions, &data, NULL));
    a->saturation = data;
    PHYSAD__TRY(want(t, "anomalous", PHYSAD_U64, -1, &data, &a->positives));
    a->anomalous_pixel = data;
    PHYSAD__TRY(want(t, "normal", PHYSAD_U32, -1, &data, &a->negatives));
    a->normal_pixel = data;
    return PHYSAD_OK;
}

/* Sorted, no NaN, and regions that have just as many pixels as they say, saturated ones below the others. */
static physad_status check_block(const physad__run *run, const physad__region *region, int64_t *seen)
{
    const uint64_t *anomalous = run->block;
    const uint32_t *normal = (const uint32_t *)(const void *)(anomalous + run->positives);
    memset(seen, 0, (size_t)(2 * run->region_count) * sizeof(*seen));
    for (int64_t i = 0; i < run->positives; i++) {
        const uint32_t key = (uint32_t)(anomalous[i] >> 32), number = (uint32_t)anomalous[i] & ~PHYSAD__SATURATED;
        if (isnan(physad__key_float(key)) || key == physad__float_key(0) - 1 || (i > 0 && key < anomalous[i - 1] >> 32))
            return bad("anomalous", i, "of its photo is no score, or not sorted");
        if (number >= run->region_count)
            return bad("anomalous", i, "of its photo is in no region");
        seen[2 * number]++;
        seen[2 * number + 1] += ((uint32_t)anomalous[i] & PHYSAD__SATURATED) == 0;
    }
    for (int64_t i = 0; i < run->region_count; i++)
        if (seen[2 * i] != region[i].area || seen[2 * i + 1] != region[i].saturation)
            return bad("region_area", i, "of its photo is not the number of its pixels");
    for (int64_t i = 0; i < run->negatives; i++)
        if (isnan(physad__key_float(normal[i])) || normal[i] == physad__float_key(0) - 1 ||
            (i > 0 && normal[i] < normal[i - 1]))
            return bad("normal", i, "of its photo is no score, or not sorted");
    return PHYSAD_OK;
}

/* The i-th photo; the arrays are used up to where *left says, which moves on. */
static physad_status add_photo(physad_pixels *pixels, pixel_arrays *left, int64_t i)
{
    physad__mem *mem = &pixels->ctx->mem;
    const int64_t p = left->anomalous[i], n = left->normal[i], r = left->region_count[i];
    if (p < 0 || p > left->positives || n < 0 || n > left->negatives || r < 0 || r > left->regions ||
        (p == 0 && n == 0))
        return bad("photo_anomalous", i, "or its neighbours are no numbers of pixels and regions");
    if (left->group[i] < -1 || left->group[i] >= pixels->groups.count)
        return bad("photo_group", i, "is no group");
    PHYSAD__TRY(physad__pixels_reserve(pixels, 1, r));
    physad__region *region = pixels->region + pixels->regions;
    for (int64_t k = 0; k < r; k++) {
        region[k] = (physad__region){ left->area[k], left->saturation[k] };
        if (region[k].area < 1 || region[k].saturation < 1 || region[k].saturation > region[k].area)
            return bad("region_saturation", k, "of its photo is not between 1 and the area");
    }
    physad__run run = { .positives = p, .negatives = n, .region_count = r, .group = (int32_t)left->group[i] };
    int64_t *seen = physad__alloc_array(mem, 2 * r, sizeof(*seen), "regions");
    run.block = physad__alloc(mem, (size_t)physad__run_size(&run), "pixels");
    physad_status status = seen == NULL || run.block == NULL ? PHYSAD_ERR_NOMEM : PHYSAD_OK;
    if (status == PHYSAD_OK) {
        uint64_t *anomalous = run.block;
        if (p > 0)
            memcpy(anomalous, left->anomalous_pixel, (size_t)p * sizeof(*anomalous));
        if (n > 0)
            memcpy(anomalous + p, left->normal_pixel, (size_t)n * sizeof(uint32_t));
        status = check_block(&run, region, seen);
    }
    physad__free(seen);
    if (status == PHYSAD_OK) {
        physad__run_identify(&run);
        status = physad__pixels_append(pixels, &run);
    }
    if (status != PHYSAD_OK)
        physad__free(run.block);
    left->anomalous_pixel += p;
    left->normal_pixel += n;
    left->area += r;
    left->saturation += r;
    left->positives -= p;
    left->negatives -= n;
    left->regions -= r;
    return status;
}

static physad_status fill_pixels(physad_pixels *pixels, const physad_tensors *t)
{
    pixel_arrays a;
    const char *saturated = physad_tensors_metadata(t, "physad.saturated");
    pixels->saturated = saturated != NULL && strcmp(saturated, "1") == 0;
    PHYSAD__TRY(take_pixel_arrays(&a, t));
    PHYSAD__TRY(take_names(t, "groups", &pixels->groups));
    for (int64_t i = 0; i < a.photos; i++)
        PHYSAD__TRY(add_photo(pixels, &a, i));
    if (a.positives != 0 || a.negatives != 0 || a.regions != 0)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "accumulator: %lld anomalous and %lld normal pixels and %lld regions belong to no "
                             "photo",
                             (long long)a.positives, (long long)a.negatives, (long long)a.regions);
    return PHYSAD_OK;
}

physad_status physad_pixels_from_tensors(physad_pixels **out, physad_context *context, const physad_tensors *tensors)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_from_tensors: out is NULL");
    *out = NULL;
    PHYSAD__TRY(begin_in(context, tensors, "pixels", "physad_pixels_from_tensors"));
    physad_pixels *p = NULL;
    PHYSAD__TRY(physad_pixels_new(&p, context));
    const physad_status status = fill_pixels(p, tensors);
    if (status == PHYSAD_OK)
        *out = p;
    else
        physad_pixels_free(p);
    return status;
}
