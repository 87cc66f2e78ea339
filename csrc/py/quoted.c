/* Strings from behind their opening quotation mark on. */
#include "py/quoted.h"

#include <stdbool.h>
#include <string.h> // memcpy()

#include "py/making.h"
#include "py/strings.h"
#include "wire/literal_escape.h"
#include "wire/literal_head.h"
#include "wire/literal_string.h"
#include "wire/simd/processor.h"
#include "wire/simd/vector.h"
#include "wire/threes.h"

// A string is read as bytes up to here; longer ones are worth the preparations of reading by blocks,
#define NARROW_LONGEST 256
// and so are those with more escapes and characters past ASCII than these,
#define NARROW_SPECIALS 12
// or, with AVX-512, with so many of their bytes in the next 32,
#define DENSE_SPECIALS 4
// and those past U+00FF with more runs of characters of one length than these,
#define WIDE_STEPS 32
// or with more bytes than these from the first such character on: an escape, or one of two to four bytes.
#define SOON_ESCAPED 168
#define SOON_OF_TWO 80
#define SOON_OF_THREE 200
#define SOON_OF_FOUR 112
// Characters of three bytes are read before that is asked, as far as a run of them goes, so many at once; and
// where they were so many, the rest may have more bytes, since most of it is such characters, too.
#define THREES_LONGEST 64
#define SOON_OF_THREES (3 * (NARROW_LONGEST - THREES_LONGEST))
// Escapes are read so many at once.
#define ESCAPES_LONGEST 32

/* Where the first byte is that is `"`, a backslash or past ASCII; `end`, or padding: nowhere. */
static inline const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end, const uint8_t *padded_end) {
    while (padded_end - at >= LITERAL_HEAD) {
        unsigned length = literal_head_end(at);
        if (length < LITERAL_HEAD)
            return at + length;
        // Not by `length`, for which the next head would have to wait.
        at += LITERAL_HEAD;
    }
    while (at < end && *at != '"' && *at != '\\' && *at < 0x80)
        at++;
    return at;
}

static PyObject *read_long(const uint8_t **cursor, const uint8_t *end) {
    const uint8_t *text = *cursor + 1, *bad;
    bool escaped = false;
    const uint8_t *close = literal_string_end(text, end, **cursor, &escaped, &bad);
    if (close == NULL)
        return NULL;
    *cursor = close + 1;
    return str_from_token(text, (size_t)(close - text), escaped);
}

#if __SIZEOF_WCHAR_T__ == 4

// An escape by four digits, and a pair of them, in bytes.
#define ESCAPE_U 6
#define ESCAPE_PAIR (2 * ESCAPE_U)

/* The number of four hexadecimal digits; -1 where one of the four bytes is none. */
static inline int32_t read_hex4(const uint8_t *at) {
    int32_t a = literal_hex[at[0]], b = literal_hex[at[1]], c = literal_hex[at[2]], d = literal_hex[at[3]];
    if ((a & b & c & d & LITERAL_HEX) == 0)
        return -1;
    return (a << 12) + (b << 8) + (c << 4) + d - 0x1111 * LITERAL_HEX;
}

/* The character of the escape at `*at`, which then is behind it. -1: none that JSON has, or a lone surrogate,
 * or too near the end. */
static inline int32_t read_escape(const uint8_t **at, const uint8_t *end) {
    const uint8_t *escape = *at;
    if (escape[1] != 'u') {
        *at = escape + 2;
        return literal_simple[escape[1]] != 0 ? literal_simple[escape[1]] : -1;
    }
    int32_t code = end - escape >= ESCAPE_U ? read_hex4(escape + 2) : -1;
    *at = escape + ESCAPE_U;
    if ((code & 0xF800) != 0xD800 || code < 0)
        return code;
    if (code >= 0xDC00 || end - escape < ESCAPE_PAIR || escape[6] != '\\' || escape[7] != 'u')
        return -1;
    int32_t second = read_hex4(escape + 8);
    *at = escape + ESCAPE_PAIR;
    return second >= 0 && (second & 0xFC00) == 0xDC00 ? 0x10000 + ((code & 0x3FF) << 10) + (second & 0x3FF)
                                                      : -1;
}

/* The character past ASCII at `*at`, which then is behind it. */
static inline int32_t read_character(const uint8_t **at) {
    const uint8_t *byte = *at;
    if (byte[0] < 0xE0) {
        *at = byte + 2;
        return (byte[0] & 0x1F) << 6 | (byte[1] & 0x3F);
    }
    if (byte[0] < 0xF0) {
        *at = byte + 3;
        return (byte[0] & 0x0F) << 12 | (byte[1] & 0x3F) << 6 | (byte[2] & 0x3F);
    }
    *at = byte + 4;
    return (byte[0] & 0x07) << 18 | (byte[1] & 0x3F) << 12 | (byte[2] & 0x3F) << 6 | (byte[3] & 0x3F);
}

