/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of Gaussians and their renderer as handles: against the slow renderer in double and the internal one's
 * gradients, which test_splat.c compares with central differences. */
#include "failing.h"
#include "own_context.h"
#include "scratch.h"

#include <physad/scene.h>
#include <physad/splat.h>

#include "splat_scene.h"

enum { ARRAYS = PHYSAD__SPLAT_ARRAYS };

/* --- a set of a random scene --- */

typedef struct set {
    scene s;
    physad_camera camera;
    physad_view views[ARRAYS];
    physad_gaussians *gaussians;
} set;

static physad_status make(physad_gaussians **out, physad_context *ctx, const physad_view v[ARRAYS])
{
    return physad_gaussians_new(out, ctx, &v[0], &v[1], &v[2], &v[3], &v[4]);
}

static set set_begin(int64_t count, int degree, int extra, int64_t width, int64_t height, uint64_t seed)
{
    set t = { .s = scene_make(count, degree, extra, width, height, 0, seed) };
    const ref_scene *r = &t.s.ref;
    t.camera = (physad_camera){ .fx = r->fx, .fy = r->fy, .cx = r->cx, .cy = r->cy, .width = width, .height = height };
    memcpy(t.camera.rotation, r->rotation, sizeof(r->rotation));
    memcpy(t.camera.translation, r->translation, sizeof(r->translation));
    physad__splat_arrays(t.views, t.s.planes, t.s.stride, count, degree);
    return t;
}

static set set_make(physad_context *ctx, int64_t count, int degree, int extra, int64_t width, int64_t height,
                    uint64_t seed)
{
    set t = set_begin(count, degree, extra, width, height, seed);
    assert_ok(make(&t.gaussians, ctx, t.views));
    return t;
}

static void set_free(set *t)
{
    physad_gaussians_free(t->gaussians);
    scene_free(&t->s);
}

static physad_view view_of(float *data, int32_t ndim, int64_t a, int64_t b, int64_t c)
{
    return physad_view_array(data, PHYSAD_F32, ndim, (const int64_t[3]){ a, b, c });
}

/* --- numbers in and out --- */

static void test_numbers(void **state)
{
    physad_context *ctx = new_context(1);
    static const int32_t coefficients[] = { 1, 4, 9, 16 };
    for (int degree = 0; degree <= 3; degree++) {
        set t = set_make(ctx, 21, degree, 0, 20, 20, 3);
        const int64_t n = 21, k = coefficients[degree];
        float xyz[63], log_scale[63], quaternion[84], opacity[42], harmonics[21 * 48];
        physad_view xyz_view = view_of(xyz, 2, n, 3, 0), scale_view = view_of(log_scale, 2, n, 3, 0),
                    turn_view = view_of(quaternion, 2, n, 4, 0), opacity_view = view_of(opacity + 40, 1, n, 0, 0),
                    harmonics_view = view_of(harmonics, 3, n, k, 3);
        opacity_view.stride[0] = -8; /* from the last, every second */
        assert_int_equal(physad_gaussians_count(t.gaussians), n);
        assert_int_equal(physad_gaussians_harmonics(t.gaussians), k);
        assert_ok(physad_gaussians_get(t.gaussians, &xyz_view, &scale_view, &turn_view, &opacity_view,
                                       &harmonics_view));
        for (int64_t i = 0; i < n; i++) {
            const float *p = t.s.planes + i;
            const int64_t stride = t.s.stride;
            for (int64_t j = 0; j < 3; j++) {
                assert_true(xyz[3 * i + j] == p[j * stride]);
                assert_true(log_scale[3 * i + j] == p[(3 + j) * stride]);
            }
            for (int64_t j = 0; j < 4; j++)
                assert_true(quaternion[4 * i + j] == p[(6 + j) * stride]);
            assert_true(opacity[40 - 2 * i] == p[10 * stride]);
            for (int64_t j = 0; j < 3 * k; j++)
                assert_true(harmonics[3 * k * i + j] == p[(11 + j) * stride]);
        }
        xyz[4] = 77;
        assert_ok(physad_gaussians_set(t.gaussians, &xyz_view, NULL, NULL, &opacity_view, NULL));
        xyz[4] = 0;
        assert_ok(physad_gaussians_get(t.gaussians, &xyz_view, NULL, NULL, NULL, NULL));
        assert_true(xyz[4] == 77);
        assert_ok(physad_gaussians_get(t.gaussians, NULL, NULL, NULL, NULL, NULL));
        set_free(&t);
    }
    assert_int_equal(physad_gaussians_count(NULL), 0);
    assert_int_equal(physad_gaussians_harmonics(NULL), 0);
    physad_gaussians_free(NULL);
    end_context(ctx);
}

