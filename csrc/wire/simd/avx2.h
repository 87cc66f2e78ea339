/* Wide blocks: two registers of AVX2. */
#ifndef GAECHANNEL_WIRE_SIMD_AVX2_H
#define GAECHANNEL_WIRE_SIMD_AVX2_H

#include <immintrin.h> // only in functions that are WITH_WIDE

#include "wire/simd/block.h"
#include "wire/simd/processor.h"

#define BLOCKS_WIDE
#define WITH_WIDE __attribute__((target("avx2,popcnt")))
#define WIDE_INLINE WITH_WIDE BLOCKS_INLINE

static inline bool wide_can(void) {
    return processor_has(PROCESSOR_AVX2);
}

// A broad block is half of a wide one, as a twin is half of a quad.
typedef __m256i broad_block;
typedef __m256i broad_mask;

WIDE_INLINE broad_block broad_load(const uint8_t *at) {
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

WIDE_INLINE broad_block broad_of(uint8_t byte) {
    return _mm256_set1_epi8((char)byte);
}

WIDE_INLINE broad_block broad_constant(uint8_t byte) {
    return _mm256_set1_epi32((int)blocks_splats[byte]);
}

WIDE_INLINE broad_block broad_and(broad_block a, broad_block b) {
    return _mm256_and_si256(a, b);
}

WIDE_INLINE broad_block broad_or(broad_block a, broad_block b) {
    return _mm256_or_si256(a, b);
}

WIDE_INLINE broad_block broad_xor(broad_block a, broad_block b) {
    return _mm256_xor_si256(a, b);
}

WIDE_INLINE broad_block broad_add(broad_block a, broad_block b) {
    return _mm256_add_epi8(a, b);
}

WIDE_INLINE broad_block broad_subtract(broad_block a, broad_block b) {
    return _mm256_sub_epi8(a, b);
}

WIDE_INLINE broad_block broad_excess(broad_block a, broad_block b) {
    return _mm256_subs_epu8(a, b);
}

WIDE_INLINE broad_block broad_shift_left(broad_block v, int bits) {
    return _mm256_slli_epi16(v, bits);
}

WIDE_INLINE broad_block broad_shift_right(broad_block v, int bits) {
    return _mm256_srli_epi16(v, bits);
}

WIDE_INLINE broad_mask broad_high(broad_block v) {
    return _mm256_cmpgt_epi8(_mm256_setzero_si256(), v);
}

WIDE_INLINE broad_mask broad_same(broad_block a, broad_block b) {
    return _mm256_cmpeq_epi8(a, b);
}

WIDE_INLINE broad_mask broad_is(broad_block v, uint8_t byte) {
    return _mm256_cmpeq_epi8(v, broad_constant(byte));
}

WIDE_INLINE broad_mask broad_from(broad_block v, uint8_t byte) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(v, broad_constant(byte)), v);
}

WIDE_INLINE broad_block broad_only(broad_block v, broad_mask mask) {
    return _mm256_and_si256(v, mask);
}

WIDE_INLINE broad_block broad_choose(broad_block a, broad_block b, broad_mask from_b) {
    return _mm256_blendv_epi8(a, b, from_b);
}

WIDE_INLINE uint64_t broad_bits(broad_mask mask) {
    return (uint32_t)_mm256_movemask_epi8(mask);
}

WIDE_INLINE broad_mask broad_both(broad_mask a, broad_mask b) {
    return _mm256_and_si256(a, b);
}

WIDE_INLINE bool broad_any(broad_mask mask) {
    return _mm256_movemask_epi8(mask) != 0;
}

WIDE_INLINE bool broad_is_ascii(broad_block v) {
    return _mm256_movemask_epi8(v) == 0;
}

WIDE_INLINE broad_mask broad_mask_of(uint64_t bits) {
    const __m256i places = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i own = _mm256_set1_epi64x((long long)0x8040201008040201u);
    __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)(uint32_t)bits), places);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, own), own);
}

WIDE_INLINE broad_block broad_look_up(const uint8_t table[16], broad_block places) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(vector_load(table)), places);
}

// What stands across the middle, for broad_behind1() and so on: shifts do not cross it.
WIDE_INLINE broad_block broad_across(broad_block before, broad_block now) {
    return _mm256_permute2x128_si256(before, now, 0x21);
}

WIDE_INLINE broad_block broad_behind1(broad_block before, broad_block now) {
    return _mm256_alignr_epi8(now, broad_across(before, now), 15);
}

WIDE_INLINE broad_block broad_behind2(broad_block before, broad_block now) {
    return _mm256_alignr_epi8(now, broad_across(before, now), 14);
}

WIDE_INLINE broad_block broad_behind3(broad_block before, broad_block now) {
    return _mm256_alignr_epi8(now, broad_across(before, now), 13);
}

WIDE_INLINE uint8_t *broad_put_bytes(uint8_t *out, broad_block v, uint64_t kept) {
    out = vector_put_bytes(out, _mm256_castsi256_si128(v), kept);
    return vector_put_bytes(out, _mm256_extracti128_si256(v, 1), kept >> 16);
}

WIDE_INLINE uint8_t *broad_put_words(uint8_t *out, broad_block low, broad_block high, uint64_t kept) {
    out = vector_put_words(out, _mm256_castsi256_si128(low), _mm256_castsi256_si128(high), kept);
    return vector_put_words(out, _mm256_extracti128_si256(low, 1), _mm256_extracti128_si256(high, 1),
                            kept >> 16);
}

WIDE_INLINE void broad_put_units(uint8_t *out, broad_block v) {
    vector_put_units(out, _mm256_castsi256_si128(v));
    vector_put_units(out + 32, _mm256_extracti128_si256(v, 1));
}

#define HALF(name) BLOCKS_JOIN(broad, name)
#define WHOLE(name) BLOCKS_JOIN(wide, name)
#define HALF_BYTES 32
#define WHOLE_TARGET WITH_WIDE
#include "wire/simd/double.h"
#undef HALF
#undef WHOLE
#undef HALF_BYTES
#undef WHOLE_TARGET

WIDE_INLINE wide_block wide_load_some(const uint8_t *at, size_t count) {
    return count >= BLOCK_BYTES ? wide_load(at) : wide_load(BLOCKS_PADDED(at, count));
}

WIDE_INLINE broad_block wide_part_at(const wide_block *v, unsigned i) {
    return i == 0 ? v->low : v->high;
}

#endif
