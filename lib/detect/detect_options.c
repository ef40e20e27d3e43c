/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detect.h"

static const physad__option common_rows[] = {
    { "alpha", PHYSAD_OPTION_REAL, "0.05", 0.0001, 0.5, NULL,
      "false-alarm rate that the threshold holds; asked for by name, too few normal samples are an error", NULL },
    { "calibration", PHYSAD_OPTION_REAL, "0.2", 0, 0.9, NULL,
      "share of the normal samples, whole groups, kept out of the model to set the threshold; 0: no threshold", NULL },
};
const physad__option_table physad__options_common = { common_rows, PHYSAD__COUNT(common_rows) };

/* A method's own options, then its family's, then everybody's. */
static const physad__option_table *table(const physad__method *method, int i)
{
    static const physad__option_table none = { NULL, 0 };
    const physad__option_table *family = method->features != NULL ? &physad__options_backbone
        : method->posed != NULL ? &physad__options_posed : &none;
    const physad__option_table *const tables[3] = { &method->options, family, &physad__options_common };
    return tables[i];
}

int64_t physad__method_options(const physad__method *method)
{
    return table(method, 0)->count + table(method, 1)->count + table(method, 2)->count;
}

const physad__option *physad__method_option_at(const physad__method *method, int64_t index)
{
    for (int i = 0; index >= 0 && i < 3; i++) {
        if (index < table(method, i)->count)
            return &table(method, i)->rows[index];
        index -= table(method, i)->count;
    }
    return NULL;
}

static int64_t find(const physad__method *method, const char *name)
{
    const int64_t n = physad__method_options(method);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(physad__method_option_at(method, i)->name, name) == 0)
            return i;
    return -1;
}

static bool is_choice(const char *choices, const char *value)
{
    const size_t n = strchr(value, '|') == NULL ? strlen(value) : 0; /* "a|b" stands in the list, and is none of it */
    for (const char *p = choices; n > 0 && p != NULL; p = strchr(p, '|')) {
        p += *p == '|';
        if (strncmp(p, value, n) == 0 && (p[n] == '|' || p[n] == '\0'))
            return true;
    }
    return false;
}

static physad_status check(const physad__method *method, const physad__option *o, const char *value)
{
    double real;
    int64_t integer;
    bool boolean;
    switch (o->type) {
    case PHYSAD_OPTION_INT:
        if (!physad__parse_int(value, &integer) || (double)integer < o->least || (double)integer > o->most)
            return physad__error(PHYSAD_ERR_ARG, "%s: option %s is \"%s\", want a whole number from %.10g to %.10g",
                                 method->name, o->name, value, o->least, o->most);
        return PHYSAD_OK;
    case PHYSAD_OPTION_REAL:
        if (!physad__parse_double(value, &real) || !(real >= o->least && real <= o->most))
            return physad__error(PHYSAD_ERR_ARG, "%s: option %s is \"%s\", want a number from %.10g to %.10g",
                                 method->name, o->name, value, o->least, o->most);
        return PHYSAD_OK;
    case PHYSAD_OPTION_BOOL:
        if (!physad__parse_bool(value, &boolean))
            return physad__error(PHYSAD_ERR_ARG, "%s: option %s is \"%s\", want true or false", method->name, o->name,
                                 value);
        return PHYSAD_OK;
    case PHYSAD_OPTION_CHOICE:
        if (!is_choice(o->choices, value))
            return physad__error(PHYSAD_ERR_ARG, "%s: option %s is \"%s\", want one of %s", method->name, o->name,
                                 value, o->choices);
        return PHYSAD_OK;
    default:
        return PHYSAD_OK;
    }
}

/* Gives every option that was not set by name the value it has under `preset`. */
static physad_status apply_preset(physad_detector *det, const char *preset)
{
    const physad__method *m = det->method;
    const int64_t n = physad__method_options(m);
    for (int64_t i = 0; i < n; i++) {
        const physad__option *o = physad__method_option_at(m, i);
        const char *value = o->default_value;
        if (det->given[i] || strcmp(o->name, "preset") == 0)
            continue;
        for (int64_t p = 0; p < m->preset_count; p++)
            if (strcmp(m->presets[p].preset, preset) == 0 && strcmp(m->presets[p].option, o->name) == 0)
                value = m->presets[p].value;
        PHYSAD__TRY(physad__option_set(det, o->name, value, false));
    }
    return PHYSAD_OK;
}

/* Names the one that was meant, or where none is near all there are. */
static physad_status unknown_option(const physad__method *m, const char *key)
{
    const char *names[128] = { NULL };
    const int64_t n = physad__min(physad__method_options(m), PHYSAD__COUNT(names));
    char all[800] = "";
    size_t used = 0;
    for (int64_t i = 0; i < n; i++)
        names[i] = physad__method_option_at(m, i)->name;
    const char *near = physad__nearest_name(key, names, n);
    if (near != NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s has no option \"%s\"; did you mean %s?", m->name, key, near);
    for (int64_t i = 0; i < n && used + strlen(names[i]) + 3 < sizeof(all); i++)
        used += (size_t)physad__snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? ", " : "", names[i]);
    return physad__error(PHYSAD_ERR_ARG, "%s has no option \"%s\"; it has %s", m->name, key, all);
}

physad_status physad__option_set(physad_detector *det, const char *key, const char *value, bool given)
{
    const physad__method *m = det->method;
    const int64_t i = find(m, key);
    if (i < 0)
        return unknown_option(m, key);
    PHYSAD__TRY(check(m, physad__method_option_at(m, i), value));
    char *copy = physad__strdup(&det->ctx->mem, value);
    if (copy == NULL)
        return PHYSAD_ERR_NOMEM;
    physad__free(det->values[i]);
    det->values[i] = copy;
    det->given[i] = det->given[i] || given;
    return given && strcmp(key, "preset") == 0 ? apply_preset(det, copy) : PHYSAD_OK;
}

physad_status physad__options_init(physad_detector *det)
{
    const int64_t n = physad__method_options(det->method);
    det->values = physad__alloc_zero(&det->ctx->mem, (size_t)n * sizeof(char *), "options");
    det->given = physad__alloc_zero(&det->ctx->mem, (size_t)n, "options");
    if (det->values == NULL || det->given == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        const physad__option *o = physad__method_option_at(det->method, i);
        PHYSAD__TRY(physad__option_set(det, o->name, o->default_value, false));
    }
    return PHYSAD_OK;
}

const char *physad__option_text(const physad_detector *det, const char *name)
{
    const int64_t i = find(det->method, name);
    return i >= 0 ? det->values[i] : "";
}

int64_t physad__option_int(const physad_detector *det, const char *name)
{
    int64_t v = 0;
    physad__parse_int(physad__option_text(det, name), &v);
    return v;
}

double physad__option_real(const physad_detector *det, const char *name)
{
    double v = 0;
    physad__parse_double(physad__option_text(det, name), &v);
    return v;
}

bool physad__option_bool(const physad_detector *det, const char *name)
{
    bool v = false;
    physad__parse_bool(physad__option_text(det, name), &v);
    return v;
}

bool physad__option_is(const physad_detector *det, const char *name, const char *value)
{
    return strcmp(physad__option_text(det, name), value) == 0;
}

bool physad__option_given(const physad_detector *det, const char *name)
{
    const int64_t i = find(det->method, name);
    return i >= 0 && det->given[i];
}
