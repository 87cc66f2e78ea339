/* What the kinds of blocks share, and what a vector can do, as the smallest of them. */
#ifndef GAECHANNEL_WIRE_SIMD_BLOCK_H
#define GAECHANNEL_WIRE_SIMD_BLOCK_H

#include <string.h> // memcpy

#include "wire/simd/tables.h"
#include "wire/simd/vector.h"

#define BLOCK_BYTES 64
#define BLOCKS_INLINE static inline __attribute__((always_inline))
#define BLOCKS_JOIN_(kind, name) kind##_##name
#define BLOCKS_JOIN(kind, name) BLOCKS_JOIN_(kind, name)

/* As many bytes as are there (fewer than 64), and zeros behind them. */
#define BLOCKS_PADDED(at, count) ((const uint8_t *)memcpy((uint8_t[BLOCK_BYTES]){0}, at, count))

typedef vector vector_block;
typedef vector vector_mask;

#define VECTOR_INLINE WITH_SHUFFLE BLOCKS_INLINE

/* Which bytes are no ASCII. */
VECTOR_INLINE vector_mask vector_high(vector v) {
    return vector_at_least(v, vector_of(0x80));
}

/* As vector_of(), where there are more of them in a loop than there are registers. Compilers would make each
 * anew from an immediate, in three instructions, so those for AVX2 are read from memory. */
VECTOR_INLINE vector vector_constant(uint8_t byte) {
    return vector_of(byte);
}

/* Which bytes are equal. */
VECTOR_INLINE vector_mask vector_same(vector a, vector b) {
    return vector_equal(a, b);
}

/* Which bytes are `byte`. */
VECTOR_INLINE vector_mask vector_is(vector v, uint8_t byte) {
    return vector_equal(v, vector_of(byte));
}

/* Which bytes are `byte` or above. */
VECTOR_INLINE vector_mask vector_from(vector v, uint8_t byte) {
    return vector_at_least(v, vector_of(byte));
}

/* The bytes in the mask; the others become 0. */
VECTOR_INLINE vector vector_only(vector v, vector_mask mask) {
    return vector_and(v, mask);
}

/* The bytes of `b` where the mask is, else of `a`. */
VECTOR_INLINE vector vector_choose(vector a, vector b, vector_mask from_b) {
    return vector_or(vector_and(b, from_b), vector_without(a, from_b));
}

/* A mask as a word; and a mask from the lowest bits of one. */
VECTOR_INLINE uint64_t vector_bits(vector_mask mask) {
    return vector_bits_of_four(mask, vector_of(0), vector_of(0), vector_of(0));
}

/* What is in both masks. */
VECTOR_INLINE vector_mask vector_both(vector_mask a, vector_mask b) {
    return vector_and(a, b);
}

VECTOR_INLINE bool vector_any(vector_mask mask) {
    return vector_marks(mask) != 0;
}

VECTOR_INLINE bool vector_is_ascii(vector v) {
    return vector_marks(v) == 0;
}

VECTOR_INLINE vector_mask vector_mask_of(uint64_t bits) {
    static const uint8_t own[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    return vector_equal(vector_and(vector_spread(bits), vector_load(own)), vector_load(own));
}

/* For each byte of `places` (0 to 15), the byte of the sixteen at `table` in that place. */
VECTOR_INLINE vector vector_look_up(const uint8_t table[16], vector places) {
    return vector_shuffle(vector_load(table), places);
}

/* How many bits are set. */
VECTOR_INLINE size_t blocks_count(unsigned bits) {
    return (size_t)(unsigned)__builtin_popcount(bits);
}

/* The bytes that `kept` has a bit for, one behind the other; returns where they end. What is behind that, up
 * to as many bytes as a whole block has, may be written, too. */
VECTOR_INLINE uint8_t *vector_put_bytes(uint8_t *out, vector v, uint64_t kept) {
    unsigned low = kept & 0xFF, high = kept >> 8 & 0xFF;
    vector_store(out, vector_shuffle(v, vector_load(blocks_byte_places[low])));
    out += blocks_count(low);
    vector_store(out, vector_shuffle(v, vector_add(vector_load(blocks_byte_places[high]), vector_of(8))));
    return out + blocks_count(high);
}

/* The same of the words whose low and high bytes are given. What is behind their end, up to a block's 64
 * bytes, may be written, too. */
VECTOR_INLINE uint8_t *vector_put_words(uint8_t *out, vector low, vector high, uint64_t kept) {
    unsigned first = kept & 0xFF, last = kept >> 8 & 0xFF;
    vector_store(out, vector_shuffle(vector_zip_first(low, high), vector_load(blocks_word_places[first])));
    out += 2 * blocks_count(first);
    vector_store(out, vector_shuffle(vector_zip_last(low, high), vector_load(blocks_word_places[last])));
    return out + 2 * blocks_count(last);
}

/* All bytes as words. */
VECTOR_INLINE void vector_put_units(uint8_t *out, vector v) {
    vector_store(out, vector_zip_first(v, vector_of(0)));
    vector_store(out + 16, vector_zip_last(v, vector_of(0)));
}

#endif
