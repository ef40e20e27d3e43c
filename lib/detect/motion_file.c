/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: its part of the model file. */
#include "detect/motion.h"

#include <math.h>

enum {
    MOST_POINTS = PHYSAD__PART_MOST,
    MOST_LOOKS = PHYSAD__PART_TAKES * PHYSAD__LOOK_KEPT,
    USUALS = PHYSAD__VIEWS + 3 + PHYSAD__POOLS,
    RULE_NUMBERS = 5,
    BASICS = 4, /* arrays that each model has */
    VIEW_ARRAYS = 3 * PHYSAD__VIEWS,
    ARRAYS = BASICS + VIEW_ARRAYS + 5
};
_Static_assert(sizeof(physad__usual) == 2 * sizeof(double), "arrays of physad__usual are arrays of pairs");

/* --- single numbers ------------------------------------------------------------------------------------------------
 */

enum { REAL, INTEGER, BOOLEAN };
typedef struct number {
    const char *name; /* in messages */
    size_t at;        /* in the model */
    int type;
    double least, most;
} number;

#define NUMBER(field, type, least, most)                                                                               \
    {                                                                                                                  \
#field, offsetof(physad__motion_model, field), type, least, most                                               \
    }
static const double MOST = 1e7;
static const number numbers[] = {
    NUMBER(height, INTEGER, 32, 1080),
    NUMBER(width, INTEGER, 32, 8192),
    NUMBER(most_rows, INTEGER, 32, 1080),
    NUMBER(episodes, BOOLEAN, 0, 1),
    NUMBER(rate, REAL, 1e-6, 1000),
    NUMBER(scale.frames, REAL, 1, MOST),
    NUMBER(scale.energy, REAL, 1e-9, MOST),
    NUMBER(scale.flow, REAL, 1e-9, MOST),
    NUMBER(count, INTEGER, 0, MOST),
    NUMBER(untimed, BOOLEAN, 0, 1),
    NUMBER(steady, BOOLEAN, 0, 1),
    NUMBER(parts.shortest, REAL, 0, MOST),
    NUMBER(parts.longest, REAL, 0, MOST),
    NUMBER(parts.begin, REAL, 0, MOST),
    NUMBER(looks.takes, INTEGER, 0, PHYSAD__PART_TAKES),
    NUMBER(looks.usual.middle, REAL, -MOST, MOST),
    NUMBER(looks.usual.spread, REAL, 0, MOST),
};
enum { NUMBERS = PHYSAD__COUNT(numbers) };

static double number_of(const physad__motion_model *m, const number *n)
{
    const void *at = (const char *)m + n->at;
    return n->type == REAL      ? *(const double *)at
           : n->type == INTEGER ? (double)*(const int64_t *)at
                                : (double)*(const bool *)at;
}

static physad_status set_number(physad__motion_model *m, const number *n, double value)
{
    void *at = (char *)m + n->at;
    if (!(value >= n->least && value <= n->most))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: %s is %g, want %g to %g", n->name, value, n->least,
                             n->most);
    if (n->type != REAL && value != floor(value))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: %s is %g, want a whole number", n->name, value);
    if (n->type == REAL)
        *(double *)at = value;
    else if (n->type == INTEGER)
        *(int64_t *)at = (int64_t)value;
    else
        *(bool *)at = value != 0;
    return PHYSAD_OK;
}

/* --- arrays --------------------------------------------------------------------------------------------------------
 */

/* What a model has in other forms than a file. */
typedef struct packed {
    double numbers[NUMBERS], usual[USUALS][2], rules[PHYSAD__RULES][RULE_NUMBERS];
} packed;

typedef struct array {
    char name[64];
    int32_t dtype, ndim;
    int64_t shape[3];
    void *data;
} array;

static physad__usual *usual_at(physad__motion_model *m, int i)
{
    if (i < PHYSAD__VIEWS)
        return &m->view[i].usual;
    i -= PHYSAD__VIEWS;
    return i == 0 ? &m->point : i == 1 ? &m->rule : i == 2 ? &m->frame : &m->pool[i - 3];
}

