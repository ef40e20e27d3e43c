/* SPDX-License-Identifier: Apache-2.0 */
/* The clip family: methods on videos that train a network to predict or rebuild frames, and score by what it gets
 * wrong. A member says what its network is (physad__clip_method); reading, training, scoring and saving are done here.
 * Within lib/detect only.
 *
 * A clip is `length` neighbouring frames; its score is that of frame `scored` of it. Frames that are in no clip's place
 * take the score of the nearest that is. No score is normalised within its own video: after that every video spans
 * 0..1. */
#ifndef PHYSAD__DETECT_CLIP_H
#define PHYSAD__DETECT_CLIP_H

#include "detect/detect.h"
#include "nn/nn.h"
#include "train/train.h"

#include <pthread.h>

/* --- frames (detect_clip_frames.c): bytes of many videos at the model's size --- */

typedef struct physad__clip_frames {
    physad__mem *mem;
    int64_t height, width, channels, length;
    int64_t most_held;        /* bytes; frames beyond go to `rest`. No limit by default */
    uint8_t **blocks;         /* the first `held` frames */
    int64_t block_count, block_capacity, held;
    physad__spill_file rest;
    int64_t *first; /* of each video, in frames; first[videos] is the number of all */
    int64_t videos, video_capacity;
} physad__clip_frames;

/* Where a clip lies: its first frame, and of its frames a square piece; side 0: all of them. */
typedef struct physad__clip_place {
    int64_t video, from, top, left, side;
} physad__clip_place;

void physad__clip_frames_init(physad__clip_frames *f, physad__mem *mem, int64_t size, int64_t channels, int64_t length);
/* As the detector's options say. */
void physad__clip_frames_for(physad__clip_frames *f, const physad_detector *det);
void physad__clip_frames_clear(physad__clip_frames *f);
/* What video `v` reads, opened anew at the model's size. */
physad_status physad__clip_frames_add(physad__clip_frames *f, physad_video *v);
int64_t physad__clip_frames_of(const physad__clip_frames *f, int64_t video);
/* Clips of a video: at least one, a short video's last frame stands in for those that are missing. */
int64_t physad__clip_count(const physad__clip_frames *f, int64_t video);
/* Frame `k` of a video, or its last: where it lies in memory, or read into `room`, a frame's bytes. */
physad_status physad__clip_frame(const physad__clip_frames *f, int64_t video, int64_t k, uint8_t *room,
                                 const uint8_t **out);
/* `count` frames behind the first `skip` of a clip as numbers in -1..1: side by side in the channels, or (`apart`) one
 * after the other. Any thread, several at once. */
physad_status physad__clip_take(const physad__clip_frames *f, const physad__clip_place *place, int64_t skip,
                                int64_t count, bool apart, float *out);

/* --- members --- */

/* A network on a tape. `kept[0]` is the frame or clip that it makes, like the target; the others are the member's own.
 */
typedef struct physad__clip_net {
    physad__tape *t;
    int64_t batch, side;
    int32_t input, target; /* the same value where a clip is its own target */
    int32_t loss;
    int32_t kept[6];
    int64_t kept_count;
    /* its own numbers, which change while it scores (option "update"); NULL: the model's, which do not */
    physad__params *learns;
    struct physad__clip_net *next;
} physad__clip_net;

typedef struct physad__clip_model physad__clip_model;

