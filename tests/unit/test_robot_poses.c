/* SPDX-License-Identifier: Apache-2.0 */
/* Poses as robots write them: every form and every convention gives the same cameras; what can be read in two ways, or
 * in none, is refused. */
#include "failing.h"
#include "scene_help.h"

#include "scene/scene_photos.h"

#include <sys/stat.h>


/* --- writing them --- */

typedef struct convention {
    bool to_world, opengl, wxyz, turn_first;
    double scale; /* of what is written */
} convention;

/* The pose of a view as 4 x 4 by the convention. */
static void matrix_of(double m[16], int view, const convention *how)
{
    const physad_camera c = camera_at(view);
    const double sign[3] = { 1, how->opengl ? -1 : 1, how->opengl ? -1 : 1 };
    memset(m, 0, 16 * sizeof(double));
    m[15] = 1;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            m[4 * i + k] = how->to_world ? c.rotation[3 * k + i] * sign[k] : c.rotation[3 * i + k] * sign[i];
    for (int i = 0; i < 3; i++)
        m[4 * i + 3] =
            how->scale * (how->to_world ? -c.rotation[6 + i] * c.translation[2] : c.translation[i] * sign[i]);
}

/* x y z w; Shepperd's way is not needed: the largest part decides. */
static void quaternion_of(double q[4], const double m[16])
{
    const double trace[4] = { m[0] - m[5] - m[10], m[5] - m[0] - m[10], m[10] - m[0] - m[5], m[0] + m[5] + m[10] };
    int best = 0;
    for (int k = 1; k < 4; k++)
        best = trace[k] > trace[best] ? k : best;
    const double r = sqrt(1 + trace[best]), s = 0.5 / r;
    const double off[3][2] = { { m[9], m[6] }, { m[2], m[8] }, { m[4], m[1] } }; /* (y z), (z x), (x y) */
    if (best == 3) {
        for (int k = 0; k < 3; k++)
            q[k] = (off[k][0] - off[k][1]) * s;
    } else {
        const int j = (best + 1) % 3, l = (best + 2) % 3;
        q[3] = (off[best][0] - off[best][1]) * s;
        q[j] = (off[l][0] + off[l][1]) * s;
        q[l] = (off[j][0] + off[j][1]) * s;
    }
    q[best] = 0.5 * r;
}

static int numbers_of(double out[16], int view, const convention *how, int count)
{
    double m[16], q[4];
    matrix_of(m, view, how);
    if (count != 7) {
        memcpy(out, m, (size_t)count * sizeof(double));
        return count;
    }
    quaternion_of(q, m);
    const double turned[4] = { q[3], q[0], q[1], q[2] };
    const double *turn = how->wxyz ? turned : q;
    for (int k = 0; k < 3; k++)
        out[k + (how->turn_first ? 4 : 0)] = m[4 * k + 3];
    memcpy(out + (how->turn_first ? 0 : 3), turn, 4 * sizeof(double));
    return 7;
}

/* Whatever the locale. */
static const char *digits(char out[40], double value)
{
    physad__snprintf(out, 40, "%.17g", value);
    return out;
}

