/* Finding the end of a literal's string, and checking its escapes on the way. */
#include "wire/literal_string.h"

#include "wire/literal_blocks.h"
#include "wire/literal_escape.h"
#include "wire/literal_scan.h"

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
