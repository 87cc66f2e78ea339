/* Preloaded: libcurl says that it is of the version TOLD_VERSION, 8.14 being 080e00, and stderr hears which
 * sizes each handle's buffers are to have: `sends HANDLE BYTES` or `receives HANDLE BYTES` a line; and which
 * multi handle is woken: `wakes HANDLE 1`. Where its version was asked for, a line says `asked`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h> // getenv(), strtoul()

#include <curl/curl.h>

#undef curl_easy_setopt

static void *next(const char *name) {
    return dlsym(dlopen("libcurl.so.4", RTLD_LAZY | RTLD_NOLOAD), name);
}

curl_version_info_data *curl_version_info(CURLversion age) {
    static curl_version_info_data info;
    curl_version_info_data *(*ask)(CURLversion) =
        (curl_version_info_data * (*)(CURLversion)) next("curl_version_info");
    info = *ask(age);
    info.version_num = (unsigned)strtoul(getenv("TOLD_VERSION"), NULL, 16);
    fputs("asked\n", stderr);
    return &info;
}

CURLMcode curl_multi_wakeup(CURLM *multi) {
    CURLMcode (*wake)(CURLM *) = (CURLMcode(*)(CURLM *))next("curl_multi_wakeup");
    fprintf(stderr, "wakes %p 1\n", (void *)multi);
    return wake(multi);
}

CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
    CURLcode (*set)(CURL *, CURLoption, ...) = (CURLcode(*)(CURL *, CURLoption, ...))next("curl_easy_setopt");
    va_list arguments;
    va_start(arguments, option);
    void *given = va_arg(arguments, void *); // whatever it is: it goes on as it came
    va_end(arguments);
    if (option == CURLOPT_UPLOAD_BUFFERSIZE || option == CURLOPT_BUFFERSIZE)
        fprintf(stderr, "%s %p %ld\n", option == CURLOPT_BUFFERSIZE ? "receives" : "sends", (void *)easy,
                (long)given);
    return set(easy, option, given);
}
