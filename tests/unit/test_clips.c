/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that train on clips: networks, losses, gradients and scores as restated in PyTorch; fitting, saving and
 * scoring on small rendered videos. */
#include "test.h"

#include "detect/detect_clip.h"

#include <physad/detect.h>
#include <physad/metrics.h>
#include <physad/synth.h>

#include <unistd.h>

enum { SIZE = 32, BATCH = 2 };

static char folder[64];
static physad_dataset *fans;
static physad_context *shared;
static physad_tensors *golden;

static const char *const methods[] = { "mnad-pred", "mnad-recon", "memae", "mpn" };

/* --- the waves of tests/golden/make_clips.py
 * ------------------------------------------------------------------------------ */

static double wave(int64_t i, double phase)
{
    return sin(0.7 * (double)i + phase) * cos(0.013 * (double)i * (1 + phase / 50));
}

static double phase_of(const char *name)
{
    int sum = 0;
    for (const char *p = name; *p != '\0'; p++)
        sum += (unsigned char)*p;
    return sum % 97 / 7.0;
}

static void fill_wave(float *out, int64_t count, double phase)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)wave(i, phase);
}

static void fill_param(physad__param *p)
{
    double scale = 0.1, middle = 0;
    if (!physad__has_suffix(p->name, "running_mean") && !physad__has_suffix(p->name, "running_var")) {
        if (p->ndim > 1)
            scale = 2 / sqrt((double)(p->count / p->shape[0]));
        const bool factor = physad__has_suffix(p->name, "norm.weight");
        scale = factor ? 0.2 : scale;
        middle = factor ? 1 : 0;
        for (int64_t i = 0; i < p->count; i++)
            p->data[i] = (float)(middle + wave(i, phase_of(p->name)) * scale);
    }
    if (strcmp(p->name, "memory.items") != 0)
        return;
    fill_wave(p->data, p->count, phase_of(p->name));
    for (int64_t r = 0; r < p->shape[0]; r++) {
        double sum = 0;
        float *row = p->data + r * p->shape[1];
        for (int64_t c = 0; c < p->shape[1]; c++)
            sum += (double)row[c] * (double)row[c];
        for (int64_t c = 0; c < p->shape[1]; c++)
            row[c] = (float)((double)row[c] / sqrt(sum));
    }
}

static const float *find(const char *method, const char *what, int64_t count)
{
    char name[160];
    physad_view v;
    snprintf(name, sizeof(name), "%s.%s", method, what);
    assert_ok(physad_tensors_find(golden, name, &v));
    if (count >= 0)
        assert_int_equal(physad__view_count(&v), count);
    return v.data;
}

static physad_detector *small(physad_context *ctx, const char *method)
{
    physad_detector *det;
    const bool memae = strcmp(method, "memae") == 0;
    assert_ok(physad_detector_new(&det, ctx, method));
    assert_ok(physad_detector_set(det, "size", "32"));
    assert_ok(physad_detector_set(det, "width", memae ? "6" : "4"));
    assert_ok(physad_detector_set(det, "batch", "2"));
    if (memae) {
        assert_ok(physad_detector_set(det, "items", "50"));
        assert_ok(physad_detector_set(det, "shrink", "0.02"));
    }
    return det;
}

/* --- parity
 * ---------------------------------------------------------------------------------------------------------------- */

static void compare_gradients(const char *method, const physad__params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        const physad__param *p = &params->items[i];
        char name[128];
        double squares = 0, product = 0;
        if (p->grad == NULL)
            continue;
        for (int64_t k = 0; k < p->count; k++) {
            squares += (double)p->grad[k] * (double)p->grad[k];
            product += (double)p->grad[k] * wave(k, 0.5);
        }
        snprintf(name, sizeof(name), "d.%s", p->name);
        const float *want = find(method, name, 2);
        const double norm = fmax((double)want[0], 0.02); /* biases before a batch norm have none but noise */
        assert_near(sqrt(squares), (double)want[0], 1e-3 * norm);
        assert_near(product, (double)want[1], 1e-3 * norm);
    }
}

