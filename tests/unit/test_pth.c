/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints that no PyTorch writes: made byte by byte. */
#include "test.h"

#include <physad/tensors.h>

static int setup(void **state)
{
    physad_context *ctx = NULL;
    physad_context_options o = PHYSAD_CONTEXT_OPTIONS_INIT;
    o.memory_limit = 512 << 20;
    if (physad_context_new(&ctx, &o) != PHYSAD_OK)
        return 1;
    *state = ctx;
    return 0;
}

static int teardown(void **state)
{
    const uint64_t used = physad_context_memory_used(*state);
    physad_context_free(*state);
    return used != 0;
}

/* Pieces of pickles. STORAGE is 16 floats called "0". */
#define STORAGE "(U\x07storagectorch\nFloatStorage\nU\x01" "0U\x03" "cpuK\x10NtQ"
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n"
#define HOOKS "\x89)tR"
#define TENSOR(offset, shape, stride) REBUILD "(" STORAGE offset shape stride HOOKS
#define ONE TENSOR("K\x00", ")", ")")
#define NAMED(value) "}U\x01w" value "s."
#define MAGIC "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."
#define BEFORE MAGIC "\x80\x02M\xe9\x03.\x80\x02}."
#define KEYS "\x80\x02]U\x01" "0a."
#define COUNT "\x10\x00\x00\x00\x00\x00\x00\x00"

typedef struct part {
    const char *bytes;
    size_t size;
} part;
#define PART(text) { text, sizeof(text) - 1 }

static const part usual = PART(KEYS COUNT);

static uint8_t *join(const part *parts, int count, size_t data, size_t *size)
{
    *size = data;
    for (int i = 0; i < count; i++)
        *size += parts[i].size;
    uint8_t *file = calloc(1, *size), *p = file;
    for (int i = 0; i < count; i++) {
        memcpy(p, parts[i].bytes, parts[i].size);
        p += parts[i].size;
    }
    for (size_t i = 0; i + 4 <= data; i += 4) {
        const float x = (float)(i / 4);
        memcpy(p + i, &x, 4);
    }
    return file;
}

/* Opens the checkpoint of one object. NULL: refused as wanted. */
static physad_tensors *open_object(void **state, part object, part keys, size_t data, uint8_t **file,
                                   physad_status want, const char *message)
{
    size_t size;
    physad_tensors *t = NULL;
    const part parts[] = { PART(BEFORE), object, keys };
    *file = join(parts, 3, data, &size);
    const physad_status status = physad_tensors_open_memory(&t, *state, *file, size, "x", NULL);
    if (status != want || (want != PHYSAD_OK && strstr(physad_last_error(), message) == NULL))
        fail_msg("%s: %s, want %s: %s", physad_status_name(status), physad_last_error(), physad_status_name(want),
                 message);
    return t;
}

static void refused(void **state, part object, physad_status want, const char *message)
{
    uint8_t *file;
    const bool stored = memmem(object.bytes, object.size, "FloatStorage", 12) != NULL;
    assert_null(open_object(state, object, stored ? usual : (part)PART("\x80\x02]."), 64, &file, want, message));
    free(file);
}

