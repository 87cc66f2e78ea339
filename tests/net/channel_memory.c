/* Memory that runs out in a channel, libcurl's included, at every allocation in turn:
 *
 *     channel_memory once|for-good URL
 *
 * The server at URL speaks talk, and has two messages. Each time both come, or the channel says what is
 * wrong; it does neither crash nor hang. Prints how many allocations there are. */
#include "failing.h"

#include <curl/curl.h>

#include "net/net.h"
#include "session/dialect.h"

// In ms: longer means that it hangs.
#define PATIENCE_MS 20000
#define MESSAGES 2

static void count_messages(session *self, size_t *count) {
    record taken;
    while (queue_peek(session_queue(self), &taken)) {
        (*count)++;
        session_pop(self);
    }
}

static net_channel *make(net_loop *loop, const char *url) {
    session_config config = {.dialect = &dialect_talk,
                             .url = url,
                             .timeout_ms = 2000,
                             .request_timeout_ms = 2000,
                             .max_backoff_ms = 1,
                             .max_reconnects = 3,
                             .auto_reconnect = true,
                             .seed = 7};
    net_options options = {.connect_timeout_ms = 2000,
                           .user_agent = "a test",
                           .headers = "One: 1\nTwo: 2",
                           .cookies = "mine=1; theirs=2",
                           .proxy = "",
                           .verify = true};
    session *carried = session_new(&config);
    if (carried == NULL)
        return NULL;
    net_channel *self =
        session_set(carried, FIELD_TOKEN, "tok-secret") ? net_channel_new(carried, &options, NULL) : NULL;
    if (self == NULL) {
        session_free(carried);
        return NULL;
    }
    session_set_goal(carried, GOAL_STREAM);
    net_channel_set_keeps_cookies(self, true);
    if (net_channel_join(self, loop))
        return self;
    net_channel_free(self);
    return NULL;
}

// Whether all messages have come; if not, the channel has said that it failed.
static bool receive(net_loop *loop, net_channel *self) {
    int64_t deadline_ms = net_now_ms() + PATIENCE_MS;
    size_t count = 0;
    net_channel_step(self);
    while (count < MESSAGES) {
        if (net_channel_state(self).kind == ACTION_ENDED) {
            CHECK(session_get_error(net_channel_session(self))->kind != ERROR_NONE);
            return false;
        }
        CHECK(net_now_ms() < deadline_ms);
        net_loop_wait(loop, net_loop_wait_ms(loop, 100));
        net_loop_perform(loop);
        count_messages(net_channel_session(self), &count);
        net_channel_resume(self);
        net_channel_step(self);
    }
    return true;
}

// Of what servers have set nothing is told by half; nor is any left out where all has come.
static void check_set_cookies(net_channel *self, bool received) {
    strbuf lines;
    net_channel_take_set_cookies(self, &lines);
    const char *at = strbuf_str(&lines);
    for (; *at != '\0'; at += strcspn(at, "\n") + 1) {
        const char *value = strchr(at, '\t');
        CHECK(value != NULL && (strncmp(value, "\ttheirs=3; Path=/\n", 18) == 0 ||
                                strncmp(value, "\tmore=4; Path=/\n", 16) == 0));
    }
    at = strbuf_str(&lines);
    CHECK(!received || (strstr(at, "theirs=3") != NULL && strstr(at, "more=4") != NULL));
    strbuf_free(&lines);
}

// All cookies are shown, or it is said that they cannot be.
static void check_cookies(net_channel *self, bool for_good) {
    size_t failed;
    long allowed = 0;
    failing_for_good = for_good;
    do {
        strbuf lines = {0};
        failed = failing_count;
        failing_left = allowed++;
        net_channel_write_cookies(self, &lines);
        failing_left = -1;
        CHECK(strbuf_failed(&lines) || (strstr(strbuf_str(&lines), "\ttheirs\t3\n") != NULL &&
                                        strstr(strbuf_str(&lines), "\tmore\t4\n") != NULL &&
                                        strstr(strbuf_str(&lines), "\tmark\t") == NULL));
        strbuf_free(&lines);
    } while (failing_count != failed);
    failing_for_good = false;
}

static bool run(const char *url) {
    net_loop *loop = net_loop_new();
    net_channel *channel = loop != NULL ? make(loop, url) : NULL;
    bool received = channel != NULL && receive(loop, channel);
    if (channel != NULL)
        check_set_cookies(channel, received);
    if (received && failing_count == 0) { // libcurl forgets one where memory runs out
        check_cookies(channel, false);
        check_cookies(channel, true);
    }
    net_channel_free(channel);
    net_loop_free(loop);
    return received;
}

// Who has left one loop must come into another.
static void join_without_memory(const char *url) {
    enum { CHANNELS = 5 };
    net_loop *loop = net_loop_new();
    net_channel *channels[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        CHECK((channels[i] = make(NULL, url)) != NULL);
    CHECK(net_loop_reserve(loop, CHANNELS));
    failing_for_good = true;
    failing_left = 0;
    for (int i = 0; i < CHANNELS; i++)
        CHECK(net_channel_join(channels[i], loop));
    CHECK(!net_loop_reserve(loop, 1000));
    failing_left = -1;
    failing_for_good = false;
    for (int i = 0; i < CHANNELS; i++)
        net_channel_free(channels[i]);
    net_loop_free(loop);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    CHECK(curl_global_init_mem(CURL_GLOBAL_DEFAULT, failing_malloc, free, failing_realloc, failing_strdup,
                               failing_calloc) == CURLE_OK);
    CHECK(run(argv[2]));
    join_without_memory(argv[2]);
    failing_for_good = strcmp(argv[1], "for-good") == 0;
    long allowed = 0;
    size_t failed;
    do {
        failed = failing_count;
        failing_left = allowed++;
        run(argv[2]);
        failing_left = -1;
    } while (failing_count != failed);
    // It has taken no harm.
    CHECK(run(argv[2]));
    curl_global_cleanup();
    printf("%ld\n", allowed - 1);
    return 0;
}
