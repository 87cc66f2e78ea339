/* The literal reader: JSON, plus what the talk servers' JavaScript literals add (holes, single quotes,
 * JavaScript's escapes, `undefined`). It pulls tokens from a text that is all there; it builds nothing.
 *
 *     literal_init(&reader, text, length);
 *     while ((token = literal_next(&reader)) > LITERAL_END)
 *         …
 *
 * The grammar (commas, colons, holes, nesting, nothing after the value) is checked here, so that a caller who
 * has seen LITERAL_END knows the whole text to be a literal. */
#ifndef GAECHANNEL_WIRE_LITERAL_H
#define GAECHANNEL_WIRE_LITERAL_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, int64_t

// Arrays and objects within each other; deeper is an error.
#define LITERAL_MAX_DEPTH 128

// Digits in an integer; as many as CPython turns into an `int` by default, since the work is quadratic.
#define LITERAL_MAX_DIGITS 4300

typedef enum literal_token {
    LITERAL_ERROR = -1, // `reader.error` says why, `reader.cursor` where; sticky
    LITERAL_END = 0,    // the value is complete, and nothing but white space follows it; sticky
    LITERAL_ARRAY_BEGIN,
    LITERAL_ARRAY_END,
    LITERAL_OBJECT_BEGIN,
    LITERAL_OBJECT_END,
    LITERAL_KEY,     // a string, before its value
    LITERAL_STRING,  // `token`, `token_length`: what stands between the quotes
    LITERAL_INTEGER, // `token`, `token_length`: the digits, with a minus sign if any
    LITERAL_FLOAT,   // the same
    LITERAL_TRUE,
    LITERAL_FALSE,
    LITERAL_NULL, // `null`, `undefined`, or a hole
} literal_token;

// What the grammar allows next; for the reader itself and for those who read a piece in its place.
enum literal_expect {
    LITERAL_EXPECT_VALUE,
    LITERAL_EXPECT_ELEMENT,     // after `[`, or a comma in an array: a value, a hole, or `]`
    LITERAL_EXPECT_ARRAY_COMMA, // after an element: a comma or `]`
    LITERAL_EXPECT_FIRST_KEY,   // after `{`: a key or `}`
    LITERAL_EXPECT_OBJECT_COMMA,
    LITERAL_EXPECT_NOTHING, // the value is complete
    LITERAL_EXPECT_FAILED,
};

typedef struct literal_reader {
    // All of the text, from `text` to `end`.
    const uint8_t *text;
    const uint8_t *end;
    // The next byte to read; after an error, the byte it is about.
    const uint8_t *cursor;
    // Where the last token began in the text (a string: at its quote). For a hole, where the value is
    // missing.
    const uint8_t *begin;
    // The last string's content, still escaped, or the last number; points into the text.
    const uint8_t *token;
    size_t token_length; // bytes
    // Whether the last string holds a backslash.
    bool token_escaped;
    // Arrays and objects open around the cursor, and for each whether it is an object.
    uint8_t depth;
    uint8_t is_object[LITERAL_MAX_DEPTH / 8];
    // What may come next: a value of literal_expect.
    uint8_t expect;
    // What LITERAL_ERROR is about; a static string in English.
    const char *error;
} literal_reader;

/* Begin reading. `text` must be valid UTF-8 (what the framer returns is), except that surrogates as three
 * bytes pass; it need not be terminated, and must stay until reading is done. `length` in bytes. */
static inline void literal_init(literal_reader *reader, const uint8_t *text, size_t length) {
    *reader = (literal_reader){
        .text = text,
        .end = length > 0 ? text + length : text,
        .cursor = text,
        .begin = text,
        .token = text,
        .expect = LITERAL_EXPECT_VALUE,
    };
}

/* The next token. */
literal_token literal_next(literal_reader *reader);

/* Read on to the end of the value that began with `token`, the last one returned: for an array or object,
 * to its matching end; for all else there is nothing left to read. Returns `token`, or LITERAL_ERROR. */
literal_token literal_skip(literal_reader *reader, literal_token token);

/* The value of an integer token, whose text is `length` bytes; -1 when it is negative or does not fit. */
int64_t literal_small_integer(const uint8_t *token, size_t length);

#endif
