/* What a session asks, step by step, and what it makes of the answers. */
#include "carrier.h"

static void expect_text(carrier *self, const char *text) {
    record found;
    CHECK(queue_peek(session_queue(self->session), &found));
    CHECK(found.kind == RECORD_ASCII || found.kind == RECORD_TEXT);
    CHECK(found.length == strlen(text) && memcmp(found.bytes, text, found.length) == 0);
    session_pop(self->session);
}

static void messages_are_the_same_however_the_body_is_cut(void) {
    const char *messages = CHUNKS("[[1,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]", "[[2,[\"other\"]]]",
                                  "[[3,[\"c\",[\"CLID\",[\"ae\",\"\\u00e9\"]]]]]");
    size_t length = strlen(messages);
    for (size_t step = 1; step <= length; step++) {
        session_config config = carrier_config(&dialect_talk);
        carrier self;
        carrier_talk(&self, &config);
        for (size_t at = 0; at < length; at += step) {
            size_t size = length - at < step ? length - at : step;
            uint8_t *piece = check_copy(messages + at, size);
            CHECK(session_on_body(self.session, SLOT_BACK, piece, size, self.now_ms) == INTAKE_OK);
            free(piece);
        }
        expect_text(&self, "a");
        expect_text(&self, "\xC3\xA9");
        CHECK(session_queue(self.session)->count == 0);
        CHECK(session_get_number(self.session, NUMBER_AID) == 3);
        CHECK(session_get_stats(self.session)->messages == 2);
        CHECK(session_get_stats(self.session)->last_message_ms == self.now_ms);
        carrier_free(&self);
    }
}

static void a_token_is_asked_for_when_there_is_none_and_when_it_expired(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    CHECK(session_set(self.session, FIELD_TOKEN, NULL));
    session_set_asks_token(self.session, true);
    CHECK(carrier_next(&self) == ACTION_ASK_TOKEN);
    CHECK(carrier_next(&self) == ACTION_ASK_TOKEN);
    CHECK(session_set(self.session, FIELD_TOKEN, "first"));
    carrier_expect(&self, REQUEST_INIT);
    CHECK(carrier_has(self.request.url, "token=first"));
    carrier_answer(&self, SLOT_FORWARD, 401, "Token timed out", "");
    CHECK(carrier_next(&self) == ACTION_ASK_TOKEN);
    CHECK(session_set(self.session, FIELD_TOKEN, "second"));
    carrier_expect(&self, REQUEST_INIT);
    CHECK(carrier_has(self.request.url, "token=second"));
    carrier_answer(&self, SLOT_FORWARD, 401, "Token timed out", "");
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_TOKEN_EXPIRED);
    // Who tries again is asked again.
    session_end_told(self.session);
    session_set_goal(self.session, GOAL_STREAM);
    CHECK(carrier_next(&self) == ACTION_ASK_TOKEN);
    carrier_free(&self);
}

static void urls_are_asked_for_once_and_for_what_is_asked_then(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    request_kind kind;
    int64_t rid, aid;
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_custom_urls(self.session, true, true);
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    session_asked_url(self.session, self.action.slot, &kind, &rid, &aid);
    CHECK(kind == REQUEST_INIT);
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    CHECK(session_give_url(self.session, SLOT_FORWARD, "http://mine/1"));
    carrier_expect(&self, REQUEST_INIT);
    CHECK_TEXT("given", self.request.url, "http://mine/1");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", PAGE);
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    session_asked_url(self.session, self.action.slot, &kind, &rid, &aid);
    CHECK(kind == REQUEST_OPEN && rid == 1 && aid == -1);
    // Before it is given, something else is to be asked.
    session_forget(self.session, GOAL_INITIALIZE);
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    session_asked_url(self.session, self.action.slot, &kind, &rid, &aid);
    CHECK(kind == REQUEST_INIT);
    carrier_free(&self);
}

static void the_back_channel_makes_way_where_there_is_one_connection(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    session_forget(self.session, GOAL_CONNECT);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK(carrier_next(&self) == ACTION_WAIT);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    carrier_expect(&self, REQUEST_BACK);
    carrier_free(&self);
}

