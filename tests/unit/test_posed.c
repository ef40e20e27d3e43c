/* SPDX-License-Identifier: Apache-2.0 */
/* Methods on photos with poses: a known scene, its photos, one with a patch painted over. */
#include "scene_help.h"
#include "failing.h"

#include <physad/dataset.h>
#include <physad/detect.h>
#include <physad/evaluate.h>
#include <physad/group.h>
#include <physad/tensors.h>

#include <sys/stat.h>

static const char *const methods[] = { "render-compare", "splat-bank", "splatpose", "piad" };

enum { PATCH_X = 20, PATCH_Y = 16, PATCH = 9 };

static void make_set(physad_context *ctx, char *folder, size_t size, int extra)
{
    static const char *const within[] = { "train", "train/good" };
    char path[512];
    scratch_make(folder, size);
    for (int64_t i = 0; i < PHYSAD__COUNT(within); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, within[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    write_photos_in(ctx, folder, "train/good/", extra);
}

static physad_detector *new_detector(physad_context *ctx, const char *method)
{
    static const char *const options[][2] = { { "steps", "120" },         { "random_points", "500" },
                                              { "max_gaussians", "900" }, { "weights", "random:1" },
                                              { "harmonics", "1" },       { "calibration", "0" } };
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, method));
    for (int64_t i = 0; i < PHYSAD__COUNT(options); i++)
        assert_ok(physad_detector_set(det, options[i][0], options[i][1]));
    if (strcmp(method, "splat-bank") == 0) /* without a second fit; test_weighed has it */
        assert_ok(physad_detector_set(det, "plain", "fallback"));
    return det;
}

static physad_detector *fitted(physad_context *ctx, const char *folder, const char *method)
{
    physad_dataset *set = NULL;
    physad_detector *det = new_detector(ctx, method);
    assert_ok(physad_dataset_open(&set, ctx, folder, NULL));
    assert_ok(physad_detector_fit(det, set, NULL));
    physad_dataset_free(set);
    return det;
}

/* From between the training cameras; `painted`: with a patch that is not the scene's. */
static void draw_query(physad_context *ctx, const char *folder, uint8_t *memory, bool painted)
{
    const double tangent[6] = { 0.05, 0.02, -0.04, 0.01, -0.02, 0.01 };
    const physad_view photo = picture(memory);
    physad_scene *scene = known_scene(ctx, folder);
    physad_camera c = camera_at(4);
    physad__splat_camera_move(c.rotation, c.translation, tangent);
    assert_ok(physad_scene_render(scene, &c, NULL, &photo, NULL, NULL));
    physad_scene_free(scene);
    for (int y = 0; painted && y < PATCH; y++)
        for (int x = 0; x < PATCH; x++)
            memcpy(memory + ((PATCH_Y + y) * WIDTH + PATCH_X + x) * 3,
                   (x + y) % 4 < 2 ? "\xff\x00\xff" : "\x00\xff\x00", 3);
}

static double score(const physad_detector *det, uint8_t *memory, float *map)
{
    const int64_t shape[2] = { HEIGHT, WIDTH };
    const physad_view photo = picture(memory), out = physad_view_array(map, PHYSAD_F32, 2, shape);
    physad_result *r = NULL;
    assert_ok(physad_detector_score(det, &photo, &r));
    assert_ok(physad_result_map(r, &out));
    const double value = physad_result_score(r);
    physad_result_free(r);
    return value;
}

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

enum { PARTS = 2, FACTS = 3 }; /* of splat_bank.parts: by pose, plain; weight, mean and spread */

static void read_parts(physad_context *ctx, const char *path, double parts[PARTS][FACTS])
{
    physad_tensors *file = NULL;
    physad_view v;
    assert_ok(physad_tensors_open(&file, ctx, path, NULL));
    assert_ok(physad_tensors_find(file, "splat_bank.parts", &v));
    assert_int_equal(physad__view_count(&v), PARTS * FACTS);
    memcpy(parts, v.data, PARTS * FACTS * sizeof(double));
    physad_tensors_free(file);
}

/* The same file with other parts. */
static void write_parts(physad_context *ctx, const char *from, const char *to, const double parts[PARTS][FACTS])
{
    const int64_t shape[2] = { PARTS, FACTS };
    physad_tensors *in = NULL, *out = NULL;
    assert_ok(physad_tensors_open(&in, ctx, from, NULL));
    assert_ok(physad_tensors_new(&out, ctx));
    for (int64_t i = 0; i < physad_tensors_count(in); i++) {
        physad_view v;
        assert_ok(physad_tensors_view(in, i, &v));
        if (strcmp(physad_tensors_name(in, i), "splat_bank.parts") == 0)
            v = physad_view_array((void *)(uintptr_t)parts, PHYSAD_F64, 2, shape);
        assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
    }
    assert_ok(physad_tensors_set_metadata(out, "physad", physad_tensors_metadata(in, "physad")));
    assert_ok(physad_tensors_save(out, to));
    physad_tensors_free(in);
    physad_tensors_free(out);
}