static void test_numbers_refused(void **state)
{
    physad_context *ctx = new_context(1);
    set t = set_begin(20, 1, 0, 20, 20, 3);
    physad_view v[ARRAYS];
    physad_gaussians *g = NULL;
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", make(NULL, ctx, t.views));
    assert_fails(PHYSAD_ERR_ARG, "physad_gaussians_new", make(&g, NULL, t.views));
    static const char *const names[ARRAYS] = { "xyz", "log_scale", "quaternion", "opacity", "harmonics" };
    for (int k = 0; k < ARRAYS; k++) {
        const physad_view *given[ARRAYS];
        for (int j = 0; j < ARRAYS; j++)
            given[j] = j == k ? NULL : &t.views[j];
        assert_fails(PHYSAD_ERR_ARG, names[k],
                     physad_gaussians_new(&g, ctx, given[0], given[1], given[2], given[3], given[4]));
        memcpy(v, t.views, sizeof(v));
        v[k].dtype = PHYSAD_I32;
        assert_fails(PHYSAD_ERR_DTYPE, names[k], make(&g, ctx, v));
        memcpy(v, t.views, sizeof(v));
        v[k].shape[0] = 19;
        assert_fails(PHYSAD_ERR_SHAPE, "got", make(&g, ctx, v));
        memcpy(v, t.views, sizeof(v));
        v[k].data = NULL;
        assert_fails(PHYSAD_ERR_ARG, names[k], make(&g, ctx, v));
        float *const number = (float *)t.views[k].data + 7, before = *number; /* of Gaussian 7 */
        static const float bad[] = { NAN, INFINITY, -INFINITY };
        for (int b = 0; b < 3; b++) {
            *number = bad[b];
            assert_fails(PHYSAD_ERR_NUMERIC, "Gaussian 7", make(&g, ctx, t.views));
            assert_non_null(strstr(physad_last_error(), names[k]));
        }
        *number = before;
    }
    memcpy(v, t.views, sizeof(v));
    v[4].shape[1] = 3;
    assert_fails(PHYSAD_ERR_SHAPE, "3 coefficients", make(&g, ctx, v));
    for (int k = 6; k < 10; k++)
        t.s.planes[k * t.s.stride + 5] = 0;
    assert_fails(PHYSAD_ERR_NUMERIC, "quaternion of Gaussian 5 is zero", make(&g, ctx, t.views));
    t.s.planes[6 * t.s.stride + 5] = 1;
    assert_ok(make(&g, ctx, t.views));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_gaussians_set(NULL, &t.views[0], NULL, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_gaussians_get(NULL, &t.views[0], NULL, NULL, NULL, NULL));
    memcpy(v, t.views, sizeof(v));
    v[3].flags = PHYSAD_VIEW_READONLY;
    assert_fails(PHYSAD_ERR_ARG, "read-only", physad_gaussians_get(g, NULL, NULL, NULL, &v[3], NULL));
    v[2].shape[1] = 3;
    assert_fails(PHYSAD_ERR_SHAPE, "(20,4)", physad_gaussians_get(g, NULL, NULL, &v[2], NULL, NULL));
    /* a set that fails changes nothing, the good part of it neither */
    float before[20], after[20], zeros[20] = { 0 }, wrong[20] = { 0 };
    wrong[3] = NAN;
    physad_view to = view_of(before, 1, 20, 0, 0), again = view_of(after, 1, 20, 0, 0),
                all = view_of(zeros, 1, 20, 0, 0), nan = t.views[0];
    nan.data = wrong;
    nan.stride[0] = sizeof(float);
    nan.stride[1] = 0;
    assert_ok(physad_gaussians_get(g, NULL, NULL, NULL, &to, NULL));
    assert_fails(PHYSAD_ERR_NUMERIC, "xyz of Gaussian 3", physad_gaussians_set(g, &nan, NULL, NULL, &all, NULL));
    assert_ok(physad_gaussians_get(g, NULL, NULL, NULL, &again, NULL));
    assert_memory_equal(before, after, sizeof(before));
    physad_gaussians_free(g);
    set_free(&t);
    end_context(ctx);
}

/* --- pictures and gradients --- */

typedef struct picture {
    float *colour, *depth, *opacity, *channels;
    physad_view views[4];
} picture;

/* Colour and channels with channels last; rows of colour from the bottom to the top where `turned`. */
static picture picture_make(const set *t, bool turned)
{
    const int64_t w = t->camera.width, h = t->camera.height, n = t->s.ref.extra;
    picture p = { calloc((size_t)(w * h), 3 * sizeof(float)), calloc((size_t)(w * h), sizeof(float)),
                  calloc((size_t)(w * h), sizeof(float)), calloc((size_t)(w * h * n + 1), sizeof(float)), { { 0 } } };
    p.views[0] = view_of(p.colour, 3, h, w, 3);
    p.views[1] = view_of(p.depth, 2, h, w, 0);
    p.views[2] = view_of(p.opacity, 2, h, w, 0);
    p.views[3] = view_of(p.channels, 3, h, w, n);
    if (turned) {
        p.views[0].data = p.colour + (h - 1) * w * 3;
        p.views[0].stride[0] = -w * 3 * (int64_t)sizeof(float);
    }
    return p;
}

