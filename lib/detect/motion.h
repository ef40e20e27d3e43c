/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: what its files share. Frames become planes at one rate (motion_pace.c), seen by a camera that does not
 * shake (motion_steady.c), and cells of flow (motion_front.c); cells become patches, whose distance to a bank of normal
 * ones is a frame's score (motion_patch.c); the curves of a whole take are looked at in several views, and measured by
 * rules with names (motion_views.c, motion_rules.c); it is laid beside normal takes as a part of them, and its frames
 * beside theirs (motion_part.c, motion_look.c); motion_verdict.c joins these. motion_fit.c and motion_learn.c make the
 * model, motion_file.c keeps it, motion_bank.c is the method. */
#ifndef PHYSAD__MOTION_H
#define PHYSAD__MOTION_H

#include "detect/detect.h"

/* --- cells (motion_front.c) --- */

enum { PHYSAD__MOTION_CELL = 8, PHYSAD__MOTION_DIRECTIONS = 8, PHYSAD__MOTION_EDGES = 4, PHYSAD__MOTION_LEVELS = 3 };
enum { PHYSAD__TINY_HEIGHT = 32, PHYSAD__TINY_WIDTH = 40, PHYSAD__TINY = 32 * 40 };

/* Means over a cell of 8 x 8 pixels; flow in pixels per frame, of moving pixels alone. */
typedef struct physad__cell {
    float energy;                               /* of |frame - frame before|, above the noise; grey levels */
    float u, v;                                 /* flow */
    float flow;                                 /* its length */
    float moving;                               /* share of pixels that move */
    float square;                               /* of the flow's length */
    float toward[PHYSAD__MOTION_DIRECTIONS];    /* length of the flow by its direction */
    float edges[PHYSAD__MOTION_EDGES];          /* of the gradient by its direction, without sign */
    float contrast;                             /* standard deviation of grey */
} physad__cell;
enum { PHYSAD__CELL_FLOATS = sizeof(physad__cell) / sizeof(float) };

/* One size of a frame and what flow needs there. */
typedef struct physad__motion_level {
    int64_t height, width;
    float *image[2];                /* the frame and the one before */
    float *u, *v;                   /* from the frame to the one before */
    float *gx, *gy;                 /* gradient */
    float *xx, *xy, *yy, *tx, *ty;  /* its products, and those with the difference, as means over a window */
    float *row;                     /* room */
} physad__motion_level;

typedef struct physad__motion_front {
    int64_t height, width; /* at which frames are looked at */
    int64_t rows, columns; /* of cells */
    int64_t levels;
    physad__motion_level level[PHYSAD__MOTION_LEVELS];
    int now; /* which image of a level is the frame's */
    int64_t frames;
} physad__motion_front;

/* Size at which frames of height x width are looked at: at most `most` rows. SHAPE where it is too small. */
physad_status physad__motion_size(int64_t height, int64_t width, int64_t most, int64_t *out_height, int64_t *out_width);
physad_status physad__motion_front_open(physad__motion_front *front, physad_context *ctx, int64_t height,
                                        int64_t width);
void physad__motion_front_close(physad__motion_front *front); /* zeroed is fine */
/* Takes the next plane. From the second on `cells` (rows * columns) are filled in; `tiny` (PHYSAD__TINY) is always: the
 * plane, very small, its mean taken away. */
void physad__motion_front_push(physad__motion_front *front, const float *plane, physad__cell *cells, float *tiny);
/* Finds the flow between two planes; then the plane `part` of the way from the one to the other. */
void physad__motion_front_between(physad__motion_front *front, const float *before, const float *now);
void physad__motion_front_blend(const physad__motion_front *front, const float *before, const float *now, float part,
                                float *out);

/* --- size and time (motion_pace.c) --- */

/* Frames of any size, at any time, to planes of one size at one rate: those in time as they are, else between two of
 * them along the flow. */
typedef struct physad__motion_pace {
    physad_context *ctx;
    int64_t source_height, source_width; /* of the frames that come; 0: none came yet */
    int64_t height, width;               /* of planes */
    double rate;                         /* of planes, per second */
    double usual;                        /* of frames, where one does not say when it is */
    double seconds, before;              /* of the last frame and the one before; of the first 0 */
    double first, due;                   /* what the first one says; when the next plane is */
    int64_t frames, planes, untimed;     /* that came; that were given; that came without a time */
    int64_t made;                        /* planes between frames */
    bool given;                          /* the last frame, as it is */
    float *room;                         /* rows of the source */
    float *plane[2], *between;
    int now;                             /* which plane is the last frame's */
    bool opened, found;                  /* the front; the flow between the last two */
    physad__motion_front front;
} physad__motion_pace;

