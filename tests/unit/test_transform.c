/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "data/data.h"
#include "io/io.h"

/* --- helpers --- */

/* The photo that tests/golden/make_resize.py makes. */
static unsigned char *photo_bytes(int64_t count)
{
    unsigned char *p = malloc((size_t)count);
    for (uint32_t i = 0; i < (uint32_t)count; i++) {
        uint32_t x = i * 2654435761u + 12345u;
        x = (x ^ (x >> 15)) * 2246822519u;
        p[i] = (unsigned char)(x >> 24);
    }
    return p;
}

static physad_view view_of(void *data, int32_t dtype, int64_t h, int64_t w, int64_t c)
{
    const int64_t shape[] = { h, w, c };
    return physad_view_array(data, dtype, c > 0 ? 3 : 2, shape);
}

static float *apply(const physad_transform *t, const physad_view *photo)
{
    int64_t h = 0, w = 0;
    assert_ok(physad_transform_shape(t, &h, &w));
    float *out = malloc((size_t)(h * w * 3) * sizeof(float));
    physad_view v = view_of(out, PHYSAD_F32, h, w, 3);
    assert_ok(physad_transform_apply(t, photo, &v));
    return out;
}

static physad_transform *make(physad_context *ctx, physad_transform_options o)
{
    physad_transform *t = NULL;
    o.struct_size = sizeof(o);
    assert_ok(physad_transform_new(&t, ctx, &o));
    return t;
}

/* --- goldens --- */

static const char *const filters[] = { "bilinear", "bicubic", "box", "nearest" };

static void check_bytes(physad_context *ctx, physad_transform_options o, const physad_view *photo, const char *want)
{
    char got[65];
    const int64_t channels = photo->shape[2], count = o.height * o.width;
    physad_transform *t = make(ctx, o);
    float *out = apply(t, photo);
    unsigned char *bytes = malloc((size_t)(count * channels));
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < channels; c++)
            bytes[i * channels + c] = (unsigned char)lrintf(out[3 * i + c] * 255);
    assert_ok(physad__sha256(got, bytes, (size_t)(count * channels)));
    if (strcmp(got, want) != 0)
        fail_msg("%lld x %lld to %lld x %lld, filter %d, arithmetic %d: %s, want %s", (long long)photo->shape[0],
                 (long long)photo->shape[1], (long long)o.height, (long long)o.width, o.resize, o.arithmetic, got,
                 want);
    free(bytes);
    free(out);
    physad_transform_free(t);
}

static void check_floats(physad_context *ctx, physad_transform_options o, const physad_view *photo, const json_t *want)
{
    const int64_t channels = photo->shape[2];
    physad_transform *t = make(ctx, o);
    float *out = apply(t, photo);
    for (size_t i = 0; i < json_array_size(want); i++) {
        const json_t *pair = json_array_get(want, i);
        const int64_t at = json_integer_value(json_array_get(pair, 0));
        assert_near(out[at / channels * 3 + at % channels], json_number_value(json_array_get(pair, 1)), 1e-6);
    }
    free(out);
    physad_transform_free(t);
}

static int64_t whole_number(const json_t *object, const char *key, size_t i)
{
    return json_integer_value(json_array_get(json_object_get(object, key), i));
}

static void resizes_as_pillow_and_torchvision(void **state)
{
    char path[4096];
    json_t *golden = NULL;
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    if (folder == NULL)
        skip();
    snprintf(path, sizeof(path), "%s/resize.json", folder);
    physad_context *ctx = new_context(2);
    assert_ok(physad__json_read(&golden, &ctx->mem, path, 1 << 20));
    const json_t *cases = json_object_get(golden, "cases");
    assert_true(json_array_size(cases) >= 36);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const int64_t h = whole_number(c, "from", 0), w = whole_number(c, "from", 1),
                      channels = whole_number(c, "from", 2);
        physad_transform_options o = { .height = whole_number(c, "to", 0),
                                       .width = whole_number(c, "to", 1),
                                       .normalise = PHYSAD_NORMALISE_NONE };
        while (strcmp(filters[o.resize], json_string_value(json_object_get(c, "filter"))) != 0)
            o.resize++;
        unsigned char *bytes = photo_bytes(h * w * channels);
        const physad_view photo = view_of(bytes, PHYSAD_U8, h, w, channels);
        if (json_object_get(c, "float") != NULL)
            check_floats(ctx, o, &photo, json_object_get(c, "float"));
        o.arithmetic = PHYSAD_ARITHMETIC_BYTES;
        check_bytes(ctx, o, &photo, json_string_value(json_object_get(c, "bytes")));
        o.arithmetic = PHYSAD_ARITHMETIC_BYTES_12;
        if (o.resize != PHYSAD_RESIZE_NEAREST)
            check_bytes(ctx, o, &photo, json_string_value(json_object_get(c, "bytes_12")));
        free(bytes);
    }
    json_decref(golden);
    end_context(ctx);
}

