/* How many bytes libcurl receives at once. */
#ifndef GAECHANNEL_NET_RECEIVE_BUFFER_H
#define GAECHANNEL_NET_RECEIVE_BUFFER_H

#include "net/net.h"

/* Choose the size of `easy`'s receive buffer for its next request. Not to be called while one is under way.
 *
 * `channels` is how many the loop has, `was_busy` what receive_buffer_was_busy() said of the slot's last
 * response, `may_http2` whether the request may go over HTTP/2. */
void receive_buffer_choose(CURL *easy, size_t channels, bool was_busy, bool may_http2);

/* Whether the response that has ended brought so much that a large buffer pays for the next one. */
bool receive_buffer_was_busy(CURL *easy);

#endif
