/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"
#include "test.h"

#include "data/data_dataset.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- trees --- */

static char root[64];

static int make_root(void **state)
{
    strcpy(root, "/tmp/physad-dataset-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static int remove_root(void **state)
{
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *full(const char *path)
{
    static char out[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(out[turn], sizeof(out[0]), "%s/%s", root, path);
    return out[turn];
}

/* Writes `text` to a file, making its folders. */
static void file(const char *path, const char *text)
{
    char part[4096];
    snprintf(part, sizeof(part), "%s", full(path));
    for (char *p = part + strlen(root) + 1; *p != '\0'; p++) {
        if (*p == '/') {
            *p = '\0';
            assert_true(mkdir(part, 0700) == 0 || errno == EEXIST);
            *p = '/';
        }
    }
    FILE *f = fopen(part, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    fclose(f);
}

/* Empty files from a list with blanks between, beneath `folder`. */
static void files(const char *folder, const char *names)
{
    char path[4096];
    while (*names != '\0') {
        const size_t n = strcspn(names, " ");
        snprintf(path, sizeof(path), "%s/%.*s", folder, (int)n, names);
        file(path, "");
        names += n + (names[n] == ' ');
    }
}

/* A grey photo with these bytes, `width` wide. */
static void photo(physad_context *ctx, const char *path, const unsigned char *bytes, int64_t height, int64_t width)
{
    const physad_view v = physad_view_gray8(bytes, height, width, width);
    file(path, "");
    assert_ok(physad_image_write(ctx, full(path), &v, NULL));
}

static physad_context *new_context(void)
{
    physad_context *ctx = NULL;
    assert_ok(physad_context_new(&ctx, NULL));
    return ctx;
}

static void end(physad_context *ctx, physad_dataset *ds)
{
    physad_dataset_free(ds);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static const char split_letter[] = { '?', 't', 'v', '?', 'e' };

/* Every sample as "category|split|type|label|path|masks|group|view", to be compared at one sight. */
static void check_samples(const physad_dataset *ds, const char *const *want)
{
    char got[8192];
    int64_t i = 0;
    for (; i < physad_dataset_count(ds); i++) {
        const physad_sample *s = physad_dataset_sample(ds, i);
        int n = snprintf(got, sizeof(got), "%s|%c|%s|%d|%s|", s->category, split_letter[s->split], s->type, s->label,
                         s->path);
        for (int64_t k = 0; k < s->mask_count; k++)
            n += snprintf(got + n, sizeof(got) - (size_t)n, "%s%s", k > 0 ? " " : "",
                          s->mask_files[k] + strlen(root) + 1);
        n += snprintf(got + n, sizeof(got) - (size_t)n, "|%s|%s", strcmp(s->group, s->path) == 0 ? "" : s->group,
                      s->view != NULL ? s->view : "");
        if (want[i] == NULL)
            fail_msg("sample %lld is not wanted: %s", (long long)i, got);
        if (strcmp(got, want[i]) != 0)
            fail_msg("sample %lld is\n  %s, want\n  %s", (long long)i, got, want[i]);
        assert_int_equal(s->truth, s->label == 0       ? PHYSAD_TRUTH_ZERO
                                   : s->mask_count > 0 ? PHYSAD_TRUTH_MASKS
                                                       : PHYSAD_TRUTH_NONE);
        assert_string_equal(s->file + strlen(physad_dataset_root(ds)) + 1, s->path);
    }
    if (want[i] != NULL)
        fail_msg("there are %lld samples; missing: %s", (long long)i, want[i]);
}

static void check_tree(const char *path, const char *format, const physad_dataset_options *o, const char *const *want)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_open(&ds, ctx, full(path), o));
    assert_string_equal(physad_dataset_format(ds), format);
    check_samples(ds, want);
    end(ctx, ds);
}

/* --- layouts --- */

static void mvtec_is_read(void **state)
{
    files("d/bottle",
          "train/good/10.png train/good/9.png train/good/notes.txt test/good/0.png test/broken/0.png test/broken/1.png "
          "test/hole/0.png ground_truth/broken/0_mask.png ground_truth/broken/1.png");
    files("d/cable", "train/good/a.JPG test/Stained/a.bmp ground_truth/stained/a.bmp train/good/.hidden.png");
    files("d/other", "readme.md");
    check_tree(
        "d", "mvtec", NULL,
        (const char *[]){ "bottle|t|good|0|bottle/train/good/9.png|||", "bottle|t|good|0|bottle/train/good/10.png|||",
                          "bottle|e|broken|1|bottle/test/broken/0.png|d/bottle/ground_truth/broken/0_mask.png||",
                          "bottle|e|broken|1|bottle/test/broken/1.png|d/bottle/ground_truth/broken/1.png||",
                          "bottle|e|good|0|bottle/test/good/0.png|||", "bottle|e|hole|1|bottle/test/hole/0.png|||",
                          "cable|t|good|0|cable/train/good/a.JPG|||",
                          "cable|e|Stained|1|cable/test/Stained/a.bmp|d/cable/ground_truth/stained/a.bmp||", NULL });
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    o.categories = "cable";
    check_tree("d", "mvtec", &o,
               (const char *[]){ "cable|t|good|0|cable/train/good/a.JPG|||",
                                 "cable|e|Stained|1|cable/test/Stained/a.bmp|d/cable/ground_truth/stained/a.bmp||",
                                 NULL });
    /* One category, given directly, with slashes behind it. */
    check_tree("d/cable//", "mvtec", NULL,
               (const char *[]){ "cable|t|good|0|train/good/a.JPG|||",
                                 "cable|e|Stained|1|test/Stained/a.bmp|d/cable/ground_truth/stained/a.bmp||", NULL });
}

static void loco_has_several_masks_and_a_validation(void **state)
{
    files("l/box",
          "train/good/000.png validation/good/000.png test/good/000.png test/logical_anomalies/000.png "
          "ground_truth/logical_anomalies/000/000.png ground_truth/logical_anomalies/000/001.png defects_config.json");
    check_tree("l", "mvtec", NULL,
               (const char *[]){ "box|t|good|0|box/train/good/000.png|||",
                                 "box|v|good|0|box/validation/good/000.png|||", "box|e|good|0|box/test/good/000.png|||",
                                 "box|e|logical_anomalies|1|box/test/logical_anomalies/000.png|l/box/ground_truth/"
                                 "logical_anomalies/000/000.png l/box/ground_truth/logical_anomalies/000/001.png||",
                                 NULL });
}

static void btad_and_mip_are_read(void **state)
{
    files("b/01", "train/ok/0000.bmp test/ok/0001.bmp test/ko/0002.bmp ground_truth/ko/0002.png");
    check_tree("b", "mvtec", NULL,
               (const char *[]){ "01|t|ok|0|01/train/ok/0000.bmp|||",
                                 "01|e|ko|1|01/test/ko/0002.bmp|b/01/ground_truth/ko/0002.png||",
                                 "01|e|ok|0|01/test/ok/0001.bmp|||", NULL });
    files("m/toy",
          "images/1.jpg images/2.jpg sparse/0/cameras.bin test/good_2/3.jpg test/burrs/3.jpg ground_truth/burrs/3.png");
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_open(&ds, ctx, full("m"), NULL));
    check_samples(ds, (const char *[]){ "toy|t|good|0|toy/images/1.jpg|||", "toy|t|good|0|toy/images/2.jpg|||",
                                        "toy|e|burrs|1|toy/test/burrs/3.jpg|m/toy/ground_truth/burrs/3.png||",
                                        "toy|e|good_2|0|toy/test/good_2/3.jpg|||", NULL });
    assert_string_equal(physad_dataset_sample(ds, 0)->pose_file, full("m/toy/sparse/0"));
    assert_string_equal(physad_dataset_sample(ds, 0)->pose_name, "1.jpg");
    end(ctx, ds);
}

static void poses_are_named(void **state)
{
    files("p", "train/good/0.png test/Missing/0.png");
    file("p/transforms.json", "{}");
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_open(&ds, ctx, full("p"), NULL));
    assert_string_equal(physad_dataset_sample(ds, 1)->pose_file, full("p/transforms.json"));
    assert_string_equal(physad_dataset_sample(ds, 1)->pose_name, "test/Missing/0.png");
    assert_string_equal(physad_dataset_name(ds), "p");
    end(ctx, ds);
}

static void videos_are_listed(void **state)
{
    files("v/gear", "train/normal/a.mp4 test/normal/v07_000.mp4 test/stuck/v07_060.MP4");
    files("v/gear/test/stuck/v08_000", "000.jpg 001.jpg");
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    assert_ok(physad_dataset_open(&ds, ctx, full("v"), NULL));
    check_samples(ds, (const char *[]){ "gear|t|normal|0|gear/train/normal/a.mp4|||",
                                        "gear|e|normal|0|gear/test/normal/v07_000.mp4||v07|",
                                        "gear|e|stuck|1|gear/test/stuck/v07_060.MP4||v07|",
                                        "gear|e|stuck|1|gear/test/stuck/v08_000||v08|", NULL });
    assert_int_equal(physad_dataset_sample(ds, 2)->kind, PHYSAD_KIND_VIDEO);
    assert_int_equal(physad_dataset_sample(ds, 3)->kind, PHYSAD_KIND_FRAMES);
    physad_image *image = NULL;
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "is a video", physad_dataset_read_image(ds, 2, &image));
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "is a video", physad_dataset_read_scaled(ds, 2, 2, &image));
    assert_fails(PHYSAD_ERR_ARG, "physad_dataset_read_scaled: out is NULL", physad_dataset_read_scaled(ds, 0, 2, NULL));
    end(ctx, ds);
}

