/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: numbers of a take that have names, each with the range that normal takes keep to. Both sides count: too little
 * is as odd as too much. */
#include "detect/motion.h"

#include <math.h>

enum { MOST_LAG_SHARE = 2, MOST_LAG = 4096 };

enum {
    DURATION,
    ENERGY,
    FLOW,
    SPEED,
    PEAK,
    SPREAD,
    BEGIN,
    END,
    STALL,
    STILLNESS,
    PULSE,
    UNEVEN,
    TREMOR,
    RETURN,
    FARTHEST,
    REVERSAL,
    RELEASE,
    FINAL,
    CAMERA
};

const physad__rule_kind physad__rule_kinds[PHYSAD__RULES] = {
    [DURATION] = { "duration", "s", "is over too early", "goes on for too long", false, false, 0.02,
                   PHYSAD__RULE_EITHER },
    [ENERGY] = { "energy", "log", "moves too little", "moves too much", false, false, 0.03, 0 },
    [FLOW] = { "way", "log", "goes less far", "goes too far", false, false, 0.03, 0 },
    [SPEED] = { "speed", "log px/frame", "too slow", "too fast", false, true, 0.03, PHYSAD__RULE_EITHER },
    [PEAK] = { "top_speed", "log px/frame", "never gets up to speed", "gets too fast", false, true, 0.03,
               PHYSAD__RULE_EITHER },
    [SPREAD] = { "extent", "log", "too little of it moves", "too much of it moves", false, false, 0.03, 0 },
    [BEGIN] = { "begin", "s", "begins too early", "begins too late", false, false, 0.02, PHYSAD__RULE_EITHER },
    [END] = { "end", "s", "stops early", "does not stop", false, false, 0.02, PHYSAD__RULE_EITHER },
    [STALL] = { "stall", "s", "never rests", "stalls", false, false, 0.02, PHYSAD__RULE_ABOVE },
    [STILLNESS] = { "rest", "share", "hardly rests", "rests for too long", false, false, 0.01, 0 },
    [PULSE] = { "rate", "Hz", "its rhythm is too slow", "its rhythm is too fast", false, false, 0.02,
                PHYSAD__RULE_EITHER },
    [UNEVEN] = { "unevenness", "ratio", "moves too evenly", "moves unevenly", false, false, 0.02, 0 },
    [TREMOR] = { "tremor", "log", "moves too smoothly", "trembles or wobbles", true, false, 0.03, PHYSAD__RULE_ABOVE },
    [RETURN] = { "end_state", "share", "ends too near to where it began",
                 "wrong end state: far from where normal ones end", false, false, 0.02, PHYSAD__RULE_EITHER },
    [FARTHEST] = { "middle_state", "share", "its farthest state comes too early", "its farthest state comes too late",
                   false, false, 0.01, 0 },
    [REVERSAL] = { "reversal", "share", "does not turn back", "turns back", false, false, 0.02, PHYSAD__RULE_EITHER },
    [RELEASE] = { "decay", "s", "its motion dies away too fast", "its motion dies away too slowly", false, false, 0.02,
                  0 },
    [FINAL] = { "final_energy", "log", "stands still at the end", "still moves at the end", false, false, 0.05, 0 },
    [CAMERA] = { "camera", "px/frame", "the camera is too still", "the camera shakes", false, false, 0.1, 0 },
};

/* --- measuring -----------------------------------------------------------------------------------------------------
 */

typedef struct take {
    const physad__course *c;
    int64_t from, to, count; /* frames from .. to - 1 */
    double rate, still;      /* energy below which nothing moves */
    const physad__scale *s;
} take;

static double energy_at(const take *t, int64_t i)
{
    return (double)t->c->moments[t->from + i].energy;
}

static double field_at(const take *t, size_t field, int64_t i)
{
    return (double)*(const float *)(const void *)((const char *)&t->c->moments[t->from + i] + field);
}

