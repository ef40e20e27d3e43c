/* SPDX-License-Identifier: Apache-2.0 */
/* What made-up defects teach: of a cell's difference from its photo's mean, what is a defect and what only another
 * thing of the same kind. MEMBERS networks of two hidden layers; each is taught without the groups of one part, and
 * what it says of normal photos of these tells what it says of things it has not seen. A cell's judgement is the
 * members' mean. */
#include "detect/detect_learn.h"

#include "nn/nn.h"
#include "train/train.h"

#include <math.h>

enum { MEMBERS = 3, WIDTH = 32, STEPS = 600, BATCH = 384, CLEAN = 120 }; /* CLEAN: cells of each normal photo, */
enum { ALL_CLEAN = 256 * CLEAN }; /* and of all together, but one of each */
static const double RATE = 0.004, DECAY = 0.001, SLOPE = 0.1;
enum { BEHIND = WIDTH + WIDTH * WIDTH + WIDTH + WIDTH + 1 }; /* of a member, behind its first matrix */

struct physad__learned {
    physad_context *ctx;
    physad__mem *mem;
    int64_t dim, cells;
    int64_t size;   /* numbers of a member: dim x WIDTH, bias, WIDTH x WIDTH, bias, WIDTH, bias; inputs first */
    float *weights; /* (MEMBERS, size) */
    float *mean, *inverse; /* per cell: of what members say of normal photos that they were not taught; 1 / spread */
};

void physad__learned_free(physad__learned *l)
{
    if (l == NULL)
        return;
    physad__free(l->weights);
    physad__free(l->mean);
    physad__free(l->inverse);
    physad__free(l);
}

static physad_status new_learned(physad__learned **out, physad_context *ctx, const physad__frontend *front)
{
    physad__mem *mem = &ctx->mem;
    physad__learned *l = *out = physad__alloc_zero(mem, sizeof(*l), "what was learned");
    if (l == NULL)
        return PHYSAD_ERR_NOMEM;
    l->ctx = ctx;
    l->mem = mem;
    l->dim = front->dim;
    l->cells = front->height * front->width;
    l->size = l->dim * WIDTH + BEHIND;
    l->weights = physad__alloc_array(mem, MEMBERS * l->size, sizeof(float), "what was learned");
    l->mean = physad__alloc_array(mem, l->cells, sizeof(float), "positions");
    l->inverse = physad__alloc_array(mem, l->cells, sizeof(float), "positions");
    if (l->weights != NULL && l->mean != NULL && l->inverse != NULL)
        return PHYSAD_OK;
    physad__learned_free(l);
    *out = NULL;
    return PHYSAD_ERR_NOMEM;
}

/* --- judging --- */

static void bend(float *x)
{
    for (int64_t k = 0; k < WIDTH; k++)
        x[k] = x[k] < 0 ? (float)SLOPE * x[k] : x[k];
}

/* What a member says of a cell that is `mean` away from nothing: above 0 painted, below normal. */
static float ask(const physad__learned *l, int64_t member, const float *cell, const float *mean)
{
    const float *w = l->weights + member * l->size, *b = w + l->dim * WIDTH;
    float first[WIDTH], second[WIDTH];
    memcpy(first, b, sizeof(first));
    for (int64_t c = 0; c < l->dim; c++)
        for (int64_t k = 0; k < WIDTH; k++)
            first[k] += (cell[c] - mean[c]) * w[c * WIDTH + k];
    bend(first);
    w = b + WIDTH;
    b = w + WIDTH * WIDTH;
    memcpy(second, b, sizeof(second));
    for (int64_t c = 0; c < WIDTH; c++)
        for (int64_t k = 0; k < WIDTH; k++)
            second[k] += first[c] * w[c * WIDTH + k];
    bend(second);
    w = b + WIDTH;
    float sum = w[WIDTH];
    for (int64_t k = 0; k < WIDTH; k++)
        sum += second[k] * w[k];
    return sum;
}

/* Mean of rows `from` to `to` of (.., dim), of those that are valid (NULL: all). */
static void mean_of(const float *rows, const uint8_t *valid, int64_t count, int64_t dim, double *room, float *mean)
{
    double n = 0;
    memset(room, 0, (size_t)dim * sizeof(*room));
    for (int64_t i = 0; i < count; i++) {
        if (valid != NULL && !valid[i])
            continue;
        for (int64_t c = 0; c < dim; c++)
            room[c] += (double)rows[i * dim + c];
        n++;
    }
    for (int64_t c = 0; c < dim; c++)
        mean[c] = (float)(room[c] / fmax(n, 1));
}

