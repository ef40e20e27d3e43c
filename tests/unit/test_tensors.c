/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

static int setup(void **state)
{
    physad_context *ctx = NULL;
    if (physad_context_new(&ctx, NULL) != PHYSAD_OK)
        return 1;
    *state = ctx;
    return 0;
}

/* Nothing may be left when a test ends. */
static int teardown(void **state)
{
    const uint64_t used = physad_context_memory_used(*state);
    physad_context_free(*state);
    if (used != 0)
        print_error("%llu bytes leaked\n", (unsigned long long)used);
    return used != 0;
}

static const char *golden(char *out, const char *name)
{
    const char *root = getenv("PHYSAD_TEST_GOLDEN");
    if (root == NULL)
        fail_msg("PHYSAD_TEST_GOLDEN is not set");
    snprintf(out, 4096, "%s/tensors/%s", root, name);
    return out;
}

/* The elements, row-major. */
static uint8_t *elements(const physad_view *v, size_t *bytes)
{
    *bytes = (size_t)physad__view_count(v) * physad_dtype_size(v->dtype);
    uint8_t *flat = malloc(*bytes + 1), *out = flat;
    const size_t size = physad_dtype_size(v->dtype);
    int64_t at[PHYSAD_MAX_DIMS] = { 0 };
    for (int64_t n = physad__view_count(v); n > 0; n--) {
        const char *p = v->data;
        for (int32_t d = 0; d < v->ndim; d++)
            p += at[d] * v->stride[d];
        memcpy(out, p, size);
        out += size;
        for (int32_t d = v->ndim - 1; d >= 0 && ++at[d] == v->shape[d]; d--)
            at[d] = 0;
    }
    return flat;
}

static void assert_same_array(const char *name, const physad_view *got, const physad_view *want)
{
    size_t n, m;
    if (got->dtype != want->dtype || got->ndim != want->ndim)
        fail_msg("%s: %s of %d dimensions, want %s of %d", name, physad_dtype_name(got->dtype), got->ndim,
                 physad_dtype_name(want->dtype), want->ndim);
    for (int32_t i = 0; i < got->ndim; i++)
        if (got->shape[i] != want->shape[i])
            fail_msg("%s: shape[%d] is %lld, want %lld", name, i, (long long)got->shape[i], (long long)want->shape[i]);
    assert_true(got->flags & PHYSAD_VIEW_READONLY);
    uint8_t *a = elements(got, &n), *b = elements(want, &m);
    if (n != m || memcmp(a, b, n) != 0)
        fail_msg("%s: other elements", name);
    free(a);
    free(b);
}

static void assert_same_sets(const physad_tensors *got, const physad_tensors *want)
{
    physad_view a, b;
    for (int64_t i = 0; i < physad_tensors_count(want); i++) {
        assert_ok(physad_tensors_view(want, i, &b));
        assert_ok(physad_tensors_find(got, physad_tensors_name(want, i), &a));
        assert_same_array(physad_tensors_name(want, i), &a, &b);
    }
}

static void what_pytorch_wrote_is_read_as_pytorch_reads_it(void **state)
{
    static const struct {
        const char *file, *format;
        int64_t more; /* arrays that no view can tell */
    } cases[] = {
        { "kinds-legacy.pth", "pth", 0 },     { "kinds-zip.pth", "pth-zip", 0 },    { "kinds-legacy-p4.pth", "pth", 0 },
        { "kinds-zip-p5.pth", "pth-zip", 0 }, { "state.pth", "pth", 0 },            { "module-legacy.pth", "pth", 0 },
        { "module-zip.pth", "pth-zip", 0 },   { "script.pt", "torchscript", 0 },    { "lightning.ckpt", "pth-zip", 0 },
        { "tensor.pth", "pth-zip", 0 },       { "odd.pth", "pth-zip", 4 },          { "big-endian.pth", "pth-zip", 0 },
        { "stored.npz", "npz", 0 },           { "deflated.npz", "npz", 0 },         { "one.npy", "npy", 0 },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        char path[4096], name[256];
        physad_tensors *got = NULL, *want = NULL;
        physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
        o.verify = 1;
        print_message("%s\n", cases[i].file);
        assert_ok(physad_tensors_open(&got, *state, golden(path, cases[i].file), &o));
        snprintf(name, sizeof(name), "%s.expected.safetensors", cases[i].file);
        assert_ok(physad_tensors_open(&want, *state, golden(path, name), NULL));
        assert_string_equal(physad_tensors_format(got), cases[i].format);
        assert_string_equal(physad_tensors_format(want), "safetensors");
        assert_int_equal(physad_tensors_count(got), physad_tensors_count(want) + cases[i].more);
        assert_same_sets(got, want);
        physad_tensors_free(got);
        physad_tensors_free(want);
    }
}

