/* arrays.h: a payload to its arrays, by the fast path and without it. */
#include "check.h"
#include "wire/arrays.h"

static void put_string(check_text_buffer *out, const wire_string *string) {
    CHECK(string->escaped == (string->length > 0 && memchr(string->bytes, '\\', string->length) != NULL));
    check_put(out, string->bytes, string->length);
}

/* All arrays of a payload, each as `ID=DATA;`, a talk message as `ID=DATA=CLID|TEXT;`, then `.`, or `!` and
 * the byte that an error is about. */
static void read_arrays(const uint8_t *payload, size_t length, bool fast, check_text_buffer *out) {
    arrays_reader reader;
    arrays_status status;
    wire_array array;
    out->length = 0;
    if (fast)
        arrays_init(&reader, payload, length);
    else
        arrays_init_plain(&reader, payload, length);
    while ((status = arrays_next(&reader, &array)) == ARRAYS_ARRAY) {
        check_print(out, "%lld=", (long long)array.id);
        check_put(out, array.data, array.data_length);
        if (array.is_talk_message) {
            check_print(out, "=");
            put_string(out, &array.clid);
            check_print(out, "|");
            put_string(out, &array.text);
        }
        check_print(out, ";");
    }
    CHECK(arrays_next(&reader, &array) == status); // both are sticky
    if (status == ARRAYS_END) {
        check_print(out, ".");
    } else {
        size_t position;
        CHECK(arrays_error(&reader, &position) != NULL && position <= length);
        check_print(out, "!%zu", position);
    }
}

static void check_arrays(int line, const char *payload, size_t length, const char *want) {
    check_text_buffer out;
    uint8_t *copy = check_copy(payload, length);
    read_arrays(copy, length, true, &out);
    check_text(__FILE__, line, payload, out.text, want);
    read_arrays(copy, length, false, &out);
    check_text(__FILE__, line, payload, out.text, want);
    free(copy);
}

#define ARRAYS(payload, want) check_arrays(__LINE__, payload, sizeof(payload) - 1, want)

static void arrays_are_pairs_of_id_and_data(void) {
    ARRAYS("[]", ".");
    ARRAYS("[[0,[\"noop\"]]]", "0=[\"noop\"];.");
    ARRAYS("[[1,2],[3,\"x\"],[4,null],[5,{\"a\":[1]}]]", "1=2;3=\"x\";4=null;5={\"a\":[1]};.");
    ARRAYS(" [ [ 1 , [ 2 ] ] , [ 3 , 4 ] ] \n", "1=[ 2 ];3=4;.");
    ARRAYS("[[1,2,],]", "1=2;.");
    ARRAYS("[[1,undefined]]", "1=undefined;.");
}

static void an_id_is_a_whole_number_that_fits(void) {
    ARRAYS("[[9223372036854775807,1]]", "9223372036854775807=1;.");
    ARRAYS("[[9223372036854775808,1]]", "!2");
    ARRAYS("[[123456789012345678901234567890,1]]", "!2");
    ARRAYS("[[-1,1]]", "!2");
    ARRAYS("[[-0,1]]", "0=1;.");
    ARRAYS("[[1.0,1]]", "!2");
    ARRAYS("[[1e3,1]]", "!2");
    ARRAYS("[[\"1\",1]]", "!2");
    ARRAYS("[[,1]]", "!2");
    ARRAYS("[[null,1]]", "!2");
    ARRAYS("[[01,1]]", "!2");
    ARRAYS("[[[1],1]]", "!2");
}

static void an_array_has_just_an_id_and_data(void) {
    ARRAYS("[[]]", "!2");
    ARRAYS("[[1]]", "!3");
    ARRAYS("[[1,]]", "!4");
    ARRAYS("[[1,,]]", "!4");
    ARRAYS("[[1,,2]]", "!4");
    ARRAYS("[[1,2,3]]", "!6");
    ARRAYS("[[1,2,,]]", "!6");
    ARRAYS("[[1,[2],[]]]", "!8");
}

static void a_blank_payload_holds_no_array(void) {
    ARRAYS("", ".");
    ARRAYS("\n", ".");
    ARRAYS(" \t\r\n", ".");
}

static void what_is_no_array_of_arrays_is_an_error(void) {
    ARRAYS("hello", "!0");
    ARRAYS("\n\f", "!1");
    ARRAYS("1", "!0");
    ARRAYS("{}", "!0");
    ARRAYS("\"[]\"", "!0");
    ARRAYS("[1,2,23]", "!1");
    ARRAYS("[\"a\"]", "!1");
    ARRAYS("[,]", "!1");
    ARRAYS("[[1,2],,[3,4]]", "1=2;!7");
    ARRAYS("[{}]", "!1");
}

