/* The clock that all times in here are of. */
#include <time.h> // clock_gettime()

#include "net/net.h"

int64_t net_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
