/* SPDX-License-Identifier: Apache-2.0 */
/* Defects as functions of the place on the object: a scratch is a path on its surface, a stain a cloud around a point
 * of it, a missing piece is taken out of the solid, a dent bends space before the distance is asked. */
#include "synth/synth.h"

const char *const physad__defect_names[PHYSAD__DEFECTS] = { "scratched", "missing", "stained", "squeezed" };

static const float FAR = 1e3f;

static float uniform(physad__rng *rng, float low, float high)
{
    return low + (high - low) * (float)physad__rng_uniform(rng);
}

static physad__v3 solid_normal(const physad__solid *solid, physad__v3 p)
{
    const float e = 2e-3f;
    const physad__v3 k[4] = { { 1, -1, -1 }, { -1, -1, 1 }, { -1, 1, -1 }, { 1, 1, 1 } };
    physad__v3 n = { 0, 0, 0 };
    for (int i = 0; i < 4; i++)
        n = physad__v3_along(n, k[i], physad__solid_distance(solid, physad__v3_along(p, k[i], e)));
    return physad__v3_unit(n);
}

/* Pulls a point onto the surface. */
static physad__v3 onto(const physad__solid *solid, physad__v3 p)
{
    for (int i = 0; i < 4; i++)
        p = physad__v3_along(p, solid_normal(solid, p), -physad__solid_distance(solid, p));
    return p;
}

/* Walks over the surface to both sides of the centre in gentle bends. */
static void make_scratch(physad__defect *d, const physad__solid *solid, float length, float grade, physad__rng *rng)
{
    const int32_t half = PHYSAD__SCRATCH_POINTS / 2;
    const float step = length / (float)(PHYSAD__SCRATCH_POINTS - 1), bend = uniform(rng, -0.9f, 0.9f) / length;
    d->points = PHYSAD__SCRATCH_POINTS;
    d->path[half] = d->centre;
    for (int32_t side = -1; side <= 1; side += 2) {
        physad__v3 p = d->centre, way = physad__v3_scale(d->along, (float)side);
        for (int32_t i = half + side; i >= 0 && i < d->points; i += side) {
            p = onto(solid, physad__v3_along(p, way, step));
            const physad__v3 n = solid_normal(solid, p);
            way = physad__v3_along(way, physad__v3_cross(n, way), bend * step * (float)side);
            way = physad__v3_unit(physad__v3_along(way, n, -physad__v3_dot(way, n)));
            d->path[i] = p;
        }
    }
    d->width = solid->radius * uniform(rng, 0.9f, 1.2f) * physad__mixf(0.007f, 0.016f, grade);
    d->lines = grade > 0.6f && physad__rng_uniform(rng) < 0.5 ? 2 : 1;
    d->reach = 0;
    for (int32_t i = 0; i < d->points; i++)
        d->reach = physad__maxf(d->reach, physad__v3_length(physad__v3_sub(d->path[i], d->centre)));
    d->reach += 5 * d->width;
    d->size[0] = length / 2;
    d->size[1] = d->size[2] = d->width;
}

static const float STAINS[][3] = { { 0.16f, 0.07f, 0.025f }, { 0.02f, 0.03f, 0.16f }, { 0.03f, 0.03f, 0.03f },
                                   { 0.34f, 0.10f, 0.03f },  { 0.70f, 0.68f, 0.62f }, { 0.10f, 0.22f, 0.06f },
                                   { 0.42f, 0.02f, 0.03f } };

/* The stain's colour: the first of the list, from a random place on, that stands off from the surface. */
static physad__v3 pick_tint(const physad__solid *solid, physad__v3 at, physad__v3 n, physad__rng *rng)
{
    const physad__part *part = &solid->parts[physad__solid_part(solid, at)];
    physad__surface s;
    physad__surface_at(&s, &solid->object->materials[part->shape->material], physad__part_local(part, at),
                       physad__part_turn(part, n), false);
    const int64_t from = physad__rng_below(rng, PHYSAD__COUNT(STAINS));
    for (int64_t i = 0; i < PHYSAD__COUNT(STAINS); i++) {
        const physad__v3 tint = physad__v3_from(STAINS[(from + i) % PHYSAD__COUNT(STAINS)]);
        const physad__v3 off = { sqrtf(tint.x) - sqrtf(s.color.x), sqrtf(tint.y) - sqrtf(s.color.y),
                                 sqrtf(tint.z) - sqrtf(s.color.z) };
        if (physad__v3_length(off) > 0.35f)
            return tint;
    }
    return physad__v3_from(STAINS[from]);
}

