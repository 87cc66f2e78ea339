/* libcurl says which sockets it opens and closes, and which ends a request's connection has. What it does not
 * say is whether a connection is dead on which packets vanish: it would use it for ever. */
#include "net/connections.h"

#include <arpa/inet.h> // ntohs()
#include <errno.h>
#include <fcntl.h>       // fcntl()
#include <netinet/in.h>  // struct sockaddr_in
#include <netinet/tcp.h> // TCP_NOTSENT_LOWAT
#include <stdlib.h>      // calloc()
#include <string.h>      // memcpy()
#include <sys/socket.h>  // socket()
#include <unistd.h>      // close()

// How many bytes of requests the system may hold before it sends them. What it takes is not yet on its way:
// megabytes would look as if they had gone at once, and nothing would be seen of how they do.
#define MAX_NOT_SENT (64 * 1024)

/* ---- The tables ---- */

static connection **place_of_socket(const connections *self, curl_socket_t socket) {
    return &self->of_socket[(size_t)socket & (self->places - 1)];
}

static connection **place_of_ends(const connections *self, uint64_t ends) {
    return &self->of_ends[(size_t)ends & (self->places - 1)];
}

static void link_socket(connections *self, connection *one) {
    connection **place = place_of_socket(self, one->socket);
    one->next_of_socket = *place;
    *place = one;
}

static void link_ends(connections *self, connection *one) {
    connection **place = place_of_ends(self, one->ends);
    one->next_of_ends = *place;
    *place = one;
}

static void unlink_ends(const connections *self, const connection *one) {
    connection **link = place_of_ends(self, one->ends);
    while (*link != one)
        link = &(*link)->next_of_ends;
    *link = one->next_of_ends;
}

static bool grow(connections *self) {
    connections larger = *self;
    larger.places = self->places != 0 ? 2 * self->places : 4;
    larger.of_socket = calloc(larger.places, sizeof *larger.of_socket);
    larger.of_ends = calloc(larger.places, sizeof *larger.of_ends);
    if (larger.of_socket == NULL || larger.of_ends == NULL) {
        free(larger.of_socket);
        free(larger.of_ends);
        return false;
    }
    for (size_t i = 0; i < self->places; i++)
        for (connection *one = self->of_socket[i], *next; one != NULL; one = next) {
            next = one->next_of_socket;
            link_socket(&larger, one);
            link_ends(&larger, one);
        }
    connections smaller = *self;
    *self = larger;
    free(smaller.of_socket);
    free(smaller.of_ends);
    return true;
}

static void add(connections *self, curl_socket_t socket) {
    connection *one = calloc(1, sizeof *one);
    // Without memory it is not watched; it works all the same.
    if (one == NULL || (self->count == self->places && !grow(self))) {
        free(one);
        return;
    }
    one->socket = socket;
    link_socket(self, one);
    link_ends(self, one);
    self->count++;
}

void connections_free(connections *self) {
    for (size_t i = 0; i < self->places; i++)
        for (connection *one = self->of_socket[i], *next; one != NULL; one = next) {
            next = one->next_of_socket;
            free(one);
        }
    free(self->of_socket);
    free(self->of_ends);
    *self = (connections){0};
}

/* ---- Sockets ---- */

