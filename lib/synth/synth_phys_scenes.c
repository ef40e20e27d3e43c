/* SPDX-License-Identifier: Apache-2.0 */
/* The scenes: what moves by which rule, what breaks it, and how it looks. Seconds, radians, units of the view. */
#include "synth/synth_phys.h"

#include <math.h>

#define TURN 6.283185307179586

static const physad__tone wood = { 0.36f, 0.22f, 0.11f }, steel = { 0.42f, 0.44f, 0.47f },
                          dark = { 0.05f, 0.05f, 0.06f }, skin = { 0.66f, 0.42f, 0.30f };

/* --- time ----------------------------------------------------------------------------------------------------------
 */

/* Time on the thing's own clock at frame i: 0 until it begins. */
static double clock_at(const physad__take *t, int32_t i)
{
    return fmax(0, (double)i / t->rate - t->delay) * t->speed;
}

/* Stands still for `hold` from `at` on, then goes on where it was. */
static double held(double time, double at, double hold)
{
    return time < at ? time : time < at + hold ? at : time - hold;
}

static double ease(double x)
{
    x = fmin(fmax(x, 0), 1);
    return x * x * (3 - 2 * x);
}

static double between(const physad__take *t, double from, double to)
{
    return from + (to - from) * t->when;
}

/* -1..1, one number per frame and video. */
static double shake(const physad__take *t, int32_t i)
{
    const double x = sin((double)i * 12.9898 + t->when * 78.233) * 43758.5453;
    return 2 * (x - floor(x)) - 1;
}

/* --- pendulum ------------------------------------------------------------------------------------------------------
 */

enum { PENDULUM_DRAGS, PENDULUM_STICKS, PENDULUM_SLOW, PENDULUM_KNOCKS };

static void run_pendulum(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double steps = 40, dt = 1 / (t->rate * steps);
    const double root = TURN / 1.2 * t->speed * (t->defect == PENDULUM_SLOW ? 1 - 0.42 * t->severity : 1);
    const double drag = t->defect == PENDULUM_DRAGS ? 2.4 * t->severity : 0.12, stop = -0.12;
    const double at = t->delay + between(t, 0.5, 1.0);
    double angle = 0.75 * t->start, speed = 0;
    for (int32_t i = 0; i < t->frames; i++) {
        state[i][0] = angle;
        for (int k = 0; k < (int)steps; k++) {
            const double time = (double)i / t->rate + k * dt;
            if (time < t->delay || (t->defect == PENDULUM_STICKS && time > at && time < at + 0.5 * t->severity))
                continue;
            speed += dt * (-root * root * sin(angle) - drag * speed);
            angle += dt * speed;
            if (t->defect == PENDULUM_KNOCKS && angle < stop && speed < 0)
                speed = -0.6 * speed;
        }
    }
}

static void draw_pendulum(const physad__take *t, const double *s, physad__flat *f)
{
    const double length = 1.25 * t->size, x = length * sin(s[0]), y = 0.8 - length * cos(s[0]);
    physad__flat_block(f, 0, 0.88, 0.5, 0.06, 0, wood);
    physad__flat_rod(f, 0, 0.8, x, y, 0.02, steel);
    physad__flat_disc(f, x, y, 0.17 * t->size, t->main);
    physad__flat_disc(f, 0, 0.8, 0.05, dark);
}

static const physad__phys_scene pendulum = {
    "pendulum",
    "a weight on a rod",
    "it is let go from one side and swings",
    "It swings to both sides alike, always in the same time, a little less far each time.",
    { { "drags", 0, "the swings die away after one or two, and the weight hangs still", "the bearing drags" },
      { "sticks", 1, "the weight stops in the air for a moment and then swings on", "the bearing catches at times" },
      { "slow", 0, "each swing takes much too long", "the weight sits too low for its rod" },
      { "knocks", 0, "the weight turns back early on one side", "something stands in its way" } },
    4,
    run_pendulum,
    draw_pendulum
};

/* --- drawer --------------------------------------------------------------------------------------------------------
 */

enum { DRAWER_STICKS, DRAWER_SHORT, DRAWER_RETURNS, DRAWER_SLOW };

static void run_drawer(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    for (int32_t i = 0; i < t->frames; i++) {
        double time = clock_at(t, i);
        if (t->defect == DRAWER_STICKS)
            time = held(time, between(t, 0.35, 0.65), 0.5 * t->severity);
        if (t->defect == DRAWER_SLOW)
            time *= 1 - 0.45 * t->severity;
        double p = ease(time / 1.1);
        if (t->defect == DRAWER_SHORT)
            p = fmin(p, 1 - 0.4 * t->severity);
        if (t->defect == DRAWER_RETURNS)
            p -= 0.45 * t->severity * ease((time - 1.25) / 0.7);
        state[i][0] = p;
    }
}

