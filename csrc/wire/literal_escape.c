/* One escape of a literal's string, and what the letters in it stand for. */
#include "wire/literal_escape.h"

#define HEX LITERAL_HEX

const uint8_t literal_hex[256] = {
    ['0'] = HEX | 0,  ['1'] = HEX | 1,  ['2'] = HEX | 2,  ['3'] = HEX | 3,  ['4'] = HEX | 4,
    ['5'] = HEX | 5,  ['6'] = HEX | 6,  ['7'] = HEX | 7,  ['8'] = HEX | 8,  ['9'] = HEX | 9,
    ['a'] = HEX | 10, ['b'] = HEX | 11, ['c'] = HEX | 12, ['d'] = HEX | 13, ['e'] = HEX | 14,
    ['f'] = HEX | 15, ['A'] = HEX | 10, ['B'] = HEX | 11, ['C'] = HEX | 12, ['D'] = HEX | 13,
    ['E'] = HEX | 14, ['F'] = HEX | 15,
};

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
