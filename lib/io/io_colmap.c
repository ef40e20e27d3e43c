/* SPDX-License-Identifier: Apache-2.0 */
/* COLMAP's sparse models: cameras, images, points3D, each a .bin (little-endian, a count first) or a .txt. */
#include "io/io_file.h"
#include "io/io_poses.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FILE ((uint64_t)4 << 30)
#define MAX_NAME 4096

typedef struct camera {
    int64_t id;
    physad__lens lens;
} camera;

typedef struct model {
    const char *name;
    int32_t n_params; /* 0 at the end */
    bool known;       /* we undistort it */
} model;

static const model models[] = {
    { "SIMPLE_PINHOLE", 3, true },         { "PINHOLE", 4, true },         { "SIMPLE_RADIAL", 4, true },
    { "RADIAL", 5, true },                 { "OPENCV", 8, true },          { "OPENCV_FISHEYE", 8, false },
    { "FULL_OPENCV", 12, false },          { "FOV", 5, false },            { "SIMPLE_RADIAL_FISHEYE", 4, false },
    { "RADIAL_FISHEYE", 5, false },        { "THIN_PRISM_FISHEYE", 12, false },
};

/* A file that is read from front to back; in text, number by number within a line. */
typedef struct reader {
    const unsigned char *data;
    size_t size, at;
    const char *folder, *file;
} reader;

static physad_status fault(const reader *r, const char *reason)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: %s, byte %zu: %s", r->folder, r->file, r->at, reason);
}

static void lens_set(physad__lens *lens, int32_t kind, const double *p)
{
    const bool two = kind == 1 || kind == 4; /* two focal lengths */
    const double *rest = p + (two ? 4 : 3);
    lens->fx = p[0];
    lens->fy = two ? p[1] : p[0];
    lens->cx = two ? p[2] : p[1];
    lens->cy = two ? p[3] : p[2];
    lens->k1 = kind >= 2 ? rest[0] : 0;
    lens->k2 = kind >= 3 ? rest[1] : 0;
    lens->p1 = kind == 4 ? rest[2] : 0;
    lens->p2 = kind == 4 ? rest[3] : 0;
}

static physad_status lens_check(const reader *r, const physad__lens *lens, int32_t kind)
{
    const double all[] = { lens->fx, lens->fy, lens->cx, lens->cy, lens->k1, lens->k2, lens->p1, lens->p2 };
    if (!models[kind].known)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "%s: %s: the lens model %s is not supported; want SIMPLE_PINHOLE, PINHOLE, "
                             "SIMPLE_RADIAL, RADIAL or OPENCV (run colmap image_undistorter)",
                             r->folder, r->file, models[kind].name);
    for (int64_t i = 0; i < PHYSAD__COUNT(all); i++)
        if (!isfinite(all[i]) || fabs(all[i]) > 1e9)
            return fault(r, "a camera's parameter is not finite");
    if (!(lens->fx > 0) || !(lens->fy > 0))
        return fault(r, "a camera's focal length is not positive");
    if (lens->width < 1 || lens->height < 1 || lens->width > 1000000 || lens->height > 1000000)
        return fault(r, "a camera's size is not within 1 to 1000000 pixels");
    return PHYSAD_OK;
}

/* A point's number in the files and ours. */
typedef struct numbered {
    int64_t id, index;
} numbered;

/* What the parsing of a folder carries along. */
typedef struct parse {
    physad__poses *out;
    camera *cameras;
    numbered *points;
    int64_t n_cameras, cameras_size, points_size;
    int64_t *slots; /* cameras by their numbers: place + 1, 0: free; a power of two, at most half full */
    int64_t n_slots;
} parse;

/* The slot of a camera's number, or the free one where it belongs. */
static int64_t slot_of(const parse *p, int64_t id)
{
    const int64_t mask = p->n_slots - 1;
    uint64_t mixed = (uint64_t)id * 0x9e3779b97f4a7c15u; /* Knuth's multiplicative hash */
    mixed ^= mixed >> 32;
    int64_t at = (int64_t)(mixed & (uint64_t)mask);
    while (p->slots[at] != 0 && p->cameras[p->slots[at] - 1].id != id)
        at = (at + 1) & mask;
    return at;
}

static const camera *camera_find(const parse *p, int64_t id)
{
    const int64_t place = p->n_slots > 0 ? p->slots[slot_of(p, id)] : 0;
    return place > 0 ? &p->cameras[place - 1] : NULL;
}

