/* SPDX-License-Identifier: Apache-2.0 */
/* Signed distances of the shapes and of what is made of them.
 * Formulas: Quilez, "Distance functions" and "Smooth minimum", 2008-2013. */
#include "synth/synth.h"

static float segment_distance(physad__v3 p, physad__v3 a, physad__v3 b)
{
    const physad__v3 ap = physad__v3_sub(p, a), ab = physad__v3_sub(b, a);
    const float s = physad__clampf(physad__v3_dot(ap, ab) / physad__v3_dot(ab, ab), 0, 1);
    return physad__v3_length(physad__v3_along(ap, ab, -s));
}

/* Squared distance of (x, y) to an edge. */
static inline float edge_distance(const physad__edge *e, float x, float y)
{
    const float wx = x - e->x, wy = y - e->y;
    const float s = physad__clampf((wx * e->dx + wy * e->dy) * e->inverse, 0, 1);
    const float bx = wx - e->dx * s, by = wy - e->dy * s;
    return bx * bx + by * by;
}

/* Whether a level line from (x, y) crosses an edge. */
static inline bool edge_crossed(const physad__edge *e, float x, float y)
{
    const float wx = x - e->x, wy = y - e->y;
    const bool above = wy >= 0, below = wy < e->dy, left = e->dx * wy > e->dy * wx;
    return (above & below & left) | (!above & !below & !left);
}

/* Distance to the outline; negative inside a closed one. */
static float outline_distance(const physad__part *part, float x, float y)
{
    uint32_t near = (1u << part->edge_count) - 1, cross = near;
    const physad__grid *g = part->grid;
    if (g != NULL) {
        const float cx = (x - g->x) * g->per_x, cy = (y - g->y) * g->per_y;
        if (cx >= 0 && cy >= 0 && cx < PHYSAD__GRID && cy < PHYSAD__GRID) {
            const int32_t cell = (int32_t)cy * PHYSAD__GRID + (int32_t)cx;
            near = g->near[cell];
            cross = g->cross[cell];
        }
    }
    float best = INFINITY;
    for (; near != 0; near &= near - 1)
        best = physad__minf(best, edge_distance(&part->edges[__builtin_ctz(near)], x, y));
    bool within = false;
    if (part->shape->kind != PHYSAD__SHEET)
        for (; cross != 0; cross &= cross - 1)
            within ^= edge_crossed(&part->edges[__builtin_ctz(cross)], x, y);
    return within ? -sqrtf(best) : sqrtf(best);
}

/* Fills a grid that spans the outline and half its size around. */
static void make_grid(physad__grid *g, const physad__part *part)
{
    float low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };
    for (int32_t i = 0; i < part->shape->points; i++)
        for (int k = 0; k < 2; k++) {
            low[k] = physad__minf(low[k], part->shape->outline[i][k]);
            high[k] = physad__maxf(high[k], part->shape->outline[i][k]);
        }
    const float margin = 0.25f * (high[0] - low[0] + high[1] - low[1]);
    g->x = part->shape->kind == PHYSAD__TURNED ? 0 : low[0] - margin;
    g->y = low[1] - margin;
    const float wide = (high[0] + margin - g->x) / PHYSAD__GRID, tall = (high[1] + margin - g->y) / PHYSAD__GRID;
    g->per_x = 1 / wide;
    g->per_y = 1 / tall;
    const float half = 0.51f * sqrtf(wide * wide + tall * tall);
    for (int32_t cell = 0; cell < PHYSAD__GRID * PHYSAD__GRID; cell++) {
        const float bottom = g->y + (float)(cell / PHYSAD__GRID) * tall, top = bottom + tall, slack = 0.01f * tall;
        const float x = g->x + ((float)(cell % PHYSAD__GRID) + 0.5f) * wide, y = bottom + 0.5f * tall;
        float best = INFINITY;
        for (int32_t i = 0; i < part->edge_count; i++)
            best = physad__minf(best, sqrtf(edge_distance(&part->edges[i], x, y)));
        g->near[cell] = g->cross[cell] = 0;
        for (int32_t i = 0; i < part->edge_count; i++) {
            const physad__edge *e = &part->edges[i];
            if (sqrtf(edge_distance(e, x, y)) <= best + 2 * half)
                g->near[cell] |= (uint16_t)(1u << i);
            if (physad__maxf(e->y, e->y + e->dy) >= bottom - slack && physad__minf(e->y, e->y + e->dy) <= top + slack)
                g->cross[cell] |= (uint16_t)(1u << i);
        }
    }
}

