/* From literals to Python objects. */
#include "py/values.h"

#include <stdlib.h> // malloc()
#include <string.h> // memcpy()

#include "wire/literal.h"
#include "wire/literal_unescape.h"

/* ---- Strings ---- */

PyObject *str_from_utf8(const uint8_t *text, size_t length) {
    // The error handler is asked only about what is no UTF-8, and all that can be here is a lone surrogate.
    return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, "surrogatepass");
}

PyObject *str_from_ascii(const uint8_t *text, size_t length) {
    // Latin-1 is what CPython reads soonest where it is short; and UTF-8 where it is long.
    if (length <= 512)
        return PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL);
    return str_from_utf8(text, length);
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_BYTE_ORDER 1
#else
#define HOST_BYTE_ORDER (-1)
#endif

PyObject *str_from_form(literal_form form, const uint8_t *text, size_t length) {
    // Said outright, or the decoder would take a first U+FEFF for a byte order mark.
    int byte_order = HOST_BYTE_ORDER;
    switch (form) {
    case LITERAL_LATIN1:
        return PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL);
    case LITERAL_UTF16:
        return PyUnicode_DecodeUTF16((const char *)text, (Py_ssize_t)length, NULL, &byte_order);
    case LITERAL_UTF32:
        return PyUnicode_FromWideChar((const void *)text, (Py_ssize_t)(length / sizeof(wchar_t)));
    default:
        return str_from_ascii(text, length);
    }
}

// `room` is for `4 * length` bytes, aligned as for wchar_t.
static PyObject *str_by_codes(const uint8_t *text, size_t length, uint8_t *room) {
    // CPython's own way is to ask an error handler about each surrogate.
    if (sizeof(wchar_t) != 4)
        return str_from_utf8(text, length);
    return str_from_form(LITERAL_UTF32, room, literal_codes(text, length, room));
}

PyObject *str_with_surrogates(const uint8_t *text, size_t length) {
    _Alignas(wchar_t) uint8_t small[1024];
    if (length > SIZE_MAX / 4)
        return str_from_utf8(text, length);
    uint8_t *room = 4 * length <= sizeof small ? small : malloc(4 * length);
    if (room == NULL)
        return PyErr_NoMemory();
    PyObject *made = str_by_codes(text, length, room);
    if (room != small)
        free(room);
    return made;
}

// For the strings that UTF-16 cannot hold. `room` is literal_text()'s.
static PyObject *str_with_lone_surrogates(const uint8_t *token, size_t length, bool escaped, uint8_t *room) {
    bool lone;
    uint8_t *plain = NULL;
    if (escaped) {
        plain = malloc(length);
        if (plain == NULL)
            return PyErr_NoMemory();
        length = literal_unescape(token, length, plain, &lone);
        token = plain;
    }
    PyObject *text = str_by_codes(token, length, room);
    free(plain);
    return text;
}

PyObject *str_from_token(const uint8_t *token, size_t length, bool escaped) {
    _Alignas(uint64_t) uint8_t small[LITERAL_TEXT_ROOM(1024)];
    if (!escaped && literal_is_ascii(token, length))
        return str_from_ascii(token, length);
    uint8_t *room = NULL;
    if (length <= 1024)
        room = small;
    else if (length <= LITERAL_TEXT_LONGEST)
        room = malloc(LITERAL_TEXT_ROOM(length));
    if (room == NULL)
        return PyErr_NoMemory();
    const uint8_t *made;
    size_t made_length;
    literal_form form = literal_text(token, length, escaped, room, &made, &made_length);
    PyObject *text = form == LITERAL_OTHER ? str_with_lone_surrogates(token, length, escaped, room)
                                           : str_from_form(form, made, made_length);
    if (room != small)
        free(room);
    return text;
}

/* ---- Numbers ---- */

// A number that needs CPython's own reader, which wants a NUL behind it.
static PyObject *long_number(const uint8_t *token, size_t length, bool is_float) {
    char small[64];
    char *text = length < sizeof small ? small : malloc(length + 1);
    if (text == NULL)
        return PyErr_NoMemory();
    memcpy(text, token, length);
    text[length] = '\0';
    PyObject *number = NULL;
    if (is_float) {
        double value = PyOS_string_to_double(text, NULL, NULL);
        if (value != -1.0 || PyErr_Occurred() == NULL)
            number = PyFloat_FromDouble(value);
    } else {
        number = PyLong_FromString(text, NULL, 10);
    }
    if (text != small)
        free(text);
    return number;
}

static PyObject *integer(const uint8_t *token, size_t length) {
    bool negative = token[0] == '-';
    if (length > 18)
        return long_number(token, length, false);
    long long value = 0;
    for (size_t i = negative; i < length; i++)
        value = value * 10 + (token[i] - '0');
    return PyLong_FromLongLong(negative ? -value : value);
}

/* ---- Values ---- */

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
        return integer(reader->token, reader->token_length);
    case LITERAL_FLOAT:
        return long_number(reader->token, reader->token_length, true);
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
    if (before == NULL)
        PyErr_Clear(); // it cannot be said in characters
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

PyObject *parse_literal(PyObject *module, PyObject *text) {
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "parse() takes a str");
        return NULL;
    }
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass");
    if (bytes == NULL)
        return NULL;
    const uint8_t *utf8 = (const uint8_t *)PyBytes_AsString(bytes);
    PyObject *value = value_from_literal(module_state_of(module), utf8, (size_t)PyBytes_Size(bytes));
    Py_DECREF(bytes);
    return value;
}
