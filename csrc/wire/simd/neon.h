/* A vector where it is NEON's. Part of vector.h, which says when; what a function does is said in sse.h. */
#ifndef GAECHANNEL_WIRE_SIMD_NEON_H
#define GAECHANNEL_WIRE_SIMD_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t

#define VECTOR_BYTES 16

typedef uint8x16_t vector;

static inline vector vector_load(const uint8_t *at) {
    return vld1q_u8(at);
}

static inline void vector_store(uint8_t *at, vector v) {
    vst1q_u8(at, v);
}

static inline vector vector_of(uint8_t byte) {
    return vdupq_n_u8(byte);
}

static inline vector vector_or(vector a, vector b) {
    return vorrq_u8(a, b);
}

static inline vector vector_and(vector a, vector b) {
    return vandq_u8(a, b);
}

static inline vector vector_without(vector a, vector b) {
    return vbicq_u8(a, b);
}

static inline vector vector_xor(vector a, vector b) {
    return veorq_u8(a, b);
}

static inline vector vector_equal(vector a, vector b) {
    return vceqq_u8(a, b);
}

static inline vector vector_at_least(vector a, vector b) {
    return vcgeq_u8(a, b);
}

static inline vector vector_excess(vector a, vector b) {
    return vqsubq_u8(a, b);
}

static inline vector vector_add(vector a, vector b) {
    return vaddq_u8(a, b);
}

static inline vector vector_subtract(vector a, vector b) {
    return vsubq_u8(a, b);
}

static inline size_t vector_sum(vector v) {
    return vaddlvq_u8(v);
}

/* NEON has no movemask: a shift that narrows leaves four bits for each byte, of which one is kept. They are
 * the upper four of one byte and the lower four of the next, so all bits must first be as the top one is. */
static inline uint64_t vector_marks(vector v) {
    uint8x16_t tops = vcltzq_s8(vreinterpretq_s8_u8(v));
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(tops), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & 0x8888888888888888u;
}

#define VECTOR_MARK_BITS 4

/* The same of 64 bytes that are 0xFF or 0, the first byte's in bit 0: each keeps a bit of its own, and three
 * additions of neighbours bring eight bytes into one. */
static inline uint64_t vector_bits_of_four(vector a, vector b, vector c, vector d) {
    const uint8x16_t own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, own), vandq_u8(b, own));
    uint8x16_t cd = vpaddq_u8(vandq_u8(c, own), vandq_u8(d, own));
    uint8x16_t all = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

static inline uint32_t vector_tops_of_two(vector a, vector b) {
    const uint8x16_t own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t both = vpaddq_u8(vandq_u8(vcltzq_s8(vreinterpretq_s8_u8(a)), own),
                                vandq_u8(vcltzq_s8(vreinterpretq_s8_u8(b)), own));
    both = vpaddq_u8(both, both);
    return vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(both, both)), 0);
}

static inline bool vector_is_zero(vector v) {
    return vmaxvq_u32(vreinterpretq_u32_u8(v)) == 0;
}

static inline vector vector_shift_left(vector v, int bits) {
    return vreinterpretq_u8_u16(vshlq_u16(vreinterpretq_u16_u8(v), vdupq_n_s16((int16_t)bits)));
}

static inline vector vector_shift_right(vector v, int bits) {
    return vreinterpretq_u8_u16(vshlq_u16(vreinterpretq_u16_u8(v), vdupq_n_s16((int16_t)-bits)));
}

static inline vector vector_zip_first(vector low, vector high) {
    return vzip1q_u8(low, high);
}

static inline vector vector_zip_last(vector low, vector high) {
    return vzip2q_u8(low, high);
}

#define SHUFFLE_EXTENSION "NEON"
#define WITH_SHUFFLE

static inline bool vector_can_shuffle(void) {
    return true;
}

static inline vector vector_shuffle(vector v, vector places) {
    return vqtbl1q_u8(v, places);
}

static inline vector vector_spread(uint64_t bits) {
    return vcombine_u8(vdup_n_u8((uint8_t)bits), vdup_n_u8((uint8_t)(bits >> 8)));
}

static inline vector vector_behind1(vector before, vector now) {
    return vextq_u8(before, now, 15);
}

static inline vector vector_behind2(vector before, vector now) {
    return vextq_u8(before, now, 14);
}

static inline vector vector_behind3(vector before, vector now) {
    return vextq_u8(before, now, 13);
}

#endif
