/* From JSON to objects in one pass: an automaton over a stack of values. */
#include "py/builder.h"

#include <string.h> // memcmp()

#include "py/keys.h"
#include "py/making.h"
#include "py/numbers.h"
#include "py/quoted.h"
#include "wire/decimal.h"
#include "wire/literal.h"
#include "wire/literal_space.h"

#define INLINE static inline __attribute__((always_inline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

// What the plain reader allows, less the two arrays that a chunk has around each value.
#define MAX_DEPTH (LITERAL_MAX_DEPTH - 2)

// Values that the stack begins with room for, and those that it keeps room for while the builder waits.
#define STACK_FIRST 256
#define STACK_KEPT 8192

// The numbers from 0 on that are made once: those that CPython makes once, too, but has to be called for.
#define SMALL_COUNT 257

// An array or object that has begun.
typedef struct nest {
    // How many values were on the stack then: what is above is in it, an object's keys before their values.
    size_t bottom;
    // The last key read: in it, or, in an array, around it.
    key_place key;
    bool is_object;
} nest;

struct builder {
    key_cache keys;
    // Room for values, which are there only while something is read.
    PyObject **stack;
    size_t capacity;
    // Owned. All are there.
    PyObject *small[SMALL_COUNT];
    // The nests around the innermost one.
    nest around[MAX_DEPTH];
};

/* ---- One at a time ---- */

// How many builders a module keeps. With the GIL, which then is enough to have one's turn, a second one is
// wanted where the garbage collector runs what feeds a decoder while another decodes.
#ifdef Py_GIL_DISABLED
#define BUILDERS_KEPT 16
typedef _Atomic(builder *) builder_place;
#else
#define BUILDERS_KEPT 2
typedef builder *builder_place;
#endif

static const char shelf_name[] = "gaechannel._core.builders";

// A module's builders, while they are not in use.
typedef struct builder_shelf {
    builder_place builders[BUILDERS_KEPT];
} builder_shelf;

/* Take what is in a place, which is empty then; NULL where it was. */
INLINE builder *place_take(builder_place *place) {
#ifdef Py_GIL_DISABLED
    return atomic_exchange(place, NULL);
#else
    builder *found = *place;
    *place = NULL;
    return found;
#endif
}

/* Put a builder where there is none; whether there was none. */
INLINE bool place_put(builder_place *place, builder *self) {
#ifdef Py_GIL_DISABLED
    builder *none = NULL;
    return atomic_compare_exchange_strong(place, &none, self);
#else
    if (*place != NULL)
        return false;
    *place = self;
    return true;
#endif
}

static void builder_free(builder *self) {
    keys_clear(&self->keys);
    for (size_t i = 0; i < SMALL_COUNT; i++)
        Py_XDECREF(self->small[i]);
    PyMem_Free(self->stack);
    PyMem_Free(self);
}

static void shelf_free(PyObject *capsule) {
    builder_shelf *kept = PyCapsule_GetPointer(capsule, shelf_name);
    for (size_t i = 0; i < BUILDERS_KEPT; i++) {
        builder *found = place_take(&kept->builders[i]);
        if (found != NULL)
            builder_free(found);
    }
    PyMem_Free(kept);
}