static void numbers_and_texts_become_metadata(void **state)
{
    char path[4096];
    physad_tensors *t = NULL;
    assert_ok(physad_tensors_open(&t, *state, golden(path, "kinds-zip.pth"), NULL));
    assert_string_equal(physad_tensors_metadata(t, "version"), "3");
    assert_string_equal(physad_tensors_metadata(t, "note"), "gr\xc3\xbcn");
    assert_null(physad_tensors_metadata(t, "notes"));
    physad_tensors_free(t);
    assert_ok(physad_tensors_open(&t, *state, golden(path, "lightning.ckpt"), NULL));
    assert_string_equal(physad_tensors_metadata(t, "epoch"), "3");
    assert_string_equal(physad_tensors_metadata(t, "pytorch-lightning_version"), "2.6.6");
    assert_int_equal(physad_tensors_metadata_count(t), 3);
    assert_string_equal(physad_tensors_metadata_key(t, 0), "epoch");
    assert_null(physad_tensors_metadata_key(t, 3));
    physad_tensors_free(t);
}

static void a_root_is_found_by_its_dotted_name(void **state)
{
    char path[4096];
    physad_tensors *t = NULL;
    physad_view v;
    physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
    o.root = "nested.deeper";
    assert_ok(physad_tensors_open(&t, *state, golden(path, "kinds-legacy.pth"), &o));
    assert_int_equal(physad_tensors_count(t), 1);
    assert_ok(physad_tensors_find(t, "b", &v));
    physad_tensors_free(t);
    o.root = "";
    assert_ok(physad_tensors_open(&t, *state, golden(path, "lightning.ckpt"), &o));
    assert_true(physad_tensors_has(t, "state_dict.scale"));
    assert_true(physad_tensors_has(t, "optimizer_states.0.state.0.exp_avg"));
    assert_string_equal(physad_tensors_metadata(t, "hyper_parameters.lr"), "0.001");
    physad_tensors_free(t);
    o.root = "state_dict";
    assert_ok(physad_tensors_open(&t, *state, golden(path, "lightning.ckpt"), &o));
    assert_true(physad_tensors_has(t, "features.0.weight"));
    physad_tensors_free(t);
    o.root = "nested.shallower";
    assert_fails(PHYSAD_ERR_ARG, "no dictionary \"nested.shallower\"", physad_tensors_open(&t, *state, path, &o));
    assert_null(t);
}

static void safetensors_are_read_exactly(void **state)
{
    char path[4096];
    physad_tensors *t = NULL;
    physad_view v;
    float z[6];
    const int64_t shape[2] = { 2, 3 };
    assert_ok(physad_tensors_open(&t, *state, golden(path, "plain.safetensors"), NULL));
    assert_int_equal(physad_tensors_count(t), 4);
    assert_string_equal(physad_tensors_name(t, 0), "a");
    assert_string_equal(physad_tensors_name(t, 3), "z");
    assert_null(physad_tensors_name(t, 4));
    assert_string_equal(physad_tensors_metadata(t, "quote"), "a \"b\" \\ \n \xc3\xbc");
    assert_ok(physad_tensors_find(t, "a", &v));
    assert_int_equal(v.dtype, PHYSAD_I64);
    assert_int_equal(((const int64_t *)v.data)[1], -2);
    assert_ok(physad_tensors_find(t, "h", &v));
    assert_int_equal(v.ndim, 0);
    assert_int_equal(*(const uint16_t *)v.data, 0x3e00);
    assert_ok(physad_tensors_find(t, "none", &v));
    assert_int_equal(v.shape[0], 0);
    const physad_view out = physad_view_array(z, PHYSAD_F32, 2, shape);
    assert_ok(physad_tensors_copy(t, "z", &out));
    for (int i = 0; i < 6; i++)
        assert_near(z[i], i / 8.0 - 3, 0);
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"none\"", physad_tensors_find(t, "nune", &v));
    assert_fails(PHYSAD_ERR_ARG, "want 0 to 3", physad_tensors_view(t, 4, &v));
    physad_tensors_free(t);
    assert_ok(physad_tensors_open(&t, *state, golden(path, "odd.safetensors"), NULL));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "\"f8\" cannot be read: elements of type F8_E5M2",
                 physad_tensors_find(t, "f8", &v));
    assert_ok(physad_tensors_find(t, "ok", &v));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "cannot be saved", physad_tensors_save(t, "/nonexistent/x"));
    physad_tensors_free(t);
}