/* --- the way of a photo --- */

static void the_defaults_are_said(void **state)
{
    physad_context *ctx = new_context(1);
    physad_transform *t = NULL;
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    assert_ok(physad_transform_new(&t, ctx, NULL));
    assert_ok(physad_transform_get(t, &o));
    assert_int_equal(o.height, 256);
    assert_int_equal(o.width, 256);
    assert_int_equal(o.crop_height, 0);
    assert_near(o.mean[0], 0.485f, 0);
    assert_near(o.std[2], 0.225f, 0);
    physad_transform_free(t);
    physad_transform_free(NULL);
    end_context(ctx);
}

/* An equal answer from u8, u16, f32, grey, with opacity, transposed, flipped, in columns, on one thread or three. */
static void layouts_and_threads_change_no_bit(void **state)
{
    enum { H = 61, W = 47 };
    physad_context *one = new_context(1), *three = new_context(3);
    unsigned char *bytes = photo_bytes(H * W * 3);
    static unsigned char wide[H][W][4], turned[W][H][3], mirrored[H][W][3], planes[3][H][W];
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            for (int c = 0; c < 3; c++) {
                const unsigned char v = bytes[(y * W + x) * 3 + c];
                wide[y][x][c] = turned[x][y][c] = mirrored[H - 1 - y][W - 1 - x][c] = planes[c][y][x] = v;
            }
            wide[y][x][3] = 7;
        }
    }
    physad_view views[] = { view_of(bytes, PHYSAD_U8, H, W, 3), view_of(wide, PHYSAD_U8, H, W, 4),
                            view_of(turned, PHYSAD_U8, W, H, 3), view_of(&mirrored[H - 1][W - 1], PHYSAD_U8, H, W, 3),
                            view_of(planes, PHYSAD_U8, H, W, 3) };
    views[2] = (physad_view){ turned, { H, W, 3 }, { 3, H * 3, 1 }, PHYSAD_U8, 3, 0, 0 };
    views[3].stride[0] = -W * 3;
    views[3].stride[1] = -3;
    views[4] = (physad_view){ planes, { H, W, 3 }, { W, 1, H * W }, PHYSAD_U8, 3, 0, 0 };
    for (int32_t arithmetic = 0; arithmetic < 3; arithmetic++) {
        for (int32_t filter = 0; filter < 4; filter++) {
            const physad_transform_options o = {
                .arithmetic = arithmetic, .resize = filter, .height = 20, .width = 33
            };
            physad_transform *a = make(one, o), *b = make(three, o);
            float *want = apply(a, &views[0]);
            for (int i = 0; i < PHYSAD__COUNT(views); i++) {
                float *got = apply(b, &views[i]);
                assert_memory_equal(got, want, 20 * 33 * 3 * sizeof(float));
                free(got);
            }
            free(want);
            physad_transform_free(a);
            physad_transform_free(b);
        }
    }
    free(bytes);
    end_context(one);
    end_context(three);
}

