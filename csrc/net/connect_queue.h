/* Not all at once: which channels of a loop may connect now. */
#ifndef GAECHANNEL_NET_CONNECT_QUEUE_H
#define GAECHANNEL_NET_CONNECT_QUEUE_H

#include "net/net.h"

/* Whether the channel may start requests now; if not, it will be stepped when it may. */
bool connect_queue_enter(net_channel *channel);
/* Give the place, or the wait for one, to the next. */
void connect_queue_leave(net_channel *channel);

#endif