typedef struct physad__clip_method {
    int64_t length, channels; /* frames of a clip, channels of a frame */
    int64_t inputs;           /* leading frames that the network sees; `length` where the clip is its own target */
    int64_t scored;           /* frame of the clip that the score is of */
    bool apart;               /* clips are N D H W C, else frames lie side by side in the channels */
    /* parts of a score, 1 or 2: each standardised by the normals, mixed by option "mix" (of the first) */
    int64_t terms;
    /* Adds network and loss to net->t, whose `input` and `target` are there; fills loss and kept. */
    physad_status (*build)(const physad_detector *det, physad__params *params, physad__clip_net *net);
    /* After each training run of the tape; may be NULL. */
    physad_status (*seen)(const physad_detector *det, physad__params *params, physad__clip_net *net);
    /* How new the last clip is to a network of batch 1: `seen` is called while scoring where it is less than option
     * "update"; NULL: the member has no such option. */
    double (*novelty)(const physad_detector *det, const physad__clip_net *net);
    /* The parts of clip `i`'s score, greater is odder, and its map (size x size). `motion`: by how much each pixel of
     * the scored frame differs from the frame before, 0..1, less where the contrast is high, to weigh errors by; NULL:
     * they are not weighed. */
    void (*judge)(const physad_detector *det, const physad__clip_net *net, int64_t i, const float *motion,
                  double *terms, float *map);
    /* Which clips make a batch: `video` and `from` of each; NULL: all clips shuffled. */
    void (*draw)(const physad_detector *det, const physad__clip_frames *frames, int64_t epoch, int64_t batch,
                 int64_t count, physad__clip_place *places);
    int64_t (*batches)(const physad__clip_frames *frames); /* of an epoch, with `draw` */
    physad__schedule_kind schedule;
    /* After training: a further phase; may be NULL. */
    physad_status (*further)(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *frames,
                             physad__call *call);
} physad__clip_method;

struct physad__clip_model {
    const physad__clip_method *method;
    physad__params params;
    double middle[2], spread[2]; /* of each part over the normals it was fitted on */
    double first_loss, last_loss;
    pthread_mutex_t lock;
    physad__clip_net *idle; /* compiled for scoring; under the lock */
    bool ready;             /* the lock is made */
};

/* The member of a detector's method. */
const physad__clip_method *physad__clip_method_of(const physad_detector *det);
/* A clip's numbers into row `i` of a batch's arrays. */
physad_status physad__clip_fill(const physad__clip_method *m, const physad__clip_frames *f,
                                const physad__clip_place *place, int64_t i, float *input, float *target);
/* A tape with its inputs, pieces of `side` x `side` pixels, `build` called. Not compiled. */
physad_status physad__clip_net_new(physad__clip_net **out, const physad_detector *det, physad__params *params,
                                   int64_t batch, int64_t side, bool train);
void physad__clip_net_free(physad__clip_net *net);
physad_status physad__clip_net_compile(physad__clip_net *net, bool train);

/* --- scoring (detect_clip.c) --- */

/* Clips of one video and what is made of them. */
typedef struct physad__clip_verdicts {
    int64_t count;
    double (*terms)[2];
    float *maps; /* one per clip, or NULL */
} physad__clip_verdicts;
void physad__clip_verdicts_clear(physad__clip_verdicts *v);
enum { PHYSAD__CLIP_SCORE_BATCH = 4 };

/* A compiled network of the model, for one thread; given back for the next. */
physad_status physad__clip_net_take(const physad_detector *det, physad__clip_model *m, physad__clip_net **out);
void physad__clip_net_give(physad__clip_model *m, physad__clip_net *net);
/* Every `stride`-th clip of a video, in batches whose rest repeats the last clip. */
physad_status physad__clip_judge(const physad_detector *det, physad__clip_net *net, const physad__clip_frames *f,
                                 int64_t video, int64_t stride, bool maps, physad__clip_verdicts *v);
physad_status physad__clip_score_frames(const physad_detector *det, physad__clip_model *m, const physad__clip_frames *f,
                                        int64_t video, bool maps, physad_result *r);
physad_video_options physad__clip_video_options(const physad_detector *det);
physad_status physad__clip_model_new(physad__clip_model **out, const physad_detector *det);

