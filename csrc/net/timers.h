/* Which channel is next: a heap of them by the time at which they want to be called. */
#ifndef GAECHANNEL_NET_TIMERS_H
#define GAECHANNEL_NET_TIMERS_H

#include "net/internal.h"

/* Make room for so many channels, so that timers_set() never fails. False when memory ran out. */
bool timers_reserve(timers *heap, size_t channels);
/* The channel wants to be called at `at_ms`; SESSION_NEVER takes it out. */
void timers_set(timers *heap, net_channel *channel, int64_t at_ms);
/* When the first one wants to be; SESSION_NEVER: none does. */
int64_t timers_next_ms(const timers *heap);
/* Take that one out, if its time has come; else NULL. */
net_channel *timers_take(timers *heap, int64_t now_ms);
void timers_free(timers *heap);

#endif
