/* SPDX-License-Identifier: Apache-2.0 */
/* splat-bank, ours: a photo is compared with what normal photos say it should look like from its own place. Training
 * photos next to it are brought there by the scene's depth (real pixels, no trace of rendering), moved to where the
 * photo shows them, and compared in small windows at the photo's own size; a network's features can be compared as
 * well. How far is far, training photos tell that explain each other: the distances usual at a place and from a side
 * turn each distance into a surprise. Beside it stands a plain bank of patches, which needs no pose: how much it counts
 * a trial decides, and where no pose fits it is all there is. */
#include "detect/splat_bank.h"

#include <math.h>

#define FINE_CELL 4 /* pixels of a fine cell, each way */
#define LEAST_SURPRISE (-2.0f)
#define PLAIN_BLUR 0.0125 /* of the longer side: half of one of the network's usual cells */

static const physad__option rows[] = {
    { "neighbours", PHYSAD_OPTION_INT, "6", 1, 64, NULL, "training photos that explain a photo, at most", NULL },
    { "warp", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL,
      "compare features with those of neighbouring training photos brought to the photo's place", NULL },
    { "ray", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL,
      "compare features with those of neighbours where the photo's rays meet the scene", NULL },
    { "render", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL, "compare features with those of the scene's picture",
      "RAD, eq. 2" },
    { "tint", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL,
      "compare small windows of neighbours' pixels: the mean of what differs", NULL },
    { "texture", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "the same: the spread of what differs", NULL },
    { "detail", PHYSAD_OPTION_INT, "960", 0, 4096, NULL,
      "pixels are compared at this longer side of the photos; 0: not at all", NULL },
    { "align", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL,
      "move neighbours' pixels to where the photo shows them before they are compared", NULL },
    { "plain", PHYSAD_OPTION_CHOICE, "weighed", 0, 0, "weighed|fallback|always|never",
      "compare with every patch of every training photo: as much as it tells painted photos from clean ones that a "
      "trial fit never saw, where no pose fits, always by half, or never",
      "PatchCore, whole bank" },
    { "paintings", PHYSAD_OPTION_INT, "8", 1, 100, NULL,
      "of each photo that `plain=weighed` keeps from its trial fit, which takes `fold_steps` as well", NULL },
    { "folds", PHYSAD_OPTION_INT, "0", 0, 20, NULL,
      "scenes fitted without a share of the photos, to learn what `render` usually misses by; 0: by the scene that saw "
      "them",
      NULL },
    { "fold_steps", PHYSAD_OPTION_REAL, "0.5", 0.01, 1, NULL, "steps of each of these, as a share of `steps`", NULL },
    { "whiten", PHYSAD_OPTION_CHOICE, "full", 0, 0, "full|diagonal|none",
      "features by the covariance of training photos' differences from their neighbours, its diagonal, or their own "
      "spread",
      NULL },
    { "calibrate", PHYSAD_OPTION_CHOICE, "place", 0, 0, "place|whole",
      "usual distances: at each place from each side, or of all photos", NULL },
    { "hypotheses", PHYSAD_OPTION_INT, "2", 1, 3, NULL,
      "poses that may each explain a place, less likely ones at a cost", NULL },
    { "least_fit", PHYSAD_OPTION_REAL, "0.35", 0, 1, NULL,
      "of a pose; photos that fit worse are compared by `plain` alone", NULL },
    { "top_share", PHYSAD_OPTION_REAL, "0.001", 1e-6, 1, NULL,
      "a photo's score: the mean of this share of its map, the greatest", NULL },
    { "own", PHYSAD_OPTION_REAL, "1", 0, 2, NULL,
      "this share of what the photo's whole map rises to (95 of 100) is taken off its score", NULL },
    { "weigh_cover", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "places that few training photos see count less", NULL },
    { "blur", PHYSAD_OPTION_REAL, "2", 0, 100, NULL, "standard deviation of the map's Gaussian blur in pixels", NULL },
};

void physad__splat_bank_free(void *state)
{
    physad__splat_bank *b = state;
    for (int64_t i = 0; b->depths != NULL && i < b->model->views.count; i++)
        physad__free(b->depths[i]);
    for (int64_t i = 0; b->fine_depths != NULL && i < b->model->fine.count; i++)
        physad__free(b->fine_depths[i]);
    physad__free(b->depths);
    physad__free(b->fine_depths);
    physad__free(b->whiten);
    physad__free(b->bank);
    physad__free(b->plain_bank);
    physad__free(b->plain_maps);
    physad__free(b->maps);
    physad__free(b->fine_maps);
    physad__free(b);
}

