/* Undoing the escapes of a literal's string. */
#include "wire/literal.h"

#include <string.h> // memcmp, strlen

#include "wire/literal_escape.h"
#include "wire/simd/vector.h"

const uint8_t literal_simple[256] = {
    ['"'] = '"',  ['\''] = '\'', ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r',  ['t'] = '\t', ['v'] = '\v',
};

// Where undoing is.
typedef struct undoing {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *out;
    bool lone_surrogate;
} undoing;

/* `\uHHHH`, or two of them that make a surrogate pair. */
static void undo_unicode(undoing *u) {
    unsigned code = literal_hex4(u->at + 2);
    u->at += 6;
    if (code >= 0xD800 && code <= 0xDFFF) {
        unsigned second = 0;
        if (code < 0xDC00 && u->end - u->at >= 6 && u->at[0] == '\\' && u->at[1] == 'u')
            second = literal_hex4(u->at + 2);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
            u->at += 6;
        } else {
            u->lone_surrogate = true;
        }
    }
    u->out += literal_put_character(u->out, code);
}

/* A backslash before U+2028 or U+2029 drops both; before any other character past ASCII, only itself. */
static void undo_wide(undoing *u) {
    bool line_end = u->end - u->at >= 4 && u->at[1] == 0xE2 && u->at[2] == 0x80 && (u->at[3] & 0xFE) == 0xA8;
    u->at += line_end ? 4 : 1;
}

/* Undo the escape at `u->at`. */
static inline void undo_escape(undoing *u) {
    uint8_t kind = u->at[1];
    if (literal_simple[kind] != 0) {
        *u->out++ = literal_simple[kind];
        u->at += 2;
    } else if (kind == 'u') {
        undo_unicode(u);
    } else if (kind == 'x') {
        u->out +=
            literal_put_character(u->out, (literal_hex[u->at[2]] & 15u) << 4 | (literal_hex[u->at[3]] & 15u));
        u->at += 4;
    } else if (kind == '\n' || kind == '\r') {
        bool both = kind == '\r' && u->end - u->at >= 3 && u->at[2] == '\n';
        u->at += both ? 3 : 2;
    } else if (kind >= 0x80) {
        undo_wide(u);
    } else {
        *u->out++ = kind == '0' ? 0 : kind;
        u->at += 2;
    }
}

size_t literal_undo_one(const uint8_t *escape, const uint8_t *end, size_t *used, uint8_t out[4],
                        bool *lone_surrogate) {
    undoing u = {.at = escape, .end = end, .out = out};
    undo_escape(&u);
    *used = (size_t)(u.at - escape);
    *lone_surrogate |= u.lone_surrogate;
    return (size_t)(u.out - out);
}

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
