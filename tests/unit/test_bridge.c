/* SPDX-License-Identifier: Apache-2.0 */
/* Photos with two sets of cameras: transforms.json tells where they stood, the COLMAP model of another world brings
 * points. */
#include "failing.h"
#include "scene_help.h"

#include <locale.h>

enum { POINTS = 60, LOST = 7 };

/* The world of the COLMAP model: x of transforms.json is scale * turn * x + shift there. */
typedef struct world {
    double scale, angle, shift[3];
    double middle;    /* of its lens, pixels beside the true one: its cameras are turned the other way */
    int cameras;      /* how many it knows */
    int wrong;        /* cameras put elsewhere */
    double line;      /* 1: all in one line */
    bool no_points_in_photos;
} world;

static const world usual = { .scale = 2.5, .angle = 0.7, .shift = { 3, -1, 8 }, .middle = 0.6, .cameras = VIEWS };

static void go_over(const world *w, const double in[3], double out[3])
{
    const double c = cos(w->angle), s = sin(w->angle);
    out[0] = w->scale * (c * in[0] - s * in[1]) + w->shift[0];
    out[1] = w->scale * (s * in[0] + c * in[1]) + w->shift[1];
    out[2] = w->scale * in[2] + w->shift[2];
}

static void known_point(int i, double p[3])
{
    physad__rng rng;
    physad__rng_seed(&rng, 3, (uint64_t)i);
    for (int k = 0; k < 3; k++)
        p[k] = 0.35 * physad__rng_normal(&rng);
}

static bool shows(const physad_camera *c, const double p[3], double uv[2])
{
    double q[3];
    for (int k = 0; k < 3; k++)
        q[k] = c->rotation[3 * k] * p[0] + c->rotation[3 * k + 1] * p[1] + c->rotation[3 * k + 2] * p[2] +
               c->translation[k];
    uv[0] = c->fx * q[0] / q[2] + c->cx;
    uv[1] = c->fy * q[1] / q[2] + c->cy;
    return uv[0] > 0 && uv[1] > 0 && uv[0] < WIDTH && uv[1] < HEIGHT;
}

static void put_quaternion(FILE *f, const double r[9])
{
    const double w = sqrt(fmax(0, 1 + r[0] + r[4] + r[8])) / 2, x = sqrt(fmax(0, 1 + r[0] - r[4] - r[8])) / 2;
    const double y = sqrt(fmax(0, 1 - r[0] + r[4] - r[8])) / 2, z = sqrt(fmax(0, 1 - r[0] - r[4] + r[8])) / 2;
    fprintf(f, "%.17g %.17g %.17g %.17g", w, copysign(x, r[7] - r[5]), copysign(y, r[2] - r[6]),
            copysign(z, r[3] - r[1]));
}

static void put_camera(FILE *f, const world *w, int i)
{
    const physad_camera c = camera_at(i);
    const double turn = -atan(w->middle / c.fx), e[9] = { cos(turn), 0, sin(turn), 0, 1, 0, -sin(turn), 0, cos(turn) };
    const double back[9] = { cos(w->angle), sin(w->angle), 0, -sin(w->angle), cos(w->angle), 0, 0, 0, 1 };
    double centre[3], there[3], r[9], all[9];
    for (int k = 0; k < 3; k++)
        centre[k] = -(c.rotation[k] * c.translation[0] + c.rotation[3 + k] * c.translation[1] +
                      c.rotation[6 + k] * c.translation[2]);
    if (i < w->wrong)
        centre[i % 3] += 2 + i;
    for (int k = 0; k < 3 && w->line > 0; k++)
        centre[k] = k == 0 ? i : 0;
    go_over(w, centre, there);
    for (int k = 0; k < 9; k++)
        r[k] = e[k / 3 * 3] * c.rotation[k % 3] + e[k / 3 * 3 + 1] * c.rotation[3 + k % 3] +
               e[k / 3 * 3 + 2] * c.rotation[6 + k % 3];
    for (int k = 0; k < 9; k++)
        all[k] = r[k / 3 * 3] * back[k % 3] + r[k / 3 * 3 + 1] * back[3 + k % 3] + r[k / 3 * 3 + 2] * back[6 + k % 3];
    fprintf(f, "%d ", i + 1);
    put_quaternion(f, all);
    for (int k = 0; k < 3; k++)
        fprintf(f, " %.17g", -(all[3 * k] * there[0] + all[3 * k + 1] * there[1] + all[3 * k + 2] * there[2]));
    fprintf(f, " 1 %d.png\n", i);
}

/* Where photos show points is told to the last digit; where points lie is a little wrong, as it is where a lens was.
 * Point LOST is shown elsewhere by every photo. */
