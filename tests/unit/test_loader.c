/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"

#include "data/data_dataset.h"

#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 37, SIDE = 16, PIXELS = SIDE * SIDE * 3 };

static physad_context *new_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

/* Photos of noise of many sizes in memory; every sample in `broken` is a file that is not there. */
static physad_dataset *make_set(physad_context *ctx, const int64_t *broken, int64_t broken_count)
{
    physad_dataset *ds = NULL;
    static unsigned char bytes[64 * 64 * 3];
    physad__rng rng;
    physad__rng_seed(&rng, 3, 0);
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int64_t i = 0; i < COUNT; i++) {
        const int64_t h = 20 + i % 40, w = 64 - i % 30;
        for (int64_t k = 0; k < h * w * 3; k++)
            bytes[k] = (unsigned char)physad__rng_next(&rng);
        const physad_view v = physad_view_rgb8(bytes, h, w, w * 3);
        physad_item item = PHYSAD_ITEM_INIT;
        item.photo = &v;
        item.flags = PHYSAD_ITEM_COPY;
        for (int64_t b = 0; b < broken_count; b++) {
            if (broken[b] == i) {
                item.photo = NULL;
                item.file = "/nowhere/at/all.png";
            }
        }
        assert_ok(physad_dataset_add(ds, &item));
    }
    return ds;
}

static physad_transform *make_transform(physad_context *ctx)
{
    physad_transform *t = NULL;
    physad_transform_options o = PHYSAD_TRANSFORM_OPTIONS_INIT;
    o.height = SIDE;
    assert_ok(physad_transform_new(&t, ctx, &o));
    return t;
}

static void end(physad_context *ctx, physad_dataset *ds, physad_transform *t)
{
    physad_dataset_free(ds);
    physad_transform_free(t);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* Everything that the loader gives, sample by sample; returns how many. */
static int64_t drain(physad__loader *l, float *pixels, int64_t *indices)
{
    physad__batch b;
    int64_t count = 0;
    for (;;) {
        assert_ok(physad__loader_next(l, &b));
        if (b.count == 0)
            return count;
        memcpy(pixels + count * PIXELS, b.pixels, (size_t)(b.count * PIXELS) * sizeof(float));
        memcpy(indices + count, b.indices, (size_t)b.count * sizeof(*indices));
        for (int64_t i = 0; i < b.count; i++)
            assert_int_equal(b.photo[i][0], 20 + b.indices[i] % 40);
        memset(b.pixels, 0xff, (size_t)(b.count * PIXELS) * sizeof(float)); /* the batch is the caller's to spoil */
        count += b.count;
    }
}

static void the_same_whatever_the_threads(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = make_set(ctx, NULL, 0);
    physad_transform *t = make_transform(ctx);
    static float want[COUNT * PIXELS], got[COUNT * PIXELS];
    int64_t indices[COUNT];
    for (int64_t i = 0; i < COUNT; i++) {
        const int64_t shape[] = { SIDE, SIDE, 3 };
        physad_view out = physad_view_array(want + i * PIXELS, PHYSAD_F32, 3, shape);
        physad_image *image = NULL;
        assert_ok(physad_dataset_read_image(ds, i, &image));
        const physad_view v = physad_image_view(image);
        assert_ok(physad_transform_apply(t, &v, &out));
        physad_image_free(image);
    }
    static const int32_t threads[] = { 1, 2, 4, 7 };
    static const int64_t batches[] = { 1, 5, 37, 100 };
    for (int64_t i = 0; i < PHYSAD__COUNT(threads); i++) {
        for (int64_t k = 0; k < PHYSAD__COUNT(batches); k++) {
            const physad__loader_options o = { .batch = batches[k], .threads = threads[i], .ahead = 1 + k };
            physad__loader *l = NULL;
            assert_ok(physad__loader_new(&l, ds, t, &o));
            assert_int_equal(drain(l, got, indices), COUNT);
            for (int64_t n = 0; n < COUNT; n++)
                assert_int_equal(indices[n], n);
            assert_memory_equal(got, want, sizeof(want));
            physad__batch b;
            assert_ok(physad__loader_next(l, &b)); /* and it stays at its end */
            assert_int_equal(b.count, 0);
            physad__loader_free(l);
        }
    }
    /* A list, with repetitions, in its own order. */
    const int64_t some[] = { 5, 5, 36, 0 };
    const physad__loader_options o = { .indices = some, .count = 4, .batch = 3 };
    physad__loader *l = NULL;
    assert_ok(physad__loader_new(&l, ds, t, &o));
    assert_int_equal(drain(l, got, indices), 4);
    assert_memory_equal(indices, some, sizeof(some));
    assert_memory_equal(got + 2 * PIXELS, want + 36 * PIXELS, PIXELS * sizeof(float));
    physad__loader_free(l);
    end(ctx, ds, t);
}

static void broken_files_are_skipped_or_stop(void **state)
{
    static const int64_t broken[] = { 0, 5, 6, 7, 8, 9, 36 };
    physad_context *ctx = new_context();
    physad_dataset *ds = make_set(ctx, broken, PHYSAD__COUNT(broken));
    physad_transform *t = make_transform(ctx);
    static float got[COUNT * PIXELS];
    int64_t indices[COUNT];
    for (int32_t threads = 1; threads <= 4; threads *= 2) {
        physad__loader *l = NULL;
        const physad__loader_options o = { .batch = 5, .threads = threads, .on_error = PHYSAD__ON_ERROR_SKIP };
        assert_ok(physad__loader_new(&l, ds, t, &o));
        assert_int_equal(drain(l, got, indices), COUNT - PHYSAD__COUNT(broken));
        assert_int_equal(indices[0], 1);
        assert_int_equal(indices[4], 10);
        assert_int_equal(physad__loader_skipped_count(l), PHYSAD__COUNT(broken));
        for (int64_t i = 0; i < PHYSAD__COUNT(broken); i++) {
            assert_int_equal(physad__loader_skipped(l, i)->index, broken[i]);
            assert_int_equal(physad__loader_skipped(l, i)->status, PHYSAD_ERR_IO);
            assert_non_null(strstr(physad__loader_skipped(l, i)->reason, "/nowhere/at/all.png"));
        }
        assert_null(physad__loader_skipped(l, PHYSAD__COUNT(broken)));
        physad__loader_free(l);

        const physad__loader_options stop = { .batch = 5, .threads = threads };
        physad__batch b;
        assert_ok(physad__loader_new(&l, ds, t, &stop));
        for (int i = 0; i < 3; i++)
            assert_fails(PHYSAD_ERR_IO, "/nowhere/at/all.png", physad__loader_next(l, &b));
        assert_int_equal(b.count, 0);
        physad__loader_free(l);
    }
    end(ctx, ds, t);
}

static void it_ends_early_and_is_cancelled(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = make_set(ctx, NULL, 0);
    physad_transform *t = make_transform(ctx);
    const physad__loader_options o = { .batch = 4, .threads = 3 };
    physad__loader *l = NULL;
    physad__batch b;
    for (int i = 0; i < 30; i++) { /* freed while its threads are at work */
        assert_ok(physad__loader_new(&l, ds, t, &o));
        if (i % 3 == 0)
            assert_ok(physad__loader_next(l, &b));
        physad__loader_free(l);
    }
    assert_ok(physad__loader_new(&l, ds, t, &o));
    assert_ok(physad__loader_next(l, &b));
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "physad_context_cancel", physad__loader_next(l, &b));
    physad_context_resume(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "physad_context_cancel", physad__loader_next(l, &b));
    physad__loader_free(l);
    physad__loader_free(NULL);
    end(ctx, ds, t);
}

