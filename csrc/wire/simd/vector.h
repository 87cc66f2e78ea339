/* Sixteen bytes at a time, on the processors where every build has them: SSE2 on x86-64, NEON on aarch64.
 * VECTOR_BYTES is not defined elsewhere, or where WIRE_NO_VECTOR is (the tests do, to run what runs there).
 */
#ifndef GAECHANNEL_WIRE_SIMD_VECTOR_H
#define GAECHANNEL_WIRE_SIMD_VECTOR_H

#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t
#include <string.h> // memcpy

#if defined(__GNUC__) && defined(__SSE2__) && !defined(WIRE_NO_VECTOR)
#include "wire/simd/sse.h"
#elif defined(__GNUC__) && defined(__aarch64__) && !defined(__AARCH64EB__) && defined(__ARM_NEON) &&         \
    !defined(WIRE_NO_VECTOR)
#include "wire/simd/neon.h"
#endif

#ifdef VECTOR_BYTES

/* The place of the first byte marked; `marks` is not 0. */
static inline size_t vector_first(uint64_t marks) {
    return (size_t)__builtin_ctzll(marks) / VECTOR_MARK_BITS;
}

#endif

/* Eight bytes as one word, in the machine's own order: good for questions that do not ask for order. */
static inline uint64_t word_load(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

#endif
