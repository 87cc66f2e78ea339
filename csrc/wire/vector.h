/* Sixteen bytes at a time, on the processors where every build has them: SSE2 on x86-64, NEON on aarch64.
 * VECTOR_BYTES is not defined elsewhere, or where WIRE_NO_VECTOR is (the tests do, to run what runs there).
 */
#ifndef GAECHANNEL_WIRE_VECTOR_H
#define GAECHANNEL_WIRE_VECTOR_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint64_t
#include <string.h> // memcpy

#if defined(__GNUC__) && defined(__SSE2__) && !defined(WIRE_NO_VECTOR)

#include <emmintrin.h>
#include <immintrin.h> // only in functions that are WITH_SHUFFLE or WITH_WIDE

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
static inline uint64_t vector_bits(vector a, vector b, vector c, vector d) {
    return vector_marks(a) | vector_marks(b) << 16 | vector_marks(c) << 32 | vector_marks(d) << 48;
}

/* The sixteen bytes as 16-bit words, 32 bytes. */
static inline void vector_store_units(uint8_t *at, vector v) {
    vector_store(at, _mm_unpacklo_epi8(v, _mm_setzero_si128()));
    vector_store(at + 16, _mm_unpackhi_epi8(v, _mm_setzero_si128()));
}

/* The same of sixteen bytes. */
static inline unsigned vector_mask(vector v) {
    return (unsigned)_mm_movemask_epi8(v);
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
#define WITH_SHUFFLE __attribute__((target("ssse3,popcnt")))

static inline bool vector_can_shuffle(void) {
    return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("popcnt");
}

/* The first four bytes; as a number, the first byte lowest. */
static inline uint32_t vector_low32(vector v) {
    return (uint32_t)_mm_cvtsi128_si32(v);
}

/* For each byte of `places` (0 to 15), the byte of `v` in that place. */
WITH_SHUFFLE static inline vector vector_shuffle(vector v, vector places) {
    return _mm_shuffle_epi8(v, places);
}

#ifndef WIRE_NO_WIDE

/* Thirty-two bytes at a time, where the processor has AVX2: functions that use these are WITH_WIDE, and may
 * only run where wide_can(). VECTOR_WIDE is not defined elsewhere, or where WIRE_NO_WIDE is (again for the
 * tests). */
#define VECTOR_WIDE 32
#define WITH_WIDE __attribute__((target("avx2,popcnt")))

typedef __m256i wide;

static inline bool wide_can(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

WITH_WIDE static inline wide wide_load(const uint8_t *at) {
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

WITH_WIDE static inline wide wide_of(uint8_t byte) {
    return _mm256_set1_epi8((char)byte);
}

WITH_WIDE static inline wide wide_or(wide a, wide b) {
    return _mm256_or_si256(a, b);
}

WITH_WIDE static inline wide wide_and(wide a, wide b) {
    return _mm256_and_si256(a, b);
}

WITH_WIDE static inline wide wide_xor(wide a, wide b) {
    return _mm256_xor_si256(a, b);
}

WITH_WIDE static inline wide wide_equal(wide a, wide b) {
    return _mm256_cmpeq_epi8(a, b);
}

WITH_WIDE static inline wide wide_at_least(wide a, wide b) {
    return _mm256_cmpeq_epi8(_mm256_max_epu8(a, b), a);
}

WITH_WIDE static inline wide wide_excess(wide a, wide b) {
    return _mm256_subs_epu8(a, b);
}

/* The top bit of each byte, the first byte's in bit 0. */
WITH_WIDE static inline uint32_t wide_mask(wide v) {
    return (uint32_t)_mm256_movemask_epi8(v);
}

/* The same, where only asked whether there is one. */
WITH_WIDE static inline uint32_t wide_marks(wide v) {
    return wide_mask(v);
}

WITH_WIDE static inline wide wide_without(wide a, wide b) {
    return _mm256_andnot_si256(b, a);
}

WITH_WIDE static inline wide wide_add(wide a, wide b) {
    return _mm256_add_epi8(a, b);
}

WITH_WIDE static inline wide wide_subtract(wide a, wide b) {
    return _mm256_sub_epi8(a, b);
}

WITH_WIDE static inline wide wide_shift_left(wide v, int bits) {
    return _mm256_slli_epi16(v, bits);
}

WITH_WIDE static inline wide wide_shift_right(wide v, int bits) {
    return _mm256_srli_epi16(v, bits);
}

/* The lower sixteen bytes, and the upper. */
WITH_WIDE static inline vector wide_lower_half(wide v) {
    return _mm256_castsi256_si128(v);
}

WITH_WIDE static inline vector wide_upper_half(wide v) {
    return _mm256_extracti128_si256(v, 1);
}

/* Of each byte the upper four bits, as a number. */
WITH_WIDE static inline wide wide_upper(wide v) {
    return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0x0F));
}

/* For each byte of `places` (0 to 15), the byte of the sixteen at `table` in that place. */
WITH_WIDE static inline wide wide_look_up(const uint8_t table[16], wide places) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(vector_load(table)), places);
}

