/* Objects of contents that are known, as soon as the interpreter that is built for lets them be made.
 *
 * By the stable ABI CPython looks at each text once more, and at each list that an item is put in. A build
 * for one CPython (setup.py's GAECHANNEL_ONE_CPYTHON) makes them with room for what they hold, and fills
 * that. */
#ifndef GAECHANNEL_PY_MAKING_H
#define GAECHANNEL_PY_MAKING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h> // size_t
#include <stdint.h> // uint8_t, uint32_t
#include <string.h> // memcpy()

#ifndef Py_LIMITED_API

/* ASCII to str. */
static inline PyObject *make_ascii(const uint8_t *text, size_t length) {
    // CPython has those that are shorter already.
    if (length < 2)
        return PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL);
    PyObject *made = PyUnicode_New((Py_ssize_t)length, 0x7F);
    if (made != NULL)
        memcpy(PyUnicode_1BYTE_DATA(made), text, length);
    return made;
}

/* UTF-32 to str. */
static inline PyObject *make_wide(const wchar_t *codes, size_t length) {
    // In place of a search for the largest, which waits for each character.
    uint32_t all = 0;
    for (size_t i = 0; i < length; i++)
        all |= (uint32_t)codes[i];
    if (sizeof *codes != sizeof(Py_UCS4) || all < 0x100)
        return PyUnicode_FromWideChar(codes, (Py_ssize_t)length);
    PyObject *made = PyUnicode_New((Py_ssize_t)length, all < 0x10000 ? 0xFFFF : 0x10FFFF);
    if (made == NULL)
        return NULL;
    if (all < 0x10000) {
        Py_UCS2 *units = PyUnicode_2BYTE_DATA(made);
        for (size_t i = 0; i < length; i++)
            units[i] = (Py_UCS2)codes[i];
    } else {
        memcpy(PyUnicode_4BYTE_DATA(made), codes, length * sizeof *codes);
    }
    return made;
}

#define PUT_FIRST_ITEM PyList_SET_ITEM

#else

static inline PyObject *make_ascii(const uint8_t *text, size_t length) {
    // Latin-1 is what CPython reads soonest where it is short; and UTF-8 where it is long.
    return length <= 512 ? PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL)
                         : PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, NULL);
}

static inline PyObject *make_wide(const wchar_t *codes, size_t length) {
    return PyUnicode_FromWideChar(codes, (Py_ssize_t)length);
}

#define PUT_FIRST_ITEM PyList_SetItem

#endif

/* A list of `count` objects, the references to which it takes; NULL: none are taken. */
static inline PyObject *make_list(PyObject *const *items, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++)
        PUT_FIRST_ITEM(list, (Py_ssize_t)i, items[i]);
    return list;
}

#endif
