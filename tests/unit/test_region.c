/* SPDX-License-Identifier: Apache-2.0 */
/* Regions of maps, their looks beside numpy's (tests/golden/make_region_looks.py), kinds and types. */
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "detect/detect_region.h"

#include <jansson.h>

enum { SIDE = 48 };

static physad_view plane(void *data, int32_t dtype, int64_t height, int64_t width)
{
    const int64_t shape[2] = { height, width };
    return physad_view_array(data, dtype, 2, shape);
}

static physad_view colours(void *data, int32_t dtype)
{
    static const int64_t shape[3] = { SIDE, SIDE, 3 };
    return physad_view_array(data, dtype, 3, shape);
}

/* The script's pictures: a blob that is brighter, a line that is darker, a slanted ellipse of another colour. */
static void draw(int index, uint8_t rgb[SIDE][SIDE][3], float map[SIDE][SIDE])
{
    static const int far[3] = { 40, 150, 60 }, change[3][3] = { { 60, 60, 60 }, { -50, -40, -45 }, { 40, -20, 10 } };
    static const double fall[3] = { 57.3, 190.7, 90.1 };
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int d[3] = { (x - 24) * (x - 24) + (y - 22) * (y - 22),
                               64 * (y - 20) * (y - 20) + (x - 25) * (x - 25),
                               (x - 20) * (x - 20) + 4 * (y - 27) * (y - 27) + 2 * (x - 20) * (y - 27) };
            for (int c = 0; c < 3; c++)
                rgb[y][x][c] =
                    (uint8_t)(90 + (7 * x + 13 * y + 29 * c) % 31 + (d[index] < far[index] ? change[index][c] : 0));
            const int wide = 8 * (y - 20) * (y - 20) + (x - 25) * (x - 25); /* maps are wider than lines */
            map[y][x] = (float)(1 / (1 + (index == 1 ? wide : d[index]) / fall[index]));
        }
}

static physad_regions *find(physad_context *ctx, int index)
{
    static uint8_t rgb[SIDE][SIDE][3];
    static float map[SIDE][SIDE];
    physad_regions *r = NULL;
    draw(index, rgb, map);
    const physad_view scores = plane(map, PHYSAD_F32, SIDE, SIDE), photo = colours(rgb, PHYSAD_U8);
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, 0.5));
    assert_int_equal(physad_regions_count(r), 1);
    return r;
}

static void looks_are_those_of_the_script(void **state)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/region_looks.json", getenv("PHYSAD_TEST_GOLDEN"));
    json_t *golden = json_load_file(path, 0, NULL);
    physad_context *ctx = new_context(1);
    assert_non_null(golden);
    for (int k = 0; k < 3; k++) {
        physad_regions *r = find(ctx, k);
        assert_true(r->look[0].known);
        for (int i = 0; i < PHYSAD__LOOKS; i++)
            assert_near(r->look[0].value[i],
                        json_number_value(json_array_get(json_array_get(golden, (size_t)k), (size_t)i)), 1e-5);
        physad_regions_free(r);
    }
    json_decref(golden);
    end_context(ctx);
}

/* As find(), beside a picture of what should be there; the script's has another light and lies a pixel off. */
static physad_regions *find_beside(physad_context *ctx, int index, uint8_t should[SIDE][SIDE][3])
{
    static uint8_t rgb[SIDE][SIDE][3];
    static float map[SIDE][SIDE];
    physad_regions *r = NULL;
    draw(index, rgb, map);
    const physad_view scores = plane(map, PHYSAD_F32, SIDE, SIDE), photo = colours(rgb, PHYSAD_U8),
                      reference = colours(should, PHYSAD_U8);
    assert_ok(physad__regions_beside(&r, ctx, &scores, &photo, &reference, 0.5));
    assert_int_equal(physad_regions_count(r), 1);
    return r;
}

static void draw_whole(uint8_t rgb[SIDE][SIDE][3])
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < 3; c++)
                rgb[y][x][c] = (uint8_t)(80 + (7 * x + 13 * y + 29 * c + 3) % 31);
}

