/* To compare texts that literal_text() and literal_codes() have made in different forms. */
#ifndef TEXT_FORMS_H
#define TEXT_FORMS_H

#include <stdbool.h>
#include <string.h> // memcpy

#include "wire/literal_text.h"

/* Make UTF-16 of another form, at `bytes`, where there is room for it. */
static inline void text_to_utf16(literal_form form, const uint8_t *text, uint8_t *bytes, size_t *length) {
    size_t to = 0;
    memmove(bytes, text, *length);
    if (form == LITERAL_ASCII || form == LITERAL_LATIN1) {
        for (size_t i = *length; i-- > 0;) {
            uint16_t unit = bytes[i];
            memcpy(bytes + 2 * i, &unit, sizeof unit);
        }
        *length *= 2;
    } else if (form == LITERAL_UTF32) {
        for (size_t at = 0; at < *length; at += 4) {
            uint32_t code;
            memcpy(&code, bytes + at, sizeof code);
            size_t size = code < 0x10000 ? 2 : 4;
            uint16_t units[2] = {(uint16_t)(size == 2 ? code : 0xD7C0 + (code >> 10)),
                                 (uint16_t)(0xDC00 | (code & 0x3FF))};
            memcpy(bytes + to, units, size);
            to += size;
        }
        *length = to;
    }
}

/* Whether UTF-32 is what UTF-8 says, surrogates as three bytes in both. */
static inline bool codes_are(const uint8_t *codes, size_t codes_length, const uint8_t *text, size_t length) {
    size_t at = 0;
    for (size_t i = 0; i < codes_length; i += 4) {
        uint32_t code;
        memcpy(&code, codes + i, sizeof code);
        size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        if (length - at < size)
            return false;
        uint32_t lead = size == 1 ? 0 : size == 2 ? 0xC0 : size == 3 ? 0xE0 : 0xF0;
        if (text[at] != (lead | code >> 6 * (size - 1)))
            return false;
        for (size_t j = 1; j < size; j++)
            if (text[at + j] != (0x80 | (code >> 6 * (size - 1 - j) & 0x3F)))
                return false;
        at += size;
    }
    return at == length;
}

#endif
