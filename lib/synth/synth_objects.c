/* SPDX-License-Identifier: Apache-2.0 */
/* The eighteen objects: tables of shapes and materials. An object stands on z = 0 around the z axis. */
#include "synth/synth.h"

#define OUTLINE(v) .outline = (v), .points = (uint8_t)(sizeof(v) / sizeof((v)[0]))
#define OBJECT(id, label, broken, scale, under)                                                                        \
    {                                                                                                                  \
        .name = (label), .shapes = id##_shapes, .materials = id##_materials,                                           \
        .shape_count = (int32_t)PHYSAD__COUNT(id##_shapes), .core = broken, .stretch = (scale), .table = (under)       \
    }
#define RGB(r, g, b) { (r), (g), (b) }

/* --- binder clips: a folded sheet and two wire levers ------------------------------------------------ */

static const float clip_fold[][2] = { { -0.05f, 0.80f }, { -0.36f, 0.06f }, { -0.30f, 0.03f },
                                      { 0.30f, 0.03f },  { 0.36f, 0.06f },  { 0.05f, 0.80f } };
#define LEVER(x0, z0, x1, z1, thick)                                                                                   \
    { .kind = PHYSAD__WIRE, .material = 1, .at = { (x0), -0.32f, (z0) }, .size = { (x1), -0.17f, (z1), (thick) } },    \
        { .kind = PHYSAD__WIRE, .material = 1, .at = { (x1), -0.17f, (z1) }, .size = { (x1), 0.17f, (z1), (thick) } }, \
    {                                                                                                                  \
        .kind = PHYSAD__WIRE, .material = 1, .at = { (x1), 0.17f, (z1) }, .size = {(x0), 0.32f, (z0), (thick) }        \
    }
static const physad__shape binderclip1_shapes[] = {
    { .kind = PHYSAD__SHEET, .turn = { 90, 0, 0 }, .size = { 0.62f, 0.035f }, .round = 0.02f, OUTLINE(clip_fold) },
    { .kind = PHYSAD__ROD,
      .at = { -0.05f, 0, 0.82f },
      .turn = { 90, 0, 0 },
      .size = { 0.055f, 0.62f },
      .round = 0.01f },
    { .kind = PHYSAD__ROD, .at = { 0.05f, 0, 0.82f }, .turn = { 90, 0, 0 }, .size = { 0.055f, 0.62f }, .round = 0.01f },
    LEVER(-0.06f, 0.84f, -0.62f, 1.36f, 0.032f),
    LEVER(0.06f, 0.84f, 0.62f, 1.36f, 0.032f),
};
static const physad__material binderclip1_materials[] = {
    { .pattern = PHYSAD__PLAIN, .rough = 0.32f, .first = RGB(0.025f, 0.025f, 0.028f), .bump = 0.01f },
    { .pattern = PHYSAD__PLAIN, .rough = 0.18f, .metal = 1, .first = RGB(0.78f, 0.77f, 0.74f) },
};
static const physad__shape binderclip2_shapes[] = {
    { .kind = PHYSAD__SHEET, .turn = { 90, 0, 0 }, .size = { 0.86f, 0.04f }, .round = 0.025f, OUTLINE(clip_fold) },
    { .kind = PHYSAD__ROD, .at = { -0.05f, 0, 0.82f }, .turn = { 90, 0, 0 }, .size = { 0.06f, 0.86f }, .round = 0.01f },
    { .kind = PHYSAD__ROD, .at = { 0.05f, 0, 0.82f }, .turn = { 90, 0, 0 }, .size = { 0.06f, 0.86f }, .round = 0.01f },
    LEVER(-0.10f, 0.82f, -0.42f, 0.14f, 0.03f),
    LEVER(0.06f, 0.84f, 0.30f, 1.45f, 0.03f),
};
static const physad__material binderclip2_materials[] = {
    { .pattern = PHYSAD__SPECKLES,
      .scale = 26,
      .rough = 0.25f,
      .first = RGB(0.50f, 0.03f, 0.04f),
      .second = RGB(0.62f, 0.30f, 0.26f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.2f, .metal = 1, .first = RGB(0.80f, 0.66f, 0.36f) },
};

/* --- bowl, can, cups: turned walls ------------------------------------------------------------------- */

static const float bowl_wall[][2] = { { 0, 0.06f },     { 0.32f, 0.06f }, { 0.34f, 0 },     { 0.40f, 0 },
                                      { 0.42f, 0.07f }, { 0.70f, 0.22f }, { 0.88f, 0.46f }, { 0.96f, 0.74f },
                                      { 0.91f, 0.75f }, { 0.83f, 0.49f }, { 0.66f, 0.27f }, { 0.38f, 0.12f },
                                      { 0, 0.10f } };
static const physad__shape bowl_shapes[] = { { .kind = PHYSAD__TURNED, .round = 0.012f, OUTLINE(bowl_wall) } };
static const physad__material bowl_materials[] = {
    { .pattern = PHYSAD__FLOWERS, .rough = 0.16f, .first = RGB(0.74f, 0.72f, 0.66f), .second = RGB(0.05f, 0.14f, 0.40f),
      .third = RGB(0.04f, 0.10f, 0.28f), .scale = 9, .from = 0.30f, .to = 0.66f },
};

static const float can_wall[][2] = { { 0, 0.05f },     { 0.36f, 0.05f }, { 0.40f, 0.01f }, { 0.44f, 0.01f },
                                     { 0.54f, 0.13f }, { 0.54f, 1.42f }, { 0.45f, 1.60f }, { 0.45f, 1.66f },
                                     { 0.41f, 1.66f }, { 0.40f, 1.59f }, { 0, 1.59f } };
static const physad__shape can_shapes[] = {
    { .kind = PHYSAD__TURNED, .round = 0.01f, OUTLINE(can_wall) },
    { .kind = PHYSAD__BLOCK,
      .material = 1,
      .at = { 0.10f, 0, 1.63f },
      .size = { 0.16f, 0.08f, 0.016f },
      .round = 0.015f },
    { .kind = PHYSAD__ROD, .op = PHYSAD__TAKE, .material = 1, .at = { 0.17f, 0, 1.64f }, .size = { 0.05f, 0.1f } },
    { .kind = PHYSAD__ROD, .material = 1, .at = { 0, 0, 1.61f }, .size = { 0.035f, 0.05f }, .round = 0.01f },
};
static const physad__material can_materials[] = {
    { .pattern = PHYSAD__LABEL,
      .metal = 1,
      .rough = 0.22f,
      .first = RGB(0.75f, 0.75f, 0.76f),
      .second = RGB(0.02f, 0.22f, 0.34f),
      .third = RGB(0.86f, 0.80f, 0.52f),
      .from = 0.16f,
      .to = 1.40f,
      .text = "SODA" },
    { .pattern = PHYSAD__PLAIN, .metal = 1, .rough = 0.25f, .first = RGB(0.66f, 0.66f, 0.68f) },
};

#define HANDLE(x, z, radius, thick, inner)                                                                             \
    { .kind = PHYSAD__RING, .at = { (x), 0, (z) }, .turn = { 90, 0, 0 }, .size = { (radius), (thick) } },              \
    {                                                                                                                  \
        .kind = PHYSAD__ROD, .op = PHYSAD__TAKE, .at = { 0, 0, (z) }, .size = {(inner), 1 }                            \
    }
static const float mug_wall[][2] = { { 0, 0.02f },     { 0.40f, 0.02f }, { 0.44f, 0 },     { 0.49f, 0.03f },
                                     { 0.53f, 0.11f }, { 0.53f, 1.18f }, { 0.47f, 1.18f }, { 0.47f, 0.16f },
                                     { 0.42f, 0.10f }, { 0, 0.10f } };
static const physad__shape cup1_shapes[] = {
    HANDLE(0.56f, 0.60f, 0.29f, 0.07f, 0.50f),
    { .kind = PHYSAD__TURNED, .blend = 0.05f, .turn = { 0, 0, 100 }, .round = 0.012f, OUTLINE(mug_wall) },
};
static const physad__material cup1_materials[] = {
    { .pattern = PHYSAD__LABEL, .rough = 0.15f, .first = RGB(0.10f, 0.30f, 0.36f), .second = RGB(0.10f, 0.30f, 0.36f),
      .third = RGB(0.80f, 0.78f, 0.70f), .from = 0.22f, .to = 1.05f, .text = "COFFEE" },
};

static const float paper_wall[][2] = { { 0, 0.04f },      { 0.35f, 0.04f },  { 0.36f, 0.01f }, { 0.38f, 0.01f },
                                       { 0.53f, 1.26f },  { 0.56f, 1.28f },  { 0.56f, 1.31f }, { 0.52f, 1.31f },
                                       { 0.505f, 1.27f }, { 0.355f, 0.08f }, { 0, 0.08f } };
static const physad__shape cup2_shapes[] = { { .kind = PHYSAD__TURNED, .round = 0.01f, OUTLINE(paper_wall) } };
static const physad__material cup2_materials[] = {
    { .pattern = PHYSAD__DOTS,
      .rough = 0.75f,
      .bump = 0.02f,
      .first = RGB(0.76f, 0.74f, 0.68f),
      .second = RGB(0.60f, 0.16f, 0.08f),
      .third = RGB(0.08f, 0.30f, 0.20f),
      .scale = 15,
      .from = 0.14f,
      .to = 1.16f },
};

static const float tumbler_wall[][2] = {
    { 0, 0.01f }, { 0.36f, 0.01f }, { 0.39f, 0.04f }, { 0.48f, 1.22f }, { 0, 1.22f }
};
static const float tumbler_lid[][2] = { { 0, 1.21f },     { 0.50f, 1.21f }, { 0.52f, 1.25f }, { 0.49f, 1.32f },
                                        { 0.42f, 1.34f }, { 0.40f, 1.30f }, { 0, 1.30f } };
static const physad__shape cup3_shapes[] = {
    { .kind = PHYSAD__TURNED, .round = 0.01f, OUTLINE(tumbler_wall) },
    { .kind = PHYSAD__TURNED, .material = 1, .round = 0.01f, OUTLINE(tumbler_lid) },
    { .kind = PHYSAD__BLOCK,
      .material = 1,
      .at = { 0.18f, 0, 1.33f },
      .size = { 0.16f, 0.08f, 0.05f },
      .round = 0.03f },
};
static const physad__material cup3_materials[] = {
    { .pattern = PHYSAD__BRUSHED, .metal = 1, .rough = 0.14f, .first = RGB(0.78f, 0.78f, 0.79f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.45f, .first = RGB(0.03f, 0.03f, 0.035f), .bump = 0.02f },
};

static const float saucer_wall[][2] = { { 0, 0.05f },     { 0.32f, 0.05f }, { 0.34f, 0.01f }, { 0.50f, 0.01f },
                                        { 0.82f, 0.10f }, { 0.96f, 0.18f }, { 0.94f, 0.20f }, { 0.80f, 0.14f },
                                        { 0.48f, 0.07f }, { 0, 0.08f } };
static const float tea_wall[][2] = { { 0, 0.09f },     { 0.22f, 0.09f }, { 0.27f, 0.13f }, { 0.44f, 0.32f },
                                     { 0.54f, 0.64f }, { 0.58f, 0.80f }, { 0.55f, 0.80f }, { 0.49f, 0.62f },
                                     { 0.39f, 0.36f }, { 0.20f, 0.19f }, { 0, 0.18f } };
static const physad__shape cup4_shapes[] = {
    HANDLE(0.56f, 0.48f, 0.18f, 0.04f, 0.44f),
    { .kind = PHYSAD__TURNED, .blend = 0.03f, .round = 0.012f, OUTLINE(tea_wall) },
    { .kind = PHYSAD__TURNED, .material = 1, .round = 0.012f, OUTLINE(saucer_wall) },
};
static const physad__material cup4_materials[] = {
    { .pattern = PHYSAD__FLOWERS,
      .rough = 0.12f,
      .first = RGB(0.80f, 0.78f, 0.74f),
      .second = RGB(0.55f, 0.12f, 0.16f),
      .third = RGB(0.62f, 0.44f, 0.10f),
      .scale = 8,
      .from = 0.40f,
      .to = 0.74f },
    { .pattern = PHYSAD__BANDS,
      .rough = 0.12f,
      .first = RGB(0.80f, 0.78f, 0.74f),
      .second = RGB(0.55f, 0.12f, 0.16f),
      .scale = 1,
      .from = 0.155f,
      .to = 0.185f },
};

/* --- box, charger, phone cases: blocks ----------------------------------------------------------------- */

static const physad__shape box_shapes[] = {
    { .kind = PHYSAD__BLOCK, .at = { 0, 0, 0.46f }, .size = { 0.68f, 0.48f, 0.45f }, .round = 0.015f },
    { .kind = PHYSAD__BLOCK, .op = PHYSAD__TAKE, .at = { 0, 0, 0.915f }, .size = { 0.7f, 0.006f, 0.012f } },
};
static const physad__material box_materials[] = {
    { .pattern = PHYSAD__CARTON,
      .rough = 0.85f,
      .bump = 0.03f,
      .first = RGB(0.46f, 0.30f, 0.16f),
      .second = RGB(0.62f, 0.48f, 0.30f),
      .third = RGB(0.07f, 0.05f, 0.04f),
      .scale = 0.50f,
      .text = "FRAGILE" },
};

static const physad__shape charger_shapes[] = {
    { .kind = PHYSAD__BLOCK, .at = { 0, 0, 0.46f }, .size = { 0.50f, 0.46f, 0.45f }, .round = 0.12f },
    { .kind = PHYSAD__BLOCK, .at = { 0.50f, 0, 0.46f }, .size = { 0.05f, 0.34f, 0.34f }, .round = 0.04f },
    { .kind = PHYSAD__WIRE, .material = 1, .at = { 0.5f, -0.2f, 0.46f }, .size = { 0.98f, -0.2f, 0.46f, 0.06f } },
    { .kind = PHYSAD__WIRE, .material = 1, .at = { 0.5f, 0.2f, 0.46f }, .size = { 0.98f, 0.2f, 0.46f, 0.06f } },
    { .kind = PHYSAD__BLOCK,
      .op = PHYSAD__TAKE,
      .material = 2,
      .at = { -0.5f, 0, 0.52f },
      .size = { 0.14f, 0.2f, 0.06f },
      .round = 0.01f },
    { .kind = PHYSAD__BLOCK, .material = 3, .at = { -0.4f, 0, 0.50f }, .size = { 0.06f, 0.17f, 0.02f } },
};
static const physad__material charger_materials[] = {
    { .pattern = PHYSAD__PANEL,
      .rough = 0.30f,
      .first = RGB(0.74f, 0.74f, 0.74f),
      .third = RGB(0.25f, 0.25f, 0.27f),
      .scale = 0.42f,
      .text = "USB 5V" },
    { .pattern = PHYSAD__PLAIN, .metal = 1, .rough = 0.2f, .first = RGB(0.72f, 0.70f, 0.64f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.5f, .first = RGB(0.05f, 0.05f, 0.05f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.4f, .first = RGB(0.05f, 0.14f, 0.45f) },
};

static const float case_plate[][2] = { { -0.36f, -0.84f }, { 0.36f, -0.84f }, { 0.36f, 0.84f }, { -0.36f, 0.84f } };
static const float case_inner[][2] = { { -0.33f, -0.81f }, { 0.33f, -0.81f }, { 0.33f, 0.81f }, { -0.33f, 0.81f } };
static const float case_camera[][2] = { { -0.10f, -0.12f }, { 0.10f, -0.12f }, { 0.10f, 0.12f }, { -0.10f, 0.12f } };
static const physad__shape phonecase1_shapes[] = {
    { .kind = PHYSAD__CUT, .at = { 0, 0, 0.09f }, .size = { 0.09f, 0.13f }, .round = 0.04f, OUTLINE(case_plate) },
    { .kind = PHYSAD__CUT,
      .at = { -0.22f, 0.68f, 0.17f },
      .size = { 0.035f, 0.07f },
      .round = 0.02f,
      OUTLINE(case_camera) },
    { .kind = PHYSAD__CUT,
      .op = PHYSAD__TAKE,
      .material = 1,
      .at = { -0.22f, 0.68f, 0.20f },
      .size = { 0.12f, 0.035f },
      OUTLINE(case_camera) },
    { .kind = PHYSAD__WIRE,
      .op = PHYSAD__TAKE,
      .material = 1,
      .at = { -0.49f, 0.15f, 0.09f },
      .size = { -0.49f, 0.42f, 0.09f, 0.03f } },
};
static const physad__material phonecase1_materials[] = {
    { .pattern = PHYSAD__WEAVE,
      .rough = 0.45f,
      .scale = 22,
      .first = RGB(0.020f, 0.022f, 0.026f),
      .second = RGB(0.10f, 0.105f, 0.115f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.7f, .first = RGB(0.03f, 0.03f, 0.03f) },
};
static const physad__shape phonecase2_shapes[] = {
    { .kind = PHYSAD__CUT,
      .at = { 0.06f, 0, 0.98f },
      .turn = { 90, 0, 90 },
      .size = { 0.08f, 0.13f },
      .round = 0.04f,
      OUTLINE(case_plate) },
    { .kind = PHYSAD__CUT,
      .op = PHYSAD__TAKE,
      .material = 1,
      .at = { 0.02f, 0, 0.98f },
      .turn = { 90, 0, 90 },
      .size = { 0.08f, 0.11f },
      OUTLINE(case_inner) },
    { .kind = PHYSAD__CUT,
      .op = PHYSAD__TAKE,
      .material = 1,
      .at = { 0.06f, -0.22f, 1.64f },
      .turn = { 90, 0, 90 },
      .size = { 0.2f, 0.06f },
      OUTLINE(case_camera) },
};
static const physad__material phonecase2_materials[] = {
    { .pattern = PHYSAD__MOTIF, .rough = 0.2f, .first = RGB(0.68f, 0.50f, 0.44f), .second = RGB(0.08f, 0.26f, 0.40f),
      .third = RGB(0.80f, 0.72f, 0.42f), .text = "WAVES" },
    { .pattern = PHYSAD__PLAIN, .rough = 0.6f, .first = RGB(0.50f, 0.36f, 0.32f) },
};

/* --- bottles -------------------------------------------------------------------------------------------- */

static const float glue_body[][2] = { { 0, 0.01f },     { 0.38f, 0.01f }, { 0.42f, 0.05f }, { 0.42f, 0.92f },
                                      { 0.36f, 1.06f }, { 0.18f, 1.15f }, { 0.18f, 1.22f }, { 0, 1.22f } };
static const float glue_cap[][2] = { { 0, 1.20f },     { 0.21f, 1.20f }, { 0.21f, 1.36f }, { 0.10f, 1.58f },
                                     { 0.06f, 1.76f }, { 0.03f, 1.79f }, { 0, 1.79f } };
static const physad__shape gluebottle1_shapes[] = {
    { .kind = PHYSAD__TURNED, .round = 0.01f, OUTLINE(glue_body) },
    { .kind = PHYSAD__TURNED, .material = 1, .round = 0.01f, OUTLINE(glue_cap) },
};
static const physad__material gluebottle1_materials[] = {
    { .pattern = PHYSAD__LABEL,
      .rough = 0.35f,
      .first = RGB(0.76f, 0.76f, 0.74f),
      .second = RGB(0.70f, 0.08f, 0.05f),
      .third = RGB(0.88f, 0.86f, 0.80f),
      .from = 0.14f,
      .to = 0.86f,
      .text = "GLUE" },
    { .pattern = PHYSAD__RIBS,
      .rough = 0.35f,
      .first = RGB(0.80f, 0.30f, 0.02f),
      .scale = 28,
      .from = 1.21f,
      .to = 1.37f },
};
static const float stick_body[][2] = { { 0, 0.01f },     { 0.30f, 0.01f }, { 0.32f, 0.03f }, { 0.32f, 0.14f },
                                       { 0.30f, 0.16f }, { 0.34f, 0.19f }, { 0.34f, 1.16f }, { 0, 1.16f } };
static const float stick_cap[][2] = {
    { 0, 1.18f }, { 0.355f, 1.18f }, { 0.355f, 1.62f }, { 0.31f, 1.69f }, { 0, 1.71f }
};
static const physad__shape gluebottle2_shapes[] = {
    { .kind = PHYSAD__TURNED, .round = 0.008f, OUTLINE(stick_body) },
    { .kind = PHYSAD__TURNED, .material = 1, .round = 0.012f, OUTLINE(stick_cap) },
};
static const physad__material gluebottle2_materials[] = {
    { .pattern = PHYSAD__LABEL,
      .rough = 0.4f,
      .first = RGB(0.70f, 0.70f, 0.70f),
      .second = RGB(0.78f, 0.66f, 0.06f),
      .third = RGB(0.03f, 0.08f, 0.30f),
      .from = 0.24f,
      .to = 1.10f,
      .text = "STICK" },
    { .pattern = PHYSAD__RIBS,
      .rough = 0.4f,
      .first = RGB(0.03f, 0.10f, 0.36f),
      .scale = 36,
      .from = 1.22f,
      .to = 1.62f },
};
static const float spray_body[][2] = { { 0, 0.01f },     { 0.42f, 0.01f }, { 0.46f, 0.05f }, { 0.46f, 0.72f },
                                       { 0.38f, 0.98f }, { 0.18f, 1.14f }, { 0.18f, 1.20f }, { 0, 1.20f } };
static const physad__shape spraybottle_shapes[] = {
    { .kind = PHYSAD__TURNED, .round = 0.01f, OUTLINE(spray_body) },
    { .kind = PHYSAD__ROD, .material = 1, .at = { 0, 0, 1.24f }, .size = { 0.22f, 0.10f }, .round = 0.02f },
    { .kind = PHYSAD__BLOCK,
      .material = 2,
      .at = { 0.04f, 0, 1.52f },
      .size = { 0.36f, 0.13f, 0.14f },
      .round = 0.07f },
    { .kind = PHYSAD__ROD, .material = 2, .at = { 0, 0, 1.38f }, .size = { 0.12f, 0.10f }, .blend = 0.05f },
    { .kind = PHYSAD__ROD,
      .material = 1,
      .at = { 0.46f, 0, 1.55f },
      .turn = { 0, 90, 0 },
      .size = { 0.075f, 0.09f },
      .round = 0.02f },
    { .kind = PHYSAD__WIRE, .material = 1, .at = { 0.26f, 0, 1.42f }, .size = { 0.30f, 0, 1.22f, 0.05f } },
    { .kind = PHYSAD__WIRE,
      .material = 1,
      .blend = 0.04f,
      .at = { 0.30f, 0, 1.22f },
      .size = { 0.22f, 0, 1.02f, 0.05f } },
};
static const physad__material spraybottle_materials[] = {
    { .pattern = PHYSAD__LABEL,
      .rough = 0.2f,
      .first = RGB(0.10f, 0.40f, 0.52f),
      .second = RGB(0.82f, 0.82f, 0.80f),
      .third = RGB(0.02f, 0.30f, 0.16f),
      .from = 0.14f,
      .to = 0.70f,
      .text = "CLEAN" },
    { .pattern = PHYSAD__RIBS,
      .rough = 0.4f,
      .first = RGB(0.74f, 0.10f, 0.08f),
      .scale = 30,
      .from = -0.08f,
      .to = 0.08f },
    { .pattern = PHYSAD__PLAIN, .rough = 0.4f, .first = RGB(0.76f, 0.76f, 0.76f) },
};

/* --- rubber duck, spoon, tennis ball ---------------------------------------------------------------------- */

static const physad__shape rubberduck_shapes[] = {
    { .kind = PHYSAD__EGG, .at = { 0, 0, 0.42f }, .size = { 0.64f, 0.50f, 0.41f } },
    { .kind = PHYSAD__EGG,
      .blend = 0.18f,
      .at = { -0.56f, 0, 0.62f },
      .turn = { 0, 40, 0 },
      .size = { 0.22f, 0.18f, 0.10f } },
    { .kind = PHYSAD__BALL, .blend = 0.16f, .at = { 0.28f, 0, 1.00f }, .size = { 0.35f } },
    { .kind = PHYSAD__EGG,
      .blend = 0.05f,
      .at = { -0.10f, -0.45f, 0.50f },
      .turn = { 0, -15, 12 },
      .size = { 0.32f, 0.10f, 0.19f } },
    { .kind = PHYSAD__EGG,
      .blend = 0.05f,
      .at = { -0.10f, 0.45f, 0.50f },
      .turn = { 0, -15, -12 },
      .size = { 0.32f, 0.10f, 0.19f } },
    { .kind = PHYSAD__EGG,
      .material = 1,
      .at = { 0.64f, 0, 0.96f },
      .turn = { 0, -12, 0 },
      .size = { 0.19f, 0.16f, 0.045f } },
    { .kind = PHYSAD__EGG,
      .material = 1,
      .at = { 0.62f, 0, 0.90f },
      .turn = { 0, 14, 0 },
      .size = { 0.16f, 0.13f, 0.04f } },
    { .kind = PHYSAD__BALL, .material = 2, .at = { 0.535f, -0.17f, 1.11f }, .size = { 0.062f } },
    { .kind = PHYSAD__BALL, .material = 2, .at = { 0.535f, 0.17f, 1.11f }, .size = { 0.062f } },
};
static const physad__material rubberduck_materials[] = {
    { .pattern = PHYSAD__PLAIN, .rough = 0.34f, .first = RGB(0.82f, 0.56f, 0.03f), .bump = 0.006f },
    { .pattern = PHYSAD__PLAIN, .rough = 0.34f, .first = RGB(0.78f, 0.20f, 0.02f) },
    { .pattern = PHYSAD__PLAIN, .rough = 0.12f, .first = RGB(0.01f, 0.01f, 0.01f) },
};

static const physad__shape spoon_shapes[] = {
    { .kind = PHYSAD__EGG, .at = { 0.74f, 0, 0.20f }, .size = { 0.40f, 0.27f, 0.19f } },
    { .kind = PHYSAD__EGG, .op = PHYSAD__TAKE, .at = { 0.74f, 0, 0.235f }, .size = { 0.375f, 0.245f, 0.19f } },
    { .kind = PHYSAD__BLOCK, .op = PHYSAD__TAKE, .at = { 0.74f, 0, 0.44f }, .size = { 0.5f, 0.4f, 0.2f } },
    { .kind = PHYSAD__WIRE, .blend = 0.06f, .at = { 0.36f, 0, 0.225f }, .size = { -0.05f, 0, 0.27f, 0.045f } },
    { .kind = PHYSAD__WIRE, .at = { -0.05f, 0, 0.27f }, .size = { -0.60f, 0, 0.165f, 0.045f } },
    { .kind = PHYSAD__EGG,
      .blend = 0.05f,
      .at = { -0.80f, 0, 0.115f },
      .turn = { 0, -13, 0 },
      .size = { 0.36f, 0.13f, 0.045f } },
};
static const physad__material spoon_materials[] = {
    { .pattern = PHYSAD__PLAIN, .metal = 1, .rough = 0.17f, .first = RGB(0.80f, 0.78f, 0.74f) },
};

static const physad__shape tennisball_shapes[] = { { .kind = PHYSAD__BALL, .at = { 0, 0, 0.80f }, .size = { 0.80f } } };
static const physad__material tennisball_materials[] = {
    { .pattern = PHYSAD__FELT,
      .rough = 1,
      .bump = 0.16f,
      .first = RGB(0.56f, 0.68f, 0.07f),
      .second = RGB(0.72f, 0.72f, 0.66f) },
};

static const physad__object OBJECTS[] = {
    OBJECT(binderclip1, "binderclip1", RGB(0.42f, 0.41f, 0.40f), 1.0f, 0),
    OBJECT(binderclip2, "binderclip2", RGB(0.42f, 0.41f, 0.40f), 1.0f, 1),
    OBJECT(bowl, "bowl", RGB(0.62f, 0.55f, 0.46f), 1.0f, 3),
    OBJECT(box, "box", RGB(0.30f, 0.19f, 0.10f), 1.1f, 3),
    OBJECT(can, "can", RGB(0.55f, 0.55f, 0.57f), 0.9f, 0),
    OBJECT(charger, "charger", RGB(0.30f, 0.30f, 0.30f), 1.0f, 1),
    OBJECT(cup1, "cup1", RGB(0.68f, 0.63f, 0.54f), 1.0f, 2),
    OBJECT(cup2, "cup2", RGB(0.66f, 0.60f, 0.50f), 1.0f, 3),
    OBJECT(cup3, "cup3", RGB(0.30f, 0.30f, 0.30f), 1.0f, 0),
    OBJECT(cup4, "cup4", RGB(0.70f, 0.66f, 0.58f), 0.9f, 1),
    OBJECT(gluebottle1, "gluebottle1", RGB(0.66f, 0.66f, 0.64f), 0.85f, 0),
    OBJECT(gluebottle2, "gluebottle2", RGB(0.60f, 0.60f, 0.58f), 0.8f, 3),
    OBJECT(phonecase1, "phonecase1", RGB(0.05f, 0.05f, 0.05f), 0.9f, 2),
    OBJECT(phonecase2, "phonecase2", RGB(0.50f, 0.36f, 0.32f), 0.9f, 1),
    OBJECT(rubberduck, "rubberduck", RGB(0.50f, 0.32f, 0.02f), 1.0f, 2),
    OBJECT(spoon, "spoon", RGB(0.36f, 0.35f, 0.33f), 0.7f, 3),
    OBJECT(spraybottle, "spraybottle", RGB(0.16f, 0.34f, 0.42f), 0.9f, 0),
    OBJECT(tennisball, "tennisball", RGB(0.06f, 0.05f, 0.045f), 0.9f, 1),
};

int64_t physad__object_count(void)
{
    return PHYSAD__COUNT(OBJECTS);
}

const physad__object *physad__object_at(int64_t index)
{
    return index >= 0 && index < PHYSAD__COUNT(OBJECTS) ? &OBJECTS[index] : NULL;
}