static void strides_are_held_against_the_storage(void **state)
{
    static const struct {
        part object;
        physad_status want;
        const char *message;
    } cases[] = {
#define OK(offset, shape, stride) { PART(NAMED(TENSOR(offset, shape, stride))), PHYSAD_OK, "" }
#define BAD(offset, shape, stride, message) { PART(NAMED(TENSOR(offset, shape, stride))), PHYSAD_ERR_FORMAT, message }
        OK("K\x00", "K\x10\x85", "K\x01\x85"),
        OK("K\x0f", "K\x01\x85", "K\x01\x85"),
        OK("K\x00", "K\x04K\x04\x86", "K\x01K\x04\x86"),
        OK("K\x10", "K\x00\x85", "K\x01\x85"),                        /* nothing at the end */
        OK("K\x05", ")", ")"),                                        /* no dimensions */
        OK("K\x0f", "K\x01\x85", "J\xff\xff\xff\x7f\x85"),            /* a stride along one element means nothing */
        OK("K\x00", "K\x04K\x05\x86", "K\x00K\x03\x86"),              /* expanded */
        BAD("K\x01", "K\x10\x85", "K\x01\x85", "its element 16 is beyond"),
        BAD("K\x10", "K\x01\x85", "K\x01\x85", "its element 16 is beyond"),
        BAD("K\x10", ")", ")", "its element 16 is beyond"),
        BAD("K\x00", "K\x04K\x04\x86", "K\x01K\x05\x86", "its element 18 is beyond"),
        BAD("J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85", "not what a tensor has"),
        BAD("K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85", "whole numbers from 0"),
        BAD("K\x00", "K\x02\x85", "J\xff\xff\xff\xff\x85", "whole numbers from 0"),
        BAD("K\x00", "K\x02\x85", "K\x01K\x01\x86", "not what a tensor has"),
        BAD("K\x00", "K\x02", "K\x01", "not what a tensor has"),
        BAD("K\x00", "N\x85", "K\x01\x85", "whole numbers from 0"),
        BAD("N", "K\x02\x85", "K\x01\x85", "not what a tensor has"),
        BAD("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\x02\x85", "K\x01\x85", "beyond any storage"),
        BAD("K\x00", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\x02\x85", "beyond any storage"),
        BAD("K\x00", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\x01\x85", "is beyond its storage"),
        BAD("K\x00", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\x00\x85", "impossible shape"),
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        uint8_t *file;
        physad_tensors *t = open_object(state, cases[i].object, usual, 64, &file, cases[i].want, cases[i].message);
        physad_view v;
        if (t != NULL) {
            assert_ok(physad_tensors_find(t, "w", &v));
            assert_int_equal(v.dtype, PHYSAD_F32);
        }
        physad_tensors_free(t);
        free(file);
    }
}

/* One element, told to be 2^40 of them: a view costs nothing, a copy (as misaligned ones need) would cost too much. */
static void expanded_tensors_cost_memory_only_when_copied(void **state)
{
    const part parts[] = { PART(BEFORE),
                           PART(NAMED(TENSOR("K\x00", "\x8a\x06\x00\x00\x00\x00\x00\x01\x85", "K\x00\x85"))),
                           PART(KEYS COUNT) };
    size_t size;
    int views = 0, refusals = 0;
    uint8_t *file = join(parts, 3, 64, &size), *moved = malloc(size + 8);
    for (size_t shift = 0; shift < 4; shift++) {
        physad_tensors *t = NULL;
        physad_view v;
        memcpy(moved + shift, file, size);
        assert_ok(physad_tensors_open_memory(&t, *state, moved + shift, size, "x", NULL));
        const physad_status status = physad_tensors_find(t, "w", &v);
        if (status == PHYSAD_OK)
            assert_int_equal(v.shape[0], INT64_C(1) << 40);
        else
            assert_int_equal(status, PHYSAD_ERR_NOMEM);
        views += status == PHYSAD_OK;
        refusals += status != PHYSAD_OK;
        physad_tensors_free(t);
    }
    assert_int_equal(views, 1);
    assert_int_equal(refusals, 3);
    free(moved);
    free(file);
}

static void storages_are_held_against_the_file(void **state)
{
    const part whole = PART(NAMED(TENSOR("K\x00", "K\x10\x85", "K\x01\x85")));
    static const struct {
        part keys;
        size_t data;
        const char *message;
    } cases[] = {
        { PART(KEYS COUNT), 63, "cut off?" },
        { PART(KEYS "\x10\x00\x00\x00"), 0, "cut off at byte" },
        { PART(KEYS "\x0f\x00\x00\x00\x00\x00\x00\x00"), 64, "has 15 elements, its tensors say 16" },
        { PART(KEYS "\xff\xff\xff\xff\xff\xff\xff\xff"), 64, "has -1 elements" },
        { PART("\x80\x02]."), 64, "its storage is not in the file" },
        { PART("\x80\x02](U\x01" "0U\x01" "0e." COUNT), 200, "in the file twice" },
        { PART("\x80\x02]U\x01" "1a." COUNT), 64, "belongs to no tensor" },
        { PART("\x80\x02]K\x01" "a." COUNT), 64, "key is no text" },
        { PART("\x80\x02}."), 64, "no list of storage keys" },
        { PART(""), 0, "the data end" },
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        uint8_t *file;
        assert_null(
            open_object(state, whole, cases[i].keys, cases[i].data, &file, PHYSAD_ERR_FORMAT, cases[i].message));
        free(file);
    }
}

static void odd_tensors_are_refused(void **state)
{
#define ARGS "K\x00K\x01\x85K\x01\x85"
    const physad_status bad = PHYSAD_ERR_FORMAT;
    refused(state, (part)PART(NAMED(REBUILD ")R")), bad, "without arguments");
    refused(state, (part)PART(NAMED(REBUILD "NR")), bad, "without arguments");
    refused(state, (part)PART(NAMED(REBUILD "K\x01\x85R")), bad, "too few parts");
    refused(state, (part)PART(NAMED(REBUILD "(N" ARGS HOOKS)), bad, "without a storage");
    refused(state, (part)PART(NAMED(REBUILD "(U\x01xQ" ARGS HOOKS)), bad, "without a storage");
    refused(state, (part)PART(NAMED(REBUILD "((U\x07storageNtQ" ARGS HOOKS)), bad, "has 2 parts");
    refused(state,
            (part)PART(NAMED(REBUILD "((U\x07storagecos\nsystem\nU\x01"
                                     "0NK\x10NtQ" ARGS HOOKS)),
            PHYSAD_ERR_UNSUPPORTED, "unknown class");
    refused(state, (part)PART(NAMED(REBUILD "((U\x07storagectorch\nFloatStorage\nK\x01NK\x10NtQ" ARGS HOOKS)), bad,
            "no key or no count");
    refused(state,
            (part)PART(NAMED(REBUILD "((U\x07storagectorch\nFloatStorage\nU\x01"
                                     "0NJ\xff\xff\xff\xffNtQ" ARGS HOOKS)),
            bad, "no key or no count");
    /* Views of storages: (key, first, count). */
    refused(state,
            (part)PART(NAMED(REBUILD "((U\x07storagectorch\nFloatStorage\nU\x01"
                                     "0NK\x10(U\x01"
                                     "aK\x0fK\x02ttQ" ARGS HOOKS)),
            bad, "goes beyond it");
    refused(state,
            (part)PART(NAMED(REBUILD "((U\x07storagectorch\nFloatStorage\nU\x01"
                                     "0NK\x10(U\x01"
                                     "aK\x04K\x04ttQK\x04K\x01\x85K\x01\x85" HOOKS)),
            bad, "its element 4 is beyond");
    /* One storage told in two ways. */
    refused(state,
            (part)PART("]" TENSOR("K\x00", ")", ")") "a" REBUILD "((U\x07storagectorch\nDoubleStorage\nU\x01"
                                                     "0NK\x10NtQ" ARGS HOOKS "a."),
            bad, "disagree on the size");
    refused(state,
            (part)PART("]" TENSOR("K\x00", ")", ")") "a" REBUILD "((U\x07storagectorch\nFloatStorage\nU\x01"
                                                     "0NK\x0fNtQ" ARGS HOOKS "a."),
            bad, "disagree on the size");
    refused(state,
            (part)PART(NAMED("ctorch._utils\n_rebuild_parameter\n(K\x01K\x01"
                             "tR")),
            bad, "parameter without a tensor");
    refused(state, (part)PART("]" ONE "actorch._utils\n_rebuild_parameter\n(K\x01K\x01tRa."), bad,
            "parameter without a tensor");
}

static void a_view_of_a_storage_is_honoured(void **state)
{
    uint8_t *file;
    physad_view v;
    const part object = PART(NAMED(REBUILD "((U\x07storagectorch\nFloatStorage\nU\x01"
                                           "0NK\x10(U\x01"
                                           "aK\x04K\x04ttQK\x01K\x03\x85K\x01\x85" HOOKS));
    physad_tensors *t = open_object(state, object, usual, 64, &file, PHYSAD_OK, "");
    assert_ok(physad_tensors_find(t, "w", &v));
    assert_near(((const float *)v.data)[0], 5, 0);
    physad_tensors_free(t);
    free(file);
}

static void trees_that_fold_back_are_bounded(void **state)
{
    const physad_status bad = PHYSAD_ERR_FORMAT;
    refused(state, (part)PART("\x80\x02]q\x00h\x00" "a."), bad, "holds itself");
    refused(state, (part)PART("\x80\x02}q\x00U\x01" "ah\x00s."), bad, "holds itself");
    /* 40 lists, each holding the last one twice: 2^40 places. */
    char bomb[1024];
    size_t n = 0;
    n += (size_t)snprintf(bomb, sizeof(bomb), "]q%c", 1);
    for (char i = 1; i <= 40; i++) {
        const char step[] = { ']', '(', 'h', i, 'h', i, 'e', 'q', (char)(i + 1) };
        memcpy(bomb + n, step, sizeof(step));
        n += sizeof(step);
    }
    bomb[n++] = '.';
    refused(state, (part){ bomb, n }, bad, "unfold to more than");
    /* A long text, shared by many keys. */
    const size_t text = 1 << 20, keys = 200;
    char *shared = malloc(text + keys * 32 + 64), *p = shared;
    const uint32_t length = (uint32_t)text;
    *p++ = '}';
    *p++ = 'X';
    memcpy(p, &length, 4);
    memset(p + 4, 'x', text);
    p += 4 + text;
    memcpy(p, "q\0000", 3);
    p += 3;
    for (size_t i = 0; i < keys; i++) {
        memcpy(p, "M..h\0s", 6);
        p[1] = (char)(i & 255);
        p[2] = (char)(i >> 8);
        p += 6;
    }
    *p++ = '.';
    refused(state, (part){ shared, (size_t)(p - shared) }, bad, "bytes of text");
    free(shared);
}

static void names_are_checked(void **state)
{
    refused(state, (part)PART("}U\x02" "a\0" ONE "s."), PHYSAD_ERR_FORMAT, "has a NUL");
    refused(state, (part)PART("}U\x01\xff" ONE "s."), PHYSAD_ERR_FORMAT, "not UTF-8");
    refused(state,
            (part)PART("}(U\x03"
                       "a.b" ONE "U\x01"
                       "a}U\x01"
                       "b" ONE "su."),
            PHYSAD_ERR_FORMAT, "two arrays called \"a.b\"");
    char deep[8192] = "}";
    size_t n = 1;
    for (int i = 0; i < 30; i++) { /* thirty dictionaries, keys of 200 bytes */
        deep[n++] = 'U';
        deep[n++] = (char)200;
        memset(deep + n, 'k', 200);
        n += 200;
        deep[n++] = '}';
    }
    for (int i = 0; i < 30; i++)
        deep[n++] = 's';
    deep[n++] = '.';
    refused(state, (part){ deep, n }, PHYSAD_ERR_FORMAT, "longer than 4096 bytes");
}

/* What would run a program in Python is no tensor here, and nothing else. */
static void code_is_inert(void **state)
{
    static const part objects[] = {
        PART("cos\nsystem\nU\x06" "exit 3\x85R."),
        PART("}U\x01w" "cos\nsystem\nU\x06" "exit 3\x85Rs."),
        PART("cbuiltins\neval\nU\x01x\x85R}U\x0b_parametersNsb."),
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(objects); i++) {
        uint8_t *file;
        physad_tensors *t = open_object(state, objects[i], (part)PART("\x80\x02]."), 0, &file, PHYSAD_OK, "");
        assert_int_equal(physad_tensors_count(t), 0);
        physad_tensors_free(t);
        free(file);
    }
}

static void python2_dictionaries_are_read(void **state)
{
    uint8_t *file;
    const part object = PART("ccollections\nOrderedDict\n(](](U\x01w" ONE "e](U\x01v" ONE "eetR.");
    physad_tensors *t = open_object(state, object, usual, 64, &file, PHYSAD_OK, "");
    assert_int_equal(physad_tensors_count(t), 2);
    assert_true(physad_tensors_has(t, "v"));
    physad_tensors_free(t);
    free(file);
}

static void other_containers_are_told_apart(void **state)
{
    physad_tensors *t = NULL;
    uint8_t tar[512] = "storages";
    memcpy(tar + 257, "ustar", 5);
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "before PyTorch 0.4",
                 physad_tensors_open_memory(&t, *state, tar, sizeof(tar), "x", NULL));
    assert_fails(PHYSAD_ERR_FORMAT, "magic number is missing",
                 physad_tensors_open_memory(&t, *state, "\x80\x02K\x01.", 5, "x", NULL));
    const char version[] = MAGIC "\x80\x02M\xea\x03.\x80\x02}.";
    assert_fails(PHYSAD_ERR_UNSUPPORTED, "protocol 1002",
                 physad_tensors_open_memory(&t, *state, version, sizeof(version) - 1, "x", NULL));
    const char system[] = MAGIC "\x80\x02M\xe9\x03.\x80\x02].";
    assert_fails(PHYSAD_ERR_FORMAT, "third pickle",
                 physad_tensors_open_memory(&t, *state, system, sizeof(system) - 1, "x", NULL));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(strides_are_held_against_the_storage),
        TEST(expanded_tensors_cost_memory_only_when_copied),
        TEST(storages_are_held_against_the_file),
        TEST(odd_tensors_are_refused),
        TEST(a_view_of_a_storage_is_honoured),
        TEST(trees_that_fold_back_are_bounded),
        TEST(names_are_checked),
        TEST(code_is_inert),
        TEST(python2_dictionaries_are_read),
        TEST(other_containers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
