/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/io.h"
#include "scratch.h"

#include <physad/weights.h>

#include <sys/stat.h>

/* $PHYSAD_WEIGHTS as the tests were started; each test has its own. */
static const char *chosen;

typedef struct world {
    physad_context *ctx;
    char folder[256];
} world;

static int setup(void **state)
{
    world *w = calloc(1, sizeof(*w));
    scratch_make(w->folder, sizeof(w->folder));
    *state = w;
    unsetenv("PHYSAD_WEIGHTS");
    return physad_context_new(&w->ctx, NULL) != PHYSAD_OK;
}

static int teardown(void **state)
{
    world *w = *state;
    const uint64_t used = physad_context_memory_used(w->ctx);
    physad_context_free(w->ctx);
    scratch_remove(w->folder);
    free(w);
    unsetenv("PHYSAD_WEIGHTS");
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

static void touch(const char *folder, const char *name)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void the_table_is_sorted_and_complete(void **state)
{
    char last[100] = "";
    assert_true(physad_weights_count() > 0);
    for (int64_t i = 0; i < physad_weights_count(); i++) {
        physad_weights_info info = PHYSAD_WEIGHTS_INFO_INIT, again = PHYSAD_WEIGHTS_INFO_INIT;
        assert_ok(physad_weights_describe(physad_weights_name(i), &info));
        assert_ptr_equal(info.name, physad_weights_name(i));
        assert_true(strcmp(last, info.name) < 0);
        snprintf(last, sizeof(last), "%s", info.name);
        char name[100]; /* equal, not the same */
        snprintf(name, sizeof(name), "%s", info.name);
        assert_ok(physad_weights_describe(name, &again));
        assert_string_equal(info.file, again.file);
        assert_int_equal(info.struct_size, sizeof(info));
        const char *const texts[] = { info.file, info.backbone, info.trained, info.licence, info.origin };
        for (int k = 0; k < 5; k++)
            assert_true(texts[k] != NULL && texts[k][0] != '\0');
        assert_non_null(info.package);
        assert_true(info.package[0] == '\0' || (info.package_version[0] != '\0' && strlen(info.sha256) == 64));
        assert_true(info.sha256[0] == '\0' || strlen(info.sha256) == 8 || strlen(info.sha256) == 64);
        assert_true(info.sha256_converted[0] == '\0' || strlen(info.sha256_converted) == 64);
        assert_true(info.sha256[0] == '\0' ||
                    strstr(info.file, (char[9]){ info.sha256[0], info.sha256[1], info.sha256[2], info.sha256[3],
                                                 info.sha256[4], info.sha256[5], info.sha256[6], info.sha256[7], 0 }) !=
                        NULL);
    }
}

static void wrong_arguments_are_told(void **state)
{
    world *w = *state;
    char path[4096];
    physad_weights_info info = PHYSAD_WEIGHTS_INFO_INIT;
    assert_null(physad_weights_name(-1));
    assert_null(physad_weights_name(physad_weights_count()));
    assert_fails(PHYSAD_ERR_ARG, "info is NULL", physad_weights_describe("resnet18", NULL));
    assert_fails(PHYSAD_ERR_ARG, "name is NULL", physad_weights_describe(NULL, &info));
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"resnet18\"", physad_weights_describe("resnet81", &info));
    assert_fails(PHYSAD_ERR_ARG, "weights list", physad_weights_describe("completely-different", &info));
    info.struct_size = 3;
    assert_fails(PHYSAD_ERR_ARG, "struct_size is 3", physad_weights_describe("resnet18", &info));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_weights_find(NULL, "resnet18", NULL, path, sizeof(path)));
    assert_fails(PHYSAD_ERR_ARG, "name is NULL", physad_weights_find(w->ctx, NULL, NULL, path, sizeof(path)));
    assert_fails(PHYSAD_ERR_ARG, "no room", physad_weights_find(w->ctx, "resnet18", NULL, path, 0));
    assert_fails(PHYSAD_ERR_ARG, "no name of weights", physad_weights_find(w->ctx, "a/b", NULL, path, sizeof(path)));
    assert_fails(PHYSAD_ERR_ARG, "from is NULL", physad_weights_convert(w->ctx, NULL, "x", NULL));
    assert_fails(PHYSAD_ERR_ARG, "to is NULL", physad_weights_convert(w->ctx, "x", NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "from is NULL", physad_weights_install(w->ctx, "resnet18", NULL, NULL, NULL, 0));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_weights_verify(w->ctx, "resnet18", NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_weights_folder(w->ctx, NULL, 0));
}

