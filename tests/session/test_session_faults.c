/* What may be somebody else's on the way, and what the server says without the words for it: how long a
 * session puts up with which. */
#include "carrier.h"

static session_config config;

// browserchannel, whose back channel has brought array 1; its chunks have so many units at most.
static void begin_bounded(carrier *self, size_t max_chunk) {
    config = carrier_config(&dialect_browserchannel);
    config.max_chunk = max_chunk;
    carrier_two_way(self, &config, OPENING);
    CHECK(carrier_body(self, SLOT_BACK, NOOP_1) == INTAKE_OK);
}

static void begin_worked(carrier *self) {
    begin_bounded(self, 0);
}

static void expect_error(carrier *self, session_error_kind kind) {
    CHECK(carrier_next(self) == ACTION_ENDED);
    CHECK(session_get_error(self->session)->kind == kind);
}

// A back channel's body that is not read to its end.
static void break_off(carrier *self, const char *body) {
    CHECK(carrier_body(self, SLOT_BACK, body) == INTAKE_STOP);
    session_on_done(self->session, SLOT_BACK, TRANSPORT_STOPPED, 0, "", self->now_ms);
}

// A back channel that acknowledges so much is asked for, and answered.
static void expect_back(carrier *self, const char *aid) {
    carrier_expect(self, REQUEST_BACK);
    CHECK(carrier_has(self->request.url, aid));
    session_on_status(self->session, SLOT_BACK, 200, "OK", 0);
}

static void go_on(carrier *self) {
    session_end_told(self->session);
    session_set_goal(self->session, GOAL_STREAM);
}

/* ---- Passing faults ---- */

typedef enum fault { FAULT_404, FAULT_403, FAULT_302, FAULT_HTML, FAULT_CERTIFICATE, FAULTS } fault;

static void meet(carrier *self, fault met) {
    switch (met) {
    case FAULT_404:
        carrier_answer(self, SLOT_BACK, 404, "Not Found", "no backend");
        break;
    case FAULT_403:
        carrier_answer(self, SLOT_BACK, 403, "Forbidden", "");
        break;
    case FAULT_302:
        carrier_answer(self, SLOT_BACK, 302, "Found", "");
        break;
    case FAULT_HTML:
        carrier_answer(self, SLOT_BACK, 200, "OK", "<html>Log in</html>");
        break;
    default:
        session_on_done(self->session, SLOT_BACK, TRANSPORT_FATAL, 60, "certificate", self->now_ms);
    }
}

// Meet the fault again and again, until the channel asks no more for the same. Returns how often it did.
static int outlast(carrier *self, fault met) {
    int tries = 0;
    meet(self, met);
    while (carrier_next(self) == ACTION_WAIT) {
        carrier_wait(self);
        carrier_expect(self, REQUEST_BACK);
        CHECK(carrier_has(self->request.url, "AID=1"));
        meet(self, met);
        CHECK(++tries < 20000);
    }
    return tries;
}

static void a_channel_that_has_worked_outlasts_what_may_pass_for_a_minute(void) {
    for (int met = 0; met < FAULTS; met++) {
        carrier self;
        begin_worked(&self);
        int64_t began_ms = self.now_ms;
        CHECK(outlast(&self, (fault)met) >= 5);
        CHECK(self.now_ms - began_ms >= 60000 && self.now_ms - began_ms < 60000 + 32000);
        if (met == FAULT_404) {
            carrier_free(&self);
            continue;
        }
        // Who asks again gets as much patience again.
        CHECK(self.action.kind == ACTION_ENDED);
        go_on(&self);
        carrier_expect(&self, REQUEST_BACK);
        meet(&self, (fault)met);
        carrier_wait(&self);
        carrier_free(&self);
    }
}

