/* Which channels have something for their owners: records, or a new state. */
#ifndef GAECHANNEL_NET_NEWS_H
#define GAECHANNEL_NET_NEWS_H

#include "net/net.h"

/* The channel has, if it is in a loop. net_loop_take_news() names it. */
void news_add(net_channel *channel);
/* The channel leaves its loop. */
void news_forget(net_channel *channel);

#endif