static void what_no_view_can_tell_is_refused_only_when_asked_for(void **state)
{
    char path[4096];
    physad_tensors *t = NULL;
    physad_view v;
    assert_ok(physad_tensors_open(&t, *state, golden(path, "odd.pth"), NULL));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "\"complex\" cannot be read: complex elements",
                 physad_tensors_find(t, "complex", &v));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "a sparse layout", physad_tensors_find(t, "sparse", &v));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "8-bit floating point", physad_tensors_find(t, "f8", &v));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "more than 6 dimensions", physad_tensors_find(t, "many", &v));
    physad_tensors_free(t);
}

static void copies_convert(void **state)
{
    char path[4096];
    physad_tensors *t = NULL;
    float out[8], strided[10];
    const int64_t n8 = 8, n5 = 5, n3 = 3, n1 = 1;
    assert_ok(physad_tensors_open(&t, *state, golden(path, "kinds-legacy.pth"), NULL));
    const physad_view eight = physad_view_array(out, PHYSAD_F32, 1, &n8);
    assert_ok(physad_tensors_copy(t, "f16", &eight));
    assert_near(out[2], 1, 0);
    assert_near(out[3], 65504, 0);
    assert_near(out[4], 0x1p-24, 0); /* the nearest f16 to 6e-8 is the smallest of all */
    assert_near(out[5], -6e-5, 3e-8);
    assert_true(signbit(out[1]) && isinf(out[6]) && isnan(out[7]));
    physad_view every_other = physad_view_array(strided, PHYSAD_F32, 1, &n5);
    every_other.stride[0] = 8;
    assert_ok(physad_tensors_copy(t, "bf16", &every_other));
    assert_near(strided[4], -3.140625, 0);
    assert_true(isinf(strided[8]) && strided[8] < 0);
    const physad_view three = physad_view_array(out, PHYSAD_F32, 1, &n3),
                      one = physad_view_array(out, PHYSAD_F32, 1, &n1);
    assert_ok(physad_tensors_copy(t, "i64", &three));
    assert_near(out[0], -0x1p62, 0);
    assert_ok(physad_tensors_copy(t, "bool", &three));
    assert_near(out[0], 1, 0);
    assert_near(out[1], 0, 0);
    assert_ok(physad_tensors_copy(t, "u8", &three));
    assert_near(out[1], 255, 0);
    assert_ok(physad_tensors_copy(t, "num_batches_tracked", &one));
    assert_near(out[0], 12345678901.0, 512);
    assert_fails(PHYSAD_ERR_SHAPE, "has shape (1), want (3)", physad_tensors_copy(t, "i64", &one));
    const physad_view wrong = physad_view_array(out, PHYSAD_I32, 1, &n3);
    assert_fails(PHYSAD_ERR_DTYPE, "want f32 or i64", physad_tensors_copy(t, "i64", &wrong));
    physad_view locked = three;
    locked.flags = PHYSAD_VIEW_READONLY;
    assert_fails(PHYSAD_ERR_ARG, "read-only", physad_tensors_copy(t, "i64", &locked));
    physad_tensors_free(t);
}

static void fill(physad_tensors *t, bool backwards)
{
    static const float a[6] = { 1, 2, 3, 4, 5, 6 };
    static const int64_t b = 42;
    static const uint16_t h[3] = { 1, 2, 3 };
    static const uint8_t c[5] = { 1, 2, 3, 4, 5 };
    const int64_t shape[2] = { 2, 3 }, three = 3, five = 5;
    physad_view transposed = physad_view_array((void *)(uintptr_t)a, PHYSAD_F32, 2, shape);
    transposed.shape[0] = 3;
    transposed.shape[1] = 2;
    transposed.stride[0] = 4;
    transposed.stride[1] = 12;
    const physad_view views[4] = { transposed, physad_view_array((void *)(uintptr_t)&b, PHYSAD_I64, 0, NULL),
                                   physad_view_array((void *)(uintptr_t)h, PHYSAD_BF16, 1, &three),
                                   physad_view_array((void *)(uintptr_t)c, PHYSAD_U8, 1, &five) };
    static const char *const names[4] = { "turned", "a \"scalar\"", "m/half\n", "bytes" };
    for (int i = 0; i < 4; i++) {
        const int k = backwards ? 3 - i : i;
        assert_ok(physad_tensors_add(t, names[k], &views[k]));
    }
    assert_ok(physad_tensors_set_metadata(t, backwards ? "b" : "a", "first"));
    assert_ok(physad_tensors_set_metadata(t, backwards ? "a" : "b", "second"));
    assert_ok(physad_tensors_set_metadata(t, "a", "\x01 \xe2\x82\xac"));
    assert_ok(physad_tensors_set_metadata(t, "b", "x"));
    assert_ok(physad_tensors_set_metadata(t, "gone", "x"));
    assert_ok(physad_tensors_set_metadata(t, "gone", NULL));
    assert_ok(physad_tensors_set_metadata(t, "never", NULL));
}

