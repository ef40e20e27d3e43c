/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of splatting, of a tile's pixels and of the Gaussians' way there and back. They round differently from
 * set to set, so that numbers are compared within what rounding may do. Where a hair's breadth decides (a pixel at
 * alpha 1/255, a Gaussian at the near plane) both answers are right: inputs keep away from such places, and pixels that
 * come near one take no part. */
#include "checkasm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

enum { PIXELS = PHYSAD__SPLAT_PIXELS, MOMENTS = PHYSAD__SPLAT_MOMENTS, MOST = PHYSAD__SPLAT_MAX_CHANNELS };

static float uniform(float low, float high)
{
    return low + (high - low) * (float)(check_random() >> 40) * 0x1p-24f;
}

static double length_of(const float *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* The vector's error against its length, and each element's against the largest. */
static void compare(const char *what, const float *want, const float *got, int64_t n, double tolerance)
{
    double error = 0, worst = 0, largest = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        error += d * d;
        largest = fmax(largest, fabs((double)want[i]));
        if (!(d <= worst)) { /* also for what is no number */
            worst = d;
            at = i;
        }
    }
    if (!(sqrt(error) <= tolerance * length_of(want, n)) || !(worst <= 4 * tolerance * largest))
        check_failed("%s: off by %.3g of its length; element %lld of %lld is %.9g, want %.9g", what,
                     sqrt(error) / length_of(want, n), (long long)at, (long long)n, (double)got[at], (double)want[at]);
}

/* --- Gaussians to the picture --- */

typedef struct model {
    physad__splat_project job;
    float *planes;
    int64_t count, planes_size; /* floats */
} model;

static physad__splat_planes planes_at(float *memory, int64_t stride)
{
    const physad__splat_planes p = {
        memory, memory + 3 * stride, memory + 6 * stride, memory + 10 * stride, memory + 11 * stride, stride
    };
    return p;
}

static int64_t plane_count(int degree)
{
    return 11 + 3 * (degree + 1) * (degree + 1);
}

static void fill_camera(physad__splat_camera *c)
{
    float q[4], length = 0;
    for (int k = 0; k < 4; k++) {
        q[k] = check_normal();
        length += q[k] * q[k];
    }
    for (int k = 0; k < 4; k++)
        q[k] /= sqrtf(length);
    const float w = q[0], x = q[1], y = q[2], z = q[3];
    const float r[9] = { 1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                         2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                         2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y) };
    memcpy(c->rotation, r, sizeof(r));
    for (int k = 0; k < 3; k++)
        c->translation[k] = check_normal();
    for (int k = 0; k < 3; k++)
        c->centre[k] = -(r[k] * c->translation[0] + r[3 + k] * c->translation[1] + r[6 + k] * c->translation[2]);
    c->width = 100;
    c->height = 70;
    c->fx = 90;
    c->fy = 95;
    c->cx = 49.3f;
    c->cy = 36.2f;
    c->nearest = 0.2f;
}

/* In front of the camera and behind it, within the picture and beside it, but none at the near plane or at the least
 * opacity. */
static void fill_gaussian(const model *m, int64_t i)
{
    const physad__splat_camera *c = &m->job.camera;
    const physad__splat_planes *p = &m->job.planes;
    const float z = check_below(8) == 0 ? uniform(-2, 0.15f) : uniform(0.5f, 6);
    const float view[3] = { uniform(-0.9f, 0.9f) * z - c->translation[0], uniform(-0.7f, 0.7f) * z - c->translation[1],
                            z - c->translation[2] };
    for (int k = 0; k < 3; k++) {
        p->xyz[k * p->stride + i] =
            c->rotation[k] * view[0] + c->rotation[3 + k] * view[1] + c->rotation[6 + k] * view[2];
        p->log_scale[k * p->stride + i] = uniform(-5, -2) + logf(fmaxf(z, 0.5f));
    }
    for (int k = 0; k < 4; k++)
        p->quaternion[k * p->stride + i] = check_normal() + (k == 0 ? 0.5f : 0);
    p->opacity[i] = check_below(8) == 0 ? uniform(-9, -6) : uniform(-5, 6); /* 1/255 is at -5.54 */
    for (int64_t k = 0; k < 3 * (m->job.degree + 1) * (m->job.degree + 1); k++)
        p->sh[k * p->stride + i] = 0.4f * check_normal();
}

