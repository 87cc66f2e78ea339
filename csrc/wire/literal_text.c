/* A string's text as ASCII or as UTF-16. */
#include "literal_text.h"

#include <string.h> // memcpy

#include "literal.h"
#include "literal_escape.h"
#include "literal_huge.h"

static inline uint8_t *put_unit(uint8_t *out, unsigned unit) {
    uint16_t word = (uint16_t)unit;
    memcpy(out, &word, sizeof word);
    return out + sizeof word;
}

/* A character as UTF-16. */
static inline uint8_t *put_code(uint8_t *out, unsigned code) {
    if (code < 0x10000)
        return put_unit(out, code);
    out = put_unit(out, 0xD7C0 + (code >> 10));
    return put_unit(out, 0xDC00 | (code & 0x3FF));
}

/* The character past ASCII at `at`, which is valid UTF-8 or a surrogate as three bytes. */
static inline unsigned read_code(const uint8_t *at, size_t *size) {
    if (at[0] < 0xE0) {
        *size = 2;
        return (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    }
    if (at[0] < 0xF0) {
        *size = 3;
        return (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    }
    *size = 4;
    return (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
}

static inline bool is_surrogate(unsigned code) {
    return (code & 0xFFFFF800) == 0xD800;
}

literal_form literal_text_plain(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                                size_t *out_length) {
    // UTF-8 goes behind the room that UTF-16 may fill before it has read it: a unit comes of a byte at least.
    uint8_t *plain = out + length;
    bool lone = false;
    if (escaped)
        length = literal_unescape_plain(token, length, plain, &lone);
    else if (length > 0)
        memcpy(plain, token, length);
    size_t ascii = 0;
    while (ascii < length && plain[ascii] < 0x80)
        ascii++;
    if (ascii == length) {
        memmove(out, plain, length);
        *out_length = length;
        return LITERAL_ASCII;
    }
    uint8_t *to = out;
    for (const uint8_t *at = plain, *end = plain + length; at < end;) {
        size_t size = 1;
        unsigned code = *at < 0x80 ? *at : read_code(at, &size);
        if (is_surrogate(code))
            return LITERAL_OTHER;
        to = put_code(to, code);
        at += size;
    }
    *out_length = (size_t)(to - out);
    return LITERAL_UTF16;
}

bool literal_is_ascii(const uint8_t *bytes, size_t length) {
    size_t at = 0;
#ifdef VECTOR_BYTES
    for (; length - at >= 64; at += 64) {
        vector low = vector_or(vector_load(bytes + at), vector_load(bytes + at + 16));
        vector high = vector_or(vector_load(bytes + at + 32), vector_load(bytes + at + 48));
        if (vector_marks(vector_or(low, high)) != 0)
            return false;
    }
    for (; length - at >= 16; at += 16)
        if (vector_marks(vector_load(bytes + at)) != 0)
            return false;
    // The rest at one go: looking twice at bytes before it does no harm.
    if (length >= 16)
        return vector_marks(vector_load(bytes + length - 16)) == 0;
#endif
    uint8_t all = 0;
    for (; at < length; at++)
        all |= bytes[at];
    return all < 0x80;
}

#ifdef VECTOR_BYTES

// What may be read behind `end`, and written behind the result: a whole block, and the vectors beside it.
#define PADDING 80

/* Where undoing is. Reading goes up to PADDING bytes past `end`, so that no turn need ask how much is left.
 */
typedef struct texting {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *out;
    bool escaped;
    // A surrogate without its pair was met: all was for nothing.
    bool lone;
} texting;

/* As many bytes as are before `limit`, and up to a vector more. */
static inline void copy_padded(uint8_t *out, const uint8_t *at, size_t length) {
    vector_store(out, vector_load(at));
    for (size_t i = 16; i < length; i += 16)
        vector_store(out + i, vector_load(at + i));
}

// For each set of eight bytes, their places.
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
// As long as a vector, which is how they are read.
static const uint8_t byte_places[256][16] = {BYTES_7(0)};

/* ---- As long as all is ASCII ---- */

/* An escape that is not of the common ones. False if it stands for more than ASCII: then nothing has moved.
 */
static bool ascii_escape(texting *t, const uint8_t *end) {
    uint8_t piece[4];
    size_t used;
    bool lone = false;
    size_t length = literal_undo_one(t->at, end, &used, piece, &lone);
    if (length > 1 || (length == 1 && piece[0] >= 0x80))
        return false;
    if (length == 1)
        *t->out++ = piece[0];
    t->at += used;
    return true;
}

/* Copy up to `stop` undoing the escapes that begin there (`starts`, a bit for each byte from `t->at` on).
 * Ends behind `stop` where the last escape reaches past it. False where an escape is not ASCII. */
static inline bool ascii_block(texting *t, const uint8_t *stop, const uint8_t *end, uint64_t starts) {
    const uint8_t *start = t->at, *at = start;
    uint8_t *out = t->out;
    for (; starts != 0; starts &= starts - 1) {
        const uint8_t *escape = start + first_bit(starts);
        size_t run = (size_t)(escape - at);
        copy_padded(out, at, run);
        out += run;
        uint8_t simple = literal_simple_escape[escape[1]];
        *out = simple;
        at = escape + 2;
        out++;
        if (simple != 0)
            continue;
        t->at = escape;
        t->out = out - 1;
        if (!ascii_escape(t, end))
            return false;
        at = t->at;
        out = t->out;
    }
    if (at < stop) {
        copy_padded(out, at, (size_t)(stop - at));
        out += stop - at;
        at = stop;
    }
    t->at = at;
    t->out = out;
    return true;
}

/* Bytes [0, `used`) of a block, without those in `dropped`. */
WITH_SHUFFLE static inline uint8_t *put_undropped(uint8_t *out, const uint8_t *at, unsigned used,
                                                  uint64_t dropped) {
    uint64_t kept = ~dropped & (~(uint64_t)0 >> (BLOCK_BYTES - used));
    for (unsigned i = 0; i < used; i += 8) {
        unsigned group = (unsigned)(kept >> i) & 0xFF;
        vector_store(out, vector_shuffle(vector_load(at + i), vector_load(byte_places[group])));
        out += __builtin_popcount(group);
    }
    return out;
}

/* Fast path for a block whose escapes are all of two bytes that stand for one: only the backslashes go, and
 * the few letters among what they stood before are replaced. False when there are others: then nothing has
 * moved. */
WITH_SHUFFLE static bool ascii_simple_block(texting *t, const literal_block *block, unsigned used,
                                            uint64_t starts, uint64_t backslashes) {
    // An escape that reaches out of the block is the next one's.
    unsigned cut = (unsigned)(starts >> (used - 1)) & 1;
    used -= cut;
    if (used == 0)
        return false;
    uint64_t within = ~(uint64_t)0 >> (BLOCK_BYTES - used);
    starts &= within;
    uint64_t same = backslashes | block_equal(block, '"') | block_equal(block, '/');
    uint8_t *end = put_undropped(t->out, t->at, used, starts);
    for (uint64_t letters = starts << 1 & ~same; letters != 0; letters &= letters - 1) {
        uint64_t letter = letters & (0 - letters);
        uint8_t simple = literal_simple_escape[t->at[first_bit(letters)]];
        if (simple == 0)
            return false;
        unsigned before = (unsigned)__builtin_popcountll(~starts & (letter - 1));
        t->out[before] = simple;
    }
    t->at += used;
    t->out = end;
    return true;
}

/* Undo and copy as long as it is ASCII, up to `limit`, or a few bytes behind it. False where it is not. */
static bool ascii_part(texting *t, const uint8_t *limit) {
    bool shuffles = vector_can_shuffle();
    while (t->at < limit) {
        size_t left = (size_t)(limit - t->at);
        unsigned used = left < BLOCK_BYTES ? (unsigned)left : BLOCK_BYTES;
        uint64_t within = ~(uint64_t)0 >> (BLOCK_BYTES - used);
        literal_block block = block_load(t->at, t->at + BLOCK_BYTES);
        vector all = vector_or(vector_or(block.vectors[0], block.vectors[1]),
                               vector_or(block.vectors[2], block.vectors[3]));
        if (vector_marks(all) != 0 && (block_high(&block) & within) != 0)
            return false;
        uint64_t backslashes = t->escaped ? block_equal(&block, '\\') : 0;
        uint64_t starts = escape_starts(backslashes) & within;
        if (shuffles && starts != 0 && ascii_simple_block(t, &block, used, starts, backslashes))
            continue;
        if (!ascii_block(t, t->at + used, t->end, starts))
            return false;
    }
    return true;
}

/* ---- From the first other character on ---- */

/* The bytes before `*out` are ASCII: make units of them. Backward, since both begin at the same place. */
static void widen(uint8_t *first, uint8_t **out) {
    size_t count = (size_t)(*out - first);
    *out = first + 2 * count;
    while (count >= 16) {
        count -= 16;
        vector_store_units(first + 2 * count, vector_load(first + count));
    }
    while (count > 0) {
        count--;
        put_unit(first + 2 * count, first[count]);
    }
}

/* The escape at `t->at`: common or not, as units. */
static inline void unit_escape(texting *t) {
    const uint8_t *at = t->at;
    if (at[1] == 'u') {
        unsigned code = read_hex4(at + 2);
        if (!is_surrogate(code)) {
            t->out = put_unit(t->out, code);
            t->at += 6;
            return;
        }
    }
    uint8_t simple = literal_simple_escape[at[1]];
    if (simple != 0) {
        t->out = put_unit(t->out, simple);
        t->at += 2;
        return;
    }
    uint8_t piece[4];
    size_t used;
    size_t length = literal_undo_one(at, t->end, &used, piece, &t->lone);
    if (length > 0)
        t->out = put_code(t->out, piece[0] < 0x80 ? piece[0] : read_code(piece, &(size_t){0}));
    t->at += used;
}

// For each set of words of a vector, the places of its bytes, one behind the other.
#define PLACES_0(...)                                                                                        \
    {__VA_ARGS__}, {                                                                                         \
        0, 1, __VA_ARGS__                                                                                    \
    }
#define PLACES_1(...) PLACES_0(__VA_ARGS__), PLACES_0(2, 3, __VA_ARGS__)
#define PLACES_2(...) PLACES_1(__VA_ARGS__), PLACES_1(4, 5, __VA_ARGS__)
#define PLACES_3(...) PLACES_2(__VA_ARGS__), PLACES_2(6, 7, __VA_ARGS__)
#define PLACES_4(...) PLACES_3(__VA_ARGS__), PLACES_3(8, 9, __VA_ARGS__)
#define PLACES_5(...) PLACES_4(__VA_ARGS__), PLACES_4(10, 11, __VA_ARGS__)
#define PLACES_6(...) PLACES_5(__VA_ARGS__), PLACES_5(12, 13, __VA_ARGS__)
#define PLACES_7(...) PLACES_6(__VA_ARGS__), PLACES_6(14, 15, __VA_ARGS__)
// A place more than there are, for the end of the longest row.
static const uint8_t word_places[256][17] = {PLACES_7(0)};

/* Write those of eight words that `kept` has a bit for. */
WITH_SHUFFLE static inline uint8_t *put_kept(uint8_t *out, vector words, unsigned kept) {
    vector_store(out, vector_shuffle(words, vector_load(word_places[kept])));
    return out + 2 * __builtin_popcount(kept);
}

/* Of sixteen words, their low and high bytes given, those that `kept` has a bit for. */
WITH_SHUFFLE static inline uint8_t *vector_put_words(uint8_t *out, vector low, vector high, uint32_t kept) {
    out = put_kept(out, vector_zip_first(low, high), kept & 0xFF);
    return put_kept(out, vector_zip_last(low, high), kept >> 8 & 0xFF);
}

#define LANES(name) vector_##name
#define lanes vector
#define LANES_BYTES VECTOR_BYTES
#define LANES_TARGET WITH_SHUFFLE
#include "literal_ends.h"
#undef LANES
#undef lanes
#undef LANES_BYTES
#undef LANES_TARGET

#ifdef VECTOR_WIDE

/* The same of thirty-two words. */
WITH_WIDE static inline uint8_t *wide_put_words(uint8_t *out, wide low, wide high, uint32_t kept) {
    out = vector_put_words(out, wide_lower_half(low), wide_lower_half(high), kept & 0xFFFF);
    return vector_put_words(out, wide_upper_half(low), wide_upper_half(high), kept >> 16);
}

WITH_WIDE static inline void wide_store_units(uint8_t *out, wide v) {
    vector_store_units(out, wide_lower_half(v));
    vector_store_units(out + 32, wide_upper_half(v));
}

#define LANES(name) wide_##name
#define lanes wide
#define LANES_BYTES VECTOR_WIDE
#define LANES_TARGET WITH_WIDE
#include "literal_ends.h"
#undef LANES
#undef lanes
#undef LANES_BYTES
#undef LANES_TARGET

#endif

/* ASCII up to an escape or another character, at most a vector's worth: there is at least a byte of it. */
static inline void unit_ascii(texting *t, const uint8_t *limit) {
    vector now = vector_load(t->at);
    uint64_t marks = vector_marks(vector_or(now, vector_equal(now, vector_of('\\'))));
    size_t run = marks != 0 ? vector_first(marks) : VECTOR_BYTES;
    size_t left = (size_t)(limit - t->at);
    vector_store_units(t->out, now);
    run = run < left ? run : left;
    t->at += run;
    t->out += 2 * run;
}

/* Undo all up to `limit`, or a few bytes behind it, to units, a character at a time. */
static void unit_steps(texting *t, const uint8_t *limit) {
    while (t->at < limit) {
        uint8_t lead = *t->at;
        if (lead == '\\' && t->escaped) {
            do
                unit_escape(t);
            while (t->at < t->end && *t->at == '\\');
        } else if (lead < 0x80 && t->escaped) {
            unit_ascii(t, limit);
        } else if (lead < 0x80) {
            t->out = put_unit(t->out, lead);
            t->at++;
        } else {
            size_t size;
            unsigned code = read_code(t->at, &size);
            t->lone |= is_surrogate(code);
            t->out = put_code(t->out, code);
            t->at += size;
        }
    }
}

/* ASCII before an escape. */
static inline uint8_t *put_run(uint8_t *out, const uint8_t *at, size_t run) {
    vector_store_units(out, vector_load(at));
    for (size_t i = 16; i < run; i += 16)
        vector_store_units(out + 2 * i, vector_load(at + i));
    return out + 2 * run;
}

/* Fast path for a block of ASCII with escapes, all of which are found at once. False, and nothing has moved,
 * when it is something else. */
static bool unit_escapes(texting *t) {
    const uint8_t *start = t->at, *at = start;
    literal_block block = block_load(start, start + BLOCK_BYTES);
    vector all = vector_or(vector_or(block.vectors[0], block.vectors[1]),
                           vector_or(block.vectors[2], block.vectors[3]));
    uint64_t starts = escape_starts(block_equal(&block, '\\'));
    if (vector_marks(all) != 0 || starts == 0)
        return false;
    uint8_t *out = t->out;
    for (; starts != 0; starts &= starts - 1) {
        const uint8_t *escape = start + first_bit(starts);
        if (escape < at)
            continue; // the second half of a surrogate pair
        out = put_run(out, at, (size_t)(escape - at));
        unsigned code = escape[1] == 'u' ? read_hex4(escape + 2) : 0xD800;
        if (!is_surrogate(code)) {
            out = put_unit(out, code);
            at = escape + 6;
            continue;
        }
        t->at = escape;
        t->out = out;
        unit_escape(t);
        at = t->at;
        out = t->out;
    }
    const uint8_t *stop = start + BLOCK_BYTES;
    if (at < stop) {
        out = put_run(out, at, (size_t)(stop - at));
        at = stop;
    }
    t->at = at;
    t->out = out;
    return true;
}

/* The units of two `\uXXXX` in a row, the first one's lower; `v` begins with them. */
WITH_SHUFFLE static inline uint32_t read_two_units(vector v) {
    // Of each unit the digits that are the upper halves of its bytes, lower byte first; and the lower halves.
    static const uint8_t upper[16] = {4, 2, 10, 8}, lower[16] = {5, 3, 11, 9};
    vector letter = vector_at_least(v, vector_of('A'));
    vector digits = vector_add(vector_and(v, vector_of(0x0F)), vector_and(letter, vector_of(9)));
    vector high = vector_shuffle(digits, vector_load(upper));
    return vector_low32(vector_or(vector_shift_left(high, 4), vector_shuffle(digits, vector_load(lower))));
}

/* Fast path for text of which much is `\uXXXX`: two of them a turn, and what little stands between. Ends
 * where there is no such, or another character. */
WITH_SHUFFLE static void unit_pairs(texting *t, const uint8_t *limit) {
    static const uint8_t shape[16] = "\\u\0\0\0\0\\u";
    vector wanted = vector_load(shape);
    // How many turns without two of them are allowed: where they are few, others are quicker.
    int patience = 1;
    while (patience >= 0 && limit - t->at >= 16 && *t->at < 0x80) {
        vector now = vector_load(t->at);
        unsigned marks = vector_mask(vector_equal(now, wanted));
        if ((marks & 3) != 3) {
            if (*t->at == '\\')
                unit_escape(t);
            else
                unit_ascii(t, limit);
            patience--;
            continue;
        }
        uint32_t units = (marks & 0xC0) == 0xC0 ? read_two_units(now) : 0xD8000000;
        unsigned first = units & 0xFFFF, second = units >> 16;
        bool is_pair = (first & 0xFC00) == 0xD800 && (second & 0xFC00) == 0xDC00;
        if (is_pair || (!is_surrogate(first) && !is_surrogate(second))) {
            t->out = put_unit(put_unit(t->out, first), second);
            t->at += 12;
            patience = 8;
        } else {
            unit_escape(t);
            patience--;
        }
    }
}

/* The same by whichever way is quicker. `first`: the first byte that may be read. */
static void unit_part(texting *t, const uint8_t *first, const uint8_t *limit) {
    bool blocks = vector_can_shuffle();
#ifdef VECTOR_WIDE
    bool wide_blocks = wide_can();
#endif
    while (t->at < limit) {
        if (blocks && t->escaped && t->at[0] == '\\' && t->at[1] == 'u')
            unit_pairs(t, limit);
        if (t->escaped && limit - t->at >= BLOCK_BYTES && unit_escapes(t))
            continue;
#ifdef VECTOR_WIDE
        if (wide_blocks && t->at - first >= 3)
            wide_unit_blocks(t, limit);
#endif
        // What the wider one has left, too.
        if (blocks && t->at - first >= 3)
            vector_unit_blocks(t, limit);
        unit_steps(t, limit - t->at < 16 ? limit : t->at + 16);
    }
}

literal_form literal_text(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                          size_t *out_length) {
#ifdef VECTOR_HUGE
    if (huge_can())
        return literal_text_huge(token, length, escaped, out, out_length);
#endif
    texting t = {.at = token, .end = token + length, .out = out, .escaped = escaped};
    // All but the last bytes are read where they are; those are read from a copy, behind which there is room.
    uint8_t tail[2 * PADDING + 16];
    bool ascii = true;
    if (length > PADDING) {
        const uint8_t *limit = t.end - PADDING;
        ascii = ascii_part(&t, limit);
        if (!ascii) {
            widen(out, &t.out);
            unit_part(&t, token, limit);
        }
    }
    size_t left = (size_t)(t.end - t.at);
    if (left > 0)
        memcpy(tail + 3, t.at, left);
    memset(tail + 3 + left, 0, sizeof tail - 3 - left);
    tail[0] = tail[1] = tail[2] = 0;
    t.at = tail + 3;
    t.end = t.at + left;
    if (ascii) {
        ascii = ascii_part(&t, t.end);
        if (!ascii)
            widen(out, &t.out);
    }
    if (!ascii)
        unit_part(&t, tail, t.end);
    *out_length = (size_t)(t.out - out);
    return t.lone ? LITERAL_OTHER : ascii ? LITERAL_ASCII : LITERAL_UTF16;
}

#else

literal_form literal_text(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                          size_t *out_length) {
    return literal_text_plain(token, length, escaped, out, out_length);
}

#endif
