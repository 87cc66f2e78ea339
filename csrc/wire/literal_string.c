/* Finding the end of a literal's string, and checking its escapes on the way. */
#include "wire/literal.h"

#include "wire/simd/blocks.h"
#include "wire/literal_blocks.h"
#include "wire/literal_escape.h"
#include "wire/literal_scan.h"

#define HEX LITERAL_HEX

const uint8_t literal_hex[256] = {
    ['0'] = HEX | 0,  ['1'] = HEX | 1,  ['2'] = HEX | 2,  ['3'] = HEX | 3,  ['4'] = HEX | 4,
    ['5'] = HEX | 5,  ['6'] = HEX | 6,  ['7'] = HEX | 7,  ['8'] = HEX | 8,  ['9'] = HEX | 9,
    ['a'] = HEX | 10, ['b'] = HEX | 11, ['c'] = HEX | 12, ['d'] = HEX | 13, ['e'] = HEX | 14,
    ['f'] = HEX | 15, ['A'] = HEX | 10, ['B'] = HEX | 11, ['C'] = HEX | 12, ['D'] = HEX | 13,
    ['E'] = HEX | 14, ['F'] = HEX | 15,
};

const uint8_t *literal_scan_string_plain(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    while (at < end && *at != quote && *at != '\\')
        at++;
    return at;
}

#ifdef VECTOR_BYTES
static inline uint64_t mark_string(const uint8_t *at, vector quotes, vector backslashes) {
    vector now = vector_load(at);
    return vector_marks(vector_or(vector_equal(now, quotes), vector_equal(now, backslashes)));
}
#endif

#ifdef BLOCKS_WIDE
/* As literal_scan_string for all but the last bytes: where it ends, less than 64 are left, or a turn found
 * something in the 64 bytes from there on. */
WITH_WIDE static const uint8_t *scan_wide(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    while (end - at >= BLOCK_BYTES) {
        wide_block now = wide_load(at);
        if (wide_any(wide_or(wide_is(now, quote), wide_is(now, '\\'))))
            break;
        at += BLOCK_BYTES;
    }
    return at;
}
#endif

#ifdef VECTOR_BYTES
const uint8_t *literal_scan_on(const uint8_t *start, const uint8_t *at, const uint8_t *end, uint8_t quote) {
    vector quotes = vector_of(quote);
    vector backslashes = vector_of('\\');
    while (end - at >= 32) {
        const uint8_t *found = literal_scan_turn(at, quotes, backslashes);
        if (found != NULL)
            return found;
        at += 32;
#ifdef BLOCKS_WIDE
        // Not at once: most strings are short.
        if (at - start == 128 && wide_can())
            at = scan_wide(at, end, quote);
#endif
    }
    if (end - at >= 16) {
        uint64_t marks = mark_string(at, quotes, backslashes);
        if (marks != 0)
            return at + vector_first(marks);
        at += 16;
    }
    if (at < end && end - start >= 16) {
        // The rest, read from before it: that holds nothing of interest, so what is found is in the rest.
        uint64_t marks = mark_string(end - 16, quotes, backslashes);
        return marks != 0 ? end - 16 + vector_first(marks) : end;
    }
    return literal_scan_string_plain(at, end, quote);
}
#endif

const uint8_t *literal_scan_string(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    return literal_scan(at, end, quote);
}

/* The length in bytes of the escape whose backslash is at `at`: 2, 4 or 6, or 0 if it is malformed or passes
 * `end`. An escape that stands for more (a pair of \u, CR LF) is counted by its first part: the second is
 * well-formed by itself, or no escape. */
static inline size_t measure_escape(const uint8_t *at, const uint8_t *end) {
    size_t left = (size_t)(end - at);
    if (left < 2)
        return 0;
    if (at[1] == 'u')
        return left >= 6 && (literal_hex[at[2]] & literal_hex[at[3]] & literal_hex[at[4]] &
                             literal_hex[at[5]] & LITERAL_HEX) != 0
                   ? 6
                   : 0;
    if (at[1] == 'x')
        return left >= 4 && (literal_hex[at[2]] & literal_hex[at[3]] & LITERAL_HEX) != 0 ? 4 : 0;
    return 2;
}

const uint8_t *literal_string_end_plain(const uint8_t *at, const uint8_t *end, uint8_t quote, bool *escaped,
                                        const uint8_t **bad) {
    for (;;) {
        at = literal_scan_string_plain(at, end, quote);
        *bad = at;
        if (at == end)
            return NULL;
        if (*at == quote)
            return at;
        *escaped = true;
        size_t length = measure_escape(at, end);
        if (length == 0)
            return NULL;
        at += length;
    }
}

const uint8_t *literal_string_end(const uint8_t *at, const uint8_t *end, uint8_t quote, bool *escaped,
                                  const uint8_t **bad) {
    at = literal_scan(at, end, quote);
    if (at < end && *at == quote)
        return at;
    const literal_by_blocks *blocks = literal_blocks();
    const uint8_t *closing = blocks != NULL ? blocks->string_end(at, end, quote) : NULL;
    *escaped = *escaped || at < end;
    return closing != NULL ? closing : literal_string_end_plain(at, end, quote, escaped, bad);
}