static void a_request_that_runs_is_waited_for_where_there_is_one_connection(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    CHECK(session_set(self.session, FIELD_CLID, "CLID") && session_set(self.session, FIELD_SID, "SID9"));
    CHECK(carrier_next(&self) == ACTION_WAIT);
    carrier_free(&self);
}

static void a_request_that_was_broken_off_is_asked_again_at_once(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    CHECK(carrier_body(&self, SLOT_BACK, "14\n[[1,") == INTAKE_OK);
    session_on_break(self.session, SLOT_BACK);
    carrier_stream(&self);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_OK);
    CHECK(session_get_number(self.session, NUMBER_AID) == 1);
    carrier_free(&self);
}

static void closing_tells_the_server(void) {
    static const dialect *const told[] = {&dialect_talk, &dialect_browserchannel, &dialect_webchannel};
    for (size_t i = 0; i < 3; i++) {
        session_config config = carrier_config(told[i]);
        carrier self;
        if (told[i]->has_init_page)
            carrier_talk(&self, &config);
        else
            carrier_two_way(&self, &config, OPENING);
        session_close(self.session);
        carrier_expect_abort(&self, SLOT_BACK);
        carrier_expect(&self, REQUEST_TERMINATE);
        CHECK(carrier_has(self.request.url, "TYPE=terminate"));
        CHECK(carrier_has(self.request.url, "SID=SID1"));
        CHECK(carrier_next(&self) == ACTION_WAIT);
        session_on_done(self.session, SLOT_FORWARD, TRANSPORT_BROKEN, 7, "gone", self.now_ms);
        CHECK(carrier_next(&self) == ACTION_ENDED);
        CHECK(session_get_error(self.session)->kind == ERROR_NONE);
        session_set_goal(self.session, GOAL_STREAM);
        CHECK(carrier_next(&self) == ACTION_ENDED);
        carrier_free(&self);
    }
}

static void a_keep_alive_gives_back_what_a_busy_channel_kept(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    const queue *held = session_queue(self.session);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]")) == INTAKE_OK);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[2,[\"noop\"]]]")) == INTAKE_OK);
    CHECK(held->count == 1); // the message still waits
    session_pop(self.session);
    CHECK(held->count == 0 && held->capacity != 0);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[3,[\"noop\"]]]")) == INTAKE_OK);
    CHECK(held->capacity == 0);
    carrier_free(&self);
}

static void arrays_that_the_server_leaves_out_are_said(void) {
    session_config config = carrier_config(&dialect_talk);
    strbuf said = {0};
    carrier self;
    carrier_talk(&self, &config);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"noop\"]],[2,[\"noop\"]]]")) == INTAKE_OK);
    CHECK(session_take_log(self.session, &said) == 0);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[6,[\"noop\"]]]")) == INTAKE_OK);
    CHECK(session_take_log(self.session, &said) == LOG_WARNING);
    CHECK_TEXT("log", strbuf_str(&said), "the server has left out arrays 3 to 5");
    CHECK(session_get_number(self.session, NUMBER_AID) == 6);
    strbuf_free(&said);
    carrier_free(&self);
}

static void bytes_behind_an_end_are_not_wanted(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    const char *body = CHUNKS("[[1,[\"stop\"]]]", "[[2,[\"c\",[\"CLID\",[\"ae\",\"a\"]]]]]");
    CHECK(carrier_body(&self, SLOT_BACK, body) == INTAKE_STOP);
    CHECK(carrier_body(&self, SLOT_BACK, NOOP_1) == INTAKE_STOP);
    session_on_done(self.session, SLOT_BACK, TRANSPORT_STOPPED, 0, "", self.now_ms);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_CLOSED);
    CHECK(session_queue(self.session)->count == 0);
    carrier_free(&self);
}

