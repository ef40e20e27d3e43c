/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <math.h>

static physad_status put_text(physad__text *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL)
        return physad__text_put(out, text, strlen(text));
    PHYSAD__TRY(physad__text_put(out, "\"", 1));
    for (const char *p = text; *p != '\0'; p++)
        PHYSAD__TRY(physad__text_put(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1));
    return physad__text_put(out, "\"", 1);
}

/* The fewest digits that read back to the same number; nothing for NaN. */
static physad_status put_number(physad__text *out, double value)
{
    char text[40];
    double back;
    if (isnan(value))
        return PHYSAD_OK;
    for (int digits = 15; digits <= 17; digits++) {
        physad__snprintf(text, sizeof(text), "%.*g", digits, value);
        if (physad__parse_double(text, &back) && back == value)
            break;
    }
    return physad__text_put(out, text, strlen(text));
}

static physad_status put_header(physad__text *out)
{
    static const char first[] = "dataset,category,method,seed,n_train,n_test";
    static const char last[] = ",fit_seconds,score_seconds,metrics_seconds,score_ms_median,peak_rss_mib\r\n";
    PHYSAD__TRY(physad__text_put(out, first, sizeof(first) - 1));
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        PHYSAD__TRY(physad__text_put(out, ",", 1));
        PHYSAD__TRY(put_text(out, f->name));
        if (f->interval) {
            PHYSAD__TRY(physad__text_put(out, ",", 1));
            PHYSAD__TRY(put_text(out, f->name));
            PHYSAD__TRY(physad__text_put(out, "_low,", 5));
            PHYSAD__TRY(put_text(out, f->name));
            PHYSAD__TRY(physad__text_put(out, "_high", 5));
        }
    }
    return physad__text_put(out, last, sizeof(last) - 1);
}

static physad_status put_line(physad__text *out, const physad__report *r)
{
    char numbers[96];
    const char *const names[3] = { r->dataset, r->category, r->method };
    for (int i = 0; i < 3; i++) {
        PHYSAD__TRY(put_text(out, names[i]));
        PHYSAD__TRY(physad__text_put(out, ",", 1));
    }
    const int n = physad__snprintf(numbers, sizeof(numbers), "%llu,%lld,%lld", (unsigned long long)r->seed,
                                   (long long)r->n_train, (long long)r->n_test);
    PHYSAD__TRY(physad__text_put(out, numbers, (size_t)n));
    for (int64_t i = 0; i < physad__figure_count; i++) {
        const physad__figure *f = &physad__figures[i];
        physad_metric metric = physad__metric_none(NULL);
        if (physad__figure_fits(f, r))
            metric = physad__figure_of(f, r);
        const double value[3] = { metric.value, metric.lower, metric.upper };
        for (int k = 0; k < (f->interval ? 3 : 1); k++) {
            PHYSAD__TRY(physad__text_put(out, ",", 1));
            PHYSAD__TRY(put_number(out, value[k]));
        }
    }
    const double times[5] = { r->fit_seconds, r->score_seconds, r->metrics_seconds, r->score_ms_median,
                              r->peak_rss_mib };
    for (int i = 0; i < 5; i++) {
        PHYSAD__TRY(physad__text_put(out, ",", 1));
        PHYSAD__TRY(put_number(out, times[i]));
    }
    return physad__text_put(out, "\r\n", 2);
}

char *physad__report_csv(const physad_evaluation *evaluation)
{
    physad__text out = { .mem = &evaluation->ctx->mem };
    physad_status status = put_header(&out);
    for (int64_t i = 0; i < evaluation->count && status == PHYSAD_OK; i++)
        status = put_line(&out, &evaluation->reports[i]);
    if (status == PHYSAD_OK)
        return out.data;
    physad__free(out.data);
    return NULL;
}