static void words_and_floats_mean_the_same(void **state)
{
    enum { H = 31, W = 40 };
    physad_context *ctx = new_context(2);
    unsigned char *bytes = photo_bytes(H * W);
    uint16_t words[H * W];
    float floats[H * W];
    for (int i = 0; i < H * W; i++) {
        words[i] = (uint16_t)(bytes[i] * 257);
        floats[i] = (float)bytes[i] / 255;
    }
    for (int32_t filter = 0; filter < 4; filter++) {
        physad_transform *t = make(ctx, (physad_transform_options){ .height = 16, .resize = filter });
        const physad_view views[] = { view_of(bytes, PHYSAD_U8, H, W, 0), view_of(words, PHYSAD_U16, H, W, 1),
                                      view_of(floats, PHYSAD_F32, H, W, 1) };
        float *a = apply(t, &views[0]), *b = apply(t, &views[1]), *c = apply(t, &views[2]);
        for (int i = 0; i < 16 * 16 * 3; i++) {
            assert_near(b[i], a[i], 5e-6); /* in units of the standard deviation, about a quarter */
            assert_near(c[i], a[i], 5e-6);
        }
        for (int i = 0; i < 16 * 16; i++) /* grey: three equal channels before the normalisation */
            assert_near(a[3 * i] * 0.229f + 0.485f, a[3 * i + 2] * 0.225f + 0.406f, 1e-6);
        free(a);
        free(b);
        free(c);
        physad_transform_free(t);
    }
    free(bytes);
    end_context(ctx);
}

/* A crop, a region of interest and a cover equal the same cut out by hand. */
static void a_cut_equals_a_photo_cut_by_hand(void **state)
{
    enum { H = 90, W = 120 };
    physad_context *ctx = new_context(2);
    unsigned char *bytes = photo_bytes(H * W * 3);
    const physad_view photo = view_of(bytes, PHYSAD_U8, H, W, 3);
    physad_view part = photo;
    part.data = bytes + (10 * W + 25) * 3;
    part.shape[0] = 50;
    part.shape[1] = 71;
    physad_transform *roi = make(
        ctx, (physad_transform_options){ .height = 32, .roi_y = 10, .roi_x = 25, .roi_height = 50, .roi_width = 71 });
    physad_transform *plain = make(ctx, (physad_transform_options){ .height = 32 });
    float *a = apply(roi, &photo), *b = apply(plain, &part);
    assert_memory_equal(a, b, 32 * 32 * 3 * sizeof(float));
    free(a);
    free(b);
    physad_transform_free(roi);
    physad_transform_free(plain);

    /* 90 x 120 covers 64 x 64 as 64 x 85; a crop of 40 begins at row 12 and column round(22.5) = 22. */
    physad_transform *cover =
        make(ctx, (physad_transform_options){ .fit = PHYSAD_FIT_COVER, .height = 64, .crop_height = 40 });
    physad_transform *whole = make(ctx, (physad_transform_options){ .height = 64, .width = 85 });
    a = apply(cover, &photo);
    b = apply(whole, &photo);
    for (int y = 0; y < 40; y++)
        assert_memory_equal(a + y * 40 * 3, b + ((y + 12) * 85 + 22) * 3, 40 * 3 * sizeof(float));
    free(a);
    free(b);
    physad_transform_free(cover);
    physad_transform_free(whole);
    free(bytes);
    end_context(ctx);
}

static void a_letterbox_has_bars(void **state)
{
    physad_context *ctx = new_context(1);
    unsigned char *bytes = photo_bytes(30 * 60 * 3);
    const physad_view photo = view_of(bytes, PHYSAD_U8, 30, 60, 3);
    physad_transform *box = make(ctx, (physad_transform_options){ .fit = PHYSAD_FIT_LETTERBOX,
                                                                  .height = 64,
                                                                  .pad = { 0.5f, 0, 1 },
                                                                  .normalise = PHYSAD_NORMALISE_NONE });
    physad_transform *plain =
        make(ctx, (physad_transform_options){ .height = 32, .width = 64, .normalise = PHYSAD_NORMALISE_NONE });
    float *a = apply(box, &photo), *b = apply(plain, &photo);
    assert_memory_equal(a + 16 * 64 * 3, b, 32 * 64 * 3 * sizeof(float));
    for (int y = 0; y < 64; y++) {
        if (y >= 16 && y < 48)
            continue;
        assert_near(a[y * 64 * 3], 0.5, 0);
        assert_near(a[y * 64 * 3 + 5], 1, 0);
    }
    free(a);
    free(b);
    physad_transform_free(box);
    physad_transform_free(plain);
    free(bytes);
    end_context(ctx);
}

/* --- and back --- */

