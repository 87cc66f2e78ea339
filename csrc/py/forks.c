/* How often this process was forked off another. One count for all interpreters: the child ends all but one
 * of them, and what they had made goes, while only the one that called fork() would be told by Python. Nor
 * would any be where C code has called it. */
#include "py/forks.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_ulong count;
static pthread_once_t watching = PTHREAD_ONCE_INIT;
static bool is_watched;
static void (*do_in_child)(void);

static void forked(void) {
    count++;
    do_in_child();
}

static void watch(void) {
    is_watched = pthread_atfork(NULL, NULL, forked) == 0;
}

bool forks_watch(void (*in_child)(void)) {
    do_in_child = in_child; // always the same
    pthread_once(&watching, watch);
    return is_watched;
}

unsigned long forks_seen(void) {
    return count;
}
