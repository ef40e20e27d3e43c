/* SPDX-License-Identifier: Apache-2.0 */
/* physad predict: what scoring photos and scoring videos share. */
#ifndef PHYSAD__PREDICT_H
#define PHYSAD__PREDICT_H

#include "tool_model.h"

#define MOST_AT_ONCE 256

/* A photo or a video to be scored. */
typedef struct predict_input {
    char *path;
    char *group;  /* of photos of one thing; photos alone */
    int32_t kind; /* PHYSAD_KIND_* */
} predict_input;

typedef struct predict_groups predict_groups;

typedef struct predict {
    tool *t;
    physad_detector *detector;
    bool wants_videos; /* the method is one for videos */
    bool in_space;     /* the method is one for photos with poses */
    bool skip, lines;
    bool undecided; /* a line said "unknown" */
    bool shorten; /* damaged videos end before the damage */
    double fps;   /* of folders of frames; 0: not told */
    int64_t max_frames; /* longer videos are endless; 0: the library's */
    int pool;
    int64_t batch;
    const char *maps; /* folder or NULL */
    char **map_names; /* taken in it */
    int64_t map_count, map_room;
    json_t *samples, *skipped;
    physad_types *types; /* NULL: they are not asked for */
    predict_input *inputs;
    int64_t input_count, input_room;
    int group;              /* how photos belong together, see predict_groups_how() */
    predict_groups *groups; /* NULL: each is for itself */
    char *paths[MOST_AT_ONCE];
    int64_t waiting_input[MOST_AT_ONCE];
    physad_image *images[MOST_AT_ONCE];
    int64_t waiting;
} predict;

/* All of these: TOOL_DONE or an exit status, told. */

/* Scores the photos that wait, so that results come in the order of the inputs (cmd_predict.c). */
int predict_waiting(predict *p);
/* The line and the JSON of what was scored; `map` is its file or NULL; `regions` are those of a photo with defects or
 * NULL; `video` is given away, NULL for photos. */
int predict_report(predict *p, const char *path, const physad_result *result, const char *map,
                   const physad_regions *regions, json_t *video);
/* What could not be scored, for `reason`, is left out where that was asked for, else it is the end. */
int predict_skip(predict *p, const char *path, physad_status status, const char *reason);
/* STEM.tiff with the scores as f32 and STEM.png to look at, `photo` of the map's size; *name is the former's, to be
 * freed. */
int predict_write_map(predict *p, const physad_view *map, const physad_view *photo, const char *path, char **name);

/* Where and what (predict_types.c). Begins where types are asked for; regions are NULL where they are not, or nothing
 * is odd. */
int predict_types_begin(predict *p);
int predict_regions(predict *p, const physad_result *result, const physad_view *photo, physad_regions **out);
void predict_put_type(const predict *p, const physad_regions *regions); /* behind a line */
int predict_add_types(const predict *p, json_t *sample, const physad_regions *regions);

/* A video file, or a folder of frames (predict_video.c). */
int predict_video(predict *p, const char *path);

/* --- photos of one thing (predict_group.c) --- */

/* The option --group; false with a message. */
bool predict_groups_how(const tool *t, int *how);
/* The group of a photo, to be freed; NULL: no memory. */
char *predict_group_name(const predict *p, const char *path, const physad_sample *sample);
/* Once all inputs are known. */
int predict_groups_new(predict *p);
/* Takes the result; tells of the group with its last photo. */
int predict_groups_add(predict *p, int64_t input, physad_result *result);
/* Tells of the rest; *told is borrowed, NULL where there is no JSON. */
int predict_groups_end(predict *p, json_t **told);
void predict_groups_free(predict_groups *groups); /* NULL is fine */

/* --- reading ahead (predict_read.c) --- */

typedef struct predict_reader predict_reader;
/* Begins to read the photos among the inputs, which must stay, in their order; at most `ahead` wait to be taken. NULL:
 * no memory. */
predict_reader *predict_reader_new(physad_context *ctx, const physad_image_options *options,
                                   const predict_input *inputs, int64_t count, int64_t ahead);
/* The next photo, which is the caller's, or why it could not be read. One call for each. */
physad_status predict_reader_take(predict_reader *reader, physad_image **image, char reason[1024]);
void predict_reader_free(predict_reader *reader);

#endif
