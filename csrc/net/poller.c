/* One descriptor for many sockets: an event loop that watches ten thousand of them one by one needs an object
 * or five for each, and a call for each that is ready. */
#include "net/poller.h"

#ifdef __linux__

#include <errno.h>
#include <stdint.h> // uint64_t
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h> // close()

#define MAX_EVENTS 64
// In place of a socket.
#define WAKER (-1)

int poller_open(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

void poller_close(int poller) {
    if (poller >= 0)
        close(poller);
}

void poller_set(int poller, curl_socket_t socket, int events, bool known) {
    struct epoll_event wanted = {.data.fd = socket};
    if (events & CURL_POLL_IN)
        wanted.events |= EPOLLIN;
    if (events & CURL_POLL_OUT)
        wanted.events |= EPOLLOUT;
    if (events == 0)
        epoll_ctl(poller, EPOLL_CTL_DEL, socket, &wanted);
    else if (known && epoll_ctl(poller, EPOLL_CTL_MOD, socket, &wanted) != 0 && errno == ENOENT)
        epoll_ctl(poller, EPOLL_CTL_ADD, socket, &wanted);
    else if (!known && epoll_ctl(poller, EPOLL_CTL_ADD, socket, &wanted) != 0 && errno == EEXIST)
        epoll_ctl(poller, EPOLL_CTL_MOD, socket, &wanted);
}

int poller_take(int poller, poller_event *events, int room, int wait_ms) {
    struct epoll_event ready[MAX_EVENTS];
    int count = epoll_wait(poller, ready, room < MAX_EVENTS ? room : MAX_EVENTS, wait_ms);
    int taken = 0;
    for (int i = 0; i < count; i++) {
        uint32_t is = ready[i].events;
        if (ready[i].data.fd == WAKER)
            continue;
        events[taken].socket = ready[i].data.fd;
        events[taken++].events = (is & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                                 (is & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                 (is & EPOLLERR ? CURL_CSELECT_ERR : 0);
    }
    return taken;
}

int poller_open_waker(int poller) {
    // Each write is told once, so that nobody need read it.
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data.fd = WAKER};
    int waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waker >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, waker, &wanted) != 0) {
        close(waker);
        return -1;
    }
    return waker;
}

void poller_wake(int waker) {
    uint64_t once = 1;
    ssize_t written = write(waker, &once, sizeof once);
    (void)written; // it fails where nobody has looked for 2^64 times
}

#else

int poller_open(void) {
    return -1;
}

void poller_close(int poller) {
    (void)poller;
}

void poller_set(int poller, curl_socket_t socket, int events, bool known) {
    (void)poller, (void)socket, (void)events, (void)known;
}

int poller_take(int poller, poller_event *events, int room, int wait_ms) {
    (void)poller, (void)events, (void)room, (void)wait_ms;
    return 0;
}

int poller_open_waker(int poller) {
    (void)poller;
    return -1;
}

void poller_wake(int waker) {
    (void)waker;
}

#endif
