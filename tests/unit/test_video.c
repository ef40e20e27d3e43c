/* SPDX-License-Identifier: Apache-2.0 */
/* Videos: the tests write their own, each frame with its number in it as black and white blocks. */
#include "failing.h"
#include "test.h"

#include "io/io.h"

#include <physad/image.h>
#include <physad/video.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WIDTH = 96, HEIGHT = 64, BLOCK = 16, BITS = 6 };

static char folder[64];

static const char *place(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

/* Number n in the upper row, the corners told apart below: red left, blue right. */
static void draw(uint8_t *rgb, int n)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = rgb + 3 * (y * WIDTH + x);
            const int on = (n >> (x / BLOCK)) & 1;
            p[0] = (uint8_t)(y < BLOCK ? (on ? 235 : 20) : y >= 48 && x < 32 ? 220 : 60 + (x + 3 * n) % 90);
            p[1] = (uint8_t)(y < BLOCK ? (on ? 235 : 20) : y >= 48 ? 30 : 80 + (y * 2 + n) % 60);
            p[2] = (uint8_t)(y < BLOCK ? (on ? 235 : 20) : y >= 48 && x >= 64 ? 220 : 40);
        }
}

static int number_of(const physad_view *v)
{
    const uint8_t *p = v->data;
    int n = 0;
    for (int i = 0; i < BITS; i++)
        n |= (p[3 * (8 * v->shape[1] + i * BLOCK + 8)] > 128) << i;
    return n;
}

static bool write_video(physad_context *ctx, const char *path, const physad__video_writer_options *more, int frames,
                        int64_t step)
{
    uint8_t rgb[WIDTH * HEIGHT * 3];
    physad__video_writer *w;
    physad__video_writer_options o = *more;
    int64_t time = 0;
    o.width = WIDTH;
    o.height = HEIGHT;
    o.rate = o.rate == 0 ? 25 : o.rate;
    if (physad__video_writer_open(&w, ctx, path, &o) != PHYSAD_OK) {
        print_message("not tried: %s\n", physad_last_error());
        return false;
    }
    for (int n = 0; n < frames; n++) {
        draw(rgb, n);
        assert_ok(physad__video_writer_put(w, rgb, time));
        time += n % 3 == 0 ? 3 * step : step;
    }
    assert_ok(physad__video_writer_commit(w));
    return true;
}

static physad_video *open_video(physad_context *ctx, const char *path, const physad_video_options *o)
{
    physad_video *v;
    assert_ok(physad_video_open(&v, ctx, path, o));
    return v;
}

static physad_context *new_context(void)
{
    physad_context *ctx;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static void end(physad_context *ctx)
{
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* Reads to the end; every frame is the one it says. Returns how many. */
static int64_t read_all(physad_video *v, int64_t from)
{
    for (;; from++) {
        physad_frame f = PHYSAD_FRAME_INIT;
        assert_ok(physad_video_read(v, &f));
        if (f.pixels.data == NULL)
            return from;
        assert_int_equal(f.index, from);
        assert_int_equal(number_of(&f.pixels), from);
    }
}

/* --- */

static void test_containers(void **state)
{
    static const struct {
        const char *name, *codec;
        int between;
        const char *extra;
    } kinds[] = {
        { "x264.mp4", NULL, 3, NULL },
        { "open.mp4", "libx264", 3, "x264-params=open-gop=1:cpu-independent=1" },
        { "x264.mkv", "libx264", 2, NULL },
        { "x264.ts", "libx264", 2, NULL },
        { "x264.h264", "libx264", 0, NULL },
        { "refresh.ts", "libx264", 0, "intra-refresh=1" },
        { "mpeg4.mov", "mpeg4", 0, NULL },
        { "mpeg4.mp4", "mpeg4", 2, NULL },
        { "mpeg2.mpg", "mpeg2video", 2, NULL },
        { "ffv1.mkv", "ffv1", 0, NULL },
        { "mjpeg.mov", "mjpeg", 0, "strict=unofficial" },
        { "vp9.webm", "libvpx-vp9", 0, "deadline=realtime:cpu-used=8" },
    };
    physad_context *ctx = new_context();
    int tried = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const physad__video_writer_options o = {
            .codec = kinds[i].codec, .between = kinds[i].between, .extra = kinds[i].extra, .key_every = 7
        };
        const char *path = place(kinds[i].name);
        if (!write_video(ctx, path, &o, 47, 0))
            continue;
        tried++;
        print_message("%s\n", kinds[i].name);
        physad_video *v = open_video(ctx, path, NULL);
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        int64_t count = 0;
        assert_ok(physad_video_describe(v, &info));
        assert_int_equal(info.height, HEIGHT);
        assert_int_equal(info.width, WIDTH);
        assert_int_equal(info.bits, 8);
        assert_ok(physad_video_frame_count(v, &count));
        assert_int_equal(count, 47);
        assert_int_equal(read_all(v, 0), 47);
        static const int64_t wanted[] = { 0, 46, 13, 14, 15, 7, 6, 33, 20, 0, 45, 1 };
        for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
            assert_ok(physad_video_seek(v, wanted[k]));
            physad_frame f = PHYSAD_FRAME_INIT;
            assert_ok(physad_video_read(v, &f));
            assert_int_equal(f.index, wanted[k]);
            assert_int_equal(number_of(&f.pixels), wanted[k]);
        }
        assert_int_equal(read_all(v, 2), 47);
        assert_ok(physad_video_seek(v, 1000));
        assert_int_equal(read_all(v, 47), 47);
        physad_video_free(v);
    }
    assert_true(tried >= 4 || !physad__video_available());
    end(ctx);
}

