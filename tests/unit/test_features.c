/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"
/* The public side of features, and the joining of layers against anomalib's PatchCore and its first code. */
#include "test_formula.h"

#include "nn/nn_features.h"

#include <jansson.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE = 64 };

static physad_features_options small(const char *backbone)
{
    physad_features_options o = PHYSAD_FEATURES_OPTIONS_INIT;
    o.backbone = backbone;
    o.weights = "random:3";
    o.height = SIDE;
    return o;
}

static physad_view view4(float *data, int64_t n, const int64_t s[3])
{
    return physad_view_array(data, PHYSAD_F32, 4, (int64_t[]){ n, s[0], s[1], s[2] });
}

static float *photos(int64_t n)
{
    float *x = malloc((size_t)(n * SIDE * SIDE * 3) * sizeof(*x));
    physad__nn_draw_normal(FORMULA_SEED, "photos", 1, x, n * SIDE * SIDE * 3);
    return x;
}

static int64_t values_of(const int64_t s[3])
{
    return s[0] * s[1] * s[2];
}

/* Joined features of n photos starting at the i-th of `x`; the caller frees. */
static float *joined(const physad_features *f, const float *x, int64_t i, int64_t n)
{
    const int64_t in[3] = { SIDE, SIDE, 3 };
    int64_t s[3];
    physad_features_shape(f, s);
    float *out = malloc((size_t)(n * values_of(s)) * sizeof(*out) + 1);
    const physad_view images = view4((float *)(uintptr_t)x + i * SIDE * SIDE * 3, n, in), view = view4(out, n, s);
    assert_ok(physad_features_compute(f, &images, &view, NULL));
    return out;
}

/* --- joining --- */