physad_status physad__motion_pace_open(physad__motion_pace *pace, physad_context *ctx, int64_t height, int64_t width,
                                       double rate, double usual);
void physad__motion_pace_close(physad__motion_pace *pace); /* zeroed is fine */
/* Takes an H x W u8 grey frame with pixels side by side, shown at `seconds`; where that is no number, or not behind the
 * one before, at the usual distance from it. SHAPE where its size is not theirs. */
physad_status physad__motion_pace_push(physad__motion_pace *pace, const physad_view *grey, double seconds);
/* The next plane that can be told of what came, or NULL. `end`: no more frames come; two frames then give two planes.
 */
physad_status physad__motion_pace_next(physad__motion_pace *pace, bool end, const float **plane);

/* --- a camera that shakes (motion_steady.c) --- */

enum { PHYSAD__STEADY_LEVELS = 2 };

/* A half, or a quarter, of a plane's size. */
typedef struct physad__steady_level {
    int64_t height, width;
    float *now, *usual; /* the plane as it came, and the slow mean of those that were brought back */
    float *gx, *gy;     /* gradient of that */
} physad__steady_level;

/* Planes are brought back to where the first one looked. */
typedef struct physad__motion_steady {
    physad__mem *mem;
    int64_t height, width;
    bool on;
    int64_t planes;
    double y, x;     /* how far the camera looks beside that; pixels */
    double step;     /* since the plane before */
    int64_t shakes;  /* the last plane before which it clearly moved; 0: none yet */
    double farthest; /* so far */
    physad__steady_level level[PHYSAD__STEADY_LEVELS];
    float *plane, *room;
} physad__motion_steady;

physad_status physad__motion_steady_open(physad__motion_steady *steady, physad_context *ctx, int64_t height,
                                         int64_t width);
void physad__motion_steady_close(physad__motion_steady *steady); /* zeroed is fine */
/* The plane brought back, until the next call: the same one where the camera stood still, or is not `on`. */
const float *physad__motion_steady_push(physad__motion_steady *steady, const float *plane);

/* --- curves: a frame in few numbers (motion_views.c) --- */

typedef struct physad__moment {
    float energy, flow, moving, speed, peak; /* means over all cells; speed and its root mean square over moving ones */
    float u, v;
    float toward[PHYSAD__MOTION_DIRECTIONS];
    float x, y;   /* centre of the energy, of 0..1 */
    float camera; /* how far it went since the frame before; pixels, taken out of all others */
} physad__moment;
enum { PHYSAD__MOMENT_FLOATS = sizeof(physad__moment) / sizeof(float) };

void physad__moment_of(physad__moment *out, const physad__cell *cells, int64_t rows, int64_t columns);

/* A take, or as much of it as has come. */
typedef struct physad__course {
    physad__moment *moments;
    float *tiny;     /* PHYSAD__TINY per frame */
    double *patches; /* the frames' patch scores */
    int64_t frames, capacity, tiny_capacity, patch_capacity;
    bool coarse; /* of a video with fewer frames than planes: what happens from one to the next is not told */
} physad__course;
void physad__course_free(physad__course *course);
physad_status physad__course_push(physad__course *course, physad__mem *mem, const physad__moment *moment,
                                  const float *tiny);

/* What is usual among the normals, so that logarithms of nothing stay near those of little. */
typedef struct physad__scale {
    double frames; /* of a normal take */
    double energy, flow;
} physad__scale;

/* A number of a frame: the k-th of a curve's channels. */
typedef double (*physad__curve_fn)(const physad__moment *m, int k, const physad__scale *s);

