/* Exceptions of our own, and those in the way of something else: the only place where one is cleared.
 *
 * Wherever Python code runs, a signal's handler may, too, and raise KeyboardInterrupt, or what it likes. So
 * nobody may clear "whatever was raised". */
#ifndef GAECHANNEL_PY_EXCEPTIONS_H
#define GAECHANNEL_PY_EXCEPTIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

/* Clear the exception that is set if it is of this class; else it stays set, and this is false. */
bool exception_forgive(PyObject *kind);

/* Whether the exception that is set is one that ends an event loop: KeyboardInterrupt or SystemExit. */
bool exception_ends_program(void);

/* Raise one of our own classes. CPython 3.11's PyErr_SetString() goes on where memory for the words runs out,
 * and the class is called without them: a TypeError, where it must be a MemoryError. */
void exception_raise(PyObject *kind, const char *words);

// An exception that was set aside while more is to be done; {0}: none.
typedef struct set_aside {
    PyObject *type;
    PyObject *value;
    PyObject *traceback;
} set_aside;

/* Set aside the exception that is set, if one is. Of several the first is kept, but what is no Exception
 * (Ctrl-C, say) goes before what is. */
void exception_set_aside(set_aside *self);

/* Set again what was set aside: -1; 0 where that is nothing. In the place of any exception that is set. */
int exception_resume(set_aside *self);

#endif