physad_status physad__learned_judge(const physad__learned *l, const physad__cells *cells, float *out)
{
    double *room = physad__alloc_array(l->mem, l->dim, sizeof(*room), "a photo's mean");
    float *mean = physad__alloc_array(l->mem, l->dim, sizeof(*mean), "a photo's mean");
    if (room != NULL && mean != NULL) {
        mean_of(cells->data, cells->valid, l->cells, l->dim, room, mean);
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(l->ctx->threads)
#endif
        for (int64_t i = 0; i < l->cells; i++) {
            float sum = 0;
            for (int64_t k = 0; k < MEMBERS; k++)
                sum += ask(l, k, cells->data + i * l->dim, mean);
            out[i] = (sum / MEMBERS - l->mean[i]) * l->inverse[i];
        }
    }
    const bool good = room != NULL && mean != NULL;
    physad__free(room);
    physad__free(mean);
    return good ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* --- teaching --- */

typedef struct pupil {
    const physad_detector *det;
    physad__learned *l;
    const float *lesson, *clean;     /* rows: less their photo's mean */
    const physad_bank *lesson_bank;
    int64_t lesson_count, clean_count;
    int64_t *clean_sample;
    int32_t *part;                   /* of each sample: 0 to MEMBERS - 1 */
    int64_t *bad, *good;             /* rows for the present member; those of `clean` behind those of `lesson` */
    int64_t bad_count, good_count;
    float *middle, *scale;           /* of the good rows, per column: mean, 1 / deviation */
} pupil;

static const float *row_of(const pupil *p, int64_t row)
{
    return row < p->lesson_count ? p->lesson + row * p->l->dim : p->clean + (row - p->lesson_count) * p->l->dim;
}

/* The rows that member `k` is taught. */
static void choose_rows(pupil *p, int64_t k)
{
    p->bad_count = p->good_count = 0;
    for (int64_t i = 0; i < p->lesson_count; i++) {
        if (p->part[physad_bank_sample(p->lesson_bank, i)] == k)
            continue;
        if (physad_bank_position(p->lesson_bank, i) != 0)
            p->bad[p->bad_count++] = i;
        else
            p->good[p->good_count++] = i;
    }
    for (int64_t i = 0; i < p->clean_count; i++)
        if (p->part[p->clean_sample[i]] != k)
            p->good[p->good_count++] = p->lesson_count + i;
    for (int64_t c = 0; c < p->l->dim; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < p->good_count; i++) {
            const double v = (double)row_of(p, p->good[i])[c];
            sum += v;
            squares += v * v;
        }
        const double n = fmax((double)p->good_count, 1), mean = sum / n;
        p->middle[c] = (float)mean;
        p->scale[c] = (float)(1 / (sqrt(fmax(squares / n - mean * mean, 0)) + 1e-6));
    }
}

/* Half of a batch is painted. */
static void fill_batch(const pupil *p, physad__rng *rng, float *input, float *target)
{
    const int64_t dim = p->l->dim;
    for (int64_t i = 0; i < BATCH; i++) {
        const bool bad = i < BATCH / 2;
        const int64_t row =
            bad ? p->bad[physad__rng_below(rng, p->bad_count)] : p->good[physad__rng_below(rng, p->good_count)];
        const float *from = row_of(p, row);
        target[i] = bad;
        for (int64_t c = 0; c < dim; c++)
            input[i * dim + c] = (from[c] - p->middle[c]) * p->scale[c];
    }
}

typedef struct network {
    physad__params params;
    physad__tape *tape;
    int32_t input, target, loss;
} network;

static physad_status build(network *n, physad_context *ctx, int64_t dim)
{
    const int64_t in[2] = { BATCH, dim }, out[2] = { BATCH, 1 };
    PHYSAD__TRY(physad__tape_new(&n->tape, ctx, &n->params, true));
    physad__tape *t = n->tape;
    n->input = physad__tape_input(t, 2, in, false);
    n->target = physad__tape_input(t, 2, out, false);
    int32_t x =
        physad__tape_activation(t, physad__tape_linear(t, n->input, "1", WIDTH, true), PHYSAD__TAPE_LEAKY, SLOPE);
    x = physad__tape_activation(t, physad__tape_linear(t, x, "2", WIDTH, true), PHYSAD__TAPE_LEAKY, SLOPE);
    n->loss = physad__tape_bce(t, physad__tape_linear(t, x, "3", 1, true), n->target);
    return n->loss < 0 ? physad__tape_failed(t) : physad__tape_compile(t, n->loss, NULL, 0);
}

