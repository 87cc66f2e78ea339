/* One request on its way: a libcurl easy handle, its callbacks, redirects, and what its end means. */
#include <stdlib.h> // malloc()
#include <string.h>
#include <strings.h> // strncasecmp()

#include "internal.h"
#include "net/authorities.h"
#include "net/content_coding.h"
#include "net/cookies.h"
#include "net/proxy.h"
#include "net/receive_buffer.h"
#include "net/send_buffer.h"
#include "net/tls.h"

#define MAX_REDIRECTS 5

// Of an error's header lines, in bytes; libcurl takes 300 kB.
#define MAX_HEAD (64 * 1024)

// How long a connection that is suspect may leave a request without any sign of life.
#define PROBE_MS 5000

// How many probes of an idle connection go unanswered before it is dead. connections_open() says so where
// libcurl cannot.
#define KEEP_ALIVE_PROBES 3L

// A larger body is watched while it goes.
#define LARGE_BODY ((size_t)16 * 1024)

// CURLE_TOO_LARGE, which libcurl says since 8.6 where it said CURLE_OUT_OF_MEMORY: of a header, for one. It
// may run with a newer libcurl than it was compiled with.
#define TOO_LARGE 100

// As many cookies libcurl takes of one response; and of CURLOPT_COOKIELIST, before the next request.
#define MAX_SET_COOKIES 50

/* ---- The connection it is on ---- */

static void leave_connection(transfer *self) {
    connection *one = connections_find(&self->channel->loop->connections, self->ends);
    if (one != NULL)
        one->users--;
    self->ends = 0;
    self->probe_at_ms = SESSION_NEVER;
}

static void enter_connection(transfer *self, connection *one, int64_t now_ms) {
    self->sent_ms = now_ms;
    if (one == NULL)
        return;
    one->users++;
    self->ends = one->ends;
    if (one->suspect)
        self->probe_at_ms = now_ms + PROBE_MS;
}

static void hear(const transfer *self, int64_t now_ms) {
    connection *one = connections_find(&self->channel->loop->connections, self->ends);
    if (one == NULL)
        return;
    one->heard_ms = now_ms;
    one->proven = true;
    one->suspect = false;
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
    hear(self, now_ms);
    self->head_done = true;
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
        opening_leave(self->channel);
    // The head alone may have opened the session.
    net_channel_step_soon(self->channel);
}

static void take_cookie(transfer *self, const char *value, size_t length) {
    self->set_cookies++;
    self->has_cookies = true;
    if (self->channel->cookies != NULL)
        cookies_drop(self->channel->cookies, value, cookies_name_length(value, length));
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
    self->sent_unheard = false;
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

static bool is_http2(const transfer *self) {
    long version = 0;
    curl_easy_getinfo(self->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_2_0;
}

static bool read_body(void *context, const uint8_t *bytes, size_t length) {
    transfer *self = context;
    net_channel *channel = self->channel;
    self->intake = session_on_body(channel->session, self->slot, bytes, length, net_now_ms());
    if (session_has_news(channel->session)) // not a mere keep-alive
        loop_mark_dirty(channel);
    return self->intake == INTAKE_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    transfer *self = context;
    const uint8_t *body = (const uint8_t *)bytes;
    size_t length = size * count;
    if (self->is_redirect)
        return length;
    hear(self, net_now_ms());
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
    if (self->sent_unheard)
        return CURL_PREREQFUNC_ABORT;
    self->sent_unheard = true;
    int64_t now_ms = net_now_ms();
    connections *all = &self->channel->loop->connections;
    enter_connection(self, connections_at(all, remote, remote_port, local, local_port, now_ms), now_ms);
    return CURL_PREREQFUNC_OK;
}

static int on_progress(void *context, curl_off_t to_come, curl_off_t come, curl_off_t to_go,
                       curl_off_t gone) {
    transfer *self = context;
    (void)to_come, (void)come, (void)to_go;
    if (gone > self->gone)
        session_on_progress(self->channel->session, self->slot, (size_t)(gone - self->gone), net_now_ms());
    self->gone = gone;
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

/* ---- Setting up ---- */

static bool add_cookie_share(net_channel *channel) {
    channel->share = loop_make_share();
    return channel->share != NULL &&
           curl_share_setopt(channel->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) == CURLSHE_OK;
}

static bool is_https(const char *url) {
    return strncasecmp(url, "https:", 6) == 0;
}

// A handle that begins without TLS stays with HTTP/1.1: its buffer may be too small for more.
static bool set_up(transfer *self, const char *url) {
    net_channel *channel = self->channel;
    if (!session_is_half_duplex(channel->session) && channel->share == NULL && !add_cookie_share(channel))
        return false;
    CURL *easy = self->easy = curl_easy_init();
    if (easy == NULL)
        return false;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A name's look-up, which cannot be broken off, goes on by itself when the transfer is given up.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, CONTENT_CODINGS);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L); // but on_body() does it
    // The system finds a connection dead that was silent for half a minute: sooner than `timeout` may, and
    // than a server, which waits twice as long each time, sends again what was lost.
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
#if LIBCURL_VERSION_NUM >= 0x080900
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPCNT, KEEP_ALIVE_PROBES);
#endif
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    self->may_http2 = channel->http2 && is_https(url);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)channel->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, self);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, self);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, channel->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)(self->may_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (channel->user_agent != NULL)
        curl_easy_setopt(easy, CURLOPT_USERAGENT, channel->user_agent);
    if (channel->proxy != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, channel->proxy);
    tls_forget(easy);
    return true;
}

