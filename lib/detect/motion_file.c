/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: its part of the model file. */
#include "detect/motion.h"

#include <math.h>

enum {
    MOST_POINTS = PHYSAD__PART_MOST,
    MOST_LOOKS = PHYSAD__PART_TAKES * PHYSAD__LOOK_KEPT,
    NUMBERS = 17,
    USUALS = PHYSAD__VIEWS + 3 + PHYSAD__POOLS
};

static void view_name(char *out, size_t size, int view, const char *what)
{
    physad__snprintf(out, size, "motion.%s.%s", physad__view_kinds[view].name, what);
}

static const int64_t numbers_shape[1] = { NUMBERS }, usual_shape[2] = { USUALS, 2 },
                     rules_shape[2] = { PHYSAD__RULES, 5 }, inverse_shape[1] = { PHYSAD__PATCH_DIM };

static const int64_t part_usual_shape[3] = { PHYSAD__PART_LENGTHS, PHYSAD__PART_ODDS, 2 },
                     part_inverse_shape[1] = { PHYSAD__PART_DIM };

static int64_t points_of(const physad__parts *p)
{
    int64_t sum = 0;
    for (int64_t n = 0; n < p->takes; n++)
        sum += p->length[n];
    return sum;
}

static physad__usual *usual_at(physad__motion_model *m, int i)
{
    if (i < PHYSAD__VIEWS)
        return &m->view[i].usual;
    i -= PHYSAD__VIEWS;
    return i == 0 ? &m->point : i == 1 ? &m->rule : i == 2 ? &m->frame : &m->pool[i - 3];
}

static physad_status declare_parts(const physad__motion_model *m, physad__tensors_writer *w)
{
    const int64_t rows[2] = { points_of(&m->parts), PHYSAD__PART_DIM };
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.parts.points", PHYSAD_I64, 1, &m->parts.takes));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.parts.rows", PHYSAD_F32, 2, rows));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.parts.inverse", PHYSAD_F32, 1, part_inverse_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.parts.usual", PHYSAD_F64, 3, part_usual_shape));
    const int64_t looks[3] = { m->looks.count, m->looks.rows, m->looks.columns };
    return physad__tensors_writer_declare(w, "motion.looks", PHYSAD_U8, 3, looks);
}

static physad_status write_parts(physad__motion_model *m, physad__tensors_writer *w)
{
    const int64_t rows_shape[2] = { points_of(&m->parts), PHYSAD__PART_DIM };
    double usual[PHYSAD__PART_LENGTHS][PHYSAD__PART_ODDS][2];
    for (int i = 0; i < PHYSAD__PART_LENGTHS; i++)
        for (int k = 0; k < PHYSAD__PART_ODDS; k++) {
            usual[i][k][0] = m->parts.usual[i][k].middle;
            usual[i][k][1] = m->parts.usual[i][k].spread;
        }
    const physad_view points = physad_view_array(m->parts.length, PHYSAD_I64, 1, &m->parts.takes),
                      rows = physad_view_array(m->parts.rows, PHYSAD_F32, 2, rows_shape),
                      inverse = physad_view_array(m->parts.inverse, PHYSAD_F32, 1, part_inverse_shape),
                      usuals = physad_view_array(usual, PHYSAD_F64, 3, part_usual_shape);
    PHYSAD__TRY(physad__tensors_writer_append(w, "motion.parts.points", &points));
    PHYSAD__TRY(physad__tensors_writer_append(w, "motion.parts.rows", &rows));
    PHYSAD__TRY(physad__tensors_writer_append(w, "motion.parts.inverse", &inverse));
    PHYSAD__TRY(physad__tensors_writer_append(w, "motion.parts.usual", &usuals));
    const int64_t looks_shape[3] = { m->looks.count, m->looks.rows, m->looks.columns };
    const physad_view looks = physad_view_array(m->looks.cells, PHYSAD_U8, 3, looks_shape);
    return physad__tensors_writer_append(w, "motion.looks", &looks);
}