static model make_model(int64_t count, int degree, int with_depth, int extra)
{
    model m = { .count = count, .planes_size = plane_count(degree) * count };
    m.planes = check_alloc((size_t)m.planes_size * sizeof(float), 0);
    m.job = (physad__splat_project){ .planes = planes_at(m.planes, count), .degree = degree, .with_depth = with_depth,
                                     .channels = 3 + with_depth + extra };
    fill_camera(&m.job.camera);
    for (int64_t i = 0; i < count; i++)
        fill_gaussian(&m, i);
    return m;
}

static void give_outputs(physad__splat_project *job, int64_t count)
{
    job->records = check_output((size_t)count * sizeof(*job->records));
    job->features = check_output((size_t)(count * job->channels) * sizeof(float));
}

/* How much rounding grows when the covariance is inverted: 1 for a round Gaussian. */
static double condition(const physad__splat_record *r)
{
    const double product = (double)r->a * (double)r->c;
    return product / (product - 0.25 * (double)r->b * (double)r->b);
}

static bool near(float got, float want, double tolerance)
{
    return fabs((double)got - (double)want) <= tolerance;
}

/* Tiles by a record's own numbers. */
static bool right_tiles(float centre, float reach, float radius, int32_t size, int16_t first, int16_t count)
{
    const float least = fmaxf(floorf((centre - radius) / 16), floorf((centre - reach) / 16));
    const float end = fminf(floorf((centre + radius + 15) / 16), floorf((centre + reach) / 16) + 1);
    const float low = fmaxf(least, 0), high = fminf(end, (float)((size + 15) / 16));
    return high > low ? first == (int16_t)low && count == (int16_t)(high - low) : first == 0 && count == 0;
}

static void compare_record(const physad__splat_project *job, const physad__splat_record *want,
                           const physad__splat_record *got, int64_t i)
{
    const double k = condition(want), shape = 1e-5 * k;
    const physad__splat_record *r = got;
    if ((want->depth > 0) != (r->depth > 0)) {
        check_failed("Gaussian %lld is %sseen", (long long)i, r->depth > 0 ? "" : "not ");
        return;
    }
    if (!(want->depth > 0))
        return;
    if (!near(r->x, want->x, 1e-4) || !near(r->y, want->y, 1e-4) ||
        !near(r->depth, want->depth, 1e-6 * (double)want->depth + 1e-6) || !near(r->opacity, want->opacity, 1e-6) ||
        !near(r->level, want->level, 2e-6))
        check_failed("Gaussian %lld: at %.9g %.9g %.9g of %.9g %.9g, want %.9g %.9g %.9g of %.9g %.9g", (long long)i,
                     (double)r->x, (double)r->y, (double)r->depth, (double)r->opacity, (double)r->level,
                     (double)want->x, (double)want->y, (double)want->depth, (double)want->opacity, (double)want->level);
    if (!near(r->a, want->a, shape * fabs((double)want->a)) || !near(r->c, want->c, shape * fabs((double)want->c)) ||
        !near(r->b, want->b, shape * sqrt((double)want->a * (double)want->c)))
        check_failed("Gaussian %lld: shape %.9g %.9g %.9g, want %.9g %.9g %.9g", (long long)i, (double)r->a,
                     (double)r->b, (double)r->c, (double)want->a, (double)want->b, (double)want->c);
    if (!near(r->reach_x, want->reach_x, 1e-4 * (double)want->reach_x) ||
        !near(r->reach_y, want->reach_y, 1e-4 * (double)want->reach_y) || !near(r->radius, want->radius, 1))
        check_failed("Gaussian %lld: reaches %.9g %.9g %.9g, want %.9g %.9g %.9g", (long long)i, (double)r->reach_x,
                     (double)r->reach_y, (double)r->radius, (double)want->reach_x, (double)want->reach_y,
                     (double)want->radius);
    if (!near(r->lean_x, -0.5 * (double)r->b / (double)r->a, 1e-5 * (1 + fabs((double)r->lean_x))) ||
        !near(r->lean_y, -0.5 * (double)r->b / (double)r->c, 1e-5 * (1 + fabs((double)r->lean_y))))
        check_failed("Gaussian %lld: leans by %.9g and %.9g", (long long)i, (double)r->lean_x, (double)r->lean_y);
    if ((r->tiles_x == 0) != (r->tiles_y == 0) ||
        (r->tiles_x > 0 && (!right_tiles(r->x, r->reach_x, r->radius, job->camera.width, r->tile_x, r->tiles_x) ||
                            !right_tiles(r->y, r->reach_y, r->radius, job->camera.height, r->tile_y, r->tiles_y))))
        check_failed("Gaussian %lld: tiles %d %d of %d %d do not fit its place and reach", (long long)i, r->tile_x,
                     r->tile_y, r->tiles_x, r->tiles_y);
}