static void picture_free(picture *p)
{
    free(p->colour);
    free(p->depth);
    free(p->opacity);
    free(p->channels);
}

static physad_status render(physad_splat *splat, set *t, const physad_splat_options *o, picture *p)
{
    const physad_view values = view_of(t->s.values, 2, t->s.ref.count, t->s.ref.extra, 0);
    return physad_splat_forward(splat, t->gaussians, &t->camera, o, t->s.ref.extra > 0 ? &values : NULL, &p->views[0],
                                &p->views[1], &p->views[2], t->s.ref.extra > 0 ? &p->views[3] : NULL);
}

static const physad_splat_options over = { sizeof(physad_splat_options), 0, { 0.25f, 0.5f, 0.125f }, 0 };

static double number_at(const physad_view *v, int64_t y, int64_t x, int64_t ch)
{
    float value;
    memcpy(&value, (const char *)v->data + y * v->stride[0] + x * v->stride[1] + (v->ndim > 2 ? ch * v->stride[2] : 0),
           sizeof(value));
    return (double)value;
}

static void check_picture(physad_context *ctx, int64_t count, int degree, int extra, int64_t w, int64_t h, bool turned)
{
    set t = set_make(ctx, count, degree, extra, w, h, 9);
    picture p = picture_make(&t, turned);
    physad_splat *splat = NULL;
    double *want = calloc((size_t)(w * h * (5 + extra)), sizeof(double)), sum = 0;
    assert_ok(physad_splat_new(&splat, ctx));
    assert_ok(render(splat, &t, &over, &p));
    ref_render(want, &t.s.ref);
    for (int ch = 0; ch < 5 + extra; ch++)
        for (int64_t at = 0; at < w * h; at++) {
            const int part = ch < 3 ? 0 : ch < 5 ? ch - 2 : 3;
            const double got = number_at(&p.views[part], at / w, at % w, ch < 3 ? ch : ch < 5 ? 0 : ch - 5);
            assert_near(got, want[ch * w * h + at], 0.04); /* a pixel at a Gaussian's edge may fall on either side */
            sum += fabs(got - want[ch * w * h + at]);
        }
    assert_true(sum / (double)(w * h * (5 + extra)) < 2e-5);
    physad_splat_free(splat);
    free(want);
    picture_free(&p);
    set_free(&t);
}

static void test_pictures(void **state)
{
    physad_context *ctx = new_context(2);
    check_picture(ctx, 60, 2, 3, 33, 18, false);
    check_picture(ctx, 200, 3, 1, 40, 51, true);
    check_picture(ctx, 0, 0, 0, 5, 3, false);
    check_picture(ctx, 20, 1, PHYSAD_SPLAT_MOST_CHANNELS, 17, 16, true);
    end_context(ctx);
}

