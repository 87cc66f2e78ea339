/* A chunk's payload to its arrays. */
#include "wire/arrays.h"

#include <string.h> // memcmp, memset

#include "wire/literal_scan.h"
#include "wire/literal_space.h"
#include "wire/literal_string.h"
#include "wire/literal_unescape.h"
#include "wire/literal_walk.h"

void arrays_init_plain(arrays_reader *reader, const uint8_t *payload, size_t length) {
    arrays_init(reader, payload, length);
    reader->fast = false;
}

/* The payload is a literal so far, but no array of arrays. */
static arrays_status fail(arrays_reader *reader, const uint8_t *at, const char *error) {
    reader->literal.cursor = at;
    reader->literal.error = error;
    reader->literal.expect = LITERAL_EXPECT_FAILED;
    return ARRAYS_ERROR;
}

/* The literal's last token is not what was wanted: an error of its own, or `error`. */
static arrays_status fail_token(arrays_reader *reader, literal_token token, const char *error) {
    return token == LITERAL_ERROR ? ARRAYS_ERROR : fail(reader, reader->literal.begin, error);
}

/* The last token, an integer, as an id. False when it is negative or larger than an id may be. */
static bool read_id(const literal_reader *literal, int64_t *id) {
    bool negative = literal->token[0] == '-';
    *id = literal_small_integer(literal->token + negative, literal->token_length - negative);
    return negative ? *id == 0 : *id >= 0;
}

static void take_string(const literal_reader *literal, wire_string *out) {
    out->bytes = literal->token;
    out->length = literal->token_length;
    out->escaped = literal->token_escaped;
}

static bool token_is(const literal_reader *literal, const char *word) {
    return literal_is(literal->token, literal->token_length, literal->token_escaped, word);
}

/* Read on behind data's first token as long as it is `["c", [CLID, ["ae", TEXT]]]`; whether it was, to its
 * end.
 * `*token` is the last one read. */
static bool read_talk_message(literal_reader *literal, literal_token *token, wire_array *out) {
    static const literal_token shape[] = {
        LITERAL_ARRAY_BEGIN, LITERAL_STRING, LITERAL_ARRAY_BEGIN, LITERAL_STRING,    LITERAL_ARRAY_BEGIN,
        LITERAL_STRING,      LITERAL_STRING, LITERAL_ARRAY_END,   LITERAL_ARRAY_END, LITERAL_ARRAY_END,
    };
    enum { AT_C = 1, AT_CLID = 3, AT_AE = 5, AT_TEXT = 6 };
    const size_t last = sizeof shape / sizeof *shape - 1;
    for (size_t i = 0;; i++) {
        if (*token != shape[i])
            return false;
        if ((i == AT_C && !token_is(literal, "c")) || (i == AT_AE && !token_is(literal, "ae")))
            return false;
        if (i == AT_CLID)
            take_string(literal, &out->clid);
        if (i == AT_TEXT)
            take_string(literal, &out->text);
        if (i == last)
            return true;
        *token = literal_next(literal);
    }
}

/* Read an array's data, whose first token has been read. False on an error. */
static bool read_data(literal_reader *literal, literal_token token, wire_array *out) {
    bool nest = token == LITERAL_ARRAY_BEGIN || token == LITERAL_OBJECT_BEGIN;
    unsigned outside = literal->depth - (nest ? 1u : 0u);
    out->data = literal->begin;
    out->is_talk_message = read_talk_message(literal, &token, out);
    while (literal->depth > outside && token != LITERAL_ERROR)
        token = literal_next(literal);
    out->data_length = (size_t)(literal->cursor - out->data);
    return token != LITERAL_ERROR;
}

/* Read an array whose `[` has been read. */
static arrays_status read_array(arrays_reader *reader, wire_array *out) {
    literal_reader *literal = &reader->literal;
    literal_token token = literal_next(literal);
    if (token != LITERAL_INTEGER || !read_id(literal, &out->id))
        return fail_token(reader, token, "an array's id is not a whole number of 0 or more");
    token = literal_next(literal);
    // A hole begins at the comma behind it.
    if (token == LITERAL_ERROR || token == LITERAL_ARRAY_END || *literal->begin == ',')
        return fail_token(reader, token, "an array without data");
    if (!read_data(literal, token, out))
        return ARRAYS_ERROR;
    token = literal_next(literal);
    if (token != LITERAL_ARRAY_END)
        return fail_token(reader, token, "an array of more than an id and data");
    return ARRAYS_ARRAY;
}