/* Views of a course, each a vector of fixed length. */
enum { PHYSAD__VIEW_POINTS = 36, PHYSAD__VIEW_STATES = 24, PHYSAD__VIEW_BINS = 24, PHYSAD__VIEW_SPEEDS = 20 };
enum { PHYSAD__VIEWS = 12, PHYSAD__VIEW_MOST_CHANNELS = 8, PHYSAD__VIEW_MOST = 36 * 8 };
typedef struct physad__view_kind {
    const char *name;
    const char *words; /* what is odd, in a verdict */
    bool fine;         /* hangs on what happens from one frame to the next */
    int64_t dim;
    void (*fill)(const physad__course *c, const physad__scale *s, float *out);
    /* of views that are PHYSAD__VIEW_POINTS samples of curves and hang on the frames near each alone */
    physad__curve_fn curve;
    int channels;
} physad__view_kind;
extern const physad__view_kind physad__view_kinds[PHYSAD__VIEWS];
/* Such a view at one point, of a course that begins at frame `phase` of the action. */
void physad__view_point(const physad__course *c, const physad__scale *s, const physad__view_kind *kind, int64_t point,
                        double phase, float *out);
/* Frames from `first` on tell a point; behind `last` it does not change any more. */
int64_t physad__view_point_last(const physad__scale *s, int64_t point);
int64_t physad__view_point_of(const physad__scale *s, double frame); /* the nearest */

/* --- rules: numbers with names and words (motion_rules.c) --- */

#define PHYSAD__STILL 0.12 /* of the usual energy, up to which a frame rests */

typedef struct physad__rule_kind {
    const char *name, *unit, *low, *high; /* words for a verdict: what it means to lie below or above */
    bool fine; /* as of views */
    bool clip; /* also told of clips of a stream: not how much goes on there, for how many things pass is no rule */
    double least; /* spread that is none yet */
    int cause;    /* below and above: whether that is what happens, and not what comes of it */
} physad__rule_kind;
enum { PHYSAD__RULE_BELOW = 1, PHYSAD__RULE_ABOVE = 2, PHYSAD__RULE_EITHER = 3 };
extern const physad__rule_kind physad__rule_kinds[];
enum { PHYSAD__RULES = 19 };

typedef struct physad__rule {
    double middle, spread; /* of the normals */
    double low, high;      /* the range that is told and may be edited: middle -+ 3 spreads */
    bool used;
} physad__rule;

/* `rate`: planes per second. Values that are not told are NAN. */
void physad__rules_measure(const physad__course *course, int64_t from, int64_t to, const physad__scale *scale,
                           double rate, double *values);
/* values: count x PHYSAD__RULES; instance[i]: the first video of the same thing; those of take `without` (see takes[])
 * stay out. */
void physad__rules_learn(physad__rule *rules, const double *values, int64_t count, const int64_t *instance,
                         const int64_t *takes, int64_t without, bool clips);
/* 3 is the range's border, 0 its middle. */
double physad__rule_deviation(const physad__rule *rule, double value);
double physad__rules_oddness(const physad__rule *rules, const double *values, int64_t *worst); /* NAN: not told */
/* Whether a border of this rule is a number outside of its logarithm as well. */
bool physad__rule_can_be_told(int64_t index, double value);
json_t *physad__rules_to_json(const physad__rule *rules);
physad_status physad__rules_from_json(physad__rule *rules, const json_t *json);
/* The broken rule beside which no other tells anything, as nothing moves; -1: none. */
int64_t physad__rules_all_said(const physad__rule *rules, const double *values);
/* "stalls: 0.61 s without motion; normal: 0 to 0.08 s" */
void physad__rule_say(char *out, size_t size, int64_t index, const physad__rule *rule, double value);

/* --- patches (motion_patch.c) --- */

enum { PHYSAD__PATCH_SIDE = 3, PHYSAD__PATCH_FRAMES = 5, PHYSAD__PATCH_LATENCY = 2 };
enum { PHYSAD__PATCH_DIM = PHYSAD__MOTION_DIRECTIONS + 3 + PHYSAD__MOTION_EDGES + 1, PHYSAD__PATCH_MOTION = 11 };

/* The last frames' cells, of which patches are means. */
typedef struct physad__patches {
    physad__mem *mem;
    int64_t rows, columns;
    physad__cell *ring; /* PHYSAD__PATCH_FRAMES frames of cells */
    float *rows_of;     /* patches of one frame, PHYSAD__PATCH_DIM each */
    int32_t *place;     /* and their places */
    int64_t count;      /* of them */
    int64_t pushed, given;
} physad__patches;
physad_status physad__patches_open(physad__patches *p, physad__mem *mem, int64_t rows, int64_t columns);
void physad__patches_close(physad__patches *p);
/* Takes the cells of the next frame. */
void physad__patches_push(physad__patches *p, const physad__cell *cells);
/* The moving patches of the next frame that is ready into rows_of, place, count; false when none is ready. `end`: no
 * more frames come, so that the last windows are cut off. */
