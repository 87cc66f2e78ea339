/* A session's life: its fields, its goal, and what to do next. */
#include <stdlib.h> // calloc()

#include "session/buffering.h"
#include "session/phase.h"
#include "session/requests.h"
#include "session/retry.h"
#include "session/state.h"

#define DEFAULT_REQUEST_TIMEOUT_MS 30000
// Servers send keep-alives every 15 to 30 seconds.
#define DEFAULT_SILENCE_MS 60000
#define DEFAULT_MAX_BACKOFF_MS 32000
// Of the fast handshake's URL, as Closure has it; with more, it is a POST that opens.
#define MAX_OPENING_URL 4096
// A queue's buffer is kept, while it is empty, up to so many times the limit of what may wait in it.
#define QUEUE_KEEPS 4
#define DEFAULT_MAX_UNSENT ((size_t)16 * 1024 * 1024)
#define DEFAULT_QUEUE_LIMIT ((size_t)1024 * 1024)

// Ten thousand of them wait for days.
_Static_assert(sizeof(void *) > 8 || sizeof(session) <= 1552, "a session has grown");

/* ---- Begin and end ---- */

session *session_new(const session_config *config) {
    session *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->config = *config;
    self->dialect = config->dialect;
    if (self->config.request_timeout_ms <= 0)
        self->config.request_timeout_ms = DEFAULT_REQUEST_TIMEOUT_MS;
    if (self->config.max_backoff_ms <= 0)
        self->config.max_backoff_ms = DEFAULT_MAX_BACKOFF_MS;
    if (self->config.queue_limit == 0)
        self->config.queue_limit = DEFAULT_QUEUE_LIMIT;
    if (self->config.max_unsent == 0)
        self->config.max_unsent = DEFAULT_MAX_UNSENT;
    if (self->config.max_chunk == 0)
        self->config.max_chunk = FRAMER_DEFAULT_MAX_CHUNK;
    self->random = config->seed | 1; // xorshift must not start at 0
    self->aid = self->poison_id = -1;
    self->rid = config->dialect->first_rid ? config->dialect->first_rid
                                           : (int64_t)(10000 + session_random(self) % 90000);
    self->dead_at_ms = SESSION_NEVER;
    self->log_level = LOG_WARNING;
    self->stats.last_message_ms = -1;
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        framer_init(&self->exchanges[slot].framer, self->config.max_chunk);
    if (!session_set(self, FIELD_URL, config->url)) {
        session_free(self);
        return NULL;
    }
    self->config.url = NULL; // the caller's
    if (config->bind_path != NULL && !session_set(self, FIELD_BIND_PATH, config->bind_path)) {
        session_free(self);
        return NULL;
    }
    self->has_bind_path = config->bind_path != NULL;
    self->config.bind_path = NULL;
    return self;
}

void session_free(session *self) {
    if (self == NULL)
        return;
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        exchange *ex = &self->exchanges[slot];
        strbuf_free(&ex->url);
        strbuf_free(&ex->body);
        strbuf_free(&ex->reason);
        strbuf_free(&ex->head);
        strbuf_free(&ex->reply);
        framer_clear(&ex->framer);
    }
    for (int field = 0; field < FIELD_COUNT; field++)
        strbuf_free(&self->fields[field]);
    for (size_t i = 0; i < self->log_count; i++)
        strbuf_free(&self->log[i].text);
    free(self->log);
    queue_free(&self->queue);
    map_list_free(&self->maps);
    strbuf_free(&self->secrets);
    strbuf_free(&self->renewed);
    strbuf_free(&self->renewed_private);
    strbuf_free(&self->private_words);
    strbuf_free(&self->cookies);
    session_error_free(&self->error);
    free(self);
}

void session_set_custom_urls(session *self, bool init, bool bind) {
    self->custom_init_url = init;
    self->custom_bind_url = bind;
}

void session_set_asks_token(session *self, bool asks) {
    self->asks_token = asks;
}