static void pack(physad__motion_model *m, packed *p)
{
    for (int i = 0; i < NUMBERS; i++)
        p->numbers[i] = number_of(m, &numbers[i]);
    for (int i = 0; i < USUALS; i++) {
        p->usual[i][0] = usual_at(m, i)->middle;
        p->usual[i][1] = usual_at(m, i)->spread;
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const physad__rule *r = &m->rules[i];
        const double row[RULE_NUMBERS] = { r->middle, r->spread, r->low, r->high, r->used };
        memcpy(p->rules[i], row, sizeof(row));
    }
}

static int64_t points_of(const physad__parts *p)
{
    int64_t sum = 0;
    for (int64_t n = 0; n < p->takes; n++)
        sum += p->length[n];
    return sum;
}

/* All arrays of a model in the order of its file, but for the bank's; how many there are. Those behind the BASICS are
 * of episodes. */
static int64_t list_arrays(physad__motion_model *m, packed *p, array *out)
{
    enum { PATCH = PHYSAD__PATCH_DIM, PART = PHYSAD__PART_DIM };
    const array basics[BASICS] = { { "motion.numbers", PHYSAD_F64, 1, { NUMBERS }, p->numbers },
                                   { "motion.usual", PHYSAD_F64, 2, { USUALS, 2 }, p->usual },
                                   { "motion.rules", PHYSAD_F64, 2, { PHYSAD__RULES, RULE_NUMBERS }, p->rules },
                                   { "motion.inverse", PHYSAD_F32, 1, { PATCH }, m->inverse } };
    const array parts[] = {
        { "motion.parts.points", PHYSAD_I64, 1, { m->parts.takes }, m->parts.length },
        { "motion.parts.rows", PHYSAD_F32, 2, { points_of(&m->parts), PART }, m->parts.rows },
        { "motion.parts.inverse", PHYSAD_F32, 1, { PART }, m->parts.inverse },
        { "motion.parts.usual", PHYSAD_F64, 3, { PHYSAD__PART_LENGTHS, PHYSAD__PART_ODDS, 2 }, m->parts.usual },
        { "motion.looks", PHYSAD_U8, 3, { m->looks.count, m->looks.rows, m->looks.columns }, m->looks.cells },
    };
    static const char *const whats[] = { "rows", "mean", "inverse" };
    _Static_assert(PHYSAD__COUNT(parts) == ARRAYS - BASICS - VIEW_ARRAYS, "each has room");
    memcpy(out, basics, sizeof(basics));
    for (int i = 0; i < VIEW_ARRAYS; i++) {
        const physad__view_kind *kind = &physad__view_kinds[i / 3];
        const physad__view_model *v = &m->view[i / 3];
        float *const data[] = { v->rows, v->mean, v->inverse };
        array *a = &out[BASICS + i];
        *a = i % 3 == 0 ? (array){ "", PHYSAD_F32, 2, { m->count, kind->dim }, data[0] }
                        : (array){ "", PHYSAD_F32, 1, { kind->dim }, data[i % 3] };
        physad__snprintf(a->name, sizeof(a->name), "motion.%s.%s", kind->name, whats[i % 3]);
    }
    memcpy(out + BASICS + VIEW_ARRAYS, parts, sizeof(parts));
    return m->count > 0 ? ARRAYS : BASICS;
}

physad_status physad__motion_declare(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    physad__motion_model *m = det->model;
    packed p;
    array a[ARRAYS];
    const int64_t count = list_arrays(m, &p, a);
    for (int64_t i = 0; i < count; i++)
        PHYSAD__TRY(physad__tensors_writer_declare(w, a[i].name, a[i].dtype, a[i].ndim, a[i].shape));
    return physad__bank_declare(m->bank, w, "bank.");
}

