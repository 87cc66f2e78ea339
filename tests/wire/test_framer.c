/* framer.h: a body to its chunks, however it is cut. */
#include "check.h"
#include "wire/framer.h"

static bool all_ascii(const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] >= 0x80)
            return false;
    return true;
}

/* Feed a piece, and write what came of it: `<payload>` for a chunk, `!` for corruption. */
static bool feed(framer *frames, const uint8_t *bytes, size_t length, check_text_buffer *out) {
    framer_chunk chunk;
    framer_status status;
    uint8_t *piece = check_copy(bytes, length);
    framer_feed(frames, piece, length);
    while ((status = framer_next(frames, &chunk)) == FRAMER_CHUNK) {
        CHECK(chunk.payload != NULL);
        CHECK(chunk.is_ascii == all_ascii(chunk.payload, chunk.length));
        check_put(out, "<", 1);
        check_put(out, chunk.payload, chunk.length);
        check_put(out, ">", 1);
    }
    free(piece);
    CHECK(framer_input_left(frames) == 0);
    if (status == FRAMER_CORRUPT)
        check_put(out, "!", 1);
    return status == FRAMER_NEED_MORE;
}

/* Frame a body in pieces of `piece` bytes, or of random lengths if it is 0. After the chunks, `~` says that
 * the body ended inside one. */
static void frame(const uint8_t *body, size_t length, size_t max_chunk, size_t piece, uint64_t seed,
                  check_text_buffer *out) {
    framer frames;
    framer_init(&frames, max_chunk);
    bool good = true;
    out->length = 0;
    check_put(out, "", 0);
    for (size_t at = 0, size; good && at < length; at += size) {
        size = piece ? piece : 1 + check_random_below(&seed, 12);
        if (size > length - at)
            size = length - at;
        good = feed(&frames, body + at, size, out);
    }
    if (good && !framer_at_boundary(&frames))
        check_put(out, "~", 1);
    framer_clear(&frames);
}

static void check_frames(int line, const char *body, size_t length, size_t max_chunk, const char *want) {
    check_text_buffer out;
    frame((const uint8_t *)body, length, max_chunk, length, 0, &out);
    check_text(__FILE__, line, body, out.text, want);
    frame((const uint8_t *)body, length, max_chunk, 1, 0, &out);
    check_text(__FILE__, line, body, out.text, want);
    for (uint64_t seed = 0; seed < 60; seed++) {
        frame((const uint8_t *)body, length, max_chunk, 0, seed, &out);
        check_text(__FILE__, line, body, out.text, want);
    }
}

#define FRAMES(body, want) check_frames(__LINE__, body, sizeof(body) - 1, 0, want)
#define FRAMES_UP_TO(max_chunk, body, want) check_frames(__LINE__, body, sizeof(body) - 1, max_chunk, want)

static void chunks_come_one_by_one(void) {
    FRAMES("", "");
    FRAMES("3\nabc", "<abc>");
    FRAMES("3\nabc2\nde11\n01234567890", "<abc><de><01234567890>");
}

static void lengths_are_in_utf16_units(void) {
    FRAMES("3\n\xC3\xA9\xE2\x82\xAC!1\na", "<\xC3\xA9\xE2\x82\xAC!><a>");
    FRAMES("4\n\xF0\x9F\x98\x80\xF0\x9F\x98\x80"
           "1\na",
           "<\xF0\x9F\x98\x80\xF0\x9F\x98\x80><a>");
}

static void line_feeds_of_the_payload_are_counted(void) {
    FRAMES("4\nabc\n1\n\n", "<abc\n><\n>");
}

static void cr_spaces_and_blank_lines_around_a_length_are_let_through(void) {
    FRAMES("1\r\na\n\r\n  1  \nb \n\n 2 \r\ncd\n", "<a><b><cd>");
}

static void an_empty_payload_is_a_chunk(void) {
    FRAMES("0\n", "<>");
    FRAMES("0\n0\n1\na", "<><><a>");
    FRAMES("000\n003\nabc", "<><abc>");
}

