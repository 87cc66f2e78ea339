/* Texts that begin or end where the memory does: whatever is read or written beside them ends the program, in
 * the ways that no sanitizer watches, too. */
#define _GNU_SOURCE 1 // MAP_ANONYMOUS

#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "wire/arrays.h"
#include "wire/bounds.h"
#include "wire/bounds_scan.h"
#include "wire/literal_scan.h"
#include "wire/literal_string.h"
#include "wire/literal_text.h"
#include "wire/literal_unescape.h"
#include "wire/literal_walk.h"
#include "wire/threes.h"
#include "wire/utf8.h"

// Of a text, in bytes: some of the largest blocks.
#define LONGEST 330

// Memory between two pages that nobody may touch.
typedef struct island {
    uint8_t *begin;
    uint8_t *end;
} island;

static island new_island(size_t room) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (room + page - 1) / page * page;
    uint8_t *all = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    CHECK(mprotect(all + page, size, PROT_READ | PROT_WRITE) == 0);
    return (island){all + page, all + page + size};
}

static island texts, places, rooms;

static void make_islands(void) {
    if (texts.begin != NULL)
        return;
    texts = new_island(LONGEST);
    places = new_island(LONGEST);
    rooms = new_island(LITERAL_TEXT_ROOM(LONGEST));
}

/* A text at the end of the memory, or at its beginning. */
static uint8_t *put(const uint8_t *bytes, size_t length, bool at_end) {
    return memcpy(at_end ? texts.end - length : texts.begin, bytes, length);
}

/* Room for so many bytes, at the end of other memory. */
static uint8_t *room_of(size_t bytes) {
    return rooms.end - bytes;
}

// Each is repeated to make a text.
static const char *const kinds[] = {
    "a",
    "harbour ",
    "\xC3\xA9",
    "\xD0\xB6\xD1\x8B",
    "\xE6\xAC\xA1",
    "\xF0\x9F\x9A\xA2",
    "x\xF0\x9F\x9A\xA2\xE6\xAC\xA1\xD0\xB6",
    "\\\\",
    "\\n\\u00e9",
    "\\nquiet harbour of the east",
    "\\u6b21",
    "\\ud83d\\udea2",
    "\\x41\\q\\0\\\xE2\x80\xA8",
};

enum { KINDS = sizeof kinds / sizeof *kinds, WITHOUT_ESCAPES = 7 };

/* As many whole pieces as fit in so many bytes; returns how many bytes they are. */
static size_t repeat(const char *piece, size_t most, uint8_t *out) {
    size_t size = strlen(piece), length = 0;
    for (; length + size <= most; length += size)
        memcpy(out + length, piece, size);
    return length;
}

/* Call `check` with texts of each kind and length, at both ends. */
static void each_text(void (*check)(const uint8_t *text, size_t length, bool escaped)) {
    make_islands();
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t most = 0; most <= LONGEST; most++)
            for (int at_end = 0; at_end < 2; at_end++) {
                uint8_t text[LONGEST];
                size_t length = repeat(kinds[kind], most, text);
                // One of each length: what a piece left over is before it.
                memmove(text + (most - length), text, length);
                memset(text, 'y', most - length);
                check(put(text, most, at_end), most, kind >= WITHOUT_ESCAPES);
            }
}

/* Both ways of a text, of which so many units are wanted. */
static void compare_utf8(const uint8_t *text, size_t length, size_t wanted) {
    size_t units = wanted, plain_units = wanted, advanced, plain_advanced;
    utf8_status status = utf8_advance(text, length, &units, &advanced);
    CHECK(utf8_advance_plain(text, length, &plain_units, &plain_advanced) == status);
    CHECK(units == plain_units && advanced == plain_advanced);
}

static void check_utf8(const uint8_t *text, size_t length, bool escaped) {
    (void)escaped;
    bool at_end = text != texts.begin;
    uint8_t copy[LONGEST];
    memcpy(copy, text, length);
    // Without its first bytes, and without its last ones, in the midst of a character.
    for (size_t cut = 0; cut <= 3 && cut <= length; cut++) {
        compare_utf8(put(copy + cut, length - cut, at_end), length - cut, SIZE_MAX);
        compare_utf8(put(copy, length - cut, at_end), length - cut, SIZE_MAX);
        compare_utf8(put(copy, length - cut, at_end), length - cut, length / 2);
    }
}

static void utf8_is_measured(void) {
    each_text(check_utf8);
}

static void check_string_end(const uint8_t *text, size_t length, bool escaped) {
    const uint8_t *end = text + length;
    for (int quotes = 0; quotes < 2; quotes++) {
        uint8_t quote = quotes ? '"' : '\'';
        bool fast_escaped = false, plain_escaped = false;
        const uint8_t *bad, *plain_bad;
        CHECK(literal_scan_string(text, end, quote) == literal_scan_string_plain(text, end, quote));
        CHECK(literal_string_end(text, end, quote, &fast_escaped, &bad) ==
              literal_string_end_plain(text, end, quote, &plain_escaped, &plain_bad));
        CHECK(fast_escaped == plain_escaped && bad == plain_bad);
    }
    CHECK(bounds_scan(text, end) == bounds_scan_plain(text, end));
    (void)escaped;
}

static void strings_and_arrays_without_an_end_are_looked_through(void) {
    each_text(check_string_end);
}