/* Frames after a seek are the bits that reading from the start gives, for any number of threads and frames ahead. */
static void test_same_bits(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .between = 3, .key_every = 9 };
    if (!write_video(ctx, place("bits.mp4"), &kind, 40, 0))
        skip();
    physad_video_options one = PHYSAD_VIDEO_OPTIONS_INIT, many = PHYSAD_VIDEO_OPTIONS_INIT;
    one.threads = 1;
    one.ahead = -1;
    many.threads = 4;
    many.ahead = 3;
    one.height = many.height = 33;
    one.width = many.width = 47;
    physad_video *a = open_video(ctx, place("bits.mp4"), &one), *b = open_video(ctx, place("bits.mp4"), &many);
    for (int i = 0; i < 40; i++) {
        physad_frame f = PHYSAD_FRAME_INIT, g = PHYSAD_FRAME_INIT;
        assert_ok(physad_video_read(a, &f));
        assert_ok(physad_video_seek(b, (i * 17) % 40));
        assert_ok(physad_video_seek(b, i));
        assert_ok(physad_video_read(b, &g));
        assert_int_equal(f.key, g.key);
        assert_true(f.seconds == g.seconds);
        assert_memory_equal(f.pixels.data, g.pixels.data, 33 * 47 * 3);
    }
    physad_video_free(a);
    physad_video_free(b);
    end(ctx);
}

static void test_variable_rate(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .variable = 1, .between = 2, .rate = 25 };
    if (!write_video(ctx, place("vfr.mp4"), &kind, 20, 40))
        skip();
    physad_video *v = open_video(ctx, place("vfr.mp4"), NULL);
    double time = 0;
    for (int i = 0; i < 20; i++) {
        physad_frame f = PHYSAD_FRAME_INIT;
        assert_ok(physad_video_read(v, &f));
        assert_near(f.seconds, time, 2e-3);
        time += i % 3 == 0 ? 0.12 : 0.04;
    }
    physad_video_free(v);
    end(ctx);
}

static int is_red(const physad_view *v, int64_t y, int64_t x)
{
    const uint8_t *p = (const uint8_t *)v->data + 3 * (y * v->shape[1] + x);
    return p[0] > 150 && p[2] < 100;
}

static int is_blue(const physad_view *v, int64_t y, int64_t x)
{
    const uint8_t *p = (const uint8_t *)v->data + 3 * (y * v->shape[1] + x);
    return p[2] > 150 && p[0] < 100;
}

static void test_rotation(void **state)
{
    physad_context *ctx = new_context();
    for (int turn = 0; turn < 360; turn += 90) {
        const physad__video_writer_options kind = { .rotation = turn };
        if (!write_video(ctx, place("turned.mp4"), &kind, 3, 0))
            skip();
        physad_video *v = open_video(ctx, place("turned.mp4"), NULL);
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        physad_frame f = PHYSAD_FRAME_INIT;
        assert_ok(physad_video_describe(v, &info));
        assert_int_equal(info.rotation, turn);
        assert_int_equal(info.stored_width, WIDTH);
        assert_int_equal(info.width, turn % 180 == 0 ? WIDTH : HEIGHT);
        assert_ok(physad_video_read(v, &f));
        /* Stored: red at the bottom left, blue at the bottom right. */
        const int64_t h = f.pixels.shape[0] - 4, w = f.pixels.shape[1] - 4;
        const int64_t red[4][2] = { { h, 4 }, { 4, 4 }, { 4, w }, { h, w } },
                      blue[4][2] = { { h, w }, { h, 4 }, { 4, 4 }, { 4, w } };
        assert_true(is_red(&f.pixels, red[turn / 90][0], red[turn / 90][1]));
        assert_true(is_blue(&f.pixels, blue[turn / 90][0], blue[turn / 90][1]));
        physad_video_free(v);
    }
    end(ctx);
}

