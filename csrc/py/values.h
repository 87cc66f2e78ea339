/* From literals to Python objects. */
#ifndef GAECHANNEL_PY_VALUES_H
#define GAECHANNEL_PY_VALUES_H

#include <stdbool.h>

#include "py/state.h"

/* A literal's value. `text` must be a literal known to be well-formed, or ParseError is raised; `length` in
 * bytes. This is the plain way, which the builder's must agree with on every input. */
PyObject *value_from_literal(module_state *state, const uint8_t *text, size_t length);

/* The same of a text that is valid UTF-8 and has BUILDER_PADDING zeros behind it, by the builder where that
 * can read it. `only_item`: of a list with one item, that. */
PyObject *value_from_message(module_state *state, const uint8_t *text, size_t length, bool only_item);

/* The function gaechannel._core.parse(text). */
PyObject *parse_literal(PyObject *module, PyObject *text);

#endif
