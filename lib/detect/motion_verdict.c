/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: how odd a take or a clip is as a whole, and in words. */
#include "detect/motion.h"

#include <math.h>

static const double CLEAR = 3;        /* z from which a view is odd by itself: as far off as a broken rule */
static const double MANY = 2.5;       /* a score from which many are, though none of them is by itself */
static const double EFFECT = 1.0 / 3; /* by how much less a rule tells whose break comes of another's */
static const double SLOWER = 0.8;     /* than normal, from which a part is said to be slow; its inverse: fast */

/* --- scores --------------------------------------------------------------------------------------------------------
 */

/* z of each pool of the frames' patch scores. */
static void pool_odds(const physad__motion_model *m, const double *scores, int64_t count, double *room, double *odds)
{
    double pools[PHYSAD__POOLS];
    physad__motion_pools(scores, count, room, pools);
    for (int i = 0; i < PHYSAD__POOLS; i++)
        odds[i] = physad__usual_z(&m->pool[i], pools[i]);
}

/* Views and rules, which want takes that show the whole action. */
static void judge_whole(const physad__motion_model *m, const physad__course *c, physad__take_finding *f)
{
    float row[PHYSAD__VIEW_MOST];
    int64_t worst;
    for (int64_t v = 0; v < PHYSAD__VIEWS; v++) {
        if (c->coarse && physad__view_kinds[v].fine)
            continue;
        physad__view_kinds[v].fill(c, &m->scale, row);
        f->odds[v] = physad__usual_z(&m->view[v].usual, physad__view_distance(m, v, row, -1));
    }
    f->odds[PHYSAD__ODDS_RULES] = physad__usual_z(&m->rule, physad__rules_oddness(m->rules, f->values, &worst));
}

physad_status physad__motion_take_score(const physad__motion_model *m, physad__mem *mem, const physad__course *course,
                                        const physad__look *look, physad__take_finding *f)
{
    const physad__parts *p = &m->parts;
    physad__course c;
    *f = (physad__take_finding){ 0 };
    physad__part_trim(p, course, &m->scale, PHYSAD__STILL * m->scale.energy, &c);
    physad__rules_measure(&c, 0, c.frames, &m->scale, m->rate, f->values);
    if (p->takes > 1)
        PHYSAD__TRY(physad__part_look(p, &c, &m->scale, mem, &f->beside));
    double *room = physad__alloc_array(mem, c.frames, sizeof(*room), "scores"), pools[PHYSAD__POOLS];
    if (room == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int k = 0; k < PHYSAD__PART_PATCHES && p->takes > 1; k++)
        f->odds[PHYSAD__ODDS_PARTS + k] = f->beside.z[k];
    f->part = f->beside.part;
    f->phase = f->part ? f->beside.from : -(double)(c.moments - course->moments);
    f->odds[PHYSAD__ODDS_LOOKS] = physad__look_z(&m->looks, look);
    if (f->part) {
        physad__motion_pools(c.patches, c.frames, room, pools);
        physad__part_patches(p, f->beside.length, pools, f->odds + PHYSAD__ODDS_POOLS);
        f->score = physad__motion_join(f->odds + PHYSAD__ODDS_POOLS, PHYSAD__ODDS - PHYSAD__ODDS_POOLS);
    } else {
        judge_whole(m, &c, f);
        pool_odds(m, c.patches, c.frames, room, f->odds + PHYSAD__ODDS_POOLS);
        f->score = physad__motion_join(f->odds, PHYSAD__ODDS);
    }
    physad__free(room);
    return PHYSAD_OK;
}

/* A clip of a stream: the deviation of its patches' mean score over time. What is odd stays so for a clip's length,
 * while the highest of so many frames hangs on one (tried on normal recordings in which one thing was hurried, enlarged
 * or made to glide: AUROC 0.91 by the mean, 0.82 by the maximum, 0.86 by both). The clip's rules are told in words and
 * do not count: what goes on in a clip as a whole varies with how many things pass (tried likewise: counted in, they
 * hid the odd thing). */
double physad__motion_clip_score(const physad__motion_model *m, const physad__course *c, int64_t from, int64_t to,
                                 double *values)
{
    double odds[PHYSAD__POOLS], room[PHYSAD__CLIP];
    physad__rules_measure(c, from, to, &m->scale, m->rate, values);
    pool_odds(m, c->patches + from, to - from, room, odds);
    return odds[PHYSAD__POOL_MEAN];
}