/* Errors weighed by a motion, against their definition; features' distances where all moves alike. */
static void compare_weighed(const physad_detector *det, const char *method, const physad__clip_net *net,
                            const double *plain)
{
    const physad__clip_method *m = physad__clip_method_of(det);
    const bool memae = strcmp(method, "memae") == 0;
    float motion[SIZE * SIZE], map[SIZE * SIZE];
    double got[2] = { 0 }, sum = 0;
    for (int64_t i = 0; i < SIZE * SIZE; i++)
        motion[i] = (float)fabs(wave(i, 4));
    m->judge(det, net, 0, motion, got, map);
    for (int64_t i = 0; i < SIZE * SIZE; i++) {
        const int64_t channels = m->channels, at = memae ? 8 * SIZE * SIZE + i : i * channels;
        double squares = 0;
        for (int64_t c = 0; c < channels; c++) {
            const double d = (double)physad__tape_data(net->t, net->kept[0])[at + c] -
                             (double)physad__tape_data(net->t, net->target)[at + c];
            squares += d * d / (double)channels;
        }
        const double want = (double)motion[i] * sqrt(squares) / (memae ? 1 : 2); /* of numbers in -1..1, or in 0..1 */
        assert_near((double)map[i], want, 1e-6);
        sum += want;
    }
    const double mean = sum / (SIZE * SIZE);
    assert_near(got[0], memae ? mean : 10 * log10(mean), 1e-5);
    for (int64_t i = 0; i < SIZE * SIZE; i++)
        motion[i] = 0.5f;
    m->judge(det, net, 0, motion, got, map);
    if (m->terms == 2) /* a mean square, but in mpn decibels already */
        assert_near(got[1], 10 * log10(0.5) + (strcmp(method, "mpn") == 0 ? plain[1] : 10 * log10(plain[1])), 1e-5);
}

static void compare_method(const char *method)
{
    physad_detector *det = small(shared, method);
    const physad__clip_method *m = physad__clip_method_of(det);
    assert_ok(physad_detector_set(det, "window", "1"));
    physad__params params;
    physad__clip_net *net;
    physad__call call;
    physad__params_init(&params, &shared->mem, 1);
    assert_ok(physad__call_begin(&call, shared, NULL, "test"));
    assert_ok(physad__clip_net_new(&net, det, &params, BATCH, SIZE, true));
    assert_ok(physad__clip_net_compile(net, true));
    for (int64_t i = 0; i < params.count; i++)
        fill_param(&params.items[i]);
    if (strcmp(method, "memae") == 0)
        fill_wave(physad__tape_data(net->t, net->input), physad__tape_count(net->t, net->input), 2);
    else
        fill_wave(physad__tape_data(net->t, net->input), physad__tape_count(net->t, net->input),
                  net->target == net->input ? 3 : 1);
    if (net->target != net->input)
        fill_wave(physad__tape_data(net->t, net->target), physad__tape_count(net->t, net->target), 3);
    assert_ok(physad__tape_forward(net->t));
    const double loss = (double)find(method, "loss", 1)[0];
    assert_near((double)physad__tape_data(net->t, net->loss)[0], loss, 1e-4 * loss);
    const int64_t n = physad__tape_count(net->t, net->kept[0]);
    const float *made = find(method, "made", (n + 36) / 37), *terms = find(method, "terms", 2 * BATCH);
    for (int64_t i = 0; i < n; i += 37)
        assert_near((double)physad__tape_data(net->t, net->kept[0])[i], (double)made[i / 37], 1e-4);
    float *map = test_malloc(SIZE * SIZE * sizeof(float));
    for (int64_t i = 0; i < BATCH; i++) {
        double got[2] = { 0 };
        m->judge(det, net, i, NULL, got, map);
        for (int k = 0; k < 2; k++)
            assert_near(got[k], (double)terms[2 * i + k], 1e-4 * fmax(1, fabs(got[k])));
        if (i == 0)
            compare_weighed(det, method, net, got);
    }
    test_free(map);
    assert_ok(physad__tape_backward(net->t));
    compare_gradients(method, &params);
    if (m->seen != NULL) {
        const physad__param *memory = &params.items[physad__params_find(&params, "memory.items")];
        assert_ok(m->seen(det, &params, net));
        const float *want = find(method, "memory", memory->count);
        for (int64_t i = 0; i < memory->count; i++)
            assert_near((double)memory->data[i], (double)want[i], 1e-4);
    }
    physad__call_end(&call);
    physad__clip_net_free(net);
    physad__params_clear(&params);
    physad_detector_free(det);
}

