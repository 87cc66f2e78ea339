/* Channels that share a loop do not all connect at once: a server's listen backlog is finite, and so is its
 * patience.
 *
 * A channel takes one of a few places when it starts a request without a back channel that was answered, and
 * keeps it until there is one, or until it has nothing under way. The others wait in line. */
#include "internal.h"

// Places. Small beside every common backlog (128 and up), large enough to keep a server busy.
#define MAX_OPENING 64

static void append(net_loop *loop, net_channel *self) {
    self->waits_to_open = true;
    self->next_to_open = NULL;
    if (loop->opening_last != NULL)
        loop->opening_last->next_to_open = self;
    else
        loop->opening_first = self;
    loop->opening_last = self;
}

bool opening_enter(net_channel *self) {
    net_loop *loop = self->loop;
    if (self->is_opening || session_is_streaming(self->session) || session_is_closing(self->session))
        return true;
    if (self->waits_to_open)
        return false;
    if (loop->opening_count >= MAX_OPENING) {
        append(loop, self);
        return false;
    }
    self->is_opening = true;
    loop->opening_count++;
    return true;
}

static net_channel *take_first(net_loop *loop) {
    net_channel *first = loop->opening_first;
    if (first == NULL)
        return NULL;
    loop->opening_first = first->next_to_open;
    if (loop->opening_first == NULL)
        loop->opening_last = NULL;
    first->waits_to_open = false;
    return first;
}

void opening_leave(net_channel *self) {
    net_loop *loop = self->loop;
    if (!self->is_opening)
        return;
    self->is_opening = false;
    loop->opening_count--;
    // Stepped from the loop's timers, not from in here: a long line of channels with nothing to do must not
    // become a deep stack.
    net_channel *next = take_first(loop);
    if (next != NULL)
        timers_set(&loop->timers, next, 0);
}

void opening_forget(net_channel *self) {
    net_loop *loop = self->loop;
    if (!self->waits_to_open)
        return;
    net_channel *line = loop->opening_first;
    loop->opening_first = loop->opening_last = NULL;
    while (line != NULL) {
        net_channel *next = line->next_to_open;
        line->waits_to_open = false;
        if (line != self)
            append(loop, line);
        line = next;
    }
}