static void make_edges(physad__part *part)
{
    const physad__shape *s = part->shape;
    const int32_t open = s->kind == PHYSAD__SHEET ? 1 : 0;
    part->edge_count = s->points > 0 ? s->points - open : 0;
    for (int32_t i = 0; i < part->edge_count; i++) {
        const float *a = s->outline[i], *b = s->outline[(i + 1) % s->points];
        const float dx = b[0] - a[0], dy = b[1] - a[1];
        part->edges[i] = (physad__edge){ a[0], a[1], dx, dy, 1 / (dx * dx + dy * dy) };
    }
}

/* A flat distance `d` made `half` high to both sides of 0. */
static float extrude(float d, float z, float half)
{
    const float h = fabsf(z) - half;
    if (d <= 0 && h <= 0)
        return physad__maxf(d, h);
    const float a = physad__maxf(d, 0), b = physad__maxf(h, 0);
    return sqrtf(a * a + b * b);
}

static float egg_distance(physad__v3 p, const float r[3])
{
    const physad__v3 q = { p.x / r[0], p.y / r[1], p.z / r[2] }, g = { q.x / r[0], q.y / r[1], q.z / r[2] };
    const float k0 = physad__v3_length(q), k1 = physad__v3_length(g);
    if (k1 == 0)
        return -physad__minf(r[0], physad__minf(r[1], r[2]));
    return k0 * (k0 - 1) / k1;
}

static float block_distance(physad__v3 p, const float half[3], float round)
{
    const physad__v3 q = { fabsf(p.x) - half[0] + round, fabsf(p.y) - half[1] + round, fabsf(p.z) - half[2] + round };
    const physad__v3 outside = { physad__maxf(q.x, 0), physad__maxf(q.y, 0), physad__maxf(q.z, 0) };
    return physad__v3_length(outside) + physad__minf(physad__maxf(q.x, physad__maxf(q.y, q.z)), 0) - round;
}

static float part_distance(const physad__part *part, physad__v3 p)
{
    const physad__shape *s = part->shape;
    if (s->kind == PHYSAD__WIRE)
        return segment_distance(p, part->at, physad__v3_from(s->size)) - s->size[3];
    const physad__v3 q = physad__part_local(part, p);
    const float r = sqrtf(q.x * q.x + q.y * q.y);
    switch (s->kind) {
    case PHYSAD__BALL:
        return physad__v3_length(q) - s->size[0];
    case PHYSAD__EGG:
        return egg_distance(q, s->size);
    case PHYSAD__BLOCK:
        return block_distance(q, s->size, s->round);
    case PHYSAD__ROD:
        return extrude(r - s->size[0] + s->round, q.z, s->size[1] - s->round) - s->round;
    case PHYSAD__RING:
        return sqrtf((r - s->size[0]) * (r - s->size[0]) + q.z * q.z) - s->size[1];
    case PHYSAD__TURNED:
        return outline_distance(part, r, q.z) - s->round;
    case PHYSAD__CUT:
        return extrude(outline_distance(part, q.x, q.y) - s->size[1] + s->round, q.z, s->size[0] - s->round) -
               s->round;
    default: /* sheet */
        return extrude(outline_distance(part, q.x, q.y) - s->size[1] + s->round, q.z, s->size[0] - s->round) -
               s->round;
    }
}

