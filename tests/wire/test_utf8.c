/* utf8.h: walking over UTF-8 by UTF-16 units. */
#include "check.h"
#include "wire/utf8.h"

// More units than any text here has.
#define ALL (SIZE_MAX / 2)

static utf8_status advance(const char *bytes, size_t length, size_t *units, size_t *advanced) {
    uint8_t *copy = check_copy(bytes, length);
    utf8_status status = utf8_advance(copy, length, units, advanced);
    free(copy);
    return status;
}

static void check_advance(const char *text, size_t length, size_t units, utf8_status want,
                          size_t want_missing, size_t want_advanced) {
    size_t advanced;
    CHECK(advance(text, length, &units, &advanced) == want);
    CHECK(units == want_missing);
    CHECK(advanced == want_advanced);
}

#define ADVANCE(text, units, status, missing, advanced)                                                      \
    check_advance(text, sizeof(text) - 1, units, status, missing, advanced)

/* Compare the fast path with the plain one. */
static void compare(const uint8_t *bytes, size_t length, size_t units) {
    size_t fast_units = units, plain_units = units, fast_advanced = 99, plain_advanced = 99;
    uint8_t *copy = check_copy(bytes, length);
    utf8_status fast = utf8_advance(copy, length, &fast_units, &fast_advanced);
    utf8_status plain = utf8_advance_plain(copy, length, &plain_units, &plain_advanced);
    free(copy);
    CHECK(fast == plain);
    CHECK(fast_units == plain_units);
    CHECK(fast_advanced == plain_advanced);
}

static size_t encode(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
    out[0] = (uint8_t)(0xF00 >> size | code);
    return size;
}

static void units_are_those_of_utf16(void) {
    ADVANCE("a", ALL, UTF8_OK, ALL - 1, 1);
    ADVANCE("\xC3\xA9", ALL, UTF8_OK, ALL - 1, 2);
    ADVANCE("\xE2\x82\xAC", ALL, UTF8_OK, ALL - 1, 3);
    ADVANCE("\xF0\x9F\x98\x80", ALL, UTF8_OK, ALL - 2, 4);
    ADVANCE("\0", ALL, UTF8_OK, ALL - 1, 1);
}

static void nothing_is_wanted_of_nothing(void) {
    size_t units = 7, advanced = 1;
    CHECK(utf8_advance(NULL, 0, &units, &advanced) == UTF8_OK);
    CHECK(units == 7 && advanced == 0);
    ADVANCE("\xFF", 0, UTF8_OK, 0, 0);
}

static void it_stops_where_the_units_are_reached(void) {
    ADVANCE("a\xC3\xA9\xFF", 2, UTF8_OK, 0, 3);
    ADVANCE("\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 2, UTF8_OK, 0, 4);
    ADVANCE("abc", 2, UTF8_OK, 0, 2);
}

static void a_pair_cannot_be_split_however_little_of_it_came(void) {
    ADVANCE("a\xF0\x9F\x98\x80", 2, UTF8_SPLIT_PAIR, 1, 1);
    ADVANCE("\xF0\x9F\x98", 1, UTF8_SPLIT_PAIR, 1, 0);
    ADVANCE("\xF4", 1, UTF8_SPLIT_PAIR, 1, 0);
    ADVANCE("\xF5", 1, UTF8_INVALID, 1, 0);
}

/* Every character, and every beginning of it. */
static void every_character_is_valid_and_its_beginnings_are_cut(void) {
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        uint8_t bytes[4];
        size_t size = encode(bytes, code), units = ALL, advanced;
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        utf8_status status = utf8_advance_plain(bytes, size, &units, &advanced);
        CHECK(status == (surrogate ? UTF8_INVALID : UTF8_OK));
        CHECK(ALL - units == (surrogate ? 0u : code > 0xFFFF ? 2u : 1u));
        for (size_t cut = 1; cut < size; cut++) {
            status = utf8_advance_plain(bytes, cut, &units, &advanced);
            CHECK(status == (surrogate && cut > 1 ? UTF8_INVALID : UTF8_CUT));
            CHECK(advanced == 0);
        }
    }
}

