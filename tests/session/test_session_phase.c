/* Every combination of the facts of which a session's phase is made, as far as it can occur: all that a
 * server, a network and a caller do to a session, in every order, until nothing new comes of it.
 *
 * docs/phases.txt, which docs/design.rst shows, is what was found: from which phase to which by what. */
#include "carrier.h"
#include "session/internal.h"
#include "session/phase.h"

#define MOST_STATES 60000
#define MOST_EVENTS 40 // that lead to one
#define PHASE_COUNT (PHASE_ENDED + 1)

/* ---- What happens to a session ---- */

typedef enum event {
    EVENT_GOOD, // the forward channel's request is answered as it should be
    EVENT_UNREACHED,
    EVENT_LOST,
    EVENT_EXPIRED,
    EVENT_REFUSED,
    EVENT_ANSWERED, // the back channel
    EVENT_ARRAYS,
    EVENT_STOP,
    EVENT_OVER,
    EVENT_BROKEN,
    EVENT_BACK_LOST,
    EVENT_BACK_EXPIRED,
    EVENT_MAP, // the caller
    EVENT_CLOSE,
    EVENT_AGAIN,
    EVENT_ANEW,
    EVENT_REOPEN,
    EVENT_POLL,
    EVENT_TIME,
    EVENT_COUNT
} event;

// As the drawing has them; what goes on in the same phase is not in it.
static const char *const event_names[EVENT_COUNT] = {
    "a good answer", "nobody answers", "unknown SID", "token expired", "refused",       "answered", "arrays",
    "stop",          "over",           "broken",      "unknown SID",   "token expired", "a map",    "close()",
    "a new goal",    "initialize()",   "a new SID",   "a poll",        "time",
};

static const char *const phase_names[PHASE_COUNT] = {"new",       "initialized", "open",
                                                     "connected", "closing",     "ended"};

/* Whether the event can happen now; it does then. */
static bool on_forward(carrier *self, event what) {
    static const char *const good[] = {[REQUEST_INIT] = PAGE,
                                       [REQUEST_OPEN] = OPENING,
                                       [REQUEST_MAPS] = MAPS_REPLY,
                                       [REQUEST_TERMINATE] = ""};
    const exchange *ex = &self->session->exchanges[SLOT_FORWARD];
    if (!ex->active)
        return false;
    if (what == EVENT_GOOD)
        carrier_answer(self, SLOT_FORWARD, 200, "OK", good[ex->kind]);
    else if (what == EVENT_UNREACHED)
        session_on_done(self->session, SLOT_FORWARD, TRANSPORT_BROKEN, 7, "refused", self->now_ms);
    else if (what == EVENT_LOST)
        carrier_answer(self, SLOT_FORWARD, 400, "Unknown SID", "");
    else if (what == EVENT_EXPIRED)
        carrier_answer(self, SLOT_FORWARD, 401, "Token timed out", "");
    else
        carrier_answer(self, SLOT_FORWARD, 403, "Forbidden", "");
    return true;
}

static bool on_back(carrier *self, event what) {
    session *it = self->session;
    const exchange *ex = &it->exchanges[SLOT_BACK];
    bool answered = ex->active && ex->status == 200;
    bool wants_answer = what == EVENT_ARRAYS || what == EVENT_STOP || what == EVENT_OVER;
    static const char opening[] = OPENING;
    char body[64];
    if (!ex->active || (answered && what == EVENT_ANSWERED) || (wants_answer && !answered))
        return false;
    if (what == EVENT_ANSWERED) {
        if (ex->opens)
            session_on_header(it, SLOT_BACK, "X-HTTP-Initial-Response", 23, opening, sizeof opening - 1);
        session_on_status(it, SLOT_BACK, 200, "OK", 0);
    } else if (what == EVENT_OVER) {
        session_on_done(it, SLOT_BACK, TRANSPORT_OK, 0, "", self->now_ms);
    } else if (what == EVENT_BROKEN) {
        session_on_done(it, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self->now_ms);
    } else if (wants_answer) {
        const char *word = what == EVENT_STOP ? "stop" : "noop";
        int length = snprintf(body, sizeof body, "[[%lld,[\"%s\"]]]", (long long)(it->aid + 1), word);
        char chunk[96];
        snprintf(chunk, sizeof chunk, "%d\n%s", length, body);
        carrier_body(self, SLOT_BACK, chunk);
    } else if (answered) {
        return false;
    } else {
        bool lost = what == EVENT_BACK_LOST;
        carrier_answer(self, SLOT_BACK, lost ? 400 : 401, lost ? "Unknown SID" : "Token timed out", "");
    }
    return true;
}

