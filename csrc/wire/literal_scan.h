/* Where a string may end, or an escape begin. */
#ifndef GAECHANNEL_WIRE_LITERAL_SCAN_H
#define GAECHANNEL_WIRE_LITERAL_SCAN_H

#include <stddef.h> // NULL
#include <stdint.h> // uint8_t

#include "wire/simd/vector.h"

/* The first quote mark equal to `quote`, or backslash, in bytes [at, end); `end` when there is none. The
 * second is the same one byte at a time: what the first must agree with on every input. */
const uint8_t *literal_scan_string(const uint8_t *at, const uint8_t *end, uint8_t quote);
const uint8_t *literal_scan_string_plain(const uint8_t *at, const uint8_t *end, uint8_t quote);

/* As literal_scan_string(), where it is known that nothing is found in [start, at). */
const uint8_t *literal_scan_on(const uint8_t *start, const uint8_t *at, const uint8_t *end, uint8_t quote);

#ifdef VECTOR_BYTES
/* The first of them in the 32 bytes at `at`; NULL where there is none. */
static inline const uint8_t *literal_scan_turn(const uint8_t *at, vector quotes, vector backslashes) {
    vector low = vector_load(at);
    vector high = vector_load(at + 16);
    low = vector_or(vector_equal(low, quotes), vector_equal(low, backslashes));
    high = vector_or(vector_equal(high, quotes), vector_equal(high, backslashes));
    if (vector_marks(vector_or(low, high)) == 0)
        return NULL;
    uint64_t marks = vector_marks(low);
    return marks != 0 ? at + vector_first(marks) : at + 16 + vector_first(vector_marks(high));
}
#endif

/* literal_scan_string() with its beginning inline, for those who call it where most strings are short. */
static inline const uint8_t *literal_scan(const uint8_t *at, const uint8_t *end, uint8_t quote) {
#ifdef VECTOR_BYTES
    if (end - at < 32)
        return literal_scan_on(at, at, end, quote);
    const uint8_t *found = literal_scan_turn(at, vector_of(quote), vector_of('\\'));
    return found != NULL ? found : literal_scan_on(at, at + 32, end, quote);
#else
    return literal_scan_string_plain(at, end, quote);
#endif
}

#endif