static FILE *open_in(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static void write_in(const char *folder, const char *name, const char *content)
{
    FILE *f = open_in(folder, name);
    fputs(content, f);
    fclose(f);
}

static void remove_in(const char *folder, const char *name)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

/* A line for each photo: with a name (behind the format `named`) or without. */
static void write_lines(const char *folder, const char *file, const convention *how, int count, const char *named,
                        const char *between)
{
    FILE *f = open_in(folder, file);
    for (int i = 0; i < VIEWS; i++) {
        double numbers[16];
        char text[40];
        numbers_of(numbers, i, how, count);
        if (named != NULL) {
            char name[64];
            snprintf(name, sizeof(name), "%s%d.png", named, i);
            fputs(name, f);
        }
        for (int k = 0; k < count; k++)
            fprintf(f, "%s%s", k > 0 || named != NULL ? between : "", digits(text, numbers[k]));
        fputs("\n", f);
    }
    fclose(f);
}

static void write_npy(const char *folder, const char *file, const convention *how, int count, bool single)
{
    FILE *f = open_in(folder, file);
    char head[200];
    const int n = snprintf(head, sizeof(head), "{'descr': '<f%d', 'fortran_order': False, 'shape': (%d, %s), }",
                           single ? 4 : 8, VIEWS, count == 16 ? "4, 4" : count == 12 ? "3, 4" : "7");
    const unsigned char prefix[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(n + 1), 0 };
    fwrite(prefix, 1, sizeof(prefix), f);
    fprintf(f, "%s\n", head);
    for (int i = 0; i < VIEWS; i++) {
        double numbers[16];
        numbers_of(numbers, i, how, count);
        for (int k = 0; k < count; k++) {
            const float narrow = (float)numbers[k];
            fwrite(single ? (const void *)&narrow : &numbers[k], single ? 4 : 8, 1, f);
        }
    }
    fclose(f);
}

/* --- a folder with photos --- */

static const char camera_json[] = "{\"fx\": 50, \"fy\": 50, \"cx\": 24, \"cy\": 20, \"width\": 48, \"height\": 40}";

static void folder_make(char *folder, size_t size, physad_context *ctx, const char *within)
{
    char path[600];
    scratch_make(folder, size);
    if (within[0] != '\0') {
        snprintf(path, sizeof(path), "%s/train", folder);
        mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/train/good", folder);
        mkdir(path, 0700);
    }
    write_photos_in(ctx, folder, within, 0);
    remove_in(folder, "transforms.json");
    write_in(folder, "camera.json", camera_json);
}

static void check_cameras(physad_context *ctx, const char *folder, double scale, double within)
{
    physad__scene_views v;
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_int_equal(v.count, VIEWS);
    for (int64_t i = 0; i < v.count; i++) {
        const char *name = strrchr(v.views[i].path, '/') + 1;
        const physad_camera want = camera_at(atoi(name)), *got = &v.views[i].camera;
        for (int k = 0; k < 9; k++)
            assert_near(got->rotation[k], want.rotation[k], within);
        for (int k = 0; k < 3; k++)
            assert_near(got->translation[k], want.translation[k] * scale, within * scale * 4);
        assert_near(got->fx, 50, 1e-3);
        assert_near(got->cx, 24, 1e-9);
    }
    physad__scene_views_free(&v);
}

static physad_status refuse(physad_context *ctx, const char *folder)
{
    physad__scene_views v;
    const physad_status status = open_views(&v, ctx, folder, 0, NULL);
    physad__scene_views_free(&v);
    return status;
}

/* All readings of matrices are told apart; of seven numbers with the order of the quaternion told: cameras that only
 * turn about one axis look the same way, upside down, when it is taken for the other. */
static void test_conventions(void **state)
{
    static const char told[] = "{\"fx\": 50, \"quaternion\": \"%s\"}";
    physad_context *ctx = new_context(1);
    char folder[256], text[100];
    folder_make(folder, sizeof(folder), ctx, "");
    for (int k = 0; k < 4; k++)
        for (int count = 12; count <= 16; count += 4) {
            const convention how = { k & 1, k & 2, false, false, k & 1 ? 1000 : 1 };
            write_lines(folder, "poses.txt", &how, count, "", " ");
            check_cameras(ctx, folder, how.scale, 1e-6);
        }
    for (int k = 0; k < 16; k++) {
        const convention how = { k & 1, k & 2, k & 4, k & 8, 1 };
        write_lines(folder, "poses.txt", &how, 7, "", " ");
        write_in(folder, "camera.json", camera_json);
        if (refuse(ctx, folder) == PHYSAD_OK) /* never wrongly */
            check_cameras(ctx, folder, 1, 1e-6);
        else
            assert_non_null(strstr(physad_last_error(), "\"quaternion\": \"xyzw\" or \"wxyz\""));
        snprintf(text, sizeof(text), told, how.wxyz ? "wxyz" : "xyzw");
        write_in(folder, "camera.json", text);
        check_cameras(ctx, folder, 1, 1e-6);
    }
    scratch_remove(folder);
    end_context(ctx);
}

/* Cameras all over a half ball around a place away from the origin, each turned a little about its axis. */
static physad_camera camera_around(physad__rng *rng)
{
    physad_camera c = { .width = 1 };
    const double place[3] = { 1, -2, 3 }, up = 0.2 + 0.7 * physad__rng_uniform(rng),
                 angle = 2 * M_PI * physad__rng_uniform(rng), flat = sqrt(1 - up * up);
    const double ahead[3] = { -flat * cos(angle), -flat * sin(angle), -up };
    const double right[3] = { sin(angle), -cos(angle), 0 };
    for (int k = 0; k < 3; k++) {
        c.rotation[k] = right[k];
        c.rotation[6 + k] = ahead[k];
        c.rotation[3 + k] = ahead[(k + 1) % 3] * right[(k + 2) % 3] - ahead[(k + 2) % 3] * right[(k + 1) % 3];
    }
    for (int k = 0; k < 3; k++)
        c.translation[k] = 0.2 * physad__rng_normal(rng);
    c.translation[2] = 4 + physad__rng_normal(rng) * 0.3;
    const double tangent[6] = { 0, 0, 0, 0.05 * physad__rng_normal(rng), 0.05 * physad__rng_normal(rng),
                                0.3 * physad__rng_normal(rng) };
    for (int k = 0; k < 3; k++)
        for (int j = 0; j < 3; j++)
            c.translation[k] -= c.rotation[3 * k + j] * place[j];
    physad__splat_camera_move(c.rotation, c.translation, tangent);
    return c;
}

static void pose_numbers(physad__pose_row *row, const physad_camera *c, const convention *how, bool seven)
{
    double m[16] = { 0 }, q[4];
    const double sign[3] = { 1, how->opengl ? -1 : 1, how->opengl ? -1 : 1 };
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            m[4 * i + k] = how->to_world ? c->rotation[3 * k + i] * sign[k] : c->rotation[3 * i + k] * sign[i];
    for (int i = 0; i < 3; i++)
        m[4 * i + 3] = how->to_world ? -(c->rotation[i] * c->translation[0] + c->rotation[3 + i] * c->translation[1] +
                                         c->rotation[6 + i] * c->translation[2])
                                     : c->translation[i] * sign[i];
    *row = (physad__pose_row){ .count = seven ? 7 : 12 };
    memcpy(row->values, m, sizeof(row->values));
    if (!seven)
        return;
    quaternion_of(q, m);
    for (int k = 0; k < 4; k++)
        row->values[(how->turn_first ? 0 : 3) + k] = q[how->wxyz ? (k + 3) % 4 : k];
    for (int k = 0; k < 3; k++)
        row->values[(how->turn_first ? 4 : 0) + k] = m[4 * k + 3];
}

/* Random rigs: what there is is found, never wrongly. */
static void test_settle(void **state)
{
    enum { N = 24 };
    physad_context *ctx = new_context(1);
    int refused = 0;
    for (int trial = 0; trial < 200; trial++) {
        const convention how = { trial & 1, trial & 2, trial & 4, trial & 8, 1 };
        const bool seven = trial & 16;
        physad_camera truth[N];
        physad__posed poses[N] = { 0 }, *photos[N];
        physad__pose_row rows[N];
        const physad__pose_row *given[N];
        const physad__pose_frame told = { 0 };
        physad__pose_found found;
        physad__rng rng;
        physad__rng_seed(&rng, (uint64_t)trial, 3);
        for (int i = 0; i < N; i++) {
            truth[i] = camera_around(&rng);
            pose_numbers(&rows[i], &truth[i], &how, seven);
            given[i] = &rows[i];
            photos[i] = &poses[i];
            poses[i].name = "photo";
        }
        const physad_status status = physad__pose_settle(&ctx->mem, photos, given, N, &told, &found, "test");
        if (seven && status == PHYSAD_ERR_FORMAT && strstr(physad_last_error(), "two ways") != NULL) {
            refused++;
            continue;
        }
        assert_ok(status);
        assert_true(found.looked && found.angle < 0.3 && found.next > found.angle + 0.2);
        assert_int_equal(found.frame.direction, how.to_world ? PHYSAD__POSE_TO_WORLD : PHYSAD__POSE_TO_CAMERA);
        assert_int_equal(found.frame.axes, how.opengl ? PHYSAD__POSE_OPENGL : PHYSAD__POSE_OPENCV);
        assert_near(found.distance, 4, 0.5);
        for (int i = 0; i < N; i++) {
            for (int k = 0; k < 9; k++)
                assert_near(poses[i].rotation[k], truth[i].rotation[k], 1e-9);
            for (int k = 0; k < 3; k++)
                assert_near(poses[i].translation[k], truth[i].translation[k], 1e-9);
        }
    }
    assert_true(refused <= 3); /* of 100 with quaternions of an unknown order */
    end_context(ctx);
}

static void test_files(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    physad_context *ctx = new_context(1);
    char folder[256], path[600];
    folder_make(folder, sizeof(folder), ctx, "");
    write_lines(folder, "poses.csv", &how, 16, "", ",");
    check_cameras(ctx, folder, 1, 1e-6);
    write_lines(folder, "poses.csv", &how, 12, "/media/robot/run 3/", "; "); /* another disk's path */
    check_cameras(ctx, folder, 1, 1e-6);
    remove_in(folder, "poses.csv");
    write_lines(folder, "trajectory.txt", &how, 12, NULL, "\t"); /* in the photos' order */
    check_cameras(ctx, folder, 1, 1e-6);
    remove_in(folder, "trajectory.txt");
    write_npy(folder, "poses.npy", &how, 16, false);
    check_cameras(ctx, folder, 1, 1e-6);
    write_npy(folder, "poses.npy", &how, 12, true);
    check_cameras(ctx, folder, 1, 1e-6);
    write_in(folder, "camera.json", "{\"fx\": 50, \"quaternion\": \"xyzw\"}");
    write_npy(folder, "poses.npy", &how, 7, true);
    check_cameras(ctx, folder, 1, 1e-6);
    remove_in(folder, "poses.npy");
    for (int places = 0; places < 2; places++) { /* one for each: beside, and in poses/ */
        snprintf(path, sizeof(path), "%s/poses", folder);
        if (places == 1)
            mkdir(path, 0700);
        for (int i = 0; i < VIEWS; i++) {
            char name[40], text[40];
            double m[16];
            snprintf(name, sizeof(name), "%s%d.txt", places == 1 ? "poses/" : "", i);
            FILE *f = open_in(folder, name);
            matrix_of(m, i, &how);
            fputs("# camera to world\n", f);
            for (int k = 0; k < (i % 2 ? 16 : 12); k++)
                fprintf(f, "%s%s%s", k % 4 == 0 ? "[" : "  ", digits(text, m[k]), k % 4 == 3 ? "]\n" : "");
            fclose(f);
        }
        check_cameras(ctx, folder, 1, 1e-6);
        for (int i = 0; i < VIEWS && places == 0; i++) {
            char name[40];
            snprintf(name, sizeof(name), "%d.txt", i);
            remove_in(folder, name);
        }
    }
    scratch_remove(folder);
    end_context(ctx);
}

static void put_numbers(FILE *f, const double *numbers, int n, int row)
{
    char text[40];
    fputs("[", f);
    for (int k = 0; k < n; k++)
        fprintf(f, "%s%s%s%s", k > 0 ? ", " : "", row > 0 && k % row == 0 ? "[" : "", digits(text, numbers[k]),
                row > 0 && k % row == row - 1 ? "]" : "");
    fputs("]", f);
}

/* The forms of JSON, and a header of names in CSV. */
static void test_shapes(void **state)
{
    static const convention to_world = { true, true, false, false, 1 }, to_camera = { false, false, false, false, 1 };
    physad_context *ctx = new_context(1);
    char folder[256], text[7][40];
    folder_make(folder, sizeof(folder), ctx, "");
    for (int shape = 0; shape < 5; shape++) {
        FILE *f = open_in(folder, "poses.json");
        fputs(shape == 0 ? "{" : shape == 1 ? "[" : "{\"frames\": [", f);
        for (int i = 0; i < VIEWS; i++) {
            double m[16], q[16];
            matrix_of(m, i, shape == 3 ? &to_camera : &to_world);
            numbers_of(q, i, &to_world, 7);
            fputs(i > 0 ? ", " : "", f);
            if (shape == 0) {
                fprintf(f, "\"%d\": ", i); /* by name, without the suffix */
                put_numbers(f, m, 16, 4);
            } else if (shape == 1) {
                fprintf(f, "{\"image\": \"%d.png\", \"c2w\": ", i);
                put_numbers(f, m, 12, 4);
                fputs("}", f);
            } else if (shape == 2) {
                fprintf(f, "{\"file\": \"./%d.png\", \"position\": ", i);
                put_numbers(f, q, 3, 0);
                fputs(", \"quaternion\": ", f);
                put_numbers(f, q + 3, 4, 0);
                fputs("}", f);
            } else if (shape == 3) {
                fprintf(f, "{\"name\": \"%d.png\", \"w2c\": ", i);
                put_numbers(f, m, 16, 0);
                fputs("}", f);
            } else {
                for (int k = 0; k < 7; k++)
                    digits(text[k], q[k]);
                fprintf(f,
                        "{\"name\": \"%d.png\", \"pose\": {\"position\": {\"x\": %s, \"y\": %s, \"z\": %s}, "
                        "\"orientation\": {\"x\": %s, \"y\": %s, \"z\": %s, \"w\": %s}}}",
                        i, text[0], text[1], text[2], text[3], text[4], text[5], text[6]);
            }
        }
        fputs(shape == 0 ? "}" : shape == 1 ? "]" : "]}", f);
        fclose(f);
        check_cameras(ctx, folder, 1, 1e-6);
    }
    remove_in(folder, "poses.json");
    FILE *f = open_in(folder, "poses.csv");
    fputs("time,qw,qx,qy,qz,x,y,z,image\n", f);
    for (int i = 0; i < VIEWS; i++) {
        double q[16];
        numbers_of(q, i, &to_world, 7);
        static const int order[7] = { 6, 3, 4, 5, 0, 1, 2 };
        fprintf(f, "%d.5", i);
        for (int k = 0; k < 7; k++)
            fprintf(f, ",%s", digits(text[0], q[order[k]]));
        fprintf(f, ",\"%d.png\"\r\n", i);
    }
    fclose(f);
    check_cameras(ctx, folder, 1, 1e-6);
    f = open_in(folder, "poses.csv"); /* a table's index without a name, and cells that hold nothing */
    fputs(",image,note,tx,ty,tz,qx,qy,qz,qw,state\n", f);
    for (int i = 0; i < VIEWS; i++) {
        double q[16];
        numbers_of(q, i, &to_world, 7);
        fprintf(f, "%d,\"%d.png\",%s", i, i, i % 2 ? "" : "\"seen, kept\"");
        for (int k = 0; k < 7; k++)
            fprintf(f, ", %s", digits(text[0], q[k]));
        fprintf(f, "%s\n", i % 3 == 0 ? ",," : i % 3 == 1 ? "," : ",1");
    }
    fputs(",,,,,,,,,,\n", f);
    fclose(f);
    check_cameras(ctx, folder, 1, 1e-6);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_cameras(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    static const char *const same[][2] = {
        { "camera.json", "{\"K\": [[50, 0, 24], [0, 50, 20], [0, 0, 1]], \"width\": 48, \"height\": 40}" },
        { "camera.json", "{\"camera_matrix\": {\"rows\": 3, \"data\": [50, 0, 24, 0, 50, 20, 0, 0, 1]}, \"coeffs\": "
                         "[0, 0, 0, 0, 0], \"image_width\": 48, \"image_height\": 40}" },
        { "camera.json", "{\"intrinsics\": {\"fx\": 100, \"fy\": 100, \"ppx\": 48, \"ppy\": 40, \"width\": 96, "
                         "\"height\": 80}, \"pose\": \"camera-to-world\", \"axes\": \"opencv\"}" },
        { "camera.json", "{\"fx\": 50}" },
        { "intrinsics.txt", "50 0 24\n0 50 20\n0 0 1\n" },
        { "camera.txt", "50, 50, 24, 20, 48, 40" },
        { "camera.txt", "100 100 48 40 96 80" },
        { "intrinsics.json", "{\"camera_angle_x\": 0.8950353729, \"axes\": \"OpenCV\", \"pose\": \"c2w\"}" },
    };
    static const struct {
        const char *text, *says;
        physad_status status;
    } bad[] = {
        { "{}", "no focal length", PHYSAD_ERR_FORMAT },
        { "[]", "no JSON object", PHYSAD_ERR_FORMAT },
        { "{", "line 1", PHYSAD_ERR_FORMAT },
        { "{\"fx\": \"wide\"}", "\"fx\" is no finite number", PHYSAD_ERR_FORMAT },
        { "{\"fx\": -5}", "no focal length", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 5, \"width\": 1e9}", "1000000", PHYSAD_ERR_FORMAT },
        { "{\"K\": [1, 2, 3]}", "the matrix is not", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"distortion\": [0, 0, 0, 0, 0.5]}", "number 5", PHYSAD_ERR_UNSUPPORTED },
        { "{\"fx\": 50, \"distortion\": \"none\"}", "8 numbers", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"pose\": \"inverse\"}", "want \"camera-to-world\" or \"world-to-camera\"", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"axes\": 3}", "want \"opencv\" or \"opengl\"", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"quaternion\": \"zyxw\"}", "want \"xyzw\"", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"scale\": -1}", "positive", PHYSAD_ERR_FORMAT },
        { "{\"fx\": 50, \"width\": 100, \"height\": 50}", "proportion", PHYSAD_ERR_FORMAT },
    };
    physad_context *ctx = new_context(1);
    char folder[256];
    folder_make(folder, sizeof(folder), ctx, "");
    write_lines(folder, "poses.txt", &how, 16, "", " ");
    remove_in(folder, "camera.json");
    assert_fails(PHYSAD_ERR_IO, "want camera.json", refuse(ctx, folder));
    for (int64_t k = 0; k < PHYSAD__COUNT(same); k++) {
        write_in(folder, same[k][0], same[k][1]);
        check_cameras(ctx, folder, 1, 1e-6);
        remove_in(folder, same[k][0]);
    }
    for (int64_t k = 0; k < PHYSAD__COUNT(bad); k++) {
        write_in(folder, "camera.json", bad[k].text);
        assert_fails(bad[k].status, bad[k].says, refuse(ctx, folder));
    }
    remove_in(folder, "camera.json");
    write_in(folder, "camera.txt", "50 50 wide");
    assert_fails(PHYSAD_ERR_FORMAT, "\"wide\"", refuse(ctx, folder));
    write_in(folder, "camera.txt", "50 50 24");
    assert_fails(PHYSAD_ERR_FORMAT, "3 numbers", refuse(ctx, folder));
    remove_in(folder, "camera.txt");
    write_in(folder, "camera.json", "{\"fx\": 50, \"scale\": 1000}");
    check_cameras(ctx, folder, 1000, 1e-6);
    scratch_remove(folder);
    end_context(ctx);
}

/* What means nothing, or two things. */
static void test_refused(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "holds no pose" },
        { "# nothing\n", "holds no pose" },
        { ",,,,,,,,\n", "holds no pose" },
        { "1,,3,4,5,6,7\n", "\"\" is no number" },
        { "name,tx,ty,tz,qx,qy,qz,qw\n,1,2,3,0,0,0,1\n", "line 2: the name of its photo is empty" },
        { "name,tx,ty,tz,qx,qy,qz,qw\n0.png,1,,3,0,0,0,1\n", "line 2: column 3 is no number" },
        { "0.png 1 2 3\n", "\"0.png\" is no number" },
        { "0.png 1 0 0 0 0 1 0 0 0 0 1 x\n", "line 1: \"x\" is no number" },
        { "1 2 3\n", "line 1: 3 numbers" },
        { "1 0 0 0\n0 1 0 0\n\n", "a matrix of 2 rows" },
        { "\"0.png 1 2\n", "a quote" },
        { "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n", "more than 32" },
        { "0.png 1 0 0 nan 0 1 0 0 0 0 1 0\n", "number 4 is" },
        { "0.png 1 0 0 0 0 1 0 0 0 0 1 0 5 6 7 1\n", "written by columns" },
        { "0.png 1 0 0 2 0 1 0 3 0 0 1 4 5 6 7 1\n", "the last row of the matrix is 5 6 7 1" },
        { "0.png 2 0 0 0 0 2 0 0 0 0 2 0\n", "the pose of 0.png is no rotation" },
        { "0.png 1 0 0 0 0 1 0 0 0 0 -1 0\n", "the pose of 0.png mirrors the world" },
        { "0.png 1 2 3 0.9 0.9 0.9 0.9\n", "neither the first four" },
        { "0.png 3 0 0 0 0 0 0\n", "neither the first four" },
        { "0.png 1 0 0 0 1 0 0\n", "say \"first\"" },
        { "0.png 1 0 0 0 0 1 0 0 0 0 1 0\n1.png 1 0 0 1 0 1 0 0 0 0 1 0\n", "2 poses cannot tell" },
        { "none.png 1 0 0 0 0 1 0 0 0 0 1 0\n", "not one photo" },
        { "1 0 0 0 0 1 0 0 0 0 1 0\n", "1 poses without names" },
        { "0.png 1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 0\n", "1 of 2 poses have no name" },
    };
    static const char *const bad_json[][2] = {
        { "3", "holds no pose" },
        { "[]", "holds no pose" },
        { "{}", "holds no pose" },
        { "{\"0.png\": [1, 2, 3]}", "3 numbers" },
        { "{\"0.png\": [[1, 2, \"x\"]]}", "\"0.png\": its matrix" },
        { "[{\"name\": \"0.png\"}]", "entry 0: has neither" },
        { "{\"\": [0, 0, 0, 0, 0, 0, 1]}", "its photo is empty" },
        { "[{\"position\": [1, 2], \"quaternion\": [0, 0, 0, 1]}]", "position is not three" },
        { "[{\"position\": [1, 2, 3], \"quaternion\": [0, 0, 1]}]", "quaternion is not four" },
        { "[{\"position\": [1, 2, 3], \"quaternion\": {\"x\": 1}}]", "the numbers x, y, z, w" },
        { "[{\"pose\": {\"pose\": {\"pose\": {\"pose\": {\"pose\": {\"matrix\": [1]}}}}}}]", "has neither" },
    };
    physad_context *ctx = new_context(1);
    char folder[256];
    folder_make(folder, sizeof(folder), ctx, "");
    assert_fails(PHYSAD_ERR_IO, "want transforms.json", refuse(ctx, folder));
    for (int64_t k = 0; k < PHYSAD__COUNT(bad); k++) {
        write_in(folder, "poses.txt", bad[k].text);
        const physad_status want = strstr(bad[k].says, "not one") != NULL ? PHYSAD_ERR_IO : PHYSAD_ERR_FORMAT;
        assert_fails(want, bad[k].says, refuse(ctx, folder));
        assert_non_null(strstr(physad_last_error(), "poses.txt"));
    }
    remove_in(folder, "poses.txt");
    for (int64_t k = 0; k < PHYSAD__COUNT(bad_json); k++) {
        write_in(folder, "poses.json", bad_json[k][0]);
        assert_fails(PHYSAD_ERR_FORMAT, bad_json[k][1], refuse(ctx, folder));
    }
    remove_in(folder, "poses.json");
    write_in(folder, "poses.npy", "no array");
    assert_fails(PHYSAD_ERR_FORMAT, "poses.npy", refuse(ctx, folder));
    FILE *f = open_in(folder, "poses.npy"); /* nothing, of more than can be counted */
    fprintf(f, "%cNUMPY%c%cv%c{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4), }%*s\n",
            0x93, 1, 0, 0, 37, "");
    fclose(f);
    assert_fails(PHYSAD_ERR_FORMAT, "poses.npy", refuse(ctx, folder));
    remove_in(folder, "poses.npy");
    /* cameras side by side that all look the same way may be read in several ways */
    f = open_in(folder, "poses.txt");
    for (int i = 0; i < VIEWS; i++)
        fprintf(f, "%d.png 1 0 0 %d 0 1 0 0 0 0 1 0\n", i, i);
    fclose(f);
    assert_fails(PHYSAD_ERR_FORMAT, "say \"pose\"", refuse(ctx, folder));
    write_in(folder, "camera.json", "{\"fx\": 50, \"pose\": \"camera-to-world\", \"axes\": \"opencv\"}");
    physad__scene_views v;
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    assert_near(v.views[3].camera.translation[0], -3, 1e-12);
    physad__scene_views_free(&v);
    f = open_in(folder, "poses.txt");
    for (int i = 0; i < VIEWS; i++)
        fprintf(f, "%s%d.png 1 0 0 %d 0 1 0 0 0 0 1 0\n", i == 8 ? "./" : "", i == 8 ? 2 : i, i);
    fclose(f);
    assert_fails(PHYSAD_ERR_FORMAT, "poses.txt: 2.png has two poses", refuse(ctx, folder));
    remove_in(folder, "poses.txt");
    write_lines(folder, "poses.npy", &how, 16, "", " ");
    scratch_remove(folder);
    end_context(ctx);
}

