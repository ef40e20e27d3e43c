/* SPDX-License-Identifier: Apache-2.0 */
/* Which operations a run needs, how long each array lives over forward and backward, and where it lies. Step i runs
 * operation i forward, step 2n - 1 - i runs it backward. */
#include "nn/nn_plan.h"
#include "nn/nn_tape_node.h"

enum { ALIGN = 64 };

extern const physad__tape_op physad__tape_op_input, physad__tape_op_param;

/* What lives in one place: an array, or several that share it. */
typedef struct life {
    int32_t same; /* the life that this one is part of; -1: its own */
    int64_t bytes, first, last;
} life;

typedef struct plan {
    physad__tape *t;
    int64_t end;
    life *data, *grad; /* one per node; first < 0: does not live */
    bool *kept;
} plan;

static bool is_leaf(const physad__tape_node *n)
{
    return n->op == &physad__tape_op_input || n->op == &physad__tape_op_param;
}

static life *root(life *lives, int32_t i)
{
    while (lives[i].same >= 0)
        i = lives[i].same;
    return &lives[i];
}

/* --- who takes part --- */

static void mark(physad__tape *t, const int32_t *keep, int64_t keep_count)
{
    for (int64_t i = 0; i < t->count; i++)
        t->nodes[i].used = t->nodes[i].op == &physad__tape_op_input;
    for (int64_t i = 0; i < keep_count; i++)
        t->nodes[keep[i]].used = true;
    if (t->loss >= 0) {
        t->nodes[t->loss].used = true;
        t->nodes[t->loss].on_path = t->nodes[t->loss].wants;
    }
    for (int64_t i = t->count - 1; i >= 0; i--) {
        const physad__tape_node *n = &t->nodes[i];
        for (int32_t k = 0; n->used && k < n->inputs; k++) {
            physad__tape_node *in = &t->nodes[n->input[k]];
            in->used = true;
            in->on_path = in->on_path || (n->on_path && in->wants);
        }
    }
}

/* --- lives --- */

static void reach(life *lives, int32_t i, int64_t step)
{
    life *l = root(lives, i);
    l->last = physad__max(l->last, step);
}

static void live_data(plan *p)
{
    physad__tape *t = p->t;
    const int64_t n = t->count;
    for (int32_t i = 0; i < n; i++) {
        const physad__tape_node *v = &t->nodes[i];
        life *l = &p->data[i];
        if (!v->used || v->op == &physad__tape_op_param)
            continue;
        if (v->data_root == i)
            *l = (life){ -1, physad__tape_bytes(v), is_leaf(v) ? 0 : i, is_leaf(v) || p->kept[i] ? p->end : i };
        else if (p->kept[i])
            reach(p->data, v->data_root, p->end);
        if (v->on_path && (v->op->needs & PHYSAD__TAPE_OUTPUT))
            reach(p->data, v->data_root, 2 * n - 1 - i);
        for (int32_t k = 0; k < v->inputs; k++)
            reach(p->data, t->nodes[v->input[k]].data_root, v->on_path && (v->op->needs & 1u << k) ? 2 * n - 1 - i : i);
    }
}

static void share_data(plan *p)
{
    physad__tape *t = p->t;
    for (int32_t i = 0; i < t->count; i++) {
        const physad__tape_node *v = &t->nodes[i];
        if (!v->used || !v->op->data_shared)
            continue;
        const int32_t from = t->nodes[v->input[0]].data_root;
        life *l = root(p->data, from), *own = &p->data[i];
        if (t->nodes[from].op == &physad__tape_op_param || l->first < 0 || l->last != i || l->bytes != own->bytes)
            continue;
        l->last = own->last;
        own->same = (int32_t)(l - p->data);
    }
}

