/* A session: what it is made of, how it is set, and what is to be reached. */
#include <stdlib.h> // calloc()

#include "session/maps.h"
#include "session/phase.h"
#include "session/report.h"
#include "session/retry.h"

#define DEFAULT_REQUEST_TIMEOUT_MS 30000
#define DEFAULT_MAX_BACKOFF_MS 32000
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

bool session_is_answered(const session *self, const session_action *asked) {
    if (asked->kind == ACTION_ASK_SESSION)
        return phase_is_prepared(self);
    if (asked->kind == ACTION_ASK_TOKEN)
        return phase_has_token(self);
    if (asked->kind == ACTION_ASK_URL)
        return self->exchanges[asked->slot].url.length != 0;
    return asked->kind == ACTION_ASK_HEADERS && !self->needs_headers;
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

bool session_put_back(session *self, const record *dropped) {
    if (!queue_put_back(&self->queue, dropped))
        return false;
    if (self->taken_id == dropped->id) // or another thread has taken the next one
        self->taken_id--;
    return true;
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
