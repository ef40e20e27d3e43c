/* SPDX-License-Identifier: Apache-2.0 */
/* synth: objects made of analytic shapes, defects on their surface, a ray marcher that draws them, and the data sets
 * made so.
 *
 * Coordinates: the object stands on the plane z = 0 around the z axis, about two units wide. Colours are linear. */
#ifndef PHYSAD__SYNTH_H
#define PHYSAD__SYNTH_H

#include "core/core.h"
#include "io/io.h"
#include "synth/synth_math.h"

#include <physad/synth.h>

/* --- objects: tables (synth_objects.c), compiled (synth_shape.c) --- */

/* Kinds of shape, by their signed distance. `size`:
 * ball: radius; egg: three half axes; block: three half sides; rod: radius, half height along z; ring: radius,
 * thickness, in the x-y plane; wire: from `at` to size[0..2], radius size[3]; turned: outline (r, z) closed, around z;
 * cut: outline (x, y) closed, half height size[0] along z, corners rounded by size[1]; sheet: open outline (x, y), half
 * length size[0] along z, half thickness size[1]. */
enum {
    PHYSAD__BALL,
    PHYSAD__EGG,
    PHYSAD__BLOCK,
    PHYSAD__ROD,
    PHYSAD__RING,
    PHYSAD__WIRE,
    PHYSAD__TURNED,
    PHYSAD__CUT,
    PHYSAD__SHEET
};
enum { PHYSAD__ADD, PHYSAD__TAKE }; /* in the table's order */

typedef struct physad__shape {
    uint8_t kind, op, material, points;
    float blend; /* radius of the seam to what came before */
    float round; /* of all edges; included in the size */
    float at[3];
    float turn[3]; /* degrees, about x, then y, then z */
    float size[4];
    const float (*outline)[2];
} physad__shape;

/* What a surface looks like as a function of place (synth_texture.c). */
enum {
    PHYSAD__PLAIN,
    PHYSAD__LABEL,  /* a printed sleeve between `from` and `to` (z), colour `second`, ink `third`; bare elsewhere */
    PHYSAD__PANEL,  /* prints on the faces of a block, ink `third` */
    PHYSAD__CARTON, /* PANEL on cardboard with a tape, `second` */
    PHYSAD__BANDS,  /* rings of `second` between `from` and `to`, `scale` of them */
    PHYSAD__DOTS,   /* `second` dots in staggered rows, `scale` around */
    PHYSAD__FLOWERS, /* a band of petals between `from` and `to` */
    PHYSAD__FELT,   /* fluff, and the seam of a tennis ball in `second` */
    PHYSAD__BRUSHED, /* fine strokes around z */
    PHYSAD__SPECKLES, /* grains of `second` */
    PHYSAD__WEAVE,  /* twill, as of carbon fibre */
    PHYSAD__RIBS,   /* ridges up the sides, `scale` around */
    PHYSAD__MOTIF,  /* a print of discs and waves on a flat back */
};

typedef struct physad__material {
    uint8_t pattern;
    uint8_t metal;
    float rough; /* 0.05 mirror .. 1 matt */
    float bump;  /* height of fine unevenness, as a slope */
    float scale, from, to;
    float first[3], second[3], third[3];
    const char *text;
} physad__material;

typedef struct physad__object {
    const char *name;
    const physad__shape *shapes;
    const physad__material *materials;
    int32_t shape_count;
    float core[3]; /* colour of a broken place */
    float stretch; /* defects are sized by the object's radius times this */
    int32_t table; /* style of what it stands on */
} physad__object;

int64_t physad__object_count(void);
const physad__object *physad__object_at(int64_t index);

#define PHYSAD__MOST_SHAPES 32
#define PHYSAD__MOST_POINTS 16
typedef struct physad__edge {
    float x, y, dx, dy, inverse; /* from, to - from, 1 / length^2 */
} physad__edge;
/* Over the outline's surroundings, which edges may be the nearest, and which a level line may cross, from anywhere in a
 * cell. */