static bool by_caller(carrier *self, event what) {
    session *it = self->session;
    if (what == EVENT_MAP)
        return !it->dialect->polls && it->maps.count == 0 && carrier_send(self, "map") >= 0;
    if (what == EVENT_CLOSE) {
        session_close(it);
        return true;
    }
    if (what == EVENT_TIME) {
        if (self->action.kind != ACTION_WAIT || self->action.at_ms == SESSION_NEVER)
            return false;
        self->now_ms = self->action.at_ms;
        return true;
    }
    if (phase_has_ended(it))
        session_end_told(it);
    if (what == EVENT_ANEW || what == EVENT_REOPEN)
        session_forget(it, what == EVENT_ANEW ? GOAL_INITIALIZE : GOAL_OPEN);
    session_set_goal(it, what == EVENT_POLL ? GOAL_POLL : GOAL_STREAM);
    return true;
}

static bool happens(carrier *self, event what) {
    if (what < EVENT_ANSWERED)
        return on_forward(self, what);
    return what < EVENT_MAP ? on_back(self, what) : by_caller(self, what);
}

/* Do what the session wants done, until it waits. */
static void go_on(carrier *self) {
    for (int turns = 0;; turns++) {
        CHECK(turns < 20);
        action_kind kind = carrier_next(self);
        if (kind == ACTION_ABORT) {
            session_on_done(self->session, self->action.slot, TRANSPORT_STOPPED, 0, "", self->now_ms);
        } else if (kind == ACTION_ASK_TOKEN) {
            CHECK(session_set(self->session, FIELD_TOKEN, "another"));
        } else if (kind == ACTION_ASK_SESSION) {
            session_prepare(self->session);
            session_answered(self->session, true);
        } else if (kind != ACTION_SEND) {
            return;
        }
    }
}

/* ---- What is known of it ---- */

static uint64_t facts_of(const session *self) {
    const exchange *forward = &self->exchanges[SLOT_FORWARD];
    const exchange *back = &self->exchanges[SLOT_BACK];
    const uint64_t facts[][2] = {
        {phase_is_initialized(self), 2},
        {phase_is_open(self), 2},
        {self->maps.count != 0, 2},
        {self->phase.end, 3},
        {self->phase.close, 4},
        {self->phase.proof, 3},
        {self->phase.token, 3},
        {self->phase.answered, 2},
        {self->phase.polled, 2},
        {self->phase.prepared, 2},
        {self->phase.opens_by_post, 2},
        {self->goal, GOAL_STREAM + 1},
        {forward->active ? 1 + (uint64_t)forward->kind : 0, REQUEST_TERMINATE + 2},
        {back->active ? 1 + (uint64_t)(back->status == 200) : 0, 3},
        {back->active && back->opens, 2},
    };
    uint64_t all = 0;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        CHECK(facts[i][0] < facts[i][1]);
        all = all * facts[i][1] + facts[i][0];
    }
    return all;
}

