/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to fit a scene: exposures, coarse to fine, Gaussians as samples, masks, alpha; fits that were interrupted. */
#include "failing.h"
#include "test.h"

#include "scene/scene_train.h"
#include "scene_help.h"

static physad_scene_options quick(void)
{
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    o.steps = 240;
    o.harmonics = 4;
    o.hold_out = 6;
    o.random_points = 500;
    o.densify_from = 50;
    o.densify_until = 150;
    o.densify_every = 50;
    o.max_gaussians = 800;
    return o;
}

static physad_scene_quality fit_to(const char *path, physad_context *ctx, const char *folder,
                                   const physad_scene_options *o)
{
    physad_scene *scene = NULL;
    assert_ok(physad_scene_fit(&scene, ctx, folder, o, NULL));
    const physad_scene_quality q = physad_scene_describe(scene);
    if (path != NULL)
        assert_ok(physad_scene_save(scene, path));
    physad_scene_free(scene);
    return q;
}

static void assert_equal_files(const char *a, const char *b)
{
    char x[65], y[65];
    assert_ok(physad__sha256_file(x, a));
    assert_ok(physad__sha256_file(y, b));
    assert_string_equal(x, y);
}

/* What becomes of a pixel of photo `view`; `rgb` has room for alpha. */
typedef void (*change_fn)(float rgb[4], int view, int x, int y);

static void change_photos(physad_context *ctx, const char *folder, change_fn change, int channels)
{
    char path[512];
    uint8_t bytes[HEIGHT * WIDTH * 4];
    const int64_t shape[3] = { HEIGHT, WIDTH, channels };
    const physad_view view = physad_view_array(bytes, PHYSAD_U8, 3, shape);
    for (int i = 0; i < VIEWS; i++) {
        physad_image *image = NULL;
        snprintf(path, sizeof(path), "%s/%d.png", folder, i);
        assert_ok(physad_image_read(&image, ctx, path, NULL));
        const uint8_t *from = physad_image_view(image).data;
        for (int at = 0; at < HEIGHT * WIDTH; at++) {
            float rgb[4] = { from[3 * at] / 255.0f, from[3 * at + 1] / 255.0f, from[3 * at + 2] / 255.0f, 1 };
            change(rgb, i, at % WIDTH, at / WIDTH);
            for (int k = 0; k < channels; k++)
                bytes[channels * at + k] = (uint8_t)(fminf(fmaxf(rgb[k], 0), 1) * 255 + 0.5f);
        }
        physad_image_free(image);
        assert_ok(physad_image_write(ctx, path, &view, NULL));
    }
}

/* --- exposures --- */

static void expose(float rgb[4], int view, int x, int y)
{
    /* held-out photos (0 and 6) show the mean of six odd ones and four even ones */
    const float gain = view % 6 == 0 ? 1 : view % 2 ? 0.6f : 1.6f;
    for (int k = 0; k < 3; k++)
        rgb[k] *= 0.55f * gain;
}

static void dim(float rgb[4], int view, int x, int y)
{
    for (int k = 0; k < 3; k++)
        rgb[k] *= 0.55f;
}

static void test_exposure(void **state)
{
    char folder[256];
    physad_context *ctx = new_context(2);
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    change_photos(ctx, folder, dim, 3);
    const physad_scene_quality even = fit_to(NULL, ctx, folder, &o);
    write_photos(ctx, folder);
    change_photos(ctx, folder, expose, 3);
    const physad_scene_quality without = fit_to(NULL, ctx, folder, &o);
    o.exposure = 1;
    const physad_scene_quality with = fit_to(NULL, ctx, folder, &o);
    print_message("held-out PSNR: even photos %.2f, uneven %.2f, with exposures %.2f\n", even.psnr, without.psnr,
                  with.psnr);
    assert_true(with.psnr > 0.5 * (without.psnr + even.psnr));
    scratch_remove(folder);
    end_context(ctx);
}