static void compare_features(const physad__splat_project *want, const physad__splat_project *got, int64_t i)
{
    const float *a = want->features + i * want->channels, *b = got->features + i * got->channels;
    const int written = want->records[i].depth > 0 ? 3 + want->with_depth : 0;
    for (int ch = 0; ch < written; ch++)
        if (!near(b[ch], a[ch], 2e-5 * (1 + fabs((double)a[ch]))))
            check_failed("Gaussian %lld: channel %d is %.9g, want %.9g", (long long)i, ch, (double)b[ch],
                         (double)a[ch]);
    if (!check_untouched(b + written, (size_t)(got->channels - written) * sizeof(float)))
        check_failed("Gaussian %lld: wrote channels that are not its own", (long long)i);
}

static void check_project(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    static const int64_t counts[] = { 16, 32, 240 };
    for (int a = 0; a < COUNT(counts); a++)
        for (int degree = 0; degree <= 3; degree++) {
            const int64_t n = counts[a], begin = n > 32 ? 16 : 0, end = n > 32 ? n - 16 : n;
            const model m = make_model(n, degree, degree & 1, degree & 2);
            physad__splat_project want = m.job, got = m.job;
            give_outputs(&want, n);
            give_outputs(&got, n);
            reference->project(&want, begin, end);
            tested->project(&got, begin, end);
            for (int64_t i = begin; i < end; i++) {
                compare_record(&m.job, want.records + i, got.records + i, i);
                compare_features(&want, &got, i);
            }
            if (!check_untouched(got.records, (size_t)begin * sizeof(*got.records)) ||
                !check_untouched(got.records + end, (size_t)(n - end) * sizeof(*got.records)) ||
                !check_guards(got.records, (size_t)n * sizeof(*got.records)) ||
                !check_guards(got.features, (size_t)(n * got.channels) * sizeof(float)))
                check_failed("%lld Gaussians of degree %d: wrote outside", (long long)n, degree);
            check_free_all();
        }
}

/* Sums for every pair of the records, which are numbered. */
static float *fill_sums(const physad__splat_project *job, int64_t n)
{
    int64_t pairs = 0;
    for (int64_t i = 0; i < n; i++) {
        physad__splat_record *r = job->records + i;
        r->first = (int32_t)pairs;
        pairs += (int64_t)r->tiles_x * r->tiles_y;
    }
    const int64_t size = MOMENTS + job->channels;
    float *sums = check_alloc((size_t)(pairs * size) * sizeof(float), 0);
    for (int64_t i = 0; i < pairs * size; i++)
        sums[i] = check_normal();
    return sums;
}

static void compare_planes(const model *m, const float *want, const float *got, int degree)
{
    static const struct {
        const char *name;
        int first, count;
    } groups[] = { { "gradients by place", 0, 3 },
                   { "gradients by scale", 3, 3 },
                   { "gradients by rotation", 6, 4 },
                   { "gradients by opacity", 10, 1 } };
    const int64_t n = m->count;
    for (int g = 0; g < COUNT(groups); g++)
        compare(groups[g].name, want + groups[g].first * n, got + groups[g].first * n, groups[g].count * n, 2e-4);
    for (int64_t k = 11; k < plane_count(degree); k++)
        compare("gradients by a harmonic", want + k * n, got + k * n, n, 2e-5);
}

