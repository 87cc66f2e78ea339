/* A string's text, a character at a time; and which way is taken. */
#include "wire/literal_text.h"

#include <string.h> // memcpy

#include "wire/literal_blocks.h"
#include "wire/literal_unescape.h"
#include "wire/simd/vector.h"

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

literal_form literal_text_plain(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                                const uint8_t **text, size_t *text_length) {
    // UTF-8 goes behind the room that UTF-16 may fill before it has read it: a unit comes of a byte at least.
    uint8_t *plain = room + length;
    bool lone = false;
    if (escaped)
        length = literal_unescape_plain(token, length, plain, &lone);
    else if (length > 0)
        memcpy(plain, token, length);
    size_t ascii = 0;
    while (ascii < length && plain[ascii] < 0x80)
        ascii++;
    if (ascii == length) {
        *text = plain;
        *text_length = length;
        return LITERAL_ASCII;
    }
    uint8_t *to = room;
    for (const uint8_t *at = plain, *end = plain + length; at < end;) {
        size_t size = 1;
        unsigned code = *at < 0x80 ? *at : read_code(at, &size);
        if (is_surrogate(code))
            return LITERAL_OTHER;
        to = put_code(to, code);
        at += size;
    }
    *text = room;
    *text_length = (size_t)(to - room);
    return LITERAL_UTF16;
}

#ifdef VECTOR_BYTES
/* Sixteen bytes of ASCII as UTF-32: with zeros behind each, twice. */
static inline void put_ascii_codes(uint8_t *out, vector bytes) {
    vector none = vector_of(0);
    vector first = vector_zip_first(bytes, none), last = vector_zip_last(bytes, none);
    vector_store(out, vector_zip_first(first, none));
    vector_store(out + 16, vector_zip_last(first, none));
    vector_store(out + 32, vector_zip_first(last, none));
    vector_store(out + 48, vector_zip_last(last, none));
}
#endif

size_t literal_codes(const uint8_t *text, size_t length, uint8_t *out) {
    const uint8_t *at = text, *end = length > 0 ? text + length : text;
    uint8_t *to = out;
    while (at < end) {
#ifdef VECTOR_BYTES
        if (end - at >= VECTOR_BYTES && vector_marks(vector_load(at)) == 0) {
            put_ascii_codes(to, vector_load(at));
            to += 4 * VECTOR_BYTES;
            at += VECTOR_BYTES;
            continue;
        }
#endif
        size_t size = 1;
        uint32_t code = *at < 0x80 ? *at : read_code(at, &size);
        memcpy(to, &code, sizeof code);
        to += sizeof code;
        at += size;
    }
    return (size_t)(to - out);
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

literal_form literal_text(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                          const uint8_t **text, size_t *text_length) {
    const literal_by_blocks *blocks = literal_blocks();
    if (blocks != NULL)
        return blocks->text(token, length, escaped, room, text, text_length);
    return literal_text_plain(token, length, escaped, room, text, text_length);
}