static void draw_drawer(const physad__take *t, const double *s, physad__flat *f)
{
    const double x = -0.35 + 0.75 * t->start * s[0];
    physad__flat_rod(f, x + 0.62, -0.05, 1.6, -0.05, 0.05, skin);
    physad__flat_block(f, x, -0.05, 0.42 * t->size, 0.17, 0, t->main);
    physad__flat_block(f, x + 0.45 * t->size, -0.05, 0.04, 0.2, 0, t->second);
    physad__flat_disc(f, x + 0.55 * t->size, -0.05, 0.06, steel);
    physad__flat_block(f, -0.45, 0.45, 0.5, 0.25, 0, wood);
    physad__flat_block(f, -0.45, -0.55, 0.5, 0.25, 0, wood);
    physad__flat_block(f, -0.88, -0.05, 0.08, 0.7, 0, wood);
}

static const physad__phys_scene drawer = {
    "drawer",
    "a drawer in a cabinet",
    "a hand pulls it open",
    "It slides out evenly, to its full length, and stays there.",
    { { "sticks", 1, "the drawer stops on its way, then moves on", "the runner catches at one place" },
      { "short", 0, "the drawer stops well before it is open", "something lies behind the runner's end" },
      { "returns", 0, "the open drawer slides back by itself", "the cabinet leans, or the catch is worn" },
      { "slow", 0, "the drawer moves much too slowly", "the runner is dry" } },
    4,
    run_drawer,
    draw_drawer
};

/* --- fan -----------------------------------------------------------------------------------------------------------
 */

enum { FAN_WOBBLES, FAN_STALLS, FAN_SLOW, FAN_UNEVEN };

static void run_fan(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double at = t->delay + between(t, 0.7, 1.3), dt = 1 / (t->rate * 20);
    double angle = t->start * 40;
    for (int32_t i = 0; i < t->frames; i++) {
        state[i][0] = angle;
        state[i][1] = t->defect == FAN_WOBBLES ? 0.07 * t->severity * cos(1.7 * angle) : 0;
        state[i][2] = t->defect == FAN_WOBBLES ? 0.07 * t->severity * sin(1.7 * angle) : 0;
        for (int k = 0; k < 20; k++) {
            const double time = (double)i / t->rate + k * dt;
            double rate = TURN * 0.85 * t->speed * ease((time - t->delay) / 0.4);
            if (t->defect == FAN_STALLS)
                rate *= 1 - ease((time - at) / 0.1) + ease((time - at - 0.55 * t->severity) / 0.1);
            if (t->defect == FAN_SLOW)
                rate *= 1 - 0.45 * t->severity;
            if (t->defect == FAN_UNEVEN)
                rate *= 1 + fmin(0.9 * t->severity, 0.98) * sin(TURN * 2.6 * time);
            angle += dt * rate;
        }
    }
}

static void draw_fan(const physad__take *t, const double *s, physad__flat *f)
{
    const double length = 0.62 * t->size;
    physad__flat_block(f, 0, -0.75, 0.07, 0.4, 0, steel);
    physad__flat_ring(f, 0, 0.05, 0.78, 0.03, steel);
    for (int k = 0; k < 3; k++) {
        const double a = s[0] + k * TURN / 3, x = s[1] + cos(a) * length, y = 0.05 + s[2] + sin(a) * length;
        physad__flat_rod(f, s[1] + cos(a) * 0.2, 0.05 + s[2] + sin(a) * 0.2, x, y, 0.1, k == 0 ? t->second : t->main);
    }
    physad__flat_disc(f, s[1], 0.05 + s[2], 0.14, dark);
}

static const physad__phys_scene fan = {
    "fan",
    "a fan with three blades",
    "it is switched on",
    "It comes up to speed, then turns evenly around one point.",
    { { "wobbles", 0, "the hub circles about instead of standing still", "the shaft is bent" },
      { "stalls", 1, "the fan stops for a moment and starts again", "a loose contact" },
      { "slow", 0, "the fan turns at about half its speed", "the motor has lost a winding" },
      { "uneven", 0, "the fan hurries and lingers several times a second", "the bearing binds on one side" } },
    4,
    run_fan,
    draw_fan
};

