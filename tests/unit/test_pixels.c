/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_help.h"

static physad_view plane(const void *data, int32_t dtype, int64_t height, int64_t width)
{
    const int64_t shape[2] = { height, width };
    return physad_view_array((void *)(uintptr_t)data, dtype, 2, shape);
}

/* --- made-up photos --- */

enum { PHOTOS = 12, HEIGHT = 23, WIDTH = 31, PIXELS = HEIGHT * WIDTH };

typedef struct photo {
    float map[PIXELS];
    uint8_t mask[PIXELS], valid[PIXELS];
    char group[8];
} photo;

/* Rounded to `step`, so that scores are equal often; a third of the photos is normal. */
static void make_photos(photo *p, uint64_t seed, float step)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 0);
    for (int i = 0; i < PHOTOS; i++) {
        memset(p[i].mask, 0, sizeof(p[i].mask));
        for (int k = 0; k < 3 * (i % 3); k++) {
            const int64_t y = physad__rng_below(&rng, HEIGHT), x = physad__rng_below(&rng, WIDTH);
            const int64_t h = 1 + physad__rng_below(&rng, 5), w = 1 + physad__rng_below(&rng, 6);
            for (int64_t j = y; j < physad__min(y + h, HEIGHT); j++)
                memset(p[i].mask + j * WIDTH + x, 200, (size_t)physad__min(w, WIDTH - x));
        }
        for (int k = 0; k < PIXELS; k++) {
            p[i].map[k] = (float)physad__rng_normal(&rng) + (p[i].mask[k] ? 1.0f : 0.0f);
            if (step > 0)
                p[i].map[k] = floorf(p[i].map[k] / step) * step;
            p[i].valid[k] = physad__rng_below(&rng, 20) != 0;
        }
        snprintf(p[i].group, sizeof(p[i].group), "p%d", i / 2);
    }
}

static physad_status add(physad_pixels *pixels, const photo *p, bool named, double saturation)
{
    const physad_view map = plane(p->map, PHYSAD_F32, HEIGHT, WIDTH), mask = plane(p->mask, PHYSAD_U8, HEIGHT, WIDTH);
    const physad_view valid = plane(p->valid, PHYSAD_BOOL, HEIGHT, WIDTH);
    return physad_pixels_add(pixels, &map, &mask, &valid, named ? p->group : NULL, saturation);
}

static physad_pixels *accumulate(physad_context *ctx, const photo *p, int first, int end, bool named)
{
    physad_pixels *out = NULL;
    assert_ok(physad_pixels_new(&out, ctx));
    for (int i = first; i < end; i++)
        assert_ok(add(out, &p[i], named, 0));
    return out;
}

/* --- the slow truth: regions by flooding, rates by counting at every score --- */

typedef struct truth {
    int64_t regions;
    double *region_area, *region_saturation;
    int32_t *region; /* of each pixel, -1: normal */
    float *score;
    int64_t n;
} truth;

static void flood(const uint8_t *mask, int32_t *label, int y, int x, int32_t to)
{
    if (y < 0 || y >= HEIGHT || x < 0 || x >= WIDTH || !mask[y * WIDTH + x] || label[y * WIDTH + x] >= 0)
        return;
    label[y * WIDTH + x] = to;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            flood(mask, label, y + dy, x + dx, to);
}

static truth find_truth(const photo *p, int photos, double saturation)
{
    truth t = { 0,
                calloc(PHOTOS * PIXELS, sizeof(double)),
                calloc(PHOTOS * PIXELS, sizeof(double)),
                calloc(PHOTOS * PIXELS, sizeof(int32_t)),
                calloc(PHOTOS * PIXELS, sizeof(float)),
                0 };
    for (int i = 0; i < photos; i++) {
        int32_t label[PIXELS];
        for (int k = 0; k < PIXELS; k++)
            label[k] = -1;
        for (int k = 0; k < PIXELS; k++)
            if (p[i].mask[k] && label[k] < 0)
                flood(p[i].mask, label, k / WIDTH, k % WIDTH, (int32_t)t.regions++);
        for (int k = 0; k < PIXELS; k++)
            if (p[i].valid[k]) {
                t.region[t.n] = label[k];
                t.score[t.n++] = p[i].map[k];
                if (label[k] >= 0)
                    t.region_area[label[k]]++;
            }
    }
    for (int64_t r = 0; r < t.regions; r++)
        t.region_saturation[r] = saturation > 0 ? fmin(ceil(saturation), t.region_area[r]) : t.region_area[r];
    return t;
}

static void truth_free(truth *t)
{
    free(t->region_area);
    free(t->region_saturation);
    free(t->region);
    free(t->score);
}