static void check_text_of(const uint8_t *text, size_t length, bool escaped) {
    static uint8_t plain[LITERAL_TEXT_ROOM(LONGEST)];
    const uint8_t *made, *plain_made;
    size_t made_length, plain_length;
    literal_form form =
        literal_text(text, length, escaped, room_of(LITERAL_TEXT_ROOM(length)), &made, &made_length);
    literal_form plain_form = literal_text_plain(text, length, escaped, plain, &plain_made, &plain_length);
    CHECK(form != LITERAL_OTHER && plain_form != LITERAL_OTHER);
    CHECK(literal_codes(text, length, room_of(4 * length)) <= 4 * length);
    CHECK(escaped || (form == LITERAL_ASCII) == literal_is_ascii(text, length));
}

static void texts_are_made(void) {
    each_text(check_text_of);
}

static void check_unescape(const uint8_t *text, size_t length, bool escaped) {
    if (!escaped)
        return;
    bool lone;
    uint8_t plain[LONGEST];
    size_t plain_length = literal_unescape_plain(text, length, plain, &lone);
    uint8_t *apart = room_of(length);
    CHECK(literal_unescape(text, length, apart, &lone) == plain_length && !lone);
    CHECK(memcmp(apart, plain, plain_length) == 0);
    uint8_t *place = memcpy(text == texts.begin ? places.begin : places.end - length, text, length);
    CHECK(literal_unescape(place, length, place, &lone) == plain_length);
    CHECK(memcmp(place, plain, plain_length) == 0);
}

static void escapes_are_undone(void) {
    each_text(check_unescape);
}

static void runs_of_characters_of_three_bytes_are_read(void) {
    make_islands();
    for (size_t length = 0; length <= LONGEST; length++) {
        uint8_t text[LONGEST];
        size_t count = repeat("\xE6\xAC\xA1", length, text) / 3;
        for (size_t most = 0; most <= count + 1; most++) {
            uint8_t *at = put(text, 3 * count, true);
            size_t wanted = count < most ? count : most;
            CHECK(threes_read(at, texts.end, most, (uint32_t *)(void *)room_of(4 * most)) == wanted);
        }
    }
}

/* Read a payload in all ways. */
static void check_payload(const uint8_t *payload, size_t length) {
    arrays_reader arrays, plain;
    bounds_reader bounds;
    wire_array array, plain_array;
    arrays_status status;
    arrays_init(&arrays, payload, length);
    arrays_init_plain(&plain, payload, length);
    bounds_init(&bounds, payload, length);
    do {
        status = arrays_next(&arrays, &array);
        CHECK(arrays_next(&plain, &plain_array) == status);
        CHECK(status != ARRAYS_ARRAY || array.data_length == plain_array.data_length);
    } while (status == ARRAYS_ARRAY);
    while (bounds_next(&bounds, &array) == ARRAYS_ARRAY)
        continue;
}

static void check_payloads(const uint8_t *text, size_t length, bool escaped) {
    static const char *const forms[][2] = {
        {"[[1,[\"", "\"]]]"},
        {"[[12,[\"c\",[\"9D6C\",[\"ae\",\"", "\"]]]\n]\n]\n"},
        {"[[1,{'", "' : -1.5e7}]]"},
        {"[[1,[null,\n             true, 1234567890123456789012,\"", "\"]  ]  ]"}};
    uint8_t payload[LONGEST + 100];
    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        size_t before = strlen(forms[form][0]), behind = strlen(forms[form][1]),
               all = before + length + behind;
        if (all > LONGEST)
            return;
        memcpy(payload, forms[form][0], before);
        memcpy(payload + before, text, length);
        memcpy(payload + before + length, forms[form][1], behind);
        // Cut off anywhere near its end, too; and the walk's text, which always has a bracket there.
        for (size_t cut = 0; cut < 8 && cut < all; cut++)
            check_payload(memcpy(places.end - (all - cut), payload, all - cut), all - cut);
        check_payload(memcpy(places.begin, payload, all), all);
        memcpy(payload + before + length, "]", 1);
        memcpy(places.end - (before + length + 1), payload, before + length + 1);
        CHECK(literal_walk(places.end - (before + length + 1), places.end, 5) == NULL);
    }
    (void)escaped;
}

static void payloads_are_read_to_their_last_byte(void) {
    each_text(check_payloads);
}

static void white_space_is_walked_over_at_each_distance_from_the_last_byte(void) {
    make_islands();
    for (size_t spaces = 0; spaces <= 70; spaces++)
        for (size_t behind = 0; behind <= 3; behind++) {
            uint8_t payload[LONGEST];
            size_t length = strlen(strcpy((char *)payload, "[[1,[2,\n"));
            memset(payload + length, ' ', spaces);
            length += spaces;
            memcpy(payload + length, "]]]", behind);
            length += behind;
            check_payload(memcpy(places.end - length, payload, length), length);
        }
}

static const check_case cases[] = {
    CASE(utf8_is_measured),
    CASE(strings_and_arrays_without_an_end_are_looked_through),
    CASE(texts_are_made),
    CASE(escapes_are_undone),
    CASE(runs_of_characters_of_three_bytes_are_read),
    CASE(payloads_are_read_to_their_last_byte),
    CASE(white_space_is_walked_over_at_each_distance_from_the_last_byte),
};

CHECK_MAIN(cases)