static physad_status run_steps(const pupil *p, network *n, int64_t member, physad__call *call)
{
    const physad__optimizer_options o = { .kind = PHYSAD__ADAMW, .rate = RATE, .decay = DECAY };
    const physad__schedule cosine = { PHYSAD__COSINE, STEPS, 0 };
    physad__optimizer *optimizer = NULL;
    physad__rng rng;
    physad__rng_seed(&rng, p->det->seed, UINT64_C(0x1ea51) + (uint64_t)member);
    PHYSAD__TRY(physad__optimizer_new(&optimizer, &n->params, &o));
    physad_status status = PHYSAD_OK;
    for (int64_t step = 0; status == PHYSAD_OK && step < STEPS; step++) {
        fill_batch(p, &rng, physad__tape_data(n->tape, n->input), physad__tape_data(n->tape, n->target));
        physad__params_zero_grad(&n->params);
        status = physad__tape_forward(n->tape);
        if (status == PHYSAD_OK)
            status = physad__tape_backward(n->tape);
        if (status == PHYSAD_OK)
            status = physad__optimizer_step(optimizer, physad__schedule_factor(&cosine, step));
        if (status == PHYSAD_OK)
            status = physad__call_tick(call, member * STEPS + step + 1);
    }
    physad__optimizer_free(optimizer);
    return status;
}

static const float *numbers(const network *n, const char *name)
{
    return n->params.items[physad__params_find(&n->params, name)].data;
}

/* Inputs first, and the rows' mean and scale within the first layer. */
static void take_weights(const pupil *p, const network *n, float *to)
{
    const int64_t dim = p->l->dim;
    const float *first = numbers(n, "1.weight"), *second = numbers(n, "2.weight");
    float *bias = to + dim * WIDTH;
    for (int64_t k = 0; k < WIDTH; k++) {
        double b = (double)numbers(n, "1.bias")[k];
        for (int64_t c = 0; c < dim; c++) {
            to[c * WIDTH + k] = first[k * dim + c] * p->scale[c];
            b -= (double)to[c * WIDTH + k] * (double)p->middle[c];
        }
        bias[k] = (float)b;
        for (int64_t c = 0; c < WIDTH; c++)
            bias[WIDTH + c * WIDTH + k] = second[k * WIDTH + c];
    }
    bias += WIDTH + WIDTH * WIDTH;
    memcpy(bias, numbers(n, "2.bias"), WIDTH * sizeof(float));
    memcpy(bias + WIDTH, numbers(n, "3.weight"), WIDTH * sizeof(float));
    bias[2 * WIDTH] = numbers(n, "3.bias")[0];
}

static physad_status teach(const pupil *p, int64_t member, physad__call *call)
{
    network n = { .tape = NULL };
    physad__params_init(&n.params, p->l->mem, p->det->seed + (uint64_t)member);
    physad_status status = build(&n, p->det->ctx, p->l->dim);
    if (status == PHYSAD_OK)
        status = run_steps(p, &n, member, call);
    if (status == PHYSAD_OK)
        take_weights(p, &n, p->l->weights + member * p->l->size);
    physad__tape_free(n.tape);
    physad__params_clear(&n.params);
    return status;
}

/* --- the normal photos --- */

/* The rows of `store` from `row` on that belong to its sample. */
static int64_t rows_of_sample(const physad_bank *store, int64_t row)
{
    const int64_t count = physad_bank_count(store), sample = physad_bank_sample(store, row);
    int64_t n = 0;
    while (row + n < count && physad_bank_sample(store, row + n) == sample)
        n++;
    return n;
}

/* Parts by turns in the order in which groups appear. Returns how many groups there are. */
static int64_t split_groups(pupil *p, const physad_bank *store, int64_t *first)
{
    char *const *groups = p->det->origin->groups;
    int64_t n = 0;
    for (int64_t row = 0; row < physad_bank_count(store); row += rows_of_sample(store, row)) {
        const int64_t sample = physad_bank_sample(store, row);
        int64_t k = 0;
        while (k < n && strcmp(groups[first[k]], groups[sample]) != 0)
            k++;
        if (k == n)
            first[n++] = sample;
        p->part[sample] = (int32_t)(k % MEMBERS);
    }
    return n;
}

static int64_t clean_each(int64_t samples)
{
    return physad__max(1, physad__min(CLEAN, ALL_CLEAN / samples));
}

