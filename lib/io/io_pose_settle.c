/* SPDX-License-Identifier: Apache-2.0 */
/* What a robot's poses mean. Matrices are checked; what the files leave open is told by the photos' purpose: cameras
 * that go around a thing look at one place, and by every wrong reading they do not. */
#include "io/io_file.h"
#include "io/io_pose_rows.h"

#include <math.h>
#include <stdlib.h>

#define MOST_ANGLE 0.7 /* radians that cameras look past the place at most, for a reading to be one */
#define CLEARLY 0.2    /* radians that the next reading must be worse, and twice as much */

/* --- one pose --- */

static double determinant(const double m[9])
{
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}

static physad_status check_rotation(const double r[9], const char *name, const char *photo)
{
    double worst = 0;
    for (int a = 0; a < 3; a++)
        for (int b = 0; b <= a; b++) {
            const double dot = r[a * 3] * r[b * 3] + r[a * 3 + 1] * r[b * 3 + 1] + r[a * 3 + 2] * r[b * 3 + 2];
            worst = fmax(worst, fabs(dot - (a == b)));
        }
    const double det = determinant(r);
    if (worst > 0.01)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: the pose of %s is no rotation: its rows differ from right angles and length 1 by %g "
                             "(determinant %g; a scaled matrix must be divided by its scale)",
                             name, photo, worst, det);
    if (det < 0)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: the pose of %s mirrors the world (determinant %g): its axes are left-handed; want "
                             "right-handed ones, OpenCV's (x right, y down, z ahead) or OpenGL's (x right, y up, z "
                             "behind)",
                             name, photo, det);
    return PHYSAD_OK;
}

/* World to camera with OpenCV's axes. */
static void apply(double rotation[9], double translation[3], const physad__pose_row *row, const physad__pose_frame *f)
{
    double r[9], t[3];
    const int32_t direction = row->direction != 0 ? row->direction : f->direction;
    if (row->count == 12) {
        for (int k = 0; k < 9; k++)
            r[k] = row->values[k / 3 * 4 + k % 3];
        for (int k = 0; k < 3; k++)
            t[k] = row->values[4 * k + 3];
    } else {
        const int32_t first = row->first != 0 ? row->first : f->first, order = row->order != 0 ? row->order : f->order;
        const double *q = row->values + (first == PHYSAD__POSE_QUATERNION ? 0 : 3),
                     *p = row->values + (first == PHYSAD__POSE_QUATERNION ? 4 : 0);
        const int w = order == PHYSAD__POSE_WXYZ ? 0 : 3, x = order == PHYSAD__POSE_WXYZ ? 1 : 0;
        physad__quaternion_matrix(r, (double[4]){ q[w], q[x], q[x + 1], q[x + 2] });
        memcpy(t, p, sizeof(t));
    }
    const double scale = f->scale > 0 ? f->scale : 1;
    for (int i = 0; i < 3; i++)
        t[i] *= scale;
    for (int i = 0; i < 3; i++) /* OpenGL's y and z go the other way: columns to the world, rows to the camera */
        for (int k = 0; k < 3; k++) {
            const bool world = direction == PHYSAD__POSE_TO_WORLD;
            const double value = world ? r[k * 3 + i] : r[i * 3 + k];
            rotation[i * 3 + k] = f->axes == PHYSAD__POSE_OPENGL && i > 0 ? -value : value;
        }
    for (int i = 0; i < 3; i++) {
        const double *own = rotation + 3 * i;
        if (direction == PHYSAD__POSE_TO_WORLD)
            translation[i] = -(own[0] * t[0] + own[1] * t[1] + own[2] * t[2]);
        else
            translation[i] = f->axes == PHYSAD__POSE_OPENGL && i > 0 ? -t[i] : t[i];
    }
}

/* --- where cameras look --- */