/* The least value of a field that a share `q` of the frames does not exceed, by halving. */
static double quantile(const take *t, size_t field, double q)
{
    double low = 0, high = 0;
    for (int64_t i = 0; i < t->count; i++)
        high = fmax(high, field_at(t, field, i));
    for (int round = 0; round < 40; round++) {
        const double middle = (low + high) / 2;
        int64_t below = 0;
        for (int64_t i = 0; i < t->count; i++)
            below += field_at(t, field, i) <= middle;
        if ((double)below >= q * (double)t->count)
            high = middle;
        else
            low = middle;
    }
    return high;
}

static double mean(const take *t, size_t field)
{
    double sum = 0;
    for (int64_t i = 0; i < t->count; i++)
        sum += field_at(t, field, i);
    return sum / (double)t->count;
}

static void amounts(const take *t, double *values)
{
    const double flow = mean(t, offsetof(physad__moment, flow)), moving = mean(t, offsetof(physad__moment, moving));
    double change = 0;
    values[ENERGY] = log(mean(t, offsetof(physad__moment, energy)) + 0.05 * t->s->energy);
    values[FLOW] = log(flow + 0.05 * t->s->flow);
    values[SPEED] = log(flow / (moving + 1e-3) + 0.1);
    values[PEAK] = log(quantile(t, offsetof(physad__moment, peak), 0.95) + 0.1);
    values[SPREAD] = log(moving + 1e-3);
    values[CAMERA] = mean(t, offsetof(physad__moment, camera));
    for (int64_t i = 1; i + 1 < t->count; i++) {
        const physad__moment *m = &t->c->moments[t->from + i];
        const double x = (double)(m[-1].u - 2 * m[0].u + m[1].u), y = (double)(m[-1].v - 2 * m[0].v + m[1].v);
        change += sqrt(x * x + y * y);
    }
    values[TREMOR] = log(change / (double)physad__max(1, t->count - 2) + 0.02 * t->s->flow + 1e-9);
}

/* When it begins and ends to move, and how long it stands still between. */
static void times(const take *t, double *values)
{
    int64_t first = -1, last = -1, run = 0, longest = 0, still = 0;
    double weight = 0, late = 0, square = 0;
    for (int64_t i = 0; i < t->count; i++) {
        const double e = energy_at(t, i);
        if (e > t->still) {
            first = first < 0 ? i : first;
            last = i;
            longest = physad__max(longest, run);
            run = 0;
        } else {
            still++;
            run += first >= 0;
        }
        weight += e;
        square += e * e;
    }
    const double average = weight / (double)t->count;
    values[DURATION] = (double)t->count / t->rate;
    values[BEGIN] = (double)physad__max(first, 0) / t->rate;
    values[END] = (double)(last + 1) / t->rate;
    values[STALL] = (double)longest / t->rate;
    values[STILLNESS] = (double)still / (double)t->count;
    values[UNEVEN] = sqrt(fmax(square / (double)t->count - average * average, 0)) / (average + 0.05 * t->s->energy);
    const int64_t tail = physad__max(1, t->count / 8);
    for (int64_t i = t->count - tail; i < t->count; i++)
        late += energy_at(t, i) / (double)tail;
    values[FINAL] = log(late + 0.02 * t->s->energy);
}

/* From the greatest energy on until a third of it is left for good. */
static double decay(const take *t)
{
    int64_t top = 0, end;
    for (int64_t i = 1; i < t->count; i++)
        if (energy_at(t, i) > energy_at(t, top))
            top = i;
    for (end = t->count; end > top + 1 && energy_at(t, end - 1) < energy_at(t, top) / 3; end--)
        continue;
    return (double)(end - top) / t->rate;
}

/* The strongest rhythm of the flow, by its correlation with itself. One slower than MOST_LAG is not looked for: hours
 * would take hours. */
