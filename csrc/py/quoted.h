/* Strings from behind their opening quotation mark on, for the builder. */
#ifndef GAECHANNEL_PY_QUOTED_H
#define GAECHANNEL_PY_QUOTED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h> // uint8_t

/* The string whose quotation mark, of either kind, is at `*cursor`, which then is behind its other one.
 *
 * `end` is where the text ends, whose last byte is ASCII, and no backslash and no hexadecimal digit. Returns
 * NULL with MemoryError set, or without an exception: no string, or one that the plain reader is to judge.
 * `padded_end` is `end`, or LITERAL_HEAD zeros behind it. */
PyObject *quoted_read(const uint8_t **cursor, const uint8_t *end, const uint8_t *padded_end);

/* The same of a string in double quotes, where it is known that the first of its bytes that is a backslash or
 * past ASCII is at `special`, and no quotation mark before it. */
PyObject *quoted_read_special(const uint8_t **cursor, const uint8_t *special, const uint8_t *end);

#endif