static void equal_sets_give_equal_files_and_come_back(void **state)
{
    physad_context *ctx = *state;
    char folder[256], first[300], second[300], a[65], b[65];
    physad_tensors *t = NULL, *u = NULL, *back = NULL;
    physad_view v;
    scratch_make(folder, sizeof(folder));
    snprintf(first, sizeof(first), "%s/1", folder);
    snprintf(second, sizeof(second), "%s/2", folder);
    assert_ok(physad_tensors_new(&t, ctx));
    assert_ok(physad_tensors_new(&u, ctx));
    fill(t, false);
    fill(u, true);
    assert_ok(physad_tensors_save(t, first));
    assert_ok(physad_tensors_save(u, second));
    assert_ok(physad__sha256_file(a, first));
    assert_ok(physad__sha256_file(b, second));
    assert_string_equal(a, b);
    assert_ok(physad_tensors_open(&back, ctx, first, NULL));
    assert_int_equal(physad_tensors_count(back), 4);
    assert_same_sets(back, t);
    assert_string_equal(physad_tensors_metadata(back, "a"), "\x01 \xe2\x82\xac");
    assert_null(physad_tensors_metadata(back, "gone"));
    assert_ok(physad_tensors_find(back, "turned", &v));
    assert_near(((const float *)v.data)[1], 4, 0);
    for (int64_t i = 0; i < 4; i++) {
        assert_ok(physad_tensors_view(back, i, &v));
        assert_int_equal((uintptr_t)v.data % physad_dtype_size(v.dtype), 0);
    }
    /* A set that is read from a file may be saved over that file. */
    assert_ok(physad_tensors_save(back, first));
    assert_ok(physad__sha256_file(b, first));
    assert_string_equal(a, b);
    physad_tensors_free(back);
    physad_tensors_free(t);
    physad_tensors_free(u);
    scratch_remove(folder);
}

static void an_empty_set_is_a_file(void **state)
{
    char folder[256], path[300];
    physad_tensors *t = NULL;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/empty", folder);
    assert_ok(physad_tensors_new(&t, *state));
    assert_ok(physad_tensors_save(t, path));
    physad_tensors_free(t);
    assert_ok(physad_tensors_open(&t, *state, path, NULL));
    assert_int_equal(physad_tensors_count(t), 0);
    physad_tensors_free(t);
    scratch_remove(folder);
}

