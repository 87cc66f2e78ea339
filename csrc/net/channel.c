/* A channel: a session, the transfers that carry its requests, and a place in a loop. */
#include <stdlib.h> // calloc()
#include <string.h> // strdup()

#include "net/cookies.h"
#include "net/connect_queue.h"
#include "net/internal.h"
#include "net/news.h"
#include "net/timers.h"
#include "net/transfer.h"

// What long timers are rounded up to.
#define ROUND_MS 128

// As of a session, ten thousand wait for days.
_Static_assert(sizeof(void *) > 8 || sizeof(net_channel) + sizeof(transfer) <= 408, "a channel has grown");

/* ---- Begin and end ---- */

static void leave(net_channel *self);

static bool copy_text(char **to, const char *from) {
    *to = from != NULL ? strdup(from) : NULL;
    return *to != NULL || from == NULL;
}

net_channel *net_channel_new(session *carried, const net_options *options, void *owner) {
    uint8_t transfer_count = session_is_half_duplex(carried) ? 1 : SLOT_COUNT;
    net_channel *self = calloc(1, sizeof *self + transfer_count * sizeof *self->transfers);
    if (self == NULL)
        return NULL;
    *self = (net_channel){
        .transfer_count = transfer_count,
        .owner = owner,
        .connect_timeout_ms = options->connect_timeout_ms,
        .tls.verify = options->verify,
        .http2 = options->http2,
        .timer_index = NOT_TIMED,
        .at_ms = SESSION_NEVER,
        .state = {.kind = ACTION_WAIT, .at_ms = SESSION_NEVER},
    };
    for (int i = 0; i < transfer_count; i++)
        self->transfers[i].channel = self;
    if (!copy_text(&self->user_agent, options->user_agent) || !copy_text(&self->proxy, options->proxy) ||
        !copy_text(&self->cookies, options->cookies) ||
        !copy_text(&self->tls.ca_file, tls_file_to_keep(options->ca_file)) ||
        !copy_text(&self->tls.ca_path, tls_path_to_keep(options->ca_path)) ||
        !copy_text(&self->tls.cert, options->cert) || !copy_text(&self->tls.key, options->key) ||
        (self->headers = headers_new(options->headers, options->user_agent == NULL)) == NULL) {
        net_channel_free(self);
        return NULL;
    }
    self->session = carried;
    return self;
}

static void free_texts(net_channel *self) {
    free(self->user_agent);
    free(self->cookies);
    strbuf_free(&self->set_cookies);
    strbuf_free(&self->last_cookies);
    free(self->proxy);
    free(self->tls.ca_file);
    free(self->tls.ca_path);
    free(self->tls.cert);
    free(self->tls.key);
    headers_release(self->headers);
}

static void copy_all(const strbuf *from, strbuf *out) {
    strbuf_append(out, strbuf_str(from), from->length);
    if (strbuf_failed(from))
        strbuf_fail(out);
}

// Both transfers have the same where there are two, or one has what the other one is still to be given.
static void write_set_cookies(net_channel *self, strbuf *out) {
    int first = 0;
    for (int i = 0; i < self->transfer_count; i++)
        if (self->transfers[i].cookies.news != NULL)
            first = i;
    for (int i = 0; i < self->transfer_count && out->length == 0 && !strbuf_failed(out); i++) {
        transfer *next = &self->transfers[(first + i) % self->transfer_count];
        cookies_write(&next->cookies, next->easy, out);
    }
    copy_all(&self->last_cookies, out);
}

void net_channel_free(net_channel *self) {
    if (self == NULL)
        return;
    net_channel_close(self);
    session_free(self->session);
    free_texts(self);
    free(self);
}

void net_channel_close(net_channel *self) {
    strbuf set = {0};
    transfer_pass_cookies_on(&self->transfers[0]);
    write_set_cookies(self, &set); // who closes may want to keep them
    strbuf_free(&self->last_cookies);
    self->last_cookies = set;
    for (int i = 0; i < self->transfer_count; i++)
        transfer_free(&self->transfers[i]);
    if (self->loop != NULL)
        leave(self);
    self->state = (session_action){.kind = ACTION_ENDED};
}

session *net_channel_session(net_channel *self) {
    return self->session;
}

void *net_channel_owner(net_channel *self) {
    return self->owner;
}

void net_channel_write_cookies(net_channel *self, strbuf *out) {
    strbuf_text(out, self->cookies != NULL ? self->cookies : "");
    strbuf_text(out, "\n");
    strbuf set = {0};
    write_set_cookies(self, &set);
    copy_all(&set, out);
    strbuf_free(&set);
}

void net_channel_set_keeps_cookies(net_channel *self, bool keeps) {
    self->keeps_set_cookies = keeps;
}

bool net_channel_has_set_cookies(const net_channel *self) {
    return self->set_cookies.length != 0;
}

void net_channel_take_set_cookies(net_channel *self, strbuf *out) {
    *out = self->set_cookies;
    self->set_cookies = (strbuf){0};
}