static void looks_beside_a_reference_are_those_of_the_script(void **state)
{
    static uint8_t should[SIDE][SIDE][3];
    char path[4096];
    snprintf(path, sizeof(path), "%s/region_beside.json", getenv("PHYSAD_TEST_GOLDEN"));
    json_t *golden = json_load_file(path, 0, NULL);
    physad_context *ctx = new_context(1);
    assert_non_null(golden);
    draw_whole(should);
    for (int k = 0; k < 3; k++) {
        physad_regions *with = find_beside(ctx, k, should), *without = find(ctx, k);
        assert_true(with->look[0].known && with->look[0].has_reference && !without->look[0].has_reference);
        for (int i = 0; i < PHYSAD__BESIDES; i++)
            assert_near(with->look[0].beside[i],
                        json_number_value(json_array_get(json_array_get(golden, (size_t)k), (size_t)i)), 1e-4);
        assert_memory_equal(with->look[0].value, without->look[0].value, sizeof(with->look[0].value));
        physad_regions_free(with);
        physad_regions_free(without);
    }
    json_decref(golden);
    end_context(ctx);
}

/* --- one defect of each kind, painted over a picture that is known --- */

enum { WIDE = 128 };

static double pattern(double y, double x, int c)
{
    return 120 + 40 * sin(0.45 * x + 0.2 * c) * cos(0.37 * y) + 30 * sin(0.9 * y + 0.31 * x + c);
}

static void paint_kind(int kind, uint8_t rgb[WIDE][WIDE][3], float map[WIDE][WIDE])
{
    for (int y = 0; y < WIDE; y++)
        for (int x = 0; x < WIDE; x++) {
            const double dy = y - 60, dx = x - 66, r = sqrt(dy * dy + dx * dx), in = r < 14 ? 1 : exp(-(r - 14));
            const double along = dx * 0.8 + dy * 0.6, across = dy * 0.8 - dx * 0.6;
            const double cut = fabs(along) < 26 ? exp(-across * across / 1.5) : 0;
            const double bend = 5 * fmax(1 - r * r / 256, 0);
            map[y][x] = (float)(kind == PHYSAD_DEFECT_LINE
                                    ? exp(-across * across / 18) * (fabs(along) < 26 ? 1 : exp(26 - fabs(along)))
                                    : 1 / (1 + exp((r - 15) / 2)));
            for (int c = 0; c < 3; c++) {
                double v = pattern(y, x, c);
                if (kind == PHYSAD_DEFECT_HOLE)
                    v = v * (1 - in) + (40 + 3 * sin(0.2 * x)) * in;
                else if (kind == PHYSAD_DEFECT_LINE)
                    v = v * (1 - cut) + 230 * cut;
                else if (kind == PHYSAD_DEFECT_TINT)
                    v *= 1 - in * (c == 0 ? 0.15 : c == 1 ? 0.4 : 0.65);
                else
                    v = pattern(y - bend, x + bend, c);
                rgb[y][x][c] = (uint8_t)(fmin(fmax(v, 0), 255) + 0.5);
            }
        }
}

/* Whatever the size of the reference, and its light. */
static void kinds_are_told_by_a_reference(void **state)
{
    static uint8_t rgb[WIDE][WIDE][3], should[WIDE][WIDE][3];
    static float map[WIDE][WIDE];
    static const int64_t photo_shape[3] = { WIDE, WIDE, 3 };
    physad_context *ctx = new_context(1);
    for (int light = 0; light < 2; light++)
        for (int kind = 0; kind < PHYSAD_DEFECTS; kind++) {
            const int64_t side = light ? WIDE / 2 : WIDE, shape[3] = { side, side, 3 };
            physad_regions *r = NULL;
            physad_region region = PHYSAD_REGION_INIT;
            paint_kind(kind, rgb, map);
            for (int64_t i = 0; i < side * side * 3; i++) {
                const double scale = light ? 2 : 1, y = ((double)(i / 3 / side) + 0.5) * scale - 0.5,
                             x = ((double)(i / 3 % side) + 0.5) * scale - 0.5;
                ((uint8_t *)should)[i] = (uint8_t)(pattern(y, x, (int)(i % 3)) * (light ? 0.85 : 1) + 0.5);
            }
            const physad_view scores = plane(map, PHYSAD_F32, WIDE, WIDE),
                              photo = physad_view_array(rgb, PHYSAD_U8, 3, photo_shape),
                              reference = physad_view_array(should, PHYSAD_U8, 3, shape);
            assert_ok(physad__regions_beside(&r, ctx, &scores, &photo, &reference, 0.5));
            assert_int_equal(physad_regions_count(r), 1);
            assert_ok(physad_regions_get(r, 0, &region));
            assert_string_equal(physad_defect_name(region.kind), physad_defect_name(kind));
            assert_near(region.hole + region.line + region.tint + region.deformation, 1, 1e-12);
            physad_regions_free(r);
        }
    end_context(ctx);
}

