/* SPDX-License-Identifier: Apache-2.0 */
/* COLMAP's models, transforms.json and PLY: what is right, what lies, and every file cut at every byte. */
#include "own_context.h"
#include "test.h"

#include "io/io.h"
#include "scratch.h"

#include <unistd.h>

static physad_context *fresh_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

/* --- bytes that are put together here --- */

typedef struct bytes {
    unsigned char data[4096];
    size_t size;
} bytes;

static void put(bytes *b, const void *data, size_t size)
{
    assert_true(b->size + size <= sizeof(b->data));
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

#define PUT(b, type, ...)                                  \
    do {                                                   \
        const type values_[] = { __VA_ARGS__ };            \
        put((b), values_, sizeof(values_));                \
    } while (0)

typedef struct model {
    bytes files[3];
} model;

/* Two cameras (OPENCV and SIMPLE_RADIAL), two images, one point. */
static model binary_model(void)
{
    model m = { 0 };
    bytes *c = &m.files[0], *i = &m.files[1], *p = &m.files[2];
    PUT(c, uint64_t, 2);
    PUT(c, uint32_t, 7, 4);
    PUT(c, uint64_t, 640, 480);
    PUT(c, double, 500, 510, 320, 240, 0.1, -0.2, 0.003, 0.004);
    PUT(c, uint32_t, 9, 2);
    PUT(c, uint64_t, 480, 640);
    PUT(c, double, 600, 240, 320, 0.05);
    PUT(i, uint64_t, 2);
    PUT(i, uint32_t, 1);
    PUT(i, double, 1, 0, 0, 0, 1, 2, 3);
    PUT(i, uint32_t, 9);
    put(i, "b 10.jpg", 9);
    PUT(i, uint64_t, 3);
    PUT(i, double, 4, 5);
    PUT(i, int64_t, -1);
    PUT(i, double, 6, 7.5);
    PUT(i, int64_t, 33);
    PUT(i, double, 8, 9);
    PUT(i, int64_t, 34); /* not there */
    PUT(i, uint32_t, 2);
    PUT(i, double, 0.70710678118654752, 0, 0.70710678118654752, 0, -1, 0, 0.5);
    PUT(i, uint32_t, 7);
    put(i, "b 9.jpg", 8);
    PUT(i, uint64_t, 0);
    PUT(p, uint64_t, 1);
    PUT(p, uint64_t, 33);
    PUT(p, double, 0.5, -1.5, 2.5);
    PUT(p, uint8_t, 1, 128, 255);
    PUT(p, double, 0.7);
    PUT(p, uint64_t, 1);
    PUT(p, uint32_t, 1, 0);
    return m;
}

static const char *const text_model[3] = {
    "# cameras\n7 OPENCV 640 480 500 510 320 240 0.1 -0.2 0.003 0.004\n9 SIMPLE_RADIAL 480 640 600 240 320 0.05\n",
    ("# images\n\n1 1 0 0 0 1 2 3 9 b 10.jpg\n4 5 -1 6 7.5 33 8 9 34\n2 0.70710678118654752 0 0.70710678118654752 0 -1 "
     "0 0.5 7 b 9.jpg\r\n\n"),
    "33 0.5 -1.5 2.5 1 128 255 0.7 1 0\n",
};

static physad_status parse(physad__poses *out, physad_context *ctx, const model *m)
{
    const void *data[3] = { m->files[0].data, m->files[1].data, m->files[2].data };
    const size_t sizes[3] = { m->files[0].size, m->files[1].size, m->files[2].size };
    return physad__colmap_parse(out, &ctx->mem, data, sizes, false, "here");
}

static void check_model(const physad__poses *p)
{
    assert_int_equal(p->n_photos, 2);
    assert_int_equal(p->n_points, 1);
    const physad__posed *nine = &p->photos[0], *ten = &p->photos[1]; /* as people number them */
    assert_string_equal(nine->name, "b 9.jpg");
    assert_string_equal(ten->name, "b 10.jpg");
    assert_near(nine->lens.fx, 500, 0);
    assert_near(nine->lens.fy, 510, 0);
    assert_near(nine->lens.p2, 0.004, 0);
    assert_near(ten->lens.fy, 600, 0);
    assert_near(ten->lens.k1, 0.05, 0);
    assert_near(ten->lens.k2, 0, 0);
    assert_int_equal(ten->lens.height, 640);
    const double turned[9] = { 0, 0, 1, 0, 1, 0, -1, 0, 0 };
    for (int k = 0; k < 9; k++) {
        assert_near(ten->rotation[k], k % 4 == 0, 1e-15);
        assert_near(nine->rotation[k], turned[k], 1e-15);
    }
    assert_near(nine->translation[2], 0.5, 0);
    assert_near(p->points[1], -1.5, 0);
    assert_int_equal(p->colours[1], 128);
    assert_int_equal(nine->n_seen, 0);
    assert_int_equal(ten->n_seen, 2);
    assert_int_equal(p->n_seen, 2);
    assert_int_equal(ten->first_seen, 0);
    assert_int_equal(p->seen[0].point, 0);
    assert_near(p->seen[0].y, 7.5, 0);
    assert_int_equal(p->seen[1].point, -1);
}

static void test_colmap(void **state)
{
    physad_context *ctx = fresh_context();
    physad__poses p;
    const model m = binary_model();
    assert_ok(parse(&p, ctx, &m));
    check_model(&p);
    physad__poses_free(&p);
    const void *data[3] = { text_model[0], text_model[1], text_model[2] };
    const size_t sizes[3] = { strlen(text_model[0]), strlen(text_model[1]), strlen(text_model[2]) };
    assert_ok(physad__colmap_parse(&p, &ctx->mem, data, sizes, true, "here"));
    check_model(&p);
    physad__poses_free(&p);
    end_context(ctx);
}

static void test_colmap_folder(void **state)
{
    static const char *const names[3] = { "cameras.txt", "images.txt", "points3D.txt" };
    physad_context *ctx = fresh_context();
    physad__poses p;
    char folder[256], path[512];
    scratch_make(folder, sizeof(folder));
    assert_fails(PHYSAD_ERR_IO, "cameras.txt", physad__colmap_read(&p, &ctx->mem, folder));
    for (int k = 0; k < 3; k++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[k]);
        assert_ok(physad__file_write_atomic(&ctx->mem, path, text_model[k], strlen(text_model[k])));
    }
    assert_ok(physad__colmap_read(&p, &ctx->mem, folder));
    check_model(&p);
    physad__poses_free(&p);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_colmap_cut(void **state)
{
    physad_context *ctx = fresh_context();
    physad__poses p;
    for (int file = 0; file < 3; file++) {
        model m = binary_model();
        for (size_t size = 0; size < binary_model().files[file].size; size++) {
            m.files[file].size = size;
            assert_fails(PHYSAD_ERR_FORMAT, "here: ", parse(&p, ctx, &m));
            assert_int_equal(physad_context_memory_used(ctx), 0);
        }
        m = binary_model();
        put(&m.files[file], "x", 1);
        assert_fails(PHYSAD_ERR_FORMAT, "bytes behind the last entry", parse(&p, ctx, &m));
    }
    end_context(ctx);
}

static void set(model *m, int file, size_t at, const void *value, size_t size)
{
    *m = binary_model();
    memcpy(m->files[file].data + at, value, size);
}

static void test_colmap_lies(void **state)
{
    physad_context *ctx = fresh_context();
    physad__poses p;
    model m;
    const uint64_t many = UINT64_MAX;
    const uint32_t fisheye = 5, nowhere = 8, unknown = 11;
    const double nan = NAN, negative = -1;
    for (int file = 0; file < 3; file++) {
        set(&m, file, 0, &many, 8);
        assert_fails(PHYSAD_ERR_FORMAT, "byte 0: a count of 18446744073709551615", parse(&p, ctx, &m));
    }
    set(&m, 0, 12, &fisheye, 4);
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "OPENCV_FISHEYE", parse(&p, ctx, &m));
    set(&m, 0, 12, &unknown, 4);
    assert_fails(PHYSAD_ERR_FORMAT, "not one of COLMAP's", parse(&p, ctx, &m));
    set(&m, 0, 32, &nan, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "not finite", parse(&p, ctx, &m));
    set(&m, 0, 32, &negative, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "focal length is not positive", parse(&p, ctx, &m));
    set(&m, 0, 16, &many, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "1 to 1000000 pixels", parse(&p, ctx, &m));
    set(&m, 0, 96, "\x07", 1);
    assert_fails(PHYSAD_ERR_FORMAT, "two cameras have one number", parse(&p, ctx, &m));
    set(&m, 1, 12, &nan, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "quaternion", parse(&p, ctx, &m));
    set(&m, 1, 44, &nan, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "translation is not finite", parse(&p, ctx, &m));
    set(&m, 1, 68, &nowhere, 4);
    assert_fails(PHYSAD_ERR_FORMAT, "a camera that is not there", parse(&p, ctx, &m));
    set(&m, 1, 72, "", 1);
    assert_fails(PHYSAD_ERR_FORMAT, "name is empty", parse(&p, ctx, &m));
    set(&m, 1, 81, &many, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "points do not fit", parse(&p, ctx, &m));
    set(&m, 1, 113, &nan, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "an image's point is not finite", parse(&p, ctx, &m));
    set(&m, 2, 16, &nan, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "place is not finite", parse(&p, ctx, &m));
    set(&m, 2, 51, &many, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "track does not fit", parse(&p, ctx, &m));
    m = binary_model();
    put(&m.files[2], binary_model().files[2].data + 8, binary_model().files[2].size - 8);
    m.files[2].data[0] = 2;
    assert_fails(PHYSAD_ERR_FORMAT, "here: two points have one number, 33", parse(&p, ctx, &m));
    const void *data[3] = { text_model[0], "1 1 0 0 0 1 2 3 9 a.jpg\n4 5 -1 6\n", text_model[2] };
    const size_t sizes[3] = { strlen(data[0]), strlen(data[1]), strlen(data[2]) };
    assert_fails(PHYSAD_ERR_FORMAT, "X Y POINT", physad__colmap_parse(&p, &ctx->mem, data, sizes, true, "here"));
    m = binary_model();
    m.files[1].size = 8;
    memset(m.files[1].data, 0, 8);
    assert_fails(PHYSAD_ERR_FORMAT, "no image has a pose", parse(&p, ctx, &m));
    end_context(ctx);
}

