/* How a session begins, is lost, and is begun anew. */
#include "session/life.h"

#include "session/maps.h"
#include "session/phase.h"
#include "session/report.h"
#include "session/retry.h"

// Sessions lost in a row after which the talk dialect starts from its init page again.
#define MAX_LOST 3

void session_opened(session *self, exchange *ex) {
    ex->opens = false;
    self->behind_opening = true;
    self->poison_id = -1;
    self->rid++;
    self->stats.sessions++;
    phase_opened(self);
    self->opening_retry = OPENING_AS_EVER;
    if (self->dialect->queue_first_map != NULL)
        map_list_restart(&self->maps, true);
    map_list_confirm(&self->maps, ex->maps_count);
    ex->maps_count = 0;
    session_log(self, LOG_DEBUG, "sid: %s", strbuf_str(&self->fields[FIELD_SID]));
    if (self->dialect->queue_first_map != NULL && !self->dialect->queue_first_map(self))
        session_fail(self, ERROR_MEMORY, "out of memory");
}

bool session_remember_lost(session *self) {
    strbuf oaid = {0};
    strbuf_format(&oaid, "%lld", (long long)session_get_number(self, NUMBER_AID));
    bool kept = !strbuf_failed(&oaid) &&
                session_set(self, FIELD_OSID, strbuf_str(&self->fields[FIELD_SID])) &&
                session_set(self, FIELD_OAID, strbuf_str(&oaid));
    strbuf_free(&oaid);
    if (!kept)
        session_fail(self, ERROR_MEMORY, "out of memory");
    return kept;
}

void session_restart(session *self, int64_t now_ms) {
    self->lost_in_row++;
    session_log(
        self, LOG_WARNING,
        "the session is lost: opening a new one; subscriptions made in the old one are gone, and arrays "
        "that it had not delivered");
    phase_forget_sid(self);
    self->poison_id = -1;
    self->dead_at_ms = SESSION_NEVER;
    if (!self->dialect->has_init_page)
        strbuf_clear(&self->fields[FIELD_GSESSIONID]); // the lost session's
    if (self->lost_in_row >= MAX_LOST && self->dialect->has_init_page)
        phase_forget_clid(self);
    self->exchanges[SLOT_BACK].not_before_ms = 0;
    if (self->lost_in_row > 1)
        self->exchanges[SLOT_FORWARD].not_before_ms =
            now_ms + session_jittered_backoff(self, self->lost_in_row - 1);
}

void session_forget(session *self, session_goal goal) {
    if (goal == GOAL_INITIALIZE)
        phase_forget_clid(self);
    else if (goal == GOAL_OPEN)
        phase_forget_sid(self);
    else if (self->maps.count == 0 && self->dialect->queue_first_map != NULL &&
             !self->dialect->queue_first_map(self))
        session_fail(self, ERROR_MEMORY, "out of memory");
}
