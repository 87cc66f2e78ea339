/* The first 32 bytes of what stands behind a quotation mark, looked at together: most strings, and nearly all
 * keys, end there. */
#ifndef GAECHANNEL_WIRE_LITERAL_HEAD_H
#define GAECHANNEL_WIRE_LITERAL_HEAD_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t
#include <string.h> // memcmp

#include "wire/simd/vector.h"

#define LITERAL_HEAD 32

// So many ones, and zeros behind them: from the byte LITERAL_HEAD - n on, n ones.
extern const uint8_t literal_head_ones[2 * LITERAL_HEAD];

#ifdef VECTOR_BYTES
/* Which of the head's bytes are `"`, a backslash or past ASCII, the first one in bit 0. */
static inline uint32_t literal_head_specials(const uint8_t *head) {
    vector quotes = vector_of('"'), backslashes = vector_of('\\');
    vector low = vector_load(head), high = vector_load(head + 16);
    low = vector_or(low, vector_or(vector_equal(low, quotes), vector_equal(low, backslashes)));
    high = vector_or(high, vector_or(vector_equal(high, quotes), vector_equal(high, backslashes)));
    return vector_tops_of_two(low, high);
}

/* The same, apart: the quotation marks, the backslashes, and what is past ASCII. */
static inline void literal_head_kinds(const uint8_t *head, uint32_t *quotes, uint32_t *backslashes,
                                      uint32_t *others) {
    vector low = vector_load(head), high = vector_load(head + 16);
    vector quote = vector_of('"'), backslash = vector_of('\\');
    *quotes = vector_tops_of_two(vector_equal(low, quote), vector_equal(high, quote));
    *backslashes = vector_tops_of_two(vector_equal(low, backslash), vector_equal(high, backslash));
    *others = vector_tops_of_two(low, high);
}
#endif

/* The place of the head's first byte that is `"`, a backslash or past ASCII; LITERAL_HEAD where there is
 * none. */
static inline unsigned literal_head_end(const uint8_t *head) {
#ifdef VECTOR_BYTES
    uint32_t specials = literal_head_specials(head);
    return specials != 0 ? (unsigned)__builtin_ctz(specials) : LITERAL_HEAD;
#else
    unsigned at = 0;
    while (at < LITERAL_HEAD && head[at] != '"' && head[at] != '\\' && head[at] < 0x80)
        at++;
    return at;
#endif
}

/* Whether two heads have the same first `length` bytes. */
static inline bool literal_head_same(const uint8_t *head, const uint8_t *other, size_t length) {
#ifdef VECTOR_BYTES
    const uint8_t *ones = literal_head_ones + LITERAL_HEAD - length;
    vector low = vector_xor(vector_load(head), vector_load(other));
    vector high = vector_xor(vector_load(head + 16), vector_load(other + 16));
    low = vector_or(vector_and(low, vector_load(ones)), vector_and(high, vector_load(ones + 16)));
    return vector_is_zero(low);
#else
    return memcmp(head, other, length) == 0;
#endif
}

/* A number made of a head's first `length` bytes, of which the upper bits are mixed best. No secret is in it:
 * whoever wants heads with the same number finds some. */
static inline uint64_t literal_head_hash(const uint8_t *head, size_t length) {
    static const uint64_t odd[] = {0x9E3779B97F4A7C15u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u,
                                   0x27D4EB2F165667C5u};
    const uint8_t *ones = literal_head_ones + LITERAL_HEAD - length;
    uint64_t sum = 0;
    for (size_t i = 0; i < LITERAL_HEAD / 8; i++)
        sum += (word_load(head + 8 * i) & word_load(ones + 8 * i)) * odd[i];
    return sum;
}

#endif
