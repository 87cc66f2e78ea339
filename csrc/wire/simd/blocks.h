/* Sixty-four bytes at a time, of which each question is answered in a word, a bit for each byte. There are
 * three kinds of such blocks, which have the same functions:
 *
 *     quad   four vectors, where vector_can_shuffle()
 *     wide   two registers, where the processor has AVX2
 *     huge   one register, where it has AVX-512 with what moves bytes (VBMI and VBMI2)
 *
 * A kind's functions are WITH_SHUFFLE, WITH_WIDE or WITH_HUGE, and so must be what uses them, which may run
 * only where wide_can() and so on. BLOCKS_QUAD, BLOCKS_WIDE and BLOCKS_HUGE are defined where a kind is
 * there; WIRE_NO_WIDE takes the latter two away, and WIRE_NO_HUGE the last one (the tests do, to run the
 * others).
 *
 * A mask is a block whose bytes are 0xFF or 0, but for huge ones, which have registers for that. */
#ifndef GAECHANNEL_WIRE_BLOCKS_H
#define GAECHANNEL_WIRE_BLOCKS_H

#include "wire/simd/vector.h"

#ifdef VECTOR_BYTES

#define BLOCK_BYTES 64
#define BLOCKS_INLINE static inline __attribute__((always_inline))
#define BLOCKS_JOIN_(kind, name) kind##_##name
#define BLOCKS_JOIN(kind, name) BLOCKS_JOIN_(kind, name)

// For each set of eight bytes, their places; as long as a vector, which is how they are read.
extern const uint8_t blocks_byte_places[256][16];
// The same of eight words.
extern const uint8_t blocks_word_places[256][16];
// Each byte four times.
extern const uint32_t blocks_splats[256];

/* ---- What a vector can do, as the smallest kind ---- */

#define BLOCKS_QUAD

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

/* ---- quad ---- */

/* As many bytes as are there (fewer than 64), and zeros behind them. */
#define BLOCKS_PADDED(at, count) ((const uint8_t *)memcpy((uint8_t[BLOCK_BYTES]){0}, at, count))

#define HALF(name) BLOCKS_JOIN(vector, name)
#define WHOLE(name) BLOCKS_JOIN(twin, name)
#define HALF_BYTES 16
#define WHOLE_TARGET WITH_SHUFFLE
#include "wire/simd/double.h"
#undef HALF
#undef WHOLE
#undef HALF_BYTES

#define HALF(name) BLOCKS_JOIN(twin, name)
#define WHOLE(name) BLOCKS_JOIN(quad, name)
#define HALF_BYTES 32
#define WHOLE_HAS_BITS
#include "wire/simd/double.h"
#undef HALF
#undef WHOLE
#undef HALF_BYTES
#undef WHOLE_HAS_BITS
#undef WHOLE_TARGET

/* At one go: on NEON that is a quarter of the work. */
WITH_SHUFFLE BLOCKS_INLINE uint64_t quad_bits(quad_mask mask) {
    return vector_bits_of_four(mask.low.low, mask.low.high, mask.high.low, mask.high.high);
}

/* The 64 bytes at `at`, or only so many, and zeros behind them. */
WITH_SHUFFLE BLOCKS_INLINE quad_block quad_load_some(const uint8_t *at, size_t count) {
    return count >= BLOCK_BYTES ? quad_load(at) : quad_load(BLOCKS_PADDED(at, count));
}

/* The vector that begins at byte `i`. */
WITH_SHUFFLE BLOCKS_INLINE vector quad_part_at(const quad_block *v, unsigned i) {
    return i < 32 ? (i == 0 ? v->low.low : v->low.high) : (i == 32 ? v->high.low : v->high.high);
}

#ifdef __x86_64__

#ifndef WIRE_NO_WIDE

/* ---- wide ---- */

#include <immintrin.h> // only in functions that are WITH_WIDE or WITH_HUGE

#define BLOCKS_WIDE
#define WITH_WIDE __attribute__((target("avx2,popcnt")))
#define WIDE_INLINE WITH_WIDE BLOCKS_INLINE

static inline bool wide_can(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
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

#ifndef WIRE_NO_HUGE

/* ---- huge ---- */

#define BLOCKS_HUGE
#define WITH_HUGE                                                                                            \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx2,bmi,bmi2,popcnt")))
#define HUGE_INLINE WITH_HUGE BLOCKS_INLINE

static inline bool huge_can(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
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

#endif

#endif

#endif

#endif