/* Solves the symmetric 3 x 3 system; false where it hardly tells the place. */
static bool solve(double out[3], const double a[9], const double b[3], int64_t n)
{
    const double det = determinant(a);
    const double scale = (double)n;
    if (!(fabs(det) > 1e-6 * scale * scale * scale)) /* parallel axes: one of the three is free */
        return false;
    for (int k = 0; k < 3; k++) {
        double m[9];
        memcpy(m, a, sizeof(m));
        for (int i = 0; i < 3; i++)
            m[i * 3 + k] = b[i];
        out[k] = determinant(m) / det;
    }
    return true;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Angles between the axes and the way to the place that fits them best, and the ways' lengths behind them; the farthest
 * that a camera stands from the mean of all. */
static bool measure(physad__posed *const *photos, int64_t n, double *angles, double *lengths, double *spread)
{
    double a[9] = { 0 }, b[3] = { 0 }, place[3], mean[3] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        const double *r = photos[i]->rotation, *t = photos[i]->translation;
        double c[3];
        for (int k = 0; k < 3; k++)
            c[k] = -(r[k] * t[0] + r[3 + k] * t[1] + r[6 + k] * t[2]);
        for (int k = 0; k < 3; k++) {
            mean[k] += c[k] / (double)n;
            for (int j = 0; j < 3; j++) {
                const double part = (k == j) - r[6 + k] * r[6 + j];
                a[3 * k + j] += part;
                b[k] += part * c[j];
            }
        }
    }
    *spread = 0;
    if (!solve(place, a, b, n))
        return false;
    for (int64_t i = 0; i < n; i++) {
        const double *r = photos[i]->rotation, *t = photos[i]->translation;
        double v[3], off = 0;
        for (int k = 0; k < 3; k++) {
            v[k] = r[3 * k] * place[0] + r[3 * k + 1] * place[1] + r[3 * k + 2] * place[2] + t[k];
            const double c = -(r[k] * t[0] + r[3 + k] * t[1] + r[6 + k] * t[2]) - mean[k];
            off += c * c;
        }
        lengths[i] = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
        angles[i] = lengths[i] > 0 ? acos(fmin(fmax(v[2] / lengths[i], -1), 1)) : M_PI;
        *spread = fmax(*spread, sqrt(off));
    }
    return true;
}

bool physad__pose_angles(physad__posed *const *photos, int64_t n, double *room)
{
    double spread;
    return n > 0 && measure(photos, n, room, room + n, &spread);
}

/* Median angle, infinite where there is no such place, where it lies behind one in twenty cameras, or where the cameras
 * stand in one place. `room`: 2 n. */
static double look(physad__posed *const *photos, int64_t n, double *room, double *distance)
{
    double spread;
    int64_t behind = 0;
    if (!measure(photos, n, room, room + n, &spread))
        return INFINITY;
    for (int64_t i = 0; i < n; i++)
        behind += room[i] >= M_PI / 2;
    qsort(room, (size_t)n, sizeof(*room), by_value);
    qsort(room + n, (size_t)n, sizeof(*room), by_value);
    *distance = room[n + n / 2];
    return behind * 20 > n || !(spread > 0.02 * *distance) || !isfinite(*distance) ? INFINITY : room[n / 2];
}

/* --- all readings --- */

/* Which four of seven numbers are the quaternion: those of length 1 in every pose. */
static physad_status find_first(physad__pose_frame *f, const physad__pose_row *const *rows, int64_t n,
                                const char *name)
{
    bool fits[2] = { true, true };
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        const double *v = rows[i]->values;
        if (rows[i]->count != 7 || rows[i]->first != 0)
            continue;
        any = true;
        for (int k = 0; k < 2; k++) {
            const double *q = v + (k == 0 ? 3 : 0);
            fits[k] = fits[k] && fabs(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3] - 1) < 0.02;
        }
    }
    if (!any || f->first != 0)
        return PHYSAD_OK;
    if (fits[0] == fits[1])
        return physad__error(PHYSAD_ERR_FORMAT,
                             fits[0] ? "%s: the first four and the last four of seven numbers have length 1 in every "
                                       "pose: say \"first\": \"position\" or \"quaternion\" in camera.json"
                                     : "%s: neither the first four nor the last four of seven numbers are a quaternion "
                                       "of length 1 in every pose",
                             name);
    f->first = fits[0] ? PHYSAD__POSE_POSITION : PHYSAD__POSE_QUATERNION;
    return PHYSAD_OK;
}

static physad_status check_rows(const physad__pose_frame *f, physad__posed *const *photos,
                                const physad__pose_row *const *rows, int64_t n, const char *name)
{
    for (int64_t i = 0; i < n; i++) {
        const physad__pose_row *row = rows[i];
        double r[9];
        if (row->count == 7) {
            const double *q =
                row->values + ((row->first != 0 ? row->first : f->first) == PHYSAD__POSE_QUATERNION ? 0 : 3);
            const double square = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3];
            if (!(fabs(square - 1) < 0.02))
                return physad__error(PHYSAD_ERR_FORMAT, "%s: the quaternion of %s has the length %g, want 1", name,
                                     photos[i]->name, sqrt(square));
            continue;
        }
        for (int k = 0; k < 9; k++)
            r[k] = row->values[k / 3 * 4 + k % 3];
        PHYSAD__TRY(check_rotation(r, name, photos[i]->name));
    }
    return PHYSAD_OK;
}

static void apply_all(physad__posed *const *photos, const physad__pose_row *const *rows, int64_t n,
                      const physad__pose_frame *f)
{
    for (int64_t i = 0; i < n; i++)
        apply(photos[i]->rotation, photos[i]->translation, rows[i], f);
}

