/* SPDX-License-Identifier: Apache-2.0 */
/* Points where the poses bring none: of a wall that photos show. */
#include "failing.h"
#include "own_context.h"
#include "wall.h"

#include "scene/scene_depths.h"
#include "scene/scene_points.h"

enum { MOST = 3000 };

/* The views' points become those to begin with. */
static physad_status sweep_with(physad__scene_views *v, physad_context *ctx, const physad_call_options *options)
{
    physad__call call;
    physad__scene_views own;
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    o.random_points = o.swept_points = MOST;
    assert_ok(physad__call_begin(&call, ctx, options, "test"));
    const physad_status status = physad__scene_points_begin(&own, ctx, v, &o, &call);
    physad__call_end(&call);
    physad__free(v->points);
    physad__free(v->colours);
    *v = own;
    return status;
}

static physad_status sweep(physad__scene_views *v, physad_context *ctx)
{
    return sweep_with(v, ctx, NULL);
}

/* `n` points of the wall, as they come with poses. */
static void know(physad__scene_views *v, physad_context *ctx, int64_t n)
{
    v->n_points = n;
    v->points = physad__alloc_array(&ctx->mem, 3 * n, sizeof(float), "test");
    v->colours = physad__alloc_array(&ctx->mem, 3 * n, sizeof(float), "test");
    assert_non_null(v->points);
    assert_non_null(v->colours);
    for (int64_t i = 0; i < n; i++) {
        const double x = -1 + 2 * (double)i / (double)n;
        const float p[3] = { (float)x, (float)(0.3 * sin((double)i)), (float)wall(x) };
        for (int k = 0; k < 3; k++) {
            v->points[3 * i + k] = p[k];
            v->colours[3 * i + k] = 0.25f;
        }
    }
}

/* --- the tests --- */

static void test_places(void **state)
{
    physad_context *ctx = new_context(2);
    for (int size = 0; size < 3; size++) { /* whatever the world's unit is */
        const double unit = size == 0 ? 1 : size == 1 ? 0.05 : 1000;
        physad__scene_views v = make_views(ctx, N, unit, false);
        int64_t right = 0, near = 0, alike = 0;
        assert_ok(sweep(&v, ctx));
        for (int64_t i = 0; i < v.n_points; i++) {
            const double x = (double)v.points[3 * i] / unit, y = (double)v.points[3 * i + 1] / unit,
                         z = (double)v.points[3 * i + 2] / unit;
            right += fabs(z - wall(x)) < 0.05 * wall(x);
            near += z < 3.7;
            alike += fabs((double)v.colours[3 * i] - texture(x, y, 0)) < 0.2;
        }
        print_message("unit %g: %lld points, %lld on the wall, %lld on its nearer half\n", unit, (long long)v.n_points,
                      (long long)right, (long long)near);
        assert_in_range(v.n_points, MOST / 2, MOST);
        assert_true(right > 0.95 * (double)v.n_points);
        assert_true(near > 0.2 * (double)v.n_points && near < 0.8 * (double)v.n_points);
        assert_true(alike > 0.95 * (double)v.n_points);
        physad__scene_views_free(&v);
    }
    end_context(ctx);
}

/* Points that come with the poses stay, behind what photos agree on as far as those reach. */
static void test_beside_known(void **state)
{
    enum { KNOWN = 200 };
    physad_context *ctx = new_context(2);
    physad__scene_views v = make_views(ctx, N, 1, false);
    int64_t right = 0;
    know(&v, ctx, KNOWN);
    assert_ok(sweep(&v, ctx));
    assert_in_range(v.n_points, MOST / 2 + KNOWN, MOST + KNOWN);
    for (int64_t i = 0; i < v.n_points; i++) {
        const double z = wall((double)v.points[3 * i]);
        right += fabs((double)v.points[3 * i + 2] - z) < 0.05 * z;
        if (i >= v.n_points - KNOWN)
            assert_near((double)v.colours[3 * i], 0.25, 0);
    }
    assert_true(right > 0.95 * (double)v.n_points);
    physad__scene_views_free(&v);

    v = make_views(ctx, N, 1, true); /* no photo shows any texture: those that came alone */
    know(&v, ctx, KNOWN);
    assert_ok(sweep(&v, ctx));
    assert_int_equal(v.n_points, KNOWN);
    physad__scene_views_free(&v);
    end_context(ctx);
}

/* Above the horizon there is nothing: what is there begins far away, and nothing of it before the wall; where it is as
 * dark as what lies behind all Gaussians, it needs none. */
