/* What finding a string's end and undoing its escapes share: where escapes begin, and what they stand for. */
#ifndef GAECHANNEL_WIRE_LITERAL_ESCAPE_H
#define GAECHANNEL_WIRE_LITERAL_ESCAPE_H

#include "vector.h"

// The bit that says a byte is a hexadecimal digit, in literal_hex.
#define LITERAL_HEX 0x10

// For each byte: a hexadecimal digit's value and LITERAL_HEX, or 0.
extern const uint8_t literal_hex[256];

// For the byte behind a backslash: the one byte that the two stand for. 0: anything else, literal_undo_one()
// knows.
extern const uint8_t literal_simple_escape[256];

static inline unsigned read_hex4(const uint8_t *at) {
    return (literal_hex[at[0]] & 15u) << 12 | (literal_hex[at[1]] & 15u) << 8 |
           (literal_hex[at[2]] & 15u) << 4 | (literal_hex[at[3]] & 15u);
}

/* Undo the escape whose backslash is at `escape`, in a text that ends at `end`. `used`: its length, both
 * halves of a surrogate pair counted. Returns how many bytes of UTF-8 it gives: none where it only drops
 * something (and then what it did not use goes on). Sets `*lone_surrogate` where it is one, and leaves it
 * alone otherwise. */
size_t literal_undo_one(const uint8_t *escape, const uint8_t *end, size_t *used, uint8_t out[4],
                        bool *lone_surrogate);

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

/* Which bytes from `at` on are no ASCII. */
static inline uint64_t block_high(const literal_block *block) {
    vector high = vector_of(0x80);
    uint64_t bits =
        vector_bits(vector_at_least(block->vectors[0], high), vector_at_least(block->vectors[1], high),
                    vector_at_least(block->vectors[2], high), vector_at_least(block->vectors[3], high));
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
    // In a row that begins at an even place, the subtraction borrows from behind the row and leaves the odd
    // places' bits as they were; in one that begins at an odd place, the even ones. So the two are told apart
    // at once.
    const uint64_t odd = 0xAAAAAAAAAAAAAAAAu;
    return (((backslashes << 1 | odd) - backslashes) ^ odd) & backslashes;
}

static inline unsigned first_bit(uint64_t bits) {
    return (unsigned)__builtin_ctzll(bits);
}

#endif

#endif
