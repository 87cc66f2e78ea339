/* What stands inside a literal's string: finding its end, checking its escapes, undoing them. */
#include "literal.h"

#include <string.h> // memcpy, strlen

#include "vector.h"

// A hexadecimal digit's value with this bit set; 0 for any other byte.
#define HEX 0x10

static const uint8_t hex[256] = {
    ['0'] = HEX | 0,  ['1'] = HEX | 1,  ['2'] = HEX | 2,  ['3'] = HEX | 3,  ['4'] = HEX | 4,
    ['5'] = HEX | 5,  ['6'] = HEX | 6,  ['7'] = HEX | 7,  ['8'] = HEX | 8,  ['9'] = HEX | 9,
    ['a'] = HEX | 10, ['b'] = HEX | 11, ['c'] = HEX | 12, ['d'] = HEX | 13, ['e'] = HEX | 14,
    ['f'] = HEX | 15, ['A'] = HEX | 10, ['B'] = HEX | 11, ['C'] = HEX | 12, ['D'] = HEX | 13,
    ['E'] = HEX | 14, ['F'] = HEX | 15,
};

// For the byte behind a backslash: the one byte that the two stand for. 0: anything else, undo_escape knows.
static const uint8_t simple_escape[256] = {
    ['"'] = '"',  ['\''] = '\'', ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r',  ['t'] = '\t', ['v'] = '\v',
};

const uint8_t *literal_scan_string_plain(const uint8_t *at, const uint8_t *end, uint8_t quote) {
    while (at < end && *at != quote && *at != '\\')
        at++;
    return at;
}

const uint8_t *literal_scan_string(const uint8_t *at, const uint8_t *end, uint8_t quote) {
#ifdef VECTOR_BYTES
    vector quotes = vector_of(quote);
    vector backslashes = vector_of('\\');
    while (end - at >= 32) {
        vector low = vector_load(at);
        vector high = vector_load(at + 16);
        low = vector_or(vector_equal(low, quotes), vector_equal(low, backslashes));
        high = vector_or(vector_equal(high, quotes), vector_equal(high, backslashes));
        if (vector_marks(vector_or(low, high)) != 0) {
            uint64_t marks = vector_marks(low);
            return marks != 0 ? at + vector_first(marks) : at + 16 + vector_first(vector_marks(high));
        }
        at += 32;
    }
    if (end - at >= 16) {
        vector now = vector_load(at);
        uint64_t marks = vector_marks(vector_or(vector_equal(now, quotes), vector_equal(now, backslashes)));
        if (marks != 0)
            return at + vector_first(marks);
        at += 16;
    }
#endif
    return literal_scan_string_plain(at, end, quote);
}

/* The length in bytes of the escape whose backslash is at `at`: 2, 4 or 6, or 0 if it is malformed or passes
 * `end`. An escape that stands for more (a pair of \u, CR LF) is counted by its first part: the second is
 * well-formed by itself, or no escape. */
static inline size_t measure_escape(const uint8_t *at, const uint8_t *end) {
    size_t left = (size_t)(end - at);
    if (left < 2)
        return 0;
    if (at[1] == 'u')
        return left >= 6 && (hex[at[2]] & hex[at[3]] & hex[at[4]] & hex[at[5]] & HEX) != 0 ? 6 : 0;
    if (at[1] == 'x')
        return left >= 4 && (hex[at[2]] & hex[at[3]] & HEX) != 0 ? 4 : 0;
    return 2;
}

const uint8_t *literal_string_end(const uint8_t *at, const uint8_t *end, uint8_t quote, bool *escaped,
                                  const uint8_t **bad) {
    for (;;) {
        at = literal_scan_string(at, end, quote);
        if (at < end && *at == quote)
            return at;
        *bad = at;
        if (at == end)
            return NULL;
        *escaped = true;
        do {
            size_t length = measure_escape(at, end);
            *bad = at;
            if (length == 0)
                return NULL;
            at += length;
        } while (at < end && *at == '\\');
    }
}

