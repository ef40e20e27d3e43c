/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"

#include "synth/synth.h"

#include <unistd.h>

static physad_context *new_context(int32_t threads)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.threads = threads;
    o.seed = 7;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static int64_t object_named(const char *name)
{
    for (int64_t i = 0; physad_synth_rad_category(i) != NULL; i++)
        if (strcmp(physad_synth_rad_category(i), name) == 0)
            return i;
    fail_msg("no object %s", name);
    return -1;
}

static physad__v3 random_place(physad__rng *rng, const physad__solid *solid, float reach)
{
    float p[3];
    for (int k = 0; k < 3; k++)
        p[k] = (float)(2 * physad__rng_uniform(rng) - 1) * reach * solid->radius;
    return physad__v3_add(solid->centre, physad__v3_from(p));
}

/* --- shapes ----------------------------------------------------------------------------------------- */

static void test_objects(void **state)
{
    int64_t count = 0;
    for (; physad_synth_rad_category(count) != NULL; count++) {
        static physad__solid solid;
        const physad__object *object = physad__object_at(count);
        assert_true(object->shape_count <= PHYSAD__MOST_SHAPES);
        physad__solid_make(&solid, object);
        if (solid.radius < 0.5f || solid.radius > 1.6f)
            fail_msg("%s has radius %g", object->name, (double)solid.radius);
        /* it stands on the table: something of it is near to z = 0, nothing much below */
        float lowest = 1;
        for (int i = 0; i < 60 * 60 * 20; i++) {
            const physad__v3 p = { (float)(i % 60) / 29.5f - 1, (float)(i / 60 % 60) / 29.5f - 1,
                                   (float)(i / 3600) * 0.01f - 0.1f };
            if (physad__solid_distance(&solid, p) < 0.01f)
                lowest = physad__minf(lowest, p.z);
        }
        if (lowest < -0.041f || lowest > 0.03f)
            fail_msg("%s begins at z = %g", object->name, (double)lowest);
    }
    assert_int_equal(count, 18);
    assert_null(physad_synth_rad_category(-1));
}

static void test_distance_is_safe(void **state)
{
    for (int64_t o = 0; o < physad__object_count(); o++) {
        static physad__solid solid;
        physad__solid_make(&solid, physad__object_at(o));
        physad__rng rng;
        physad__rng_seed(&rng, 1, (uint64_t)o);
        for (int i = 0; i < 20000; i++) {
            const physad__v3 p = random_place(&rng, &solid, 1.3f), way = random_place(&rng, &solid, 1);
            const float d = physad__solid_distance(&solid, p);
            if (d <= 0)
                continue;
            const physad__v3 q = physad__v3_along(p, physad__v3_unit(physad__v3_sub(way, solid.centre)), 0.9f * d);
            if (physad__solid_distance(&solid, q) < 0)
                fail_msg("%s: a step of 0.9 of the distance, %g, goes into it", physad__object_at(o)->name, (double)d);
        }
    }
}

static void test_grid_is_exact(void **state)
{
    for (int64_t o = 0; o < physad__object_count(); o++) {
        static physad__solid with, without;
        physad__solid_make(&with, physad__object_at(o));
        physad__solid_make(&without, physad__object_at(o));
        for (int32_t i = 0; i < without.count; i++)
            without.parts[i].grid = NULL;
        physad__rng rng;
        physad__rng_seed(&rng, 2, (uint64_t)o);
        for (int i = 0; i < 20000; i++) {
            const physad__v3 p = random_place(&rng, &with, 1.5f);
            assert_true(physad__solid_distance(&with, p) == physad__solid_distance(&without, p));
        }
    }
}

/* --- camera ----------------------------------------------------------------------------------------- */

static void check_pose(double m[4][4])
{
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 3; b++) {
            double dot = 0;
            for (int k = 0; k < 3; k++)
                dot += m[k][a] * m[k][b];
            assert_near(dot, a == b ? 1 : 0, 1e-9);
        }
    const double det = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                       m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                       m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    assert_near(det, 1, 1e-9);
    const double last[4] = { 0, 0, 0, 1 };
    assert_memory_equal(m[3], last, sizeof(last));
}

