/* From literals to Python objects. */
#ifndef GAECHANNEL_PY_VALUES_H
#define GAECHANNEL_PY_VALUES_H

#include "py/state.h"
#include "wire/literal_text.h"

/* A literal's value. `text` must be a literal known to be well-formed, or ParseError is raised; `length` in
 * bytes. */
PyObject *value_from_literal(module_state *state, const uint8_t *text, size_t length);

/* UTF-8 in which lone surrogates stand as three bytes to str. */
PyObject *str_with_surrogates(const uint8_t *text, size_t length);

/* The same for where there are hardly ever any. */
PyObject *str_from_utf8(const uint8_t *text, size_t length);

/* What is known to be ASCII to str. */
PyObject *str_from_ascii(const uint8_t *text, size_t length);

/* What literal_text() made to str. */
PyObject *str_from_form(literal_form form, const uint8_t *text, size_t length);

/* A string token's content to str. */
PyObject *str_from_token(const uint8_t *token, size_t length, bool escaped);

/* The function gaechannel._core.parse(text). */
PyObject *parse_literal(PyObject *module, PyObject *text);

#endif
