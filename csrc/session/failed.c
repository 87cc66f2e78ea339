/* What a request that has failed means: try again, begin anew, or give up. */
#include "session/failed.h"

#include <string.h>

#include "session/life.h"
#include "session/maps.h"
#include "session/next.h"
#include "session/phase.h"
#include "session/report.h"
#include "session/retry.h"

// Corrupt bodies in a row, without one array between them, after which no retry is going to help.
#define MAX_CORRUPT 5
// How often maps that were answered with anything but a forward reply are sent again by a channel that never
// worked; with the waits, that is for a minute.
#define MAX_UNCONFIRMED 7
// Sessions lost in a row after which there is no hope for a channel that never had an answer to a back
// channel, which with the waits is after a minute.
#define MAX_LOST_AT_FIRST 8
// The longest wait after a silence: that is a network's fault, which disturbs no server and may be over at
// any time.
#define MAX_SILENCE_WAIT_MS 5000

static void fail(session *self, const exchange *ex, session_error_kind kind, const char *words) {
    session_fail_exchange(self, ex, kind, 0, words);
}

/* ---- Nothing came, or something else ---- */

void failed_broken(session *self, exchange *ex, int code, const char *words, int64_t now_ms) {
    bool mendable = session_is_worth_mending(self);
    if (mendable) {
        session_note_failure(self, ex, ERROR_TRANSPORT, code, words);
        session_log(self, LOG_WARNING, "Connection lost: %s", words);
    }
    if (!mendable || !session_retry(self, ex, now_ms))
        session_fail_exchange(self, ex, ERROR_TRANSPORT, code, words);
}

void failed_foreign(session *self, exchange *ex, int code, const char *words, int64_t now_ms) {
    if (!session_outlast(self, ex, now_ms)) {
        session_fail_exchange(self, ex, ERROR_TRANSPORT, code, words);
        return;
    }
    session_note_failure(self, ex, ERROR_TRANSPORT, code, words);
    session_log(self, LOG_WARNING, "Connection lost: %s", words);
}

void failed_timed_out(session *self, exchange *ex, bool dead, int code, const char *words, int64_t now_ms) {
    static const char *const names[] = {
        [REQUEST_INIT] = "The request for the page",     [REQUEST_OPEN] = "The opening request",
        [REQUEST_MAPS] = "The request with maps",        [REQUEST_BACK] = "Long poll",
        [REQUEST_TERMINATE] = "The terminating request",
    };
    bool mendable = session_is_worth_mending(self);
    if (mendable || dead) {
        session_note_failure(self, ex, ERROR_TIMEOUT, code, words);
        session_log(self, LOG_WARNING, "%s timed out: %s", names[ex->kind], words);
    }
    // A back channel that has brought something before it fell silent says nothing against the server.
    bool worked = dead || (ex->kind == REQUEST_BACK && ex->status == 200 && ex->arrays != 0);
    if (worked && session_may_retry(self, ex) && session_send_again(self, ex, now_ms))
        return;
    if (!mendable || !session_retry_within(self, ex, MAX_SILENCE_WAIT_MS, now_ms))
        session_fail_exchange(self, ex, ERROR_TIMEOUT, code, words);
}

void failed_silent(session *self, exchange *ex, exchange_slot slot, bool dead, int64_t now_ms) {
    strbuf words = {0};
    strbuf_format(&words, "the server fell silent for %.1f seconds",
                  (double)session_patience_ms(self, slot) / 1000.0);
    failed_timed_out(self, ex, dead, 0, strbuf_str(&words), now_ms);
    strbuf_free(&words);
}

// An array that cannot be read was asked for twice, and counts as received, or nothing behind it would come.
// From now on: had the other request ended everything before this could be told, it would have gone without a
// word.
static void poisoned(session *self, exchange *ex, const char *words) {
    strbuf text = {0};
    strbuf_format(&text, "array %lld cannot be read: %s", (long long)self->poison_id, words);
    self->aid = self->poison_id;
    self->poison_id = -1;
    fail(self, ex, ERROR_CORRUPT, strbuf_str(&text));
    strbuf_free(&text);
}

void failed_corrupt(session *self, exchange *ex, int64_t now_ms) {
    const char *words = ex->corruption != NULL ? ex->corruption : "not a run of chunks";
    if (ex->poisoned) {
        poisoned(self, ex, words);
        return;
    }
    session_note_failure(self, ex, ERROR_CORRUPT, 0, words);
    session_log(self, LOG_WARNING, "TalkMessageCorrupted: %s", words);
    // What arrived sound before the corruption shows that the server can do better.
    bool again = phase_has_worked(self)
                     ? session_outlast(self, ex, now_ms)
                     : ++self->corrupt_in_row < MAX_CORRUPT && session_is_worth_mending(self) &&
                           session_retry(self, ex, now_ms);
    if (!again)
        fail(self, ex, ERROR_CORRUPT, words);
}

