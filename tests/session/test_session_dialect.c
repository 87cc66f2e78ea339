/* A dialect that this test adds: what docs/dialects.rst shows is here, and holds. */
#include "carrier.h"

// [dialect begins]
/* A server *foo* speaks browserchannel at /foo/connect, gives a session a second id with ["bond", id], which
 * it wants as `bond=` in every later query, ends its session with ["bye"], and knows no TYPE=terminate. */
static void foo_query(const session *self, request_kind kind, strbuf *out) {
    (void)kind;
    const strbuf *bond = session_get(self, FIELD_GSESSIONID);
    if (bond->length != 0)
        strbuf_parameter(out, "&bond=", bond);
}

static const control_array foo_controls[] = {
    CONTROL_OPEN,
    CONTROL_NOOP,
    CONTROL_STOP,
    {"bond", ROLE_GSESSIONID, FORM_TEXT, PLACE_FIRST},
    {"bye", ROLE_CLOSE, FORM_WORD, PLACE_ANY},
    {.name = NULL},
};

static const dialect dialect_foo = {
    .name = "foo",
    .bind_path = "/foo/connect",
    .cver = 1,
    .opens_with_maps = true,
    .terminate = TERMINATE_NEVER,
    .controls = foo_controls,
    .write_query = foo_query,
};
// [dialect ends]

static void stream(carrier *self) {
    session_config config = carrier_config(&dialect_foo);
    carrier_two_way(self, &config, OPENING);
}

// [test begins]
static void its_requests_are_what_the_table_says(void) {
    session_config config = carrier_config(&dialect_foo);
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    CHECK(session_set(self.session, FIELD_PARAMS, "key=a%26b"));
    CHECK(carrier_send(&self, "hello") == 0);
    carrier_expect(&self, REQUEST_OPEN);
    CHECK(carrier_has(self.request.url, "http://server/base/foo/connect?VER=8&RID="));
    CHECK(carrier_has(self.request.url, "&key=a%26b&"));
    CHECK(!carrier_has(self.request.url, "bond="));
    CHECK_TEXT("body", self.request.body, "count=1&ofs=0&req0__S=hello");
    carrier_answer(&self, SLOT_FORWARD, 200, "OK",
                   CHUNKS("[[0,[\"c\",\"SID1\",\"\",8]],[1,[\"bond\",\"x&y\"]]]"));
    carrier_expect(&self, REQUEST_BACK);
    CHECK(carrier_has(self.request.url, "&SID=SID1&bond=x%26y&key=a%26b&"));
    carrier_free(&self);
}

static void its_own_control_array_ends_the_session_in_order(void) {
    carrier self;
    stream(&self);
    CHECK(carrier_body(&self, SLOT_BACK, CHUNKS("[[1,[\"hi\"]],[2,[\"bye\"]]]")) == INTAKE_STOP);
    CHECK(session_queue(self.session)->count == 1);
    carrier_expect_abort(&self, SLOT_BACK);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    CHECK(session_get_error(self.session)->kind == ERROR_NONE);
    carrier_free(&self);
}
// [test ends]

static void the_others_control_arrays_are_messages_to_it(void) {
    carrier self;
    stream(&self);
    CHECK(carrier_body(&self, SLOT_BACK,
                       CHUNKS("[[1,[\"S\",\"x\"]],[2,[\"close\"]],[3,[{\"gsid\":\"x\"}]]]")) == INTAKE_OK);
    CHECK(session_queue(self.session)->count == 3);
    CHECK(session_get(self.session, FIELD_GSESSIONID)->length == 0);
    carrier_free(&self);
}

static void a_server_that_cannot_be_told_is_not_told_of_the_end(void) {
    carrier self;
    stream(&self);
    session_close(self.session);
    carrier_expect_abort(&self, SLOT_BACK);
    CHECK(carrier_next(&self) == ACTION_ENDED);
    carrier_free(&self);
}

static void only_a_dialect_that_knows_it_opens_with_its_back_channel(void) {
    session_config config = carrier_config(&dialect_foo);
    config.fast_handshake = true;
    carrier self;
    carrier_init(&self, &config, GOAL_STREAM);
    carrier_expect(&self, REQUEST_OPEN);
    carrier_free(&self);
}

static const check_case cases[] = {
    CASE(its_requests_are_what_the_table_says),
    CASE(its_own_control_array_ends_the_session_in_order),
    CASE(the_others_control_arrays_are_messages_to_it),
    CASE(a_server_that_cannot_be_told_is_not_told_of_the_end),
    CASE(only_a_dialect_that_knows_it_opens_with_its_back_channel),
};

CHECK_MAIN(cases)