curl_socket_t connections_open(connections *self, const struct curl_sockaddr *address) {
    int type = address->socktype;
#ifdef SOCK_CLOEXEC // from its first moment on: another thread may start a program just now
    type |= SOCK_CLOEXEC;
#endif
    curl_socket_t made = socket(address->family, type, address->protocol);
    self->no_socket = made == CURL_SOCKET_BAD ? errno : 0;
    if (made == CURL_SOCKET_BAD)
        return CURL_SOCKET_BAD;
#ifndef SOCK_CLOEXEC
    (void)fcntl(made, F_SETFD, FD_CLOEXEC);
#endif
#ifdef TCP_NOTSENT_LOWAT
    int bytes = MAX_NOT_SENT;
    (void)setsockopt(made, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
#endif
#ifdef TCP_KEEPCNT
    int probes = 3;
    (void)setsockopt(made, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
#endif
    add(self, made);
    return made;
}

void connections_close(connections *self, curl_socket_t socket) {
    connection **link = self->places != 0 ? place_of_socket(self, socket) : NULL;
    while (link != NULL && *link != NULL && (*link)->socket != socket)
        link = &(*link)->next_of_socket;
    connection *one = link != NULL ? *link : NULL;
    if (one != NULL) {
        *link = one->next_of_socket;
        unlink_ends(self, one);
        self->count--;
        self->idle -= one->ends != 0 && one->users == 0;
        free(one);
    }
    close(socket);
}

void connection_shut(const connection *self) {
    (void)shutdown(self->socket, SHUT_RDWR);
}

/* ---- Both ends ---- */

// FNV-1a.
static uint64_t mix(uint64_t hash, const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
    return hash;
}

static uint64_t mix_end(uint64_t hash, const char *address, int port) {
    return mix(mix(hash, address, strlen(address)), &port, sizeof port);
}

/* -1: none that is known of. */
static int ask_local_port(curl_socket_t socket) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    if (getsockname(socket, (struct sockaddr *)&address, &length) != 0)
        return -1;
    memcpy(&ipv4, &address, sizeof ipv4);
    memcpy(&ipv6, &address, sizeof ipv6);
    return address.ss_family == AF_INET    ? ntohs(ipv4.sin_port)
           : address.ss_family == AF_INET6 ? ntohs(ipv6.sin6_port)
                                           : -1;
}

static int local_port_of(connection *one) {
    // Once it has one, it keeps it: those that are being connected are asked each time one of them is.
    if (one->local_port <= 0)
        one->local_port = ask_local_port(one->socket);
    return one->local_port;
}

connection *connections_find(const connections *self, uint64_t ends) {
    connection *one = self->places != 0 && ends != 0 ? *place_of_ends(self, ends) : NULL;
    while (one != NULL && one->ends != ends)
        one = one->next_of_ends;
    return one;
}

// One of its connections is not suspect.
static void trust(connections *self, uint64_t remote) {
    if (self->distrusted == remote)
        self->distrusted = 0;
}

connection *connections_at(connections *self, const char *remote, int remote_port, const char *local,
                           int local_port, int64_t now_ms) {
    uint64_t there = mix_end(UINT64_C(0xCBF29CE484222325), remote, remote_port) | 1;
    uint64_t ends = mix_end(there, local, local_port) | 1;
    connection *one = connections_find(self, ends);
    if (one != NULL || self->places == 0)
        return one;
    // The first request on it: those that have no ends yet are few.
    for (one = *place_of_ends(self, 0); one != NULL; one = one->next_of_ends)
        if (one->ends == 0 && local_port_of(one) == local_port)
            break;
    if (one == NULL)
        return NULL;
    unlink_ends(self, one);
    one->ends = ends;
    one->remote = there;
    one->heard_ms = now_ms;
    link_ends(self, one);
    trust(self, there);
    self->idle++; // for a moment: the request is about to enter
    return one;
}

void connections_enter(connections *self, connection *one) {
    self->idle -= one->users == 0;
    one->users++;
}

void connections_hear(connections *self, connection *one, int64_t now_ms) {
    one->heard_ms = now_ms;
    one->proven = true;
    one->suspect = false;
    trust(self, one->remote);
}

void connections_leave(connections *self, connection *one) {
    // It may be another one by now, with the same ends: libcurl closes the one before when it likes.
    if (one->users == 0 || --one->users != 0)
        return;
    self->idle++;
    if (one->remote == self->distrusted)
        connection_shut(one);
}

void connections_distrust(connections *self, uint64_t remote) {
    if (remote == self->distrusted)
        return;
    self->distrusted = remote;
    for (size_t i = 0; i < self->places; i++)
        for (connection *one = self->of_socket[i]; one != NULL; one = one->next_of_socket) {
            if (one->remote != remote)
                continue;
            one->suspect = true;
            if (one->users == 0)
                connection_shut(one);
        }
}
