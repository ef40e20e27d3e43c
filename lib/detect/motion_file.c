/* SPDX-License-Identifier: Apache-2.0 */
/* motion-bank: its part of the model file. */
#include "detect/motion.h"

#include <math.h>

enum { NUMBERS = 10, USUALS = PHYSAD__VIEWS + 3 + PHYSAD__POOLS };

static void view_name(char *out, size_t size, int view, const char *what)
{
    physad__snprintf(out, size, "motion.%s.%s", physad__view_kinds[view].name, what);
}

static const int64_t numbers_shape[1] = { NUMBERS }, usual_shape[2] = { USUALS, 2 },
                     rules_shape[2] = { PHYSAD__RULES, 5 }, inverse_shape[1] = { PHYSAD__PATCH_DIM };

static physad__usual *usual_at(physad__motion_model *m, int i)
{
    if (i < PHYSAD__VIEWS)
        return &m->view[i].usual;
    i -= PHYSAD__VIEWS;
    return i == 0 ? &m->point : i == 1 ? &m->rule : i == 2 ? &m->frame : &m->pool[i - 3];
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
    double numbers[NUMBERS] = {
        (double)m->height, (double)m->width, (double)m->most_rows, m->episodes,      m->rate,
        m->scale.frames,   m->scale.energy,  m->scale.flow,        (double)m->count, m->untimed
    };
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
