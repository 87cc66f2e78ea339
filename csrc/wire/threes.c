/* Characters of three bytes, eight or four at once where there are vectors. */
#include "wire/threes.h"

#include "wire/simd/blocks.h"

#ifdef BLOCKS_WIDE

// The bytes that eight characters are loaded in.
#define EIGHT_BYTES 28

/* As threes_read(), as far as eight are wanted and their bytes are there. */
WITH_WIDE static size_t read_by_eight(const uint8_t *at, const uint8_t *end, size_t most, uint32_t *codes) {
    // Each character's bytes, the last one first, and a zero.
    const __m256i places =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 1, 0, -1, 5, 4, 3, -1, 8, 7, 6, -1, 11, 10, 9, -1));
    size_t count = 0;
    for (; end - at >= EIGHT_BYTES && most - count >= 8; count += 8, at += 24) {
        __m256i bytes = _mm256_castsi128_si256(vector_load(at));
        bytes = _mm256_inserti128_si256(bytes, vector_load(at + 12), 1);
        bytes = _mm256_shuffle_epi8(bytes, places);
        __m256i leads = _mm256_and_si256(bytes, _mm256_set1_epi32(0xF00000));
        __m256i right = _mm256_cmpeq_epi32(leads, _mm256_set1_epi32(0xE00000));
        // Multiplied and added in pairs: the last byte and 0x40 times the one before, then 0x1000 times the
        // lead.
        bytes = _mm256_and_si256(bytes, _mm256_set1_epi32(0x0F3F3F));
        bytes = _mm256_maddubs_epi16(bytes, _mm256_set1_epi32(0x014001));
        bytes = _mm256_madd_epi16(bytes, _mm256_set1_epi32(0x10000001));
        _mm256_storeu_si256((__m256i *)(void *)(codes + count), bytes);
        unsigned wrong = ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(right)) & 0xFF;
        if (wrong != 0)
            return count + (size_t)(unsigned)__builtin_ctz(wrong);
    }
    return count;
}

#endif

#ifdef THREES_FOUR_BYTES

/* As threes_read(), as far as four are wanted and their bytes are there. */
static size_t read_by_four(const uint8_t *at, const uint8_t *end, size_t most, uint32_t *codes) {
    size_t count = 0;
    for (; end - at >= THREES_FOUR_BYTES && most - count >= 4; count += 4, at += 12) {
        size_t read = threes_read_four(at, codes + count);
        if (read < 4)
            return count + read;
    }
    return count;
}

#endif

/* As threes_read(), by as many at once as the processor can. */
static inline size_t read_by_some(const uint8_t *at, const uint8_t *end, size_t most, uint32_t *codes) {
#ifdef BLOCKS_WIDE
    if (wide_can())
        return read_by_eight(at, end, most, codes);
#endif
#ifdef THREES_FOUR_BYTES
    return read_by_four(at, end, most, codes);
#else
    (void)at;
    (void)end;
    (void)most;
    (void)codes;
    return 0;
#endif
}

size_t threes_read(const uint8_t *at, const uint8_t *end, size_t most, uint32_t *codes) {
    size_t count = read_by_some(at, end, most, codes);
    for (at += 3 * count; count < most && at < end && (at[0] & 0xF0) == 0xE0; at += 3)
        codes[count++] = (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    return count;
}
