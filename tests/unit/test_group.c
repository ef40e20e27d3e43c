/* SPDX-License-Identifier: Apache-2.0 */
/* Photos of one thing: what two of them find odd at one place, what one alone finds odd, and the places in space. The
 * photos are of a wall at z = 10, seen by cameras side by side. */
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "detect/detect_sight.h"

#include <physad/group.h>

enum { CELLS = 30, SIDE = CELLS * PHYSAD__SIGHT_CELL };

static physad_context *fresh_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

/* A camera at (x, 0, 0) that looks along z; the map is nowhere odd. */
static physad_result *see_wall(physad__origin *origin, double x, double score)
{
    physad__mem *mem = &origin->ctx->mem;
    physad_result *r = physad__alloc_zero(mem, sizeof(*r), "test");
    physad__sight *s = physad__alloc_zero(mem, sizeof(*s), "test");
    assert_true(r != NULL && s != NULL);
    *s = (physad__sight){ .height = CELLS, .width = CELLS, .surprises = true };
    s->camera =
        (physad_camera){ .fx = 100, .fy = 100, .cx = SIDE / 2.0, .cy = SIDE / 2.0, .width = SIDE, .height = SIDE };
    for (int k = 0; k < 3; k++)
        s->camera.rotation[4 * k] = 1;
    s->camera.translation[0] = -x;
    s->lens = (physad__lens){ .fx = 200, .fy = 200, .cx = SIDE, .cy = SIDE, .width = 2 * SIDE, .height = 2 * SIDE };
    s->rise = physad__alloc_array(mem, CELLS * CELLS, sizeof(float), "test");
    s->depth = physad__alloc_array(mem, CELLS * CELLS, sizeof(float), "test");
    assert_true(s->rise != NULL && s->depth != NULL);
    for (int i = 0; i < CELLS * CELLS; i++) {
        s->rise[i] = -1;
        s->depth[i] = 10;
    }
    r->origin = physad__origin_retain(origin);
    r->score = score;
    r->threshold = 2;
    r->sight = s;
    return r;
}

/* Odd where the wall's point (x, y) is: 3 x 3 cells, the middle one a little more. */
static void mark(physad_result *r, double x, double y, float rise)
{
    const physad__sight *s = r->sight;
    const int cx = (int)((100 * (x + s->camera.translation[0]) / 10 + SIDE / 2.0) / PHYSAD__SIGHT_CELL);
    const int cy = (int)((100 * y / 10 + SIDE / 2.0) / PHYSAD__SIGHT_CELL);
    for (int k = 0; k < 9; k++)
        s->rise[(cy + k / 3 - 1) * CELLS + cx + k % 3 - 1] = k == 4 ? rise + 0.01f : rise;
}

static physad_group *group_of(const physad_result *a, const physad_result *b, const physad_result *c)
{
    const physad_result *all[3] = { a, b, c };
    physad_group *g = NULL;
    assert_ok(physad_group_new(&g, all, 1 + (b != NULL) + (c != NULL)));
    return g;
}

static physad_place place_of(const physad_group *g, int64_t index)
{
    physad_place p = PHYSAD_PLACE_INIT;
    assert_ok(physad_group_place(g, index, &p));
    return p;
}

/* Without its maps a result is to a group what it was. */
static void test_strip(void **state)
{
    physad_context *ctx = fresh_context();
    physad__origin *origin = NULL;
    physad_result *slim = NULL, *other = NULL;
    assert_ok(physad__origin_make(&origin, ctx, 0));
    physad_result *a = see_wall(origin, 0, 1.8), *b = see_wall(origin, 1, 1.6);
    mark(a, 0.5, 0.6, 1.8f);
    mark(b, 0.5, 0.6, 1.6f);
    a->map = physad__alloc_array(&ctx->mem, 1 << 20, sizeof(float), "test");
    a->map_height = a->map_width = 1 << 10;
    a->photo_height = 7;
    a->verdict = physad__strdup(&ctx->mem, "odd");
    physad_group *g = group_of(a, b, NULL);
    const double score = physad_group_score(g), x = place_of(g, 0).position[0];
    physad_group_free(g);
    assert_ok(physad_result_strip(&slim, a));
    assert_non_null(a->map);
    physad_result_free(a);
    assert_ok(physad_result_strip(&other, slim)); /* what is stripped may be stripped */
    physad_result_free(slim);
    assert_true(physad_context_memory_used(ctx) < 1 << 20);
    g = group_of(other, b, NULL);
    assert_near(physad_group_score(g), score, 0);
    assert_near(place_of(g, 0).position[0], x, 0);
    physad_group_free(g);
    assert_near(physad_result_score(other), 1.8, 0);
    assert_string_equal(physad_result_verdict(other), "odd");
    int64_t height, width;
    assert_ok(physad_result_input_map_shape(other, &height, &width));
    assert_int_equal(height + width, 0);
    float number;
    const physad_view view = physad_view_array(&number, PHYSAD_F32, 2, (const int64_t[2]){ 1, 1 });
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "map", physad_result_map(other, &view));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_result_strip(NULL, other));
    assert_fails(PHYSAD_ERR_ARG, "result is NULL", physad_result_strip(&slim, NULL));
    physad_result_free(other);
    physad_result_free(b);
    physad__origin_release(origin);
    end_context(ctx);
}

