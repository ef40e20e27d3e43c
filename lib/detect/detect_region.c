/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of a map: connected places above a level, with their boxes, axes and peaks. */
#include "detect/detect_posed.h"
#include "detect/detect_region.h"
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>

enum { LONGEST = 512, MOST = 256 };

/* --- photo and map at a size that suffices --- */

static void read_pixel(const physad_view *photo, int64_t y, int64_t x, double rgb[3])
{
    const int64_t channels = photo->ndim == 3 ? photo->shape[2] : 1;
    for (int64_t c = 0; c < 3; c++) {
        const char *at = (const char *)photo->data + y * photo->stride[0] + x * photo->stride[1] +
                         (channels >= 3 ? c * photo->stride[2] : 0);
        uint16_t wide;
        float real;
        if (photo->dtype == PHYSAD_U8) {
            rgb[c] = (double)*(const uint8_t *)at / 255;
        } else if (photo->dtype == PHYSAD_U16) {
            memcpy(&wide, at, sizeof(wide));
            rgb[c] = (double)wide / 65535;
        } else {
            memcpy(&real, at, sizeof(real));
            rgb[c] = fmin(fmax((double)real, 0), 1); /* 0 for NaN */
        }
    }
}

/* Lightness, red less green, yellow less blue. */
static void put_colour(float *planes, int64_t plane, int64_t at, const double rgb[3])
{
    planes[at] = (float)((rgb[0] + rgb[1] + rgb[2]) / 3);
    planes[plane + at] = (float)(rgb[0] - rgb[1]);
    planes[2 * plane + at] = (float)((rgb[0] + rgb[1]) / 2 - rgb[2]);
}

/* One place: the mean colour, and the greatest score, so that no small defect gets lost. */
static void take_place(physad__scenery *s, const physad_view *map, const physad_view *photo, int64_t y, int64_t x)
{
    const int64_t at = y * s->width + x, plane = s->height * s->width;
    double sum[3] = { 0 };
    s->map[at] = NAN;
    int64_t pixels = 0;
    for (int64_t i = 0; i < s->step * s->step; i++) {
        const int64_t py = y * s->step + i / s->step, px = x * s->step + i % s->step;
        double rgb[3];
        if (py >= s->photo_height || px >= s->photo_width)
            continue;
        pixels++;
        const float score = ((const float *)map->data)[py * map->shape[1] + px];
        if (!isnan(score) && !(score <= s->map[at]))
            s->map[at] = score;
        read_pixel(photo, py, px, rgb);
        for (int c = 0; c < 3; c++)
            sum[c] += rgb[c];
    }
    for (int c = 0; c < 3; c++)
        sum[c] /= (double)pixels;
    put_colour(s->colour, plane, at, sum);
}

/* What the reference, whatever its size, shows at a place: a mean of points no farther apart than its pixels. */
static void take_reference(const physad__scenery *s, const physad_view *reference, int64_t y, int64_t x)
{
    const int64_t h = reference->shape[0], w = reference->shape[1], plane = s->height * s->width;
    const double down = (double)(s->step * h) / (double)s->photo_height,
                 across = (double)(s->step * w) / (double)s->photo_width;
    const int64_t points = physad__max((int64_t)ceil(fmax(down, across)), 1);
    double sum[3] = { 0 };
    for (int64_t i = 0; i < points * points; i++) {
        const double v = ((double)y + ((double)(i / points) + 0.5) / (double)points) * down - 0.5;
        const double u = ((double)x + ((double)(i % points) + 0.5) / (double)points) * across - 0.5;
        const double cv = fmin(fmax(v, 0), (double)(h - 1)), cu = fmin(fmax(u, 0), (double)(w - 1));
        const int64_t y0 = (int64_t)cv, x0 = (int64_t)cu, y1 = physad__min(y0 + 1, h - 1),
                      x1 = physad__min(x0 + 1, w - 1);
        const double fy = cv - (double)y0, fx = cu - (double)x0;
        double corner[4][3];
        read_pixel(reference, y0, x0, corner[0]);
        read_pixel(reference, y0, x1, corner[1]);
        read_pixel(reference, y1, x0, corner[2]);
        read_pixel(reference, y1, x1, corner[3]);
        for (int c = 0; c < 3; c++)
            sum[c] += ((corner[0][c] * (1 - fx) + corner[1][c] * fx) * (1 - fy) +
                       (corner[2][c] * (1 - fx) + corner[3][c] * fx) * fy) /
                      (double)(points * points);
    }
    put_colour(s->reference, plane, y * s->width + x, sum);
}

