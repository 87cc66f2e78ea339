/* From the digits of a literal's numbers to int and float. */
#include "py/numbers.h"

#include <stdbool.h>
#include <string.h> // memcpy()

#include "wire/decimal.h"

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

/* ---- Quickly ---- */

// No fewer digits than these can CPython be told to refuse.
#define SURE_DIGITS 640
// Exponents are read up to here: beyond is zero, or infinite.
#define LARGE_EXPONENT 100000

/* Walk over digits, which are added to `*digits`, however many they are. */
static inline const uint8_t *take_digits(const uint8_t *at, uint64_t *digits) {
    for (; *at >= '0' && *at <= '9'; at++)
        *digits = *digits * 10 + (uint64_t)(*at - '0');
    return at;
}

static inline const uint8_t *skip_zeros(const uint8_t *at) {
    while (*at == '0')
        at++;
    return at;
}

/* The exponent behind the `e` at `*cursor`; false where it has no digits. */
static bool take_exponent(const uint8_t **cursor, int *exponent) {
    const uint8_t *at = *cursor + 1;
    bool negative = *at == '-';
    at += *at == '-' || *at == '+';
    const uint8_t *first = at;
    int value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        value = value < LARGE_EXPONENT ? value * 10 + (*at - '0') : value;
    *cursor = at;
    *exponent = negative ? -value : value;
    return at > first;
}

/* The double of a number of more digits than DECIMAL_MAX_DIGITS, the first of which that counts is at `at`,
 * or zeros and a point before it; `exponent` is what is written behind them. False where the digits that are
 * left out might decide. */
static bool shortened_to_double(const uint8_t *at, int exponent, double *value) {
    uint64_t digits = 0;
    bool behind_point = false;
    for (unsigned count = 0; count < DECIMAL_MAX_DIGITS; at++) {
        if (*at == '.') {
            behind_point = true;
            continue;
        }
        digits = digits * 10 + (uint64_t)(*at - '0');
        count += digits != 0;
        exponent -= behind_point;
    }
    for (; !behind_point && *at >= '0' && *at <= '9'; at++)
        exponent++;
    // It is between these two.
    double upper;
    return decimal_to_double(digits, exponent, value) && decimal_to_double(digits + 1, exponent, &upper) &&
           *value == upper;
}

/* A float that begins at `start`; the digits before its point or exponent, which is at `*cursor`, have been
 * read. */
static PyObject *read_float(const uint8_t *start, uint64_t digits, const uint8_t **cursor) {
    const uint8_t *at = *cursor;
    bool negative = *start == '-';
    // Only digits that count must fit: 0.00123 has three. What `digits` has become of many tells nothing of
    // them.
    bool whole = start[negative] != '0';
    size_t count = whole ? (size_t)(at - start) - negative : 0;
    size_t places = 0;
    if (*at == '.') {
        const uint8_t *point = at++;
        const uint8_t *counted = whole ? at : skip_zeros(at);
        at = take_digits(counted, &digits);
        places = (size_t)(at - point) - 1;
        count += (size_t)(at - counted);
        if (places == 0)
            return NULL;
    }
    int exponent = 0;
    if ((*at == 'e' || *at == 'E') && !take_exponent(&at, &exponent))
        return NULL;
    *cursor = at;
    double value;
    bool told = count > LARGE_EXPONENT || places > LARGE_EXPONENT ? false
                : count <= DECIMAL_MAX_DIGITS ? decimal_to_double(digits, exponent - (int)places, &value)
                                              : shortened_to_double(start + negative, exponent, &value);
    return told ? PyFloat_FromDouble(negative ? -value : value)
                : float_from_token(start, (size_t)(at - start));
}

/* Whether what take_digits() has made of so many digits is their number: 20 of them are below 2 * 10^19 if
 * the first one is 1, and then too large by 2^64 at most, which would show. */
static inline bool fits_64_bits(const uint8_t *first, size_t count, uint64_t digits) {
    return count <= DECIMAL_MAX_DIGITS ||
           (count == DECIMAL_MAX_DIGITS + 1 && *first == '1' && digits >= 10000000000000000000u);
}

PyObject *number_read(const uint8_t **cursor) {
    const uint8_t *start = *cursor;
    bool negative = *start == '-';
    const uint8_t *first = start + negative;
    uint64_t digits = 0;
    const uint8_t *at = take_digits(first, &digits);
    size_t count = (size_t)(at - first);
    if (count == 0 || (*first == '0' && count > 1))
        return NULL;
    *cursor = at;
    if (*at == '.' || *at == 'e' || *at == 'E')
        return read_float(start, digits, cursor);
    if (count <= DECIMAL_MAX_DIGITS && digits <= INT64_MAX)
        return PyLong_FromLongLong(negative ? -(long long)digits : (long long)digits);
    if (!negative && fits_64_bits(first, count, digits))
        return PyLong_FromUnsignedLongLong(digits);
    return count <= SURE_DIGITS ? int_from_token(start, (size_t)(at - start)) : NULL;
}