static void a_line_is_told_from_a_blob(void **state)
{
    physad_context *ctx = new_context(1);
    physad_region region = PHYSAD_REGION_INIT;
    physad_regions *blob = find(ctx, 0), *line = find(ctx, 1);
    assert_ok(physad_regions_get(line, 0, &region));
    assert_int_equal(region.kind, PHYSAD_DEFECT_LINE);
    assert_near(region.hole + region.line + region.tint + region.deformation, 1, 1e-12);
    assert_near(region.angle, 0, 0.05);
    assert_true(region.length > 2.5 * region.width);
    assert_near(region.peak, 1, 0);
    assert_near(region.peak_y, 20.5, 0);
    assert_near(region.peak_x, 25.5, 0);
    assert_true(region.top <= 20 && region.bottom >= 21 && region.left <= 25 && region.right >= 26 && region.area > 1);
    assert_ok(physad_regions_get(blob, 0, &region));
    assert_int_not_equal(region.kind, PHYSAD_DEFECT_LINE);
    physad_regions_free(blob);
    physad_regions_free(line);
    end_context(ctx);
}

/* --- regions and levels --- */

static void regions_come_by_their_peaks(void **state)
{
    static float map[SIDE][SIDE];
    static uint8_t grey[SIDE][SIDE];
    physad_context *ctx = new_context(2);
    physad_regions *r = NULL;
    physad_region first = PHYSAD_REGION_INIT, second = PHYSAD_REGION_INIT;
    memset(map, 0, sizeof(map));
    memset(grey, 7, sizeof(grey));
    map[5][6] = map[6][7] = 3; /* one region: they touch at a corner */
    map[30][40] = 4;
    map[0][0] = NAN;
    const physad_view scores = plane(map, PHYSAD_F32, SIDE, SIDE), photo = plane(grey, PHYSAD_U8, SIDE, SIDE);
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, NAN));
    assert_near(physad_regions_level(r), 2, 0);
    assert_int_equal(physad_regions_count(r), 2);
    assert_ok(physad_regions_get(r, 0, &first));
    assert_ok(physad_regions_get(r, 1, &second));
    assert_true(first.peak == 4 && first.peak_y == 30.5 && first.peak_x == 40.5 && first.area == 1);
    assert_true(second.area == 2 && second.top == 5 && second.left == 6 && second.bottom == 7 && second.right == 8);
    assert_near(second.angle, atan(1), 1e-9);
    assert_fails(PHYSAD_ERR_ARG, "region 2 of 2", physad_regions_get(r, 2, &first));
    assert_fails(PHYSAD_ERR_ARG, "region -1 of 2", physad_regions_get(r, -1, &first));
    first.struct_size = 4;
    assert_fails(PHYSAD_ERR_ARG, "PHYSAD_REGION_INIT", physad_regions_get(r, 0, &first));
    physad_regions_free(r);
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, 4));
    assert_int_equal(physad_regions_count(r), 0);
    physad_regions_free(r);
    memset(map, 0, sizeof(map));
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, NAN)); /* flat */
    assert_int_equal(physad_regions_count(r), 0);
    physad_regions_free(r);
    for (int i = 0; i < SIDE * SIDE; i++)
        map[i / SIDE][i % SIDE] = NAN;
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, NAN));
    assert_int_equal(physad_regions_count(r), 0);
    physad_regions_free(r);
    end_context(ctx);
}