#ifndef WIRE_NO_HUGE

/* Sixty-four bytes at a time, where the processor has AVX-512 with what moves bytes (VBMI and VBMI2): as with
 * WITH_WIDE. What is asked of such a vector is answered in a word, a bit for each byte; and only the bytes
 * that a word names are read. */
#define VECTOR_HUGE 64
#define WITH_HUGE                                                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt")))

typedef __m512i huge;

static inline bool huge_can(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}

/* The bytes that `there` has a bit for; others are 0, and need not be memory. */
WITH_HUGE static inline huge huge_load(const uint8_t *at, uint64_t there) {
    return _mm512_maskz_loadu_epi8(there, at);
}

WITH_HUGE static inline void huge_store(uint8_t *at, huge v) {
    _mm512_storeu_si512(at, v);
}

WITH_HUGE static inline huge huge_of(uint8_t byte) {
    return _mm512_set1_epi8((char)byte);
}

WITH_HUGE static inline huge huge_or(huge a, huge b) {
    return _mm512_or_si512(a, b);
}

WITH_HUGE static inline huge huge_and(huge a, huge b) {
    return _mm512_and_si512(a, b);
}

WITH_HUGE static inline huge huge_xor(huge a, huge b) {
    return _mm512_xor_si512(a, b);
}

WITH_HUGE static inline huge huge_add(huge a, huge b) {
    return _mm512_add_epi8(a, b);
}

WITH_HUGE static inline huge huge_subtract(huge a, huge b) {
    return _mm512_sub_epi8(a, b);
}

WITH_HUGE static inline huge huge_excess(huge a, huge b) {
    return _mm512_subs_epu8(a, b);
}

/* The bytes of `b` where `from_b` has a bit, else of `a`. */
WITH_HUGE static inline huge huge_choose(huge a, huge b, uint64_t from_b) {
    return _mm512_mask_blend_epi8(from_b, a, b);
}

WITH_HUGE static inline uint64_t huge_equal(huge v, uint8_t byte) {
    return _mm512_cmpeq_epi8_mask(v, huge_of(byte));
}

/* The same where the answer is combined with what comes of the block before: which must not become part of
 * the question, or the comparison waits for it. Compilers do that. */
WITH_HUGE static inline uint64_t huge_equal_early(huge v, uint8_t byte) {
    uint64_t same = huge_equal(v, byte);
    __asm__("" : "+r"(same));
    return same;
}

WITH_HUGE static inline uint64_t huge_at_least(huge v, uint8_t byte) {
    return _mm512_cmpge_epu8_mask(v, huge_of(byte));
}

WITH_HUGE static inline uint64_t huge_at_most(huge v, uint8_t byte) {
    return _mm512_cmple_epu8_mask(v, huge_of(byte));
}

