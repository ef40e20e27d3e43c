/* SPDX-License-Identifier: Apache-2.0 */
/* Poses of photos: found where they are known, refused where the photo shows something else. */
#include "scene_help.h"
#include "failing.h"

#include <physad/locate.h>

/* Between two training cameras, turned a little. */
static physad_camera query_at(int i)
{
    physad_camera c = camera_at(i % VIEWS);
    physad__rng rng;
    double tangent[6];
    physad__rng_seed(&rng, 5, (uint64_t)i);
    for (int k = 0; k < 6; k++)
        tangent[k] = (k < 3 ? 0.12 : 0.04) * physad__rng_normal(&rng);
    physad__splat_camera_move(c.rotation, c.translation, tangent);
    return c;
}

static physad_locator *open_locator(const physad_scene *scene, const char *folder)
{
    physad_locator_options o = PHYSAD_LOCATOR_OPTIONS_INIT;
    physad_locator *locator = NULL;
    o.weights = "random:1";
    assert_ok(physad_locator_new(&locator, scene, folder, &o, NULL));
    return locator;
}

static void test_known(void **state)
{
    enum { QUERIES = 20 };
    char folder[256];
    uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view photo = picture(memory);
    physad_context *ctx = new_context(2), *one = new_context(1);
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    physad_scene *scene = known_scene(ctx, folder), *same = known_scene(one, folder);
    physad_locator *locator = open_locator(scene, folder), *alone = open_locator(same, folder);
    int met = 0;
    for (int i = 0; i < QUERIES; i++) {
        const physad_camera c = query_at(i);
        physad_pose poses[3];
        int64_t n;
        assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
        assert_ok(physad_locator_find(locator, &photo, poses, 3, &n));
        assert_in_range(n, 1, 3);
        const double turn = physad__pose_angle(&c, &poses[0].camera) * 180 / M_PI,
                     move = physad__pose_distance(&c, &poses[0].camera) / 4;
        met += turn < 0.5 && move < 0.01;
        assert_int_equal(poses[0].camera.width, WIDTH);
        assert_true(poses[0].confidence <= 1 && poses[0].confidence > 0 && poses[0].loss < 0.5);
        for (int64_t k = 1; k < n; k++)
            assert_true(poses[k].loss >= poses[0].loss);
        if (i < 3) { /* the same to the bit in one thread */
            physad_pose again[3];
            int64_t as_many;
            memset(poses, 0, sizeof(poses));
            memset(again, 0, sizeof(again));
            assert_ok(physad_locator_find(locator, &photo, poses, 3, &n));
            assert_ok(physad_locator_find(alone, &photo, again, 3, &as_many));
            assert_int_equal(n, as_many);
            assert_memory_equal(poses, again, sizeof(poses));
        }
    }
    print_message("%d of %d queries within 0.5 degrees and 1 %% of the distance\n", met, QUERIES);
    assert_true(met >= 19);
    physad_locator_free(locator);
    physad_locator_free(alone);
    physad_scene_free(scene);
    physad_scene_free(same);
    scratch_remove(folder);
    end_context(ctx);
    end_context(one);
}

