/* Undoing the escapes of a literal's string. */
#include "wire/literal_unescape.h"

#include <string.h> // memcmp, strlen

#include "wire/literal_escape.h"
#include "wire/simd/vector.h"

size_t literal_unescape_plain(const uint8_t *escaped, size_t length, uint8_t *out, bool *lone_surrogate) {
    const uint8_t *at = escaped, *end = length > 0 ? escaped + length : escaped;
    uint8_t *to = out;
    *lone_surrogate = false;
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        size_t used;
        to += literal_undo_one(at, end, &used, to, lone_surrogate);
        at += used;
    }
    return length > 0 ? (size_t)(to - out) : 0;
}

#ifdef VECTOR_BYTES

/* Copy `length` bytes. The output never overtakes the input, so that in place nothing is written that has yet
 * to be read; `apart` from it, and with `room` bytes of input from `at` on, more may be written than that. */
static inline void copy_run(uint8_t *out, const uint8_t *at, size_t length, size_t room, bool apart) {
    if (apart && length + 16 <= room) {
        for (size_t i = 0; i < length; i += 16)
            vector_store(out + i, vector_load(at + i));
    } else {
        for (size_t i = 0; i < length; i++)
            out[i] = at[i];
    }
}

// As many bytes as a word has bits.
#define BLOCK_BYTES 64

/* Which of the 64 bytes at `at` are backslashes. */
static inline uint64_t find_backslashes(const uint8_t *at) {
    vector same = vector_of('\\');
    return vector_bits_of_four(vector_equal(vector_load(at), same), vector_equal(vector_load(at + 16), same),
                               vector_equal(vector_load(at + 32), same),
                               vector_equal(vector_load(at + 48), same));
}

/* Fast path for strings of at least a block: finds the escapes of 64 bytes at once, so that one need not be
 * undone before the next is known. Returns the result's end. */
static uint8_t *undo_by_blocks(const uint8_t *at, const uint8_t *end, uint8_t *out, bool apart,
                               bool *lone_surrogate) {
    while (at < end) {
        // The last bytes of a text are asked about together with those before them.
        unsigned before = end - at < BLOCK_BYTES ? (unsigned)(BLOCK_BYTES - (end - at)) : 0;
        uint64_t backslashes = find_backslashes(at - before) >> before;
        size_t length = BLOCK_BYTES - before;
        const uint8_t *start = at;
        for (uint64_t starts = escape_starts(backslashes); starts != 0; starts &= starts - 1) {
            const uint8_t *escape = start + __builtin_ctzll(starts);
            if (escape < at)
                continue;                       // the second half of a surrogate pair
            size_t run = (size_t)(escape - at); // bytes
            copy_run(out, at, run, (size_t)(end - at), apart);
            out += run;
            at = escape + 2;
            uint8_t simple = literal_simple[escape[1]];
            if (simple != 0) {
                *out++ = simple;
                continue;
            }
            if (escape[1] == 'u') {
                unsigned code = literal_hex4(escape + 2);
                if (code < 0xD800 || code > 0xDFFF) {
                    out += literal_put_character(out, code);
                    at = escape + 6;
                    continue;
                }
            }
            size_t used;
            out += literal_undo_one(escape, end, &used, out, lone_surrogate);
            at = escape + used;
        }
        if (at < start + length) {
            size_t run = (size_t)(start + length - at);
            copy_run(out, at, run, (size_t)(end - at), apart);
            out += run;
            at += run;
        }
    }
    return out;
}

#endif

size_t literal_unescape(const uint8_t *escaped, size_t length, uint8_t *out, bool *lone_surrogate) {
#ifdef VECTOR_BYTES
    if (length >= BLOCK_BYTES) {
        *lone_surrogate = false;
        return (size_t)(undo_by_blocks(escaped, escaped + length, out, out != escaped, lone_surrogate) - out);
    }
#endif
    return literal_unescape_plain(escaped, length, out, lone_surrogate);
}

bool literal_is(const uint8_t *token, size_t length, bool escaped, const char *word) {
    size_t wanted = strlen(word); // bytes
    if (!escaped)
        return length == wanted && memcmp(token, word, wanted) == 0;
    // An escape or a byte at a time: a string may be long that is short when its escapes are undone.
    const uint8_t *at = token, *end = token + length;
    while (at < end) {
        uint8_t piece[4] = {*at};
        size_t used = 1, made = 1;
        if (*at == '\\')
            made = literal_undo_one(at, end, &used, piece, &(bool){false});
        if (made > wanted || memcmp(piece, word, made) != 0)
            return false;
        at += used;
        word += made;
        wanted -= made;
    }
    return wanted == 0;
}
