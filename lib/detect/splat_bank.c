/* SPDX-License-Identifier: Apache-2.0 */
/* splat-bank, ours: a photo is compared with what normal photos say it should look like from its own place. Training photos next to it
 * are brought there by the scene's depth (real pixels, no trace of rendering), their patches are looked up where its rays meet the scene,
 * and the scene's picture stands beside. How far is far, training photos tell that explain each other: their differences whiten the
 * features, and the distances usual at a place and from a side turn each distance into a surprise. Where no pose fits, what is left is
 * a plain bank of patches. */
#include "detect/splat_bank.h"

#include <math.h>

static const physad__option rows[] = {
    { "neighbours", PHYSAD_OPTION_INT, "6", 1, 64, NULL, "training photos that explain a photo, at most", NULL },
    { "warp", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "compare with neighbouring training photos brought to the photo's place", NULL },
    { "ray", PHYSAD_OPTION_BOOL, "false", 0, 0, NULL, "compare with neighbours' patches where the photo's rays meet the scene", NULL },
    { "render", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "compare with the scene's picture", "RAD, eq. 2" },
    { "colour", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "compare the pixels of neighbours brought to the photo's place as well", NULL },
    { "plain", PHYSAD_OPTION_CHOICE, "fallback", 0, 0, "fallback|always|never",
      "compare with every patch of every training photo: where no pose fits, always, or never", "PatchCore, whole bank" },
    { "folds", PHYSAD_OPTION_INT, "0", 0, 20, NULL,
      "scenes fitted without a share of the photos, to learn what `render` usually misses by; 0: by the scene that saw them", NULL },
    { "fold_steps", PHYSAD_OPTION_REAL, "0.5", 0.01, 1, NULL, "steps of each of these, as a share of `steps`", NULL },
    { "whiten", PHYSAD_OPTION_CHOICE, "full", 0, 0, "full|diagonal|none",
      "features by the covariance of training photos' differences from their neighbours, its diagonal, or their own spread", NULL },
    { "calibrate", PHYSAD_OPTION_CHOICE, "place", 0, 0, "place|whole", "usual distances: at each place from each side, or of all photos",
      NULL },
    { "hypotheses", PHYSAD_OPTION_INT, "2", 1, 3, NULL, "poses that may each explain a place, less likely ones at a cost", NULL },
    { "least_fit", PHYSAD_OPTION_REAL, "0.35", 0, 1, NULL, "of a pose; photos that fit worse are compared by `plain` alone", NULL },
    { "top_share", PHYSAD_OPTION_REAL, "0.001", 1e-6, 1, NULL, "a photo's score: the mean of this share of its map, the greatest", NULL },
    { "weigh_cover", PHYSAD_OPTION_BOOL, "true", 0, 0, NULL, "places that few training photos see count less", NULL },
    { "blur", PHYSAD_OPTION_REAL, "3", 0, 100, NULL, "standard deviation of the map's Gaussian blur in pixels", NULL },
};

static void bank_free(void *state)
{
    physad__splat_bank *b = state;
    for (int64_t i = 0; b->depths != NULL && i < b->model->views.count; i++)
        physad__free(b->depths[i]);
    physad__free(b->depths);
    physad__free(b->whiten);
    physad__free(b->bank);
    physad__free(b->maps);
    physad__free(b);
}

static physad_status bank_new(physad__splat_bank **out, const physad_detector *det, const physad__posed_model *m)
{
    static const char *const names[PHYSAD__BY_PLAIN] = { "warp", "ray", "render", "colour" };
    physad__splat_bank *b = physad__alloc_zero(&det->ctx->mem, sizeof(*b), "splat-bank");
    *out = b;
    if (b == NULL)
        return PHYSAD_ERR_NOMEM;
    b->model = m;
    b->cells = m->grid_height * m->grid_width;
    b->dim = m->dim + PHYSAD__TINTS;
    b->neighbours = physad__option_int(det, "neighbours");
    for (int way = 0; way < PHYSAD__BY_PLAIN; way++)
        b->ways[way] = physad__option_bool(det, names[way]);
    b->ways[PHYSAD__BY_PLAIN] = !physad__option_is(det, "plain", "never");
    b->whiten = physad__alloc_array(&det->ctx->mem, b->dim * b->dim, sizeof(float), "splat-bank");
    return b->whiten != NULL ? physad__splat_bank_depths(b) : PHYSAD_ERR_NOMEM;
}

static physad_status bank_fit(physad_detector *det, physad__posed_model *m, physad__call *call, void **state)
{
    physad__splat_bank *b = NULL;
    physad_status status = bank_new(&b, det, m);
    bool any = false;
    for (int way = 0; status == PHYSAD_OK && way < PHYSAD__BY_PLAIN; way++)
        any = any || b->ways[way];
    if (status == PHYSAD_OK && !any)
        status = physad__error(PHYSAD_ERR_ARG, "splat-bank: warp, ray, render and colour are all off: nothing to compare with; use patchcore");
    if (status == PHYSAD_OK)
        status = physad__splat_bank_learn(b, det, call);
    if (status != PHYSAD_OK) {
        if (b != NULL)
            bank_free(b);
        return status;
    }
    *state = b;
    return PHYSAD_OK;
}