/* The step against differences: what a photo's colours are pulled by is what the loss falls by. */
static void test_exposure_step(void **state)
{
    enum { PLANE = 6 };
    physad_context *ctx = new_context(1);
    physad__exposures e;
    physad__scene_view views[2] = { { .held_out = false }, { .held_out = true } };
    const physad__scene_views set = { .views = views, .count = 2 };
    float picture[3 * PLANE], shown[3 * PLANE], grad[3 * PLANE], pixels[3 * PLANE];
    const physad__scene_view photo = { .camera = { .width = PLANE, .height = 1 }, .pixels = pixels };
    physad__rng rng;
    physad__rng_seed(&rng, 3, 1);
    for (int i = 0; i < 3 * PLANE; i++)
        picture[i] = (float)physad__rng_uniform(&rng);
    assert_ok(physad__exposures_open(&e, &ctx->mem, 2));
    physad__exposure_apply(shown, &e, 0, picture, PLANE);
    assert_memory_equal(shown, picture, sizeof(shown)); /* an identity */
    for (int k = 0; k < 12; k++)
        e.value[k] += 0.1f * (float)physad__rng_normal(&rng);
    physad__exposure_apply(shown, &e, 0, picture, PLANE);
    for (int at = 0; at < PLANE; at++)
        for (int row = 0; row < 3; row++) {
            double want = e.value[4 * row + 3];
            for (int k = 0; k < 3; k++)
                want += (double)e.value[4 * row + k] * picture[k * PLANE + at];
            assert_near(shown[row * PLANE + at], want, 1e-6);
        }
    /* loss: the sum of squares; its gradient by the picture, through the matrix */
    double by[3 * PLANE] = { 0 };
    for (int i = 0; i < 3 * PLANE; i++) {
        grad[i] = 2 * shown[i];
        pixels[i] = picture[i] * 0.8f;
    }
    for (int at = 0; at < PLANE; at++)
        for (int k = 0; k < 3; k++)
            for (int row = 0; row < 3; row++)
                by[k * PLANE + at] += (double)e.value[4 * row + k] * 2 * shown[row * PLANE + at];
    physad__exposure_step(&e, 0, grad, picture, &photo, &set);
    for (int i = 0; i < 3 * PLANE; i++)
        assert_near(grad[i], by[i], 1e-4);
    for (int k = 0; k < 12; k++) /* the only photo that is trained on is the mean: an identity again */
        assert_near(e.value[k], k % 5 == 0, 1e-6);
    physad__exposures_close(&e);
    end_context(ctx);
}

enum { ROW = 12, ROW_PLANE = 300 };

/* Photos of one picture, each with a gain, from cameras in a row: how much brighter each is said to be, and their mean
 * and slope along the row. */
static void look_along(double own[ROW], double *mean, double *slope, double trend)
{
    physad_context *ctx = new_context(1);
    physad__exposures e;
    physad__scene_view views[ROW] = { 0 };
    const physad__scene_views set = { .views = views, .count = ROW, .extent = ROW };
    float picture[3 * ROW_PLANE], grad[3 * ROW_PLANE] = { 0 }, pixels[3 * ROW_PLANE];
    uint8_t missing[ROW_PLANE] = { 1 };
    physad__rng rng;
    physad__rng_seed(&rng, 3, 1);
    for (int i = 0; i < 3 * ROW_PLANE; i++)
        picture[i] = (float)physad__rng_uniform(&rng);
    for (int i = 0; i < ROW; i++) {
        physad_camera *c = &views[i].camera;
        c->rotation[0] = c->rotation[4] = c->rotation[8] = 1;
        c->translation[0] = -i;
        c->width = ROW_PLANE;
        c->height = 1;
        views[i].pixels = pixels;
        views[i].missing = missing;
    }
    assert_ok(physad__exposures_open(&e, &ctx->mem, ROW));
    for (int at = 0; at < 60 * ROW; at++) {
        const int i = at % ROW;
        const double gain = 1 + trend * (i - 5.5) + (i % 4 == 1 || i % 4 == 2 ? 0.1 : -0.1);
        for (int k = 0; k < 3 * ROW_PLANE; k++) /* the first pixel is not to be looked at */
            pixels[k] = k % ROW_PLANE == 0 ? 1e6f : (float)gain * picture[k];
        physad__exposure_step(&e, i, grad, picture, &views[i], &set);
    }
    *mean = *slope = 0;
    for (int i = 0; i < ROW; i++) {
        double before = 0, after = 0;
        physad__exposure_apply(grad, &e, i, picture, ROW_PLANE);
        for (int k = 0; k < 3 * ROW_PLANE; k++) {
            before += (double)picture[k];
            after += (double)grad[k];
        }
        own[i] = after / before - 1;
        *mean += own[i] / ROW;
        *slope += own[i] * (i - 5.5) / 143; /* the sum of the squares of i - 5.5 */
    }
    physad__exposures_close(&e);
    end_context(ctx);
}

