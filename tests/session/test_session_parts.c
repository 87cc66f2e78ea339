/* What a session is made of: queue, texts, maps, log, redaction. */
#include "carrier.h"

#include <sys/resource.h> // setrlimit()

/* ---- queue.h ---- */

static void put(queue *self, int64_t id, size_t length) {
    uint8_t *room = queue_reserve(self, length);
    CHECK(room != NULL);
    memset(room, (int)(id & 0x7F), length);
    queue_commit(self, id, id % 2 ? RECORD_TEXT : RECORD_LITERAL, length);
}

static void put_back(queue *self, int64_t id, size_t length) {
    static uint8_t bytes[99700];
    CHECK(length <= sizeof bytes);
    memset(bytes, (int)(id & 0x7F), length);
    CHECK(queue_put_back(self, &(record){.id = id,
                                         .kind = id % 2 ? RECORD_TEXT : RECORD_LITERAL,
                                         .bytes = bytes,
                                         .length = length}));
}

static void expect_oldest(const queue *self, int64_t id, size_t length) {
    record found;
    CHECK(queue_peek(self, &found));
    CHECK(found.id == id && found.length == length);
    CHECK(found.kind == (id % 2 ? RECORD_TEXT : RECORD_LITERAL));
    for (size_t i = 0; i < length; i++)
        CHECK(found.bytes[i] == (id & 0x7F));
}

static size_t length_of(int64_t id) {
    return (size_t)(id * 7919 % 997) * (id % 50 == 0 ? 100 : 1);
}

static void records_come_out_as_they_went_in_whatever_is_taken_when(void) {
    queue self = {0};
    uint64_t seed = 3;
    int64_t in = 0, out = 0;
    record found;
    CHECK(!queue_peek(&self, &found));
    while (out < 20000) {
        if (in < 20000 && check_random_below(&seed, 100) < (in / 2000 % 2 ? 45 : 55)) {
            put(&self, in, length_of(in));
            in++;
        } else if (out < in) {
            expect_oldest(&self, out, length_of(out));
            queue_pop(&self, 4096);
            out++;
        }
        if (out > 0 && check_random_below(&seed, 10) == 0) {
            out--;
            put_back(&self, out, length_of(out));
        }
        CHECK(self.count == (size_t)(in - out));
        CHECK((queue_bytes(&self) == 0) == (in == out));
    }
    // Nothing is left in it: nor is more held than was asked to be kept.
    CHECK(self.capacity <= 4096);
    queue_free(&self);
}

// Those that were taken last are the last ones before `out`; a record's bytes are all its id's.
static void expect_past(queue *self, int64_t out) {
    const past_records *past = queue_past(self);
    CHECK(past_count(past) == (size_t)(out < PAST_RECORDS ? out : PAST_RECORDS));
    for (size_t place = 0; place < past_count(past); place++) {
        const past_record *kept = past_get(past, place);
        CHECK(kept->id == out - (int64_t)(past_count(past) - place));
        CHECK(kept->length == length_of(kept->id));
        for (size_t i = 0; i < kept->length && i < PAST_BYTES; i++)
            CHECK(kept->bytes[i] == (kept->id & 0x7F));
    }
}

static void what_was_taken_last_is_remembered_whatever_happened_to_the_buffer(void) {
    queue self = {0};
    uint64_t seed = 5;
    int64_t in = 0, out = 0;
    expect_past(&self, 0);
    while (out < 20000) {
        uint64_t what = check_random_below(&seed, 100);
        if (in < 20000 && what < (in / 2000 % 2 ? 45 : 55)) {
            put(&self, in, length_of(in));
            in++;
        } else if (out < in) {
            queue_pop(&self, 4096);
            out++;
        }
        if (what % 25 == 0)
            queue_rest(&self);
        if (what % 7 == 0)
            expect_past(&self, out);
    }
    expect_past(&self, out);
    queue_free(&self);
}

