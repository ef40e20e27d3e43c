/* SPDX-License-Identifier: Apache-2.0 */
/* Scenes of another kind than those in synth_phys_scenes.c, where one thing swings or turns: several that hang
 * together, goods that pass, a liquid. */
#include "synth/synth_phys.h"

#include <math.h>

#define TURN 6.283185307179586

static const physad__tone wood = { 0.36f, 0.22f, 0.11f }, steel = { 0.42f, 0.44f, 0.47f },
                          dark = { 0.05f, 0.05f, 0.06f }, skin = { 0.66f, 0.42f, 0.30f },
                          glass = { 0.55f, 0.60f, 0.62f };

/* Time on the thing's own clock at frame i: 0 until it begins. */
static double clock_at(const physad__take *t, int32_t i)
{
    return fmax(0, (double)i / t->rate - t->delay) * t->speed;
}

static double held(double time, double at, double hold)
{
    return time < at ? time : time < at + hold ? at : time - hold;
}

/* --- dominoes ------------------------------------------------------------------------------------------------------
 */

enum { DOMINOES_HALT, DOMINOES_LAG, DOMINOES_CREEP };
enum { STONES = PHYSAD__MOST_STATE };

static void run_dominoes(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const int late = 1 + (int)(t->when * 3.999);
    for (int32_t i = 0; i < t->frames; i++) {
        const double time = clock_at(t, i);
        for (int k = 0; k < STONES; k++) {
            double begins = 0.25 + 0.16 * k, takes = 0.28;
            if (t->defect == DOMINOES_LAG && k > late)
                begins += 0.55 * t->severity;
            if (t->defect == DOMINOES_CREEP) {
                begins = 0.25 + (0.16 + 0.14 * t->severity) * k;
                takes += 0.3 * t->severity;
            }
            const double x = fmin(fmax((time - begins) / takes, 0), 1);
            state[i][k] =
                t->defect == DOMINOES_HALT && k > late ? 0 : 1.15 * t->start * x * x; /* it falls ever faster */
        }
    }
}

static void draw_dominoes(const physad__take *t, const double *s, physad__flat *f)
{
    const double high = 0.3 * t->size, wide = 0.055;
    physad__flat_block(f, 0, -0.62, 0.98, 0.1, 0, wood);
    for (int k = 0; k < STONES; k++) { /* each turns about its lower right corner */
        const double foot = -0.75 + 0.26 * k + wide, c = cos(s[k]), n = sin(s[k]);
        physad__flat_block(f, foot - wide * c + high * n, -0.52 + wide * n + high * c, wide, high, -s[k],
                           k % 2 == 0 ? t->main : t->second);
    }
    const double push = fmin(s[0], 0.3);
    physad__flat_rod(f, -1.6, -0.05 + 0.1 * push, -0.92 + 0.5 * push, -0.05 - 0.1 * push, 0.07, skin);
}

const physad__phys_scene physad__phys_dominoes = {
    "dominoes",
    "six dominoes in a row",
    "a finger pushes the first one over",
    "Each stone falls against the next one, one after the other at even intervals, until all lie.",
    { { "halts", 0, "the row stops falling, and the last stones stay upright", "a gap, or a stone that is too heavy" },
      { "lags", 1, "a stone stands for a moment before it falls like the others", "it was only just touched" },
      { "creeps", 0, "the stones fall one after the other much too slowly", "they stand on something soft" } },
    3,
    run_dominoes,
    draw_dominoes
};

/* --- conveyor ------------------------------------------------------------------------------------------------------
 */

enum { CONVEYOR_HALTS, CONVEYOR_TIRES, CONVEYOR_JERKS, CONVEYOR_SLIPS };

static void run_conveyor(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    for (int32_t i = 0; i < t->frames; i++) {
        double time = clock_at(t, i), slip = 0;
        if (t->defect == CONVEYOR_HALTS)
            time = held(time, 0.6 + 0.5 * t->when, 0.5 * t->severity);
        double way = 0.42 * fmax(0, time - 0.15 * (1 - exp(-time / 0.15))); /* comes up to speed */
        if (t->defect == CONVEYOR_TIRES)
            way = 0.42 * 0.9 / t->severity * (1 - exp(-time * t->severity / 0.9));
        if (t->defect == CONVEYOR_JERKS)
            way += 0.055 * t->severity * sin(TURN * 2.5 * time);
        if (t->defect == CONVEYOR_SLIPS)
            slip = 0.5 * t->severity * way; /* the goods stay behind the belt */
        state[i][0] = way;
        state[i][1] = way - slip;
    }
}

