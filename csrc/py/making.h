/* Objects of contents that are known, as soon as the interpreter lets them be made.
 *
 * By the stable ABI CPython looks at each text once more, and at each list that an item is put in. What it
 * has beyond it makes them with room for what they are to hold, which is written there. A build for any
 * CPython looks for it in the one that it is loaded into (making.c), and does without where it does not know
 * that one; free-threaded builds, which are for one CPython, are compiled with it. */
#ifndef GAECHANNEL_PY_MAKING_H
#define GAECHANNEL_PY_MAKING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // uint8_t
#include <string.h> // memcpy()

/* Look what this CPython has beyond the stable ABI; -1: an exception is set. It may be called again. */
int making_look(void);

/* Whether objects are written in place. */
bool making_writes(void);

#ifdef Py_LIMITED_API

/* What CPython has beyond the stable ABI; of one that is not known, NULL and 0. */
typedef struct making_ways {
    PyObject *(*new_str)(Py_ssize_t length, Py_UCS4 largest);                   // PyUnicode_New()
    PyObject *(*str_from_kind)(int kind, const void *units, Py_ssize_t length); // PyUnicode_FromKindAndData()
    size_t text_at; // where a str of ASCII has its text
} making_ways;

extern making_ways making;

#define WRITES_IN_PLACE (making.new_str != NULL)
#define NEW_STR making.new_str
#define STR_FROM_KIND making.str_from_kind
#define ASCII_OF(str) ((uint8_t *)(str) + making.text_at)
// A list's size, and the array of its items behind it.
#define ITEMS_OF(list) (*(PyObject ***)((PyVarObject *)(list) + 1))

#else

#define WRITES_IN_PLACE true
#define NEW_STR PyUnicode_New
#define STR_FROM_KIND PyUnicode_FromKindAndData
#define ASCII_OF(str) PyUnicode_1BYTE_DATA(str)
#define ITEMS_OF(list) PySequence_Fast_ITEMS(list)

#endif

/* ASCII to str. */
static inline PyObject *make_ascii(const uint8_t *text, size_t length) {
    if (length >= 2 && WRITES_IN_PLACE) {
        PyObject *made = NEW_STR((Py_ssize_t)length, 0x7F);
        if (made != NULL)
            memcpy(ASCII_OF(made), text, length);
        return made;
    }
    // CPython has those that are shorter already. Latin-1 is what it reads soonest where it is short; and
    // UTF-8 where it is long.
    return length <= 512 ? PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL)
                         : PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, NULL);
}

/* UTF-32 to str. */
static inline PyObject *make_wide(const wchar_t *codes, size_t length) {
    return sizeof *codes == sizeof(Py_UCS4) && WRITES_IN_PLACE
               ? STR_FROM_KIND(sizeof *codes, codes, (Py_ssize_t)length)
               : PyUnicode_FromWideChar(codes, (Py_ssize_t)length);
}

/* A list of `count` objects, the references to which it takes; NULL: none are taken. */
static inline PyObject *make_list(PyObject *const *items, size_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    if (list == NULL || count == 0)
        return list;
    if (WRITES_IN_PLACE)
        memcpy(ITEMS_OF(list), items, count * sizeof *items);
    else
        for (size_t i = 0; i < count; i++)
            PyList_SetItem(list, (Py_ssize_t)i, items[i]);
    return list;
}

#endif