/* Twenty steps of Adam, each on other clips, follow PyTorch's losses. Shrinking is a step function: where a weight lies
 * at its threshold the last bit, and so the instruction set, decides whether an entry takes part, and that one loss
 * moves; the next are as before. One in twenty may. */
static void test_memae_run(void **state)
{
    int strays = 0;
    physad_detector *det = small(shared, "memae");
    const physad__optimizer_options adam = { .kind = PHYSAD__ADAM, .rate = 1e-3 };
    physad__params params;
    physad__clip_net *net;
    physad__optimizer *optimizer;
    physad__call call;
    const float *losses = find("memae", "run", 20);
    physad__params_init(&params, &shared->mem, 1);
    assert_ok(physad__call_begin(&call, shared, NULL, "test"));
    assert_ok(physad__clip_net_new(&net, det, &params, BATCH, SIZE, true));
    assert_ok(physad__clip_net_compile(net, true));
    for (int64_t i = 0; i < params.count; i++)
        fill_param(&params.items[i]);
    assert_ok(physad__optimizer_new(&optimizer, &params, &adam));
    for (int step = 0; step < 20; step++) {
        fill_wave(physad__tape_data(net->t, net->input), physad__tape_count(net->t, net->input), 2 + 0.1 * step);
        physad__params_zero_grad(&params);
        assert_ok(physad__tape_forward(net->t));
        const double got = (double)physad__tape_data(net->t, net->loss)[0], want = (double)losses[step];
        strays += fabs(got - want) > 1e-4 * want;
        assert_near(got, want, 5e-3 * want);
        assert_ok(physad__tape_backward(net->t));
        assert_ok(physad__optimizer_step(optimizer, 1));
    }
    assert_true(strays <= 1);
    assert_true((double)losses[19] < 0.9 * (double)losses[0]);
    physad__optimizer_free(optimizer);
    physad__call_end(&call);
    physad__clip_net_free(net);
    physad__params_clear(&params);
    physad_detector_free(det);
}

static void test_parity(void **state)
{
    for (int i = 0; i < 4; i++)
        compare_method(methods[i]);
}

/* How far a gradient is from PyTorch's, by the 2-norm. */
static double apart(const char *what, const physad__param *p, const char *name)
{
    char key[128];
    double d = 0, all = 0;
    snprintf(key, sizeof(key), "%s.%s", what, name);
    const float *want = find("task", key, p->count);
    for (int64_t k = 0; k < p->count; k++) {
        d += ((double)p->grad[k] - (double)want[k]) * ((double)p->grad[k] - (double)want[k]);
        all += (double)want[k] * (double)want[k];
    }
    return sqrt(d / fmax(all, 1e-20));
}