/* The point of the PRO curve at "score >= threshold". */
static void slow_point(const truth *t, float threshold, bool saturated, double *fpr, double *pro)
{
    double *found = calloc((size_t)t->regions + 1, sizeof(double)), normal = 0, alarms = 0, counted = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const bool hit = t->score[i] >= threshold;
        if (t->region[i] < 0) {
            normal++;
            alarms += hit;
        } else {
            found[t->region[i]] += hit;
        }
    }
    *pro = 0;
    for (int64_t r = 0; r < t->regions; r++) {
        if (t->region_area[r] == 0)
            continue;
        counted++;
        *pro += saturated ? fmin(found[r] / t->region_saturation[r], 1) : found[r] / t->region_area[r];
    }
    *pro /= counted;
    *fpr = alarms / normal;
    free(found);
}

static int by_value_down(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return x > y ? -1 : x < y;
}

static double slow_aupro(const truth *t, double limit, bool saturated)
{
    float *sorted = malloc((size_t)t->n * sizeof(float));
    double x0 = 0, y0 = 0, x1, y1, area = 0;
    memcpy(sorted, t->score, (size_t)t->n * sizeof(float));
    qsort(sorted, (size_t)t->n, sizeof(float), by_value_down);
    for (int64_t i = 0; i < t->n && x0 < limit; i++) {
        if (i > 0 && sorted[i] == sorted[i - 1])
            continue;
        slow_point(t, sorted[i], saturated, &x1, &y1);
        if (x1 > limit) {
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0);
            x1 = limit;
        }
        area += (x1 - x0) * (y0 + y1) / 2;
        x0 = x1;
        y0 = y1;
    }
    free(sorted);
    return area / limit;
}

static double slow_auroc(const truth *t)
{
    double won = 0, pairs = 0;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; t->region[i] >= 0 && j < t->n; j++)
            if (t->region[j] < 0) {
                pairs++;
                won += t->score[i] > t->score[j] ? 1 : (t->score[i] == t->score[j] ? 0.5 : 0);
            }
    return won / pairs;
}

static void all_equal_the_slow_truth(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(0, 0);
    for (int round = 0; round < 3; round++) {
        const double saturation = round == 2 ? 5.5 : 0;
        physad_pixels *pixels = NULL;
        physad_metrics *m = NULL;
        physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
        make_photos(p, (uint64_t)round, round == 0 ? 0 : 0.5f);
        if (round > 0) /* a region of which no pixel counts */
            for (int k = 0; k < PIXELS; k++)
                p[1].valid[k] = p[1].valid[k] && k % WIDTH > 12;
        truth t = find_truth(p, PHOTOS, saturation);
        assert_ok(physad_pixels_new(&pixels, ctx));
        for (int i = 0; i < PHOTOS; i++)
            assert_ok(add(pixels, &p[i], true, saturation));
        o.limits[0] = 0.05;
        o.limits[1] = 0.3;
        o.limits[2] = 1;
        o.replicates = -1;
        assert_int_equal(physad_pixels_count(pixels), t.n);
        assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
        assert_near(metric_of(m, "auroc").value, slow_auroc(&t), 1e-12);
        assert_near(metric_of(m, "aupro@0.05").value, slow_aupro(&t, 0.05, false), 1e-11);
        assert_near(metric_of(m, "aupro@0.3").value, slow_aupro(&t, 0.3, false), 1e-11);
        assert_near(metric_of(m, "aupro@1").value, slow_aupro(&t, 1, false), 1e-11);
        assert_null(physad_metrics_name(m, saturation > 0 ? 9 : 6));
        if (saturation > 0) {
            assert_near(metric_of(m, "auspro@0.05").value, slow_aupro(&t, 0.05, true), 1e-11);
            assert_near(metric_of(m, "auspro@1").value, slow_aupro(&t, 1, true), 1e-11);
        }
        physad_metrics_free(m);
        physad_pixels_free(pixels);
        truth_free(&t);
    }
    context_done(ctx);
}

static void goldens(void **state)
{
    physad_context *ctx = context_with(0, 0);
    json_t *root = golden(ctx);
    const json_t *cases = json_object_get(root, "pixels");
    assert_int_equal(json_array_size(cases), 2);
    for (size_t c = 0; c < 2; c++) {
        const json_t *g = json_array_get(cases, c), *maps = json_object_get(g, "maps"),
                     *limits = json_object_get(g, "limits");
        const int64_t h = (int64_t)number(g, "height"), w = (int64_t)number(g, "width");
        physad_pixels *pixels = NULL;
        physad_metrics *m = NULL;
        physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
        assert_ok(physad_pixels_new(&pixels, ctx));
        for (size_t i = 0; i < json_array_size(maps); i++) {
            float map[1024];
            uint8_t mask[1024];
            assert_true(h * w <= 1024);
            for (int64_t k = 0; k < h * w; k++) {
                map[k] = (float)number_at(json_array_get(maps, i), (size_t)k);
                mask[k] = (uint8_t)number_at(json_array_get(json_object_get(g, "masks"), i), (size_t)k);
            }
            const physad_view a = plane(map, PHYSAD_F32, h, w), b = plane(mask, PHYSAD_BOOL, h, w);
            assert_ok(physad_pixels_add(pixels, &a, i % 4 == 0 ? NULL : &b, NULL, NULL, 0));
        }
        for (size_t i = 0; i < json_array_size(limits); i++)
            o.limits[i] = number_at(limits, i);
        assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
        assert_int_equal(physad_metrics_regions(m), (int64_t)number(g, "regions"));
        assert_near(metric_of(m, "auroc").value, number(g, "auroc"), 1e-12);
        assert_near(metric_of(m, "ap").value, number(g, "ap"), 1e-12);
        assert_near(metric_of(m, "f1_max").value, number(g, "f1_max"), 1e-12);
        assert_near(metric_of(m, "f1_max").threshold, number(g, "f1_threshold"), 0);
        for (size_t i = 0; i < json_array_size(limits); i++) {
            char name[32];
            physad__snprintf(name, sizeof(name), "aupro@%g", number_at(limits, i));
            assert_near(metric_of(m, name).value, number_at(json_object_get(g, "aupro"), i), 1e-11);
            /* anomalib computes in f32 */
            assert_near(metric_of(m, name).value, number_at(json_object_get(g, "anomalib_aupro"), i), 1e-6);
        }
        physad_metrics_free(m);
        physad_pixels_free(pixels);
    }
    json_decref(root);
    context_done(ctx);
}