static void large_photos_keep_small_defects(void **state)
{
    enum { H = 700, W = 1300 }; /* three to one */
    float *map = calloc(H * W, sizeof(*map));
    uint8_t *grey = calloc(H * W, 1);
    physad_context *ctx = new_context(1);
    physad_regions *r = NULL;
    physad_region region = PHYSAD_REGION_INIT;
    map[301 * W + 902] = 1;
    const physad_view scores = plane(map, PHYSAD_F32, H, W), photo = plane(grey, PHYSAD_U8, H, W);
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, NAN));
    assert_int_equal(physad_regions_count(r), 1);
    assert_ok(physad_regions_get(r, 0, &region));
    assert_true(region.top == 300 && region.bottom == 303 && region.left == 900 && region.right == 903 &&
                region.area == 9);
    physad_regions_free(r);
    map[301 * W + 902] = 0; /* where the last third begins and the photo ends */
    map[699 * W + 1299] = 1;
    assert_ok(physad_regions_of_map(&r, ctx, &scores, &photo, NAN));
    assert_int_equal(physad_regions_count(r), 1);
    assert_ok(physad_regions_get(r, 0, &region));
    assert_true(region.top == 699 && region.bottom == 700 && region.left == 1299 && region.right == 1300);
    assert_true(region.peak_y == 699.5 && region.peak_x == 1299.5);
    physad_regions_free(r);
    free(map);
    free(grey);
    end_context(ctx);
}

/* Photos of any kind of number say the same. */
static void numbers_of_any_kind(void **state)
{
    static uint8_t rgb[SIDE][SIDE][3];
    static uint16_t wide[SIDE][SIDE][3];
    static float map[SIDE][SIDE], real[SIDE][SIDE][3];
    physad_context *ctx = new_context(1);
    draw(2, rgb, map);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        (&wide[0][0][0])[i] = (uint16_t)((&rgb[0][0][0])[i] * 257);
        (&real[0][0][0])[i] = (float)(&rgb[0][0][0])[i] / 255;
    }
    const physad_view scores = plane(map, PHYSAD_F32, SIDE, SIDE);
    const physad_view photos[3] = { colours(rgb, PHYSAD_U8), colours(wide, PHYSAD_U16), colours(real, PHYSAD_F32) };
    physad_region want = PHYSAD_REGION_INIT, got = PHYSAD_REGION_INIT;
    for (int k = 0; k < 3; k++) {
        physad_regions *r = NULL;
        assert_ok(physad_regions_of_map(&r, ctx, &scores, &photos[k], NAN));
        assert_ok(physad_regions_get(r, 0, k == 0 ? &want : &got));
        if (k > 0)
            assert_near(got.tint, want.tint, 1e-5);
        physad_regions_free(r);
    }
    end_context(ctx);
}

static void a_region_that_is_everything(void **state)
{
    float map[4] = { 1, 1, 1, 1 };
    uint8_t grey[4] = { 0 };
    physad_context *ctx = new_context(1);
    physad_regions *r = NULL;
    physad_types *t = NULL;
    physad_region region = PHYSAD_REGION_INIT;
    const physad_view m = plane(map, PHYSAD_F32, 2, 2), photo = plane(grey, PHYSAD_U8, 2, 2);
    assert_ok(physad_regions_of_map(&r, ctx, &m, &photo, 0));
    assert_ok(physad_regions_get(r, 0, &region));
    assert_near(region.hole, 0.25, 0);
    assert_ok(physad_types_new(&t, ctx));
    assert_fails(PHYSAD_ERR_ARG, "nothing around it", physad_types_add(t, "dent", r));
    assert_near(physad_types_likeness(t, r, 3), 0.25, 0);
    physad_types_free(t);
    physad_regions_free(r);
    const physad_view none = plane(NULL, PHYSAD_F32, 0, 0), nothing = plane(NULL, PHYSAD_U8, 0, 0);
    assert_ok(physad_regions_of_map(&r, ctx, &none, &nothing, NAN));
    assert_int_equal(physad_regions_count(r), 0);
    physad_regions_free(r);
    end_context(ctx);
}