static void test_second_order(void **state)
{
    enum { CHANNELS = 8, ROWS = 4 * SIZE * SIZE };
    physad_detector *det = small(shared, "mpn");
    float *features = test_malloc(ROWS * CHANNELS * sizeof(float)), *target = test_malloc(ROWS * 3 * sizeof(float));
    physad__params params;
    physad__call call;
    double loss;
    fill_wave(features, ROWS * CHANNELS, 4);
    fill_wave(target, ROWS * 3, 3);
    for (int64_t r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int64_t c = 0; c < CHANNELS; c++)
            sum += (double)features[r * CHANNELS + c] * (double)features[r * CHANNELS + c];
        for (int64_t c = 0; c < CHANNELS; c++)
            features[r * CHANNELS + c] = (float)((double)features[r * CHANNELS + c] / fmax(sqrt(sum), 1e-12));
    }
    physad__params_init(&params, &shared->mem, 1);
    assert_ok(physad__call_begin(&call, shared, NULL, "test"));
    /* Once to make the parameters, once with those of the golden. */
    assert_ok(physad__mpn_task_gradient(det, &params, features, target, 0.05, &loss));
    for (int64_t i = 0; i < params.count; i++)
        if (strncmp(params.items[i].name, "step.", 5) != 0)
            fill_param(&params.items[i]);
    physad__params_zero_grad(&params);
    physad__params theta;
    physad__params_init(&theta, &shared->mem, 1);
    for (int64_t i = 0; i < params.count / 2; i++) {
        const physad__param_init zero = { PHYSAD__DRAW_UNIFORM, 0, 0 };
        const physad__param *p = &params.items[i];
        int32_t index;
        assert_ok(physad__params_get(&theta, &index, p->name, p->ndim, p->shape, &zero, true));
        memcpy(theta.items[index].data, p->data, (size_t)p->count * sizeof(float));
    }
    assert_ok(physad__mpn_task_gradient(det, &theta, features, target, 0.05, &loss));
    physad__call_end(&call);
    assert_near(loss, (double)find("task", "loss", 1)[0], 1e-4 * loss);
    for (int64_t i = 0; i < theta.count / 2; i++) {
        const physad__param *p = &theta.items[i];
        assert_true(apart("d", p, p->name) < 1e-3);
        assert_true(apart("step", &theta.items[theta.count / 2 + i], p->name) < 1e-3);
    }
    physad__params_clear(&params);
    physad__params_clear(&theta);
    test_free(features);
    test_free(target);
    physad_detector_free(det);
}

/* --- fitting
 * --------------------------------------------------------------------------------------------------------------- */

static physad_detector *fitted_in(physad_context *ctx, const char *method, const char *precision)
{
    physad_detector *det = small(ctx, method);
    assert_ok(physad_detector_set(det, "precision", precision));
    assert_ok(physad_detector_set(det, "epochs", "1"));
    assert_ok(physad_detector_set(det, "calibration", "0.34"));
    assert_ok(physad_detector_set(det, "alpha", "0.4"));
    if (strcmp(method, "mpn") == 0)
        assert_ok(physad_detector_set(det, "meta_epochs", "1"));
    else
        assert_ok(physad_detector_set(det, "epoch_clips", "8"));
    assert_ok(physad_detector_fit(det, fans, NULL));
    return det;
}

static physad_detector *fitted(physad_context *ctx, const char *method)
{
    return fitted_in(ctx, method, "f32");
}

static physad_result *score(const physad_detector *det, const char *file)
{
    physad_video *v;
    physad_result *r;
    assert_ok(physad_video_open(&v, shared, file, NULL));
    assert_ok(physad_detector_score_video(det, v, 0, &r));
    physad_video_free(v);
    return r;
}

static const physad_sample *test_sample(void)
{
    for (int64_t i = 0; i < physad_dataset_count(fans); i++)
        if (physad_dataset_sample(fans, i)->split == PHYSAD_SPLIT_TEST)
            return physad_dataset_sample(fans, i);
    fail_msg("no test sample");
    return NULL;
}

static void assert_alike(const physad_result *a, const physad_result *b)
{
    assert_true(physad_result_score(a) == physad_result_score(b));
    assert_memory_equal(&a->threshold, &b->threshold, sizeof(double)); /* NaN where there is none */
    assert_int_equal(physad_result_frame_count(a), physad_result_frame_count(b));
    assert_memory_equal(physad_result_frame_scores(a), physad_result_frame_scores(b),
                        (size_t)physad_result_frame_count(a) * sizeof(double));
    assert_memory_equal(a->frame_maps, b->frame_maps,
                        (size_t)(a->frame_count * a->map_height * a->map_width) * sizeof(float));
}

static physad_result *score_learning(const char *update)
{
    physad_detector *det = small(shared, "mnad-recon");
    assert_ok(physad_detector_set(det, "update", update));
    assert_ok(physad_detector_set(det, "epochs", "1"));
    assert_ok(physad_detector_set(det, "calibration", "0"));
    assert_ok(physad_detector_set(det, "epoch_clips", "8"));
    assert_ok(physad_detector_fit(det, fans, NULL));
    physad_result *a = score(det, test_sample()->file), *b = score(det, test_sample()->file);
    assert_alike(a, b); /* each video begins anew */
    physad_result_free(b);
    physad_detector_free(det);
    return a;
}