static void order_split_and_threads_do_not_show(void **state)
{
    static photo p[PHOTOS];
    make_photos(p, 11, 0.25f);
    physad_context *one = context_with(1, 0), *many = context_with(4, 0);
    for (int named = 0; named < 2; named++) {
        physad_pixels *whole = accumulate(one, p, 0, PHOTOS, named);
        physad_metrics *want = NULL, *got = NULL;
        assert_ok(physad_pixels_measure(&want, whole, NULL, NULL));
        assert_int_equal(physad_metrics_groups(want), named ? PHOTOS / 2 : PHOTOS);
        assert_true(metric_of(want, "auroc").lower < metric_of(want, "auroc").upper);
        physad_pixels *a = accumulate(many, p, 7, PHOTOS, named), *b = accumulate(many, p, 0, 3, named);
        physad_pixels *c = accumulate(many, p, 3, 7, named), *empty = accumulate(many, p, 0, 0, named);
        assert_ok(physad_pixels_merge(c, a));
        assert_ok(physad_pixels_merge(empty, c));
        assert_ok(physad_pixels_merge(empty, b));
        assert_ok(physad_pixels_measure(&got, empty, NULL, NULL));
        assert_same_metrics(want, got);
        physad_metrics_free(got);
        physad_metrics_free(want);
        physad_pixels_free(whole);
        physad_pixels_free(a);
        physad_pixels_free(b);
        physad_pixels_free(c);
        physad_pixels_free(empty);
    }
    context_done(one);
    context_done(many);
}

static void monotone_maps_do_not_show(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(0, 0);
    physad_metrics *want = NULL, *got = NULL;
    make_photos(p, 12, 0.5f);
    physad_pixels *a = accumulate(ctx, p, 0, PHOTOS, true);
    for (int i = 0; i < PHOTOS; i++)
        for (int k = 0; k < PIXELS; k++)
            p[i].map[k] = p[i].map[k] < -3 ? -INFINITY : (p[i].map[k] >= 4 ? INFINITY : expf(p[i].map[k]));
    /* The two ends become one value each; make them that in the first as well. */
    physad_pixels_free(a);
    for (int i = 0; i < PHOTOS; i++)
        for (int k = 0; k < PIXELS; k++)
            if (isinf(p[i].map[k]))
                p[i].map[k] = p[i].map[k] > 0 ? 1e9f : -1e9f;
    a = accumulate(ctx, p, 0, PHOTOS, true);
    for (int i = 0; i < PHOTOS; i++)
        for (int k = 0; k < PIXELS; k++)
            p[i].map[k] = fabsf(p[i].map[k]) == 1e9f ? p[i].map[k] * INFINITY : -1 / p[i].map[k];
    physad_pixels *b = accumulate(ctx, p, 0, PHOTOS, true);
    assert_ok(physad_pixels_measure(&want, a, NULL, NULL));
    assert_ok(physad_pixels_measure(&got, b, NULL, NULL));
    for (int64_t i = 0; i < physad_metrics_count(want); i++) {
        const physad_metric x = metric_of(want, physad_metrics_name(want, i)),
                            y = metric_of(got, physad_metrics_name(want, i));
        assert_memory_equal(&x.value, &y.value, sizeof(double));
        assert_memory_equal(&x.upper, &y.upper, sizeof(double));
    }
    physad_metrics_free(want);
    physad_metrics_free(got);
    physad_pixels_free(a);
    physad_pixels_free(b);
    context_done(ctx);
}

