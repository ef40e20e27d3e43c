/* SPDX-License-Identifier: Apache-2.0 */
/* A small studio: one soft key lamp that throws shadows, a fill lamp, light from all around, and what mirrors see of
 * it. */
#include "synth/synth.h"

static const physad__v3 SKY = { 0.92f, 0.96f, 1.02f }, FLOOR = { 0.40f, 0.36f, 0.32f };
static const float FAR_AWAY = 1e3f;

static physad__v3 direction_from(double azimuth, double elevation)
{
    const double a = azimuth * (double)PHYSAD__PI / 180, e = elevation * (double)PHYSAD__PI / 180;
    return (physad__v3){ (float)(cos(a) * cos(e)), (float)(sin(a) * cos(e)), (float)sin(e) };
}

void physad__light_make(physad__light *light, double azimuth, double elevation, double power)
{
    *light = (physad__light){ .key = direction_from(azimuth, elevation), .fill = direction_from(azimuth + 140, 28) };
    light->key_power = (float)(1.30 * power);
    light->fill_power = 0.24f;
    light->ambient = 0.34f;
}

/* Share of the key lamp that reaches `p`; the lamp is wide, so edges of shadows are soft. */
static float key_share(const physad__scene *scene, physad__v3 p, physad__v3 n)
{
    const physad__solid *solid = scene->solid;
    const physad__v3 from = physad__v3_along(p, n, 0.012f), d = scene->light.key;
    const physad__v3 oc = physad__v3_sub(from, solid->centre);
    const float b = physad__v3_dot(oc, d), wide = 1.35f * solid->radius + 0.1f;
    const float gap = b * b - physad__v3_dot(oc, oc) + wide * wide;
    if (gap <= 0)
        return 1;
    const float last = -b + sqrtf(gap);
    float share = 1, t = physad__maxf(0.01f, -b - sqrtf(gap));
    for (int i = 0; i < 22 && t < last; i++) {
        const float h = physad__scene_distance(scene, physad__v3_along(from, d, t));
        share = physad__minf(share, 0.5f + 0.5f * h / (0.11f * t + 0.004f));
        if (share <= 0)
            return 0;
        t += physad__clampf(h, 0.025f, 0.4f);
    }
    return physad__ramp(0, 1, share);
}

/* How open the place is, 0..1, from few distances along the normal. */
static float openness(const physad__scene *scene, physad__v3 p, physad__v3 n)
{
    float closed = 0, weight = 1;
    if (physad__scene_distance(scene, p) > 2 * 0.38f) /* of the table: nothing is near */
        return 1;
    for (int i = 1; i <= 3; i++) {
        const float h = 0.07f * (float)(i * i) * 0.6f;
        const physad__v3 q = physad__v3_along(p, n, h);
        const float table = scene->background == PHYSAD_SYNTH_TABLE ? q.z : FAR_AWAY;
        closed += weight * physad__maxf(h - physad__minf(physad__scene_distance(scene, q), table), 0) / h;
        weight *= 0.6f;
    }
    return physad__clampf(1 - 0.55f * closed, 0, 1);
}

/* What a mirror sees in a direction, blurred by roughness: a wall that brightens upward, two lamps with soft edges, the
 * table. */
static physad__v3 studio(const physad__scene *scene, physad__v3 d, float rough)
{
    const physad__light *l = &scene->light;
    const float blur = 0.03f + 0.5f * rough;
    const physad__v3 wall =
        physad__v3_mix((physad__v3){ 0.16f, 0.16f, 0.17f }, SKY, 0.75f * physad__ramp(-0.3f, 1.1f, d.z));
    physad__v3 c = physad__v3_mix(physad__v3_scale(FLOOR, 0.75f), wall, physad__ramp(-blur, blur, d.z));
    const float key = physad__ramp(0.90f - blur, 0.94f + 0.3f * blur, physad__v3_dot(d, l->key));
    const float fill = physad__ramp(0.82f - blur, 0.86f + 0.3f * blur, physad__v3_dot(d, l->fill));
    const float spread = 1 / (1 + 22 * rough * rough);
    c = physad__v3_along(c, (physad__v3){ 1, 0.97f, 0.92f }, 8 * l->key_power * key * spread);
    return physad__v3_along(c, (physad__v3){ 0.92f, 0.96f, 1 }, 8 * l->fill_power * fill * spread);
}

