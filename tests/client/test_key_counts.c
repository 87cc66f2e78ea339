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

making_ways making; // none: by the stable ABI

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

// How long a key is, and a long one.
#define SHORT 8
#define LONG 40

typedef uint8_t key[2 * LITERAL_HEAD];

static size_t place_of(const uint8_t *text, size_t length) {
    return length == LONG ? long_set_of(text, length) : set_of(text, length);
}

// So many keys of that length: of the same set, or any.
static key *make_keys(size_t count, size_t length, bool collide) {
    key *keys = calloc(count, sizeof *keys);
    CHECK(keys != NULL);
    size_t found = 0;
    for (unsigned number = 0; found < count; number++) {
        key *made_key = &keys[found];
        memset(made_key, 0, sizeof *made_key);
        snprintf((char *)*made_key, sizeof *made_key, "%0*u\"", (int)length, number);
        found += !collide || place_of(*made_key, length) == 14;
    }
    return keys;
}

static void find(key_cache *cache, const uint8_t *text) {
    key_place place;
    CHECK(keys_find(cache, text, SHORT, &place));
    CHECK(memcmp(cache->entries[place].text, text, SHORT + 1) == 0);
}

static void find_long(key_cache *cache, const uint8_t *text) {
    PyObject *str = keys_find_long(cache, text, LONG);
    CHECK(str != NULL);
    Py_DECREF(str);
}

// How often keys of that length are looked for: all of them, in the same order, three times.
static size_t find_all(key *keys, size_t count, size_t length) {
    static key_cache cache;
    keys_init(&cache);
    compared = made = freed = 0;
    for (size_t i = 0; i < 3 * count; i++)
        (length == LONG ? find_long : find)(&cache, keys[i % count]);
    keys_clear(&cache);
    CHECK(made == freed);
    return 3 * count;
}

static void keys_that_want_one_place_cost_two_comparisons_and_a_str_each(void) {
    for (size_t count = 500; count <= 4000; count *= 2) {
        key *keys = make_keys(count, SHORT, true);
        size_t times = find_all(keys, count, SHORT);
        CHECK(compared == 2 * times);
        CHECK(made == times);
        free(keys);
    }
}

static void keys_that_come_again_are_made_once(void) {
    key *keys = make_keys(60, SHORT, false);
    size_t times = find_all(keys, 60, SHORT);
    CHECK(made < 80); // where three meet in one place, they are made again
    CHECK(compared < 2 * times);
    free(keys);
}

static void two_keys_of_one_place_are_both_kept(void) {
    key *keys = make_keys(2, SHORT, true);
    find_all(keys, 2, SHORT);
    CHECK(made == 2);
    free(keys);
}

static void long_keys_that_want_one_place_cost_two_comparisons_and_a_str_each(void) {
    for (size_t count = 500; count <= 2000; count *= 2) {
        key *keys = make_keys(count, LONG, true);
        size_t times = find_all(keys, count, LONG);
        CHECK(compared <= 4 * times); // of two heads each
        CHECK(made == times);
        free(keys);
    }
}

static void long_keys_that_come_again_are_made_once(void) {
    key *keys = make_keys(2, LONG, true);
    find_all(keys, 2, LONG);
    CHECK(made == 2);
    free(keys);
}

// How many heads are compared for the key that `text` begins with, where none is kept. What stands before the
// head, here a backslash, is not the key's, and neither is what stands behind it, a quotation mark.
static size_t compared_for(const char *text) {
    static key_cache cache;
    keys_init(&cache);
    uint8_t bytes[1 + LITERAL_HEAD + 1] = {[0] = '\\', [1 + LITERAL_HEAD] = '"'};
    CHECK(strlen(text) <= LITERAL_HEAD);
    memcpy(bytes + 1, text, strlen(text));
    key_place place;
    compared = 0;
    CHECK(!keys_find_written(&cache, bytes + 1, &place));
    return compared;
}

static void a_written_key_costs_two_comparisons_for_each_quotation_mark_up_to_its_own(void) {
    CHECK(compared_for("") == 0);
    CHECK(compared_for("\xC3\xA9") == 0);
    CHECK(compared_for("\":\"\",\"\":\"\"}") == 2);
    CHECK(compared_for("\xC3\xA9\":\"\",\"\":\"\"}") == 2);
    CHECK(compared_for("\\n\":\"\",\"\":\"\"}") == 2);
    CHECK(compared_for("\\\"\":\"\",\"\":\"\"}") == 4);
    // As many as there can be.
    CHECK(compared_for("\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"") == 32);
}

static void a_written_key_is_found_where_it_ends_and_nowhere_else(void) {
    static const char *const written[] = {"\xC3\xA9\\\"", "\xC3\xA9", "\xC3\xA9\\\\", "\xC3\xA9\\\"a", "\\n"};
    size_t count = sizeof written / sizeof *written;
    static key_cache cache;
    keys_init(&cache);
    made = freed = 0;
    for (size_t i = 0; i < count; i++) {
        char head[LITERAL_HEAD] = {0};
        snprintf(head, sizeof head, "%s\":\"\",\"", written[i]);
        key_place place, found;
        CHECK(!keys_find_written(&cache, (const uint8_t *)head, &found));
        PyObject *str = PyUnicode_DecodeLatin1(NULL, 0, NULL);
        keys_find_made(&cache, (const uint8_t *)head, strlen(written[i]), str, &place);
        CHECK(keys_find_written(&cache, (const uint8_t *)head, &found));
        CHECK(found == place && cache.entries[found].str == str);
        Py_DECREF(str);
    }
    CHECK(freed == 0);
    keys_clear(&cache);
    CHECK(made == count && freed == made);
}

static const check_case cases[] = {
    CASE(keys_that_want_one_place_cost_two_comparisons_and_a_str_each),
    CASE(keys_that_come_again_are_made_once),
    CASE(two_keys_of_one_place_are_both_kept),
    CASE(long_keys_that_want_one_place_cost_two_comparisons_and_a_str_each),
    CASE(long_keys_that_come_again_are_made_once),
    CASE(a_written_key_is_found_where_it_ends_and_nowhere_else),
    CASE(a_written_key_costs_two_comparisons_for_each_quotation_mark_up_to_its_own),
};

CHECK_MAIN(cases)
