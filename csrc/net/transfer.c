/* A libcurl easy handle, its callbacks, and what its end means. */
#include "net/transfer.h"

#include <stdlib.h> // malloc()
#include <string.h>
#include <strings.h> // strncasecmp()

#include "net/buffers.h"
#include "net/connect_queue.h"
#include "net/cookies.h"
#include "net/failure.h"
#include "net/news.h"
#include "net/openssl.h"
#include "net/redirects.h"
#include "net/setup.h"
#include "net/tls_failure.h"

#define MAX_REDIRECTS 5

// Of an error's header lines, in bytes; libcurl takes 300 kB.
#define MAX_HEAD (64 * 1024)

// How long a connection that is suspect may leave a request without any sign of life.
#define PROBE_MS 5000

// Less than this of a request's head libcurl writes at once: its buffer has four times as much.
#define WRITTEN_AT_ONCE (16 * 1024)

// So many connections that lie idle are enough for what a loop's channels send: of HTTP/1.1, a request each;
// of HTTP/2, a hundred.
#define IDLE_OWN 8
#define IDLE_SHARED 2

/* ---- The connection that a request is on ---- */

static void leave_connection(transfer *self) {
    net_loop *loop = self->channel->loop;
    connection *one = connections_find(&loop->connections, self->ends);
    if (one != NULL)
        connections_leave(&loop->connections, one);
    loop->returning -= self->returns;
    self->returns = false;
    self->ends = 0;
    self->probe_at_ms = SESSION_NEVER;
}

static void enter_connection(transfer *self, connection *one, int64_t now_ms) {
    self->sent_ms = now_ms;
    if (one == NULL)
        return;
    connections_enter(&self->channel->loop->connections, one);
    self->ends = one->ends;
    if (one->suspect)
        self->probe_at_ms = now_ms + PROBE_MS;
}

static void note_life(const transfer *self, int64_t now_ms) {
    connections *all = &self->channel->loop->connections;
    connection *one = connections_find(all, self->ends);
    if (one != NULL)
        connections_hear(all, one, now_ms);
}

