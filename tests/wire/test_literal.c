/* literal.h: tokens, escapes and what is no literal. */
#include "check.h"
#include "wire/literal.h"
#include "wire/literal_scan.h"
#include "wire/literal_string.h"
#include "wire/literal_unescape.h"

/* Write one token: a string as `"…` with its escapes undone, a number as it is, words and brackets as
 * letters. */
static void put_token(check_text_buffer *out, const literal_reader *reader, literal_token token) {
    static const char *const marks[] = {
        [LITERAL_ARRAY_BEGIN] = "[", [LITERAL_ARRAY_END] = "]", [LITERAL_OBJECT_BEGIN] = "{",
        [LITERAL_OBJECT_END] = "}",  [LITERAL_KEY] = "k:",      [LITERAL_STRING] = "s:",
        [LITERAL_INTEGER] = "i:",    [LITERAL_FLOAT] = "f:",    [LITERAL_TRUE] = "T",
        [LITERAL_FALSE] = "F",       [LITERAL_NULL] = "N",
    };
    bool number = token == LITERAL_INTEGER || token == LITERAL_FLOAT;
    if (out->length > 0)
        check_print(out, " ");
    check_print(out, "%s", marks[token]);
    if (number)
        check_put(out, reader->token, reader->token_length);
    if (token == LITERAL_KEY || token == LITERAL_STRING) {
        bool lone;
        uint8_t *plain = check_copy(reader->token, reader->token_length);
        size_t length = literal_unescape(plain, reader->token_length, plain, &lone);
        CHECK(reader->token_escaped || length == reader->token_length);
        check_put(out, plain, length);
        free(plain);
    }
}

/* All tokens of a text; an error as `!` and the byte that it is about. */
static void read_tokens(const char *text, size_t length, check_text_buffer *out) {
    uint8_t *copy = check_copy(text, length);
    literal_reader reader;
    literal_token token;
    out->length = 0;
    check_put(out, "", 0);
    literal_init(&reader, copy, length);
    while ((token = literal_next(&reader)) > LITERAL_END)
        put_token(out, &reader, token);
    CHECK(literal_next(&reader) == token); // both are sticky
    if (token == LITERAL_ERROR) {
        CHECK(reader.error != NULL);
        check_print(out, out->length ? " !%zu" : "!%zu", (size_t)(reader.cursor - copy));
    }
    free(copy);
}

static void check_tokens(int line, const char *text, size_t length, const char *want) {
    check_text_buffer out;
    read_tokens(text, length, &out);
    check_text(__FILE__, line, text, out.text, want);
}

#define TOKENS(text, want) check_tokens(__LINE__, text, sizeof(text) - 1, want)

static void values_of_every_kind_are_read(void) {
    TOKENS("1", "i:1");
    TOKENS("\"a\"", "s:a");
    TOKENS(" null ", "N");
    TOKENS("[true,false,undefined,null]", "[ T F N N ]");
    TOKENS("[[],{}]", "[ [ ] { } ]");
    TOKENS("{\"a\":1,'b':[2],\"c\":{}}", "{ k:a i:1 k:b [ i:2 ] k:c { } }");
    TOKENS("[{\"a\":null},1]", "[ { k:a N } i:1 ]");
}

static void white_space_is_that_of_json(void) {
    TOKENS(" \t\r\n[ 1 , { \"a\" : 2 , \"b\"\n:\n3 } ] \n", "[ i:1 { k:a i:2 k:b i:3 } ]");
    TOKENS("\v1", "!0");
    TOKENS("\xC2\xA0"
           "1",
           "!0");
    TOKENS("1\f", "i:1 !1");
}

static void holes_are_counted_as_javascript_counts_them(void) {
    TOKENS("[]", "[ ]");
    TOKENS("[,]", "[ N ]");
    TOKENS("[1,]", "[ i:1 ]");
    TOKENS("[1,,]", "[ i:1 N ]");
    TOKENS("[,1]", "[ N i:1 ]");
    TOKENS("[,,]", "[ N N ]");
    TOKENS("[ 1 , , 2 ]", "[ i:1 N i:2 ]");
    TOKENS("[[,],]", "[ [ N ] ]");
}

static void a_hole_begins_where_its_value_is_missing(void) {
    static const uint8_t text[] = "[1, ,2]";
    literal_reader reader;
    literal_init(&reader, text, sizeof text - 1);
    literal_next(&reader);
    literal_next(&reader);
    CHECK(literal_next(&reader) == LITERAL_NULL);
    CHECK(reader.begin == text + 4);
}

