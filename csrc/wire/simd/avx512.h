/* Huge blocks: one register of AVX-512. */
#ifndef GAECHANNEL_WIRE_SIMD_AVX512_H
#define GAECHANNEL_WIRE_SIMD_AVX512_H

#include <immintrin.h> // only in functions that are WITH_HUGE

#include "wire/simd/block.h"
#include "wire/simd/processor.h"

#define BLOCKS_HUGE
#define WITH_HUGE                                                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt")))
#define HUGE_INLINE WITH_HUGE BLOCKS_INLINE

static inline bool huge_can(void) {
    return processor_has(PROCESSOR_AVX512);
}

typedef __m512i huge_block;
typedef uint64_t huge_mask;

HUGE_INLINE huge_block huge_load(const uint8_t *at) {
    return _mm512_loadu_si512(at);
}

HUGE_INLINE huge_block huge_load_some(const uint8_t *at, size_t count) {
    return _mm512_maskz_loadu_epi8(count < 64 ? _bzhi_u64(UINT64_MAX, (unsigned)count) : UINT64_MAX, at);
}

HUGE_INLINE huge_block huge_of(uint8_t byte) {
    return _mm512_set1_epi8((char)byte);
}

HUGE_INLINE huge_block huge_constant(uint8_t byte) {
    return huge_of(byte);
}

HUGE_INLINE huge_block huge_and(huge_block a, huge_block b) {
    return _mm512_and_si512(a, b);
}

HUGE_INLINE huge_block huge_or(huge_block a, huge_block b) {
    return _mm512_or_si512(a, b);
}

HUGE_INLINE huge_block huge_xor(huge_block a, huge_block b) {
    return _mm512_xor_si512(a, b);
}

HUGE_INLINE huge_block huge_add(huge_block a, huge_block b) {
    return _mm512_add_epi8(a, b);
}

HUGE_INLINE huge_block huge_subtract(huge_block a, huge_block b) {
    return _mm512_sub_epi8(a, b);
}

HUGE_INLINE huge_block huge_excess(huge_block a, huge_block b) {
    return _mm512_subs_epu8(a, b);
}

HUGE_INLINE huge_block huge_shift_left(huge_block v, uint8_t bits) {
    return _mm512_slli_epi16(v, bits);
}

HUGE_INLINE huge_block huge_shift_right(huge_block v, uint8_t bits) {
    return _mm512_srli_epi16(v, bits);
}

HUGE_INLINE huge_mask huge_high(huge_block v) {
    return _mm512_movepi8_mask(v);
}

HUGE_INLINE huge_mask huge_same(huge_block a, huge_block b) {
    return _mm512_cmpeq_epi8_mask(a, b);
}

HUGE_INLINE huge_mask huge_is(huge_block v, uint8_t byte) {
    return _mm512_cmpeq_epi8_mask(v, huge_of(byte));
}

HUGE_INLINE huge_mask huge_from(huge_block v, uint8_t byte) {
    return _mm512_cmpge_epu8_mask(v, huge_of(byte));
}

HUGE_INLINE huge_block huge_only(huge_block v, huge_mask mask) {
    return _mm512_maskz_mov_epi8(mask, v);
}

HUGE_INLINE huge_block huge_choose(huge_block a, huge_block b, huge_mask from_b) {
    return _mm512_mask_blend_epi8(from_b, a, b);
}

/* What they are combined with must not become a part of the comparison, or that waits for it: compilers do
 * that. */
HUGE_INLINE uint64_t huge_bits(huge_mask mask) {
    __asm__("" : "+r"(mask));
    return mask;
}

HUGE_INLINE huge_mask huge_both(huge_mask a, huge_mask b) {
    return a & b;
}

HUGE_INLINE bool huge_any(huge_mask mask) {
    return mask != 0;
}

HUGE_INLINE bool huge_is_ascii(huge_block v) {
    return huge_high(v) == 0;
}

HUGE_INLINE huge_mask huge_mask_of(uint64_t bits) {
    return bits;
}

HUGE_INLINE huge_block huge_look_up(const uint8_t table[16], huge_block places) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(vector_load(table)), places);
}

HUGE_INLINE huge_block huge_across(huge_block before, huge_block now) {
    return _mm512_alignr_epi32(now, before, 12);
}

HUGE_INLINE huge_block huge_behind1(huge_block before, huge_block now) {
    return _mm512_alignr_epi8(now, huge_across(before, now), 15);
}

HUGE_INLINE huge_block huge_behind2(huge_block before, huge_block now) {
    return _mm512_alignr_epi8(now, huge_across(before, now), 14);
}

HUGE_INLINE huge_block huge_behind3(huge_block before, huge_block now) {
    return _mm512_alignr_epi8(now, huge_across(before, now), 13);
}

HUGE_INLINE huge_block huge_part_at(const huge_block *v, unsigned i) {
    (void)i;
    return *v;
}

HUGE_INLINE uint8_t *huge_put_bytes(uint8_t *out, huge_block v, uint64_t kept) {
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, v));
    return out + __builtin_popcountll(kept);
}

/* The words of the first 32 low and high bytes. */
HUGE_INLINE huge_block huge_words(huge_block low, huge_block high) {
    return huge_or(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(low)),
                   _mm512_slli_epi16(_mm512_cvtepu8_epi16(_mm512_castsi512_si256(high)), 8));
}

HUGE_INLINE uint8_t *huge_put_half(uint8_t *out, huge_block low, huge_block high, uint32_t kept) {
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi16(kept, huge_words(low, high)));
    return out + 2 * blocks_count(kept);
}

HUGE_INLINE uint8_t *huge_put_words(uint8_t *out, huge_block low, huge_block high, uint64_t kept) {
    size_t count = (size_t)(unsigned)__builtin_popcountll(kept);
    if (count > 32) {
        out = huge_put_half(out, low, high, (uint32_t)kept);
        return huge_put_half(out, _mm512_alignr_epi64(low, low, 4), _mm512_alignr_epi64(high, high, 4),
                             (uint32_t)(kept >> 32));
    }
    low = _mm512_maskz_compress_epi8(kept, low);
    high = _mm512_maskz_compress_epi8(kept, high);
    _mm512_storeu_si512(out, huge_words(low, high));
    return out + 2 * count;
}

HUGE_INLINE void huge_put_units(uint8_t *out, huge_block v) {
    _mm512_storeu_si512(out, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(v)));
    _mm512_storeu_si512(out + 64, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(v, 1)));
}

#endif