/* 10 bits, grey, u16, and colours: within the codec's loss of what was drawn. */
static void test_depth_and_color(void **state)
{
    physad_context *ctx = new_context();
    uint8_t want[WIDTH * HEIGHT * 3];
    draw(want, 0);
    for (int bits = 8; bits <= 10; bits += 2) {
        const physad__video_writer_options kind = { .bits = bits, .full_color = 1, .quality = 4, .codec = "libx264" };
        if (!write_video(ctx, place("deep.mkv"), &kind, 2, 0))
            skip();
        physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
        o.dtype = PHYSAD_U16;
        physad_video *v = open_video(ctx, place("deep.mkv"), &o);
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        physad_frame f = PHYSAD_FRAME_INIT;
        assert_ok(physad_video_describe(v, &info));
        assert_int_equal(info.bits, bits);
        assert_ok(physad_video_read(v, &f));
        assert_int_equal(f.pixels.dtype, PHYSAD_U16);
        double sum = 0;
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
            sum += fabs(((const uint16_t *)f.pixels.data)[i] / 257.0 - want[i]);
        assert_true(sum / (WIDTH * HEIGHT * 3) < 2.5);
        physad_video_free(v);
        o.dtype = PHYSAD_U8;
        o.channels = 1;
        v = open_video(ctx, place("deep.mkv"), &o);
        assert_ok(physad_video_read(v, &f));
        assert_int_equal(f.pixels.shape[2], 1);
        sum = 0;
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            sum += fabs(((const uint8_t *)f.pixels.data)[i] -
                        (0.2126 * want[3 * i] + 0.7152 * want[3 * i + 1] + 0.0722 * want[3 * i + 2]));
        assert_true(sum / (WIDTH * HEIGHT) < 2.5);
        physad_video_free(v);
    }
    end(ctx);
}

static void test_folder(void **state)
{
    physad_context *ctx = new_context();
    uint8_t rgb[WIDTH * HEIGHT * 3];
    const int64_t shape[] = { HEIGHT, WIDTH, 3 };
    assert_int_equal(mkdir(place("frames"), 0700), 0);
    for (int n = 0; n < 12; n++) {
        char name[64];
        draw(rgb, n);
        snprintf(name, sizeof(name), "frames/%d.png", n);
        const physad_view view = physad_view_array(rgb, PHYSAD_U8, 3, shape);
        assert_ok(physad_image_write(ctx, place(name), &view, NULL));
    }
    physad_video *v = open_video(ctx, place("frames"), NULL);
    int64_t count = 0;
    assert_ok(physad_video_frame_count(v, &count));
    assert_int_equal(count, 12);
    assert_int_equal(read_all(v, 0), 12);
    assert_ok(physad_video_seek(v, 5));
    assert_int_equal(read_all(v, 5), 12);
    physad_video_free(v);

    /* Resized: a constant stays, the mean stays. */
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.width = 24;
    o.channels = 1;
    v = open_video(ctx, place("frames"), &o);
    physad_frame f = PHYSAD_FRAME_INIT;
    assert_ok(physad_video_read(v, &f));
    assert_int_equal(f.pixels.shape[0], 16);
    assert_int_equal(((const uint8_t *)f.pixels.data)[1 * 24 + 12], 20);
    physad_video_free(v);

    /* A frame that is no photo ends the video, or shortens it. */
    assert_ok(physad__file_write_atomic(&ctx->mem, place("frames/7.png"), "not a photo", 11));
    v = open_video(ctx, place("frames"), NULL);
    for (int n = 0; n < 7; n++)
        assert_ok(physad_video_read(v, &f));
    assert_fails(PHYSAD_ERR_FORMAT, "7.png", physad_video_read(v, &f));
    assert_fails(PHYSAD_ERR_FORMAT, "7.png", physad_video_read(v, &f));
    physad_video_free(v);
    o = (physad_video_options)PHYSAD_VIDEO_OPTIONS_INIT;
    o.on_error = PHYSAD_VIDEO_SHORTEN;
    v = open_video(ctx, place("frames"), &o);
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    assert_int_equal(read_all(v, 0), 7);
    assert_ok(physad_video_describe(v, &info));
    assert_int_equal(info.shortened, 1);
    physad_video_free(v);
    end(ctx);
}

