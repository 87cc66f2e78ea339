/* Carries sessions' requests over libcurl: one multi handle for any number of channels.
 *
 * A loop is driven in one of two ways. Blocking: net_loop_wait_ms(), net_loop_wait(), net_loop_perform(),
 * again and again. By somebody's event loop: a net_watcher is told which sockets to watch, and
 * net_loop_on_socket() and net_loop_on_timer() are called when one is ready, or the time has come. All else
 * is the same in both.
 *
 * Nothing here is thread-safe but net_loop_wakeup(), and net_loop_wait() beside anything that does not drive
 * the loop or change its channels. */
#ifndef GAECHANNEL_NET_NET_H
#define GAECHANNEL_NET_NET_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // int64_t

#include <curl/curl.h>

#include "session/session.h"

typedef struct net_loop net_loop;
typedef struct net_channel net_channel;

/* Milliseconds of a clock that never goes back. */
int64_t net_now_ms(void);

/* ---- The loop ---- */

net_loop *net_loop_new(void);
/* The loop's channels must have been freed before. */
void net_loop_free(net_loop *loop);

/* Have the system watch the sockets, so that a turn takes no longer where there are ten thousand of them: to
 * be called before any channel joins. Where that cannot be done, libcurl looks at all of them in each turn.
 */
void net_loop_wait_for_many(net_loop *loop);

/* Have so many channels join without want of memory. False when there is none now. */
bool net_loop_reserve(net_loop *loop, size_t channels);

/* How long to wait at most: until the next timer, and no longer than `max_ms`. */
int64_t net_loop_wait_ms(const net_loop *loop, int64_t max_ms);
/* Wait that long for the network; or until net_loop_wakeup(), or a signal. */
void net_loop_wait(net_loop *loop, int64_t wait_ms);
void net_loop_wakeup(net_loop *loop);

/* Do all that can be done without waiting. */
void net_loop_perform(net_loop *loop);

/* The loop's channels, in no order: the one after `channel`, or the first for NULL; NULL after the last. */
net_channel *net_loop_channel_after(net_loop *loop, net_channel *channel);

/* A channel that has something for its owner, records or a new state, since it was last named here; NULL when
 * there is none. */
net_channel *net_loop_take_news(net_loop *loop);

/* ---- Driven by an event loop ---- */

typedef struct net_watcher {
    void *context;
    // Watch `socket` for reading (1), writing (2), both (3), or forget it (0). Called while the loop is busy:
    // take a note, and act on it later, in the same order.
    void (*socket)(void *context, curl_socket_t socket, int events);
} net_watcher;

/* Have the sockets watched by the system, behind one descriptor: whenever that can be read,
 * net_loop_on_ready() is to be called. To be called before any channel joins. -1 where the system knows no
 * such thing, or has no descriptor left: then there is net_loop_watch(). */
int net_loop_descriptor(net_loop *loop);

/* To be called before any channel joins. */
void net_loop_watch(net_loop *loop, const net_watcher *watcher);

/* The descriptor can be read. It may be so again, after this. */
void net_loop_on_ready(net_loop *loop);

/* A socket is ready, for reading (1), writing (2), or both (3). */
void net_loop_on_socket(net_loop *loop, curl_socket_t socket, int events);

/* The time has come. */
void net_loop_on_timer(net_loop *loop);

/* When to call net_loop_on_timer(); SESSION_NEVER: no call is wanted. */
int64_t net_loop_timer_ms(const net_loop *loop);

/* ---- Channels ---- */

/* Texts are copied; NULL means libcurl's own default. */
typedef struct net_options {
    int64_t connect_timeout_ms;
    const char *user_agent; // NULL: the package's name and version
    // "Name: value" lines, each ended by LF.
    const char *headers;
    // "name=value; name=value": go beside those that the server sets, until it sets one of that name.
    const char *cookies;
    const char *proxy;
    bool verify;
    // A file of CA certificates, or a directory of them; "" for none, where libcurl's own would stand beside.
    const char *ca_file;
    const char *ca_path;
    const char *cert;
    const char *key;
    bool http2;
} net_options;

/* A channel owns its session. NULL when memory ran out; the session is then still the caller's. */
net_channel *net_channel_new(session *session, const net_options *options, void *owner);
void net_channel_free(net_channel *channel);

/* End: break off what is under way, leave the loop, free the transfers. The session stays, to be looked at.
 */
void net_channel_close(net_channel *channel);

session *net_channel_session(net_channel *channel);
/* NULL after net_channel_disown(). */
void *net_channel_owner(net_channel *channel);
/* From now on it has none; returns the one it had. */
void *net_channel_disown(net_channel *channel);

/* Other headers and cookies, as net_options has them, from the next request on; `all`: these cookies stand
 * for those that servers have set, too. False when memory ran out. */
bool net_channel_set_headers(net_channel *channel, const char *headers, const char *cookies, bool all);

/* Append the cookies that go with a request: a line of the caller's, as net_options has them, and then a line
 * each of those that servers have set, as libcurl writes them to files. */
void net_channel_write_cookies(net_channel *channel, strbuf *out);

/* Keep what servers set for net_channel_take_set_cookies(): a line each, of the URL, a tab, and the header's
 * value. */
void net_channel_set_keeps_cookies(net_channel *channel, bool keeps);
bool net_channel_has_set_cookies(const net_channel *channel);
void net_channel_take_set_cookies(net_channel *channel, strbuf *out);

/* Put the channel into a loop (out of the one it was in: a request under way there is broken off, and asked
 * again here). NULL: into none. False when memory ran out; then nothing has changed. */
bool net_channel_join(net_channel *channel, net_loop *loop);

/* Do what the session wants done now; to be called after anything was said to the session from outside. */
void net_channel_step(net_channel *channel);

/* Have the loop do that at its next turn. */
void net_channel_step_soon(net_channel *channel);

/* The session's answer to the last step: ACTION_WAIT, ASK_TOKEN, ASK_URL (of `slot`), REACHED or ENDED. */
session_action net_channel_state(const net_channel *channel);

/* Go on with a back channel that was paused, if enough was taken. net_channel_step() is to follow. */
void net_channel_resume(net_channel *channel);

#endif
