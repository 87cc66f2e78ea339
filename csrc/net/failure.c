/* By libcurl's codes, and where these say too little, by its words. */
#include "net/failure.h"

#include <string.h> // strerror(), strncmp()

#include "net/libcurl.h"
#include "net/proxy.h"
#include "net/tls_failure.h"

// CURLE_TOO_LARGE, which libcurl says since 8.6 where it said CURLE_OUT_OF_MEMORY: of a header, for one. It
// may run with a newer libcurl than it was compiled with.
#define TOO_LARGE 100

bool failure_is_stale(const transfer *self, CURLcode code) {
    long new_connections = 1;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return true; // the transfer's on_send() did it
    if (!self->is_unanswered)
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

// Of what goes wrong in one request libcurl keeps what it has said first. Where a connection that was kept
// had been closed by the server and no other could be made, that is of the one that was kept.
static bool has_words_of_another_connection(const transfer *self, CURLcode code) {
    return (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
            code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_OPERATION_TIMEDOUT) &&
           self->error != NULL &&
           (strncmp(self->error, "Recv failure", 12) == 0 || strncmp(self->error, "Send failure", 12) == 0);
}

static const char *words_for(const transfer *self, CURLcode code) {
    if (has_words_of_another_connection(self, code))
        return curl_easy_strerror(code);
    if (code == CURLE_PARTIAL_FILE) // "Transferred a partial file" after the head, "transfer closed …" before
        return "the connection was closed before the end of the response";
    return self->error != NULL && self->error[0] != '\0' ? self->error : curl_easy_strerror(code);
}

// libcurl's words say that it could not connect, and not why: nobody listens there, there is no way to it, or
// the process has as many files open as it may.
static void add_reason(const transfer *self, CURLcode code, strbuf *words) {
    if (code != CURLE_COULDNT_CONNECT)
        return;
    long reason = self->channel->loop->connections.no_socket;
    if (reason == 0) // libcurl's own is the last connection's that had a socket
        curl_easy_getinfo(self->easy, CURLINFO_OS_ERRNO, &reason);
    if (reason == 0)
        return;
    strbuf_text(words, ": ");
    strbuf_text(words, strerror((int)reason));
}

// libcurl's words say nothing of why a host is not known to it that is known to browsers.
static void add_form_of_name(const transfer *self, CURLcode code, strbuf *words) {
    if (code != CURLE_COULDNT_RESOLVE_HOST || (libcurl_info()->features & CURL_VERSION_IDN))
        return;
    const char *said = self->error != NULL ? self->error : "";
    while (*said != '\0' && (unsigned char)*said < 0x80)
        said++;
    if (*said != '\0')
        strbuf_text(words, " (of a name beyond ASCII this libcurl takes only the xn-- form)");
}

static const char *url_of(const transfer *self) {
    char *url = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &url);
    return url != NULL ? url : "";
}

// What the proxy was named by is no URL, or one of a kind that libcurl does not know.
static bool is_of_unusable_proxy(const transfer *self, CURLcode code) {
    return (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_COULDNT_CONNECT) && self->error != NULL &&
           strncmp(self->error, "Unsupported proxy s", 19) == 0; // syntax, scheme
}

// libcurl quotes it, which may hold a password.
static void write_unusable_proxy(const transfer *self, strbuf *words) {
    const char *variable = self->channel->proxy == NULL ? proxy_variable(url_of(self)) : NULL;
    strbuf_text(words, variable != NULL ? "the environment's " : "what is given as ");
    strbuf_text(words, variable != NULL ? variable : "proxy");
    strbuf_text(words, " is not the URL of a proxy, such as http://HOST:PORT or socks5h://HOST:PORT");
}

// Without the user's name and password, which may come with a scheme or without.
static void write_proxy(const char *proxy, strbuf *words) {
    const char *at = strrchr(proxy, '@'), *scheme = strstr(proxy, "://");
    if (at == NULL) {
        strbuf_text(words, proxy);
        return;
    }
    if (scheme != NULL && scheme < at)
        strbuf_append(words, proxy, (size_t)(scheme + 3 - proxy));
    strbuf_text(words, "***");
    strbuf_text(words, at);
}

// libcurl's words name a proxy as though it were the server.
static void add_proxy(const transfer *self, strbuf *words) {
    const char *given = self->channel->proxy, *url = url_of(self);
    const char *proxy = proxy_for(given, url);
    if (proxy == NULL || self->head_done || (given == NULL && proxy_has_exceptions()))
        return;
    strbuf_text(words, " (through the proxy ");
    write_proxy(proxy, words);
    if (given == NULL) {
        strbuf_text(words, ", the environment's ");
        strbuf_text(words, proxy_variable(url));
    }
    strbuf_text(words, ")");
}

// Whether the request would fail in the same way however often it were tried.
static bool is_hopeless(const transfer *self, CURLcode code) {
    long request_bytes = 0;
    if (is_of_unusable_proxy(self, code))
        return true;
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

transport_outcome failure_outcome(const transfer *self, CURLcode code) {
    if (code == CURLE_OPERATION_TIMEDOUT)
        return TRANSPORT_TIMEOUT;
    return is_hopeless(self, code) ? TRANSPORT_FATAL : TRANSPORT_BROKEN;
}

void failure_words(const transfer *self, CURLcode code, strbuf *words) {
    if (is_of_unusable_proxy(self, code)) {
        write_unusable_proxy(self, words);
        return;
    }
    if (!tls_failure_words(self, code, words))
        strbuf_text(words, words_for(self, code));
    add_reason(self, code, words);
    add_form_of_name(self, code, words);
    tls_failure_add_advice(self, code, words);
    add_proxy(self, words);
}
