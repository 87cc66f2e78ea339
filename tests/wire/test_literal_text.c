/* literal_text.c and literal_blocks.c: the text of a string in its forms, in its fast ways and its plain one.
 */
#include "check.h"

#include "wire/literal.h"
#include "wire/literal_string.h"
#include "wire/literal_text.h"
#include "wire/literal_unescape.h"
#include "text_forms.h"

static const char *const pieces[] = {
    "a", "bc d", "0123456789abcdefghijklmnopqrstuvwxyz", "\xC3\xA9", "\xD0\xB6",
    "\xD0\xB6\xD1\x8B\xD0\xB6\xD1\x8B", "\xE0\xA0\x80", "\xE6\x97\xA5",
    "\xE6\x97\xA5\xE6\x9C\xAC\xE6\x97\xA5\xE6\x9C\xAC", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBB\xBF",
    "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80",
    "\xF4\x8F\xBF\xBF",
    // From here on what only stands in strings with escapes.
    "\\\"", "\\\\", "\\n", "\\/", "\\'", "\\\\\\\"", "\\u0041", "\\u00e9", "\\u65E5", "\\ud83d\\ude00",
    "\\x42", "\\xe8", "\\u0420", "\\0", "\\q", "\\\n", "\\\r\n", "\\\r", "\\\xD0\xB6", "\\\xE2\x80\xA8",
    "\\\xF0\x9F\x98\x80",
    // And these only now and then, since they make the rest of no account.
    "\\ud83d", "\\ude00", "\xED\xA0\xBD", "\xED\xB8\x80"};

enum { PLAIN_PIECES = 17, LONE_PIECES = 4, PIECES = sizeof pieces / sizeof *pieces };

/* Both ways on the same string, in memory that ends where it does. */
static literal_form check_ways(const uint8_t *bytes, size_t length, bool escaped) {
    uint8_t *token = check_copy(bytes, length);
    uint8_t *fast = malloc(LITERAL_TEXT_ROOM(length)), *plain = malloc(LITERAL_TEXT_ROOM(length));
    const uint8_t *fast_text = NULL, *plain_text = NULL;
    size_t fast_length = 0, plain_length = 0;
    CHECK(fast != NULL && plain != NULL);
    literal_form want = literal_text_plain(token, length, escaped, plain, &plain_text, &plain_length);
    literal_form got = literal_text(token, length, escaped, fast, &fast_text, &fast_length);
    CHECK((got == LITERAL_OTHER) == (want == LITERAL_OTHER));
    // A character past ASCII may be dropped with its backslash.
    if (want == LITERAL_ASCII && (!escaped || literal_is_ascii(token, length)))
        CHECK(got == LITERAL_ASCII);
    if (got == LITERAL_ASCII)
        CHECK(want == LITERAL_ASCII);
    if (want != LITERAL_OTHER) {
        CHECK(plain_length <= 2 * length && fast_length <= 4 * length);
        text_to_utf16(want, plain_text, plain, &plain_length);
        text_to_utf16(got, fast_text, fast, &fast_length);
        CHECK(fast_length == plain_length && memcmp(fast, plain, plain_length) == 0);
    }
    // The way for those that have no other form.
    bool lone;
    const uint8_t *undone = escaped ? plain : token;
    size_t undone_length = escaped ? literal_unescape(token, length, plain, &lone) : length;
    CHECK(codes_are(fast, literal_codes(undone, undone_length, fast), undone, undone_length));
    free(token);
    free(fast);
    free(plain);
    return want;
}

/* Pieces in a row, of a few kinds, so that there are long runs of each. */
static size_t random_text(uint64_t *seed, uint8_t *out, size_t room, bool escaped) {
    size_t known = escaped ? PIECES - LONE_PIECES : PLAIN_PIECES;
    if (check_random_below(seed, 16) == 0)
        known = escaped ? PIECES : PLAIN_PIECES;
    const char *few[5];
    for (int i = 0; i < 5; i++)
        few[i] = pieces[check_random_below(seed, known)];
    size_t kinds = 1 + check_random_below(seed, 5);
    size_t wanted = check_random_below(seed, room), length = 0;
    for (;;) {
        const char *piece = few[check_random_below(seed, kinds)];
        if (length + strlen(piece) > wanted)
            return length;
        memcpy(out + length, piece, strlen(piece));
        length += strlen(piece);
    }
}

static void fast_agrees_with_plain_on_random_text_without_escapes(void) {
    uint64_t seed = 1;
    uint8_t text[700];
    for (int i = 0; i < 20000; i++)
        check_ways(text, random_text(&seed, text, sizeof text, false), false);
}

static void fast_agrees_with_plain_on_random_text_with_escapes(void) {
    uint64_t seed = 2;
    uint8_t text[700];
    for (int i = 0; i < 40000; i++)
        check_ways(text, random_text(&seed, text, sizeof text, true), true);
}