/* Options of all members, to stand in their tables. `size`, `epochs`, ... are the CPU preset's. */
#define PHYSAD__CLIP_ROWS(size, piece, width, width_help, epochs, epoch_clips, batch, rate, weight, smooth)            \
    { "preset",                                                                                                        \
      PHYSAD_OPTION_CHOICE,                                                                                            \
      "cpu",                                                                                                           \
      0,                                                                                                               \
      0,                                                                                                               \
      "cpu|paper",                                                                                                     \
      "cpu: a smaller network on smaller frames, trained in minutes; paper: the published one",                        \
      NULL },                                                                                                          \
        { "size",                                                                                                      \
          PHYSAD_OPTION_INT,                                                                                           \
          size,                                                                                                        \
          32,                                                                                                          \
          1024,                                                                                                        \
          NULL,                                                                                                        \
          "rows and columns that frames are brought to, a multiple of 16",                                             \
          NULL },                                                                                                      \
        { "piece",                                                                                                     \
          PHYSAD_OPTION_INT,                                                                                           \
          piece,                                                                                                       \
          0,                                                                                                           \
          1024,                                                                                                        \
          NULL,                                                                                                        \
          "rows and columns of the pieces of frames that training sees, most where something moves; 0: whole frames",  \
          NULL },                                                                                                      \
        { "width", PHYSAD_OPTION_INT, width, 4, 512, NULL, width_help, NULL },                                         \
        { "epochs", PHYSAD_OPTION_INT, epochs, 1, 100000, NULL, "epochs of training", NULL },                          \
        { "epoch_clips",                                                                                               \
          PHYSAD_OPTION_INT,                                                                                           \
          epoch_clips,                                                                                                 \
          0,                                                                                                           \
          1e9,                                                                                                         \
          NULL,                                                                                                        \
          "clips of an epoch, drawn anew for each; 0: all there are",                                                  \
          NULL },                                                                                                      \
        { "batch", PHYSAD_OPTION_INT, batch, 1, 256, NULL, "clips of a training step", NULL },                         \
        { "rate", PHYSAD_OPTION_REAL, rate, 1e-8, 1, NULL, "Adam's learning rate", NULL },                             \
        { "precision",                                                                                                 \
          PHYSAD_OPTION_CHOICE,                                                                                        \
          "f32",                                                                                                       \
          0,                                                                                                           \
          0,                                                                                                           \
          "f32|bf16",                                                                                                  \
          "arithmetic of the network, in training and in scoring; bf16: of its convolutions (mixed precision)",        \
          NULL },                                                                                                      \
        { "memory",                                                                                                    \
          PHYSAD_OPTION_INT,                                                                                           \
          "1024",                                                                                                      \
          1,                                                                                                           \
          1e9,                                                                                                         \
          NULL,                                                                                                        \
          "MiB of decoded frames held in memory (at most a quarter of the context's limit); more go to a temporary "   \
          "file in TMPDIR",                                                                                            \
          NULL },                                                                                                      \
        { "patience",                                                                                                  \
          PHYSAD_OPTION_INT,                                                                                           \
          "0",                                                                                                         \
          0,                                                                                                           \
          100000,                                                                                                      \
          NULL,                                                                                                        \
          "epochs without a smaller loss after which training ends; 0: never",                                         \
          NULL },                                                                                                      \
        { "checkpoint",                                                                                                \
          PHYSAD_OPTION_TEXT,                                                                                          \
          "",                                                                                                          \
          0,                                                                                                           \
          0,                                                                                                           \
          NULL,                                                                                                        \
          "file that training writes after each epoch and goes on from; empty: none",                                  \
          NULL },                                                                                                      \
        { "window",                                                                                                    \
          PHYSAD_OPTION_REAL,                                                                                          \
          "0.1",                                                                                                       \
          0.01,                                                                                                        \
          1,                                                                                                           \
          NULL,                                                                                                        \
          "share of a frame's sides: errors are averaged over the worst window of that size; 1: over the frame, as "   \
          "published",                                                                                                 \
          NULL },                                                                                                      \
        { "weight",                                                                                                    \
          PHYSAD_OPTION_CHOICE,                                                                                        \
          weight,                                                                                                      \
          0,                                                                                                           \
          0,                                                                                                           \
          "none|motion",                                                                                               \
          "none: errors count alike, as published; motion: times the scored frame's difference from the one before, "  \
          "over the contrast around",                                                                                  \
          NULL },                                                                                                      \
        { "stride", PHYSAD_OPTION_INT, "1", 1, 1024, NULL, "frames from one scored clip to the next", NULL },          \
        { "pool",                                                                                                      \
          PHYSAD_OPTION_CHOICE,                                                                                        \
          "top",                                                                                                       \
          0,                                                                                                           \
          0,                                                                                                           \
          "top|max|mean",                                                                                              \
          "a video's score from its frames': the mean of the greatest sixteenth, the greatest, or the mean of all",    \
          NULL },                                                                                                      \
        { "smooth",                                                                                                    \
          PHYSAD_OPTION_REAL,                                                                                          \
          smooth,                                                                                                      \
          0,                                                                                                           \
          100,                                                                                                         \
          NULL,                                                                                                        \
          "deviation in frames of the Gaussian that smooths frames' scores over time; 0: none",                        \
          NULL },                                                                                                      \
    {                                                                                                                  \
        "maps", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "keep a map of each frame of a scored video", NULL             \
    }