static void test_sky(void **state)
{
    static const struct {
        double unit;
        float sky[3];
    } cases[] = { { 1, { 0.55f, 0.65f, 0.8f } }, { 1000, { 0.55f, 0.65f, 0.8f } }, { 1, { 0, 0.02f, 0 } } };
    physad_context *ctx = new_context(2);
    for (int at = 0; at < PHYSAD__COUNT(cases); at++) {
        const double unit = cases[at].unit;
        const float *sky = cases[at].sky;
        physad__scene_views v = make_views(ctx, N, unit, false);
        int64_t far = 0, wrong = 0;
        for (int64_t k = 0; k < N; k++) /* a direction, as all look the same way */
            for (int i = 0; i < 3 * W * H; i++)
                if (i % (W * H) / W < H / 3)
                    v.views[k].pixels[i] = sky[i / (W * H)];
        assert_ok(sweep(&v, ctx));
        for (int64_t i = 0; i < v.n_points; i++) {
            const float *p = v.points + 3 * i;
            float apart = 0;
            for (int k = 0; k < 3; k++)
                apart += fabsf(v.colours[3 * i + k] - sky[k]);
            wrong += (double)p[2] < 3.2 * unit;
            far += (double)p[2] > 30 * unit && p[1] < -0.1f * p[2] && apart < 1e-6f; /* y goes down */
        }
        print_message("unit %g: %lld points, %lld far up there, %lld before the wall\n", unit, (long long)v.n_points,
                      (long long)far, (long long)wrong);
        assert_in_range(far, at < 2 ? MOST / 20 : 0, at < 2 ? MOST / 5 : MOST / 50); /* the horizon is far anyhow */
        assert_true(wrong < v.n_points / 100);
        assert_in_range(v.n_points, MOST / 4, MOST);
        physad__scene_views_free(&v);
    }
    end_context(ctx);
}

/* One answer whatever the threads; a photo that is held out is not looked at. */
static void test_same(void **state)
{
    physad_context *ctx = new_context(1), *two = new_context(2);
    physad__scene_views a = make_views(ctx, N, 1, false), b = make_views(two, N, 1, false);
    a.views[2].held_out = b.views[2].held_out = true;
    for (int i = 0; i < 3 * W * H; i++)
        b.views[2].pixels[i] = 0.3f;
    assert_ok(sweep(&a, ctx));
    assert_ok(sweep(&b, two));
    assert_int_equal(a.n_points, b.n_points);
    assert_memory_equal(a.points, b.points, (size_t)(3 * a.n_points) * sizeof(float));
    assert_memory_equal(a.colours, b.colours, (size_t)(3 * a.n_points) * sizeof(float));
    physad__scene_views_free(&a);
    physad__scene_views_free(&b);
    end_context(ctx);
    end_context(two);
}

/* Without texture: drawn where cameras look, in the colours they see. */
static void test_drawn(void **state)
{
    physad_context *ctx = new_context(2);
    physad__scene_views v = make_views(ctx, 2, 1, true);
    assert_ok(sweep(&v, ctx));
    assert_int_equal(v.n_points, MOST);
    for (int64_t i = 0; i < v.n_points; i++) {
        assert_true(v.points[3 * i + 2] > 0.2f); /* before both */
        assert_near((double)v.colours[3 * i + 1], 0.5, 1e-5);
    }
    physad__scene_views_free(&v);
    end_context(ctx);
}

static int cancel_behind_depths(const physad_progress *progress, void *user)
{
    if (strcmp(progress->stage, "depths") == 0 && progress->done == progress->total)
        physad_context_cancel(user);
    return 0;
}

/* Drawing, too, ends when the caller wants it to. */
static void test_cancelled(void **state)
{
    physad_context *ctx = new_context(1);
    physad_call_options o = PHYSAD_CALL_OPTIONS_INIT;
    physad__scene_views v = make_views(ctx, 2, 1, true);
    o.progress = cancel_behind_depths;
    o.progress_user = ctx;
    assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", sweep_with(&v, ctx, &o));
    assert_int_equal(v.n_points, 0);
    physad__scene_views_free(&v);
    end_context(ctx);
}

static void test_refused(void **state)
{
    physad_context *ctx = new_context(2);
    physad__scene_views v = make_views(ctx, N, 1, false);
    physad_camera *c = &v.views[4].camera; /* looks the other way */
    c->rotation[0] = c->rotation[8] = -1;
    c->translation[0] *= -1;
    assert_fails(PHYSAD_ERR_NUMERIC, "4.png overlaps with no other photo (1 of 7 do not)", sweep(&v, ctx));
    physad__scene_views_free(&v);

    v = make_views(ctx, 2, 1, true);
    c = &v.views[1].camera;
    c->rotation[0] = c->rotation[8] = -1;
    assert_fails(PHYSAD_ERR_NUMERIC, "no place in common", sweep(&v, ctx));
    physad__scene_views_free(&v);
    end_context(ctx);
}

static void run_out(bool known)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_status status = PHYSAD_ERR_NOMEM;
    co.allocator = &failing_allocator;
    co.threads = 1;
    for (int64_t n = 0; status != PHYSAD_OK; n++) {
        physad_context *ctx = NULL;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &co));
        physad__scene_views v = make_views(ctx, 3, 1, false);
        if (known)
            know(&v, ctx, 60);
        allocations_left = n;
        status = sweep(&v, ctx);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("%lld allocations: %s", (long long)n, physad_last_error());
        physad__scene_views_free(&v);
        end_context(ctx);
    }
}

static void test_memory(void **state)
{
    run_out(false);
    run_out(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_places),    cmocka_unit_test(test_beside_known),
                                        cmocka_unit_test(test_sky),       cmocka_unit_test(test_same),
                                        cmocka_unit_test(test_drawn),
                                        cmocka_unit_test(test_cancelled), cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
