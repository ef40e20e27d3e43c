/* SPDX-License-Identifier: Apache-2.0 */
/* Made-up videos: the same for the same seed, as the layout says, and moving as their rules say. */
#include "test.h"

#include "io/io.h"
#include "synth/synth_phys.h"

#include <physad/dataset.h>
#include <physad/synth.h>
#include <physad/video.h>

#include <unistd.h>

static char folder[64];

static physad_context *new_context(uint64_t seed, int32_t threads)
{
    physad_context *ctx;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.seed = seed;
    o.threads = threads;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static void draw(uint64_t seed, int32_t threads, const char *name, uint32_t flags, char *path)
{
    physad_context *ctx = new_context(seed, threads);
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    snprintf(path, 128, "%s/%s", folder, name);
    o.flags = flags;
    o.categories = "ball,clock";
    o.train_videos = 2;
    o.test_videos = 1;
    o.defect_videos = 1;
    o.frames = 16;
    o.width = o.height = 48;
    assert_ok(physad_synth_phys(ctx, path, &o, NULL));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void hash(char out[65], const char *root, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    assert_ok(physad__sha256_file(out, path));
}

static void test_deterministic(void **state)
{
    static const char *const names[] = { "ball/train/good/001/0007.png", "clock/test/trembles/000/0015.png",
                                         "ball/physad.json", "synth.json" };
    char a[128], b[128], c[128], x[65], y[65];
    draw(3, 1, "a", PHYSAD_SYNTH_FRAMES, a);
    draw(3, 3, "b", PHYSAD_SYNTH_FRAMES, b);
    draw(4, 2, "c", PHYSAD_SYNTH_FRAMES, c);
    for (int i = 0; i < 4; i++) {
        hash(x, a, names[i]);
        hash(y, b, names[i]);
        assert_string_equal(x, y);
    }
    hash(x, a, names[0]);
    hash(y, c, names[0]);
    assert_string_not_equal(x, y);
}

static void test_layout(void **state)
{
    char root[128];
    draw(5, 2, "set", 0, root);
    physad_context *ctx = new_context(0, 1);
    physad_dataset *ds;
    assert_ok(physad_dataset_open(&ds, ctx, root, NULL));
    assert_int_equal(physad_dataset_category_count(ds), 2);
    assert_int_equal(physad_dataset_count(ds), 2 * (2 + 1) + 4 + 3);
    for (int64_t i = 0; i < physad_dataset_count(ds); i++) {
        const physad_sample *s = physad_dataset_sample(ds, i);
        physad_video *v;
        int64_t count;
        assert_int_equal(s->kind, physad__video_available() ? PHYSAD_KIND_VIDEO : PHYSAD_KIND_FRAMES);
        assert_int_equal(s->label, strcmp(s->type, "good") != 0);
        assert_non_null(s->instance);
        assert_true(strcmp(s->instance, "red") == 0 || strcmp(s->instance, "blue") == 0);
        assert_ok(physad_video_open(&v, ctx, s->file, NULL));
        assert_ok(physad_video_frame_count(v, &count));
        assert_int_equal(count, 16);
        physad_video_free(v);
    }
    physad_dataset_free(ds);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void test_refused(void **state)
{
    physad_context *ctx = new_context(0, 1);
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    char root[128];
    draw(6, 2, "full", PHYSAD_SYNTH_FRAMES, root);
    assert_fails(PHYSAD_ERR_ARG, "not empty", physad_synth_phys(ctx, root, &o, NULL));
    o.categories = "pendulums";
    assert_fails(PHYSAD_ERR_ARG, "\"pendulum\"", physad_synth_phys(ctx, "x", &o, NULL));
    o.categories = NULL;
    o.width = 33;
    assert_fails(PHYSAD_ERR_ARG, "even", physad_synth_phys(ctx, "x", &o, NULL));
    o.width = 0;
    o.severity = 9;
    assert_fails(PHYSAD_ERR_ARG, "severity", physad_synth_phys(ctx, "x", &o, NULL));
    o.severity = 0;
    assert_fails(PHYSAD_ERR_ARG, "out_dir", physad_synth_phys(ctx, NULL, &o, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context", physad_synth_phys(NULL, "x", &o, NULL));
    /* Replaced: only what the set wrote goes. */
    char kept[256];
    snprintf(kept, sizeof(kept), "%s/notes.txt", root);
    assert_ok(physad__file_write_atomic(&ctx->mem, kept, "n", 1));
    draw(7, 2, "full", PHYSAD_SYNTH_FRAMES | PHYSAD_SYNTH_REPLACE, root);
    assert_true(physad__path_is_file(kept));
    physad_context_free(ctx);
}

/* The scenes obey their rules: what each normal motion must and each defect must not do, checked on the states
 * themselves. */
static physad__take take_of(int32_t defect)
{
    return (physad__take){ .speed = 1,
                           .delay = 0.1,
                           .start = 1,
                           .size = 1,
                           .defect = defect,
                           .severity = 1,
                           .when = 0.4,
                           .frames = 72,
                           .rate = 30 };
}

static void test_rules(void **state)
{
    double s[72][PHYSAD__MOST_STATE] = { 0 }, d[72][PHYSAD__MOST_STATE] = { 0 };
    for (int64_t k = 0; k < physad__phys_scene_count; k++) {
        const physad__phys_scene *scene = physad__phys_scenes[k];
        const physad__take normal = take_of(-1);
        scene->run(&normal, s);
        for (int32_t i = 0; i < scene->defect_count; i++) {
            const physad__take broken = take_of(i);
            double most = 0;
            scene->run(&broken, d);
            for (int n = 0; n < 72; n++)
                for (int m = 0; m < PHYSAD__MOST_STATE; m++) {
                    assert_true(isfinite(s[n][m]) && isfinite(d[n][m]));
                    most = fmax(most, fabs(s[n][m] - d[n][m]));
                }
            if (!(most > 0.05))
                fail_msg("%s: %s changes the motion by %g only", scene->name, scene->defects[i].name, most);
        }
        if (strcmp(scene->name, "drawer") == 0)
            assert_near(s[71][0], 1, 1e-9);
        for (int n = 1; n < 72 && strcmp(scene->name, "conveyor") == 0; n++) {
            assert_true(s[n][0] >= s[n - 1][0]);
            assert_near(s[n][0], s[n][1], 0); /* boxes stay where they are on the belt */
        }
        for (int n = 0; n < 72 && strcmp(scene->name, "tank") == 0; n++)
            assert_near(s[n][0] + s[n][1], 1, 1e-12); /* nothing is lost */
        for (int m = 0; m < PHYSAD__MOST_STATE && strcmp(scene->name, "dominoes") == 0; m++)
            assert_near(s[71][m], 1.15, 1e-9); /* all lie */
        if (strcmp(scene->name, "gears") == 0)
            for (int n = 0; n < 72; n++)
                assert_near(s[n][1], -s[n][0] * 12 / 18, 1e-9);
        if (strcmp(scene->name, "ball") == 0)
            for (int n = 0; n < 72; n++)
                assert_true(s[n][0] == 0 && s[n][1] >= 0);
        if (strcmp(scene->name, "hinge") == 0)
            assert_near(s[71][0], 0, 1e-9);
    }
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/physad-phys-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
