/* TypeError, where a value is of another type than is wanted. */
#ifndef GAECHANNEL_PY_WRONG_TYPE_H
#define GAECHANNEL_PY_WRONG_TYPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* "proxy", "must be a str": "proxy must be a str, not int". */
void raise_wrong_type(const char *what, const char *wanted, PyObject *value);

#endif