static bool is_http2(const transfer *self) {
    long version = 0;
    curl_easy_getinfo(self->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_2_0;
}

// The head of an opening has come. By its connection go channels that open after it, and what is sent later:
// where none wait, or hundreds share one, and enough lie idle, another one would only keep memory, here and
// at the server. libcurl 7.88 opens dozens at once where one of HTTP/2 has all the streams that it may have.
static void choose_whether_to_keep(transfer *self) {
    net_loop *loop = self->channel->loop;
    const connection *one = connections_find(&loop->connections, self->ends);
    bool shares = is_http2(self);
    if (!self->opens || (self->channel->transfer_count == 1 && !shares) || one == NULL || one->users > 1)
        return;
    size_t wanted = shares ? IDLE_SHARED : IDLE_OWN + loop->waiting.count;
    self->returns = loop->connections.idle + loop->returning < wanted;
    loop->returning += self->returns;
    curl_easy_setopt(self->easy, CURLOPT_FORBID_REUSE, self->returns ? 0L : 1L);
}

/* ---- libcurl's callbacks ---- */

static void drop_coding(transfer *self) {
    content_coding_free(self->coding);
    self->coding = NULL;
}

// "HTTP/1.1 400 Unknown SID\r\n": the words behind the number. HTTP/2 has none.
static void read_status_line(transfer *self, const char *line, size_t length) {
    strbuf_clear(&self->reason);
    strbuf_free(&self->head);
    const char *end = line + length;
    const char *status = memchr(line, ' ', length);
    self->is_ok = status != NULL && end - status > 4 && memcmp(status, " 200", 4) == 0;
    for (int spaces = 0; line < end && spaces < 2; line++)
        spaces += *line == ' ';
    while (end > line && (end[-1] == '\r' || end[-1] == '\n'))
        end--;
    strbuf_append(&self->reason, line, (size_t)(end - line));
    if (strbuf_failed(&self->reason)) // what the server means may stand there alone
        self->decoded = CODING_MEMORY;
    self->head_done = self->has_location = false;
    drop_coding(self);
}

static void finish_head(transfer *self) {
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return; // an interim response: another head follows
    int64_t now_ms = net_now_ms();
    note_life(self, now_ms);
    self->head_done = true;
    choose_whether_to_keep(self);
    if (!transfer_pass_cookies_on(self))
        self->decoded = CODING_MEMORY;
    session_on_progress(self->channel->session, self->slot, 1, now_ms);
    bool redirects = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    // libcurl says where to only at the end.
    self->is_redirect = redirects && self->has_location;
    if (self->is_redirect)
        return;
    curl_easy_getinfo(self->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (self->head.length != 0)
        session_on_head(self->channel->session, self->slot, strbuf_str(&self->head), self->head.length);
    strbuf_free(&self->head);
    session_on_status(self->channel->session, self->slot, (int)status, strbuf_str(&self->reason),
                      retry_after > 0 ? (int64_t)(retry_after < 86400 ? retry_after : 86400) * 1000 : 0);
    if (!session_is_opening(self->channel->session))
        connect_queue_leave(self->channel);
    // The head alone may have opened the session.
    net_channel_step_soon(self->channel);
}

// A server that sets cookie after cookie must not make us keep them all, where nobody takes them.
static void take_cookie(transfer *self, const char *value, size_t length) {
    net_channel *channel = self->channel;
    char *url = NULL;
    if (!cookies_set(&self->cookies, channel->transfer_count > 1, channel->cookies, value, length))
        self->decoded = CODING_MEMORY;
    if (!channel->keeps_set_cookies || channel->set_cookies.length + length > MAX_HEAD)
        return;
    strbuf line = {0}; // all of it is kept, or none
    if (curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK && url != NULL)
        strbuf_text(&line, url);
    else // 8.23 may have no memory to tell where a redirect has led
        strbuf_fail(&line);
    strbuf_text(&line, "\t");
    strbuf_append(&line, value, length);
    strbuf_text(&line, "\n");
    if (!strbuf_failed(&line))
        strbuf_append(&channel->set_cookies, strbuf_str(&line), line.length);
    if (strbuf_failed(&line) || strbuf_failed(&channel->set_cookies))
        self->decoded = CODING_MEMORY;
    strbuf_free(&line);
    news_add(channel);
}

bool transfer_pass_cookies_on(transfer *self) {
    net_channel *channel = self->channel;
    for (int i = 0; i < channel->transfer_count; i++) {
        transfer *other = &channel->transfers[i];
        // The other one's, too, if they could not be passed on when they came.
        if (other != self && !(cookies_pass_on(&self->cookies, self->easy, &other->cookies, other->easy) &&
                               cookies_pass_on(&other->cookies, other->easy, &self->cookies, self->easy)))
            return false;
    }
    return true;
}

static void read_header(transfer *self, const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (colon == NULL)
        return;
    const char *end = line + length;
    const char *value = colon + 1;
    if (!self->is_ok && self->head.length < MAX_HEAD)
        strbuf_append(&self->head, line, length);
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    size_t name_length = (size_t)(colon - line);
    self->has_location |= name_length == 8 && strncasecmp(line, "Location", 8) == 0 && value < end;
    if (name_length == 10 && strncasecmp(line, "Set-Cookie", 10) == 0)
        take_cookie(self, value, (size_t)(end - value));
    if (name_length == 16 && strncasecmp(line, "Content-Encoding", 16) == 0 &&
        !content_coding_add(&self->coding, value, (size_t)(end - value)))
        self->decoded = CODING_MEMORY;
    session_on_header(self->channel->session, self->slot, line, name_length, value, (size_t)(end - value));
}

static size_t on_header(char *line, size_t size, size_t count, void *context) {
    transfer *self = context;
    size_t length = size * count;
    self->is_unanswered = false;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
        read_status_line(self, line, length);
    else if (self->head_done)
        ; // a trailer
    else if (length == 0 || line[0] == '\r' || line[0] == '\n')
        finish_head(self);
    else
        read_header(self, line, length);
    return self->decoded == CODING_MEMORY ? length + 1 : length;
}

static bool read_body(void *context, const uint8_t *bytes, size_t length) {
    transfer *self = context;
    net_channel *channel = self->channel;
    self->intake = session_on_body(channel->session, self->slot, bytes, length, net_now_ms());
    if (session_has_news(channel->session)) // not a mere keep-alive
        news_add(channel);
    return self->intake == INTAKE_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    transfer *self = context;
    const uint8_t *body = (const uint8_t *)bytes;
    size_t length = size * count;
    if (self->is_redirect)
        return length;
    note_life(self, net_now_ms());
    if (self->coding != NULL)
        self->decoded = content_coding_decode(self->coding, body, length, read_body, self);
    else
        self->decoded = read_body(self, body, length) ? CODING_OK : CODING_HELD;
    if (self->decoded == CODING_OK)
        return length;
    if (self->decoded == CODING_HELD && self->intake == INTAKE_PAUSE) {
        if (!is_http2(self))
            return CURL_WRITEFUNC_PAUSE;
        session_on_full(self->channel->session, self->slot);
        self->intake = INTAKE_STOP;
    }
    // An error's page is read as far as it can be: it is the status that counts.
    if (self->decoded == CODING_CORRUPT || self->decoded == CODING_UNKNOWN)
        self->decoded = self->is_ok ? self->decoded : CODING_OVER;
    return length + 1; // not what was given: libcurl ends the transfer
}

// libcurl sends a request again by itself where a connection that was used before is closed without an
// answer, or a stream of HTTP/2 was refused. The session must know: it counts how often a request was sent.
static int on_send(void *context, char *remote, char *local, int remote_port, int local_port) {
    transfer *self = context;
    leave_connection(self);
    if (self->is_unanswered)
        return CURL_PREREQFUNC_ABORT;
    self->is_unanswered = true;
    curl_easy_getinfo(self->easy, CURLINFO_REQUEST_SIZE, &self->counted);
    int64_t now_ms = net_now_ms();
    connections *all = &self->channel->loop->connections;
    enter_connection(self, connections_at(all, remote, remote_port, local, local_port, now_ms), now_ms);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *context, curl_off_t to_come, curl_off_t come, curl_off_t to_go,
                       curl_off_t gone) {
    transfer *self = context;
    (void)to_come, (void)come, (void)to_go;
    if (gone > self->uploaded)
        session_on_progress(self->channel->session, self->slot, (size_t)(gone - self->uploaded),
                            net_now_ms());
    self->uploaded = gone;
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    return connections_open(context, address);
}

static int on_close_socket(void *context, curl_socket_t socket) {
    connections_close(context, socket);
    return 0;
}

static void set_callbacks(transfer *self) {
    CURL *easy = self->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, self);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, self);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
}