/* A camera held upright, or overhead: no training photo looks like that. */
static void test_turned(void **state)
{
    char folder[256];
    uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view photo = picture(memory);
    physad_context *ctx = new_context(2);
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    physad_scene *scene = known_scene(ctx, folder);
    physad_locator *locator = open_locator(scene, folder);
    int met = 0;
    for (int i = 0; i < 9; i++) {
        physad_camera c = query_at(i);
        physad_pose pose;
        int64_t n;
        for (int quarter = 0; quarter <= i % 3; quarter++)
            for (int k = 0; k < 4; k++) {
                double *x = k < 3 ? &c.rotation[k] : &c.translation[0], *y = k < 3 ? x + 3 : x + 1;
                const double was = *x;
                *x = *y;
                *y = -was;
            }
        assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
        (void)!physad_locator_find(locator, &photo, &pose, 1, &n);
        met += n == 1 && physad__pose_angle(&c, &pose.camera) * 180 / M_PI < 0.5;
    }
    print_message("%d of 9 turned queries within 0.5 degrees\n", met);
    assert_true(met >= 8);
    physad_locator_free(locator);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

/* From about half the distance of all training photos: what is shown is nearly twice as large. */
static void test_near(void **state)
{
    char folder[256];
    uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view photo = picture(memory);
    physad_context *ctx = new_context(2);
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    physad_scene *scene = known_scene(ctx, folder);
    physad_locator *locator = open_locator(scene, folder);
    int met = 0;
    for (int i = 0; i < 9; i++) {
        physad_camera c = query_at(i);
        physad_pose pose;
        int64_t n;
        c.translation[2] *= 0.55;
        assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
        (void)!physad_locator_find(locator, &photo, &pose, 1, &n);
        met += n == 1 && physad__pose_angle(&c, &pose.camera) * 180 / M_PI < 0.5;
    }
    print_message("%d of 9 queries from near by within 0.5 degrees\n", met);
    assert_true(met >= 8);
    physad_locator_free(locator);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_kinds(void **state)
{
    char folder[256];
    static uint8_t memory[HEIGHT * WIDTH * 3];
    static float floats[HEIGHT * WIDTH * 3];
    physad_context *ctx = new_context(2);
    physad_pose a[1], b[1];
    int64_t n;
    const physad_camera c = query_at(2);
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    physad_scene *scene = known_scene(ctx, folder);
    physad_locator *locator = open_locator(scene, folder);
    const physad_view photo = picture(memory);
    physad_view other = picture(memory);
    assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++)
        floats[i] = (float)memory[i] / 255;
    const int64_t shape[3] = { HEIGHT, WIDTH, 3 };
    other = physad_view_array(floats, PHYSAD_F32, 3, shape);
    memset(a, 0, sizeof(a));
    memset(b, 0, sizeof(b));
    assert_ok(physad_locator_find(locator, &photo, a, 1, &n));
    assert_ok(physad_locator_find(locator, &other, b, 1, &n));
    assert_int_equal(n, 1);
    assert_memory_equal(a, b, sizeof(a));

    physad__rng rng; /* something else */
    physad__rng_seed(&rng, 3, 3);
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++)
        memory[i] = (uint8_t)physad__rng_below(&rng, 256);
    assert_fails(PHYSAD_ERR_NUMERIC, "does not show the scene", physad_locator_find(locator, &photo, a, 1, &n));
    assert_int_equal(n, 1); /* the best there is, for who wants to look */
    memset(memory, 0, sizeof(memory));
    assert_fails(PHYSAD_ERR_NUMERIC, "does not show the scene", physad_locator_find(locator, &photo, a, 1, &n));

    const int64_t wide[3] = { 20, WIDTH, 3 }, flat[1] = { WIDTH };
    other = physad_view_array(memory, PHYSAD_U8, 3, wide);
    assert_fails(PHYSAD_ERR_FORMAT, "the photo", physad_locator_find(locator, &other, a, 1, &n));
    other = physad_view_array(memory, PHYSAD_U8, 1, flat);
    assert_fails(PHYSAD_ERR_SHAPE, "dimension", physad_locator_find(locator, &other, a, 1, &n));
    assert_fails(PHYSAD_ERR_ARG, "capacity is 0", physad_locator_find(locator, &photo, a, 0, &n));
    assert_fails(PHYSAD_ERR_ARG, "locator is NULL", physad_locator_find(NULL, &photo, a, 1, &n));
    assert_fails(PHYSAD_ERR_ARG, "poses is NULL", physad_locator_find(locator, &photo, NULL, 1, &n));
    assert_fails(PHYSAD_ERR_ARG, "count is NULL", physad_locator_find(locator, &photo, a, 1, NULL));
    physad_locator_free(locator);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_refused(void **state)
{
    char folder[256];
    physad_context *ctx = new_context(1);
    physad_locator_options o = PHYSAD_LOCATOR_OPTIONS_INIT;
    physad_locator *locator = NULL;
    scratch_make(folder, sizeof(folder));
    physad_scene *scene = known_scene(ctx, folder);
    o.weights = "random:1";
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_locator_new(NULL, scene, folder, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_locator_new(&locator, NULL, folder, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "data is NULL", physad_locator_new(&locator, scene, NULL, &o, NULL));
    assert_fails(PHYSAD_ERR_IO, "no camera poses", physad_locator_new(&locator, scene, folder, &o, NULL));
    o.max_side = 7;
    assert_fails(PHYSAD_ERR_ARG, "max_side is 7", physad_locator_new(&locator, scene, folder, &o, NULL));
    o.max_side = 0;
    o.least_fit = 2;
    assert_fails(PHYSAD_ERR_ARG, "least_fit is 2", physad_locator_new(&locator, scene, folder, &o, NULL));
    o.least_fit = 0;
    o.background[0] = -1;
    assert_fails(PHYSAD_ERR_ARG, "background is -1", physad_locator_new(&locator, scene, folder, &o, NULL));
    o.background[0] = 0;
    o.backbone = "no-such-network";
    write_photos(ctx, folder);
    assert_fails(PHYSAD_ERR_ARG, "no-such-network", physad_locator_new(&locator, scene, folder, &o, NULL));
    assert_null(locator);
    physad_locator_free(NULL);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

/* --- angles and distances --- */

static void test_measures(void **state)
{
    physad_camera a = camera_at(0), b = a;
    const double turn[6] = { 0, 0, 0, 0, 1e-7, 0 }, wide[6] = { 0, 0, 0, 0.3, 2.9, 0 },
                 move[6] = { 0.3, 0, -0.4, 0, 0, 0 };
    assert_near(physad__pose_angle(&a, &a), 0, 1e-15);
    physad__splat_camera_move(b.rotation, b.translation, turn);
    assert_near(physad__pose_angle(&a, &b), 1e-7, 1e-12);
    b = a;
    physad__splat_camera_move(b.rotation, b.translation, wide);
    assert_near(physad__pose_angle(&a, &b), sqrt(0.09 + 2.9 * 2.9), 1e-7);
    b = a;
    physad__splat_camera_move(b.rotation, b.translation, move);
    assert_near(physad__pose_distance(&a, &b), 0.5, 1e-12);
    assert_near(physad__pose_angle(&a, &b), 0, 1e-9);
}

/* --- memory --- */

static physad_status locate_once(physad_context *ctx, const char *folder)
{
    char path[512];
    uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view photo = picture(memory);
    const physad_camera c = query_at(1);
    physad_locator_options o = PHYSAD_LOCATOR_OPTIONS_INIT;
    physad_scene *scene = NULL;
    physad_locator *locator = NULL;
    physad_pose pose;
    int64_t n;
    o.weights = "random:1";
    snprintf(path, sizeof(path), "%s/known.ply", folder);
    physad_status status = physad_scene_load(&scene, ctx, path);
    if (status == PHYSAD_OK)
        status = physad_scene_render(scene, &c, NULL, &photo, NULL, NULL);
    if (status == PHYSAD_OK)
        status = physad_locator_new(&locator, scene, folder, &o, NULL);
    if (status == PHYSAD_OK)
        status = physad_locator_find(locator, &photo, &pose, 1, &n);
    physad_locator_free(locator);
    physad_scene_free(scene);
    return status;
}

static void test_memory(void **state)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = new_context(1);
    char folder[256];
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    end_context(ctx);
    co.allocator = &failing_allocator;
    co.threads = 1;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int64_t n = 0; status != PHYSAD_OK; n += 1 + n / 6) {
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &co));
        allocations_left = n;
        status = locate_once(ctx, folder);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        end_context(ctx);
    }
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),    cmocka_unit_test(test_turned),
        cmocka_unit_test(test_near),     cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_measures),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
