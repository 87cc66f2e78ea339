/* The arrays in a response's body: control arrays are obeyed, messages queued. */
#include "session/intake.h"

#include <string.h>

#include "session/fields.h"
#include "session/life.h"
#include "session/phase.h"
#include "session/report.h"
#include "wire/arrays.h"
#include "wire/bounds.h"

// Of the keep-alive time in array 0: a longer one is no help against a dead connection.
#define MAX_KEEPALIVE_MS (3600 * 1000)

/* ---- Control arrays ---- */

// What a chunk's control arrays ask for; done once the whole chunk is known to be sound.
typedef struct effects {
    wire_array open; // ["c", SID, hostPrefix, version, …]
    wire_array gsessionid;
    wire_array stop; // ["stop", …]
    bool has_open;
    bool has_gsessionid;
    bool has_stop;
    bool close;
} effects;

// Where an array stands, for those that count in some places alone.
typedef struct standing {
    bool may_open; // PLACE_OPENING
    bool is_first; // PLACE_FIRST
} standing;

static bool token_equals(const literal_reader *reader, const char *text) {
    return literal_is(reader->token, reader->token_length, reader->token_escaped, text);
}

static bool stands_there(array_place place, standing stands) {
    return place == PLACE_ANY || (place == PLACE_OPENING ? stands.may_open : stands.is_first);
}

// Behind its bracket and its first token, a word or a brace.
static bool has_form(const control_array *control, literal_reader *reader) {
    if (control->form == FORM_OF_OBJECT && literal_next(reader) != LITERAL_KEY)
        return false;
    if (!token_equals(reader, control->name))
        return false;
    return control->form == FORM_WORD || literal_next(reader) == LITERAL_STRING;
}

static array_role role_of(const session *self, const wire_array *array, standing stands) {
    literal_reader reader;
    literal_init(&reader, array->data, array->data_length);
    if (literal_next(&reader) != LITERAL_ARRAY_BEGIN)
        return ROLE_MESSAGE;
    literal_token token = literal_next(&reader);
    bool is_object = token == LITERAL_OBJECT_BEGIN;
    if (!is_object && (token != LITERAL_STRING || reader.token_length > 32))
        return ROLE_MESSAGE;
    for (const control_array *control = self->dialect->controls; control->name != NULL; control++) {
        if (is_object != (control->form == FORM_OF_OBJECT) || !stands_there(control->place, stands))
            continue;
        literal_reader at = reader;
        if (has_form(control, &at))
            return control->role;
    }
    return ROLE_MESSAGE;
}

// ["c", SID, hostPrefix, version, minor version, keep-alive in ms]
static bool apply_open(session *self, const wire_array *array) {
    literal_reader reader;
    literal_init(&reader, array->data, array->data_length);
    literal_next(&reader); // [
    literal_next(&reader); // "c"
    literal_next(&reader);
    if (!session_set_from_token(self, FIELD_SID, &reader))
        return false;
    int64_t keepalive_ms = 0;
    literal_token token;
    for (int index = 2; (token = literal_next(&reader)) > LITERAL_END && token != LITERAL_ARRAY_END;
         index++) {
        if (index == 5 && token == LITERAL_INTEGER)
            keepalive_ms = literal_small_integer(reader.token, reader.token_length);
        literal_skip(&reader, token);
    }
    bool sane = keepalive_ms > 0 && keepalive_ms < MAX_KEEPALIVE_MS;
    self->keepalive_limit_ms = sane ? keepalive_ms * 3 / 2 : 0;
    return true;
}

static bool apply_gsessionid(session *self, const wire_array *array) {
    literal_reader reader;
    literal_init(&reader, array->data, array->data_length);
    literal_next(&reader);                             // [
    if (literal_next(&reader) == LITERAL_OBJECT_BEGIN) // or "S"
        literal_next(&reader);                         // "gsid"
    literal_next(&reader);
    if (!session_set_from_token(self, FIELD_GSESSIONID, &reader))
        return false;
    session_log(self, LOG_DEBUG, "gsessionid: %s", strbuf_str(&self->fields[FIELD_GSESSIONID]));
    return true;
}

