/* Channels that share a loop do not all connect at once: a server's listen backlog is finite, and so is its
 * patience.
 *
 * A channel whose session is not running yet, or whose back channel broke, takes one of a few places when it
 * starts a request. It keeps it until the back channel is answered, or until it has nothing under way. The
 * others wait in line. A server that never answers must not block the channels of others: a place that was
 * held for long goes to the first in line. */
#include "net/connect_queue.h"

#include "net/internal.h"
#include "net/timers.h"

// Places. Small beside every common backlog (128 and up), large enough to keep a server busy.
#define MAX_CONNECTING 64
// How long a place is one's own, in ms: ten times what a handshake takes from one end of the world to the
// other.
#define PATIENCE_MS 3000

/* ---- Lists, of those who have a place and of those who wait for one ---- */

static void append(connect_list *list, net_channel *self) {
    self->connect_list = list;
    self->next_to_connect = NULL;
    self->previous_to_connect = list->last;
    if (list->last != NULL)
        list->last->next_to_connect = self;
    else
        list->first = self;
    list->last = self;
    list->count++;
}

static void take_out(net_channel *self) {
    connect_list *list = self->connect_list;
    if (self->previous_to_connect != NULL)
        self->previous_to_connect->next_to_connect = self->next_to_connect;
    else
        list->first = self->next_to_connect;
    if (self->next_to_connect != NULL)
        self->next_to_connect->previous_to_connect = self->previous_to_connect;
    else
        list->last = self->previous_to_connect;
    list->count--;
    self->connect_list = NULL;
}

/* ---- Places ---- */

// When the first in line is to look again: now if there is a place, or when the oldest becomes free.
static void call_first(net_loop *loop) {
    net_channel *oldest = loop->connecting.first;
    int64_t at_ms = loop->connecting.count < MAX_CONNECTING ? 0 : oldest->connecting_since_ms + PATIENCE_MS;
    // Stepped from the loop's timers, not from in here: a long line of channels with nothing to do must not
    // become a deep stack.
    if (loop->waiting.first != NULL)
        timers_set(&loop->timers, loop->waiting.first, at_ms);
}

static bool is_free(const net_loop *loop, int64_t now_ms) {
    return loop->connecting.count < MAX_CONNECTING ||
           loop->connecting.first->connecting_since_ms + PATIENCE_MS <= now_ms;
}

bool connect_queue_enter(net_channel *self) {
    net_loop *loop = self->loop;
    int64_t now_ms = net_now_ms();
    if (self->connect_list == &loop->connecting || !session_is_opening(self->session))
        return true;
    bool first = loop->waiting.first == NULL || loop->waiting.first == self;
    if (!first || !is_free(loop, now_ms)) {
        if (self->connect_list == NULL)
            append(&loop->waiting, self);
        call_first(loop);
        return false;
    }
    if (self->connect_list != NULL)
        take_out(self);
    if (loop->connecting.count >= MAX_CONNECTING)
        take_out(loop->connecting.first);
    self->connecting_since_ms = now_ms;
    append(&loop->connecting, self);
    call_first(loop);
    return true;
}

void connect_queue_leave(net_channel *self) {
    if (self->connect_list == NULL)
        return;
    take_out(self);
    call_first(self->loop);
}
