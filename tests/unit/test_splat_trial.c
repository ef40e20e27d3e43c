/* SPDX-License-Identifier: Apache-2.0 */
/* What splat-bank lets count, its poses or its plain bank: a trial decides, and models keep it. */
#include "posed_help.h"

#include <physad/tensors.h>

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
    static const char *const ruined[] = { "holds weight", "holds weight", "spread 0", "sum is 0", "mean 1e+300" };
    char folder[256], path[512], lying[512];
    double parts[PARTS][FACTS], other[PARTS][FACTS];
    physad_context *ctx = new_context(2), *one = new_context(1);
    physad_detector *read = NULL;
    make_set(ctx, folder, sizeof(folder), 0);
    draw_query(ctx, folder, bad, true);
    physad_detector *det = fit_plain(ctx, folder, "weighed", "60", "two", VIEWS);
    physad_detector *alone = fit_plain(one, folder, "weighed", "60", "one", VIEWS);
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
    assert_true(parts[0][0] >
                0.8); /* the poses are right, and small patches seen by a network of chance are not much */

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

    for (int k = 0; k < 5; k++) { /* a weight below 0 and above 1, no spread, weights of no sum, a mean beyond all */
        memcpy(other, parts, sizeof(other));
        other[k / 2 % 2][k == 2 ? 2 : k == 4 ? 1 : 0] = k == 0 ? -0.5 : k == 1 ? 2 : k == 4 ? 1e300 : 0;
        other[0][0] = k == 3 ? 0 : other[0][0], other[1][0] = k == 3 ? 0 : other[1][0];
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

/* Where no pose of the kept photos fits, what needs none has all the weight. */
static void test_lost_poses(void **state)
{
    static uint8_t memory[HEIGHT * WIDTH * 3];
    const physad_view noise = picture(memory);
    char folder[256], path[512];
    double parts[PARTS][FACTS];
    physad__rng rng;
    physad_context *ctx = new_context(2);
    make_set(ctx, folder, sizeof(folder), 0);
    physad__rng_seed(&rng, 5, 0);
    for (int view = 2; view < VIEWS; view += 4) { /* every fourth is kept */
        for (int i = 0; i < HEIGHT * WIDTH * 3; i++)
            memory[i] = (uint8_t)physad__rng_below(&rng, 256);
        snprintf(path, sizeof(path), "%s/train/good/%d.png", folder, view);
        assert_ok(physad_image_write(ctx, path, &noise, NULL));
    }
    physad_detector_free(fit_plain(ctx, folder, "weighed", "60", "lost", VIEWS));
    snprintf(path, sizeof(path), "%s/lost.physad", folder);
    read_parts(ctx, path, parts);
    print_message("by pose %.3f (%.2f, %.2f), plain %.3f\n", parts[0][0], parts[0][1], parts[0][2], parts[1][0]);
    assert_true(parts[0][0] == 0 && parts[1][0] == 1);
    scratch_remove(folder);
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_weighed), cmocka_unit_test(test_lost_poses),
                                        cmocka_unit_test(test_not_weighed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