bool physad__patches_next(physad__patches *p, bool end);

/* --- what is usual (motion_run.c) --- */

/* How a quantity lies among the normals': the logarithm's middle and spread. */
typedef struct physad__usual {
    double middle, spread;
} physad__usual;
double physad__usual_z(const physad__usual *usual, double value);
void physad__usual_learn(physad__usual *usual, double *values, int64_t count); /* reorders the values */

enum { PHYSAD__POOL_MAX, PHYSAD__POOL_TOP, PHYSAD__POOL_MEAN, PHYSAD__POOLS };

/* --- takes that show a part of the action (motion_part.c) --- */

enum { PHYSAD__PART_POINTS = 72, PHYSAD__PART_MOST = 2 * 72, PHYSAD__PART_TAKES = 32, PHYSAD__PART_LENGTHS = 6 };
enum { PHYSAD__PART_STATE = PHYSAD__TINY / 16 };
enum { PHYSAD__PART_DIM = 3 + PHYSAD__MOTION_DIRECTIONS + 2 + PHYSAD__PART_STATE };
enum {
    PHYSAD__PART_MEAN,    /* over the pieces of a take, where it fits best */
    PHYSAD__PART_WORST,   /* of them */
    PHYSAD__PART_PATCHES, /* from here on the pools of the patches' scores */
    PHYSAD__PART_ODDS = PHYSAD__PART_PATCHES + PHYSAD__POOLS
};

/* Normal takes, sampled. */
typedef struct physad__parts {
    int64_t takes;
    int64_t *length; /* points of each */
    float *rows;     /* PHYSAD__PART_DIM for each point, multiplied by `inverse` */
    float inverse[PHYSAD__PART_DIM];
    double shortest, longest, begin; /* frames: of a take, and before anything moves */
    physad__usual usual[PHYSAD__PART_LENGTHS][PHYSAD__PART_ODDS];
} physad__parts;

typedef struct physad__part_place {
    int64_t take, shift; /* point i lies beside point i + shift of it */
} physad__part_place;

typedef struct physad__part_finding {
    bool part; /* of the action is all that it shows; a short take may show all of it, hurried */
    physad__part_place place;
    double length, from;             /* of the normal length; frames into the action */
    double speed;                    /* ratio to that of the take beside it, where both move */
    double z[PHYSAD__PART_PATCHES];
} physad__part_finding;

physad_status physad__parts_open(physad__parts *parts, physad__mem *mem, int64_t takes, int64_t points);
void physad__parts_free(physad__parts *parts); /* zeroed is fine */
/* PHYSAD__PART_POINTS for a take of normal length, at most PHYSAD__PART_MOST. */
int64_t physad__part_points(const physad__course *course, const physad__scale *scale);
/* PHYSAD__PART_DIM numbers for each point, not yet multiplied. */
void physad__part_rows(const physad__course *course, const physad__scale *scale, float *rows);
physad_status physad__part_look(const physad__parts *parts, const physad__course *course, const physad__scale *scale,
                                physad__mem *mem, physad__part_finding *finding);
/* z of the patches' pools in a take of that length. */
void physad__part_patches(const physad__parts *parts, double length, const double *pools, double *z);
/* A take that is too long, without the rest before and behind it that is more than usual; frames of up to `still`
 * energy rest. False, and the course as it is, where there is none. It points into that course. */
bool physad__part_trim(const physad__parts *parts, const physad__course *course, const physad__scale *scale,
                       double still, physad__course *out);

/* --- how it looks (motion_look.c) --- */

enum { PHYSAD__LOOK_CELL = 4, PHYSAD__LOOK_KEPT = 48 };

/* A take's frames, small, at equal distances; zeroed before the first. */
typedef struct physad__look {
    int64_t rows, columns, count;
    int64_t seen, step;
    uint8_t *cells; /* count x rows x columns */
} physad__look;

/* The normal takes' frames. */
typedef struct physad__looks {
    int64_t takes, rows, columns, count;
    uint8_t *cells;
    physad__usual usual;
} physad__looks;

