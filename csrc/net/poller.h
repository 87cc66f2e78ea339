/* The system watches the sockets, behind one descriptor. */
#ifndef GAECHANNEL_NET_POLLER_H
#define GAECHANNEL_NET_POLLER_H

#include <curl/curl.h> // curl_socket_t
#include <stdbool.h>

/* A descriptor that can be read when one of its sockets is ready; -1: there is no such thing here. */
int poller_open(void);
void poller_close(int poller);
/* Watch for reading (1), writing (2), both (3), or no longer (0); `known`: whether it is watched already, as
 * far as the caller knows. */
void poller_set(int poller, curl_socket_t socket, int events, bool known);

typedef struct poller_event {
    curl_socket_t socket;
    int events; // as curl_multi_socket_action() wants them
} poller_event;
/* The sockets that are ready, after waiting for so many milliseconds at most; returns how many. */
int poller_take(int poller, poller_event *events, int room, int wait_ms);

/* What ends a wait of poller_take(), of any thread; -1: there is none. */
int poller_open_waker(int poller);
void poller_wake(int waker);

#endif