#define PHYSAD__GRID 32
typedef struct physad__grid {
    float x, y, per_x, per_y; /* corner, cells per unit */
    uint16_t near[PHYSAD__GRID * PHYSAD__GRID], cross[PHYSAD__GRID * PHYSAD__GRID];
} physad__grid;
typedef struct physad__part {
    const physad__shape *shape;
    physad__edge edges[PHYSAD__MOST_POINTS]; /* of the outline */
    int32_t edge_count;
    const physad__grid *grid; /* in the solid, which may therefore not be copied; NULL: none */
    float axes[9]; /* rows: local x, y, z in object space */
    physad__v3 at;
    physad__v3 centre; /* of a ball around it */
    float radius;
} physad__part;
typedef struct physad__solid {
    const physad__object *object;
    physad__part parts[PHYSAD__MOST_SHAPES];
    physad__grid grids[4];
    int32_t count, grid_count;
    physad__v3 centre; /* of a ball around all */
    float radius;
} physad__solid;
void physad__solid_make(physad__solid *solid, const physad__object *object);
/* Signed distance; outside, 0.9 of it is never more than the true one (flat eggs are rounded up a little). */
float physad__solid_distance(const physad__solid *solid, physad__v3 p);
/* The part whose surface is nearest to `p`, and `p` and `n` in its own axes. */
int32_t physad__solid_part(const physad__solid *solid, physad__v3 p);
physad__v3 physad__part_local(const physad__part *part, physad__v3 p);
physad__v3 physad__part_turn(const physad__part *part, physad__v3 v);
physad__v3 physad__part_turn_back(const physad__part *part, physad__v3 v);

/* --- surface (synth_texture.c) --- */

typedef struct physad__surface {
    physad__v3 color;
    physad__v3 normal; /* with unevenness */
    float rough;
    float metal;
} physad__surface;
/* `p` and `n` in the part's axes; `s->normal` comes back in them. */
void physad__surface_at(physad__surface *s, const physad__material *m, physad__v3 p, physad__v3 n, bool symmetric);
physad__v3 physad__table_color(physad__v3 p, int32_t style);

/* --- defects (synth_defect.c) --- */

enum { PHYSAD__SCRATCHED, PHYSAD__MISSING, PHYSAD__STAINED, PHYSAD__SQUEEZED, PHYSAD__DEFECTS };
extern const char *const physad__defect_names[PHYSAD__DEFECTS];

#define PHYSAD__SCRATCH_POINTS 24
typedef struct physad__defect {
    int32_t type;
    uint32_t seed;
    physad__v3 centre, normal, along, across; /* on the sound surface; a frame */
    float size[3];                            /* half extents along, across, inward */
    float strength;                           /* 0..1: faint .. plain */
    float reach;                              /* it changes nothing farther than this from the centre */
    physad__v3 tint;
    int32_t lines, points;
    physad__v3 path[PHYSAD__SCRATCH_POINTS];
    float width;
} physad__defect;

/* Makes the defect `type` of a sound object around the surface point `at`; `grade` in 0..1 from faint to plain. */
void physad__defect_make(physad__defect *defect, const physad__solid *solid, int32_t type, physad__v3 at, float size,
                         float strength, float grade, physad__rng *rng);
/* Where the surface of the sound object came to lie at `p` from (a dent moves it). */
physad__v3 physad__defect_undo(const physad__defect *defect, physad__v3 p);
/* Distance to what is broken off: negative inside. Large for other types. */
float physad__defect_cut(const physad__defect *defect, physad__v3 p);
/* Changes the look of the surface at `p`. */
void physad__defect_paint(const physad__defect *defect, physad__v3 p, physad__v3 n, physad__surface *s);
/* Whether the defect is at the point `p` of the sound surface (physad__defect_undo() finds it for a dented one) with
 * normal `n`; `broken`: `p` is on the face that a missing piece left. */
