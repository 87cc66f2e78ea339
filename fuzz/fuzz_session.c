/* A libFuzzer target over csrc/session: a session is walked through all that a server, a network, a caller
 * and want of memory do to it.
 *
 * An input's first bytes are what the session is made of, each further one a step. What the walk's server is
 * asked and answers is written down, so that it is known of each map and of each message what must have
 * become of it:
 *
 * - no map is lost, nor sent again once the server has confirmed or refused it or it was taken back; what a
 *   request holds are the oldest maps that wait, in their order, under numbers without a gap;
 * - messages come in the order of their arrays, each once within its session, and none is left out;
 * - an answer that is as it should be ends nothing, unless memory ran out, which the error says then;
 * - the session waits for times that are to come, and always ends or goes on in the end: once the server
 *   behaves, there is a session, no map waits, and all messages are there;
 * - no text that a caller sees holds the token; nothing leaks.
 *
 * Compiled with -Dmalloc=failing_malloc and so on, as csrc is for this program. With -DFUZZ_STANDALONE it has
 * a main of its own that runs the files named as arguments, for a compiler that has no libFuzzer. */
#include "walk.h"
#include "walk_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST_STEPS 400

/* ---- What a caller does ---- */

static bool is_held(const walk *self, int number) {
    const known_map *map = &self->maps[number];
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        if (self->requests[slot].active && self->requests[slot].holds[number])
            return true;
    return session_get(self->session, FIELD_SID)->length != 0 && map->held == self->openings &&
           map->held != 0;
}

static void take_maps_back(walk *self) {
    strbuf told = {0};
    bool held[MOST_MAPS];
    for (int i = 0; i < self->map_count; i++)
        held[i] = self->maps[i].fate == FATE_WAITS && is_held(self, i);
    bool dropped = session_drop_unsent(self->session, &told);
    memory before = memory_back();
    MUST(dropped || failing_count != 0);
    if (dropped) {
        look_at_maps(self, strbuf_str(&told));
        MUST(self->waiting_count == 0);
        for (int i = 0; i < self->map_count; i++)
            if (held[i])
                self->maps[i].fate = FATE_HELD;
    }
    strbuf_free(&told);
    memory_as_before(before);
    look(self, true);
}

static void must_be_next(walk *self, const record *taken) {
    int sid;
    long long id;
    char text[64] = "";
    memcpy(text, taken->bytes, taken->length < sizeof text ? taken->length : sizeof text - 1);
    const char *at = strchr(text, 's');
    if (at == NULL || sscanf(at, "s%da%llde", &sid, &id) != 2 || id != taken->id || sid < 0 ||
        sid >= self->server_count)
        return;
    server_session *server = &self->servers[sid];
    MUST(sid >= self->shown_sid || server->odd);
    self->shown_sid = sid > self->shown_sid ? sid : self->shown_sid;
    MUST(id > server->shown || server->again);
    for (int64_t between = server->shown + 1; between < id && !server->odd; between++)
        MUST(between % 3 == 0);
    server->shown = id;
}

static bool same_record(const record *a, const record *b) {
    return a->id == b->id && a->kind == b->kind && a->length == b->length &&
           memcmp(a->bytes, b->bytes, a->length) == 0;
}

// Take a message; with `back`, put it back and take it again.
static void take_message(walk *self, bool back) {
    record taken;
    record again;
    if (!queue_peek(session_queue(self->session), &taken))
        return;
    uint8_t *bytes = check_copy(taken.bytes, taken.length);
    size_t count = session_queue(self->session)->count;
    session_pop(self->session);
    taken.bytes = bytes;
    if (back && session_put_back(self->session, &taken)) {
        MUST(session_queue(self->session)->count == count);
        MUST(queue_peek(session_queue(self->session), &again) && same_record(&taken, &again));
    } else {
        must_be_next(self, &taken);
        const past_records *past = queue_past(session_queue(self->session));
        size_t known = past_count(past);
        MUST(failing_count != 0 || known != 0);
        if (known != 0 && failing_count == 0)
            MUST(past_get(past, known - 1)->id == taken.id &&
                 past_get(past, known - 1)->length == taken.length);
    }
    trace("array %lld, put back: %d\n", (long long)taken.id, back);
    free(bytes);
}

static void take_words(walk *self) {
    strbuf text = {0};
    session_state state;
    while (session_take_log(self->session, &text) != 0)
        must_hide(strbuf_str(&text));
    strbuf_free(&text);
    while (session_take_state(self->session, &state))
        MUST(state <= STATE_CLOSED);
}

static void begin_again(walk *self, session_goal goal) {
    if (self->action.kind == ACTION_ENDED)
        session_end_told(self->session);
    session_set_goal(self->session, goal);
}