static const physad_transform_options shapes[] = {
    { .height = 32 },
    { .height = 32, .width = 50, .crop_height = 20, .crop_width = 30 },
    { .height = 32, .fit = PHYSAD_FIT_LETTERBOX },
    { .height = 40, .fit = PHYSAD_FIT_LETTERBOX, .crop_height = 36 },
    { .height = 32, .fit = PHYSAD_FIT_COVER, .crop_height = 28 },
    { .height = 64, .roi_y = 5, .roi_x = 9, .roi_height = 30, .roi_width = 60 },
    { .height = 32, .fit = PHYSAD_FIT_COVER, .roi_y = 5, .roi_x = 9, .roi_height = 30, .roi_width = 60 },
};

static void positions_go_both_ways(void **state)
{
    physad_context *ctx = new_context(1);
    for (int64_t i = 0; i < PHYSAD__COUNT(shapes); i++) {
        physad_transform *t = make(ctx, shapes[i]);
        for (double y = 0; y < 77; y += 6.3) {
            double my, mx, py, px;
            assert_ok(physad_transform_to_model(t, 77, 91, y, 90 - y, &my, &mx));
            assert_ok(physad_transform_to_photo(t, 77, 91, my, mx, &py, &px));
            assert_near(py, y, 1e-9);
            assert_near(px, 90 - y, 1e-9);
        }
        physad_transform_free(t);
    }
    physad_transform *t = make(ctx, shapes[0]);
    double y, x;
    assert_ok(physad_transform_to_model(t, 64, 96, 32, 24, &y, &x));
    assert_near(y, 16, 0);
    assert_near(x, 8, 0);
    assert_fails(PHYSAD_ERR_SHAPE, "photo has height 0", physad_transform_to_model(t, 0, 96, 0, 0, &y, &x));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_transform_to_photo(t, 1, 96, 0, 0, NULL, &x));
    physad_transform_free(t);
    end_context(ctx);
}

/* Bilinear with corners not aligned, straight from its definition, in double. */
static double sample(const float *map, int64_t h, int64_t w, double y, double x)
{
    y = fmax(y - 0.5, 0);
    x = fmax(x - 0.5, 0);
    const int64_t y0 = (int64_t)fmin(floor(y), (double)h - 1), x0 = (int64_t)fmin(floor(x), (double)w - 1);
    const int64_t y1 = physad__min(y0 + 1, h - 1), x1 = physad__min(x0 + 1, w - 1);
    const double v = y - (double)y0, u = x - (double)x0;
    return (1 - v) * ((1 - u) * map[y0 * w + x0] + u * map[y0 * w + x1]) +
           v * ((1 - u) * map[y1 * w + x0] + u * map[y1 * w + x1]);
}

static void maps_come_back_to_the_photo(void **state)
{
    enum { H = 77, W = 91, MH = 8, MW = 11 };
    physad_context *ctx = new_context(3);
    float map[MH * MW], out[H * W];
    physad__rng rng;
    physad__rng_seed(&rng, 1, 0);
    for (int i = 0; i < MH * MW; i++)
        map[i] = (float)physad__rng_normal(&rng);
    const physad_view in = view_of(map, PHYSAD_F32, MH, MW, 0);
    physad_view back = view_of(out, PHYSAD_F32, H, W, 0);
    for (int64_t i = 0; i < PHYSAD__COUNT(shapes); i++) {
        physad_transform_options o = shapes[i];
        int64_t h, w;
        o.outside = PHYSAD_OUTSIDE_NAN;
        physad_transform *t = make(ctx, o);
        assert_ok(physad_transform_shape(t, &h, &w));
        assert_ok(physad_transform_map_back(t, &in, &back));
        for (int y = 0; y < H; y++) {
            for (int x = 0; x < W; x++) {
                double my, mx;
                assert_ok(physad_transform_to_model(t, H, W, y + 0.5, x + 0.5, &my, &mx));
                const bool in_roi = o.roi_height == 0 || (y >= o.roi_y && y < o.roi_y + o.roi_height && x >= o.roi_x &&
                                                          x < o.roi_x + o.roi_width);
                if (in_roi && my >= 0 && mx >= 0 && my < (double)h && mx < (double)w)
                    assert_near(out[y * W + x], sample(map, MH, MW, my * MH / (double)h, mx * MW / (double)w), 1e-6);
                else
                    assert_true(isnan(out[y * W + x]));
            }
        }
        physad_transform_free(t);
    }
    end_context(ctx);
}