static double rate_of(const take *t)
{
    double best = 0, norm = 0;
    int64_t lag = 0;
    bool fell = false;
    const physad__moment *m = t->c->moments + t->from;
    for (int64_t i = 0; i < t->count; i++)
        norm += (double)(m[i].u * m[i].u + m[i].v * m[i].v);
    for (int64_t k = 2; k < physad__min(t->count / MOST_LAG_SHARE, MOST_LAG); k++) {
        double sum = 0;
        for (int64_t i = 0; i + k < t->count; i++)
            sum += (double)(m[i].u * m[i + k].u + m[i].v * m[i + k].v);
        sum *= (double)t->count / (double)(t->count - k) / (norm + 1e-12);
        fell = fell || sum < 0.3;
        if (fell && sum > best) {
            best = sum;
            lag = k;
        }
    }
    return best > 0.4 ? t->rate / (double)lag : 0;
}

static double unlike(const take *t, int64_t a, int64_t b)
{
    const float *p = t->c->tiny + (t->from + a) * PHYSAD__TINY, *q = t->c->tiny + (t->from + b) * PHYSAD__TINY;
    double sum = 0;
    for (int k = 0; k < PHYSAD__TINY; k++)
        sum += (double)(p[k] - q[k]) * (double)(p[k] - q[k]);
    return sqrt(sum);
}

/* Where it ends against where it began, in the greatest distance from there on the way. */
static void states(const take *t, double *values)
{
    double most = 1e-3, back = 0, way = 1e-3, before = 0;
    int64_t farthest = 0;
    const int64_t step = physad__max(1, t->count / 48);
    for (int64_t i = 0; i < t->count; i += step) {
        const double d = unlike(t, 0, i);
        way += fabs(d - before);
        back += fmax(before - d, 0);
        before = d;
        if (d > most) {
            most = d;
            farthest = i;
        }
    }
    values[RETURN] = unlike(t, 0, t->count - 1) / most;
    values[FARTHEST] = (double)farthest / (double)t->count;
    values[REVERSAL] = back / way;
}

void physad__rules_measure(const physad__course *course, int64_t from, int64_t to, const physad__scale *scale,
                           double rate, double *values)
{
    take t = { course, from, to, to - from, rate > 0 ? rate : 25, 0, scale };
    memset(values, 0, PHYSAD__RULES * sizeof(*values));
    if (t.count < 1)
        return;
    t.still = PHYSAD__STILL * scale->energy;
    amounts(&t, values);
    times(&t, values);
    values[RELEASE] = decay(&t);
    values[PULSE] = rate_of(&t);
    states(&t, values);
    for (int64_t k = 0; k < PHYSAD__RULES; k++)
        if (course->coarse && physad__rule_kinds[k].fine)
            values[k] = NAN;
}

/* --- learning ------------------------------------------------------------------------------------------------------
 */

/* Which takes are learned from, and what they show. */
typedef struct lesson {
    const double *values; /* count x PHYSAD__RULES */
    int64_t count;
    const int64_t *instance, *take;
    int64_t without;
} lesson;

/* Sum of the squared distances of one instance's values from their mean, and a part of that mean's from all; adds what
 * is free. */
static double spread_within(const lesson *l, int64_t lead, int64_t k, double middle, int64_t *free)
{
    double own = 0, square = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < l->count; i++)
        if (l->instance[i] == lead && l->take[i] != l->without) {
            own += l->values[i * PHYSAD__RULES + k];
            n++;
        }
    if (n == 0)
        return 0;
    own /= (double)n;
    for (int64_t i = 0; i < l->count; i++)
        if (l->instance[i] == lead && l->take[i] != l->without)
            square += pow(l->values[i * PHYSAD__RULES + k] - own, 2) + pow(own - middle, 2) / 4;
    *free += n - 1;
    return square;
}

/* Deviations within instances count in full, those among them in half: things of one kind may differ, and a rule is
 * what each keeps to. */
