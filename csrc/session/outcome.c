/* What the end of a request means: what its answer brought, or how it failed. */
#include <string.h>

#include "session/buffering.h"
#include "session/confirmation.h"
#include "session/failed.h"
#include "session/intake.h"
#include "session/life.h"
#include "session/maps.h"
#include "session/phase.h"
#include "session/report.h"
#include "session/requests.h"
#include "session/retry.h"
#include "wire/utf8.h"

// Back channels that end at once and empty, in a row, before the next one waits.
#define MAX_FRUITLESS 3
#define AT_ONCE_MS 1000
// Closure's own figures: how long arrays may be on their way that the server says it has sent, and from how
// many outstanding bytes on the network is merely busy.
#define DEAD_BACK_CHANNEL_MS 6000
#define BUSY_BYTES 37500
// How long a back channel may be on its way to a server that says that it has none.
#define LOST_BACK_CHANNEL_MS 3000

static const char NO_SID[] = "the opening reply names no SID";

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
    init_page page = session_read_init_page(self, strbuf_str(&ex->reply), ex->reply.length);
    if (page == PAGE_NO_MEMORY)
        session_fail(self, ERROR_MEMORY, "out of memory");
    else if (page == PAGE_OTHER)
        failed_answer(self, ex, "the page does not call new chat.WcsDataClient(…)", now_ms);
    if (page != PAGE_READ)
        return;
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
    if (length != 0)
        ex->reply.data[begin + length] = '\0';
    if (!session_set(self, FIELD_SID, length != 0 ? id + begin : "1"))
        session_fail(self, ERROR_MEMORY, "out of memory");
}

static void open_done(session *self, exchange *ex, int64_t now_ms) {
    phase_forget_sid(self);
    if (self->dialect->polls) {
        dev_opened(self, ex);
    } else if (!take_opening(self, ex, now_ms)) {
        failed_corrupt(self, ex, now_ms);
        return;
    }
    if (phase_is_open(self)) {
        session_went_well(ex);
        session_opened(self, ex);
    } else if (!phase_has_ended(self)) {
        failed_answer(self, ex, NO_SID, now_ms);
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

static void maps_done(session *self, exchange *ex, int64_t now_ms) {
    confirmation said;
    if (!confirmation_read(&ex->framer, strbuf_str(&ex->reply), ex->reply.length, &said)) {
        failed_confirmation(self, ex, now_ms);
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
        failed_corrupt(self, ex, now_ms);
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
        failed_broken(self, ex, 0, "the body ended inside a chunk", now_ms);
        return;
    }
    if (ex->opens) {
        failed_answer(self, ex, NO_SID, now_ms);
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
        failed_status(self, ex, now_ms);
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

// Closure's BrowserChannel terminates by GET. node-browserchannel, for one, knows no other way, and there are
// servers that take a POST and do nothing; a POST is for those that say they know no GET. Its WebChannel
// terminates by POST, a browser's beacon, and several servers of Firestore's protocol take a GET for one more
// back channel.
static void terminate_done(session *self, exchange *ex, transport_outcome outcome, int64_t now_ms) {
    // The server took no notice, and would keep the session until it is stale.
    if (outcome == TRANSPORT_STALE && session_send_again(self, ex, now_ms))
        return;
    bool refused = outcome == TRANSPORT_OK && ex->status >= 400 && !failed_is_of_lost_session(self, ex);
    phase_terminated(self, refused && self->fields[FIELD_CLOSE_FORM].length == 0);
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
        terminate_done(self, ex, outcome, now_ms);
    else if (why == ABORT_CANCELLED || why == ABORT_FULL || held_back || !phase_goes_on(self))
        framer_reset(&ex->framer);
    else if (why == ABORT_CORRUPT || why == ABORT_TOO_LONG)
        // Of an error's page only the beginning was wanted.
        ex->status == 200 ? failed_corrupt(self, ex, now_ms) : failed_status(self, ex, now_ms);
    else if (outcome == TRANSPORT_TIMEOUT)
        failed_timed_out(self, ex, false, code, words, now_ms);
    else if (why == ABORT_TIMEOUT)
        failed_silent(self, ex, slot, outcome == TRANSPORT_STALE, now_ms);
    else if (why == ABORT_DEAD)
        session_log(self, LOG_WARNING, "the back channel is dead: reconnecting");
    else if (outcome == TRANSPORT_FATAL)
        failed_foreign(self, ex, code, words, now_ms);
    else if (outcome == TRANSPORT_STALE && session_send_again(self, ex, now_ms))
        session_log(self, LOG_DEBUG, "sending the request again: %s", words);
    else if (outcome != TRANSPORT_OK)
        failed_broken(self, ex, code, words, now_ms);
    else
        response_done(self, ex, now_ms);
    forget_request(ex);
}

void session_on_break(session *self, exchange_slot slot) {
    self->exchanges[slot].abort_reason = ABORT_CANCELLED;
    session_on_done(self, slot, TRANSPORT_STOPPED, 0, "", 0);
}
