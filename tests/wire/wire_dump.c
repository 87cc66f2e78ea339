/* Prints what wire makes of a response body on stdin, as JSON, for test_wire_c.py to compare with cases.json.
 *
 * Each argument is a way to cut the body: `whole`, `1` (byte by byte), or `seedN` (pieces of random lengths).
 * Each gives one line: {"chunks": […], "arrays": […], "messages": […], "error": …}. A chunk that is no array
 * of arrays counts as corruption, and is not printed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/arrays.h"
#include "wire/framer.h"
#include "wire/literal_unescape.h"

// Text that grows.
typedef struct text {
    char *bytes;
    size_t length;
    size_t capacity;
} text;

static void put(text *out, const void *bytes, size_t length) {
    if (out->capacity - out->length < length) {
        out->capacity = (out->capacity + length) * 2;
        out->bytes = realloc(out->bytes, out->capacity);
        if (out->bytes == NULL)
            abort();
    }
    if (length > 0)
        memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

static void put_word(text *out, const char *word) {
    put(out, word, strlen(word));
}

/* UTF-8, in which surrogates may stand as three bytes, as a JSON string. */
static void put_string(text *out, const uint8_t *bytes, size_t length) {
    put_word(out, "\"");
    for (size_t i = 0; i < length; i++) {
        char escape[16];
        unsigned byte = bytes[i];
        if (byte == 0xED && bytes[i + 1] >= 0xA0) {
            unsigned code = 0xD000u | (bytes[i + 1] & 0x3Fu) << 6 | (bytes[i + 2] & 0x3Fu);
            snprintf(escape, sizeof escape, "\\u%04x", code);
            i += 2;
        } else if (byte < 0x20 || byte == '"' || byte == '\\') {
            snprintf(escape, sizeof escape, "\\u%04x", byte);
        } else {
            put(out, bytes + i, 1);
            continue;
        }
        put_word(out, escape);
    }
    put_word(out, "\"");
}

/* A string token's content. */
static void put_escaped(text *out, const uint8_t *bytes, size_t length) {
    bool lone_surrogate;
    uint8_t *plain = malloc(length + 1);
    if (plain == NULL)
        abort();
    size_t plain_length = literal_unescape(bytes, length, plain, &lone_surrogate);
    put_string(out, plain, plain_length);
    free(plain);
}

static void put_scalar(text *out, const literal_reader *reader, literal_token token) {
    switch (token) {
    case LITERAL_KEY:
    case LITERAL_STRING:
        put_escaped(out, reader->token, reader->token_length);
        break;
    case LITERAL_INTEGER:
    case LITERAL_FLOAT:
        put(out, reader->token, reader->token_length);
        break;
    case LITERAL_TRUE:
        put_word(out, "true");
        break;
    case LITERAL_FALSE:
        put_word(out, "false");
        break;
    default:
        put_word(out, "null");
    }
}

/* A literal as JSON, token by token. */
static void put_literal(text *out, const uint8_t *bytes, size_t length) {
    literal_reader reader;
    literal_token token;
    bool comma = false;
    literal_init(&reader, bytes, length);
    while ((token = literal_next(&reader)) > LITERAL_END) {
        bool end = token == LITERAL_ARRAY_END || token == LITERAL_OBJECT_END;
        if (comma && !end)
            put_word(out, ",");
        comma = true;
        if (token == LITERAL_ARRAY_BEGIN || token == LITERAL_OBJECT_BEGIN) {
            put_word(out, token == LITERAL_ARRAY_BEGIN ? "[" : "{");
            comma = false;
        } else if (end) {
            put_word(out, token == LITERAL_ARRAY_END ? "]" : "}");
        } else {
            put_scalar(out, &reader, token);
        }
        if (token == LITERAL_KEY) {
            put_word(out, ":");
            comma = false;
        }
    }
    if (token == LITERAL_ERROR)
        abort(); // arrays_next() had said that it is a literal
}