/* Room for one more camera; all are put where they belong then. */
static physad_status slots_grow(parse *p)
{
    if (2 * (p->n_cameras + 1) <= p->n_slots)
        return PHYSAD_OK;
    const int64_t n = physad__max(64, 2 * p->n_slots);
    int64_t *slots = physad__alloc_zero(p->out->mem, (size_t)n * sizeof(*slots), "cameras");
    if (slots == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__free(p->slots);
    p->slots = slots;
    p->n_slots = n;
    for (int64_t i = 0; i < p->n_cameras; i++)
        p->slots[slot_of(p, p->cameras[i].id)] = i + 1;
    return PHYSAD_OK;
}

static physad_status camera_add(parse *p, const reader *r, int64_t id, int32_t kind, int64_t width, int64_t height,
                                const double *params)
{
    camera c = { .id = id, .lens = { .width = width, .height = height } };
    lens_set(&c.lens, kind, params);
    PHYSAD__TRY(lens_check(r, &c.lens, kind));
    if (camera_find(p, id) != NULL)
        return fault(r, "two cameras have one number");
    PHYSAD__TRY(slots_grow(p));
    PHYSAD__TRY(physad__grow(p->out->mem, &p->cameras, &p->cameras_size, p->n_cameras + 1, sizeof(c), "cameras"));
    p->slots[slot_of(p, id)] = p->n_cameras + 1;
    p->cameras[p->n_cameras++] = c;
    return PHYSAD_OK;
}

double physad__quaternion_matrix(double out[9], const double q[4])
{
    const double length = sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]);
    const double w = q[0] / length, x = q[1] / length, y = q[2] / length, z = q[3] / length;
    const double r[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                          2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                          2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y) };
    memcpy(out, r, sizeof(r));
    return length;
}

static bool rotation_of(double out[9], const double q[4])
{
    const double length = physad__quaternion_matrix(out, q);
    return length > 0.5 && length < 2; /* also false for what is no number */
}

static physad_status image_add(parse *p, const reader *r, const double pose[7], int64_t camera_id, const char *name,
                               size_t length)
{
    physad__poses *out = p->out;
    physad__posed photo = { 0 };
    if (!rotation_of(photo.rotation, pose))
        return fault(r, "an image's quaternion is not of length 1");
    for (int k = 0; k < 3; k++) {
        photo.translation[k] = pose[4 + k];
        if (!isfinite(pose[4 + k]))
            return fault(r, "an image's translation is not finite");
    }
    const camera *c = camera_find(p, camera_id);
    if (c == NULL)
        return fault(r, "an image names a camera that is not there");
    photo.lens = c->lens;
    if (length == 0 || length > MAX_NAME)
        return fault(r, "an image's name is empty or longer than 4096 bytes");
    if (memchr(name, '\0', length) != NULL)
        return fault(r, "an image's name has a zero byte");
    PHYSAD__TRY(physad__grow(out->mem, &out->photos, &out->photos_size, out->n_photos + 1, sizeof(photo), "photos"));
    photo.name = physad__strndup(out->mem, name, length);
    if (photo.name == NULL)
        return PHYSAD_ERR_NOMEM;
    photo.first_seen = out->n_seen;
    out->photos[out->n_photos++] = photo;
    return PHYSAD_OK;
}

/* A point that the photo added last shows; `id` is the files' until all is read, negative where it became no point. */
static physad_status seen_add(parse *p, const reader *r, double x, double y, int64_t id)
{
    physad__poses *out = p->out;
    if (id < 0)
        return PHYSAD_OK;
    if (!isfinite(x) || !isfinite(y))
        return fault(r, "an image's point is not finite");
    PHYSAD__TRY(
        physad__grow(out->mem, &out->seen, &out->seen_size, out->n_seen + 1, sizeof(*out->seen), "points of photos"));
    out->seen[out->n_seen++] = (physad__seen){ id, x, y };
    out->photos[out->n_photos - 1].n_seen++;
    return PHYSAD_OK;
}