/* Poses of photos that do not take part are not looked at: neither their numbers nor their files. */
static void test_chosen(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    physad_context *ctx = new_context(1);
    char folder[256], paths[6][600];
    const char *chosen_paths[6];
    folder_make(folder, sizeof(folder), ctx, "train/good/");
    for (int i = 0; i < 6; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/train/good/%d.png", folder, 2 * i);
        chosen_paths[i] = paths[i];
    }
    const physad__scene_choice chosen = { .paths = chosen_paths, .count = 6 };
    FILE *f = open_in(folder, "poses.csv");
    for (int i = 0; i < VIEWS; i++) {
        double m[16];
        char text[40];
        matrix_of(m, i, &how);
        fprintf(f, "train/good/%d.png", i);
        for (int k = 0; k < 16; k++)
            fprintf(f, ",%s", digits(text, i % 2 ? (k == 15) : m[k])); /* no rotations */
        fputs("\n", f);
    }
    fclose(f);
    assert_fails(PHYSAD_ERR_FORMAT, "no rotation", refuse(ctx, folder));
    physad__scene_views v;
    assert_ok(open_views(&v, ctx, folder, 0, &chosen));
    assert_int_equal(v.count, 6);
    assert_near(v.views[2].camera.rotation[3], camera_at(4).rotation[3], 1e-9);
    physad__scene_views_free(&v);
    remove_in(folder, "poses.csv");
    for (int i = 0; i < VIEWS; i++) {
        char name[64];
        snprintf(name, sizeof(name), "train/good/%d.txt", i);
        f = open_in(folder, name);
        double m[16];
        matrix_of(m, i, &how);
        for (int k = 0; k < 12; k++) {
            char text[40];
            fprintf(f, "%s ", i % 2 ? "lies" : digits(text, m[k]));
        }
        fclose(f);
    }
    assert_ok(open_views(&v, ctx, folder, 0, &chosen));
    assert_int_equal(v.count, 6);
    physad__scene_views_free(&v);
    scratch_remove(folder);
    end_context(ctx);
}