static const physad__splat_part usual_parts[PHYSAD__PARTS] = { { 1, 0, 1 }, { 0, 0, 1 } };

physad_status physad__splat_bank_new(physad__splat_bank **out, const physad_detector *det, const physad__posed_model *m)
{
    static const char *const names[PHYSAD__WAYS] = { "warp", "ray", "render", "tint", "texture", NULL };
    physad__splat_bank *b = physad__alloc_zero(&det->ctx->mem, sizeof(*b), "splat-bank");
    int64_t shape[3];
    *out = b;
    if (b == NULL)
        return PHYSAD_ERR_NOMEM;
    b->model = m;
    b->cells = m->grid_height * m->grid_width;
    b->dim = m->dim + PHYSAD__TINTS;
    b->neighbours = physad__option_int(det, "neighbours");
    b->align = physad__option_bool(det, "align");
    memcpy(b->parts, usual_parts, sizeof(b->parts));
    if (physad__option_is(det, "plain", "always"))
        b->parts[PHYSAD__PART_POSED].weight = b->parts[PHYSAD__PART_PLAIN].weight = 0.5;
    for (int way = 0; way < PHYSAD__WAYS; way++)
        b->ways[way] = way == PHYSAD__BY_PLAIN
                           ? !physad__option_is(det, "plain", "never")
                           : physad__option_bool(det, names[way]) && (way < PHYSAD__COARSE_WAYS || m->fine.count > 0);
    b->coarse = (physad__splat_grid){ m->grid_height, m->grid_width };
    if (b->ways[PHYSAD__BY_TINT] || b->ways[PHYSAD__BY_TEXTURE])
        b->fine = (physad__splat_grid){ physad__max(m->fine.views[0].camera.height / FINE_CELL, 1),
                                        physad__max(m->fine.views[0].camera.width / FINE_CELL, 1) };
    if (b->ways[PHYSAD__BY_PLAIN]) {
        physad_features_shape(m->finder, shape);
        b->plain = (physad__splat_grid){ shape[0], shape[1] };
        b->plain_dim = shape[2];
    }
    return PHYSAD_OK;
}

