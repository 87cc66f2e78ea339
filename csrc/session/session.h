/* A session: what to ask the server next, and what its answer means. No sockets, no clock, no interpreter.
 *
 * A session has two exchanges with the server: the forward channel (opening the session, sending maps, ending
 * it), one request at a time, and the back channel (the hanging GET that brings arrays). Whoever carries the
 * requests asks session_next() what to do, does it, and reports what came back:
 *
 *     for (;;) {
 *         session_next(self, now, &action);
 *         if (action.kind == ACTION_SEND) … start the request `session_request()` describes …
 *         if (action.kind == ACTION_WAIT) break;
 *     }
 *     … session_on_status(), session_on_body() as bytes come, session_on_done() at the end …
 *
 * Times are in milliseconds of any clock that never goes back. Nothing here is thread-safe. */
#ifndef GAECHANNEL_SESSION_SESSION_H
#define GAECHANNEL_SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // int64_t, uint64_t, uint8_t

#include "queue.h"
#include "strbuf.h"

typedef struct session session;
typedef struct dialect dialect;

// A time that never comes.
#define SESSION_NEVER INT64_MAX

typedef enum exchange_slot { SLOT_FORWARD, SLOT_BACK, SLOT_COUNT } exchange_slot;

typedef enum request_kind {
    REQUEST_INIT,      // talk: the page that names clid and gsessionid
    REQUEST_OPEN,      // the opening POST, answered with the SID
    REQUEST_MAPS,      // a POST of maps
    REQUEST_BACK,      // the back channel
    REQUEST_TERMINATE, // the session's end
} request_kind;

typedef enum buffered {
    BUFFERED_NO,   // responses go on until the server ends them
    BUFFERED_YES,  // the server ends each after a batch (CI=1): a proxy holds them back
    BUFFERED_AUTO, // as the one before, once a proxy seems to do so
} buffered;

/* What a session is made of; texts are copied. Zero or NULL means the default, where one is named. */
typedef struct session_config {
    const dialect *dialect;
    // Where the server is, without a trailing slash.
    const char *url;
    // How long the back channel may be silent before it counts as dead. Default: 1.5 times the keep-alive
    // that the server announces, or else a minute.
    int64_t timeout_ms;
    // How long any other request may make no progress.
    int64_t request_timeout_ms;
    // The longest wait before another try.
    int64_t max_backoff_ms;
    // How many times in a row to try again without an array in between; -1 for no limit.
    int max_reconnects;
    // Whether the server is to end the back channel after each batch: one of `buffered`.
    int buffered;
    // The largest LENGTH believed, in UTF-16 units.
    size_t max_chunk;
    // How many bytes may wait to be taken before the back channel is paused.
    size_t queue_limit;
    // How many bytes of maps, keys and values together, may wait to be confirmed; see session_room_for().
    size_t max_unsent;
    // Any number, for jitter and `zx`.
    uint64_t seed;
    // Path of every bind request, in place of the dialect's; NULL: that.
    const char *bind_path;
    // Whether `url` is Google's old address, which answers nobody since 2017: an error then says so.
    bool url_is_retired;
    bool auto_reconnect;
    // webchannel: open session and back channel in one GET.
    bool fast_handshake;
    // Messages are arrays' data as it stands in the body, not read: RECORD_BYTES.
    bool raw;
    // Where the server does not know the session any more: fail, and open no new one.
    bool keeps_session;
    // Maps that a lost session's requests held, and that were not confirmed, do not go to the next one: they
    // may have been carried out. None go in a request that opens a session.
    bool sends_once;
} session_config;

session *session_new(const session_config *config);
void session_free(session *self);

/* ---- What is to be reached ---- */

typedef enum session_goal {
    GOAL_REST,       // start nothing new
    GOAL_INITIALIZE, // clid and gsessionid are known
    GOAL_OPEN,       // there is a SID
    GOAL_CONNECT,    // all maps are with the server
    GOAL_POLL,       // one back channel has come and gone; failures are not mended
    GOAL_STREAM,     // arrays come, back channel after back channel, until the session ends
} session_goal;