/* --- types --- */

static void examples_name_the_types(void **state)
{
    static const char *const names[3] = { "bubble", "scar", "rust" };
    physad_context *ctx = new_context(1);
    physad_types *t = NULL;
    assert_ok(physad_types_new(&t, ctx));
    assert_int_equal(physad_types_count(t), PHYSAD_DEFECTS);
    assert_string_equal(physad_types_name(t, 1), "line");
    assert_null(physad_types_name(t, 4));
    physad_regions *r[3];
    for (int k = 0; k < 3; k++) {
        r[k] = find(ctx, k);
        assert_ok(physad_types_add(t, names[k], r[k]));
    }
    assert_ok(physad_types_add(t, "scar", r[1]));
    assert_int_equal(physad_types_count(t), 3);
    for (int k = 0; k < 3; k++) {
        assert_string_equal(physad_types_name(t, k), names[k]);
        const double own = physad_types_likeness(t, r[k], k);
        assert_near(own + physad_types_likeness(t, r[k], (k + 1) % 3) + physad_types_likeness(t, r[k], (k + 2) % 3), 1,
                    1e-12);
        assert_true(own > 0.5);
        physad_regions_free(r[k]);
    }
    physad_types_free(t);
    end_context(ctx);
}

static void names_speak_of_kinds(void **state)
{
    assert_int_equal(physad_defect_of_type("Scratched"), PHYSAD_DEFECT_LINE);
    assert_int_equal(physad_defect_of_type("surface_crack"), PHYSAD_DEFECT_LINE);
    assert_int_equal(physad_defect_of_type("Stains"), PHYSAD_DEFECT_TINT);
    assert_int_equal(physad_defect_of_type("Missing"), PHYSAD_DEFECT_HOLE);
    assert_int_equal(physad_defect_of_type("squeezed_teeth"), PHYSAD_DEFECT_DEFORMATION);
    assert_int_equal(physad_defect_of_type("good"), -1);
    assert_int_equal(physad_defect_of_type("misprint"), -1); /* within a word */
    assert_int_equal(physad_defect_of_type(""), -1);
    assert_int_equal(physad_defect_of_type(NULL), -1);
    assert_string_equal(physad_defect_name(PHYSAD_DEFECT_DEFORMATION), "deformation");
    assert_null(physad_defect_name(4));
    assert_null(physad_defect_name(-1));
}

static void they_hold_their_context(void **state)
{
    physad_context *ctx = new_context(1);
    physad_types *t = NULL;
    physad_regions *r = find(ctx, 0);
    assert_ok(physad_types_new(&t, ctx));
    assert_ok(physad_types_add(t, "scar", r));
    physad_context_free(ctx);
    physad_regions_free(r);
    physad_types_free(t);
}

/* --- wrong calls and no memory --- */