/* The rest of a member's row in the table of methods. */
#define PHYSAD__CLIP_FAMILY                                                                                            \
    .input = PHYSAD_INPUT_VIDEO, .supervision = PHYSAD_UNSUPERVISED, .fit = physad__clip_fit,                          \
    .score_video = physad__clip_score, .declare = physad__clip_declare, .write = physad__clip_write,                   \
    .read = physad__clip_read, .free = physad__clip_free

physad_status physad__clip_fit(physad_detector *det, const physad_dataset *normals, const uint8_t *aside,
                               double *scores, physad__call *call, void **model);
physad_status physad__clip_score(const physad_detector *det, const physad_video *video, physad_result *result,
                                 physad__call *call);
physad_status physad__clip_declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config);
physad_status physad__clip_write(const physad_detector *det, physad__tensors_writer *writer);
physad_status physad__clip_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model);
void physad__clip_free(void *model);

/* --- what members share (detect_clip_terms.c) --- */

/* The greatest mean of a map over windows of `share` of its sides; `columns`: room for `width` numbers. */
double physad__clip_worst(const float *map, int64_t height, int64_t width, double share, double *columns);
/* Scales a map of a frame (numbers in -1..1) by 1 / (1 + v / 0.0025): v is the variance, in 0..1, of the channels' mean
 * in the window of `share` of the sides around the pixel. */
physad_status physad__clip_contrast(physad__mem *mem, const float *frame, int64_t height, int64_t width,
                                    int64_t channels, double share, float *map);
/* Mean squared error of numbers in 0..1 over the worst window of a frame (option "window") as -10 log10(1 / error), and
 * a map of the channels' mean squared error; where there is `motion`, of the error times the motion. */
double physad__clip_psnr_term(const physad_detector *det, const float *made, const float *want, int64_t channels,
                              const float *motion, float *map);
/* Mean squared difference of rows of features, `side` x `side` of them, over the worst window; times the motion in the
 * row's cell, as 10 log10, where there is `motion`. */
double physad__clip_feature_term(const physad_detector *det, const float *a, const float *b, int64_t side,
                                 int64_t channels, const float *motion);
/* 3 x 3 convolution <prefix>.<name>, batch norm <prefix>.<name>.norm (or none), ReLU; two of them; a transposed one
 * that doubles the size; and MNAD's and MPN's encoder: three such pairs, each then halved, and a fourth that ends in a
 * bare convolution. */
int32_t physad__clip_conv(physad__tape *t, int32_t x, const char *prefix, const char *name, int64_t channels,
                          bool norm);
int32_t physad__clip_block(physad__tape *t, int32_t x, const char *prefix, int64_t channels, bool norm);
int32_t physad__clip_up(physad__tape *t, int32_t x, const char *prefix, int64_t channels, bool norm);
int32_t physad__clip_encode(physad__tape *t, int32_t x, int64_t width, bool norm, int32_t skips[3]);

/* MPN's second-order gradient of one task (mpn.c): features (4 size size 2 width) and target (4 size size 3) of its two
 * halves; theta in `params`, to which the step sizes "step.<name>" are added, all `step`. */
physad_status physad__mpn_task_gradient(const physad_detector *det, physad__params *params, const float *features,
                                        const float *target, double step, double *loss);

#endif