void physad__defect_make(physad__defect *d, const physad__solid *solid, int32_t type, physad__v3 at, float size,
                         float strength, float grade, physad__rng *rng)
{
    const float unit = solid->radius * solid->object->stretch * size;
    *d = (physad__defect){ .type = type, .seed = (uint32_t)physad__rng_next(rng), .centre = onto(solid, at) };
    d->normal = solid_normal(solid, d->centre);
    const physad__v3 aside = fabsf(d->normal.z) < 0.8f ? (physad__v3){ 0, 0, 1 } : (physad__v3){ 1, 0, 0 };
    const physad__v3 u = physad__v3_unit(physad__v3_cross(aside, d->normal)), v = physad__v3_cross(d->normal, u);
    const float turn = uniform(rng, 0, 2 * PHYSAD__PI);
    d->along = physad__v3_along(physad__v3_scale(u, cosf(turn)), v, sinf(turn));
    d->across = physad__v3_cross(d->normal, d->along);
    d->strength = strength * physad__mixf(0.35f, 1.0f, grade);
    const float wide = unit * physad__mixf(0.10f, 0.22f, grade) * uniform(rng, 0.85f, 1.2f),
                slim = uniform(rng, 0.6f, 1);
    switch (type) {
    case PHYSAD__SCRATCHED:
        make_scratch(d, solid, unit * physad__mixf(0.30f, 0.85f, grade) * uniform(rng, 0.8f, 1.2f), grade, rng);
        break;
    case PHYSAD__MISSING:
        d->size[0] = wide;
        d->size[1] = wide * slim;
        d->size[2] =
            physad__maxf(wide * physad__mixf(0.35f, 0.8f, physad__minf(d->strength, 1.2f)), 0.03f * solid->radius);
        d->reach = 1.35f * physad__maxf(d->size[0], d->size[2]) + 0.02f;
        break;
    case PHYSAD__STAINED:
        d->size[0] = 1.2f * wide;
        d->size[1] = 1.2f * wide * slim;
        d->size[2] = 0.8f * wide;
        d->tint = pick_tint(solid, d->centre, d->normal, rng);
        d->reach = 1.7f * d->size[0];
        break;
    default: /* squeezed */
        d->size[0] = 1.9f * wide;
        d->size[1] = 1.9f * wide * slim;
        d->size[2] = physad__minf(0.56f * d->strength, 0.65f) * d->size[1];
        d->reach = 1.25f * d->size[0] + d->size[2];
        break;
    }
}

/* A point in the defect's frame: along, across, outward. */
static physad__v3 to_frame(const physad__defect *d, physad__v3 p)
{
    const physad__v3 q = physad__v3_sub(p, d->centre);
    return (physad__v3){ physad__v3_dot(q, d->along), physad__v3_dot(q, d->across), physad__v3_dot(q, d->normal) };
}

static physad__v3 noise_place(const physad__defect *d, physad__v3 p, float scale)
{
    const float shift = (float)(d->seed & 1023u);
    return (physad__v3){ p.x * scale + shift, p.y * scale - shift, p.z * scale + 0.5f * shift };
}

/* How far the surface point that lay at `q` (frame) was pushed in, of 1. */
static float dent_weight(const physad__defect *d, physad__v3 q)
{
    const float x = q.x / d->size[0], y = q.y / d->size[1], z = q.z / (d->size[0] * 1.2f);
    const float s = x * x + y * y + z * z;
    return s >= 1 ? 0 : (1 - s) * (1 - s);
}

physad__v3 physad__defect_undo(const physad__defect *d, physad__v3 p)
{
    if (d->type != PHYSAD__SQUEEZED)
        return p;
    const physad__v3 away = physad__v3_sub(p, d->centre);
    if (physad__v3_dot(away, away) > d->reach * d->reach)
        return p;
    /* The weight belongs to the place before the push, which is searched in two rounds. */
    physad__v3 q = to_frame(d, p);
    const float z = q.z;
    q.z = z + d->size[2] * dent_weight(d, q);
    q.z = z + d->size[2] * dent_weight(d, q);
    return physad__v3_along(p, d->normal, q.z - z);
}

float physad__defect_cut(const physad__defect *d, physad__v3 p)
{
    if (d->type != PHYSAD__MISSING)
        return FAR;
    const physad__v3 q = to_frame(d, p);
    const float away = physad__v3_length(q);
    if (away > d->reach)
        return away - d->reach + 0.005f;
    const float rough = physad__noise_sum(noise_place(d, p, 2.2f / d->size[0]), 3) - 0.5f;
    const physad__v3 s = { q.x / d->size[0], q.y / d->size[1], q.z / d->size[2] };
    const physad__v3 g = { s.x / d->size[0], s.y / d->size[1], s.z / d->size[2] };
    const float k0 = physad__v3_length(s), k1 = physad__maxf(physad__v3_length(g), 1e-6f);
    return k0 * (k0 - 1) / k1 + 0.5f * physad__minf(d->size[1], d->size[2]) * rough;
}

