/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "io/io.h"

#include <unistd.h>

static void golden_path(char out[4096], const char *name)
{
    const char *root = getenv("PHYSAD_TEST_GOLDEN");
    snprintf(out, 4096, "%s/npy/%s", root != NULL ? root : "tests/golden", name);
}

static physad_context *fresh_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static void check_file(physad_context *ctx, const char *name, const char *dtype, const char *shape, const char *digest)
{
    char path[4096], text[128], hex[65];
    physad__file_map map;
    physad__npy npy;
    golden_path(path, name);
    assert_ok(physad__file_map_open(&map, path, 0));
    if (dtype[0] == '-') {
        const physad_status status = physad__npy_read(&npy, ctx, map.data, map.size, name);
        assert_true(status == PHYSAD_ERR_FORMAT || status == PHYSAD_ERR_UNSUPPORTED);
        assert_non_null(strstr(physad_last_error(), name));
        assert_non_null(strstr(physad_last_error(), ": byte "));
        assert_null(npy.owned);
    } else {
        assert_ok(physad__npy_read(&npy, ctx, map.data, map.size, name));
        assert_string_equal(physad_dtype_name(npy.view.dtype), dtype);
        assert_string_equal(physad__shape_text(text, sizeof(text), npy.view.ndim, npy.view.shape), shape);
        assert_true(physad__view_is_contiguous(&npy.view));
        assert_ok(physad__sha256(hex, npy.view.data,
                                 (size_t)physad__view_count(&npy.view) * physad_dtype_size(npy.view.dtype)));
        assert_string_equal(hex, digest);
        /* In place exactly where that is possible. */
        const bool copied = strstr(name, "fortran") != NULL || strcmp(name, "unaligned.npy") == 0 ||
                            (strstr(name, "-big") != NULL && physad_dtype_size(npy.view.dtype) > 1);
        assert_int_equal(npy.owned != NULL, copied);
        assert_int_equal(npy.view.flags, copied ? 0 : PHYSAD_VIEW_READONLY);
    }
    physad__npy_free(&npy);
    physad__file_map_close(&map);
}

static void files_by_numpy_give_their_elements(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096], name[128], dtype[16], shape[64], digest[65];
    int checked = 0;
    golden_path(path, "npy.txt");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%127s %15s %63s %64s", name, dtype, shape, digest) == 4) {
        check_file(ctx, name, dtype, shape, digest);
        checked++;
    }
    fclose(f);
    assert_true(checked >= 60);
    end_context(ctx);
}

static void refusals_say_why(void **state)
{
    physad_context *ctx = fresh_context();
    const struct {
        const char *name;
        physad_status status;
        const char *text;
    } cases[] = {
        { "bad-objects.npy", PHYSAD_ERR_UNSUPPORTED, "Python objects" },
        { "bad-records.npy", PHYSAD_ERR_UNSUPPORTED, "records" },
        { "bad-complex.npy", PHYSAD_ERR_UNSUPPORTED, "elements of '<c8'" },
        { "bad-seven.npy", PHYSAD_ERR_UNSUPPORTED, "more than 6 dimensions" },
        { "bad-huge.npy", PHYSAD_ERR_FORMAT, "extents that no file holds" },
        { "bad-overflow.npy", PHYSAD_ERR_FORMAT, "an extent beyond 2^63" },
        { "bad-key.npy", PHYSAD_ERR_FORMAT, "'more' is unknown" },
        { "bad-twice.npy", PHYSAD_ERR_FORMAT, "'descr' is there twice" },
        { "bad-lacking.npy", PHYSAD_ERR_FORMAT, "lacks 'fortran_order'" },
        { "bad-call.npy", PHYSAD_ERR_FORMAT, "True or False" },
        { "bad-negative.npy", PHYSAD_ERR_FORMAT, "want an extent" },
        { "bad-behind.npy", PHYSAD_ERR_FORMAT, "more in the header" },
        { "bad-short.npy", PHYSAD_ERR_FORMAT, "2 bytes of elements, the shape wants 3" },
        { "bad-long.npy", PHYSAD_ERR_FORMAT, "4 bytes of elements, the shape wants 3" },
        { "bad-version.npy", PHYSAD_ERR_UNSUPPORTED, "version 4.0" },
        { "bad-header-length.npy", PHYSAD_ERR_FORMAT, "a header of 2147483647 bytes" },
    };
    for (int i = 0; i < PHYSAD__COUNT(cases); i++) {
        char path[4096];
        physad__file_map map;
        physad__npy npy;
        golden_path(path, cases[i].name);
        assert_ok(physad__file_map_open(&map, path, 0));
        assert_fails(cases[i].status, cases[i].text, physad__npy_read(&npy, ctx, map.data, map.size, "f"));
        physad__file_map_close(&map);
    }
    end_context(ctx);
}

