/* What comes back while a request runs: the response's head, and its body. */
#include <string.h>

#include "session/intake.h"
#include "session/phase.h"
#include "session/redact.h"
#include "wire/utf8.h"

// Of a body that is not asked for (an error's page): enough to quote from.
#define MAX_ERROR_BODY ((size_t)64 * 1024)
// Of the page that names clid and gsessionid.
#define MAX_INIT_PAGE ((size_t)4 * 1024 * 1024)

// What counts as progress: less is a trickle, which must not keep a request alive for ever.
#define PROGRESS_BYTES 1024

// The longest Retry-After that is obeyed.
#define MAX_RETRY_AFTER_MS (3600 * 1000)

// The opening reply, in the fast handshake's header.
static void take_initial_response(session *self, exchange *ex) {
    strbuf reply = ex->reply;
    size_t wanted = SIZE_MAX;
    size_t walked;
    const uint8_t *bytes = (const uint8_t *)strbuf_str(&reply);
    ex->reply = (strbuf){0};
    if (utf8_advance(bytes, reply.length, &wanted, &walked) != UTF8_OK)
        ex->corruption = "the opening reply is not UTF-8";
    else if (session_take_payload(self, ex, bytes, reply.length, ex->started_ms))
        ex->corruption = NULL;
    if (ex->corruption != NULL)
        ex->abort_reason = ABORT_CORRUPT;
    strbuf_free(&reply);
}

static void must_be_kept(session *self, bool kept) {
    if (!kept)
        session_fail(self, ERROR_MEMORY, "out of memory");
}

void session_on_status(session *self, exchange_slot slot, int status, const char *reason,
                       int64_t retry_after_ms) {
    exchange *ex = &self->exchanges[slot];
    ex->status = status;
    ex->retry_after_ms = retry_after_ms < MAX_RETRY_AFTER_MS ? retry_after_ms : MAX_RETRY_AFTER_MS;
    ex->stale = 0;
    if (status == 200) {
        strbuf_free(&ex->reason); // as good as empty for days
        ex->has_renewed = false;
    } else {
        // What the server means by a status may stand in its words alone.
        must_be_kept(self, strbuf_set(&ex->reason, reason));
        strbuf_clear(&ex->reply); // what a header brought
    }
    if (slot == SLOT_BACK && !self->owes)
        self->dead_at_ms = SESSION_NEVER;
    if (slot == SLOT_BACK && status == 200) {
        phase_answered(self);
        self->expired_in_row = 0;
        session_shorten_url(self, ex); // it stays for minutes
    }
    if (ex->opens && status == 200 && ex->reply.length != 0)
        take_initial_response(self, ex);
}

void session_on_head(session *self, exchange_slot slot, const char *lines, size_t length) {
    strbuf *head = &self->exchanges[slot].head;
    strbuf_clear(head);
    strbuf_append(head, lines, length); // without it, when memory runs out, an error only says less
}

