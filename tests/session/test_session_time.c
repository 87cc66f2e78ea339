/* What a session does when: backoff, time-outs, keep-alives, a back channel that is dead. */
#include "carrier.h"

static session_config talk;

static void begin(carrier *self) {
    talk = carrier_config(&dialect_talk);
    carrier_talk(self, &talk);
}

static void break_off(carrier *self) {
    session_on_done(self->session, SLOT_BACK, TRANSPORT_BROKEN, 56, "connection reset", self->now_ms);
}

static void the_backoff_doubles_up_to_its_limit_less_up_to_half_of_it(void) {
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        talk = carrier_config(&dialect_talk);
        talk.seed = seed * 0x9E3779B97F4A7C15u;
        carrier self;
        carrier_talk(&self, &talk);
        int64_t wanted_ms = 1000;
        for (int failure = 1; failure <= 8; failure++) {
            CHECK(session_get_number(self.session, NUMBER_BACKOFF_MS) == wanted_ms);
            CHECK(session_get_number(self.session, NUMBER_FAILURES) == failure - 1);
            CHECK(session_get_number(self.session, NUMBER_TRIAL) == failure);
            break_off(&self);
            int64_t waited_ms = carrier_wait(&self);
            CHECK(waited_ms >= wanted_ms / 2 && waited_ms <= wanted_ms);
            if (failure == 6) {
                least = waited_ms < least ? waited_ms : least;
                most = waited_ms > most ? waited_ms : most;
            }
            carrier_expect(&self, REQUEST_BACK);
            wanted_ms = wanted_ms < 32000 ? wanted_ms * 2 : 32000;
        }
        carrier_free(&self);
    }
    // The jitter uses its room.
    CHECK(least < 17000 && most > 31000);
}

static void a_limit_below_a_second_is_kept_and_a_backoff_can_be_set(void) {
    talk = carrier_config(&dialect_talk);
    talk.max_backoff_ms = 20;
    carrier self;
    carrier_talk(&self, &talk);
    break_off(&self);
    CHECK(carrier_wait(&self) <= 20);
    carrier_free(&self);
    begin(&self);
    session_set_number(self.session, NUMBER_BACKOFF_MS, 8000);
    CHECK(session_get_number(self.session, NUMBER_BACKOFF_MS) == 8000);
    break_off(&self);
    int64_t waited_ms = carrier_wait(&self);
    CHECK(waited_ms >= 4000 && waited_ms <= 8000);
    session_set_number(self.session, NUMBER_BACKOFF_MS, INT64_MAX);
    CHECK(session_get_number(self.session, NUMBER_BACKOFF_MS) == 32000);
    session_set_number(self.session, NUMBER_FAILURES, 0);
    CHECK(session_get_number(self.session, NUMBER_BACKOFF_MS) == 1000);
    carrier_free(&self);
}

static void retry_after_counts_where_it_is_longer(void) {
    carrier self;
    begin(&self);
    session_on_status(self.session, SLOT_BACK, 503, "Busy", 60000);
    session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
    CHECK(carrier_wait(&self) == 60000);
    carrier_expect(&self, REQUEST_BACK);
    session_on_status(self.session, SLOT_BACK, 503, "Busy", 1);
    session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
    int64_t waited_ms = carrier_wait(&self);
    CHECK(waited_ms >= 1000 && waited_ms <= 2000);
    carrier_free(&self);
}

static void an_array_ends_the_count_of_failures(void) {
    carrier self;
    begin(&self);
    for (int i = 0; i < 3; i++) {
        break_off(&self);
        carrier_wait(&self);
        carrier_stream(&self);
    }
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 3);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 0);
    CHECK(session_get_number(self.session, NUMBER_AID) == 1);
    carrier_free(&self);
}

static void a_trickle_does_not_keep_a_forward_request_alive(void) {
    talk = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &talk, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    session_on_status(self.session, SLOT_FORWARD, 200, "OK", 0);
    for (int second = 0; second < 29; second++) {
        self.now_ms += 1000;
        CHECK(carrier_next(&self) == ACTION_WAIT);
        CHECK(carrier_body(&self, SLOT_FORWARD, " ") == INTAKE_OK);
    }
    CHECK(carrier_wait(&self) == 1000);
    carrier_expect_abort(&self, SLOT_FORWARD);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_TIMEOUT);
    carrier_free(&self);
}

