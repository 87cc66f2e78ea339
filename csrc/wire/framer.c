/* Bytes to chunks. */
#include "wire/framer.h"

#include <stdlib.h> // realloc, free
#include <string.h> // memcpy

#include "wire/utf8.h"

// The first allocation for a payload that comes in parts, in bytes.
#define HELD_FIRST ((size_t)256)
// A larger buffer is given back when its chunk has been used, so that one large message does not cost its
// memory for as long as the channel lives. In bytes.
#define HELD_KEPT ((size_t)64 * 1024)

// A limit to the limit: with a digit more, it still fits.
#define MAX_CHUNK (SIZE_MAX / 10 - 1)

void framer_init(framer *self, size_t max_chunk) {
    memset(self, 0, sizeof *self);
    self->state = FRAMER_IN_LENGTH;
    self->max_chunk = max_chunk ? max_chunk : FRAMER_DEFAULT_MAX_CHUNK;
    if (self->max_chunk > MAX_CHUNK)
        self->max_chunk = MAX_CHUNK;
    self->when_empty = FRAMER_NEED_MORE;
}

static void free_held(framer *self) {
    free(self->held);
    self->held = NULL;
    self->held_capacity = 0;
}

/* Empty the held payload, for another chunk. */
static void drop_held(framer *self) {
    self->held_returned = false;
    self->held_length = 0;
    self->held_cut = 0;
    if (self->held_capacity > HELD_KEPT)
        free_held(self);
}

void framer_clear(framer *self) {
    free_held(self);
    framer_init(self, self->max_chunk);
}

static void begin_length(framer *self) {
    self->state = FRAMER_IN_LENGTH;
    self->length_begun = false;
    self->length_ended = false;
    self->units = 0;
}

void framer_reset(framer *self) {
    begin_length(self);
    self->mark = 0;
    self->chunk_at_fault = false;
    drop_held(self);
    self->input = NULL;
    self->input_length = 0;
    self->error = NULL;
    self->when_empty = FRAMER_NEED_MORE;
}

void framer_feed(framer *self, const uint8_t *bytes, size_t length) {
    if (self->state == FRAMER_FAILED)
        return;
    self->input = bytes;
    self->input_length = length;
}

static bool fail(framer *self, framer_status when_empty, const char *error) {
    self->state = FRAMER_FAILED;
    self->when_empty = when_empty;
    self->error = error;
    self->input = NULL;
    self->input_length = 0;
    free_held(self);
    drop_held(self);
    return false;
}

static void use_input(framer *self, size_t length) {
    self->input += length;
    self->input_length -= length;
}

/* Read LENGTH's digits, or more of them. NULL when they make more than the limit. */
static inline const uint8_t *read_digits(framer *self, const uint8_t *at, const uint8_t *end) {
    size_t units = self->units;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        units = units * 10 + ((size_t)*at - '0');
        if (units > self->max_chunk) {
            self->chunk_at_fault = true;
            fail(self, FRAMER_CORRUPT, "a chunk is longer than the limit");
            return NULL;
        }
    }
    self->units = units;
    self->length_begun = true;
    return at;
}

/* What stands where a chunk's length was to begin, by its first byte: what people mostly have in its place.
 */
static const char *no_length(uint8_t byte) {
    switch (byte) {
    case '<':
        return "a chunk's length is not a number: this looks like an HTML page";
    case '[':
    case '{':
        return "a chunk's length is not a number: this looks like JSON, without the length before it";
    case 0x1F:
        return "a chunk's length is not a number: this looks compressed, by gzip";
    default:
        return "a chunk's length is not a number";
    }
}

/* Skip a byte order mark, or more of one. False when the input ends inside it, or what began is none. */
static bool skip_mark(framer *self) {
    static const uint8_t mark[FRAMER_NO_MARK] = {0xEF, 0xBB, 0xBF};
    while (self->mark < FRAMER_NO_MARK && self->input_length > 0 && *self->input == mark[self->mark]) {
        use_input(self, 1);
        self->mark++;
    }
    if (self->mark == FRAMER_NO_MARK || self->input_length == 0)
        return self->input_length > 0;
    if (self->mark > 0)
        return fail(self, FRAMER_CORRUPT, "a chunk's length is not a number");
    self->mark = FRAMER_NO_MARK;
    return true;
}