/* In the order in which backward runs. */
static void live_grad(plan *p)
{
    physad__tape *t = p->t;
    const int64_t n = t->count;
    if (t->loss >= 0)
        p->grad[t->loss] = (life){ -1, (int64_t)sizeof(float), n, p->end };
    for (int32_t i = (int32_t)n - 1; i >= 0; i--) {
        physad__tape_node *v = &t->nodes[i];
        const int64_t step = 2 * n - 1 - i;
        if (!v->on_path || v->op->view || is_leaf(v))
            continue;
        for (int32_t k = 0; k < v->inputs; k++) {
            const int32_t r = t->nodes[v->input[k]].grad_root;
            physad__tape_node *to = &t->nodes[r];
            life *l = &p->grad[r];
            v->fresh[k] = t->nodes[v->input[k]].wants && to->op != &physad__tape_op_param && l->first < 0;
            if (!v->fresh[k])
                continue;
            *l = (life){ -1, physad__tape_bytes(to), step, to->grad_free ? p->end : 2 * n - 1 - r };
            const bool twice = v->inputs > 1 && t->nodes[v->input[0]].grad_root == t->nodes[v->input[1]].grad_root;
            if (k > 0 || twice || !v->op->grad_shared || to->count != v->count || to->bf16 != v->bf16 || i == t->loss)
                continue;
            life *own = root(p->grad, v->grad_root);
            own->last = physad__max(own->last, l->last);
            l->same = (int32_t)(own - p->grad);
        }
    }
}

/* --- places --- */

static int64_t list(const plan *p, physad__nn_item *items)
{
    const physad__tape *t = p->t;
    int64_t count = 0;
    for (int64_t i = 0; i < t->count; i++) {
        const physad__tape_node *v = &t->nodes[i];
        if (p->data[i].first >= 0 && p->data[i].same < 0)
            items[count++] = (physad__nn_item){ p->data[i].bytes, p->data[i].first, p->data[i].last, 0 };
        if (p->grad[i].first >= 0 && p->grad[i].same < 0)
            items[count++] = (physad__nn_item){ p->grad[i].bytes, p->grad[i].first, p->grad[i].last, 0 };
        if (v->used && v->saved_bytes > 0 && t->holdable)
            items[count++] = (physad__nn_item){ v->saved_bytes, 0, p->end, 0 };
        else if (v->used && v->saved_bytes > 0)
            items[count++] = (physad__nn_item){ v->saved_bytes, i, v->on_path ? 2 * t->count - 1 - i : i, 0 };
    }
    return count;
}

/* Pointers of the lives that have their own place, then of all that share. */
static void point(const plan *p, const physad__nn_item *items)
{
    physad__tape *t = p->t;
    int64_t count = 0;
    for (int64_t i = 0; i < t->count; i++) {
        physad__tape_node *v = &t->nodes[i];
        if (p->data[i].first >= 0 && p->data[i].same < 0)
            v->data = (float *)(void *)(t->arena + items[count++].offset);
        if (p->grad[i].first >= 0 && p->grad[i].same < 0)
            v->grad = (float *)(void *)(t->arena + items[count++].offset);
        if (v->used && v->saved_bytes > 0)
            v->saved = t->arena + items[count++].offset;
        if (v->op == &physad__tape_op_param) {
            const physad__param *param = &t->params->items[v->param[0]];
            v->data = param->data;
            v->grad = param->grad;
        }
    }
    for (int32_t i = 0; i < t->count; i++) {
        physad__tape_node *v = &t->nodes[i];
        if (v->op == &physad__tape_op_param)
            continue;
        const int32_t d = (int32_t)(root(p->data, v->data_root) - p->data),
                      g = (int32_t)(root(p->grad, v->grad_root) - p->grad);
        v->data = t->nodes[d].data;
        v->grad = v->wants ? t->nodes[g].grad : NULL;
    }
}

static physad_status place(plan *p)
{
    physad__tape *t = p->t;
    physad__nn_item *items = physad__alloc_array(t->mem, 3 * t->count, sizeof(*items), "tape");
    if (items == NULL)
        return PHYSAD_ERR_NOMEM;
    physad_status status = physad__nn_items_place(t->mem, items, list(p, items), &t->arena_bytes);
    if (status == PHYSAD_OK) {
        t->arena = physad__alloc_zero(t->mem, (size_t)t->arena_bytes, "activations and gradients of a network");
        t->scratch = physad__alloc(t->mem, (size_t)t->scratch_bytes, "scratch of a network");
        status = t->arena != NULL && t->scratch != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    }
    if (status == PHYSAD_OK)
        point(p, items);
    physad__free(items);
    return status;
}