static void what_was_put_back_is_none_of_what_was_taken(void) {
    queue self = {0};
    uint64_t seed = 7;
    int64_t in = 0, out = 0;
    size_t least = 0; // how many must be remembered
    bool popped = false;
    while (out < 20000) {
        uint64_t what = check_random_below(&seed, 100);
        if (in < 20000 && what < (in / 2000 % 2 ? 45 : 55)) {
            put(&self, in, length_of(in));
            in++;
        } else if (out < in && what < 90) {
            queue_pop(&self, 4096);
            out++;
            least += least < PAST_RECORDS;
            popped = true;
        } else if (popped) {
            popped = false;
            out--;
            put_back(&self, out, length_of(out));
            least--;
        }
        if (what % 7 != 0)
            continue;
        const past_records *past = queue_past(&self);
        CHECK(past_count(past) >= least && past_count(past) <= PAST_RECORDS);
        for (size_t place = 0; place < past_count(past); place++) {
            const past_record *kept = past_get(past, place);
            CHECK(kept->id == out - (int64_t)(past_count(past) - place));
            CHECK(kept->length == length_of(kept->id));
            CHECK(kept->length == 0 || kept->bytes[0] == (kept->id & 0x7F));
        }
    }
    queue_free(&self);
}

// As where one thread runs out of memory while another one takes what comes next.
static void a_record_may_be_put_back_after_others_were_taken(void) {
    static const size_t lengths[] = {0, 5, 16, 68, 100, 300};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    for (size_t first = 0; first < COUNT; first++)
        for (size_t second = 0; second < COUNT; second++)
            for (size_t before = 0; before < 512; before += 16) {
                queue self = {0};
                put(&self, 1, before);
                put(&self, 2, lengths[first]);
                put(&self, 3, lengths[second]);
                put(&self, 4, 5);
                for (int taken = 0; taken < 3; taken++)
                    queue_pop(&self, 4096);
                put_back(&self, 2, lengths[first]);
                const past_records *past = queue_past(&self);
                for (size_t place = 0; place < past_count(past); place++) {
                    const past_record *kept = past_get(past, place);
                    CHECK(kept->id >= 1 && kept->id <= 3);
                    for (size_t i = 0; i < kept->length && i < PAST_BYTES; i++)
                        CHECK(kept->bytes[i] == (kept->id & 0x7F));
                }
                expect_oldest(&self, 2, lengths[first]);
                queue_pop(&self, 4096);
                expect_oldest(&self, 4, 5);
                queue_free(&self);
            }
}

static void a_queue_at_rest_gives_its_buffer_back_unless_something_is_in_it(void) {
    queue self = {0};
    put(&self, 1, 100000);
    queue_rest(&self);
    expect_oldest(&self, 1, 100000);
    queue_pop(&self, 1024 * 1024);
    CHECK(self.capacity >= 100000);
    queue_rest(&self);
    CHECK(self.capacity == 0);
    put(&self, 2, 10);
    expect_oldest(&self, 2, 10);
    queue_free(&self);
}

// Give a back channel a chunk of one message of so many bytes, and the message to its consumer.
static void receive(carrier *self, int id, size_t length) {
    size_t room = length + 64;
    char *payload = malloc(room), *body = malloc(room), *text = malloc(length + 1);
    CHECK(payload != NULL && body != NULL && text != NULL);
    memset(text, 'x', length);
    text[length] = '\0';
    snprintf(payload, room, "[[%d,[\"c\",[\"CLID\",[\"ae\",\"%s\"]]]]]", id, text);
    snprintf(body, room, "%zu\n%s", strlen(payload), payload);
    CHECK(carrier_body(self, SLOT_BACK, body) == INTAKE_OK);
    record found;
    CHECK(queue_peek(session_queue(self->session), &found));
    CHECK(found.id == id && found.length == length && memcmp(found.bytes, text, length) == 0);
    session_pop(self->session);
    free(payload);
    free(body);
    free(text);
}

static void a_busy_channel_keeps_twice_its_limit_until_a_keep_alive_finds_nothing(void) {
    session_config config = carrier_config(&dialect_talk);
    config.queue_limit = 4096;
    carrier self;
    carrier_talk(&self, &config);
    const queue *held = session_queue(self.session);
    receive(&self, 1, 2 * 4096 - 100);
    const uint8_t *data = held->data;
    CHECK(held->count == 0 && held->capacity == 2 * 4096);
    // And has it for what comes next.
    receive(&self, 2, 4000);
    receive(&self, 3, 2 * 4096 - 100);
    CHECK(held->data == data && held->capacity == 2 * 4096);
    CHECK(carrier_body(&self, SLOT_BACK, "14\n[[4,[\"noop\"]]]") == INTAKE_OK);
    CHECK(held->data == NULL && held->capacity == 0);
    // One message of a size that is not usual leaves nothing behind.
    receive(&self, 5, 100000);
    CHECK(held->data == NULL && held->capacity == 0);
    carrier_free(&self);
}

