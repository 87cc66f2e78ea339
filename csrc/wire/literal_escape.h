/* One escape of a literal's string: where it begins, and what it stands for. */
#ifndef GAECHANNEL_WIRE_LITERAL_ESCAPE_H
#define GAECHANNEL_WIRE_LITERAL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t

// The bit that says a byte is a hexadecimal digit, in literal_hex.
#define LITERAL_HEX 0x10

// For each byte: a hexadecimal digit's value and LITERAL_HEX, or 0.
extern const uint8_t literal_hex[256];

// For the byte behind a backslash: the one byte that the two stand for. 0: anything else.
extern const uint8_t literal_simple[256];

/* The value of four hexadecimal digits. */
static inline unsigned literal_hex4(const uint8_t *at) {
    return (literal_hex[at[0]] & 15u) << 12 | (literal_hex[at[1]] & 15u) << 8 |
           (literal_hex[at[2]] & 15u) << 4 | (literal_hex[at[3]] & 15u);
}

/* A character as UTF-8; surrogates too, as three bytes. Returns its length in bytes, of `out`'s four. */
static inline size_t literal_put_character(uint8_t *out, unsigned code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

/* Undo the escape whose backslash is at `escape`, in a text that ends at `end`. `used`: its length, both
 * halves of a surrogate pair counted. Returns how many bytes of UTF-8 it gives: none where it only drops
 * something (and then what it did not use goes on). `out` may be the escape itself. Sets `*lone_surrogate`
 * where it is one, and leaves it alone otherwise. */
size_t literal_undo_one(const uint8_t *escape, const uint8_t *end, size_t *used, uint8_t out[4],
                        bool *lone_surrogate);

/* The backslashes that begin an escape: all, but where several stand in a row every second one. The one
 * before the block must not begin an escape that reaches into it. */
static inline uint64_t escape_starts(uint64_t backslashes) {
    // In a row that begins at an even place, the subtraction borrows from behind the row and leaves the odd
    // places' bits as they were; in one that begins at an odd place, the even ones. So the two are told apart
    // at once.
    const uint64_t odd = 0xAAAAAAAAAAAAAAAAu;
    return (((backslashes << 1 | odd) - backslashes) ^ odd) & backslashes;
}

#endif