static void draw_conveyor(const physad__take *t, const double *s, physad__flat *f)
{
    const double top = -0.2, roller = 0.15;
    for (int k = 0; k < 5; k++) {
        const double x = -0.8 + 0.4 * k, a = -s[0] / roller;
        physad__flat_disc(f, x, top - roller, roller, steel);
        physad__flat_rod(f, x, top - roller, x + 0.8 * roller * cos(a), top - roller + 0.8 * roller * sin(a), 0.02,
                         dark);
    }
    physad__flat_block(f, 0, top, 1.05, 0.025, 0, dark);
    for (int k = 0; k < 7; k++) { /* boxes that come in on the left as others leave */
        const double x = -2.2 + 0.62 * k + s[1] + 0.3 * (t->start - 1), half = 0.15 * t->size;
        physad__flat_block(f, x, top + 0.03 + half, half, half, 0, k % 2 == 0 ? t->main : t->second);
    }
}

const physad__phys_scene physad__phys_conveyor = {
    "conveyor",
    "a belt with boxes",
    "it is switched on",
    "The belt comes up to speed and carries the boxes evenly, none of them moving on it.",
    { { "halts", 1, "the belt stops for a moment and goes on", "a sensor that sees something that is not there" },
      { "tires", 0, "the belt gets slower and slower", "the motor is too hot" },
      { "jerks", 0, "the belt jerks several times a second", "a tooth of the belt is missing" },
      { "slips", 0, "the boxes move at half the pace of the rollers", "the belt is loose or wet" } },
    4,
    run_conveyor,
    draw_conveyor
};

/* --- tank ----------------------------------------------------------------------------------------------------------
 */

enum { TANK_CLOGS, TANK_LEAKS, TANK_SLOW };

static void run_tank(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double at = 0.45 + 0.6 * t->when, hold = 0.6 * t->severity;
    for (int32_t i = 0; i < t->frames; i++) {
        const double now = clock_at(t, i);
        double time = now;
        if (t->defect == TANK_CLOGS)
            time = held(time, at, hold);
        if (t->defect == TANK_SLOW)
            time *= 1 - 0.5 * t->severity;
        const double left = fmax(0, 1 - time / 2.3),
                     run_out = 1 - left * left; /* Torricelli: the root of the height falls evenly */
        const bool runs = left > 0 && time > 0 && !(t->defect == TANK_CLOGS && now > at && now < at + hold);
        state[i][0] = 1 - run_out;
        state[i][1] = run_out * (t->defect == TANK_LEAKS ? 1 - 0.5 * t->severity : 1);
        state[i][2] = runs ? left : 0;
        state[i][3] = now;
    }
}

static void vessel(physad__flat *f, double bottom, double wide, double high, double level, const physad__tone *liquid)
{
    physad__flat_block(f, 0, bottom + high / 2, wide, high / 2, 0, glass);
    if (level > 0.01)
        physad__flat_block(f, 0, bottom + level * high / 2, wide - 0.04, level * high / 2, 0, *liquid);
}

static void draw_tank(const physad__take *t, const double *s, physad__flat *f)
{
    const double wide = 0.42 * t->size, high = 0.6, full = 0.85 * fmin(t->start, 1.1);
    vessel(f, 0.25, wide, high, full * s[0], &t->main);
    vessel(f, -0.9, wide, high, full * s[1], &t->main);
    physad__flat_block(f, 0, 0.2, 0.06, 0.07, 0, steel);
    const double floor = -0.9 + full * s[1] * high;
    if (s[2] > 0) {
        physad__flat_rod(f, 0, 0.14, 0, floor, 0.012 + 0.02 * s[2], t->main);
        for (int k = 0; k < 3; k++) { /* ripples where it falls in */
            const double x = 0.1 + 0.1 * k;
            physad__flat_rod(f, -x, floor + 0.015 * sin(30 * s[3] - 8 * x), x, floor + 0.015 * sin(30 * s[3] - 8 * x),
                             0.008, t->second);
        }
    }
    physad__flat_block(f, -wide - 0.1, -0.05, 0.05, 0.9, 0, wood);
}

const physad__phys_scene physad__phys_tank = {
    "tank",
    "a tank above a bowl",
    "its tap is opened",
    "The liquid runs out, first fast, then slower, and the bowl fills by what the tank loses.",
    { { "clogs", 1, "the jet stops for a moment and starts again", "something lies in the outlet" },
      { "leaks", 0, "the bowl fills by half of what runs out", "the bowl leaks" },
      { "slow", 0, "the liquid runs out in about twice the time", "the outlet is narrow, or the liquid thick" } },
    3,
    run_tank,
    draw_tank
};
