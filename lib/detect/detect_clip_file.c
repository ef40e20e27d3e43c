/* SPDX-License-Identifier: Apache-2.0 */
/* The clip family: its part of the model file. */
#include "detect/detect_clip.h"

#include <math.h>

static const char STATISTICS[] = "clips.statistics", PREFIX[] = "network.";
static const int64_t STATISTICS_SHAPE[1] = { 6 };

static physad_status for_params(const physad__clip_model *m, physad__tensors_writer *writer, bool append)
{
    char name[320];
    for (int64_t i = 0; i < m->params.count; i++) {
        const physad__param *p = &m->params.items[i];
        const physad_view view = physad_view_array(p->data, PHYSAD_F32, p->ndim, p->shape);
        physad__snprintf(name, sizeof(name), "%s%s", PREFIX, p->name);
        if (append)
            PHYSAD__TRY(physad__tensors_writer_append(writer, name, &view));
        else
            PHYSAD__TRY(physad__tensors_writer_declare(writer, name, PHYSAD_F32, p->ndim, p->shape));
    }
    return PHYSAD_OK;
}

physad_status physad__clip_declare(const physad_detector *det, physad__tensors_writer *writer, json_t *config)
{
    PHYSAD__TRY(physad__tensors_writer_declare(writer, STATISTICS, PHYSAD_F64, 1, STATISTICS_SHAPE));
    return for_params(det->model, writer, false);
}

physad_status physad__clip_write(const physad_detector *det, physad__tensors_writer *writer)
{
    const physad__clip_model *m = det->model;
    double n[6] = { m->middle[0], m->spread[0], m->middle[1], m->spread[1], m->first_loss, m->last_loss };
    const physad_view view = physad_view_array(n, PHYSAD_F64, 1, STATISTICS_SHAPE);
    PHYSAD__TRY(physad__tensors_writer_append(writer, STATISTICS, &view));
    return for_params(m, writer, true);
}

static physad_status read_statistics(physad__clip_model *m, const physad_tensors *file)
{
    double n[6];
    physad_view from;
    const physad_view to = physad_view_array(n, PHYSAD_F64, 1, STATISTICS_SHAPE);
    PHYSAD__TRY(physad__tensors_need(file, STATISTICS, PHYSAD_F64, 1, STATISTICS_SHAPE, &from));
    PHYSAD__TRY(physad__view_copy(&to, &from));
    for (int i = 0; i < 6; i++)
        if (!isfinite(n[i]) || ((i == 1 || i == 3) && n[i] <= 0))
            return physad__error(PHYSAD_ERR_FORMAT, "%s[%d] is %g", STATISTICS, i, n[i]);
    for (int p = 0; p < 2; p++) {
        m->middle[p] = n[2 * p];
        m->spread[p] = n[2 * p + 1];
    }
    m->first_loss = n[4];
    m->last_loss = n[5];
    return PHYSAD_OK;
}

static physad_status read_params(physad__clip_model *m, const physad_tensors *file)
{
    char name[320];
    for (int64_t i = 0; i < m->params.count; i++) {
        physad__param *p = &m->params.items[i];
        const physad_view to = physad_view_array(p->data, PHYSAD_F32, p->ndim, p->shape);
        physad_view from;
        physad__snprintf(name, sizeof(name), "%s%s", PREFIX, p->name);
        PHYSAD__TRY(physad__tensors_need(file, name, PHYSAD_F32, p->ndim, p->shape, &from));
        PHYSAD__TRY(physad__view_copy(&to, &from));
        for (int64_t k = 0; k < p->count; k++)
            if (!isfinite(p->data[k]))
                return physad__error(PHYSAD_ERR_FORMAT, "%s holds a number that is not finite", name);
    }
    m->params.version++;
    return PHYSAD_OK;
}

physad_status physad__clip_read(physad_detector *det, physad_tensors *file, const json_t *config, void **model)
{
    physad__clip_model *m;
    physad__clip_net *net = NULL;
    PHYSAD__TRY(physad__clip_model_new(&m, det));
    physad_status status = physad__clip_net_new(&net, det, &m->params, PHYSAD__CLIP_SCORE_BATCH,
                                                physad__option_int(det, "size"), false); /* names the parameters */
    physad__clip_net_free(net);
    if (status == PHYSAD_OK)
        status = read_statistics(m, file);
    if (status == PHYSAD_OK)
        status = read_params(m, file);
    if (status != PHYSAD_OK) {
        physad__clip_free(m);
        return status;
    }
    physad_tensors_free(file); /* all of it was taken */
    *model = m;
    return PHYSAD_OK;
}