static bool name_is(const char *name, size_t length, const char *wanted) {
    if (strlen(wanted) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((name[i] | 0x20) != (wanted[i] | 0x20))
            return false;
    return true;
}

void session_on_header(session *self, exchange_slot slot, const char *name, size_t name_length,
                       const char *value, size_t value_length) {
    exchange *ex = &self->exchanges[slot];
    if (name_is(name, name_length, "Set-Cookie")) {
        const char *equals = memchr(value, '=', value_length);
        const char *semicolon = memchr(value, ';', value_length);
        const char *end = semicolon != NULL ? semicolon : value + value_length;
        // What is not known would be shown.
        if (equals != NULL && equals < end)
            must_be_kept(self, session_add_cookie(self, equals + 1, (size_t)(end - equals - 1)));
    } else if (!self->dialect->session_id_header) {
        return;
    } else if (name_is(name, name_length, "X-HTTP-Session-Id")) {
        strbuf_clear(&self->fields[FIELD_GSESSIONID]);
        strbuf_append(&self->fields[FIELD_GSESSIONID], value, value_length);
        must_be_kept(self, !strbuf_failed(&self->fields[FIELD_GSESSIONID]));
    } else if (ex->opens && name_is(name, name_length, "X-HTTP-Initial-Response")) {
        strbuf_clear(&ex->reply);
        strbuf_append(&ex->reply, value, value_length);
        must_be_kept(self, !strbuf_failed(&ex->reply));
    }
}

static session_intake stop(exchange *ex, abort_reason why, const char *corruption) {
    ex->abort_reason = why;
    if (corruption != NULL)
        ex->corruption = corruption;
    return INTAKE_STOP;
}

static session_intake take_stream(session *self, exchange *ex, const uint8_t *bytes, size_t length,
                                  int64_t now_ms) {
    framer *frames = &ex->framer;
    framer_chunk chunk;
    framer_status status;
    framer_feed(frames, bytes, length);
    while ((status = framer_next(frames, &chunk)) == FRAMER_CHUNK) {
        ex->is_ascii = chunk.is_ascii;
        if (!session_take_payload(self, ex, chunk.payload, chunk.length, now_ms))
            return stop(ex, ABORT_CORRUPT, NULL);
        if (phase_has_ended(self))
            return stop(ex, ABORT_CANCELLED, NULL);
    }
    if (status == FRAMER_NO_MEMORY) {
        session_fail(self, ERROR_MEMORY, "out of memory");
        return stop(ex, ABORT_CANCELLED, NULL);
    }
    if (status != FRAMER_CORRUPT)
        return INTAKE_OK;
    // The server numbers its arrays one by one, and sends those that were not acknowledged.
    if (frames->chunk_at_fault && self->aid >= 0 && self->aid < INT64_MAX)
        session_is_poison(self, ex, self->aid + 1);
    return stop(ex, ABORT_CORRUPT, frames->error);
}

static size_t reply_limit(const session *self, const exchange *ex) {
    if (ex->status != 200)
        return MAX_ERROR_BODY;
    if (ex->kind == REQUEST_INIT)
        return MAX_INIT_PAGE;
    size_t units = self->config.max_chunk; // each takes three bytes at most
    return units < SIZE_MAX / 3 ? units * 3 : SIZE_MAX;
}

static session_intake take_reply(session *self, exchange *ex, const uint8_t *bytes, size_t length) {
    size_t room = reply_limit(self, ex) - ex->reply.length;
    strbuf_append(&ex->reply, (const char *)bytes, length < room ? length : room);
    if (strbuf_failed(&ex->reply)) {
        session_fail(self, ERROR_MEMORY, "out of memory");
        return stop(ex, ABORT_CANCELLED, NULL);
    }
    return length <= room ? INTAKE_OK : stop(ex, ABORT_TOO_LONG, "the reply is too long");
}

void session_on_progress(session *self, exchange_slot slot, size_t bytes, int64_t now_ms) {
    exchange *ex = &self->exchanges[slot];
    bool hangs = slot == SLOT_BACK && !self->dialect->polls;
    ex->progress += bytes;
    if (!hangs && ex->progress < PROGRESS_BYTES)
        return;
    ex->progress = 0;
    ex->last_byte_ms = now_ms;
}

session_intake session_on_body(session *self, exchange_slot slot, const uint8_t *bytes, size_t length,
                               int64_t now_ms) {
    exchange *ex = &self->exchanges[slot];
    bool streams = slot == SLOT_BACK && ex->status == 200 && !self->dialect->polls;
    if (ex->abort_reason != ABORT_NONE)
        return INTAKE_STOP;
    // What is not taken is sent again; an error in it would not be told beside the one that has ended this.
    if (streams && phase_has_ended(self))
        return stop(ex, ABORT_CANCELLED, NULL);
    if (streams)
        self->dead_at_ms = SESSION_NEVER; // it lives, even where it now has to wait
    if (streams && queue_bytes(&self->queue) >= self->config.queue_limit) {
        ex->paused = true;
        return INTAKE_PAUSE;
    }
    session_on_progress(self, slot, length, now_ms);
    if (ex->first_byte_ms < 0)
        ex->first_byte_ms = now_ms;
    self->stats.bytes += length;
    if (!streams)
        return take_reply(self, ex, bytes, length);
    return take_stream(self, ex, bytes, length, now_ms);
}

void session_on_full(session *self, exchange_slot slot) {
    exchange *ex = &self->exchanges[slot];
    ex->paused = false;
    ex->abort_reason = ABORT_FULL;
    self->full = true;
}

bool session_can_resume(const session *self) {
    const exchange *ex = &self->exchanges[SLOT_BACK];
    bool waits = self->full || (ex->active && ex->paused);
    return waits && queue_bytes(&self->queue) <= self->config.queue_limit / 2;
}

void session_on_resume(session *self, int64_t now_ms) {
    exchange *ex = &self->exchanges[SLOT_BACK];
    self->full = false;
    ex->paused = false;
    ex->last_byte_ms = now_ms;
}
