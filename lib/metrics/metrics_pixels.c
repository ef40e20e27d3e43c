/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <math.h>

physad_status physad_pixels_new(physad_pixels **out, physad_context *context)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_new: out is NULL");
    *out = NULL;
    PHYSAD__TRY(physad__context_check(context, "physad_pixels_new"));
    physad_pixels *p = physad__alloc_zero(&context->mem, sizeof(*p), "pixels");
    if (p == NULL)
        return PHYSAD_ERR_NOMEM;
    p->ctx = physad__context_retain(context);
    p->groups.mem = &context->mem;
    p->spill.fd = -1;
    *out = p;
    return PHYSAD_OK;
}

void physad_pixels_free(physad_pixels *pixels)
{
    if (pixels == NULL)
        return;
    physad_context *ctx = pixels->ctx;
    for (int64_t i = 0; i < pixels->count; i++)
        physad__free(pixels->run[i].block);
    physad__spill_close(&pixels->spill);
    physad__names_free(&pixels->groups);
    physad__free(pixels->run);
    physad__free(pixels->region);
    physad__free(pixels);
    physad_context_free(ctx);
}

int64_t physad_pixels_count(const physad_pixels *pixels)
{
    return pixels != NULL ? pixels->positives + pixels->negatives : 0;
}

int64_t physad__run_size(const physad__run *run)
{
    return run->positives * (int64_t)sizeof(uint64_t) + run->negatives * (int64_t)sizeof(uint32_t);
}

/* --- one photo --- */

typedef struct photo {
    const physad_view *map, *mask, *valid;
    int64_t height, width;
    int32_t *region; /* H x W: 0 outside, else 1 + index in `area`; NULL when nothing is anomalous */
    int64_t *area;   /* of each region */
    int32_t regions;
    physad__run run;
} photo;

static physad_status check_plane(const physad_view *view, const char *name, const physad_view *map)
{
    char got[160], want[160];
    if (view == NULL)
        return PHYSAD_OK;
    PHYSAD__TRY(physad__view_check(view, name));
    if (view->dtype != PHYSAD_U8 && view->dtype != PHYSAD_BOOL)
        return physad__error(PHYSAD_ERR_DTYPE, "%s has dtype %s, want u8 or bool", name,
                             physad_dtype_name(view->dtype));
    if (view->ndim != 2 || view->shape[0] != map->shape[0] || view->shape[1] != map->shape[1])
        return physad__error(PHYSAD_ERR_SHAPE, "%s has shape %s, want the map's %s", name,
                             physad__shape_text(got, sizeof(got), view->ndim, view->shape),
                             physad__shape_text(want, sizeof(want), map->ndim, map->shape));
    return PHYSAD_OK;
}

static physad_status check_photo(const physad_pixels *pixels, const photo *p, double saturation_area)
{
    char shape[160];
    if (pixels == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_add: pixels is NULL");
    PHYSAD__TRY(physad__context_check(pixels->ctx, "physad_pixels_add"));
    PHYSAD__TRY(physad__view_check(p->map, "physad_pixels_add: map"));
    if (p->map->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "physad_pixels_add: map has dtype %s, want f32",
                             physad_dtype_name(p->map->dtype));
    if (p->map->ndim != 2)
        return physad__error(PHYSAD_ERR_SHAPE, "physad_pixels_add: map has shape %s, want (height,width)",
                             physad__shape_text(shape, sizeof(shape), p->map->ndim, p->map->shape));
    PHYSAD__TRY(check_plane(p->mask, "physad_pixels_add: mask", p->map));
    PHYSAD__TRY(check_plane(p->valid, "physad_pixels_add: valid", p->map));
    if (!(saturation_area >= 0 && saturation_area <= 0x1p53))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_pixels_add: saturation_area is %g, want 0 (none) or a number of pixels",
                             saturation_area);
    return PHYSAD_OK;
}