/* --- transforms.json --- */

static physad_status transforms(physad__poses *out, physad_context *ctx, const char *text)
{
    return physad__transforms_parse(out, &ctx->mem, text, strlen(text), "here.json");
}

#define FRAME(more, matrix)                                                                                            \
    "{\"camera_angle_x\": 0.9, \"frames\": [{\"file_path\": \"./train/r_0\", " more "\"transform_matrix\": " matrix    \
    "}]}"
#define UPRIGHT "[[1,0,0,4],[0,1,0,5],[0,0,1,6],[0,0,0,1]]"

static void test_transforms(void **state)
{
    physad_context *ctx = fresh_context();
    physad__poses p;
    assert_ok(transforms(&p, ctx, FRAME("", UPRIGHT)));
    assert_int_equal(p.n_photos, 1);
    assert_string_equal(p.photos[0].name, "train/r_0");
    const double rotation[9] = { 1, 0, 0, 0, -1, 0, 0, 0, -1 }, translation[3] = { -4, 5, 6 };
    for (int k = 0; k < 9; k++)
        assert_near(p.photos[0].rotation[k], rotation[k], 0);
    for (int k = 0; k < 3; k++)
        assert_near(p.photos[0].translation[k], translation[k], 0);
    physad__lens lens = p.photos[0].lens;
    assert_ok(physad__lens_fit(&lens, 800, 600, "photo"));
    assert_near(lens.fx, 400 / tan(0.45), 1e-9);
    assert_near(lens.fy, lens.fx, 0);
    assert_near(lens.cx, 400, 0);
    assert_near(lens.cy, 300, 0);
    physad__poses_free(&p);
    assert_ok(transforms(
        &p, ctx,
        FRAME("\"fl_x\": 700, \"fl_y\": 690, \"cx\": 310, \"cy\": 250, \"w\": 640, \"h\": 480, \"k1\": 0.1, ",
              UPRIGHT)));
    lens = p.photos[0].lens;
    assert_near(lens.k1, 0.1, 0);
    assert_ok(physad__lens_fit(&lens, 320, 240, "photo")); /* smaller than the camera says */
    assert_near(lens.fx, 350, 1e-12);
    assert_near(lens.fy, 345, 1e-12);
    assert_near(lens.cx, 155, 1e-12);
    assert_near(lens.cy, 125, 1e-12);
    lens = p.photos[0].lens;
    assert_fails(PHYSAD_ERR_FORMAT, "photo: the photo has 240 x 320 pixels",
                 physad__lens_fit(&lens, 240, 320, "photo"));
    physad__poses_free(&p);
    end_context(ctx);
}