bool net_channel_set_headers(net_channel *self, const char *lines, const char *cookies, bool all) {
    char *copy = NULL;
    strbuf set = {0};
    headers *made = headers_new(lines, self->user_agent == NULL);
    if (made == NULL || !copy_text(&copy, cookies != NULL ? cookies : "")) {
        headers_release(made);
        return false;
    }
    for (int i = 0; i < self->transfer_count && all; i++)
        cookies_forget(&self->transfers[i].cookies, self->transfers[i].easy);
    write_set_cookies(self, &set);
    bool known = !strbuf_failed(&set);
    cookies_drop_set(copy, strbuf_str(&set));
    strbuf_free(&set);
    if (!known) {
        headers_release(made);
        free(copy);
        return false;
    }
    headers_release(self->headers);
    free(self->cookies);
    self->headers = made;
    self->cookies = copy; // empty where there are none, so that libcurl forgets those that it has
    return true;
}

void *net_channel_disown(net_channel *self) {
    void *owner = self->owner;
    self->owner = NULL;
    return owner;
}

session_action net_channel_state(const net_channel *self) {
    return self->state;
}

/* ---- Its place in a loop ---- */

// Where forward and back channel never run at once, one easy handle carries both, over one connection.
static transfer *transfer_for(net_channel *self, exchange_slot slot) {
    return &self->transfers[self->transfer_count == 1 ? 0 : slot];
}

static void break_off(net_channel *self) {
    for (int slot = 0; slot < SLOT_COUNT; slot++) {
        transfer *carrier = transfer_for(self, (exchange_slot)slot);
        if (!carrier->running || carrier->slot != (exchange_slot)slot)
            continue;
        transfer_stop(carrier);
        session_on_break(self->session, carrier->slot);
    }
}

static void leave(net_channel *self) {
    net_loop *loop = self->loop;
    if (self->session != NULL)
        break_off(self);
    for (int i = 0; i < self->transfer_count; i++)
        transfer_leave(&self->transfers[i]);
    connect_queue_leave(self);
    news_forget(self);
    timers_set(&loop->timers, self, SESSION_NEVER);
    if (self->previous != NULL)
        self->previous->next = self->next;
    else
        loop->channels = self->next;
    if (self->next != NULL)
        self->next->previous = self->previous;
    loop->channel_count--;
    self->next = self->previous = NULL;
    self->loop = NULL;
}

bool net_channel_join(net_channel *self, net_loop *loop) {
    if (self->loop == loop)
        return true;
    if (loop != NULL && !timers_reserve(&loop->timers, loop->channel_count + 1))
        return false;
    if (self->loop != NULL)
        leave(self);
    if (loop == NULL)
        return true;
    self->loop = loop;
    self->next = loop->channels;
    if (loop->channels != NULL)
        loop->channels->previous = self;
    loop->channels = self;
    loop->channel_count++;
    return true;
}

/* ---- Doing what the session wants ---- */

// A back channel's silence is measured in seconds: ten thousand of them need not be looked at one by one,
// each at its own millisecond.
static int64_t rounded(const net_channel *self, int64_t at_ms, int64_t now_ms) {
    if (at_ms == SESSION_NEVER || at_ms - now_ms < 64 * ROUND_MS || session_is_opening(self->session))
        return at_ms;
    return (at_ms / ROUND_MS + 1) * ROUND_MS;
}

void net_channel_step(net_channel *self) {
    int64_t now_ms = net_now_ms();
    session_action action;
    if (self->stepping || self->loop == NULL)
        return;
    if (!connect_queue_enter(self)) {
        self->state = (session_action){.kind = ACTION_WAIT, .at_ms = SESSION_NEVER};
        return;
    }
    self->stepping = true;
    for (int i = 0; i < self->transfer_count; i++)
        transfer_probe(&self->transfers[i], now_ms);
    for (;;) {
        session_next(self->session, now_ms, &action);
        transfer *carrier = transfer_for(self, action.slot);
        if (action.kind == ACTION_SEND) {
            carrier->slot = action.slot;
            transfer_start(carrier);
        } else if (action.kind == ACTION_ABORT) {
            transport_outcome outcome = transfer_give_up(carrier, action.silent_since_ms);
            session_on_done(self->session, action.slot, outcome, 0, "", now_ms);
        } else {
            break;
        }
    }
    self->stepping = false;
    for (int i = 0; i < self->transfer_count; i++)
        transfer_trim(&self->transfers[i]);
    self->state = action;
    int64_t at_ms = action.kind == ACTION_WAIT ? rounded(self, action.at_ms, now_ms) : SESSION_NEVER;
    for (int i = 0; i < self->transfer_count; i++)
        if (self->transfers[i].running && self->transfers[i].probe_at_ms < at_ms)
            at_ms = self->transfers[i].probe_at_ms;
    timers_set(&self->loop->timers, self, at_ms);
    if (!session_is_opening(self->session) || !session_is_busy(self->session))
        connect_queue_leave(self);
}

void net_channel_resume(net_channel *self) {
    if (self->loop == NULL || !session_can_resume(self->session))
        return;
    session_on_resume(self->session, net_now_ms());
    transfer_resume(transfer_for(self, SLOT_BACK));
}