// As YouTube's servers say it. Another's 404 would have passed.
static void after_a_minute_of_404_the_session_is_lost(void) {
    carrier self;
    begin_worked(&self);
    outlast(&self, FAULT_404);
    CHECK(self.action.kind == ACTION_SEND && self.request.kind == REQUEST_OPEN);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_stream(&self);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    carrier_free(&self);
    config.auto_reconnect = false;
    carrier_two_way(&self, &config, OPENING);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    outlast(&self, FAULT_404);
    expect_error(&self, ERROR_SESSION_LOST);
    carrier_free(&self);
}

static void with_short_waits_it_is_still_a_minute_and_with_long_ones_five_times(void) {
    static const int64_t backoffs_ms[] = {10, 64000};
    for (size_t i = 0; i < 2; i++) {
        carrier self;
        begin_worked(&self);
        carrier_free(&self);
        config.max_backoff_ms = backoffs_ms[i];
        carrier_two_way(&self, &config, OPENING);
        CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
        int64_t began_ms = self.now_ms;
        int tries = 0;
        if (i == 1) // not one that came before counts
            for (; tries < 8; tries++) {
                session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
                carrier_wait(&self);
                carrier_expect(&self, REQUEST_BACK);
            }
        began_ms = self.now_ms;
        tries = outlast(&self, FAULT_404);
        CHECK(tries >= 5 && self.now_ms - began_ms >= 60000);
        CHECK(i == 0 || tries == 5);
        carrier_free(&self);
    }
}

static void something_that_arrives_ends_the_row(void) {
    carrier self;
    begin_worked(&self);
    for (int turn = 2; turn < 40; turn++) {
        char payload[64];
        meet(&self, FAULT_302);
        carrier_wait(&self);
        carrier_stream(&self);
        snprintf(payload, sizeof payload, "[[%d,[\"noop\"]]]", turn);
        CHECK(carrier_body(&self, SLOT_BACK, CHUNKS(payload)) == INTAKE_OK);
        self.now_ms += 30000;
    }
    carrier_free(&self);
}

static void a_channel_that_never_worked_raises_at_once(void) {
    static const session_error_kind kinds[] = {ERROR_HTTP, ERROR_HTTP, ERROR_HTTP, ERROR_NONE,
                                               ERROR_TRANSPORT};
    for (int met = 0; met < FAULTS; met++) {
        carrier self;
        config = carrier_config(&dialect_browserchannel);
        carrier_two_way(&self, &config, OPENING);
        meet(&self, (fault)met);
        if (met != FAULT_HTML) // which is corrupt, and asked for a few times more
            expect_error(&self, kinds[met]);
        carrier_free(&self);
    }
}

static void a_new_session_that_is_answered_by_a_portal_is_tried_again(void) {
    carrier self;
    begin_worked(&self);
    carrier_answer(&self, SLOT_BACK, 400, "Bad Request", "");
    for (int attempt = 1; attempt <= 3; attempt++) {
        char trial[16];
        snprintf(trial, sizeof trial, "&t=%d", attempt);
        carrier_expect(&self, REQUEST_OPEN);
        CHECK(carrier_has(self.request.url, trial));
        if (attempt == 3)
            break;
        carrier_answer(&self, SLOT_FORWARD, 200, "OK",
                       attempt == 1 ? "<html>Log in</html>" : "[[5,[\"hi\"]]]");
        carrier_wait(&self);
    }
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    carrier_stream(&self);
    carrier_free(&self);
}

static void retry_after_is_obeyed_up_to_an_hour(void) {
    static const int64_t said_ms[] = {120000, 3599000, 7200000, 86400000};
    for (size_t i = 0; i < sizeof said_ms / sizeof *said_ms; i++) {
        carrier self;
        begin_worked(&self);
        session_on_status(self.session, SLOT_BACK, 503, "Busy", said_ms[i]);
        session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
        CHECK(carrier_wait(&self) == (said_ms[i] < 3600000 ? said_ms[i] : 3600000));
        carrier_expect(&self, REQUEST_BACK);
        carrier_free(&self);
    }
}

/* ---- Confirmation ---- */

