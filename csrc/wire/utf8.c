/* UTF-8 measured in UTF-16 units, and checked on the way. */
#include "wire/utf8.h"

#include <stdbool.h>

#include "wire/simd/blocks.h"

/* The character that begins at `at`, of which `left` bytes (at least 1) are there and `units` units (at least
 * 1) wanted. `*size` is its length in bytes, whether or not all of it is there. */
static inline utf8_status read_character(const uint8_t *at, size_t left, size_t units, size_t *size) {
    uint8_t lead = at[0];
    *size = 1;
    if (lead < 0x80)
        return UTF8_OK;
    if (lead < 0xC2 || lead > 0xF4)
        return UTF8_INVALID;
    *size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // Wrong whatever follows, so the verdict does not hang on how much of the character has come.
    if (*size == 4 && units == 1)
        return UTF8_SPLIT_PAIR;
    // The second byte keeps out overlong forms (E0, F0), surrogates (ED), and what is past U+10FFFF (F4).
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < *size; i++) {
        if (i == left)
            return UTF8_CUT;
        if (at[i] < low || at[i] > high)
            return UTF8_INVALID;
        low = 0x80;
        high = 0xBF;
    }
    return UTF8_OK;
}

utf8_status utf8_advance_plain(const uint8_t *bytes, size_t length, size_t *units, size_t *advanced) {
    utf8_status status = UTF8_OK;
    size_t at = 0;
    while (*units > 0 && at < length) {
        size_t size;
        status = read_character(bytes + at, length - at, *units, &size);
        if (status != UTF8_OK)
            break;
        at += size;
        *units -= size == 4 ? 2 : 1;
    }
    *advanced = at;
    return status;
}

/* Where utf8_advance is. */
typedef struct utf8_walk {
    const uint8_t *start;
    const uint8_t *end;
    // Between two characters; all from `start` to here is valid.
    const uint8_t *at;
    // The units still wanted.
    size_t units;
} utf8_walk;

#define TOP_BITS 0x8080808080808080u

static inline bool ascii32(const uint8_t *at) {
#ifdef VECTOR_BYTES
    return vector_marks(vector_or(vector_load(at), vector_load(at + 16))) == 0;
#else
    uint64_t all = word_load(at) | word_load(at + 8) | word_load(at + 16) | word_load(at + 24);
    return (all & TOP_BITS) == 0;
#endif
}

#ifdef BLOCKS_WIDE
/* The first of the blocks up to `stop` that is not all ASCII, or where less than a block is left. */
WITH_WIDE static const uint8_t *skip_ascii_wide(const uint8_t *at, const uint8_t *stop) {
    while (stop - at >= BLOCK_BYTES && wide_is_ascii(wide_load(at)))
        at += BLOCK_BYTES;
    return at;
}
#endif

/* Fast path for ASCII, where a byte is a unit: 32 bytes a turn. Stops somewhere in the 32 bytes before the
 * first other byte, or where the input or the wanted units end. */
static inline void skip_ascii(utf8_walk *walk) {
    size_t left = (size_t)(walk->end - walk->at); // bytes
    size_t count = left < walk->units ? left : walk->units;
    const uint8_t *at = walk->at;
    const uint8_t *stop = at + count;
#ifdef BLOCKS_WIDE
    if (count >= 256 && wide_can())
        at = skip_ascii_wide(at, stop);
#endif
    while (stop - at >= 32 && ascii32(at))
        at += 32;
    if (stop - at < 32) {
        // The rest at one go: looking twice at bytes before it does no harm, unless they are not ASCII.
        if (stop - walk->start >= 32 && ascii32(stop - 32))
            at = stop;
        while (stop - at >= 8 && (word_load(at) & TOP_BITS) == 0)
            at += 8;
    }
    walk->units -= (size_t)(at - walk->at);
    walk->at = at;
}

#ifdef VECTOR_BYTES

/* The units of the characters that begin in the 16 bytes at `at`, or SIZE_MAX when something is wrong in
 * these bytes. The three bytes before them are looked at too, for what was begun there. */