static const unsigned char *row_of(const physad_view *view, int64_t y)
{
    return view != NULL ? (const unsigned char *)view->data + y * view->stride[0] : NULL;
}

static bool is_set(const physad_view *view, const unsigned char *row, int64_t x)
{
    return row[x * view->stride[1]] != 0;
}

/* Finds the regions of the mask, and the areas of those that have pixels that count. */
static physad_status find_regions(photo *p, physad__mem *mem)
{
    const int64_t n = p->height * p->width;
    bool any = false;
    int32_t found = 0;
    uint8_t *mask = physad__alloc_array(mem, n, 1, "mask");
    if (mask == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t y = 0; y < p->height; y++) {
        const unsigned char *row = row_of(p->mask, y);
        for (int64_t x = 0; x < p->width; x++) {
            mask[y * p->width + x] = is_set(p->mask, row, x);
            any = any || mask[y * p->width + x];
        }
    }
    physad_status status = PHYSAD_OK;
    if (any) {
        p->region = physad__alloc_array(mem, n, sizeof(*p->region), "regions of a mask");
        status =
            p->region == NULL ? PHYSAD_ERR_NOMEM : physad__regions(mem, mask, p->height, p->width, p->region, &found);
    }
    physad__free(mask);
    if (!any || status != PHYSAD_OK)
        return status;
    p->area = physad__alloc_zero(mem, (size_t)(found + 1) * sizeof(*p->area), "areas of regions");
    int32_t *number = physad__alloc_array(mem, found + 1, sizeof(*number), "regions of a mask");
    if (p->area == NULL || number == NULL) {
        physad__free(number);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t y = 0; y < p->height; y++) {
        const unsigned char *row = row_of(p->valid, y);
        for (int64_t x = 0; x < p->width; x++)
            p->area[p->region[y * p->width + x]] += row == NULL || is_set(p->valid, row, x);
    }
    number[0] = 0;
    for (int32_t i = 1; i <= found; i++) {
        number[i] = p->area[i] > 0 ? ++p->regions : 0;
        if (p->area[i] > 0)
            p->area[p->regions - 1] = p->area[i]; /* regions <= i: what is overwritten has been read */
    }
    for (int64_t i = 0; i < n; i++)
        p->region[i] = number[p->region[i]];
    physad__free(number);
    return PHYSAD_OK;
}

static void count_pixels(photo *p)
{
    int64_t valid = p->height * p->width;
    if (p->valid != NULL) {
        valid = 0;
        for (int64_t y = 0; y < p->height; y++) {
            const unsigned char *row = row_of(p->valid, y);
            for (int64_t x = 0; x < p->width; x++)
                valid += is_set(p->valid, row, x);
        }
    }
    for (int32_t i = 0; i < p->regions; i++)
        p->run.positives += p->area[i];
    p->run.negatives = valid - p->run.positives;
    p->run.region_count = p->regions;
}

/* Writes the keys of the pixels that count, anomalous and normal apart. */
static physad_status take_keys(const photo *p, uint64_t *anomalous, uint32_t *normal)
{
    for (int64_t y = 0; y < p->height; y++) {
        const char *row = (const char *)p->map->data + y * p->map->stride[0];
        const unsigned char *valid = row_of(p->valid, y);
        const int32_t *region = p->region != NULL ? p->region + y * p->width : NULL;
        for (int64_t x = 0; x < p->width; x++) {
            float value;
            if (valid != NULL && !is_set(p->valid, valid, x))
                continue;
            memcpy(&value, row + x * p->map->stride[1], sizeof(value));
            if (isnan(value))
                return physad__error(PHYSAD_ERR_NUMERIC,
                                     "physad_pixels_add: map[%lld,%lld] is NaN; mark such pixels as not valid",
                                     (long long)y, (long long)x);
            if (region != NULL && region[x] > 0)
                *anomalous++ = (uint64_t)physad__float_key(value) << 32 | (uint32_t)(region[x] - 1);
            else
                *normal++ = physad__float_key(value);
        }
    }
    return PHYSAD_OK;
}