/* Say what is to be reached. Also forgets an earlier error that somebody was told of, so that the next try
 * starts from what still holds. */
void session_set_goal(session *self, session_goal goal);

/* The same, but nothing changes where more than that is wanted already. */
void session_raise_goal(session *self, session_goal goal);

bool session_has_reached(const session *self, session_goal goal);

/* The session's end, and its error if any, was told to whoever drives it. */
void session_end_told(session *self);
/* Whether that was so, and no new goal was set since. Not where only maps were refused: the session goes on.
 */
bool session_is_over(const session *self);

/* Forget that a goal was reached (GOAL_INITIALIZE, GOAL_OPEN or GOAL_CONNECT), and what follows from it, so
 * that it is done anew. */
void session_forget(session *self, session_goal goal);

// How a session's opening goes on after a failure.
typedef enum opening_retry {
    OPENING_AS_EVER, // it is tried again where the channel has worked before
    OPENING_PATIENT, // it is tried again
    OPENING_ONCE,    // it fails
} opening_retry;

/* Of the session that is about to open, until it is, or has failed for good. */
void session_set_opening_retry(session *self, opening_retry retry);

/* ---- How it stands ---- */

typedef enum session_state {
    STATE_NEW,        // nothing has been asked for yet
    STATE_CONNECTING, // on the way to a session, or back to it
    STATE_OPEN,       // there is a session, and nothing is known to be wrong
    STATE_WAITING,    // for the next try, after a failure
    STATE_CLOSED,     // the session has ended, with or without an error, or is about to
} session_state;

/* As of the last session_next(). */
session_state session_get_state(const session *self);
/* Keep changes of the state, the last eight, for session_take_state(). */
void session_set_keeps_states(session *self, bool keeps);
/* The oldest change that was not taken yet. False when there is none. */
bool session_take_state(session *self, session_state *out);

/* ---- What to do next ---- */

typedef enum action_kind {
    ACTION_WAIT,      // nothing until `at_ms`, or until something comes
    ACTION_SEND,      // start the request of `slot`
    ACTION_ABORT,     // give up the request of `slot`, then report it done
    ACTION_ASK_TOKEN, // a token is needed: session_set(FIELD_TOKEN)
    ACTION_ASK_URL,   // the URL of `slot`'s request is somebody else's to make: session_give_url()
    // A session is about to open: session_prepare(), then whatever it is to be opened with, then
    // session_answered().
    ACTION_ASK_SESSION,
    // A request was refused with the headers that it had (401): others, then session_answered().
    ACTION_ASK_HEADERS,
    ACTION_REACHED, // the goal is reached
    ACTION_ENDED,   // the session is over: session_error() says why, or an orderly end if ERROR_NONE
} action_kind;

typedef struct session_action {
    action_kind kind;
    exchange_slot slot;
    int64_t at_ms;
    // ACTION_ABORT: since when nothing has come, if that is why; SESSION_NEVER: it is not.
    int64_t silent_since_ms;
} session_action;

void session_next(session *self, int64_t now_ms, session_action *out);

typedef struct session_request {
    request_kind kind;
    // Belongs to the session; valid until the request is done.
    const char *url;
    // A form body for a POST; NULL for a GET.
    const char *body;
    size_t body_length; // bytes
} session_request;

void session_get_request(session *self, exchange_slot slot, session_request *out);

/* The kind of request that ACTION_ASK_URL is about, and, for one of maps or arrays, its RID (-1: "rpc") and
 * AID
 * (-1: not sent). */
void session_asked_url(const session *self, exchange_slot slot, request_kind *kind, int64_t *rid,
                       int64_t *aid);
bool session_give_url(session *self, exchange_slot slot, const char *url);

