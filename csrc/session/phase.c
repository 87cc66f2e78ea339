/* How far a session has come. */
#include "session/phase.h"

bool session_is_open(const session *self) {
    return self->fields[FIELD_SID].length != 0;
}

bool session_is_initialized(const session *self) {
    return !self->dialect->has_init_page || self->fields[FIELD_CLID].length != 0;
}

bool session_opens_on_back(const session *self) {
    return self->config.fast_handshake && self->dialect->session_id_header && !session_is_open(self) &&
           !self->opens_by_post;
}

void session_forget_sid(session *self) {
    strbuf_clear(&self->fields[FIELD_SID]);
    self->aid = -1;
}

bool session_has_reached(const session *self, session_goal goal) {
    switch (goal) {
    case GOAL_REST:
        return true;
    case GOAL_INITIALIZE:
        return session_is_initialized(self);
    case GOAL_OPEN:
        return session_is_open(self);
    case GOAL_CONNECT:
        return session_is_open(self) && self->maps.count == self->maps.fillers;
    case GOAL_POLL:
        return self->poll_done;
    case GOAL_STREAM:
        return false;
    }
    return true;
}
