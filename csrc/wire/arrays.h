/* A chunk's payload to its arrays: `[[id, data], [id, data], …]`. */
#ifndef GAECHANNEL_WIRE_ARRAYS_H
#define GAECHANNEL_WIRE_ARRAYS_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, int64_t

#include "wire/literal.h"

typedef struct wire_string {
    // What stands between the quotes, still escaped; points into the payload.
    const uint8_t *bytes;
    size_t length; // bytes
    // Whether there is a backslash in the string.
    bool escaped;
} wire_string;

typedef struct wire_array {
    // The array's id: 0 or more.
    int64_t id;
    // The text of its data, a whole literal; points into the payload.
    const uint8_t *data;
    size_t data_length; // bytes
    // Whether data is `["c", [CLID, ["ae", TEXT]]]`, all four of them strings: a message of the talk
    // dialect. If so, the two strings.
    bool is_talk_message;
    wire_string clid;
    wire_string text;
} wire_array;

typedef struct arrays_reader {
    literal_reader literal;
    // Whether the outer `[` has been read.
    bool begun;
    // Whether the fast path may be tried at the next array. Off in `arrays_init_plain`.
    bool fast;
    // Where the white space behind the last bracket begins; NULL until somebody has looked for it, which is
    // done once: there may be as much of it as there are arrays.
    const uint8_t *last;
} arrays_reader;

typedef enum arrays_status {
    ARRAYS_ARRAY, // an array is in `out`
    ARRAYS_END,   // that was all, and the payload is well-formed to its last byte
    ARRAYS_ERROR, // not a literal, or not an array of arrays; `arrays_error()` says why
} arrays_status;

/* Begin reading a chunk's payload (valid UTF-8; must stay until reading is done). `length` in bytes; a
 * payload of none, or of white space, holds no array. */
static inline void arrays_init(arrays_reader *reader, const uint8_t *payload, size_t length) {
    literal_init(&reader->literal, payload, length);
    reader->begun = false;
    reader->fast = true;
    reader->last = NULL;
}

/* The same without the fast path for talk messages: what arrays_init() must agree with on every input. */
void arrays_init_plain(arrays_reader *reader, const uint8_t *payload, size_t length);

/* What arrays_next() does where the end is not yet known to have come. */
arrays_status arrays_read_on(arrays_reader *reader, wire_array *out);

/* The next array. After ARRAYS_END or ARRAYS_ERROR, the same again. */
static inline arrays_status arrays_next(arrays_reader *reader, wire_array *out) {
    if (reader->literal.expect == LITERAL_EXPECT_NOTHING && reader->fast)
        return ARRAYS_END;
    return arrays_read_on(reader, out);
}

/* After ARRAYS_ERROR: what is wrong (a static string), and at which byte of the payload. */
const char *arrays_error(const arrays_reader *reader, size_t *position);

#endif