static void must_hold(const session *self) {
    phase now = phase_of(self);
    const exchange *forward = &self->exchanges[SLOT_FORWARD];
    const exchange *back = &self->exchanges[SLOT_BACK];
    // What is reached includes what comes before.
    CHECK(!session_has_reached(self, GOAL_CONNECT) || session_has_reached(self, GOAL_OPEN));
    CHECK(!phase_is_open(self) || phase_is_initialized(self));
    CHECK((now == PHASE_CONNECTED) == (phase_goes_on(self) && session_has_reached(self, GOAL_CONNECT)));
    CHECK((now == PHASE_ENDED || now == PHASE_CLOSING) == !phase_goes_on(self));
    CHECK(session_get_state(self) == STATE_CLOSED || now != PHASE_CLOSING);
    // AID counts a session's arrays.
    CHECK(phase_is_open(self) || self->aid < 0);
    // What back channels have shown.
    CHECK(!phase_is_answered(self) || phase_was_ever_answered(self));
    CHECK(!phase_has_worked(self) || phase_was_ever_answered(self));
    CHECK(!phase_is_end_told(self) || phase_has_ended(self));
    // What is asked suits the phase.
    CHECK(phase_goes_on(self) || !back->active);
    CHECK(phase_goes_on(self) || !forward->active || forward->kind == REQUEST_TERMINATE);
    CHECK(!forward->active || forward->kind != REQUEST_MAPS || phase_is_open(self));
    CHECK(!back->active || back->opens || phase_is_open(self));
    CHECK(!back->active || !forward->active || !session_is_half_duplex(self));
}

/* ---- All of them ---- */

typedef struct state {
    uint64_t facts;
    uint8_t events[MOST_EVENTS];
    size_t length;
} state;

typedef struct walk {
    session_config config;
    state *states;
    size_t count;
    uint32_t *places; // of the states, by their facts; 0: none
    // Which events lead from a phase to another, a bit each.
    uint32_t ways[PHASE_COUNT][PHASE_COUNT];
} walk;

static bool is_new(walk *self, uint64_t facts) {
    size_t at = (size_t)(facts * 0x9E3779B97F4A7C15ULL >> 46);
    for (; self->places[at] != 0; at = (at + 1) % (1 << 18))
        if (self->states[self->places[at] - 1].facts == facts)
            return false;
    CHECK(self->count < MOST_STATES);
    self->places[at] = (uint32_t)self->count + 1;
    return true;
}

static void begin(carrier *self, const session_config *config) {
    carrier_init(self, config, GOAL_STREAM);
    session_set_log_level(self->session, LOG_ERROR + 1);
    session_set_asks_token(self->session, true);
    session_set_asks_session(self->session, true);
    go_on(self);
}

static void step_from(walk *self, size_t from, event what) {
    state next = self->states[from];
    carrier one;
    begin(&one, &self->config);
    for (size_t i = 0; i < next.length; i++) {
        CHECK(happens(&one, (event)next.events[i]));
        go_on(&one);
    }
    CHECK(facts_of(one.session) == next.facts);
    phase before = phase_of(one.session);
    if (happens(&one, what)) {
        go_on(&one);
        must_hold(one.session);
        self->ways[before][phase_of(one.session)] |= 1U << what;
        next.facts = facts_of(one.session);
        if (is_new(self, next.facts)) {
            CHECK(next.length < MOST_EVENTS);
            next.events[next.length++] = (uint8_t)what;
            self->states[self->count++] = next;
        }
    }
    carrier_free(&one);
}

static void walk_all(walk *self) {
    carrier one;
    self->states = calloc(MOST_STATES, sizeof *self->states);
    self->places = calloc(1 << 18, sizeof *self->places);
    CHECK(self->states != NULL && self->places != NULL);
    begin(&one, &self->config);
    must_hold(one.session);
    self->states[0].facts = facts_of(one.session);
    CHECK(is_new(self, self->states[0].facts));
    self->count = 1;
    carrier_free(&one);
    for (size_t from = 0; from < self->count; from++)
        for (int what = 0; what < EVENT_COUNT; what++)
            step_from(self, from, (event)what);
    free(self->states);
    free(self->places);
}