static void ignored_parts_count_for_nothing(void **state)
{
    enum { H = 64, W = 48 };
    physad_context *ctx = new_context(1);
    /* The left half is ignored, as a mask of one row and two columns. */
    unsigned char mask[2] = { 9, 0 }, valid[H * W];
    float map[4] = { 1, 1, 1, 1 }, out[H * W], grid[4 * 4];
    physad_transform *t = make(ctx, (physad_transform_options){ .height = 32 });
    physad_view m = view_of(mask, PHYSAD_U8, 1, 2, 0), v = view_of(valid, PHYSAD_BOOL, H, W, 0);
    physad_view in = view_of(map, PHYSAD_F32, 2, 2, 0), back = view_of(out, PHYSAD_F32, H, W, 0);
    physad_view g = view_of(grid, PHYSAD_F32, 4, 4, 0);
    assert_ok(physad_transform_set_ignore(t, &m));
    assert_ok(physad_transform_valid_photo(t, &v));
    assert_ok(physad_transform_map_back(t, &in, &back));
    for (int i = 0; i < H * W; i++) {
        assert_int_equal(valid[i], i % W >= W / 2);
        assert_near(out[i], i % W >= W / 2, 0);
    }
    assert_ok(physad_transform_valid_grid(t, H, W, &g));
    for (int i = 0; i < 16; i++)
        assert_near(grid[i], i % 4 >= 2, 1e-6);
    assert_ok(physad_transform_valid_grid(t, H, 45, &g)); /* the middle cuts the photo's column 22 */
    assert_near(grid[1], 0, 0.05);
    assert_ok(physad_transform_set_ignore(t, NULL));
    assert_ok(physad_transform_valid_grid(t, H, W, &g));
    for (int i = 0; i < 16; i++)
        assert_near(grid[i], 1, 0);
    assert_null(physad__transform_ignore(t).data);
    m.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_DTYPE, "mask has dtype f32", physad_transform_set_ignore(t, &m));
    m = view_of(mask, PHYSAD_U8, 0, 2, 0);
    assert_fails(PHYSAD_ERR_SHAPE, "mask", physad_transform_set_ignore(t, &m));
    physad_transform_free(t);

    /* Bars of a letterbox show no photo: 20 x 64 in 32 x 32 fills rows 11 to 20. */
    t = make(ctx, (physad_transform_options){ .height = 32, .fit = PHYSAD_FIT_LETTERBOX });
    assert_ok(physad_transform_valid_grid(t, 20, 64, &g));
    const float rows[] = { 0, 5 / 8.0f, 5 / 8.0f, 0 };
    for (int i = 0; i < 16; i++)
        assert_near(grid[i], rows[i / 4], 1e-6);
    physad_transform_free(t);
    end_context(ctx);
}

/* --- text --- */