physad_status physad__look_push(physad__look *look, physad__mem *mem, const float *plane, int64_t height,
                                int64_t width);
void physad__look_free(physad__look *look);
void physad__looks_free(physad__looks *looks);
double physad__look_z(const physad__looks *looks, const physad__look *look); /* 0: not told */

/* --- the model, and a take that is scored by it (motion_run.c, motion_verdict.c) --- */

typedef struct physad__view_model {
    float *rows;           /* of each normal take */
    float *mean, *inverse; /* of each number: rows are compared as (row - mean) * inverse */
    physad__usual usual;   /* distance to the nearest */
} physad__view_model;

typedef struct physad__motion_model {
    physad_context *ctx;
    int64_t height, width; /* at which frames are looked at */
    int64_t most_rows;     /* what the size came from */
    bool episodes;         /* takes from beginning to end; else clips of a stream */
    bool steady;           /* the camera stood still, but for shaking, which is taken out */
    bool untimed;          /* the training videos did not say their rate: frame follows frame */
    double rate;
    physad__scale scale;
    int64_t count; /* normal takes in the views; 0 for streams */
    physad__view_model view[PHYSAD__VIEWS];
    physad__usual point; /* deviation at a time */
    physad__rule rules[PHYSAD__RULES];
    physad__usual rule;
    physad__usual pool[PHYSAD__POOLS], frame;
    physad__parts parts; /* of episodes */
    physad__looks looks; /* likewise */
    float inverse[PHYSAD__PATCH_DIM]; /* what patches are multiplied by */
    physad_bank *bank;
    physad_tensors *file; /* of a model that was loaded; else NULL */
} physad__motion_model;
enum { PHYSAD__CLIP = 16, PHYSAD__CLIP_STEP = 8, PHYSAD__NEAR_TAKES = 2, PHYSAD__TOP_PATCHES = 9 };

/* The patch of a frame that is least like any normal one. */
typedef struct physad__oddest {
    double distance;       /* 0: nothing moves */
    int64_t sample, frame; /* the nearest normal one's video and frame */
    int32_t place;         /* cell of its upper left corner */
} physad__oddest;

/* Mean distance of the oddest patches. */
physad_status physad__patches_score(const physad__patches *p, const physad_bank *bank, physad__mem *mem,
                                    physad__call *call, double *score, physad__oddest *oddest);

struct physad__motion_run;

/* Called after each plane. */
typedef struct physad__motion_drain {
    physad_status (*taken)(void *user, struct physad__motion_run *run);
    void *user;
} physad__motion_drain;

/* The plane with the highest score. */
typedef struct physad__motion_worst {
    double score;
    int64_t plane, frame; /* -1: none yet */
    physad__oddest oddest;
} physad__motion_worst;

/* How odd a take is at a point of time. */
typedef struct physad__motion_told {
    int64_t point; /* -1: of none yet */
    double z;
} physad__motion_told;

/* A take as it comes. */
typedef struct physad__motion_run {
    const physad__motion_model *model;
    physad__mem *mem;
    const physad__motion_drain *drain; /* NULL: none */
    bool by_time;              /* of streams: frames count at the times that they say */
    physad__motion_pace pace;
    physad__motion_steady steady;
    physad__motion_front front;
    physad__patches patches;
    physad__cell *cells;
    float *tiny;
    physad__course course;
    physad__look look;         /* of episodes */
    int64_t dropped;           /* planes that left the course (streams) */
    int64_t planes;            /* that the frames gave */
    int64_t patched, scored;   /* of them, that have a patch score, and a score */
    double *scores;            /* of planes from `scores_from` on; those before `left` were taken */
    physad__oddest *oddest;
    int64_t left, scores_from;
    int64_t *ends;             /* of frames from `ends_from` on, `taken` of all taken: planes when it had come */
    int64_t taken, ends_from, end_capacity;
    double last_score;         /* of the plane before `left` */
    physad__motion_worst worst, gone; /* of all; of those that were taken */
    physad__motion_told told;  /* of episodes: at the point of the plane that was scored last */
    int64_t score_capacity, oddest_capacity, next_clip;
    bool any_clip;
    double clip_score;         /* the greatest */
    double clip_values[PHYSAD__RULES];
} physad__motion_run;

