/* SPDX-License-Identifier: Apache-2.0 */
/* The greedy k-center rule without looking at every pair.
 *
 * Each place keeps `least`, the exact least squared distance to the first `seen` picks: a bound from above of what
 * counts. The farthest place is sought only among the *active* ones, those whose least reaches a bar; all others lie
 * below it, whatever the picks since they were last looked at. A pick updates the active places alone. When none
 * reaches the bar any more, it is lowered to the k-th largest least, and the few places that reach it now catch up with
 * the picks they have missed: many places with many picks at a time, which the scan of codes does as for a search.
 * Points that never come near the top are never looked at again.
 *
 * A pair is dropped where its bound from below reaches the place's least: then the minimum stays. What is left is
 * measured in f32, then exactly, so `least` is the truth's minimum, and ties go by row. */
#include "bank/bank_greedy.h"

#include "physad_config.h"

#ifdef PHYSAD_HAVE_OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif

#define BATCH 128 /* picks scanned at a time */
#define UNIT 512  /* places that one thread brings up to date at a time */

/* The picks so far, encoded as queries. */
typedef struct centres {
    int64_t n;
    int8_t *z;
    float *error;
    int32_t *norm, *scan_half, *sum; /* scan_half: limit of the scan */
    int64_t *row;
} centres;

typedef struct greedy {
    const physad__plan *plan;
    const physad__rows *rows;
    double *least;  /* of each place; -1: picked */
    float *reach;   /* its root in code units, rounded up, with the place's own error */
    int32_t *seen;
    int32_t *active;
    int64_t n_active;
    double bar;
    centres centres;
    int64_t *late; /* seen and place of those that catch up */
    double *sorted;
    struct workspace *workspaces;
    char *memory;
} greedy;

/* Of one thread. */
typedef struct workspace {
    uint8_t *panels; /* UNIT x scan_dims */
    int32_t *waiting; /* BATCH x UNIT */
    int32_t *dots;
    int64_t *list;
    int32_t *places;
    float *near;
    double *exact;
    int32_t bias[UNIT], count[BATCH], limits[BATCH];
    uint64_t hits[BATCH];
} workspace;

static void set_reach(greedy *g, int64_t place)
{
    const double reach = sqrt(fmax(0, g->least[place])) * g->plan->axes.scale;
    g->reach[place] = (float)(reach * (1 + 0x1p-20)) + 0x1p-100f + g->plan->error[place] * (1 + 0x1p-20f);
}

/* Lowers `least` of the places where pick c is nearer than all before. */
static void compare(greedy *g, workspace *w, int64_t c, const int32_t *places, int64_t n)
{
    const physad__plan *plan = g->plan;
    const physad_kernels *kernels = g->rows->kernels;
    const centres *picked = &g->centres;
    const int64_t d = g->rows->d, size = plan->axes.size;
    const float *row = g->rows->data + picked->row[c] * d;
    const int32_t base = picked->norm[c] + 2 * plan->step * 128 * picked->sum[c];
    const float error = picked->error[c];
    int64_t kept = 0;
    kernels->code_dots(w->dots, picked->z + c * size, plan->codes, size, places, n);
    for (int64_t i = 0; i < n; i++) {
        const int32_t place = places[i], far = base + plan->norm[place] - 2 * plan->step * w->dots[i];
        const double reach = (double)g->reach[place] + (double)error;
        if ((double)far > reach * reach)
            continue;
        w->places[kept] = place;
        w->list[kept++] = plan->row[place];
    }
    if (kept == 0)
        return;
    kernels->distances(w->near, row, g->rows->data, d, w->list, kept, d);
    n = 0;
    for (int64_t i = 0; i < kept; i++) {
        if (physad__distance_floor(w->near[i], d) >= g->least[w->places[i]])
            continue;
        w->places[n] = w->places[i];
        w->list[n++] = w->list[i];
    }
    kernels->exact_distances(w->exact, row, g->rows->data, d, w->list, n, d);
    for (int64_t i = 0; i < n; i++) {
        const int32_t place = w->places[i];
        if (w->exact[i] < g->least[place]) {
            g->least[place] = w->exact[i];
            set_reach(g, place);
        }
    }
}

/* --- picks --- */

/* The row's codes as those of a query: in steps of two where the kernels want them small, with the error that this
 * adds. */