physad_status physad__splat_bank_reserve(physad__splat_bank *b)
{
    physad__mem *mem = &b->model->ctx->mem;
    const int64_t n = b->model->views.count, fine = n * physad__splat_grid_cells(&b->fine),
                  plain = n * physad__splat_grid_cells(&b->plain);
    b->whiten = physad__alloc_array(mem, b->dim * b->dim, sizeof(float), "splat-bank");
    b->bank = physad__alloc_array(mem, n * b->cells * b->dim, sizeof(float), "bank");
    b->plain_bank = physad__alloc_array(mem, plain * b->plain_dim, sizeof(float), "bank");
    b->maps = physad__alloc_array(mem, PHYSAD__COARSE_WAYS * n * b->cells, sizeof(float), "usual distances");
    b->fine_maps = physad__alloc_array(mem, PHYSAD__FINE_WAYS * fine, sizeof(float), "usual distances");
    const bool all = b->whiten != NULL && b->bank != NULL && b->plain_bank != NULL && b->maps != NULL;
    return all && b->fine_maps != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

static physad_status bank_fit(physad_detector *det, physad__posed_model *m, physad__call *call, void **state)
{
    physad__splat_bank *b = NULL;
    physad_status status = physad__splat_bank_new(&b, det, m);
    bool any = false;
    for (int way = 0; status == PHYSAD_OK && way < PHYSAD__WAYS; way++)
        any = any || (b->ways[way] && way != PHYSAD__BY_PLAIN);
    if (status == PHYSAD_OK && !any)
        status = physad__error(
            PHYSAD_ERR_ARG, "splat-bank: warp, ray, render, tint and texture are all off: nothing to compare with; use "
                            "patchcore");
    if (status == PHYSAD_OK)
        status = physad__splat_bank_learn(b, det, call);
    if (status == PHYSAD_OK && physad__option_is(det, "plain", "weighed"))
        status = physad__splat_bank_weigh(b, det, call);
    if (status != PHYSAD_OK) {
        if (b != NULL)
            physad__splat_bank_free(b);
        return status;
    }
    *state = b;
    return PHYSAD_OK;
}

/* --- scoring --- */

/* The surprise of a way, per pixel; where it says nothing, it is as common as can be. `z`: room for its cells. */
static void surprise_of(const physad_detector *det, const physad__splat_bank *b, const physad__explained *e,
                        const physad_camera *camera, int64_t view, int way, float *z, float *out)
{
    const physad__splat_grid *grid = physad__splat_bank_grid(b, way);
    const bool local = physad__option_is(det, "calibrate", "place") && way != PHYSAD__BY_PLAIN;
    physad__splat_bank_judge(b, e, camera, view, way, local, z);
    for (int64_t i = 0; i < physad__splat_grid_cells(grid); i++)
        z[i] = isnan(z[i]) ? 0 : fmaxf(physad__splat_bank_surprise(&b->usual[way], z[i]), LEAST_SURPRISE);
    physad__map_upsample(z, grid->height, grid->width, out, b->model->height, b->model->width,
                         PHYSAD__UPSAMPLE_BILINEAR);
}

static int64_t most_cells(const physad__splat_bank *b)
{
    return physad__max(physad__max(b->cells, physad__splat_grid_cells(&b->plain)), physad__splat_grid_cells(&b->fine));
}

/* The greatest surprise of the ways that need a pose. */
static physad_status fuse(const physad_detector *det, const physad__splat_bank *b, const physad__explained *e,
                          const physad__posed_query *q, const physad_camera *camera, float *out)
{
    const int64_t plane = b->model->height * b->model->width, most = most_cells(b);
    float *z = physad__alloc_array(&det->ctx->mem, most + plane, sizeof(float), "surprises"), *one = z + most;
    if (z == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < plane; i++)
        out[i] = LEAST_SURPRISE;
    for (int way = 0; way < PHYSAD__BY_PLAIN; way++) {
        if (!b->ways[way])
            continue;
        surprise_of(det, b, e, camera, q->view, way, z, one);
        for (int64_t i = 0; i < plane; i++)
            out[i] = fmaxf(out[i], one[i]);
    }
    physad__free(z);
    return PHYSAD_OK;
}

/* The surprise and the cover of each pixel, by the pose that explains it best; `one` is room. */
static physad_status surprise(const physad_detector *det, const physad__splat_bank *b, const physad__posed_query *q,
                              const float *raw, float *out, float *cover, float *one)
{
    const physad__posed_model *m = b->model;
    const int64_t n = physad__min(q->n, physad__option_int(det, "hypotheses")), plane = m->height * m->width;
    physad_status status = PHYSAD_OK;
    for (int64_t h = 0; status == PHYSAD_OK && h < n; h++) {
        const physad_camera *camera = &q->poses[h].camera;
        const float penalty =
            h == 0 ? 0 : (float)log10(fmax(q->poses[0].confidence, 1e-6) / fmax(q->poses[h].confidence, 1e-9));
        const physad__asked asked = {
            .photo = q->photo, .fine = q->fine, .raw = raw, .camera = camera, .view = q->view, .scene = &m->scene
        };
        physad__explained e = { 0 };
        status = physad__splat_bank_explain(b, &e, &asked);
        if (status == PHYSAD_OK)
            status = fuse(det, b, &e, q, camera, one);
        if (status == PHYSAD_OK && h == 0)
            physad__map_upsample(e.covered, b->coarse.height, b->coarse.width, cover, m->height, m->width,
                                 PHYSAD__UPSAMPLE_BILINEAR);
        for (int64_t i = 0; status == PHYSAD_OK && i < plane; i++)
            out[i] = h == 0 ? one[i] : fminf(out[i], one[i] + penalty);
        physad__explained_free(&e);
    }
    for (int64_t i = 0; status == PHYSAD_OK && i < plane; i++)
        cover[i] = physad__option_bool(det, "weigh_cover") ? 0.1f + 0.9f * cover[i] : 1;
    return status;
}

/* `share` of the map's 95th percentile, to be taken off the score: blur, exposure and a pose that is off surprise
 * everywhere, a defect in a few places. */
static physad_status find_own(double *own, physad__mem *mem, const float *map, const float *weight, int64_t n,
                              double share)
{
    float *sorted = physad__alloc_array(mem, n, sizeof(float), "pooling");
    int64_t kept = 0;
    if (sorted == NULL)
        return PHYSAD_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        if (weight[i] > 0)
            sorted[kept++] = map[i];
    physad__sort_floats(sorted, kept);
    *own = 0;
    if (kept > 0)
        *own = share * (double)sorted[(int64_t)(0.95 * (double)(kept - 1))];
    physad__free(sorted);
    return PHYSAD_OK;
}

/* What the photo's place explains. */
static physad_status ask_posed(const physad_detector *det, const physad__splat_bank *b, const physad__posed_query *q,
                               float *map, double *score, double *own)
{
    const physad__posed_model *m = b->model;
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width;
    float *raw = physad__alloc_array(mem, b->cells * b->dim, sizeof(float), "features");
    float *cover = physad__alloc_array(mem, 2 * plane, sizeof(float), "surprises");
    physad_status status =
        raw != NULL && cover != NULL ? physad__splat_bank_cells(b, q->photo->pixels, raw) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = surprise(det, b, q, raw, map, cover, cover + plane);
    for (int64_t i = 0; status == PHYSAD_OK && i < plane; i++) /* what is hardly seen is no surprise */
        map[i] *= map[i] > 0 ? cover[i] : 1;
    if (status == PHYSAD_OK)
        status =
            physad__map_blur(mem, map, m->height, m->width, physad__option_real(det, "blur"), PHYSAD__BORDER_MIRROR);
    for (int64_t i = 0; status == PHYSAD_OK && q->photo->missing != NULL && i < plane; i++)
        cover[i] = q->photo->missing[i] ? 0 : cover[i];
    if (status == PHYSAD_OK)
        status = physad__posed_top(score, mem, map, cover, plane, physad__option_real(det, "top_share"));
    if (status == PHYSAD_OK && physad__option_real(det, "own") > 0)
        status = find_own(own, mem, map, cover, plane, physad__option_real(det, "own"));
    *score -= *own;
    physad__free(raw);
    physad__free(cover);
    return status;
}

/* What any cell of any training photo explains. */
static physad_status ask_plain(const physad_detector *det, const physad__splat_bank *b, const physad__posed_query *q,
                               float *map, double *score)
{
    const physad__posed_model *m = b->model;
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width, cells = physad__splat_grid_cells(&b->plain);
    float *distance = physad__alloc_array(mem, 2 * cells + plane, sizeof(float), "surprises"),
          *weight = distance + 2 * cells;
    physad__explained e = { 0 };
    if (distance == NULL)
        return PHYSAD_ERR_NOMEM;
    e.distance[PHYSAD__BY_PLAIN] = distance;
    physad_status status = physad__splat_bank_plain(b, q->photo, q->view, distance);
    if (status == PHYSAD_OK) {
        surprise_of(det, b, &e, NULL, q->view, PHYSAD__BY_PLAIN, distance + cells, map);
        /* the network's cells are larger than a pixel, and smooth */
        status = physad__map_blur(mem, map, m->height, m->width, PLAIN_BLUR * (double)physad__max(m->height, m->width),
                                  PHYSAD__BORDER_MIRROR);
    }
    for (int64_t i = 0; i < plane; i++)
        weight[i] = q->photo->missing != NULL && q->photo->missing[i] ? 0 : 1;
    if (status == PHYSAD_OK)
        status = physad__posed_top(score, mem, map, weight, plane, physad__option_real(det, "top_share"));
    physad__free(distance);
    return status;
}

physad_status physad__splat_bank_ask(const physad_detector *det, const physad__splat_bank *b,
                                     const physad__posed_query *q, bool all, physad__splat_said *out)
{
    const bool plain = b->ways[PHYSAD__BY_PLAIN];
    const bool posed = q->poses[0].fit >= physad__option_real(det, "least_fit") || !plain;
    out->own[PHYSAD__PART_POSED] = out->own[PHYSAD__PART_PLAIN] = 0;
    out->has[PHYSAD__PART_POSED] = posed && (all || b->parts[PHYSAD__PART_POSED].weight > 0);
    out->has[PHYSAD__PART_PLAIN] = plain && (all || !posed || b->parts[PHYSAD__PART_PLAIN].weight > 0);
    if (out->has[PHYSAD__PART_POSED])
        PHYSAD__TRY(ask_posed(det, b, q, out->map[PHYSAD__PART_POSED], &out->score[PHYSAD__PART_POSED],
                              &out->own[PHYSAD__PART_POSED]));
    if (out->has[PHYSAD__PART_PLAIN])
        PHYSAD__TRY(ask_plain(det, b, q, out->map[PHYSAD__PART_PLAIN], &out->score[PHYSAD__PART_PLAIN]));
    return PHYSAD_OK;
}

/* The parts' weighted means: of their surprises; and of their scores as deviations from normal ones, which becomes a
 * score again by the means of what is normal and of how it spreads: that of a part which is all that counts is as it
 * was. */
static double mean_score(const physad__splat_bank *b, const physad__splat_said *said,
                         const double weights[PHYSAD__PARTS])
{
    double middle = 0, spread = 0, deviation = 0;
    for (int k = 0; k < PHYSAD__PARTS; k++) {
        const physad__splat_part *p = &b->parts[k];
        middle += p->weight * p->mean;
        spread += p->weight * p->spread;
        deviation += said->has[k] ? weights[k] * (said->score[k] - p->mean) / p->spread : 0;
    }
    return middle + spread * deviation;
}

static physad_status bank_score(const physad_detector *det, const physad__posed_model *m, const physad__posed_query *q,
                                float *map, double *score, physad__call *call)
{
    const physad__splat_bank *b = m->state;
    const int64_t plane = m->height * m->width;
    float *other = physad__alloc_array(&det->ctx->mem, plane, sizeof(float), "surprises");
    physad__splat_said said = { .map = { map, other } };
    physad_status status = other != NULL ? physad__splat_bank_ask(det, b, q, false, &said) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        double weights[PHYSAD__PARTS], sum = 0;
        for (int k = 0; k < PHYSAD__PARTS; k++)
            sum += weights[k] = said.has[k] ? b->parts[k].weight : 0;
        for (int k = 0; k < PHYSAD__PARTS; k++)
            weights[k] = sum > 0 ? weights[k] / sum : said.has[k]; /* one without weight may be all there is */
        *score = mean_score(b, &said, weights);
        for (int64_t i = 0; i < plane; i++)
            map[i] = (said.has[0] ? (float)weights[0] * map[i] : 0) + (said.has[1] ? (float)weights[1] * other[i] : 0);
    }
    physad__free(other);
    return status;
}