static const char *const unconfirmed[] = {
    "",
    "OK",
    "\n",
    "<html></html>",
    "{\"error\":{}}",
    "[]",
    "[1]",
    "[1,2]",
    "[1,2,3",
    "[1,2,3] x",
    "[\"1\",2,3]",
    "[1,{},3]",
    "[1,2,]",
    "[[1,2,3]]",
    "7\n[1,2,3",
    "8\n[1,2,3]",
    "6\n[1,2,3]",
    "3\n[1]",
    "7\n[1,2,3]7\n[1,2,3]",
    "7\n[1,2,3]5\n",
    "[1,2,3]\xFF",
    "0\n",
};

static void only_a_forward_reply_confirms(void) {
    for (size_t i = 0; i < sizeof unconfirmed / sizeof *unconfirmed; i++) {
        carrier self;
        char rid[16], said[16];
        begin_worked(&self);
        CHECK(carrier_send(&self, "x") == 0);
        carrier_expect(&self, REQUEST_MAPS);
        CHECK(sscanf(strstr(self.request.url, "RID="), "%15[^&]", rid) == 1);
        for (int attempt = 2; attempt <= 4; attempt++) {
            char trial[16];
            snprintf(trial, sizeof trial, "&t=%d", attempt);
            carrier_answer(&self, SLOT_FORWARD, 200, "OK", unconfirmed[i]);
            CHECK(session_unsent(self.session) == 1);
            carrier_wait(&self);
            carrier_expect(&self, REQUEST_MAPS);
            CHECK(sscanf(strstr(self.request.url, "RID="), "%15[^&]", said) == 1);
            CHECK_TEXT("RID", said, rid);
            CHECK(carrier_has(self.request.url, trial));
        }
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
        CHECK(session_unsent(self.session) == 0);
        carrier_free(&self);
    }
}

static void a_forward_reply_may_be_framed_bare_and_longer(void) {
    static const char *const replies[] = {
        "7\n[1,2,3]",
        "[0,2,3]",
        " [1, 2,3 ]\n",
        "8\n[1,2,3]\n",
        "0\n7\n[1,2,3]1\n\n",
        "\xEF\xBB\xBF[1,2,3]",
        "\xEF\xBB\xBF"
        "7\n[1,2,3]",
        "[1,-1,0]",
        "[1,2,3,4]",
        "[1,2,3,\"x\",[[]],{\"a\":[1]},null]",
        "[1,2,123456789012345678901234567890]",
        "[2,3,4]",
        "[170,2,3]",
        "[-1,2,3]",
        "[true,1,2]",
        "[1,null,3]",
        "[1,2.5,3]",
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        carrier self;
        begin_worked(&self);
        CHECK(carrier_send(&self, "x") == 0);
        carrier_expect(&self, REQUEST_MAPS);
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", replies[i]);
        CHECK_TEXT(replies[i], session_unsent(self.session) == 0 ? "confirmed" : "not", "confirmed");
        carrier_free(&self);
    }
}