bool physad__defect_covers(const physad__defect *defect, physad__v3 p, physad__v3 n, bool broken);

/* --- drawing (synth_render.c, synth_light.c) --- */

typedef struct physad__camera {
    double pose[4][4]; /* camera to world, OpenGL: x right, y up, z backward */
    double focal, cx, cy; /* pixels */
    int32_t width, height;
} physad__camera;
/* On a ball of radius `distance` around `target`, looking at it; angles in degrees. */
void physad__camera_look(physad__camera *camera, physad__v3 target, double azimuth, double elevation, double distance,
                         double roll);

typedef struct physad__light {
    physad__v3 key, fill; /* unit, towards the lamps */
    float key_power, fill_power, ambient;
} physad__light;
void physad__light_make(physad__light *light, double azimuth, double elevation, double power);

typedef struct physad__scene {
    const physad__solid *solid;
    const physad__defect *defect; /* NULL: sound */
    physad__light light;
    int32_t background; /* PHYSAD_SYNTH_* */
    float gloss;
    bool symmetric;
} physad__scene;

float physad__scene_distance(const physad__scene *scene, physad__v3 p);
physad__v3 physad__scene_normal(const physad__scene *scene, physad__v3 p);
/* The object's surface along a ray, at most `most` away; negative: none. */
float physad__scene_march(const physad__scene *scene, physad__v3 from, physad__v3 direction, float start, float most);
/* Whether a surface point is seen from `eye` by the sound object. */
bool physad__scene_sees(const physad__scene *scene, physad__v3 eye, physad__v3 p, physad__v3 n);

/* Light that leaves a surface towards the eye (synth_light.c); `direction` is the ray's. */
physad__v3 physad__light_surface(const physad__scene *scene, physad__v3 p, physad__v3 flat, physad__v3 direction,
                                 const physad__surface *s);
physad__v3 physad__light_table(const physad__scene *scene, physad__v3 p, physad__v3 direction, float distance);
physad__v3 physad__light_backdrop(const physad__scene *scene, physad__v3 direction);

/* Draws into `color` (H x W) in linear light, without noise. With a defect `mask` (H x W, 0 or 255) may be asked for;
 * NULL: not. */
physad_status physad__render(physad_context *ctx, const physad__scene *scene, const physad__camera *camera,
                             physad__v3 *color, uint8_t *mask);
/* 8-bit RGB with the exposure's factor and sensor noise. */
void physad__develop(uint8_t *rgb, const physad__v3 *color, int32_t width, int32_t height, float exposure, float noise,
                     uint64_t seed, uint64_t stream);

/* --- the set on disk (synth_output.c) --- */

/* What a set is made by: the caller's knobs with every default filled in. */
typedef struct physad__rad_knobs {
    physad_synth_rad_options o; /* negative "none"s are zeros here */
    uint64_t seed;
    bool category[64]; /* by object index */
    bool defect[PHYSAD__DEFECTS];
} physad__rad_knobs;
physad_status physad__rad_knobs_read(physad__rad_knobs *knobs, const physad_context *ctx,
                                     const physad_synth_rad_options *options);

/* Makes the folder ready: absent, empty, or holding an earlier set that may be replaced. `made`: it was absent. */
physad_status physad__synth_prepare(physad_context *ctx, const char *out_dir, bool replace, bool *made);
/* Removes what a set consists of, by name, and the folders that are empty then. */
void physad__synth_clear(physad_context *ctx, const char *out_dir);

/* transforms.json in the making; frames are added with a pose each. NULL: no memory. */
json_t *physad__poses_new(const physad__camera *camera);
bool physad__poses_add(json_t *poses, const char *file_path, double pose[4][4]);
json_t *physad__knobs_json(const physad__rad_knobs *knobs);

#endif