static void objects_have_neither_holes_nor_bare_keys(void) {
    TOKENS("{,}", "{ !1");
    TOKENS("{\"a\":1,}", "{ k:a i:1 !7");
    TOKENS("{\"a\":,}", "{ k:a !5");
    TOKENS("{a:1}", "{ !1");
    TOKENS("{1:1}", "{ !1");
    TOKENS("{\"a\"}", "{ !4");
    TOKENS("{\"a\" 1}", "{ !5");
    TOKENS("{\"a\":1 \"b\":2}", "{ k:a i:1 !7");
    TOKENS("{\"a\":1", "{ k:a i:1 !6");
    TOKENS("{\"a", "{ !1");
    TOKENS("{", "{ !1");
    TOKENS("{\"a\":1]", "{ k:a i:1 !6");
}

static void arrays_end_where_they_should(void) {
    TOKENS("", "!0");
    TOKENS("  ", "!2");
    TOKENS("[", "[ !1");
    TOKENS("[1", "[ i:1 !2");
    TOKENS("[1,", "[ i:1 !3");
    TOKENS("[1 2]", "[ i:1 !3");
    TOKENS("[1}", "[ i:1 !2");
    TOKENS("]", "!0");
    TOKENS(",", "!0");
    TOKENS("[] []", "[ ] !3");
    TOKENS("[],", "[ ] !2");
    TOKENS("1 2", "i:1 !2");
}

static void numbers_are_those_of_json(void) {
    TOKENS("[0,-0,10,-12]", "[ i:0 i:-0 i:10 i:-12 ]");
    TOKENS("[1.5,1e3,1E+3,1e-3,-0.5e1]", "[ f:1.5 f:1e3 f:1E+3 f:1e-3 f:-0.5e1 ]");
    TOKENS("01", "!0");
    TOKENS("-01", "!1");
    TOKENS("00", "!0");
    TOKENS("+1", "!0");
    TOKENS(".5", "!0");
    TOKENS("1.", "!2");
    TOKENS("1.e3", "!2");
    TOKENS("1e", "!2");
    TOKENS("1e+", "!3");
    TOKENS("-", "!1");
    TOKENS("-a", "!1");
    TOKENS("1a", "i:1 !1");
    TOKENS("[0x1]", "[ i:0 !2");
    TOKENS("Infinity", "!0");
    TOKENS("-Infinity", "!1");
    TOKENS("NaN", "!0");
}

static void an_integer_has_a_limit_of_digits(void) {
    static char text[LITERAL_MAX_DIGITS + 3];
    check_text_buffer out;
    memset(text, '1', sizeof text);
    text[0] = '-';
    read_tokens(text, LITERAL_MAX_DIGITS + 1, &out);
    CHECK(strncmp(out.text, "i:-1", 4) == 0 && out.length == LITERAL_MAX_DIGITS + 3);
    read_tokens(text, LITERAL_MAX_DIGITS + 2, &out);
    CHECK_TEXT("one digit more", out.text, "!0");
    text[LITERAL_MAX_DIGITS + 1] = '.';
    read_tokens(text, LITERAL_MAX_DIGITS + 3, &out);
    CHECK(strncmp(out.text, "f:-1", 4) == 0);
}

static void words_are_whole_words(void) {
    TOKENS("nullx", "!0");
    TOKENS("true1", "!0");
    TOKENS("false_", "!0");
    TOKENS("null$", "!0");
    TOKENS("null\xC3\xA9", "!0");
    TOKENS("nul", "!0");
    TOKENS("undefine", "!0");
    TOKENS("True", "!0");
    TOKENS("abc", "!0");
    TOKENS("trueX", "!0");
    TOKENS("null\\u0041", "!0");
    TOKENS("null\"\"", "N !4");
}

static void escapes_are_those_of_javascript(void) {
    TOKENS("'\\b\\f\\n\\r\\t\\v\\'\\\"\\\\\\/'", "s:\b\f\n\r\t\v'\"\\/");
    TOKENS("'\\x41\\xe9\\u0041\\u00E9\\u20ac\\uFFFD'", "s:A\xC3\xA9"
                                                       "A\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBD");
    TOKENS("'\\q\\8\\\xC3\xA9\\\xF0\x9F\x98\x80\\\xE2\x82\xAC'", "s:q8\xC3\xA9\xF0\x9F\x98\x80\xE2\x82\xAC");
    TOKENS("'\\ud83d\\ude00'", "s:\xF0\x9F\x98\x80");
}