// What a 200 said that is not what was asked for goes to the log.
static void end_answer(session *self, exchange *ex, const char *words, bool again) {
    if (!again) {
        fail(self, ex, ERROR_PROTOCOL, words);
        return;
    }
    session_note_failure(self, ex, ERROR_PROTOCOL, 0, words);
    session_log_reply(self, LOG_WARNING, words, ex);
}

void failed_answer(session *self, exchange *ex, const char *words, int64_t now_ms) {
    end_answer(self, ex, words, session_outlast(self, ex, now_ms));
}

void failed_confirmation(session *self, exchange *ex, int64_t now_ms) {
    bool again = phase_has_worked(self) ? session_outlast(self, ex, now_ms)
                                        : ex->failures < MAX_UNCONFIRMED && session_retry(self, ex, now_ms);
    end_answer(self, ex, "the maps were not confirmed", again);
}

/* ---- The session is gone ---- */

// Maps that may have been carried out in the lost session. False when memory ran out.
static bool drop_tried(session *self, strbuf *dropped) {
    size_t count = self->maps.tried;
    if (!map_list_refuse(&self->maps, count, dropped)) {
        strbuf_free(dropped);
        session_fail(self, ERROR_MEMORY, "out of memory");
        return false;
    }
    if (count != 0)
        session_log(self, LOG_WARNING, "%zu maps that the lost session had not confirmed are dropped", count);
    return true;
}

static void lost(session *self, exchange *ex, int64_t now_ms) {
    int limit = self->config.max_reconnects;
    bool may = self->config.auto_reconnect && self->goal != GOAL_POLL;
    bool hopeless = !phase_was_ever_answered(self) && self->lost_in_row >= MAX_LOST_AT_FIRST;
    may &= ex->kind > REQUEST_OPEN && !ex->opens && !hopeless && !self->config.keeps_session;
    may &= limit < 0 || self->lost_in_row < limit;
    strbuf dropped = {0};
    // Before maps are dropped, which could not be told where memory runs out.
    if (may && !session_remember_lost(self))
        return;
    if (self->config.sends_once && !drop_tried(self, &dropped))
        return;
    static const char words[] = "the session is unknown to the server";
    if (may) {
        session_note_failure(self, ex, ERROR_SESSION_LOST, 0, words);
        session_restart(self, now_ms);
        self->error.refused = dropped;
        return;
    }
    fail(self, ex, ERROR_SESSION_LOST, words);
    self->error.refused = dropped;
    // The next try begins a new one.
    phase_forget_sid(self);
}

/* ---- Statuses ---- */

