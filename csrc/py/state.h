/* The extension module's state: what its types and functions share. */
#ifndef GAECHANNEL_PY_STATE_H
#define GAECHANNEL_PY_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdatomic.h>

#include "py/names.h"

typedef struct module_state {
    // The classes of gaechannel.errors.
    PyObject *channel_error;
    PyObject *parse_error;
    PyObject *corrupted;
    PyObject *transport_error;
    PyObject *timeout;
    PyObject *http_status_error;
    PyObject *session_lost;
    PyObject *maps_refused;
    PyObject *invalid_token;
    PyObject *token_expired;
    PyObject *closed;
    PyObject *web_channel_error;
    // By py_name.
    PyObject *names[NAME_COUNT];
    // asyncio.get_running_loop(), once it was needed.
    _Atomic(PyObject *) get_running_loop;
    // StopIteration.value, and what sets it.
    PyObject *stop_value;
    descrsetfunc set_stop_value;
    // The types defined here.
    PyTypeObject *channel_type;
    PyTypeObject *messages_type;
    PyTypeObject *event_loop_type;
    PyTypeObject *awaiter_type;
    PyTypeObject *merge_type;
    PyTypeObject *async_merge_type;
    PyTypeObject *decoder_type;
    PyTypeObject *talk_decoder_type;
    PyTypeObject *framer_type;
    // What makes objects of JSON, while it is not in use; see builder.h. Freed with the first of the two; the
    // second is where it is.
    PyObject *builders;
    struct builder_shelf *shelf;
} module_state;

/* The module, but for its functions and slots, which PyInit__core() adds. */
extern struct PyModuleDef module_def;

module_state *module_state_of(PyObject *module);
/* The state behind one of this module's types, or a subclass of one. NULL with an exception set. */
module_state *module_state_of_type(PyTypeObject *type);

/* Make one of the module's types, keep it in the state, at `place`, and show it in the module. -1 with an
 * exception set. */
int module_add_type(PyObject *module, PyTypeObject **place, PyType_Spec *spec);

#endif