/* Whether exactly the bytes of `word` are at `at`; then `at` moves behind them. A macro, so that the length
 * is a constant and the comparison one of words. */
#define TAKE(at, end, word)                                                                                  \
    ((size_t)((end) - (at)) >= sizeof(word) - 1 && memcmp((at), (word), sizeof(word) - 1) == 0 &&            \
     ((at) += sizeof(word) - 1, true))

static inline const uint8_t *skip_line_feed(const uint8_t *at, const uint8_t *end) {
    return at < end && *at == '\n' ? at + 1 : at;
}

/* An id as the fast path takes it: without a leading zero, and too short to pass INT64_MAX. NULL if it is
 * not. */
static inline const uint8_t *take_id(const uint8_t *at, const uint8_t *end, int64_t *id) {
    const uint8_t *first = at;
    int64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9' && at - first < 18; at++)
        value = value * 10 + (*at - '0');
    *id = value;
    return at == first || (*first == '0' && at - first > 1) ? NULL : at;
}

/* Fast path for the end where it is the outer `]`, with or without an LF before and after it. */
static inline __attribute__((always_inline)) bool take_end(literal_reader *literal) {
    const uint8_t *at = skip_line_feed(literal->cursor, literal->end);
    if (literal->expect != LITERAL_EXPECT_ARRAY_COMMA || at == literal->end || *at != ']')
        return false;
    at = skip_line_feed(at + 1, literal->end);
    if (at != literal->end)
        return false;
    literal->cursor = at;
    literal->depth = 0;
    literal->expect = LITERAL_EXPECT_NOTHING;
    return true;
}

/* Fast path for a talk message in exactly the talk servers' spelling, `[ID,["c",["CLID",["ae","TEXT"]]]]`,
 * CLID without escapes, with or without an LF before the last `]`, and before the comma or `[` in front of
 * it. False when it is spelled otherwise, or is something else, or is not well-formed: then nothing has
 * moved. */
static bool take_talk_message(arrays_reader *reader, wire_array *out) {
    literal_reader *literal = &reader->literal;
    const uint8_t *end = literal->end;
    const uint8_t *at = literal->cursor;
    const uint8_t *bad;
    if (literal->expect == LITERAL_EXPECT_ARRAY_COMMA) {
        at = skip_line_feed(at, end);
        if (!TAKE(at, end, ","))
            return false;
    } else if (literal->expect != LITERAL_EXPECT_ELEMENT) {
        return false;
    }
    if (!TAKE(at, end, "[") || (at = take_id(at, end, &out->id)) == NULL || !TAKE(at, end, ",[\"c\",[\""))
        return false;
    out->data = at - sizeof("[\"c\",[\"") + 1;
    out->clid = (wire_string){.bytes = at};
    at = literal_scan(at, end, '"');
    out->clid.length = (size_t)(at - out->clid.bytes);
    if (!TAKE(at, end, "\",[\"ae\",\""))
        return false;
    out->text = (wire_string){.bytes = at};
    at = literal_string_end(at, end, '"', &out->text.escaped, &bad);
    // The text may be long, and will now be read again: once is enough.
    reader->fast = false;
    if (at == NULL)
        return false;
    out->text.length = (size_t)(at - out->text.bytes);
    if (!TAKE(at, end, "\"]]]"))
        return false;
    out->data_length = (size_t)(at - out->data);
    at = skip_line_feed(at, end);
    if (!TAKE(at, end, "]"))
        return false;
    reader->fast = true;
    out->is_talk_message = true;
    literal->cursor = at;
    literal->expect = LITERAL_EXPECT_ARRAY_COMMA;
    // Most chunks hold one message: then the next call has nothing to do.
    take_end(literal);
    return true;
}

/* Whether data that begins here is seen at once to be no talk message: that would begin with `["c"`. */
static bool is_no_talk_message(const uint8_t *at) {
    if (*at != '[')
        return true;
    at = literal_skip_space(at + 1);
    if (*at == '"')
        return at[1] != '\\' && (at[1] != 'c' || (at[2] != '"' && at[2] != '\\'));
    return *at != '\'';
}

