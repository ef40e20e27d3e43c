/* SPDX-License-Identifier: Apache-2.0 */
/* Takes that show a part of the action, or more than it: laid beside the normal ones at every place, where they fit
 * best, with both ends open.
 *
 * A take is sampled at points of time (at most PHYSAD__PART_POINTS to a normal one), each described by how much moves,
 * how fast, whereto, where, and what the scene looks like, in units of what varies between normal takes at equal times.
 * Against one normal take it is first laid as a whole where the mean difference is least; then pieces of it may move by
 * a little, as the pace of normal takes differs. The mean over its pieces and the worst of them are what is odd. Both
 * are judged by what normal takes reach that were cut to such a length anywhere and laid beside all others; the
 * patches' scores likewise. */
#include "detect/motion_fit.h"
#include "metrics/metrics.h"

#include <math.h>

enum {
    POINTS = PHYSAD__PART_POINTS,
    DIM = PHYSAD__PART_DIM,
    STATE = PHYSAD__PART_STATE,
    CURVES = DIM - STATE,
    ENERGY = 0, /* logarithms, of the curves */
    SPEED = 2,
    GROUPS = 6,
    TINY_HEIGHT = PHYSAD__TINY_HEIGHT / 4,
    TINY_WIDTH = PHYSAD__TINY_WIDTH / 4,
    PIECES = 8, /* of a normal take */
    CUTS = 5,   /* of each length */
    NEAR = 2
};
static const int64_t group_end[GROUPS] = { 1, 2, 3, 3 + PHYSAD__MOTION_DIRECTIONS, CURVES, DIM };
static const double LEAST_SPEED = 0.1, SLACK = 0.055; /* pixels per frame; of a normal take */
static const double LENGTHS[PHYSAD__PART_LENGTHS] = { 0.125, 0.25, 0.375, 0.5, 0.75, 1 };
static const double SHORTER = 0.9, LONGER = 1.12; /* than the shortest, or the longest, normal take */
static const double FITS = 2;                     /* z up to which it is a part without a doubt */
static const double HURRIED = 0.8; /* of what is left where it fits as a part: then it is the whole action */

/* --- points --------------------------------------------------------------------------------------------------------
 */

static double step_of(const physad__scale *s)
{
    return fmax(1, s->frames / POINTS);
}

int64_t physad__part_points(const physad__course *c, const physad__scale *s)
{
    return physad__min(physad__max(1, (int64_t)((double)c->frames / step_of(s))), PHYSAD__PART_MOST);
}

static void describe(const physad__moment *m, const float *tiny, const physad__scale *s, double share, double *sum)
{
    sum[ENERGY] += share * log((double)m->energy + 0.05 * s->energy);
    sum[1] += share * log((double)m->flow + 0.05 * s->flow);
    sum[SPEED] += share * log((double)m->speed + LEAST_SPEED);
    for (int k = 0; k < PHYSAD__MOTION_DIRECTIONS; k++)
        sum[3 + k] += share * sqrt((double)m->toward[k]);
    sum[CURVES - 2] += share * (double)m->x;
    sum[CURVES - 1] += share * (double)m->y;
    for (int64_t y = 0; y < PHYSAD__TINY_HEIGHT; y++)
        for (int64_t x = 0; x < PHYSAD__TINY_WIDTH; x++)
            sum[CURVES + y / 4 * TINY_WIDTH + x / 4] += share / 16 * (double)tiny[y * PHYSAD__TINY_WIDTH + x];
}

/* The rows of a course's points: means of the frames that each stands for. */
void physad__part_rows(const physad__course *c, const physad__scale *s, float *rows)
{
    const int64_t count = physad__part_points(c, s);
    for (int64_t i = 0; i < count; i++) {
        double sum[DIM] = { 0 };
        const int64_t from = physad__min((int64_t)((double)i * step_of(s)), c->frames - 1);
        const int64_t to = physad__min(physad__max(from + 1, (int64_t)((double)(i + 1) * step_of(s))), c->frames);
        for (int64_t f = from; f < to; f++)
            describe(&c->moments[f], c->tiny + f * PHYSAD__TINY, s, 1 / (double)(to - from), sum);
        for (int k = 0; k < DIM; k++)
            rows[i * DIM + k] = (float)sum[k];
    }
}

