/* SPDX-License-Identifier: Apache-2.0 */
/* Takes in several views, each a vector: what kind of motion came when, how fast, whereto, with which rhythm, and which
 * states the scene went through. Two takes are compared view by view. */
#include "detect/motion.h"

#include <math.h>

enum {
    POINTS = PHYSAD__VIEW_POINTS,
    STATES = PHYSAD__VIEW_STATES,
    BINS = PHYSAD__VIEW_BINS,
    SPEEDS = PHYSAD__VIEW_SPEEDS
};
static const double LEAST_SPEED = 0.1; /* pixels per frame, beside which none is none */

/* --- frames --------------------------------------------------------------------------------------------------------
 */

void physad__moment_of(physad__moment *out, const physad__cell *cells, int64_t rows, int64_t columns)
{
    double sum[PHYSAD__CELL_FLOATS] = { 0 }, x = 0, y = 0, weight = 0;
    for (int64_t i = 0; i < rows * columns; i++) {
        const float *values = (const float *)(const void *)&cells[i];
        for (int k = 0; k < PHYSAD__CELL_FLOATS; k++)
            sum[k] += (double)values[k];
        const double w = (double)cells[i].energy + 1e-6;
        weight += w;
        x += w * ((double)(i % columns) + 0.5);
        y += w * ((double)(i / columns) + 0.5);
    }
    physad__cell mean;
    float *values = (float *)(void *)&mean;
    for (int k = 0; k < PHYSAD__CELL_FLOATS; k++)
        values[k] = (float)(sum[k] / (double)(rows * columns));
    *out =
        (physad__moment){ .energy = mean.energy, .flow = mean.flow, .moving = mean.moving, .u = mean.u, .v = mean.v };
    out->speed = mean.flow / (mean.moving + 1e-3f);
    out->peak = sqrtf(mean.square / (mean.moving + 1e-3f));
    memcpy(out->toward, mean.toward, sizeof(out->toward));
    out->x = (float)(x / weight / (double)columns);
    out->y = (float)(y / weight / (double)rows);
}

void physad__course_free(physad__course *c)
{
    physad__free(c->moments);
    physad__free(c->tiny);
    physad__free(c->patches);
    *c = (physad__course){ 0 };
}

physad_status physad__course_push(physad__course *c, physad__mem *mem, const physad__moment *moment, const float *tiny)
{
    PHYSAD__TRY(physad__grow(mem, &c->moments, &c->capacity, c->frames + 1, sizeof(*c->moments), "a take"));
    PHYSAD__TRY(physad__grow(mem, &c->patches, &c->patch_capacity, c->frames + 1, sizeof(double), "a take"));
    PHYSAD__TRY(
        physad__grow(mem, &c->tiny, &c->tiny_capacity, (c->frames + 1) * PHYSAD__TINY, sizeof(float), "a take"));
    c->moments[c->frames] = *moment;
    c->patches[c->frames] = 0;
    memcpy(c->tiny + c->frames * PHYSAD__TINY, tiny, PHYSAD__TINY * sizeof(float));
    c->frames++;
    return PHYSAD_OK;
}

/* --- samples of curves ---------------------------------------------------------------------------------------------
 */

static double time_of(const physad__scale *s, int64_t point)
{
    return (double)point * (s->frames - 1) / (POINTS - 1);
}

static int64_t reach_of(const physad__scale *s)
{
    return (int64_t)(3 * fmax(1, s->frames / 48) + 0.5);
}

int64_t physad__view_point_last(const physad__scale *s, int64_t point)
{
    return (int64_t)time_of(s, point) + reach_of(s);
}

int64_t physad__view_point_of(const physad__scale *s, double frame)
{
    return (int64_t)fmin(fmax(frame, 0) * (POINTS - 1) / fmax(1, s->frames - 1) + 0.5, POINTS - 1);
}

/* A curve at a time, the mean under a narrow Gaussian; behind its end, and before its beginning, a take stays as it is
 * there. The take begins at frame `phase` of the action. */
static void sample_point(const physad__course *c, const physad__scale *s, physad__curve_fn curve, int channels,
                         int64_t point, double phase, float *out)
{
    const double sigma = fmax(1, s->frames / 48);
    const double t = fmax(fmin(time_of(s, point) - phase, (double)(c->frames - 1)), 0);
    const int64_t reach = reach_of(s);
    const int64_t from = physad__max(0, (int64_t)t - reach), to = physad__min(c->frames - 1, (int64_t)t + reach);
    for (int k = 0; k < channels; k++) {
        double sum = 0, weight = 0;
        for (int64_t f = from; f <= to; f++) {
            const double d = ((double)f - t) / sigma, w = exp(-d * d / 2);
            sum += w * curve(&c->moments[f], k, s);
            weight += w;
        }
        out[k] = (float)(sum / weight);
    }
}

