/* What a session wants done next: a request sent, one given up, something answered, or time. */
#include "session/next.h"

#include "session/buffering.h"
#include "session/maps.h"
#include "session/phase.h"
#include "session/report.h"
#include "session/requests.h"
#include "session/state.h"

// Servers send keep-alives every 15 to 30 seconds.
#define DEFAULT_SILENCE_MS 60000
// Of the fast handshake's URL, as Closure has it; with more, it is a POST that opens.
#define MAX_OPENING_URL 4096

/* ---- What is needed ---- */

// Which request the forward channel needs now, if any.
static bool forward_need(const session *self, request_kind *kind) {
    phase now = phase_of(self);
    if (now != PHASE_CLOSING && session_has_reached(self, self->goal))
        return false;
    switch (now) {
    case PHASE_NEW:
        *kind = REQUEST_INIT;
        return true;
    case PHASE_INITIALIZED:
        *kind = REQUEST_OPEN;
        return !phase_opens_on_back(self);
    case PHASE_OPEN:
        *kind = REQUEST_MAPS;
        return !self->dialect->polls;
    case PHASE_CONNECTED:
    case PHASE_ENDED:
        return false;
    case PHASE_CLOSING:
        *kind = REQUEST_TERMINATE;
        return phase_terminates(self);
    }
    return false;
}

static bool back_is_needed(const session *self) {
    if (!phase_goes_on(self) || self->full || session_has_reached(self, self->goal))
        return false;
    if (phase_opens_on_back(self))
        return self->goal >= GOAL_OPEN;
    return self->goal >= GOAL_POLL && phase_is_open(self) &&
           !(self->dialect->back_after_maps && self->maps.count != 0);
}

int64_t session_patience_ms(const session *self, exchange_slot slot) {
    if (slot == SLOT_FORWARD || self->dialect->polls)
        return self->config.request_timeout_ms;
    if (self->config.timeout_ms > 0)
        return self->config.timeout_ms;
    return self->keepalive_limit_ms > 0 ? self->keepalive_limit_ms : DEFAULT_SILENCE_MS;
}

// When the request of an exchange has been silent for too long.
static int64_t deadline_ms(const session *self, exchange_slot slot) {
    const exchange *ex = &self->exchanges[slot];
    if (!ex->active || ex->paused || ex->asking_url)
        return SESSION_NEVER;
    return ex->last_byte_ms + session_patience_ms(self, slot);
}

static bool give_up(session *self, exchange_slot slot, abort_reason why, session_action *out) {
    self->exchanges[slot].abort_reason = why;
    out->kind = ACTION_ABORT;
    out->slot = slot;
    out->silent_since_ms = why == ABORT_TIMEOUT ? self->exchanges[slot].last_byte_ms : SESSION_NEVER;
    return true;
}

// A request to be given up: it took too long, or nobody needs it any more.
static bool next_abort(session *self, int64_t now_ms, session_action *out) {
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        exchange *ex = &self->exchanges[slot];
        if (!ex->active)
            continue;
        if (ex->abort_reason != ABORT_NONE)
            return give_up(self, (exchange_slot)slot, ex->abort_reason, out);
        if (!phase_goes_on(self) && ex->kind != REQUEST_TERMINATE)
            return give_up(self, (exchange_slot)slot, ABORT_CANCELLED, out);
        if (deadline_ms(self, (exchange_slot)slot) <= now_ms)
            return give_up(self, (exchange_slot)slot, ABORT_TIMEOUT, out);
        if (slot == SLOT_BACK && self->dead_at_ms <= now_ms)
            return give_up(self, SLOT_BACK, ABORT_DEAD, out);
        if (slot == SLOT_BACK && buffering_deadline_ms(self, ex) <= now_ms)
            return give_up(self, SLOT_BACK, ABORT_BUFFERED, out);
    }
    return false;
}

/* ---- Starting a request ---- */

// Whether only the caller can say what the request is to have in it.
static bool asks_first(const session *self, request_kind kind, session_action *out) {
    bool first = kind == REQUEST_INIT || kind == REQUEST_OPEN;
    bool opens = first || (kind == REQUEST_BACK && phase_opens_on_back(self));
    if (opens && self->asks_session && !phase_is_prepared(self))
        out->kind = ACTION_ASK_SESSION;
    else if (first && self->asks_token && !phase_has_token(self))
        out->kind = ACTION_ASK_TOKEN;
    else if (self->needs_headers)
        out->kind = ACTION_ASK_HEADERS;
    return out->kind != ACTION_WAIT;
}