/* Some random rows of each sample, less its mean. */
static physad_status take_clean(pupil *p, const physad_bank *store, float *clean, double *room, float *mean)
{
    const int64_t dim = p->l->dim, each = clean_each(p->det->origin->count);
    physad_view v;
    physad__rng rng;
    PHYSAD__TRY(physad_bank_rows(store, &v));
    physad__rng_seed(&rng, p->det->seed, UINT64_C(0xc1ea4));
    for (int64_t row = 0, n; row < physad_bank_count(store); row += n) {
        n = rows_of_sample(store, row);
        mean_of((const float *)v.data + row * dim, NULL, n, dim, room, mean);
        for (int64_t k = 0; k < physad__min(each, n); k++) {
            const float *from = (const float *)v.data + (row + physad__rng_below(&rng, n)) * dim;
            p->clean_sample[p->clean_count] = physad_bank_sample(store, row);
            for (int64_t c = 0; c < dim; c++)
                clean[p->clean_count * dim + c] = from[c] - mean[c];
            p->clean_count++;
        }
    }
    p->clean = clean;
    return PHYSAD_OK;
}

/* What each member says of normal photos that it was not taught: of `calibration_photos` at most. */
static physad_status measure(const pupil *p, const physad__frontend *front, const physad_bank *store, double *room,
                             float *mean, bool *enough)
{
    physad__learned *l = p->l;
    const int64_t dim = l->dim;
    physad__moments m;
    physad_view v;
    PHYSAD__TRY(physad_bank_rows(store, &v));
    float *said = physad__alloc_array(l->mem, l->cells, sizeof(*said), "positions");
    physad_status status = said != NULL ? physad__moments_new(&m, l->mem, l->cells) : PHYSAD_ERR_NOMEM;
    if (status != PHYSAD_OK) {
        physad__free(said);
        return status;
    }
    const int64_t samples = p->det->origin->count, most = physad__option_int(p->det, "calibration_photos");
    for (int64_t row = 0, n, s = 0; row < physad_bank_count(store); row += n, s++) {
        const float *rows = (const float *)v.data + row * dim;
        const int64_t member = p->part[physad_bank_sample(store, row)];
        n = rows_of_sample(store, row);
        if (samples > most && s > 0 && s * most / samples == (s - 1) * most / samples)
            continue;
        mean_of(rows, NULL, n, dim, room, mean);
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(p->det->ctx->threads)
#endif
        for (int64_t i = 0; i < n; i++)
            said[i] = ask(l, member, rows + i * dim, mean);
        for (int64_t i = 0; i < n; i++)
            physad__moments_add(&m, physad_bank_position(store, row + i), (double)said[i]);
    }
    *enough = physad__moments_settle(&m, front->height, front->width, l->mean, l->inverse);
    physad__moments_free(&m);
    physad__free(said);
    return status;
}

typedef struct rooms {
    int64_t *first;
    float *clean, *mean;
    double *sum;
} rooms;

/* *enough: whether there were two groups, painted cells for each member, and any difference among normal ones. */
static physad_status learn(pupil *p, const rooms *r, const physad__frontend *front, const physad_bank *store,
                           bool *enough, physad__call *call)
{
    *enough = split_groups(p, store, r->first) > 1;
    if (!*enough)
        return PHYSAD_OK;
    PHYSAD__TRY(take_clean(p, store, r->clean, r->sum, r->mean));
    physad__call_stage(call, "learning from painted defects", MEMBERS * STEPS);
    for (int64_t k = 0; k < MEMBERS; k++) {
        choose_rows(p, k);
        *enough = p->bad_count > 0 && p->good_count > 0;
        if (!*enough)
            return PHYSAD_OK;
        PHYSAD__TRY(teach(p, k, call));
    }
    return measure(p, front, store, r->sum, r->mean, enough);
}