static void what_came_before_an_error_comes_first(void) {
    ARRAYS("[[1,2],[3,nul]]", "1=2;!10");
    ARRAYS("[[1,2]", "1=2;!6");
    ARRAYS("[[1,2]] []", "1=2;!8");
    ARRAYS("[] []", "!3");
    ARRAYS("[[1,[\"a]]]", "!5");
    ARRAYS("[[1,[1,{'a':}]]]", "!12");
    ARRAYS("[", "!1");
    ARRAYS("[[", "!2");
    ARRAYS("[[1", "!3");
    ARRAYS("[[1,", "!4");
    ARRAYS("[[1,2", "!5");
}

#define TALK(text) "[\"c\",[\"9D6C\",[\"ae\",\"" text "\"]]]"

static void a_talk_message_is_recognized(void) {
    ARRAYS("[[2,[\"c\",[\"9D6C\",[\"ae\",\"x\"]]]\n]\n]\n", "2=" TALK("x") "=9D6C|x;.");
    ARRAYS("[[2,[\"c\",[\"9D6C\",[\"ae\",\"x\"]]]]]", "2=" TALK("x") "=9D6C|x;.");
    ARRAYS("[[2," TALK("a") "\n]\n,[3," TALK("") "\n]\n]\n", "2=" TALK("a") "=9D6C|a;3=" TALK("") "=9D6C|;.");
    ARRAYS("[[2," TALK("{\\\"a\\\":1}") "\n]\n]\n", "2=" TALK("{\\\"a\\\":1}") "=9D6C|{\\\"a\\\":1};.");
    ARRAYS("[[0," TALK("a") "],[999999999999999999," TALK("b") "],[9223372036854775807," TALK("c") "]]",
           "0=" TALK("a") "=9D6C|a;999999999999999999=" TALK("b") "=9D6C|b;9223372036854775807=" TALK(
               "c") "=9D6C|c;.");
}

static void a_talk_message_may_be_spelled_otherwise(void) {
    ARRAYS("[[2,['c',['9D',['ae','x']]]]]", "2=['c',['9D',['ae','x']]]=9D|x;.");
    ARRAYS("[[2, [\"c\",[\"9D\",[\"ae\",\"x\"] ]]]]", "2=[\"c\",[\"9D\",[\"ae\",\"x\"] ]]=9D|x;.");
    ARRAYS("[[2,[\"\\x63\",[\"9D\",[\"a\\u0065\",\"x\"]]]]]",
           "2=[\"\\x63\",[\"9D\",[\"a\\u0065\",\"x\"]]]=9D|x;.");
    ARRAYS("[[2,[\"c\",[\"9\\x44\",[\"ae\",\"x\"]]]]]", "2=[\"c\",[\"9\\x44\",[\"ae\",\"x\"]]]=9\\x44|x;.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",\"x\",],],],]]", "2=[\"c\",[\"9D\",[\"ae\",\"x\",],],]=9D|x;.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",\"x\"]]],],]", "2=[\"c\",[\"9D\",[\"ae\",\"x\"]]]=9D|x;.");
}

static void what_only_resembles_a_talk_message_is_none(void) {
    ARRAYS("[[2,[\"C\",[\"9D\",[\"ae\",\"x\"]]]]]", "2=[\"C\",[\"9D\",[\"ae\",\"x\"]]];.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"af\",\"x\"]]]]]", "2=[\"c\",[\"9D\",[\"af\",\"x\"]]];.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",1]]]]]", "2=[\"c\",[\"9D\",[\"ae\",1]]];.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",\"x\",,]]]]]", "2=[\"c\",[\"9D\",[\"ae\",\"x\",,]]];.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",\"x\"],1]]]]", "2=[\"c\",[\"9D\",[\"ae\",\"x\"],1]];.");
    ARRAYS("[[2,[\"c\",[\"9D\",[\"ae\",\"x\"]],1]]]", "2=[\"c\",[\"9D\",[\"ae\",\"x\"]],1];.");
    ARRAYS("[[2,[\"c\",[,[\"ae\",\"x\"]]]]]", "2=[\"c\",[,[\"ae\",\"x\"]]];.");
    ARRAYS("[[2,[\"c\",{\"9D\":[\"ae\",\"x\"]}]]]", "2=[\"c\",{\"9D\":[\"ae\",\"x\"]}];.");
    ARRAYS("[[2,[\"c\",\"SID\",,8]\n]\n]\n", "2=[\"c\",\"SID\",,8];.");
}