// The request is sent now; nothing is left of the one before.
static void begin(session *self, exchange *ex, int64_t now_ms) {
    static const char *const words[] = {
        [REQUEST_INIT] = "initializing",       [REQUEST_OPEN] = "Fetching sid", [REQUEST_MAPS] = "connecting",
        [REQUEST_BACK] = "Starting long poll", [REQUEST_TERMINATE] = "closing",
    };
    if (ex->kind == REQUEST_BACK && self->back_channels++ > 0)
        self->stats.reconnects++;
    if (ex->opens)
        phase_forget_sid(self); // a try before may have brought arrays of a session that never was
    ex->active = true;
    ex->asking_url = ex->paused = ex->is_ascii = ex->poisoned = false;
    ex->abort_reason = ABORT_NONE;
    ex->status = 0;
    ex->retry_after_ms = 0;
    ex->arrays = 0;
    ex->corruption = NULL;
    strbuf_clear(&ex->reason);
    strbuf_free(&ex->head);
    strbuf_clear(&ex->reply);
    framer_reset(&ex->framer);
    ex->started_ms = ex->last_byte_ms = now_ms;
    ex->first_byte_ms = -1;
    ex->progress = 0;
    map_list_try(&self->maps, ex->maps_count);
    session_log_url(self, LOG_DEBUG, words[ex->kind], strbuf_str(&ex->url));
}

static void fail_for_memory(session *self, session_action *out) {
    session_fail(self, ERROR_MEMORY, "out of memory");
    out->kind = ACTION_ENDED;
}

static void decide(session *self, int64_t now_ms, session_action *out);

static void start(session *self, exchange_slot slot, request_kind kind, int64_t now_ms, session_action *out) {
    exchange *ex = &self->exchanges[slot];
    if (asks_first(self, kind, out))
        return;
    out->slot = slot;
    if (!ex->asking_url || ex->kind != kind) {
        ex->kind = kind;
        ex->opens = kind == REQUEST_BACK && phase_opens_on_back(self);
        ex->rid = kind == REQUEST_BACK && !ex->opens ? -1 : self->rid;
        if (!session_write_url(self, ex)) {
            fail_for_memory(self, out);
            return;
        }
        if (ex->opens && ex->url.length > MAX_OPENING_URL) {
            phase_open_by_post(self);
            ex->maps_count = 0;
            decide(self, now_ms, out);
            return;
        }
    }
    if (ex->asking_url && ex->url.length == 0) {
        out->kind = ACTION_ASK_URL;
    } else if (!session_write_body(self, ex)) {
        fail_for_memory(self, out);
    } else {
        begin(self, ex, now_ms);
        out->kind = ACTION_SEND;
    }
}

/* ---- What to do now, or until when to wait ---- */

static void sooner(session_action *out, int64_t at_ms) {
    if (at_ms < out->at_ms)
        out->at_ms = at_ms;
}

static bool try_start(session *self, exchange_slot slot, request_kind kind, int64_t now_ms,
                      session_action *out) {
    exchange *ex = &self->exchanges[slot];
    exchange *other = &self->exchanges[slot == SLOT_BACK ? SLOT_FORWARD : SLOT_BACK];
    if (ex->active)
        return false;
    if (ex->not_before_ms > now_ms && kind != REQUEST_TERMINATE) {
        sooner(out, ex->not_before_ms);
        return false;
    }
    if (other->active && session_is_half_duplex(self)) {
        // The session was changed from outside while a request ran. The back channel, which would go on for
        // minutes, makes way, as soon as it has to; any other request is waited for.
        return slot == SLOT_FORWARD && give_up(self, SLOT_BACK, ABORT_CANCELLED, out);
    }
    start(self, slot, kind, now_ms, out);
    return true;
}

static void decide(session *self, int64_t now_ms, session_action *out) {
    *out = (session_action){.kind = ACTION_WAIT, .at_ms = SESSION_NEVER};
    if (next_abort(self, now_ms, out))
        return;
    request_kind kind;
    if (forward_need(self, &kind)) {
        if (try_start(self, SLOT_FORWARD, kind, now_ms, out))
            return;
    } else if (phase_of(self) == PHASE_CLOSING && !self->exchanges[SLOT_FORWARD].active) {
        phase_end(self);
    }
    if (phase_has_ended(self)) {
        out->kind = ACTION_ENDED;
        return;
    }
    if (phase_goes_on(self) && session_has_reached(self, self->goal)) {
        out->kind = ACTION_REACHED;
        return;
    }
    if (back_is_needed(self) && try_start(self, SLOT_BACK, REQUEST_BACK, now_ms, out))
        return;
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        sooner(out, deadline_ms(self, (exchange_slot)slot));
    if (self->exchanges[SLOT_BACK].active) {
        sooner(out, self->dead_at_ms);
        sooner(out, buffering_deadline_ms(self, &self->exchanges[SLOT_BACK]));
    }
}

void session_next(session *self, int64_t now_ms, session_action *out) {
    decide(self, now_ms, out);
    state_update(self, out, now_ms);
}
