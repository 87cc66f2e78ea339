/* From the digits of a literal's numbers to int and float. */
#include "py/numbers.h"

#include <stdbool.h>
#include <string.h> // memcpy()

#include "wire/decimal.h"
#include "wire/simd/vector.h" // word_load()

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
// Numbers of more digits than these, and of more behind the point, are left to CPython.
#define MOST_DIGITS 100000
// Exponents are read up to here: beyond is zero, or infinite, for all that so many digits can make up for.
#define LARGE_EXPONENT (10 * MOST_DIGITS)

// Eight digits are read at once, the first of which is to be a word's lowest byte.
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

#define EACH_BYTE 0x0101010101010101u

/* Where a word's bytes are no digits: bits of the first such byte, and anything behind them; 0 where all are.
 * A digit, less `0`, is below 16, and with 6 more, too. */
static inline uint64_t no_digits(uint64_t word) {
    word ^= '0' * EACH_BYTE;
    return (word | (word + 6 * EACH_BYTE)) & 0xF0 * EACH_BYTE;
}

/* The number of eight digits: of pairs of them, then of pairs of those, then of those. */
static inline uint64_t number_of_eight(uint64_t word) {
    word = (word & 0x0F * EACH_BYTE) * (1 + (10 << 8)) >> 8;
    word = (word & 0x00FF00FF00FF00FFu) * (1 + (100 << 16)) >> 16;
    return (word & 0x0000FFFF0000FFFFu) * (1 + ((uint64_t)10000 << 32)) >> 32;
}

#endif

/* Walk over digits, which are added to `*digits`, however many they are. `end` is the text's. */
static inline const uint8_t *take_digits(const uint8_t *at, const uint8_t *end, uint64_t *digits) {
#ifdef EACH_BYTE
    static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    while (end - at >= 8) {
        uint64_t word = word_load(at), others = no_digits(word);
        if (others != 0) {
            // Of less than eight, with zeros before them: all at once, since how many they are, none can
            // guess.
            unsigned count = (unsigned)__builtin_ctzll(others) / 8;
            word = word << (56 - 8 * count) << 8;
            *digits = *digits * powers[count] + number_of_eight(word);
            return at + count;
        }
        *digits = *digits * 100000000 + number_of_eight(word);
        at += 8;
    }
#else
    (void)end;
#endif
    for (; *at >= '0' && *at <= '9'; at++)
        *digits = *digits * 10 + (uint64_t)(*at - '0');
    return at;
}

/* The same of `count` that are known to be digits. */
static inline void take_so_many(const uint8_t *at, size_t count, uint64_t *digits) {
#ifdef EACH_BYTE
    for (; count >= 8; count -= 8, at += 8)
        *digits = *digits * 100000000 + number_of_eight(word_load(at));
#endif
    for (; count > 0; count--)
        *digits = *digits * 10 + (uint64_t)(*at++ - '0');
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

/* The double of a number of more digits than DECIMAL_MAX_DIGITS, the first of which that counts is in
 * `whole`, which has `whole_count` of them, or, where that has none, in `places`; the point is before those.
 * `exponent` is what is written behind them. False where the digits that are left out might decide. */
static bool shortened_to_double(const uint8_t *whole, size_t whole_count, const uint8_t *places, int exponent,
                                double *value) {
    uint64_t digits = 0;
    if (whole_count >= DECIMAL_MAX_DIGITS) {
        take_so_many(whole, DECIMAL_MAX_DIGITS, &digits);
        exponent += (int)(whole_count - DECIMAL_MAX_DIGITS);
    } else {
        const uint8_t *counted = whole_count > 0 ? places : skip_zeros(places);
        size_t left = DECIMAL_MAX_DIGITS - whole_count;
        take_so_many(whole, whole_count, &digits);
        take_so_many(counted, left, &digits);
        exponent -= (int)((size_t)(counted - places) + left);
    }
    return decimal_first_to_double(digits, exponent, value);
}

/* A float that begins at `start`; the digits before its point or exponent, which is at `*cursor`, have been
 * read. */
static PyObject *read_float(const uint8_t *start, uint64_t digits, const uint8_t **cursor,
                            const uint8_t *end) {
    const uint8_t *at = *cursor;
    bool negative = *start == '-';
    // Only digits that count must fit: 0.00123 has three. What `digits` has become of many tells nothing of
    // them.
    bool whole = start[negative] != '0';
    size_t whole_count = whole ? (size_t)(at - start) - negative : 0, count = whole_count, places = 0;
    const uint8_t *point = at;
    if (*at == '.') {
        at++;
        const uint8_t *counted = whole ? at : skip_zeros(at);
        at = take_digits(counted, end, &digits);
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
    bool told = false;
    if (count <= DECIMAL_MAX_DIGITS && places <= MOST_DIGITS)
        told = decimal_to_double(digits, exponent - (int)places, &value);
    else if (count <= MOST_DIGITS && places <= MOST_DIGITS)
        told = shortened_to_double(start + negative, whole_count, point + 1, exponent, &value);
    return told ? PyFloat_FromDouble(negative ? -value : value)
                : float_from_token(start, (size_t)(at - start));
}

/* Whether what take_digits() has made of so many digits is their number: 20 of them are below 2 * 10^19 if
 * the first one is 1, and then too large by 2^64 at most, which would show. */
static inline bool fits_64_bits(const uint8_t *first, size_t count, uint64_t digits) {
    return count <= DECIMAL_MAX_DIGITS ||
           (count == DECIMAL_MAX_DIGITS + 1 && *first == '1' && digits >= 10000000000000000000u);
}

PyObject *number_read(const uint8_t **cursor, const uint8_t *end) {
    const uint8_t *start = *cursor;
    bool negative = *start == '-';
    const uint8_t *first = start + negative;
    uint64_t digits = 0;
    const uint8_t *at = first;
    // Few they are before most points.
    for (; at < first + 3 && *at >= '0' && *at <= '9'; at++)
        digits = digits * 10 + (uint64_t)(*at - '0');
    if (*at >= '0' && *at <= '9')
        at = take_digits(at, end, &digits);
    size_t count = (size_t)(at - first);
    if (count == 0 || (*first == '0' && count > 1))
        return NULL;
    *cursor = at;
    if (*at == '.' || *at == 'e' || *at == 'E')
        return read_float(start, digits, cursor, end);
    if (count <= DECIMAL_MAX_DIGITS && digits <= INT64_MAX)
        return PyLong_FromLongLong(negative ? -(long long)digits : (long long)digits);
    if (!negative && fits_64_bits(first, count, digits))
        return PyLong_FromUnsignedLongLong(digits);
    return count <= SURE_DIGITS ? int_from_token(start, (size_t)(at - start)) : NULL;
}
