/* Memory that runs out, at every allocation in turn: a session says so, and nothing leaks or breaks.
 *
 * Compiled with -Dmalloc=failing_malloc and so on, as the session's own sources are for this program. */
#include "failing.h"

#include "carrier.h"

static void answer(session *self, exchange_slot slot, const char *body) {
    static const char cookie[] = "S=secret-cookie; Path=/";
    session_on_header(self, slot, "Set-Cookie", 10, cookie, sizeof cookie - 1);
    session_on_status(self, slot, 200, "OK", 0);
    transport_outcome outcome = TRANSPORT_OK;
    // In two pieces, so that the framer has to remember the first.
    size_t length = strlen(body), half = length * 2 / 3;
    if (session_on_body(self, slot, (const uint8_t *)body, half, 5) == INTAKE_STOP ||
        session_on_body(self, slot, (const uint8_t *)body + half, length - half, 5) == INTAKE_STOP)
        outcome = TRANSPORT_STOPPED;
    session_on_done(self, slot, outcome, 0, "", 5);
}

static const char *body_for(const dialect *spoken, request_kind kind) {
    if (spoken->polls)
        return kind == REQUEST_OPEN ? "7" : "a message";
    switch (kind) {
    case REQUEST_INIT:
        return PAGE;
    case REQUEST_OPEN:
        return CHUNKS("[[0,[\"c\",\"SID1\",\"\",8]],[1,[\"S\",\"GS\"]],[2,[\"more\"]]]");
    case REQUEST_MAPS:
        return MAPS_REPLY;
    default:
        return CHUNKS("[[3,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]",
                      "[[4,[\"c\",[\"CLID\",[\"ae\",\"\\u00e9\"]]]]]", "[[5,[\"close\"]]]");
    }
}

// From the beginning to the end, with what is there. True if the session says that it ran out of memory.
static bool run(const session_config *config) {
    session *self = session_new(config);
    if (self == NULL)
        return true;
    map_field field = {"_S", 2, "text", 4, false};
    bool failed = !session_set(self, FIELD_TOKEN, "tok-secret") || !session_set(self, FIELD_SID, NULL);
    session_set_log_level(self, LOG_DEBUG);
    if (!config->dialect->has_init_page)
        failed |= session_send_map(self, &field, 1) < 0;
    session_set_goal(self, GOAL_STREAM);
    session_action action;
    for (int turn = 0; turn < 20 && !failed; turn++) {
        session_next(self, 5, &action);
        if (action.kind != ACTION_SEND)
            break;
        session_request request;
        session_get_request(self, action.slot, &request);
        CHECK(request.url != NULL);
        answer(self, action.slot, body_for(config->dialect, request.kind));
    }
    // All that came was as it should be.
    session_error_kind why = session_get_error(self)->kind;
    CHECK(why == ERROR_NONE || why == ERROR_MEMORY);
    failed |= session_get_error(self)->kind != ERROR_NONE;
    failed |= session_send_map(self, &field, 1) < 0;
    size_t unsent = session_unsent(self);
    strbuf lines = {0};
    bool dropped = session_tell_unsent(self, &lines) && session_drop_unsent(self, &lines);
    CHECK(session_unsent(self) == (dropped ? 0 : unsent)); // all, or none
    failed |= !dropped;
    strbuf_free(&lines);
    session_forget(self, GOAL_CONNECT);
    failed |= session_get_error(self)->kind != ERROR_NONE;
    strbuf text = {0};
    while (session_take_log(self, &text) != 0)
        ;
    session_redact(self, "http://x/?token=tok-secret", &text);
    strbuf_free(&text);
    while (session_queue(self)->count != 0)
        session_pop(self);
    session_free(self);
    return failed;
}

