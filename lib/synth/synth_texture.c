/* SPDX-License-Identifier: Apache-2.0 */
/* What surfaces look like: noise, prints, stripes, fluff, metal; all functions of the place on the object. */
#include "synth/synth.h"

/* --- noise ---------------------------------------------------------------------------------------- */

float physad__noise(physad__v3 p)
{
    const float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
    const int32_t x = (int32_t)fx, y = (int32_t)fy, z = (int32_t)fz;
    float u = p.x - fx, v = p.y - fy, w = p.z - fz;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    w = w * w * (3 - 2 * w);
    float side[2];
    for (int32_t k = 0; k < 2; k++) {
        const float a = physad__mixf(physad__hash_unit(physad__hash3(x, y, z + k)),
                                     physad__hash_unit(physad__hash3(x + 1, y, z + k)), u);
        const float b = physad__mixf(physad__hash_unit(physad__hash3(x, y + 1, z + k)),
                                     physad__hash_unit(physad__hash3(x + 1, y + 1, z + k)), u);
        side[k] = physad__mixf(a, b, v);
    }
    return physad__mixf(side[0], side[1], w);
}

float physad__noise_sum(physad__v3 p, int octaves)
{
    float sum = 0, weight = 0.5f, total = 0;
    for (int i = 0; i < octaves; i++) {
        sum += weight * physad__noise(p);
        total += weight;
        weight *= 0.5f;
        p = (physad__v3){ p.x * 2.03f + 17.1f, p.y * 2.03f + 5.7f, p.z * 2.03f + 29.3f };
    }
    return sum / total;
}

/* --- print: a font of 5 x 7 dots, columns from the left, the lowest bit at the top ------------------ */

static const uint8_t FONT[36][5] = {
    { 0x3e, 0x51, 0x49, 0x45, 0x3e }, { 0x00, 0x42, 0x7f, 0x40, 0x00 }, { 0x42, 0x61, 0x51, 0x49, 0x46 },
    { 0x21, 0x41, 0x45, 0x4b, 0x31 }, { 0x18, 0x14, 0x12, 0x7f, 0x10 }, { 0x27, 0x45, 0x45, 0x45, 0x39 },
    { 0x3c, 0x4a, 0x49, 0x49, 0x30 }, { 0x01, 0x71, 0x09, 0x05, 0x03 }, { 0x36, 0x49, 0x49, 0x49, 0x36 },
    { 0x06, 0x49, 0x49, 0x29, 0x1e }, { 0x7e, 0x11, 0x11, 0x11, 0x7e }, { 0x7f, 0x49, 0x49, 0x49, 0x36 },
    { 0x3e, 0x41, 0x41, 0x41, 0x22 }, { 0x7f, 0x41, 0x41, 0x22, 0x1c }, { 0x7f, 0x49, 0x49, 0x49, 0x41 },
    { 0x7f, 0x09, 0x09, 0x09, 0x01 }, { 0x3e, 0x41, 0x49, 0x49, 0x7a }, { 0x7f, 0x08, 0x08, 0x08, 0x7f },
    { 0x00, 0x41, 0x7f, 0x41, 0x00 }, { 0x20, 0x40, 0x41, 0x3f, 0x01 }, { 0x7f, 0x08, 0x14, 0x22, 0x41 },
    { 0x7f, 0x40, 0x40, 0x40, 0x40 }, { 0x7f, 0x02, 0x0c, 0x02, 0x7f }, { 0x7f, 0x04, 0x08, 0x10, 0x7f },
    { 0x3e, 0x41, 0x41, 0x41, 0x3e }, { 0x7f, 0x09, 0x09, 0x09, 0x06 }, { 0x3e, 0x41, 0x51, 0x21, 0x5e },
    { 0x7f, 0x09, 0x19, 0x29, 0x46 }, { 0x46, 0x49, 0x49, 0x49, 0x31 }, { 0x01, 0x01, 0x7f, 0x01, 0x01 },
    { 0x3f, 0x40, 0x40, 0x40, 0x3f }, { 0x1f, 0x20, 0x40, 0x20, 0x1f }, { 0x3f, 0x40, 0x38, 0x40, 0x3f },
    { 0x63, 0x14, 0x08, 0x14, 0x63 }, { 0x07, 0x08, 0x70, 0x08, 0x07 }, { 0x61, 0x51, 0x49, 0x45, 0x43 },
};