static void check_project_back(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    for (int turn = 0; turn < 8; turn++) {
        const int degree = turn & 3;
        const int64_t n = 240, size = plane_count(degree) * n;
        model m = make_model(n, degree, turn & 1, turn / 4);
        give_outputs(&m.job, n);
        reference->project(&m.job, 0, n);
        float *memory[2], *screen[2];
        physad__splat_project_back back[2];
        const float *sums = fill_sums(&m.job, n);
        for (int k = 0; k < 2; k++) {
            memory[k] = check_output((size_t)size * sizeof(float));
            screen[k] = check_output((size_t)n * sizeof(float));
            back[k] = (physad__splat_project_back){ .sums = sums,
                                                    .grads = planes_at(memory[k], n),
                                                    .screen = turn == 2 ? NULL : screen[k] };
            (k == 0 ? reference : tested)->project_back(&m.job, &back[k], 0, n);
        }
        compare_planes(&m, memory[0], memory[1], degree);
        if (turn != 2)
            compare("gradients on the screen", screen[0], screen[1], n, 2e-4);
        double error = 0, largest = 0;
        for (int k = 0; k < 6; k++) {
            error = fmax(error, fabs(back[1].pose[k] - back[0].pose[k]));
            largest = fmax(largest, fabs(back[0].pose[k]));
        }
        if (!(error <= 1e-3 * largest))
            check_failed("gradients by the pose: off by %.3g of %.3g", error, largest);
        if (!check_guards(memory[1], (size_t)size * sizeof(float)) ||
            !check_guards(screen[1], (size_t)n * sizeof(float)) ||
            (turn == 2 && !check_untouched(screen[1], (size_t)n * sizeof(float))))
            check_failed("degree %d: wrote outside", degree);
        check_free_all();
    }
}

/* --- the pixels of a tile --- */

typedef struct scene {
    physad__splat_tile tile;
    physad__splat_record *records;
    float *features, *transmittance; /* as the pixels begin */
    int32_t *list;
    uint16_t *reach; /* of each: by the last tile() */
    int64_t n, pairs;
} scene;

/* Gaussians around the second tile of the second row, which the last one of the list covers beside others. */
static void fill_record(physad__splat_record *r, int32_t *pairs)
{
    const float sx = uniform(0.6f, 7), sy = uniform(0.6f, 7), lean = uniform(-0.8f, 0.8f), rest = 1 - lean * lean;
    const float opacity = check_below(4) == 0 ? uniform(0.95f, 1) : uniform(0.02f, 0.9f);
    *r = (physad__splat_record){ .x = uniform(10, 38),
                                 .y = uniform(10, 38),
                                 .level = log2f(opacity),
                                 .opacity = opacity,
                                 .depth = 1,
                                 .tile_x = 0,
                                 .tile_y = 1,
                                 .tiles_x = 2,
                                 .tiles_y = 1,
                                 .first = *pairs };
    r->a = -0.72134752f / (rest * sx * sx);
    r->b = 1.44269504f * lean / (rest * sx * sy);
    r->c = -0.72134752f / (rest * sy * sy);
    r->lean_x = -0.5f * r->b / r->a;
    r->lean_y = -0.5f * r->b / r->c;
    const float reach = sqrtf(fmaxf(2 * 0.693147181f * (r->level + 7.995f), 0)) * 1.0001f;
    r->reach_x = reach * sx + 0.01f;
    r->reach_y = reach * sy + 0.01f;
    *pairs += 2;
}