static void the_places_are_searched_in_order(void **state)
{
    world *w = *state;
    char path[4096], want[700], user[600], other[600], sub[800];
    snprintf(user, sizeof(user), "%s/data", w->folder);
    snprintf(other, sizeof(other), "%s/other", w->folder);
    assert_int_equal(setenv("XDG_DATA_HOME", user, 1), 0);
    assert_ok(physad_weights_folder(w->ctx, path, sizeof(path)));
    snprintf(want, sizeof(want), "%s/physad/weights", user);
    assert_string_equal(path, want);
    assert_fails(PHYSAD_ERR_ARG, "has 5 bytes", physad_weights_folder(w->ctx, path, 5));
    assert_fails(PHYSAD_ERR_IO, want, physad_weights_find(w->ctx, "resnet18", NULL, path, sizeof(path)));
    assert_non_null(strstr(physad_last_error(), "get resnet18-f37072fd.pth from torchvision"));
    assert_fails(PHYSAD_ERR_IO, "no made-up.safetensors, .pth or .pt",
                 physad_weights_find(w->ctx, "made-up", NULL, path, sizeof(path)));
    assert_ok(physad__dir_make(&w->ctx->mem, want));
    assert_ok(physad__dir_make(&w->ctx->mem, other));

    /* In a folder: what was converted, then the published name, then the plain one. */
    static const char *const names[] = { "resnet18.pt", "resnet18.pth", "resnet18-f37072fd.pth",
                                         "resnet18.safetensors" };
    for (int i = 0; i < 4; i++) {
        touch(want, names[i]);
        assert_ok(physad_weights_find(w->ctx, "resnet18", NULL, path, sizeof(path)));
        snprintf(sub, sizeof(sub), "%s/%s", want, names[i]);
        assert_string_equal(path, sub);
    }
    assert_fails(PHYSAD_ERR_ARG, "path has 5 bytes", physad_weights_find(w->ctx, "resnet18", NULL, path, 5));

    /* $PHYSAD_WEIGHTS goes before; a folder without the file lets the search go on, a path that is not there does not.
     */
    assert_int_equal(setenv("PHYSAD_WEIGHTS", other, 1), 0);
    assert_ok(physad_weights_find(w->ctx, "resnet18", NULL, path, sizeof(path)));
    assert_string_equal(path, sub);
    touch(other, "resnet18.pth");
    assert_ok(physad_weights_find(w->ctx, "resnet18", NULL, path, sizeof(path)));
    assert_memory_equal(path, other, strlen(other));
    snprintf(sub, sizeof(sub), "%s/resnet18.pth", other);
    assert_int_equal(setenv("PHYSAD_WEIGHTS", sub, 1), 0);
    assert_ok(physad_weights_find(w->ctx, "resnet50", NULL, path, sizeof(path)));
    assert_string_equal(path, sub);
    assert_int_equal(setenv("PHYSAD_WEIGHTS", "/nonexistent/x", 1), 0);
    assert_fails(PHYSAD_ERR_IO, "PHYSAD_WEIGHTS is \"/nonexistent/x\"",
                 physad_weights_find(w->ctx, "resnet18", NULL, path, sizeof(path)));

    /* What the caller gives goes before everything, and nothing comes after it. */
    assert_ok(physad_weights_find(w->ctx, "resnet18", sub, path, sizeof(path)));
    assert_string_equal(path, sub);
    assert_fails(PHYSAD_ERR_IO, "searched in", physad_weights_find(w->ctx, "resnet50", want, path, sizeof(path)));
    assert_fails(PHYSAD_ERR_IO, "the path given is",
                 physad_weights_find(w->ctx, "resnet18", "/nonexistent/y", path, sizeof(path)));
    assert_int_equal(unsetenv("XDG_DATA_HOME"), 0);
}

