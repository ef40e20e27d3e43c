/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: ranked samples and their sweep, bootstrap over groups, sorted runs of pixels, conformal thresholds.
 * Whatever is summed over samples is summed in integers, so that no order and no split shows in the result. */
#ifndef PHYSAD__METRICS_H
#define PHYSAD__METRICS_H

#include <physad/metrics.h>

#include "core/core.h"
#include "io/io.h"

__extension__ typedef unsigned __int128 physad__u128;

/* --- names and sorting (metrics_names.c, metrics_sort.c) --- */

/* Texts numbered in the order they came. */
typedef struct physad__names {
    physad__mem *mem;
    char **text;
    int32_t *slot; /* open addressing: id + 1, 0 is free; slot_count is a power of two */
    int64_t count, capacity, slot_count;
} physad__names;

void physad__names_free(physad__names *names);
physad_status physad__names_intern(physad__names *names, const char *text, int32_t *id);
/* rank[id] is the place of the name among all, by bytes. */
physad_status physad__names_rank(const physad__names *names, int32_t *rank);

typedef int (*physad__compare_fn)(int32_t a, int32_t b, const void *user);
/* Stable; scratch holds n. */
void physad__sort_ids(int32_t *ids, int32_t *scratch, int64_t n, physad__compare_fn compare, const void *user);
double physad__median(double *values, int64_t n);     /* of n > 0, which it sorts */

/* An unsigned number in the order of the float: -inf lowest, -0 as +0. Not for NaN. */
static inline uint32_t physad__float_key(float value)
{
    uint32_t bits;
    value += 0.0f; /* -0 becomes +0 */
    memcpy(&bits, &value, sizeof(bits));
    return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}
float physad__key_float(uint32_t key);

/* Least significant digit first, 11 bits a pass; the result is in `keys`, scratch holds n as well. */
void physad__radix_sort(uint32_t *keys, uint32_t *scratch, int64_t n);
/* The same by the upper half of each element; stable. */
void physad__radix_sort_pairs(uint64_t *pairs, uint64_t *scratch, int64_t n);

/* A sum of doubles that loses nothing to cancellation (Neumaier 1974). */
typedef struct physad__sum {
    double sum, rest;
} physad__sum;
void physad__sum_add(physad__sum *sum, double x);
double physad__sum_value(const physad__sum *sum);

/* --- what was measured (metrics_result.c) --- */

typedef struct physad__named_metric {
    char name[32];
    physad_metric metric;
} physad__named_metric;

typedef struct physad__type_metric {
    char *name;
    physad_metric vs_good, vs_rest;
} physad__type_metric;

struct physad_metrics {
    physad_context *ctx;
    physad__named_metric *metric;
    int64_t count, capacity;
    physad__type_metric *type;
    int64_t type_count;
    double *curve; /* rows of PHYSAD_CURVE_COLUMNS */
    int64_t rows, row_capacity;
    int64_t positives, negatives, groups, regions;
};

physad_status physad__metrics_new(physad_metrics **out, physad_context *ctx);
/* NaN everywhere, without reasons. */
physad_metric physad__metric_none(const char *reason);
physad_status physad__metrics_put(physad_metrics *m, const char *name, const physad_metric *metric);
physad_status physad__metrics_row(physad_metrics *m, double threshold, double fpr, double tpr, double precision,
                                  double pro);
/* Copies into a caller's structure of any version. */
physad_status physad__metric_write(physad_metric *out, const physad_metric *metric, const char *what);
/* Reads and checks options, and fills in the defaults; limits end at the first 0. */
physad_status physad__measure_options(physad_measure_options *out, const physad_measure_options *in);

/* --- ranked samples (metrics_rank.c) --- */

/* Samples by ascending score, equal scores together. */
typedef struct physad__ranked {
    int64_t count, ties, groups;
    int64_t positives, negatives;
    int32_t *group; /* of each sample */
    uint8_t *label; /* of each sample */
    int64_t *start; /* ties + 1: first sample of each tie */
    double *value;  /* of each tie */
} physad__ranked;

typedef struct physad__sweep {
    double auroc, ap, f1_max, accuracy; /* NaN where undefined */
    int64_t f1_tie;                     /* lowest tie called anomalous at F1-max */
} physad__sweep;

physad_status physad__ranked_new(physad__ranked *out, physad__mem *mem, int64_t n, const double *score,
                                 const uint8_t *label, const int32_t *group, int64_t groups);