static json_t *golden(void)
{
    char path[4096];
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    if (folder == NULL) {
        print_message("PHYSAD_TEST_GOLDEN is not set\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/backbones.json", folder);
    json_t *root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

static void check_join(const physad__join *j, const float *const *maps, json_t *want)
{
    json_t *index = json_object_get(want, "index"), *value = json_object_get(want, "value"),
           *shape = json_object_get(want, "shape");
    const int64_t width = physad__join_width(j), count = j->shape[0][0] * j->shape[0][1] * width;
    assert_int_equal(width, json_integer_value(json_array_get(shape, 2)));
    float *out = malloc((size_t)count * sizeof(*out)),
          *scratch = malloc((size_t)physad__join_scratch(j) * sizeof(*scratch) + 1);
    double sum = 0;
    physad__join_run(j, maps, scratch, out);
    for (int64_t i = 0; i < count; i++)
        sum += fabs(out[i]);
    assert_near(sum, json_number_value(json_object_get(want, "abs")), 1e-5 * sum);
    for (size_t i = 0; i < json_array_size(index); i++)
        assert_near(out[json_integer_value(json_array_get(index, i))], json_number_value(json_array_get(value, i)),
                    1e-5);
    free(out);
    free(scratch);
}

static void layers_join_as_in_patchcore(void **state)
{
    json_t *root = golden(), *shapes = json_object_get(root, "join_shapes"), *item;
    float *maps[3];
    physad__join j = { .layer_count = 3 };
    size_t i;
    for (i = 0; i < 3; i++) {
        char name[16];
        for (size_t k = 0; k < 3; k++)
            j.shape[i][k] = json_integer_value(json_array_get(json_array_get(shapes, i), k));
        maps[i] = malloc((size_t)values_of(j.shape[i]) * sizeof(float));
        snprintf(name, sizeof(name), "map %d", (int)i);
        physad__nn_draw_normal(FORMULA_SEED, name, 1, maps[i], values_of(j.shape[i]));
    }
    json_array_foreach(json_object_get(root, "joins"), i, item) {
        j.pool = (int32_t)json_integer_value(json_object_get(item, "pool"));
        j.upsample = (int32_t)json_integer_value(json_object_get(item, "upsample"));
        j.unfold_dim = json_integer_value(json_object_get(item, "unfold_dim"));
        check_join(&j, (const float *const *)maps, item);
    }
    assert_true(i >= 6);
    for (i = 0; i < 3; i++)
        free(maps[i]);
    json_decref(root);
}

/* --- results --- */

static void shapes_and_names(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small(NULL);
    int64_t s[3], size[2];
    o.width = 96;
    assert_ok(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    assert_int_equal(s[0], 8);
    assert_int_equal(s[1], 12);
    assert_int_equal(s[2], 152);
    assert_int_equal(physad_features_layer_count(f), 2);
    assert_string_equal(physad_features_layer_name(f, 0), "b4");
    assert_string_equal(physad_features_layer_name(f, 1), "b10");
    assert_null(physad_features_layer_name(f, 2));
    assert_null(physad_features_layer_name(f, -1));
    assert_ok(physad_features_layer_shape(f, 1, s));
    assert_int_equal(s[0], 4);
    assert_int_equal(s[1], 6);
    assert_int_equal(s[2], 112);
    assert_fails(PHYSAD_ERR_ARG, "index 2 of 2", physad_features_layer_shape(f, 2, s));
    assert_fails(PHYSAD_ERR_ARG, "index 0 of 0", physad_features_layer_shape(NULL, 0, s));
    physad_features_input_size(f, size);
    assert_int_equal(size[0], 64);
    assert_int_equal(size[1], 96);
    assert_string_equal(physad_features_backbone(f), "efficientnet-lite0");
    assert_string_equal(physad_features_weights(f), "random:3");
    physad_features_free(f);
    physad_features_shape(NULL, s);
    physad_features_input_size(NULL, size);
    assert_int_equal(s[0] + s[1] + s[2] + size[0] + size[1] + physad_features_layer_count(NULL), 0);
    assert_null(physad_features_layer_name(NULL, 0));
    assert_null(physad_features_backbone(NULL));
    assert_null(physad_features_weights(NULL));
    physad_features_free(NULL);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* One photo gives one answer: in batches of 1, 7 and 32, whatever its place there, with 1, 2 and 4 threads, in every
 * precision. */
static void batch_order_and_threads_do_not_show(void **state)
{
    static const char *const backbones[] = { "efficientnet-lite0", "resnet18", "resnet50", "efficientnet-b4" };
    enum { MOST = 32 };
    float *x = photos(MOST);
    for (int64_t b = 0; b < 2 * PHYSAD__COUNT(backbones); b++) {
        float *want = NULL;
        int64_t s[3];
        for (int threads = 1; threads <= 4; threads *= 2) {
            physad_context *ctx = context_of(threads);
            physad_features *f;
            physad_features_options o = small(backbones[b / 2]);
            o.precision = b % 2 == 0 ? PHYSAD_F32 : PHYSAD_BF16;
            const physad_status status = physad_features_new(&f, ctx, &o);
            if (status == PHYSAD_ERR_UNSUPPORTED && b % 2 == 1) {
                physad_context_free(ctx);
                continue;
            }
            assert_ok(status);
            physad_features_shape(f, s);
            const size_t bytes = (size_t)values_of(s) * sizeof(float);
            float *all = joined(f, x, 0, MOST), *seven = joined(f, x, 5, 7), *one = joined(f, x, 9, 1);
            want = want != NULL ? want : memcpy(malloc(MOST * bytes), all, MOST * bytes);
            assert_memory_equal(all, want, MOST * bytes);
            assert_memory_equal(seven, want + 5 * values_of(s), 7 * bytes);
            assert_memory_equal(one, want + 9 * values_of(s), bytes);
            free(all);
            free(seven);
            free(one);
            physad_features_free(f);
            assert_int_equal(physad_context_memory_used(ctx), 0);
            physad_context_free(ctx);
        }
        free(want);
    }
    free(x);
}

static void layers_come_out_as_they_are(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f, *alone;
    physad_features_options o = small("resnet18");
    const int64_t in[3] = { SIDE, SIDE, 3 };
    float *x = photos(3), *maps[2], *want;
    int64_t s[2][3];
    physad_view outs[2];
    assert_ok(physad_features_new(&f, ctx, &o));
    o.layers = "layer3";
    o.pool = PHYSAD_FEATURES_POOL_NONE;
    assert_ok(physad_features_new(&alone, ctx, &o));
    for (int i = 0; i < 2; i++) {
        assert_ok(physad_features_layer_shape(f, i, s[i]));
        maps[i] = malloc((size_t)(3 * values_of(s[i]) + 1) * sizeof(float));
        outs[i] = view4(maps[i] + 1, 3, s[i]); /* not aligned to more than one value */
    }
    const physad_view images = view4(x, 3, in);
    assert_ok(physad_features_compute_layers(f, &images, outs, NULL));
    want = joined(alone, x, 0, 3);
    assert_memory_equal(maps[1] + 1, want, (size_t)(3 * values_of(s[1])) * sizeof(float));
    outs[1].shape[3]++;
    assert_fails(PHYSAD_ERR_SHAPE, "outs[1]", physad_features_compute_layers(f, &images, outs, NULL));
    assert_fails(PHYSAD_ERR_ARG, "outs is NULL", physad_features_compute_layers(f, &images, NULL, NULL));
    free(want);
    free(maps[0]);
    free(maps[1]);
    free(x);
    physad_features_free(f);
    physad_features_free(alone);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void reductions(void **state)
{
    static const int64_t chosen[3] = { 7, 0, 151 };
    physad_context *ctx = context_of(2);
    physad_features *full, *some, *drawn, *again, *flat;
    physad_features_options o = small(NULL);
    float *x = photos(1);
    assert_ok(physad_features_new(&full, ctx, &o));
    o.reduce = PHYSAD_REDUCE_SUBSET;
    o.reduce_dim = 3;
    o.channels = chosen;
    assert_ok(physad_features_new(&some, ctx, &o));
    o.channels = NULL;
    o.reduce_dim = 40;
    o.reduce_seed = 4;
    assert_ok(physad_features_new(&drawn, ctx, &o));
    assert_ok(physad_features_new(&again, ctx, &o));
    o.reduce = PHYSAD_REDUCE_PROJECTION;
    assert_ok(physad_features_new(&flat, ctx, &o));
    float *a = joined(full, x, 0, 1), *b = joined(some, x, 0, 1), *c = joined(drawn, x, 0, 1),
          *d = joined(again, x, 0, 1);
    float *p = joined(flat, x, 0, 1);
    int64_t s[3];
    physad_features_shape(flat, s);
    assert_int_equal(s[2], 40);
    assert_memory_equal(c, d, (size_t)values_of(s) * sizeof(float));
    /* The projection's matrix, drawn as documented, times the joined vector. */
    physad__rng rng;
    float matrix[40 * 152];
    physad__rng_seed(&rng, 4, 1);
    for (int i = 0; i < 40 * 152; i++)
        matrix[i] = (float)(physad__rng_normal(&rng) / sqrt(40));
    for (int64_t place = 0; place < s[0] * s[1]; place++) {
        for (int k = 0; k < 3; k++)
            assert_true(b[place * 3 + k] == a[place * 152 + chosen[k]]);
        for (int k = 0; k < 40; k++) {
            double sum = 0, size = 0;
            for (int i = 0; i < 152; i++) {
                sum += (double)matrix[k * 152 + i] * a[place * 152 + i];
                size += fabs((double)matrix[k * 152 + i] * a[place * 152 + i]);
            }
            assert_near(p[place * 40 + k], sum, 1e-5 * size);
        }
    }
    for (int k = 1; k < 40; k++) /* ascending, each once */
        assert_true(drawn->channels[k] > drawn->channels[k - 1] && drawn->channels[k] < 152);
    free(a), free(b), free(c), free(d), free(p), free(x);
    physad_features_free(full);
    physad_features_free(some);
    physad_features_free(drawn);
    physad_features_free(again);
    physad_features_free(flat);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* Pixels that are no numbers spoil their own photo only. */
static void nan_stays_with_its_photo(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small("resnet18");
    float *x = photos(3);
    int64_t s[3];
    assert_ok(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    float *before = joined(f, x, 0, 3);
    for (int i = 0; i < SIDE * SIDE; i++)
        x[SIDE * SIDE * 3 + i] = i % 2 ? NAN : INFINITY;
    float *after = joined(f, x, 0, 3);
    const size_t bytes = (size_t)values_of(s) * sizeof(float);
    assert_memory_equal(before, after, bytes);
    assert_memory_equal(before + 2 * values_of(s), after + 2 * values_of(s), bytes);
    assert_memory_not_equal(before + values_of(s), after + values_of(s), bytes);
    free(before);
    free(after);
    free(x);
    physad_features_free(f);
    physad_context_free(ctx);
}

/* --- refusals --- */

#define REFUSES(status, text, change)                                                  \
    do {                                                                               \
        physad_features_options o = small("efficientnet-lite0");                       \
        physad_features *none = (physad_features *)&o;                                 \
        change;                                                                        \
        assert_fails(status, text, physad_features_new(&none, ctx, &o));               \
        assert_null(none);                                                             \
    } while (0)

static void options_are_checked(void **state)
{
    static const int64_t twice[2] = { 1, 1 }, beyond[2] = { 1, 152 };
    physad_context *ctx = context_of(2);
    physad_features *f;
    REFUSES(PHYSAD_ERR_ARG, "did you mean \"resnet50\"", o.backbone = "resnet5");
    REFUSES(PHYSAD_ERR_ARG, "layer \"layer2\"", o.layers = "layer2");
    REFUSES(PHYSAD_ERR_ARG, "did you mean \"logits\"", o.layers = "b4,logit");
    REFUSES(PHYSAD_ERR_ARG, "layer \"\"", o.layers = "b4,");
    REFUSES(PHYSAD_ERR_ARG, "layer \"\"", o.layers = "");
    REFUSES(PHYSAD_ERR_ARG, "twice", o.layers = "b4,b10,b4");
    REFUSES(PHYSAD_ERR_ARG, "more than 8", o.layers = "stem,b0,b1,b2,b3,b4,b5,b6,b7");
    REFUSES(PHYSAD_ERR_ARG, "none of efficientnet-lite0's",
            o.layers = "a name much longer than any layer could ever have");
    REFUSES(PHYSAD_ERR_ARG, "height is 31", o.height = 31);
    REFUSES(PHYSAD_ERR_ARG, "width is -1", o.width = -1);
    REFUSES(PHYSAD_ERR_ARG, "height is 8193", o.height = 8193);
    REFUSES(PHYSAD_ERR_ARG, "pool is 3", o.pool = 3);
    REFUSES(PHYSAD_ERR_ARG, "upsample is -1", o.upsample = -1);
    REFUSES(PHYSAD_ERR_ARG, "reduce is 3", o.reduce = 3);
    REFUSES(PHYSAD_ERR_ARG, "both or neither", o.reduce = PHYSAD_REDUCE_SUBSET);
    REFUSES(PHYSAD_ERR_ARG, "both or neither", o.reduce_dim = 3);
    REFUSES(PHYSAD_ERR_ARG, "there are 152", (o.reduce = PHYSAD_REDUCE_SUBSET, o.reduce_dim = 153));
    REFUSES(PHYSAD_ERR_ARG, "channels[1] is 1",
            (o.reduce = PHYSAD_REDUCE_SUBSET, o.reduce_dim = 2, o.channels = twice));
    REFUSES(PHYSAD_ERR_ARG, "channels[1] is 152",
            (o.reduce = PHYSAD_REDUCE_SUBSET, o.reduce_dim = 2, o.channels = beyond));
    REFUSES(PHYSAD_ERR_ARG, "channels are given", o.channels = twice);
    REFUSES(PHYSAD_ERR_ARG, "padding is 4", o.padding = 4);
    REFUSES(PHYSAD_ERR_ARG, "has but one padding", (o.backbone = "resnet18", o.padding = PHYSAD_PADDING_SAME));
    REFUSES(PHYSAD_ERR_ARG, "precision is 7 (f16)", o.precision = PHYSAD_F16);
    REFUSES(PHYSAD_ERR_ARG, "random:SEED", o.weights = "random:x");
    REFUSES(PHYSAD_ERR_ARG, "random:SEED", o.weights = "random:-1");
    REFUSES(PHYSAD_ERR_IO, "no/such", o.weights = "no/such/file.pth");
    setenv("XDG_DATA_HOME", "/no/such/folder", 1);
    unsetenv("PHYSAD_WEIGHTS");
    REFUSES(PHYSAD_ERR_IO, "/no/such/folder", (o.backbone = "resnet18", o.weights = NULL));
    REFUSES(PHYSAD_ERR_IO, "/no/such/folder", o.weights = "my-weights");
    REFUSES(PHYSAD_ERR_ARG, "struct_size", o.struct_size = 4);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_features_new(NULL, ctx, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_features_new(&f, NULL, NULL));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static int stop_at_once(const physad_progress *progress, void *user)
{
    ++*(int *)user;
    return 1;
}

static void calls_are_checked(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small(NULL);
    int64_t s[3];
    float *x = photos(4);
    assert_ok(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    float *y = malloc((size_t)(4 * values_of(s)) * sizeof(*y));
    physad_view images = view4(x, 4, (int64_t[]){ SIDE, SIDE, 3 }), out = view4(y, 4, s), bad;
    bad = images, bad.shape[1]--;
    assert_fails(PHYSAD_ERR_SHAPE, "images has shape (4,63,64,3), want (n,64,64,3)",
                 physad_features_compute(f, &bad, &out, NULL));
    bad = images, bad.dtype = PHYSAD_F64;
    assert_fails(PHYSAD_ERR_DTYPE, "want f32", physad_features_compute(f, &bad, &out, NULL));
    bad = out, bad.shape[0]--;
    assert_fails(PHYSAD_ERR_SHAPE, "out has shape", physad_features_compute(f, &images, &bad, NULL));
    bad = out, bad.flags = PHYSAD_VIEW_READONLY;
    assert_fails(PHYSAD_ERR_ARG, "read-only", physad_features_compute(f, &images, &bad, NULL));
    assert_fails(PHYSAD_ERR_ARG, "images is NULL", physad_features_compute(f, NULL, &out, NULL));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_features_compute(f, &images, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "features is NULL", physad_features_compute(NULL, &images, &out, NULL));
    bad = images, bad.shape[0] = 0;
    physad_view none = out;
    none.shape[0] = 0;
    assert_ok(physad_features_compute(f, &bad, &none, NULL));
    int calls = 0;
    physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
    call.progress = stop_at_once;
    call.progress_user = &calls;
    call.struct_size = 1;
    assert_fails(PHYSAD_ERR_ARG, "struct_size", physad_features_compute(f, &images, &out, &call));
    call.struct_size = sizeof(call);
    assert_fails(PHYSAD_ERR_CANCELLED, "progress callback", physad_features_compute(f, &images, &out, &call));
    assert_int_equal(calls, 1);
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "", physad_features_compute(f, &images, &out, NULL));
    physad_context_resume(ctx);
    assert_ok(physad_features_compute(f, &images, &out, NULL)); /* and all is as before */
    free(x);
    free(y);
    physad_features_free(f);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void children_of_fork_are_refused(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small(NULL);
    int64_t s[3];
    float *x = photos(1);
    assert_ok(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    float *y = joined(f, x, 0, 1);
    const pid_t child = fork();
    if (child == 0) {
        const physad_view images = view4(x, 1, (int64_t[]){ SIDE, SIDE, 3 }), out = view4(y, 1, s);
        physad_features *other;
        _exit(physad_features_compute(f, &images, &out, NULL) != PHYSAD_ERR_STATE ||
              physad_features_new(&other, ctx, &o) != PHYSAD_ERR_STATE);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    free(x);
    free(y);
    physad_features_free(f);
    physad_context_free(ctx);
}

/* --- memory and threads --- */

static physad_status make_and_compute(physad_context *ctx, float *x, float *y)
{
    physad_features *f;
    physad_features_options o = small("resnet18");
    int64_t s[3];
    o.layers = "stem,layer1";
    o.reduce = PHYSAD_REDUCE_PROJECTION;
    o.reduce_dim = 4;
    PHYSAD__TRY(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    const physad_view images = view4(x, 3, (int64_t[]){ SIDE, SIDE, 3 }), out = view4(y, 3, s);
    const physad_status status = physad_features_compute(f, &images, &out, NULL);
    physad_features_free(f);
    return status;
}

/* Which allocation fails moves on by growing steps: there are hundreds, most of one kind. */
static void allocations_may_fail(void **state)
{
    float *x = photos(3), *y = malloc(3 * 32 * 32 * 4 * sizeof(*y));
    int64_t n = 1, failures = 0;
    for (physad_status status = PHYSAD_ERR_NOMEM; status != PHYSAD_OK; n += 1 + n / 40) {
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        o.allocator = &failing_allocator;
        allocations_left = INT64_MAX;
        o.threads = 2;
        assert_ok(physad_context_new(&ctx, &o));
        allocations_left = n - 1;
        status = make_and_compute(ctx, x, y);
        failures += status != PHYSAD_OK;
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        assert_int_equal(allocations_live, 0);
        assert_true(n < 100000);
    }
    assert_true(failures > 40);
    free(x);
    free(y);
}

static void the_memory_limit_holds(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    physad_features *f;
    physad_features_options fo = small("resnet50");
    o.memory_limit = 4 << 20;
    assert_ok(physad_context_new(&ctx, &o));
    assert_fails(PHYSAD_ERR_NOMEM, "memory limit is 4194304", physad_features_new(&f, ctx, &fo));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

typedef struct sharer {
    const physad_features *f;
    const float *x, *want;
    int64_t from;
    int differ;
} sharer;

static void *share(void *user)
{
    sharer *s = user;
    int64_t shape[3];
    physad_features_shape(s->f, shape);
    for (int64_t i = 0; i < 3; i++) {
        const int64_t at = (s->from + i) % 6, n = 1 + i % 2;
        float *got = malloc((size_t)(n * values_of(shape)) * sizeof(*got));
        const physad_view images =
            view4((float *)(uintptr_t)s->x + at * SIDE * SIDE * 3, n, (int64_t[]){ SIDE, SIDE, 3 });
        const physad_view out = view4(got, n, shape);
        s->differ += physad_features_compute(s->f, &images, &out, NULL) != PHYSAD_OK ||
                     memcmp(got, s->want + at * values_of(shape), (size_t)(n * values_of(shape)) * sizeof(*got)) != 0;
        free(got);
    }
    return NULL;
}

static void threads_share_features(void **state)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    sharer sharers[THREADS];
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small(NULL);
    assert_ok(physad_features_new(&f, ctx, &o));
    float *x = photos(8), *want = joined(f, x, 0, 8);
    for (int i = 0; i < THREADS; i++) {
        sharers[i] = (sharer){ f, x, want, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, share, &sharers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sharers[i].differ, 0);
    }
    free(x);
    free(want);
    physad_features_free(f);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* --- weights from files --- */

typedef struct renamer {
    const physad_tensors *from;
    physad_tensors *to;
    const physad__backbone *b;
    bool (*translate)(const physad__backbone *b, const char *ours, char *theirs, size_t size);
} renamer;

static void rename_all(const renamer *r)
{
    for (int64_t i = 0; i < physad_tensors_count(r->from); i++) {
        char name[256];
        physad_view view;
        assert_true(r->translate(r->b, physad_tensors_name(r->from, i), name, sizeof(name)));
        assert_ok(physad_tensors_view(r->from, i, &view));
        assert_ok(physad_tensors_add(r->to, name, &view));
    }
}

static bool damage_name(const physad__backbone *b, const char *ours, char *theirs, size_t size)
{
    const bool hit = strcmp(ours, "_blocks.3._bn1.running_var") == 0;
    snprintf(theirs, size, "%s%s", ours, hit ? "iance" : "");
    return true;
}

static physad_status from_tensors(physad_context *ctx, const physad_features *like, const physad_tensors *given,
                                  bool (*translate)(const physad__backbone *, const char *, char *, size_t),
                                  const char *path, physad_features **out)
{
    physad_features_options o = small(NULL);
    renamer r = { given, NULL, like->backbone, translate };
    assert_ok(physad_tensors_new(&r.to, ctx));
    rename_all(&r);
    assert_ok(physad_tensors_save(r.to, path));
    physad_tensors_free(r.to);
    o.weights = path;
    const physad_status status = physad_features_new(out, ctx, &o);
    unlink(path);
    return status;
}

/* The random network, written out and read again under three sets of names, gives the same bits. */
static void files_are_read_by_name(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f, *g;
    physad_features_options o = small(NULL);
    physad_tensors *mine;
    int64_t s[3];
    char path[64];
    snprintf(path, sizeof(path), "features_%ld.safetensors", (long)getpid());
    assert_ok(physad_features_new(&f, ctx, &o));
    physad_features_shape(f, s);
    assert_ok(physad_tensors_new(&mine, ctx));
    assert_ok(physad__features_export(f, mine, "net."));
    assert_true(physad_tensors_count(mine) > 100);
    float *x = photos(1), *want = joined(f, x, 0, 1);
    assert_ok(physad__features_new_from(&g, ctx, &o, mine, "net."));
    float *got = joined(g, x, 0, 1);
    assert_memory_equal(got, want, (size_t)values_of(s) * sizeof(float));
    free(got);
    assert_ok(physad__features_export(g, mine, "again.")); /* a loaded model may be saved once more */
    for (int64_t i = 0; i < physad_tensors_count(mine); i++) {
        char name[256];
        physad_view a, b;
        if (strncmp(physad_tensors_name(mine, i), "net.", 4) != 0)
            continue;
        snprintf(name, sizeof(name), "again.%s", physad_tensors_name(mine, i) + 4);
        assert_ok(physad_tensors_view(mine, i, &a));
        assert_ok(physad_tensors_find(mine, name, &b));
        assert_memory_equal(a.data, b.data, (size_t)physad__view_count(&a) * sizeof(float));
    }
    physad_features_free(g);
    assert_fails(PHYSAD_ERR_FORMAT, "\"other._conv_stem.weight\"",
                 physad__features_new_from(&g, ctx, &o, mine, "other."));
    physad_tensors_free(mine);

    assert_ok(physad_tensors_new(&mine, ctx));
    assert_ok(physad__features_export(f, mine, ""));
    assert_ok(from_tensors(ctx, f, mine, physad__efficientnet_timm_name, path, &g));
    got = joined(g, x, 0, 1);
    assert_memory_equal(got, want, (size_t)values_of(s) * sizeof(float));
    assert_string_equal(physad_features_weights(g), path);
    free(got);
    physad_features_free(g);
    assert_fails(PHYSAD_ERR_FORMAT, "\"_blocks.3._bn1.running_variance\" is none of efficientnet-lite0's",
                 from_tensors(ctx, f, mine, damage_name, path, &g));
    physad_tensors_free(mine);
    free(x);
    free(want);
    physad_features_free(f);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* KiB of a mapped file that lie in this process's memory; -1 where the system does not tell. */
static long resident(const char *name)
{
    char line[4200];
    long kib = 0, part;
    bool inside = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    if (f == NULL)
        return -1;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (strstr(line, "-p ") != NULL || strstr(line, "-s ") != NULL || strstr(line, "xp ") != NULL)
            inside = strstr(line, name) != NULL;
        else if (inside && sscanf(line, "Rss: %ld kB", &part) == 1)
            kib += part;
    }
    fclose(f);
    return kib;
}

/* A network has its weights packed; the file they came from is only read again when somebody asks for it. */
static void weights_are_not_held_twice(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small(NULL);
    physad_tensors *first, *second;
    char path[64];
    snprintf(path, sizeof(path), "features_%ld.held.safetensors", (long)getpid());
    assert_ok(physad_features_new(&f, ctx, &o));
    assert_ok(physad_tensors_new(&first, ctx));
    assert_ok(physad__features_export(f, first, ""));
    assert_ok(physad_tensors_save(first, path));
    physad_features_free(f);
    o.weights = path;
    assert_ok(physad_features_new(&f, ctx, &o));
    const long held = resident(path);
    assert_true(held < 100);
    assert_ok(physad_tensors_new(&second, ctx));
    assert_ok(physad__features_export(f, second, ""));
    assert_true(held < 0 || resident(path) > 1000); /* so they are counted */
    for (int64_t i = 0; i < physad_tensors_count(first); i++) {
        physad_view a, b;
        assert_ok(physad_tensors_view(first, i, &a));
        assert_ok(physad_tensors_find(second, physad_tensors_name(first, i), &b));
        assert_memory_equal(a.data, b.data, (size_t)physad__view_count(&a) * sizeof(float));
    }
    physad_tensors_free(first);
    physad_tensors_free(second);
    physad_features_free(f);
    unlink(path);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void wrong_files_are_told(void **state)
{
    physad_context *ctx = context_of(2);
    physad_features *f;
    physad_features_options o = small("resnet18");
    physad_tensors *t;
    float room[64 * 3 * 7 * 7] = { 0 };
    const physad_view stem = physad_view_array(room, PHYSAD_F32, 4, (int64_t[]){ 64, 3, 7, 7 });
    const physad_view wrong = physad_view_array(room, PHYSAD_F32, 4, (int64_t[]){ 64, 3, 3, 3 });
    o.layers = "stem";
    assert_ok(physad_tensors_new(&t, ctx));
    assert_fails(PHYSAD_ERR_FORMAT, "the file's first is \"(none)\"", physad__features_new_from(&f, ctx, &o, t, ""));
    assert_ok(physad_tensors_add(t, "conv1.weight", &stem));
    assert_fails(PHYSAD_ERR_FORMAT, "\"bn1.weight\" of resnet18 is missing",
                 physad__features_new_from(&f, ctx, &o, t, ""));
    physad_tensors_free(t);
    assert_ok(physad_tensors_new(&t, ctx));
    assert_ok(physad_tensors_add(t, "conv1.weight", &wrong));
    const physad_view norm = physad_view_array(room, PHYSAD_F32, 1, (int64_t[]){ 64 });
    static const char *const parts[] = { "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var" };
    for (int i = 0; i < 4; i++)
        assert_ok(physad_tensors_add(t, parts[i], &norm));
    assert_fails(PHYSAD_ERR_FORMAT, "has shape (64,3,3,3), resnet18 wants (64,3,7,7)",
                 physad__features_new_from(&f, ctx, &o, t, ""));
    physad_tensors_free(t);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_join_as_in_patchcore), cmocka_unit_test(shapes_and_names),
        cmocka_unit_test(batch_order_and_threads_do_not_show), cmocka_unit_test(layers_come_out_as_they_are),
        cmocka_unit_test(reductions), cmocka_unit_test(nan_stays_with_its_photo),
        cmocka_unit_test(options_are_checked), cmocka_unit_test(calls_are_checked),
        cmocka_unit_test(children_of_fork_are_refused), cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(the_memory_limit_holds), cmocka_unit_test(threads_share_features),
        cmocka_unit_test(files_are_read_by_name), cmocka_unit_test(wrong_files_are_told),
        cmocka_unit_test(weights_are_not_held_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