static void test_agreement(void **state)
{
    physad_context *ctx = fresh_context();
    physad__origin *origin = NULL;
    assert_ok(physad__origin_make(&origin, ctx, 0));
    physad_result *a = see_wall(origin, 0, 1.8), *b = see_wall(origin, 1, 1.6), *c = see_wall(origin, -1, 1.0),
                  *calm = see_wall(origin, 0.5, 0.4);
    mark(a, 0.5, 0.6, 1.8f);
    mark(b, 0.5, 0.6, 1.6f);
    mark(c, -1.5, -1, 1.0f);

    /* alone: the photo's own score, and its place */
    physad_group *g = group_of(a, NULL, NULL);
    assert_near(physad_group_score(g), 1.8, 0);
    assert_int_equal(physad_group_is_anomalous(g), 0);
    assert_int_equal(physad_group_place_count(g), 1);
    physad_place p = place_of(g, 0);
    assert_near(p.position[0], 0.5, 0.25); /* half a cell is 0.2 */
    assert_near(p.position[1], 0.6, 0.25);
    assert_near(p.position[2], 10, 1e-6);
    assert_near(p.radius, sqrt(9 / M_PI) * PHYSAD__SIGHT_CELL * 10 / 100, 1e-6); /* nine cells */
    assert_near(p.x, 200 * p.position[0] / 10 + SIDE, 1e-4); /* in the photo as it was taken, twice as large */
    assert_near(p.y, 200 * p.position[1] / 10 + SIDE, 1e-4);
    assert_int_equal(p.agreeing, 1);
    assert_int_equal(p.seen_by, 1);
    physad_group_free(g);

    /* what both see at one place is rarer than either says */
    g = group_of(a, b, NULL);
    p = place_of(g, 0);
    assert_near(physad_group_score(g), 1.8 + 1.6 - 0.2, 0.01);
    assert_near(p.score, physad_group_score(g), 0);
    assert_int_equal(physad_group_is_anomalous(g), 1);
    assert_int_equal(p.photo, 0);
    assert_int_equal(p.agreeing, 2);
    assert_int_equal(p.seen_by, 2);
    assert_int_equal(physad_group_place_count(g), 1); /* one place, though both have a spot there */
    physad_group_free(g);

    /* what others that see the place do not find odd is less */
    g = group_of(a, calm, c);
    assert_near(physad_group_score(g), 1.8 - 0.2 - 0.2, 1e-6);
    assert_int_equal(place_of(g, 0).agreeing, 1);
    assert_int_equal(place_of(g, 0).seen_by, 3);
    assert_int_equal(physad_group_place_count(g), 2);
    assert_int_equal(place_of(g, 1).photo, 2);
    physad_group_free(g);

    /* the order of photos changes their numbers alone */
    physad_group *h = group_of(b, c, a);
    g = group_of(a, b, c);
    assert_true(physad_group_score(g) == physad_group_score(h));
    assert_int_equal(physad_group_place_count(g), physad_group_place_count(h));
    for (int64_t i = 0; i < physad_group_place_count(g); i++) {
        const physad_place x = place_of(g, i), y = place_of(h, i);
        assert_memory_equal(x.position, y.position, sizeof(x.position));
        assert_true(x.score == y.score && x.radius == y.radius && x.agreeing == y.agreeing && x.seen_by == y.seen_by);
        assert_int_equal(y.photo, (x.photo + 2) % 3);
    }
    physad_group_free(h);
    physad_group_free(g);

    physad_result_free(a);
    physad_result_free(b);
    physad_result_free(c);
    physad_result_free(calm);
    physad__origin_release(origin);
    end_context(ctx);
}