static void every_piece_at_every_place_is_the_same_in_both_ways(void) {
    static const char *const around[] = {"x",   "\xD0\xB6", "\xE6\x97\xA5", "\xF0\x9F\x98\x80",
                                         "\\n", "\\u65e5"};
    uint8_t text[2048];
    for (size_t kind = 0; kind < sizeof around / sizeof *around; kind++)
        for (size_t piece = 0; piece < PIECES; piece++)
            for (size_t before = 0; before < 90; before++)
                for (size_t after = 0; after < 90; after += 29) {
                    size_t length = 0;
                    for (size_t i = 0; i < before + 1 + after; i++) {
                        const char *next = i == before ? pieces[piece] : around[kind];
                        memcpy(text + length, next, strlen(next));
                        length += strlen(next);
                    }
                    check_ways(text, length, true);
                    if (kind < 4 && piece < PLAIN_PIECES)
                        check_ways(text, length, false);
                }
}

static void every_escape_with_digits_is_the_same_in_both_ways(void) {
    static const char *const forms[] = {"%*s\\u%04xy", "%*s\\u%04Xy\\u0430", "%*s\\x%02x",
                                        "x%*s\\x%02X\\u00e9\\n"};
    for (unsigned code = 0; code < 0x10000; code++)
        for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
            char text[128];
            if (form >= 2 && code >= 0x100)
                continue;
            int length = snprintf(text, sizeof text, forms[form], (int)(code % 67), "", code);
            check_ways((const uint8_t *)text, (size_t)length, true);
        }
}

static void every_character_is_its_units(void) {
    for (unsigned code = 0x80; code < 0x110000; code += code < 0x11000 ? 1 : 0x111) {
        uint8_t text[64];
        _Alignas(wchar_t) uint16_t units[LITERAL_TEXT_ROOM(64) / 2];
        size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4, length = 0;
        // In the middle of a vector, and again across its end.
        memset(text, 'x', sizeof text);
        for (size_t at = 18; at <= 30; at += 12) {
            for (size_t i = 1; i < size; i++)
                text[at + i] = (uint8_t)(0x80 | (code >> 6 * (size - 1 - i) & 0x3F));
            text[at] = (uint8_t)((size == 2 ? 0xC0 : size == 3 ? 0xE0 : 0xF0) | code >> 6 * (size - 1));
        }
        const uint8_t *made = NULL;
        literal_form form = literal_text(text, sizeof text, false, (uint8_t *)units, &made, &length);
        if (form != LITERAL_OTHER)
            text_to_utf16(form, made, (uint8_t *)units, &length);
        if (code >= 0xD800 && code < 0xE000) {
            CHECK(form == LITERAL_OTHER);
            continue;
        }
        CHECK(form != LITERAL_ASCII && length == 2 * (64 - 2 * size + (size == 4 ? 4 : 2)));
        CHECK(units[17] == 'x');
        if (size < 4)
            CHECK(units[18] == code && units[19] == 'x');
        else
            CHECK(units[18] == 0xD7C0 + (code >> 10) && units[19] == (0xDC00 | (code & 0x3FF)) &&
                  units[20] == 'x');
    }
}

static void ascii_is_told_at_every_place(void) {
    uint8_t text[200];
    for (size_t length = 0; length <= sizeof text; length++)
        for (int letter = 'a'; letter <= 'x'; letter += 'x' - 'a') {
            memset(text, letter, sizeof text);
            uint8_t *copy = check_copy(text, length);
            CHECK(literal_is_ascii(copy, length));
            for (size_t at = 0; at < length; at++) {
                copy[at] = 0x80;
                CHECK(!literal_is_ascii(copy, length));
                copy[at] = 0x7F;
            }
            free(copy);
        }
}

static void only_strings_with_lone_surrogates_are_other(void) {
    CHECK(check_ways((const uint8_t *)"\\ud83d\\ude00", 12, true) == LITERAL_UTF16);
    CHECK(check_ways((const uint8_t *)"\\ud83d\\\n\\ude00", 14, true) == LITERAL_OTHER);
    CHECK(check_ways((const uint8_t *)"\\ude00\\ud83d", 12, true) == LITERAL_OTHER);
    CHECK(check_ways((const uint8_t *)"\\u0041\\x41", 10, true) == LITERAL_ASCII);
    CHECK(check_ways((const uint8_t *)"", 0, false) == LITERAL_ASCII);
}

static const check_case cases[] = {
    CASE(fast_agrees_with_plain_on_random_text_without_escapes),
    CASE(fast_agrees_with_plain_on_random_text_with_escapes),
    CASE(every_piece_at_every_place_is_the_same_in_both_ways),
    CASE(every_escape_with_digits_is_the_same_in_both_ways),
    CASE(every_character_is_its_units),
    CASE(ascii_is_told_at_every_place),
    CASE(only_strings_with_lone_surrogates_are_other),
};

CHECK_MAIN(cases)