static void a_forward_request_may_take_its_time_as_long_as_it_gets_on(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    config.request_timeout_ms = 5000;
    carrier self;
    carrier_init(&self, &config, GOAL_CONNECT);
    carrier_expect(&self, REQUEST_OPEN);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    CHECK(carrier_send(&self, "x") >= 0);
    carrier_expect(&self, REQUEST_MAPS);
    for (int i = 0; i < 100; i++) {
        self.now_ms += 4999;
        CHECK(carrier_next(&self) == ACTION_WAIT);
        session_on_progress(self.session, SLOT_FORWARD, i < 50 ? 1024 : 100000, self.now_ms);
    }
    // Less adds up.
    for (int i = 0; i < 1024; i++) {
        self.now_ms += 4;
        CHECK(carrier_next(&self) == ACTION_WAIT);
        session_on_progress(self.session, SLOT_FORWARD, 1, self.now_ms);
    }
    CHECK(carrier_wait(&self) == 5000);
    carrier_expect_abort(&self, SLOT_FORWARD);
    strbuf line = {0};
    CHECK(session_take_log(self.session, &line) == LOG_WARNING);
    CHECK(carrier_has(strbuf_str(&line), "The request with maps timed out"));
    CHECK(carrier_has(strbuf_str(&line), "5.0 seconds"));
    strbuf_free(&line);
    carrier_free(&self);
}

static void a_back_channel_that_falls_silent_is_a_failure_only_if_it_brought_nothing(void) {
    carrier self;
    begin(&self);
    for (int id = 1; id <= 9; id++) {
        char noop[32];
        snprintf(noop, sizeof noop, "14\n[[%d,[\"noop\"]]]", id);
        CHECK(carrier_body(&self, SLOT_BACK, noop) == INTAKE_OK);
        CHECK(carrier_wait(&self) == 30000);
        carrier_expect_abort(&self, SLOT_BACK);
        carrier_expect(&self, REQUEST_BACK); // at once
        CHECK(carrier_has(self.request.url, "&t=2"));
        session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
        CHECK(session_get_number(self.session, NUMBER_FAILURES) == 0);
    }
    int64_t wanted_ms = 1000;
    for (int failure = 1; failure <= 3; failure++) {
        CHECK(carrier_wait(&self) == 30000);
        carrier_expect_abort(&self, SLOT_BACK);
        int64_t waited_ms = carrier_wait(&self);
        CHECK(waited_ms >= wanted_ms / 2 && waited_ms <= wanted_ms);
        carrier_stream(&self);
        wanted_ms *= 2;
    }
    carrier_free(&self);
}

static void a_back_channel_has_the_timeout_from_byte_to_byte(void) {
    carrier self;
    begin(&self);
    for (int i = 0; i < 10; i++) {
        self.now_ms += 29999;
        CHECK(carrier_next(&self) == ACTION_WAIT);
        CHECK(carrier_body(&self, SLOT_BACK, " ") == INTAKE_OK);
    }
    CHECK(carrier_wait(&self) == 30000);
    carrier_expect_abort(&self, SLOT_BACK);
    int64_t waited_ms = carrier_wait(&self);
    CHECK(waited_ms >= 500 && waited_ms <= 1000);
    carrier_expect(&self, REQUEST_BACK);
    carrier_free(&self);
}

static void a_paused_back_channel_has_all_the_time(void) {
    talk = carrier_config(&dialect_talk);
    talk.queue_limit = 30;
    carrier self;
    carrier_talk(&self, &talk);
    const char *messages = CHUNKS("[[1,[\"c\",[\"CLID\",[\"ae\",\"0123456789abcdef\"]]]]]",
                                  "[[2,[\"c\",[\"CLID\",[\"ae\",\"0123456789abcde\"]]]]]");
    CHECK(carrier_body(&self, SLOT_BACK, messages) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 2);
    CHECK(!session_can_resume(self.session));
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_PAUSE);
    self.now_ms += 10 * 3600 * 1000;
    CHECK(carrier_next(&self) == ACTION_WAIT);
    CHECK(self.action.at_ms == SESSION_NEVER);
    session_pop(self.session);
    CHECK(!session_can_resume(self.session)); // not below half of the limit yet
    session_pop(self.session);
    CHECK(session_can_resume(self.session));
    session_on_resume(self.session, self.now_ms);
    CHECK(!session_can_resume(self.session));
    CHECK(carrier_wait(&self) == 30000);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    carrier_free(&self);
}

// What the server says of its keep-alives, and what follows from it.
static void expect_silence_limit(int64_t timeout_ms, const char *keepalive, int64_t limit_ms) {
    char opening[128];
    snprintf(opening, sizeof opening, "[[0,[\"c\",\"SID1\",\"\",8,14%s]]]", keepalive);
    session_config config = carrier_config(&dialect_browserchannel);
    config.timeout_ms = timeout_ms;
    carrier self;
    carrier_two_way(&self, &config, opening);
    CHECK(carrier_wait(&self) == limit_ms);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_free(&self);
}