static void add_centre(greedy *g, int32_t place)
{
    const physad__plan *plan = g->plan;
    centres *c = &g->centres;
    const int64_t size = plan->axes.size, at = c->n++;
    const uint8_t *code = plan->codes + place * size;
    int8_t *z = c->z + at * size;
    int32_t norm = 0, scan_norm = 0, missed = 0, sum = 0, scan_sum = 0;
    for (int64_t j = 0; j < size; j++) {
        const int value = code[j] - 128, coarse = plan->step == 1 ? value : value / 2,
                  off = value - plan->step * coarse;
        z[j] = (int8_t)coarse;
        missed += off * off;
        norm += coarse * coarse;
        sum += coarse;
        if (j < plan->axes.scan_dims) {
            scan_norm += coarse * coarse;
            scan_sum += coarse;
        }
    }
    c->norm[at] = norm * plan->step * plan->step;
    c->sum[at] = sum;
    c->scan_half[at] = scan_norm * plan->step / 2 + 128 * scan_sum;
    c->error[at] = (plan->error[place] + sqrtf((float)missed)) * (1 + 0x1p-20f);
    c->row[at] = plan->row[place];
}

static bool farther(const greedy *g, int32_t a, int32_t b)
{
    return g->least[a] > g->least[b] || (g->least[a] == g->least[b] && g->plan->row[a] < g->plan->row[b]);
}

/* Takes the farthest active place; false when none reaches the bar. */
static bool farthest(greedy *g, int32_t *place)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < g->n_active; i++) {
        const int32_t p = g->active[i];
        if (g->least[p] < g->bar)
            continue;
        g->active[kept++] = p;
        if (kept == 1 || farther(g, p, *place))
            *place = p;
    }
    g->n_active = kept;
    return kept > 0;
}

static void pick(greedy *g, int32_t place, int64_t *picks, double *radii)
{
    const int64_t at = g->centres.n;
    picks[at] = g->plan->row[place];
    if (radii != NULL)
        radii[at] = sqrt(g->least[place]);
    g->least[place] = -1;
    add_centre(g, place);
}

/* --- catching up --- */

static int compare_keys(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The k-th largest of n values, which it reorders. */
static double kth_largest(double *values, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const double pivot = values[low + (high - low) / 2];
        int64_t a = low, b = high;
        while (a <= b) {
            while (values[a] > pivot)
                a++;
            while (values[b] < pivot)
                b--;
            if (a <= b) {
                const double kept = values[a];
                values[a++] = values[b];
                values[b--] = kept;
            }
        }
        if (k - 1 <= b)
            high = b;
        else if (k - 1 >= a)
            low = a;
        else
            break;
    }
    return values[k - 1];
}

static int32_t late_place(const greedy *g, int64_t i)
{
    return (int32_t)(g->late[i] & 0x7fffffff);
}

/* Panels and starting sums of the places first .. first + n - 1 of the list. */
static void gather(const greedy *g, workspace *w, int64_t first, int64_t n)
{
    const physad__plan *plan = g->plan;
    const int64_t dims = plan->axes.scan_dims, size = plan->axes.size, panels = (n + PHYSAD__PANEL - 1) / PHYSAD__PANEL;
    if (n % PHYSAD__PANEL != 0) /* the last one's empty places, which are multiplied as well */
        memset(w->panels + (panels - 1) * PHYSAD__PANEL * dims, 0, (size_t)(PHYSAD__PANEL * dims));
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *code = plan->codes + late_place(g, first + i) * size;
        uint8_t *out = w->panels + i / PHYSAD__PANEL * PHYSAD__PANEL * dims + i % PHYSAD__PANEL * 4;
        for (int64_t j = 0; j < dims; j += 4)
            memcpy(out + j * PHYSAD__PANEL, code + j, 4);
    }
}

/* A pair passes when dot - |z(place)|^2 / (2 step) - |z(pick)|^2 / (2 step) reaches -(reach + error of the pick)^2 / (2
 * step). */
