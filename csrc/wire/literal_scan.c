/* Where a string may end, or an escape begin. */
#include "wire/literal_scan.h"

#include "wire/simd/blocks.h"

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