static int warnings;
static char warned[2000];

static void hear(int32_t level, const char *text, void *user)
{
    if (level == PHYSAD_LOG_WARNING) {
        warnings++;
        snprintf(warned, sizeof(warned), "%s", text);
    }
}

static physad_context *heard_context(void)
{
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    physad_context *ctx = NULL;
    o.log = hear;
    o.log_level = PHYSAD_LOG_WARNING;
    assert_ok(physad_context_new(&ctx, &o));
    return ctx;
}

/* Poses that are said to be what they are not: taken, with a warning. */
static void test_looks(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    physad_context *ctx = heard_context();
    physad__scene_views v;
    char folder[256];
    folder_make(folder, sizeof(folder), ctx, "");
    write_lines(folder, "poses.csv", &how, 16, "", ",");
    check_cameras(ctx, folder, 1, 1e-6);
    assert_int_equal(warnings, 0);
    write_in(folder, "camera.json", "{\"fx\": 50, \"pose\": \"camera-to-world\", \"axes\": \"opengl\"}");
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    physad__scene_views_free(&v);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warned, "look away from the one place"));
    write_in(folder, "camera.json", "{\"fx\": 50, \"pose\": \"camera-to-world\", \"axes\": \"opencv\"}");
    FILE *f = open_in(folder, "poses.csv"); /* one is turned about */
    for (int i = 0; i < VIEWS; i++) {
        double m[16];
        char text[40];
        matrix_of(m, i, &how);
        fprintf(f, "%d.png", i);
        for (int k = 0; k < 16; k++)
            fprintf(f, ",%s", digits(text, i == 7 && k < 12 && (k % 4 == 0 || k % 4 == 2) ? -m[k] : m[k]));
        fputs("\n", f);
    }
    fclose(f);
    assert_ok(open_views(&v, ctx, folder, 0, NULL));
    physad__scene_views_free(&v);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(warned, "1 of 12 photos look away from what the others look at (7.png)"));
    scratch_remove(folder);
    end_context(ctx);
}