static void learn_one(physad__rule *rule, const lesson *l, int64_t k)
{
    double middle = 0, square = 0;
    int64_t n = 0, free = 0;
    for (int64_t i = 0; i < l->count; i++)
        if (l->take[i] != l->without) {
            middle += l->values[i * PHYSAD__RULES + k];
            n++;
        }
    middle /= (double)physad__max(1, n);
    for (int64_t lead = 0; lead < l->count; lead++)
        if (l->instance[lead] == lead)
            square += spread_within(l, lead, k, middle, &free);
    rule->middle = middle;
    rule->spread = fmax(sqrt(square / (double)physad__max(1, free)), physad__rule_kinds[k].least);
    rule->low = middle - 3 * rule->spread;
    rule->high = middle + 3 * rule->spread;
}

void physad__rules_learn(physad__rule *rules, const double *values, int64_t count, const int64_t *instance,
                         const int64_t *takes, int64_t without, bool clips)
{
    const lesson l = { values, count, instance, takes, without };
    for (int64_t k = 0; k < PHYSAD__RULES; k++) {
        learn_one(&rules[k], &l, k);
        rules[k].used = k != CAMERA && (!clips || physad__rule_kinds[k].clip); /* that is not the thing's fault */
    }
}

/* Within the range its borders are 3; outside, spreads count on, so that a range that was edited to be wide is no rule
 * that nothing breaks. */
double physad__rule_deviation(const physad__rule *rule, double value)
{
    const double middle = (rule->low + rule->high) / 2, half = fmax((rule->high - rule->low) / 2, 1e-9);
    const double unit = fmin(half / 3, rule->spread);
    if (value > rule->high)
        return 3 + (value - rule->high) / unit;
    return value < rule->low ? -3 - (rule->low - value) / unit : 3 * (value - middle) / half;
}

/* Root mean square of the deviations, so that one broken rule shows beside many that hold. */
double physad__rules_oddness(const physad__rule *rules, const double *values, int64_t *worst)
{
    double sum = 0, most = -1;
    int64_t n = 0;
    *worst = -1;
    for (int64_t k = 0; k < PHYSAD__RULES; k++) {
        if (!rules[k].used || isnan(values[k]))
            continue;
        const double d = fabs(physad__rule_deviation(&rules[k], values[k]));
        sum += fmin(d, 100) * fmin(d, 100);
        n++;
        if (d > most) {
            most = d;
            *worst = k;
        }
    }
    return n > 0 ? sqrt(sum / (double)n) : 0;
}

/* --- text ----------------------------------------------------------------------------------------------------------
 */

/* Some rules go by the logarithm; people are told what it is of. */
static bool by_logarithm(int64_t index)
{
    return strncmp(physad__rule_kinds[index].unit, "log", 3) == 0;
}

static const char *unit_of(int64_t index)
{
    const char *unit = physad__rule_kinds[index].unit;
    return by_logarithm(index) ? unit + 3 + (unit[3] == ' ') : unit;
}

static double told(int64_t index, double value)
{
    return by_logarithm(index) ? exp(value) : value;
}

/* exp() holds no more. */
bool physad__rule_can_be_told(int64_t index, double value)
{
    return !by_logarithm(index) || isfinite(exp(value));
}

/* Nothing, or less, of what goes by its logarithm is too little to be found. */
static double meant(int64_t index, double value)
{
    return by_logarithm(index) ? log(fmax(value, 1e-9)) : value;
}