/* The reference in the photo's light, found where the map counts. */
static physad_status bring_reference(physad__scenery *s, physad__mem *mem, const physad_view *reference)
{
    const int64_t n = s->height * s->width;
    float *weight = physad__alloc_array(mem, n, sizeof(*weight), "regions");
    s->reference = physad__alloc_array(mem, 3 * n, sizeof(*s->reference), "regions");
    if (weight == NULL || s->reference == NULL) {
        physad__free(weight);
        return PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        take_reference(s, reference, i / s->width, i % s->width);
        weight[i] = isnan(s->map[i]) ? 0 : 1;
    }
    physad__posed_match_colours(s->reference, s->colour, weight, n);
    physad__free(weight);
    return PHYSAD_OK;
}

static physad_status scenery_take(physad__scenery *s, physad__mem *mem, const physad_view *map,
                                  const physad_view *photo, const physad_view *reference)
{
    s->step = (physad__max(map->shape[0], map->shape[1]) + LONGEST - 1) / LONGEST;
    s->photo_height = map->shape[0];
    s->photo_width = map->shape[1];
    s->height = (s->photo_height + s->step - 1) / s->step;
    s->width = (s->photo_width + s->step - 1) / s->step;
    const int64_t n = s->height * s->width;
    s->map = physad__alloc_array(mem, n, sizeof(*s->map), "regions");
    s->colour = physad__alloc_array(mem, 3 * n, sizeof(*s->colour), "regions");
    s->region = physad__alloc_array(mem, n, sizeof(*s->region), "regions");
    if (s->map == NULL || s->colour == NULL || s->region == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        take_place(s, map, photo, i / s->width, i % s->width);
    return reference != NULL ? bring_reference(s, mem, reference) : PHYSAD_OK;
}

static void scenery_free(physad__scenery *s)
{
    physad__free(s->map);
    physad__free(s->colour);
    physad__free(s->reference);
    physad__free(s->region);
}

/* --- level and regions --- */

/* Half way from median to peak; infinite where the map is flat or empty. */
static physad_status find_level(double *level, physad__mem *mem, const physad__scenery *s)
{
    const int64_t n = s->height * s->width;
    uint32_t *key = physad__alloc_array(mem, 2 * n, sizeof(*key), "regions");
    int64_t count = 0;
    if (key == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(s->map[i]))
            key[count++] = physad__float_key(s->map[i]);
    physad__radix_sort(key, key + n, count);
    *level = INFINITY;
    if (count > 0 && key[count / 2] < key[count - 1])
        *level = ((double)physad__key_float(key[count / 2]) + (double)physad__key_float(key[count - 1])) / 2;
    physad__free(key);
    return PHYSAD_OK;
}

/* While the places are gathered. */
typedef struct found {
    int64_t box[4]; /* top, left, bottom, right */
    int64_t places, peak;
    int32_t number;
    float score;
} found;

static int by_peak(const void *a, const void *b)
{
    const found *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : (x->number > y->number) - (x->number < y->number);
}

static void gather(const physad__scenery *s, found *all, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        all[i] = (found){ .box = { INT64_MAX, INT64_MAX, 0, 0 }, .number = i + 1, .score = -INFINITY };
    for (int64_t i = 0; i < s->height * s->width; i++) {
        if (s->region[i] == 0)
            continue;
        found *f = &all[s->region[i] - 1];
        const int64_t y = i / s->width, x = i % s->width;
        f->box[0] = physad__min(f->box[0], y);
        f->box[1] = physad__min(f->box[1], x);
        f->box[2] = physad__max(f->box[2], y + 1);
        f->box[3] = physad__max(f->box[3], x + 1);
        f->places++;
        if (s->map[i] > f->score) {
            f->score = s->map[i];
            f->peak = i;
        }
    }
    qsort(all, (size_t)count, sizeof(*all), by_peak);
}

void physad__region_axes(const int32_t *region, int64_t row, int32_t number, const int64_t box[4], double out[3])
{
    double n = 0, sum[2] = { 0 }, square[3] = { 0 };
    for (int64_t y = box[0]; y < box[2]; y++)
        for (int64_t x = box[1]; x < box[3]; x++) {
            if (region[y * row + x] != number)
                continue;
            const double dy = (double)(y - box[0]), dx = (double)(x - box[1]);
            n++;
            sum[0] += dy;
            sum[1] += dx;
            square[0] += dy * dy;
            square[1] += dx * dx;
            square[2] += dy * dx;
        }
    n = fmax(n, 1);
    /* A pixel is a square, not a point: its own variance is a twelfth. */
    const double yy = square[0] / n - sum[0] / n * sum[0] / n + 1.0 / 12,
                 xx = square[1] / n - sum[1] / n * sum[1] / n + 1.0 / 12;
    const double xy = square[2] / n - sum[0] / n * sum[1] / n;
    const double middle = (yy + xx) / 2, apart = sqrt((yy - xx) * (yy - xx) / 4 + xy * xy);
    out[0] = 4 * sqrt(middle + apart);
    out[1] = 4 * sqrt(fmax(middle - apart, 0));
    out[2] = 0.5 * atan2(2 * xy, xx - yy);
}

static physad_status describe(physad_regions *r, physad__mem *mem, const physad__scenery *s, const found *f)
{
    const double step = (double)s->step;
    double axes[3], kinds[PHYSAD_DEFECTS];
    physad__look *look = &r->look[r->count];
    physad__region_axes(s->region, s->width, f->number, f->box, axes);
    PHYSAD__TRY(physad__region_look(look, mem, s, f->number, f->box));
    physad__region_kinds(look, kinds);
    int32_t kind = 0;
    for (int32_t k = 1; k < PHYSAD_DEFECTS; k++)
        kind = kinds[k] > kinds[kind] ? k : kind;
    r->region[r->count++] = (physad_region){
        .struct_size = sizeof(physad_region),
        .kind = kind,
        .top = (double)f->box[0] * step,
        .left = (double)f->box[1] * step,
        .bottom = fmin((double)f->box[2] * step, (double)s->photo_height),
        .right = fmin((double)f->box[3] * step, (double)s->photo_width),
        .area = (double)f->places * step * step,
        .peak = (double)f->score,
        .peak_y = fmin(((double)(f->peak / s->width) + 0.5) * step, (double)s->photo_height - 0.5),
        .peak_x = fmin(((double)(f->peak % s->width) + 0.5) * step, (double)s->photo_width - 0.5),
        .length = axes[0] * step,
        .width = axes[1] * step,
        .angle = axes[2],
        .hole = kinds[PHYSAD_DEFECT_HOLE],
        .line = kinds[PHYSAD_DEFECT_LINE],
        .tint = kinds[PHYSAD_DEFECT_TINT],
        .deformation = kinds[PHYSAD_DEFECT_DEFORMATION],
    };
    return PHYSAD_OK;
}

static physad_status describe_all(physad_regions *r, physad__mem *mem, const physad__scenery *s, int32_t count)
{
    const int64_t kept = physad__min(count, MOST);
    found *all = physad__alloc_array(mem, count, sizeof(*all), "regions");
    r->region = physad__alloc_array(mem, kept, sizeof(*r->region), "regions");
    r->look = physad__alloc_array(mem, kept, sizeof(*r->look), "regions");
    physad_status status = all != NULL && r->region != NULL && r->look != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        gather(s, all, count);
    for (int64_t i = 0; i < kept && status == PHYSAD_OK; i++)
        status = describe(r, mem, s, &all[i]);
    physad__free(all);
    return status;
}

static physad_status find(physad_regions *r, const physad_view *map, const physad_view *photo,
                          const physad_view *reference)
{
    physad__mem *mem = &r->ctx->mem;
    physad__scenery s = { 0 };
    int32_t count = 0;
    uint8_t *above = NULL;
    physad_status status = scenery_take(&s, mem, map, photo, reference);
    if (status == PHYSAD_OK && isnan(r->level))
        status = find_level(&r->level, mem, &s);
    if (status == PHYSAD_OK) {
        above = physad__alloc_array(mem, s.height * s.width, 1, "regions");
        status = above != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    for (int64_t i = 0; status == PHYSAD_OK && i < s.height * s.width; i++)
        above[i] = (double)s.map[i] > r->level;
    if (status == PHYSAD_OK)
        status = physad__regions(mem, above, s.height, s.width, s.region, &count);
    if (status == PHYSAD_OK)
        status = describe_all(r, mem, &s, count);
    physad__free(above);
    scenery_free(&s);
    return status;
}

/* --- the interface --- */

static physad_status check_photo(const physad_view *photo, const int64_t size[2], const char *what)
{
    char have[64];
    PHYSAD__TRY(physad__view_check(photo, "photo"));
    if (photo->dtype != PHYSAD_U8 && photo->dtype != PHYSAD_U16 && photo->dtype != PHYSAD_F32)
        return physad__error(PHYSAD_ERR_DTYPE, "%s: the photo is %s, want u8, u16 or f32", what,
                             physad_dtype_name(photo->dtype));
    const bool layers = photo->ndim == 3 && (photo->shape[2] == 1 || photo->shape[2] == 3 || photo->shape[2] == 4);
    if ((photo->ndim != 2 && !layers) || photo->shape[0] != size[0] || photo->shape[1] != size[1])
        return physad__error(
            PHYSAD_ERR_SHAPE, "%s: the photo is %s, want (%lld,%lld), (%lld,%lld,3) or (%lld,%lld,4) as the map", what,
            physad__shape_text(have, sizeof(have), photo->ndim, photo->shape), (long long)size[0], (long long)size[1],
            (long long)size[0], (long long)size[1], (long long)size[0], (long long)size[1]);
    return PHYSAD_OK;
}

physad_status physad__regions_beside(physad_regions **out, physad_context *ctx, const physad_view *map,
                                     const physad_view *photo, const physad_view *reference, double level)
{
    physad_regions *r = physad__alloc_zero(&ctx->mem, sizeof(*r), "regions");
    *out = NULL;
    if (r == NULL)
        return PHYSAD_ERR_NOMEM;
    r->ctx = physad__context_retain(ctx);
    r->level = level;
    const physad_status status = map->shape[0] > 0 && map->shape[1] > 0 ? find(r, map, photo, reference) : PHYSAD_OK;
    if (status != PHYSAD_OK) {
        physad_regions_free(r);
        return status;
    }
    *out = r;
    return PHYSAD_OK;
}

physad_status physad_regions_of_map(physad_regions **out, physad_context *context, const physad_view *map,
                                    const physad_view *photo, double level)
{
    static const int64_t any[2] = { -1, -1 };
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_of_map: out is NULL");
    *out = NULL;
    if (map == NULL || photo == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_of_map: %s is NULL", map == NULL ? "map" : "photo");
    PHYSAD__TRY(physad__context_check(context, "physad_regions_of_map"));
    PHYSAD__TRY(physad__view_want(map, "map", PHYSAD_F32, 2, any));
    PHYSAD__TRY(check_photo(photo, map->shape, "physad_regions_of_map"));
    return physad__regions_beside(out, context, map, photo, NULL, level);
}

physad_status physad_regions_find(physad_regions **out, const physad_result *result, const physad_view *photo,
                                  double level)
{
    if (out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_find: out is NULL");
    *out = NULL;
    if (result == NULL || photo == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_find: %s is NULL",
                             result == NULL ? "the result" : "the photo");
    physad_context *ctx = result->origin->ctx;
    const int64_t size[2] = { result->photo_height, result->photo_width };
    PHYSAD__TRY(physad__context_check(ctx, "physad_regions_find"));
    if (result->map == NULL)
        return physad__error(PHYSAD_ERR_UNSUPPORTED, "physad_regions_find: this method makes no map");
    PHYSAD__TRY(check_photo(photo, size, "physad_regions_find"));
    float *scores = physad__alloc_array(&ctx->mem, size[0] * size[1], sizeof(*scores), "score map");
    if (scores == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view map = physad_view_array(scores, PHYSAD_F32, 2, size);
    physad_status status = physad_result_map(result, &map);
    const int64_t shape[3] = { result->map_height, result->map_width, 3 };
    const physad_view reference = physad_view_array(result->reference, PHYSAD_U8, 3, shape);
    if (status == PHYSAD_OK)
        status = physad__regions_beside(out, ctx, &map, photo, result->reference != NULL ? &reference : NULL, level);
    physad__free(scores);
    return status;
}

void physad_regions_free(physad_regions *regions)
{
    if (regions == NULL)
        return;
    physad__free(regions->region);
    physad__free(regions->look);
    physad_context *ctx = regions->ctx;
    physad__free(regions);
    physad_context_free(ctx);
}

int64_t physad_regions_count(const physad_regions *regions)
{
    return regions != NULL ? regions->count : 0;
}

double physad_regions_level(const physad_regions *regions)
{
    return regions != NULL ? regions->level : NAN;
}

physad_status physad_regions_get(const physad_regions *regions, int64_t index, physad_region *out)
{
    if (regions == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_get: %s is NULL", regions == NULL ? "regions" : "out");
    if (out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG, "physad_region: struct_size is wrong; use PHYSAD_REGION_INIT");
    if (index < 0 || index >= regions->count)
        return physad__error(PHYSAD_ERR_ARG, "physad_regions_get: region %lld of %lld", (long long)index,
                             (long long)regions->count);
    *out = regions->region[index];
    return PHYSAD_OK;
}
