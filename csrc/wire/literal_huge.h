/* Strings by 64 bytes at a time, where the processor has what vector.h calls huge. */
#ifndef GAECHANNEL_WIRE_LITERAL_HUGE_H
#define GAECHANNEL_WIRE_LITERAL_HUGE_H

#include "literal_text.h"
#include "vector.h"

#ifdef VECTOR_HUGE

/* The end of a string, its closing quote. `at` is in the string, and not inside an escape. NULL if the string
 * does not end or an escape is malformed, without saying which or where. */
const uint8_t *literal_string_end_huge(const uint8_t *at, const uint8_t *end, uint8_t quote);

/* As literal_text(). */
literal_form literal_text_huge(const uint8_t *token, size_t length, bool escaped, uint8_t *out,
                               size_t *out_length);

#endif

#endif
