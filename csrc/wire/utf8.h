/* UTF-8 measured in UTF-16 code units, the unit in which every length on the wire is given. */
#ifndef GAECHANNEL_WIRE_UTF8_H
#define GAECHANNEL_WIRE_UTF8_H

#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

typedef enum utf8_status {
    // The wanted number of units was reached, or the input ended between two characters.
    UTF8_OK,
    // The input ends inside a character that is valid so far: at most three bytes are left over.
    UTF8_CUT,
    // Not UTF-8: a stray or missing continuation byte, an overlong form, a surrogate, or past U+10FFFF.
    UTF8_INVALID,
    // The wanted number of units ends between the two halves of a surrogate pair.
    UTF8_SPLIT_PAIR,
} utf8_status;

/* Walk over whole characters of `bytes` until they make `*units` UTF-16 units or the input ends.
 *
 * bytes, length  the input, in bytes; need not be terminated
 * units          in: how many units are wanted; out: how many of them are still missing
 * advanced       out: how many bytes were walked over; on an error, those before the bad character
 *
 * A character is checked before it is counted, so what was walked over is valid UTF-8. */
utf8_status utf8_advance(const uint8_t *bytes, size_t length, size_t *units, size_t *advanced);

/* The same, one byte at a time: what `utf8_advance` must agree with on every input. For tests. */
utf8_status utf8_advance_plain(const uint8_t *bytes, size_t length, size_t *units, size_t *advanced);

#endif
