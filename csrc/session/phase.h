/* How far a session has come, and whether it goes on: asked here, by all who want to know. */
#ifndef GAECHANNEL_SESSION_PHASE_H
#define GAECHANNEL_SESSION_PHASE_H

#include "internal.h"

/* docs/design.rst has what leads from one to another. */
typedef enum phase {
    PHASE_NEW,         // talk: clid and gsessionid are still to be asked for
    PHASE_INITIALIZED, // there is no SID
    PHASE_OPEN,        // there is one, and maps wait
    PHASE_CONNECTED,   // all maps are with the server
    PHASE_CLOSING,     // somebody has asked for the end
    PHASE_ENDED,       // the session is over; a new goal starts it again from what still holds
} phase;

phase phase_of(const session *self);

/* ---- What is asked of it ---- */

/* clid and gsessionid are known, or the dialect has none. */
bool phase_is_initialized(const session *self);
/* There is a SID. */
bool phase_is_open(const session *self);
/* The session is over, be it with an error; and whoever drives it was told. */
bool phase_has_ended(const session *self);
bool phase_is_end_told(const session *self);
/* Neither that, nor has anybody asked for it. */
bool phase_goes_on(const session *self);
/* The server is still to be told of the end; that is a POST, since it does not know a GET. */
bool phase_terminates(const session *self);
bool phase_terminates_by_post(const session *self);
/* A back channel of the present session was answered; of any; one has brought arrays: from then on the server
 * is known to be one, and what is not its answer is somebody else's. */
bool phase_is_answered(const session *self);
bool phase_was_ever_answered(const session *self);
bool phase_has_worked(const session *self);
/* The back channel's first request is to open the session: webchannel's fast handshake. */
bool phase_opens_on_back(const session *self);
/* Whoever wanted to know has still to be told that a session is about to open. */
bool phase_is_prepared(const session *self);
/* There is a token, which was not refused as expired; it was; a back channel was answered to it. */
bool phase_has_token(const session *self);
bool phase_token_expired(const session *self);
bool phase_token_worked(const session *self);

/* ---- What happens to it ---- */

void phase_end(session *self);
void phase_tell_end(session *self);
/* A new goal: what was reached by a poll counts no more, nor does an end that was told. Whether there was
 * one. */
bool phase_start_over(session *self);
void phase_close(session *self);
/* The terminating request is over: the server knows, or will not be told; or, with `may_otherwise`, it is
 * tried once more by the dialect's other verb. */
void phase_terminated(session *self, bool may_otherwise);
/* A back channel was answered; has brought arrays; has come and gone. */
void phase_answered(session *self);
void phase_worked(session *self);
void phase_polled(session *self);
/* There is a SID, of a session that is new. */
void phase_opened(session *self);
/* What the server has given is void: the SID, and the count of its arrays. What is under way for it is given
 * up, or its answers would count for the session that comes next. */
void phase_forget_sid(session *self);
/* The same, of the ids that the session was to be opened with, too. */
void phase_forget_clid(session *self);
/* Somebody has set another SID: what is under way for the one before, or to have one, is given up, too. */
void phase_change_sid(session *self);
void phase_set_prepared(session *self, bool prepared);
void phase_open_by_post(session *self);
/* There is another token; the present one is of no use any more. */
void phase_new_token(session *self);
void phase_expire_token(session *self);

#endif
