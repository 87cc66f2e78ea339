/* literal_walk.h: what it takes ends where the literal reader ends it, and the rest it leaves to that one. */
#include "check.h"

#include "wire/literal.h"
#include "wire/literal_walk.h"

#define MOST 5

/* Where the value ends that `text` begins with, behind which ` ]` is; -1 where it is not taken. */
static int walk(const char *text) {
    size_t length = strlen(text);
    uint8_t *copy = malloc(length + 2);
    CHECK(copy != NULL);
    memcpy(copy, text, length);
    memcpy(copy + length, " ]", 2);
    const uint8_t *end = literal_walk(copy, copy + length + 2, MOST);
    int place = end != NULL ? (int)(end - copy) : -1;
    free(copy);
    return place;
}

static void what_servers_write_is_taken(void) {
    static const char *const values[] = {
        "0",
        "-0",
        "12.5",
        "-1.25e-7",
        "1E+5",
        "null",
        "true",
        "false",
        "undefined",
        "\"\"",
        "\"a\\n\\u00e9\\\"b\"",
        "\"0123456789012345678901234567890123456789\\\\\"",
        "'it\\'s \"x\"'",
        "[]",
        "{}",
        "[ ]",
        "[1, [2 ,\n [] ] ]",
        "[,]",
        "[,,1,,]",
        "[null,null,{}]",
        "{\"a\":1}",
        "{ \"a\" : { 'b' : [ ] } , \"c\":null }",
        "[\n                                        {\n\t\"a\": [\r\n  1\n]\n  }\n]",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        literal_reader reader;
        size_t length = strlen(values[i]);
        literal_init(&reader, (const uint8_t *)values[i], length);
        while (literal_next(&reader) > LITERAL_END)
            ;
        CHECK(reader.error == NULL);
        if (walk(values[i]) != (int)length)
            check_text(__FILE__, __LINE__, "is not taken to its end", values[i], "");
    }
}

static void what_comes_behind_is_not_looked_at(void) {
    CHECK(walk("12,x") == 2);
    CHECK(walk("[1]}") == 3);
    CHECK(walk("{}{") == 2);
    CHECK(walk("\"a\"\"") == 3);
}

static void what_is_no_value_is_left_to_the_reader(void) {
    static const char *const texts[] = {
        "",         "x",     "nul", "nulll]",     "[1}",     "{\"a\":1]", "[1 2]",       "{\"a\" 1}",
        "{\"a\":}", "{a:1}", "{,}", "{\"a\":1,}", "\"a",     "\"\\u12\"", "\"\\u00g0\"", "'a\"",
        "[",        "[[]",   "{",   "-",          "01",      "1.",        "1.e5",        "1e",
        "1e+",      "-a",    "[1",  "{\"a\"",     "{\"a\":", "]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int end = walk(texts[i]);
        // A word is told from a longer one by what stands behind it, which is the caller's.
        if (end >= 0 && strcmp(texts[i], "nulll]") != 0)
            check_text(__FILE__, __LINE__, "is taken", texts[i], "");
    }
}

static void an_integer_may_be_as_long_as_the_reader_lets_it(void) {
    char text[LITERAL_MAX_DIGITS + 2];
    memset(text, '7', sizeof text);
    text[LITERAL_MAX_DIGITS] = '\0';
    CHECK(walk(text) == LITERAL_MAX_DIGITS);
    text[LITERAL_MAX_DIGITS] = '7';
    text[LITERAL_MAX_DIGITS + 1] = '\0';
    CHECK(walk(text) == -1);
}

static void no_more_is_open_at_once_than_may_be(void) {
    CHECK(walk("[[[[[1]]]]]") == 11);
    CHECK(walk("[[[[[]]]]]") == 10);
    CHECK(walk("[[[[[[]]]]]]") == -1);
    CHECK(walk("[[[[{\"a\":1}]]]]") == 15);
    CHECK(walk("[[[[{\"a\":{}}]]]]") == -1);
}

static const check_case cases[] = {
    CASE(what_servers_write_is_taken),
    CASE(what_comes_behind_is_not_looked_at),
    CASE(what_is_no_value_is_left_to_the_reader),
    CASE(an_integer_may_be_as_long_as_the_reader_lets_it),
    CASE(no_more_is_open_at_once_than_may_be),
};

CHECK_MAIN(cases)