/* The same numbers as lib/splat's own, through other layouts. */
static void check_gradients(physad_context *ctx, int threads)
{
    enum { N = 300, W = 61, H = 47, EXTRA = 2, COEFFICIENTS = 16 };
    set t = set_make(ctx, N, 3, EXTRA, W, H, 5);
    picture p = picture_make(&t, false), by = picture_make(&t, true);
    physad_splat *splat = NULL;
    physad__splat *plain = NULL;
    physad__rng rng;
    float *images = calloc(2 * W * H * (5 + EXTRA), sizeof(float)), *grads = images + W * H * (5 + EXTRA);
    const size_t size = (size_t)(physad__splat_plane_count(3) * t.s.stride);
    float *want = calloc(size, sizeof(float)), *got = calloc(size, sizeof(float)), want_values[N * EXTRA],
          got_values[N * EXTRA];
    const physad__splat_images to = { images, images + 3 * W * H, images + 4 * W * H, images + 5 * W * H },
                               from = { grads, grads + 3 * W * H, grads + 4 * W * H, grads + 5 * W * H };
    physad__splat_back back = { .planes = physad__splat_planes_at(want, t.s.stride), .extra = want_values };
    physad__rng_seed(&rng, 6, 6);
    for (int ch = 0; ch < 5 + EXTRA; ch++)
        for (int64_t at = 0; at < W * H; at++) {
            const int part = ch < 3 ? 0 : ch < 5 ? ch - 2 : 3, c = ch < 3 ? ch : ch < 5 ? 0 : ch - 5;
            const physad_view *v = &by.views[part];
            const float value = (float)physad__rng_normal(&rng);
            memcpy((char *)v->data + at / W * v->stride[0] + at % W * v->stride[1] +
                       (part % 3 == 0 ? c * v->stride[2] : 0),
                   &value, sizeof(value));
            grads[ch * W * H + at] = value;
        }
    assert_ok(physad__splat_new(&plain, ctx));
    assert_ok(physad__splat_forward(plain, &t.s.input, &to));
    assert_ok(physad__splat_backward(plain, &from, &back));
    assert_ok(physad_splat_new(&splat, ctx));
    assert_ok(render(splat, &t, &over, &p));
    physad_view own[ARRAYS];
    const physad_view values = view_of(got_values, 2, N, EXTRA, 0);
    physad__splat_arrays(own, got, t.s.stride, N, 3);
    for (int time = 0; time < 2; time++) { /* may be asked again */
        double pose[6];
        memset(got, 0, size * sizeof(float));
        assert_ok(physad_splat_backward(splat, &by.views[0], &by.views[1], &by.views[2], &by.views[3]));
        assert_ok(physad_splat_gradient(splat, &own[0], &own[1], &own[2], &own[3], &own[4]));
        assert_ok(physad_splat_gradient_values(splat, &values));
        assert_ok(physad_splat_gradient_pose(splat, pose));
        for (int plane = 0; plane < physad__splat_plane_count(3); plane++)
            assert_memory_equal(got + plane * t.s.stride, want + plane * t.s.stride, N * sizeof(float));
        assert_memory_equal(got_values, want_values, sizeof(want_values));
        assert_memory_equal(pose, back.pose, sizeof(pose));
    }
    physad__splat_free(plain);
    physad_splat_free(splat);
    free(images);
    free(want);
    free(got);
    picture_free(&p);
    picture_free(&by);
    set_free(&t);
}

static void test_gradients(void **state)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        physad_context *ctx = new_context(threads);
        check_gradients(ctx, threads);
        end_context(ctx);
    }
}