static void frames_are_read(void **state)
{
    files("u/ped", "training/frames/01/0.jpg training/frames/02/0.jpg testing/frames/01/0.jpg");
    check_tree("u", "frames", NULL,
               (const char *[]){ "ped|t|good|0|ped/training/frames/01|||", "ped|t|good|0|ped/training/frames/02|||",
                                 "ped|e|unknown|-1|ped/testing/frames/01|||", NULL });
}

static void mvtec3d_is_read(void **state)
{
    files("3/bagel", "train/good/rgb/000.png train/good/xyz/000.tiff validation/good/rgb/000.png test/hole/rgb/000.png "
                     "test/hole/gt/000.png test/good/rgb/000.png test/good/gt/000.png");
    check_tree("3", "mvtec3d", NULL,
               (const char *[]){ "bagel|t|good|0|bagel/train/good/rgb/000.png|||",
                                 "bagel|v|good|0|bagel/validation/good/rgb/000.png|||",
                                 "bagel|e|good|0|bagel/test/good/rgb/000.png|||",
                                 "bagel|e|hole|1|bagel/test/hole/rgb/000.png|3/bagel/test/hole/gt/000.png||", NULL });
}

static void visa_is_read(void **state)
{
    file("w/split_csv/1cls.csv",
         "\xEF\xBB\xBFobject,split,label,image,mask\r\n"
         "pcb1,test,anomaly,pcb1/Data/Images/Anomaly/000.JPG,pcb1/Data/Masks/Anomaly/000.png\r\n"
         "candle,train,normal,\"candle/Data/Images/Normal/1,2.JPG\",\r\n\r\n"
         "pcb1,train,normal,pcb1/Data/Images/Normal/001.JPG,\r\n");
    const char *const want[] = {
        "candle|t|normal|0|candle/Data/Images/Normal/1,2.JPG|||", "pcb1|t|normal|0|pcb1/Data/Images/Normal/001.JPG|||",
        "pcb1|e|anomaly|1|pcb1/Data/Images/Anomaly/000.JPG|w/pcb1/Data/Masks/Anomaly/000.png||", NULL
    };
    check_tree("w", "visa", NULL, want);
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    o.list = "2cls.csv";
    assert_fails(PHYSAD_ERR_IO, "2cls.csv", physad_dataset_open(&ds, ctx, full("w"), &o));
    static const char *const broken[][2] = {
        { "object,split,label,image\n", "no column \"mask\"" },
        { "object,split,label,image,mask\na,b\n", "line 2: 2 cells, want 5" },
        { "object,split,label,image,mask\na,trian,normal,a/b.png,\n", "split is \"trian\"" },
        { "object,split,label,image,mask\na,train,normal,../../b.png,\n", "no path within" },
        { "object,split,label,image,mask\na,train,normal,/etc/b.png,\n", "no path within" },
        { "object,split,label,image,mask\n../a,train,normal,a/b.png,\n", "object is \"../a\"" },
        { "object,split,label,image,mask\n/etc,train,normal,a/b.png,\n", "object is \"/etc\"" },
        { "object,split,label,image,mask\na,train,normal,\"a/b.png,\n", "never closed" },
        { "object,split,label,image,mask\n", "no samples" },
        { "", "is empty" },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(broken); i++) {
        file("w/split_csv/1cls.csv", broken[i][0]);
        assert_fails(PHYSAD_ERR_FORMAT, broken[i][1], physad_dataset_open(&ds, ctx, full("w"), NULL));
        assert_null(ds);
    }
    end(ctx, ds);
}