/* --- gears ---------------------------------------------------------------------------------------------------------
 */

enum { GEARS_SKIP, GEARS_SLIP, GEARS_PLAY };
enum { DRIVER_TEETH = 12, DRIVEN_TEETH = 18 };

static void run_gears(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double ratio = (double)DRIVER_TEETH / DRIVEN_TEETH, play = 0.4 * t->severity;
    const double at = between(t, 0.4, 0.8);
    double follows = 0;
    for (int32_t i = 0; i < t->frames; i++) {
        const double time = clock_at(t, i), there = 2.2 * t->start * ease(time / 1.0),
                     back = 2.2 * t->start * ease((time - 1.15) / 1.0);
        const double driver = there - back;
        double driven = ratio * driver;
        if (t->defect == GEARS_PLAY) {
            follows = fmin(fmax(follows, driver - play), driver);
            driven = ratio * follows;
        }
        for (int k = 0; t->defect == GEARS_SKIP && k < 3; k++)
            driven -= TURN / DRIVEN_TEETH * ease((time - at - 0.14 * k) / 0.05);
        if (t->defect == GEARS_SLIP)
            driven = ratio * 2.2 * t->start * ease(fmin(time, at) / 1.0);
        state[i][0] = driver;
        state[i][1] = -driven;
    }
}

static void draw_gears(const physad__take *t, const double *s, physad__flat *f)
{
    const double r = 0.34 * t->size, big = r * DRIVEN_TEETH / DRIVER_TEETH, x = -0.85 + r + 0.1,
                 y = x + (r + big) * 1.02;
    physad__flat_gear(f, x, -0.1, r, DRIVER_TEETH, s[0], t->main);
    physad__flat_gear(f, y, -0.1, big, DRIVEN_TEETH, s[1] + TURN / 2 / DRIVEN_TEETH, t->second);
    physad__flat_disc(f, x + 0.6 * r * cos(s[0]), -0.1 + 0.6 * r * sin(s[0]), 0.05, dark);
    physad__flat_disc(f, y + 0.6 * big * cos(s[1]), -0.1 + 0.6 * big * sin(s[1]), 0.06, dark);
    physad__flat_disc(f, x, -0.1, 0.07, steel);
    physad__flat_disc(f, y, -0.1, 0.07, steel);
}

static const physad__phys_scene gears = {
    "gears",
    "two gears in mesh",
    "the small one is turned forth and back",
    "The large one turns with the small one at a fixed ratio, the other way round, and both come back to where they "
    "began.",
    { { "skip", 1, "the large gear jumps by a tooth several times", "a worn tooth" },
      { "slip", 0, "the large gear stops although the small one turns on", "the hub is loose on its shaft" },
      { "play", 0, "the large gear follows late when the direction turns", "too much play between the teeth" } },
    3,
    run_gears,
    draw_gears
};

/* --- ball ----------------------------------------------------------------------------------------------------------
 */

enum { BALL_DEAD, BALL_LIVELY, BALL_CROOKED, BALL_SLOW };

static void run_ball(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double dt = 1 / (t->rate * 50);
    const double gravity = 7 * t->speed * t->speed * (t->defect == BALL_SLOW ? 1 - 0.62 * t->severity : 1);
    const double rebound = t->defect == BALL_DEAD     ? 0.78 - 0.5 * t->severity
                           : t->defect == BALL_LIVELY ? 0.78 + 0.17 * t->severity
                                                      : 0.78;
    double height = 1.35 * t->start, x = 0, speed = 0, aside = 0;
    for (int32_t i = 0; i < t->frames; i++) {
        state[i][0] = x;
        state[i][1] = height;
        for (int k = 0; k < 50; k++) {
            if ((double)i / t->rate + k * dt < t->delay)
                continue;
            speed -= dt * gravity;
            height += dt * speed;
            x += dt * aside;
            if (height < 0 && speed < 0) {
                speed *= -rebound;
                height = 0;
                aside = t->defect == BALL_CROOKED ? 0.4 * t->severity * (t->when < 0.5 ? -1 : 1) : 0;
            }
        }
    }
}

static void draw_ball(const physad__take *t, const double *s, physad__flat *f)
{
    const double r = 0.15 * t->size;
    physad__flat_block(f, 0, -0.85, 0.95, 0.1, 0, wood);
    physad__flat_disc(f, s[0], -0.73 + r + s[1], r, t->main);
    physad__flat_disc(f, s[0] + 0.4 * r, -0.73 + 1.3 * r + s[1], 0.3 * r, t->second);
}

