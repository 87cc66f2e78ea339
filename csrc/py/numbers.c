/* From the digits of a literal's numbers to int and float. */
#include "py/numbers.h"

#include <stdbool.h>
#include <string.h> // memcpy()

// A number that needs CPython's own reader, which wants a NUL behind it.
static PyObject *long_number(const uint8_t *token, size_t length, bool is_float) {
    char small[64];
    char *text = length < sizeof small ? small : PyMem_Malloc(length + 1);
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
        PyMem_Free(text);
    return number;
}

PyObject *int_from_token(const uint8_t *token, size_t length) {
    bool negative = token[0] == '-';
    if (length > 18)
        return long_number(token, length, false);
    long long value = 0;
    for (size_t i = negative; i < length; i++)
        value = value * 10 + (token[i] - '0');
    return PyLong_FromLongLong(negative ? -value : value);
}

PyObject *float_from_token(const uint8_t *token, size_t length) {
    return long_number(token, length, true);
}
