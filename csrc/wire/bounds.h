/* A chunk's payload to its arrays, without reading what is in them: `[[id, data], [id, data], …]`, where data
 * is whatever stands between its bounds.
 *
 * Of what arrays.h calls an array of arrays, the same comes of it. More passes: data that is no literal, but
 * whose brackets and quotes end where they should. */
#ifndef GAECHANNEL_WIRE_BOUNDS_H
#define GAECHANNEL_WIRE_BOUNDS_H

#include "wire/arrays.h"

typedef struct bounds_reader {
    const uint8_t *text;
    const uint8_t *end;
    // The next byte to read; after an error, the byte it is about.
    const uint8_t *cursor;
    // The outer `[` has been read; and its `]`, or there was none.
    bool begun;
    bool ended;
    // What is wrong; a static string. NULL: nothing.
    const char *error;
} bounds_reader;

/* Begin reading a chunk's payload, as arrays_init(). */
void bounds_init(bounds_reader *reader, const uint8_t *payload, size_t length);

/* The next array; its data without white space around it, and not told whether it is a talk message. After
 * ARRAYS_END or ARRAYS_ERROR, the same again. After an error, the id in `out` is that of the array it is
 * about, or what it was. */
arrays_status bounds_next(bounds_reader *reader, wire_array *out);

#endif