static void the_fast_handshake_opens_with_its_back_channel(void) {
    session_config config = carrier_config(&dialect_webchannel);
    config.fast_handshake = true;
    config.timeout_ms = 0;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    CHECK(session_set(self.session, FIELD_INIT_HEADERS, "Authorization:x\r\n"));
    CHECK(carrier_send(&self, "hello") == 0);
    carrier_expect(&self, REQUEST_BACK);
    CHECK(self.request.body == NULL);
    CHECK(carrier_has(self.request.url, "SID=null"));
    CHECK(carrier_has(self.request.url, "$req=headers%3DAuthorization%253Ax"));
    CHECK(carrier_has(self.request.url, "X-HTTP-Session-Id=gsessionid"));
    static const char reply[] = "[[0,[\"c\",\"SID7\",\"\",8,14,2000]]]";
    session_on_header(self.session, SLOT_BACK, "x-http-session-id", 17, "GS", 2);
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, reply, strlen(reply));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[{}]]]")) == INTAKE_OK);
    CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID7");
    CHECK_TEXT("gsessionid", strbuf_str(session_get(self.session, FIELD_GSESSIONID)), "GS");
    CHECK(session_queue(self.session)->count == 1);
    CHECK(session_unsent(self.session) == 0);
    CHECK(carrier_wait(&self) == 3000);
    carrier_free(&self);
}

static void a_corrupt_fast_handshake_is_said(void) {
    static const char *const replies[] = {"[[0,[\"c\",\"\xFF\"]]]", "[[0,oops]]", "[[0,[\"d\"]]]"};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        session_config config = carrier_config(&dialect_webchannel);
        config.fast_handshake = true;
        carrier self;
        carrier_init(&self, &config, GOAL_STREAM);
        carrier_expect(&self, REQUEST_BACK);
        session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, replies[i],
                          strlen(replies[i]));
        session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
        CHECK(session_get(self.session, FIELD_SID)->length == 0);
        session_on_done(self.session, SLOT_BACK, TRANSPORT_OK, 0, "", self.now_ms);
        CHECK(session_get(self.session, FIELD_SID)->length == 0);
        carrier_free(&self);
    }
}

static void a_fast_handshake_that_opens_nothing_is_said(void) {
    const char *const bodies[] = {"", "\n", CHUNKS(" "), CHUNKS("[[0,[\"d\"]]]"), CHUNKS("[[0,[\"noop\"]]]")};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        session_config config = carrier_config(&dialect_webchannel);
        config.fast_handshake = true;
        carrier self;
        carrier_init(&self, &config, GOAL_STREAM);
        carrier_expect(&self, REQUEST_BACK);
        carrier_answer(&self, SLOT_BACK, 200, "OK", bodies[i]);
        CHECK(carrier_next(&self) == ACTION_ENDED);
        CHECK(session_get_error(self.session)->kind == ERROR_PROTOCOL);
        CHECK(carrier_has(strbuf_str(&session_get_error(self.session)->message), "names no SID"));
        carrier_free(&self);
    }
}

static void a_token_that_is_refused_ends_both_exchanges(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_two_way(&self, &config, OPENING);
    CHECK(carrier_send(&self, "x") == 0);
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 401, "Unauthorized", "");
    carrier_expect_abort(&self, SLOT_BACK);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    const session_error *error = session_get_error(self.session);
    CHECK(error->kind == ERROR_HTTP && error->status == 401);
    // It says nothing against the map.
    CHECK(session_unsent(self.session) == 1);
    carrier_free(&self);
}

static void only_the_first_error_is_kept(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    session_fail(self.session, ERROR_PROTOCOL, "the first");
    session_fail(self.session, ERROR_CORRUPT, "the second");
    CHECK(session_get_error(self.session)->kind == ERROR_PROTOCOL);
    CHECK_TEXT("message", strbuf_str(&session_get_error(self.session)->message), "the first");
    carrier_free(&self);
}

