/* A libFuzzer target over csrc/wire. Two things must hold of every input:
 *
 * - what a body gives (chunks, arrays, tokens, strings, the verdict) does not depend on how it was cut;
 * - each fast path gives what its plain path gives.
 *
 * An input's first byte says how many bytes after it are lengths of pieces, used in turn; the rest is the
 * body.
 *
 * With -DFUZZ_STANDALONE it has a main of its own that runs the files named as arguments, for a compiler that
 * has no libFuzzer. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/arrays.h"
#include "wire/bounds.h"
#include "wire/bounds_scan.h"
#include "wire/framer.h"
#include "text_forms.h"
#include "wire/literal_scan.h"
#include "wire/literal_string.h"
#include "wire/literal_text.h"
#include "wire/literal_unescape.h"
#include "wire/threes.h"
#include "wire/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Small, so that a fuzzer finds it: in UTF-16 units.
#define MAX_CHUNK ((size_t)4096)

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail(__LINE__, #condition);                                                                      \
    } while (0)

static void fail(int line, const char *what) {
    fprintf(stderr, "fuzz_wire.c:%d: does not hold: %s\n", line, what);
    abort();
}

/* Just so many bytes, so that a sanitizer sees a step beside them. */
static uint8_t *room_for(size_t length) {
    uint8_t *room = malloc(length > 0 ? length : 1);
    MUST(room != NULL);
    return room;
}