/* A pipe without a writer would keep its reader for ever, /dev/zero has no end. */
static void pipes_and_devices_are_no_photos(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    physad_image *image = NULL;
    files("fifo/can", "train/good/0.png test/good/1.png test/hole/2.png ground_truth/hole/2.png");
    assert_int_equal(mkfifo(full("fifo/can/train/good/3.png"), 0600), 0);
    assert_int_equal(symlink("/dev/zero", full("fifo/can/train/good/4.png")), 0);
    assert_ok(physad_dataset_open(&ds, ctx, full("fifo"), NULL));
    assert_int_equal(physad_dataset_count(ds), 3);
    physad_dataset_free(ds);
    file("listed/split_csv/1cls.csv",
         "object,split,label,image,mask\na,train,normal,a/0.png,\na,test,anomaly,a/1.png,a/0.png\n");
    files("listed/a", "1.png");
    assert_int_equal(mkfifo(full("listed/a/0.png"), 0600), 0);
    assert_ok(physad_dataset_open(&ds, ctx, full("listed"), NULL));
    alarm(20); /* once it did not come back */
    for (int64_t i = 0; i < physad_dataset_count(ds); i++) {
        uint8_t pixels[4];
        const int64_t shape[2] = { 2, 2 };
        physad_view mask = physad_view_array(pixels, PHYSAD_U8, 2, shape);
        if (physad_dataset_sample(ds, i)->label == 0)
            assert_fails(PHYSAD_ERR_IO, "is not a regular file", physad_dataset_read_image(ds, i, &image));
        else
            assert_fails(PHYSAD_ERR_IO, "is not a regular file", physad_dataset_read_mask(ds, i, &mask));
    }
    alarm(0);
    end(ctx, ds);
}