/* ---- Start and end ---- */

static void report(transfer *self, transport_outcome outcome, int code, const char *words) {
    session_on_done(self->channel->session, self->slot, outcome, code, words, net_now_ms());
}

static bool begin(transfer *self) {
    if (self->error == NULL) {
        self->error = malloc(CURL_ERROR_SIZE);
        if (self->error == NULL)
            return false;
        curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, self->error);
    }
    if (!self->shares) {
        curl_easy_setopt(self->easy, CURLOPT_SHARE, self->channel->loop->share);
        self->shares = true;
    }
    if (!cookies_open(&self->cookies, self->easy))
        return false;
    curl_easy_setopt(self->easy, CURLOPT_OPENSOCKETDATA, &self->channel->loop->connections);
    curl_easy_setopt(self->easy, CURLOPT_CLOSESOCKETDATA, &self->channel->loop->connections);
    headers_release(self->headers);
    self->headers = headers_share(self->channel->headers);
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers->lines);
    const char *cookies = self->channel->cookies;
    if (cookies != NULL &&
        curl_easy_setopt(self->easy, CURLOPT_COOKIE, *cookies ? cookies : NULL) != CURLE_OK)
        return false;
    self->running = true;
    self->uploaded = 0;
    self->ends = 0;
    self->probe_at_ms = SESSION_NEVER;
    self->is_unanswered = self->head_done = self->is_redirect = false;
    self->intake = INTAKE_OK;
    self->decoded = CODING_OK;
    self->error[0] = '\0';
    if (curl_multi_add_handle(self->channel->loop->multi, self->easy) == CURLM_OK)
        return true;
    self->running = false;
    return false;
}

static void report_out_of_memory(transfer *self) {
    report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
}

// All but the cookies, which outlive the handle.
static void free_handle(transfer *self) {
    if (self->easy != NULL)
        curl_easy_cleanup(self->easy);
    self->easy = NULL;
    headers_release(self->headers);
    self->headers = NULL;
    self->shares = self->has_tls = self->has_proxy_tls = self->trusts_directory = false;
    strbuf_free(&self->head);
    strbuf_free(&self->reason);
    free(self->error);
    self->error = NULL;
}

// The handle that has opened the session, and would lie idle from now on, becomes the back channel's: to make
// another one, and to free this one, would be a twentieth of all that opening takes.
static void take_idle_handle(transfer *self) {
    transfer *other = &self->channel->transfers[SLOT_FORWARD];
    if (self == other || self->easy != NULL || other->easy == NULL || other->running)
        return;
    transfer bare = *self;
    *self = *other;
    *other = bare;
    other->slot = self->slot;
    self->slot = bare.slot;
    self->was_busy = bare.was_busy;
    set_callbacks(self);
}

