/* White space between a literal's tokens. */
#ifndef GAECHANNEL_WIRE_LITERAL_SPACE_H
#define GAECHANNEL_WIRE_LITERAL_SPACE_H

#include <stdint.h> // uint8_t

#include "wire/simd/vector.h"

/* Where white space that may begin at `at` ends; something else must come behind it, before the text's end.
 */
static inline const uint8_t *literal_skip_space(const uint8_t *at) {
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

/* The same where there is mostly none, or one space, or indentation, which is walked over by sixteen bytes.
 * `end` is the text's end. */
__attribute__((always_inline)) static inline const uint8_t *literal_skip_indent(const uint8_t *at,
                                                                                const uint8_t *end) {
    if (__builtin_expect(*at > ' ', 1))
        return at;
    if (at[0] == ' ' && at[1] > ' ')
        return at + 1;
#ifdef VECTOR_BYTES
    if (*at == '\n')
        at++;
    while (end - at >= VECTOR_BYTES) {
        vector others = vector_xor(vector_equal(vector_load(at), vector_of(' ')), vector_of(0xFF));
        uint64_t marks = vector_marks(others);
        if (marks != 0) {
            at += vector_first(marks);
            break;
        }
        at += VECTOR_BYTES;
    }
#else
    (void)end;
#endif
    return literal_skip_space(at);
}

#endif
