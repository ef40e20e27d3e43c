/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <locale.h>

static void status_names_are_pinned(void **state)
{
    assert_int_equal(PHYSAD_ERR_ARG, -1);
    assert_int_equal(PHYSAD_ERR_INTERNAL, -11);
    for (int i = 0; i >= -11; i--)
        assert_int_equal(strncmp(physad_status_name(i), "PHYSAD_", 7), 0);
    assert_string_equal(physad_status_name(1), "unknown status");
}

static void error_text_may_quote_itself(void **state)
{
    physad__error(PHYSAD_ERR_ARG, "first %d", 1);
    physad__error(PHYSAD_ERR_IO, "second after %s", physad_last_error());
    assert_string_equal(physad_last_error(), "second after first 1");
    physad__error_prefix(PHYSAD_ERR_IO, "file %s", "x.png");
    assert_string_equal(physad_last_error(), "file x.png: second after first 1");
    physad__error_prefix(PHYSAD_ERR_IO, "file x.png"); /* said already */
    assert_string_equal(physad_last_error(), "file x.png: second after first 1");
    physad__error_prefix(PHYSAD_ERR_IO, "file x");
    assert_string_equal(physad_last_error(), "file x: file x.png: second after first 1");
}

/* What files say is shown on terminals, and read as UTF-8. */
static void messages_are_text(void **state)
{
    char name[2048];
    physad__error(PHYSAD_ERR_IO, "%s: none", "\x1b]0;owned\x07\r\n\x7f.png");
    assert_string_equal(physad_last_error(), "?]0;owned????.png: none");
    physad__error_prefix(PHYSAD_ERR_IO, "caf\xe9\xc2\x9b" "2J caf\xc3\xa9");
    assert_string_equal(physad_last_error(), "caf???2J caf\xc3\xa9: ?]0;owned????.png: none");
    for (int from = 1000; from < 1030; from++) { /* one is cut within its last character */
        memset(name, 'x', sizeof(name));
        memcpy(name + from, "\xf0\x9f\x90\xbe", 5);
        physad__error(PHYSAD_ERR_IO, "%s", name);
        for (const char *p = physad_last_error(); *p != '\0'; p += physad__utf8_character(p))
            assert_true(physad__utf8_character(p) > 0);
    }
}

static void numbers_know_no_locale(void **state)
{
    char text[32];
    double v;
    /* A comma locale may not be installed; the test suite runs once more under one where it is. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    physad__snprintf(text, sizeof(text), "%g", 0.5);
    assert_string_equal(text, "0.5");
    assert_true(physad__parse_double("1.25e-3", &v));
    assert_true(v == 1.25e-3);
    assert_false(physad__parse_double("1,25", &v));
    assert_false(physad__parse_double("", &v));
    assert_false(physad__parse_double(" 1", &v));
    setlocale(LC_ALL, "C");
}

static void names_are_guessed(void **state)
{
    static const char *const names[] = { "patchcore", "padim", "cflow" };
    assert_string_equal(physad__nearest_name("patchcor", names, 3), "patchcore");
    assert_string_equal(physad__nearest_name("pdaim", names, 3), "padim");
    assert_null(physad__nearest_name("resnet", names, 3));
    static const char *const options[] = { "preset", "coreset_ratio", "score" };
    assert_string_equal(physad__nearest_name("coreset", options, 3),
                        "coreset_ratio"); /* a beginning beats a likeness */
    assert_string_equal(physad__nearest_name("core", options, 3), "coreset_ratio");
    assert_null(physad__nearest_name("co", options, 3)); /* too little to mean anything */
}

static void numbers_sort_ascending(void **state)
{
    physad__rng rng;
    float single[257];
    double twice[257];
    (void)state;
    physad__rng_seed(&rng, 3, 0);
    for (int64_t n = 0; n <= 257; n += 1 + n / 2) {
        double sum = 0, sorted = 0;
        for (int64_t i = 0; i < n; i++) {
            single[i] = (float)physad__rng_below(&rng, 40) - 20; /* many of a kind */
            twice[i] = (double)single[i];
            sum += twice[i] * twice[i];
        }
        physad__sort_floats(single, n);
        physad__sort_doubles(twice, n);
        for (int64_t i = 0; i < n; i++) {
            assert_true((double)single[i] == twice[i] && (i == 0 || twice[i - 1] <= twice[i]));
            sorted += twice[i] * twice[i];
        }
        assert_true(sorted == sum);
    }
    physad__sort_floats(NULL, 0);
    physad__sort_doubles(NULL, 0);
}

static void names_sort_as_people_count(void **state)
{
    assert_true(physad__natural_compare("9.png", "10.png") < 0);
    assert_true(physad__natural_compare("a010.png", "a9.png") > 0);
    assert_true(physad__natural_compare("a", "a0") < 0);
    assert_true(physad__natural_compare("01", "1") != 0);
    assert_int_equal(physad__natural_compare("x1y2", "x1y2"), 0);
}

static void memory_is_counted_and_limited(void **state)
{
    physad__mem mem;
    physad__mem_init(&mem, NULL, 10000);
    void *p = physad__alloc(&mem, 1000, "block");
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    assert_true(atomic_load(&mem.used) >= 1000);
    assert_null(physad__alloc(&mem, 9500, "big block"));
    assert_non_null(strstr(physad_last_error(), "big block"));
    assert_non_null(strstr(physad_last_error(), "limit is 10000"));
    assert_null(physad__alloc_array(&mem, INT64_MAX / 2, 8, "huge"));
    assert_null(physad__alloc_array(&mem, -1, 8, "negative"));
    physad__free(p);
    assert_int_equal(atomic_load(&mem.used), 0);
}