static void set_bias(const greedy *g, workspace *w, int64_t first, int64_t n, double error)
{
    const physad__plan *plan = g->plan;
    for (int64_t i = 0; i < UNIT; i++) {
        w->bias[i] = PHYSAD__BIAS_NEVER;
        if (i >= n)
            continue;
        const int32_t place = late_place(g, first + i);
        const double reach = (double)g->reach[place] + error, gain = ceil(reach * reach / (2 * plan->step)) + 2;
        w->bias[i] = plan->bias[place] + (gain < PHYSAD__LIMIT_MOST ? (int32_t)gain : PHYSAD__LIMIT_MOST);
    }
}

static void collect(const greedy *g, workspace *w, int64_t first, int64_t panel, int64_t n_centres)
{
    for (int64_t c = 0; c < n_centres; c++) {
        int32_t *out = w->waiting + c * UNIT, count = w->count[c];
        for (uint64_t bits = w->hits[c]; bits != 0; bits &= bits - 1)
            out[count++] = late_place(g, first + panel * PHYSAD__PANEL + __builtin_ctzll(bits));
        w->count[c] = count;
    }
}

/* Brings the places first .. first + n - 1 of the list up to date, n <= UNIT. */
static void catch_up(greedy *g, workspace *w, int64_t first, int64_t n)
{
    const physad__plan *plan = g->plan;
    const centres *picked = &g->centres;
    const int64_t dims = plan->axes.scan_dims, size = plan->axes.size, start = g->late[first] >> 31;
    gather(g, w, first, n);
    for (int64_t c = start; c < picked->n; c += BATCH) {
        const int64_t count = physad__min(BATCH, picked->n - c);
        float error = 0;
        for (int64_t i = 0; i < count; i++) {
            error = fmaxf(error, picked->error[c + i]);
            w->limits[i] = picked->scan_half[c + i];
            w->count[i] = 0;
        }
        set_bias(g, w, first, n, (double)error);
        for (int64_t panel = 0; panel * PHYSAD__PANEL < n; panel++)
            if (g->rows->kernels->code_scan(w->hits, w->panels + panel * PHYSAD__PANEL * dims,
                                            w->bias + panel * PHYSAD__PANEL, picked->z + c * size, size, w->limits,
                                            count, dims / 4) > 0)
                collect(g, w, first, panel, count);
        for (int64_t i = 0; i < count; i++)
            if (w->count[i] > 0)
                compare(g, w, c + i, w->waiting + i * UNIT, w->count[i]);
    }
    for (int64_t i = 0; i < n; i++)
        g->seen[late_place(g, first + i)] = (int32_t)picked->n;
}

/* Lowers the bar and fills the active places; all that reach it are up to date then. */
static void lower_bar(greedy *g, int64_t wanted)
{
    const int64_t n = g->plan->n;
    memcpy(g->sorted, g->least, (size_t)n * sizeof(double));
    g->bar = fmax(0, kth_largest(g->sorted, n, physad__min(n, wanted)));
    int64_t late = 0;
    for (int64_t p = 0; p < n; p++)
        if (g->least[p] >= g->bar && g->seen[p] < g->centres.n)
            g->late[late++] = (int64_t)g->seen[p] << 31 | p;
    qsort(g->late, (size_t)late, sizeof(*g->late), compare_keys);
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(dynamic)
#endif
    for (int64_t first = 0; first < late; first += UNIT)
        catch_up(g, &g->workspaces[THREAD], first, physad__min(UNIT, late - first));
    g->n_active = 0;
    for (int64_t p = 0; p < n; p++)
        if (g->least[p] >= g->bar)
            g->active[g->n_active++] = (int32_t)p;
}

/* --- the whole --- */

/* Everything that the first pick says. */
static void start(greedy *g)
{
    const centres *picked = &g->centres;
    const float *row = g->rows->data + picked->row[0] * g->rows->d;
#ifdef PHYSAD_HAVE_OPENMP
#pragma omp parallel for schedule(static)
#endif
    for (int64_t first = 0; first < g->plan->n; first += PHYSAD__PANEL) {
        double exact[PHYSAD__PANEL];
        int64_t list[PHYSAD__PANEL];
        const int64_t n = physad__min(PHYSAD__PANEL, g->plan->n - first);
        for (int64_t i = 0; i < n; i++)
            list[i] = g->plan->row[first + i];
        g->rows->kernels->exact_distances(exact, row, g->rows->data, g->rows->d, list, n, g->rows->d);
        for (int64_t i = 0; i < n; i++) {
            g->least[first + i] = list[i] == picked->row[0] ? -1 : exact[i];
            g->seen[first + i] = 1;
            set_reach(g, first + i);
        }
    }
}