static void test_transforms_lies(void **state)
{
    static const struct {
        physad_status status;
        const char *says, *text;
    } cases[] = {
        { PHYSAD_ERR_FORMAT, "line 1", "{" },
        { PHYSAD_ERR_FORMAT, "no frames", "[]" },
        { PHYSAD_ERR_FORMAT, "no frames", "{\"frames\": []}" },
        { PHYSAD_ERR_FORMAT, "frame 0: has no file_path", "{\"frames\": [3]}" },
        { PHYSAD_ERR_FORMAT, "mirrors", FRAME("", "[[-1,0,0,4],[0,1,0,5],[0,0,1,6],[0,0,0,1]]") },
        { PHYSAD_ERR_FORMAT, "no rotation", FRAME("", "[[2,0,0,4],[0,2,0,5],[0,0,2,6],[0,0,0,1]]") },
        { PHYSAD_ERR_FORMAT, "4 x 4 finite", FRAME("", "[[1,0,0,4],[0,1,0],[0,0,1,6]]") },
        { PHYSAD_ERR_FORMAT, "4 x 4 finite", FRAME("", "7") },
        { PHYSAD_ERR_FORMAT, "fl_x is not a finite number", FRAME("\"fl_x\": \"wide\", ", UPRIGHT) },
        { PHYSAD_ERR_FORMAT, "w and h", FRAME("\"w\": -4, ", UPRIGHT) },
        { PHYSAD_ERR_FORMAT, "neither fl_x", FRAME("\"camera_angle_x\": 4, ", UPRIGHT) },
        { PHYSAD_ERR_UNSUPPORTED, "FISHEYE", FRAME("\"camera_model\": \"OPENCV_FISHEYE\", ", UPRIGHT) },
        { PHYSAD_ERR_UNSUPPORTED, "k3 = 0.5", FRAME("\"k3\": 0.5, ", UPRIGHT) },
    };
    physad_context *ctx = fresh_context();
    physad__poses p;
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        assert_fails(cases[i].status, cases[i].says, transforms(&p, ctx, cases[i].text));
        assert_non_null(strstr(physad_last_error(), "here.json"));
    }
    end_context(ctx);
}