/* Whether rounding could decide something at pixel (x, y): walks the list in double. */
static bool is_close(const scene *s, int x, int y)
{
    double left = 1;
    for (int64_t i = 0; i < s->n; i++) {
        const physad__splat_record *r = s->records + s->list[i];
        const double dx = s->tile.x + x - (double)r->x, dy = s->tile.y + y - (double)r->y;
        const double e = (double)r->level + (double)r->a * dx * dx + (double)r->b * dx * dy + (double)r->c * dy * dy,
                     raw = exp2(e);
        if (fabs(e - log2(1.0 / 255)) < 1e-4 || fabs(raw - 0.99) < 1e-5)
            return true;
        if (e < log2(1.0 / 255))
            continue;
        const double after = left * (1 - fmin(raw, 0.99));
        if (fabs(after - 1e-4) < 1e-6)
            return true;
        if (after < 1e-4)
            return false;
        left = after;
    }
    return false;
}

static scene make_scene(int64_t n, int channels)
{
    int32_t pairs = 0;
    scene s = { .n = n };
    s.records = check_alloc((size_t)(n + 3) * sizeof(*s.records), 0);
    s.features = check_alloc((size_t)((n + 3) * channels) * sizeof(float), 0);
    s.list = check_alloc((size_t)n * sizeof(int32_t), 0);
    s.reach = check_alloc((size_t)n * sizeof(uint16_t), 0);
    s.transmittance = check_alloc(PIXELS * sizeof(float), 0);
    for (int64_t i = 0; i < n + 3; i++)
        fill_record(s.records + i, &pairs);
    for (int64_t i = 0; i < (n + 3) * channels; i++)
        s.features[i] = check_normal();
    for (int64_t i = 0; i < n; i++)
        s.list[i] = (int32_t)((i * 7 + 2) % (n + 3)); /* not all of them, in another order */
    s.pairs = pairs;
    s.tile = (physad__splat_tile){ .records = s.records,
                                   .features = s.features,
                                   .channels = channels,
                                   .x = 16,
                                   .y = 16,
                                   .list = s.list,
                                   .n = n,
                                   .reach = s.reach };
    const int wide = 1 + (int)check_below(16), high = 1 + (int)check_below(16);
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            s.transmittance[((y / 4) * 4 + x / 4) * 16 + (y % 4) * 4 + x % 4] =
                x < wide && y < high && !is_close(&s, x, y) ? 1 : -1;
    return s;
}

typedef struct pixels {
    float *transmittance, *out;
} pixels;

static pixels run_tile(const physad__splat_kernels *kernels, const scene *s)
{
    const size_t size = (size_t)s->tile.channels * PIXELS * sizeof(float);
    const pixels p = { check_output(PIXELS * sizeof(float)), check_output(size) };
    physad__splat_tile tile = s->tile;
    memcpy(p.transmittance, s->transmittance, PIXELS * sizeof(float));
    memset(p.out, 0, size);
    tile.transmittance = p.transmittance;
    tile.out = p.out;
    kernels->tile(&tile);
    if (!check_guards(p.transmittance, PIXELS * sizeof(float)) || !check_guards(p.out, size))
        check_failed("%lld Gaussians, %d channels: wrote outside", (long long)s->n, s->tile.channels);
    return p;
}

/* Wherever a Gaussian adds something to a pixel, its block must be among those that it reaches. */
static void check_reach(const scene *s)
{
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        const int x = pixel / 16 % 4 * 4 + pixel % 4, y = pixel / 64 * 4 + pixel % 16 / 4;
        double left = 1;
        for (int64_t i = 0; i < s->n && s->transmittance[pixel] > 0; i++) {
            const physad__splat_record *r = s->records + s->list[i];
            const double dx = s->tile.x + x - (double)r->x, dy = s->tile.y + y - (double)r->y;
            const double e =
                (double)r->level + (double)r->a * dx * dx + (double)r->b * dx * dy + (double)r->c * dy * dy;
            left *= e >= log2(1.0 / 255) ? 1 - fmin(exp2(e), 0.99) : 1;
            if (left < 1e-4)
                break;
            if (e >= log2(1.0 / 255) && !(s->reach[i] >> pixel / 16 & 1))
                check_failed("%lld Gaussians: number %lld does not reach pixel %d %d of the tile, where alpha is %.3g",
                             (long long)s->n, (long long)i, x, y, exp2(e));
        }
    }
}

static const int64_t lists[] = { 0, 1, 3, 40, 150 };
static const int channel_counts[] = { 3, 4, 5, MOST };