void physad__ranked_free(physad__ranked *ranked);
/* Each sample counts weight[its group] times, once for NULL. Accuracy calls ties from `cut` on anomalous. */
void physad__ranked_sweep(const physad__ranked *ranked, const uint32_t *weight, int64_t cut, physad__sweep *out);
double physad__ranked_auroc(const physad__ranked *ranked, const uint32_t *weight);
/* Why a metric that needs both classes is undefined; NULL when it is not. */
const char *physad__missing_class(int64_t positives, int64_t negatives);

/* --- bootstrap (metrics_bootstrap.c) --- */

/* Groups by what they hold: only normal, only anomalous, both. */
typedef struct physad__strata {
    int64_t count[3];
    int32_t *member; /* count[0] + count[1] + count[2] groups */
    bool enough;     /* each class lies in two groups at least */
} physad__strata;

physad_status physad__strata_new(physad__strata *out, physad__mem *mem, const int64_t *positives,
                                 const int64_t *negatives, int64_t groups);
void physad__strata_free(physad__strata *strata);
/* Replicate `index` of `seed`: how often each group is drawn. */
void physad__strata_draw(const physad__strata *strata, uint64_t seed, int64_t index, uint32_t *weight, int64_t groups);
/* The reason that there is no interval, or NULL. */
const char *physad__no_interval(const physad__strata *strata, const physad_measure_options *options);
/* Sorts `values` and sets the percentile interval of metric. */
void physad__interval(physad_metric *metric, double *values, int64_t n, double level);

/* Work on one replicate with its weights; writes its results by the index. Any thread. */
typedef void (*physad__replicate_fn)(void *user, int64_t index, const uint32_t *weight);
/* `cost` is about the number of steps of one replicate: little work is not worth waking threads. */
physad_status physad__bootstrap(physad__call *call, const physad__strata *strata, int64_t groups, int64_t cost,
                                const physad_measure_options *options, physad__replicate_fn work, void *user);

/* --- scores (metrics_scores.c, metrics_scores_measure.c) --- */

typedef struct physad__score_item {
    double score;
    int64_t typed_first; /* in typed_name, typed_score */
    int32_t typed_count;
    int32_t type;  /* -1: normal */
    int32_t group; /* -1: a group of its own */
    int32_t label;
} physad__score_item;

struct physad_scores {
    physad_context *ctx;
    physad__score_item *item;
    int64_t count, capacity;
    int32_t *typed_name; /* numbers of `types` */
    double *typed_score;
    int64_t typed_count, typed_name_capacity, typed_score_capacity;
    physad__names types, groups;
};

/* --- pixels (metrics_regions.c, metrics_pixels*.c) --- */

/* 8-connected regions of an H x W mask of 0 and not 0: region[i] is 0 outside, else its number from 1 in raster order.
 */
physad_status physad__regions(physad__mem *mem, const uint8_t *mask, int64_t height, int64_t width, int32_t *region,
                              int32_t *count);

#define PHYSAD__SATURATED 0x80000000u /* in the lower half of an anomalous pixel: beyond its region's saturation */

/* One photo: its keys sorted, in memory or in the file. */
typedef struct physad__run {
    int64_t negatives, positives;
    int64_t region_first; /* of the accumulator's */
    int64_t region_count;
    uint64_t content; /* of a photo without a group: orders it among others of its kind */
    int64_t offset;   /* of the block in the file, where block is NULL */
    void *block;      /* uint64_t anomalous[positives]: key << 32 | region; uint32_t normal[negatives] */
    int32_t group;    /* -1: of its own */
    int32_t reserved;
} physad__run;

typedef struct physad__region {
    int64_t area;       /* pixels that count, at least 1 */
    int64_t saturation; /* 1 .. area */
} physad__region;

struct physad_pixels {
    physad_context *ctx;
    physad__run *run;
    int64_t count, capacity;
    physad__region *region;
    int64_t regions, region_capacity;
    int64_t positives, negatives;
    int64_t held; /* bytes of blocks in memory */
    bool saturated;
    physad__names groups;
    physad__spill_file spill;
};

/* Walks a run's normal keys upwards; those of a file come by the piece. */
typedef struct physad__cursor {
    const physad__spill_file *spill; /* NULL: all is in `keys` */
    const uint32_t *keys;
    int64_t first, count; /* what `keys` holds of the run */
    int64_t total, offset;
    uint32_t *buffer;
    physad_status status;
} physad__cursor;
enum { PHYSAD__CURSOR_KEYS = 2048 };
void physad__cursor_open(physad__cursor *c, const physad_pixels *pixels, const physad__run *run, uint32_t *buffer);
/* The number of keys below `key`, not less than `from`, which must be a number it gave before (or 0). */
int64_t physad__cursor_below(physad__cursor *c, uint32_t key, int64_t from);
/* The anomalous pixels of a run from `first` on, `count` of them, into out. */
physad_status physad__run_positives(const physad_pixels *pixels, const physad__run *run, int64_t first, int64_t count,
                                    uint64_t *out);