// What a session makes of answers that are not what it asked for: it says what they said, asks again, and
// gives up maps and arrays. True if it says that it ran out of memory.
static bool run_badly(const session_config *config) {
    static const char poison[] = "34\n[[2,[\"a\"]],[3,[\"b\"]],[4,[nonsense";
    session *self = session_new(config);
    if (self == NULL)
        return true;
    map_field field = {"_S", 2, "text", 4, false};
    map_field json = {"n", 1, "[1]", 3, true};
    bool failed = session_send_map(self, &field, 1) < 0 || session_send_map(self, &json, 1) < 0;
    session_set_goal(self, GOAL_STREAM);
    session_action action;
    int64_t now_ms = 5;
    int opened = 0, maps = 0, back = 0;
    bool lost = false;
    for (int turn = 0; turn < 60 && !failed; turn++) {
        session_next(self, now_ms, &action);
        if (action.kind == ACTION_WAIT && action.at_ms != SESSION_NEVER)
            now_ms = action.at_ms;
        if (action.kind == ACTION_ABORT)
            session_on_done(self, action.slot, TRANSPORT_STOPPED, 0, "", now_ms);
        if (action.kind == ACTION_ENDED) {
            failed = session_get_error(self)->kind == ERROR_MEMORY;
            CHECK(failed || strbuf_failed(&session_get_error(self)->message) ||
                  session_get_error(self)->message.length != 0);
            session_end_told(self);
            session_set_goal(self, GOAL_STREAM);
        }
        if (action.kind != ACTION_SEND)
            continue;
        session_request request;
        session_get_request(self, action.slot, &request);
        if (request.kind == REQUEST_OPEN) {
            static const char *const replies[] = {"\xEF\xBB\xBF" OPENING, "<html>", OPENING};
            // A session that comes after a lost one says so, or there was no memory for it.
            CHECK(!lost || strstr(request.url, "OSID=SID1") != NULL);
            answer(self, action.slot, replies[opened++ % 3]);
        } else if (request.kind == REQUEST_BACK) {
            // Two times the same array, a lost session, a page.
            static const char *const replies[] = {NOOP_1, poison, poison, NULL, "<html>"};
            const char *reply = replies[back++ % 5];
            if (reply != NULL) {
                answer(self, action.slot, reply);
            } else {
                lost = true;
                session_on_status(self, action.slot, 400, "Bad Request", 0);
                session_on_done(self, action.slot, TRANSPORT_OK, 0, "", now_ms);
            }
            failed |= session_send_map(self, &json, 1) < 0;
        } else if (maps++ % 2 == 0) {
            answer(self, action.slot, "<p>who are you?</p>");
        } else {
            session_on_status(self, action.slot, 403, "Forbidden", 0);
            session_on_done(self, action.slot, TRANSPORT_OK, 0, "", now_ms);
        }
    }
    strbuf text = {0};
    while (session_take_log(self, &text) != 0)
        ;
    strbuf_free(&text);
    session_free(self);
    return failed;
}

static void bad_answers_in_want_of_memory_are_survived_too(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    int failures = 0;
    // All that follow fail, or one does.
    for (int i = 0; i < 2; i++) {
        failing_for_good = i == 0;
        for (long count = 0; count < 1200; count++) {
            failing_left = count;
            failures += run_badly(&config);
            failing_left = -1;
        }
    }
    CHECK(failures > 10);
    CHECK(!run_badly(&config));
}

// How often `what` fails, with each allocation in turn that it makes.
static int fail_once_everywhere(bool (*what)(void)) {
    int failures = 0;
    failing_for_good = false;
    for (long count = 0; count < 100; count++) {
        failing_left = count;
        failures += what();
        failing_left = -1;
    }
    return failures;
}

static bool has_run_out(const carrier *self) {
    return session_get_error(self->session)->kind == ERROR_MEMORY;
}

// There is memory for what comes before.
static long put_off(void) {
    long left = failing_left;
    failing_left = -1;
    return left;
}

