/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a data set. Within the room only. */
#ifndef PHYSAD__DATA_DATASET_H
#define PHYSAD__DATA_DATASET_H

#include "data/data.h"
#include "io/io.h"

/* Samples and their text, shared by a data set and those made from it; nothing in it moves or goes before the last of
 * them. */
typedef struct physad__store physad__store;

typedef struct physad__record {
    physad_sample sample; /* first: a sample is a record */
    physad_view photo;    /* of a sample in memory; data is NULL for files */
    physad_view mask;     /* data is NULL when there is none */
    int64_t frame;        /* of a video, the one frame that is this photo, from 0; meaningful where `of_video` */
    bool of_video;
    int64_t label_start, label_count; /* in an array of labels for the frames of several videos; count 0: by name */
} physad__record;

struct physad_dataset {
    physad_context *ctx;
    physad__store *store;
    physad__record **records;
    int64_t count, capacity;
    const char **categories;
    int64_t category_count, category_capacity;
    const char *root, *name, *format;
    char *json; /* of physad_dataset_stats() */
};

/* --- data_dataset.c --- */

/* Memory of the store; NULL sets a NOMEM message. Any thread. */
void *physad__store_alloc(physad__store *store, size_t size);
char *physad__store_text(physad__store *store, const char *text);
char *physad__store_format(physad__store *store, const char *format, ...) PHYSAD__PRINTF(2, 3);
/* Text that may hold any bytes to text that is UTF-8: what is not becomes '?'. In place. */
void physad__make_utf8(char *text);

/* Appends a sample; its text must lie in the store. `group` may be NULL until physad__group_samples(). */
physad_status physad__dataset_push(physad_dataset *ds, const physad__record *record);
/* Lists the categories anew after a change of order. */
physad_status physad__dataset_recount(physad_dataset *ds);
bool physad__is_normal_type(const char *type);
bool physad__equal_nocase(const char *a, const char *b);

/* An empty data set of the same store, root and name. */
physad_status physad__dataset_derive(physad_dataset **out, const physad_dataset *from);
/* Appends a record that lies in the store. */
physad_status physad__dataset_share(physad_dataset *ds, physad__record *record);

/* --- data_read.c --- */

/* A sample's photo without a copy of what is in memory: the view lives as long as `*image` (NULL for samples in memory)
 * or the data set; physad_image_free(*image). */
physad_status physad__dataset_photo(const physad_dataset *ds, int64_t index, int32_t jpeg_scale, physad_image **image,
                                    physad_view *view);

/* --- groups (data_groups.c) --- */

/* Gives a group to each sample from `first` on that has none, and a view where the name tells one; they are of one
 * category. */
physad_status physad__group_samples(physad_dataset *ds, int64_t first);
/* Reads physad.json in `folder` if there is one, for the samples from `first` on whose paths begin with `prefix`. */
physad_status physad__read_sidecar(physad_dataset *ds, int64_t first, const char *folder, const char *prefix);

/* marks[i] = 1 for the samples that physad_dataset_split() puts on the second side, else 0. */
physad_status physad__dataset_draw(const physad_dataset *dataset, double fraction, uint64_t seed, int64_t *marks);

/* --- videos (data_video.c) --- */

/* What the texts of a category's folder tell of its samples from `first` on. */
physad_status physad__read_texts(physad_dataset *ds, int64_t first, const char *folder);
/* Folders of masks, one per frame, beside the videos from `first` on: `<video>_gt`. */
physad_status physad__find_frame_masks(physad_dataset *ds, int64_t first);
/* Notes where the labels of the frames of the videos from `first` on lie; none is fine. `part`: the folder of the test
 * videos' own folder, such as "testing". */
physad_status physad__find_frame_labels(physad_dataset *ds, int64_t first, const char *folder, const char *part,
                                        const char *name);

/* --- opening (data_open.c and the layouts) --- */

typedef struct physad__scan {
    physad_dataset *ds;
    const physad_dataset_options *o;
    const char *root; /* as in the data set */
    physad__dir top;  /* what it holds */
    int64_t skipped;  /* categories that the options left out */
    char others[320]; /* their names, each behind ", "; "..." where there is no more room */
} physad__scan;

typedef struct physad__layout {
    const char *name;
    const char *wanted; /* what was looked for, for the message */
    /* Whether the root has this layout; an error when it cannot be told. */
    physad_status (*probe)(physad__scan *scan, bool *found);
    physad_status (*read)(physad__scan *scan);
} physad__layout;

extern const physad__layout physad__layout_visa, physad__layout_realiad, physad__layout_mvtec3d, physad__layout_frames,
    physad__layout_ucsd, physad__layout_mvtec, physad__layout_folder;

/* Whether the options want this category; counts it as skipped otherwise. */
bool physad__scan_wants(physad__scan *scan, const char *category);
/* Category, split, type, path. */
void physad__dataset_sort(physad_dataset *ds, int64_t first);
/* The samples of one finished category: sorted, grouped, sidecar, hold-out. */
physad_status physad__scan_finish(physad__scan *scan, int64_t first, const char *folder, const char *prefix);

/* The samples of one Real-IAD list; `name` is said in messages, `photos` is the folder of photos relative to the root.
 */
physad_status physad__realiad_read(physad_dataset *ds, const char *name, const char *category, const char *photos,
                                   const json_t *json);

/* --- masks (data_masks.c) --- */

/* Files by name, to be found by the stem of a photo. */
typedef struct physad__mask_folder {
    const char *path; /* NULL: there is none */
    physad__dir dir;  /* in the order of bytes */
} physad__mask_folder;

/* Opens `path`, or makes an empty one where `path` is NULL. */
physad_status physad__mask_folder_open(physad__mask_folder *m, physad__mem *mem, const char *path);
void physad__mask_folder_free(physad__mask_folder *m);
/* The masks of a photo: `<stem>_mask*.*`, else `<stem>.*`, else all in the folder `<stem>`. Text in the store; none is
 * fine. With `marked_only` only the first form. */
physad_status physad__mask_find(const physad__mask_folder *m, physad__store *store, physad__mem *mem, const char *photo,
                                bool marked_only, const char *const **files, int64_t *count);

/* --- poses (data_poses.c) --- */

/* The file or folder with the camera poses of the photos of `folder`, kept in the store; NULL: none. `by_name`: it
 * knows the photos' names alone, not their folders. */
physad_status physad__find_poses(physad__store *store, const char *folder, const physad__dir *dir, const char **poses,
                                 bool *by_name);

#endif
