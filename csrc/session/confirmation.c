/* A forward reply: what confirms maps. */
#include "session/confirmation.h"

#include <string.h>

#include "wire/literal.h"
#include "wire/utf8.h"

const char *reply_begin(const char *reply) {
    static const char mark[] = "\xEF\xBB\xBF";
    if (strncmp(reply, mark, sizeof mark - 1) == 0)
        reply += sizeof mark - 1;
    return reply + strspn(reply, " \t\r\n");
}

static bool is_space(uint8_t character) {
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static bool is_blank(const uint8_t *payload, size_t length) {
    while (length > 0 && is_space(payload[length - 1]))
        length--;
    return length == 0;
}

// An element that counts something, or says whether there is something; -1 where it says neither.
static bool read_element(literal_reader *reader, int64_t *out) {
    switch (literal_next(reader)) {
    case LITERAL_INTEGER:
        *out = literal_small_integer(reader->token, reader->token_length);
        return true;
    case LITERAL_TRUE:
    case LITERAL_FALSE:
        *out = *reader->begin == 't';
        return true;
    case LITERAL_FLOAT:
    case LITERAL_NULL:
        *out = -1;
        return true;
    default:
        return false;
    }
}

// `payload` is UTF-8.
static bool read_literal(const uint8_t *payload, size_t length, confirmation *out) {
    literal_reader reader;
    literal_token token;
    int64_t numbers[3];
    literal_init(&reader, payload, length);
    if (literal_next(&reader) != LITERAL_ARRAY_BEGIN)
        return false;
    for (int i = 0; i < 3; i++)
        if (!read_element(&reader, &numbers[i]))
            return false;
    while ((token = literal_next(&reader)) > LITERAL_END && token != LITERAL_ARRAY_END)
        literal_skip(&reader, token);
    // Google's client takes all but 0 for yes, and there are servers that have the last id there.
    *out = (confirmation){.back_present = numbers[0] != 0, .last_id = numbers[1], .outstanding = numbers[2]};
    return token == LITERAL_ARRAY_END && literal_next(&reader) == LITERAL_END;
}

static bool read_bare(const uint8_t *reply, size_t length, confirmation *out) {
    size_t wanted = SIZE_MAX;
    size_t walked;
    return utf8_advance(reply, length, &wanted, &walked) == UTF8_OK && read_literal(reply, length, out);
}

bool confirmation_read(framer *frames, const char *reply, size_t length, confirmation *out) {
    const char *begin = reply_begin(reply);
    framer_chunk chunk;
    framer_status status;
    bool found = false;
    if (*begin == '[')
        return read_bare((const uint8_t *)begin, length - (size_t)(begin - reply), out);
    framer_reset(frames);
    framer_feed(frames, (const uint8_t *)reply, length);
    while ((status = framer_next(frames, &chunk)) == FRAMER_CHUNK) {
        if (is_blank(chunk.payload, chunk.length))
            continue;
        // One literal is all there is to say.
        if (found || !read_literal(chunk.payload, chunk.length, out))
            return false;
        found = true;
    }
    return found && status == FRAMER_NEED_MORE && framer_at_boundary(frames);
}