static physad_status point_add(parse *p, const reader *r, int64_t id, const double xyz[3], const int64_t rgb[3])
{
    physad__poses *out = p->out;
    PHYSAD__TRY(physad__grow(out->mem, &p->points, &p->points_size, out->n_points + 1, sizeof(*p->points), "points"));
    p->points[out->n_points] = (numbered){ id, out->n_points };
    PHYSAD__TRY(
        physad__grow(out->mem, &out->points, &out->points_size, 3 * out->n_points + 3, sizeof(double), "points"));
    PHYSAD__TRY(
        physad__grow(out->mem, &out->colours, &out->colours_size, 3 * out->n_points + 3, 1, "colours of points"));
    for (int k = 0; k < 3; k++) {
        if (!isfinite(xyz[k]))
            return fault(r, "a point's place is not finite");
        if (rgb[k] < 0 || rgb[k] > 255)
            return fault(r, "a point's colour is not within 0 to 255");
        out->points[3 * out->n_points + k] = xyz[k];
        out->colours[3 * out->n_points + k] = (uint8_t)rgb[k];
    }
    out->n_points++;
    return PHYSAD_OK;
}

/* --- binary --- */

static bool take(reader *r, void *out, size_t size)
{
    if (r->size - r->at < size)
        return false;
    memcpy(out, r->data + r->at, size);
    r->at += size;
    return true;
}

static physad_status cut(const reader *r)
{
    return physad__error(PHYSAD_ERR_FORMAT, "%s: %s, byte %zu: the file ends within an entry (%zu bytes in all)",
                         r->folder, r->file, r->at, r->size);
}

/* The count that a file starts with; `least` bytes belong to each entry at least. */
static physad_status take_count(reader *r, uint64_t *count, size_t least)
{
    if (!take(r, count, sizeof(*count)))
        return cut(r);
    if (*count > (r->size - r->at) / least)
        return physad__error(PHYSAD_ERR_FORMAT, "%s: %s, byte 0: a count of %llu entries does not fit in %zu bytes",
                             r->folder, r->file, (unsigned long long)*count, r->size);
    return PHYSAD_OK;
}

static physad_status binary_cameras(parse *p, reader *r)
{
    uint64_t count, width, height;
    uint32_t id;
    int32_t kind;
    double params[12];
    PHYSAD__TRY(take_count(r, &count, 48));
    for (uint64_t i = 0; i < count; i++) {
        if (!take(r, &id, 4) || !take(r, &kind, 4) || !take(r, &width, 8) || !take(r, &height, 8))
            return cut(r);
        if (kind < 0 || kind >= PHYSAD__COUNT(models))
            return fault(r, "a camera's lens model is not one of COLMAP's (0 to 10)");
        if (!take(r, params, (size_t)models[kind].n_params * sizeof(double)))
            return cut(r);
        if (width > 1000000 || height > 1000000)
            return fault(r, "a camera's size is not within 1 to 1000000 pixels");
        PHYSAD__TRY(camera_add(p, r, id, kind, (int64_t)width, (int64_t)height, params));
    }
    return PHYSAD_OK;
}

static physad_status binary_images(parse *p, reader *r)
{
    uint64_t count, n;
    uint32_t id, camera_id;
    double pose[7];
    PHYSAD__TRY(take_count(r, &count, 74));
    for (uint64_t i = 0; i < count; i++) {
        if (!take(r, &id, 4) || !take(r, pose, sizeof(pose)) || !take(r, &camera_id, 4))
            return cut(r);
        const unsigned char *name = r->data + r->at, *end = memchr(name, 0, r->size - r->at);
        if (end == NULL)
            return cut(r);
        PHYSAD__TRY(image_add(p, r, pose, camera_id, (const char *)name, (size_t)(end - name)));
        r->at += (size_t)(end - name) + 1;
        if (!take(r, &n, 8))
            return cut(r);
        if (n > (r->size - r->at) / 24)
            return fault(r, "an image's points do not fit in the file");
        for (uint64_t k = 0; k < n; k++) {
            double at[2];
            int64_t point = -1;
            take(r, at, sizeof(at));
            take(r, &point, sizeof(point));
            PHYSAD__TRY(seen_add(p, r, at[0], at[1], point));
        }
    }
    return PHYSAD_OK;
}

static physad_status binary_points(parse *p, reader *r)
{
    uint64_t count, id, n;
    double xyz[3], error;
    uint8_t rgb[3];
    PHYSAD__TRY(take_count(r, &count, 51));
    for (uint64_t i = 0; i < count; i++) {
        if (!take(r, &id, 8) || !take(r, xyz, sizeof(xyz)) || !take(r, rgb, 3) || !take(r, &error, 8) ||
            !take(r, &n, 8))
            return cut(r);
        if (n > (r->size - r->at) / 8)
            return fault(r, "a point's track does not fit in the file");
        r->at += (size_t)n * 8;
        const int64_t colour[3] = { rgb[0], rgb[1], rgb[2] };
        PHYSAD__TRY(point_add(p, r, (int64_t)id, xyz, colour));
    }
    return PHYSAD_OK;
}