static void realiad_is_read(void **state)
{
    static const char list[] =
        "{\"meta\":{\"normal_class\":\"OK\",\"prefix\":\"toy/\"},"
        "\"train\":[{\"category\":\"toy\",\"anomaly_class\":\"OK\",\"image_path\":\"OK/S0001/toy_0001_OK_C1_2023.jpg\","
        "\"mask_path\":null}],"
        "\"test\":[{\"category\":\"toy\",\"anomaly_class\":\"AK\",\"image_path\":\"NG/AK/S0002/"
        "toy_0002_NG_C5_2023.jpg\","
        "\"mask_path\":\"NG/AK/S0002/toy_0002_NG_C5_2023_mask.png\"},"
        "{\"category\":\"toy\",\"anomaly_class\":\"OK\",\"image_path\":\"OK/S0003/"
        "toy_0003_OK_C2_2023.jpg\",\"mask_path\":\"\"}]}";
    static const char bare[] =
        "{\"train\":[{\"anomaly_class\":\"OK\",\"image_path\":\"toy/OK/S0001/a_C1_0.jpg\"}],\"test\":[]}";
    file("r/realiad_1024/toy/OK/S0001/x.jpg", "");
    file("r/realiad_jsons/realiad_jsons/toy.json", list);
    file("r/realiad_jsons/realiad_jsons_sv/toy.json", bare);
    check_tree("r", "realiad", NULL,
               (const char *[]){ "toy|t|OK|0|realiad_1024/toy/OK/S0001/toy_0001_OK_C1_2023.jpg||OK/S0001|C1",
                                 "toy|e|AK|1|realiad_1024/toy/NG/AK/S0002/toy_0002_NG_C5_2023.jpg|"
                                 "r/realiad_1024/toy/NG/AK/S0002/toy_0002_NG_C5_2023_mask.png|NG/AK/S0002|C5",
                                 "toy|e|OK|0|realiad_1024/toy/OK/S0003/toy_0003_OK_C2_2023.jpg||OK/S0003|C2", NULL });
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    o.list = "realiad_jsons_sv";
    check_tree("r/realiad_1024", "realiad", &o,
               (const char *[]){ "toy|t|OK|0|toy/OK/S0001/a_C1_0.jpg||OK/S0001|C1", NULL });
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    static const char *const broken[][2] = {
        { "{", "line 1" },
        { "[]", "no list \"train\"" },
        { "{\"train\":[],\"test\":{}}", "no list \"test\"" },
        { "{\"train\":[{\"image_path\":\"a\"}],\"test\":[]}", "entry 0 of \"train\" lacks \"anomaly_class\"" },
        { "{\"train\":[3],\"test\":[]}", "lacks \"image_path\"" },
        { "{\"train\":[{\"image_path\":\"../a\",\"anomaly_class\":\"OK\"}],\"test\":[]}", "no path within" },
        { "{\"train\":[],\"test\":[]}", "no samples" },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(broken); i++) {
        file("r/realiad_jsons/realiad_jsons/toy.json", broken[i][0]);
        assert_fails(PHYSAD_ERR_FORMAT, broken[i][1], physad_dataset_open(&ds, ctx, full("r"), NULL));
    }
    end(ctx, ds);
}

static void folders_are_read(void **state)
{
    files("f", "2.png 10.png x.txt test/bad/1.png test/3.jpg ground_truth/bad/1.png");
    check_tree("f", "folder", NULL,
               (const char *[]){ "f|t|good|0|2.png|||", "f|t|good|0|10.png|||",
                                 "f|e|bad|1|test/bad/1.png|f/ground_truth/bad/1.png||", "f|e|unknown|-1|test/3.jpg|||",
                                 NULL });
    files("g", "good/1.png scratched/1.png scratched/1_mask.png dented/2.png masks/dented/2.png");
    check_tree("g", "folder", NULL,
               (const char *[]){ "g|t|good|0|good/1.png|||", "g|e|dented|1|dented/2.png|g/masks/dented/2.png||",
                                 "g|e|scratched|1|scratched/1.png|g/scratched/1_mask.png||", NULL });
}

/* --- groups --- */

static void names_tell_groups(void **state)
{
    files("n", "train/good/exp1_num_100.jpg train/good/exp2_num_160.jpg train/good/exp1_num_221.jpg "
               "train/good/exp3_num_221.jpg "
               "test/cut/i07_q12.jpg test/cut/i07_q13.jpg test/good/q12.jpg test/good/exp4_num_180.jpg "
               "test/good/exp_num_5.jpg");
    check_tree("n", "mvtec", NULL,
               (const char *[]){ "n|t|good|0|train/good/exp1_num_100.jpg||num_100|",
                                 "n|t|good|0|train/good/exp1_num_221.jpg||num_100|",
                                 "n|t|good|0|train/good/exp2_num_160.jpg||num_100|",
                                 "n|t|good|0|train/good/exp3_num_221.jpg||num_100|",
                                 "n|e|cut|1|test/cut/i07_q12.jpg||i07|q12", "n|e|cut|1|test/cut/i07_q13.jpg||i07|q13",
                                 "n|e|good|0|test/good/exp4_num_180.jpg||num_100|",
                                 "n|e|good|0|test/good/exp_num_5.jpg|||", "n|e|good|0|test/good/q12.jpg|||q12", NULL });
}

static void a_sidecar_tells_groups_and_views(void **state)
{
    files("s/a", "train/good/1.png train/good/2.png test/bad/1.png");
    file("s/a/physad.json",
         "{\"groups\":{\"train/good\":\"one\",\"test/bad/1.png\":\"two\"},\"views\":{\"train/good/2.png\":\"left\"}}");
    check_tree("s", "mvtec", NULL,
               (const char *[]){ "a|t|good|0|a/train/good/1.png||one|", "a|t|good|0|a/train/good/2.png||one|left",
                                 "a|e|bad|1|a/test/bad/1.png||two|", NULL });
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    file("s/a/physad.json", "{\"groups\":{\"train/good\":3}}");
    assert_fails(PHYSAD_ERR_FORMAT, "physad.json: \"train/good/1.png\" has no text",
                 physad_dataset_open(&ds, ctx, full("s"), NULL));
    file("s/a/physad.json", "{\"groups\":[]}");
    assert_fails(PHYSAD_ERR_FORMAT, "physad.json: want {\"groups\"", physad_dataset_open(&ds, ctx, full("s"), NULL));
    end(ctx, ds);
}

