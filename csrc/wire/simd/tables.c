/* The tables that blocks look up; none where there are no blocks. */
#include "wire/simd/tables.h"

#include "wire/simd/vector.h" // VECTOR_BYTES

#ifdef VECTOR_BYTES

#define BYTES_0(...)                                                                                         \
    {__VA_ARGS__}, {                                                                                         \
        0, __VA_ARGS__                                                                                       \
    }
#define BYTES_1(...) BYTES_0(__VA_ARGS__), BYTES_0(1, __VA_ARGS__)
#define BYTES_2(...) BYTES_1(__VA_ARGS__), BYTES_1(2, __VA_ARGS__)
#define BYTES_3(...) BYTES_2(__VA_ARGS__), BYTES_2(3, __VA_ARGS__)
#define BYTES_4(...) BYTES_3(__VA_ARGS__), BYTES_3(4, __VA_ARGS__)
#define BYTES_5(...) BYTES_4(__VA_ARGS__), BYTES_4(5, __VA_ARGS__)
#define BYTES_6(...) BYTES_5(__VA_ARGS__), BYTES_5(6, __VA_ARGS__)
#define BYTES_7(...) BYTES_6(__VA_ARGS__), BYTES_6(7, __VA_ARGS__)
const uint8_t blocks_byte_places[256][16] = {BYTES_7(0)};

// The first sixteen: the longest row has a place more.
#define ROW(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ...)                                             \
    { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p }
#define WORDS_0(...)                                                                                         \
    ROW(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),                                        \
        ROW(0, 1, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
#define WORDS_1(...) WORDS_0(__VA_ARGS__), WORDS_0(2, 3, __VA_ARGS__)
#define WORDS_2(...) WORDS_1(__VA_ARGS__), WORDS_1(4, 5, __VA_ARGS__)
#define WORDS_3(...) WORDS_2(__VA_ARGS__), WORDS_2(6, 7, __VA_ARGS__)
#define WORDS_4(...) WORDS_3(__VA_ARGS__), WORDS_3(8, 9, __VA_ARGS__)
#define WORDS_5(...) WORDS_4(__VA_ARGS__), WORDS_4(10, 11, __VA_ARGS__)
#define WORDS_6(...) WORDS_5(__VA_ARGS__), WORDS_5(12, 13, __VA_ARGS__)
#define WORDS_7(...) WORDS_6(__VA_ARGS__), WORDS_6(14, 15, __VA_ARGS__)
const uint8_t blocks_word_places[256][16] = {WORDS_7(0)};

#define SPLAT(byte) (0x01010101u * (byte))
#define SPLATS_4(byte) SPLAT(byte), SPLAT((byte) + 1), SPLAT((byte) + 2), SPLAT((byte) + 3)
#define SPLATS_16(byte) SPLATS_4(byte), SPLATS_4((byte) + 4), SPLATS_4((byte) + 8), SPLATS_4((byte) + 12)
#define SPLATS_64(byte)                                                                                      \
    SPLATS_16(byte), SPLATS_16((byte) + 16), SPLATS_16((byte) + 32), SPLATS_16((byte) + 48)
const uint32_t blocks_splats[256] = {SPLATS_64(0), SPLATS_64(64), SPLATS_64(128), SPLATS_64(192)};

#endif