/* --- the model file --- */

/* They are written and read as rows of f64. */
_Static_assert(sizeof(physad__splat_part) == 3 * sizeof(double), "splat_bank.parts has rows of three");
_Static_assert(sizeof(physad__splat_usual) == 4 * sizeof(double), "splat_bank.usual has rows of four");

enum { STORED = 8 };

typedef struct stored {
    const char *name;
    void *data;
    int32_t dtype, ndim;
    int64_t shape[3];
    bool known; /* all of it; elsewhere what is unknown is not a number */
} stored;

/* The file's arrays; returns how many. */
static int arrays_of(stored out[STORED], physad__splat_bank *b)
{
    const int64_t n = b->model->views.count, fine = physad__splat_grid_cells(&b->fine),
                  plain = physad__splat_grid_cells(&b->plain);
    const stored all[] = {
        { "splat_bank.whiten", b->whiten, PHYSAD_F32, 2, { b->dim, b->dim }, true },
        { "splat_bank.cells", b->bank, PHYSAD_F32, 3, { n, b->cells, b->dim }, true },
        { "splat_bank.maps", b->maps, PHYSAD_F32, 3, { PHYSAD__COARSE_WAYS, n, b->cells }, false },
        { "splat_bank.fine_maps", b->fine_maps, PHYSAD_F32, 3, { PHYSAD__FINE_WAYS, n, fine }, false },
        { "splat_bank.trends", b->trends, PHYSAD_F64, 2, { PHYSAD__FINE_WAYS, PHYSAD__TRAITS }, true },
        { "splat_bank.usual", b->usual, PHYSAD_F64, 2, { PHYSAD__WAYS, 4 }, false },
        { "splat_bank.parts", b->parts, PHYSAD_F64, 2, { PHYSAD__PARTS, 3 }, true },
        { "splat_bank.plain", b->plain_bank, PHYSAD_F32, 3, { n, plain, b->plain_dim }, true },
    };
    _Static_assert(PHYSAD__COUNT(all) == STORED, "all are told");
    memcpy(out, all, sizeof(all));
    return STORED - !b->ways[PHYSAD__BY_PLAIN];
}