// ["stop", reason]
static void apply_stop(session *self, const wire_array *array) {
    literal_reader reader;
    strbuf words = {0};
    literal_init(&reader, array->data, array->data_length);
    literal_next(&reader); // [
    literal_next(&reader); // "stop"
    strbuf_text(&words, "the server has stopped the session");
    if (literal_next(&reader) == LITERAL_STRING && reader.token_length != 0) {
        strbuf_text(&words, ": ");
        strbuf_append(&words, (const char *)reader.token,
                      reader.token_length < 300 ? reader.token_length : 300);
    }
    session_fail(self, ERROR_CLOSED, strbuf_str(&words));
    strbuf_free(&words);
}

/* ---- Messages ---- */

static bool clid_is_ours(const session *self, const wire_string *clid) {
    const strbuf *ours = &self->fields[FIELD_CLID];
    if (!clid->escaped)
        return clid->length == ours->length && memcmp(clid->bytes, strbuf_str(ours), ours->length) == 0;
    if (clid->length > 4096)
        return false;
    uint8_t plain[4096];
    bool lone;
    size_t length = literal_unescape(clid->bytes, clid->length, plain, &lone);
    return length == ours->length && memcmp(plain, strbuf_str(ours), length) == 0;
}

static bool queue_text(session *self, int64_t id, const wire_string *text, bool is_ascii) {
    uint8_t *room = queue_reserve(&self->queue, text->length);
    if (room == NULL)
        return false;
    if (!text->escaped) {
        memcpy(room, text->bytes, text->length);
        queue_commit(&self->queue, id, is_ascii ? RECORD_ASCII : RECORD_TEXT, text->length);
        return true;
    }
    bool lone = false;
    size_t length = literal_unescape(text->bytes, text->length, room, &lone);
    queue_commit(&self->queue, id, lone ? RECORD_TEXT_SURROGATE : RECORD_TEXT, length);
    return true;
}

static bool queue_literal(session *self, const wire_array *array) {
    uint8_t *room = queue_reserve(&self->queue, array->data_length);
    if (room == NULL)
        return false;
    memcpy(room, array->data, array->data_length);
    queue_commit(&self->queue, array->id, self->config.raw ? RECORD_BYTES : RECORD_LITERAL,
                 array->data_length);
    return true;
}

// One array; of one that was `seen` before, only what it controls counts. False when memory ran out.
static bool take_array(session *self, const exchange *ex, const wire_array *array, bool seen, standing stands,
                       effects *todo) {
    if (array->is_talk_message && self->dialect->talk_messages)
        return seen || !clid_is_ours(self, &array->clid) ||
               queue_text(self, array->id, &array->text, ex->is_ascii);
    switch (role_of(self, array, stands)) {
    case ROLE_NOOP:
        return true;
    case ROLE_STOP:
        todo->stop = *array;
        todo->has_stop = true;
        return true;
    case ROLE_CLOSE:
        todo->close = true;
        return true;
    case ROLE_OPEN:
        todo->open = *array;
        todo->has_open = true;
        return true;
    case ROLE_GSESSIONID:
        todo->gsessionid = *array;
        todo->has_gsessionid = true;
        return true;
    case ROLE_MESSAGE:
        break;
    }
    return seen || self->dialect->talk_messages || queue_literal(self, array);
}

static bool apply_effects(session *self, const effects *todo) {
    if (todo->has_open && !apply_open(self, &todo->open))
        return false;
    if (todo->has_gsessionid && !apply_gsessionid(self, &todo->gsessionid))
        return false;
    if (todo->has_stop)
        apply_stop(self, &todo->stop);
    else if (todo->close)
        phase_end(self); // in order: no error
    if (todo->has_stop || todo->close)
        phase_forget_sid(self); // over for good; the next try begins a new one
    return true;
}

bool session_is_poison(session *self, exchange *ex, int64_t id) {
    bool again = id >= 0 && id == self->poison_id && ex->kind == REQUEST_BACK && !ex->opens;
    self->poison_id = id;
    ex->poisoned = again;
    return again;
}

// Whichever reads a payload's arrays.
typedef struct payload_reader {
    bool raw;
    union {
        arrays_reader arrays;
        bounds_reader bounds;
    };
} payload_reader;

