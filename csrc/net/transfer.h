/* One request on its way, from the session to libcurl and back. */
#ifndef GAECHANNEL_NET_TRANSFER_H
#define GAECHANNEL_NET_TRANSFER_H

#include "net/internal.h"

void transfer_start(transfer *self);
/* Take it off the loop; tells the session nothing. */
void transfer_stop(transfer *self);
/* Give back what only the response's head needed, if that is over: ten thousand back channels wait for days.
 * Not to be called by libcurl, which does not say that it may be taken away there. */
void transfer_trim(transfer *self);
/* Take it off the loop, since it has been silent since then (SESSION_NEVER: for another reason). A connection
 * on which nobody heard anything is given up with it, and all that is on it is sent again. Returns what is to
 * be told to the session. */
transport_outcome transfer_give_up(transfer *self, int64_t silent_since_ms);
/* See whether a suspect connection has shown a sign of life, if it is time to. */
void transfer_probe(transfer *self, int64_t now_ms);
/* Let it go on where it was paused. */
void transfer_resume(transfer *self);
/* What servers have set here, the channel's other transfer is to know, too, and the other way round. False
 * when memory ran out. */
bool transfer_pass_cookies_on(transfer *self);
/* The channel is about to leave its loop. */
void transfer_leave(transfer *self);
/* libcurl is done with it. */
void transfer_done(transfer *self, CURLcode code);
void transfer_free(transfer *self);

#endif