static void beyond_the_memory_limit_nothing_changes(void **state)
{
    static photo p[PHOTOS];
    make_photos(p, 13, 0);
    for (int named = 0; named < 2; named++) {
        physad_context *free_ctx = context_with(2, 0), *tight = context_with(2, 110000);
        physad_pixels *a = accumulate(free_ctx, p, 0, PHOTOS, named), *b = accumulate(tight, p, 0, 5, named);
        physad_pixels *c = accumulate(tight, p, 5, PHOTOS, named);
        physad_metrics *want = NULL, *got = NULL;
        assert_ok(physad_pixels_merge(b, c));
        physad_pixels_free(c);
        assert_true(b->spill.size > 0);
        assert_ok(physad_pixels_measure(&want, a, NULL, NULL));
        assert_ok(physad_pixels_measure(&got, b, NULL, NULL));
        assert_same_metrics(want, got);
        physad_metrics_free(want);
        physad_metrics_free(got);
        physad_pixels_free(a);
        physad_pixels_free(b);
        context_done(free_ctx);
        context_done(tight);
    }
}

/* A wide photo whose anomalous rows, every second one, are cut into regions of 16 pixels. */
static void make_wide(float *map, uint8_t *mask, int64_t side, uint64_t seed)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 0);
    for (int64_t i = 0; i < side * side; i++) {
        mask[i] = (i / side & 1) != 0 && i % 17 != 0;
        map[i] = (float)physad__rng_normal(&rng) + (mask[i] ? 0.5f : 0.0f);
    }
}

static physad_metrics *measure_wide(uint64_t limit, uint64_t *peak, int64_t *regions)
{
    enum { SIDE = 128, COUNT = 24 };
    static float map[SIDE * SIDE];
    static uint8_t mask[SIDE * SIDE];
    physad_context *ctx = context_with(2, limit);
    physad_pixels *pixels = NULL;
    physad_metrics *m = NULL;
    assert_ok(physad_pixels_new(&pixels, ctx));
    for (uint64_t i = 0; i < COUNT; i++) {
        const physad_view view = plane(map, PHYSAD_F32, SIDE, SIDE), marked = plane(mask, PHYSAD_U8, SIDE, SIDE);
        make_wide(map, mask, SIDE, 40 + i);
        assert_ok(physad_pixels_add(pixels, &view, &marked, NULL, NULL, 0));
    }
    assert_int_equal(pixels->spill.size > 0, limit != 0);
    assert_ok(physad_pixels_measure(&m, pixels, NULL, NULL));
    *peak = physad_context_memory_peak(ctx);
    *regions = pixels->regions;
    physad_pixels_free(pixels);
    physad_context_free(ctx); /* the metrics hold it */
    return m;
}

/* What AUPRO needs grows with the pixels and their regions, and no further than a limit that is less than the pixels
 * alone. */
static void memory_is_bounded_by_the_input(void **state)
{
    enum { LIMIT = 2 << 20 };
    uint64_t peak, tight_peak;
    int64_t regions;
    physad_metrics *want = measure_wide(0, &peak, &regions), *got = measure_wide(LIMIT, &tight_peak, &regions);
    const uint64_t normal = (uint64_t)want->negatives, anomalous = (uint64_t)want->positives;
    assert_true(regions > 10000);
    assert_true(peak <= 4 * normal + (8 + 44) * anomalous + 64 * (uint64_t)regions + (1 << 20));
    assert_true(4 * normal + 8 * anomalous > LIMIT);
    assert_true(tight_peak <= LIMIT);
    assert_same_metrics(want, got);
    physad_metrics_free(want);
    physad_metrics_free(got);
}

static void ranges_hold_what_they_say(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(2, 0);
    make_photos(p, 14, 0);
    physad_pixels *pixels = accumulate(ctx, p, 0, PHOTOS, true);
    physad__range whole, part;
    uint64_t *bounds;
    int64_t ranges, at = 0;
    assert_ok(physad__range_new(&whole, pixels, 0, (uint64_t)UINT32_MAX + 1));
    assert_int_equal(whole.positives, pixels->positives);
    assert_ok(physad__range_bounds(pixels, 40, &bounds, &ranges));
    assert_true(ranges > 5);
    for (int64_t i = 0; i < ranges; i++) {
        assert_ok(physad__range_new(&part, pixels, bounds[i], bounds[i + 1]));
        for (int64_t k = 0; k < part.ties; k++, at++) {
            assert_int_equal(part.key[k], whole.key[at]);
            assert_int_equal(part.below[k], whole.below[at]);
            assert_int_equal(part.equal[k], whole.equal[at]);
        }
        physad__range_free(&part);
    }
    assert_int_equal(at, whole.ties);
    physad__free(bounds);
    physad__range_free(&whole);
    physad_pixels_free(pixels);
    context_done(ctx);
}