json_t *physad__rules_to_json(const physad__rule *rules)
{
    json_t *list = json_array();
    for (int64_t k = 0; k < PHYSAD__RULES && list != NULL; k++) {
        const physad__rule_kind *kind = &physad__rule_kinds[k];
        json_t *one =
            json_pack("{ss ss sb sf sf ss ss}", "rule", kind->name, "unit", unit_of(k), "used", rules[k].used, "low",
                      told(k, rules[k].low), "high", told(k, rules[k].high), "below", kind->low, "above", kind->high);
        if (one == NULL || json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* What stands there, for a message: a number or a short text as it is, else what kind of thing it is. */
static const char *shown(const json_t *value, char *out, size_t size)
{
    if (value == NULL)
        return "nothing";
    if (json_is_number(value))
        physad__snprintf(out, size, "%g", json_number_value(value));
    else if (json_is_string(value))
        physad__snprintf(out, size, "\"%.40s\"", json_string_value(value));
    else if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    else
        return json_is_object(value) ? "an object" : json_is_array(value) ? "a list" : "null";
    return out;
}

static int64_t find_rule(const char *name)
{
    for (int64_t k = 0; k < PHYSAD__RULES; k++)
        if (strcmp(physad__rule_kinds[k].name, name) == 0)
            return k;
    return -1;
}

static physad_status unknown_rule(const char *name)
{
    const char *names[PHYSAD__RULES];
    char all[400] = "";
    size_t used = 0;
    for (int64_t k = 0; k < PHYSAD__RULES; k++)
        names[k] = physad__rule_kinds[k].name;
    const char *near = physad__nearest_name(name, names, PHYSAD__RULES);
    if (near != NULL)
        return physad__error(PHYSAD_ERR_FORMAT, "there is no rule \"%.60s\"; did you mean \"%s\"?", name, near);
    for (int64_t k = 0; k < PHYSAD__RULES; k++)
        used += (size_t)physad__snprintf(all + used, sizeof(all) - used, "%s%s", k > 0 ? ", " : "", names[k]);
    return physad__error(PHYSAD_ERR_FORMAT, "there is no rule \"%.60s\"; there are %s", name, all);
}

/* What stands in a rule: a misspelt "used" would leave it as it is, and pass. The words are for reading. */
static const char *const fields[] = { "rule", "unit", "used", "low", "high", "below", "above" };

static physad_status check_fields(int64_t k, const json_t *one)
{
    const char *key, *name = physad__rule_kinds[k].name;
    const json_t *unit = json_object_get(one, "unit");
    for (void *at = json_object_iter((json_t *)(uintptr_t)one); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)one, at)) {
        bool known = false;
        key = json_object_iter_key(at);
        for (int64_t i = 0; i < PHYSAD__COUNT(fields); i++)
            known = known || strcmp(key, fields[i]) == 0;
        const char *near = known ? NULL : physad__nearest_name(key, fields, PHYSAD__COUNT(fields));
        if (!known)
            return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\" has no \"%.60s\"; %s%s%s", name, key,
                                 near != NULL ? "did you mean \"" : "it has low, high and used",
                                 near != NULL ? near : "", near != NULL ? "\"?" : "");
    }
    if (unit != NULL && (!json_is_string(unit) || strcmp(json_string_value(unit), unit_of(k)) != 0)) {
        char got[64];
        return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\": unit is %s, want \"%s\"", name,
                             shown(unit, got, sizeof(got)), unit_of(k));
    }
    return PHYSAD_OK;
}

static const double MOST_TOLD = 1e100;

static physad_status read_range(physad__rule *rule, int64_t k, const json_t *one)
{
    char got[64], other[64];
    const char *name = physad__rule_kinds[k].name, *keys[2] = { "low", "high" };
    double range[2];
    for (int i = 0; i < 2; i++) {
        const json_t *value = json_object_get(one, keys[i]);
        if (!json_is_number(value))
            return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\": %s is %s, want a number", name, keys[i],
                                 shown(value, got, sizeof(got)));
        range[i] = json_number_value(value);
        if (!(fabs(range[i]) <= MOST_TOLD)) /* else what is saved, told again, might be beyond range */
            return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\": %s is %g, want %g at most, either way", name, keys[i],
                                 range[i], MOST_TOLD);
    }
    if (!(range[0] < range[1]))
        return physad__error(
            PHYSAD_ERR_FORMAT,
            "rule \"%s\": low is %s and high is %s, want low < high; \"used\": false leaves a rule out", name,
            shown(json_object_get(one, "low"), got, sizeof(got)),
            shown(json_object_get(one, "high"), other, sizeof(other)));
    if (by_logarithm(k) && !(range[1] > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\": high is %g, want more than 0", name, range[1]);
    rule->low = meant(k, range[0]);
    rule->high = fmax(meant(k, range[1]), rule->low + 1e-9);
    return PHYSAD_OK;
}

