/* What a session asks before it opens, what it is opened with, and how it says that it stands. */
#include "carrier.h"

static int64_t send_first(carrier *self, const char *text) {
    map_field field = {"_S", 2, text, strlen(text), false};
    return session_send_map_first(self->session, &field, 1);
}

static void prepare(carrier *self, const char *text) {
    CHECK(carrier_next(self) == ACTION_ASK_SESSION);
    session_prepare(self->session);
    if (text != NULL)
        CHECK(send_first(self, text) >= 0);
    session_answered(self->session, true);
}

static void a_session_is_asked_about_once_and_its_maps_go_first(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_asks_session(self.session, true);
    CHECK(carrier_send(&self, "left") == 0);
    CHECK(carrier_next(&self) == ACTION_ASK_SESSION);
    session_prepare(self.session);
    CHECK(send_first(&self, "one") == 1);
    CHECK(send_first(&self, "two") == 2);
    CHECK(carrier_next(&self) == ACTION_ASK_SESSION);
    session_answered(self.session, true);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=3&ofs=0&req0__S=one&req1__S=two&req2__S=left");
    // Sent again after a failure, as it was.
    session_set_opening_retry(self.session, OPENING_PATIENT);
    carrier_answer(&self, SLOT_FORWARD, 503, "Busy", "");
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=3&ofs=0&req0__S=one&req1__S=two&req2__S=left");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    CHECK(session_unsent(self.session) == 0);
    carrier_stream(&self);
    carrier_free(&self);
}

static void a_lost_sessions_own_maps_do_not_go_to_the_next(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    uint64_t count;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_asks_session(self.session, true);
    prepare(&self, "first");
    carrier_expect(&self, REQUEST_OPEN);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_stream(&self);
    CHECK(carrier_send(&self, "mine") == 1);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK_TEXT("body", self.request.body, "count=1&ofs=1&req0__S=mine");
    carrier_answer(&self, SLOT_FORWARD, 400, "Unknown SID", "");
    CHECK(session_last_error(self.session, &count)->kind == ERROR_SESSION_LOST && count == 1);
    carrier_expect_abort(&self, SLOT_BACK);
    prepare(&self, "second");
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=2&ofs=0&req0__S=second&req1__S=mine");
    // Its opening fails for good: the next try is told anew, and what it was told before is forgotten.
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_FATAL, 60, "certificate", self.now_ms);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    session_end_told(self.session);
    session_set_goal(self.session, GOAL_STREAM);
    prepare(&self, "third");
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=2&ofs=0&req0__S=third&req1__S=mine");
    carrier_free(&self);
}

static void the_fast_handshake_asks_too(void) {
    session_config config = carrier_config(&dialect_webchannel);
    carrier self;
    config.fast_handshake = true;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_asks_session(self.session, true);
    prepare(&self, "first");
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_has(self.request.url, "req0__S%3Dfirst"));
    carrier_free(&self);
}

static void other_headers_are_asked_for_once_before_a_401_is_an_error(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_two_way(&self, &config, OPENING);
    session_set_asks_headers(self.session, true);
    for (int round = 0; round < 3; round++) {
        carrier_answer(&self, SLOT_BACK, 401, "Unauthorized", "");
        CHECK(carrier_next(&self) == ACTION_ASK_HEADERS);
        CHECK(carrier_next(&self) == ACTION_ASK_HEADERS);
        session_answered(self.session, false);
        carrier_expect(&self, REQUEST_BACK); // of the same session, at once
        CHECK(carrier_has(self.request.url, "SID=SID1"));
        session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    }
    carrier_answer(&self, SLOT_BACK, 401, "Unauthorized", "");
    CHECK(carrier_next(&self) == ACTION_ASK_HEADERS);
    session_answered(self.session, false);
    carrier_expect(&self, REQUEST_BACK);
    carrier_answer(&self, SLOT_BACK, 401, "Unauthorized", "");
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->status == 401);
    carrier_free(&self);
}

static void who_keeps_a_session_is_told_that_it_is_lost(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    config.keeps_session = true;
    carrier_two_way(&self, &config, OPENING);
    session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_BACK);
    carrier_answer(&self, SLOT_BACK, 410, "Gone", "");
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_SESSION_LOST);
    session_end_told(self.session);
    session_set_goal(self.session, GOAL_STREAM);
    carrier_expect(&self, REQUEST_OPEN);
    carrier_free(&self);
}

static void maps_that_may_have_been_carried_out_are_not_sent_twice(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    uint64_t count;
    config.sends_once = true;
    carrier_two_way(&self, &config, OPENING);
    CHECK(carrier_send(&self, "tried") == 0);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK(carrier_send(&self, "waits") == 1);
    carrier_answer(&self, SLOT_FORWARD, 400, "Unknown SID", "");
    const session_error *lost = session_last_error(self.session, &count);
    CHECK(lost->kind == ERROR_SESSION_LOST);
    CHECK_TEXT("dropped", strbuf_str(&lost->refused), "0 _S=Stried\n");
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=0");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK_TEXT("body", self.request.body, "count=1&ofs=0&req0__S=waits");
    carrier_free(&self);
}

