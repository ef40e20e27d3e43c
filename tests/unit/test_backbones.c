/* SPDX-License-Identifier: Apache-2.0 */
/* The backbones against torchvision's, timm's and efficientnet_pytorch's, by tests/golden/backbones.json. */
#include "test_formula.h"

#include "nn/nn_backbone.h"
#include "nn/nn_state.h"

#include <physad/weights.h>

#include <jansson.h>

enum { LAYERS = 8 };

static json_t *golden(void)
{
    char path[4096];
    json_error_t error;
    const char *folder = getenv("PHYSAD_TEST_GOLDEN");
    if (folder == NULL) {
        print_message("PHYSAD_TEST_GOLDEN is not set\n");
        skip();
    }
    snprintf(path, sizeof(path), "%s/backbones.json", folder);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s: %s", path, error.text);
    return root;
}

/* --- one case: a network of the table on the formula's image --- */

typedef struct test_case {
    const char *backbone;
    int32_t padding;
    int64_t height, width, layer_count;
    const char *layers[LAYERS];
    float *out[LAYERS];
    int64_t shape[LAYERS][3];
} test_case;

static void case_from(json_t *item, test_case *c)
{
    json_t *layers = json_object_get(item, "layers");
    *c = (test_case){ .backbone = json_string_value(json_object_get(item, "backbone")),
                      .padding = (int32_t)json_integer_value(json_object_get(item, "padding")),
                      .height = json_integer_value(json_object_get(item, "height")),
                      .width = json_integer_value(json_object_get(item, "width")),
                      .layer_count = (int64_t)json_array_size(layers) };
    for (int64_t i = 0; i < c->layer_count; i++)
        c->layers[i] = json_string_value(json_object_get(json_array_get(layers, (size_t)i), "name"));
}

static void case_run(test_case *c, physad_context *ctx, int32_t precision, const physad__nn_source *source)
{
    const physad__backbone *b;
    physad__nn_graph g;
    physad__nn_net *net;
    physad__nn_scratch *scratch;
    physad__call call;
    int32_t taps[LAYERS];
    float *image = draw_image(c->height, c->width, 3);
    physad__nn_graph_init(&g, &ctx->mem);
    assert_ok(physad__backbone_find(&b, c->backbone));
    assert_ok(physad__backbone_build(b, &g, c->padding));
    for (int64_t i = 0; i < c->layer_count; i++) {
        taps[i] = physad__nn_find(&g, c->layers[i]);
        assert_true(taps[i] >= 0);
    }
    const physad__nn_config config = { c->height, c->width, precision, taps, c->layer_count };
    assert_ok(physad__call_begin(&call, ctx, NULL, "test"));
    assert_ok(physad__nn_net_new(&net, ctx, &g, &config, source));
    for (int64_t i = 0; i < c->layer_count; i++) {
        physad__nn_net_shape(net, i, c->shape[i]);
        c->out[i] = malloc((size_t)(c->shape[i][0] * c->shape[i][1] * c->shape[i][2]) * sizeof(float));
    }
    assert_ok(physad__nn_scratch_take(net, &scratch));
    assert_ok(physad__nn_run(net, scratch, image, c->out));
    physad__nn_scratch_give(net, scratch);
    physad__call_end(&call);
    physad__nn_net_free(net);
    physad__nn_graph_clear(&g);
    free(image);
}

/* Shape, sampled values and sums over all values. In f32 each sample is near, in units of the layer's mean absolute
 * value; in bf16 the samples as a whole are, by their relative distance, as near as PyTorch's: single ones may be far
 * off. */
