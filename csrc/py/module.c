/* gaechannel._core: the module, its state, and the functions that belong to no type. */
#include "module.h"

#include <curl/curl.h> // curl_global_init()

// Slots that CPython 3.12 and 3.13 have added; the stable ABI of 3.11 has no names for them.
#define SLOT_MULTIPLE_INTERPRETERS 3
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#define SLOT_GIL 4
#define GIL_NOT_USED ((void *)1)

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
        if (module == NULL)
            PyErr_Clear();
        else if (PyModule_GetDef(module) == &module_def)
            state = module_state_of(module);
    }
    Py_DECREF(bases);
    if (state == NULL)
        PyErr_SetString(PyExc_SystemError, "gaechannel._core is gone");
    return state;
}

/* ---- Functions ---- */

static PyObject *after_fork(PyObject *module, PyObject *unused) {
    (void)unused;
    module_state_of(module)->forks++;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"parse", parse_literal, METH_O,
     "parse(text, /)\n--\n\nThe value of a literal as the talk servers write it: JSON, plus holes, single "
     "quotes, JavaScript's escapes and undefined."},
    {"_after_fork", after_fork, METH_NOARGS, "_after_fork()\n--\n\nTo be called in a forked child."},
    {NULL, NULL, 0, NULL},
};

/* ---- Loading ---- */

static int watch_forks(PyObject *module) {
    PyObject *os = PyImport_ImportModule("os");
    PyObject *hook = PyObject_GetAttrString(module, "_after_fork");
    PyObject *watch = os != NULL ? PyObject_GetAttrString(os, "register_at_fork") : NULL;
    PyObject *arguments = PyTuple_New(0);
    PyObject *keywords = hook != NULL ? Py_BuildValue("{sO}", "after_in_child", hook) : NULL;
    PyObject *result = NULL;
    if (watch != NULL && arguments != NULL && keywords != NULL)
        result = PyObject_Call(watch, arguments, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(arguments);
    Py_XDECREF(watch);
    Py_XDECREF(hook);
    Py_XDECREF(os);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static int exec_module(PyObject *module) {
    module_state *state = module_state_of(module);
    // Counts its callers, and is thread-safe in every libcurl that is new enough for us.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        PyErr_SetString(PyExc_ImportError, "libcurl cannot be initialized");
        return -1;
    }
    if (errors_import(state) < 0 || channel_add_type(module, state) < 0 ||
        messages_add_type(module, state) < 0 || loop_add_type(module, state) < 0 ||
        awaiter_add_type(module, state) < 0 || merge_add_types(module, state) < 0 ||
        decoder_add_types(module, state) < 0 || watch_forks(module) < 0)
        return -1;
    if (PyModule_AddStringConstant(module, "__version__", GAECHANNEL_VERSION) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "libcurl_version", curl_version_info(CURLVERSION_NOW)->version);
}

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    module_state *state = module_state_of(module);
    Py_VISIT(state->channel_type);
    Py_VISIT(state->messages_type);
    Py_VISIT(state->loop_type);
    Py_VISIT(state->awaiter_type);
    Py_VISIT(state->merge_type);
    Py_VISIT(state->async_merge_type);
    Py_VISIT(state->get_running_loop);
    Py_VISIT(state->decoder_type);
    Py_VISIT(state->talk_decoder_type);
    return errors_traverse(state, visit, arg);
}

static int clear_module(PyObject *module) {
    module_state *state = module_state_of(module);
    Py_CLEAR(state->channel_type);
    Py_CLEAR(state->messages_type);
    Py_CLEAR(state->loop_type);
    Py_CLEAR(state->awaiter_type);
    Py_CLEAR(state->merge_type);
    Py_CLEAR(state->async_merge_type);
    Py_XDECREF(atomic_exchange(&state->get_running_loop, NULL));
    Py_CLEAR(state->decoder_type);
    Py_CLEAR(state->talk_decoder_type);
    errors_clear(state);
    return 0;
}

static void free_module(void *module) {
    clear_module(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
    // Below here, what an older CPython would refuse: PyInit__core() ends the list before it.
    {SLOT_MULTIPLE_INTERPRETERS, PER_INTERPRETER_GIL_SUPPORTED},
    {SLOT_GIL, GIL_NOT_USED},
    {0, NULL},
};

struct PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "gaechannel._core",
    .m_doc = "The C core of gaechannel.",
    .m_size = sizeof(module_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__core(void) {
    if (Py_Version < 0x030C0000)
        slots[1] = (PyModuleDef_Slot){0, NULL};
    else if (Py_Version < 0x030D0000)
        slots[2] = (PyModuleDef_Slot){0, NULL};
    return PyModuleDef_Init(&module_def);
}