static void maps_that_are_never_confirmed_raise_and_stay(void) {
    static const dialect *const dialects[] = {&dialect_talk, &dialect_browserchannel};
    for (int i = 0; i < 3; i++) {
        carrier self;
        config = carrier_config(dialects[i > 0]);
        config.timeout_ms = 600000;
        carrier_init(&self, &config, GOAL_STREAM);
        if (i == 0) {
            carrier_expect(&self, REQUEST_INIT);
            carrier_answer(&self, SLOT_FORWARD, 200, "OK", PAGE);
        }
        carrier_expect(&self, REQUEST_OPEN);
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
        if (i > 0) {
            carrier_stream(&self);
            CHECK(i == 1 || carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
            CHECK(carrier_send(&self, "x") == 0);
        }
        int64_t began_ms = self.now_ms;
        int tries = 0;
        for (;;) {
            carrier_expect(&self, REQUEST_MAPS);
            carrier_answer(&self, SLOT_FORWARD, 200, "OK", "<p>tok-secret says no</p>");
            tries++;
            if (carrier_next(&self) != ACTION_WAIT)
                break;
            int64_t at_ms = self.action.at_ms;
            if (i > 0) // what the back channel waits for is none of this
                CHECK(carrier_body(&self, SLOT_BACK, "\n") == INTAKE_OK);
            self.now_ms = at_ms;
        }
        CHECK(self.action.kind == ACTION_ABORT || self.action.kind == ACTION_ENDED);
        if (i > 0)
            session_on_done(self.session, SLOT_BACK, TRANSPORT_STOPPED, 0, "", self.now_ms);
        expect_error(&self, ERROR_PROTOCOL);
        const char *message = strbuf_str(&session_get_error(self.session)->message);
        CHECK(carrier_has(message, "not confirmed") && carrier_has(message, "*** says no"));
        CHECK(tries > 5 && self.now_ms - began_ms >= 30000);
        CHECK(session_unsent(self.session) == 1);
        carrier_free(&self);
    }
}

/* ---- Poison ---- */

static void expect_array_2_left_behind(carrier *self) {
    expect_error(self, ERROR_CORRUPT);
    CHECK(carrier_has(strbuf_str(&session_get_error(self->session)->message), "array 2 cannot be read"));
    go_on(self);
    expect_back(self, "AID=2&");
}

#define DEEP_100                                                                                             \
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["

static void an_array_that_cannot_be_read_is_asked_for_once_more_and_given_up(void) {
    carrier self;
    begin_worked(&self);
    const char *body = CHUNKS("[[2,[\"a\"]],[3,[\"b\"]],[4," DEEP_100 DEEP_100);
    break_off(&self, body);
    CHECK(session_queue(self.session)->count == 0);
    carrier_wait(&self);
    expect_back(&self, "AID=1&");
    break_off(&self, body);
    // What stands before it is sound.
    CHECK(session_queue(self.session)->count == 2);
    expect_error(&self, ERROR_CORRUPT);
    const char *message = strbuf_str(&session_get_error(self.session)->message);
    CHECK(carrier_has(message, "array 4 cannot be read") && carrier_has(message, "nest"));
    go_on(&self);
    expect_back(&self, "AID=4&");
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[5,[\"c\"]]]")) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 3);
    carrier_free(&self);
}

static void a_chunk_that_is_too_long_or_no_text_is_given_up_too(void) {
    static const char *const bodies[] = {"2000000\n[[2,[\"a", "9\n[[2,\"\xFF\"]]",
                                         "5\n[[2,\"\xF0\x9F\x98\x80\"]]"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        carrier self;
        begin_bounded(&self, 1000000);
        for (int attempt = 0; attempt < 2; attempt++) {
            if (attempt > 0) {
                carrier_wait(&self);
                carrier_stream(&self);
            }
            break_off(&self, bodies[i]);
        }
        expect_array_2_left_behind(&self);
        carrier_free(&self);
    }
}

static void behind_the_largest_id_there_is_none(void) {
    carrier self;
    begin_worked(&self);
    size_t before = session_queue(self.session)->count;
    const char *body =
        CHUNKS("[[9223372036854775807,[\"a\"]]]", "[[9223372036854775807,[\"a\"]],[1,[\"b\"]]]");
    CHECK(carrier_body(&self, SLOT_BACK, body) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == before + 1);
    for (int attempt = 0; attempt < 3; attempt++) {
        break_off(&self, "9\n[[2,\"\xFF\"]]");
        carrier_wait(&self);
        expect_back(&self, "AID=9223372036854775807&");
    }
    carrier_free(&self);
}

static void an_array_that_was_only_damaged_once_is_not_lost(void) {
    carrier self;
    begin_worked(&self);
    for (int id = 2; id < 50; id++) {
        char bad[64], good[64];
        snprintf(bad, sizeof bad, "[[%d,[nonsense]]]", id);
        snprintf(good, sizeof good, "[[%d,[\"a\"]]]", id);
        break_off(&self, CHUNKS(bad));
        carrier_wait(&self);
        carrier_stream(&self);
        CHECK(carrier_body(&self, SLOT_BACK, CHUNKS(good)) == INTAKE_OK);
    }
    CHECK(session_queue(self.session)->count == 48);
    carrier_free(&self);
}

/* ---- Two ends at once ---- */

// Maps are refused, while the back channel is still being read.
static void refuse_maps(carrier *self) {
    carrier_answer(self, SLOT_FORWARD, 403, "Forbidden", "not these");
}

static void what_cannot_be_read_is_told_though_the_other_request_ended_all_before(void) {
    static const char *const bodies[] = {"8\n[[2,[x]]]", "2000000\n[[2,[\"a"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        carrier self;
        begin_bounded(&self, 1000000);
        break_off(&self, bodies[i]);
        CHECK(carrier_send(&self, "x") == 0);
        carrier_expect(&self, REQUEST_MAPS);
        carrier_wait(&self);
        expect_back(&self, "AID=1&");
        CHECK(carrier_body(&self, SLOT_BACK, bodies[i]) == INTAKE_STOP);
        refuse_maps(&self);
        session_on_done(self.session, SLOT_BACK, TRANSPORT_STOPPED, 0, "", self.now_ms);
        expect_error(&self, ERROR_MAPS_REFUSED);
        go_on(&self);
        expect_back(&self, "AID=1&");
        break_off(&self, bodies[i]);
        expect_array_2_left_behind(&self);
        carrier_free(&self);
    }
}

static void an_error_that_arrives_after_an_end_is_sent_again(void) {
    carrier self;
    config = carrier_config(&dialect_webchannel);
    carrier_two_way(&self, &config, OPENING);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[{\"a\":1}]]]")) == INTAKE_OK);
    CHECK(carrier_send(&self, "x") == 0);
    carrier_expect(&self, REQUEST_MAPS);
    refuse_maps(&self);
    const char *said = CHUNKS("[[2,[{\"error\":{\"code\":9,\"message\":\"odd\"}}]]]");
    break_off(&self, said);
    expect_error(&self, ERROR_MAPS_REFUSED);
    go_on(&self);
    expect_back(&self, "AID=1&");
    carrier_free(&self);
}