/* Which bytes are no ASCII. */
WITH_HUGE static inline uint64_t huge_high(huge v) {
    return _mm512_movepi8_mask(v);
}

/* Within each 16-bit word, so that bits move from one byte into the other: to be masked. */
WITH_HUGE static inline huge huge_shift_left(huge v, uint8_t bits) {
    return _mm512_slli_epi16(v, bits);
}

WITH_HUGE static inline huge huge_shift_right(huge v, uint8_t bits) {
    return _mm512_srli_epi16(v, bits);
}

/* Of each byte the upper four bits, as a number. */
WITH_HUGE static inline huge huge_upper(huge v) {
    return huge_and(_mm512_srli_epi16(v, 4), huge_of(0x0F));
}

/* For each byte of `places` (0 to 15), the byte of the sixteen at `table` in that place. */
WITH_HUGE static inline huge huge_look_up(const uint8_t table[16], huge places) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(vector_load(table)), places);
}

/* The same of 128 bytes, by each byte's lower seven bits. */
WITH_HUGE static inline huge huge_look_up_128(const uint8_t table[128], huge places) {
    return _mm512_permutex2var_epi8(_mm512_loadu_si512(table), places, _mm512_loadu_si512(table + 64));
}

/* `now` and what comes before it as one text: for each byte of `now` the one that stands 1, 2 or 3 before it.
 */
WITH_HUGE static inline huge huge_lanes_back(huge before, huge now) {
    return _mm512_alignr_epi32(now, before, 12);
}

WITH_HUGE static inline huge huge_back1(huge before, huge now) {
    return _mm512_alignr_epi8(now, huge_lanes_back(before, now), 15);
}

WITH_HUGE static inline huge huge_back2(huge before, huge now) {
    return _mm512_alignr_epi8(now, huge_lanes_back(before, now), 14);
}

WITH_HUGE static inline huge huge_back3(huge before, huge now) {
    return _mm512_alignr_epi8(now, huge_lanes_back(before, now), 13);
}

/* The bytes that `kept` has a bit for, one behind the other; returns where they end. Writes 64. */
WITH_HUGE static inline uint8_t *huge_put_bytes(uint8_t *out, huge v, uint64_t kept) {
    huge_store(out, _mm512_maskz_compress_epi8(kept, v));
    return out + __builtin_popcountll(kept);
}

WITH_HUGE static inline huge huge_larger(huge a, huge b) {
    return _mm512_max_epu8(a, b);
}

WITH_HUGE static inline huge huge_words(__m256i low, __m256i high) {
    return huge_or(_mm512_cvtepu8_epi16(low), _mm512_slli_epi16(_mm512_cvtepu8_epi16(high), 8));
}

/* The same of the words whose low and high bytes are given. Writes 128 bytes. */
WITH_HUGE static inline uint8_t *huge_put_words(uint8_t *out, huge low, huge high, uint64_t kept) {
    huge words = huge_words(_mm512_castsi512_si256(low), _mm512_castsi512_si256(high));
    huge_store(out, _mm512_maskz_compress_epi16((uint32_t)kept, words));
    out += 2 * __builtin_popcount((uint32_t)kept);
    words = huge_words(_mm512_extracti64x4_epi64(low, 1), _mm512_extracti64x4_epi64(high, 1));
    huge_store(out, _mm512_maskz_compress_epi16((uint32_t)(kept >> 32), words));
    return out + 2 * __builtin_popcountll(kept >> 32);
}

WITH_HUGE static inline uint8_t *huge_put_quarter(uint8_t *out, __m128i low, __m128i high, __m128i top,
                                                  uint16_t kept) {
    huge units = huge_or(_mm512_cvtepu8_epi32(low), _mm512_slli_epi32(_mm512_cvtepu8_epi32(high), 8));
    units = huge_or(units, _mm512_slli_epi32(_mm512_cvtepu8_epi32(top), 16));
    huge_store(out, _mm512_maskz_compress_epi32(kept, units));
    return out + 4 * __builtin_popcount(kept);
}

