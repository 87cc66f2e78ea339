/* From literals to Python objects. */
#include "py/values.h"

#include "py/builder.h"
#include "py/exceptions.h"
#include "py/numbers.h"
#include "py/strings.h"
#include "wire/literal.h"
#include "wire/utf8.h"
#include "py/wrong_type.h"

static PyObject *value_of(literal_reader *reader, literal_token token);

static PyObject *list_of(literal_reader *reader) {
    PyObject *list = PyList_New(0);
    literal_token token;
    while (list != NULL && (token = literal_next(reader)) != LITERAL_ARRAY_END) {
        PyObject *item = token != LITERAL_ERROR ? value_of(reader, token) : NULL;
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *dict_of(literal_reader *reader) {
    PyObject *dict = PyDict_New();
    literal_token token;
    while (dict != NULL && (token = literal_next(reader)) != LITERAL_OBJECT_END) {
        PyObject *key = NULL;
        PyObject *value = NULL;
        if (token != LITERAL_ERROR)
            key = str_from_token(reader->token, reader->token_length, reader->token_escaped);
        if (key != NULL && (token = literal_next(reader)) != LITERAL_ERROR)
            value = value_of(reader, token);
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

// The value that begins with `token`. NULL without an exception: the text is no literal. The reader has
// bounded how deep this can go.
static PyObject *value_of(literal_reader *reader, literal_token token) {
    switch (token) {
    case LITERAL_ARRAY_BEGIN:
        return list_of(reader);
    case LITERAL_OBJECT_BEGIN:
        return dict_of(reader);
    case LITERAL_STRING:
        return str_from_token(reader->token, reader->token_length, reader->token_escaped);
    case LITERAL_INTEGER:
        return int_from_token(reader->token, reader->token_length);
    case LITERAL_FLOAT:
        return float_from_token(reader->token, reader->token_length);
    case LITERAL_TRUE:
        return PyBool_FromLong(1);
    case LITERAL_FALSE:
        return PyBool_FromLong(0);
    case LITERAL_NULL:
        Py_INCREF(Py_None);
        return Py_None;
    default:
        return NULL;
    }
}

static void raise_parse_error(const module_state *state, const literal_reader *reader) {
    const char *words = reader->error != NULL ? reader->error : "nothing to read";
    // The position in characters, as json.JSONDecodeError has it.
    PyObject *before = str_from_utf8(reader->text, (size_t)(reader->cursor - reader->text));
    if (before == NULL && !exception_forgive(PyExc_UnicodeError)) // then it cannot be said in characters
        return;
    Py_ssize_t position = before != NULL ? PyUnicode_GetLength(before) : reader->cursor - reader->text;
    Py_XDECREF(before);
    PyObject *error = PyObject_CallFunction(state->parse_error, "sn", words, position);
    if (error != NULL)
        PyErr_SetObject(state->parse_error, error);
    Py_XDECREF(error);
}

PyObject *value_from_literal(module_state *state, const uint8_t *text, size_t length) {
    literal_reader reader;
    literal_init(&reader, text, length);
    PyObject *value = value_of(&reader, literal_next(&reader));
    if (value != NULL && literal_next(&reader) != LITERAL_END)
        Py_CLEAR(value);
    if (value == NULL && PyErr_Occurred() == NULL)
        raise_parse_error(state, &reader);
    return value;
}

static PyObject *plain_value(module_state *state, const uint8_t *text, size_t length, bool only_item) {
    PyObject *value = value_from_literal(state, text, length);
    if (!only_item || value == NULL || !PyList_Check(value) || PyList_Size(value) != 1)
        return value;
    PyObject *item = PyList_GetItem(value, 0);
    Py_INCREF(item);
    Py_DECREF(value);
    return item;
}

PyObject *value_from_message(module_state *state, const uint8_t *text, size_t length, bool only_item) {
    const uint8_t *at = text, *end = text + length;
    if (length < 2 || (end[-1] != ']' && end[-1] != '}' && end[-1] != '"'))
        return plain_value(state, text, length, only_item);
    builder *maker = builder_take(state);
    if (maker == NULL)
        return NULL;
    const builder_text all = {.end = end, .padded_end = end + BUILDER_PADDING, .only_item = only_item};
    PyObject *value = builder_read(maker, &at, &all);
    builder_put(state, maker);
    if (value != NULL && at == end)
        return value;
    Py_XDECREF(value);
    return PyErr_Occurred() == NULL ? plain_value(state, text, length, only_item) : NULL;
}

// The literal reader is to be given UTF-8 alone. False with ParseError set.
static bool check_utf8(module_state *state, const uint8_t *text, size_t length) {
    size_t units = SIZE_MAX;
    size_t sound;
    if (utf8_advance(text, length, &units, &sound) == UTF8_OK)
        return true;
    literal_reader reader;
    literal_init(&reader, text, length);
    reader.cursor += sound;
    reader.error = "not UTF-8";
    raise_parse_error(state, &reader);
    return false;
}

// The text's bytes, a new reference; of a buffer that may change, a copy.
static PyObject *bytes_of(PyObject *text) {
    if (PyUnicode_Check(text))
        return PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (PyObject_CheckBuffer(text))
        return PyBytes_FromObject(text);
    raise_wrong_type("parse()", "takes a str or bytes", text);
    return NULL;
}

PyObject *parse_literal(PyObject *module, PyObject *text) {
    module_state *state = module_state_of(module);
    PyObject *bytes = bytes_of(text);
    if (bytes == NULL)
        return NULL;
    const uint8_t *utf8 = (const uint8_t *)PyBytes_AsString(bytes);
    size_t length = (size_t)PyBytes_Size(bytes);
    PyObject *value = NULL;
    if (PyUnicode_Check(text) || check_utf8(state, utf8, length))
        value = value_from_literal(state, utf8, length);
    Py_DECREF(bytes);
    return value;
}