/* Photos in a row, half of them darker: theirs. Brighter along the row: the scene's. */
static void test_exposure_trend(void **state)
{
    double own[ROW], mean, slope;
    look_along(own, &mean, &slope, 0);
    assert_near(mean, 0, 1e-5);
    for (int i = 0; i < ROW; i++)
        assert_near(own[i], i % 4 == 1 || i % 4 == 2 ? 0.1 : -0.1, 0.02);
    look_along(own, &mean, &slope, 0.02);
    assert_near(mean, 0, 1e-5);
    assert_near(slope, 0, 0.0005);
}

/* --- coarse to fine, and Gaussians as samples --- */

static void test_ways(void **state)
{
    char folder[256], a[512], b[512];
    physad_context *ctx = new_context(2), *one = new_context(1);
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    snprintf(a, sizeof(a), "%s/a.ply", folder);
    snprintf(b, sizeof(b), "%s/b.ply", folder);
    write_photos(ctx, folder);
    o.steps = 1;
    const physad_scene_quality first = fit_to(NULL, ctx, folder, &o);
    for (int way = 0; way < 3; way++) {
        o = quick();
        o.densify = way == 1 ? PHYSAD_SCENE_DENSIFY_MCMC : PHYSAD_SCENE_DENSIFY_SPLIT;
        o.coarse = way == 2 ? 1 : 0;
        const physad_scene_quality q = fit_to(a, ctx, folder, &o);
        print_message("way %d: held-out PSNR %.2f, %lld Gaussians\n", way, q.psnr, (long long)q.gaussians);
        assert_true(q.psnr > first.psnr + 4 && q.gaussians <= 800);
        fit_to(b, one, folder, &o); /* whatever the threads */
        assert_equal_files(a, b);
    }
    o = quick();
    o.densify = PHYSAD_SCENE_DENSIFY_MCMC; /* two rounds of growth by 1.05, and nothing is ever lost */
    const int64_t begun = first.gaussians, once = (int64_t)(1.05 * (double)begun);
    assert_in_range(begun, 300, 500);
    assert_int_equal(fit_to(NULL, ctx, folder, &o).gaussians, (int64_t)(1.05 * (double)once));
    o.max_gaussians = (int32_t)once + 5;
    assert_int_equal(fit_to(NULL, ctx, folder, &o).gaussians, once + 5);
    scratch_remove(folder);
    end_context(one);
    end_context(ctx);
}

/* --- what photos are not looked at for --- */

static bool in_corner(int x, int y)
{
    return x < 14 && y < 12;
}

static void paint_red(float rgb[4], int view, int x, int y)
{
    if (in_corner(x, y)) {
        rgb[0] = 1;
        rgb[1] = rgb[2] = 0;
    }
}

static void paint_noise(float rgb[4], int view, int x, int y)
{
    for (int k = 0; k < 3 && in_corner(x, y); k++)
        rgb[k] = (float)((7 * x + 13 * y + 29 * view + k) % 17) / 17;
}

static void mask_corner(float rgb[4], int view, int x, int y)
{
    rgb[0] = !in_corner(x, y);
}

