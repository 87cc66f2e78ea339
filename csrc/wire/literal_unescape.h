/* A string's content, its escapes undone. */
#ifndef GAECHANNEL_WIRE_LITERAL_UNESCAPE_H
#define GAECHANNEL_WIRE_LITERAL_UNESCAPE_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

/* Undo a string's escapes.
 *
 * escaped, length  a string token's content, as the reader returned it (so its escapes are well-formed)
 * out              room for `length` bytes (the result is never longer); may be `escaped` itself
 * lone_surrogate   out: whether an escape gave a surrogate without its pair, now three bytes of the result
 *                  (surrogates that stood in the text as three bytes stay so, and are not looked for)
 *
 * Returns the result's length in bytes: UTF-8, but for lone surrogates. */
size_t literal_unescape(const uint8_t *escaped, size_t length, uint8_t *out, bool *lone_surrogate);

/* The same without its fast path: what it must agree with on every input. */
size_t literal_unescape_plain(const uint8_t *escaped, size_t length, uint8_t *out, bool *lone_surrogate);

/* Whether a string token's content, its escapes undone, is `word` (ASCII). */
bool literal_is(const uint8_t *token, size_t length, bool escaped, const char *word);

#endif