static char folded(char byte) {
    if (byte == '+')
        return ' '; // a query-encoded reason phrase ("Token+timed+out.") says the same
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

static bool says(const exchange *ex, const char *words) {
    const char *const places[] = {strbuf_str(&ex->reason), strbuf_str(&ex->reply)};
    for (size_t i = 0; i < 2; i++)
        for (const char *at = places[i]; *at != '\0'; at++) {
            size_t same = 0;
            // The NUL at the end of `at` is like none of the words' bytes.
            while (words[same] != '\0' && folded(at[same]) == folded(words[same]))
                same++;
            if (words[same] == '\0')
                return true;
        }
    return false;
}

// What a 401 is about, by its words.
static session_error_kind read_401(const exchange *ex) {
    if (says(ex, "Token timed out") || says(ex, "expired"))
        return ERROR_TOKEN_EXPIRED;
    return says(ex, "Invalid token") ? ERROR_TOKEN_INVALID : ERROR_HTTP;
}

// A 401 may be about what stands in a header, which somebody can make anew; then the session is as good as
// before. Once, or a server that refuses all would be asked for ever.
static bool renew_headers(session *self, exchange *ex) {
    if (!self->asks_headers || ex->has_renewed)
        return false;
    ex->has_renewed = self->needs_headers = true;
    session_note_failure(self, ex, ERROR_HTTP, 0, "");
    session_log(self, LOG_WARNING, "HTTP status 401 %s: asking for other headers", strbuf_str(&ex->reason));
    return true;
}

static void unauthorized(session *self, exchange *ex) {
    session_error_kind kind = read_401(ex);
    bool expired = kind == ERROR_TOKEN_EXPIRED;
    // A server that was restarted may know nothing of a token that it has given.
    bool asks = expired || (kind == ERROR_TOKEN_INVALID && phase_token_worked(self));
    // A session belongs to its token.
    asks &= self->asks_token && (!self->config.keeps_session || !phase_is_open(self));
    if (!asks && renew_headers(self, ex))
        return;
    if (!asks || self->goal == GOAL_POLL || self->expired_in_row++ > 0) {
        fail(self, ex, kind, "");
        asks = expired;
    } else {
        session_note_failure(self, ex, kind, 0, "");
        session_log(self, LOG_WARNING, "%s: asking for a new one",
                    expired ? "Token timed out" : "Token not valid any more");
    }
    if (asks)
        phase_expire_token(self);
    // The next try must not use what came of this token.
    phase_forget_clid(self);
}

static bool names_session(const session *self, const exchange *ex) {
    return ex->kind > REQUEST_OPEN && !ex->opens && !self->dialect->polls;
}

// Google's servers say a bare 400. The development server's 400 is of what was asked.
bool failed_is_of_lost_session(const session *self, const exchange *ex) {
    return ex->status == 410 || says(ex, "Unknown SID") || (ex->status == 400 && names_session(self, ex));
}

// A server that refuses fillers, too, is not one that waits for ids.
static bool refuses_fillers(session *self, exchange *ex) {
    map_list *maps = &self->maps;
    if (ex->status < 400 || ex->maps_count == 0 || ex->maps_count > maps->fillers)
        return false;
    session_log(self, LOG_WARNING, "HTTP status %d: the server takes nothing for maps that it refused",
                ex->status);
    map_list_confirm(maps, maps->fillers);
    maps->unfillable = true;
    ex->maps_count = 0;
    ex->not_before_ms = 0;
    return true;
}

// Maps that were refused are not sent again: they would be refused again, and all behind them. A dialect's
// own first map is, since there is no channel without it.
static void refused(session *self, exchange *ex) {
    if (refuses_fillers(self, ex))
        return;
    strbuf maps = {0};
    bool theirs = ex->status >= 400 && ex->maps_count != 0 && self->dialect->queue_first_map == NULL;
    size_t dropped = self->maps.dropped < ex->maps_count ? self->maps.dropped : ex->maps_count;
    if (theirs && !map_list_fill(&self->maps, ex->maps_count, &maps)) {
        session_fail(self, ERROR_MEMORY, "out of memory");
        strbuf_free(&maps);
        return;
    }
    if (theirs)
        session_log(self, LOG_WARNING, "HTTP status %d: the server refused maps: %u", ex->status,
                    ex->maps_count);
    fail(self, ex, theirs ? ERROR_MAPS_REFUSED : ERROR_HTTP, "");
    self->error.refused = maps;
    self->refused_untold = theirs ? ex->maps_count - dropped : 0;
    ex->maps_count = 0;
}

// Whether it is said of a request that the server has not looked at: a load balancer's 404, a portal's
// redirect, a proxy's 407, 421 of one that took the connection for another host's, 425 of one that wants the
// request later.
static bool is_of_another(int status) {
    return status < 400 || status == 404 || status == 407 || status == 421 || status == 425;
}

// Of maps, only those are not the server's own word. The development server's 400 is its own, too: it says
// that of what it does not understand.
static bool outlast_status(session *self, exchange *ex, int64_t now_ms) {
    bool own_word = ex->maps_count != 0 || (self->dialect->polls && ex->status == 400);
    bool foreign = !own_word || is_of_another(ex->status);
    if (!foreign || !session_outlast(self, ex, now_ms))
        return false;
    session_note_failure(self, ex, ERROR_HTTP, 0, "");
    session_log(self, LOG_WARNING, "HTTP status %d %s", ex->status, strbuf_str(&ex->reason));
    return true;
}

void failed_status(session *self, exchange *ex, int64_t now_ms) {
    int status = ex->status;
    if (status == 401) {
        unauthorized(self, ex);
    } else if (status >= 400 && failed_is_of_lost_session(self, ex)) {
        lost(self, ex, now_ms);
    } else if (status == 408 || status == 429 || status >= 500) {
        session_note_failure(self, ex, ERROR_HTTP, 0, "");
        session_log(self, LOG_WARNING, "HTTP status %d %s", status, strbuf_str(&ex->reason));
        if (!session_retry(self, ex, now_ms))
            fail(self, ex, ERROR_HTTP, "");
    } else if (!outlast_status(self, ex, now_ms)) {
        // A load balancer's 404 would have passed. YouTube's servers say it of a session that they know no
        // more.
        if (status == 404 && names_session(self, ex) && phase_has_worked(self))
            lost(self, ex, now_ms);
        else
            refused(self, ex);
    }
}
