/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on photos with poses: a known scene, its photos, one with a patch painted over. */
#include "failing.h"
#include "posed_help.h"

#include "detect/detect_region.h"

#include <physad/evaluate.h>
#include <physad/group.h>

static const char *const methods[] = { "render-compare", "splat-bank", "splatpose", "piad" };

/* Where the painted patch lies in space: each method with a pose tells, in the photo and in the world. */
static void check_place(const physad_detector *det, uint8_t *memory)
{
    const physad_view photo = picture(memory);
    physad_result *r = NULL;
    physad_group *g = NULL;
    physad_place p = PHYSAD_PLACE_INIT;
    assert_ok(physad_detector_score(det, &photo, &r));
    assert_ok(physad_group_new(&g, (const physad_result *const *)&r, 1));
    assert_true(physad_group_score(g) == physad_result_score(r));
    if (physad_group_place_count(g) > 0) {
        assert_ok(physad_group_place(g, 0, &p));
        print_message("%s: odd at %.2f %.2f %.2f (radius %.2f), pixel %.1f %.1f\n", physad_detector_method(det),
                      p.position[0], p.position[1], p.position[2], p.radius, p.x, p.y);
        assert_true(p.x > 0 && p.x < WIDTH && p.y > 0 && p.y < HEIGHT);
        for (int k = 0; k < 3; k++) /* the scene lies within 2 or so of the origin */
            assert_true(fabs(p.position[k]) < 3);
    }
    assert_true(physad_group_place_count(g) > 0 || strcmp(physad_detector_method(det), "splat-bank") != 0);
    physad_group_free(g);
    physad_result_free(r);
}

/* A result whose pose is known keeps what should be seen there: the photo without its patch. Regions are told by it. */
static void check_reference(const physad_detector *det, const uint8_t *good, uint8_t *bad)
{
    const physad_view photo = picture(bad);
    physad_result *r = NULL, *stripped = NULL;
    physad_regions *regions = NULL;
    double off[2] = { 0, 0 };
    assert_ok(physad_detector_score(det, &photo, &r));
    assert_true((r->reference != NULL) == (r->sight != NULL));
    assert_ok(physad_result_strip(&stripped, r));
    assert_null(stripped->reference);
    if (r->reference != NULL) {
        assert_true(r->map_height == HEIGHT && r->map_width == WIDTH);
        for (int i = 0; i < 3 * PATCH * PATCH; i++) {
            const int at = 3 * ((PATCH_Y + i / 3 / PATCH) * WIDTH + PATCH_X + i / 3 % PATCH) + i % 3;
            off[0] += abs(r->reference[at] - good[at]);
            off[1] += abs(r->reference[at] - bad[at]);
        }
        assert_true(off[0] < off[1] / 2);
        assert_ok(physad_regions_find(&regions, r, &photo, NAN));
        assert_true(physad_regions_count(regions) > 0);
        assert_true(regions->look[0].has_reference == regions->look[0].known);
        physad_regions_free(regions);
    }
    assert_true(r->reference != NULL || strcmp(physad_detector_method(det), "splat-bank") != 0);
    physad_result_free(stripped);
    physad_result_free(r);
}

