/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "own_context.h"
#include "test.h"

#include "io/io.h"

#include <pthread.h>
#include <unistd.h>

/* tests/golden/images: files and digests of their pixels by Pillow, NumPy and tifffile (make_images.py). */
static void golden_path(char out[4096], const char *name)
{
    const char *root = getenv("PHYSAD_TEST_GOLDEN");
    snprintf(out, 4096, "%s/images/%s", root != NULL ? root : "tests/golden", name);
}

static physad_context *fresh_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static void digest_of(char hex[65], const physad_image *image)
{
    const physad_view v = physad_image_view(image);
    assert_int_equal(v.ndim, 3);
    assert_true(physad__view_is_contiguous(&v));
    assert_int_equal(v.flags, PHYSAD_VIEW_READONLY);
    assert_ok(physad__sha256(hex, v.data, (size_t)physad__view_count(&v) * physad_dtype_size(v.dtype)));
}

static physad_image_options options_for(const char *want)
{
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    const bool rgb = strncmp(want, "rgb", 3) == 0 || strcmp(want, "upright") == 0, gray = strncmp(want, "gray", 4) == 0;
    o.channels = rgb ? PHYSAD_IMAGE_RGB : gray ? PHYSAD_IMAGE_GRAY : PHYSAD_IMAGE_AS_IS;
    o.dtype = rgb || gray ? PHYSAD_U8 : 0;
    o.apply_orientation = strcmp(want, "upright") == 0;
    o.jpeg_scale = strcmp(want, "half") == 0 ? 2 : 0;
    o.page = strcmp(want, "page1") == 0;
    return o;
}

static void files_of_every_kind_give_their_pixels(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096], line[512], name[128], want[32], dtype[8], digest[65], got[65];
    golden_path(path, "images.txt");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    int checked = 0;
    while (fgets(line, sizeof(line), f) != NULL) {
        long long h, w, c;
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%127s %31s %7s %lld %lld %lld %64s", name, want, dtype, &h, &w, &c, digest), 7);
        const physad_image_options o = options_for(want);
        physad_image *image;
        physad_image_info info;
        golden_path(path, name);
        assert_ok(physad_image_read(&image, ctx, path, &o));
        const physad_view v = physad_image_view(image);
        digest_of(got, image);
        if (v.shape[0] != h || v.shape[1] != w || v.shape[2] != c || strcmp(physad_dtype_name(v.dtype), dtype) != 0 ||
            strcmp(got, digest) != 0)
            fail_msg("%s as %s: (%lld,%lld,%lld) of %s or its pixels are wrong", name, want, (long long)v.shape[0],
                     (long long)v.shape[1], (long long)v.shape[2], physad_dtype_name(v.dtype));
        assert_ok(physad_image_probe(&info, ctx, path, &o));
        const physad_image_info own = physad_image_describe(image);
        assert_int_equal(info.format, own.format);
        assert_int_equal(info.height, own.height);
        assert_int_equal(info.pages, own.pages);
        if (strcmp(want, "stored") == 0) {
            assert_int_equal(info.height, h);
            assert_int_equal(info.width, w);
            assert_int_equal(info.channels, c);
            assert_int_equal(info.dtype, v.dtype);
        }
        physad_image_free(image);
        checked++;
    }
    fclose(f);
    assert_true(checked >= 200);
    end_context(ctx);
}

static void real_photos_equal_those_of_pillow(void **state)
{
    physad_context *ctx = fresh_context();
    char list[4096], path[4096], name[512], digest[65], got[65];
    int found = 0;
    golden_path(list, "photos.txt");
    FILE *f = fopen(list, "r");
    assert_non_null(f);
    while (fscanf(f, "%511s %64s", name, digest) == 2) {
        physad_image *image;
        physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
        o.channels = PHYSAD_IMAGE_RGB;
        if (getenv("PHYSAD_TEST_DATA") == NULL)
            break;
        test_data(path, name);
        if (!physad__path_exists(path))
            continue;
        assert_ok(physad_image_read(&image, ctx, path, &o));
        digest_of(got, image);
        assert_string_equal(got, digest);
        physad_image_free(image);
        found++;
    }
    fclose(f);
    end_context(ctx);
    if (found == 0) {
        print_message("PHYSAD_TEST_DATA is not set or has none of the photos\n");
        skip();
    }
}