static void test_masks(void **state)
{
    char folder[256], masks[512], path[600], a[512], b[512];
    uint8_t mask[HEIGHT * WIDTH];
    const int64_t shape[2] = { HEIGHT, WIDTH }, other[2] = { HEIGHT / 2, WIDTH };
    physad_context *ctx = new_context(2);
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    snprintf(a, sizeof(a), "%s/a.ply", folder);
    snprintf(b, sizeof(b), "%s/b.ply", folder);
    snprintf(masks, sizeof(masks), "%s/masks", folder);
    assert_ok(physad__dir_make(&ctx->mem, masks));
    write_photos(ctx, folder);
    for (int at = 0; at < HEIGHT * WIDTH; at++) {
        float value[4];
        mask_corner(value, 0, at % WIDTH, at / WIDTH);
        mask[at] = value[0] > 0 ? 255 : 0;
    }
    const physad_view view = physad_view_array(mask, PHYSAD_U8, 2, shape);
    for (int i = 0; i < VIEWS; i++) {
        snprintf(path, sizeof(path), "%s/%d.png", masks, i);
        assert_ok(physad_image_write(ctx, path, &view, NULL));
    }
    o.steps = 60;
    o.masks = masks;
    change_photos(ctx, folder, paint_red, 3);
    const physad_scene_quality red = fit_to(a, ctx, folder, &o);
    change_photos(ctx, folder, paint_noise, 3);
    const physad_scene_quality noise = fit_to(b, ctx, folder, &o);
    assert_equal_files(a, b); /* what lies under the mask leaves no trace */
    assert_true(red.loss == noise.loss);
    o.masks = NULL;
    fit_to(b, ctx, folder, &o);
    assert_true(fit_to(NULL, ctx, folder, &o).loss > noise.loss);

    const physad_view wrong = physad_view_array(mask, PHYSAD_U8, 2, other);
    physad_scene *scene = NULL;
    o.masks = masks;
    assert_ok(physad_image_write(ctx, path, &wrong, NULL));
    assert_fails(PHYSAD_ERR_SHAPE, "the mask has 48 x 20 pixels, its photo 48 x 40",
                 physad_scene_fit(&scene, ctx, folder, &o, NULL));
    scratch_remove(folder);
    end_context(ctx);
}

static void fade_left(float rgb[4], int view, int x, int y)
{
    rgb[3] = x < 10 ? 0 : x < 20 ? (float)(51 * (x - 10) / 10) / 51 : 1;
}

static void lay_on_blue(float rgb[4], int view, int x, int y)
{
    fade_left(rgb, view, x, y);
    const float alpha = roundf(255 * rgb[3]) / 255;
    for (int k = 0; k < 3; k++)
        rgb[k] = rgb[k] * alpha + (k == 2) * (1 - alpha);
}

static void test_alpha(void **state)
{
    char folder[256], a[512], b[512];
    physad_context *ctx = new_context(2);
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    snprintf(a, sizeof(a), "%s/a.ply", folder);
    snprintf(b, sizeof(b), "%s/b.ply", folder);
    o.steps = 40;
    o.background[2] = 1;
    write_photos(ctx, folder);
    change_photos(ctx, folder, fade_left, 4);
    fit_to(a, ctx, folder, &o);
    write_photos(ctx, folder);
    change_photos(ctx, folder, lay_on_blue, 3);
    fit_to(b, ctx, folder, &o);
    assert_equal_files(a, b);
    scratch_remove(folder);
    end_context(ctx);
}

/* --- fits that were interrupted --- */

typedef struct stop {
    physad_context *ctx;
    char line[32]; /* how the log's line begins at which it is cancelled */
} stop;

static void cancel_at(int32_t level, const char *message, void *user)
{
    const stop *s = user;
    if (strncmp(message, s->line, strlen(s->line)) == 0)
        physad_context_cancel(s->ctx);
}

/* At a step that is measured: the log's line comes before the fit looks for a cancel. */
static void interrupt(const char *folder, const physad_scene_options *o, int at)
{
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_scene *scene = NULL;
    stop s = { .ctx = NULL };
    assert_int_equal(at % o->measure_every, 0);
    snprintf(s.line, sizeof(s.line), "step %d,", at);
    c.threads = 2;
    c.log = cancel_at;
    c.log_user = &s;
    c.log_level = PHYSAD_LOG_INFO;
    assert_ok(physad_context_new(&s.ctx, &c));
    assert_fails(PHYSAD_ERR_CANCELLED, "holds what was reached", physad_scene_fit(&scene, s.ctx, folder, o, NULL));
    assert_null(scene);
    assert_true(physad__path_is_file(o->checkpoint));
    end_context(s.ctx);
}

