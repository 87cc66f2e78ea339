/* From texts to str. */
#include "py/strings.h"

#include "py/making.h"
#include "wire/literal_form.h"
#include "wire/literal_text.h"
#include "wire/literal_unescape.h"

PyObject *str_from_utf8(const uint8_t *text, size_t length) {
    // The error handler is asked only about what is no UTF-8, and all that can be here is a lone surrogate.
    return PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, "surrogatepass");
}

PyObject *str_from_ascii(const uint8_t *text, size_t length) {
    return make_ascii(text, length);
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_BYTE_ORDER 1
#else
#define HOST_BYTE_ORDER (-1)
#endif

// What literal_text() made to str.
static PyObject *str_from_form(literal_form form, const uint8_t *text, size_t length) {
    // Said outright, or the decoder would take a first U+FEFF for a byte order mark.
    int byte_order = HOST_BYTE_ORDER;
    switch (form) {
    case LITERAL_LATIN1:
        return PyUnicode_DecodeLatin1((const char *)text, (Py_ssize_t)length, NULL);
    case LITERAL_UTF16:
        return PyUnicode_DecodeUTF16((const char *)text, (Py_ssize_t)length, NULL, &byte_order);
    case LITERAL_UTF32:
        return make_wide((const void *)text, length / sizeof(wchar_t));
    default:
        return str_from_ascii(text, length);
    }
}

PyObject *str_from_written(strbuf *text, const char *errors) {
    PyObject *made = strbuf_failed(text)
                         ? PyErr_NoMemory()
                         : PyUnicode_DecodeUTF8(strbuf_str(text), (Py_ssize_t)text->length, errors);
    strbuf_free(text);
    return made;
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
    uint8_t *room = 4 * length <= sizeof small ? small : PyMem_Malloc(4 * length);
    if (room == NULL)
        return PyErr_NoMemory();
    PyObject *made = str_by_codes(text, length, room);
    if (room != small)
        PyMem_Free(room);
    return made;
}

// For the strings that UTF-16 cannot hold. `room` is literal_text()'s.
static PyObject *str_with_lone_surrogates(const uint8_t *token, size_t length, bool escaped, uint8_t *room) {
    bool lone;
    uint8_t *plain = NULL;
    if (escaped) {
        plain = PyMem_Malloc(length);
        if (plain == NULL)
            return PyErr_NoMemory();
        length = literal_unescape(token, length, plain, &lone);
        token = plain;
    }
    PyObject *text = str_by_codes(token, length, room);
    PyMem_Free(plain);
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
        room = PyMem_Malloc(LITERAL_TEXT_ROOM(length));
    if (room == NULL)
        return PyErr_NoMemory();
    const uint8_t *made;
    size_t made_length;
    literal_form form = literal_text(token, length, escaped, room, &made, &made_length);
    PyObject *text = form == LITERAL_OTHER ? str_with_lone_surrogates(token, length, escaped, room)
                                           : str_from_form(form, made, made_length);
    if (room != small)
        PyMem_Free(room);
    return text;
}