static void a_keep_alive_time_in_array_0_is_what_counts_as_silence(void) {
    expect_silence_limit(0, "", 60000);
    expect_silence_limit(0, ",30000", 45000);
    expect_silence_limit(0, ",2000", 3000);
    // What makes no sense is not believed.
    expect_silence_limit(0, ",0", 60000);
    expect_silence_limit(0, ",-5", 60000);
    expect_silence_limit(0, ",3600000", 60000);
    expect_silence_limit(0, ",99999999999999999999", 60000);
    expect_silence_limit(0, ",1e3", 60000);
    expect_silence_limit(0, ",\"2000\"", 60000);
    expect_silence_limit(0, ",[1,[2]],7", 60000);
}

static void a_timeout_that_was_given_is_obeyed_whatever_the_server_announces(void) {
    expect_silence_limit(10000, "", 10000);
    expect_silence_limit(10000, ",30000", 10000);
    expect_silence_limit(10000, ",2000", 10000);
}

static void back_channels_that_end_at_once_and_empty_are_not_reopened_in_circles(void) {
    carrier self;
    begin(&self);
    for (int i = 0; i < 3; i++) {
        carrier_answer(&self, SLOT_BACK, 200, "OK", "");
        carrier_expect(&self, REQUEST_BACK);
    }
    int64_t wanted_ms = 1000;
    for (int i = 0; i < 8; i++) {
        carrier_answer(&self, SLOT_BACK, 200, "OK", "");
        int64_t waited_ms = carrier_wait(&self);
        CHECK(waited_ms >= wanted_ms / 2 && waited_ms <= wanted_ms);
        carrier_expect(&self, REQUEST_BACK);
        wanted_ms = wanted_ms < 32000 ? wanted_ms * 2 : 32000;
    }
    // One that brought something, or lasted, ends that.
    carrier_answer(&self, SLOT_BACK, 200, "OK", NOOP_1);
    carrier_expect(&self, REQUEST_BACK);
    for (int i = 0; i < 10; i++) {
        self.now_ms += 1000;
        carrier_answer(&self, SLOT_BACK, 200, "OK", "");
        carrier_expect(&self, REQUEST_BACK);
    }
    carrier_free(&self);
}

/* ---- A back channel that the server takes for dead ---- */

static void send_map(carrier *self, const char *reply) {
    CHECK(carrier_send(self, "x") >= 0);
    carrier_expect(self, REQUEST_MAPS);
    carrier_answer(self, SLOT_FORWARD, 200, "OK", reply);
}

static void begin_two_way(carrier *self) {
    static session_config config;
    config = carrier_config(&dialect_browserchannel);
    carrier_two_way(self, &config, OPENING);
}

static void arrays_that_were_sent_and_do_not_come_mean_a_dead_back_channel(void) {
    carrier self;
    begin_two_way(&self);
    self.now_ms += 10000;
    send_map(&self, "9\n[1,5,100]");
    CHECK(carrier_wait(&self) == 6000);
    carrier_expect_abort(&self, SLOT_BACK);
    // At once: that is no failure of the network's.
    carrier_expect(&self, REQUEST_BACK);
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 0);
    carrier_free(&self);
}

static void a_head_alone_brings_nothing_of_what_is_owed(void) {
    carrier self;
    begin_two_way(&self);
    self.now_ms += 10000;
    send_map(&self, "9\n[1,5,100]");
    // It was on its way when the server answered the maps.
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_wait(&self) == 6000);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_free(&self);
}

static void a_byte_shows_that_it_lives(void) {
    carrier self;
    begin_two_way(&self);
    self.now_ms += 10000;
    send_map(&self, "9\n[1,5,100]");
    self.now_ms += 5999;
    CHECK(carrier_next(&self) == ACTION_WAIT);
    CHECK(carrier_body(&self, SLOT_BACK, "\n") == INTAKE_OK);
    CHECK(carrier_wait(&self) == 30000);
    carrier_free(&self);
}

static void a_busy_network_or_nothing_outstanding_is_no_death(void) {
    carrier self;
    begin_two_way(&self);
    self.now_ms += 10000;
    send_map(&self, "11\n[1,5,37500]");
    send_map(&self, "7\n[1,0,0]");
    CHECK(carrier_wait(&self) == 20000);
    carrier_free(&self);
}