static void what_a_chunk_has_queued_can_be_taken_back(void) {
    queue self = {0};
    put(&self, 1, 10);
    put(&self, 2, 20);
    queue_pop(&self, 0);
    queue_mark mark = queue_get_mark(&self);
    for (int64_t id = 3; id < 200; id++)
        put(&self, id, 100);
    queue_rewind(&self, mark);
    CHECK(self.count == 1);
    CHECK(queue_bytes(&self) == mark.bytes);
    expect_oldest(&self, 2, 20);
    put(&self, 3, 5);
    queue_pop(&self, 0);
    expect_oldest(&self, 3, 5);
    queue_free(&self);
}

static void a_record_over_4_gib_is_refused(void) {
    queue self = {0};
    CHECK(queue_reserve(&self, (size_t)UINT32_MAX + 1) == NULL);
    queue_free(&self);
}

/* ---- strbuf.h ---- */

static void texts_grow_and_are_quoted_as_forms_are(void) {
    strbuf text = {0};
    CHECK_TEXT("empty", strbuf_str(&text), "");
    strbuf_text(&text, "a=");
    strbuf_quote(&text, "x y/\xC3\xA9&+~-_.", 12);
    CHECK_TEXT("quoted", strbuf_str(&text), "a=x+y%2F%C3%A9%26%2B~-_.");
    strbuf_clear(&text);
    for (int i = 0; i < 1000; i++)
        strbuf_format(&text, "%d,", i);
    CHECK(text.length == 3890);
    CHECK(strlen(strbuf_str(&text)) == text.length);
    CHECK(strbuf_set(&text, NULL));
    CHECK_TEXT("unset", strbuf_str(&text), "");
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    strbuf_format(&text, "%s", longer);
    CHECK(text.length == 1023);
    strbuf_free(&text);
}

/* ---- Maps ---- */