/* ---- Control arrays ---- */

static void the_session_is_opened_by_an_array_of_any_id_in_its_reply(void) {
    carrier self;
    config = carrier_config(&dialect_browserchannel);
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_OPEN);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", "[[1,[\"c\",\"SID9\",\"\",8]],[2,[\"c\",\"text\"]]]");
    expect_back(&self, "AID=2&");
    CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID9");
    CHECK(session_queue(self.session)->count == 1);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[3,[\"c\",\"SID2\"]]]")) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 2);
    CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID9");
    carrier_free(&self);
}

static void session_arrays_are_what_they_are_only_by_the_opening(void) {
    static const char *const said[] = {"[\"S\",\"GS\"]", "[{\"gsid\":\"GS\"}]", "[\"S\",\"GS\",1]"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        for (int place = 0; place < 4; place++) {
            char payload[128];
            carrier self;
            config = carrier_config(place == 3 ? &dialect_webchannel : &dialect_browserchannel);
            snprintf(payload, sizeof payload, "[[0,[\"c\",\"SID1\",\"\",8]],[1,[\"x\"]],[2,%s]]", said[i]);
            carrier_two_way(&self, &config, place == 0 ? payload : OPENING);
            snprintf(payload, sizeof payload, "[[%d,[\"noop\"]],[3,%s]]", place == 2 ? 2 : 0, said[i]);
            if (place != 0)
                CHECK(carrier_body(&self, SLOT_BACK, CHUNKS(payload)) == INTAKE_OK);
            bool is_one = place < 2;
            CHECK_TEXT("gsessionid", strbuf_str(session_get(self.session, FIELD_GSESSIONID)),
                       is_one ? "GS" : "");
            CHECK(session_queue(self.session)->count == (place == 1 ? 0 : 1));
            carrier_free(&self);
        }
}

static void control_arrays_act_under_an_id_that_was_seen(void) {
    static const char *const said[] = {"[\"stop\",\"too \\u0062ad\"]", "[\"close\",1]", "[\"noop\",{}]"};
    for (size_t i = 0; i < 3; i++) {
        char payload[64];
        carrier self;
        config = carrier_config(&dialect_webchannel);
        carrier_two_way(&self, &config, OPENING);
        CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"a\"]]]")) == INTAKE_OK);
        snprintf(payload, sizeof payload, "[[1,[\"a\"]],[1,%s]]", said[i]);
        session_intake taken = carrier_body(&self, SLOT_BACK, CHUNKS(payload));
        CHECK(session_queue(self.session)->count == 1);
        CHECK(taken == (i < 2 ? INTAKE_STOP : INTAKE_OK));
        if (i < 2) {
            session_on_done(self.session, SLOT_BACK, TRANSPORT_STOPPED, 0, "", self.now_ms);
            expect_error(&self, i == 0 ? ERROR_CLOSED : ERROR_NONE);
        }
        if (i == 0)
            CHECK(carrier_has(strbuf_str(&session_get_error(self.session)->message), "too "));
        carrier_free(&self);
    }
}