static physad_status bank_declare(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w,
                                  json_t *config)
{
    stored all[STORED];
    for (int i = 0, n = arrays_of(all, m->state); i < n; i++)
        PHYSAD__TRY(physad__tensors_writer_declare(w, all[i].name, all[i].dtype, all[i].ndim, all[i].shape));
    return PHYSAD_OK;
}

static physad_status bank_write(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w)
{
    stored all[STORED];
    for (int i = 0, n = arrays_of(all, m->state); i < n; i++) {
        const physad_view v = physad_view_array(all[i].data, all[i].dtype, all[i].ndim, all[i].shape);
        PHYSAD__TRY(physad__tensors_writer_append(w, all[i].name, &v));
    }
    return PHYSAD_OK;
}

/* No mean or spread of a fit comes near it; with one beyond, every photo would look the same. */
static const double BEYOND = 1e30;

/* The parts' weights are shares of one score. */
static physad_status check_parts(const physad__splat_bank *b)
{
    double sum = 0;
    for (int k = 0; k < PHYSAD__PARTS; k++) {
        const physad__splat_part *p = &b->parts[k];
        if (!(p->weight >= 0 && p->weight <= 1) || !(p->spread > 1 / BEYOND && p->spread < BEYOND) ||
            !(fabs(p->mean) < BEYOND))
            return physad__error(PHYSAD_ERR_FORMAT, "splat_bank.parts row %d holds weight %g, mean %g and spread %g", k,
                                 p->weight, p->mean, p->spread);
        sum += p->weight;
    }
    if (!(fabs(sum - 1) < 1e-6))
        return physad__error(PHYSAD_ERR_FORMAT, "splat_bank.parts holds weights whose sum is %g, want 1", sum);
    return PHYSAD_OK;
}