static void begin_payload(payload_reader *reader, bool raw, const uint8_t *payload, size_t length) {
    reader->raw = raw;
    if (raw)
        bounds_init(&reader->bounds, payload, length);
    else
        arrays_init(&reader->arrays, payload, length);
}

static arrays_status next_array(payload_reader *reader, wire_array *out) {
    return reader->raw ? bounds_next(&reader->bounds, out) : arrays_next(&reader->arrays, out);
}

static const char *payload_error(const payload_reader *reader) {
    size_t position;
    return reader->raw ? reader->bounds.error : arrays_error(&reader->arrays, &position);
}

// The arrays of a chunk on their way into the session.
typedef struct intake {
    effects todo;
    int64_t aid;
    uint64_t fresh;
    bool behind_opening;
    bool no_memory;
} intake;

// All arrays of a payload, or those before one that cannot be read, whose id is `*bad` then; -1 where it has
// none, or one that was seen.
static arrays_status take_arrays(session *self, const exchange *ex, payload_reader *reader, intake *in,
                                 int64_t *bad) {
    bool in_reply = ex->kind == REQUEST_OPEN || ex->opens;
    arrays_status status;
    for (;;) {
        wire_array array = {.id = -1};
        status = next_array(reader, &array);
        *bad = array.id > in->aid ? array.id : -1;
        if (status != ARRAYS_ARRAY || in->no_memory)
            return status;
        bool seen = array.id <= in->aid; // sent again, since our last AID had not reached it
        standing stands = {
            .may_open = in_reply && !in->todo.has_open && !phase_is_open(self),
            .is_first = in_reply || in->behind_opening,
        };
        if (!seen) {
            if (in->aid >= 0 && array.id > in->aid + 1)
                session_log(self, LOG_WARNING, "the server has left out arrays %lld to %lld",
                            (long long)in->aid + 1, (long long)array.id - 1);
            in->aid = array.id;
            in->fresh++;
            in->behind_opening = false;
        }
        // Nobody hears what is said after the end.
        bool over = in->todo.has_stop || in->todo.close;
        in->no_memory = !over && !take_array(self, ex, &array, seen, stands, &in->todo);
    }
}

bool session_take_payload(session *self, exchange *ex, const uint8_t *payload, size_t length,
                          int64_t now_ms) {
    payload_reader reader;
    queue_mark mark = queue_get_mark(&self->queue);
    intake in = {.aid = self->aid, .behind_opening = self->behind_opening};
    bool opening = in.aid < 0;
    int64_t bad;
    begin_payload(&reader, self->config.raw, payload, length);
    arrays_status status = take_arrays(self, ex, &reader, &in, &bad);
    if (in.no_memory) {
        queue_rewind(&self->queue, mark);
        session_fail(self, ERROR_MEMORY, "out of memory");
        return true;
    }
    if (status == ARRAYS_ERROR) {
        ex->corruption = payload_error(&reader);
        if (!session_is_poison(self, ex, bad)) {
            queue_rewind(&self->queue, mark);
            return false;
        }
    }
    uint64_t messages = self->queue.count - mark.count;
    self->aid = in.aid;
    self->behind_opening = in.behind_opening;
    self->stats.chunks++;
    self->stats.arrays += in.fresh;
    self->stats.messages += messages;
    if (messages != 0)
        self->stats.last_message_ms = now_ms;
    else
        queue_rest(&self->queue); // a keep-alive: nobody is in a hurry
    ex->arrays += in.fresh;
    ex->stale = 0;
    // The opening reply's arrays show nothing: a server may open a session and know nothing of it after.
    if (in.fresh != 0 && ex->kind == REQUEST_BACK && !opening) {
        ex->failures = ex->foreign = 0;
        self->corrupt_in_row = self->lost_in_row = 0;
        phase_worked(self);
    }
    if (!apply_effects(self, &in.todo))
        session_fail(self, ERROR_MEMORY, "out of memory");
    else if (in.todo.has_open && ex->opens)
        session_opened(self, ex);
    return status != ARRAYS_ERROR;
}