// What has been read of a short string.
typedef struct short_text {
    size_t length;
    uint8_t bytes[NARROW_LONGEST + LITERAL_HEAD];
    const uint8_t *at; // what has not
} short_text;

static inline bool is_plain(uint8_t byte) {
    return byte != '"' && byte != '\\' && byte < 0x80;
}

/* Take what is plain at `*at`; false where the string gets too long, or the text ends. */
static inline bool take_plain(short_text *text, const uint8_t **at, const uint8_t *end) {
    while (end - *at >= LITERAL_HEAD && text->length <= NARROW_LONGEST) {
        unsigned run = literal_head_end(*at);
        memcpy(text->bytes + text->length, *at, LITERAL_HEAD);
        if (run < LITERAL_HEAD) {
            text->length += run;
            *at += run;
            break;
        }
        text->length += LITERAL_HEAD;
        *at += LITERAL_HEAD;
    }
    while (*at < end && is_plain(**at) && text->length <= NARROW_LONGEST)
        text->bytes[text->length++] = *(*at)++;
    return *at < end && text->length <= NARROW_LONGEST;
}

/* Take what `*at` has, which is not plain and no quotation mark, if it is below U+0100; else the character
 * that it is, or -1 as below. */
static inline int32_t take_special(short_text *text, const uint8_t **at, const uint8_t *end) {
    int32_t code = **at == '\\' ? read_escape(at, end) : read_character(at);
    if (code < 0 || code >= 0x100)
        return code;
    text->bytes[text->length++] = (uint8_t)code;
    return 0;
}

/* Read on from `text->at`, as far as heads go that have nothing but characters below U+0100, and no more than
 * NARROW_SPECIALS of them that are not plain. All of these in a head are found at once, so that one need not
 * be read before the next is known. Returns how many they were. */
static unsigned take_heads(short_text *text, const uint8_t *end) {
    unsigned taken = 0;
#ifdef VECTOR_BYTES
    while (end - text->at >= 2 * LITERAL_HEAD && text->length <= NARROW_LONGEST - LITERAL_HEAD) {
        const uint8_t *head = text->at;
        // As many bits as an escape's end may be away, all of which are 0 behind the head.
        uint64_t specials = literal_head_specials(head);
        while (specials != 0) {
            const uint8_t *special = head + __builtin_ctzll(specials);
            memcpy(text->bytes + text->length, text->at, LITERAL_HEAD);
            text->length += (size_t)(special - text->at);
            text->at = special;
            if (*special == '"' || taken == NARROW_SPECIALS || take_special(text, &special, end) != 0)
                return taken;
            text->at = special;
            taken++;
            // What is left; an escape's other bytes, or a character's, are none.
            specials &= ~(uint64_t)0 << (special - head);
        }
        if (text->at < head + LITERAL_HEAD) {
            memcpy(text->bytes + text->length, text->at, LITERAL_HEAD);
            text->length += (size_t)(head + LITERAL_HEAD - text->at);
            text->at = head + LITERAL_HEAD;
        }
    }
#else
    (void)text;
    (void)end;
#endif
    return taken;
}

/* Whether an escape stands for a character past U+00FF. */
static inline bool begins_wide(const uint8_t *at) {
    return at[0] == '\\' && at[1] == 'u' && (at[2] != '0' || at[3] != '0');
}

/* Whether a string has so many escapes and characters past ASCII right here that reading it by blocks takes
 * less: with AVX-512, which drops bytes out of 64 at once. */
static inline bool is_dense(const uint8_t *at, const uint8_t *end) {
#ifdef VECTOR_BYTES
    if (!processor_has(PROCESSOR_AVX512) || end - at < LITERAL_HEAD)
        return false;
    uint32_t quotes, backslashes, others;
    literal_head_kinds(at, &quotes, &backslashes, &others);
    // The string ends at a quotation mark behind no backslash: nearly always, and this need not be right.
    uint32_t ends = quotes & ~(backslashes << 1);
    // Of the two bytes of a character, one is at an even place.
    uint32_t specials = (backslashes | (others & 0x55555555u)) & ((ends & -ends) - 1);
    for (unsigned i = 1; i < DENSE_SPECIALS; i++)
        specials &= specials - 1;
    return specials != 0;
#else
    (void)at;
    (void)end;
    return false;
#endif
}