static void test_score(void **state)
{
    static uint8_t good[HEIGHT * WIDTH * 3], bad[HEIGHT * WIDTH * 3];
    static float map[HEIGHT * WIDTH], again[HEIGHT * WIDTH];
    char folder[256], path[512];
    for (int64_t k = 0; k < PHYSAD__COUNT(methods); k++) {
        physad_context *ctx = new_context(2), *one = new_context(1);
        make_set(ctx, folder, sizeof(folder), 0);
        draw_query(ctx, folder, good, false);
        draw_query(ctx, folder, bad, true);
        physad_detector *det = fitted(ctx, folder, methods[k]), *alone = fitted(one, folder, methods[k]), *read = NULL;
        const double normal = score(det, good, map), odd = score(det, bad, map);
        double inside = 0, outside = 0;
        for (int i = 0; i < HEIGHT * WIDTH; i++) {
            const int y = i / WIDTH - PATCH_Y, x = i % WIDTH - PATCH_X;
            const bool in = x >= 0 && y >= 0 && x < PATCH && y < PATCH;
            *(in ? &inside : &outside) += (double)map[i] / (in ? PATCH * PATCH : HEIGHT * WIDTH - PATCH * PATCH);
        }
        print_message("%s: normal %.3f, painted %.3f; in the patch %.3f, elsewhere %.3f\n", methods[k], normal, odd,
                      inside, outside);
        assert_true(odd > normal);
        assert_true(inside > outside);
        check_place(det, bad);
        check_reference(det, good, bad);

        assert_true(score(alone, bad, again) == odd); /* whatever the threads */
        assert_memory_equal(map, again, sizeof(map));
        snprintf(path, sizeof(path), "%s/model.physad", folder);
        assert_ok(physad_detector_save(det, path));
        assert_ok(physad_detector_load(&read, one, path));
        assert_true(score(read, bad, again) == odd); /* and whatever the file */
        assert_memory_equal(map, again, sizeof(map));
        physad_detector_free(read);
        physad_detector_free(alone);
        physad_detector_free(det);
        scratch_remove(folder);
        end_context(one);
        end_context(ctx);
    }
}

/* A whole evaluation: things of two photos get one verdict with places, and the page shows the scene. */
static void test_evaluation(void **state)
{
    static const char *const within[] = { "test", "test/good", "test/odd" };
    static const char *const settings[] = { "steps=60",    "random_points=300", "max_gaussians=500", "weights=random:1",
                                            "harmonics=0", "calibration=0",     "plain=fallback",    NULL };
    static uint8_t memory[HEIGHT * WIDTH * 3];
    static const char *const method[] = { "splat-bank" };
    char folder[256], path[512];
    physad_context *ctx = new_context(2);
    physad_dataset *set = NULL;
    physad_evaluation *e = NULL;
    physad_evaluate_options o = PHYSAD_EVALUATE_OPTIONS_INIT;
    physad_metric metric = PHYSAD_METRIC_INIT;
    unsigned char *page = NULL;
    size_t size;
    const physad_view photo = picture(memory);
    make_set(ctx, folder, sizeof(folder), 0);
    for (int64_t i = 0; i < PHYSAD__COUNT(within); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, within[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), i < 2 ? "%s/test/good/q0%d.png" : "%s/test/odd/i01_q0%d.png", folder, i);
        draw_query(ctx, folder, memory, i >= 2);
        assert_ok(physad_image_write(ctx, path, &photo, NULL));
    }
    o.settings = settings;
    o.replicates = -1;
    o.gallery = 4;
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_ok(physad_evaluate(&e, ctx, set, method, 1, &o, NULL));
    assert_ok(physad_evaluation_metric(e, 0, "instance_auroc", &metric));
    assert_near(metric.value, 1, 0);
    json_t *root = NULL;
    const char *text = physad_evaluation_json(e);
    assert_ok(physad__json_parse(&root, text, strlen(text), "evaluation"));
    const json_t *groups = json_object_get(root, "groups");
    assert_true(json_array_size(groups) > 0); /* single photos that show nothing odd are not listed */
    const json_t *thing = json_array_get(groups, json_array_size(groups) - 1),
                 *place = json_array_get(json_object_get(thing, "places"), 0);
    assert_string_equal(json_string_value(json_object_get(thing, "group")), "i01");
    assert_int_equal(json_array_size(json_object_get(thing, "photos")), 2);
    assert_int_equal(json_integer_value(json_object_get(place, "seen_by")), 2); /* both were taken from one place */
    assert_int_equal(json_array_size(json_object_get(place, "position")), 3);
    json_decref(root);
    assert_ok(physad_evaluation_html(e, folder, NULL));
    snprintf(path, sizeof(path), "%s/report.html", folder);
    assert_ok(physad__file_read(&page, &size, &ctx->mem, path, 1 << 26));
    assert_true(memmem(page, size, "the scene from there", 20) != NULL &&
                memmem(page, size, "what differs from it", 20) != NULL);
    assert_non_null(memmem(page, size, "Things of several photos", 24));
    assert_non_null(memmem(page, size, "oddest at", 9));
    physad__free(page);
    physad_evaluation_free(e);
    physad_dataset_free(set);
    scratch_remove(folder);
    end_context(ctx);
}