static physad_status read_rule(physad__rule *rules, const json_t *one, bool *given)
{
    char got[64];
    const json_t *name = json_object_get(one, "rule"), *used = json_object_get(one, "used");
    if (!json_is_object(one))
        return physad__error(PHYSAD_ERR_FORMAT,
                             "it is %s, want {\"rule\": name, \"low\": number, \"high\": number, \"used\": true}",
                             shown(one, got, sizeof(got)));
    if (!json_is_string(name))
        return physad__error(PHYSAD_ERR_FORMAT, "\"rule\" is %s, want the name of a rule",
                             shown(name, got, sizeof(got)));
    const int64_t k = find_rule(json_string_value(name));
    if (k < 0)
        return unknown_rule(json_string_value(name));
    if (given[k])
        return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\" is there twice, want it once", physad__rule_kinds[k].name);
    PHYSAD__TRY(check_fields(k, one));
    if (used != NULL && !json_is_boolean(used))
        return physad__error(PHYSAD_ERR_FORMAT, "rule \"%s\": used is %s, want true or false",
                             physad__rule_kinds[k].name, shown(used, got, sizeof(got)));
    if (used == NULL || json_object_get(one, "low") != NULL || json_object_get(one, "high") != NULL)
        PHYSAD__TRY(read_range(&rules[k], k, one)); /* {"rule": name, "used": false} says enough */
    rules[k].used = used == NULL ? rules[k].used : json_is_true(used);
    given[k] = true;
    return PHYSAD_OK;
}

physad_status physad__rules_from_json(physad__rule *rules, const json_t *json)
{
    char got[64];
    bool given[PHYSAD__RULES] = { false };
    const bool whole = json_is_object(json);
    const json_t *list = whole ? json_object_get(json, "rules") : json;
    if (!json_is_array(list))
        return physad__error(PHYSAD_ERR_FORMAT, "%s %s, want a list of rules%s", whole ? "\"rules\" is" : "it is",
                             shown(list, got, sizeof(got)), whole ? "" : ", or {\"rules\": [...]}");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const physad_status status = read_rule(rules, json_array_get(list, i), given);
        if (status != PHYSAD_OK)
            return physad__error_prefix(status, "entry %lld of the rules", (long long)i + 1);
    }
    return PHYSAD_OK;
}

int64_t physad__rules_all_said(const physad__rule *rules, const double *values)
{
    return rules[END].used && values[END] < rules[END].low && values[END] <= 0 ? END : -1;
}

/* What it means to lie outside. Where normal takes have no rhythm one is not too fast, and none at all not too slow. */
static const char *meaning_of(int64_t index, const physad__rule *rule, double value)
{
    const physad__rule_kind *kind = &physad__rule_kinds[index];
    if (index == PULSE && value > rule->high && rule->low <= 0 && rule->middle <= 0)
        return "has a rhythm, and normal ones none";
    if (index == PULSE && value < rule->low && value <= 0)
        return "has no rhythm";
    if (index == END && value < rule->low && value <= 0)
        return "does not move";
    return value < rule->low ? kind->low : kind->high;
}

void physad__rule_say(char *out, size_t size, int64_t index, const physad__rule *rule, double value)
{
    const physad__rule_kind *kind = &physad__rule_kinds[index];
    const char *unit = unit_of(index);
    const double low = fmax(told(index, rule->low), 0), high = told(index, rule->high);
    physad__snprintf(out, size, "%s (%s %.3g%s%s; normal: %.3g to %.3g)", meaning_of(index, rule, value), kind->name,
                     told(index, value), *unit != '\0' ? " " : "", unit, low, high);
}