void session_set_asks_session(session *self, bool asks) {
    self->asks_session = asks;
}

void session_set_asks_headers(session *self, bool asks) {
    self->asks_headers = asks;
    self->needs_headers &= asks;
}

void session_prepare(session *self) {
    const map_list *maps = &self->maps;
    map_list_confirm(&self->maps, maps->of_session > maps->dropped ? maps->of_session : maps->dropped);
}

void session_answered(session *self, bool session_opens) {
    if (session_opens)
        phase_set_prepared(self, true);
    self->needs_headers = false;
}

bool session_is_answered(const session *self, bool session_opens) {
    return session_opens ? phase_is_prepared(self) : !self->needs_headers;
}

bool session_is_half_duplex(const session *self) {
    return self->dialect->half_duplex;
}

bool session_is_busy(const session *self) {
    return self->exchanges[SLOT_FORWARD].active || self->exchanges[SLOT_BACK].active;
}

bool session_is_opening(const session *self) {
    const exchange *back = &self->exchanges[SLOT_BACK];
    bool streams = back->active && back->status == 200;
    bool went_well = phase_is_open(self) && phase_is_answered(self) && back->failures == 0;
    return phase_goes_on(self) && !streams && !went_well;
}

queue *session_queue(session *self) {
    return &self->queue;
}

bool session_has_news(const session *self) {
    return self->queue.count != 0 || self->log_count != 0 || self->states_count != 0 || phase_has_ended(self);
}

void session_pop(session *self) {
    // What a busy channel needs stays: growing it again would cost more than all else. A single message that
    // was larger than all that usually waits does not keep its room.
    record taken;
    if (queue_peek(&self->queue, &taken))
        self->taken_id = taken.id;
    queue_pop(&self->queue, QUEUE_KEEPS * self->config.queue_limit);
}

const session_stats *session_get_stats(const session *self) {
    return &self->stats;
}

const session_error *session_get_error(const session *self) {
    static const session_error none = {0};
    return self->is_mended ? &none : &self->error;
}

const session_error *session_last_error(const session *self, uint64_t *count) {
    *count = self->failed;
    return &self->error;
}

/* ---- Goals ---- */

void session_set_goal(session *self, session_goal goal) {
    self->goal = goal;
    if (phase_start_over(self)) {
        // From what still holds, and at once.
        self->is_mended = true;
        self->corrupt_in_row = self->lost_in_row = self->expired_in_row = 0;
        for (int slot = 0; slot < SLOT_COUNT; slot++) {
            self->exchanges[slot].failures = self->exchanges[slot].foreign = 0;
            self->exchanges[slot].not_before_ms = 0;
        }
    }
}

void session_raise_goal(session *self, session_goal goal) {
    if (phase_has_ended(self) || self->goal < goal)
        session_set_goal(self, goal);
}

void session_end_told(session *self) {
    phase_tell_end(self);
    self->refused_untold = 0;
}

bool session_is_over(const session *self) {
    return phase_is_end_told(self) && session_get_error(self)->kind != ERROR_MAPS_REFUSED;
}

void session_close(session *self) {
    phase_close(self);
    self->goal = GOAL_REST;
}

void session_set_opening_retry(session *self, opening_retry retry) {
    if (!phase_is_open(self))
        self->opening_retry = retry;
}

/* ---- What to do next ---- */

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

static void decide(session *self, int64_t now_ms, session_action *out);