/* `rate`: frames per second that are said to come; 0: as the model's. */
physad_status physad__motion_run_open(physad__motion_run *run, const physad__motion_model *model, double rate);
void physad__motion_run_close(physad__motion_run *run);
/* The course without its first planes, from which nothing is wanted any more. */
void physad__motion_run_drop(physad__motion_run *run, int64_t planes);
/* A frame, H x W u8 grey with pixels side by side, shown at `seconds` (see physad__motion_pace_push). Without a bank in
 * the model nothing is scored: `patches` wait to be taken by `taken`, where given, after each plane. */
physad_status physad__motion_run_push(physad__motion_run *run, const physad_view *grey, double seconds,
                                      physad__call *call);
/* The frame that plane came with. */
int64_t physad__motion_run_frame(const physad__motion_run *run, int64_t plane);
/* No more frames come. */
physad_status physad__motion_run_end(physad__motion_run *run, physad__call *call);
bool physad__motion_run_take(physad__motion_run *run, int64_t *frame, double *score);
physad_status physad__motion_run_finish(physad__motion_run *run, physad_result *result, physad__call *call);

/* What is odd about a take, its course and patch scores known. */
enum { /* where z of what begins: first one of each view; a part of the action is judged from the pools on */
    PHYSAD__ODDS_RULES = PHYSAD__VIEWS,
    PHYSAD__ODDS_POOLS,
    PHYSAD__ODDS_PARTS = PHYSAD__ODDS_POOLS + PHYSAD__POOLS,
    PHYSAD__ODDS_LOOKS = PHYSAD__ODDS_PARTS + PHYSAD__PART_PATCHES,
    PHYSAD__ODDS
};
typedef struct physad__take_finding {
    double score;
    bool part;                   /* judged as a part of the action */
    double phase;                /* frame of the action at which the take begins; below 0: so many before it */
    double odds[PHYSAD__ODDS];   /* 0: not told */
    double values[PHYSAD__RULES];
    physad__part_finding beside;
} physad__take_finding;
physad_status physad__motion_take_score(const physad__motion_model *m, physad__mem *mem, const physad__course *c,
                                        const physad__look *look, physad__take_finding *finding);
/* A clip of a stream. */
double physad__motion_clip_score(const physad__motion_model *m, const physad__course *c, int64_t from, int64_t to,
                                 double *values);
/* Words for what is odd, "" when nothing is; `finding`: NULL for a stream's clip, whose score then counts. */
void physad__motion_say(const physad__motion_model *m, const double *values, const physad__take_finding *finding,
                        double clip_score, int64_t worst, char *out, size_t size);
double physad__motion_deviation(const physad__motion_model *m, int64_t view, int64_t point, const float *row);
/* `room` for `count` numbers. */
void physad__motion_pools(const double *scores, int64_t count, double *room, double *pools);
double physad__motion_join(const double *z, int64_t count); /* many z to one number */
/* Distance of a view to its nearest normal takes, take `without` left out. */
double physad__view_distance(const physad__motion_model *m, int64_t view, const float *row, int64_t without);

/* --- the method's files --- */

/* All frames of a video into a run; by frames, not by time, where the video or those learned from do not say theirs. */
physad_status physad__motion_feed(physad__motion_run *run, physad_video *video, physad__call *call);
physad_status physad__motion_open(const physad_detector *det, const physad_sample *s, physad_video **out);
double physad__motion_rate(const physad_video *video); /* frames per second; 0: it does not say */
/* Whether a video's frames go by the times that they say, not by their number. */
bool physad__motion_by_time(const physad__motion_model *m, const physad_video *video);
bool physad__motion_is_rate(double rate); /* what a video or a model may claim: a frame in days to 1000 per second */

physad_status physad__motion_new(physad__motion_model **out, const physad_detector *det);
void physad__motion_free(void *model);
physad_status physad__motion_views(physad__motion_model *m, int64_t count); /* room for the views of so many takes */
physad_status physad__motion_score(const physad__motion_model *m, physad_video *v, physad_result *r,
                                   physad__call *call);

physad_status physad__motion_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                                 double *scores, physad__call *call, void **model);
physad_status physad__motion_declare(const physad_detector *det, physad__tensors_writer *w, json_t *config);
physad_status physad__motion_write(const physad_detector *det, physad__tensors_writer *w);
physad_status physad__motion_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model);

#endif