/* Pixel of a point, from the pose alone. */
static void project(const physad__camera *c, physad__v3 p, double *x, double *y)
{
    const double d[3] = { (double)p.x - c->pose[0][3], (double)p.y - c->pose[1][3], (double)p.z - c->pose[2][3] };
    double local[3];
    for (int k = 0; k < 3; k++)
        local[k] = c->pose[0][k] * d[0] + c->pose[1][k] * d[1] + c->pose[2][k] * d[2];
    *x = c->cx + c->focal * local[0] / -local[2];
    *y = c->cy - c->focal * local[1] / -local[2];
}

static physad__camera camera_at(const physad__solid *solid, double azimuth, double elevation, int32_t size)
{
    physad__camera c = { .width = size, .height = size, .cx = size / 2.0, .cy = size / 2.0, .focal = 1.3 * size };
    physad__camera_look(&c, solid->centre, azimuth, elevation, 3 * (double)solid->radius, 3);
    return c;
}

static void test_camera(void **state)
{
    static physad__solid solid;
    physad__solid_make(&solid, physad__object_at(0));
    for (int i = 0; i < 20; i++) {
        physad__camera c = camera_at(&solid, i * 37, i * 4, 64);
        double x, y;
        check_pose(c.pose);
        project(&c, solid.centre, &x, &y);
        assert_near(x, 32, 1e-4);
        assert_near(y, 32, 1e-4);
        /* up in the world is up in the photo */
        project(&c, physad__v3_add(solid.centre, physad__v3_make(0, 0, 0.2f)), &x, &y);
        assert_true(y < 32);
    }
}

/* --- defects and masks ------------------------------------------------------------------------------- */

typedef struct case_of {
    physad__scene scene;
    physad__camera camera;
    physad__defect defect;
} case_of;

/* A defect of an object that a camera sees well. */
static void set_up(case_of *c, physad__solid *solid, const char *name, int32_t type, uint64_t seed)
{
    physad__solid_make(solid, physad__object_at(object_named(name)));
    memset(c, 0, sizeof(*c));
    c->scene.solid = solid;
    c->scene.gloss = 1;
    physad__light_make(&c->scene.light, 40, 52, 1);
    c->camera = camera_at(solid, 30, 35, 160);
    const physad__v3 eye = { (float)c->camera.pose[0][3], (float)c->camera.pose[1][3], (float)c->camera.pose[2][3] };
    physad__rng rng;
    physad__rng_seed(&rng, seed, (uint64_t)type);
    for (int i = 0; i < 400; i++) {
        const physad__v3 target = random_place(&rng, solid, 0.5f), way = physad__v3_unit(physad__v3_sub(target, eye));
        const float t = physad__scene_march(&c->scene, eye, way, 0, 100);
        if (t < 0)
            continue;
        physad__defect_make(&c->defect, solid, type, physad__v3_along(eye, way, t), 1, 1, 0.8f, &rng);
        if (physad__scene_sees(&c->scene, eye, c->defect.centre, c->defect.normal) &&
            physad__v3_dot(c->defect.normal, way) < -0.5f) {
            c->scene.defect = &c->defect;
            return;
        }
    }
    fail_msg("no place for a defect on %s", name);
}

static bool masked_near(const uint8_t *mask, int32_t size, double x, double y, int32_t reach)
{
    for (int32_t v = (int32_t)y - reach; v <= (int32_t)y + reach; v++)
        for (int32_t u = (int32_t)x - reach; u <= (int32_t)x + reach; u++)
            if (v >= 0 && u >= 0 && v < size && u < size && mask[v * size + u] != 0)
                return true;
    return false;
}

static void check_mask(const case_of *c, const uint8_t *mask, const physad__v3 *with, const physad__v3 *without,
                       const char *name)
{
    const int32_t size = c->camera.width;
    int64_t marked = 0, differing = 0;
    double cx, cy;
    project(&c->camera, c->defect.centre, &cx, &cy);
    /* the ball around the defect, generously, in pixels */
    const double ball = 1.5 * (double)c->defect.reach * c->camera.focal / (2 * (double)c->scene.solid->radius) + 2;
    for (int32_t i = 0; i < size * size; i++) {
        const physad__v3 d = physad__v3_sub(with[i], without[i]);
        const bool differs = physad__maxf(fabsf(d.x), physad__maxf(fabsf(d.y), fabsf(d.z))) > 0.02f;
        assert_true(mask[i] == 0 || mask[i] == 255);
        marked += mask[i] != 0;
        differing += mask[i] != 0 && differs;
        if (mask[i] != 0 && hypot(i % size + 0.5 - cx, (double)(i / size) + 0.5 - cy) > ball)
            fail_msg("%s %s: pixel (%d, %d) is marked, far from the defect at (%g, %g)", name,
                     physad__defect_names[c->defect.type], i / size, i % size, cy, cx);
    }
    if (marked < size * size / 2500 || differing * 2 < marked)
        fail_msg("%s %s: %lld pixels are marked, %lld of them differ", name, physad__defect_names[c->defect.type],
                 (long long)marked, (long long)differing);
    if (!masked_near(mask, size, cx, cy, 3))
        fail_msg("%s %s: its centre (%g, %g) is not in the mask", name, physad__defect_names[c->defect.type], cy, cx);
}