static void damage_is_told_with_its_place(void **state)
{
    physad_context *ctx = fresh_context();
    const struct {
        const char *name;
        physad_status status;
        const char *text;
    } cases[] = {
        { "bad-jpeg-truncated.jpg", PHYSAD_ERR_FORMAT, "Premature end" },
        { "bad-jpeg-12-bit.jpg", PHYSAD_ERR_UNSUPPORTED, "12 bits per sample" },
        { "bad-png-truncated.png", PHYSAD_ERR_FORMAT, "the file ends within the photo" },
        { "bad-png-no-end.png", PHYSAD_ERR_FORMAT, "the file ends within the photo" },
        { "bad-png-checksum.png", PHYSAD_ERR_FORMAT, "PNG: " },
        { "bad-tiff-truncated.tif", PHYSAD_ERR_FORMAT, "cannot unpack a strip or tile" },
        { "bad-tiff-damaged.tif", PHYSAD_ERR_FORMAT, "cannot unpack a strip or tile" },
        { "bad-tiff-signed.tif", PHYSAD_ERR_UNSUPPORTED, "signed samples of 16 bits" },
        { "bad-bmp-truncated.bmp", PHYSAD_ERR_FORMAT, "byte 300: BMP: the file ends within the pixels" },
        { "bad-bmp-rle.bmp", PHYSAD_ERR_FORMAT, "the file ends within the run lengths" },
        { "bad-pnm-truncated.ppm", PHYSAD_ERR_FORMAT, "the file ends within the pixels" },
        { "bad-pnm-value.pgm", PHYSAD_ERR_FORMAT, "byte 12: PNM: the value of a pixel is more than 10" },
    };
    for (int i = 0; i < PHYSAD__COUNT(cases); i++) {
        char path[4096];
        physad_image *image;
        golden_path(path, cases[i].name);
        assert_fails(cases[i].status, cases[i].text, physad_image_read(&image, ctx, path, NULL));
        assert_non_null(strstr(physad_last_error(), path));
        assert_non_null(strstr(physad_last_error(), "byte "));
        assert_null(image);
    }
    end_context(ctx);
}

/* Every proper beginning of every file is an error, but for those that end behind the pixels. */
static void every_truncation_ends_in_a_status(void **state)
{
    physad_context *ctx = fresh_context();
    const char *names[] = { "jpeg-420.jpg",       "jpeg-progressive.jpg", "jpeg-cmyk.jpg",   "png-16-rgba.png",
                            "png-interlaced.png", "tiff-tiles.tif",       "tiff-xyz32.tif",  "tiff-palette4.tif",
                            "bmp-rle4.bmp",       "bmp-565.bmp",          "pnm-p6.ppm",      "pnm-p2.pgm" };
    for (int i = 0; i < PHYSAD__COUNT(names); i++) {
        char path[4096];
        unsigned char *bytes;
        size_t size;
        golden_path(path, names[i]);
        assert_ok(physad__file_read(&bytes, &size, &ctx->mem, path, 0));
        int64_t fine = 0;
        for (size_t n = 0; n < size; n++) {
            physad_image *image;
            unsigned char *exact = malloc(n + 1); /* so that a sanitizer sees any read beyond */
            memcpy(exact, bytes, n);
            const physad_status status = physad_image_read_memory(&image, ctx, exact, n, names[i], NULL);
            assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_FORMAT || status == PHYSAD_ERR_UNSUPPORTED);
            fine += status == PHYSAD_OK;
            physad_image_free(image);
            free(exact);
        }
        assert_true(fine <= 3); /* the end marker of a JPEG, a last white space */
        physad__free(bytes);
    }
    end_context(ctx);
}

