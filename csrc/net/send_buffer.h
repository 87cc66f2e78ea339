/* How many bytes of a request libcurl sends at once. */
#ifndef GAECHANNEL_NET_SEND_BUFFER_H
#define GAECHANNEL_NET_SEND_BUFFER_H

#include "net/net.h"

/* Choose the size of `easy`'s send buffer for its next request, a GET unless it `posts` so many bytes. Not to
 * be called while one is under way. */
void send_buffer_choose(CURL *easy, bool posts, size_t body_length);

#endif
