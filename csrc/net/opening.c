/* Channels that share a loop do not all connect at once: a server's listen backlog is finite, and so is its
 * patience.
 *
 * A channel whose session is not running yet, or whose back channel broke, takes one of a few places when it
 * starts a request. It keeps it until the back channel is answered, or until it has nothing under way. The
 * others wait in line. A server that never answers must not block the channels of others: a place that was
 * held for long goes to the first in line. */
#include "internal.h"

// Places. Small beside every common backlog (128 and up), large enough to keep a server busy.
#define MAX_OPENING 64
// How long a place is one's own, in ms: ten times what a handshake takes from one end of the world to the
// other.
#define PATIENCE_MS 3000

/* ---- Lists, of those who have a place and of those who wait for one ---- */

static void append(opening_list *list, net_channel *self) {
    self->opening_list = list;
    self->opening_next = NULL;
    self->opening_previous = list->last;
    if (list->last != NULL)
        list->last->opening_next = self;
    else
        list->first = self;
    list->last = self;
    list->count++;
}

static void take_out(net_channel *self) {
    opening_list *list = self->opening_list;
    if (self->opening_previous != NULL)
        self->opening_previous->opening_next = self->opening_next;
    else
        list->first = self->opening_next;
    if (self->opening_next != NULL)
        self->opening_next->opening_previous = self->opening_previous;
    else
        list->last = self->opening_previous;
    list->count--;
    self->opening_list = NULL;
}

/* ---- Places ---- */

// When the first in line is to look again: now if there is a place, or when the oldest becomes free.
static void call_first(net_loop *loop) {
    net_channel *oldest = loop->opening.first;
    int64_t at_ms = loop->opening.count < MAX_OPENING ? 0 : oldest->opening_since_ms + PATIENCE_MS;
    // Stepped from the loop's timers, not from in here: a long line of channels with nothing to do must not
    // become a deep stack.
    if (loop->waiting.first != NULL)
        timers_set(&loop->timers, loop->waiting.first, at_ms);
}

static bool is_free(const net_loop *loop, int64_t now_ms) {
    return loop->opening.count < MAX_OPENING || loop->opening.first->opening_since_ms + PATIENCE_MS <= now_ms;
}

bool opening_enter(net_channel *self) {
    net_loop *loop = self->loop;
    int64_t now_ms = net_now_ms();
    if (self->opening_list == &loop->opening || !session_is_opening(self->session))
        return true;
    bool first = loop->waiting.first == NULL || loop->waiting.first == self;
    if (!first || !is_free(loop, now_ms)) {
        if (self->opening_list == NULL)
            append(&loop->waiting, self);
        call_first(loop);
        return false;
    }
    if (self->opening_list != NULL)
        take_out(self);
    if (loop->opening.count >= MAX_OPENING)
        take_out(loop->opening.first);
    self->opening_since_ms = now_ms;
    append(&loop->opening, self);
    call_first(loop);
    return true;
}

void opening_leave(net_channel *self) {
    if (self->opening_list == NULL)
        return;
    take_out(self);
    call_first(self->loop);
}
