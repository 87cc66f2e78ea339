/* What the end of a request means: go on, try again, begin anew, or give up. */
#include <string.h>

#include "session/buffering.h"
#include "session/confirmation.h"
#include "session/intake.h"
#include "session/life.h"
#include "session/phase.h"
#include "session/requests.h"
#include "session/retry.h"
#include "wire/utf8.h"

// Corrupt bodies in a row, without one array between them, after which no retry is going to help.
#define MAX_CORRUPT 5
// How often maps that were answered with anything but a forward reply are sent again by a channel that never
// worked; with the waits, that is for a minute.
#define MAX_UNCONFIRMED 7
// Sessions lost in a row after which there is no hope for a channel that never had an answer to a back
// channel, which with the waits is after a minute.
#define MAX_LOST_AT_FIRST 8
// Back channels that end at once and empty, in a row, before the next one waits.
#define MAX_FRUITLESS 3
#define AT_ONCE_MS 1000
// Closure's own figures: how long arrays may be on their way that the server says it has sent, and from how
// many outstanding bytes on the network is merely busy.
#define DEAD_BACK_CHANNEL_MS 6000
#define BUSY_BYTES 37500
// How long a back channel may be on its way to a server that says that it has none.
#define LOST_BACK_CHANNEL_MS 3000
// The longest wait after a silence: that is a network's fault, which disturbs no server and may be over at
// any time.
#define MAX_SILENCE_WAIT_MS 5000

static void fail(session *self, const exchange *ex, session_error_kind kind, const char *words) {
    session_fail_exchange(self, ex, kind, 0, words);
}

static void broken(session *self, exchange *ex, session_error_kind kind, int code, const char *words,
                   int64_t now_ms) {
    bool mendable = session_is_worth_mending(self);
    if (mendable) {
        session_note_failure(self, ex, kind, code, words);
        session_log(self, LOG_WARNING, "Connection lost: %s", words);
    }
    if (!mendable || !session_retry(self, ex, now_ms))
        session_fail_exchange(self, ex, kind, code, words);
}

// A redirect to elsewhere, a certificate that is not the server's.
static void foreign(session *self, exchange *ex, int code, const char *words, int64_t now_ms) {
    if (!session_outlast(self, ex, now_ms)) {
        session_fail_exchange(self, ex, ERROR_TRANSPORT, code, words);
        return;
    }
    session_note_failure(self, ex, ERROR_TRANSPORT, code, words);
    session_log(self, LOG_WARNING, "Connection lost: %s", words);
}