/* What differs from a memory that does not learn, over the frames behind the first. */
static double change(const physad_result *a, const physad_result *b)
{
    double most = 0;
    for (int64_t i = 1; i < physad_result_frame_count(a); i++)
        most = fmax(most, fabs(physad_result_frame_scores(a)[i] - physad_result_frame_scores(b)[i]));
    return most;
}

static void test_memory_learns_while_scoring(void **state)
{
    physad_result *plain = score_learning("0"), *all = score_learning("1"), *none = score_learning("1e-12");
    assert_near(physad_result_frame_scores(all)[0], physad_result_frame_scores(plain)[0],
                1e-4); /* nothing was taken in yet */
    assert_true(change(all, plain) > 0.01);
    assert_near(change(none, plain), 0, 1e-4); /* every frame is too new */
    physad_result_free(plain);
    physad_result_free(all);
    physad_result_free(none);
}

static void test_fit_and_save(void **state)
{
    const char *file = test_sample()->file;
    for (int i = 0; i < 4; i++) {
        char path[128];
        physad_detector *det = fitted(shared, methods[i]), *back;
        physad_result *a = score(det, file);
        assert_int_equal(physad_result_frame_count(a), 16);
        float map[SIZE * SIZE];
        int64_t shape[2];
        assert_ok(physad_result_input_map_shape(a, &shape[0], &shape[1]));
        const physad_view view = physad_view_array(map, PHYSAD_F32, 2, shape);
        assert_int_equal(shape[0] * shape[1], SIZE * SIZE);
        assert_ok(physad_result_frame_map(a, 15, &view));
        assert_memory_equal(map, a->frame_maps + 15 * SIZE * SIZE, sizeof(map));
        assert_fails(PHYSAD_ERR_ARG, "16 of 16", physad_result_frame_map(a, 16, &view));
        assert_fails(PHYSAD_ERR_ARG, "NULL", physad_result_frame_map(NULL, 0, &view));
        assert_true(isfinite(physad_result_score(a)) && isfinite(physad_result_threshold(a)));
        snprintf(path, sizeof(path), "%s/model", folder);
        assert_ok(physad_detector_save(det, path));
        assert_ok(physad_detector_load(&back, shared, path));
        physad_result *b = score(back, file);
        assert_alike(a, b);
        physad_result_free(b);
        physad_detector_free(back);
        /* Another number of threads, fitted anew: the same bits. */
        physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
        physad_context *ctx;
        o.threads = 3;
        o.seed = physad_context_seed(shared);
        assert_ok(physad_context_new(&ctx, &o));
        back = fitted(ctx, methods[i]);
        b = score(back, file);
        assert_alike(a, b);
        physad_result_free(b);
        physad_detector_free(back);
        assert_int_equal(physad_context_memory_used(ctx), 0);
        physad_context_free(ctx);
        physad_result_free(a);
        physad_detector_free(det);
    }
}

/* Interrupted in its second epoch, then gone on with: the same bits as in one go. */
static int cancel_late(const physad_progress *progress, void *user)
{
    return strstr(progress->stage, "training, loss") != NULL && progress->done >= 6;
}

static void check_resumed(const char *precision)
{
    char path[128];
    physad_result *r[2];
    snprintf(path, sizeof(path), "%s/checkpoint", folder);
    for (int parts = 0; parts < 2; parts++) {
        physad_detector *det = small(shared, "mnad-recon");
        physad_call_options call = PHYSAD_CALL_OPTIONS_INIT;
        assert_ok(physad_detector_set(det, "precision", precision));
        assert_ok(physad_detector_set(det, "epochs", "2"));
        assert_ok(physad_detector_set(det, "epoch_clips", "8"));
        call.progress = cancel_late;
        if (parts) {
            assert_ok(physad_detector_set(det, "checkpoint", path));
            assert_fails(PHYSAD_ERR_CANCELLED, "cancelled", physad_detector_fit(det, fans, &call));
            assert_int_equal(physad_detector_is_fitted(det), 0);
            assert_int_equal(access(path, R_OK), 0);
        }
        assert_ok(physad_detector_fit(det, fans, NULL));
        r[parts] = score(det, test_sample()->file);
        physad_detector_free(det);
    }
    assert_alike(r[0], r[1]);
    physad_result_free(r[0]);
    physad_result_free(r[1]);
    /* Other options: another training. */
    physad_detector *det = small(shared, "mnad-recon");
    assert_ok(physad_detector_set(det, "epochs", "2"));
    assert_ok(physad_detector_set(det, "checkpoint", path));
    assert_fails(PHYSAD_ERR_FORMAT, "another training", physad_detector_fit(det, fans, NULL));
    physad_detector_free(det);
    assert_int_equal(unlink(path), 0);
}