physad_status physad__motion_declare(const physad_detector *det, physad__tensors_writer *w, json_t *config)
{
    const physad__motion_model *m = det->model;
    char name[64];
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.numbers", PHYSAD_F64, 1, numbers_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.usual", PHYSAD_F64, 2, usual_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.rules", PHYSAD_F64, 2, rules_shape));
    PHYSAD__TRY(physad__tensors_writer_declare(w, "motion.inverse", PHYSAD_F32, 1, inverse_shape));
    for (int v = 0; v < PHYSAD__VIEWS && m->count > 0; v++) {
        const int64_t dim = physad__view_kinds[v].dim, shape[2] = { m->count, dim };
        view_name(name, sizeof(name), v, "rows");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 2, shape));
        view_name(name, sizeof(name), v, "mean");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 1, &dim));
        view_name(name, sizeof(name), v, "inverse");
        PHYSAD__TRY(physad__tensors_writer_declare(w, name, PHYSAD_F32, 1, &dim));
    }
    if (m->count > 0)
        PHYSAD__TRY(declare_parts(m, w));
    return physad__bank_declare(m->bank, w, "bank.");
}

static physad_status write_view(const physad__motion_model *m, physad__tensors_writer *w, int view)
{
    const physad__view_model *v = &m->view[view];
    const int64_t dim = physad__view_kinds[view].dim, shape[2] = { m->count, dim };
    const physad_view all = physad_view_array(v->rows, PHYSAD_F32, 2, shape),
                      mean = physad_view_array(v->mean, PHYSAD_F32, 1, &dim),
                      inverse = physad_view_array(v->inverse, PHYSAD_F32, 1, &dim);
    char name[64];
    view_name(name, sizeof(name), view, "rows");
    PHYSAD__TRY(physad__tensors_writer_append(w, name, &all));
    view_name(name, sizeof(name), view, "mean");
    PHYSAD__TRY(physad__tensors_writer_append(w, name, &mean));
    view_name(name, sizeof(name), view, "inverse");
    return physad__tensors_writer_append(w, name, &inverse);
}

physad_status physad__motion_write(const physad_detector *det, physad__tensors_writer *w)
{
    physad__motion_model *m = det->model;
    double numbers[NUMBERS] = { (double)m->height,
                                (double)m->width,
                                (double)m->most_rows,
                                m->episodes,
                                m->rate,
                                m->scale.frames,
                                m->scale.energy,
                                m->scale.flow,
                                (double)m->count,
                                m->untimed,
                                m->steady,
                                m->parts.shortest,
                                m->parts.longest,
                                m->parts.begin,
                                (double)m->looks.takes,
                                m->looks.usual.middle,
                                m->looks.usual.spread };
    double usual[USUALS][2], rules[PHYSAD__RULES][5];
    for (int i = 0; i < USUALS; i++) {
        usual[i][0] = usual_at(m, i)->middle;
        usual[i][1] = usual_at(m, i)->spread;
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const double row[5] = { m->rules[i].middle, m->rules[i].spread, m->rules[i].low, m->rules[i].high,
                                m->rules[i].used };
        memcpy(rules[i], row, sizeof(row));
    }
    const physad_view views[4] = { physad_view_array(numbers, PHYSAD_F64, 1, numbers_shape),
                                   physad_view_array(usual, PHYSAD_F64, 2, usual_shape),
                                   physad_view_array(rules, PHYSAD_F64, 2, rules_shape),
                                   physad_view_array(m->inverse, PHYSAD_F32, 1, inverse_shape) };
    static const char *const names[4] = { "motion.numbers", "motion.usual", "motion.rules", "motion.inverse" };
    for (int i = 0; i < 4; i++)
        PHYSAD__TRY(physad__tensors_writer_append(w, names[i], &views[i]));
    for (int v = 0; v < PHYSAD__VIEWS && m->count > 0; v++)
        PHYSAD__TRY(write_view(m, w, v));
    if (m->count > 0)
        PHYSAD__TRY(write_parts(m, w));
    return physad__bank_write(m->bank, w, "bank.");
}

static physad_status take(const physad_tensors *file, const char *name, int32_t dtype, int32_t ndim,
                          const int64_t *shape, void *to)
{
    physad_view from, out = physad_view_array(to, dtype, ndim, shape);
    PHYSAD__TRY(physad__tensors_want(file, name, dtype, ndim, shape, &from));
    PHYSAD__TRY(physad__view_copy(&out, &from));
    const int64_t n = physad__view_count(&out);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(dtype == PHYSAD_F64 ? ((const double *)to)[i] : (double)((const float *)to)[i]))
            return physad__error(PHYSAD_ERR_FORMAT, "%s: number %lld is not finite", name, (long long)i);
    return PHYSAD_OK;
}