/* OpenCV's formula, written out once more. */
static void test_lens(void **state)
{
    const physad__lens lens = { 640, 480, 500, 510, 320, 240, 0.1, -0.05, 0.01, -0.02, 0 };
    double u, v;
    physad__lens_project(&lens, 0.3, -0.2, &u, &v);
    const double r2 = 0.13, radial = 1 + 0.1 * r2 - 0.05 * r2 * r2;
    assert_near(u, 500 * (0.3 * radial + 2 * 0.01 * 0.3 * -0.2 - 0.02 * (r2 + 2 * 0.09)) + 320, 1e-10);
    assert_near(v, 510 * (-0.2 * radial + 0.01 * (r2 + 2 * 0.04) + 2 * -0.02 * 0.3 * -0.2) + 240, 1e-10);
}

/* Both files of the photos tell one story: distances between cameras, up to one scale. */
/* What no lens does to a photo. */
static void test_lens_lies(void **state)
{
    const physad__lens usual = { 640, 480, 500, 500, 320, 240, -0.2, 0.05, 0.001, 0, 0 };
    assert_ok(physad__lens_check(&usual, "photo"));
    for (int kind = 0; kind < 8; kind++) {
        physad__lens lens = usual;
        double *const fields[] = { &lens.fx, &lens.fy, &lens.cx, &lens.cy, &lens.k1, &lens.k2, &lens.p1, &lens.p2 };
        for (int wrong = 0; wrong < 3; wrong++) {
            *fields[kind] = wrong == 0 ? 1e308 : wrong == 1 ? -1e9 : (double)NAN;
            if (kind < 2 && wrong == 0) /* so far away that nothing is bent is a lens still */
                continue;
            assert_fails(PHYSAD_ERR_FORMAT, "photo: ", physad__lens_check(&lens, "photo"));
        }
    }
}