static void sample(const physad__course *c, const physad__scale *s, physad__curve_fn curve, int channels, float *out)
{
    for (int64_t i = 0; i < POINTS; i++)
        sample_point(c, s, curve, channels, i, 0, out + i * channels);
}

void physad__view_point(const physad__course *c, const physad__scale *s, const physad__view_kind *kind, int64_t point,
                        double phase, float *out)
{
    sample_point(c, s, kind->curve, kind->channels, point, phase, out);
}

static double mean_of(const physad__course *c, physad__curve_fn curve, int k, const physad__scale *s)
{
    double sum = 0;
    for (int64_t t = 0; t < c->frames; t++)
        sum += curve(&c->moments[t], k, s);
    return sum / (double)c->frames;
}

static double log_energy(const physad__moment *m, int k, const physad__scale *s)
{
    return log((double)m->energy + 0.05 * s->energy);
}

static double log_flow(const physad__moment *m, int k, const physad__scale *s)
{
    return log((double)m->flow + 0.05 * s->flow);
}

static double log_speed(const physad__moment *m, int k, const physad__scale *s)
{
    return log((double)m->speed + LEAST_SPEED);
}

static double root_toward(const physad__moment *m, int k, const physad__scale *s)
{
    return sqrt((double)m->toward[k]);
}

static double flow_vector(const physad__moment *m, int k, const physad__scale *s)
{
    return (double)(k == 0 ? m->u : m->v);
}

static double plain_flow(const physad__moment *m, int k, const physad__scale *s)
{
    return (double)m->flow;
}

static double plain_moving(const physad__moment *m, int k, const physad__scale *s)
{
    return (double)m->moving;
}

static double root_energy(const physad__moment *m, int k, const physad__scale *s)
{
    return sqrt((double)m->energy);
}

static double centre(const physad__moment *m, int k, const physad__scale *s)
{
    return (double)(k == 0 ? m->x : m->y);
}

/* --- views ---------------------------------------------------------------------------------------------------------
 */

static void view_energy(const physad__course *c, const physad__scale *s, float *out)
{
    sample(c, s, log_energy, 1, out);
}

static void view_flow(const physad__course *c, const physad__scale *s, float *out)
{
    sample(c, s, log_flow, 1, out);
}

static void view_speed(const physad__course *c, const physad__scale *s, float *out)
{
    sample(c, s, log_speed, 1, out);
}

static void view_directions(const physad__course *c, const physad__scale *s, float *out)
{
    sample(c, s, root_toward, PHYSAD__MOTION_DIRECTIONS, out);
}

/* Mean flow as a vector, in the take's own mean length of flow. */
static void view_drift(const physad__course *c, const physad__scale *s, float *out)
{
    const double unit = mean_of(c, plain_flow, 0, s) + 0.05 * s->flow;
    sample(c, s, flow_vector, 2, out);
    for (int i = 0; i < 2 * POINTS; i++)
        out[i] = (float)((double)out[i] / unit);
}

/* How far the moving parts have come: the flow added up. */
static void view_path(const physad__course *c, const physad__scale *s, float *out)
{
    const double unit = mean_of(c, plain_moving, 0, s) + 1e-3;
    double at[2] = { 0, 0 };
    int64_t t = 0;
    for (int64_t i = 0; i < POINTS; i++) {
        const int64_t to = physad__min(c->frames - 1, (int64_t)((double)i * (s->frames - 1) / (POINTS - 1) + 0.5));
        for (; t <= to; t++) {
            at[0] += (double)c->moments[t].u;
            at[1] += (double)c->moments[t].v;
        }
        out[2 * i] = (float)(at[0] / unit);
        out[2 * i + 1] = (float)(at[1] / unit);
    }
}

static void view_place(const physad__course *c, const physad__scale *s, float *out)
{
    double mean[2] = { 0, 0 };
    sample(c, s, centre, 2, out);
    for (int i = 0; i < 2 * POINTS; i++)
        mean[i % 2] += (double)out[i] / POINTS;
    for (int i = 0; i < 2 * POINTS; i++)
        out[i] = (float)((double)out[i] - mean[i % 2]);
}

/* Amplitude of a curve at 1, 2, ... BINS cycles per normal take, under a raised cosine. */
static void spectrum(const physad__course *c, const physad__scale *s, physad__curve_fn curve, int k, double *out)
{
    const double turn = 6.283185307179586, mean = mean_of(c, curve, k, s);
    for (int b = 0; b < BINS; b++) {
        double re = 0, im = 0;
        for (int64_t t = 0; t < c->frames; t++) {
            const double w = 0.5 - 0.5 * cos(turn * ((double)t + 0.5) / (double)c->frames);
            const double x = w * (curve(&c->moments[t], k, s) - mean), a = turn * (b + 1) * (double)t / s->frames;
            re += x * cos(a);
            im -= x * sin(a);
        }
        out[b] = re * re + im * im;
    }
}

