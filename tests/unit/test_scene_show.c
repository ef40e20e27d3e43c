/* SPDX-License-Identifier: Apache-2.0 */
/* Scenes to be looked at: the page, the video around. What a browser makes of the page is tests/report's. */
#include "test.h"

#include "scene_help.h"

#include <physad/video.h>

static char *text_of(physad_context *ctx, const char *path)
{
    static unsigned char *data; /* its value outlives the call */
    size_t size;
    assert_ok(physad__file_read(&data, &size, &ctx->mem, path, 0));
    return (char *)data;
}

/* The numbers of an attribute of the page. */
static void numbers_of(double *out, int count, const char *page, const char *name)
{
    char key[32], word[64];
    snprintf(key, sizeof(key), " data-%s=\"", name);
    const char *at = strstr(page, key);
    assert_non_null(at);
    at += strlen(key);
    for (int k = 0; k < count; k++) {
        const size_t n = strcspn(at, ",\"");
        assert_true(n < sizeof(word));
        memcpy(word, at, n);
        word[n] = 0;
        assert_true(physad__parse_double(word, &out[k]));
        at += n + 1;
    }
}

static void test_page(void **state)
{
    char folder[256], path[512];
    physad_context *ctx = new_context(2);
    physad_scene_html_options o = PHYSAD_SCENE_HTML_OPTIONS_INIT;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.html", folder);
    physad_scene *scene = known_scene(ctx, folder);
    const physad_camera camera = camera_at(2);
    const double centre[3] = { 0.1, -0.2, 0.3 };
    double got[9];
    o.title = "</script><b>&";
    o.camera = &camera;
    o.centre = centre;
    o.background[1] = 0.5f;
    assert_ok(physad_scene_html(scene, path, &o));
    char *page = text_of(ctx, path);
    assert_non_null(strstr(page, "<title>&lt;/script&gt;&lt;b&gt;&amp;</title>"));
    assert_null(strstr(page, "<b>&<"));
    assert_null(strstr(page, "http:"));
    assert_null(strstr(page, "https:"));
    numbers_of(got, 9, page, "rotation");
    for (int k = 0; k < 9; k++)
        assert_near(got[k], camera.rotation[k], 1e-8);
    numbers_of(got, 3, page, "centre");
    for (int k = 0; k < 3; k++)
        assert_near(got[k], centre[k], 1e-8);
    numbers_of(got, 3, page, "background");
    assert_near(got[1], 0.5, 1e-8);
    static const char opening[] = "<script id=\"gaussians\" type=\"text/plain\">";
    const char *block = strstr(page, opening);
    assert_non_null(block);
    const size_t size =
        strcspn(block + strlen(opening), "<"); /* base64 of 32 bytes each; the faint ones are left out */
    assert_true(size % 4 == 0 && size <= (COUNT * 32 + 2) / 3 * 4 && size > COUNT * 32);
    physad__free(page);

    /* seen from in front, where nobody says from where: its middle lies ahead */
    assert_ok(physad_scene_html(scene, path, NULL));
    page = text_of(ctx, path);
    double rotation[9], translation[3];
    numbers_of(rotation, 9, page, "rotation");
    numbers_of(translation, 3, page, "translation");
    numbers_of(got, 3, page, "centre");
    for (int row = 0; row < 3; row++) {
        double at = translation[row];
        for (int k = 0; k < 3; k++)
            at += rotation[row * 3 + k] * got[k];
        assert_true(row < 2 ? fabs(at) < 1e-6 : at > 0.5);
    }
    physad__free(page);
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_scene_html(NULL, path, NULL));
    assert_fails(PHYSAD_ERR_ARG, "name of a file", physad_scene_html(scene, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "name of a file", physad_scene_html(scene, "", NULL));
    assert_fails(PHYSAD_ERR_IO, "none/scene.html", physad_scene_html(scene, "/none/scene.html", NULL));
    o.background[0] = -1;
    assert_fails(PHYSAD_ERR_ARG, "background is -1", physad_scene_html(scene, path, &o));
    o.background[0] = 0;
    const physad_camera blind = { .width = 0 };
    o.camera = &blind;
    assert_fails(PHYSAD_ERR_ARG, "no lens", physad_scene_html(scene, path, &o));
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

/* The photos' cameras look at the origin and stand upright. */
static void test_fitted(void **state)
{
    char folder[256], path[512];
    physad_context *ctx = new_context(2);
    physad_scene_options o = PHYSAD_SCENE_OPTIONS_INIT;
    physad_scene *scene = NULL;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.html", folder);
    write_photos(ctx, folder);
    o.steps = 2;
    o.random_points = 100;
    assert_ok(physad_scene_fit(&scene, ctx, folder, &o, NULL));
    assert_ok(physad_scene_html(scene, path, NULL));
    char *page = text_of(ctx, path);
    double centre[3], up[3], rotation[9];
    numbers_of(centre, 3, page, "centre");
    numbers_of(up, 3, page, "up");
    numbers_of(rotation, 9, page, "rotation");
    for (int k = 0; k < 3; k++)
        assert_near(centre[k], 0, 1e-6);
    assert_true(fabs(up[0]) < 0.1 * fabs(up[1]) && fabs(up[2]) < 0.1 * fabs(up[1]));
    for (int k = 0; k < 9; k++)
        assert_near(rotation[k], camera_at(0).rotation[k], 1e-8);
    physad__free(page);
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_turntable(void **state)
{
    enum { FRAMES = 8 };
    char folder[256], path[512];
    static uint8_t frames[FRAMES][HEIGHT * WIDTH * 3];
    physad_context *ctx = new_context(2);
    physad_scene_turntable_options o = PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/around.mp4", folder);
    physad_scene *scene = known_scene(ctx, folder);
    const physad_camera camera = camera_at(0);
    const double centre[3] = { 0 };
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_scene_turntable(NULL, path, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "name of a file", physad_scene_turntable(scene, NULL, NULL, NULL));
    o.width = 33;
    assert_fails(PHYSAD_ERR_ARG, "even", physad_scene_turntable(scene, path, &o, NULL));
    o.frames = -1;
    assert_fails(PHYSAD_ERR_ARG, "frames is -1", physad_scene_turntable(scene, path, &o, NULL));
    o = (physad_scene_turntable_options)PHYSAD_SCENE_TURNTABLE_OPTIONS_INIT;
    o.frames = FRAMES;
    o.rate = 10;
    o.width = WIDTH;
    o.height = HEIGHT;
    o.camera = &camera;
    o.centre = centre;
    if (physad__video_available()) {
        physad_video *video = NULL;
        assert_ok(physad_scene_turntable(scene, path, &o, NULL));
        assert_ok(physad_video_open(&video, ctx, path, NULL));
        int64_t n = 0;
        for (;;) {
            physad_frame frame = PHYSAD_FRAME_INIT;
            const int64_t shape[3] = { HEIGHT, WIDTH, 3 };
            const physad_status status = physad_video_read(video, &frame);
            if (status != PHYSAD_OK || frame.pixels.data == NULL)
                break;
            assert_true(n < FRAMES);
            assert_int_equal(frame.pixels.shape[1], shape[1]);
            for (int64_t y = 0; y < HEIGHT; y++)
                memcpy(frames[n] + y * WIDTH * 3, (const char *)frame.pixels.data + y * frame.pixels.stride[0],
                       WIDTH * 3);
            n++;
        }
        assert_int_equal(n, FRAMES);
        physad_video_free(video);
        /* frame k is what a camera shows that went k eighths around: near the library's own picture, far from the other
         * side's */
        for (int k = 0; k < FRAMES; k += 2) {
            uint8_t want[HEIGHT * WIDTH * 3];
            const physad_view view = picture(want);
            physad_camera c = camera_at(0);
            const double angle = 2 * M_PI * k / FRAMES, cosine = cos(angle),
                         sine = sin(angle) * (c.rotation[4] > 0 ? -1 : 1);
            for (int row = 0; row < 3; row++) { /* the world turned the other way about its up */
                const double x = camera.rotation[row * 3], z = camera.rotation[row * 3 + 2];
                c.rotation[row * 3] = cosine * x + sine * z;
                c.rotation[row * 3 + 2] = -sine * x + cosine * z;
            }
            assert_ok(physad_scene_render(scene, &c, NULL, &view, NULL, NULL));
            double same = 0, other = 0;
            for (int i = 0; i < HEIGHT * WIDTH * 3; i++) {
                same += abs(frames[k][i] - want[i]);
                other += abs(frames[(k + FRAMES / 2) % FRAMES][i] - want[i]);
            }
            assert_true(same < 0.5 * other);
        }
    }
    physad_scene_free(scene);
    scratch_remove(folder);
    end_context(ctx);
}

static int allowed;

static void *failing_alloc(size_t size, void *user)
{
    return allowed-- > 0 ? malloc(size) : NULL;
}

static void failing_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

static void test_memory(void **state)
{
    char folder[256], path[512], ply[512];
    physad_context *ctx = new_context(1);
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    const physad_allocator allocator = { failing_alloc, failing_free, NULL };
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.html", folder);
    snprintf(ply, sizeof(ply), "%s/known.ply", folder);
    physad_scene_free(known_scene(ctx, folder));
    c.threads = 1;
    c.allocator = &allocator;
    physad_status status = PHYSAD_ERR_NOMEM;
    for (int n = 0; status == PHYSAD_ERR_NOMEM; n++) {
        physad_context *poor = NULL;
        physad_scene *scene = NULL;
        allowed = INT32_MAX;
        assert_ok(physad_context_new(&poor, &c));
        assert_ok(physad_scene_load(&scene, poor, ply));
        allowed = n;
        status = physad_scene_html(scene, path, NULL);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        assert_true(physad__path_exists(path) == (status == PHYSAD_OK)); /* whole or not at all */
        allowed = INT32_MAX;
        physad_scene_free(scene);
        end_context(poor);
    }
    scratch_remove(folder);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_page), cmocka_unit_test(test_fitted),
                                        cmocka_unit_test(test_turntable), cmocka_unit_test(test_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
