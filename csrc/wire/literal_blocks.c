/* Strings by blocks of 64 bytes: what the kinds of blocks share, and each of them. */
#include "wire/literal_blocks.h"

#include "wire/simd/blocks.h"
#include "wire/literal_escape.h"

// UTF-32 is made as wchar_t.
#if defined(BLOCKS_QUAD) && __SIZEOF_WCHAR_T__ == 4

// Loops over blocks keep what they know in registers, which calls would take it out of.
#define INLINE BLOCKS_INLINE
#define UNROLLED _Pragma("GCC unroll 4")

/* As many low bits as there are bytes, 64 at most. */
static inline uint64_t low_bits(size_t bytes) {
    return bytes < 64 ? ((uint64_t)1 << bytes) - 1 : ~(uint64_t)0;
}

static inline unsigned first_bit(uint64_t bits) {
    return (unsigned)__builtin_ctzll(bits);
}

/* ---- Escapes ---- */

/* The escapes of a block: a bit for each byte. All zeros: none. */
typedef struct escapes {
    uint64_t starts; // backslashes that begin one
    uint64_t kinds;  // the bytes behind those
    uint64_t u, x;   // of them, the letters of those with digits
    // Not 0: there are such letters, or were in one of the blocks before. What has to be done for them is
    // done where there are none, too, for a while: a branch that is taken now and then is slower than that.
    uint64_t digits_due;
} escapes;

/* `bits` moved `places` up, with those that come out of the block before. */
static inline uint64_t moved(uint64_t before, uint64_t bits, unsigned places) {
    return bits << places | before >> (64 - places);
}

/* Where the digits of escapes are, or must be. Where an escape begins among the digits of the one before, it
 * is malformed, and only the bits up to there are right. */
static inline uint64_t find_digits(const escapes *found, const escapes *before) {
    // Each subtraction leaves four ones behind a u, and two behind an x: 100000 - 10 = 11110. Of those that
    // come out of the block before, at most one escape has some.
    uint64_t behind = found->u << 5 | found->x << 3, first = (found->u | found->x) << 1;
    uint64_t behind_before = before->u >> 59 | before->x >> 61;
    return behind - first + (behind_before - (behind_before != 0));
}

// What a backslash and a letter stand for, by the places of B(read_simple)(): the letters, and what they
// become. Signs become themselves.
static const uint8_t simple_letters[16] = {'f', 'v', 0, 't', 'b', 'r', 0, 0, 'n'};
static const uint8_t simple_controls[16] = {'\f', '\v', 0, '\t', '\b', '\r', 0, 0, '\n'};
static const uint8_t simple_signs[16] = {[0x0] = '"', [0x5] = '\'', [0x9] = '\\', [0xD] = '/'};

/* ---- Texts ---- */

/* What is known of a block of a text; a bit for each byte. */
typedef struct found_bits {
    uint64_t kept; // the bytes that stand for a unit; the others are dropped
    escapes escapes;
    uint64_t simple;       // behind backslashes: all but " and \ themselves, and letters before digits
    uint64_t u_last, last; // the last digits of those with four; of all
    uint64_t other;        // what is no ASCII
    uint64_t begins_four;  // the first of four bytes
    uint64_t ed;           // ED: surrogates as three bytes begin with it, and others
    bool has_escapes;      // or the end of one; so with the following
    bool has_digits;
    bool has_characters; // that are no ASCII
    bool has_pairs;      // characters of four bytes
} found_bits;

/* Whether a text with so many surrogate pairs had better be UTF-32, though that has to be made of it first:
 * interpreters make strings of it sooner, by far where there are many pairs. As measured with CPython 3.11;
 * it is for time only. */
static inline bool better_joined(size_t pairs, size_t length) {
    return pairs > 0 && (length <= 4096 || pairs > length / 48);
}

// As many zeros must be behind the units that are joined.
#define UNITS_PADDING 64

/* Where a text's units are written, in the room for it: what they become, if they are joined, ends here. */
static inline size_t units_place(size_t length) {
    return (2 * length + 64 + 15) / 16 * 16;
}

static inline unsigned get_unit(const uint8_t *at) {
    uint16_t unit;
    memcpy(&unit, at, sizeof unit);
    return unit;
}

// What two halves of a surrogate pair make of 0x400 times the first and the second.
#define JOINED (0x10000u - 0xD800u * 0x400u - 0xDC00u)

/* Whether one of four units is a surrogate. */
static inline bool has_surrogate(uint64_t units) {
    const uint64_t each = 0x0001000100010001u;
    uint64_t others = (units & each * 0xF800) ^ each * 0xD800; // 0 where it is one
    return ((others - each) & ~others & each * 0x8000) != 0;
}