// An opening by one request has its form in its URL, which nobody else makes.
static void set_custom_urls(walk *self, bool init, bool bind) {
    session_set_custom_urls(self->session, init, bind && !self->config.fast_handshake);
}

static void change_by_hand(walk *self) {
    static const session_field fields[] = {FIELD_PARAMS, FIELD_OPEN_FORM, FIELD_INIT_HEADERS,
                                           FIELD_CLOSE_FORM, FIELD_GSESSIONID};
    static const char *const texts[] = {"a=1&b=2", "", "x=%20"};
    switch (below(self, 12)) {
    case 0:
        session_forget(self->session, GOAL_INITIALIZE);
        break;
    case 1:
        session_forget(self->session, GOAL_OPEN);
        break;
    case 2:
        session_forget(self->session, GOAL_CONNECT);
        break;
    case 3:
        be_odd(self);
        (void)session_set(self->session, FIELD_SID, below(self, 2) == 0 ? NULL : "S0");
        for (int i = 0; i < self->server_count; i++)
            self->servers[i].counts = !(self->servers[i].again = true);
        break;
    case 4:
        session_set_number(self->session, NUMBER_TRIAL, below(self, 4));
        break;
    case 5:
        session_set_number(self->session, NUMBER_BACKOFF_MS, below(self, 255) * 100);
        break;
    case 6:
        session_set_number(self->session, NUMBER_MAX_RECONNECTS, (int64_t)below(self, 4) - 1);
        break;
    case 7:
        session_set_opening_retry(self->session, (opening_retry)below(self, 3));
        break;
    case 8:
        set_custom_urls(self, below(self, 2) == 1, below(self, 2) == 1);
        break;
    case 10:
        give_token(self);
        break;
    case 9:
        session_set_asks_session(self->session, below(self, 2) == 1);
        session_set_asks_headers(self->session, below(self, 2) == 1);
        break;
    default:
        (void)session_set(self->session, fields[below(self, sizeof fields / sizeof *fields)],
                          texts[below(self, 3)]);
    }
    look(self, true);
}

static void wait_for_it(walk *self) {
    int64_t at_ms = self->action.kind == ACTION_WAIT ? self->action.at_ms : self->now_ms;
    self->now_ms = at_ms == SESSION_NEVER ? self->now_ms + 60000 : at_ms;
}

static void step(walk *self) {
    exchange_slot slot = (exchange_slot)below(self, SLOT_COUNT);
    known_request *request = &self->requests[slot];
    unsigned what = below(self, 20);
    trace("step %u, slot %d; %zu allocations failed\n", what, slot, failing_count);
    switch (what) {
    case 0:
        wait_for_it(self);
        break;
    case 1:
        self->now_ms += below(self, 255) * 20;
        break;
    case 2:
    case 3:
        if (self->takes_maps)
            send_map(self, false);
        break;
    case 4:
    case 5:
        answer_forward(self);
        break;
    case 6:
        (void)answer_back(self, true);
        break;
    case 7:
        (void)answer_back(self, false);
        break;
    case 8:
        if (self->requests[SLOT_BACK].status != 0 && self->requests[SLOT_BACK].rest == NULL &&
            self->requests[SLOT_BACK].active)
            done(self, SLOT_BACK, TRANSPORT_OK, false);
        break;
    case 9:
        break_off(self, slot);
        break;
    case 10:
    case 11:
        answer_oddly(self, slot);
        break;
    case 12:
    case 13:
        for (unsigned messages = 1 + below(self, 6); messages > 0; messages--)
            take_message(self, below(self, 3) == 0);
        break;
    case 14:
        take_maps_back(self);
        break;
    case 15:
        if (below(self, 8) == 7) {
            session_close(self->session);
            self->closed = true;
            look(self, true);
        } else if (self->server_count > 0) {
            self->servers[self->server_count - 1].lost = true;
        }
        break;
    case 16:
        begin_again(self, (session_goal)below(self, GOAL_STREAM + 1));
        look(self, true);
        break;
    case 17:
        change_by_hand(self);
        break;
    case 18:
        failing_for_good = below(self, 2) == 1;
        failing_left = (long)below(self, 64) - 8;
        if (failing_left < 0)
            failing_left = -1;
        break;
    default:
        if (request->active && below(self, 2) == 0) {
            free(request->rest);
            request->rest = NULL;
            request->active = false;
            session_on_break(self->session, slot);
            look(self, true);
        } else if (request->active) {
            session_on_progress(self->session, slot, below(self, 255) * 10, self->now_ms);
        }
        take_words(self);
    }
    (void)resume(self);
    go_on(self);
}

/* ---- A walk ---- */

