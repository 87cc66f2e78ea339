/* A vector where it is SSE2's, which every x86-64 has. Part of vector.h, which says when. */
#ifndef GAECHANNEL_WIRE_SIMD_SSE_H
#define GAECHANNEL_WIRE_SIMD_SSE_H

#include <emmintrin.h>
#include <stdbool.h>
#include <stddef.h>    // size_t
#include <stdint.h>    // uint8_t, uint64_t
#include <tmmintrin.h> // only in functions that are WITH_SHUFFLE

#include "wire/simd/processor.h"

#define VECTOR_BYTES 16

typedef __m128i vector;

static inline vector vector_load(const uint8_t *at) {
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline void vector_store(uint8_t *at, vector v) {
    _mm_storeu_si128((__m128i *)(void *)at, v);
}

static inline vector vector_of(uint8_t byte) {
    return _mm_set1_epi8((char)byte);
}

static inline vector vector_or(vector a, vector b) {
    return _mm_or_si128(a, b);
}

static inline vector vector_and(vector a, vector b) {
    return _mm_and_si128(a, b);
}

/* a without the bits of b. */
static inline vector vector_without(vector a, vector b) {
    return _mm_andnot_si128(b, a);
}

static inline vector vector_xor(vector a, vector b) {
    return _mm_xor_si128(a, b);
}

/* 0xFF where the bytes are equal, else 0; so with all comparisons. */
static inline vector vector_equal(vector a, vector b) {
    return _mm_cmpeq_epi8(a, b);
}

static inline vector vector_at_least(vector a, vector b) {
    return _mm_cmpeq_epi8(_mm_max_epu8(a, b), a);
}

/* a - b, but 0 where b is larger. */
static inline vector vector_excess(vector a, vector b) {
    return _mm_subs_epu8(a, b);
}

static inline vector vector_add(vector a, vector b) {
    return _mm_add_epi8(a, b);
}

static inline vector vector_subtract(vector a, vector b) {
    return _mm_sub_epi8(a, b);
}

/* The sum of the sixteen bytes. */
static inline size_t vector_sum(vector v) {
    __m128i halves = _mm_sad_epu8(v, _mm_setzero_si128());
    return (size_t)(_mm_cvtsi128_si32(halves) + _mm_extract_epi16(halves, 4));
}

/* The top bit of each byte, gathered in vector_marks' own way: 0 when there is none. */
static inline uint64_t vector_marks(vector v) {
    return (uint64_t)(uint32_t)_mm_movemask_epi8(v);
}

// How many bits of vector_marks stand for one byte.
#define VECTOR_MARK_BITS 1

/* The top bit of each of 64 bytes (which are 0xFF or 0), the first byte's in bit 0. */
static inline uint64_t vector_bits_of_four(vector a, vector b, vector c, vector d) {
    return vector_marks(a) | vector_marks(b) << 16 | vector_marks(c) << 32 | vector_marks(d) << 48;
}

/* The same of 32 bytes, of which nothing but the top bits counts. */
static inline uint32_t vector_tops_of_two(vector a, vector b) {
    return (uint32_t)_mm_movemask_epi8(a) | (uint32_t)_mm_movemask_epi8(b) << 16;
}

static inline bool vector_is_zero(vector v) {
    return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xFFFF;
}

/* Within each 16-bit word, so that bits move from one byte into the other: to be masked. */
static inline vector vector_shift_left(vector v, int bits) {
    return _mm_slli_epi16(v, bits);
}

static inline vector vector_shift_right(vector v, int bits) {
    return _mm_srli_epi16(v, bits);
}

/* Sixteen words of sixteen low and sixteen high bytes; the first eight, or the last eight. */
static inline vector vector_zip_first(vector low, vector high) {
    return _mm_unpacklo_epi8(low, high);
}

static inline vector vector_zip_last(vector low, vector high) {
    return _mm_unpackhi_epi8(low, high);
}

// For functions that use vector_shuffle: not every x86-64 has it, so they may only run where
// vector_can_shuffle.
#define SHUFFLE_EXTENSION "SSSE3"
#define WITH_SHUFFLE __attribute__((target("ssse3,popcnt")))

static inline bool vector_can_shuffle(void) {
    return processor_has(PROCESSOR_SHUFFLE);
}

/* For each byte of `places` (0 to 15), the byte of `v` in that place. */
WITH_SHUFFLE static inline vector vector_shuffle(vector v, vector places) {
    return _mm_shuffle_epi8(v, places);
}

/* Eight times the lowest byte of `bits`, and eight times the one above it. */
WITH_SHUFFLE static inline vector vector_spread(uint64_t bits) {
    static const uint8_t places[16] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    return _mm_shuffle_epi8(_mm_cvtsi32_si128((int)(uint32_t)bits), vector_load(places));
}

/* For each byte of `now` the one that stands 1, 2 or 3 before it, in `before` and `now` as one text. */
WITH_SHUFFLE static inline vector vector_behind1(vector before, vector now) {
    return _mm_alignr_epi8(now, before, 15);
}

WITH_SHUFFLE static inline vector vector_behind2(vector before, vector now) {
    return _mm_alignr_epi8(now, before, 14);
}

WITH_SHUFFLE static inline vector vector_behind3(vector before, vector now) {
    return _mm_alignr_epi8(now, before, 13);
}

#endif