physad__v3 physad__part_turn(const physad__part *part, physad__v3 v)
{
    const float *a = part->axes;
    return (physad__v3){ a[0] * v.x + a[1] * v.y + a[2] * v.z, a[3] * v.x + a[4] * v.y + a[5] * v.z,
                         a[6] * v.x + a[7] * v.y + a[8] * v.z };
}

physad__v3 physad__part_turn_back(const physad__part *part, physad__v3 v)
{
    const float *a = part->axes;
    return (physad__v3){ a[0] * v.x + a[3] * v.y + a[6] * v.z, a[1] * v.x + a[4] * v.y + a[7] * v.z,
                         a[2] * v.x + a[5] * v.y + a[8] * v.z };
}

physad__v3 physad__part_local(const physad__part *part, physad__v3 p)
{
    return physad__part_turn(part, physad__v3_sub(p, part->at));
}

float physad__solid_distance(const physad__solid *solid, physad__v3 p)
{
    float d = INFINITY;
    for (int32_t i = 0; i < solid->count; i++) {
        const physad__part *part = &solid->parts[i];
        const float blend = part->shape->blend;
        const float least =
            physad__v3_length(physad__v3_sub(p, part->centre)) - part->radius; /* it is at least so far */
        if (part->shape->op == PHYSAD__TAKE) {
            if (least < -d)
                d = physad__maxf(d, -part_distance(part, p));
            continue;
        }
        if (least > d + blend)
            continue;
        const float e = part_distance(part, p);
        if (blend > 0 && fabsf(d - e) < blend) {
            const float h = 1 - fabsf(d - e) / blend;
            d = physad__minf(d, e) - h * h * blend * 0.25f;
        } else {
            d = physad__minf(d, e);
        }
    }
    return d;
}

int32_t physad__solid_part(const physad__solid *solid, physad__v3 p)
{
    int32_t best = 0;
    float least = INFINITY;
    for (int32_t i = 0; i < solid->count; i++) {
        const physad__part *part = &solid->parts[i];
        const bool take = part->shape->op == PHYSAD__TAKE;
        const float d = fabsf(part_distance(part, p)) + (take ? 1e-3f : 0);
        if (d < least) {
            least = d;
            best = i;
        }
    }
    return best;
}

static void axes_from_turn(float axes[9], const float turn[3])
{
    float s[3], c[3];
    for (int i = 0; i < 3; i++) {
        s[i] = sinf(turn[i] * PHYSAD__PI / 180);
        c[i] = cosf(turn[i] * PHYSAD__PI / 180);
    }
    /* The columns of Rz Ry Rx, as rows. */
    const float m[9] = { c[1] * c[2],                      c[1] * s[2],                      -s[1],
                         s[0] * s[1] * c[2] - c[0] * s[2], s[0] * s[1] * s[2] + c[0] * c[2], s[0] * c[1],
                         c[0] * s[1] * c[2] + s[0] * s[2], c[0] * s[1] * s[2] - s[0] * c[2], c[0] * c[1] };
    memcpy(axes, m, sizeof(m));
}

/* Centre (own axes) and radius of a ball around a shape. */
static float shape_ball(const physad__shape *s, physad__v3 *centre)
{
    *centre = (physad__v3){ 0, 0, 0 };
    switch (s->kind) {
    case PHYSAD__BALL:
        return s->size[0];
    case PHYSAD__EGG:
        return physad__maxf(s->size[0], physad__maxf(s->size[1], s->size[2]));
    case PHYSAD__BLOCK:
        return sqrtf(s->size[0] * s->size[0] + s->size[1] * s->size[1] + s->size[2] * s->size[2]);
    case PHYSAD__ROD:
        return sqrtf(s->size[0] * s->size[0] + s->size[1] * s->size[1]);
    case PHYSAD__RING:
        return s->size[0] + s->size[1];
    default:
        break;
    }
    float low = INFINITY, high = -INFINITY, most = 0;
    const bool turned = s->kind == PHYSAD__TURNED;
    for (int32_t i = 0; i < s->points; i++) {
        low = physad__minf(low, s->outline[i][1]);
        high = physad__maxf(high, s->outline[i][1]);
    }
    const float middle = (low + high) / 2;
    for (int32_t i = 0; i < s->points; i++)
        most = physad__maxf(most, hypotf(s->outline[i][0], s->outline[i][1] - middle));
    if (turned) {
        centre->z = middle;
        return most + s->round;
    }
    centre->y = middle;
    return hypotf(most + s->size[1], s->size[0]);
}