static void wrong_arguments_are_told(void **state)
{
    physad_tensors *t = NULL;
    physad_view v = { 0 };
    float x = 1;
    const int64_t one = 1;
    physad_tensors_options o = PHYSAD_TENSORS_OPTIONS_INIT;
    const physad_view f = physad_view_array(&x, PHYSAD_F32, 1, &one);
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_tensors_open(NULL, *state, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_tensors_open(&t, NULL, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_tensors_open(&t, *state, NULL, NULL));
    assert_fails(PHYSAD_ERR_IO, "/nonexistent/x", physad_tensors_open(&t, *state, "/nonexistent/x", NULL));
    o.verify = 2;
    assert_fails(PHYSAD_ERR_ARG, "verify is 2", physad_tensors_open(&t, *state, "x", &o));
    assert_fails(PHYSAD_ERR_ARG, "data is NULL", physad_tensors_open_memory(&t, *state, NULL, 8, "x", NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "nothing", physad_tensors_open_memory(&t, *state, NULL, 0, "x", NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "they begin with 68 65 6c 6c 6f",
                 physad_tensors_open_memory(&t, *state, "hello", 5, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_tensors_new(NULL, *state));
    assert_fails(PHYSAD_ERR_ARG, "set of arrays is NULL", physad_tensors_view(NULL, 0, &v));
    assert_fails(PHYSAD_ERR_ARG, "set of arrays is NULL", physad_tensors_save(NULL, "x"));
    assert_int_equal(physad_tensors_count(NULL), 0);
    assert_null(physad_tensors_name(NULL, 0));
    assert_null(physad_tensors_metadata(NULL, "x"));
    physad_tensors_free(NULL);
    assert_ok(physad_tensors_new(&t, *state));
    assert_fails(PHYSAD_ERR_ARG, "name is NULL", physad_tensors_add(t, NULL, &f));
    assert_fails(PHYSAD_ERR_ARG, "0 bytes", physad_tensors_add(t, "", &f));
    assert_fails(PHYSAD_ERR_ARG, "__metadata__", physad_tensors_add(t, "__metadata__", &f));
    assert_fails(PHYSAD_ERR_ARG, "not UTF-8", physad_tensors_add(t, "\xc0\x80", &f));
    assert_fails(PHYSAD_ERR_ARG, "not UTF-8", physad_tensors_add(t, "\xed\xa0\x80", &f));
    assert_fails(PHYSAD_ERR_ARG, "view is NULL", physad_tensors_add(t, "x", NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "dtype 0", physad_tensors_add(t, "x", &v));
    assert_ok(physad_tensors_add(t, "x", &f));
    assert_fails(PHYSAD_ERR_ARG, "already", physad_tensors_add(t, "x", &f));
    assert_fails(PHYSAD_ERR_ARG, "view is NULL", physad_tensors_find(t, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "key is NULL", physad_tensors_set_metadata(t, NULL, "x"));
    assert_fails(PHYSAD_ERR_ARG, "not UTF-8", physad_tensors_set_metadata(t, "x", "\xff"));
    assert_fails(PHYSAD_ERR_IO, "/nonexistent/x", physad_tensors_save(t, "/nonexistent/x"));
    assert_ok(physad_tensors_find(t, "x", &v));
    physad_tensors_free(t);
}

static void a_file_is_written_in_pieces(void **state)
{
    physad_context *ctx = *state;
    char folder[256], path[300];
    physad__tensors_writer *w = NULL;
    physad_tensors *t = NULL;
    physad_view v;
    enum { ROWS = 1000, WIDTH = 700 };
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/bank", folder);
    const int64_t shape[2] = { ROWS, WIDTH }, part[2] = { 100, WIDTH }, ids = ROWS, turned[2] = { WIDTH, ROWS };
    assert_ok(physad__tensors_writer_new(&w, ctx, path));
    assert_ok(physad__tensors_writer_set_metadata(w, "k", "v"));
    assert_ok(physad__tensors_writer_declare(w, "rows", PHYSAD_F32, 2, shape));
    assert_ok(physad__tensors_writer_declare(w, "ids", PHYSAD_I64, 1, &ids));
    assert_ok(physad__tensors_writer_declare(w, "turned", PHYSAD_F32, 2, shape));
    float *all = malloc(sizeof(float) * ROWS * WIDTH);
    int64_t *numbers = malloc(sizeof(int64_t) * ROWS);
    for (int64_t i = 0; i < ROWS * WIDTH; i++)
        all[i] = (float)i;
    for (int64_t i = 0; i < ROWS; i++)
        numbers[i] = -i;
    for (int64_t i = 0; i < ROWS; i += 100) {
        const physad_view rows = physad_view_array(all + i * WIDTH, PHYSAD_F32, 2, part);
        const int64_t hundred = 100;
        const physad_view some = physad_view_array(numbers + i, PHYSAD_I64, 1, &hundred);
        assert_ok(physad__tensors_writer_append(w, "rows", &rows));
        assert_ok(physad__tensors_writer_append(w, "ids", &some));
    }
    physad_view columns = physad_view_array(all, PHYSAD_F32, 2, shape);
    assert_fails(PHYSAD_ERR_STATE, "\"turned\" got 0 of", physad__tensors_writer_finish(w));
    assert_fails(PHYSAD_ERR_SHAPE, "room for 0 more", physad__tensors_writer_append(w, "rows", &columns));
    assert_fails(PHYSAD_ERR_STATE, "before the first data",
                 physad__tensors_writer_declare(w, "more", PHYSAD_F32, 2, shape));
    columns.shape[0] = WIDTH;
    columns.shape[1] = ROWS;
    columns.stride[0] = 4;
    columns.stride[1] = WIDTH * 4;
    assert_ok(physad__tensors_writer_append(w, "turned", &columns)); /* 2.8 MB: more than one piece */
    assert_fails(PHYSAD_ERR_IO, path, physad_tensors_open(&t, ctx, path, NULL));
    assert_ok(physad__tensors_writer_finish(w));
    physad__tensors_writer_free(w);
    assert_ok(physad_tensors_open(&t, ctx, path, NULL));
    assert_ok(physad__tensors_want(t, "rows", PHYSAD_F32, 2, shape, &v));
    assert_memory_equal(v.data, all, sizeof(float) * ROWS * WIDTH);
    assert_ok(physad_tensors_find(t, "ids", &v));
    assert_memory_equal(v.data, numbers, sizeof(int64_t) * ROWS);
    assert_fails(PHYSAD_ERR_SHAPE, "has shape (1000,700), want (n,1000)",
                 physad__tensors_want(t, "turned", 0, 2, (const int64_t[]){ -1, turned[1] }, &v));
    assert_fails(PHYSAD_ERR_DTYPE, "has dtype i64, want f32", physad__tensors_want(t, "ids", PHYSAD_F32, 1, &ids, &v));
    assert_ok(physad_tensors_find(t, "turned", &v));
    for (int64_t i = 0; i < WIDTH; i++)
        for (int64_t j = 0; j < ROWS; j++)
            if (((const float *)v.data)[i * ROWS + j] != all[j * WIDTH + i])
                fail_msg("turned[%lld, %lld]", (long long)i, (long long)j);
    physad_tensors_free(t);
    /* What is not finished leaves nothing behind. */
    assert_ok(physad__tensors_writer_new(&w, ctx, path));
    assert_ok(physad__tensors_writer_declare(w, "rows", PHYSAD_F32, 2, shape));
    columns = physad_view_array(all, PHYSAD_F32, 2, part);
    assert_ok(physad__tensors_writer_append(w, "rows", &columns));
    physad__tensors_writer_free(w);
    assert_int_equal(scratch_count(folder), 1);
    free(all);
    free(numbers);
    scratch_remove(folder);
}

/* --- what must be refused --- */

static uint8_t *load(const char *name, size_t *size)
{
    char path[4096];
    FILE *f = fopen(golden(path, name), "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(*size);
    assert_int_equal(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

static void use_all(const physad_tensors *t)
{
    for (int64_t i = 0; i < physad_tensors_count(t); i++) {
        physad_view v;
        size_t bytes;
        if (physad_tensors_view(t, i, &v) == PHYSAD_OK)
            free(elements(&v, &bytes));
    }
}

static void every_cut_is_noticed(void **state)
{
    static const char *const files[] = { "state.pth", "tensor.pth", "plain.safetensors", "stored.npz", "deflated.npz",
                                         "script.pt", "one.npy" };
    for (int64_t i = 0; i < PHYSAD__COUNT(files); i++) {
        size_t size;
        uint8_t *data = load(files[i], &size);
        for (size_t n = 0; n < size; n++) {
            physad_tensors *t = NULL;
            /* A block of exactly n bytes, so that a sanitizer sees a read beyond it. */
            uint8_t *cut = malloc(n > 0 ? n : 1);
            memcpy(cut, data, n);
            const physad_status status = physad_tensors_open_memory(&t, *state, cut, n, files[i], NULL);
            if (status != PHYSAD_ERR_FORMAT)
                fail_msg("%s cut to %zu bytes: %s: %s", files[i], n, physad_status_name(status), physad_last_error());
            assert_non_null(strstr(physad_last_error(), files[i]));
            free(cut);
        }
        free(data);
    }
}

static void every_wrong_byte_is_survived(void **state)
{
    static const char *const files[] = { "state.pth",  "tensor.pth",   "plain.safetensors",
                                         "stored.npz", "deflated.npz", "module-zip.pth" };
    for (int64_t i = 0; i < PHYSAD__COUNT(files); i++) {
        size_t size;
        uint8_t *data = load(files[i], &size);
        for (size_t n = 0; n < size; n++)
            for (int k = 0; k < 3; k++) {
                physad_tensors *t = NULL;
                const uint8_t old = data[n];
                data[n] = (uint8_t)(k == 0 ? old ^ 0xff : k == 1 ? old + 1 : old ^ 0x80);
                if (physad_tensors_open_memory(&t, *state, data, size, files[i], NULL) == PHYSAD_OK)
                    use_all(t);
                physad_tensors_free(t);
                data[n] = old;
            }
        free(data);
    }
}

static void open_text(void **state, const char *json, int64_t data_bytes, physad_status want, const char *message)
{
    uint8_t bytes[4096] = { 0 };
    physad_tensors *t = NULL;
    const uint64_t n = strlen(json);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, json, n);
    const physad_status status =
        physad_tensors_open_memory(&t, *state, bytes, (size_t)(8 + n) + (size_t)data_bytes, "x", NULL);
    if (status != want || (want != PHYSAD_OK && strstr(physad_last_error(), message) == NULL))
        fail_msg("%s: %s: %s, want %s", json, physad_status_name(status), physad_last_error(), message);
    physad_tensors_free(t);
}

static void lying_safetensors_are_refused(void **state)
{
#define ONE "\"dtype\":\"F32\",\"shape\":[1],"
    const physad_status bad = PHYSAD_ERR_FORMAT;
    open_text(state, "{}", 0, PHYSAD_OK, "");
    open_text(state, "{}   ", 0, PHYSAD_OK, "");
    open_text(state, "{}", 1, bad, "the arrays end at 0, the data at 1");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4]}}", 4, PHYSAD_OK, "");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4]}}", 3, bad, "the data end at 3");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[4,0]}}", 4, bad, "data_offsets 4 to 0");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[-4,0]}}", 4, bad, "data_offsets -4 to 0");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,18446744073709551616]}}", 4, bad, "too big");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4.0]}}", 4, bad, "two whole numbers");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4,8]}}", 4, bad, "two whole numbers");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[4,8]}}", 8, bad, "leaves a hole");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4]},\"b\":{" ONE "\"data_offsets\":[0,4]}}", 4, bad,
              "overlaps");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4]},\"b\":{" ONE "\"data_offsets\":[2,6]}}", 6, bad,
              "overlaps");
    open_text(state, "{\"a\":{" ONE "\"data_offsets\":[0,4]},\"a\":{" ONE "\"data_offsets\":[4,8]}}", 8, bad,
              "duplicate");
    open_text(state, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, bad, "does not fit");
    open_text(state, "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, bad,
              "does not fit");
    open_text(state, "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, bad,
              "impossible shape");
    open_text(state, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, bad,
              "whole numbers from 0");
    open_text(state, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, bad,
              "whole numbers from 0");
    open_text(state, "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, bad, "does not fit");
    open_text(state, "{\"a\":{\"dtype\":\"F99\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, PHYSAD_ERR_UNSUPPORTED,
              "unknown dtype \"F99\"");
    open_text(state, "{\"a\":{\"shape\":[],\"data_offsets\":[0,4]}}", 4, bad, "lacks dtype");
    open_text(state, "{\"a\":3}", 0, bad, "lacks dtype");
    open_text(state, "{\"\":{" ONE "\"data_offsets\":[0,4]}}", 4, bad, "empty name");
    open_text(state, "{\"__metadata__\":{\"a\":1}}", 0, bad, "is no string");
    open_text(state, "{\"__metadata__\":[]}", 0, bad, "no object");
    open_text(state, "{} x", 0, bad, "line 1");
    open_text(state, "{\"a\\u0000b\":{" ONE "\"data_offsets\":[0,4]}}", 4, bad, "\\u0000");
    uint8_t huge[16] = { 0, 0, 0, 0, 1, 0, 0, 0, '{' };
    physad_tensors *t = NULL;
    assert_fails(bad, "a header of 4294967296 bytes", physad_tensors_open_memory(&t, *state, huge, 16, "x", NULL));
    memset(huge, 0xff, 8);
    assert_fails(bad, "a header of 18446744073709551615", physad_tensors_open_memory(&t, *state, huge, 16, "x", NULL));
}

