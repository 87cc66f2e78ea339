/* A string's text, its escapes undone, in the form of which interpreters make strings soonest. */
#ifndef GAECHANNEL_WIRE_LITERAL_TEXT_H
#define GAECHANNEL_WIRE_LITERAL_TEXT_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, SIZE_MAX

#include "wire/literal_form.h"

// The bytes that literal_text() may write for a string of `length` bytes; more than the result has.
#define LITERAL_TEXT_ROOM(length) (4 * (length) + 256)
// For longer strings that would be more than a size_t holds.
#define LITERAL_TEXT_LONGEST ((SIZE_MAX - 256) / 4)

/* Undo a string's escapes and tell what it is made of.
 *
 * `token` is a string token, as literal_next() returned it: valid UTF-8 (but surrogates as three bytes are
 * found here), with well-formed escapes if it is `escaped`; `length` in bytes. `room` has
 * LITERAL_TEXT_ROOM(length) bytes, aligned as for wchar_t, and is not the token itself. `*text` becomes a
 * place in it, aligned for the form, and `*text_length` the text's length in bytes, whatever its form; both
 * are undefined for LITERAL_OTHER. */
literal_form literal_text(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                          const uint8_t **text, size_t *text_length);

/* The same by way of literal_unescape_plain(), a character at a time: what it must agree with on every input.
 */
literal_form literal_text_plain(const uint8_t *token, size_t length, bool escaped, uint8_t *room,
                                const uint8_t **text, size_t *text_length);

/* UTF-32 of UTF-8 in which surrogates may stand as three bytes, which is what literal_unescape() makes of a
 * string that is LITERAL_OTHER; they stay as they are. `out` has room for `4 * length` bytes. Returns the
 * result's length in bytes. */
size_t literal_codes(const uint8_t *text, size_t length, uint8_t *out);

/* Whether all bytes are below 0x80. */
bool literal_is_ascii(const uint8_t *bytes, size_t length);

#endif
