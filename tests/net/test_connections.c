/* A loop's connections: which are suspect when a request on one of them falls silent, and how many are idle.
 *
 * Compiled with -Dmalloc=failing_malloc and so on, as connections.c is for this program. */
#include "failing.h"

#include <arpa/inet.h>  // htonl()
#include <sys/socket.h> // listen()
#include <unistd.h>     // close()

#include "net/connections.h"

#define HERE "127.0.0.1"
#define MOST 4

// Sockets to a listener of the test's own, each a connection that a request was on, or is.
typedef struct net {
    connections all;
    int listener;
    int port;
    curl_socket_t sockets[MOST];
    int peers[MOST];
} net;

static int local_port(int socket) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    CHECK(getsockname(socket, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static void begin(net *self) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *self = (net){.listener = socket(AF_INET, SOCK_STREAM, 0)};
    CHECK(bind(self->listener, (struct sockaddr *)&address, length) == 0 &&
          listen(self->listener, MOST) == 0);
    self->port = local_port(self->listener);
    for (int i = 0; i < MOST; i++) {
        struct curl_sockaddr wanted = {.family = AF_INET, .socktype = SOCK_STREAM, .protocol = 0};
        struct sockaddr_in to = address;
        to.sin_port = htons((uint16_t)self->port);
        self->sockets[i] = connections_open(&self->all, &wanted);
        CHECK(connect(self->sockets[i], (struct sockaddr *)&to, length) == 0);
        self->peers[i] = accept(self->listener, NULL, NULL);
        CHECK(self->peers[i] >= 0);
    }
}

static void end(net *self) {
    for (int i = 0; i < MOST; i++) {
        connections_close(&self->all, self->sockets[i]);
        close(self->peers[i]);
    }
    CHECK(self->all.count == 0 && self->all.idle == 0);
    connections_free(&self->all);
    close(self->listener);
}

// A request goes out on one; `place` tells apart to where connections lead, as the test has it.
static connection *enter(net *self, int i, int place) {
    connection *one =
        connections_at(&self->all, HERE, self->port + place, HERE, local_port(self->sockets[i]), 1000);
    CHECK(one != NULL);
    connections_enter(&self->all, one);
    return one;
}

static bool is_shut(const net *self, int i) {
    char byte;
    return recv(self->peers[i], &byte, 1, MSG_DONTWAIT) == 0;
}

static void whoever_is_at_the_same_place_is_suspect_and_what_is_idle_is_shut(void) {
    net self;
    begin(&self);
    connection *silent = enter(&self, 0, 0), *busy = enter(&self, 1, 0), *idle = enter(&self, 2, 0);
    connection *elsewhere = enter(&self, 3, 1);
    connections_leave(&self.all, idle);
    connections_leave(&self.all, silent);
    connections_distrust(&self.all, silent->remote);
    CHECK(busy->suspect && idle->suspect && !elsewhere->suspect);
    CHECK(is_shut(&self, 0) && !is_shut(&self, 1) && is_shut(&self, 2) && !is_shut(&self, 3));
    end(&self);
}

static void what_becomes_idle_at_a_place_that_is_suspect_is_shut(void) {
    net self;
    begin(&self);
    connection *silent = enter(&self, 0, 0), *other = enter(&self, 1, 0), *heard = enter(&self, 2, 0);
    connection *elsewhere = enter(&self, 3, 1);
    connections_distrust(&self.all, silent->remote);
    connections_hear(&self.all, elsewhere, 2000);
    connections_leave(&self.all, elsewhere);
    connections_leave(&self.all, other);
    connections_distrust(&self.all, silent->remote);
    CHECK(is_shut(&self, 1) && !is_shut(&self, 3));
    connections_hear(&self.all, heard, 2000);
    connections_leave(&self.all, heard);
    CHECK(!is_shut(&self, 2)); // it has shown that it lives
    end(&self);
}

static void a_connection_that_was_heard_is_suspect_again_with_the_next_silence(void) {
    net self;
    begin(&self);
    connection *silent = enter(&self, 0, 0), *heard = enter(&self, 1, 0);
    connections_distrust(&self.all, silent->remote);
    connections_hear(&self.all, heard, 2000);
    CHECK(!heard->suspect && heard->heard_ms == 2000);
    connection *fresh = enter(&self, 2, 0);
    CHECK(!fresh->suspect);
    connections_distrust(&self.all, silent->remote);
    CHECK(heard->suspect && fresh->suspect);
    end(&self);
}

static void a_connection_is_left_by_those_who_entered_it_alone(void) {
    net self;
    begin(&self);
    connection *one = enter(&self, 0, 0);
    connections_leave(&self.all, one);
    CHECK(self.all.idle == 1);
    // By a request of a connection that was closed, which had the same ends.
    connections_leave(&self.all, one);
    CHECK(one->users == 0 && self.all.idle == 1);
    end(&self);
}

static const check_case cases[] = {
    CASE(whoever_is_at_the_same_place_is_suspect_and_what_is_idle_is_shut),
    CASE(what_becomes_idle_at_a_place_that_is_suspect_is_shut),
    CASE(a_connection_that_was_heard_is_suspect_again_with_the_next_silence),
    CASE(a_connection_is_left_by_those_who_entered_it_alone),
};

CHECK_MAIN(cases)