static void check_tile(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    for (int a = 0; a < COUNT(lists); a++)
        for (int b = 0; b < COUNT(channel_counts); b++) {
            scene s = make_scene(lists[a], channel_counts[b]);
            s.tile.middle = channel_counts[b] > 3 && check_below(2) > 0;
            const pixels want = run_tile(reference, &s), got = run_tile(tested, &s);
            check_reach(&s);
            for (int i = 0; i < PIXELS; i++)
                if (!near(got.transmittance[i], want.transmittance[i], 2e-5))
                    check_failed("%lld Gaussians: transmittance %d is %.9g, want %.9g", (long long)s.n, i,
                                 (double)got.transmittance[i], (double)want.transmittance[i]);
            for (int64_t i = 0; i < s.tile.channels * PIXELS; i++)
                if (!near(got.out[i], want.out[i], 5e-5))
                    check_failed("%lld Gaussians: channel %lld of pixel %lld is %.9g, want %.9g", (long long)s.n,
                                 (long long)(i / PIXELS), (long long)(i % PIXELS), (double)got.out[i],
                                 (double)want.out[i]);
            check_free_all();
        }
}

/* What the pixels' gradients and the picture give tile_back(). */
typedef struct behind {
    float grads[MOST * PIXELS], base[PIXELS], rest[PIXELS];
} behind;

static void fill_behind(behind *b, const scene *s, const pixels *p)
{
    for (int i = 0; i < PIXELS; i++) {
        b->base[i] = check_normal();
        b->rest[i] = b->base[i] * (1 - fabsf(p->transmittance[i]));
    }
    for (int64_t i = 0; i < s->tile.channels * PIXELS; i++) {
        b->grads[i] = check_normal();
        b->rest[i % PIXELS] += b->grads[i] * p->out[i];
    }
}

static float *run_tile_back(const physad__splat_kernels *kernels, const scene *s, const behind *b)
{
    const size_t size = (size_t)(s->pairs * (MOMENTS + s->tile.channels)) * sizeof(float);
    float *sums = check_output(size), *transmittance = check_output(PIXELS * sizeof(float)),
          *rest = check_output(PIXELS * sizeof(float));
    physad__splat_tile tile = s->tile;
    memcpy(transmittance, s->transmittance, PIXELS * sizeof(float));
    memcpy(rest, b->rest, PIXELS * sizeof(float));
    tile.transmittance = transmittance;
    tile.rest = rest;
    tile.base = b->base;
    tile.grads = b->grads;
    tile.sums = sums;
    kernels->tile_back(&tile);
    if (!check_guards(sums, size) || !check_guards(transmittance, PIXELS * sizeof(float)) ||
        !check_guards(rest, PIXELS * sizeof(float)))
        check_failed("%lld Gaussians, %d channels: wrote outside", (long long)s->n, s->tile.channels);
    return sums;
}

/* The sums of the pairs with this tile, one kind after the other; those of other tiles must be as they were. */
static void gather_sums(float *out, const float *sums, const scene *s)
{
    const int64_t size = MOMENTS + s->tile.channels;
    for (int64_t g = 0; g < s->n + 3; g++) {
        const float *other = sums + s->records[g].first * size;
        bool listed = false;
        for (int64_t i = 0; i < s->n; i++)
            listed = listed || s->list[i] == g;
        if (!check_untouched(other, (size_t)(listed ? size : 2 * size) * sizeof(float)))
            check_failed("Gaussian %lld: wrote another tile's sums", (long long)g);
    }
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < size; k++)
            out[k * s->n + i] = sums[(s->records[s->list[i]].first + 1) * size + k];
}

