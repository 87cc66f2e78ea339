/* The forms that a string's text may have. */
#ifndef GAECHANNEL_WIRE_LITERAL_FORM_H
#define GAECHANNEL_WIRE_LITERAL_FORM_H

#include <stdint.h> // uint8_t, uint16_t
#include <string.h> // memcpy

// All in the machine's own byte order. Which one a text comes in hangs on the processor, too.
typedef enum literal_form {
    LITERAL_ASCII,  // bytes below 0x80
    LITERAL_LATIN1, // a byte for each character
    LITERAL_UTF16,  // surrogates only in pairs
    LITERAL_UTF32,  // as wchar_t, where that has 32 bits; no surrogates
    LITERAL_OTHER,  // holds a lone surrogate (UTF-16 might join two of them): literal_codes() reads it
} literal_form;

/* Write a unit of UTF-16; returns where the next one goes. */
static inline uint8_t *put_unit(uint8_t *out, unsigned unit) {
    uint16_t word = (uint16_t)unit;
    memcpy(out, &word, sizeof word);
    return out + sizeof word;
}

#endif