/* Distance to the nearest line of the scratch over its half width there; the side and the place along come back too. */
static float scratch_at(const physad__defect *d, physad__v3 p, physad__v3 *side)
{
    float best = FAR;
    for (int32_t line = 0; line < d->lines; line++) {
        const physad__v3 q = physad__v3_along(p, d->across, line == 0 ? 0 : 3.2f * d->width);
        for (int32_t i = line * 5; i + 1 < d->points - line * 3; i++) {
            const physad__v3 ap = physad__v3_sub(q, d->path[i]), ab = physad__v3_sub(d->path[i + 1], d->path[i]);
            const float s = physad__clampf(physad__v3_dot(ap, ab) / physad__maxf(physad__v3_dot(ab, ab), 1e-12f), 0, 1);
            const physad__v3 off = physad__v3_along(ap, ab, -s);
            const float t = ((float)i + s) / (float)(d->points - 1), taper = 0.35f + 0.65f * sinf(t * PHYSAD__PI);
            const float away = physad__v3_length(off) / (d->width * taper);
            if (away < best) {
                best = away;
                *side = off;
            }
        }
    }
    return best;
}

/* 1 in the middle of a stain, 0 outside. */
static float stain_at(const physad__defect *d, physad__v3 p)
{
    const physad__v3 q = to_frame(d, p);
    const physad__v3 s = { q.x / d->size[0], q.y / d->size[1], q.z / d->size[2] };
    const float rough = physad__noise_sum(noise_place(d, p, 2.6f / d->size[0]), 4) - 0.5f;
    const float r = physad__v3_length(s) + 0.9f * rough;
    return 1 - physad__ramp(0.72f, 1.02f, r);
}

static bool near(const physad__defect *d, physad__v3 p, physad__v3 n, float facing)
{
    const physad__v3 away = physad__v3_sub(p, d->centre);
    return physad__v3_dot(away, away) <= d->reach * d->reach && physad__v3_dot(n, d->normal) > facing;
}

void physad__defect_paint(const physad__defect *d, physad__v3 p, physad__v3 n, physad__surface *s)
{
    if (d->type == PHYSAD__SCRATCHED && near(d, p, n, -0.2f)) {
        physad__v3 side = { 0, 0, 0 };
        const float away = scratch_at(d, p, &side);
        if (away >= 1.6f)
            return;
        const float line = 1 - physad__ramp(0.7f, 1.15f, away),
                    luma = 0.25f * s->color.x + 0.6f * s->color.y + 0.15f * s->color.z;
        const physad__v3 worn =
            luma > 0.36f ? physad__v3_scale(s->color, 0.30f) : (physad__v3){ luma + 0.38f, luma + 0.37f, luma + 0.35f };
        s->color = physad__v3_mix(s->color, worn, physad__minf(line * d->strength, 1));
        s->rough = physad__mixf(s->rough, 0.6f, line);
        /* the groove's walls lean, the burr beside them too */
        const float lean = physad__clampf(d->strength, 0, 1.5f) * (away < 1 ? away : (1.6f - away) * -1.2f);
        s->normal = physad__v3_unit(physad__v3_along(s->normal, physad__v3_unit(side), -0.55f * lean));
    } else if (d->type == PHYSAD__STAINED && near(d, p, n, 0)) {
        const float amount = stain_at(d, p);
        if (amount <= 0)
            return;
        const float rim = amount * (1 - amount) * 4; /* dried edges are darker */
        const physad__v3 wet = physad__v3_mix(
            physad__v3_mul(d->tint, physad__v3_along((physad__v3){ 0.5f, 0.5f, 0.5f }, s->color, 0.5f)), d->tint, 0.5f);
        s->color = physad__v3_mix(s->color, wet, physad__minf(0.85f * amount * d->strength, 1));
        s->color = physad__v3_scale(s->color, 1 - 0.2f * rim * physad__minf(d->strength, 1));
        s->rough = physad__mixf(s->rough, 0.45f, amount);
        s->metal *= 1 - 0.9f * amount * physad__minf(d->strength, 1);
    }
}

bool physad__defect_covers(const physad__defect *d, physad__v3 p, physad__v3 n, bool broken)
{
    physad__v3 side;
    switch (d->type) {
    case PHYSAD__SCRATCHED:
        return near(d, p, n, -0.2f) && scratch_at(d, p, &side) < 1.2f;
    case PHYSAD__MISSING: /* on the sound object: the piece that goes */
        return broken || physad__defect_cut(d, p) < 0.002f;
    case PHYSAD__STAINED:
        return near(d, p, n, 0) && stain_at(d, p) > 0.2f;
    default:
        return near(d, p, n, -1.1f) && dent_weight(d, to_frame(d, p)) > 0.06f;
    }
}
