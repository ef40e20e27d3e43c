/* SPDX-License-Identifier: Apache-2.0 */
/* What both kinds of made-up set ask of their options. */
#include "synth/synth_knobs.h"

physad_status physad__knob_int(const char *call, int32_t *value, const char *name, int32_t fallback, int32_t least,
                               int32_t most)
{
    if (*value == 0)
        *value = fallback;
    else if (*value < 0 && least == 0)
        *value = 0;
    if (*value < least || *value > most)
        return physad__error(PHYSAD_ERR_ARG, "%s: %s is %d, want %d to %d", call, name, *value, least, most);
    return PHYSAD_OK;
}

physad_status physad__knob_real(const char *call, double *value, const char *name, double fallback, double least,
                                double most)
{
    if (*value == 0)
        *value = fallback;
    else if (*value < 0 && least == 0)
        *value = 0;
    if (!(*value >= least && *value <= most))
        return physad__error(PHYSAD_ERR_ARG, "%s: %s is %g, want %g to %g", call, name, *value, least, most);
    return PHYSAD_OK;
}

physad_status physad__knob_names(const char *call, bool *marked, int64_t count, const char *(*name_of)(int64_t),
                                 const char *list, const char *what)
{
    const char *names[64];
    for (int64_t i = 0; i < count; i++) {
        names[i] = name_of(i);
        marked[i] = list == NULL;
    }
    for (const char *at = list; at != NULL && *at != '\0';) {
        const size_t length = strcspn(at, ",");
        char word[64];
        physad__snprintf(word, sizeof(word), "%.*s", (int)(length < 60 ? length : 60), at);
        int64_t i = 0;
        while (i < count && strcmp(names[i], word) != 0)
            i++;
        if (i == count) {
            const char *near = physad__nearest_name(word, names, count);
            return physad__error(PHYSAD_ERR_ARG, "%s: there is no %s \"%s\"%s%s%s", call, what, word,
                                 near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                                 near != NULL ? "\"?" : "");
        }
        marked[i] = true;
        at += length + (at[length] == ',');
    }
    return PHYSAD_OK;
}
