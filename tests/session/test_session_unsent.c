/* Maps that wait to be confirmed: told, taken back, and bounded. */
#include "carrier.h"

static void check_pending(carrier *self, const char *want) {
    strbuf lines = {0};
    CHECK(session_tell_unsent(self->session, &lines));
    CHECK_TEXT("pending", strbuf_str(&lines), want);
    strbuf_free(&lines);
}

static void check_drop(carrier *self, const char *want) {
    strbuf lines = {0};
    CHECK(session_drop_unsent(self->session, &lines));
    CHECK_TEXT("dropped", strbuf_str(&lines), want);
    strbuf_free(&lines);
    CHECK(session_unsent(self->session) == 0);
    check_pending(self, "");
}

static void maps_are_told_in_their_order_with_all_fields(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_init(&self, &config, GOAL_STREAM);
    check_pending(&self, "");
    map_field fields[] = {{"a b", 3, "1&\n", 3, false}, {"n", 1, "[2]", 3, true}, {"", 0, "", 0, false}};
    CHECK(session_send_map(self.session, fields, 3) == 0);
    CHECK(carrier_send(&self, "x") == 1);
    check_pending(&self, "0 a+b=S1%26%0A&n=J%5B2%5D&=S\n1 _S=Sx\n");
    CHECK(session_unsent(self.session) == 2);
    carrier_free(&self);
}

static void what_no_request_has_held_is_gone_when_taken_back(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_send(&self, "x");
    check_drop(&self, "0 _S=Sx\n");
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=0");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    CHECK(carrier_send(&self, "y") == 1);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK_TEXT("body", self.request.body, "count=1&ofs=0&req0__S=y");
    carrier_free(&self);
}

static void what_a_request_holds_stays_until_it_is_confirmed(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    carrier_expect(&self, REQUEST_MAPS);
    carrier_send(&self, "y");
    check_drop(&self, "0 _S=Sx\n1 _S=Sy\n");
    check_drop(&self, "");
    CHECK(carrier_send(&self, "z") == 2);
    check_pending(&self, "2 _S=Sz\n");
    carrier_answer(&self, SLOT_FORWARD, 503, "Later", "");
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK_TEXT("body", self.request.body, "count=2&ofs=0&req0__S=x&req1__S=z");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    CHECK(session_unsent(self.session) == 0);
    carrier_free(&self);
}

static void maps_may_be_taken_back_until_the_request_that_is_to_hold_them_is_sent(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_init(&self, &config, GOAL_STREAM);
    session_set_custom_urls(self.session, false, true);
    carrier_send(&self, "x");
    CHECK(carrier_next(&self) == ACTION_ASK_URL);
    check_drop(&self, "0 _S=Sx\n");
    CHECK(session_give_url(self.session, SLOT_FORWARD, "http://server/made"));
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=0");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    CHECK(carrier_send(&self, "y") == 1);
    check_pending(&self, "1 _S=Sy\n");
    carrier_free(&self);
}

static void what_another_session_confirms_is_confirmed_once(void) {
    static const char opening[] = "[[0,[\"c\",\"SID2\",\"\",8]]]";
    carrier self;
    session_config config = carrier_config(&dialect_webchannel);
    config.fast_handshake = true;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_BACK);
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, OPENING, strlen(OPENING));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    carrier_send(&self, "x");
    carrier_expect(&self, REQUEST_MAPS);
    // By hand, while the maps are on their way.
    CHECK(session_set(self.session, FIELD_SID, NULL));
    carrier_expect_abort(&self, SLOT_FORWARD);
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_has(self.request.url, "$req=count%3D1"));
    session_on_header(self.session, SLOT_BACK, "X-HTTP-Initial-Response", 23, opening, strlen(opening));
    session_on_status(self.session, SLOT_BACK, 200, "OK", 0);
    CHECK(session_unsent(self.session) == 0);
    CHECK(carrier_send(&self, "y") == 1);
    check_pending(&self, "1 _S=Sy\n");
    carrier_free(&self);
}

static void what_was_taken_back_does_not_outlive_its_session(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    carrier_expect(&self, REQUEST_MAPS);
    check_drop(&self, "0 _S=Sx\n");
    carrier_send(&self, "y");
    carrier_answer(&self, SLOT_FORWARD, 410, "Gone", "");
    carrier_expect_abort(&self, SLOT_BACK);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK_TEXT("body", self.request.body, "count=1&ofs=0&req0__S=y");
    carrier_free(&self);
}