/* What is wrong with a file, read to its end, or NULL; and how many bytes are printed meanwhile. */
static const char *said_of(physad_context *ctx, const char *name, const unsigned char *bytes, size_t size,
                           int64_t *printed)
{
    physad_video *v;
    physad_frame f = PHYSAD_FRAME_INIT;
    struct stat st;
    fflush(stderr);
    const int kept = dup(2), file = open(place("printed"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0 && dup2(file, 2) == 2);
    physad_status status = physad_video_open_memory(&v, ctx, bytes, size, name, NULL);
    do {
        if (status == PHYSAD_OK)
            status = physad_video_read(v, &f);
    } while (status == PHYSAD_OK && f.pixels.data != NULL);
    fflush(stderr);
    assert_true(dup2(kept, 2) == 2 && fstat(file, &st) == 0);
    close(kept);
    close(file);
    *printed = (int64_t)st.st_size;
    physad_video_free(v);
    assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_FORMAT);
    return status == PHYSAD_OK ? NULL : physad_last_error();
}

/* What ends early was cut off; what is hurt in the middle was not. Neither is printed by FFmpeg. */
static void test_cut_or_damaged(void **state)
{
    static const char *const names[] = { "hurt.mp4", "hurt.mkv", "hurt.ts", "hurt.h264" };
    const physad__video_writer_options plain = { .between = 2, .key_every = 10 };
    physad_context *ctx = new_context();
    for (int k = 0; k < 4; k++) {
        unsigned char *bytes;
        size_t size;
        int64_t printed;
        if (!write_video(ctx, place(names[k]), &plain, 60, 0))
            continue;
        assert_ok(physad__file_read(&bytes, &size, &ctx->mem, place(names[k]), 0));
        if (k == 1) { /* the others' index is at the end, or they have no length */
            assert_non_null(strstr(said_of(ctx, "short", bytes, size * 6 / 10, &printed), "cut off"));
            assert_int_equal(printed, 0);
        }
        for (int fill = 0; fill < 3; fill++) {
            for (size_t i = 0; i < 400; i++)
                bytes[size / 2 + i] = (unsigned char)(fill == 0 ? 0xA5 : fill == 1 ? 0 : i * i * 7 + (i >> 3));
            const char *said = said_of(ctx, names[k], bytes, size, &printed);
            if (k < 2 && said == NULL) /* a bare stream may lose whole frames so that nothing shows it */
                fail_msg("%s: fill %d is not noticed", names[k], fill);
            if (said != NULL && (strstr(said, "cut off") != NULL || strstr(said, names[k]) == NULL))
                fail_msg("%s", said);
            assert_int_equal(printed, 0);
        }
        physad__free(bytes);
    }
    end(ctx);
}

/* Units of a bare H.264 stream that hold a picture: where the n-th begins, and where the next unit does. */
static bool find_picture(const unsigned char *bytes, size_t size, int n, size_t *from, size_t *to)
{
    size_t begin = 0;
    bool found = false;
    for (size_t i = 0; i + 4 < size; i++) {
        if (bytes[i] != 0 || bytes[i + 1] != 0 || bytes[i + 2] != 1)
            continue;
        const int kind = bytes[i + 3] & 31;
        if (found) {
            *from = begin;
            *to = i;
            return true;
        }
        if ((kind == 1 || kind == 5) && n-- == 0) {
            begin = i;
            found = true;
        }
    }
    return false;
}

/* A bare stream has no times: a picture that is gone shows in the others' numbers, unless none goes by it. */
static void test_lost_frames(void **state)
{
    physad_context *ctx = new_context();
    for (int between = 0; between <= 2; between += 2) {
        const physad__video_writer_options kind = { .between = between, .key_every = 20 };
        unsigned char *bytes;
        size_t size, from = 0, to = 0;
        int64_t printed;
        int told = 0;
        if (!write_video(ctx, place("bare.h264"), &kind, 60, 0))
            skip();
        assert_ok(physad__file_read(&bytes, &size, &ctx->mem, place("bare.h264"), 0));
        assert_null(said_of(ctx, "bare.h264", bytes, size, &printed));
        for (int n = 22; n < 40; n++) {
            assert_true(find_picture(bytes, size, n, &from, &to));
            unsigned char *less = test_malloc(size);
            memcpy(less, bytes, from);
            memcpy(less + from, bytes + to, size - to);
            const char *said = said_of(ctx, "bare.h264", less, size - (to - from), &printed);
            if (said != NULL && strstr(said, "bare.h264: damaged: frames are missing before byte") == NULL)
                fail_msg("without picture %d: %s", n, said);
            told += said != NULL;
            assert_int_equal(printed, 0);
            test_free(less);
        }
        print_message("%d between: %d of 18 pictures are missed\n", between, told);
        assert_true(told >= (between == 0 ? 14 : 4));
        physad__free(bytes);
    }
    end(ctx);
}