static float font_dot(const char *text, int32_t length, int32_t column, int32_t row)
{
    const int32_t letter = column / 6;
    if (column < 0 || row < 0 || row > 6 || letter >= length || column % 6 == 5)
        return 0;
    const char c = text[letter];
    const int32_t glyph = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : -1;
    return glyph >= 0 && (FONT[glyph][column % 6] >> row & 1) ? 1.0f : 0.0f;
}

/* Ink of `text` at (u, v): u from 0 to 1 over its width, v from 0 (foot) to 1 (head). Dots are joined by interpolation.
 */
static float text_ink(const char *text, float u, float v)
{
    if (text == NULL || u < 0 || u > 1 || v < 0 || v > 1)
        return 0;
    const int32_t length = (int32_t)strlen(text);
    const float x = u * (float)(6 * length - 1) - 0.5f, y = (1 - v) * 7 - 0.5f;
    const int32_t c = (int32_t)floorf(x), r = (int32_t)floorf(y);
    const float s = x - (float)c, t = y - (float)r;
    const float top = physad__mixf(font_dot(text, length, c, r), font_dot(text, length, c + 1, r), s);
    const float foot = physad__mixf(font_dot(text, length, c, r + 1), font_dot(text, length, c + 1, r + 1), s);
    return physad__ramp(0.4f, 0.6f, physad__mixf(top, foot, t));
}

/* Small print that nobody reads: rows of words of random length. */
static float fine_print(float u, float v, int32_t rows)
{
    if (u < 0 || u > 1 || v < 0 || v > 1)
        return 0;
    const float y = v * (float)rows;
    const int32_t row = (int32_t)y;
    if (y - (float)row > 0.55f || u > 0.6f + 0.4f * physad__hash_unit(physad__hash3(row, 7, 1)))
        return 0;
    const int32_t cell = (int32_t)(u * 34);
    const uint32_t h = physad__hash3(cell, row, 3);
    return (h & 7u) == 0 ? 0 : 0.45f + 0.5f * physad__hash_unit(h);
}

static float barcode(float u, float v)
{
    if (u < 0 || u > 1 || v < 0 || v > 1)
        return 0;
    return (physad__hash3((int32_t)(u * 40), 11, 5) & 3u) < 2 ? 1.0f : 0.0f;
}

static float inside(float x, float low, float high)
{
    return x >= low && x <= high ? 1.0f : 0.0f;
}

/* --- patterns: `p` in the part's axes ------------------------------------------------------------- */

static void ink(physad__surface *s, const float color[3], float amount)
{
    s->color = physad__v3_mix(s->color, physad__v3_from(color), amount);
}

static void paint_label(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    const float v = (p.z - m->from) / (m->to - m->from);
    if (v < 0 || v > 1 || n.x * p.x + n.y * p.y < 0) /* not on inner walls */
        return;
    const float radius = hypotf(p.x, p.y), height = m->to - m->from;
    const float arc = atan2f(p.y, p.x) * radius; /* from -pi r to pi r, the front at 0 */
    s->color = physad__v3_from(m->second);
    s->metal = 0;
    ink(s, m->third, inside(v, 0.03f, 0.07f) + inside(v, 0.93f, 0.97f));
    if (symmetric)
        return;
    const float wide = physad__minf(1.5f * radius, 2.2f * height);
    ink(s, m->third, text_ink(m->text, arc / wide + 0.5f, (v - 0.52f) / 0.3f));
    ink(s, m->third, 0.8f * inside(fabsf(arc), 0, wide / 2) * inside(v, 0.42f, 0.46f));
    ink(s, m->third, fine_print(arc / wide + 0.5f, (v - 0.14f) / 0.24f, 4));
    const float back = arc < 0 ? arc + 2 * PHYSAD__PI * radius : arc; /* the back at pi r */
    const float b = back - PHYSAD__PI * radius;
    ink(s, m->third, fine_print((b + 0.9f * radius) / (0.9f * radius), (v - 0.15f) / 0.7f, 9));
    const float bar_u = (b - 0.12f * radius) / (0.7f * radius), bar_v = (v - 0.2f) / 0.35f;
    if (bar_u > -0.1f && bar_u < 1.1f && bar_v > -0.15f && bar_v < 1.15f)
        s->color = (physad__v3){ 0.85f, 0.85f, 0.83f };
    static const float BLACK[3] = { 0.02f, 0.02f, 0.02f };
    ink(s, BLACK, barcode(bar_u, bar_v));
    const float side = arc - 1.55f * radius; /* a round seal at one side */
    const float ring = hypotf(side, (v - 0.72f) * height) / (0.16f * height);
    ink(s, m->third, ring < 1 && !(ring > 0.7f && ring < 0.85f) ? 1.0f : 0.0f);
}

