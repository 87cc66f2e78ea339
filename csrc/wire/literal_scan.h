/* The beginning of literal_scan_string(), for those who call it where most strings are short. */
#ifndef GAECHANNEL_WIRE_LITERAL_SCAN_H
#define GAECHANNEL_WIRE_LITERAL_SCAN_H

#include "literal.h"
#include "vector.h"

/* As literal_scan_string(), where it is known that nothing is found in [start, at). */
const uint8_t *literal_scan_on(const uint8_t *start, const uint8_t *at, const uint8_t *end, uint8_t quote);

static inline const uint8_t *literal_scan(const uint8_t *at, const uint8_t *end, uint8_t quote) {
#ifdef VECTOR_BYTES
    if (end - at < 32)
        return literal_scan_on(at, at, end, quote);
    vector quotes = vector_of(quote), backslashes = vector_of('\\');
    vector low = vector_load(at), high = vector_load(at + 16);
    uint64_t marks = vector_marks(vector_or(vector_equal(low, quotes), vector_equal(low, backslashes)));
    if (marks != 0)
        return at + vector_first(marks);
    marks = vector_marks(vector_or(vector_equal(high, quotes), vector_equal(high, backslashes)));
    return marks != 0 ? at + 16 + vector_first(marks) : literal_scan_on(at, at + 32, end, quote);
#else
    return literal_scan_string_plain(at, end, quote);
#endif
}

#endif