/* Motion JPEG: each frame is a photo, and one whose data cannot be decoded is no frame. (Zeros can: they are codes.) */
static void test_damaged_photos(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .codec = "mjpeg", .extra = "strict=unofficial" };
    unsigned char *bytes;
    size_t size;
    int64_t printed;
    if (!write_video(ctx, place("photos.mov"), &kind, 30, 0))
        skip();
    assert_ok(physad__file_read(&bytes, &size, &ctx->mem, place("photos.mov"), 0));
    assert_null(said_of(ctx, "photos.mov", bytes, size, &printed));
    for (int fill = 0; fill < 2; fill++) {
        for (size_t i = 0; i < 300; i++)
            bytes[size / 2 + i] = (unsigned char)(fill == 0 ? 0xA5 : i * i * 7 + (i >> 3));
        const char *said = said_of(ctx, "photos.mov", bytes, size, &printed);
        if (said == NULL || strstr(said, "photos.mov: the packet at byte") == NULL)
            fail_msg("fill %d: %s", fill, said != NULL ? said : "nothing is noticed");
        assert_int_equal(printed, 0);
    }
    physad__free(bytes);
    end(ctx);
}

static size_t put_chunk(unsigned char *out, const char *name, const void *data, size_t size)
{
    const uint32_t n = (uint32_t)size;
    memcpy(out, name, 4);
    memcpy(out + 4, &n, 4);
    memmove(out + 8, data, size);
    out[8 + size] = 0;
    return 8 + size + size % 2;
}

/* An AVI file of three photos that claims frames of 64 x `height`. */
static size_t make_avi(unsigned char *out, const unsigned char *photo, size_t size, int32_t height)
{
    enum { W = 64, H = 48 };
    static unsigned char part[1 << 16], list[1 << 16];
    const uint32_t main_header[14] = { 40000, 0, 0, 0x10, 3, 0, 1, 0, W, H };
    uint32_t stream[14] = { 0, 0, 0, 0, 0, 1, 25, 0, 3 };
    int32_t format[10] = { 40, W, height, 1 | 24 << 16 };
    memcpy(&stream[0], "vids", 4);
    memcpy(&stream[1], "MJPG", 4);
    memcpy(&format[4], "MJPG", 4);
    memcpy(list, "strl", 4);
    size_t n = 4 + put_chunk(list + 4, "strh", stream, sizeof(stream));
    n += put_chunk(list + n, "strf", format, sizeof(format));
    memcpy(part, "hdrl", 4);
    size_t m = 4 + put_chunk(part + 4, "avih", main_header, sizeof(main_header));
    m += put_chunk(part + m, "LIST", list, n);
    memcpy(out + 8, "AVI ", 4);
    size_t all = 12 + put_chunk(out + 12, "LIST", part, m);
    memcpy(list, "movi", 4);
    n = 4;
    for (int i = 0; i < 3; i++)
        n += put_chunk(list + n, "00dc", photo, size);
    all += put_chunk(out + all, "LIST", list, n);
    const uint32_t rest = (uint32_t)all - 8;
    memcpy(out, "RIFF", 4);
    memcpy(out + 4, &rest, 4);
    return all;
}

/* Of a size that no frame has FFmpeg says so with every packet, to everybody: it is not tried. The photos tell theirs.
 */
static void test_sizes_that_no_frame_has(void **state)
{
    static const int32_t heights[] = { 48, 0x03000030, INT32_MAX, -16777056 };
    static unsigned char grey[48 * 64], avi[1 << 16];
    const physad_view view = physad_view_gray8(grey, 48, 64, 64);
    physad_context *ctx = new_context();
    unsigned char *photo;
    size_t size;
    int64_t printed;
    if (physad_video_open_memory(&(physad_video *){ NULL }, ctx, avi, sizeof(avi), "zeros", NULL) ==
        PHYSAD_ERR_UNSUPPORTED) {
        print_message("not tried: %s\n", physad_last_error());
        end(ctx);
        skip();
    }
    for (int i = 0; i < 48 * 64; i++)
        grey[i] = (unsigned char)(i % 64 * 3);
    assert_ok(physad_image_write(ctx, place("photo.jpg"), &view, NULL));
    assert_ok(physad__file_read(&photo, &size, &ctx->mem, place("photo.jpg"), 0));
    assert_true(size < 8000);
    for (int i = 0; i < 4; i++) {
        physad_video *v;
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        const size_t whole = make_avi(avi, photo, size, heights[i]);
        const char *said = said_of(ctx, "photos.avi", avi, whole, &printed);
        if (said != NULL)
            fail_msg("%s", said);
        assert_int_equal(printed, 0);
        assert_ok(physad_video_open_memory(&v, ctx, avi, whole, "photos.avi", NULL));
        assert_ok(physad_video_describe(v, &info));
        assert_int_equal(info.height, 48);
        physad_video_free(v);
    }
    physad__free(photo);
    end(ctx);
}

