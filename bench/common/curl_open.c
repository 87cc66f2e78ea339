/* Opens back channels with libcurl and nothing else: what opening channels costs at the least.
 *
 *     curl_open PORT COUNT AT_ONCE
 *
 * For each: a POST, then, on a connection of its own, the GET of a back channel that stays open; AT_ONCE of
 * them under way at a time. One thread, one multi handle, epoll. Prints the processor time of each in µs,
 * when the first byte of the last one's body has come. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

typedef struct opening {
    CURL *easy;
    char error[CURL_ERROR_SIZE];
    int is_back, is_open;
} opening;

static CURLM *multi;
static int poller, open_count, begun;
static long timeout_ms = -1;
static char post_url[256], back_url[256];

static _Noreturn void die(const char *what) {
    fprintf(stderr, "curl_open: %s\n", what);
    exit(1);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data) {
    opening *self = data;
    (void)bytes;
    if (self->is_back && !self->is_open) {
        self->is_open = 1;
        open_count++;
    }
    return size * count;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known) {
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    (void)data;
    if (what == CURL_POLL_REMOVE)
        return epoll_ctl(poller, EPOLL_CTL_DEL, fd, &event), 0;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    epoll_ctl(poller, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    curl_multi_assign(multi, fd, multi);
    return 0;
}

static int on_timer(CURLM *handle, long ms, void *data) {
    (void)handle;
    (void)data;
    timeout_ms = ms;
    return 0;
}

// What gaechannel sends, too.
static struct curl_slist codings = {.data = (char[]){"Accept-Encoding: gzip, deflate"}};

static void begin(opening *self) {
    self->easy = curl_easy_init();
    curl_easy_setopt(self->easy, CURLOPT_USERAGENT, "gaechannel/1.0.0");
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, &codings);
    curl_easy_setopt(self->easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(self->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(self->easy, CURLOPT_BUFFERSIZE, 1024L);
    curl_easy_setopt(self->easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(self->easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(self->easy, CURLOPT_URL, post_url);
    curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, "count=0");
    curl_multi_add_handle(multi, self->easy);
    begun++;
}

static void go_on(opening *self) {
    if (self->is_back)
        die("a back channel has ended");
    self->is_back = 1;
    curl_multi_remove_handle(multi, self->easy);
    curl_easy_setopt(self->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(self->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(self->easy, CURLOPT_URL, back_url);
    curl_multi_add_handle(multi, self->easy);
}

static void look_for_ends(void) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        opening *self;
        if (message->data.result != CURLE_OK)
            die(curl_easy_strerror(message->data.result));
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&self);
        go_on(self);
    }
}

static void turn(void) {
    struct epoll_event events[64];
    int running, count = epoll_wait(poller, events, 64, (int)timeout_ms);
    for (int i = 0; i < count; i++) {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi, events[i].data.fd, what, &running);
    }
    if (count == 0) {
        timeout_ms = -1;
        curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    look_for_ends();
}

static double cpu_us(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

int main(int argc, char **argv) {
    if (argc != 4)
        die("usage: curl_open PORT COUNT AT_ONCE");
    int count = atoi(argv[2]), at_once = atoi(argv[3]);
    struct rlimit limit = {.rlim_cur = (rlim_t)(2 * count + 100), .rlim_max = (rlim_t)(2 * count + 100)};
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur < limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("too few files may be open");
    const char *base = "http://127.0.0.1:%s/webchannel?VER=8&%s";
    snprintf(post_url, sizeof post_url, base, argv[1],
             "RID=12345&CVER=22&X-HTTP-Session-Id=gsessionid&t=1&zx=1a2b3c4d5e6f");
    snprintf(back_url, sizeof back_url, base, argv[1],
             "RID=rpc&AID=0&CI=0&TYPE=xmlhttp&SID=5E9A7C0FFEE15BAD&t=1&zx=1a2b3c4d5e6f");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi = curl_multi_init();
    poller = epoll_create1(0);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    opening *all = calloc((size_t)count, sizeof *all);
    if (multi == NULL || poller < 0 || all == NULL)
        die("no memory");
    double before = cpu_us();
    while (open_count < count) {
        while (begun < count && begun - open_count < at_once)
            begin(&all[begun]);
        turn();
    }
    printf("%f\n", (cpu_us() - before) / count);
    return 0; // what is open goes with the process
}
