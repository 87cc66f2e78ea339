/* What finding a string's end and undoing its escapes share: where escapes begin, and hexadecimal digits. */
#ifndef GAECHANNEL_WIRE_LITERAL_ESCAPE_H
#define GAECHANNEL_WIRE_LITERAL_ESCAPE_H

#include "vector.h"

// The bit that says a byte is a hexadecimal digit, in literal_hex.
#define LITERAL_HEX 0x10

// For each byte: a hexadecimal digit's value and LITERAL_HEX, or 0.
extern const uint8_t literal_hex[256];

#ifdef VECTOR_BYTES

// As many bytes as a word has bits.
#define BLOCK_BYTES 64

/* 64 bytes of a text, or its last ones: what is asked of it is answered in a word, a bit for each byte. */
typedef struct literal_block {
    vector vectors[4];
    // How many bytes from `at` on are in it.
    unsigned length;
} literal_block;

/* The block at `at`. If fewer than 64 bytes are left, it is read from bytes before `at`, which must be there.
 */
static inline literal_block block_load(const uint8_t *at, const uint8_t *end) {
    size_t left = (size_t)(end - at);
    unsigned length = left < BLOCK_BYTES ? (unsigned)left : BLOCK_BYTES;
    const uint8_t *from = at + length - BLOCK_BYTES;
    return (literal_block){
        {vector_load(from), vector_load(from + 16), vector_load(from + 32), vector_load(from + 48)}, length};
}

/* Which bytes from `at` on are equal to `byte`. */
static inline uint64_t block_equal(const literal_block *block, uint8_t byte) {
    vector same = vector_of(byte);
    uint64_t bits = vector_bits(vector_equal(block->vectors[0], same), vector_equal(block->vectors[1], same),
                                vector_equal(block->vectors[2], same), vector_equal(block->vectors[3], same));
    return bits >> (BLOCK_BYTES - block->length);
}

/* Which bytes from `at` on are hexadecimal digits. */
static inline uint64_t block_hex(const literal_block *block) {
    vector found[4];
    for (int i = 0; i < 4; i++) {
        vector now = block->vectors[i];
        vector digit = vector_subtract(now, vector_of('0'));
        vector letter = vector_subtract(vector_or(now, vector_of(0x20)), vector_of('a'));
        found[i] = vector_or(vector_at_least(vector_of(9), digit), vector_at_least(vector_of(5), letter));
    }
    return vector_bits(found[0], found[1], found[2], found[3]) >> (BLOCK_BYTES - block->length);
}

/* Those backslashes that begin an escape: all, but where several stand in a row every second one. The one
 * before the block must not begin an escape that reaches into it. */
static inline uint64_t escape_starts(uint64_t backslashes) {
    if ((backslashes & backslashes << 1) == 0)
        return backslashes;
    uint64_t starts = 0;
    while (backslashes != 0) {
        uint64_t first = backslashes & (0 - backslashes);
        starts |= first;
        backslashes &= ~(first | first << 1);
    }
    return starts;
}

static inline unsigned first_bit(uint64_t bits) {
    return (unsigned)__builtin_ctzll(bits);
}

#endif

#endif
