/* What it means that libcurl could not carry a request. */
#ifndef GAECHANNEL_NET_FAILURE_H
#define GAECHANNEL_NET_FAILURE_H

#include "net/internal.h"

/* Whether the server has not looked at the request: its stream was refused, or lies behind the last one that
 * a GOAWAY names, or the connection, which had been used before, was closed. */
bool failure_is_stale(const transfer *self, CURLcode code);

/* What the session is to be told, if it was not that. */
transport_outcome failure_outcome(const transfer *self, CURLcode code);

/* Append what happened, for a person. */
void failure_words(const transfer *self, CURLcode code, strbuf *words);

#endif