static void test_checkpoint(void **state)
{
    check_resumed("f32");
    if (shared->cpu_flags & PHYSAD_CPU_AVX512_BF16)
        check_resumed("bf16");
}

/* --- mixed precision
 * ---------------------------------------------------------------------------------------------------------- */

/* By how much maps of errors differ, over what they hold. Scores are no measure for this: they are standardised by
 * normals that a network of two steps tells hardly apart. */
static double off_by(const physad_result *a, const physad_result *b)
{
    double off = 0, all = 0;
    for (int64_t i = 0; i < a->frame_count * a->map_height * a->map_width; i++) {
        off += fabs((double)a->frame_maps[i] - (double)b->frame_maps[i]);
        all += fabs((double)a->frame_maps[i]);
    }
    return off / all;
}

static physad_context *context_with(int32_t threads, uint32_t cpu_disable)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    o.threads = threads;
    o.seed = physad_context_seed(shared);
    o.cpu_disable = cpu_disable;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static void free_context(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* Where the instructions are missing: the model is loaded in f32 only, and nothing is fitted. */
static void check_without(const char *path, const char *method, const physad_result *want)
{
    physad_context *ctx = context_with(0, PHYSAD_CPU_AVX512_BF16);
    physad_load_options o = PHYSAD_LOAD_OPTIONS_INIT;
    physad_detector *det = NULL;
    o.precision = "f32";
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "use f32", physad_detector_load(&det, ctx, path));
    assert_null(det);
    assert_ok(physad_detector_load_with(&det, ctx, path, &o));
    physad_result *r = score(det, test_sample()->file);
    assert_true(off_by(want, r) > 0 && off_by(want, r) < 0x1p-7);
    physad_result_free(r);
    physad_detector_free(det);
    det = small(ctx, method);
    assert_ok(physad_detector_set(det, "precision", "bf16"));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "use f32", physad_detector_fit(det, fans, NULL));
    assert_int_equal(physad_detector_is_fitted(det), 0);
    physad_detector_free(det);
    free_context(ctx);
}

static void test_mixed(void **state)
{
    if (!(shared->cpu_flags & PHYSAD_CPU_AVX512_BF16))
        skip();
    for (int i = 0; i < 4; i++) {
        char path[128];
        physad_detector *det = fitted_in(shared, methods[i], "bf16"), *back;
        physad_result *a = score(det, test_sample()->file), *b;
        snprintf(path, sizeof(path), "%s/model", folder);
        assert_ok(physad_detector_save(det, path));
        assert_ok(physad_detector_load(&back, shared, path));
        assert_string_equal(physad_detector_get(back, "precision"), "bf16");
        b = score(back, test_sample()->file);
        assert_alike(a, b);
        physad_result_free(b);
        physad_detector_free(back);
        check_without(path, methods[i], a);
        physad_context *ctx = context_with(3, 0);
        back = fitted_in(ctx, methods[i], "bf16");
        b = score(back, test_sample()->file);
        assert_alike(a, b);
        physad_result_free(b);
        physad_detector_free(back);
        free_context(ctx);
        physad_result_free(a);
        physad_detector_free(det);
    }
}

