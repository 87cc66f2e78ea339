/* What tells a session that a proxy holds the back channel's responses back, and what does not. */
#include "carrier.h"

#define MESSAGE_1 CHUNKS("[[1,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]")
#define MESSAGE_2 CHUNKS("[[2,[\"c\",[\"CLID\",[\"ae\",\"b\"]]]]]")
#define MESSAGE_3 CHUNKS("[[3,[\"c\",[\"CLID\",[\"ae\",\"c\"]]]]]")
#define MESSAGE_4 CHUNKS("[[4,[\"c\",[\"CLID\",[\"ae\",\"d\"]]]]]")

static session_config automatic;

// The talk dialect's session, whose back channel was asked for and is not answered yet.
static void begin(carrier *self, int how) {
    automatic = carrier_config(&dialect_talk);
    automatic.buffered = how;
    carrier_init(self, &automatic, GOAL_STREAM);
    carrier_expect(self, REQUEST_INIT);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", PAGE);
    carrier_expect(self, REQUEST_OPEN);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_expect(self, REQUEST_MAPS);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    carrier_expect(self, REQUEST_BACK);
}

static void expect_back(carrier *self, const char *mode) {
    carrier_expect(self, REQUEST_BACK);
    CHECK(carrier_has(self->request.url, mode));
}

// The session waits so long for the back channel, and gives it up.
static void fall_silent(carrier *self, int64_t expected_ms) {
    CHECK(carrier_wait(self) == expected_ms);
    carrier_expect_abort(self, SLOT_BACK);
}

static void no_answer_at_all_is_followed_at_once_by_a_request_for_batches(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    CHECK(carrier_has(self.request.url, "CI=0"));
    fall_silent(&self, 10000);
    expect_back(&self, "CI=1");
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 0);
    carrier_answer(&self, SLOT_BACK, 200, "OK", MESSAGE_1);
    expect_back(&self, "CI=1");
    // Batches have come: a silence later on is no reason to leave that.
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void batches_that_do_not_come_either_are_given_up(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    fall_silent(&self, 10000);
    expect_back(&self, "CI=1");
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=0");
    fall_silent(&self, 30000); // no shortened wait any more
    carrier_free(&self);
}

static void a_head_whose_body_is_held_back_shows_nothing(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    fall_silent(&self, 30000); // a server that answers may have nothing to say: no shortened wait
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 1);
    carrier_wait(&self);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void who_may_not_ask_again_waits_as_long_as_was_agreed(void) {
    for (int how = 0; how < 3; how++) {
        carrier self;
        begin(&self, BUFFERED_AUTO);
        if (how == 0)
            session_set_number(self.session, NUMBER_AUTO_RECONNECT, 0);
        else if (how == 1)
            session_set_number(self.session, NUMBER_MAX_RECONNECTS, 0);
        else
            session_set_goal(self.session, GOAL_POLL);
        fall_silent(&self, 30000);
        CHECK(carrier_next(&self) == ACTION_ENDED);
        CHECK(session_get_error(self.session)->kind == ERROR_TIMEOUT);
        CHECK(carrier_has(strbuf_str(&session_get_error(self.session)->message), "silent for 30.0 seconds"));
        carrier_free(&self);
    }
}

static void a_back_channel_that_never_reached_the_server_was_not_held_back(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    config.buffered = BUFFERED_AUTO;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_OPEN);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_send(&self, "a") == 0);
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", "7\n[0,0,0]");
    fall_silent(&self, 3000);
    expect_back(&self, "CI=0");
    carrier_free(&self);
}

static void end_with(carrier *self, int64_t after_ms, const char *body) {
    self->now_ms += after_ms;
    carrier_answer(self, SLOT_BACK, 200, "OK", body);
}

// A response that goes on after it has brought something.
static void stream(carrier *self, const char *body) {
    session_on_status(self->session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_body(self, SLOT_BACK, body) == INTAKE_OK);
    self->now_ms += 5000;
    session_on_done(self->session, SLOT_BACK, TRANSPORT_OK, 0, "", self->now_ms);
}

// So many back channels in a row are silent; then one is asked for in this way.
static void outlast(carrier *self, int silences, const char *mode, const char *next_mode) {
    for (int i = 1; i <= silences; i++) {
        CHECK(carrier_wait(self) == 30000);
        carrier_expect_abort(self, SLOT_BACK);
        if (carrier_next(self) == ACTION_WAIT) {
            self->now_ms = self->action.at_ms;
            carrier_next(self);
        }
        CHECK(self->action.kind == ACTION_SEND);
        CHECK(carrier_has(self->request.url, i < silences ? mode : next_mode));
    }
}