/* Truncated and damaged files: an error that names the file, or a flagged short video. Never a frame that was not
 * there. */
static void test_damage(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options plain = { .between = 0, .key_every = 10 };
    if (!write_video(ctx, place("whole.mkv"), &plain, 40, 0))
        skip();
    unsigned char *bytes;
    size_t size;
    assert_ok(physad__file_read(&bytes, &size, &ctx->mem, place("whole.mkv"), 0));
    int shortened = 0;
    for (int k = 1; k < 8; k++) {
        physad_video *v;
        physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
        o.on_error = PHYSAD_VIDEO_SHORTEN;
        if (physad_video_open_memory(&v, ctx, bytes, size * (size_t)k / 8, "cut.mkv", &o) != PHYSAD_OK) {
            assert_non_null(strstr(physad_last_error(), "cut.mkv"));
            continue;
        }
        const int64_t got = read_all(v, 0);
        physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
        assert_ok(physad_video_describe(v, &info));
        assert_true(got > 0 && got < 40);
        shortened += info.shortened;
        physad_video_free(v);
    }
    assert_true(shortened >= 4);

    /* One packet in the middle overwritten. */
    memset(bytes + size / 2, 0xA5, 200);
    physad_video *v;
    physad_frame f = PHYSAD_FRAME_INIT;
    assert_ok(physad_video_open_memory(&v, ctx, bytes, size, "hurt.mkv", NULL));
    physad_status status = PHYSAD_OK;
    int frames = 0;
    do {
        status = physad_video_read(v, &f);
        frames++;
    } while (status == PHYSAD_OK && f.pixels.data != NULL);
    assert_int_equal(status, PHYSAD_ERR_FORMAT);
    assert_non_null(strstr(physad_last_error(), "hurt.mkv"));
    assert_true(frames > 5);
    /* It can be used on. */
    assert_ok(physad_video_seek(v, 2));
    assert_ok(physad_video_read(v, &f));
    assert_int_equal(number_of(&f.pixels), 2);
    physad_video_free(v);
    physad__free(bytes);
    assert_fails(PHYSAD_ERR_FORMAT, "junk", physad_video_open_memory(&v, ctx, "junkjunkjunk", 12, "junk", NULL));
    assert_null(v);
    assert_fails(PHYSAD_ERR_FORMAT, "empty", physad_video_open_memory(&v, ctx, NULL, 0, "empty", NULL));
    end(ctx);
}

/* A playlist that names a file beside it is not followed. */
static void test_references(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .between = 0 };
    if (!write_video(ctx, place("named.ts"), &kind, 5, 0))
        skip();
    static const char list[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nnamed.ts\n#EXT-X-ENDLIST\n";
    static const char concat[] = "ffconcat version 1.0\nfile named.ts\n";
    physad_video *v;
    assert_ok(physad__file_write_atomic(&ctx->mem, place("list.m3u8"), list, sizeof(list) - 1));
    assert_ok(physad__file_write_atomic(&ctx->mem, place("list.ffconcat"), concat, sizeof(concat) - 1));
    assert_int_not_equal(physad_video_open(&v, ctx, place("list.m3u8"), NULL), PHYSAD_OK);
    assert_int_not_equal(physad_video_open(&v, ctx, place("list.ffconcat"), NULL), PHYSAD_OK);
    end(ctx);
}

static void *feed_pipe(void *user)
{
    const char *const *paths = user;
    FILE *in = fopen(paths[0], "rb"), *out = fopen(paths[1], "wb");
    char buffer[4096];
    size_t n;
    while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
        if (fwrite(buffer, 1, n, out) != n)
            break;
    fflush(out);
    if (paths[2] != NULL)
        sleep(3); /* says nothing more */
    fclose(in);
    fclose(out);
    return NULL;
}