/* Of photos that are nowhere the first ten are named, and the others counted. */
static void test_absent(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    physad_context *ctx = heard_context();
    physad__scene_views v;
    char folder[256];
    folder_make(folder, sizeof(folder), ctx, "");
    write_in(folder, "camera.json", "{\"fx\": 50, \"pose\": \"camera-to-world\", \"axes\": \"opencv\"}");
    for (int absent = 0; absent <= 40; absent += 10) {
        FILE *f = open_in(folder, "poses.csv");
        for (int i = 0; i < VIEWS + absent; i++) {
            double m[16];
            char text[40];
            matrix_of(m, i % VIEWS, &how);
            fprintf(f, i < VIEWS ? "%d.png" : "gone%d.png", i);
            for (int k = 0; k < 16; k++)
                fprintf(f, ",%s", digits(text, m[k]));
            fputs("\n", f);
        }
        fclose(f);
        warnings = 0;
        warned[0] = '\0';
        assert_ok(open_views(&v, ctx, folder, 0, NULL));
        assert_int_equal(v.count, VIEWS);
        physad__scene_views_free(&v);
        assert_int_equal(warnings, absent <= 10 ? absent : 11);
        if (absent == 10)
            assert_non_null(strstr(warned, "the photo gone21.png has a pose and is not there"));
        if (absent == 40)
            assert_non_null(strstr(warned, "30 more photos have poses and are not there"));
    }
    scratch_remove(folder);
    end_context(ctx);
}