static bool start(session *self, exchange_slot slot, request_kind kind, int64_t now_ms, session_action *out) {
    exchange *ex = &self->exchanges[slot];
    bool first = kind == REQUEST_INIT || kind == REQUEST_OPEN;
    bool opens = first || (kind == REQUEST_BACK && phase_opens_on_back(self));
    if (opens && self->asks_session && !phase_is_prepared(self)) {
        out->kind = ACTION_ASK_SESSION;
        return true;
    }
    if (first && self->asks_token && (self->fields[FIELD_TOKEN].length == 0 || phase_token_expired(self))) {
        out->kind = ACTION_ASK_TOKEN;
        return true;
    }
    if (self->needs_headers) {
        out->kind = ACTION_ASK_HEADERS;
        return true;
    }
    if (!ex->asking_url || ex->kind != kind) {
        ex->kind = kind;
        ex->opens = kind == REQUEST_BACK && phase_opens_on_back(self);
        ex->rid = kind == REQUEST_BACK && !ex->opens ? -1 : self->rid;
        if (!session_write_request(self, ex)) {
            session_fail(self, ERROR_MEMORY, "out of memory");
            out->kind = ACTION_ENDED;
            return true;
        }
        if (ex->opens && ex->url.length > MAX_OPENING_URL) {
            phase_open_by_post(self);
            ex->maps_count = 0;
            decide(self, now_ms, out);
            return true;
        }
        if (ex->asking_url) {
            out->kind = ACTION_ASK_URL;
            out->slot = slot;
            return true;
        }
    } else if (ex->url.length == 0) {
        out->kind = ACTION_ASK_URL;
        out->slot = slot;
        return true;
    }
    ex->asking_url = false;
    ex->active = true;
    if (kind == REQUEST_BACK && self->back_channels++ > 0)
        self->stats.reconnects++;
    ex->paused = false;
    ex->abort_reason = ABORT_NONE;
    ex->status = 0;
    ex->retry_after_ms = 0;
    ex->arrays = 0;
    ex->is_ascii = false;
    ex->corruption = NULL;
    ex->poisoned = false;
    strbuf_clear(&ex->reason);
    strbuf_free(&ex->head);
    strbuf_clear(&ex->reply);
    framer_reset(&ex->framer);
    ex->started_ms = ex->last_byte_ms = now_ms;
    ex->first_byte_ms = -1;
    ex->progress = 0;
    static const char *const words[] = {
        [REQUEST_INIT] = "initializing",       [REQUEST_OPEN] = "Fetching sid", [REQUEST_MAPS] = "connecting",
        [REQUEST_BACK] = "Starting long poll", [REQUEST_TERMINATE] = "closing",
    };
    session_log_url(self, LOG_DEBUG, words[kind], strbuf_str(&ex->url));
    out->kind = ACTION_SEND;
    out->slot = slot;
    return true;
}

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
    if (other->active && session_is_half_duplex(self)) {
        // The session was changed from outside while a request ran. The back channel, which would go on for
        // minutes, makes way; any other request is waited for.
        return slot == SLOT_FORWARD && give_up(self, SLOT_BACK, ABORT_CANCELLED, out);
    }
    if (ex->not_before_ms > now_ms && kind != REQUEST_TERMINATE) {
        sooner(out, ex->not_before_ms);
        return false;
    }
    return start(self, slot, kind, now_ms, out);
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

void session_get_request(session *self, exchange_slot slot, session_request *out) {
    const exchange *ex = &self->exchanges[slot];
    bool posts = ex->kind == REQUEST_OPEN || ex->kind == REQUEST_MAPS ||
                 (ex->kind == REQUEST_TERMINATE && session_terminates_by_post(self));
    *out = (session_request){
        .kind = ex->kind,
        .url = strbuf_str(&ex->url),
        .body = posts && !self->dialect->polls ? strbuf_str(&ex->body) : NULL,
        .body_length = ex->body.length,
    };
}

void session_asked_url(const session *self, exchange_slot slot, request_kind *kind, int64_t *rid,
                       int64_t *aid) {
    const exchange *ex = &self->exchanges[slot];
    *kind = ex->kind;
    *rid = ex->rid;
    *aid = ex->kind == REQUEST_OPEN ? -1 : session_get_number(self, NUMBER_AID);
}

bool session_give_url(session *self, exchange_slot slot, const char *url) {
    return strbuf_set(&self->exchanges[slot].url, url);
}
