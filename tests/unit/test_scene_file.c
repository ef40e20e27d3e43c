/* SPDX-License-Identifier: Apache-2.0 */
/* Scenes as safetensors: what goes in comes out, what lies is refused. */
#include "test.h"

#include "scene_help.h"
#include "scene/scene_file.h"

static physad_scene *fitted(physad_context *ctx, const char *folder)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    physad_scene *scene = NULL;
    o.steps = 8;
    o.random_points = 70;
    o.harmonics = 9;
    write_photos(ctx, folder);
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL));
    return scene;
}

static void test_round(void **state)
{
    char folder[256], path[512], again[512], ply[512], x[65], y[65];
    uint8_t a[HEIGHT * WIDTH * 3], b[HEIGHT * WIDTH * 3];
    const physad_view va = picture(a), vb = picture(b);
    physad_context *ctx = new_context(2);
    physad_scene *back = NULL;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.safetensors", folder);
    snprintf(again, sizeof(again), "%s/again.SAFETENSORS", folder);
    snprintf(ply, sizeof(ply), "%s/scene.ply", folder);
    physad_scene *scene = fitted(ctx, folder);
    assert_ok(physad_scene_save(scene, path));
    assert_ok(physad_scene_load(&back, ctx, path));
    assert_int_equal(physad_scene_gaussians(back), physad_scene_gaussians(scene));
    assert_int_equal(physad_scene_cameras(back), VIEWS);
    for (int64_t i = 0; i < VIEWS; i++) {
        physad_camera c, d;
        assert_string_equal(physad_scene_camera_name(back, i), physad_scene_camera_name(scene, i));
        assert_ok(physad_scene_camera(scene, i, &c));
        assert_ok(physad_scene_camera(back, i, &d));
        assert_memory_equal(&c, &d, sizeof(c));
        assert_ok(physad_scene_render(scene, &c, NULL, &va, NULL, NULL));
        assert_ok(physad_scene_render(back, &d, NULL, &vb, NULL, NULL));
        assert_memory_equal(a, b, sizeof(a));
    }
    assert_ok(physad_scene_save(back, again));
    assert_ok(physad__sha256_file(x, path));
    assert_ok(physad__sha256_file(y, again));
    assert_string_equal(x, y);
    physad_scene_free(back);

    /* through PLY: no cameras, the same Gaussians */
    assert_ok(physad_scene_save(scene, ply));
    assert_ok(physad_scene_load(&back, ctx, ply));
    assert_int_equal(physad_scene_cameras(back), 0);
    assert_ok(physad_scene_save(back, path));
    physad_scene_free(back);
    assert_ok(physad_scene_load(&back, ctx, path));
    assert_int_equal(physad_scene_cameras(back), 0);
    assert_int_equal(physad_scene_gaussians(back), physad_scene_gaussians(scene));
    physad_scene_free(back);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

/* --- lies --- */

/* The file again, without one array (NULL: all), and with `with` in its place; an entry of the metadata set. */
static void rewrite(physad_context *ctx, const char *to, const char *path, const char *without, const char *key,
                    const char *value, const physad_view *with)
{
    physad_tensors *from = NULL, *file = NULL;
    assert_ok(physad_tensors_open(&from, ctx, path, NULL));
    assert_ok(physad_tensors_new(&file, ctx));
    for (int64_t i = 0; i < physad_tensors_count(from); i++) {
        const char *name = physad_tensors_name(from, i);
        physad_view view;
        assert_ok(physad_tensors_view(from, i, &view));
        if (without == NULL || strcmp(name, without) != 0)
            assert_ok(physad_tensors_add(file, name, &view));
    }
    for (int64_t i = 0; i < physad_tensors_metadata_count(from); i++) {
        const char *name = physad_tensors_metadata_key(from, i);
        assert_ok(physad_tensors_set_metadata(file, name, physad_tensors_metadata(from, name)));
    }
    if (key != NULL)
        assert_ok(physad_tensors_set_metadata(file, key, value));
    if (with != NULL)
        assert_ok(physad_tensors_add(file, without, with));
    assert_ok(physad_tensors_save(file, to));
    physad_tensors_free(from);
    physad_tensors_free(file);
}

static void refuse(physad_context *ctx, const char *path, const char *says)
{
    physad_scene *scene = NULL;
    const physad_status status = physad_scene_load(&scene, ctx, path);
    assert_null(scene);
    if (status == PHYSAD_OK || strstr(physad_last_error(), says) == NULL)
        fail_msg("want \"%s\", got %d: %s", says, (int)status, physad_last_error());
}

static void test_lies(void **state)
{
    static const char *const names[] = { "xyz",       "log_scale",           "quaternion",  "opacity",
                                         "harmonics", "cameras.translation", "cameras.lens" };
    static const struct {
        const char *key, *value, *says;
    } texts[] = { { "physad", NULL, "no scene" },
                  { "physad", "model", "no scene" },
                  { "nearest", "1e-50", "at most 1e6" },
                  { "nearest", "2e6", "at most 1e6" },
                  { "photos", NULL, "no list of 12 names" },
                  { "photos", "[\"a\"]", "no list of 12 names" },
                  { "photos", "{", "line 1" },
                  { "photos", "[1,2,3,4,5,6,7,8,9,0,1,2]", "no list" } };
    char folder[256], path[512], to[512];
    physad_context *ctx = new_context(1);
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.safetensors", folder);
    snprintf(to, sizeof(to), "%s/lie.safetensors", folder);
    physad_scene *scene = fitted(ctx, folder);
    const int64_t count = physad_scene_gaussians(scene);
    assert_ok(physad_scene_save(scene, path));
    physad_scene_free(scene);
    for (int64_t i = 0; i < PHYSAD__COUNT(names); i++) {
        rewrite(ctx, to, path, names[i], NULL, NULL, NULL);
        refuse(ctx, to, names[i]);
    }
    for (int64_t i = 0; i < PHYSAD__COUNT(texts); i++) {
        rewrite(ctx, to, path, NULL, texts[i].key, texts[i].value, NULL);
        refuse(ctx, to, texts[i].says);
    }
    rewrite(ctx, to, path, "cameras.rotation", NULL, NULL, NULL); /* without cameras it is a scene all the same */
    assert_ok(physad_scene_load(&scene, ctx, to));
    assert_int_equal(physad_scene_cameras(scene), 0);
    physad_scene_free(scene);

    float *numbers = calloc((size_t)(48 * count), sizeof(float));
    double lens[VIEWS * 9] = { 0 };
    assert_non_null(numbers);
    const int64_t short_by_one[2] = { count - 1, 3 }, right[2] = { count, 3 }, odd[3] = { count, 5, 3 },
                  lenses[2] = { VIEWS, 6 };
    const int64_t rotations[3] = { VIEWS, 3, 3 };
    physad_view view = physad_view_array(numbers, PHYSAD_F32, 2, short_by_one);
    rewrite(ctx, to, path, "xyz", NULL, NULL, &view);
    refuse(ctx, to, "xyz");
    view = physad_view_array(numbers, PHYSAD_F32, 3, odd);
    rewrite(ctx, to, path, "harmonics", NULL, NULL, &view);
    refuse(ctx, to, "5 coefficients");
    numbers[7] = NAN;
    view = physad_view_array(numbers, PHYSAD_F32, 2, right);
    rewrite(ctx, to, path, "log_scale", NULL, NULL, &view);
    refuse(ctx, to, "Gaussian 2 holds a number that is not finite");
    view = physad_view_array(lens, PHYSAD_F64, 2, lenses);
    rewrite(ctx, to, path, "cameras.lens", NULL, NULL, &view);
    refuse(ctx, to, "camera 0 is none");
    view = physad_view_array(lens, PHYSAD_F64, 3, rotations);
    rewrite(ctx, to, path, "cameras.rotation", NULL, NULL, &view);
    refuse(ctx, to, "camera 0: ");
    for (int i = 0; i < VIEWS; i++)
        lens[9 * i] = 1, lens[9 * i + 4] = 1, lens[9 * i + 8] = -1;
    rewrite(ctx, to, path, "cameras.rotation", NULL, NULL, &view);
    refuse(ctx, to, "mirror image");
    static const double lying[][6] = { { 50, 50, 8, 8, 1.5, 16 },
                                       { 1e300, 50, 8, 8, 16, 16 },
                                       { 50, 50, 1e300, 8, 16, 16 } };
    view = physad_view_array(lens, PHYSAD_F64, 2, lenses);
    for (int64_t k = 0; k < PHYSAD__COUNT(lying); k++) {
        for (int i = 0; i < VIEWS; i++)
            memcpy(lens + 6 * i, lying[k], sizeof(lying[k]));
        rewrite(ctx, to, path, "cameras.lens", NULL, NULL, &view);
        refuse(ctx, to, "camera 0 is none");
    }
    free(numbers);
    scratch_remove(folder);
    end_context(ctx);
}

/* Cut anywhere, it is refused. */
static void test_cut(void **state)
{
    char folder[256], path[512], to[512];
    physad_context *ctx = new_context(1);
    unsigned char *data;
    size_t size;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.safetensors", folder);
    snprintf(to, sizeof(to), "%s/cut.safetensors", folder);
    physad_scene *scene = fitted(ctx, folder);
    assert_ok(physad_scene_save(scene, path));
    physad_scene_free(scene);
    assert_ok(physad__file_read(&data, &size, &ctx->mem, path, 0));
    for (size_t n = 0; n < size; n += 1 + n / 6) {
        assert_ok(physad__file_write_atomic(&ctx->mem, to, data, n));
        refuse(ctx, to, "cut.safetensors");
    }
    physad__free(data);
    scratch_remove(folder);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_lies),
                                        cmocka_unit_test(test_cut) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