static void write_model(const char *folder, const world *w, physad_context *ctx)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/sparse", folder);
    assert_ok(physad__dir_make(&ctx->mem, path));
    snprintf(path, sizeof(path), "%s/sparse/0", folder);
    assert_ok(physad__dir_make(&ctx->mem, path));
    snprintf(path, sizeof(path), "%s/sparse/0/cameras.txt", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "1 PINHOLE %d %d 50 50 %.17g %d\n", WIDTH, HEIGHT, WIDTH / 2.0 + w->middle, HEIGHT / 2);
    fclose(f);
    snprintf(path, sizeof(path), "%s/sparse/0/images.txt", folder);
    assert_non_null(f = fopen(path, "w"));
    for (int i = 0; i < w->cameras; i++) {
        const physad_camera c = camera_at(i);
        put_camera(f, w, i);
        for (int k = 0; k < POINTS && !w->no_points_in_photos; k++) {
            double p[3], uv[2];
            known_point(k, p);
            if (shows(&c, p, uv))
                fprintf(f, "%.17g %.17g %d ", k == LOST ? WIDTH * (i % 2) : uv[0], uv[1], 100 + k);
        }
        fprintf(f, "3 4 -1\n");
    }
    fclose(f);
    snprintf(path, sizeof(path), "%s/sparse/0/points3D.txt", folder);
    assert_non_null(f = fopen(path, "w"));
    for (int k = 0; k < POINTS; k++) {
        double p[3], there[3];
        known_point(k, p);
        for (int j = 0; j < 3; j++)
            p[j] += 0.01 * sin(k + j);
        go_over(w, p, there);
        fprintf(f, "%d %.17g %.17g %.17g %d 0 0 1\n", 100 + k, there[0], there[1], there[2], k);
    }
    fclose(f);
}

static char said[1024];
static int32_t said_level;

static void listen(int32_t level, const char *text, void *user)
{
    said_level = level;
    snprintf(said, sizeof(said), "%s", text);
}

static physad_context *listening_context(void)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.threads = 1;
    o.log = listen;
    o.log_level = PHYSAD_LOG_INFO;
    said[0] = '\0';
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static void assert_cameras(const physad__scene_views *v, int n)
{
    assert_int_equal(v->count, n);
    for (int i = 0; i < n; i++) {
        const physad_camera c = camera_at(i);
        assert_near(v->views[i].camera.cx, WIDTH / 2.0, 1e-12);
        for (int k = 0; k < 9; k++)
            assert_near(v->views[i].camera.rotation[k], c.rotation[k], 1e-12);
        for (int k = 0; k < 3; k++)
            assert_near(v->views[i].camera.translation[k], c.translation[k], 1e-12);
    }
}

/* Of the colour k: points keep theirs. */
static double farthest(const physad__scene_views *v)
{
    double most = 0;
    for (int64_t i = 0; i < v->n_points; i++) {
        double p[3];
        known_point((int)(v->colours[3 * i] * 255 + 0.5f), p);
        for (int k = 0; k < 3; k++)
            most = fmax(most, fabs((double)v->points[3 * i + k] - p[k]));
    }
    return most;
}

static void test_both(void **state)
{
    char folder[256], path[512];
    physad_context *ctx = listening_context();
    physad__scene_views v;
    world w = usual;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    write_model(folder, &w, ctx);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_cameras(&v, VIEWS);
    assert_int_equal(v.n_points, POINTS - 1); /* without the one on which photos do not agree */
    assert_true(farthest(&v) < 1e-6);         /* to single precision */
    print_message("%s\n", said);
    assert_non_null(strstr(said, "scaled by 0.4 "));
    assert_non_null(strstr(said, "1 left out"));
    physad__scene_views_free(&v);

    /* two cameras elsewhere pull at nothing */
    w.wrong = 2;
    write_model(folder, &w, ctx);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.n_points, POINTS - 1);
    assert_true(farthest(&v) < 1e-6);
    physad__scene_views_free(&v);

    /* points that no photo shows are moved alone */
    w = usual;
    w.no_points_in_photos = true;
    write_model(folder, &w, ctx);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.n_points, POINTS);
    assert_in_range(1e6 * farthest(&v), 9000, 11000);
    physad__scene_views_free(&v);

    /* the model alone */
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    remove(path);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_near(v.views[0].camera.cx, WIDTH / 2.0 + usual.middle, 1e-12);
    assert_int_equal(v.n_points, POINTS);
    physad__scene_views_free(&v);
    scratch_remove(folder);
    end_context(ctx);
}

static void assert_without_points(physad_context *ctx, const char *folder, const world *w, const char *text)
{
    physad__scene_views v;
    write_model(folder, w, ctx);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_cameras(&v, VIEWS);
    assert_int_equal(v.n_points, 0);
    assert_int_equal(said_level, PHYSAD_LOG_WARNING);
    if (strstr(said, text) == NULL)
        fail_msg("%s", said);
    physad__scene_views_free(&v);
}

static void test_contradictions(void **state)
{
    char folder[256];
    physad_context *ctx = listening_context();
    world w = usual;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    w.wrong = VIEWS - 1;
    assert_without_points(ctx, folder, &w, "contradict each other: 12 cameras");
    w = usual;
    w.cameras = 2;
    assert_without_points(ctx, folder, &w, "share 2 cameras, too few");
    w = usual;
    w.line = 1;
    assert_without_points(ctx, folder, &w, "on one line");
    scratch_remove(folder);
    end_context(ctx);
}