static void a_backslash_before_a_line_end_drops_both(void) {
    TOKENS("'a\\\nb'", "s:ab");
    TOKENS("'a\\\rb'", "s:ab");
    TOKENS("'a\\\r\nb'", "s:ab");
    TOKENS("'a\\\r\\\nb'", "s:ab");
    TOKENS("'a\\\n\rb'", "s:a\rb");
    TOKENS("'a\\\xE2\x80\xA8z\\\xE2\x80\xA9"
           "b'",
           "s:azb");
    TOKENS("'\\\xE2\x80\xAA'", "s:\xE2\x80\xAA");
    TOKENS("'\\\r'", "s:");
}

static void raw_control_characters_are_let_through(void) {
    TOKENS("\"a\nb\r\t\x01\x7F\"", "s:a\nb\r\t\x01\x7F");
    TOKENS("\"'\"", "s:'");
    TOKENS("'\"'", "s:\"");
}

static void malformed_escapes_are_errors(void) {
    TOKENS("'\\x4'", "!1");
    TOKENS("'\\xg1'", "!1");
    TOKENS("'\\u12'", "!1");
    TOKENS("'ab\\u123g'", "!3");
    TOKENS("'\\u+123'", "!1");
    TOKENS("'\\x", "!1");
    TOKENS("'\\", "!1");
    TOKENS("{'\\u12':1}", "{ !2");
    TOKENS("'\\n\\u1234\\x4 '", "!9");
}

static void strings_end(void) {
    TOKENS("\"", "!0");
    TOKENS("[\"abc", "[ !1");
    TOKENS("\"abc'", "!0");
    TOKENS("\"abc\\\"", "!0");
}

static void nesting_has_a_limit(void) {
    char text[2 * LITERAL_MAX_DEPTH + 2];
    check_text_buffer out;
    for (size_t depth = LITERAL_MAX_DEPTH; depth <= LITERAL_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        read_tokens(text, 2 * depth, &out);
        CHECK((strchr(out.text, '!') != NULL) == (depth > LITERAL_MAX_DEPTH));
    }
    CHECK(strstr(out.text, "!128") != NULL);
}

static void arrays_and_objects_nest_in_any_order(void) {
    uint64_t seed = 6;
    for (int i = 0; i < 300; i++) {
        char text[8 * LITERAL_MAX_DEPTH];
        bool objects[LITERAL_MAX_DEPTH];
        size_t depth = 1 + check_random_below(&seed, LITERAL_MAX_DEPTH), length = 0;
        check_text_buffer out;
        for (size_t d = 0; d < depth; d++) {
            objects[d] = check_random_below(&seed, 2) != 0;
            length += (size_t)sprintf(text + length, objects[d] ? "{'':" : "[");
        }
        text[length++] = '1';
        for (size_t d = depth; d > 0; d--)
            text[length++] = objects[d - 1] ? '}' : ']';
        read_tokens(text, length, &out);
        CHECK(strchr(out.text, '!') == NULL);
        // The other bracket at one place is an error.
        text[length - 1 - check_random_below(&seed, depth)] ^= ']' ^ '}';
        read_tokens(text, length, &out);
        CHECK(strchr(out.text, '!') != NULL);
    }
}

static void a_value_can_be_skipped(void) {
    static const uint8_t text[] = "[[1,{'a':[2]}],{},3,4]";
    literal_reader reader;
    literal_init(&reader, text, sizeof text - 1);
    CHECK(literal_next(&reader) == LITERAL_ARRAY_BEGIN);
    CHECK(literal_skip(&reader, literal_next(&reader)) == LITERAL_ARRAY_BEGIN);
    CHECK(literal_skip(&reader, literal_next(&reader)) == LITERAL_OBJECT_BEGIN);
    CHECK(literal_skip(&reader, literal_next(&reader)) == LITERAL_INTEGER);
    CHECK(literal_next(&reader) == LITERAL_INTEGER && *reader.token == '4');
    CHECK(literal_next(&reader) == LITERAL_ARRAY_END);
    literal_init(&reader, text, 9);
    CHECK(literal_skip(&reader, literal_next(&reader)) == LITERAL_ERROR);
    CHECK(literal_skip(&reader, LITERAL_ERROR) == LITERAL_ERROR);
}