static void arguments_are_checked(void **state)
{
    physad_context *ctx = fresh_context();
    physad_image *image;
    physad_image_info info;
    char path[4096];
    golden_path(path, "jpeg-420.jpg");
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_image_read(NULL, ctx, path, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_image_read(&image, NULL, path, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_image_read(&image, ctx, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "bytes is NULL", physad_image_read_memory(&image, ctx, NULL, 1, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_image_read_memory(NULL, ctx, "", 1, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "info is NULL", physad_image_probe(NULL, ctx, path, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_image_probe(&info, ctx, NULL, NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "image: the file is empty",
                 physad_image_read_memory(&image, ctx, "", 0, NULL, NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "x: byte 0: no photo",
                 physad_image_read_memory(&image, ctx, "hello", 5, "x", NULL));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "GIF;", physad_image_read_memory(&image, ctx, "GIF89a", 6, "x", NULL));
    assert_fails(PHYSAD_ERR_IO, "none.png: cannot open", physad_image_read(&image, ctx, "none.png", NULL));
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    o.channels = 2;
    assert_fails(PHYSAD_ERR_ARG, "channels is 2", physad_image_read(&image, ctx, path, &o));
    o.channels = 0;
    o.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_ARG, "dtype is 9", physad_image_read(&image, ctx, path, &o));
    o.dtype = 0;
    o.jpeg_scale = 3;
    assert_fails(PHYSAD_ERR_ARG, "jpeg_scale is 3", physad_image_read(&image, ctx, path, &o));
    o.jpeg_scale = 0;
    o.page = 1;
    assert_fails(PHYSAD_ERR_ARG, "page 1 wanted; it has 1", physad_image_read(&image, ctx, path, &o));
    o.page = 0;
    o.max_bytes = 100;
    assert_fails(PHYSAD_ERR_FORMAT, "the limit is 100", physad_image_read(&image, ctx, path, &o));
    o.max_bytes = 0;
    o.max_pixels = 37 * 45 - 1;
    assert_fails(PHYSAD_ERR_FORMAT, "45 x 37 pixels (width x height) are more than max_pixels, 1664",
                 physad_image_read(&image, ctx, path, &o));
    o.max_pixels++;
    assert_ok(physad_image_read(&image, ctx, path, &o));
    physad_image_free(image);
    golden_path(path, "tiff-pages.tif");
    o.page = 2;
    assert_fails(PHYSAD_ERR_ARG, "page 2 wanted; it has 2", physad_image_read(&image, ctx, path, &o));
    golden_path(path, "tiff-gray32.tif");
    o = options_for("rgb");
    assert_fails(PHYSAD_ERR_DTYPE, "f32, whose range", physad_image_read(&image, ctx, path, &o));
    assert_null(physad_image_view(NULL).data);
    assert_int_equal(physad_image_describe(NULL).format, 0);
    physad_image_free(NULL);
    end_context(ctx);
}

static void a_photo_outlives_the_callers_context(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096];
    physad_image *image;
    golden_path(path, "png-rgb.png");
    assert_ok(physad_image_read(&image, ctx, path, NULL));
    physad_context_free(ctx);
    assert_int_equal(physad_image_view(image).shape[2], 3);
    physad_image_free(image);
}

typedef struct reading {
    physad_context *ctx;
    const char *const *names;
    char digest[6][65];
} reading;

static void *read_each(void *user)
{
    reading *r = user;
    for (int i = 0; i < 6; i++) {
        char path[4096];
        physad_image *image;
        golden_path(path, r->names[i]);
        memset(r->digest[i], 0, 65);
        if (physad_image_read(&image, r->ctx, path, NULL) == PHYSAD_OK) {
            const physad_view v = physad_image_view(image);
            (void)!physad__sha256(r->digest[i], v.data, (size_t)physad__view_count(&v) * physad_dtype_size(v.dtype));
            physad_image_free(image);
        } else {
            memcpy(r->digest[i], strrchr(physad_last_error(), ':'), 3);
        }
    }
    return NULL;
}

static void threads_read_at_once(void **state)
{
    physad_context *ctx = fresh_context();
    const char *const names[6] = { "jpeg-420.jpg",         "tiff-tiles.tif", "png-16-rgb.png",
                                   "bad-tiff-damaged.tif", "bmp-rle8.bmp",   "pnm-p3.ppm" };
    pthread_t thread[8];
    reading reads[9];
    for (int i = 0; i < 9; i++)
        reads[i] = (reading){ .ctx = ctx, .names = names };
    read_each(&reads[8]);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_each, &reads[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
        assert_memory_equal(reads[i].digest, reads[8].digest, sizeof(reads[8].digest));
    }
    assert_int_equal(strlen(reads[8].digest[0]), 64);
    end_context(ctx);
}

/* --- bombs and limits --- */

static void claims_are_refused_before_memory_is_taken(void **state)
{
    physad_context *ctx = fresh_context();
    physad_image *image;
    physad_image_options o = PHYSAD_IMAGE_OPTIONS_INIT;
    o.max_pixels = UINT64_C(1) << 62;
    /* 10^8 x 10^8 pixels. */
    unsigned char png[] = "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\x05\xF5\xE1\0\x05\xF5\xE1\0\x08\x02\0\0\0\xCB\x98\x4F\xF7\0"
                          "\0\0\0IDAT\x35\xAF\x06\x1E";
    char ppm[] = "P6 100000000 100000000 255\n0123", plain[] = "P3 100000000 100000000 255\n0 1 2 3";
    unsigned char bmp[64] = "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\xE1\xF5\x05\0\xE1\xF5\x05\x01\0\x20";
    assert_fails(PHYSAD_ERR_FORMAT, "cannot be in",
                 physad_image_read_memory(&image, ctx, png, sizeof(png) - 1, "bomb", &o));
    assert_fails(PHYSAD_ERR_FORMAT, "ends within the pixels",
                 physad_image_read_memory(&image, ctx, ppm, sizeof(ppm) - 1, "bomb", &o));
    assert_fails(PHYSAD_ERR_FORMAT, "ends within the pixels",
                 physad_image_read_memory(&image, ctx, plain, sizeof(plain) - 1, "bomb", &o));
    assert_fails(PHYSAD_ERR_FORMAT, "ends within the pixels",
                 physad_image_read_memory(&image, ctx, bmp, sizeof(bmp), "bomb", &o));
    char beyond[] = "P6 2147483647 2147483647 255\n0123";
    assert_fails(PHYSAD_ERR_FORMAT, "are more than max_pixels",
                 physad_image_read_memory(&image, ctx, beyond, sizeof(beyond) - 1, "bomb", &o));
    assert_true(physad_context_memory_peak(ctx) < 1 << 20);
    end_context(ctx);
}

static void the_memory_limit_holds(void **state)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    const char *names[] = { "jpeg-420.jpg",   "jpeg-progressive.jpg", "png-rgb.png",
                            "tiff-tiles.tif", "bmp-24.bmp",           "pnm-p6.ppm" };
    o.memory_limit = 600;
    assert_ok(physad_context_new(&ctx, &o));
    for (int i = 0; i < PHYSAD__COUNT(names); i++) {
        char path[4096];
        physad_image *image;
        golden_path(path, names[i]);
        assert_int_equal(physad_image_read(&image, ctx, path, NULL), PHYSAD_ERR_NOMEM);
        assert_non_null(strstr(physad_last_error(), "memory"));
    }
    end_context(ctx);
}

static void the_coefficients_of_a_progressive_photo_count(void **state)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *free_ctx = fresh_context();
    char path[4096];
    unsigned char *bytes;
    size_t size;
    physad_image *image;
    golden_path(path, "jpeg-flat-progressive.jpg");
    assert_ok(physad__file_read(&bytes, &size, &free_ctx->mem, path, 0));
    o.memory_limit = 512 * 512 * 2; /* the pixels, but not the 16-bit coefficients beside them */
    assert_ok(physad_context_new(&ctx, &o));
    assert_fails(PHYSAD_ERR_NOMEM, "memory limit", physad_image_read_memory(&image, ctx, bytes, size, "p", NULL));
    physad__free(bytes);
    end_context(ctx);
    end_context(free_ctx);
}

/* A progressive file may repeat its scans without end. */
static void endless_scans_are_stopped(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096];
    unsigned char *bytes;
    size_t size, at = 0;
    physad_image *image;
    golden_path(path, "jpeg-gray-progressive.jpg");
    assert_ok(physad__file_read(&bytes, &size, &ctx->mem, path, 0));
    size_t end = size - 2; /* the end marker */
    for (size_t i = 2; i + 1 < size; i++)
        if (bytes[i] == 0xFF && bytes[i + 1] == 0xDA)
            at = i;
    assert_true(at > 0);
    const size_t scan = end - at, total = at + 200 * scan + 2; /* the last scan, 200 times */
    unsigned char *bomb = malloc(total);
    memcpy(bomb, bytes, at);
    for (int i = 0; i < 200; i++)
        memcpy(bomb + at + (size_t)i * scan, bytes + at, scan);
    memcpy(bomb + total - 2, "\xFF\xD9", 2);
    const physad_status status = physad_image_read_memory(&image, ctx, bomb, total, "scans", NULL);
    assert_int_equal(status, PHYSAD_ERR_FORMAT);
    free(bomb);
    physad__free(bytes);
    end_context(ctx);
}

static void a_cancelled_context_stops_reading(void **state)
{
    physad_context *ctx = fresh_context();
    char path[4096];
    physad_image *image;
    physad_context_cancel(ctx);
    golden_path(path, "tiff-tiles.tif");
    assert_int_equal(physad_image_read(&image, ctx, path, NULL), PHYSAD_ERR_CANCELLED);
    physad_context_resume(ctx);
    assert_ok(physad_image_read(&image, ctx, path, NULL));
    physad_image_free(image);
    end_context(ctx);
}

/* --- memory that runs out --- */

static void running_out_of_memory_is_survived(void **state)
{
    physad_context_options co = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    const char *names[] = { "jpeg-orientation-6.jpg", "jpeg-cmyk.jpg", "png-orientation-6.png", "png-16-gray.png",
                            "tiff-orientation-8.tif", "bmp-gray.bmp",  "pnm-p2.pgm" };
    co.allocator = &failing_allocator;
    allocations_left = 1000;
    assert_ok(physad_context_new(&ctx, &co));
    for (int i = 0; i < PHYSAD__COUNT(names); i++) {
        char path[4096], out[256];
        golden_path(path, names[i]);
        int failures = 0;
        for (int n = 0;; n++) {
            physad_image *image;
            const physad_image_options o = options_for("upright");
            allocations_left = n;
            physad_status status = physad_image_read(&image, ctx, path, &o);
            if (status == PHYSAD_OK) {
                const char *suffixes[] = { "png", "jpg", "tif", "ppm" };
                const physad_view v = physad_image_view(image);
                snprintf(out, sizeof(out), "/tmp/physad-image-%d.%s", (int)getpid(),
                         suffixes[v.dtype == PHYSAD_U16 ? 0 : i % 4]);
                status = physad_image_write(ctx, out, &v, NULL);
                unlink(out);
            }
            physad_image_free(image);
            assert_int_equal(ctx->mem.used, 0);
            if (status == PHYSAD_OK)
                break;
            assert_int_equal(status, PHYSAD_ERR_NOMEM);
            failures++;
        }
        assert_true(failures >= 5);
    }
    end_context(ctx);
}

/* --- writing --- */

static char written[64];

static const char *out_path(const char *suffix)
{
    snprintf(written, sizeof(written), "/tmp/physad-image-%d%s", (int)getpid(), suffix);
    return written;
}

static void round_trip(physad_context *ctx, const char *suffix, int32_t dtype, int32_t channels, bool strided)
{
    enum { H = 7, W = 9 };
    static unsigned char pixels[H * W * 4 * 4 * 2], want[H * W * 4 * 4];
    const int64_t shape[3] = { H, W, channels };
    physad_view v = physad_view_array(pixels, dtype, channels == 1 ? 2 : 3, shape);
    const size_t element = physad_dtype_size(dtype);
    physad__rng rng;
    physad__rng_seed(&rng, 1, (uint64_t)(dtype * 8 + channels));
    if (strided) { /* columns first, from right to left, with a gap between the samples */
        v.stride[0] = 2 * (int64_t)element * channels;
        v.stride[1] = -v.stride[0] * H;
        v.stride[2] = 2 * (int64_t)element;
        v.data = pixels - v.stride[1] * (W - 1);
    }
    for (int64_t y = 0; y < H; y++) {
        for (int64_t x = 0; x < W; x++) {
            for (int64_t c = 0; c < channels; c++) {
                const uint64_t bits = physad__rng_next(&rng);
                const float f = (float)(bits % 100000) / 7;
                unsigned char *to =
                    (unsigned char *)v.data + y * v.stride[0] + x * v.stride[1] + (channels > 1 ? c * v.stride[2] : 0);
                unsigned char *w = want + ((y * W + x) * channels + c) * (int64_t)element;
                memcpy(to, dtype == PHYSAD_F32 ? (const void *)&f : (const void *)&bits, element);
                memcpy(w, to, element);
                if (dtype == PHYSAD_BOOL) {
                    *to = *to & 2; /* any non-zero byte is true */
                    *w = *to != 0 ? 255 : 0;
                }
            }
        }
    }
    assert_ok(physad_image_write(ctx, out_path(suffix), &v, NULL));
    physad_image *image;
    assert_ok(physad_image_read(&image, ctx, written, NULL));
    const physad_view got = physad_image_view(image);
    assert_int_equal(got.dtype, dtype == PHYSAD_BOOL ? PHYSAD_U8 : dtype);
    assert_int_equal(got.shape[0], H);
    assert_int_equal(got.shape[1], W);
    assert_int_equal(got.shape[2], channels);
    assert_memory_equal(got.data, want, H * W * (size_t)channels * element);
    physad_image_free(image);
    unlink(written);
}

static void what_is_written_is_read(void **state)
{
    physad_context *ctx = fresh_context();
    const struct {
        const char *suffix;
        int32_t dtype, least, most;
    } cases[] = {
        { ".png", PHYSAD_U8, 1, 4 },   { ".png", PHYSAD_U16, 1, 4 },  { ".png", PHYSAD_BOOL, 1, 1 },
        { ".TIF", PHYSAD_U8, 1, 4 },   { ".tiff", PHYSAD_U16, 1, 4 }, { ".tif", PHYSAD_F32, 1, 4 },
        { ".tif", PHYSAD_BOOL, 1, 1 }, { ".pgm", PHYSAD_U8, 1, 1 },   { ".pgm", PHYSAD_U16, 1, 1 },
        { ".ppm", PHYSAD_U8, 3, 3 },   { ".ppm", PHYSAD_U16, 3, 3 },  { ".pfm", PHYSAD_F32, 1, 1 },
        { ".pfm", PHYSAD_F32, 3, 3 },  { ".pgm", PHYSAD_BOOL, 1, 1 },
    };
    for (int i = 0; i < PHYSAD__COUNT(cases); i++)
        for (int32_t c = cases[i].least; c <= cases[i].most; c++)
            for (int strided = 0; strided < 2; strided++)
                round_trip(ctx, cases[i].suffix, cases[i].dtype, c, strided != 0);
    end_context(ctx);
}

static void a_written_jpeg_is_close(void **state)
{
    physad_context *ctx = fresh_context();
    enum { H = 40, W = 30 };
    unsigned char pixels[H][W][3];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++)
                pixels[y][x][c] = (unsigned char)(40 * c + 2 * y + 3 * x);
    const physad_view v = physad_view_rgb8(pixels, H, W, sizeof(pixels[0]));
    physad_image_write_options o = PHYSAD_IMAGE_WRITE_OPTIONS_INIT;
    int64_t sizes[2];
    for (int i = 0; i < 2; i++) {
        physad_image *image;
        o.jpeg_quality = i == 0 ? 0 : 100;
        unsigned char *bytes;
        size_t size;
        assert_ok(physad__image_encode(&bytes, &size, ctx, PHYSAD_IMAGE_JPEG, "memory", &v, &o));
        assert_ok(physad_image_read_memory(&image, ctx, bytes, size, NULL, NULL));
        const unsigned char *got = physad_image_view(image).data;
        for (size_t k = 0; k < sizeof(pixels); k++)
            assert_near(got[k], ((unsigned char *)pixels)[k], i == 0 ? 8 : 3);
        sizes[i] = (int64_t)size;
        physad_image_free(image);
        physad__free(bytes);
    }
    assert_true(sizes[0] < sizes[1]);
    end_context(ctx);
}

