/* Text that grows: URLs, form bodies, error messages. */
#ifndef GAECHANNEL_SESSION_STRBUF_H
#define GAECHANNEL_SESSION_STRBUF_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint32_t

/* All zeros is an empty one. When memory runs out, or past 2 GiB, it stays as it is, and nothing more is
 * appended: so a caller appends what it has to and asks once, at the end, whether it has failed. A channel
 * has forty of these, most of them empty: so they are small. */
typedef struct strbuf {
    // Always followed by a NUL when not NULL.
    char *data;
    uint32_t length;   // bytes, without the NUL
    uint32_t capacity; // bytes; UINT32_MAX: failed
} strbuf;

void strbuf_free(strbuf *buf);

/* Whether memory ran out since it was last cleared. */
bool strbuf_failed(const strbuf *buf);
/* As if memory had run out for it. */
void strbuf_fail(strbuf *buf);

/* Back to empty; keeps the memory. */
void strbuf_clear(strbuf *buf);
/* Give back the room that the text does not fill. */
void strbuf_trim(strbuf *buf);

/* Append bytes, a string, a formatted string of at most 1,023 bytes. */
void strbuf_append(strbuf *buf, const char *bytes, size_t length);
void strbuf_text(strbuf *buf, const char *text);
void strbuf_format(strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append percent-encoded as application/x-www-form-urlencoded wants it: a space is a plus sign. */
void strbuf_quote(strbuf *buf, const char *bytes, size_t length);

/* The same of a parameter's value, behind what leads it: "&name=". */
void strbuf_parameter(strbuf *buf, const char *lead, const strbuf *value);

/* Replace the content; `text` may be NULL, which is empty. False when memory ran out. */
bool strbuf_set(strbuf *buf, const char *text);

/* The content as a C string, never NULL. */
const char *strbuf_str(const strbuf *buf);

#endif