/* Anomalous pixels with keys in one range, sorted, and how many normal ones lie below and at each score. */
typedef struct physad__range {
    int64_t positives, ties;
    uint64_t *pixel; /* positives: key << 32 | region of the accumulator, maybe with PHYSAD__SATURATED */
    uint32_t *key;   /* of each tie */
    int64_t *start;  /* ties + 1 */
    int64_t *below;  /* per tie: normal pixels below it */
    int64_t *equal;  /* per tie: normal pixels equal to it */
} physad__range;
/* The keys low <= key < high. */
physad_status physad__range_new(physad__range *out, const physad_pixels *pixels, uint64_t low, uint64_t high);
void physad__range_free(physad__range *range);
/* Splits the keys into `ranges` ranges [bounds[i], bounds[i + 1]) of about `most_pixels` anomalous pixels. Freed by the
 * caller. */
physad_status physad__range_bounds(const physad_pixels *pixels, int64_t most_pixels, uint64_t **bounds,
                                   int64_t *ranges);

/* For the bootstrap of the pixels' AUROC: twice the number of pairs won (equal: once), by group and group. The scores
 * of anomalous pixels are cut into PHYSAD__PAIR_BINS bins of as many pixels each (equal scores stay together), and a
 * normal pixel within a bin counts as equal: so the work grows with the photos and the bins, not with the anomalous
 * pixels. A replicate's AUROC is wrong by less than half a bin's share; with fewer anomalous pixels than bins it is
 * exact. */
enum { PHYSAD__PAIR_BINS = 1024 };
typedef struct physad__pair_counts {
    int64_t groups, used;           /* numbers given; groups that hold pixels */
    int64_t owners;                 /* groups that hold anomalous pixels */
    int32_t *run_group;             /* of each run */
    int32_t *group_owner;           /* of each group, -1: none */
    int32_t *owner_group;           /* of each owner */
    int32_t *region_owner;          /* of each region */
    int64_t *positives, *negatives; /* of each group */
    int64_t *won;                   /* [group of the normal pixel][owner of the anomalous one] */
    int64_t *bin;                   /* anomalous pixels of the present bin, by owner */
    int64_t bin_count, bin_size;    /* in the present bin; that end one */
    int64_t seen;                   /* anomalous pixels in all bins so far */
    uint32_t bin_high;              /* greatest key of the present bin */
    physad__strata strata;
    const char *reason; /* why there is no interval, else NULL */
} physad__pair_counts;
enum { PHYSAD__MOST_PAIRED_GROUPS = 4096 };
physad_status physad__pair_counts_new(physad__pair_counts *out, const physad_pixels *pixels,
                                      const physad_measure_options *options);
void physad__pair_counts_free(physad__pair_counts *p);
/* Ranges come from the highest scores down. */
physad_status physad__pair_counts_add(physad__pair_counts *p, const physad_pixels *pixels, const physad__range *range);
physad_status physad__pair_counts_interval(const physad__pair_counts *p, physad__call *call,
                                           const physad_measure_options *options, physad_metric *metric);

/* Of a photo's block (metrics_pixels.c): its size, and the number that orders it among photos without a group. */
int64_t physad__run_size(const physad__run *run);
void physad__run_identify(physad__run *run);
/* Room for more photos and regions. */
physad_status physad__pixels_reserve(physad_pixels *pixels, int64_t runs, int64_t regions);
/* Takes over run and its block, which goes to the file when memory holds its share; its regions stand behind
 * pixels->regions. */
physad_status physad__pixels_append(physad_pixels *pixels, physad__run *run);
/* Room for more samples (metrics_scores.c). */
physad_status physad__scores_reserve(physad_scores *scores, int64_t items, int64_t typed);

/* --- conformal (metrics_beta.c, metrics_conformal.c) --- */

/* The regularised incomplete beta function I_x(a, b) and its inverse in x; a, b > 0, 0 <= x, p <= 1. */
double physad__beta_cdf(double x, double a, double b);
double physad__beta_quantile(double p, double a, double b);

#endif