static void a_back_channel_that_the_server_has_not_is_reopened(void) {
    carrier self;
    begin_two_way(&self);
    // It may be on its way: it gets a moment to be answered.
    send_map(&self, "7\n[0,0,0]");
    CHECK(carrier_wait(&self) == 3000);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_BACK);
    CHECK(session_get_number(self.session, NUMBER_FAILURES) == 0);
    send_map(&self, "7\n[0,0,0]");
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_wait(&self) == 30000);
    carrier_free(&self);
}

/* ---- Sessions that are lost ---- */

static void sessions_that_are_lost_in_a_row_wait_longer_and_longer(void) {
    carrier self;
    begin(&self);
    int64_t least_ms = 0;
    for (int lost = 1; lost <= 8; lost++) {
        carrier_answer(&self, SLOT_BACK, 400, "Unknown SID", "");
        if (lost > 1) {
            int64_t waited_ms = carrier_wait(&self);
            CHECK(waited_ms >= least_ms && waited_ms <= 32000);
        }
        least_ms = least_ms == 0 ? 500 : least_ms < 16000 ? least_ms * 2 : 16000;
        if (lost >= 3) {
            carrier_expect(&self, REQUEST_INIT);
            carrier_answer(&self, SLOT_FORWARD, 200, "OK", PAGE);
        }
        carrier_expect(&self, REQUEST_OPEN);
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
        carrier_expect(&self, REQUEST_MAPS);
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
        carrier_stream(&self);
    }
    // An array over the back channel ends the row.
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    carrier_answer(&self, SLOT_BACK, 410, "Gone", "");
    carrier_expect(&self, REQUEST_OPEN);
    carrier_free(&self);
}

/* ---- The development server's dialect ---- */

static void the_development_server_is_polled_at_its_interval(void) {
    session_config config = carrier_config(&dialect_dev);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK(carrier_has(self.request.url, "/_ah/channel/dev?command=connect&channel=tok-secret"));
    CHECK(self.request.body == NULL);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", " 7 \n");
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_has(self.request.url, "command=poll&channel=tok-secret&client=7"));
    carrier_answer(&self, SLOT_BACK, 200, "OK", "");
    CHECK(carrier_wait(&self) == 500);
    carrier_expect(&self, REQUEST_BACK);
    carrier_answer(&self, SLOT_BACK, 200, "OK", "a message");
    // There may be another.
    carrier_expect(&self, REQUEST_BACK);
    record found;
    CHECK(queue_peek(session_queue(self.session), &found));
    CHECK(found.length == 9 && memcmp(found.bytes, "a message", 9) == 0);
    // A poll is no hanging GET: it has the timeout for all of it.
    CHECK(carrier_wait(&self) == 30000);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_BACK);
    carrier_answer(&self, SLOT_BACK, 200, "OK", "\xFF");
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_BACK);
    session_close(self.session);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_TERMINATE);
    CHECK(carrier_has(self.request.url, "command=disconnect"));
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", "");
    CHECK(carrier_next(&self) == ACTION_ENDED);
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(the_backoff_doubles_up_to_its_limit_less_up_to_half_of_it),
    CASE(a_limit_below_a_second_is_kept_and_a_backoff_can_be_set),
    CASE(retry_after_counts_where_it_is_longer),
    CASE(an_array_ends_the_count_of_failures),
    CASE(a_trickle_does_not_keep_a_forward_request_alive),
    CASE(a_forward_request_may_take_its_time_as_long_as_it_gets_on),
    CASE(a_back_channel_that_falls_silent_is_a_failure_only_if_it_brought_nothing),
    CASE(a_timeout_that_was_given_is_obeyed_whatever_the_server_announces),
    CASE(a_back_channel_has_the_timeout_from_byte_to_byte),
    CASE(a_paused_back_channel_has_all_the_time),
    CASE(a_keep_alive_time_in_array_0_is_what_counts_as_silence),
    CASE(back_channels_that_end_at_once_and_empty_are_not_reopened_in_circles),
    CASE(arrays_that_were_sent_and_do_not_come_mean_a_dead_back_channel),
    CASE(a_head_alone_brings_nothing_of_what_is_owed),
    CASE(a_byte_shows_that_it_lives),
    CASE(a_busy_network_or_nothing_outstanding_is_no_death),
    CASE(a_back_channel_that_the_server_has_not_is_reopened),
    CASE(sessions_that_are_lost_in_a_row_wait_longer_and_longer),
    CASE(the_development_server_is_polled_at_its_interval),
};

CHECK_MAIN(cases)
