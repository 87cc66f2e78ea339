/* From texts to str. */
#ifndef GAECHANNEL_PY_STRINGS_H
#define GAECHANNEL_PY_STRINGS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stdint.h> // uint8_t

#include "session/strbuf.h"

/* UTF-8 in which lone surrogates stand as three bytes to str. */
PyObject *str_with_surrogates(const uint8_t *text, size_t length);

/* The same for where there are hardly ever any. */
PyObject *str_from_utf8(const uint8_t *text, size_t length);

/* What is known to be ASCII to str. */
PyObject *str_from_ascii(const uint8_t *text, size_t length);

/* UTF-8 that was written, and is freed here; what is none is as `errors` says to bytes.decode(). */
PyObject *str_from_written(strbuf *text, const char *errors);

/* A string token's content to str. */
PyObject *str_from_token(const uint8_t *token, size_t length, bool escaped);

#endif