static bool refuse_maps(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    strbuf pending = {0};
    long left = put_off();
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    carrier_send(&self, "y");
    carrier_expect(&self, REQUEST_MAPS);
    failing_left = left;
    session_on_status(self.session, SLOT_FORWARD, 403, "No", 0);
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_OK, 0, "", self.now_ms);
    failing_left = -1;
    const session_error *error = session_get_error(self.session);
    bool failed = has_run_out(&self);
    CHECK(failed || error->kind == ERROR_MAPS_REFUSED);
    CHECK(session_tell_unsent(self.session, &pending));
    CHECK_TEXT("pending", strbuf_str(&pending), failed ? "0 _S=Sx\n1 _S=Sy\n" : "");
    CHECK_TEXT("refused", strbuf_str(&error->refused), failed ? "" : "0 _S=Sx\n1 _S=Sy\n");
    strbuf_free(&pending);
    carrier_free(&self);
    return failed;
}

static void maps_that_were_refused_are_told_or_wait(void) {
    CHECK(fail_once_everywhere(refuse_maps) > 1);
}

static bool lose_session(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    strbuf pending = {0};
    uint64_t count;
    long left = put_off();
    config.sends_once = true;
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "tried");
    carrier_expect(&self, REQUEST_MAPS);
    session_on_status(self.session, SLOT_FORWARD, 400, "Unknown SID", 0);
    failing_left = left;
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_OK, 0, "", self.now_ms);
    failing_left = -1;
    bool failed = has_run_out(&self);
    CHECK(session_tell_unsent(self.session, &pending));
    CHECK_TEXT("pending", strbuf_str(&pending), failed ? "0 _S=Stried\n" : "");
    const session_error *error = session_last_error(self.session, &count);
    CHECK_TEXT("dropped", strbuf_str(&error->refused), failed ? "" : "0 _S=Stried\n");
    strbuf_free(&pending);
    carrier_free(&self);
    return failed;
}

static void maps_that_a_lost_session_may_have_carried_out_are_told_or_wait(void) {
    CHECK(fail_once_everywhere(lose_session) > 3);
}

static bool write_maps(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    strbuf dropped = {0};
    long left = put_off();
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    failing_left = left;
    bool failed = carrier_next(&self) == ACTION_ENDED;
    failing_left = -1;
    CHECK(session_drop_unsent(self.session, &dropped));
    CHECK_TEXT("dropped", strbuf_str(&dropped), "0 _S=Sx\n");
    strbuf_free(&dropped);
    if (failed) {
        CHECK(has_run_out(&self));
        carrier_expect_abort(&self, SLOT_BACK);
        session_end_told(self.session);
        session_set_goal(self.session, GOAL_STREAM);
        carrier_stream(&self); // and no request with maps
        CHECK(carrier_next(&self) == ACTION_WAIT);
    }
    carrier_free(&self);
    return failed;
}

static void a_request_that_could_not_be_written_has_held_no_maps(void) {
    CHECK(fail_once_everywhere(write_maps) > 1);
}

static bool open_by_hand(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    map_field own = {"_S", 2, "own", 3, false};
    long left = put_off();
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_custom_urls(self.session, false, true);
    session_set_asks_session(self.session, true);
    CHECK(carrier_next(&self) == ACTION_ASK_SESSION);
    session_prepare(self.session);
    CHECK(session_send_map_first(self.session, &own, 1) == 0);
    session_answered(self.session, true);
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    CHECK(session_give_url(self.session, SLOT_FORWARD, "http://server/made"));
    failing_left = left;
    bool failed = carrier_next(&self) == ACTION_ENDED;
    failing_left = -1;
    if (failed) {
        CHECK(has_run_out(&self));
        session_end_told(self.session);
        session_set_goal(self.session, GOAL_STREAM);
        CHECK(carrier_next(&self) == ACTION_ASK_SESSION);
        session_prepare(self.session); // this time it has none
        session_answered(self.session, true);
        carrier_expect(&self, REQUEST_OPEN);
        CHECK_TEXT("body", self.request.body, "count=0");
    }
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    CHECK(session_unsent(self.session) == 0);
    CHECK(carrier_send(&self, "x") == 1);
    CHECK(session_unsent(self.session) == 1);
    carrier_free(&self);
    return failed;
}