static size_t count_in(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static void no_request_holds_more_maps_than_servers_read(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_two_way(&self, &config, OPENING);
    for (int i = 0; i < 2000; i++)
        CHECK(carrier_send(&self, "x") == i);
    CHECK(session_unsent(self.session) == 2000);
    size_t sent = 0;
    while (session_unsent(self.session) != 0) {
        carrier_expect(&self, REQUEST_MAPS);
        char head[64];
        size_t count = count_in(self.request.body, "&req");
        CHECK(count > 0 && count <= 900);
        snprintf(head, sizeof head, "count=%zu&ofs=%zu&req0__S=x", count, sent);
        CHECK(strncmp(self.request.body, head, strlen(head)) == 0);
        sent += count;
        carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    }
    CHECK(sent == 2000);
    carrier_free(&self);
}

static void long_maps_go_alone_and_a_failed_request_is_sent_again(void) {
    session_config config = carrier_config(&dialect_browserchannel);
    carrier self;
    carrier_two_way(&self, &config, OPENING);
    char *text = malloc(200001);
    CHECK(text != NULL);
    memset(text, 'y', 200000);
    text[200000] = '\0';
    CHECK(carrier_send(&self, text) == 0);
    CHECK(carrier_send(&self, "z") == 1);
    free(text);
    for (int attempt = 1; attempt <= 3; attempt++) {
        char trial[16];
        snprintf(trial, sizeof trial, "&t=%d", attempt);
        carrier_expect(&self, REQUEST_MAPS);
        CHECK(strncmp(self.request.body, "count=1&ofs=0&", 14) == 0);
        CHECK(carrier_has(self.request.url, trial));
        if (attempt == 3)
            break;
        session_on_done(self.session, SLOT_FORWARD, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
        CHECK(session_unsent(self.session) == 2);
        carrier_wait(&self);
    }
    carrier_answer(&self, SLOT_FORWARD, 200, "OK", MAPS_REPLY);
    carrier_expect(&self, REQUEST_MAPS);
    CHECK_TEXT("the other", self.request.body, "count=1&ofs=1&req0__S=z");
    carrier_free(&self);
}

/* ---- The log ---- */

static void a_log_that_nobody_takes_does_not_grow_for_ever(void) {
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_talk(&self, &config);
    strbuf text = {0};
    CHECK(session_take_log(self.session, &text) == 0); // LOG_WARNING at first
    session_set_log_level(self.session, LOG_DEBUG);
    for (int i = 0; i < 1000; i++) {
        session_on_done(self.session, SLOT_BACK, TRANSPORT_BROKEN, 56, "reset", self.now_ms);
        carrier_wait(&self);
        carrier_expect(&self, REQUEST_BACK);
    }
    int count = 0, level;
    while ((level = session_take_log(self.session, &text)) != 0) {
        CHECK(level == LOG_WARNING || level == LOG_DEBUG);
        CHECK(!carrier_has(strbuf_str(&text), "tok-secret"));
        count++;
    }
    CHECK(count == 256);
    strbuf_free(&text);
    carrier_free(&self);
}

static void secrets_are_starred_wherever_they_stand(void) {
    static const char *const pairs[][2] = {
        {"", ""},
        {"nothing to hide", "nothing to hide"},
        {"a tok-secret, and tok-secret", "a ***, and ***"},
        {"tok-secre, and", "tok-secre, and"},
        {"tok-", "***"}, // cut short, maybe
        {"tok", "tok"},
        {"http://me:pas", "http://***"},
        {"http://host:80", "http://host:80"},
        {"http://me:pass@host/x", "http://***@host/x"},
        {"http://host/x@y", "http://host/x@y"},
        {"GET /d?token=abc&RID=7&x=1 HTTP/1.1", "GET /d?token=***&RID=7&x=*** HTTP/1.1"},
        {"?VER=8&t=1&zx=abc", "?VER=8&t=1&zx=abc"},
        {"?novalue&x=1", "?novalue&x=***"},
        {"<a href='?a=1'>", "<a href='?a=***'>"},
        {"?tok-secret=1&xtok-secrety=2", "?***=***&x***y=***"},
        {"?\x1B[2Jx=1", "? [2Jx=***"},
        {"?", "?"},
        {"line\nline\x1B[0m\x7F", "line line [0m "},
        {"caf\xC3\xA9", "caf\xC3\xA9"},
        {"cookie c00kie", "cookie ***"},
    };
    session_config config = carrier_config(&dialect_talk);
    carrier self;
    carrier_init(&self, &config, GOAL_REST);
    session_add_secret(self.session, "c00kie", 6);
    session_add_secret(self.session, "the", 3); // too short to be looked for
    session_add_secret(self.session, "with\0NUL", 8);
    strbuf text = {0};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        strbuf_clear(&text);
        session_redact(self.session, pairs[i][0], &text);
        CHECK_TEXT(pairs[i][0], strbuf_str(&text), pairs[i][1]);
    }
    strbuf_free(&text);
    carrier_free(&self);
}

static void set_cookie(session *self, const char *value) {
    char header[8200];
    int length = snprintf(header, sizeof header, "name=%s; Path=/", value);
    CHECK(length > 0 && (size_t)length < sizeof header);
    session_on_header(self, SLOT_FORWARD, "Set-Cookie", 10, header, (size_t)length);
}

static void of_cookies_without_end_the_last_are_hidden(void) {
    enum { COOKIES = 500, LAST = 40 };
    const session_config config = {.dialect = &dialect_browserchannel, .url = "http://host"};
    session *self = session_new(&config);
    strbuf shown = {0};
    char value[128];
    CHECK(self != NULL);
    for (int number = 0; number < COOKIES; number++) {
        snprintf(value, sizeof value, "%0*d", 100, number);
        set_cookie(self, value);
        set_cookie(self, value);
        for (int last = number; last >= 0 && last > number - LAST; last--) {
            snprintf(value, sizeof value, "%0*d", 100, last);
            strbuf_clear(&shown);
            session_redact(self, value, &shown);
            CHECK_TEXT("a cookie", strbuf_str(&shown), "***");
        }
    }
    strbuf_free(&shown);
    session_free(self);
}

// The page's status and words, and head, as an error has them.
static void fail_with(session *self, const char *page, size_t length) {
    session_action action;
    session_set_goal(self, GOAL_OPEN);
    session_next(self, 0, &action);
    CHECK(action.kind == ACTION_SEND);
    session_on_status(self, SLOT_FORWARD, 403, "no", 0);
    session_on_head(self, SLOT_FORWARD, page, length);
    CHECK(session_on_body(self, SLOT_FORWARD, (const uint8_t *)page, length, 0) == INTAKE_OK);
    session_on_done(self, SLOT_FORWARD, TRANSPORT_OK, 0, "", 0);
    CHECK(session_get_error(self)->kind == ERROR_HTTP);
    CHECK(session_get_error(self)->body.length != 0);
    session_end_told(self);
}

static void pages_that_are_nearly_secrets_cost_no_more_than_others(void) {
    enum { LENGTH = 60000, TIMES = 20, SECONDS = 20 };
    static char page[LENGTH], value[8000];
    const struct rlimit limit = {SECONDS, SECONDS};
    const session_config config = {.dialect = &dialect_browserchannel, .url = "http://host"};
    setrlimit(RLIMIT_CPU, &limit);
    // A long cookie, of which nearly all stands everywhere; many short ones; and NULs, behind each of which a
    // text begins.
    for (int kind = 0; kind < 3; kind++) {
        session *self = session_new(&config);
        CHECK(self != NULL);
        memset(page, kind == 2 ? 0 : 'a', sizeof page);
        memset(value, 'a', sizeof value);
        value[sizeof value - 2] = 'b';
        value[sizeof value - 1] = 0;
        if (kind == 0)
            set_cookie(self, value);
        for (int number = 0; kind != 0 && number < 1600; number++) {
            snprintf(value, sizeof value, "a%03x", number);
            set_cookie(self, value);
        }
        for (int times = 0; times < TIMES; times++)
            fail_with(self, page, sizeof page);
        session_free(self);
    }
}

static void random_letters_are_letters(void) {
    session_config config = carrier_config(&dialect_talk);
    bool seen[128] = {false};
    strbuf text = {0};
    carrier self;
    carrier_init(&self, &config, GOAL_REST);
    session_random_letters(self.session, 5000, &text);
    CHECK(text.length == 5000);
    size_t different = 0;
    for (size_t i = 0; i < text.length; i++) {
        char letter = text.data[i];
        CHECK((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'));
        different += !seen[(int)letter];
        seen[(int)letter] = true;
    }
    CHECK(different == 52);
    strbuf_free(&text);
    carrier_free(&self);
}

static void dialects_are_found_by_name(void) {
    CHECK(dialect_find("talk") == &dialect_talk);
    CHECK(dialect_find("browserchannel") == &dialect_browserchannel);
    CHECK(dialect_find("webchannel") == &dialect_webchannel);
    CHECK(dialect_find("dev") == &dialect_dev);
    CHECK(dialect_find("gopher") == NULL);
    CHECK(dialect_find("") == NULL);
}

static void a_session_of_zeros_has_the_defaults(void) {
    session_config config = {.dialect = &dialect_talk, .url = "http://server"};
    session *self = session_new(&config);
    CHECK(self != NULL);
    CHECK(session_get_number(self, NUMBER_BACKOFF_MS) == 1000);
    CHECK(session_get_number(self, NUMBER_AUTO_RECONNECT) == 0);
    CHECK(session_get_number(self, NUMBER_MAX_RECONNECTS) == 0);
    CHECK(session_get_number(self, NUMBER_RID) == 1);
    CHECK(session_get_stats(self)->last_message_ms == -1);
    CHECK(session_is_half_duplex(self));
    session_action action;
    session_next(self, 0, &action);
    CHECK(action.kind == ACTION_REACHED);
    session_free(self);
    session_free(NULL);
}

static const check_case cases[] = {
    CASE(records_come_out_as_they_went_in_whatever_is_taken_when),
    CASE(what_was_taken_last_is_remembered_whatever_happened_to_the_buffer),
    CASE(what_was_put_back_is_none_of_what_was_taken),
    CASE(a_record_may_be_put_back_after_others_were_taken),
    CASE(a_queue_at_rest_gives_its_buffer_back_unless_something_is_in_it),
    CASE(a_busy_channel_keeps_twice_its_limit_until_a_keep_alive_finds_nothing),
    CASE(what_a_chunk_has_queued_can_be_taken_back),
    CASE(a_record_over_4_gib_is_refused),
    CASE(texts_grow_and_are_quoted_as_forms_are),
    CASE(no_request_holds_more_maps_than_servers_read),
    CASE(long_maps_go_alone_and_a_failed_request_is_sent_again),
    CASE(a_log_that_nobody_takes_does_not_grow_for_ever),
    CASE(secrets_are_starred_wherever_they_stand),
    CASE(of_cookies_without_end_the_last_are_hidden),
    CASE(pages_that_are_nearly_secrets_cost_no_more_than_others),
    CASE(random_letters_are_letters),
    CASE(dialects_are_found_by_name),
    CASE(a_session_of_zeros_has_the_defaults),
};

CHECK_MAIN(cases)