/* --- compiling --- */

static physad_status prepare(physad__tape *t)
{
    PHYSAD__TRY(physad__dnn_new(&t->dnn, t->mem));
    PHYSAD__TRY(physad__dnn_stream_new(t->dnn, &t->stream));
    for (int64_t i = 0; i < t->count; i++) {
        physad__tape_node *n = &t->nodes[i];
        if (n->used && n->op->prepare != NULL)
            PHYSAD__TRY(n->op->prepare(t, n));
        n->saved_bytes = (n->saved_bytes + ALIGN - 1) / ALIGN * ALIGN;
        t->scratch_bytes = physad__max(t->scratch_bytes, n->scratch_bytes);
    }
    return PHYSAD_OK;
}

static physad_status check(const physad__tape *t, int32_t loss, const int32_t *keep, int64_t keep_count)
{
    if (t->failed != PHYSAD_OK)
        return t->failed;
    if (t->dnn != NULL)
        return physad__error(PHYSAD_ERR_STATE, "tape: compiled already");
    if (loss >= t->count || (loss >= 0 && t->nodes[loss].count != 1))
        return physad__error(PHYSAD_ERR_ARG, "tape: the loss is not one number");
    for (int64_t i = 0; i < keep_count; i++)
        if (keep[i] < 0 || keep[i] >= t->count || t->nodes[keep[i]].bf16)
            return physad__error(PHYSAD_ERR_ARG, "tape: value %d to keep does not exist or is of bf16", keep[i]);
    if (t->mixed && t->holdable)
        return physad__error(PHYSAD_ERR_ARG, "tape: differences of gradients need f32, not mixed precision");
    return PHYSAD_OK;
}

physad_status physad__tape_compile(physad__tape *t, int32_t loss, const int32_t *keep, int64_t keep_count)
{
    PHYSAD__TRY(check(t, loss, keep, keep_count));
    const int64_t n = t->count;
    plan p = { .t = t,
               .end = 2 * n,
               .data = physad__alloc_array(t->mem, n, sizeof(life), "tape"),
               .grad = physad__alloc_array(t->mem, n, sizeof(life), "tape"),
               .kept = physad__alloc_zero(t->mem, (size_t)n, "tape") };
    physad_status status = p.data != NULL && p.grad != NULL && p.kept != NULL ? PHYSAD_OK : PHYSAD_ERR_NOMEM;
    if (status == PHYSAD_OK) {
        t->loss = loss;
        for (int64_t i = 0; i < n; i++)
            p.data[i] = p.grad[i] = (life){ -1, 0, -1, -1 };
        for (int64_t i = 0; i < keep_count; i++)
            p.kept[keep[i]] = true;
        if (loss >= 0)
            p.kept[loss] = true;
        mark(t, keep, keep_count);
        status = prepare(t);
    }
    if (status == PHYSAD_OK) {
        live_data(&p);
        share_data(&p);
        live_grad(&p);
        status = place(&p);
    }
    physad__free(p.data);
    physad__free(p.grad);
    physad__free(p.kept);
    return status;
}

/* --- running --- */

physad_status physad__tape_forward(physad__tape *t)
{
    for (int64_t i = 0; i < t->count; i++)
        if (t->nodes[i].used)
            PHYSAD__TRY(t->nodes[i].op->forward(t, &t->nodes[i]));
    return PHYSAD_OK;
}

physad_status physad__tape_backward(physad__tape *t)
{
    if (t->loss < 0)
        return physad__error(PHYSAD_ERR_STATE, "tape: compiled without a loss");
    if (t->nodes[t->loss].grad == NULL)
        return PHYSAD_OK; /* nothing that is trained leads to it */
    t->nodes[t->loss].grad[0] = 1;
    for (int64_t i = t->count - 1; i >= 0; i--)
        if (t->nodes[i].on_path)
            PHYSAD__TRY(t->nodes[i].op->backward(t, &t->nodes[i]));
    return PHYSAD_OK;
}
