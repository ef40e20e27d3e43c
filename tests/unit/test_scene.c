/* SPDX-License-Identifier: Apache-2.0 */
/* Scenes: fitted to photos that a known scene was rendered for, kept, rendered, refused. */
#include "failing.h"
#include "test.h"

#include "scene/scene.h"

#include "scene_help.h"

static physad_scene_options quick(void)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    o.steps = 240;
    o.harmonics = 4;
    o.hold_out = 6;
    o.random_points = 600;
    o.densify_from = 50;
    o.densify_until = 150;
    o.densify_every = 50;
    o.max_gaussians = 900;
    return o;
}

/* --- the tests --- */

static int ticks;

static int count_ticks(const physad_progress *progress, void *user)
{
    ticks++;
    return user != NULL && progress->done >= *(const int *)user && progress->total == 240;
}

static void test_fit(void **state)
{
    char folder[256];
    uint8_t got[HEIGHT * WIDTH * 3], want[HEIGHT * WIDTH * 3];
    physad_context *ctx = new_context(2);
    physad_scene *scene = NULL;
    const physad_scene_options o = quick();
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.progress = count_ticks;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    ticks = 0;
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, &call));
    assert_true(ticks > 0);
    const physad_scene_quality q = physad_scene_describe(scene);
    assert_int_equal(q.photos, 10);
    assert_int_equal(q.held_out, 2);
    assert_int_equal(q.steps, 240);
    assert_int_equal(q.gaussians, physad_scene_gaussians(scene));
    assert_true(q.gaussians <= 900);
    print_message("held-out PSNR %.2f, SSIM %.3f, %lld Gaussians\n", q.psnr, q.ssim, (long long)q.gaussians);
    physad_scene_options short_one = o;
    physad_scene *first = NULL;
    short_one.steps = 1;
    assert_ok(physad_scene_fit(&first, ctx, folder, &short_one, NULL));
    assert_true(q.psnr > physad_scene_describe(first).psnr + 4); /* learnt */
    physad_scene_free(first);
    assert_near(q.loss, 0.8 * q.l1 + 0.2 * (1 - q.ssim), 1e-9);
    assert_int_equal(physad_scene_cameras(scene), VIEWS);
    assert_string_equal(physad_scene_camera_name(scene, 10), "10");
    assert_null(physad_scene_camera_name(scene, VIEWS));
    physad_camera c;
    assert_ok(physad_scene_camera(scene, 3, &c));
    const physad_camera should = camera_at(3);
    for (int k = 0; k < 9; k++)
        assert_near(c.rotation[k], should.rotation[k], 1e-12);
    assert_fails(PHYSAD_ERR_ARG, "index is 12", physad_scene_camera(scene, VIEWS, &c));

    /* one seed, one scene: whatever the threads; and the file holds it whole */
    char path[512];
    physad_context *one = new_context(1);
    physad_scene *again = NULL, *loaded = NULL;
    snprintf(path, sizeof(path), "%s/fitted.ply", folder);
    assert_ok(physad_scene_fit(&again, one, folder, &o, NULL));
    assert_ok(physad_scene_save(again, path));
    assert_ok(physad_scene_load(&loaded, ctx, path));
    const physad_view a = picture(got), b = picture(want);
    assert_ok(physad_scene_render(scene, &c, NULL, &a, NULL, NULL));
    assert_ok(physad_scene_render(loaded, &c, NULL, &b, NULL, NULL));
    assert_memory_equal(got, want, sizeof(got));
    physad_scene_free(again);
    physad_scene_free(loaded);
    physad_scene_free(scene);
    end_context(one);

    const int stop = 100;
    call.progress_user = (void *)&stop;
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", physad_scene_fit(&scene, ctx, folder, &o, &call));
    assert_null(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_render(void **state)
{
    char folder[256];
    static float colour[HEIGHT * WIDTH * 3], depth[HEIGHT * WIDTH], opacity[HEIGHT * WIDTH];
    const int64_t shape[3] = { HEIGHT, WIDTH, 3 };
    const float background[3] = { 1, 0.5f, 0.25f };
    physad_context *ctx = new_context(2);
    scratch_make(folder, sizeof(folder));
    physad_scene *scene = known_scene(ctx, folder);
    physad_camera c = camera_at(1);
    physad_view rgb = physad_view_array(colour, PHYSAD_F32, 3, shape),
                z = physad_view_array(depth, PHYSAD_F32, 2, shape);
    physad_view o = physad_view_array(opacity, PHYSAD_F32, 2, shape);
    assert_ok(physad_scene_render(scene, &c, background, &rgb, &z, &o));
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        assert_true(opacity[i] >= 0 && opacity[i] <= 1);
        assert_true(opacity[i] < 0.3f || (depth[i] > 1 && depth[i] < 8));
    }
    assert_true(opacity[HEIGHT / 2 * WIDTH + WIDTH / 2] > 0.9f);
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_scene_render(NULL, &c, NULL, &rgb, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "camera is NULL", physad_scene_render(scene, NULL, NULL, &rgb, NULL, NULL));
    assert_fails(PHYSAD_ERR_SHAPE, "want (40,48)", physad_scene_render(scene, &c, NULL, &rgb, &rgb, NULL));
    z.dtype = PHYSAD_F64;
    assert_fails(PHYSAD_ERR_DTYPE, "want f32", physad_scene_render(scene, &c, NULL, &rgb, &z, NULL));
    rgb.flags = PHYSAD_VIEW_READONLY;
    assert_fails(PHYSAD_ERR_ARG, "read-only", physad_scene_render(scene, &c, NULL, &rgb, NULL, NULL));
    rgb.flags = 0;
    c.rotation[0] = 3;
    assert_fails(PHYSAD_ERR_ARG, "rotation", physad_scene_render(scene, &c, NULL, &rgb, NULL, NULL));
    c = camera_at(1);
    c.width = 0;
    assert_fails(PHYSAD_ERR_ARG, "0 x 40", physad_scene_render(scene, &c, NULL, &rgb, NULL, NULL));
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_refused(void **state)
{
    char folder[256], path[512];
    physad_context *ctx = new_context(1);
    physad_scene *scene = NULL;
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_scene_fit(NULL, ctx, folder, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "data is NULL", physad_scene_fit(&scene, ctx, NULL, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_scene_fit(&scene, NULL, folder, &o, NULL));
    assert_fails(PHYSAD_ERR_IO, "no camera poses", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o.harmonics = 5;
    assert_fails(PHYSAD_ERR_ARG, "harmonics is 5", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o = quick();
    o.steps = -1;
    assert_fails(PHYSAD_ERR_ARG, "steps is -1", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o = quick();
    o.background[1] = NAN;
    assert_fails(PHYSAD_ERR_ARG, "background", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o = quick();
    write_photos(ctx, folder);
    o.hold_out = 1;
    snprintf(path, sizeof(path), "%s/3.png", folder);
    assert_ok(physad__file_write_atomic(&ctx->mem, path, "no photo", 8));
    assert_fails(PHYSAD_ERR_FORMAT, "3.png", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    for (int i = 0; i < VIEWS; i++) {
        snprintf(path, sizeof(path), "%s/%d.png", folder, i);
        remove(path);
    }
    assert_fails(PHYSAD_ERR_IO, "not one of 12 photos", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    assert_null(scene);
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_scene_load(&scene, ctx, NULL));
    assert_fails(PHYSAD_ERR_IO, "nowhere.ply", physad_scene_load(&scene, ctx, "nowhere.ply"));
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_scene_save(NULL, path));
    physad_scene_free(NULL);
    assert_int_equal(physad_scene_gaussians(NULL), 0);
    assert_int_equal(physad_scene_describe(NULL).steps, 0);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_memory(void **state)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = new_context(1);
    char folder[256];
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    end_context(ctx);
    physad_scene_options o = quick();
    o.steps = 3;
    o.random_points = 50;
    o.densify_from = 1;
    o.densify_every = 1;
    co.allocator = &failing_allocator;
    co.threads = 1;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int64_t n = 0; status != PHYSAD_OK; n += 1 + n / 16) {
        physad_scene *scene = NULL;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &co));
        allocations_left = n;
        status = physad_scene_fit(&scene, ctx, folder, &o, NULL);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("%lld allocations: %s", (long long)n, physad_last_error());
        physad_scene_free(scene);
        end_context(ctx);
    }
    scratch_remove(folder);
}

/* Sorted, Gaussians are the same ones with all that is theirs, and neighbours in memory are nearer to each other. */
static void test_sort(void **state)
{
    enum { N = 3000 };
    physad_context *ctx = new_context(1);
    physad__scene_model m;
    physad__rng rng;
    uint8_t seen[N] = { 0 };
    double ways[2] = { 0 };
    physad__rng_seed(&rng, 3, 3);
    assert_ok(physad__scene_model_make(&m, &ctx->mem, N, 1));
    for (int64_t i = 0; i < N; i++) {
        for (int64_t k = 0; k < 3 * m.planes; k++)
            m.value[k * m.stride + i] = k < 3 ? (float)physad__rng_normal(&rng) : (float)(k * N + i);
        for (int64_t k = 0; k < 3; k++)
            m.pull[k * m.stride + i] = (float)(-k * N - i);
    }
    m.value[17] = 1e30f; /* a stray one */
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 1; i < N; i++)
            for (int64_t k = 0; k < 3; k++)
                ways[pass] += fmin(fabs((double)m.value[k * m.stride + i] - (double)m.value[k * m.stride + i - 1]), 10);
        assert_ok(physad__scene_model_sort(&m));
    }
    print_message("from one to the next: %.3f, sorted %.3f\n", ways[0] / N, ways[1] / N);
    assert_true(ways[1] < 0.2 * ways[0]);
    for (int64_t i = 0; i < N; i++) {
        const int64_t id = (int64_t)m.value[3 * m.stride + i] - 3 * N;
        assert_in_range(id, 0, N - 1);
        assert_int_equal(seen[id]++, 0);
        for (int64_t k = 3; k < 3 * m.planes; k++)
            assert_true(m.value[k * m.stride + i] == (float)(k * N + id));
        for (int64_t k = 0; k < 3; k++)
            assert_true(m.pull[k * m.stride + i] == (float)(-k * N - id));
    }
    physad__scene_model_free(&m);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_fit), cmocka_unit_test(test_render),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_memory),
                                        cmocka_unit_test(test_sort) };
    return cmocka_run_group_tests_name("scene", tests, NULL, NULL);
}
