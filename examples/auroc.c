/* SPDX-License-Identifier: Apache-2.0 */
/* The AUROC of scores from anywhere, exact, with its interval.
 *
 *   cc auroc.c $(pkg-config --cflags --libs physad) -o auroc
 *   ./auroc < scores.txt          lines "score label [group]", label 0 normal, 1 anomalous
 *
 * Without input it measures ten made-up samples. */
#include <physad/physad.h>

#include <stdio.h>
#include <stdlib.h>

static int failed(void)
{
    fprintf(stderr, "auroc: %s\n", physad_last_error());
    return 1;
}

static int read_scores(physad_scores *scores, FILE *in)
{
    char line[512], group[256];
    double score;
    int label;
    while (fgets(line, sizeof(line), in) != NULL) {
        const int fields = sscanf(line, "%lf %d %255s", &score, &label, group);
        if (fields < 2) {
            fprintf(stderr, "auroc: no \"score label\": %s", line);
            return 1;
        }
        /* Samples of one group (views of one thing) are not independent: intervals are drawn over groups. */
        if (physad_scores_add(scores, score, label, NULL, fields == 3 ? group : NULL) != PHYSAD_OK)
            return failed();
    }
    return 0;
}

static int made_up(physad_scores *scores)
{
    static const double score[10] = { 0.11, 0.14, 0.18, 0.21, 0.24, 0.35, 0.22, 0.41, 0.47, 0.63 };
    for (int i = 0; i < 10; i++)
        if (physad_scores_add(scores, score[i], i >= 6, NULL, NULL) != PHYSAD_OK)
            return failed();
    return 0;
}

static int measure(const physad_scores *scores)
{
    static const char *const names[] = { "auroc", "ap", "f1_max" };
    physad_metrics *metrics = NULL;
    if (physad_scores_measure(&metrics, scores, NULL, NULL) != PHYSAD_OK)
        return failed();
    for (int i = 0; i < 3; i++) {
        physad_metric m = PHYSAD_METRIC_INIT;
        if (physad_metrics_get(metrics, names[i], &m) != PHYSAD_OK) {
            physad_metrics_free(metrics);
            return failed();
        }
        if (m.reason != NULL)
            printf("%-6s  undefined: %s\n", names[i], m.reason);
        else
            printf("%-6s  %.4f  [%.4f, %.4f]\n", names[i], m.value, m.lower, m.upper);
    }
    physad_metrics_free(metrics);
    return 0;
}

int main(void)
{
    physad_context *ctx = NULL;
    physad_scores *scores = NULL;
    int bad = physad_context_new(&ctx, NULL) || physad_scores_new(&scores, ctx) ? failed() : read_scores(scores, stdin);
    if (!bad && physad_scores_count(scores) == 0)
        bad = made_up(scores);
    if (!bad)
        bad = measure(scores);
    physad_scores_free(scores);
    physad_context_free(ctx);
    return bad;
}