static void test_resume(void **state)
{
    char folder[256], a[512], b[512], checkpoint[512];
    physad_context *ctx = new_context(2);
    scratch_make(folder, sizeof(folder));
    snprintf(a, sizeof(a), "%s/a.ply", folder);
    snprintf(b, sizeof(b), "%s/b.ply", folder);
    snprintf(checkpoint, sizeof(checkpoint), "%s/fit.safetensors", folder);
    write_photos(ctx, folder);
    for (int way = 0; way < 2; way++) {
        physad_scene_options o = quick();
        o.densify = way == 1 ? PHYSAD_SCENE_DENSIFY_MCMC : PHYSAD_SCENE_DENSIFY_SPLIT;
        o.exposure = o.coarse = way;
        o.measure_every = 40;
        fit_to(a, ctx, folder, &o);
        o.checkpoint = checkpoint;
        o.resume = 1;
        interrupt(folder, &o, 40);  /* there is none yet: from the start */
        interrupt(folder, &o, 160); /* and once more, from there */
        physad_scene *scene = NULL;
        assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL));
        assert_ok(physad_scene_save(scene, b));
        assert_equal_files(a, b);
        assert_false(physad__path_exists(checkpoint)); /* it has served */
        assert_int_equal(physad_scene_describe(scene).steps, 240);
        assert_int_equal(physad_scene_history_count(scene), 6);
        for (int i = 0; i < 6; i++)
            assert_int_equal(physad_scene_history_describe(scene, i).steps, 40 * (i + 1));
        assert_true(physad_scene_history_describe(scene, 5).loss == physad_scene_describe(scene).loss);
        assert_int_equal(physad_scene_history_describe(scene, 6).steps, 0);
        physad_scene_free(scene);
    }
    scratch_remove(folder);
    end_context(ctx);
}

static void damage(const char *path, long at, const char *with)
{
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(with, 1, strlen(with), f), strlen(with));
    fclose(f);
}

/* A checkpoint of the test's with one entry of its metadata changed, or the first number of an array. */
static void rewrite(physad_context *ctx, const char *path, const char *key, const char *value)
{
    physad_tensors *from = NULL, *to = NULL;
    float *numbers = NULL;
    assert_ok(physad_tensors_open(&from, ctx, path, NULL));
    assert_ok(physad_tensors_new(&to, ctx));
    for (int64_t i = 0; i < physad_tensors_count(from); i++) {
        physad_view view;
        assert_ok(physad_tensors_view(from, i, &view));
        if (strcmp(physad_tensors_name(from, i), key) == 0) {
            const size_t size = (size_t)physad__view_count(&view) * sizeof(float);
            numbers = test_malloc(size);
            memcpy(numbers, view.data, size);
            numbers[0] = strtof(value, NULL);
            view.data = numbers;
        }
        assert_ok(physad_tensors_add(to, physad_tensors_name(from, i), &view));
    }
    for (int64_t i = 0; i < physad_tensors_metadata_count(from); i++) {
        const char *name = physad_tensors_metadata_key(from, i);
        assert_ok(physad_tensors_set_metadata(to, name,
                                              strcmp(name, key) == 0 ? value : physad_tensors_metadata(from, name)));
    }
    physad_tensors_free(from);
    assert_ok(physad_tensors_save(to, path));
    physad_tensors_free(to);
    test_free(numbers);
}