static const physad__phys_scene ball = {
    "ball",
    "a rubber ball over a board",
    "it is dropped",
    "It falls freely, bounces straight up, each time to about six tenths of the height before.",
    { { "dead", 0, "the ball hardly bounces", "it has lost its air" },
      { "lively", 0, "the ball comes back up almost as high as it was", "the wrong rubber" },
      { "crooked", 0, "the ball bounces off to one side", "it is not round" },
      { "slow", 0, "the ball sinks and rises as in slow motion", "it is far too light" } },
    4,
    run_ball,
    draw_ball
};

/* --- hinge ---------------------------------------------------------------------------------------------------------
 */

enum { HINGE_PLAY, HINGE_BLOCKED, HINGE_RATTLES, HINGE_SLOW };

static void run_hinge(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double at = between(t, 0.3, 0.7);
    for (int32_t i = 0; i < t->frames; i++) {
        double time = clock_at(t, i);
        if (t->defect == HINGE_SLOW)
            time *= 1 - 0.45 * t->severity;
        double angle = 1.35 * t->start * (ease(time / 0.9) - ease((time - 1.1) / 0.9));
        if (t->defect == HINGE_BLOCKED)
            angle = fmin(angle, 1.35 - 0.7 * t->severity);
        state[i][1] = t->defect == HINGE_PLAY ? 0.07 * t->severity * sin(9 * angle) : 0;
        state[i][2] = t->defect == HINGE_PLAY ? 0.07 * t->severity * (cos(9 * angle) - 1) : 0;
        if (t->defect == HINGE_RATTLES && time > at && time < at + 0.5)
            angle += 0.1 * t->severity * shake(t, i);
        state[i][0] = angle;
    }
}

static void draw_hinge(const physad__take *t, const double *s, physad__flat *f)
{
    const double length = 1.25 * t->size, x = -0.55 + s[1], y = -0.45 + s[2], c = cos(s[0]), n = sin(s[0]);
    physad__flat_block(f, -0.75, -0.2, 0.14, 0.75, 0, wood);
    physad__flat_block(f, x + 0.5 * length * c, y + 0.5 * length * n, 0.5 * length, 0.07, s[0], t->main);
    physad__flat_disc(f, x + 0.88 * length * c, y + 0.88 * length * n, 0.05, t->second);
    physad__flat_disc(f, -0.55, -0.45, 0.09, steel);
}

static const physad__phys_scene hinge = {
    "hinge",
    "a flap on a hinge",
    "it is opened and closed",
    "It turns about the hinge's pin, smoothly up to its full angle, and all the way back.",
    { { "play", 0, "the flap shifts to and fro at the hinge while it turns", "the pin is worn" },
      { "blocked", 0, "the flap stops before it is open", "the hinge is bent" },
      { "rattles", 1, "the flap trembles for a moment on its way", "grit in the hinge" },
      { "slow", 0, "the flap opens and closes much too slowly", "the grease has hardened" } },
    4,
    run_hinge,
    draw_hinge
};

/* --- spring --------------------------------------------------------------------------------------------------------
 */

enum { SPRING_SLACKENS, SPRING_WEAK, SPRING_CATCHES };

static void run_spring(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    for (int32_t i = 0; i < t->frames; i++) {
        double time = clock_at(t, i), rest = 0;
        if (t->defect == SPRING_CATCHES)
            time = held(time, between(t, 0.3, 0.8), 0.55 * t->severity);
        if (t->defect == SPRING_SLACKENS)
            rest = -0.42 * t->severity * (1 - exp(-time / 0.9));
        const double root = TURN / 0.75 * (t->defect == SPRING_WEAK ? 1 - 0.42 * t->severity : 1);
        state[i][0] = rest - 0.38 * t->start * cos(root * time) * exp(-0.45 * time);
    }
}

static void draw_spring(const physad__take *t, const double *s, physad__flat *f)
{
    enum { COILS = 9 };
    const double top = 0.8, bottom = 0.05 + s[0], wide = 0.16 * t->size;
    double x = 0, y = top;
    physad__flat_block(f, 0, 0.88, 0.5, 0.06, 0, wood);
    for (int k = 0; k <= COILS; k++) {
        const double to = k == COILS   ? 0
                          : k % 2 == 0 ? wide
                                       : -wide,
                     down = top + (bottom - top) * (k + 0.5) / (COILS + 0.5);
        physad__flat_rod(f, x, y, to, down, 0.025, steel);
        x = to;
        y = down;
    }
    physad__flat_block(f, 0, bottom - 0.17, 0.2 * t->size, 0.15, 0, t->main);
    physad__flat_disc(f, 0, bottom - 0.17, 0.05, t->second);
}

