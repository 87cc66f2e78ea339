/* A carrier of no network: a session's requests are looked at and answered by hand, at times of the test's
 * own. */
#ifndef GAECHANNEL_TESTS_CARRIER_H
#define GAECHANNEL_TESTS_CARRIER_H

#include "check.h"
#include "session/dialect.h"
#include "session/session.h"

typedef struct carrier {
    session *session;
    int64_t now_ms;
    // What session_next() said last.
    session_action action;
    session_request request;
} carrier;

// A page, an opening reply and a reply to maps, as good servers send them.
#define PAGE "<script>var a = new chat.WcsDataClient('u', '', 'CLID', 'GSID', '1', 'WCX', 'tok');</script>"
#define OPENING "[[0,[\"c\",\"SID1\",\"\",8]]]"
#define MAPS_REPLY "7\n[1,0,0]"
#define NOOP_1 "14\n[[1,[\"noop\"]]]"

/* The payloads as chunks, of ASCII alone. Valid until the next call but three. */
static inline const char *chunks(const char *const *payloads, size_t count) {
    static char bodies[4][1024];
    static unsigned turn;
    char *body = bodies[turn++ % 4];
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(body + length, sizeof bodies[0] - length, "%zu\n%s", strlen(payloads[i]),
                                   payloads[i]);
    CHECK(length < sizeof bodies[0]);
    return body;
}

#define CHUNKS(...)                                                                                          \
    chunks((const char *const[]){__VA_ARGS__},                                                               \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static inline session_config carrier_config(const dialect *spoken) {
    return (session_config){.dialect = spoken,
                            .url = "http://server/base",
                            .timeout_ms = 30000,
                            .request_timeout_ms = 30000,
                            .max_backoff_ms = 32000,
                            .max_reconnects = -1,
                            .auto_reconnect = true,
                            .seed = 7};
}

static inline void carrier_init(carrier *self, const session_config *config, session_goal goal) {
    *self = (carrier){.session = session_new(config), .now_ms = 1000};
    CHECK(self->session != NULL);
    CHECK(session_set(self->session, FIELD_TOKEN, "tok-secret"));
    session_set_goal(self->session, goal);
}

static inline void carrier_free(carrier *self) {
    session_free(self->session);
}

static inline action_kind carrier_next(carrier *self) {
    session_next(self->session, self->now_ms, &self->action);
    if (self->action.kind == ACTION_SEND)
        session_get_request(self->session, self->action.slot, &self->request);
    return self->action.kind;
}

/* The session must want to send this kind of request now. */
static inline void carrier_expect(carrier *self, request_kind kind) {
    CHECK(carrier_next(self) == ACTION_SEND);
    CHECK(self->request.kind == kind);
}

static inline session_intake carrier_body(carrier *self, exchange_slot slot, const char *body) {
    uint8_t *copy = check_copy(body, strlen(body));
    session_intake intake = session_on_body(self->session, slot, copy, strlen(body), self->now_ms);
    free(copy);
    return intake;
}

/* Answer a slot's request with a status and a whole body. */
static inline void carrier_answer(carrier *self, exchange_slot slot, int status, const char *reason,
                                  const char *body) {
    session_on_status(self->session, slot, status, reason, 0);
    transport_outcome outcome = TRANSPORT_OK;
    if (*body != '\0' && carrier_body(self, slot, body) == INTAKE_STOP)
        outcome = TRANSPORT_STOPPED;
    session_on_done(self->session, slot, outcome, 0, "", self->now_ms);
}

/* The session gives up the request of a slot: do so. */
static inline void carrier_expect_abort(carrier *self, exchange_slot slot) {
    CHECK(carrier_next(self) == ACTION_ABORT);
    CHECK(self->action.slot == slot);
    session_on_done(self->session, slot, TRANSPORT_STOPPED, 0, "", self->now_ms);
}

/* It waits until a time, which becomes now; returns how long that took. */
static inline int64_t carrier_wait(carrier *self) {
    CHECK(carrier_next(self) == ACTION_WAIT);
    CHECK(self->action.at_ms != SESSION_NEVER);
    CHECK(self->action.at_ms > self->now_ms);
    int64_t waited_ms = self->action.at_ms - self->now_ms;
    self->now_ms = self->action.at_ms;
    return waited_ms;
}

/* Everything that leads to an open back channel that was answered. */
static inline void carrier_stream(carrier *self) {
    carrier_expect(self, REQUEST_BACK);
    session_on_status(self->session, SLOT_BACK, 200, "OK", 0);
}

static inline void carrier_talk(carrier *self, const session_config *config) {
    carrier_init(self, config, GOAL_STREAM);
    carrier_expect(self, REQUEST_INIT);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", PAGE);
    carrier_expect(self, REQUEST_OPEN);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_expect(self, REQUEST_MAPS);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    carrier_stream(self);
}

/* browserchannel or webchannel: opened with this reply. */
static inline void carrier_two_way(carrier *self, const session_config *config, const char *opening) {
    carrier_init(self, config, GOAL_STREAM);
    carrier_expect(self, REQUEST_OPEN);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", opening);
    carrier_stream(self);
}

static inline int64_t carrier_send(carrier *self, const char *text) {
    map_field field = {"_S", 2, text, strlen(text), false};
    return session_send_map(self->session, &field, 1);
}

static inline bool carrier_has(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

#endif