static void where_responses_went_on_one_silence_is_not_enough(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    stream(&self, MESSAGE_1);
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    carrier_free(&self);
}

static void a_response_that_was_cut_after_it_went_on_counts_as_one_that_did(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_body(&self, SLOT_BACK, MESSAGE_1) == INTAKE_OK);
    self.now_ms += 5000;
    session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
    carrier_wait(&self);
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    carrier_free(&self);
}

static void after_an_outage_responses_go_on_again(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    stream(&self, MESSAGE_1);
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    // What the server owed comes at once.
    end_with(&self, 10, MESSAGE_2);
    expect_back(&self, "CI=0");
    stream(&self, MESSAGE_3);
    // All is as it was before.
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    end_with(&self, 10, MESSAGE_4);
    expect_back(&self, "CI=0");
    carrier_free(&self);
}

static void what_was_doubted_once_is_believed_the_next_time(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    stream(&self, MESSAGE_1);
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    end_with(&self, 10, MESSAGE_2);
    expect_back(&self, "CI=0");
    outlast(&self, 1, "", "CI=1");
    end_with(&self, 10, MESSAGE_3);
    expect_back(&self, "CI=1");
    end_with(&self, 5000, MESSAGE_4);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void a_batch_that_had_to_be_waited_for_shows_an_idle_server(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    stream(&self, MESSAGE_1);
    expect_back(&self, "CI=0");
    outlast(&self, 2, "CI=0", "CI=1");
    end_with(&self, 5000, MESSAGE_2);
    expect_back(&self, "CI=0");
    outlast(&self, 4, "CI=0", "CI=1");
    carrier_free(&self);
}

static void an_idle_server_is_asked_for_batches_ever_more_seldom(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    fall_silent(&self, 10000);
    expect_back(&self, "CI=1");
    static const int needed[] = {2, 4, 8, 16, 16};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        outlast(&self, 1, "", "CI=0");
        outlast(&self, needed[i], "CI=0", "CI=1");
    }
    carrier_free(&self);
}

static void all_at_the_end_of_two_responses_in_a_row_tells_of_a_proxy(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    end_with(&self, 5000, MESSAGE_1);
    expect_back(&self, "CI=0");
    end_with(&self, 5000, MESSAGE_2);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void responses_that_end_soon_tell_nothing(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    end_with(&self, 5000, MESSAGE_1);
    expect_back(&self, "CI=0");
    end_with(&self, 10, MESSAGE_2);
    expect_back(&self, "CI=0");
    end_with(&self, 5000, MESSAGE_3);
    expect_back(&self, "CI=0");
    carrier_free(&self);
}

static void who_has_said_how_is_obeyed(void) {
    carrier self;
    begin(&self, BUFFERED_NO);
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=0");
    carrier_free(&self);
    begin(&self, BUFFERED_YES);
    CHECK(carrier_has(self.request.url, "CI=1"));
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void a_fast_handshake_that_is_held_back_is_asked_for_as_a_batch(void) {
    session_config config = carrier_config(&dialect_webchannel);
    config.buffered = BUFFERED_AUTO;
    config.fast_handshake = true;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_BACK);
    fall_silent(&self, 10000);
    expect_back(&self, "CI=1");
    CHECK(carrier_has(self.request.url, "SID=null"));
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(no_answer_at_all_is_followed_at_once_by_a_request_for_batches),
    CASE(batches_that_do_not_come_either_are_given_up),
    CASE(a_head_whose_body_is_held_back_shows_nothing),
    CASE(who_may_not_ask_again_waits_as_long_as_was_agreed),
    CASE(a_back_channel_that_never_reached_the_server_was_not_held_back),
    CASE(where_responses_went_on_one_silence_is_not_enough),
    CASE(a_response_that_was_cut_after_it_went_on_counts_as_one_that_did),
    CASE(after_an_outage_responses_go_on_again),
    CASE(what_was_doubted_once_is_believed_the_next_time),
    CASE(a_batch_that_had_to_be_waited_for_shows_an_idle_server),
    CASE(an_idle_server_is_asked_for_batches_ever_more_seldom),
    CASE(all_at_the_end_of_two_responses_in_a_row_tells_of_a_proxy),
    CASE(responses_that_end_soon_tell_nothing),
    CASE(who_has_said_how_is_obeyed),
    CASE(a_fast_handshake_that_is_held_back_is_asked_for_as_a_batch),
};

CHECK_MAIN(cases)