const char *physad__pose_words(char *out, size_t size, const physad__pose_frame *f, bool quaternions)
{
    physad__snprintf(out, size, "%s, %s axes%s",
                     f->direction == PHYSAD__POSE_TO_WORLD ? "camera-to-world" : "world-to-camera",
                     f->axes == PHYSAD__POSE_OPENCV ? "opencv" : "opengl",
                     !quaternions                    ? ""
                     : f->order == PHYSAD__POSE_XYZW ? ", quaternions xyzw"
                                                     : ", quaternions wxyz");
    return out;
}

typedef struct open_parts {
    bool direction, axes, order, quaternions;
} open_parts;

static open_parts what_is_open(const physad__pose_frame *f, const physad__pose_row *const *rows, int64_t n)
{
    open_parts o = { .axes = f->axes == 0 };
    for (int64_t i = 0; i < n; i++) {
        o.direction |= f->direction == 0 && rows[i]->direction == 0;
        o.order |= f->order == 0 && rows[i]->count == 7 && rows[i]->order == 0;
        o.quaternions |= rows[i]->count == 7;
    }
    return o;
}

static physad_status refuse(const physad__pose_found *best, const physad__pose_frame *second, bool quaternions,
                            int64_t n, const char *name)
{
    static const char mend[] = "say \"pose\": \"camera-to-world\" or \"world-to-camera\", \"axes\": \"opencv\" or "
                               "\"opengl\"";
    char a[96], b[96];
    const double degrees = 180 / M_PI;
    const char *more = quaternions ? ", \"quaternion\": \"xyzw\" or \"wxyz\"" : "";
    if (n < 3)
        return physad__error(PHYSAD_ERR_FORMAT,
                             "%s: %lld poses cannot tell what they mean, want 3; or %s%s in camera.json", name,
                             (long long)n, mend, more);
    if (!(best->angle <= MOST_ANGLE))
        return physad__error(
            PHYSAD_ERR_FORMAT,
            "%s: by no reading of the poses do the cameras look at one place (the best is %.0f degrees "
            "past it): are they of these photos? Or %s%s in camera.json",
            name, isfinite(best->angle) ? best->angle * degrees : 180.0, mend, more);
    return physad__error(PHYSAD_ERR_FORMAT,
                         "%s: the poses can be read in two ways: by %s the cameras look at one place within %.1f "
                         "degrees, by %s within %.1f; %s%s in camera.json",
                         name, physad__pose_words(a, sizeof(a), &best->frame, quaternions), best->angle * degrees,
                         physad__pose_words(b, sizeof(b), second, quaternions), best->next * degrees, mend, more);
}

/* Tries all readings of what is open. */
static physad_status try_all(physad__posed *const *photos, const physad__pose_row *const *rows, int64_t n,
                             physad__pose_found *found, open_parts open, double *room, const char *name)
{
    const physad__pose_frame told = found->frame;
    physad__pose_frame second = told;
    found->looked = true;
    found->angle = found->next = INFINITY;
    for (int k = 0; k < 8; k++) {
        physad__pose_frame f = told;
        double distance = 0;
        if ((!open.direction && (k & 1)) || (!open.axes && (k & 2)) || (!open.order && (k & 4)))
            continue;
        f.direction = open.direction ? (k & 1) + 1 : f.direction;
        f.axes = open.axes ? (k >> 1 & 1) + 1 : f.axes;
        f.order = open.order ? (k >> 2) + 1 : f.order;
        apply_all(photos, rows, n, &f);
        const double angle = look(photos, n, room, &distance);
        if (angle < found->angle) {
            second = found->frame;
            found->next = found->angle;
            found->angle = angle;
            found->distance = distance;
            found->frame = f;
        } else if (angle < found->next) {
            found->next = angle;
            second = f;
        }
    }
    const bool clear = found->next > 2 * found->angle && found->next > found->angle + CLEARLY;
    if (n < 3 || !(found->angle <= MOST_ANGLE) || !clear)
        return refuse(found, &second, open.quaternions, n, name);
    return PHYSAD_OK;
}

physad_status physad__pose_settle(physad__mem *mem, physad__posed *const *photos, const physad__pose_row *const *rows,
                                  int64_t n, const physad__pose_frame *told, physad__pose_found *found,
                                  const char *name)
{
    *found = (physad__pose_found){ .frame = *told };
    PHYSAD__TRY(find_first(&found->frame, rows, n, name));
    PHYSAD__TRY(check_rows(&found->frame, photos, rows, n, name));
    const open_parts open = what_is_open(&found->frame, rows, n);
    if (open.direction || open.axes || open.order) {
        double *room = physad__alloc_array(mem, 2 * n + 1, sizeof(*room), "poses");
        if (room == NULL)
            return PHYSAD_ERR_NOMEM;
        const physad_status status = try_all(photos, rows, n, found, open, room, name);
        physad__free(room);
        PHYSAD__TRY(status);
    }
    apply_all(photos, rows, n, &found->frame);
    return PHYSAD_OK;
}