static inline size_t measure_vector(const uint8_t *at, vector now) {
    vector back1 = vector_load(at - 1), back2 = vector_load(at - 2), back3 = vector_load(at - 3);
    vector lead4 = vector_at_least(now, vector_of(0xF0));

    // A byte must be a continuation exactly when a lead byte before it says so.
    vector due =
        vector_or(vector_or(vector_excess(back1, vector_of(0xBF)), vector_excess(back2, vector_of(0xDF))),
                  vector_excess(back3, vector_of(0xEF)));
    vector not_due = vector_equal(due, vector_of(0));
    vector continuation = vector_equal(vector_and(now, vector_of(0xC0)), vector_of(0x80));
    vector wrong = vector_equal(not_due, continuation);

    // C0 and C1 begin only overlong forms, F5 and above only what is past U+10FFFF.
    wrong = vector_or(wrong, vector_equal(vector_and(now, vector_of(0xFE)), vector_of(0xC0)));
    wrong = vector_or(wrong, vector_at_least(now, vector_of(0xF5)));

    // The narrower limits of a second byte, as in read_character.
    vector from_a0 = vector_at_least(now, vector_of(0xA0));
    vector from_90 = vector_at_least(now, vector_of(0x90));
    wrong = vector_or(wrong, vector_without(vector_equal(back1, vector_of(0xE0)), from_a0));
    wrong = vector_or(wrong, vector_and(vector_equal(back1, vector_of(0xED)), from_a0));
    wrong = vector_or(wrong, vector_without(vector_equal(back1, vector_of(0xF0)), from_90));
    wrong = vector_or(wrong, vector_and(vector_equal(back1, vector_of(0xF4)), from_90));
    if (vector_marks(wrong) != 0)
        return SIZE_MAX;

    // A comparison's 0xFF is -1: 1 for each byte, less 1 for a continuation, 1 more for a four-byte lead.
    return vector_sum(vector_subtract(vector_add(vector_of(1), continuation), lead4));
}

/* How many bytes before `at` an unfinished character began: 0 to 3. All before it is valid. */
static inline size_t unfinished_before(const uint8_t *at) {
    return at[-1] >= 0xC0 ? 1 : at[-2] >= 0xE0 ? 2 : at[-3] >= 0xF0 ? 3 : 0;
}

/* Blocks have been walked over up to `at`: go back to where a character begins. */
static inline void step_back(utf8_walk *walk, const uint8_t *at) {
    size_t unfinished = unfinished_before(at);
    walk->at = at - unfinished;
    if (unfinished > 0)
        walk->units += *walk->at >= 0xF0 ? 2 : 1;
}

/* Fast path for all other text: 16 bytes a turn, as long as all of them are wanted and nothing is wrong. True
 * when it met a stretch of ASCII, where skip_ascii is faster; else less than a turn is left, or an error. */
static bool skip_vectors(utf8_walk *walk) {
    unsigned ascii_blocks = 0;
    const uint8_t *at = walk->at;
    while (walk->end - at >= 16 && ascii_blocks < 4) {
        vector now = vector_load(at);
        size_t units = measure_vector(at, now);
        if (units == SIZE_MAX || units > walk->units)
            break;
        walk->units -= units;
        at += 16;
        ascii_blocks = vector_marks(now) == 0 ? ascii_blocks + 1 : 0;
    }
    step_back(walk, at);
    return ascii_blocks == 4;
}

// What may be wrong with two bytes, one behind the other; each table below says of which the four bits it is
// asked about allow, and what all three allow is wrong.
enum {
    TOO_SHORT = 0x01,  // a lead without a continuation
    TOO_LONG = 0x02,   // ASCII with one
    OVERLONG_3 = 0x04, // E0 before 80 to 9F
    SURROGATE = 0x08,  // ED before A0 to BF
    OVERLONG_2 = 0x10, // C0 or C1
    OVERLONG_4 = 0x20, // F0 before 80 to 8F; F5 to FF before them, too
    TOO_LARGE = 0x40,  // F4 before 90 to BF; F5 to FF, too
    TWO_CONT = 0x80,   // continuations: wrong unless the bytes before them ask for two or three
    WHATEVER = TOO_SHORT | TOO_LONG | TWO_CONT, // does not hang on the first byte's lower bits
};