/* The payload's end, without white space before it. */
static inline const uint8_t *find_last(arrays_reader *reader) {
    const uint8_t *end = reader->last;
    if (end != NULL)
        return end;
    end = reader->literal.end;
    while (end > reader->literal.cursor &&
           (end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
        end--;
    return reader->last = end;
}

/* Fast path for an array of any other data, if what it is made of is what servers write. False when it is
 * not: then nothing has moved. */
static bool take_array(arrays_reader *reader, wire_array *out) {
    literal_reader *literal = &reader->literal;
    const uint8_t *at = literal->cursor, *end = find_last(reader);
    // No step below goes past the last bracket.
    if (end - at < 4 || end[-1] != ']')
        return false;
    at = literal_skip_space(at);
    if (literal->expect == LITERAL_EXPECT_ARRAY_COMMA && *at == ',')
        at = literal_skip_space(at + 1);
    else if (literal->expect != LITERAL_EXPECT_ELEMENT)
        return false;
    if (*at != '[' || at + 1 == end)
        return false;
    at = literal_skip_space(at + 1);
    if ((at = take_id(at, end, &out->id)) == NULL || *(at = literal_skip_space(at)) != ',')
        return false;
    at = literal_skip_space(at + 1);
    if (!is_no_talk_message(at))
        return false;
    out->data = at;
    at = literal_walk(at, end, LITERAL_MAX_DEPTH - 2);
    // What could not be walked over may be long, and will now be read again: once is enough.
    reader->fast = at != NULL;
    if (at == NULL)
        return false;
    out->data_length = (size_t)(at - out->data);
    at = literal_skip_space(at);
    reader->fast = *at == ']' && at + 1 < end;
    if (!reader->fast)
        return false;
    out->is_talk_message = false;
    literal->cursor = at + 1;
    literal->expect = LITERAL_EXPECT_ARRAY_COMMA;
    take_end(literal);
    return true;
}

/* Whether only white space is left of the payload: some servers send empty chunks, which hold no array. */
static bool is_blank(const literal_reader *literal) {
    const uint8_t *at = literal->cursor;
    while (at < literal->end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at == literal->end;
}

/* Read the outer `[`. */
static bool begin(arrays_reader *reader) {
    literal_token token = literal_next(&reader->literal);
    if (token != LITERAL_ARRAY_BEGIN) {
        fail_token(reader, token, "not an array of arrays");
        return false;
    }
    reader->begun = true;
    return true;
}

/* Fast path for the outer `[` where it is the payload's first byte. */
static inline void take_begin(arrays_reader *reader) {
    literal_reader *literal = &reader->literal;
    if (literal->cursor == literal->end || *literal->cursor != '[')
        return;
    literal->cursor++;
    literal->depth = 1; // of an array, as literal_init has left it
    literal->expect = LITERAL_EXPECT_ELEMENT;
    reader->begun = true;
}

arrays_status arrays_read_on(arrays_reader *reader, wire_array *out) {
    literal_reader *literal = &reader->literal;
    if (literal->expect == LITERAL_EXPECT_FAILED)
        return ARRAYS_ERROR;
    if (reader->fast) {
        if (!reader->begun)
            take_begin(reader);
        if (take_end(literal))
            return ARRAYS_END;
        if (reader->begun && (take_talk_message(reader, out) || (reader->fast && take_array(reader, out))))
            return ARRAYS_ARRAY;
    }
    if (!reader->begun && literal->expect != LITERAL_EXPECT_NOTHING && is_blank(literal))
        literal->expect = LITERAL_EXPECT_NOTHING;
    if (literal->expect == LITERAL_EXPECT_NOTHING && !reader->begun)
        return ARRAYS_END;
    if (!reader->begun && !begin(reader))
        return ARRAYS_ERROR;
    // Once the outer array has ended, only the end is left to be told.
    literal_token token = literal_next(literal);
    if (token == LITERAL_ARRAY_END)
        token = literal_next(literal);
    if (token == LITERAL_END)
        return ARRAYS_END;
    if (token != LITERAL_ARRAY_BEGIN)
        return fail_token(reader, token, "not an array of arrays");
    return read_array(reader, out);
}

const char *arrays_error(const arrays_reader *reader, size_t *position) {
    *position = (size_t)(reader->literal.cursor - reader->literal.text);
    return reader->literal.error;
}