// What a body holds.
typedef struct dump {
    // The inside of three JSON arrays.
    text chunks;
    text arrays;
    text messages;
    const char *error;
} dump;

static void separate(text *out) {
    if (out->length > 0)
        put_word(out, ",");
}

static void dump_array(dump *out, const wire_array *array) {
    char number[32];
    separate(&out->arrays);
    snprintf(number, sizeof number, "[%lld,", (long long)array->id);
    put_word(&out->arrays, number);
    put_literal(&out->arrays, array->data, array->data_length);
    put_word(&out->arrays, "]");
    if (array->is_talk_message) {
        separate(&out->messages);
        put_word(&out->messages, "[");
        put_escaped(&out->messages, array->clid.bytes, array->clid.length);
        put_word(&out->messages, ",");
        put_escaped(&out->messages, array->text.bytes, array->text.length);
        put_word(&out->messages, "]");
    }
}

/* False when the chunk is corrupt. */
static bool dump_chunk(dump *out, const framer_chunk *chunk) {
    arrays_reader reader;
    wire_array array;
    arrays_status status;
    size_t arrays = out->arrays.length, messages = out->messages.length;
    arrays_init(&reader, chunk->payload, chunk->length);
    while ((status = arrays_next(&reader, &array)) == ARRAYS_ARRAY)
        dump_array(out, &array);
    if (status == ARRAYS_ERROR) {
        out->arrays.length = arrays;
        out->messages.length = messages;
        return false;
    }
    separate(&out->chunks);
    put_string(&out->chunks, chunk->payload, chunk->length);
    return true;
}

/* Feed one piece, in memory of its own so that a sanitizer sees any step beside it. False when corrupt. */
static bool dump_piece(dump *out, framer *frames, const uint8_t *bytes, size_t length) {
    framer_chunk chunk;
    framer_status status;
    bool good = true;
    uint8_t *piece = malloc(length);
    if (piece == NULL)
        abort();
    memcpy(piece, bytes, length);
    framer_feed(frames, piece, length);
    while (good && (status = framer_next(frames, &chunk)) != FRAMER_NEED_MORE)
        good = status == FRAMER_CHUNK && dump_chunk(out, &chunk);
    free(piece);
    return good;
}

static size_t next_piece(const char *cut, uint64_t *seed, size_t left) {
    if (strcmp(cut, "whole") == 0)
        return left;
    if (strcmp(cut, "1") == 0)
        return 1;
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    size_t length = 1 + (*seed >> 33) % (1 + (*seed >> 60)) * 3 % 40;
    return length < left ? length : left;
}

static void dump_body(const char *cut, const uint8_t *body, size_t length) {
    dump out = {.error = "null"};
    framer frames;
    uint64_t seed = strncmp(cut, "seed", 4) == 0 ? strtoull(cut + 4, NULL, 10) : 0;
    bool good = true;
    framer_init(&frames, 0);
    for (size_t at = 0, piece; good && at < length; at += piece) {
        piece = next_piece(cut, &seed, length - at);
        good = dump_piece(&out, &frames, body + at, piece);
    }
    if (!good)
        out.error = "\"corrupt\"";
    else if (!framer_at_boundary(&frames))
        out.error = "\"truncated\"";
    framer_clear(&frames);
    printf("{\"chunks\":[%.*s],\"arrays\":[%.*s],\"messages\":[%.*s],\"error\":%s}\n", (int)out.chunks.length,
           out.chunks.bytes, (int)out.arrays.length, out.arrays.bytes, (int)out.messages.length,
           out.messages.bytes, out.error);
    free(out.chunks.bytes);
    free(out.arrays.bytes);
    free(out.messages.bytes);
}

int main(int argc, char **argv) {
    static uint8_t body[1 << 16];
    size_t length = fread(body, 1, sizeof body, stdin);
    for (int i = 1; i < argc; i++)
        dump_body(argv[i], body, length);
    return 0;
}
