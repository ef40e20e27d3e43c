/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/detect.h"

extern const physad__method physad__method_render_compare, physad__method_splat_bank, physad__method_splatpose,
    physad__method_piad;
extern const physad__method physad__method_patchcore, physad__method_padim, physad__method_motion_energy,
    physad__method_motion_bank;
extern const physad__method physad__method_mnad_pred, physad__method_mnad_recon, physad__method_memae,
    physad__method_mpn;

const physad__method *const physad__methods[] = {
    &physad__method_patchcore,
    &physad__method_padim,
    &physad__method_motion_energy,
    &physad__method_render_compare,
    &physad__method_splat_bank,
    &physad__method_splatpose,
    &physad__method_piad,
    &physad__method_mnad_pred,
    &physad__method_mnad_recon,
    &physad__method_memae,
    &physad__method_mpn,
    &physad__method_motion_bank,
};
const int64_t physad__method_count = PHYSAD__COUNT(physad__methods);

const physad__method *physad__method_find(const char *name)
{
    const char *names[PHYSAD__COUNT(physad__methods)];
    for (int64_t i = 0; i < physad__method_count; i++) {
        names[i] = physad__methods[i]->name;
        if (strcmp(names[i], name) == 0)
            return physad__methods[i];
    }
    const char *near = physad__nearest_name(name, names, physad__method_count);
    if (near != NULL) {
        physad__error(PHYSAD_ERR_ARG, "there is no method \"%s\"; did you mean %s?", name, near);
        return NULL;
    }
    char all[24 * PHYSAD__COUNT(physad__methods)] = "";
    for (int64_t i = 0, used = 0; i < physad__method_count; i++)
        used += physad__snprintf(all + used, sizeof(all) - (size_t)used, "%s%s", i > 0 ? ", " : "", names[i]);
    physad__error(PHYSAD_ERR_ARG, "there is no method \"%.64s\"; want one of %s", name, all);
    return NULL;
}

int64_t physad_method_count(void)
{
    return physad__method_count;
}

const char *physad_method_name(int64_t index)
{
    return index >= 0 && index < physad__method_count ? physad__methods[index]->name : NULL;
}

physad_status physad_method_describe(const char *name, physad_method_info *out)
{
    if (name == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_method_describe: %s is NULL", name == NULL ? "name" : "out");
    if (out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_method_info: struct_size is %u, want %zu; use PHYSAD_METHOD_INFO_INIT",
                             out->struct_size, sizeof(*out));
    const physad__method *m = physad__method_find(name);
    if (m == NULL)
        return PHYSAD_ERR_ARG;
    *out = (physad_method_info){ sizeof(*out), m->input, m->supervision, (int32_t)physad__method_options(m),
                                 m->name,      m->title, m->source };
    return PHYSAD_OK;
}

physad_status physad_method_option(const char *name, int64_t index, physad_option_info *out)
{
    if (name == NULL || out == NULL)
        return physad__error(PHYSAD_ERR_ARG, "physad_method_option: %s is NULL", name == NULL ? "name" : "out");
    if (out->struct_size != sizeof(*out))
        return physad__error(PHYSAD_ERR_ARG,
                             "physad_option_info: struct_size is %u, want %zu; use PHYSAD_OPTION_INFO_INIT",
                             out->struct_size, sizeof(*out));
    const physad__method *m = physad__method_find(name);
    if (m == NULL)
        return PHYSAD_ERR_ARG;
    const physad__option *o = physad__method_option_at(m, index);
    if (o == NULL)
        return physad__error(PHYSAD_ERR_ARG, "%s: option index is %lld, want 0 to %lld", name, (long long)index,
                             (long long)physad__method_options(m) - 1);
    *out = (physad_option_info){ sizeof(*out),     o->type,    o->least, o->most,  o->name,
                                 o->default_value, o->choices, o->help,  o->source };
    return PHYSAD_OK;
}
