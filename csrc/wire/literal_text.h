/* A string's text, its escapes undone, as interpreters build strings from it soonest: as ASCII, or as UTF-16.
 */
#ifndef GAECHANNEL_WIRE_LITERAL_TEXT_H
#define GAECHANNEL_WIRE_LITERAL_TEXT_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t

typedef enum literal_form {
    LITERAL_ASCII, // bytes below 0x80
    LITERAL_UTF16, // UTF-16 units in the machine's own order, surrogates only in pairs; ASCII too, in some
                   // odd cases
    LITERAL_OTHER, // holds a lone surrogate (UTF-16 might join two of them): literal_unescape() knows it
} literal_form;

// The bytes that literal_text() may write for a string of `length` bytes; more than the result has.
#define LITERAL_TEXT_ROOM(length) (2 * (length) + 128)

/* Undo a string's escapes and tell what it is made of.
 *
 * token, length, escaped  a string token, as literal_next() returned it: valid UTF-8 (but surrogates as three
 * bytes are found here), with well-formed escapes; `length` in bytes out                     room for
 * LITERAL_TEXT_ROOM(length) bytes; not the token itself out_length              out: the result's length in
 * bytes, also of UTF-16; undefined for LITERAL_OTHER
 */
literal_form literal_text(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                          size_t *out_length);

/* The same by way of literal_unescape_plain(), a character at a time: what it must agree with on every input.
 */
literal_form literal_text_plain(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                                size_t *out_length);

/* Whether all bytes are below 0x80. */
bool literal_is_ascii(const uint8_t *bytes, size_t length);

#endif