int builders_prepare(module_state *state) {
    builder_shelf *kept = PyMem_Calloc(1, sizeof *kept);
    if (kept == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    state->builders = PyCapsule_New(kept, shelf_name, shelf_free);
    if (state->builders == NULL) {
        PyMem_Free(kept);
        return -1;
    }
    state->shelf = kept;
    return 0;
}

/* NULL where the module has been cleared. */
static builder_shelf *shelf_of(const module_state *state) {
    return state->builders != NULL ? state->shelf : NULL;
}

static builder *builder_new(void) {
    builder *made = PyMem_Calloc(1, sizeof *made);
    if (made == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    keys_init(&made->keys);
    for (size_t i = 0; i < SMALL_COUNT; i++) {
        made->small[i] = PyLong_FromSize_t(i);
        if (made->small[i] == NULL) {
            builder_free(made);
            return NULL;
        }
    }
    return made;
}

builder *builder_take(module_state *state) {
    builder_shelf *kept = shelf_of(state);
    for (size_t i = 0; kept != NULL && i < BUILDERS_KEPT; i++) {
        builder *found = place_take(&kept->builders[i]);
        if (found != NULL)
            return found;
    }
    return builder_new();
}

void builder_put(module_state *state, builder *self) {
    if (self->capacity > STACK_KEPT) {
        PyMem_Free(self->stack);
        self->stack = NULL;
        self->capacity = 0;
    }
    builder_shelf *kept = shelf_of(state);
    for (size_t i = 0; kept != NULL && i < BUILDERS_KEPT; i++)
        if (place_put(&kept->builders[i], self))
            return;
    builder_free(self);
}

/* ---- Reading ---- */

// Where reading is. What is called and not inlined is lent a copy of `at`, so that all of it can be in
// registers.
typedef struct reading {
    builder *builder;
    const uint8_t *at;
    // The text's.
    const uint8_t *end, *padded_end;
    bool only_item;
    // Behind the last value on the stack, which owns them, and where its room ends.
    PyObject **top;
    PyObject **full;
    nest in;
    size_t depth;
} reading;

// What comes next.
typedef enum step {
    BEGINS, // a value
    ENDS,   // a value has ended
    CLOSES, // an array or object, if the right bracket is here
    FAILS,
} step;

/* ---- The stack ---- */

/* How many values are on the stack. */
INLINE size_t height(const reading *r) {
    return (size_t)(r->top - r->builder->stack);
}

/* The stack with more room; NULL with MemoryError set. */
static PyObject **grow(builder *self) {
    size_t capacity = self->capacity > 0 ? self->capacity * 2 : STACK_FIRST;
    PyObject **stack = PyMem_Realloc(self->stack, capacity * sizeof *stack);
    if (stack == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    self->stack = stack;
    self->capacity = capacity;
    return stack;
}

/* Give the stack a value. */
INLINE bool push(reading *r, PyObject *value) {
    if (!LIKELY(r->top < r->full)) {
        size_t count = height(r);
        PyObject **stack = grow(r->builder);
        if (stack == NULL) {
            Py_DECREF(value);
            return false;
        }
        r->top = stack + count;
        r->full = stack + r->builder->capacity;
    }
    *r->top++ = value;
    return true;
}

INLINE bool push_none(reading *r) {
    Py_INCREF(Py_None);
    return push(r, Py_None);
}

/* Take a row of `,null`, which is most of what some arrays are made of, as far as there is room. Whether
 * there was one. */
INLINE bool take_nulls(reading *r) {
    PyObject **first = r->top, **top = first;
    const uint8_t *at = r->at;
    if (at[1] != 'n')
        return false;
    // By words, of which three bytes are left out.
    static const uint8_t null[8] = ",null", kept[8] = {255, 255, 255, 255, 255};
    while (top < r->full && r->end - at >= 8 && (word_load(at) & word_load(kept)) == word_load(null)) {
        *top++ = Py_None;
        at += 5;
    }
    // Apart, so that it is one addition.
    for (size_t i = (size_t)(top - first); i > 0; i--)
        Py_INCREF(Py_None);
    r->top = top;
    r->at = at;
    return top > first;
}

/* A list of what the stack has from `bottom` on; or the only item, if that is wanted. */
INLINE PyObject *pop_list(reading *r, size_t bottom) {
    PyObject **from = r->builder->stack + bottom;
    size_t count = (size_t)(r->top - from);
    if (r->only_item && r->depth == 1 && count == 1)
        return *--r->top;
    PyObject *list = make_list(from, count);
    if (list != NULL)
        r->top = from;
    return list;
}

/* A dict of it. */
INLINE PyObject *pop_dict(reading *r, size_t bottom) {
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    PyObject **from = r->builder->stack + bottom;
    for (PyObject **at = from; at < r->top; at += 2) {
        if (dict != NULL && PyDict_SetItem(dict, at[0], at[1]) < 0)
            Py_CLEAR(dict);
        Py_DECREF(at[0]);
        Py_DECREF(at[1]);
    }
    r->top = from;
    return dict;
}

/* ---- Values ---- */

INLINE PyObject *read_word(reading *r, const char *word, size_t length, PyObject *value) {
    // More than the word: the last byte is no letter.
    if ((size_t)(r->end - r->at) <= length || memcmp(r->at, word, length) != 0)
        return NULL;
    r->at += length;
    Py_INCREF(value);
    return value;
}

INLINE bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* A number, whose first byte is a digit or a minus sign. */
INLINE PyObject *read_number(reading *r) {
    const uint8_t *at = r->at;
    // No more than three digits, and the first no zero before others.
    size_t small = (size_t)*at - '0';
    for (at++; small > 0 && small < SMALL_COUNT / 10 && is_digit(*at); at++)
        small = small * 10 + (size_t)(*at - '0');
    if (small < SMALL_COUNT && !is_digit(*at) && *at != '.' && (*at | 0x20) != 'e') {
        r->at = at;
        Py_INCREF(r->builder->small[small]);
        return r->builder->small[small];
    }
    at = r->at;
    PyObject *number = number_read(&at, r->end);
    r->at = at;
    return number;
}

INLINE PyObject *read_quoted(const reading *r, const uint8_t **at) {
    return quoted_read(at, r->end, r->padded_end);
}

INLINE PyObject *read_string(reading *r) {
    const uint8_t *text = r->at + 1, *at = r->at;
    unsigned length = LIKELY(r->padded_end - text >= LITERAL_HEAD) ? literal_head_end(text) : LITERAL_HEAD;
    if (LIKELY(length < LITERAL_HEAD && text[length] == '"')) {
        r->at = text + length + 1;
        return make_ascii(text, length);
    }
    PyObject *string =
        length < LITERAL_HEAD ? quoted_read_special(&at, text + length, r->end) : read_quoted(r, &at);
    r->at = at;
    return string;
}

/* A value that is neither array nor object. */
INLINE PyObject *read_leaf(reading *r) {
    switch (*r->at) {
    case '"':
        return read_string(r);
    case 'n':
        return read_word(r, "null", 4, Py_None);
    case 't':
        return read_word(r, "true", 4, Py_True);
    case 'f':
        return read_word(r, "false", 5, Py_False);
    case 'u':
        return read_word(r, "undefined", 9, Py_None);
    case '\'': {
        const uint8_t *at = r->at;
        PyObject *string = read_quoted(r, &at);
        r->at = at;
        return string;
    }
    default:
        return *r->at == '-' || is_digit(*r->at) ? read_number(r) : NULL;
    }
}

/* How long a key is whose head is plain and ends in the next one; 0 where it does not. */
static size_t long_key_length(const reading *r) {
    const uint8_t *text = r->at + 1;
    if (r->padded_end - text < 2 * LITERAL_HEAD || literal_head_end(text) != LITERAL_HEAD)
        return 0;
    unsigned length = literal_head_end(text + LITERAL_HEAD);
    return length < LITERAL_HEAD && text[LITERAL_HEAD + length] == '"' ? LITERAL_HEAD + length : 0;
}

/* A key that is long, or has to be read as other strings are. The latter is kept, if `head` is not NULL and
 * holds all of it; then `*guess` learns. */
static PyObject *read_other_key(reading *r, const uint8_t *head, key_place *guess) {
    key_cache *keys = &r->builder->keys;
    key_place place;
    const uint8_t *text = r->at + 1, *at = r->at;
    r->in.key = KEYS_NONE;
    size_t length = head != NULL ? long_key_length(r) : 0;
    if (length > 0) {
        r->at = text + length + 1;
        return keys_find_long(keys, text, length);
    }
    if (head != NULL && keys_find_written(keys, head, &place)) {
        r->in.key = *guess = place;
        r->at = text + keys->entries[place].length + 1;
        return Py_NewRef(keys->entries[place].str);
    }
    PyObject *key = read_quoted(r, &at);
    r->at = at;
    if (key != NULL && head != NULL && at - text - 1 <= KEYS_LONGEST) {
        keys_find_made(keys, head, (size_t)(at - text) - 1, key, &place);
        r->in.key = *guess = place;
    }
    return key;
}

/* A key, which may be the one that `*guess` says; if not, that learns. */
INLINE PyObject *read_key(reading *r, key_place *guess) {
    key_cache *keys = &r->builder->keys;
    if (*r->at != '"')
        return *r->at == '\'' ? read_other_key(r, NULL, guess) : NULL;
    const uint8_t *text = r->at + 1, *head = text;
    uint8_t padded[LITERAL_HEAD];
    if (!LIKELY(r->padded_end - text >= LITERAL_HEAD)) {
        memset(padded, 0, sizeof padded);
        head = memcpy(padded, text, (size_t)(r->end - text));
    }
    key_place place = *guess;
    if (!LIKELY(keys_is(keys, place, head))) {
        unsigned length = literal_head_end(head);
        if (length == LITERAL_HEAD || head[length] != '"')
            return read_other_key(r, head, guess);
        if (!keys_find(keys, head, length, &place))
            return NULL;
        *guess = place;
    }
    const key_entry *entry = &keys->entries[place];
    r->in.key = place;
    r->at = text + entry->length + 1;
    Py_INCREF(entry->str);
    return entry->str;
}

/* A key and its colon. */
INLINE step read_member(reading *r, key_place *guess) {
    PyObject *key = read_key(r, guess);
    if (key == NULL || !push(r, key) || r->at == r->end)
        return FAILS;
    r->at = literal_skip_indent(r->at, r->end);
    if (*r->at != ':')
        return FAILS;
    r->at = literal_skip_indent(r->at + 1, r->end);
    return BEGINS;
}

/* Behind an element: a comma, or the array's end. */
INLINE step read_element_end(reading *r) {
    while (*r->at == ',') {
        if (take_nulls(r)) {
            r->at = literal_skip_indent(r->at, r->end);
            continue;
        }
        r->at = literal_skip_indent(r->at + 1, r->end);
        if (LIKELY(*r->at != ',' && *r->at != ']'))
            return BEGINS;
        // A hole, whose comma is behind it; or `]` behind a comma, where there is none.
        if (*r->at == ',' && !push_none(r))
            return FAILS;
    }
    return CLOSES;
}

/* An array or object that is not empty; `r->at` is behind its bracket. Its first value begins, or is a hole
 * that has ended. */
INLINE step open_nest(reading *r, bool is_object, PyObject **value) {
    r->builder->around[r->depth++] = r->in;
    key_place key = r->in.key;
    r->in = (nest){.bottom = height(r), .key = key, .is_object = is_object};
    if (is_object)
        return read_member(r, &r->builder->keys.entries[key].child);
    if (LIKELY(*r->at != ','))
        return BEGINS;
    Py_INCREF(Py_None); // a hole
    *value = Py_None;
    return ENDS;
}

INLINE step begin_value(reading *r, PyObject **value) {
    uint8_t byte = *r->at;
    if (byte != '[' && byte != '{') {
        *value = read_leaf(r);
        return LIKELY(*value != NULL) ? ENDS : FAILS;
    }
    if (r->depth == MAX_DEPTH)
        return FAILS;
    bool is_object = byte == '{';
    r->at = literal_skip_indent(r->at + 1, r->end);
    if (LIKELY(*r->at != (is_object ? '}' : ']')))
        return open_nest(r, is_object, value);
    r->at++;
    *value = is_object ? PyDict_New() : PyList_New(0);
    return *value != NULL ? ENDS : FAILS;
}

INLINE step end_value(reading *r, PyObject *value) {
    if (!push(r, value) || r->at == r->end)
        return FAILS;
    r->at = literal_skip_indent(r->at, r->end);
    if (!r->in.is_object)
        return read_element_end(r);
    if (*r->at != ',')
        return CLOSES;
    r->at = literal_skip_indent(r->at + 1, r->end);
    return read_member(r, &r->builder->keys.entries[r->in.key].next);
}

/* The array or object whose bracket is here; false where that is none. */
INLINE bool close_nest(reading *r, PyObject **value) {
    if (*r->at != (r->in.is_object ? '}' : ']'))
        return false;
    r->at++;
    *value = r->in.is_object ? pop_dict(r, r->in.bottom) : pop_list(r, r->in.bottom);
    r->in = r->builder->around[--r->depth];
    return LIKELY(*value != NULL);
}

/* From a value that has ended to the next one that begins, or to the end of the outermost, which then is
 * `*value`. */
INLINE step leave_value(reading *r, PyObject **value) {
    while (r->depth > 0) {
        step next = end_value(r, *value);
        if (next != CLOSES)
            return next;
        if (!close_nest(r, value))
            return FAILS;
    }
    return ENDS;
}

PyObject *builder_read(builder *self, const uint8_t **cursor, const builder_text *text) {
    if (self->stack == NULL && grow(self) == NULL)
        return NULL;
    reading r = {
        .builder = self,
        .at = *cursor,
        .end = text->end,
        .padded_end = text->padded_end,
        .only_item = text->only_item,
        .top = self->stack,
        .full = self->stack + self->capacity,
        .in = {.key = KEYS_NONE},
    };
    PyObject *value = NULL;
    step next;
    do {
        next = begin_value(&r, &value);
        if (next == ENDS)
            next = leave_value(&r, &value);
    } while (next == BEGINS);
    if (next == ENDS) {
        *cursor = r.at;
        return value;
    }
    while (r.top > self->stack)
        Py_DECREF(*--r.top);
    return NULL;
}