static void every_truncation_is_refused(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096];
    unsigned char *bytes;
    size_t size;
    physad__npy npy;
    golden_path(path, "four-fortran-big.npy");
    assert_ok(physad__file_read(&bytes, &size, &ctx->mem, path, 0));
    for (size_t n = 0; n < size; n++) {
        unsigned char *exact = malloc(n + 1);
        memcpy(exact, bytes, n);
        assert_int_equal(physad__npy_read(&npy, ctx, exact, n, "cut"), PHYSAD_ERR_FORMAT);
        free(exact);
    }
    physad__free(bytes);
    end_context(ctx);
}

static void what_is_written_is_read(void **state)
{
    physad_context *ctx = fresh_context();
    char path[64];
    unsigned char data[4 * 5 * 6 * 8 * 2];
    snprintf(path, sizeof(path), "/tmp/physad-npy-%d.npy", (int)getpid());
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 37 + i / 256);
    for (int32_t dtype = PHYSAD_U8; dtype <= PHYSAD_U64; dtype++) {
        const int64_t shape[3] = { 4, 5, 6 };
        const int64_t e = (int64_t)physad_dtype_size(dtype);
        for (int32_t ndim = 1; ndim <= 3; ndim++) {
            physad_view v = physad_view_array(data, dtype, ndim, shape);
            physad__npy npy;
            physad__file_map map;
            if (dtype == PHYSAD_BF16) {
                assert_fails(PHYSAD_ERR_DTYPE, "bf16", physad__npy_write(ctx, path, &v));
                continue;
            }
            if (ndim == 3) { /* the last dimension backwards, with gaps */
                v.data = data + 2 * 5 * e;
                v.stride[0] = 5 * 6 * 2 * e;
                v.stride[1] = 6 * 2 * e;
                v.stride[2] = -2 * e;
            }
            assert_ok(physad__npy_write(ctx, path, &v));
            assert_ok(physad__file_map_open(&map, path, 0));
            assert_ok(physad__npy_read(&npy, ctx, map.data, map.size, path));
            assert_null(npy.owned);
            assert_int_equal(npy.view.dtype, dtype);
            assert_int_equal(npy.view.ndim, ndim);
            const unsigned char *got = npy.view.data;
            for (int64_t i = 0; i < physad__view_count(&v); i++, got += e) {
                const int64_t y = ndim == 3   ? i / 30
                                  : ndim == 2 ? i / 5
                                              : i,
                              x = ndim == 3 ? i / 6 % 5 : i % 5, c = i % 6;
                const int64_t at =
                    y * v.stride[0] + (ndim > 1 ? x * v.stride[1] : 0) + (ndim > 2 ? c * v.stride[2] : 0);
                assert_memory_equal(got, (unsigned char *)v.data + at, (size_t)e);
            }
            physad__npy_free(&npy);
            physad__file_map_close(&map);
        }
    }
    const int64_t none[2] = { 0, 7 };
    const physad_view v = physad_view_array(data, PHYSAD_F32, 2, none);
    assert_ok(physad__npy_write(ctx, path, &v));
    unlink(path);
    assert_fails(PHYSAD_ERR_IO, "no/such", physad__npy_write(ctx, "no/such.npy", &v));
    end_context(ctx);
}

static void running_out_of_memory_is_survived(void **state)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    char path[4096], out[64];
    physad__file_map map;
    o.allocator = &failing_allocator;
    allocations_left = 1;
    assert_ok(physad_context_new(&ctx, &o));
    golden_path(path, "four-fortran-big.npy");
    snprintf(out, sizeof(out), "/tmp/physad-npy-%d.npy", (int)getpid());
    assert_ok(physad__file_map_open(&map, path, 0));
    int failures = 0;
    for (int n = 0;; n++) {
        physad__npy npy;
        allocations_left = n;
        physad_status status = physad__npy_read(&npy, ctx, map.data, map.size, path);
        if (status == PHYSAD_OK)
            status = physad__npy_write(ctx, out, &npy.view);
        physad__npy_free(&npy);
        assert_int_equal(ctx->mem.used, 0);
        if (status == PHYSAD_OK)
            break;
        assert_int_equal(status, PHYSAD_ERR_NOMEM);
        failures++;
    }
    assert_true(failures >= 5);
    unlink(out);
    physad__file_map_close(&map);
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_by_numpy_give_their_elements), cmocka_unit_test(refusals_say_why),
        cmocka_unit_test(every_truncation_is_refused),        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