void transfer_start(transfer *self) {
    session_request request;
    session_get_request(self->channel->session, self->slot, &request);
    take_idle_handle(self);
    if (self->easy == NULL) {
        if (!setup_handle(self, request.url)) {
            free_handle(self);
            report_out_of_memory(self);
            return;
        }
        set_callbacks(self);
    }
    self->redirects = 0;
    if (!setup_request(self, &request) || !begin(self))
        report_out_of_memory(self);
}

// Whether nothing is to be sent beside the hanging back channel. The connection stays libcurl's, and TLS
// sessions the share's: what the next request's handle costs is little beside that request.
static bool lies_idle(const transfer *self) {
    const transfer *back = &self->channel->transfers[SLOT_BACK];
    return self->channel->transfer_count > 1 && self != back && self->easy != NULL && !self->running &&
           back->running && back->head_done;
}

static void drop_handle(transfer *self) {
    transfer_pass_cookies_on(self);
    cookies_close(&self->cookies, self->easy);
    if (!self->cookies.is_open)
        free_handle(self);
}

// Whether the head of a request by TLS has gone out. A server may answer before it has read all of it, and
// then libcurl goes on sending from its buffer. What it counts is its first write alone; OpenSSL takes all of
// that or nothing.
static bool has_sent_head(const transfer *self) {
    struct curl_tlssessioninfo *tls = NULL;
    long counted = 0;
    if (curl_easy_getinfo(self->easy, CURLINFO_TLS_SSL_PTR, &tls) != CURLE_OK || tls == NULL ||
        tls->backend != CURLSSLBACKEND_OPENSSL || tls->internals == NULL)
        return false;
    curl_easy_getinfo(self->easy, CURLINFO_REQUEST_SIZE, &counted);
    return counted > self->counted && counted - self->counted < WRITTEN_AT_ONCE;
}

// What can fail after the head is told in libcurl's words for the code, without what it would add.
void transfer_trim(transfer *self) {
    if (lies_idle(self))
        drop_handle(self);
    if (!self->running || !self->head_done || self->error == NULL)
        return;
    curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, NULL);
    free(self->error);
    self->error = NULL;
    strbuf_free(&self->reason);
    // These were for the request.
    curl_easy_setopt(self->easy, CURLOPT_REQUEST_TARGET, NULL);
    curl_easy_setopt(self->easy, CURLOPT_NOPROXY, NULL);
    cookies_close(&self->cookies, self->easy);
    if (!self->posts && has_sent_head(self))
        buffers_sent(self->easy);
    if (self->has_tls)
        openssl_free_buffers(self->easy);
}

void transfer_leave(transfer *self) {
    if (self->shares) {
        curl_easy_setopt(self->easy, CURLOPT_SHARE, NULL);
        self->shares = false;
    }
}

void transfer_stop(transfer *self) {
    if (!self->running)
        return;
    self->running = false;
    leave_connection(self);
    curl_multi_remove_handle(self->channel->loop->multi, self->easy);
    drop_coding(self);
}

// The connection is dead: nobody uses it again, and what was on it is sent again at once. Of HTTP/1.1 none is
// left on it, and thousands of those may be dead at once.
static void close_dead(net_loop *loop, uint64_t ends) {
    connection *one = connections_find(&loop->connections, ends);
    bool has_more = one != NULL && one->users != 0;
    for (net_channel *channel = loop->channels; channel != NULL && has_more; channel = channel->next)
        for (int i = 0; i < channel->transfer_count; i++) {
            transfer *self = &channel->transfers[i];
            if (!self->running || self->ends != ends)
                continue;
            transfer_stop(self);
            report(self, TRANSPORT_STALE, CURLE_GOT_NOTHING, "the connection has fallen silent");
            net_channel_step_soon(channel);
            news_add(channel);
        }
    one = connections_find(&loop->connections, ends); // libcurl may have closed it
    if (one != NULL)
        connection_shut(one);
}

transport_outcome transfer_give_up(transfer *self, int64_t silent_since_ms) {
    net_loop *loop = self->channel->loop;
    const connection *one = connections_find(&loop->connections, self->ends);
    if (silent_since_ms == SESSION_NEVER || one == NULL) {
        transfer_stop(self);
        return TRANSPORT_STOPPED;
    }
    // libcurl may close it now.
    const connection found = *one;
    transfer_stop(self);
    bool dead = found.heard_ms <= silent_since_ms || found.heard_ms <= self->sent_ms;
    connections_distrust(&loop->connections, found.remote);
    if (dead)
        close_dead(loop, found.ends);
    return dead && found.proven ? TRANSPORT_STALE : TRANSPORT_STOPPED;
}