static void check_layer(const test_case *c, int64_t layer, json_t *want, int32_t precision)
{
    const double tolerance =
        precision == PHYSAD_F32 ? 1e-4 : 0.002 + 1.5 * json_number_value(json_object_get(want, "bf16"));
    const float *got = c->out[layer];
    json_t *index = json_object_get(want, "index"), *value = json_object_get(want, "value"),
           *shape = json_object_get(want, "shape");
    int64_t count = 1;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(c->shape[layer][i], json_integer_value(json_array_get(shape, i)));
        count *= c->shape[layer][i];
    }
    double sum = 0, absolute = 0, off = 0, length = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += got[i];
        absolute += fabs(got[i]);
    }
    const double all = json_number_value(json_object_get(want, "abs")), unit = all / (double)count;
    assert_near(absolute, all, tolerance * all);
    assert_near(sum, json_number_value(json_object_get(want, "sum")), tolerance * all);
    assert_true(json_array_size(index) >= 32);
    for (size_t i = 0; i < json_array_size(index); i++) {
        const double g = got[json_integer_value(json_array_get(index, i))],
                     w = json_number_value(json_array_get(value, i));
        off += (g - w) * (g - w);
        length += w * w;
        if (precision == PHYSAD_F32 && !(fabs(g - w) <= tolerance * (fabs(w) + unit)))
            fail_msg("%s (padding %d, %lld x %lld) %s: value %zu is %.9g, want %.9g", c->backbone, c->padding,
                     (long long)c->height, (long long)c->width, c->layers[layer], i, g, w);
    }
    if (!(sqrt(off / length) <= tolerance))
        fail_msg("%s (padding %d, %lld x %lld) %s: off by %g of the values' length", c->backbone, c->padding,
                 (long long)c->height, (long long)c->width, c->layers[layer], sqrt(off / length));
}

static void check_cases(const char *weights, const physad__nn_source *source, int32_t precision)
{
    json_t *root = golden(), *item;
    physad_context *ctx = context_of(2);
    size_t i;
    int64_t seen = 0;
    const char *last = NULL;
    assert_int_equal(json_integer_value(json_object_get(root, "seed")), FORMULA_SEED);
    json_array_foreach(json_object_get(root, "backbones"), i, item) {
        test_case c;
        if (strcmp(json_string_value(json_object_get(item, "weights")), weights) != 0)
            continue;
        case_from(item, &c);
        if (precision == PHYSAD_BF16 && seen > 0 && strcmp(c.backbone, last) == 0)
            continue; /* one of each is enough */
        last = c.backbone;
        seen++;
        case_run(&c, ctx, precision, source);
        for (int64_t k = 0; k < c.layer_count; k++) {
            check_layer(&c, k, json_array_get(json_object_get(item, "layers"), (size_t)k), precision);
            free(c.out[k]);
        }
    }
    assert_true(seen >= 2);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
    json_decref(root);
}

static void outputs_match_in_f32(void **state)
{
    check_cases("formula", &FORMULA, PHYSAD_F32);
}

static void outputs_match_in_bf16(void **state)
{
    if (!has_bf16())
        skip();
    check_cases("formula", &FORMULA, PHYSAD_BF16);
}

