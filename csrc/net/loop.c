/* The loop: a libcurl multi handle, driven by waiting or by somebody's event loop. */
#include <stdlib.h> // calloc()
#include <time.h>   // clock_gettime()

#include "internal.h"

int64_t net_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

net_loop *net_loop_new(void) {
    net_loop *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->curl_at_ms = self->told_at_ms = SESSION_NEVER;
    self->multi = curl_multi_init();
    if (self->multi == NULL) {
        free(self);
        return NULL;
    }
    return self;
}

void net_loop_free(net_loop *self) {
    if (self == NULL)
        return;
    curl_multi_cleanup(self->multi);
    timers_free(&self->timers);
    free(self);
}

net_channel *net_loop_channel_after(net_loop *self, net_channel *channel) {
    return channel == NULL ? self->channels : channel->next;
}

/* ---- What both ways share ---- */

static void notify(net_loop *self, net_channel *channel) {
    if (self->watcher.notify != NULL)
        self->watcher.notify(self->watcher.context, channel);
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
        notify(self, channel);
    }
}

static void run_timers(net_loop *self) {
    int64_t now_ms = net_now_ms();
    while (self->timers.count != 0 && self->timers.items[0]->at_ms <= now_ms) {
        net_channel *channel = self->timers.items[0];
        timers_set(&self->timers, channel, SESSION_NEVER);
        net_channel_step(channel);
        notify(self, channel);
    }
}

/* ---- Driven by waiting ---- */

void net_loop_wait(net_loop *self, int64_t max_ms) {
    if (self->timers.count != 0) {
        int64_t until_ms = self->timers.items[0]->at_ms - net_now_ms();
        if (until_ms < max_ms)
            max_ms = until_ms > 0 ? until_ms : 0;
    }
    curl_multi_poll(self->multi, NULL, 0, (int)max_ms, NULL);
}

void net_loop_wakeup(net_loop *self) {
    curl_multi_wakeup(self->multi);
}

void net_loop_perform(net_loop *self) {
    int running;
    curl_multi_perform(self->multi, &running);
    finish_transfers(self);
    run_timers(self);
}
