/* Counts how often the extension module takes a lock, and knows when the main thread waits for the network:
 * preloaded, so that such calls come here first. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h> // getpid(), gettid()

static atomic_long count;
static atomic_int waiting;

long sections(void) {
    return count;
}

int waits(void) {
    return waiting;
}

static void note(const void *caller) {
    Dl_info found;
    if (dladdr(caller, &found) != 0 && found.dli_fname != NULL && strstr(found.dli_fname, "/_core.") != NULL)
        count++;
}

typedef int take(pthread_mutex_t *lock);

// dlsym() returns what ISO C gives no way to call.
static take *next(const char *name) {
    take *found;
    *(void **)&found = dlsym(RTLD_NEXT, name);
    return found;
}

int pthread_mutex_lock(pthread_mutex_t *lock) {
    static take *real;
    if (real == NULL)
        real = next("pthread_mutex_lock");
    note(__builtin_return_address(0));
    return real(lock);
}

int pthread_mutex_trylock(pthread_mutex_t *lock) {
    static take *real;
    if (real == NULL)
        real = next("pthread_mutex_trylock");
    int result = real(lock);
    if (result == 0)
        note(__builtin_return_address(0));
    return result;
}

// Whether this is a wait of the main thread.
static int is_wait(int ms) {
    return ms != 0 && gettid() == getpid();
}

int poll(struct pollfd *sockets, nfds_t length, int ms) {
    int (*real)(struct pollfd *, nfds_t, int);
    *(void **)&real = dlsym(RTLD_NEXT, "poll");
    waiting += is_wait(ms);
    int result = real(sockets, length, ms);
    waiting -= is_wait(ms);
    return result;
}

int epoll_wait(int watcher, struct epoll_event *events, int most, int ms) {
    int (*real)(int, struct epoll_event *, int, int);
    *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
    waiting += is_wait(ms);
    int result = real(watcher, events, most, ms);
    waiting -= is_wait(ms);
    return result;
}
