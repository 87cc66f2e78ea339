/* Preloaded: libcurl says that it is of the version TOLD_VERSION, 8.14 being 080e00, and stderr hears, line
 * by line, what it is told: of each easy handle that it was made, which sizes its buffers are to have, and
 * then what it asks for: `makes HANDLE`, `sends HANDLE BYTES`, `receives HANDLE BYTES`, `asks HANDLE TARGET`.
 * Where one was freed, the next that is made may have its address. `wakes` stands for a multi handle that is
 * woken, and `asked` where the version was asked for. */
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
    fputs("wakes\n", stderr);
    return wake(multi);
}

CURL *curl_easy_init(void) {
    CURL *(*init)(void) = (CURL * (*)(void)) next("curl_easy_init");
    CURL *easy = init();
    fprintf(stderr, "makes %p\n", (void *)easy);
    return easy;
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
    if (option == CURLOPT_REQUEST_TARGET && given != NULL)
        fprintf(stderr, "asks %p %s\n", (void *)easy, (const char *)given);
    return set(easy, option, given);
}