/* Read on from `text->at` as long as all is below U+0100. Returns 0 where that was all, and the quotation
 * mark is at `text->at`; the character there, if it is not below; or -1: this is not the way to read it. */
static int32_t read_narrow(short_text *text, const uint8_t *end) {
    if (!begins_wide(text->at) && is_dense(text->at, end))
        return -1;
    unsigned specials = take_heads(text, end);
    if (*text->at == '"')
        return 0;
    const uint8_t *at = text->at;
    for (; take_plain(text, &at, end); specials++) {
        text->at = at;
        if (*at == '"')
            return 0;
        int32_t code = specials < NARROW_SPECIALS ? take_special(text, &at, end) : -1;
        if (code != 0)
            return code;
    }
    return -1;
}

#if defined(VECTOR_BYTES) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

// How many bytes a run is looked for in, which must be there; and the most characters it has.
#define RUN_BYTES VECTOR_BYTES

// The first byte of each two.
static const uint8_t firsts_of_two[] = {255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0};

/* How many come before the first one of `size` bytes of which a byte is `wrong`. */
static inline size_t count_right(vector wrong, size_t size) {
    uint64_t marks = vector_marks(wrong);
    return (marks != 0 ? vector_first(marks) : VECTOR_BYTES) / size;
}

/* A run of plain bytes. All that may be in it is written, whether it is or not: to ask for each would take
 * longer, here and below. */
static inline size_t read_plain_run(const uint8_t *at, wchar_t *codes) {
    vector bytes = vector_load(at);
    vector special = vector_or(vector_equal(bytes, vector_of('"')), vector_equal(bytes, vector_of('\\')));
    for (size_t i = 0; i < VECTOR_BYTES; i++)
        codes[i] = at[i];
    return count_right(vector_or(special, bytes), 1);
}

/* A run of characters of two bytes each. */
static inline size_t read_run_of_two(const uint8_t *at, wchar_t *codes) {
    vector bytes = vector_load(at), firsts = vector_load(firsts_of_two);
    vector same = vector_equal(vector_and(bytes, vector_of(0xE0)), vector_of(0xC0));
    vector upper = vector_shift_left(vector_and(vector_and(bytes, firsts), vector_of(0x1F)), 6);
    vector lower = vector_shift_right(vector_and(vector_without(bytes, firsts), vector_of(0x3F)), 8);
    uint16_t units[VECTOR_BYTES / 2];
    vector_store((uint8_t *)units, vector_or(upper, lower));
    for (size_t i = 0; i < VECTOR_BYTES / 2; i++)
        codes[i] = units[i];
    return count_right(vector_without(firsts, same), 2);
}

/* Read a run of characters of one length at `*at`, which then is behind it: most texts have few of them. It
 * returns how many there are; 0 where another way must be taken. */
static inline size_t read_run(const uint8_t **at, const uint8_t *end, wchar_t *codes) {
    size_t count = 0, size = 1;
    if (**at < 0x80) {
        count = read_plain_run(*at, codes);
    } else if (**at < 0xE0) {
        size = 2;
        count = read_run_of_two(*at, codes);
    } else if (**at < 0xF0) {
        size = 3;
        count = threes_read_four(*at, (uint32_t *)codes);
        if (count == 4)
            count += threes_read(*at + 12, end, THREES_LONGEST - 4, (uint32_t *)codes + 4);
    }
    *at += size * count;
    return count;
}

#else

#define RUN_BYTES 16

static inline size_t read_run(const uint8_t **at, const uint8_t *end, wchar_t *codes) {
    (void)at;
    (void)end;
    (void)codes;
    return 0;
}

#endif

/* Read a run of escapes at `*at`, which then is behind it: many servers write all that is past ASCII by them.
 * It returns how many; 0 where there is one that is not read here. */
static inline size_t read_run_of_escapes(const uint8_t **at, const uint8_t *end, wchar_t *codes) {
    size_t count = 0;
    for (; count < ESCAPES_LONGEST && **at == '\\'; count++) {
        const uint8_t *next = *at;
        int32_t code = read_escape(&next, end);
        if (code < 0)
            break;
        codes[count] = code;
        *at = next;
    }
    return count;
}

static inline bool begins_three(uint8_t byte) {
    return (byte & 0xF0) == 0xE0;
}

/* Read the run of characters of three bytes each at `*at`, which then is behind it, or its first ones. It
 * returns how many; 0 where there is one at the most, as a dash among letters is. */
