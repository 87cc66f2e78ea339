/* From the digits of a literal's numbers to int and float. */
#ifndef GAECHANNEL_PY_NUMBERS_H
#define GAECHANNEL_PY_NUMBERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h> // uint8_t

/* The number of a token that the literal reader calls an integer, of `length` bytes. ValueError where it has
 * more digits than CPython was told to read. */
PyObject *int_from_token(const uint8_t *token, size_t length);

/* The same of one that it calls a float. */
PyObject *float_from_token(const uint8_t *token, size_t length);

/* The number at `*cursor`, which then is behind it. The text goes on behind the number, with what belongs to
 * no number, and ends at `end`. NULL with MemoryError set, or without an exception: no number as JSON has it,
 * or one that the plain reader is to judge. */
PyObject *number_read(const uint8_t **cursor, const uint8_t *end);

#endif