static void test_masks(void **state)
{
    static const char *const names[] = { "can", "rubberduck", "box", "tennisball" };
    enum { SIZE = 160 };
    static physad__v3 with[SIZE * SIZE], without[SIZE * SIZE];
    static uint8_t mask[SIZE * SIZE];
    static physad__solid solid;
    physad_context *ctx = new_context(2);
    for (int64_t k = 0; k < PHYSAD__COUNT(names); k++) {
        for (int32_t type = 0; type < PHYSAD__DEFECTS; type++) {
            case_of c;
            set_up(&c, &solid, names[k], type, 3 + (uint64_t)k);
            assert_ok(physad__render(ctx, &c.scene, &c.camera, with, mask));
            c.scene.defect = NULL;
            assert_ok(physad__render(ctx, &c.scene, &c.camera, without, NULL));
            check_mask(&c, mask, with, without, names[k]);
            if (type != PHYSAD__SCRATCHED)
                continue;
            /* the path itself, projected, lies in the mask where it faces the camera */
            int32_t seen = 0, hit = 0;
            const physad__v3 eye = { (float)c.camera.pose[0][3], (float)c.camera.pose[1][3],
                                     (float)c.camera.pose[2][3] };
            for (int32_t i = 4; i < c.defect.points - 4; i++) {
                double x, y;
                if (!physad__scene_sees(&c.scene, eye, c.defect.path[i],
                                        physad__scene_normal(&c.scene, c.defect.path[i])))
                    continue;
                project(&c.camera, c.defect.path[i], &x, &y);
                seen++;
                hit += masked_near(mask, SIZE, x, y, 1);
            }
            if (seen < 4 || hit * 10 < seen * 8)
                fail_msg("%s: %d of %d points of the scratch are in the mask", names[k], hit, seen);
        }
    }
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_missing_is_hollow(void **state)
{
    static physad__solid solid;
    case_of c;
    set_up(&c, &solid, "tennisball", PHYSAD__MISSING, 1);
    const physad__v3 inside = physad__v3_along(c.defect.centre, c.defect.normal, -0.3f * c.defect.size[2]);
    assert_true(physad__scene_distance(&c.scene, inside) > 0);
    c.scene.defect = NULL;
    assert_true(physad__scene_distance(&c.scene, inside) < 0);
}

static void test_dent_moves_the_surface(void **state)
{
    static physad__solid solid;
    case_of c;
    set_up(&c, &solid, "tennisball", PHYSAD__SQUEEZED, 1);
    const physad__v3 pushed = physad__v3_along(c.defect.centre, c.defect.normal, -c.defect.size[2]);
    assert_near((double)physad__scene_distance(&c.scene, pushed), 0, 0.02);
    assert_near((double)physad__v3_length(physad__v3_sub(physad__defect_undo(&c.defect, pushed), c.defect.centre)), 0,
                0.02);
}

static void test_threads_draw_alike(void **state)
{
    enum { SIZE = 160 };
    static physad__v3 a[SIZE * SIZE], b[SIZE * SIZE];
    static uint8_t mask_a[SIZE * SIZE], mask_b[SIZE * SIZE];
    static physad__solid solid;
    case_of c;
    set_up(&c, &solid, "spraybottle", PHYSAD__SQUEEZED, 1);
    for (int32_t threads = 1; threads <= 3; threads++) {
        physad_context *ctx = new_context(threads);
        physad__call call;
        assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
        assert_ok(physad__render(ctx, &c.scene, &c.camera, threads == 1 ? a : b, threads == 1 ? mask_a : mask_b));
        physad__call_end(&call);
        physad_context_free(ctx);
        if (threads > 1) {
            assert_memory_equal(a, b, sizeof(a));
            assert_memory_equal(mask_a, mask_b, sizeof(mask_a));
        }
    }
}

/* --- the set ----------------------------------------------------------------------------------------- */

typedef struct place {
    char path[200], file[800];
} place;

static void new_place(place *p)
{
    const char *base = getenv("TMPDIR");
    snprintf(p->path, sizeof(p->path), "%s/physad-synth-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(p->path));
}

static const char *in_place(place *p, const char *name)
{
    snprintf(p->file, sizeof(p->file), "%s/%s", p->path, name);
    return p->file;
}

static void remove_place(physad_context *ctx, place *p)
{
    physad__synth_clear(ctx, p->path);
    assert_int_equal(rmdir(p->path), 0);
}

static physad_synth_rad_options small_set(void)
{
    physad_synth_rad_options o = PHYSAD_SYNTH_RAD_OPTIONS_INIT;
    o.categories = "can";
    o.train_views = 3;
    o.test_views = 2;
    o.instances = 1;
    o.instance_views = 2;
    o.width = 64;
    o.height = 48;
    return o;
}

static void check_poses(physad_context *ctx, place *p, const char *name, size_t frames)
{
    json_t *poses;
    assert_ok(physad__json_read(&poses, &ctx->mem, in_place(p, name), 1 << 20));
    const json_t *list = json_object_get(poses, "frames");
    assert_int_equal(json_array_size(list), frames);
    assert_int_equal(json_integer_value(json_object_get(poses, "w")), 64);
    assert_near(json_number_value(json_object_get(poses, "cy")), 24, 0);
    for (size_t i = 0; i < frames; i++) {
        const json_t *frame = json_array_get(list, i), *matrix = json_object_get(frame, "transform_matrix");
        double m[4][4];
        for (size_t k = 0; k < 16; k++)
            m[k / 4][k % 4] = json_number_value(json_array_get(json_array_get(matrix, k / 4), k % 4));
        check_pose(m);
        char file[128];
        snprintf(file, sizeof(file), "can/%s", json_string_value(json_object_get(frame, "file_path")));
        physad_image_info info;
        assert_ok(physad_image_probe(&info, ctx, in_place(p, file), NULL));
        assert_int_equal(info.width, 64);
        assert_int_equal(info.height, 48);
        assert_int_equal(info.channels, 3);
    }
    json_decref(poses);
}

static void test_set(void **state)
{
    physad_context *ctx = new_context(2);
    place p;
    new_place(&p);
    physad_synth_rad_options o = small_set();
    o.pose_noise = 1;
    assert_ok(physad_synth_rad(ctx, p.path, &o, NULL));
    check_poses(ctx, &p, "can/transforms.json", 3);
    check_poses(ctx, &p, "can/transforms_test.json", 2 + 4 * 2);
    for (int k = 0; k < PHYSAD__DEFECTS; k++) {
        char name[128];
        snprintf(name, sizeof(name), "can/ground_truth/%s", physad__defect_names[k]);
        physad__dir dir = { 0 };
        assert_ok(physad__dir_list(&dir, &ctx->mem, in_place(&p, name)));
        assert_int_equal(dir.count, 2);
        for (int64_t i = 0; i < dir.count; i++) {
            char mask[256];
            snprintf(mask, sizeof(mask), "%s/%s", name, dir.entries[i].name);
            physad_image *image;
            assert_ok(physad_image_read(&image, ctx, in_place(&p, mask), NULL));
            const physad_view v = physad_image_view(image);
            assert_int_equal(v.shape[2], 1);
            int64_t marked = 0;
            for (int64_t j = 0; j < v.shape[0] * v.shape[1]; j++)
                marked += ((const uint8_t *)v.data)[j] != 0;
            assert_true(marked * 2500 >= v.shape[0] * v.shape[1]);
            physad_image_free(image);
        }
        physad__dir_free(&dir);
    }

    /* a folder that is not empty is refused; a set is replaced; other files stay */
    assert_fails(PHYSAD_ERR_ARG, "not empty", physad_synth_rad(ctx, p.path, &o, NULL));
    FILE *alien = fopen(in_place(&p, "can/train/good/notes.txt"), "w");
    assert_non_null(alien);
    fclose(alien);
    o.flags = PHYSAD_SYNTH_REPLACE;
    o.train_views = 1;
    assert_ok(physad_synth_rad(ctx, p.path, &o, NULL));
    assert_true(physad__path_is_file(in_place(&p, "can/train/good/notes.txt")));
    assert_false(physad__path_exists(in_place(&p, "can/train/good/001.png")));
    assert_int_equal(unlink(in_place(&p, "can/train/good/notes.txt")), 0);
    remove_place(ctx, &p);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static int stop_at_four(const physad_progress *progress, void *user)
{
    (void)user;
    return progress->done >= 4;
}

static void test_cancel_leaves_nothing(void **state)
{
    physad_context *ctx = new_context(2);
    place p;
    new_place(&p);
    physad_synth_rad_options o = small_set();
    o.train_views = 400;
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.progress = stop_at_four;
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", physad_synth_rad(ctx, p.path, &o, &call));
    physad__dir dir = { 0 };
    assert_ok(physad__dir_list(&dir, &ctx->mem, p.path));
    assert_int_equal(dir.count, 0);
    physad__dir_free(&dir);
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "", physad_synth_rad(ctx, in_place(&p, "new"), &o, NULL));
    physad_context_resume(ctx);
    assert_false(physad__path_exists(in_place(&p, "new")));
    remove_place(ctx, &p);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_refusals(void **state)
{
    physad_context *ctx = new_context(1);
    place p;
    new_place(&p);
    physad_synth_rad_options o = small_set();
#define REFUSED(field, value, text)                                                             \
    do {                                                                                        \
        o = small_set();                                                                        \
        o.field = (value);                                                                      \
        assert_fails(PHYSAD_ERR_ARG, text, physad_synth_rad(ctx, in_place(&p, "x"), &o, NULL)); \
        assert_false(physad__path_exists(in_place(&p, "x")));                                   \
    } while (0)
    REFUSED(categories, "can,bowll", "did you mean \"bowl\"");
    REFUSED(defects, "bent", "no defect \"bent\"");
    REFUSED(train_views, -1, "train_views is -1");
    REFUSED(width, 8, "width is 8, want 32 to 4096");
    REFUSED(noise, 0.7, "noise is 0.7");
    REFUSED(defect_size, 9, "defect_size is 9");
    REFUSED(gloss, NAN, "gloss");
    REFUSED(background, 5, "background is 5");
    o = small_set();
    o.flags = 64;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "flags", physad_synth_rad(ctx, p.path, &o, NULL));
    o = small_set();
    o.struct_size = 4;
    assert_fails(PHYSAD_ERR_ARG, "physad_synth_rad_options", physad_synth_rad(ctx, p.path, &o, NULL));
    o = small_set();
    assert_fails(PHYSAD_ERR_ARG, "", physad_synth_rad(NULL, p.path, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "out_dir is NULL", physad_synth_rad(ctx, NULL, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "out_dir is empty", physad_synth_rad(ctx, "", &o, NULL));
    assert_fails(PHYSAD_ERR_IO, "", physad_synth_rad(ctx, "/dev/null/x", &o, NULL));
    remove_place(ctx, &p);
    physad_context_free(ctx);
}

static void test_no_memory(void **state)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    co.allocator = &failing_allocator;
    co.threads = 1;
    allocations_left = INT64_MAX;
    assert_ok(physad_context_new(&ctx, &co));
    place p;
    new_place(&p);
    physad_synth_rad_options o = small_set();
    o.train_views = o.test_views = o.instance_views = 1;
    o.width = o.height = 32;
    o.defects = "stained";
    int64_t n = 0, failures = 0;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (n = 0; status != PHYSAD_OK && n < 4000; n += 1 + n / 24) {
        allocations_left = n;
        status = physad_synth_rad(ctx, p.path, &o, NULL);
        allocations_left = INT64_MAX;
        if (status != PHYSAD_OK) {
            assert_int_equal(status, PHYSAD_ERR_NOMEM);
            failures++;
            physad__synth_clear(ctx, p.path); /* what could not be removed for want of memory */
        }
        assert_int_equal(physad_context_memory_used(ctx), 0);
    }
    assert_int_equal(status, PHYSAD_OK);
    assert_true(failures > 10);
    remove_place(ctx, &p);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_distance_is_safe),
        cmocka_unit_test(test_grid_is_exact),
        cmocka_unit_test(test_camera),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_missing_is_hollow),
        cmocka_unit_test(test_dent_moves_the_surface),
        cmocka_unit_test(test_threads_draw_alike),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_cancel_leaves_nothing),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
