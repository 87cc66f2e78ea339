/* What literal_string_end() and literal_text() do where there are blocks (see blocks.h), sixty-four bytes at
 * a time. */
#ifndef GAECHANNEL_WIRE_LITERAL_BLOCKS_H
#define GAECHANNEL_WIRE_LITERAL_BLOCKS_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

#include "wire/literal_form.h"

typedef struct literal_by_blocks {
    // What makes the blocks: the processor's extension, by the name that its maker gives it.
    const char *extension;
    /* The end of a string, its closing quote. `at` is in the string, and not inside an escape. NULL if the
     * string does not end or an escape is malformed, without saying which or where. */
    const uint8_t *(*string_end)(const uint8_t *at, const uint8_t *end, uint8_t quote);
    /* As literal_text(). */
    literal_form (*text)(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                         const uint8_t **text, size_t *text_length);
} literal_by_blocks;

/* By the largest blocks that the processor has; NULL where it has none. */
const literal_by_blocks *literal_blocks(void);

#endif