/* A failing allocator: the n-th request and all later ones get nothing. */
typedef struct scarce {
    int64_t left;
} scarce;

static void *scarce_alloc(size_t size, void *user)
{
    scarce *s = user;
    return s->left-- > 0 ? malloc(size) : NULL;
}

static void scarce_free(void *ptr, size_t size, void *user)
{
    free(ptr);
}

static void no_memory_is_survived(void **state)
{
    static const char *const files[] = { "kinds-legacy.pth", "kinds-zip.pth", "plain.safetensors", "deflated.npz",
                                         "big-endian.pth" };
    char path[4096], folder[256], saved[300];
    scratch_make(folder, sizeof(folder));
    snprintf(saved, sizeof(saved), "%s/saved", folder);
    for (int64_t i = 0; i < PHYSAD__COUNT(files); i++) {
        physad_status status = PHYSAD_ERR_NOMEM;
        for (int64_t n = 0; status != PHYSAD_OK; n++) {
            scarce s = { INT64_MAX };
            const physad_allocator allocator = { scarce_alloc, scarce_free, &s };
            physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
            physad_context *ctx = NULL;
            physad_tensors *t = NULL;
            o.allocator = &allocator;
            assert_ok(physad_context_new(&ctx, &o));
            s.left = n;
            status = physad_tensors_open(&t, ctx, golden(path, files[i]), NULL);
            if (status == PHYSAD_OK)
                status = physad_tensors_save(t, saved);
            if (status != PHYSAD_OK)
                assert_int_equal(status, PHYSAD_ERR_NOMEM);
            physad_tensors_free(t);
            assert_int_equal(physad_context_memory_used(ctx), 0);
            physad_context_free(ctx);
            assert_true(n < 10000);
        }
    }
    scratch_remove(folder);
}