/* Replicates by adding every photo as often as its group was drawn. */
static void an_interval_equals_the_slow_bootstrap(void **state)
{
    enum { REPLICATES = 21, GROUPS = PHOTOS / 2 };
    static photo p[PHOTOS];
    physad_context *ctx = context_with(2, 0);
    physad_metrics *m = NULL;
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT, none = PHYSAD_MEASURE_OPTIONS_INIT;
    int64_t positives[GROUPS] = { 0 }, negatives[GROUPS] = { 0 };
    physad__strata strata;
    double value[REPLICATES];
    make_photos(p, 15, 0.5f);
    for (int i = 0; i < PHOTOS; i++)
        for (int k = 0; k < PIXELS; k++)
            (p[i].mask[k] ? positives : negatives)[i / 2] += p[i].valid[k];
    physad_pixels *pixels = accumulate(ctx, p, 0, PHOTOS, true);
    o.replicates = REPLICATES;
    o.seed = 3;
    o.level = 0.9;
    none.replicates = -1;
    assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
    const physad_metric got = metric_of(m, "auroc");
    physad_metrics_free(m);
    assert_ok(physad__strata_new(&strata, &ctx->mem, positives, negatives, GROUPS));
    for (int r = 0; r < REPLICATES; r++) {
        uint32_t weight[GROUPS];
        physad_pixels *drawn = accumulate(ctx, p, 0, 0, true);
        physad__strata_draw(&strata, o.seed, r, weight, GROUPS);
        for (int i = 0; i < PHOTOS; i++)
            for (uint32_t w = 0; w < weight[i / 2]; w++)
                assert_ok(add(drawn, &p[i], true, 0));
        assert_ok(physad_pixels_measure(&m, drawn, &none, NULL));
        value[r] = metric_of(m, "auroc").value;
        physad_metrics_free(m);
        physad_pixels_free(drawn);
    }
    physad__sort_doubles(value, REPLICATES);
    assert_near(got.lower, value[1], 1e-15); /* 0.05 * 20 */
    assert_near(got.upper, value[19], 1e-15);
    physad__strata_free(&strata);
    physad_pixels_free(pixels);
    context_done(ctx);
}

/* The pairs of each two groups that anomalous pixels win against normal ones, counted twice, a tie once. The anomalous
 * ones of one bin, each of at least `bin` pixels from the highest down, win against what lies below the bin and tie
 * with what lies in it. */
static void count_pairs(const photo *p, int64_t bin, double won[PHOTOS / 2][PHOTOS / 2])
{
    typedef struct pixel {
        float score;
        int group;
    } pixel;
    static pixel a[PHOTOS * PIXELS];
    int64_t count = 0;
    for (int i = 0; i < PHOTOS; i++)
        for (int k = 0; k < PIXELS; k++)
            if (p[i].mask[k] && p[i].valid[k])
                a[count++] = (pixel){ p[i].map[k], i / 2 };
    for (int64_t i = 1; i < count; i++) { /* highest first */
        const pixel x = a[i];
        int64_t j = i;
        for (; j > 0 && a[j - 1].score < x.score; j--)
            a[j] = a[j - 1];
        a[j] = x;
    }
    for (int64_t first = 0, end; first < count; first = end) {
        for (end = physad__min(first + bin, count); end < count && a[end].score >= a[end - 1].score; end++)
            ;
        const float high = a[first].score, low = a[end - 1].score;
        for (int i = 0; i < PHOTOS; i++) {
            double pairs = 0;
            for (int k = 0; k < PIXELS; k++)
                if (!p[i].mask[k] && p[i].valid[k])
                    pairs += p[i].map[k] < low ? 2 : (p[i].map[k] <= high ? 1 : 0);
            for (int64_t j = first; j < end; j++)
                won[a[j].group][i / 2] += pairs;
        }
    }
}