static void test_options(void **state)
{
    physad_detector *det;
    assert_ok(physad_detector_new(&det, shared, "mnad-pred"));
    assert_string_equal(physad_detector_get(det, "size"), "128");
    assert_ok(physad_detector_set(det, "preset", "paper"));
    assert_string_equal(physad_detector_get(det, "size"), "256");
    assert_string_equal(physad_detector_get(det, "width"), "64");
    assert_string_equal(physad_detector_get(det, "epochs"), "60");
    assert_ok(physad_detector_set(det, "size", "40"));
    assert_fails(PHYSAD_ERR_ARG, "multiples of 16", physad_detector_fit(det, fans, NULL));
    assert_fails(PHYSAD_ERR_ARG, "pool", physad_detector_set(det, "pool", "median"));
    physad_detector_free(det);
}

/* Shorter than a clip, and no longer than one. */
static void test_frames(void **state)
{
    physad__clip_frames f;
    uint8_t pixels[3 * 4] = { 0, 255, 51, 0, 10, 20, 30, 40, 1, 2, 3, 4 };
    int64_t first[2] = { 0, 3 };
    float out[5 * 4];
    physad__clip_frames_init(&f, &shared->mem, 2, 1, 5);
    uint8_t *blocks[1] = { pixels };
    f.blocks = blocks;
    f.held = 3;
    f.first = first;
    f.videos = 1;
    const physad__clip_place whole = { 0 };
    assert_int_equal(physad__clip_count(&f, 0), 1);
    assert_ok(physad__clip_take(&f, &whole, 0, 5, true, out));
    assert_near((double)out[0], -1, 0);
    assert_near((double)out[1], 1, 0);
    assert_near((double)out[2], 51 / 127.5 - 1, 1e-6);
    assert_memory_equal(out + 8, out + 16, 4 * sizeof(float));
    assert_ok(physad__clip_take(&f, &whole, 1, 2, false, out));
    assert_near((double)out[0], 10 / 127.5 - 1, 1e-6);
    assert_near((double)out[1], 1 / 127.5 - 1, 1e-6);
    f.length = 2;
    assert_int_equal(physad__clip_count(&f, 0), 2);
}

/* Fits on pieces of frames that lie in memory (memory NULL) or in a file, and scores. */
static physad_result *fit_large(physad_context *ctx, const char *memory, physad_detector **det)
{
    physad_dataset *set;
    char path[128];
    snprintf(path, sizeof(path), "%s/set", folder);
    assert_ok(physad_dataset_open(&set, ctx, path, NULL));
    *det = small(ctx, "mnad-recon");
    assert_ok(physad_detector_set(*det, "size", "256"));
    assert_ok(physad_detector_set(*det, "piece", "32"));
    assert_ok(physad_detector_set(*det, "epochs", "1"));
    assert_ok(physad_detector_set(*det, "epoch_clips", "8"));
    if (memory != NULL)
        assert_ok(physad_detector_set(*det, "memory", memory));
    assert_ok(physad_detector_fit(*det, set, NULL));
    physad_result *r = score(*det, test_sample()->file);
    physad_dataset_free(set);
    return r;
}

/* More frames than memory is to hold: the same bits, and the memory is not taken. */
static void test_memory_limit(void **state)
{
    enum { FRAMES_BYTES = 11 << 20 }; /* of four videos, less than they take; two are set aside */
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_result *all = NULL;
    physad_detector *first = NULL;
    physad_context *contexts[3];
    uint64_t peak[3];
    o.seed = 5;
    o.threads = 1;
    for (int i = 0; i < 3; i++) {
        physad_detector *det;
        o.memory_limit = i == 2 ? peak[0] - FRAMES_BYTES / 2 : 0;
        assert_ok(physad_context_new(&contexts[i], &o));
        physad_result *r = fit_large(contexts[i], i == 1 ? "1" : NULL, &det);
        peak[i] = physad_context_memory_peak(contexts[i]);
        if (i == 0) {
            all = r;
            first = det;
            continue;
        }
        assert_alike(all, r);
        physad_result_free(r);
        physad_detector_free(det);
    }
    assert_true(peak[1] + FRAMES_BYTES <= peak[0]);
    assert_true(peak[2] <= peak[0] - FRAMES_BYTES / 2);
    physad_result_free(all);
    physad_detector_free(first);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(physad_context_memory_used(contexts[i]), 0);
        physad_context_free(contexts[i]);
    }
    /* Where the file cannot be made. */
    physad_detector *det;
    setenv("TMPDIR", "/nowhere", 1);
    det = small(shared, "mnad-recon");
    assert_ok(physad_detector_set(det, "size", "256"));
    assert_ok(physad_detector_set(det, "memory", "1"));
    assert_fails(PHYSAD_ERR_IO, "/nowhere", physad_detector_fit(det, fans, NULL));
    unsetenv("TMPDIR");
    physad_detector_free(det);
}