/* --- scoring --- */

/* The mean surprise of the ways that say something. */
static physad_status fuse(const physad_detector *det, const physad__splat_bank *b, const physad__explained *e, const physad__posed_query *q,
                          const physad_camera *camera, bool posed, float *out)
{
    const bool local = physad__option_is(det, "calibrate", "place");
    float *z = physad__alloc_array(&det->ctx->mem, 2 * b->cells, sizeof(float), "surprises"), *n = z + b->cells;
    if (z == NULL)
        return PHYSAD_ERR_NOMEM;
    memset(out, 0, (size_t)b->cells * sizeof(float));
    memset(n, 0, (size_t)b->cells * sizeof(float));
    for (int way = 0; way < PHYSAD__WAYS; way++) {
        const bool plain = way == PHYSAD__BY_PLAIN;
        if (!b->ways[way] || (posed ? plain && !physad__option_is(det, "plain", "always") : !plain))
            continue;
        physad__splat_bank_judge(b, e, camera, q->view, way, local && !plain, z);
        for (int64_t i = 0; i < b->cells; i++)
            if (!isnan(z[i])) {
                out[i] += physad__splat_bank_surprise(&b->usual[way], z[i]);
                n[i]++;
            }
    }
    for (int64_t i = 0; i < b->cells; i++)
        out[i] = n[i] > 0 ? out[i] / n[i] : 0;
    physad__free(z);
    return PHYSAD_OK;
}

/* The surprise and the cover of each cell, by the pose that explains it best. */
static physad_status surprise(const physad_detector *det, const physad__splat_bank *b, const physad__posed_query *q, float *out, float *cover)
{
    physad__mem *mem = &det->ctx->mem;
    const bool posed = q->poses[0].fit >= physad__option_real(det, "least_fit") || !b->ways[PHYSAD__BY_PLAIN];
    const int64_t n = posed ? physad__min(q->n, physad__option_int(det, "hypotheses")) : 1;
    float *raw = physad__alloc_array(mem, b->cells * b->dim, sizeof(float), "features");
    float *one = physad__alloc_array(mem, b->cells, sizeof(float), "surprises");
    physad_status status = raw != NULL && one != NULL ? physad__splat_bank_cells(b, q->photo->pixels, raw) : PHYSAD_ERR_NOMEM;
    for (int64_t h = 0; status == PHYSAD_OK && h < n; h++) {
        const physad_camera *camera = &q->poses[h].camera;
        const float penalty = (float)log10(fmax(q->poses[0].confidence, 1e-6) / fmax(q->poses[h].confidence, 1e-9));
        physad__explained e = { 0 };
        status = physad__splat_bank_explain(b, &e, q->photo, raw, camera, q->view, &b->model->scene,
                                            !posed || physad__option_is(det, "plain", "always"));
        if (status == PHYSAD_OK)
            status = fuse(det, b, &e, q, camera, posed, one);
        for (int64_t i = 0; status == PHYSAD_OK && i < b->cells; i++) {
            const float s = one[i] + (h > 0 ? penalty : 0);
            if (h == 0 || s < out[i]) {
                out[i] = s;
                cover[i] = posed && physad__option_bool(det, "weigh_cover") ? 0.1f + 0.9f * e.covered[i] : 1;
            }
        }
        physad__explained_free(&e);
    }
    physad__free(raw);
    physad__free(one);
    return status;
}

static physad_status bank_score(const physad_detector *det, const physad__posed_model *m, const physad__posed_query *q, float *map, double *score,
                                physad__call *call)
{
    const physad__splat_bank *b = m->state;
    physad__mem *mem = &det->ctx->mem;
    const int64_t plane = m->height * m->width;
    float *grid = physad__alloc_array(mem, 2 * b->cells, sizeof(float), "surprises"), *cover = grid + b->cells;
    float *weight = physad__alloc_array(mem, plane, sizeof(float), "surprises");
    physad_status status = grid != NULL && weight != NULL ? surprise(det, b, q, grid, cover) : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        for (int64_t i = 0; i < b->cells; i++) /* what is hardly seen is no surprise */
            grid[i] = cover[i] * grid[i];
        physad__map_upsample(grid, m->grid_height, m->grid_width, map, m->height, m->width, PHYSAD__UPSAMPLE_BILINEAR);
        physad__map_upsample(cover, m->grid_height, m->grid_width, weight, m->height, m->width, PHYSAD__UPSAMPLE_BILINEAR);
        status = physad__map_blur(mem, map, m->height, m->width, physad__option_real(det, "blur"), PHYSAD__BORDER_MIRROR);
    }
    for (int64_t i = 0; status == PHYSAD_OK && q->photo->missing != NULL && i < plane; i++)
        weight[i] = q->photo->missing[i] ? 0 : weight[i];
    if (status == PHYSAD_OK)
        status = physad__posed_top(score, mem, map, weight, plane, physad__option_real(det, "top_share"));
    physad__free(grid);
    physad__free(weight);
    return status;
}

