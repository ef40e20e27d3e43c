/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const METRICS[][2] = {
    { "image_auroc", "image AUROC" }, { "image_ap", "image AP" }, { "image_f1_max", "image F1-max*" },
    { "pixel_auroc", "pixel AUROC" }, { "pixel_ap", "pixel AP" }, { "aupro", "AUPRO (0.3)" }, { "aupro_05", "AUPRO (0.05)" },
};

static const char STYLE[] =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;color:#1d1f23;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .8em;text-align:right;border-bottom:1px solid #d8dbe0}"
    "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}small{color:#5c6370}"
    ".photos{display:flex;flex-wrap:wrap;gap:.8em}figure{margin:0;width:18em}figure img{width:100%;border-radius:3px}"
    "figcaption{font-size:.82em;overflow-wrap:anywhere}.odd{color:#a3283a}"
    "@media(prefers-color-scheme:dark){body{background:#16181d;color:#e4e6ea}th,td{border-color:#3a3f4a}small{color:#9aa1ad}.odd{color:#ff8b98}}";

/* --- a growing text ---------------------------------------------------------------------------------- */

typedef struct page {
    char *text;
    size_t size, room;
    bool failed;
} page;

static void put(page *p, const char *text, size_t size)
{
    if (p->failed)
        return;
    if (p->size + size + 1 > p->room) {
        const size_t room = 2 * (p->size + size) + 4096;
        char *grown = realloc(p->text, room);
        if (grown == NULL) {
            p->failed = true;
            return;
        }
        p->text = grown;
        p->room = room;
    }
    memcpy(p->text + p->size, text, size);
    p->size += size;
}

static void raw(page *p, const char *text)
{
    put(p, text, strlen(text));
}

static void escaped(page *p, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&': raw(p, "&amp;"); break;
        case '<': raw(p, "&lt;"); break;
        case '>': raw(p, "&gt;"); break;
        case '"': raw(p, "&quot;"); break;
        default: put(p, text, 1); break;
        }
    }
}

/* A path as a relative address. */
static void address(page *p, const char *path)
{
    char code[4];
    for (; *path != '\0'; path++) {
        const unsigned char c = (unsigned char)*path;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-_.~", c) != NULL) {
            put(p, path, 1);
        } else {
            snprintf(code, sizeof(code), "%%%02X", c);
            raw(p, code);
        }
    }
}

/* --- the page ---------------------------------------------------------------------------------------- */

static void cell(page *p, const physad_metric *m)
{
    char text[64];
    raw(p, "<td>");
    if (isnan(m->value)) {
        raw(p, "<small title=\"");
        escaped(p, m->reason != NULL ? m->reason : "not measured");
        raw(p, "\">undefined</small>");
    } else {
        snprintf(text, sizeof(text), "%.4f", m->value);
        raw(p, text);
        if (!isnan(m->lower)) {
            snprintf(text, sizeof(text), "<br><small>%.3f to %.3f</small>", m->lower, m->upper);
            raw(p, text);
        }
    }
    raw(p, "</td>");
}

static void table(page *p, const physad_evaluation *e)
{
    raw(p, "<table><tr><th>method</th><th>category</th>");
    for (int k = 0; k < TOOL_COUNT(METRICS); k++) {
        raw(p, "<th>");
        raw(p, METRICS[k][1]);
        raw(p, "</th>");
    }
    raw(p, "</tr>\n");
    for (int64_t i = 0; i < physad_evaluation_count(e); i++) {
        char anchor[64];
        raw(p, "<tr><td>");
        escaped(p, physad_evaluation_method(e, i));
        snprintf(anchor, sizeof(anchor), "</td><td><a href=\"#r%lld\">", (long long)i);
        raw(p, anchor);
        const char *category = physad_evaluation_category(e, i);
        escaped(p, category[0] != '\0' ? category : "all");
        raw(p, "</a></td>");
        for (int k = 0; k < TOOL_COUNT(METRICS); k++) {
            physad_metric m = PHYSAD_METRIC_INIT;
            if (physad_evaluation_metric(e, i, METRICS[k][0], &m) != PHYSAD_OK)
                m.value = NAN;
            cell(p, &m);
        }
        raw(p, "</tr>\n");
    }
    raw(p, "</table>\n<p><small>Small: 95 % intervals by bootstrap over groups. *: an oracle's, its threshold is chosen on the test "
           "labels.</small></p>\n");
}