/* --- text --- */

/* The next line as [*line, *line + *length); false at the end. */
static bool next_line(reader *r, const char **line, size_t *length)
{
    if (r->at >= r->size)
        return false;
    *line = (const char *)r->data + r->at;
    const char *end = memchr(*line, '\n', r->size - r->at);
    *length = end != NULL ? (size_t)(end - *line) : r->size - r->at;
    r->at += *length + (end != NULL);
    if (*length > 0 && (*line)[*length - 1] == '\r')
        (*length)--;
    return true;
}

/* The same without comments and empty lines. */
static bool next_entry(reader *r, const char **line, size_t *length)
{
    while (next_line(r, line, length))
        if (*length > 0 && (*line)[0] != '#')
            return true;
    return false;
}

/* The next word of a line as text of at most 63 bytes. */
static bool next_word(char word[64], const char **line, size_t *length)
{
    size_t n = 0;
    while (*length > 0 && (**line == ' ' || **line == '\t')) {
        (*line)++;
        (*length)--;
    }
    while (n < *length && (*line)[n] != ' ' && (*line)[n] != '\t')
        n++;
    if (n == 0 || n > 63)
        return false;
    memcpy(word, *line, n);
    word[n] = 0;
    *line += n;
    *length -= n;
    return true;
}

static bool next_int(int64_t *value, const char **line, size_t *length)
{
    char word[64];
    return next_word(word, line, length) && physad__parse_int(word, value);
}

static bool next_doubles(double *values, int n, const char **line, size_t *length)
{
    char word[64];
    for (int i = 0; i < n; i++)
        if (!next_word(word, line, length) || !physad__parse_double(word, values + i))
            return false;
    return true;
}

static physad_status text_cameras(parse *p, reader *r)
{
    const char *line;
    size_t length;
    while (next_entry(r, &line, &length)) {
        char word[64];
        int64_t id, width, height;
        int32_t kind = 0;
        double params[12];
        if (!next_int(&id, &line, &length) || !next_word(word, &line, &length))
            return fault(r, "a camera's line is not ID MODEL WIDTH HEIGHT PARAMS");
        while (kind < PHYSAD__COUNT(models) && strcmp(models[kind].name, word) != 0)
            kind++;
        if (kind == PHYSAD__COUNT(models))
            return fault(r, "a camera's lens model is not one of COLMAP's");
        if (!next_int(&width, &line, &length) || !next_int(&height, &line, &length) ||
            !next_doubles(params, models[kind].n_params, &line, &length))
            return fault(r, "a camera's line is not ID MODEL WIDTH HEIGHT PARAMS");
        PHYSAD__TRY(camera_add(p, r, id, kind, width, height, params));
    }
    return PHYSAD_OK;
}

static physad_status text_seen(parse *p, const reader *r, const char *line, size_t length)
{
    char word[64];
    while (next_word(word, &line, &length)) {
        double x, y;
        int64_t id;
        if (!physad__parse_double(word, &x) || !next_doubles(&y, 1, &line, &length) || !next_int(&id, &line, &length))
            return fault(r, "an image's points are not X Y POINT each");
        PHYSAD__TRY(seen_add(p, r, x, y, id));
    }
    return length == 0 ? PHYSAD_OK : fault(r, "an image's points are not X Y POINT each");
}

static physad_status text_images(parse *p, reader *r)
{
    const char *line;
    size_t length;
    while (next_entry(r, &line, &length)) {
        int64_t id, camera_id;
        double pose[7];
        if (!next_int(&id, &line, &length) || !next_doubles(pose, 7, &line, &length) ||
            !next_int(&camera_id, &line, &length) || length < 2)
            return fault(r, "an image's line is not ID QW QX QY QZ TX TY TZ CAMERA NAME");
        PHYSAD__TRY(image_add(p, r, pose, camera_id, line + 1, length - 1));
        if (next_line(r, &line, &length)) /* its points, perhaps none */
            PHYSAD__TRY(text_seen(p, r, line, length));
    }
    return PHYSAD_OK;
}

static physad_status text_points(parse *p, reader *r)
{
    const char *line;
    size_t length;
    while (next_entry(r, &line, &length)) {
        int64_t id, rgb[3];
        double xyz[3];
        if (!next_int(&id, &line, &length) || !next_doubles(xyz, 3, &line, &length) ||
            !next_int(&rgb[0], &line, &length) || !next_int(&rgb[1], &line, &length) ||
            !next_int(&rgb[2], &line, &length))
            return fault(r, "a point's line is not ID X Y Z R G B ERROR TRACK");
        PHYSAD__TRY(point_add(p, r, id, xyz, rgb));
    }
    return PHYSAD_OK;
}

