/* The connections of a loop: which one a request went out on, and when each was last heard. */
#ifndef GAECHANNEL_NET_CONNECTIONS_H
#define GAECHANNEL_NET_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h> // size_t
#include <stdint.h> // int64_t, uint64_t

#include <curl/curl.h>

typedef struct connection {
    curl_socket_t socket;
    // The port of this end; 0: the connection has none yet, or nobody has asked.
    int local_port;
    // Something came on it.
    bool proven;
    // A request that shares the connection, or one to the same place, fell silent, and nothing has come
    // since.
    bool suspect;
    // Both its ends' addresses and ports, and the other end's alone, as numbers that no two are likely to
    // share; 0 until a request went out on it.
    uint64_t ends;
    uint64_t remote;
    // When something came on the connection last; at first, when the first request went out.
    int64_t heard_ms;
    // How many requests are on the connection.
    size_t users;
    struct connection *next_of_socket;
    struct connection *next_of_ends;
} connection;

typedef struct connections {
    // By socket and by `ends`: chained hash tables of the same number of places, a power of two.
    connection **of_socket;
    connection **of_ends;
    size_t places;
    size_t count;
    // How many have carried a request, and carry none now.
    size_t idle;
    // Why the system gave no socket, an errno; 0: it gave the last one that was wanted.
    int no_socket;
    // The place of which all connections are suspect, and all idle ones shut; 0: of none is that known.
    uint64_t distrusted;
} connections;

/* libcurl wants a socket; CURL_SOCKET_BAD when there is none to be had. */
curl_socket_t connections_open(connections *self, const struct curl_sockaddr *address);
/* libcurl is done with it. */
void connections_close(connections *self, curl_socket_t socket);
void connections_free(connections *self);

/* The connection with these ends, on which a request goes out; NULL when it is not known. */
connection *connections_at(connections *self, const char *remote, int remote_port, const char *local,
                           int local_port, int64_t now_ms);
/* The same, of one that was found before; NULL when it is gone. 0 is none. */
connection *connections_find(const connections *self, uint64_t ends);
/* A request goes out on it; something came; a request on it is over. */
void connections_enter(connections *self, connection *one);
void connections_hear(connections *self, connection *one, int64_t now_ms);
void connections_leave(connections *self, connection *one);

/* The request that is given up fell silent: whoever else was at the other end is suspect, and what lies idle
 * is not used again. When thousands fall silent at once, all but the first cost nothing. */
void connections_distrust(connections *self, uint64_t remote);

/* Nothing comes or goes on it from now on: libcurl will find it closed. */
void connection_shut(const connection *self);

#endif