/* Read LENGTH and its LF. False when the input ends before, or it failed. */
static bool read_length(framer *self) {
    if (self->mark < FRAMER_NO_MARK && !skip_mark(self))
        return false;
    const uint8_t *at = self->input;
    const uint8_t *end = at + self->input_length;
    while (at < end) {
        uint8_t byte = *at;
        if (byte >= '0' && byte <= '9' && !self->length_ended) {
            at = read_digits(self, at, end);
            if (at == NULL)
                return false;
            continue;
        }
        at++;
        if (byte == '\n' && self->length_begun) {
            self->state = FRAMER_IN_PAYLOAD;
            self->chunk_units = self->units;
            use_input(self, (size_t)(at - self->input));
            return true;
        }
        if (byte == ' ' || byte == '\r')
            self->length_ended = self->length_begun;
        else if (byte != '\n') // a blank line
            return fail(self, FRAMER_CORRUPT, no_length(self->length_begun ? '\0' : byte));
    }
    use_input(self, self->input_length);
    return false;
}

/* Make room for `more` bytes behind the held ones. It doubles with what truly came: a length that a server
 * only claims allocates nothing. */
static bool grow_held(framer *self, size_t more) {
    if (more <= self->held_capacity - self->held_length)
        return true;
    size_t capacity = self->held_capacity ? self->held_capacity : HELD_FIRST;
    while (capacity - self->held_length < more) {
        if (capacity > SIZE_MAX / 2)
            return fail(self, FRAMER_NO_MEMORY, "a chunk does not fit in memory");
        capacity *= 2;
    }
    uint8_t *held = realloc(self->held, capacity);
    if (held == NULL)
        return fail(self, FRAMER_NO_MEMORY, "no memory for a chunk");
    self->held = held;
    self->held_capacity = capacity;
    return true;
}

/* Move the next `length` bytes of the input behind the held ones. */
static bool hold(framer *self, size_t length) {
    if (length == 0)
        return true;
    if (!grow_held(self, length))
        return false;
    memcpy(self->held + self->held_length, self->input, length);
    self->held_length += length;
    use_input(self, length);
    return true;
}

/* Walk over `length` bytes of the payload; `*walked` of them are whole characters, and what follows those is
 * the beginning of another (`*cut`) or not looked at. */
static inline bool check_payload(framer *self, const uint8_t *bytes, size_t length, size_t *walked,
                                 bool *cut) {
    utf8_status status = utf8_advance(bytes, length, &self->units, walked);
    *cut = status == UTF8_CUT;
    self->chunk_at_fault = status == UTF8_INVALID || status == UTF8_SPLIT_PAIR;
    if (status == UTF8_INVALID)
        return fail(self, FRAMER_CORRUPT, "the body is not UTF-8");
    if (status == UTF8_SPLIT_PAIR)
        return fail(self, FRAMER_CORRUPT, "a chunk's length ends inside a surrogate pair");
    return true;
}

/* Finish the held character that was cut. A byte at a time: it takes three at most, and none that belongs to
 * what follows. */
static bool mend_cut(framer *self) {
    while (self->held_cut > 0 && self->input_length > 0) {
        size_t walked;
        bool cut;
        if (!hold(self, 1))
            return false;
        self->held_cut++;
        const uint8_t *character = self->held + self->held_length - self->held_cut;
        if (!check_payload(self, character, self->held_cut, &walked, &cut))
            return false;
        if (!cut)
            self->held_cut = 0;
    }
    return self->held_cut == 0;
}

/* Read the payload's rest into `out`. False when the input ends before, or it failed. */
static bool read_payload(framer *self, framer_chunk *out) {
    if (self->held_cut > 0 && !mend_cut(self))
        return false;
    size_t walked;
    bool cut;
    if (!check_payload(self, self->input, self->input_length, &walked, &cut))
        return false;
    if (self->units == 0 && self->held_length == 0) {
        // The whole chunk lies in the input.
        out->payload = self->input;
        out->length = walked;
        use_input(self, walked);
        return true;
    }
    size_t left = cut ? self->input_length - walked : 0;
    if (!hold(self, walked + left))
        return false;
    self->held_cut = left;
    if (self->units > 0)
        return false;
    out->payload = self->held;
    out->length = self->held_length;
    self->held_returned = true;
    return true;
}

framer_status framer_next(framer *self, framer_chunk *out) {
    if (self->held_returned)
        drop_held(self);
    if (self->input_length == 0)
        return self->when_empty;
    if (self->state == FRAMER_IN_LENGTH && !read_length(self))
        return self->when_empty;
    if (!read_payload(self, out))
        return self->when_empty;
    // Every other character has more bytes than units.
    out->is_ascii = out->length == self->chunk_units;
    begin_length(self);
    return FRAMER_CHUNK;
}

bool framer_at_boundary(const framer *self) {
    bool in_mark = self->mark > 0 && self->mark < FRAMER_NO_MARK;
    return self->state == FRAMER_IN_LENGTH && !self->length_begun && !in_mark && self->input_length == 0;
}

size_t framer_input_left(const framer *self) {
    return self->input_length;
}