// By the first byte's upper bits, its lower bits, and the second byte's upper bits.
static const uint8_t first_upper[16] = {
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO_CONT,
    TWO_CONT,
    TWO_CONT,
    TWO_CONT,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | OVERLONG_4 | TOO_LARGE,
};
#define PAST (WHATEVER | OVERLONG_4 | TOO_LARGE)
static const uint8_t first_lower[16] = {
    WHATEVER | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
    WHATEVER | OVERLONG_2,
    WHATEVER,
    WHATEVER,
    WHATEVER | TOO_LARGE,
    PAST,
    PAST,
    PAST,
    PAST,
    PAST,
    PAST,
    PAST,
    PAST,
    PAST | SURROGATE,
    PAST,
    PAST,
};
#define CONT (TOO_LONG | TWO_CONT | OVERLONG_2)
static const uint8_t second_upper[16] = {
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    CONT | OVERLONG_3 | OVERLONG_4,
    CONT | OVERLONG_3 | TOO_LARGE,
    CONT | SURROGATE | TOO_LARGE,
    CONT | SURROGATE | TOO_LARGE,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
    TOO_SHORT,
};

#define P(name) BLOCKS_JOIN(vector, name)
#define P_BYTES 16
#define P_TARGET WITH_SHUFFLE
#include "wire/utf8_by_blocks.h"
#undef P
#undef P_BYTES
#undef P_TARGET

#ifdef BLOCKS_WIDE
#define P(name) BLOCKS_JOIN(broad, name)
#define P_BYTES 32
#define P_TARGET WITH_WIDE
#include "wire/utf8_by_blocks.h"
#undef P
#undef P_BYTES
#undef P_TARGET
#endif

#ifdef BLOCKS_HUGE
#define P(name) BLOCKS_JOIN(huge, name)
#define P_BYTES 64
#define P_TARGET WITH_HUGE
#include "wire/utf8_by_blocks.h"
#undef P
#undef P_BYTES
#undef P_TARGET
#endif

/* By the largest blocks that the processor has. */
static inline bool skip_blocks(utf8_walk *walk) {
#ifdef BLOCKS_HUGE
    if (huge_can())
        return huge_skip(walk);
#endif
#ifdef BLOCKS_WIDE
    if (wide_can())
        return broad_skip(walk);
#endif
    return vector_can_shuffle() && vector_skip(walk);
}

/* By blocks where there are some; vectors have the last word, since they get nearer to the end. */
static inline bool skip_other(utf8_walk *walk) {
    return (walk->end - walk->at >= 2 * BLOCK_BYTES && skip_blocks(walk)) || skip_vectors(walk);
}

/* Whether three bytes stand before `walk->at`, as measure_vector wants; characters are walked over until it
 * is so. False when that met the end or an error. */
static bool step_in(utf8_walk *walk) {
    while (walk->at - walk->start < 3) {
        size_t size;
        if (walk->at == walk->end || walk->units == 0 ||
            read_character(walk->at, (size_t)(walk->end - walk->at), walk->units, &size) != UTF8_OK)
            return false;
        walk->at += size;
        walk->units -= size == 4 ? 2 : 1;
    }
    return true;
}

#endif

utf8_status utf8_advance(const uint8_t *bytes, size_t length, size_t *units, size_t *advanced) {
    *advanced = 0;
    if (length == 0)
        return UTF8_OK; // also keeps a null pointer out of the arithmetic
    utf8_walk walk = {.start = bytes, .end = bytes + length, .at = bytes, .units = *units};
    utf8_status status = UTF8_OK;
    skip_ascii(&walk);
#ifdef VECTOR_BYTES
    while (walk.units > 0 && walk.end - walk.at >= 16 && step_in(&walk) && skip_other(&walk))
        skip_ascii(&walk);
    if (walk.units > 0) {
        size_t last;
        status = utf8_advance_plain(walk.at, (size_t)(walk.end - walk.at), &walk.units, &last);
        walk.at += last;
    }
#else
    while (walk.units > 0 && walk.at < walk.end) {
        size_t size;
        status = read_character(walk.at, (size_t)(walk.end - walk.at), walk.units, &size);
        if (status != UTF8_OK)
            break;
        walk.at += size;
        walk.units -= size == 4 ? 2 : 1;
        if (size == 1)
            skip_ascii(&walk);
    }
#endif
    *units = walk.units;
    *advanced = (size_t)(walk.at - bytes);
    return status;
}