static void splits_keep_groups_together(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL, *a = NULL, *b = NULL, *c = NULL, *d = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    for (int i = 0; i < 100; i++) {
        char name[32], group[32];
        snprintf(name, sizeof(name), "%d.png", i);
        snprintf(group, sizeof(group), "g%d", i / 4);
        physad_item item = PHYSAD_ITEM_INIT;
        item.file = name;
        item.group = group;
        assert_ok(physad_dataset_add(ds, &item));
    }
    assert_ok(physad_dataset_split(&a, &b, ds, 0.2, 7));
    assert_ok(physad_dataset_split(&c, &d, ds, 0.2, 7));
    assert_int_equal(physad_dataset_count(a), 80);
    assert_int_equal(physad_dataset_count(b), 20);
    for (int64_t i = 0; i < 20; i++) {
        assert_ptr_equal(physad_dataset_sample(b, i), physad_dataset_sample(d, i));
        for (int64_t k = 0; k < 80; k++)
            assert_string_not_equal(physad_dataset_sample(a, k)->group, physad_dataset_sample(b, i)->group);
    }
    physad_dataset_free(c);
    physad_dataset_free(d);
    assert_ok(physad_dataset_split(&c, &d, ds, 0.2, 8));
    bool other = false;
    for (int64_t i = 0; i < 20; i++)
        other = other || physad_dataset_sample(b, i) != physad_dataset_sample(d, i);
    assert_true(other);
    physad_dataset_free(c);
    physad_dataset_free(d);
    const int64_t few[] = { 0, 1, 2 };
    assert_ok(physad_dataset_subset(&c, ds, few, 3));
    assert_fails(PHYSAD_ERR_STATE, "3 samples are of 1 group", physad_dataset_split(&d, &d, c, 0.5, 0));
    assert_fails(PHYSAD_ERR_ARG, "fraction is 1", physad_dataset_split(&d, &d, ds, 1, 0));
    int64_t group[100], groups;
    assert_ok(physad__dataset_groups(ds, group, &groups));
    assert_int_equal(groups, 25);
    for (int i = 0; i < 100; i++)
        assert_int_equal(group[i], i / 4);
    physad_dataset_free(a);
    physad_dataset_free(b);
    physad_dataset_free(c);
    end(ctx, ds);
}

static void a_holdout_makes_normal_test_samples(void **state)
{
    for (int i = 0; i < 10; i++) {
        char name[64];
        snprintf(name, sizeof(name), "h/a/train/good/%d.png", i);
        file(name, "");
    }
    files("h/a", "test/bad/1.png");
    files("h/b", "train/good/1.png train/good/2.png test/good/1.png");
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL, *part = NULL;
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    o.holdout = 0.3;
    assert_ok(physad_dataset_open(&ds, ctx, full("h"), &o));
    assert_ok(physad_dataset_select(&part, ds, "a", PHYSAD_SPLIT_TRAIN));
    assert_int_equal(physad_dataset_count(part), 7);
    physad_dataset_free(part);
    assert_ok(physad_dataset_select(&part, ds, "a", PHYSAD_SPLIT_TEST));
    assert_int_equal(physad_dataset_count(part), 4);
    physad_dataset_free(part);
    assert_ok(physad_dataset_select(&part, ds, "b", PHYSAD_SPLIT_TRAIN));
    assert_int_equal(physad_dataset_count(part), 2);
    physad_dataset_free(part);
    end(ctx, ds);
}

/* --- selecting and adding --- */

static void selections_share_samples(void **state)
{
    files("d2/a", "train/good/1.png test/good/1.png test/bad/1.png");
    files("d2/b", "train/good/1.png");
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL, *part = NULL, *small = NULL;
    assert_ok(physad_dataset_open(&ds, ctx, full("d2"), NULL));
    assert_int_equal(physad_dataset_category_count(ds), 2);
    assert_string_equal(physad_dataset_category(ds, 1), "b");
    assert_null(physad_dataset_category(ds, 2));
    assert_ok(physad_dataset_select(&part, ds, "a", PHYSAD_SPLIT_TEST));
    assert_int_equal(physad_dataset_count(part), 2);
    assert_ptr_equal(physad_dataset_sample(part, 0), physad_dataset_sample(ds, 1));
    assert_fails(PHYSAD_ERR_ARG, "no category \"bb\"; did you mean \"b\"?", physad_dataset_select(&small, ds, "bb", 0));
    assert_fails(PHYSAD_ERR_ARG, "splits is 16", physad_dataset_select(&small, ds, NULL, 16));
    physad_dataset_free(ds); /* the part lives on */
    assert_string_equal(physad_dataset_sample(part, 0)->type, "bad");
    assert_ok(physad_dataset_select(&small, part, NULL, PHYSAD_SPLIT_TRAIN));
    assert_int_equal(physad_dataset_count(small), 0);
    assert_null(physad_dataset_sample(small, 0));
    physad_dataset_free(small);
    const int64_t wrong[] = { 0, 2 };
    assert_fails(PHYSAD_ERR_ARG, "indices[1] is 2, but there are 2", physad_dataset_subset(&small, part, wrong, 2));
    end(ctx, part);
    assert_int_equal(physad_dataset_count(NULL), 0);
    assert_string_equal(physad_dataset_root(NULL), "");
    physad_dataset_free(NULL);
}