/* Let somebody else make the URLs of requests: the init page's, all others'. */
void session_set_custom_urls(session *self, bool init, bool bind);

/* Let ACTION_ASK_TOKEN happen: when there is no token yet, and when the token has expired. */
void session_set_asks_token(session *self, bool asks);

/* Let ACTION_ASK_SESSION happen: once before each session opens, and once more where its opening has failed
 * for good. The opening request may be sent again without it. */
void session_set_asks_session(session *self, bool asks);
/* Let ACTION_ASK_HEADERS happen: after a 401, once, before it is an error. */
void session_set_asks_headers(session *self, bool asks);

/* Begin to answer ACTION_ASK_SESSION. Maps that belong to the session before, and that the server has not
 * confirmed, are dropped: this session will be given its own. */
void session_prepare(session *self);

/* ACTION_ASK_SESSION, or else ACTION_ASK_HEADERS, is answered. */
void session_answered(session *self, bool session_opens);
/* Whether what an action asks for has been given since it was decided. */
bool session_is_answered(const session *self, const session_action *asked);

/* ---- What came back ---- */

typedef enum session_intake {
    INTAKE_OK,
    INTAKE_PAUSE, // nothing was taken: hand over the same bytes again after session_can_resume()
    INTAKE_STOP,  // nothing more is wanted of this response: give it up and report it done
} session_intake;

/* The final response's status line and head. `reason` may be "". `retry_after_ms` is 0 when not given. */
void session_on_status(session *self, exchange_slot slot, int status, const char *reason,
                       int64_t retry_after_ms);

/* The header lines of a final response that is none with status 200, for who has to find out what is wrong.
 */
void session_on_head(session *self, exchange_slot slot, const char *lines, size_t length);

/* A header of the response; only those that the dialect knows matter. */
void session_on_header(session *self, exchange_slot slot, const char *name, size_t name_length,
                       const char *value, size_t value_length);

/* So many more bytes of the request have gone out, or of the response's head have come. */
void session_on_progress(session *self, exchange_slot slot, size_t bytes, int64_t now_ms);

/* Bytes of the response's body, decompressed. */
session_intake session_on_body(session *self, exchange_slot slot, const uint8_t *bytes, size_t length,
                               int64_t now_ms);

typedef enum transport_outcome {
    TRANSPORT_OK,      // the response came to its end
    TRANSPORT_BROKEN,  // it did not; another try may help
    TRANSPORT_STALE,   // the same, and at once: the server has not looked at the request
    TRANSPORT_TIMEOUT, // the same, for want of time
    TRANSPORT_FATAL,   // it did not, and no other try will help
    TRANSPORT_STOPPED, // given up because session_on_body() or ACTION_ABORT said so; where that was for
                       // silence, STALE says that the connection was dead
} transport_outcome;

/* The request is over. `code` is the carrier's number for what happened, `words` its text. */
void session_on_done(session *self, exchange_slot slot, transport_outcome outcome, int code,
                     const char *words, int64_t now_ms);

/* The request was broken off for reasons of the carrier's own: it is to be asked again, at once. */
void session_on_break(session *self, exchange_slot slot);

/* Instead of pausing, after INTAKE_PAUSE: the request is to be given up and reported done, as after
 * INTAKE_STOP, and it is asked again after session_on_resume(). What it did not bring is sent again. */
void session_on_full(session *self, exchange_slot slot);

/* Whether a back channel that was paused, or given up for want of room, may go on: enough was taken. */
bool session_can_resume(const session *self);
void session_on_resume(session *self, int64_t now_ms);

/* ---- What was received ---- */

queue *session_queue(session *self);
/* Whether there is anything to tell the caller: records, words for the log, the end. */
bool session_has_news(const session *self);
/* Drop the oldest record of the queue. */
void session_pop(session *self);
/* Put a record back that was the last to be dropped: no message came of it. False when memory ran out. */
bool session_put_back(session *self, const record *dropped);