static const physad__phys_scene spring = {
    "spring",
    "a weight on a spring",
    "it is pulled down and let go",
    "It swings up and down in a fixed time around one height, slowly coming to rest there.",
    { { "slackens", 0, "the weight sinks lower and lower while it swings", "the spring yields" },
      { "weak", 0, "the weight swings much too slowly", "the wrong spring" },
      { "catches", 1, "the weight stops for a moment and then swings on", "two coils catch in each other" } },
    3,
    run_spring,
    draw_spring
};

/* --- band ----------------------------------------------------------------------------------------------------------
 */

enum { BAND_STAYS, BAND_CREEPS, BAND_SNAPS };

static void run_band(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double pulled = 0.9;
    for (int32_t i = 0; i < t->frames; i++) {
        const double time = clock_at(t, i), free = fmax(0, time - pulled);
        const double pull = 0.85 * t->start * ease(time / 0.7);
        double rest = 0, left = exp(-free / 0.09) * cos(22 * free);
        if (t->defect == BAND_STAYS)
            rest = 0.55 * t->severity;
        if (t->defect == BAND_CREEPS)
            left = exp(-free / (0.55 * t->severity));
        state[i][0] = time < pulled ? pull : 0.85 * t->start * (rest + (1 - rest) * left);
        state[i][1] = time < pulled ? -pull : -0.85 * t->start - 1.1 * ease(free / 0.3); /* the finger leaves */
        state[i][2] = t->defect == BAND_SNAPS ? free : 0;
    }
}

static void draw_band(const physad__take *t, const double *s, physad__flat *f)
{
    const double x = 0.72 * t->size, y = 0.42;
    if (s[2] > 0) { /* two ends hang from their pegs */
        const double swing = 0.9 * exp(-s[2] / 0.25) * cos(9 * s[2]);
        physad__flat_rod(f, -x, y, -x + 0.6 * sin(swing), y - 0.6 * cos(swing), 0.03, t->main);
        physad__flat_rod(f, x, y, x - 0.6 * sin(swing), y - 0.6 * cos(swing), 0.03, t->main);
    } else {
        physad__flat_rod(f, -x, y, 0, y - s[0], 0.03, t->main);
        physad__flat_rod(f, x, y, 0, y - s[0], 0.03, t->main);
    }
    physad__flat_rod(f, 0, y + s[1] - 0.08, 0, -1.6 + s[1], 0.08, skin);
    physad__flat_disc(f, -x, y, 0.08, t->second);
    physad__flat_disc(f, x, y, 0.08, t->second);
}

static const physad__phys_scene band = {
    "band",
    "a rubber band between two pegs",
    "a finger pulls it down and lets go",
    "It snaps back at once to a straight line, after a few quick swings.",
    { { "stays", 0, "the band stays stretched after it was let go", "the rubber has aged" },
      { "creeps", 0, "the band goes back much too slowly", "the rubber is cold or aged" },
      { "snaps", 0, "the band tears, and its ends hang down", "a cut in the rubber" } },
    3,
    run_band,
    draw_band
};

/* --- button --------------------------------------------------------------------------------------------------------
 */

enum { BUTTON_DARK, BUTTON_LATE, BUTTON_STAYS, BUTTON_FLICKERS };

/* 0..1, pressed: three times. */
static double press_at(double time)
{
    const double phase = fmod(time, 0.75);
    return time < 2.25 ? ease(phase / 0.12) - ease((phase - 0.4) / 0.12) : 0;
}

static void run_button(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const int stuck = t->when < 0.5 ? 0 : 1; /* from which press on it stays down for a while */
    for (int32_t i = 0; i < t->frames; i++) {
        const double time = clock_at(t, i), finger = press_at(time);
        double down = finger, lamp = finger > 0.6;
        if (t->defect == BUTTON_DARK)
            lamp = 0;
        if (t->defect == BUTTON_LATE)
            lamp = press_at(fmax(0, time - 0.32 * t->severity)) > 0.6;
        if (t->defect == BUTTON_STAYS && time > 0.75 * stuck + 0.2 && time < 0.75 * stuck + 0.95) {
            down = 1;
            lamp = 1;
        }
        if (t->defect == BUTTON_FLICKERS && shake(t, i) > 0)
            lamp = 0;
        state[i][0] = finger;
        state[i][1] = down;
        state[i][2] = lamp;
    }
}

