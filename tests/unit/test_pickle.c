/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "io/io_pickle.h"

/* A pickle as a C text, NULs and all. */
#define BYTES(text) (const uint8_t *)(text), (int64_t)sizeof(text) - 1

static physad__mem mem;

static int setup(void **state)
{
    physad__mem_init(&mem, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    return mem.used != 0;
}

static const physad__pickle_value *read(physad__pickle *p, const uint8_t *data, int64_t size)
{
    int32_t root;
    int64_t used;
    assert_ok(physad__pickle_read(p, &mem, data, size, 0, "x", &root, &used));
    assert_int_equal(used, size);
    return physad__pickle_at(p, root);
}

static void plain_values(void **state)
{
    static const struct {
        const char *text;
        int64_t size;
        physad__pickle_kind kind;
        double value;
    } cases[] = {
#define CASE(text, kind, value) { text, (int64_t)sizeof(text) - 1, kind, value }
        CASE("N.", PHYSAD__PICKLE_NONE, 0),
        CASE("\x88.", PHYSAD__PICKLE_BOOL, 1),
        CASE("I00\n.", PHYSAD__PICKLE_BOOL, 0),
        CASE("I01\n.", PHYSAD__PICKLE_BOOL, 1),
        CASE("I-12\n.", PHYSAD__PICKLE_INT, -12),
        CASE("L123456789012L\n.", PHYSAD__PICKLE_INT, 123456789012.0),
        CASE("K\xff.", PHYSAD__PICKLE_INT, 255),
        CASE("M\xff\xff.", PHYSAD__PICKLE_INT, 65535),
        CASE("J\xff\xff\xff\xff.", PHYSAD__PICKLE_INT, -1),
        CASE("\x8a\x00.", PHYSAD__PICKLE_INT, 0),
        CASE("\x8a\x01\xff.", PHYSAD__PICKLE_INT, -1),
        CASE("\x8a\x02\xff\x00.", PHYSAD__PICKLE_INT, 255),
        CASE("\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", PHYSAD__PICKLE_INT, -0x1p63),
        CASE("\x8b\x02\x00\x00\x00\x00\x01.", PHYSAD__PICKLE_INT, 256),
        CASE("F-1.5\n.", PHYSAD__PICKLE_FLOAT, -1.5),
        CASE("G\x3f\xf8\x00\x00\x00\x00\x00\x00.", PHYSAD__PICKLE_FLOAT, 1.5),
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        physad__pickle p;
        const physad__pickle_value *v = read(&p, (const uint8_t *)cases[i].text, cases[i].size);
        assert_int_equal(v->kind, cases[i].kind);
        if (v->kind == PHYSAD__PICKLE_FLOAT)
            assert_near(v->number, cases[i].value, 0);
        else if (v->kind != PHYSAD__PICKLE_NONE)
            assert_near((double)v->integer, cases[i].value, 0);
        physad__pickle_free(&p);
    }
}

static void assert_text(const uint8_t *data, int64_t size, physad__pickle_kind kind, const char *want)
{
    physad__pickle p;
    const physad__pickle_value *v = read(&p, data, size);
    assert_int_equal(v->kind, kind);
    assert_int_equal(v->length, strlen(want));
    assert_memory_equal(v->text, want, strlen(want));
    physad__pickle_free(&p);
}

static void texts(void **state)
{
    assert_text(BYTES("X\x02\x00\x00\x00hi."), PHYSAD__PICKLE_TEXT, "hi");
    assert_text(BYTES("\x8c\x02hi."), PHYSAD__PICKLE_TEXT, "hi");
    assert_text(BYTES("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."), PHYSAD__PICKLE_TEXT, "hi");
    assert_text(BYTES("U\x02hi."), PHYSAD__PICKLE_TEXT, "hi");
    assert_text(BYTES("T\x02\x00\x00\x00hi."), PHYSAD__PICKLE_TEXT, "hi");
    assert_text(BYTES("S'h\\ni\\x41\\\\'\n."), PHYSAD__PICKLE_TEXT, "h\niA\\");
    assert_text(BYTES("S\"it's\"\n."), PHYSAD__PICKLE_TEXT, "it's");
    assert_text(BYTES("Vgr\xfcn\\u20ac\\U0001f600\n."), PHYSAD__PICKLE_TEXT, "gr\xc3\xbcn\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_text(BYTES("C\x02hi."), PHYSAD__PICKLE_BYTES, "hi");
    assert_text(BYTES("B\x02\x00\x00\x00hi."), PHYSAD__PICKLE_BYTES, "hi");
    assert_text(BYTES("\x96\x02\x00\x00\x00\x00\x00\x00\x00hi."), PHYSAD__PICKLE_BYTES, "hi");
    assert_text(BYTES("\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09."), PHYSAD__PICKLE_BIG,
                "\x01\x02\x03\x04\x05\x06\x07\x08\x09");
}

static void containers(void **state)
{
    physad__pickle p;
    const physad__pickle_value *v = read(&p, BYTES("\x80\x02](K\x01K\x02" "eK\x03" "a."));
    assert_int_equal(v->kind, PHYSAD__PICKLE_LIST);
    assert_int_equal(v->count, 3);
    assert_int_equal(physad__pickle_at(&p, v->items[2])->integer, 3);
    physad__pickle_free(&p);
    v = read(&p, BYTES("}(U\x01" "aK\x01U\x01" "bK\x02uU\x01" "aK\x03s."));
    assert_int_equal(v->kind, PHYSAD__PICKLE_DICT);
    assert_int_equal(v->count, 6);
    /* The last one counts. */
    assert_int_equal(physad__pickle_at(&p, physad__pickle_get(&p, v->items, v->count, "a"))->integer, 3);
    assert_int_equal(physad__pickle_get(&p, v->items, v->count, "c"), -1);
    physad__pickle_free(&p);
    v = read(&p, BYTES("(K\x01K\x02K\x03t0(K\x01K\x02l0(U\x01"
                       "aK\x01"
                       "d0\x8f(K\x01\x90\x30(K\x01\x91\x30K\x01K\x02\x86."));
    assert_int_equal(v->kind, PHYSAD__PICKLE_TUPLE);
    assert_int_equal(v->count, 2);
    physad__pickle_free(&p);
    v = read(&p, BYTES("(K\x01K\x02" "1K\x07\x94\x30h\x00q\x05" "2\x86."));
    assert_int_equal(v->count, 2);
    assert_int_equal(v->items[0], v->items[1]);
    assert_int_equal(physad__pickle_at(&p, v->items[0])->integer, 7);
    physad__pickle_free(&p);
    v = read(&p, BYTES("K\x09p4000000000\n0g4000000000\n."));
    assert_int_equal(v->integer, 9);
    physad__pickle_free(&p);
}

static void nothing_is_ever_called(void **state)
{
    static const struct {
        const char *text;
        int64_t size;
    } cases[] = {
#define CALL(text) { text, (int64_t)sizeof(text) - 1 }
        CALL("cos\nsystem\n(S'exit 3'\ntR."),
        CALL("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x06" "exit 3\x85R."),
        CALL("(S'exit 3'\nios\nsystem\n."),
        CALL("(cos\nsystem\nS'exit 3'\no."),
        CALL("cos\nsystem\nS'exit 3'\n\x85\x81."),
        CALL("cos\nsystem\nS'exit 3'\n\x85}\x92."),
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        physad__pickle p;
        const physad__pickle_value *v = read(&p, (const uint8_t *)cases[i].text, cases[i].size);
        assert_int_equal(v->kind, PHYSAD__PICKLE_OBJECT);
        assert_true(physad__pickle_is_global(&p, v->function, "os", "system"));
        const physad__pickle_value *args = physad__pickle_at(&p, v->arguments);
        assert_int_equal(args->count, 1);
        assert_true(physad__pickle_text_is(&p, args->items[0], "exit 3"));
        physad__pickle_free(&p);
    }
}

static void objects_keep_state_and_items(void **state)
{
    physad__pickle p;
    const physad__pickle_value *v = read(&p, BYTES("cm\nC\n)\x81}U\x01" "aK\x01sb."));
    assert_int_equal(v->kind, PHYSAD__PICKLE_OBJECT);
    assert_int_equal(physad__pickle_at(&p, v->state)->kind, PHYSAD__PICKLE_DICT);
    physad__pickle_free(&p);
    v = read(&p, BYTES("ccollections\nOrderedDict\n)R(U\x01" "aK\x01u}b."));
    assert_true(v->pairs);
    assert_int_equal(v->count, 2);
    physad__pickle_free(&p);
    v = read(&p, BYTES("cm\nL\n)R(K\x01K\x02" "e."));
    assert_false(v->pairs);
    assert_int_equal(v->count, 2);
    physad__pickle_free(&p);
    v = read(&p, BYTES("(U\x07storageU\x01xtQ."));
    assert_int_equal(v->kind, PHYSAD__PICKLE_PERSISTENT);
    assert_int_equal(physad__pickle_at(&p, v->arguments)->count, 2);
    physad__pickle_free(&p);
    v = read(&p, BYTES("Pxyz\n."));
    assert_true(physad__pickle_text_is(&p, v->arguments, "xyz"));
    physad__pickle_free(&p);
}

static void a_pickle_ends_where_it_stops(void **state)
{
    physad__pickle p;
    int32_t root;
    int64_t used;
    assert_ok(physad__pickle_read(&p, &mem, BYTES("K\x01.K\x02."), 100, "x", &root, &used));
    assert_int_equal(used, 3);
    physad__pickle_free(&p);
}

static void damaged_ones_are_refused(void **state)
{
    static const struct {
        const char *text;
        int64_t size;
        const char *message;
    } cases[] = {
#define BAD(text, message) { text, (int64_t)sizeof(text) - 1, message }
        BAD("", "byte 1000: the data end"),
        BAD("N", "byte 1001: the data end"),
        BAD(".", "stack has none"),
        BAD("(.", "stack has none"),
        BAD("\xff.", "0xff is no opcode"),
        BAD("\x80\x06N.", "protocol 6"),
        BAD("K", "beyond the end"),
        BAD("X\x05\x00\x00\x00hi.", "operand of 5 bytes goes beyond"),
        BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\xffhi.", "beyond the end"),
        BAD("T\xff\xff\xff\xffhi.", "negative length"),
        BAD("\x8b\xff\xff\xff\xff.", "negative length"),
        BAD("\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", "beyond the end"),
        BAD("I12", "line without its end"),
        BAD("Ix\n.", "not a number"),
        BAD("I\n.", "0 characters"),
        BAD("I99999999999999999999\n.", "not a number"),
        BAD("Fx\n.", "not a number"),
        BAD("S'x\n.", "without quotes"),
        BAD("S'\n.", "without quotes"),
        BAD("S'\\q'\n.", "escape \\q"),
        BAD("S'\\x4'\n.", "escape \\x"),
        BAD("V\\u12\n.", "damaged \\u"),
        BAD("V\\U00110000\n.", "damaged \\u"),
        BAD("h\x05.", "memo entry 5"),
        BAD("gx\n.", "not a number"),
        BAD("K\x01p-1\n.", "memo key -1"),
        BAD("q\x00.", "stack has none"),
        BAD("\x94.", "stack has none"),
        BAD("0.", "empty stack"),
        BAD("2.", "stack has none"),
        BAD("1.", "needs a mark"),
        BAD("t.", "needs a mark"),
        BAD("K\x01\x86.", "tuple of 2"),
        BAD("(K\x01\x86.", "tuple of 2"),
        BAD("K\x01" "a.", "without a container"),
        BAD("K\x01K\x02" "a.", "another kind"),
        BAD("}K\x01" "a.", "another kind"),
        BAD("](K\x01u.", "no value"),
        BAD("](K\x01K\x02u.", "another kind"),
        BAD("}(K\x01u.", "no value"),
        BAD("(K\x01" "d.", "no value"),
        BAD("(K\x01" "e.", "without a container"),
        BAD("K\x01K\x02s.", "without a container"),
        BAD("K\x01K\x02\x93.", "not text"),
        BAD("K\x01" "b.", "stack has none"),
        BAD("K\x01K\x02" "b.", "no object"),
        BAD("(o.", "without a class"),
        BAD("\x82\x01.", "extension registry"),
        BAD("\x97.", "outside of the file"),
        BAD("cos\nsystem.", "line without its end"),
        BAD("cm\nC\n)R(K\x01K\x02uK\x03" "a.", "another kind"),
    };
    for (int64_t i = 0; i < PHYSAD__COUNT(cases); i++) {
        physad__pickle p;
        int32_t root;
        int64_t used;
        uint8_t *exact = malloc((size_t)cases[i].size + 1); /* a sanitizer sees a read beyond it, nearly */
        memcpy(exact, cases[i].text, (size_t)cases[i].size);
        const physad_status status = physad__pickle_read(&p, &mem, exact, cases[i].size, 1000, "x", &root, &used);
        if ((status != PHYSAD_ERR_FORMAT && status != PHYSAD_ERR_UNSUPPORTED) ||
            strstr(physad_last_error(), cases[i].message) == NULL)
            fail_msg("case %lld: %s: %s, want %s", (long long)i, physad_status_name(status), physad_last_error(),
                     cases[i].message);
        free(exact);
    }
}

static void bounds_hold(void **state)
{
    physad__pickle p;
    int32_t root;
    int64_t used;
    const int64_t size = 1 << 22;
    uint8_t *many = malloc((size_t)size);
    memset(many, ']', (size_t)size); /* a list per byte */
    assert_fails(PHYSAD_ERR_FORMAT, "more than 2097152 values",
                 physad__pickle_read(&p, &mem, many, size, 0, "x", &root, &used));
    memset(many, '(', (size_t)size);
    assert_fails(PHYSAD_ERR_FORMAT, "the data end", physad__pickle_read(&p, &mem, many, size, 0, "x", &root, &used));
    /* One value pushed again and again costs no more than the stack. */
    memset(many, '2', (size_t)size);
    many[0] = ']';
    many[1] = '(';
    many[2] = 'N';
    many[size - 1] = 'e';
    assert_fails(PHYSAD_ERR_FORMAT, "the data end", physad__pickle_read(&p, &mem, many, size, 0, "x", &root, &used));
    free(many);
    mem.limit = 1 << 16;
    uint8_t deep[4096];
    memset(deep, ']', sizeof(deep));
    assert_fails(PHYSAD_ERR_NOMEM, "memory limit",
                 physad__pickle_read(&p, &mem, deep, sizeof(deep), 0, "x", &root, &used));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(plain_values),
        TEST(texts),
        TEST(containers),
        TEST(nothing_is_ever_called),
        TEST(objects_keep_state_and_items),
        TEST(a_pickle_ends_where_it_stops),
        TEST(damaged_ones_are_refused),
        TEST(bounds_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
