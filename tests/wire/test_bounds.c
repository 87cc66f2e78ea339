/* bounds.h: a payload's arrays by their bounds alone; and bounds_scan.h, by blocks and one byte at a time. */
#include "check.h"
#include "wire/bounds.h"
#include "wire/bounds_scan.h"

/* All arrays of a payload, each as `ID=DATA;`, then `.`, or `!` and the byte that an error is about. */
static void read_bounds(const uint8_t *payload, size_t length, check_text_buffer *out) {
    bounds_reader reader;
    arrays_status status;
    wire_array array;
    out->length = 0;
    out->text[0] = 0;
    bounds_init(&reader, payload, length);
    while ((status = bounds_next(&reader, &array)) == ARRAYS_ARRAY) {
        CHECK(array.data >= payload && array.data + array.data_length <= payload + length);
        CHECK(array.data_length > 0 && !array.is_talk_message);
        check_print(out, "%lld=", (long long)array.id);
        check_put(out, array.data, array.data_length);
        check_print(out, ";");
    }
    CHECK(bounds_next(&reader, &array) == status); // both are sticky
    if (status == ARRAYS_END) {
        check_print(out, ".");
    } else {
        CHECK(reader.error != NULL && reader.cursor >= payload && reader.cursor <= payload + length);
        check_print(out, "!%zu", (size_t)(reader.cursor - payload));
    }
}

static void check_bounds(int line, const char *payload, size_t length, const char *want) {
    check_text_buffer out;
    uint8_t *copy = check_copy(payload, length);
    read_bounds(copy, length, &out);
    check_text(__FILE__, line, payload, out.text, want);
    free(copy);
}

#define BOUNDS(payload, want) check_bounds(__LINE__, payload, sizeof(payload) - 1, want)

static void arrays_are_pairs_of_id_and_data(void) {
    BOUNDS("[]", ".");
    BOUNDS("[[0,[\"noop\"]]]", "0=[\"noop\"];.");
    BOUNDS("[[1,2],[3,\"x\"],[4,null],[5,{\"a\":[1]}]]", "1=2;3=\"x\";4=null;5={\"a\":[1]};.");
    BOUNDS(" [ [ 1 , [ 2 ] ] , [ 3 , 4 ] ] \n", "1=[ 2 ];3=4;.");
    BOUNDS("[[1,2,],]", "1=2;.");
    BOUNDS("[[1,2 , ] , ]", "1=2;.");
}

static void what_is_in_data_is_nobodys_business(void) {
    BOUNDS("[[1,nul],[2,[,,]],[3,{:}],[4,01e]]", "1=nul;2=[,,];3={:};4=01e;.");
    BOUNDS("[[1,\"\\q\\u1\"],[2,'it\\'s, \"]'],[3,[\"']\"]]]", "1=\"\\q\\u1\";2='it\\'s, \"]';3=[\"']\"];.");
    BOUNDS("[[1,[}]]", "1=[};.");
    BOUNDS("[[1,\\\"],\"],[2,3]]", "1=\\\"],\";2=3;.");
}

static void quotes_hide_brackets_and_commas(void) {
    BOUNDS("[[1,\"],[2,3]]\"],[4,\"\\\"]\"],[5,\"\\\\\"]]", "1=\"],[2,3]]\";4=\"\\\"]\";5=\"\\\\\";.");
}

static void an_id_is_a_whole_number_that_fits(void) {
    BOUNDS("[[9223372036854775807,1]]", "9223372036854775807=1;.");
    BOUNDS("[[9223372036854775808,1]]", "!2");
    BOUNDS("[[123456789012345678901234567890,1]]", "!2");
    BOUNDS("[[-1,1]]", "!2");
    BOUNDS("[[-0,1]]", "0=1;.");
    BOUNDS("[[1.0,1]]", "!2");
    BOUNDS("[[1e3,1]]", "!2");
    BOUNDS("[[\"1\",1]]", "!2");
    BOUNDS("[[,1]]", "!2");
    BOUNDS("[[null,1]]", "!2");
    BOUNDS("[[01,1]]", "!2");
    BOUNDS("[[-,1]]", "!2");
    BOUNDS("[[[1],1]]", "!2");
}

static void an_array_has_just_an_id_and_data(void) {
    BOUNDS("[[]]", "!2");
    BOUNDS("[[1]]", "!3");
    BOUNDS("[[1,]]", "!4");
    BOUNDS("[[1, ]]", "!5");
    BOUNDS("[[1,,]]", "!4");
    BOUNDS("[[1,,2]]", "!4");
    BOUNDS("[[1,2,3]]", "!6");
    BOUNDS("[[1,2,,]]", "!6");
    BOUNDS("[[1,[2],[]]]", "!8");
    BOUNDS("[[1,2}]", "!5");
}

static void a_blank_payload_holds_no_array(void) {
    BOUNDS("", ".");
    BOUNDS("\n", ".");
    BOUNDS(" \t\r\n", ".");
}