static void check_tile_back(const physad__splat_kernels *reference, const physad__splat_kernels *tested)
{
    static behind b;
    static float want[(MOMENTS + MOST) * 150], got[(MOMENTS + MOST) * 150];
    for (int a = 0; a < COUNT(lists); a++)
        for (int c = 0; c < COUNT(channel_counts); c++) {
            const scene s = make_scene(lists[a], channel_counts[c]);
            const pixels p = run_tile(reference, &s);
            fill_behind(&b, &s, &p);
            gather_sums(want, run_tile_back(reference, &s, &b), &s);
            gather_sums(got, run_tile_back(tested, &s, &b), &s);
            for (int64_t k = 0; k < MOMENTS + s.tile.channels; k++)
                compare(k < MOMENTS ? "moments" : "gradients by a channel", want + k * s.n, got + k * s.n, s.n, 2e-3);
            check_free_all();
        }
}

/* --- times --- */

typedef struct timed {
    const physad__splat_kernels *kernels;
    model model;
    physad__splat_project_back back;
    scene scene;
    physad__splat_tile tile;
    float *rest;
    const behind *behind;
} timed;

static void run_project(void *user)
{
    timed *t = user;
    t->kernels->project(&t->model.job, 0, t->model.count);
}

static void run_project_back(void *user)
{
    timed *t = user;
    t->kernels->project_back(&t->model.job, &t->back, 0, t->model.count);
}

static void run_one_tile(void *user)
{
    timed *t = user;
    memcpy(t->tile.transmittance, t->scene.transmittance, PIXELS * sizeof(float));
    t->kernels->tile(&t->tile);
}

static void run_one_tile_back(void *user)
{
    timed *t = user;
    memcpy(t->tile.transmittance, t->scene.transmittance, PIXELS * sizeof(float));
    memcpy(t->rest, t->behind->rest, PIXELS * sizeof(float));
    t->kernels->tile_back(&t->tile);
}

static void bench_project(const physad__splat_kernels *kernels)
{
    timed t = { .kernels = kernels, .model = make_model(256, 3, 1, 0) };
    give_outputs(&t.model.job, t.model.count);
    check_time(kernels->name, "splat_project, degree 3: a Gaussian", 256, run_project, &t);
}

static void bench_project_back(const physad__splat_kernels *kernels)
{
    timed t = { .kernels = kernels, .model = make_model(256, 3, 1, 0) };
    give_outputs(&t.model.job, t.model.count);
    physad__splat_kernels_c.project(&t.model.job, 0, t.model.count);
    t.back = (physad__splat_project_back){ .sums = fill_sums(&t.model.job, t.model.count),
                                           .grads = planes_at(check_output((size_t)t.model.planes_size * sizeof(float)),
                                                              t.model.count) };
    check_time(kernels->name, "splat_project_back, degree 3: a Gaussian", 256, run_project_back, &t);
}

static timed time_tile(const physad__splat_kernels *kernels)
{
    static behind b;
    timed t = { .kernels = kernels, .scene = make_scene(100, 3) };
    const pixels p = run_tile(&physad__splat_kernels_c, &t.scene);
    fill_behind(&b, &t.scene, &p);
    t.behind = &b;
    t.tile = t.scene.tile;
    t.tile.transmittance = p.transmittance;
    t.tile.out = p.out;
    t.tile.grads = b.grads;
    t.tile.base = b.base;
    t.rest = t.tile.rest = check_output(PIXELS * sizeof(float));
    t.tile.sums = check_output((size_t)(t.scene.pairs * (MOMENTS + 3)) * sizeof(float));
    return t;
}

static void bench_tile(const physad__splat_kernels *kernels)
{
    timed t = time_tile(kernels);
    check_time(kernels->name, "splat_tile, 100 Gaussians: a pixel", PIXELS, run_one_tile, &t);
}

static void bench_tile_back(const physad__splat_kernels *kernels)
{
    timed t = time_tile(kernels);
    check_time(kernels->name, "splat_tile_back, 100 Gaussians: a pixel", PIXELS, run_one_tile_back, &t);
}

const splat_check splat_checks[4] = {
    { "splat_project", offsetof(physad__splat_kernels, project), check_project, bench_project },
    { "splat_project_back", offsetof(physad__splat_kernels, project_back), check_project_back, bench_project_back },
    { "splat_tile", offsetof(physad__splat_kernels, tile), check_tile, bench_tile },
    { "splat_tile_back", offsetof(physad__splat_kernels, tile_back), check_tile_back, bench_tile_back },
};
