/* An HTTP server that only writes bytes prepared before, so that it is never what a benchmark waits for.
 *
 *     prepared_server DIRECTORY [PERIOD_NS COUNT]
 *
 * Prints its port and serves 127.0.0.1 until its stdin ends. The files in DIRECTORY are whole HTTP responses:
 * `init` answers a GET, `open` and `maps` the POSTs without and with a SID, `stream` the back channel, after
 * which the connection is closed. With PERIOD_NS, `stream` is only a head, and behind it `message` is written
 * COUNT times, one each PERIOD_NS: its run of I becomes an id, its run of T the clock's nanoseconds at that
 * moment (CLOCK_MONOTONIC, which other processes can read too). With a COUNT of 0 nothing follows, and the
 * connection stays open until the client goes: an idle channel. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Of one send(): less than what the kernel holds, so that it can be read while the next is copied.
#define WRITE_BYTES ((size_t)256 * 1024)
#define MAX_REQUEST ((size_t)64 * 1024)

typedef struct response {
    const char *bytes;
    size_t length;
} response;

static response init, opening, maps, stream, message;
static bool paced;
static int64_t period_ns;
static int64_t paced_count;

static _Noreturn void die(const char *what) {
    perror(what);
    exit(1);
}

static response map_file(const char *directory, const char *name) {
    char path[4096];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_RDONLY);
    if (file < 0)
        return (response){"", 0};
    if (fstat(file, &about) < 0)
        die(path);
    size_t length = (size_t)about.st_size;
    const char *bytes = mmap(NULL, length, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    if (bytes == MAP_FAILED)
        die(path);
    close(file);
    return (response){bytes, length};
}

static bool write_all(int client, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(client, bytes, length < WRITE_BYTES ? length : WRITE_BYTES, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void sleep_until(int64_t at_ns) {
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != 0)
        ;
}

/* Write a number over a run of letters, with zeros in front. */
static void put_number(char *at, char letter, int64_t number) {
    char *end = at;
    while (*end == letter)
        end++;
    while (end > at) {
        *--end = (char)('0' + number % 10);
        number /= 10;
    }
}

static void write_paced(int client) {
    char text[1 << 16];
    if (message.length >= sizeof text)
        die("message");
    int64_t at_ns = now_ns();
    for (int64_t i = 0; i < paced_count; i++) {
        memcpy(text, message.bytes, message.length);
        text[message.length] = '\0';
        put_number(strchr(text, 'I'), 'I', 100000000 + i);
        char *when = strchr(text, 'T');
        at_ns += period_ns;
        sleep_until(at_ns);
        put_number(when, 'T', now_ns());
        if (!write_all(client, text, message.length))
            return;
    }
    if (paced_count == 0)
        while (recv(client, text, sizeof text, 0) > 0)
            ;
}

/* Read a request, its body included. False when the client has gone. */
static bool read_request(int client, char *request) {
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(client, request + length, MAX_REQUEST - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        request[length] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *header = strcasestr(request, "\r\nContent-Length:");
        size_t body = header != NULL && header < end ? strtoul(header + 17, NULL, 10) : 0;
        if (length - (size_t)(end + 4 - request) >= body)
            return true;
    }
}

static void *serve(void *argument) {
    int client = (int)(intptr_t)argument;
    int yes = 1;
    char *request = malloc(MAX_REQUEST);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    while (request != NULL && read_request(client, request)) {
        *strchr(request, '\r') = '\0'; // all that matters is in the first line
        if (strstr(request, "RID=rpc") != NULL) {
            if (write_all(client, stream.bytes, stream.length) && paced)
                write_paced(client);
            break;
        }
        response *answer = *request == 'G' ? &init : strstr(request, "&SID=") != NULL ? &maps : &opening;
        if (!write_all(client, answer->bytes, answer->length))
            break;
    }
    free(request);
    // Until the client has read all and closed, a close() of ours might reset what is on its way.
    shutdown(client, SHUT_WR);
    char rest[4096];
    while (recv(client, rest, sizeof rest, 0) > 0)
        ;
    close(client);
    return NULL;
}

static void *wait_for_stdin(void *unused) {
    char byte;
    (void)unused;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    exit(0);
}

int main(int count, char **arguments) {
    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: %s DIRECTORY [PERIOD_NS COUNT]\n", arguments[0]);
        return 2;
    }
    init = map_file(arguments[1], "init");
    opening = map_file(arguments[1], "open");
    maps = map_file(arguments[1], "maps");
    stream = map_file(arguments[1], "stream");
    message = map_file(arguments[1], "message");
    paced = count == 4;
    period_ns = paced ? atoll(arguments[2]) : 0;
    paced_count = paced ? atoll(arguments[3]) : 0;

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || bind(server, (struct sockaddr *)&address, length) < 0 || listen(server, 1024) < 0 ||
        getsockname(server, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_stdin, NULL);
    for (;;) {
        int client = accept(server, NULL, NULL);
        if (client < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
            pthread_detach(thread);
        else
            close(client);
    }
}