/* ---- The URL ---- */

// Where a URL's path begins, if the URL has a query and goes into a request line as it is; or NULL.
static const char *plain_target(const char *url) {
    const char *host = strstr(url, "://");
    const char *path = host != NULL ? strpbrk(host + 3, "/?#") : NULL;
    if (path == NULL || *path != '/' || strchr(path, '?') == NULL)
        return NULL;
    for (const char *at = path; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || *at == '#' || (*at == '/' && at[1] == '.'))
            return NULL;
    return path;
}

// libcurl keeps half a dozen copies of a URL, and the query is the longest part of ours by far. So libcurl is
// given the URL without the query, and what stands in the request line apart from it.
static CURLcode set_url(transfer *self, const char *url) {
    const char *target = plain_target(url);
    const char *proxy = proxy_for(self->channel->proxy, url);
    // A proxy that sees the request has to be told all of it.
    if (target != NULL && !is_https(url) && proxy != NULL)
        target = NULL;
    if (is_https(url) && !self->has_tls)
        tls_to_server(self->easy, &self->channel->tls);
    self->has_tls |= is_https(url);
    if (proxy != NULL && is_https(proxy) && !self->has_proxy_tls)
        tls_to_proxy(self->easy, &self->channel->tls);
    self->has_proxy_tls |= proxy != NULL && is_https(proxy);
    curl_easy_setopt(self->easy, CURLOPT_REQUEST_TARGET, target);
    if (target == NULL)
        return curl_easy_setopt(self->easy, CURLOPT_URL, url);
    char *bare = strndup(url, strcspn(url, "?"));
    CURLcode code = bare != NULL ? curl_easy_setopt(self->easy, CURLOPT_URL, bare) : CURLE_OUT_OF_MEMORY;
    free(bare);
    return code;
}

/* ---- Redirects ---- */

static char *url_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    unsigned flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
    char *one = url_part(a, part);
    char *other = url_part(b, part);
    bool same = one != NULL && other != NULL && strcasecmp(one, other) == 0;
    curl_free(one);
    curl_free(other);
    return same;
}

static bool scheme_is(CURLU *url, const char *scheme) {
    char *text = url_part(url, CURLUPART_SCHEME);
    bool is = text != NULL && strcasecmp(text, scheme) == 0;
    curl_free(text);
    return is;
}