static void wrong_views_are_not_written(void **state)
{
    physad_context *ctx = fresh_context();
    float pixels[4 * 4 * 5] = { 0 };
    const int64_t five[3] = { 4, 4, 5 }, one[3] = { 4, 4, 1 }, none[3] = { 0, 4, 1 };
    physad_view v = physad_view_array(pixels, PHYSAD_F32, 3, one);
    physad_image_write_options o = PHYSAD_IMAGE_WRITE_OPTIONS_INIT;
    assert_fails(PHYSAD_ERR_ARG, "the suffix must be", physad_image_write(ctx, "x.gif", &v, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_image_write(ctx, NULL, &v, NULL));
    assert_fails(PHYSAD_ERR_ARG, "view is NULL", physad_image_write(ctx, "x.png", NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context is NULL", physad_image_write(NULL, "x.png", &v, NULL));
    assert_fails(PHYSAD_ERR_DTYPE, "the view holds f32, but a .png file holds",
                 physad_image_write(ctx, "x.png", &v, NULL));
    v = physad_view_array(pixels, PHYSAD_F32, 3, five);
    assert_fails(PHYSAD_ERR_SHAPE, "(4,4,5)", physad_image_write(ctx, "x.tif", &v, NULL));
    v = physad_view_array(pixels, PHYSAD_F32, 3, none);
    assert_fails(PHYSAD_ERR_SHAPE, "(0,4,1)", physad_image_write(ctx, "x.tif", &v, NULL));
    v = physad_view_array(pixels, PHYSAD_U8, 1, one);
    assert_fails(PHYSAD_ERR_SHAPE, "(4)", physad_image_write(ctx, "x.tif", &v, NULL));
    v = physad_view_array(pixels, PHYSAD_U8, 2, one);
    assert_fails(PHYSAD_ERR_SHAPE, "holds u8 and u16 with 3", physad_image_write(ctx, "x.ppm", &v, NULL));
    assert_fails(PHYSAD_ERR_IO, "no/such/x.png", physad_image_write(ctx, "no/such/x.png", &v, NULL));
    o.jpeg_quality = 101;
    assert_fails(PHYSAD_ERR_ARG, "jpeg_quality is 101", physad_image_write(ctx, "x.jpg", &v, &o));
    o.jpeg_quality = 0;
    o.png_compression = 10;
    assert_fails(PHYSAD_ERR_ARG, "png_compression is 10", physad_image_write(ctx, "x.jpg", &v, &o));
    const int64_t wide[2] = { 1, 70000 };
    v = physad_view_array(pixels, PHYSAD_U8, 2, wide);
    v.stride[1] = 0;
    assert_fails(PHYSAD_ERR_SHAPE, "JPEG holds at most 65500", physad_image_write(ctx, "x.jpg", &v, NULL));
    unsigned char *bytes;
    size_t size;
    assert_fails(PHYSAD_ERR_ARG, "format is 4",
                 physad__image_encode(&bytes, &size, ctx, PHYSAD_IMAGE_BMP, "x", &v, NULL));
    assert_false(physad__path_exists("x.png") || physad__path_exists("x.tif") || physad__path_exists("x.jpg"));
    end_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_every_kind_give_their_pixels),
        cmocka_unit_test(real_photos_equal_those_of_pillow),
        cmocka_unit_test(damage_is_told_with_its_place),
        cmocka_unit_test(every_truncation_ends_in_a_status),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(a_photo_outlives_the_callers_context),
        cmocka_unit_test(threads_read_at_once),
        cmocka_unit_test(claims_are_refused_before_memory_is_taken),
        cmocka_unit_test(the_memory_limit_holds),
        cmocka_unit_test(the_coefficients_of_a_progressive_photo_count),
        cmocka_unit_test(endless_scans_are_stopped),
        cmocka_unit_test(a_cancelled_context_stops_reading),
        cmocka_unit_test(running_out_of_memory_is_survived),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_written_jpeg_is_close),
        cmocka_unit_test(wrong_views_are_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
