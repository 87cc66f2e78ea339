/* What finding keys takes, counted: heads that are compared and strs that are made, for keys that all want
 * one place.
 *
 * keys.c is compiled into this program, and so are the functions of CPython's that it calls. */
#include "check.h"

#include "wire/literal_head.h"

static size_t compared;

static bool counted_same(const uint8_t *head, const uint8_t *other, size_t length) {
    compared++;
    return literal_head_same(head, other, length);
}

#define literal_head_same counted_same
#include "py/keys.c"

static size_t made;
static size_t freed;

PyObject *PyUnicode_DecodeLatin1(const char *text, Py_ssize_t length, const char *errors) {
    (void)text;
    (void)length;
    (void)errors;
    PyObject *str = calloc(1, sizeof *str);
    CHECK(str != NULL);
    Py_INCREF(str);
    made++;
    return str;
}

// Of a text of more than 512 bytes, which no key is; whether its call is left out is the compiler's.
PyObject *PyUnicode_DecodeUTF8(const char *text, Py_ssize_t length, const char *errors) {
    (void)text;
    (void)length;
    (void)errors;
    CHECK(false);
    return NULL;
}

void _Py_Dealloc(PyObject *str) {
    free(str);
    freed++;
}

typedef uint8_t head[LITERAL_HEAD + 1];

// So many keys: of the same set, or any.
static head *make_keys(size_t count, bool collide) {
    head *keys = calloc(count, sizeof *keys);
    CHECK(keys != NULL);
    size_t found = 0;
    for (unsigned number = 0; found < count; number++) {
        head *key = &keys[found];
        memset(key, 0, sizeof *key);
        snprintf((char *)*key, sizeof *key, "%08u\"", number);
        found += !collide || set_of(*key, 8) == 14;
    }
    return keys;
}

// How often keys are looked for: all of them, in the same order, three times.
static size_t find_all(head *keys, size_t count) {
    static key_cache cache;
    keys_init(&cache);
    compared = made = freed = 0;
    for (size_t i = 0; i < 3 * count; i++) {
        key_place place;
        CHECK(keys_find(&cache, keys[i % count], 8, &place));
        CHECK(memcmp(cache.entries[place].text, keys[i % count], 9) == 0);
    }
    keys_clear(&cache);
    CHECK(made == freed);
    return 3 * count;
}

static void keys_that_want_one_place_cost_two_comparisons_and_a_str_each(void) {
    for (size_t count = 500; count <= 4000; count *= 2) {
        head *keys = make_keys(count, true);
        size_t times = find_all(keys, count);
        CHECK(compared == 2 * times);
        CHECK(made == times);
        free(keys);
    }
}

static void keys_that_come_again_are_made_once(void) {
    head *keys = make_keys(60, false);
    size_t times = find_all(keys, 60);
    CHECK(made < 80); // where three meet in one place, they are made again
    CHECK(compared < 2 * times);
    free(keys);
}

static void two_keys_of_one_place_are_both_kept(void) {
    head *keys = make_keys(2, true);
    find_all(keys, 2);
    CHECK(made == 2);
    free(keys);
}

typedef uint8_t two_heads[2 * LITERAL_HEAD];

// So many long keys: of the same set, or any.
static two_heads *make_long_keys(size_t count, bool collide) {
    two_heads *keys = calloc(count, sizeof *keys);
    CHECK(keys != NULL);
    size_t found = 0;
    for (unsigned number = 0; found < count; number++) {
        two_heads *key = &keys[found];
        memset(key, 0, sizeof *key);
        snprintf((char *)*key, sizeof *key, "%040u\"", number);
        found += !collide || long_set_of(*key, 40) == 14;
    }
    return keys;
}

// How often long keys are looked for: all of them, in the same order, three times.
static size_t find_all_long(two_heads *keys, size_t count) {
    static key_cache cache;
    keys_init(&cache);
    compared = made = freed = 0;
    for (size_t i = 0; i < 3 * count; i++) {
        PyObject *str = keys_find_long(&cache, keys[i % count], 40);
        CHECK(str != NULL);
        Py_DECREF(str);
    }
    keys_clear(&cache);
    CHECK(made == freed);
    return 3 * count;
}

static void long_keys_that_want_one_place_cost_two_comparisons_and_a_str_each(void) {
    for (size_t count = 500; count <= 2000; count *= 2) {
        two_heads *keys = make_long_keys(count, true);
        size_t times = find_all_long(keys, count);
        CHECK(compared <= 4 * times); // of two heads each
        CHECK(made == times);
        free(keys);
    }
}

static void long_keys_that_come_again_are_made_once(void) {
    two_heads *keys = make_long_keys(2, true);
    find_all_long(keys, 2);
    CHECK(made == 2);
    free(keys);
}

static const check_case cases[] = {
    CASE(keys_that_want_one_place_cost_two_comparisons_and_a_str_each),
    CASE(keys_that_come_again_are_made_once),
    CASE(two_keys_of_one_place_are_both_kept),
    CASE(long_keys_that_want_one_place_cost_two_comparisons_and_a_str_each),
    CASE(long_keys_that_come_again_are_made_once),
};

CHECK_MAIN(cases)
