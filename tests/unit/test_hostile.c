/* SPDX-License-Identifier: Apache-2.0 */
/* Model files whose numbers are of the right shape, and lie. */
#include "scratch.h"
#include "own_context.h"
#include "test.h"

#include "io/io.h"

#include <physad/dataset.h>
#include <physad/detect.h>
#include <physad/tensors.h>

#include <sys/stat.h>
#include <unistd.h>

enum { SIDE = 64, COUNT = 12 };

static char folder[256], honest[512], gaussian[512], lying[512];

static physad_view photo(uint8_t *pixels, uint64_t seed)
{
    physad__rng rng;
    physad__rng_seed(&rng, seed, 7);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = (uint8_t)(100 + 40 * (i / 24 % 2) + (int)(20 * physad__rng_uniform(&rng)));
    return physad_view_rgb8(pixels, SIDE, SIDE, SIDE * 3);
}

static physad_context *fresh_context(void)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.threads = 1;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

static void save_fitted(physad_context *ctx, const physad_dataset *ds, const char *method, const char *keep,
                        const char *path)
{
    const char *const options[][2] = {
        { "weights", "random:1" }, { "input", "64" }, { "keep_features", keep }, { "alpha", "0.34" }
    };
    physad_detector *det = NULL;
    assert_ok(physad_detector_new(&det, ctx, method));
    for (int64_t i = 0; i < PHYSAD__COUNT(options); i++)
        assert_ok(physad_detector_set(det, options[i][0], options[i][1]));
    assert_ok(physad_detector_fit(det, ds, NULL));
    assert_ok(physad_detector_save(det, path));
    physad_detector_free(det);
}

/* A model that keeps the features of its samples, and one of PaDiM. */
static int set_up(void **state)
{
    static uint8_t pixels[SIDE * SIDE * 3];
    physad_context *ctx = fresh_context();
    physad_dataset *ds = NULL;
    scratch_make(folder, sizeof(folder));
    snprintf(honest, sizeof(honest), "%s/honest.physad", folder);
    snprintf(gaussian, sizeof(gaussian), "%s/gaussian.physad", folder);
    snprintf(lying, sizeof(lying), "%s/lying.physad", folder);
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        const physad_view v = photo(pixels, (uint64_t)i);
        physad_item item = PHYSAD_ITEM_INIT;
        snprintf(name, sizeof(name), "n%02d.png", i);
        item.flags = PHYSAD_ITEM_COPY;
        item.photo = &v;
        item.name = name;
        assert_ok(physad_dataset_add(ds, &item));
    }
    save_fitted(ctx, ds, "patchcore", "true", honest);
    save_fitted(ctx, ds, "padim", "false", gaussian);
    physad_dataset_free(ds);
    end_context(ctx);
    return 0;
}

static int tear_down(void **state)
{
    scratch_remove(folder);
    return 0;
}

/* `from`, once in the description, becomes `to`. */
static void replace(char *text, size_t size, const char *from, const char *to)
{
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_true(strlen(text) + strlen(to) < size);
    memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
    memcpy(at, to, strlen(to));
}

/* A model as `lying`: with `value` at `place` of array `name` (NULL: none), and the pairs of texts replaced. */
static void lie(physad_context *ctx, const char *path, const char *name, int64_t place, int64_t value,
                const char *const (*texts)[2], int64_t count)
{
    static char text[1 << 16];
    physad_tensors *in = NULL, *out = NULL;
    assert_ok(physad_tensors_open(&in, ctx, path, NULL));
    assert_ok(physad_tensors_new(&out, ctx));
    for (int64_t i = 0; i < physad_tensors_count(in); i++) {
        physad_view v;
        assert_ok(physad_tensors_view(in, i, &v));
        if (name == NULL || strcmp(physad_tensors_name(in, i), name) != 0) {
            assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
            continue;
        }
        const size_t size = physad_dtype_size(v.dtype), bytes = (size_t)physad__view_count(&v) * size;
        char *copy = malloc(bytes);
        memcpy(copy, v.data, bytes);
        memcpy(copy + (place < 0 ? bytes - size : (size_t)place * size), &value, size);
        v.data = copy;
        assert_ok(physad_tensors_add(out, name, &v));
        free(copy);
    }
    snprintf(text, sizeof(text), "%s", physad_tensors_metadata(in, "physad"));
    for (int64_t i = 0; i < count; i++)
        replace(text, sizeof(text), texts[i][0], texts[i][1]);
    assert_ok(physad_tensors_set_metadata(out, "physad", text));
    assert_ok(physad_tensors_save(out, lying));
    physad_tensors_free(in);
    physad_tensors_free(out);
}

/* add and remove put the rows where positions say, and count by the samples. */
static void kept_features_come_from_where_they_can(void **state)
{
    static const struct {
        const char *name;
        int64_t place, value;
    } lies[] = {
        { "features.positions", 3, 64 },       { "features.positions", 0, INT32_MAX },
        { "features.positions", -1, -1 },      { "features.samples", -1, COUNT },
        { "features.samples", -1, INT64_MAX }, { "features.samples", 0, -1 },
        { "features.samples", 5, INT64_MIN },  { "features.samples", -1, 0 } /* the order is the samples' */,
    };
    physad_context *ctx = fresh_context();
    physad_detector *det = NULL;
    lie(ctx, honest, NULL, 0, 0, NULL, 0);
    assert_ok(physad_detector_load(&det, ctx, lying)); /* the helper changes nothing else */
    assert_ok(physad_detector_remove(det, "n05.png", NULL));
    physad_detector_free(det);
    for (int64_t i = 0; i < PHYSAD__COUNT(lies); i++) {
        lie(ctx, honest, lies[i].name, lies[i].place, lies[i].value, NULL, 0);
        assert_fails(PHYSAD_ERR_FORMAT, "features row", physad_detector_load(&det, ctx, lying));
        assert_null(det);
    }
    end_context(ctx);
}

