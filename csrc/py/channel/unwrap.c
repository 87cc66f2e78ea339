/* What a WebChannel's array holds: a message, or an error that arrived as one. */
#include "py/channel/unwrap.h"

#include <stdbool.h>

// Of keys in an object that may tell of a response: what is larger is the application's.
#define MAX_KEYS 8

// What a list of one holds, borrowed; NULL for all else.
static PyObject *only_item(PyObject *value) {
    return PyList_Check(value) && PyList_Size(value) == 1 ? PyList_GetItem(value, 0) : NULL;
}

// What the dict has under the name, borrowed; or NULL. False with an exception set.
static bool find(PyObject *dict, const char *name, PyObject **value) {
    PyObject *key = PyUnicode_FromString(name);
    *value = key != NULL ? PyDict_GetItemWithError(dict, key) : NULL;
    Py_XDECREF(key);
    return *value != NULL || PyErr_Occurred() == NULL;
}

static void raise_error(module_state *state, PyObject *object) {
    PyObject *raised = PyObject_CallFunctionObjArgs(state->web_channel_error, object, NULL);
    if (raised != NULL)
        PyErr_SetObject(state->web_channel_error, raised);
    Py_XDECREF(raised);
}

// `{"error": {…}}` and nothing else. True with the exception set, or with that of memory that ran out.
static bool is_error(module_state *state, PyObject *message) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (!PyDict_Check(message) || PyDict_Size(message) != 1)
        return false;
    // Most are told by their key's length alone.
    if (PyDict_Next(message, &at, &key, &value) && PyUnicode_Check(key) && PyUnicode_GetLength(key) != 5)
        return false;
    PyObject *error;
    if (!find(message, "error", &error))
        return true;
    if (error == NULL || !PyDict_Check(error))
        return false;
    raise_error(state, error);
    return true;
}

// Most messages are told from what is read below by their keys' first letter.
static bool has_reserved_key(PyObject *message) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (PyDict_Size(message) > MAX_KEYS)
        return false;
    while (PyDict_Next(message, &at, &key, &value))
        if (PyUnicode_Check(key) && PyUnicode_GetLength(key) > 2 && PyUnicode_ReadChar(key, 0) == '_' &&
            PyUnicode_ReadChar(key, 1) == '_')
            return true;
    return false;
}

// `{"__sm__": {"status": …}}`. -1 with the exception set; 0: it is no error.
static int check_metadata(module_state *state, PyObject *message) {
    PyObject *metadata;
    if (!find(message, "__sm__", &metadata))
        return -1;
    if (metadata == NULL)
        return 0;
    PyObject *error =
        PyObject_CallMethodObjArgs(state->web_channel_error, state->names[NAME_OF_METADATA], metadata, NULL);
    if (error == NULL)
        return -1;
    int result = 0;
    if (error != Py_None) {
        PyErr_SetObject(state->web_channel_error, error);
        result = -1;
    }
    Py_DECREF(error);
    return result;
}

// Take `__headers__` and `__status__` out of the message, as browsers do. 1: there was nothing else in it;
// -1: the status was an error's, which is raised.
static int take_head(module_state *state, PyObject *message) {
    PyObject *status, *headers;
    if (!find(message, "__status__", &status) || !find(message, "__headers__", &headers))
        return -1;
    if (status == NULL && headers == NULL)
        return 0;
    int overflows; // a status of twenty digits, which is none
    long code = status != NULL && PyLong_Check(status) ? PyLong_AsLongAndOverflow(status, &overflows) : 0;
    if ((headers != NULL && PyDict_DelItemString(message, "__headers__") < 0) ||
        (status != NULL && PyDict_DelItemString(message, "__status__") < 0))
        return -1;
    if (PyDict_Size(message) != 0)
        return 0;
    if (code < 400)
        return 1;
    PyObject *error = Py_BuildValue("{slss}", "code", code, "message", "the server refused the request");
    if (error != NULL)
        raise_error(state, error);
    Py_XDECREF(error);
    return -1;
}

PyObject *unwrap_message(module_state *state, PyObject *message) {
    // Some servers wrap errors, and nothing else, twice.
    PyObject *inner = only_item(message);
    bool raised = inner != NULL && is_error(state, inner);
    bool empty = false;
    if (PyDict_Check(message)) {
        int head = has_reserved_key(message) ? take_head(state, message) : 0;
        empty = head > 0;
        raised = head < 0 || (!empty && has_reserved_key(message) && check_metadata(state, message) < 0) ||
                 is_error(state, message);
    }
    if (!raised && !empty)
        return message;
    Py_DECREF(message);
    return NULL;
}
