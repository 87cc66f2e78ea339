/* Preloaded: counts how often the extension module has libcurl look at sockets, or wait at them, and how
 * often the interpreter's lock is held meanwhile. What has come is read and parsed in there, too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>

#include <curl/curl.h>

static atomic_long looked, held;

long times_looked(void) {
    return looked;
}

long times_held(void) {
    return held;
}

static void note(void) {
    int (*is_held)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Check");
    looked++;
    held += is_held() != 0;
}

static void *next(const char *name) {
    return dlsym(dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD), name);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *running) {
    CURLMcode (*act)(CURLM *, curl_socket_t, int, int *) =
        (CURLMcode(*)(CURLM *, curl_socket_t, int, int *))next("curl_multi_socket_action");
    note();
    return act(multi, socket, events, running);
}

CURLMcode curl_multi_perform(CURLM *multi, int *running) {
    CURLMcode (*perform)(CURLM *, int *) = (CURLMcode(*)(CURLM *, int *))next("curl_multi_perform");
    note();
    return perform(multi, running);
}

CURLMcode curl_multi_poll(CURLM *multi, struct curl_waitfd fds[], unsigned count, int ms, int *ready) {
    CURLMcode (*wait)(CURLM *, struct curl_waitfd *, unsigned, int, int *) =
        (CURLMcode(*)(CURLM *, struct curl_waitfd *, unsigned, int, int *))next("curl_multi_poll");
    note();
    return wait(multi, fds, count, ms, ready);
}
