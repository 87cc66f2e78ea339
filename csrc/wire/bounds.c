/* A chunk's payload to its arrays' bounds. */
#include "wire/bounds.h"

#include "wire/bounds_scan.h"

void bounds_init(bounds_reader *reader, const uint8_t *payload, size_t length) {
    *reader = (bounds_reader){.text = payload, .end = length > 0 ? payload + length : payload};
    reader->cursor = reader->text;
}

static arrays_status fail(bounds_reader *reader, const uint8_t *at, const char *error) {
    reader->cursor = at;
    reader->error = error;
    return ARRAYS_ERROR;
}

static inline bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline const uint8_t *skip_space(const uint8_t *at, const uint8_t *end) {
    while (at < end && is_space(*at))
        at++;
    return at;
}

static inline bool is_at(const uint8_t *at, const uint8_t *end, uint8_t byte) {
    return at < end && *at == byte;
}

/* An integer of 0 or more, as the literal reader takes it. NULL if it is none. */
static const uint8_t *take_id(const uint8_t *at, const uint8_t *end, int64_t *id) {
    bool negative = is_at(at, end, '-');
    const uint8_t *digits = at += negative;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    size_t length = (size_t)(at - digits);
    int64_t value = length > 0 ? literal_small_integer(digits, length) : -1;
    if (value < 0 || (length > 1 && *digits == '0') || (negative && value != 0))
        return NULL;
    *id = value;
    return at;
}

/* Read the array behind its `[`. */
static arrays_status read_array(bounds_reader *reader, const uint8_t *begin, wire_array *out) {
    const uint8_t *end = reader->end;
    const uint8_t *at = take_id(skip_space(begin, end), end, &out->id);
    if (at != NULL)
        at = skip_space(at, end);
    if (at == NULL || (at < end && *at != ',' && *at != ']'))
        return fail(reader, begin, "an array's id is not a whole number of 0 or more");
    if (at < end)
        at = *at == ',' ? skip_space(at + 1, end) : at;
    const uint8_t *bound = bounds_scan(at, end);
    if (bound == NULL)
        return fail(reader, end, "an array does not end");
    if (bound == at)
        return fail(reader, at, "an array without data");
    out->data = at;
    at = bound;
    while (is_space(at[-1])) // data begins with something else
        at--;
    out->data_length = (size_t)(at - out->data);
    if (*bound == ',') // of which one is no element
        bound = skip_space(bound + 1, end);
    if (!is_at(bound, end, ']'))
        return fail(reader, bound, "an array of more than an id and data");
    out->is_talk_message = false;
    reader->cursor = bound + 1;
    return ARRAYS_ARRAY;
}

/* Only white space may follow. */
static arrays_status finish(bounds_reader *reader, const uint8_t *at) {
    at = skip_space(at, reader->end);
    if (at != reader->end)
        return fail(reader, at, "something follows the value");
    reader->cursor = at;
    reader->ended = true;
    return ARRAYS_END;
}

arrays_status bounds_next(bounds_reader *reader, wire_array *out) {
    const uint8_t *end = reader->end;
    if (reader->error != NULL)
        return ARRAYS_ERROR;
    if (reader->ended)
        return ARRAYS_END;
    const uint8_t *at = skip_space(reader->cursor, end);
    if (!reader->begun) {
        if (at == end)
            return finish(reader, at);
        if (*at != '[')
            return fail(reader, at, "not an array of arrays");
        reader->begun = true;
        at = skip_space(at + 1, end);
    } else if (is_at(at, end, ',')) {
        at = skip_space(at + 1, end);
    } else if (!is_at(at, end, ']')) {
        return fail(reader, at, "neither a comma nor ] behind an array's element");
    }
    if (is_at(at, end, ']'))
        return finish(reader, at + 1);
    if (!is_at(at, end, '['))
        return fail(reader, at, "not an array of arrays");
    return read_array(reader, at + 1, out);
}
