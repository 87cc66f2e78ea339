/* What finding a string's end and undoing its escapes share: where escapes begin, and what they stand for. */
#ifndef GAECHANNEL_WIRE_LITERAL_ESCAPE_H
#define GAECHANNEL_WIRE_LITERAL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t

// The bit that says a byte is a hexadecimal digit, in literal_hex.
#define LITERAL_HEX 0x10

// For each byte: a hexadecimal digit's value and LITERAL_HEX, or 0.
extern const uint8_t literal_hex[256];

/* Undo the escape whose backslash is at `escape`, in a text that ends at `end`. `used`: its length, both
 * halves of a surrogate pair counted. Returns how many bytes of UTF-8 it gives: none where it only drops
 * something (and then what it did not use goes on). Sets `*lone_surrogate` where it is one, and leaves it
 * alone otherwise. */
size_t literal_undo_one(const uint8_t *escape, const uint8_t *end, size_t *used, uint8_t out[4],
                        bool *lone_surrogate);

/* Those backslashes that begin an escape: all, but where several stand in a row every second one. The one
 * before the block must not begin an escape that reaches into it. */
static inline uint64_t escape_starts(uint64_t backslashes) {
    // In a row that begins at an even place, the subtraction borrows from behind the row and leaves the odd
    // places' bits as they were; in one that begins at an odd place, the even ones. So the two are told apart
    // at once.
    const uint64_t odd = 0xAAAAAAAAAAAAAAAAu;
    return (((backslashes << 1 | odd) - backslashes) ^ odd) & backslashes;
}

#endif