static void view_rhythm(const physad__course *c, const physad__scale *s, float *out)
{
    double power[BINS];
    spectrum(c, s, root_energy, 0, power);
    const double least = 0.005 * s->frames * sqrt(s->energy);
    for (int b = 0; b < BINS; b++)
        out[b] = (float)log(sqrt(power[b]) + least);
}

static void view_swing(const physad__course *c, const physad__scale *s, float *out)
{
    double x[BINS], y[BINS];
    spectrum(c, s, flow_vector, 0, x);
    spectrum(c, s, flow_vector, 1, y);
    const double least = 0.005 * s->frames * s->flow + 1e-9;
    for (int b = 0; b < BINS; b++)
        out[b] = (float)log(sqrt(x[b] + y[b]) + least);
}

/* How unlike the scene is to itself at other times, every pair of STATES times: tells stalls, repetitions, and whether
 * the end is the beginning, whatever the thing looks like. */
static void view_states(const physad__course *c, const physad__scale *s, float *out)
{
    int64_t at[STATES];
    double most = 1e-3;
    for (int i = 0; i < STATES; i++)
        at[i] = physad__min(c->frames - 1, (int64_t)((double)i * (s->frames - 1) / (STATES - 1) + 0.5));
    float *p = out;
    for (int i = 0; i < STATES; i++)
        for (int k = i + 1; k < STATES; k++) {
            const float *a = c->tiny + at[i] * PHYSAD__TINY, *b = c->tiny + at[k] * PHYSAD__TINY;
            double sum = 0;
            for (int j = 0; j < PHYSAD__TINY; j++)
                sum += (double)(a[j] - b[j]) * (double)(a[j] - b[j]);
            *p++ = (float)sqrt(sum / PHYSAD__TINY);
            most = fmax(most, sqrt(sum / PHYSAD__TINY));
        }
    for (int64_t i = 0; i < p - out; i++)
        out[i] = (float)((double)out[i] / most);
}

/* Shares of the frames by speed, in steps of a quarter's ratio. */
static void view_speeds(const physad__course *c, const physad__scale *s, float *out)
{
    memset(out, 0, SPEEDS * sizeof(*out));
    for (int64_t t = 0; t < c->frames; t++) {
        const double bin = (log((double)c->moments[t].speed + LEAST_SPEED) + 2.5) * 4;
        out[physad__min(SPEEDS - 1, physad__max(0, (int64_t)bin))] += 1.0f / (float)c->frames;
    }
    for (int i = 0; i < SPEEDS; i++)
        out[i] = sqrtf(out[i]);
}

/* Mean size of the second difference of a curve. */
static double roughness(const physad__course *c, physad__curve_fn curve, int k, const physad__scale *s)
{
    double sum = 0;
    for (int64_t t = 1; t + 1 < c->frames; t++)
        sum +=
            fabs(curve(&c->moments[t - 1], k, s) - 2 * curve(&c->moments[t], k, s) + curve(&c->moments[t + 1], k, s));
    return sum / (double)physad__max(1, c->frames - 2);
}

static void view_tremor(const physad__course *c, const physad__scale *s, float *out)
{
    out[0] = (float)log(roughness(c, log_energy, 0, s) + 1e-3);
    for (int k = 0; k < 2; k++) {
        out[1 + k] = (float)log(roughness(c, flow_vector, k, s) + 0.01 * s->flow + 1e-9);
        out[3 + k] = (float)log(roughness(c, centre, k, s) + 1e-4);
    }
}

const physad__view_kind physad__view_kinds[PHYSAD__VIEWS] = {
    { "energy", "how much moves, and when", false, POINTS, view_energy, log_energy, 1 },
    { "flow", "how much moves how far, and when", false, POINTS, view_flow, log_flow, 1 },
    { "speed", "the course of its speed", false, POINTS, view_speed, log_speed, 1 },
    { "directions", "the directions of its motion", false, POINTS *PHYSAD__MOTION_DIRECTIONS, view_directions,
      root_toward, PHYSAD__MOTION_DIRECTIONS },
    { "drift", "whereto it moves, and when", false, 2 * POINTS, view_drift, NULL, 0 },
    { "path", "the way it goes", false, 2 * POINTS, view_path, NULL, 0 },
    { "place", "where it moves, and when", false, 2 * POINTS, view_place, NULL, 0 },
    { "rhythm", "its rhythm", false, BINS, view_rhythm, NULL, 0 },
    { "swing", "the rhythm of its direction", true, BINS, view_swing, NULL, 0 },
    { "states", "the states it goes through", false, STATES *(STATES - 1) / 2, view_states, NULL, 0 },
    { "speeds", "the speeds that occur", true, SPEEDS, view_speeds, NULL, 0 },
    { "tremor", "how smoothly it moves", true, 5, view_tremor, NULL, 0 },
};