static void blocks_grow(void **state)
{
    physad__mem mem;
    int32_t *items = NULL;
    int64_t capacity = 0;
    physad__mem_init(&mem, NULL, 0);
    for (int32_t i = 0; i < 1000; i++) {
        assert_ok(physad__grow(&mem, &items, &capacity, i + 1, sizeof(*items), "items"));
        items[i] = i;
    }
    for (int32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    physad__free(items);
    assert_int_equal(atomic_load(&mem.used), 0);
}

static void *counted_alloc(size_t size, void *user)
{
    ++*(int *)user;
    return malloc(size);
}

static void counted_free(void *ptr, size_t size, void *user)
{
    --*(int *)user;
    free(ptr);
}

/* By the C library's realloc() and by a program's allocator: content, alignment, and what is counted. */
static void blocks_change_their_size(void **state)
{
    static const size_t sizes[] = { 1, 100, 50, 5000, 3000000, 7000000, 64, 0, 10 };
    int live = 0;
    const physad_allocator own = { counted_alloc, counted_free, &live };
    for (int k = 0; k < 2; k++) {
        physad__mem mem;
        physad__mem_init(&mem, k == 0 ? NULL : &own, 16000000);
        unsigned char *p = NULL;
        size_t before = 0;
        for (int i = 0; i < PHYSAD__COUNT(sizes); i++) {
            p = physad__realloc(&mem, p, sizes[i], "block");
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 64, 0);
            for (size_t j = 0; j < sizes[i] && j < before; j++)
                assert_int_equal(p[j], (unsigned char)(j * 7));
            for (size_t j = 0; j < sizes[i]; j++)
                p[j] = (unsigned char)(j * 7);
            before = sizes[i];
            assert_true(atomic_load(&mem.used) >= sizes[i] && atomic_load(&mem.used) <= sizes[i] + 256);
        }
        assert_null(physad__realloc(&mem, p, 17000000, "block")); /* over the limit: the old one stays */
        assert_int_equal(p[9], 63);
        assert_null(physad__realloc(&mem, p, SIZE_MAX - 10, "block"));
        physad__free(p);
        assert_int_equal(atomic_load(&mem.used), 0);
        assert_int_equal(live, 0);
    }
}

static void views_are_checked(void **state)
{
    float data[8] = { 0 };
    const int64_t shape[2] = { 2, 4 }, want[2] = { -1, 3 };
    physad_view v = physad_view_array(data, PHYSAD_F32, 2, shape);
    assert_ok(physad__view_check(&v, "x"));
    assert_fails(PHYSAD_ERR_SHAPE, "x has shape (2,4), want (n,3)", physad__view_want(&v, "x", PHYSAD_F32, 2, want));
    assert_fails(PHYSAD_ERR_DTYPE, "x has dtype f32, want u8", physad__view_want(&v, "x", PHYSAD_U8, 2, shape));
    v.shape[0] = INT64_MAX / 2;
    assert_fails(PHYSAD_ERR_SHAPE, "impossible shape", physad__view_check(&v, "x"));
    v = physad_view_array(NULL, PHYSAD_F32, 2, shape);
    assert_fails(PHYSAD_ERR_ARG, "data NULL", physad__view_check(&v, "x"));
    v = physad_view_array(data, 99, 2, shape);
    assert_fails(PHYSAD_ERR_DTYPE, "dtype 99", physad__view_check(&v, "x"));
    v = physad_view_array(data, PHYSAD_F32, 7, shape);
    assert_fails(PHYSAD_ERR_SHAPE, "7 dimensions", physad__view_check(&v, "x"));
    assert_fails(PHYSAD_ERR_ARG, "x is NULL", physad__view_check(NULL, "x"));
}

static void random_numbers_are_pinned(void **state)
{
    physad__rng a, b;
    int64_t count[7] = { 0 };
    double sum = 0, squares = 0;
    physad__rng_seed(&a, 0, 0);
    physad__rng_seed(&b, 0, 1);
    assert_true(physad__rng_next(&a) != physad__rng_next(&b));
    for (int i = 0; i < 70000; i++)
        count[physad__rng_below(&a, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_near((double)count[i], 10000, 400); /* more than four standard deviations */
    for (int i = 0; i < 100000; i++) {
        const double x = physad__rng_normal(&a);
        sum += x;
        squares += x * x;
    }
    assert_near(sum / 1e5, 0, 0.015);
    assert_near(squares / 1e5, 1, 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names_are_pinned),
        cmocka_unit_test(error_text_may_quote_itself),
        cmocka_unit_test(messages_are_text),
        cmocka_unit_test(numbers_know_no_locale),
        cmocka_unit_test(names_are_guessed),
        cmocka_unit_test(names_sort_as_people_count),
        cmocka_unit_test(numbers_sort_ascending),
        cmocka_unit_test(memory_is_counted_and_limited),
        cmocka_unit_test(blocks_grow),
        cmocka_unit_test(views_are_checked),
        cmocka_unit_test(blocks_change_their_size),
        cmocka_unit_test(random_numbers_are_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