/* Many anomalous pixels: the interval sees them in 1024 bins. */
static void a_binned_interval_is_as_near_as_promised(void **state)
{
    enum { REPLICATES = 21, GROUPS = PHOTOS / 2 };
    static photo p[PHOTOS];
    physad_context *ctx = context_with(2, 0);
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    for (int rounded = 0; rounded < 2; rounded++) {
        double exact[GROUPS][GROUPS] = { { 0 } }, binned[GROUPS][GROUPS] = { { 0 } }, value[2][REPLICATES];
        int64_t positives[GROUPS] = { 0 }, negatives[GROUPS] = { 0 }, all = 0;
        physad_metrics *m = NULL;
        physad__strata strata;
        make_photos(p, 17, rounded ? 0.01f : 0);
        for (int i = 0; i < PHOTOS; i++)
            for (int k = 0; k < PIXELS; k++) {
                if (i % 3 == 2 && k % 3 == 0 && p[i].mask[k] == 0) {
                    p[i].mask[k] = 1;
                    p[i].map[k] += 1;
                }
                (p[i].mask[k] ? positives : negatives)[i / 2] += p[i].valid[k];
                all += p[i].mask[k] && p[i].valid[k];
            }
        assert_true(all > 1024);
        physad_pixels *pixels = accumulate(ctx, p, 0, PHOTOS, true);
        o.replicates = REPLICATES;
        o.seed = 3;
        o.level = 0.9;
        assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
        const physad_metric got = metric_of(m, "auroc");
        count_pairs(p, 1, exact);
        count_pairs(p, (all + 1023) / 1024, binned);
        assert_ok(physad__strata_new(&strata, &ctx->mem, positives, negatives, GROUPS));
        for (int r = 0; r < REPLICATES; r++) {
            uint32_t w[GROUPS];
            double sum[2] = { 0 }, anomalous = 0, normal = 0;
            physad__strata_draw(&strata, o.seed, r, w, GROUPS);
            for (int g = 0; g < GROUPS; g++) {
                anomalous += w[g] * (double)positives[g];
                normal += w[g] * (double)negatives[g];
                for (int h = 0; h < GROUPS; h++) {
                    sum[0] += w[g] * (double)w[h] * exact[g][h];
                    sum[1] += w[g] * (double)w[h] * binned[g][h];
                }
            }
            value[0][r] = sum[0] / (2 * anomalous * normal);
            value[1][r] = sum[1] / (2 * anomalous * normal);
            assert_true(fabs(value[0][r] - value[1][r]) < 1.0 / 2048);
        }
        for (int way = 0; way < 2; way++)
            physad__sort_doubles(value[way], REPLICATES);
        assert_near(got.lower, value[1][1], 1e-14); /* 0.05 * 20 */
        assert_near(got.upper, value[1][19], 1e-14);
        assert_true(fabs(got.lower - value[0][1]) < 1.0 / 2048 && fabs(got.upper - value[0][19]) < 1.0 / 2048);
        assert_true(value[0][1] != value[1][1] || value[0][19] != value[1][19]); /* else bins were not tried */
        physad__strata_free(&strata);
        physad_metrics_free(m);
        physad_pixels_free(pixels);
    }
    context_done(ctx);
}

static void the_curve_is_the_roc(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(0, 0);
    make_photos(p, 16, 0);
    physad_pixels *pixels = accumulate(ctx, p, 0, PHOTOS, true);
    physad_metrics *m = NULL;
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    physad_view curve;
    double area = 0;
    o.replicates = -1;
    o.curve_points = 1000000;
    assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
    assert_ok(physad_metrics_curve(m, &curve));
    const double *row = curve.data;
    assert_true(isinf(row[0]) && row[1] == 0 && row[2] == 0 && row[3] == 1 && row[4] == 0);
    for (int64_t i = 1; i < curve.shape[0]; i++, row += PHYSAD_CURVE_COLUMNS) {
        const double *next = row + PHYSAD_CURVE_COLUMNS;
        assert_true(next[0] <= row[0] && next[1] >= row[1] && next[2] >= row[2] && next[4] >= row[4]);
        area += (next[1] - row[1]) * (next[2] + row[2]) / 2;
    }
    assert_near(row[1], 1, 0);
    assert_near(row[2], 1, 0);
    assert_near(area, metric_of(m, "auroc").value, 1e-9);
    physad_metrics_free(m);
    o.curve_points = 10;
    assert_ok(physad_pixels_measure(&m, pixels, &o, NULL));
    assert_ok(physad_metrics_curve(m, &curve));
    assert_true(curve.shape[0] > 10 && curve.shape[0] < 80);
    physad_metrics_free(m);
    physad_pixels_free(pixels);
    context_done(ctx);
}

static void single_pixels_and_one_class(void **state)
{
    physad_context *ctx = context_with(0, 0);
    physad_pixels *pixels = NULL;
    physad_metrics *m = NULL;
    const float value[1] = { 3 };
    const uint8_t one[1] = { 1 }, zero[1] = { 0 };
    const physad_view map = plane(value, PHYSAD_F32, 1, 1), mask = plane(one, PHYSAD_U8, 1, 1),
                      none = plane(zero, PHYSAD_U8, 1, 1);
    assert_ok(physad_pixels_new(&pixels, ctx));
    assert_ok(physad_pixels_add(pixels, &map, &mask, &none, "x", 0)); /* nothing of it counts */
    assert_int_equal(physad_pixels_count(pixels), 0);
    assert_ok(physad_pixels_measure(&m, pixels, NULL, NULL));
    assert_string_equal(metric_of(m, "aupro@0.3").reason, "nothing was added");
    physad_metrics_free(m);
    assert_ok(physad_pixels_add(pixels, &map, &none, NULL, NULL, 0));
    assert_ok(physad_pixels_measure(&m, pixels, NULL, NULL));
    assert_string_equal(metric_of(m, "auroc").reason, "nothing anomalous was added");
    assert_true(isnan(metric_of(m, "auroc").value));
    physad_metrics_free(m);
    assert_ok(physad_pixels_add(pixels, &map, &mask, NULL, NULL, 0));
    assert_ok(physad_pixels_measure(&m, pixels, NULL, NULL));
    assert_near(metric_of(m, "auroc").value, 0.5, 0);
    assert_near(metric_of(m, "aupro@0.3").value, 0.15, 1e-15);
    assert_near(metric_of(m, "aupro@0.05").value, 0.025, 1e-15);
    assert_near(metric_of(m, "f1_max").value, 2.0 / 3, 1e-15);
    assert_string_equal(metric_of(m, "auroc").interval_reason, "a class lies in fewer than two groups");
    physad_metrics_free(m);
    physad_pixels_free(pixels);
    context_done(ctx);
}

