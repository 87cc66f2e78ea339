/* Runs of characters of three bytes of UTF-8 each, as most of Chinese and Japanese are, to UTF-32. */
#ifndef GAECHANNEL_WIRE_THREES_H
#define GAECHANNEL_WIRE_THREES_H

#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint32_t
#include <string.h> // memcpy

#include "wire/simd/vector.h"

/* How many characters of three bytes stand at `at`, one behind the other: at most `most`. The text, which
 * ends at `end`, is valid UTF-8. `codes` has room for `most`, of which those behind the run's end may be
 * written, too. */
size_t threes_read(const uint8_t *at, const uint8_t *end, size_t most, uint32_t *codes);

#if defined(VECTOR_BYTES) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

// The bytes that four characters are loaded in.
#define THREES_FOUR_BYTES 13

/* The bytes of a character, the first one lowest, and the one behind them. */
static inline uint32_t threes_load(const uint8_t *at) {
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* As threes_read(), of four, whose bytes are there: for where runs are short. */
static inline size_t threes_read_four(const uint8_t *at, uint32_t *codes) {
    // The first byte of each four.
    static const uint8_t firsts[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0};
    // Side by side: SSE2, NEON, or what the compiler makes of it.
    typedef uint32_t four_codes __attribute__((vector_size(16)));
    four_codes bytes = {threes_load(at), threes_load(at + 3), threes_load(at + 6), threes_load(at + 9)};
    vector right = vector_equal(vector_and((vector)bytes, vector_of(0xF0)), vector_of(0xE0));
    bytes = (bytes & 0x0F) << 12 | (bytes >> 2 & 0xFC0) | (bytes >> 16 & 0x3F);
    memcpy(codes, &bytes, sizeof bytes);
    uint64_t wrong = vector_marks(vector_without(vector_load(firsts), right));
    return wrong != 0 ? vector_first(wrong) / 4 : 4;
}

#endif

#endif
