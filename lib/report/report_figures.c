/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <math.h>

const physad__figure physad__figures[] = {
    { "image_auroc", "image AUROC", PHYSAD__FIGURE_IMAGE, 1, "auroc" },
    { "image_ap", "image AP", PHYSAD__FIGURE_IMAGE, 1, "ap" },
    { "image_f1_max", "image F1-max", PHYSAD__FIGURE_IMAGE, 1, "f1_max" },
    { "image_accuracy", "image accuracy", PHYSAD__FIGURE_IMAGE, 1, "accuracy" },
    { "pixel_auroc", "pixel AUROC", PHYSAD__FIGURE_PIXEL, 1, "auroc" },
    { "pixel_ap", "pixel AP", PHYSAD__FIGURE_PIXEL, 0, "ap" },
    { "pixel_f1_max", "pixel F1-max", PHYSAD__FIGURE_PIXEL, 0, "f1_max" },
    { "aupro", "AUPRO to 0.3", PHYSAD__FIGURE_PIXEL, 0, "aupro@0.3" },
    { "aupro_05", "AUPRO to 0.05", PHYSAD__FIGURE_PIXEL, 0, "aupro@0.05" },
    { "instance_auroc", "instance AUROC", PHYSAD__FIGURE_THING, 1, "auroc" },
    { "video_auroc", "video AUROC", PHYSAD__FIGURE_VIDEO, 1, "auroc" },
    { "video_ap", "video AP", PHYSAD__FIGURE_VIDEO, 1, "ap" },
    { "video_f1_max", "video F1-max", PHYSAD__FIGURE_VIDEO, 1, "f1_max" },
    { "video_accuracy", "video accuracy", PHYSAD__FIGURE_VIDEO, 1, "accuracy" },
    { "frame_auroc", "frame AUROC", PHYSAD__FIGURE_FRAME, 1, "auroc" },
};
const int64_t physad__figure_count = PHYSAD__COUNT(physad__figures);

bool physad__figure_fits(const physad__figure *figure, const physad__report *report)
{
    const int32_t of_video = PHYSAD__FIGURE_VIDEO | PHYSAD__FIGURE_FRAME;
    return ((figure->kind & of_video) != 0) == (report->video != 0);
}

physad_metric physad__figure_of(const physad__figure *figure, const physad__report *report)
{
    physad_metric metric = PHYSAD_METRIC_INIT;
    const physad_metrics *from = report->images;
    const char *reason = "nothing was scored";
    if (figure->kind == PHYSAD__FIGURE_PIXEL) {
        from = report->pixels;
        reason = report->pixel_reason;
    } else if (figure->kind == PHYSAD__FIGURE_FRAME) {
        from = report->frames;
        reason = report->frame_reason;
    } else if (figure->kind == PHYSAD__FIGURE_THING) {
        from = report->things;
        reason = "no two photos are of one thing";
    }
    if (from == NULL)
        return physad__metric_none(reason != NULL ? reason : "not measured");
    if (physad_metrics_get(from, figure->metric, &metric) != PHYSAD_OK)
        return physad__metric_none("not measured");
    return metric;
}

void physad__report_free(physad__report *r)
{
    physad__free(r->dataset);
    physad__free(r->category);
    physad__free(r->method);
    physad__free(r->precision);
    for (int64_t i = 0; i < r->option_count; i++) {
        physad__free(r->options[i].name);
        physad__free(r->options[i].value);
    }
    physad__free(r->options);
    for (int64_t i = 0; i < r->sample_count; i++) {
        physad__free(r->samples[i].path);
        physad__free(r->samples[i].type);
        physad__free(r->samples[i].group);
        physad__free(r->samples[i].view);
        physad__thumbs_free(r->samples[i].thumbs);
        physad__take_free(r->samples[i].take);
        physad__free(r->samples[i].told);
    }
    physad__free(r->samples);
    for (int64_t i = 0; i < r->skipped_count; i++) {
        physad__free(r->skipped[i].path);
        physad__free(r->skipped[i].reason);
    }
    physad__free(r->skipped);
    for (int64_t i = 0; i < r->told_count; i++)
        physad__free(r->told[i]);
    physad__free(r->told);
    physad__breaks_free(r->breaks, r->break_count);
    for (int64_t i = 0; i < r->group_count; i++) {
        physad__free(r->groups[i].photos);
        physad__free(r->groups[i].places);
    }
    physad__free(r->groups);
    physad_metrics_free(r->things);
    physad__free(r->threshold_reason);
    physad_metrics_free(r->images);
    physad_metrics_free(r->pixels);
    physad_metrics_free(r->frames);
    *r = (physad__report){ 0 };
}

physad_status physad__report_add_sample(physad__report *report, physad__mem *mem, const physad__report_sample *sample)
{
    PHYSAD__TRY(physad__grow(mem, &report->samples, &report->sample_capacity, report->sample_count + 1,
                             sizeof(*report->samples), "scored samples"));
    physad__report_sample *slot =
        &report->samples[report->sample_count++]; /* counted at once: it is freed whatever is in it */
    *slot = (physad__report_sample){ .score = sample->score, .label = sample->label };
    slot->path = physad__strdup(mem, sample->path);
    slot->type = physad__strdup(mem, sample->type);
    slot->group = physad__strdup(mem, sample->group);
    slot->view = sample->view != NULL ? physad__strdup(mem, sample->view) : NULL;
    const bool done =
        slot->path != NULL && slot->type != NULL && slot->group != NULL && (sample->view == NULL || slot->view != NULL);
    return done ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__report_skip_sample(physad__report *report, physad__mem *mem, const char *path, const char *reason)
{
    PHYSAD__TRY(physad__grow(mem, &report->skipped, &report->skipped_capacity, report->skipped_count + 1,
                             sizeof(*report->skipped), "skipped samples"));
    physad__report_skip *slot = &report->skipped[report->skipped_count++];
    slot->path = physad__strdup(mem, path);
    slot->reason = physad__strdup(mem, reason);
    return slot->path != NULL && slot->reason != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
}

physad_status physad__text_put(physad__text *text, const char *data, size_t size)
{
    if (text->status == PHYSAD_OK)
        text->status = physad__grow(text->mem, &text->data, &text->capacity, text->size + (int64_t)size + 1, 1,
                                    "text of a report");
    if (text->status != PHYSAD_OK)
        return text->status;
    memcpy(text->data + text->size, data, size);
    text->size += (int64_t)size;
    text->data[text->size] = '\0';
    return PHYSAD_OK;
}