/* --- the whole --- */

static int by_name(const void *a, const void *b)
{
    return physad__natural_compare(((const physad__posed *)a)->name, ((const physad__posed *)b)->name);
}

void physad__poses_free(physad__poses *poses)
{
    for (int64_t i = 0; i < poses->n_photos; i++)
        physad__free(poses->photos[i].name);
    physad__free(poses->photos);
    physad__free(poses->points);
    physad__free(poses->colours);
    physad__free(poses->seen);
    *poses = (physad__poses){ 0 };
}

static int by_id(const void *a, const void *b)
{
    const int64_t x = ((const numbered *)a)->id, y = ((const numbered *)b)->id;
    return (x > y) - (x < y);
}

/* From the files' numbers of points to ours. */
static physad_status number_points(parse *p, const char *folder)
{
    physad__poses *out = p->out;
    if (out->n_points > 0)
        qsort(p->points, (size_t)out->n_points, sizeof(*p->points), by_id);
    for (int64_t i = 1; i < out->n_points; i++)
        if (p->points[i].id == p->points[i - 1].id)
            return physad__error(PHYSAD_ERR_FORMAT, "%s: two points have one number, %lld", folder,
                                 (long long)p->points[i].id);
    for (int64_t i = 0; i < out->n_seen; i++) {
        const numbered key = { out->seen[i].point, 0 };
        const numbered *found =
            out->n_points > 0 ? bsearch(&key, p->points, (size_t)out->n_points, sizeof(key), by_id) : NULL;
        out->seen[i].point = found != NULL ? found->index : -1;
    }
    return PHYSAD_OK;
}

physad_status physad__colmap_parse(physad__poses *out, physad__mem *mem, const void *const data[3],
                                   const size_t sizes[3], bool text, const char *name)
{
    static const char *const files[2][3] = { { "cameras.bin", "images.bin", "points3D.bin" },
                                             { "cameras.txt", "images.txt", "points3D.txt" } };
    physad_status (*const steps[2][3])(parse *, reader *) = { { binary_cameras, binary_images, binary_points },
                                                              { text_cameras, text_images, text_points } };
    *out = (physad__poses){ .mem = mem };
    parse p = { .out = out };
    physad_status status = PHYSAD_OK;
    for (int k = 0; k < 3 && status == PHYSAD_OK; k++) {
        reader r = { data[k], sizes[k], 0, name, files[text][k] };
        status = steps[text][k](&p, &r);
        if (status == PHYSAD_OK && !text && r.at != r.size)
            status = fault(&r, "bytes behind the last entry");
    }
    if (status == PHYSAD_OK && out->n_photos == 0)
        status = physad__error(PHYSAD_ERR_FORMAT, "%s: no image has a pose", name);
    if (status == PHYSAD_OK)
        status = number_points(&p, name);
    physad__free(p.cameras);
    physad__free(p.slots);
    physad__free(p.points);
    if (status != PHYSAD_OK)
        physad__poses_free(out);
    else
        qsort(out->photos, (size_t)out->n_photos, sizeof(*out->photos), by_name);
    return status;
}

physad_status physad__colmap_read(physad__poses *out, physad__mem *mem, const char *folder)
{
    static const char *const names[2][3] = { { "cameras.bin", "images.bin", "points3D.bin" },
                                             { "cameras.txt", "images.txt", "points3D.txt" } };
    unsigned char *data[3] = { NULL };
    size_t sizes[3] = { 0 };
    physad_status status = PHYSAD_OK;
    *out = (physad__poses){ 0 };
    char *path = physad__path_join(mem, folder, names[0][0]);
    if (path == NULL)
        return PHYSAD_ERR_NOMEM;
    const bool text = !physad__path_is_file(path);
    physad__free(path);
    for (int k = 0; k < 3 && status == PHYSAD_OK; k++) {
        path = physad__path_join(mem, folder, names[text][k]);
        status = path != NULL ? physad__file_read(&data[k], &sizes[k], mem, path, MAX_FILE) : PHYSAD_ERR_NOMEM;
        physad__free(path);
    }
    if (status == PHYSAD_OK)
        status = physad__colmap_parse(out, mem, (const void *const *)data, sizes, text, folder);
    for (int k = 0; k < 3; k++)
        physad__free(data[k]);
    return status;
}
