/* The module's state: found from the module and from its types, traversed and cleared. */
#include "py/state.h"

#include <stddef.h> // offsetof()

#include "py/exceptions.h"

module_state *module_state_of(PyObject *module) {
    return PyModule_GetState(module);
}

module_state *module_state_of_type(PyTypeObject *type) {
    // A subclass made in Python is of no module of ours; one of its bases is.
    PyObject *bases = PyObject_GetAttrString((PyObject *)type, "__mro__");
    if (bases == NULL)
        return NULL;
    module_state *state = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(bases) && state == NULL; i++) {
        PyTypeObject *base = (PyTypeObject *)PyTuple_GetItem(bases, i);
        if (!(PyType_GetFlags(base) & Py_TPFLAGS_HEAPTYPE))
            continue;
        PyObject *module = PyType_GetModule(base);
        if (module == NULL && !exception_forgive(PyExc_TypeError)) // of no module
            break;
        if (module != NULL && PyModule_GetDef(module) == &module_def)
            state = module_state_of(module);
    }
    Py_DECREF(bases);
    if (state == NULL && PyErr_Occurred() == NULL)
        PyErr_SetString(PyExc_SystemError, "gaechannel._core is gone");
    return state;
}

int module_add_type(PyObject *module, PyTypeObject **place, PyType_Spec *spec) {
    *place = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *place != NULL ? PyModule_AddType(module, *place) : -1;
}

/* ---- The state's life ---- */

// Where in the state the references to objects are.
static const size_t members[] = {
    offsetof(module_state, channel_error),    offsetof(module_state, parse_error),
    offsetof(module_state, corrupted),        offsetof(module_state, transport_error),
    offsetof(module_state, timeout),          offsetof(module_state, http_status_error),
    offsetof(module_state, session_lost),     offsetof(module_state, maps_refused),
    offsetof(module_state, invalid_token),    offsetof(module_state, token_expired),
    offsetof(module_state, closed),           offsetof(module_state, web_channel_error),
    offsetof(module_state, get_running_loop), offsetof(module_state, stop_value),
    offsetof(module_state, channel_type),     offsetof(module_state, messages_type),
    offsetof(module_state, event_loop_type),  offsetof(module_state, awaiter_type),
    offsetof(module_state, merge_type),       offsetof(module_state, async_merge_type),
    offsetof(module_state, decoder_type),     offsetof(module_state, talk_decoder_type),
    offsetof(module_state, framer_type),      offsetof(module_state, builders),
};

static PyObject **member(module_state *state, size_t index) {
    return (PyObject **)((char *)state + members[index]);
}

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    module_state *state = module_state_of(module);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        Py_VISIT(*member(state, i));
    return 0;
}

static int clear_module(PyObject *module) {
    module_state *state = module_state_of(module);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        Py_CLEAR(*member(state, i));
    return 0;
}

// What the collector clears in the module's name may still be asked of channels that go in the same turn; a
// str is in no circle.
static void free_module(void *module) {
    module_state *state = module_state_of(module);
    clear_module(module);
    for (size_t i = 0; i < NAME_COUNT; i++)
        Py_CLEAR(state->names[i]);
}

struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "gaechannel._core",
    .m_size = sizeof(module_state),
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};
