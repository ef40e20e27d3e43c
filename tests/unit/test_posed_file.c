/* SPDX-License-Identifier: Apache-2.0 */
/* Models of methods that compare by pose, whose files lack an array, or hold one that is not as it was written. */
#include "posed_help.h"

#include <physad/tensors.h>

enum { LACKS, SHORT, INFINITE, WAYS };

/* Rows but for the last, or floats of which the first is infinite, in `room`; nothing is left where not `there`. */
static physad_view spoil(const physad_view *v, int way, void *room, bool *there)
{
    physad_view out = *v;
    *there = way != LACKS;
    if (way == SHORT)
        out.shape[0]--;
    if (way == INFINITE) {
        out.data = room;
        memcpy(room, v->data, (size_t)physad__view_count(v) * (v->dtype == PHYSAD_F64 ? 8 : 4));
        if (v->dtype == PHYSAD_F64)
            *(double *)room = INFINITY;
        else
            *(float *)room = INFINITY;
    }
    return out;
}

/* The same file with array `index` spoilt; false where that cannot be. */
static bool write_spoilt(physad_context *ctx, const physad_tensors *in, const char *to, int64_t index, int way)
{
    physad_tensors *out = NULL;
    void *room = NULL;
    bool can = true;
    assert_ok(physad_tensors_new(&out, ctx));
    for (int64_t i = 0; can && i < physad_tensors_count(in); i++) {
        physad_view v;
        bool there = true;
        assert_ok(physad_tensors_view(in, i, &v));
        if (i == index) {
            const bool floats = v.dtype == PHYSAD_F32 || v.dtype == PHYSAD_F64;
            can = physad__view_count(&v) > 0 && (way != INFINITE || floats);
            room = test_malloc((size_t)physad__view_count(&v) * 8 + 1);
            v = can ? spoil(&v, way, room, &there) : v;
        }
        if (there)
            assert_ok(physad_tensors_add(out, physad_tensors_name(in, i), &v));
    }
    assert_ok(physad_tensors_set_metadata(out, "physad", physad_tensors_metadata(in, "physad")));
    if (can)
        assert_ok(physad_tensors_save(out, to));
    physad_tensors_free(out);
    test_free(room);
    return can;
}

static void spoil_all(const char *method)
{
    static uint8_t memory[HEIGHT * WIDTH * 3];
    static float map[HEIGHT * WIDTH];
    char folder[256], path[512], spoilt[512];
    physad_context *ctx = new_context(2);
    physad_detector *det = NULL;
    physad_tensors *in = NULL;
    int64_t refused = 0;
    make_set(ctx, folder, sizeof(folder), 0);
    draw_query(ctx, folder, memory, true);
    det = fitted(ctx, folder, method);
    snprintf(path, sizeof(path), "%s/whole.physad", folder);
    snprintf(spoilt, sizeof(spoilt), "%s/spoilt.physad", folder);
    assert_ok(physad_detector_save(det, path));
    const double whole = score(det, memory, map);
    physad_detector_free(det);
    assert_ok(physad_tensors_open(&in, ctx, path, NULL));
    assert_true(write_spoilt(ctx, in, spoilt, -1, LACKS));
    assert_ok(physad_detector_load(&det, ctx, spoilt)); /* nothing was spoilt */
    assert_true(score(det, memory, map) == whole);
    physad_detector_free(det);
    for (int64_t i = 0; i < physad_tensors_count(in); i++)
        for (int way = 0; way < WAYS; way++) {
            if (!write_spoilt(ctx, in, spoilt, i, way))
                continue;
            det = NULL;
            const physad_status status = physad_detector_load(&det, ctx, spoilt);
            const char *name = physad_tensors_name(in, i);
            if (status != PHYSAD_ERR_FORMAT)
                fail_msg("%s, %s, way %d: %d, %s", method, name, way, (int)status, physad_last_error());
            if (way != SHORT && strstr(physad_last_error(), name) == NULL) /* others tell how long some are */
                fail_msg("%s, %s, way %d is not named: %s", method, name, way, physad_last_error());
            assert_null(det);
            refused++;
        }
    print_message("%s: %d refused\n", method, (int)refused);
    assert_true(refused > 15);
    physad_tensors_free(in);
    scratch_remove(folder);
    end_context(ctx);
}

static void test_splat_bank(void **state)
{
    spoil_all("splat-bank");
}

static void test_render_compare(void **state)
{
    spoil_all("render-compare");
}

static void test_splatpose(void **state)
{
    spoil_all("splatpose");
}

static void test_piad(void **state)
{
    spoil_all("piad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splat_bank),
        cmocka_unit_test(test_render_compare),
        cmocka_unit_test(test_splatpose),
        cmocka_unit_test(test_piad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