static void *look_at_all(void *arg)
{
    const physad_tensors *t = arg;
    for (int64_t i = 0; i < physad_tensors_count(t); i++) {
        physad_view v;
        size_t bytes;
        if (physad_tensors_view(t, i, &v) != PHYSAD_OK)
            return arg;
        free(elements(&v, &bytes));
    }
    return NULL;
}

/* Copies are made when they are first asked for, whoever asks. */
static void many_threads_may_look(void **state)
{
    static const char *const files[] = { "big-endian.pth", "kinds-legacy.pth" };
    for (int64_t i = 0; i < PHYSAD__COUNT(files); i++) {
        char path[4096];
        physad_tensors *t = NULL;
        pthread_t threads[4];
        void *failed;
        assert_ok(physad_tensors_open(&t, *state, golden(path, files[i]), NULL));
        for (int k = 0; k < 4; k++)
            assert_int_equal(pthread_create(&threads[k], NULL, look_at_all, t), 0);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(pthread_join(threads[k], &failed), 0);
            assert_null(failed);
        }
        physad_tensors_free(t);
    }
}

static void big_files_are_not_touched(void **state)
{
    /* 1 GiB of holes: reading it would show in the resident pages. */
    char folder[256], path[300], json[200];
    physad_tensors *t = NULL;
    physad_view v;
    scratch_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/big", folder);
    const uint64_t n = 120;
    snprintf(json, sizeof(json), "%-120s",
             "{\"bank\":{\"dtype\":\"F32\",\"shape\":[262144,1024],\"data_offsets\":[0,1073741824]}}");
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(&n, 8, 1, f), 1);
    assert_int_equal(fwrite(json, n, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    if (truncate(path, (off_t)(8 + n + 1073741824)) != 0) {
        scratch_remove(folder);
        skip();
    }
    assert_ok(physad_tensors_open(&t, *state, path, NULL));
    assert_ok(physad_tensors_find(t, "bank", &v));
    assert_int_equal((uintptr_t)v.data % 4, 0);
    assert_true(physad_context_memory_used(*state) < 1 << 20);
    unsigned char *pages = malloc(1 << 18);
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)v.data / page * page + page;
    assert_int_equal(
        mincore((void *)start, (size_t)(1 << 18) * page - 2 * page > 1073000000 ? 1073000000 : page, pages), 0);
    int64_t resident = 0;
    for (int64_t i = 64; i < 1073000000 / (int64_t)page; i++) /* read-ahead may bring some of the first */
        resident += pages[i] & 1;
    free(pages);
    assert_int_equal(resident, 0);
    physad_tensors_free(t);
    scratch_remove(folder);
}

