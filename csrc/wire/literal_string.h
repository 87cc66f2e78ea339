/* The end of a literal's string. */
#ifndef GAECHANNEL_WIRE_LITERAL_STRING_H
#define GAECHANNEL_WIRE_LITERAL_STRING_H

#include <stdbool.h>
#include <stdint.h> // uint8_t

/* The quote that ends a string in a text that ends at `end`, or NULL when it does not end or holds a
 * malformed escape: `*bad` is then the text's end, or that escape's backslash. `at` is behind the opening
 * quote;
 * `*escaped` is set when there is a backslash. The second is the same without its fast path for many escapes.
 */
const uint8_t *literal_string_end(const uint8_t *at, const uint8_t *end, uint8_t quote, bool *escaped,
                                  const uint8_t **bad);
const uint8_t *literal_string_end_plain(const uint8_t *at, const uint8_t *end, uint8_t quote, bool *escaped,
                                        const uint8_t **bad);

#endif
