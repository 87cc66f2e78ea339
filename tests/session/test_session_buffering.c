/* What tells a session that a proxy holds the back channel's responses back, and what does not. */
#include "carrier.h"

#define MESSAGE_1 CHUNKS("[[1,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]")
#define MESSAGE_2 CHUNKS("[[2,[\"c\",[\"CLID\",[\"ae\",\"b\"]]]]]")
#define MESSAGE_3 CHUNKS("[[3,[\"c\",[\"CLID\",[\"ae\",\"c\"]]]]]")

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

static void a_head_shows_that_nothing_is_held_back(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=0");
    carrier_free(&self);
}

static void where_responses_went_on_one_silence_is_not_enough(void) {
    carrier self;
    begin(&self, BUFFERED_AUTO);
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_body(&self, SLOT_BACK, MESSAGE_1) == INTAKE_OK);
    self.now_ms += 5000;
    session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
    expect_back(&self, "CI=0");
    fall_silent(&self, 30000);
    carrier_wait(&self);
    expect_back(&self, "CI=0");
    fall_silent(&self, 30000);
    expect_back(&self, "CI=1");
    carrier_free(&self);
}

static void end_with(carrier *self, int64_t after_ms, const char *body) {
    self->now_ms += after_ms;
    carrier_answer(self, SLOT_BACK, 200, "OK", body);
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
    CASE(a_head_shows_that_nothing_is_held_back),
    CASE(where_responses_went_on_one_silence_is_not_enough),
    CASE(all_at_the_end_of_two_responses_in_a_row_tells_of_a_proxy),
    CASE(responses_that_end_soon_tell_nothing),
    CASE(who_has_said_how_is_obeyed),
    CASE(a_fast_handshake_that_is_held_back_is_asked_for_as_a_batch),
};

CHECK_MAIN(cases)