static physad_status read_numbers(physad__motion_model *m, const physad_tensors *file)
{
    double n[NUMBERS], usual[USUALS][2], rules[PHYSAD__RULES][5];
    PHYSAD__TRY(take(file, "motion.numbers", PHYSAD_F64, 1, numbers_shape, n));
    PHYSAD__TRY(take(file, "motion.usual", PHYSAD_F64, 2, usual_shape, usual));
    PHYSAD__TRY(take(file, "motion.rules", PHYSAD_F64, 2, rules_shape, rules));
    PHYSAD__TRY(take(file, "motion.inverse", PHYSAD_F32, 1, inverse_shape, m->inverse));
    if (!(n[0] >= 32 && n[0] <= 1080 && n[1] >= 32 && n[1] <= 8192 && n[5] >= 1 && n[5] < 1e7 && n[6] > 0 && n[7] > 0 &&
          n[8] >= 0 && n[8] < 1e7))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers has a number out of range");
    if (!physad__motion_is_rate(n[4]))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: %g frames per second, want 1e-6 to 1000", n[4]);
    m->height = (int64_t)n[0];
    m->width = (int64_t)n[1];
    m->episodes = n[3] != 0;
    m->rate = n[4];
    m->scale = (physad__scale){ n[5], n[6], n[7] };
    m->count = (int64_t)n[8];
    m->untimed = n[9] != 0;
    m->steady = n[10] != 0;
    m->parts.shortest = n[11];
    m->parts.longest = n[12];
    m->parts.begin = n[13];
    if (!(n[14] >= 0 && n[14] <= PHYSAD__PART_TAKES && (n[14] < 2 || n[16] > 0)))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: looks of %g takes with a spread of %g", n[14], n[16]);
    m->looks.takes = (int64_t)n[14];
    m->looks.usual = (physad__usual){ n[15], n[16] };
    if (!(n[11] >= 0 && n[12] >= n[11] && n[12] < 1e7 && n[13] >= 0 && n[13] < 1e7))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: takes of %g to %g frames that begin at %g", n[11],
                             n[12], n[13]);
    if (m->episodes != (m->count > 0))
        return physad__error(PHYSAD_ERR_FORMAT, "motion.numbers: a model of %s with %lld takes",
                             m->episodes ? "episodes" : "streams", (long long)m->count);
    for (int i = 0; i < USUALS; i++) {
        *usual_at(m, i) = (physad__usual){ usual[i][0], usual[i][1] };
        if (!(usual[i][1] > 0) && (m->count > 0 || i > PHYSAD__VIEWS))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.usual: spread %d is %g", i, usual[i][1]);
    }
    for (int i = 0; i < PHYSAD__RULES; i++) {
        const double *r = rules[i];
        if (!(r[1] > 0 && r[2] < r[3]))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.rules: row %d is no rule", i);
        if (!physad__rule_can_be_told(i, r[2]) || !physad__rule_can_be_told(i, r[3]))
            return physad__error(PHYSAD_ERR_FORMAT, "motion.rules: row %d goes by the logarithm, from %g to %g", i,
                                 r[2], r[3]);
        m->rules[i] = (physad__rule){ r[0], r[1], r[2], r[3], r[4] != 0 };
    }
    return PHYSAD_OK;
}

static physad_status read_views(physad__motion_model *m, const physad_tensors *file)
{
    char name[64];
    for (int v = 0; v < PHYSAD__VIEWS; v++) { /* before room is made for as many as the numbers say */
        const int64_t shape[2] = { m->count, physad__view_kinds[v].dim };
        physad_view rows;
        view_name(name, sizeof(name), v, "rows");
        PHYSAD__TRY(physad__tensors_want(file, name, PHYSAD_F32, 2, shape, &rows));
    }
    PHYSAD__TRY(physad__motion_views(m, m->count));
    for (int v = 0; v < PHYSAD__VIEWS; v++) {
        const int64_t dim = physad__view_kinds[v].dim, shape[2] = { m->count, dim };
        view_name(name, sizeof(name), v, "rows");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 2, shape, m->view[v].rows));
        view_name(name, sizeof(name), v, "mean");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 1, &dim, m->view[v].mean));
        view_name(name, sizeof(name), v, "inverse");
        PHYSAD__TRY(take(file, name, PHYSAD_F32, 1, &dim, m->view[v].inverse));
    }
    return PHYSAD_OK;
}