/* The balls around the parts reach far beyond thin ones: a grid of distances tells where something is. */
static void bound_tightly(physad__solid *solid, const float low[3], const float high[3])
{
    enum { STEPS = 32 };
    float cell[3], least[3] = { INFINITY, INFINITY, INFINITY }, most[3] = { -INFINITY, -INFINITY, -INFINITY };
    for (int k = 0; k < 3; k++)
        cell[k] = (high[k] - low[k]) / STEPS;
    const float half = 0.5f * sqrtf(cell[0] * cell[0] + cell[1] * cell[1] + cell[2] * cell[2]);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < STEPS * STEPS * STEPS; i++) {
            const int at[3] = { i % STEPS, i / STEPS % STEPS, i / (STEPS * STEPS) };
            float p[3];
            for (int k = 0; k < 3; k++)
                p[k] = low[k] + ((float)at[k] + 0.5f) * cell[k];
            if (physad__solid_distance(solid, physad__v3_from(p)) > half)
                continue;
            for (int k = 0; k < 3; k++) {
                least[k] = physad__minf(least[k], p[k] - cell[k] / 2);
                most[k] = physad__maxf(most[k], p[k] + cell[k] / 2);
            }
            if (pass == 1) {
                const float d = physad__v3_length(physad__v3_sub(physad__v3_from(p), solid->centre));
                solid->radius = physad__maxf(solid->radius, d + half);
            }
        }
        least[2] = physad__maxf(least[2], 0);
        solid->centre = physad__v3_scale(physad__v3_add(physad__v3_from(least), physad__v3_from(most)), 0.5f);
    }
}

void physad__solid_make(physad__solid *solid, const physad__object *object)
{
    float low[3] = { INFINITY, INFINITY, INFINITY }, high[3] = { -INFINITY, -INFINITY, -INFINITY };
    *solid = (physad__solid){ .object = object, .count = object->shape_count };
    for (int32_t i = 0; i < solid->count; i++) {
        const physad__shape *s = &object->shapes[i];
        physad__part *part = &solid->parts[i];
        part->shape = s;
        part->at = physad__v3_from(s->at);
        axes_from_turn(part->axes, s->turn);
        make_edges(part);
        if (part->edge_count > 4 && solid->grid_count < PHYSAD__COUNT(solid->grids)) {
            part->grid = &solid->grids[solid->grid_count];
            make_grid(&solid->grids[solid->grid_count++], part);
        }
        if (s->kind == PHYSAD__WIRE) {
            const physad__v3 end = physad__v3_from(s->size);
            part->centre = physad__v3_mix(part->at, end, 0.5f);
            part->radius = physad__v3_length(physad__v3_sub(end, part->at)) / 2 + s->size[3];
        } else {
            physad__v3 c;
            part->radius = shape_ball(s, &c);
            part->centre = physad__v3_add(part->at, physad__part_turn_back(part, c));
        }
        part->radius += 1e-4f;
        if (s->op == PHYSAD__TAKE)
            continue;
        const float at[3] = { part->centre.x, part->centre.y, part->centre.z };
        for (int k = 0; k < 3; k++) {
            low[k] = physad__minf(low[k], at[k] - part->radius);
            high[k] = physad__maxf(high[k], at[k] + part->radius);
        }
    }
    bound_tightly(solid, low, high);
}