static void what_only_a_lost_sessions_requests_held_is_gone_when_taken_back(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    carrier_send(&self, "y");
    carrier_expect(&self, REQUEST_MAPS);
    session_set_asks_session(self.session, true);
    carrier_answer(&self, SLOT_FORWARD, 410, "Gone", "");
    carrier_expect_abort(&self, SLOT_BACK);
    // The next one is given so large a map of its own that the others wait for the request after it.
    CHECK(carrier_next(&self) == ACTION_ASK_SESSION);
    session_prepare(self.session);
    map_field fields[900] = {{"own", 3, "own", 3, false}};
    for (size_t i = 1; i < sizeof fields / sizeof *fields; i++)
        fields[i] = fields[0];
    CHECK(session_send_map_first(self.session, fields, sizeof fields / sizeof *fields) == 2);
    session_answered(self.session, true);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK(strncmp(self.request.body, "count=1&", 8) == 0);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", OPENING);
    check_drop(&self, "0 _S=Sx\n1 _S=Sy\n");
    carrier_stream(&self); // no request with maps
    CHECK(carrier_next(&self) == ACTION_WAIT);
    carrier_free(&self);
}

static void what_was_taken_back_is_not_told_when_it_is_refused(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    carrier_two_way(&self, &config, OPENING);
    carrier_send(&self, "x");
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 503, "Later", "");
    check_drop(&self, "0 _S=Sx\n");
    carrier_send(&self, "y");
    carrier_wait(&self);
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 403, "No", "");
    const session_error *error = session_get_error(self.session);
    CHECK(error->kind == ERROR_MAPS_REFUSED);
    CHECK_TEXT("refused", strbuf_str(&error->refused), "1 _S=Sy\n");
    CHECK(session_unsent(self.session) == 1); // until somebody is told
    session_end_told(self.session);
    CHECK(session_unsent(self.session) == 0);
    carrier_free(&self);
}

static void there_is_room_for_so_many_bytes_of_keys_and_values(void) {
    carrier self;
    session_config config = carrier_config(&dialect_browserchannel);
    config.max_unsent = 10;
    carrier_two_way(&self, &config, OPENING);
    CHECK(session_room_for(self.session, 10) == ROOM_NOW);
    CHECK(session_room_for(self.session, 11) == ROOM_NEVER);
    CHECK(session_room_for(self.session, SIZE_MAX) == ROOM_NEVER);
    carrier_send(&self, "\xC3\xA9xxx"); // and the two of its key
    CHECK(session_room_for(self.session, 3) == ROOM_NOW);
    CHECK(session_room_for(self.session, 4) == ROOM_LATER);
    carrier_expect(&self, REQUEST_MAPS);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    CHECK(session_room_for(self.session, 10) == ROOM_NOW);
    carrier_send(&self, "12345678");
    carrier_expect(&self, REQUEST_MAPS);
    CHECK(session_room_for(self.session, 1) == ROOM_LATER);
    check_drop(&self, "1 _S=S12345678\n"); // what the server may have is nobody's wait
    CHECK(session_room_for(self.session, 10) == ROOM_NOW);
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    CHECK(session_room_for(self.session, 10) == ROOM_NOW);
    carrier_free(&self);
}

/* A server that orders maps by their numbers: each session's begin at 0. */
typedef struct ordered {
    long next;
    char last[32];
} ordered;

/* Read `count=…&ofs=…`; a gap would be waited for, for ever. */
static void take(ordered *server, const char *body) {
    long count = strtol(strstr(body, "count=") + 6, NULL, 10);
    if (count == 0)
        return;
    long first = strtol(strstr(body, "ofs=") + 4, NULL, 10);
    CHECK(first >= 0 && first <= server->next);
    if (first + count <= server->next)
        return;
    server->next = first + count;
    const char *text = strrchr(body, '=') + 1;
    CHECK(strlen(text) < sizeof server->last);
    memcpy(server->last, text, strlen(text) + 1);
}