/* UTF-32 of UTF-16; false if a surrogate is without its pair. */
WITH_SHUFFLE static bool quad_join(const uint8_t *at, const uint8_t *end, uint8_t **out) {
    uint8_t *to = *out;
    while (at < end) {
        if (end - at >= 8 && !has_surrogate(word_load(at))) {
            const uint32_t codes[4] = {get_unit(at), get_unit(at + 2), get_unit(at + 4), get_unit(at + 6)};
            memcpy(to, codes, sizeof codes);
            to += sizeof codes;
            at += 8;
            continue;
        }
        uint32_t code = get_unit(at);
        at += 2;
        if ((code & 0xF800) == 0xD800) {
            uint32_t second = get_unit(at);
            if (code >= 0xDC00 || (second & 0xFC00) != 0xDC00)
                return false;
            code = (code << 10) + second + JOINED;
            at += 2;
        }
        memcpy(to, &code, sizeof code);
        to += sizeof code;
    }
    *out = to;
    return true;
}

#ifdef BLOCKS_WIDE
/* The same of eight units at a time. */
WITH_WIDE static bool wide_join(const uint8_t *at, const uint8_t *end, uint8_t **out) {
    uint8_t *to = *out;
    unsigned due = 0; // 1: the unit before was a first half
    for (; at < end; at += 16) {
        __m256i now = _mm256_cvtepu16_epi32(vector_load(at));
        __m256i kind = _mm256_and_si256(now, _mm256_set1_epi32(0xFC00));
        __m256i firsts = _mm256_cmpeq_epi32(kind, _mm256_set1_epi32(0xD800));
        __m256i seconds = _mm256_cmpeq_epi32(kind, _mm256_set1_epi32(0xDC00));
        unsigned first = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(firsts));
        unsigned second = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(seconds));
        due |= first << 1;
        if ((due & 0xFF) != second)
            return false;
        due = first >> 7;
        if ((first | second) != 0) {
            __m256i next = _mm256_cvtepu16_epi32(vector_load(at + 2));
            __m256i joined = _mm256_add_epi32(_mm256_slli_epi32(now, 10), next);
            joined = _mm256_add_epi32(joined, _mm256_set1_epi32((int)JOINED));
            now = _mm256_blendv_epi8(now, joined, firsts);
            __m256i places = _mm256_cvtepu8_epi32(vector_load(blocks_byte_places[~second & 0xFF]));
            now = _mm256_permutevar8x32_epi32(now, places);
        }
        _mm256_storeu_si256((__m256i *)(void *)to, now);
        to += 4 * (8 - __builtin_popcount(second));
    }
    *out = to - 2 * (at - end); // without what was made of the zeros
    return due == 0;
}
#endif

#ifdef BLOCKS_HUGE
/* The same of sixteen. */
WITH_HUGE static bool huge_join(const uint8_t *at, const uint8_t *end, uint8_t **out) {
    uint8_t *to = *out;
    unsigned due = 0;
    for (; at < end; at += 32) {
        __m512i now = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at));
        __m512i next = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)(at + 2)));
        __m512i kind = _mm512_and_si512(now, _mm512_set1_epi32(0xFC00));
        unsigned first = _mm512_cmpeq_epi32_mask(kind, _mm512_set1_epi32(0xD800));
        unsigned second = _mm512_cmpeq_epi32_mask(kind, _mm512_set1_epi32(0xDC00));
        due |= first << 1;
        if ((due & 0xFFFF) != second)
            return false;
        due = first >> 15;
        __m512i joined = _mm512_add_epi32(_mm512_slli_epi32(now, 10), next);
        now = _mm512_mask_add_epi32(now, (__mmask16)first, joined, _mm512_set1_epi32((int)JOINED));
        _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)~second, now));
        to += 4 * (16 - __builtin_popcount(second));
    }
    *out = to - 2 * (at - end);
    return due == 0;
}
#endif

/* ---- Each kind ---- */

#define B(name) BLOCKS_JOIN(quad, name)
#define P(name) BLOCKS_JOIN(vector, name)
#define P_BYTES 16
#define B_TARGET WITH_SHUFFLE
#include "wire/literal_by_blocks.h"
#undef B
#undef B_TARGET
#undef P
#undef P_BYTES

#ifdef BLOCKS_WIDE
#define B(name) BLOCKS_JOIN(wide, name)
#define P(name) BLOCKS_JOIN(broad, name)
#define P_BYTES 32
#define B_TARGET WITH_WIDE
#include "wire/literal_by_blocks.h"
#undef B
#undef B_TARGET
#undef P
#undef P_BYTES
#endif

#ifdef BLOCKS_HUGE
#define B(name) BLOCKS_JOIN(huge, name)
#define P(name) BLOCKS_JOIN(huge, name)
#define P_BYTES 64
#define B_TARGET WITH_HUGE
#include "wire/literal_by_blocks.h"
#undef B
#undef B_TARGET
#undef P
#undef P_BYTES
#endif

const literal_by_blocks *literal_blocks(void) {
    static const literal_by_blocks quad = {SHUFFLE_EXTENSION, quad_string_end, quad_text};
#ifdef BLOCKS_WIDE
    static const literal_by_blocks wide = {"AVX2", wide_string_end, wide_text};
#ifdef BLOCKS_HUGE
    static const literal_by_blocks huge = {"AVX-512", huge_string_end, huge_text};
    if (huge_can())
        return &huge;
#endif
    if (wide_can())
        return &wide;
#endif
    return vector_can_shuffle() ? &quad : NULL;
}

#else

const literal_by_blocks *literal_blocks(void) {
    return NULL;
}

#endif