static void wrong_wishes_are_named(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = make_set(ctx, NULL, 0), *none = NULL;
    physad_transform *t = make_transform(ctx);
    const int64_t wrong[] = { 0, COUNT };
    physad__loader *l = NULL;
    physad__batch b;
    assert_fails(PHYSAD_ERR_ARG, "indices[1] is 37",
                 physad__loader_new(&l, ds, t, &(physad__loader_options){ .indices = wrong, .count = 2 }));
    assert_fails(PHYSAD_ERR_ARG, "out of range",
                 physad__loader_new(&l, ds, t, &(physad__loader_options){ .batch = -1 }));
    assert_fails(PHYSAD_ERR_ARG, "out of range",
                 physad__loader_new(&l, ds, t, &(physad__loader_options){ .on_error = 2 }));
    assert_null(l);
    assert_ok(physad_dataset_subset(&none, ds, NULL, 0));
    assert_ok(physad__loader_new(&l, none, t, NULL));
    assert_ok(physad__loader_next(l, &b));
    assert_int_equal(b.count, 0);
    physad__loader_free(l);
    physad_dataset_free(none);
    end(ctx, ds, t);
}

static void a_child_process_is_told(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = make_set(ctx, NULL, 0);
    physad_transform *t = make_transform(ctx);
    physad__loader *l = NULL;
    physad__batch b;
    int how;
    assert_ok(physad__loader_new(&l, ds, t, NULL));
    const pid_t child = fork();
    if (child == 0) {
        const int status = physad__loader_next(l, &b) == PHYSAD_ERR_STATE ? 0 : 1;
        physad__loader_free(l); /* does not wait for threads that are not there */
        _exit(status);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    physad__loader_free(l);
    end(ctx, ds, t);
}

static physad_status everything(physad_context *ctx, const physad_dataset *ds, const physad_transform *t)
{
    physad__loader *l = NULL;
    physad__batch b;
    const physad__loader_options o = { .batch = 2,
                                       .threads = 2,
                                       .on_error = PHYSAD__ON_ERROR_SKIP,
                                       .count = 5,
                                       .indices = (const int64_t[]){ 0, 1, 2, 3, 4 } };
    physad_status status = physad__loader_new(&l, ds, t, &o);
    do
        status = status == PHYSAD_OK ? physad__loader_next(l, &b) : status;
    while (status == PHYSAD_OK && b.count > 0);
    physad__loader_free(l);
    return status;
}

static void no_memory_is_survived(void **state)
{
    const int64_t broken[] = { 1 };
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.allocator = &failing_allocator;
    allocations_left = INT64_MAX;
    assert_ok(physad_context_new(&ctx, &o));
    physad_dataset *ds = make_set(ctx, broken, 1);
    physad_transform *t = make_transform(ctx);
    const uint64_t before = physad_context_memory_used(ctx);
    int64_t n = 0;
    physad_status status;
    do {
        allocations_left = n++;
        status = everything(ctx, ds, t);
        assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
        assert_int_equal(physad_context_memory_used(ctx), before);
    } while (status != PHYSAD_OK);
    assert_true(n > 15);
    allocations_left = INT64_MAX;
    end(ctx, ds, t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_whatever_the_threads),  cmocka_unit_test(broken_files_are_skipped_or_stop),
        cmocka_unit_test(it_ends_early_and_is_cancelled), cmocka_unit_test(wrong_wishes_are_named),
        cmocka_unit_test(a_child_process_is_told),        cmocka_unit_test(no_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