static void words_that_only_resemble_control_arrays_are_messages(void) {
    static const char *const payloads[] = {
        "[[1,[\"a word of twenty bytes\"]]]",
        "[[1,[\"\\u006e\\u006f\\u006f\\u0070\\u0073\"]]]",
        "[[1,[\"close\"]]]",
        "[[1,[\"S\"]]]",
        "[[1,[\"S\",1]]]",
        "[[1,[{\"gsid\":1}]]]",
        "[[1,[\"c\",\"SID2\"]]]",
        "[[1,\"noop\"]]",
    };
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        session_config config = carrier_config(&dialect_browserchannel);
        carrier self;
        carrier_two_way(&self, &config, OPENING);
        CHECK(carrier_body(&self, SLOT_BACK, CHUNKS(payloads[i])) == INTAKE_OK);
        CHECK(session_queue(self.session)->count == 1);
        CHECK_TEXT("sid", strbuf_str(session_get(self.session, FIELD_SID)), "SID1");
        carrier_free(&self);
    }
}

static void a_clid_that_nobody_could_have_is_nobodys(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    strbuf body = {0}, chunk = {0};
    strbuf_text(&body, "[[1,[\"c\",[\"\\u0043");
    for (int i = 0; i < 5000; i++)
        strbuf_text(&body, "L");
    strbuf_text(&body, "\",[\"ae\",\"a\"]]]]]");
    strbuf_format(&chunk, "%zu\n", (size_t)body.length);
    strbuf_append(&chunk, strbuf_str(&body), body.length);
    CHECK(carrier_body(&self, SLOT_BACK, strbuf_str(&chunk)) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 0);
    CHECK(session_get_number(self.session, NUMBER_AID) == 1);
    strbuf_free(&body);
    strbuf_free(&chunk);
    carrier_free(&self);
}

static void a_reply_over_every_limit_is_given_up(void) {
    session_config config = carrier_config(&dialect_talk);
    config.max_chunk = 10;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", PAGE);
    carrier_expect(&self, REQUEST_OPEN);
    session_on_status(self.session, SLOT_FORWARD, 200, "OK", 0);
    CHECK(carrier_body(&self, SLOT_FORWARD, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[") == INTAKE_OK);
    CHECK(carrier_body(&self, SLOT_FORWARD, "[") == INTAKE_STOP);
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_STOPPED, 0, "", self.now_ms);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_CORRUPT);
    carrier_free(&self);
}

static void of_an_errors_page_only_the_beginning_is_read(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_INIT);
    session_on_status(self.session, SLOT_FORWARD, 403, "No", 0);
    int pieces = 0;
    while (carrier_body(&self, SLOT_FORWARD, "not for you\n") == INTAKE_OK)
        CHECK(++pieces < 10000);
    session_on_done(self.session, SLOT_FORWARD, TRANSPORT_STOPPED, 0, "", self.now_ms);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    const session_error *error = session_get_error(self.session);
    CHECK(error->kind == ERROR_HTTP && error->status == 403);
    CHECK_TEXT("reason", strbuf_str(&error->reason), "No");
    CHECK(error->body.length == 64 * 1024);
    CHECK(error->message.length < 1000);
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(messages_are_the_same_however_the_body_is_cut),
    CASE(a_token_is_asked_for_when_there_is_none_and_when_it_expired),
    CASE(urls_are_asked_for_once_and_for_what_is_asked_then),
    CASE(the_back_channel_makes_way_where_there_is_one_connection),
    CASE(a_request_that_runs_is_waited_for_where_there_is_one_connection),
    CASE(a_request_that_was_broken_off_is_asked_again_at_once),
    CASE(closing_tells_the_server),
    CASE(a_keep_alive_gives_back_what_a_busy_channel_kept),
    CASE(arrays_that_the_server_leaves_out_are_said),
    CASE(bytes_behind_an_end_are_not_wanted),
    CASE(the_fast_handshake_opens_with_its_back_channel),
    CASE(a_corrupt_fast_handshake_is_said),
    CASE(a_fast_handshake_that_opens_nothing_is_said),
    CASE(a_token_that_is_refused_ends_both_exchanges),
    CASE(only_the_first_error_is_kept),
    CASE(words_that_only_resemble_control_arrays_are_messages),
    CASE(a_clid_that_nobody_could_have_is_nobodys),
    CASE(a_reply_over_every_limit_is_given_up),
    CASE(of_an_errors_page_only_the_beginning_is_read),
};

CHECK_MAIN(cases)
