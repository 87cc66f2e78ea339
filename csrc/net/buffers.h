/* How many bytes libcurl receives and sends at once. */
#ifndef GAECHANNEL_NET_BUFFERS_H
#define GAECHANNEL_NET_BUFFERS_H

#include <stdbool.h>
#include <stddef.h> // size_t

#include <curl/curl.h>

/* Choose the size of `easy`'s receive buffer for its next request. Not to be called while one is under way.
 *
 * `channels` is how many the loop has, `was_busy` what buffers_were_busy() said of the slot's last response,
 * `may_http2` whether the request may go over HTTP/2. */
void buffers_for_response(CURL *easy, size_t channels, bool was_busy, bool may_http2);

/* Whether the response that has ended brought so much that a large buffer pays for the next one. */
bool buffers_were_busy(CURL *easy);

/* The send buffer's, for a GET unless it `posts` so many bytes. */
void buffers_for_request(CURL *easy, bool posts, size_t body_length);

/* The head of the response to a GET has come: it needs no send buffer any more. Of a POST some may still be
 * to come. */
void buffers_sent(CURL *easy);

#endif