static void samples_in_memory_are_read(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    unsigned char pixels[2][6] = { { 1, 2, 3, 4, 5, 6 }, { 7, 8, 9, 10, 11, 12 } }, mask[4] = { 0, 255, 0, 0 },
                  got[2 * 4];
    const physad_view shown = physad_view_rgb8(pixels, 2, 2, 6), truth = physad_view_gray8(mask, 2, 2, 2);
    const int64_t shape[] = { 2, 4 };
    physad_view out = physad_view_array(got, PHYSAD_BOOL, 2, shape);
    physad_item item = PHYSAD_ITEM_INIT;
    physad_image *image = NULL;
    assert_ok(physad_dataset_new(&ds, ctx));
    item.photo = &shown;
    item.mask = &truth;
    item.label = 1;
    item.flags = PHYSAD_ITEM_COPY;
    assert_ok(physad_dataset_add(ds, &item));
    item.flags = 0;
    item.mask = NULL;
    item.label = -1;
    item.name = "frame";
    item.split = PHYSAD_SPLIT_TEST;
    assert_ok(physad_dataset_add(ds, &item));
    memset(pixels, 99, sizeof(pixels)); /* the first is a copy, the second is borrowed */
    mask[0] = 1;
    for (int64_t i = 0; i < 2; i++) {
        assert_ok(physad_dataset_read_image(ds, i, &image));
        const physad_view v = physad_image_view(image);
        assert_int_equal(v.shape[2], 3);
        assert_int_equal(((const unsigned char *)v.data)[11], i == 0 ? 12 : 99);
        physad_image_free(image);
        assert_ok(physad_dataset_read_scaled(ds, i, 8, &image)); /* in memory: as it is */
        assert_int_equal(physad_image_view(image).shape[0], 2);
        physad_image_free(image);
        assert_fails(PHYSAD_ERR_ARG, "physad_dataset_read_scaled: jpeg_scale is 3",
                     physad_dataset_read_scaled(ds, i, 3, &image));
        assert_fails(PHYSAD_ERR_ARG, "jpeg_scale is -1", physad_dataset_read_scaled(ds, i, -1, &image));
        assert_null(image);
    }
    assert_ok(physad_dataset_read_mask(ds, 0, &out));
    assert_memory_equal(got, ((unsigned char[]){ 0, 0, 1, 1, 0, 0, 0, 0 }), 8);
    assert_fails(PHYSAD_ERR_STATE, "frame has no mask", physad_dataset_read_mask(ds, 1, &out));
    assert_string_equal(physad_dataset_sample(ds, 0)->path, "#0");
    assert_string_equal(physad_dataset_sample(ds, 0)->type, "defect");
    assert_string_equal(physad_dataset_sample(ds, 1)->group, "frame");
    assert_null(physad_dataset_sample(ds, 1)->file);

    assert_fails(PHYSAD_ERR_ARG, "either file or photo", physad_dataset_add(ds, &(physad_item)PHYSAD_ITEM_INIT));
    item.label = 2;
    assert_fails(PHYSAD_ERR_ARG, "label is 2", physad_dataset_add(ds, &item));
    item.label = 0;
    item.split = 3;
    assert_fails(PHYSAD_ERR_ARG, "split is 3", physad_dataset_add(ds, &item));
    item.split = 0;
    item.mask = &shown;
    assert_fails(PHYSAD_ERR_SHAPE, "mask has shape (2,2,3)", physad_dataset_add(ds, &item));
    item.photo = NULL;
    item.mask = NULL;
    item.file = "a.txt";
    assert_fails(PHYSAD_ERR_ARG, "\"a.txt\" is neither", physad_dataset_add(ds, &item));
    assert_int_equal(physad_dataset_count(ds), 2);
    assert_fails(PHYSAD_ERR_ARG, "item is NULL", physad_dataset_add(ds, NULL));
    end(ctx, ds);
}

static void files_make_a_data_set(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    const char *const paths[] = { "b/exp1_num_10.jpg", "a/exp2_num_30.jpg", "a/x.png" };
    assert_ok(physad_dataset_from_files(&ds, ctx, paths, 3, PHYSAD_SPLIT_TRAIN, 0));
    assert_string_equal(physad_dataset_sample(ds, 0)->path, "b/exp1_num_10.jpg");
    assert_string_equal(physad_dataset_sample(ds, 1)->group, "num_10");
    assert_string_equal(physad_dataset_sample(ds, 2)->group, "a/x.png");
    physad_dataset_free(ds);
    assert_fails(PHYSAD_ERR_ARG, "no paths", physad_dataset_from_files(&ds, ctx, NULL, 0, PHYSAD_SPLIT_TRAIN, 0));
    assert_null(ds);
    assert_fails(PHYSAD_ERR_ARG, "split is 0", physad_dataset_from_files(&ds, ctx, paths, 3, 0, 0));
    assert_fails(PHYSAD_ERR_ARG, "paths[0] is NULL",
                 physad_dataset_from_files(&ds, ctx, (const char *[]){ NULL }, 1, PHYSAD_SPLIT_TEST, -1));
    end(ctx, NULL);
}