static void json_keeps_every_option(void **state)
{
    physad_context *ctx = new_context(1);
    physad_transform_options o = { sizeof(o),
                                   PHYSAD_RESIZE_BICUBIC,
                                   PHYSAD_FIT_LETTERBOX,
                                   PHYSAD_ARITHMETIC_BYTES_12,
                                   PHYSAD_NORMALISE_CUSTOM,
                                   PHYSAD_OUTSIDE_NAN,
                                   300,
                                   200,
                                   280,
                                   190,
                                   1,
                                   2,
                                   30,
                                   40,
                                   { 0.1f, 0.2f, 0.3f },
                                   { 0.7f, 0.8f, 0.9f },
                                   { 0.25f, 1, 0 },
                                   0 };
    physad_transform *t = make(ctx, o), *again = NULL;
    json_t *json = physad__transform_to_json(t);
    char *text = json_dumps(json, 0);
    json_t *parsed = json_loads(text, 0, NULL);
    physad_transform_options got = PHYSAD_TRANSFORM_OPTIONS_INIT;
    assert_ok(physad__transform_from_json(&again, ctx, parsed));
    assert_ok(physad_transform_get(again, &got));
    assert_memory_equal(&got, &o, sizeof(o));
    physad_transform_free(again);
    assert_int_equal(json_object_set_new(parsed, "resize", json_string("lanczos")), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "\"resize\" is \"lanczos\"", physad__transform_from_json(&again, ctx, parsed));
    assert_int_equal(json_object_set_new(parsed, "resize", json_string("box")), 0);
    assert_int_equal(json_object_set_new(parsed, "height", json_integer(-4)), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "height is -4", physad__transform_from_json(&again, ctx, parsed));
    assert_int_equal(json_object_set_new(parsed, "height", json_real(1.5)), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "whole number", physad__transform_from_json(&again, ctx, parsed));
    assert_int_equal(json_object_set_new(parsed, "mean", json_array()), 0);
    assert_int_equal(json_object_set_new(parsed, "height", json_integer(400)), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "three numbers", physad__transform_from_json(&again, ctx, parsed));
    assert_int_equal(json_object_set_new(parsed, "depth", json_integer(1)), 0);
    assert_int_equal(json_object_del(parsed, "mean"), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "unknown key \"depth\"", physad__transform_from_json(&again, ctx, parsed));
    assert_null(again);
    json_decref(parsed);
    json_decref(json);
    free(text);
    physad_transform_free(t);
    end_context(ctx);
}

/* --- failures --- */

static void wrong_options_are_named(void **state)
{
    physad_context *ctx = new_context(1);
    physad_transform *t = NULL;
    static const struct {
        physad_transform_options o;
        const char *text;
    } wrong[] = {
        { { .resize = 4 }, "resize is 4" },
        { { .fit = -1 }, "fit is -1" },
        { { .arithmetic = 3 }, "arithmetic is 3" },
        { { .height = -1 }, "height is -1" },
        { { .width = 70000 }, "width is 70000" },
        { { .height = 10, .crop_height = 11 }, "crop_height is 11" },
        { { .crop_width = 5 }, "without crop_height" },
        { { .roi_height = 5 }, "want both or neither" },
        { { .roi_y = 5 }, "need roi_height" },
        { { .normalise = PHYSAD_NORMALISE_CUSTOM }, "std above 0" },
        { { .pad = { 2, 0, 0 } }, "pad[0] is 2" },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(wrong); i++) {
        physad_transform_options o = wrong[i].o;
        o.struct_size = sizeof(o);
        assert_fails(PHYSAD_ERR_ARG, wrong[i].text, physad_transform_new(&t, ctx, &o));
        assert_null(t);
    }
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_transform_new(NULL, ctx, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_transform_new(&t, NULL, NULL));
    end_context(ctx);
}

