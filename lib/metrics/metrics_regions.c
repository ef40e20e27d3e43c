/* SPDX-License-Identifier: Apache-2.0 */
/* 8-connected regions by runs: a row's runs join those of the row above that they touch, also at a corner. */
#include "metrics/metrics.h"

static int32_t find_root(int32_t *parent, int32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* The smaller number stays the root, so that roots come in raster order. */
static void join(int32_t *parent, int32_t a, int32_t b)
{
    a = find_root(parent, a);
    b = find_root(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* Labels the run [begin, end) of a row: as what it touches above, else with a new number. */
static physad_status label_run(physad__mem *mem, int32_t *row, const int32_t *above, int64_t begin, int64_t end,
                               int64_t width, int32_t **parent, int64_t *capacity, int64_t *count)
{
    int32_t label = 0;
    if (above != NULL) {
        const int64_t last = physad__min(end, width - 1);
        for (int64_t x = physad__max(begin - 1, 0); x <= last; x++) {
            if (above[x] == 0 || above[x] == label)
                continue;
            if (label == 0)
                label = above[x];
            else
                join(*parent, label, above[x]);
        }
    }
    if (label == 0) {
        if (*count == INT32_MAX)
            return physad__error(PHYSAD_ERR_UNSUPPORTED, "mask: too many regions");
        PHYSAD__TRY(physad__grow(mem, parent, capacity, *count + 1, sizeof(**parent), "regions of a mask"));
        label = (int32_t)*count;
        (*parent)[(*count)++] = label;
    }
    for (int64_t x = begin; x < end; x++)
        row[x] = label;
    return PHYSAD_OK;
}

physad_status physad__regions(physad__mem *mem, const uint8_t *mask, int64_t height, int64_t width, int32_t *region,
                              int32_t *count)
{
    int32_t *parent = NULL;
    int64_t capacity = 0, labels = 1; /* 0 is "none" */
    physad_status status = physad__grow(mem, &parent, &capacity, 1, sizeof(*parent), "regions of a mask");
    if (status == PHYSAD_OK)
        parent[0] = 0;
    memset(region, 0, (size_t)(height * width) * sizeof(*region));
    for (int64_t y = 0; y < height && status == PHYSAD_OK; y++) {
        const uint8_t *m = mask + y * width;
        int32_t *row = region + y * width;
        for (int64_t x = 0; x < width && status == PHYSAD_OK; x++) {
            if (m[x] == 0)
                continue;
            int64_t end = x + 1;
            while (end < width && m[end] != 0)
                end++;
            status = label_run(mem, row, y > 0 ? row - width : NULL, x, end, width, &parent, &capacity, &labels);
            x = end;
        }
    }
    if (status == PHYSAD_OK) {
        int32_t regions = 0;
        for (int64_t i = 1; i < labels; i++) /* what a label points to comes before it, and holds its number already */
            parent[i] = parent[i] == i ? ++regions : parent[parent[i]];
        for (int64_t i = 0; i < height * width; i++)
            region[i] = parent[region[i]];
        *count = regions;
    }
    physad__free(parent);
    return status;
}
