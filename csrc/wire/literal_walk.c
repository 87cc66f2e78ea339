/* Walking over a value in one pass: an automaton over what is open around the cursor. */
#include "wire/literal_walk.h"

#include <stdbool.h>
#include <string.h> // memcmp()

#include "wire/literal.h"
#include "wire/literal_scan.h"
#include "wire/literal_space.h"
#include "wire/literal_string.h"

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

// Where walking is. What is called and not inlined is lent a copy of `at`, so that all can be in registers.
typedef struct walk {
    const uint8_t *at;
    const uint8_t *end;
    unsigned depth;
    bool in_object;
} walk;

// What comes next.
typedef enum step {
    BEGINS, // a value
    ENDS,   // a value has ended
    CLOSES, // an array or object, if the right bracket is here
    FAILS,
} step;

INLINE bool take_string(walk *w) {
    const uint8_t *text = w->at + 1, *bad;
    uint8_t quote = *w->at;
    const uint8_t *close = literal_scan(text, w->end, quote);
    if (!LIKELY(close < w->end && *close == quote)) {
        bool escaped = false;
        close = close < w->end ? literal_string_end(close, w->end, quote, &escaped, &bad) : NULL;
        if (close == NULL)
            return false;
    }
    w->at = close + 1;
    return true;
}

INLINE bool take_word(walk *w, const char *word, size_t length) {
    // More than the word: the last byte is no letter.
    if ((size_t)(w->end - w->at) <= length || memcmp(w->at, word, length) != 0)
        return false;
    w->at += length;
    return true;
}

INLINE const uint8_t *skip_digits(const uint8_t *at) {
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* Behind a number's integer part: a fraction and an exponent, if there are. NULL where digits are missing. */
static const uint8_t *take_fraction(const uint8_t *at) {
    if (*at == '.') {
        const uint8_t *first = at + 1;
        at = skip_digits(first);
        if (at == first)
            return NULL;
    }
    if (*at != 'e' && *at != 'E')
        return at;
    at++;
    const uint8_t *first = at + (*at == '+' || *at == '-');
    at = skip_digits(first);
    return at > first ? at : NULL;
}

INLINE bool take_number(walk *w) {
    const uint8_t *first = w->at + (*w->at == '-'), *at = skip_digits(first);
    if (at == first || (*first == '0' && at - first > 1))
        return false;
    if (*at == '.' || (*at | 0x20) == 'e')
        at = take_fraction(at);
    else if (at - first > LITERAL_MAX_DIGITS)
        return false;
    w->at = at;
    return at != NULL;
}

/* A value that is neither array nor object. */
INLINE bool take_leaf(walk *w) {
    switch (*w->at) {
    case '"':
    case '\'':
        return take_string(w);
    case 'n':
        return take_word(w, "null", 4);
    case 't':
        return take_word(w, "true", 4);
    case 'f':
        return take_word(w, "false", 5);
    case 'u':
        return take_word(w, "undefined", 9);
    default:
        return (*w->at == '-' || (*w->at >= '0' && *w->at <= '9')) && take_number(w);
    }
}

/* A key and its colon. */
INLINE step take_member(walk *w) {
    if ((*w->at != '"' && *w->at != '\'') || !take_string(w))
        return FAILS;
    w->at = literal_skip_indent(w->at, w->end);
    if (*w->at != ':')
        return FAILS;
    w->at = literal_skip_indent(w->at + 1, w->end);
    return BEGINS;
}

/* Behind an element: commas, one of them or, with holes, several; or the array's end, which may come behind a
 * comma. */
INLINE step take_element_end(walk *w) {
    if (*w->at != ',')
        return CLOSES;
    do
        w->at = literal_skip_indent(w->at + 1, w->end);
    while (*w->at == ',');
    return LIKELY(*w->at != ']') ? BEGINS : CLOSES;
}

INLINE step begin_value(walk *w, unsigned most, uint8_t *around) {
    uint8_t byte = *w->at;
    if (byte != '[' && byte != '{')
        return LIKELY(take_leaf(w)) ? ENDS : FAILS;
    bool is_object = byte == '{';
    if (w->depth == most)
        return FAILS;
    w->at = literal_skip_indent(w->at + 1, w->end);
    around[w->depth++] = w->in_object;
    w->in_object = is_object;
    if (*w->at == (is_object ? '}' : ']'))
        return CLOSES;
    if (is_object)
        return take_member(w);
    return LIKELY(*w->at != ',') ? BEGINS : take_element_end(w);
}

INLINE step end_value(walk *w) {
    w->at = literal_skip_indent(w->at, w->end);
    if (!w->in_object)
        return take_element_end(w);
    if (*w->at != ',')
        return CLOSES;
    w->at = literal_skip_indent(w->at + 1, w->end);
    return take_member(w);
}

INLINE step close_nest(walk *w, const uint8_t *around) {
    if (*w->at != (w->in_object ? '}' : ']') || w->at + 1 == w->end)
        return FAILS;
    w->at++;
    w->in_object = around[--w->depth];
    return ENDS;
}

const uint8_t *literal_walk(const uint8_t *at, const uint8_t *end, unsigned most) {
    // For each array and object that is open, whether what is around it is an object.
    uint8_t around[LITERAL_MAX_DEPTH];
    walk w = {.at = at, .end = end};
    for (step next = BEGINS; next != FAILS;) {
        switch (next) {
        case BEGINS:
            next = begin_value(&w, most, around);
            break;
        case CLOSES:
            next = close_nest(&w, around);
            break;
        default:
            if (w.depth == 0)
                return w.at;
            next = end_value(&w);
        }
    }
    return NULL;
}