static void test_memory(void **state)
{
    static const convention how = { true, false, false, false, 1 };
    physad_context *ctx = new_context(1);
    char folder[256];
    folder_make(folder, sizeof(folder), ctx, "");
    end_context(ctx);
    for (int kind = 0; kind < 2; kind++) {
        if (kind == 0)
            write_lines(folder, "poses.csv", &how, 12, "", ",");
        else {
            remove_in(folder, "poses.csv");
            write_npy(folder, "poses.npy", &how, 16, false);
        }
        for (int64_t n = 0;; n++) {
            physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
            physad__poses poses = { 0 };
            const physad__scene_choice all = { 0 };
            bool there;
            o.allocator = &failing_allocator;
            allocations_left = INT64_MAX;
            assert_ok(physad_context_new(&ctx, &o));
            allocations_left = n;
            const physad_status status = physad__photos_robot_poses(&poses, &there, ctx, folder, &all);
            allocations_left = INT64_MAX;
            assert_true(status == PHYSAD_OK || status == PHYSAD_ERR_NOMEM);
            physad__poses_free(&poses);
            end_context(ctx);
            if (status == PHYSAD_OK) {
                assert_true(n > 20);
                break;
            }
        }
    }
    scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conventions), cmocka_unit_test(test_settle),  cmocka_unit_test(test_files),
        cmocka_unit_test(test_shapes),      cmocka_unit_test(test_cameras), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_chosen),      cmocka_unit_test(test_looks),   cmocka_unit_test(test_absent),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("robot_poses", tests, NULL, NULL);
}
