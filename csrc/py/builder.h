/* From JSON to objects in one pass.
 *
 * This is the fast path beside value_from_literal_plain(): it reads what servers write, JSON with holes and
 * single quotes, and gives up on all else, errors included, so that what is wrong, and where, only the plain
 * one has to tell. Nesting takes no C stack. */
#ifndef GAECHANNEL_PY_BUILDER_H
#define GAECHANNEL_PY_BUILDER_H

#include "py/state.h"
#include "wire/literal_head.h"

/* What building needs and what it is good to have again: a stack, and the keys met before. */
typedef struct builder builder;

/* Prepare a module for building. -1 with an exception set. */
int builders_prepare(module_state *state);

/* Take one of the module's builders, or a new one; nobody else has it until it is put back. NULL with
 * MemoryError set. */
builder *builder_take(module_state *state);
void builder_put(module_state *state, builder *builder);

// So many zeros behind a text let strings at its end be read as those before them are.
#define BUILDER_PADDING LITERAL_HEAD

/* What a value is read of. */
typedef struct builder_text {
    // Where the text ends. The last byte before it must be `]`, `}` or `"`; the value may end before it. The
    // text must be valid UTF-8.
    const uint8_t *end;
    // The same, or BUILDER_PADDING behind it where there are zeros.
    const uint8_t *padded_end;
    // Whether of an array with one element, if the value is one, that is wanted and not a list.
    bool only_item;
} builder_text;

/* The value that begins at `*cursor`, which then is behind it.
 *
 * Returns NULL with MemoryError set, or without an exception: the value is not of the kind that is read here.
 */
PyObject *builder_read(builder *builder, const uint8_t **cursor, const builder_text *text);

#endif
