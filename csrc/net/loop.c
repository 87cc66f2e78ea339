/* The loop: a libcurl multi handle, driven by waiting or by somebody's event loop. */
#include <stdlib.h> // calloc()

#include "net/internal.h"
#include "net/libcurl.h"
#include "net/news.h"
#include "net/poller.h"
#include "net/timers.h"
#include "net/transfer.h"

net_loop *net_loop_new(void) {
    net_loop *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->curl_at_ms = SESSION_NEVER;
    self->poller = self->waker = -1;
    self->multi = curl_multi_init();
    self->share = tls_new_share();
    if (self->multi == NULL || self->share == NULL) {
        net_loop_free(self);
        return NULL;
    }
    // As many streams to a connection of HTTP/2 as the server allows, which is some hundred as a rule.
    curl_multi_setopt(self->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
    return self;
}

void net_loop_free(net_loop *self) {
    if (self == NULL)
        return;
    curl_multi_cleanup(self->multi);
    curl_share_cleanup(self->share);
    connections_free(&self->connections); // which libcurl has closed
    timers_free(&self->timers);
    poller_close(self->poller);
    poller_close(self->waker);
    free(self->ready);
    free(self);
}

bool net_loop_reserve(net_loop *self, size_t channels) {
    return timers_reserve(&self->timers, self->channel_count + channels);
}

net_channel *net_loop_channel_after(net_loop *self, net_channel *channel) {
    return channel == NULL ? self->channels : channel->next;
}

/* ---- What both ways share ---- */

// Where others watch its sockets, libcurl 8.21 forgets each connection of TLS whose other end has not
// answered its last words yet, and never closes it: curl's issue 22282, mended in 8.22.
#define LEAVES_CONNECTIONS_OPEN 0x0815

/* Have it look at those that are to be closed, which it does when it is woken. What is closed behind this
 * transfer has no answer yet; it is looked at behind the next one. */
static void close_connections(net_loop *self) {
    if (libcurl_info()->version_num >> 8 == LEAVES_CONNECTIONS_OPEN)
        curl_multi_wakeup(self->multi);
}

static void finish_transfers(net_loop *self) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(self->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        transfer *done = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&done);
        net_channel *channel = done->channel;
        transfer_done(done, message->data.result);
        net_channel_step(channel);
        news_add(channel);
        close_connections(self);
    }
}

static void run_timers(net_loop *self) {
    int64_t now_ms = net_now_ms();
    net_channel *channel;
    while ((channel = timers_take(&self->timers, now_ms)) != NULL) {
        net_channel_resume(channel);
        net_channel_step(channel);
        news_add(channel);
    }
}

// What libcurl has just done, and what it is time for.
static void finish(net_loop *self) {
    finish_transfers(self);
    run_timers(self);
}

/* ---- Driven by waiting ---- */

// So many sockets at a time: others wait for the event loop, too.
#define MAX_READY 64

int64_t net_loop_wait_ms(const net_loop *self, int64_t max_ms) {
    int64_t until_ms = net_loop_timer_ms(self) - net_now_ms();
    return until_ms >= max_ms ? max_ms : until_ms > 0 ? until_ms : 0;
}

void net_loop_wait(net_loop *self, int64_t max_ms) {
    if (self->ready != NULL)
        self->ready_count = poller_take(self->poller, self->ready, MAX_READY, (int)max_ms);
    else
        curl_multi_poll(self->multi, NULL, 0, (int)max_ms, NULL);
}

void net_loop_wakeup(net_loop *self) {
    if (self->ready != NULL)
        poller_wake(self->waker);
    else
        curl_multi_wakeup(self->multi);
}

static void act_on(net_loop *self, const poller_event *events, int count) {
    int running;
    for (int i = 0; i < count; i++)
        curl_multi_socket_action(self->multi, events[i].socket, events[i].events, &running);
    finish(self);
}

void net_loop_perform(net_loop *self) {
    int running;
    if (self->ready == NULL) {
        curl_multi_perform(self->multi, &running);
        finish(self);
        return;
    }
    if (self->ready_count == 0)
        self->ready_count = poller_take(self->poller, self->ready, MAX_READY, 0);
    act_on(self, self->ready, self->ready_count);
    self->ready_count = 0;
    if (self->curl_at_ms <= net_now_ms())
        net_loop_on_timer(self);
}

/* ---- Driven by what watches the sockets ---- */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known) {
    net_loop *self = context;
    (void)easy;
    int events = what == CURL_POLL_REMOVE ? 0 : what; // CURL_POLL_IN, _OUT and _INOUT are 1, 2 and 3
    if (self->poller < 0) {
        self->watcher.socket(self->watcher.context, socket, events);
        return 0;
    }
    poller_set(self->poller, socket, events, known != NULL);
    if (known == NULL)
        curl_multi_assign(self->multi, socket, self); // until libcurl forgets it
    return 0;
}

static int on_timeout(CURLM *multi, long in_ms, void *context) {
    net_loop *self = context;
    (void)multi;
    self->curl_at_ms = in_ms < 0 ? SESSION_NEVER : net_now_ms() + in_ms;
    return 0;
}

static void be_watched(net_loop *self) {
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
}

void net_loop_watch(net_loop *self, const net_watcher *watcher) {
    self->watcher = *watcher;
    be_watched(self);
}

void net_loop_wait_for_many(net_loop *self) {
    int poller = poller_open();
    int waker = poller >= 0 ? poller_open_waker(poller) : -1;
    poller_event *ready = waker >= 0 ? calloc(MAX_READY, sizeof *ready) : NULL;
    if (ready == NULL) {
        poller_close(waker);
        poller_close(poller);
        return;
    }
    self->poller = poller;
    self->waker = waker;
    self->ready = ready;
    be_watched(self);
}

int net_loop_descriptor(net_loop *self) {
    self->poller = poller_open();
    if (self->poller >= 0)
        be_watched(self);
    return self->poller;
}

void net_loop_on_ready(net_loop *self) {
    poller_event events[MAX_READY];
    act_on(self, events, poller_take(self->poller, events, MAX_READY, 0));
}

void net_loop_on_socket(net_loop *self, curl_socket_t socket, int events) {
    int running;
    curl_multi_socket_action(self->multi, socket, events, &running); // CURL_CSELECT_IN and _OUT are 1 and 2
    finish(self);
}

void net_loop_on_timer(net_loop *self) {
    int running;
    if (self->curl_at_ms <= net_now_ms()) {
        self->curl_at_ms = SESSION_NEVER; // libcurl says when it wants to be called again
        curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        finish_transfers(self);
    }
    run_timers(self);
}

int64_t net_loop_timer_ms(const net_loop *self) {
    int64_t at_ms = timers_next_ms(&self->timers);
    return at_ms < self->curl_at_ms ? at_ms : self->curl_at_ms;
}