static void wrong_calls(void **state)
{
    float map[6] = { 0 };
    uint8_t grey[6] = { 0 };
    physad_context *ctx = new_context(1);
    physad_regions *r = NULL;
    physad_types *t = NULL;
    physad_region region = PHYSAD_REGION_INIT;
    const physad_view m = plane(map, PHYSAD_F32, 2, 3), photo = plane(grey, PHYSAD_U8, 2, 3),
                      other = plane(grey, PHYSAD_U8, 3, 2);
    const physad_view bytes = plane(grey, PHYSAD_I64, 0, 3);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_regions_of_map(NULL, ctx, &m, &photo, 0));
    assert_fails(PHYSAD_ERR_ARG, "map is NULL", physad_regions_of_map(&r, ctx, NULL, &photo, 0));
    assert_fails(PHYSAD_ERR_ARG, "photo is NULL", physad_regions_of_map(&r, ctx, &m, NULL, 0));
    assert_fails(PHYSAD_ERR_SHAPE, "want (2,3)", physad_regions_of_map(&r, ctx, &m, &other, 0));
    assert_fails(PHYSAD_ERR_DTYPE, "map", physad_regions_of_map(&r, ctx, &photo, &photo, 0));
    assert_fails(PHYSAD_ERR_DTYPE, "want u8, u16 or f32", physad_regions_of_map(&r, ctx, &m, &bytes, 0));
    assert_fails(PHYSAD_ERR_ARG, "the result is NULL", physad_regions_find(&r, NULL, &photo, 0));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_regions_find(NULL, NULL, &photo, 0));
    assert_null(r);
    assert_int_equal(physad_regions_count(NULL), 0);
    assert_true(isnan(physad_regions_level(NULL)));
    assert_fails(PHYSAD_ERR_ARG, "regions is NULL", physad_regions_get(NULL, 0, &region));
    physad_regions_free(NULL);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_types_new(NULL, ctx));
    assert_ok(physad_types_new(&t, ctx));
    assert_ok(physad_regions_of_map(&r, ctx, &m, &photo, NAN));
    assert_fails(PHYSAD_ERR_ARG, "regions is NULL", physad_types_add(t, "dent", NULL));
    assert_fails(PHYSAD_ERR_ARG, "has no name", physad_types_add(t, "", r));
    assert_fails(PHYSAD_ERR_ARG, "shows no region", physad_types_add(t, "dent", r));
    assert_near(physad_types_likeness(t, r, 0), 0.25, 0); /* no region: nothing is known */
    assert_true(isnan(physad_types_likeness(t, r, 4)) && isnan(physad_types_likeness(NULL, r, 0)) &&
                isnan(physad_types_likeness(t, NULL, 0)));
    assert_fails(PHYSAD_ERR_ARG, "the detector is NULL", physad_types_add_folder(t, NULL, "x"));
    assert_int_equal(physad_types_count(NULL), 0);
    assert_null(physad_types_name(NULL, 0));
    physad_types_free(t);
    physad_types_free(NULL);
    physad_regions_free(r);
    end_context(ctx);
}

static void memory_runs_out(void **state)
{
    static uint8_t rgb[SIDE][SIDE][3], should[SIDE][SIDE][3];
    static float map[SIDE][SIDE];
    draw(1, rgb, map);
    draw_whole(should);
    const physad_view scores = plane(map, PHYSAD_F32, SIDE, SIDE), photo = colours(rgb, PHYSAD_U8),
                      reference = colours(should, PHYSAD_U8);
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.allocator = &failing_allocator;
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, &o));
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int64_t n = 0; status == PHYSAD_ERR_NOMEM; n++) {
        physad_regions *r = NULL;
        physad_types *t = NULL;
        assert_true(n < 100);
        atomic_store(&allocations_left, n);
        status = physad__regions_beside(&r, ctx, &scores, &photo, &reference, NAN);
        if (status == PHYSAD_OK)
            status = physad_types_new(&t, ctx);
        if (status == PHYSAD_OK)
            status = physad_types_add(t, "scar", r);
        atomic_store(&allocations_left, INT64_MAX);
        physad_types_free(t);
        physad_regions_free(r);
        assert_int_equal(physad_context_memory_used(ctx), 0);
    }
    assert_int_equal(status, PHYSAD_OK);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_are_those_of_the_script),
        cmocka_unit_test(looks_beside_a_reference_are_those_of_the_script),
        cmocka_unit_test(kinds_are_told_by_a_reference),
        cmocka_unit_test(a_line_is_told_from_a_blob),
        cmocka_unit_test(regions_come_by_their_peaks),
        cmocka_unit_test(large_photos_keep_small_defects),
        cmocka_unit_test(numbers_of_any_kind),
        cmocka_unit_test(a_region_that_is_everything),
        cmocka_unit_test(examples_name_the_types),
        cmocka_unit_test(names_speak_of_kinds),
        cmocka_unit_test(they_hold_their_context),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