static void wrong_input_is_named(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(0, 0);
    physad_pixels *pixels = NULL;
    physad_metrics *m = NULL;
    make_photos(p, 17, 0);
    physad_view map = plane(p->map, PHYSAD_F32, HEIGHT, WIDTH), mask = plane(p->mask, PHYSAD_U8, HEIGHT, WIDTH);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_pixels_new(NULL, ctx));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_pixels_new(&pixels, NULL));
    assert_ok(physad_pixels_new(&pixels, ctx));
    assert_fails(PHYSAD_ERR_ARG, "pixels is NULL", physad_pixels_add(NULL, &map, NULL, NULL, NULL, 0));
    assert_fails(PHYSAD_ERR_ARG, "map", physad_pixels_add(pixels, NULL, NULL, NULL, NULL, 0));
    assert_fails(PHYSAD_ERR_ARG, "saturation_area is -1", physad_pixels_add(pixels, &map, &mask, NULL, NULL, -1));
    p->map[2 * WIDTH + 5] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "map[2,5] is NaN", physad_pixels_add(pixels, &map, &mask, NULL, "g", 0));
    mask.shape[1]--;
    assert_fails(PHYSAD_ERR_SHAPE, "mask has shape (23,30), want the map's (23,31)",
                 physad_pixels_add(pixels, &map, &mask, NULL, NULL, 0));
    mask.dtype = PHYSAD_I32;
    assert_fails(PHYSAD_ERR_DTYPE, "valid has dtype i32", physad_pixels_add(pixels, &map, NULL, &mask, NULL, 0));
    map.ndim = 1;
    assert_fails(PHYSAD_ERR_SHAPE, "map has shape (23)", physad_pixels_add(pixels, &map, NULL, NULL, NULL, 0));
    map.dtype = PHYSAD_F64;
    assert_fails(PHYSAD_ERR_DTYPE, "map has dtype f64", physad_pixels_add(pixels, &map, NULL, NULL, NULL, 0));
    assert_int_equal(physad_pixels_count(pixels), 0);
    assert_fails(PHYSAD_ERR_ARG, "other is NULL", physad_pixels_merge(pixels, NULL));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_pixels_measure(NULL, pixels, NULL, NULL));
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "cancel", physad_pixels_measure(&m, pixels, NULL, NULL));
    physad_context_resume(ctx);
    p->map[2 * WIDTH + 5] = 0;
    assert_ok(add(pixels, p, true, 0)); /* still of use */
    physad_pixels_free(pixels);
    physad_pixels_free(NULL);
    context_done(ctx);
}

static void no_folder_for_what_does_not_fit(void **state)
{
    static photo p[PHOTOS];
    char *kept = getenv("TMPDIR") != NULL ? strdup(getenv("TMPDIR")) : NULL;
    physad_context *ctx = context_with(1, 60000);
    physad_pixels *pixels = NULL;
    make_photos(p, 18, 0);
    assert_ok(physad_pixels_new(&pixels, ctx));
    setenv("TMPDIR", "/no/such/folder", 1);
    for (int i = 0; i < 5; i++)
        (void)!add(pixels, p, true, 0);
    assert_fails(PHYSAD_ERR_IO, "/no/such/folder", add(pixels, p, true, 0));
    const int64_t before = physad_pixels_count(pixels);
    if (kept != NULL)
        setenv("TMPDIR", kept, 1);
    else
        unsetenv("TMPDIR");
    assert_ok(add(pixels, p, true, 0));
    assert_true(physad_pixels_count(pixels) > before);
    physad_pixels_free(pixels);
    free(kept);
    context_done(ctx);
}

static void keys_sort_as_floats_do(void **state)
{
    enum { N = 5000 };
    static uint32_t key[N], scratch[N];
    static uint64_t pair[N], pair_scratch[N];
    static float value[N];
    physad__rng rng;
    physad__rng_seed(&rng, 21, 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            uint32_t bits = (uint32_t)physad__rng_next(&rng);
            memcpy(&value[i], &bits, sizeof(bits));
            if (round > 0 || isnan(value[i]))
                value[i] = round == 1 ? (float)physad__rng_below(&rng, 7) - 3 : -INFINITY * (float)(i % 2 ? 1 : -1);
            key[i] = physad__float_key(value[i]);
            assert_true(physad__key_float(key[i]) == value[i]);
            pair[i] = (uint64_t)key[i] << 32 | (uint32_t)i;
        }
        physad__radix_sort(key, scratch, N);
        physad__radix_sort_pairs(pair, pair_scratch, N);
        qsort(value, N, sizeof(value[0]), by_value_down);
        for (int i = 0; i < N; i++) {
            assert_true(physad__key_float(key[i]) == value[N - 1 - i]);
            assert_int_equal(pair[i] >> 32, key[i]);
            assert_true(i == 0 || pair[i - 1] < pair[i]); /* stable */
        }
    }
    assert_int_equal(physad__float_key(-0.0f), physad__float_key(0.0f));
}