/* The same of the 32-bit words whose three lower bytes are given. Writes 256 bytes. */
WITH_HUGE static inline uint8_t *huge_put_triples(uint8_t *out, huge low, huge high, huge top,
                                                  uint64_t kept) {
    out = huge_put_quarter(out, _mm512_extracti32x4_epi32(low, 0), _mm512_extracti32x4_epi32(high, 0),
                           _mm512_extracti32x4_epi32(top, 0), (uint16_t)kept);
    out = huge_put_quarter(out, _mm512_extracti32x4_epi32(low, 1), _mm512_extracti32x4_epi32(high, 1),
                           _mm512_extracti32x4_epi32(top, 1), (uint16_t)(kept >> 16));
    out = huge_put_quarter(out, _mm512_extracti32x4_epi32(low, 2), _mm512_extracti32x4_epi32(high, 2),
                           _mm512_extracti32x4_epi32(top, 2), (uint16_t)(kept >> 32));
    return huge_put_quarter(out, _mm512_extracti32x4_epi32(low, 3), _mm512_extracti32x4_epi32(high, 3),
                            _mm512_extracti32x4_epi32(top, 3), (uint16_t)(kept >> 48));
}

/* The 64 bytes as words, 128 bytes. */
WITH_HUGE static inline void huge_store_units(uint8_t *at, huge v) {
    huge_store(at, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(v)));
    huge_store(at + 64, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(v, 1)));
}

/* Which of the 32 words are `value` in the bits of `mask`. */
WITH_HUGE static inline uint32_t huge_words_equal(huge words, uint16_t mask, uint16_t value) {
    return _mm512_cmpeq_epi16_mask(huge_and(words, _mm512_set1_epi16((short)mask)),
                                   _mm512_set1_epi16((short)value));
}

#endif

#endif

#elif defined(__GNUC__) && defined(__aarch64__) && !defined(__AARCH64EB__) && defined(__ARM_NEON) &&         \
    !defined(WIRE_NO_VECTOR)

#include <arm_neon.h>

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

/* NEON has no movemask: a shift that narrows leaves four bits for each byte, of which one is kept. */
static inline uint64_t vector_marks(vector v) {
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(v), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & 0x8888888888888888u;
}

#define VECTOR_MARK_BITS 4

/* The same of 64 bytes that are 0xFF or 0, the first byte's in bit 0: each keeps a bit of its own, and three
 * additions of neighbours bring eight bytes into one. */
static inline uint64_t vector_bits(vector a, vector b, vector c, vector d) {
    const uint8x16_t own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t ab = vpaddq_u8(vandq_u8(a, own), vandq_u8(b, own));
    uint8x16_t cd = vpaddq_u8(vandq_u8(c, own), vandq_u8(d, own));
    uint8x16_t all = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

/* As above. */
static inline void vector_store_units(uint8_t *at, vector v) {
    vector_store(at, vreinterpretq_u8_u16(vmovl_u8(vget_low_u8(v))));
    vector_store(at + 16, vreinterpretq_u8_u16(vmovl_u8(vget_high_u8(v))));
}

static inline unsigned vector_mask(vector v) {
    const uint8x16_t own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t kept = vandq_u8(v, own);
    return vaddv_u8(vget_low_u8(kept)) | (unsigned)vaddv_u8(vget_high_u8(kept)) << 8;
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

#define WITH_SHUFFLE

static inline uint32_t vector_low32(vector v) {
    return vgetq_lane_u32(vreinterpretq_u32_u8(v), 0);
}

static inline bool vector_can_shuffle(void) {
    return true;
}

static inline vector vector_shuffle(vector v, vector places) {
    return vqtbl1q_u8(v, places);
}

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