static void scale_rows(float *rows, int64_t count, const float *inverse)
{
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < DIM; k++)
            rows[i * DIM + k] *= inverse[k];
}

/* Squared; 1 is what is usual between normal takes. */
static float distance(const float *a, const float *b)
{
    float sum = 0;
    for (int k = 0; k < DIM; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

/* --- laying a take beside others ------------------------------------------------------------------------------------
 */

/* Differences of a part's points from all points of one normal take, `width` apart; the part begins at row `first`. */
typedef struct beside {
    const float *table;
    int64_t width, count, length; /* points of the part, and of the take */
} beside;

static double mean_at(const beside *b, int64_t from, int64_t to, int64_t shift)
{
    double sum = 0;
    for (int64_t i = from; i < to; i++) {
        const int64_t at = physad__min(physad__max(i + shift, 0), b->length - 1);
        sum += (double)b->table[i * b->width + at];
    }
    return sum / (double)(to - from);
}

/* Where the shorter of the two lies within the longer: what is to be added to a point of the part. */
static int64_t best_shift(const beside *b)
{
    const int64_t low = physad__min(0, b->length - b->count), high = physad__max(0, b->length - b->count);
    int64_t best = low;
    double least = INFINITY;
    for (int64_t shift = low; shift <= high; shift++) {
        const double cost = mean_at(b, physad__max(0, -shift), physad__min(b->count, b->length - shift), shift);
        if (cost < least) {
            least = cost;
            best = shift;
        }
    }
    return best;
}

static void lay(const beside *b, double *mean, double *worst, int64_t *shift)
{
    const int64_t slack = physad__max(1, (int64_t)(SLACK * (double)b->length + 0.5));
    const int64_t piece = physad__max(2, b->length / PIECES);
    *shift = best_shift(b);
    const int64_t first = physad__max(0, -*shift), last = physad__min(b->count, b->length - *shift);
    int64_t pieces = 0;
    *mean = *worst = 0;
    for (int64_t from = first; from < last; from += physad__max(1, piece / 2)) {
        const int64_t to = physad__min(from + piece, last);
        double least = INFINITY;
        for (int64_t d = -slack; d <= slack; d++)
            least = fmin(least, mean_at(b, from, to, *shift + d));
        *mean += least;
        *worst = fmax(*worst, least);
        pieces++;
        if (to == last)
            break;
    }
    *mean /= (double)physad__max(1, pieces);
}

/* Beside each normal take but `without`: of the two where it fits best, what is odd. */
static void lay_all(const physad__parts *p, const float *table, int64_t width, int64_t count, int64_t without,
                    double *odd, physad__part_place *place)
{
    double mean[NEAR] = { INFINITY, INFINITY }, worst[NEAR] = { 0 };
    int64_t at = 0;
    *place = (physad__part_place){ without == 0, 0 };
    for (int64_t n = 0; n < p->takes; at += p->length[n++]) {
        const beside b = { table + at, width, count, p->length[n] };
        double m, w;
        int64_t shift;
        if (n == without)
            continue;
        lay(&b, &m, &w, &shift);
        const int k = m < mean[0] ? 0 : m < mean[1] ? 1 : NEAR;
        if (k == 0) {
            mean[1] = mean[0];
            worst[1] = worst[0];
            *place = (physad__part_place){ n, shift };
        }
        if (k < NEAR) {
            mean[k] = m;
            worst[k] = w;
        }
    }
    const bool two = isfinite(mean[1]);
    odd[PHYSAD__PART_MEAN] = sqrt(two ? (mean[0] + mean[1]) / 2 : mean[0]);
    odd[PHYSAD__PART_WORST] = sqrt(two ? (worst[0] + worst[1]) / 2 : worst[0]);
}

/* --- judging -------------------------------------------------------------------------------------------------------
 */

/* What is usual for parts of a length, between the lengths that were tried. */
static physad__usual usual_of(const physad__parts *p, int odd, double length)
{
    int k = 1;
    while (k < PHYSAD__PART_LENGTHS - 1 && length > LENGTHS[k])
        k++;
    const double part = fmin(fmax((length - LENGTHS[k - 1]) / (LENGTHS[k] - LENGTHS[k - 1]), 0), 1);
    const physad__usual *a = &p->usual[k - 1][odd], *b = &p->usual[k][odd];
    return (physad__usual){ a->middle + part * (b->middle - a->middle), a->spread + part * (b->spread - a->spread) };
}

static int64_t all_points(const physad__parts *p)
{
    int64_t sum = 0;
    for (int64_t n = 0; n < p->takes; n++)
        sum += p->length[n];
    return sum;
}

/* Fills `room` with the course's scaled rows, and the differences of each from all normal ones. */
static void fill_table(const physad__parts *p, const physad__course *c, const physad__scale *s, float *rows,
                       float *table)
{
    const int64_t count = physad__part_points(c, s), width = all_points(p);
    physad__part_rows(c, s, rows);
    scale_rows(rows, count, p->inverse);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < width; k++)
            table[i * width + k] = distance(rows + i * DIM, p->rows + k * DIM);
}

/* Whether anything moves at a point. */
static bool moves(const physad__parts *p, const physad__scale *s, const float *row)
{
    return (double)row[ENERGY] > log((PHYSAD__STILL + 0.05) * s->energy) * (double)p->inverse[ENERGY];
}

/* How a part's speed differs on the mean from that of the take that it lies beside, where both move: e to that is the
 * ratio. */
static double speed_of(const physad__parts *p, const physad__scale *s, const float *rows, int64_t count,
                       physad__part_place place)
{
    int64_t at = 0, used = 0;
    double sum = 0;
    for (int64_t n = 0; n < place.take; n++)
        at += p->length[n];
    for (int64_t i = 0; i < count; i++) {
        const int64_t other = i + place.shift;
        if (other < 0 || other >= p->length[place.take])
            continue;
        const float *mine = rows + i * DIM, *its = p->rows + (at + other) * DIM;
        if (!moves(p, s, mine) || !moves(p, s, its))
            continue;
        sum += (double)(mine[SPEED] - its[SPEED]);
        used++;
    }
    return p->inverse[SPEED] > 0 && used > 0 ? exp(sum / (double)used / (double)p->inverse[SPEED]) : 1;
}

/* Of the scene's states alone. */
static double unlike_states(const float *a, const float *b)
{
    double sum = 0;
    for (int k = CURVES; k < DIM; k++)
        sum += (double)((a[k] - b[k]) * (a[k] - b[k]));
    return sum;
}

/* Whether a short take goes through all states of a normal one: they fit much better when it is drawn out to that one's
 * length than where it fits as a part. */
static bool hurries(const physad__parts *p, const float *rows, int64_t count, physad__part_place place)
{
    double least = INFINITY, part = 0;
    int64_t at = 0;
    for (int64_t n = 0; n < p->takes; at += p->length[n++]) {
        double sum = 0;
        for (int64_t i = 0; i < count; i++) {
            const int64_t drawn = (2 * i + 1) * p->length[n] / (2 * count);
            const int64_t laid = physad__min(physad__max(i + place.shift, 0), p->length[n] - 1);
            sum += unlike_states(rows + i * DIM, p->rows + (at + drawn) * DIM);
            if (n == place.take)
                part += unlike_states(rows + i * DIM, p->rows + (at + laid) * DIM);
        }
        least = fmin(least, sum);
    }
    return least < HURRIED * part;
}

physad_status physad__part_look(const physad__parts *p, const physad__course *c, const physad__scale *s,
                                physad__mem *mem, physad__part_finding *out)
{
    const int64_t count = physad__part_points(c, s), width = all_points(p);
    double odd[PHYSAD__PART_ODDS];
    float *rows = physad__alloc_array(mem, count, DIM * sizeof(float), "a take");
    float *table = physad__alloc_array(mem, count * width, sizeof(float), "a take");
    if (rows == NULL || table == NULL) {
        physad__free(rows);
        physad__free(table);
        return PHYSAD_ERR_NOMEM;
    }
    fill_table(p, c, s, rows, table);
    lay_all(p, table, width, count, -1, odd, &out->place);
    out->length = (double)c->frames / s->frames;
    out->from = (double)out->place.shift * step_of(s);
    out->speed = speed_of(p, s, rows, count, out->place);
    for (int k = 0; k < PHYSAD__PART_PATCHES; k++) {
        const physad__usual usual = usual_of(p, k, out->length);
        out->z[k] = physad__usual_z(&usual, odd[k]);
    }
    const bool fits = fmax(out->z[PHYSAD__PART_MEAN], out->z[PHYSAD__PART_WORST]) < FITS;
    out->part = (double)c->frames < SHORTER * p->shortest && (fits || !hurries(p, rows, count, out->place));
    physad__free(rows);
    physad__free(table);
    return PHYSAD_OK;
}

/* The patches' pools count by what is usual for so short a take. */
void physad__part_patches(const physad__parts *p, double length, const double *pools, double *z)
{
    for (int k = 0; k < PHYSAD__POOLS; k++) {
        const physad__usual usual = usual_of(p, PHYSAD__PART_PATCHES + k, length);
        z[k] = physad__usual_z(&usual, pools[k]);
    }
}

/* Stillness before and behind an action, in a take that is longer than any normal one, is no part of it. */
bool physad__part_trim(const physad__parts *p, const physad__course *c, const physad__scale *s, double still,
                       physad__course *out)
{
    int64_t first = 0, last = c->frames;
    *out = *c;
    if (p->takes < 1 || !((double)c->frames > LONGER * p->longest))
        return false;
    const int64_t usual = (int64_t)(s->frames + 0.5);
    while (first < c->frames && (double)c->moments[first].energy <= still)
        first++;
    while (last > first && (double)c->moments[last - 1].energy <= still)
        last--;
    first = physad__max(0, first - (int64_t)(p->begin + 0.5));
    if (last - first < usual) /* as much rest behind it as there usually is */
        last = physad__min(c->frames, first + usual);
    if (last - first < usual)
        first = physad__max(0, last - usual);
    out->moments += first;
    out->patches += first;
    out->tiny += first * PHYSAD__TINY;
    out->frames = last - first;
    return first > 0 || last < c->frames;
}

/* --- learning ------------------------------------------------------------------------------------------------------
 */

void physad__parts_free(physad__parts *p)
{
    physad__free(p->rows);
    physad__free(p->length);
    *p = (physad__parts){ 0 };
}

physad_status physad__parts_open(physad__parts *p, physad__mem *mem, int64_t takes, int64_t points)
{
    p->rows = physad__alloc_array(mem, points, DIM * sizeof(float), "takes");
    p->length = physad__alloc_array(mem, takes, sizeof(*p->length), "takes");
    return p->rows != NULL && p->length != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* Mean of one number at a point of time, over the takes that last so long, and the square of its spread there. */
static double spread_at(const physad__parts *p, int64_t point, int64_t k, double *square)
{
    double sum = 0, count = 0;
    int64_t at = 0;
    *square = 0;
    for (int64_t n = 0; n < p->takes; at += p->length[n++])
        if (point < p->length[n]) {
            sum += (double)p->rows[(at + point) * DIM + k];
            count++;
        }
    at = 0;
    for (int64_t n = 0; n < p->takes; at += p->length[n++])
        if (point < p->length[n])
            *square += pow((double)p->rows[(at + point) * DIM + k] - sum / count, 2);
    return count - 1;
}

/* Numbers count by what they vary between takes, groups of them alike. */
static void learn_inverse(physad__parts *p)
{
    double square[DIM];
    int64_t most = 0;
    for (int64_t n = 0; n < p->takes; n++)
        most = physad__max(most, p->length[n]);
    for (int64_t k = 0; k < DIM; k++) {
        double all = 0, free = 0;
        for (int64_t point = 0; point < most; point++) {
            double one;
            const double n = spread_at(p, point, k, &one);
            if (n > 0) {
                all += one;
                free += n;
            }
        }
        square[k] = all / fmax(1, free);
    }
    int64_t k = 0;
    for (int g = 0; g < GROUPS; g++) {
        const int64_t from = k, dim = group_end[g] - from;
        double whole = 0;
        for (k = from; k < group_end[g]; k++)
            whole += square[k] / (double)dim;
        for (k = from; k < group_end[g]; k++)
            p->inverse[k] = (float)(1 / sqrt((square[k] + 0.09 * whole + 1e-9) * (double)dim * GROUPS));
    }
}

/* The pools of the patches' scores in a cut of a normal take. */
static void pools_of(const physad__motion_gathered *f, int64_t n, double from, double to, double *room, double *pools)
{
    const int64_t frames = f->curve_at[n + 1] - f->curve_at[n];
    const int64_t a = physad__min((int64_t)from, frames - 1);
    const int64_t b = physad__min(physad__max(a + 1, (int64_t)(to + 0.5)), frames);
    physad__motion_pools(f->curve + f->curve_at[n] + a, b - a, room, pools);
}

/* Cuts of one length out of every take. */
static void learn_length(physad__motion_gathered *f, int length, const float *table, double *values, double *room)
{
    physad__parts *p = &f->m->parts;
    const int64_t width = all_points(p), most = p->takes * CUTS;
    const int cuts = LENGTHS[length] < 1 ? CUTS : 1;
    int64_t at = 0, count = 0;
    for (int64_t n = 0; n < p->takes; at += p->length[n++])
        for (int c = 0; c < cuts; c++) {
            const int64_t points = physad__max(1, (int64_t)(LENGTHS[length] * (double)p->length[n] + 0.5));
            const int64_t from = cuts > 1 ? (p->length[n] - points) * c / (cuts - 1) : 0;
            double odd[PHYSAD__PART_ODDS];
            physad__part_place place;
            lay_all(p, table + (at + from) * width, width, points, n, odd, &place);
            pools_of(f, n, (double)from * step_of(&f->m->scale), (double)(from + points) * step_of(&f->m->scale), room,
                     odd + PHYSAD__PART_PATCHES);
            for (int k = 0; k < PHYSAD__PART_ODDS; k++)
                values[k * most + count] = odd[k];
            count++;
        }
    for (int k = 0; k < PHYSAD__PART_ODDS; k++)
        physad__usual_learn(&p->usual[length][k], values + k * most, count);
}

static physad_status take_over(physad__motion_gathered *f)
{
    physad__parts *p = &f->m->parts;
    PHYSAD__TRY(physad__parts_open(p, f->mem, f->part_takes, f->part_points));
    p->takes = f->part_takes;
    memcpy(p->rows, f->row, (size_t)f->part_points * DIM * sizeof(float));
    memcpy(p->length, f->points, (size_t)p->takes * sizeof(*p->length));
    p->begin = physad__median(f->begin, p->takes);
    p->shortest = p->longest = (double)(f->curve_at[1] - f->curve_at[0]);
    for (int64_t n = 1; n < p->takes; n++) {
        const double frames = (double)(f->curve_at[n + 1] - f->curve_at[n]);
        p->shortest = fmin(p->shortest, frames);
        p->longest = fmax(p->longest, frames);
    }
    return PHYSAD_OK;
}

physad_status physad__learn_parts(physad__motion_gathered *f)
{
    physad__parts *p = &f->m->parts;
    int64_t longest = 1;
    PHYSAD__TRY(take_over(f));
    learn_inverse(p);
    const int64_t width = all_points(p);
    scale_rows(p->rows, width, p->inverse);
    for (int64_t n = 0; n < p->takes; n++)
        longest = physad__max(longest, f->curve_at[n + 1] - f->curve_at[n]);
    float *table = physad__alloc_array(f->mem, width * width, sizeof(float), "takes");
    double *values = physad__alloc_array(f->mem, p->takes * CUTS, PHYSAD__PART_ODDS * sizeof(double), "takes");
    double *room = physad__alloc_array(f->mem, longest, sizeof(double), "takes");
    physad_status status = table != NULL && values != NULL && room != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < width && status == PHYSAD_OK; i++)
        for (int64_t k = 0; k < width; k++)
            table[i * width + k] = k < i ? table[k * width + i] : distance(p->rows + i * DIM, p->rows + k * DIM);
    for (int k = 0; k < PHYSAD__PART_LENGTHS && status == PHYSAD_OK && p->takes > 1; k++)
        learn_length(f, k, table, values, room);
    physad__free(table);
    physad__free(values);
    physad__free(room);
    return status;
}