static int by_score(const void *a, const void *b)
{
    const physad_evaluated *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->path, y->path);
}

static void figure(page *p, const char *method, const physad_evaluated *s)
{
    char number[32];
    const char *path = s->path;
    while (*path == '/')
        path++;
    raw(p, "<figure><img loading=\"lazy\" alt=\"\" src=\"pictures/");
    address(p, method);
    raw(p, "/");
    address(p, path);
    raw(p, ".png\"><figcaption>");
    raw(p, tool_number(number, s->score));
    raw(p, s->label != 0 ? " <b class=\"odd\">" : " ");
    escaped(p, s->type);
    raw(p, s->label != 0 ? "</b><br><small>" : "<br><small>");
    escaped(p, s->path);
    raw(p, "</small></figcaption></figure>\n");
}

/* All photos of a result, the most anomalous first. */
static void gallery(page *p, const physad_evaluation *e, int64_t result)
{
    const int64_t n = physad_evaluation_sample_count(e, result);
    physad_evaluated *samples = calloc((size_t)(n > 0 ? n : 1), sizeof(*samples));
    char anchor[48];
    if (samples == NULL) {
        p->failed = true;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        samples[i] = (physad_evaluated)PHYSAD_EVALUATED_INIT;
        if (physad_evaluation_sample(e, result, i, &samples[i]) != PHYSAD_OK)
            p->failed = true;
    }
    if (!p->failed) {
        qsort(samples, (size_t)n, sizeof(*samples), by_score);
        snprintf(anchor, sizeof(anchor), "<h2 id=\"r%lld\">", (long long)result);
        raw(p, anchor);
        escaped(p, physad_evaluation_method(e, result));
        raw(p, physad_evaluation_category(e, result)[0] != '\0' ? ", " : "");
        escaped(p, physad_evaluation_category(e, result));
        raw(p, "</h2>\n<div class=\"photos\">\n");
        for (int64_t i = 0; i < n; i++)
            figure(p, physad_evaluation_method(e, result), &samples[i]);
        raw(p, "</div>\n");
    }
    free(samples);
}

static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static int write_in(const char *folder, const char *name, const char *text, size_t size)
{
    char *path = join(folder, name);
    const int code = path != NULL && text != NULL ? tool_write(path, text, size) : tool_error("no memory for %s", name);
    free(path);
    return code;
}

int tool_report_begin(const char *folder, char **pictures)
{
    *pictures = join(folder, "pictures");
    if (*pictures == NULL)
        return tool_error("no memory for the report");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return tool_error("%s: %s", folder, strerror(errno));
    if (mkdir(*pictures, 0777) != 0 && errno != EEXIST)
        return tool_error("%s: %s", *pictures, strerror(errno));
    return TOOL_DONE;
}

int tool_report_write(const char *folder, const physad_evaluation *e)
{
    page p = { 0 };
    raw(&p, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\n"
            "<title>physad: evaluation</title><style>");
    raw(&p, STYLE);
    raw(&p, "</style>\n<h1>Evaluation</h1>\n");
    table(&p, e);
    raw(&p, "<p>Each photo and, beside it, its score map; outlined: the ground truth. The most anomalous come first.</p>\n");
    for (int64_t i = 0; i < physad_evaluation_count(e); i++)
        gallery(&p, e, i);
    raw(&p, "<p><small>physad ");
    raw(&p, physad_version());
    raw(&p, "</small></p>\n</html>\n");
    int code = p.failed ? tool_error("no memory for the report") : write_in(folder, "index.html", p.text, p.size);
    const char *json = physad_evaluation_json(e), *csv = physad_evaluation_csv(e);
    if (code == TOOL_DONE)
        code = write_in(folder, "results.json", json, json != NULL ? strlen(json) : 0);
    if (code == TOOL_DONE)
        code = write_in(folder, "results.csv", csv, csv != NULL ? strlen(csv) : 0);
    free(p.text);
    return code;
}