/* Marks what lies beyond the saturation of its region, counted from the highest score. */
static physad_status mark_saturated(const photo *p, physad__mem *mem, uint64_t *anomalous, double saturation)
{
    int64_t *left = physad__alloc_array(mem, p->regions, sizeof(*left), "saturation of regions");
    if (left == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int32_t i = 0; i < p->regions; i++)
        left[i] = saturation < (double)p->area[i] ? (int64_t)ceil(saturation) : p->area[i];
    for (int64_t i = p->run.positives - 1; i >= 0; i--) {
        const uint32_t region = (uint32_t)anomalous[i];
        if (left[region] > 0)
            left[region]--;
        else
            anomalous[i] |= PHYSAD__SATURATED;
    }
    physad__free(left);
    return PHYSAD_OK;
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

void physad__run_identify(physad__run *run)
{
    const uint64_t *anomalous = run->block;
    const uint32_t *normal = (const uint32_t *)(const void *)(anomalous + run->positives);
    run->content = mix((uint64_t)run->positives, (uint64_t)run->negatives);
    for (int64_t i = 0; i < run->positives; i++)
        run->content = mix(run->content, anomalous[i] >> 32);
    for (int64_t i = 0; i < run->negatives; i++)
        run->content = mix(run->content, normal[i]);
}

static physad_status make_block(photo *p, physad__mem *mem, double saturation)
{
    const int64_t np = p->run.positives, nn = p->run.negatives;
    physad_status status = PHYSAD_ERR_NOMEM;
    p->run.block = physad__alloc(mem, (size_t)physad__run_size(&p->run), "pixels");
    void *scratch = physad__alloc(mem, (size_t)physad__max(np * 8, nn * 4), "sorting pixels");
    if (p->run.block == NULL || scratch == NULL)
        goto done;
    uint64_t *anomalous = p->run.block;
    uint32_t *normal = (uint32_t *)(void *)(anomalous + np);
    if ((status = take_keys(p, anomalous, normal)) != PHYSAD_OK)
        goto done;
    physad__radix_sort(normal, scratch, nn);
    physad__radix_sort_pairs(anomalous, scratch, np);
    physad__run_identify(&p->run);
    if (saturation > 0 && np > 0)
        status = mark_saturated(p, mem, anomalous, saturation);
done:
    physad__free(scratch);
    return status;
}

physad_status physad__pixels_append(physad_pixels *pixels, physad__run *run)
{
    const int64_t size = physad__run_size(run);
    const uint64_t limit = pixels->ctx->mem.limit;
    if (limit != 0 && (uint64_t)(pixels->held + size) > limit / 4) {
        PHYSAD__TRY(physad__spill_write(&pixels->spill, run->block, size, &run->offset));
        physad__free(run->block);
        run->block = NULL;
    } else {
        pixels->held += size;
    }
    run->region_first = pixels->regions;
    pixels->regions += run->region_count;
    pixels->positives += run->positives;
    pixels->negatives += run->negatives;
    pixels->run[pixels->count++] = *run;
    return PHYSAD_OK;
}

physad_status physad__pixels_reserve(physad_pixels *pixels, int64_t runs, int64_t regions)
{
    physad__mem *mem = &pixels->ctx->mem;
    if (regions > INT32_MAX - pixels->regions || runs > INT32_MAX - pixels->count)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "pixels: more than %d photos or regions", INT32_MAX);
    PHYSAD__TRY(
        physad__grow(mem, &pixels->run, &pixels->capacity, pixels->count + runs, sizeof(*pixels->run), "photos"));
    return physad__grow(mem, &pixels->region, &pixels->region_capacity, pixels->regions + regions,
                        sizeof(*pixels->region), "regions");
}

