/* Reads messages on many connections at once, and says how old each was: a reader that costs next to nothing.
 *
 *     message_sink DESCRIPTOR…
 *
 * Each message holds 19 digits, the monotonic clock's nanoseconds at its sending, and " x" behind them. Takes
 * lines with a count from standard input; for each it reads so many messages, and writes as many ages, in ns,
 * as 64-bit integers to standard output. Behind a count, "+" says that more may be under way: they count for
 * the next line. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { STAMP_DIGITS = 19, EVENTS = 256, WAIT_MS = 60000 };

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* The stamp whose digits end there; negative where there is none. */
static int64_t stamp_before(const char *end, const char *begin) {
    if (end - begin < STAMP_DIGITS)
        return -1;
    int64_t stamp = 0;
    for (const char *at = end - STAMP_DIGITS; at < end; at++) {
        if (*at < '0' || *at > '9')
            return -1;
        stamp = stamp * 10 + (*at - '0');
    }
    return stamp;
}

/* Writes the ages of the messages in a piece; returns how many there are. */
static long take(const char *piece, size_t size) {
    int64_t read_at = now();
    long found = 0;
    const char *end = piece + size;
    for (const char *at = piece; (at = memmem(at, (size_t)(end - at), " x", 2)) != NULL; at += 2) {
        int64_t stamp = stamp_before(at, piece);
        if (stamp < 0)
            continue;
        int64_t age = read_at - stamp;
        fwrite(&age, sizeof age, 1, stdout);
        found++;
    }
    return found;
}

/* Reads so many messages, or more where they may come. */
static bool read_messages(int poll, long left, bool more) {
    static char piece[1 << 16];
    static long beyond;
    left -= beyond;
    struct epoll_event events[EVENTS];
    while (left > 0) {
        int count = epoll_wait(poll, events, EVENTS, WAIT_MS);
        if (count <= 0) {
            fprintf(stderr, "%ld messages have not come\n", left);
            return false;
        }
        for (int i = 0; i < count; i++) {
            ssize_t size = recv(events[i].data.fd, piece, sizeof piece, MSG_DONTWAIT);
            if (size == 0) {
                fprintf(stderr, "a connection has ended\n");
                return false;
            }
            if (size > 0)
                left -= take(piece, (size_t)size);
        }
    }
    fflush(stdout);
    beyond = -left;
    return left == 0 || more;
}

int main(int count, char **arguments) {
    int poll = epoll_create1(0);
    for (int i = 1; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = atoi(arguments[i])};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event) != 0) {
            perror("epoll_ctl");
            return 1;
        }
    }
    char line[32];
    while (fgets(line, sizeof line, stdin) != NULL)
        if (!read_messages(poll, atol(line), strchr(line, '+') != NULL))
            return 1;
    return 0;
}