/* How many takes there are is told by the tensor itself. */
static physad_status read_points(physad__parts *p, physad__mem *mem, const physad_tensors *file)
{
    physad_view from;
    int64_t sum = 0;
    PHYSAD__TRY(physad_tensors_find(file, "motion.parts.points", &from));
    if (from.dtype != PHYSAD_I64 || from.ndim != 1 || from.shape[0] < 1 || from.shape[0] > PHYSAD__PART_TAKES)
        return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.points is no list of 1 to %d numbers",
                             PHYSAD__PART_TAKES);
    int64_t length[PHYSAD__PART_TAKES];
    physad_view to = physad_view_array(length, PHYSAD_I64, 1, from.shape);
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int64_t n = 0; n < from.shape[0]; n++) {
        if (length[n] < 1 || length[n] > MOST_POINTS)
            return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.points: take %lld has %lld points, want 1 to %d",
                                 (long long)n, (long long)length[n], MOST_POINTS);
        sum += length[n];
    }
    const int64_t rows[2] = { sum, PHYSAD__PART_DIM };
    PHYSAD__TRY(physad__tensors_want(file, "motion.parts.rows", PHYSAD_F32, 2, rows, &from));
    PHYSAD__TRY(physad__parts_open(p, mem, to.shape[0], sum));
    p->takes = to.shape[0];
    memcpy(p->length, length, (size_t)p->takes * sizeof(*length));
    return take(file, "motion.parts.rows", PHYSAD_F32, 2, rows, p->rows);
}

static physad_status read_parts(physad__motion_model *m, const physad_tensors *file)
{
    physad__parts *p = &m->parts;
    double usual[PHYSAD__PART_LENGTHS][PHYSAD__PART_ODDS][2];
    PHYSAD__TRY(read_points(p, &m->ctx->mem, file));
    PHYSAD__TRY(take(file, "motion.parts.inverse", PHYSAD_F32, 1, part_inverse_shape, p->inverse));
    PHYSAD__TRY(take(file, "motion.parts.usual", PHYSAD_F64, 3, part_usual_shape, usual));
    for (int i = 0; i < PHYSAD__PART_LENGTHS; i++)
        for (int k = 0; k < PHYSAD__PART_ODDS; k++) {
            p->usual[i][k] = (physad__usual){ usual[i][k][0], usual[i][k][1] };
            if (p->takes > 1 && !(usual[i][k][1] > 0))
                return physad__error(PHYSAD_ERR_FORMAT, "motion.parts.usual: spread %d of length %d is %g", k, i,
                                     usual[i][k][1]);
        }
    return PHYSAD_OK;
}

static physad_status read_looks(physad__motion_model *m, const physad_tensors *file)
{
    physad__looks *l = &m->looks;
    physad_view from;
    PHYSAD__TRY(physad_tensors_find(file, "motion.looks", &from));
    const int64_t rows = m->height / PHYSAD__LOOK_CELL, columns = m->width / PHYSAD__LOOK_CELL;
    if (from.dtype != PHYSAD_U8 || from.ndim != 3 || from.shape[0] < 1 || from.shape[0] > MOST_LOOKS ||
        from.shape[1] != rows || from.shape[2] != columns)
        return physad__error(PHYSAD_ERR_FORMAT, "motion.looks: want 1 to %d frames of %lld x %lld cells of u8",
                             MOST_LOOKS, (long long)rows, (long long)columns);
    l->cells = physad__alloc_array(&m->ctx->mem, physad__view_count(&from), sizeof(*l->cells), "frames");
    if (l->cells == NULL)
        return PHYSAD_ERR_NOMEM;
    const physad_view to = physad_view_array(l->cells, PHYSAD_U8, 3, from.shape);
    l->count = from.shape[0];
    l->rows = rows;
    l->columns = columns;
    return physad__view_copy(&to, &from);
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
    physad_status status = read_numbers(m, file);
    if (status == PHYSAD_OK && m->count > 0)
        status = read_views(m, file);
    if (status == PHYSAD_OK && m->count > 0)
        status = read_parts(m, file);
    if (status == PHYSAD_OK && m->count > 0)
        status = read_looks(m, file);
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
