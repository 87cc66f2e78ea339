/* The structs that the files of this folder share; what each file does stands in its own header. */
#ifndef GAECHANNEL_NET_INTERNAL_H
#define GAECHANNEL_NET_INTERNAL_H

#include "net/connections.h"
#include "net/headers.h"
#include "net/content_coding.h"
#include "net/net.h"
#include "net/tls.h"

/* A binary heap: the channel that wants to be called first is at its top (timers.h). */
typedef struct timers {
    net_channel **items;
    size_t count;
    size_t capacity;
} timers;

// A place in the heap that is none.
#define NOT_TIMED SIZE_MAX

/* Channels that connect, or that wait for a place to do so; the oldest first (connect_queue.h). */
typedef struct connect_list {
    net_channel *first;
    net_channel *last;
    size_t count;
} connect_list;

/* The cookies of a handle (cookies.h). */
typedef struct cookie_jar {
    // Where libcurl has them not, those that it had.
    struct curl_slist *kept;
    // The names of those set, or taken back, that the channel's other jar does not know of.
    struct curl_slist *news;
    // How many the heads have set since the request was sent.
    unsigned set;
    // libcurl has them and takes more; and heads have ever set any.
    bool is_open;
    bool has_any;
} cookie_jar;

/* One request on its way, or the handle that waits for the next one (transfer.h). */
typedef struct transfer {
    net_channel *channel;
    exchange_slot slot;
    // How taking the response's content coding off went.
    coding_status decoded;
    // NULL while not needed.
    CURL *easy;
    bool running;
    // `easy` was set up for HTTP/2.
    bool may_http2;
    // `easy` knows what TLS needs, to a server and to a proxy.
    bool has_tls;
    bool has_proxy_tls;
    // Of authorities, `easy` knows a directory alone.
    bool trusts_directory;
    // `easy` has the loop's share.
    bool shares;
    // The last response brought so much that a large receive buffer pays.
    bool was_busy;
    // The request was sent, over a connection that was there before, and nothing came back.
    bool is_unanswered;
    // The request opens a session; and it is one of the loop's `returning`.
    bool opens;
    bool returns;
    bool posts;
    // The final response's head has come.
    bool head_done;
    bool is_redirect;
    bool is_ok; // status 200
    // The head has a Location.
    bool has_location;
    // The `ends` of the connection that the request is on, 0 for none; since when; and when that connection,
    // if it is suspect, must have shown a sign of life.
    uint64_t ends;
    int64_t sent_ms;
    int64_t probe_at_ms;
    // Bytes of a large body that have gone out.
    curl_off_t uploaded;
    // What libcurl counts of requests' bytes, as it was before this one: a proxy's come first.
    long counted;
    int redirects;
    session_intake intake;
    // What takes it off, NULL: it has none.
    content_coding *coding;
    cookie_jar cookies;
    // The status line's words.
    strbuf reason;
    // The header lines, where the status is not 200.
    strbuf head;
    char *error; // CURL_ERROR_SIZE bytes, or NULL
    // The header lines of its request.
    headers *headers;
} transfer;

struct net_loop {
    CURLM *multi;
    // TLS sessions, of all channels.
    CURLSH *share;
    timers timers;
    connections connections;
    net_channel *channels; // a doubly linked list
    size_t channel_count;
    net_watcher watcher; // all NULL when driven by waiting, or behind `poller`
    int poller;          // watches the sockets; -1 where libcurl waits for them, or by `watcher`
    int64_t curl_at_ms;  // when libcurl wants to be called; only when watched
    // Where a thread waits at the poller: what it has found, and what another one ends the wait by.
    struct poller_event *ready;
    int ready_count;
    int waker;
    // Channels that have something for their owner, linked by `next_with_news`.
    net_channel *with_news;
    connect_list connecting;
    connect_list waiting;
    // Requests under way whose connections will lie idle.
    size_t returning;
};

struct net_channel {
    session *session;
    net_loop *loop;
    net_channel *next;
    net_channel *previous;
    void *owner;
    // What net_options said, copied.
    int64_t connect_timeout_ms;
    char *user_agent;
    char *cookies;
    // What servers have set, until it is taken; and what they had, when the channel was closed.
    strbuf set_cookies;
    strbuf last_cookies;
    char *proxy;
    tls_options tls;
    headers *headers;
    session_action state;
    int64_t at_ms;
    size_t timer_index;
    bool http2;
    // One transfer, if forward and back channel never run at once; else one for each slot.
    uint8_t transfer_count;
    bool keeps_set_cookies;
    // A back channel was asked for; and a connection was closed under a request without an answer.
    bool has_polled;
    bool drops_connections;
    // A step is under way: what happens in it must not begin another.
    bool stepping;
    bool has_news;
    net_channel *next_with_news;
    // The channel's place in one of the loop's lists, and since when; NULL: in none.
    connect_list *connect_list;
    net_channel *next_to_connect;
    net_channel *previous_to_connect;
    int64_t connecting_since_ms;
    transfer transfers[];
};

#endif