/* Fewer harmonics are those of a set that has no more; the others' gradients are zeros. */
static void test_harmonics(void **state)
{
    physad_context *ctx = new_context(1);
    set t = set_make(ctx, 40, 3, 0, 30, 20, 5);
    picture p = picture_make(&t, false), q = picture_make(&t, false);
    physad_splat_options o = over;
    physad_splat *splat = NULL;
    physad_gaussians *small = NULL;
    physad_view v[ARRAYS];
    float harmonics[40 * 48];
    assert_ok(physad_splat_new(&splat, ctx));
    memcpy(v, t.views, sizeof(v));
    v[4].shape[1] = 4;
    assert_ok(make(&small, ctx, v));
    assert_ok(physad_splat_forward(splat, small, &t.camera, &o, NULL, &q.views[0], NULL, NULL, NULL));
    o.harmonics = 4;
    assert_ok(render(splat, &t, &o, &p));
    assert_memory_equal(p.colour, q.colour, 30 * 20 * 3 * sizeof(float));
    const physad_view to = view_of(harmonics, 3, 40, 16, 3);
    assert_ok(physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
    assert_ok(physad_splat_gradient(splat, NULL, NULL, NULL, NULL, &to));
    double used = 0;
    for (int i = 0; i < 40 * 48; i++) {
        used += i % 48 < 12 ? fabs((double)harmonics[i]) : 0;
        assert_true(i % 48 < 12 || harmonics[i] == 0);
    }
    assert_true(used > 0);
    o.harmonics = 5;
    assert_fails(PHYSAD_ERR_ARG, "harmonics is 5", render(splat, &t, &o, &p));
    o.harmonics = 9;
    assert_fails(PHYSAD_ERR_ARG, "the 4 of the set",
                 physad_splat_forward(splat, small, &t.camera, &o, NULL, NULL, NULL, NULL, NULL));
    o.harmonics = 0;
    o.nearest = 100; /* behind all of them */
    assert_ok(render(splat, &t, &o, &p));
    for (int i = 0; i < 30 * 20; i++)
        assert_true(p.opacity[i] == 0);
    o.nearest = -1;
    assert_fails(PHYSAD_ERR_ARG, "nearest is -1", render(splat, &t, &o, &p));
    o.nearest = NAN;
    assert_fails(PHYSAD_ERR_ARG, "nearest is nan", render(splat, &t, &o, &p));
    physad_splat_free(splat);
    physad_gaussians_free(small);
    picture_free(&p);
    picture_free(&q);
    set_free(&t);
    end_context(ctx);
}

static void test_refused(void **state)
{
    physad_context *ctx = new_context(1);
    set t = set_make(ctx, 20, 0, 2, 16, 12, 5), plain = set_make(ctx, 20, 0, 0, 16, 12, 5);
    picture p = picture_make(&t, false), q = picture_make(&plain, false);
    physad_splat *splat = NULL;
    float numbers[60];
    double pose[6];
    physad_view wrong, values = view_of(t.s.values, 2, 20, 2, 0), room = view_of(numbers, 2, 20, 2, 0);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_splat_new(NULL, ctx));
    assert_fails(PHYSAD_ERR_ARG, "physad_splat_new", physad_splat_new(&splat, NULL));
    physad_splat_free(NULL);
    assert_ok(physad_splat_new(&splat, ctx));
    /* without a picture */
    assert_fails(PHYSAD_ERR_STATE, "no picture", physad_splat_backward(splat, NULL, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient_pose(splat, pose));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient(splat, NULL, NULL, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient_values(splat, &room));
    /* forward */
    assert_fails(PHYSAD_ERR_ARG, "splat is NULL", render(NULL, &t, NULL, &p));
    assert_fails(PHYSAD_ERR_ARG, "gaussians is NULL",
                 physad_splat_forward(splat, NULL, &t.camera, NULL, NULL, NULL, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "camera is NULL",
                 physad_splat_forward(splat, t.gaussians, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    physad_camera c = t.camera;
    c.width = 0;
    assert_fails(PHYSAD_ERR_ARG, "0 x 12",
                 physad_splat_forward(splat, t.gaussians, &c, NULL, NULL, NULL, NULL, NULL, NULL));
    c = t.camera;
    c.fx = NAN;
    assert_fails(PHYSAD_ERR_ARG, "focal",
                 physad_splat_forward(splat, t.gaussians, &c, NULL, NULL, NULL, NULL, NULL, NULL));
    c = t.camera;
    c.translation[1] = INFINITY;
    assert_fails(PHYSAD_ERR_ARG, "finite",
                 physad_splat_forward(splat, t.gaussians, &c, NULL, NULL, NULL, NULL, NULL, NULL));
    c = t.camera;
    c.rotation[0] *= 2;
    assert_fails(PHYSAD_ERR_ARG, "rotation is none",
                 physad_splat_forward(splat, t.gaussians, &c, NULL, NULL, NULL, NULL, NULL, NULL));
    c = t.camera;
    for (int k = 0; k < 3; k++)
        c.rotation[k] *= -1;
    assert_fails(PHYSAD_ERR_ARG, "mirror",
                 physad_splat_forward(splat, t.gaussians, &c, NULL, NULL, NULL, NULL, NULL, NULL));
    physad_splat_options o = over;
    o.struct_size = 3;
    assert_fails(PHYSAD_ERR_ARG, "physad_splat_options", render(splat, &t, &o, &p));
    o = over;
    o.background[1] = NAN;
    assert_fails(PHYSAD_ERR_ARG, "background", render(splat, &t, &o, &p));
    assert_fails(PHYSAD_ERR_ARG, "channels without values",
                 physad_splat_forward(splat, t.gaussians, &t.camera, NULL, NULL, NULL, NULL, NULL, &p.views[3]));
    wrong = values;
    wrong.shape[1] = PHYSAD_SPLAT_MOST_CHANNELS + 1;
    wrong.stride[1] = 0;
    assert_fails(PHYSAD_ERR_SHAPE, "want 1 to 28",
                 physad_splat_forward(splat, t.gaussians, &t.camera, NULL, &wrong, NULL, NULL, NULL, NULL));
    t.s.values[5] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "values", render(splat, &t, NULL, &p));
    t.s.values[5] = 1;
    for (int k = 0; k < 4; k++) {
        picture bad = p;
        bad.views[k].shape[0] = 11;
        assert_fails(PHYSAD_ERR_SHAPE, "want (12,16", render(splat, &t, NULL, &bad));
        bad = p;
        bad.views[k].dtype = PHYSAD_U8;
        assert_fails(PHYSAD_ERR_DTYPE, "want f32", render(splat, &t, NULL, &bad));
        bad = p;
        bad.views[k].flags = PHYSAD_VIEW_READONLY;
        assert_fails(PHYSAD_ERR_ARG, "read-only", render(splat, &t, NULL, &bad));
    }
    /* backward */
    assert_ok(physad_splat_forward(splat, plain.gaussians, &plain.camera, NULL, NULL, &q.views[0], NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient_pose(splat, pose));
    assert_fails(PHYSAD_ERR_STATE, "without a depth", physad_splat_backward(splat, NULL, &q.views[1], NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "without values", physad_splat_backward(splat, NULL, NULL, NULL, &p.views[3]));
    assert_ok(physad_splat_backward(splat, &q.views[0], NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "without values", physad_splat_gradient_values(splat, &room));
    assert_fails(PHYSAD_ERR_ARG, "pose is NULL", physad_splat_gradient_pose(splat, NULL));
    assert_ok(physad_splat_gradient(splat, NULL, NULL, NULL, NULL, NULL));
    assert_ok(render(splat, &t, NULL, &p));
    p.opacity[3] = NAN;
    assert_fails(PHYSAD_ERR_NUMERIC, "by_opacity", physad_splat_backward(splat, NULL, NULL, &p.views[2], NULL));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient_pose(splat, pose));
    for (int64_t i = 0; i < physad__view_count(&p.views[2]); i++)
        p.opacity[i] = 3e38f;
    assert_fails(PHYSAD_ERR_NUMERIC, "would not be finite",
                 physad_splat_backward(splat, NULL, NULL, &p.views[2], NULL));
    assert_fails(PHYSAD_ERR_STATE, "no gradients", physad_splat_gradient_pose(splat, pose));
    assert_fails(PHYSAD_ERR_ARG, "camera is NULL",
                 physad_splat_forward(splat, plain.gaussians, NULL, NULL, NULL, NULL, NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_STATE, "no picture", physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
    assert_ok(render(splat, &t, NULL, &p));
    wrong = p.views[0];
    wrong.ndim = 2;
    assert_fails(PHYSAD_ERR_SHAPE, "by_colour", physad_splat_backward(splat, &wrong, NULL, NULL, NULL));
    assert_ok(physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_splat_gradient_values(splat, NULL));
    wrong = t.views[0];
    wrong.shape[0] = 3;
    assert_fails(PHYSAD_ERR_SHAPE, "xyz", physad_splat_gradient(splat, &wrong, NULL, NULL, NULL, NULL));
    /* Gaussians that change after their picture, and such that are freed */
    assert_ok(physad_gaussians_set(t.gaussians, NULL, NULL, NULL, &t.views[3], NULL));
    assert_fails(PHYSAD_ERR_STATE, "changed after the picture",
                 physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
    assert_ok(render(splat, &t, NULL, &p));
    physad_gaussians_free(t.gaussians);
    t.gaussians = NULL;
    assert_ok(physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
    assert_ok(physad_splat_gradient_values(splat, &room));
    physad_splat_free(splat);
    picture_free(&p);
    picture_free(&q);
    set_free(&t);
    set_free(&plain);
    end_context(ctx);
}

/* Finite numbers of any size give finite pictures. */
static void test_extremes(void **state)
{
    static const float values[] = { 1e38f, -1e38f, 90, -90, 1e-38f };
    physad_context *ctx = new_context(1);
    physad_splat *splat = NULL;
    assert_ok(physad_splat_new(&splat, ctx));
    for (int64_t k = 0; k < PHYSAD__COUNT(values); k++)
        for (int plane = 0; plane < 11; plane++) {
            set t = set_begin(20, 1, 0, 20, 20, 5);
            picture p = picture_make(&t, false);
            t.s.planes[plane * t.s.stride + 3] = values[k];
            assert_ok(make(&t.gaussians, ctx, t.views));
            assert_ok(render(splat, &t, NULL, &p));
            for (int i = 0; i < 400; i++)
                assert_true(isfinite(p.colour[i]) && isfinite(p.depth[i]) && isfinite(p.opacity[i]));
            picture_free(&p);
            set_free(&t);
        }
    physad_splat_free(splat);
    end_context(ctx);
}

/* Colours and values beyond what their sums can hold: no picture rather than one of NaN. */
static void test_too_bright(void **state)
{
    physad_context *ctx = new_context(1);
    physad_splat *splat = NULL;
    assert_ok(physad_splat_new(&splat, ctx));
    for (int large = 0; large < 2; large++) {
        const float v = large ? 3e38f : 1e30f;
        for (int plane = 11; plane < 23; plane++) {
            set t = set_begin(20, 1, 2, 20, 20, 5);
            picture p = picture_make(&t, false);
            for (int i = 0; i < 20; i++) {
                t.s.planes[plane * t.s.stride + i] = i % 2 ? v : -v;
                t.s.planes[(plane < 20 ? plane + 3 : plane - 3) * t.s.stride + i] = i % 2 ? -v : v;
            }
            assert_ok(make(&t.gaussians, ctx, t.views));
            p.colour[7] = 5;
            const physad_status status = render(splat, &t, NULL, &p);
            if (status != PHYSAD_OK) {
                assert_int_equal(status, PHYSAD_ERR_NUMERIC);
                assert_true(large && p.colour[7] == 5);
                assert_fails(PHYSAD_ERR_STATE, "no picture", physad_splat_backward(splat, NULL, NULL, NULL, NULL));
            }
            for (int i = 0; i < 1200; i++)
                assert_true(isfinite(p.colour[i]));
            picture_free(&p);
            set_free(&t);
        }
    }
    /* Those that are greatest ahead, and those behind: one of both is where the camera is. */
    bool refused = false;
    for (int side = -1; side <= 1; side += 2) {
        static const int ahead[4] = { 0, 2, 6, 12 };
        set t = set_begin(20, 3, 0, 20, 20, 5);
        picture p = picture_make(&t, false);
        for (int i = 0; i < 20; i++)
            for (int k = 0; k < 4; k++)
                t.s.planes[(11 + 3 * ahead[k]) * t.s.stride + i] = k % 2 ? 3e38f * (float)side : 3e38f;
        assert_ok(make(&t.gaussians, ctx, t.views));
        const physad_status status = render(splat, &t, NULL, &p);
        if (status != PHYSAD_OK)
            assert_fails(PHYSAD_ERR_NUMERIC, "colour would hold", render(splat, &t, NULL, &p));
        refused = refused || status != PHYSAD_OK;
        picture_free(&p);
        set_free(&t);
    }
    assert_true(refused);
    physad_splat_free(splat);
    end_context(ctx);
}

/* --- cameras, scenes, memory --- */

/* A pose that is off is found again by gradients, with Adam. */
static void test_pose(void **state)
{
    enum { NUMBERS = 48 * 40 * 3, STEPS = 150 };
    physad_context *ctx = new_context(2);
    set t = set_make(ctx, 150, 1, 0, 48, 40, 5);
    picture want = picture_make(&t, false), p = picture_make(&t, false);
    physad_splat *splat = NULL;
    const double off[6] = { 0.05, -0.04, 0.06, 0.02, -0.02, 0.03 };
    double pose[6], mean[6] = { 0 }, square[6] = { 0 };
    assert_ok(physad_splat_new(&splat, ctx));
    assert_ok(render(splat, &t, &over, &want));
    const physad_camera truth = t.camera;
    assert_ok(physad_camera_move(&truth, off, &t.camera));
    for (int k = 1; k <= STEPS; k++) {
        double tangent[6];
        assert_ok(render(splat, &t, &over, &p));
        for (int i = 0; i < NUMBERS; i++)
            p.colour[i] = 2 * (p.colour[i] - want.colour[i]);
        assert_ok(physad_splat_backward(splat, &p.views[0], NULL, NULL, NULL));
        assert_ok(physad_splat_gradient_pose(splat, pose));
        for (int i = 0; i < 6; i++) {
            mean[i] = 0.8 * mean[i] + 0.2 * pose[i];
            square[i] = 0.95 * square[i] + 0.05 * pose[i] * pose[i];
            tangent[i] = -0.01 * (1 - (double)k / (STEPS + 1)) * mean[i] / (1 - pow(0.8, k)) /
                         (sqrt(square[i] / (1 - pow(0.95, k))) + 1e-12);
        }
        assert_ok(physad_camera_move(&t.camera, tangent, &t.camera));
    }
    for (int k = 0; k < 3; k++)
        assert_near(t.camera.translation[k], truth.translation[k], 2e-3);
    for (int k = 0; k < 9; k++)
        assert_near(t.camera.rotation[k], truth.rotation[k], 1e-3);
    physad_splat_free(splat);
    picture_free(&want);
    picture_free(&p);
    set_free(&t);
    end_context(ctx);
}

static void test_move(void **state)
{
    physad_camera c = { .rotation = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, .translation = { 1, 2, 3 }, .fx = 7, .width = 9 };
    const double none[6] = { 0 }, quarter[6] = { 0, 0, 0, 0, 0, M_PI / 2 }, shift[6] = { 1, -1, 0.5, 0, 0, 0 };
    double bad[6] = { 0, 0, NAN, 0, 0, 0 };
    physad_camera moved;
    assert_ok(physad_camera_move(&c, none, &moved));
    assert_memory_equal(c.rotation, moved.rotation, sizeof(c.rotation));
    assert_true(moved.fx == 7 && moved.width == 9);
    assert_ok(physad_camera_move(&c, shift, &moved));
    assert_near(moved.translation[0], 2, 1e-15);
    assert_near(moved.translation[1], 1, 1e-15);
    assert_near(moved.translation[2], 3.5, 1e-15);
    assert_ok(physad_camera_move(&c, quarter, &c)); /* in place: (x, y) becomes (-y, x) */
    assert_near(c.rotation[1], -1, 1e-15);
    assert_near(c.rotation[3], 1, 1e-15);
    assert_near(c.translation[0], -2, 1e-15);
    assert_near(c.translation[1], 1, 1e-15);
    assert_fails(PHYSAD_ERR_NUMERIC, "number 2", physad_camera_move(&c, bad, &moved));
    bad[2] = 0;
    bad[3] = 1e200;
    assert_fails(PHYSAD_ERR_NUMERIC, "rotation", physad_camera_move(&c, bad, &c));
    assert_true(c.rotation[1] < -0.9);
    const physad_camera lost = { .rotation = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, .translation = { NAN, 0, 0 } };
    assert_fails(PHYSAD_ERR_NUMERIC, "translation", physad_camera_move(&lost, none, &moved));
    assert_fails(PHYSAD_ERR_ARG, "camera is NULL", physad_camera_move(NULL, none, &moved));
    assert_fails(PHYSAD_ERR_ARG, "tangent is NULL", physad_camera_move(&c, NULL, &moved));
    assert_fails(PHYSAD_ERR_ARG, "moved is NULL", physad_camera_move(&c, none, NULL));
}

static void test_scenes(void **state)
{
    physad_context *ctx = new_context(1);
    set t = set_make(ctx, 37, 2, 0, 30, 20, 5);
    physad_scene *made = NULL, *again = NULL;
    physad_gaussians *back = NULL;
    float numbers[2][37 * 27], colour[30 * 20 * 3];
    char folder[256], path[300];
    scratch_make(folder, sizeof(folder));
    assert_ok(physad_scene_new(&made, t.gaussians));
    assert_int_equal(physad_scene_gaussians(made), 37);
    assert_int_equal(physad_scene_cameras(made), 0);
    picture p = picture_make(&t, false);
    physad_splat *splat = NULL;
    const physad_view to = view_of(colour, 3, 20, 30, 3);
    assert_ok(physad_splat_new(&splat, ctx));
    assert_ok(render(splat, &t, &over, &p));
    assert_ok(physad_scene_render(made, &t.camera, over.background, &to, NULL, NULL));
    assert_memory_equal(colour, p.colour, sizeof(colour));
    snprintf(path, sizeof(path), "%s/set.ply", folder);
    assert_ok(physad_scene_save(made, path));
    assert_ok(physad_scene_load(&again, ctx, path));
    assert_ok(physad_gaussians_of_scene(&back, again));
    assert_int_equal(physad_gaussians_harmonics(back), 9);
    const physad_view h[2] = { view_of(numbers[0], 3, 37, 9, 3), view_of(numbers[1], 3, 37, 9, 3) };
    assert_ok(physad_gaussians_get(t.gaussians, NULL, NULL, NULL, NULL, &h[0]));
    assert_ok(physad_gaussians_get(back, NULL, NULL, NULL, NULL, &h[1]));
    assert_memory_equal(numbers[0], numbers[1], sizeof(numbers[0]));
    physad_gaussians_free(back);
    physad_scene_free(again);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_scene_new(NULL, t.gaussians));
    assert_fails(PHYSAD_ERR_ARG, "gaussians is NULL", physad_scene_new(&again, NULL));
    assert_null(again);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_gaussians_of_scene(NULL, made));
    assert_fails(PHYSAD_ERR_ARG, "scene is NULL", physad_gaussians_of_scene(&back, NULL));
    physad_splat_free(splat);
    picture_free(&p);
    physad_scene_free(made);
    set_free(&t);
    scratch_remove(folder);
    physad_context_free(ctx);
}

static physad_status go_through(set *t, physad_context *ctx, picture *p)
{
    physad_splat *splat = NULL;
    physad_scene *made = NULL;
    physad_gaussians *copy = NULL;
    physad_status status = make(&t->gaussians, ctx, t->views);
    status = status ? status : physad_splat_new(&splat, ctx);
    status = status ? status : render(splat, t, NULL, p);
    status = status ? status : physad_splat_backward(splat, &p->views[0], &p->views[1], &p->views[2], &p->views[3]);
    status = status ? status : physad_gaussians_set(t->gaussians, NULL, NULL, NULL, &t->views[3], NULL);
    status = status ? status : physad_scene_new(&made, t->gaussians);
    status = status ? status : physad_gaussians_of_scene(&copy, made);
    physad_gaussians_free(copy);
    physad_scene_free(made);
    physad_gaussians_free(t->gaussians);
    t->gaussians = NULL;
    physad_splat_free(splat);
    return status;
}

static void test_memory(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    set t = set_begin(50, 1, 2, 24, 20, 5);
    picture p = picture_make(&t, false);
    o.allocator = &failing_allocator;
    for (int64_t n = 0;; n++) {
        physad_context *ctx = NULL;
        allocations_left = INT64_MAX;
        assert_ok(physad_context_new(&ctx, &o));
        allocations_left = n;
        const physad_status status = go_through(&t, ctx, &p);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        if (status == PHYSAD_OK) {
            assert_true(n > 10);
            break;
        }
    }
    allocations_left = INT64_MAX;
    picture_free(&p);
    scene_free(&t.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_numbers_refused), cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_gradients), cmocka_unit_test(test_harmonics),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_extremes),  cmocka_unit_test(test_too_bright),      cmocka_unit_test(test_pose),
        cmocka_unit_test(test_move),      cmocka_unit_test(test_scenes),          cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("gaussians", tests, NULL, NULL);
}