static bool all_is_there(const walk *self) {
    const known_request *back = &self->requests[SLOT_BACK];
    return self->waiting_count == 0 && session_has_reached(self->session, GOAL_CONNECT) && back->active &&
           back->status == 200 && back->rest == NULL && !self->servers[back->sid].odd &&
           session_queue(self->session)->count == 0;
}

// Once there is memory, and a server that behaves, all comes to its end.
static void behave(walk *self) {
    failing_left = -1;
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        if (self->requests[slot].active)
            done(self, (exchange_slot)slot, TRANSPORT_BROKEN, false);
    for (int i = 0; i < self->server_count; i++)
        self->servers[i].lost |= self->servers[i].odd;
    self->at = self->end;
    self->patient = true;
    session_set_custom_urls(self->session, false, false);
    session_set_asks_token(self->session, true);
    give_token(self);
    begin_again(self, GOAL_STREAM);
    for (int steps = 0;; steps++) {
        MUST(steps < 300);
        go_on(self);
        if (self->over)
            return;
        while (session_queue(self->session)->count != 0)
            take_message(self, false);
        take_words(self);
        if (self->action.kind == ACTION_ENDED) {
            if (self->closed)
                return;
            begin_again(self, GOAL_STREAM);
            continue;
        }
        if (!resume(self))
            continue;
        if (self->requests[SLOT_FORWARD].active)
            answer_forward(self);
        else if (self->requests[SLOT_BACK].active && self->requests[SLOT_BACK].status == 0)
            (void)answer_back(self, false);
        else if (self->config.dialect->polls ||
                 (self->takes_maps ? all_is_there(self) : self->requests[SLOT_BACK].active))
            break;
        else
            wait_for_it(self);
    }
}

static void must_have_come(walk *self) {
    if (self->closed || self->over || self->config.dialect->polls)
        return;
    const known_request *back = &self->requests[SLOT_BACK];
    const server_session *server = &self->servers[back->sid];
    for (int64_t id = server->shown + 1; id <= server->last && !server->odd; id++)
        MUST(id % 3 == 0);
}

static void configure(walk *self) {
    static const dialect *const dialects[] = {&dialect_talk, &dialect_browserchannel, &dialect_webchannel,
                                              &dialect_dev};
    unsigned spoken = below(self, 8);
    unsigned flags = next_byte(self);
    unsigned more = next_byte(self);
    self->config = (session_config){
        .dialect = dialects[spoken < 4 ? spoken : 1 + spoken % 2],
        .url = "http://name:password@server/base",
        .timeout_ms = more & 1 ? 0 : 30000,
        .request_timeout_ms = 30000,
        .max_reconnects = more & 2 ? 2 : -1,
        .buffered = (int)((more >> 2) % 3),
        .max_chunk = flags & 1 ? 600 : 0,
        .queue_limit = flags & 2 ? 64 : 0,
        .max_unsent = 4096,
        .seed = more,
        .bind_path = more & 16 ? "/events" : NULL,
        .auto_reconnect = !(flags & 4) || more & 32,
        .fast_handshake = flags & 8,
        .raw = flags & 16,
        .keeps_session = flags & 32,
        .sends_once = flags & 64,
    };
    self->config.fast_handshake &= self->config.dialect->fast_handshake;
    self->config.raw &= !self->config.dialect->talk_messages; // of these nobody asks for their bytes
    self->takes_maps = self->config.dialect->queue_first_map == NULL && !self->config.dialect->polls;
    failing_for_good = false;
    failing_left = flags & 128 ? (long)below(self, 255) : -1;
}

static void begin(walk *self) {
    unsigned asks = next_byte(self);
    self->session = session_new(&self->config);
    if (self->session == NULL)
        return;
    give_token(self);
    session_set_log_level(self->session, asks & 1 ? LOG_DEBUG : LOG_WARNING);
    session_set_keeps_states(self->session, asks & 2);
    session_set_asks_token(self->session, asks & 4);
    session_set_asks_session(self->session, asks & 8);
    session_set_asks_headers(self->session, asks & 16);
    set_custom_urls(self, asks & 32, asks & 64);
    session_set_goal(self->session, GOAL_STREAM);
    go_on(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static walk one;
    memset(&one, 0, sizeof one);
    one.at = data;
    one.end = data + size;
    one.now_ms = 1000;
    one.last_id = -1;
    failing_count = 0;
    configure(&one);
    begin(&one);
    if (one.session == NULL)
        return 0;
    for (int steps = 0; steps < MOST_STEPS && one.at < one.end && !one.over; steps++)
        step(&one);
    if (!one.over)
        behave(&one);
    must_have_come(&one);
    failing_left = -1;
    for (int slot = 0; slot < SLOT_COUNT; slot++)
        free(one.requests[slot].rest);
    session_free(one.session);
    return 0;
}

#include "standalone.h"
