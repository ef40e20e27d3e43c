/* SPDX-License-Identifier: Apache-2.0 */
/* Photos whose poses contradict what those beside them show: of a wall, with poses mixed up. */
#include "failing.h"
#include "own_context.h"
#include "wall.h"

#include "scene/scene_photos.h"

enum { MANY = 12 };

static char said[4096]; /* warnings */

static void listen(int32_t level, const char *text, void *user)
{
    const size_t n = strlen(said);
    if (level <= PHYSAD_LOG_WARNING)
        snprintf(said + n, sizeof(said) - n, "%s\n", text);
}

static physad_context *listening(int32_t threads, const physad_allocator *allocator)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = threads;
    o.log = listen;
    o.allocator = allocator;
    assert_ok(physad_context_new(&ctx, &o));
    said[0] = '\0';
    return ctx;
}

static physad_status judge(physad__scene_views *v, physad_context *ctx)
{
    physad__call call;
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    const physad_status status = physad__scene_contradictions(v, ctx, "the set", &call);
    physad__call_end(&call);
    return status;
}

/* Each gets the pose of the next, the last that of the first. */
static void swap(physad__scene_views *v, const int *which, int n)
{
    const physad_camera first = v->views[which[0]].camera;
    for (int i = 0; i < n; i++)
        v->views[which[i]].camera = i + 1 < n ? v->views[which[i + 1]].camera : first;
}

/* Upside down, from where it stands. */
static void turn(physad_camera *c)
{
    c->rotation[0] = c->rotation[4] = -1;
    c->translation[0] *= -1;
    c->translation[1] *= -1;
}

static bool has(const physad__scene_views *v, const char *name)
{
    for (int64_t i = 0; i < v->count; i++)
        if (strcmp(v->views[i].name, name) == 0)
            return true;
    return false;
}

/* --- the tests --- */

/* Right poses, also where photos show nothing, and one that shows what no other does. */
static void test_right(void **state)
{
    physad_context *ctx = listening(2, NULL);
    for (int kind = 0; kind < 4; kind++) {
        physad__scene_views v = make_views(ctx, MANY, kind == 1 ? 1000 : 1, kind == 2);
        if (kind == 3) /* far along the wall */
            v.views[MANY - 1].camera.translation[0] -= 40;
        assert_ok(judge(&v, ctx));
        assert_int_equal(v.count, MANY);
        assert_string_equal(said, "");
        physad__scene_views_free(&v);
    }
    end_context(ctx);
}

/* Wrong ones are left out, by name; what stays does not depend on threads. */
static void test_some(void **state)
{
    static const int swapped[] = { 1, 9, 5 };
    for (int32_t threads = 1; threads <= 2; threads++) {
        physad_context *ctx = listening(threads, NULL);
        physad__scene_views v = make_views(ctx, MANY, 1, false);
        swap(&v, swapped, 3);
        assert_ok(judge(&v, ctx));
        assert_int_equal(v.count, MANY - 3);
        for (int i = 0; i < 3; i++) {
            char name[64];
            snprintf(name, sizeof(name), "%d.png", swapped[i]);
            assert_false(has(&v, name));
            snprintf(name, sizeof(name), "the pose of %d.png contradicts", swapped[i]);
            assert_non_null(strstr(said, name));
        }
        physad__scene_views_free(&v);
        end_context(ctx);
    }
}

/* Held upside down: what all others see stands on its head. */
static void test_turned(void **state)
{
    physad_context *ctx = listening(2, NULL);
    physad__scene_views v = make_views(ctx, MANY, 1, false);
    turn(&v.views[6].camera);
    assert_ok(judge(&v, ctx));
    assert_int_equal(v.count, MANY - 1);
    assert_false(has(&v, "6.png"));
    physad__scene_views_free(&v);
    end_context(ctx);
}

/* No photo has its own pose. */
static void test_all(void **state)
{
    static const int order[] = { 0, 7, 3, 10, 5, 1, 8, 11, 4, 9, 2, 6 };
    physad_context *ctx = listening(2, NULL);
    physad__scene_views v = make_views(ctx, MANY, 1, false);
    swap(&v, order, MANY);
    assert_fails(PHYSAD_ERR_NUMERIC, "the set: the poses contradict what the photos show", judge(&v, ctx));
    assert_int_equal(v.count, MANY);
    physad__scene_views_free(&v);
    end_context(ctx);
}

/* Of a few, nobody can tell which is wrong. */
static void test_few(void **state)
{
    static const int swapped[] = { 0, 2 };
    physad_context *ctx = listening(1, NULL);
    physad__scene_views v = make_views(ctx, 4, 1, false);
    swap(&v, swapped, 2);
    assert_ok(judge(&v, ctx));
    assert_int_equal(v.count, 4);
    physad__scene_views_free(&v);
    end_context(ctx);
}

static void test_memory(void **state)
{
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int64_t n = 0; status != PHYSAD_OK; n += 1 + n / 8) {
        allocations_left = INT64_MAX;
        physad_context *ctx = listening(1, &failing_allocator);
        physad__scene_views v = make_views(ctx, 5, 1, false);
        turn(&v.views[2].camera);
        allocations_left = n;
        status = judge(&v, ctx);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("%lld allocations: %s", (long long)n, physad_last_error());
        assert_int_equal(v.count, status == PHYSAD_OK ? 4 : 5);
        physad__scene_views_free(&v);
        end_context(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_right),  cmocka_unit_test(test_some),
                                        cmocka_unit_test(test_turned), cmocka_unit_test(test_all),
                                        cmocka_unit_test(test_few),    cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests_name("contradict", tests, NULL, NULL);
}