/* A pipe is read once; one that falls silent ends in an error within max_seconds. */
static void test_pipes(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .between = 0 };
    if (!write_video(ctx, place("pipe.ts"), &kind, 30, 0))
        skip();
    assert_int_equal(mkfifo(place("fifo"), 0600), 0);
    for (int silent = 0; silent < 2; silent++) {
        char file[256], fifo[256];
        snprintf(file, sizeof(file), "%s", place("pipe.ts"));
        snprintf(fifo, sizeof(fifo), "%s", place("fifo"));
        const char *paths[] = { file, fifo, silent ? "" : NULL };
        pthread_t thread;
        physad_video *v;
        physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
        int64_t count;
        o.max_seconds = silent ? 0.5 : 20;
        o.threads = 1;
        /* Opened for both ends first, so that neither waits for the other. */
        FILE *hold = fopen(fifo, "r+");
        assert_int_equal(pthread_create(&thread, NULL, feed_pipe, (void *)paths), 0);
        physad_status status = physad_video_open(&v, ctx, fifo, &o);
        if (!silent)
            fclose(hold);
        int frames = 0;
        if (status == PHYSAD_OK) {
            assert_fails(PHYSAD_ERR_UNSUPPORTED, "pipe", physad_video_frame_count(v, &count));
            physad_frame f = PHYSAD_FRAME_INIT;
            while ((status = physad_video_read(v, &f)) == PHYSAD_OK && f.pixels.data != NULL)
                assert_int_equal(number_of(&f.pixels), frames++);
            if (!silent)
                assert_fails(PHYSAD_ERR_UNSUPPORTED, "pipe", physad_video_seek(v, 0));
            physad_video_free(v);
        }
        pthread_join(thread, NULL);
        if (silent) {
            fclose(hold);
            assert_int_equal(status, PHYSAD_ERR_FORMAT);
            assert_non_null(strstr(physad_last_error(), "/fifo: no frame came within 0.5 s (max_seconds)"));
        } else {
            assert_int_equal(status, PHYSAD_OK);
            assert_int_equal(frames, 30);
        }
    }
    end(ctx);
}

static void test_limits(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .between = 2 };
    if (!write_video(ctx, place("limits.mp4"), &kind, 20, 0))
        skip();
    physad_video *v;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.max_frames = 9;
    o.on_error = PHYSAD_VIDEO_SHORTEN;
    v = open_video(ctx, place("limits.mp4"), &o);
    assert_int_equal(read_all(v, 0), 9);
    int64_t count;
    assert_ok(physad_video_frame_count(v, &count));
    assert_int_equal(count, 9);
    physad_video_free(v);
    o.on_error = PHYSAD_VIDEO_STOP;
    v = open_video(ctx, place("limits.mp4"), &o);
    assert_fails(PHYSAD_ERR_FORMAT, "max_frames", physad_video_frame_count(v, &count));
    physad_video_free(v);
    o = (physad_video_options)PHYSAD_VIDEO_OPTIONS_INIT;
    o.max_bytes = 100;
    assert_fails(PHYSAD_ERR_FORMAT, "limit is 100", physad_video_open(&v, ctx, place("limits.mp4"), &o));
    o.max_bytes = 0;
    o.max_pixels = 1000;
    assert_fails(PHYSAD_ERR_FORMAT, "limits.mp4", physad_video_open(&v, ctx, place("limits.mp4"), &o));
    end(ctx);
}

static void test_arguments(void **state)
{
    physad_context *ctx = new_context();
    physad_video *v = (physad_video *)ctx;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    int64_t count;
    assert_fails(PHYSAD_ERR_ARG, "out", physad_video_open(NULL, ctx, "a.mp4", NULL));
    assert_fails(PHYSAD_ERR_ARG, "path", physad_video_open(&v, ctx, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "context", physad_video_open(&v, NULL, "a.mp4", NULL));
    assert_null(v);
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_video_read(NULL, &f));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_video_seek(NULL, 0));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_video_frame_count(NULL, &count));
    assert_fails(PHYSAD_ERR_ARG, "NULL", physad_video_describe(NULL, &info));
    physad_video_free(NULL);
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.channels = 2;
    assert_fails(PHYSAD_ERR_ARG, "channels", physad_video_open(&v, ctx, "a.mp4", &o));
    o.channels = 0;
    o.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_ARG, "f32", physad_video_open(&v, ctx, "a.mp4", &o));
    o.dtype = 0;
    o.on_error = 7;
    assert_fails(PHYSAD_ERR_ARG, "on_error", physad_video_open(&v, ctx, "a.mp4", &o));
    o.on_error = 0;
    o.max_seconds = NAN;
    assert_fails(PHYSAD_ERR_ARG, "max_seconds", physad_video_open(&v, ctx, "a.mp4", &o));
    o.max_seconds = 0;
    o.height = -1;
    assert_fails(PHYSAD_ERR_ARG, "frames of", physad_video_open(&v, ctx, "a.mp4", &o));
    if (physad__video_available())
        assert_fails(PHYSAD_ERR_IO, "nowhere.mp4", physad_video_open(&v, ctx, place("nowhere.mp4"), NULL));
    else
        assert_fails(PHYSAD_ERR_UNSUPPORTED, "", physad_video_open(&v, ctx, place("nowhere.mp4"), NULL));
    assert_int_equal(mkdir(place("nothing"), 0700), 0);
    assert_fails(PHYSAD_ERR_FORMAT, "no photo", physad_video_open(&v, ctx, place("nothing"), NULL));
    end(ctx);
}

