/* Preloaded: libcurl takes its time to look at a socket, with the loop's lock held, so that others wait for
 * that. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

#include <curl/curl.h>

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t socket, int events, int *running) {
    CURLMcode (*next)(CURLM *, curl_socket_t, int, int *) =
        dlsym(dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD), "curl_multi_socket_action");
    usleep(3000);
    return next(multi, socket, events, running);
}
