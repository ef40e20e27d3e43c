/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes the taps need, and which of them run as one. */
#include "nn/nn_plan.h"

typedef struct planner {
    const physad__nn_graph *g;
    bool *needed;
    bool *kept;      /* a tap: its value must exist on its own */
    int32_t *users;  /* how many needed nodes read the value */
    int32_t *user;   /* the last of them */
    int32_t *made;   /* the step that makes the value; -1: none yet */
    physad__nn_step *steps;
    int64_t count;
} planner;

static void mark(planner *p, const physad__nn_config *config)
{
    const physad__nn_graph *g = p->g;
    for (int64_t i = 0; i < config->tap_count; i++)
        p->needed[config->taps[i]] = p->kept[config->taps[i]] = true;
    for (int64_t i = g->count - 1; i >= 0; i--) {
        p->made[i] = -1;
        for (int k = 0; p->needed[i] && k < 2; k++) {
            const int32_t in = g->nodes[i].input[k];
            if (in < 0)
                continue;
            p->needed[in] = true;
            p->users[in]++;
            if (p->users[in] == 1)
                p->user[in] = (int32_t)i;
        }
    }
}

/* The one node that reads `value`, if the value need not exist by itself; else -1. */
static int32_t only_user(const planner *p, int32_t value)
{
    return p->users[value] == 1 && !p->kept[value] ? p->user[value] : -1;
}

static physad__dnn_activation activation_of(physad__nn_op op)
{
    switch (op) {
    case PHYSAD__NN_RELU: return PHYSAD__DNN_RELU;
    case PHYSAD__NN_RELU6: return PHYSAD__DNN_RELU6;
    case PHYSAD__NN_SILU: return PHYSAD__DNN_SILU;
    case PHYSAD__NN_SIGMOID: return PHYSAD__DNN_SIGMOID;
    default: return PHYSAD__DNN_LINEAR;
    }
}

/* Joins what follows a convolution or linear layer: batch norm, addition, activation, each at most once and in this
 * order. */
static void join(planner *p, physad__nn_step *s)
{
    const physad__nn_graph *g = p->g;
    int32_t next = only_user(p, s->dst);
    if (next >= 0 && g->nodes[next].op == PHYSAD__NN_BATCH_NORM) {
        s->norm = s->dst = next;
        next = only_user(p, s->dst);
    }
    if (next >= 0 && g->nodes[next].op == PHYSAD__NN_ADD && g->nodes[next].input[0] != g->nodes[next].input[1]) {
        const int32_t other = g->nodes[next].input[g->nodes[next].input[0] == s->dst ? 1 : 0];
        if (p->made[other] < 0) /* the branch that is computed last takes the addition */
            return;
        s->residual = other;
        s->dst = next;
        next = only_user(p, s->dst);
    }
    if (next >= 0 && activation_of(g->nodes[next].op) != PHYSAD__DNN_LINEAR) {
        s->activation = activation_of(g->nodes[next].op);
        s->dst = next;
    }
}

static physad_status plan_node(planner *p, int32_t i)
{
    const physad__nn_node *n = &p->g->nodes[i];
    physad__nn_step s = {
        .op = n->op, .main = i, .norm = -1, .src = n->input[0], .src2 = n->input[1], .residual = -1, .dst = i
    };
    if (n->op == PHYSAD__NN_BATCH_NORM)
        return physad__error(PHYSAD_ERR_UNSUPPORTED,
                             "network: batch norm %s does not follow a convolution alone, which inference needs",
                             n->param);
    if (n->op == PHYSAD__NN_CONV || n->op == PHYSAD__NN_LINEAR)
        join(p, &s);
    else
        s.activation = activation_of(n->op);
    p->steps[p->count] = s;
    /* Every node joined counts as made, so that none is planned again. */
    p->made[s.main] = p->made[s.dst] = (int32_t)p->count++;
    if (s.norm >= 0)
        p->made[s.norm] = p->made[s.dst];
    if (s.residual >= 0 && s.activation != PHYSAD__DNN_LINEAR)
        p->made[p->g->nodes[s.dst].input[0]] = p->made[s.dst];
    return PHYSAD_OK;
}

physad_status physad__nn_plan(const physad__nn_graph *g, const physad__nn_config *config, physad__mem *mem,
                              physad__nn_step *steps, int64_t *count)
{
    planner p = { .g = g, .steps = steps };
    physad_status status = PHYSAD_OK;
    for (int64_t i = 0; i < config->tap_count; i++)
        if (config->taps[i] < 0 || config->taps[i] >= g->count)
            return physad__error(PHYSAD_ERR_ARG, "network: tap %lld is value %d of %lld", (long long)i, config->taps[i],
                                 (long long)g->count);
    char *block = physad__alloc_array(mem, g->count, 2 * sizeof(bool) + 3 * sizeof(int32_t), "network plan");
    if (block == NULL)
        return PHYSAD_ERR_NOMEM;
    memset(block, 0, (size_t)g->count * (2 * sizeof(bool) + 3 * sizeof(int32_t)));
    p.users = (int32_t *)(void *)block;
    p.user = p.users + g->count;
    p.made = p.user + g->count;
    p.needed = (bool *)(p.made + g->count);
    p.kept = p.needed + g->count;
    mark(&p, config);
    for (int64_t i = 0; i < g->count && status == PHYSAD_OK; i++)
        if (p.needed[i] && p.made[i] < 0 && g->nodes[i].op != PHYSAD__NN_INPUT)
            status = plan_node(&p, (int32_t)i);
        else if (p.needed[i] && g->nodes[i].op == PHYSAD__NN_INPUT)
            p.made[i] = 0;
    physad__free(block);
    *count = p.count;
    return status;
}