typedef struct session_stats {
    uint64_t bytes;      // of response bodies, decompressed
    uint64_t chunks;     //
    uint64_t arrays;     // of which one has not been seen before
    uint64_t messages;   // of those, the application's
    uint64_t reconnects; // back channels opened after the first
    uint64_t sessions;   // SIDs received
    // When the last message came, in ms of the caller's clock; -1 for never.
    int64_t last_message_ms;
} session_stats;

const session_stats *session_get_stats(const session *self);

/* ---- What went wrong ---- */

typedef enum session_error_kind {
    ERROR_NONE,
    ERROR_PROTOCOL,      // the server said something unexpected
    ERROR_CORRUPT,       // framing or a literal is broken
    ERROR_TRANSPORT,     // DNS, TCP, TLS, proxy: `code`
    ERROR_TIMEOUT,       // the same, for want of time
    ERROR_HTTP,          // `status`, `reason`, `body`
    ERROR_SESSION_LOST,  // the same: the server does not know the session any more
    ERROR_MAPS_REFUSED,  // the same, of a request with maps: `refused`
    ERROR_TOKEN_INVALID, // 401
    ERROR_TOKEN_EXPIRED, // 401
    ERROR_CLOSED,        // the server said stop
    ERROR_MEMORY,
} session_error_kind;

typedef struct session_error {
    session_error_kind kind;
    int code;       // of the carrier
    int status;     // of HTTP
    strbuf reason;  // of HTTP: the status line's words
    strbuf body;    // of HTTP: the body, up to 64 KiB; secrets redacted
    strbuf head;    // of HTTP: the response's header lines; secrets redacted
    strbuf url;     // of the request; secrets redacted
    strbuf message; // all of it in a sentence, for a person; secrets redacted
    // Of maps that the server has refused, and that are queued no longer, a line each: the map's id, a space,
    // its fields, form-encoded ("key=Svalue&…"), with `J` instead of `S` where the value is JSON of what was
    // given.
    strbuf refused;
} session_error;

const session_error *session_get_error(const session *self);
/* The last failure, be it that one, or one that was mended since; ERROR_NONE when there was none. And how
 * many there were. */
const session_error *session_last_error(const session *self, uint64_t *count);
void session_fail(session *self, session_error_kind kind, const char *message);

/* ---- What the log should say ---- */

typedef enum log_level { LOG_DEBUG = 10, LOG_INFO = 20, LOG_WARNING = 30, LOG_ERROR = 40 } log_level;

/* Which records are worth making: those of this level and above. LOG_WARNING at first. */
void session_set_log_level(session *self, int level);

/* Whether there are records to take, or changes of the state. */
bool session_has_reports(const session *self);

/* The oldest record, taken out of the list: its level, and its text into `out` (replaced). 0 when there is
 * none. */
int session_take_log(session *self, strbuf *out);

/* ---- Maps to the server ---- */

typedef struct map_field {
    const char *key;
    size_t key_length; // bytes
    const char *value;
    size_t value_length; // bytes
    // Whether the caller gave something that is no text, of which `value` is the JSON.
    bool is_json;
} map_field;

/* Queue a map. Returns its id, counted from 0 over the session's whole life; -1 when memory ran out. */
int64_t session_send_map(session *self, const map_field *fields, size_t count);
/* The same, of a map that belongs to the session that is about to open: it goes before those that are left
 * over, behind others of its kind. */
int64_t session_send_map_first(session *self, const map_field *fields, size_t count);

/* Maps that the server has not confirmed; nor is it confirmed that it refused them, before somebody is told.
 */
size_t session_unsent(const session *self);

typedef enum session_room { ROOM_NOW, ROOM_LATER, ROOM_NEVER } session_room;

/* When a map of so many bytes, keys and values together, may be queued. Who sends has to ask. */
session_room session_room_for(const session *self, size_t bytes);