static void test_cancel(void **state)
{
    physad_context *ctx = new_context();
    const physad__video_writer_options kind = { .between = 0 };
    if (!write_video(ctx, place("cancel.mp4"), &kind, 40, 0))
        skip();
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.ahead = 2;
    physad_video *v = open_video(ctx, place("cancel.mp4"), &o);
    physad_frame f = PHYSAD_FRAME_INIT;
    assert_ok(physad_video_read(v, &f));
    physad_context_cancel(ctx);
    assert_fails(PHYSAD_ERR_CANCELLED, "", physad_video_read(v, &f));
    physad_context_resume(ctx);
    assert_ok(physad_video_seek(v, 0));
    assert_int_equal(read_all(v, 0), 40);
    physad_video_free(v);
    /* Freed in the middle, with the reader at work. */
    v = open_video(ctx, place("cancel.mp4"), &o);
    assert_ok(physad_video_read(v, &f));
    physad_video_free(v);
    end(ctx);
}

/* --- memory that runs out --- */

static physad_status open_and_read(physad_context *ctx, const char *path)
{
    physad_video *v;
    physad_frame f = PHYSAD_FRAME_INIT;
    physad_video_options o = PHYSAD_VIDEO_OPTIONS_INIT;
    o.width = 50;
    o.threads = 1;
    physad_status status = physad_video_open(&v, ctx, path, &o);
    if (status == PHYSAD_OK)
        status = physad_video_read(v, &f);
    if (status == PHYSAD_OK)
        status = physad_video_seek(v, 8);
    if (status == PHYSAD_OK)
        status = physad_video_seek(v, 1);
    if (status == PHYSAD_OK)
        status = physad_video_read(v, &f);
    physad_video_free(v);
    return status;
}

static void test_no_memory(void **state)
{
    physad_context *plain = new_context();
    const physad__video_writer_options kind = { .between = 0 };
    if (!write_video(plain, place("memory.mp4"), &kind, 10, 0))
        skip();
    end(plain);
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx;
    o.allocator = &failing_allocator;
    allocations_left = 1;
    assert_ok(physad_context_new(&ctx, &o));
    physad_status status;
    for (int64_t n = 0; n < 200; n++) {
        allocations_left = n;
        status = open_and_read(ctx, place("memory.mp4"));
        assert_int_equal(physad_context_memory_used(ctx), 0);
        if (status == PHYSAD_OK)
            break;
        assert_int_equal(status, PHYSAD_ERR_NOMEM);
    }
    assert_ok(status);
    physad_context_free(ctx);
}

static void test_real(void **state)
{
    char path[4096];
    test_data(path, "ped2/train/good/train04.mp4");
    physad_context *ctx = new_context();
    if (!physad__video_available())
        skip();
    physad_video *v = open_video(ctx, path, NULL);
    physad_video_info info = PHYSAD_VIDEO_INFO_INIT;
    int64_t count, read = 0;
    assert_ok(physad_video_describe(v, &info));
    assert_int_equal(info.width, 360);
    assert_int_equal(info.height, 240);
    assert_near(info.frame_rate, 10, 1e-9);
    assert_string_equal(info.codec, "h264");
    assert_ok(physad_video_frame_count(v, &count));
    physad_frame f = PHYSAD_FRAME_INIT;
    for (;; read++) {
        assert_ok(physad_video_read(v, &f));
        if (f.pixels.data == NULL)
            break;
        assert_near(f.seconds, (double)read / 10, 1e-3);
    }
    assert_int_equal(read, count);
    assert_int_equal(count, info.frames_said);
    physad_video_free(v);
    end(ctx);
}

static int make_folder(void **state)
{
    snprintf(folder, sizeof(folder), "/tmp/physad-video-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_variable_rate),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_depth_and_color),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_cut_or_damaged),
        cmocka_unit_test(test_lost_frames),
        cmocka_unit_test(test_damaged_photos), cmocka_unit_test(test_sizes_that_no_frame_has),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
