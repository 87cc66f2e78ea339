/* Methods by which gaechannel's Python code sets what it has asked a caller's callables for. */
#ifndef GAECHANNEL_PY_CHANNEL_TYPE_HOOKS_H
#define GAECHANNEL_PY_CHANNEL_TYPE_HOOKS_H

#include "py/channel/object.h"

/* _set_asks(session, headers, states, cookies): which of these somebody wants to be asked or told. */
PyObject *channel_set_asks(PyObject *op, PyObject *args);
/* _set_headers(headers, cookies, all): for the next requests; whether these are all cookies. */
PyObject *channel_set_headers(PyObject *op, PyObject *args);
/* _cookies(): a line of the caller's, and a line each of those that servers have set. */
PyObject *channel_cookies(PyObject *op, PyObject *unused);
/* _set_secrets(secrets, privates): in the place of the last ones. */
PyObject *channel_set_secrets(PyObject *op, PyObject *args);
/* _set_opening_retry(patient): how the next session's opening goes on after a failure. */
PyObject *channel_set_opening_retry(PyObject *op, PyObject *patient);
/* _take_answer(session_opens): what was awaited is set. */
PyObject *channel_take_late_answer(PyObject *op, PyObject *session_opens);

#endif