static physad__v3 soft_light(const physad__scene *scene, physad__v3 n, float open)
{
    const physad__light *l = &scene->light;
    physad__v3 c = physad__v3_scale(physad__v3_mix(FLOOR, SKY, 0.5f + 0.5f * n.z), l->ambient * open);
    const float fill = physad__maxf(0.2f + 0.8f * physad__v3_dot(n, l->fill), 0) * l->fill_power * open;
    return physad__v3_along(c, (physad__v3){ 0.92f, 0.96f, 1 }, fill);
}

physad__v3 physad__light_surface(const physad__scene *scene, physad__v3 p, physad__v3 flat, physad__v3 direction,
                                 const physad__surface *s)
{
    const physad__v3 n = s->normal;
    const float lit = physad__maxf(physad__v3_dot(n, scene->light.key), 0),
                facing = physad__maxf(physad__v3_dot(flat, scene->light.key), 0);
    const float share = lit > 0 && facing > 0 ? key_share(scene, p, flat) : 0, open = openness(scene, p, flat);
    physad__v3 diffuse = soft_light(scene, n, open);
    diffuse = physad__v3_along(diffuse, (physad__v3){ 1, 0.97f, 0.92f }, lit * share * scene->light.key_power);
    diffuse = physad__v3_scale(physad__v3_mul(diffuse, s->color), 1 - s->metal);

    const float rough = s->rough, cosine = physad__clampf(-physad__v3_dot(n, direction), 0, 1);
    const float grazing = powf(1 - cosine, 5) * (1 - 0.8f * rough);
    const physad__v3 low = physad__v3_mix((physad__v3){ 0.04f, 0.04f, 0.04f }, s->color, s->metal);
    const physad__v3 fresnel = physad__v3_mix(low, (physad__v3){ 1, 1, 1 }, grazing);
    physad__v3 mirrored = physad__v3_mul(studio(scene, physad__v3_mirror(direction, n), rough), fresnel);
    /* the lamp is not mirrored where it is hidden */
    mirrored = physad__v3_scale(mirrored, (0.35f + 0.65f * open) * (0.55f + 0.45f * share));
    return physad__v3_along(diffuse, mirrored, physad__mixf(scene->gloss, 0.4f + 0.6f * scene->gloss, s->metal));
}

physad__v3 physad__light_backdrop(const physad__scene *scene, physad__v3 direction)
{
    if (scene->background == PHYSAD_SYNTH_PLAIN)
        return (physad__v3){ 0.55f, 0.55f, 0.55f };
    return physad__v3_scale((physad__v3){ 0.50f, 0.51f, 0.53f }, 0.85f + 0.3f * physad__clampf(direction.z, 0, 1));
}

physad__v3 physad__light_table(const physad__scene *scene, physad__v3 p, physad__v3 direction, float distance)
{
    const physad__v3 up = { 0, 0, 1 }, away = physad__v3_sub(p, scene->solid->centre);
    const float reach = scene->solid->radius;
    const float far = hypotf(away.x, away.y) / reach;
    const float fade = physad__ramp(3.2f, 7.0f, far);
    const physad__v3 backdrop = physad__light_backdrop(scene, (physad__v3){ direction.x, direction.y, 0 });
    if (fade >= 1)
        return backdrop;
    const float open = far < 1.8f ? openness(scene, p, up) : 1, share = key_share(scene, p, up);
    physad__v3 c = soft_light(scene, up, open);
    c = physad__v3_along(c, (physad__v3){ 1, 0.97f, 0.92f }, share * scene->light.key.z * scene->light.key_power);
    c = physad__v3_mul(c, physad__table_color(p, scene->solid->object->table));
    return physad__v3_mix(c, backdrop, fade);
}