// A request carries a token, cookies and headers that another host must not see. So a redirect is followed
// only to the same host and port, or from there to the same host's https.
static const char *refuse_redirect(const char *from, const char *to) {
    const char *refused = "the server redirects to a URL that cannot be read";
    CURLU *source = curl_url();
    CURLU *target = curl_url();
    if (source == NULL || target == NULL || curl_url_set(source, CURLUPART_URL, from, 0) != CURLUE_OK ||
        curl_url_set(target, CURLUPART_URL, to, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        goto done;
    refused = "the server redirects to something that is not http or https";
    if (!scheme_is(target, "http") && !scheme_is(target, "https"))
        goto done;
    refused = "the server redirects from https to http";
    if (scheme_is(source, "https") && !scheme_is(target, "https"))
        goto done;
    refused = "the server redirects to another host, which must not see this channel's secrets";
    bool upgrade = scheme_is(source, "http") && scheme_is(target, "https");
    if (!same_part(source, target, CURLUPART_HOST) ||
        (!upgrade && !same_part(source, target, CURLUPART_PORT)))
        goto done;
    refused = NULL;
done:
    curl_url_cleanup(source);
    curl_url_cleanup(target);
    return refused;
}

/* ---- Start and end ---- */

static void report(transfer *self, transport_outcome outcome, int code, const char *words) {
    session_on_done(self->channel->session, self->slot, outcome, code, words, net_now_ms());
}

// False when memory runs out.
static bool wake_cookies(transfer *self) {
    if (curl_easy_setopt(self->easy, CURLOPT_COOKIEFILE, "") != CURLE_OK) // in memory
        return false;
    for (struct curl_slist *line = self->cookies; line != NULL; line = line->next)
        if (curl_easy_setopt(self->easy, CURLOPT_COOKIELIST, line->data) != CURLE_OK)
            return false;
    curl_slist_free_all(self->cookies);
    self->cookies = NULL;
    self->keeps_cookies = true;
    return true;
}

// Whether libcurl reads a cookie as it has written it: domain, whether subdomains have it, path …
static bool is_sound(const char *line) {
    const char *path = strchr(line, '\t');
    path = path != NULL ? strchr(path + 1, '\t') : NULL;
    return path != NULL && path[1] == '/';
}

// What libcurl keeps even a single cookie in is large. Cookies come in heads, and go with requests: in
// between they are kept as libcurl writes them to files, if all of them can be.
static void lay_cookies_down(transfer *self) {
    struct curl_slist *cookies = NULL;
    if (self->channel->share != NULL || self->set_cookies >= MAX_SET_COOKIES ||
        curl_easy_getinfo(self->easy, CURLINFO_COOKIELIST, &cookies) != CURLE_OK)
        return;
    bool sound = cookies != NULL || !self->has_cookies; // or memory has run out
    for (struct curl_slist *line = cookies; line != NULL; line = line->next)
        sound = sound && is_sound(line->data);
    if (!sound) {
        curl_slist_free_all(cookies);
        return;
    }
    self->cookies = cookies;
    self->keeps_cookies = false;
    curl_easy_setopt(self->easy, CURLOPT_COOKIEFILE, NULL);
}

static bool begin(transfer *self) {
    if (self->error == NULL) {
        self->error = malloc(CURL_ERROR_SIZE);
        if (self->error == NULL)
            return false;
        curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, self->error);
    }
    if (!self->shares) {
        net_channel *channel = self->channel;
        curl_easy_setopt(self->easy, CURLOPT_SHARE,
                         channel->share != NULL ? channel->share : channel->loop->share);
        self->shares = true;
    }
    if (!self->keeps_cookies && !wake_cookies(self))
        return false;
    curl_easy_setopt(self->easy, CURLOPT_OPENSOCKETDATA, &self->channel->loop->connections);
    curl_easy_setopt(self->easy, CURLOPT_CLOSESOCKETDATA, &self->channel->loop->connections);
    const char *cookies = self->channel->cookies;
    if (cookies != NULL &&
        curl_easy_setopt(self->easy, CURLOPT_COOKIE, *cookies ? cookies : NULL) != CURLE_OK)
        return false;
    self->running = true;
    self->set_cookies = 0;
    self->gone = 0;
    self->ends = 0;
    self->probe_at_ms = SESSION_NEVER;
    self->sent_unheard = self->head_done = self->is_redirect = false;
    self->intake = INTAKE_OK;
    self->decoded = CODING_OK;
    self->error[0] = '\0';
    curl_multi_add_handle(self->channel->loop->multi, self->easy);
    return true;
}

// A server that closes a connection without a word may have taken the back channel's request by then, and
// believe that the arrays it wrote there have come: Google's Firestore emulator never sends those again. Two
// connections are needed anyway where maps go beside the back channel, so that the first one to it is its
// own; and once a server has been seen to close so, each.
static bool wants_fresh(transfer *self, const session_request *request) {
    net_channel *channel = self->channel;
    if (request->kind != REQUEST_BACK || session_is_half_duplex(channel->session))
        return false;
    bool first = !channel->has_polled;
    channel->has_polled = true;
    return first || channel->drops_connections;
}

void transfer_start(transfer *self) {
    session_request request;
    session_get_request(self->channel->session, self->slot, &request);
    if (self->easy == NULL && !set_up(self, request.url)) {
        transfer_free(self);
        report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    receive_buffer_choose(self->easy, self->channel->loop->channel_count, self->was_busy, self->may_http2);
    if (set_url(self, request.url) != CURLE_OK) {
        report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    // Rather wait for a connection that can be shared than open one more. Without TLS none can: a request
    // would wait until the back channel is answered.
    bool may_share = self->may_http2 && is_https(request.url);
    curl_easy_setopt(self->easy, CURLOPT_PIPEWAIT, may_share ? 1L : 0L);
    curl_easy_setopt(self->easy, CURLOPT_FRESH_CONNECT, !may_share && wants_fresh(self, &request) ? 1L : 0L);
    if (request.body != NULL) {
        curl_easy_setopt(self->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request.body_length);
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, request.body);
    } else {
        curl_easy_setopt(self->easy, CURLOPT_HTTPGET, 1L);
    }
    send_buffer_choose(self->easy, request.body != NULL, request.body_length);
    curl_easy_setopt(self->easy, CURLOPT_NOPROGRESS, request.body_length > LARGE_BODY ? 0L : 1L);
    self->redirects = 0;
    if (!begin(self))
        report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
}

// What can fail after the head is told in libcurl's words for the code, without what it would add.
void transfer_slim(transfer *self) {
    if (!self->running || !self->head_done || self->error == NULL)
        return;
    curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, NULL);
    free(self->error);
    self->error = NULL;
    strbuf_free(&self->reason);
    lay_cookies_down(self);
}

void transfer_leave(transfer *self) {
    if (self->shares && self->channel->share == NULL) {
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

// The connection is dead: nobody uses it again, and what was on it is sent again at once.
static void bury(net_loop *loop, uint64_t ends) {
    for (net_channel *channel = loop->channels; channel != NULL; channel = channel->next)
        for (int slot = 0; slot < SLOT_COUNT; slot++) {
            transfer *self = &channel->transfers[slot];
            if (!self->running || self->ends != ends)
                continue;
            transfer_stop(self);
            report(self, TRANSPORT_STALE, CURLE_GOT_NOTHING, "the connection has fallen silent");
            net_channel_step_soon(channel);
            loop_mark_dirty(channel);
        }
    connection *one = connections_find(&loop->connections, ends);
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
        bury(loop, found.ends);
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
    bury(loop, one->ends);
}

void transfer_free(transfer *self) {
    transfer_stop(self);
    if (self->easy != NULL)
        curl_easy_cleanup(self->easy);
    self->easy = NULL;
    self->shares = self->keeps_cookies = self->has_cookies = self->has_tls = self->has_proxy_tls = false;
    curl_slist_free_all(self->cookies);
    self->cookies = NULL;
    strbuf_free(&self->head);
    strbuf_free(&self->reason);
    free(self->error);
    self->error = NULL;
}

static bool is_timeout(CURLcode code) {
    return code == CURLE_OPERATION_TIMEDOUT;
}

// Whether the request would fail in the same way however often it were tried.
static bool is_hopeless(const transfer *self, CURLcode code) {
    long request_bytes = 0;
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
        // Also said of a server that does not speak HTTP; it may yet learn.
        curl_easy_getinfo(self->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
        return request_bytes == 0;
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_NOT_BUILT_IN:
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case TOO_LARGE:
        return true;
    default:
        return false;
    }
}

static void follow(transfer *self) {
    char *to = NULL;
    char *from = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_REDIRECT_URL, &to);
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &from);
    const char *refused = to != NULL && from != NULL ? refuse_redirect(from, to)
                                                     : "the server redirects to a URL that cannot be read";
    if (refused == NULL && ++self->redirects > MAX_REDIRECTS)
        refused = "the server redirects in circles";
    if (refused != NULL) {
        report(self, TRANSPORT_FATAL, CURLE_TOO_MANY_REDIRECTS, refused);
        return;
    }
    // libcurl's text lives only until the next request.
    char *url = strdup(to);
    if (url == NULL || set_url(self, url) != CURLE_OK || !begin(self)) // with the same method and body
        report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
    free(url);
}

// Whether the server has not looked at the request: its stream was refused, or lies behind the last one that
// a GOAWAY names, or the connection, which had been used before, was closed.
static bool is_stale(const transfer *self, CURLcode code) {
    long new_connections = 1;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return true; // on_send()
    if (!self->sent_unheard)
        return false;
    switch (code) {
    case CURLE_HTTP2: // GOAWAY; a stream that is reset is CURLE_HTTP2_STREAM
        return true;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        // Of five such ends in a handle's life libcurl (7.88) makes an error, and says so in words alone.
        if (self->error != NULL && strncmp(self->error, "Connection died, tried", 22) == 0)
            return true;
        // fall through
    case CURLE_GOT_NOTHING:
        curl_easy_getinfo(self->easy, CURLINFO_NUM_CONNECTS, &new_connections);
        return new_connections == 0;
    default:
        return false;
    }
}

static bool knows_no_authorities(const net_channel *channel) {
    return channel->tls.ca_file == NULL && channel->tls.ca_path == NULL && !net_finds_authorities();
}

static const char *words_for(const transfer *self, CURLcode code) {
    if (code == CURLE_PARTIAL_FILE) // "Transferred a partial file" after the head, "transfer closed …" before
        return "the connection was closed before the end of the response";
    if (code == CURLE_PEER_FAILED_VERIFICATION && knows_no_authorities(self->channel))
        return "no CA certificates were found: install ca-certificates or certifi, or name them by verify=…";
    return self->error != NULL && self->error[0] != '\0' ? self->error : curl_easy_strerror(code);
}

// libcurl's words name a proxy as though it were the server.
static void add_proxy(const transfer *self, strbuf *words) {
    char *url = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &url);
    const char *proxy = proxy_for(self->channel->proxy, url != NULL ? url : "");
    if (proxy == NULL || self->head_done || (self->channel->proxy == NULL && proxy_has_exceptions()))
        return;
    strbuf_text(words, " (through the proxy ");
    strbuf_text(words, proxy);
    strbuf_text(words, ")");
}