static void walk_dialect(walk *self, const dialect *spoken, bool fast) {
    self->config = carrier_config(spoken);
    self->config.fast_handshake = fast;
    self->count = 0;
    walk_all(self);
}

/* Walk alone; so many combinations there are at least, or the walk went nowhere. */
static void walk_alone(const dialect *spoken, bool fast, size_t least) {
    walk all = {0};
    walk_dialect(&all, spoken, fast);
    CHECK(all.count >= least);
}

static void whatever_happens_to_a_talk_session(void) {
    walk_alone(&dialect_talk, false, 1000);
}

static void whatever_happens_to_a_browserchannel_session(void) {
    walk_alone(&dialect_browserchannel, false, 800);
}

static void whatever_happens_to_a_webchannel_session(void) {
    walk_alone(&dialect_webchannel, false, 800);
}

static void whatever_happens_to_a_session_that_opens_in_one_request(void) {
    walk_alone(&dialect_webchannel, true, 800);
}

static void whatever_happens_to_a_development_servers_session(void) {
    walk_alone(&dialect_dev, false, 200);
}

/* ---- The drawing ---- */

static void draw_way(check_text_buffer *out, int to, uint32_t events) {
    check_print(out, "  -> %-12s", phase_names[to]);
    const char *comma = "";
    for (int what = 0; what < EVENT_COUNT; what++) {
        bool said = (events >> what & 1) == 0;
        for (int other = 0; other < what; other++)
            said |= (events >> other & 1) != 0 && strcmp(event_names[other], event_names[what]) == 0;
        if (said)
            continue;
        check_print(out, "%s%s", comma, event_names[what]);
        comma = ", ";
    }
    check_print(out, "\n");
}

static void draw(check_text_buffer *out, const walk *all) {
    for (int from = 0; from < PHASE_COUNT; from++) {
        check_print(out, "%s%s\n", from > 0 ? "\n" : "", phase_names[from]);
        for (int to = 0; to < PHASE_COUNT; to++)
            if (from != to && all->ways[from][to] != 0)
                draw_way(out, to, all->ways[from][to]);
    }
}

/* PHASES=write in the environment writes it. */
static void the_drawing_in_the_manual_is_what_was_found(void) {
    static const char here[] = __FILE__;
    static const char name[] = "docs/phases.txt";
    char path[4096];
    size_t root = (size_t)(strstr(here, "tests/session/") - here);
    CHECK(root + sizeof name <= sizeof path);
    memcpy(path, here, root);
    memcpy(path + root, name, sizeof name);
    walk all = {0};
    check_text_buffer found = {0};
    check_text_buffer shown = {0};
    walk_dialect(&all, &dialect_talk, false);
    walk_dialect(&all, &dialect_browserchannel, false);
    walk_dialect(&all, &dialect_webchannel, true);
    draw(&found, &all);
    bool writes = getenv("PHASES") != NULL && strcmp(getenv("PHASES"), "write") == 0;
    FILE *file = fopen(path, writes ? "w" : "r");
    CHECK(file != NULL);
    if (writes)
        CHECK(fputs(found.text, file) >= 0);
    else
        shown.length = fread(shown.text, 1, sizeof shown.text - 1, file);
    CHECK(fclose(file) == 0);
    if (!writes)
        CHECK_TEXT("docs/phases.txt", shown.text, found.text);
}

static const check_case cases[] = {
    CASE(whatever_happens_to_a_talk_session),
    CASE(whatever_happens_to_a_browserchannel_session),
    CASE(whatever_happens_to_a_webchannel_session),
    CASE(whatever_happens_to_a_session_that_opens_in_one_request),
    CASE(whatever_happens_to_a_development_servers_session),
    CASE(the_drawing_in_the_manual_is_what_was_found),
};

CHECK_MAIN(cases)