static physad_status run(greedy *g, int64_t first, int64_t count, int64_t *picks, double *radii, physad__call *call)
{
    /* Lowering the bar looks at all places, a pick at the active ones: of many places more are active. */
    const int64_t n = g->plan->n, wanted = physad__max(256, physad__max(physad__min(4096, n / 32), n / 128));
    int32_t place = 0;
    while (g->plan->row[place] != first)
        place++;
    g->least[place] = INFINITY;
    pick(g, place, picks, radii);
    start(g);
    while (g->centres.n < count) {
        /* Where all that reached the bar fell below it as they caught up, there are more such: twice as many next time.
         */
        for (int64_t some = wanted; !farthest(g, &place); some = physad__min(2 * some, n))
            lower_bar(g, some);
        pick(g, place, picks, radii);
        compare(g, &g->workspaces[0], g->centres.n - 1, g->active, g->n_active);
        for (int64_t i = 0; i < g->n_active; i++)
            g->seen[g->active[i]] = (int32_t)g->centres.n;
        PHYSAD__TRY(physad__call_tick(call, g->centres.n));
    }
    return PHYSAD_OK;
}

static char *take(char **at, size_t size)
{
    char *here = *at;
    *at += (size + 63) / 64 * 64;
    return here;
}

/* Cuts the memory into the arrays; with an imaginary base it only adds their sizes up. */
static size_t lay_out(greedy *g, char *base, int64_t count, int64_t threads)
{
    const size_t n = (size_t)g->plan->n, size = (size_t)g->plan->axes.size, picks = (size_t)count;
    char *at = base;
    g->least = (void *)take(&at, n * sizeof(double));
    g->sorted = (void *)take(&at, n * sizeof(double));
    g->late = (void *)take(&at, n * sizeof(int64_t));
    g->reach = (void *)take(&at, n * sizeof(float));
    g->seen = (void *)take(&at, n * sizeof(int32_t));
    g->active = (void *)take(&at, n * sizeof(int32_t));
    g->centres.z = (void *)take(&at, picks * size);
    g->centres.error = (void *)take(&at, picks * sizeof(float));
    g->centres.norm = (void *)take(&at, picks * sizeof(int32_t));
    g->centres.scan_half = (void *)take(&at, picks * sizeof(int32_t));
    g->centres.sum = (void *)take(&at, picks * sizeof(int32_t));
    g->centres.row = (void *)take(&at, picks * sizeof(int64_t));
    g->workspaces = (void *)take(&at, (size_t)threads * sizeof(workspace));
    for (int64_t t = 0; t < threads; t++) {
        const size_t longest = t == 0 ? (n > UNIT ? n : UNIT) : UNIT; /* the first one also updates all active places */
        workspace w;
        memset(&w, 0, sizeof(w));
        w.panels = (void *)take(&at, UNIT * (size_t)g->plan->axes.scan_dims);
        w.waiting = (void *)take(&at, (size_t)BATCH * UNIT * sizeof(int32_t));
        w.dots = (void *)take(&at, longest * sizeof(int32_t));
        w.list = (void *)take(&at, longest * sizeof(int64_t));
        w.places = (void *)take(&at, longest * sizeof(int32_t));
        w.near = (void *)take(&at, longest * sizeof(float));
        w.exact = (void *)take(&at, longest * sizeof(double));
        if (g->memory != NULL)
            memcpy(&g->workspaces[t], &w, sizeof(w));
    }
    return (size_t)(at - base);
}

physad_status physad__greedy(const physad__plan *plan, const physad__rows *rows, int64_t first, int64_t count,
                             int64_t *picks, double *radii, physad__call *call)
{
    static char nothing;
    greedy g = { .plan = plan, .rows = rows };
    const int64_t threads = call->ctx->threads;
    const size_t size = lay_out(&g, &nothing, count, threads);
    g.memory = physad__alloc(&call->ctx->mem, size, "working memory of the coreset");
    if (g.memory == NULL)
        return PHYSAD_ERR_NOMEM;
    lay_out(&g, g.memory, count, threads);
    g.n_active = 0;
    const physad_status status = run(&g, first, count, picks, radii, call);
    physad__free(g.memory);
    return status;
}