static physad_status check_usual(const physad__splat_bank *b)
{
    for (int way = 0; way < PHYSAD__WAYS; way++) {
        const physad__splat_usual *u = &b->usual[way];
        if (b->ways[way] && (!(fabs(u->mean) < BEYOND) || !(u->variance > 1 / BEYOND) || !(u->variance < BEYOND) ||
                             !(fabs(u->tail[0]) < BEYOND) || !(u->tail[1] > 1 / BEYOND)))
            return physad__error(PHYSAD_ERR_FORMAT, "splat_bank.usual row %d holds no mean, variance and tail", way);
    }
    return PHYSAD_OK;
}

/* All are there before room is made for any. */
static physad_status read_arrays(physad__splat_bank *b, const physad_tensors *file)
{
    stored all[STORED];
    physad_view there;
    const int n = arrays_of(all, b);
    for (int i = 0; i < n; i++)
        PHYSAD__TRY(
            physad__tensors_need(file, all[i].name, all[i].dtype, all[i].ndim, all[i].shape, &there));
    PHYSAD__TRY(physad__splat_bank_reserve(b));
    arrays_of(all, b);
    for (int i = 0; i < n; i++)
        PHYSAD__TRY(physad__posed_take(all[i].data, file, all[i].name, all[i].dtype, all[i].ndim, all[i].shape,
                                       all[i].known));
    PHYSAD__TRY(check_parts(b));
    PHYSAD__TRY(check_usual(b));
    return physad__splat_bank_depths(b);
}

static physad_status bank_read(const physad_detector *det, physad__posed_model *m, physad_tensors *file,
                               const json_t *config, void **state)
{
    physad__splat_bank *b = NULL;
    physad_status status = physad__splat_bank_new(&b, det, m);
    if (status == PHYSAD_OK)
        status = read_arrays(b, file);
    if (status != PHYSAD_OK) {
        if (b != NULL)
            physad__splat_bank_free(b);
        return status;
    }
    *state = b;
    return PHYSAD_OK;
}

static const physad__posed_method posed = {
    .fit = bank_fit,
    .score = bank_score,
    .declare = bank_declare,
    .write = bank_write,
    .read = bank_read,
    .free = physad__splat_bank_free,
    .surprises = true,
    .fine = true,
};

const physad__method physad__method_splat_bank = {
    .name = "splat-bank",
    .title =
        "what neighbouring photos, brought to a photo's place through a scene of Gaussians, say it should look like",
    .source = "ours",
    .input = PHYSAD_INPUT_VIEWS,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .posed = &posed,
    PHYSAD__POSED_FAMILY,
};