/* What decoding by arithmetic says of a byte sequence of one character. */
static utf8_status judge(const uint8_t *bytes, size_t length) {
    if (bytes[0] < 0x80)
        return UTF8_OK;
    size_t size = bytes[0] >= 0xF0 ? 4 : bytes[0] >= 0xE0 ? 3 : 2;
    if (bytes[0] < 0xC0 || bytes[0] >= 0xF8)
        return UTF8_INVALID;
    // Valid so far means that some code point begins with these bytes.
    uint32_t low = bytes[0] & (0x7Fu >> size), high = low;
    for (size_t i = 1; i < size; i++) {
        if (i < length && (bytes[i] & 0xC0) != 0x80)
            return UTF8_INVALID;
        low = low << 6 | (i < length ? bytes[i] & 0x3Fu : 0);
        high = high << 6 | (i < length ? bytes[i] & 0x3Fu : 0x3F);
    }
    uint32_t least = size == 2 ? 0x80 : size == 3 ? 0x800 : 0x10000;
    if (high < least || low > 0x10FFFF || (low >= 0xD800 && high <= 0xDFFF))
        return UTF8_INVALID;
    return length < size ? UTF8_CUT : UTF8_OK;
}

static void every_two_bytes_are_judged_as_by_arithmetic(void) {
    for (uint32_t i = 0; i < 0x10000; i++) {
        uint8_t bytes[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        size_t units = 1, advanced;
        CHECK((int)utf8_advance_plain(bytes, 1, &units, &advanced) ==
              (int)(bytes[0] >= 0xF0 && bytes[0] <= 0xF4 ? UTF8_SPLIT_PAIR : judge(bytes, 1)));
        units = ALL;
        utf8_status want = judge(bytes, 2);
        if (want == UTF8_OK && bytes[0] < 0x80)
            want = judge(bytes + 1, 1);
        CHECK(utf8_advance_plain(bytes, 2, &units, &advanced) == want);
    }
}

static void random_three_and_four_bytes_are_judged_as_by_arithmetic(void) {
    uint64_t seed = 1;
    for (int i = 0; i < 2000000; i++) {
        uint32_t random = check_random(&seed);
        uint8_t bytes[4] = {(uint8_t)(random >> 24 | 0xE0), (uint8_t)(random >> 16), (uint8_t)(random >> 8),
                            (uint8_t)random};
        // Mostly continuations, or nearly all are wrong at the second byte.
        for (size_t k = 1; k < 4; k++)
            bytes[k] = check_random_below(&seed, 8) ? (uint8_t)(0x80 | (bytes[k] & 0x3F)) : bytes[k];
        size_t length = bytes[0] >= 0xF0 ? 4 : 3, units = 2, advanced;
        CHECK(utf8_advance_plain(bytes, length, &units, &advanced) == judge(bytes, length));
    }
}

/* Put a sequence among others at every offset and have both walk over it. */
static void compare_everywhere(const uint8_t *sequence, size_t size, uint8_t filler, const size_t *places,
                               size_t count) {
    uint8_t text[100];
    for (size_t i = 0; i < count; i++) {
        size_t length = places[i] + size + 30;
        memset(text, filler, sizeof text);
        if (filler >= 0x80) // two-byte characters
            for (size_t k = 0; k < sizeof text; k += 2)
                text[k] = 0xC3;
        memcpy(text + places[i], sequence, size);
        compare(text, length, ALL);
        compare(text, places[i] + size, ALL);
    }
}

static void fast_agrees_with_plain_on_every_two_bytes(void) {
    static const size_t places[] = {0, 1, 14, 15, 16, 17, 31, 34, 47, 62};
    for (uint32_t i = 0; i < 0x10000; i++) {
        uint8_t bytes[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        compare_everywhere(bytes, 2, 'x', places, sizeof places / sizeof *places);
        compare_everywhere(bytes, 2, 0xA9, places, 6);
    }
}

static void fast_agrees_with_plain_on_random_three_and_four_bytes_at_every_place(void) {
    uint64_t seed = 2;
    size_t places[66];
    for (size_t i = 0; i < 66; i++)
        places[i] = i;
    for (int i = 0; i < 3000; i++) {
        uint32_t random = check_random(&seed);
        uint8_t bytes[4] = {(uint8_t)(random >> 24 | 0xE0), (uint8_t)(random >> 16 | 0x80),
                            (uint8_t)(random >> 8 | 0x80), (uint8_t)random};
        compare_everywhere(bytes, 3 + (random & 1), 'x', places, 66);
        compare_everywhere(bytes, 3 + (random & 1), 0xA9, places, 66);
    }
}

/* Text of characters of all sizes, `flavour` of 10 of them not ASCII. Returns its length in bytes. */
static size_t random_text(uint64_t *seed, uint8_t *out, size_t length, size_t flavour) {
    static const uint32_t limits[] = {0x80, 0x800, 0xD800, 0x10000, 0x110000};
    size_t at = 0;
    while (at + 4 <= length) {
        uint32_t code = 'a' + check_random(seed) % 26;
        if (check_random_below(seed, 10) < flavour) {
            size_t kind = check_random_below(seed, 5);
            code = check_random(seed) % limits[kind];
        }
        at += encode(out + at, code >= 0xD800 && code < 0xE000 ? 0x20AC : code);
    }
    return at;
}

static void fast_agrees_with_plain_on_text_of_every_length_and_alignment(void) {
    uint64_t seed = 3;
    uint8_t text[200];
    for (size_t length = 0; length <= 100; length++) {
        for (size_t offset = 0; offset < 32; offset++) {
            size_t size = random_text(&seed, text + offset, length + 4, offset % 11);
            size_t shown = size < length ? size : length;
            compare(text + offset, shown, ALL);
            compare(text + offset, shown, check_random_below(&seed, length + 2));
            // In the same memory too, whose alignment check_copy would hide.
            size_t fast = ALL, plain = ALL, at;
            utf8_advance(text + offset, shown, &fast, &at);
            utf8_advance_plain(text + offset, shown, &plain, &at);
            CHECK(fast == plain);
        }
    }
}

static void fast_agrees_with_plain_on_spoilt_text(void) {
    uint64_t seed = 4;
    uint8_t text[600];
    for (int i = 0; i < 60000; i++) {
        size_t length = random_text(&seed, text, 4 + check_random_below(&seed, 590), (size_t)i % 11);
        for (size_t spoilt = check_random_below(&seed, 3); spoilt > 0; spoilt--)
            text[check_random_below(&seed, length)] = (uint8_t)check_random(&seed);
        compare(text, length, ALL);
        compare(text, length, check_random_below(&seed, length + 8));
    }
}

static void one_byte_past_ascii_is_seen_at_every_place(void) {
    // Of the letters, one has few bits and one has many: a question about the top bit must not see others.
    static const uint8_t letters[] = {'a', 'x', 0x7F};
    uint8_t text[260];
    for (size_t kind = 0; kind < sizeof letters; kind++)
        for (size_t length = 1; length <= sizeof text; length += length < 140 ? 1 : 24) {
            memset(text, letters[kind], sizeof text);
            compare(text, length, ALL);
            for (size_t at = 0; at < length; at++) {
                static const uint8_t others[] = {0x80, 0xC3, 0xF0, 0xFF};
                for (size_t i = 0; i < sizeof others; i++) {
                    text[at] = others[i];
                    compare(text, length, ALL);
                }
                // And a character that ends there.
                if (at > 0)
                    text[at - 1] = 0xC3;
                text[at] = 0xA9;
                compare(text, length, ALL);
                text[at] = letters[kind];
                if (at > 0)
                    text[at - 1] = letters[kind];
            }
        }
}

static const check_case cases[] = {
    CASE(units_are_those_of_utf16),
    CASE(nothing_is_wanted_of_nothing),
    CASE(it_stops_where_the_units_are_reached),
    CASE(a_pair_cannot_be_split_however_little_of_it_came),
    CASE(every_character_is_valid_and_its_beginnings_are_cut),
    CASE(every_two_bytes_are_judged_as_by_arithmetic),
    CASE(random_three_and_four_bytes_are_judged_as_by_arithmetic),
    CASE(one_byte_past_ascii_is_seen_at_every_place),
    CASE(fast_agrees_with_plain_on_every_two_bytes),
    CASE(fast_agrees_with_plain_on_random_three_and_four_bytes_at_every_place),
    CASE(fast_agrees_with_plain_on_text_of_every_length_and_alignment),
    CASE(fast_agrees_with_plain_on_spoilt_text),
};

CHECK_MAIN(cases)