/* A detector whose model is `folder`/NAME.physad. */
static physad_detector *fit_plain(physad_context *ctx, const char *folder, const char *plain, const char *steps,
                                  const char *name, int64_t photos)
{
    physad_detector *det = new_detector(ctx, "splat-bank");
    physad_dataset *all = NULL, *set = NULL;
    char path[512];
    int64_t indices[VIEWS];
    for (int64_t i = 0; i < VIEWS; i++)
        indices[i] = i;
    snprintf(path, sizeof(path), "%s/%s.physad", folder, name);
    assert_ok(physad_detector_set(det, "plain", plain));
    assert_ok(physad_detector_set(det, "steps", steps));
    assert_ok(physad_dataset_open(&all, ctx, folder, NULL));
    assert_ok(physad_dataset_subset(&set, all, indices, photos));
    assert_ok(physad_detector_fit(det, set, NULL));
    assert_ok(physad_detector_save(det, path));
    physad_dataset_free(set);
    physad_dataset_free(all);
    return det;
}

/* A trial weighs what poses explain against the plain bank, the same with any number of threads; models keep what it
 * found. */
static void test_weighed(void **state)
{
    static uint8_t bad[HEIGHT * WIDTH * 3];
    static float map[HEIGHT * WIDTH], again[HEIGHT * WIDTH];
    static const char *const ruined[] = { "holds weight", "holds weight", "spread 0" };
    char folder[256], path[512], lying[512];
    double parts[PARTS][FACTS], other[PARTS][FACTS];
    physad_context *ctx = new_context(2), *one = new_context(1);
    physad_detector *read = NULL;
    make_set(ctx, folder, sizeof(folder), 0);
    draw_query(ctx, folder, bad, true);
    physad_detector *det = fit_plain(ctx, folder, "weighed", "120", "two", VIEWS);
    physad_detector *alone = fit_plain(one, folder, "weighed", "120", "one", VIEWS);
    const double odd = score(det, bad, map);
    assert_true(score(alone, bad, again) == odd);
    assert_memory_equal(map, again, sizeof(map));
    snprintf(path, sizeof(path), "%s/two.physad", folder);
    snprintf(lying, sizeof(lying), "%s/lying.physad", folder);
    read_parts(ctx, path, parts);
    print_message("by pose %.3f (%.2f, %.2f), plain %.3f (%.2f, %.2f)\n", parts[0][0], parts[0][1], parts[0][2],
                  parts[1][0], parts[1][1], parts[1][2]);
    assert_near(parts[0][0] + parts[1][0], 1, 1e-12);
    for (int k = 0; k < PARTS; k++)
        assert_true(parts[k][0] >= 0 && parts[k][2] > 0);

    /* At 1 and 0 each part speaks alone; between them deviations from what is normal are averaged. */
    double said[3], deviation[PARTS];
    for (int k = 0; k < 3; k++) {
        memcpy(other, parts, sizeof(other));
        other[0][0] = k == 2 ? 0.25 : k == 0;
        other[1][0] = 1 - other[0][0];
        write_parts(ctx, path, lying, (const double(*)[FACTS])other);
        assert_ok(physad_detector_load(&read, ctx, lying));
        said[k] = score(read, bad, again);
        physad_detector_free(read);
    }
    for (int k = 0; k < PARTS; k++)
        deviation[k] = (said[k] - parts[k][1]) / parts[k][2];
    assert_true(deviation[0] > 3 && deviation[1] > 3);
    assert_near(said[2],
                0.25 * parts[0][1] + 0.75 * parts[1][1] +
                    (0.25 * parts[0][2] + 0.75 * parts[1][2]) * (0.25 * deviation[0] + 0.75 * deviation[1]),
                1e-9);

    for (int k = 0; k < 3; k++) {
        memcpy(other, parts, sizeof(other));
        other[k / 2][k == 2 ? 2 : 0] = k == 0 ? -0.5 : k == 1 ? 2 : 0;
        write_parts(ctx, path, lying, (const double(*)[FACTS])other);
        read = NULL;
        assert_fails(PHYSAD_ERR_FORMAT, ruined[k], physad_detector_load(&read, ctx, lying));
        assert_null(read);
    }
    physad_detector_free(alone);
    physad_detector_free(det);
    scratch_remove(folder);
    end_context(one);
    end_context(ctx);
}

/* With too few photos for a trial nothing speaks for poses; `always` is a half each. */
static void test_not_weighed(void **state)
{
    static const struct {
        const char *plain;
        int64_t photos;
        double posed, rest;
    } cases[] = { { "weighed", 3, 0, 1 }, { "always", 4, 0.5, 0.5 }, { "never", 4, 1, 0 }, { "fallback", 4, 1, 0 } };
    char folder[256], path[512];
    double parts[PARTS][FACTS];
    physad_context *ctx = new_context(2);
    make_set(ctx, folder, sizeof(folder), 0);
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        physad_detector_free(fit_plain(ctx, folder, cases[i].plain, "2", "few", cases[i].photos));
        snprintf(path, sizeof(path), "%s/few.physad", folder);
        read_parts(ctx, path, parts);
        assert_true(parts[0][0] == cases[i].posed && parts[1][0] == cases[i].rest);
    }
    scratch_remove(folder);
    end_context(ctx);
}

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
        for (int64_t n = 40; status != PHYSAD_OK; n += 7 + n / 3) {
            allocations_left = INT64_MAX;
            assert_ok(physad_context_new(&ctx, &co));
            allocations_left = n;
            status = fit_and_score(ctx, folder, methods[k], memory);
            assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
            end_context(ctx);
        }
        scratch_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_score),       cmocka_unit_test(test_evaluation), cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_layers),     cmocka_unit_test(test_weighed),
        cmocka_unit_test(test_not_weighed), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
