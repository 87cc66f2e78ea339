/* The literal reader: the grammar and its tokens. The ends of strings are literal_string.c's business. */
#include "wire/literal.h"

#include <string.h> // memcmp

#include "wire/literal_string.h"

static literal_token fail(literal_reader *reader, const uint8_t *at, const char *error) {
    reader->cursor = at;
    reader->error = error;
    reader->expect = LITERAL_EXPECT_FAILED;
    return LITERAL_ERROR;
}

/* Why there is no value at the cursor. */
static literal_token fail_value(literal_reader *reader) {
    return fail(reader, reader->cursor,
                reader->cursor == reader->end ? "the text ends where a value is missing" : "not a value");
}

/* The next byte that is not white space, or -1 at the end. */
static int peek(literal_reader *reader) {
    const uint8_t *at = reader->cursor;
    while (at < reader->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    reader->cursor = at;
    return at < reader->end ? *at : -1;
}

static bool in_object(const literal_reader *reader) {
    unsigned top = reader->depth - 1u;
    return (reader->is_object[top / 8] >> (top % 8) & 1) != 0;
}

/* A value is complete. */
static void end_value(literal_reader *reader) {
    if (reader->depth == 0)
        reader->expect = LITERAL_EXPECT_NOTHING;
    else
        reader->expect = in_object(reader) ? LITERAL_EXPECT_OBJECT_COMMA : LITERAL_EXPECT_ARRAY_COMMA;
}

static literal_token open_nest(literal_reader *reader, bool object) {
    if (reader->depth == LITERAL_MAX_DEPTH)
        return fail(reader, reader->cursor, "nested too deeply");
    uint8_t *flags = &reader->is_object[reader->depth / 8];
    unsigned flag = 1u << (reader->depth % 8);
    *flags = (uint8_t)(object ? *flags | flag : *flags & ~flag);
    reader->depth++;
    reader->cursor++;
    reader->expect = object ? LITERAL_EXPECT_FIRST_KEY : LITERAL_EXPECT_ELEMENT;
    return object ? LITERAL_OBJECT_BEGIN : LITERAL_ARRAY_BEGIN;
}

static literal_token close_nest(literal_reader *reader, literal_token token) {
    reader->begin = reader->cursor++;
    reader->depth--;
    end_value(reader);
    return token;
}

/* Read the string whose quote is at the cursor, up to behind its closing quote. */
static bool read_string(literal_reader *reader) {
    const uint8_t *bad;
    reader->begin = reader->cursor;
    reader->token = reader->begin + 1;
    reader->token_escaped = false;
    const uint8_t *close =
        literal_string_end(reader->token, reader->end, *reader->begin, &reader->token_escaped, &bad);
    if (close == NULL) {
        if (bad == reader->end)
            fail(reader, reader->begin, "a string that does not end");
        else
            fail(reader, bad, "a malformed escape");
        return false;
    }
    reader->token_length = (size_t)(close - reader->token);
    reader->cursor = close + 1;
    return true;
}

/* Walk over digits; NULL when there is none. */
static const uint8_t *skip_digits(const uint8_t *at, const uint8_t *end) {
    const uint8_t *first = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > first ? at : NULL;
}

/* The end of a number's fraction and exponent, if any; NULL, and the cursor there, where a digit is missing.
 */
static const uint8_t *skip_fraction(literal_reader *reader, const uint8_t *at) {
    const uint8_t *end = reader->end;
    if (at < end && *at == '.') {
        reader->cursor = at + 1;
        at = skip_digits(at + 1, end);
        if (at == NULL)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        reader->cursor = at;
        at = skip_digits(at, end);
    }
    return at;
}

static literal_token read_number(literal_reader *reader) {
    const uint8_t *first = reader->cursor + (*reader->cursor == '-');
    const uint8_t *last = skip_digits(first, reader->end);
    if (last == NULL)
        return fail(reader, first, "a number without digits");
    if (*first == '0' && last - first > 1)
        return fail(reader, first, "a number with a leading zero");
    reader->begin = reader->token = reader->cursor;
    const uint8_t *end = skip_fraction(reader, last);
    if (end == NULL)
        return fail(reader, reader->cursor, "a number without digits");
    if (end == last && last - first > LITERAL_MAX_DIGITS)
        return fail(reader, reader->begin, "an integer of too many digits");
    reader->token_length = (size_t)(end - reader->token);
    reader->cursor = end;
    end_value(reader);
    return end == last ? LITERAL_INTEGER : LITERAL_FLOAT;
}

/* Whether a word goes on with this byte, by JavaScript's rules; every non-ASCII letter is taken for one. */
static bool is_word_byte(uint8_t byte) {
    return byte >= 0x80 || byte == '_' || byte == '$' || byte == '\\' || (byte >= '0' && byte <= '9') ||
           (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static literal_token read_word(literal_reader *reader) {
    static const struct {
        const char *word;
        size_t length; // bytes
        literal_token token;
    } words[] = {
        {"null", 4, LITERAL_NULL},
        {"true", 4, LITERAL_TRUE},
        {"false", 5, LITERAL_FALSE},
        {"undefined", 9, LITERAL_NULL},
    };
    size_t left = (size_t)(reader->end - reader->cursor);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = words[i].length;
        if (left < length || memcmp(reader->cursor, words[i].word, length) != 0)
            continue;
        if (left > length && is_word_byte(reader->cursor[length]))
            break;
        reader->begin = reader->cursor;
        reader->cursor += length;
        end_value(reader);
        return words[i].token;
    }
    return fail_value(reader);
}

static literal_token read_value(literal_reader *reader, int byte) {
    switch (byte) {
    case '"':
    case '\'':
        if (!read_string(reader))
            return LITERAL_ERROR;
        end_value(reader);
        return LITERAL_STRING;
    case '[':
    case '{':
        reader->begin = reader->cursor;
        return open_nest(reader, byte == '{');
    case 'n':
    case 't':
    case 'f':
    case 'u':
        return read_word(reader);
    default:
        if (byte == '-' || (byte >= '0' && byte <= '9'))
            return read_number(reader);
        return fail_value(reader);
    }
}

static literal_token read_element(literal_reader *reader, int byte) {
    if (byte == ']')
        return close_nest(reader, LITERAL_ARRAY_END);
    if (byte != ',')
        return read_value(reader, byte);
    // A hole. Its comma is behind it, so what is expected next stays the same: after `[1,` a `]` ends the
    // array, another comma is another hole.
    reader->begin = reader->cursor++;
    reader->expect = LITERAL_EXPECT_ELEMENT;
    return LITERAL_NULL;
}

/* Read a key and its colon. */
static literal_token read_key(literal_reader *reader, int byte) {
    if (byte != '"' && byte != '\'')
        return fail(reader, reader->cursor, "an object's key is missing");
    if (!read_string(reader))
        return LITERAL_ERROR;
    if (peek(reader) != ':')
        return fail(reader, reader->cursor, "no colon behind an object's key");
    reader->cursor++;
    reader->expect = LITERAL_EXPECT_VALUE;
    return LITERAL_KEY;
}

/* The same after a member, or at the object's beginning. */
static literal_token read_member(literal_reader *reader, int byte) {
    if (byte == '}')
        return close_nest(reader, LITERAL_OBJECT_END);
    if (reader->expect == LITERAL_EXPECT_FIRST_KEY)
        return read_key(reader, byte);
    if (byte != ',')
        return fail(reader, reader->cursor, "neither a comma nor } behind an object's member");
    reader->cursor++;
    return read_key(reader, peek(reader));
}

literal_token literal_next(literal_reader *reader) {
    if (reader->expect == LITERAL_EXPECT_FAILED)
        return LITERAL_ERROR;
    int byte = peek(reader);
    switch (reader->expect) {
    case LITERAL_EXPECT_ARRAY_COMMA:
        if (byte == ',') {
            reader->cursor++;
            return read_element(reader, peek(reader));
        }
        if (byte == ']')
            return close_nest(reader, LITERAL_ARRAY_END);
        return fail(reader, reader->cursor, "neither a comma nor ] behind an array's element");
    case LITERAL_EXPECT_ELEMENT:
        return read_element(reader, byte);
    case LITERAL_EXPECT_FIRST_KEY:
    case LITERAL_EXPECT_OBJECT_COMMA:
        return read_member(reader, byte);
    case LITERAL_EXPECT_VALUE:
        return read_value(reader, byte);
    default: // LITERAL_EXPECT_NOTHING
        return byte < 0 ? LITERAL_END : fail(reader, reader->cursor, "something follows the value");
    }
}

literal_token literal_skip(literal_reader *reader, literal_token token) {
    if (token != LITERAL_ARRAY_BEGIN && token != LITERAL_OBJECT_BEGIN)
        return token;
    unsigned outside = reader->depth - 1u;
    while (reader->depth > outside) {
        if (literal_next(reader) == LITERAL_ERROR)
            return LITERAL_ERROR;
    }
    return token;
}

int64_t literal_small_integer(const uint8_t *token, size_t length) {
    int64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = token[i] - '0';
        if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    return value;
}