static physad_status add_photo(physad_pixels *pixels, photo *p, const char *group, double saturation)
{
    physad__mem *mem = &pixels->ctx->mem;
    if (p->mask != NULL)
        PHYSAD__TRY(find_regions(p, mem));
    count_pixels(p);
    if (p->run.positives + p->run.negatives == 0)
        return PHYSAD_OK;
    PHYSAD__TRY(make_block(p, mem, saturation));
    p->run.group = -1;
    if (group != NULL)
        PHYSAD__TRY(physad__names_intern(&pixels->groups, group, &p->run.group));
    PHYSAD__TRY(physad__pixels_reserve(pixels, 1, p->regions));
    for (int32_t i = 0; i < p->regions; i++) {
        const int64_t area = p->area[i];
        pixels->region[pixels->regions + i] =
            (physad__region){ area, saturation > 0 && saturation < (double)area ? (int64_t)ceil(saturation) : area };
    }
    PHYSAD__TRY(physad__pixels_append(pixels, &p->run));
    p->run.block = NULL; /* taken */
    pixels->saturated = pixels->saturated || saturation > 0;
    return PHYSAD_OK;
}

physad_status physad_pixels_add(physad_pixels *pixels, const physad_view *map, const physad_view *mask,
                                const physad_view *valid, const char *group, double saturation_area)
{
    photo p = { .map = map, .mask = mask, .valid = valid };
    PHYSAD__TRY(check_photo(pixels, &p, saturation_area));
    p.height = map->shape[0];
    p.width = map->shape[1];
    const physad_status status = add_photo(pixels, &p, group, saturation_area);
    physad__free(p.run.block);
    physad__free(p.region);
    physad__free(p.area);
    return status;
}

/* --- merging --- */

static physad_status copy_run(physad_pixels *pixels, const physad_pixels *other, int64_t index)
{
    physad__run run = other->run[index];
    const int64_t size = physad__run_size(&run);
    if (run.group >= 0)
        PHYSAD__TRY(physad__names_intern(&pixels->groups, other->groups.text[run.group], &run.group));
    PHYSAD__TRY(physad__pixels_reserve(pixels, 1, run.region_count));
    run.block = physad__alloc(&pixels->ctx->mem, (size_t)size, "pixels");
    if (run.block == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = PHYSAD_OK;
    if (other->run[index].block != NULL)
        memcpy(run.block, other->run[index].block, (size_t)size);
    else
        status = physad__spill_read(&other->spill, run.offset, run.block, size);
    if (run.region_count > 0)
        memcpy(pixels->region + pixels->regions, other->region + other->run[index].region_first,
               (size_t)run.region_count * sizeof(*pixels->region));
    if (status == PHYSAD_OK)
        status = physad__pixels_append(pixels, &run);
    if (status != PHYSAD_OK)
        physad__free(run.block);
    return status;
}

/* Back to `count` photos. */
static void cut_back(physad_pixels *pixels, int64_t count)
{
    while (pixels->count > count) {
        const physad__run *run = &pixels->run[--pixels->count];
        pixels->held -= run->block != NULL ? physad__run_size(run) : 0;
        pixels->regions -= run->region_count;
        pixels->positives -= run->positives;
        pixels->negatives -= run->negatives;
        physad__free(run->block);
    }
}

physad_status physad_pixels_merge(physad_pixels *pixels, const physad_pixels *other)
{
    if (pixels == NULL || other == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_pixels_merge: %s is NULL", pixels == NULL ? "pixels" : "other");
    PHYSAD__TRY(physad__context_check(pixels->ctx, "physad_pixels_merge"));
    PHYSAD__TRY(physad__context_check(other->ctx, "physad_pixels_merge"));
    const int64_t before = pixels->count, count = other->count;
    for (int64_t i = 0; i < count; i++) {
        const physad_status status = copy_run(pixels, other, i);
        if (status != PHYSAD_OK) {
            cut_back(pixels, before);
            return status;
        }
    }
    pixels->saturated = pixels->saturated || other->saturated;
    return PHYSAD_OK;
}