/* The flat coordinates of a face of a block: which face (0..5), and (u, v) around its middle. */
static int32_t face_of(physad__v3 p, physad__v3 n, float *u, float *v)
{
    const float a = fabsf(n.x), b = fabsf(n.y), c = fabsf(n.z);
    if (a >= b && a >= c) {
        *u = n.x > 0 ? p.y : -p.y;
        *v = p.z;
        return n.x > 0 ? 0 : 1;
    }
    if (b >= c) {
        *u = n.y > 0 ? -p.x : p.x;
        *v = p.z;
        return n.y > 0 ? 2 : 3;
    }
    *u = p.x;
    *v = n.z > 0 ? p.y : -p.y;
    return n.z > 0 ? 4 : 5;
}

static void paint_panel(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    float u, v;
    const int32_t face = face_of(p, n, &u, &v);
    const float unit = m->scale;
    if (m->pattern == PHYSAD__CARTON) {
        const float fibre = physad__noise((physad__v3){ p.x * 9, p.y * 60, p.z * 60 });
        s->color = physad__v3_scale(s->color, 0.88f + 0.24f * fibre);
        if (fabsf(p.y) < 0.16f * unit && (face == 4 || ((face == 0 || face == 1) && v > 0.1f * unit))) {
            s->color = physad__v3_mix(s->color, physad__v3_from(m->second), 0.75f);
            s->rough = 0.25f;
        }
    }
    if (symmetric)
        return;
    u /= unit;
    v /= unit;
    switch (face) {
    case 0:
        if (m->pattern == PHYSAD__CARTON)
            ink(s, m->third, text_ink(m->text, u / 1.3f + 0.5f, (v + 0.35f) / 0.3f));
        break;
    case 2:
        ink(s, m->third, text_ink(m->text, u / 1.6f + 0.5f, v / 0.4f));
        ink(s, m->third, fine_print(u / 1.6f + 0.5f, (v + 0.5f) / 0.35f, 4));
        break;
    case 3: {
        /* two arrows up, a glass, a barcode */
        const float x = fabsf(fabsf(u + 0.45f) - 0.14f), y = v + 0.1f;
        const float arrow = y > 0.1f && y < 0.32f ? inside(x, 0, 0.32f - y) * inside(x, 0, 0.1f)
                                                  : inside(y, -0.25f, 0.1f) * inside(x, 0, 0.035f);
        ink(s, m->third, arrow);
        ink(s, m->third, barcode((u - 0.1f) / 0.55f, (v + 0.35f) / 0.35f));
        ink(s, m->third, fine_print((u - 0.1f) / 0.6f, (v - 0.1f) / 0.25f, 3));
        break;
    }
    case 4:
        ink(s, m->third, fine_print((u - 0.05f) / 0.8f, (v - 0.25f) / 0.4f, 5));
        ink(s, m->third, text_ink(m->text, (u + 0.9f) / 0.8f, (v + 0.55f) / 0.22f));
        break;
    default:
        break;
    }
}