/* Poses of photos that are no training photos are not read: without them everything is the same. */
static void test_strangers(void **state)
{
    static uint8_t bad[HEIGHT * WIDTH * 3];
    static float map[2][HEIGHT * WIDTH];
    double scores[2];
    for (int64_t k = 0; k < PHYSAD__COUNT(methods); k++) {
        for (int with = 0; with < 2; with++) {
            physad_context *ctx = new_context(2);
            char folder[256], path[512];
            make_set(ctx, folder, sizeof(folder), 3 * with);
            draw_query(ctx, folder, bad, true);
            for (int i = 0; with && i < 3; i++) { /* the photos are there as well */
                snprintf(path, sizeof(path), "%s/test", folder);
                mkdir(path, 0777);
                snprintf(path, sizeof(path), "%s/test/good", folder);
                mkdir(path, 0777);
                snprintf(path, sizeof(path), "%s/test/good/q%d.png", folder, VIEWS + i);
                const physad_view photo = picture(bad);
                assert_ok(physad_image_write(ctx, path, &photo, NULL));
            }
            physad_detector *det = fitted(ctx, folder, methods[k]);
            scores[with] = score(det, bad, map[with]);
            physad_detector_free(det);
            scratch_remove(folder);
            end_context(ctx);
        }
        assert_true(scores[0] == scores[1]);
        assert_memory_equal(map[0], map[1], sizeof(map[0]));
    }
}

static void test_refused(void **state)
{
    static uint8_t memory[HEIGHT * WIDTH * 3];
    char folder[256], path[512];
    physad_context *ctx = new_context(1);
    physad_dataset *set = NULL;
    physad_result *r = NULL;
    make_set(ctx, folder, sizeof(folder), 0);
    draw_query(ctx, folder, memory, false);
    physad_detector *det = new_detector(ctx, "splat-bank");
    assert_ok(physad_dataset_new(&set, ctx));
    const physad_view photo = picture(memory);
    physad_item so = PHYSAD_ITEM_INIT;
    so.photo = &photo;
    assert_ok(physad_dataset_add(set, &so));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "camera poses", physad_detector_fit(det, set, NULL));
    physad_dataset_free(set);
    static const char *const ways[] = { "warp", "ray", "render", "tint", "texture" };
    for (int64_t i = 0; i < PHYSAD__COUNT(ways); i++)
        assert_ok(physad_detector_set(det, ways[i], "false"));
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_fails(PHYSAD_ERR_ARG, "nothing to compare with", physad_detector_fit(det, set, NULL));
    assert_ok(physad_detector_set(det, "ray", "true"));
    assert_ok(physad_detector_fit(det, set, NULL)); /* after a failure */
    const int64_t tall[3] = { WIDTH, HEIGHT, 3 };
    const physad_view turned = physad_view_array(memory, PHYSAD_U8, 3, tall);
    assert_fails(PHYSAD_ERR_FORMAT, "the photo", physad_detector_score(det, &turned, &r));
    physad_dataset_free(set);
    physad_detector_free(det);
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    assert_int_equal(remove(path), 0);
    det = new_detector(ctx, "render-compare");
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_fails(PHYSAD_ERR_IO, "no camera poses", physad_detector_fit(det, set, NULL));
    physad_dataset_free(set);
    physad_detector_free(det);
    scratch_remove(folder);
    end_context(ctx);
}