static void a_body_that_ends_inside_a_chunk_is_not_at_a_boundary(void) {
    FRAMES("1", "~");
    FRAMES("12 ", "~");
    FRAMES("12\r", "~");
    FRAMES("2\n", "~");
    FRAMES("2\na", "~");
    FRAMES("1\na2\n\xF0\x9F\x98", "<a>~");
    FRAMES("1\na\n \r\n", "<a>");
    FRAMES(" ", "");
}

static void what_is_no_length_is_corrupt_at_once(void) {
    FRAMES("a", "!");
    FRAMES("-3\nabc", "!");
    FRAMES("+3\nabc", "!");
    FRAMES("1.0\n", "!");
    FRAMES("1 1\n", "!");
    FRAMES("1\r1\n", "!");
    FRAMES("1x", "!");
    FRAMES("\t1\na", "!");
    FRAMES("\x00", "!");
}

static void a_length_past_the_limit_is_corrupt_at_once(void) {
    FRAMES_UP_TO(10, "10\n0123456789", "<0123456789>");
    FRAMES_UP_TO(10, "11", "!");
    FRAMES_UP_TO(5, "6", "!");
    FRAMES_UP_TO(SIZE_MAX, "99999999999999999999999999999999", "!");
    FRAMES_UP_TO(SIZE_MAX, "18446744073709551616", "!");
    FRAMES("16777216\n", "~");
    FRAMES("16777217", "!");
    FRAMES_UP_TO(1, "0000000000000000000000000000000000001\na", "<a>");
}

static void chunks_before_corruption_come_first(void) {
    FRAMES("1\na2\nbcx", "<a><bc>!");
    FRAMES("1\na2\n\xFF", "<a>!");
}

static void invalid_utf8_is_corrupt(void) {
    FRAMES("2\n\xFFz", "!");
    FRAMES("2\n\xC0\xAF", "!");
    FRAMES("2\n\xED\xA0\x80", "!");
    FRAMES("2\n\xF4\x90\x80\x80", "!");
    FRAMES("2\n\xE0\x80", "!");
    FRAMES("2\na\xC3z", "!");
}

static void a_length_that_ends_inside_a_pair_is_corrupt(void) {
    FRAMES("1\n\xF0\x9F\x98\x80", "!");
    FRAMES("3\nab\xF0", "!");
}

static void failure_is_for_good_and_says_why(void) {
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 0);
    framer_feed(&frames, (const uint8_t *)"x", 1);
    CHECK(framer_next(&frames, &chunk) == FRAMER_CORRUPT);
    CHECK(frames.error != NULL);
    framer_feed(&frames, (const uint8_t *)"1\na", 3);
    CHECK(framer_input_left(&frames) == 0);
    CHECK(framer_next(&frames, &chunk) == FRAMER_CORRUPT);
    CHECK(!framer_at_boundary(&frames));
    framer_reset(&frames);
    CHECK(frames.error == NULL);
    framer_feed(&frames, (const uint8_t *)"1\na", 3);
    CHECK(framer_next(&frames, &chunk) == FRAMER_CHUNK);
    framer_clear(&frames);
}

static void a_whole_chunk_is_not_copied(void) {
    static const uint8_t body[] = "5\n01234";
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 0);
    framer_feed(&frames, body, sizeof body - 1);
    CHECK(framer_input_left(&frames) == 7);
    CHECK(framer_next(&frames, &chunk) == FRAMER_CHUNK);
    CHECK(chunk.payload == body + 2 && chunk.length == 5);
    CHECK(frames.held == NULL);
    framer_clear(&frames);
}

static void a_reset_forgets_the_body_and_keeps_the_limit(void) {
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 20);
    framer_feed(&frames, (const uint8_t *)"9\nabc\xE2\x82", 7);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NEED_MORE);
    framer_reset(&frames);
    CHECK(framer_at_boundary(&frames));
    framer_feed(&frames, (const uint8_t *)"1\na21", 5);
    CHECK(framer_next(&frames, &chunk) == FRAMER_CHUNK);
    CHECK(chunk.length == 1 && chunk.payload[0] == 'a');
    CHECK(framer_next(&frames, &chunk) == FRAMER_CORRUPT);
    framer_clear(&frames);
    framer_clear(&frames);
}

