/* Maps on their way to the server: kept until confirmed, numbered over all sessions. */
#include "session/maps.h"

#include <stdlib.h> // realloc()
#include <string.h>

// What one request may hold. Closure's client puts 1,000 maps in one; but Express's form parser, before
// node-browserchannel, reads 1,000 fields and silently drops the rest.
#define MAX_FIELDS 900
#define MAX_BODY_BYTES ((size_t)128 * 1024)

static void map_free(map *item) {
    strbuf_free(&item->fields);
}

static bool make_room(map_list *list) {
    if (list->first > 0 && list->first >= list->capacity / 2) {
        memmove(list->items, list->items + list->first, list->count * sizeof(map));
        list->first = 0;
    }
    if (list->first + list->count < list->capacity)
        return true;
    size_t capacity = list->capacity ? list->capacity * 2 : 2;
    map *items = realloc(list->items, capacity * sizeof(map));
    if (items == NULL)
        return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

// Add a map, behind all others, or, with `first`, behind those of the session alone. Its id; -1 when memory
// ran out.
static int64_t add_map(map_list *list, const map_field *fields, size_t count, bool first) {
    if (!make_room(list))
        return -1;
    map added = {.field_count = count, .id = list->next_id};
    for (size_t i = 0; i < count; i++) {
        added.size += fields[i].key_length + fields[i].value_length;
        strbuf_quote(&added.fields, fields[i].key, fields[i].key_length);
        strbuf_append(&added.fields, "", 1);
        strbuf_text(&added.fields, fields[i].is_json ? "J" : "S");
        strbuf_quote(&added.fields, fields[i].value, fields[i].value_length);
        strbuf_append(&added.fields, "", 1);
    }
    if (strbuf_failed(&added.fields)) {
        map_free(&added);
        return -1;
    }
    size_t index = first ? list->of_session : list->count;
    map *place = &list->items[list->first + index];
    memmove(place + 1, place, (list->count++ - index) * sizeof(map));
    *place = added;
    list->of_session += first;
    list->bytes += added.size;
    return list->next_id++;
}

static size_t less(size_t count, size_t taken) {
    return count > taken ? count - taken : 0;
}

void map_list_confirm(map_list *list, size_t count) {
    for (size_t i = 0; i < count; i++) {
        map *item = &list->items[list->first + i];
        list->bytes -= i >= list->dropped ? item->size : 0;
        map_free(item);
    }
    list->first += count;
    list->count -= count;
    list->gone += (int64_t)count;
    list->of_session = less(list->of_session, count);
    list->tried = less(list->tried, count);
    list->dropped = less(list->dropped, count);
    list->fillers = less(list->fillers, count);
    if (list->count == 0) {
        free(list->items);
        list->items = NULL;
        list->first = list->capacity = 0;
    }
}

void map_list_restart(map_list *list, bool drop) {
    map_list_confirm(list, drop ? list->count : list->dropped);
    list->gone_before = list->gone;
    list->tried = 0; // by requests of another session
    list->unfillable = false;
}

void map_list_free(map_list *list) {
    map_list_confirm(list, list->count);
    *list = (map_list){0};
}

static void tell(const map *item, strbuf *out) {
    const char *at = strbuf_str(&item->fields);
    strbuf_format(out, "%lld ", (long long)item->id);
    for (size_t field = 0; field < item->field_count; field++) {
        const char *value = at + strlen(at) + 1;
        strbuf_text(out, field > 0 ? "&" : "");
        strbuf_text(out, at);
        strbuf_text(out, "=");
        strbuf_text(out, value);
        at = value + strlen(value) + 1;
    }
    strbuf_text(out, "\n");
}

// Append the oldest `count` to `out` as session_error has them, but for those that were dropped.
static void tell_all(const map_list *list, size_t count, strbuf *out) {
    for (size_t i = list->dropped; i < count; i++)
        tell(&list->items[list->first + i], out);
}

bool map_list_refuse(map_list *list, size_t count, strbuf *out) {
    tell_all(list, count, out);
    if (strbuf_failed(out))
        return false;
    map_list_confirm(list, count);
    return true;
}

bool map_list_fill(map_list *list, size_t count, strbuf *out) {
    if (list->unfillable)
        return map_list_refuse(list, count, out);
    tell_all(list, count, out);
    if (strbuf_failed(out))
        return false;
    for (; list->fillers < count; list->fillers++) {
        map *item = &list->items[list->first + list->fillers];
        list->bytes -= list->fillers >= list->dropped ? item->size : 0;
        map_free(item);
        *item = (map){.field_count = 1, .id = item->id};
    }
    if (list->dropped < count)
        list->dropped = count;
    return true;
}

static size_t at_most(size_t count, size_t most) {
    return count < most ? count : most;
}

// Append all to `out`, and drop them: they are gone, but for the oldest `held`, which count as dropped.
// False, with nothing dropped, when memory ran out.
static bool drop_all(map_list *list, size_t held, strbuf *out) {
    tell_all(list, list->count, out);
    if (strbuf_failed(out))
        return false;
    while (list->count > held)
        map_free(&list->items[list->first + --list->count]);
    list->of_session = at_most(list->of_session, held);
    list->tried = at_most(list->tried, held);
    list->dropped = held;
    list->fillers = at_most(list->fillers, held);
    list->bytes = 0;
    map_list_confirm(list, 0); // gives back what an empty list need not have
    return true;
}

// What Closure's clients send in the place of a map that cannot be written: servers go by the ids (Google's
// and node-browserchannel's wait for one that was left out, and all behind it waits with them).
static const char FILLER[] = "type\0S_badmap";

static void write_map(const map_list *list, size_t index, strbuf *out) {
    const map *item = &list->items[list->first + index];
    const char *at = index < list->fillers ? FILLER : strbuf_str(&item->fields);
    for (size_t i = 0; i < item->field_count; i++) {
        const char *key = at;
        const char *value = key + strlen(key) + 1;
        strbuf_format(out, "&req%zu_", index);
        strbuf_text(out, key);
        strbuf_text(out, "=");
        strbuf_text(out, value + 1);
        at = value + strlen(value) + 1;
    }
}

static size_t how_many(const map_list *list) {
    size_t fields = 0;
    size_t bytes = 0;
    // Fillers go alone: where they are refused, no map is to be blamed.
    size_t most = list->fillers != 0 ? list->fillers : list->count;
    for (size_t i = 0; i < most; i++) {
        const map *item = &list->items[list->first + i];
        fields += item->field_count;
        bytes += item->fields.length + item->field_count * 10;
        // A map that is too large for any request still has to go, alone.
        if (i > 0 && (fields > MAX_FIELDS || bytes > MAX_BODY_BYTES))
            return i;
    }
    return most;
}

size_t map_list_write(map_list *list, strbuf *out) {
    size_t count = how_many(list);
    strbuf_format(out, "count=%zu", count);
    if (count > 0)
        strbuf_format(out, "&ofs=%lld", (long long)(list->gone - list->gone_before));
    for (size_t i = 0; i < count; i++)
        write_map(list, i, out);
    return count;
}

void map_list_try(map_list *list, size_t count) {
    if (count > list->tried)
        list->tried = count;
}

int64_t session_send_map(session *self, const map_field *fields, size_t count) {
    return add_map(&self->maps, fields, count, false);
}

int64_t session_send_map_first(session *self, const map_field *fields, size_t count) {
    return add_map(&self->maps, fields, count, true);
}

size_t session_unsent(const session *self) {
    return self->maps.count - self->maps.dropped + self->refused_untold;
}

session_room session_room_for(const session *self, size_t bytes) {
    size_t most = self->config.max_unsent;
    if (bytes > most)
        return ROOM_NEVER;
    return self->maps.bytes <= most - bytes ? ROOM_NOW : ROOM_LATER;
}

bool session_tell_unsent(session *self, strbuf *out) {
    tell_all(&self->maps, self->maps.count, out);
    return !strbuf_failed(out);
}

bool session_drop_unsent(session *self, strbuf *out) {
    // A server that has seen a map, or may have, waits for the one that follows it, by number.
    size_t held = self->fields[FIELD_SID].length != 0 ? self->maps.tried : 0;
    if (held < self->maps.fillers)
        held = self->maps.fillers;
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        const exchange *ex = &self->exchanges[slot];
        if (ex->active && ex->maps_count > held)
            held = ex->maps_count;
    }
    return drop_all(&self->maps, held, out);
}