static void an_opening_is_tried_again_as_long_as_somebody_is_patient(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    for (int retry = OPENING_AS_EVER; retry <= OPENING_ONCE; retry++) {
        carrier self;
        carrier_init(&self, &config, GOAL_OPEN);
        session_set_opening_retry(self.session, (opening_retry)retry);
        carrier_expect(&self, REQUEST_OPEN);
        session_on_done(self.session, SLOT_FORWARD, TRANSPORT_BROKEN, 7, "refused", self.now_ms);
        if (retry == OPENING_PATIENT) {
            carrier_wait(&self);
            carrier_expect(&self, REQUEST_OPEN);
            session_on_done(self.session, SLOT_FORWARD, TRANSPORT_TIMEOUT, 28, "slow", self.now_ms);
            carrier_wait(&self);
        } else {
            CHECK(carrier_next(&self) == ACTION_ENDED);
        }
        carrier_free(&self);
        carrier_init(&self, &config, GOAL_OPEN);
        session_set_opening_retry(self.session, (opening_retry)retry);
        carrier_expect(&self, REQUEST_OPEN);
        carrier_answer(&self, SLOT_FORWARD, 503, "Busy", "");
        CHECK(carrier_next(&self) == (retry == OPENING_ONCE ? ACTION_ENDED : ACTION_WAIT));
        carrier_free(&self);
    }
}

static void a_session_is_ended_with_a_form(void) {
    for (int posts = 0; posts < 2; posts++) {
        session_config config = carrier_config(&dialect_browserchannel);
        carrier self;
        carrier_two_way(&self, &config, OPENING);
        CHECK(session_set(self.session, FIELD_CLOSE_FORM, posts ? "why=enough" : NULL));
        session_close(self.session);
        carrier_expect_abort(&self, SLOT_BACK);
        carrier_expect(&self, REQUEST_TERMINATE);
        CHECK(carrier_has(self.request.url, "TYPE=terminate"));
        CHECK(posts ? strcmp(self.request.body, "why=enough") == 0 : self.request.body == NULL);
        carrier_answer(&self, SLOT_FORWARD, posts ? 405 : 200, "", "");
        CHECK(carrier_next(&self) == ACTION_ENDED); // whatever the server says of it
        carrier_free(&self);
    }
}

static void a_session_is_ended_by_the_verb_that_closure_uses_and_then_by_the_other(void) {
    static const dialect *const told[] = {&dialect_browserchannel, &dialect_webchannel};
    for (int posts = 0; posts < 2; posts++) {
        session_config config = carrier_config(told[posts]);
        carrier self;
        carrier_two_way(&self, &config, OPENING);
        session_close(self.session);
        carrier_expect_abort(&self, SLOT_BACK);
        carrier_expect(&self, REQUEST_TERMINATE);
        CHECK((self.request.body != NULL) == posts);
        carrier_answer(&self, SLOT_FORWARD, 405, "", "");
        carrier_expect(&self, REQUEST_TERMINATE);
        CHECK((self.request.body != NULL) == !posts);
        carrier_answer(&self, SLOT_FORWARD, 405, "", "");
        CHECK(carrier_next(&self) == ACTION_ENDED);
        carrier_free(&self);
    }
}

static void expect_state(carrier *self, session_state wanted) {
    session_state taken;
    CHECK(session_get_state(self->session) == wanted);
    CHECK(session_take_state(self->session, &taken) && taken == wanted);
    CHECK(!session_take_state(self->session, &taken));
}

static void every_change_of_the_state_is_kept(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_keeps_states(self.session, true);
    CHECK(session_get_state(self.session) == STATE_NEW);
    carrier_expect(&self, REQUEST_OPEN);
    expect_state(&self, STATE_CONNECTING);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_stream(&self);
    expect_state(&self, STATE_OPEN);
    // A back channel that ends in order is no event.
    session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
    carrier_stream(&self);
    CHECK(carrier_next(&self) == ACTION_WAIT);
    session_state taken;
    CHECK(!session_take_state(self.session, &taken));
    session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
    carrier_wait(&self);
    expect_state(&self, STATE_WAITING);
    carrier_expect(&self, REQUEST_BACK);
    expect_state(&self, STATE_CONNECTING);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_next(&self) == ACTION_WAIT);
    expect_state(&self, STATE_OPEN);
    session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
    carrier_expect(&self, REQUEST_BACK);
    carrier_answer(&self, SLOT_BACK, 410, "Gone", "");
    carrier_expect(&self, REQUEST_OPEN);
    expect_state(&self, STATE_CONNECTING);
    carrier_answer(&self, SLOT_FORWARD, 403, "No", "");
    CHECK(carrier_next(&self) != ACTION_SEND);
    session_fail(self.session, ERROR_PROTOCOL, "enough");
    CHECK(carrier_next(&self) == ACTION_ENDED);
    while (session_take_state(self.session, &taken))
        ;
    CHECK(taken == STATE_CLOSED && session_get_state(self.session) == STATE_CLOSED);
    carrier_free(&self);
}

