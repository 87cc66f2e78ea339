/* What the files of this folder share. */
#ifndef GAECHANNEL_NET_INTERNAL_H
#define GAECHANNEL_NET_INTERNAL_H

#include "net.h"
#include "net/connections.h"
#include "net/content_coding.h"
#include "net/tls.h"

// A place in the heap that is none.
#define NOT_TIMED SIZE_MAX

/* ---- timers.c: which channel is next ---- */

typedef struct timers {
    // A binary heap: the channel with the earliest `at_ms` first.
    net_channel **items;
    size_t count;
    size_t capacity;
} timers;

/* Make room for one more channel, so that timers_set() never fails. */
bool timers_reserve(timers *heap, size_t channels);
/* The channel wants to be called at `at_ms`; SESSION_NEVER takes it out. */
void timers_set(timers *heap, net_channel *channel, int64_t at_ms);
void timers_free(timers *heap);

/* ---- transfer.c: one request ---- */

typedef struct transfer {
    net_channel *channel;
    exchange_slot slot;
    // NULL while not needed.
    CURL *easy;
    bool running;
    // Whether `easy` was set up for HTTP/2.
    bool may_http2;
    // The last response brought so much that a large receive buffer pays.
    bool was_busy;
    // It knows what TLS needs, to a server and to a proxy.
    bool has_tls;
    bool has_proxy_tls;
    // It has the channel's share, or the loop's.
    bool shares;
    // It takes cookies and sends them. When it does not, `cookies` are those that it had.
    bool keeps_cookies;
    // The request was sent, over a connection that was there before, and nothing came back.
    bool sent_unheard;
    // The final response's head has come.
    bool head_done;
    bool is_redirect;
    bool is_ok; // status 200
    // The head has a Location.
    bool has_location;
    // The connection's that it is on, 0 for none; since when; and when that one, if it is suspect, must have
    // shown a sign of life.
    uint64_t ends;
    int64_t sent_ms;
    int64_t probe_at_ms;
    // Bytes of a large body that have gone out.
    curl_off_t gone;
    // How many cookies the heads have set since the request was sent; whether any ever has.
    unsigned set_cookies;
    bool has_cookies;
    int redirects;
    session_intake intake;
    // What takes the response's content coding off; NULL: it has none. And how that went.
    content_coding *coding;
    coding_status decoded;
    // The status line's words.
    strbuf reason;
    // The header lines, where the status is not 200.
    strbuf head;
    char *error; // CURL_ERROR_SIZE bytes, or NULL
    struct curl_slist *cookies;
} transfer;

void transfer_start(transfer *self);
/* Take it off the loop; tells the session nothing. */
void transfer_stop(transfer *self);
/* Give back what only the response's head needed, if that is over: ten thousand back channels wait for days.
 * Not to be called by libcurl, which does not say that it may be taken away there. */
void transfer_slim(transfer *self);
/* Take it off the loop, since it has been silent since then (SESSION_NEVER: for another reason). A connection
 * on which nobody heard anything is given up with it, and all that is on it is sent again. Returns what is to
 * be told to the session. */
transport_outcome transfer_give_up(transfer *self, int64_t silent_since_ms);
/* See whether a suspect connection has shown a sign of life, if it is time to. */
void transfer_probe(transfer *self, int64_t now_ms);
/* The channel is about to leave its loop. */
void transfer_leave(transfer *self);
/* libcurl is done with it. */
void transfer_done(transfer *self, CURLcode code);
void transfer_free(transfer *self);

typedef struct opening_list {
    net_channel *first;
    net_channel *last;
    size_t count;
} opening_list;

struct net_loop {
    CURLM *multi;
    // TLS sessions, of all channels that have no share of their own.
    CURLSH *share;
    timers timers;
    connections connections;
    net_channel *channels; // a doubly linked list
    size_t channel_count;
    net_watcher watcher; // all NULL when driven by waiting, or behind `poller`
    int poller;          // watches the sockets; -1 when driven by waiting, or by `watcher`
    int64_t curl_at_ms;  // when libcurl wants to be called; only when watched
    // Channels that have something for their owner, linked by `next_dirty`.
    net_channel *dirty;
    // Channels that are connecting, and those that wait for a place to do so; the oldest first.
    opening_list opening;
    opening_list waiting;
};

struct net_channel {
    session *session;
    net_loop *loop;
    net_channel *next;
    net_channel *previous;
    void *owner;
    // What net_options said, copied.
    int64_t connect_timeout_ms;
    bool http2;
    char *user_agent;
    char *cookies;
    char *proxy;
    tls_options tls;
    struct curl_slist *headers;
    // The cookies, and TLS sessions, of both transfers; NULL where one carries all.
    CURLSH *share;
    transfer transfers[SLOT_COUNT];
    session_action state;
    int64_t at_ms;
    size_t timer_index;
    // A back channel was asked for; and a connection was closed under a request without an answer.
    bool has_polled;
    bool drops_connections;
    // A step is under way: what happens in it must not begin another.
    bool stepping;
    bool is_dirty;
    net_channel *next_dirty;
    // Its place in one of the loop's lists, and since when; NULL: in none.
    opening_list *opening_list;
    net_channel *opening_next;
    net_channel *opening_previous;
    int64_t opening_since_ms;
};

/* ---- opening.c: not all at once ---- */

/* Whether the channel may start requests now; if not, it will be stepped when it may. */
bool opening_enter(net_channel *self);
/* Give the place, or the wait for one, to the next. */
void opening_leave(net_channel *self);

/* ---- poller.c: the system watches the sockets ---- */

/* A descriptor that can be read when one of its sockets is ready; -1: there is no such thing here. */
int poller_open(void);
void poller_close(int poller);
/* Watch for reading (1), writing (2), both (3), or no longer (0). */
void poller_set(int poller, curl_socket_t socket, int events);

typedef struct poller_event {
    curl_socket_t socket;
    int events; // as curl_multi_socket_action() wants them
} poller_event;
/* Those that are ready, without waiting; returns how many. */
int poller_take(int poller, poller_event *events, int room);

/* ---- loop.c ---- */

void loop_mark_dirty(net_channel *channel);

/* A share of TLS sessions; libcurl would have a cache of its own for each easy handle. */
CURLSH *loop_make_share(void);

/* The transfer that carries a slot's requests. */
transfer *channel_transfer(net_channel *channel, exchange_slot slot);

#endif
