/* The keys of objects that were met of late. */
#include "py/keys.h"

#include "py/making.h"

// No UTF-8 holds this byte.
#define NO_TEXT 0xFF

void keys_init(key_cache *cache) {
    for (size_t i = 0; i <= KEYS_NONE; i++)
        cache->entries[i] = (key_entry){.text = {NO_TEXT}, .next = KEYS_NONE, .child = KEYS_NONE};
    for (size_t i = 0; i < KEYS_LONG_COUNT; i++)
        cache->longs[i] = (long_key){.text = {NO_TEXT}, .length = LITERAL_HEAD};
}

void keys_clear(key_cache *cache) {
    for (size_t i = 0; i < KEYS_NONE; i++)
        Py_CLEAR(cache->entries[i].str);
    for (size_t i = 0; i < KEYS_LONG_COUNT; i++)
        Py_CLEAR(cache->longs[i].str);
    keys_init(cache);
}

/* The first of the two places where a key may be. */
static key_place set_of(const uint8_t *head, size_t length) {
    return (key_place)(literal_head_hash(head, length) >> (64 - KEYS_SET_BITS) << 1);
}

/* Whether the key is kept; if not, `*place` is where it is to be. */
static bool is_kept(const key_cache *cache, const uint8_t *head, size_t length, key_place *place) {
    *place = set_of(head, length);
    if (keys_is(cache, *place, head))
        return true;
    ++*place;
    if (keys_is(cache, *place, head))
        return true;
    --*place;
    return false;
}

/* Keep a new key, whose `str` is given away, in a set, in place of the older of the two. */
static void keep(key_entry *set, const uint8_t *head, size_t length, PyObject *str) {
    PyObject *old = set[1].str;
    set[1] = set[0];
    set[0] = (key_entry){.str = str, .next = KEYS_NONE, .child = KEYS_NONE, .length = (uint8_t)length};
    memcpy(set[0].text, head, length + 1);
    Py_XDECREF(old);
}

bool keys_find(key_cache *cache, const uint8_t *head, size_t length, key_place *place) {
    if (is_kept(cache, head, length, place))
        return true;
    PyObject *str = make_ascii(head, length);
    if (str != NULL)
        keep(&cache->entries[*place], head, length, str);
    return str != NULL;
}

bool keys_find_written(const key_cache *cache, const uint8_t *head, key_place *place) {
    const uint8_t *at = head, *end;
    while ((end = memchr(at, '"', (size_t)(head + LITERAL_HEAD - at))) != NULL) {
        if (is_kept(cache, head, (size_t)(end - head), place))
            return true;
        // Behind a backslash it may be the key's own; none that is kept ends in half an escape.
        if (end == head || end[-1] != '\\')
            return false;
        at = end + 1;
    }
    return false;
}

void keys_find_made(key_cache *cache, const uint8_t *head, size_t length, PyObject *str, key_place *place) {
    if (!is_kept(cache, head, length, place))
        keep(&cache->entries[*place], head, length, Py_NewRef(str));
}

/* The first of the two places where a long key may be. */
static size_t long_set_of(const uint8_t *text, size_t length) {
    uint64_t hash = literal_head_hash(text, LITERAL_HEAD);
    // Turned, or two keys with their heads changed over would be one's place.
    hash = (hash << 29 | hash >> 35) + literal_head_hash(text + LITERAL_HEAD, length - LITERAL_HEAD);
    return hash >> (64 - KEYS_LONG_SET_BITS) << 1;
}

static bool is_long_key(const long_key *entry, const uint8_t *text) {
    return literal_head_same(entry->text, text, LITERAL_HEAD) &&
           literal_head_same(entry->text + LITERAL_HEAD, text + LITERAL_HEAD,
                             entry->length + (size_t)1 - LITERAL_HEAD);
}

PyObject *keys_find_long(key_cache *cache, const uint8_t *text, size_t length) {
    long_key *set = cache->longs + long_set_of(text, length);
    if (is_long_key(&set[0], text))
        return Py_NewRef(set[0].str);
    if (is_long_key(&set[1], text))
        return Py_NewRef(set[1].str);
    PyObject *str = make_ascii(text, length);
    if (str == NULL)
        return NULL;
    // Not the older one, since to move 80 bytes takes as long as the rest.
    cache->next_long = !cache->next_long;
    long_key *place = &set[cache->next_long];
    PyObject *old = place->str;
    place->str = Py_NewRef(str);
    place->length = (uint8_t)length;
    memcpy(place->text, text, sizeof place->text);
    Py_XDECREF(old);
    return str;
}