physad_status physad__motion_write(const physad_detector *det, physad__tensors_writer *w)
{
    physad__motion_model *m = det->model;
    packed p;
    array a[ARRAYS];
    pack(m, &p);
    const int64_t count = list_arrays(m, &p, a);
    for (int64_t i = 0; i < count; i++) {
        const physad_view view = physad_view_array(a[i].data, a[i].dtype, a[i].ndim, a[i].shape);
        PHYSAD__TRY(physad__tensors_writer_append(w, a[i].name, &view));
    }
    return physad__bank_write(m->bank, w, "bank.");
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static physad_status take(const physad_tensors *file, const array *a)
{
    physad_view from, out = physad_view_array(a->data, a->dtype, a->ndim, a->shape);
    PHYSAD__TRY(physad__tensors_need(file, a->name, a->dtype, a->ndim, a->shape, &from));
    PHYSAD__TRY(physad__view_copy(&out, &from));
    const int64_t n = a->dtype == PHYSAD_F64 || a->dtype == PHYSAD_F32 ? physad__view_count(&out) : 0;
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(a->dtype == PHYSAD_F64 ? ((const double *)a->data)[i] : (double)((const float *)a->data)[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: number %lld is not finite", a->name, (long long)i);
    return PHYSAD_OK;
}

/* What one number alone does not tell. */
static physad_status check_numbers(const physad__motion_model *m)
{
    if (m->parts.longest < m->parts.shortest)
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: takes of %g to %g frames", m->parts.shortest,
                             m->parts.longest);
    if (m->looks.takes > 1 && !(m->looks.usual.spread > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: looks of %lld takes with a spread of %g",
                             (long long)m->looks.takes, m->looks.usual.spread);
    if (m->episodes != (m->count > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: a model of %s with %lld takes",
                             m->episodes ? "episodes" : "streams", (long long)m->count);
    return PHYSAD_OK;
}

static physad_status unpack(physad__motion_model *m, const packed *p)
{
    for (int i = 0; i < NUMBERS; i++)
        PHYSAD__TRY(set_number(m, &numbers[i], p->numbers[i]));
    PHYSAD__TRY(check_numbers(m));
    for (int i = 0; i < USUALS; i++) {
        *usual_at(m, i) = (physad__usual){ p->usual[i][0], p->usual[i][1] };
        if (!(p->usual[i][1] > 0) && (m->count > 0 || i > PHYSAD__VIEWS))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.usual: spread %d is %g", i, p->usual[i][1]);
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const double *r = p->rules[i];
        if (!(r[1] > 0 && r[2] < r[3]))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.rules: row %d is no rule", i);
        if (!physad__rule_can_be_told(i, r[2]) || !physad__rule_can_be_told(i, r[3]))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.rules: row %d goes by the logarithm, from %g to %g", i,
                                 r[2], r[3]);
        m->rules[i] = (physad__rule){ r[0], r[1], r[2], r[3], r[4] != 0 };
    }
    return PHYSAD_OK;
}

/* How many takes there are, and of how many points, is told by the tensor itself. */
static physad_status make_parts(physad__parts *p, physad__mem *mem, const physad_tensors *file)
{
    physad_view from;
    int64_t length[PHYSAD__PART_TAKES], sum = 0;
    PHYSAD__TRY(physad__tensors_need(file, "motion.parts.points", PHYSAD_I64, 1, &(int64_t){ -1 }, &from));
    if (from.shape[0] < 1 || from.shape[0] > PHYSAD__PART_TAKES)
        return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.points is no list of 1 to %d numbers",
                             PHYSAD__PART_TAKES);
    const physad_view to = physad_view_array(length, PHYSAD_I64, 1, from.shape);
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int64_t n = 0; n < to.shape[0]; n++) {
        if (length[n] < 1 || length[n] > MOST_POINTS)
            return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.points: take %lld has %lld points, want 1 to %d",
                                 (long long)n, (long long)length[n], MOST_POINTS);
        sum += length[n];
    }
    const int64_t rows[2] = { sum, PHYSAD__PART_DIM };
    PHYSAD__TRY(physad__tensors_need(file, "motion.parts.rows", PHYSAD_F32, 2, rows, &from));
    PHYSAD__TRY(physad__parts_open(p, mem, to.shape[0], sum));
    p->takes = to.shape[0];
    memcpy(p->length, length, (size_t)p->takes * sizeof(*length));
    return PHYSAD_OK;
}