static uint8_t *copy_of(const uint8_t *bytes, size_t length) {
    uint8_t *copy = room_for(length);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

// All that a body gave, as bytes to compare.
typedef struct record {
    uint8_t *bytes;
    size_t length;
    size_t capacity;
} record;

static void put(record *out, const void *bytes, size_t length) {
    if (out->capacity - out->length < length) {
        out->capacity = (out->capacity + length) * 2;
        out->bytes = realloc(out->bytes, out->capacity);
        MUST(out->bytes != NULL);
    }
    if (length > 0)
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

static void put_number(record *out, int64_t number) {
    put(out, &number, sizeof number);
}

static void put_piece(record *out, const uint8_t *bytes, size_t length) {
    put_number(out, (int64_t)length);
    put(out, bytes, length);
}

static void must_be_same(const record *a, const record *b) {
    MUST(a->length == b->length);
    MUST(a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

/* Whether all of it is UTF-8, but for surrogates when `surrogates`. */
static bool is_utf8(const uint8_t *bytes, size_t length, bool surrogates) {
    while (length > 0) {
        size_t units = SIZE_MAX, advanced;
        utf8_status status = utf8_advance_plain(bytes, length, &units, &advanced);
        bytes += advanced;
        length -= advanced;
        if (length == 0)
            return status == UTF8_OK;
        bool surrogate = length >= 3 && bytes[0] == 0xED && bytes[1] >= 0xA0 && bytes[1] < 0xC0 &&
                         bytes[2] >= 0x80 && bytes[2] < 0xC0;
        if (!surrogates || !surrogate)
            return false;
        bytes += 3;
        length -= 3;
    }
    return true;
}

/* Make a string's text in both ways, which must agree. */
static void compare_texts(const uint8_t *token, size_t length) {
    bool escaped = length > 0 && memchr(token, '\\', length) != NULL;
    uint8_t *fast = room_for(LITERAL_TEXT_ROOM(length)), *plain = room_for(LITERAL_TEXT_ROOM(length));
    const uint8_t *fast_text = NULL, *plain_text = NULL;
    size_t fast_length = 0, plain_length = 0;
    literal_form want = literal_text_plain(token, length, escaped, plain, &plain_text, &plain_length);
    literal_form got = literal_text(token, length, escaped, fast, &fast_text, &fast_length);
    MUST((got == LITERAL_OTHER) == (want == LITERAL_OTHER));
    // A character past ASCII may be dropped with its backslash.
    if (want == LITERAL_ASCII && (!escaped || literal_is_ascii(token, length)))
        MUST(got == LITERAL_ASCII);
    if (want != LITERAL_OTHER) {
        text_to_utf16(want, plain_text, plain, &plain_length);
        text_to_utf16(got, fast_text, fast, &fast_length);
        MUST(fast_length == plain_length && memcmp(fast, plain, plain_length) == 0);
    }
    free(fast);
    free(plain);
}

/* Undo a string's escapes in all ways, which must agree. */
static void put_unescaped(record *out, const uint8_t *escaped, size_t length) {
    bool fast_lone, plain_lone, place_lone;
    uint8_t *from = copy_of(escaped, length), *fast = room_for(length), *plain = room_for(length);
    compare_texts(from, length);
    size_t fast_length = literal_unescape(from, length, fast, &fast_lone);
    size_t plain_length = literal_unescape_plain(from, length, plain, &plain_lone);
    MUST(fast_length == plain_length && plain_length <= length && fast_lone == plain_lone);
    MUST(memcmp(fast, plain, plain_length) == 0);
    MUST(literal_unescape(from, length, from, &place_lone) == plain_length && place_lone == plain_lone);
    MUST(memcmp(from, plain, plain_length) == 0);
    uint8_t *codes = room_for(4 * plain_length);
    MUST(codes_are(codes, literal_codes(plain, plain_length, codes), plain, plain_length));
    free(codes);
    MUST(is_utf8(plain, plain_length, plain_lone) || !is_utf8(escaped, length, false));
    put_piece(out, plain, plain_length);
    put_number(out, plain_lone);
    free(from);
    free(fast);
    free(plain);
}

/* All tokens of a text; false when it is no literal. */
static bool put_tokens(record *out, const uint8_t *text, size_t length) {
    literal_reader reader;
    literal_token token;
    literal_init(&reader, text, length);
    while ((token = literal_next(&reader)) > LITERAL_END) {
        MUST(reader.begin >= text && reader.begin < reader.end && reader.cursor <= reader.end);
        put_number(out, token);
        if (token == LITERAL_KEY || token == LITERAL_STRING)
            put_unescaped(out, reader.token, reader.token_length);
        if (token == LITERAL_INTEGER || token == LITERAL_FLOAT)
            put_piece(out, reader.token, reader.token_length);
    }
    MUST(literal_next(&reader) == token);
    MUST(reader.cursor >= text && reader.cursor <= reader.end);
    if (token == LITERAL_ERROR) {
        MUST(reader.error != NULL);
        put_number(out, reader.cursor - text);
    }
    return token == LITERAL_END;
}

/* All arrays of a payload. False when it is no array of arrays. */
static bool put_arrays(record *out, const uint8_t *payload, size_t length, bool fast) {
    arrays_reader reader;
    wire_array array;
    arrays_status status;
    if (fast)
        arrays_init(&reader, payload, length);
    else
        arrays_init_plain(&reader, payload, length);
    while ((status = arrays_next(&reader, &array)) == ARRAYS_ARRAY) {
        MUST(array.id >= 0);
        MUST(array.data >= payload && array.data_length <= (size_t)(payload + length - array.data));
        put_number(out, array.id);
        put_piece(out, array.data, array.data_length);
        MUST(put_tokens(out, array.data, array.data_length));
        put_number(out, array.is_talk_message);
        if (array.is_talk_message) {
            put_number(out, array.clid.escaped);
            put_unescaped(out, array.clid.bytes, array.clid.length);
            put_number(out, array.text.escaped);
            put_unescaped(out, array.text.bytes, array.text.length);
        }
    }
    MUST(arrays_next(&reader, &array) == status);
    put_number(out, status);
    if (status == ARRAYS_ERROR) {
        size_t position;
        MUST(arrays_error(&reader, &position) != NULL && position <= length);
        put_number(out, (int64_t)position);
    }
    return status == ARRAYS_END;
}

/* What arrays.h reads, bounds.h must read alike; where that finds an error, this may find none. */
static void compare_bounds(const uint8_t *payload, size_t length) {
    arrays_reader arrays;
    bounds_reader bounds;
    wire_array want = {0}, got = {0};
    arrays_status status;
    arrays_init_plain(&arrays, payload, length);
    bounds_init(&bounds, payload, length);
    while ((status = arrays_next(&arrays, &want)) == ARRAYS_ARRAY) {
        MUST(bounds_next(&bounds, &got) == ARRAYS_ARRAY);
        MUST(got.id == want.id && got.data == want.data && got.data_length == want.data_length);
    }
    if (status == ARRAYS_END)
        MUST(bounds_next(&bounds, &got) == ARRAYS_END);
    while ((status = bounds_next(&bounds, &got)) == ARRAYS_ARRAY)
        MUST(got.data_length > 0 && got.data >= payload && got.data + got.data_length <= payload + length);
    MUST(bounds_next(&bounds, &got) == status);
    MUST(bounds.cursor >= payload && bounds.cursor <= payload + length);
    MUST((bounds.error != NULL) == (status == ARRAYS_ERROR));
}

static bool is_blank(const uint8_t *bytes, size_t length) {
    size_t blanks = 0;
    while (blanks < length && memchr(" \t\r\n", bytes[blanks], 4) != NULL)
        blanks++;
    return blanks == length;
}

static void put_payload(record *out, const uint8_t *payload, size_t length) {
    record plain = {0};
    record fast = {0};
    uint8_t *copy = copy_of(payload, length);
    MUST(is_utf8(copy, length, false));
    put_piece(out, copy, length);
    bool good = put_arrays(&plain, copy, length, false);
    MUST(put_arrays(&fast, copy, length, true) == good);
    must_be_same(&fast, &plain);
    compare_bounds(copy, length);
    put(out, plain.bytes, plain.length);
    // Only a blank payload is no literal and no error.
    MUST(put_tokens(out, copy, length) || !good || is_blank(copy, length));
    free(copy);
    free(plain.bytes);
    free(fast.bytes);
}

/* Feed a body in pieces whose lengths are `cuts`, in turn; whole when there are none. */
static void put_body(record *out, const uint8_t *body, size_t length, const uint8_t *cuts, size_t cut_count) {
    framer frames;
    framer_chunk chunk;
    framer_status status = FRAMER_NEED_MORE;
    framer_init(&frames, MAX_CHUNK);
    for (size_t at = 0, size, turn = 0; at < length && status == FRAMER_NEED_MORE; at += size, turn++) {
        size = cut_count > 0 ? (size_t)cuts[turn % cut_count] + 1 : length;
        if (size > length - at)
            size = length - at;
        uint8_t *piece = copy_of(body + at, size);
        framer_feed(&frames, piece, size);
        while ((status = framer_next(&frames, &chunk)) == FRAMER_CHUNK) {
            MUST(chunk.is_ascii == literal_is_ascii(chunk.payload, chunk.length));
            put_payload(out, chunk.payload, chunk.length);
        }
        MUST(framer_input_left(&frames) == 0);
        MUST(frames.held_capacity <= 16 * length + 1024);
        free(piece);
    }
    put_number(out, status);
    put_number(out, framer_at_boundary(&frames));
    if (status == FRAMER_CORRUPT) {
        put(out, frames.error, strlen(frames.error));
        MUST(framer_next(&frames, &chunk) == FRAMER_CORRUPT);
    }
    framer_clear(&frames);
}

/* What has no cuts: each function on the raw bytes, wherever they begin. */
static void compare_functions(const uint8_t *bytes, size_t length) {
    for (size_t skipped = 0; skipped <= length && skipped < 4; skipped++) {
        const uint8_t *at = bytes + skipped, *end = bytes + length;
        for (size_t units = length; units <= length; units /= 2) {
            size_t fast_units = units, plain_units = units, fast_advanced, plain_advanced;
            utf8_status fast = utf8_advance(at, length - skipped, &fast_units, &fast_advanced);
            MUST(utf8_advance_plain(at, length - skipped, &plain_units, &plain_advanced) == fast);
            MUST(fast_units == plain_units && fast_advanced == plain_advanced);
            if (units == 0)
                break;
        }
        MUST(literal_scan_string(at, end, '"') == literal_scan_string_plain(at, end, '"'));
        MUST(literal_scan_string(at, end, '\'') == literal_scan_string_plain(at, end, '\''));
        MUST(bounds_scan(at, end) == bounds_scan_plain(at, end));
        bool fast_escaped = false, plain_escaped = false;
        const uint8_t *fast_bad = NULL, *plain_bad = NULL;
        const uint8_t *fast = literal_string_end(at, end, '"', &fast_escaped, &fast_bad);
        MUST(literal_string_end_plain(at, end, '"', &plain_escaped, &plain_bad) == fast);
        MUST(fast_escaped == plain_escaped && (fast != NULL || fast_bad == plain_bad));
    }
}

/* Runs of characters of three bytes in a text, wherever one begins. */
static void compare_threes(const uint8_t *text, size_t length) {
    for (size_t at = 0, count; at<length; at += count> 0 ? 3 * count : 1) {
        for (count = 0; 3 * count < length - at && (text[at + 3 * count] & 0xF0) == 0xE0;)
            count++;
        for (size_t most = count; most <= count + 1; most++) {
            uint8_t *codes = room_for(4 * most);
            MUST(threes_read(text + at, text + length, most, (uint32_t *)(void *)codes) == count);
            MUST(codes_are(codes, 4 * count, text + at, 3 * count));
            free(codes);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t cut_count = data[0] % 16u;
    if (cut_count > size - 1)
        cut_count = size - 1;
    const uint8_t *cuts = data + 1;
    size_t length = size - 1 - cut_count;
    uint8_t *body = copy_of(cuts + cut_count, length);
    record whole = {0};
    record cut = {0};
    record single = {0};
    record raw = {0};
    put_body(&whole, body, length, NULL, 0);
    put_body(&cut, body, length, cuts, cut_count);
    put_body(&single, body, length, (const uint8_t *)"", 1);
    must_be_same(&cut, &whole);
    must_be_same(&single, &whole);
    compare_functions(body, length);
    // The literal reader is also given whole texts that no framer has seen.
    if (is_utf8(body, length, true)) {
        put_tokens(&raw, body, length);
        compare_threes(body, length);
    }
    if (is_utf8(body, length, false))
        put_payload(&raw, body, length);
    free(whole.bytes);
    free(cut.bytes);
    free(single.bytes);
    free(raw.bytes);
    free(body);
    return 0;
}

#include "standalone.h"