static void test_fox(void **state)
{
    physad_context *ctx = fresh_context();
    physad__poses a, b;
    char path[4096], json[4096];
    test_data(path, "fox/sparse/0");
    test_data(json, "fox/transforms.json");
    assert_ok(physad__colmap_read(&a, &ctx->mem, path));
    assert_ok(physad__transforms_read(&b, &ctx->mem, json));
    assert_int_equal(a.n_photos, 33);
    assert_int_equal(b.n_photos, 33);
    assert_int_equal(a.n_points, 10755);
    double ratio = 0;
    for (int64_t i = 1; i < 33; i++) {
        double turn[2] = { 0, 0 };
        const physad__poses *both[2] = { &a, &b };
        for (int k = 0; k < 2; k++) /* the trace of the turn between two cameras knows no world */
            for (int j = 0; j < 9; j++)
                turn[k] += both[k]->photos[0].rotation[j] * both[k]->photos[i].rotation[j];
        assert_near(turn[0], turn[1], 0.02);
        ratio = fmax(ratio, fabs(turn[0] - 3));
    }
    assert_true(ratio > 0.1);
    physad__poses_free(&a);
    physad__poses_free(&b);
    end_context(ctx);
}

/* --- PLY --- */

static physad__gaussians gaussians(physad_context *ctx, int64_t count, int32_t degree)
{
    physad__gaussians g = { .count = count, .stride = (count + 15) / 16 * 16, .degree = degree };
    const int64_t n = (11 + 3 * (degree + 1) * (degree + 1)) * g.stride;
    g.planes = physad__alloc_array(&ctx->mem, n, sizeof(float), "test");
    for (int64_t i = 0; i < n; i++)
        g.planes[i] = i % g.stride < count ? (float)i * 0.25f - 7 : 0;
    return g;
}

static void test_ply(void **state)
{
    physad_context *ctx = fresh_context();
    char folder[256], path[512];
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/scene.ply", folder);
    for (int32_t degree = 0; degree <= 3; degree++) {
        physad__gaussians g = gaussians(ctx, 21, degree), back;
        assert_ok(physad__gaussians_write(&ctx->mem, path, &g));
        assert_ok(physad__gaussians_read(&back, &ctx->mem, path, 16));
        assert_int_equal(back.count, 21);
        assert_int_equal(back.stride, 32);
        assert_int_equal(back.degree, degree);
        assert_memory_equal(g.planes, back.planes,
                            (size_t)((11 + 3 * (degree + 1) * (degree + 1)) * 32) * sizeof(float));
        physad__free(g.planes);
        physad__free(back.planes);
    }
    scratch_remove(folder);
    end_context(ctx);
}

#define PLY_HEAD "ply\nformat ascii 1.0\ncomment of ours\nelement vertex 1\n"
#define PLY_FRONT "property float x\nproperty double y\nproperty float z\nproperty uchar red\n"
#define PLY_BACK                                                                                                       \
    "property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\nproperty float opacity\nproperty float "     \
    "scale_0\n"                                                                                                        \
    "property float scale_1\nproperty float scale_2\nproperty float rot_0\nproperty float rot_1\nproperty float "      \
    "rot_2\n"                                                                                                          \
    "property float rot_3\nend_header\n"
#define PLY_LINE "1 2.5 3 200 4 5 6 7 8 9 10 11 12 13 14\n"

static void test_ply_ascii(void **state)
{
    static const char text[] = PLY_HEAD PLY_FRONT PLY_BACK PLY_LINE;
    static const float want[14] = { 1, 2.5f, 3, 8, 9, 10, 11, 12, 13, 14, 7, 4, 5, 6 };
    physad_context *ctx = fresh_context();
    physad__gaussians g;
    assert_ok(physad__gaussians_parse(&g, &ctx->mem, text, strlen(text), 1, "here.ply"));
    assert_memory_equal(g.planes, want, sizeof(want));
    assert_true(g.nearest == 0);
    physad__free(g.planes);
    for (size_t size = 0; size < strlen(text) - 2; size++) {
        assert_fails(PHYSAD_ERR_FORMAT,
                     "here.ply: ", physad__gaussians_parse(&g, &ctx->mem, text, size, 1, "here.ply"));
        assert_int_equal(physad_context_memory_used(ctx), 0);
    }
    end_context(ctx);
}