static void arrays_carry_all_and_are_not_believed(void **state)
{
    static photo p[PHOTOS];
    physad_context *ctx = context_with(1, 0), *tight = context_with(1, 500000);
    physad_pixels *a = NULL, *back = NULL;
    physad_tensors *t = NULL;
    physad_metrics *want = NULL, *got = NULL;
    make_photos(p, 20, 0.5f);
    assert_ok(physad_pixels_new(&a, ctx));
    for (int i = 0; i < PHOTOS; i++)
        assert_ok(add(a, &p[i], i % 2, i % 3 * 2.5));
    assert_ok(physad_tensors_new(&t, ctx));
    assert_ok(physad_pixels_to_tensors(a, t));
    assert_ok(physad_pixels_measure(&want, a, NULL, NULL));
    assert_ok(physad_pixels_from_tensors(&back, tight, t));
    assert_ok(physad_pixels_measure(&got, back, NULL, NULL));
    assert_same_metrics(want, got);
    physad_metrics_free(got);
    physad_pixels_free(back);
    physad__rng rng;
    physad__rng_seed(&rng, 2, 1);
    int refused = 0;
    for (int i = 0; i < 400; i++) {
        physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
        physad_tensors *bad = damaged(ctx, t, &rng);
        const physad_status status = physad_pixels_from_tensors(&back, ctx, bad);
        o.replicates = 3;
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_FORMAT);
        refused += status != PHYSAD_OK;
        if (status == PHYSAD_OK) { /* whatever got through can be measured */
            assert_ok(physad_pixels_measure(&got, back, &o, NULL));
            assert_int_equal(physad_metrics_positives(got), physad_metrics_positives(want));
            physad_metrics_free(got);
        }
        physad_pixels_free(back);
        physad_tensors_free(bad);
    }
    assert_true(refused > 150);
    physad_scores *scores = NULL;
    assert_fails(PHYSAD_ERR_FORMAT, "is \"pixels\", want \"scores\"", physad_scores_from_tensors(&scores, ctx, t));
    physad_tensors_free(t);
    physad_metrics_free(want);
    physad_pixels_free(a);
    context_done(ctx);
    context_done(tight);
}

static physad_status measure_some(physad_context *ctx)
{
    static photo p[PHOTOS];
    physad_pixels *a = NULL, *b = NULL, *c = NULL;
    physad_tensors *arrays = NULL;
    physad_metrics *m = NULL;
    physad_measure_options o = PHYSAD_MEASURE_OPTIONS_INIT;
    o.replicates = 5;
    make_photos(p, 19, 0.5f);
    physad_status status = physad_pixels_new(&a, ctx);
    if (status == PHYSAD_OK)
        status = physad_pixels_new(&b, ctx);
    for (int i = 0; i < PHOTOS && status == PHYSAD_OK; i++)
        status = add(a, &p[i], i % 2, i % 3);
    if (status == PHYSAD_OK)
        status = physad_pixels_merge(b, a);
    if (status == PHYSAD_OK)
        status = physad_pixels_measure(&m, b, &o, NULL);
    if (status == PHYSAD_OK)
        status = physad_tensors_new(&arrays, ctx);
    if (status == PHYSAD_OK)
        status = physad_pixels_to_tensors(b, arrays);
    if (status == PHYSAD_OK)
        status = physad_pixels_from_tensors(&c, ctx, arrays);
    physad_tensors_free(arrays);
    physad_pixels_free(c);
    physad_metrics_free(m);
    physad_pixels_free(a);
    physad_pixels_free(b);
    return status;
}

static void no_memory_leaves_no_trace(void **state)
{
    fail_each_allocation(measure_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_equal_the_slow_truth),
        cmocka_unit_test(goldens),
        cmocka_unit_test(order_split_and_threads_do_not_show),
        cmocka_unit_test(monotone_maps_do_not_show),
        cmocka_unit_test(beyond_the_memory_limit_nothing_changes),
        cmocka_unit_test(memory_is_bounded_by_the_input),
        cmocka_unit_test(ranges_hold_what_they_say),
        cmocka_unit_test(an_interval_equals_the_slow_bootstrap),
        cmocka_unit_test(a_binned_interval_is_as_near_as_promised),
        cmocka_unit_test(the_curve_is_the_roc),
        cmocka_unit_test(single_pixels_and_one_class),
        cmocka_unit_test(wrong_input_is_named),
        cmocka_unit_test(no_folder_for_what_does_not_fit),
        cmocka_unit_test(keys_sort_as_floats_do),
        cmocka_unit_test(arrays_carry_all_and_are_not_believed),
        cmocka_unit_test(no_memory_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
