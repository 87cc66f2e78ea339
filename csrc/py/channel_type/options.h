/* What Channel's __init__() is given: its keyword arguments, in one table. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_OPTIONS_H
#define GAECHANNEL_PY_CHANNEL_TYPE_OPTIONS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "net/net.h"
#include "session/session.h"

/* Texts and objects are borrowed of the arguments. */
typedef struct channel_options {
    session_config session;
    net_options net;
    // The dialect's name.
    const char *dialect;
    // What the session is told once it has been made.
    const char *token;
    const char *params;
    const char *open_form;
    const char *init_headers;
    // NULL where there is none.
    PyObject *token_source;
    PyObject *secrets;
    PyObject *privates;
    PyObject *logger;
    bool unwraps;
    bool is_async;
} channel_options;

/* -1 with an exception set. Only what is an argument is written; all else is zero. */
int channel_options_read(channel_options *self, PyObject *args, PyObject *kwargs);

#endif