static void an_opening_confirms_the_maps_that_it_had_alone(void) {
    CHECK(fail_once_everywhere(open_by_hand) > 0);
}

static bool expire(void) {
    carrier self;
    session_config config = carrier_config(&dialect_talk);
    long left = put_off();
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    failing_left = left;
    carrier_answer(&self, SLOT_FORWARD, 401, "Token timed out", "");
    failing_left = -1;
    bool failed = has_run_out(&self);
    CHECK(failed || session_get_error(self.session)->kind == ERROR_TOKEN_EXPIRED);
    carrier_free(&self);
    return failed;
}

static void a_status_is_not_taken_for_another_since_its_words_could_not_be_kept(void) {
    CHECK(fail_once_everywhere(expire) == 1);
}

#define PASSWORD "pass-word"

static bool hide(session *self) {
    static const char cookie[] = "S=secret-cookie; Path=/";
    if (!session_add_secret(self, "a-secret", 8) || !session_add_renewed(self, "renewed-one", 11) ||
        !session_add_private(self, "a-private", 9) || !session_add_renewed_private(self, "another", 7))
        return false;
    session_on_header(self, SLOT_FORWARD, "Set-Cookie", 10, cookie, sizeof cookie - 1);
    return session_get_error(self)->kind != ERROR_MEMORY;
}

static bool hide_secrets(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    config.url = "http://me:" PASSWORD "@host";
    strbuf shown = {0};
    session *self = session_new(&config);
    bool failed = self == NULL || !hide(self);
    failing_left = -1;
    if (!failed) {
        session_redact(self, PASSWORD " a-secret renewed-one a-private another secret-cookie", &shown);
        CHECK_TEXT("shown", strbuf_str(&shown), "*** *** *** *** *** ***");
        strbuf_free(&shown);
    }
    // Those that come later are hidden as ever.
    if (self != NULL) {
        CHECK(hide(self) || session_get_error(self)->kind == ERROR_MEMORY);
        session_redact(self, PASSWORD " a-secret renewed-one a-private another", &shown);
        CHECK_TEXT("shown", strbuf_str(&shown), "*** *** *** *** ***");
    }
    strbuf_free(&shown);
    session_free(self);
    return failed;
}

static void a_secret_that_could_not_be_remembered_is_said_to_be_none(void) {
    CHECK(fail_once_everywhere(hide_secrets) > 5);
}

static void fail_everywhere(const session_config *config) {
    failing_for_good = true;
    int failures = 0;
    for (long count = 0; count < 400; count++) {
        failing_left = count;
        bool failed = run(config);
        bool ran_out = failing_left == 0;
        failing_left = -1;
        CHECK(ran_out || !failed);
        failures += failed;
    }
    CHECK(failures > 10);
}

static void running_out_of_memory_is_survived_wherever_it_happens(void) {
    static const dialect *const dialects[] = {&dialect_talk, &dialect_browserchannel, &dialect_webchannel,
                                              &dialect_dev};
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++) {
        session_config config = carrier_config(dialects[i]);
        fail_everywhere(&config);
        config.raw = true;
        config.bind_path = "/events";
        fail_everywhere(&config);
    }
}

static const check_case cases[] = {
    CASE(running_out_of_memory_is_survived_wherever_it_happens),
    CASE(bad_answers_in_want_of_memory_are_survived_too),
    CASE(maps_that_were_refused_are_told_or_wait),
    CASE(maps_that_a_lost_session_may_have_carried_out_are_told_or_wait),
    CASE(a_secret_that_could_not_be_remembered_is_said_to_be_none),
    CASE(a_request_that_could_not_be_written_has_held_no_maps),
    CASE(an_opening_confirms_the_maps_that_it_had_alone),
    CASE(a_status_is_not_taken_for_another_since_its_words_could_not_be_kept),
};

CHECK_MAIN(cases)