/* --- masks --- */

static void masks_are_joined_and_fitted(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    const unsigned char zeros[16] = { 0 }, one[4] = { 0, 1, 0, 0 }, two[4] = { 0, 0, 0, 255 };
    unsigned char got[16];
    const int64_t shape[] = { 4, 4 };
    physad_view out = physad_view_array(got, PHYSAD_U8, 2, shape);
    photo(ctx, "k/train/good/0.png", zeros, 4, 4);
    photo(ctx, "k/test/bad/0.png", zeros, 4, 4);
    photo(ctx, "k/test/bad/1.png", zeros, 4, 4);
    photo(ctx, "k/ground_truth/bad/0/0.png", one, 2, 2);
    photo(ctx, "k/ground_truth/bad/0/1.png", two, 2, 2);
    file("k/ground_truth/bad/1_mask.png", "broken");
    assert_ok(physad_dataset_open(&ds, ctx, full("k"), NULL));
    assert_ok(physad_dataset_read_mask(ds, 1, &out));
    assert_memory_equal(got, ((unsigned char[]){ 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 }), 16);
    assert_ok(physad_dataset_read_mask(ds, 0, &out));
    assert_memory_equal(got, zeros, 16);
    assert_fails(PHYSAD_ERR_FORMAT, "1_mask.png", physad_dataset_read_mask(ds, 2, &out));
    assert_fails(PHYSAD_ERR_ARG, "index is 3", physad_dataset_read_mask(ds, 3, &out));
    out.dtype = PHYSAD_F32;
    assert_fails(PHYSAD_ERR_DTYPE, "mask has dtype f32", physad_dataset_read_mask(ds, 0, &out));
    assert_fails(PHYSAD_ERR_ARG, "mask is NULL", physad_dataset_read_mask(ds, 0, NULL));

    const char *text = NULL;
    assert_ok(physad_dataset_stats(ds, NULL, &text));
    json_t *json = json_loads(text, 0, NULL);
    const json_t *category = json_array_get(json_object_get(json, "categories"), 0);
    const json_t *area = json_object_get(json_object_get(category, "defect_area"), "bad");
    assert_int_equal(json_integer_value(json_object_get(area, "count")), 1);
    assert_near(json_real_value(json_object_get(area, "median")), 0.5, 0);
    assert_int_equal(json_array_size(json_object_get(json, "unreadable")), 1);
    assert_int_equal(json_integer_value(json_object_get(category, "groups")), 3);
    json_decref(json);
    end(ctx, ds);
}

/* --- failures --- */

static void wrong_folders_are_named(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    physad_dataset_options o = PHYSAD_DATASET_OPTIONS_INIT;
    files("e/empty", "");
    mkdir(full("e"), 0700);
    mkdir(full("e/empty"), 0700);
    assert_fails(PHYSAD_ERR_FORMAT, "the folder is empty", physad_dataset_open(&ds, ctx, full("e/empty"), NULL));
    files("e/odd", "a.txt x/y/z.png");
    assert_fails(PHYSAD_ERR_FORMAT, "no known layout; looked for split_csv/1cls.csv (visa)",
                 physad_dataset_open(&ds, ctx, full("e/odd"), NULL));
    assert_fails(PHYSAD_ERR_IO, "nowhere", physad_dataset_open(&ds, ctx, full("e/nowhere"), NULL));
    files("e/bare", "train/good/x.txt test/bad/1.png");
    assert_fails(PHYSAD_ERR_FORMAT, "to train with", physad_dataset_open(&ds, ctx, full("e/bare"), NULL));
    files("e/fine", "train/good/1.png");
    assert_int_equal(symlink("loop", full("e/loop")), 0);
    assert_fails(PHYSAD_ERR_IO, "loop", physad_dataset_open(&ds, ctx, full("e/loop"), NULL));
    assert_int_equal(symlink(".", full("e/fine/train/again")), 0); /* a circle of folders ends by itself */
    assert_ok(physad_dataset_open(&ds, ctx, full("e/fine"), NULL));
    physad_dataset_free(ds);
    o.format = "mvtek";
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"mvtec\"", physad_dataset_open(&ds, ctx, full("e/fine"), &o));
    o.format = "realiad";
    assert_fails(PHYSAD_ERR_IO, "no folder of lists", physad_dataset_open(&ds, ctx, full("e/fine"), &o));
    o.format = NULL;
    o.categories = "fine,fien";
    assert_fails(PHYSAD_ERR_ARG, "there is no category \"fien\"; want of fine",
                 physad_dataset_open(&ds, ctx, full("e/fine"), &o));
    o.categories = NULL;
    o.holdout = 1;
    assert_fails(PHYSAD_ERR_ARG, "holdout is 1", physad_dataset_open(&ds, ctx, full("e/fine"), &o));
    assert_fails(PHYSAD_ERR_ARG, "path is NULL", physad_dataset_open(&ds, ctx, NULL, NULL));
    assert_fails(PHYSAD_ERR_ARG, "path is empty", physad_dataset_open(&ds, ctx, "", NULL));
    assert_fails(PHYSAD_ERR_ARG, "out is NULL", physad_dataset_open(NULL, ctx, "x", NULL));
    assert_null(ds);
    end(ctx, NULL);
}