static void wrong_photos_are_named(void **state)
{
    physad_context *ctx = new_context(1);
    unsigned char bytes[300] = { 0 };
    float out[16 * 16 * 3];
    physad_transform *t = make(ctx, (physad_transform_options){ .height = 16 });
    physad_view good = view_of(bytes, PHYSAD_U8, 10, 10, 3), to = view_of(out, PHYSAD_F32, 16, 16, 3), v = good;
    v.shape[2] = 2;
    assert_fails(PHYSAD_ERR_SHAPE, "photo has shape (10,10,2)", physad_transform_apply(t, &v, &to));
    v = view_of(bytes, PHYSAD_U8, 0, 10, 3);
    assert_fails(PHYSAD_ERR_SHAPE, "(0,10,3)", physad_transform_apply(t, &v, &to));
    v = view_of(bytes, PHYSAD_I32, 5, 5, 3);
    assert_fails(PHYSAD_ERR_DTYPE, "i32, want u8", physad_transform_apply(t, &v, &to));
    v = physad_view_rgb8(bytes, 10, 10, 10); /* pixels, not bytes */
    assert_fails(PHYSAD_ERR_ARG, "photo of shape (10,10,3) has rows 10 bytes apart",
                 physad_transform_apply(t, &v, &to));
    v = physad_view_rgb8(bytes + 270, 10, 10, -29);
    assert_fails(PHYSAD_ERR_ARG, "rows -29 bytes apart", physad_transform_apply(t, &v, &to));
    v = physad_view_rgb8(bytes + 270, 10, 10, -30);
    assert_ok(physad_transform_apply(t, &v, &to));
    v = physad_view_rgb8(bytes, 10, 10, 0); /* one row, repeated */
    assert_ok(physad_transform_apply(t, &v, &to));
    v = view_of(bytes, PHYSAD_U8, 10, 10, 3);
    v.stride[0] = 1, v.stride[1] = 10, v.stride[2] = 100; /* by channels, each on its side */
    assert_ok(physad_transform_apply(t, &v, &to));
    v.stride[2] = 99;
    assert_fails(PHYSAD_ERR_ARG, "pixels overlap", physad_transform_apply(t, &v, &to));
    assert_fails(PHYSAD_ERR_ARG, "photo is NULL", physad_transform_apply(t, NULL, &to));
    assert_fails(PHYSAD_ERR_ARG, "transform is NULL", physad_transform_apply(NULL, &good, &to));
    v = view_of(out, PHYSAD_F32, 16, 15, 3);
    assert_fails(PHYSAD_ERR_SHAPE, "want (16,16,3)", physad_transform_apply(t, &good, &v));
    to.flags = PHYSAD_VIEW_READONLY;
    assert_fails(PHYSAD_ERR_ARG, "read-only", physad_transform_apply(t, &good, &to));
    to.flags = 0;
    assert_ok(physad_transform_apply(t, &good, &to));
    physad_transform_free(t);
    t = make(ctx, (physad_transform_options){ .height = 16, .roi_height = 11, .roi_width = 10 });
    assert_fails(PHYSAD_ERR_ARG, "ends at height 11, but the photo at 10", physad_transform_apply(t, &good, &to));
    physad_transform_free(t);
    t = make(ctx, (physad_transform_options){ .height = 16, .arithmetic = PHYSAD_ARITHMETIC_BYTES });
    v = view_of(bytes, PHYSAD_F32, 5, 5, 1);
    assert_fails(PHYSAD_ERR_DTYPE, "takes u8 only", physad_transform_apply(t, &v, &to));
    physad_transform_free(t);
    end_context(ctx);
}

static physad_status everything(physad_context *ctx, int32_t arithmetic)
{
    static unsigned char bytes[40 * 30 * 3], mask[4];
    static float pixels[16 * 16 * 3], map[16], back_map[40 * 30];
    physad_transform *t = NULL;
    const physad_transform_options o = { .struct_size = sizeof(o), .height = 16, .arithmetic = arithmetic };
    physad_view photo = view_of(bytes, PHYSAD_U8, 40, 30, 3), out = view_of(pixels, PHYSAD_F32, 16, 16, 3);
    physad_view in = view_of(map, PHYSAD_F32, 4, 4, 0), back = view_of(back_map, PHYSAD_F32, 40, 30, 0);
    physad_view m = view_of(mask, PHYSAD_U8, 2, 2, 0);
    physad_status status = physad_transform_new(&t, ctx, &o);
    if (status == PHYSAD_OK)
        status = physad_transform_set_ignore(t, &m);
    if (status == PHYSAD_OK)
        status = physad_transform_apply(t, &photo, &out);
    if (status == PHYSAD_OK)
        status = physad_transform_map_back(t, &in, &back);
    physad_transform_free(t);
    return status;
}

static void no_memory_is_survived(void **state)
{
    for (int32_t arithmetic = 0; arithmetic < 3; arithmetic++) {
        physad_context *ctx = NULL;
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        o.allocator = &failing_allocator;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &o));
        int64_t n = 0;
        physad_status status;
        do {
            allocations_left = n++;
            status = everything(ctx, arithmetic);
            assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
            assert_int_equal(physad_context_memory_used(ctx), 0);
        } while (status != PHYSAD_OK);
        assert_true(n > 8);
        physad_context_free(ctx);
    }
}

/* --- tiles --- */

