/* Chance, waits, and whether a request that failed is sent again. */
#include "session/retry.h"

#include "session/phase.h"
#include "session/report.h"

// The first wait in a row.
#define FIRST_BACKOFF_MS 1000

// Times in a row that a request reached nobody before that is a failure: with ten streams a connection, and a
// hundred requests at once, the last of them are refused nine times.
#define MAX_STALE 30
// From then on they wait a little, each as long as chance has it, so as not to come together again.
#define STALE_AT_ONCE 3
#define STALE_WAIT_MS 100

// How often, and for how long, a channel that has worked meets what may be somebody else's before it gives
// up.
#define OUTLASTED 5
#define OUTLASTED_MS (60 * 1000)

/* ---- Chance and waits ---- */

// xorshift64*: for jitter and against caches, not for secrets.
uint64_t session_random(session *self) {
    self->random ^= self->random >> 12;
    self->random ^= self->random << 25;
    self->random ^= self->random >> 27;
    return (self->random * 0x2545F4914F6CDD1DULL) >> 16;
}

int64_t session_backoff_ms(const session *self, int failures) {
    int64_t wait = FIRST_BACKOFF_MS;
    while (failures-- > 1 && wait < self->config.max_backoff_ms)
        wait *= 2;
    return wait < self->config.max_backoff_ms ? wait : self->config.max_backoff_ms;
}

int64_t session_jittered_backoff(session *self, int failures) {
    int64_t wait = session_backoff_ms(self, failures);
    return wait - (int64_t)(session_random(self) % (uint64_t)(wait / 2 + 1));
}

/* ---- Whether there is another try ---- */

bool session_may_retry(const session *self, const exchange *ex) {
    int limit = self->config.max_reconnects;
    if (self->opening_retry == OPENING_ONCE && !phase_is_open(self))
        return false;
    return self->config.auto_reconnect && self->goal != GOAL_POLL && (limit < 0 || ex->failures < limit);
}

bool session_retry_within(session *self, exchange *ex, int64_t most_ms, int64_t now_ms) {
    bool may = session_may_retry(self, ex);
    ex->failures++;
    if (!may)
        return false;
    int64_t wait = session_jittered_backoff(self, ex->failures);
    if (wait > most_ms)
        wait = most_ms;
    if (wait < ex->retry_after_ms)
        wait = ex->retry_after_ms;
    ex->not_before_ms = now_ms + wait;
    session_log(self, LOG_WARNING, "reconnecting in %.1f seconds", (double)wait / 1000.0);
    return true;
}

bool session_retry(session *self, exchange *ex, int64_t now_ms) {
    return session_retry_within(self, ex, INT64_MAX, now_ms);
}

bool session_is_worth_mending(const session *self) {
    return phase_was_ever_answered(self) || phase_is_open(self) || self->opening_retry == OPENING_PATIENT;
}

bool session_send_again(session *self, exchange *ex, int64_t now_ms) {
    if (ex->stale >= MAX_STALE)
        return false;
    ex->not_before_ms = 0;
    if (ex->stale++ >= STALE_AT_ONCE)
        ex->not_before_ms = now_ms + (int64_t)(session_random(self) % STALE_WAIT_MS);
    return true;
}

bool session_outlast(session *self, exchange *ex, int64_t now_ms) {
    if (!phase_has_worked(self))
        return false;
    if (ex->foreign++ == 0)
        ex->foreign_since_ms = now_ms;
    bool may_pass = ex->foreign <= OUTLASTED || now_ms - ex->foreign_since_ms < OUTLASTED_MS;
    return may_pass && session_retry(self, ex, now_ms);
}

void session_went_well(exchange *ex) {
    ex->failures = ex->foreign = 0;
    ex->not_before_ms = 0;
}