static physad_status make_looks(physad__motion_model *m, const physad_tensors *file)
{
    physad__looks *l = &m->looks;
    physad_view from;
    const int64_t rows = m->height / PHYSAD__LOOK_CELL, columns = m->width / PHYSAD__LOOK_CELL;
    const int64_t any[3] = { -1, rows, columns };
    PHYSAD__TRY(physad__tensors_need(file, "motion.looks", PHYSAD_U8, 3, any, &from));
    if (from.shape[0] < 1 || from.shape[0] > MOST_LOOKS)
        return physad__error(PHYSAD_ERR_FORMAT, "motion.looks holds %lld frames, want 1 to %d",
                             (long long)from.shape[0], MOST_LOOKS);
    l->cells = physad__alloc_array(&m->ctx->mem, physad__view_count(&from), sizeof(*l->cells), "frames");
    l->count = from.shape[0];
    l->rows = rows;
    l->columns = columns;
    return l->cells != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

/* The arrays of episodes; room is made for what the file has, not for what its numbers say. */
static physad_status read_takes(physad__motion_model *m, packed *p, const physad_tensors *file)
{
    array a[ARRAYS];
    physad_view rows;
    list_arrays(m, p, a);
    for (int i = BASICS; i < BASICS + VIEW_ARRAYS; i++)
        PHYSAD__TRY(physad__tensors_need(file, a[i].name, a[i].dtype, a[i].ndim, a[i].shape, &rows));
    PHYSAD__TRY(physad__motion_views(m, m->count));
    PHYSAD__TRY(make_parts(&m->parts, &m->ctx->mem, file));
    PHYSAD__TRY(make_looks(m, file));
    list_arrays(m, p, a);
    for (int i = BASICS; i < ARRAYS; i++)
        PHYSAD__TRY(take(file, &a[i]));
    for (int i = 0; i < PHYSAD__PART_LENGTHS; i++)
        for (int k = 0; k < PHYSAD__PART_ODDS; k++)
            if (m->parts.takes > 1 && !(m->parts.usual[i][k].spread > 0))
                return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.usual: spread %d of length %d is %g", k, i,
                                     m->parts.usual[i][k].spread);
    return PHYSAD_OK;
}

static physad_status read_model(physad__motion_model *m, const physad_tensors *file)
{
    packed p;
    array a[ARRAYS];
    list_arrays(m, &p, a);
    for (int i = 0; i < BASICS; i++)
        PHYSAD__TRY(take(file, &a[i]));
    PHYSAD__TRY(unpack(m, &p));
    return m->count > 0 ? read_takes(m, &p, file) : PHYSAD_OK;
}

static physad_status read_bank(const physad_detector *det, physad__motion_model *m, physad_tensors *file)
{
    PHYSAD__TRY(physad__bank_read(&m->bank, det->ctx, file, false, "bank."));
    if (physad_bank_dim(m->bank) != PHYSAD__PATCH_DIM || physad_bank_count(m->bank) < 1)
        return physad__error(PHYSAD_ERR_FORMAT, "bank.rows has shape (%lld,%lld), want (n,%d) with n > 0",
                             (long long)physad_bank_count(m->bank), (long long)physad_bank_dim(m->bank),
                             PHYSAD__PATCH_DIM);
    for (int64_t i = 0; i < physad_bank_count(m->bank); i++)
        if (physad_bank_sample(m->bank, i) < 0 || physad_bank_sample(m->bank, i) >= det->origin->count)
            return physad__error(PHYSAD_ERR_FORMAT, "bank row %lld comes from sample %lld of %lld", (long long)i,
                                 (long long)physad_bank_sample(m->bank, i), (long long)det->origin->count);
    return PHYSAD_OK;
}

physad_status physad__motion_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__motion_model *m;
    PHYSAD__TRY(physad__motion_new(&m, det));
    physad_status status = read_model(m, file);
    if (status == PHYSAD_OK)
        status = read_bank(det, m, file);
    if (status != PHYSAD_OK) {
        physad__motion_free(m);
        return status;
    }
    m->file = file; /* the bank's rows lie in it */
    *model = m;
    return PHYSAD_OK;
}