/* --- words ---------------------------------------------------------------------------------------------------------
 */

/* How much a broken rule tells: what comes of others (a slow thing does not rest) a third of what it deviates. */
static double tells(const physad__motion_model *m, int64_t k, double value)
{
    const double d = physad__rule_deviation(&m->rules[k], value);
    const int side = d < 0 ? PHYSAD__RULE_BELOW : PHYSAD__RULE_ABOVE;
    return fabs(d) * ((physad__rule_kinds[k].cause & side) != 0 ? 1 : EFFECT);
}

/* The broken rules, those first that tell most. */
static void say_rules(const physad__motion_model *m, const double *values, char *out, size_t size)
{
    char one[256];
    bool told[PHYSAD__RULES] = { false };
    size_t used = 0;
    const int64_t only = physad__rules_all_said(m->rules, values);
    for (int n = 0; n < (only < 0 ? 3 : 1); n++) {
        int64_t k = only;
        for (int64_t i = 0; i < PHYSAD__RULES && only < 0; i++)
            if (m->rules[i].used && !told[i] && (values[i] < m->rules[i].low || values[i] > m->rules[i].high) &&
                (k < 0 || tells(m, i, values[i]) > tells(m, k, values[k])))
                k = i;
        if (k < 0)
            break;
        told[k] = true;
        physad__rule_say(one, sizeof(one), k, &m->rules[k], values[k]);
        physad__snprintf(out + used, size - used, "%s%s", n > 0 ? "; " : "", one);
        used = strlen(out);
    }
}

/* What is odd by that z, where no rule says it. */
static const char *words_of(int64_t odd)
{
    if (odd < PHYSAD__ODDS_RULES)
        return physad__view_kinds[odd].words;
    if (odd == PHYSAD__ODDS_RULES)
        return "many rules are near their borders together";
    if (odd < PHYSAD__ODDS_PARTS)
        return odd == PHYSAD__ODDS_POOLS + PHYSAD__POOL_MAX ? "a place at one moment" : "places at many moments";
    return odd < PHYSAD__ODDS_LOOKS ? "how it goes on, laid beside normal ones" : "how it looks";
}

/* Where a part lies in the action, and what is odd there. */
static void say_part(const physad__motion_model *m, const physad__take_finding *f, int64_t odd, char *out, size_t size)
{
    const bool beside = odd >= PHYSAD__ODDS_PARTS && odd < PHYSAD__ODDS_LOOKS;
    const char *pace = f->beside.speed < SLOWER ? "too slow" : f->beside.speed > 1 / SLOWER ? "too fast" : NULL;
    physad__snprintf(out, size, "a part of the action, as from %.2f s on: %s%s (its speed: %.2f of the normal)",
                     fmax(f->beside.from, 0) / m->rate, beside && pace != NULL ? "" : "unlike any normal video: ",
                     beside && pace != NULL ? pace : words_of(odd), f->beside.speed);
}

/* The greatest z, unless that is none to speak of: -1. A normal take lies two spreads off in one of so many views
 * often, which is no news. */
static int64_t oddest_of(const physad__take_finding *f)
{
    int64_t odd = f->part ? PHYSAD__ODDS_POOLS : 0;
    for (int64_t i = odd + 1; i < PHYSAD__ODDS; i++)
        odd = f->odds[i] > f->odds[odd] ? i : odd;
    return f->odds[odd] > CLEAR || f->score > MANY ? odd : -1;
}

void physad__motion_say(const physad__motion_model *m, const double *values, const physad__take_finding *f,
                        double clip_score, int64_t worst, char *out, size_t size)
{
    const int64_t odd = f != NULL ? oddest_of(f) : -1;
    out[0] = '\0';
    if (f == NULL || !f->part)
        say_rules(m, values, out, size);
    else if (odd >= 0)
        say_part(m, f, odd, out, size);
    if (out[0] == '\0' && (odd >= 0 || (f == NULL && clip_score > CLEAR)))
        physad__snprintf(out, size, "no single rule is broken; unlike any normal video: %s",
                         odd >= 0 ? words_of(odd) : "places at many moments");
    const size_t used = strlen(out);
    if (used > 0)
        physad__snprintf(out + used, size - used, "; oddest at %.2f s", (double)worst / m->rate);
}