static void report_failure(transfer *self, transport_outcome outcome, CURLcode code) {
    strbuf words = {0};
    strbuf_text(&words, words_for(self, code));
    add_proxy(self, &words);
    report(self, outcome, (int)code, strbuf_failed(&words) ? curl_easy_strerror(code) : strbuf_str(&words));
    strbuf_free(&words);
}

// The response that was not decoded to its end.
static void report_undecoded(transfer *self, const char *words) {
    if (self->decoded == CODING_OVER)
        report(self, TRANSPORT_OK, 0, "");
    else if (self->decoded == CODING_MEMORY)
        report(self, TRANSPORT_FATAL, CURLE_OUT_OF_MEMORY, "out of memory");
    else
        report(self, self->decoded == CODING_UNKNOWN ? TRANSPORT_FATAL : TRANSPORT_BROKEN,
               CURLE_BAD_CONTENT_ENCODING, words);
}

void transfer_done(transfer *self, CURLcode code) {
    content_coding *coding = self->coding;
    self->coding = NULL;
    transfer_stop(self);
    self->was_busy = receive_buffer_was_busy(self->easy);
    if (self->intake == INTAKE_STOP)
        report(self, TRANSPORT_STOPPED, 0, "");
    else if (self->decoded > CODING_HELD)
        report_undecoded(self, coding != NULL ? content_coding_words(coding) : "");
    else if (is_stale(self, code)) {
        self->channel->drops_connections = true;
        report(self, TRANSPORT_STALE, CURLE_GOT_NOTHING,
               "the server closed the connection, or refused the request, without an answer");
    } else if (code == CURLE_OK && self->is_redirect)
        follow(self);
    else if (code == CURLE_OK && !self->head_done)
        report(self, TRANSPORT_BROKEN, CURLE_GOT_NOTHING, "the response has no head");
    else if (code == CURLE_OK)
        report(self, TRANSPORT_OK, 0, "");
    else if (is_timeout(code))
        report_failure(self, TRANSPORT_TIMEOUT, code);
    else
        report_failure(self, is_hopeless(self, code) ? TRANSPORT_FATAL : TRANSPORT_BROKEN, code);
    content_coding_free(coding);
}