static void whatever_is_taken_back_the_numbers_have_no_gap_and_the_last_map_arrives(void) {
    for (uint64_t seed = 1; seed < 3000; seed++) {
        uint64_t chance = seed;
        carrier self;
        session_config config = carrier_config(&dialect_browserchannel);
        ordered server = {0};
        carrier_init(&self, &config, GOAL_STREAM);
        session_set_asks_session(self.session, seed % 2 == 0);
        size_t left = 30;
        for (int turn = 0; turn < 4000; turn++) {
            if (left > 0 && check_random_below(&chance, 3) == 0) {
                char text[32];
                snprintf(text, sizeof text, "m%zu", --left);
                carrier_send(&self, text);
            }
            if (left > 0 && check_random_below(&chance, 8) == 0) {
                strbuf lines = {0};
                CHECK(session_drop_unsent(self.session, &lines));
                CHECK(session_unsent(self.session) == 0);
                strbuf_free(&lines);
            }
            action_kind kind = carrier_next(&self);
            exchange_slot slot = self.action.slot;
            if (kind == ACTION_ASK_SESSION) {
                map_field own = {"own", 3, "own", 3, false};
                session_prepare(self.session);
                CHECK(session_send_map_first(self.session, &own, 1) >= 0);
                session_answered(self.session, true);
            } else if (kind == ACTION_ABORT) {
                session_on_done(self.session, slot, TRANSPORT_STOPPED, 0, "", self.now_ms);
            } else if (kind == ACTION_WAIT) {
                self.now_ms = self.action.at_ms != SESSION_NEVER ? self.action.at_ms : self.now_ms;
                if (left == 0 && session_unsent(self.session) == 0)
                    break;
            } else if (kind == ACTION_SEND && self.request.kind == REQUEST_BACK) {
                session_on_status(self.session, slot, 200, "OK", 0);
                if (check_random_below(&chance, 3) == 0)
                    session_on_done(self.session, slot, TRANSPORT_BROKEN, 0, "", self.now_ms);
            } else if (kind == ACTION_SEND) {
                bool opens = self.request.kind == REQUEST_OPEN;
                // A session that the server opened and nobody heard of is another one.
                ordered fresh = {0};
                ordered *heard = opens ? &fresh : &server;
                size_t what = left > 0 ? check_random_below(&chance, 5) : 4;
                if (what != 0)
                    take(heard, self.request.body);
                // Taken back while it is under way.
                if (left > 0 && check_random_below(&chance, 6) == 0) {
                    strbuf lines = {0};
                    CHECK(session_drop_unsent(self.session, &lines));
                    strbuf_free(&lines);
                }
                if (what < 2) {
                    session_on_done(self.session, slot, TRANSPORT_BROKEN, 0, "", self.now_ms);
                } else if (what == 2 && !opens) {
                    carrier_answer(&self, slot, 410, "Gone", "");
                } else if (what == 3) {
                    carrier_answer(&self, slot, 503, "Later", "");
                } else {
                    carrier_answer(&self, slot, 200, "OK", opens ? OPENING : MAPS_REPLY);
                    if (opens)
                        server = fresh;
                }
            } else if (kind == ACTION_ENDED) {
                session_end_told(self.session);
                session_set_goal(self.session, GOAL_STREAM);
            }
        }
        CHECK(left == 0);
        CHECK(session_unsent(self.session) == 0);
        CHECK_TEXT("the last map", server.last, "m0");
        carrier_free(&self);
    }
}

static void a_raw_session_queues_data_as_it_stands_in_the_body(void) {
    carrier self;
    session_config config = carrier_config(&dialect_webchannel);
    config.raw = true;
    carrier_two_way(&self, &config, OPENING);
    carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"noop\"]],[2, {'a':nul} ],[3,[1,,]]]"));
    static const char *const want[] = {"{'a':nul}", "[1,,]"};
    record found;
    for (size_t i = 0; i < 2; i++) {
        CHECK(queue_peek(session_queue(self.session), &found));
        CHECK(found.kind == RECORD_BYTES && found.id == (int64_t)i + 2);
        CHECK(found.length == strlen(want[i]) && memcmp(found.bytes, want[i], found.length) == 0);
        session_pop(self.session);
    }
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[4,[\"close\"]]]")) == INTAKE_STOP);
    carrier_free(&self);
}

static void requests_go_to_the_path_that_was_asked_for(void) {
    static const char *const paths[] = {"", "/events"};
    for (size_t i = 0; i < 2; i++) {
        carrier self;
        session_config config = carrier_config(&dialect_browserchannel);
        config.bind_path = paths[i];
        carrier_init(&self, &config, GOAL_STREAM);
        carrier_expect(&self, REQUEST_OPEN);
        char want[64];
        snprintf(want, sizeof want, "http://server/base%s?VER=8", paths[i]);
        CHECK(strncmp(self.request.url, want, strlen(want)) == 0);
        carrier_free(&self);
    }
}

static const check_case cases[] = {
    CASE(maps_are_told_in_their_order_with_all_fields),
    CASE(what_no_request_has_held_is_gone_when_taken_back),
    CASE(what_a_request_holds_stays_until_it_is_confirmed),
    CASE(maps_may_be_taken_back_until_the_request_that_is_to_hold_them_is_sent),
    CASE(what_another_session_confirms_is_confirmed_once),
    CASE(what_was_taken_back_does_not_outlive_its_session),
    CASE(what_only_a_lost_sessions_requests_held_is_gone_when_taken_back),
    CASE(what_was_taken_back_is_not_told_when_it_is_refused),
    CASE(there_is_room_for_so_many_bytes_of_keys_and_values),
    CASE(whatever_is_taken_back_the_numbers_have_no_gap_and_the_last_map_arrives),
    CASE(a_raw_session_queues_data_as_it_stands_in_the_body),
    CASE(requests_go_to_the_path_that_was_asked_for),
};

CHECK_MAIN(cases)