physad_status physad__learned_fit(physad__learned **out, const physad_detector *det, const physad__frontend *front,
                                  const physad_bank *store, const physad_bank *lesson, physad__call *call)
{
    physad__mem *mem = &det->ctx->mem;
    const int64_t samples = det->origin->count, dim = front->dim, painted = physad_bank_count(lesson);
    const int64_t clean = samples * clean_each(samples);
    physad_view v;
    bool enough = false;
    *out = NULL;
    PHYSAD__TRY(physad_bank_rows(lesson, &v));
    pupil p = { .det = det, .lesson = v.data, .lesson_bank = lesson, .lesson_count = painted };
    rooms r = { physad__alloc_array(mem, samples, sizeof(int64_t), "groups"),
                physad__alloc_array(mem, clean * dim, sizeof(float), "normal cells"),
                physad__alloc_array(mem, dim, sizeof(float), "a photo's mean"),
                physad__alloc_array(mem, dim, sizeof(double), "a photo's mean") };
    p.clean_sample = physad__alloc_array(mem, clean, sizeof(*p.clean_sample), "normal cells");
    p.part = physad__alloc_zero(mem, (size_t)samples * sizeof(*p.part), "groups");
    p.bad = physad__alloc_array(mem, physad__max(painted, 1), sizeof(*p.bad), "painted cells");
    p.good = physad__alloc_array(mem, painted + clean, sizeof(*p.good), "normal cells");
    p.middle = physad__alloc_array(mem, dim, sizeof(float), "normal cells");
    p.scale = physad__alloc_array(mem, dim, sizeof(float), "normal cells");
    physad_status status = r.first != NULL && r.clean != NULL && r.mean != NULL && r.sum != NULL &&
                                   p.clean_sample != NULL && p.part != NULL && p.bad != NULL && p.good != NULL &&
                                   p.middle != NULL && p.scale != NULL
                               ? new_learned(&p.l, det->ctx, front)
                               : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK)
        status = learn(&p, &r, front, store, &enough, call);
    if (status == PHYSAD_OK && enough)
        *out = p.l;
    else
        physad__learned_free(p.l);
    physad__free(r.first);
    physad__free(r.clean);
    physad__free(r.mean);
    physad__free(r.sum);
    physad__free(p.clean_sample);
    physad__free(p.part);
    physad__free(p.bad);
    physad__free(p.good);
    physad__free(p.middle);
    physad__free(p.scale);
    return status;
}

/* --- the model file --- */

static const char WEIGHTS[] = "learned.weights", MEAN[] = "learned.mean", INVERSE[] = "learned.inverse";

physad_status physad__learned_declare(const physad__learned *l, physad__tensors_writer *w)
{
    const int64_t shape[2] = { MEMBERS, l->size };
    PHYSAD__TRY(physad__tensors_writer_declare(w, WEIGHTS, PHYSAD_F32, 2, shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, MEAN, PHYSAD_F32, 1, &l->cells));
    return physad__tensors_writer_declare(w, INVERSE, PHYSAD_F32, 1, &l->cells);
}

physad_status physad__learned_write(const physad__learned *l, physad__tensors_writer *w)
{
    const int64_t shape[2] = { MEMBERS, l->size };
    const physad_view weights = physad_view_array(l->weights, PHYSAD_F32, 2, shape);
    const physad_view mean = physad_view_array(l->mean, PHYSAD_F32, 1, &l->cells);
    const physad_view inverse = physad_view_array(l->inverse, PHYSAD_F32, 1, &l->cells);
    PHYSAD__TRY(physad__tensors_writer_append(w, WEIGHTS, &weights));
    PHYSAD__TRY(physad__tensors_writer_append(w, MEAN, &mean));
    return physad__tensors_writer_append(w, INVERSE, &inverse);
}

static physad_status read_numbers(const physad_tensors *file, const char *name, float *to, int32_t ndim,
                                  const int64_t *shape, bool positive)
{
    physad_view from;
    const physad_view v = physad_view_array(to, PHYSAD_F32, ndim, shape);
    int64_t n = 1;
    if (!physad_tensors_has(file, name))
        return physad__error(PHYSAD_ERR_FORMAT, "%s is missing beside %s", name, WEIGHTS);
    PHYSAD__TRY(physad__tensors_need(file, name, PHYSAD_F32, ndim, shape, &from));
    PHYSAD__TRY(physad__view_copy(&v, &from));
    for (int32_t k = 0; k < ndim; k++)
        n *= shape[k];
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(to[i]) || (positive && !(to[i] > 0)))
            return physad__error(PHYSAD_ERR_FORMAT, "%s holds %g at %lld, want %s numbers", name, (double)to[i],
                                 (long long)i, positive ? "positive" : "finite");
    return PHYSAD_OK;
}

physad_status physad__learned_read(physad__learned **out, physad_context *ctx, const physad__frontend *front,
                                   const physad_tensors *file)
{
    *out = NULL;
    if (!physad_tensors_has(file, WEIGHTS))
        return PHYSAD_OK;
    PHYSAD__TRY(new_learned(out, ctx, front));
    physad__learned *l = *out;
    const int64_t shape[2] = { MEMBERS, l->size };
    physad_status status = read_numbers(file, WEIGHTS, l->weights, 2, shape, false);
    if (status == PHYSAD_OK)
        status = read_numbers(file, MEAN, l->mean, 1, &l->cells, false);
    if (status == PHYSAD_OK)
        status = read_numbers(file, INVERSE, l->inverse, 1, &l->cells, true);
    if (status != PHYSAD_OK) {
        physad__learned_free(l);
        *out = NULL;
    }
    return status;
}