static void what_is_no_array_of_arrays_is_an_error(void) {
    BOUNDS("hello", "!0");
    BOUNDS("1", "!0");
    BOUNDS("{}", "!0");
    BOUNDS("[1,2,23]", "!1");
    BOUNDS("[,]", "!1");
    BOUNDS("[[1,2],,[3,4]]", "1=2;!7");
    BOUNDS("[[1,2][3,4]]", "1=2;!6");
    BOUNDS("[[1,2]] []", "1=2;!8");
    BOUNDS("[[1,2]", "1=2;!6");
    BOUNDS("[[1,\"a]]", "!8");
    BOUNDS("[", "!1");
    BOUNDS("[[", "!2");
    BOUNDS("[[1", "!3");
    BOUNDS("[[1,", "!4");
    BOUNDS("[[1,2", "!5");
}

/* ---- Beside others ---- */

static void compare_scans(const uint8_t *text, size_t length) {
    uint8_t *copy = check_copy(text, length);
    for (size_t skipped = 0; skipped <= length && skipped < 3; skipped++)
        CHECK(bounds_scan(copy + skipped, copy + length) == bounds_scan_plain(copy + skipped, copy + length));
    free(copy);
}

/* What arrays.h reads, bounds.h reads alike. */
static void compare_readers(const uint8_t *text, size_t length) {
    uint8_t *copy = check_copy(text, length);
    arrays_reader arrays;
    bounds_reader bounds;
    wire_array want = {0}, got = {0};
    arrays_init_plain(&arrays, copy, length);
    bounds_init(&bounds, copy, length);
    arrays_status status;
    while ((status = arrays_next(&arrays, &want)) == ARRAYS_ARRAY) {
        CHECK(bounds_next(&bounds, &got) == ARRAYS_ARRAY);
        CHECK(got.id == want.id && got.data == want.data && got.data_length == want.data_length);
    }
    if (status == ARRAYS_END)
        CHECK(bounds_next(&bounds, &got) == ARRAYS_END);
    free(copy);
}

static void texts_of_any_length_are_read_alike_by_blocks_and_by_bytes(void) {
    static const char bytes[] = "[]{},,\"\"\"\\\\' a:1\n";
    uint64_t seed = 7;
    for (int i = 0; i < 200000; i++) {
        uint8_t text[300];
        size_t length = check_random_below(&seed, sizeof text);
        // Mostly text, so that strings and nests of all lengths come about.
        size_t rare = check_random_below(&seed, 3) == 0 ? 1 : 12;
        for (size_t at = 0; at < length; at++)
            text[at] = check_random_below(&seed, rare) == 0
                           ? (uint8_t)bytes[check_random_below(&seed, sizeof bytes - 1)]
                           : 'x';
        compare_scans(text, length);
    }
}

static void a_backslash_may_be_a_blocks_last_byte(void) {
    for (size_t before = 0; before < 140; before++)
        for (size_t slashes = 0; slashes < 70; slashes++) {
            uint8_t text[300] = {'"'};
            size_t length = 1;
            memset(text + length, 'x', before);
            length += before;
            memset(text + length, '\\', slashes);
            length += slashes;
            memcpy(text + length, "\"],\"]", 5);
            compare_scans(text, length + 5);
        }
}

static void depth_is_kept_over_blocks(void) {
    for (size_t depth = 1; depth < 200; depth += 7) {
        uint8_t text[500];
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '}';
        CHECK(bounds_scan(text, text + 2 * depth + 1) == text + 2 * depth);
        CHECK(bounds_scan(text, text + 2 * depth) == NULL);
        compare_scans(text, 2 * depth + 1);
    }
}

static void mutations_are_read_as_arrays_reads_them(void) {
    static const char *const sources[] = {
        "[[2,[\"c\",[\"9D\",[\"ae\",\"x\"]]]\n]\n,[14,[\"noop\"]\n]\n]\n",
        "[[1,[{\"targetChange\":{\"targetIds\":[2],\"resumeToken\":\"CgkI\\u00e9==\",\"readTime\":\"2026\"}}]"
        "],"
        "[3,[{'a':[1,,-2.5e3,true,null,undefined]}]]]",
    };
    static const char bytes[] = "[[]],,\"\"'\\\n \t{}:019-.e";
    uint64_t seed = 5;
    for (int i = 0; i < 200000; i++) {
        uint8_t text[400];
        const char *source = sources[check_random_below(&seed, 2)];
        size_t length = strlen(source);
        memcpy(text, source, length);
        for (size_t count = check_random_below(&seed, 4); count > 0; count--)
            text[check_random_below(&seed, length)] =
                (uint8_t)bytes[check_random_below(&seed, sizeof bytes - 1)];
        compare_scans(text, length);
        compare_readers(text, length);
    }
}

static const check_case cases[] = {
    CASE(arrays_are_pairs_of_id_and_data),
    CASE(what_is_in_data_is_nobodys_business),
    CASE(quotes_hide_brackets_and_commas),
    CASE(an_id_is_a_whole_number_that_fits),
    CASE(an_array_has_just_an_id_and_data),
    CASE(a_blank_payload_holds_no_array),
    CASE(what_is_no_array_of_arrays_is_an_error),
    CASE(texts_of_any_length_are_read_alike_by_blocks_and_by_bytes),
    CASE(a_backslash_may_be_a_blocks_last_byte),
    CASE(depth_is_kept_over_blocks),
    CASE(mutations_are_read_as_arrays_reads_them),
};

CHECK_MAIN(cases)