/* Behind another surface, beside the photo, behind the camera: a photo that does not see a place says nothing of it. */
static void test_unseen(void **state)
{
    physad_context *ctx = fresh_context();
    physad__origin *origin = NULL;
    assert_ok(physad__origin_make(&origin, ctx, 0));
    physad_result *a = see_wall(origin, 0, 1.8), *hidden = see_wall(origin, 1, 0.3),
                  *beside = see_wall(origin, 40, 0.3), *behind = see_wall(origin, 0, 0.3);
    mark(a, 0.5, 0.6, 1.8f);
    for (int i = 0; i < CELLS * CELLS; i++)
        hidden->sight->depth[i] = 6;
    behind->sight->camera.translation[2] = -20;
    physad_result *others[] = { hidden, beside, behind };
    for (int i = 0; i < 3; i++) {
        physad_group *g = group_of(a, others[i], NULL);
        assert_near(physad_group_score(g), 1.8, 1e-6);
        assert_int_equal(place_of(g, 0).seen_by, 1);
        physad_group_free(g);
        physad_result_free(others[i]);
    }

    /* nothing counts in one, nothing is known of where it was taken in the other: their scores do */
    physad_result *blind = see_wall(origin, 0, 0.9), *lost = see_wall(origin, 0, 3.5);
    for (int i = 0; i < CELLS * CELLS; i++) {
        blind->sight->rise[i] = NAN;
        blind->sight->depth[i] = 0;
    }
    physad__sight_free(lost->sight);
    lost->sight = NULL;
    physad_group *g = group_of(blind, NULL, NULL);
    assert_near(physad_group_score(g), 0.9, 0);
    assert_int_equal(physad_group_place_count(g), 0);
    physad_group_free(g);
    g = group_of(a, lost, blind);
    assert_near(physad_group_score(g), 3.5, 0);
    physad_group_free(g);
    physad_result_free(blind);
    physad_result_free(lost);

    /* of scores that are no surprises the greatest counts; the places are known all the same */
    physad_result *b = see_wall(origin, 1, 70);
    mark(b, 0.5, 0.6, 2);
    a->sight->surprises = b->sight->surprises = false;
    a->score = 60;
    g = group_of(a, b, NULL);
    assert_near(physad_group_score(g), 70, 0);
    assert_int_equal(place_of(g, 0).agreeing, 2);
    assert_near(place_of(g, 0).score, 1.8 + 2 - 0.2, 0.6); /* nine cells, of which eight count, in each */
    physad_group_free(g);
    physad_result_free(a);
    physad_result_free(b);
    physad__origin_release(origin);
    end_context(ctx);
}

static void test_refused(void **state)
{
    physad_context *ctx = fresh_context();
    physad__origin *origin = NULL, *other = NULL;
    physad_group *g = NULL;
    physad_place p = PHYSAD_PLACE_INIT;
    assert_ok(physad__origin_make(&origin, ctx, 0));
    assert_ok(physad__origin_make(&other, ctx, 0));
    physad_result *a = see_wall(origin, 0, 1), *b = see_wall(other, 0, 1);
    const physad_result *pair[2] = { a, b }, *hole[2] = { a, NULL };
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_group_new(NULL, pair, 1));
    assert_fails(PHYSAD_ERR_ARG, "results is NULL", physad_group_new(&g, NULL, 1));
    assert_fails(PHYSAD_ERR_ARG, "want at least one", physad_group_new(&g, pair, 0));
    assert_fails(PHYSAD_ERR_ARG, "results[1] is NULL", physad_group_new(&g, hole, 2));
    assert_fails(PHYSAD_ERR_ARG, "another detector", physad_group_new(&g, pair, 2));
    a->frame_count = 1;
    assert_fails(PHYSAD_ERR_ARG, "of a video", physad_group_new(&g, pair, 1));
    assert_null(g);
    a->frame_count = 0;
    a->threshold = NAN;
    g = group_of(a, NULL, NULL);
    assert_int_equal(physad_group_is_anomalous(g), -1);
    assert_fails(PHYSAD_ERR_ARG, "index is 0 of 0", physad_group_place(g, 0, &p));
    assert_fails(PHYSAD_ERR_ARG, "place is NULL", physad_group_place(g, 0, NULL));
    assert_fails(PHYSAD_ERR_ARG, "group is NULL", physad_group_place(NULL, 0, &p));
    p.struct_size = 3;
    assert_fails(PHYSAD_ERR_ARG, "PHYSAD_PLACE_INIT", physad_group_place(g, 0, &p));
    assert_true(isnan(physad_group_score(NULL)));
    assert_int_equal(physad_group_is_anomalous(NULL), -1);
    assert_int_equal(physad_group_place_count(NULL), 0);
    physad_group_free(NULL);
    physad_result_free(a); /* the group holds nothing of it */
    physad_result_free(b);
    physad__origin_release(origin);
    physad__origin_release(other);
    assert_near(physad_group_score(g), 1, 0);
    physad_context_free(ctx);
    physad_group_free(g);
}

static void test_memory(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    physad__origin *origin = NULL;
    o.allocator = &failing_allocator;
    allocations_left = INT64_MAX;
    assert_ok(physad_context_new(&ctx, &o));
    assert_ok(physad__origin_make(&origin, ctx, 0));
    physad_result *a = see_wall(origin, 0, 1), *b = see_wall(origin, 1, 1);
    const physad_result *all[2] = { a, b };
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int n = 0; status != PHYSAD_OK; n++) {
        physad_group *g = NULL;
        allocations_left = n;
        status = physad_group_new(&g, all, 2);
        allocations_left = INT64_MAX;
        assert_true(status == PHYSAD_OK || (status == PHYSAD_ERR_NOMEM && g == NULL));
        physad_group_free(g);
    }
    physad_result_free(a);
    physad_result_free(b);
    physad__origin_release(origin);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_strip), cmocka_unit_test(test_agreement),
                                        cmocka_unit_test(test_unseen), cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