static void a_session_whose_sid_was_taken_away_by_hand_counts_its_arrays_anew(void) {
    session_config config = carrier_config(&dialect_webchannel);
    static const char opening[] = "[[0,[\"c\",\"SID2\",\"\",8]],[1,[\"new\"]]]";
    config.fast_handshake = true;
    carrier self;
    record found;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_BACK);
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, OPENING, strlen(OPENING));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"noop\"]],[2,[\"noop\"]]]"));
    CHECK(session_get_number(self.session, NUMBER_AID) == 2);
    CHECK(session_set(self.session, FIELD_SID, NULL));
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_BACK);
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, opening, strlen(opening));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(queue_peek(session_queue(self.session), &found) && found.id == 1);
    CHECK(session_get_number(self.session, NUMBER_AID) == 1);
    carrier_free(&self);
}

static void what_a_failed_fast_handshake_has_brought_is_not_counted_for_the_next(void) {
    session_config config = carrier_config(&dialect_webchannel);
    static const char opening[] = "[[0,[\"c\",\"SID\",\"\",8]],[1,[\"theirs\"]]]";
    config.fast_handshake = true;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_opening_retry(self.session, OPENING_PATIENT);
    carrier_expect(&self, REQUEST_BACK);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"noop\"]]]"));
    session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_has(self.request.url, "SID=null"));
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, opening, strlen(opening));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(session_queue(self.session)->count == 1);
    carrier_free(&self);
}

static void a_session_that_opens_makes_way_for_one_that_is_set_by_hand(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    CHECK(carrier_send(&self, "x") == 0);
    carrier_expect(&self, REQUEST_OPEN); // with the map
    CHECK(session_set(self.session, FIELD_SID, "SID"));
    carrier_expect_abort(&self, SLOT_FORWARD);
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    CHECK(session_unsent(self.session) == 0);
    CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID");
    carrier_free(&self);
}

// A client of the talk dialect that has a SID by hand, and no clid.
static void a_back_channel_makes_way_when_the_other_request_is_due_and_no_sooner(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    CHECK(session_set(self.session, FIELD_SID, "SID"));
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
    carrier_stream(&self);
    CHECK(carrier_wait(&self) > 0);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_INIT);
    carrier_free(&self);
}

static void of_many_changes_the_last_are_kept(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_keeps_states(self.session, true);
    for (int i = 0; i < 30; i++) {
        session_set_goal(self.session, GOAL_STREAM);
        carrier_next(&self);
        session_fail(self.session, ERROR_PROTOCOL, "enough");
        if (carrier_next(&self) == ACTION_ABORT)
            session_on_done(self.session, SLOT_FORWARD, TRANSPORT_STOPPED, 0, "", self.now_ms);
        CHECK(carrier_next(&self) == ACTION_ENDED);
        session_end_told(self.session);
    }
    session_state taken = STATE_NEW;
    int count = 0;
    while (session_take_state(self.session, &taken))
        count++;
    CHECK(count == 8 && taken == STATE_CLOSED);
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(a_session_is_asked_about_once_and_its_maps_go_first),
    CASE(a_lost_sessions_own_maps_do_not_go_to_the_next),
    CASE(the_fast_handshake_asks_too),
    CASE(other_headers_are_asked_for_once_before_a_401_is_an_error),
    CASE(who_keeps_a_session_is_told_that_it_is_lost),
    CASE(maps_that_may_have_been_carried_out_are_not_sent_twice),
    CASE(an_opening_is_tried_again_as_long_as_somebody_is_patient),
    CASE(a_session_is_ended_with_a_form),
    CASE(a_session_is_ended_by_the_verb_that_closure_uses_and_then_by_the_other),
    CASE(every_change_of_the_state_is_kept),
    CASE(a_session_whose_sid_was_taken_away_by_hand_counts_its_arrays_anew),
    CASE(what_a_failed_fast_handshake_has_brought_is_not_counted_for_the_next),
    CASE(a_session_that_opens_makes_way_for_one_that_is_set_by_hand),
    CASE(a_back_channel_makes_way_when_the_other_request_is_due_and_no_sooner),
    CASE(of_many_changes_the_last_are_kept),
};

CHECK_MAIN(cases)