/* Against the mean of every window. */
static void test_window(void **state)
{
    enum { H = 7, W = 9 };
    float map[H * W];
    double columns[W];
    for (int i = 0; i < H * W; i++)
        map[i] = (float)((i * 37) % 23);
    for (int k = 1; k <= 10; k++) {
        const double share = k / 10.0;
        const int h = (int)fmax(1, floor(share * H + 0.5)), w = (int)fmax(1, floor(share * W + 0.5));
        double worst = 0;
        for (int y = 0; y + h <= H; y++) {
            for (int x = 0; x + w <= W; x++) {
                double sum = 0;
                for (int i = 0; i < h * w; i++)
                    sum += (double)map[(y + i / w) * W + x + i % w];
                worst = fmax(worst, sum / (h * w));
            }
        }
        assert_near(physad__clip_worst(map, H, W, share, columns), worst, 1e-9);
    }
}

/* Contrast against sums over each window. */
static void test_contrast(void **state)
{
    enum { H = 9, W = 7, C = 3 };
    float frame[H * W * C], map[H * W];
    for (int i = 0; i < H * W * C; i++)
        frame[i] = (float)((i * 37) % 23) / 11.5f - 1;
    for (int i = 0; i < H * W; i++)
        map[i] = 0.5f;
    assert_ok(physad__clip_contrast(&shared->mem, frame, H, W, C, 0.45,
                                    map)); /* 4 rows, 3 columns: two and one to each side */
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double n = 0, sum = 0, squares = 0;
            for (int v = y - 2; v <= y + 2; v++)
                for (int u = x - 1; u <= x + 1; u++) {
                    if (v < 0 || v >= H || u < 0 || u >= W)
                        continue;
                    double mean = 0;
                    for (int c = 0; c < C; c++)
                        mean += ((double)frame[(v * W + u) * C + c] + 1) / 2 / C;
                    n++;
                    sum += mean;
                    squares += mean * mean;
                }
            assert_near((double)map[y * W + x], 0.5 / (1 + (squares / n - sum * sum / n / n) / 0.0025), 1e-6);
        }
}

static int make(void **state)
{
    physad_context_options c = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_synth_phys_options o = PHYSAD_SYNTH_PHYS_OPTIONS_INIT;
    char path[4096];
    snprintf(folder, sizeof(folder), "/tmp/physad-clips-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    c.seed = 5;
    c.threads = 2;
    if (physad_context_new(&shared, &c) != PHYSAD_OK)
        return -1;
    snprintf(path, sizeof(path), "%s/train/clips.safetensors", getenv("PHYSAD_TEST_GOLDEN"));
    if (physad_tensors_open(&golden, shared, path, NULL) != PHYSAD_OK)
        return -1;
    snprintf(path, sizeof(path), "%s/set", folder);
    o.categories = "fan";
    o.train_videos = 6;
    o.test_videos = 1;
    o.defect_videos = 1;
    o.frames = 16;
    o.width = o.height = 32;
    return physad_synth_phys(shared, path, &o, NULL) || physad_dataset_open(&fans, shared, path, NULL);
}

static int drop(void **state)
{
    char command[128];
    physad_dataset_free(fans);
    physad_tensors_free(golden);
    const bool leaks = physad_context_memory_used(shared) != 0;
    physad_context_free(shared);
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command) || leaks;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parity),
        cmocka_unit_test(test_second_order),
        cmocka_unit_test(test_memory_learns_while_scoring),
        cmocka_unit_test(test_fit_and_save),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_memae_run),
        cmocka_unit_test(test_contrast),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