/* A character past ASCII as UTF-8; surrogates too, as three bytes. Returns its length in bytes. */
static size_t put_character(uint8_t *out, unsigned code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

static inline unsigned read_hex4(const uint8_t *at) {
    return (hex[at[0]] & 15u) << 12 | (hex[at[1]] & 15u) << 8 | (hex[at[2]] & 15u) << 4 | (hex[at[3]] & 15u);
}

// Where undoing is.
typedef struct undoing {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t *out;
    bool lone_surrogate;
} undoing;

/* `\uHHHH`, or two of them that make a surrogate pair. */
static void undo_unicode(undoing *u) {
    unsigned code = read_hex4(u->at + 2);
    u->at += 6;
    if (code >= 0xD800 && code <= 0xDFFF) {
        unsigned second = 0;
        if (code < 0xDC00 && u->end - u->at >= 6 && u->at[0] == '\\' && u->at[1] == 'u')
            second = read_hex4(u->at + 2);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
            u->at += 6;
        } else {
            u->lone_surrogate = true;
        }
    }
    u->out += put_character(u->out, code);
}

/* A backslash before U+2028 or U+2029 drops both; before any other character past ASCII, only itself. */
static void undo_wide(undoing *u) {
    bool line_end = u->end - u->at >= 4 && u->at[1] == 0xE2 && u->at[2] == 0x80 && (u->at[3] & 0xFE) == 0xA8;
    u->at += line_end ? 4 : 1;
}

/* Undo the escape at `u->at`. */
static inline void undo_escape(undoing *u) {
    uint8_t kind = u->at[1];
    if (simple_escape[kind] != 0) {
        *u->out++ = simple_escape[kind];
        u->at += 2;
    } else if (kind == 'u') {
        undo_unicode(u);
    } else if (kind == 'x') {
        u->out += put_character(u->out, (hex[u->at[2]] & 15u) << 4 | (hex[u->at[3]] & 15u));
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

/* Copy up to the next backslash or the end. The output never overtakes the input, so that an output in place
 * does not write what has yet to be read. */
static inline void copy_run(undoing *u) {
#ifdef VECTOR_BYTES
    while (u->end - u->at >= 16) {
        vector now = vector_load(u->at);
        uint64_t marks = vector_marks(vector_equal(now, vector_of('\\')));
        if (marks != 0) {
            for (size_t count = vector_first(marks); count > 0; count--)
                *u->out++ = *u->at++;
            return;
        }
        vector_store(u->out, now);
        u->at += 16;
        u->out += 16;
    }
#endif
    while (u->at < u->end && *u->at != '\\')
        *u->out++ = *u->at++;
}

size_t literal_unescape(const uint8_t *escaped, size_t length, uint8_t *out, bool *lone_surrogate) {
    undoing u = {.at = escaped, .end = length > 0 ? escaped + length : escaped, .out = out};
    while (u.at < u.end) {
        if (*u.at == '\\')
            undo_escape(&u);
        else
            copy_run(&u);
    }
    *lone_surrogate = u.lone_surrogate;
    return length > 0 ? (size_t)(u.out - out) : 0;
}

bool literal_is(const literal_reader *reader, const char *word) {
    size_t wanted = strlen(word); // bytes
    const uint8_t *at = reader->token;
    if (!reader->token_escaped)
        return reader->token_length == wanted && memcmp(at, word, wanted) == 0;
    // An escape or a byte at a time: a string may be long that is short when its escapes are undone.
    undoing u = {.at = at, .end = at + reader->token_length};
    while (u.at < u.end) {
        uint8_t piece[4];
        u.out = piece;
        if (*u.at == '\\')
            undo_escape(&u);
        else
            *u.out++ = *u.at++;
        size_t length = (size_t)(u.out - piece);
        if (length > wanted || memcmp(piece, word, length) != 0)
            return false;
        word += length;
        wanted -= length;
    }
    return wanted == 0;
}