static void paint_dots(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    if (p.z < m->from || p.z > m->to || n.x * p.x + n.y * p.y < 0)
        return;
    const float pitch = 2 * PHYSAD__PI / m->scale, high = pitch * 0.45f;
    const float row = floorf(p.z / high), shift = fmodf(row, 2) * 0.5f;
    const float a = atan2f(p.y, p.x) / pitch + shift + m->scale;
    const float x = (a - floorf(a) - 0.5f) * pitch * hypotf(p.x, p.y), y = p.z - (row + 0.5f) * high;
    const bool odd = !symmetric && ((int32_t)floorf(a) + (int32_t)row * 3) % 5 == 0;
    if (hypotf(x, y) < high * 0.32f)
        s->color = physad__v3_from(odd ? m->third : m->second);
}

static void paint_flowers(physad__surface *s, const physad__material *m, physad__v3 p, bool symmetric)
{
    const float v = (p.z - m->from) / (m->to - m->from);
    if (v < 0 || v > 1)
        return;
    ink(s, m->third, inside(v, 0, 0.06f) + inside(v, 0.94f, 1));
    const float count = m->scale, angle = atan2f(p.y, p.x) + PHYSAD__PI;
    const float a = angle * count / (2 * PHYSAD__PI), cell = floorf(a);
    const float x = (a - cell - 0.5f) * 2 * PHYSAD__PI / count * hypotf(p.x, p.y), y = (v - 0.5f) * (m->to - m->from);
    const float half = 0.42f * (m->to - m->from);
    const float r = hypotf(x, y) / half, petals = symmetric ? 5.0f : 4.0f + (float)((int32_t)cell % 3);
    const float edge = 0.62f + 0.33f * cosf(petals * atan2f(y, x));
    if (r < 0.22f)
        s->color = physad__v3_from(m->third);
    else if (r < edge)
        s->color =
            physad__v3_mix(physad__v3_from(m->second), s->color, symmetric ? 0 : 0.35f * (float)((int32_t)cell % 2));
}

static void paint_felt(physad__surface *s, const physad__material *m, physad__v3 p)
{
    const physad__v3 d = physad__v3_unit(p);
    const float fluff = physad__noise_sum(physad__v3_scale(p, 26), 3);
    s->color = physad__v3_scale(s->color, 0.68f + 0.6f * fluff);
    /* the seam is near to where z = 7 x y on the unit ball */
    const physad__v3 g = { -7 * d.y, -7 * d.x, 1 };
    const physad__v3 tangent = physad__v3_along(g, d, -physad__v3_dot(g, d));
    const float away = fabsf(d.z - 7 * d.x * d.y) / physad__maxf(physad__v3_length(tangent), 0.3f);
    s->color = physad__v3_mix(physad__v3_from(m->second), s->color,
                              physad__ramp(0.035f, 0.06f, away + 0.02f * (fluff - 0.5f)));
}

static void paint_motif(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    if (symmetric || n.z < 0.5f)
        return;
    const float wave = p.y + 0.12f * sinf(7 * p.x) + 0.35f;
    for (int i = 0; i < 4; i++) {
        const float w = wave + 0.14f * (float)i;
        ink(s, (i & 1) != 0 ? m->third : m->second, 0.9f * inside(w, 0, 0.075f));
    }
    const float sun = hypotf(p.x - 0.16f, p.y - 0.28f);
    ink(s, m->third, sun < 0.17f || (sun > 0.2f && sun < 0.225f) ? 1.0f : 0.0f);
    ink(s, m->second, text_ink(m->text, (p.x + 0.36f) / 0.72f, (p.y + 0.84f) / 0.15f));
}

