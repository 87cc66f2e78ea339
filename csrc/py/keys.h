/* The keys of objects that were met of late: each as the str that was made of it, so that it need not be
 * made, and hashed, again; and, for each, which key came behind it.
 *
 * What is found is what stands there, byte by byte, so that no input can have another's key. Keys that
 * collide, or never come again, cost a miss each: an old one goes, the memory stays the same. The strs are
 * not interned: those might never go. */
#ifndef GAECHANNEL_PY_KEYS_H
#define GAECHANNEL_PY_KEYS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "wire/literal_head.h"

// The longest key kept, in bytes: its quotation mark must be in the head, too.
#define KEYS_LONGEST (LITERAL_HEAD - 1)

// The longest of the long ones, likewise with its quotation mark, in two heads.
#define KEYS_LONGEST_LONG (2 * LITERAL_HEAD - 1)

// 512 keys of 48 bytes are 24 kB: more than the objects of the living services have, and no more than a
// processor's first cache holds.
#define KEYS_SET_BITS 8
#define KEYS_COUNT (2u << KEYS_SET_BITS)

// Of long ones there are fewer: 64 of 80 bytes, 5 kB.
#define KEYS_LONG_SET_BITS 5
#define KEYS_LONG_COUNT (2u << KEYS_LONG_SET_BITS)

/* Where a key is kept. Places are guesses: what is kept there may have changed, or nothing be kept at all. */
typedef uint16_t key_place;

// The place of no key; in it are the guesses for where there was no key before.
#define KEYS_NONE KEYS_COUNT

typedef struct key_entry {
    // The key, the quotation mark behind it, and anything.
    uint8_t text[LITERAL_HEAD];
    // Owned. NULL: no key; `text` then begins with what no text holds.
    PyObject *str;
    // The key that came behind this one, last time, in the same object; and the first one of the object that
    // was its value, or in it.
    key_place next, child;
    uint8_t length; // bytes
} key_entry;

// A long one, of which nothing is guessed.
typedef struct long_key {
    // The key, the quotation mark behind it, and anything.
    uint8_t text[2 * LITERAL_HEAD];
    // Owned, or NULL.
    PyObject *str;
    uint8_t length; // bytes
} long_key;

typedef struct key_cache {
    key_entry entries[KEYS_COUNT + 1];
    long_key longs[KEYS_LONG_COUNT];
    // Which of a set's two places the next one takes.
    bool next_long;
} key_cache;

/* Begin without keys. */
void keys_init(key_cache *cache);

/* Let go of all keys. */
void keys_clear(key_cache *cache);

/* Whether the key in `place` is the one that stands at `head`, behind a quotation mark. */
static inline bool keys_is(const key_cache *cache, key_place place, const uint8_t *head) {
    const key_entry *entry = &cache->entries[place];
    return literal_head_same(entry->text, head, entry->length + (size_t)1);
}

/* Where the key at `head`, of `length` bytes (ASCII, at most KEYS_LONGEST, and the quotation mark behind
 * them), is kept, which it is from now on. False with MemoryError set. */
bool keys_find(key_cache *cache, const uint8_t *head, size_t length, key_place *place);

/* Whether any key, as it is written at `head`, is kept, and where. It need not end within the head. */
bool keys_find_written(const key_cache *cache, const uint8_t *head, key_place *place);

/* Keep any other key, of which `str` was made: past ASCII, or with escapes, and then `length` is that
 * of what is written. */
void keys_find_made(key_cache *cache, const uint8_t *head, size_t length, PyObject *str, key_place *place);

/* The str, a new reference, of a long key: ASCII, `length` bytes, no fewer than a head and no more than
 * KEYS_LONGEST_LONG, in two heads at `text`, with the quotation mark behind them. It is kept from now on.
 * NULL with MemoryError set. */
PyObject *keys_find_long(key_cache *cache, const uint8_t *text, size_t length);

#endif