/* After the fast path the reader must stand where the general path would. */
static void fast_and_general_arrays_may_follow_each_other(void) {
    ARRAYS("[[2," TALK("a") "\n]\n,[3,[\"noop\"]\n]\n,[4," TALK("b") "\n]\n]\n",
           "2=" TALK("a") "=9D6C|a;3=[\"noop\"];4=" TALK("b") "=9D6C|b;.");
    ARRAYS("[[2," TALK("a") "],{}]", "2=" TALK("a") "=9D6C|a;!31");
    ARRAYS("[[2," TALK("a") "],]", "2=" TALK("a") "=9D6C|a;.");
    ARRAYS("[[2," TALK("a") "],,]", "2=" TALK("a") "=9D6C|a;!31");
    ARRAYS("[[2," TALK("a") "] ]  x", "2=" TALK("a") "=9D6C|a;!34");
    ARRAYS("[[2," TALK("a") "][3,1]]", "2=" TALK("a") "=9D6C|a;!30");
    ARRAYS("[[2," TALK("a") "]", "2=" TALK("a") "=9D6C|a;!30");
    ARRAYS("[[2," TALK("a") ",1]]", "!30");
    ARRAYS("[[2," TALK("\\u12") "]]", "!24");
    ARRAYS("[[02," TALK("a") "]]", "!2");
    ARRAYS("[[9223372036854775808," TALK("a") "]]", "!2");
    ARRAYS("[[99999999999999999999," TALK("a") "]]", "!2");
}

static const char *const sources[] = {
    "[[2," TALK("x") "\n]\n]\n",
    "[[2," TALK("a") "\n]\n,[3," TALK(
        "{\\\"tick\\\": 1, \\\"name\\\": \\\"\\u00e9\\\"}") "\n]\n,[14,[\"noop\"]\n]\n]\n",
    "[[0,[\"c\",\"SID\",,8]],[1," TALK(
        "0123456789012345678901234567890123456789012345678901234567890123456789") "]]",
    "[[5,[{\"documentChange\":{\"name\":\"a\\u00e9\\n\",\"fields\":{\"n\":{\"integerValue\":\"12\"},\"\":[]},"
    "\"at\":-1.5e3,\"x\":[1,0,-0.25,10E+2,true,false,null,{}]}}]],[6,[null,,\"b\",[,[3,],],undefined,'q']]]",
    "[\n  [\n    7,\n    [\n      \"nowPlaying\",\n      {\n        \"state\": \"3\",\n        \"list\": [\n"
    "          1,\n          {}\n        ]\n      }\n    ]\n  ],\n  [ 8, \"c\" ]\n]\n",
    "[]",
};
#define SOURCES (sizeof sources / sizeof *sources - 1)

static void compare(const uint8_t *text, size_t length) {
    check_text_buffer fast, plain;
    uint8_t *copy = check_copy(text, length);
    read_arrays(copy, length, true, &fast);
    read_arrays(copy, length, false, &plain);
    free(copy);
    CHECK_TEXT("fast and plain", fast.text, plain.text);
}

static void every_beginning_is_read_alike_with_and_without_the_fast_path(void) {
    for (size_t s = 0; s < sizeof sources / sizeof *sources; s++)
        for (size_t length = 0; length <= strlen(sources[s]); length++)
            compare((const uint8_t *)sources[s], length);
}

static void mutations_are_read_alike_with_and_without_the_fast_path(void) {
    static const char bytes[] = "[[]],,\"\"'\\\n \t{}:019-.ecax\xC3\xA9";
    uint64_t seed = 9;
    for (int i = 0; i < 300000; i++) {
        uint8_t text[600];
        const char *source = sources[check_random_below(&seed, SOURCES)];
        size_t length = strlen(source);
        memcpy(text, source, length);
        for (size_t count = 1 + check_random_below(&seed, 3); count > 0; count--) {
            size_t at = check_random_below(&seed, length);
            uint8_t byte = (uint8_t)bytes[check_random_below(&seed, sizeof bytes - 1)];
            switch (check_random_below(&seed, 3)) {
            case 0:
                text[at] = byte;
                break;
            case 1:
                memmove(text + at, text + at + 1, --length - at);
                break;
            default:
                memmove(text + at + 1, text + at, length++ - at);
                text[at] = byte;
            }
        }
        compare(text, length);
    }
}

static const check_case cases[] = {
    CASE(arrays_are_pairs_of_id_and_data),
    CASE(an_id_is_a_whole_number_that_fits),
    CASE(an_array_has_just_an_id_and_data),
    CASE(a_blank_payload_holds_no_array),
    CASE(what_is_no_array_of_arrays_is_an_error),
    CASE(what_came_before_an_error_comes_first),
    CASE(a_talk_message_is_recognized),
    CASE(a_talk_message_may_be_spelled_otherwise),
    CASE(what_only_resembles_a_talk_message_is_none),
    CASE(fast_and_general_arrays_may_follow_each_other),
    CASE(every_beginning_is_read_alike_with_and_without_the_fast_path),
    CASE(mutations_are_read_alike_with_and_without_the_fast_path),
};

CHECK_MAIN(cases)
