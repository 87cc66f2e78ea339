/* gaechannel._core: the module, and the functions that belong to no type. */
#include <curl/curl.h> // curl_global_init()

#include "net/authorities.h"
#include "net/libcurl.h"
#include "net/pem.h"
#include "py/builder.h"
#include "py/channel_type/type.h"
#include "py/decoder.h"
#include "py/errors.h"
#include "py/forks.h"
#include "py/iterators/awaiter.h"
#include "py/iterators/merge.h"
#include "py/iterators/messages.h"
#include "py/loops/event_loop.h"
#include "py/loops/shared_loop.h"
#include "py/making.h"
#include "py/values.h"
#include "wire/literal_blocks.h"

// Slots that CPython 3.12 and 3.13 have added; the stable ABI of 3.11 has no names for them.
#define SLOT_MULTIPLE_INTERPRETERS 3
#define PER_INTERPRETER_GIL_SUPPORTED ((void *)2)
#define SLOT_GIL 4
#define GIL_NOT_USED ((void *)1)

/* ---- Functions ---- */

static PyObject *before_exit(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    shared_loops_prepare_end(true);
    Py_RETURN_NONE;
}

/* What libcurl's own bits are called, where they say what a channel can do. */
static const struct {
    const char *name;
    int bit;
} features[] = {
    {"AsynchDNS", CURL_VERSION_ASYNCHDNS},
    {"HTTP2", CURL_VERSION_HTTP2},
    {"HTTPS-proxy", CURL_VERSION_HTTPS_PROXY},
    {"IDN", CURL_VERSION_IDN},
    {"IPv6", CURL_VERSION_IPV6},
    {"PSL", CURL_VERSION_PSL},
    {"SPNEGO", CURL_VERSION_SPNEGO},
    {"SSL", CURL_VERSION_SSL},
    {"libz", CURL_VERSION_LIBZ},
    {"threadsafe", CURL_VERSION_THREADSAFE},
};

static PyObject *libcurl_details(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    const curl_version_info_data *info = libcurl_info();
    PyObject *names = PyList_New(0);
    for (size_t i = 0; names != NULL && i < sizeof features / sizeof *features; i++) {
        PyObject *name =
            (info->features & features[i].bit) != 0 ? PyUnicode_FromString(features[i].name) : NULL;
        if (name != NULL ? PyList_Append(names, name) < 0 : PyErr_Occurred() != NULL)
            Py_CLEAR(names);
        Py_XDECREF(name);
    }
    PyObject *details = names != NULL ? Py_BuildValue("{sssOszsz}", "version", curl_version(), "features",
                                                      names, "ca_file", info->cainfo, "ca_path", info->capath)
                                      : NULL;
    Py_XDECREF(names);
    return details;
}

// What keeps a file from being used for TLS, for the command line, which has no channel that would say so.
static PyObject *tell_pem_fault(PyObject *module, PyObject *args) {
    PyObject *path = NULL;
    int wants_key;
    (void)module;
    if (!PyArg_ParseTuple(args, "O&p:_pem_fault", PyUnicode_FSConverter, &path, &wants_key))
        return NULL;
    const char *name = PyBytes_AsString(path), *fault;
    Py_BEGIN_ALLOW_THREADS; // a file may be on another machine
    fault = pem_fault(name, wants_key ? PEM_KEY : PEM_CERTIFICATE);
    Py_END_ALLOW_THREADS;
    Py_DECREF(path);
    return fault != NULL ? PyUnicode_FromString(fault) : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {
    {"parse", parse_literal, METH_O,
     "parse(text, /)\n--\n\nThe value of a literal as the talk servers write it: JSON, plus holes, single "
     "quotes, JavaScript's escapes and undefined. The text is a str, or bytes of UTF-8."},
    {"_libcurl_details", libcurl_details, METH_NOARGS,
     "_libcurl_details()\n--\n\nHow libcurl was built: what it is linked with, what it can, where it was "
     "told "
     "to look for authorities."},
    {"_pem_fault", tell_pem_fault, METH_VARARGS,
     "_pem_fault(path, wants_key, /)\n--\n\nWhat keeps a file from being used as one of certificates, or of "
     "a "
     "key; None: nothing that one can see."},
    {"_before_exit", before_exit, METH_NOARGS,
     "_before_exit()\n--\n\nTo be called before the interpreter ends."},
    {NULL, NULL, 0, NULL},
};

/* ---- Loading ---- */

// Daemon threads, which an interpreter does not wait for when it ends, only the main one may have.
static int watch_exit(PyObject *module) {
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0)
        return 0;
    shared_loops_prepare_end(false);
    PyObject *hook = PyObject_GetAttrString(module, "_before_exit");
    PyObject *atexit = hook != NULL ? PyImport_ImportModule("atexit") : NULL;
    PyObject *result = atexit != NULL ? PyObject_CallMethod(atexit, "register", "O", hook) : NULL;
    Py_XDECREF(hook);
    Py_XDECREF(atexit);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* The processor's extension by which texts are read; None where they are read a character at a time. */
static int add_extension(PyObject *module) {
    const literal_by_blocks *blocks = literal_blocks();
    PyObject *name = blocks != NULL ? PyUnicode_FromString(blocks->extension) : Py_NewRef(Py_None);
    int result = name != NULL ? PyModule_AddObjectRef(module, "blocks_extension", name) : -1;
    Py_XDECREF(name);
    return result;
}

static int add_flag(PyObject *module, const char *name, bool flag) {
    return PyModule_AddObjectRef(module, name, flag ? Py_True : Py_False);
}

static int exec_module(PyObject *module) {
    module_state *state = module_state_of(module);
    // Counts its callers, and is thread-safe in every libcurl that is new enough for us.
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        PyErr_SetString(PyExc_ImportError, "libcurl cannot be initialized");
        return -1;
    }
    if (!forks_watch(shared_loops_forget_threads)) {
        PyErr_NoMemory();
        return -1;
    }
    if (names_make(state->names) < 0 || making_look() < 0 || errors_import(state) < 0 ||
        builders_prepare(state) < 0 || channel_add_type(module, state) < 0 ||
        messages_add_type(module, state) < 0 || event_loop_add_type(module, state) < 0 ||
        awaiter_add_type(module, state) < 0 || merge_add_types(module, state) < 0 ||
        decoder_add_types(module, state) < 0 || watch_exit(module) < 0)
        return -1;
    if (PyModule_AddStringConstant(module, "__version__", GAECHANNEL_VERSION) < 0)
        return -1;
    if (add_flag(module, "finds_authorities", net_finds_authorities()) < 0 ||
        add_flag(module, "writes_in_place", making_writes()) < 0 || add_extension(module) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "libcurl_version", libcurl_info()->version);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
    // Below here, what an older CPython would refuse: PyInit__core() ends the list before it.
    {SLOT_MULTIPLE_INTERPRETERS, PER_INTERPRETER_GIL_SUPPORTED},
    {SLOT_GIL, GIL_NOT_USED},
    {0, NULL},
};

PyMODINIT_FUNC PyInit__core(void) {
    if (Py_Version < 0x030C0000)
        slots[1] = (PyModuleDef_Slot){0, NULL};
    else if (Py_Version < 0x030D0000)
        slots[2] = (PyModuleDef_Slot){0, NULL};
    module_def.m_doc = "The C core of gaechannel.";
    module_def.m_methods = methods;
    module_def.m_slots = slots;
    return PyModuleDef_Init(&module_def);
}