/* The published EfficientNet-lite0, where it is installed. */
static void published_weights_match(void **state)
{
    char path[4096];
    physad_tensors *tensors;
    physad__nn_state weights;
    physad__nn_graph g;
    const physad__backbone *b;
    physad_context *ctx = context_of(1);
    if (physad_weights_find(ctx, "efficientnet-lite0", NULL, path, sizeof(path)) != PHYSAD_OK) {
        print_message("%s\n", physad_last_error());
        physad_context_free(ctx);
        skip();
    }
    assert_ok(physad_tensors_open(&tensors, ctx, path, NULL));
    physad__nn_graph_init(&g, &ctx->mem);
    assert_ok(physad__backbone_find(&b, "efficientnet-lite0"));
    assert_ok(physad__backbone_build(b, &g, 0));
    assert_ok(physad__nn_state_init(&weights, tensors, b, &g, "", path, true));
    const physad__nn_source source = physad__nn_state_source(&weights);
    check_cases("published", &source, PHYSAD_F32);
    physad__nn_graph_clear(&g);
    physad_tensors_free(tensors);
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

/* --- the table --- */

static physad_status count_trained(void *user, const char *name, int32_t ndim, const int64_t *shape)
{
    int64_t count = 1;
    for (int32_t i = 0; i < ndim; i++)
        count *= shape[i];
    if (strstr(name, ".running_") == NULL)
        *(int64_t *)user += count;
    return PHYSAD_OK;
}

static void the_table_tells_the_truth(void **state)
{
    enum { SIDE = 256 };
    physad_context *ctx = context_of(1);
    assert_true(physad_backbone_count() >= 6);
    assert_string_equal(physad_backbone_name(0), "efficientnet-lite0");
    assert_null(physad_backbone_name(-1));
    assert_null(physad_backbone_name(physad_backbone_count()));
    for (int64_t i = 0; i < physad_backbone_count(); i++) {
        physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
        physad__nn_graph g;
        int64_t *size, params = 0;
        assert_ok(physad_backbone_describe(physad_backbone_name(i), &info));
        assert_string_equal(info.name, physad_backbone_name(i));
        physad__nn_graph_init(&g, &ctx->mem);
        assert_ok(physad__backbone_build(physad__backbone_at(i), &g, PHYSAD_PADDING_DEFAULT));
        size = malloc((size_t)g.count * 2 * sizeof(*size));
        assert_ok(physad__nn_sizes(&g, SIDE, SIDE, size));
        for (int32_t k = 0; k < info.layer_count; k++) {
            const physad_backbone_layer *layer = &info.layers[k];
            const int32_t value = physad__nn_find(&g, layer->name);
            assert_true(value >= 0);
            assert_int_equal(g.nodes[value].channels, layer->channels);
            assert_int_equal(size[2 * value], layer->stride == 0 ? 1 : SIDE / layer->stride);
        }
        for (int64_t k = 0; k < g.count; k++)
            assert_ok(physad__nn_visit_node(&g, k, count_trained, &params));
        assert_int_equal(params, info.params);
        free(size);
        physad__nn_graph_clear(&g);
    }
    assert_int_equal(physad_context_memory_used(ctx), 0);
    physad_context_free(ctx);
}

static void the_table_refuses(void **state)
{
    physad_backbone_info info = PHYSAD_BACKBONE_INFO_INIT;
    assert_fails(PHYSAD_ERR_ARG, "did you mean \"resnet18\"", physad_backbone_describe("resnet81", &info));
    assert_fails(PHYSAD_ERR_ARG, "unknown", physad_backbone_describe("", &info));
    assert_fails(PHYSAD_ERR_ARG, "info is NULL", physad_backbone_describe(NULL, NULL));
    info.struct_size = 8;
    assert_fails(PHYSAD_ERR_ARG, "struct_size", physad_backbone_describe(NULL, &info));
    info.struct_size = sizeof(info);
    assert_ok(physad_backbone_describe(NULL, &info));
    assert_string_equal(info.name, "efficientnet-lite0");
    assert_string_equal(info.weights_licence, "Apache-2.0");
}

/* timm's names, of which each is another's of ours. */
static void timm_names(void **state)
{
    static const char *const pairs[][2] = {
        { "_conv_stem.weight", "conv_stem.weight" },
        { "_bn0.running_mean", "bn1.running_mean" },
        { "_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight" },
        { "_blocks.0._bn1.bias", "blocks.0.0.bn1.bias" },
        { "_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight" },
        { "_blocks.0._bn2.weight", "blocks.0.0.bn2.weight" },
        { "_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight" },
        { "_blocks.4._depthwise_conv.weight", "blocks.2.1.conv_dw.weight" },
        { "_blocks.14._project_conv.weight", "blocks.5.3.conv_pwl.weight" },
        { "_blocks.15._bn2.running_var", "blocks.6.0.bn3.running_var" },
        { "_conv_head.weight", "conv_head.weight" },
        { "_bn1.weight", "bn2.weight" },
        { "_fc.bias", "classifier.bias" },
    };
    const physad__backbone *b;
    char name[128];
    assert_ok(physad__backbone_find(&b, NULL));
    for (int64_t i = 0; i < PHYSAD__COUNT(pairs); i++) {
        assert_true(physad__efficientnet_timm_name(b, pairs[i][0], name, sizeof(name)));
        assert_string_equal(name, pairs[i][1]);
    }
    assert_false(physad__efficientnet_timm_name(b, "_blocks.0._expand_conv.weight", name, sizeof(name)));
    assert_false(physad__efficientnet_timm_name(b, "nonsense", name, sizeof(name)));
    assert_false(physad__efficientnet_timm_name(b, "_blocks.", name, sizeof(name)));
    assert_false(physad__efficientnet_timm_name(b, "_blocks.x._bn1.weight", name, sizeof(name)));
    assert_false(physad__efficientnet_timm_name(b, "_blocks.99999999999999999999._bn1.weight", name, sizeof(name)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_match_in_f32),    cmocka_unit_test(outputs_match_in_bf16),
        cmocka_unit_test(published_weights_match), cmocka_unit_test(the_table_tells_the_truth),
        cmocka_unit_test(the_table_refuses),       cmocka_unit_test(timm_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