static void tiles_cover_and_join(void **state)
{
    static const int64_t plans[][5] = {
        { 100, 130, 40, 50, 10 }, { 64, 64, 64, 64, 8 }, { 30, 200, 64, 64, 16 }, { 7, 9, 3, 3, 2 }
    };
    for (int64_t p = 0; p < PHYSAD__COUNT(plans); p++) {
        physad__tiles t;
        assert_ok(physad__tiles_plan(&t, plans[p][0], plans[p][1], plans[p][2], plans[p][3], plans[p][4], 1));
        const int64_t n = physad__tiles_count(&t), size = t.tile_height * t.tile_width;
        float *data = malloc((size_t)(n * size) * sizeof(float)),
              *out = malloc((size_t)(t.height * t.width) * sizeof(float));
        const float **maps = malloc((size_t)n * sizeof(*maps));
        int *seen = calloc((size_t)(t.height * t.width), sizeof(int));
        for (int64_t i = 0; i < n; i++) {
            const physad__rect r = physad__tiles_rect(&t, i);
            assert_true(r.y >= 0 && r.x >= 0 && r.y + r.height <= t.height && r.x + r.width <= t.width);
            maps[i] = data + i * size;
            for (int64_t y = 0; y < r.height; y++)
                for (int64_t x = 0; x < r.width; x++) {
                    seen[(r.y + y) * t.width + r.x + x]++;
                    data[i * size + y * r.width + x] = 0.1f;
                }
        }
        physad__tiles_merge(&t, maps, 1, out);
        for (int64_t i = 0; i < t.height * t.width; i++) {
            assert_true(seen[i] >= 1);
            assert_true(out[i] == 0.1f); /* to the bit */
        }
        /* A plane that all tiles agree on comes back. */
        for (int64_t i = 0; i < n; i++) {
            const physad__rect r = physad__tiles_rect(&t, i);
            for (int64_t y = 0; y < r.height; y++)
                for (int64_t x = 0; x < r.width; x++)
                    data[i * size + y * r.width + x] = (float)(r.y + y) * 0.5f - (float)(r.x + x);
        }
        physad__tiles_merge(&t, maps, 1, out);
        for (int64_t i = 0; i < t.height * t.width; i++)
            assert_near(out[i], (double)(i / t.width) * 0.5 - (double)(i % t.width), 1e-4);
        /* Between two neighbours the values pass without a jump: tiles of 0 and 1. */
        for (int64_t i = 0; i < n * size; i++)
            data[i] = (float)(i / size % 2);
        physad__tiles_merge(&t, maps, 1, out);
        if (t.rows == 1 && t.columns > 1)
            for (int64_t x = 1; x < t.width; x++)
                assert_true(fabsf(out[x] - out[x - 1]) <= 1.0f / (float)t.overlap);
        free(data);
        free(out);
        free(maps);
        free(seen);
    }
    physad__tiles t;
    assert_ok(physad__tiles_plan(&t, 40, 96, 16, 32, 9, 8)); /* tiles begin at multiples of 8, and share 16 */
    for (int64_t i = 0; i < physad__tiles_count(&t); i++) {
        const physad__rect r = physad__tiles_rect(&t, i);
        assert_true(r.y % 8 == 0 && r.x % 8 == 0);
        assert_true(i % t.columns == 0 || r.x - physad__tiles_rect(&t, i - 1).x <= 16);
    }
    assert_fails(PHYSAD_ERR_ARG, "not all multiples of 8", physad__tiles_plan(&t, 40, 96, 20, 32, 8, 8));
    assert_fails(PHYSAD_ERR_ARG, "overlap", physad__tiles_plan(&t, 10, 10, 4, 4, 4, 1));
    assert_fails(PHYSAD_ERR_SHAPE, "0 x 10", physad__tiles_plan(&t, 0, 10, 4, 4, 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes_as_pillow_and_torchvision),
        cmocka_unit_test(the_defaults_are_said),
        cmocka_unit_test(layouts_and_threads_change_no_bit),
        cmocka_unit_test(words_and_floats_mean_the_same),
        cmocka_unit_test(a_cut_equals_a_photo_cut_by_hand),
        cmocka_unit_test(a_letterbox_has_bars),
        cmocka_unit_test(positions_go_both_ways),
        cmocka_unit_test(maps_come_back_to_the_photo),
        cmocka_unit_test(ignored_parts_count_for_nothing),
        cmocka_unit_test(json_keeps_every_option),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(wrong_photos_are_named),
        cmocka_unit_test(no_memory_is_survived),
        cmocka_unit_test(tiles_cover_and_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