/* Takes frames out of transforms.json, or makes them those of photos that are not there. */
static void change_frames(physad_context *ctx, const char *folder, int keep, bool rename)
{
    char path[512];
    json_t *root = NULL;
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    assert_ok(physad__json_read(&root, &ctx->mem, path, 0));
    json_t *frames = json_object_get(root, "frames");
    while (json_array_size(frames) > (size_t)keep)
        assert_int_equal(json_array_remove(frames, json_array_size(frames) - 1), 0);
    for (size_t i = 0; rename && i < json_array_size(frames); i++)
        json_object_set_new(json_array_get(frames, i), "file_path", json_sprintf("elsewhere_%d", (int)i));
    assert_ok(physad__json_write(&ctx->mem, path, root));
    json_decref(root);
}

/* Photos that the model alone knows join with its lens, and show the same. */
static void test_others(void **state)
{
    char folder[256];
    physad_context *ctx = listening_context();
    physad__scene_views v;
    world w = usual;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    write_model(folder, &w, ctx);
    change_frames(ctx, folder, 9, false);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.count, VIEWS);
    assert_true(farthest(&v) < 1e-6);
    for (int i = 9; i < VIEWS; i++) {
        const physad_camera should = camera_at(i);
        double p[3] = { 0.1, -0.2, 0.3 }, is[2], was[2];
        assert_true(shows(&v.views[i].camera, p, is) && shows(&should, p, was));
        assert_near(v.views[i].camera.cx, WIDTH / 2.0 + usual.middle, 1e-12);
        assert_near(is[0], was[0], 0.05); /* a turn is no shift, but nearly */
        assert_near(is[1], was[1], 0.05);
    }
    physad__scene_views_free(&v);

    /* poses of other photos alone: the model is all there is */
    change_frames(ctx, folder, 9, true);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.count, VIEWS);
    assert_int_equal(v.n_points, POINTS);
    assert_near(v.views[0].camera.cx, WIDTH / 2.0 + usual.middle, 1e-12);
    physad__scene_views_free(&v);
    scratch_remove(folder);
    end_context(ctx);
}

/* What the model says of photos that are not training photos changes no bit. */
static void test_chosen(void **state)
{
    char folder[256], names[VIEWS][512];
    const char *paths[VIEWS];
    physad_context *ctx = listening_context();
    physad__scene_views a, b;
    world w = usual;
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    for (int i = 0; i < VIEWS; i++) {
        snprintf(names[i], sizeof(names[i]), "%s/%d.png", folder, i);
        paths[i] = names[i];
    }
    const physad__scene_choice chosen = { .paths = paths, .count = 8 };
    write_model(folder, &w, ctx);
    assert_ok(open_views(&a, ctx, folder, 0, &chosen));
    w.cameras = 8;
    write_model(folder, &w, ctx);
    change_frames(ctx, folder, 8, false);
    assert_ok(open_views(&b, ctx, folder, 0, &chosen));
    assert_cameras(&a, 8);
    assert_cameras(&b, 8);
    assert_int_equal(a.n_points, b.n_points);
    assert_memory_equal(a.points, b.points, (size_t)(3 * a.n_points) * sizeof(float));
    physad__scene_views_free(&a);
    physad__scene_views_free(&b);
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
    write_model(folder, &usual, ctx);
    change_frames(ctx, folder, 9, false);
    end_context(ctx);
    co.allocator = &failing_allocator;
    co.threads = 1;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int64_t n = 0; status != PHYSAD_OK; n += 1 + n / 32) {
        physad__scene_views v;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &co));
        allocations_left = n;
        status = open_views(&v, ctx, folder, 0, NULL);
        allocations_left = INT64_MAX;
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("%lld allocations: %s", (long long)n, physad_last_error());
        physad__scene_views_free(&v);
        end_context(ctx);
    }
    scratch_remove(folder);
}

/* Real cameras: points show where the photos' own observations say, and the turn between the two sets of cameras is
 * gone. */
static void test_fox(void **state)
{
    char folder[4096];
    physad_context *ctx = listening_context();
    physad__scene_views v;
    double scale, off, before;
    test_data(folder, "fox");
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.count, 33);
    assert_near(v.views[0].lens.cx, 277.279, 1e-9);
    assert_in_range(v.n_points, 10500, 10755);
    print_message("%s\n", said);
    assert_int_equal(sscanf(strstr(said, "scaled by"), "scaled by %lf", &scale), 1);
    assert_int_equal(sscanf(strstr(said, "are ") + 4, "%lf pixels off in their photos (%lf", &off, &before), 2);
    assert_near(scale, 0.8722, 1e-3);
    assert_true(off < 0.6 && off < before);
    physad__scene_views_free(&v);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_both),   cmocka_unit_test(test_contradictions),
                                        cmocka_unit_test(test_others), cmocka_unit_test(test_chosen),
                                        cmocka_unit_test(test_memory), cmocka_unit_test(test_fox) };
    setlocale(LC_ALL, "C");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