/* A model file may name more layers than a photo's features have room for. */
static void test_layers(void **state)
{
    static const char from[] = "\"layers\":\"\"", to[] = "\"layers\":\"b0,b1,b2,b3,b4,b5,b6,b7,b8\"";
    static char text[1 << 16];
    char folder[256], path[512], lying[512];
    physad_context *ctx = new_context(1);
    physad_tensors *in = NULL, *out = NULL;
    physad_detector *read = NULL;
    make_set(ctx, folder, sizeof(folder), 0);
    physad_detector *det = new_detector(ctx, "render-compare");
    physad_dataset *set = NULL;
    assert_ok(physad_detector_set(det, "steps", "2"));
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_ok(physad_detector_fit(det, set, NULL));
    snprintf(path, sizeof(path), "%s/model.physad", folder);
    snprintf(lying, sizeof(lying), "%s/lying.physad", folder);
    assert_ok(physad_detector_save(det, path));
    assert_ok(physad_tensors_open(&in, ctx, path, NULL));
    assert_ok(physad_tensors_new(&out, ctx));
    for (int64_t i = 0; i < physad_tensors_count(in); i++) {
        physad_view v;
        assert_ok(physad_tensors_view(in, i, &v));
        assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
    }
    const char *honest = physad_tensors_metadata(in, "physad"), *at = strstr(honest, from);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - honest), honest, to, at + strlen(from));
    assert_ok(physad_tensors_set_metadata(out, "physad", text));
    assert_ok(physad_tensors_save(out, lying));
    assert_fails(PHYSAD_ERR_ARG, "more than 8 layers", physad_detector_load(&read, ctx, lying));
    assert_null(read);
    physad_tensors_free(in);
    physad_tensors_free(out);
    physad_dataset_free(set);
    physad_detector_free(det);
    scratch_remove(folder);
    end_context(ctx);
}

/* --- what counts how much --- */

/* --- memory --- */

static physad_status fit_and_score(physad_context *ctx, const char *folder, const char *method, uint8_t *memory)
{
    const physad_view photo = picture(memory);
    physad_detector *det = NULL, *read = NULL;
    physad_dataset *set = NULL;
    physad_result *r = NULL;
    char path[512];
    snprintf(path, sizeof(path), "%s/model.physad", folder);
    physad_status status = physad_detector_new(&det, ctx, method);
    static const char *const options[][2] = { { "steps", "2" },
                                              { "random_points", "60" },
                                              { "weights", "random:1" },
                                              { "harmonics", "0" },
                                              { "calibration", "0" } };
    for (int64_t i = 0; status == PHYSAD_OK && i < PHYSAD__COUNT(options); i++)
        status = physad_detector_set(det, options[i][0], options[i][1]);
    if (status == PHYSAD_OK && strcmp(method, "splat-bank") == 0) /* each failure comes after a trial so far */
        status = physad_detector_set(det, "paintings", "1");
    if (status == PHYSAD_OK)
        status = physad_dataset_open(&set, ctx, folder, NULL);
    if (status == PHYSAD_OK)
        status = physad_detector_fit(det, set, NULL);
    if (status == PHYSAD_OK)
        status = physad_detector_save(det, path);
    if (status == PHYSAD_OK)
        status = physad_detector_load(&read, ctx, path);
    if (status == PHYSAD_OK)
        status = physad_detector_score(read, &photo, &r);
    physad_result_free(r);
    physad_dataset_free(set);
    physad_detector_free(det);
    physad_detector_free(read);
    return status;
}

static void test_memory(void **state)
{
    static uint8_t memory[HEIGHT * WIDTH * 3];
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    co.allocator = &failing_allocator;
    co.threads = 1;
    for (int64_t k = 0; k < PHYSAD__COUNT(methods); k++) {
        physad_context *ctx = new_context(1);
        char folder[256];
        make_set(ctx, folder, sizeof(folder), 0);
        draw_query(ctx, folder, memory, true);
        end_context(ctx);
        physad_status status = PHYSAD_ERR_NOMEM;
        for (int64_t n = 40; status != PHYSAD_OK; n += 7 + (strcmp(methods[k], "splat-bank") == 0 ? n : n / 3)) {
            allocations_left = INT64_MAX;
            assert_ok(physad_context_new(&ctx, &co));
            allocations_left = n;
            status = fit_and_score(ctx, folder, methods[k], memory);
            if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
                fail_msg("%s, %lld allocations: %s", methods[k], (long long)n, physad_last_error());
            end_context(ctx);
        }
        scratch_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),       cmocka_unit_test(test_evaluation), cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_layers),     cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