static inline size_t read_first_run(const uint8_t **at, const uint8_t *end, wchar_t *codes) {
    if (!begins_three((*at)[0]) || !begins_three((*at)[3]))
        return 0;
    size_t count = threes_read(*at, end, THREES_LONGEST, (uint32_t *)codes);
    *at += 3 * count;
    return count;
}

/* Whether the string ends so soon behind `at` that reading it by blocks would take longer: as measured, for
 * words past ASCII that are mixed with spaces, and for texts that have none. `run` is what read_first_run()
 * has returned, `first` the byte that it began with. */
static bool ends_soon(size_t run, uint8_t first, const uint8_t *at, const uint8_t *end) {
    size_t soon = run == THREES_LONGEST ? SOON_OF_THREES
                  : first == '\\'       ? SOON_ESCAPED
                  : first < 0xE0        ? SOON_OF_TWO
                  : first < 0xF0        ? SOON_OF_THREE
                                        : SOON_OF_FOUR;
    size_t left = (size_t)(end - at);
    return memchr(at, '"', left < soon ? left : soon) != NULL;
}

/* Read on from `text->at`, where a character past U+00FF is, whatever comes. The string as UTF-32; its
 * length, or 0 as -1 above. */
static size_t read_wide(short_text *text, const uint8_t *end, wchar_t *codes) {
    const uint8_t *at = text->at;
    size_t length = 0;
    for (; length < text->length; length++)
        codes[length] = text->bytes[length];
    // Most of Chinese and Japanese is one run.
    size_t first_run = read_first_run(&at, end, codes + length);
    length += first_run;
    if (*at != '"' && !ends_soon(first_run, *text->at, at, end))
        return 0;
    for (unsigned steps = 0; steps < WIDE_STEPS && length <= NARROW_LONGEST && at < end; steps++) {
        if (*at == '"') {
            text->at = at;
            return length;
        }
        size_t run = *at == '\\'             ? read_run_of_escapes(&at, end, codes + length)
                     : end - at >= RUN_BYTES ? read_run(&at, end, codes + length)
                                             : 0;
        if (run == 0) {
            if (*at == '\\')
                return 0;
            codes[length] = *at < 0x80 ? *at++ : read_character(&at);
            run = 1;
        }
        length += run;
    }
    return 0;
}

/* The same as read_long() for most short strings in double quotes, the first of whose bytes that is not plain
 * is at `special`; NULL without an exception for others. */
static PyObject *read_short(const uint8_t **cursor, const uint8_t *special, const uint8_t *end) {
    short_text text;
    text.at = special;
    text.length = (size_t)(special - *cursor) - 1;
    // Of what is short all of a head is copied, which takes less than to ask how short it is.
    if (text.length <= LITERAL_HEAD && end - *cursor > LITERAL_HEAD)
        memcpy(text.bytes, *cursor + 1, LITERAL_HEAD);
    else if (text.length > 0)
        memcpy(text.bytes, *cursor + 1, text.length);
    // What begins with larger bytes is past U+00FF.
    int32_t wide = *special;
    if (__builtin_expect(*special < 0xC4, 1)) {
        wide = read_narrow(&text, end);
        if (wide == 0) {
            *cursor = text.at + 1;
            return PyUnicode_DecodeLatin1((const char *)text.bytes, (Py_ssize_t)text.length, NULL);
        }
    }
    if (wide < 0)
        return NULL;
    wchar_t codes[NARROW_LONGEST + THREES_LONGEST];
    size_t length = read_wide(&text, end, codes);
    if (length == 0)
        return NULL;
    *cursor = text.at + 1;
    return make_wide(codes, length);
}

#else

static PyObject *read_short(const uint8_t **cursor, const uint8_t *special, const uint8_t *end) {
    (void)cursor;
    (void)special;
    (void)end;
    return NULL;
}

#endif

PyObject *quoted_read_special(const uint8_t **cursor, const uint8_t *special, const uint8_t *end) {
    if (special - *cursor <= NARROW_LONGEST) {
        PyObject *string = read_short(cursor, special, end);
        if (string != NULL || PyErr_Occurred() != NULL)
            return string;
    }
    return read_long(cursor, end);
}

PyObject *quoted_read(const uint8_t **cursor, const uint8_t *end, const uint8_t *padded_end) {
    const uint8_t *text = *cursor + 1;
    if (**cursor != '"')
        return read_long(cursor, end);
    const uint8_t *at = skip_plain(text, end, padded_end);
    if (at >= end)
        return NULL;
    if (*at != '"')
        return quoted_read_special(cursor, at, end);
    *cursor = at + 1;
    return str_from_ascii(text, (size_t)(at - text));
}
