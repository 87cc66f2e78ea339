/* The options of an easy handle: once, for each request, and for each URL. */
#include "net/setup.h"

#include <stdlib.h> // free()
#include <string.h>
#include <strings.h> // strncasecmp()

#include "net/buffers.h"
#include "net/proxy.h"

// How many probes of an idle connection go unanswered before it is dead. connections_open() says so where
// libcurl cannot.
#define KEEP_ALIVE_PROBES 3L

// How long the address of a name holds that is looked up for a new connection. libcurl's minute would be one
// of silence when the server moves, or a laptop to another network, where the address leads nowhere.
#define ADDRESS_SECONDS 5L

// A larger body is watched while it goes.
#define LARGE_BODY ((size_t)16 * 1024)

static bool is_https(const char *url) {
    return strncasecmp(url, "https:", 6) == 0;
}

/* ---- Once ---- */

// A text that was left out for want of memory would change where the request goes, or what it says.
static bool set_text(CURL *easy, CURLoption option, const char *text) {
    return text == NULL || curl_easy_setopt(easy, option, text) != CURLE_OUT_OF_MEMORY;
}

// A handle that begins without TLS stays with HTTP/1.1: its buffer may be too small for more.
bool setup_handle(transfer *self, const char *url) {
    net_channel *channel = self->channel;
    CURL *easy = self->easy = curl_easy_init();
    if (easy == NULL)
        return false;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A name's look-up, which cannot be broken off, goes on by itself when the transfer is given up.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, ADDRESS_SECONDS);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L); // the transfer's body callback does it
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
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)(self->may_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)channel->connect_timeout_ms);
    tls_forget(easy);
    return set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           set_text(easy, CURLOPT_USERAGENT, channel->user_agent) &&
           set_text(easy, CURLOPT_PROXY, channel->proxy);
}

/* ---- For each URL ---- */

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

// A redirect may lead from http to https, and so to another proxy.
static bool set_tls(transfer *self, const char *url, const char *proxy) {
    const tls_options *options = &self->channel->tls;
    bool trusts_directory = tls_trusts_directory(options);
    if (self->trusts_directory && !trusts_directory)
        self->has_tls = self->has_proxy_tls = false; // it is to know more
    self->trusts_directory = trusts_directory;
    if (is_https(url) && !self->has_tls)
        self->has_tls = tls_to_server(self->easy, options);
    bool is_sound = self->has_tls || !is_https(url);
    if (proxy == NULL || !is_https(proxy))
        return is_sound;
    if (!self->has_proxy_tls)
        self->has_proxy_tls = tls_to_proxy(self->easy, options);
    return is_sound && self->has_proxy_tls;
}

// libcurl keeps half a dozen copies of a URL, and the query is the longest part of ours by far. So libcurl is
// given the URL without the query, and what stands in the request line apart from it.
bool setup_url(transfer *self, const char *url) {
    const char *proxy = proxy_for(self->channel->proxy, url);
    // A proxy that sees the request has to be told all of it.
    const char *target = is_https(url) || proxy == NULL ? plain_target(url) : NULL;
    // Headers of ours are the server's; a proxy is told by libcurl who asks it for a tunnel.
    if (proxy != NULL && self->channel->user_agent == NULL &&
        !set_text(self->easy, CURLOPT_USERAGENT, HEADERS_USER_AGENT))
        return false;
    char *bare = strndup(url, target != NULL ? strcspn(url, "?") : strlen(url));
    // Where there is none, libcurl need not look at the environment once more.
    curl_easy_setopt(self->easy, CURLOPT_NOPROXY, proxy == NULL ? "*" : NULL);
    bool is_set = bare != NULL && set_tls(self, url, proxy) &&
                  curl_easy_setopt(self->easy, CURLOPT_REQUEST_TARGET, target) == CURLE_OK &&
                  curl_easy_setopt(self->easy, CURLOPT_URL, bare) == CURLE_OK;
    free(bare);
    return is_set;
}

/* ---- For each request ---- */

// A server that closes a connection without a word may have taken the back channel's request by then, and
// believe that the arrays it wrote there have come: Google's Firestore emulator never sends those again. Two
// connections are needed anyway where maps go beside the back channel, so that the first one to it is its
// own; and once a server has been seen to close so, each.
static bool wants_fresh(net_channel *channel, const session_request *request) {
    if (request->kind != REQUEST_BACK || session_is_half_duplex(channel->session))
        return false;
    bool first = !channel->has_polled;
    channel->has_polled = true;
    return first || channel->drops_connections;
}

bool setup_request(transfer *self, const session_request *request) {
    CURL *easy = self->easy;
    net_channel *channel = self->channel;
    bool posts = self->posts = request->body != NULL;
    buffers_for_response(easy, channel->loop->channel_count, self->was_busy, self->may_http2);
    buffers_for_request(easy, posts, request->body_length);
    // Rather wait for a connection that can be shared than open one more. Without TLS none can: a request
    // would wait until the back channel is answered.
    bool may_share = self->may_http2 && is_https(request->url);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, may_share ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, !may_share && wants_fresh(channel, request) ? 1L : 0L);
    // Unless the answer's head finds that the connection is one too many.
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 0L);
    self->opens = request->kind == REQUEST_OPEN;
    curl_easy_setopt(easy, posts ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    if (posts) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, request->body_length > LARGE_BODY ? 0L : 1L);
    return setup_url(self, request->url);
}