static void converting_keeps_the_arrays(void **state)
{
    world *w = *state;
    char from[4096], to[600], digest[65];
    physad_tensors *a = NULL, *b = NULL;
    physad_view x, y;
    snprintf(to, sizeof(to), "%s/out.safetensors", w->folder);
    assert_ok(physad_weights_convert(w->ctx, golden(from, "kinds-legacy.pth"), to, NULL));
    assert_ok(physad_tensors_open(&a, w->ctx, from, NULL));
    assert_ok(physad_tensors_open(&b, w->ctx, to, NULL));
    assert_int_equal(physad_tensors_count(a), physad_tensors_count(b));
    for (int64_t i = 0; i < physad_tensors_count(a); i++) {
        assert_ok(physad_tensors_view(a, i, &x));
        assert_ok(physad_tensors_find(b, physad_tensors_name(a, i), &y));
        assert_int_equal(x.dtype, y.dtype);
        assert_int_equal(x.ndim, y.ndim);
        const size_t bytes = (size_t)physad__view_count(&x) * physad_dtype_size(x.dtype);
        uint8_t *flat = malloc(bytes + 1);
        physad_view copy = physad_view_array(flat, x.dtype, x.ndim, x.shape);
        if (x.ndim == 0)
            copy = physad_view_array(flat, x.dtype, 1, (const int64_t[]){ 1 });
        assert_ok(physad_tensors_copy(a, physad_tensors_name(a, i), &copy));
        assert_memory_equal(flat, y.data, bytes);
        free(flat);
    }
    assert_ok(physad__sha256_file(digest, from));
    assert_string_equal(physad_tensors_metadata(b, "sha256_original"), digest);
    assert_string_equal(physad_tensors_metadata(b, "format"), "physad-weights");
    assert_string_equal(physad_tensors_metadata(b, "version"), "3");
    physad_tensors_free(b);

    physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    o.f32 = 1;
    assert_ok(physad_weights_convert(w->ctx, from, to, &o));
    assert_ok(physad_tensors_open(&b, w->ctx, to, NULL));
    assert_ok(physad_tensors_find(b, "bf16", &y));
    assert_int_equal(y.dtype, PHYSAD_F32);
    assert_near(((const float *)y.data)[2], -3.140625, 0);
    assert_ok(physad_tensors_find(b, "i64", &y));
    assert_int_equal(y.dtype, PHYSAD_I64);
    physad_tensors_free(b);
    physad_tensors_free(a);

    o.f32 = 0;
    o.root = "nested";
    assert_ok(physad_weights_convert(w->ctx, from, to, &o));
    assert_ok(physad_tensors_open(&b, w->ctx, to, NULL));
    assert_int_equal(physad_tensors_count(b), 4);
    physad_tensors_free(b);
    assert_int_equal(scratch_count(w->folder), 1);
}

static void another_file_is_refused(void **state)
{
    world *w = *state;
    char from[4096], to[600], digest[65] = "";
    physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    snprintf(to, sizeof(to), "%s/out.safetensors", w->folder);
    o.name = "resnet18";
    assert_fails(PHYSAD_ERR_FORMAT, "want f37072fd...",
                 physad_weights_convert(w->ctx, golden(from, "state.pth"), to, &o));
    o.name = "resnet81";
    assert_fails(PHYSAD_ERR_ARG, "did you mean", physad_weights_convert(w->ctx, from, to, &o));
    o.name = NULL;
    o.f32 = 7;
    assert_fails(PHYSAD_ERR_ARG, "f32 is 7", physad_weights_convert(w->ctx, from, to, &o));
    assert_fails(PHYSAD_ERR_FORMAT, "is not the file resnet18",
                 physad_weights_install(w->ctx, "resnet18", from, w->folder, NULL, 0));
    assert_fails(PHYSAD_ERR_FORMAT, "the archive has no file resnet18-f37072fd.pth",
                 physad_weights_install(w->ctx, "resnet18", golden(from, "stored.npz"), w->folder, NULL, 0));
    assert_fails(PHYSAD_ERR_IO, "/nonexistent",
                 physad_weights_install(w->ctx, "resnet18", "/nonexistent", w->folder, NULL, 0));
    assert_int_equal(scratch_count(w->folder), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "is not efficientnet-lite0",
                 physad_weights_verify(w->ctx, "efficientnet-lite0", from, digest));
    assert_int_equal(strlen(digest), 64);
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "not known", physad_weights_verify(w->ctx, "efficientnet-b4", from, NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "want f37072fd...", physad_weights_verify(w->ctx, "resnet18", from, NULL));
}