/* Append the maps that are not confirmed to `out`, as session_error has those that were refused. False when
 * memory ran out. */
bool session_tell_unsent(session *self, strbuf *out);
/* The same, and take them off. What a request of this session holds, or has held, may have been carried out,
 * or may yet be: the server may count on it. Nobody is told of it any more. False, with nothing taken off,
 * when memory ran out. */
bool session_drop_unsent(session *self, strbuf *out);

/* ---- Ends ---- */

/* Ask for an orderly end: the session is told to terminate, where the dialect can; with FIELD_CLOSE_FORM, by
 * a POST. */
void session_close(session *self);

/* ---- Fields that callers see and may change ---- */

typedef enum session_field {
    FIELD_URL,
    FIELD_TOKEN,
    FIELD_SID,
    FIELD_GSESSIONID,
    FIELD_CLID,
    FIELD_PARAMS,       // more of every query, form-encoded ("a=1&b=2")
    FIELD_OPEN_FORM,    // more of the opening body, form-encoded
    FIELD_INIT_HEADERS, // webchannel: "Name:Value\r\n…"
    FIELD_CLOSE_FORM,   // the body of the request that ends the session, form-encoded
    FIELD_OSID,         // the session that this one replaces
    FIELD_OAID,         // and its last AID
    FIELD_BIND_PATH,    // where the dialect's is not meant
    FIELD_COUNT
} session_field;

const strbuf *session_get(const session *self, session_field field);
bool session_set(session *self, session_field field, const char *text);

typedef enum session_number {
    NUMBER_RID,            // of the next forward-channel request
    NUMBER_AID,            // highest array id received in full; 0 when none was
    NUMBER_TAKEN,          // the id of the array whose message was taken last; cannot be set
    NUMBER_TRIAL,          // `t` of the next request
    NUMBER_BACKOFF_MS,     // the next wait after a failure
    NUMBER_FAILURES,       // failures in a row
    NUMBER_AUTO_RECONNECT, // 0 or 1
    NUMBER_MAX_RECONNECTS, // -1: no limit
    NUMBER_CLOSE_MS,       // how long close() waits for the server; cannot be set
} session_number;

int64_t session_get_number(const session *self, session_number number);
void session_set_number(session *self, session_number number, int64_t value);

typedef enum init_page {
    PAGE_READ,
    PAGE_OTHER, // it holds no such call
    PAGE_NO_MEMORY,
} init_page;

/* Read clid and gsessionid from the init page. */
init_page session_read_init_page(session *self, const char *page, size_t length);

/* Append the init page's URL; or a bind request's URL without what one request has of its own (RID, AID, CI
 * …). */
void session_write_init_url(session *self, strbuf *out);
void session_write_common_url(session *self, strbuf *out);

/* Append `count` random letters. */
void session_random_letters(session *self, size_t count, strbuf *out);

/* Remember something that session_redact() is to hide: at least 4 bytes, no NUL. False when memory ran out.
 */
bool session_add_secret(session *self, const char *text, size_t length);
/* Forget what session_add_renewed() has had remembered. */
void session_forget_renewed(session *self);
/* The same as session_add_secret(), until then. */
bool session_add_renewed(session *self, const char *text, size_t length);
/* The same two, of what only log and exceptions' texts are to hide, not what a server's body says. */
bool session_add_private(session *self, const char *text, size_t length);
bool session_add_renewed_private(session *self, const char *text, size_t length);

/* Append `text` (a URL, or the server's words) with the values of secret parameters, passwords, and the token
 * replaced by asterisks, and control characters by spaces. */
void session_redact(const session *self, const char *text, strbuf *out);

/* Whether a request is under way; and whether what is under way, or to come, is the first connection of a
 * session, or one after a failure. */
bool session_is_busy(const session *self);
bool session_is_opening(const session *self);

/* Whether forward and back channel never run at once: one connection's worth of state is enough. */
bool session_is_half_duplex(const session *self);

#endif