static void test_ply_lies(void **state)
{
    static const struct {
        const char *says, *text;
    } cases[] = {
        { "does not begin", "plx\n" },
        { "no end", "ply\n" },
        { "not understood", "ply\nformat binary_big_endian 1.0\n" },
        { "a distance from where on", "ply\ncomment physad nearest -1\n" },
        { "a distance from where on", "ply\ncomment physad nearest 1e-60\n" },
        { "a distance from where on", "ply\ncomment physad nearest nan\n" },
        { "names no format", "ply\nelement vertex 1\n" PLY_FRONT PLY_BACK PLY_LINE },
        { "not a count", "ply\nelement face 3\n" },
        { "not a count", "ply\nelement vertex -3\n" },
        { "a second element", PLY_HEAD "element face 3\n" },
        { "no scalar", PLY_HEAD "property list uchar int vertex_indices\n" },
        { "one name", PLY_HEAD "property float x\nproperty float x\n" },
        { "not all there", PLY_HEAD PLY_FRONT "end_header\n" },
        { "want 0, 9, 24 or 45", PLY_HEAD PLY_FRONT "property float f_rest_0\n" PLY_BACK },
        { "do not fit", "ply\nformat ascii 1.0\nelement vertex 9000000000000000000\n" PLY_FRONT PLY_BACK PLY_LINE },
        { "want a number", PLY_HEAD PLY_FRONT PLY_BACK "1 2 3 4 5 6 7 8 9 10 11 12 13 14 none\n" },
        { "not finite", PLY_HEAD PLY_FRONT PLY_BACK "1 2 3 4 5 6 7 8 9 10 11 12 13 14 nan\n" },
        { "behind the last vertex", PLY_HEAD PLY_FRONT PLY_BACK PLY_LINE "1\n" },
    };
    physad_context *ctx = fresh_context();
    physad__gaussians g;
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++)
        assert_fails(PHYSAD_ERR_FORMAT, cases[i].says,
                     physad__gaussians_parse(&g, &ctx->mem, cases[i].text, strlen(cases[i].text), 1, "here.ply"));
    end_context(ctx);
}

/* A camera for each of many images: each finds its own, and a number that is there twice is found at the end. */
static void test_many_cameras(void **state)
{
    enum { MANY = 60000 };
    physad_context *ctx = fresh_context();
    physad__poses p;
    const size_t room = (size_t)MANY * 48;
    char *cameras = malloc(room + 64), *images = malloc((size_t)MANY * 64);
    size_t size = 0, at = 0;
    assert_true(cameras != NULL && images != NULL);
    for (int i = 0; i < MANY; i++) { /* numbers far apart, in no order */
        const int id = (int)((int64_t)i * 7919 % MANY) * 64;
        size += (size_t)snprintf(cameras + size, 48, "%d PINHOLE 640 480 %d 500 320 240\n", id, id + 1);
        at += (size_t)snprintf(images + at, 64, "%d 1 0 0 0 0 0 0 %d %d.jpg\n\n", i, i * 64, i);
    }
    const void *data[3] = { cameras, images, "" };
    size_t sizes[3] = { size, at, 0 };
    assert_ok(physad__colmap_parse(&p, &ctx->mem, data, sizes, true, "here"));
    assert_int_equal(p.n_photos, MANY);
    for (int64_t i = 0; i < MANY; i++)
        assert_near(p.photos[i].lens.fx, (double)(i * 64 + 1), 0);
    physad__poses_free(&p);
    sizes[0] += (size_t)snprintf(cameras + size, 64, "64 PINHOLE 640 480 1 1 1 1\n");
    assert_fails(PHYSAD_ERR_FORMAT, "two cameras have one number",
                 physad__colmap_parse(&p, &ctx->mem, data, sizes, true, "here"));
    sizes[0] = size;
    sizes[1] = at + (size_t)snprintf(images + at, 64, "1 1 0 0 0 0 0 0 63 x.jpg\n\n");
    assert_fails(PHYSAD_ERR_FORMAT, "a camera that is not there",
                 physad__colmap_parse(&p, &ctx->mem, data, sizes, true, "here"));
    free(cameras);
    free(images);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_cameras), cmocka_unit_test(test_colmap),     cmocka_unit_test(test_colmap_folder),
        cmocka_unit_test(test_colmap_cut), cmocka_unit_test(test_colmap_lies),
        cmocka_unit_test(test_transforms), cmocka_unit_test(test_transforms_lies),
        cmocka_unit_test(test_lens), cmocka_unit_test(test_lens_lies),       cmocka_unit_test(test_fox),
        cmocka_unit_test(test_ply),        cmocka_unit_test(test_ply_ascii),
        cmocka_unit_test(test_ply_lies),
    };
    return cmocka_run_group_tests_name("poses", tests, NULL, NULL);
}