static void gaussians_are_numbers(void **state)
{
    static const int64_t bits[] = { 0x7fc00000, 0x7f800000, -0x800000 }; /* NaN and both infinities */
    physad_context *ctx = fresh_context();
    physad_detector *det = NULL;
    for (int64_t i = 0; i < PHYSAD__COUNT(bits); i++) {
        lie(ctx, gaussian, "padim.factor", 1, bits[i], NULL, 0);
        assert_fails(PHYSAD_ERR_FORMAT, "padim.factor", physad_detector_load(&det, ctx, lying));
        lie(ctx, gaussian, "padim.mean", 5, bits[i], NULL, 0);
        assert_fails(PHYSAD_ERR_FORMAT, "padim", physad_detector_load(&det, ctx, lying));
    }
    end_context(ctx);
}

/* The transform of the file and its options may tell of different grids: kept rows fit the one, and are spread over the
 * other. */
static void options_may_not_shrink_the_grid(void **state)
{
    static const char *const texts[][2] = { { "\"input\":\"64\"", "\"input\":\"32\"" } };
    physad_context *ctx = fresh_context();
    physad_detector *det = NULL;
    lie(ctx, honest, NULL, 0, 0, texts, 1);
    assert_ok(physad_detector_load(&det, ctx, lying));
    assert_fails(PHYSAD_ERR_FORMAT, "features row", physad_detector_remove(det, "n05.png", NULL));
    physad_detector_free(det);
    end_context(ctx);
}

/* What stands in the list of choices is not thereby one of them: readers of the option would take it for different
 * numbers. */
static void choices_are_one_of_the_list(void **state)
{
    static const char *const scales[] = { "\"jpeg_scale\":\"3\"", "\"jpeg_scale\":\"2|4\"",
                                          "\"jpeg_scale\":\"1|2|4|8\"", "\"jpeg_scale\":\"\"",
                                          "\"jpeg_scale\":\"4294967297\"" };
    physad_context *ctx = fresh_context();
    physad_detector *det = NULL;
    for (int i = 0; i < PHYSAD__COUNT(scales); i++) {
        const char *const texts[1][2] = { { "\"jpeg_scale\":\"1\"", scales[i] } };
        lie(ctx, honest, NULL, 0, 0, texts, 1);
        assert_fails(PHYSAD_ERR_FORMAT, "want one of 1|2|4|8", physad_detector_load(&det, ctx, lying));
    }
    const char *const number[1][2] = { { "\"jpeg_scale\":\"1\"", "\"jpeg_scale\":2" } };
    lie(ctx, honest, NULL, 0, 0, number, 1);
    assert_fails(PHYSAD_ERR_FORMAT, "is no text", physad_detector_load(&det, ctx, lying));
    end_context(ctx);
}

/* A model may name a file of weights; what has no end or no writer is none. */
static void weights_are_regular_files(void **state)
{
    char pipe[512], weights[600];
    const char *const texts[2][2][2] = {
        { { "\"weights\":\"random:1\"", weights }, { "\"sha256\":\"\"", "\"sha256\":\"00\"" } },
        { { "\"weights\":\"random:1\"", "\"weights\":\"/dev/zero\"" }, { "\"sha256\":\"\"", "\"sha256\":\"00\"" } }
    };
    physad_context *ctx = fresh_context();
    physad_detector *det = NULL;
    snprintf(pipe, sizeof(pipe), "%s/pipe.safetensors", folder);
    snprintf(weights, sizeof(weights), "\"weights\":\"%s\"", pipe);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    alarm(20); /* once it did not come back */
    for (int i = 0; i < 2; i++) {
        lie(ctx, honest, NULL, 0, 0, texts[i], 2);
        assert_fails(PHYSAD_ERR_IO, "is not a regular file", physad_detector_load(&det, ctx, lying));
    }
    alarm(0);
    end_context(ctx);
}

/* Arrays of a checkpoint may have any strides, so that few bytes are an array of any length; and its texts are metadata
 * too. */
static void models_are_safetensors(void **state)
{
    static const char bytes[] = "\x80\x02\x8a\nl\xfc\x9c"
                                "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00.\x80\x02}X\x06\x00\x00\x00"
                                "physad"
                                "X\x02\x00\x00\x00{}s.\x80\x02].";
    physad_context *ctx = fresh_context();
    physad_tensors *file = NULL;
    physad_detector *det = NULL;
    assert_ok(physad__file_write_atomic(&ctx->mem, lying, bytes, sizeof(bytes) - 1));
    assert_ok(physad_tensors_open(&file, ctx, lying, NULL));
    assert_string_equal(physad_tensors_metadata(file, "physad"), "{}");
    physad_tensors_free(file);
    assert_fails(PHYSAD_ERR_FORMAT, "want safetensors", physad_detector_load(&det, ctx, lying));
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_features_come_from_where_they_can),
        cmocka_unit_test(gaussians_are_numbers),
        cmocka_unit_test(options_may_not_shrink_the_grid), cmocka_unit_test(choices_are_one_of_the_list),
        cmocka_unit_test(weights_are_regular_files),
        cmocka_unit_test(models_are_safetensors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