static void odd_names_are_kept(void **state)
{
    physad_context *ctx = new_context();
    physad_dataset *ds = NULL;
    const char *text = NULL;
    file("o/train/good/a\nb.png", "");
    file("o/train/good/\xc3\xa4.png", "");
    file("o/train/b\xff/\xff.png", "");
    assert_ok(physad_dataset_open(&ds, ctx, full("o"), NULL));
    assert_int_equal(physad_dataset_count(ds), 3);
    assert_ok(physad_dataset_stats(ds, NULL, &text)); /* JSON is UTF-8 */
    assert_non_null(strstr(text, "\"b?\": 1"));
    end(ctx, ds);
}

static physad_status everything(physad_context *ctx)
{
    physad_dataset *ds = NULL, *part = NULL, *other = NULL;
    const char *text;
    physad_status status = physad_dataset_open(&ds, ctx, full("z"), NULL);
    if (status == PHYSAD_OK)
        status = physad_dataset_split(&part, &other, ds, 0.5, 1);
    if (status == PHYSAD_OK)
        status = physad_dataset_stats(ds, NULL, &text);
    physad_dataset_free(ds);
    physad_dataset_free(part);
    physad_dataset_free(other);
    return status;
}

static void no_memory_is_survived(void **state)
{
    const unsigned char zeros[16] = { 0 };
    physad_context *plain = new_context();
    photo(plain, "z/train/good/exp1_num_2.png", zeros, 4, 4);
    photo(plain, "z/test/bad/i1_q2.png", zeros, 4, 4);
    photo(plain, "z/ground_truth/bad/i1_q2/0.png", zeros, 4, 4);
    file("z/physad.json", "{\"views\":{\"train/good/exp1_num_2.png\":\"top\"}}");
    physad_context_free(plain);
    int64_t n = 0;
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.allocator = &failing_allocator;
    assert_ok(physad_context_new(&ctx, &o));
    physad_status status;
    do {
        allocations_left = n++;
        status = everything(ctx);
        if (status != PHYSAD_OK && status != PHYSAD_ERR_NOMEM)
            fail_msg("at allocation %lld: %s", (long long)n, physad_last_error());
        assert_int_equal(physad_context_memory_used(ctx), 0);
    } while (status != PHYSAD_OK);
    assert_true(n > 40);
    physad_context_free(ctx);
}

/* --- real data --- */

static void real_data_are_counted(void **state)
{
    static const struct {
        const char *name;
        int64_t train, test, normal, masks;
    } sets[] = { { "magnetic-tile", 280, 333, 143, 190 }, { "fox", 33, 62, 17, 45 }, { "ped2", 8, 43, 9, 0 } };
    char path[4096];
    for (int64_t i = 0; i < PHYSAD__COUNT(sets); i++) {
        physad_context *ctx = new_context();
        physad_dataset *ds = NULL, *part = NULL;
        test_data(path, sets[i].name);
        assert_ok(physad_dataset_open(&ds, ctx, path, NULL));
        assert_ok(physad_dataset_select(&part, ds, sets[i].name, PHYSAD_SPLIT_TRAIN));
        assert_int_equal(physad_dataset_count(part), sets[i].train);
        physad_dataset_free(part);
        assert_ok(physad_dataset_select(&part, ds, NULL, PHYSAD_SPLIT_TEST));
        assert_int_equal(physad_dataset_count(part), sets[i].test);
        int64_t normal = 0, masks = 0;
        for (int64_t k = 0; k < sets[i].test; k++) {
            normal += physad_dataset_sample(part, k)->label == 0;
            masks += physad_dataset_sample(part, k)->mask_count;
        }
        assert_int_equal(normal, sets[i].normal);
        assert_int_equal(masks, sets[i].masks);
        physad_dataset_free(part);
        end(ctx, ds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mvtec_is_read),
        cmocka_unit_test(loco_has_several_masks_and_a_validation),
        cmocka_unit_test(btad_and_mip_are_read),
        cmocka_unit_test(poses_are_named),
        cmocka_unit_test(videos_are_listed),
        cmocka_unit_test(frames_are_read),
        cmocka_unit_test(mvtec3d_is_read),
        cmocka_unit_test(visa_is_read),
        cmocka_unit_test(pipes_and_devices_are_no_photos),
        cmocka_unit_test(realiad_is_read),
        cmocka_unit_test(folders_are_read),
        cmocka_unit_test(names_tell_groups),
        cmocka_unit_test(a_sidecar_tells_groups_and_views),
        cmocka_unit_test(splits_keep_groups_together),
        cmocka_unit_test(a_holdout_makes_normal_test_samples),
        cmocka_unit_test(selections_share_samples),
        cmocka_unit_test(samples_in_memory_are_read),
        cmocka_unit_test(files_make_a_data_set),
        cmocka_unit_test(masks_are_joined_and_fitted),
        cmocka_unit_test(wrong_folders_are_named),
        cmocka_unit_test(odd_names_are_kept),
        cmocka_unit_test(no_memory_is_survived),
        cmocka_unit_test(real_data_are_counted),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