static bool is(const char *text, const char *word) {
    literal_reader reader;
    literal_init(&reader, (const uint8_t *)text, strlen(text));
    CHECK(literal_next(&reader) == LITERAL_STRING);
    return literal_is(reader.token, reader.token_length, reader.token_escaped, word);
}

static void a_string_is_compared_with_its_escapes_undone(void) {
    CHECK(is("'c'", "c") && is("'\\x63'", "c") && is("'\\u0061\\u0065'", "ae") && is("'a\\e'", "ae"));
    CHECK(is("''", "") && is("'\\\n\\\n\\\n'", "") && is("'\\\n\\\na\\\r\n\\\ne\\\n'", "ae"));
    CHECK(!is("'c'", "ae") && !is("'\\x64'", "c") && !is("'\\x63\\x63'", "c") && !is("'a\\\n'", "ae"));
    CHECK(!is("'\\ud83d\\ude00'", "c") && !is("'\\ud83d\\ude00'", "cccc") && !is("'\\0'", ""));
}

static void lone_surrogates_are_kept_and_reported(void) {
    static const struct {
        const char *escaped, *plain;
        bool lone;
    } texts[] = {
        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80", false},
        {"\\uDBFF\\uDFFF", "\xF4\x8F\xBF\xBF", false},
        {"\\ud83d", "\xED\xA0\xBD", true},
        {"\\ude00", "\xED\xB8\x80", true},
        {"\\ude00\\ud83d", "\xED\xB8\x80\xED\xA0\xBD", true},
        {"\\ud83d\\ud83d\\ude00", "\xED\xA0\xBD\xF0\x9F\x98\x80", true},
        {"\\ud83dx\\ude00", "\xED\xA0\xBDx\xED\xB8\x80", true},
        {"\\ud83d\\n", "\xED\xA0\xBD\n", true},
        {"\\ud83d\\u0041", "\xED\xA0\xBD\x41", true},
        {"\\ud7ff\\ue000", "\xED\x9F\xBF\xEE\x80\x80", false},
        {"\\u0000", "", false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        bool lone = !texts[i].lone;
        uint8_t *text = check_copy(texts[i].escaped, strlen(texts[i].escaped));
        size_t length = literal_unescape(text, strlen(texts[i].escaped), text, &lone);
        CHECK(length == (i == 10 ? 1 : strlen(texts[i].plain)));
        CHECK(memcmp(text, texts[i].plain, length) == 0);
        CHECK(lone == texts[i].lone);
        free(text);
    }
}

static void scanning_fast_agrees_with_plain_at_every_length_and_alignment(void) {
    uint8_t text[160];
    for (size_t offset = 0; offset < 32; offset++) {
        for (size_t length = 0; length <= 100; length++) {
            memset(text, '"', sizeof text); // what is not to be looked at
            memset(text + offset, 'x', length);
            const uint8_t *at = text + offset, *end = at + length;
            CHECK(literal_scan_string(at, end, '"') == end);
            for (size_t place = 0; place < length; place++) {
                text[offset + place] = place % 2 ? '"' : '\\';
                CHECK(literal_scan_string(at, end, '"') == at + place);
                CHECK(literal_scan_string_plain(at, end, '"') == at + place);
                CHECK(literal_scan_string(at, end, '\'') == literal_scan_string_plain(at, end, '\''));
                text[offset + place] = (uint8_t)(place * 7 % 2 ? 'x' : 0xDC); // a backslash's other half
            }
        }
    }
}

/* A string's inside of `length` bytes of the kinds that matter, `wild` of 16 of them no plain letters. */
static void random_inside(uint64_t *seed, uint8_t *out, size_t length, size_t wild) {
    static const char bytes[] = "\\\\\\\\\"'ux0aF9\n\r/n\xE2\x80\xA8";
    for (size_t i = 0; i < length; i++)
        out[i] = check_random_below(seed, 16) < wild
                     ? (uint8_t)bytes[check_random_below(seed, sizeof bytes - 1)]
                     : 'e';
}

static void compare_string_end(const uint8_t *text, size_t length, size_t from) {
    const uint8_t *fast_bad = NULL, *plain_bad = NULL;
    bool fast_escaped = false, plain_escaped = false;
    const uint8_t *fast = literal_string_end(text + from, text + length, '"', &fast_escaped, &fast_bad);
    const uint8_t *plain =
        literal_string_end_plain(text + from, text + length, '"', &plain_escaped, &plain_bad);
    CHECK(fast == plain);
    CHECK(fast_escaped == plain_escaped);
    if (fast == NULL)
        CHECK(fast_bad == plain_bad);
}

static void finding_a_strings_end_fast_agrees_with_plain(void) {
    uint64_t seed = 7;
    for (int i = 0; i < 200000; i++) {
        uint8_t text[300];
        size_t length = check_random_below(&seed, sizeof text);
        random_inside(&seed, text, length, (size_t)i % 17);
        uint8_t *copy = check_copy(text, length);
        compare_string_end(copy, length, check_random_below(&seed, length / 4 + 1));
        free(copy);
    }
}

/* An escape at each place around the edges of a block, whole and spoilt. */
static void an_escape_may_stand_anywhere(void) {
    static const char *const escapes[] = {"\\u0041",   "\\x41", "\\n",     "\\\\",
                                          "\\\\\\\\u", "\\\"",  "\\u00g1", "\\xg1"};
    for (size_t e = 0; e < sizeof escapes / sizeof *escapes; e++) {
        for (size_t place = 0; place < 140; place++) {
            for (size_t tail = 0; tail < 70; tail += 3) {
                uint8_t text[256];
                size_t size = strlen(escapes[e]), length = place + size + tail;
                memset(text, 'u', sizeof text);
                memcpy(text + place, escapes[e], size);
                text[length] = '"';
                uint8_t *copy = check_copy(text, length + 1);
                compare_string_end(copy, length + 1, 0);
                compare_string_end(copy, length, 0);
                free(copy);
            }
        }
    }
}

static void unescaping_fast_agrees_with_plain_in_place_too(void) {
    uint64_t seed = 8;
    for (int i = 0; i < 200000; i++) {
        uint8_t text[301];
        size_t length = check_random_below(&seed, sizeof text - 1);
        random_inside(&seed, text, length, (size_t)i % 17);
        if (i % 3 == 0) // surrogates, at the edges too
            for (size_t k = 0; k + 6 <= length; k += 6 + check_random_below(&seed, 3))
                memcpy(text + k, check_random_below(&seed, 2) ? "\\ud83d" : "\\ude00", 6);
        // What a reader would take for the string: up to where it ends or goes wrong.
        bool escaped = false, lone[3];
        const uint8_t *bad;
        text[length] = '"';
        const uint8_t *end = literal_string_end_plain(text, text + length + 1, '"', &escaped, &bad);
        length = (size_t)((end != NULL ? end : bad) - text);
        if (end == NULL && length > 0 && text[length - 1] == '\\')
            continue;
        uint8_t *in = check_copy(text, length), *fast = check_copy(text, length),
                *plain = check_copy(text, length);
        memset(fast, 0, length);
        memset(plain, 0, length);
        size_t fast_length = literal_unescape(in, length, fast, &lone[0]);
        size_t plain_length = literal_unescape_plain(in, length, plain, &lone[1]);
        CHECK(fast_length == plain_length && memcmp(fast, plain, plain_length) == 0 && lone[0] == lone[1]);
        CHECK(literal_unescape(in, length, in, &lone[2]) == plain_length);
        CHECK(memcmp(in, plain, plain_length) == 0 && lone[2] == lone[1]);
        free(in);
        free(fast);
        free(plain);
    }
}

static const check_case cases[] = {
    CASE(values_of_every_kind_are_read),
    CASE(white_space_is_that_of_json),
    CASE(holes_are_counted_as_javascript_counts_them),
    CASE(a_hole_begins_where_its_value_is_missing),
    CASE(objects_have_neither_holes_nor_bare_keys),
    CASE(arrays_end_where_they_should),
    CASE(numbers_are_those_of_json),
    CASE(an_integer_has_a_limit_of_digits),
    CASE(words_are_whole_words),
    CASE(escapes_are_those_of_javascript),
    CASE(a_backslash_before_a_line_end_drops_both),
    CASE(raw_control_characters_are_let_through),
    CASE(malformed_escapes_are_errors),
    CASE(strings_end),
    CASE(nesting_has_a_limit),
    CASE(arrays_and_objects_nest_in_any_order),
    CASE(a_value_can_be_skipped),
    CASE(a_string_is_compared_with_its_escapes_undone),
    CASE(lone_surrogates_are_kept_and_reported),
    CASE(scanning_fast_agrees_with_plain_at_every_length_and_alignment),
    CASE(finding_a_strings_end_fast_agrees_with_plain),
    CASE(an_escape_may_stand_anywhere),
    CASE(unescaping_fast_agrees_with_plain_in_place_too),
};

CHECK_MAIN(cases)