static void a_file_without_a_known_digest_is_installed(void **state)
{
    world *w = *state;
    char from[4096], folder[600], path[4096];
    physad_tensors *t = NULL;
    snprintf(folder, sizeof(folder), "%s/new/folder", w->folder);
    assert_fails(PHYSAD_ERR_ARG, "room for 10",
                 physad_weights_install(w->ctx, "efficientnet-b4", golden(from, "state.pth"), folder, path, 10));
    assert_ok(physad_weights_install(w->ctx, "efficientnet-b4", from, folder, path, sizeof(path)));
    assert_ok(physad_tensors_open(&t, w->ctx, path, NULL));
    assert_string_equal(physad_tensors_metadata(t, "name"), "efficientnet-b4");
    assert_string_equal(physad_tensors_metadata(t, "licence"), "Apache-2.0");
    assert_string_equal(physad_tensors_metadata(t, "file"), "efficientnet-b4-6ed6700e.pth");
    physad_tensors_free(t);
    assert_ok(physad_weights_find(w->ctx, "efficientnet-b4", folder, path, sizeof(path)));
}

/* Only where they were fetched: the default weights are the very file that is pinned. */
static void the_default_weights_are_those_that_are_pinned(void **state)
{
    world *w = *state;
    char path[4096];
    int64_t parameters = 0;
    physad_view v;
    physad_tensors *t = NULL;
    physad_weights_info info = PHYSAD_WEIGHTS_INFO_INIT;
    const char *name = "efficientnet-lite0";
    if (physad_weights_find(w->ctx, name, chosen, path, sizeof(path)) != PHYSAD_OK) {
        print_message("%s\n", physad_last_error());
        skip();
    }
    assert_ok(physad_weights_describe(name, &info));
    assert_ok(physad_weights_verify(w->ctx, name, path, NULL));
    assert_ok(physad_tensors_open(&t, w->ctx, path, NULL));
    assert_int_equal(physad_tensors_count(t), 296);
    for (int64_t i = 0; i < physad_tensors_count(t); i++) {
        const char *array = physad_tensors_name(t, i);
        assert_ok(physad_tensors_view(t, i, &v));
        if (v.dtype == PHYSAD_F32 && strstr(array, "running_") == NULL)
            parameters += physad__view_count(&v);
    }
    assert_int_equal(parameters, info.parameters);
    assert_ok(physad__tensors_want(t, "_fc.weight", PHYSAD_F32, 2, (const int64_t[]){ 1000, 1280 }, &v));
    physad_tensors_free(t);
    physad_weights_convert_options o = PHYSAD_WEIGHTS_CONVERT_OPTIONS_INIT;
    o.name = name;
    if (physad__has_suffix(path, ".pth")) { /* the original: converting gives the pinned bytes */
        char to[600], digest[65];
        snprintf(to, sizeof(to), "%s/converted", w->folder);
        assert_ok(physad_weights_convert(w->ctx, path, to, &o));
        assert_ok(physad__sha256_file(digest, to));
        assert_string_equal(digest, info.sha256_converted);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_table_is_sorted_and_complete),
        TEST(wrong_arguments_are_told),
        TEST(the_default_weights_are_those_that_are_pinned),
        TEST(the_places_are_searched_in_order),
        TEST(converting_keeps_the_arrays),
        TEST(another_file_is_refused),
        TEST(a_file_without_a_known_digest_is_installed),
    };
    if (getenv("PHYSAD_WEIGHTS") != NULL)
        chosen = strdup(getenv("PHYSAD_WEIGHTS"));
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    free((void *)(uintptr_t)chosen);
    return failures;
}