static void empty_chunks_and_a_byte_order_mark_are_skipped(void) {
    carrier self;
    config = carrier_config(&dialect_browserchannel);
    carrier_two_way(&self, &config,
                    "\xEF\xBB\xBF"
                    "0\n1\n\n23\n[[0,[\"c\",\"SID1\",\"\",8]]]1\n\n");
    CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID1");
    CHECK(carrier_body(&self, SLOT_BACK, "\xEF") == INTAKE_OK);
    CHECK(carrier_body(&self, SLOT_BACK,
                       "\xBB\xBF"
                       "0\n11\n[[1,[\"a\"]]]1\n\n0\n") == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 1);
    CHECK(session_get_number(self.session, NUMBER_AID) == 1);
    carrier_answer(&self, SLOT_BACK, 200, "OK", "");
    carrier_stream(&self);
    carrier_free(&self);
}

/* ---- 401 ---- */

static void a_401_is_read(void) {
    static const struct {
        const char *words;
        session_error_kind kind;
    } cases[] = {
        {"Token+timed+out.", ERROR_TOKEN_EXPIRED},
        {"Token timed out", ERROR_TOKEN_EXPIRED},
        {"Expired", ERROR_TOKEN_EXPIRED},
        {"Invalid+token.", ERROR_TOKEN_INVALID},
        {"RID_OUTSIDE_WINDOW", ERROR_HTTP},
        {"Unauthorized", ERROR_HTTP},
        {"", ERROR_HTTP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int in_body = 0; in_body < 2; in_body++) {
            carrier self;
            config = carrier_config(&dialect_talk);
            carrier_talk(&self, &config);
            carrier_answer(&self, SLOT_BACK, 401, in_body ? "" : cases[i].words,
                           in_body ? cases[i].words : "");
            expect_error(&self, cases[i].kind);
            CHECK(session_get_error(self.session)->status == 401);
            carrier_free(&self);
        }
}

static void a_token_that_had_worked_and_is_invalid_now_is_asked_for_once(void) {
    carrier self;
    config = carrier_config(&dialect_talk);
    carrier_talk(&self, &config);
    session_set_asks_token(self.session, true);
    carrier_answer(&self, SLOT_BACK, 401, "Invalid+token.", "");
    CHECK(carrier_next(&self) == ACTION_ASK_TOKEN);
    CHECK(session_set(self.session, FIELD_TOKEN, "second"));
    carrier_expect(&self, REQUEST_INIT);
    CHECK(carrier_has(self.request.url, "token=second"));
    carrier_answer(&self, SLOT_FORWARD, 401, "Invalid+token.", "");
    expect_error(&self, ERROR_TOKEN_INVALID);
    carrier_free(&self);
    // One that never worked is not asked for again.
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_asks_token(self.session, true);
    carrier_expect(&self, REQUEST_INIT);
    carrier_answer(&self, SLOT_FORWARD, 401, "Invalid+token.", "");
    expect_error(&self, ERROR_TOKEN_INVALID);
    carrier_free(&self);
}

/* ---- Long URLs ---- */

static void a_fast_handshake_of_more_than_4_kb_opens_by_post(void) {
    char *text = malloc(6001);
    CHECK(text != NULL);
    for (int large = 0; large < 2; large++) {
        carrier self;
        size_t length = large ? 6000 : 1000;
        memset(text, 'y', length);
        text[length] = '\0';
        config = carrier_config(&dialect_webchannel);
        config.fast_handshake = true;
        carrier_init(&self, &config, GOAL_STREAM);
        CHECK(carrier_send(&self, text) == 0);
        carrier_expect(&self, large ? REQUEST_OPEN : REQUEST_BACK);
        CHECK(strlen(self.request.url) <= 4096);
        if (large) {
            CHECK(carrier_has(self.request.body, "count=1&ofs=0&req0__S=yyy"));
            carrier_answer(&self, SLOT_FORWARD, 503, "Busy", "");
            carrier_wait(&self);
            carrier_expect(&self, REQUEST_OPEN);
            carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
            CHECK(session_unsent(self.session) == 0);
            carrier_stream(&self);
            // The next session may be opened by GET again.
            carrier_answer(&self, SLOT_BACK, 400, "Bad Request", "");
            carrier_expect(&self, REQUEST_BACK);
            CHECK(carrier_has(self.request.url, "SID=null"));
        }
        carrier_free(&self);
    }
    free(text);
}

static void a_header_takes_no_room_of_an_errors_body(void) {
    static char header[70000];
    static char page[100000];
    memset(header, 'h', sizeof header);
    memset(page, 'p', sizeof page - 1);
    config = carrier_config(&dialect_webchannel);
    config.fast_handshake = true;
    config.auto_reconnect = false;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_BACK);
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, header, sizeof header);
    session_on_status(self.session, SLOT_BACK, 500, "No", 0);
    break_off(&self, page);
    const strbuf *body = &session_get_error(self.session)->body;
    CHECK(body->length == 64 * 1024 && strbuf_str(body)[0] == 'p');
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(a_channel_that_has_worked_outlasts_what_may_pass_for_a_minute),
    CASE(after_a_minute_of_404_the_session_is_lost),
    CASE(with_short_waits_it_is_still_a_minute_and_with_long_ones_five_times),
    CASE(something_that_arrives_ends_the_row),
    CASE(a_channel_that_never_worked_raises_at_once),
    CASE(a_new_session_that_is_answered_by_a_portal_is_tried_again),
    CASE(retry_after_is_obeyed_up_to_an_hour),
    CASE(only_a_forward_reply_confirms),
    CASE(a_forward_reply_may_be_framed_bare_and_longer),
    CASE(maps_that_are_never_confirmed_raise_and_stay),
    CASE(an_array_that_cannot_be_read_is_asked_for_once_more_and_given_up),
    CASE(a_chunk_that_is_too_long_or_no_text_is_given_up_too),
    CASE(behind_the_largest_id_there_is_none),
    CASE(an_array_that_was_only_damaged_once_is_not_lost),
    CASE(what_cannot_be_read_is_told_though_the_other_request_ended_all_before),
    CASE(an_error_that_arrives_after_an_end_is_sent_again),
    CASE(the_session_is_opened_by_an_array_of_any_id_in_its_reply),
    CASE(session_arrays_are_what_they_are_only_by_the_opening),
    CASE(control_arrays_act_under_an_id_that_was_seen),
    CASE(empty_chunks_and_a_byte_order_mark_are_skipped),
    CASE(a_401_is_read),
    CASE(a_token_that_had_worked_and_is_invalid_now_is_asked_for_once),
    CASE(a_fast_handshake_of_more_than_4_kb_opens_by_post),
    CASE(a_header_takes_no_room_of_an_errors_body),
};

CHECK_MAIN(cases)