static void draw_button(const physad__take *t, const double *s, physad__flat *f)
{
    const double on = s[2];
    const physad__tone lamp = { (float)(0.12 + 0.85 * on), (float)(0.10 + 0.75 * on), (float)(0.06 + 0.1 * on) };
    physad__flat_block(f, 0, -0.55, 0.7, 0.22, 0, t->second);
    physad__flat_block(f, -0.2, -0.22 - 0.13 * s[1], 0.2 * t->size, 0.1, 0, t->main);
    physad__flat_block(f, 0, -0.6, 0.7, 0.22, 0, t->second);
    physad__flat_disc(f, 0.42, -0.55, 0.13, lamp);
    physad__flat_rod(f, -0.2, 0.1 - 0.2 * s[0], -0.2, 1.6, 0.09, skin);
}

static const physad__phys_scene button = {
    "button",
    "a box with a button and a lamp",
    "a finger presses it three times",
    "The button goes down and up with the finger, and the lamp is lit while it is down.",
    { { "dark", 0, "the lamp stays dark when the button is pressed", "a broken wire" },
      { "late", 0, "the lamp lights and goes out late", "a weak contact" },
      { "stays", 1, "the button stays down for a while after the finger has left", "dirt beside the button" },
      { "flickers", 1, "the lamp flickers while the button is down", "a loose contact" } },
    4,
    run_button,
    draw_button
};

/* --- clock ---------------------------------------------------------------------------------------------------------
 */

enum { CLOCK_LOSES, CLOCK_TREMBLES, CLOCK_RUNS };

static void run_clock(const physad__take *t, double (*state)[PHYSAD__MOST_STATE])
{
    const double beat = 0.3;
    for (int32_t i = 0; i < t->frames; i++) {
        double time = clock_at(t, i);
        if (t->defect == CLOCK_LOSES)
            time = held(time, between(t, 0.3, 0.9), 3 * beat * t->severity);
        if (t->defect == CLOCK_RUNS)
            time *= 1 + t->severity;
        const double ticks = floor(time / beat), into = time / beat - ticks;
        const double angle = (ticks - 1 + ease(into / 0.25) + 0.2 * exp(-into * 9) * sin(into * 28)) * TURN / 24;
        state[i][0] = -angle + t->start * 30 + (t->defect == CLOCK_TREMBLES ? 0.14 * t->severity * shake(t, i) : 0);
        state[i][1] = -angle / 12 + t->start * 50;
    }
}

static void draw_clock(const physad__take *t, const double *s, physad__flat *f)
{
    const double r = 0.75 * t->size;
    static const physad__tone face = { 0.8f, 0.79f, 0.75f };
    physad__flat_disc(f, 0, 0, r, face);
    physad__flat_ring(f, 0, 0, r, 0.05, t->main);
    for (int k = 0; k < 12; k++)
        physad__flat_disc(f, 0.85 * r * cos(k * TURN / 12), 0.85 * r * sin(k * TURN / 12), 0.03, dark);
    physad__flat_rod(f, 0, 0, 0.5 * r * cos(s[1]), 0.5 * r * sin(s[1]), 0.04, dark);
    physad__flat_rod(f, -0.15 * r * cos(s[0]), -0.15 * r * sin(s[0]), 0.78 * r * cos(s[0]), 0.78 * r * sin(s[0]), 0.02,
                     t->second);
    physad__flat_disc(f, 0, 0, 0.06, dark);
}

static const physad__phys_scene clock_scene = {
    "clock",
    "a clock with two hands",
    "it runs",
    "The long hand goes on by one mark at each beat and stands still between; the short one follows at a twelfth.",
    { { "loses", 1, "the hands stand still for some beats", "the escapement catches at times" },
      { "trembles", 0, "the long hand trembles all the time", "the hand is loose on its shaft" },
      { "runs", 0, "the hands go about twice as fast", "the escapement slips at each beat" } },
    3,
    run_clock,
    draw_clock
};

/* -------------------------------------------------------------------------------------------------------------------
 */

const physad__phys_scene *const physad__phys_scenes[] = {
    &ball, &band, &button, &clock_scene, &drawer, &fan, &gears, &hinge, &pendulum, &spring,
    &physad__phys_conveyor, &physad__phys_dominoes, &physad__phys_tank,
};
const int64_t physad__phys_scene_count = PHYSAD__COUNT(physad__phys_scenes);