void transfer_probe(transfer *self, int64_t now_ms) {
    net_loop *loop = self->channel->loop;
    if (!self->running || self->probe_at_ms > now_ms)
        return;
    self->probe_at_ms = SESSION_NEVER;
    const connection *one = connections_find(&loop->connections, self->ends);
    if (one == NULL || one->heard_ms > self->sent_ms)
        return;
    connections_distrust(&loop->connections, one->remote);
    close_dead(loop, one->ends);
}

void transfer_free(transfer *self) {
    transfer_stop(self);
    free_handle(self);
    cookies_free(&self->cookies);
}

static void follow(transfer *self) {
    char *to = NULL;
    char *from = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_REDIRECT_URL, &to);
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &from);
    const char *target = to != NULL ? to : "";
    strbuf words = {0};
    bool refused = redirects_refuse(from != NULL ? from : "", target, &words);
    if (!refused && ++self->redirects > MAX_REDIRECTS) {
        refused = true;
        strbuf_text(&words, "the server redirects in circles");
    }
    if (refused) {
        report(self, TRANSPORT_FATAL, CURLE_TOO_MANY_REDIRECTS,
               strbuf_failed(&words) ? "the server redirects elsewhere" : strbuf_str(&words));
        strbuf_free(&words);
        return;
    }
    strbuf_free(&words);
    // libcurl's text lives only until the next request.
    char *url = strdup(target);
    if (url == NULL || !setup_url(self, url) || !begin(self)) // with the same method and body
        report_out_of_memory(self);
    free(url);
}

static void report_failure(transfer *self, CURLcode code) {
    strbuf words = {0};
    failure_words(self, code, &words);
    report(self, failure_outcome(self, code), (int)tls_failure_code(self, code),
           strbuf_failed(&words) ? curl_easy_strerror(code) : strbuf_str(&words));
    strbuf_free(&words);
}

// The response that was not decoded to its end.
static void report_undecoded(transfer *self, const char *words) {
    if (self->decoded == CODING_OVER)
        report(self, TRANSPORT_OK, 0, "");
    else if (self->decoded == CODING_MEMORY)
        report_out_of_memory(self);
    else
        report(self, self->decoded == CODING_UNKNOWN ? TRANSPORT_FATAL : TRANSPORT_BROKEN,
               CURLE_BAD_CONTENT_ENCODING, words);
}

// Whether a certificate was found wanting, and could be found sound with all authorities.
static bool needs_file(const transfer *self, CURLcode code) {
    return self->trusts_directory && tls_failure_is_of_certificate(self, code);
}

void transfer_done(transfer *self, CURLcode code) {
    content_coding *coding = self->coding;
    self->coding = NULL;
    transfer_stop(self);
    self->was_busy = buffers_were_busy(self->easy);
    if (self->intake == INTAKE_STOP)
        report(self, TRANSPORT_STOPPED, 0, "");
    else if (self->decoded > CODING_HELD)
        report_undecoded(self, coding != NULL ? content_coding_words(coding) : "");
    else if (failure_is_stale(self, code)) {
        self->channel->drops_connections = true;
        report(self, TRANSPORT_STALE, CURLE_GOT_NOTHING,
               "the server closed the connection, or refused the request, without an answer");
    } else if (code == CURLE_OK && self->is_redirect)
        follow(self);
    else if (code == CURLE_OK && !self->head_done)
        report(self, TRANSPORT_BROKEN, CURLE_GOT_NOTHING, "the response has no head");
    else if (code == CURLE_OK)
        report(self, TRANSPORT_OK, 0, "");
    else if (needs_file(self, code)) {
        self->channel->tls.needs_file = true;
        transfer_start(self);
    } else
        report_failure(self, code);
    content_coding_free(coding);
}

void transfer_resume(transfer *self) {
    // libcurl hands over there and then what it has kept. Where that is refused, or it has no memory to do
    // so, it says so here alone, and what comes next would stand beside a gap.
    CURLcode code = self->running ? curl_easy_pause(self->easy, CURLPAUSE_CONT) : CURLE_OK;
    if (code == CURLE_WRITE_ERROR || code == CURLE_OUT_OF_MEMORY)
        transfer_done(self, code);
}
