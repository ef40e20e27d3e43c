/* SPDX-License-Identifier: Apache-2.0 */
/* What a photo with finer pixels tells between the pixels of a view: half a pixel right, down, and both. */
#include "failing.h"
#include "scene_help.h"

static const physad__scene_choice with = { .shifts = true };

/* The photo's mean over pixels x, x + 1 and y, y + 1; -1 where some of them are not there. */
static double mean_of_four(const physad__scene_view *fine, int64_t ch, int64_t x, int64_t y)
{
    if (x + 1 >= WIDTH || y + 1 >= HEIGHT)
        return -1;
    const float *p = fine->pixels + ch * WIDTH * HEIGHT + y * WIDTH + x;
    return ((double)p[0] + (double)p[1] + (double)p[WIDTH] + (double)p[WIDTH + 1]) / 4;
}

static void assert_shift(const physad__scene_view *half, const physad__scene_view *fine, int64_t k)
{
    enum { W = WIDTH / 2, H = HEIGHT / 2 };
    float picture[3 * W * H];
    uint8_t missing[W * H];
    physad__scene_view_shift(picture, missing, half, k);
    for (int64_t i = 0; i < 3 * W * H; i++) {
        const int64_t x = i % W, y = i / W % H;
        const double want = mean_of_four(fine, i / (W * H), 2 * x + (k != 1), 2 * y + (k != 0));
        assert_int_equal(missing[i % (W * H)], want < 0);
        if (want >= 0)
            assert_near(picture[i], want, 0.51 / 255);
    }
}

static void test_between_pixels(void **state)
{
    char folder[256];
    physad_context *ctx = new_context(2);
    physad__scene_views half, fine;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    assert_ok(open_views(&fine, ctx, folder, 0, &with));
    assert_ok(open_views(&half, ctx, folder, WIDTH / 2, &with));
    assert_int_equal(half.count, VIEWS);
    for (int i = 0; i < VIEWS; i++) {
        assert_null(fine.views[i].shifted); /* nothing lies between its pixels */
        assert_non_null(half.views[i].shifted);
        for (int64_t k = 0; k < PHYSAD__SHIFTS; k++)
            assert_shift(&half.views[i], &fine.views[i], k);
    }
    physad__scene_views_free(&half);
    assert_ok(open_views(&half, ctx, folder, WIDTH / 2, NULL));
    assert_null(half.views[0].shifted); /* not asked for */
    physad__scene_views_free(&half);
    assert_ok(open_views(&half, ctx, folder, 3 * WIDTH / 4, &with));
    assert_null(half.views[0].shifted); /* too little between them */
    physad__scene_views_free(&half);
    physad__scene_views_free(&fine);
    scratch_remove(folder);
    end_context(ctx);
}

/* The raster that a shift stands for is that of a camera whose middle lies the other way. */
static void test_offsets(void **state)
{
    const double x[] = { 0.5, 0, 0.5 }, y[] = { 0, 0.5, 0.5 };
    for (int k = 0; k < PHYSAD__SHIFTS; k++) {
        assert_near(PHYSAD__SHIFT_X(k), x[k], 0);
        assert_near(PHYSAD__SHIFT_Y(k), y[k], 0);
    }
}

static void test_scarce_memory(void **state)
{
    char folder[256];
    physad_context *ctx = new_context(1);
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_status status = PHYSAD_ERR_NOMEM;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    end_context(ctx);
    o.threads = 1;
    o.allocator = &failing_allocator;
    assert_ok(physad_context_new(&ctx, &o));
    for (int64_t n = 1; status == PHYSAD_ERR_NOMEM; n += 7) {
        physad__scene_views v;
        allocations_left = n;
        status = open_views(&v, ctx, folder, WIDTH / 2, &with);
        physad__scene_views_free(&v);
        assert_int_equal(physad_context_memory_used(ctx), 0);
    }
    allocations_left = INT64_MAX;
    assert_ok(status);
    end_context(ctx);
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_pixels),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_scarce_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