static void test_resume_refused(void **state)
{
    char folder[256], checkpoint[512];
    physad_context *ctx = new_context(2);
    physad_scene *scene = NULL;
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    snprintf(checkpoint, sizeof(checkpoint), "%s/fit.safetensors", folder);
    write_photos(ctx, folder);
    o.resume = 1;
    assert_fails(PHYSAD_ERR_ARG, "resume without checkpoint", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o.checkpoint = checkpoint;
    o.measure_every = 20;
    interrupt(folder, &o, 20);
    o.harmonics = 9;
    assert_fails(PHYSAD_ERR_ARG, "other photos, options or seed", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o.harmonics = 4;
    static const struct {
        const char *key, *value, *says;
    } lies[] = { { "step", "-1", "\"step\" is -1, want 0 to 240" },
                 { "step", "x", "\"step\"" },
                 { "at", "99", "\"at\" is 99, want 0 to 10" },
                 { "count", "0", "\"count\" is 0" },
                 { "count", "90000", "value" },
                 { "measured", "7", "history" },
                 { "value", "nan", "\"value\" holds nan at 0" },
                 { "mean", "inf", "\"mean\" holds inf at 0" },
                 { "square", "-1", "\"square\" holds -1 at 0" },
                 { "physad", "model", "no interrupted fit" },
                 { "fit", "", "other photos" } };
    for (int64_t i = 0; i < PHYSAD__COUNT(lies); i++) {
        remove(checkpoint);
        interrupt(folder, &o, 20);
        rewrite(ctx, checkpoint, lies[i].key, lies[i].value);
        assert_int_not_equal(physad_scene_fit(&scene, ctx, folder, &o, NULL), PHYSAD_OK);
        if (strstr(physad_last_error(), lies[i].says) == NULL)
            fail_msg("%s = %s: %s", lies[i].key, lies[i].value, physad_last_error());
        assert_null(scene);
    }
    remove(checkpoint);
    interrupt(folder, &o, 20);
    damage(checkpoint, 0, "nonsense");
    assert_int_not_equal(physad_scene_fit(&scene, ctx, folder, &o, NULL), PHYSAD_OK);
    o.resume = 0; /* begun anew, and over it */
    o.steps = 20;
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL));
    physad_scene_free(scene);
    o.coarse = 4;
    assert_fails(PHYSAD_ERR_ARG, "coarse is 4", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o.coarse = 0;
    o.densify = 2;
    assert_fails(PHYSAD_ERR_ARG, "densify is 2", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    o.densify = 0;
    o.exposure = -1;
    assert_fails(PHYSAD_ERR_ARG, "exposure is -1", physad_scene_fit(&scene, ctx, folder, &o, NULL));
    scratch_remove(folder);
    end_context(ctx);
}

/* One photo, two places. */
static void test_contradiction(void **state)
{
    char folder[256], path[512];
    physad_context *ctx = new_context(1);
    physad_scene_options o = quick();
    physad_scene *scene = NULL;
    json_t *root = NULL;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    write_photos(ctx, folder);
    assert_ok(physad__json_read(&root, &ctx->mem, path, 0));
    json_t *frames = json_object_get(root, "frames"), *again = json_deep_copy(json_array_get(frames, 3));
    json_array_set_new(json_array_get(json_object_get(again, "transform_matrix"), 0), 3, json_real(7));
    json_array_append_new(frames, again);
    assert_ok(physad__json_write(&ctx->mem, path, root));
    assert_fails(PHYSAD_ERR_FORMAT, "has two poses that contradict each other",
                 physad_scene_fit(&scene, ctx, folder, &o, NULL));
    json_object_set_new(again, "file_path", json_string("3.png")); /* of the same photo, which 3 stands for as well */
    assert_ok(physad__json_write(&ctx->mem, path, root));
    assert_fails(PHYSAD_ERR_FORMAT, "has two poses that contradict each other",
                 physad_scene_fit(&scene, ctx, folder, &o, NULL));
    json_object_set(again, "transform_matrix", json_object_get(json_array_get(frames, 3), "transform_matrix"));
    assert_ok(physad__json_write(&ctx->mem, path, root));
    json_decref(root);
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL)); /* the same pose once more is no harm */
    assert_int_equal(physad_scene_cameras(scene), VIEWS);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

/* --- memory --- */

/* The set in other units: what was one is `unit` now. */
static void change_units(physad_context *ctx, const char *folder, double unit)
{
    char path[512];
    json_t *root, *frame;
    size_t i;
    snprintf(path, sizeof(path), "%s/transforms.json", folder);
    assert_ok(physad__json_read(&root, &ctx->mem, path, 0));
    json_array_foreach(json_object_get(root, "frames"), i, frame) for (size_t row = 0; row < 3; row++)
    {
        json_t *numbers = json_array_get(json_object_get(frame, "transform_matrix"), row);
        json_array_set_new(numbers, 3, json_real(json_real_value(json_array_get(numbers, 3)) * unit));
    }
    assert_ok(physad__json_write(&ctx->mem, path, root));
    json_decref(root);
}

/* What a scene shows from where its first camera stands. */
static void look(uint8_t *to, physad_context *ctx, const char *path, const physad_camera *camera)
{
    physad_scene *scene = NULL;
    const physad_view view = picture(to);
    assert_ok(physad_scene_load(&scene, ctx, path));
    assert_ok(physad_scene_render(scene, camera, NULL, &view, NULL, NULL));
    physad_scene_free(scene);
}

/* A set in metres fits as one in millimetres: nothing hides because it is nearer than some number. */
static void test_units(void **state)
{
    static const char *const names[] = { "set.ply", "set.safetensors" };
    uint8_t fitted[HEIGHT * WIDTH * 3], loaded[HEIGHT * WIDTH * 3];
    physad_context *ctx = new_context(2);
    physad_scene_options o = quick();
    physad_scene *scene = NULL;
    char folder[256], path[512];
    scratch_make(folder, sizeof(folder));
    write_photos(ctx, folder);
    const physad_scene_quality usual = fit_to(NULL, ctx, folder, &o);
    change_units(ctx, folder, 0.01); /* the nearest of all stands at 0.02 */
    const physad_scene_quality small = fit_to(NULL, ctx, folder, &o);
    print_message("held-out PSNR: %.2f, in other units %.2f\n", usual.psnr, small.psnr);
    assert_in_range(1e4 * fabs(small.psnr - usual.psnr), 0, 5000);
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL));
    physad_camera camera = camera_at(1);
    camera.translation[2] *= 0.01;
    const physad_view view = picture(fitted);
    assert_ok(physad_scene_render(scene, &camera, NULL, &view, NULL, NULL));
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[k]);
        assert_ok(physad_scene_save(scene, path));
        look(loaded, ctx, path, &camera);
        assert_memory_equal(loaded, fitted, sizeof(fitted));
    }
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_memory(void **state)
{
    char folder[256], checkpoint[512];
    physad_context *ctx = new_context(1);
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_scene_options o = quick();
    scratch_make(folder, sizeof(folder));
    snprintf(checkpoint, sizeof(checkpoint), "%s/fit.safetensors", folder);
    write_photos(ctx, folder);
    o.steps = 6;
    o.densify_from = 1;
    o.densify_every = 2;
    o.densify = PHYSAD_SCENE_DENSIFY_MCMC;
    o.exposure = o.coarse = o.resume = 1;
    o.checkpoint = checkpoint;
    o.checkpoint_every = 2;
    o.measure_every = 3;
    o.random_points = 60;
    c.threads = 1;
    c.allocator = &failing_allocator;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int n = 3; status == PHYSAD_ERR_NOMEM; n += 1 + n / 16) {
        physad_context *poor = NULL;
        physad_scene *scene = NULL;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&poor, &c));
        allocations_left = n;
        status = physad_scene_fit(&scene, poor, folder, &o, NULL);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        allocations_left = INT64_MAX;
        physad_scene_free(scene);
        end_context(poor);
    }
    scratch_remove(folder);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_exposure),       cmocka_unit_test(test_exposure_step),
                                        cmocka_unit_test(test_exposure_trend), cmocka_unit_test(test_ways),
                                        cmocka_unit_test(test_masks),          cmocka_unit_test(test_alpha),
                                        cmocka_unit_test(test_resume),         cmocka_unit_test(test_resume_refused),
                                        cmocka_unit_test(test_contradiction),  cmocka_unit_test(test_units),
                                        cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
