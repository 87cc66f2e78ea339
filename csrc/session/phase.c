/* How far a session has come. */
#include "session/phase.h"

/* ---- What is asked of it ---- */

bool phase_is_initialized(const session *self) {
    return !self->dialect->has_init_page || self->fields[FIELD_CLID].length != 0;
}

bool phase_is_open(const session *self) {
    return self->fields[FIELD_SID].length != 0;
}

bool phase_has_ended(const session *self) {
    return self->phase.end != END_NOT_YET;
}

bool phase_is_end_told(const session *self) {
    return self->phase.end == END_TOLD;
}

bool phase_goes_on(const session *self) {
    return self->phase.end == END_NOT_YET && self->phase.close == CLOSE_NOT_ASKED;
}

bool phase_terminates(const session *self) {
    return self->dialect->terminate != TERMINATE_NEVER && phase_is_open(self) &&
           self->phase.close != CLOSE_DONE;
}

bool phase_terminates_by_post(const session *self) {
    bool is_first = self->phase.close != CLOSE_OTHERWISE;
    return self->dialect->terminate == TERMINATE_POST_OR_GET ? is_first : !is_first;
}

bool phase_is_answered(const session *self) {
    return self->phase.answered;
}

bool phase_was_ever_answered(const session *self) {
    return self->phase.proof != PROOF_NONE;
}

bool phase_has_worked(const session *self) {
    return self->phase.proof == PROOF_ARRAYS;
}

bool phase_opens_on_back(const session *self) {
    return self->config.fast_handshake && self->dialect->fast_handshake && !phase_is_open(self) &&
           !self->phase.opens_by_post;
}

bool phase_is_prepared(const session *self) {
    return self->phase.prepared;
}

bool phase_has_token(const session *self) {
    return self->fields[FIELD_TOKEN].length != 0 && !phase_token_expired(self);
}

bool phase_token_expired(const session *self) {
    return self->phase.token == TOKEN_EXPIRED;
}

bool phase_token_worked(const session *self) {
    return self->phase.token == TOKEN_PROVEN;
}

phase phase_of(const session *self) {
    // A session that has ended with an error may have a SID: the server is told, too.
    if (self->phase.close != CLOSE_NOT_ASKED)
        return PHASE_CLOSING;
    if (phase_has_ended(self))
        return PHASE_ENDED;
    if (!phase_is_initialized(self))
        return PHASE_NEW;
    if (!phase_is_open(self))
        return PHASE_INITIALIZED;
    return self->maps.count > self->maps.fillers ? PHASE_OPEN : PHASE_CONNECTED;
}

bool session_has_reached(const session *self, session_goal goal) {
    switch (goal) {
    case GOAL_REST:
        return true;
    case GOAL_INITIALIZE:
        return phase_is_initialized(self);
    case GOAL_OPEN:
        return phase_is_open(self);
    case GOAL_CONNECT:
        return phase_is_open(self) && self->maps.count == self->maps.fillers;
    case GOAL_POLL:
        return self->phase.polled;
    case GOAL_STREAM:
        return false;
    }
    return true;
}

/* ---- What happens to it ---- */

void phase_end(session *self) {
    if (!phase_has_ended(self))
        self->phase.end = END_COME;
}

void phase_tell_end(session *self) {
    if (phase_has_ended(self))
        self->phase.end = END_TOLD;
}

bool phase_start_over(session *self) {
    self->phase.polled = false;
    if (self->phase.close != CLOSE_NOT_ASKED || !phase_is_end_told(self))
        return false;
    self->phase.end = END_NOT_YET;
    return true;
}

void phase_close(session *self) {
    if (self->phase.close == CLOSE_NOT_ASKED)
        self->phase.close = CLOSE_ASKED;
}

void phase_terminated(session *self, bool may_otherwise) {
    terminate_verb verb = self->dialect->terminate;
    bool has_other = verb == TERMINATE_GET_OR_POST || verb == TERMINATE_POST_OR_GET;
    bool again = may_otherwise && has_other && self->phase.close == CLOSE_ASKED;
    self->phase.close = again ? CLOSE_OTHERWISE : CLOSE_DONE;
}

void phase_answered(session *self) {
    self->phase.answered = true;
    if (self->phase.proof == PROOF_NONE)
        self->phase.proof = PROOF_ANSWERED;
    if (self->phase.token != TOKEN_EXPIRED) // meanwhile, by the other request
        self->phase.token = TOKEN_PROVEN;
}

void phase_worked(session *self) {
    self->phase.proof = PROOF_ARRAYS;
}

void phase_polled(session *self) {
    self->phase.polled = true;
}

void phase_opened(session *self) {
    self->phase.answered = self->phase.prepared = self->phase.opens_by_post = false;
    if (self->phase.token == TOKEN_EXPIRED)
        self->phase.token = TOKEN_UNPROVEN;
}

// Requests of a session; with `opening`, those that open one, too.
static void give_up_requests(session *self, bool opening) {
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        exchange *ex = &self->exchanges[slot];
        bool opens = ex->kind == REQUEST_OPEN || ex->opens;
        bool is_one = ex->kind > REQUEST_INIT && ex->kind != REQUEST_TERMINATE && (opening || !opens);
        if (ex->active && is_one)
            ex->abort_reason = ABORT_CANCELLED;
    }
}

void phase_forget_sid(session *self) {
    strbuf_clear(&self->fields[FIELD_SID]);
    self->aid = -1;
    give_up_requests(self, false);
}

void phase_change_sid(session *self) {
    give_up_requests(self, true);
}

void phase_forget_clid(session *self) {
    strbuf_clear(&self->fields[FIELD_CLID]);
    phase_forget_sid(self);
    give_up_requests(self, true);
}

void phase_set_prepared(session *self, bool prepared) {
    self->phase.prepared = prepared;
}

void phase_open_by_post(session *self) {
    self->phase.opens_by_post = true;
}

void phase_new_token(session *self) {
    self->phase.token = TOKEN_UNPROVEN;
}

void phase_expire_token(session *self) {
    self->phase.token = TOKEN_EXPIRED;
}