// `dead`: it was the connection that fell silent, which had worked.
static void timed_out(session *self, exchange *ex, bool dead, int code, const char *words, int64_t now_ms) {
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

static void fell_silent(session *self, exchange *ex, exchange_slot slot, bool dead, int64_t now_ms) {
    strbuf words = {0};
    strbuf_format(&words, "the server fell silent for %.1f seconds",
                  (double)session_patience_ms(self, slot) / 1000.0);
    timed_out(self, ex, dead, 0, strbuf_str(&words), now_ms);
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

static void corrupt(session *self, exchange *ex, int64_t now_ms) {
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

// A 200 that is not what was asked for: somebody else's, a proxy's, a login page. What it said goes to the
// log.
static bool outlast_answer(session *self, exchange *ex, const char *words, int64_t now_ms) {
    if (!session_outlast(self, ex, now_ms))
        return false;
    session_note_failure(self, ex, ERROR_PROTOCOL, 0, words);
    session_log_reply(self, LOG_WARNING, words, ex);
    return true;
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

// Google's servers say a bare 400 of a session that they do not know. The development server's 400 is of what
// was asked.
static bool is_of_lost_session(const session *self, const exchange *ex) {
    bool named_one = ex->kind > REQUEST_OPEN && !ex->opens && !self->dialect->polls;
    return ex->status == 410 || says(ex, "Unknown SID") || (named_one && ex->status == 400);
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

// A load balancer says 404, a portal redirects; of maps, only those are not the server's own word. The
// development server's 400 is its own, too: it says that of what it does not understand.
static bool outlast_status(session *self, exchange *ex, int64_t now_ms) {
    bool own_word = ex->maps_count != 0 || (self->dialect->polls && ex->status == 400);
    bool foreign = !own_word || ex->status == 404 || ex->status < 400;
    if (!foreign || !session_outlast(self, ex, now_ms))
        return false;
    session_note_failure(self, ex, ERROR_HTTP, 0, "");
    session_log(self, LOG_WARNING, "HTTP status %d %s", ex->status, strbuf_str(&ex->reason));
    return true;
}

static void bad_status(session *self, exchange *ex, int64_t now_ms) {
    int status = ex->status;
    if (status == 401) {
        unauthorized(self, ex);
    } else if (status >= 400 && is_of_lost_session(self, ex)) {
        lost(self, ex, now_ms);
    } else if (status == 408 || status == 429 || status >= 500) {
        session_note_failure(self, ex, ERROR_HTTP, 0, "");
        session_log(self, LOG_WARNING, "HTTP status %d %s", status, strbuf_str(&ex->reason));
        if (!session_retry(self, ex, now_ms))
            fail(self, ex, ERROR_HTTP, "");
    } else if (!outlast_status(self, ex, now_ms)) {
        refused(self, ex);
    }
}

/* ---- Good ends ---- */

static bool take_bare(session *self, exchange *ex, const char *begin, int64_t now_ms) {
    const uint8_t *bytes = (const uint8_t *)begin;
    size_t length = ex->reply.length - (size_t)(begin - strbuf_str(&ex->reply));
    size_t wanted = SIZE_MAX;
    size_t walked;
    if (utf8_advance(bytes, length, &wanted, &walked) != UTF8_OK) {
        ex->corruption = "the reply is not UTF-8";
        return false;
    }
    return session_take_payload(self, ex, bytes, length, now_ms);
}

// The chunks of an opening reply, which is whole; or its bare literal, as some servers send it.
static bool take_opening(session *self, exchange *ex, int64_t now_ms) {
    const char *begin = reply_begin(strbuf_str(&ex->reply));
    if (*begin == '[')
        return take_bare(self, ex, begin, now_ms);
    framer *frames = &ex->framer;
    framer_chunk chunk;
    framer_status status;
    framer_reset(frames);
    framer_feed(frames, (const uint8_t *)strbuf_str(&ex->reply), ex->reply.length);
    while ((status = framer_next(frames, &chunk)) == FRAMER_CHUNK)
        if (!session_take_payload(self, ex, chunk.payload, chunk.length, now_ms))
            return false;
    if (status == FRAMER_NEED_MORE && framer_at_boundary(frames))
        return true;
    ex->corruption = status == FRAMER_CORRUPT ? frames->error : "the reply ends inside a chunk";
    return false;
}

static void init_done(session *self, exchange *ex, int64_t now_ms) {
    static const char words[] = "the page does not call new chat.WcsDataClient(…)";
    if (!session_read_init_page(self, strbuf_str(&ex->reply), ex->reply.length)) {
        if (!outlast_answer(self, ex, words, now_ms))
            fail(self, ex, ERROR_PROTOCOL, words);
        return;
    }
    session_went_well(ex);
    session_log(self, LOG_DEBUG, "clid: %s", strbuf_str(&self->fields[FIELD_CLID]));
    session_log(self, LOG_DEBUG, "gsessionid: %s", strbuf_str(&self->fields[FIELD_GSESSIONID]));
    // A session belongs to the ids it was opened with.
    phase_forget_sid(self);
}

// The reply to `connect`: a client id, or the word of a server that knows none. App Engine's SDK answers "1".
static void dev_opened(session *self, exchange *ex) {
    const char *id = strbuf_str(&ex->reply);
    size_t begin = strspn(id, " \t\r\n");
    size_t length = strcspn(id + begin, " \t\r\n");
    if (length == 0) {
        session_set(self, FIELD_SID, "1");
        return;
    }
    ex->reply.data[begin + length] = '\0';
    session_set(self, FIELD_SID, id + begin);
}

static void open_done(session *self, exchange *ex, int64_t now_ms) {
    phase_forget_sid(self);
    if (self->dialect->polls) {
        dev_opened(self, ex);
    } else if (!take_opening(self, ex, now_ms)) {
        corrupt(self, ex, now_ms);
        return;
    }
    static const char words[] = "the opening reply names no SID";
    if (phase_is_open(self)) {
        session_went_well(ex);
        session_opened(self, ex);
    } else if (!phase_has_ended(self) && !outlast_answer(self, ex, words, now_ms)) {
        fail(self, ex, ERROR_PROTOCOL, words);
    }
}

// What a forward reply says of the back channel.
static void look_at_back_channel(session *self, const confirmation *said, int64_t now_ms) {
    exchange *back = &self->exchanges[SLOT_BACK];
    if (!back->active)
        return;
    // The server has lost it; or it is merely on its way, and about to be answered.
    int64_t lost_at_ms = back->started_ms + LOST_BACK_CHANNEL_MS;
    if (!said->back_present && lost_at_ms < self->dead_at_ms) {
        self->dead_at_ms = lost_at_ms;
        self->owes = false;
    } else if (said->last_id > self->aid && said->outstanding < BUSY_BYTES && !back->paused &&
               self->dead_at_ms == SESSION_NEVER) {
        self->dead_at_ms = now_ms + DEAD_BACK_CHANNEL_MS;
        self->owes = true;
    }
}

// Only a forward reply confirms: all else that has the status 200 is somebody else's, and the try has failed.
// The same goes for a channel that never worked: it has a session, which somebody has opened.
static void maps_done(session *self, exchange *ex, int64_t now_ms) {
    static const char words[] = "the maps were not confirmed";
    confirmation said;
    if (!confirmation_read(&ex->framer, strbuf_str(&ex->reply), ex->reply.length, &said)) {
        bool again = phase_has_worked(self)
                         ? session_outlast(self, ex, now_ms)
                         : ex->failures < MAX_UNCONFIRMED && session_retry(self, ex, now_ms);
        if (!again) {
            fail(self, ex, ERROR_PROTOCOL, words);
            return;
        }
        session_note_failure(self, ex, ERROR_PROTOCOL, 0, words);
        session_log_reply(self, LOG_WARNING, words, ex);
        return;
    }
    session_went_well(ex);
    self->rid++;
    map_list_confirm(&self->maps, ex->maps_count);
    ex->maps_count = 0;
    look_at_back_channel(self, &said, now_ms);
}

// The development server's reply to a poll: nothing, or one message.
static void poll_done(session *self, exchange *ex, int64_t now_ms) {
    size_t length = ex->reply.length;
    phase_polled(self);
    self->lost_in_row = ex->failures = ex->foreign = 0;
    phase_worked(self);
    if (length == 0) {
        ex->not_before_ms = now_ms + self->dialect->poll_interval_ms;
        return;
    }
    size_t wanted = SIZE_MAX;
    size_t walked;
    const uint8_t *bytes = (const uint8_t *)ex->reply.data;
    if (utf8_advance(bytes, length, &wanted, &walked) != UTF8_OK) {
        ex->corruption = "the message is not UTF-8";
        corrupt(self, ex, now_ms);
        return;
    }
    uint8_t *room = queue_reserve(&self->queue, length);
    if (room == NULL) {
        session_fail(self, ERROR_MEMORY, "out of memory");
        return;
    }
    memcpy(room, bytes, length);
    queue_commit(&self->queue, ++self->aid, RECORD_TEXT, length);
    self->stats.messages++;
    self->stats.arrays++;
    self->stats.last_message_ms = now_ms;
}

static void back_done(session *self, exchange *ex, int64_t now_ms) {
    if (self->dialect->polls) {
        poll_done(self, ex, now_ms);
        return;
    }
    if (!framer_at_boundary(&ex->framer)) {
        broken(self, ex, ERROR_TRANSPORT, 0, "the body ended inside a chunk", now_ms);
        return;
    }
    phase_polled(self);
    buffering_on_end(self, ex, now_ms);
    self->corrupt_in_row = 0;
    session_went_well(ex);
    // A server that ends every back channel at once must not make us run in circles.
    bool fruitless = ex->arrays == 0 && now_ms - ex->started_ms < AT_ONCE_MS;
    ex->fruitless = fruitless ? ex->fruitless + 1 : 0;
    if (ex->fruitless > MAX_FRUITLESS)
        ex->not_before_ms = now_ms + session_jittered_backoff(self, ex->fruitless - MAX_FRUITLESS);
}

/* ---- The end of a request ---- */

static void response_done(session *self, exchange *ex, int64_t now_ms) {
    if (ex->status != 200) {
        bad_status(self, ex, now_ms);
        return;
    }
    switch (ex->kind) {
    case REQUEST_INIT:
        init_done(self, ex, now_ms);
        break;
    case REQUEST_OPEN:
        open_done(self, ex, now_ms);
        break;
    case REQUEST_MAPS:
        maps_done(self, ex, now_ms);
        break;
    case REQUEST_BACK:
        back_done(self, ex, now_ms);
        break;
    case REQUEST_TERMINATE:
        break;
    }
}

// What is not needed after the request; an idle session should not hold it.
static void forget_request(exchange *ex) {
    strbuf_free(&ex->url);
    strbuf_free(&ex->body);
    strbuf_free(&ex->reply);
    strbuf_free(&ex->head);
}

// Closure's clients terminate by GET. node-browserchannel, for one, knows no other way, and there are servers
// that take a POST and do nothing; a POST is for those that say they know no GET.
static void terminate_done(session *self, const exchange *ex, transport_outcome outcome) {
    bool refused = outcome == TRANSPORT_OK && ex->status >= 400 && !is_of_lost_session(self, ex);
    bool may_post = self->dialect->terminate == TERMINATE_GET_OR_POST;
    phase_terminated(self, !refused || session_terminates_by_post(self) || !may_post);
}

// A back channel that the server says never reached it was not held back.
static bool is_silence(const session *self, abort_reason why, transport_outcome outcome) {
    return why == ABORT_TIMEOUT || (why == ABORT_DEAD && self->owes) || why == ABORT_BUFFERED ||
           outcome == TRANSPORT_TIMEOUT;
}

// What the end of the back channel says of proxies on the way. Whether it is not held against the server.
static bool was_held_back(session *self, exchange *ex, abort_reason why, transport_outcome outcome,
                          int64_t now_ms) {
    if (ex->arrays != 0)
        buffering_on_arrays(self, ex, now_ms);
    bool silent = is_silence(self, why, outcome) && buffering_on_silence(self, ex);
    return why == ABORT_BUFFERED || (silent && session_may_retry(self, ex));
}

void session_on_done(session *self, exchange_slot slot, transport_outcome outcome, int code,
                     const char *words, int64_t now_ms) {
    exchange *ex = &self->exchanges[slot];
    abort_reason why = ex->abort_reason;
    ex->active = ex->paused = false;
    ex->abort_reason = ABORT_NONE;
    if (slot == SLOT_BACK)
        self->dead_at_ms = SESSION_NEVER;
    bool held_back = slot == SLOT_BACK && was_held_back(self, ex, why, outcome, now_ms);
    if (ex->kind == REQUEST_TERMINATE)
        terminate_done(self, ex, outcome);
    else if (why == ABORT_CANCELLED || why == ABORT_FULL || held_back || !phase_goes_on(self))
        framer_reset(&ex->framer);
    else if (why == ABORT_CORRUPT || why == ABORT_TOO_LONG)
        // Of an error's page only the beginning was wanted.
        ex->status == 200 ? corrupt(self, ex, now_ms) : bad_status(self, ex, now_ms);
    else if (outcome == TRANSPORT_TIMEOUT)
        timed_out(self, ex, false, code, words, now_ms);
    else if (why == ABORT_TIMEOUT)
        fell_silent(self, ex, slot, outcome == TRANSPORT_STALE, now_ms);
    else if (why == ABORT_DEAD)
        session_log(self, LOG_WARNING, "the back channel is dead: reconnecting");
    else if (outcome == TRANSPORT_FATAL)
        foreign(self, ex, code, words, now_ms);
    else if (outcome == TRANSPORT_STALE && session_send_again(self, ex, now_ms))
        session_log(self, LOG_DEBUG, "sending the request again: %s", words);
    else if (outcome != TRANSPORT_OK)
        broken(self, ex, ERROR_TRANSPORT, code, words, now_ms);
    else
        response_done(self, ex, now_ms);
    forget_request(ex);
}

void session_on_break(session *self, exchange_slot slot) {
    self->exchanges[slot].abort_reason = ABORT_CANCELLED;
    session_on_done(self, slot, TRANSPORT_STOPPED, 0, "", 0);
}