/* --- the model file --- */

static physad_status for_all(const physad__posed_model *m, physad__tensors_writer *w, bool append)
{
    const physad__splat_bank *b = m->state;
    const int64_t whiten[2] = { b->dim, b->dim }, cells[3] = { m->views.count, b->cells, b->dim };
    const int64_t maps[3] = { PHYSAD__WAYS, m->views.count, b->cells }, usual[2] = { PHYSAD__WAYS, 4 };
    const struct {
        const char *name;
        const void *data;
        int32_t dtype, ndim;
        const int64_t *shape;
    } all[] = {
        { "splat_bank.whiten", b->whiten, PHYSAD_F32, 2, whiten },
        { "splat_bank.cells", b->bank, PHYSAD_F32, 3, cells },
        { "splat_bank.maps", b->maps, PHYSAD_F32, 3, maps },
        { "splat_bank.usual", b->usual, PHYSAD_F64, 2, usual },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(all); i++) {
        const physad_view v = physad_view_array((void *)(uintptr_t)all[i].data, all[i].dtype, all[i].ndim, all[i].shape);
        PHYSAD__TRY(append ? physad__tensors_writer_append(w, all[i].name, &v)
                           : physad__tensors_writer_declare(w, all[i].name, all[i].dtype, all[i].ndim, all[i].shape));
    }
    return PHYSAD_OK;
}

static physad_status bank_declare(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w, json_t *config)
{
    return for_all(m, w, false);
}

static physad_status bank_write(const physad_detector *det, const physad__posed_model *m, physad__tensors_writer *w)
{
    return for_all(m, w, true);
}

static physad_status take(float *out, const physad_tensors *file, const char *name, int32_t ndim, const int64_t *shape)
{
    physad_view from, to = physad_view_array(out, PHYSAD_F32, ndim, shape);
    PHYSAD__TRY(physad__tensors_want(file, name, PHYSAD_F32, ndim, shape, &from));
    return physad__view_copy(&to, &from);
}

static physad_status read_arrays(physad__splat_bank *b, const physad_tensors *file)
{
    const int64_t n = b->model->views.count, whiten[2] = { b->dim, b->dim }, cells[3] = { n, b->cells, b->dim };
    const int64_t maps[3] = { PHYSAD__WAYS, n, b->cells }, usual[2] = { PHYSAD__WAYS, 4 };
    physad_view from, to = physad_view_array(b->usual, PHYSAD_F64, 2, usual);
    b->bank = physad__alloc_array(&b->model->ctx->mem, n * b->cells * b->dim, sizeof(float), "bank");
    b->maps = physad__alloc_array(&b->model->ctx->mem, PHYSAD__WAYS * n * b->cells, sizeof(float), "usual distances");
    if (b->bank == NULL || b->maps == NULL)
        return PHYSAD_ERR_NOMEM;
    PHYSAD__TRY(take(b->whiten, file, "splat_bank.whiten", 2, whiten));
    PHYSAD__TRY(take(b->bank, file, "splat_bank.cells", 3, cells));
    PHYSAD__TRY(take(b->maps, file, "splat_bank.maps", 3, maps));
    PHYSAD__TRY(physad__tensors_want(file, "splat_bank.usual", PHYSAD_F64, 2, usual, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int way = 0; way < PHYSAD__WAYS; way++) {
        const physad__usual *u = &b->usual[way];
        if (b->ways[way] && (!isfinite(u->mean) || !(u->variance > 0) || !isfinite(u->tail[0]) || !(u->tail[1] > 0)))
            return physad__error(PHYSAD_ERR_FORMAT, "splat_bank.usual row %d holds no mean, variance and tail", way);
    }
    return PHYSAD_OK;
}

static physad_status bank_read(const physad_detector *det, physad__posed_model *m, physad_tensors *file, const json_t *config, void **state)
{
    physad__splat_bank *b = NULL;
    physad_status status = bank_new(&b, det, m);
    if (status == PHYSAD_OK)
        status = read_arrays(b, file);
    if (status != PHYSAD_OK) {
        if (b != NULL)
            bank_free(b);
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
    .free = bank_free,
};

const physad__method physad__method_splat_bank = {
    .name = "splat-bank",
    .title = "what neighbouring photos, brought to a photo's place through a scene of Gaussians, say it should look like",
    .source = "ours",
    .input = PHYSAD_INPUT_VIEWS,
    .supervision = PHYSAD_UNSUPERVISED,
    .options = { rows, PHYSAD__COUNT(rows) },
    .posed = &posed,
    PHYSAD__POSED_FAMILY,
};