static void a_claimed_length_allocates_nothing(void) {
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 0);
    framer_feed(&frames, (const uint8_t *)"16000000\n", 9);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NEED_MORE);
    CHECK(frames.held == NULL);
    framer_feed(&frames, (const uint8_t *)"a", 1);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NEED_MORE);
    CHECK(frames.held_capacity <= 1024);
    framer_clear(&frames);
    CHECK(frames.held == NULL);
}

/* Feed a chunk of `length` ASCII bytes in two parts. */
static void feed_in_parts(framer *frames, size_t length) {
    char head[32];
    framer_chunk chunk;
    uint8_t *payload = malloc(length);
    CHECK(payload != NULL);
    memset(payload, 'x', length);
    framer_feed(frames, (const uint8_t *)head, (size_t)snprintf(head, sizeof head, "%zu\n", length));
    CHECK(framer_next(frames, &chunk) == FRAMER_NEED_MORE);
    framer_feed(frames, payload, length - 1);
    CHECK(framer_next(frames, &chunk) == FRAMER_NEED_MORE);
    framer_feed(frames, payload + length - 1, 1);
    CHECK(framer_next(frames, &chunk) == FRAMER_CHUNK);
    CHECK(chunk.length == length && memcmp(chunk.payload, payload, length) == 0);
    free(payload);
}

static void a_large_buffer_is_given_back_and_a_small_one_kept(void) {
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 0);
    feed_in_parts(&frames, 1000);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NEED_MORE);
    CHECK(frames.held != NULL && frames.held_length == 0);
    feed_in_parts(&frames, 1000000);
    CHECK(frames.held_capacity >= 1000000);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NEED_MORE);
    CHECK(frames.held == NULL && frames.held_capacity == 0);
    framer_clear(&frames);
}

/* Random bodies of the bytes that matter. */
static void the_result_does_not_depend_on_the_cuts(void) {
    static const char *const pieces[] = {
        "1\n", "2\n",  "3\n", "10\n", "a", "\xC3\xA9", "\xE2\x82\xAC", "\n", " ", "\r", "\xF0\x9F\x98\x80",
        "0",   "\xF0", "\x80"};
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        check_text_buffer body = {.length = 0}, whole, cut;
        for (size_t count = check_random_below(&seed, 14); count > 0; count--) {
            const char *piece = pieces[check_random_below(&seed, sizeof pieces / sizeof *pieces)];
            check_put(&body, piece, strlen(piece));
        }
        const uint8_t *bytes = (const uint8_t *)body.text;
        frame(bytes, body.length, 12, body.length, 0, &whole);
        frame(bytes, body.length, 12, 1, 0, &cut);
        CHECK_TEXT(body.text, cut.text, whole.text);
        frame(bytes, body.length, 12, 0, seed, &cut);
        CHECK_TEXT(body.text, cut.text, whole.text);
    }
}

static const check_case cases[] = {
    CASE(chunks_come_one_by_one),
    CASE(lengths_are_in_utf16_units),
    CASE(line_feeds_of_the_payload_are_counted),
    CASE(cr_spaces_and_blank_lines_around_a_length_are_let_through),
    CASE(an_empty_payload_is_a_chunk),
    CASE(a_body_that_ends_inside_a_chunk_is_not_at_a_boundary),
    CASE(what_is_no_length_is_corrupt_at_once),
    CASE(a_length_past_the_limit_is_corrupt_at_once),
    CASE(chunks_before_corruption_come_first),
    CASE(invalid_utf8_is_corrupt),
    CASE(a_length_that_ends_inside_a_pair_is_corrupt),
    CASE(failure_is_for_good_and_says_why),
    CASE(a_whole_chunk_is_not_copied),
    CASE(a_reset_forgets_the_body_and_keeps_the_limit),
    CASE(a_claimed_length_allocates_nothing),
    CASE(a_large_buffer_is_given_back_and_a_small_one_kept),
    CASE(the_result_does_not_depend_on_the_cuts),
};

CHECK_MAIN(cases)