/* jansson counts no memory: what it would take is known before. */
static void headers_stay_within_the_limit(void **state)
{
    enum { PAIRS = 1 << 20 };
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_tensors *t = NULL;
    const uint64_t size = 6 + 3 * PAIRS - 1 + 2;
    char *file = malloc(8 + size), *p = file + 8;
    o.memory_limit = 64 << 20;
    assert_ok(physad_context_new(&ctx, &o));
    memcpy(file, &size, 8);
    p += sprintf(p, "{\"a\":[");
    for (int i = 0; i < PAIRS; i++, p += 3)
        memcpy(p, "[],", 3);
    memcpy(p - 1, "]}", 2);
    assert_fails(PHYSAD_ERR_NOMEM, "its JSON may need", physad_tensors_open_memory(&t, ctx, file, 8 + size, "x", NULL));
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
    free(file);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_stay_within_the_limit),
        TEST(what_pytorch_wrote_is_read_as_pytorch_reads_it),
        TEST(numbers_and_texts_become_metadata),
        TEST(a_root_is_found_by_its_dotted_name),
        TEST(safetensors_are_read_exactly),
        TEST(what_no_view_can_tell_is_refused_only_when_asked_for),
        TEST(copies_convert),
        TEST(equal_sets_give_equal_files_and_come_back),
        TEST(an_empty_set_is_a_file),
        TEST(wrong_arguments_are_told),
        TEST(a_file_is_written_in_pieces),
        TEST(every_cut_is_noticed),
        TEST(every_wrong_byte_is_survived),
        TEST(lying_safetensors_are_refused),
        TEST(no_memory_is_survived),
        TEST(many_threads_may_look),
        TEST(big_files_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