static void paint(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    switch (m->pattern) {
    case PHYSAD__LABEL:
        paint_label(s, m, p, n, symmetric);
        break;
    case PHYSAD__PANEL:
    case PHYSAD__CARTON:
        paint_panel(s, m, p, n, symmetric);
        break;
    case PHYSAD__BANDS: {
        const float v = (p.z - m->from) / (m->to - m->from) * m->scale;
        if (v >= 0 && v <= m->scale && v - floorf(v) < 0.55f) {
            s->color = physad__v3_from(m->second);
            s->metal = 0;
            s->rough = physad__maxf(s->rough, 0.5f);
        }
        break;
    }
    case PHYSAD__DOTS:
        paint_dots(s, m, p, n, symmetric);
        break;
    case PHYSAD__FLOWERS:
        paint_flowers(s, m, p, symmetric);
        break;
    case PHYSAD__FELT:
        paint_felt(s, m, p);
        break;
    case PHYSAD__BRUSHED:
        s->color = physad__v3_scale(s->color, 0.95f + 0.1f * physad__noise((physad__v3){ p.x * 3, p.y * 3, p.z * 90 }));
        break;
    case PHYSAD__SPECKLES: {
        const float grain = physad__noise(physad__v3_scale(p, m->scale));
        s->color = physad__v3_mix(s->color, physad__v3_from(m->second), physad__ramp(0.76f, 0.82f, grain));
        break;
    }
    case PHYSAD__WEAVE: {
        if (n.z < 0.7f)
            break;
        const float u = p.x * m->scale, v = p.y * m->scale;
        const bool over = (((int32_t)floorf(u) + (int32_t)floorf(v)) & 3) < 2;
        const float thread = over ? u - floorf(u) : v - floorf(v);
        s->color =
            physad__v3_mix(s->color, physad__v3_from(m->second), (over ? 1.0f : 0.35f) * (1 - fabsf(2 * thread - 1)));
        break;
    }
    case PHYSAD__MOTIF:
        paint_motif(s, m, p, n, symmetric);
        break;
    default:
        break;
    }
}

void physad__surface_at(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric)
{
    *s = (physad__surface){ physad__v3_from(m->first), n, m->rough, m->metal };
    paint(s, m, p, n, symmetric);
    /* No surface is quite even in colour. */
    s->color = physad__v3_scale(s->color, 0.96f + 0.08f * physad__noise(physad__v3_scale(p, 5)));
    if (m->pattern == PHYSAD__RIBS && fabsf(n.z) < 0.5f && p.z > m->from && p.z < m->to) {
        const float a = atan2f(p.y, p.x), slope = 0.45f * sinf(a * m->scale);
        s->normal = physad__v3_unit(physad__v3_along(n, (physad__v3){ -sinf(a), cosf(a), 0 }, slope));
    }
    if (m->bump > 0) {
        const float f = m->pattern == PHYSAD__FELT ? 30 : 14;
        const physad__v3 q = physad__v3_scale(p, f);
        const float at = physad__noise(q);
        const physad__v3 g = { physad__noise((physad__v3){ q.x + 0.3f, q.y, q.z }) - at,
                               physad__noise((physad__v3){ q.x, q.y + 0.3f, q.z }) - at,
                               physad__noise((physad__v3){ q.x, q.y, q.z + 0.3f }) - at };
        s->normal = physad__v3_unit(physad__v3_along(s->normal, g, -m->bump * 4));
    }
}

/* --- the table ------------------------------------------------------------------------------------ */

physad__v3 physad__table_color(physad__v3 p, int32_t style)
{
    switch (style & 3) {
    case 0: { /* light wood */
        const float bend = physad__noise((physad__v3){ p.x * 0.7f, p.y * 2.2f, 4 });
        const float ring = physad__noise((physad__v3){ p.x * 0.8f, p.y * 14 + bend * 6, 1 });
        const float pore = physad__noise((physad__v3){ p.x * 8, p.y * 90, 2 });
        return physad__v3_scale((physad__v3){ 0.50f, 0.34f, 0.20f }, 0.72f + 0.4f * ring + 0.14f * pore);
    }
    case 1: { /* grey felt */
        const float fluff = physad__noise_sum((physad__v3){ p.x * 24, p.y * 24, 3 }, 3);
        return physad__v3_scale((physad__v3){ 0.27f, 0.29f, 0.32f }, 0.7f + 0.6f * fluff);
    }
    case 2: { /* white laminate */
        const float cloud = physad__noise_sum((physad__v3){ p.x * 3, p.y * 3, 5 }, 4);
        return physad__v3_scale((physad__v3){ 0.66f, 0.65f, 0.62f }, 0.92f + 0.16f * cloud);
    }
    default: { /* slate */
        const float cloud = physad__noise_sum((physad__v3){ p.x * 5, p.y * 5, 7 }, 5);
        return physad__v3_scale((physad__v3){ 0.16f, 0.18f, 0.20f }, 0.6f + 0.8f * cloud);
    }
    }
}
